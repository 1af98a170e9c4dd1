//! Variables and secrets reach whatever takes them; what is not known is said, and nothing is made.

use envc_tests::{Object, TestEnv};
use http::Method;
use serde_json::{Value as Json, json};

use crate::common::{edit, says};

const DNS: &str = "project \"shop\" { zone \"shop.example\" }\n\
    environment \"local\" default { identity branch max-length=20 unique }\n\
    let who (env)\"WHO\"\n\
    dns \"a\" type=\"TXT\" name=\"{env}\" content=(env)\"WHO\"\n\
    dns \"b\" type=\"TXT\" name=\"{env}-b\" content=\"{let.who}\"\n\
    dns \"c\" type=\"TXT\" name=\"{env}-c\" content=\"by {let.who}.\" comment=(env)\"WHAT\"\n";

/// The zone, and its records as the API tells of them.
fn records_of(env: &TestEnv) -> (String, Vec<Json>) {
    let cloud = env.cloud();
    let (_, zones) = cloud.call(&Method::GET, "/zones", None);
    let id = zones.pointer("/result/0/id").and_then(Json::as_str).unwrap();
    let (_, all) = cloud.call(&Method::GET, &format!("/zones/{id}/dns_records"), None);
    (id.to_owned(), all.get("result").and_then(Json::as_array).unwrap().clone())
}

fn records(env: &TestEnv) -> Vec<(String, String)> {
    let (_, all) = records_of(env);
    let text = |record: &Json, key: &str| {
        record.get(key).and_then(Json::as_str).unwrap_or_default().to_owned()
    };
    let mut all: Vec<_> = all.iter().map(|it| (text(it, "content"), text(it, "comment"))).collect();
    all.sort();
    all
}

#[test]
fn a_variable_in_a_field_is_applied_and_the_next_plan_is_empty() {
    let mut env = TestEnv::of_text(DNS);
    env.set("WHO", "me").set("WHAT", "a robot");
    let _applied = env.envc(&["apply"]).exits(0);
    let found = records(&env);
    let contents: Vec<&str> = found.iter().map(|(content, _)| content.trim_matches('"')).collect();
    assert_eq!(contents, ["by me.", "me", "me"]);
    assert!(found.iter().any(|(_, comment)| comment.ends_with(" a robot")), "{found:?}");
    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);

    env.set("WHO", "you");
    let plan = env.envc(&["plan", "--detailed-exitcode"]).exits(2);
    says(&plan, &["3 to update"]);
    let _applied = env.envc(&["apply"]).exits(0);
    assert!(records(&env).iter().any(|(content, _)| content.trim_matches('"') == "by you."));
    let _gone = env.envc(&["destroy", "--yes"]).exits(0);
    assert_eq!(env.cloud_listing().objects, Vec::<Object>::new());
}

