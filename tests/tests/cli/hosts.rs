//! Hosts that go from a Worker's domain to a DNS record, from one Worker to another, and back.

use envc_tests::TestEnv;
use http::Method;
use serde_json::{Value as Json, json};

use crate::common::{id, says};

const APPLY: [&str; 2] = ["apply", "--yes"];
/// Whatever may run at once does.
const SLOW: &str = "latency=40";
const CODE: &str = "export default { fetch() {} };\n";
const DOMAIN: &str = "domain \"x.{env}\"";
const WORKER: &str =
    "path=\".\" deploy=\"bundle\" bundle=\"dist\" compatibility-date=\"2026-09-01\"";

/// A Worker with this inside, and this beside it.
fn spec(beside: &str, inside: &str) -> String {
    format!(
        "project \"shop\" {{ zone \"shop.example\" }}\n\
         environment \"local\" default {{ identity branch max-length=20 unique }}\n\
         {beside}\nworker \"web\" {WORKER} {{\n{inside}\n}}\n"
    )
}

fn env(beside: &str, inside: &str) -> TestEnv {
    let env = TestEnv::of_text(&spec(beside, inside));
    env.write("dist/index.js", CODE);
    env
}

fn zone(env: &TestEnv) -> String {
    let (_, zones) = env.cloud().call(&Method::GET, "/zones", None);
    zones.pointer("/result/0/id").and_then(Json::as_str).unwrap().to_owned()
}

/// Type and content of each record of the environment's host, as the API tells them.
fn records(env: &TestEnv) -> Vec<(String, String)> {
    let path = format!("/zones/{}/dns_records", zone(env));
    let (_, all) = env.cloud().call(&Method::GET, &path, None);
    let text =
        |record: &Json, field: &str| record.get(field).and_then(Json::as_str).unwrap().to_owned();
    let all = all.get("result").and_then(Json::as_array).unwrap();
    all.iter().map(|record| (text(record, "type"), text(record, "content"))).collect()
}

/// The scripts that have domains.
fn scripts(env: &TestEnv) -> Vec<String> {
    let all = env.cloud().of_account(&Method::GET, "/workers/domains", None);
    let all = all.as_array().unwrap();
    all.iter().map(|domain| domain["service"].as_str().unwrap().to_owned()).collect()
}

/// The plan is empty, and then the environment goes whole.
fn settled_and_gone(env: &TestEnv) {
    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    let _gone = env.envc(&["destroy", "--yes"]).exits(0);
    assert!(env.cloud_listing().is_empty());
}

#[test]
fn a_host_goes_from_a_domain_to_a_record_and_back_in_one_apply_each() {
    for (record, told) in [
        ("dns \"d\" type=\"CNAME\" name=\"x.{env}\" content=\"a.example\"", ("CNAME", "a.example")),
        ("dns \"d\" type=\"AAAA\" name=\"x.{env}\" content=\"100::\"", ("AAAA", "100::")),
        ("dns \"d\" type=\"A\" name=\"x.{env}\" content=\"192.0.2.1\"", ("A", "192.0.2.1")),
    ] {
        let env = env("", DOMAIN);
        let _first = env.envc(&APPLY).exits(0);
        assert_eq!(records(&env), [("AAAA".into(), "100::".into())]);
        env.write("environment.kdl", &spec(record, ""));
        let ran = env.envc_with_faults(SLOW, &APPLY).exits(0);
        says(&ran, &["1 to create, 1 to delete"]);
        assert_eq!(records(&env), [(told.0.into(), told.1.into())]);
        let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
        env.write("environment.kdl", &spec("", DOMAIN));
        let _back = env.envc_with_faults(SLOW, &APPLY).exits(0);
        assert_eq!(scripts(&env).len(), 1);
        settled_and_gone(&env);
    }
}

#[test]
fn a_host_goes_from_a_domain_to_a_tunnel() {
    let env = env("", DOMAIN);
    let _first = env.envc(&APPLY).exits(0);
    let tunnel = "tunnel \"dev\" { ingress \"web\" host=\"x.{env}\" service=\"http://localhost:8080\" }\n\
                  allow \"unused_resource\"";
    env.write("environment.kdl", &spec(tunnel, ""));
    let _moved = env.envc_with_faults(SLOW, &APPLY).exits(0);
    assert_eq!(records(&env)[0].0, "CNAME");
    settled_and_gone(&env);
}

