//! States as files of the user's state directory.
//!
//! `state/CLOUD/ACCOUNT/PROJECT/ENV.json`, with the version before it as `.bak` and the lock as
//! `.lock` beside it. A save is durable when it returns: file and folder are synced.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use envc_core::Digest;
use envc_exec::ports::{StateStore, StoreError, Version};
use envc_plan::{State, StateKey};
use futures::future::BoxFuture;

use crate::{
    host::{
        error::CommandError,
        file_lock::Lock,
        file_name::{file_name, original_name},
        fsio::{self, FsError},
    },
    state::{HeldStore, state_error},
    workspace::dirs::StateDir,
};

/// Bytes of a state: ten thousand resources take a tenth of it.
const STATE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The state of one environment, in a file.
#[derive(Debug)]
pub(crate) struct LocalStore(Arc<StateFiles>);

/// Shared with the thread that writes.
#[derive(Debug)]
struct StateFiles {
    key: StateKey,
    file: PathBuf,
    lock: Option<Lock>,
}

impl LocalStore {
    /// To read and to write, for as long as the lock is held.
    pub(crate) fn locked(state: &StateDir, key: StateKey, lock: Lock) -> Self {
        Self::at(state, key, Some(lock))
    }

    /// To read alone: without a lock no save is taken.
    pub(crate) fn read_only(state: &StateDir, key: StateKey) -> Self {
        Self::at(state, key, None)
    }

    fn at(state: &StateDir, key: StateKey, lock: Option<Lock>) -> Self {
        Self(Arc::new(StateFiles { file: file_of(state, &key, "json"), key, lock }))
    }

    /// Where the state lies.
    pub(crate) fn path(&self) -> &Path {
        &self.0.file
    }

    /// Where the lock of an environment's state lies; its folder is made.
    pub(crate) fn lock_path(state: &StateDir, key: &StateKey) -> Result<PathBuf, CommandError> {
        let path = file_of(state, key, "lock");
        if let Some(folder) = path.parent() {
            fsio::create_private_dirs(folder)?;
        }
        Ok(path)
    }

    /// The keys of all environments of a project that have a state here, in any cloud.
    pub(crate) fn list(state: &StateDir, project: &str) -> Result<Vec<StateKey>, CommandError> {
        let mut keys = Vec::new();
        let root = state.states();
        for cloud in fsio::names_in(&root)? {
            for account in fsio::names_in(&root.join(&cloud))? {
                let folder = root.join(&cloud).join(&account).join(file_name(project));
                for name in fsio::names_in(&folder)? {
                    let Some(env) = name.strip_suffix(".json").and_then(original_name) else {
                        continue;
                    };
                    let (Some(cloud), Some(account)) =
                        (original_name(&cloud), original_name(&account))
                    else {
                        continue;
                    };
                    keys.push(StateKey { cloud, account, project: project.to_owned(), env });
                }
            }
        }
        keys.sort();
        Ok(keys)
    }

    /// Gives the lock back, to release it or to take its file away.
    fn into_lock(self) -> Option<Lock> {
        // Nothing is being written any more: every save was waited for.
        Arc::into_inner(self.0)?.lock
    }
}

impl StateFiles {
    fn io(&self, action: &'static str, error: &FsError) -> StoreError {
        StoreError::Io { action, place: self.name(), reason: error.source.to_string() }
    }

    fn conflict(&self) -> StoreError {
        StoreError::Conflict { place: self.name() }
    }

    fn name(&self) -> String {
        self.file.display().to_string()
    }

    fn lock_held(&self) -> bool {
        self.lock.as_ref().is_some_and(Lock::is_held)
    }

    fn read(&self) -> Result<Option<Vec<u8>>, StoreError> {
        fsio::read_own(&self.file, STATE_BYTES_MAX).map_err(|error| self.io("read", &error))
    }

