//! Cron triggers of a script.
//!
//! Facts: `PUT` takes a bare array and replaces all. Five fields, in UTC, with the extensions `L`,
//! `W` and `#`. An account without a workers.dev subdomain is told 10063. The code of an unreadable
//! expression is not published (10100 here). At most 250 an account are not counted here.
//!
//! Source: Cloudflare's OpenAPI document and documentation (cron triggers), wrangler's source.

use std::collections::BTreeSet;

use croner::parser::{CronParser, Seconds, Year};
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use super::rows::Script;
use super::subdomain;
use super::upload::invalid;
use crate::clock;
use crate::envelope::{Answer, Problem};
use crate::products::Ctx;
use crate::request::{Req, text};

/// `GET schedules`.
pub(super) fn get(ctx: &Ctx<'_>, script: &str) -> Result<Answer, Problem> {
    let found = ctx.cloud.store.read(|db| -> Result<_, Problem> {
        Script::find(db, script)?;
        Ok(all(db, script)?)
    })?;
    Ok(Answer::ok(&found))
}

/// `PUT schedules`.
pub(super) fn put(ctx: &Ctx<'_>, req: &Req, script: &str) -> Result<Answer, Problem> {
    let body = req.json(|detail| invalid(format!("the request body is invalid: {detail}")))?;
    let items = body.as_array().ok_or_else(|| invalid("the body must be an array"))?;
    let mut crons = BTreeSet::new();
    for item in items {
        let cron = text(item, "cron").or(item.as_str()).unwrap_or_default();
        if !is_cron(cron) {
            return Err(Problem::new(400, 10100, format!("Invalid cron expression: {cron}")));
        }
        crons.insert(cron);
    }
    let written = ctx.cloud.store.write(|db| -> Result<_, Problem> {
        Script::find(db, script)?;
        if subdomain::of_account(db, ctx.cloud)?.is_none() {
            let text = "You need a workers.dev subdomain in order to proceed.";
            return Err(Problem::new(400, 10063, text));
        }
        let kept = json!(crons).to_string();
        db.execute(
            "DELETE FROM worker_schedules WHERE script = ?
             AND cron NOT IN (SELECT value FROM json_each(?))",
            [script, &kept],
        )?;
        for cron in &crons {
            db.execute(
                "INSERT INTO worker_schedules (script, cron, created_us, modified_us)
                 VALUES (?1, ?2, ?3, ?3) ON CONFLICT (script, cron) DO UPDATE SET modified_us = ?3",
                params![script, cron, ctx.now_us],
            )?;
        }
        Ok(all(db, script)?)
    })?;
    Ok(Answer::ok(&written))
}

fn all(db: &Connection, script: &str) -> rusqlite::Result<Value> {
    let rows = db
        .prepare_cached(
            "SELECT cron, created_us, modified_us FROM worker_schedules WHERE script = ?
             ORDER BY created_us, cron",
        )?
        .query_map([script], |row| {
            Ok(json!({
                "cron": row.get::<_, String>(0)?, "created_on": clock::micros(row.get(1)?),
                "modified_on": clock::micros(row.get(2)?),
            }))
        })?
        .collect::<rusqlite::Result<Vec<Value>>>()?;
    Ok(json!({"schedules": rows}))
}

fn is_cron(text: &str) -> bool {
    // The week begins with Sunday as 1.
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .alternative_weekdays(true)
        .build();
    text.split_whitespace().count() == 5 && parser.parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_cron;

    #[test]
    fn five_fields_and_the_extensions() {
        for good in ["*/5 * * * *", "0 0 L * *", "0 0 * * MON#1", "0 9 15W * *"] {
            assert!(is_cron(good), "{good}");
        }
        for bad in ["", "* * * *", "* * * * * *", "61 * * * *", "@daily", "soon"] {
            assert!(!is_cron(bad), "{bad}");
        }
    }
}
