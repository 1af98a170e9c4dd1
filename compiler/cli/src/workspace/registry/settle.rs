//! Which entry of the registry is this folder's.
//!
//! ```text
//! known here, with another mark or none ...... another one lies here now: see below
//! known here ................................. keeps its record
//! not known; the first version knew the worktree  its record, unless a cache tells of another folder
//! not known; its mark is another folder's, gone  it was moved: the record comes along
//! not known; cache says "I was made here" .... the registry was lost: the record is restored
//! not known; cache names a folder that is gone  it was moved: the record comes along
//! not known; cache names a folder that exists . it is a copy: a new record, new IDs
//! not known; another folder has the cache's ID  the same: what was copied was moved since
//! not known; no cache ........................ new
//! ```
//!
//! The mark lies in the git directory (`mark`). What was recorded with one that is not there any
//! more is kept under the mark, for the folder that may come with it.
//!
//! A cache that this user's envc did not sign is none.

use std::{collections::BTreeMap, path::Path};

use super::{
    cache::{Cache, Found},
    document::{CopyRecord, Document, LocalRecord, LocationRecord, unplaced_key},
    location::Location,
    mark,
};

/// Begins the key of what was recorded of a working copy that lies elsewhere now, or nowhere: its
/// mark and its former key follow.
const PARTED: &str = "mark:";

/// The mark of a git directory.
type MarkAt<'a> = &'a dyn Fn(&Path) -> Option<String>;

