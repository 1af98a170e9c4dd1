//! An API that is right in a moment: what was made is not seen yet, a token is refused in passing, there
//! were too many calls.

use envc_core::{KindId, limits};
use envc_exec::{CallClass, CallError, help_for_call};
use envc_kinds::{Call, Meaning, Place, Wanted, kind};
use futures::executor::block_on;
use serde_json::json;

use crate::world::{Fake, Reply};

const GOOD: Reply = Reply::Body(200, r#"{"success":true,"result":{"id":"x"}}"#);

/// The first calls of this method get these replies, and what follows is good.
fn replies(method: &'static str, replies: &[Reply]) -> Fake {
    let bad = replies.iter().cloned().chain(std::iter::repeat_n(GOOD, 20));
    let script = (1..).zip(bad).map(|(n, reply)| ((method, n), reply)).collect();
    Fake { script, ..Fake::default() }
}

fn place() -> Place {
    Place { account: "a".into(), zone: "z".into() }
}

fn create(id: KindId) -> Call {
    let fields = [("queue".to_owned(), json!("q")), ("main".to_owned(), json!("index.js"))].into();
    let (name, parent_id) = ("n".to_owned(), "p".to_owned());
    kind(id).create(&place(), &Wanted { name, parent_id, fields, ..Wanted::default() })
}

fn method(call: &Call) -> &'static str {
    if call.method == http::Method::PUT { "PUT" } else { "POST" }
}

fn refusal(status: u16, code: i64, text: &str) -> Reply {
    let body = json!({ "success": false, "errors": [{ "code": code, "message": text }] });
    Reply::Body(status, body.to_string().leak())
}

/// What the API says of things that were made a moment ago: kind, status, code, text.
const LATE: [(KindId, u16, i64, &str); 13] = [
    (KindId::Worker, 400, 10041, "KV namespace 'x' not found"),
    (KindId::Worker, 400, 10085, "R2 bucket 'x' not found"),
    (KindId::Worker, 400, 10181, "D1 database 'x' not found"),
    (KindId::Worker, 400, 11000, "Queue 'x' not found"),
    (KindId::Worker, 400, 10144, "service 'x' not found"),
    (KindId::Worker, 400, 10061, "Cannot create binding for class 'X' because it is not yet"),
    (
        KindId::Worker,
        400,
        10021,
        "binding DB of type d1 failed to generate. Please try again later",
    ),
    (KindId::WorkerCrons, 404, 10007, "This Worker does not exist on your account."),
    (KindId::WorkerDomain, 400, 10007, "This Worker does not exist on your account."),
    (
        KindId::WorkerRoute,
        400,
        10019,
        "Cannot configure a route for a Worker which does not exist.",
    ),
    (KindId::QueueConsumer, 400, 11001, "Queue handler is missing."),
    (KindId::QueueConsumer, 400, 0, "bad request"),
    (KindId::QueueConsumer, 404, 11000, "Queue 'q' not found."),
];

/// Invariant: what a run made is waited for by what follows it, told once, and by nothing else.
#[test]
fn what_was_just_made_is_waited_for_by_what_follows_it_alone() {
    for (id, status, code, text) in LATE {
        let (call, late) = (create(id), refusal(status, code, text));
        let fake = replies(method(&call), &[late.clone(), late.clone(), late.clone()]);
        let following = call.clone().following(true);
        block_on(fake.client().call(&following, Some(kind(id)))).unwrap();
        assert_eq!(fake.sends(method(&call)).len(), 4, "{id} {code}");
        assert_eq!(fake.now_ms(), 250 + 250 + 250, "{id} {code}");
        let told = fake.unseen.lock().unwrap().clone();
        assert!(told.len() == 1 && told[0].contains(text), "{told:?}");

        // Where nothing of this run comes before it, it is final at once.
        let fake = replies(method(&call), &[late]);
        let error = block_on(fake.client().call(&call, Some(kind(id)))).unwrap_err();
        assert!(error.message.contains(text), "{error}");
        assert_eq!((fake.sends(method(&call)).len(), fake.now_ms()), (1, 0), "{id} {code}");
    }
}

