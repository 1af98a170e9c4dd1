//! `POST batch`: many changes of DNS records in one transaction.
//!
//! Facts: deletes, patches, puts and posts run in this order; the first failure undoes all; at
//! most 200 operations (free plan). The result has the same four keys, each with whole records,
//! deleted ones included, in an order of its own. The code of too many operations is not published (1004 with 9208 here).
//!
//! Source: Cloudflare's OpenAPI document (dns-records) and documentation (batch changes).

use serde_json::{Value, json};

use super::super::Ctx;
use super::super::zones::Zone;
use super::record::Record;
use super::{change, create, delete, malformed, rules, shown};
use crate::envelope::{Answer, Problem};
use crate::request::{Req, text};

const OPERATIONS_MAX: usize = 200;

/// Runs a batch.
pub(super) fn run(ctx: &Ctx<'_>, req: &Req, zone: &Zone) -> Result<Answer, Problem> {
    let body = req.json(malformed)?;
    let list = |key: &str| match body.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => Ok(items.clone()),
        Some(_) => Err(malformed(format!("{key} must be a list"))),
    };
    let (deletes, patches) = (list("deletes")?, list("patches")?);
    let (puts, posts) = (list("puts")?, list("posts")?);
    let count = deletes.len() + patches.len() + puts.len() + posts.len();
    if count == 0 || count > OPERATIONS_MAX {
        let text = format!("A batch has between 1 and {OPERATIONS_MAX} operations, not {count}.");
        return Err(rules::invalid(9208, text));
    }
    let result = ctx.cloud.store.write(|db| {
        let each = |items: &[Value], f: &dyn Fn(&Value) -> Result<Record, Problem>| {
            items
                .iter()
                .map(|item| f(item).map(|record| shown(ctx, &record)))
                .collect::<Result<Vec<Value>, Problem>>()
        };
        let deletes = each(&deletes, &|item| delete(db, zone, id(item)?))?;
        let rewrite = |item: &Value, keep| change(db, ctx.now_us, zone, (id(item)?, item, keep));
        let patches = each(&patches, &|item| rewrite(item, true))?;
        let puts = each(&puts, &|item| rewrite(item, false))?;
        // The order of the answer is documented nowhere: here it is not that of the request.
        let mut posts = each(&posts, &|item| create(db, ctx.now_us, zone, item))?;
        posts.reverse();
        Ok::<_, Problem>(json!({
            "deletes": deletes, "patches": patches, "puts": puts, "posts": posts,
        }))
    })?;
    Ok(Answer::ok(&result))
}

fn id(item: &Value) -> Result<&str, Problem> {
    text(item, "id").ok_or_else(|| malformed("id is required"))
}
