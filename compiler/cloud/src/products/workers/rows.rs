//! Scripts and their versions as they are stored.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde_json::{Map, Value, json};

use crate::clock;
use crate::envelope::Problem;

const SCRIPT_COLUMNS: &str = "name, tag, migration_tag, settings, on_subdomain, previews, \
                              deployed_from, live, created_us, modified_us";
const VERSION_SELECT: &str = "SELECT v.id, v.number, v.script, v.content, v.metadata, v.bindings, \
     v.annotations, v.source, v.created_us, c.etag, c.handlers \
     FROM worker_versions v JOIN worker_contents c ON c.seq = v.content";
/// A script keeps this many versions beside those that are deployed.
const VERSIONS_MAX: i64 = 100;

/// The one environment that a script has.
pub(super) const PRODUCTION: &str = "production";

/// No such service, which is a script in older calls.
pub(super) fn no_service() -> Problem {
    Problem::new(404, 10090, "workers.api.error.service_not_found")
}

/// No such script.
pub(super) fn no_script() -> Problem {
    Problem::new(404, 10007, "This Worker does not exist on your account.")
}

/// A script that was never uploaded.
pub(super) fn no_versions(script: &str) -> Problem {
    Problem::new(404, 10222, format!("Worker '{script}' has no versions."))
}

/// A script: what all its versions share.
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) name: String,
    pub(super) tag: String,
    pub(super) migration_tag: Option<String>,
    /// `logpush`, `observability`, `tags`, `tail_consumers`, as far as they were set.
    pub(super) settings: Map<String, Value>,
    pub(super) on_subdomain: bool,
    pub(super) previews: bool,
    pub(super) deployed_from: String,
    /// The version that answers; `None` before the first deployment.
    pub(super) live: Option<String>,
    pub(super) created_us: i64,
    pub(super) modified_us: i64,
}

impl Script {
    /// A script that has no version yet.
    pub(super) fn new(name: &str, now_us: i64) -> Self {
        Self {
            name: name.to_owned(),
            tag: clock::new_hex_id(),
            migration_tag: None,
            settings: Map::new(),
            on_subdomain: false,
            previews: false,
            deployed_from: "api".to_owned(),
            live: None,
            created_us: now_us,
            modified_us: now_us,
        }
    }

    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let settings: String = row.get(3)?;
        Ok(Self {
            name: row.get(0)?,
            tag: row.get(1)?,
            migration_tag: row.get(2)?,
            settings: serde_json::from_str(&settings).unwrap_or_default(),
            on_subdomain: row.get(4)?,
            previews: row.get(5)?,
            deployed_from: row.get(6)?,
            live: row.get(7)?,
            created_us: row.get(8)?,
            modified_us: row.get(9)?,
        })
    }

    /// The script of a name, if there is one.
    pub(super) fn look_up(db: &Connection, name: &str) -> rusqlite::Result<Option<Self>> {
        db.prepare_cached(&format!("SELECT {SCRIPT_COLUMNS} FROM worker_scripts WHERE name = ?"))?
            .query_row([name], Self::from_row)
            .optional()
    }

    /// The script of a name; 10007 when there is none.
    pub(super) fn find(db: &Connection, name: &str) -> Result<Self, Problem> {
        Self::look_up(db, name)?.ok_or_else(no_script)
    }

    /// All scripts that lists show, by name.
    pub(super) fn all(db: &Connection, visible_us: i64) -> rusqlite::Result<Vec<Self>> {
        let sql = format!(
            "SELECT {SCRIPT_COLUMNS} FROM worker_scripts WHERE created_us <= ? ORDER BY name"
        );
        db.prepare_cached(&sql)?.query_map([visible_us], Self::from_row)?.collect()
    }

    /// Writes a new row, or over the row of this name.
    pub(super) fn write(&self, db: &Connection) -> rusqlite::Result<()> {
        let sql = format!(
            "INSERT INTO worker_scripts ({SCRIPT_COLUMNS})
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (name) DO UPDATE SET
             migration_tag = ?3, settings = ?4, on_subdomain = ?5, previews = ?6,
             deployed_from = ?7, live = ?8, modified_us = ?10"
        );
        db.prepare_cached(&sql)?.execute(params![
            self.name,
            self.tag,
            self.migration_tag,
            Value::Object(self.settings.clone()).to_string(),
            self.on_subdomain,
            self.previews,
            self.deployed_from,
            self.live,
            self.created_us,
            self.modified_us
        ])?;
        Ok(())
    }

    /// A setting that is not of a version, or what stands for its absence.
    pub(super) fn setting(&self, key: &str, absent: Value) -> Value {
        self.settings.get(key).filter(|value| !value.is_null()).cloned().unwrap_or(absent)
    }

    /// The script's tags, `[]` where they were never set.
    pub(super) fn tags(&self) -> Value {
        self.setting("tags", json!([]))
    }

    /// The version that answers.
    pub(super) fn live_version(&self, db: &Connection) -> Result<Option<Version>, Problem> {
        match &self.live {
            Some(id) => Ok(Version::look_up(db, &self.name, id)?),
            None => Ok(None),
        }
    }

    /// The version that was uploaded last.
    pub(super) fn last_version(&self, db: &Connection) -> rusqlite::Result<Option<Version>> {
        db.prepare_cached(&format!(
            "{VERSION_SELECT} WHERE v.script = ? ORDER BY v.number DESC LIMIT 1"
        ))?
        .query_row([&self.name], Version::from_row)
        .optional()
    }
}

