//! Fragments of specs, as documents show them, made whole.

use std::collections::BTreeSet;

/// What a fragment without a `project` of its own gets.
const PROJECT: &str = "project \"shop\" { zone \"shop.example\" }\n";
/// What a fragment without an `environment` of its own gets.
const ENVIRONMENT: &str =
    "environment \"local\" default { identity branch max-length=20 unique }\n";

/// What stands in an `environment` only.
const INNER: [&str; 7] = ["identity", "when", "ttl", "protect", "migrate", "existing", "without"];

/// What documents mention without declaring it and that is no resource: the node that is missing then,
/// what it begins with where it is declared after all, and how it is mentioned.
const MENTIONED: [(&str, &str, &[&str]); 7] = [
    (
        "tunnel \"dev\" { ingress \"web\" host=\"{env}\" service=\"http://localhost:3000\" }",
        "tunnel \"dev\"",
        &["{url.web}", "{host.web}"],
    ),
    ("port \"web\" \"3000-3999\"", "port \"web\"", &["{port.web}"]),
    ("port \"webapp\" \"3000-3999\"", "worker \"webapp\"", &["{port.webapp}"]),
    ("let api-url \"https://api-{env}.{zone}\"", "let api-url", &["{let.api-url}"]),
    ("let host \"{env}.{zone}\"", "let host", &["{let.host}"]),
    ("lease \"preview\" pool=\"previews\"", "lease \"preview\"", &["{lease.preview."]),
    (
        "edge \"https://edge.shop.example\" token=(secret)\"EDGE_TOKEN\" { pool \"previews\" }",
        "edge ",
        &["pool=\"previews\"", "{lease.preview."],
    ),
];

/// How the name of a resource of a kind is mentioned: what stands before it.
const BEFORE: [&str; 4] = ["KIND=\"", "{KIND.", " KIND \"", "KIND \""];
/// The same, where the kind's own word does not stand there.
const BEFORE_QUEUES: [&str; 2] = ["consume \"", "dead-letter=\""];

/// The nodes of the resources that a fragment mentions and does not declare.
fn resources(fragment: &str) -> Vec<String> {
    let declared = envc_kinds::registry().iter().filter_map(|kind| kind.declared());
    let mut nodes = Vec::new();
    for kind in declared {
        let word = kind.grammar().name;
        let before = BEFORE.map(|before| before.replace("KIND", word));
        let queues = BEFORE_QUEUES.iter().filter(|_| word == "queue");
        let before = before.iter().map(String::as_str).chain(queues.copied());
        let names: BTreeSet<&str> = before
            .flat_map(|before| fragment.split(before).skip(1))
            .filter_map(|behind| behind.split(['"', '.']).next())
            .collect();
        let is_declared = |name: &str| {
            let head = format!("{word} \"{name}\"");
            fragment.lines().any(|line| line.starts_with(&head))
        };
        let missing = names.into_iter().filter(|name| !is_declared(name));
        nodes
            .extend(missing.map(|name| kind.sample().replacen("\"x\"", &format!("\"{name}\""), 1)));
    }
    nodes
}

/// A fragment as a whole spec: with a project, an environment, and what it refers to.
pub(crate) fn completed(fragment: &str) -> String {
    let begins = |words: &str| fragment.lines().any(|line| line.starts_with(words));
    let first = fragment.lines().find(|line| !line.trim().is_empty() && !line.starts_with("//"));
    let first = first.and_then(|line| line.split_whitespace().next()).unwrap_or_default();
    let inner = INNER.contains(&first);
    let mut out = String::new();
    if !begins("project") {
        out.push_str(PROJECT);
    }
    if !begins("environment") && !inner {
        out.push_str(ENVIRONMENT);
    }
    // A fragment that is whole says all that it needs.
    let whole = begins("project") && begins("environment");
    for (node, beginning, mentions) in MENTIONED.into_iter().filter(|_| !whole) {
        if !begins(beginning) && mentions.iter().any(|mention| fragment.contains(mention)) {
            out.push_str(node);
            out.push('\n');
        }
    }
    if !whole {
        for node in resources(&format!("{out}{fragment}")) {
            out.push_str(&node);
            out.push('\n');
        }
    }
    if inner {
        let identity = if begins("identity") { "" } else { "identity \"local\"\n" };
        format!("{out}environment \"local\" default {{\n{identity}{fragment}\n}}\n")
    } else {
        out + fragment
    }
}
