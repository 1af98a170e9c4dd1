//! Dotenv files, read back by those who read them: what was written is what they get, or it was refused
//! with a reason.

use std::collections::BTreeMap;

use envc_tests::{Ran, TestEnv};
use serde_json::Value as Json;

use crate::served::node_of;

/// Values in which readers differ.
const HARD: [&str; 26] = [
    "a$b",
    "$HOME/bin",
    "${A}",
    "\\$b",
    "a'b$c",
    "it's \"quoted\"",
    "a'\"`b",
    "a#b",
    " # at the beginning",
    "at the end ",
    "-----BEGIN KEY-----\nMIIB+/=\n-----END KEY-----\n",
    "{\"a\":\"b\\nc\",\"d\":'$e'}",
    "C:\\new\\table",
    "C:\\",
    "a\r\nb",
    "=a=b",
    "export X=1",
    "\"quoted\"",
    "'single'",
    "`back`",
    "é漢😀",
    "$$ 5$ $1 $(id)",
    "~/a;b&c|d>e",
    "'\\n`",
    "a'\n\"b\"\n`c`",
    "tab\tand # and 'all' \"three\" `quotes`",
];

/// The environment, its secrets, and a file with all of them that are not left out.
fn start(file: &str, without: &[usize]) -> TestEnv {
    let vars = |line: fn(usize) -> String| {
        let all = (0..HARD.len()).filter(|at| !without.contains(at));
        all.map(line).collect::<Vec<_>>().join("\n")
    };
    let text = match file {
        ".dev.vars" => format!(
            "worker \"web\" path=\".\" {{\n{}\n}}",
            vars(|at| format!("secret \"{}\" (secret)\"{0}\"", name(at)))
        ),
        node => format!("{node} {{\n{}\n}}", vars(|at| format!("{} (secret)\"{0}\"", name(at)))),
    };
    let mut env = TestEnv::of_text(&format!(
        "project \"shop\"\nenvironment \"local\" default {{ identity \"dev\" }}\n\
         secrets {{ env prefix=\"HARD_\" }}\n{text}\n"
    ));
    env.write(".gitignore", "*\n");
    for (at, value) in HARD.iter().enumerate() {
        env.set(&format!("HARD_{}", name(at)), value);
    }
    env
}

fn name(at: usize) -> String {
    format!("V{at:02}")
}

/// Which values a run refused to write; each has a reason.
fn refused(ran: &Ran) -> Vec<usize> {
    let is_refused = |at: &usize| {
        let said = format!("`{}` cannot be written to a dotenv file: its value holds ", name(*at));
        ran.stderr.contains(&said)
    };
    (0..HARD.len()).filter(is_refused).collect()
}

/// Writes all that can be written, and reads it back with each of these readers.
#[track_caller]
fn same_or_refused(node: &str, file: &str, readers: &[&str], expect_refused: &[usize]) {
    let first = start(node, &[]);
    let ran = first.envc(&["apply", "--cloud", "local"]);
    let left_out = refused(&ran);
    assert_eq!(left_out, expect_refused, "{node}: {ran}");
    let env = start(node, &left_out);
    let ran = env.envc(&["apply", "--cloud", "local"]).exits(0);
    // Readers that expand are told of where nobody says who reads.
    let says = ran.stderr.contains("holds a `$`");
    assert_eq!(says, node == "dotenv \".env\"", "{ran}");
    let written = HARD.iter().enumerate().filter(|(at, _)| !left_out.contains(at));
    let wanted: BTreeMap<String, &str> = written.map(|(at, value)| (name(at), *value)).collect();
    for reader in readers {
        let path = env.root().join(file);
        let path = path.to_str().expect("test paths are text");
        let ran = node_of(&env, "dotenv.mjs", &[reader, path]).exits(0);
        let line = ran.stdout.lines().last().unwrap_or_default();
        let read: BTreeMap<String, Json> = serde_json::from_str(line).expect("it prints JSON");
        for (name, value) in &wanted {
            let got = read.get(name).and_then(Json::as_str);
            assert_eq!(got, Some(*value), "{name} of {node}, read by {reader}");
        }
    }
}

#[test]
fn a_file_for_nobody_in_particular_is_read_alike_by_all_that_expand_nothing() {
    let readers = ["node", "dotenv", "shell", "bash"];
    same_or_refused("dotenv \".env\"", ".env", &readers, &[4, 5, 6, 11, 14, 23, 24, 25]);
}

#[test]
fn node_reads_its_own_file() {
    same_or_refused("dotenv \".env\" for=\"node\"", ".env", &["node"], &[14, 23, 24, 25]);
}

#[test]
fn dotenv_reads_its_own_file() {
    same_or_refused("dotenv \".env\" for=\"dotenv\"", ".env", &["dotenv"], &[23, 24, 25]);
}

#[test]
fn dotenv_expand_reads_its_own_file() {
    let node = "dotenv \".env\" for=\"dotenv-expand\"";
    same_or_refused(node, ".env", &["dotenv-expand"], &[23, 24, 25]);
}

#[test]
fn vite_reads_its_own_file() {
    same_or_refused("dotenv \".env\" for=\"vite\"", ".env", &["vite"], &[14, 23, 24, 25]);
}

#[test]
fn wrangler_reads_its_own_files() {
    same_or_refused("dotenv \".env\" for=\"wrangler\"", ".env", &["wrangler"], &[23, 24, 25]);
    let own = "dotenv \".dev.vars.x\" for=\"wrangler\"";
    same_or_refused(own, ".dev.vars.x", &["dotenv"], &[23, 24, 25]);
    same_or_refused(".dev.vars", ".dev.vars", &["wrangler"], &[23, 24, 25]);
}

#[test]
fn a_shell_reads_its_own_file() {
    same_or_refused("dotenv \".env\" for=\"shell\"", ".env", &["shell", "bash"], &[]);
}
