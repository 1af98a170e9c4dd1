//! The registry's document and its questions. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use envc_core::Digest;
use serde::{Deserialize, Serialize};

/// The schema version that this build writes. Raise it when an older build would misread a field.
const REGISTRY_SCHEMA: u32 = 1;

/// Everything that the registry knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    schema: u32,
    /// By key: the worktree's git directory, or the folder where there is no git.
    pub(super) places: BTreeMap<String, PlaceRecord>,
}

/// One working tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlaceRecord {
    /// Its top folder; when it is gone, its ports are free.
    pub(super) folder: PathBuf,
    /// By project.
    pub(super) projects: BTreeMap<String, CopyRecord>,
}

/// A project in a working tree: a working copy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopyRecord {
    /// The environment that the folder is bound to: the one its files are for.
    pub bound: Option<Bound>,
    /// The environments that were worked on from here, by ID.
    pub environments: BTreeMap<String, EnvironmentRecord>,
    /// The files that envc wrote here, by path relative to the spec's folder.
    pub files: BTreeMap<String, FileRecord>,
}

/// Which environment a folder is bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bound {
    /// Its type.
    pub env_type: String,
    /// Its ID.
    pub id: String,
}

/// One environment as this machine knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentRecord {
    /// Its type.
    pub env_type: String,
    /// When its ID was minted here, in seconds since 1970; none for an ID that the spec fixes or
    /// the command line named.
    pub minted_s: Option<u64>,
    /// The cloud it was first applied to.
    pub cloud: Option<String>,
    /// Its ports, by owner.
    pub ports: BTreeMap<String, u16>,
}

/// A file that envc wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRecord {
    /// The environment it was written for.
    pub env: String,
    /// Digest of its content under the user's key: a file may hold secrets.
    pub digest: Digest,
    /// What it was made from, as its maker says; opaque.
    pub fingerprint: Digest,
    /// Its permission bits.
    pub mode: u32,
    /// Digest of the content that was about to replace it: after a kill either stands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Digest>,
}

impl FileRecord {
    /// True for a content that envc wrote, or was about to write.
    pub fn is_of(&self, digest: &Digest) -> bool {
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
    pub fn new() -> Self {
        Self { schema: REGISTRY_SCHEMA, places: BTreeMap::new() }
    }

    /// Reads a document; the error says what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let json: serde_json::Value =
            serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        match json.get("schema").and_then(serde_json::Value::as_u64) {
            Some(schema) if schema > u64::from(REGISTRY_SCHEMA) => Err(format!(
                "it has schema version {schema}, and this envc knows versions up to \
                 {REGISTRY_SCHEMA}: use the newer envc that wrote it"
            )),
            Some(_) => serde_json::from_value(json).map_err(|error| error.to_string()),
            None => Err("it has no schema version".to_owned()),
        }
    }

    /// The document's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Strings, numbers and maps with text keys: serialising cannot fail.
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// A working copy's record.
    pub fn copy(&self, key: &str, project: &str) -> Option<&CopyRecord> {
        self.places.get(key)?.projects.get(project)
    }

    /// The same, to change it.
    pub(super) fn copy_mut(&mut self, key: &str, project: &str) -> Option<&mut CopyRecord> {
        self.places.get_mut(key)?.projects.get_mut(project)
    }

    /// The IDs that were minted for this project on this machine: resources that carry one in
    /// their name are this user's.
    pub fn known_ids(&self, project: &str) -> BTreeSet<String> {
        self.copies_of(project)
            .flat_map(|copy| &copy.environments)
            .filter(|(_, environment)| environment.minted_s.is_some())
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// The cloud that an environment was first applied to, from any working copy.
    pub fn first_cloud(&self, project: &str, id: &str) -> Option<&str> {
        self.copies_of(project).find_map(|copy| copy.environments.get(id)?.cloud.as_deref())
    }

    /// The type that an environment was worked on as, from any working copy.
    pub fn type_of(&self, project: &str, id: &str) -> Option<&str> {
        self.copies_of(project).find_map(|copy| Some(copy.environments.get(id)?.env_type.as_str()))
    }

    /// The ports that other environments of this machine hold.
    pub fn held_ports(&self, key: &str, project: &str, id: &str) -> BTreeSet<u16> {
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
    pub fn heal(&mut self, exists: &dyn Fn(&std::path::Path) -> bool) {
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

    fn copies_of<'a>(&'a self, project: &str) -> impl Iterator<Item = &'a CopyRecord> + use<'a> {
        let project = project.to_owned();
        self.places.values().filter_map(move |place| place.projects.get(&project))
    }
}

impl CopyRecord {
    /// The ID that was minted here for a type.
    pub fn minted_id(&self, env_type: &str) -> Option<&str> {
        self.environments
            .iter()
            .find(|(_, record)| record.env_type == env_type && record.minted_s.is_some())
            .map(|(id, _)| id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(env_type: &str, minted: bool, port: u16) -> EnvironmentRecord {
        EnvironmentRecord {
            env_type: env_type.into(),
            minted_s: minted.then_some(1),
            cloud: Some("local".into()),
            ports: BTreeMap::from([("web".to_owned(), port)]),
        }
    }

    fn document() -> Document {
        let copy = |id: &str, record| CopyRecord {
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
            document.places.insert(key.to_owned(), PlaceRecord { folder, projects });
        }
        document
    }

    #[test]
    fn only_minted_ids_prove_anything() {
        let document = document();
        assert_eq!(document.known_ids("shop"), BTreeSet::from(["main-1".to_owned()]));
        assert_eq!(document.known_ids("other"), BTreeSet::new());
        assert_eq!(document.first_cloud("shop", "production"), Some("local"));
        assert_eq!(document.type_of("shop", "main-1"), Some("local"));
        assert_eq!(document.copy("/a/.git", "shop").unwrap().minted_id("local"), Some("main-1"));
        assert_eq!(document.copy("/b/.git", "shop").unwrap().minted_id("local"), None);
    }

    #[test]
    fn ports_of_others_are_held_until_their_folder_is_gone() {
        let mut document = document();
        let held = document.held_ports("/a/.git", "shop", "main-1");
        assert_eq!(held, BTreeSet::from([3001]));
        document.heal(&|path| path != std::path::Path::new("/b"));
        assert_eq!(document.held_ports("/c", "shop", "x"), BTreeSet::from([3000]));
    }

    #[test]
    fn documents_read_back_and_newer_ones_are_refused() {
        let document = document();
        assert_eq!(Document::parse(&document.to_bytes()), Ok(document));
        assert!(Document::parse(b"{\"schema\":2}").unwrap_err().contains("newer envc"));
        assert!(Document::parse(b"{}").unwrap_err().contains("no schema version"));
        assert!(Document::parse(b"{\"schema\":1,\"places\":{},\"x\":1}").is_err());
    }
}
