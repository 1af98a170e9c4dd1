//! Hyperdrive: wrangler's own commands, and what `wrangler dev` makes of the file that envc writes
//! for it.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

use envc_tests::TestEnv;
use serde_json::Value as Json;

use crate::served::{Served, says};

/// Longest that `wrangler dev` takes until it serves, on a machine that does other things as well.
const READY: Duration = Duration::from_secs(90);

#[test]
fn wrangler_makes_lists_changes_and_deletes_configs() {
    let served = Served::empty();
    let hyperdrive = |args: &[&str]| served.wrangler(&[&["hyperdrive"], args].concat());
    let url = "--connection-string=postgres://web:wombat@db.example.com:6432/app";
    let ran = hyperdrive(&["create", "conf", url]).exits(0);
    says(&ran.stdout, &["Created new Hyperdrive PostgreSQL config"]);
    let ran = hyperdrive(&["list"]).exits(0);
    says(&ran.stdout, &["conf", "db.example.com", "6432"]);
    assert!(!ran.stdout.contains("wombat"), "{ran}");
    let id = ran.stdout.split(|c: char| !c.is_ascii_alphanumeric()).find(|word| word.len() == 32);
    let id = id.expect("the list tells the identifier").to_owned();
    let ran = hyperdrive(&["create", "conf", url]).exits(1);
    says(&ran.stderr, &["[code: 2017]"]);
    hyperdrive(&["update", &id, "--caching-disabled=true"]).exits(0);
    let ran = hyperdrive(&["get", &id]).exits(0);
    says(&ran.stdout, &["\"disabled\": true", "\"user\": \"web\""]);
    hyperdrive(&["delete", &id]).exits(0);
    let ran = hyperdrive(&["get", &id]).exits(1);
    says(&ran.stderr, &["[code: 2006]"]);
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener.local_addr().expect("it has an address").port()
}

/// The body of an answer; none while nobody answers.
fn get(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\nhost: localhost\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.contains(" 200 ").then(|| body.to_owned())
}

#[test]
fn wrangler_dev_connects_to_what_the_private_file_says() {
    let mut env = TestEnv::of_text(
        "project \"shop\"\nsecrets { env }\n\
         environment \"local\" default { identity branch max-length=20 unique }\n\
         hyperdrive \"pg\" local=(secret)\"LOCAL\" { origin (secret)\"ORIGIN\" }\n\
         worker \"web\" path=\".\" main=\"index.js\" compatibility-date=\"2026-09-01\" {\n\
         bind \"PG\" hyperdrive=\"pg\" ; secret \"KEY\" (secret)\"ORIGIN\"\n}\n",
    );
    env.write(
        "index.js",
        "export default { fetch(request, { PG, ...rest }) {\n\
         return Response.json({ user: PG.user, password: PG.password, rest: Object.keys(rest) });\n\
         } };\n",
    );
    env.set("ORIGIN", "postgres://u:p@db.example.com/app");
    // What wrangler would take for a variable in whatever quotes.
    env.set("LOCAL", "postgres://dev:wom$HOME%40bat@localhost:5432/dev");
    env.envc(&["apply"]).exits(0);
    let served = Served::start(env);
    let port = free_port();
    let dev = served.start_wrangler(&["dev", "--port", &port.to_string()]);
    let begun = Instant::now();
    let body = loop {
        if let Some(body) = get(port) {
            break body;
        }
        assert!(begun.elapsed() < READY, "{}", dev.kill());
        std::thread::sleep(Duration::from_millis(200));
    };
    dev.interrupt();
    drop(dev.end());
    let body: Json = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
    assert_eq!(body["user"], "dev");
    assert_eq!(body["password"], "wom$HOME@bat");
    assert_eq!(
        body["rest"],
        serde_json::json!(["ENVC", "KEY"]),
        "the Worker sees no connection string"
    );
}