    /// The content, if its version is still the expected one.
    fn read_expected(&self, expected: Option<&Version>) -> Result<Option<Vec<u8>>, StoreError> {
        if !self.lock_held() {
            return Err(self.conflict());
        }
        let stored = self.read()?;
        if stored.as_deref().map(version).as_ref() != expected {
            return Err(self.conflict());
        }
        Ok(stored)
    }

    fn write(&self, bytes: &[u8], expected: Option<&Version>) -> Result<Version, StoreError> {
        let stored = self.read_expected(expected)?;
        if let Some(folder) = self.file.parent() {
            fsio::create_private_dirs(folder).map_err(|error| self.io("write", &error))?;
        }
        if let Some(before) = stored {
            let kept = self.beside("bak");
            // Not every file system has links; a copy is the same, only slower.
            if fsio::keep_as(&self.file, &kept).is_err() {
                self.write_file("bak", &before)?;
            }
        }
        self.write_file("json", bytes)?;
        Ok(version(bytes))
    }

    fn beside(&self, extension: &str) -> PathBuf {
        self.file.with_file_name(with_extension(&self.key.env, extension))
    }

    fn write_file(&self, extension: &str, bytes: &[u8]) -> Result<(), StoreError> {
        fsio::write_atomic(&self.beside(extension), bytes, fsio::PRIVATE)
            .map_err(|error| self.io("write", &error))
    }
}

impl StateStore for LocalStore {
    fn place(&self) -> String {
        self.0.name()
    }

    fn load(&self) -> BoxFuture<'_, Result<Option<(State, Version)>, StoreError>> {
        Box::pin(async move {
            let Some(bytes) = self.0.read()? else { return Ok(None) };
            let state = State::parse(&bytes, &self.0.key)?;
            Ok(Some((state, version(&bytes))))
        })
    }

    /// Syncing takes milliseconds: on a thread of its own, so that calls in flight go on and their
    /// outcomes gather for the next save.
    fn save<'a>(
        &'a self,
        state: &'a State,
        expected: Option<&'a Version>,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        let (place, expected) = (Arc::clone(&self.0), expected.cloned());
        Box::pin(async move {
            let bytes = state.to_bytes()?;
            let name = place.name();
            let write = move || place.write(&bytes, expected.as_ref());
            tokio::task::spawn_blocking(write).await.unwrap_or_else(|error| {
                Err(StoreError::Io { action: "write", place: name, reason: error.to_string() })
            })
        })
    }

    fn remove<'a>(&'a self, expected: &'a Version) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let place = &self.0;
            if let Some(before) = place.read_expected(Some(expected))? {
                place.write_file("bak", &before)?;
            }
            fsio::remove(&place.file).map_err(|error| place.io("remove", &error))?;
            Ok(())
        })
    }

    fn lock_held(&self) -> bool {
        self.0.lock_held()
    }
}

impl HeldStore for LocalStore {
    fn explain(&self, error: &StoreError) -> CommandError {
        state_error(error, self.path())
    }

    fn lock_lost(&self) -> &'static str {
        "the lock's file was removed or replaced"
    }

    fn release(self: Box<Self>) -> Result<(), CommandError> {
        match self.into_lock() {
            Some(lock) => lock.release_and_remove(),
            None => Ok(()),
        }
    }
}

/// The content's digest: any change is another version. The serial stands inside the content.
fn version(bytes: &[u8]) -> Version {
    Version(Digest::of(bytes).as_str().to_owned())
}

fn file_of(state: &StateDir, key: &StateKey, extension: &str) -> PathBuf {
    let folder = [&key.cloud, &key.account, &key.project].map(|part| file_name(part));
    let folder = folder.iter().fold(state.states(), |path, part| path.join(part));
    folder.join(Path::new(&with_extension(&key.env, extension)))
}

