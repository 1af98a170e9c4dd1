//! What a live Worker that wrangler deployed is bound to: it outlives its place in the spec until that
//! Worker is deployed anew.

use envc_tests::{Ran, TestEnv};
use http::Method;
use serde_json::{Value as Json, json};

use crate::common::{edit, says};

const APPLY: [&str; 2] = ["apply", "--yes"];
const STORES: &str = "kv \"old\"\nd1 \"data\"\nr2 \"files\"\nqueue \"jobs\"\n";
const BOUND: &str = "bind \"KV\" kv=\"old\" ; bind \"DB\" d1=\"data\" ; bind \"R2\" r2=\"files\" ; \
                     bind \"Q\" queue=\"jobs\"";
const KINDS: [&str; 4] = ["kv", "d1", "r2", "queue"];

/// A Worker that wrangler deploys, with this inside, and this beside it.
fn spec(beside: &str, inside: &str) -> String {
    format!(
        "project \"shop\"\n\
         environment \"local\" default {{ identity branch max-length=20 unique }}\n\
         {beside}allow \"unused_resource\"\n\
         worker \"api\" path=\"api\" main=\"a.js\" compatibility-date=\"2026-09-01\" {{\n{inside}\n}}\n"
    )
}

/// It was applied and deployed.
fn deployed(beside: &str, inside: &str) -> TestEnv {
    let env = TestEnv::of_text(&spec(beside, inside));
    env.envc(&APPLY).exits(0);
    deploy(&env);
    env
}

/// `wrangler deploy` with what the last apply wrote.
fn deploy(env: &TestEnv) -> String {
    env.deploy("api", &env.cloud(), &[])
}

fn names(env: &TestEnv) -> Vec<Vec<String>> {
    let listing = env.cloud_listing();
    KINDS.iter().map(|kind| listing.names(kind).into_iter().map(str::to_owned).collect()).collect()
}

#[track_caller]
fn says_nothing_of(ran: &Ran, text: &str) {
    assert!(!ran.to_string().contains(text), "{text} in {ran}");
}

/// No plan has anything to do, and none says that anything waits.
#[track_caller]
fn settled(env: &TestEnv) {
    let plan = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    says(&plan, &["No changes."]);
}

#[test]
fn what_leaves_the_spec_stays_until_the_live_worker_was_deployed_without_it() {
    let env = deployed(STORES, BOUND);
    let before = names(&env);
    env.write("environment.kdl", &spec("", ""));
    let plan = env.envc(&["plan", "--detailed-exitcode"]).exits(2);
    says(&plan, &["… wait kv.old", "waits for worker.api, which is bound to it", "Files to write"]);
    says_nothing_of(&plan, "- delete");
    let ran = env.envc(&["apply"]).exits(0);
    says(
        &ran,
        &[
            "wrote api/wrangler.jsonc",
            "d1.data, kv.old, r2.files, queue.jobs wait for worker.api",
            "`wrangler deploy --config api/wrangler.jsonc`, then `envc apply local` deletes them",
        ],
    );
    assert_eq!(names(&env), before);
    assert!(!env.read("api/wrangler.jsonc").unwrap().contains("kv_namespaces"));

    // Nothing changes until somebody deploys, and every run says so.
    for _ in 0..2 {
        let plan = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
        says(&plan, &["No changes, and 4 resources that wait to be deleted.", "… wait d1.data"]);
        says(&env.envc(&["apply"]).exits(0), &["Nothing to do", "4 waiting", "wrangler deploy"]);
        assert_eq!(names(&env), before);
    }

    deploy(&env);
    says(&env.envc(&["plan"]).exits(0), &["- delete kv.old", "4 to delete"]);
    // Data goes, and that is asked for now.
    says(&env.envc(&["apply"]).exits(1), &["not approved"]);
    says(&env.envc(&APPLY).exits(0), &["deleted queue.jobs", "deleted d1.data"]);
    assert!(names(&env).concat().is_empty(), "{}", env.cloud_listing());
    settled(&env);
}

