//! What is read before a file that envc writes, or in its place.
//!
//! wrangler takes the first `wrangler.json` upwards before any `wrangler.jsonc`, however near that one
//! lies; where a build left `.wrangler/deploy/config.json`, it deploys what that names; and with `--env
//! NAME` it reads `.dev.vars.NAME` in place of `.dev.vars`. Of the `.env` files of one folder Vite, Next.js
//! and wrangler read several, the more special ones last. Sources: wrangler 4.164, `findWranglerConfig`,
//! `findRedirectedWranglerConfig`, `loadDotDevDotVars`, `getDefaultEnvFiles`; Vite 7, `getEnvFilesForMode`.
//!
//! Looked at is whether a file is there, up to the root of the file system as wrangler does; read is only
//! what lies in the repository. Way in: [`Place::look`].

use std::{
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
};

use envc_core::{folder_and_name, join_path, limits::FILE_BYTES_MAX};
use envc_kinds::Worker;
use envc_plan::{Built, built_of, redirect_of, variable_files, wrangler_path};
use envc_spec::{DotenvReader, Environment};

use crate::{
    host::fsio,
    secrets,
    workspace::reading::{Reading, is_called_secret},
};

/// What wrangler takes before a `wrangler.jsonc`.
const BEFORE: &str = "wrangler.json";
/// Where a build says what is deployed in place of the configuration.
const REDIRECT: &str = ".wrangler/deploy/config.json";
/// wrangler's file of a Worker's secrets.
const DEV_VARS: &str = ".dev.vars";

/// The folder that files go to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'p> {
    /// Its real path.
    pub(crate) root: &'p Path,
    /// What is read lies in it: the top of the repository, or the folder itself.
    pub(crate) top: &'p Path,
}

/// A file that envc writes, and what comes before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outranked {
    /// The file, as the spec has it.
    pub(crate) path: String,
    /// What is so: a sentence without a full stop.
    pub(crate) message: String,
    /// Why it matters here, where there is more to say.
    pub(crate) because: Option<String>,
    /// What to do.
    pub(crate) hint: String,
    /// How much it weighs.
    pub(crate) weight: Weight,
}

/// How much it weighs that another file comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// The file would have no effect, and wrangler would work on something else: refused.
    Refused,
    /// Somebody may mean it so: told.
    Told,
    /// A build is older than the configuration: told once the files are written.
    OldBuild,
}

