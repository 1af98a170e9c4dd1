//! Two projects, two repositories and two copies of a folder, of which each has its own.

use std::{fs, path::Path, process::Command};

use envc_tests::{Listing, ServedCloud, TestEnv};
use http::Method;
use serde_json::{Value as Json, json};

use crate::common::{
    A, B, FIXED, ONE_KV, edit, files_below, id, in_folder, runner, says, with_origin,
};

pub(crate) const PR: &str = "project \"shop\"\n\
    environment \"ephemeral\" { when pr ; identity \"pr-{env.pr}\" ; ttl \"7d\" }\n\
    d1 \"orders\"\n\
    kv \"cache\"\n\
    allow \"unused_resource\"\n";

/// A cloud that is served, and who is asked for its variables.
pub(crate) fn served(faults: &str) -> (TestEnv, ServedCloud) {
    let mut env = TestEnv::of_text(PR);
    let cloud = ServedCloud::start(&mut env, faults, &[]);
    (env, cloud)
}

pub(crate) fn claims(listing: &Listing) -> Vec<String> {
    let all = listing.names("kv").into_iter();
    all.filter(|name| name.starts_with("envc claim ")).map(str::to_owned).collect()
}

/// How much there is but for the claims.
pub(crate) fn made(listing: &Listing) -> usize {
    listing.clone().without_claims().objects.len()
}

#[test]
fn on_two_fresh_runners_the_second_repository_is_refused_and_nothing_is_deleted() {
    let (owner, cloud) = served("");
    let first = runner(PR, A, &owner);
    let planned = first.envc(&["plan", "--pr", "1"]).exits(0);
    says(&planned, &["Apply will claim the project `shop`", "github.com/acme/shop"]);
    assert!(cloud.view().listing().is_empty());
    says(
        &first.envc(&["apply", "--pr", "1", "--yes"]).exits(0),
        &["claimed the project `shop`", "github.com/acme/shop"],
    );
    let whole = cloud.view().listing();
    assert_eq!(claims(&whole), ["envc claim shop github.com/acme/shop"]);
    assert_eq!(made(&whole), 2);

    let second = runner(PR, B, &owner);
    let tries: [&[&str]; 4] = [
        &["plan", "--pr", "1"],
        &["apply", "--pr", "1", "--yes"],
        &["apply", "--pr", "2", "--yes"],
        &["destroy", "--pr", "1", "--yes", "--if-exists"],
    ];
    for args in tries {
        let refused = second.envc(args).exits(i32::from(args[0] != "plan"));
        says(
            &refused,
            &[
                "github.com/acme/shop",
                "gitlab.com/other/group/shop",
                "envc state claim --release \"github.com/acme/shop\"",
            ],
        );
        assert_eq!(cloud.view().listing(), whole, "{args:?}");
    }
    // The same repository in another spelling, on one more fresh runner, finds what is its own.
    let again = runner(PR, "https://x-access-token:t@github.com/Acme/shop/", &owner);
    says(&again.envc(&["apply", "--pr", "1", "--yes"]).exits(0), &["2 to adopt; 0 requests"]);
    says(
        &again.envc(&["destroy", "--pr", "1", "--yes"]).exits(0),
        &["none left", "the claim of the project `shop` stays", "envc state claim --release"],
    );
    let left = cloud.view().listing();
    assert_eq!((made(&left), claims(&left).len()), (0, 1));
    // What is claimed is nobody else's, though nothing is there.
    second.envc(&["apply", "--pr", "1", "--yes"]).exits(1);
    second.envc(&["state", "claim", "--release", "--yes"]).exits(1);
    says(&again.envc(&["state", "claim", "--release", "--yes"]).exits(0), &["Released"]);
    assert!(cloud.view().listing().is_empty());
    second.envc(&["apply", "--pr", "1", "--yes"]).exits(0);
    assert_eq!(claims(&cloud.view().listing()), ["envc claim shop gitlab.com/other/group/shop"]);
}

