//! Who reads the generated files, and what comes before them.

use std::{fs, os::unix::fs::symlink};

use envc_tests::TestEnv;

use crate::common::{check, edit, says};

const SPEC: &str = "project \"shop\"\n\
    environment \"local\" default { identity \"dev\" }\n\
    worker \"api\" path=\"apps/api\" main=\"a.ts\" { var \"A\" \"1\" ; secret \"KEY\" }\n\
    dotenv \".env\" { PORT \"3000\" ; API \"https://api.example\" }\n\
    secrets { env }\n";
const REDIRECT: &str = "apps/api/.wrangler/deploy/config.json";

fn start() -> TestEnv {
    let mut env = TestEnv::of_text(SPEC);
    env.set("KEY", "secret");
    env
}

/// The code of what apply refuses, and that nothing was made.
#[track_caller]
fn refused(env: &TestEnv, words: &[&str]) {
    says(&env.envc(&["check"]).exits(0), &["envc::lint::outranked_file"]);
    let planned = env.envc(&["plan", "--json"]).exits(0);
    says(&planned, &["envc::cli::outranked", "apply will refuse"]);
    let ran = env.envc(&["apply"]).exits(1);
    says(&ran, words);
    assert!(env.read("apps/api/wrangler.jsonc").is_none(), "{ran}");
}

#[test]
fn a_configuration_that_wrangler_reads_first_is_refused_wherever_it_lies() {
    let env = start();
    for path in
        ["apps/api/wrangler.json", "apps/wrangler.json", "wrangler.json", "../wrangler.json"]
    {
        env.write(path, "{\"name\": \"prod\"}");
        refused(&env, &["in place of apps/api/wrangler.jsonc", "wrangler.json"]);
        fs::remove_file(env.root().join(path)).unwrap();
    }
    // A link to a file is one to wrangler; a folder, a dead link, a pipe and other files are none.
    env.write("prod.json", "{}");
    symlink("../../prod.json", env.root().join("apps/api/wrangler.json")).unwrap();
    check("outranked_configuration", &env, &env.envc(&["apply"]));
    check("outranked_configuration_check", &env, &env.envc(&["check"]));
    fs::remove_file(env.root().join("prod.json")).unwrap();
    fs::create_dir(env.root().join("apps/wrangler.json")).unwrap();
    env.write("apps/api/wrangler.toml", "name = \"prod\"");
    env.write("wrangler.jsonc", "{}");
    let _applied = env.envc(&["apply"]).exits(0);
    // It came later: the next apply says so, and destroy does not look.
    env.write("wrangler.json", "{}");
    says(&env.envc(&["apply"]).exits(1), &["rename ", "wrangler.json to wrangler.jsonc"]);
    let _gone = env.envc(&["destroy", "--yes"]).exits(0);
    assert!(env.read("apps/api/wrangler.jsonc").is_none());
}

#[test]
fn a_configuration_that_the_spec_makes_before_its_own_is_refused_too() {
    let env = start();
    env.write("t", "{}");
    let spec = format!("{SPEC}file \"apps/wrangler.json\" template=\"t\"\n");
    env.write("environment.kdl", &spec);
    refused(&env, &["wrangler reads apps/wrangler.json in place of apps/api/wrangler.jsonc"]);
}

#[test]
fn another_folder_for_the_files_is_looked_at_where_it_lies() {
    let env = start();
    env.write("apps/api/wrangler.json", "{}");
    let _elsewhere = env.envc(&["apply", "--out-dir", "../out"]).exits(0);
    env.write("../out/apps/wrangler.json", "{}");
    let ran = env.envc(&["apply", "--out-dir", "../out"]).exits(1);
    says(&ran, &["wrangler reads apps/wrangler.json in place of apps/api/wrangler.jsonc"]);
}

#[test]
fn a_builds_redirect_is_followed_while_it_is_of_what_envc_wrote() {
    let env = start();
    let _applied = env.envc(&["apply"]).exits(0);
    let text = env.read("apps/api/wrangler.jsonc").unwrap();
    // A build keeps what the Worker is, and changes paths.
    let built = text.replace("\"a.ts\"", "\"index.js\"").replacen('{', "{\"no_bundle\": true,", 1);
    env.write("apps/api/dist/wrangler.json", &built);
    env.write(REDIRECT, "{\"configPath\": \"../../dist/wrangler.json\"}");
    let quiet = env.envc(&["apply"]).exits(0);
    assert!(!quiet.stderr.contains("wrangler deploys"), "{quiet}");
    assert!(!env.envc(&["check"]).exits(0).stderr.contains("outranked_file"));
    // Of the same Worker as it was before: the files are written, and it is told.
    edit(&env, "var \"A\" \"1\"", "var \"A\" \"2\"");
    let older = env.envc(&["apply"]).exits(0);
    says(&older, &["wrote apps/api/wrangler.jsonc", "as it was before", "build once more"]);
    let again = env.envc(&["apply"]).exits(0);
    says(&again, &["Nothing to do", "as it was before"]);
    // Of another one, or of nothing: refused, with the way out, and destroy goes on.
    for (config, build, why) in [
        (
            "{\"configPath\": \"../../dist/wrangler.json\"}",
            "{\"name\": \"prod\"}",
            "no Worker of this",
        ),
        ("{\"configPath\": \"../../gone.json\"}", "{}", "apps/api/gone.json is not there"),
        ("{\"configPath\": \"../../../../../x.json\"}", "{}", "outside of the repository"),
        ("{\"configPath\": \"../../../../.git/config\"}", "{}", "git keeps for itself"),
        ("{}", "{}", "it names no configuration"),
        ("nonsense", "{}", "it names no configuration"),
    ] {
        env.write(REDIRECT, config);
        env.write("apps/api/dist/wrangler.json", build);
        let ran = env.envc(&["apply"]).exits(1);
        says(&ran, &[why, "take apps/api/.wrangler/deploy/config.json away", "build once more"]);
    }
    let _gone = env.envc(&["destroy", "--yes"]).exits(0);
}

