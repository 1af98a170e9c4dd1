//! The Durable Objects: one for each pool, one for the states of each project, one for all
//! environments, one for all tokens.

use std::collections::BTreeMap;

use envc_edge_api::Name;
use envc_edge_api::limits::PROJECTS_PAGE;
use envc_edge_core::pool::{Event, Pool};
use envc_edge_core::registry::{self, Registry};
use envc_edge_core::state::{self, States};
use envc_edge_core::store::{Damaged, Effects};
use envc_edge_core::{
    Call, Method, Preconditions, Request, Resource, Response, Route, SealKey, Served, Tokens, pool,
    route,
};
use serde::{Deserialize, Serialize};
use worker::{DurableObject, Env, State, console_error, durable_object};

use crate::http::{asked_body, caller, preconditions, respond};
use crate::probe::{DUE, FOUND, GONE, POOL, PROJECT, PROJECTS, SNAPSHOT};
use crate::settings::{is_on, setting};
use crate::store::{Kept, Machine, now_ms};

impl Machine for Pool {
    fn load(rows: &BTreeMap<String, String>) -> Result<Self, Damaged> {
        Self::load(rows)
    }

    fn tick(&mut self, now_ms: u64) -> Effects {
        self.step(Event::Tick, now_ms).1
    }
}

impl Machine for States {
    fn load(rows: &BTreeMap<String, String>) -> Result<Self, Damaged> {
        Self::load(rows)
    }

    fn tick(&mut self, _: u64) -> Effects {
        Effects::default()
    }
}

impl Machine for Registry {
    fn load(rows: &BTreeMap<String, String>) -> Result<Self, Damaged> {
        Self::load(rows)
    }

    fn tick(&mut self, _: u64) -> Effects {
        Effects::default()
    }
}

impl Machine for Tokens {
    fn load(rows: &BTreeMap<String, String>) -> Result<Self, Damaged> {
        Self::load(rows)
    }

    fn tick(&mut self, _: u64) -> Effects {
        Effects::default()
    }
}

/// Runs one request through a kept machine. What fails becomes a problem document: an error out
/// of an object would reach the caller as a bare 500.
async fn serve<M: Machine>(
    kept: &Kept<M>,
    key: Option<&SealKey>,
    mut request: worker::Request,
    answer: impl FnOnce(&mut M, Route<'_>, Call<'_>) -> Option<Served>,
) -> worker::Result<worker::Response> {
    let result = async {
        let method = Method::from_name(&request.inner().method());
        let path = request.path();
        let route = match route(&Request { method, path: &path }) {
            Ok(route) => route,
            Err(response) => return Ok(response),
        };
        let caller = caller(&request);
        let caller = caller.ok_or_else(|| worker::Error::from("the caller is not told"))?;
        let preconditions = match route.resource {
            Resource::State(..) => preconditions(&request),
            _ => Preconditions::default(),
        };
        let body = asked_body(&mut request).await?;
        let entropy = kept.entropy()?;
        kept.run(|machine| {
            let now_ms = now_ms();
            let call = Call {
                method,
                body: &body,
                preconditions: &preconditions,
                caller: &caller,
                now_ms,
                entropy,
                key,
            };
            match answer(machine, route, call) {
                Some(Served { response, effects }) => (response, effects),
                None => (failed(), Effects::default()),
            }
        })
        .await
    };
    respond(result.await.unwrap_or_else(|error: worker::Error| {
        console_error!("envc-edge: {error}");
        failed()
    }))
}

fn failed() -> Response {
    Response::unavailable("the object that decides failed; nothing was changed")
}

/// One pool: the only authority about who holds its members.
#[durable_object(alarm)]
#[derive(Debug)]
pub struct PoolObject {
    kept: Kept<Pool>,
    key: Option<SealKey>,
}

impl DurableObject for PoolObject {
    fn new(state: State, env: Env) -> Self {
        let key = setting(&env, "SEAL_KEY").and_then(|key| SealKey::parse(&key));
        Self { kept: Kept::new(state), key }
    }

    async fn fetch(&self, request: worker::Request) -> worker::Result<worker::Response> {
        serve(&self.kept, self.key.as_ref(), request, |machine, route, call| match route.resource {
            Resource::Pool(name, resource) => Some(pool::serve(machine, &name, &resource, call)),
            _ => None,
        })
        .await
    }

    async fn alarm(&self) -> worker::Result<worker::Response> {
        self.kept.alarm().await
    }
}

/// The states of one project.
#[durable_object(fetch)]
#[derive(Debug)]
pub struct StatesObject {
    kept: Kept<States>,
}

impl DurableObject for StatesObject {
    fn new(state: State, _: Env) -> Self {
        Self { kept: Kept::new(state) }
    }

    async fn fetch(&self, request: worker::Request) -> worker::Result<worker::Response> {
        let blobs = self.kept.rows();
        serve(&self.kept, None, request, |machine, route, call| match route.resource {
            Resource::State(_, resource) => Some(state::serve(machine, &resource, call, blobs)),
            _ => None,
        })
        .await
    }
}

