//! What git says of the folder: through the `git` command itself, so that worktrees, submodules
//! and reftables mean what they mean to git.
//!
//! No git, no repository, a branch without commits and a detached head are all answers, not errors.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use crate::host::{
    env::{ProcessEnv, names},
    error::CommandError,
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
        Err(error) => return unanswered(folder, || format!("git cannot be run: {error}")),
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    let [toplevel, git_dir, common_dir, head @ ..] = lines.as_slice() else {
        return unanswered(folder, || stderr(&output));
    };
    let canonical = |path: &str| folder.join(path).canonicalize().ok();
    let (Some(toplevel), Some(git_dir), Some(common_dir)) =
        (canonical(toplevel), canonical(git_dir), canonical(common_dir))
    else {
        let warning = format!("git names folders that are not there: {}", lines.join(", "));
        return unanswered(folder, || warning);
    };
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
    let is_there = folder.ancestors().any(|it| it.join(".git").symlink_metadata().is_ok());
    GitView { repository: None, warning: is_there.then(why) }
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
    let mut input = paths.join("\0").into_bytes();
    input.push(0);
    let output = run(folder, env, &["check-ignore", "--stdin", "-z"], &input)
        .map_err(|error| cannot("ask git what it ignores").because(&error))?;
    // 0: some are, 1: none is.
    match output.status.code() {
        Some(0 | 1) => Ok(split(&output.stdout)),
        _ => Err(cannot("ask git what it ignores").because_text(stderr(&output))),
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
        .map_err(|error| cannot("ask git what it tracks").because(&error))?;
    if !output.status.success() {
        return Err(cannot("ask git what it tracks").because_text(stderr(&output)));
    }
    Ok(split(&output.stdout))
}

/// The user's name, as git puts it into commits.
pub(crate) fn user(folder: &Path, env: &ProcessEnv) -> Option<String> {
    let output = run(folder, env, &["config", "--get", "user.name"], &[]).ok()?;
    let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !name.is_empty()).then_some(name)
}

