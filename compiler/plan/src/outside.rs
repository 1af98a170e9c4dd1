//! Values from outside in a desired graph: which it needs and where, and putting them in.
//!
//! Invariant: what [`settle`] leaves behind refers to no variable and holds no secret. What is there
//! already is only bound to, so that nothing of it is asked for.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Desired, Input, Inputs, Part, Sealed, Text, Value, Vault, names_of};
use envc_kinds::{Fields, Kind, kind};
use envc_spec::Environment;

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
    let mut vault = Vault::default();
    let mut unusable = Vec::new();
    for desired in resources.values_mut().filter(|desired| desired.is_managed()) {
        let kind = kind(desired.address.kind());
        for (field, mut value) in std::mem::take(&mut desired.fields) {
            let parts = kind.parts(&field);
            if let (Value::Private(text), false) = (&value, parts.is_empty()) {
                match split(kind, &field, text, inputs, &mut vault) {
                    Ok(parts) => desired.fields.extend(parts),
                    Err(what) => {
                        let (names, address) = (names_of(text), desired.address.clone());
                        unusable.push(Unusable { names, address, field, what });
                    }
                }
                continue;
            }
            inputs.settle(&mut value, &mut vault);
            desired.fields.insert(field, value);
        }
    }
    if unusable.is_empty() { Ok(vault) } else { Err(unusable) }
}

/// The fields that take the place of a private text, each sealed by itself.
fn split(
    kind: &dyn Kind,
    field: &str,
    text: &Text,
    inputs: &Inputs,
    vault: &mut Vault,
) -> Result<Fields<Value>, String> {
    let names = names_of(text);
    let Some(whole) = inputs.open(text) else {
        let parts = kind.parts(field).iter();
        let unknown = |part: &str| Value::Sealed(Sealed::unknown(&names, part));
        return Ok(parts.map(|part| ((*part).to_owned(), unknown(part))).collect());
    };
    let sealed = kind.split(field, &whole)?.into_iter().map(|(part, text)| {
        let sealed = inputs.sealer.seal(&names, &part, &text);
        vault.put(sealed.clone(), text);
        (part, Value::Sealed(sealed))
    });
    Ok(sealed.collect())
}