/// What the registry made of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
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
        place: &Location,
        project: &str,
        cache: Found,
        exists: &dyn Fn(&Path) -> bool,
        mark_at: MarkAt<'_>,
    ) -> (String, Settled) {
        self.part(place, &cache, mark_at);
        let key = self.key_of(place, &cache, exists, mark_at);
        self.bring_back(place, &key, mark_at);
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
                    && (exists(&cache.root)
                        || self.lies_elsewhere(place, &cache, exists)
                        || self.is_taken(place, project, &cache, exists)) =>
            {
                // The files in it are copies of what envc wrote: not edited by anybody.
                let CopyRecord { files, local, .. } = cache.record;
                // So are the links; what they lead to was another environment's.
                let local = LocalRecord { links: local.links, ..LocalRecord::default() };
                (CopyRecord { files, local, ..CopyRecord::default() }, Settled::Copied)
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
        place: &Location,
        project: &str,
        cache: &Found,
        exists: &dyn Fn(&Path) -> bool,
    ) -> Option<CopyRecord> {
        let told = cache.root();
        if told.is_some_and(|root| root != place.root && exists(root)) {
            return None;
        }
        let [by_git, by_folder] = place.first_version_keys().map(|key| unplaced_key(&key));
        let is_of_another = |old: &LocationRecord| old.folder != place.top && exists(&old.folder);
        let key =
            if self.places.get(&by_git).is_some_and(is_of_another) { by_folder } else { by_git };
        self.places.get_mut(&key)?.projects.remove(project)
    }

    /// True when the working copy that a cache is of is there, as far as the registry knows. Invariant: a
    /// record moves from another key only where that key's folder is gone.
    fn lies_elsewhere(
        &self,
        place: &Location,
        cache: &Cache,
        exists: &dyn Fn(&Path) -> bool,
    ) -> bool {
        self.places
            .get(&cache.key)
            .is_some_and(|other| other.folder != place.root && exists(&other.folder))
    }

    /// True when another folder that exists has one of the IDs that the cache says were minted with
    /// randomness. Those of a branch are every clone's.
    fn is_taken(
        &self,
        place: &Location,
        project: &str,
        cache: &Cache,
        exists: &dyn Fn(&Path) -> bool,
    ) -> bool {
        let minted = cache.record.environments.iter().filter(|(id, it)| it.is_random(id));
        let ids: Vec<&String> = minted.map(|(id, _)| id).collect();
        self.places
            .values()
            .filter(|other| other.folder != place.root && exists(&other.folder))
            .filter_map(|other| other.projects.get(project))
            .any(|copy| ids.iter().any(|id| copy.environments.contains_key(*id)))
    }

    fn place_mut(&mut self, key: &str, place: &Location) -> &mut LocationRecord {
        self.places.entry(key.to_owned()).or_insert_with(|| LocationRecord {
            folder: place.root.clone(),
            common_dir: place.common_dir.clone(),
            mark: None,
            projects: BTreeMap::new(),
        })
    }

    /// The git directory names a worktree, unless the folder is a plain copy of a linked worktree:
    /// then both share the git directory, and the copy goes by its folder, also once the other is
    /// gone.
    fn key_of(
        &self,
        place: &Location,
        cache: &Found,
        exists: &dyn Fn(&Path) -> bool,
        mark_at: MarkAt<'_>,
    ) -> String {
        let (primary, by_folder) = (place.primary_key(), place.folder_key());
        let Some(git_dir) = &place.git_dir else { return primary };
        let entry = self.places.get(&primary);
        if entry.is_some_and(|entry| entry.folder == place.root) {
            return primary;
        }
        let is_own = |entry: &LocationRecord| {
            entry.common_dir.is_some() && (entry.mark.is_none() || entry.mark == mark_at(git_dir))
        };
        let came_here = |cache: &Cache| {
            is_of_folder(&cache.key, &cache.root) && self.places.get(&cache.key).is_some_and(is_own)
        };
        let is_copy = self.places.get(&by_folder).is_some_and(is_own)
            || entry.is_some_and(|entry| exists(&entry.folder))
            || (entry.is_some() && cache.ours.as_ref().is_some_and(came_here));
        if is_copy { by_folder } else { primary }
    }

    /// Parts what was recorded with marks that this clone and its worktrees do not have: other
    /// ones lie there now. Where a cache of ours says that it was made here, only the mark is gone.
    fn part(&mut self, place: &Location, cache: &Found, mark_at: MarkAt<'_>) {
        let Some(common_dir) = &place.common_dir else { return };
        let ours = cache.ours.as_ref().filter(|cache| cache.root == place.root);
        let is_parted = |(key, entry): &(&String, &LocationRecord)| {
            entry.common_dir.as_ref() == Some(common_dir)
                && entry.mark.is_some()
                && !is_of_folder(key, &entry.folder)
                && ours.is_none_or(|cache| cache.key != **key)
                && mark_at(Path::new(base(key))) != entry.mark
        };
        let parted: Vec<String> =
            self.places.iter().filter(is_parted).map(|(key, _)| key.clone()).collect();
        for key in parted {
            let Some(mut entry) = self.places.remove(&key) else { continue };
            let mark = entry.mark.as_deref().unwrap_or_default();
            let parted = format!("{PARTED}{mark}//{key}");
            // Nothing of this clone is its own any more, and its ports are free.
            entry.common_dir = None;
            let environments = entry.projects.values_mut().flat_map(|it| &mut it.environments);
            environments.for_each(|(_, environment)| environment.ports.clear());
            self.places.insert(parted, entry);
        }
    }

    /// What was recorded with the mark of this folder in another one that has it no more.
    fn bring_back(&mut self, place: &Location, key: &str, mark_at: MarkAt<'_>) {
        let Some(git_dir) = &place.git_dir else { return };
        if self.places.contains_key(key) || key != place.primary_key() {
            return;
        }
        let Some(mark) = mark_at(git_dir) else { return };
        let prefix = format!("{PARTED}{mark}//");
        let found = self.places.iter().find(|(old, entry)| {
            let (parted, old) = match old.strip_prefix(&prefix) {
                Some(old) => (true, old),
                None => (false, old.as_str()),
            };
            entry.mark.as_ref() == Some(&mark)
                && below(old) == below(key)
                && !is_of_folder(old, &entry.folder)
                && (parted || mark_at(Path::new(base(old))).as_ref() != Some(&mark))
        });
        if let Some(old) = found.map(|(old, _)| old.clone())
            && let Some(entry) = self.places.remove(&old)
        {
            self.places.insert(key.to_owned(), entry);
        }
    }

    /// Marks a working copy. A copied folder brings the mark of the other one along, and gets one
    /// of its own: `fresh`.
    pub(super) fn mark(&mut self, place: &Location, key: &str, fresh: &str) {
        let Some(git_dir) = &place.git_dir else { return };
        let here = mark::read(git_dir);
        let is_anothers = |(key, entry): (&String, &LocationRecord)| {
            entry.mark.is_some()
                && entry.mark == here
                && !is_of_folder(key, &entry.folder)
                && Path::new(base(key)) != git_dir
                && mark::read(Path::new(base(key))) == here
        };
        let keeps = here.is_some() && !self.places.iter().any(is_anothers);
        let new = if keeps { here.clone() } else { Some(fresh.to_owned()) };
        if !keeps && !mark::write(git_dir, fresh) {
            return;
        }
        for (other, entry) in &mut self.places {
            let shares = Path::new(base(other)) == git_dir && entry.mark.is_some();
            if *other == key || (shares && entry.mark == here) {
                entry.mark.clone_from(&new);
            }
        }
    }
}

/// What a key names besides the place below it: a git directory, or a folder.
fn base(key: &str) -> &str {
    key.split_once("//").map_or(key, |(base, _)| base)
}

fn below(key: &str) -> &str {
    key.split_once("//").map_or("", |(_, below)| below)
}

