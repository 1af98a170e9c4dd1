//! The life of an environment, from the first apply to the destroy that finds nothing.

use std::collections::BTreeMap;

use envc_tests::{Ran, ServedCloud, TestEnv};
use http::Method;
use serde_json::{Value as Json, json};

use crate::{
    common::{FIXED, ONE_KV, check, edit, id, says},
    local::with_stand_in,
};

/// Steps run one after the other, so that the lines of a transcript have one order.
const APPLY: [&str; 3] = ["apply", "--parallelism", "1"];

fn applied() -> TestEnv {
    let env = TestEnv::new("quickstart");
    let _first = env.envc(&APPLY).exits(0);
    env
}

#[test]
fn a_fresh_apply_tells_each_resource_and_file_and_the_next_has_nothing_to_do() {
    let env = with_stand_in(TestEnv::new("quickstart"));
    check("plan_fresh", &env, &env.envc(&["plan"]));
    assert!(env.cloud_listing().is_empty(), "a plan makes nothing");
    check("apply_fresh", &env, &env.envc(&APPLY));
    let counts = BTreeMap::from([("d1", 1), ("kv", 1), ("queue", 2), ("r2", 1)]);
    assert_eq!(env.cloud_listing().counts(), counts);
    check("apply_again", &env, &env.envc(&APPLY));
    check("plan_empty", &env, &env.envc(&["plan", "--detailed-exitcode"]));
    check("show", &env, &env.envc(&["show"]));
    check("output", &env, &env.envc(&["output"]));
}

#[test]
fn one_value_alone_is_for_scripts() {
    let env = applied();
    let ran = env.envc(&["output", "--only", "d1.app.id"]).exits(0);
    let name = format!("quickstart--app--{}", id(&env));
    assert_eq!(Some(ran.stdout.trim()), env.cloud_listing().id("d1", &name));
    check("output_unknown", &env, &env.envc(&["output", "--only", "d1.nope"]));
}

#[test]
fn a_changed_field_is_updated_in_place() {
    let env = applied();
    let before = env.cloud_listing();
    edit(&env, "queue \"jobs\"\n", "queue \"jobs\" retention=86400\n");
    let _changes = env.envc(&["plan", "--detailed-exitcode"]).exits(2);
    check("apply_update", &env, &env.envc(&APPLY));
    assert_eq!(env.cloud_listing(), before, "the same queue has other settings");
    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);

    edit(&env, "kv \"sessions\"", "kv \"sessions\" name=\"renamed-{env}\"");
    let ran = env.envc(&APPLY).exits(0);
    says(&ran, &["~ update kv.sessions", "name: \"quickstart--sessions--"]);
    let name = format!("quickstart--sessions--{}", id(&env));
    let renamed = format!("renamed-{}", id(&env));
    assert_eq!(env.cloud_listing().id("kv", &renamed), before.id("kv", &name));
}

#[test]
fn a_field_that_cannot_change_replaces_after_approval() {
    let env = applied();
    let before = env.cloud_listing();
    edit(&env, "r2 \"uploads\"", "r2 \"uploads\" name=\"other-{env}\"");
    check("replace_not_approved", &env, &env.envc(&APPLY));
    assert_eq!(env.cloud_listing(), before);
    let wrong = env.envc(&["apply", "--allow", "kv.sessions"]);
    says(&wrong.exits(1), &["not approved", "r2.uploads"]);
    let ran = env.envc(&["apply", "--parallelism", "1", "--allow", "r2.uploads"]);
    check("replace", &env, &ran);
    let other = format!("other-{}", id(&env));
    assert_eq!(env.cloud_listing().names("r2"), [other.as_str()]);
    assert!(env.read("wrangler.jsonc").unwrap().contains(&other), "the files follow");
}

