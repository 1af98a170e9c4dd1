//! Values from outside the spec: looked up once, before anything is planned.
//!
//! A variable becomes a literal. A private text becomes a [`Sealed`] value: the names that it is
//! made of and a keyed digest, which is all that plans, states, events and logs can hold of it. Its
//! text stays in the [`Vault`], which has no form on disk, until the call that needs it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::{Address, Digest, Input, KeyedDigest, Output, Part, Secret, Text, Value};

/// A private text as a plan and a state hold it, or any text that is not known. There is no way
/// from here to the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// The secrets and variables that it is made of; empty where the spec says it word for word.
    #[serde(rename = "sealed")]
    pub name: String,
    /// Which part of the text it is; empty for the whole.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub part: String,
    /// Over environment, name, part and text; none where the text is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

impl Sealed {
    /// A text, or a part of one, that is not known, because something that it is made of is not.
    pub fn unknown(name: &str, part: &str) -> Self {
        Self { name: name.to_owned(), part: part.to_owned(), digest: None }
    }

    /// The sealed value that this JSON is the form of.
    pub fn from_json(json: &Json) -> Option<Self> {
        json.get("sealed")?;
        Self::deserialize(json).ok()
    }

    /// Its form in a plan and a state.
    pub fn to_json(&self) -> Json {
        let Self { name, part, digest } = self;
        let mut json = Map::from_iter([("sealed".to_owned(), Json::from(name.as_str()))]);
        if !part.is_empty() {
            json.insert("part".to_owned(), Json::from(part.as_str()));
        }
        if let Some(digest) = digest {
            json.insert("digest".to_owned(), Json::from(digest.as_str()));
        }
        Json::Object(json)
    }
}

/// Makes sealed values for one environment: the same text gives another digest in another
/// environment or under another name, so that digests cannot be compared with one another.
#[derive(Clone, Debug)]
pub struct Sealer {
    key: KeyedDigest,
    environment: String,
}

impl Sealer {
    /// Seals for this environment of this project.
    pub fn new(key: KeyedDigest, project: &str, env: &str) -> Self {
        Self { key, environment: format!("{project}/{env}") }
    }

    /// Seals a text, or a part of one.
    pub fn seal(&self, name: &str, part: &str, text: &Secret) -> Sealed {
        let mut bytes = Vec::new();
        for piece in [self.environment.as_str(), name, part, text.expose()] {
            // Lengths keep the pieces apart, whatever they hold.
            bytes.extend((piece.len() as u64).to_be_bytes());
            bytes.extend(piece.as_bytes());
        }
        Sealed { name: name.to_owned(), part: part.to_owned(), digest: Some(self.key.of(bytes)) }
    }

    /// Seals the text that a value of a call is; nothing for what is no one text.
    pub fn seal_json(&self, name: &str, part: &str, value: &Json) -> Option<Sealed> {
        let text = match value {
            Json::String(text) => text.clone(),
            Json::Number(number) => number.to_string(),
            Json::Bool(flag) => flag.to_string(),
            Json::Null | Json::Array(_) | Json::Object(_) => return None,
        };
        Some(self.seal(name, part, &Secret::new(text)))
    }

    /// What was seen, with the same pieces sealed as in `model`: only so can a text that the API
    /// tells be compared with one that no plan may hold, and kept from being shown.
    #[must_use]
    pub fn like(&self, model: &Json, seen: &Json) -> Json {
        if let Some(Sealed { name, part, .. }) = Sealed::from_json(model) {
            let sealed = self.seal_json(&name, &part, seen);
            return sealed.map_or_else(|| seen.clone(), |sealed| sealed.to_json());
        }
        match (model, seen) {
            (Json::Object(models), Json::Object(all)) => all
                .iter()
                .map(|(key, seen)| {
                    let model = models.get(key).unwrap_or(&Json::Null);
                    (key.clone(), self.like(model, seen))
                })
                .collect(),
            (Json::Array(models), Json::Array(all)) => all
                .iter()
                .enumerate()
                .map(|(at, seen)| self.like(models.get(at).unwrap_or(&Json::Null), seen))
                .collect(),
            _ => seen.clone(),
        }
    }
}

/// The texts of sealed values, for the calls that need them; and the secrets that they are made of,
/// which no message may repeat either.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Vault {
    texts: BTreeMap<Sealed, Secret>,
    secrets: BTreeMap<String, Secret>,
    veils: Veils,
}

