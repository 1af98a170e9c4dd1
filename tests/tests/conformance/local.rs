//! wrangler's local copies, with the real wrangler: what apply had migrated and seeded is what
//! `wrangler dev` sees, from every Worker's folder.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use envc_core::object_id;
use envc_tests::{Running, TestEnv};

/// Longest that `wrangler dev` takes until it serves, on a machine that does other things as well.
const READY: Duration = Duration::from_secs(90);

const SPEC: &str = "project \"shop\"\n\
    environment \"local\" default { identity branch max-length=20 unique }\n\
    d1 \"app\" { migrations \"migrations\" ; seed \"fixtures/dev.sql\" }\n\
    worker \"api\" path=\"apps/api\" main=\"index.js\" compatibility-date=\"2026-09-01\" {\n\
    bind \"DB\" d1=\"app\"\n}\n\
    worker \"web\" path=\"apps/web\" main=\"index.js\" compatibility-date=\"2026-09-01\" {\n\
    bind \"DB\" d1=\"app\"\n}\n";

const CODE: &str = "export default { async fetch(request, { DB }) {\n\
    if (request.method === 'POST') {\n\
    const body = new URL(request.url).searchParams.get('body');\n\
    await DB.prepare('INSERT INTO notes (body) VALUES (?)').bind(body).run();\n}\n\
    const { results } = await DB.prepare('SELECT body FROM notes ORDER BY rowid').all();\n\
    return new Response(results.map((row) => row.body).join(','));\n} };\n";

fn world(mut env: TestEnv) -> TestEnv {
    let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("node");
    env.with_wrangler().set("NODE_COMPILE_CACHE", cache.to_str().expect("the path is text"));
    env
}

/// `wrangler dev` as a developer starts it in a folder.
struct Dev {
    port: u16,
    running: Option<Running>,
}

impl Dev {
    fn start(env: &TestEnv, folder: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let port = listener.local_addr().expect("it has an address").port();
        drop(listener);
        let mut command = Command::new("wrangler");
        command
            .args(["dev", "--inspector-port", "0", "--port", &port.to_string()])
            .current_dir(env.root().join(folder))
            .env_clear()
            .env("PATH", env.var("PATH"))
            .env("HOME", env.path().join("home"))
            .env("NODE_COMPILE_CACHE", env.var("NODE_COMPILE_CACHE"))
            .envs([("CI", "1"), ("WRANGLER_SEND_METRICS", "false")])
            .env("CLOUDFLARE_CF_FETCH_ENABLED", "false");
        Self { port, running: Some(Running::start(command)) }
    }