/// Somebody else's Worker, with the environment's host for a domain.
fn theirs(env: &TestEnv) {
    let script = "--x\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n\
         {\"main_module\":\"index.js\"}\r\n--x\r\nContent-Disposition: form-data; \
         name=\"index.js\"; filename=\"index.js\"\r\nContent-Type: \
         application/javascript+module\r\n\r\nexport default { fetch() {} };\r\n--x--\r\n";
    let path = "/workers/scripts/theirs";
    let answer = env.cloud().form_of_account(&Method::PUT, path, "x", script.into());
    assert_eq!(answer.0, 200, "{answer:?}");
    let host = format!("x.{}.shop.example", id(env));
    let domain = json!({"hostname": host, "service": "theirs", "zone_id": zone(env),
                        "override_existing_origin": true});
    let _made = env.cloud().of_account(&Method::PUT, "/workers/domains", Some(&domain));
    assert_eq!(scripts(env), ["theirs"]);
}

#[test]
fn a_host_that_another_worker_has_is_refused_before_any_call_and_stays() {
    let env = env("dns \"t\" type=\"TXT\" name=\"t.{env}\" content=\"t\"", "");
    let _first = env.envc(&APPLY).exits(0);
    theirs(&env);
    for (record_type, content) in [("CNAME", "a.example"), ("AAAA", "2001:db8::1")] {
        let record =
            format!("dns \"d\" type=\"{record_type}\" name=\"x.{{env}}\" content=\"{content}\"");
        env.write("environment.kdl", &spec(&record, ""));
        let refused = env.envc(&["apply", "--yes", "--json"]).exits(1);
        says(&refused, &["envc::plan::name_taken", "a Worker's custom domain", "take that domain"]);
        let refused = env.envc(&["apply", "--yes", "--adopt", "dns.d"]).exits(1);
        says(&refused, &["a Worker's custom domain"]);
    }
    let _gone = env.envc(&["destroy", "--yes"]).exits(0);
    assert_eq!(scripts(&env), ["theirs"]);
}

/// Somebody's own record at the environment's host; its identifier.
fn their_record(env: &TestEnv, record: &Json) -> String {
    let mut record = record.clone();
    let name = json!(format!("x.{}.shop.example", id(env)));
    record.as_object_mut().unwrap().insert("name".into(), name);
    let path = format!("/zones/{}/dns_records", zone(env));
    let (status, made) = env.cloud().call(&Method::POST, &path, Some(&record));
    assert_eq!(status, 200, "{made}");
    made.pointer("/result/id").and_then(Json::as_str).unwrap().to_owned()
}

#[test]
fn a_domain_on_a_host_with_somebodys_record_is_refused_by_the_plan() {
    // Also where the spec has no record of its own, so that none would be listed.
    for beside in ["", "dns \"t\" type=\"TXT\" name=\"t.{env}\" content=\"t\""] {
        for record in [
            json!({"type": "A", "content": "192.0.2.7"}),
            json!({"type": "CNAME", "content": "a.example", "proxied": true}),
        ] {
            let env = env(beside, "");
            let _first = env.envc(&APPLY).exits(0);
            let record_id = their_record(&env, &record);
            env.write("environment.kdl", &spec(beside, DOMAIN));
            for (command, code) in
                [(&["plan", "--json"][..], 0), (&["apply", "--yes", "--json"], 1)]
            {
                let refused = env.envc(command).exits(code);
                says(&refused, &["envc::plan::name_taken", &record_id, "remove that DNS record"]);
            }
            assert!(scripts(&env).is_empty());
            // A text there is in nobody's way.
            let path = format!("/zones/{}/dns_records/{record_id}", zone(&env));
            let _gone = env.cloud().call(&Method::DELETE, &path, None);
            let _text = their_record(&env, &json!({"type": "TXT", "content": "\"x\""}));
            let _made = env.envc(&APPLY).exits(0);
            // What is there is not looked for again.
            let ran = env.envc(&["plan", "--detailed-exitcode", "-v"]).exits(0);
            let lists = if beside.is_empty() { 2 } else { 3 };
            says(&ran, &[&format!("this plan took {lists} requests")]);
        }
    }
}

#[test]
fn of_two_records_at_a_host_both_have_to_go_before_a_domain_takes_it() {
    let record = "dns \"d\" type=\"A\" name=\"x.{env}\" content=\"192.0.2.1\"";
    let env = env(record, "");
    let _first = env.envc(&APPLY).exits(0);
    let theirs = their_record(&env, &json!({"type": "AAAA", "content": "2001:db8::1"}));
    env.write("environment.kdl", &spec("", DOMAIN));
    let refused = env.envc(&["apply", "--yes", "--json"]).exits(1);
    says(&refused, &["envc::plan::name_taken", &theirs]);
    assert_eq!(records(&env).len(), 2);
}

#[test]
fn a_token_that_may_not_list_records_makes_a_domain_all_the_same() {
    let env = env("", DOMAIN);
    let ran = env.envc_with_faults("deny=dns", &APPLY).exits(0);
    says(&ran, &["created worker-domain.web"]);
    assert_eq!(scripts(&env).len(), 1);
}

