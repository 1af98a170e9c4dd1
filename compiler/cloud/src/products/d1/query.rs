//! `POST {id}/query` and `POST {id}/raw`: the request, and the answer's shape.
//!
//! Facts: the body is `{sql, params?}` or `{batch: [{sql, params?}, …]}`; all of it is one
//! transaction. `/query` has rows as objects, `/raw` as arrays beside their column names. Both
//! have one element per statement.
//!
//! Parameters go with one statement: a text of several that has any is 400 with 7400.
//!
//! Source: Cloudflare's OpenAPI document (d1).

use serde_json::Value;

use super::rows::Shape;
use super::run::{self, Sql};
use super::{changed, malformed};
use crate::envelope::{Answer, Problem};
use crate::products::Ctx;
use crate::request::{Req, text};

/// Runs a request on a database.
pub(super) fn answer(
    ctx: &Ctx<'_>,
    req: &Req,
    uuid: &str,
    shape: Shape,
) -> Result<Answer, Problem> {
    let batch = parse(&req.json(malformed)?)?;
    let done = ctx.cloud.store.with_d1(uuid, |db| {
        let done = run::run(db, &batch, shape, &req.gone)?;
        if let Ok(run::Done { number: Some(number), .. }) = &done {
            changed(ctx, uuid, db, *number)?;
        }
        Ok(done)
    })??;
    Ok(Answer::json_text(done.to_json()))
}

fn parse(body: &Value) -> Result<Vec<Sql>, Problem> {
    let Some(batch) = body.get("batch") else {
        return Ok(vec![parse_one(body)?]);
    };
    let items = batch.as_array().ok_or_else(|| malformed("batch: Expected array"))?;
    if items.is_empty() {
        return Err(malformed("batch: Array must contain at least 1 element(s)"));
    }
    items.iter().map(parse_one).collect()
}

fn parse_one(body: &Value) -> Result<Sql, Problem> {
    let sql = text(body, "sql").ok_or_else(|| malformed("sql: Required"))?;
    let params = match body.get("params") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(params)) => params.clone(),
        Some(_) => return Err(malformed("params: Expected array")),
    };
    Ok(Sql::new(sql, params))
}
