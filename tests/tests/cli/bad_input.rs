//! Specs and states that cannot be used: what happened, where, and what to do.

use std::fs;

use envc_tests::TestEnv;

use crate::common::{FIXED, ONE_KV, check, says};

#[test]
fn specs_that_are_not_there_or_not_text() {
    let env = TestEnv::of_text(ONE_KV);
    fs::remove_file(env.root().join("environment.kdl")).unwrap();
    check("spec_missing", &env, &env.envc(&["apply"]));
    says(&env.envc(&["-C", "nowhere", "plan"]).exits(64), &["there is no folder"]);
    fs::create_dir(env.root().join("environment.kdl")).unwrap();
    check("spec_is_a_folder", &env, &env.envc(&["apply"]));
    fs::remove_dir(env.root().join("environment.kdl")).unwrap();
    fs::write(env.root().join("environment.kdl"), b"project \"\xff\"\n").unwrap();
    check("spec_not_text", &env, &env.envc(&["apply"]));
    fs::remove_file(env.root().join("environment.kdl")).unwrap();
    std::os::unix::fs::symlink("nowhere.kdl", env.root().join("environment.kdl")).unwrap();
    says(&env.envc(&["apply"]).exits(1), &["environment.kdl"]);
}

#[test]
fn specs_with_mistakes_show_all_of_them() {
    let env =
        TestEnv::of_text("project \"shop\"\nkvv \"cache\"\nenvironment \"local\" { identity }\n");
    check("spec_wrong", &env, &env.envc(&["apply"]));
    env.write("environment.kdl", "project \"shop\" {\n");
    check("spec_unclosed", &env, &env.envc(&["apply"]));
    env.write("environment.kdl", "");
    says(&env.envc(&["apply"]).exits(65), &["project"]);
}

#[test]
fn line_ends_byte_order_marks_and_size_do_not_matter() {
    let env = TestEnv::of_text(ONE_KV);
    let _applied = env.envc(&["apply"]).exits(0);
    for text in [
        format!("\u{feff}{ONE_KV}"),
        ONE_KV.replace('\n', "\r\n"),
        format!("{ONE_KV}{}", "// a comment of forty characters, more or less\n".repeat(22_000)),
    ] {
        env.write("environment.kdl", &text);
        let _same = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    }
    env.write("environment.kdl", &format!("{ONE_KV}{}", "// filler\n".repeat(500_000)));
    says(&env.envc(&["plan"]).exits(65), &["environment.kdl", "bytes"]);
}

#[test]
fn a_damaged_newer_or_foreign_state_is_never_overwritten() {
    let env = TestEnv::of_text(FIXED);
    let _applied = env.envc(&["apply"]).exits(0);
    let files = crate::common::files_below(&env.state_dir().join("state"));
    let path = files.iter().find(|path| path.extension().is_some_and(|it| it == "json")).unwrap();
    let good = fs::read_to_string(path).unwrap();
    let newer = good.replacen("\"schema\": 2", "\"schema\": 999", 1);
    let newer =
        if newer == good { good.replacen("\"version\":1", "\"version\":999", 1) } else { newer };
    assert_ne!(newer, good, "{good}");
    let foreign = good.replace("production", "staging");
    let unknown = good.replacen("\"schema\"", "\"whim\": true,\n  \"schema\"", 1);
    let kind = good.replace("kv.cache", "teapot.cache");
    for (name, text) in [
        ("state_damaged", "{\"vers"),
        ("state_newer", newer.as_str()),
        ("state_foreign", foreign.as_str()),
        ("state_unknown_field", unknown.as_str()),
        ("state_unknown_kind", kind.as_str()),
    ] {
        fs::write(path, text).unwrap();
        check(name, &env, &env.envc(&["apply"]));
        let _refused = env.envc(&["destroy", "--yes"]).exits(1);
        assert_eq!(fs::read_to_string(path).unwrap(), text, "{name}");
        assert_eq!(env.cloud_listing().names("kv"), ["shop--cache--production"]);
    }
    fs::write(path, good).unwrap();
    says(&env.envc(&["apply"]).exits(0), &["Nothing to do"]);
}

