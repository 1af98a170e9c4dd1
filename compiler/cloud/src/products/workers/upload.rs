//! An upload: its metadata and its modules, checked as far as no stored object is needed.
//!
//! Facts: the part `metadata` is JSON whatever its content type says; every other part is a
//! module, whose name is the part's; the main module must be one of them; a Worker of static
//! assets alone has none. Not published: the code of metadata that is no JSON and of names that
//! stand twice (10021 here, as other validation failures).
//!
//! Limits: 64 MiB of modules (10027). The limits after compression (3 and 10 MB) and of start-up
//! time are not checked. A module's name has at most 4096 bytes here.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::code::{self, Module};
use crate::envelope::Problem;
use crate::request::{Part, Req};

const MODULES_BYTES_MAX: usize = 64 * 1024 * 1024;
const MODULE_NAME_BYTES_MAX: usize = 4096;
const NAME_BYTES_MAX: usize = 255;
const MESSAGE_BYTES_MAX: usize = 1000;
const TAG_BYTES_MAX: usize = 100;

/// What a `PUT` of a script or a `POST` of a version sends.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) metadata: Map<String, Value>,
    pub(super) modules: Vec<Module>,
}

/// A failed validation.
pub(super) fn invalid(text: impl Into<String>) -> Problem {
    Problem::new(400, 10021, text)
}

/// Refuses a name that no Worker can have.
pub(super) fn check_name(name: &str) -> Result<(), Problem> {
    let first = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let is_name = name.starts_with(first)
        && name.len() <= NAME_BYTES_MAX
        && name.chars().all(|c| first(c) || c == '-');
    if is_name {
        return Ok(());
    }
    Err(Problem::new(400, 10016, "workers.api.error.invalid_script_name"))
}

/// Reads an upload.
pub(super) fn parse(req: &Req) -> Result<Upload, Problem> {
    let Some(parts) = &req.parts else {
        return plain(req);
    };
    let mut metadata = None;
    let mut modules = Vec::new();
    for part in parts {
        if part.name == "metadata" {
            if metadata.replace(json_object(&part.bytes, "metadata")?).is_some() {
                return Err(invalid("the part `metadata` stands twice"));
            }
            continue;
        }
        modules.push(Module {
            name: module_name(part).to_owned(),
            content_type: part.content_type.clone().unwrap_or_else(|| "text/plain".to_owned()),
            body: part.bytes.clone(),
        });
    }
    let mut metadata = metadata.ok_or_else(|| invalid("the part `metadata` is missing"))?;
    metadata.retain(|key, value| !(key == "compatibility_date" && value.as_str() == Some("")));
    let upload = Upload { metadata, modules };
    upload.check()?;
    Ok(upload)
}

/// A module is named by its part. The official SDKs send lists as parts of one name; the file's name
/// is the module's then.
fn module_name(part: &Part) -> &str {
    match &part.filename {
        Some(name) if part.name == "files" || part.name == "files[]" => name,
        _ => &part.name,
    }
}

/// The oldest form: the body is a script in the service worker format.
fn plain(req: &Req) -> Result<Upload, Problem> {
    if !req.header("content-type").is_some_and(|kind| kind.contains("javascript")) {
        let text = "Content-Type must be multipart/form-data or application/javascript";
        return Err(Problem::new(400, 10001, text));
    }
    let module = Module {
        name: "script".to_owned(),
        content_type: "application/javascript".to_owned(),
        body: req.body.clone(),
    };
    let mut metadata = Map::new();
    metadata.insert("body_part".to_owned(), json!("script"));
    let upload = Upload { metadata, modules: vec![module] };
    upload.check()?;
    Ok(upload)
}

/// A JSON object out of a part.
pub(super) fn json_object(bytes: &[u8], part: &str) -> Result<Map<String, Value>, Problem> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| invalid(format!("the part `{part}` is no JSON: {error}")))?;
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(invalid(format!("the part `{part}` must be a JSON object"))),
    }
}

