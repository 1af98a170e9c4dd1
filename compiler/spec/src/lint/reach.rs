//! Public hosts that reach nobody: a route before which no record stands, and a host that no certificate
//! covers.
//!
//! A route gets what comes to its host through Cloudflare's proxy; a host without a proxied record is not
//! found. A Worker's `domain` makes a record of its own, and an ingress one that is proxied. A record of
//! `*.x` stands for all hosts below `x`, of any depth, but for one that has a record of its own.
//! Source: Cloudflare's documentation of Workers routes and of wildcard records.
//!
//! Universal SSL covers the zone and the names one level below it. A `domain` brings an advanced
//! certificate for exactly its host, however deep it lies. Source: Cloudflare's documentation of Universal
//! SSL ("Limitations") and of Workers' custom domains ("Certificates"). All checked November 2026.

use std::collections::BTreeSet;

use envc_core::{Desired, Diagnostic, Span, Value, plural};

use super::{
    Found, View, Warning, codes,
    hosts::{as_written, of_other_zone, places},
    view::TypeView,
    warning,
};
use crate::Identity;

/// The levels below the zone that Universal SSL covers.
const LEVELS_COVERED: usize = 1;

/// Routes whose host no proxied record answers for.
pub(super) fn routes<'v>(view: &'v View<'_>) -> Found<'v> {
    // A type with a fixed ID is there once for all: what it makes holds for the others, too.
    let lasting: Vec<(&str, Records<'_>)> = view
        .types
        .iter()
        .filter(|one| matches!(one.head.identity, Identity::Text { per_pr: false, .. }))
        .map(|one| (one.head.name.as_str(), Records::of(one)))
        .collect();
    let mut out = Vec::new();
    for one in &view.types {
        let own = Records::of(one);
        for (host, place) in routes_of(one) {
            let unproxied = !host.starts_with('*') && own.unproxied.contains(host);
            let answers = |records: &Records<'_>| {
                // A host with a record of its own is none of a wildcard's.
                records.proxied.iter().any(|it| *it == host || (!unproxied && meets(it, host)))
            };
            let mut others = lasting.iter().filter(|(name, _)| *name != one.head.name);
            if !answers(&own) && !others.any(|(_, records)| answers(records)) {
                out.push(Warning::of(one, unanswered(&as_written(one, host), place, unproxied)));
            }
        }
    }
    Found::Of(out)
}

fn unanswered(host: &str, place: Span, unproxied: bool) -> Diagnostic {
    let message =
        format!("no proxied DNS record answers for `{host}`, so that this route gets nothing");
    let record = format!("dns \"NAME\" type=\"AAAA\" name=\"{host}\" content=\"100::\" proxied");
    let help = match host.strip_prefix('*') {
        _ if unproxied => "add proxied to the record of this host".to_owned(),
        Some(_) => format!("make one: {record}"),
        None => format!(
            "make one: {record}; or write domain \"{host}\" in place of the route, which makes its own"
        ),
    };
    let at = if unproxied { "its record leads past Cloudflare" } else { "nobody finds this host" };
    warning(codes::ROUTE_WITHOUT_RECORD, place, message).at(at).help(help)
}

/// Hosts that lie too deep for the certificate which every zone has.
pub(super) fn certificates<'v>(view: &'v View<'_>) -> Found<'v> {
    let Some(zone) = view.zone else { return Found::Of(Vec::new()) };
    let mut out = Vec::new();
    for one in &view.types {
        let places = places(one);
        let resources = one.environment.resources.iter();
        let records = resources.filter_map(|(address, wanted)| {
            let host = proxied(wanted)?.then_some(host_of(&wanted.name))?;
            // A record that an ingress makes is called as the tunnel and the ingress.
            let key = match address.name().rsplit_once('.') {
                Some((_, ingress)) => ("host", ingress),
                None => (address.kind().as_str(), address.name()),
            };
            Some((host, *places.get(&key)?))
        });
        let workers = &one.environment.workers;
        let domains = workers.iter().flat_map(|worker| &worker.domains);
        let mut told: BTreeSet<&str> = domains.map(String::as_str).collect();
        for (host, place) in records.chain(routes_of(one)) {
            let levels = host.strip_suffix(zone).unwrap_or_default().matches('.').count();
            let written = as_written(one, host);
            let meant = of_other_zone(&written, zone).is_none();
            if levels > LEVELS_COVERED && meant && told.insert(host) {
                out.push(Warning::of(one, uncovered(&written, (zone, levels), place)));
            }
        }
    }
    Found::Of(out)
}

