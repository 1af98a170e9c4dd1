//! New versions and their deployment: the upload of a script, and what else makes a version.
//!
//! Facts: `PUT` is an upsert. It replaces all that a version has; of what is not of a version,
//! tags survive an upload that names none. Secrets survive by `keep_bindings` or `inherit` alone.
//! `deployment_id` of the answer is the version's ID without its dashes, as wrangler reads it.
//! While a script consumes a queue, code without a `queue` handler does not go live (11001); that
//! this holds of versions when they are deployed, and not when they are made, is not published.

use rusqlite::{Connection, params};
use serde_json::{Map, Value, json};

use super::bindings::{self, Scope};
use super::rows::{Script, Version, consumes, no_queue_handler, no_versions};
use super::upload::{self, Upload, invalid};
use super::{assets, classes, code};
use crate::clock;
use crate::cloud::Inner;
use crate::envelope::{Answer, Problem};
use crate::products::Ctx;
use crate::request::Req;

/// Fields of an upload that a version does not keep.
const NOT_OF_A_VERSION: [&str; 10] = [
    "assets",
    "bindings",
    "keep_bindings",
    "keep_assets",
    "migrations",
    "annotations",
    "tags",
    "logpush",
    "observability",
    "tail_consumers",
];
/// Settings that an upload resets when it does not name them.
const RESET: [&str; 3] = ["logpush", "observability", "tail_consumers"];

/// Who makes a change, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Maker {
    pub(super) now_us: i64,
    /// `wrangler` for that client, `api` for every other.
    pub(super) source: &'static str,
}

impl Maker {
    /// The maker of a request.
    pub(super) fn of(ctx: &Ctx<'_>, req: &Req) -> Self {
        let wrangler = req.header("user-agent").is_some_and(|agent| agent.starts_with("wrangler"));
        Self { now_us: ctx.now_us, source: if wrangler { "wrangler" } else { "api" } }
    }
}

/// `PUT scripts/{n}`.
pub(super) fn put(ctx: &Ctx<'_>, req: &Req, name: &str) -> Result<Answer, Problem> {
    upload::check_name(name)?;
    let upload = upload::parse(req)?;
    let strict = req.query.get("bindings_inherit") == Some("strict");
    let maker = Maker::of(ctx, req);
    let answer = ctx.cloud.store.write(|db| -> Result<_, Problem> {
        let mut script = match Script::look_up(db, name)? {
            Some(script) => script,
            None => Script::new(name, ctx.now_us),
        };
        script.write(db)?;
        let before = classes::of_script(db, name)?;
        let given = |key: &str| upload.metadata.get(key).filter(|value| !value.is_null());
        match (given("migrations"), given("exports").and_then(Value::as_object)) {
            (Some(_), Some(_)) => {
                return Err(invalid("an upload has migrations or exports, not both"));
            }
            (Some(migrations), None) => classes::migrate(db, &mut script, migrations)?,
            (None, Some(exports)) => classes::reconcile(db, name, exports)?,
            (None, None) => {}
        }
        classes::check_exports(db, name, &upload.modules, &before)?;
        let version = add_version(ctx.cloud, db, maker, &script, &upload, strict)?;
        for key in RESET {
            script.settings.remove(key);
        }
        take_settings(&mut script, &upload.metadata);
        let triggered = json!({"workers/triggered_by": "upload"});
        deploy(db, maker, &mut script, &[(version.id.clone(), json!(100))], &triggered)?;
        Ok(upload_json(&script, &version))
    })?;
    Ok(Answer::ok(&answer))
}

/// Takes what is not of a version out of an upload or a change of settings.
pub(super) fn take_settings(script: &mut Script, metadata: &Map<String, Value>) {
    for key in RESET.into_iter().chain(["tags"]) {
        if let Some(value) = metadata.get(key) {
            script.settings.insert(key.to_owned(), value.clone());
        }
    }
}

