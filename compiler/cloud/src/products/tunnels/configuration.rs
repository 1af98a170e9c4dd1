//! The remote configuration of a tunnel: one document, replaced whole.
//!
//! Endpoints: `GET` and `PUT cfd_tunnel/{id}/configurations`.
//!
//! Facts: each `PUT` raises the version; the last ingress rule must match everything (no
//! `hostname`, no `path`) and no other may, else 400 with 1056; a service is a URL, a socket, a
//! status or a built-in. `originRequest`, of a rule and of the whole, has numbers, truth values and texts;
//! a time is a whole number of seconds, and no text such as `30s`. Never configured: `config` is null. There is no `DELETE`. Rules come back
//! as sent, with the options that were sent, and every answer has `warp-routing`, sent or not. Of a deleted tunnel there is none (404,
//! 1055). The text of a refusal ends with a line end.
//!
//! Not published: the code of an option of another type (1056 here).
//!
//! Source: Cloudflare's OpenAPI document (tunnel configuration), cloudflared's validator and the
//! wording of its refusals.

use rusqlite::{Connection, params};
use serde_json::{Value, json};

use super::super::Ctx;
use super::{Tunnel, malformed};
use crate::clock;
use crate::envelope::{Answer, Problem};
use crate::request::{Req, text};

const SCHEMES: [&str; 11] = [
    "http://",
    "https://",
    "ws://",
    "wss://",
    "tcp://",
    "ssh://",
    "rdp://",
    "smb://",
    "unix:",
    "unix+tls:",
    "http_status:",
];
/// Options whose values are whole numbers; the first four are seconds.
const NUMBERS: [&str; 6] = [
    "connectTimeout",
    "tlsTimeout",
    "tcpKeepAlive",
    "keepAliveTimeout",
    "keepAliveConnections",
    "proxyPort",
];
const TRUTHS: [&str; 6] = [
    "noTLSVerify",
    "http2Origin",
    "disableChunkedEncoding",
    "noHappyEyeballs",
    "matchSNItoHost",
    "bastionMode",
];
const TEXTS: [&str; 5] =
    ["httpHostHeader", "originServerName", "caPool", "proxyAddress", "proxyType"];
const BUILT_IN: [&str; 4] = ["hello_world", "hello-world", "bastion", "socks-proxy"];

