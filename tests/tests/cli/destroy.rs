//! `envc destroy` takes the environment whole: what wrangler deployed, what left the spec, and nothing
//! that nothing proves ours.

use envc_tests::{CloudView, ServedCloud, TestEnv};
use serde_json::{Value as Json, json};

use crate::common::{A, B, runner, says};

/// Two Workers that wrangler deploys, with all that a deployment brings.
const SPEC: &str = "project \"shop\" { zone \"shop.example\" }\n\
    environment \"local\" default { identity branch unique }\n\
    environment \"pr\" { identity \"pr-{env.pr}\" ; when pr ; ttl \"7d\" }\n\
    environment \"staging\" { identity \"staging\" }\n\
    d1 \"orders\"\n\
    kv \"flags\"\n\
    r2 \"images\"\n\
    queue \"jobs\"\n\
    queue \"dead\"\n\
    worker \"api\" path=\"api\" main=\"a.js\" compatibility-date=\"2026-09-01\" {\n\
        bind \"DB\" d1=\"orders\" ; bind \"FLAGS\" kv=\"flags\" ; bind \"IMAGES\" r2=\"images\"\n\
        bind \"JOBS\" queue=\"jobs\" ; consume \"jobs\" dead-letter=\"dead\" ; cron \"0 * * * *\"\n\
        durable-object \"CART\" class=\"Cart\" ; migration tag=\"v1\" { new-sqlite-classes \"Cart\" }\n\
    }\n\
    worker \"web\" path=\"web\" main=\"a.js\" compatibility-date=\"2026-09-01\" {\n\
        durable-object \"CART\" class=\"Cart\" worker=\"api\"\n\
        domain \"{env}\" ; route \"{env}-r.{zone}/*\" ; bind \"JOBS\" queue=\"jobs\"\n\
    }\n";

const PR: [&str; 4] = ["destroy", "--pr", "1", "--yes"];

fn served(spec: &str) -> (TestEnv, ServedCloud) {
    let mut env = TestEnv::of_text(spec);
    env.git(&["remote", "add", "origin", A]);
    let cloud = ServedCloud::start(&mut env, "", &["shop.example"]);
    (env, cloud)
}

/// Another machine with a clone of the repository.
fn fresh(spec: &str, cloud: &TestEnv) -> TestEnv {
    let mut env = runner(spec, A, cloud);
    env.set("ENVC_CLOUD", "cloudflare");
    env
}

/// Both Workers as wrangler would deploy them; each refers to the other.
fn deploy(env: &TestEnv, cloud: &CloudView) -> (String, String) {
    let api = env.deploy("api", cloud, &[]);
    let web = env.deploy("web", cloud, &[service("API", &api)]);
    (api, web)
}

fn service(name: &str, script: &str) -> Json {
    json!({ "type": "service", "name": name, "service": script, "environment": "production" })
}

#[track_caller]
fn nothing_is_left(cloud: &CloudView) {
    let left = cloud.listing().without_claims();
    assert!(left.is_empty(), "{left}");
}

#[test]
fn what_wrangler_deployed_goes_with_a_whole_record_and_without_any() {
    for lost in [false, true] {
        let (env, cloud) = served(SPEC);
        env.envc(&["apply", "--pr", "1", "--yes"]).exits(0);
        deploy(&env, cloud.view());
        let ran = if lost { fresh(SPEC, &env).envc(&PR) } else { env.envc(&PR) }.exits(0);
        says(&ran, &["none left"]);
        nothing_is_left(cloud.view());
    }
}

