//! What the marker proves between repositories, machines and clones, and what it does not.

use std::fs;

use envc_core::RepositoryDigest;
use envc_tests::{CloudView, ServedCloud, TestEnv};
use http::Method;
use serde_json::{Value as Json, json};

use crate::common::{A, B, edit, in_folder, runner, says};

const SPEC: &str = "project \"shop\" { zone \"shop.example\" }\n\
    environment \"production\" default { identity \"production\" }\n\
    worker \"web\" path=\".\" deploy=\"bundle\" bundle=\"dist\" compatibility-date=\"2026-09-01\" {\n\
    }\n\
    worker \"api\" path=\"api\" {\n\
        template \"api/wrangler.template.jsonc\"\n\
    }\n\
    dns \"www\" type=\"CNAME\" name=\"www\" content=\"a.example\" comment=\"the shop\"\n\
    dns \"a-record-with-a-name-of-more-than-forty-characters\" type=\"TXT\" name=\"t\" content=\"t\" \
        comment=\"digests take the place of the parts here\"\n\
    dotenv \".env\" { TARGET \"{worker.web.name}\" }\n\
    allow \"unprotected_production\"\n";

const APPLY: [&str; 2] = ["apply", "--yes"];
const CODE: &str = "export default { fetch() {} };";

fn with_files(env: TestEnv) -> TestEnv {
    env.write("dist/index.js", CODE);
    env.write(
        "api/wrangler.template.jsonc",
        "{ \"name\": {{ worker.name | json }}, \"vars\": {{ worker.vars | json }} }\n",
    );
    env.write(".gitignore", ".envc/\n.env\nwrangler.jsonc\n");
    env
}

fn served() -> (TestEnv, ServedCloud) {
    let mut env = TestEnv::of_text(SPEC);
    let cloud = ServedCloud::start(&mut env, "", &["shop.example"]);
    (env, cloud)
}

fn on(origin: &str, cloud: &TestEnv) -> TestEnv {
    let mut env = with_files(runner(SPEC, origin, cloud));
    env.set("ENVC_CLOUD", "cloudflare");
    env
}

fn text_at(json: &Json, name: &str) -> Option<String> {
    json.get(name).and_then(Json::as_str).map(str::to_owned)
}

/// All comments and all variables `ENVC`, by name.
fn markers(cloud: &CloudView) -> Vec<(String, String)> {
    let (_, zones) = cloud.call(&Method::GET, "/zones", None);
    let zone = zones.pointer("/result/0/id").and_then(Json::as_str).unwrap().to_owned();
    let (_, records) = cloud.call(&Method::GET, &format!("/zones/{zone}/dns_records"), None);
    let mut found: Vec<(String, String)> = Vec::new();
    for record in records.get("result").and_then(Json::as_array).unwrap() {
        let text = |name: &str| text_at(record, name).unwrap_or_default();
        found.push((text("name"), text("comment")));
    }
    for script in cloud.listing().names("worker") {
        let path = format!("/workers/scripts/{script}/settings");
        let settings = cloud.of_account(&Method::GET, &path, None);
        let bindings = settings.get("bindings").and_then(Json::as_array).unwrap().iter();
        let ours = |it: &&Json| text_at(it, "name").as_deref() == Some("ENVC");
        let marker = bindings.filter(ours).filter_map(|it| text_at(it, "text"));
        found.push((script.to_owned(), marker.collect()));
    }
    found.sort();
    found
}