#[test]
fn a_registry_with_a_field_of_a_newer_envc_is_refused_and_stays() {
    let env = TestEnv::of_text(FIXED);
    let _applied = env.envc(&["apply"]).exits(0);
    let path = env.state_dir().join("registry.json");
    let good = fs::read_to_string(&path).unwrap();
    let newer = good.replacen("\"bound\"", "\"whim\": true, \"bound\"", 1);
    assert_ne!(newer, good);
    fs::write(&path, &newer).unwrap();
    for command in [&["apply"][..], &["plan"], &["destroy", "--yes"]] {
        let ran = env.envc(command).exits(1);
        says(&ran, &["the field `whim`", "newer envc", "update envc"]);
        assert!(!format!("{ran}").contains("move it away"), "{ran}");
        assert_eq!(fs::read_to_string(&path).unwrap(), newer);
    }
    fs::write(&path, good).unwrap();
    says(&env.envc(&["apply"]).exits(0), &["Nothing to do"]);
}

#[test]
fn a_lost_state_is_found_again_by_name() {
    let env = TestEnv::new("quickstart");
    let _applied = env.envc(&["apply"]).exits(0);
    let before = env.cloud_listing();
    env.lose_states();
    let ran = env.envc(&["apply"]).exits(0);
    says(&ran, &["5 to adopt"]);
    assert_eq!(env.cloud_listing(), before);
    env.lose_states();
    let _gone = env.envc(&["destroy", "--yes"]).exits(0);
    assert!(env.cloud_listing().is_empty());
}

#[test]
fn a_secret_that_nobody_has_is_missed_before_anything_is_made() {
    let env = TestEnv::new("quickstart");
    env.write(".secrets.env", "");
    check("secret_missing", &env, &env.envc(&["apply"]));
    assert!(env.cloud_listing().is_empty());
    let planned = env.envc(&["plan"]).exits(0);
    says(&planned, &["warning: apply will refuse", "SESSION_KEY"]);
}

#[test]
fn faults_that_do_not_exist_are_a_mistake_of_the_command_line() {
    let env = TestEnv::of_text(ONE_KV);
    check("faults_wrong", &env, &env.envc_with_faults("speed=1", &["apply"]));
    says(&env.envc(&["cloud", "serve", "--faults", "speed=1"]).exits(64), &["speed"]);
}

/// What is recorded is JSON: one such folder must not take the records of all others with it.
#[cfg(unix)]
#[test]
fn a_folder_whose_name_is_no_text_is_refused_before_anything_is_written() {
    use std::os::unix::ffi::OsStrExt as _;
    let env = TestEnv::of_text(ONE_KV);
    let _applied = env.envc(&["apply"]).exits(0);
    let registry = env.path().join("state/registry.json");
    let before = fs::read(&registry).unwrap();
    let folder = env.path().join(std::ffi::OsStr::from_bytes(b"bad\xff"));
    fs::create_dir(&folder).unwrap();
    fs::copy(env.root().join("environment.kdl"), folder.join("environment.kdl")).unwrap();
    for command in ["plan", "apply", "destroy"] {
        let ran = envc_tests::Running::start(env.command_in(&folder, &[command])).end();
        says(&ran.exits(1), &["is not UTF-8 text; nothing was changed", "rename the folder"]);
    }
    assert_eq!(fs::read(&registry).unwrap(), before);
    assert!(!folder.join(".envc").exists());
    says(&env.envc(&["apply"]).exits(0), &["Nothing to do"]);
}

#[cfg(unix)]
#[test]
fn a_pipe_in_place_of_a_file_of_the_checkout_is_never_waited_for() {
    let env = TestEnv::new("quickstart");
    let pipe = |path: &str| {
        let _old = fs::remove_file(env.root().join(path));
        let made = std::process::Command::new("mkfifo").arg(env.root().join(path)).status();
        assert!(made.unwrap().success());
    };
    pipe(".env");
    says(&env.envc(&["apply"]).exits(1), &[".env", "a file is needed there"]);
    fs::remove_file(env.root().join(".env")).unwrap();
    let _applied = env.envc(&["apply"]).exits(0);
    // The cache is only a cache.
    pipe(".envc/working-copy.json");
    let _planned = env.envc(&["plan"]).exits(0);
}
