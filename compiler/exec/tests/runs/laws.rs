//! What holds of every run.

use envc_core::{Address, KindId, limits};
use envc_exec::{
    Account, AccountError, CallClass, CallError, Look, RunError, find_account, find_zones, observe,
    read_ledger,
};
use envc_kinds::{Call, Listing, Paging, kind};
use envc_plan::Ownership;
use futures::executor::block_on;

use crate::world::{Fake, Reply, desired};

fn scripted(script: &[(&'static str, u64, Reply)]) -> Fake {
    let entry = |(method, n, reply): &(&'static str, u64, Reply)| ((*method, *n), reply.clone());
    Fake { script: script.iter().map(entry).collect(), ..Fake::default() }
}

/// Invariant: the whole list of what is about to be done is stored before the first mutating
/// call, and at the end nothing is open.
#[test]
fn all_intents_are_stored_before_the_first_call() {
    let fake = Fake::default();
    let report = fake.run().unwrap();
    let log = fake.log();
    assert_eq!(log[0], "save: 0 made, 3 intents", "{log:?}");
    assert_eq!(log.last().map(String::as_str), Some("save: 3 made, 0 intents"), "{log:?}");
    assert_eq!((report.done, report.failures.len(), fake.sends("POST").len()), (3, 0, 3));
}

/// Invariant: outcomes are stored as they come; whatever was made and is not stored yet stands
/// among the intents.
#[test]
fn every_stored_state_tells_the_truth_or_names_what_is_open() {
    let fake = Fake::default();
    let _report = fake.run().unwrap();
    for line in fake.log().iter().filter(|line| line.starts_with("save")) {
        let numbers: Vec<usize> =
            line.split(|c: char| !c.is_ascii_digit()).filter_map(|it| it.parse().ok()).collect();
        assert_eq!(numbers.iter().sum::<usize>(), 3, "{line}");
    }
}

/// Invariant: after an answer was lost the resource is looked for before anything else, and what
/// is there is not made again.
#[test]
fn a_lost_answer_is_resolved_by_a_look() {
    let fake = scripted(&[("POST", 1, Reply::Lost)]);
    let report = fake.run().unwrap();
    assert_eq!((report.done, report.failures.len()), (3, 0));
    assert_eq!((fake.sends("POST").len(), fake.sends("GET").len()), (3, 1), "{:?}", fake.log());
    assert_eq!(fake.names(), ["p-a-e", "p-b-e", "p-c-e"]);
}

/// Invariant: a create without effect is made again, but only after the look.
#[test]
fn a_dropped_request_is_sent_again_after_a_look() {
    for reply in [Reply::Dropped, Reply::Body(500, "<html>oops</html>"), Reply::Body(200, "null")] {
        let fake = scripted(&[("POST", 1, reply.clone())]);
        let report = fake.run().unwrap();
        assert_eq!((report.done, report.failures.len()), (3, 0), "{reply:?}");
        let (posts, looks) = (fake.sends("POST"), fake.sends("GET"));
        assert_eq!((posts.len(), looks.len()), (4, 1), "{reply:?}");
        assert!(posts[0] < looks[0] && looks[0] < posts[1], "{reply:?}: {:?}", fake.log());
    }
}

/// Invariant: a look that fails leaves the intent open; the create is not sent again blindly.
#[test]
fn without_a_look_nothing_is_made_twice() {
    let garbled = Reply::Body(200, "<html>");
    let mut script = vec![("POST", 1, Reply::Lost)];
    script.extend((1..=50).map(|n| ("GET", n, garbled.clone())));
    let fake = scripted(&script);
    let report = fake.run().unwrap();
    assert_eq!(report.failures.len(), 1);
    assert!(report.failures[0].open);
    assert_eq!(fake.sends("POST").len(), 3, "{:?}", fake.log());
    let (state, _) = fake.stored.lock().unwrap().clone().unwrap();
    assert_eq!((state.resources.len(), state.intents.len()), (2, 1));
    assert_eq!(state.intents[0].name, "p-a-e");
}

/// Invariant: `Retry-After` is kept by every call, not only by the one that was refused.
#[test]
fn a_refusal_for_rate_holds_everything_back_as_long_as_it_says() {
    let fake = scripted(&[("POST", 2, Reply::Throttled(7))]);
    let _report = fake.run().unwrap();
    let log = fake.log();
    let at = |index: usize| -> u64 {
        let digits: String = log[index].chars().filter(char::is_ascii_digit).collect();
        digits.parse().unwrap()
    };
    let posts = fake.sends("POST");
    assert_eq!(posts.len(), 4, "{log:?}");
    assert!(at(posts[2]) >= at(posts[1]) + 7_000, "{log:?}");
    assert!(fake.now_ms() < 9_000, "{log:?}");
    // It had certainly no effect: no look is spent on it.
    assert_eq!(fake.sends("GET").len(), 0);
}

/// Invariant: where the intents cannot be stored, no call is made.
#[test]
fn a_store_that_fails_at_the_start_stops_everything() {
    let fake = Fake { broken_saves: [1].into(), ..Fake::default() };
    assert!(matches!(fake.run(), Err(RunError::NotBegun(_))));
    assert_eq!(fake.sends("POST").len(), 0);
}

/// Invariant: where an outcome cannot be stored, nothing more is begun, and the run says so.
#[test]
fn a_store_that_fails_midway_stops_what_is_not_begun() {
    let fake = Fake { broken_saves: (2..50).collect(), ..Fake::default() };
    assert!(matches!(fake.run(), Err(RunError::NotRecorded(_))));
    // One may be under way while the write fails.
    assert!(fake.sends("POST").len() <= 2, "{:?}", fake.log());
    let (state, _) = fake.stored.lock().unwrap().clone().unwrap();
    assert_eq!(state.intents.len(), 3, "what was begun can be found by the next run");
}

/// Invariant: once the lock is lost, nothing more is begun.
#[test]
fn a_lost_lock_begins_nothing_more() {
    let fake = Fake { lock_lost_after: Some(1), ..Fake::default() };
    assert!(matches!(fake.run(), Err(RunError::LockLost)), "{:?}", fake.log());
    assert_eq!(fake.sends("POST").len(), 1);
    let fake = Fake { lock_lost_after: Some(0), ..Fake::default() };
    assert!(matches!(fake.run(), Err(RunError::LockLost)));
    assert_eq!(fake.sends("POST").len(), 0);
}

/// Invariant: Ctrl-C lets the call in flight finish and records it; what was not begun is no
/// intent any more.
#[test]
fn an_interrupt_records_what_was_in_flight() {
    let fake = Fake { stop_after: Some(1), ..Fake::default() };
    let report = fake.run().unwrap();
    assert!(report.interrupted);
    assert_eq!((report.done, report.skipped, fake.sends("POST").len()), (1, 2, 1));
    let (state, _) = fake.stored.lock().unwrap().clone().unwrap();
    assert_eq!((state.resources.len(), state.intents.len()), (1, 0));
}

/// Invariant: Ctrl-C while the outcome of a create is open keeps its intent.
#[test]
fn an_interrupt_keeps_what_is_open() {
    let fake = Fake { stop_after: Some(1), ..scripted(&[("POST", 1, Reply::Lost)]) };
    let _report = fake.run().unwrap();
    let (state, _) = fake.stored.lock().unwrap().clone().unwrap();
    let open: Vec<&str> = state.intents.iter().map(|intent| intent.name.as_str()).collect();
    assert_eq!(open, ["p-a-e"]);
}

/// Invariant: a list that is garbled, cut off or refused is an error, never an empty account.
#[test]
fn nonsense_is_never_an_empty_account() {
    for (status, body) in [
        (200, ""),
        (200, "null"),
        (200, "{}"),
        (200, "[]"),
        (200, "<html>just a moment</html>"),
        (200, "{\"success\":true,\"result\":{}}"),
        (200, "{\"success\":true,\"result\":\"\"}"),
        (200, "{\"success\":false,\"result\":[],\"errors\":[{\"code\":1,\"message\":\"no\"}]}"),
        (200, "{\"success\":true,\"result\":[{\"id\":\"x\""),
        (200, "{\"success\":true}"),
        (
            200,
            "{\"success\":true,\"result\":null,\"result_info\":{\"page\":1,\"per_page\":100,\"total_count\":3}}",
        ),
        (403, "{\"success\":false,\"result\":[],\"errors\":[{\"code\":10000,\"message\":\"no\"}]}"),
        (404, ""),
        (500, "{\"success\":true,\"result\":[]}"),
    ] {
        let script: Vec<_> = (1..=50).map(|n| ("GET", n, Reply::Body(status, body))).collect();
        let fake = scripted(&script);
        let seen = block_on(observe(
            &fake.client(),
            &Fake::account(),
            &desired(),
            None,
            Look::default(),
            &Ownership::default(),
        ));
        assert!(seen.is_err(), "{status} {body}: {seen:?}");
    }
}

/// Invariant: an API that cannot be reached at all is tried a few times and told as that.
#[test]
fn a_read_that_never_succeeds_ends_with_its_cause() {
    let script: Vec<_> = (1..=50).map(|n| ("GET", n, Reply::Dropped)).collect();
    let fake = scripted(&script);
    let error = block_on(observe(
        &fake.client(),
        &Fake::account(),
        &desired(),
        None,
        Look::default(),
        &Ownership::default(),
    ))
    .unwrap_err();
    assert_eq!(error.class, CallClass::Unknown);
    assert!((2..=10).contains(&fake.sends("GET").len()), "{:?}", fake.log());
}

/// Invariant: the wait that is told is the wait that is kept, whatever number is drawn.
#[test]
fn the_wait_that_is_told_is_the_wait() {
    let lost = [("POST", 1, Reply::Lost), ("GET", 1, Reply::Dropped), ("POST", 2, Reply::Dropped)];
    let fake = Fake { chances: vec![0.1, 0.9, 0.4, 0.7, 0.2], ..scripted(&lost) };
    let _report = fake.run().unwrap();
    let waits = fake.waits.lock().unwrap().clone();
    assert_eq!(waits.len(), 3, "{waits:?}");
    let log = fake.log();
    let sent_ms = |line: &String| -> Option<u64> {
        let (_, rest) = line.split_once(" at ")?;
        rest.strip_suffix(" ms")?.parse().ok()
    };
    for (told_at_ms, wait_ms) in waits {
        let next = log.iter().filter_map(sent_ms).find(|sent_ms| *sent_ms > told_at_ms);
        assert_eq!(next, Some(told_at_ms + wait_ms), "{log:?}");
    }
}

fn list(script: &[(&'static str, u64, Reply)], paging: Paging) -> (Result<usize, CallError>, Fake) {
    let fake = scripted(script);
    let listing = Listing { call: Call::get(&["things"]), paging };
    let items = block_on(fake.client().items(&listing, kind(KindId::Kv)));
    (items.map(|items| items.len()), fake)
}

/// Invariant: a list of a server that ignores which page it is asked for ends, with an error: it
/// is not known what there is.
#[test]
fn a_list_without_an_end_is_an_error_and_not_a_full_memory() {
    let cursor = Paging::Cursor { per_page: 1, field: "items" };
    let numbered = Paging::Numbered { per_page: 1 };
    let other: Vec<_> = (1..=5_000).map(|n| ("GET", n, Reply::AnotherPage)).collect();
    for paging in [numbered, cursor] {
        let (listed, fake) = list(&other, paging);
        assert_eq!(listed.unwrap_err().class, CallClass::Endless, "{paging:?}");
        let pages = fake.sends("GET").len() as u64;
        assert!((limits::LIST_PAGES_MAX..=limits::LIST_PAGES_MAX + 1).contains(&pages), "{pages}");
    }
    // The same page again and again is seen at once, whatever else the answer says.
    for (paging, body) in [
        (numbered, r#"{"success":true,"result":[{"id":"a"}],"result_info":{"per_page":1}}"#),
        (
            numbered,
            r#"{"success":true,"result":[{"id":"a"}],"result_info":{"per_page":1,"total_count":9}}"#,
        ),
        (
            cursor,
            r#"{"success":true,"result":{"items":[{"id":"a"}]},"result_info":{"cursor":"c"}}"#,
        ),
    ] {
        let same: Vec<_> = (1..=5_000).map(|n| ("GET", n, Reply::Body(200, body))).collect();
        let (listed, fake) = list(&same, paging);
        assert_eq!(listed.unwrap_err().class, CallClass::Endless, "{body}");
        assert!(fake.sends("GET").len() <= 9, "{body}: {:?}", fake.log());
    }
}

fn body(text: String) -> Reply {
    Reply::Body(200, text.leak())
}

/// A page of this many items that no other page has, and what the answer tells besides.
fn page_of(first: usize, count: usize, info: &str) -> Reply {
    let items: Vec<_> = (first..first + count).map(|n| format!("{{\"id\":\"{n}\"}}")).collect();
    body(format!(
        "{{\"success\":true,\"result\":[{}],\"result_info\":{{{info}}}}}",
        items.join(",")
    ))
}

/// Invariant: what the API tells of a list's length decides nothing, and no sum of it overflows: what is
/// on the pages counts.
#[test]
fn what_an_answer_tells_of_a_list_is_a_hint() {
    for info in [
        r#""total_count":18446744073709551615,"per_page":1"#,
        r#""total_count":18446744073709551615,"per_page":0,"total_pages":18446744073709551615"#,
        r#""total_count":18446744073709551615,"per_page":18446744073709551615,"page":-1"#,
        r#""total_count":0,"per_page":1,"count":0"#,
        r#""total_count":1,"total_pages":1"#,
        r#""total_count":-5,"per_page":-5"#,
        r#""total_count":1e300,"per_page":0.5"#,
        r#""total_count":"9","per_page":"x","cursor":7"#,
        r#""total_count":[1],"per_page":{}"#,
        "",
    ] {
        let script = [
            ("GET", 1, page_of(0, 2, info)),
            ("GET", 2, page_of(2, 2, info)),
            ("GET", 3, page_of(4, 1, info)),
        ];
        let (listed, fake) = list(&script, Paging::Numbered { per_page: 2 });
        assert_eq!(listed, Ok(5), "{info}");
        assert!(fake.sends("GET").len() <= 2 * limits::PARALLELISM, "{info}: {:?}", fake.log());
    }
    // Of what is no object nothing is read.
    for info in ["null", "[]", "7", "\"x\"", "true"] {
        let one =
            format!("{{\"success\":true,\"result\":[{{\"id\":\"a\"}}],\"result_info\":{info}}}");
        assert_eq!(list(&[("GET", 1, body(one))], Paging::Numbered { per_page: 2 }).0, Ok(1));
    }
}

/// Invariant: cursors end with their pages: one that is repeated, an empty page, and a circle.
#[test]
fn a_page_without_anything_new_ends_a_list_by_cursor() {
    let page = |items: &str, cursor: &str| {
        body(format!(
            "{{\"success\":true,\"result\":{{\"items\":[{items}]}},\"result_info\":{{\"cursor\":{cursor}}}}}"
        ))
    };
    let (a, b) = (r#"{"id":"a"}"#, r#"{"id":"b"}"#);
    let by_cursor = |replies: &[Reply]| {
        let mut script: Vec<_> = (1..).zip(replies).map(|(n, it)| ("GET", n, it.clone())).collect();
        let last = replies.last().cloned().unwrap();
        script.extend((script.len() as u64 + 1..5_000).map(|n| ("GET", n, last.clone())));
        let (listed, fake) = list(&script, Paging::Cursor { per_page: 1, field: "items" });
        (listed.map_err(|error| error.class), fake.sends("GET").len())
    };
    assert_eq!(by_cursor(&[page(a, "\"1\""), page(b, "\"1\"")]), (Ok(2), 2));
    assert_eq!(by_cursor(&[page(a, "\"1\""), page(b, "\"\"")]), (Ok(2), 2));
    assert_eq!(by_cursor(&[page(a, "\"1\""), page(b, "7")]), (Ok(2), 2));
    assert_eq!(by_cursor(&[page(a, "\"1\""), page("", "\"2\"")]), (Ok(1), 2));
    let circle = [page(a, "\"1\""), page(b, "\"2\""), page(a, "\"3\"")];
    assert_eq!(by_cursor(&circle), (Err(CallClass::Endless), 3));
    // Always the same items, whatever the cursor is.
    let same: Vec<_> = (0..9).map(|n| page(a, &format!("\"{n}\""))).collect();
    assert_eq!(by_cursor(&same), (Err(CallClass::Endless), 2));
    let both = [page(&format!("{a},{b}"), "\"1\""), page(&format!("{b},{a}"), "\"2\"")];
    assert_eq!(by_cursor(&both), (Err(CallClass::Endless), 2));
}

/// Invariant: of an answer of another form than was asked for nothing is believed, and the error names
/// the call.
#[test]
fn an_odd_answer_names_its_call() {
    let odd = ["null", "7", "\"x\"", "true", "{}", "{\"id\":\"a\"}"];
    for result in odd {
        let text = format!("{{\"success\":true,\"result\":{result}}}");
        let all: Vec<_> = (1..9).map(|n| ("GET", n, body(text.clone()))).collect();
        let accounts = block_on(find_account(&scripted(&all).client())).unwrap_err().to_string();
        assert!(accounts.contains("GET /accounts: the API's answer is not a list"), "{accounts}");
        let mut account = Fake::account();
        let names = ["shop.example".to_owned()].into();
        let fake = scripted(&all);
        let zones = block_on(find_zones(&fake.client(), &mut account, &names)).unwrap_err();
        assert!(
            zones.to_string().contains("GET /zones: the API's answer is not a list"),
            "{zones}"
        );
        let posts: Vec<_> = (1..9).map(|n| ("POST", n, body(text.clone()))).collect();
        let (fake, d1) = (scripted(&posts), Address::new(KindId::D1, "x"));
        let ledger = block_on(read_ledger(&fake.client(), &account, &d1, "id", "d1_migrations"))
            .unwrap_err();
        assert!(ledger.to_string().contains("POST /accounts/a/d1/database/id/query: "), "{ledger}");
        for paging in [Paging::Whole, Paging::Cursor { per_page: 1, field: "items" }] {
            let error = list(&all, paging).0.unwrap_err().to_string();
            assert!(error.contains("GET /things: the API's answer is not a list"), "{error}");
        }
    }
    // What names an account that none can be is no account.
    for id in ["\"..\"", "\"\"", "\"a/b\"", "7", "null", "\"0123\""] {
        let text = format!("{{\"success\":true,\"result\":[{{\"id\":{id},\"name\":\"n\"}}]}}");
        let fake = scripted(&[("GET", 1, body(text))]);
        let found = block_on(find_account(&fake.client()));
        assert_eq!(found, Err(AccountError::NoAccount), "{id}");
    }
}

/// Invariant: a call whose identifier would make another path of it is not sent.
#[test]
fn no_identifier_leads_to_another_path() {
    for id in ["", ".", ".."] {
        let fake = Fake::default();
        let call = Call::delete(&["zones", "z", "dns_records", id]);
        let error = block_on(fake.client().call_repeatable(&call, None)).unwrap_err();
        assert!(error.message.contains("not sent"), "{error}");
        assert_eq!(fake.log(), Vec::<String>::new(), "{id:?}");
        let account = Account { id: id.to_owned(), ..Account::default() };
        let d1 = Address::new(KindId::D1, "x");
        block_on(read_ledger(&fake.client(), &account, &d1, "id", "d1_migrations")).unwrap_err();
        assert_eq!(fake.log(), Vec::<String>::new(), "{id:?}");
    }
}

/// Pages that differ are one list, however small the server makes them.
#[test]
fn a_list_of_small_pages_is_read_whole() {
    let page = |n: u64| ("GET", n, Reply::AnotherPage);
    let empty = r#"{"success":true,"result":[],"result_info":{"per_page":1}}"#;
    let script = [page(1), page(2), page(3), ("GET", 4, Reply::Body(200, empty))];
    assert_eq!(list(&script, Paging::Numbered { per_page: 100 }).0, Ok(3));
}