/// Invariant: after the time that it may take it is believed; other refusals are believed at once.
#[test]
fn what_is_not_there_is_believed_in_the_end_and_other_refusals_at_once() {
    for (id, status, code, text) in LATE {
        let call = create(id).following(true);
        let fake = replies(method(&call), &vec![refusal(status, code, text); 20]);
        let error = block_on(fake.client().call(&call, Some(kind(id)))).unwrap_err();
        assert!(error.message.contains(text), "{error}");
        assert_eq!(fake.now_ms(), limits::VISIBLE_MS_MAX, "{id} {code}");
    }
    for (id, status, code, text) in [
        (KindId::Worker, 400, 10021, "Uncaught SyntaxError: failed to generate"),
        (KindId::Worker, 400, 10021, "Script startup exceeded CPU limit; try again later"),
        (KindId::Worker, 400, 10061, "Cannot apply --delete-class migration to class 'X'"),
        (KindId::Worker, 400, 10027, "script too large"),
        (KindId::WorkerRoute, 409, 10020, "A route with the same pattern already exists"),
        (KindId::QueueConsumer, 400, 11004, "Queue 'x' already has a consumer."),
        (
            KindId::WorkerDomain,
            409,
            100_117,
            "Hostname 'x' already has externally managed DNS records",
        ),
    ] {
        let call = create(id).following(true);
        let fake = replies(method(&call), &[refusal(status, code, text)]);
        block_on(fake.client().call(&call, Some(kind(id)))).unwrap_err();
        assert_eq!((fake.sends(method(&call)).len(), fake.now_ms()), (1, 0), "{id} {code}");
    }
}

fn send(fake: &Fake, id: KindId, call: &Call) -> Result<(), CallError> {
    block_on(fake.client().call(call, Some(kind(id)))).map(|_| ())
}

/// Invariant: a refusal of the token is tried once more, also of a call that changes something; a second
/// one is believed.
#[test]
fn a_refused_token_is_tried_once_more() {
    let list = Call::get(&["accounts", "a", "d1", "database"]);
    let create = create(KindId::Kv);
    for (method, call) in [("GET", &list), ("POST", &create)] {
        for (status, code, text) in [
            (403, 10000, "Authentication error"),
            (401, 10000, "Authentication error"),
            (403, 10023, "kv bindings require kv write perms"),
            (403, 9109, "Unauthorized to access requested resource"),
        ] {
            let once = replies(method, &[refusal(status, code, text)]);
            send(&once, KindId::D1, call).unwrap();
            assert_eq!((once.sends(method).len(), once.now_ms()), (2, 1_000), "{code}");
            let twice = replies(method, &vec![refusal(status, code, text); 2]);
            let error = send(&twice, KindId::D1, call).unwrap_err();
            assert_eq!(error.class, CallClass::Api(Meaning::Auth));
            assert_eq!((twice.sends(method).len(), twice.now_ms()), (2, 1_000), "{code}");
        }
        for (status, code, text) in [
            (401, 1000, "Invalid API Token"),
            (400, 6003, "Invalid request headers"),
            (403, 9103, "Unknown X-Auth-Key or X-Auth-Email"),
            (400, 9106, "Missing Authorization headers"),
            (403, 9109, "Max auth failures reached, please check your Authorization header"),
            (403, 10042, "Please enable R2 through the Cloudflare Dashboard."),
        ] {
            let fake = replies(method, &[refusal(status, code, text)]);
            send(&fake, KindId::R2, call).unwrap_err();
            assert_eq!((fake.sends(method).len(), fake.now_ms()), (1, 0), "{code}");
        }
    }
}

/// What a failure says to do.
fn help(id: KindId, call: &Call, reply: &Reply) -> String {
    let fake = replies(method(call), &vec![reply.clone(); 20]);
    let error = send(&fake, id, call).unwrap_err();
    help_for_call(&error, kind(id).permission(), false).unwrap_or_default()
}

