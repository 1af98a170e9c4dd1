//! `envc show --resolved`: a type as plain KDL, from the spec alone.

use envc_tests::{ServedCloud, TestEnv};

use crate::common::{A, ONE_KV, edit, in_folder, says, with_origin};

const SPEC: &str = "project \"shop\"
environment \"local\" default { identity branch max-length=20 unique }
environment \"production\" {
    identity \"production\"
    protect
    queue \"jobs\" retention=120
    without kv \"cache\"
}
queue \"jobs\" retention=60 delivery-delay=5
kv \"cache\"
";

#[test]
fn a_resolved_type_says_where_each_value_comes_from() {
    let env = TestEnv::of_text(SPEC);
    let shown = env.envc(&["show", "--resolved", "production"]).exits(0);
    let lines = [
        "environment \"production\" { // line 3",
        "    identity \"production\" // line 4, production",
        "queue \"jobs\" retention=120 delivery-delay=5 // line 9; retention= line 6, production",
    ];
    says(&shown, &lines);
    assert!(!shown.stdout.contains("cache"), "{shown}");

    // It is a spec that says the same, laid out as `envc fmt` lays it out.
    env.write("environment.kdl", &shown.stdout);
    let _tidy = env.envc(&["fmt", "--check"]).exits(0);
    let again = env.envc(&["show", "--resolved", "production"]).exits(0);
    let plain = |text: &str| {
        let line = |line: &str| line.split(" //").next().unwrap_or_default().to_owned();
        text.lines().map(line).collect::<Vec<_>>()
    };
    assert_eq!(plain(&again.stdout), plain(&shown.stdout));

    env.write("environment.kdl", SPEC);
    let other = env.envc(&["show", "--resolved"]).exits(0);
    says(&other, &["environment \"local\" default { // line 2", "kv \"cache\" // line 10"]);
}

#[test]
fn an_unknown_type_is_told() {
    let env = TestEnv::of_text(SPEC);
    says(&env.envc(&["show", "--resolved", "prod"]).exits(64), &["no type `prod`", "production"]);
}

#[test]
fn what_exists_is_told_though_nothing_is_recorded_of_it() {
    const ID: &str = "77aa55c0-1b2c-4d3e-8f4a-5b6c7d8e9f01";
    let existing = format!(
        "project \"shop\"\nenvironment \"local\" default {{ identity branch max-length=20 unique\n\
         existing {{ d1 \"orders\" id=\"{ID}\" ; r2 \"images\" name=\"shop-images\" }} }}\n\
         d1 \"orders\"\nr2 \"images\"\nport \"web\" \"3000-3999\"\n\
         dotenv \".env\" {{ DB \"{{d1.orders.id}}\" ; WEB \"{{port.web}}\" ; BUCKET \"{{r2.images.name}}\" }}\n"
    );
    let env = TestEnv::of_text(&existing);
    let _minted = env.envc(&["plan"]);
    let told = env.envc(&["output"]).exits(0);
    let id = format!("d1.orders.id={ID}");
    says(&told, &[&id, "r2.images.name=shop-images", "port.web=", "env.type=local"]);
    assert!(!told.stdout.contains("d1.orders.name"), "the account alone knows: {told}");
    says(&env.envc(&["output", "--only", "r2.images.name"]).exits(0), &["shop-images\n"]);
    let shown = env.envc(&["show"]).exits(0);
    says(&shown, &["d1.orders", ID, "shop-images (existing)"]);
    assert!(!shown.stdout.contains("not applied"), "{shown}");
    let shown = env.envc(&["show", "--json"]).exits(0);
    says(&shown, &["\"applied\":true", "\"existing\":{\"d1.orders\":{"]);

    // Beside what envc makes it is told as well, and that is not there before an apply.
    env.write(
        "environment.kdl",
        &format!(
            "{}kv \"own\"\n",
            existing
                .replace(&format!("d1 \"orders\" id=\"{ID}\" ; "), "")
                .replace("d1 \"orders\"\n", "")
                .replace("DB \"{d1.orders.id}\" ; ", "")
        ),
    );
    says(
        &env.envc(&["output"]).exits(3),
        &["nothing is recorded of `", "on this machine", "envc plan"],
    );
    let _applied = env.envc(&["apply", "--yes"]).exits(0);
    says(&env.envc(&["output"]).exits(0), &["kv.own.id=", "r2.images.name=shop-images"]);
}

#[test]
fn a_type_of_files_alone_has_outputs() {
    let env = TestEnv::of_text(
        "project \"shop\"\nenvironment \"local\" default { identity branch max-length=20 unique }\n\
         port \"web\" \"3000-3999\"\ndotenv \".env\" { WEB \"{port.web}\" }\n",
    );
    let _applied = env.envc(&["apply"]).exits(0);
    says(&env.envc(&["output"]).exits(0), &["port.web="]);
    assert!(!env.envc(&["show"]).exits(0).stdout.contains("not applied"));
}

