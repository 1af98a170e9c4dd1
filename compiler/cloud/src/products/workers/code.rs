//! Modules: their storage, and what can be read off their text.
//!
//! Code is never run here. Which handlers and classes it exports is read off its words, leniently:
//! what a bundler or a code generator may have renamed is taken as there. So no code is refused
//! that Cloudflare would take; a word that only looks like a handler is one here.

use std::collections::BTreeSet;

use bytes::Bytes;
use envc_edge_core::hex;
use memchr::memmem;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::clock;
use crate::envelope::Problem;

const HANDLERS: [&str; 8] =
    ["fetch", "scheduled", "queue", "email", "tail", "tailStream", "trace", "test"];

/// One module of an upload.
#[derive(Debug, Clone)]
pub(super) struct Module {
    pub(super) name: String,
    pub(super) content_type: String,
    pub(super) body: Bytes,
}

impl Module {
    fn is_text(&self) -> bool {
        let kind = &self.content_type;
        kind.contains("javascript") || kind.contains("python")
    }
}

/// Says whether any module with code mentions this identifier.
pub(super) fn mentions(modules: &[Module], word: &str) -> bool {
    modules.iter().filter(|module| module.is_text()).any(|module| {
        let body: &[u8] = &module.body;
        occurrences(body, word).next().is_some()
    })
}

/// The event handlers that the modules seem to have.
pub(super) fn handlers(modules: &[Module]) -> Vec<&'static str> {
    let defines = |body: &[u8], word: &str| {
        occurrences(body, word).any(|(before, after)| match (before, after) {
            // Set on a class or an object, or named by a text.
            (Some(b'.'), after) => after == Some(b'='),
            (Some(b'"' | b'\'' | b'`'), after) => before == after,
            (_, after) => {
                matches!(after, Some(b'(' | b':' | b',' | b'}' | b'=' | b'/' | b';'))
            }
        })
    };
    HANDLERS
        .into_iter()
        .filter(|word| {
            modules
                .iter()
                .filter(|module| module.is_text())
                .any(|module| module.content_type.contains("python") || defines(&module.body, word))
        })
        .collect()
}

/// Every place where a word stands, as the nearest visible bytes before and after it.
fn occurrences<'a>(
    text: &'a [u8],
    word: &'a str,
) -> impl Iterator<Item = (Option<u8>, Option<u8>)> + 'a {
    let in_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$');
    memmem::find_iter(text, word).filter_map(move |start| {
        let (before, rest) = text.split_at_checked(start)?;
        let after = rest.get(word.len()..)?;
        if before.last().is_some_and(in_word) || after.first().is_some_and(in_word) {
            return None;
        }
        let visible = |byte: &&u8| !byte.is_ascii_whitespace();
        Some((before.iter().rfind(visible).copied(), after.iter().find(visible).copied()))
    })
}

/// Refuses an ES module that exports nothing, and a script that listens to nothing.
pub(super) fn check(modules: &[Module], main: &str, is_module: bool) -> Result<(), Problem> {
    let word = if is_module { "export" } else { "addEventListener" };
    let silent = modules.iter().any(|module| {
        module.name == main
            && module.content_type.contains("javascript")
            && occurrences(&module.body, word).next().is_none()
    });
    if silent {
        let text = "No event handlers were registered. This script does nothing.";
        return Err(Problem::new(400, 10068, text));
    }
    Ok(())
}

/// Stores modules, or finds them where this script has the same already.
pub(super) fn store(db: &Connection, script: &str, modules: &[Module]) -> Result<i64, Problem> {
    let etag = etag(modules);
    let found = db
        .prepare_cached("SELECT seq FROM worker_contents WHERE script = ? AND etag = ?")?
        .query_row([script, etag.as_str()], |row| row.get(0))
        .optional()?;
    if let Some(seq) = found {
        return Ok(seq);
    }
    let handlers = json!(handlers(modules)).to_string();
    db.execute(
        "INSERT INTO worker_contents (etag, handlers, script) VALUES (?, ?, ?)",
        [etag.as_str(), handlers.as_str(), script],
    )?;
    let seq = db.last_insert_rowid();
    let mut insert = db.prepare_cached(
        "INSERT INTO worker_modules (content, position, name, content_type, body)
         VALUES (?, ?, ?, ?, ?)",
    )?;
    for (position, module) in (0_i64..).zip(modules) {
        let body: &[u8] = &module.body;
        insert.execute(params![seq, position, module.name, module.content_type, body])?;
    }
    Ok(seq)
}

/// The modules of stored code, in the order of their upload.
pub(super) fn load(db: &Connection, content: i64) -> rusqlite::Result<Vec<Module>> {
    db.prepare_cached(
        "SELECT name, content_type, body FROM worker_modules WHERE content = ? ORDER BY position",
    )?
    .query_map([content], |row| {
        let body: Vec<u8> = row.get(2)?;
        Ok(Module { name: row.get(0)?, content_type: row.get(1)?, body: body.into() })
    })?
    .collect()
}

/// A hash over names, types and bytes.
fn etag(modules: &[Module]) -> String {
    let mut hash = Sha256::new();
    for module in modules {
        for part in [module.name.as_bytes(), module.content_type.as_bytes(), &module.body] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(part);
        }
    }
    hex(&hash.finalize())
}

/// Modules as a multipart body, and its boundary.
pub(super) fn multipart(modules: &[Module]) -> (Vec<u8>, String) {
    let boundary = clock::new_hex_id();
    let mut body = Vec::new();
    for Module { name, content_type, body: bytes } in modules {
        // As browsers write names in this header.
        let name = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; \
             filename=\"{name}\"\r\nContent-Type: {content_type}\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (body, boundary)
}

/// Names that stand twice.
pub(super) fn duplicate<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = BTreeSet::new();
    names.into_iter().find(|name| !seen.insert(*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(body: &str) -> Vec<Module> {
        vec![Module {
            name: "index.js".to_owned(),
            content_type: "application/javascript+module".to_owned(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }]
    }

    #[test]
    fn handlers_are_read_off_however_they_are_written() {
        for text in [
            "export default { async queue(batch, env) {} }",
            "var queue=()=>{};export default{fetch,queue}",
            "export default { queue: a }",
            "export function queue (b) {}",
            "class W extends WorkerEntrypoint { async queue /* all */ (b) {} }\nexport default W",
            "class W {}\nW.prototype.queue = run;\nexport default W",
            "addEventListener('queue', run)",
            "export default { [\"queue\"]: run }",
        ] {
            assert!(handlers(&module(text)).contains(&"queue"), "{text}");
        }
        for text in ["export default { fetch() { env.queue.send(1) } }", "export const queues = 1"]
        {
            assert!(!handlers(&module(text)).contains(&"queue"), "{text}");
        }
    }

    #[test]
    fn classes_are_whole_words_of_code() {
        assert!(mentions(&module("export{a as Room}"), "Room"));
        assert!(!mentions(&module("export class Rooms {}"), "Room"));
        let mut text = module("class Room {}");
        for module in &mut text {
            "text/plain".clone_into(&mut module.content_type);
        }
        assert!(!mentions(&text, "Room"));
    }
}
