//! The registry's document and its questions. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use envc_core::{Digest, of_newer};
use serde::{Deserialize, Serialize};

use super::{applied_to::AppliedTo, location::Location};
use crate::{host::error::CommandError, workspace::repository};

/// Seconds that an older envc took at most from drawing an ID to recording it: it waited for locks.
const LATE_S_MAX: u64 = 60;

/// The schema version that this build writes. Raise it when an older build would misread a field.
///
/// - 1: the first one. All folders of a worktree went by its git directory, and no repository was
///   recorded.
/// - 2: a working copy goes by its spec's place below the worktree's top, too, and has a repository.
/// - 3: files of another folder inside the working copy go by their place in it. Of what an environment
///   was applied to, the first cloud was recorded.
/// - 4: each account that it was applied to is recorded, and which of them it is worked on in.
const REGISTRY_SCHEMA: u32 = 4;

/// Everything that the registry knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    schema: u32,
    /// By key: the worktree's git directory and the spec's place below its top, or the folder where
    /// there is no git.
    pub(super) places: BTreeMap<String, LocationRecord>,
}

/// One folder with a spec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LocationRecord {
    /// The folder; when it is gone, its ports are free.
    pub(super) folder: PathBuf,
    /// The git directory that all worktrees of the repository share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) common_dir: Option<PathBuf>,
    /// The mark of its git directory. None: there is no git, or nobody has worked here since
    /// working copies have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mark: Option<String>,
    /// By project.
    pub(super) projects: BTreeMap<String, CopyRecord>,
}

/// A project in a folder: a working copy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CopyRecord {
    /// The repository that it is of. None: the first version recorded it, and nobody has worked
    /// here since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) repository: Option<String>,
    /// What it was before, and may still be recorded and claimed as.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) formerly: BTreeSet<String>,
    /// The environment that the folder is bound to: the one its files are for.
    pub(crate) bound: Option<Bound>,
    /// The environments that were worked on from here, by ID.
    pub(crate) environments: BTreeMap<String, EnvironmentRecord>,
    /// The files that envc wrote here, by path relative to the spec's folder, and by the keys of
    /// `file_key` in other folders.
    pub(crate) files: BTreeMap<String, FileRecord>,
    /// What lies here for `wrangler dev`.
    #[serde(default, skip_serializing_if = "LocalRecord::is_empty")]
    pub(crate) local: LocalRecord,
}

/// What envc had wrangler make in a working copy, and the links to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LocalRecord {
    /// wrangler's local copies of databases, by the API's identifier. Recorded before they are made.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) databases: BTreeMap<String, LocalDatabase>,
    /// The links that envc made to where they lie, each with what it holds. Both paths are relative to
    /// the spec's folder; recorded before they are made.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) links: BTreeMap<String, String>,
}

impl LocalRecord {
    fn is_empty(&self) -> bool {
        self.databases.is_empty() && self.links.is_empty()
    }
}

/// wrangler's local copy of one database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LocalDatabase {
    /// The environment.
    pub(crate) env: String,
    /// Key of the account that the database is in; none where no account was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) of: Option<String>,
    /// The database's address.
    pub(crate) address: String,
    /// The folder of local copies, relative to the spec's folder.
    pub(crate) folder: String,
    /// The folders that it lay in before.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) formerly: BTreeSet<String>,
    /// Digest of the migrations that it has; none until they ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) migrated: Option<Digest>,
    /// wrangler was about to make it: what a run that was cut off left of it is made anew.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) begun: bool,
    /// Its seed is still to run: nobody had made the copy before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) seed_due: bool,
}

/// Which environment a folder is bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bound {
    /// Its type.
    pub(crate) env_type: String,
    /// Its ID.
    pub(crate) id: String,
}