/// Two types with a port each, one of them for pull requests.
const PORTS: &str = "project \"shop\" id=\"github.com/acme/shop\" { zone \"shop.example\" }\n\
    environment \"local\" default { identity branch max-length=20 unique }\n\
    environment \"pr\" { when pr ; identity \"pr-{env.pr}\" ; ttl \"7d\" }\n\
    kv \"cache\"\nport \"web\" \"3000-3999\"\n\
    tunnel \"dev\" { ingress \"web\" host=\"{env}\" service=\"http://localhost:{port.web}\" ; \
    ingress \"fixed\" host=\"fixed--{env}\" service=\"http://localhost:4000\" }\n\
    dotenv \".env\" { CACHE \"{kv.cache.id}\" ; WEB \"{port.web}\" }\n";

/// Invariant: no port is told that no apply chose.
#[test]
fn of_another_folders_environment_its_own_ports_are_told_and_of_nobodys_none() {
    let env = TestEnv::of_text(PORTS);
    let other = env.worktree("other");
    env.envc(&["apply"]).exits(0);
    in_folder(&env, &other, &["apply", "--pr", "42", "--yes"]).exits(0);
    let own = in_folder(&env, &other, &["output", "--only", "port.web"]).exits(0).stdout;
    let told = env.envc(&["output", "--id", "pr-42"]).exits(0);
    says(&told, &[&format!("port.web={own}"), &format!("url.web=http://localhost:{own}")]);
    let shown = env.envc(&["show", "--id", "pr-42"]).exits(0);
    says(&shown, &[&format!("  web                      {own}")]);

    // Its folder is gone, and its ports with it.
    std::fs::remove_dir_all(&other).unwrap();
    for args in [&["output", "--id", "pr-42"][..], &["show", "--id", "pr-42"]] {
        let ran = env.envc(args).exits(0);
        says(&ran, &["not recorded on this machine, an apply chooses: web", "localhost:4000"]);
        assert!(!ran.stdout.contains("port.web") && !ran.stdout.contains("localhost:3"), "{ran}");
        assert!(!ran.stdout.contains("localhost:0"), "{ran}");
    }
    let json = env.envc(&["show", "--id", "pr-42", "--json"]).exits(0);
    assert_eq!(json.event("environment").unwrap()["ports"], serde_json::json!({}), "{json}");
    let only = env.envc(&["output", "--id", "pr-42", "--only", "port.web"]).exits(64);
    says(&only, &["no output `port.web`", "an apply chooses: web"]);
    // A port that the spec has since is nobody's either.
    edit(&env, "port \"web\"", "port \"admin\" \"5000-5999\"\nport \"web\"");
    let told = env.envc(&["output"]).exits(0);
    assert!(!told.stdout.contains("port.admin") && told.stdout.contains("port.web="), "{told}");
}

#[test]
fn what_an_apply_found_of_existing_resources_is_told() {
    let mut env = TestEnv::of_text(
        "project \"shop\"\n\
         environment \"local\" default { identity branch max-length=20 unique\n\
         existing { kv \"flags\" name=\"shop-flags\" ; d1 \"orders\" name=\"shop-orders\" } }\n\
         kv \"flags\"\nd1 \"orders\"\nallow \"unused_resource\"\n",
    );
    let make = |path: &str, body: serde_json::Value| {
        env.cloud().of_account(&http::Method::POST, path, Some(&body))
    };
    make("/storage/kv/namespaces", serde_json::json!({"title": "shop-flags"}));
    make("/storage/kv/namespaces", serde_json::json!({"title": "shop-others"}));
    make("/d1/database", serde_json::json!({"name": "shop-orders"}));
    let listing = env.cloud_listing();
    let id = |kind: &str, name: &str| listing.id(kind, name).unwrap().to_owned();
    let (flags, orders) = (id("kv", "shop-flags"), id("d1", "shop-orders"));
    env.envc(&["plan"]).exits(0);
    let before = env.envc(&["output"]).exits(0);
    assert!(!before.stdout.contains("kv.flags.id"), "{before}");
    env.envc(&["apply"]).exits(0);
    let told = env.envc(&["output"]).exits(0);
    says(&told, &[&format!("kv.flags.id={flags}"), &format!("d1.orders.id={orders}")]);
    says(&env.envc(&["show"]).exits(0), &[&flags, "shop-orders (existing)"]);
    // The spec's own words count, and what was found for others says nothing.
    edit(&env, "name=\"shop-flags\"", "name=\"shop-others\"");
    let told = env.envc(&["output"]).exits(0);
    assert!(!told.stdout.contains("kv.flags.id"), "{told}");
    says(&told, &["kv.flags.name=shop-others", &orders]);
    // By its identifier, the name is what the account told.
    edit(&env, "name=\"shop-others\"", &format!("id=\"{flags}\""));
    env.envc(&["apply"]).exits(0);
    says(&env.envc(&["output", "--only", "kv.flags.name"]).exits(0), &["shop-flags\n"]);
    // Another account has others.
    let cloud = ServedCloud::start(&mut env, "", &[]);
    let told = env.envc(&["output", "--cloud", "cloudflare"]).exits(0);
    assert!(!told.stdout.contains("d1.orders.id"), "{told}");
    drop(cloud);
}

