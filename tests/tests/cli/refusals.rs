//! What an apply refuses, its plan tells: the same sentence, the same code, the same way out.

use std::{collections::BTreeMap, fs};

use envc_tests::{Ran, ServedCloud, TestEnv};
use http::Method;
use serde_json::{Value as Json, json};

use crate::{
    common::{A, B, FIXED, edit, files_below, runner, says, with_origin},
    repositories::{PR, served},
};

/// A world in which an apply is refused.
struct Refused {
    /// What is wrong in it.
    what: &'static str,
    /// The codes that the apply gives, in its order.
    codes: &'static [&'static str],
    env: TestEnv,
    /// What follows `apply` and `plan`.
    args: &'static [&'static str],
    /// Kept alive with it.
    _cloud: Option<(Option<TestEnv>, ServedCloud)>,
}

fn refused(what: &'static str, codes: &'static [&'static str], env: TestEnv) -> Refused {
    Refused { what, codes, env, args: &[], _cloud: None }
}

/// The same on an account: what the local cloud stands in for is missing there.
fn refused_on_account(
    what: &'static str,
    codes: &'static [&'static str],
    mut env: TestEnv,
) -> Refused {
    let cloud = ServedCloud::start(&mut env, "", &[]);
    Refused { what, codes, env, args: &[], _cloud: Some((None, cloud)) }
}

/// A spec with these nodes besides a namespace that nothing uses.
fn with(nodes: &str) -> TestEnv {
    TestEnv::of_text(&format!(
        "project \"shop\"\nsecrets {{ env }}\n\
         environment \"local\" default {{ identity branch max-length=20 unique }}\n\
         kv \"cache\"\nallow \"unused_resource\" \"missing_migrations_folder\"\n{nodes}"
    ))
}

fn bundled() -> TestEnv {
    with(
        "worker \"web\" path=\".\" deploy=\"bundle\" bundle=\"dist\" compatibility-date=\"2026-09-01\"\n",
    )
}

fn files_in_git() -> TestEnv {
    let env = with(
        "dotenv \".env\" { ID \"{kv.cache.id}\" }\ndotenv \".env.other\" { ID \"{kv.cache.id}\" }\n",
    );
    env.write(".gitignore", ".envc/\n.env\n");
    env.write(".env", "MINE=1\n");
    env.git(&["add", "--force", ".env"]);
    env
}

fn namesake() -> TestEnv {
    let env = TestEnv::of_text(FIXED);
    let body = json!({"title": "shop--cache--production"});
    env.cloud().of_account(&Method::POST, "/storage/kv/namespaces", Some(&body));
    env
}

/// A protected type from which a namespace goes and in which a bucket is replaced.
fn protected() -> TestEnv {
    let env = TestEnv::of_text(
        "project \"shop\"\nenvironment \"production\" default { identity \"production\" ; protect }\n\
         kv \"cache\"\nkv \"flags\"\nr2 \"files\"\nallow \"unused_resource\"\n",
    );
    env.envc(&["apply", "--yes"]).exits(0);
    edit(&env, "kv \"flags\"\n", "");
    edit(&env, "r2 \"files\"", "r2 \"files\" name=\"other-{env}\"");
    env
}

fn edited() -> TestEnv {
    let env = with("dotenv \".env\" { ID \"{kv.cache.id}\" }\n");
    env.envc(&["apply"]).exits(0);
    env.write(".env", "MINE=1\n");
    env
}

