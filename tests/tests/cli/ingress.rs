//! Ingresses of a tunnel: their order, several of one host, and how the service is reached.

use envc_tests::TestEnv;
use http::Method;
use serde_json::{Value as Json, json};

use crate::common::says;

const APPLY: [&str; 2] = ["apply", "--yes"];
const PLAN: [&str; 2] = ["plan", "--detailed-exitcode"];

fn spec(ingresses: &[&str]) -> String {
    format!(
        "project \"shop\" {{ zone \"shop.example\" }}\n\
         environment \"base\" default {{ identity \"base\" }}\n\
         tunnel \"t\" {{\n    {}\n}}\n",
        ingresses.join("\n    ")
    )
}

/// The path of the tunnel's configuration, below the account.
fn path(env: &TestEnv) -> String {
    let listing = env.cloud_listing();
    format!("/cfd_tunnel/{}/configurations", listing.id("tunnel", "shop--t--base").unwrap())
}

fn config(env: &TestEnv) -> Json {
    let told = env.cloud().of_account(&Method::GET, &path(env), None);
    told.get("config").cloned().unwrap()
}

/// Somebody else's configuration in the place of what is there.
fn put(env: &TestEnv, config: &Json) {
    let body = json!({ "config": config });
    let _put = env.cloud().of_account(&Method::PUT, &path(env), Some(&body));
}

/// Host, path and service of each rule, in order.
fn rules(env: &TestEnv) -> Vec<String> {
    let text =
        |rule: &Json, field: &str| rule.get(field).and_then(Json::as_str).unwrap_or("-").to_owned();
    let line = |rule: &Json| ["hostname", "path", "service"].map(|it| text(rule, it)).join(" ");
    let config = config(env);
    config.get("ingress").and_then(Json::as_array).unwrap().iter().map(line).collect()
}

const ALL: &str = "ingress \"all\" host=\"*\" service=\"http://localhost:1\"";
const API: &str = "ingress \"api\" host=\"api\" service=\"http://localhost:2\"";
const V1: &str = "ingress \"v1\" host=\"api\" path=\"^/v1\" service=\"http://localhost:3\"";
const V2: &str = "ingress \"v2\" host=\"api\" path=\"^/v2\" service=\"http://localhost:4\"";
const WWW: &str = "ingress \"www\" host=\"www\" service=\"http://localhost:5\"";

#[test]
fn the_narrower_ingress_is_asked_first_in_whichever_order_they_stand() {
    let told = TestEnv::of_text(&spec(&[ALL, API]));
    let _applied = told.envc(&APPLY).exits(0);
    let expect = [
        "api.shop.example - http://localhost:2",
        "*.shop.example - http://localhost:1",
        "- - http_status:404",
    ];
    assert_eq!(rules(&told), expect);
    let _none = told.envc(&PLAN).exits(0);
    // The other way round nothing differs.
    told.write("environment.kdl", &spec(&[API, ALL]));
    let _none = told.envc(&PLAN).exits(0);
    // An order that means something else is drift, and is put right.
    let mut other = config(&told);
    other["ingress"].as_array_mut().unwrap().swap(0, 1);
    put(&told, &other);
    let _drift = told.envc(&PLAN).exits(2);
    let _mended = told.envc(&APPLY).exits(0);
    assert_eq!(rules(&told), expect);
    let _gone = told.envc(&["destroy", "--yes"]).exits(0);
    assert!(told.cloud_listing().is_empty(), "{}", told.cloud_listing());
}

#[test]
fn an_order_that_means_the_same_is_no_drift() {
    let env = TestEnv::of_text(&spec(&[WWW, V1, API, V2]));
    let _applied = env.envc(&APPLY).exits(0);
    let before = rules(&env);
    let mut other = config(&env);
    let all = other["ingress"].as_array_mut().unwrap();
    let www = all.iter().position(|rule| rule["hostname"] == "www.shop.example").unwrap();
    let www = all.remove(www);
    all.insert(1, www);
    put(&env, &other);
    assert_ne!(rules(&env), before);
    let _none = env.envc(&PLAN).exits(0);
    says(&env.envc(&APPLY).exits(0), &["Nothing to do"]);
}