fn cannot(what: &str) -> CommandError {
    CommandError::failed(format!("cannot {what}"))
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

fn split(bytes: &[u8]) -> BTreeSet<String> {
    let paths = bytes.split(|byte| *byte == 0).filter(|path| !path.is_empty());
    paths.map(|path| String::from_utf8_lossy(path).into_owned()).collect()
}

/// Runs git on a folder. What a hook's environment says of another repository is taken away, so
/// that the folder alone decides; messages come in English.
fn run<A: AsRef<OsStr>>(
    folder: &Path,
    env: &ProcessEnv,
    arguments: &[A],
    input: &[u8],
) -> std::io::Result<Output> {
    let mut command = Command::new("git");
    command.current_dir(folder).args(arguments).env("LC_ALL", "C").env("GIT_OPTIONAL_LOCKS", "0");
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"] {
        command.env_remove(name);
    }
    if let Some(path) = env.path() {
        command.env("PATH", path);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // Git reads all of it before it answers, or none of it and closes the pipe.
        match stdin.write_all(input) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => return Err(error),
            _ => {}
        }
    }
    child.wait_with_output()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder {
        _keep: tempfile::TempDir,
        path: PathBuf,
        env: ProcessEnv,
    }

    impl Folder {
        fn new() -> Self {
            let keep = tempfile::tempdir().unwrap();
            let path = keep.path().canonicalize().unwrap();
            Self { _keep: keep, path, env: ProcessEnv::capture() }
        }

        fn git(&self, arguments: &[&str]) {
            let mut all = vec!["-c", "user.name=a", "-c", "user.email=a@example.com"];
            all.extend(arguments);
            let output = run(&self.path, &self.env, &all, &[]).unwrap();
            assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        }

        fn repository(&self) -> Repository {
            look(&self.path, &self.env).repository.unwrap()
        }
    }

    #[test]
    fn the_forge_names_a_branch_and_no_tag() {
        for (pairs, expect) in [
            (&[("GITHUB_HEAD_REF", "fix"), ("GITHUB_REF_NAME", "42/merge")][..], Some("fix")),
            (&[("GITHUB_HEAD_REF", ""), ("GITHUB_REF_NAME", "main")], Some("main")),
            (&[("GITHUB_REF_NAME", "42/merge")], None),
            (&[("GITHUB_REF_NAME", "42/merge"), ("GITHUB_REF_TYPE", "branch")], None),
            (&[("GITHUB_REF_NAME", "a/merge"), ("GITHUB_REF_TYPE", "branch")], Some("a/merge")),
            (&[("GITHUB_REF_NAME", "7/a/merge")], Some("7/a/merge")),
            (&[("GITHUB_REF_NAME", "/merge")], Some("/merge")),
            (&[("GITHUB_REF_NAME", "v1"), ("GITHUB_REF_TYPE", "tag")], None),
            (&[("GITHUB_REF_NAME", "main"), ("GITHUB_REF_TYPE", "branch")], Some("main")),
            (&[("CI_COMMIT_REF_NAME", "fix")], Some("fix")),
            (&[("CI_COMMIT_REF_NAME", "v1"), ("CI_COMMIT_TAG", "v1")], None),
            (&[], None),
        ] {
            let env = ProcessEnv::from_pairs(pairs.iter().copied());
            assert_eq!(forge_branch(&env).as_deref(), expect, "{pairs:?}");
        }
    }

    #[test]
    fn no_repository_and_no_git_are_answers() {
        let folder = Folder::new();
        assert_eq!(look(&folder.path, &folder.env), GitView::default());
        let without = ProcessEnv::from_pairs([("PATH", "/nonexistent")]);
        assert_eq!(look(&folder.path, &without), GitView::default());
    }

    #[test]
    fn no_answer_where_a_repository_is_there_is_no_answer_that_there_is_none() {
        let folder = Folder::new();
        folder.git(&["init", "-q"]);
        let below = folder.path.join("a/b");
        std::fs::create_dir_all(&below).unwrap();
        let without = ProcessEnv::from_pairs([("PATH", "/nonexistent")]);
        for path in [&folder.path, &below] {
            let seen = look(path, &without);
            assert!(seen.repository.is_none() && seen.warning.is_some(), "{seen:?}");
        }
        // A worktree whose repository is gone.
        std::fs::remove_dir_all(folder.path.join(".git")).unwrap();
        std::fs::write(folder.path.join(".git"), "gitdir: /nonexistent\n").unwrap();
        let seen = look(&below, &folder.env);
        assert!(seen.repository.is_none() && seen.warning.is_some(), "{seen:?}");
    }

    #[test]
    fn the_forge_names_the_branch_where_a_commit_is_checked_out() {
        let at = |branch: Option<&str>| {
            let repository = Repository {
                toplevel: "/r".into(),
                git_dir: "/r/.git".into(),
                common_dir: "/r/.git".into(),
                branch: branch.map(str::to_owned),
                sha: None,
            };
            GitView { repository: Some(repository), warning: None }
        };
        let check = |pairs: &[(&str, &str)], expect: Option<&str>| {
            let env = ProcessEnv::from_pairs(pairs.iter().copied());
            assert_eq!(branch(&at(None), &env).as_deref(), expect, "{pairs:?}");
            assert_eq!(branch(&at(Some("main")), &env).as_deref(), Some("main"));
            assert_eq!(branch(&GitView::default(), &env), None);
        };
        check(&[], None);
        check(&[("GITHUB_HEAD_REF", "fix"), ("GITHUB_REF_NAME", "7/merge")], Some("fix"));
        check(&[("GITHUB_HEAD_REF", ""), ("GITHUB_REF_NAME", "a/b")], Some("a/b"));
        check(&[("GITHUB_REF_NAME", "v1"), ("GITHUB_REF_TYPE", "tag")], None);
        check(&[("CI_COMMIT_REF_NAME", "topic")], Some("topic"));
        check(&[("CI_COMMIT_REF_NAME", "v1"), ("CI_COMMIT_TAG", "v1")], None);
    }

    #[test]
    fn the_origin_is_what_git_makes_of_it() {
        let folder = Folder::new();
        assert_eq!(origin(&folder.path, &folder.env), None);
        folder.git(&["init", "-q"]);
        assert_eq!(origin(&folder.path, &folder.env), None);
        folder.git(&["remote", "add", "upstream", "https://git.example/other/shop"]);
        assert_eq!(origin(&folder.path, &folder.env), None);
        folder.git(&["remote", "add", "origin", "work:shop.git"]);
        folder.git(&["config", "url.https://git.example/acme/.insteadOf", "work:"]);
        let address = origin(&folder.path, &folder.env);
        assert_eq!(address.as_deref(), Some("https://git.example/acme/shop.git"));
    }

    #[test]
    fn an_unborn_branch_a_branch_and_a_detached_head() {
        let folder = Folder::new();
        folder.git(&["init", "-q", "-b", "feature/Ünicode"]);
        let unborn = folder.repository();
        assert_eq!((unborn.branch.as_deref(), &unborn.sha), (Some("feature/Ünicode"), &None));
        assert_eq!(unborn.git_dir, folder.path.join(".git"));
        assert!(!unborn.is_linked_worktree());
        folder.git(&["commit", "-q", "--allow-empty", "-m", "x"]);
        let born = folder.repository();
        assert_eq!(born.branch.as_deref(), Some("feature/Ünicode"));
        assert_eq!(born.sha.as_ref().map(String::len), Some(40));
        folder.git(&["checkout", "-q", "--detach"]);
        let detached = folder.repository();
        assert_eq!((detached.branch, detached.sha), (None, born.sha));
    }

    #[test]
    fn a_linked_worktree_has_its_own_git_directory() {
        let folder = Folder::new();
        folder.git(&["init", "-q", "-b", "main"]);
        folder.git(&["commit", "-q", "--allow-empty", "-m", "x"]);
        folder.git(&["worktree", "add", "-q", "linked"]);
        let linked = look(&folder.path.join("linked"), &folder.env).repository.unwrap();
        assert!(linked.is_linked_worktree());
        assert_eq!(linked.toplevel, folder.path.join("linked"));
        assert_eq!(linked.git_dir, folder.path.join(".git/worktrees/linked"));
        assert_eq!(linked.common_dir, folder.path.join(".git"));
        assert_eq!(linked.branch.as_deref(), Some("linked"));
    }

    #[test]
    fn ignored_and_tracked_paths_are_told_apart() {
        let folder = Folder::new();
        folder.git(&["init", "-q"]);
        std::fs::write(folder.path.join(".gitignore"), ".env\nout/\n").unwrap();
        std::fs::write(folder.path.join("a b*.txt"), "").unwrap();
        folder.git(&["add", "a b*.txt"]);
        let paths = [".env", "out/x", "a b*.txt", "ä.txt"];
        let expect = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(ignored(&folder.path, &folder.env, &paths), Ok(expect(&[".env", "out/x"])));
        assert_eq!(tracked(&folder.path, &folder.env, &paths), Ok(expect(&["a b*.txt"])));
        assert_eq!(ignored(&folder.path, &folder.env, &["ä.txt"]), Ok(expect(&[])));
        assert_eq!(ignored(&folder.path, &folder.env, &[]), Ok(expect(&[])));
    }
}
