//! Where the API has scripts.

/// The path of the scripts, or of one.
pub(super) fn scripts<'a>(account: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    [&["accounts", account, "workers", "scripts"], rest].concat()
}