#[test]
fn a_plan_shows_a_variable_by_its_name_and_does_what_it_says() {
    let mut env = TestEnv::of_text(DNS);
    let looks: &[&[&str]] = &[&["plan"], &["plan", "-v"], &["plan", "--json"]];
    let shows = |env: &TestEnv, hidden: &[&str], shown: &[&str]| {
        for args in looks {
            let ran = env.envc(args).exits(0);
            let text = format!("{}{}", ran.stdout, ran.stderr);
            for word in hidden {
                assert!(!text.contains(word), "{word}: {ran}");
            }
            if args.len() == 1 {
                says(&ran, shown);
            }
        }
    };
    env.set("WHO", "s3cret-one").set("WHAT", "s3cret-what");
    shows(&env, &["s3cret"], &["content=WHO", "comment=WHAT"]);
    // A saved plan is what is done, so it has the text; told anew it has not.
    let _saved = env.envc(&["plan", "--out", "p.json"]).exits(0);
    let applied = env.envc(&["apply", "--plan", "p.json", "--yes", "-v"]).exits(0);
    assert!(!applied.to_string().contains("s3cret"), "{applied}");
    assert!(records(&env).iter().any(|(content, _)| content.contains("by s3cret-one.")));
    env.set("WHO", "s3cret-two");
    shows(&env, &["s3cret"], &["content: WHO changed", "3 to update"]);
    let _applied = env.envc(&["apply", "--yes"]).exits(0);
    // Somebody else changed it in the account.
    let (zone, all) = records_of(&env);
    let id = all[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/zones/{zone}/dns_records/{id}");
    let (status, _) =
        env.cloud().call(&Method::PATCH, &path, Some(&json!({"content": "\"s3cret-other\""})));
    assert_eq!(status, 200);
    shows(&env, &["s3cret"], &["Changed outside envc", "content: WHO changed"]);
    // What the spec says itself is shown.
    edit(&env, "content=\"{let.who}\"", "content=\"plain\"");
    shows(&env, &["s3cret-two\"}"], &["plain"]);
}

#[test]
fn blanks_around_a_value_are_no_difference_for_ever() {
    let spec = format!("{DNS}dns \"d\" type=\"TXT\" name=\"{{env}}-d\" content=\"  sp  \"\n");
    let mut env = TestEnv::of_text(&spec);
    env.set("WHO", "me\n").set("WHAT", "a robot\n");
    let _applied = env.envc(&["apply"]).exits(0);
    let plan = env.envc(&["plan", "-v", "--detailed-exitcode"]).exits(0);
    assert!(plan.stdout.contains("\nNo changes."), "{plan}");
    assert!(records(&env).iter().any(|(content, _)| content.trim_matches('"') == "sp"));
    // What is meant stands in quotes.
    edit(&env, "\"  sp  \"", r#""\"  sp  \"""#);
    says(&env.envc(&["plan"]).exits(0), &["1 to update"]);
    let _applied = env.envc(&["apply"]).exits(0);
    assert!(records(&env).iter().any(|(content, _)| content == "\"  sp  \""));
    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn all_that_is_missing_or_empty_is_one_error_with_its_places_before_anything_is_made() {
    let spec = format!(
        "{DNS}secrets {{ env prefix=\"SHOP_\" }}\n\
         worker \"web\" path=\".\" main=\"a.js\" compatibility-date=\"2026-09-01\" {{ secret \"KEY\" }}\n\
         dotenv \".env\" {{ TOKEN (secret)\"TOKEN\" ; WHO (env)\"WHO\" }}\n"
    );
    let mut env = TestEnv::of_text(&spec);
    env.set("WHAT", "").set("SHOP_TOKEN", "");
    let ran = env.envc(&["apply"]).exits(1);
    says(
        &ran,
        &[
            "error: 4 values from outside are not found: KEY, TOKEN, WHAT, WHO",
            "KEY, for secret `KEY` of worker \"web\": the variable SHOP_KEY is not set",
            "TOKEN, for `TOKEN` of .env: the variable SHOP_TOKEN is empty",
            "WHAT, for `comment` of dns.c: the variable is empty",
            "WHO, for `WHO` of .env, `content` of dns.a, `content` of dns.b, `content` of dns.c: \
             the variable is not set",
            "hint: set it for one run: SHOP_KEY=… envc apply",
        ],
    );
    assert_eq!(env.cloud_listing().objects, Vec::<Object>::new());
    // A plan says it, too, and goes on.
    let ran = env.envc(&["plan"]).exits(0);
    says(&ran, &["apply will refuse: 4 values from outside are not found", "3 to create"]);
}

#[test]
fn a_value_that_no_apply_can_use_is_refused_with_all_others_before_anything_is_made() {
    let spec = format!(
        "{DNS}secrets {{ env }}\n\
         d1 \"db\"\n\
         dns \"ip\" type=\"A\" name=\"{{env}}-ip\" content=(env)\"IP\"\n\
         hyperdrive \"pg\" {{ origin host=(env)\"HOST\" database=(env)\"NAME\" user=\"u\" password=(secret)\"PW\" }}\n"
    );
    let mut env = TestEnv::of_text(&spec);
    env.set("WHO", "\"\"").set("WHAT", &"w".repeat(101)).set("IP", "planted no ip");
    env.set("HOST", " ").set("NAME", &"n".repeat(64)).set("PW", "  ");
    let lines = [
        "HOST, for `host` of hyperdrive.pg: it is empty",
        "IP, for `content` of dns.ip: it is not an IPv4 address",
        "NAME, for `database` of hyperdrive.pg: it has 64 bytes, and 63 are allowed",
        "PW, for `password` of hyperdrive.pg: it is empty",
        "WHAT, for `comment` of dns.c: it is longer than 100 characters",
        "WHO, for `content` of dns.a: it is empty",
        "WHO, for `content` of dns.b: it is empty",
    ];
    let ran = env.envc(&["apply"]).exits(1);
    says(&ran, &lines);
    says(&ran, &["error: 7 values cannot be used", "nothing was changed"]);
    assert_eq!(env.cloud_listing().objects, Vec::<Object>::new());
    let plan = env.envc(&["plan"]).exits(0);
    for line in lines {
        says(&plan, &["apply will refuse: 7 values cannot be used", line, "+ create d1.db"]);
    }
    // Together with what is missing it is one error.
    env.unset("PW");
    let ran = env.envc(&["apply"]).exits(1);
    says(&ran, &["the secret PW is not found, and 6 values cannot be used", lines[1]]);
    env.set("PW", "p").set("WHO", "me").set("WHAT", "w").set("IP", "192.0.2.1\n");
    env.set("HOST", "db.example.com\n").set("NAME", "n");
    let _applied = env.envc(&["apply"]).exits(0);
    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn a_saved_plan_is_stale_when_a_value_from_outside_changed_and_says_that() {
    let mut env = TestEnv::of_text(DNS);
    env.set("WHO", "me").set("WHAT", "a robot");
    let stale = |env: &TestEnv, because: &str| {
        says(&env.envc(&["apply", "--plan", "p.json"]).exits(1), &["stale", because]);
    };
    let _saved = env.envc(&["plan", "--out", "p.json"]).exits(0);
    env.set("WHO", "you");
    stale(&env, "because: what comes from outside the spec");
    let _applied = env.envc(&["apply"]).exits(0);
    let _saved = env.envc(&["plan", "--out", "p.json"]).exits(0);
    env.set("WHO", "me");
    stale(&env, "because: what comes from outside the spec");
    let _saved = env.envc(&["plan", "--out", "p.json"]).exits(0);
    env.set("WHO", "you");
    stale(&env, "because: what comes from outside the spec");
    env.set("WHO", "me");
    let (zone, all) = records_of(&env);
    let id = all[0].get("id").and_then(Json::as_str).unwrap();
    let path = format!("/zones/{zone}/dns_records/{id}");
    let _told = env.cloud().call(&Method::PATCH, &path, Some(&json!({ "content": "other" })));
    stale(&env, "because: what is in the account was changed");
}

fn bundle() -> TestEnv {
    let mut env = TestEnv::new("../tests/fixtures/bundle");
    env.set("KEY", "the-planted-secret");
    env.set("DATABASE_URL", "postgres://web:planted-password@db.example.com/app");
    env.set("LOCAL_DATABASE_URL", "postgres://web:web@localhost/app");
    let _first = env.envc(&["apply"]).exits(0);
    env
}

#[test]
fn a_plan_without_a_secret_cannot_tell_and_never_says_removed() {
    let mut env = bundle();
    env.unset("KEY");
    let ran = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    says(
        &ran,
        &[
            "apply will refuse: the secret KEY is not found",
            "whether worker.web changed cannot be told: KEY is not known here",
            "No changes that can be told: KEY is not known here.",
        ],
    );
    assert!(!ran.stdout.contains("removed") && !ran.stdout.contains("\nNo changes.\n"), "{ran}");
    let plan = env.envc(&["plan", "--json"]).exits(0).event("plan").unwrap();
    let web = plan["changes"].as_array().unwrap().iter().find(|it| it["address"] == "worker.web");
    assert_eq!(
        web.map(|it| (&it["action"], &it["unknown"])),
        Some((&json!("keep"), &json!(["KEY"])))
    );
    // A saved plan is done exactly, so it cannot be one that does not know.
    let ran = env.envc(&["plan", "--out", "plan.json"]).exits(1);
    says(&ran, &["this plan cannot be saved: KEY is not known here"]);
    assert_eq!(env.read("plan.json"), None);

    // What changed besides is told, and a new secret is not called a changed one.
    let spec = env.read("environment.kdl").unwrap();
    env.write(
        "environment.kdl",
        &spec.replace("secret \"KEY\"", "secret \"KEY\"; secret \"MORE\""),
    );
    let ran = env.envc(&["plan"]).exits(0);
    says(&ran, &["secrets: MORE set, and not known here", "KEY, MORE are not known here"]);
    assert!(!ran.stdout.contains("KEY changed") && !ran.stdout.contains("removed"), "{ran}");
    env.write("environment.kdl", &spec.replace("secret \"KEY\"", ""));
    let ran = env.envc(&["plan"]).exits(0);
    says(&ran, &["secrets: KEY removed"]);
}

#[test]
fn migrations_need_no_secret() {
    let mut env = bundle();
    env.unset("KEY").unset("DATABASE_URL").unset("LOCAL_DATABASE_URL");
    env.write("migrations/0002_more.sql", "CREATE TABLE more (a);\n");
    let ran = env.envc(&["migrate", "status"]).exits(0);
    says(&ran, &["0002_more.sql"]);
    let _applied = env.envc(&["migrate", "apply", "--yes"]).exits(0);
    let ran = env.envc(&["migrate", "check"]).exits(0);
    assert!(!format!("{ran}").contains("not known here"), "{ran}");
}

#[test]
fn digests_of_one_secret_differ_between_names_and_between_environments() {
    let mut env = bundle();
    let spec = env.read("environment.kdl").unwrap();
    env.write(
        "environment.kdl",
        &spec.replace("secret \"KEY\"", "secret \"KEY\"; secret \"MORE\""),
    );
    env.set("MORE", "the-planted-secret");
    let _applied = env.envc(&["apply"]).exits(0);
    let states = env.states();
    let state = states.values().next().unwrap();
    let secrets = &state["resources"]["worker.web"]["fields"]["secrets"];
    let digest = |name: &str| secrets[name]["digest"].as_str().unwrap().to_owned();
    assert_eq!(secrets["KEY"]["sealed"], json!("KEY"));
    assert!(digest("KEY") != digest("MORE"), "{secrets}");
}
