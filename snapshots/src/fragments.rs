//! Fragments of specs, as documents show them, made whole.

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

/// Names of resources besides those of the kinds' own examples.
const OTHERS: [(&str, &str); 3] = [("d1", "orders"), ("queue", "jobs-dlq"), ("worker", "api")];
/// How a resource is mentioned.
const MENTIONS: [&str; 3] = ["KIND=\"NAME\"", "{KIND.NAME.", " KIND \"NAME\""];
/// How a queue is mentioned besides.
const MENTIONS_OF_QUEUES: [&str; 2] = ["consume \"NAME\"", "dead-letter=\"NAME\""];

/// The nodes of the resources that a fragment mentions and does not declare.
fn resources(fragment: &str) -> Vec<String> {
    let mut nodes = Vec::new();
    for kind in envc_kinds::registry().iter().filter_map(|kind| kind.declared()) {
        let word = kind.grammar().name;
        let example = kind.node().existing.map_or(kind.grammar().example, |rule| rule.example);
        let others = OTHERS.iter().filter(|(other, _)| *other == word).map(|(_, name)| *name);
        let of_queues = MENTIONS_OF_QUEUES.iter().filter(|_| word == "queue");
        for name in example.split('"').nth(1).into_iter().chain(others) {
            let filled = |text: &str| text.replace("KIND", word).replace("NAME", name);
            let declared = fragment.lines().any(|line| line.starts_with(&filled("KIND \"NAME\"")));
            let mut mentions = MENTIONS.iter().chain(of_queues.clone());
            if !declared && mentions.any(|mention| fragment.contains(&filled(mention))) {
                nodes.push(kind.node().sample.replacen("\"x\"", &format!("\"{name}\""), 1));
            }
        }
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
