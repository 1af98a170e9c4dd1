//! Shared state that somebody with a token of the scope `state` wrote: what is believed of it.

use ::http::Method;
use envc_edge_api::Lock;
use envc_tests::{Listing, Ran};
use serde_json::{Value as Json, json};

use crate::common::token;
use crate::http::{Ask, ask};
use crate::team::{Developer, spec};
use crate::workerd::Workerd;

const ENV: &str = "staging";
const UNPROVEN: &str = "envc::plan::unproven_record";

/// Writes an identifier into a state.
type Change = fn(&mut Json, String);

/// A developer with an applied environment, something of another project's in the account, and
/// somebody who may write states.
struct Scene {
    edge: Workerd,
    alice: Developer,
    mallory: String,
    /// The identifier of what is another project's.
    theirs: String,
}

impl Scene {
    fn new() -> Self {
        let edge = Workerd::start();
        let text = spec(&format!("http://{}", edge.address), "state \"edge\"", ENV);
        let alice = Developer::of(edge.address, &text, "");
        alice.envc(&["apply"]).exits(0);
        let account = alice.env.var("CLOUDFLARE_ACCOUNT_ID");
        let path = format!("/accounts/{account}/storage/kv/namespaces");
        let title = json!({ "title": "billing-production" });
        let (status, made) = alice.cloud.view().call(&Method::POST, &path, Some(&title));
        assert_eq!(status, 200, "{made}");
        let theirs = made["result"]["id"].as_str().unwrap().to_owned();
        let mallory = token(edge.address, "mallory", "state").token;
        Self { edge, alice, mallory, theirs }
    }