/// Which fields hold what variables say, by address: the shape of each, with a seal in place of every
/// text that a variable is part of. A plan is shown with the seals.
pub type Veils = BTreeMap<Address, BTreeMap<String, Json>>;

impl Vault {
    /// Keeps how a field is shown.
    pub fn veil(&mut self, address: &Address, field: &str, veil: Json) {
        self.veils.entry(address.clone()).or_default().insert(field.to_owned(), veil);
    }

    /// How the fields are shown that hold what variables say.
    pub fn veils(&self) -> &Veils {
        &self.veils
    }

    /// Keeps a text.
    pub fn put(&mut self, sealed: Sealed, text: Secret) {
        self.texts.insert(sealed, text);
    }

    /// The secrets, each by itself, that the texts may be made of.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.secrets.values()
    }

    /// The text of a sealed value; none for what is not known.
    pub fn open(&self, sealed: &Sealed) -> Option<&Secret> {
        self.texts.get(sealed)
    }
}

impl fmt::Debug for Vault {
    /// Without the texts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.texts.keys()).finish()
    }
}

/// The variables and secrets of an environment, as far as they are known.
#[derive(Clone, Debug)]
pub struct Inputs {
    variables: BTreeMap<String, String>,
    secrets: BTreeMap<String, Secret>,
    /// Makes sealed values of them.
    pub sealer: Sealer,
}

impl Inputs {
    /// These values; what is missing or empty is not known.
    pub fn new(
        variables: BTreeMap<String, String>,
        secrets: BTreeMap<String, Secret>,
        sealer: Sealer,
    ) -> Self {
        Self { variables, secrets, sealer }
    }

    /// A vault without texts, which knows the secrets.
    pub fn vault(&self) -> Vault {
        Vault { secrets: self.secrets.clone(), ..Vault::default() }
    }

    /// A variable's value.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// A secret's value.
    pub fn secret(&self, name: &str) -> Option<&Secret> {
        self.secrets.get(name)
    }

    /// How a value is shown that holds what variables say; none where it holds nothing of them.
    pub fn veil(&self, value: &Value) -> Option<Json> {
        match value {
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Private(_) | Value::Sealed(_) => {
                None
            }
            Value::Text(text) => {
                let is_variable = |part: &&Part| matches!(part, Part::In(Input::Env(_)));
                let parts: Vec<Part> = text.parts.iter().filter(is_variable).cloned().collect();
                let variables = Text { parts };
                if variables.parts.is_empty() {
                    return None;
                }
                let names = names_of(&variables);
                let sealed = match self.open(&variables) {
                    Some(said) => self.sealer.seal(&names, "", &said),
                    None => Sealed::unknown(&names, ""),
                };
                Some(sealed.to_json())
            }
            Value::List(items) => {
                let veils: Vec<Option<Json>> = items.iter().map(|item| self.veil(item)).collect();
                let any = veils.iter().any(Option::is_some);
                any.then(|| veils.into_iter().map(Option::unwrap_or_default).collect())
            }
            Value::Map(items) => {
                let veil = |(name, item): (&String, &Value)| Some((name.clone(), self.veil(item)?));
                let veils: Map<String, Json> = items.iter().filter_map(veil).collect();
                (!veils.is_empty()).then_some(Json::Object(veils))
            }
        }
    }

    /// The text, where all that it is made of is known by now.
    pub fn open(&self, text: &Text) -> Option<Secret> {
        let text = text.resolve(|part| match part {
            Part::In(Input::Env(name)) => self.variable(name).map(str::to_owned),
            Part::In(Input::Secret(name)) => Some(self.secret(name)?.expose().to_owned()),
            Part::Lit(_) | Part::Out(_) | Part::In(Input::Lease { .. }) => None,
        });
        text.map(Secret::new)
    }

