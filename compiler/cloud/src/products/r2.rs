//! R2: buckets, over REST.
//!
//! Endpoints below `accounts/{a}/r2/buckets`: list, create, get, `PATCH` (storage class, in a
//! header), delete; objects are in `r2/objects.rs`. The S3 API is absent; it would be a second
//! face of the same tables.
//!
//! Facts: buckets are keyed by the header `cf-r2-jurisdiction` (absent is `default`) and name.
//! Names match `[a-z0-9][a-z0-9-]{1,61}[a-z0-9]`. Requests are in camel case, answers in snake case, the
//! location comes back in upper case. The list shows less of a bucket than `GET` does. `per_page`
//! 1–1000, default 20; pages follow a cursor, and the last one has no `result_info`. A bucket that holds
//! objects is not deleted, nor one with open multipart uploads, which no list shows: 409 without a code,
//! where the table of codes has 10008 (the fault `coded-conflict`). Uploads are opened over S3, which
//! is absent: by a hook, or by the fault `open-uploads`.
//!
//! Source: Cloudflare's OpenAPI document (r2-bucket), its table of R2 error codes, published
//! live error bodies (10004 for an existing bucket, where the table says 10073).

mod listing;
mod objects;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde_json::{Value, json};

use super::{Ctx, Handle, IdForm, Product, StandIn, is_duplicate};
use crate::clock;
use crate::envelope::{Answer, Problem};
use crate::faults::Flag;
use crate::paging;
use crate::request::{BODY_BYTES_MAX, Req, text};

/// Bytes of an object: the largest that wrangler uploads over REST has 300 MiB.
const OBJECT_BYTES_MAX: usize = 300 * 1024 * 1024;
const LOCATIONS: [&str; 6] = ["apac", "eeur", "enam", "weur", "wnam", "oc"];
const CLASSES: [&str; 2] = ["Standard", "InfrequentAccess"];
const JURISDICTIONS: [&str; 5] = ["default", "eu", "us", "fedramp", "fedramp-high"];
const PER_PAGE_DEFAULT: u32 = 20;
const PER_PAGE_MAX: u32 = 1000;

/// A bucket's row.
#[derive(Debug)]
struct Bucket {
    seq: i64,
    jurisdiction: String,
    name: String,
    location: String,
    storage_class: String,
    created_us: i64,
}

impl Bucket {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            jurisdiction: row.get(1)?,
            name: row.get(2)?,
            location: row.get(3)?,
            storage_class: row.get(4)?,
            created_us: row.get(5)?,
        })
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name, "creation_date": clock::millis(self.created_us),
            "location": self.location.to_ascii_uppercase(), "storage_class": self.storage_class,
            "jurisdiction": self.jurisdiction,
        })
    }
}

/// Its row.
pub(super) const PRODUCT: Product = Product {
    body_bytes_max: |method, rest| match rest {
        [_, "objects", _, ..] if *method == http::Method::PUT => OBJECT_BYTES_MAX,
        _ => BODY_BYTES_MAX,
    },
    stand_in: Some(StandIn {
        kind: "r2",
        id: IdForm::Name,
        exists: "SELECT 1 FROM r2_buckets WHERE jurisdiction = 'default' AND name IN (?1, ?2)",
        insert: "INSERT INTO r2_buckets (jurisdiction, name, location, storage_class, created_us)
                 VALUES ('default', ?1, 'weur', 'Standard', ?3)",
    }),
    ..Product::of("r2", &["r2", "buckets"], Handle::Account(handle))
};

/// Answers a call below `r2/buckets`.
pub(super) fn handle(ctx: &Ctx<'_>, req: &Req, rest: &[&str]) -> Result<Answer, Problem> {
    let jurisdiction = req.header("cf-r2-jurisdiction").unwrap_or("default");
    if !JURISDICTIONS.contains(&jurisdiction) {
        return Err(Problem::new(400, 10040, "Invalid jurisdiction"));
    }
    match (req.method.as_str(), rest) {
        ("GET", []) => list(ctx, req, jurisdiction),
        ("POST", []) => create(ctx, req, jurisdiction),
        ("GET", [name]) => Ok(Answer::ok(&find(ctx, jurisdiction, name)?.json())),
        ("PATCH", [name]) => set_class(ctx, req, find(ctx, jurisdiction, name)?),
        ("DELETE", [name]) => delete(ctx, &find(ctx, jurisdiction, name)?),
        (_, [name, "objects", key @ ..]) => {
            let bucket = find(ctx, jurisdiction, name)?;
            objects::handle(ctx, req, bucket.seq, &bucket.storage_class, key)
        }
        (_, [] | [_]) => Err(req.bad_method()),
        _ => Err(Problem::new(404, 10015, "No route matches this url.")),
    }
}