#[test]
fn a_dns_record_of_another_type_takes_the_place_of_the_first() {
    let spec = "project \"shop\" { zone \"shop.example\" }\n\
        environment \"local\" default { identity branch max-length=20 unique }\n\
        dns \"web\" type=\"A\" name=\"{env}\" content=\"192.0.2.1\"\n";
    let env = TestEnv::of_text(spec);
    let _first = env.envc(&APPLY).exits(0);
    edit(&env, "192.0.2.1", "192.0.2.2");
    says(&env.envc(&APPLY).exits(0), &["content: \"192.0.2.1\" → \"192.0.2.2\""]);
    edit(&env, "type=\"A\"", "type=\"AAAA\"");
    edit(&env, "192.0.2.2", "100::");
    let _replaced = env.envc(&APPLY).exits(0);
    let name = format!("AAAA {}.shop.example", id(&env));
    assert_eq!(env.cloud_listing().names("dns"), [name.as_str()]);
    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    let _gone = env.envc(&["destroy", "--yes"]).exits(0);
    assert!(env.cloud_listing().is_empty());
}

#[test]
fn what_the_spec_drops_is_deleted_after_approval() {
    let env = applied();
    let before = env.cloud_listing();
    edit(&env, "queue \"jobs-dlq\"\n", "");
    edit(&env, " dead-letter=\"jobs-dlq\"", "");
    check("drop_not_approved", &env, &env.envc(&APPLY));
    assert_eq!(env.cloud_listing(), before);
    check("drop", &env, &env.envc(&["apply", "--yes", "--parallelism", "1"]));
    assert_eq!(env.cloud_listing().names("queue").len(), 1);
}

#[test]
fn what_exists_is_bound_to_and_never_touched() {
    let mut env = TestEnv::of_text(ONE_KV);
    let cloud = env.cloud();
    let made = cloud.of_account(
        &Method::POST,
        "/storage/kv/namespaces",
        Some(&json!({"title": "theirs"})),
    );
    let theirs = made["id"].as_str().expect("a namespace has an ID").to_owned();
    env.write(
        "environment.kdl",
        &format!(
            "project \"shop\"\n\
             environment \"local\" default {{\n\
             \x20   identity branch max-length=20 unique\n\
             \x20   existing {{ kv \"cache\" id=\"{theirs}\" }}\n}}\n\
             kv \"cache\"\nkv \"own\"\n\
             dotenv \".env\" {{ CACHE \"{{kv.cache.id}}\" ; OWN \"{{kv.own.id}}\" }}\n"
        ),
    );
    let _applied = env.envc(&APPLY).exits(0);
    assert!(env.read(".env").unwrap().contains(&theirs));
    assert_eq!(env.cloud_listing().names("kv").len(), 2);
    let _gone = env.envc(&["destroy", "--yes"]).exits(0);
    assert_eq!(env.cloud_listing().names("kv"), ["theirs"]);

    // On an account; on the local cloud it is stood in for.
    edit(&env, &theirs, "00000000000000000000000000000000");
    let _cloud = ServedCloud::start(&mut env, "", &[]);
    let mut apply = APPLY.to_vec();
    apply.push("--rebind");
    let ran = env.envc(&apply);
    check("existing_missing", &env, &ran);
}