impl Upload {
    /// The name of the main module, and whether it is an ES module.
    pub(super) fn main(&self) -> Option<(&str, bool)> {
        let text = |key: &str| self.metadata.get(key).and_then(Value::as_str);
        text("main_module").map(|n| (n, true)).or(text("body_part").map(|n| (n, false)))
    }

    fn check(&self) -> Result<(), Problem> {
        let modules = &self.modules;
        if modules.iter().map(|module| module.body.len()).sum::<usize>() > MODULES_BYTES_MAX {
            return Err(Problem::new(400, 10027, "workers.api.error.script_too_large"));
        }
        let bad = |name: &str| name.is_empty() || name.len() > MODULE_NAME_BYTES_MAX;
        if modules.iter().any(|module| bad(&module.name)) {
            return Err(invalid("a module must have a name of 1 to 4096 bytes"));
        }
        if let Some(name) = code::duplicate(modules.iter().map(|module| module.name.as_str())) {
            return Err(invalid(format!("the module {name:?} stands twice")));
        }
        match self.main() {
            Some((main, _)) if !modules.iter().any(|module| module.name == main) => {
                return Err(invalid(format!("No such module \"{main}\".")));
            }
            Some((main, is_module)) => code::check(modules, main, is_module)?,
            None if self.metadata.get("assets").is_some_and(Value::is_object)
                || self.metadata.get("keep_assets") == Some(&Value::Bool(true)) => {}
            None => return Err(invalid("main_module or body_part is required in the metadata")),
        }
        check_metadata(&self.metadata)
    }
}

/// Checks the fields that a version has beside its bindings.
pub(super) fn check_metadata(metadata: &Map<String, Value>) -> Result<(), Problem> {
    let given = |key: &str| metadata.get(key).filter(|value| !value.is_null());
    // The Terraform provider sends an empty one for none.
    if let Some(date) = given("compatibility_date").filter(|date| date.as_str() != Some("")) {
        check_date(date.as_str().unwrap_or_default())?;
    }
    for key in ["compatibility_flags", "tags", "keep_bindings"] {
        let texts = |value: &Value| {
            value.as_array().is_some_and(|items| items.iter().all(Value::is_string))
        };
        if given(key).is_some_and(|value| !texts(value)) {
            return Err(invalid(format!("{key} must be an array of strings")));
        }
    }
    for key in ["bindings", "tail_consumers"] {
        if given(key).is_some_and(|value| !value.is_array()) {
            return Err(invalid(format!("{key} must be an array")));
        }
    }
    for key in ["migrations", "exports", "observability", "placement", "limits", "annotations"] {
        if given(key).is_some_and(|value| !value.is_object()) {
            return Err(invalid(format!("{key} must be an object")));
        }
    }
    if given("logpush").is_some_and(|value| !value.is_boolean()) {
        return Err(invalid("logpush must be a boolean"));
    }
    let annotation = |key: &str| {
        metadata.get("annotations").and_then(|all| all.get(key)).and_then(Value::as_str)
    };
    for (key, max) in [("workers/message", MESSAGE_BYTES_MAX), ("workers/tag", TAG_BYTES_MAX)] {
        if annotation(key).is_some_and(|text| text.len() > max) {
            return Err(invalid(format!("the annotation {key} is longer than {max} bytes")));
        }
    }
    Ok(())
}

fn check_date(text: &str) -> Result<(), Problem> {
    let date = text.parse::<Date>().ok().filter(|_| text.len() == "2026-01-01".len());
    let Some(date) = date else {
        return Err(invalid(format!("Invalid compatibility date: {text}")));
    };
    if date > Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date() {
        return Err(invalid(format!("Can't set compatibility date in the future: {text}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_dates() {
        for good in ["a", "_a", "a-b_c", "9"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "A", "a.b", "../a", &"a".repeat(256)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert!(check_date("2026-11-01").is_ok());
        for bad in ["", "2026-13-01", "2026-1-1", "2026-11-01T00:00:00", "9999-01-01"] {
            assert!(check_date(bad).is_err(), "{bad}");
        }
    }
}
