//! `specs/edge`: what envc uploads is, byte for byte, what runs here.

use std::{collections::BTreeMap, fs, path::Path};

use envc_tests::TestEnv;
use serde_json::json;

use crate::http::send;
use crate::workerd::{BOOTSTRAP_TOKEN, SEAL_KEY, Workerd, folder};

type Modules = BTreeMap<String, Vec<u8>>;

/// A copy of `specs/edge` with what `cargo xtask worker` put beside it.
fn checkout() -> TestEnv {
    let mut env = TestEnv::new("edge");
    // What was built is no part of a clone.
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../specs/edge/dist");
    envc_tests::copy_folder(&built, &env.root().join("dist"));
    env.set("EDGE_BOOTSTRAP_TOKEN", BOOTSTRAP_TOKEN).set("EDGE_SEAL_KEY", SEAL_KEY);
    env
}

fn modules_in(folder: &Path) -> Modules {
    let entries = fs::read_dir(folder).expect("the bundle is built: run `cargo xtask worker`");
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.unwrap();
        let bytes = fs::read(entry.path()).unwrap();
        (entry.file_name().into_string().unwrap(), bytes)
    };
    entries.map(read).collect()
}

/// The modules of the one script of the local cloud, read back through its API.
fn deployed(env: &TestEnv) -> Modules {
    let listing = env.cloud_listing();
    let [script] = listing.names("worker")[..] else { panic!("one script: {listing}") };
    let path = format!("/workers/scripts/{script}");
    let (content_type, body) = env.cloud().bytes_of_account(&path);
    let (_, boundary) = content_type.split_once("boundary=").expect("a form comes back");
    let boundary = format!("--{}", boundary.trim_matches('"'));
    let mut modules = Modules::new();
    for part in split(&body, boundary.as_bytes()) {
        let Some(at) = find(part, b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&part[..at]).into_owned();
        let (_, name) = head.split_once("name=\"").expect("a part has a name");
        let name = name.split('"').next().unwrap().to_owned();
        let bytes = part[at + 4..].strip_suffix(b"\r\n").expect("a part ends with its line");
        modules.insert(name, bytes.to_vec());
    }
    modules
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn split<'b>(body: &'b [u8], boundary: &[u8]) -> Vec<&'b [u8]> {
    let mut parts = Vec::new();
    let mut rest = body;
    while let Some(at) = find(rest, boundary) {
        parts.push(&rest[..at]);
        rest = &rest[at + boundary.len()..];
    }
    parts
}

#[test]
fn what_envc_deploys_is_byte_for_byte_what_runs() {
    let env = checkout();
    let applied = env.envc(&["apply", "--json"]).exits(0);
    let requests = applied.event("applied").unwrap()["requests"].clone();
    assert!(requests.as_u64().unwrap() <= 4, "account, list, script, crons: {applied}");

    let uploaded = deployed(&env);
    assert_eq!(uploaded, modules_in(&env.root().join("dist")));
    for (name, bytes) in &uploaded {
        let built = fs::read(folder().join("build").join(name)).unwrap();
        assert!(built == *bytes, "{name} is not the one that the other tests serve");
    }

    // The very bytes, in the runtime.
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("build")).unwrap();
    for (name, bytes) in &uploaded {
        fs::write(place.path().join("build").join(name), bytes).unwrap();
    }
    fs::copy(folder().join("workerd.capnp"), place.path().join("workerd.capnp")).unwrap();
    let workerd = Workerd::start_in(place.path());
    assert_eq!(send(workerd.address, "GET", "/healthz").status, 200);

    let again = env.envc(&["apply", "--json"]).exits(0);
    assert_eq!(again.event("applied").unwrap()["steps"], json!(0), "{again}");

    // One byte of one module.
    let file = env.root().join("dist/index_bg.wasm");
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, bytes).unwrap();
    let plan = env.envc(&["plan", "--json"]).exits(0).event("plan").unwrap();
    let changed: Vec<_> = plan["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|change| change["action"] != "keep")
        .map(|change| (&change["address"], &change["action"]))
        .collect();
    assert_eq!(changed, [(&json!("worker.edge"), &json!("update"))]);
    env.envc(&["apply"]).exits(0);
    assert_eq!(deployed(&env), modules_in(&env.root().join("dist")));

    env.envc(&["destroy", "--yes"]).exits(0);
    assert!(env.cloud_listing().is_empty(), "{}", env.cloud_listing());
}