fn with_extension(env: &str, extension: &str) -> String {
    format!("{}.{extension}", file_name(env))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{
        env::ProcessEnv,
        file_lock::{Attempt, Holder},
    };

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn state_dir() -> (tempfile::TempDir, StateDir) {
        let keep = tempfile::tempdir().unwrap();
        let env = ProcessEnv::from_pairs([("ENVC_STATE_DIR", keep.path().to_str().unwrap())]);
        let dir = StateDir::open(&env, keep.path()).unwrap();
        (keep, dir)
    }

    fn key(env: &str) -> StateKey {
        StateKey {
            cloud: "local".into(),
            account: "0123".into(),
            project: "shop".into(),
            env: env.into(),
        }
    }

    fn locked(dir: &StateDir, env: &str) -> LocalStore {
        let path = LocalStore::lock_path(dir, &key(env)).unwrap();
        match Lock::try_acquire(&path, &Holder::me("test", 1)).unwrap() {
            Attempt::Held(lock) => LocalStore::locked(dir, key(env), lock),
            Attempt::Busy(holder) => panic!("{holder}"),
        }
    }

    #[test]
    fn a_state_is_saved_by_compare_and_set_and_the_one_before_is_kept() {
        let (_keep, dir) = state_dir();
        let store = locked(&dir, "main-1");
        assert_eq!(block_on(store.load()).unwrap(), None);
        let mut state = State::new(key("main-1"), "host/a/b", "local", "abc");
        let first = block_on(store.save(&state, None)).unwrap();
        state.serial += 1;
        let second = block_on(store.save(&state, Some(&first))).unwrap();
        assert_ne!(first, second);
        for stale in [None, Some(&first)] {
            let error = block_on(store.save(&state, stale)).unwrap_err();
            assert!(matches!(error, StoreError::Conflict { .. }), "{error:?}");
        }
        assert_eq!(block_on(store.load()).unwrap(), Some((state, second.clone())));
        let folder = dir.states().join("local/0123/shop");
        assert_eq!(fsio::names_in(&folder).unwrap(), ["main-1.bak", "main-1.json", "main-1.lock"]);
        assert_eq!(fsio::mode(&folder.join("main-1.json")), Some(0o600));
        assert_eq!(fsio::mode(&folder), Some(0o700));
        block_on(store.remove(&second)).unwrap();
        assert_eq!(block_on(store.load()).unwrap(), None);
    }

    #[test]
    fn without_the_lock_nothing_is_written() {
        let (_keep, dir) = state_dir();
        let state = State::new(key("a"), "host/a/b", "local", "abc");
        let reader = LocalStore::read_only(&dir, key("a"));
        assert!(block_on(reader.save(&state, None)).is_err());
        let store = locked(&dir, "a");
        block_on(store.save(&state, None)).unwrap();
        assert!(block_on(reader.load()).unwrap().is_some());
        fsio::remove(&LocalStore::lock_path(&dir, &key("a")).unwrap()).unwrap();
        assert!(!store.lock_held());
        assert!(block_on(store.save(&state, None)).is_err());
    }

    #[test]
    fn a_damaged_state_is_refused_not_overwritten() {
        let (_keep, dir) = state_dir();
        let store = locked(&dir, "a");
        fsio::write_atomic(&store.0.file, b"{\"schema\":1", 0o600).unwrap();
        assert!(matches!(block_on(store.load()), Err(StoreError::State(_))));
        let state = State::new(key("a"), "host/a/b", "local", "abc");
        assert!(matches!(block_on(store.save(&state, None)), Err(StoreError::Conflict { .. })));
    }

    #[test]
    fn environments_of_a_project_are_listed_whatever_their_name() {
        let (_keep, dir) = state_dir();
        for env in ["main-1", "../x", ".a%", "ü"] {
            let store = locked(&dir, env);
            block_on(store.save(&State::new(key(env), "host/a/b", "t", "l"), None)).unwrap();
        }
        let keys = LocalStore::list(&dir, "shop").unwrap();
        let names: Vec<&str> = keys.iter().map(|key| key.env.as_str()).collect();
        assert_eq!(names, ["../x", ".a%", "main-1", "ü"]);
        assert_eq!(LocalStore::list(&dir, "other").unwrap(), []);
    }
}
