//! One DNS record: its row, its JSON, and how a body becomes one.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde_json::{Map, Value, json};

use super::super::zones::Zone;
use super::rules;
use crate::clock;
use crate::envelope::Problem;
use crate::request::text;

const COLUMNS: &str = "id, zone_id, name, type, content, data, ttl, proxied, priority, comment, \
                       settings, created_us, modified_us, comment_modified_us";
const WORKER: &str = "(SELECT d.script FROM worker_domains d WHERE d.record_id = dns_records.id)";
/// Fields that a body may name.
const FIELDS: [&str; 9] =
    ["name", "type", "content", "data", "ttl", "proxied", "priority", "comment", "settings"];

/// A record.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) id: String,
    pub(super) zone_id: String,
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) content: String,
    /// JSON text of a structured type.
    data: Option<String>,
    pub(super) ttl: i64,
    pub(super) proxied: bool,
    priority: Option<i64>,
    pub(super) comment: Option<String>,
    settings: String,
    pub(super) created_us: i64,
    modified_us: i64,
    pub(super) comment_modified_us: Option<i64>,
    /// The Worker whose custom domain made the record: nobody else may change it.
    pub(super) worker: Option<String>,
}

impl Record {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            zone_id: row.get(1)?,
            name: row.get(2)?,
            kind: row.get(3)?,
            content: row.get(4)?,
            data: row.get(5)?,
            ttl: row.get(6)?,
            proxied: row.get(7)?,
            priority: row.get(8)?,
            comment: row.get(9)?,
            settings: row.get(10)?,
            created_us: row.get(11)?,
            modified_us: row.get(12)?,
            comment_modified_us: row.get(13)?,
            worker: row.get(14)?,
        })
    }

    /// The record of an id.
    pub(super) fn find(db: &Connection, zone: &Zone, id: &str) -> Result<Self, Problem> {
        db.prepare_cached(&format!(
            "SELECT {COLUMNS}, {WORKER} FROM dns_records WHERE zone_id = ? AND id = ?"
        ))?
        .query_row([&zone.id, id], Self::from_row)
        .optional()?
        .ok_or_else(|| Problem::new(404, 81044, "Record does not exist."))
    }

    /// All records of a zone that lists show, oldest first.
    pub(super) fn all(
        db: &Connection,
        zone: &Zone,
        visible_us: i64,
    ) -> rusqlite::Result<Vec<Self>> {
        db.prepare_cached(&format!(
            "SELECT {COLUMNS}, {WORKER} FROM dns_records WHERE zone_id = ? AND created_us <= ? ORDER BY seq"
        ))?
        .query_map(params![zone.id, visible_us], Self::from_row)?
        .collect()
    }

    /// The other records of the same name.
    pub(super) fn namesakes(&self, db: &Connection) -> rusqlite::Result<Vec<Self>> {
        db.prepare_cached(&format!(
            "SELECT {COLUMNS}, {WORKER} FROM dns_records WHERE zone_id = ? AND name = ? AND id <> ?"
        ))?
        .query_map([&self.zone_id, &self.name, &self.id], Self::from_row)?
        .collect()
    }

    /// Refuses the record where another one excludes it.
    pub(super) fn check_conflicts(&self, db: &Connection) -> Result<(), Problem> {
        let others = self.namesakes(db)?;
        if rules::is_proxiable(&self.kind) && others.iter().any(|other| other.worker.is_some()) {
            let text = "A DNS record managed by Workers already exists on that host.";
            return Err(Problem::new(400, 81062, text));
        }
        let same = |other: &Self| other.kind == self.kind && other.content == self.content;
        if others.iter().any(same) {
            return Err(Problem::new(400, 81058, "An identical record already exists."));
        }
        if self.kind == "CNAME" && others.iter().any(|other| rules::is_proxiable(&other.kind)) {
            let text = "An A, AAAA, or CNAME record with that host already exists.";
            return Err(Problem::new(400, 81053, text));
        }
        if rules::is_proxiable(&self.kind) && others.iter().any(|other| other.kind == "CNAME") {
            return Err(Problem::new(400, 81054, "A CNAME record with that host already exists."));
        }
        Ok(())
    }

    /// Refuses to change the record of a Worker's custom domain.
    pub(super) fn check_owner(&self) -> Result<(), Problem> {
        if self.worker.is_none() {
            return Ok(());
        }
        Err(Problem::new(400, 81062, "This DNS record is managed by Workers and is read only."))
    }

    /// The record of a new custom domain.
    pub(super) fn of_domain(zone: &Zone, hostname: &str, now_us: i64) -> Self {
        Self {
            id: clock::new_hex_id(),
            zone_id: zone.id.clone(),
            name: hostname.to_owned(),
            kind: "AAAA".to_owned(),
            content: "100::".to_owned(),
            data: None,
            ttl: 1,
            proxied: true,
            priority: None,
            comment: None,
            settings: "{}".to_owned(),
            created_us: now_us,
            modified_us: now_us,
            comment_modified_us: None,
            worker: None,
        }
    }

    /// Reads and checks a whole body.
    pub(super) fn from_body(
        zone: &Zone,
        body: &Value,
        id: String,
        now_us: i64,
    ) -> Result<Self, Problem> {
        let kind = rules::kind(text(body, "type").unwrap_or(""))?;
        let name = rules::name(text(body, "name").unwrap_or(""), &zone.name)?;
        let proxied = body.get("proxied").and_then(Value::as_bool).unwrap_or(false);
        if proxied && !rules::is_proxiable(kind) {
            return Err(rules::invalid(9004, "This record type cannot be proxied."));
        }
        let data = body.get("data").filter(|data| data.is_object());
        let content = rules::content(kind, text(body, "content"), data)?;
        if kind == "CNAME" && content == name {
            return Err(rules::invalid(9039, "CNAME content cannot reference itself."));
        }
        let priority = rules::priority(kind, body)?;
        let comment = rules::comment(body)?;
        rules::no_tags(body)?;
        let settings = body.get("settings").filter(|value| value.is_object());
        Ok(Self {
            id,
            zone_id: zone.id.clone(),
            name,
            kind: kind.to_owned(),
            content,
            data: data.map(Value::to_string),
            ttl: rules::ttl(body, proxied)?,
            proxied,
            priority,
            comment_modified_us: comment.as_ref().map(|_| now_us),
            comment,
            settings: settings.map_or_else(|| "{}".to_owned(), Value::to_string),
            created_us: now_us,
            modified_us: now_us,
            worker: None,
        })
    }

    /// A whole body: this record with the fields that `body` names in their place.
    pub(super) fn merged(&self, body: &Value) -> Value {
        let now = self.json();
        let mut out = Map::new();
        let retyped = text(body, "type").is_some_and(|kind| !kind.eq_ignore_ascii_case(&self.kind));
        for field in FIELDS {
            let value = body.get(field).or_else(|| {
                // Contents of one type say nothing about another.
                let stale = retyped && matches!(field, "content" | "data" | "priority");
                now.get(field).filter(|_| !stale)
            });
            if let Some(value) = value {
                out.insert(field.to_owned(), value.clone());
            }
        }
        if body.get("content").is_some() && body.get("data").is_none() {
            out.remove("data");
        }
        if let Some(tags) = body.get("tags") {
            out.insert("tags".to_owned(), tags.clone());
        }
        Value::Object(out)
    }

    /// Writes a new row.
    pub(super) fn insert(&self, db: &Connection) -> rusqlite::Result<()> {
        let sql = format!(
            "INSERT INTO dns_records ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        );
        db.prepare_cached(&sql)?.execute(params![
            self.id,
            self.zone_id,
            self.name,
            self.kind,
            self.content,
            self.data,
            self.ttl,
            self.proxied,
            self.priority,
            self.comment,
            self.settings,
            self.created_us,
            self.modified_us,
            self.comment_modified_us
        ])?;
        Ok(())
    }

    /// Writes over the row of this id.
    pub(super) fn update(&self, db: &Connection) -> rusqlite::Result<()> {
        db.prepare_cached(
            "UPDATE dns_records SET name = ?2, type = ?3, content = ?4, data = ?5, ttl = ?6,
             proxied = ?7, priority = ?8, comment = ?9, settings = ?10, modified_us = ?11,
             comment_modified_us = ?12 WHERE id = ?1",
        )?
        .execute(params![
            self.id,
            self.name,
            self.kind,
            self.content,
            self.data,
            self.ttl,
            self.proxied,
            self.priority,
            self.comment,
            self.settings,
            self.modified_us,
            self.comment_modified_us
        ])?;
        Ok(())
    }

    /// The record as the API shows it.
    pub(super) fn json(&self) -> Value {
        let parse = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| json!({}));
        let mut out = json!({
            "id": self.id, "name": self.name, "type": self.kind, "content": self.content,
            "proxiable": rules::is_proxiable(&self.kind), "proxied": self.proxied,
            "ttl": self.ttl, "settings": parse(&self.settings), "meta": {},
            "comment": self.comment, "tags": [],
            "created_on": clock::micros(self.created_us),
            "modified_on": clock::micros(self.modified_us),
        });
        if let Some(map) = out.as_object_mut() {
            if let Some(worker) = &self.worker {
                let meta = json!({"origin_worker_id": worker, "read_only": true});
                map.insert("meta".to_owned(), meta);
            }
            if let Some(data) = &self.data {
                map.insert("data".to_owned(), parse(data));
            }
            if let Some(priority) = self.priority {
                map.insert("priority".to_owned(), json!(priority));
            }
            if let Some(at) = self.comment_modified_us {
                map.insert("comment_modified_on".to_owned(), json!(clock::micros(at)));
            }
        }
        out
    }
}
