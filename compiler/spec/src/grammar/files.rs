//! `dotenv`, `file`, `port`, `run`: what lands in the working copy or runs in it.

use envc_syntax::rule::{
    ArgRule, EMPTY, FlagRule, LABEL, NodeRule, Repeat, Type, optional, required,
};

use super::ANY;
use crate::DotenvReader;

/// `dotenv ".env" { NAME "value" }`
pub(super) const DOTENV: NodeRule = NodeRule {
    name: "dotenv",
    doc: "A file of variables, readable by its owner only.",
    notes: &[
        "A secret may stand in it. Its path is relative to the spec's folder, and git must ignore the file.",
        "Programs that read such files share no way to quote. Without `for=` a value is written as Node, the package `dotenv`, a POSIX shell and envc read it alike, and one that they do not is refused. What expands variables on top (Vite, Next.js, wrangler) takes `$` and a name for another variable's value even so: `envc check` and `envc apply` tell of it, and `for=` settles it.",
        "`for=` quotes for one reader: `node` (`node --env-file`), `dotenv`, `dotenv-expand` (12 and later; also Next.js), `vite` (`loadEnv`), `wrangler` (of a file that is called `.dev.vars…` without expanding), `shell` (`. ./file`), `docker` (`docker run --env-file`; Compose reads another form). A value that this reader cannot be given is refused.",
    ],
    example: "dotenv \".env\" { AUTH_SECRET (secret)\"AUTH_SECRET\" }",
    args: &[ArgRule { name: "path", ty: Type::Path, required: true, doc: "The file." }],
    props: &[optional(
        "for",
        Type::OneOf(DotenvReader::WORDS),
        "Who reads it, where values hold `$`, quotes or line breaks.",
    )
    .otherwise("written as Node, `dotenv`, a shell and envc read it alike")],
    children: &[&VARIABLE],
    ..EMPTY
};

const VARIABLE: NodeRule = NodeRule {
    doc: "A variable and its value. The node's name is the variable's: letters, digits and _, not beginning with a digit.",
    example: "WEBAPP_PORT \"{port.webapp}\"",
    args: &[ArgRule {
        name: "value",
        ty: Type::PrivateText,
        required: true,
        doc: "Text, a secret, a number or a truth value.",
    }],
    ..ANY
};

/// `file "start-dev.sh" template="templates/start-dev.sh" mode="0755"`
pub(super) const FILE: NodeRule = NodeRule {
    name: "file",
    doc: "A file rendered from a template.",
    notes: &[
        "A secret may stand in it where its mode gives no permission to group and others, such as \"0600\".",
        "In a script `| sh` makes one word of the shell of whatever a value holds: `git checkout {{ env.branch | sh }}`.",
        "A template has at most 64 KiB and writes at most 1 MiB. `*`, `with`, `recursive` and the filters that widen a text or a list are not there, and nothing is set from what was set.",
    ],
    example: "file \"start-dev.sh\" template=\"templates/start-dev.sh\" mode=\"0755\"",
    args: &[ArgRule { name: "path", ty: Type::Path, required: true, doc: "The file." }],
    props: &[
        required("template", Type::Path, "The MiniJinja template."),
        optional("mode", Type::Plain, "Permission bits in octal, \"0000\" to \"0777\".")
            .default("\"0644\""),
    ],
    ..EMPTY
};

/// `port "claude-proxy" "9100-9199"`
pub(super) const PORT: NodeRule = NodeRule {
    name: "port",
    doc: "A port that no worker owns.",
    notes: &[
        "`{port.NAME}` is a free one of the range, the same every time in one working copy, and never one that another environment on this machine has.",
    ],
    example: "port \"claude-proxy\" \"9100-9199\"",
    args: &[
        LABEL,
        ArgRule { name: "range", ty: Type::Ports, required: true, doc: "A range, or one port." },
    ],
    ..EMPTY
};

/// `run "types" after="apply" command="pnpm generate:types"`
pub(super) const RUN: NodeRule = NodeRule {
    name: "run",
    doc: "A command to run at a point of the apply.",
    notes: &["Checked, and refused by apply: it is not there yet."],
    example: "run \"types\" after=\"apply\" command=\"pnpm generate:types\" optional",
    args: &[LABEL],
    flags: &[FlagRule {
        name: "optional",
        doc: "When the command is not there, that is said and skipped.",
    }],
    props: &[
        optional("after", Type::OneOf(&["apply", "migrate", "write"]), "After which step.")
            .default("\"apply\""),
        required("command", Type::Text, "The command line."),
        optional("cwd", Type::Path, "The folder to run in.").default("\".\""),
        optional("when-changed", Type::Plain, "Run only when this output changed.")
            .otherwise("runs every time"),
    ],
    children: &[&RUN_ENV],
    ..EMPTY
};

const RUN_ENV: NodeRule = NodeRule {
    name: "env",
    doc: "A variable of the command's environment.",
    example: "env CONVEX_DEPLOY_KEY (secret)\"CONVEX_DEPLOY_KEY\"",
    args: &[
        ArgRule { name: "name", ty: Type::Identifier, required: true, doc: "The variable." },
        ArgRule { name: "value", ty: Type::PrivateText, required: true, doc: "Its value." },
    ],
    repeat: Repeat::PerLabel,
    ..EMPTY
};