/// What wrangler would deploy from a configuration that envc wrote.
fn deploy(env: &TestEnv, cloud: &CloudView) {
    let written = env.read("api/wrangler.jsonc").unwrap();
    let json = written.lines().filter(|line| !line.trim_start().starts_with("//"));
    let config: Json = serde_json::from_str(&json.collect::<Vec<_>>().join("\n")).unwrap();
    let metadata = json!({
        "main_module": "a.js",
        "bindings": [{ "type": "plain_text", "name": "ENVC", "text": config.pointer("/vars/ENVC") }],
    });
    let body = format!(
        "--x\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n{metadata}\r\n--x\r\n\
         Content-Disposition: form-data; name=\"a.js\"; filename=\"a.js\"\r\nContent-Type: \
         application/javascript+module\r\n\r\n{CODE}\r\n--x--\r\n"
    );
    let path = format!("/workers/scripts/{}", text_at(&config, "name").unwrap());
    let answer = cloud.form_of_account(&Method::PUT, &path, "x", body.into());
    assert_eq!(answer.0, 200, "{answer:?}");
}

/// A digest as markers show it.
fn at(repository: &str) -> String {
    format!("@{}", RepositoryDigest::of(repository))
}

const ALL: [&str; 4] =
    ["t.shop.example", "www.shop.example", "shop--api--production", "shop--web--production"];

/// Whose everything is that is there.
#[track_caller]
fn all_are(cloud: &CloudView, repository: &str) {
    let found = markers(cloud);
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    let mut all = ALL;
    all.sort_unstable();
    assert_eq!(names, all);
    for (name, marker) in found {
        let word = marker.split(' ').next().unwrap();
        assert!(word.ends_with(&at(repository)), "{name}: {marker}");
        let long = name.starts_with("t.");
        assert!(
            word.starts_with(if long { "envc:~" } else { "envc:shop/production/" }),
            "{marker}"
        );
        assert!(marker.chars().count() <= 100, "{marker}");
    }
}

#[test]
fn on_two_machines_the_second_repository_of_a_fixed_identity_changes_and_deletes_nothing() {
    let (owner, cloud) = served();
    let first = on(A, &owner);
    first.envc(&APPLY).exits(0);
    deploy(&first, cloud.view());
    all_are(cloud.view(), "github.com/acme/shop");
    says(&first.envc(&APPLY).exits(0), &["Nothing to do"]);
    let (whole, marked) = (cloud.view().listing(), markers(cloud.view()));

    let second = on(B, &owner);
    let same = |what: &str| {
        assert_eq!(cloud.view().listing(), whole, "{what}");
        assert_eq!(markers(cloud.view()), marked, "{what}");
    };
    let digest = at("github.com/acme/shop");
    for args in [&["plan"][..], &APPLY, &["apply", "--yes", "--adopt", "dns.www"]] {
        let refused = second.envc(args).exits(i32::from(args[0] != "plan"));
        says(
            &refused,
            &[
                "another repository's marker",
                &format!("`envc:shop/production/web{digest}`"),
                &at("gitlab.com/other/group/shop"),
                "id=\"github.com/acme/shop\"",
                "another name",
                "--adopt worker.web",
            ],
        );
        same(&args.join(" "));
    }
    // What is proved to be another's is not there for a destroy.
    second.envc(&["destroy", "--yes"]).exits(3);
    let told = second.envc(&["destroy", "--yes", "--if-exists"]).exits(0);
    says(&told, &["another repository's", &digest, "takes it away", "--adopt"]);
    same("destroy");
    // Nor does it go as left over, once the second spec does not have it.
    edit(
        &second,
        "dns \"www\" type=\"CNAME\" name=\"www\" content=\"a.example\" comment=\"the shop\"\n",
        "",
    );
    second.envc(&["destroy", "--yes", "--if-exists"]).exits(0);
    same("destroy of what is left over");

    // The same repository in another spelling of its address, on one more machine, is told apart.
    let again = on("https://x-access-token:t@GitHub.com/Acme/Shop/", &owner);
    says(&again.envc(&APPLY).exits(0), &["3 to adopt; 1 request"]);
    same("adopted by its marker");
    says(&again.envc(&["plan", "--detailed-exitcode"]).exits(0), &["No changes"]);
}