fn malformed(detail: impl std::fmt::Display) -> Problem {
    Problem::new(400, 10040, format!("The JSON you provided was not well formed: {detail}"))
}

fn is_name(name: &str) -> bool {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.starts_with(edge)
        && name.ends_with(edge)
        && name.chars().all(|c| edge(c) || c == '-')
}

fn find(ctx: &Ctx<'_>, jurisdiction: &str, name: &str) -> Result<Bucket, Problem> {
    if !is_name(name) {
        return Err(Problem::new(400, 10005, "The specified bucket name is not valid."));
    }
    let found = ctx.cloud.store.read(|db| {
        db.prepare_cached(
            "SELECT seq, jurisdiction, name, location, storage_class, created_us
             FROM r2_buckets WHERE jurisdiction = ? AND name = ?",
        )?
        .query_row([jurisdiction, name], Bucket::from_row)
        .optional()
    })?;
    found.ok_or_else(gone)
}

fn gone() -> Problem {
    Problem::new(404, 10006, "The specified bucket does not exist.")
}

/// Reads a cursor of buckets or objects.
fn read_cursor(cursor: &str) -> Result<String, Problem> {
    URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| Problem::new(400, 10040, "Invalid cursor"))
}

/// Writes a cursor of buckets or objects.
fn write_cursor(position: &str) -> String {
    URL_SAFE_NO_PAD.encode(position)
}

/// The number of items per page.
fn per_page(req: &Req, default: u32) -> Result<usize, Problem> {
    let per_page = paging::number(&req.query, "per_page", default, 10040)?;
    if !(1..=PER_PAGE_MAX).contains(&per_page) {
        let text = format!("per_page must be between 1 and {PER_PAGE_MAX}");
        return Err(Problem::new(400, 10040, text));
    }
    Ok(usize::try_from(per_page).unwrap_or(usize::MAX))
}