/// One environment as this machine knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnvironmentRecord {
    /// Its type.
    pub(crate) env_type: String,
    /// When its ID was minted here, in seconds since 1970; none for an ID that the spec fixes or
    /// the command line named.
    pub(crate) minted_s: Option<u64>,
    /// Time and randomness were drawn for its ID, so that nobody else has it. None: an older envc
    /// recorded it, and its ID alone can tell. Decided when it is minted, and never again: what the
    /// spec says later makes no name of a branch a proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "chance")]
    pub(crate) random: Option<bool>,
    /// The spec protected it when it was last worked on: a spec that nobody can read does not
    /// unprotect it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) protect: bool,
    /// The cloud that a command without `--cloud` works on.
    pub(crate) cloud: Option<String>,
    /// All that it was applied to, the one that it is worked on in last. Empty: nothing, or an older
    /// envc recorded the cloud alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) applied_to: Vec<AppliedTo>,
    /// Its ports, by owner.
    pub(crate) ports: BTreeMap<String, u16>,
    /// What the last apply found of what is `existing`: by the key of the account, and by address.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) existing: BTreeMap<String, BTreeMap<String, Seen>>,
    /// What shared state alone says to be ours, and the user said so, too (`--adopt`): by the key of the
    /// account, and by address, the API's identifiers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) adopted: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

/// A resource that an apply found and does not make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seen {
    /// Its name in the account.
    pub(crate) name: String,
    /// The API's identifier.
    pub(crate) id: String,
}

/// A file that envc wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileRecord {
    /// The environment it was written for.
    pub(crate) env: String,
    /// And for which of the accounts that it was applied to. None: an older envc wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) of: Option<String>,
    /// Digest of its content under the user's key: a file may hold secrets.
    pub(crate) digest: Digest,
    /// What it was made from, as its maker says; opaque.
    pub(crate) fingerprint: Digest,
    /// Its permission bits.
    pub(crate) mode: u32,
    /// Digest of the content that was about to replace it: after a kill either stands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pending: Option<Digest>,
}

impl FileRecord {
    /// True for a file of this environment in this account, by its key. Of one that an older envc
    /// wrote, the account is not known.
    pub(crate) fn is_for(&self, env: &str, of: Option<&str>) -> bool {
        self.env == env && self.of.as_deref().is_none_or(|it| Some(it) == of)
    }

    /// True for a file that only its owner may read.
    pub(crate) fn is_private(&self) -> bool {
        self.mode.trailing_zeros() >= 6
    }

    /// True for a content that envc wrote, or was about to write.
    pub(crate) fn is_of(&self, digest: &Digest) -> bool {
        self.digest == *digest || self.pending.as_ref() == Some(digest)
    }
}

impl Default for Document {
    fn default() -> Self {
        Self::new()
    }
}

