//! Warnings, what `--deny` makes of them, and what `check` sees in the files of a project.

use std::fs;

use envc_tests::{Ran, TestEnv};
use serde_json::Value as Json;

use crate::common::{ONE_KV, check, edit, says};

/// Two warnings: a namespace that nothing uses, and a type for pull requests without an end.
const TWO: &str = "project \"shop\"\n\
    environment \"local\" default { identity branch max-length=20 unique }\n\
    environment \"pr\" { when pr ; identity \"pr-{env.pr}\" }\n\
    kv \"cache\"\n";

fn events(ran: &Ran) -> Vec<Json> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn warnings_are_shown_and_do_not_fail_the_check() {
    let env = TestEnv::of_text(TWO);
    check("warnings", &env, &env.envc(&["check"]));
    let ran = env.envc(&["check", "--json"]).exits(0);
    let events = events(&ran);
    assert!(events[..2].iter().all(|event| event["severity"] == "warning"), "{ran}");
    assert_eq!(events[2]["warnings"], 2);
}

#[test]
fn a_denied_warning_is_a_mistake_in_every_format() {
    let env = TestEnv::of_text(TWO);
    check("warnings_denied", &env, &env.envc(&["check", "--deny", "warnings"]));
    check(
        "warnings_github",
        &env,
        &env.envc(&["check", "--deny", "pr_without_ttl", "--format", "github"]),
    );
    let ran = env.envc(&["check", "--deny", "envc::lint::unused_resource", "--json"]).exits(65);
    let severities: Vec<Json> = events(&ran).iter().map(|one| one["severity"].clone()).collect();
    assert_eq!(severities[..2], ["warning", "error"], "{ran}");
    assert_eq!(events(&ran).last().unwrap()["code"], "envc::cli::denied_warnings");
    let _fine = env.envc(&["check", "--deny", "secret_in_text"]).exits(0);
    says(&env.envc(&["check", "--deny", "unused"]).exits(64), &["unused_resource"]);
    edit(&env, "kv \"cache\"", "allow \"unused_resource\" \"pr_without_ttl\"\nkv \"cache\"");
    let ran = env.envc(&["check", "--deny", "warnings"]).exits(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("ok: 2 types, 1 resource\n", ""));
}

#[test]
fn annotations_name_the_spec_from_the_top_of_the_checkout() {
    let env = TestEnv::of_text(ONE_KV);
    let _git = env.git(&["init", "-q"]);
    env.write("services/shop/environment.kdl", TWO);
    let checks: [(&str, &[&str]); 2] = [
        ("services", &["-C", "shop", "check", "--format", "github"]),
        ("services/shop", &["check", "--format", "github"]),
    ];
    for (folder, arguments) in checks {
        let output = env.command_in(&env.root().join(folder), arguments).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.starts_with("::warning file=services/shop/environment.kdl,line="), "{text}");
    }
}

#[test]
fn plan_and_apply_say_each_warning_in_a_line() {
    let env = TestEnv::of_text(&ONE_KV.replace("allow \"unused_resource\"\n", ""));
    let line = "warning: environment.kdl:3:4: nothing uses `kv.cache` (unused_resource)\n";
    for arguments in [&["plan"][..], &["apply"], &["apply", "-q"]] {
        let ran = env.envc(arguments).exits(0);
        assert_eq!(ran.stderr.matches(line).count(), 1, "{ran}");
    }
    let told = events(&env.envc(&["apply", "--json"]).exits(0));
    assert_eq!(told[0]["code"], "envc::lint::unused_resource");
    assert!(!env.envc(&["destroy", "--yes"]).exits(0).stderr.contains("warning"));
}

#[test]
fn the_files_of_the_project_are_looked_at() {
    let env = TestEnv::new("quickstart");
    fs::remove_dir_all(env.root().join("migrations")).unwrap();
    says(
        &env.envc(&["check"]).exits(0),
        &["missing_migrations_folder", "there is no folder `migrations`"],
    );
    env.write("migrations/readme.md", "");
    says(&env.envc(&["check"]).exits(0), &["the folder `migrations` holds no .sql file"]);
    env.write("migrations/0001_init.sql", "");
    let ran = env.envc(&["check"]).exits(0);
    assert!(!ran.stderr.contains("migrations"), "{ran}");
    // The day comes from the clock.
    edit(&env, "2026-09-01", "2020-01-01");
    says(&env.envc(&["check"]).exits(0), &["outdated_compatibility_date"]);
}

#[test]
fn a_secret_that_stands_in_the_spec_is_told_and_not_shown() {
    let env = TestEnv::of_text(ONE_KV);
    let secret = "f3A9c1Bd77e0Q2xZ5mN8vT4k";
    let spec = env.read("environment.kdl").unwrap();
    env.write(
        "environment.kdl",
        &format!("{spec}dotenv \".x\" {{ API_KEY \"{secret}\" ; B \"{{kv.cache.id}}\" }}\n"),
    );
    for format in ["human", "json", "github"] {
        let ran = env.envc(&["check", "--format", format]).exits(0);
        says(&ran, &["secret_in_text"]);
        assert!(!format!("{ran}").contains(secret), "{ran}");
    }
}

fn eventuall() -> TestEnv {
    TestEnv::new("eventuall")
}

const CONFIGURATION: &str = "templates/wrangler/webapp.jsonc";