#[test]
fn a_whole_record_saves_all_lists_but_those_of_what_wrangler_may_have_made() {
    let (env, cloud) = served(SPEC);
    let count = |path: &str, method: &str, from: usize| {
        let all = cloud.requests();
        let new = all.iter().skip(from);
        new.filter(|it| it.method == method && it.path.ends_with(path)).count()
    };
    env.envc(&["apply", "local", "--yes"]).exits(0);
    deploy(&env, cloud.view());
    let before = cloud.requests().len();
    env.envc(&["destroy", "--yes"]).exits(0);
    nothing_is_left(cloud.view());
    // Once at first, once for the proof; what is in the record is listed for the proof alone.
    assert_eq!(count("/workers/scripts", "GET", before), 2);
    assert_eq!(count("/d1/database", "GET", before), 1);
    for never in ["/hyperdrive/configs", "/vectorize/v2/indexes", "/cfd_tunnel"] {
        assert_eq!(count(never, "GET", before), 0, "{never}");
    }
    // Where there are no scripts, what would serve them is not asked for.
    env.envc(&["apply", "local", "--yes"]).exits(0);
    let before = cloud.requests().len();
    env.envc(&["destroy", "--yes"]).exits(0);
    for never in ["/workers/domains", "/workers/routes"] {
        assert_eq!(count(never, "GET", before), 0, "{never}");
    }
    let sent = cloud.requests().len() - before;
    assert!(sent <= 14, "{sent}");
}

#[test]
fn what_left_the_spec_is_found_by_its_name() {
    let (env, cloud) = served(SPEC);
    env.envc(&["apply", "--pr", "1", "--yes"]).exits(0);
    env.envc(&["apply", "--pr", "2", "--rebind", "--yes"]).exits(0);
    env.envc(&["apply", "--pr", "1", "--rebind", "--yes"]).exits(0);
    deploy(&env, cloud.view());
    let others = cloud.view().listing();
    // The default branch has none of it any more.
    let bare = "project \"shop\" { zone \"shop.example\" }\n\
        environment \"pr\" { identity \"pr-{env.pr}\" ; when pr ; ttl \"7d\" }\n\
        kv \"other\"\n";
    let later = fresh(bare, &env);
    says(&later.envc(&PR).exits(0), &["worker.api", "worker.web", "kv.flags", "none left"]);
    let left = cloud.view().listing().without_claims();
    let of_pr_2 = others.objects.iter().filter(|it| it.name.ends_with("--pr-2"));
    assert_eq!(left.objects.iter().collect::<Vec<_>>(), of_pr_2.collect::<Vec<_>>());
    says(&later.envc(&[&PR[..], &["--if-exists"]].concat()).exits(0), &["Nothing to destroy"]);
    // Nor does a record that knows less than there is.
    env.envc(&["apply", "--pr", "2", "--rebind", "--yes"]).exits(0);
    let runner = fresh(
        &SPEC.replace("kv \"flags\"\n", "").replace("bind \"FLAGS\" kv=\"flags\" ;", ""),
        &env,
    );
    runner.envc(&["apply", "--pr", "2", "--yes"]).exits(0);
    says(&runner.envc(&["destroy", "--pr", "2", "--yes"]).exits(0), &["kv.flags"]);
    nothing_is_left(cloud.view());
}