impl Document {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self { schema: REGISTRY_SCHEMA, places: BTreeMap::new() }
    }

    /// Reads a document; the error says what is wrong with it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let json: serde_json::Value =
            serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        match json.get("schema").and_then(serde_json::Value::as_u64) {
            Some(schema) if schema > u64::from(REGISTRY_SCHEMA) => Err(format!(
                "it has schema version {schema}, and this envc knows versions up to \
                 {REGISTRY_SCHEMA}: use the newer envc that wrote it"
            )),
            Some(schema) => {
                let mut document: Self =
                    serde_json::from_value(json).map_err(|error| match of_newer(&error) {
                        Some(what) => format!(
                            "it has {what}, which this envc does not know: use the newer envc that \
                             wrote it"
                        ),
                        None => error.to_string(),
                    })?;
                document.schema = REGISTRY_SCHEMA;
                if schema < 2 {
                    // In which folder of the worktree each was made, the first look there tells.
                    let places = std::mem::take(&mut document.places).into_iter();
                    document.places =
                        places.map(|(key, place)| (unplaced_key(&key), place)).collect();
                }
                Ok(document)
            }
            None => Err("it has no schema version".to_owned()),
        }
    }

    /// True for a document of a version that this envc does not know, and for one with a field that
    /// it does not know.
    pub(crate) fn is_newer(bytes: &[u8]) -> bool {
        let json: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
        let schema = json.as_ref().and_then(|json| json.get("schema")?.as_u64());
        schema.is_some_and(|schema| schema > u64::from(REGISTRY_SCHEMA))
            || serde_json::from_slice::<Self>(bytes).is_err_and(|error| of_newer(&error).is_some())
    }

    /// The document's bytes. A path that is no text has none: nothing is written then.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, CommandError> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|error| {
            CommandError::failed("the registry cannot be written; it stays as it is")
                .because_text(error.to_string())
                .code("envc::cli::path_not_text")
        })?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// A working copy's record.
    pub(crate) fn copy(&self, key: &str, project: &str) -> Option<&CopyRecord> {
        self.places.get(key)?.projects.get(project)
    }

    /// The same, to change it.
    pub(super) fn copy_mut(&mut self, key: &str, project: &str) -> Option<&mut CopyRecord> {
        self.places.get_mut(key)?.projects.get_mut(project)
    }

    /// The files that only their owner may read, written from any folder below this one: each with how it
    /// is told.
    pub(crate) fn private_files_below(&self, top: &Path) -> Vec<(PathBuf, String)> {
        let places = self.places.values().filter(|place| place.folder.starts_with(top));
        let copies =
            places.flat_map(|place| place.projects.values().map(move |copy| (place, copy)));
        let files = copies.flat_map(|(place, copy)| copy.files.iter().map(move |it| (place, it)));
        let private = files.filter(|(_, (_, file))| file.is_private());
        private.map(|(place, (key, _))| (place.folder.join(key), key.clone())).collect()
    }

    /// The random IDs that were minted for this project of this repository on this machine:
    /// resources that carry one in their name are this user's.
    pub(crate) fn known_ids(&self, whose: &Whose<'_>) -> BTreeSet<String> {
        ids(self.copies_of(whose), |id, record| record.is_random(id))
    }

    /// The IDs that were minted for a project of this name, of whatever repository.
    pub(super) fn taken_ids(&self, project: &str) -> BTreeSet<String> {
        ids(self.namesakes(project).map(|(_, copy)| copy), |_, record| record.minted_s.is_some())
    }

    /// The working copy of another repository that a random ID was minted for: its repository
    /// and folder.
    pub(crate) fn minted_elsewhere(&self, whose: &Whose<'_>, id: &str) -> Option<(&str, &Path)> {
        let minted = |copy: &CopyRecord| {
            copy.environments.get(id).is_some_and(|record| record.is_random(id))
        };
        if self.copies_of(whose).any(minted) {
            return None;
        }
        self.namesakes(whose.project)
            .filter(|(_, copy)| minted(copy))
            .find_map(|(folder, copy)| Some((copy.repository.as_deref()?, folder)))
    }

    /// From where an environment of this name was applied, as far as anybody recorded it: from this
    /// folder or another one of its clone, before any other.
    pub(super) fn applied_from(
        &self,
        place: &Location,
        key: &str,
        project: &str,
        id: &str,
        exists: &dyn Fn(&Path) -> bool,
    ) -> Applied {
        let applied = |record: &&LocationRecord| {
            let copy = record.projects.get(project);
            let known = copy.and_then(|copy| copy.environments.get(id));
            known.is_some_and(|known| known.cloud.is_some())
        };
        if self.of_clone(place, key).any(|record| applied(&record)) {
            return Applied::Here;
        }
        let all = || self.places.values().filter(applied).map(|record| &record.folder);
        let (there, any) = (all().find(|folder| exists(folder)), all().next());
        match (there, any) {
            (Some(folder), _) => Applied::Elsewhere(folder.clone()),
            (None, Some(folder)) => Applied::Gone(folder.clone()),
            (None, None) => Applied::Unknown,
        }
    }

    /// A folder that is worked on for this repository.
    pub(crate) fn folder_of(&self, repository: &str) -> Option<&Path> {
        let of = |copy: &CopyRecord| copy.repository.as_deref() == Some(repository);
        let place = self.places.values().find(|place| place.projects.values().any(of))?;
        Some(&place.folder)
    }

    /// What the working copies of one clone were before: its worktrees share that, also while one
    /// of them still goes by the identity of the clone.
    pub(super) fn former(&self, place: &Location, key: &str) -> BTreeSet<String> {
        let own = |copy: &CopyRecord| {
            copy.repository.clone().filter(|repository| repository::is_working_copy(repository))
        };
        self.of_clone(place, key)
            .flat_map(|it| it.projects.values())
            .flat_map(|copy| copy.formerly.iter().cloned().chain(own(copy)))
            .collect()
    }

    /// The identity that a clone without an origin has, from any of its worktrees.
    pub(super) fn identity_of_clone(&self, place: &Location, key: &str) -> Option<String> {
        self.of_clone(place, key)
            .flat_map(|it| it.projects.values())
            .filter_map(|copy| copy.repository.as_ref())
            .find(|repository| repository::is_working_copy(repository))
            .cloned()
    }

    /// The folder and the others of its clone. The first version recorded of a worktree its git
    /// directory alone, which lies in the one that all of them share.
    fn of_clone<'a>(
        &'a self,
        place: &'a Location,
        key: &'a str,
    ) -> impl Iterator<Item = &'a LocationRecord> {
        let is_of = move |(other, record): &(&String, &LocationRecord)| {
            let shared = place.common_dir.as_ref();
            let of_first = || {
                let git_dir = other.strip_suffix("//").map(Path::new);
                shared.zip(git_dir).is_some_and(|(shared, git_dir)| git_dir.starts_with(shared))
            };
            *other == key
                || (shared.is_some() && record.common_dir.as_ref() == shared)
                || of_first()
        };
        self.places.iter().filter(move |it| is_of(it)).map(|(_, it)| it)
    }

    /// The cloud that an environment is worked on in, from any working copy.
    pub(crate) fn cloud_of(&self, whose: &Whose<'_>, id: &str) -> Option<&str> {
        self.hints_of(whose).find_map(|copy| copy.environments.get(id)?.cloud.as_deref())
    }

    /// True where a working copy of a project of this name, in a folder that is there, recorded the
    /// environment.
    pub(crate) fn has_folder(
        &self,
        project: &str,
        id: &str,
        exists: &dyn Fn(&Path) -> bool,
    ) -> bool {
        let mut all = self.namesakes(project);
        all.any(|(folder, copy)| copy.environments.contains_key(id) && exists(folder))
    }

    /// What another working copy of this machine recorded of an environment; of several, one that
    /// applied it.
    pub(crate) fn record_of(&self, whose: &Whose<'_>, id: &str) -> Option<&EnvironmentRecord> {
        let all = || self.hints_of(whose).filter_map(|copy| copy.environments.get(id));
        all().find(|record| record.cloud.is_some()).or_else(|| all().next())
    }

    /// What was recorded of a folder for other projects: its spec had another name for it.
    pub(super) fn of_other_projects(
        &self,
        key: &str,
        project: &str,
    ) -> impl Iterator<Item = (&str, &CopyRecord)> {
        let all = self.places.get(key).into_iter().flat_map(|place| &place.projects);
        all.map(|(name, copy)| (name.as_str(), copy)).filter(move |(name, _)| *name != project)
    }

    /// The type that an environment was worked on as, from any working copy.
    pub(crate) fn type_of(&self, whose: &Whose<'_>, id: &str) -> Option<&str> {
        self.hints_of(whose).find_map(|copy| Some(copy.environments.get(id)?.env_type.as_str()))
    }

    /// The ports that other environments of this machine hold.
    pub(crate) fn held_ports(&self, key: &str, project: &str, id: &str) -> BTreeSet<u16> {
        let mut held = BTreeSet::new();
        for (place_key, place) in &self.places {
            for (name, copy) in &place.projects {
                for (env, record) in &copy.environments {
                    if (place_key.as_str(), name.as_str(), env.as_str()) != (key, project, id) {
                        held.extend(record.ports.values());
                    }
                }
            }
        }
        held
    }

    /// Frees the ports of working trees that are gone. Their IDs stay known: what they stand for
    /// may still exist.
    pub(crate) fn heal(&mut self, exists: &dyn Fn(&Path) -> bool) {
        for place in self.places.values_mut() {
            if exists(&place.folder) {
                continue;
            }
            for environment in
                place.projects.values_mut().flat_map(|copy| copy.environments.values_mut())
            {
                environment.ports.clear();
            }
        }
    }

    /// The working copies of this project of this repository.
    fn copies_of<'a, 'w>(
        &'a self,
        whose: &Whose<'w>,
    ) -> impl Iterator<Item = &'a CopyRecord> + use<'a, 'w> {
        let Whose { project, repository } = *whose;
        self.namesakes(project)
            .map(|(_, copy)| copy)
            .filter(move |copy| copy.repository.as_deref() == Some(repository))
    }

    /// The same, and those that the first version recorded: good enough for what proves nothing.
    fn hints_of<'a, 'w>(
        &'a self,
        whose: &Whose<'w>,
    ) -> impl Iterator<Item = &'a CopyRecord> + use<'a, 'w> {
        let unknown = self.namesakes(whose.project).map(|(_, copy)| copy);
        self.copies_of(whose).chain(unknown.filter(|copy| copy.repository.is_none()))
    }

    /// The working copies of all projects of this name, each with its folder.
    fn namesakes<'a, 'w>(
        &'a self,
        project: &'w str,
    ) -> impl Iterator<Item = (&'a Path, &'a CopyRecord)> + use<'a, 'w> {
        self.places
            .values()
            .filter_map(move |it| Some((it.folder.as_path(), it.projects.get(project)?)))
    }
}