#[test]
fn what_exists_is_stood_in_for_where_there_is_no_account() {
    let id = "77aa55c0-1b2c-4d3e-8f4a-5b6c7d8e9f01";
    let env = TestEnv::of_text(&format!(
        "project \"shop\"\n\
         environment \"local\" default {{ identity branch max-length=20 unique }}\n\
         environment \"production\" {{\n\
         \x20   identity \"production\" ; protect\n\
         \x20   existing {{ d1 \"orders\" id=\"{id}\" ; r2 \"images\" name=\"shop-images\"\n\
         queue \"jobs\" name=\"shop-jobs\" }}\n}}\n\
         d1 \"orders\" {{ migrations \"m\" }}\nr2 \"images\"\nqueue \"jobs\"\nkv \"own\"\nallow \"unused_resource\"\n"
    ));
    env.write("m/0001.sql", "CREATE TABLE orders (x);\n");
    // Whoever only looks makes nothing, and sees it as it will be.
    let told = "an apply will stand in for: d1.orders, r2.images, queue.jobs\n";
    for args in [
        &["plan", "production", "--cloud", "local", "--out", "p.json"][..],
        &["migrate", "status", "production", "--cloud", "local"],
        &["destroy", "production", "--cloud", "local", "--plan"],
    ] {
        let ran = env.envc(args);
        assert_eq!(ran.stderr.matches(told).count(), usize::from(args[0] != "destroy"), "{ran}");
        assert!(!ran.stderr.contains("stood in"), "{ran}");
        assert!(env.cloud_listing().is_empty(), "{ran}");
    }
    let declined = env.envc(&["apply", "production", "--cloud", "local"]).exits(1);
    assert!(env.cloud_listing().is_empty(), "{declined}");
    // What the plan saw is what is made: it is the same plan.
    let ran = env.envc(&["apply", "--plan", "p.json"]).exits(0);
    assert_eq!(ran.stderr.matches("stood in for: d1.orders, r2.images, queue.jobs\n").count(), 1);
    let made = env.cloud_listing();
    assert_eq!(made.id("d1", &format!("stand-in-{id}")), Some(id), "{made:?}");
    assert_eq!(made.names("queue"), ["shop-jobs"], "{made:?}");
    let again = env.envc(&["apply", "production", "--cloud", "local", "--yes"]).exits(0);
    says(&again, &["Nothing to do"]);
    assert_eq!(env.cloud_listing(), made);
    // It is there to be worked on, and not what envc takes away.
    let migrated = ["migrate", "apply", "production", "--cloud", "local", "--yes"];
    says(&env.envc(&migrated).exits(0), &["migrated d1.orders  0001.sql"]);
    // Another type has its own, and nothing is stood in for.
    let own = env.envc(&["apply"]).exits(0);
    assert!(!own.stderr.contains("stood in"), "{own}");
}

#[test]
fn quiet_says_what_was_asked_for_and_nothing_of_what_was_done() {
    let env = with_stand_in(TestEnv::new("quickstart"));
    let silent = |args: &[&str]| {
        let ran = env.envc(args).exits(0);
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""), "{args:?}");
    };
    silent(&["check", "-q"]);
    let plan = env.envc(&["plan", "-q"]).exits(0);
    says(&plan, &["5 to create", "Files to write"]);
    assert_eq!(plan.stderr, "");
    silent(&["apply", "-q"]);
    silent(&["apply", "-q"]);
    silent(&["migrate", "apply", "-q"]);
    assert_eq!(env.envc(&["plan", "-q"]).exits(0).stdout, "No changes.\n");
    says(&env.envc(&["output", "-q", "--only", "env.type"]).exits(0), &["local\n"]);
    silent(&["destroy", "-q", "--yes"]);
    silent(&["destroy", "-q", "--yes", "--if-exists"]);
    says(&env.envc(&["destroy", "-q", "--yes"]).exits(3), &["nothing to destroy"]);
}

#[test]
fn protect_refuses_to_delete_and_to_replace() {
    let env = TestEnv::of_text(
        &FIXED
            .replace("identity \"production\"", "identity \"production\" ; protect")
            .replace(" \"unprotected_production\"", "")
            .replace("kv \"cache\"", "kv \"cache\"\nr2 \"files\""),
    );
    check("protect_not_approved", &env, &env.envc(&APPLY));
    let _made = env.envc(&["apply", "--yes"]).exits(0);
    let before = env.cloud_listing();
    check("protect_destroy", &env, &env.envc(&["destroy", "--yes"]));
    edit(&env, "r2 \"files\"", "r2 \"files\" name=\"shop-other-{env}\"");
    check("protect_replace", &env, &env.envc(&["apply", "--yes"]));
    edit(&env, "r2 \"files\" name=\"shop-other-{env}\"\n", "");
    says(&env.envc(&["apply", "--yes"]).exits(1), &["r2.files would be deleted", "protect"]);
    assert_eq!(env.cloud_listing(), before);
}

#[test]
fn what_is_kept_is_kept_without_its_children_in_the_record() {
    let env = TestEnv::new("eventuall");
    env.envc(&["apply"]).exits(0);
    let ran = env.envc(&["destroy", "--yes", "--keep", "tunnel.dev"]).exits(0);
    says(&ran, &["2 kept"]);
    assert_eq!(env.cloud_listing().names("tunnel").len(), 1);
    // Nothing in the record is a child without its parent: it can be read.
    env.envc(&["destroy", "--yes"]).exits(0);
    assert!(env.cloud_listing().is_empty());
}

