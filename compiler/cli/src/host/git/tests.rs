use super::{run::is_for_git, *};

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

/// A folder that git takes for a bare repository, which a clone can bring, and whose configuration
/// names a program.
#[cfg(unix)]
fn bring_bare(folder: &Path, program: &str) {
    for name in ["objects", "refs"] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    std::fs::write(folder.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    let config = format!(
        "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = ../\n\
         \tfsmonitor = \"{program}\"\n\thooksPath = hooks\n"
    );
    std::fs::write(folder.join("config"), config).unwrap();
}

#[cfg(unix)]
#[test]
fn git_runs_nothing_of_what_a_checkout_brings() {
    let folder = Folder::new();
    folder.git(&["init", "-q"]);
    let mark = folder.path.join("ran");
    let program = folder.path.join("program");
    std::fs::write(&program, format!("#!/bin/sh\ntouch '{}'\n", mark.display())).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, mode).unwrap();
    let program = program.to_str().unwrap();
    std::fs::write(folder.path.join("file"), "").unwrap();
    folder.git(&["add", "file"]);
    folder.git(&["commit", "-q", "-m", "x"]);
    let ask = |at: &Path| {
        let _view = look(at, &folder.env);
        let _all = (origin(at, &folder.env), user(at, &folder.env));
        let _all = (ignored(at, &folder.env, &["file"]), tracked(at, &folder.env, &["file"]));
        assert!(!mark.exists(), "something ran in {}", at.display());
    };
    for (name, value) in [
        ("core.fsmonitor", program),
        ("core.hooksPath", "."),
        ("core.pager", program),
        ("pager.ls-files", program),
        ("core.sshCommand", program),
        ("core.askPass", program),
        ("core.editor", program),
        ("diff.external", program),
        ("filter.x.clean", program),
        ("credential.helper", program),
        ("alias.rev-parse", "!program"),
        ("alias.ls-files", "!program"),
    ] {
        folder.git(&["config", name, value]);
        std::fs::write(folder.path.join(".gitattributes"), "* filter=x diff=x\n").unwrap();
        ask(&folder.path);
    }
    // In a worktree, and in a folder that only looks like a repository.
    let worktree = folder.path.join("wt");
    folder.git(&["worktree", "add", "-q", worktree.to_str().unwrap()]);
    ask(&worktree);
    let bare = folder.path.join("sub");
    bring_bare(&bare, program);
    ask(&bare);
    let seen = look(&bare, &folder.env);
    assert!(seen.repository.is_none() && seen.warning.is_some(), "{seen:?}");
}

#[cfg(unix)]
#[test]
fn git_gets_no_credential_no_secret_and_nothing_of_another_repository() {
    let (folder, users) = (Folder::new(), Folder::new());
    let bin = users.path.join("bin");
    std::fs::create_dir(&bin).unwrap();
    let git = bin.join("git");
    let told = folder.path.join("told");
    std::fs::write(&git, format!("#!/bin/sh\n/usr/bin/env >'{}'\nexit 1\n", told.display()))
        .unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&git, mode).unwrap();
    // Only what this process has can be passed on, so that the test brings it itself.
    let kept = ["HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_COUNT", "SUDO_UID", "PATH"];
    let dropped = [
        "CLOUDFLARE_API_TOKEN",
        "DATABASE_URL",
        "SHOP_SECRET",
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_SSH_COMMAND",
        "GIT_EXTERNAL_DIFF",
        "GIT_CONFIG",
    ];
    for name in kept {
        assert!(is_for_git(name), "{name}");
    }
    for name in dropped {
        assert!(!is_for_git(name), "{name}");
    }
    let env = ProcessEnv::from_pairs([
        ("PATH", format!("bin:{}:{}", folder.path.join("bin").display(), bin.display())),
        ("CARGO_MANIFEST_DIR", String::new()),
    ]);
    let _view = look(&folder.path, &env);
    let told = std::fs::read_to_string(told).unwrap();
    assert!(!told.contains("CARGO_MANIFEST_DIR="), "{told}");
    // A relative folder of programs would be one of the checkout, and so is one in it.
    assert!(told.contains(&format!("PATH={}\n", bin.display())), "{told}");
}

#[test]
fn what_git_tells_of_another_folder_is_no_answer() {
    let folder = Folder::new();
    folder.git(&["init", "-q"]);
    // A repository within this one, which is broken: git goes on to the one around it.
    let nested = folder.path.join("nested");
    std::fs::create_dir_all(nested.join(".git")).unwrap();
    std::fs::create_dir_all(nested.join("deep")).unwrap();
    // The working tree is said to be elsewhere.
    let away = Folder::new();
    away.git(&["init", "-q"]);
    away.git(&["config", "core.worktree", folder.path.to_str().unwrap()]);
    for path in [&nested, &nested.join("deep"), &away.path] {
        let seen = look(path, &folder.env);
        assert!(seen.repository.is_none() && seen.warning.is_some(), "{path:?} {seen:?}");
    }
    // A submodule says where its working tree is, too, and that is where it is.
    let outer = Folder::new();
    outer.git(&["init", "-q"]);
    outer.git(&["init", "-q", "sub"]);
    let _moved = std::fs::create_dir_all(outer.path.join(".git/modules"));
    std::fs::rename(outer.path.join("sub/.git"), outer.path.join(".git/modules/sub")).unwrap();
    std::fs::write(outer.path.join("sub/.git"), "gitdir: ../.git/modules/sub\n").unwrap();
    let config = outer.path.join(".git/modules/sub/config");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}[core]\n\tworktree = ../../../sub\n")).unwrap();
    let seen = look(&outer.path.join("sub"), &outer.env).repository.unwrap();
    assert_eq!(seen.toplevel, outer.path.join("sub"));
}