/// Replaces a text of a file of the checkout.
#[track_caller]
fn replace(env: &TestEnv, path: &str, from: &str, to: &str) {
    let text = env.read(path).unwrap();
    assert!(text.contains(from), "{from} is not in:\n{text}");
    env.write(path, &text.replace(from, to));
}

#[test]
fn the_examples_have_no_warning() {
    for name in ["quickstart", "eventuall", "vibechecc", "edge"] {
        let ran = TestEnv::new(name).envc(&["check", "--deny", "warnings"]).exits(0);
        assert_eq!(ran.stderr, "", "{name}");
    }
}

#[test]
fn a_mistake_in_a_template_is_shown_where_it_stands() {
    let env = eventuall();
    replace(&env, CONFIGURATION, "{{ port.webapp }}", "{{ port.webap }}");
    check("template_undefined", &env, &env.envc(&["check"]));
    let ran = env.envc(&["check", "--format", "github"]).exits(65);
    says(&ran, &["::error file=templates/wrangler/webapp.jsonc,line=10,"]);
    let ran = env.envc(&["check", "--json"]).exits(65);
    assert_eq!(events(&ran)[0]["elsewhere"]["line"], 10, "{ran}");
    assert_eq!(events(&ran)[0]["elsewhere"]["file"], "templates/wrangler/webapp.jsonc");
    assert_eq!(events(&ran)[0]["labels"][0]["text"], "rendered here");
}

#[test]
fn a_secret_that_a_template_reads_is_shown_with_its_way() {
    let mut env = eventuall();
    env.set("EVENTUALL_API_KEY", "not-a-secret");
    replace(&env, CONFIGURATION, "{{ worker.vars|json }}", "{ \"A\": {{ let.header|json }} }");
    let spec = env.read("environment.kdl").unwrap();
    let lets = "let header \"Bearer {let.key}\"\nlet key (secret)\"API_KEY\"\n";
    env.write("environment.kdl", &format!("{spec}{lets}"));
    check("template_secret", &env, &env.envc(&["check"]));
    // What apply refuses, check refuses: they render alike.
    says(&env.envc(&["apply"]).exits(1), &["line 11: `let.header` is a secret"]);

    // An attribute of a lease, in the one type that has the lease.
    let lets = "    let header \"{lease.preview.livekit-api-secret}\"\n";
    env.write(
        "environment.kdl",
        &spec.replace("    when worktree\n", &format!("    when worktree\n{lets}")),
    );
    let there = "{% if env.type == \"worktree\" %}{{ let.header|json }}{% else %}1{% endif %}";
    replace(&env, CONFIGURATION, "{{ let.header|json }}", there);
    let ran = env.envc(&["check"]).exits(65);
    says(&ran, &["`let.header` is a secret", "(in environment `worktree`)", "public= attributes"]);
}

#[test]
fn a_tunnel_token_in_a_template_is_refused() {
    let env = eventuall();
    let script = env.read("templates/start-dev.sh").unwrap();
    let token = "{% if tunnel.dev %}{{ tunnel.dev.token }}{% endif %}\n";
    env.write("templates/start-dev.sh", &format!("{script}{token}"));
    let ran = env.envc(&["check"]).exits(65);
    says(
        &ran,
        &[
            "`tunnel.dev.token` is a secret, and no template may read it",
            "templates/start-dev.sh:20:",
            "this is where the secret comes from",
            "(in environments `local`,",
        ],
    );
}

#[test]
fn templates_that_cannot_be_used_are_told_with_their_place_in_the_spec() {
    let env = eventuall();
    fs::remove_file(env.root().join("templates/start-dev.sh")).unwrap();
    check("template_missing", &env, &env.envc(&["check"]));
    fs::write(env.root().join("templates/start-dev.sh"), b"\xff\xfe").unwrap();
    says(&env.envc(&["check"]).exits(65), &["cannot be read: it is not UTF-8 text (line 1)"]);
    env.write("templates/start-dev.sh", "{% if %}\n");
    says(&env.envc(&["check"]).exits(65), &["envc::files::template", "templates/start-dev.sh:1:"]);
    fs::remove_file(env.root().join("templates/start-dev.sh")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", env.root().join("templates/start-dev.sh")).unwrap();
    says(&env.envc(&["check"]).exits(65), &["a link on the way leads out of"]);
    // A branch that only one cloud takes is rendered, too.
    fs::remove_file(env.root().join("templates/start-dev.sh")).unwrap();
    env.write(
        "templates/start-dev.sh",
        "{% if env.cloud == \"local\" %}{{ port.nope }}{% endif %}",
    );
    says(&env.envc(&["check"]).exits(65), &["`port.nope` is not defined"]);
}

#[test]
fn what_a_template_leaves_out_is_told() {
    let env = eventuall();
    replace(&env, CONFIGURATION, "  \"kv_namespaces\": {{ worker.kv_namespaces|json }},\n", "");
    check("template_leaves_out", &env, &env.envc(&["check"]));
    replace(
        &env,
        CONFIGURATION,
        "\"d1_databases\":",
        "\"kv_namespaces\": [{ \"binding\": \"LIVEKIT_METADATA\", \"id\": {{ kv[\"livekit-metadata\"].id|json }} }],\n  \"d1_databases\":",
    );
    let _clean = env.envc(&["check", "--deny", "warnings"]).exits(0);
}