#[test]
fn destroy_leaves_nothing_but_what_is_kept() {
    let env = applied();
    check("destroy_keep_unknown", &env, &env.envc(&["destroy", "--yes", "--keep", "d1.ap"]));
    assert_eq!(env.cloud_listing().counts().len(), 4);
    let ran = env.envc(&["destroy", "--yes", "--keep", "d1.app", "--parallelism", "1"]);
    check("destroy_keep", &env, &ran);
    assert_eq!(env.cloud_listing().counts(), BTreeMap::from([("d1", 1)]));
    let shown = env.envc(&["show"]).exits(0);
    assert!(!shown.stdout.contains("wrangler.jsonc"), "{shown}");

    check("destroy", &env, &env.envc(&["destroy", "--yes", "--parallelism", "1"]));
    assert!(env.cloud_listing().is_empty());
    check("destroy_again", &env, &env.envc(&["destroy", "--yes"]));
    check("destroy_if_exists", &env, &env.envc(&["destroy", "--yes", "--if-exists"]));
    assert_eq!(env.states().len(), 0, "nothing is recorded of it");
}

#[test]
fn pull_requests_have_environments_of_their_own() {
    let env = TestEnv::of_text(
        "project \"shop\"\n\
         environment \"local\" default { identity branch max-length=20 unique }\n\
         environment \"ephemeral\" { when pr ; identity \"pr-{env.pr}\" }\n\
         kv \"cache\"\n",
    );
    check("pr_without_number", &env, &env.envc(&["apply", "ephemeral"]));
    let ran = env.envc(&["destroy", "--yes", "ephemeral", "--pr", "42"]).exits(3);
    says(&ran, &["nothing of `pr-42`", "--if-exists"]);
    let _none = env.envc(&["destroy", "--yes", "ephemeral", "--pr", "42", "--if-exists"]).exits(0);
    let _by_number = env.envc(&["apply", "--pr", "42"]).exits(0);
    let _again = env.envc(&["apply", "ephemeral", "--pr", "42"]).exits(0);
    let _other = env.envc(&["apply", "ephemeral", "--pr", "7"]).exits(0);
    let names = || {
        let listing = env.cloud_listing().without_claims();
        listing.names("kv").into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(names(), ["shop--cache--pr-42", "shop--cache--pr-7"]);
    // Another machine knows nothing of it but its name.
    env.lose_states();
    let _gone = env.envc(&["destroy", "--yes", "ephemeral", "--pr", "42", "--if-exists"]).exits(0);
    assert_eq!(names(), ["shop--cache--pr-7"]);
}

/// Both give `shop-api-db-pr-1` where names are joined by one dash.
#[test]
fn two_projects_in_one_account_never_share_a_name() {
    let spec = |project: &str, label: &str| {
        format!(
            "project \"{project}\"\n\
             environment \"ephemeral\" {{ when pr ; identity \"pr-{{env.pr}}\" }}\n\
             d1 \"{label}\"\n\
             allow \"unused_resource\" \"pr_without_ttl\"\n"
        )
    };
    let env = TestEnv::of_text(&spec("shop", "api-db"));
    let _first = env.envc(&["apply", "--pr", "1", "--yes"]).exits(0);
    let first = env.cloud_listing().without_claims();
    env.write("environment.kdl", &spec("shop-api", "db"));
    let ran = env.envc(&["apply", "--pr", "1", "--yes"]).exits(0);
    assert!(!ran.stderr.contains("adopt"), "{ran}");
    assert_eq!(env.cloud_listing().names("d1"), ["shop--api-db--pr-1", "shop-api--db--pr-1"]);
    let _gone = env.envc(&["destroy", "--pr", "1", "--yes"]).exits(0);
    assert_eq!(env.cloud_listing().without_claims(), first);
    env.write("environment.kdl", &spec("shop", "api-db"));
    let _none = env.envc(&["plan", "--pr", "1", "--detailed-exitcode"]).exits(0);
}

#[test]
fn what_has_a_name_of_the_first_version_keeps_it_and_proves_nothing() {
    let spec = "project \"shop\"\n\
        environment \"ephemeral\" { when pr ; identity \"pr-{env.pr}\" }\n\
        kv \"cache\"\nr2 \"files\"\nqueue \"jobs\"\n\
        allow \"unused_resource\" \"pr_without_ttl\"\n";
    let env = TestEnv::of_text(spec);
    let post = |path: &str, body: &Json| env.cloud().of_account(&Method::POST, path, Some(body));
    let _kv = post("/storage/kv/namespaces", &json!({ "title": "shop-cache-pr-7" }));
    let _r2 = post("/r2/buckets", &json!({ "name": "shop-files-pr-7" }));
    let _queue = post("/queues", &json!({ "queue_name": "shop-jobs-pr-7" }));
    let before = env.cloud_listing();
    let told = |ran: &Ran| {
        for (address, name) in [
            ("kv.cache", "shop-cache-pr-7"),
            ("r2.files", "shop-files-pr-7"),
            ("queue.jobs", "shop-jobs-pr-7"),
        ] {
            says(ran, &[&format!("`{name}`"), address, &format!("--adopt {address}")]);
        }
    };
    // A destroy on another machine finds them, tells them, and leaves them alone: that is no end.
    for args in [&["destroy", "--pr", "7", "--yes"][..], &["destroy", "--pr", "7", "--if-exists"]] {
        told(&env.envc(args).exits(1));
    }
    assert_eq!(env.cloud_listing().without_claims(), before);
    let planned = env.envc(&["plan", "--pr", "7"]).exits(0);
    told(&planned);
    says(
        &planned,
        &["could be kv.cache of `pr-7`", "envc apply ephemeral --pr 7 --adopt kv.cache"],
    );
    // Taken over, they keep their names, and nothing is left to do.
    let adopt = ["--adopt", "kv.cache", "--adopt", "r2.files", "--adopt", "queue.jobs"];
    let args: Vec<&str> = ["apply", "--pr", "7", "--yes"].into_iter().chain(adopt).collect();
    let _taken = env.envc(&args).exits(0);
    assert_eq!(env.cloud_listing().without_claims(), before);
    let none = env.envc(&["plan", "--pr", "7", "--detailed-exitcode"]).exits(0);
    assert!(!none.stderr.contains("could be"), "{none}");
    // A change in place is made under the name that is there; a name of one's own is a rename.
    edit(&env, "queue \"jobs\"", "queue \"jobs\" retention=86400");
    let _changed = env.envc(&["apply", "--pr", "7", "--yes"]).exits(0);
    assert_eq!(env.cloud_listing().without_claims(), before);
    edit(&env, "kv \"cache\"", "kv \"cache\" name=\"own-{env}\"");
    let _renamed = env.envc(&["apply", "--pr", "7", "--yes"]).exits(0);
    assert_eq!(env.cloud_listing().without_claims().names("kv"), ["own-pr-7"]);
    // Whether a project has a short form changes nothing of what is recorded.
    edit(&env, "project \"shop\"", "project \"shop\" short=\"shp\"");
    says(&env.envc(&["plan", "--pr", "7"]).exits(0), &["No changes", "will claim"]);
    says(&env.envc(&["apply", "--pr", "7"]).exits(0), &["Nothing to do"]);
    let _none = env.envc(&["plan", "--pr", "7", "--detailed-exitcode"]).exits(0);
    let _gone = env.envc(&["destroy", "--pr", "7", "--yes"]).exits(0);
    assert!(env.cloud_listing().without_claims().is_empty());
}

#[test]
fn a_saved_plan_is_done_exactly_or_refused() {
    let env = TestEnv::of_text(ONE_KV);
    let _saved = env.envc(&["plan", "--out", "p.json"]).exits(0);
    let _applied = env.envc(&["apply", "--plan", "p.json"]).exits(0);
    assert_eq!(env.cloud_listing().names("kv").len(), 1);
    check("plan_stale", &env, &env.envc(&["apply", "--plan", "p.json"]));
    edit(&env, "kv \"cache\"", "kv \"cache\"\nkv \"more\"");
    let _saved = env.envc(&["plan", "--out", "p.json"]).exits(0);
    edit(&env, "kv \"more\"", "kv \"most\"");
    says(&env.envc(&["apply", "--plan", "p.json"]).exits(1), &["stale", "the spec was changed"]);
    check("plan_missing", &env, &env.envc(&["apply", "--plan", "nope.json"]));
    env.write("p.json", "{}");
    says(&env.envc(&["apply", "--plan", "p.json"]).exits(64), &["cannot be used"]);
    assert_eq!(env.cloud_listing().names("kv").len(), 1);
}

#[test]
fn events_tell_programs_the_same() {
    let env = TestEnv::of_text(ONE_KV);
    let ran = env.envc(&["apply", "--json"]).exits(0);
    assert_eq!(ran.stderr, "");
    let events = ran.events();
    let names: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(names, ["plan", "step_begun", "step_done", "applied"], "{ran}");
    assert!(events.iter().all(|event| event["v"] == 1), "{ran}");
    let done = ran.event("step_done").unwrap();
    assert_eq!((&done["verb"], &done["address"]), (&json!("create"), &json!("kv.cache")));
    assert_eq!(ran.event("plan").unwrap()["counts"]["create"], 1);
    let again = env.envc(&["apply", "--json"]).exits(0);
    assert_eq!(again.event("applied").unwrap()["steps"], 0);
    let gone = env.envc(&["destroy", "--yes", "--json"]).exits(0);
    assert_eq!(gone.event("destroyed").unwrap()["deleted"], 1);
    let error = env.envc(&["destroy", "--yes", "--json"]).exits(3).event("error").unwrap();
    assert_eq!((&error["exit"], &error["code"]), (&json!(3), &json!("envc::cli::nothing_known")));
}

#[test]
fn a_destroy_that_keeps_something_lets_go_of_the_folder_and_says_what_it_kept() {
    let env = TestEnv::of_text(
        "project \"shop\"\n\
         environment \"ephemeral\" { when pr ; identity \"pr-{env.pr}\" ; ttl \"7d\" }\n\
         kv \"cache\"\nkv \"old\"\nallow \"unused_resource\"\n\
         dotenv \".env\" { ID \"{kv.cache.id}\" }\n",
    );
    env.write(".gitignore", ".env\n.envc/\n");
    env.envc(&["apply", "--pr", "1"]).exits(0);
    let kept = env.envc(&["destroy", "--pr", "1", "--yes", "--keep", "kv.old"]).exits(0);
    says(&kept, &["1 resource deleted, 1 kept"]);
    assert_eq!(env.read(".env"), None);
    env.envc(&["apply", "--pr", "2"]).exits(0);
    assert!(env.read(".env").is_some());
}

#[test]
fn what_was_renamed_or_deleted_outside_stands_among_what_changed_there() {
    let env = TestEnv::of_text(&format!("{ONE_KV}queue \"jobs\"\n"));
    env.envc(&["apply"]).exits(0);
    let listing = env.cloud_listing();
    let named = |kind: &str, label: &str| {
        let name = format!("shop--{label}--{}", id(&env));
        let found = listing.id(kind, &name).unwrap().to_owned();
        (name, found)
    };
    let ((cache, kv), (_, queue)) = (named("kv", "cache"), named("queue", "jobs"));
    let path = format!("/storage/kv/namespaces/{kv}");
    env.cloud().of_account(&Method::PUT, &path, Some(&json!({"title": "mine"})));
    env.cloud().of_account(&Method::DELETE, &format!("/queues/{queue}"), None);
    let ran = env.envc(&["plan"]).exits(0);
    says(
        &ran,
        &[
            "Changed outside envc since the last apply:",
            &format!("name: \"{cache}\" → \"mine\""),
            &format!("id: \"{queue}\" → (nothing)"),
        ],
    );
    env.envc(&["apply"]).exits(0);
    assert_eq!(env.envc(&["plan"]).exits(0).stdout, "No changes.\n");
}