/// Everything at once that can be wrong before a call and after it.
fn all_at_once() -> TestEnv {
    let env = with(
        "require \"no-such-tool\"\n\
         worker \"web\" path=\"web\" deploy=\"bundle\" bundle=\"dist\" compatibility-date=\"2026-09-01\"\n\
         worker \"api\" path=\"api\" deploy=\"bundle\" bundle=\"dist\" compatibility-date=\"2026-09-01\"\n\
         d1 \"app\" { migrations \"migrations\" }\n\
         dotenv \".env\" { KEY (secret)\"KEY\" }\n\
         run \"types\" command=\"true\"\n",
    );
    edit(
        &env,
        "{ identity branch",
        "{ existing { r2 \"old\" name=\"not-there\" } ; identity branch",
    );
    env.write("environment.kdl", &format!("{}r2 \"old\"\n", env.read("environment.kdl").unwrap()));
    env.write("migrations/readme.txt", "none yet");
    env.write(".env", "MINE=1\n");
    env
}

fn of_another_repository() -> Refused {
    let (owner, cloud) = served("");
    runner(PR, A, &owner).envc(&["apply", "--pr", "1", "--yes"]).exits(0);
    let env = runner(PR, B, &owner);
    Refused {
        what: "another repository's claim",
        codes: &["envc::cli::another_repository"],
        env,
        args: &["--pr", "1"],
        _cloud: Some((Some(owner), cloud)),
    }
}

fn unclaimed() -> Refused {
    let (owner, cloud) = served("");
    for name in ["shop--orders--pr-1", "shop--orders--pr-7"] {
        cloud.view().of_account(&Method::POST, "/d1/database", Some(&json!({ "name": name })));
    }
    let env = runner(PR, A, &owner);
    Refused {
        what: "names that nobody claimed",
        codes: &["envc::cli::unclaimed", "envc::plan::not_ours"],
        env,
        args: &["--pr", "1"],
        _cloud: Some((Some(owner), cloud)),
    }
}

/// A spec that names an edge Worker whose token is not there.
fn without_edge_token(what: &'static str, nodes: &str) -> Refused {
    let (owner, cloud) = served("");
    let env = runner(
        &format!(
            "project \"shop\" id=\"github.com/acme/shop\"\n\
             edge \"https://edge.shop.example\" token=(env)\"EDGE_TOKEN\" {{ pool \"previews\" }}\n\
             environment \"local\" default {{ identity \"demo\" }}\nkv \"cache\"\n\
             allow \"unused_resource\" \"unprotected_production\"\n{nodes}"
        ),
        A,
        &owner,
    );
    let codes = &["envc::cli::no_edge_token"];
    Refused { what, codes, env, args: &["local"], _cloud: Some((Some(owner), cloud)) }
}

/// Values from outside, and what is asked for.
fn values() -> Vec<Refused> {
    let mut empty = with("dotenv \".env\" { KEY (secret)\"KEY\" }\n");
    empty.set("KEY", "");
    let mut unfit = with("hyperdrive \"pg\" { origin (secret)\"URL\" }\n");
    unfit.set("URL", "no url");
    let mut in_ci = TestEnv::of_text(PR);
    in_ci.set("CI", "1");
    let variable = with("dns \"www\" type=\"TXT\" name=\"{env}\" content=(env)\"WHO\"\n");
    edit(&variable, "project \"shop\"", "project \"shop\" { zone \"shop.example\" }");
    let missing = with("dotenv \".env\" { KEY (secret)\"KEY\" }\n");
    let later = with("run \"types\" command=\"true\"\n");
    vec![
        refused("a secret that is missing", &["envc::cli::missing_secret"], missing),
        refused("a secret that is empty", &["envc::cli::missing_secret"], empty),
        refused("a variable that is missing", &["envc::cli::missing_variable"], variable),
        refused("a secret that cannot be used", &["envc::cli::bad_secret"], unfit),
        refused("what this envc cannot do", &["envc::cli::not_there_yet"], later),
        Refused {
            args: &["--pr", "1"],
            ..refused("a job without a repository", &["envc::cli::no_repository"], in_ci)
        },
    ]
}

