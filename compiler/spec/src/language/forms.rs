//! What a text may refer to. The resolver's own match stands in `refs.rs`; a test holds each row of
//! this table to what it does.

use envc_core::Output;
use serde::Serialize;

/// One form of reference, and where it may stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reference {
    /// As it is written; words in capitals are to be replaced.
    pub form: String,
    /// What it gives.
    pub doc: String,
    /// The node that declares what it names; none for what needs no declaration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<&'static str>,
    /// Where it may stand: `names` (hosts and identities, too), `services` (of an ingress), `public`
    /// (whatever others can see: `var`, the content of a record, a command line), `private`
    /// (`dotenv`, `secret`, a private `file`).
    pub stands_in: &'static [&'static str],
}

/// The places of references, the strictest first.
pub(super) const PLACES: [&str; 4] = ["names", "services", "public", "private"];

/// Where a form may stand.
#[derive(Clone, Copy)]
enum KnownFrom {
    /// Before anything exists: everywhere.
    Early,
    /// On this machine, before apply: in services, too.
    Here,
    /// Only by what an apply finds out, or by what tells nothing of an environment.
    Late,
    /// Late, and a secret.
    Secret,
}

const FORMS: &[(&str, Option<&str>, KnownFrom, &str)] = &[
    ("{project}", None, KnownFrom::Early, "The project's name."),
    ("{zone}", None, KnownFrom::Early, "The project's zone; an error without one."),
    ("{env}", None, KnownFrom::Early, "The environment's ID. An identity alone cannot hold it."),
    ("{env.type}", None, KnownFrom::Early, "The name of the type."),
    (
        "{env.pr}",
        None,
        KnownFrom::Early,
        "The number of the pull request, of `--pr`; only in a type with `when pr`, or whose identity holds it.",
    ),
    (
        "{let.NAME}",
        Some("let"),
        KnownFrom::Early,
        "The text of a `let`. It may stand where all that it is made of may stand.",
    ),
    (
        "{port.NAME}",
        Some("port"),
        KnownFrom::Here,
        "The port of a `port` node, or of the worker with that name.",
    ),
    ("{env.branch}", None, KnownFrom::Late, "The git branch; nothing without one."),
    ("{git.sha}", None, KnownFrom::Late, "The commit; nothing without one."),
    (
        "{host.NAME}",
        Some("ingress"),
        KnownFrom::Late,
        "The host of an ingress, a route or a domain; on the local cloud the local service's.",
    ),
    (
        "{url.NAME}",
        Some("ingress"),
        KnownFrom::Late,
        "The same as a URL, without a slash at its end.",
    ),
    ("{worker.NAME.name}", Some("worker"), KnownFrom::Late, "The name of a worker's script."),
    ("{lease.NAME.id}", Some("lease"), KnownFrom::Late, "The preview ID."),
    (
        "{lease.NAME.ATTRIBUTE}",
        Some("lease"),
        KnownFrom::Secret,
        "What the pool knows of a preview ID. A secret, unless the pool's `public=` lists it.",
    ),
];

/// All forms: those of the language, then those of the kinds.
pub(super) fn references() -> Vec<Reference> {
    let own = FORMS.iter().map(|(form, of, known, doc)| {
        reference((*form).to_owned(), *of, *known, (*doc).to_owned())
    });
    let kinds =
        envc_kinds::registry().iter().filter_map(|kind| Some((kind, kind.declared()?.grammar())));
    let outputs = kinds.flat_map(|(kind, rule)| {
        kind.outputs().iter().map(|(word, output)| {
            let known = if *output == Output::Token { KnownFrom::Secret } else { KnownFrom::Late };
            let form = format!("{{{}.NAME.{word}}}", rule.name);
            reference(form, Some(rule.name), known, output_doc(kind.noun(), *output))
        })
    });
    own.chain(outputs).collect()
}

fn reference(form: String, of: Option<&'static str>, known: KnownFrom, doc: String) -> Reference {
    let stands_in: &[&str] = match known {
        KnownFrom::Early => &PLACES,
        KnownFrom::Here => &["services", "public", "private"],
        KnownFrom::Late => &["public", "private"],
        KnownFrom::Secret => &["private"],
    };
    Reference { form, doc, of, stands_in }
}

/// What an output of a kind is, a sentence.
pub(super) fn output_doc(noun: &str, output: Output) -> String {
    match output {
        Output::Id => format!("The identifier that Cloudflare gave the {noun}."),
        Output::Name => format!("The physical name of the {noun}."),
        Output::Token => format!("The token of the {noun}. A secret."),
    }
}