/// Every environment.
#[durable_object(fetch)]
#[derive(Debug)]
pub struct RegistryObject {
    kept: Kept<Registry>,
    /// For tests: whether `127.0.0.1` may be probed.
    allows_loopback: bool,
}

impl RegistryObject {
    /// Answers the Worker itself; `None` if this is no such question.
    async fn answer(
        &self,
        request: &mut worker::Request,
    ) -> worker::Result<Option<worker::Response>> {
        let allows_loopback = self.allows_loopback;
        let written = |writes| ((), Effects { writes, ..Effects::default() });
        match request.path().as_str() {
            SNAPSHOT => {
                let ask = |registry: &mut Registry| {
                    (registry.snapshot(allows_loopback, now_ms()), Effects::default())
                };
                worker::Response::from_json(&self.kept.run(ask).await?).map(Some)
            }
            DUE => {
                let most = request.url()?.query().and_then(|most| most.parse().ok()).unwrap_or(0);
                let ask = |registry: &mut Registry| {
                    (registry.probes(allows_loopback, most), Effects::default())
                };
                worker::Response::from_json(&self.kept.run(ask).await?).map(Some)
            }
            FOUND => {
                let found = request.json().await?;
                self.kept.run(|registry| written(registry.record(found))).await?;
                worker::Response::empty().map(Some)
            }
            GONE => {
                let ask = |registry: &mut Registry| (registry.gone(now_ms()), Effects::default());
                worker::Response::from_json(&self.kept.run(ask).await?).map(Some)
            }
            PROJECTS => {
                let after: String = request.json().await?;
                let most = PROJECTS_PAGE + 1;
                let ask =
                    |registry: &mut Registry| (registry.projects(&after, most), Effects::default());
                worker::Response::from_json(&self.kept.run(ask).await?).map(Some)
            }
            PROJECT => {
                let key: String = request.json().await?;
                self.kept.run(|registry| written(registry.know_project(&key))).await?;
                worker::Response::empty().map(Some)
            }
            POOL => {
                let pool = request.json().await?;
                self.kept.run(|registry| written(registry.know_pool(pool))).await?;
                worker::Response::empty().map(Some)
            }
            _ => Ok(None),
        }
    }
}

impl DurableObject for RegistryObject {
    fn new(state: State, env: Env) -> Self {
        Self { kept: Kept::new(state), allows_loopback: is_on(&env, "ALLOW_LOOPBACK_PROBES") }
    }

    async fn fetch(&self, mut request: worker::Request) -> worker::Result<worker::Response> {
        if let Some(answer) = self.answer(&mut request).await? {
            return Ok(answer);
        }
        let allows_loopback = self.allows_loopback;
        serve(&self.kept, None, request, |machine, route, call| match route.resource {
            Resource::Registry(resource) => {
                Some(registry::serve(machine, &resource, &call, allows_loopback))
            }
            _ => None,
        })
        .await
    }
}

/// Every token.
#[durable_object(fetch)]
#[derive(Debug)]
pub struct TokensObject {
    kept: Kept<Tokens>,
}

/// What the gate asks: whether a token is good. Answered with `Option<Checked>`.
#[derive(Serialize, Deserialize)]
pub(crate) struct Check {
    pub(crate) token_id: String,
    /// SHA-256 of the token, in hexadecimal digits.
    pub(crate) hash: String,
}

/// Where the gate asks whether a token is good. No path from outside is passed on as it stands,
/// so these cannot be reached from there.
pub(crate) const CHECK: &str = "/check";
/// Where the gate asks which subjects have a live token.
pub(crate) const ALIVE: &str = "/alive";

impl TokensObject {
    async fn check(&self, mut request: worker::Request) -> worker::Result<worker::Response> {
        let Check { token_id, hash } = request.json().await?;
        let checked = self.kept.run(|tokens| tokens.check(&token_id, &hash, now_ms())).await?;
        worker::Response::from_json(&checked)
    }

    async fn alive(&self) -> worker::Result<worker::Response> {
        let alive: Vec<Name> =
            self.kept.run(|tokens| (tokens.alive(now_ms()), Effects::default())).await?;
        worker::Response::from_json(&alive)
    }
}

impl DurableObject for TokensObject {
    fn new(state: State, _: Env) -> Self {
        Self { kept: Kept::new(state) }
    }

    async fn fetch(&self, request: worker::Request) -> worker::Result<worker::Response> {
        match request.path().as_str() {
            CHECK => self.check(request).await,
            ALIVE => self.alive().await,
            _ => {
                serve(&self.kept, None, request, |tokens, route, call| match route.resource {
                    Resource::Tokens(resource) => Some(tokens.serve(resource, call)),
                    _ => None,
                })
                .await
            }
        }
    }
}
