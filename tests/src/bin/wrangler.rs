//! A stand-in for wrangler, as far as envc runs it: it writes down how it was called, and makes the
//! file of the local copy where wrangler would. Named by `STAND_IN_LOG`; `STAND_IN_DOES` says what it
//! does besides: `fail`, `fail-on-migrations`, `hang`, `hang-half-made`.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use envc_core::object_id;
use serde_json::{Value as Json, json};

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let after = |name: &str| {
        let at = args.iter().position(|it| it == name)?;
        args.get(at + 1).cloned()
    };
    let variables: Vec<String> = env::vars().map(|(name, _)| name).collect();
    let sql = after("--file").map(|file| fs::read_to_string(file).expect("a file of SQL"));
    let call = json!({
        "args": args, "cwd": env::current_dir().expect("a folder"), "variables": variables,
        "sql": sql, "pid": std::process::id(),
    });
    let log_path = env::var("STAND_IN_LOG").expect("STAND_IN_LOG names a file");
    let mut log = fs::File::options().append(true).create(true).open(&log_path).expect("a log");
    writeln!(log, "{call}").expect("a line can be written");
    match env::var("STAND_IN_DOES").as_deref() {
        Ok("hang") => thread::sleep(Duration::from_mins(10)),
        Ok("fail") => fail("near \"CREAT\": syntax error"),
        Ok("fail-on-seed") if sql.is_some() => fail("no such table: nothing"),
        _ => {}
    }
    let state = PathBuf::from(after("--persist-to").expect("a folder is named"));
    let config =
        fs::read_to_string(after("--config").expect("a configuration")).expect("it is there");
    let json = config.lines().filter(|line| !line.starts_with("//")).collect::<String>();
    let config: Json = serde_json::from_str(&json).expect("it is JSON");
    let all = config.get("d1_databases").and_then(Json::as_array).expect("there are databases");
    let is_named = |entry: &&Json| {
        let binding = entry.get("binding").and_then(Json::as_str);
        binding.is_some_and(|binding| args.iter().any(|it| it == binding))
    };
    let entry = all.iter().find(is_named).unwrap_or_else(|| panic!("{args:?} names no binding"));
    let id = entry.get("database_id").and_then(Json::as_str).expect("it has an identifier");
    let half = env::var("STAND_IN_DOES").is_ok_and(|does| does == "hang-half-made");
    make(&state, id, if half { "half" } else { "" });
    if half {
        // Once the files are there.
        let mut log = fs::File::options().append(true).open(log_path).expect("a log");
        writeln!(log, "{call}").expect("a line can be written");
        thread::sleep(Duration::from_mins(10));
    }
}

/// Makes the files of a copy; those that are there stay as they are.
fn make(state: &Path, id: &str, text: &str) {
    let folder = state.join("v3/d1/miniflare-D1DatabaseObject");
    fs::create_dir_all(&folder).expect("a folder can be made");
    let file = object_id("miniflare-D1DatabaseObject", id);
    for ending in ["sqlite", "sqlite-shm", "sqlite-wal"] {
        let path = folder.join(format!("{file}.{ending}"));
        let mut file = fs::File::options().append(true).create(true).open(path).expect("a file");
        file.write_all(text.as_bytes()).expect("a file can be written");
    }
}

#[expect(clippy::exit, clippy::print_stderr, reason = "as wrangler does")]
fn fail(why: &str) {
    eprintln!("\u{1b}[31m✘ [ERROR] {why}\u{1b}[0m\n\n");
    std::process::exit(1);
}
