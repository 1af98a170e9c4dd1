//! `environment` and what only it may hold; `let`, `lease`, `dev`.

use envc_core::limits;
use envc_syntax::rule::{
    ArgRule, EMPTY, FlagRule, LABEL, NodeRule, Repeat, Type, optional, required,
};

/// The bare word of an identity that comes from the git branch.
pub(crate) const IDENTITY_WORD: &str = "branch";

/// `environment "local" default { … }`
pub(super) const ENVIRONMENT: NodeRule = NodeRule {
    name: "environment",
    doc: "A type of environment. What stands in it merges with what stands outside.",
    example: "environment \"local\" default { identity branch max-length=20 unique }",
    args: &[LABEL],
    flags: &[FlagRule { name: "default", doc: "Chosen when nothing else is." }],
    props: &[optional("extends", Type::Label, "The type whose block this one continues.")],
    ..EMPTY
};

/// `identity "production"`, `identity branch max-length=20 unique`
pub(super) const IDENTITY: NodeRule = NodeRule {
    name: "identity",
    doc: "Where the environment's ID comes from: fixed text, or the git branch.",
    example: "identity branch max-length=20 unique",
    args: &[ArgRule {
        name: "identity",
        ty: Type::NameText,
        required: true,
        doc: "Text in quotes, or the word branch.",
    }],
    flags: &[FlagRule { name: "unique", doc: "Adds time and chance to the branch." }],
    props: &[optional(
        "max-length",
        Type::Int(1, 40),
        "The most characters that the branch may give; 20 when left out.",
    )],
    repeat: Repeat::Once,
    ..EMPTY
};

/// `when worktree`
pub(super) const WHEN: NodeRule = NodeRule {
    name: "when",
    doc: "When the type is chosen by itself.",
    example: "when worktree",
    args: &[ArgRule {
        name: "condition",
        ty: Type::OneOf(&["worktree", "pr"]),
        required: true,
        doc: "In a linked git worktree, or when a pull request is named.",
    }],
    repeat: Repeat::Once,
    ..EMPTY
};

/// `ttl "14d"`
pub(super) const TTL: NodeRule = NodeRule {
    name: "ttl",
    doc: "How long an environment lives after its last apply.",
    example: "ttl \"14d\"",
    args: &[ArgRule {
        name: "duration",
        ty: Type::Duration,
        required: true,
        doc: "A whole number and s, m, h or d.",
    }],
    repeat: Repeat::Once,
    ..EMPTY
};

/// `protect`
pub(super) const PROTECT: NodeRule = NodeRule {
    name: "protect",
    doc: "Refuses delete and replace; changes are approved.",
    example: "protect",
    repeat: Repeat::Once,
    ..EMPTY
};

/// `migrate manual`
pub(super) const MIGRATE: NodeRule = NodeRule {
    name: "migrate",
    doc: "When migrations run.",
    example: "migrate manual",
    args: &[ArgRule {
        name: "mode",
        ty: Type::OneOf(&["auto", "manual"]),
        required: true,
        doc: "With every apply, or only by envc migrate apply.",
    }],
    repeat: Repeat::Once,
    ..EMPTY
};

/// `existing all { d1 "webapp" id="…" }`
pub(super) const EXISTING: NodeRule = NodeRule {
    name: "existing",
    doc: "Resources that are read and bound to, never created, changed or deleted.",
    example: "existing all { d1 \"webapp\" id=\"0b0f1d2e-0000-4000-8000-000000000000\" }",
    flags: &[FlagRule { name: "all", doc: "A store that is not listed is an error." }],
    repeat: Repeat::Once,
    ..EMPTY
};

/// `without tunnel "dev"`
pub(super) const WITHOUT: NodeRule = NodeRule {
    name: "without",
    doc: "Drops something that stands outside the block.",
    example: "without tunnel \"dev\"",
    args: &[
        ArgRule { name: "kind", ty: Type::Plain, required: true, doc: "The node's kind." },
        ArgRule { name: "name", ty: Type::Plain, required: true, doc: "Its name." },
    ],
    repeat: Repeat::Many,
    ..EMPTY
};

/// `let webapp-url "https://{zone}"`
pub(super) const LET: NodeRule = NodeRule {
    name: "let",
    doc: "A text with a name, referred to as {let.NAME}.",
    example: "let webapp-url \"https://{zone}\"",
    args: &[
        LABEL,
        ArgRule { name: "value", ty: Type::PrivateText, required: true, doc: "The text." },
    ],
    ..EMPTY
};

/// `lease "preview" pool="previews"`
pub(super) const LEASE: NodeRule = NodeRule {
    name: "lease",
    doc: "A preview ID held from a pool of the edge.",
    example: "lease \"preview\" pool=\"previews\"",
    args: &[LABEL],
    props: &[required("pool", Type::Label, "The pool that the edge declares.")],
    ..EMPTY
};

/// `dev "remote"`
pub(super) const DEV: NodeRule = NodeRule {
    name: "dev",
    doc: "Whether wrangler dev works on what was provisioned or on its own local copies.",
    example: "dev \"remote\"",
    args: &[ArgRule {
        name: "where",
        ty: Type::OneOf(&["remote", "local"]),
        required: true,
        doc: "remote (default on Cloudflare) or local.",
    }],
    repeat: Repeat::Once,
    ..EMPTY
};

const _: () = assert!(limits::ID_CHARS_MAX == 40, "the bounds of max-length are the ID's");
