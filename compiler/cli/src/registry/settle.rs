//! Which entry of the registry is this folder's.
//!
//! ```text
//! known here ................................. keeps its record
//! not known; the first version knew the worktree  its record, unless a cache tells of another folder
//! not known; cache says "I was made here" .... the registry was lost: the record is restored
//! not known; cache names a folder that is gone  it was moved: the record comes along
//! not known; cache names a folder that exists . it is a copy: a new record, new IDs
//! not known; another folder has the cache's ID  the same: what was copied was moved since
//! not known; no cache ........................ new
//! ```
//!
//! A cache that this user's envc did not sign is none.

use std::{collections::BTreeMap, path::Path};

use super::{
    cache::{Cache, Found},
    document::{CopyRecord, Document, PlaceRecord, unplaced_key},
    place::Place,
};

/// What the registry made of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It was there.
    Known,
    /// It was moved here, and keeps its IDs.
    Moved,
    /// It is a copy of another one, and gets IDs of its own.
    Copied,
    /// The registry had lost it; the cache brought it back.
    Restored,
    /// Never seen.
    New,
}

impl Document {
    /// Finds or makes the record of a working copy; gives its key.
    pub(super) fn settle(
        &mut self,
        place: &Place,
        project: &str,
        cache: Found,
        exists: &dyn Fn(&Path) -> bool,
    ) -> (String, Settled) {
        let key = self.key_of(place, exists);
        let cache = cache.of_project(project);
        let entry = self.place_mut(&key, place);
        // `git worktree move` keeps the git directory and changes the folder.
        let folder_moved = entry.folder != place.root;
        entry.folder.clone_from(&place.root);
        entry.common_dir.clone_from(&place.common_dir);
        if entry.projects.contains_key(project) {
            return (key, if folder_moved { Settled::Moved } else { Settled::Known });
        }
        let (record, settled) = match (self.unplaced(place, project, &cache, exists), cache.ours) {
            (Some(record), _) => (record, Settled::Known),
            (None, None) => (CopyRecord::default(), Settled::New),
            (None, Some(cache))
                if cache.root != place.root
                    && (exists(&cache.root) || self.is_taken(place, project, &cache, exists)) =>
            {
                // The files in it are copies of what envc wrote: not edited by anybody.
                let files = cache.record.files;
                (CopyRecord { files, ..CopyRecord::default() }, Settled::Copied)
            }
            (None, Some(cache)) => {
                let settled =
                    if cache.root == place.root { Settled::Restored } else { Settled::Moved };
                // The registry's own record is newer than the cache, where it has one.
                let recorded =
                    self.places.get_mut(&cache.key).and_then(|old| old.projects.remove(project));
                (recorded.unwrap_or(cache.record), settled)
            }
        };
        self.place_mut(&key, place).projects.insert(project.to_owned(), record);
        self.places.retain(|_, place| !place.projects.is_empty());
        (key, settled)
    }

    /// What the first version recorded of the worktree, when it is this folder's as far as anybody
    /// can tell: no other one that is there says that it was made in it.
    fn unplaced(
        &mut self,
        place: &Place,
        project: &str,
        cache: &Found,
        exists: &dyn Fn(&Path) -> bool,
    ) -> Option<CopyRecord> {
        let told = cache.root();
        if told.is_some_and(|root| root != place.root && exists(root)) {
            return None;
        }
        let [by_git, by_folder] = place.first_version_keys().map(|key| unplaced_key(&key));
        let is_of_another = |old: &PlaceRecord| old.folder != place.top && exists(&old.folder);
        let key =
            if self.places.get(&by_git).is_some_and(is_of_another) { by_folder } else { by_git };
        self.places.get_mut(&key)?.projects.remove(project)
    }

    /// True when another folder that exists has one of the IDs that the cache says were minted with
    /// chance. Those of a branch are every clone's.
    fn is_taken(
        &self,
        place: &Place,
        project: &str,
        cache: &Cache,
        exists: &dyn Fn(&Path) -> bool,
    ) -> bool {
        let minted = cache.record.environments.iter().filter(|(id, it)| it.has_chance(id));
        let ids: Vec<&String> = minted.map(|(id, _)| id).collect();
        self.places
            .values()
            .filter(|other| other.folder != place.root && exists(&other.folder))
            .filter_map(|other| other.projects.get(project))
            .any(|copy| ids.iter().any(|id| copy.environments.contains_key(*id)))
    }

