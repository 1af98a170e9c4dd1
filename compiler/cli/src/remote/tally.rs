//! The count of the API's calls that all runs of this user on this machine share: a small file for each
//! token, in the state directory.
//!
//! It holds when how many calls were made, and until when the API is closed; the token is in its name as
//! a digest under the user's key. One that is broken, of another version or not to be written counts as
//! absent: then a run counts its own calls alone.

use std::path::PathBuf;

use envc_core::Digest;
use envc_exec::{Alone, Counts, ports::Tally};
use serde::{Deserialize, Serialize};

use crate::host::{file_lock, fsio};

/// The version of the file that this build writes and reads.
const SCHEMA: u32 = 1;
/// Bytes of the file; it has some sixty numbers.
const BYTES_MAX: u64 = 64 * 1024;

/// The calls of one token on one API.
#[derive(Debug)]
pub(crate) struct Shared {
    path: PathBuf,
    /// Where the file cannot be used.
    alone: Alone,
}

#[derive(Serialize, Deserialize)]
struct Document {
    schema: u32,
    counts: Counts,
}

impl Shared {
    /// Counts in this file, whose folder need not exist.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, alone: Alone::default() }
    }

    /// The name of the file for what this digest stands for.
    pub(crate) fn file_name(key: &Digest) -> String {
        let digest = Digest::of(key.as_str());
        format!("{}.json", digest.as_str().get(..32).unwrap_or_default())
    }

    fn change<T>(&self, change: impl FnOnce(&mut Counts) -> T) -> Option<T> {
        fsio::create_private_dirs(self.path.parent()?).ok()?;
        let changed = file_lock::change(&self.path, BYTES_MAX, |bytes| {
            let mut counts = read(bytes);
            let before = counts.clone();
            let told = change(&mut counts);
            let document = (counts != before).then_some(Document { schema: SCHEMA, counts });
            (document.and_then(|document| serde_json::to_vec(&document).ok()), told)
        });
        changed.ok()
    }
}

fn read(bytes: &[u8]) -> Counts {
    let document: Option<Document> = serde_json::from_slice(bytes).ok();
    document.filter(|it| it.schema == SCHEMA).map(|it| it.counts).unwrap_or_default()
}

impl Tally for Shared {
    fn book(&self, now_ms: u64) -> u64 {
        let booked = self.change(|counts| counts.book(now_ms));
        booked.unwrap_or_else(|| self.alone.book(now_ms))
    }

    fn close_until(&self, now_ms: u64, until_ms: u64) {
        if self.change(|counts| counts.close_until(now_ms, until_ms)).is_none() {
            self.alone.close_until(now_ms, until_ms);
        }
    }

    fn left(&self, now_ms: u64) -> Option<u32> {
        self.change(|counts| counts.left(now_ms)).or_else(|| self.alone.left(now_ms))
    }
}

#[cfg(test)]
mod tests {
    use envc_core::limits::RATE_OWN_CALLS_MAX;

    use super::*;

    const NOW_MS: u64 = 1_700_000_000_000;

    #[test]
    fn runs_count_together_whoever_of_them_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("limits/x.json");
        for _ in 0..3 {
            let run = Shared::new(path.clone());
            for _ in 0..RATE_OWN_CALLS_MAX / 3 {
                assert_eq!(run.book(NOW_MS), 0);
            }
        }
        let another = Shared::new(path.clone());
        assert_eq!(another.left(NOW_MS), Some(0));
        let wait_ms = another.book(NOW_MS);
        assert!((300_000..=305_000).contains(&wait_ms), "{wait_ms}");
        assert_eq!(another.book(NOW_MS + wait_ms), 0);
        assert_eq!(fsio::mode(&path), Some(0o600));
        // A block holds for all of them.
        another.close_until(NOW_MS + wait_ms, NOW_MS + wait_ms + 7_000);
        assert_eq!(Shared::new(path).book(NOW_MS + wait_ms), 7_000);
    }

    #[test]
    fn a_broken_file_counts_as_absent_and_one_that_cannot_be_is_done_without() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        for text in ["", "{", "[]", "{\"schema\":2,\"counts\":{}}", "\u{0}\u{0}", "null"] {
            std::fs::write(&path, text).unwrap();
            let run = Shared::new(path.clone());
            assert_eq!(
                (run.book(NOW_MS), run.left(NOW_MS)),
                (0, Some(RATE_OWN_CALLS_MAX - 1)),
                "{text}"
            );
        }
        let run = Shared::new(path.join("under/a/file.json"));
        assert_eq!((run.book(NOW_MS), run.left(NOW_MS)), (0, Some(RATE_OWN_CALLS_MAX - 1)));
    }
}