/// From where an environment was applied, as far as this machine recorded it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    /// From this folder, or another one of its clone.
    Here,
    /// From a folder that is there.
    Elsewhere(PathBuf),
    /// From a folder that is gone.
    Gone(PathBuf),
    /// Nobody recorded that.
    Unknown,
}

/// A project of a repository.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whose<'a> {
    /// The project's name.
    pub(crate) project: &'a str,
    /// The repository that it is of.
    pub(crate) repository: &'a str,
}

/// The key of what the first version recorded under `key`: no working copy's own.
pub(super) fn unplaced_key(key: &str) -> String {
    format!("{key}//")
}

fn ids<'a>(
    copies: impl Iterator<Item = &'a CopyRecord>,
    which: impl Fn(&str, &EnvironmentRecord) -> bool,
) -> BTreeSet<String> {
    copies
        .flat_map(|copy| &copy.environments)
        .filter(|(id, record)| which(id, record))
        .map(|(id, _)| id.clone())
        .collect()
}

impl EnvironmentRecord {
    /// True for an ID that holds time and randomness, drawn here. Of what an older envc recorded, the
    /// ID ends with the moment that it was minted at, and a branch is not called so by accident.
    pub(crate) fn is_random(&self, id: &str) -> bool {
        let Some(minted_s) = self.minted_s else { return false };
        self.random.unwrap_or_else(|| {
            let drawn_s = drawn_s(id);
            drawn_s.and_then(|it| minted_s.checked_sub(it)).is_some_and(|late| late <= LATE_S_MAX)
        })
    }
}