    fn place_mut(&mut self, key: &str, place: &Place) -> &mut PlaceRecord {
        self.places.entry(key.to_owned()).or_insert_with(|| PlaceRecord {
            folder: place.root.clone(),
            common_dir: place.common_dir.clone(),
            projects: BTreeMap::new(),
        })
    }

    /// The git directory names a worktree, unless the folder is a plain copy of a linked worktree:
    /// then both share the git directory, and the copy goes by its folder.
    fn key_of(&self, place: &Place, exists: &dyn Fn(&Path) -> bool) -> String {
        let primary = place.primary_key();
        match self.places.get(&primary) {
            Some(entry) if entry.folder != place.root && exists(&entry.folder) => {
                place.folder_key()
            }
            _ => primary,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use envc_core::KeyedDigest;

    use super::*;
    use crate::registry::EnvironmentRecord;

    fn place(folder: &str, git_dir: Option<&str>) -> Place {
        let git_dir = git_dir.map(PathBuf::from);
        let common_dir = git_dir.as_ref().map(|_| PathBuf::from("/a/.git"));
        Place { root: folder.into(), spec: None, top: folder.into(), git_dir, common_dir }
    }

    /// A folder below the top of `/a`.
    fn below(folder: &str) -> Place {
        Place { root: folder.into(), ..place("/a", Some("/a/.git")) }
    }

    fn none() -> Found {
        Found::default()
    }

    fn ours(cache: Cache) -> Found {
        Found { ours: Some(cache), foreign: None }
    }

    /// A document and the cache of a working copy at `folder` that has the ID `main-1`.
    fn seen(place: &Place) -> (Document, Cache) {
        let mut document = Document::new();
        let (key, settled) = document.settle(place, "shop", none(), &|_| true);
        assert_eq!(settled, Settled::New);
        let record = document.copy_mut(&key, "shop").unwrap();
        record.environments.insert("main-1".into(), EnvironmentRecord::default());
        let cache = Cache::new("shop", &key, place, record.clone(), &KeyedDigest::new("k"));
        (document, cache)
    }

    fn has_id(document: &Document, key: &str) -> bool {
        document.copy(key, "shop").is_some_and(|copy| copy.environments.contains_key("main-1"))
    }

    #[test]
    fn a_known_folder_keeps_its_record_even_without_its_cache() {
        let here = place("/a", Some("/a/.git"));
        let (mut document, _) = seen(&here);
        let (key, settled) = document.settle(&here, "shop", none(), &|_| true);
        assert_eq!((key.as_str(), settled), ("/a/.git", Settled::Known));
        assert!(has_id(&document, &key));
    }

    #[test]
    fn a_moved_folder_keeps_its_id_and_a_copied_one_gets_its_own() {
        for git in [true, false] {
            let dir = |folder: &str| git.then(|| format!("{folder}/.git"));
            let old = place("/a", dir("/a").as_deref());
            let new = place("/b", dir("/b").as_deref());
            let (document, cache) = seen(&old);

            let mut moved = document.clone();
            let (key, settled) =
                moved.settle(&new, "shop", ours(cache.clone()), &|path| path != Path::new("/a"));
            assert_eq!(settled, Settled::Moved);
            assert!(has_id(&moved, &key));
            assert_eq!(moved.places.len(), 1);

            let mut copied = document;
            let (key, settled) = copied.settle(&new, "shop", ours(cache), &|_| true);
            assert_eq!(settled, Settled::Copied);
            assert!(!has_id(&copied, &key));
            assert_eq!(copied.places.len(), 2);
        }
    }

    #[test]
    fn a_copy_of_a_folder_that_was_moved_since_gets_an_id_of_its_own() {
        let old = place("/a", Some("/a/.git"));
        let (mut document, mut cache) = seen(&old);
        let gone = |path: &Path| path != Path::new("/a");
        for record in cache.record.environments.values_mut() {
            (record.minted_s, record.chance) = (Some(1), Some(true));
        }
        let moved = place("/moved", Some("/moved/.git"));
        let (_, settled) = document.settle(&moved, "shop", ours(cache.clone()), &gone);
        assert_eq!(settled, Settled::Moved);
        let copied = place("/copied", Some("/copied/.git"));
        let (key, settled) = document.settle(&copied, "shop", ours(cache), &gone);
        assert_eq!(settled, Settled::Copied);
        assert!(!has_id(&document, &key));
    }

    #[test]
    fn a_lost_registry_comes_back_from_the_cache() {
        let here = place("/a", Some("/a/.git"));
        let (_, cache) = seen(&here);
        let mut document = Document::new();
        let (key, settled) = document.settle(&here, "shop", ours(cache.clone()), &|_| true);
        assert_eq!(settled, Settled::Restored);
        assert!(has_id(&document, &key));
        // Another project's cache says nothing.
        let (_, settled) = document.settle(&here, "other", ours(cache), &|_| true);
        assert_eq!(settled, Settled::New);
    }

    #[test]
    fn a_moved_worktree_keeps_its_id_and_a_copied_worktree_does_not() {
        let worktree = place("/wt", Some("/a/.git/worktrees/wt"));
        let elsewhere = place("/wt2", Some("/a/.git/worktrees/wt"));
        let (document, cache) = seen(&worktree);

        let mut moved = document.clone();
        let (key, settled) =
            moved.settle(&elsewhere, "shop", none(), &|path| path != Path::new("/wt"));
        assert_eq!(settled, Settled::Moved);
        assert!(has_id(&moved, &key));

        let mut copied = document;
        let (key, settled) = copied.settle(&elsewhere, "shop", ours(cache), &|_| true);
        assert_eq!((key.as_str(), settled), ("/wt2", Settled::Copied));
        assert!(!has_id(&copied, &key));
        assert!(has_id(&copied, "/a/.git/worktrees/wt"));
    }

    #[test]
    fn a_folder_that_becomes_a_repository_keeps_its_id() {
        let before = place("/a", None);
        let (mut document, cache) = seen(&before);
        let after = place("/a", Some("/a/.git"));
        let (key, settled) = document.settle(&after, "shop", ours(cache), &|_| true);
        assert_eq!((key.as_str(), settled), ("/a/.git", Settled::Restored));
        assert!(has_id(&document, &key));
        assert_eq!(document.places.len(), 1);
    }

    #[test]
    fn folders_of_one_worktree_are_told_apart() {
        let (mut document, cache) = seen(&below("/a/one"));
        // Another folder with a spec of the same project, which nobody copied.
        let (key, settled) = document.settle(&below("/a/two"), "shop", none(), &|_| true);
        assert_eq!((key.as_str(), settled), ("/a/.git//two", Settled::New));
        // One that was copied, cache and all.
        let (key, settled) =
            document.settle(&below("/a/three"), "shop", ours(cache.clone()), &|_| true);
        assert_eq!(settled, Settled::Copied);
        assert!(!has_id(&document, &key));
        // One that was moved.
        let gone = |path: &Path| path != Path::new("/a/one");
        let (key, settled) = document.settle(&below("/a/x/four"), "shop", ours(cache), &gone);
        assert_eq!((key.as_str(), settled), ("/a/.git//x/four", Settled::Moved));
        assert!(has_id(&document, &key));
        // Another spec of the folder.
        let other = Place { spec: Some("other.kdl".into()), ..below("/a/x/four") };
        let (key, settled) = document.settle(&other, "shop", none(), &|_| true);
        assert_eq!((key.as_str(), settled), ("/a/.git//x/four/other.kdl", Settled::New));
    }

    #[test]
    fn what_the_first_version_recorded_goes_to_the_folder_that_it_was_made_in() {
        let first = || {
            let (mut document, cache) = seen(&place("/a", Some("/a/.git")));
            let record = document.places.remove("/a/.git").unwrap();
            document.places.insert(unplaced_key("/a/.git"), record);
            // As the first version wrote it: without a signature.
            let root = PathBuf::from("/a/one");
            (document, Found { ours: None, foreign: Some(Cache { root, ..cache }) })
        };
        // Copies are opened first: their cache tells where the record was made.
        let (mut document, cache) = first();
        for copy in [below("/a/two"), place("/a", Some("/a/.git"))] {
            let (key, settled) = document.settle(&copy, "shop", cache.clone(), &|_| true);
            assert_eq!(settled, Settled::New);
            assert!(!has_id(&document, &key));
        }
        let (key, settled) = document.settle(&below("/a/one"), "shop", cache, &|_| true);
        assert_eq!((key.as_str(), settled), ("/a/.git//one", Settled::Known));
        assert!(has_id(&document, &key) && !has_id(&document, "/a/.git"));
        // Without a cache the first folder that asks has it, and no second one.
        let (mut document, _) = first();
        let (key, _) = document.settle(&below("/a/two"), "shop", none(), &|_| true);
        assert!(has_id(&document, &key));
        let (key, _) = document.settle(&place("/a", Some("/a/.git")), "shop", none(), &|_| true);
        assert!(!has_id(&document, &key));
    }
}