#[test]
fn programs_and_saved_plans_are_told_what_waits() {
    let env = deployed("kv \"old\"\n", "bind \"KV\" kv=\"old\"");
    env.write("environment.kdl", &spec("", ""));
    let told = env.envc(&["plan", "--json", "--out", "plan.json"]).exits(0).event("plan").unwrap();
    let saved: Json = serde_json::from_str(&env.read("plan.json").unwrap()).unwrap();
    for plan in [&told, &saved] {
        let changes = plan["changes"].as_array().unwrap();
        let old = changes.iter().find(|change| change["address"] == "kv.old").unwrap();
        assert_eq!((&old["action"], &old["waits_for"]), (&json!("wait"), &json!(["worker.api"])));
    }
    assert_eq!((&told["counts"]["wait"], &told["counts"]["delete"]), (&json!(1), &json!(0)));
    // A deployment between the two is noticed.
    env.envc(&["apply"]).exits(0);
    env.envc(&["plan", "--out", "plan.json"]).exits(0);
    let applied = env.envc(&["apply", "--plan", "plan.json", "--json"]).exits(0);
    let waiting = applied.event("applied").unwrap()["waiting"].clone();
    assert_eq!(
        (&waiting[0]["address"], &waiting[0]["waits_for"][0]),
        (&json!("kv.old"), &json!("worker.api"))
    );
    deploy(&env);
    let stale = env.envc(&["apply", "--plan", "plan.json"]).exits(1);
    says(&stale, &["the saved plan is stale", "what is in the account was changed"]);
}

#[test]
fn where_no_script_is_live_nothing_waits_and_nobody_asks_where_nothing_goes() {
    let env = TestEnv::of_text(&spec(STORES, BOUND));
    env.envc(&APPLY).exits(0);
    // Never deployed.
    edit(&env, "kv \"old\"\n", "");
    edit(&env, "bind \"KV\" kv=\"old\" ; ", "");
    says(&env.envc(&APPLY).exits(0), &["deleted kv.old"]);
    // Deployed, and taken away by the user.
    let script = deploy(&env);
    env.write("environment.kdl", &spec("", ""));
    says(&env.envc(&APPLY).exits(0), &["wait for worker.api"]);
    let path = format!("/workers/scripts/{script}");
    env.cloud().of_account(&Method::DELETE, &path, None);
    let ran = env.envc(&APPLY).exits(0);
    says(&ran, &["deleted d1.data", "deleted queue.jobs"]);
    settled(&env);
    let denied = env.envc_with_faults("deny=workers", &APPLY).exits(0);
    says(&denied, &["Nothing to do"]);
}

#[test]
fn a_consumer_goes_with_its_queue_since_no_deployment_takes_it_away() {
    let both = "bind \"Q\" queue=\"jobs\" ; consume \"jobs\"";
    for (inside, waits) in [("consume \"jobs\"", false), (both, true)] {
        let env = deployed("queue \"jobs\"\n", inside);
        assert_eq!(env.cloud_listing().names("queue-consumer").len(), 1);
        env.write("environment.kdl", &spec("", ""));
        if waits {
            says(&env.envc(&APPLY).exits(0), &["queue.jobs waits for worker.api"]);
            assert_eq!(env.cloud_listing().names("queue-consumer").len(), 1, "it still reads");
            deploy(&env);
            // wrangler left it.
            assert_eq!(env.cloud_listing().names("queue-consumer").len(), 1);
        }
        let ran = env.envc(&APPLY).exits(0);
        says(&ran, &["deleted queue-consumer.api.", "deleted queue.jobs"]);
        assert!(ran.stderr.find("deleted queue-consumer") < ran.stderr.find("deleted queue.jobs"));
        settled(&env);
        deploy(&env);
        env.envc(&["destroy", "--yes"]).exits(0);
        assert!(env.cloud_listing().is_empty(), "{}", env.cloud_listing());
    }
}

#[test]
fn a_dead_letter_queue_waits_for_the_deployment_that_names_it_no_more() {
    let beside = "queue \"jobs\"\nqueue \"dead\"\n";
    let env = deployed(beside, "consume \"jobs\" dead-letter=\"dead\"");
    env.write("environment.kdl", &spec("queue \"jobs\"\n", "consume \"jobs\""));
    let plan = env.envc(&["plan"]).exits(0);
    says(&plan, &["… wait queue.dead", "waits for worker.api, whose queue consumer `shop--jobs--"]);
    says(&env.envc(&APPLY).exits(0), &["queue.dead waits for worker.api"]);
    // wrangler writes the consumer anew.
    let queues = env.cloud().of_account(&Method::GET, "/queues", None);
    let jobs = queues.as_array().unwrap().iter().find(|it| it["consumers"][0].is_object()).unwrap();
    let (queue, consumer) = (&jobs["queue_id"], &jobs["consumers"][0]);
    let id = consumer["consumer_id"].as_str().unwrap();
    let path = format!("/queues/{}/consumers/{id}", queue.as_str().unwrap());
    let body = json!({ "type": "worker", "script_name": consumer["script"], "settings": {} });
    env.cloud().of_account(&Method::PUT, &path, Some(&body));
    says(&env.envc(&APPLY).exits(0), &["deleted queue.dead"]);
    settled(&env);

    // A consumer that left the spec, too, is in nobody's way: wrangler would leave it for ever.
    let env = deployed(beside, "consume \"jobs\" dead-letter=\"dead\"");
    env.write("environment.kdl", &spec("queue \"jobs\"\n", ""));
    says(&env.envc(&APPLY).exits(0), &["deleted queue-consumer.api.", "deleted queue.dead"]);
    settled(&env);
    // With both queues it goes first.
    let env = deployed(beside, "consume \"jobs\" dead-letter=\"dead\"");
    env.write("environment.kdl", &spec("", ""));
    says(&env.envc(&APPLY).exits(0), &["deleted queue.jobs", "deleted queue.dead"]);
    settled(&env);
}

