//! Values from outside in a desired graph: which it needs and where, and putting them in.
//!
//! Invariant: after [`settle`] no resource refers to a variable or holds a secret. Nothing is asked for
//! `existing` resources: they are only bound to.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{
    Address, Desired, Input, Inputs, Part, Sealed, Secret, Text, Value, Vault, names_of,
};
use envc_kinds::{Fields, Kind, form, kind};
use envc_spec::Environment;
use serde_json::Value as Json;

use crate::files::file_texts;

/// A value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// True for a private text: no message repeats it.
    pub private: bool,
    /// The secrets and variables that it is made of.
    pub names: String,
    /// Where it stands.
    pub address: Address,
    /// The field.
    pub field: String,
    /// What is wrong, as a clause after "it", without any of the text.
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
        // A resource that another node makes is told at that node, and a script with its Worker's files.
        let made = kind(desired.address.kind()).declared().is_none()
            || env.workers.iter().any(|worker| worker.address() == desired.address);
        for (field, value) in &desired.fields {
            let place = format!("`{field}` of {}", desired.address);
            value.each_text(&mut |text| add(text, &place, made));
        }
    }
    needed
}

/// Puts the values into the resources that envc makes; the vault has the texts of sealed ones. Tells
/// the values that a field cannot take: a private one is then as good as not known.
pub fn settle(
    resources: &mut BTreeMap<Address, Desired>,
    inputs: &Inputs,
) -> (Vault, Vec<Unusable>) {
    let mut vault = inputs.vault();
    let mut unusable = Vec::new();
    for desired in resources.values_mut().filter(|desired| desired.is_managed()) {
        unusable.extend(settle_one(desired, inputs, &mut vault));
    }
    (vault, unusable)
}

fn settle_one(desired: &mut Desired, inputs: &Inputs, vault: &mut Vault) -> Vec<Unusable> {
    let kind = kind(desired.address.kind());
    let address = desired.address.clone();
    let mut unusable = Vec::new();
    let (mut private, mut names) = (Vec::new(), BTreeMap::new());
    for (field, mut value) in std::mem::take(&mut desired.fields) {
        if let Value::Private(text) = &value {
            let (texts, what) = opened(kind, &field, text, inputs);
            private.extend(texts);
            if let Some(what) = what {
                let (names, address) = (names_of(text), address.clone());
                unusable.push(Unusable { private: true, names, address, field, what });
            }
            continue;
        }
        let mut all = Text::default();
        value.each_text(&mut |text| all.append(text.clone()));
        names.insert(field.clone(), names_of(&all));
        if let Some(veil) = inputs.veil(&value) {
            vault.veil(&address, &field, veil);
        }
        inputs.settle(&mut value, vault);
        desired.fields.insert(field, value);
    }
    let known = known(&desired.fields, &private);
    for (field, value) in &known {
        let Some(what) = kind.problem(field, value, &known) else { continue };
        let of = private.iter().find(|one| one.field == *field);
        let names = match of {
            Some(one) => one.names.clone(),
            None => names.get(field).cloned().unwrap_or_default(),
        };
        let (private, field, address) = (of.is_some(), field.clone(), address.clone());
        unusable.push(Unusable { private, names, address, field, what });
    }
    for one in private {
        let field = one.field.clone();
        desired.fields.insert(field, one.seal(kind, &known, inputs, vault));
    }
    unusable
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

/// The fields that a private text is: the one itself, or those that take its place. And what is wrong
/// with it.
fn opened(
    kind: &dyn Kind,
    field: &str,
    text: &Text,
    inputs: &Inputs,
) -> (Vec<Private>, Option<String>) {
    let (names, whole, parts) = (names_of(text), inputs.open(text), kind.parts(field));
    let part = |part: &str, text: Option<Secret>| {
        let names = names.clone();
        Private { field: part.to_owned(), names, part: part.to_owned(), text }
    };
    if parts.is_empty() {
        return (vec![Private { part: String::new(), ..part(field, whole) }], None);
    }
    let unknown = || parts.iter().map(|name| part(name, None)).collect();
    match whole.map(|whole| kind.split(field, &whole)) {
        None => (unknown(), None),
        Some(Err(what)) => (unknown(), Some(what)),
        Some(Ok(texts)) => {
            (texts.into_iter().map(|(name, text)| part(&name, Some(text))).collect(), None)
        }
    }
}

/// The values of a resource that are known by now.
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
            // What the spec says word for word has no name.
            let name = if self.names.is_empty() { &self.field } else { &self.names };
            return Value::Sealed(Sealed::unknown(name, &self.part).into());
        };
        let formed = form(kind, &self.field, &Json::from(text.expose()), known);
        match inputs.sealer.seal_json(&self.names, &self.part, &formed) {
            Some(sealed) => {
                vault.put(sealed.clone(), text);
                Value::Sealed(sealed.into())
            }
            // A text that means nothing.
            None => Value::Null,
        }
    }
}