/// Each refusal names what the API means, not a permission that cures nothing.
#[test]
fn a_refusal_names_its_cure() {
    for (id, status, code, text, cure) in [
        (KindId::R2, 403, 10042, "Please enable R2", "enable R2 for this account"),
        (KindId::R2, 403, 10069, "locked", "a lock rule of the bucket"),
        (
            KindId::Worker,
            403,
            10023,
            "kv bindings require kv write perms",
            "`Workers KV Storage Write`",
        ),
        (KindId::Worker, 403, 10023, "d1 bindings require d1 write perms", "`D1 Write`"),
        (KindId::Worker, 403, 10023, "Unauthorized", "of each product that the Worker is bound to"),
        (KindId::Tunnel, 400, 1022, "This tunnel has active connections.", "stop cloudflared"),
        (KindId::Tunnel, 400, 1023, "it has Warp routing", "private network routes"),
        (KindId::Queue, 400, 11017, "in use", "event notification"),
        (
            KindId::WorkerDomain,
            409,
            100_117,
            "externally managed DNS records",
            "delete the DNS records",
        ),
        (KindId::WorkerDomain, 409, 100_116, "already used", "take the host from the Worker"),
        (KindId::WorkerCrons, 400, 10063, "no subdomain", "workers.dev"),
        (KindId::Kv, 403, 9109, "Max auth failures reached", "wait some minutes"),
        (KindId::Kv, 403, 10000, "Authentication error", "`Workers KV Storage Write`"),
    ] {
        let told = help(id, &create(id), &refusal(status, code, text));
        assert!(told.contains(cure), "{id} {code}: {told}");
    }
}

const NOW: &str = "Mon, 30 Nov 2026 12:00:00 GMT";

/// Invariant: a 429 is waited out as long as it asks, in whichever form, and without one by 30 to 60 s a
/// try, up to the window of the limit.
#[test]
fn too_many_calls_are_waited_out_whatever_the_answer_says() {
    let slow = r#"{"success":false,"errors":[{"code":971,"message":"slow"}]}"#;
    let edge = r#"{"title":"Error 1015","status":429,"retry_after":9}"#;
    for (reply, wait_ms) in [
        (Reply::Told(429, &[("retry-after", "7")], slow), 7_000),
        (
            Reply::Told(
                429,
                &[("retry-after", "Mon, 30 Nov 2026 12:00:20 GMT"), ("date", NOW)],
                slow,
            ),
            20_000,
        ),
        (Reply::Body(429, edge), 9_000),
        (Reply::Body(429, slow), 45_000),
        (Reply::Body(429, "null"), 45_000),
        (Reply::Body(429, "error code: 1015"), 45_000),
        (Reply::Body(400, slow), 45_000),
    ] {
        for (method, call) in [("GET", Call::get(&["x"])), ("POST", create(KindId::Kv))] {
            let fake = replies(method, &[reply.clone(), reply.clone()]);
            send(&fake, KindId::Kv, &call).unwrap();
            assert_eq!(fake.sends(method).len(), 3, "{reply:?}");
            assert!(fake.now_ms().abs_diff(2 * wait_ms) < 200, "{reply:?}: {}", fake.now_ms());
            assert_eq!(fake.waits.lock().unwrap().len(), 2, "each wait is told");
        }
    }
    let fake = replies("GET", &vec![Reply::Body(429, "null"); 20]);
    let error = send(&fake, KindId::Kv, &Call::get(&["x"])).unwrap_err();
    assert_eq!(error.class, CallClass::Api(Meaning::RateLimited));
    let waited = fake.now_ms();
    assert!((limits::RATE_WINDOW_MS..2 * limits::RATE_WINDOW_MS).contains(&waited), "{waited}");
}

/// Invariant: envc counts its own calls, whatever the headers of the answers say.
#[test]
fn more_calls_than_the_own_share_are_held_back() {
    let still = Reply::Told(
        200,
        &[
            ("ratelimit", "\"default\";r=1199;t=1"),
            ("ratelimit-policy", "\"default\";q=1200;w=300"),
        ],
        r#"{"success":true,"result":[]}"#,
    );
    let most = u64::from(limits::RATE_OWN_CALLS_MAX);
    let script = (1..=most + 1).map(|n| (("GET", n), still.clone())).collect();
    let fake = Fake { script, ..Fake::default() };
    let client = fake.client();
    for _ in 0..most {
        block_on(client.call(&Call::get(&["x"]), None)).unwrap();
    }
    assert_eq!((fake.now_ms(), client.budget().left), (0, Some(0)));
    block_on(client.call(&Call::get(&["x"]), None)).unwrap();
    assert!(fake.now_ms() >= limits::RATE_WINDOW_MS, "{}", fake.now_ms());
}
