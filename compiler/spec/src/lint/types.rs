//! Types that lack what keeps them safe.

use envc_core::{Diagnostic, Value};
use envc_syntax::Node;

use super::{Found, View, Warning, codes, view::TypeView, warning};
use crate::{Identity, When};

/// Types with a fixed ID that look like production, by name or because they own the zone's own
/// host, without `protect`.
pub(super) fn unprotected<'v>(view: &'v View<'_>) -> Found<'v> {
    let open = view.types.iter().filter(|one| !one.head.protect);
    let found = open.filter_map(|one| {
        let Identity::Text { pattern, per_pr: false } = &one.head.identity else { return None };
        let name = &one.head.name;
        let why = if [name, pattern].into_iter().any(|word| is_production(word)) {
            "looks like production"
        } else if owns_apex(one) {
            "owns the zone's own host"
        } else {
            return None;
        };
        let message = format!("environment `{name}` {why}, and nothing protects it");
        let found = warning(codes::UNPROTECTED_PRODUCTION, one.head.span, message)
            .at("may be deleted and replaced")
            .help("add protect: deletes and replaces are refused then, and changes are approved");
        Some(Warning::of(one, beside(found, one, "identity", "protect")))
    });
    Found::Of(found.collect())
}

/// Types for pull requests without `ttl`.
pub(super) fn without_ttl<'v>(view: &'v View<'_>) -> Found<'v> {
    let endless = view.types.iter().filter(|one| one.environment.ttl_s.is_none());
    let found = endless.filter_map(|one| {
        let per_pr = matches!(one.head.identity, Identity::Text { per_pr: true, .. });
        if !per_pr && one.head.when != Some(When::Pr) {
            return None;
        }
        let message = format!("environments of type `{}` live until they are destroyed", one.head.name);
        let found = warning(codes::PR_WITHOUT_TTL, one.head.span, message)
            .at("for pull requests, without a `ttl`")
            .help("add ttl \"14d\": one whose pull request was closed unnoticed does not stay for good");
        Some(Warning::of(one, beside(found, one, "identity", "ttl \"14d\"")))
    });
    Found::Of(found.collect())
}

/// Types for pull requests whose ID is the same for all of them.
pub(super) fn shared<'v>(view: &'v View<'_>) -> Found<'v> {
    let found = view.types.iter().filter_map(|one| {
        let Identity::Text { pattern, per_pr: false } = &one.head.identity else { return None };
        if one.head.when != Some(When::Pr) {
            return None;
        }
        let message = format!("all pull requests share the environment `{pattern}`");
        let found = warning(codes::PR_SHARED, one.head.span, message)
            .at("the destroy of one takes the environment of all")
            .help("write identity \"pr-{env.pr}\" for one for each");
        Some(Warning::of(one, found))
    });
    Found::Of(found.collect())
}

/// Puts a node behind another one of the type's own block, where that stands there.
fn beside(found: Diagnostic, one: &TypeView<'_>, name: &str, text: &str) -> Diagnostic {
    let block: Option<&&Node> = one.chain.last();
    match block.and_then(|block| block.child(name)) {
        Some(node) => {
            let end = node.span.end;
            found.fix(envc_core::Span::new(end, end), format!("; {text}"))
        }
        None => found,
    }
}

fn is_production(word: &str) -> bool {
    const WHOLE: &[&str] = &["production", "prod", "live", "main"];
    WHOLE.contains(&word) || word.starts_with("production-") || word.starts_with("prod-")
}

/// True for a type that gives the zone itself an address.
fn owns_apex(one: &TypeView<'_>) -> bool {
    let Some(zone) = one.environment.zone.as_deref() else { return false };
    let is_zone = |value: Option<&Value>| value == Some(&Value::text(zone));
    let mut records = one.environment.resources.values().filter(|wanted| wanted.is_managed());
    one.environment.endpoints.iter().any(|endpoint| endpoint.host == zone)
        || records.any(|record| {
            record.fields.contains_key("proxied") && is_zone(record.fields.get("name"))
        })
}
