//! From a git branch to an ID, or to the part of one.

use envc_core::{Digest, base36, limits};

/// What stands for a branch that has no name (a detached HEAD, no git at all).
const NO_BRANCH: &str = "detached";
/// What stands for a branch whose name has no letter or digit that an ID may hold.
const NO_LETTERS: &str = "branch";

/// Folds a branch's name into what an ID may hold: lower case, `[a-z0-9-]`, runs of anything else
/// folded into one dash, no dash at either end, at most `max_length` characters.
///
/// Always gives something: `detached` without a branch, `branch` when no letter or digit of ASCII
/// is left (both cut to the length).
pub fn identity_from_branch(branch: Option<&str>, max_length: usize) -> String {
    let max_length = max_length.max(1);
    let Some(branch) = branch else { return cut(NO_BRANCH, max_length) };
    let mut folded = String::new();
    for char in branch.chars().flat_map(char::to_lowercase) {
        if folded.len() > max_length {
            break;
        }
        if char.is_ascii_lowercase() || char.is_ascii_digit() {
            folded.push(char);
        } else if !folded.is_empty() && !folded.ends_with('-') {
            folded.push('-');
        }
    }
    let out = cut(&folded, max_length);
    if out.is_empty() { cut(NO_LETTERS, max_length) } else { out }
}

/// The ID that a branch gives without chance. Invariant: no two branches give the same one. A branch
/// that had to be changed or cut for it gets a digest of its whole name behind it, and so does one
/// that could be taken for such an ID.
pub fn branch_id(branch: Option<&str>, max_length: usize) -> String {
    let folded = identity_from_branch(branch, max_length);
    let Some(branch) = branch else { return folded };
    if folded == branch && branch != NO_BRANCH && !ends_like_a_digest(branch) {
        return folded;
    }
    let digest = digest(branch);
    match max_length.checked_sub(digest.len() + 1) {
        Some(room @ 1..) => format!("{}-{digest}", identity_from_branch(Some(branch), room)),
        _ => cut(&digest, max_length.max(1)),
    }
}

/// A digit, then letters and digits: few words look so.
fn digest(branch: &str) -> String {
    let hex: String = Digest::of(branch).as_str().chars().take(16).collect();
    let mut rest = u64::from_str_radix(&hex, 16).unwrap_or_default();
    let first = rest % 10;
    rest /= 10;
    let more: String = base36(rest, limits::ID_DIGEST_CHARS - 1).chars().rev().collect();
    format!("{first}{more}")
}

fn ends_like_a_digest(branch: &str) -> bool {
    let last = branch.rsplit('-').next().unwrap_or_default();
    last.len() == limits::ID_DIGEST_CHARS && last.starts_with(|c: char| c.is_ascii_digit())
}

fn cut(text: &str, max_length: usize) -> String {
    let kept = text.get(..max_length).unwrap_or(text);
    kept.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(branch: &str, wanted: &str) {
        assert_eq!(identity_from_branch(Some(branch), 20), wanted, "{branch:?}");
    }

    #[test]
    fn branches_fold_into_ids() {
        check("main", "main");
        check("feature/ABC-123_do.it", "feature-abc-123-do-i");
        check("feature/a-very-long-name-indeed", "feature-a-very-long");
        check("--a//b--", "a-b");
        check("größe/ñandú", "gr-e-and");
        check("İstanbul", "i-stanbul");
        check("日本語", "branch");
        check("///", "branch");
        check("", "branch");
        assert_eq!(identity_from_branch(None, 20), "detached");
        assert_eq!(identity_from_branch(None, 3), "det");
        assert_eq!(identity_from_branch(Some("a"), 0), "a");
    }

    #[test]
    fn a_branch_that_lost_something_gets_a_digest_of_all_of_it() {
        let id = |branch: &str| branch_id(Some(branch), 20);
        for same in ["main", "fix-login", "a", "fix-overflow", "x1"] {
            assert_eq!(id(same), same);
        }
        for (branch, part) in [
            ("fix/login", "fix-login"),
            ("Main", "main"),
            ("größe", "gr-e"),
            ("日本語", "branch"),
            ("", "branch"),
            ("a--b", "a-b"),
            ("-a", "a"),
            ("dependabot/npm_and_yarn/a", "dependabot"),
            ("detached", "detached"),
            // It could be the ID of another branch.
            ("fix-1abcdefg", "fix-1abcdef"),
            ("1abcdefg", "1abcdefg"),
        ] {
            let digest = digest(branch);
            assert_eq!(id(branch), format!("{part}-{digest}"), "{branch}");
            assert!(id(branch).len() <= 20 && ends_like_a_digest(&id(branch)), "{branch}");
        }
        assert_eq!(branch_id(None, 20), "detached");
    }

    #[test]
    fn no_two_branches_share_an_id() {
        let mut seen = std::collections::BTreeMap::new();
        let words = ["a", "A", "-", "--", "/", "_", "ü", "fix", "1abcdefg", "detached"];
        for number in 0..words.len().pow(3) {
            let word = |place: u32| words[number / words.len().pow(place) % words.len()];
            let branch = format!("{}{}{}", word(0), word(1), word(2));
            for max_length in [12, 20, 40] {
                let id = branch_id(Some(&branch), max_length);
                assert!(id.len() <= max_length && !id.is_empty(), "{branch}: {id}");
                assert!(envc_core::PartProblem::of(&id).is_none(), "{branch}: {id}");
                let before = seen.entry((id, max_length)).or_insert_with(|| branch.clone());
                assert_eq!(*before, branch);
                // A branch that is called as another one's ID has another ID.
                let id = branch_id(Some(&branch), max_length);
                assert!(id == branch || branch_id(Some(&id), max_length) != id, "{branch}: {id}");
            }
        }
    }
}
