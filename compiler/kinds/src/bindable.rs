//! What a Worker can be bound to: one row in the file of each such kind, which the grammar of `bind`,
//! `wrangler.jsonc`, uploads, templates and lints read.
//!
//! What an upload refers to stays a reference: that is what lets the script come after everything
//! that it is bound to. Source: Cloudflare's OpenAPI document and wrangler's configuration
//! reference, checked November 2026.

use std::iter;

use envc_core::{Address, KindId, Output, Text, Value};
use serde_json::Value as Json;

use crate::{Declared, api, declared, registry};

/// How a Worker is bound to a kind. The word of `bind`'s property is the kind's own.
#[derive(Debug)]
pub struct Bindable {
    /// What the property of `bind` names, for the reference: "A D1 database."
    pub doc: &'static str,
    /// The `type` of the binding in an upload.
    pub api_type: &'static str,
    /// The field there that names the resource.
    pub api_field: &'static str,
    /// What that field holds.
    pub output: Output,
    /// The list in `wrangler.jsonc`, by the keys that lead to it: `["queues", "producers"]`.
    pub section: &'static [&'static str],
    /// What an entry of that list holds behind `binding`, in order.
    pub entry: &'static [(&'static str, Entry)],
    /// An entry may say `remote`: `wrangler dev` uses the resource itself then.
    pub remote: bool,
    /// The code of an upload that is bound to one which is not there, or not seen yet.
    pub missing: i64,
}

/// A field of an entry in `wrangler.jsonc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The API's identifier.
    Id,
    /// The physical name.
    Name,
    /// The folder of its migrations, seen from the Worker's; left out where it has none.
    Migrations,
    /// Which files in it are migrations, seen from the Worker's; left out where it says nothing.
    MigrationsPattern,
    /// The table of their ledger; left out where it says nothing.
    Ledger,
}

/// All kinds that a Worker can be bound to, in the order of the registry.
pub fn bindables() -> impl Iterator<Item = (&'static dyn Declared, &'static Bindable)> {
    let all = registry().iter().filter_map(|kind| kind.declared());
    all.filter_map(|kind| Some((kind, kind.node().bindable?)))
}

/// A binding of an upload.
pub(crate) fn binding(name: &str, kind: &str, fields: &[(&str, Value)]) -> Value {
    let fields = fields.iter().map(|(field, value)| ((*field).to_owned(), value.clone()));
    let head = [("name".to_owned(), Value::text(name)), ("type".to_owned(), Value::text(kind))];
    Value::Map(head.into_iter().chain(fields).collect())
}

/// The binding of an upload to a resource; none for a kind that a Worker cannot be bound to.
pub fn to_resource(name: &str, target: &Address) -> Option<Value> {
    let row = declared(target.kind())?.node().bindable?;
    let value = Value::Text(Text::output(target.clone(), row.output));
    Some(binding(name, row.api_type, &[(row.api_field, value)]))
}

/// The resource that a binding in a script's settings names: its kind, and its identifier or its name,
/// whichever the binding has.
pub(crate) fn resource_of(binding: &Json) -> Option<(KindId, String)> {
    let api_type = api::text(binding, "type")?;
    let (kind, row) = bindables().find(|(_, row)| row.api_type == api_type)?;
    let named = if row.output == Output::Id { Entry::Id } else { Entry::Name };
    // An answer may have the field that wrangler's configuration has.
    let others = row.entry.iter().filter(|(_, entry)| *entry == named).map(|(field, _)| *field);
    let text = iter::once(row.api_field).chain(others).find_map(|it| api::text(binding, it))?;
    Some((kind.facts().id, text))
}
