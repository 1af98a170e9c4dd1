//! Durable Object classes of a script: migrations by tag, and the namespaces that they make.
//!
//! Facts: a migration is one step, or `steps` with `old_tag` before the first and `new_tag` after
//! the last. The server's tag must be `old_tag`, else 10079 with HTTP 412; a script without a tag
//! wants none. A class that is made twice, or that is deleted or renamed without being there, is
//! 10074. A class that is to be made must be exported (10070); one that has a namespace must stay
//! so (10064 with HTTP 403). A class that another Worker's live version binds is not deleted
//! (10061); of bindings of the script's own, which the same upload may move away, reports
//! contradict each other, and they are let through. `exports` declare the classes instead; both at once are refused. The HTTP status of 10070 is not published.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::{Map, Value, json};

use super::code::{self, Module};
use super::rows::Script;
use super::upload::invalid;
use crate::clock;
use crate::envelope::{Answer, Problem};
use crate::paging::{Bounds, Page};
use crate::products::Ctx;
use crate::request::{Req, text};

/// The bounds are not published; the code is that of a bad parameter.
const BOUNDS: Bounds = Bounds { default: 20, min: 1, max: 1000, code: 10077 };

fn conflict(text: impl Into<String>) -> Problem {
    Problem::new(400, 10074, text)
}

/// Applies the migrations of an upload, and moves the script's tag.
pub(super) fn migrate(
    db: &Connection,
    script: &mut Script,
    migrations: &Value,
) -> Result<(), Problem> {
    let old = text(migrations, "old_tag").filter(|tag| !tag.is_empty());
    let current = script.migration_tag.as_deref();
    if old != current {
        let text = format!(
            "Actor migration tag precondition failed, got tag '{}' when expected tag is '{}'",
            old.unwrap_or_default(),
            current.unwrap_or_default()
        );
        return Err(Problem::new(412, 10079, text));
    }
    match migrations.get("steps") {
        None | Some(Value::Null) => step(db, &script.name, migrations)?,
        Some(Value::Array(steps)) => {
            steps.iter().try_for_each(|one| step(db, &script.name, one))?;
        }
        Some(_) => return Err(invalid("migrations.steps must be an array")),
    }
    if let Some(tag) = text(migrations, "new_tag") {
        script.migration_tag = Some(tag.to_owned());
    }
    Ok(())
}

/// One step: nothing in it may touch a class twice.
fn step(db: &Connection, script: &str, step: &Value) -> Result<(), Problem> {
    let mut touched = BTreeSet::new();
    let mut once = |class: &str| {
        if class.is_empty() {
            return Err(invalid("a class of a migration must have a name"));
        }
        if touched.insert(class.to_owned()) {
            return Ok(());
        }
        Err(conflict(format!("Class '{class}' cannot be the target of more than one migration")))
    };
    for (key, sqlite) in [("new_classes", false), ("new_sqlite_classes", true)] {
        for class in items(step, key)? {
            let class = class.as_str().unwrap_or_default();
            once(class)?;
            create(db, script, class, sqlite)?;
        }
    }
    for moved in items(step, "renamed_classes")? {
        let (from, to) = (text(moved, "from").unwrap_or(""), text(moved, "to").unwrap_or(""));
        once(from)?;
        once(to)?;
        move_class(db, (script, from), (script, to), "rename-class")?;
    }
    for moved in items(step, "transferred_classes")? {
        let (from, to) = (text(moved, "from").unwrap_or(""), text(moved, "to").unwrap_or(""));
        let other = text(moved, "from_script").unwrap_or("");
        once(to)?;
        move_class(db, (other, from), (script, to), "transfer-class")?;
    }
    for class in items(step, "deleted_classes")? {
        let class = class.as_str().unwrap_or_default();
        once(class)?;
        refuse_bound(db, script, class)?;
        let gone = db.execute(
            "DELETE FROM worker_namespaces WHERE script = ? AND class = ?",
            [script, class],
        )?;
        if gone == 0 {
            return Err(not_there("delete-class", class));
        }
    }
    Ok(())
}

/// Refuses to delete a class that another Worker is bound to.
fn refuse_bound(db: &Connection, script: &str, class: &str) -> Result<(), Problem> {
    let bound = db
        .prepare_cached(
            "SELECT 1 FROM worker_namespaces n, worker_scripts s
             JOIN worker_versions v ON v.id = s.live, json_each(v.bindings) b
             WHERE n.script = ?1 AND n.class = ?2 AND s.name <> ?1
             AND b.value ->> '$.type' = 'durable_object_namespace'
             AND b.value ->> '$.namespace_id' = n.id",
        )?
        .exists([script, class])?;
    if !bound {
        return Ok(());
    }
    let text = format!(
        "Cannot apply --delete-class migration to class '{class}' without also removing the \
         binding that references it"
    );
    Err(Problem::new(400, 10061, text))
}

fn items<'a>(step: &'a Value, key: &str) -> Result<&'a [Value], Problem> {
    match step.get(key) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(invalid(format!("migrations: {key} must be an array"))),
    }
}

fn not_there(migration: &str, class: &str) -> Problem {
    conflict(format!(
        "Cannot apply {migration} migration to class '{class}' that is not currently configured \
         to implement Durable Objects"
    ))
}