#[test]
fn what_nothing_proves_is_kept_named_and_a_failure_until_the_user_says_so() {
    let (env, cloud) = served(SPEC);
    env.envc(&["apply", "staging", "--yes"]).exits(0);
    deploy(&env, cloud.view());
    let later = fresh(SPEC, &env);
    for _ in 0..2 {
        // The scripts bear the marker; a name that repeats a fixed ID proves nothing.
        let ran = later.envc(&["destroy", "staging", "--yes", "--if-exists"]).exits(1);
        says(
            &ran,
            &[
                "d1.orders `shop--orders--staging`",
                "envc destroy staging --adopt d1.orders --adopt kv.flags --adopt r2.images --adopt \
                 queue.dead --adopt queue.jobs",
            ],
        );
        let left = cloud.view().listing();
        assert!(
            left.names("worker").is_empty() && left.names("worker-domain").is_empty(),
            "{left}"
        );
        assert!(left.names("queue-consumer").is_empty(), "{left}");
        assert_eq!(left.objects.len(), 5, "{left}");
    }
    // In a spec that lacks them, too.
    let bare = "project \"shop\"\nenvironment \"staging\" { identity \"staging\" }\nkv \"flags\"\n";
    let bare = fresh(bare, &env);
    let adopt = ["--adopt", "d1.orders", "--adopt", "r2.images", "--adopt", "queue.jobs"];
    let ran = bare.envc(&[&["destroy", "staging", "--yes"][..], &adopt].concat()).exits(1);
    says(&ran, &["3 resources", "kv.flags `shop--flags--staging`", "queue.dead"]);
    // Said once more of what is gone is no mistake; nor is a misspelt one hidden.
    let all = ["--adopt", "kv.flags", "--adopt", "queue.dead", "--adopt", "kv.flaggs"];
    let ran = bare.envc(&[&["destroy", "staging", "--yes"][..], &adopt, &all].concat()).exits(0);
    says(&ran, &["kv.flaggs", "none left"]);
    nothing_is_left(cloud.view());
}

#[test]
fn a_script_without_a_proof_is_kept_with_what_leads_to_it() {
    let spec = SPEC.replace("bind \"DB\"", "marker #false ; bind \"DB\"");
    let (env, cloud) = served(&spec);
    env.envc(&["apply", "staging", "--yes"]).exits(0);
    deploy(&env, cloud.view());
    let ran = fresh(&spec, &env).envc(&["destroy", "staging", "--yes"]).exits(1);
    says(&ran, &["worker.api `shop--api--staging`", "--adopt worker.api"]);
    let left = cloud.view().listing();
    assert_eq!(left.names("worker"), ["shop--api--staging"]);
    assert_eq!(left.names("queue-consumer").len(), 1, "{left}");
    let all = ["worker.api", "d1.orders", "kv.flags", "r2.images", "queue.jobs", "queue.dead"];
    let adopt = all.iter().flat_map(|it| ["--adopt", it]);
    let args: Vec<&str> = ["destroy", "staging", "--yes"].into_iter().chain(adopt).collect();
    fresh(&spec, &env).envc(&args).exits(0);
    nothing_is_left(cloud.view());
}

#[test]
fn anothers_script_is_left_told_and_no_failure() {
    let (env, cloud) = served(SPEC);
    env.envc(&["apply", "staging", "--yes"]).exits(0);
    let theirs = json!({ "name": "shop--api--staging", "vars": { "ENVC": "envc:shop/staging/api@00000000" } });
    cloud.view().deploy(&theirs, &[]);
    let outside = json!({ "name": "shop--api--production" });
    cloud.view().deploy(&outside, &[]);
    let ran = env.envc(&["destroy", "staging", "--yes"]).exits(0);
    says(&ran, &["another repository's marker", "1 left alone"]);
    assert_eq!(
        cloud.view().listing().objects.iter().map(|it| &it.name).collect::<Vec<_>>(),
        ["shop--api--production", "shop--api--staging"]
    );
    let other = runner(SPEC, B, &env);
    other.envc(&["destroy", "staging", "--yes"]).exits(3);
}

