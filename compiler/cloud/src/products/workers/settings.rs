//! Settings of a script: those of its live version, and those that are not of a version.
//!
//! Facts: `PATCH settings` is multipart with one part `settings`; JSON is 10001. It makes a new
//! version and deploys it. Bindings that it names are all that the new version has: secrets stay
//! by `inherit`. `PATCH script-settings` is JSON and makes no version.

use serde_json::{Map, Value, json};

use super::bindings::{self, Scope};
use super::publish::{Draft, Maker, changeable, deploy, take_settings};
use super::rows::{Script, Version};
use super::upload::{check_metadata, invalid, json_object};
use super::{classes, code};
use crate::envelope::{Answer, Problem};
use crate::products::Ctx;
use crate::request::Req;

/// Fields of a version that `PATCH settings` changes, beside bindings and migrations.
const OF_A_VERSION: [&str; 6] = [
    "compatibility_date",
    "compatibility_flags",
    "limits",
    "placement",
    "usage_model",
    "cache_options",
];
/// Fields that are not of a version.
const UNVERSIONED: [&str; 4] = ["logpush", "observability", "tags", "tail_consumers"];

/// `GET settings`.
pub(super) fn get(ctx: &Ctx<'_>, name: &str) -> Result<Answer, Problem> {
    let found = ctx.cloud.store.read(|db| -> Result<_, Problem> {
        let script = Script::find(db, name)?;
        Ok(json(&script, script.live_version(db)?.as_ref()))
    })?;
    Ok(Answer::ok(&found))
}

/// `GET bindings`: those of `settings`, as a list.
pub(super) fn bindings(ctx: &Ctx<'_>, name: &str) -> Result<Answer, Problem> {
    let live = ctx.cloud.store.read(|db| Script::find(db, name)?.live_version(db))?;
    let bindings = live.map_or_else(|| json!([]), |version| bindings::shown(&version.bindings));
    Ok(Answer::ok(&bindings))
}

fn json(script: &Script, live: Option<&Version>) -> Value {
    let mut out = unversioned(script);
    out.insert("usage_model".to_owned(), json!("standard"));
    let field = |key: &str, absent: Value| live.map_or(absent.clone(), |v| v.field(key, absent));
    out.insert("compatibility_flags".to_owned(), field("compatibility_flags", json!([])));
    out.insert("placement".to_owned(), field("placement", json!({})));
    let bindings = live.map_or_else(|| json!([]), |v| bindings::shown(&v.bindings));
    out.insert("bindings".to_owned(), bindings);
    for key in ["compatibility_date", "limits", "cache_options"] {
        let value = field(key, Value::Null);
        if !value.is_null() {
            out.insert(key.to_owned(), value);
        }
    }
    if let Some(version) = live {
        out.insert("annotations".to_owned(), json!(version.annotations));
    }
    Value::Object(out)
}

fn unversioned(script: &Script) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("logpush".to_owned(), script.setting("logpush", json!(false)));
    out.insert("tags".to_owned(), script.tags());
    out.insert("tail_consumers".to_owned(), script.setting("tail_consumers", json!([])));
    if let Some(value) = script.settings.get("observability").filter(|value| !value.is_null()) {
        out.insert("observability".to_owned(), value.clone());
    }
    out
}

/// `PATCH settings`.
pub(super) fn patch(ctx: &Ctx<'_>, req: &Req, name: &str) -> Result<Answer, Problem> {
    let Some(parts) = &req.parts else {
        return Err(Problem::new(400, 10001, "Content-Type must be multipart/form-data"));
    };
    let part = parts
        .iter()
        .find(|part| part.name == "settings")
        .ok_or_else(|| invalid("the part `settings` is missing"))?;
    let settings = json_object(&part.bytes, "settings")?;
    check_metadata(&settings)?;
    let maker = Maker::of(ctx, req);
    let changed = ctx.cloud.store.write(|db| -> Result<_, Problem> {
        let mut script = Script::find(db, name)?;
        let last = changeable(db, &script)?;
        let before = classes::of_script(db, name)?;
        if let Some(migrations) = settings.get("migrations").filter(|it| !it.is_null()) {
            classes::migrate(db, &mut script, migrations)?;
        }
        classes::check_exports(db, name, &code::load(db, last.content)?, &before)?;
        let mut draft = Draft::like(&last, "settings");
        if let Some(given) = settings.get("bindings").and_then(Value::as_array) {
            let scope = Scope {
                injector: &ctx.cloud.injector,
                db,
                script: name,
                before: Some(&last),
                strict: true,
            };
            draft.bindings = bindings::resolve(scope, given, &[])?;
        }
        for key in OF_A_VERSION {
            if let Some(value) = settings.get(key) {
                draft.metadata.insert(key.to_owned(), value.clone());
            }
        }
        if let Some(Value::Object(given)) = settings.get("annotations") {
            draft.annotations.extend(given.clone());
        }
        take_settings(&mut script, &settings);
        let version = draft.add(db, maker, name)?;
        let triggered = json!({"workers/triggered_by": "settings"});
        deploy(db, maker, &mut script, &[(version.id.clone(), json!(100))], &triggered)?;
        Ok(json(&script, Some(&version)))
    })?;
    Ok(Answer::ok(&changed))
}

/// `GET script-settings`.
pub(super) fn get_unversioned(ctx: &Ctx<'_>, name: &str) -> Result<Answer, Problem> {
    let script = ctx.cloud.store.read(|db| Script::find(db, name))?;
    Ok(Answer::ok(&Value::Object(unversioned(&script))))
}

/// `PATCH script-settings`.
pub(super) fn patch_unversioned(ctx: &Ctx<'_>, req: &Req, name: &str) -> Result<Answer, Problem> {
    let body = req.json(|detail| invalid(format!("the body is no JSON: {detail}")))?;
    let Value::Object(settings) = body else {
        return Err(invalid("the body must be a JSON object"));
    };
    check_metadata(&settings)?;
    let script = ctx.cloud.store.write(|db| -> Result<_, Problem> {
        let mut script = Script::find(db, name)?;
        for key in UNVERSIONED {
            if let Some(value) = settings.get(key) {
                script.settings.insert(key.to_owned(), value.clone());
            }
        }
        script.modified_us = ctx.now_us;
        script.write(db)?;
        Ok(script)
    })?;
    Ok(Answer::ok(&Value::Object(unversioned(&script))))
}