fn uncovered(host: &str, (zone, levels): (&str, usize), place: Span) -> Diagnostic {
    let message = format!("no certificate covers `{host}`, unless somebody ordered one");
    let name = host.strip_suffix(zone).unwrap_or(host).trim_end_matches('.');
    let flat = match name.strip_prefix("*.") {
        // There is no flat name for all that lies below another.
        Some(name) => {
            format!("write the hosts that there are, such as \"a-{}\"", name.replace('.', "-"))
        }
        None => format!("write \"{}.{zone}\"", name.replace('.', "-")),
    };
    warning(codes::HOST_WITHOUT_CERTIFICATE, place, message)
        .at(format!("{levels} {} below the zone", plural(levels, "level")))
        .help(format!(
            "{flat}: Universal SSL covers the zone and one level below it; or have an advanced \
             certificate or Total TLS cover it"
        ))
}

/// The records of a type's hosts.
#[derive(Debug, Default)]
struct Records<'v> {
    /// Hosts whose traffic goes through Cloudflare.
    proxied: Vec<&'v str>,
    /// Hosts with records that only resolve, and no other.
    unproxied: BTreeSet<&'v str>,
}

impl<'v> Records<'v> {
    fn of(one: &'v TypeView<'_>) -> Self {
        let mut records = Self::default();
        for wanted in one.environment.resources.values() {
            match proxied(wanted) {
                Some(true) => records.proxied.push(host_of(&wanted.name)),
                Some(false) => drop(records.unproxied.insert(host_of(&wanted.name))),
                None => {}
            }
        }
        for worker in &one.environment.workers {
            records.proxied.extend(worker.domains.iter().map(String::as_str));
        }
        for host in &records.proxied {
            records.unproxied.remove(host);
        }
        records
    }
}

/// Whether a record's traffic goes through Cloudflare; none of what is no record that could.
fn proxied(wanted: &Desired) -> Option<bool> {
    match wanted.fields.get("proxied") {
        Some(Value::Bool(proxied)) => Some(*proxied),
        _ => None,
    }
}

/// The host of a record's natural key, which is its type, then its host.
fn host_of(name: &str) -> &str {
    name.rsplit(' ').next().unwrap_or_default()
}

/// The hosts of a type's routes, with the places of their patterns.
fn routes_of<'v>(one: &'v TypeView<'_>) -> impl Iterator<Item = (&'v str, Span)> {
    one.environment.workers.iter().flat_map(|worker| {
        let node = one.merged.get("worker", &worker.name);
        let places = node.into_iter().flat_map(|node| node.children_named("route"));
        let places = places.filter_map(|route| Some(route.args.first()?.span));
        let host = |pattern: &'v String| pattern.split('/').next().unwrap_or_default();
        worker.routes.iter().map(host).zip(places)
    })
}

/// True where there is a host that both stand for; either may be a wildcard.
fn meets(record: &str, host: &str) -> bool {
    let below = |wildcard: &str| wildcard.strip_prefix('*').map(str::to_owned);
    match (below(record), below(host)) {
        (None, None) => record == host,
        (Some(end), None) => host.ends_with(&end),
        (None, Some(end)) => record.ends_with(&end),
        (Some(one), Some(other)) => one.ends_with(&other) || other.ends_with(&one),
    }
}