/// The moment that a random ID says it was drawn at, in seconds since 1970.
fn drawn_s(id: &str) -> Option<u64> {
    let unique = id.rsplit('-').next()?;
    let (seconds, random) = (unique.get(..6)?, unique.get(6..)?);
    let is_hex = random.len() == 4 && random.bytes().all(|it| it.is_ascii_hexdigit());
    u64::from_str_radix(seconds, 36).ok().filter(|_| is_hex)
}

impl CopyRecord {
    /// True where nothing was recorded but whose it is.
    pub(super) fn is_blank(&self) -> bool {
        self.bound.is_none()
            && self.environments.is_empty()
            && self.files.is_empty()
            && self.local.is_empty()
    }

    /// True when an ID was minted here, or an environment was applied from here: what is in an
    /// account may depend on the record.
    pub(crate) fn made_something(&self) -> bool {
        let made = |it: &EnvironmentRecord| it.minted_s.is_some() || it.cloud.is_some();
        self.environments.values().any(made)
    }

    /// The ID that was minted here for a type: the random one, else one that a branch gave to
    /// what the folder is bound to. Other branches' are theirs.
    pub(crate) fn minted_id(&self, env_type: &str) -> Option<&str> {
        let minted = |(_, record): &(&String, &EnvironmentRecord)| {
            record.env_type == env_type && record.minted_s.is_some()
        };
        let is_bound = |id: &str| self.bound.as_ref().is_some_and(|bound| bound.id == id);
        let mut of_type = self.environments.iter().filter(minted);
        let random = of_type.clone().find(|(id, record)| record.is_random(id));
        random.or_else(|| of_type.find(|(id, _)| is_bound(id))).map(|(id, _)| id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(env_type: &str, minted: bool, port: u16) -> EnvironmentRecord {
        EnvironmentRecord {
            env_type: env_type.into(),
            minted_s: minted.then_some(1),
            random: minted.then_some(true),
            cloud: Some("local".into()),
            applied_to: Vec::new(),
            ports: BTreeMap::from([("web".to_owned(), port)]),
            existing: BTreeMap::new(),
            adopted: BTreeMap::new(),
            protect: false,
        }
    }

    fn document() -> Document {
        let copy = |id: &str, record| CopyRecord {
            repository: Some("git.example/a/shop".into()),
            environments: BTreeMap::from([(id.to_owned(), record)]),
            ..CopyRecord::default()
        };
        let mut document = Document::new();
        for (key, id, minted, port) in
            [("/a/.git", "main-1", true, 3000), ("/b/.git", "production", false, 3001)]
        {
            let projects =
                BTreeMap::from([("shop".to_owned(), copy(id, record("local", minted, port)))]);
            let folder = PathBuf::from(key.trim_end_matches("/.git"));
            let place = LocationRecord { folder, common_dir: None, mark: None, projects };
            document.places.insert(key.to_owned(), place);
        }
        document
    }

    #[test]
    fn only_minted_ids_prove_anything() {
        let document = document();
        let ours = Whose { project: "shop", repository: "git.example/a/shop" };
        assert_eq!(document.known_ids(&ours), BTreeSet::from(["main-1".to_owned()]));
        assert_eq!(document.cloud_of(&ours, "production"), Some("local"));
        assert_eq!(document.type_of(&ours, "main-1"), Some("local"));
        assert_eq!(document.minted_elsewhere(&ours, "main-1"), None);
        // Another project, and another repository's project of this name.
        for (project, repository) in [("other", ours.repository), ("shop", "git.example/b/shop")] {
            let other = Whose { project, repository };
            assert_eq!(document.known_ids(&other), BTreeSet::new());
            assert_eq!(document.cloud_of(&other, "production"), None);
            assert_eq!(document.type_of(&other, "main-1"), None);
        }
        let other = Whose { project: "shop", repository: "git.example/b/shop" };
        let minted = document.minted_elsewhere(&other, "main-1");
        assert_eq!(minted, Some((ours.repository, Path::new("/a"))));
        assert_eq!(document.minted_elsewhere(&other, "production"), None);
        assert_eq!(document.taken_ids("shop"), BTreeSet::from(["main-1".to_owned()]));
        assert_eq!(document.copy("/a/.git", "shop").unwrap().minted_id("local"), Some("main-1"));
        assert_eq!(document.copy("/b/.git", "shop").unwrap().minted_id("local"), None);
    }

    #[test]
    fn only_randomness_proves_and_an_older_record_shows_it_in_the_id() {
        let is = |id: &str, minted_s, random| {
            EnvironmentRecord { minted_s, random, ..EnvironmentRecord::default() }.is_random(id)
        };
        let (old, then) = ("main-tpaj3v4cbf", Some(1_796_000_827));
        assert!(is(old, then, None) && is("tpaj3v4cbf", then, None));
        assert!(is(old, Some(1_796_000_829), None), "it waited for a lock");
        // A branch is called so, or was when another one minted it.
        for minted_s in [None, Some(1), Some(1_796_000_826), Some(1_796_100_000)] {
            assert!(!is(old, minted_s, None), "{minted_s:?}");
        }
        for id in ["main", "", "tpaj3v", "main-tpaj3v4cbx", "main-tpaj3v4cbf1", "größe"] {
            assert!(!is(id, then, None), "{id}");
        }
        // What is recorded counts, whatever the ID looks like.
        assert!(is("main", then, Some(true)) && !is(old, then, Some(false)));
        assert!(!is(old, None, Some(true)));
    }

    #[test]
    fn ports_of_others_are_held_until_their_folder_is_gone() {
        let mut document = document();
        let held = document.held_ports("/a/.git", "shop", "main-1");
        assert_eq!(held, BTreeSet::from([3001]));
        document.heal(&|path| path != Path::new("/b"));
        assert_eq!(document.held_ports("/c", "shop", "x"), BTreeSet::from([3000]));
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_no_text_gives_no_bytes_at_all() {
        let mut document = document();
        let path: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"/bad\xff");
        for place in document.places.values_mut() {
            place.folder = path.into();
        }
        assert!(document.to_bytes().is_err());
    }

    #[test]
    fn documents_read_back_and_newer_ones_are_refused() {
        let document = document();
        assert_eq!(Document::parse(&document.to_bytes().unwrap()), Ok(document));
        assert!(Document::parse(b"{\"schema\":5}").unwrap_err().contains("newer envc"));
        assert!(Document::is_newer(b"{\"schema\":5}"));
        assert!(!Document::is_newer(b"{\"schema\":4}") && !Document::is_newer(b"{"));
        for older in ["{\"schema\":2,\"places\":{}}", "{\"schema\":3,\"places\":{}}"] {
            assert_eq!(Document::parse(older.as_bytes()), Ok(Document::new()));
        }
        assert!(Document::parse(b"{}").unwrap_err().contains("no schema version"));
        // A field more, wherever it is, is a newer envc's: nobody is told to move that away.
        let whole = String::from_utf8(self::document().to_bytes().unwrap()).unwrap();
        let mut refused = 0;
        for (at, _) in whole.match_indices("{\n") {
            let (before, after) = whole.split_at(at + 1);
            let more = format!("{before}\"whim\": 1,{after}");
            let Err(error) = Document::parse(more.as_bytes()) else { continue };
            if error.contains("whim") {
                assert!(error.contains("the field `whim`") && error.contains("newer envc"));
                assert!(Document::is_newer(more.as_bytes()));
                refused += 1;
            }
        }
        assert!(refused > 2, "{refused} places for a field more in {whole}");
        let more = whole.replacen("\"schema\"", "\"whim\": 1, \"schema\"", 1);
        assert!(Document::parse(more.as_bytes()).unwrap_err().contains("the field `whim`"));
    }

    #[test]
    fn a_registry_of_the_first_version_is_carried_over_without_a_repository() {
        let first = br#"{"schema":1,"places":{"/a/.git":{"folder":"/a","projects":{"shop":{
            "bound":{"env_type":"local","id":"main-1"},
            "environments":{"main-1":{"env_type":"local","minted_s":1,"cloud":"local","ports":{}}},
            "files":{}}}}}}"#;
        let document = Document::parse(first).unwrap();
        let copy = document.copy(&unplaced_key("/a/.git"), "shop").unwrap();
        assert_eq!((copy.minted_id("local"), &copy.repository), (Some("main-1"), &None));
        assert_eq!(document.copy("/a/.git", "shop"), None);
        // What was carried over reads back as it is.
        assert_eq!(Document::parse(&document.to_bytes().unwrap()), Ok(document));
    }
}
