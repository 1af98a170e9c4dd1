//! The registry over HTTP.

use envc_edge_api::limits::{
    ENVIRONMENTS_MAX, RESOURCE_KINDS_MAX, TEXT_CHARS_MAX, URL_BYTES_MAX, URLS_MAX, ZONES_MAX,
};
use envc_edge_api::{EnvironmentList, EnvironmentReport, ProbeSettings, Problem, ProblemType};

use super::machine::Registry;
use super::target::{is_zone, registrable};
use crate::call::{Call, Served, invalid};
use crate::http::{Method, Response};
use crate::router::RegistryResource;
use crate::store::{Dirty, Effects};

/// Answers one request to the registry.
pub fn serve(
    registry: &mut Registry,
    resource: &RegistryResource,
    call: &Call<'_>,
    allows_loopback: bool,
) -> Served {
    let mut dirty = Dirty::default();
    let result = answer(registry, resource, call, allows_loopback, &mut dirty);
    let writes = registry.writes(dirty);
    Served {
        response: result.unwrap_or_else(|problem| Response::problem(&problem)),
        effects: Effects { writes, ..Effects::default() },
    }
}

fn answer(
    registry: &mut Registry,
    resource: &RegistryResource,
    call: &Call<'_>,
    allows_loopback: bool,
    dirty: &mut Dirty,
) -> Result<Response, Problem> {
    let now_ms = call.now_ms;
    match (resource, call.method) {
        (RegistryResource::Environment(id), Method::Put) => {
            let report: EnvironmentReport = call.json()?;
            check(&report)?;
            let is_known = registry.entries.contains_key(id);
            if !is_known && registry.entries.len() >= ENVIRONMENTS_MAX {
                return Err(invalid(&format!("there are {ENVIRONMENTS_MAX} environments already")));
            }
            let subject = call.caller.subject.clone();
            let is_new = registry.report(id.clone(), report, subject, now_ms, dirty);
            let status = registry.status(id, allows_loopback, now_ms);
            Ok(if is_new { Response::created(&status) } else { Response::json(&status) })
        }
        (RegistryResource::Environment(id), Method::Delete) => {
            registry.remove(id, now_ms, dirty);
            Ok(Response::no_content())
        }
        (RegistryResource::Environment(id), _) => {
            let status = registry.status(id, allows_loopback, now_ms).ok_or_else(|| {
                Problem::new(ProblemType::NotFound, format!("`{id}` was not reported"))
            })?;
            Ok(Response::json(&status))
        }
        (RegistryResource::Environments, _) => {
            let environments = registry.snapshot(allows_loopback, now_ms).environments;
            Ok(Response::json(&EnvironmentList { environments }))
        }
        (RegistryResource::Probes, Method::Put) => {
            let settings: ProbeSettings = call.json()?;
            if settings.zones.len() > ZONES_MAX {
                return Err(invalid(&format!("at most {ZONES_MAX} zones")));
            }
            if !settings.zones.iter().all(|zone| is_zone(zone)) {
                return Err(invalid(
                    "a zone is a domain in lower case, like `preview.example.com`: no address, \
                     no top level, nothing internal",
                ));
            }
            registry.set_settings(settings.clone(), dirty);
            Ok(Response::json(&settings))
        }
        (RegistryResource::Probes, _) => Ok(Response::json(&registry.settings)),
    }
}

fn check(report: &EnvironmentReport) -> Result<(), Problem> {
    let EnvironmentReport { owner, branch, urls, resources, ttl_seconds, .. } = report;
    let fits = |text: &str| text.chars().count() <= TEXT_CHARS_MAX;
    if owner.trim().is_empty() || !fits(owner) {
        return Err(invalid(&format!("`owner` has 1 to {TEXT_CHARS_MAX} characters")));
    }
    if branch.as_ref().is_some_and(|branch| !fits(branch)) {
        return Err(invalid(&format!("`branch` has at most {TEXT_CHARS_MAX} characters")));
    }
    if urls.len() > URLS_MAX {
        return Err(invalid(&format!("at most {URLS_MAX} URLs")));
    }
    for named in urls {
        if named.url.len() > URL_BYTES_MAX || registrable(&named.url).is_none() {
            return Err(invalid(&format!(
                "the URL `{}` is not `http://` or `https://` with a host and nothing secret, of \
                 at most {URL_BYTES_MAX} characters",
                named.name
            )));
        }
    }
    if resources.len() > RESOURCE_KINDS_MAX || !resources.keys().all(|kind| fits(kind)) {
        return Err(invalid(&format!("at most {RESOURCE_KINDS_MAX} kinds of resources")));
    }
    if *ttl_seconds == Some(0) {
        return Err(invalid("`ttl_seconds` is 1 at least; leave it out for ever"));
    }
    Ok(())
}
