//! The real binary: exit codes, streams, and what only a process shows.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value as Json;

const SPEC: &str = r#"
project "shop" { zone "example.com" }
environment "local" default { identity branch max-length=20 unique }
environment "production" { identity "production"; protect }
d1 "web"
kv "cache"
allow "unused_resource"
"#;

struct Folder {
    _keep: tempfile::TempDir,
    path: PathBuf,
}

impl Folder {
    fn new(spec: Option<&str>) -> Self {
        let keep = tempfile::tempdir().unwrap();
        let path = keep.path().canonicalize().unwrap();
        if let Some(spec) = spec {
            fs::write(path.join("environment.kdl"), spec).unwrap();
        }
        Self { _keep: keep, path }
    }

    fn envc(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_envc"));
        command
            .args(arguments)
            .current_dir(&self.path)
            .env_clear()
            .env("HOME", self.path.join("home"))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let Output { status, stdout, stderr } = self.envc(arguments).output().unwrap();
        (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    }
}

fn events(text: &str) -> Vec<Json> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_good_spec_is_ok_from_any_folder_below_it() {
    let folder = Folder::new(Some(SPEC));
    let expect = (Some(0), "ok: 2 types, 2 resources\n".to_owned(), String::new());
    assert_eq!(folder.run(&["check"]), expect);
    fs::create_dir_all(folder.path.join("apps/web")).unwrap();
    assert_eq!(folder.run(&["check", "-C", "apps/web"]), expect);
    assert_eq!(folder.run(&["-C", "environment.kdl", "check"]), expect);
    // Nothing is left behind by a look.
    assert!(!Path::new(&folder.path.join("home")).exists());
    assert!(!folder.path.join(".envc").exists());
}

#[test]
fn a_wrong_spec_shows_its_mistakes_and_exits_with_65() {
    let folder = Folder::new(Some(&SPEC.replace("d1", "d2")));
    let (code, out, err) = folder.run(&["check"]);
    assert_eq!((code, out.as_str()), (Some(65), ""));
    assert!(err.contains("environment.kdl:5:1"), "{err}");
    assert!(err.ends_with("\nhint: for more: envc check --explain unknown_node\n"), "{err}");
    assert!(!err.contains('\u{1b}'), "no colour off a terminal: {err}");

    let (code, out, err) = folder.run(&["check", "--json"]);
    assert_eq!((code, err.as_str()), (Some(65), ""));
    let events = events(&out);
    assert!(events.iter().all(|event| event["v"] == 1));
    assert_eq!(events.first().map(|event| &event["event"]), Some(&"diagnostic".into()));
    assert_eq!(events.last().map(|event| &event["exit"]), Some(&65.into()));
    assert_eq!(folder.run(&["check", "--format", "json"]).1, out);

    let (code, out, _) = folder.run(&["check", "--format", "github"]);
    assert_eq!(code, Some(65));
    assert!(out.starts_with("::error file=environment.kdl,line=5,"), "{out}");
}

#[test]
fn no_spec_and_wrong_command_lines_have_their_own_codes() {
    let folder = Folder::new(None);
    let (code, _, err) = folder.run(&["check"]);
    assert_eq!(code, Some(65));
    assert!(err.contains("hint: "), "{err}");
    for arguments in [&["chekc"][..], &["apply", "--pr", "x"], &["check", "-C", "nowhere"], &[]] {
        assert_eq!(folder.run(arguments).0, Some(64), "{arguments:?}");
    }
    let (code, out, err) = folder.run(&["apply", "--cloud", "aws", "--json"]);
    assert_eq!((code, err.as_str()), (Some(64), ""));
    assert_eq!(events(&out)[0]["event"], "error");
}

#[test]
fn help_version_and_completions_go_to_standard_output() {
    let folder = Folder::new(None);
    let (code, out, err) = folder.run(&["--version"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(out, concat!("envc ", env!("CARGO_PKG_VERSION"), "\n"));
    for (arguments, part) in [
        (&["--help"][..], "Examples:"),
        (&["apply", "--help"], "--rebind"),
        (&["destroy", "--help"], "--keep"),
        (&["migrate", "check", "--help"], "gate"),
        (&["completions", "bash"], "complete"),
        (&["completions", "zsh"], "#compdef envc"),
    ] {
        let (code, out, err) = folder.run(arguments);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(out.contains(part), "{arguments:?}: {out}");
    }
}

#[test]
fn codes_are_explained_without_a_spec() {
    let folder = Folder::new(None);
    let (code, out, err) = folder.run(&["check", "--explain", "unknown_reference"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.starts_with("envc::spec::unknown_reference\n\n"), "{out}");
    assert!(out.contains("\n    d1 \"orders\"\n"), "code stands to the right: {out}");
    assert!(!out.contains("```") && !out.contains('\u{1b}'), "{out}");
    let whole = folder.run(&["check", "--explain", "envc::spec::unknown_reference"]);
    assert_eq!(whole.1, out);

    let (code, out, _) = folder.run(&["check", "--explain"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("  unknown_reference "), "{out}");

    let (code, out, err) = folder.run(&["check", "--explain", "unknown_refrence"]);
    assert_eq!((code, out.as_str()), (Some(64), ""));
    assert!(err.contains("hint: did you mean `unknown_reference`?"), "{err}");

    let (code, out, _) = folder.run(&["check", "--explain", "no_zone", "--json"]);
    let event = &events(&out)[0];
    assert_eq!((code, &event["event"]), (Some(0), &"explanation".into()));
    assert_eq!(event["code"], "envc::spec::no_zone");
}

#[test]
fn the_language_is_printed_as_json() {
    let folder = Folder::new(None);
    let (code, out, err) = folder.run(&["schema"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let schema: Json = serde_json::from_str(&out).unwrap();
    assert_eq!(schema["version"], 1);
    assert_eq!(folder.run(&["schema"]).1, out, "the same bytes every time");
    let event = events(&folder.run(&["schema", "--json"]).1).remove(0);
    assert_eq!((&event["event"], &event["schema"]), (&"schema".into(), &schema));
    // What an editor asks: what may stand here, and what does it take?
    let nodes = schema["nodes"].as_array().unwrap();
    let node = |id: &str| nodes.iter().find(|node| node["id"] == id).unwrap();
    assert!(
        schema["top"]
            .as_array()
            .unwrap()
            .iter()
            .all(|id| node(id.as_str().unwrap()) != &Json::Null)
    );
    let ttl = &node("dns")["properties"].as_array().unwrap()[3];
    assert_eq!((&ttl["name"], &ttl["type"]["max"]), (&"ttl".into(), &86_400.into()));
    assert!(schema["diagnostics"].as_array().unwrap().len() > 50);
}

#[test]
fn a_reader_that_leaves_early_is_no_crash() {
    let folder = Folder::new(None);
    for arguments in [&["completions", "bash"][..], &["--help"]] {
        let mut child =
            folder.envc(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), err.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let folder = Folder::new(Some(SPEC));
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = folder.envc(&["check"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}

#[cfg(unix)]
#[test]
fn the_local_cloud_is_served_until_it_is_interrupted() {
    let folder = Folder::new(Some(SPEC));
    let mut child = folder
        .envc(&["cloud", "serve", "--listen", "127.0.0.1:0", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let listening: Json = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(listening["event"], "listening");
    let base = listening["base_url"].as_str().unwrap();
    let address = base.trim_start_matches("http://").trim_end_matches("/client/v4");
    let mut stream = TcpStream::connect(address).unwrap();
    let token = listening["token"].as_str().unwrap();
    write!(
        stream,
        "GET /client/v4/zones HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         authorization: Bearer {token}\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("example.com"), "the spec's zone exists: {answer}");

    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let stopped: Json = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(stopped["event"], "stopped");
}

#[test]
fn the_local_cloud_stays_on_this_machine() {
    let folder = Folder::new(None);
    let (code, _, err) = folder.run(&["cloud", "serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(code, Some(64));
    assert!(err.contains("--allow-remote"), "{err}");
    let (code, _, err) = folder.run(&["cloud", "serve", "--faults", "boom=1"]);
    assert_eq!(code, Some(64));
    assert!(err.contains("boom"), "{err}");
}
