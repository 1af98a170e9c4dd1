//! One folder and several clouds or accounts: nothing is made twice by accident, and nothing is
//! forgotten.

use std::fs;

use envc_tests::{Ran, ServedCloud, TestEnv};

use crate::common::{A, ONE_KV, id, says, with_origin};

/// One namespace, and a configuration that names it.
const WITH_FILE: &str = "project \"shop\"\n\
    environment \"local\" default { identity branch max-length=20 unique }\n\
    kv \"cache\"\n\
    dotenv \".env\" { CACHE \"{kv.cache.id}\" }\n";

/// The lines of standard error that tell what is worked on.
fn headings(ran: &Ran) -> Vec<&str> {
    ran.stderr.lines().filter(|line| line.contains("` (type ")).collect()
}

fn kv(cloud: &ServedCloud) -> Vec<String> {
    cloud.view().listing().names("kv").iter().map(ToString::to_string).collect()
}

/// Invariant: an explicit `--cloud` binds the environment, files and later commands included, and
/// what is on the other cloud stays known until it is destroyed.
#[test]
fn an_explicit_cloud_binds_and_the_other_one_is_not_forgotten() {
    let mut env = TestEnv::of_text(WITH_FILE);
    let cloud = ServedCloud::start(&mut env, "", &[]);
    env.envc(&["apply", "--cloud", "local"]).exits(0);
    let id = id(&env);
    let near = env.read(".env").unwrap();
    let moved = env.envc(&["apply", "--cloud", "cloudflare"]).exits(0);
    let destroy = "envc destroy local --cloud local";
    says(&moved, &["on the local cloud", destroy]);
    let far = env.read(".env").unwrap();
    assert_ne!(near, far);
    for args in [&["apply"][..], &["plan"], &["show"], &["output"]] {
        env.envc(args).exits(0);
        assert_eq!(env.read(".env").as_ref(), Some(&far), "{args:?}");
    }
    says(&env.envc(&["apply"]).exits(0), &["Nothing to do"]);
    says(&env.envc(&["plan"]).exits(0), &["No changes"]);
    // Back and forth: each time the one that is named binds.
    env.envc(&["apply", "--cloud", "local"]).exits(0);
    assert_eq!(env.read(".env"), Some(near));
    says(&env.envc(&["apply"]).exits(0), &["on the local cloud", "Nothing to do"]);
    env.envc(&["apply", "--cloud", "cloudflare"]).exits(0);

    // The one that is not bound goes, and takes no file along.
    let gone = env.envc(&["destroy", "--cloud", "local", "--yes"]).exits(0);
    says(&gone, &[&format!("`{id}` is still in the account {}", cloud.account())]);
    assert!(env.cloud_listing().is_empty());
    assert_eq!(env.read(".env"), Some(far));
    assert_eq!(kv(&cloud), [format!("shop--cache--{id}")]);
    says(&env.envc(&["apply"]).exits(0), &["Nothing to do"]);
    let gone = env.envc(&["destroy", "--yes"]).exits(0);
    says(&gone, &["removed .env", "none left"]);
    assert!(cloud.view().listing().is_empty() && env.read(".env").is_none());
    says(
        &env.envc(&["destroy", "--if-exists"]).exits(0),
        &["this folder has no environment (none was made from it"],
    );
}

#[test]
fn destroying_the_bound_one_binds_back_to_what_is_left() {
    let mut env = TestEnv::of_text(WITH_FILE);
    let cloud = ServedCloud::start(&mut env, "", &[]);
    env.envc(&["apply", "--cloud", "local"]).exits(0);
    env.envc(&["apply", "--cloud", "cloudflare"]).exits(0);
    let gone = env.envc(&["destroy", "--yes"]).exits(0);
    says(
        &gone,
        &["removed .env", "is still on the local cloud", "envc destroy local --cloud local"],
    );
    assert!(cloud.view().listing().is_empty());
    // What the local one asks for is written again, under the same ID.
    says(&env.envc(&["apply"]).exits(0), &["on the local cloud", "wrote .env"]);
    says(&env.envc(&["destroy", "--yes", "--if-exists"]).exits(0), &["none left"]);
    assert!(env.cloud_listing().is_empty());
}

