//! Fragments of specs, as documents show them, made whole.

/// What a fragment without a `project` of its own gets.
const PROJECT: &str = "project \"shop\" { zone \"shop.example\" }\n";
/// What a fragment without an `environment` of its own gets.
const ENVIRONMENT: &str =
    "environment \"local\" default { identity branch max-length=20 unique }\n";

/// What stands in an `environment` only.
const INNER: [&str; 7] = ["identity", "when", "ttl", "protect", "migrate", "existing", "without"];

/// What documents mention without declaring it: the node that is missing then, what it begins with
/// where it is declared after all, and how it is mentioned.
const MENTIONED: [(&str, &str, &[&str]); 15] = [
    ("d1 \"webapp\"", "d1 \"webapp\"", &["d1=\"webapp\"", "{d1.webapp.", " d1 \"webapp\""]),
    ("d1 \"orders\"", "d1 \"orders\"", &["d1=\"orders\"", "{d1.orders.", " d1 \"orders\""]),
    ("kv \"cache\"", "kv \"cache\"", &["kv=\"cache\"", "{kv.cache.", " kv \"cache\""]),
    ("r2 \"images\"", "r2 \"images\"", &["r2=\"images\"", "{r2.images.", " r2 \"images\""]),
    (
        "queue \"jobs\"",
        "queue \"jobs\"",
        &["consume \"jobs\"", "queue=\"jobs\"", " queue \"jobs\""],
    ),
    (
        "hyperdrive \"pg\" { origin (secret)\"DATABASE_URL\" }",
        "hyperdrive \"pg\"",
        &["hyperdrive=\"pg\"", "{hyperdrive.pg.", " hyperdrive \"pg\""],
    ),
    ("queue \"jobs-dlq\"", "queue \"jobs-dlq\"", &["dead-letter=\"jobs-dlq\""]),
    (
        "tunnel \"dev\" { ingress \"web\" host=\"{env}\" service=\"http://localhost:3000\" }",
        "tunnel \"dev\"",
        &["{tunnel.dev.", "tunnel \"dev\"", "{url.web}", "{host.web}"],
    ),
    ("port \"web\" \"3000-3999\"", "port \"web\"", &["{port.web}"]),
    ("port \"webapp\" \"3000-3999\"", "worker \"webapp\"", &["{port.webapp}"]),
    ("let api-url \"https://api-{env}.{zone}\"", "let api-url", &["{let.api-url}"]),
    ("let host \"{env}.{zone}\"", "let host", &["{let.host}"]),
    ("worker \"api\" path=\"apps/api\"", "worker \"api\"", &["worker=\"api\"", "{worker.api."]),
    ("lease \"preview\" pool=\"previews\"", "lease \"preview\"", &["{lease.preview."]),
    (
        "edge \"https://edge.shop.example\" token=(secret)\"EDGE_TOKEN\" { pool \"previews\" }",
        "edge ",
        &["pool=\"previews\"", "{lease.preview."],
    ),
];

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
    if inner {
        let identity = if begins("identity") { "" } else { "identity \"local\"\n" };
        format!("{out}environment \"local\" default {{\n{identity}{fragment}\n}}\n")
    } else {
        out + fragment
    }
}