/// `GET configurations`.
pub(super) fn get(ctx: &Ctx<'_>, id: &str) -> Result<Answer, Problem> {
    let result = ctx.cloud.store.read(|db| -> Result<_, Problem> {
        let tunnel = find(db, id)?;
        let (config, version, at): (Option<String>, i64, Option<i64>) = db.query_row(
            "SELECT config, config_version, config_us FROM tunnels WHERE id = ?",
            [id],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        let config = config.map_or(Ok(Value::Null), |text| serde_json::from_str(&text));
        let config = config.map_err(Problem::internal)?;
        Ok(document(id, &config, version, (&tunnel.config_src, at)))
    })?;
    Ok(Answer::ok(&result))
}

fn document(id: &str, config: &Value, version: i64, (source, at_us): (&str, Option<i64>)) -> Value {
    let mut config = config.clone();
    if let Some(map) = config.as_object_mut() {
        map.entry("warp-routing").or_insert_with(|| json!({"enabled": false}));
    }
    json!({
        "tunnel_id": id, "version": version,
        "config": config, "source": source, "created_at": at_us.map(clock::micros),
    })
}

/// `PUT configurations`.
pub(super) fn put(ctx: &Ctx<'_>, req: &Req, id: &str) -> Result<Answer, Problem> {
    let body = req.json(malformed)?;
    let config = body.get("config").filter(|config| config.is_object());
    let config = config.ok_or_else(|| malformed("config is required"))?;
    check_origin_request(config)?;
    if let Some(ingress) = config.get("ingress").filter(|ingress| !ingress.is_null()) {
        check_ingress(ingress)?;
    }
    let result = ctx.cloud.store.write(|db| -> Result<_, Problem> {
        let tunnel = find(db, id)?;
        let version: i64 = db.query_row(
            "UPDATE tunnels SET config = ?, config_version = config_version + 1, config_us = ?
             WHERE id = ? RETURNING config_version",
            params![config.to_string(), ctx.now_us, id],
            |row| row.get(0),
        )?;
        Ok(document(id, config, version, (&tunnel.config_src, Some(ctx.now_us))))
    })?;
    Ok(Answer::ok(&result))
}

/// The tunnel, if it is not deleted.
fn find(db: &Connection, id: &str) -> Result<Tunnel, Problem> {
    let tunnel = super::find(db, id)?;
    if tunnel.deleted_us.is_some() {
        return Err(Problem::new(404, 1055, "Configuration for tunnel not found"));
    }
    Ok(tunnel)
}

fn bad(detail: impl std::fmt::Display) -> Problem {
    Problem::new(400, 1056, format!("Bad Configuration: Validation failed: {detail}\n"))
}

fn check_ingress(ingress: &Value) -> Result<(), Problem> {
    let rules = ingress.as_array().ok_or_else(|| bad("ingress must be a list of rules"))?;
    let Some((last, others)) = rules.split_last() else {
        let text = "Bad Configuration: The config file doesn't contain any ingress rules\n";
        return Err(Problem::new(400, 1056, text));
    };
    for rule in rules {
        check_origin_request(rule)?;
    }
    for (number, rule) in others.iter().enumerate() {
        check_service(rule)?;
        if catches_all(rule) {
            return Err(bad(format!(
                "Rule #{} is matching the hostname '{}', but this will match every hostname, \
                 meaning the rules which follow it will never be triggered.",
                number + 1,
                text(rule, "hostname").unwrap_or("")
            )));
        }
    }
    check_service(last)?;
    if catches_all(last) {
        Ok(())
    } else {
        Err(bad(
            "The last ingress rule must match all URLs (i.e. it should not have a hostname or path \
             filter)",
        ))
    }
}

fn catches_all(rule: &Value) -> bool {
    let hostname = text(rule, "hostname").unwrap_or("");
    (hostname.is_empty() || hostname == "*") && text(rule, "path").unwrap_or("").is_empty()
}

fn check_service(rule: &Value) -> Result<(), Problem> {
    let service = text(rule, "service").unwrap_or("");
    let status = service.strip_prefix("http_status:");
    let known = match status {
        Some(code) => code.parse::<u16>().is_ok_and(|code| (100..=999).contains(&code)),
        None => {
            BUILT_IN.contains(&service)
                || SCHEMES
                    .iter()
                    .any(|scheme| service.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
        }
    };
    if known { Ok(()) } else { Err(bad(format!("{service} is not a valid service"))) }
}

/// How the service is reached, where a rule or the whole says so.
fn check_origin_request(of: &Value) -> Result<(), Problem> {
    let Some(options) = of.get("originRequest").filter(|options| !options.is_null()) else {
        return Ok(());
    };
    let Some(options) = options.as_object() else {
        return Err(bad("originRequest must be an object"));
    };
    for (name, value) in options.iter().filter(|(_, value)| !value.is_null()) {
        let (good, wanted) = match name.as_str() {
            it if NUMBERS.contains(&it) => (value.is_i64() || value.is_u64(), "a whole number"),
            it if TRUTHS.contains(&it) => (value.is_boolean(), "true or false"),
            it if TEXTS.contains(&it) => (value.is_string(), "a text"),
            _ => continue,
        };
        if !good {
            return Err(bad(format!("originRequest.{name} must be {wanted}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ingress: &Value) -> Result<(), String> {
        check_ingress(ingress).map_err(|problem| format!("{problem:?}"))
    }

    #[test]
    fn the_last_rule_and_only_the_last_catches_all() {
        let app = json!({"hostname": "a.example.com", "service": "http://localhost:1"});
        let all = json!({"service": "http_status:404"});
        assert_eq!(check(&json!([app, all])), Ok(()));
        assert_eq!(check(&json!([all])), Ok(()));
        assert!(check(&json!([app])).unwrap_err().contains("must match all URLs"));
        assert!(check(&json!([all, all])).unwrap_err().contains("Rule #1"));
        assert!(check(&json!([])).is_err());
    }

    #[test]
    fn options_of_a_service_have_their_types_and_times_are_seconds() {
        for good in [
            json!({"connectTimeout": 10, "noTLSVerify": true, "httpHostHeader": "a"}),
            json!({"tlsTimeout": null, "unheard_of": "1s"}),
            json!({}),
            Value::Null,
        ] {
            assert!(check_origin_request(&json!({"originRequest": good})).is_ok(), "{good}");
        }
        for bad in [
            json!({"connectTimeout": "10s"}),
            json!({"keepAliveTimeout": 1.5}),
            json!({"http2Origin": "on"}),
            json!({"originServerName": 1}),
            json!([]),
        ] {
            assert!(check_origin_request(&json!({"originRequest": bad})).is_err(), "{bad}");
        }
    }

    #[test]
    fn services_have_known_forms() {
        for good in ["http://localhost:3000", "unix:/run/a", "http_status:503", "hello_world"] {
            assert!(check_service(&json!({"service": good})).is_ok(), "{good}");
        }
        for bad in ["", "localhost:3000", "http://", "http_status:x", "ftp://a"] {
            assert!(check_service(&json!({"service": bad})).is_err(), "{bad}");
        }
    }
}