#[test]
fn what_a_worker_of_somebody_else_uses_is_told_with_its_name_and_files_are_written() {
    let env = deployed(STORES, BOUND);
    let queue = env.cloud_listing().names("queue")[0].to_owned();
    let theirs = json!({ "name": "theirs", "queues": { "producers": [{ "binding": "Q", "queue": queue }] } });
    env.cloud().deploy(&theirs, &[]);
    env.write("environment.kdl", &spec("kv \"new\"\n", "bind \"NEW\" kv=\"new\""));
    env.envc(&APPLY).exits(0);
    deploy(&env);
    edit(&env, "bind \"NEW\"", "bind \"OTHER\"");
    let ran = env.envc(&APPLY).exits(1);
    says(&ran, &["11005", "theirs", "could not delete queue.jobs", "wrote api/wrangler.jsonc"]);
    says(&ran, &["deleted kv.old", "deleted d1.data", "deleted r2.files"]);
    assert!(env.read("api/wrangler.jsonc").unwrap().contains("OTHER"));
    env.cloud().of_account(&Method::DELETE, "/workers/scripts/theirs", None);
    says(&env.envc(&APPLY).exits(0), &["deleted queue.jobs"]);
    settled(&env);
}

#[test]
fn who_uses_a_worker_that_left_the_spec_is_told_and_files_are_written() {
    let web = "worker \"web\" path=\"web\" deploy=\"bundle\" bundle=\"dist\" \
               compatibility-date=\"2026-09-01\"\n";
    let env = TestEnv::of_text(&spec(web, ""));
    env.write("web/dist/index.js", "export default { fetch() {} };\n");
    env.envc(&APPLY).exits(0);
    let listing = env.cloud_listing();
    let script = listing.names("worker")[0];
    let service =
        json!({ "type": "service", "name": "WEB", "service": script, "environment": "production" });
    env.cloud().deploy(&json!({ "name": "theirs" }), &[service]);
    env.write("environment.kdl", &spec("", "var \"A\" \"a\""));
    let ran = env.envc(&APPLY).exits(1);
    says(&ran, &["10142", "referred to by Worker `theirs`", "wrote api/wrangler.jsonc"]);
    env.cloud().of_account(&Method::DELETE, "/workers/scripts/theirs", None);
    says(&env.envc(&APPLY).exits(0), &["deleted worker.web"]);
    settled(&env);
}

#[test]
fn under_a_fixed_name_the_old_half_of_a_replace_is_known_to_every_command() {
    let of = |text: &str| {
        let text = text.replace("identity branch max-length=20 unique", "identity \"staging\"");
        text.replace("\"local\"", "\"staging\"")
    };
    let env = TestEnv::of_text(&of(&spec("r2 \"files\"\n", "bind \"R2\" r2=\"files\"")));
    env.envc(&APPLY).exits(0);
    deploy(&env);
    let renamed = "r2 \"files\" name=\"other-{env}\"\n";
    env.write("environment.kdl", &of(&spec(renamed, "bind \"R2\" r2=\"files\"")));
    env.envc(&APPLY).exits(0);
    let again = env.envc(&APPLY).exits(0);
    says(&again, &["the old r2.files waits for worker.api"]);
    says_nothing_of(&again, "nothing proves it");
    env.envc(&["destroy", "--yes"]).exits(0);
    assert!(env.cloud_listing().is_empty(), "{}", env.cloud_listing());
}