/// What is read of the checkout, and what is written into it.
fn files() -> Vec<Refused> {
    let no_main = bundled();
    no_main.write("dist/other.js", "export default {}");
    let broken = with("file \"out.txt\" template=\"t.j2\"\n");
    broken.write("t.j2", "{{ kv.cache.id | nope }}");
    let untold = with("dotenv \".env\" { ID \"{kv.cache.id}\" }\n");
    fs::remove_dir_all(untold.root().join(".git")).unwrap();
    fs::write(untold.root().join(".git"), "gitdir: /nonexistent\n").unwrap();
    let linked = with("dotenv \"out/.env\" { ID \"{kv.cache.id}\" }\n");
    std::os::unix::fs::symlink(linked.path().join("home"), linked.root().join("out")).unwrap();
    linked.write(".gitignore", ".env*\n.envc/\nout\n");
    let no_migrations = with("d1 \"app\" { migrations \"migrations\" }\n");
    no_migrations.write("migrations/readme.txt", "none yet");
    let in_git = files_in_git();
    vec![
        refused("a bundle that is not built", &["envc::cli::no_bundle"], bundled()),
        refused("a bundle without a main module", &["envc::cli::no_main_module"], no_main),
        refused("no migrations", &["envc::cli::no_migrations"], no_migrations),
        refused(
            "files that git has and would take in, and one that somebody wrote",
            &["envc::cli::file_in_git", "envc::cli::file_edited"],
            in_git,
        ),
        refused("a file that was edited", &["envc::cli::file_edited"], edited()),
        refused("a git that does not answer", &["envc::cli::git_unknown"], untold),
        refused("a file behind a link", &["envc::cli::path_link"], linked),
        refused("a template with a mistake", &["envc::files::template"], broken),
    ]
}

/// What is there, and whose it is.
fn account() -> Vec<Refused> {
    let gone = with("");
    let existing = "{ existing { kv \"cache\" id=\"0123456789abcdef0123456789abcdef\" } ; identity";
    edit(&gone, "{ identity", existing);
    let no_tool = with("require \"no-such-tool\"\n");
    vec![
        refused("a tool that is missing", &["envc::cli::missing_tool"], no_tool),
        refused("a namesake", &["envc::plan::not_ours"], namesake()),
        refused_on_account(
            "what is not there and `existing`",
            &["envc::plan::existing_missing"],
            gone,
        ),
        refused("what is protected", &["envc::plan::protected"], protected()),
        of_another_repository(),
        unclaimed(),
        without_edge_token("an edge whose token is missing", ""),
        without_edge_token(
            "a lease of an edge whose token is missing",
            "lease \"preview\" pool=\"previews\"\n",
        ),
    ]
}

fn worlds() -> Vec<Refused> {
    let first = &[
        "envc::cli::not_there_yet",
        "envc::cli::missing_secret",
        "envc::cli::no_bundle",
        "envc::cli::no_bundle",
        "envc::cli::no_migrations",
    ];
    let all = vec![refused_on_account("all at once", first, all_at_once())];
    values().into_iter().chain(files()).chain(account()).chain(all).collect()
}

/// The events of one name: code, message and hints of each.
fn told(ran: &Ran, event: &str, before: &str) -> Vec<(Json, String, Json)> {
    let events = ran.events().into_iter();
    let events = events.filter(|it| it["event"] == event && it["code"].is_string());
    events
        .map(|it| {
            let field = |name| it.get(name).cloned().expect("an event has its fields");
            let message = field("message");
            let message = message.as_str().and_then(|message| message.strip_prefix(before));
            (field("code"), message.unwrap_or_else(|| panic!("{it}")).to_owned(), field("hints"))
        })
        .collect()
}

/// Everything that a plan must leave alone: the checkout, but for what a refused apply left.
fn checkout(env: &TestEnv) -> BTreeMap<String, Vec<u8>> {
    let files = files_below(&env.root()).into_iter();
    files
        .filter(|path| !path.starts_with(env.root().join(".envc")))
        .filter(|path| !path.starts_with(env.root().join(".git")))
        .filter(|path| path.is_file())
        .map(|path| (path.display().to_string(), fs::read(path).unwrap()))
        .collect()
}

