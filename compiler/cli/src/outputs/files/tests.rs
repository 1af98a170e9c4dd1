use std::{collections::BTreeSet, fs, path::PathBuf};

use super::*;
use crate::host::{env::ProcessEnv, git::GitView};

struct Project {
    _keep: tempfile::TempDir,
    root: PathBuf,
    digest: KeyedDigest,
}

impl Project {
    fn new() -> Self {
        let keep = tempfile::tempdir().unwrap();
        let root = keep.path().canonicalize().unwrap();
        Self { _keep: keep, root, digest: KeyedDigest::new("k") }
    }

    fn files(&self) -> Files<'_> {
        Files { root: &self.root, digest: &self.digest }
    }
}

fn file(path: &str, content: &str, private: bool) -> RenderedFile {
    RenderedFile {
        path: path.into(),
        bytes: content.into(),
        mode: 0o644,
        private,
        specific: true,
        expanded: Vec::new(),
        fingerprint: Digest::of("inputs"),
    }
}

#[test]
fn a_file_is_created_kept_and_updated_while_nobody_edits_it() {
    let project = Project::new();
    let files = project.files();
    let first = file("apps/web/.env", "A=1\n", true);
    assert_eq!(files.decide(&first, None).unwrap(), Decision::Create);
    let record = files.write(&first, "main-1").unwrap();
    let path = project.root.join("apps/web/.env");
    assert_eq!(fsio::mode(&path), Some(0o600));
    assert_eq!(record.mode, 0o600);
    assert_eq!(files.decide(&first, Some(&record)).unwrap(), Decision::Unchanged);
    // Without a record the same content still needs nothing.
    assert_eq!(files.decide(&first, None).unwrap(), Decision::Unchanged);
    let second = file("apps/web/.env", "A=2\n", true);
    assert_eq!(files.decide(&second, Some(&record)).unwrap(), Decision::Update);
}

#[test]
fn an_edited_file_is_a_conflict_with_a_diff_unless_it_is_private() {
    let project = Project::new();
    let files = project.files();
    for private in [false, true] {
        let first = file("x.jsonc", "one\ntwo\n", private);
        let record = files.write(&first, "e").unwrap();
        fs::write(project.root.join("x.jsonc"), "one\nmine\n").unwrap();
        let wanted = file("x.jsonc", "one\nthree\n", private);
        let Decision::Edited { of, diff } = files.decide(&wanted, Some(&record)).unwrap() else {
            panic!("it was edited");
        };
        assert_eq!(of, Author::Editor);
        assert_eq!(diff.is_some(), !private);
        let error = edited(&[(&wanted, of, diff)], &str::to_owned).to_text();
        assert_eq!(error.contains("-mine"), !private, "{error}");
        assert!(error.contains("--force"), "{error}");
        fs::remove_file(project.root.join("x.jsonc")).unwrap();
    }
    fs::write(project.root.join("y"), "theirs").unwrap();
    let decision = files.decide(&file("y", "ours", false), None).unwrap();
    assert!(matches!(decision, Decision::Edited { of: Author::Somebody, .. }));
}

#[test]
fn what_a_kill_left_half_written_is_known_by_the_record_alone() {
    let project = Project::new();
    let files = project.files();
    let (old, new) = (file("apps/.env", "A=1\n", true), file("apps/.env", "A=2\n", true));
    let written = files.write(&old, "e").unwrap();
    let folder = project.root.join("apps");
    let names = || fsio::names_in(&folder).unwrap();
    // A person's files, one of a former version, another environment's at this moment.
    let others = [".envc-config", ".envc-tmp-0123456789ab", ".envc-aB3xYz"];
    let other_env = files.temporary("apps/.env", "f", &written.digest);
    for name in others.into_iter().chain([other_env.as_str()]) {
        fs::write(folder.join(name), "").unwrap();
    }
    let before = names();
    let announced = files.announce(&new, "e", Some(written.clone()));
    for (record, content) in [(&written, "A=1\n"), (&announced, "A=1\n"), (&announced, "A=2\n")] {
        let left = files.temporary("apps/.env", "e", &project.digest.of(content));
        fs::write(folder.join(&left), content).unwrap();
        files.sweep("apps/.env", record).unwrap();
        assert_eq!(names(), before, "{content:?}");
    }
    // Another file, or another user, has another name for the same content.
    let mut all = BTreeSet::new();
    for (path, key) in [(".env", "k"), (".env.local", "k"), (".env", "l")] {
        let files = Files { root: &project.root, digest: &KeyedDigest::new(key) };
        all.insert(files.temporary(path, "e", &written.digest));
    }
    assert_eq!(all.len(), 3);
}

