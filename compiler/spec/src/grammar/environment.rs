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
    notes: &[
        "At least one is needed, and each needs an `identity`, its own or an inherited one.",
        "`extends=` inherits everything but `default`, `when` and `protect`. Types may not extend one another in a cycle.",
    ],
    example: "environment \"local\" default { identity branch max-length=20 unique }",
    args: &[LABEL],
    flags: &[FlagRule { name: "default", doc: "Chosen when nothing else is." }],
    props: &[optional("extends", Type::Label, "The type whose block this one continues.")
        .otherwise("only what stands outside")],
    ..EMPTY
};

/// `identity "production"`, `identity branch max-length=20 unique`
pub(super) const IDENTITY: NodeRule = NodeRule {
    name: "identity",
    doc: "Where the environment's ID comes from: fixed text, or the git branch.",
    notes: &[
        "Fixed text may hold `{env.pr}`: then every pull request has an environment of its own.",
        "From a branch: lower case, a-z, 0-9 and dashes; `Fix/Login` gives `fix-login`. Where git's head is detached, the forge's variables name the branch: `GITHUB_HEAD_REF`, `GITHUB_REF_NAME`, `CI_COMMIT_REF_NAME`. No branch gives `detached`.",
        "`unique` adds a dash and ten characters of time and randomness, once: the ID is recorded for the working copy.",
        "Without `unique` the ID is always that of the branch of today: another branch is another environment, also in a folder that is bound to one. Two working copies on one branch share an environment, and two branches never do: a branch that was changed or cut for the ID adds a dash and eight characters of a digest of its whole name. `max-length=` is at least 12 then.",
        "An ID has at most 40 characters, those of `unique` among them, and no two types may give the same one.",
    ],
    example: "identity branch max-length=20 unique",
    args: &[ArgRule {
        name: "identity",
        ty: Type::NameText,
        required: true,
        doc: "Text in quotes, or the bare word `branch`.",
    }],
    flags: &[FlagRule { name: "unique", doc: "Of a branch: adds time and randomness to it." }],
    props: &[optional(
        "max-length",
        Type::Int(1, 40),
        "Of a branch: the most characters that it may give; with `unique` at most 29.",
    )
    .default("20")],
    repeat: Repeat::Once,
    ..EMPTY
};

/// `when worktree`
pub(super) const WHEN: NodeRule = NodeRule {
    name: "when",
    doc: "When the type is chosen by itself.",
    notes: &["Not inherited by `extends=`. Where both conditions hold, `pr` wins."],
    absent: "The type is chosen by name, by `ENVC_ENV`, or as the `default`.",
    example: "when worktree",
    args: &[ArgRule {
        name: "condition",
        ty: Type::OneOf(&["worktree", "pr"]),
        required: true,
        doc: "`worktree`: in a linked git worktree. `pr`: when `--pr` names a pull request.",
    }],
    repeat: Repeat::Once,
    ..EMPTY
};

/// `ttl "14d"`
pub(super) const TTL: NodeRule = NodeRule {
    name: "ttl",
    doc: "How long an environment lives after its last apply.",
    notes: &["Read and recorded; nothing collects what has outlived it yet."],
    absent: "It lives until it is destroyed.",
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
    notes: &[
        "Not inherited by `extends=`: a type that extends production is not production.",
        "Where the spec has other types, an apply from a developer's folder writes no files there and does not bind the folder, unless it says so: `--out-dir DIR` writes them elsewhere, `--rebind` binds. In CI it writes and binds.",
        "`--unprotect ADDRESS` of `plan` and `apply` lets exactly this resource be deleted or replaced, in that one run; it is asked for all the same. What waits for a live Worker is named in each run until it is gone. `destroy` takes all, and is refused while `protect` stands here.",
    ],
    absent: "Only what loses data is asked for.",
    example: "protect",
    repeat: Repeat::Once,
    ..EMPTY
};

/// `migrate manual`
pub(super) const MIGRATE: NodeRule = NodeRule {
    name: "migrate",
    doc: "When migrations run.",
    absent: "`auto`",
    example: "migrate manual",
    args: &[ArgRule {
        name: "mode",
        ty: Type::OneOf(&["auto", "manual"]),
        required: true,
        doc: "`auto`: with every apply. `manual`: only by `envc migrate apply`; plan and apply mention what is pending.",
    }],
    repeat: Repeat::Once,
    ..EMPTY
};