/// Invariant: an apply refuses nothing that its plan does not tell.
#[test]
fn a_plan_tells_every_refusal_of_an_apply_in_its_words() {
    for Refused { what, codes, env, args, _cloud } in worlds() {
        let files = checkout(&env);
        let apply = env.envc(&[&["apply", "--yes", "--json"], args].concat());
        assert!(matches!(apply.code, Some(1..=75)), "{what}: {apply}");
        let refused = told(&apply, "error", "");
        let found: Vec<&str> = refused.iter().filter_map(|(code, ..)| code.as_str()).collect();
        assert_eq!(found, codes, "{what}: {apply}");
        let plan = env.envc(&[&["plan", "--json"], args].concat()).exits(0);
        let will = told(&plan, "warning", "apply will refuse: ");
        assert!(will.starts_with(&refused), "{what}: {plan}\nand {apply}");
        // A plan is done exactly or not at all, so one that is refused is not handed on.
        let saved = env.envc(&[&["plan", "--out", "p.json"], args].concat());
        assert!(!matches!(saved.code, Some(0)), "{what}: {saved}");
        assert_eq!(checkout(&env), files, "{what}");
    }
}

/// An apply stops before any call with what it finds there; a plan goes on, and tells the rest, too.
#[test]
fn a_plan_tells_what_an_apply_would_find_next() {
    let mut env = all_at_once();
    let cloud = ServedCloud::start(&mut env, "", &[]);
    let plan = env.envc(&["plan"]).exits(0);
    for refusal in [
        "this envc cannot do all that type `local` asks for",
        "the secret KEY is not found",
        "worker \"web\": its bundle web/dist is not there",
        "worker \"api\": its bundle api/dist is not there",
        "d1.app has no migrations",
        "the spec requires `no-such-tool`",
        "the account has no R2 bucket named not-there",
        ".env would be overwritten",
    ] {
        says(&plan, &[&format!("apply will refuse: {refusal}")]);
    }
    says(&plan, &["As far as it can be told: 4 to create", "+ create kv.cache"]);
    assert!(cloud.view().listing().is_empty(), "a plan makes nothing");
}

/// Where nothing is refused, nothing is said of it, and the plan can be saved and done.
#[test]
fn a_plan_that_is_not_refused_can_be_saved_and_done() {
    let env = with("");
    let plan = env.envc(&["plan", "--out", "p.json"]).exits(0);
    assert!(!plan.stderr.contains("will refuse"), "{plan}");
    env.envc(&["apply", "--plan", "p.json"]).exits(0);
}

/// A plan that is refused neither says that nothing would change nor that the project will be claimed.
#[test]
fn what_is_refused_is_not_said_to_be_as_it_should_be() {
    let env = edited();
    let plan = env.envc(&["plan"]).exits(0);
    says(&plan, &["No changes can be made.", "apply will refuse: .env"]);
    assert!(!plan.stdout.contains("No changes.\n"), "{plan}");
    for Refused { what, env, args, _cloud, .. } in [of_another_repository(), unclaimed()] {
        let plan = env.envc(&[&["plan"], args].concat()).exits(0);
        says(&plan, &["apply will refuse: "]);
        assert!(!plan.stdout.contains("Apply will claim"), "{what}: {plan}");
        let json = env.envc(&[&["plan", "--json"], args].concat()).exits(0);
        assert!(json.event("claim_missing").is_none(), "{what}: {json}");
    }
    // A value that is not known here is no reason: where apply has it, it claims.
    let spec = format!("{PR}secrets {{ env }}\ndotenv \".env\" {{ KEY (secret)\"KEY\" }}\n");
    let env = with_origin(TestEnv::of_text(&spec), A);
    let plan = env.envc(&["plan", "--pr", "1"]).exits(0);
    says(&plan, &["apply will refuse: the secret KEY", "Apply will claim the project"]);
}
