//! The ports, in memory. Everything that happens goes into one log, in order.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::poll_fn,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::Poll,
};

use bytes::Bytes;
use envc_core::{Address, Desired, Digest, KeyedDigest, KindId, Mode, Sealer, Secret, Span, Vault};
use envc_exec::{
    Account, Client, Endpoint, Event, Leasing, Progress, Report, Run, RunError, World,
    ports::{Clock, Entropy, StateStore, StoreError, Transport, TransportError, Version},
};
use envc_plan::{
    CheckedPlan, MigrationFile, Observation, Ownership, Plan, PlanInputs, Refused, State, StateKey,
    check, plan_apply, plan_destroy,
};
use futures::{executor::block_on, future::BoxFuture};
use serde_json::json;

/// What the API does with a call.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// As it should.
    Good,
    /// Has the effect, and the answer is lost.
    Lost,
    /// The connection broke before any effect, and the client cannot know.
    Dropped,
    /// 429 with this `Retry-After`, in seconds.
    Throttled(u64),
    /// This status and body, without effect.
    Body(u16, &'static str),
    /// The same with headers.
    Told(u16, &'static [(&'static str, &'static str)], &'static str),
    /// A page with one item that no other page has, and a cursor that no other page has.
    AnotherPage,
}

/// An API of KV namespaces, a clock, randomness, a store and an event sink.
#[derive(Default)]
pub(crate) struct Fake {
    /// Replies to the n-th call of a method, from 1; `Good` for all others.
    pub(crate) script: BTreeMap<(&'static str, u64), Reply>,
    /// Saves that fail, from 1.
    pub(crate) broken_saves: BTreeSet<u64>,
    /// The lock is lost after this many sends.
    pub(crate) lock_lost_after: Option<usize>,
    /// The user stops after this many sends.
    pub(crate) stop_after: Option<usize>,
    pub(crate) stop: AtomicBool,
    pub(crate) log: Mutex<Vec<String>>,
    pub(crate) stored: Mutex<Option<(State, u64)>>,
    pub(crate) names: Mutex<Vec<String>>,
    pub(crate) calls: Mutex<BTreeMap<String, u64>>,
    pub(crate) saves: AtomicU64,
    pub(crate) now_ms: AtomicU64,
    /// The random numbers that it gives, one after the other; always a half when there is nothing.
    pub(crate) chances: Vec<f64>,
    pub(crate) drawn: AtomicUsize,
    pub(crate) words: AtomicUsize,
    /// Waits that were told, each with the time at which it was.
    pub(crate) waits: Mutex<Vec<(u64, u64)>>,
    /// What was told to be not seen yet.
    pub(crate) unseen: Mutex<Vec<String>>,
}

impl Fake {
    pub(crate) fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.names.lock().unwrap().clone()
    }

    /// The sends of this method, each with its place in the log.
    pub(crate) fn sends(&self, method: &str) -> Vec<usize> {
        let log = self.log();
        let is = |line: &String| line.starts_with(method);
        log.iter().enumerate().filter(|(_, line)| is(line)).map(|(at, _)| at).collect()
    }

    fn note(&self, line: String) {
        self.log.lock().unwrap().push(line);
    }

    fn answer(
        &self,
        request: &http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let method = request.method().as_str().to_owned();
        let count = {
            let mut calls = self.calls.lock().unwrap();
            let count = calls.entry(method.clone()).or_default();
            *count += 1;
            *count
        };
        self.note(format!("{method} at {} ms", self.now_ms()));
        let sent = self.sends("POST").len() + self.sends("GET").len();
        if self.stop_after == Some(sent) {
            self.stop.store(true, Ordering::SeqCst);
        }
        let reply = self.script.iter().find(|((it, n), _)| *it == method && *n == count);
        let reply = reply.map_or(Reply::Good, |(_, reply)| reply.clone());
        let unknown = || TransportError { never_sent: false, message: "reset".into() };
        match reply {
            Reply::Good => Ok(self.work(request)),
            Reply::Lost => {
                self.work(request);
                Err(unknown())
            }
            Reply::Dropped => Err(unknown()),
            Reply::Throttled(seconds) => {
                let body = json!({"success": false, "errors": [{"code": 971, "message": "slow"}]});
                let mut response = response(429, body.to_string());
                response.headers_mut().insert("retry-after", seconds.into());
                Ok(response)
            }
            Reply::Body(status, body) => Ok(response(status, body)),
            Reply::Told(status, headers, body) => {
                let mut response = response(status, body);
                for (name, value) in headers {
                    response.headers_mut().insert(*name, value.parse().unwrap());
                }
                Ok(response)
            }
            Reply::AnotherPage => {
                let items = json!([{"id": format!("id-{count}"), "title": format!("n-{count}")}]);
                let cursor = format!("cursor-{count}");
                let info = json!({"page": 1, "per_page": 1, "count": 1, "cursor": cursor});
                let mut asked = request.uri().query().unwrap_or_default().split('&');
                let numbered = asked.any(|pair| pair.starts_with("page="));
                let result = if numbered { items } else { json!({ "items": items }) };
                let body = json!({"success": true, "result": result, "result_info": info});
                Ok(response(200, body.to_string()))
            }
        }
    }