#[test]
fn what_the_user_takes_over_bears_this_repositorys_marker_from_then_on() {
    let (owner, cloud) = served();
    let first = on(A, &owner);
    first.envc(&APPLY).exits(0);
    deploy(&first, cloud.view());
    let whole = cloud.view().listing();
    let second = on(B, &owner);
    let long = "dns.a-record-with-a-name-of-more-than-forty-characters";
    let adopt = ["--adopt", "worker.web", "--adopt", "dns.www", "--adopt", long];
    says(&second.envc(&[&APPLY[..], &adopt].concat()).exits(0), &["3 to adopt"]);
    deploy(&second, cloud.view());
    assert_eq!(cloud.view().listing(), whole);
    all_are(cloud.view(), "gitlab.com/other/group/shop");
    second.envc(&["plan", "--detailed-exitcode"]).exits(0);
    // Now it is the first one, on a fresh machine, that has nothing there.
    let fresh = on(A, &owner);
    says(&fresh.envc(&["destroy", "--yes", "--if-exists"]).exits(0), &["another repository's"]);
    assert_eq!(cloud.view().listing(), whole);
    let again = on(B, &owner);
    again.envc(&["destroy", "--yes"]).exits(0);
    // What wrangler deployed goes along: it says whose it is.
    assert!(cloud.view().listing().is_empty());
}

#[test]
fn what_another_repository_took_over_is_not_taken_back_by_the_record() {
    let long = "dns.a-record-with-a-name-of-more-than-forty-characters";
    let adopt = ["--adopt", "worker.web", "--adopt", "dns.www", "--adopt", long];
    let (owner, cloud) = served();
    let first = on(A, &owner);
    first.envc(&APPLY).exits(0);
    deploy(&first, cloud.view());
    let second = on(B, &owner);
    second.envc(&[&APPLY[..], &adopt].concat()).exits(0);
    deploy(&second, cloud.view());
    let (whole, marked) = (cloud.view().listing(), markers(cloud.view()));
    let same = |what: &str| {
        assert_eq!(cloud.view().listing(), whole, "{what}");
        assert_eq!(markers(cloud.view()), marked, "{what}");
    };
    // The first one's record is whole, and proves none of them any more.
    let digest = at("gitlab.com/other/group/shop");
    for args in [&["plan"][..], &APPLY, &["apply", "--yes", "--adopt", "dns.www"]] {
        says(
            &first.envc(args).exits(i32::from(args[0] != "plan")),
            &[
                "recorded here as worker.web",
                "was taken over in the account",
                &format!("`envc:shop/production/web{digest}`"),
                "id=\"github.com/acme/shop\"",
                "--adopt worker.web",
            ],
        );
        same(&args.join(" "));
    }
    // The user's word goes both ways.
    says(&first.envc(&[&["plan"][..], &adopt].concat()).exits(0), &["taken back", "3 to update"]);
    first.envc(&[&APPLY[..], &adopt].concat()).exits(0);
    deploy(&first, cloud.view());
    all_are(cloud.view(), "github.com/acme/shop");
    first.envc(&["plan", "--detailed-exitcode"]).exits(0);
    second.envc(&APPLY).exits(1);
    second.envc(&[&APPLY[..], &adopt].concat()).exits(0);
    deploy(&second, cloud.view());
    same("taken over again");
    // What the spec has no more is let go of, and not deleted.
    let www =
        "dns \"www\" type=\"CNAME\" name=\"www\" content=\"a.example\" comment=\"the shop\"\n";
    edit(&first, www, "");
    let rest = ["--adopt", "worker.web", "--adopt", long];
    says(&first.envc(&[&["plan"][..], &rest].concat()).exits(0), &["dns.www", "taken over"]);
    edit(&first, "dns \"a-record", &format!("{www}dns \"a-record"));
    // A destroy ends, leaves it all and says so; the next one has no record.
    let destroyed = first.envc(&["destroy", "--yes"]).exits(0);
    says(&destroyed, &["another repository's marker", &digest, "dns.www", "left alone"]);
    same("destroy");
    first.envc(&["destroy", "--yes", "--if-exists"]).exits(0);
    same("destroy without a record");
    second.envc(&["plan", "--detailed-exitcode"]).exits(0);
    second.envc(&["destroy", "--yes"]).exits(0);
    assert!(cloud.view().listing().is_empty());
}

