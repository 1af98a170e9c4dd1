//! What was approved, by clone: a file in the user's state directory.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use envc_core::of_newer;
use envc_exec::ports::Entropy as _;
use serde::{Deserialize, Serialize};

use super::wants::{Item, Wants};
use crate::{
    host::{
        error::CommandError,
        file_lock::{Holder, Lock},
        fsio,
    },
    workspace::{
        Workspace,
        dirs::StateDir,
        registry::{Location, mark},
    },
};

/// Bytes of the file.
const TRUST_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of the file in which git keeps where a worktree is.
const PATH_BYTES_MAX: usize = 16 * 1024;
/// The schema version that this build reads and writes.
const TRUST_SCHEMA: u32 = 1;

/// The record's file.
#[derive(Clone, Debug)]
pub(crate) struct TrustRecord {
    file: PathBuf,
    lock: PathBuf,
}

/// All that was approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    schema: u32,
    /// By the real path of the git directory that all worktrees share, or of the spec's folder where
    /// there is no git.
    clones: BTreeMap<PathBuf, Approved>,
}

/// What was approved for one clone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Approved {
    /// The mark of its git directory: another clone at the same path does not have it. None: there is
    /// no git, or nothing can be written there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mark: Option<String>,
    /// When, in seconds since 1970.
    pub(crate) at_s: u64,
    /// What.
    pub(crate) items: BTreeSet<Item>,
    /// What its user said no to.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) declined: BTreeSet<Item>,
}

/// The path by which a clone is known, and that its worktrees share: of the git directory that they have
/// in common, else of the folder.
pub(crate) fn key_of(place: &Location) -> PathBuf {
    let path = common_dir(place).unwrap_or(&place.root);
    fsio::canonical(path).unwrap_or_else(|_| path.to_owned())
}

/// The git directory of a clone, where it is this folder's own. Invariant: what a folder says of itself does
/// not put it among the worktrees of a clone: its git directory lies in it, or among those that the clone
/// has, and leads back to it. Git asks for less, so an unpacked folder may name a clone that is approved.
fn common_dir(place: &Location) -> Option<&Path> {
    let (git_dir, common) = (place.git_dir.as_deref()?, place.common_dir.as_deref()?);
    let own = place.top.join(".git");
    if fsio::is_one(git_dir, common) {
        return (fsio::read_link(&own).is_none() && fsio::is_one(git_dir, &own)).then_some(common);
    }
    let is_among = git_dir.parent().is_some_and(|it| fsio::is_one(it, &common.join("worktrees")));
    let back = fsio::read_text(&git_dir.join("gitdir"), PATH_BYTES_MAX).ok().flatten()?;
    let leads_back = fsio::is_one(&git_dir.join(back.trim_end_matches(['\n', '\r'])), &own);
    (is_among && leads_back).then_some(common)
}

impl Document {
    /// Reads it; the error says what is wrong. A newer one is told by its version before anything in it
    /// is found wrong.
    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let json: serde_json::Value =
            serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        match json.get("schema").and_then(serde_json::Value::as_u64) {
            Some(schema) if schema == u64::from(TRUST_SCHEMA) => {}
            Some(schema) => {
                return Err(format!("it has schema {schema}, and this envc knows {TRUST_SCHEMA}"));
            }
            None => return Err("it has no schema version".to_owned()),
        }
        serde_json::from_value(json).map_err(|error| match of_newer(&error) {
            Some(what) => format!("it has {what}, which this envc does not know"),
            None => error.to_string(),
        })
    }

    /// The bytes of the file. A path that is no text has none.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, CommandError> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|error| {
            CommandError::failed("what was approved cannot be recorded").because(&error)
        })?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

impl TrustRecord {
    /// The record of this user.
    pub(crate) fn new(state: &StateDir) -> Self {
        let path = state.path();
        Self { file: path.join("trust.json"), lock: path.join("trust.lock") }
    }

    /// What is approved for a clone.
    pub(super) fn of(&self, place: &Location) -> Result<Approved, CommandError> {
        let found = self.read()?.clones.remove(&key_of(place));
        // Invariant: what was approved for a clone is not another one's that lies at its path now.
        let is_it = |it: &Approved| it.mark == mark_at(place);
        Ok(found.filter(is_it).unwrap_or_default())
    }