    /// Asks until somebody answers.
    fn ask(&mut self, method: &str, path: &str, body: &str) -> String {
        let begun = Instant::now();
        loop {
            if let Some(answer) = self.try_ask(method, path, body) {
                return answer;
            }
            if begun.elapsed() > READY {
                let running = self.running.take().expect("it runs");
                panic!("`wrangler dev` does not answer: {}", running.kill());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn try_ask(&self, method: &str, path: &str, body: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
        let head = format!(
            "{method} {path} HTTP/1.0\r\nhost: localhost\r\ncontent-length: {}\r\n\
             connection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        Some(body.to_owned())
    }

    fn end(mut self) {
        let running = self.running.take().expect("it runs");
        running.interrupt();
        drop(running.end());
    }
}

/// The files of wrangler's local copies of databases, by name.
fn copies(env: &TestEnv, state: &str) -> Vec<String> {
    let folder = env.root().join(state).join("v3/d1/miniflare-D1DatabaseObject");
    let entries = fs::read_dir(folder).expect("there are copies");
    let names = entries.map(|it| it.expect("an entry").file_name().into_string().expect("text"));
    let mut names: Vec<String> = names.filter(|name| !name.starts_with("metadata")).collect();
    names.sort();
    names
}

fn id(env: &TestEnv) -> String {
    let listing = env.cloud_listing();
    let name = listing.names("d1").first().map(|name| (*name).to_owned()).expect("a database");
    listing.id("d1", &name).expect("it has an identifier").to_owned()
}

#[test]
fn two_workers_see_one_migrated_and_seeded_copy() {
    let env = world(TestEnv::of_text(SPEC));
    env.write(".gitignore", ".envc/\n.wrangler/\nwrangler.jsonc\n");
    env.write("migrations/0001_notes.sql", "CREATE TABLE notes (body TEXT);\n");
    env.write("fixtures/dev.sql", "INSERT INTO notes VALUES ('seeded')\n");
    for folder in ["apps/api", "apps/web"] {
        env.write(&format!("{folder}/index.js"), CODE);
    }
    env.envc(&["apply"]).exits(0);
    let again = env.envc(&["apply"]).exits(0);
    assert!(again.stdout.contains("Nothing to do") && !again.stderr.contains("migrat"), "{again}");

    let mut api = Dev::start(&env, "apps/api");
    assert_eq!(api.ask("GET", "/", ""), "seeded");
    let mut web = Dev::start(&env, "apps/web");
    assert_eq!(api.ask("POST", "/?body=through-api", ""), "seeded,through-api");
    assert_eq!(web.ask("GET", "/", ""), "seeded,through-api");
    // A migration beside the servers that are at work.
    env.write("migrations/0002_more.sql", "INSERT INTO notes VALUES ('migrated');\n");
    let ran = env.envc(&["apply"]).exits(0);
    assert!(ran.stderr.contains("migrated wrangler's local copy of d1.app"), "{ran}");
    assert_eq!(web.ask("GET", "/", ""), "seeded,through-api,migrated");
    api.end();
    web.end();

    let own = object_id("miniflare-D1DatabaseObject", &id(&env));
    let there = copies(&env, ".envc/wrangler");
    assert!(there.contains(&format!("{own}.sqlite")), "{there:?}");
    // Another database beside it, which is no environment's.
    let other = env.root().join(".envc/wrangler/v3/d1/miniflare-D1DatabaseObject/other.sqlite");
    fs::write(other, "").expect("a file can be written");
    env.envc(&["destroy", "--yes"]).exits(0);
    assert_eq!(copies(&env, ".envc/wrangler"), ["other.sqlite"]);
    assert!(!env.root().join("apps/api/.wrangler/state").exists());
}

#[test]
fn the_quickstart_answers_a_row_and_a_seed_that_is_there_is_not_run_again() {
    let env = world(TestEnv::new("quickstart"));
    let spec = env.read("environment.kdl").expect("there is a spec");
    let seeded = spec
        .replace("{ migrations \"migrations\" }", "{ migrations \"migrations\" ; seed \"s.sql\" }");
    assert_ne!(seeded, spec);
    env.write("environment.kdl", &seeded);
    env.write("s.sql", "INSERT INTO notes (body) VALUES ('seeded');\n");
    env.envc(&["apply"]).exits(0);
    let mut dev = Dev::start(&env, ".");
    let made = dev.ask("POST", "/notes", "hello world");
    assert_eq!(made, "{\"id\":2}");
    let listed = dev.ask("GET", "/notes", "");
    assert!(listed.contains("\"seeded\"") && listed.contains("\"hello world\""), "{listed}");
    dev.end();
    // Killed after the seed ran and before that was recorded: the mark in the copy tells.
    let registry = env.state_dir().join("registry.json");
    let text = fs::read_to_string(&registry).expect("there is a registry");
    let due = text.replacen("\"migrated\":", "\"seed_due\": true, \"migrated\":", 1);
    assert_ne!(due, text);
    fs::write(&registry, due).expect("it can be written");
    env.envc(&["apply"]).exits(0);
    let mut dev = Dev::start(&env, ".");
    let listed = dev.ask("GET", "/notes", "");
    assert_eq!(listed.matches("seeded").count(), 1, "{listed}");
    dev.end();
}

/// wrangler takes the same files in the same order, and writes the same names into the same table.
#[test]
fn migrations_in_folders_of_their_own_and_a_named_ledger_are_wranglers_too() {
    let spec = "project \"shop\"\n\
        environment \"local\" default { identity \"dev\" }\n\
        d1 \"app\" { migrations \"m\" pattern=\"*/migration.sql\" table=\"my_log\" }\n\
        worker \"api\" path=\"apps/api\" main=\"index.js\" compatibility-date=\"2026-09-01\" {\n\
        bind \"DB\" d1=\"app\"\n}\n";
    let mut env = world(TestEnv::of_text(spec));
    env.set("ENVC_TRUST", "spec");
    env.write("apps/api/index.js", CODE);
    env.write("m/9_a/migration.sql", "CREATE TABLE t (x);\n");
    env.write("m/10_b/migration.sql", "ALTER TABLE t ADD y;\n");
    let ran = env.envc(&["apply"]).exits(0);
    assert!(ran.stderr.contains("migrated wrangler's local copy of d1.app"), "{ran}");
    let id = env.cloud_listing().id("d1", "shop--app--dev").expect("a database").to_owned();
    let path = format!("/d1/database/{id}/query");
    let sql = serde_json::json!({ "sql": "SELECT name FROM my_log ORDER BY id" });
    let ours = env.cloud().of_account(&http::Method::POST, &path, Some(&sql));
    let file = object_id("miniflare-D1DatabaseObject", &id);
    let file = env
        .root()
        .join(format!("apps/api/.wrangler/state/v3/d1/miniflare-D1DatabaseObject/{file}.sqlite"));
    let copy = rusqlite::Connection::open(file).expect("wrangler made it");
    let mut names = copy.prepare("SELECT name FROM my_log ORDER BY id").expect("the ledger");
    let names: Vec<String> =
        names.query_map([], |row| row.get(0)).and_then(Iterator::collect).expect("its names");
    assert_eq!(names, ["9_a/migration.sql", "10_b/migration.sql"]);
    let rows = ours.pointer("/0/results").and_then(|rows| rows.as_array()).expect("rows");
    let by_envc: Vec<&str> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(by_envc, names);
}
