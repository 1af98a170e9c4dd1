//! Uploads of a Worker whose answer does not come: each makes a version, so the versions are read before there
//! is a second one.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Mutex,
};

use bytes::Bytes;
use envc_core::{Address, Desired, KindId, Value};
use envc_exec::{
    Report,
    ports::{Transport, TransportError},
};
use futures::future::BoxFuture;
use serde_json::{Value as Json, json};

use crate::world::{Fake, plan_changed, plan_of, response, wanted};

/// What becomes of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Good,
    /// It has its effect, and no answer comes.
    Lost,
    /// It has its effect, and the answer is a failure.
    SickAfter,
    /// It never arrives.
    Dropped,
    /// It is answered with a failure, and nothing happened.
    Sick,
    /// The script is not seen yet.
    Unseen,
    /// The same without a code.
    Bare,
}

/// The scripts of an account: one, with the tags of its versions, the newest first.
struct Scripts {
    /// Of the uploads to come.
    moods: Mutex<VecDeque<Mood>>,
    tags: Mutex<Vec<String>>,
    /// Nobody can read the versions.
    is_garbled: bool,
    seen: Mutex<Vec<&'static str>>,
}

impl Scripts {
    fn new(moods: &[Mood]) -> Self {
        Self {
            moods: Mutex::new(moods.iter().copied().collect()),
            tags: Mutex::default(),
            is_garbled: false,
            seen: Mutex::default(),
        }
    }

    /// What was asked since the last look.
    fn seen(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }

    fn versions(&self) -> usize {
        self.tags.lock().unwrap().len()
    }

