//! Answers of the edge Worker, and of what stands in its place: leases, queues, locks, states, reports,
//! problem documents.
//!
//! Whatever type is read of an answer is written and read again as the same, and its names are names. Who
//! asks comes to an end: with an answer, with an error that repeats neither a token nor what names a lease
//! or a lock, or where the user who waits in a queue stops; nobody else waits in one. What a lease gives is
//! recorded without its secrets.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use envc_core::{KeyedDigest, Secret};
use envc_edge_api::{
    AllStates, EnvironmentList, EnvironmentStatus, Health, Lease, LeaseList, Lock, LockedProblem,
    MemberList, MembersDiff, PoolEmpty, PoolList, PoolStats, Problem, ReclaimList, StateList,
    StateWritten, Status, Ticket, TokenCreated, TokenList, VersionList,
};
use envc_exec::{
    LeaseQuestion, Silent, ask_leases,
    edge::{EdgeCall, EdgeClient, EdgeEndpoint, EdgeError, EdgePools},
    grant_of, lacking,
    ports::{Leased, PoolError, Pools as _, Renewal},
};
use envc_plan::{RecordedLease, State};
use futures::executor::block_on;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    shop,
    world::{Answer, World},
};

const POOL: &str = "previews";
/// What names a lease, a lock and the caller; nobody else learns of it.
const LEASE_ID: &str = "lease-Xw4kT9qLm2";
const LOCK_ID: &str = "lock-Zr7vB3nHs5";
const TOKEN: &str = "token-Qd8yC6pWj1";

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for answer in &World::of(text, nothing).answers {
        reads_all(&answer.body);
    }
    for waits in [false, true] {
        block_on(leases(&World::of(text, nothing), text, waits));
    }
    block_on(calls(&World::of(text, nothing), text));
}

/// Where nobody answers, nothing is there.
fn nothing(_path: &str) -> Answer<'static> {
    let body = r#"{"type":"urn:envc:problem:not-found","title":"Not found","status":404}"#;
    let mut answer = Answer::json("", 404, body);
    let problem = http::HeaderValue::from_static(Problem::CONTENT_TYPE);
    answer.headers.insert("content-type", problem);
    answer
}

/// Reads a body as everything that a Worker answers with.
fn reads_all(body: &[u8]) {
    let all = [
        again::<Health>,
        again::<Lease>,
        again::<LeaseList>,
        again::<Ticket>,
        again::<PoolStats>,
        again::<PoolList>,
        again::<PoolEmpty>,
        again::<MembersDiff>,
        again::<MemberList>,
        again::<ReclaimList>,
        again::<Lock>,
        again::<LockedProblem>,
        again::<StateList>,
        again::<AllStates>,
        again::<StateWritten>,
        again::<VersionList>,
        again::<EnvironmentStatus>,
        again::<EnvironmentList>,
        again::<Status>,
        again::<TokenCreated>,
        again::<TokenList>,
        again::<Problem>,
    ];
    for again in all {
        again(body);
    }
}

fn again<T: Debug + DeserializeOwned + PartialEq + Serialize>(body: &[u8]) {
    let Ok(read) = serde_json::from_slice::<T>(body) else { return };
    let written = serde_json::to_vec(&read);
    let Ok(written) = written else { panic!("{written:?}: {read:?}") };
    match serde_json::from_slice::<T>(&written) {
        Ok(again) => assert_eq!(again, read),
        Err(error) => panic!("{error}: {read:?}"),
    }
}

fn client<'w>(world: &'w World<'_>) -> EdgeClient<'w> {
    let base_url = "https://edge.example.com".to_owned();
    let endpoint = EdgeEndpoint { base_url, token: Some(Secret::new(TOKEN)) };
    EdgeClient::new(endpoint, world.effects())
}

