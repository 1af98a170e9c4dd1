//! The tree that everything downstream reads: nodes with spans, without formatting.

use envc_core::{Span, Spanned};

/// A parsed spec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// The top-level nodes, in order.
    pub nodes: Vec<Node>,
}

/// `name arg… prop=value… { child… }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The node's name.
    pub name: Spanned<String>,
    /// Its arguments, in order. Flags are bare arguments.
    pub args: Vec<Scalar>,
    /// Its properties, in the order written.
    pub props: Vec<Prop>,
    /// Its children, in order.
    pub children: Vec<Self>,
    /// The whole node, children included.
    pub span: Span,
    /// The environment type whose block contributed the node, when merging made it differ from
    /// the top level; `None` for what stands outside every block.
    pub origin: Option<String>,
}

/// `name=value`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prop {
    /// The property's name.
    pub name: Spanned<String>,
    /// Its value.
    pub value: Scalar,
}

/// A value with its annotation: `(secret)"NAME"`, `#true`, `10`, `"{env}-x"`, `proxied`.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    /// The type annotation in parentheses.
    pub tag: Option<Spanned<String>>,
    /// The value.
    pub value: ScalarValue,
    /// Where it stands, annotation included.
    pub span: Span,
}

impl Eq for Scalar {}

/// What a scalar holds.
#[derive(Clone, Debug, PartialEq)]
pub enum ScalarValue {
    /// Text. A raw string (`#"…"#`) does not interpolate; `bare` text was written without quotes.
    Text {
        /// The characters, escapes resolved.
        text: String,
        /// Written as a raw string.
        raw: bool,
        /// Written without quotes.
        bare: bool,
    },
    /// A whole number.
    Int(i128),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// `#true` or `#false`.
    Bool(bool),
    /// `#null`.
    Null,
}

impl Prop {
    /// Where it stands, from its name to the end of its value.
    pub fn span(&self) -> Span {
        Span::new(self.name.span.start, self.value.span.end)
    }
}

impl Scalar {
    /// The text, when it is one.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            ScalarValue::Text { text, .. } => Some(text),
            ScalarValue::Int(_)
            | ScalarValue::Float(_)
            | ScalarValue::Bool(_)
            | ScalarValue::Null => None,
        }
    }

    /// The whole number, when it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self.value {
            ScalarValue::Int(number) => i64::try_from(number).ok(),
            ScalarValue::Text { .. }
            | ScalarValue::Float(_)
            | ScalarValue::Bool(_)
            | ScalarValue::Null => None,
        }
    }

    /// The truth value, when it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.value {
            ScalarValue::Bool(flag) => Some(flag),
            ScalarValue::Text { .. }
            | ScalarValue::Int(_)
            | ScalarValue::Float(_)
            | ScalarValue::Null => None,
        }
    }

    /// The annotation's text: `secret`, `env`.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_ref().map(|tag| tag.value.as_str())
    }
}

impl Node {
    /// The first argument that is text and not a flag: the declared name of most nodes.
    pub fn label(&self) -> Option<&str> {
        self.args.first().and_then(Scalar::as_text)
    }

    /// The place of the declared name, or of the node's own name.
    pub fn label_span(&self) -> Span {
        self.args.first().map_or(self.name.span, |arg| arg.span)
    }

    /// The value of a property; the last one wins where it is repeated.
    pub fn prop(&self, name: &str) -> Option<&Scalar> {
        self.prop_entry(name).map(|prop| &prop.value)
    }

    /// A property with its name; the last one where it is repeated.
    pub fn prop_entry(&self, name: &str) -> Option<&Prop> {
        self.props.iter().rev().find(|prop| prop.name.value == name)
    }

    /// A flag: where this word stands among the arguments.
    pub fn flag(&self, word: &str) -> Option<&Scalar> {
        self.args.iter().find(|arg| arg.tag.is_none() && arg.as_text() == Some(word))
    }

    /// True when this word stands among the arguments.
    pub fn has_flag(&self, word: &str) -> bool {
        self.flag(word).is_some()
    }

    /// The children of one name, in order.
    pub fn children_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name.value == name)
    }

    /// The first child of one name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name.value == name)
    }
}