impl Place<'_> {
    /// All that comes before the files of an environment. `configuration` gives the text of a
    /// `wrangler.jsonc` by its path, as envc writes it.
    pub(crate) fn look(
        &self,
        environment: &Environment,
        configuration: &dyn Fn(&str) -> Option<String>,
    ) -> Vec<Outranked> {
        let mut found = Vec::new();
        for worker in &environment.workers {
            found.extend(self.configuration(worker, environment));
            found.extend(self.redirect(worker, environment, configuration));
        }
        let files = variable_files(environment);
        let of_variables = files.iter().map(|(path, ..)| path.as_str());
        let others = environment.files.iter().map(|file| file.path.as_str());
        let made: BTreeSet<&str> = of_variables.chain(others).collect();
        for (path, reader, names) in &files {
            match folder_and_name(path).1 {
                DEV_VARS => found.extend(self.in_place(path, &made)),
                _ if reads_several(*reader) => found.extend(self.read_after(path, names, &made)),
                _ => {}
            }
        }
        found
    }

    /// A path as people are told it: below the folder, or whole.
    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(self.root).unwrap_or(path).to_string_lossy().replace('\\', "/")
    }

    fn folder_of(&self, worker: &Worker) -> PathBuf {
        self.root.join(join_path(&worker.path, "."))
    }

    /// The nearest file of this name from a folder upwards: one that is there, or that the spec makes.
    fn nearest(&self, from: &Path, name: &str, environment: &Environment) -> Option<PathBuf> {
        let is_made =
            |path: &Path| environment.files.iter().any(|it| self.root.join(&it.path) == path);
        let mut all = from.ancestors().map(|folder| folder.join(name));
        all.find(|path| fsio::is_file(path) || is_made(path))
    }

    fn configuration(&self, worker: &Worker, environment: &Environment) -> Option<Outranked> {
        let (path, folder) = (wrangler_path(worker), self.folder_of(worker));
        let by = self.nearest(&folder, BEFORE, environment)?;
        let shown = self.shown(&by);
        let hint = if by.parent() == Some(folder.as_path()) {
            format!(
                "take {shown} away: what it says belongs into the spec, or into a `template` of worker \
                 \"{}\"",
                worker.name
            )
        } else {
            format!(
                "rename {shown} to wrangler.jsonc, of which the nearest one counts, or take it away"
            )
        };
        Some(Outranked {
            message: format!("wrangler reads {shown} in place of {path}, which envc writes"),
            because: Some(
                "a wrangler.json in the folder or above it comes before every wrangler.jsonc"
                    .into(),
            ),
            hint,
            weight: Weight::Refused,
            path,
        })
    }

    fn redirect(
        &self,
        worker: &Worker,
        environment: &Environment,
        configuration: &dyn Fn(&str) -> Option<String>,
    ) -> Option<Outranked> {
        let (path, folder) = (wrangler_path(worker), self.folder_of(worker));
        let at = self.nearest(&folder, REDIRECT, environment)?;
        let shown = self.shown(&at);
        let of = at.ancestors().nth(3)?;
        if of != folder {
            return Some(self.redirect_above(&path, &shown, of, environment));
        }
        let (why, weight) = match self.built(&at, configuration(&path).as_deref()) {
            Ok(Built::OfThis) => return None,
            Ok(Built::Before) => {
                let message = format!(
                    "wrangler deploys what {shown} names, which was built from {path} as it was before"
                );
                let hint = "build once more before you deploy".to_owned();
                return Some(Outranked {
                    path,
                    message,
                    because: None,
                    hint,
                    weight: Weight::OldBuild,
                });
            }
            Ok(Built::Elsewhere) => {
                ("it names no Worker of this environment".to_owned(), Weight::Refused)
            }
            Err(why) => (why, Weight::Refused),
        };
        Some(Outranked {
            message: format!("wrangler deploys what {shown} names in place of {path}"),
            because: Some(why),
            hint: format!("take {shown} away, apply, and build once more"),
            weight,
            path,
        })
    }

    /// A redirect above the Worker's folder: wrangler refuses to choose.
    fn redirect_above(
        &self,
        path: &str,
        shown: &str,
        of: &Path,
        environment: &Environment,
    ) -> Outranked {
        let of_another = environment.workers.iter().find(|other| self.folder_of(other) == of);
        let message = format!("wrangler does not deploy by {path} while there is {shown} above it");
        let (because, hint, weight) = match of_another {
            Some(other) => (
                format!("a build of worker \"{}\" left it", other.name),
                format!("name the configuration: wrangler deploy --config {path}"),
                Weight::Told,
            ),
            None => (
                "a build of something else left it".to_owned(),
                format!("take {shown} away"),
                Weight::Refused,
            ),
        };
        let (path, because) = (path.to_owned(), Some(because));
        Outranked { path, message, because, hint, weight }
    }

    /// Of what the build is that a redirect leads to; or why that is not known.
    fn built(&self, redirect: &Path, configuration: Option<&str>) -> Result<Built, String> {
        let text = self.text(redirect)?.unwrap_or_default();
        let to = redirect_of(&text).ok_or("it names no configuration")?;
        let to = without_climbs(&redirect.with_file_name("").join(to));
        let made = self.text(&to)?.ok_or_else(|| format!("{} is not there", self.shown(&to)))?;
        let configuration = configuration.ok_or("there is no configuration of envc's there")?;
        Ok(built_of(configuration, &made))
    }

    /// A file of the repository.
    fn text(&self, path: &Path) -> Result<Option<String>, String> {
        let below = path
            .strip_prefix(self.top)
            .map_err(|_| format!("{} lies outside of the repository", path.to_string_lossy()))?;
        // Of a file of secrets nothing but names is told.
        let file = Reading::of(self.top, self.top).resolve(&below.to_string_lossy());
        let text = file.and_then(|file| fsio::read_text(&file, FILE_BYTES_MAX));
        text.map_err(|error| error.source.to_string())
    }

    /// The files in the folder of another one that are there and nobody makes, by their names.
    fn beside(&self, path: &str, made: &BTreeSet<&str>) -> Vec<String> {
        let (folder, _) = folder_and_name(path);
        let is_made = |name: &str| made.contains(join_path(folder, name).as_str());
        let folder = self.root.join(folder);
        let names = fsio::names_in(&folder).unwrap_or_default();
        let is_one = |name: &String| {
            is_called_secret(name) && !is_made(name) && fsio::is_file(&folder.join(name))
        };
        names.into_iter().filter(is_one).collect()
    }

    fn in_place(&self, path: &str, made: &BTreeSet<&str>) -> Vec<Outranked> {
        let others = self.beside(path, made).into_iter();
        let others = others.filter_map(|name| {
            let environment = name.strip_prefix(DEV_VARS)?.strip_prefix('.')?.to_owned();
            Some(Outranked {
                path: path.to_owned(),
                message: format!(
                    "`wrangler dev --env {environment}` reads {name} in place of {path}, which envc writes"
                ),
                because: None,
                hint: format!("take {name} away, or run wrangler without `--env`"),
                weight: Weight::Told,
            })
        });
        others.collect()
    }

    fn read_after(&self, path: &str, names: &[String], made: &BTreeSet<&str>) -> Vec<Outranked> {
        let (folder, name) = folder_and_name(path);
        let own = Rank::of(name);
        let others = self.beside(path, made).into_iter();
        let after =
            |name: &String| Rank::of(name).zip(own).is_some_and(|(other, own)| other.is_after(own));
        let others = others.filter(after).filter_map(|name| {
            let other = join_path(folder, &name);
            let text = self.text(&self.root.join(&other)).ok()??;
            let set = secrets::read_dotenv(&other, &text).ok()?;
            let both: Vec<&str> =
                names.iter().map(String::as_str).filter(|it| set.contains_key(*it)).collect();
            let both = if both.is_empty() { return None } else { both.join(", ") };
            Some(Outranked {
                path: path.to_owned(),
                message: format!(
                    "{other} is read after {path}, which envc writes, and sets {both} too"
                ),
                because: Some("Vite, Next.js and wrangler read both".into()),
                hint: format!("take the line out of {other}, or the variable out of the spec"),
                weight: Weight::Told,
            })
        });
        others.collect()
    }
}

