//! Where programs are: on the user's `PATH`, and not in what a checkout brings.
//!
//! Invariant: what lies in a working tree around the folder that is worked on is nobody's program but
//! the checkout's, though the `PATH` leads there, as `npm run` makes it. A relative folder on the `PATH`
//! is one of whatever checkout the user stands in, and is passed over.

use std::{
    env::{join_paths, split_paths},
    ffi::OsString,
    path::{Path, PathBuf},
};

use crate::host::{env::ProcessEnv, fsio};

/// Bytes of a file in which git keeps where something is.
const WAY_BYTES_MAX: usize = 16 * 1024;

/// The folders of the `PATH`, seen from a folder that is worked on.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    /// Whole paths, in their order.
    folders: Vec<PathBuf>,
    /// The working trees around the folder: real paths.
    trees: Vec<PathBuf>,
}

impl Programs {
    /// Those of a process that works on this folder.
    pub(crate) fn around(folder: &Path, env: &ProcessEnv) -> Self {
        let real = fsio::canonical(folder).unwrap_or_else(|_| folder.to_owned());
        let home = env.home().and_then(|home| fsio::canonical(&home).ok());
        // A home that is a repository, or is in one, holds its user's own programs.
        let is_users = |it: &Path| home.as_ref().is_some_and(|home| home.starts_with(it));
        let is_tree = |it: &&Path| !is_users(it) && fsio::is_there(&it.join(".git"));
        let around = real.ancestors().filter(is_tree);
        let mut trees: Vec<PathBuf> = around
            .flat_map(|tree| std::iter::once(tree.to_owned()).chain(siblings(tree)))
            .collect();
        trees.retain(|tree| !is_users(tree));
        if trees.is_empty() && !is_users(&real) {
            trees.push(real);
        }
        let all = env.path().into_iter().flat_map(|path| split_paths(path));
        Self { folders: all.filter(|it| it.is_absolute()).collect(), trees }
    }

    /// The user's program of this name.
    pub(crate) fn users(&self, name: &str) -> Option<PathBuf> {
        self.all(name).find(|file| !self.is_brought(file))
    }

    /// The checkout's program of this name, where the `PATH` leads to it before any of the user's.
    pub(crate) fn brought(&self, name: &str) -> Option<PathBuf> {
        self.any(name).filter(|file| self.is_brought(file))
    }

    /// The program of this name, whoever's it is: for what its user approved.
    pub(crate) fn any(&self, name: &str) -> Option<PathBuf> {
        self.all(name).next()
    }

    /// The `PATH` without the folders of the checkout.
    pub(crate) fn path(&self) -> OsString {
        let users = self.folders.iter().filter(|folder| !self.is_brought(folder));
        join_paths(users).unwrap_or_default()
    }

    fn all(&self, name: &str) -> impl Iterator<Item = PathBuf> {
        // A name with a slash would be looked for in the current folder, which is nobody's PATH.
        let is_name = !name.is_empty() && !name.contains(['/', '\\']);
        let endings: &[&str] = if cfg!(windows) { &[".exe", ".cmd", ".bat"] } else { &[""] };
        let folders = self.folders.iter().filter(move |_| is_name);
        folders
            .flat_map(move |folder| {
                endings.iter().map(move |ending| folder.join(format!("{name}{ending}")))
            })
            .filter(|path| fsio::is_executable(path))
    }

    /// True for what lies in a working tree, by its path or where it leads.
    fn is_brought(&self, path: &Path) -> bool {
        let real = fsio::canonical(path).ok();
        let folder = path.parent().and_then(|folder| fsio::canonical(folder).ok());
        let all = [Some(path.to_owned()), real, folder];
        all.iter().flatten().any(|it| self.trees.iter().any(|tree| it.starts_with(tree)))
    }
}

