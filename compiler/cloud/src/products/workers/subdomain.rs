//! workers.dev: the account's subdomain, and whether a script answers on it.
//!
//! Facts: an account has one subdomain or none (10007); `GET subdomains/{n}` asks whether a name
//! is free (10032) or taken (10031). The local account has one from the start, made of its ID. A
//! script with Durable Objects has no preview URLs: asking for them is 100331; what a client
//! leaves out follows `enabled` as far as that allows.
//!
//! Source: Cloudflare's OpenAPI document, wrangler's source, published live error bodies.

use rusqlite::{Connection, OptionalExtension as _};
use serde_json::{Value, json};

use super::classes;
use super::rows::Script;
use super::upload::invalid;
use crate::cloud::Inner;
use crate::envelope::{Answer, Problem};
use crate::products::Ctx;
use crate::request::{Req, text};

/// Where the subdomain stands among the folder's constants; empty is none.
const KEY: &str = "workers_subdomain";

/// The account's subdomain.
pub(super) fn of_account(db: &Connection, cloud: &Inner) -> rusqlite::Result<Option<String>> {
    let held = db
        .prepare_cached("SELECT value FROM meta WHERE key = ?")?
        .query_row([KEY], |row| row.get::<_, String>(0))
        .optional()?;
    let name = held.unwrap_or_else(|| {
        format!("local-{}", cloud.account_id.chars().take(8).collect::<String>())
    });
    Ok((!name.is_empty()).then_some(name))
}

fn none() -> Problem {
    Problem::new(404, 10007, "You need a workers.dev subdomain in order to proceed.")
}

/// `GET`, `PUT` and `DELETE` of `subdomain`.
pub(super) fn account(ctx: &Ctx<'_>, req: &Req) -> Result<Answer, Problem> {
    let store = &ctx.cloud.store;
    let set = |name: &str| {
        store.write(|db| {
            db.execute(
                "INSERT INTO meta (key, value) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET value = ?2",
                [KEY, name],
            )
        })
    };
    match req.method.as_str() {
        "GET" => {
            let name = store.read(|db| of_account(db, ctx.cloud))?.ok_or_else(none)?;
            Ok(Answer::ok(&json!({"subdomain": name})))
        }
        "PUT" => {
            let body = req.json(|detail| invalid(format!("the body is invalid: {detail}")))?;
            let name = text(&body, "subdomain").unwrap_or_default();
            if !is_label(name) {
                return Err(Problem::new(400, 10034, format!("Invalid subdomain '{name}'.")));
            }
            set(name)?;
            Ok(Answer::ok(&json!({"subdomain": name})))
        }
        "DELETE" => {
            store.read(|db| of_account(db, ctx.cloud))?.ok_or_else(none)?;
            set("")?;
            Ok(Answer::null())
        }
        _ => Err(req.bad_method()),
    }
}

/// `GET subdomains/{n}`.
pub(super) fn probe(ctx: &Ctx<'_>, name: &str) -> Result<Answer, Problem> {
    let own = ctx.cloud.store.read(|db| of_account(db, ctx.cloud))?;
    Err(if !is_label(name) {
        Problem::new(400, 10034, format!("Invalid subdomain '{name}'."))
    } else if own.as_deref() == Some(name) {
        Problem::new(409, 10031, "Subdomain is unavailable.")
    } else {
        Problem::new(404, 10032, "Subdomain is available.")
    })
}

fn is_label(name: &str) -> bool {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=63).contains(&name.len())
        && name.starts_with(edge)
        && name.ends_with(edge)
        && name.chars().all(|c| edge(c) || c == '-')
}

fn state(script: &Script) -> Value {
    json!({"enabled": script.on_subdomain, "previews_enabled": script.previews})
}

/// `GET`, `POST` and `DELETE` of a script's `subdomain`.
pub(super) fn script(ctx: &Ctx<'_>, req: &Req, name: &str) -> Result<Answer, Problem> {
    let store = &ctx.cloud.store;
    let (enabled, previews) = match req.method.as_str() {
        "GET" => return Ok(Answer::ok(&state(&store.read(|db| Script::find(db, name))?))),
        "POST" => {
            let body = req.json(|detail| invalid(format!("the body is invalid: {detail}")))?;
            let flag = |key: &str| body.get(key).and_then(Value::as_bool);
            let enabled = flag("enabled").ok_or_else(|| invalid("enabled is required"))?;
            (enabled, flag("previews_enabled"))
        }
        "DELETE" => (false, Some(false)),
        _ => return Err(req.bad_method()),
    };
    let script = store.write(|db| -> Result<_, Problem> {
        let mut script = Script::find(db, name)?;
        let has_objects = !classes::of_script(db, name)?.is_empty();
        if has_objects && previews == Some(true) {
            let text = "Preview URLs are not available for Workers that implement Durable Objects.";
            return Err(Problem::new(400, 100_331, text));
        }
        script.on_subdomain = enabled;
        script.previews = previews.unwrap_or(enabled && !has_objects);
        script.write(db)?;
        Ok(script)
    })?;
    Ok(Answer::ok(&state(&script)))
}