#[test]
fn bundles_and_what_wrangler_deployed_go_in_the_order_of_their_bindings() {
    for bundle in ["api", "web"] {
        let spec = SPEC.replace(
            &format!("worker \"{bundle}\" path=\"{bundle}\" main=\"a.js\""),
            &format!("worker \"{bundle}\" path=\"{bundle}\" deploy=\"bundle\" bundle=\"dist\" main=\"a.js\""),
        );
        for lost in [false, true] {
            let (env, cloud) = served(&spec);
            let code = "export class Cart {} ; export default { fetch() {}, queue() {} };";
            env.write("api/dist/a.js", code);
            env.write("web/dist/a.js", code);
            if bundle == "web" {
                // The class has to be there before it is bound.
                let first = json!({
                    "name": "shop--api--pr-1", "vars": {},
                    "migrations": [{ "tag": "v1", "new_sqlite_classes": ["Cart"] }],
                });
                cloud.view().deploy(&first, &[]);
                env.envc(&["state", "claim", "--yes"]).exits(0);
            }
            env.envc(&["apply", "--pr", "1", "--yes"]).exits(0);
            if bundle == "api" {
                env.deploy("web", cloud.view(), &[service("API", "shop--api--pr-1")]);
            } else {
                env.deploy("api", cloud.view(), &[]);
            }
            let ran = if lost { fresh(&spec, &env).envc(&PR) } else { env.envc(&PR) };
            says(&ran.exits(0), &["none left"]);
            nothing_is_left(cloud.view());
        }
    }
}

#[test]
fn a_circle_of_workers_goes_and_what_others_refer_to_does_not() {
    let (env, cloud) = served(SPEC);
    env.envc(&["apply", "--pr", "1", "--yes"]).exits(0);
    let (api, web) = deploy(&env, cloud.view());
    env.deploy("api", cloud.view(), &[service("WEB", &web), service("SELF", &api)]);
    let outside = json!({ "name": "theirs" });
    cloud.view().deploy(&outside, &[service("API", &api)]);
    let before = cloud.requests().len();
    let ran = fresh(SPEC, &env).envc(&PR).exits(1);
    says(
        &ran,
        &["worker.api", "still referenced by other Workers", "referred to by Worker `theirs`"],
    );
    // However often it is tried, nobody takes the other one away.
    let log = cloud.requests();
    let deletes = log.iter().skip(before).filter(|it| it.method == "DELETE");
    assert_eq!(deletes.filter(|it| it.path.ends_with(&api)).count(), 1, "{log:#?}");
    let left = cloud.view().listing();
    assert!(
        left.names("worker").contains(&"theirs") && left.names("worker").contains(&&*api),
        "{left}"
    );
    cloud.view().deploy(&outside, &[]);
    fresh(SPEC, &env).envc(&PR).exits(0);
    assert_eq!(cloud.view().listing().without_claims().names("worker"), ["theirs"]);
}