/// Invariant: what one account has is neither made again in another one nor forgotten by a command
/// there.
#[test]
fn another_account_is_refused_and_changes_nothing() {
    let mut env = TestEnv::of_text(WITH_FILE);
    let b = ServedCloud::start_as(&mut env, "b", "", &[]);
    let a = ServedCloud::start_as(&mut env, "a", "", &[]);
    env.envc(&["apply"]).exits(0);
    let id = id(&env);
    let file = env.read(".env");
    b.use_in(&mut env);
    for args in [
        &["apply"][..],
        &["plan"],
        &["destroy", "--yes"],
        &["destroy", "--yes", "--if-exists"],
        &["migrate", "status"],
    ] {
        let ran = env.envc(args).exits(1);
        says(&ran, &["is recorded in another account", a.account(), b.account(), "--rebind"]);
        let changing = b.requests().into_iter().filter(|it| it.method != "GET").count();
        assert_eq!(changing, 0, "{ran}");
    }
    says(&env.envc(&["show"]).exits(3), &["it is recorded in the account", a.account()]);
    assert_eq!(env.read(".env"), file);
    a.use_in(&mut env);
    says(&env.envc(&["apply"]).exits(0), &["Nothing to do"]);

    // Who really moves says so. What is left behind can be destroyed with its own token alone.
    b.use_in(&mut env);
    let moved = env.envc(&["apply", "--rebind"]).exits(0);
    says(&moved, &[&format!("`{id}` is still in the account {}", a.account()), "envc destroy"]);
    says(&env.envc(&["apply"]).exits(0), &["Nothing to do"]);
    let file = env.read(".env");
    a.use_in(&mut env);
    says(&env.envc(&["apply"]).exits(1), &["is recorded in another account"]);
    env.envc(&["destroy", "--yes"]).exits(0);
    assert!(a.view().listing().is_empty());
    assert_eq!((kv(&b).len(), env.read(".env")), (1, file));
    b.use_in(&mut env);
    says(&env.envc(&["apply"]).exits(0), &["Nothing to do"]);
    env.envc(&["destroy", "--yes"]).exits(0);
    assert!(b.view().listing().is_empty() && env.read(".env").is_none());
}

#[test]
fn a_fresh_record_refuses_no_account_and_an_older_one_is_carried_over() {
    let mut env = TestEnv::of_text(ONE_KV);
    let b = ServedCloud::start_as(&mut env, "b", "", &[]);
    let a = ServedCloud::start_as(&mut env, "a", "", &[]);
    env.envc(&["apply"]).exits(0);
    // As the version before wrote it: the cloud alone.
    let path = env.state_dir().join("registry.json");
    let mut registry: serde_json::Value =
        serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    registry["schema"] = 3.into();
    for place in registry["places"].as_object_mut().unwrap().values_mut() {
        for record in
            place["projects"]["shop"]["environments"].as_object_mut().unwrap().values_mut()
        {
            assert!(record.as_object_mut().unwrap().remove("applied_to").is_some());
        }
    }
    fs::write(&path, serde_json::to_vec(&registry).unwrap()).unwrap();
    // The state tells the account.
    b.use_in(&mut env);
    says(&env.envc(&["apply"]).exits(1), &["is recorded in another account", a.account()]);
    a.use_in(&mut env);
    says(&env.envc(&["apply"]).exits(0), &["Nothing to do"]);
    assert!(fs::read_to_string(&path).unwrap().contains("applied_to"));
    // Without any record nothing is refused.
    b.use_in(&mut env);
    fs::remove_dir_all(env.state_dir()).unwrap();
    fs::remove_dir_all(env.root().join(".envc")).unwrap();
    env.envc(&["apply"]).exits(0);
    assert_eq!(kv(&b).len(), 1);
}

#[test]
fn another_host_is_another_account_and_another_port_of_this_machine_is_not() {
    let mut env = TestEnv::of_text(ONE_KV);
    let cloud = ServedCloud::start(&mut env, "", &[]);
    env.envc(&["apply"]).exits(0);
    drop(cloud);
    let again = ServedCloud::start(&mut env, "", &[]);
    says(&env.envc(&["apply"]).exits(0), &["Nothing to do"]);
    // Nobody has to answer there: it is refused before it is asked for anything.
    env.set("CLOUDFLARE_API_BASE_URL", "https://api.invalid/client/v4");
    let ran = env.envc(&["destroy", "--yes"]).exits(1);
    says(&ran, &["is recorded in another account", "api.invalid", "127.0.0.1"]);
    assert_eq!(kv(&again).len(), 1);
}

#[test]
fn killed_between_recording_and_making_the_next_command_carries_on() {
    for call in 1.. {
        let mut env = TestEnv::of_text(WITH_FILE);
        let cloud = ServedCloud::start(&mut env, "", &[]);
        env.envc(&["apply"]).exits(0);
        let faults = format!("crash-on={call}:before");
        let killed = env.envc_with_faults(&faults, &["apply", "--cloud", "local"]);
        if killed.code == Some(0) {
            assert!(call > 2, "{killed}");
            break;
        }
        // What it said that it works on is worked on, as soon as anything may be there.
        let again = env.envc(&["apply"]).exits(0);
        let is_near = headings(&again)[0].contains("on the local cloud");
        assert_eq!(is_near, !env.cloud_listing().is_empty(), "{again}");
        says(&env.envc(&["apply"]).exits(0), &["Nothing to do"]);
        env.envc(&["destroy", "--yes"]).exits(0);
        env.envc(&["destroy", "--yes", "--if-exists"]).exits(0);
        assert!(cloud.view().listing().is_empty() && env.cloud_listing().is_empty());
        assert!(env.read(".env").is_none());
    }
}

