//! `envc fmt`: what is written, what is shown, and what is left alone.

use std::{
    fs::{self, File},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    process::Output,
};

use envc_tests::TestEnv;

use crate::common::{ONE_KV, check, mode, says};

/// A spec that says what [`ONE_KV`] says, and more comments.
const UNTIDY: &str = "\u{feff}project   \"shop\"\r\n\r\n\r\n\
    environment \"local\" default{identity branch max-length=20 unique;}  // of each folder\r\n\
    /- kv \"old\"\r\n\
    \tkv \"cache\" /* of pages */;r2 \"images\"";

const TIDY: &str = "project \"shop\"\n\n\
    environment \"local\" default { identity branch max-length=20 unique } // of each folder\n\
    /-kv \"old\"\n\
    kv \"cache\" /* of pages */ ; r2 \"images\"\n";

const BROKEN: &str = "project \"shop\" {\n   zone true\n";

/// Runs `envc` with a text on standard input.
fn with_input(env: &TestEnv, text: &str, args: &[&str]) -> Output {
    let path = env.path().join("input");
    fs::write(&path, text).unwrap();
    env.command(args).stdin(File::open(path).unwrap()).output().unwrap()
}

#[test]
fn the_spec_is_formatted_in_place_from_wherever_it_is_found() {
    let env = TestEnv::of_text(UNTIDY);
    let spec = env.root().join("environment.kdl");
    let status = || fs::metadata(&spec).unwrap();
    fs::create_dir_all(env.root().join("apps/web")).unwrap();
    for (folder, args) in [
        (env.root(), &["fmt"][..]),
        (env.root().join("apps/web"), &["fmt"]),
        (env.path(), &["fmt", "-C", "project/apps"]),
        (env.path(), &["fmt", "-C", "project/environment.kdl"]),
        (env.path(), &["fmt", "project/environment.kdl"]),
        (env.path(), &["fmt", "-C", "project", "environment.kdl"]),
    ] {
        env.write("environment.kdl", UNTIDY);
        fs::set_permissions(&spec, fs::Permissions::from_mode(0o640)).unwrap();
        let output = env.command_in(&folder, args).output().unwrap();
        assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
        assert_eq!(env.read("environment.kdl").as_deref(), Some(TIDY), "{args:?}");
        assert_eq!(mode(&env, "environment.kdl"), 0o640);
    }
    let before = status();
    says(&env.envc(&["fmt"]).exits(0), &["environment.kdl is formatted already"]);
    assert_eq!((status().ino(), status().mtime_nsec()), (before.ino(), before.mtime_nsec()));
}

