//! IDs of other environments, none of which may stand in a generated configuration. Pure.

use std::collections::BTreeSet;

use envc_core::Mode;
use envc_spec::Environment;
use serde_json::Value as Json;

use crate::known::Known;

/// The first token of a text that looks like an ID (a UUID, or 32 hex digits) and stands in none
/// of the known texts, with its line.
pub(crate) fn foreign_id<'t>(text: &'t str, known: &BTreeSet<String>) -> Option<(usize, &'t str)> {
    text.lines().enumerate().find_map(|(index, line)| {
        let ids = (0..line.len()).filter_map(|at| id_at(line, at));
        let mut foreign = ids.filter(|id| {
            let id = id.to_ascii_lowercase();
            !known.iter().any(|known| known.to_ascii_lowercase().contains(&id))
        });
        foreign.next().map(|id| (index + 1, id))
    })
}

/// The ID that begins at a byte, not inside a word.
fn id_at(line: &str, at: usize) -> Option<&str> {
    let word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = line.as_bytes();
    if at > 0 && word(bytes.get(at - 1)) {
        return None;
    }
    [(36, true), (32, false)].into_iter().find_map(|(length, dashes)| {
        let id = line.get(at..at + length)?;
        let fits = id.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 if dashes => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
        (fits && !word(bytes.get(at + length))).then_some(id)
    })
}

/// The texts under these keys: account and zone belong to no environment.
pub(crate) fn account_ids(json: &Json, found: &mut BTreeSet<String>) {
    match json {
        Json::Object(map) => {
            for (key, value) in map {
                match (key.as_str(), value) {
                    ("account_id" | "zone_id", Json::String(id)) => {
                        found.insert(id.clone());
                    }
                    (_, value) => account_ids(value, found),
                }
            }
        }
        Json::Array(items) => items.iter().for_each(|item| account_ids(item, found)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// The texts that belong to this environment: its ID, ports, hosts, and its resources' IDs and names.
pub(crate) fn marks(known: &Known<'_>) -> BTreeSet<String> {
    let Environment { instance, resources, workers, endpoints, .. } = known.env;
    let mut marks = BTreeSet::from([instance.id.clone()]);
    marks.extend(instance.branch.clone());
    marks.extend(instance.sha.clone());
    marks.extend(instance.ports.values().map(u16::to_string));
    marks.extend(workers.iter().map(|worker| worker.script.clone()));
    marks.extend(endpoints.iter().flat_map(|end| [end.host.clone(), end.url.clone()]));
    for (address, desired) in resources {
        marks.extend(known.id(address));
        marks.extend(known.name(address));
        if let Mode::ExistingId(id) = &desired.mode {
            marks.insert(id.clone());
        }
    }
    marks.remove("");
    marks
}

/// True when the text holds the word, and not only as part of a longer one.
pub(crate) fn holds_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().last());
        let after = text.get(at + word.len()..).and_then(|after| after.chars().next());
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_ids_that_nobody_knows_are_foreign() {
        let uuid = "77aa55c0-1b2c-4d3e-8f4a-5b6c7d8e9f01";
        let hex = "9c2e4a6b8d0f41a3b5c7d9e1f3a5b7c9";
        let none = BTreeSet::new();
        assert_eq!(foreign_id(&format!("a\n \"é{uuid}\""), &none), Some((2, uuid)));
        assert_eq!(foreign_id(&format!("kv-{hex}"), &none), Some((1, hex)));
        assert_eq!(foreign_id(&format!("{hex}0 0{hex} sha256-{hex}{hex}"), &none), None);
        let known = BTreeSet::from([uuid.to_uppercase(), format!("https://{hex}/x")]);
        assert_eq!(foreign_id(&format!("{uuid} {hex}"), &known), None);
    }
}
