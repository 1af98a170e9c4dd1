//! `worker` and everything in it.
//!
//! Built when it is first asked for, because `bind` has a property for each kind of the registry
//! that a Worker can be bound to.

use std::sync::LazyLock;

use envc_syntax::rule::{ArgRule, EMPTY, LABEL, NodeRule, Repeat, Type, optional, required};

use crate::{MARKER, bindables};

/// `worker "webapp" path="apps/webapp" { … }`
const WORKER: NodeRule = NodeRule {
    name: "worker",
    doc: "A Worker: its bindings, variables and configuration.",
    notes: &[
        "envc writes `wrangler.jsonc` into its folder and, where it has secrets, `.dev.vars`.",
        "With `deploy=\"bundle\"` envc owns the script: one upload carries the modules, bindings, variables, secrets and Durable Object migrations from the deployed tag on; crons, routes, domains and queue consumers follow. A deployment by somebody else is a difference.",
        "Otherwise `route`, `domain`, `cron` and `consume` stand in `wrangler.jsonc`, and wrangler deploys them. `envc destroy` looks for the script under its name and takes it away where something proves it this environment's, with the routes (in the project's zone), domains and consumers that lead to it; without a proof it names the script, keeps it and fails. A template that gives the script a name without the environment's ID hides it.",
        "wrangler takes the first `wrangler.json` in the folder or above it before this file, and deploys what a build left in `.wrangler/deploy/config.json`. `envc apply` refuses both, but for a build of this very configuration; `envc check` tells of them.",
        "What the live script is bound to, and the spec has no more, stays in the account until wrangler deployed it anew: `envc apply` says so, and the next one after that deletes it.",
        "The Worker has a variable `ENVC` with the marker `envc:PROJECT/ID/NAME@REPOSITORY`, as a record's comment has, by which envc knows its own whoever deploys; no other variable, secret or binding may have that name.",
        "`deploy=\"placeholder\"` is checked, and refused by apply: it is not there yet.",
    ],
    example: "worker \"webapp\" path=\"apps/webapp\" { bind \"DB\" d1=\"webapp\" }",
    args: &[LABEL],
    props: &[
        required("path", Type::Path, "Its folder."),
        optional(
            "name",
            Type::NameText,
            "The script's name in the account.",
        )
        .otherwise("`{project}--NAME--{env}`"),
        optional("main", Type::Path, "The entry point, relative to the folder; of a bundle, its main module.")
            .otherwise("left out of the configuration; of a bundle `index.js`, `worker.js` or `shim.mjs`"),
        optional("compatibility-date", Type::Date, "The compatibility date.")
            .otherwise("left out of the configuration"),
        optional(
            "deploy",
            Type::OneOf(&["external", "placeholder", "bundle"]),
            "Who brings the script to the account: you with wrangler (`external`), you after envc made an empty one (`placeholder`), or envc (`bundle`).",
        )
        .default("\"external\""),
        optional(
            "bundle",
            Type::Path,
            "The folder of the built script, relative to `path`, for `deploy=\"bundle\"`: each file in it is a module, but hidden ones and those that envc writes.",
        )
        .otherwise("nothing is uploaded"),
    ],
    ..EMPTY
};

const WORKER_PORT: NodeRule = NodeRule {
    name: "port",
    doc: "The port of its development server. `{port.NAME}` with the worker's name refers to it.",
    absent: "No port is kept for it, and `wrangler dev` takes its own.",
    example: "port \"3000-3999\"",
    args: &[ArgRule {
        name: "range",
        ty: Type::Ports,
        required: true,
        doc: "A range, or one port.",
    }],
    repeat: Repeat::Once,
    ..EMPTY
};