    /// Mallory writes into the state.
    fn write(&self, change: impl FnOnce(&mut Json)) {
        let account = self.alice.env.var("CLOUDFLARE_ACCOUNT_ID");
        let state = format!("/v1/state/cloudflare/{account}/shop/{ENV}");
        let call = |method, below: &str, headers: &str, body: &str| {
            let target = format!("{state}{below}");
            let (target, token) = (target.as_str(), self.mallory.as_str());
            ask(self.edge.address, Ask { method, target, token, headers, body })
        };
        let lock: Lock = call("POST", "/lock", "", r#"{"holder":"m","purpose":"m"}"#).json();
        let read = call("GET", "", "", "");
        let mut document: Json = read.json();
        change(&mut document);
        document["serial"] = json!(document["serial"].as_u64().unwrap() + 1);
        let headers =
            format!("Envc-Fence: {}\r\nIf-Match: {}\r\n", lock.fence, read.header("etag"));
        let written = call("PUT", "", &headers, &document.to_string());
        assert_eq!(written.status, 200, "{written:?}");
        let path = format!("/lock/{}", lock.lock_id);
        assert_eq!(call("DELETE", &path, "", "").status, 204);
    }

    fn listing(&self) -> Listing {
        self.alice.cloud.view().listing()
    }

    /// The command refuses, names its ways out, and changes nothing.
    fn refuses(&self, args: &[&str]) -> Ran {
        let before = self.listing();
        let ran = self.alice.envc(&[args, &["--json"]].concat()).exits(1);
        let error = ran.event("error").unwrap_or_else(|| panic!("no error: {ran}"));
        assert_eq!(error["code"], UNPROVEN, "{ran}");
        let hints = error["hints"].to_string();
        assert!(hints.contains("--adopt kv.") && hints.contains("envc state rm kv."), "{ran}");
        assert_eq!(self.listing(), before, "{args:?}");
        ran
    }
}

/// What another project's is is neither deleted, changed nor written into files on the word of a state.
#[test]
fn what_a_state_says_of_another_projects_namespace_is_refused() {
    let id = |it: &Scene| it.theirs.clone();
    let changes: [(&str, Change); 4] = [
        ("kv.old", |state, id| {
            state["resources"]["kv.old"] =
                json!({ "name": "billing-production", "id": id, "fields": {} });
        }),
        // Under a name that would be this environment's.
        ("kv.old", |state, id| {
            state["resources"]["kv.old"] =
                json!({ "name": "shop--old--staging", "id": id, "fields": {} });
        }),
        // In place of what the spec wants.
        ("kv.flags", |state, id| state["resources"]["kv.flags"]["id"] = json!(id)),
        ("kv.old", |state, id| {
            let intent = json!({ "address": "kv.old", "name": "x", "action": "delete", "id": id });
            state["intents"] = json!([intent]);
        }),
    ];
    for (address, change) in changes {
        let scene = Scene::new();
        let files = scene.alice.env.read(".env");
        scene.write(|state| change(state, id(&scene)));
        scene.refuses(&["apply", "--yes"]);
        scene.refuses(&["destroy", "--yes"]);
        let plan = scene.alice.envc(&["plan"]).exits(0);
        assert!(plan.stderr.contains("the shared state says that"), "{plan}");
        assert_eq!(scene.alice.env.read(".env"), files);
        // The way out for what is not ours: the record goes, and nothing else.
        let before = scene.listing();
        scene.alice.envc(&["state", "rm", address, "--yes"]).exits(0);
        assert_eq!(scene.listing(), before);
        scene.alice.envc(&["apply", "--yes", "--adopt", "kv.flags"]).exits(0);
        scene.alice.envc(&["destroy", "--yes"]).exits(0);
        assert_eq!(scene.listing().names("kv"), ["billing-production"], "{address}");
    }
}

/// Who says so once is asked no more.
#[test]
fn what_the_user_names_is_theirs_from_then_on() {
    let scene = Scene::new();
    let text = scene.alice.env.read("environment.kdl").unwrap();
    let id = scene.theirs.clone();
    scene.write(|state| state["resources"]["kv.flags"]["id"] = json!(id));
    let keeps_name = text.replace("kv \"flags\"\n", "kv \"flags\" name=\"billing\"\n");
    scene.alice.env.write("environment.kdl", &keeps_name);
    scene.refuses(&["apply", "--yes"]);
    scene.alice.envc(&["plan", "--adopt", "kv.flags"]).exits(0);
    scene.alice.envc(&["apply", "--yes", "--adopt", "kv.flags"]).exits(0);
    assert!(scene.listing().names("kv").contains(&"billing"));
    // Renamed outside, so that only what was said before speaks for it.
    let account = scene.alice.env.var("CLOUDFLARE_ACCOUNT_ID");
    let path = format!("/accounts/{account}/storage/kv/namespaces/{}", scene.theirs);
    let title = json!({ "title": "renamed-outside" });
    let (status, _) = scene.alice.cloud.view().call(&Method::PUT, &path, Some(&title));
    assert_eq!(status, 200);
    scene.alice.envc(&["apply", "--yes"]).exits(0);
    // Another machine has not heard of it.
    let (status, _) = scene.alice.cloud.view().call(&Method::PUT, &path, Some(&title));
    assert_eq!(status, 200);
    let other = scene.alice.other_machine();
    let ran = other.envc(&["apply", "--yes", "--json"]).exits(1);
    assert_eq!(ran.event("error").unwrap()["code"], UNPROVEN, "{ran}");
}

/// A saved plan says itself what it takes over.
#[test]
fn a_saved_plan_takes_over_what_it_was_made_to() {
    let scene = Scene::new();
    let id = scene.theirs.clone();
    scene.write(|state| {
        state["resources"]["kv.old"] = json!({ "name": "x", "id": id, "fields": {} });
    });
    scene.alice.envc(&["plan", "--adopt", "kv.old", "--out", "p.json"]).exits(0);
    scene.alice.envc(&["apply", "--plan", "p.json", "--yes"]).exits(0);
    assert!(!scene.listing().names("kv").contains(&"billing-production"));
}