#[test]
fn a_kept_worker_keeps_what_it_is_bound_to_and_what_leads_to_it() {
    let (env, cloud) = served(SPEC);
    env.envc(&["apply", "local", "--yes"]).exits(0);
    deploy(&env, cloud.view());
    let whole = cloud.view().listing();
    for _ in 0..2 {
        // It binds a class of the other one, which binds all the rest.
        env.envc(&["destroy", "local", "--keep", "worker.web", "--yes"]).exits(0);
        let left = cloud.view().listing();
        let names = |listing: &envc_tests::Listing, kind: &str| {
            listing.names(kind).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        for kind in ["worker", "worker-domain", "worker-route", "queue-consumer", "d1", "kv"] {
            assert_eq!(names(&left, kind), names(&whole, kind), "{kind}");
        }
        env.lose_states();
    }
    says(
        &env.envc(&["destroy", "local", "--keep", "worker.wbe", "--yes"]).exits(64),
        &["worker.web"],
    );
    env.envc(&["destroy", "local", "--yes"]).exits(0);
    nothing_is_left(cloud.view());
}

#[test]
fn a_script_with_a_name_of_its_own_is_found_by_its_marker_once_the_spec_has_it_no_more() {
    let spec = "project \"shop\"\n\
        environment \"staging\" { identity \"staging\" }\n\
        worker \"api\" path=\"api\" name=\"{env}-api\" main=\"a.js\"\n";
    let (env, cloud) = served(spec);
    env.envc(&["apply", "staging", "--yes"]).exits(0);
    let name = env.deploy("api", cloud.view(), &[]);
    assert_eq!(name, "staging-api");
    cloud.view().deploy(&json!({ "name": "staging-other" }), &[]);
    let later = fresh(
        &spec.replace("\"api\" path=\"api\" name=\"{env}-api\"", "\"web\" path=\"web\""),
        &env,
    );
    says(
        &later.envc(&["destroy", "staging", "--yes"]).exits(0),
        &["staging-api", "1 resource deleted"],
    );
    assert_eq!(cloud.view().listing().names("worker"), ["staging-other"]);
}

#[test]
fn what_was_not_looked_at_is_not_called_gone() {
    let spec = "project \"shop\"\n\
        environment \"pr\" { identity \"pr-{env.pr}\" ; when pr ; ttl \"7d\" }\n\
        kv \"flags\"\n";
    let mut env = TestEnv::of_text(spec);
    env.git(&["remote", "add", "origin", A]);
    let cloud = ServedCloud::start(&mut env, "deny=vectorize+workers", &[]);
    let apply = ["apply", "--pr", "1", "--yes"];
    env.envc(&apply).exits(0);
    let ran = env.envc(&PR).exits(0);
    says(&ran, &["none left of what was listed; not looked for: Vectorize index, Worker;"]);
    let ran = env.envc(&[&PR[..], &["--if-exists"]].concat()).exits(0);
    says(&ran, &["what was listed has nothing of `pr-1`; not looked for: Vectorize index, Worker"]);
    nothing_is_left(cloud.view());
    // Of what the spec has it is an error, before anything is deleted.
    env.envc(&apply).exits(0);
    env.write("environment.kdl", &format!("{spec}worker \"api\" path=\"api\" main=\"a.js\"\n"));
    says(&env.envc(&PR).exits(1), &["Workers Scripts"]);
    assert_eq!(cloud.view().listing().without_claims().names("kv"), ["shop--flags--pr-1"]);
}

#[test]
fn where_a_zone_cannot_be_read_that_the_spec_has_a_route_in_nothing_goes() {
    let (mut env, cloud) = served(SPEC);
    env.envc(&["apply", "--pr", "1", "--yes"]).exits(0);
    deploy(&env, cloud.view());
    let before = cloud.view().listing();
    // The same account, for a token that may not read zones.
    let _denied = ServedCloud::start_as(&mut env, "served", "deny=zones", &["shop.example"]);
    let ran = fresh(SPEC, &env).envc(&PR).exits(1);
    says(&ran, &["the zone shop.example cannot be read", "`Zone Read`"]);
    assert_eq!(cloud.view().listing(), before);
}

#[test]
fn a_spec_with_mistakes_keeps_no_script_alive() {
    let (env, cloud) = served(SPEC);
    env.envc(&["apply", "local", "--yes"]).exits(0);
    deploy(&env, cloud.view());
    env.write("environment.kdl", &SPEC.replace("kv \"flags\"\n", ""));
    // What stands in a zone is not looked for where nobody says which zone it is.
    let ran = env.envc(&["destroy", "--yes"]).exits(0);
    says(&ran, &["worker.api", "worker.web", "none left of what was listed", "Worker route"]);
    let left = cloud.view().listing();
    assert_eq!(left.counts().into_keys().collect::<Vec<_>>(), ["worker-route"], "{left}");
}

#[test]
fn nothing_goes_that_the_approved_plan_did_not_show() {
    let (env, cloud) = served(SPEC);
    env.envc(&["apply", "--pr", "1", "--yes"]).exits(0);
    // A name of the first version, which `--adopt` would find once today's name is free.
    let others = json!({ "name": "shop-orders-pr-1" });
    cloud.view().of_account(&http::Method::POST, "/d1/database", Some(&others));
    let ran = env.envc(&[&PR[..], &["--adopt", "d1.orders"]].concat()).exits(75);
    says(&ran, &["1 resource is left that the plan did not show", "d1.orders `shop-orders-pr-1`"]);
    assert_eq!(cloud.view().listing().names("d1"), ["shop-orders-pr-1"]);
}

/// Invariant: on a machine without the record, a script that no list shows yet is found by its name.
#[test]
fn a_script_that_no_list_shows_yet_is_found_by_its_name() {
    let mut env = TestEnv::of_text(SPEC);
    env.git(&["remote", "add", "origin", A]);
    let cloud = ServedCloud::start(&mut env, "", &["shop.example"]);
    env.envc(&["apply", "--pr", "1", "--yes"]).exits(0);
    std::thread::sleep(std::time::Duration::from_millis(1500));
    deploy(&env, cloud.view());
    // The same account, whose lists lag behind what was deployed, and not behind what was applied.
    let _lags = ServedCloud::start_as(&mut env, "served", "list-lag=1000", &["shop.example"]);
    for env in [&fresh(SPEC, &env), &env] {
        let ran = env.envc(&["destroy", "--plan", "--pr", "1"]).exits(0);
        says(&ran, &["delete worker.api", "delete worker.web"]);
    }
    let ran = fresh(SPEC, &env).envc(&PR).exits(0);
    says(&ran, &["deleted worker.api", "deleted worker.web", "none left"]);
    nothing_is_left(cloud.view());
}

/// Invariant: what is recorded of a kind that the token may not list any more is neither forgotten nor
/// called gone, and the permission is named though the spec has none of that kind.
#[test]
fn what_is_recorded_and_may_not_be_listed_is_not_forgotten() {
    let spec = "project \"shop\"\n\
        environment \"pr\" { identity \"pr-{env.pr}\" ; when pr ; ttl \"7d\" }\n\
        kv \"flags\"\n";
    let mut env =
        TestEnv::of_text(&format!("{spec}vectorize \"all\" dimensions=768 metric=\"cosine\"\n"));
    env.git(&["remote", "add", "origin", A]);
    let cloud = ServedCloud::start(&mut env, "", &[]);
    env.envc(&["apply", "--pr", "1", "--yes"]).exits(0);
    env.write("environment.kdl", spec);
    let _denied = ServedCloud::start_as(&mut env, "served", "deny=vectorize", &[]);
    for _ in 0..2 {
        says(&env.envc(&PR).exits(1), &["`Vectorize Write`"]);
        assert_eq!(cloud.view().listing().names("vectorize"), ["shop--all--pr-1"]);
    }
    cloud.use_in(&mut env);
    says(&env.envc(&PR).exits(0), &["none left"]);
    nothing_is_left(cloud.view());
}

/// Invariant: what will stay for want of a proof, and whose it may be, is said before anybody is asked,
/// and half of it is not left in silence.
#[test]
fn what_nothing_proves_is_told_before_the_question() {
    for (env_type, whose) in [
        ("staging", "an ID that others may have, too"),
        ("local", "whoever made it destroys all of it"),
    ] {
        let (env, cloud) = served(SPEC);
        env.envc(&["apply", env_type, "--yes"]).exits(0);
        deploy(&env, cloud.view());
        let made = cloud.view().listing();
        let id = made.names("d1")[0].rsplit("--").next().expect("a name ends with its ID");
        let other = fresh(SPEC, &env);
        let destroy = ["destroy", env_type, "--id", id, "--adopt", "kv.flags"];
        let stays = ["nothing proves that", "d1.orders `shop--orders--", whose];
        let asked = other.envc(&destroy).exits(1);
        says(&asked, &stays);
        says(&asked, &["so they will stay, and the destroy will fail", "not approved"]);
        says(&other.envc(&[&destroy[..], &["--plan"]].concat()).exits(0), &stays);
        assert_eq!(cloud.view().listing(), made);
        says(&other.envc(&[&destroy[..], &["--yes"]].concat()).exits(1), &stays);
        let left = cloud.view().listing();
        assert_eq!((left.names("d1").len(), left.names("kv").len()), (1, 0), "{left}");
    }
}