#[test]
fn a_path_is_never_read_as_a_pattern() {
    let folder = Folder::new();
    folder.git(&["init", "-q"]);
    std::fs::write(folder.path.join(".gitignore"), "/kept\n").unwrap();
    let all = [":/kept", ":(top)kept", "./kept", "kept", "*"];
    let found = ignored(&folder.path, &folder.env, &all).unwrap();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["kept"]);
}

#[test]
fn only_the_users_own_configuration_says_which_folders_are_safe() {
    let folder = Folder::new();
    folder.git(&["init", "-q"]);
    let below = folder.path.join("a/b");
    std::fs::create_dir_all(&below).unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    // A repository that calls itself safe.
    folder.git(&["config", "safe.directory", "*"]);
    let own = SafeFolders(vec![text(&folder.path)]);
    let listed = safe_folders(&folder.path, &folder.env);
    assert_eq!(listed, safe_folders(Path::new("/"), &folder.env));
    assert!(own.list(&folder.path) && !own.list(&below));
    let prefix = SafeFolders(vec![format!("{}/*", folder.path.display())]);
    assert!(prefix.list(&below) && !prefix.list(&folder.path));
    assert!(SafeFolders(vec!["*".to_owned()]).list(&below));
    assert!(!SafeFolders(vec![".".to_owned(), "a".to_owned()]).list(&below));
    assert!(!SafeFolders::default().list(&below));
}

#[test]
fn a_git_directory_is_known_by_what_is_in_it() {
    let folder = Folder::new();
    folder.git(&["init", "-q", "--bare", "shop.git"]);
    folder.git(&["init", "-q", "--separate-git-dir", "store", "apart"]);
    let around = |path: &str| {
        let path = folder.path.join(path);
        git_directory_around(&path).map(|it| it.strip_prefix(&folder.path).unwrap().to_owned())
    };
    assert_eq!(around("shop.git/hooks/x").as_deref(), Some(Path::new("shop.git")));
    assert_eq!(around("store/hooks/deep/x").as_deref(), Some(Path::new("store")));
    assert_eq!((around("apart/x"), around("x")), (None, None));
    // A worktree may lie within the git directory that it shares.
    let worktree = folder.path.join("shop.git/main");
    std::fs::create_dir(&worktree).unwrap();
    std::fs::write(worktree.join(".git"), "gitdir: ../worktrees/main\n").unwrap();
    assert_eq!(around("shop.git/main/out/x"), None);
    assert!(around("shop.git/worktrees/main/x").is_some());
}

#[cfg(unix)]
#[test]
fn a_git_that_does_not_answer_is_ended_and_not_asked_again() {
    let folder = Folder::new();
    folder.git(&["init", "-q"]);
    folder.git(&["commit", "-q", "--allow-empty", "-m", "x"]);
    let below = folder.path.join("a");
    std::fs::create_dir(&below).unwrap();
    let path = std::env::var("PATH").unwrap();
    let env = ProcessEnv::from_pairs([("PATH", path.as_str()), ("ENVC_TEST_GIT_BOUND", "1")]);
    assert!(look(&below, &env).repository.is_some());
    let head = folder.path.join(".git/HEAD");
    std::fs::remove_file(&head).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&head).status().unwrap().success());
    let begun = std::time::Instant::now();
    let seen = look(&folder.path, &env);
    let warning = seen.warning.unwrap();
    assert!(warning.contains("no answer within 1 s") && warning.contains("-type p"), "{warning}");
    for _ in 0..20 {
        assert!(ignored(&below, &env, &["x"]).is_err() && tracked(&below, &env, &["x"]).is_err());
        assert!(look(&below, &env).warning.is_some());
        assert_eq!((origin(&below, &env), user(&below, &env)), (None, None));
    }
    assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[cfg(unix)]
#[test]
fn much_is_said_and_read_beside_each_other() {
    let folder = Folder::new();
    folder.git(&["init", "-q"]);
    std::fs::write(folder.path.join(".gitignore"), "*.x\n").unwrap();
    let all: Vec<String> =
        (0..20_000).map(|at| format!("a-file-with-a-long-name-{at}.x")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    assert_eq!(ignored(&folder.path, &folder.env, &all).unwrap().len(), all.len());
}