#[test]
fn a_claim_costs_nothing_once_it_is_there() {
    let (owner, cloud) = served("");
    let env = runner(PR, A, &owner);
    let requests = |args: &[&str]| {
        let before = cloud.requests().len();
        env.envc(args).exits(0);
        let all = cloud.requests();
        all.into_iter()
            .skip(before)
            .map(|it| format!("{} {}", it.method, it.path))
            .collect::<Vec<_>>()
    };
    let fresh = requests(&["apply", "--pr", "1", "--yes"]);
    // The lists of the two kinds, and of all others once in a project's life; the claim (a bid, a
    // look at who else claims, its name); two creates; and a last look at both, since nothing was recorded
    // here of what another machine may have been at work on.
    let kinds = envc_kinds::registry().iter();
    let lists = kinds.filter(|kind| kind.declared().is_some() && !kind.in_zone()).count();
    assert_eq!(fresh.len(), lists + 3 + 2 + 2, "{fresh:?}");
    for args in [&["apply", "--pr", "1"][..], &["plan", "--pr", "1"]] {
        let again = requests(args);
        assert_eq!(again.len(), 2, "{again:?}");
    }
    // Without a namespace in the spec the claims are one more list, side by side with the others.
    edit(&env, "kv \"cache\"\n", "");
    let other = requests(&["apply", "--pr", "2", "--yes"]);
    assert_eq!(other.len(), 3 + 2, "{other:?}");
}

#[test]
fn two_claims_of_a_project_are_refused_with_the_way_to_release_one() {
    let (owner, cloud) = served("");
    let env = runner(PR, A, &owner);
    env.envc(&["apply", "--pr", "1", "--yes"]).exits(0);
    let title = json!({ "title": "envc claim shop gitlab.com/other/group/shop" });
    cloud.view().of_account(&Method::POST, "/storage/kv/namespaces", Some(&title));
    let whole = cloud.view().listing();
    let fresh = runner(PR, A, &owner);
    for env in [&env, &fresh] {
        let refused = env.envc(&["apply", "--pr", "1", "--yes"]).exits(1);
        says(&refused, &["both claim it", "--release \"gitlab.com/other/group/shop\""]);
    }
    assert_eq!(cloud.view().listing(), whole);
    let release = ["state", "claim", "--release", "gitlab.com/other/group/shop"];
    // Nobody is there to ask: another's proofs do not go by accident.
    says(&env.envc(&release).exits(1), &["not approved", "pass --yes"]);
    assert_eq!(cloud.view().listing(), whole);
    env.envc(&[&release[..], &["--yes"]].concat()).exits(0);
    fresh.envc(&["apply", "--pr", "1", "--yes"]).exits(0);
}

#[test]
fn a_lost_answer_to_a_claim_makes_no_second_one_and_a_kill_is_healed() {
    // Two lists, then the claim.
    for faults in ["lose-response-on=3", "error-on=3", "lose-response-on=5", "error-on=5"] {
        let env = with_origin(TestEnv::of_text(PR), A);
        env.envc_with_faults(faults, &["apply", "--pr", "1", "--yes"]).exits(0);
        let listing = env.cloud_listing();
        assert_eq!((claims(&listing).len(), made(&listing)), (1, 2), "{faults}: {listing}");
    }
    for request in 3..=7 {
        for when in ["before", "after"] {
            for lost in [false, true] {
                let env = with_origin(TestEnv::of_text(PR), A);
                let faults = format!("crash-on={request}:{when}");
                let killed = env.envc_with_faults(&faults, &["apply", "--pr", "1", "--yes"]);
                assert_eq!(killed.code, None, "{killed}");
                if lost {
                    env.lose_states();
                }
                env.envc(&["apply", "--pr", "1", "--yes"]).exits(0);
                let listing = env.cloud_listing();
                assert_eq!((claims(&listing).len(), made(&listing)), (1, 2), "{faults}: {listing}");
                env.envc(&["destroy", "--pr", "1", "--yes"]).exits(0);
                assert_eq!(made(&env.cloud_listing()), 0, "{faults}");
            }
        }
    }
}

#[test]
fn a_destroy_that_is_killed_is_completed_on_any_machine() {
    for request in 1..=4 {
        for when in ["before", "after"] {
            let env = with_origin(TestEnv::of_text(PR), A);
            env.envc(&["apply", "--pr", "1", "--yes"]).exits(0);
            let faults = format!("crash-on={request}:{when}");
            let killed = env.envc_with_faults(&faults, &["destroy", "--pr", "1", "--yes"]);
            assert_eq!(killed.code, None, "{killed}");
            env.lose_states();
            env.envc(&["destroy", "--pr", "1", "--yes", "--if-exists"]).exits(0);
            let listing = env.cloud_listing();
            assert_eq!((claims(&listing).len(), made(&listing)), (1, 0), "{faults}: {listing}");
        }
    }
}