    fn work(&self, request: &http::Request<Bytes>) -> http::Response<Bytes> {
        let mut names = self.names.lock().unwrap();
        let item = |name: &String| json!({"id": format!("id-{name}"), "title": name});
        if request.method() == http::Method::GET {
            let items: Vec<_> = names.iter().map(item).collect();
            let total = items.len();
            let info = json!({"page": 1, "per_page": 100, "count": total, "total_count": total});
            let body = json!({"success": true, "result": items, "result_info": info});
            return response(200, body.to_string());
        }
        let wanted: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
        let name = wanted["title"].as_str().unwrap().to_owned();
        if names.contains(&name) {
            let errors = json!([{"code": 10014, "message": "a namespace with this title exists"}]);
            let body = json!({"success": false, "errors": errors});
            return response(400, body.to_string());
        }
        let body = json!({"success": true, "result": item(&name)});
        names.push(name);
        response(200, body.to_string())
    }
}

pub(crate) fn response(status: u16, body: impl Into<String>) -> http::Response<Bytes> {
    let body = Bytes::from(body.into());
    http::Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(body)
        .unwrap()
}

impl Transport for Fake {
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let answer = self.answer(&request);
            // No answer is there at once.
            let mut asked = false;
            poll_fn(|cx| {
                if std::mem::replace(&mut asked, true) {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
            answer
        })
    }
}

impl Clock for Fake {
    fn monotonic_ms(&self) -> u64 {
        self.now_ms()
    }

    fn unix_ms(&self) -> u64 {
        self.now_ms()
    }

    fn sleep(&self, ms: u64) -> BoxFuture<'_, ()> {
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
        Box::pin(async {})
    }
}

impl Entropy for Fake {
    fn unit(&self) -> f64 {
        let n = self.drawn.fetch_add(1, Ordering::SeqCst);
        self.chances.get(n % self.chances.len().max(1)).copied().unwrap_or(0.5)
    }

    fn hex(&self, bytes: usize) -> String {
        let n = self.words.fetch_add(1, Ordering::SeqCst);
        format!("{n:0>width$x}", width = bytes * 2)
    }
}

impl Progress for Fake {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Retry { wait_ms, .. } => {
                self.waits.lock().unwrap().push((self.now_ms(), wait_ms));
            }
            Event::Unseen { call, reason, .. } => {
                self.unseen.lock().unwrap().push(format!("{call}: {reason}"));
            }
            _ => {}
        }
    }
}

impl StateStore for Fake {
    fn place(&self) -> String {
        "memory".into()
    }

    fn load(&self) -> BoxFuture<'_, Result<Option<(State, Version)>, StoreError>> {
        let stored = self.stored.lock().unwrap().clone();
        Box::pin(async move { Ok(stored.map(|(state, n)| (state, Version(n.to_string())))) })
    }

    fn save<'a>(
        &'a self,
        state: &'a State,
        expected: Option<&'a Version>,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        Box::pin(async move {
            let n = self.saves.fetch_add(1, Ordering::SeqCst) + 1;
            let place = self.place();
            if self.broken_saves.contains(&n) {
                self.note("save fails".into());
                let reason = "disk full".into();
                return Err(StoreError::Io { action: "write", place, reason });
            }
            let mut stored = self.stored.lock().unwrap();
            let version = stored.as_ref().map(|(_, n)| Version(n.to_string()));
            if version.as_ref() != expected {
                return Err(StoreError::Conflict { place });
            }
            let (made, open) = (state.resources.len(), state.intents.len());
            self.note(format!("save: {made} made, {open} intents"));
            *stored = Some((state.clone(), n));
            Ok(Version(n.to_string()))
        })
    }

    fn remove<'a>(&'a self, _expected: &'a Version) -> BoxFuture<'a, Result<(), StoreError>> {
        self.stored.lock().unwrap().take();
        Box::pin(async { Ok(()) })
    }

    fn lock_held(&self) -> bool {
        self.lock_lost_after.is_none_or(|sends| self.sends("POST").len() < sends)
    }
}

/// Whose project it is.
pub(crate) const REPOSITORY: &str = "git.example/a/p";

pub(crate) fn key() -> StateKey {
    StateKey { cloud: "local".into(), account: "a".into(), project: "p".into(), env: "e".into() }
}