/// Invariant: that a folder has no environment is said only where nothing is recorded, on no cloud.
#[test]
fn what_is_recorded_is_never_denied() {
    let spec = "project \"shop\"\n\
        environment \"local\" default { identity branch max-length=20 unique }\n\
        environment \"demo\" { identity branch max-length=20 unique }\n\
        kv \"cache\"\nallow \"unused_resource\"\n";
    let env = with_origin(TestEnv::of_text(spec), A);
    let never = "this folder has no environment (none was made from it";
    says(&env.envc(&["destroy", "--if-exists"]).exits(0), &[never]);
    says(&env.envc(&["show"]).exits(3), &[never]);
    env.envc(&["apply", "demo"]).exits(0);
    let id = env.envc(&["output", "demo", "--only", "env"]).exits(0).stdout.trim().to_owned();
    let command = format!("envc destroy --id {id} --cloud local");
    for args in [&["destroy", "local", "--if-exists"][..], &["destroy", "local"]] {
        let ran = env.envc(args);
        assert_eq!(ran.code, Some(if args.len() == 3 { 0 } else { 3 }), "{ran}");
        says(&ran, &["no environment of type `local` was made", &command]);
        assert!(
            !ran.stderr.contains("none was made") && !ran.stdout.contains("none was made"),
            "{ran}"
        );
    }
    // Without its registry and cache the state alone tells.
    fs::remove_file(env.state_dir().join("registry.json")).unwrap();
    fs::remove_dir_all(env.root().join(".envc")).unwrap();
    says(&env.envc(&["destroy", "demo"]).exits(3), &[&command]);
    env.envc(&["destroy", "--id", &id, "--cloud", "local", "--yes"]);
}

#[test]
fn the_heading_is_one_short_line_and_said_once() {
    let mut env = TestEnv::of_text(ONE_KV);
    let cloud = ServedCloud::start(&mut env, "", &[]);
    // The account is not known before it is asked for; then it is remembered.
    env.unset("CLOUDFLARE_ACCOUNT_ID");
    for args in [&["apply"][..], &["plan"], &["apply"], &["destroy", "--yes"]] {
        let ran = env.envc(args).exits(0);
        let told = headings(&ran);
        assert_eq!(told.len(), 1, "{ran}");
        assert!(told[0].chars().count() <= 100 && !told[0].contains("Cloudflare"), "{ran}");
        let account: String = cloud.account().chars().take(8).collect();
        assert!(told[0].contains("at 127.0.0.1:") && told[0].contains(&account), "{ran}");
        assert!(!ran.stderr.contains("because"), "{ran}");
    }
}

#[test]
fn what_nothing_knows_is_shown_as_unknown() {
    let spec = "project \"shop\"\n\
        environment \"local\" default { identity branch max-length=20 unique }\n\
        environment \"pr\" { when pr ; identity \"pr-{env.pr}\" ; ttl \"7d\" }\n\
        kv \"cache\"\nallow \"unused_resource\"\n";
    let env = TestEnv::of_text(spec);
    for args in [
        &["show", "--pr", "90"][..],
        &["output", "--pr", "90"],
        &["show", "--pr", "90", "--json"],
        &["output", "pr", "--pr", "90", "--json"],
    ] {
        let ran = env.envc(args).exits(3);
        let told =
            ["nothing is recorded of `pr-90`", "envc plan pr --pr 90", "envc apply pr --pr 90"];
        says(&ran, &told);
        assert!(!ran.stdout.contains("\"event\":\"environment\""), "{ran}");
    }
    says(&env.envc(&["show", "--id", "nope-1"]).exits(3), &["nothing is recorded of `nope-1`"]);
}