/// Makes a version out of an upload. It is not deployed.
pub(super) fn add_version(
    cloud: &Inner,
    db: &Connection,
    maker: Maker,
    script: &Script,
    upload: &Upload,
    strict: bool,
) -> Result<Version, Problem> {
    let metadata = &upload.metadata;
    let last = script.last_version(db)?;
    let scope = Scope {
        injector: &cloud.injector,
        db,
        script: &script.name,
        before: last.as_ref(),
        strict,
    };
    let items =
        |key: &str| metadata.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let keep = items("keep_bindings");
    let keep: Vec<&str> = keep.iter().filter_map(Value::as_str).collect();
    let bindings = bindings::resolve(scope, &items("bindings"), &keep)?;
    let content = code::store(db, &script.name, &upload.modules)?;
    let mut kept = metadata.clone();
    kept.retain(|key, value| !NOT_OF_A_VERSION.contains(&key.as_str()) && !value.is_null());
    let now = (script.name.as_str(), maker.now_us);
    if let Some(assets) = assets::settle(cloud, db, now, metadata, last.as_ref())? {
        kept.insert("assets".to_owned(), assets);
    }
    let annotations = metadata.get("annotations").and_then(Value::as_object).cloned();
    let mut annotations = annotations.unwrap_or_default();
    annotations.insert("workers/triggered_by".to_owned(), json!("upload"));
    let draft = Draft { content, metadata: kept, bindings, annotations };
    draft.add(db, maker, &script.name)
}

/// What a new version has.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) content: i64,
    pub(super) metadata: Map<String, Value>,
    pub(super) bindings: Vec<Value>,
    pub(super) annotations: Map<String, Value>,
}

impl Draft {
    /// A version that is as another one, but for what the caller changes.
    pub(super) fn like(version: &Version, trigger: &str) -> Self {
        let mut annotations = Map::new();
        annotations.insert("workers/triggered_by".to_owned(), json!(trigger));
        Self {
            content: version.content,
            metadata: version.metadata.clone(),
            bindings: version.bindings.clone(),
            annotations,
        }
    }

    /// Writes the version.
    pub(super) fn add(
        self,
        db: &Connection,
        maker: Maker,
        script: &str,
    ) -> Result<Version, Problem> {
        let mut version = Version {
            id: clock::new_uuid(),
            number: 0,
            script: script.to_owned(),
            content: self.content,
            metadata: self.metadata,
            bindings: self.bindings,
            annotations: self.annotations,
            source: maker.source.to_owned(),
            created_us: maker.now_us,
            etag: String::new(),
            handlers: Value::Null,
        };
        version.insert(db)?;
        Version::look_up(db, script, &version.id)?
            .ok_or_else(|| Problem::internal("a version that was just written is not there"))
    }
}

/// Makes versions live, the first of them first. Gives the deployment's ID.
pub(super) fn deploy(
    db: &Connection,
    maker: Maker,
    script: &mut Script,
    versions: &[(String, Value)],
    annotations: &Value,
) -> Result<String, Problem> {
    if consumes(db, &script.name)? {
        for (version, _) in versions {
            let version = Version::look_up(db, &script.name, version)?;
            if version.is_some_and(|version| !version.handles("queue")) {
                return Err(no_queue_handler());
            }
        }
    }
    let id = clock::new_uuid();
    let shares: Vec<Value> = versions
        .iter()
        .map(|(version, share)| json!({"version_id": version, "percentage": share}))
        .collect();
    db.prepare_cached(
        "INSERT INTO worker_deployments (id, script, versions, annotations, source, created_us)
         VALUES (?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        id,
        script.name,
        json!(shares).to_string(),
        annotations.to_string(),
        maker.source,
        maker.now_us
    ])?;
    script.live = versions.first().map(|(version, _)| version.clone());
    maker.source.clone_into(&mut script.deployed_from);
    script.modified_us = maker.now_us;
    script.write(db)?;
    Ok(id)
}

/// The version that a change starts from: the last one, which must be live.
pub(super) fn changeable(db: &Connection, script: &Script) -> Result<Version, Problem> {
    let last = script.last_version(db)?.ok_or_else(|| no_versions(&script.name))?;
    if script.live.as_ref() != Some(&last.id) {
        let text = "The latest version of this Worker is not deployed. Deploy it first, or use \
                    the versions API.";
        return Err(Problem::new(400, 10215, text));
    }
    Ok(last)
}

