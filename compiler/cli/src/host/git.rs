//! What git says of the folder: through the `git` command itself, so that worktrees, submodules
//! and reftables mean what they mean to git.
//!
//! No git, no repository, a branch without commits and a detached head are all answers, not errors.
//!
//! Invariant: what a checkout brings is read by git and never run by it, git gets no credential, and
//! its answer is not waited for without end. Every call goes through [`run`].

mod run;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Output,
};

use self::run::run;
use crate::host::{
    env::{ProcessEnv, names},
    error::CommandError,
    fsio,
};

/// A working copy that git knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repository {
    /// The top folder of this worktree.
    pub(crate) toplevel: PathBuf,
    /// This worktree's own git directory, canonical: what names the worktree.
    pub(crate) git_dir: PathBuf,
    /// The git directory that all worktrees share, canonical.
    pub(crate) common_dir: PathBuf,
    /// The branch, without `refs/heads/`; none when the head is detached.
    pub(crate) branch: Option<String>,
    /// The commit; none on a branch that has none yet.
    pub(crate) sha: Option<String>,
}

impl Repository {
    /// True in a worktree made by `git worktree add`.
    pub(crate) fn is_linked_worktree(&self) -> bool {
        self.git_dir != self.common_dir
    }
}

/// What git says of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GitView {
    /// The repository, when the folder is in one.
    pub(crate) repository: Option<Repository>,
    /// What the user should hear: a repository is there, and git does not tell of it. What is
    /// asked of git has no answer then, which is not the answer that there is nothing.
    pub(crate) warning: Option<String>,
}

/// Asks git about a folder: one process, a second one on a branch without commits.
pub(crate) fn look(folder: &Path, env: &ProcessEnv) -> GitView {
    let arguments = [
        "rev-parse",
        "--show-toplevel",
        "--absolute-git-dir",
        "--git-common-dir",
        "HEAD",
        "--symbolic-full-name",
        "HEAD",
    ];
    let output = match run(folder, env, &arguments, &[]) {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            return unanswered(folder, || error.to_string());
        }
        Err(error) => return unanswered(folder, || format!("git cannot be run: {error}")),
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    let [toplevel, git_dir, common_dir, head @ ..] = lines.as_slice() else {
        return unanswered(folder, || stderr(&output));
    };
    let canonical = |path: &str| folder.join(path).canonicalize().ok();
    let of_git = lines.join(", ");
    let (Some(toplevel), Some(git_dir), Some(common_dir)) =
        (canonical(toplevel), canonical(git_dir), canonical(common_dir))
    else {
        return unanswered(folder, || format!("git names folders that are not there: {of_git}"));
    };
    // A broken repository within another one, a bare one that a clone brought, a `core.worktree` that
    // leads elsewhere: what git tells then is not of this folder.
    let nearest = folder.canonicalize().ok().and_then(|it| top(&it).map(Path::to_owned));
    if nearest.as_ref() != Some(&toplevel) {
        let toplevel = toplevel.display();
        return unanswered(folder, || {
            format!("it takes {toplevel} for the top, which is not the nearest folder with a .git")
        });
    }
    let (sha, branch) = match head {
        [sha, branch] if output.status.success() => (Some((*sha).to_owned()), branch_name(branch)),
        // A branch without commits: the name is asked for alone.
        _ => (None, unborn_branch(folder, env)),
    };
    let repository = Repository { toplevel, git_dir, common_dir, branch, sha };
    GitView { repository: Some(repository), warning: None }
}

/// No answer where a `.git` is, in the folder or above it: git is not there, or refuses, or what
/// lies there is broken. Where there is none, nothing was to be said.
fn unanswered(folder: &Path, why: impl FnOnce() -> String) -> GitView {
    GitView { repository: None, warning: top(folder).is_some().then(why) }
}

/// The top of the repository, worktree or submodule that a folder lies in, whether or not git tells of
/// it: the nearest folder, this one or above it, with a `.git`.
pub(crate) fn top(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|it| it.join(".git").symlink_metadata().is_ok())
}

/// The git directory that a path lies in: a repository's own, whatever it is called, that which
/// worktrees share, a submodule's, a bare one. Told by what is in it, as git tells one.
pub(crate) fn git_directory_around(path: &Path) -> Option<&Path> {
    for folder in path.ancestors() {
        let has = |name: &str| folder.join(name);
        let is_head = has("HEAD").symlink_metadata().is_ok();
        if is_head && has("objects").is_dir() && has("refs").is_dir() {
            return Some(folder);
        }
        if has(".git").symlink_metadata().is_ok() {
            return None;
        }
    }
    None
}

/// The branch that is worked on: the one that is checked out, else the one that the forge names,
/// whose jobs check out a commit. Nothing where git does not tell of a repository.
pub(crate) fn branch(git: &GitView, env: &ProcessEnv) -> Option<String> {
    let repository = git.repository.as_ref()?;
    repository.branch.clone().or_else(|| forge_branch(env))
}

fn forge_branch(env: &ProcessEnv) -> Option<String> {
    let get = |name: &str| env.var(name).filter(|value| !value.trim().is_empty());
    // A tag is no branch. For a pull request GitHub's name of the ref is that of a merge commit.
    let of_github = || {
        get(names::GITHUB_REF_NAME)
            .filter(|name| get(names::GITHUB_REF_TYPE) != Some("tag") && !is_merge_of_pr(name))
    };
    let of_gitlab =
        || get(names::CI_COMMIT_REF_NAME).filter(|_| get(names::CI_COMMIT_TAG).is_none());
    get(names::GITHUB_HEAD_REF).or_else(of_github).or_else(of_gitlab).map(str::to_owned)
}