#[test]
fn a_formatted_spec_asks_for_the_same() {
    let env = TestEnv::of_text(UNTIDY);
    let _applied = env.envc(&["apply"]).exits(0);
    says(&env.envc(&["fmt"]).exits(0), &["formatted environment.kdl"]);
    let _same = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn check_shows_what_would_change_and_changes_nothing() {
    let env = TestEnv::of_text(UNTIDY);
    check("fmt_check", &env, &env.envc(&["fmt", "--check"]));
    assert_eq!(env.read("environment.kdl").as_deref(), Some(UNTIDY));
    env.write("environment.kdl", TIDY);
    let ran = env.envc(&["fmt", "--check"]).exits(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
}

#[test]
fn standard_input_goes_to_standard_output_to_the_byte() {
    let env = TestEnv::of_text(ONE_KV);
    // A vertical tab ends a line in KDL.
    let lines = "a \"\"\"\n x\u{b} y\n \"\"\"\n";
    for (input, wanted) in [(UNTIDY, TIDY), (TIDY, TIDY), ("", ""), (lines, lines)] {
        let output = with_input(&env, input, &["fmt", "-"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), wanted);
        let changed = i32::from(input != wanted);
        let checked = with_input(&env, input, &["fmt", "--check", "-"]);
        assert_eq!(checked.status.code(), Some(changed), "{checked:?}");
        assert_eq!(checked.stdout.is_empty(), changed == 0, "{checked:?}");
    }
    let output = with_input(&env, BROKEN, &["fmt", "-"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(65), 0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("<stdin>:2:9"), "{output:?}");
    let huge = with_input(&env, &"// filler\n".repeat(500_000), &["fmt", "-"]);
    assert_eq!(huge.status.code(), Some(65));
    assert_eq!(env.read("environment.kdl").as_deref(), Some(ONE_KV));
}

#[test]
fn of_several_files_the_broken_one_is_left_alone() {
    let env = TestEnv::of_text(ONE_KV);
    for files in [["good.kdl", "broken.kdl"], ["broken.kdl", "good.kdl"]] {
        env.write("good.kdl", UNTIDY);
        env.write("broken.kdl", BROKEN);
        let both = ["fmt", files[0], files[1]];
        let checked = env.envc(&["fmt", "--check", files[0], files[1]]).exits(65);
        says(&checked, &["+++ good.kdl", "broken.kdl has 2 mistakes", "run: envc fmt"]);
        assert_eq!(env.read("good.kdl").as_deref(), Some(UNTIDY));
        let ran = env.envc(&both).exits(65);
        says(&ran, &["formatted good.kdl", "broken.kdl has 2 mistakes", "#true"]);
        assert_eq!(env.read("good.kdl").as_deref(), Some(TIDY));
        assert_eq!(env.read("broken.kdl").as_deref(), Some(BROKEN));
    }
}

#[test]
fn a_link_stays_one_and_its_file_is_formatted() {
    let env = TestEnv::of_text(ONE_KV);
    env.write("shared/spec.kdl", UNTIDY);
    let link = env.root().join("environment.kdl");
    fs::remove_file(&link).unwrap();
    symlink("shared/spec.kdl", &link).unwrap();
    let _formatted = env.envc(&["fmt"]).exits(0);
    assert!(link.is_symlink());
    assert_eq!(env.read("shared/spec.kdl").as_deref(), Some(TIDY));
}

#[test]
fn programs_get_an_event_for_each_file() {
    let env = TestEnv::of_text(UNTIDY);
    env.write("broken.kdl", BROKEN);
    let ran = env.envc(&["fmt", "--check", "--json", "environment.kdl"]).exits(1);
    let event = ran.event("formatted").unwrap();
    assert_eq!((&event["changed"], &event["written"]), (&true.into(), &false.into()), "{ran}");
    assert!(event["diff"].as_str().is_some_and(|diff| diff.contains("+kv \"cache\"")), "{ran}");
    assert_eq!(ran.event("error").unwrap()["code"], "envc::cli::not_formatted");
    let ran = env.envc(&["fmt", "--json", "environment.kdl", "broken.kdl"]).exits(65);
    assert_eq!(ran.event("formatted").unwrap()["written"], true, "{ran}");
    assert_eq!(ran.event("diagnostic").unwrap()["file"], "broken.kdl", "{ran}");
    assert_eq!(ran.event("error").unwrap()["code"], "envc::cli::spec_wrong", "{ran}");
    let output = with_input(&env, "a{b}", &["fmt", "--json", "-"]);
    let events = envc_tests::events::read(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(events[0]["text"], "a { b }\n");
}

#[test]
fn what_is_no_file_is_said() {
    let env = TestEnv::of_text(ONE_KV);
    says(&env.envc(&["fmt", "nope.kdl"]).exits(64), &["there is no file", "nope.kdl"]);
    says(&env.envc(&["fmt", "-", "a.kdl"]).exits(64), &["`-` is standard input"]);
    says(&env.envc(&["fmt", "."]).exits(1), &["cannot read"]);
    fs::remove_file(env.root().join("environment.kdl")).unwrap();
    says(&env.envc(&["fmt"]).exits(65), &["there is no environment.kdl"]);
    says(&env.envc(&["fmt", "--help"]).exits(0), &["--check", "120 columns"]);
}
