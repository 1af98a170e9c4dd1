//! The user's state directory: where the registry, the states, the local cloud and the key lie.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use envc_core::{KeyedDigest, counted};

use crate::host::{
    env::{ProcessEnv, users_home},
    error::CommandError,
    fsio::{self, Unsafe},
};

/// Bytes of the key.
const KEY_BYTES: usize = 32;

/// The user's state directory: it exists, it is the user's own, and nobody else writes into it.
///
/// What lies in it is believed: whose an environment is, what it holds, under which key files are
/// signed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct StateDir {
    path: PathBuf,
}

impl StateDir {
    /// `$ENVC_STATE_DIR`, else `$XDG_STATE_HOME/envc`, else `~/.local/state/envc`; made when it is
    /// not there.
    pub(crate) fn open(env: &ProcessEnv, cwd: &Path) -> Result<Self, CommandError> {
        let path = locate(env, cwd)?;
        fsio::create_private_dirs(&path)?;
        let path = fsio::canonical(&path)?;
        match fsio::unsafe_because(&path)? {
            Some(why) => Err(refused(&path, why)),
            None => Ok(Self { path }),
        }
    }

    /// The directory itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where states lie.
    pub(crate) fn states(&self) -> PathBuf {
        self.path.join("state")
    }

    /// Where the API's calls are counted.
    pub(crate) fn limits(&self) -> PathBuf {
        self.path.join("limits")
    }

    /// Where the local cloud lies, unless another folder is named.
    pub(crate) fn cloud(&self) -> PathBuf {
        self.path.join("cloud")
    }

    /// Makes digests under this user's key: 32 random bytes, made by the first process that needs
    /// them, readable by their owner alone.
    pub(crate) fn keyed_digest(&self) -> Result<KeyedDigest, CommandError> {
        let path = self.path.join("key");
        if let Some(key) = fsio::read_own(&path, KEY_BYTES)? {
            return check_key(&path, key);
        }
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key).map_err(|error| {
            CommandError::failed("the system gives no random bytes").because(&error)
        })?;
        if fsio::create_new(&path, &key, fsio::PRIVATE)? {
            return Ok(KeyedDigest::new(key));
        }
        // Another process was quicker: its key is the one.
        let key = fsio::read_own(&path, KEY_BYTES)?.unwrap_or_default();
        check_key(&path, key)
    }
}

fn check_key(path: &Path, key: Vec<u8>) -> Result<KeyedDigest, CommandError> {
    if key.len() != KEY_BYTES {
        return Err(CommandError::failed(format!("the key in {} is damaged", path.display()))
            .because_text(format!("it has {}, not {KEY_BYTES}", counted(key.len(), "byte")))
            .hint(format!(
                "remove it: rm {}; generated files and secrets then count as changed once",
                path.display()
            )));
    }
    Ok(KeyedDigest::new(key))
}

/// The error of a directory that others may change.
fn refused(path: &Path, why: Unsafe) -> CommandError {
    let (is, way) = match why {
        Unsafe::Anothers => {
            ("belongs to another user", "name one of your own: ENVC_STATE_DIR=…".to_owned())
        }
        Unsafe::Writable => (
            "can be written by others",
            format!("take that right away: chmod go-w {}", fsio::for_shell(path)),
        ),
    };
    CommandError::failed(format!("the state directory {} {is}", path.display()))
        .because_text("what lies in it decides what is yours to change and to delete")
        .hint(way)
        .code("envc::cli::state_dir")
}

fn locate(env: &ProcessEnv, cwd: &Path) -> Result<PathBuf, CommandError> {
    if let Some(path) = &env.state_dir {
        return Ok(cwd.join(path));
    }
    if let Some(base) = env.xdg_state_home() {
        return Ok(base.join("envc"));
    }
    env.home().or_else(users_home).map(|home| home.join(".local/state/envc")).ok_or_else(|| {
        CommandError::failed("this user has no home directory to keep state in")
            .hint("name a folder: ENVC_STATE_DIR=/path/to/folder")
    })
}

impl fmt::Debug for StateDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateDir({})", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_override_beats_xdg_beats_home() {
        let cwd = Path::new("/here");
        let check = |pairs: &[(&str, &str)], expect: &str| {
            let env = ProcessEnv::from_pairs(pairs.iter().copied());
            assert_eq!(locate(&env, cwd).unwrap(), Path::new(expect));
        };
        let home = ("HOME", "/home/a");
        check(&[home], "/home/a/.local/state/envc");
        check(&[home, ("XDG_STATE_HOME", "relative")], "/home/a/.local/state/envc");
        check(&[home, ("XDG_STATE_HOME", "/xdg")], "/xdg/envc");
        check(&[home, ("XDG_STATE_HOME", "/xdg"), ("ENVC_STATE_DIR", "/over")], "/over");
        check(&[home, ("ENVC_STATE_DIR", "s")], "/here/s");
    }

    #[test]
    fn the_directory_is_private_and_the_key_stays() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("a/b");
        let env = ProcessEnv::from_pairs([("ENVC_STATE_DIR", state.to_str().unwrap())]);
        let dir = StateDir::open(&env, folder.path()).unwrap();
        assert_eq!(fsio::mode(dir.path()), Some(0o700));
        let first = dir.keyed_digest().unwrap().of("x");
        assert_eq!(dir.keyed_digest().unwrap().of("x"), first);
        assert_eq!(fsio::mode(&state.join("key")), Some(0o600));
        fsio::write_atomic(&state.join("key"), b"short", 0o600).unwrap();
        assert!(dir.keyed_digest().unwrap_err().to_text().contains("damaged"));
    }

    #[test]
    fn processes_that_make_the_key_at_once_agree_on_it() {
        let folder = tempfile::tempdir().unwrap();
        let env = ProcessEnv::from_pairs([("ENVC_STATE_DIR", folder.path().to_str().unwrap())]);
        let dir = StateDir::open(&env, folder.path()).unwrap();
        let digests: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| dir.keyed_digest().unwrap().of("x"))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(digests.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
