//! Which entry of the registry is this folder's.
//!
//! ```text
//! known here ................................. keeps its record
//! not known; cache says "I was made here" .... the registry was lost: the record is restored
//! not known; cache names a folder that is gone  it was moved: the record comes along
//! not known; cache names a folder that exists . it is a copy: a new record, new IDs
//! not known; another folder has the cache's ID  the same: what was copied was moved since
//! not known; no cache ........................ new
//! ```

use std::{collections::BTreeMap, path::Path};

use super::{
    cache::Cache,
    document::{CopyRecord, Document, PlaceRecord},
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
        cache: Option<Cache>,
        exists: &dyn Fn(&Path) -> bool,
    ) -> (String, Settled) {
        let key = self.key_of(place, exists);
        let entry = self.place_mut(&key, place);
        // `git worktree move` keeps the git directory and changes the folder.
        let folder_moved = entry.folder != place.folder;
        entry.folder.clone_from(&place.folder);
        if entry.projects.contains_key(project) {
            return (key, if folder_moved { Settled::Moved } else { Settled::Known });
        }
        let (record, settled) = match cache.filter(|cache| cache.project == project) {
            None => (CopyRecord::default(), Settled::New),
            Some(cache)
                if cache.root != place.root
                    && (exists(&cache.root) || self.is_taken(place, project, &cache, exists)) =>
            {
                // The files in it are copies of what envc wrote: not edited by anybody.
                let files = cache.record.files;
                (CopyRecord { files, ..CopyRecord::default() }, Settled::Copied)
            }
            Some(cache) => {
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

    /// True when another folder that exists has one of the IDs that the cache says were minted.
    fn is_taken(
        &self,
        place: &Place,
        project: &str,
        cache: &Cache,
        exists: &dyn Fn(&Path) -> bool,
    ) -> bool {
        let minted = cache.record.environments.iter().filter(|(_, it)| it.minted_s.is_some());
        let ids: Vec<&String> = minted.map(|(id, _)| id).collect();
        self.places
            .values()
            .filter(|other| other.folder != place.folder && exists(&other.folder))
            .filter_map(|other| other.projects.get(project))
            .any(|copy| ids.iter().any(|id| copy.environments.contains_key(*id)))
    }

    fn place_mut(&mut self, key: &str, place: &Place) -> &mut PlaceRecord {
        self.places.entry(key.to_owned()).or_insert_with(|| PlaceRecord {
            folder: place.folder.clone(),
            projects: BTreeMap::new(),
        })
    }

    /// The git directory names a worktree, unless the folder is a plain copy of a linked worktree:
    /// then both share the git directory, and the copy goes by its folder.
    fn key_of(&self, place: &Place, exists: &dyn Fn(&Path) -> bool) -> String {
        let primary = place.primary_key();
        match self.places.get(&primary) {
            Some(entry) if entry.folder != place.folder && exists(&entry.folder) => {
                place.folder.to_string_lossy().into_owned()
            }
            _ => primary,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::registry::EnvironmentRecord;

    fn place(folder: &str, git_dir: Option<&str>) -> Place {
        Place { root: folder.into(), folder: folder.into(), git_dir: git_dir.map(PathBuf::from) }
    }

    /// A document and the cache of a working copy at `folder` that has the ID `main-1`.
    fn seen(place: &Place) -> (Document, Cache) {
        let mut document = Document::new();
        let (key, settled) = document.settle(place, "shop", None, &|_| true);
        assert_eq!(settled, Settled::New);
        let record = document.copy_mut(&key, "shop").unwrap();
        record.environments.insert("main-1".into(), EnvironmentRecord::default());
        let cache = Cache::new("shop", &key, place, record.clone());
        (document, cache)
    }

    fn has_id(document: &Document, key: &str) -> bool {
        document.copy(key, "shop").is_some_and(|copy| copy.environments.contains_key("main-1"))
    }

    #[test]
    fn a_known_folder_keeps_its_record_even_without_its_cache() {
        let here = place("/a", Some("/a/.git"));
        let (mut document, _) = seen(&here);
        let (key, settled) = document.settle(&here, "shop", None, &|_| true);
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
                moved.settle(&new, "shop", Some(cache.clone()), &|path| path != Path::new("/a"));
            assert_eq!(settled, Settled::Moved);
            assert!(has_id(&moved, &key));
            assert_eq!(moved.places.len(), 1);

            let mut copied = document;
            let (key, settled) = copied.settle(&new, "shop", Some(cache), &|_| true);
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
            record.minted_s = Some(1);
        }
        let moved = place("/moved", Some("/moved/.git"));
        let (_, settled) = document.settle(&moved, "shop", Some(cache.clone()), &gone);
        assert_eq!(settled, Settled::Moved);
        let copied = place("/copied", Some("/copied/.git"));
        let (key, settled) = document.settle(&copied, "shop", Some(cache), &gone);
        assert_eq!(settled, Settled::Copied);
        assert!(!has_id(&document, &key));
    }

    #[test]
    fn a_lost_registry_comes_back_from_the_cache() {
        let here = place("/a", Some("/a/.git"));
        let (_, cache) = seen(&here);
        let mut document = Document::new();
        let (key, settled) = document.settle(&here, "shop", Some(cache.clone()), &|_| true);
        assert_eq!(settled, Settled::Restored);
        assert!(has_id(&document, &key));
        // Another project's cache says nothing.
        let (_, settled) = document.settle(&here, "other", Some(cache), &|_| true);
        assert_eq!(settled, Settled::New);
    }

    #[test]
    fn a_moved_worktree_keeps_its_id_and_a_copied_worktree_does_not() {
        let worktree = place("/wt", Some("/a/.git/worktrees/wt"));
        let elsewhere = place("/wt2", Some("/a/.git/worktrees/wt"));
        let (document, cache) = seen(&worktree);

        let mut moved = document.clone();
        let (key, settled) =
            moved.settle(&elsewhere, "shop", None, &|path| path != Path::new("/wt"));
        assert_eq!(settled, Settled::Moved);
        assert!(has_id(&moved, &key));

        let mut copied = document;
        let (key, settled) = copied.settle(&elsewhere, "shop", Some(cache), &|_| true);
        assert_eq!((key.as_str(), settled), ("/wt2", Settled::Copied));
        assert!(!has_id(&copied, &key));
        assert!(has_id(&copied, "/a/.git/worktrees/wt"));
    }

    #[test]
    fn a_folder_that_becomes_a_repository_keeps_its_id() {
        let before = place("/a", None);
        let (mut document, cache) = seen(&before);
        let after = place("/a", Some("/a/.git"));
        let (key, settled) = document.settle(&after, "shop", Some(cache), &|_| true);
        assert_eq!((key.as_str(), settled), ("/a/.git", Settled::Restored));
        assert!(has_id(&document, &key));
        assert_eq!(document.places.len(), 1);
    }
}