/// Namespaces a, b, c.
pub(crate) fn desired() -> BTreeMap<Address, Desired> {
    ["a", "b", "c"].map(|name| wanted(KindId::Kv, name)).into()
}

/// A resource that the spec sets nothing of.
pub(crate) fn wanted(id: KindId, name: &str) -> (Address, Desired) {
    let address = Address::new(id, name);
    let desired = Desired {
        address: address.clone(),
        name: format!("p-{name}-e"),
        default_name: false,
        mode: Mode::Managed,
        protect: false,
        fields: BTreeMap::new(),
        zone: None,
        parent: None,
        span: Span::default(),
    };
    (address, desired)
}

/// The plan that makes three namespaces in an empty account.
fn plan() -> CheckedPlan {
    plan_of(&desired(), &BTreeMap::new())
}

/// The plan that makes these in an empty account.
pub(crate) fn plan_of(
    desired: &BTreeMap<Address, Desired>,
    migrations: &BTreeMap<Address, Vec<MigrationFile>>,
) -> CheckedPlan {
    with_inputs(desired, migrations, None, plan_apply)
}

/// The plan that makes these of what is recorded, and is there.
pub(crate) fn plan_changed(desired: &BTreeMap<Address, Desired>, state: &State) -> CheckedPlan {
    with_inputs(desired, &BTreeMap::new(), Some(state), plan_apply)
}

/// The plan that takes away what is recorded, and is there.
pub(crate) fn plan_gone(desired: &BTreeMap<Address, Desired>, state: &State) -> CheckedPlan {
    with_inputs(desired, &BTreeMap::new(), Some(state), plan_destroy)
}

fn with_inputs(
    desired: &BTreeMap<Address, Desired>,
    migrations: &BTreeMap<Address, Vec<MigrationFile>>,
    state: Option<&State>,
    plan: fn(&PlanInputs<'_>) -> Result<Plan, Refused>,
) -> CheckedPlan {
    let plan = plan(&PlanInputs {
        key: key(),
        repository: REPOSITORY.into(),
        env_type: "local".into(),
        spec: Digest::of("spec"),
        protect: false,
        leases: &BTreeMap::new(),
        sealer: &Sealer::new(KeyedDigest::new([0; 32]), "p", "e"),
        desired,
        state,
        observation: &state.map(Observation::from_state).unwrap_or_default(),
        ownership: &Ownership::default(),
        keep: &BTreeSet::new(),
        migrations,
        seeds: &BTreeMap::new(),
        asked: envc_plan::Asked::default(),
    });
    check(plan.unwrap()).unwrap()
}

impl Fake {
    pub(crate) fn client(&self) -> Client<'_> {
        self.client_of(self)
    }

    /// A client of this server.
    pub(crate) fn client_of<'a>(&'a self, server: &'a dyn Transport) -> Client<'a> {
        let endpoint =
            Endpoint { base_url: "http://api/client/v4".into(), token: Secret::new("token") };
        let world = World {
            transport: server,
            clock: self,
            entropy: self,
            progress: self,
            stop: &self.stop,
        };
        Client::new(endpoint, world)
    }

    pub(crate) fn account() -> Account {
        Account { id: "a".into(), zones: BTreeMap::new() }
    }

    /// Makes the three namespaces, one at a time.
    pub(crate) fn run(&self) -> Result<Report, RunError> {
        self.run_of(self, &plan(), &BTreeMap::new())
    }

    /// Runs a plan against this server, one step at a time.
    pub(crate) fn run_of(
        &self,
        server: &dyn Transport,
        plan: &CheckedPlan,
        migrations: &BTreeMap<Address, Vec<MigrationFile>>,
    ) -> Result<Report, RunError> {
        let state = self.stored.lock().unwrap().clone();
        let version = state.as_ref().map(|(_, n)| Version(n.to_string()));
        let state = state.map(|(state, _)| state);
        let state = state.unwrap_or_else(|| State::new(key(), REPOSITORY, "local", "lineage"));
        let (client, account) = (self.client_of(server), Self::account());
        let run = Run {
            client: &client,
            account: &account,
            store: self,
            plan,
            migrations,
            seeds: &BTreeMap::new(),
            ledgers: &BTreeMap::new(),
            vault: &Vault::default(),
            uploads: &BTreeMap::new(),
            parallelism: 1,
            dirty: false,
            part: false,
            ownership: &Ownership::default(),
            leasing: Leasing {
                pools: None,
                held: &BTreeMap::new(),
                pool_of: &BTreeMap::new(),
                digest: &KeyedDigest::new([0; 32]),
            },
        };
        block_on(envc_exec::run(&run, state, version))
    }
}
