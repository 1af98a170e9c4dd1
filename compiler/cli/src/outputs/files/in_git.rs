//! Whether git has, or would take in, what is generated: what only one environment may see stays out of
//! it, and git's silence is no leave to write.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::RenderedFile;
use crate::host::{
    env::ProcessEnv,
    error::CommandError,
    fsio,
    git::{self, GitView},
};

/// Why git and a generated file do not go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GitConflict {
    /// Git tracks it.
    Tracked(String),
    /// Git does not ignore it: the next `git add` would take it in.
    NotIgnored(String),
}

/// Which of the files that hold something of one environment git has or would take in, each asked of
/// the repository that it lies in: one in a submodule is not its parent's to tell of. Where a
/// repository is there and git does not tell of it, none of them may be written.
pub(crate) fn git_conflicts(
    root: &Path,
    git: &GitView,
    env: &ProcessEnv,
    files: &[RenderedFile],
) -> Result<Vec<GitConflict>, CommandError> {
    let mut by_top: BTreeMap<PathBuf, Vec<&str>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.specific || file.private) {
        let path = root.join(&file.path);
        let there = path.ancestors().skip(1).find(|folder| fsio::is_folder(folder));
        let top = there.and_then(git::top).unwrap_or(root);
        by_top.entry(top.to_owned()).or_default().push(&file.path);
    }
    let mut conflicts = Vec::new();
    for (top, paths) in by_top {
        let is_known = Some(top.as_path()) == git::top(root).or(Some(root));
        let view = if is_known { git.clone() } else { git::look(&top, env) };
        match (&view.repository, &view.warning) {
            (Some(_), _) => conflicts.extend(conflicts_in(root, &top, env, &paths)?),
            (None, None) => {}
            (None, Some(warning)) => return Err(no_answer(&top, warning, &paths)),
        }
    }
    Ok(conflicts)
}

/// As [`git_conflicts`], of paths below `root` that lie in the repository of this top.
fn conflicts_in(
    root: &Path,
    top: &Path,
    env: &ProcessEnv,
    paths: &[&str],
) -> Result<Vec<GitConflict>, CommandError> {
    let from_top = |path: &str| {
        let whole = root.join(git::plain(path));
        let below = whole.strip_prefix(top).unwrap_or(Path::new(path));
        below.to_string_lossy().replace('\\', "/")
    };
    let asked: Vec<(&str, String)> = paths.iter().map(|path| (*path, from_top(path))).collect();
    let names: Vec<&str> = asked.iter().map(|(_, name)| name.as_str()).collect();
    let ignored = git::ignored(top, env, &names)?;
    let rest: Vec<&(&str, String)> =
        asked.iter().filter(|(_, name)| !ignored.contains(name)).collect();
    let names: Vec<&str> = rest.iter().map(|(_, name)| name.as_str()).collect();
    let tracked = git::tracked(top, env, &names)?;
    let conflict = |(path, name): &(&str, String)| {
        if tracked.contains(name) {
            GitConflict::Tracked((*path).to_owned())
        } else {
            GitConflict::NotIgnored((*path).to_owned())
        }
    };
    Ok(rest.into_iter().map(conflict).collect())
}

/// The error for files of which git does not say whether it would take them in.
fn no_answer(root: &Path, warning: &str, paths: &[&str]) -> CommandError {
    let top = git::top(root).unwrap_or(root);
    CommandError::failed(format!(
        "git does not say whether it would take in what is generated: {}",
        paths.join(", ")
    ))
    .because_text(warning)
    .hint(format!(
        "if git refuses because the folder is another user's: git config --global --add \
         safe.directory {}",
        fsio::for_shell(top)
    ))
    .hint("if git is missing, install it; nothing was changed")
    .code("envc::cli::git_unknown")
}

/// The error for files that git has or would take in.
pub(crate) fn not_for_git(conflicts: &[GitConflict]) -> CommandError {
    let mut tracked = Vec::new();
    let mut open = Vec::new();
    for conflict in conflicts {
        match conflict {
            GitConflict::Tracked(path) => tracked.push(path.as_str()),
            GitConflict::NotIgnored(path) => open.push(path.as_str()),
        }
    }
    let all = [tracked.as_slice(), open.as_slice()].concat();
    let mut error = CommandError::failed(format!(
        "generated files of one environment would end up in git: {}",
        all.join(", ")
    ))
    .code("envc::cli::file_in_git");
    if !tracked.is_empty() {
        error = error.hint(format!("take out of git: git rm --cached {}", tracked.join(" ")));
    }
    // A line each: blanks would make one pattern of all.
    error.hint(format!("add them to .gitignore: printf '%s\\n' {} >> .gitignore", all.join(" ")))
}