#[test]
fn without_a_claim_the_name_of_a_pull_request_proves_nothing() {
    let (owner, cloud) = served("");
    runner(PR, A, &owner).envc(&["apply", "--pr", "1", "--yes"]).exits(0);
    let fresh = runner(PR, A, &owner);
    fresh.envc(&["state", "claim", "--release", "--yes"]).exits(0);
    let whole = cloud.view().listing();
    let refused = fresh.envc(&["apply", "--pr", "1", "--yes"]).exits(1);
    says(&refused, &["nothing proves"]);
    let refused = fresh.envc(&["destroy", "--pr", "1", "--yes", "--if-exists"]).exits(1);
    says(&refused, &["nothing proves", "d1.orders", "envc state claim"]);
    assert_eq!(cloud.view().listing(), whole);
    fresh.envc(&["state", "claim", "--yes"]).exits(0);
    says(&fresh.envc(&["apply", "--pr", "1", "--yes"]).exits(0), &["2 to adopt"]);
}

#[test]
fn on_one_machine_a_fixed_identity_is_one_repositorys() {
    let env = with_origin(TestEnv::of_text(FIXED), A);
    env.envc(&["apply"]).exits(0);
    let whole = env.cloud_listing();
    // The other repository, of the same user.
    let other = clone_of(&env, "other", B);
    for args in [&["plan"][..], &["apply", "--yes"], &["destroy", "--yes"], &["show"]] {
        let refused = in_folder(&env, &other, args).exits(1);
        says(
            &refused,
            &["github.com/acme/shop", "gitlab.com/other/group/shop", "id=\"github.com/acme/shop\""],
        );
        assert_eq!(env.cloud_listing(), whole, "{args:?}");
    }
    // Another clone of the same repository goes on with it.
    let again = "ssh://git@ssh.github.com:443/acme/shop.git";
    env.git(&["-C", other.to_str().unwrap(), "remote", "set-url", "origin", again]);
    says(&in_folder(&env, &other, &["apply"]).exits(0), &["Nothing to do"]);
}

#[test]
fn on_the_local_cloud_a_claim_is_one_repositorys_too() {
    let env = with_origin(TestEnv::of_text(PR), A);
    env.envc(&["apply", "--pr", "1", "--yes"]).exits(0);
    let whole = env.cloud_listing();
    let other = clone_of(&env, "other", B);
    for pr in ["1", "2"] {
        let refused = in_folder(&env, &other, &["apply", "--pr", pr, "--yes"]).exits(1);
        says(&refused, &["github.com/acme/shop", "gitlab.com/other/group/shop"]);
        assert_eq!(env.cloud_listing(), whole);
    }
}

#[test]
fn a_repository_that_was_renamed_says_what_it_was_or_takes_everything_along() {
    let env = with_origin(TestEnv::of_text(ONE_KV), A);
    env.envc(&["apply"]).exits(0);
    let first = id(&env);
    env.git(&["remote", "set-url", "origin", B]);
    for args in [&["plan"][..], &["apply"], &["destroy", "--yes"], &["show"]] {
        says(&env.envc(args).exits(1), &["id=\"github.com/acme/shop\"", "envc state claim"]);
    }
    edit(&env, "project \"shop\"", "project \"shop\" id=\"github.com/acme/shop\"");
    says(&env.envc(&["apply"]).exits(0), &["Nothing to do", &first]);
    edit(&env, " id=\"github.com/acme/shop\"", "");
    env.envc(&["apply"]).exits(1);
    // It is asked for, and there is no terminal here.
    env.envc(&["state", "claim"]).exits(1);
    says(
        &env.envc(&["state", "claim", "--yes"]).exits(0),
        &["goes along", "gitlab.com/other/group/shop claims the project `shop`"],
    );
    says(&env.envc(&["apply"]).exits(0), &["Nothing to do", &first]);
    env.envc(&["destroy", "--yes"]).exits(0);
    assert_eq!(made(&env.cloud_listing()), 0);
}

