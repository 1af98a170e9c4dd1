//! Versions of a script, by which an upload is known again whose answer was lost: each has a word of chance as
//! its tag.
//!
//! Endpoint: `GET /accounts/{a}/workers/scripts/{name}/versions`, the newest first. Source: Cloudflare's
//! OpenAPI document and wrangler's source, checked November 2026.

use serde_json::{Value as Json, json};

use super::paths::scripts;
use crate::{Call, Place, Versions, Wanted};

/// Where a version says which upload made it.
const TAG: &str = "workers/tag";

pub(super) const VERSIONS: Versions = Versions { list, has };

fn list(place: &Place, wanted: &Wanted) -> Call {
    Call::get(&scripts(&place.account, &[&wanted.name, "versions"]))
}

/// The annotations of the version that an upload makes.
pub(super) fn annotations(chance: &str) -> Json {
    json!({ TAG: tag(chance) })
}

/// At most 25 characters, as of wrangler's `--tag`.
fn tag(chance: &str) -> String {
    format!("envc-{chance}")
}

fn has(wanted: &Wanted, result: &Json) -> bool {
    let tag = tag(&wanted.chance);
    let mut items = result.get("items").and_then(Json::as_array).into_iter().flatten();
    !wanted.chance.is_empty()
        && items.any(|item| {
            let told = item.get("annotations").and_then(|it| it.get(TAG));
            told.and_then(Json::as_str) == Some(&tag)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_is_known_again_by_its_own_tag_alone() {
        let wanted = |chance: &str| Wanted { chance: chance.into(), ..Wanted::default() };
        let version = |annotations: Json| json!({ "items": [{ "annotations": annotations }] });
        let ours = version(annotations("0123456789abcdef"));
        assert!(has(&wanted("0123456789abcdef"), &ours));
        for other in [ours, version(json!(null)), json!({}), version(json!({ TAG: "envc-" }))] {
            assert!(
                !has(&wanted("fedcba9876543210"), &other) && !has(&wanted(""), &other),
                "{other}"
            );
        }
    }
}