#[test]
fn paths_of_one_host_share_its_record() {
    let env = TestEnv::of_text(&spec(&[API]));
    let _applied = env.envc(&APPLY).exits(0);
    let records = || env.cloud_listing().names("dns").len();
    assert_eq!(records(), 1);
    // Paths come and go, before and behind: the record stays what it is.
    for ingresses in [&[V1, API][..], &[API, V1, V2], &[V2, API], &[API]] {
        env.write("environment.kdl", &spec(ingresses));
        let plan = env.envc(&["plan"]).exits(0);
        says(&plan, &["1 to update"]);
        assert!(!plan.stdout.contains("dns."), "{plan}");
        let _applied = env.envc(&APPLY).exits(0);
        assert_eq!(rules(&env).len(), ingresses.len() + 1);
        assert_eq!(rules(&env)[ingresses.len() - 1], "api.shop.example - http://localhost:2");
        let _none = env.envc(&PLAN).exits(0);
    }
    // Without the one for every path the first has it, and goes with the last.
    env.write("environment.kdl", &spec(&[V1, V2]));
    let _applied = env.envc(&APPLY).exits(0);
    assert_eq!(records(), 1);
    let _none = env.envc(&PLAN).exits(0);
    env.write("environment.kdl", &spec(&[WWW]));
    let _applied = env.envc(&APPLY).exits(0);
    assert_eq!(records(), 1);
    let _gone = env.envc(&["destroy", "--yes"]).exits(0);
    assert!(env.cloud_listing().is_empty(), "{}", env.cloud_listing());
}

#[test]
fn options_of_a_service_are_set_seen_and_taken_back() {
    let with = |options: &str| {
        spec(&[&format!("ingress \"w\" host=\"w\" service=\"https://localhost:1\" {options}")])
    };
    let all = "no-tls-verify http2 no-chunked-encoding host-header=\"app.internal:8443\" \
               origin-server-name=\"app.internal\" connect-timeout=5 tls-timeout=6 tcp-keep-alive=7 \
               keep-alive-timeout=8 keep-alive-connections=9";
    let env = TestEnv::of_text(&with(all));
    let _applied = env.envc(&APPLY).exits(0);
    let options = || config(&env)["ingress"][0]["originRequest"].clone();
    let expect = json!({
        "noTLSVerify": true, "http2Origin": true, "disableChunkedEncoding": true,
        "httpHostHeader": "app.internal:8443", "originServerName": "app.internal",
        "connectTimeout": 5, "tlsTimeout": 6, "tcpKeepAlive": 7, "keepAliveTimeout": 8,
        "keepAliveConnections": 9,
    });
    assert_eq!(options(), expect);
    let _none = env.envc(&PLAN).exits(0);
    // What somebody else changed is seen; what no spec sets stays.
    let mut other = config(&env);
    other["ingress"][0]["originRequest"]["connectTimeout"] = json!(50);
    other["ingress"][0]["originRequest"]["noHappyEyeballs"] = json!(true);
    other["originRequest"] = json!({ "tlsTimeout": 60 });
    put(&env, &other);
    let drift = env.envc(&PLAN).exits(2);
    says(&drift, &["connectTimeout"]);
    let _mended = env.envc(&APPLY).exits(0);
    assert_eq!(options()["connectTimeout"], json!(5));
    assert_eq!(options()["noHappyEyeballs"], json!(true));
    // A default is written out where the whole configuration says something else.
    env.write("environment.kdl", &with("keep-alive-timeout=90"));
    let _applied = env.envc(&APPLY).exits(0);
    assert_eq!(options(), json!({ "noHappyEyeballs": true, "tlsTimeout": 10 }));
    let _none = env.envc(&PLAN).exits(0);
    assert_eq!(config(&env)["originRequest"], json!({ "tlsTimeout": 60 }));
}

#[test]
fn a_header_from_outside_is_held_to_what_one_in_the_spec_is() {
    let ingress =
        "ingress \"w\" host=\"w\" service=\"http://localhost:1\" host-header=(env)\"SEEN\"";
    let mut env = TestEnv::of_text(&spec(&[ingress]));
    env.set("SEEN", "http://app.internal");
    let refused = env.envc(&APPLY).exits(1);
    says(&refused, &["host-header=", "write a host"]);
    env.set("SEEN", " app.internal ");
    let _applied = env.envc(&APPLY).exits(0);
    assert_eq!(
        config(&env)["ingress"][0]["originRequest"],
        json!({ "httpHostHeader": "app.internal" })
    );
    let _none = env.envc(&PLAN).exits(0);
}
