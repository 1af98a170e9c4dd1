//! Texts from a checkout, an API or a path that would steer the terminal they are shown on: they are only
//! read.

use std::fs;

use envc_core::steers_a_terminal;
use envc_tests::{Ran, ServedCloud, Terminal, TestEnv};
use http::Method;
use serde_json::json;

use crate::common::{ONE_KV, in_folder};

/// A window's title, an erased screen, a hidden text, a cursor that goes up, a line written over, and a
/// text that runs backwards.
const ODD: &str = "\u{1b}]0;title\u{7}\u{1b}[2J\u{1b}[8m\u{9b}1A\rover\u{202e}back";

/// Nothing but line ends and tabs.
#[track_caller]
fn is_plain(ran: &Ran) {
    for text in [&ran.stdout, &ran.stderr] {
        let steered: Vec<char> = text.chars().filter(|it| steers_a_terminal(*it)).collect();
        assert!(steered.is_empty(), "{steered:?} in {text:?}");
    }
}

/// Nothing but line ends, and colours.
#[track_caller]
fn is_coloured_at_most(screen: &str) {
    let mut rest = screen.replace("\r\n", "\n").replace('\r', "");
    while let Some(at) = rest.find("\u{1b}[") {
        let (before, behind) = rest.split_at(at);
        let code = behind.trim_start_matches("\u{1b}[");
        let end = code.find(|it: char| !it.is_ascii_digit() && it != ';').unwrap();
        let (numbers, after) = code.split_at(end);
        assert!(after.starts_with('m') && numbers != "8", "{screen:?}");
        rest = format!("{before}{}", after.strip_prefix('m').unwrap());
    }
    assert!(!rest.contains(steers_a_terminal), "{screen:?}");
}

#[track_caller]
fn shows_nothing_odd(env: &TestEnv, args: &[&str]) {
    is_plain(&env.envc(args));
    is_plain(&env.envc(&[args, &["--json"]].concat()));
    let mut command = env.command(args);
    command.env("TERM", "xterm-256color").env_remove("NO_COLOR");
    let (_, screen) = Terminal::start(&command, "").end();
    is_coloured_at_most(&screen);
}

#[test]
fn a_spec_with_control_characters_steers_nothing() {
    for text in [
        format!("project \"shop\"\n// {ODD}\nkvv \"x\"\n"),
        format!("project \"shop\" {ODD}\nkv \"x\"\n"),
        format!("project \"{ODD}\"\nkv \"{ODD}\"\n"),
        format!("project \"{}\"\nfile \"{}\" template=\"x\"\n", escaped(ODD), escaped(ODD)),
        format!("{ONE_KV}let a \"{{{}}}\"\n", escaped(ODD)),
        format!("{ONE_KV}dotenv \"{}.env\" {{ A \"b\" }}\n", escaped(ODD)),
    ] {
        let env = TestEnv::of_text(&text);
        shows_nothing_odd(&env, &["check"]);
        shows_nothing_odd(&env, &["plan"]);
        shows_nothing_odd(&env, &["fmt", "--check"]);
        env.envc(&["check"]).exits(65);
    }
}

/// As escapes of a quoted text.
fn escaped(text: &str) -> String {
    text.chars().flat_map(char::escape_unicode).collect()
}

#[test]
fn what_the_account_says_steers_nothing() {
    let mut env = TestEnv::of_text(ONE_KV);
    // Commas and colons part faults.
    let odd = ODD.replace([';', ','], " ");
    let cloud =
        ServedCloud::start(&mut env, &format!("fail=POST:/storage:400:10009:no {odd}"), &[]);
    // On a terminal the bar of the steps moves the cursor itself.
    is_plain(&env.envc(&["apply", "--yes", "-v"]).exits(1));
    is_plain(&env.envc(&["apply", "--yes", "--json"]).exits(1));
    drop(cloud);
    let cloud = ServedCloud::start(&mut env, "", &[]);
    let namespaces = format!("/accounts/{}/storage/kv/namespaces", cloud.account());
    let title = format!("envc claim shop {ODD}");
    let (status, _) = cloud.view().call(&Method::POST, &namespaces, Some(&json!({"title": title})));
    assert_eq!(status, 200);
    shows_nothing_odd(&env, &["state", "claim"]);
    shows_nothing_odd(&env, &["plan", "-v"]);
}

#[test]
fn paths_and_arguments_steer_nothing() {
    let env = TestEnv::of_text(ONE_KV);
    let odd = ODD.replace('/', "");
    let folder = env.root().join(&odd);
    fs::create_dir(&folder).unwrap();
    fs::copy(env.root().join("environment.kdl"), folder.join("environment.kdl")).unwrap();
    for args in [&["apply"][..], &["show"], &["plan", "-v"], &["destroy", "--yes"]] {
        is_plain(&in_folder(&env, &folder, args));
    }
    shows_nothing_odd(&env, &["show", "--id", &odd]);
    shows_nothing_odd(&env, &["check", "--explain", &odd]);
    shows_nothing_odd(&env, &["-C", &format!("{odd}/none"), "plan"]);
    env.write("environment.kdl", &format!("{ONE_KV}file \"a.txt\" template=\"t\"\n"));
    env.write("t", &format!("{{{{ {ODD} }}}}\n"));
    shows_nothing_odd(&env, &["check"]);
}
