//! Locks between processes: a file that the operating system locks, so that a killed process
//! lets go of it by itself; inside stands who holds it.

use std::{
    fmt,
    fs::{File, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use envc_exec::ports::Clock;
use serde::{Deserialize, Serialize};

use crate::host::{
    error::CommandError,
    exit_code::ExitCode,
    fsio::{self, FsError},
};

/// Milliseconds between two tries of a process that waits.
const POLL_MS: u64 = 100;
/// Milliseconds that a change of a small file may take, of all who are before.
const CHANGE_MS_MAX: u64 = 500;
/// Bytes that are read of who holds a lock.
const HOLDER_BYTES_MAX: u64 = 4096;

/// Who holds a lock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holder {
    /// The process.
    pub(crate) pid: u32,
    /// What it holds the lock for: `envc apply`.
    pub(crate) purpose: String,
    /// Since when, in seconds since 1970.
    pub(crate) since_s: u64,
}

impl Holder {
    /// This process.
    pub(crate) fn me(purpose: impl Into<String>, now_s: u64) -> Self {
        Self { pid: std::process::id(), purpose: purpose.into(), since_s: now_s }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pid == 0 {
            return f.write_str("another process");
        }
        write!(f, "`{}` (process {})", self.purpose, self.pid)
    }
}

/// A lock that this process holds until it is dropped.
#[derive(Debug)]
#[must_use = "the lock is released when this is dropped"]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
}

/// What a try gave.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// The lock is ours.
    Held(Lock),
    /// Somebody else has it.
    Busy(Holder),
}

impl Lock {
    /// Tries once. The lock's folder must exist.
    pub(crate) fn try_acquire(path: &Path, holder: &Holder) -> Result<Attempt, CommandError> {
        loop {
            let mut file = fsio::open_lock(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(Attempt::Busy(read_holder(&mut file))),
                Err(TryLockError::Error(source)) => {
                    return Err(FsError::new("lock", path, source).into());
                }
            }
            // Between opening and locking, the holder before us may have removed the file: then
            // this lock guards nothing.
            if !fsio::is_same_file(&file, path) {
                continue;
            }
            if fsio::has_other_names(&file) {
                return Err(another_file(path));
            }
            write_holder(&mut file, holder)
                .map_err(|source| FsError::new("write", path, source))?;
            return Ok(Attempt::Held(Self { file, path: path.to_owned() }));
        }
    }

    /// Waits until the lock is ours, on this thread: for locks that are held for an instant.
    /// `on_wait` is told once for whom.
    pub(crate) fn acquire_blocking(
        path: &Path,
        holder: &Holder,
        on_wait: &mut dyn FnMut(&Holder),
    ) -> Result<Self, CommandError> {
        let mut told = false;
        loop {
            match Self::try_acquire(path, holder)? {
                Attempt::Held(lock) => return Ok(lock),
                Attempt::Busy(other) => {
                    if !std::mem::replace(&mut told, true) {
                        on_wait(&other);
                    }
                    std::thread::sleep(Duration::from_millis(POLL_MS / 10));
                }
            }
        }
    }

    /// Waits until the lock is ours, or with `wait` false is an error of exit 75 at once. `on_wait`
    /// is told for whom, again when that changes. May be dropped while it waits.
    pub(crate) async fn acquire(
        path: &Path,
        holder: &Holder,
        wait: bool,
        clock: &dyn Clock,
        on_wait: &mut (dyn FnMut(&Holder) + Send),
    ) -> Result<Self, CommandError> {
        let mut told = None;
        loop {
            match Self::try_acquire(path, holder)? {
                Attempt::Held(lock) => return Ok(lock),
                Attempt::Busy(other) if !wait => return Err(busy(&other)),
                Attempt::Busy(other) => {
                    if told.as_ref() != Some(&other) {
                        on_wait(&other);
                        told = Some(other);
                    }
                    clock.sleep(POLL_MS).await;
                }
            }
        }
    }

    /// True while nobody removed or replaced the lock's file.
    pub(crate) fn is_held(&self) -> bool {
        fsio::is_same_file(&self.file, &self.path)
    }

    /// Releases the lock and takes its file away, when what it guarded is gone.
    pub(crate) fn release_and_remove(self) -> Result<(), CommandError> {
        // The file goes while the lock is still held: whoever opened it before sees that it is
        // no longer there, and opens a new one.
        fsio::remove(&self.path)?;
        Ok(())
    }
}

/// Changes a small file that is its own lock; of processes that change it at once one waits for the other.
/// It is written in place, and fast rather than for ever: one who was killed meanwhile, or a power loss,
/// leaves what `change` has to take for nothing. The file's folder must exist.
pub(crate) fn change<T>(
    path: &Path,
    bytes_max: u64,
    change: impl FnOnce(&[u8]) -> (Option<Vec<u8>>, T),
) -> Result<T, FsError> {
    let wrong = |source| FsError::new("change", path, source);
    let mut file = fsio::open_lock(path)?;
    let mut waited_ms = 0;
    while let Err(error) = file.try_lock() {
        match error {
            TryLockError::WouldBlock if waited_ms < CHANGE_MS_MAX => {
                std::thread::sleep(Duration::from_millis(1));
                waited_ms += 1;
            }
            TryLockError::WouldBlock => return Err(wrong(io::ErrorKind::WouldBlock.into())),
            TryLockError::Error(source) => return Err(wrong(source)),
        }
    }
    if fsio::has_other_names(&file) {
        return Err(FsError::refused("change", path, "it has a second name"));
    }
    let mut bytes = Vec::new();
    (&mut file).take(bytes_max).read_to_end(&mut bytes).map_err(wrong)?;
    let (new, told) = change(&bytes);
    if let Some(new) = new {
        file.set_len(0).and_then(|()| file.rewind()).map_err(wrong)?;
        file.write_all(&new).map_err(wrong)?;
    }
    Ok(told)
}