/// True for the key of a working copy that goes by its folder.
fn is_of_folder(key: &str, folder: &Path) -> bool {
    Path::new(base(key)) == folder
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use envc_core::KeyedDigest;

    use super::*;
    use crate::workspace::registry::EnvironmentRecord;

    fn place(folder: &str, git_dir: Option<&str>) -> Location {
        let git_dir = git_dir.map(PathBuf::from);
        let common_dir = git_dir.as_ref().map(|_| PathBuf::from("/a/.git"));
        Location { root: folder.into(), spec: None, top: folder.into(), git_dir, common_dir }
    }

    /// A folder below the top of `/a`.
    fn below(folder: &str) -> Location {
        Location { root: folder.into(), ..place("/a", Some("/a/.git")) }
    }

    fn none() -> Found {
        Found::default()
    }

    fn ours(cache: Cache) -> Found {
        Found { ours: Some(cache), foreign: None }
    }

    /// A document and the cache of a working copy at `folder` that has the ID `main-1`.
    fn seen(place: &Location) -> (Document, Cache) {
        let mut document = Document::new();
        let (key, settled) = document.settle(place, "shop", none(), &|_| true, &|_| None);
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
        let (key, settled) = document.settle(&here, "shop", none(), &|_| true, &|_| None);
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
            let (key, settled) = moved.settle(
                &new,
                "shop",
                ours(cache.clone()),
                &|path| path != Path::new("/a"),
                &|_| None,
            );
            assert_eq!(settled, Settled::Moved);
            assert!(has_id(&moved, &key));
            assert_eq!(moved.places.len(), 1);

            let mut copied = document;
            let (key, settled) = copied.settle(&new, "shop", ours(cache), &|_| true, &|_| None);
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
            (record.minted_s, record.random) = (Some(1), Some(true));
        }
        let moved = place("/moved", Some("/moved/.git"));
        let (_, settled) = document.settle(&moved, "shop", ours(cache.clone()), &gone, &|_| None);
        assert_eq!(settled, Settled::Moved);
        let copied = place("/copied", Some("/copied/.git"));
        let (key, settled) = document.settle(&copied, "shop", ours(cache), &gone, &|_| None);
        assert_eq!(settled, Settled::Copied);
        assert!(!has_id(&document, &key));
    }

    #[test]
    fn a_lost_registry_comes_back_from_the_cache() {
        let here = place("/a", Some("/a/.git"));
        let (_, cache) = seen(&here);
        let mut document = Document::new();
        let (key, settled) =
            document.settle(&here, "shop", ours(cache.clone()), &|_| true, &|_| None);
        assert_eq!(settled, Settled::Restored);
        assert!(has_id(&document, &key));
        // Another project's cache says nothing.
        let (_, settled) = document.settle(&here, "other", ours(cache), &|_| true, &|_| None);
        assert_eq!(settled, Settled::New);
    }

    #[test]
    fn a_moved_worktree_keeps_its_id_and_a_copied_worktree_does_not() {
        let worktree = place("/wt", Some("/a/.git/worktrees/wt"));
        let elsewhere = place("/wt2", Some("/a/.git/worktrees/wt"));
        let (document, cache) = seen(&worktree);

        let mut moved = document.clone();
        let (key, settled) =
            moved.settle(&elsewhere, "shop", none(), &|path| path != Path::new("/wt"), &|_| None);
        assert_eq!(settled, Settled::Moved);
        assert!(has_id(&moved, &key));

        let mut copied = document;
        let (key, settled) = copied.settle(&elsewhere, "shop", ours(cache), &|_| true, &|_| None);
        assert_eq!((key.as_str(), settled), ("/wt2", Settled::Copied));
        assert!(!has_id(&copied, &key));
        assert!(has_id(&copied, "/a/.git/worktrees/wt"));
    }

    #[test]
    fn a_folder_that_becomes_a_repository_keeps_its_id() {
        let before = place("/a", None);
        let (mut document, cache) = seen(&before);
        let after = place("/a", Some("/a/.git"));
        let (key, settled) = document.settle(&after, "shop", ours(cache), &|_| true, &|_| None);
        assert_eq!((key.as_str(), settled), ("/a/.git", Settled::Restored));
        assert!(has_id(&document, &key));
        assert_eq!(document.places.len(), 1);
    }

    #[test]
    fn folders_of_one_worktree_are_told_apart() {
        let (mut document, cache) = seen(&below("/a/one"));
        // Another folder with a spec of the same project, which nobody copied.
        let (key, settled) =
            document.settle(&below("/a/two"), "shop", none(), &|_| true, &|_| None);
        assert_eq!((key.as_str(), settled), ("/a/.git//two", Settled::New));
        // One that was copied, cache and all.
        let (key, settled) =
            document.settle(&below("/a/three"), "shop", ours(cache.clone()), &|_| true, &|_| None);
        assert_eq!(settled, Settled::Copied);
        assert!(!has_id(&document, &key));
        // One that was moved.
        let gone = |path: &Path| path != Path::new("/a/one");
        let (key, settled) =
            document.settle(&below("/a/x/four"), "shop", ours(cache), &gone, &|_| None);
        assert_eq!((key.as_str(), settled), ("/a/.git//x/four", Settled::Moved));
        assert!(has_id(&document, &key));
        // Another spec of the folder.
        let other = Location { spec: Some("other.kdl".into()), ..below("/a/x/four") };
        let (key, settled) = document.settle(&other, "shop", none(), &|_| true, &|_| None);
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
            let (key, settled) =
                document.settle(&copy, "shop", cache.clone(), &|_| true, &|_| None);
            assert_eq!(settled, Settled::New);
            assert!(!has_id(&document, &key));
        }
        let (key, settled) = document.settle(&below("/a/one"), "shop", cache, &|_| true, &|_| None);
        assert_eq!((key.as_str(), settled), ("/a/.git//one", Settled::Known));
        assert!(has_id(&document, &key) && !has_id(&document, "/a/.git"));
        // Without a cache the first folder that asks has it, and no second one.
        let (mut document, _) = first();
        let (key, _) = document.settle(&below("/a/two"), "shop", none(), &|_| true, &|_| None);
        assert!(has_id(&document, &key));
        let (key, _) =
            document.settle(&place("/a", Some("/a/.git")), "shop", none(), &|_| true, &|_| None);
        assert!(!has_id(&document, &key));
    }

    /// A document in which the working copy at `folder` has the ID `main-1` and the mark `M`.
    fn marked(place: &Location) -> Document {
        let (mut document, _) = seen(place);
        for entry in document.places.values_mut() {
            entry.mark = Some("M".into());
        }
        document
    }

    #[test]
    fn another_clone_at_the_path_of_one_that_was_moved_is_another_one() {
        let (shop, old) = (place("/a", Some("/a/.git")), place("/old", Some("/old/.git")));
        let mark_at = |path: &Path| (path == Path::new("/old/.git")).then(|| "M".to_owned());
        for old_first in [true, false] {
            let mut document = marked(&shop);
            let mut order = [(&shop, Settled::New, false), (&old, Settled::Moved, true)];
            if old_first {
                order.reverse();
            }
            for (place, expect, keeps) in order {
                let (key, settled) = document.settle(place, "shop", none(), &|_| true, &mark_at);
                assert_eq!((settled, has_id(&document, &key)), (expect, keeps), "{key}");
                let again = document.settle(place, "shop", none(), &|_| true, &mark_at);
                assert_eq!(again, (key, Settled::Known));
            }
            assert_eq!(document.places.len(), 2);
        }
    }

    #[test]
    fn a_mark_that_is_gone_is_no_other_working_copy_where_our_cache_is() {
        let here = place("/a", Some("/a/.git"));
        let (_, cache) = seen(&here);
        let (key, settled) = marked(&here).settle(&here, "shop", ours(cache), &|_| true, &|_| None);
        assert_eq!((key.as_str(), settled), ("/a/.git", Settled::Known));
        // With neither, it is another one.
        let mut document = marked(&here);
        let (key, settled) = document.settle(&here, "shop", none(), &|_| true, &|_| None);
        assert_eq!((settled, has_id(&document, &key)), (Settled::New, false));
    }

    #[test]
    fn a_copied_worktree_keeps_its_own_record_when_the_other_is_gone() {
        let git_dir = Some("/a/.git/worktrees/w1");
        let (one, two, moved) =
            (place("/w1", git_dir), place("/w2", git_dir), place("/w3", git_dir));
        let (mut document, cache) = seen(&one);
        let (key, _) = document.settle(&two, "shop", ours(cache), &|_| true, &|_| None);
        let record = document.copy_mut(&key, "shop").unwrap();
        record.environments.insert("main-2".into(), EnvironmentRecord::default());
        let cache = Cache::new("shop", &key, &two, record.clone(), &KeyedDigest::new("k"));
        let gone = |path: &Path| path != Path::new("/w1") && path != Path::new("/w2");
        for place in [&two, &moved] {
            let found = ours(cache.clone());
            let (key, _) = document.settle(place, "shop", found, &gone, &|_| None);
            let record = document.copy(&key, "shop").unwrap();
            assert!(record.environments.contains_key("main-2"), "{key}");
            assert!(has_id(&document, "/a/.git/worktrees/w1"));
        }
    }
}