fn list(ctx: &Ctx<'_>, req: &Req, jurisdiction: &str) -> Result<Answer, Problem> {
    let wanted = per_page(req, PER_PAGE_DEFAULT)?;
    let descending = req.query.get("direction") == Some("desc");
    let contains = req.query.get("name_contains").unwrap_or("");
    let after = match req.query.get("cursor") {
        None | Some("") => req.query.get("start_after").unwrap_or("").to_owned(),
        Some(cursor) => read_cursor(cursor)?,
    };
    let (compare, order) = if descending { ("<", "DESC") } else { (">", "ASC") };
    let sql = format!(
        "SELECT name, created_us FROM r2_buckets WHERE jurisdiction = ?1
         AND (?2 = '' OR name {compare} ?2) AND instr(name, ?3) > 0 AND created_us <= ?4
         ORDER BY name {order} LIMIT ?5"
    );
    let limit = i64::try_from(wanted).unwrap_or(i64::MAX).saturating_add(1);
    let mut rows = ctx.cloud.store.read(|db| {
        db.prepare_cached(&sql)?
            .query_map(params![jurisdiction, after, contains, ctx.visible_us(), limit], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?
            .collect::<rusqlite::Result<Vec<(String, i64)>>>()
    })?;
    let more = rows.len() > wanted;
    rows.truncate(wanted);
    let mut info = json!({"per_page": wanted});
    if let (true, Some((last, _)), Some(map)) = (more, rows.last(), info.as_object_mut()) {
        map.insert("cursor".to_owned(), json!(write_cursor(last)));
    }
    let item = |(name, created_us): &(String, i64)| json!({"name": name, "creation_date": clock::millis(*created_us)});
    let buckets: Vec<Value> = rows.iter().map(item).collect();
    let result = json!({"buckets": buckets});
    Ok(if more { Answer::page(&result, info) } else { Answer::ok(&result) })
}

fn create(ctx: &Ctx<'_>, req: &Req, jurisdiction: &str) -> Result<Answer, Problem> {
    let body = req.json(malformed)?;
    let name = text(&body, "name").ok_or_else(|| malformed("name is required"))?;
    if !is_name(name) {
        return Err(Problem::new(400, 10005, "The specified bucket name is not valid."));
    }
    let choice = |key: &str, allowed: &[&str], default: &str| match body.get(key) {
        None | Some(Value::Null) => Ok(default.to_owned()),
        Some(Value::String(value)) => allowed
            .iter()
            .find(|known| known.eq_ignore_ascii_case(value))
            .map(|known| (*known).to_owned())
            .ok_or_else(|| malformed(format!("invalid {key}"))),
        Some(_) => Err(malformed(format!("invalid {key}"))),
    };
    let mut bucket = Bucket {
        seq: 0,
        jurisdiction: jurisdiction.to_owned(),
        name: name.to_owned(),
        location: choice("locationHint", &LOCATIONS, "weur")?,
        storage_class: choice("storageClass", &CLASSES, "Standard")?,
        created_us: ctx.now_us,
    };
    bucket.seq = ctx.cloud.store.write(|db| {
        let inserted = db
            .prepare_cached(
                "INSERT INTO r2_buckets (jurisdiction, name, location, storage_class, created_us)
                 VALUES (?, ?, ?, ?, ?)",
            )?
            .insert(params![
                bucket.jurisdiction,
                bucket.name,
                bucket.location,
                bucket.storage_class,
                bucket.created_us
            ]);
        let seq = inserted.map_err(|error| {
            if is_duplicate(&error) {
                let text = "The bucket you tried to create already exists, and you own it.";
                return Problem::new(409, 10004, text);
            }
            error.into()
        })?;
        open(db, seq, ctx.cloud.injector.faults.open_uploads, ctx.now_us)?;
        Ok::<_, Problem>(seq)
    })?;
    Ok(Answer::ok(&bucket.json()))
}

fn set_class(ctx: &Ctx<'_>, req: &Req, bucket: Bucket) -> Result<Answer, Problem> {
    let class = req.header("cf-r2-storage-class").filter(|class| CLASSES.contains(class));
    let class = class.ok_or_else(|| Problem::new(400, 10040, "Invalid storage class"))?.to_owned();
    ctx.cloud.store.write(|db| -> rusqlite::Result<_> {
        db.execute(
            "UPDATE r2_buckets SET storage_class = ? WHERE seq = ?",
            params![class, bucket.seq],
        )
    })?;
    Ok(Answer::ok(&Bucket { storage_class: class, ..bucket }.json()))
}

/// Opens multipart uploads in a bucket.
fn open(db: &Connection, bucket: i64, count: u32, now_us: i64) -> rusqlite::Result<()> {
    let mut insert =
        db.prepare_cached("INSERT INTO r2_uploads (bucket, created_us) VALUES (?, ?)")?;
    for _ in 0..count {
        insert.execute([bucket, now_us])?;
    }
    Ok(())
}

/// The hook by which so many multipart uploads are open in a bucket.
pub(super) fn open_uploads(ctx: &Ctx<'_>, bucket: &str, count: u32) -> Result<Answer, Problem> {
    let bucket = find(ctx, "default", bucket)?;
    ctx.cloud.store.write(|db| -> Result<_, Problem> {
        db.execute("DELETE FROM r2_uploads WHERE bucket = ?", [bucket.seq])?;
        Ok(open(db, bucket.seq, count, ctx.now_us)?)
    })?;
    Ok(Answer::null())
}

fn delete(ctx: &Ctx<'_>, bucket: &Bucket) -> Result<Answer, Problem> {
    ctx.cloud.store.write(|db| {
        let full = db
            .prepare_cached(
                "SELECT 1 FROM r2_objects WHERE bucket = ?1
                 UNION ALL SELECT 1 FROM r2_uploads WHERE bucket = ?1 LIMIT 1",
            )?
            .exists([bucket.seq])?;
        if full {
            let text = format!(
                "The bucket you tried to delete ({}) is not empty (account {}).",
                bucket.name, ctx.cloud.account_id
            );
            let problem = Problem::new(409, 10008, text);
            let coded = ctx.cloud.injector.faults.has(Flag::CodedConflict);
            return Err(if coded { problem } else { problem.without_code() });
        }
        match db.execute("DELETE FROM r2_buckets WHERE seq = ?", [bucket.seq])? {
            0 => Err(gone()),
            _ => Ok(()),
        }
    })?;
    Ok(Answer::ok(&json!({})))
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names_have_3_to_63_characters() {
        assert!(is_name("abc"));
        assert!(is_name(&"a".repeat(63)));
        for bad in ["ab", &"a".repeat(64), "-ab", "ab-", "a_b", "Abc", "a.b"] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