/// A folder with the spec of another and its own origin.
fn clone_of(env: &TestEnv, name: &str, origin: &str) -> std::path::PathBuf {
    let folder = env.path().join(name);
    fs::create_dir(&folder).unwrap();
    for file in ["environment.kdl", ".gitignore"] {
        fs::copy(env.root().join(file), folder.join(file)).unwrap();
    }
    let git = |args: &[&str]| env.git(&[&["-C", folder.to_str().unwrap()], args].concat());
    git(&["init", "--quiet", "--initial-branch=main"]);
    git(&["remote", "add", "origin", origin]);
    folder
}

const MARKED: &str = "project \"shop\" { zone \"shop.example\" }\n\
    environment \"production\" default { identity \"production\" }\n\
    dns \"www\" type=\"CNAME\" name=\"www\" content=\"a.example\"\n\
    allow \"unprotected_production\"\n";

#[test]
fn what_goes_along_is_the_new_repositorys_for_every_clone_at_once() {
    let mut env = with_origin(TestEnv::of_text(MARKED), A);
    env.set("ENVC_CLOUD", "local");
    env.envc(&["apply"]).exits(0);
    env.git(&["remote", "set-url", "origin", B]);
    env.envc(&["state", "claim", "--yes"]).exits(0);
    let repository = |env: &TestEnv| {
        let states = env.states();
        let all: Vec<_> = states.values().map(|it| it["repository"].as_str().unwrap()).collect();
        all.join(" ")
    };
    assert_eq!(repository(&env), "gitlab.com/other/group/shop");
    // One that is of what this was has nothing to do with it any more.
    let old = clone_of(&env, "old", A);
    for args in [&["plan"][..], &["apply", "--yes"], &["destroy", "--yes"]] {
        says(&in_folder(&env, &old, args).exits(1), &["it is of gitlab.com/other/group/shop"]);
    }
    // Another one of what it is goes on with it. Its record knows the marker that is still the old one's.
    let new = clone_of(&env, "new", B);
    says(&in_folder(&env, &new, &["apply", "--yes"]).exits(0), &["1 to update"]);
    for folder in [&new, &env.root()] {
        in_folder(&env, folder, &["plan", "--detailed-exitcode"]).exits(0);
    }
    in_folder(&env, &new, &["destroy", "--yes"]).exits(0);
    assert_eq!(made(&env.cloud_listing()), 0);
}

#[test]
fn what_somebody_works_on_goes_along_later_and_that_is_told() {
    let env = with_origin(TestEnv::of_text(FIXED), A);
    env.envc(&["apply"]).exits(0);
    env.git(&["remote", "set-url", "origin", B]);
    let state = files_below(&env.state_dir().join("state"))
        .into_iter()
        .find(|path| path.extension().is_some_and(|it| it == "json"))
        .unwrap();
    let lock = state.with_extension("lock");
    let held = fs::File::options().create(true).append(true).open(&lock).unwrap();
    held.lock().unwrap();
    let repository = || env.states().values().next().unwrap()["repository"].clone();
    says(
        &env.envc(&["state", "claim", "--yes"]).exits(0),
        &["goes along", "the record of `production` still names", "run the command again"],
    );
    assert_eq!(repository(), "github.com/acme/shop");
    held.unlock().unwrap();
    let again = env.envc(&["state", "claim"]).exits(0);
    assert!(!again.stderr.contains("still names"), "{again}");
    assert_eq!(repository(), "gitlab.com/other/group/shop");
    // What is written already is not written again.
    let before = fs::read(&state).unwrap();
    env.envc(&["state", "claim"]).exits(0);
    assert_eq!(fs::read(&state).unwrap(), before);
    says(&env.envc(&["apply"]).exits(0), &["Nothing to do"]);
}

#[test]
fn what_was_made_before_there_was_an_origin_goes_along() {
    let spec = format!("{PR}environment \"staging\" {{ identity \"staging\" }}\n");
    let env = TestEnv::of_text(&spec);
    let other = env.worktree("two");
    env.envc(&["apply", "--pr", "1", "--yes"]).exits(0);
    env.envc(&["apply", "staging", "--yes", "--cloud", "local"]).exits(0);
    let was = claims(&env.cloud_listing());
    assert!(was[0].starts_with("envc claim shop working-copy:"), "{was:?}");
    env.git(&["remote", "add", "origin", A]);
    // Worktrees are one clone.
    in_folder(&env, &other, &["apply", "staging", "--yes"]).exits(0);
    says(
        &env.envc(&["apply", "--pr", "1", "--yes"]).exits(0),
        &["goes along", "is that of github.com/acme/shop now"],
    );
    assert_eq!(claims(&env.cloud_listing()), ["envc claim shop github.com/acme/shop"]);
    for (name, state) in env.some_states() {
        assert_eq!(state["repository"], "github.com/acme/shop", "{name}");
    }
    env.envc(&["destroy", "--pr", "1", "--yes"]).exits(0);
    env.envc(&["destroy", "staging", "--yes"]).exits(0);
    assert_eq!(made(&env.cloud_listing()), 0);
}