    /// Records the answer to all of this, beside what was answered before.
    pub(super) fn note(
        &self,
        workspace: &Workspace<'_>,
        wants: &Wants,
        answer: bool,
    ) -> Result<(), CommandError> {
        let place = workspace.place();
        if let Some(git_dir) = common_dir(&place)
            && mark::read(git_dir).is_none()
        {
            // Where it cannot be written the path alone tells.
            let _written = mark::write(git_dir, &workspace.entropy.hex(mark::MARK_BYTES));
        }
        let (key, mark) = (key_of(&place), mark_at(&place));
        let now_s = workspace.clock.unix_s();
        self.update(now_s, |document| {
            let known = document.clones.entry(key).or_default();
            if known.mark != mark {
                *known = Approved { mark, ..Approved::default() };
            }
            known.at_s = now_s;
            if answer {
                known.declined.retain(|item| !wants.items.contains(item));
                known.items.extend(wants.items.iter().cloned());
            } else {
                let open = wants.items.difference(&known.items).cloned();
                known.declined.extend(open.collect::<Vec<_>>());
            }
        })
    }

    /// Every clone for which something is approved.
    pub(crate) fn all(&self) -> Result<BTreeMap<PathBuf, Approved>, CommandError> {
        Ok(self.read()?.clones)
    }

    /// Takes back what was approved for a clone; false where nothing was.
    pub(crate) fn revoke(&self, key: &Path, now_s: u64) -> Result<bool, CommandError> {
        let mut was_there = false;
        self.update(now_s, |document| was_there = document.clones.remove(key).is_some())?;
        Ok(was_there)
    }

    fn read(&self) -> Result<Document, CommandError> {
        match fsio::read(&self.file, TRUST_BYTES_MAX)? {
            Some(bytes) => Self::parse(&self.file, &bytes),
            None => Ok(Document { schema: TRUST_SCHEMA, clones: BTreeMap::new() }),
        }
    }

    /// The document in these bytes of the file.
    pub(crate) fn parse(file: &Path, bytes: &[u8]) -> Result<Document, CommandError> {
        Document::parse(bytes).map_err(|why| {
            let shown = fsio::for_shell(file);
            CommandError::failed(format!("cannot read {}", file.display()))
                .because_text(why)
                .code("envc::cli::trust_unreadable")
                .hint(format!(
                    "move it away: mv {shown} {shown}.damaged; what was approved is then asked anew"
                ))
        })
    }

    fn update(&self, now_s: u64, change: impl FnOnce(&mut Document)) -> Result<(), CommandError> {
        let me = Holder::me("envc trust", now_s);
        let lock = Lock::acquire_blocking(&self.lock, &me, &mut |_| {})?;
        let before = self.read()?;
        let mut document = before.clone();
        change(&mut document);
        if document != before {
            fsio::write_atomic(&self.file, &document.to_bytes()?, fsio::PRIVATE)?;
        }
        drop(lock);
        Ok(())
    }
}

fn mark_at(place: &Location) -> Option<String> {
    common_dir(place).and_then(mark::read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_newer_envc_wrote_is_told_by_its_version_or_by_what_is_not_known() {
        let wrong = |text: &str| Document::parse(text.as_bytes()).unwrap_err();
        assert_eq!(
            wrong(r#"{"schema":2,"clones":{},"of_tomorrow":1}"#),
            "it has schema 2, and this envc knows 1"
        );
        let field = "it has the field `of_tomorrow`, which this envc does not know";
        assert_eq!(wrong(r#"{"schema":1,"clones":{},"of_tomorrow":1}"#), field);
        assert_eq!(wrong("{}"), "it has no schema version");
        let clone = r#"{"schema":1,"clones":{"/a":{"at_s":7,"items":[{"run":{"name":"n","command":"c"}}]}}}"#;
        let document = Document::parse(clone.as_bytes()).unwrap();
        assert_eq!(Document::parse(&document.to_bytes().unwrap()), Ok(document));
    }
}
