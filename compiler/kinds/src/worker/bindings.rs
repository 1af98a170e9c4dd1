//! Bindings of a Worker as an upload carries them.

use envc_core::{Text, Value};

use crate::bindable::binding;

/// A plain variable.
pub fn plain_text(name: &str, text: &Text) -> Value {
    binding(name, "plain_text", &[("text", Value::Text(text.clone()))])
}

/// A Durable Object class: of this script, or of another one.
pub fn durable_object(name: &str, class: &str, script: Option<Text>) -> Value {
    let mut fields = vec![("class_name", Value::text(class))];
    fields.extend(script.map(|script| ("script_name", Value::Text(script))));
    binding(name, "durable_object_namespace", &fields)
}