#[test]
fn two_repositories_without_an_origin_are_two() {
    let env = TestEnv::of_text(FIXED);
    env.envc(&["apply"]).exits(0);
    let copied = env.path().join("copied");
    let status = Command::new("cp").arg("-a").args([env.root(), copied.clone()]).status();
    assert!(status.unwrap().success());
    let whole = env.cloud_listing();
    says(&in_folder(&env, &copied, &["destroy", "--yes"]).exits(1), &["working-copy:"]);
    assert_eq!(env.cloud_listing(), whole);
    // What the error says can be written into the spec.
    let state: Vec<Json> = env.states().into_values().collect();
    let theirs = state[0]["repository"].as_str().unwrap();
    let spec = FIXED.replace("project \"shop\"", &format!("project \"shop\" id=\"{theirs}\""));
    fs::write(copied.join("environment.kdl"), spec).unwrap();
    says(&in_folder(&env, &copied, &["apply"]).exits(0), &["Nothing to do"]);
}

#[test]
fn an_id_of_another_repositorys_working_copy_is_refused() {
    let env = with_origin(TestEnv::of_text(ONE_KV), A);
    env.envc(&["apply"]).exits(0);
    let theirs = id(&env);
    let other = clone_of(&env, "other", B);
    let refused = in_folder(&env, &other, &["destroy", "--id", &theirs, "--yes"]).exits(1);
    says(&refused, &["github.com/acme/shop", env.root().to_str().unwrap()]);
    assert_eq!(env.cloud_listing().objects.len(), 1);
    // Its own is another one, in the same account.
    in_folder(&env, &other, &["apply"]).exits(0);
    assert_eq!(env.cloud_listing().objects.len(), 2);
}

#[test]
fn two_projects_in_one_account_share_nothing() {
    let (owner, cloud) = served("");
    let one = runner(PR, A, &owner);
    let other = runner(&PR.replace("\"shop\"", "\"shop-api\""), A, &owner);
    one.envc(&["apply", "--pr", "1", "--yes"]).exits(0);
    other.envc(&["apply", "--pr", "1", "--yes"]).exits(0);
    let whole = cloud.view().listing();
    assert_eq!((made(&whole), claims(&whole).len()), (4, 2), "{whole}");
    other.envc(&["destroy", "--pr", "1", "--yes"]).exits(0);
    says(&one.envc(&["apply", "--pr", "1"]).exits(0), &["Nothing to do"]);
    assert_eq!(made(&cloud.view().listing()), 2);
}

#[test]
fn a_short_form_is_one_projects_of_one_repository_too() {
    let (owner, cloud) = served("");
    let short = |project: &str, short: &str| {
        let spec = PR.replace("\"shop\"", &format!("\"{project}\"{short}"));
        runner(&spec, A, &owner)
    };
    short("shop", " short=\"shp\"").envc(&["apply", "--pr", "1", "--yes"]).exits(0);
    let whole = cloud.view().listing();
    assert_eq!(claims(&whole), ["envc claim shp github.com/acme/shop shop"]);
    for other in [short("store", " short=\"shp\""), short("shp", "")] {
        for args in [["apply", "--pr", "1", "--yes"], ["destroy", "--pr", "1", "--yes"]] {
            let refused = other.envc(&args).exits(1);
            says(&refused, &["stands for another project", "`shop` of github.com/acme/shop"]);
        }
        assert_eq!(cloud.view().listing(), whole);
    }
    let own = short("shop", " short=\"shp\"");
    says(&own.envc(&["destroy", "--pr", "1", "--yes"]).exits(0), &["none left"]);
    own.envc(&["state", "claim", "--release", "--yes"]).exits(0);
    assert!(cloud.view().listing().is_empty());
}

