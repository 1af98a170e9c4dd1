//! A dotenv file of the project as a provider: `dotenv ".secrets.env"`.
//!
//! Git does not have it, so a new worktree does not either. Each name is looked for in the file of the
//! working copy, in that of the main working tree, and in the user's own; the first that has it counts.

mod parser;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use envc_core::Secret;
use futures::future::BoxFuture;

use super::{Found, Provider};
use crate::host::{
    env::ProcessEnv,
    error::CommandError,
    fsio,
    git::{self, GitView},
    owner::User,
};

/// Bytes of a dotenv file.
const DOTENV_BYTES_MAX: usize = 1024 * 1024;

/// Where dotenv files are looked for besides the spec's folder. Each is the folder that stands for the
/// spec's there.
#[derive(Clone, Debug, Default)]
pub(crate) struct OtherFolders {
    /// Of a linked worktree, the top of the main working tree, and the spec's place below it.
    pub(crate) main: Option<(PathBuf, PathBuf)>,
    /// The user's own for this repository, and how it is written to people.
    pub(crate) user: Option<(PathBuf, String)>,
}

/// Each secret is the line of its name.
#[derive(Debug)]
pub(super) struct DotenvProvider<'a> {
    /// The file, as the spec writes it.
    pub(super) path: &'a str,
    /// The spec's folder.
    pub(super) root: &'a Path,
    /// Where else a file of this name may lie.
    pub(super) others: &'a OtherFolders,
    /// What git says of the spec's folder.
    pub(super) git: &'a GitView,
    /// The process's variables.
    pub(super) env: &'a ProcessEnv,
}

/// A file that is looked into.
struct Place {
    /// How it is written to people.
    shown: String,
    /// Where it is; or why it is not taken.
    file: Result<PathBuf, &'static str>,
    /// The folder that git is asked in whether it tracks the file, and the file's path from there.
    checkout: Option<(PathBuf, String)>,
}

impl DotenvProvider<'_> {
    /// The files, in their order.
    fn places(&self) -> Vec<Place> {
        let checkout = |folder: &Path, path: &str| {
            self.git.repository.as_ref().map(|_| (folder.to_owned(), path.to_owned()))
        };
        let user = User::of_process(self.env);
        let plain = |folder: &Path, path: &Path| {
            let file = fsio::plain_file(folder, path, self.root, user);
            file.map(|file| file.unwrap_or_else(|| folder.join(path)))
        };
        let mut places = vec![Place {
            shown: self.path.to_owned(),
            file: plain(self.root, Path::new(self.path)),
            checkout: checkout(self.root, self.path),
        }];
        if let Some((top, below)) = &self.others.main {
            let relative = below.join(self.path);
            let whole = top.join(&relative);
            places.push(Place {
                shown: whole.display().to_string(),
                file: plain(top, &relative),
                checkout: checkout(top, &relative.to_string_lossy()),
            });
        }
        if let Some((folder, shown)) = &self.others.user {
            places.push(Place {
                shown: format!("{shown}/{}", self.path),
                file: Ok(folder.join(self.path)),
                checkout: None,
            });
        }
        places
    }

    fn look_up(&self, names: &BTreeSet<String>) -> Result<Found, CommandError> {
        let mut found = Found::default();
        let mut missing: BTreeMap<&String, Vec<String>> =
            names.iter().map(|name| (name, Vec::new())).collect();
        for place in self.places() {
            if missing.is_empty() {
                break;
            }
            let shown = &place.shown;
            let values = place.values();
            let values = match values {
                Err(Unread::Refused(why)) => Err(format!("{shown} {why}")),
                Err(Unread::Wrong(error)) => return Err(*error),
                Ok(values) => Ok(values),
            };
            let mut has_any = false;
            missing.retain(|name, places| {
                let why = match values.as_ref().map(|it| it.as_ref().map(|it| it.get(*name))) {
                    Err(why) => why.clone(),
                    Ok(None) => format!("{shown} is not there"),
                    Ok(Some(None)) => format!("{shown} has no line for it"),
                    Ok(Some(Some(value))) if value.expose().is_empty() => {
                        format!("its line in {shown} is empty")
                    }
                    Ok(Some(Some(value))) => {
                        found.add(name, value.clone());
                        has_any = true;
                        return false;
                    }
                };
                places.push(why);
                true
            });
            if has_any && self.is_tracked(&place)? {
                found.tracked.push(place.shown);
            }
        }
        for (name, places) in missing {
            found.lacks(name, places.join("; "));
        }
        Ok(found)
    }

    fn is_tracked(&self, place: &Place) -> Result<bool, CommandError> {
        let Some((folder, path)) = &place.checkout else { return Ok(false) };
        // Asked where it lies, which may be a submodule.
        let file = folder.join(path);
        let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else {
            return Ok(false);
        };
        Ok(!git::tracked(folder, self.env, &[&name.to_string_lossy()])?.is_empty())
    }
}

/// Why a file gives no values.
enum Unread {
    /// It is passed over; a clause after its name.
    Refused(&'static str),
    /// It is there and cannot be read.
    Wrong(Box<CommandError>),
}

impl Place {
    /// The file's values; `None` where it is not there.
    fn values(&self) -> Result<Option<BTreeMap<String, Secret>>, Unread> {
        let path = self.file.as_ref().map_err(|why| Unread::Refused(why))?;
        let wrong = |error: CommandError| Unread::Wrong(Box::new(error));
        let text = fsio::read_text(path, DOTENV_BYTES_MAX).map_err(|error| wrong(error.into()))?;
        let read = |text: &str| read(&self.shown, text);
        text.as_deref().map(read).transpose().map_err(wrong)
    }
}

/// The values in the text of a file, by name.
pub(crate) fn read(shown: &str, text: &str) -> Result<BTreeMap<String, Secret>, CommandError> {
    parser::parse(text).map_err(|error| {
        CommandError::failed(format!("{shown} cannot be read"))
            .because(&error)
            .code("envc::cli::dotenv")
    })
}

impl Provider for DotenvProvider<'_> {
    fn fetch<'f>(
        &'f self,
        names: &'f BTreeSet<String>,
    ) -> BoxFuture<'f, Result<Found, CommandError>> {
        Box::pin(async { self.look_up(names) })
    }

    fn way_out(&self, name: &str, _apply: &str) -> String {
        self.for_good(name).unwrap_or_default()
    }

    fn for_good(&self, name: &str) -> Option<String> {
        let linked = self.git.repository.as_ref().is_some_and(git::Repository::is_linked_worktree);
        let (whom, file) = match (&self.git.repository, &self.others) {
            (Some(_), OtherFolders { main: Some((top, below)), .. }) => {
                ("for all worktrees, ", top.join(below).join(self.path).display().to_string())
            }
            (Some(_), OtherFolders { user: Some((_, shown)), .. }) if linked => {
                ("for all worktrees, ", format!("{shown}/{}", self.path))
            }
            (Some(_), _) if !linked => {
                ("for this folder and its worktrees, ", self.path.to_owned())
            }
            _ => ("", self.path.to_owned()),
        };
        Some(format!("{whom}add a line to {file}: {name}=…"))
    }
}
