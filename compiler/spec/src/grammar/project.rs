//! `project`, `require`, `edge`, `secrets`: what the whole spec shares.

use envc_syntax::rule::{
    ArgRule, EMPTY, FlagRule, LABEL, NodeRule, Repeat, Type, optional, required,
};

/// `project "eventuall" { zone "eventuall.live" }`
pub(super) const PROJECT: NodeRule = NodeRule {
    name: "project",
    doc: "Names the project. Its name is part of every physical name.",
    notes: &[
        "A spec has exactly one.",
        "Neither the name nor the short form holds `--`, and none is `xn`; of two characters none is where a Worker is on workers.dev.",
        "Two repositories may name a project alike: what one of them recorded, marked or claims in an account is refused to the other. Without an `id` and without an `origin` on a host the folder stands for its repository.",
    ],
    example: "project \"eventuall\" { zone \"eventuall.live\" }",
    args: &[LABEL],
    props: &[optional(
        "short",
        Type::Label,
        "Takes the project's place in names, where those get too long.",
    )
    .otherwise("the project's name"),
    optional(
        "id",
        Type::Plain,
        "The repository that the project is of, for what is recorded and claimed. Of a repository that was renamed or moved it is the name that it had, such as \"github.com/acme/shop\".",
    )
    .otherwise("what git calls `origin`, as host/owner/name")],
    children: &[&ZONE, &STATE],
    repeat: Repeat::Once,
    ..EMPTY
};

const ZONE: NodeRule = NodeRule {
    name: "zone",
    doc: "The DNS zone in which hosts are made.",
    absent: "No `dns`, no `ingress`, no `route`, no `domain` and no `{zone}`.",
    example: "zone \"eventuall.live\"",
    args: &[ArgRule {
        name: "zone",
        ty: Type::Plain,
        required: true,
        doc: "The zone's domain name; with letters beyond ASCII in either spelling, `bücher.example` or `xn--bcher-kva.example`.",
    }],
    repeat: Repeat::Once,
    ..EMPTY
};

const STATE: NodeRule = NodeRule {
    name: "state",
    doc: "Where the record of what was created is kept.",
    notes: &[
        "`edge` needs an `edge` node, and a token with the scope `state`: machines then share what is recorded, one apply works at a time, and the lock of one that was killed runs out within a minute.",
        "On the local cloud the state stays in the user's state directory.",
        "`r2` is checked, and refused by apply: it is not there yet.",
    ],
    absent: "`local`",
    example: "state \"r2\" bucket=\"vibechecc-state\"",
    args: &[ArgRule {
        name: "store",
        ty: Type::OneOf(&["local", "r2", "edge"]),
        required: true,
        doc: "`local`: the user's state directory. `r2`: a bucket. `edge`: the edge Worker.",
    }],
    props: &[optional(
        "bucket",
        Type::Plain,
        "The bucket of the `r2` store; needed there, and only there.",
    )
    .otherwise("no bucket")],
    repeat: Repeat::Once,
    ..EMPTY
};

/// `require "node" version=">=22" optional`
pub(super) const REQUIRE: NodeRule = NodeRule {
    name: "require",
    doc: "A tool that must be installed. It is looked for before anything is done.",
    example: "require \"node\" version=\">=22\" optional",
    args: &[ArgRule { name: "tool", ty: Type::Label, required: true, doc: "The command's name." }],
    flags: &[FlagRule { name: "optional", doc: "When it is not there, that is said and skipped." }],
    props: &[
        optional(
            "version",
            Type::Version,
            "What `TOOL --version` must say: \">=22\", \"^3.1\", \">=1.2, <2\".",
        )
        .otherwise("any version"),
        optional("cloud", Type::OneOf(&["cloudflare", "local"]), "Needed only on this cloud.")
            .otherwise("needed on every cloud"),
    ],
    ..EMPTY
};