/// Invariant: what a folder made is named also where its spec does not lead to it any more.
#[test]
fn what_the_spec_does_not_lead_to_any_more_is_named_with_the_way_to_it() {
    let spec = "project \"shop\"\n\
        environment \"local\" default { identity branch max-length=20 unique }\n\
        environment \"production\" { identity \"production\" }\n\
        environment \"demo\" { identity \"demo\" }\n\
        kv \"cache\"\nallow \"unused_resource\" \"unprotected_production\"\n";
    let env = with_origin(TestEnv::of_text(spec), A);
    env.envc(&["apply"]).exits(0);
    let id = id(&env);
    env.envc(&["apply", "production", "--yes"]).exits(0);

    // Another project: the folder's record is the old one's.
    env.write("environment.kdl", &spec.replace("\"shop\"", "\"store\""));
    let way =
        format!("project \"shop\" in environment.kdl: envc destroy local --id {id} --cloud local");
    for args in [&["destroy"][..], &["show"], &["destroy", "--if-exists"]] {
        let ran = env.envc(args);
        says(&ran, &[&way, "envc destroy production --id production --cloud local"]);
        assert!(!format!("{ran}").contains("this folder has no environment"), "{ran}");
    }
    says(&env.envc(&["destroy", "production"]).exits(3), &[&way]);
    for args in [&["plan"][..], &["apply"]] {
        let ran = env.envc(args).exits(0);
        assert_eq!(ran.stderr.matches(&way).count(), 1, "{ran}");
    }
    env.envc(&["destroy", "--yes"]).exits(0);

    // Another identity: the ID leads to it.
    let moved = spec.replace("identity \"production\"", "identity \"prod\"");
    env.write("environment.kdl", &moved);
    let way = "envc destroy production --id production --cloud local";
    says(
        &env.envc(&["destroy", "production"]).exits(3),
        &["the account has nothing of `prod`", way],
    );
    says(&env.envc(&["plan", "production"]).exits(0), &[way, "before its identity was changed"]);
    let own = env.envc(&["plan"]).exits(0);
    assert_eq!(own.stderr.matches("before its identity").count(), 1, "{own}");
    says(
        &env.envc(&["show", "production", "--id", "production"]).exits(0),
        &["shop--cache--production"],
    );
    // Only what was made as the type.
    env.envc(&["show", "production", "--id", "other"]).exits(64);
    env.envc(&["show", "production", "--id", "demo"]).exits(64);
    let gone = "destroy production --id production --cloud local --yes";
    says(&env.envc(&gone.split(' ').collect::<Vec<_>>()).exits(0), &["none left"]);
    let after = env.envc(&["plan"]).exits(0);
    assert!(!after.stderr.contains("was made from this folder"), "{after}");
    // A type that is gone.
    env.envc(&["apply", "demo", "--yes"]).exits(0);
    env.write("environment.kdl", &spec.replace("environment \"demo\" { identity \"demo\" }\n", ""));
    says(&env.envc(&["plan"]).exits(0), &["`demo` (type demo)", "envc destroy demo --id demo"]);
    env.write("environment.kdl", spec);
    let quiet = env.envc(&["plan"]).exits(0);
    assert!(!quiet.stderr.contains("was made from this folder"), "{quiet}");
}

/// An account that is closed: nobody can destroy what is recorded there, and it is forgotten on demand.
#[test]
fn an_account_that_is_gone_is_forgotten_when_it_is_asked_for() {
    let mut env = TestEnv::of_text(WITH_FILE);
    let b = ServedCloud::start_as(&mut env, "b", "", &[]);
    let a = ServedCloud::start_as(&mut env, "a", "", &[]);
    env.envc(&["apply"]).exits(0);
    let (id, closed) = (id(&env), a.account().to_owned());
    let made = kv(&a);
    b.use_in(&mut env);
    let forget = format!("envc state forget {closed} local");
    says(&env.envc(&["apply"]).exits(1), &[&format!("if that account is gone: {forget}")]);
    says(&env.envc(&["apply", "--rebind"]).exits(0), &[&forget]);
    let calls = b.requests().len() + a.requests().len();
    // Nobody is here to be asked.
    let asked = env.envc(&["state", "forget", &closed]).exits(1);
    says(&asked, &["not approved", "shop--cache--", "what stays in the account"]);
    says(
        &env.envc(&["state", "forget", "0123"]).exits(3),
        &["not recorded in the account 0123", &forget],
    );
    let file = env.read(".env");
    let gone = env.envc(&["state", "forget", &closed, "--yes"]).exits(0);
    says(&gone, &[&format!("Forgot `{id}` in the account {closed}"), "1 resource", "kv.cache"]);
    assert_eq!(b.requests().len() + a.requests().len(), calls, "no call is made");
    assert_eq!((kv(&a), env.read(".env")), (made, file), "{gone}");
    // The other account is worked on as before, and nothing speaks of the first one.
    says(&env.envc(&["apply"]).exits(0), &["Nothing to do"]);
    let destroyed = env.envc(&["destroy", "--yes"]).exits(0);
    assert!(!destroyed.stderr.contains(&closed), "{destroyed}");
    says(&env.envc(&["destroy", "--if-exists"]).exits(0), &["this folder has no environment"]);

    // The only account that it is in: nothing of it is left on this machine.
    env.envc(&["apply"]).exits(0);
    let only = env.envc(&["state", "forget", b.account(), "--yes"]).exits(0);
    says(&only, &["removed .env"]);
    assert!(env.read(".env").is_none() && env.states().is_empty(), "{only}");
    says(
        &env.envc(&["state", "forget", b.account(), "--yes"]).exits(3),
        &["this folder has no environment"],
    );
}