/// `existing all { d1 "webapp" id="…" }`
pub(super) const EXISTING: NodeRule = NodeRule {
    name: "existing",
    doc: "Resources that are read and bound to, never created, changed or deleted.",
    notes: &[
        "Each row names a resource that is declared outside, by what the account calls it.",
        "A developer's folder gets the files of a type that has it as those of one with `protect`: when asked to. Not so for a type that a folder gets by itself, because its identity is `branch`, it is the `default`, or its `when` is `worktree`.",
    ],
    absent: "Every resource is created.",
    example: "existing all { d1 \"webapp\" id=\"0b0f1d2e-5c7a-4f0e-9d2b-3a1f6c8e7d10\" }",
    flags: &[FlagRule {
        name: "all",
        doc: "What holds data and is not listed is an error, so that none of it is created by mistake.",
    }],
    repeat: Repeat::Once,
    ..EMPTY
};

/// `without tunnel "dev"`
pub(super) const WITHOUT: NodeRule = NodeRule {
    name: "without",
    doc: "Drops something that stands outside the block.",
    notes: &[
        "Within a block it works before the other nodes do: what it drops can be declared anew.",
        "What refers to a dropped node is an error, unless the type overrides it.",
    ],
    example: "without tunnel \"dev\"",
    args: &[
        ArgRule {
            name: "kind",
            ty: Type::Plain,
            required: true,
            doc: "The node's name, such as `tunnel`.",
        },
        ArgRule { name: "name", ty: Type::Plain, required: true, doc: "Its declared name." },
    ],
    repeat: Repeat::Many,
    ..EMPTY
};

/// `let webapp-url "https://{zone}"`
pub(super) const LET: NodeRule = NodeRule {
    name: "let",
    doc: "A text with a name, referred to as `{let.NAME}`.",
    notes: &[
        "It may hold anything. Where it is used decides what it may hold: in a host only what a host may, in a `var` no secret.",
        "`let`s may refer to one another, at most 64 deep, and not in a cycle.",
    ],
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
    notes: &[
        "`{lease.NAME.id}` is its ID, `{lease.NAME.ATTRIBUTE}` anything else that the pool knows of it: a secret, unless the pool says `public=`.",
        "It is taken before anything is created, renewed by every apply, and given back last of all by destroy.",
        "An environment holds one preview ID of each pool: two leases of one pool are two names of it.",
    ],
    example: "lease \"preview\" pool=\"previews\"",
    args: &[LABEL],
    props: &[required("pool", Type::Label, "The pool that the edge declares.")],
    ..EMPTY
};

/// `dev "remote"`
pub(crate) const DEV: NodeRule = NodeRule {
    name: "dev",
    doc: "Whether `wrangler dev` works on what was provisioned or on its own local copies.",
    notes: &[
        "On the local cloud it is always `local`. Elsewhere a type that has `protect`, or an `existing` resource, is `local` where the spec does not say otherwise, so that nobody works on production by accident.",
        "Where it is `local`, apply migrates wrangler's local copy of each database that a Worker is bound to, and runs its `seed` there: with the project's own wrangler (`node_modules/.bin` of the Worker's folder or of one above it, else the `PATH`), and only where something changed. A missing or failing wrangler is told, and fails nothing. In CI this is done on the local cloud alone.",
        "All Workers share one folder of local copies. Where each Worker looks by itself, in `.wrangler/state` beside its `wrangler.jsonc`, apply makes a link to it; what is there already stays, and apply tells how to run `wrangler dev` then.",
    ],
    absent: "`remote`, or `local` with `protect` or `existing`",
    example: "dev \"local\" persist=\".wrangler-state\"",
    args: &[ArgRule {
        name: "where",
        ty: Type::OneOf(&["remote", "local"]),
        required: false,
        doc: "`remote`: bindings get `remote: true`. `local`: they do not.",
    }],
    props: &[optional(
        "persist",
        Type::Path,
        "The folder of wrangler's local copies, as `--persist-to` takes it; git has to ignore it.",
    )
    .otherwise("`.wrangler/state` of the Worker's folder, or `.envc/wrangler` where several folders have a Worker")],
    repeat: Repeat::Once,
    ..EMPTY
};

const _: () = assert!(limits::ID_CHARS_MAX == 40, "the bounds of max-length are the ID's");