/// A version: code, bindings and what else an upload says.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) id: String,
    pub(super) number: i64,
    pub(super) script: String,
    /// The row of the code.
    pub(super) content: i64,
    pub(super) metadata: Map<String, Value>,
    /// With the values of secrets.
    pub(super) bindings: Vec<Value>,
    pub(super) annotations: Map<String, Value>,
    /// Who made it: `wrangler`, `api`, …
    pub(super) source: String,
    pub(super) created_us: i64,
    pub(super) etag: String,
    pub(super) handlers: Value,
}

impl Version {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let text = |index: usize| row.get::<_, String>(index);
        Ok(Self {
            id: row.get(0)?,
            number: row.get(1)?,
            script: row.get(2)?,
            content: row.get(3)?,
            metadata: serde_json::from_str(&text(4)?).unwrap_or_default(),
            bindings: serde_json::from_str(&text(5)?).unwrap_or_default(),
            annotations: serde_json::from_str(&text(6)?).unwrap_or_default(),
            source: row.get(7)?,
            created_us: row.get(8)?,
            etag: row.get(9)?,
            handlers: serde_json::from_str(&text(10)?).unwrap_or_default(),
        })
    }

    /// The version of an ID, if the script has it.
    pub(super) fn look_up(
        db: &Connection,
        script: &str,
        id: &str,
    ) -> rusqlite::Result<Option<Self>> {
        db.prepare_cached(&format!("{VERSION_SELECT} WHERE v.script = ? AND v.id = ?"))?
            .query_row([script, id], Self::from_row)
            .optional()
    }

    /// All versions of a script, newest first.
    pub(super) fn all(db: &Connection, script: &str) -> rusqlite::Result<Vec<Self>> {
        db.prepare_cached(&format!("{VERSION_SELECT} WHERE v.script = ? ORDER BY v.number DESC"))?
            .query_map([script], Self::from_row)?
            .collect()
    }

    /// A field of the metadata, or what stands for its absence.
    pub(super) fn field(&self, key: &str, absent: Value) -> Value {
        self.metadata.get(key).filter(|value| !value.is_null()).cloned().unwrap_or(absent)
    }

    /// Says whether the code seems to have an event handler.
    pub(super) fn handles(&self, handler: &str) -> bool {
        let mut all = self.handlers.as_array().into_iter().flatten();
        all.any(|it| it.as_str() == Some(handler))
    }

    /// Says whether the code is ES modules.
    pub(super) fn has_modules(&self) -> bool {
        self.metadata.contains_key("main_module")
    }

    /// Writes a new row with the next number, and forgets versions beyond [`VERSIONS_MAX`].
    pub(super) fn insert(&mut self, db: &Connection) -> Result<(), Problem> {
        self.number = db.query_row(
            "SELECT coalesce(max(number), 0) + 1 FROM worker_versions WHERE script = ?",
            [&self.script],
            |row| row.get(0),
        )?;
        db.prepare_cached(
            "INSERT INTO worker_versions (id, number, script, content, metadata, bindings,
             annotations, source, created_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            self.id,
            self.number,
            self.script,
            self.content,
            Value::Object(self.metadata.clone()).to_string(),
            Value::Array(self.bindings.clone()).to_string(),
            Value::Object(self.annotations.clone()).to_string(),
            self.source,
            self.created_us
        ])?;
        if self.number > VERSIONS_MAX {
            forget(db, &self.script, self.number - VERSIONS_MAX)?;
        }
        Ok(())
    }
}

/// Removes the versions up to a number, and the code that no version has any more. What is live
/// stays.
fn forget(db: &Connection, script: &str, number: i64) -> rusqlite::Result<()> {
    db.execute(
        "DELETE FROM worker_versions WHERE script = ?1 AND number <= ?2 AND id NOT IN (
             SELECT json_extract(part.value, '$.version_id') FROM (
                 SELECT versions FROM worker_deployments WHERE script = ?1
                 ORDER BY seq DESC LIMIT 1) last, json_each(last.versions) part)",
        params![script, number],
    )?;
    db.execute(
        "DELETE FROM worker_contents WHERE script = ?1
         AND seq NOT IN (SELECT content FROM worker_versions WHERE script = ?1)",
        [script],
    )?;
    Ok(())
}

/// Says whether the account has a script of this name.
pub(crate) fn script_exists(db: &Connection, name: &str) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM worker_scripts WHERE name = ?")?.exists([name])
}

/// Says whether the live version of a script takes batches of a queue.
pub(in crate::products) fn handles_queues(db: &Connection, name: &str) -> rusqlite::Result<bool> {
    db.prepare_cached(
        "SELECT 1 FROM worker_scripts s JOIN worker_versions v ON v.id = s.live
         JOIN worker_contents c ON c.seq = v.content, json_each(c.handlers) h
         WHERE s.name = ? AND h.value = 'queue'",
    )?
    .exists([name])
}

/// The refusal of a consumer whose script takes no batches, and of code that would not any more.
pub(in crate::products) fn no_queue_handler() -> Problem {
    let text = "Queue handler is missing. The Worker consumes a queue, and its code exports no \
                queue() handler.";
    Problem::new(400, 11001, text)
}

/// Says whether a script is the consumer of any queue.
pub(super) fn consumes(db: &Connection, script: &str) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM queue_consumers WHERE script = ?")?.exists([script])
}

/// The scripts whose live version sends to a queue.
pub(in crate::products) fn queue_producers(
    db: &Connection,
    queue: &str,
) -> rusqlite::Result<Vec<String>> {
    db.prepare_cached(
        "SELECT DISTINCT s.name FROM worker_scripts s
         JOIN worker_versions v ON v.id = s.live, json_each(v.bindings) b
         WHERE b.value ->> '$.type' = 'queue' AND b.value ->> '$.queue_name' = ? ORDER BY 1",
    )?
    .query_map([queue], |row| row.get(0))?
    .collect()
}