/// `PUT scripts/{n}/content`: other code, everything else as it was.
pub(super) fn put_content(ctx: &Ctx<'_>, req: &Req, name: &str) -> Result<Answer, Problem> {
    let upload = upload::parse(req)?;
    let maker = Maker::of(ctx, req);
    let answer = ctx.cloud.store.write(|db| -> Result<_, Problem> {
        let mut script = Script::find(db, name)?;
        let before = classes::of_script(db, name)?;
        classes::check_exports(db, name, &upload.modules, &before)?;
        let mut draft = Draft::like(&changeable(db, &script)?, "upload");
        draft.content = code::store(db, name, &upload.modules)?;
        for key in ["main_module", "body_part"] {
            draft.metadata.remove(key);
            if let Some(value) = upload.metadata.get(key) {
                draft.metadata.insert(key.to_owned(), value.clone());
            }
        }
        let version = draft.add(db, maker, name)?;
        let triggered = json!({"workers/triggered_by": "upload"});
        deploy(db, maker, &mut script, &[(version.id.clone(), json!(100))], &triggered)?;
        Ok(upload_json(&script, &version))
    })?;
    Ok(Answer::ok(&answer))
}

/// A script as the list shows it.
pub(super) fn listed_json(script: &Script, live: Option<&Version>) -> Value {
    let mut out = script_json(script, live);
    if let Some(map) = out.as_object_mut() {
        map.insert("deployment_id".to_owned(), json!(""));
        map.insert("routes".to_owned(), Value::Null);
    }
    out
}

/// A script as `services` and the answer to an upload show it: what was never set is null, or absent.
pub(super) fn script_json(script: &Script, live: Option<&Version>) -> Value {
    let mut out = json!({
        "id": script.name, "tag": script.tag, "tags": script.setting("tags", Value::Null),
        "created_on": clock::micros(script.created_us),
        "modified_on": clock::micros(script.modified_us),
        "last_deployed_from": script.deployed_from, "usage_model": "standard",
        "logpush": script.setting("logpush", json!(false)),
        "tail_consumers": script.setting("tail_consumers", Value::Null),
    });
    let Some(map) = out.as_object_mut() else {
        return out;
    };
    if let Some(tag) = &script.migration_tag {
        map.insert("migration_tag".to_owned(), json!(tag));
    }
    if let Some(mut value) =
        script.settings.get("observability").filter(|it| !it.is_null()).cloned()
    {
        // Filled up with nulls.
        if let Some(logs) = value.get_mut("logs").and_then(Value::as_object_mut) {
            for key in ["destinations", "head_sampling_rate", "persist"] {
                logs.entry(key).or_insert(Value::Null);
            }
        }
        map.insert("observability".to_owned(), value);
    }
    if let Some(version) = live {
        let of_version = [
            ("etag", json!(version.etag)),
            ("handlers", version.handlers.clone()),
            ("has_assets", json!(version.metadata.contains_key("assets"))),
            ("has_modules", json!(version.has_modules())),
            ("compatibility_date", version.field("compatibility_date", json!("2021-11-02"))),
        ];
        map.extend(of_version.map(|(key, value)| (key.to_owned(), value)));
        // Absent where they are not set.
        for key in ["compatibility_flags", "placement", "limits", "cache_options", "exports"] {
            if let Some(value) = version.metadata.get(key).filter(|it| !is_empty(it)) {
                map.insert(key.to_owned(), value.clone());
            }
        }
    }
    out
}

/// `{}` and `[]` set nothing.
fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

/// The answer to an upload.
fn upload_json(script: &Script, version: &Version) -> Value {
    let mut out = script_json(script, Some(version));
    if let Some(map) = out.as_object_mut() {
        map.insert("startup_time_ms".to_owned(), json!(1));
        map.insert("deployment_id".to_owned(), json!(version.id.replace('-', "")));
        let entry = version.field("main_module", version.field("body_part", Value::Null));
        if !entry.is_null() {
            map.insert("entry_point".to_owned(), entry);
        }
    }
    out
}
