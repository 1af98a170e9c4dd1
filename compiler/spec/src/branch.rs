//! From a git branch to the part of an ID.

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
}
