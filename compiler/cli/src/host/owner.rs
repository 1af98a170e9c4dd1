//! Whose a file or a folder is, and which ones a user takes for their own.
//!
//! As git does for its repositories: this process's user, for root also the one who called `sudo`.
//! What belongs to root is taken as well. Permission bits do not count: a checkout may be shared.

use std::path::Path;

use crate::host::env::{ProcessEnv, names};

/// Who is root.
const ROOT: u32 = 0;

/// The user that this process works for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    /// Whose rights it has; none where the system knows no such thing.
    id: Option<u32>,
    /// Who became root by `sudo`.
    sudo: Option<u32>,
}

impl User {
    /// The user of this process.
    pub(crate) fn of_process(env: &ProcessEnv) -> Self {
        Self { id: me(), sudo: env.var(names::SUDO_UID).and_then(|text| text.parse().ok()) }
    }

    /// True for what is this user's own: a link is whose the link is.
    pub(crate) fn owns(self, path: &Path) -> bool {
        self.is(of_itself(path))
    }

    /// True for what is this user's own or root's.
    pub(crate) fn takes(self, path: &Path) -> bool {
        let owner = of_itself(path);
        owner == Some(ROOT) || self.is(owner)
    }

    /// True for what this process's user owns, whoever called `sudo`.
    fn is_alone(self, owner: Option<u32>) -> bool {
        self.id.is_none() || owner == self.id
    }

    fn is(self, owner: Option<u32>) -> bool {
        let by_sudo = self.id == Some(ROOT) && owner.is_some() && owner == self.sudo;
        self.is_alone(owner) || by_sudo
    }
}

/// Whose rights this process has; none where the system knows no such thing.
#[cfg_attr(unix, expect(clippy::unnecessary_wraps, reason = "not every system has owners"))]
fn me() -> Option<u32> {
    #[cfg(unix)]
    return Some(rustix::process::geteuid().as_raw());
    #[cfg(not(unix))]
    None
}

/// True for what is this process's user's own, whoever called `sudo`: what it makes is whose that is.
pub(crate) fn is_mine(there: &std::fs::Metadata) -> bool {
    of_metadata(there) == me()
}

/// Whose a file is that a link leads to; nobody's where the system has no such thing.
pub(crate) fn of(path: &Path) -> Option<u32> {
    std::fs::metadata(path).ok().and_then(|there| of_metadata(&there))
}

/// Whose a file is, or a link itself.
fn of_itself(path: &Path) -> Option<u32> {
    std::fs::symlink_metadata(path).ok().and_then(|there| of_metadata(&there))
}

/// Whose what is open is.
#[cfg_attr(unix, expect(clippy::unnecessary_wraps, reason = "not every system has owners"))]
fn of_metadata(there: &std::fs::Metadata) -> Option<u32> {
    #[cfg(unix)]
    return Some(std::os::unix::fs::MetadataExt::uid(there));
    #[cfg(not(unix))]
    {
        let _ = there;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_takes_what_git_would_take() {
        let user = |id, sudo| User { id: Some(id), sudo };
        for (user, owner, expect) in [
            (user(1000, None), 1000, true),
            (user(1000, None), 1001, false),
            (user(1000, None), ROOT, false),
            // Only root believes what sudo says.
            (user(1000, Some(1001)), 1001, false),
            (user(ROOT, None), ROOT, true),
            (user(ROOT, None), 1000, false),
            (user(ROOT, Some(1000)), 1000, true),
            (user(ROOT, Some(1000)), 1001, false),
        ] {
            assert_eq!(user.is(Some(owner)), expect, "{user:?} {owner}");
        }
        assert!(user(ROOT, Some(1000)).is_alone(Some(ROOT)));
        assert!(!user(ROOT, Some(1000)).is_alone(Some(1000)));
        let without = User { id: None, sudo: None };
        assert!(without.is(None) && without.is_alone(None));
    }

    #[cfg(unix)]
    #[test]
    fn what_belongs_to_root_is_taken_and_is_nobody_elses_own() {
        let env = ProcessEnv::default();
        let me = User::of_process(&env);
        let stranger = User { id: Some(4_000_000), sudo: None };
        let folder = tempfile::tempdir().unwrap();
        assert!(me.owns(folder.path()) && me.takes(folder.path()));
        assert!(stranger.takes(Path::new("/")) && !stranger.owns(Path::new("/")));
        assert!(!stranger.owns(folder.path()));
    }
}
