//! What a value can be, in words.

use envc_core::limits;
use envc_syntax::rule::Type;
use serde::Serialize;

/// The type of one argument or property.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ValueType {
    /// The word that [`TypeDoc`] explains.
    #[serde(rename = "is")]
    pub word: &'static str,
    /// The node whose declared name it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<&'static str>,
    /// Lowest number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// Highest number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
    /// The possible words.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub choices: &'static [&'static str],
}

/// What a type takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TypeDoc {
    /// The word.
    pub word: &'static str,
    /// What it takes, a sentence.
    pub doc: String,
    /// A value of it, written as KDL.
    pub example: &'static str,
    /// May it hold `{references}`?
    pub references: bool,
    /// May a secret stand in it?
    pub secrets: bool,
}

/// One type of each form, for the list of all.
const ALL: [Type; 17] = [
    Type::NameText,
    Type::Text,
    Type::PrivateText,
    Type::Plain,
    Type::Label,
    Type::Resource(""),
    Type::Identifier,
    Type::Path,
    Type::Int(0, 0),
    Type::Bool,
    Type::OneOf(&[]),
    Type::Duration,
    Type::Date,
    Type::Ports,
    Type::Url,
    Type::Version,
    Type::Credential,
];

/// A type in words.
pub(super) fn value_type(ty: Type) -> ValueType {
    let mut out = ValueType { word: word(ty), of: None, min: None, max: None, choices: &[] };
    if let Type::Resource(kind) = ty {
        out.of = Some(kind);
    }
    if let Type::Int(min, max) = ty {
        (out.min, out.max) = (Some(min), Some(max));
    }
    if let Type::OneOf(choices) = ty {
        out.choices = choices;
    }
    out
}

/// All types, in the order in which they are explained.
pub(super) fn types() -> Vec<TypeDoc> {
    let of = |ty: Type| TypeDoc {
        word: word(ty),
        doc: doc(ty),
        example: example(ty),
        references: matches!(ty, Type::Text | Type::PrivateText | Type::NameText),
        secrets: matches!(ty, Type::PrivateText | Type::Credential),
    };
    ALL.into_iter().map(of).collect()
}

fn word(ty: Type) -> &'static str {
    match ty {
        Type::Text => "text",
        Type::PrivateText => "private text",
        Type::NameText => "name text",
        Type::Plain => "plain text",
        Type::Label => "name",
        Type::Identifier => "identifier",
        Type::Path => "path",
        Type::Resource(_) => "name of a node",
        Type::Bool => "truth value",
        Type::Int(..) => "number",
        Type::Duration => "duration",
        Type::OneOf(_) => "choice",
        Type::Credential => "credential",
        Type::Ports => "ports",
        Type::Date => "date",
        Type::Url => "address",
        Type::Version => "version",
    }
}

fn doc(ty: Type) -> String {
    match ty {
        Type::NameText => "Text that is known before anything exists: a name, a host, an identity. Only references that are known by then.".into(),
        Type::Text => "Text that others can see, in the account or in a configuration. Any reference but a secret one.".into(),
        Type::PrivateText => "Text, a whole number or a truth value for a private place. Any reference, and secrets.".into(),
        Type::Plain => "Text as it stands: braces mean nothing in it.".into(),
        Type::Label => format!(
            "A declared name: a-z, 0-9, `-` and `_`, beginning with a letter or a digit, at most {} characters.",
            limits::DECLARED_NAME_CHARS_MAX
        ),
        Type::Resource(_) => "The declared name of a node of that kind, which the type must have.".into(),
        Type::Identifier => "Letters, digits and `_`, not beginning with a digit: a binding, a variable, a class.".into(),
        Type::Path => "A path below the spec's folder, `/` between its parts, without `..` and without references; it may be `.`.".into(),
        Type::Int(..) => "A whole number within bounds, both included.".into(),
        Type::Bool => "A truth value; KDL 2 writes it with a number sign.".into(),
        Type::OneOf(_) => "One of the words that are listed, with quotes or without.".into(),
        Type::Duration => "A whole number above 0 and `s`, `m`, `h` or `d`.".into(),
        Type::Date => "Year, month and day.".into(),
        Type::Url => "An address with https; with http only on this machine.".into(),
        Type::Version => "What a version must be: `>=22`, `^3.1`, `>=1.2, <2`, `22`.".into(),
        Type::Ports => "A range of ports, both included, or a single one: 1 to 65535.".into(),
        Type::Credential => "A secret by name, or a variable of envc's own process; never the secret itself.".into(),
    }
}

fn example(ty: Type) -> &'static str {
    match ty {
        Type::NameText => "\"{env}-api\"",
        Type::Text => "\"{url.web}/api\"",
        Type::PrivateText => "\"{tunnel.dev.token}\"",
        Type::Plain => "\"nodejs_compat\"",
        Type::Label => "\"webapp\"",
        Type::Resource(_) => "\"jobs\"",
        Type::Identifier => "\"AUTH_SECRET\"",
        Type::Path => "\"apps/webapp\"",
        Type::Int(..) => "10",
        Type::Bool => "#true",
        Type::OneOf(_) => "\"manual\"",
        Type::Duration => "\"14d\"",
        Type::Date => "\"2026-11-01\"",
        Type::Url => "\"https://edge.example.com\"",
        Type::Version => "\">=22\"",
        Type::Ports => "\"3000-3999\"",
        Type::Credential => "(secret)\"EDGE_TOKEN\"",
    }
}