#[test]
fn a_saved_plan_of_another_repository_is_refused() {
    let env = with_origin(TestEnv::of_text(FIXED), A);
    env.envc(&["plan", "--out", "../p.json"]).exits(0);
    env.git(&["remote", "set-url", "origin", B]);
    says(
        &env.envc(&["apply", "--plan", "../p.json"]).exits(1),
        &["the saved plan belongs to another repository", "github.com/acme/shop"],
    );
    assert!(env.cloud_listing().is_empty());
}

#[test]
fn a_folder_copied_inside_one_repository_has_an_environment_of_its_own() {
    let spec = "project \"shop\"\n\
        environment \"local\" default { identity branch max-length=20 unique }\n\
        kv \"cache\"\n\
        port \"web\" \"21400-21499\"\n\
        dotenv \".env\" { CACHE \"{kv.cache.id}\" ; PORT \"{port.web}\" }\n";
    let env = TestEnv::of_text(ONE_KV);
    fs::remove_file(env.root().join("environment.kdl")).unwrap();
    env.write("a/environment.kdl", spec);
    let [a, b, moved] = ["a", "b", "deep/er"].map(|name| env.root().join(name));
    in_folder(&env, &a, &["apply"]).exits(0);
    let status = Command::new("cp").arg("-a").args([&a, &b]).status();
    assert!(status.unwrap().success());
    let before = fs::read_to_string(a.join(".env")).unwrap();
    let ran = in_folder(&env, &b, &["apply"]).exits(0);
    says(&ran, &["created kv.cache"]);
    let copy = fs::read_to_string(b.join(".env")).unwrap();
    for name in ["CACHE=", "PORT="] {
        let line = |text: &str| text.lines().find(|it| it.starts_with(name)).map(str::to_owned);
        assert_ne!(line(&before), line(&copy), "{before}\n{copy}");
    }
    in_folder(&env, &b, &["destroy", "--yes"]).exits(0);
    assert_eq!(env.cloud_listing().objects.len(), 1);
    assert_eq!(fs::read_to_string(a.join(".env")).unwrap(), before);
    assert!(!b.join(".env").exists());
    says(&in_folder(&env, &a, &["apply"]).exits(0), &["Nothing to do"]);
    // A folder that is moved inside the repository keeps all that it has.
    fs::create_dir(env.root().join("deep")).unwrap();
    fs::rename(&a, &moved).unwrap();
    says(&in_folder(&env, &moved, &["apply"]).exits(0), &["Nothing to do"]);
    in_folder(&env, &moved, &["destroy", "--yes"]).exits(0);
    assert!(env.cloud_listing().is_empty());
}

#[test]
fn a_cache_that_a_clone_brings_takes_nothing_over() {
    let victim = TestEnv::of_text(ONE_KV);
    victim.envc(&["apply"]).exits(0);
    let theirs = id(&victim);
    let clone = victim.path().join("clone");
    fs::create_dir_all(clone.join(".envc")).unwrap();
    fs::copy(victim.root().join("environment.kdl"), clone.join("environment.kdl")).unwrap();
    let cache = victim.read(".envc/working-copy.json").unwrap();
    let root = victim.root();
    let forged =
        cache.replace(&format!("\"root\": \"{}\"", root.display()), "\"root\": \"/nonexistent\"");
    assert_ne!(cache, forged);
    fs::write(clone.join(".envc/working-copy.json"), forged).unwrap();
    let ran = in_folder(&victim, &clone, &["show"]).exits(3);
    says(&ran, &["was not written here by this user", &theirs]);
    // Looking does not make it ours, and neither does being refused.
    for _ in 0..2 {
        let told = in_folder(&victim, &clone, &["plan"]).exits(0);
        says(&told, &["apply will refuse: whose environment this folder has is not certain"]);
        let refused = in_folder(&victim, &clone, &["apply", "--yes"]).exits(1);
        says(&refused, &[&format!("--id {theirs} --adopt kv.cache"), "envc apply local --new"]);
        assert_eq!(victim.cloud_listing().objects.len(), 1);
    }
    in_folder(&victim, &clone, &["apply", "--new"]).exits(0);
    assert_eq!(victim.cloud_listing().objects.len(), 2);
    in_folder(&victim, &clone, &["destroy", "--yes"]).exits(0);
    says(&victim.envc(&["apply"]).exits(0), &["Nothing to do", &theirs]);
}

