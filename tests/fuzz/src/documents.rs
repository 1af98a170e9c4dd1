//! The files of a user's state directory and of a working copy: `registry.json`, `trust.json`,
//! `.envc/working-copy.json`.
//!
//! What is read is written, and read again as the same, byte for byte; what a newer envc wrote is refused
//! and not dropped. What cannot be read is an error with a code. A cache counts as this user's only where
//! this user's key signed exactly it.

use envc::documents;
use serde_json::Value as Json;

use crate::law::{self, Form};

/// The key that caches of the corpus are signed with.
const KEY: &[u8] = b"32 bytes to sign caches of tests";

pub(crate) fn registry(data: &[u8]) {
    check(data, documents::registry);
}

pub(crate) fn trust(data: &[u8]) {
    check(data, documents::trust);
}

fn check(data: &[u8], read: fn(&[u8]) -> Result<Vec<u8>, documents::Unusable>) {
    match read(data) {
        Ok(written) => {
            let form = Form {
                version: "schema",
                read: &read,
                write: &Clone::clone,
                told: &|error| error.text.clone(),
            };
            law::document(&written, &form);
        }
        Err(error) => law::told(&error),
    }
}

pub(crate) fn cache(data: &[u8]) {
    let Some((written, is_ours)) = documents::working_copy(data, KEY) else { return };
    assert_eq!(documents::working_copy(&written, KEY), Some((written.clone(), is_ours)));
    // What is not signed proves nothing: its signature may be that of anything else.
    if !is_ours {
        return;
    }
    let is_theirs = |bytes: &[u8], key: &[u8]| documents::working_copy(bytes, key).map(|it| it.1);
    assert_eq!(is_theirs(&written, b"another key"), Some(false));
    let Ok(mut other) = serde_json::from_slice::<Json>(&written) else {
        panic!("what was written is no JSON")
    };
    for name in ["project", "key", "root"] {
        let Some(Json::String(text)) = other.get_mut(name) else { panic!("no {name}: {other}") };
        text.push('x');
        assert_eq!(is_theirs(other.to_string().as_bytes(), KEY), Some(false), "{name}");
    }
}