#[test]
fn a_worker_that_envc_uploads_is_no_reason_to_wait() {
    let bundle = |inside: &str, stores: &str| {
        format!(
            "{stores}worker \"web\" path=\"web\" deploy=\"bundle\" bundle=\"dist\" \
             compatibility-date=\"2026-09-01\" {{ {inside} }}\n"
        )
    };
    let kv = "bind \"KV\" kv=\"old\"";
    let env = TestEnv::of_text(&spec(&bundle(kv, "kv \"old\"\n"), kv));
    env.write("web/dist/index.js", "export default { fetch() {} };\n");
    env.envc(&APPLY).exits(0);
    deploy(&env);
    // Both let go of it: what is uploaded does so now.
    env.write("environment.kdl", &spec(&bundle("", ""), ""));
    says(&env.envc(&APPLY).exits(0), &["updated worker.web", "kv.old waits for worker.api"]);
    deploy(&env);
    says(&env.envc(&APPLY).exits(0), &["deleted kv.old"]);
    settled(&env);
    // Only what is uploaded was bound to it.
    env.write("environment.kdl", &spec(&bundle(kv, "kv \"old\"\n"), ""));
    env.envc(&APPLY).exits(0);
    deploy(&env);
    env.write("environment.kdl", &spec(&bundle("", ""), ""));
    let ran = env.envc(&APPLY).exits(0);
    says(&ran, &["updated worker.web", "deleted kv.old"]);
    settled(&env);
}

#[test]
fn a_worker_that_envc_uploaded_waits_with_all_that_it_needs() {
    let web = "kv \"old\"\nworker \"web\" path=\"web\" deploy=\"bundle\" bundle=\"dist\" \
               compatibility-date=\"2026-09-01\" { bind \"KV\" kv=\"old\" ; cron \"0 * * * *\" }\n";
    let env = TestEnv::of_text(&spec(web, ""));
    env.write("web/dist/index.js", "export default { fetch() {}, scheduled() {} };\n");
    env.envc(&APPLY).exits(0);
    let listing = env.cloud_listing();
    let script = listing.names("worker")[0].to_owned();
    let service =
        json!({ "type": "service", "name": "WEB", "service": script, "environment": "production" });
    env.deploy("api", &env.cloud(), &[service]);
    env.write("environment.kdl", &spec("", ""));
    says(&env.envc(&APPLY).exits(0), &["kv.old, worker.web", "wait for worker.api"]);
    assert_eq!(env.cloud_listing().names("kv").len(), 1);
    assert_eq!(env.cloud_listing().names("worker").len(), 2);
    env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    deploy(&env);
    says(&env.envc(&APPLY).exits(0), &["deleted worker.web", "deleted kv.old"]);
    settled(&env);
}

#[test]
fn a_token_that_may_not_read_what_is_live_deletes_nothing() {
    let env = deployed("kv \"old\"\n", "bind \"KV\" kv=\"old\"");
    env.write("environment.kdl", &spec("", ""));
    let plan = env.envc_with_faults("deny=workers", &["plan"]).exits(0);
    says(&plan, &["Workers Scripts Read", "- delete kv.old"]);
    let ran = env.envc_with_faults("deny=workers", &APPLY).exits(1);
    says(&ran, &["what live Workers are bound to cannot be read", "Workers Scripts Read"]);
    assert_eq!(env.cloud_listing().names("kv").len(), 1);
    env.envc(&APPLY).exits(0);
}

#[test]
fn protection_is_taken_from_what_waits_as_from_what_goes() {
    let text = spec("kv \"old\"\n", "bind \"KV\" kv=\"old\"");
    let of = |text: &str| {
        let fixed =
            text.replace("identity branch max-length=20 unique", "identity \"live\" ; protect");
        fixed.replace("allow ", "allow \"unprotected_production\" ")
    };
    let env = TestEnv::of_text(&of(&text));
    env.envc(&APPLY).exits(0);
    deploy(&env);
    env.write("environment.kdl", &of(&spec("", "")));
    says(&env.envc(&APPLY).exits(1), &["kv.old would be deleted", "--unprotect kv.old"]);
    let apply = ["apply", "--yes", "--unprotect", "kv.old"];
    let again = "then `envc apply local --unprotect kv.old` deletes it";
    says(&env.envc(&apply).exits(0), &["kv.old waits for worker.api", again]);
    deploy(&env);
    says(&env.envc(&apply).exits(0), &["deleted kv.old"]);
    settled(&env);
}