/// The working trees that share a repository with this one: the main one, and those that
/// `git worktree add` made. What these files say only takes folders away from where programs are taken
/// from, so that it may be believed.
fn siblings(tree: &Path) -> Vec<PathBuf> {
    let line = |file: &Path| {
        let text = fsio::read_text(file, WAY_BYTES_MAX).ok().flatten()?;
        Some(text.trim_end_matches(['\n', '\r']).to_owned())
    };
    let own = tree.join(".git");
    let git_dir = match line(&own) {
        Some(text) => tree.join(text.strip_prefix("gitdir: ").unwrap_or(&text)),
        None => own,
    };
    let common = line(&git_dir.join("commondir"));
    let common = common.map_or_else(|| git_dir.clone(), |common| git_dir.join(common));
    let Ok(common) = fsio::canonical(&common) else { return Vec::new() };
    let worktrees = common.join("worktrees");
    let names = fsio::names_in(&worktrees).unwrap_or_default();
    let linked = names.iter().filter_map(|name| {
        let of = worktrees.join(name);
        Some(of.join(line(&of.join("gitdir"))?))
    });
    // Each is named by its `.git`.
    let all = std::iter::once(common.clone()).chain(linked).filter(|it| it.ends_with(".git"));
    all.filter_map(|it| fsio::canonical(it.parent()?).ok())
        .filter(|tree| fsio::is_there(&tree.join(".git")))
        .collect()
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    struct Machine {
        _keep: tempfile::TempDir,
        path: PathBuf,
    }

    impl Machine {
        fn new() -> Self {
            let keep = tempfile::tempdir().unwrap();
            let path = keep.path().canonicalize().unwrap();
            Self { _keep: keep, path }
        }

        fn program(&self, at: &str) -> PathBuf {
            let file = self.path.join(at);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fsio::write_atomic(&file, b"#!/bin/sh\n", 0o755).unwrap();
            file
        }

        fn around(&self, folder: &str, path: &[&str]) -> Programs {
            let whole = |it: &&str| {
                if it.is_empty() || it.starts_with('.') {
                    PathBuf::from(it)
                } else {
                    self.path.join(it)
                }
            };
            let path = join_paths(path.iter().map(whole)).unwrap();
            let home = self.path.join("home");
            let pairs = [("PATH", path.to_str().unwrap()), ("HOME", home.to_str().unwrap())];
            Programs::around(&self.path.join(folder), &ProcessEnv::from_pairs(pairs))
        }
    }

    #[test]
    fn a_program_of_the_checkout_is_passed_over_however_the_path_leads_to_it() {
        let machine = Machine::new();
        let users = machine.program("bin/git");
        for at in ["home/repo/.git/HEAD", "home/repo/module/.git/HEAD", "home/repo/apps/x"] {
            machine.program(at);
        }
        for at in ["home/repo/node_modules/.bin/git", "home/repo/module/bin/git"] {
            machine.program(at);
        }
        symlink(machine.path.join("home/repo/module/bin"), machine.path.join("link")).unwrap();
        fs::create_dir(machine.path.join("links")).unwrap();
        let linked = machine.path.join("links/git");
        symlink(machine.path.join("home/repo/module/bin/git"), linked).unwrap();
        for first in ["home/repo/node_modules/.bin", "home/repo/module/bin", "link", "links"] {
            for folder in ["home/repo/module", "home/repo/apps"] {
                let programs = machine.around(folder, &[first, "bin"]);
                assert_eq!(programs.users("git"), Some(users.clone()), "{first} {folder}");
                let brought = machine.path.join(first).join("git");
                assert_eq!(programs.brought("git"), Some(brought.clone()), "{first} {folder}");
                assert_eq!(programs.any("git"), Some(brought));
                let way = programs.path();
                assert!(!way.to_str().unwrap().contains("repo"), "{way:?}");
            }
            assert_eq!(machine.around("home/repo", &[first]).users("git"), None);
            // Behind the user's own it changes nothing, and nothing is said of it.
            assert_eq!(machine.around("home/repo", &["bin", first]).brought("git"), None);
        }
        // From elsewhere it is a folder like any other.
        let elsewhere = machine.around("bin", &["link", ""]);
        assert_eq!(elsewhere.users("git"), Some(machine.path.join("link/git")));
    }

    #[test]
    fn all_working_trees_of_a_clone_are_one_checkout() {
        let machine = Machine::new();
        let users = machine.program("bin/git");
        machine.program("main/bin/git");
        machine.program("side/bin/git");
        machine.program("other/bin/git");
        let worktree = machine.path.join("main/.git/worktrees/side");
        fs::create_dir_all(&worktree).unwrap();
        let side = machine.path.join("side/.git");
        fs::write(&side, format!("gitdir: {}\n", worktree.display())).unwrap();
        fs::write(worktree.join("commondir"), "../..\n").unwrap();
        fs::write(worktree.join("gitdir"), format!("{}\n", side.display())).unwrap();
        for (folder, first) in [("main", "side/bin"), ("side", "main/bin"), ("side", "side/bin")] {
            let programs = machine.around(folder, &[first, "bin"]);
            assert_eq!(programs.users("git"), Some(users.clone()), "{folder} {first}");
        }
        let other = machine.around("side", &["other/bin", "bin"]).users("git");
        assert_eq!(other, Some(machine.path.join("other/bin/git")));
        // What leads nowhere, or says that a folder without a repository is one, takes nothing away.
        fs::write(
            worktree.join("gitdir"),
            format!("{}\n", machine.path.join("bin/.git").display()),
        )
        .unwrap();
        assert_eq!(machine.around("main", &["bin"]).users("git"), Some(users));
    }

    #[test]
    fn a_home_that_is_a_repository_holds_its_users_programs() {
        let machine = Machine::new();
        let own = machine.program("home/.local/bin/git");
        machine.program("home/.git/HEAD");
        machine.program("home/shop/.git/HEAD");
        for folder in ["home/shop", "home"] {
            let programs = machine.around(folder, &["home/.local/bin"]);
            assert_eq!(programs.users("git"), Some(own.clone()), "{folder}");
        }
    }

    #[test]
    fn only_whole_folders_and_plain_names_are_looked_up() {
        let machine = Machine::new();
        machine.program("bin/git");
        machine.program("bin/sub/tool");
        let programs = machine.around("home", &[".", "", "./bin", "bin"]);
        assert_eq!(programs.users("git"), Some(machine.path.join("bin/git")));
        for name in ["", "sub/tool", "none"] {
            assert_eq!(programs.any(name), None, "{name}");
        }
    }
}