#[test]
fn a_redirect_above_keeps_wrangler_from_deploying() {
    let env = start();
    env.write(".wrangler/deploy/config.json", "{\"configPath\": \"../../dist/wrangler.json\"}");
    refused(
        &env,
        &["wrangler does not deploy by apps/api/wrangler.jsonc", "take .wrangler/deploy"],
    );
    // Of another Worker of the environment it is no mistake of anybody's.
    env.write("environment.kdl", &format!("{SPEC}worker \"top\" path=\".\" main=\"b.ts\"\n"));
    fs::remove_dir_all(env.root().join(".wrangler")).unwrap();
    let _applied = env.envc(&["apply"]).exits(0);
    env.write("dist/wrangler.json", &env.read("wrangler.jsonc").unwrap());
    env.write(".wrangler/deploy/config.json", "{\"configPath\": \"../../dist/wrangler.json\"}");
    let ran = env.envc(&["apply"]).exits(0);
    says(&ran, &["wrangler deploy --config apps/api/wrangler.jsonc"]);
}

#[test]
fn files_of_variables_that_are_read_later_are_told() {
    let env = start();
    env.write("apps/api/.dev.vars.staging", "KEY=hidden\n");
    env.write("apps/api/.dev.vars.example", "KEY=\n");
    env.write(".env.local", "# mine\nPORT=4000\nMINE=1\n");
    env.write(".env.development.local", "export API='x'\n");
    env.write(".env.test", "OTHER=1\n");
    env.write(".env.example", "PORT=\n");
    let told = [
        "`wrangler dev --env staging` reads .dev.vars.staging in place of apps/api/.dev.vars",
        ".env.local is read after .env, which envc writes, and sets PORT too",
        ".env.development.local is read after .env, which envc writes, and sets API too",
    ];
    for args in [&["check", "--json"][..], &["plan"], &["apply"]] {
        let ran = env.envc(args).exits(0);
        says(&ran, &told);
        for not in ["MINE", ".env.test", "example is", "4000", "hidden"] {
            assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(not), "{not}: {ran}");
        }
    }
    // Once, and not at all where it is meant so.
    let ran = env.envc(&["apply"]).exits(0);
    assert_eq!(ran.stderr.matches("sets PORT too").count(), 1, "{ran}");
    env.write("environment.kdl", &format!("{SPEC}allow \"outranked_file\"\n"));
    assert!(!env.envc(&["apply"]).exits(0).stderr.contains("read after"));
    env.write("environment.kdl", SPEC);
    // Who reads one file reads no other; and what the spec makes itself is meant so.
    let meant = SPEC.replace("dotenv \".env\" {", "dotenv \".env\" for=\"node\" {");
    env.write("environment.kdl", &meant);
    assert!(!env.envc(&["apply"]).exits(0).stderr.contains("read after"));
    fs::remove_file(env.root().join(".env.local")).unwrap();
    fs::remove_file(env.root().join(".env.development.local")).unwrap();
    env.write("environment.kdl", &format!("{SPEC}dotenv \".env.local\" {{ PORT \"5000\" }}\n"));
    assert!(!env.envc(&["apply"]).exits(0).stderr.contains("read after"));
}

#[test]
fn a_dollar_is_told_until_the_spec_says_who_reads_it() {
    let env = TestEnv::of_text(
        "project \"shop\"\nenvironment \"local\" default { identity \"dev\" }\n\
         dotenv \".env\" { P (secret)\"P\" ; Q (secret)\"Q\" }\nsecrets { dotenv \".secrets.env\" }\n",
    );
    env.write(".secrets.env", "P='a$b'\nQ='5 $'\n");
    for args in [["plan"], ["apply"], ["apply"]] {
        let ran = env.envc(&args).exits(0);
        says(&ran, &["`P` of .env holds a `$`", "for=\"vite\""]);
        assert!(!ran.stderr.contains("`Q`") && !ran.stderr.contains("a$b"), "{ran}");
    }
    assert!(env.read(".env").unwrap().contains("\nP='a$b'\n"));
    edit(&env, "dotenv \".env\" {", "dotenv \".env\" for=\"vite\" {");
    assert!(!env.envc(&["apply"]).exits(0).stderr.contains("holds a"));
    assert!(env.read(".env").unwrap().contains("\nP='a\\$b'\nQ='5 \\$'\n"));
    // What a reader cannot be given is refused, and no other file is made.
    env.write(".secrets.env", "P=\"a\n'`\\\"\"\nQ=x\n");
    let ran = env.envc(&["apply"]).exits(1);
    says(&ran, &["`P` cannot be written to a dotenv file", "base64"]);
    edit(&env, "for=\"vite\"", "for=\"shell\"");
    let _applied = env.envc(&["apply"]).exits(0);
    edit(&env, "for=\"shell\"", "for=\"nodejs\"");
    says(&env.envc(&["apply"]).exits(65), &["nodejs", "did you mean"]);
}