#[test]
fn wrong_permissions_are_put_right() {
    let project = Project::new();
    let files = project.files();
    let mut script = file("start.sh", "#!/bin/sh\n", false);
    let record = files.write(&script, "e").unwrap();
    script.mode = 0o755;
    assert_eq!(files.decide(&script, Some(&record)).unwrap(), Decision::Update);
    files.write(&script, "e").unwrap();
    assert!(fsio::is_executable(&project.root.join("start.sh")));
}

#[test]
fn permissions_count_where_the_system_has_them() {
    assert!(is_mode(Some(0o600), 0o600) && !is_mode(Some(0o644), 0o600));
    // Elsewhere a private file would be written again by every apply.
    assert!(is_mode(None, 0o600) && is_mode(None, 0o755));
}

#[test]
fn what_would_be_too_large_to_be_read_again_is_not_written() {
    let project = Project::new();
    let files = project.files();
    let most = file("most", &"a".repeat(FILE_BYTES_MAX), false);
    let record = files.write(&most, "e").unwrap();
    assert_eq!(files.decide(&most, Some(&record)).unwrap(), Decision::Unchanged);
    let more = file("more", &"a".repeat(FILE_BYTES_MAX + 1), false);
    let error = files.decide(&more, None).unwrap_err().to_text();
    assert!(error.contains("more would be too large"), "{error}");
}

#[test]
fn removal_spares_what_a_person_edited() {
    let project = Project::new();
    let files = project.files();
    let record = files.write(&file(".env", "A=1\n", true), "e").unwrap();
    fs::write(project.root.join(".env"), "A=1\nMINE=1\n").unwrap();
    assert_eq!(files.remove(".env", &record).unwrap(), Removal::Kept);
    fs::write(project.root.join(".env"), "A=1\n").unwrap();
    assert_eq!(files.remove(".env", &record).unwrap(), Removal::Removed);
    assert_eq!(files.remove(".env", &record).unwrap(), Removal::Absent);
}

#[test]
fn nothing_is_written_outside_of_the_project() {
    let project = Project::new();
    for path in ["../x", "/tmp/x", "a/../../x"] {
        let error = project.files().write(&file(path, "", false), "e").unwrap_err();
        assert_eq!(error.code, Some("envc::cli::path_outside"), "{path}");
    }
}

#[test]
fn files_of_one_environment_stay_out_of_git() {
    let project = Project::new();
    let env = ProcessEnv::capture();
    let git = |arguments: &[&str]| {
        let status = std::process::Command::new("git")
            .current_dir(&project.root)
            .args(arguments)
            .status()
            .unwrap();
        assert!(status.success());
    };
    git(&["init", "-q"]);
    fs::write(project.root.join(".gitignore"), ".env\n").unwrap();
    fs::write(project.root.join("tracked.json"), "{}").unwrap();
    git(&["add", "tracked.json"]);
    let view = git::look(&project.root, &env);
    let mut same_everywhere = file("start.sh", "", false);
    same_everywhere.specific = false;
    let files = [
        file("./.env", "", true),
        file("tracked.json", "", false),
        file("open.json", "", false),
        same_everywhere,
    ];
    let conflicts = git_conflicts(&project.root, &view, &env, &files).unwrap();
    assert_eq!(
        conflicts,
        [GitConflict::Tracked("tracked.json".into()), GitConflict::NotIgnored("open.json".into())]
    );
    let error = not_for_git(&conflicts).to_text();
    assert!(error.contains("git rm --cached tracked.json"), "{error}");
    assert_eq!(git_conflicts(&project.root, &GitView::default(), &env, &files), Ok(Vec::new()));
}