/// True for who reads several `.env` files of a folder.
fn reads_several(reader: Option<DotenvReader>) -> bool {
    matches!(reader, None | Some(DotenvReader::Vite | DotenvReader::Wrangler))
}

/// A `.env` file's place among those of its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rank<'n> {
    mode: Option<&'n str>,
    local: bool,
}

impl<'n> Rank<'n> {
    /// `.env`, `.env.local`, `.env.MODE`, `.env.MODE.local`.
    fn of(name: &'n str) -> Option<Self> {
        let rest = name.strip_prefix(".env")?;
        let (rest, local) = match rest.strip_suffix(".local") {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        match rest.strip_prefix('.') {
            None => rest.is_empty().then_some(Self { mode: None, local }),
            Some(mode) if mode.is_empty() || mode.contains('.') => None,
            Some(mode) => Some(Self { mode: Some(mode), local }),
        }
    }

    fn is_after(self, other: Self) -> bool {
        let is_of_one_mode = other.mode.is_none() || other.mode == self.mode;
        is_of_one_mode && (self.mode.is_some(), self.local) > (other.mode.is_some(), other.local)
    }
}

/// A path without `..`; none of its folders is looked at.
fn without_climbs(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => out.push(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_special_file_is_read_later() {
        let after = |name, own| {
            Rank::of(name).zip(Rank::of(own)).is_some_and(|(name, own)| name.is_after(own))
        };
        for (name, own) in [
            (".env.local", ".env"),
            (".env.development", ".env"),
            (".env.development.local", ".env"),
            (".env.development", ".env.local"),
            (".env.development.local", ".env.development"),
        ] {
            assert!(after(name, own), "{name} {own}");
            assert!(!after(own, name), "{own} {name}");
        }
        for (name, own) in [
            (".env.test", ".env.development"),
            (".env.test.local", ".env.development"),
            (".env.local.old", ".env"),
            (".envrc", ".env"),
            ("env.local", ".env"),
        ] {
            assert!(!after(name, own), "{name} {own}");
        }
    }
}