#[test]
fn the_binding_of_a_pull_request_is_enough_and_in_ci_for_looks_alone() {
    let mut env = with_origin(TestEnv::of_text(PORTS), A);
    env.envc(&["apply", "--pr", "42", "--yes"]).exits(0);
    for (ci, looks) in [(false, false), (true, true)] {
        if ci {
            env.set("CI", "true");
        }
        says(&env.envc(&["show"]).exits(0), &["`pr-42` (type pr)"]);
        says(&env.envc(&["show", "pr"]).exits(0), &["`pr-42` (type pr)"]);
        says(&env.envc(&["output", "--only", "env"]).exits(0), &["pr-42\n"]);
        for changing in [&["apply", "--yes"][..], &["plan"], &["destroy", "--plan"]] {
            let ran = env.envc(changing).exits(if looks { 64 } else { 0 });
            says(&ran, &[if looks { "--pr 42" } else { "`pr-42`" }]);
        }
    }
    env.unset("CI");
    // Where it is bound to another type, the number is asked for.
    env.envc(&["apply", "local", "--rebind"]).exits(0);
    says(&env.envc(&["show", "pr"]).exits(64), &["needs the number"]);
}

/// Invariant: what is shown is of one account.
#[test]
fn with_the_variables_of_another_account_one_account_is_shown() {
    let spec = "project \"shop\"\n\
        environment \"local\" default { identity branch max-length=20 unique }\n\
        kv \"cache\"\ndotenv \".env\" { CACHE \"{kv.cache.id}\" }\n";
    let mut env = TestEnv::of_text(spec);
    let b = ServedCloud::start_as(&mut env, "b", "", &[]);
    let a = ServedCloud::start_as(&mut env, "a", "", &[]);
    env.envc(&["apply"]).exits(0);
    let in_a = env.envc(&["output", "--only", "kv.cache.id"]).exits(0).stdout;
    b.use_in(&mut env);
    env.envc(&["apply", "--rebind"]).exits(0);
    let in_b = env.envc(&["output", "--only", "kv.cache.id"]).exits(0).stdout;
    let host_of_b = env.var("CLOUDFLARE_API_BASE_URL");
    let host_of_b = host_of_b.trim_start_matches("http://").trim_end_matches("/client/v4");
    says(&env.envc(&["show"]).exits(0), &[b.account(), in_b.trim(), host_of_b, ".env"]);
    // The first one is named: all is of that one, and where the folder works is told.
    a.use_in(&mut env);
    let shown = env.envc(&["show"]).exits(0);
    says(
        &shown,
        &[a.account(), in_a.trim(), "this folder works on it in the account", b.account()],
    );
    assert!(!shown.stdout.contains(in_b.trim()) && !shown.stdout.contains("files:"), "{shown}");
    // Its token alone names none: what the folder is bound to is shown, with the host of that.
    env.unset("CLOUDFLARE_ACCOUNT_ID");
    env.set("CLOUDFLARE_API_BASE_URL", "https://api.invalid/client/v4");
    let shown = env.envc(&["show"]).exits(0);
    says(&shown, &[b.account(), in_b.trim(), host_of_b, ".env"]);
    assert!(
        !shown.stdout.contains("api.invalid") && !shown.stdout.contains(a.account()),
        "{shown}"
    );
}

#[test]
fn an_environment_whose_worktree_was_removed_is_found_with_the_command_that_destroys_it() {
    let env = with_origin(TestEnv::of_text(ONE_KV), A);
    let worktree = env.worktree("zed");
    in_folder(&env, &worktree, &["apply"]).exits(0);
    let id = env.some_states().keys().next().unwrap().trim_end_matches(".json").to_owned();
    env.git(&["worktree", "remove", "--force", worktree.to_str().unwrap()]);
    let hint = format!("--id {id} --cloud local");
    says(&env.envc(&["show"]).exits(3), &[&format!("`{id}` (type local)"), &hint]);
    let told = env.envc(&["destroy", "--yes"]).exits(3);
    says(&told, &[&format!("envc destroy {hint}")]);
    env.envc(&["destroy", "--yes", "--id", &id, "--cloud", "local"]).exits(0);
    assert!(env.cloud_listing().is_empty());
}