#[test]
fn a_cache_that_git_tracks_counts_as_absent_and_is_told() {
    let victim = TestEnv::of_text(ONE_KV);
    victim.envc(&["apply"]).exits(0);
    let cache = victim.read(".envc/working-copy.json").unwrap();
    let (clone, worktree) = (victim.path().join("clone"), victim.path().join("side"));
    let git = |folder: &Path, args: &[&str]| {
        let name = ["-c", "user.name=T", "-c", "user.email=t@example.com"];
        let ran = Command::new("git").current_dir(folder).args(name).args(args).status().unwrap();
        assert!(ran.success(), "git {args:?}");
    };
    fs::create_dir_all(clone.join(".envc")).unwrap();
    git(&clone, &["init", "--quiet"]);
    fs::copy(victim.root().join("environment.kdl"), clone.join("environment.kdl")).unwrap();
    fs::write(
        clone.join(".envc/working-copy.json"),
        cache.replace(&victim.root().display().to_string(), "/nonexistent"),
    )
    .unwrap();
    git(&clone, &["add", "--all", "--force"]);
    git(&clone, &["commit", "--quiet", "--message", "x"]);
    git(&clone, &["worktree", "add", "--quiet", worktree.to_str().unwrap()]);
    for (number, folder) in [&clone, &worktree].into_iter().enumerate() {
        let ran = in_folder(&victim, folder, &["apply"]).exits(0);
        says(&ran, &["git tracks .envc/working-copy.json", "git rm --cached"]);
        assert_eq!(victim.cloud_listing().objects.len(), 2 + number);
    }
    says(&victim.envc(&["apply"]).exits(0), &["Nothing to do"]);
}

/// A machine that lost all that it knew, but for the folder itself: a container that was made anew.
fn made_anew(env: &TestEnv) {
    for entry in fs::read_dir(env.state_dir()).unwrap() {
        let path = entry.unwrap().path();
        if path == env.cloud_dir() {
            continue;
        }
        let gone = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        gone.unwrap();
    }
}

#[test]
fn a_container_that_was_made_anew_asks_whose_environment_it_has() {
    let env = TestEnv::of_text(ONE_KV);
    env.envc(&["apply"]).exits(0);
    let was = id(&env);
    made_anew(&env);
    let refused = env.envc(&["apply"]).exits(1);
    says(&refused, &[&format!("--id {was} --adopt kv.cache"), "--new"]);
    let goes_on = ["apply", "local", "--id", &was, "--adopt", "kv.cache"];
    env.envc(&goes_on).exits(0);
    assert_eq!(env.cloud_listing().objects.len(), 1);
    // Its own by now.
    made_anew(&env);
    env.envc(&["apply", "--new"]).exits(0);
    assert_eq!(env.cloud_listing().objects.len(), 2);

    // Where nothing of it is left, there is nothing to ask.
    let env = TestEnv::of_text(ONE_KV);
    env.envc(&["apply"]).exits(0);
    made_anew(&env);
    fs::remove_dir_all(env.cloud_dir()).unwrap();
    env.envc(&["apply"]).exits(0);
}

#[test]
fn a_spec_that_is_a_link_writes_where_it_was_named() {
    use std::os::unix::fs::symlink;
    let env =
        TestEnv::of_text(&format!("{ONE_KV}dotenv \".env\" {{ CACHE \"{{kv.cache.id}}\" }}\n"));
    let link = env.root().join("link");
    fs::create_dir(&link).unwrap();
    symlink("../environment.kdl", link.join("environment.kdl")).unwrap();
    in_folder(&env, &link, &["apply"]).exits(0);
    assert!(link.join(".env").exists());
    assert_eq!(env.read(".env"), None);
    // Two folders, two environments.
    env.envc(&["apply"]).exits(0);
    assert_eq!(env.cloud_listing().objects.len(), 2);
    fs::remove_file(link.join("environment.kdl")).unwrap();
    fs::write(env.path().join("outside"), "token-1234\n").unwrap();
    symlink(env.path().join("outside"), link.join("environment.kdl")).unwrap();
    for args in [&["check"][..], &["plan"], &["fmt"]] {
        let refused = in_folder(&env, &link, args).exits(65);
        says(&refused, &["leads out of the repository"]);
        assert!(!refused.to_string().contains("token-1234"), "{refused}");
    }
}
