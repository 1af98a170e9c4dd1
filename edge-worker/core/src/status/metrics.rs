//! The status in Prometheus' text format, version 0.0.4.

use std::fmt::Write as _;

use envc_edge_api::{Reachability, Status, StatusCounts};

use crate::http::Response;

/// `GET /metrics`
pub fn metrics(status: &Status) -> Response {
    let mut text = String::new();
    family(&mut text, "envc_environments", "Environments that are registered.");
    line(&mut text, "envc_environments", &[], status.environments.len());
    let StatusCounts { environments: _, up, down, unknown, expired } = status.counts;
    family(&mut text, "envc_environments_by_health", "Environments by what probes found.");
    for (health, count) in [("up", up), ("down", down), ("unknown", unknown)] {
        line(&mut text, "envc_environments_by_health", &[("health", health)], count);
    }
    family(&mut text, "envc_environments_past_ttl", "Environments whose time is over.");
    line(&mut text, "envc_environments_past_ttl", &[], expired);
    family(&mut text, "envc_environment_past_ttl", "1 if an environment's time is over.");
    for it in &status.environments {
        let labels = [("environment", it.id.as_str())];
        line(&mut text, "envc_environment_past_ttl", &labels, usize::from(it.is_past_ttl));
    }
    family(&mut text, "envc_url_up", "1 if a probed URL answered the last probe, 0 if not.");
    for it in &status.environments {
        for url in it.urls.iter().filter(|url| url.health != Reachability::Unknown) {
            let labels = [("environment", it.id.as_str()), ("name", url.name.as_str())];
            let is_up = usize::from(url.health == Reachability::Up);
            line(&mut text, "envc_url_up", &labels, is_up);
        }
    }
    family(&mut text, "envc_url_latency_milliseconds", "How long the last answer took.");
    for it in &status.environments {
        for url in &it.urls {
            let Some(last) = url.last.as_ref().filter(|last| last.status.is_some()) else {
                continue;
            };
            let labels = [("environment", it.id.as_str()), ("name", url.name.as_str())];
            line(&mut text, "envc_url_latency_milliseconds", &labels, last.latency_ms);
        }
    }
    for (name, help) in [
        ("envc_pool_size", "Members of a pool."),
        ("envc_pool_free", "Members that can be leased now."),
        ("envc_pool_leased", "Members that are leased."),
        ("envc_pool_cooling", "Members that cool down after a lease."),
        ("envc_pool_draining", "Members that leave once they are free."),
        ("envc_pool_queue", "Tickets that wait."),
    ] {
        family(&mut text, name, help);
        for pool in &status.pools {
            let value = match name {
                "envc_pool_size" => pool.size,
                "envc_pool_free" => pool.free,
                "envc_pool_leased" => pool.leased,
                "envc_pool_cooling" => pool.cooling,
                "envc_pool_draining" => pool.draining,
                _ => pool.queue,
            };
            line(&mut text, name, &[("pool", pool.pool.as_str())], value);
        }
    }
    Response::text("text/plain; version=0.0.4; charset=utf-8", text)
}

fn family(text: &mut String, name: &str, help: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
}

/// Label values are [`envc_edge_api::Name`]s, which hold nothing to escape.
fn line(text: &mut String, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
    let labels: Vec<String> =
        labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
    let labels =
        if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    let _ = writeln!(text, "{name}{labels} {value}");
}