    /// Puts what is known into a value of a field: variables become literals, and private texts are
    /// sealed. What is not known is sealed as that.
    pub fn settle(&self, value: &mut Value, vault: &mut Vault) {
        match value {
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Sealed(_) => {}
            Value::List(items) => items.iter_mut().for_each(|item| self.settle(item, vault)),
            Value::Map(items) => items.values_mut().for_each(|item| self.settle(item, vault)),
            Value::Text(text) => {
                let (mut filled, mut missing) = (Text::default(), Text::default());
                for part in std::mem::take(&mut text.parts) {
                    match &part {
                        Part::In(Input::Env(name)) => match self.variable(name) {
                            Some(value) => filled.push(Part::Lit(value.to_owned())),
                            None => missing.push(part),
                        },
                        Part::Lit(_) | Part::Out(_) | Part::In(_) => filled.push(part),
                    }
                }
                *value = if missing.parts.is_empty() {
                    Value::Text(filled)
                } else {
                    Value::Sealed(Sealed::unknown(&names_of(&missing), "").into())
                };
            }
            Value::Private(text) => {
                let sealed = match self.open(text) {
                    None => Sealed::unknown(&names_of(text), ""),
                    Some(secret) => {
                        let sealed = self.sealer.seal(&names_of(text), "", &secret);
                        vault.put(sealed.clone(), secret);
                        sealed
                    }
                };
                *value = Value::Sealed(sealed.into());
            }
        }
    }
}

/// What a private text is made of, by name: "KEY", "HOST+KEY"; nothing where it is literal.
pub fn names_of(text: &Text) -> String {
    let names: BTreeSet<String> = text.parts.iter().filter_map(name_of).collect();
    names.into_iter().collect::<Vec<_>>().join("+")
}

