//! Answers of Cloudflare's API: lists with their pages and cursors, single resources, batches, rows of SQL,
//! refusals, and what is no answer of it at all.
//!
//! Only what says that it succeeded is a success, and every failure has its words. Whatever an item of a
//! list holds, what a kind reads of it has an identifier and a name, and the calls about it stay below its
//! product's path. A look at the account ends, and gives a plan that the checker takes, or an error.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use envc_core::{Address, KindId, Secret};
use envc_exec::{
    Account, Client, Endpoint, Look, fetch_token, find_account, find_zones, observe, read_ledger,
};
use envc_kinds::{
    Answer as Read, BatchItem, Call, Kind, MarkerOf, Observed, Paging, Place, Wanted, classify,
    kind, read_answer,
};
use envc_plan::{Reach, State};
use futures::executor::block_on;
use serde_json::Value as Json;

use crate::{
    law,
    shop::{self, ACCOUNT, SHOP, ZONE},
    world::{Answer, World},
};

/// What the zone is called in paths.
const ZONE_ID: &str = "fedcba9876543210fedcba9876543210";
/// What an apply of the shop recorded.
static RECORDED: LazyLock<State> = LazyLock::new(|| {
    let state = serde_json::from_str(include_str!("../shop/state.json"));
    state.unwrap_or_else(|error| panic!("{error}"))
});

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let world = World::of(text, nothing);
    for answer in &world.answers {
        envelope(answer);
        for item in items(&answer.body) {
            for id in KindId::ALL {
                reads(kind(id), &item);
            }
        }
    }
    for (state, reach) in [(None, Reach::Named), (Some(&*RECORDED), Reach::All)] {
        block_on(look(&World::of(text, nothing), state, reach));
    }
}

