//! Values from outside in a desired graph: which it needs and where, and putting them in.
//!
//! Invariant: what [`settle`] leaves behind refers to no variable and holds no secret. What is there
//! already is only bound to, so that nothing of it is asked for.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{
    Address, Desired, Input, Inputs, Part, Sealed, Secret, Text, Value, Vault, names_of,
};
use envc_kinds::{Fields, Kind, form, kind};
use envc_spec::Environment;
use serde_json::Value as Json;

use crate::files::file_texts;

/// A private text that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// The secrets and variables that it is made of.
    pub names: String,
    /// Where it stands.
    pub address: Address,
    /// The field.
    pub field: String,
    /// What is wrong, as a clause after "it"; nothing of the text.
    pub what: String,
}

/// The variables and secrets that resources and files need, each with the places that use it.
pub fn needed_inputs(env: &Environment) -> BTreeMap<Input, BTreeSet<String>> {
    let mut needed: BTreeMap<Input, BTreeSet<String>> = BTreeMap::new();
    let mut add = |text: &Text, place: &str, only_new: bool| {
        for part in &text.parts {
            let Part::In(input @ (Input::Env(_) | Input::Secret(_))) = part else { continue };
            if !(only_new && needed.contains_key(input)) {
                needed.entry(input.clone()).or_default().insert(place.to_owned());
            }
        }
    };
    for (place, text) in file_texts(env) {
        add(text, &place, false);
    }
    for desired in env.resources.values().filter(|desired| desired.is_managed()) {
        // What another node makes was told at that node.
        let made = kind(desired.address.kind()).grammar().is_none();
        for (field, value) in &desired.fields {
            let place = format!("`{field}` of {}", desired.address);
            value.each_text(&mut |text| add(text, &place, made));
        }
    }
    needed
}

/// Puts the values into what envc makes. The texts that were sealed are in the vault.
pub fn settle(
    resources: &mut BTreeMap<Address, Desired>,
    inputs: &Inputs,
) -> Result<Vault, Vec<Unusable>> {
    let mut vault = inputs.vault();
    let mut unusable = Vec::new();
    for desired in resources.values_mut().filter(|desired| desired.is_managed()) {
        let kind = kind(desired.address.kind());
        let mut private = Vec::new();
        for (field, mut value) in std::mem::take(&mut desired.fields) {
            if let Value::Private(text) = value {
                match opened(kind, &field, &text, inputs) {
                    Ok(texts) => private.extend(texts),
                    Err(what) => {
                        let (names, address) = (names_of(&text), desired.address.clone());
                        unusable.push(Unusable { names, address, field, what });
                    }
                }
                continue;
            }
            inputs.settle(&mut value, &mut vault);
            desired.fields.insert(field, value);
        }
        let known = known(&desired.fields, &private);
        for one in private {
            let field = one.field.clone();
            desired.fields.insert(field, one.seal(kind, &known, inputs, &mut vault));
        }
    }
    if unusable.is_empty() { Ok(vault) } else { Err(unusable) }
}

/// A private text that a field is, before it is sealed.
struct Private {
    field: String,
    /// What it is made of.
    names: String,
    /// Which part of the text it is; empty for the whole.
    part: String,
    /// None where it is not known.
    text: Option<Secret>,
}

/// The fields that a private text is: the one itself, or those that take its place.
fn opened(
    kind: &dyn Kind,
    field: &str,
    text: &Text,
    inputs: &Inputs,
) -> Result<Vec<Private>, String> {
    let (names, whole, parts) = (names_of(text), inputs.open(text), kind.parts(field));
    let part = |part: &str, text: Option<Secret>| {
        let names = names.clone();
        Private { field: part.to_owned(), names, part: part.to_owned(), text }
    };
    match whole {
        text if parts.is_empty() => Ok(vec![Private { part: String::new(), ..part(field, text) }]),
        None => Ok(parts.iter().map(|name| part(name, None)).collect()),
        Some(whole) => {
            let texts = kind.split(field, &whole)?.into_iter();
            Ok(texts.map(|(name, text)| part(&name, Some(text))).collect())
        }
    }
}

/// All that is known of a resource by now.
fn known(fields: &Fields<Value>, private: &[Private]) -> Fields<Json> {
    let fields = fields.iter();
    let plain = fields.filter_map(|(field, value)| {
        let value = value.resolve(&mut |_| None)?;
        Some((field.clone(), value))
    });
    let private = private.iter().filter_map(|one| {
        let text = one.text.as_ref()?.expose();
        Some((one.field.clone(), Json::from(text)))
    });
    plain.chain(private).collect()
}

impl Private {
    /// Seals the text in the one form of its field: a seal hides the spelling, and what is seen is
    /// sealed in this form, too. What is kept for the call stays as it was written.
    fn seal(
        self,
        kind: &dyn Kind,
        known: &Fields<Json>,
        inputs: &Inputs,
        vault: &mut Vault,
    ) -> Value {
        let Some(text) = self.text else {
            return Value::Sealed(Sealed::unknown(&self.names, &self.part));
        };
        let formed = form(kind, &self.field, &Json::from(text.expose()), known);
        match inputs.sealer.seal_json(&self.names, &self.part, &formed) {
            Some(sealed) => {
                vault.put(sealed.clone(), text);
                Value::Sealed(sealed)
            }
            // A text that means nothing.
            None => Value::Null,
        }
    }
}