#[test]
fn a_destroy_deletes_what_is_still_its_own_beside_what_was_taken_over() {
    let (owner, cloud) = served();
    let first = on(A, &owner);
    first.envc(&APPLY).exits(0);
    let second = on(B, &owner);
    edit(&second, "dns \"a-record", "allow \"unused_resource\"\n/- dns \"a-record");
    let adopt = ["--adopt", "worker.web", "--adopt", "dns.www"];
    second.envc(&[&APPLY[..], &adopt].concat()).exits(0);
    let destroyed = first.envc(&["destroy", "--yes"]).exits(0);
    says(&destroyed, &["1 resource deleted, 2 left alone"]);
    let left: Vec<String> = markers(cloud.view()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(left, ["shop--web--production", "www.shop.example"]);
    second.envc(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn a_repository_that_says_what_it_was_is_proven_by_that_ones_marker() {
    let (owner, cloud) = served();
    on(A, &owner).envc(&APPLY).exits(0);
    let renamed = on(B, &owner);
    edit(&renamed, "project \"shop\"", "project \"shop\" id=\"github.com/acme/shop\"");
    says(&renamed.envc(&APPLY).exits(0), &["3 to adopt; 1 request"]);
    // On the machine that made it everything goes along, and the plan shows the new marker.
    edit(&renamed, " id=\"github.com/acme/shop\"", "");
    renamed.envc(&["plan"]).exits(1);
    renamed.envc(&["state", "claim", "--yes"]).exits(0);
    for lost in [true, false] {
        if lost {
            renamed.lose_states();
        }
        let plan = renamed.envc(&["plan"]).exits(0);
        let (before, after) = (at("github.com/acme/shop"), at("gitlab.com/other/group/shop"));
        says(
            &plan,
            &[
                &format!(
                    "\"envc:shop/production/www{before} the shop\" → \"envc:shop/production/www{after} the shop\""
                ),
                if lost { "3 to adopt" } else { "3 to update" },
            ],
        );
        if lost {
            renamed.envc(&APPLY).exits(0);
            renamed.envc(&["plan", "--detailed-exitcode"]).exits(0);
            // Back to what is recorded and differs.
            edit(&renamed, "project \"shop\"", "project \"shop\" id=\"github.com/acme/shop\"");
            renamed.envc(&["state", "claim", "--yes"]).exits(0);
            renamed.envc(&APPLY).exits(0);
            edit(&renamed, " id=\"github.com/acme/shop\"", "");
            renamed.envc(&["state", "claim", "--yes"]).exits(0);
        }
    }
    renamed.envc(&APPLY).exits(0);
    renamed.envc(&["destroy", "--yes"]).exits(0);
    assert!(cloud.view().listing().without_claims().is_empty());
}

/// Everything is as planned: nothing to do, and no file differs.
#[track_caller]
fn unchanged(env: &TestEnv, folder: &std::path::Path) {
    in_folder(env, folder, &["plan", "--detailed-exitcode"]).exits(0);
    says(&in_folder(env, folder, &["apply", "--yes"]).exits(0), &["Nothing to do"]);
}

fn local() -> TestEnv {
    let mut env = with_files(TestEnv::of_text(SPEC));
    env.set("ENVC_CLOUD", "local");
    env
}

#[test]
fn a_clone_without_an_origin_plans_what_it_applies_and_an_origin_is_one_update() {
    let env = local();
    env.git(&["add", "-A"]);
    env.git(&["commit", "--quiet", "-m", "all"]);
    let worktree = env.worktree("two");
    // The plan comes first, from either worktree, and is saved.
    let shown = env.envc(&["plan", "-v"]).exits(0);
    let theirs = in_folder(&env, &worktree, &["plan", "-v"]).exits(0);
    let marker = |text: &str| {
        let words = text.split([' ', '"']);
        words
            .into_iter()
            .find(|word| word.starts_with("envc:shop/production/www@"))
            .unwrap()
            .to_owned()
    };
    assert_eq!(marker(&shown.stdout), marker(&theirs.stdout));
    env.envc(&["plan", "--out", "../p.json"]).exits(0);
    env.envc(&["apply", "--plan", "../p.json"]).exits(0);
    let made = markers(&env.cloud());
    assert!(made.iter().any(|(_, text)| text.starts_with(&marker(&shown.stdout))), "{made:?}");
    unchanged(&env, &env.root());
    in_folder(&env, &worktree, &["apply", "--yes"]).exits(0);
    unchanged(&env, &worktree);
    unchanged(&env, &env.root());
    assert_eq!(markers(&env.cloud()), made);
    assert_eq!(
        env.read("api/wrangler.jsonc").unwrap(),
        fs::read_to_string(worktree.join("api/wrangler.jsonc")).unwrap()
    );
    // A plan from before is not done after.
    edit(&env, "content=\"a.example\"", "content=\"b.example\"");
    env.envc(&["plan", "--out", "../p.json"]).exits(0);
    env.git(&["remote", "add", "origin", A]);
    says(&env.envc(&["apply", "--plan", "../p.json"]).exits(1), &["belongs to another repository"]);
    edit(&env, "content=\"b.example\"", "content=\"a.example\"");
    assert_eq!(markers(&env.cloud()), made);
    // Without its record it is proven by what the clone was.
    env.lose_states();
    says(&env.envc(&["plan"]).exits(0), &["3 to adopt", &at("github.com/acme/shop")]);
    let ran = env.envc(&APPLY).exits(0);
    says(&ran, &["3 to adopt", "wrote api/wrangler.jsonc"]);
    unchanged(&env, &env.root());
    let config = env.read("api/wrangler.jsonc").unwrap();
    assert!(config.contains(&at("github.com/acme/shop")), "{config}");
    deploy(&env, &env.cloud());
    all_are(&env.cloud(), "github.com/acme/shop");
    unchanged(&env, &env.root());
    // The other worktree only has its files to write.
    in_folder(&env, &worktree, &["apply", "--yes"]).exits(0);
    unchanged(&env, &worktree);
    unchanged(&env, &env.root());
    env.envc(&["destroy", "--yes"]).exits(0);
    assert_eq!(env.cloud_listing().names("dns"), [""; 0]);
}

#[test]
fn a_marker_without_a_repository_proves_nothing_and_is_completed_where_it_is_recorded() {
    let env = local();
    env.envc(&APPLY).exits(0);
    let cloud = env.cloud();
    let (_, zones) = cloud.call(&Method::GET, "/zones", None);
    let records =
        format!("/zones/{}/dns_records", zones.pointer("/result/0/id").unwrap().as_str().unwrap());
    let (_, all) = cloud.call(&Method::GET, &records, None);
    let record = all["result"].as_array().unwrap().iter().find(|it| it["type"] == "CNAME").unwrap();
    let path = format!("{records}/{}", record["id"].as_str().unwrap());
    let body = json!({ "comment": "envc:shop/production/www the shop" });
    assert_eq!(cloud.call(&Method::PATCH, &path, Some(&body)).0, 200);
    says(&env.envc(&["plan"]).exits(0), &["1 to update"]);
    env.lose_states();
    says(&env.envc(&APPLY).exits(1), &["nothing proves", "--adopt dns.www"]);
    env.envc(&["apply", "--yes", "--adopt", "dns.www"]).exits(0);
    env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    env.envc(&["destroy", "--yes"]).exits(0);
    assert!(env.cloud_listing().is_empty());
}