/// Where nobody answers, lists are empty, and nothing else is there.
fn nothing(path: &str) -> Answer<'static> {
    let is_of = |id: KindId| {
        let listing = kind(id).listing(&place())?;
        let (path, _) = path.split_once('?').unwrap_or((path, ""));
        path.ends_with(&listing.call.path).then_some(listing.paging)
    };
    match KindId::ALL.into_iter().find_map(is_of) {
        Some(Paging::Cursor { field, .. }) => {
            let body = serde_json::json!({ "success": true, "result": { field: [] } });
            Answer::json("", 200, &body.to_string())
        }
        Some(Paging::Numbered { .. } | Paging::Whole) => {
            Answer::json("", 200, r#"{"success":true,"result":[]}"#)
        }
        None => Answer::json("", 404, r#"{"success":false,"errors":[]}"#),
    }
}

fn place() -> Place {
    Place { account: ACCOUNT.into(), zone: ZONE_ID.into() }
}

/// Reads one answer in all ways.
fn envelope(answer: &Answer<'_>) {
    let Answer { status, headers, body, path: _ } = answer;
    let get = Call::get(&["x"]);
    let post = Call { skips: Some("meta"), ..Call::post(&["x"], Json::Null) };
    let says = serde_json::from_slice::<Json>(body).ok();
    let says = says.as_ref().and_then(|json| json.get("success")?.as_bool());
    for call in [&get, &post] {
        match read_answer(call, *status, headers, body) {
            Ok(_) => {
                assert!((200..300).contains(status), "{status} is no success");
                assert!(says == Some(true) || body.is_empty(), "it does not say that it succeeded");
            }
            Err(failure) => {
                assert!(!failure.summary().is_empty(), "{failure:?}");
                assert!(failure.garbled.as_deref().is_none_or(|it| it.len() < 1_000));
                for id in KindId::ALL {
                    classify(kind(id), call, &failure);
                }
            }
        }
    }
    let (with, without) =
        (read_answer(&get, *status, headers, body), read_answer(&post, *status, headers, body));
    assert_eq!(with.is_ok(), without.is_ok(), "what is left out decides whether it can be read");
}

/// All that may be an item of a list, and the lists themselves.
fn items(body: &[u8]) -> Vec<Json> {
    let Ok(json) = serde_json::from_slice::<Json>(body) else { return Vec::new() };
    let result = json.get("result").cloned().unwrap_or(json);
    let mut all = Vec::new();
    match &result {
        Json::Array(items) => all.extend(items.iter().cloned()),
        Json::Object(members) => {
            let lists = members.values().filter_map(Json::as_array);
            all.extend(lists.flatten().cloned());
        }
        _ => {}
    }
    all.push(result);
    all
}

/// What a kind reads of an item, with all of its ways to read.
fn reads(kind: &dyn Kind, item: &Json) {
    let facts = kind.facts();
    let wanted = Wanted { name: "wanted".into(), ..Wanted::default() };
    let seen = [kind.observe(item), kind.observe_read(item), kind.made(&wanted, item)];
    kind.is_deleted(item);
    for seen in seen.into_iter().flatten() {
        is_whole(kind, &seen);
    }
    if let Some(MarkerOf::Call { read, holds, .. }) = facts.marker {
        let (_marker, held) = (read(item), holds(item));
        assert!(held.iter().all(|(_, name)| !name.is_empty()), "it holds on to nothing: {held:?}");
    }
    if let Some(held) = kind.held(item) {
        assert!(!held.name.is_empty() && !held.by.is_empty(), "{held:?}");
    }
    if let Some(batch) = facts.batch {
        let items = [BatchItem::Create(wanted), BatchItem::Delete { id: "x".into() }];
        assert_eq!((batch.read)(&items, item).len(), items.len(), "one answer an item");
    }
    if let Some(contents) = facts.contents {
        let page = Read { result: item.clone(), ..Read::default() };
        if let Some(call) = (contents.empty)(&place(), "x", &page) {
            stays_below(&call, &(contents.list)(&place(), "x"));
        }
    }
    if let Some(circle) = facts.circle {
        (circle.read)(item);
    }
    if let Some(database) = facts.database {
        (database.wipe)(item);
    }
}

/// An identifier, a name with one way to write it, and calls that go where they should.
fn is_whole(kind: &dyn Kind, seen: &Observed) {
    let lives_apart = kind.lives_with().is_none();
    assert!(!lives_apart || !(seen.id.is_empty() || seen.name.is_empty()), "{kind:?}: {seen:?}");
    let key = kind.key(&seen.name);
    assert_eq!(kind.key(&key), key, "the key of a key is another one");
    assert!(kind.collides(&seen.name, &seen.name), "{kind:?}: it is not in its own way");
    assert!(seen.name.contains(kind.contested(&seen.name)));
    kind.holds_host(&seen.name);
    kind.data_loss(&seen.fields, None);
    for (field, value) in &seen.fields {
        let form = envc_kinds::form(kind, field, value, &seen.fields);
        assert!(envc_kinds::same(kind, field, (value, &seen.fields), (value, &seen.fields)));
        kind.problem(field, &form, &seen.fields);
    }
    for wanted in SHOP.desired.values().filter(|it| it.address.kind() == kind.id()) {
        kind.objection(&seen.fields, &wanted.fields);
    }
    if let Some(MarkerOf::Call { hint, call, .. }) = kind.facts().marker {
        hint(seen);
        stays_below(&call(&place(), &seen.id), &call(&place(), "x"));
    }
    let calls = [
        (kind.delete(&place(), &seen.id), kind.delete(&place(), "x")),
        (kind.read(&place(), &seen.id), kind.read(&place(), "x")),
    ];
    for (call, model) in calls {
        if let (Some(call), Some(model)) = (call, model) {
            stays_below(&call, &model);
        }
    }
}

/// A call has as many segments as the one of an identifier that does not stand out, or is never sent.
fn stays_below(call: &Call, model: &Call) {
    let parts = |call: &Call| call.path.split('/').count();
    let leads_out = |call: &Call| {
        let mut parts = call.path.split('/').skip(1);
        parts.any(|part| matches!(part, "" | "." | ".."))
    };
    if call.unsendable.is_none() {
        assert!(!leads_out(call), "{} leads elsewhere", call.path);
        assert_eq!(parts(call), parts(model), "{} is no {}", call.path, model.path);
    }
    assert!(call.target().is_ascii() && !call.target().contains(char::is_whitespace));
}

/// Everything that asks before a plan is made, and the plan.
async fn look(world: &World<'_>, state: Option<&State>, reach: Reach) {
    let endpoint = Endpoint {
        base_url: "https://api.example.com/client/v4".into(),
        token: Secret::new("t0ken"),
    };
    let client = Client::new(endpoint, world.effects());
    if let Ok(id) = find_account(&client).await {
        assert_eq!(id.len(), 32, "no account has the ID {id}");
    }
    let mut account = Account { id: ACCOUNT.into(), zones: BTreeMap::new() };
    let _found = find_zones(&client, &mut account, &BTreeSet::from([ZONE.to_owned()])).await;
    account.zones.insert(ZONE.to_owned(), ZONE_ID.to_owned());
    let look = Look { reach, ..Look::default() };
    match observe(&client, &account, &SHOP.desired, state, look, &shop::ownership()).await {
        Ok(mut observation) => {
            shop::lawful(state, &observation);
            for address in SHOP.desired.keys().filter(|it| kind(it.kind()).database().is_some()) {
                is_ledger(&client, &account, address).await;
            }
            observation.found.clear();
            shop::lawful(state, &observation);
        }
        Err(error) => assert!(!error.message.is_empty() && !error.call.is_empty(), "{error:?}"),
    }
    for address in SHOP.desired.keys() {
        if let Err(error) = fetch_token(&client, &account, address, "x").await {
            law::plain(&error.call);
        }
    }
}

async fn is_ledger(client: &Client<'_>, account: &Account, address: &Address) {
    if let Err(error) = read_ledger(client, account, address, "x", "d1_migrations").await {
        assert!(!error.message.is_empty(), "{error:?}");
    }
}
