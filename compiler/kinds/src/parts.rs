//! What several kinds share: common properties, the name rule, the plain desired resource.

use std::{collections::BTreeMap, fmt};

use envc_core::{Address, Desired, Diagnostic, KindId, Mode, Value, counted};
use envc_syntax::{
    Node,
    rule::{ArgRule, EMPTY, LABEL, NodeRule, PropRule, Repeat, Type, optional},
};

use crate::Lower;

/// `name=`: another physical name than `{project}--{name}--{env}`.
pub(crate) const NAME_PROP: PropRule =
    optional("name", Type::NameText, "The physical name in the account.")
        .otherwise("`{project}--NAME--{env}`");

/// `marker #false`: no mark by which envc knows its own.
pub const MARKER: NodeRule = NodeRule {
    name: "marker",
    doc: "Whether envc marks what it makes as its own.",
    notes: &["Without the marker nothing but the record proves that it is envc's."],
    absent: "`#true`",
    example: "marker #false",
    args: &[ArgRule {
        name: "marker",
        ty: Type::Bool,
        required: true,
        doc: "`#false` leaves it out.",
    }],
    repeat: Repeat::Once,
    ..EMPTY
};

/// True unless a node says `marker #false`.
pub fn is_marked(node: &Node) -> bool {
    let said = node.child(MARKER.name).and_then(|marker| marker.args.first()?.as_bool());
    said.unwrap_or(true)
}

/// `id=`: the identifier of an existing resource.
pub(crate) const ID_PROP: PropRule =
    optional("id", Type::Plain, "Stands in `existing` only; here it is an error that says so.")
        .otherwise("envc looks the resource up by its name");

/// A row of `existing`, named by identifier or by name; each kind gives its own name and example.
pub(crate) const EXISTING: NodeRule = NodeRule {
    doc: "A resource that exists: declared outside, and found in the account by what stands here.",
    notes: &["Exactly one of the two properties is given."],
    args: &[LABEL],
    props: &[
        optional("id", Type::Plain, "The API's identifier.").otherwise("found by `name=`"),
        optional("name", Type::Plain, "The name in the account.").otherwise("found by `id=`"),
    ],
    ..EMPTY
};

/// What a physical name of a kind may look like.
pub struct NameRule {
    /// Which characters, in words.
    pub chars: &'static str,
    /// The first character.
    pub(crate) first: fn(char) -> bool,
    /// Every character.
    pub(crate) rest: fn(char) -> bool,
    /// The last character, besides.
    pub(crate) last: fn(char) -> bool,
    /// Fewest characters.
    pub min: usize,
    /// Most characters.
    pub max: usize,
}

impl fmt::Debug for NameRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NameRule({} to {}: {})", self.min, self.max, self.chars)
    }
}

/// What is wrong with a physical name.
#[derive(Debug)]
pub struct NameProblem {
    /// As a clause after "it".
    pub what: String,
    /// What to do.
    pub help: String,
}

/// Names that may hold anything that can be printed; each kind sets its own `max`.
pub(crate) const PRINTABLE: NameRule = NameRule {
    chars: "any characters but control characters",
    first: |c| !c.is_control(),
    rest: |c| !c.is_control(),
    last: |_| true,
    min: 1,
    max: 0,
};

/// Names that are a DNS label: 63 characters at the most.
pub(crate) const DNS_LABEL: NameRule = NameRule {
    chars: "lower-case letters, digits and -, with a letter or a digit at both ends",
    first: |c| c.is_ascii_lowercase() || c.is_ascii_digit(),
    rest: |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-',
    last: |c| c != '-',
    min: 1,
    max: 63,
};

impl NameRule {
    /// True for a name that it lets pass.
    pub fn allows(&self, name: &str) -> bool {
        self.problem(name).is_none()
    }

    /// Characters of a name, where they are more than it allows.
    pub fn too_many(&self, name: &str) -> Option<usize> {
        Some(name.chars().count()).filter(|length| *length > self.max)
    }

    /// What is wrong with a name, or nothing.
    pub fn problem(&self, name: &str) -> Option<NameProblem> {
        let length = name.chars().count();
        if length < self.min || length > self.max {
            let what = format!(
                "has {}, and {} to {} are allowed",
                counted(length, "character"),
                self.min,
                self.max
            );
            let help = "write a name of another length".to_owned();
            return Some(NameProblem { what, help });
        }
        let good = name.chars().next().is_some_and(self.first)
            && name.chars().all(self.rest)
            && name.chars().last().is_some_and(self.last);
        let help = "write another name, or set `name=`, such as name=\"{project}-other-{env}\"";
        (!good).then(|| NameProblem {
            what: format!("may hold {}", self.chars),
            help: help.to_owned(),
        })
    }
}

/// Reports a physical name that its kind does not take. `of` is what it is the name of.
pub(crate) fn check_name(name: &str, node: &Node, cx: &mut dyn Lower, rule: &NameRule, of: &str) {
    let span = node.prop("name").map_or(node.label_span(), |scalar| scalar.span);
    let problem = match rule.too_many(name) {
        Some(length) => Some(cx.too_long(node, length, rule.max)),
        None => rule.problem(name),
    };
    if let Some(problem) = problem.filter(|_| !name.is_empty()) {
        let message = format!("`{name}` cannot be the name of {of}: it {}", problem.what);
        cx.report(
            Diagnostic::error("envc::spec::bad_name", span, message)
                .at("gives that name")
                .help(problem.help),
        );
    }
}

/// The desired resource of a node with a declared name, its physical name checked.
pub(crate) fn managed(kind: KindId, node: &Node, cx: &mut dyn Lower, rule: &NameRule) -> Desired {
    let name = cx.physical_name(node);
    check_name(&name, node, cx, rule, &format!("this {}", crate::kind(kind).noun()));
    Desired {
        address: Address::new(kind, node.label().unwrap_or_default()),
        name,
        default_name: node.prop("name").is_none(),
        mode: Mode::Managed,
        protect: cx.protected(),
        fields: BTreeMap::new(),
        zone: None,
        parent: None,
        span: node.label_span(),
    }
}

/// Sets a field from a property of the same name, when it is there.
pub(crate) fn set_text(desired: &mut Desired, node: &Node, cx: &mut dyn Lower, name: &str) {
    if let Some(scalar) = node.prop(name) {
        let text = cx.text(scalar);
        desired.fields.insert(name.to_owned(), Value::Text(text));
    }
}