fn create(db: &Connection, script: &str, class: &str, sqlite: bool) -> Result<(), Problem> {
    let name = format!("{script}_{class}");
    let made = db.execute(
        "INSERT INTO worker_namespaces (id, class, name, sqlite, script) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (script, class) DO NOTHING",
        params![clock::new_hex_id(), class, name, sqlite, script],
    )?;
    if made == 0 {
        return Err(conflict(format!(
            "Cannot apply new-class migration to class '{class}' that is already depended on by \
             existing Durable Objects"
        )));
    }
    Ok(())
}

fn move_class(
    db: &Connection,
    (old_script, old): (&str, &str),
    (script, class): (&str, &str),
    migration: &str,
) -> Result<(), Problem> {
    let find = |script: &str, class: &str| {
        db.prepare_cached("SELECT id FROM worker_namespaces WHERE script = ? AND class = ?")?
            .query_row([script, class], |row| row.get::<_, String>(0))
            .optional()
    };
    let id = find(old_script, old)?.ok_or_else(|| not_there(migration, old))?;
    if find(script, class)?.is_some() {
        return Err(conflict(format!(
            "Cannot apply {migration} migration to class '{class}' that is already depended on by \
             existing Durable Objects"
        )));
    }
    db.execute(
        "UPDATE worker_namespaces SET script = ?2, class = ?3 WHERE id = ?1",
        [id.as_str(), script, class],
    )?;
    Ok(())
}

/// The classes of a script that have a namespace.
pub(super) fn of_script(db: &Connection, script: &str) -> rusqlite::Result<BTreeSet<String>> {
    db.prepare_cached("SELECT class FROM worker_namespaces WHERE script = ?")?
        .query_map([script], |row| row.get(0))?
        .collect()
}

/// Brings the classes to what an upload declares, which stands in place of migrations.
///
/// Classes that are there and not declared are 100402. Transfers between scripts are not modelled:
/// what gives a class away or waits for one changes nothing here.
pub(super) fn reconcile(
    db: &Connection,
    script: &str,
    declared: &Map<String, Value>,
) -> Result<(), Problem> {
    let mut there = of_script(db, script)?;
    let objects: Vec<(&String, &Value, &str)> = declared
        .iter()
        .filter(|(_, export)| text(export, "type") == Some("durable-object"))
        .map(|(class, export)| (class, export, text(export, "state").unwrap_or("created")))
        .collect();
    // What was is told before what is: a new class may have the name of an old one.
    for (class, export, state) in &objects {
        let is_there = there.contains(*class);
        match *state {
            "deleted" if is_there => {
                refuse_bound(db, script, class)?;
                db.execute(
                    "DELETE FROM worker_namespaces WHERE script = ? AND class = ?",
                    [script, class.as_str()],
                )?;
                there.remove(*class);
            }
            "renamed" if is_there => {
                let to = text(export, "renamed_to").unwrap_or_default();
                move_class(db, (script, class), (script, to), "rename-class")?;
                there.remove(*class);
                there.insert(to.to_owned());
            }
            "created" | "deleted" | "renamed" | "transferred" | "expecting-transfer" => {}
            other => return Err(invalid(format!("exports: there is no state {other}"))),
        }
    }
    for (class, export, state) in objects {
        let is_there = there.remove(class);
        if state == "created" && !is_there {
            create(db, script, class, text(export, "storage") != Some("legacy-kv"))?;
        }
    }
    match there.first() {
        None => Ok(()),
        Some(class) => {
            let text = format!(
                "The exports of this upload say nothing of class '{class}', which is depended on by \
                 existing Durable Objects."
            );
            Err(Problem::new(400, 100_402, text))
        }
    }
}

/// Refuses code that does not export a class with a namespace. `before` are the classes that had
/// one before the migrations.
pub(super) fn check_exports(
    db: &Connection,
    script: &str,
    modules: &[Module],
    before: &BTreeSet<String>,
) -> Result<(), Problem> {
    for class in of_script(db, script)? {
        if code::mentions(modules, &class) {
            continue;
        }
        return Err(if before.contains(&class) {
            let text = format!(
                "New version of script does not export class '{class}' which is depended on by \
                 existing Durable Objects. If you want to delete the class's Durable Objects, try \
                 a delete-class migration."
            );
            Problem::new(403, 10064, text)
        } else {
            let text = format!(
                "Cannot apply new-class migration to class '{class}' that is not exported by script"
            );
            Problem::new(400, 10070, text)
        });
    }
    Ok(())
}

/// `GET durable_objects/namespaces`.
pub(super) fn namespaces(ctx: &Ctx<'_>, req: &Req) -> Result<Answer, Problem> {
    let page = Page::parse(&req.query, BOUNDS)?;
    let rows = ctx.cloud.store.read(|db| {
        db.prepare_cached(
            "SELECT id, name, class, script, sqlite FROM worker_namespaces ORDER BY name, id",
        )?
        .query_map([], |row| {
            Ok(json!({
                "id": row.get::<_, String>(0)?, "name": row.get::<_, String>(1)?,
                "class": row.get::<_, String>(2)?, "script": row.get::<_, String>(3)?,
                "use_sqlite": row.get::<_, bool>(4)?,
            }))
        })?
        .collect::<rusqlite::Result<Vec<Value>>>()
    })?;
    let total = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let rows = page.cut(rows);
    Ok(Answer::page(&json!(rows), page.info(rows.len(), total)))
}