#[test]
fn the_old_half_of_a_replace_waits_and_the_new_one_is_in_the_files() {
    let named = |name: &str| {
        format!("d1 \"data\" {{ migrations \"m\" }}\nr2 \"files\" name=\"{name}-{{env}}\"\n")
    };
    let inside = "bind \"R2\" r2=\"files\" ; bind \"DB\" d1=\"data\"";
    let env = TestEnv::of_text(&spec(&named("one"), inside));
    env.write("m/1.sql", "CREATE TABLE notes (id INTEGER);\n");
    env.envc(&APPLY).exits(0);
    deploy(&env);
    env.write("environment.kdl", &spec(&named("two"), inside));
    says(&env.envc(&["plan"]).exits(0), &["+ create r2.files  two-", "… wait r2.files  one-"]);
    let ran = env.envc(&APPLY).exits(0);
    says(&ran, &["created r2.files  two-", "the old r2.files waits for worker.api"]);
    assert_eq!(env.cloud_listing().names("r2").len(), 2);
    assert!(env.read("api/wrangler.jsonc").unwrap().contains("two-"));
    // It is in no place of the spec, and is not forgotten, whatever runs meanwhile.
    let plan = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    says(&plan, &["… wait r2.files  one-", "No changes, and 1 resource that waits to be deleted."]);
    env.write("m/2.sql", "CREATE TABLE more (id INTEGER);\n");
    says(&env.envc(&["migrate", "apply", "--yes"]).exits(0), &["migrated d1.data"]);
    says(&env.envc(&APPLY).exits(0), &["Nothing to do", "the old r2.files waits"]);
    deploy(&env);
    says(&env.envc(&APPLY).exits(0), &["deleted r2.files  one-"]);
    settled(&env);

    // Back to a name that waits is no replace any more.
    env.write("environment.kdl", &spec(&named("three"), inside));
    env.envc(&APPLY).exits(0);
    env.write("environment.kdl", &spec(&named("two"), inside));
    env.envc(&APPLY).exits(0);
    deploy(&env);
    env.envc(&APPLY).exits(0);
    settled(&env);
    assert!(env.cloud_listing().names("r2")[0].starts_with("two-"), "{}", env.cloud_listing());

    // What keeps its name cannot be made before the old one is gone: that is told.
    let plan = env.envc(&["plan", "--replace", "d1.data"]).exits(0);
    says(&plan, &["± replace (the old one goes first)", "worker.api is bound to the old one"]);
    // A destroy takes both halves.
    env.write("environment.kdl", &spec(&named("four"), inside));
    env.envc(&APPLY).exits(0);
    env.envc(&["destroy", "--yes"]).exits(0);
    assert!(env.cloud_listing().is_empty(), "{}", env.cloud_listing());
}

/// Nobody deploys what the spec has no more: it waits until somebody deletes the script, and what would
/// keep the script goes.
#[test]
fn what_the_script_of_a_worker_that_left_the_spec_uses_waits_until_it_is_deleted() {
    let inside = format!("{BOUND} ; consume \"jobs\"");
    let none = "project \"shop\"\n\
        environment \"local\" default { identity branch max-length=20 unique }\n";
    let renamed = spec("", "").replace("worker \"api\"", "worker \"backend\"");
    for without in [none.to_owned(), renamed] {
        let env = deployed(STORES, &inside);
        let script = env.cloud_listing().names("worker")[0].to_owned();
        env.write("environment.kdl", &without);
        let plan = env.envc(&["plan"]).exits(0);
        let waits = format!("waits for worker.{script}, which is bound to it");
        says(&plan, &["wait kv.old", &waits, "Plan: 1 to delete"]);
        let ran = env.envc(&APPLY).exits(0);
        says(&ran, &["deleted queue-consumer.", &format!("`wrangler delete --name {script}`")]);
        let left: Vec<usize> = names(&env).iter().map(Vec::len).collect();
        assert_eq!(left, [1, 1, 1, 1], "{ran}");
        let path = format!("/workers/scripts/{script}");
        env.cloud().of_account(&Method::DELETE, &path, None);
        says(&env.envc(&APPLY).exits(0), &["deleted kv.old", "deleted queue.jobs"]);
        settled(&env);
    }
    // Destroy takes all of it, the script too.
    let env = deployed(STORES, &inside);
    env.write("environment.kdl", none);
    env.envc(&APPLY).exits(0);
    env.envc(&["destroy", "--yes"]).exits(0);
    assert!(env.cloud_listing().is_empty(), "{}", env.cloud_listing());
}
