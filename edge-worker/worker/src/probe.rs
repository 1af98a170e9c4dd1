//! Asks registered URLs whether they answer.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use envc_edge_api::{Name, ProbeResult, ProbeRun};
use envc_edge_core::registry::{Probe, Probed, Snapshot};
use futures::StreamExt as _;
use futures::future::{Either, select};
use futures::stream;
use worker::{
    AbortController, Delay, Env, Fetch, Method, RequestInit, RequestRedirect, ScheduleContext,
    ScheduledEvent, Stub, console_error, event,
};

use crate::http::ask;
use crate::store::now_ms;

/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How many are asked at once; the runtime keeps six connections open.
const AT_ONCE: usize = 6;
/// How many are asked in one run; a Worker may make so many requests.
const PROBES_MAX: usize = 40;

/// Where the registry is asked for everything it knows.
pub(crate) const SNAPSHOT: &str = "/snapshot";
/// Where the registry is asked what to probe.
pub(crate) const DUE: &str = "/due";
/// Where the registry is told what probes found.
pub(crate) const FOUND: &str = "/found";
/// Where the registry is told of a pool.
pub(crate) const POOL: &str = "/pool";

/// Where the registry is asked which environments are gone.
pub(crate) const GONE: &str = "/gone";
/// Where the registry is told of a project that has states.
pub(crate) const PROJECT: &str = "/project";
/// Where the registry is asked which projects have states.
pub(crate) const PROJECTS: &str = "/projects";

/// The one object that knows all environments.
pub(crate) fn registry(env: &Env) -> worker::Result<Stub> {
    env.durable_object("REGISTRY")?.get_by_name("registry")
}

/// Probes at every run of the cron.
#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    if let Err(error) = run(&env).await {
        console_error!("envc-edge: probes: {error}");
    }
}

/// Asks what is due, those first that were asked longest ago.
pub(crate) async fn run(env: &Env) -> worker::Result<ProbeRun> {
    let registry = registry(env)?;
    let due = format!("{DUE}?{PROBES_MAX}");
    let due: Vec<Probe> = ask(&registry, Method::Get, &due, None, &[]).await?.json().await?;
    let found: Vec<Probed> = stream::iter(due)
        .map(|probe| async {
            let result = probe_one(&probe.url).await;
            Probed { probe, result }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let body = serde_json::to_vec(&found)?;
    ask(&registry, Method::Post, FOUND, None, &body).await?;
    Ok(ProbeRun { probed: u32::try_from(found.len()).unwrap_or(u32::MAX) })
}

/// Asks one URL. Redirects are not followed and bodies not read, so what answers can neither
/// send the probe elsewhere nor feed it.
async fn probe_one(url: &str) -> ProbeResult {
    let begun_ms = now_ms();
    let controller = AbortController::default();
    let signal = controller.signal();
    let mut init = RequestInit::new();
    init.with_method(Method::Get).with_redirect(RequestRedirect::Manual);
    let status = match worker::Request::new_with_init(url, &init) {
        Err(_) => None,
        Ok(request) => {
            let fetch = Fetch::Request(request);
            let answer = Box::pin(fetch.send_with_signal(&signal));
            match select(answer, Delay::from(ANSWER_MAX)).await {
                Either::Left((answer, _)) => answer.ok().map(|answer| answer.status_code()),
                Either::Right(_) => None,
            }
        }
    };
    // Ends a request that hangs, and lets go of a body that nobody reads.
    controller.abort();
    let at_ms = now_ms();
    let latency_ms = u32::try_from(at_ms.saturating_sub(begun_ms)).unwrap_or(u32::MAX);
    ProbeResult { at_ms, status, latency_ms }
}

/// Everything that the registry knows.
pub(crate) async fn snapshot(env: &Env) -> worker::Result<Snapshot> {
    ask(&registry(env)?, Method::Get, SNAPSHOT, None, &[]).await?.json().await
}

/// Tells the registry that a pool exists, so that the status shows it.
pub(crate) async fn tell_pool(env: &Env, pool: &Name) {
    tell(env, POOL, pool.as_str()).await;
}

thread_local! {
    /// Projects that this copy of the Worker has told the registry of.
    static TOLD: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

/// Tells the registry that a project has states, so that all of them can be listed; once from
/// each copy of the Worker.
pub(crate) async fn tell_project(env: &Env, key: &str) {
    let is_told = TOLD.with(|told| told.try_borrow().is_ok_and(|told| told.contains(key)));
    if !is_told && tell(env, PROJECT, key).await {
        TOLD.with(|told| told.try_borrow_mut().map(|mut told| told.insert(key.to_owned())).ok());
    }
}

async fn tell(env: &Env, place: &str, name: &str) -> bool {
    let told = async {
        let body = serde_json::to_vec(name)?;
        ask(&registry(env)?, Method::Post, place, None, &body).await
    };
    let told = told.await;
    if let Err(error) = &told {
        console_error!("envc-edge: the registry was not told of {name}: {error}");
    }
    told.is_ok()
}