const TEMPLATE: NodeRule = NodeRule {
    name: "template",
    doc: "The MiniJinja template of its configuration.",
    notes: &[
        "`{{ worker.vars | json }}`, `{{ worker.routes | json }}` and the like write what the spec says; what no type's configuration has of it is a warning (`unused_binding`). Paths in it are relative to the worker's folder, also where `--out-dir` writes the file elsewhere. Where neither it nor the spec has a schedule, the file gets an empty list, so that one which was taken out stops.",
        "A worker with `deploy=\"bundle\"` has none: an upload is made of what the spec says (`conflict`).",
    ],
    absent: "The configuration is generated whole from what stands here.",
    example: "template \"templates/wrangler/webapp.jsonc\"",
    args: &[ArgRule { name: "path", ty: Type::Path, required: true, doc: "The template." }],
    repeat: Repeat::Once,
    ..EMPTY
};

const FLAGS: NodeRule = NodeRule {
    name: "compatibility-flags",
    doc: "Compatibility flags, one argument each.",
    absent: "None.",
    example: "compatibility-flags \"nodejs_compat\"",
    args: &[ArgRule { name: "flag", ty: Type::Plain, required: true, doc: "A flag." }],
    repeat: Repeat::Once,
    variadic: true,
    ..EMPTY
};

const NAME: ArgRule = ArgRule {
    name: "name",
    ty: Type::Identifier,
    required: true,
    doc: "The name that the Worker sees.",
};

/// What a binding looks like.
pub(super) const BIND_EXAMPLE: &str = "bind \"DB\" d1=\"webapp\"";

const BIND: NodeRule = NodeRule {
    name: "bind",
    doc: "Binds a resource to a name that the Worker sees.",
    notes: &["Names exactly one resource."],
    example: BIND_EXAMPLE,
    args: &[NAME],
    ..EMPTY
};

/// The node, its `bind` with a property for each kind that a Worker can be bound to.
pub(super) static GRAMMAR: LazyLock<NodeRule> = LazyLock::new(|| {
    let targets = bindables().map(|(kind, row)| {
        let word = kind.grammar().name;
        // A binding has one target.
        optional(word, Type::Resource(word), row.doc).otherwise("another resource is bound")
    });
    let bind: &'static NodeRule =
        Box::leak(Box::new(NodeRule { props: targets.collect::<Vec<_>>().leak(), ..BIND }));
    NodeRule {
        children: vec![
            &WORKER_PORT,
            &TEMPLATE,
            &FLAGS,
            bind,
            &VAR,
            &SECRET,
            &CONSUME,
            &OBJECT,
            &MIGRATION,
            &CRON,
            &ROUTE,
            &DOMAIN,
            &MARKER,
        ]
        .leak(),
        ..WORKER
    }
});

const VAR: NodeRule = NodeRule {
    name: "var",
    doc: "A plain variable. It is no place for a secret.",
    example: "var \"API_URL\" \"{let.api-url}\"",
    args: &[NAME, ArgRule { name: "value", ty: Type::Text, required: true, doc: "Its value." }],
    ..EMPTY
};

const SECRET: NodeRule = NodeRule {
    name: "secret",
    doc: "A secret of the Worker: uploaded with a bundle, and for local work in `.dev.vars`.",
    example: "secret \"AUTH_SECRET\"",
    args: &[
        NAME,
        ArgRule {
            name: "value",
            ty: Type::PrivateText,
            required: false,
            doc: "Its value; the secret of the same name when left out.",
        },
    ],
    ..EMPTY
};

/// Nothing is written, and Cloudflare decides.
const CLOUDFLARE: &str = "left to Cloudflare";

const CONSUME: NodeRule = NodeRule {
    name: "consume",
    doc: "Consumes a queue.",
    example: "consume \"jobs\" batch-size=10 max-retries=3 dead-letter=\"jobs-dlq\"",
    args: &[ArgRule {
        name: "queue",
        ty: Type::Resource("queue"),
        required: true,
        doc: "The queue.",
    }],
    props: &[
        optional("batch-size", Type::Int(1, 100), "Messages per batch.").otherwise(CLOUDFLARE),
        optional("max-batch-timeout", Type::Int(0, 60), "Seconds until a smaller batch is sent.")
            .otherwise(CLOUDFLARE),
        optional("max-retries", Type::Int(0, 100), "Tries before the dead letter queue.")
            .otherwise(CLOUDFLARE),
        optional("max-concurrency", Type::Int(1, 250), "Invocations at once.")
            .otherwise(CLOUDFLARE),
        optional("retry-delay", Type::Int(0, 43_200), "Seconds before a retry.")
            .otherwise(CLOUDFLARE),
        optional("dead-letter", Type::Resource("queue"), "Where messages go that failed.")
            .otherwise("they are deleted"),
    ],
    ..EMPTY
};

