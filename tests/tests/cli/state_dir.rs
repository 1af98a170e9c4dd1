//! The user's state directory: it is the user's own, and nothing else is written by way of it.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::Path,
    process::Command,
};

use envc_tests::{Ran, Running, TestEnv};

use crate::common::{ONE_KV, says};

fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A command under another umask.
fn under(umask: &str, env: &TestEnv, args: &[&str]) -> Ran {
    let whole = env.command(args);
    let mut command = Command::new("/bin/sh");
    let text = format!("umask {umask}; exec \"$0\" \"$@\"");
    command.args(["-c", &text]).arg(whole.get_program()).args(whole.get_args());
    command.env_clear().current_dir(env.root());
    for (name, value) in whole.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    Running::start(command).end()
}

#[test]
fn it_is_made_for_its_owner_alone_whatever_the_umask_is() {
    for umask in ["000", "002", "077"] {
        let env = TestEnv::of_text(ONE_KV);
        let _applied = under(umask, &env, &["apply"]).exits(0);
        assert_eq!(mode_of(&env.state_dir()), 0o700, "{umask}");
        for file in crate::common::files_below(&env.state_dir().join("state")) {
            assert_eq!(mode_of(&file) & 0o077, 0, "{umask} {}", file.display());
        }
        let _again = under(umask, &env, &["apply"]).exits(0);
    }
}

#[test]
fn one_that_others_may_change_is_refused_with_the_line_that_mends_it() {
    let mut env = TestEnv::of_text(ONE_KV);
    let state = env.state_dir();
    fs::create_dir(&state).unwrap();
    // Straight, and by a link of the user's own.
    symlink(&state, env.path().join("by-link")).unwrap();
    let by_link = env.path().join("by-link");
    for named in [&state, &by_link] {
        env.set("ENVC_STATE_DIR", named.to_str().unwrap());
        for mode in [0o777, 0o775, 0o720, 0o1777] {
            set_mode(&state, mode);
            for args in [&["plan"][..], &["apply"], &["show"], &["destroy", "--yes"]] {
                let ran = env.envc(args).exits(1);
                says(
                    &ran,
                    &["can be written by others", &format!("chmod go-w {}", state.display())],
                );
            }
            assert_eq!(fs::read_dir(&state).unwrap().count(), 0);
        }
        set_mode(&state, 0o755);
        let _applied = env.envc(&["apply"]).exits(0);
        let _gone = env.envc(&["destroy", "--yes"]).exits(0);
        fs::remove_dir_all(&state).unwrap();
        fs::create_dir(&state).unwrap();
    }
    // Only root can make one of somebody else.
    if fs::metadata(&state).unwrap().uid() == 0 {
        std::os::unix::fs::lchown(&state, Some(4711), None).unwrap();
        env.set("SUDO_UID", "4711");
        says(&env.envc(&["plan"]).exits(1), &["belongs to another user", "ENVC_STATE_DIR"]);
    }
}

#[test]
fn what_is_linked_into_it_is_neither_followed_nor_cut() {
    let env = TestEnv::of_text(ONE_KV);
    let _applied = env.envc(&["apply"]).exits(0);
    let key = env.path().join("home/authorized_keys");
    let text = "ssh-ed25519 AAAA";
    fs::write(&key, text).unwrap();
    let states = crate::common::files_below(&env.state_dir().join("state"));
    let lock_or_state = states
        .iter()
        .filter(|path| path.extension().is_some_and(|it| it == "lock" || it == "json"));
    let top = ["registry.lock", "registry.json", "key"].map(|name| env.state_dir().join(name));
    for path in lock_or_state.chain(&top) {
        for hard in [false, true] {
            let kept = env.path().join("kept");
            fs::rename(path, &kept).unwrap();
            if hard {
                if path.extension().is_none_or(|it| it != "lock") {
                    fs::rename(&kept, path).unwrap();
                    continue; // it is replaced, and never written into
                }
                fs::hard_link(&key, path).unwrap();
            } else {
                symlink(&key, path).unwrap();
            }
            let ran = env.envc(&["apply"]).exits(1);
            says(&ran, &[&format!("rm {}", path.display())]);
            assert_eq!(fs::read_to_string(&key).unwrap(), text, "{}", path.display());
            fs::remove_file(path).unwrap();
            fs::rename(&kept, path).unwrap();
        }
    }
    let _whole = env.envc(&["apply"]).exits(0);
}