/// `edge "https://edge.eventuall.live" token=(secret)"EDGE_TOKEN" { … }`
pub(super) const EDGE: NodeRule = NodeRule {
    name: "edge",
    doc: "The edge Worker that holds the pool of preview IDs, status and shared state.",
    notes: &[
        "On Cloudflare, apply and destroy report the environment to its registry: type, owner, branch, URLs, resources, time to live and how it ended. A report that fails is a warning.",
        "On the local cloud nothing is reported, and the token is not asked for.",
    ],
    example: "edge \"https://edge.example.com\" token=(secret)\"EDGE_TOKEN\" { pool \"previews\" }",
    args: &[ArgRule { name: "url", ty: Type::Url, required: true, doc: "The Worker's address." }],
    props: &[required("token", Type::Credential, "The token of its API.")],
    children: &[&POOL],
    repeat: Repeat::Once,
    ..EMPTY
};

const POOL: NodeRule = NodeRule {
    name: "pool",
    doc: "A pool of preview IDs.",
    example: "pool \"previews\" public=\"livekit-project mux-environment\"",
    args: &[LABEL],
    props: &[optional(
        "public",
        Type::Plain,
        "The attributes that are no secrets, separated by spaces.",
    )
    .otherwise("every attribute is a secret")],
    ..EMPTY
};

/// `secrets { env prefix="EVENTUALL_" ; dotenv ".secrets.env" }`
pub(super) const SECRETS: NodeRule = NodeRule {
    name: "secrets",
    doc: "Where secrets are looked up, first to last.",
    absent: "`secrets { env }`: the variables of envc's own process.",
    example: "secrets { env prefix=\"EVENTUALL_\" ; dotenv \".secrets.env\" }",
    children: &[&ENV, &DOTENV, &DOPPLER, &AWS],
    repeat: Repeat::Once,
    ..EMPTY
};

const ENV: NodeRule = NodeRule {
    name: "env",
    doc: "Variables of envc's own process.",
    example: "env prefix=\"EVENTUALL_\"",
    props: &[optional("prefix", Type::Plain, "Put before the secret's name.").default("\"\"")],
    repeat: Repeat::Once,
    ..EMPTY
};

const DOTENV: NodeRule = NodeRule {
    name: "dotenv",
    doc: "A dotenv file that git does not track.",
    notes: &[
        "Each name is looked for in the working copy, then, from a linked git worktree, at the same place below the top of the main working tree (not through a link, and of the same owner), then in `~/.config/envc/REPOSITORY/` (`XDG_CONFIG_HOME` in place of `~/.config`), at the spec's place below the repository's top. The first file that has it counts; an empty line counts as none.",
        "REPOSITORY is `id=` of `project`, else the address of `origin` as `github.com/acme/shop`; other characters than letters, digits, `-`, `_` and `.`, and a dot in front of a part, are written as `%` and two hex digits. A clone without either has no such folder.",
        "A secret that comes from a file which git tracks is an error on Cloudflare, and a warning on the local cloud: `git rm --cached` takes the file out of git.",
    ],
    example: "dotenv \".secrets.env\"",
    args: &[ArgRule { name: "path", ty: Type::Path, required: true, doc: "The file." }],
    ..EMPTY
};

const DOPPLER: NodeRule = NodeRule {
    name: "doppler",
    doc: "A Doppler configuration.",
    notes: &["Checked, and refused by apply: it is not there yet."],
    example: "doppler project=\"eventuall\" config=\"dev\" token=(env)\"DOPPLER_TOKEN\"",
    props: &[
        required("project", Type::NameText, "The Doppler project."),
        required("config", Type::NameText, "The configuration in it."),
        optional("token", Type::Credential, "The access token.")
            .otherwise("read from `token-file=`"),
        optional("token-file", Type::Path, "A file that holds the access token.")
            .otherwise("given by `token=`"),
    ],
    repeat: Repeat::Once,
    ..EMPTY
};

const AWS: NodeRule = NodeRule {
    name: "aws-secrets-manager",
    doc: "A secret of AWS Secrets Manager that holds a JSON object.",
    notes: &["Checked, and refused by apply: it is not there yet."],
    example: "aws-secrets-manager id=\"vibechecc/{env.type}\" region=\"us-east-1\"",
    props: &[
        required("id", Type::NameText, "The secret's name or ARN."),
        required("region", Type::Plain, "The AWS region."),
    ],
    repeat: Repeat::Once,
    ..EMPTY
};