const OBJECT: NodeRule = NodeRule {
    name: "durable-object",
    doc: "Binds a Durable Object class.",
    example: "durable-object \"ROOM\" class=\"Room\"",
    args: &[NAME],
    props: &[
        required("class", Type::Identifier, "The class."),
        optional("worker", Type::Resource("worker"), "The worker that defines it, if another.")
            .otherwise("this worker"),
    ],
    notes: &[
        "Workers with `deploy=\"bundle\"` are not bound to one another in a cycle (`worker_cycle`).",
    ],
    ..EMPTY
};

const MIGRATION: NodeRule = NodeRule {
    name: "migration",
    doc: "A migration of Durable Object classes; they run in the order written.",
    example: "migration tag=\"v1\" { new-sqlite-classes \"Room\" }",
    props: &[required("tag", Type::Plain, "Its tag, unique in the worker.")],
    children: &[&NEW_SQLITE, &NEW, &DELETED, &RENAMED],
    repeat: Repeat::Many,
    ..EMPTY
};

const CLASSES: NodeRule = NodeRule {
    args: &[ArgRule { name: "class", ty: Type::Identifier, required: true, doc: "A class." }],
    repeat: Repeat::Once,
    variadic: true,
    ..EMPTY
};
const NEW_SQLITE: NodeRule = NodeRule {
    name: "new-sqlite-classes",
    doc: "Classes with SQLite storage.",
    example: "new-sqlite-classes \"Room\"",
    ..CLASSES
};
const NEW: NodeRule = NodeRule {
    name: "new-classes",
    doc: "Classes with key-value storage.",
    example: "new-classes \"Room\"",
    ..CLASSES
};
const DELETED: NodeRule = NodeRule {
    name: "deleted-classes",
    doc: "Classes that go, with their data.",
    example: "deleted-classes \"Room\"",
    ..CLASSES
};
const RENAMED: NodeRule = NodeRule {
    name: "renamed-class",
    doc: "A class that gets another name.",
    example: "renamed-class from=\"Room\" to=\"Hall\"",
    props: &[
        required("from", Type::Identifier, "The name so far."),
        required("to", Type::Identifier, "The new name."),
    ],
    repeat: Repeat::Many,
    ..EMPTY
};

const CRON: NodeRule = NodeRule {
    name: "cron",
    doc: "Runs the Worker on a schedule.",
    example: "cron \"0 * * * *\"",
    args: &[ArgRule {
        name: "schedule",
        ty: Type::Plain,
        required: true,
        doc: "Five fields, UTC.",
    }],
    repeat: Repeat::Many,
    ..EMPTY
};

const ROUTE: NodeRule = NodeRule {
    name: "route",
    doc: "Sends a pattern of addresses to the Worker.",
    example: "route \"{let.host}/*\"",
    args: &[ArgRule {
        name: "pattern",
        ty: Type::NameText,
        required: true,
        doc: "A host and a path, with * as wildcard.",
    }],
    props: &[optional("name", Type::Label, "What `{host.NAME}` and `{url.NAME}` call it.")
        .otherwise("the worker's name")],
    repeat: Repeat::Many,
    ..EMPTY
};

const DOMAIN: NodeRule = NodeRule {
    name: "domain",
    doc: "Gives the Worker a host of its own.",
    example: "domain \"{env}\"",
    args: &[ArgRule { name: "host", ty: Type::NameText, required: true, doc: "The host." }],
    props: &[optional("name", Type::Label, "What `{host.NAME}` and `{url.NAME}` call it.")
        .otherwise("the worker's name")],
    repeat: Repeat::Many,
    ..EMPTY
};
