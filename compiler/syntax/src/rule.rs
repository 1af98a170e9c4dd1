//! The grammar as data: which nodes, arguments, flags, properties and children there are.
//!
//! One table serves the checker, the reference and editors, so they cannot disagree.

/// What a node may look like.
#[derive(Debug)]
pub struct NodeRule {
    /// The node's name; `*` is any name (the keys of a `dotenv`).
    pub name: &'static str,
    /// One or two sentences for people.
    pub doc: &'static str,
    /// What else the reference tells of it: whole sentences, each its own paragraph.
    pub notes: &'static [&'static str],
    /// What holds when the node is not there; empty where there is nothing to say.
    pub absent: &'static str,
    /// A line or block that is right.
    pub example: &'static str,
    /// Positional arguments, in order; optional ones last.
    pub args: &'static [ArgRule],
    /// Bare words that may follow the arguments.
    pub flags: &'static [FlagRule],
    /// Properties.
    pub props: &'static [PropRule],
    /// Child nodes.
    pub children: &'static [&'static Self],
    /// How often it may stand beside its siblings.
    pub repeat: Repeat,
    /// The last argument may be given any number of times.
    pub variadic: bool,
}

/// How often a node may stand in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// At most once.
    Once,
    /// Once for each first argument; a second one with the same argument is a duplicate.
    PerLabel,
    /// Any number of times; nameless children merge as a set.
    Many,
}

/// A positional argument.
#[derive(Debug)]
pub struct ArgRule {
    /// What it is called in messages.
    pub name: &'static str,
    /// What it may hold.
    pub ty: Type,
    /// Must it be there?
    pub required: bool,
    /// For people.
    pub doc: &'static str,
}

/// A bare word.
#[derive(Debug)]
pub struct FlagRule {
    /// The word.
    pub name: &'static str,
    /// For people.
    pub doc: &'static str,
}

/// A property.
#[derive(Debug)]
pub struct PropRule {
    /// Its name.
    pub name: &'static str,
    /// What it may hold.
    pub ty: Type,
    /// Must it be there?
    pub required: bool,
    /// What holds when it is left out; every property that may be left out says so.
    pub default: Option<Omitted>,
    /// For people.
    pub doc: &'static str,
}

/// What holds when a property is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Omitted {
    /// The same as if this stood there, written as KDL.
    Value(&'static str),
    /// What these words say.
    Words(&'static str),
}

impl PropRule {
    /// Left out, it means the same as this value, written as KDL: `"0644"`, `20`.
    #[must_use]
    pub const fn default(self, kdl: &'static str) -> Self {
        Self { default: Some(Omitted::Value(kdl)), ..self }
    }

    /// Left out, it means what these words say.
    #[must_use]
    pub const fn otherwise(self, words: &'static str) -> Self {
        Self { default: Some(Omitted::Words(words)), ..self }
    }
}

/// What a value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Text with references, into a place that others can see.
    Text,
    /// Text with references, into a private place: secrets may flow there.
    PrivateText,
    /// Text whose references must be known before anything exists: names, hosts, identities.
    NameText,
    /// Text as it stands: no references.
    Plain,
    /// A declared name: `[a-z0-9]`, `-` and `_` inside, at most 63 characters.
    Label,
    /// Upper or lower case letters, digits and `_`, not starting with a digit: a binding or a
    /// variable.
    Identifier,
    /// A path below the project's folder, `/` between its parts.
    Path,
    /// The declared name of a resource of this kind.
    Resource(&'static str),
    /// `#true` or `#false`.
    Bool,
    /// A whole number within these bounds, both included.
    Int(i64, i64),
    /// `"14d"`, `"90s"`.
    Duration,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// `(secret)"NAME"` or `(env)"NAME"`.
    Credential,
    /// A range of ports such as `3000-3999`, or one port.
    Ports,
    /// `YYYY-MM-DD`
    Date,
    /// An address with https, or with http on this machine.
    Url,
    /// What is required of a tool's version: `>=22`, `^3.1`, `>=1.2, <2`.
    Version,
}

impl Type {
    /// What to write, in a few words.
    pub fn expected(self) -> String {
        match self {
            Self::Text | Self::PrivateText | Self::NameText | Self::Plain => "text".into(),
            Self::Label => "a name such as \"webapp\"".into(),
            Self::Identifier => "an identifier such as \"DB\"".into(),
            Self::Path => "a path such as \"apps/webapp\"".into(),
            Self::Resource(kind) => format!("the name of a {kind}"),
            Self::Bool => "#true or #false".into(),
            Self::Int(min, max) => format!("a whole number from {min} to {max}"),
            Self::Duration => "a duration such as \"14d\" or \"90s\"".into(),
            Self::OneOf(words) => format!("one of {}", words.join(", ")),
            Self::Credential => "(secret)\"NAME\" or (env)\"NAME\"".into(),
            Self::Ports => "a range of ports such as \"3000-3999\"".into(),
            Self::Date => "a date such as \"2026-11-01\"".into(),
            Self::Url => "an address such as \"https://edge.example.com\"".into(),
            Self::Version => "a version such as \">=22\"".into(),
        }
    }
}

/// A rule without anything, to be filled with `..EMPTY`.
pub const EMPTY: NodeRule = NodeRule {
    name: "",
    doc: "",
    notes: &[],
    absent: "",
    example: "",
    args: &[],
    flags: &[],
    props: &[],
    children: &[],
    repeat: Repeat::PerLabel,
    variadic: false,
};

/// The declared name that most nodes begin with.
pub const LABEL: ArgRule = ArgRule {
    name: "name",
    ty: Type::Label,
    required: true,
    doc: "The name that the rest of the spec refers to.",
};

/// A property that may be left out: `default` or `otherwise` say what holds then.
pub const fn optional(name: &'static str, ty: Type, doc: &'static str) -> PropRule {
    PropRule { name, ty, required: false, default: None, doc }
}

/// A property that must be there.
pub const fn required(name: &'static str, ty: Type, doc: &'static str) -> PropRule {
    PropRule { name, ty, required: true, default: None, doc }
}
