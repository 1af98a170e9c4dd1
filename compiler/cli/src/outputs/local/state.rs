//! The folder of local copies that all Workers of a working copy share, and the links by which wrangler
//! finds it by itself.
//!
//! wrangler looks in `.wrangler/state` beside its configuration, and has no key for another folder:
//! so a link stands there. Nothing is put over what is there, and nothing is written through a link
//! that envc did not make.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use envc_core::{folder_and_name, join_path, relative_path};
use envc_spec::LOCAL_STATE_DEFAULT;

use super::{Open, Told};
use crate::{
    host::{error::CommandError, fsio},
    shell::events::Event,
    workspace::session::Session,
};

/// Where wrangler looks, seen from its configuration.
const OWN: &str = ".wrangler/state";

/// The shared folder.
#[derive(Debug)]
pub(super) struct LocalState {
    /// Relative to the spec's folder.
    pub(super) relative: String,
    /// Its real path, whether or not it is there yet.
    pub(super) path: PathBuf,
    /// The folders of Workers.
    folders: BTreeSet<String>,
}

impl LocalState {
    /// What the spec says; else the folder where the only Worker looks, else one of envc's.
    pub(super) fn of(session: &Session<'_>) -> Result<Self, CommandError> {
        let workers = session.environment.workers.iter();
        let folders: BTreeSet<String> = workers.map(|worker| join_path("", &worker.path)).collect();
        let links = &session.workspace.record().local.links;
        let only = folders.first().filter(|_| folders.len() == 1).map(|it| join_path(it, OWN));
        let relative = match (&session.environment.persist, only) {
            (Some(persist), _) => join_path("", &persist.path),
            // A link of ours stands there since there were several.
            (None, Some(only)) if !links.contains_key(&only) => only,
            (None, _) => LOCAL_STATE_DEFAULT.to_owned(),
        };
        let path = fsio::inside_without_links(session.workspace.root(), &relative)?;
        Ok(Self { relative, path, folders })
    }

    /// True where wrangler finds it by itself from this folder.
    pub(super) fn is_found_from(&self, folder: &Path) -> bool {
        let own = folder.join(OWN);
        own == self.path || fsio::is_one(&own, &self.path)
    }

    /// Makes the links that are missing; true where it made one. Folders where none can be made are
    /// told.
    pub(super) fn link(
        &self,
        session: &Session<'_>,
        told: &mut Told,
    ) -> Result<bool, CommandError> {
        let root = session.workspace.root();
        let mut made = false;
        for folder in &self.folders {
            if self.is_found_from(&root.join(folder)) {
                continue;
            }
            match self.link_from(session, folder)? {
                None => made = true,
                Some(why) => told.open.push(self.apart(folder, &why)),
            }
        }
        Ok(made)
    }

    /// Makes one link, or says why none can be made.
    fn link_from(
        &self,
        session: &Session<'_>,
        folder: &str,
    ) -> Result<Option<String>, CommandError> {
        let root = session.workspace.root();
        let relative = join_path(folder, OWN);
        let (above, _) = folder_and_name(&relative);
        let above = match fsio::inside_without_links(root, above) {
            Ok(above) => above,
            Err(error) => return Ok(Some(CommandError::from(error).to_words())),
        };
        let path = above.join("state");
        let known = session.workspace.record().local.links.get(&relative).cloned();
        if let Some(old) = known {
            // It leads to where the copies were before.
            let old = relative_path(folder_and_name(&relative).0, &old);
            fsio::remove_link(Path::new(&old), &path)?;
        }
        if fsio::is_there(&path) {
            return Ok(Some(format!("{relative} is there already")));
        }
        fsio::create_dirs(&self.path)?;
        // Made before it is recorded, it would be nobody's after a kill.
        session.workspace.change_record(|record| {
            record.note_local(session.workspace.clock.unix_s(), |local| {
                local.links.insert(relative.clone(), self.relative.clone());
            })
        })?;
        let target = relative_path(folder_and_name(&relative).0, &self.relative);
        let linked =
            fsio::create_dirs(&above).and_then(|()| fsio::link_folder(Path::new(&target), &path));
        if let Err(error) = linked {
            session.workspace.change_record(|record| {
                record.note_local(session.workspace.clock.unix_s(), |local| {
                    local.links.remove(&relative);
                })
            })?;
            return Ok(Some(CommandError::from(error).to_words()));
        }
        session.ui.event(&Event::LocalLinked { path: &relative, to: &self.relative });
        session.ui.say(&format!("linked {relative} to {}", self.relative));
        Ok(None)
    }

    /// What is told of a folder from which wrangler finds other copies.
    fn apart(&self, folder: &str, why: &str) -> Open {
        let way = relative_path(folder, &self.relative);
        let way = fsio::for_shell(Path::new(&way));
        let shown = if folder.is_empty() { "." } else { folder };
        let enter = enter(folder);
        Open {
            address: None,
            what: format!(
                "`wrangler dev` in {shown} works on local copies of its own, because {why}"
            ),
            command: Some(format!("{enter}npx wrangler dev --persist-to {way}")),
        }
    }
}

/// The beginning of a command that is run in a folder below the spec's.
pub(super) fn enter(below: &str) -> String {
    if below.is_empty() {
        return String::new();
    }
    format!("cd {} && ", fsio::for_shell(Path::new(below)))
}

/// Removes the links that are still as envc made them.
pub(super) fn unlink(
    session: &Session<'_>,
    links: &BTreeMap<String, String>,
) -> Result<(), CommandError> {
    if links.is_empty() {
        return Ok(());
    }
    let root = session.workspace.root();
    for (relative, to) in links {
        let (above, _) = folder_and_name(relative);
        let Ok(folder) = fsio::inside_without_links(root, above) else { continue };
        let target = relative_path(above, to);
        if fsio::remove_link(Path::new(&target), &folder.join("state"))? {
            fsio::remove_empty(&folder);
            session.ui.say(&format!("removed {relative}"));
        }
    }
    session.workspace.change_record(|record| {
        record.note_local(session.workspace.clock.unix_s(), |local| local.links.clear())
    })
}