/// What a piece is called whose value may not be known.
pub(crate) fn name_of(part: &Part) -> Option<String> {
    Some(match part {
        Part::Lit(_) => return None,
        Part::In(Input::Env(name) | Input::Secret(name)) => name.clone(),
        Part::In(Input::Lease { lease, attribute, .. }) => format!("lease.{lease}.{attribute}"),
        Part::Out(reference) => {
            let output = match reference.output {
                Output::Id => "id",
                Output::Name => "name",
                Output::Token => "token",
            };
            format!("{}.{output}", reference.address)
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sealer(project: &str, env: &str) -> Sealer {
        Sealer::new(KeyedDigest::new([7; 32]), project, env)
    }

    #[test]
    fn a_sealed_value_is_written_as_it_is_read() {
        for (part, digest) in [("", None), ("host", None), ("host", Some(Digest::of("x")))] {
            let sealed = Sealed { name: "KEY".into(), part: part.into(), digest };
            let json = sealed.to_json();
            assert_eq!(json, serde_json::to_value(&sealed).unwrap());
            assert_eq!(Sealed::from_json(&json), Some(sealed));
        }
    }

    fn inputs() -> Inputs {
        let secrets = BTreeMap::from([("KEY".to_owned(), Secret::new("wombat"))]);
        let variables = BTreeMap::from([("WHO".to_owned(), "me".to_owned())]);
        Inputs::new(variables, secrets, sealer("p", "e"))
    }

    fn text(parts: &[Part]) -> Text {
        Text { parts: parts.to_vec() }
    }

    fn env(name: &str) -> Part {
        Part::In(Input::Env(name.into()))
    }

    fn secret(name: &str) -> Part {
        Part::In(Input::Secret(name.into()))
    }

    #[test]
    fn variables_become_literals_wherever_they_stand_and_missing_ones_are_told() {
        let inside =
            Value::Text(text(&[Part::Lit("a ".into()), env("WHO"), Part::Lit("!".into())]));
        let missing = Value::Text(text(&[env("WHO"), env("NOBODY")]));
        let mut value = Value::List(vec![inside, Value::Map([("x".into(), missing)].into())]);
        inputs().settle(&mut value, &mut Vault::default());
        let unknown = Value::Sealed(Sealed::unknown("NOBODY", "").into());
        let filled = Value::text("a me!");
        assert_eq!(value, Value::List(vec![filled, Value::Map([("x".into(), unknown)].into())]));
        assert_eq!(value.unknown().into_iter().collect::<Vec<_>>(), ["NOBODY"]);
    }

    #[test]
    fn a_sealed_value_tells_texts_names_parts_and_environments_apart_and_holds_no_text() {
        let (mut vault, inputs) = (Vault::default(), inputs());
        let mut value = Value::Private(text(&[Part::Lit("x-".into()), secret("KEY"), env("WHO")]));
        inputs.settle(&mut value, &mut vault);
        let Value::Sealed(sealed) = &value else { panic!("{value:?}") };
        assert_eq!(sealed.name, "KEY+WHO");
        assert_eq!(vault.open(sealed).unwrap().expose(), "x-wombatme");
        let shown = format!("{value:?} {vault:?} {inputs:?} {}", sealed.to_json());
        assert!(!shown.contains("wombat"), "{shown}");
        assert_eq!(Sealed::from_json(&sealed.to_json()).as_ref(), Some(sealed.as_ref()));

        let one = |sealer: &Sealer, name: &str, part: &str, text: &str| {
            sealer.seal(name, part, &Secret::new(text)).digest.unwrap()
        };
        let here = sealer("p", "e");
        let digest = one(&here, "K", "", "t");
        assert_eq!(digest, one(&here, "K", "", "t"));
        for other in [
            one(&here, "L", "", "t"),
            one(&here, "K", "host", "t"),
            one(&here, "K", "", "u"),
            one(&here, "", "K", "t"),
            one(&sealer("p", "f"), "K", "", "t"),
            one(&sealer("q", "e"), "K", "", "t"),
            one(&Sealer::new(KeyedDigest::new([8; 32]), "p", "e"), "K", "", "t"),
        ] {
            assert_ne!(digest, other);
        }
    }

    #[test]
    fn what_variables_say_is_veiled_wherever_it_stands() {
        let inputs = inputs();
        let said = |parts: &[Part]| inputs.veil(&Value::Text(text(parts)));
        assert_eq!(said(&[Part::Lit("a".into())]), None);
        let seal = |it: Json| Sealed::from_json(&it).unwrap();
        let one = seal(said(&[Part::Lit("a ".into()), env("WHO")]).unwrap());
        assert_eq!((one.name.as_str(), one.digest.is_some()), ("WHO", true));
        // Of a name that is not there nothing is known, and nothing is digested.
        let missing = seal(said(&[env("WHO"), env("NOBODY")]).unwrap());
        assert_eq!((missing.name.as_str(), missing.digest), ("NOBODY+WHO", None));
        let inside = Value::Map([("x".into(), Value::Text(text(&[env("WHO")])))].into());
        let list = Value::List(vec![Value::text("plain"), inside, Value::Int(1)]);
        let veil = inputs.veil(&list).unwrap();
        assert_eq!(
            (&veil[0], &veil[2], veil[1]["x"]["sealed"].as_str()),
            (&Json::Null, &Json::Null, Some("WHO"))
        );
        assert!(!veil.to_string().contains("me"), "{veil}");
    }

    #[test]
    fn a_secret_that_is_not_known_is_sealed_as_that() {
        let (mut vault, inputs) = (Vault::default(), inputs());
        let mut value = Value::Private(text(&[Part::Lit("literal".into()), secret("OTHER")]));
        inputs.settle(&mut value, &mut vault);
        assert_eq!(value, Value::Sealed(Sealed::unknown("OTHER", "").into()));
        assert_eq!(vault, Vault::default());
        assert_eq!(value.unknown().into_iter().collect::<Vec<_>>(), ["OTHER"]);
    }

    #[test]
    fn what_is_seen_is_sealed_where_the_wanted_is() {
        let here = sealer("p", "e");
        let sealed = |part: &str, text: &str| here.seal("URL", part, &Secret::new(text)).to_json();
        let model = json!({ "host": sealed("host", "db"), "port": sealed("port", "5432"), "a": 1 });
        let seen = json!({ "host": "db", "port": 5432, "a": 1, "b": "more" });
        let like = here.like(&model, &seen);
        assert_eq!(like["host"], model["host"]);
        assert_eq!(like["port"], model["port"]);
        assert_eq!((&like["a"], &like["b"]), (&json!(1), &json!("more")));
        let moved = here.like(&model, &json!({ "host": "elsewhere" }));
        assert!(moved["host"] != model["host"] && !moved.to_string().contains("elsewhere"));
        assert_eq!(here.like(&json!([model]), &json!([seen, 2]))[0]["host"], model["host"]);
    }

    #[test]
    fn a_private_text_has_no_form_on_disk() {
        let value = Value::Private(text(&[Part::Lit("wombat".into())]));
        assert!(serde_json::to_string(&value).is_err());
        assert_eq!(value.resolve(&mut |_| Some(String::new())), None);
        assert!(!format!("{value:?}").contains("wombat"));
    }
}
