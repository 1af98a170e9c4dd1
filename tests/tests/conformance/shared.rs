//! envc and wrangler on one environment: configurations, and one ledger of migrations.

use envc_tests::{Ran, TestEnv};
use serde_json::Value as Json;

use crate::served::Served;

/// A dry run that wrangler has nothing to remark on.
#[track_caller]
fn deploys_dry(served: &Served, folder: &str, bindings: &[&str]) {
    let ran = served.wrangler_in(folder, &["deploy", "--dry-run"]).exits(0);
    assert_eq!(ran.stderr.trim(), "", "{ran}");
    assert!(!ran.stdout.contains("WARNING"), "{ran}");
    for binding in bindings {
        assert!(ran.stdout.contains(&format!("env.{binding} (")), "no {binding}: {ran}");
    }
}

fn steps(applied: &Ran) -> Option<Json> {
    applied.event("applied").and_then(|event| event.get("steps").cloned())
}

#[test]
fn one_ledger_for_envc_and_wrangler() {
    let mut served = Served::start(TestEnv::new("quickstart"));
    served.env.set("QUICKSTART_SESSION_KEY", "not-a-real-key");
    let migrations =
        |verb: &str| served.wrangler(&["d1", "migrations", verb, "DB", "--remote"]).exits(0);
    served.env.envc(&["apply", "--yes"]).exits(0);
    let ran = migrations("list");
    assert!(ran.stdout.contains("No migrations to apply!"), "{ran}");
    deploys_dry(&served, ".", &["DB", "SESSIONS", "UPLOADS", "JOBS"]);

    // wrangler first: envc's plan knows of it, and nothing runs twice.
    let extra = "CREATE TABLE extra (note TEXT);\nINSERT INTO extra VALUES ('a;b');\n";
    served.env.write("migrations/0003_extra.sql", extra);
    let ran = migrations("list");
    assert!(ran.stdout.contains("0003_extra.sql"), "{ran}");
    assert!(!ran.stdout.contains("0002_history.sql"), "{ran}");
    migrations("apply");
    served.env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    let ran = served.env.envc(&["apply", "--yes", "--json"]).exits(0);
    assert_eq!(steps(&ran), Some(Json::from(0)), "{ran}");

    // envc first: wrangler has nothing to do.
    served.env.write("migrations/0004_more.sql", "INSERT INTO extra VALUES ('c');\n");
    let ran = served.env.envc(&["apply", "--yes", "--json"]).exits(0);
    assert_eq!(steps(&ran), Some(Json::from(1)), "{ran}");
    let ran = migrations("list");
    assert!(ran.stdout.contains("No migrations to apply!"), "{ran}");

    let database = served.env.cloud_listing().objects.into_iter().find(|it| it.kind == "d1");
    let database = database.expect("there is a database").id;
    let ledger = ["0001_notes.sql", "0002_history.sql", "0003_extra.sql", "0004_more.sql"];
    assert_eq!(served.env.cloud().ledger(&database), ledger);
    let sql = "SELECT note FROM extra ORDER BY rowid";
    let args = ["d1", "execute", "DB", "--remote", "--yes", "--json", "--command", sql];
    let rows = served.wrangler_json(&args);
    assert_eq!(
        rows.pointer("/0/results"),
        Some(&serde_json::json!([{"note": "a;b"}, {"note": "c"}])),
        "{rows}"
    );
}

#[test]
fn wrangler_takes_every_generated_configuration() {
    let mut served = Served::start(TestEnv::new("eventuall"));
    // The same folder, on this machine: nothing of the edge or of tunnels is asked for.
    served.env.set("ENVC_CLOUD", "local").set("EVENTUALL_AUTH_SECRET", "not-a-real-secret");
    served.env.envc(&["apply", "--yes"]).exits(0);
    // What the webapp's own build would have made.
    let module = "export default { fetch() { return new Response('ok'); } };\n";
    served.env.write("apps/webapp/.open-next/worker.js", module);
    served.env.write("apps/webapp/.open-next/assets/robots.txt", "");
    let bindings = ["DB", "LIVEKIT_METADATA", "IMAGES", "CACHE", "WORKER_URL"];
    deploys_dry(&served, "apps/webapp", &bindings);
    deploys_dry(&served, "apps/workers", &["DB", "EVENTS", "COMMANDS", "ROOM"]);
    deploys_dry(&served, "apps/statuspage", &["DB", "APP_URL"]);
}

/// Invariant: a configuration in an `--out-dir` is one that wrangler can use.
#[test]
fn a_configuration_in_another_folder_finds_code_and_migrations() {
    let spec = "project \"shop\"\n\
        environment \"local\" default { identity branch max-length=20 unique }\n\
        environment \"production\" { identity \"production\" ; protect }\n\
        d1 \"orders\" { migrations \"apps/db/drizzle\" }\n\
        worker \"api\" path=\"apps/api\" main=\"src/index.ts\" compatibility-date=\"2026-09-01\" {\n\
            bind \"DB\" d1=\"orders\"\n\
        }\n";
    let served = Served::start(TestEnv::of_text(spec));
    let env = &served.env;
    env.write(
        "apps/api/src/index.ts",
        "import { hi } from \"./hi\";\nexport default { fetch: hi };\n",
    );
    env.write("apps/api/src/hi.ts", "export const hi = (): Response => new Response(\"hi\");\n");
    env.write("apps/db/drizzle/0001_a.sql", "CREATE TABLE a (b TEXT);\n");
    env.write(".gitignore", "out/\n.envc/\nwrangler.jsonc\n.wrangler/\n");
    for out in ["out", "../elsewhere/out"] {
        env.envc(&["apply", "production", "--yes", "--out-dir", out]).exits(0);
        let config = format!("{out}/apps/api/wrangler.jsonc");
        let ran = served.wrangler(&["deploy", "--dry-run", "-c", &config]).exits(0);
        assert_eq!(ran.stderr.trim(), "", "{ran}");
        assert!(ran.stdout.contains("env.DB ("), "{ran}");
        let list = ["d1", "migrations", "list", "DB", "--remote", "-c", &config];
        let ran = served.wrangler(&list).exits(0);
        assert!(ran.stdout.contains("No migrations to apply!"), "{ran}");
        env.write("apps/db/drizzle/0002_b.sql", "CREATE TABLE b (c TEXT);\n");
        let ran = served.wrangler(&list).exits(0);
        assert!(ran.stdout.contains("0002_b.sql"), "{ran}");
        std::fs::remove_file(env.root().join("apps/db/drizzle/0002_b.sql")).unwrap();
    }
}
