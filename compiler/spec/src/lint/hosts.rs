//! Hosts that are written as if they were of another zone.
//!
//! A host of an ingress, of a `domain` or of a DNS record is a name inside the zone, so the zone is
//! put behind `app.other.com`. A `route` names its host whole, and outside the zone it is an error.

use std::collections::BTreeMap;

use envc_core::{Diagnostic, Span};
use envc_syntax::Scalar;

use super::{Found, View, Warning, codes, view::TypeView, warning};
use crate::Identity;

/// Endings that a name inside a zone hardly has: the oldest top-level domains, and the shared
/// domains of Cloudflare's own products. Others, such as `dev` or `us`, are words that hosts have.
const ENDINGS: &[&str] = &["com", "net", "org", "info", "biz", "io", "workers.dev", "pages.dev"];

/// Hosts that get the zone put behind another domain.
pub(super) fn outside<'v>(view: &'v View<'_>) -> Found<'v> {
    let Some(zone) = view.zone else { return Found::Of(Vec::new()) };
    let mut out = Vec::new();
    for one in &view.types {
        let places = places(one);
        let ends = one.environment.endpoints.iter();
        let ends = ends.map(|end| (("host", end.name.as_str()), end.host.as_str()));
        // The natural key of a record: its type, then its host.
        let records = one.environment.resources.iter().map(|(address, wanted)| {
            let host = wanted.name.rsplit(' ').next().unwrap_or_default();
            ((address.kind().as_str(), address.name()), host)
        });
        for (key, host) in ends.chain(records.filter(|_| !places.is_empty())) {
            let place = places.get(&key).copied();
            let found = place.and_then(|place| check(&as_written(one, host), zone, place));
            out.extend(found.map(|found| Warning::of(one, found)));
        }
    }
    Found::Of(out)
}

/// Where the hosts of a type are written: of endpoints by their name, of resources by kind and name.
pub(super) fn places<'v>(one: &'v TypeView<'_>) -> BTreeMap<(&'v str, &'v str), Span> {
    let mut places = BTreeMap::new();
    let span = |scalar: Option<&Scalar>| scalar.map(|scalar| scalar.span);
    for ingress in one.merged.all("tunnel").flat_map(|tunnel| tunnel.children_named("ingress")) {
        if let (Some(name), Some(span)) = (ingress.label(), span(ingress.prop("host"))) {
            places.insert(("host", name), span);
        }
    }
    for worker in one.merged.all("worker") {
        for domain in worker.children_named("domain") {
            let name = domain.prop("name").and_then(Scalar::as_text).or(worker.label());
            if let (Some(name), Some(span)) = (name, span(domain.args.first())) {
                places.entry(("host", name)).or_insert(span);
            }
        }
    }
    for record in one.merged.all("dns") {
        if let (Some(name), Some(span)) = (record.label(), span(record.prop("name"))) {
            places.insert(("dns", name), span);
        }
    }
    places
}

/// The host with `{env}` in the place of an ID that was made up to look at the type.
pub(super) fn as_written(one: &TypeView<'_>, host: &str) -> String {
    match &one.head.identity {
        Identity::Text { per_pr: false, .. } => host.to_owned(),
        Identity::Text { .. } | Identity::Branch { .. } => {
            host.replacen(&one.environment.instance.id, "{env}", 1)
        }
    }
}

fn check(host: &str, zone: &str, place: Span) -> Option<Diagnostic> {
    let name = of_other_zone(host, zone)?;
    Some(
        warning(codes::HOST_OF_OTHER_ZONE, place, format!("`{name}` becomes `{host}`"))
            .at("the zone is put behind it")
            .help(format!("write a name inside {zone}, such as \"app-{{env}}\"; a host of another zone needs a project of its own"))
    )
}

/// The name inside the zone, where it reads as a host of another zone.
pub(super) fn of_other_zone<'h>(host: &'h str, zone: &str) -> Option<&'h str> {
    let name = host.strip_suffix(zone)?.strip_suffix('.')?;
    let (_, own_ending) = zone.rsplit_once('.')?;
    let before = |ending: &str| name.strip_suffix(ending)?.strip_suffix('.');
    let known = ENDINGS.iter().any(|ending| before(ending).is_some_and(|rest| !rest.is_empty()));
    // The zone's own ending may be a word too (`stream.live`), so that takes one label more.
    let absolute = known || before(own_ending).is_some_and(|rest| rest.contains('.'));
    absolute.then_some(name)
}
