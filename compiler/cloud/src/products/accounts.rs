//! The account, the user, and the token's check of itself.
//!
//! Endpoints: `GET accounts`, `GET accounts/{a}`, `GET user`, `GET memberships`,
//! `GET user/tokens/verify`, `GET accounts/{a}/tokens/verify`.
//!
//! Limits: `per_page` 5–50, default 20. There is one account. Its token verifies on both routes,
//! which a real token does not: a user-owned one only on the first.
//!
//! Source: Cloudflare's OpenAPI document (accounts, user API tokens).

use serde_json::{Value, json};

use super::Ctx;
use crate::clock;
use crate::envelope::{Answer, Problem};
use crate::paging::{Bounds, Page};
use crate::request::Req;

const BOUNDS: Bounds = Bounds { default: 20, min: 5, max: 50, code: 1001 };
/// The account's name.
const NAME: &str = "Local cloud";

/// Answers `accounts`, `user` and `memberships`; anything else has no route.
pub(super) fn handle(ctx: &Ctx<'_>, req: &Req, path: &[&str]) -> Result<Answer, Problem> {
    match path {
        ["accounts" | "user" | "memberships"] if req.method != http::Method::GET => {
            Err(req.bad_method())
        }
        ["accounts"] => list(ctx, req),
        ["user"] => Ok(Answer::ok(&json!({"id": ctx.cloud.token_id, "email": "local@localhost"}))),
        ["memberships"] => {
            let page = Page::parse(&req.query, BOUNDS)?;
            let membership = json!({
                "id": ctx.cloud.token_id, "status": "accepted", "account": account(ctx),
                "roles": ["Super Administrator - All Privileges"],
            });
            let rows = page.cut(vec![membership]);
            Ok(Answer::page(&json!(rows), page.info(rows.len(), 1)))
        }
        _ => Err(req.no_route()),
    }
}

fn list(ctx: &Ctx<'_>, req: &Req) -> Result<Answer, Problem> {
    let page = Page::parse(&req.query, BOUNDS)?;
    let named = req.query.get("name").is_none_or(|name| name == NAME);
    let all = if named { vec![account(ctx)] } else { Vec::new() };
    let total = i64::from(named);
    let rows = page.cut(all);
    Ok(Answer::page(&json!(rows), page.info(rows.len(), total)))
}

/// `GET accounts/{a}`.
pub(super) fn get(ctx: &Ctx<'_>, req: &Req) -> Result<Answer, Problem> {
    if req.method == http::Method::GET {
        Ok(Answer::ok(&account(ctx)))
    } else {
        Err(req.bad_method())
    }
}

fn account(ctx: &Ctx<'_>) -> Value {
    json!({
        "id": ctx.cloud.account_id,
        "name": NAME,
        "type": "standard",
        "created_on": "2024-01-01T00:00:00.12345Z",
        "settings": {"enforce_twofactor": false, "abuse_contact_email": null},
    })
}

/// `GET user/tokens/verify` and `GET accounts/{a}/tokens/verify`.
pub(super) fn verify(ctx: &Ctx<'_>, req: &Req) -> Result<Answer, Problem> {
    if req.method != http::Method::GET {
        return Err(req.bad_method());
    }
    if let Some(["accounts", account, ..]) =
        req.segments.as_ref().map(|s| s.iter().map(String::as_str).collect::<Vec<_>>()).as_deref()
    {
        if !clock::is_hex_id(account) {
            return Err(req.no_route());
        }
        if *account != ctx.cloud.account_id {
            return Err(Problem::new(401, 1000, "Invalid API Token"));
        }
    }
    let message =
        json!({"code": 10000, "message": "This API Token is valid and active", "type": null});
    let result = json!({"id": ctx.cloud.token_id, "status": "active"});
    Ok(Answer::ok(&result).with_message(message))
}