/// Everything that is asked of a pool.
async fn leases(world: &World<'_>, text: &str, waits: bool) {
    let pools = EdgePools::new(client(world), client(world), &Silent).waiting(waits);
    let failed = |error: &PoolError| is_told(&error.to_string(), text);
    let key = shop::key();
    let mut state = State::new(key.clone(), "git.example/a/shop", "local", "0".repeat(16));
    match pools.lease(POOL, "shop/main").await {
        Ok(leased) => {
            is_recorded_without_secrets(&leased);
            let wanted = BTreeMap::from([("room".to_owned(), false), ("ticket".to_owned(), true)]);
            lacking(POOL, &wanted, &leased).iter().for_each(failed);
            let grant = Some(grant_of(&leased, &KeyedDigest::new("k")));
            state.leases.insert(POOL.into(), RecordedLease { holder: "shop/main".into(), grant });
        }
        Err(error) => failed(&error),
    }
    match pools.renew(POOL, LEASE_ID).await {
        Ok(Renewal::Renewed(leased)) => is_recorded_without_secrets(&leased),
        Ok(Renewal::Over(why)) => assert!(!why.is_empty() || text.contains("detail")),
        Err(error) => failed(&error),
    }
    if let Err(error) = pools.release(POOL, LEASE_ID).await {
        failed(&error);
    }
    for question in [LeaseQuestion::Renew, LeaseQuestion::Look, LeaseQuestion::Search] {
        let wanted = BTreeSet::from([POOL, "others"]);
        match ask_leases(&pools, question, &wanted, Some(&state), &key).await {
            Ok(answers) => assert!(answers.seen.keys().all(|pool| wanted.contains(pool.as_str()))),
            Err((_, error)) => failed(&error),
        }
    }
}

fn is_recorded_without_secrets(leased: &Leased) {
    let grant = grant_of(leased, &KeyedDigest::new("k"));
    assert_eq!(grant.attributes, leased.attributes);
    assert!(grant.secrets.keys().eq(leased.secrets.keys()));
    let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|it| it.is_ascii_hexdigit());
    assert!(grant.secrets.values().all(|digest| is_digest(digest.as_str())));
}

/// The other calls, each with what is read of its answer.
async fn calls(world: &World<'_>, text: &str) {
    let client = client(world);
    let state = ["v1", "state", "cloudflare", shop::ACCOUNT, "shop", "main"];
    let below = |rest: &[&'static str]| state.iter().copied().chain(rest.iter().copied()).collect();
    let lock: Vec<&str> = below(&["lock"]);
    let held: Vec<&str> = below(&["lock", LOCK_ID]);
    let versions: Vec<&str> = below(&["versions"]);
    let report = ["v1", "environments", "main"];
    let members = ["v1", "pools", POOL, "members"];
    is_read::<Lock>(&client, &EdgeCall::post(&lock).repeatable(), text).await;
    is_read::<Lock>(&client, &EdgeCall::put(&held), text).await;
    is_read::<StateWritten>(&client, &EdgeCall::put(&state), text).await;
    is_read::<VersionList>(&client, &EdgeCall::get(&versions), text).await;
    is_read::<EnvironmentStatus>(&client, &EdgeCall::put(&report), text).await;
    is_read::<MembersDiff>(&client, &EdgeCall::put(&members), text).await;
    is_read::<PoolStats>(&client, &EdgeCall::get(&["v1", "pools", POOL]), text).await;
    if let Ok(answer) = client.call(&EdgeCall::get(&state)).await
        && let Ok(read) = State::parse(&answer.body, &shop::key())
    {
        assert_eq!(read.verify(), Ok(()));
    }
}

async fn is_read<T: DeserializeOwned>(client: &EdgeClient<'_>, call: &EdgeCall, text: &str) {
    let answer = client.call(call).await;
    let read: Result<T, EdgeError> = answer.and_then(|answer| answer.read());
    if let Err(error) = read {
        is_told(&error.to_string(), text);
        if let Some(problem) = error.problem() {
            problem.read::<LockedProblem>();
            problem.read::<PoolEmpty>();
        }
    }
}

/// An error repeats nothing that only the asker knows.
fn is_told(error: &str, text: &str) {
    assert!(!error.is_empty());
    for known in [LEASE_ID, LOCK_ID, TOKEN] {
        assert!(text.contains(known) || !error.contains(known), "{error}");
    }
}
