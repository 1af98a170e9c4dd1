//! Migrations against a D1 that cuts queries in wrong places and takes files, as recorded answers have it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use bytes::Bytes;
use envc_core::KindId;
use envc_exec::{
    Report,
    ports::{Transport, TransportError},
};
use envc_plan::MigrationFile;
use futures::future::BoxFuture;
use serde_json::{Value as Json, json};

use crate::world::{Fake, plan_of, response, wanted};

const TRIGGER: &str = "CREATE TABLE a (x);\nCREATE TRIGGER t AFTER INSERT ON a begin\n\
    UPDATE a SET x = 1; DELETE FROM a WHERE x = 2; end;";

/// What goes wrong, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    None,
    /// The answer to this action is lost after its effect.
    Lost(&'static str),
    /// The request of this action never arrives.
    Dropped(&'static str),
    /// This action is answered 500.
    Sick(&'static str),
    /// The file arrives as another one.
    Garbled,
    /// The database starts anew while it runs the file, which leaves nothing.
    Reset,
    /// The API knows the file and does not run it.
    Known,
}

/// The server.
struct D1 {
    mood: Mutex<Mood>,
    upload_url: &'static str,
    files: Mutex<BTreeMap<String, String>>,
    ledger: Mutex<Vec<String>>,
    running: Mutex<Option<Json>>,
    seen: Mutex<Vec<String>>,
    texts: Mutex<BTreeSet<String>>,
}

impl D1 {
    fn new(mood: Mood) -> Self {
        Self {
            mood: Mutex::new(mood),
            upload_url: "http://127.0.0.1:9/bucket/",
            files: Mutex::default(),
            ledger: Mutex::default(),
            running: Mutex::default(),
            seen: Mutex::default(),
            texts: Mutex::default(),
        }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    fn is(&self, mood: Mood) -> bool {
        let mut now = self.mood.lock().unwrap();
        let is = *now == mood;
        if is {
            *now = Mood::None;
        }
        is
    }

    /// Runs a text: all of it or nothing.
    fn run(&self, sql: &str) -> Result<(), String> {
        if self.is(Mood::Reset) {
            return Err("D1 DB reset because its code was updated.".into());
        }
        if sql.contains("SELEC ") {
            return Err("near \"SELEC\": syntax error at offset 0: SQLITE_ERROR".into());
        }
        if sql.contains("SELECT 'open") {
            return Err("incomplete input: SQLITE_ERROR".into());
        }
        let rows = sql.split("(name) VALUES ('").skip(1);
        let rows = rows.map(|rest| rest.split('\'').next().unwrap().to_owned());
        let mut ledger = self.ledger.lock().unwrap();
        for name in rows {
            if ledger.contains(&name) {
                return Err(
                    "UNIQUE constraint failed: d1_migrations.name: SQLITE_CONSTRAINT".into()
                );
            }
            ledger.push(name);
        }
        Ok(())
    }

    fn query(&self, sql: &str) -> (u16, Json) {
        if sql.contains("SELECT name FROM") {
            let rows: Vec<Json> =
                self.ledger.lock().unwrap().iter().map(|name| json!({ "name": name })).collect();
            return (200, json!([{ "results": rows, "success": true }]));
        }
        // The splitter knows `BEGIN` in capitals alone.
        if sql.to_lowercase().contains("trigger") && !sql.contains(" BEGIN") {
            return refused("incomplete input: SQLITE_ERROR");
        }
        match self.run(sql) {
            Ok(()) => (200, json!([{ "results": [], "success": true }])),
            Err(message) => refused(&message),
        }
    }

    fn import(&self, body: &Json) -> (u16, Json) {
        let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
        let told = |more: Json| {
            let mut told = json!({ "success": true, "type": "import", "messages": [] });
            told.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            (200, told)
        };
        match &*text("action") {
            "init" if self.is(Mood::Known) => {
                told(json!({ "status": "complete", "at_bookmark": "b" }))
            }
            "init" => {
                let url = format!("{}{}?key=geheim", self.upload_url, text("etag"));
                told(json!({ "filename": format!("{}.sql", text("etag")), "upload_url": url }))
            }
            "ingest" => {
                let sql =
                    self.files.lock().unwrap().get(&text("etag")).cloned().expect("it was put");
                assert_eq!(text("filename"), format!("{}.sql", text("etag")));
                let fresh = self.texts.lock().unwrap().insert(sql.clone());
                assert!(fresh, "no text is the same twice");
                let end = match self.run(&sql) {
                    Ok(()) => json!({ "status": "complete", "result": { "num_queries": 1 } }),
                    Err(message) => {
                        json!({ "success": false, "status": "error", "error": message })
                    }
                };
                *self.running.lock().unwrap() = Some(end);
                told(json!({ "status": "active", "at_bookmark": "b" }))
            }
            "poll" => {
                assert_eq!(text("current_bookmark"), "b");
                told(self.running.lock().unwrap().clone().expect("something ran"))
            }
            other => panic!("no action {other}"),
        }
    }

    fn answer(
        &self,
        request: &http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let path = request.uri().path().to_owned();
        let has_token = request.headers().contains_key("authorization");
        if path.starts_with("/bucket/") {
            assert!(!has_token, "the token goes to the API alone");
            let etag = path.trim_start_matches("/bucket/").to_owned();
            let text = String::from_utf8(request.body().to_vec()).unwrap();
            self.seen.lock().unwrap().push("put".into());
            let sick = self.is(Mood::Sick("put"));
            let mut answer = response(if sick { 500 } else { 200 }, "");
            let told = if self.is(Mood::Garbled) { "0".repeat(32) } else { etag.clone() };
            answer.headers_mut().insert("etag", format!("\"{told}\"").parse().unwrap());
            self.files.lock().unwrap().insert(etag, text);
            return Ok(answer);
        }
        assert!(has_token, "{path}");
        let body: Json = serde_json::from_slice(request.body()).unwrap_or_default();
        let word = match path.rsplit('/').next().unwrap() {
            "database" => "create",
            "query" if body["sql"].as_str().unwrap().contains("SELECT name") => "ledger",
            "query" => "query",
            _ => match body["action"].as_str().unwrap() {
                "init" => "init",
                "ingest" => "ingest",
                _ => "poll",
            },
        };
        self.seen.lock().unwrap().push(word.into());
        let lost = || Err(TransportError { never_sent: false, message: "reset".into() });
        if self.is(Mood::Dropped(word)) {
            return lost();
        }
        if self.is(Mood::Sick(word)) {
            return Ok(response(500, "<html>"));
        }
        let (status, result) = match word {
            "create" => (200, json!({ "uuid": "id", "name": "p-app-e" })),
            "ledger" | "query" => self.query(body["sql"].as_str().unwrap()),
            _ => self.import(&body),
        };
        if self.is(Mood::Lost(word)) {
            return lost();
        }
        let body = match status {
            200 => json!({ "success": true, "errors": [], "messages": [], "result": result }),
            _ => result,
        };
        Ok(response(status, body.to_string()))
    }
}

fn refused(message: &str) -> (u16, Json) {
    (400, json!({ "success": false, "errors": [{ "code": 7500, "message": message }] }))
}

impl Transport for D1 {
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(async move { self.answer(&request) })
    }
}

/// Makes a database with these files as migrations.
fn migrate(d1: &D1, texts: &[&str]) -> Report {
    let (address, wanted) = wanted(KindId::D1, "app");
    let desired = BTreeMap::from([(address.clone(), wanted)]);
    let file = |(n, text): (usize, &&str)| MigrationFile {
        name: format!("{n}.sql"),
        path: format!("m/{n}.sql"),
        text: (*text).to_owned(),
    };
    let files = texts.iter().enumerate().map(file).collect();
    let migrations = BTreeMap::from([(address, files)]);
    let plan = plan_of(&desired, &migrations);
    Fake::default().run_of(d1, &plan, &migrations).unwrap()
}

#[track_caller]
fn applied(d1: &D1, report: &Report, files: usize) {
    assert_eq!(report.failures.len(), 0, "{:?}\n{:?}", report.failures, d1.seen());
    let names: Vec<String> = (0..files).map(|n| format!("{n}.sql")).collect();
    assert_eq!(*d1.ledger.lock().unwrap(), names, "{:?}", d1.seen());
}

/// Invariant: a file that a query may cut runs as a file, and its row with it; others as a query.
#[test]
fn a_file_with_a_trigger_or_a_large_one_is_imported() {
    let large = "INSERT INTO a VALUES ('x');\n".repeat(1_000);
    for text in [TRIGGER, &large] {
        let d1 = D1::new(Mood::None);
        let report = migrate(&d1, &["CREATE TABLE b (x);", text]);
        applied(&d1, &report, 2);
        let seen = d1.seen();
        let expected = ["create", "query", "init", "put", "ingest", "poll", "ledger"];
        assert_eq!(seen, expected, "the ledger is read at the end");
    }
}

/// Invariant: whatever goes wrong on the way, once, the file is applied once.
#[test]
fn an_import_heals_whatever_goes_wrong_once() {
    let actions = ["init", "ingest", "poll", "ledger"];
    let moods = actions.iter().flat_map(|it| [Mood::Lost(it), Mood::Dropped(it), Mood::Sick(it)]);
    let others = [Mood::Sick("put"), Mood::Garbled, Mood::Reset, Mood::Known];
    for mood in moods.chain(others) {
        let d1 = D1::new(mood);
        let report = migrate(&d1, &[TRIGGER]);
        assert_eq!(*d1.mood.lock().unwrap(), Mood::None, "{mood:?} was met");
        applied(&d1, &report, 1);
    }
}

/// Invariant: a query that was cut runs as a file; what is wrong in any way is told as what it is.
#[test]
fn what_a_query_cuts_is_imported_and_what_is_wrong_is_explained() {
    let d1 = D1::new(Mood::None);
    // Nothing makes a trigger here, and the splitter sees one.
    let report = migrate(&d1, &["CREATE TABLE \"trigger\" (x);"]);
    applied(&d1, &report, 1);
    assert!(d1.seen().contains(&"ingest".to_owned()), "{:?}", d1.seen());

    for (text, told) in [
        ("CREATE TABLE a (x);\nSELECT 'open", ["m/0.sql:2", "not closed"]),
        ("SELEC 1;\nCREATE TRIGGER t begin SELECT 1; end;", ["m/0.sql:1", "near \"SELEC\""]),
    ] {
        let d1 = D1::new(Mood::None);
        let report = migrate(&d1, &[text]);
        let message = &report.failures[0].message;
        assert!(told.iter().all(|it| message.contains(it)), "{message}");
        assert!(!message.contains("geheim"), "{message}");
        assert!(d1.ledger.lock().unwrap().is_empty());
    }
}

/// Invariant: a file goes nowhere unencrypted but to this machine, and nowhere with the token.
#[test]
fn a_file_goes_nowhere_where_it_can_be_read_on_the_way() {
    for upload_url in [
        "http://bucket.example/",
        "http://0.0.0.0/",
        "https://user:key@bucket.example/",
        "ftp://127.0.0.1/",
        "//127.0.0.1/",
        "",
    ] {
        let d1 = D1 { upload_url, ..D1::new(Mood::None) };
        let report = migrate(&d1, &[TRIGGER]);
        assert!(!d1.seen().contains(&"put".to_owned()), "{upload_url}");
        assert!(!d1.seen().contains(&"ingest".to_owned()), "{upload_url}");
        assert!(!report.failures[0].message.contains("geheim"), "{upload_url}");
    }
}

/// Invariant: a database in trouble is asked again after a look at the ledger, also by a query.
#[test]
fn a_database_that_starts_anew_is_asked_again() {
    for (mood, text) in
        [(Mood::Reset, "CREATE TABLE a (x);"), (Mood::Lost("query"), "CREATE TABLE b (x);")]
    {
        let d1 = D1::new(mood);
        let report = migrate(&d1, &[text]);
        applied(&d1, &report, 1);
        assert!(d1.seen().contains(&"ledger".to_owned()), "{:?}", d1.seen());
    }
}