    fn upload(&self, body: &[u8]) -> Result<http::Response<Bytes>, TransportError> {
        let text = String::from_utf8_lossy(body).into_owned();
        let (_, tag) = text.split_once("\"workers/tag\":\"").expect("an upload has a tag");
        let tag = tag.split('"').next().unwrap().to_owned();
        assert!(!self.tags.lock().unwrap().contains(&tag), "no two uploads have the same");
        let mood = self.moods.lock().unwrap().pop_front().unwrap_or(Mood::Good);
        if matches!(mood, Mood::Good | Mood::Lost | Mood::SickAfter) {
            self.tags.lock().unwrap().insert(0, tag);
        }
        match mood {
            Mood::Good => Ok(good(&self.script())),
            Mood::Lost | Mood::Dropped => {
                Err(TransportError { never_sent: false, message: "reset".into() })
            }
            Mood::SickAfter | Mood::Sick => Ok(response(500, "<html>oops</html>")),
            Mood::Unseen => Ok(missing()),
            Mood::Bare => {
                Ok(response(404, r#"{"success":false,"errors":[{"message":"Not Found"}]}"#))
            }
        }
    }

    fn script(&self) -> Json {
        json!({ "id": "p-x-e", "etag": format!("etag-{}", self.versions()) })
    }

    fn answer(
        &self,
        request: &http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let path = request.uri().path().trim_start_matches("/client/v4/accounts/a/workers/");
        let what = match (request.method().as_str(), path) {
            ("PUT", "scripts/p-x-e") => "upload",
            ("GET", "scripts/p-x-e/versions") => "versions",
            ("GET", "services/p-x-e") => "script",
            other => panic!("{other:?}"),
        };
        self.seen.lock().unwrap().push(what);
        let items: Vec<Json> = self
            .tags
            .lock()
            .unwrap()
            .iter()
            .map(|tag| json!({ "annotations": { "workers/tag": tag } }))
            .collect();
        Ok(match what {
            "upload" => return self.upload(request.body()),
            "versions" if self.is_garbled => response(200, "<html>"),
            _ if items.is_empty() => missing(),
            "versions" => good(&json!({ "items": items })),
            _ => good(&json!({ "default_environment": { "script": self.script() } })),
        })
    }
}

fn good(result: &Json) -> http::Response<Bytes> {
    response(200, json!({ "success": true, "errors": [], "result": result }).to_string())
}

fn missing() -> http::Response<Bytes> {
    let error = json!({ "code": 10007, "message": "This Worker does not exist on your account." });
    response(404, json!({ "success": false, "errors": [error] }).to_string())
}

impl Transport for Scripts {
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(async move { self.answer(&request) })
    }
}

/// A Worker as of this date.
fn worker(date: &str) -> BTreeMap<Address, Desired> {
    let (address, mut wanted) = wanted(KindId::Worker, "x");
    wanted.fields.insert("main".into(), Value::text("index.js"));
    wanted.fields.insert("compatibility-date".into(), Value::text(date));
    [(address, wanted)].into()
}

fn create(fake: &Fake, scripts: &Scripts) -> Report {
    let plan = plan_of(&worker("2026-01-01"), &BTreeMap::new());
    fake.run_of(scripts, &plan, &BTreeMap::new()).unwrap()
}

/// Uploads it a second time, with another date.
fn update(fake: &Fake, scripts: &Scripts) -> Report {
    let (state, _) = fake.stored.lock().unwrap().clone().unwrap();
    let plan = plan_changed(&worker("2026-09-01"), &state);
    fake.run_of(scripts, &plan, &BTreeMap::new()).unwrap()
}

/// What is recorded of the script's last version.
fn etag(report: &Report) -> Json {
    let recorded = report.state.resources.values().next().expect("it is recorded");
    recorded.fields["etag"].clone()
}

/// Invariant: an upload that had its effect is known by its version, and not made again.
#[test]
fn an_upload_whose_answer_was_lost_is_known_by_its_version() {
    for mood in [Mood::Lost, Mood::SickAfter] {
        let (fake, scripts) = (Fake::default(), Scripts::new(&[mood, mood]));
        for (run, versions) in [("create", 1), ("update", 2)] {
            let run_of: fn(&Fake, &Scripts) -> Report =
                if run == "create" { create } else { update };
            let report = run_of(&fake, &scripts);
            assert!(report.failures.is_empty(), "{run} {mood:?}: {:?}", report.failures);
            assert_eq!(scripts.seen(), ["upload", "versions", "script"], "{run} {mood:?}");
            assert_eq!(scripts.versions(), versions, "{run} {mood:?}");
            assert_eq!(etag(&report), format!("etag-{versions}"), "{run} {mood:?}");
        }
    }
}

/// Invariant: an upload that made no version is sent again, but only after a look; the version of an upload
/// before is none of it.
#[test]
fn an_upload_that_made_no_version_is_sent_again_after_a_look() {
    for mood in [Mood::Dropped, Mood::Sick, Mood::Unseen, Mood::Bare] {
        let (fake, scripts) = (Fake::default(), Scripts::new(&[mood, Mood::Good, mood, mood]));
        let made = create(&fake, &scripts);
        assert!(made.failures.is_empty(), "{mood:?}: {:?}", made.failures);
        assert_eq!(scripts.seen(), ["upload", "versions", "upload"], "{mood:?}");
        let changed = update(&fake, &scripts);
        assert!(changed.failures.is_empty(), "{mood:?}: {:?}", changed.failures);
        let twice = ["upload", "versions", "upload", "versions", "upload"];
        assert_eq!(scripts.seen(), twice, "{mood:?}");
        assert_eq!(scripts.versions(), 2, "{mood:?}");
        assert_eq!(etag(&changed), "etag-2", "{mood:?}");
    }
}

/// Invariant: where the versions cannot be read nothing is uploaded again, and it stays open.
#[test]
fn an_upload_that_nobody_can_look_for_stays_open() {
    for mood in [Mood::Lost, Mood::Dropped] {
        let scripts = Scripts { is_garbled: true, ..Scripts::new(&[mood]) };
        let fake = Fake::default();
        let report = create(&fake, &scripts);
        assert!(report.failures[0].open, "{:?}", report.failures);
        let uploads = scripts.seen().into_iter().filter(|it| *it == "upload").count();
        assert_eq!(uploads, 1, "{mood:?}");
        let (state, _) = fake.stored.lock().unwrap().clone().unwrap();
        assert_eq!(state.intents.len(), 1, "{mood:?}");
    }
}