/// `42/merge`, which GitHub calls a branch as well. One of a person's is `feature/merge`.
fn is_merge_of_pr(name: &str) -> bool {
    let number = name.strip_suffix("/merge").unwrap_or_default();
    !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit())
}

/// The address of `origin` as git reads it, `insteadOf` and all; `None` where there is none.
pub(crate) fn origin(folder: &Path, env: &ProcessEnv) -> Option<String> {
    let output = run(folder, env, &["remote", "get-url", "origin"], &[]).ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let address = text.lines().next().unwrap_or_default().trim();
    (output.status.success() && !address.is_empty()).then(|| address.to_owned())
}

/// Which of these paths, relative to `folder`, git ignores.
pub(crate) fn ignored(
    folder: &Path,
    env: &ProcessEnv,
    paths: &[&str],
) -> Result<BTreeSet<String>, CommandError> {
    if paths.is_empty() {
        return Ok(BTreeSet::new());
    }
    // With a dot before it a path is just that path, and no pattern that begins with a colon.
    let input: Vec<u8> = paths.iter().flat_map(|path| format!("./{path}\0").into_bytes()).collect();
    let output = run(folder, env, &["check-ignore", "--stdin", "-z"], &input)
        .map_err(|error| cannot("ask git what it ignores", folder).because(&error))?;
    // 0: some are, 1: none is.
    match output.status.code() {
        Some(0 | 1) => Ok(split(&output.stdout).iter().map(|path| plain(path)).collect()),
        _ => Err(cannot("ask git what it ignores", folder).because_text(stderr(&output))),
    }
}

/// Which of these paths, relative to `folder`, git tracks.
pub(crate) fn tracked(
    folder: &Path,
    env: &ProcessEnv,
    paths: &[&str],
) -> Result<BTreeSet<String>, CommandError> {
    if paths.is_empty() {
        return Ok(BTreeSet::new());
    }
    // Literal pathspecs: a path with a `*` in it is just that path.
    let mut arguments = vec!["--literal-pathspecs", "ls-files", "-z", "--"];
    arguments.extend(paths);
    let output = run(folder, env, &arguments, &[])
        .map_err(|error| cannot("ask git what it tracks", folder).because(&error))?;
    if !output.status.success() {
        return Err(cannot("ask git what it tracks", folder).because_text(stderr(&output)));
    }
    Ok(split(&output.stdout))
}

/// The user's name, as git puts it into commits.
pub(crate) fn user(folder: &Path, env: &ProcessEnv) -> Option<String> {
    let output = run(folder, env, &["config", "--get", "user.name"], &[]).ok()?;
    let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !name.is_empty()).then_some(name)
}

/// The folders that the user takes although they are another's: `safe.directory`, as far as it stands in
/// the user's own configuration and the system's. What a repository says of itself does not count.
pub(crate) fn safe_folders(folder: &Path, env: &ProcessEnv) -> SafeFolders {
    let arguments = ["config", "-z", "--show-scope", "--type=path", "--get-all", "safe.directory"];
    let Ok(output) = run(folder, env, &arguments, &[]) else { return SafeFolders::default() };
    let mut folders = Vec::new();
    let mut fields = output.stdout.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    while let (Some(scope), Some(value)) = (fields.next(), fields.next()) {
        match (scope.as_ref(), value.as_ref()) {
            ("system" | "global" | "command", "") => folders.clear(),
            ("system" | "global" | "command", folder) => folders.push(folder.to_owned()),
            _ => {}
        }
    }
    SafeFolders(folders)
}

/// What [`safe_folders`] gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SafeFolders(Vec<String>);

impl SafeFolders {
    /// True for a folder that is listed: by its path, by `*`, or below one that ends in `/*`.
    pub(crate) fn list(&self, folder: &Path) -> bool {
        let real = |path: &str| Path::new(path).canonicalize().ok();
        self.0.iter().any(|listed| match listed.strip_suffix('*') {
            Some("") => true,
            Some(above) if above.ends_with('/') => {
                real(above).is_some_and(|above| folder != above && folder.starts_with(above))
            }
            _ => Path::new(listed).is_absolute() && real(listed).as_deref() == Some(folder),
        })
    }
}

fn cannot(what: &str, folder: &Path) -> CommandError {
    CommandError::failed(format!("cannot {what}"))
        .hint(format!("see what git says there: git -C {} status", fsio::for_shell(folder)))
        .code("envc::cli::git_unknown")
}

fn unborn_branch(folder: &Path, env: &ProcessEnv) -> Option<String> {
    let output = run(folder, env, &["symbolic-ref", "-q", "HEAD"], &[]).ok()?;
    branch_name(String::from_utf8_lossy(&output.stdout).trim_end())
}

/// The name without `refs/heads/`; `None` for a detached head, which is called `HEAD`.
fn branch_name(full: &str) -> Option<String> {
    full.strip_prefix("refs/heads/").filter(|name| !name.is_empty()).map(str::to_owned)
}

fn stderr(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    text.trim_end().trim_start_matches("fatal: ").to_owned()
}

/// A path as [`ignored`] and [`tracked`] give it.
pub(crate) fn plain(path: &str) -> String {
    let mut path = path;
    while let Some(rest) = path.strip_prefix("./") {
        path = rest;
    }
    path.to_owned()
}

fn split(bytes: &[u8]) -> BTreeSet<String> {
    let paths = bytes.split(|byte| *byte == 0).filter(|path| !path.is_empty());
    paths.map(|path| String::from_utf8_lossy(path).into_owned()).collect()
}

#[cfg(test)]
mod tests;