/// The error of a lock that is some other file, too: what it says of its holder would be written into
/// that.
fn another_file(path: &Path) -> CommandError {
    CommandError::failed(format!(
        "{} has a second name, so it is no lock of envc's",
        path.display()
    ))
    .hint(format!("take it away: rm {}", fsio::for_shell(path)))
    .code("envc::cli::lock_link")
}

fn busy(holder: &Holder) -> CommandError {
    CommandError::new(ExitCode::TryAgain, format!("{holder} is at work on this environment"))
        .hint("try again when it is done")
        .code("envc::cli::locked")
}

fn read_holder(file: &mut File) -> Holder {
    let mut text = String::new();
    let read = file.take(HOLDER_BYTES_MAX).read_to_string(&mut text);
    // The holder may be writing this very instant: then it has no name yet.
    read.ok().and_then(|_| serde_json::from_str(&text).ok()).unwrap_or_default()
}

fn write_holder(file: &mut File, holder: &Holder) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&serde_json::to_vec(holder)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{clock::SystemClock, env::ProcessEnv};

    #[test]
    fn the_second_is_told_for_whom_it_waits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        let Attempt::Held(first) = Lock::try_acquire(&path, &Holder::me("envc apply", 5)).unwrap()
        else {
            panic!("nobody else holds it");
        };
        assert!(first.is_held());
        let Attempt::Busy(holder) = Lock::try_acquire(&path, &Holder::me("x", 6)).unwrap() else {
            panic!("it is held");
        };
        assert_eq!(holder, Holder::me("envc apply", 5));
        assert_eq!(holder.to_string(), format!("`envc apply` (process {})", std::process::id()));
        drop(first);
        assert!(matches!(Lock::try_acquire(&path, &holder).unwrap(), Attempt::Held(_)));
    }

    #[test]
    fn a_removed_lock_is_known_to_be_lost_and_can_be_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        let me = Holder::me("a", 1);
        let Attempt::Held(first) = Lock::try_acquire(&path, &me).unwrap() else { panic!() };
        std::fs::remove_file(&path).unwrap();
        assert!(!first.is_held());
        let Attempt::Held(second) = Lock::try_acquire(&path, &me).unwrap() else { panic!() };
        second.release_and_remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn many_who_change_a_file_lose_no_change_of_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("count");
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let more = |bytes: &[u8]| (Some([bytes, b"x"].concat()), ());
                        change(&path, 1_000, more).unwrap();
                    }
                });
            }
        });
        assert_eq!(change(&path, 1_000, |bytes| (None, bytes.len())).unwrap(), 300);
    }

    #[test]
    fn many_threads_never_hold_it_at_once_even_when_each_removes_it() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        let inside = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for number in 0..6 {
                let (path, inside) = (&path, &inside);
                scope.spawn(move || {
                    for _ in 0..20 {
                        let me = Holder::me("t", number);
                        let lock = Lock::acquire_blocking(path, &me, &mut |_| {}).unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        if number % 2 == 0 {
                            lock.release_and_remove().unwrap();
                        }
                    }
                });
            }
        });
    }

    #[tokio::test]
    async fn waiting_ends_when_the_holder_lets_go_and_not_waiting_is_exit_75() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        let clock = SystemClock::new(&ProcessEnv::default());
        let me = Holder::me("envc apply", 1);
        let first = Lock::acquire(&path, &me, true, &clock, &mut |_| {}).await.unwrap();
        let error = Lock::acquire(&path, &me, false, &clock, &mut |_| {}).await.unwrap_err();
        assert_eq!(error.exit, ExitCode::TryAgain);
        let release = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(30)).await;
            drop(first);
        });
        let mut waits = Vec::new();
        let mut on_wait = |holder: &Holder| waits.push(holder.to_string());
        let second = Lock::acquire(&path, &me, true, &clock, &mut on_wait).await.unwrap();
        assert!(second.is_held());
        assert_eq!(waits.len(), 1);
        release.await.unwrap();
    }

    /// Tells the other process which lock to take.
    const HELD: &str = "ENVC_TEST_HELD_LOCK";

    #[test]
    fn a_killed_process_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        // This very program is the other process.
        let (_crate, module) = module_path!().split_once("::").unwrap();
        let holder = format!("{module}::holds_a_lock_until_it_is_killed");
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &holder, "--ignored"])
            .env(HELD, &path)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let me = Holder::me("a", 1);
        let is_held = || match Lock::try_acquire(&path, &me).unwrap() {
            Attempt::Busy(holder) => holder.purpose == "held",
            // Let go of at once, and long enough for the other one to get it.
            Attempt::Held(_) => false,
        };
        while !is_held() {
            assert_eq!(child.try_wait().unwrap(), None, "it ended before it held the lock");
            std::thread::sleep(Duration::from_millis(POLL_MS / 2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let lock = Lock::acquire_blocking(&path, &me, &mut |_| {}).unwrap();
        assert!(lock.is_held());
    }

    #[test]
    #[ignore = "the other process of a_killed_process_lets_go, which starts and kills it"]
    fn holds_a_lock_until_it_is_killed() {
        let path = std::env::var_os(HELD).expect("which lock");
        let me = Holder::me("held", 1);
        let lock = Lock::acquire_blocking(path.as_ref(), &me, &mut |_| {}).unwrap();
        assert!(lock.is_held());
        std::thread::sleep(Duration::from_mins(1));
    }
}