/// Script of each route.
fn routes(env: &TestEnv) -> Vec<String> {
    let path = format!("/zones/{}/workers/routes", zone(env));
    let (_, all) = env.cloud().call(&Method::GET, &path, None);
    let all = all.get("result").and_then(Json::as_array).unwrap();
    let script = |route: &Json| route.get("script").and_then(Json::as_str).unwrap().to_owned();
    all.iter().map(script).collect()
}

#[test]
fn a_domain_and_a_route_go_to_the_script_that_the_spec_says() {
    const BOTH: &str = "domain \"x.{env}\"\nroute \"y.{env}.{zone}/*\"";
    let env = env("", BOTH);
    let _first = env.envc(&APPLY).exits(0);
    // Its Worker has another name.
    let named = |inside: &str| format!("name=\"w-{{env}}\" {{\n{inside}\n}}");
    let renamed = spec("", BOTH).replace(&format!("{{\n{BOTH}\n}}"), &named(BOTH));
    env.write("environment.kdl", &renamed);
    let _renamed = env.envc_with_faults(SLOW, &APPLY).exits(0);
    let script = format!("w-{}", id(&env));
    assert_eq!((scripts(&env), routes(&env)), (vec![script.clone()], vec![script]));
    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    // It is another Worker's.
    for path in ["api/dist/index.js", "api/api/dist/index.js"] {
        env.write(path, CODE);
    }
    let api =
        format!("worker \"api\" {WORKER} {{\n{BOTH}\n}}").replace("path=\".\"", "path=\"api\"");
    env.write("environment.kdl", &spec(&api, ""));
    let _moved = env.envc_with_faults(SLOW, &APPLY).exits(0);
    let script = format!("shop--api--{}", id(&env));
    assert_eq!((scripts(&env), routes(&env)), (vec![script.clone()], vec![script.clone()]));
    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    // Somebody pointed it elsewhere.
    theirs(&env);
    let ran = env.envc(&APPLY).exits(0);
    says(&ran, &["Changed outside envc", "1 to update"]);
    assert_eq!(scripts(&env), [script]);
    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    let _gone = env.envc(&["destroy", "--yes"]).exits(0);
    assert_eq!((scripts(&env).len(), env.cloud_listing().names("worker")), (0, vec!["theirs"]));
}

#[test]
fn a_domain_that_nothing_proves_ours_stays_with_its_worker() {
    const FIXED: &str = "environment \"production\" default { identity \"production\" }";
    let fixed = |beside: &str, inside: &str| {
        spec(beside, inside).replace(
            "environment \"local\" default { identity branch max-length=20 unique }",
            FIXED,
        )
    };
    let env = TestEnv::of_text(&fixed("", ""));
    env.write("dist/index.js", CODE);
    let _first = env.envc(&APPLY).exits(0);
    theirs(&env);
    env.write("environment.kdl", &fixed("", DOMAIN));
    let refused = env.envc(&["apply", "--yes", "--json"]).exits(1);
    says(&refused, &["envc::plan::not_ours", "remove that Worker domain first", "another host"]);
    assert!(!format!("{refused}").contains("`existing`"), "{refused}");
    assert_eq!(scripts(&env), ["theirs"]);
}

#[test]
fn a_namesake_in_another_spelling_that_nothing_proves_ours_is_told_by_destroy() {
    let of = |beside, inside| {
        spec(beside, inside).replace(
            "environment \"local\" default { identity branch max-length=20 unique }",
            "environment \"staging\" default { identity \"staging\" }",
        )
    };
    let env = TestEnv::of_text(&of("dns \"t\" type=\"TXT\" name=\"t.{env}\" content=\"t\"", ""));
    env.write("dist/index.js", CODE);
    let _made = env.envc(&APPLY).exits(0);
    let _gone = env.envc(&["destroy", "--yes"]).exits(0);
    env.write("environment.kdl", &of("", "route \"y.{env}.{zone}/*\""));
    let path = format!("/zones/{}/workers/routes", zone(&env));
    let theirs = json!({"pattern": "Y.Staging.shop.example/*"});
    let (status, made) = env.cloud().call(&Method::POST, &path, Some(&theirs));
    assert_eq!(status, 200, "{made}");
    let ran = env.envc(&["destroy", "--yes", "--json"]).exits(1);
    says(&ran, &["envc::cli::unproven", "worker-route.web.y.staging.shop.example"]);
    let (_, all) = env.cloud().call(&Method::GET, &path, None);
    assert_eq!(all["result"].as_array().map(Vec::len), Some(1), "{all}");
}
