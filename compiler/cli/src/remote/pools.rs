//! The pools that a session's leases come from: those of the edge Worker, or of the local cloud.
//!
//! A pool of the local cloud that nobody gave members to gets stand-ins: preview IDs with made-up
//! attributes, as many as the spec refers to, so that worktrees work without an account.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::Digest;
use envc_edge_api::{
    LeaseSummary, Member, MembersDiff, MembersRequest, Name, PoolEmpty, PoolSettings, ProblemType,
};
use envc_exec::{
    Progress,
    edge::{EdgeCall, EdgeError, EdgePools, EdgeProblem, Patience},
    ports::{Leased, PoolError, Pools, Renewal},
};
use envc_spec::Lease;
use futures::future::BoxFuture;

use crate::{
    host::{clock::age, error::CommandError, exit_code::ExitCode, interrupt::Interrupt},
    remote::{
        connection::Connection,
        edge::{self, EdgeConnection},
    },
    shell::ui::Ui,
    workspace::session::Session,
};

/// How many stand-ins a pool of the local cloud gets.
const STAND_INS: usize = 20;
/// What the preview IDs of stand-ins begin with.
const STAND_IN: &str = "local-";
/// Holders that an error names at most.
const HOLDERS_MAX: usize = 10;

/// How to reach the pools, or the error to show when a command needs them.
pub(crate) struct Access {
    edge: Result<EdgeConnection, CommandError>,
    is_local: bool,
}

impl Access {
    /// Finds the edge Worker whose pools they are. Sends nothing.
    ///
    /// `opened` is what came of opening the edge that the spec names. The local cloud has pools
    /// whatever the spec names.
    pub(crate) fn new(
        connection: &Connection,
        opened: Result<Option<EdgeConnection>, CommandError>,
    ) -> Self {
        let is_local = connection.local_edge().is_some();
        let edge = match edge::local(connection) {
            Some(edge) => Ok(edge),
            None => opened.and_then(|edge| {
                edge.ok_or_else(|| {
                    CommandError::failed("environment.kdl has no `edge`, so no pool can be asked")
                        .hint("write it: edge \"https://…\" token=(secret)\"EDGE_TOKEN\"")
                        .code("envc::cli::no_edge")
                })
            }),
        };
        Self { edge, is_local }
    }

    /// The edge Worker; the error says what is missing where there is none.
    pub(crate) fn edge(&self) -> Result<&EdgeConnection, CommandError> {
        self.edge.as_ref().map_err(Clone::clone)
    }

    /// The pools. With `wait`, who finds one empty waits in its queue.
    pub(crate) fn pools<'a>(
        &'a self,
        session: &'a Session<'_>,
        progress: &'a dyn Progress,
        stop: &'a Interrupt,
        wait: bool,
    ) -> SessionPools<'a> {
        let mut wanted: BTreeMap<String, BTreeMap<String, bool>> = BTreeMap::new();
        for Lease { pool, attributes, .. } in session.environment.leases.values() {
            let named = attributes.iter().map(|(name, attribute)| (name.clone(), attribute.secret));
            wanted.entry(pool.clone()).or_default().extend(named);
        }
        let open = self.edge.as_ref().ok().map(|edge| {
            let client = edge.client(&session.workspace, progress, stop.flag());
            let shutdown = edge.client(&session.workspace, progress, Interrupt::never());
            EdgePools::new(client, shutdown.patient(Patience::ONCE), progress).waiting(wait)
        });
        SessionPools { access: self, ui: session.ui, wanted, open }
    }
}

/// The pools of a session.
pub(crate) struct SessionPools<'a> {
    access: &'a Access,
    ui: &'a Ui,
    /// The attributes of each pool that the environment's leases name; each with whether it is a
    /// secret.
    wanted: BTreeMap<String, BTreeMap<String, bool>>,
    open: Option<EdgePools<'a>>,
}

impl std::fmt::Debug for SessionPools<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionPools").field("open", &self.open).finish_non_exhaustive()
    }
}

impl<'a> SessionPools<'a> {
    /// Fails when no pool can be asked.
    pub(crate) fn demand(&self) -> Result<(), CommandError> {
        self.access.edge().map(drop)
    }

    /// The requests that were sent.
    pub(crate) fn requests(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.client().sent())
    }

    /// True on the local cloud.
    pub(crate) fn is_local(&self) -> bool {
        self.access.is_local
    }

    /// The pools themselves.
    pub(crate) fn open(&self) -> Result<&EdgePools<'a>, PoolError> {
        self.open.as_ref().ok_or_else(|| {
            let why = self.access.edge().err().map(|error| error.message);
            PoolError::Closed(why.unwrap_or_default())
        })
    }

    async fn lease_now(&self, pool: &str, holder: &str) -> Result<Leased, PoolError> {
        let open = self.open()?;
        let leased = match open.lease(pool, holder).await {
            Err(error) if error.is_missing() && self.access.is_local => {
                self.fill(pool, &BTreeMap::new()).await?;
                self.ui.say(&format!(
                    "the pool `{pool}` of the local cloud has {STAND_INS} stand-in preview IDs \
                     now; `envc pool members {pool} FILE` gives it real ones"
                ));
                open.lease(pool, holder).await?
            }
            leased => leased?,
        };
        if self.is_lacking_stand_in(pool, &leased) {
            self.fill(pool, &known(&leased)).await?;
            return open.lease(pool, holder).await;
        }
        Ok(leased)
    }

    async fn renew_now(&self, pool: &str, lease_id: &str) -> Result<Renewal, PoolError> {
        let open = self.open()?;
        match open.renew(pool, lease_id).await? {
            Renewal::Renewed(leased) if self.is_lacking_stand_in(pool, &leased) => {
                self.fill(pool, &known(&leased)).await?;
                open.renew(pool, lease_id).await
            }
            renewal => Ok(renewal),
        }
    }

    /// True for a stand-in that was made before the spec referred to an attribute.
    fn is_lacking_stand_in(&self, pool: &str, leased: &Leased) -> bool {
        let has = |name: &String| {
            leased.attributes.contains_key(name) || leased.secrets.contains_key(name)
        };
        self.access.is_local
            && leased.id.starts_with(STAND_IN)
            && self.wanted.get(pool).is_some_and(|names| names.keys().any(|name| !has(name)))
    }

    /// Puts stand-ins with these attributes and those that the spec refers to.
    async fn fill(&self, pool: &str, known: &BTreeMap<String, bool>) -> Result<(), PoolError> {
        let mut attributes = known.clone();
        attributes.extend(self.wanted.get(pool).cloned().unwrap_or_default());
        let member = |number: usize| {
            let id = format!("{STAND_IN}{number:02}");
            let values = |secret: bool| {
                let names = attributes.iter().filter(move |(_, is_secret)| **is_secret == secret);
                names.map(|(name, _)| (name.clone(), format!("stand-in-{name}-{id}"))).collect()
            };
            let (attributes, secrets) = (values(false), values(true));
            Some(Member { id: Name::parse(&id).ok()?, attributes, secrets })
        };
        let settings = PoolSettings { cool_down_seconds: 0, ..PoolSettings::default() };
        let members = (1..=STAND_INS).filter_map(member).collect();
        let body = MembersRequest { members, settings: Some(settings) };
        put_members(self.open()?, pool, &body).await?;
        Ok(())
    }

    /// A lease or a release that failed, for people.
    pub(crate) fn explain(
        &self,
        what: impl Into<String>,
        pool: &str,
        error: &PoolError,
        now_ms: u64,
    ) -> CommandError {
        let what = what.into();
        match error {
            PoolError::Closed(why) => {
                let mut error = CommandError::failed(what).because_text(why);
                if let Err(reason) = self.access.edge() {
                    error.chain.extend(reason.chain);
                    error.hints.extend(reason.hints);
                    error.code = reason.code;
                }
                error
            }
            PoolError::Name(why) => CommandError::failed(what)
                .because_text(format!("`{pool}` cannot be asked: {why}"))
                .code("envc::cli::pool_name"),
            PoolError::Lacking { message, help } => CommandError::failed(what)
                .because_text(message)
                .hint(help)
                .code("envc::cli::pool_attribute"),
            PoolError::Call(call) => self.explain_call(what, pool, call, now_ms),
        }
    }

    fn explain_call(
        &self,
        what: String,
        pool: &str,
        error: &EdgeError,
        now_ms: u64,
    ) -> CommandError {
        let Ok(edge) = self.access.edge() else { return CommandError::failed(what).because(error) };
        match error.problem().map(|it| it.problem.problem_type) {
            Some(ProblemType::PoolEmpty) => {
                let empty = error.problem().and_then(EdgeProblem::read::<PoolEmpty>);
                let leases = empty.map(|empty| empty.leases).unwrap_or_default();
                empty_pool(what, pool, &leases, now_ms)
            }
            Some(ProblemType::QueueFull) => empty_pool(what, pool, &[], now_ms).because(error),
            Some(ProblemType::NotFound) => CommandError::failed(what)
                .because_text(format!("the edge at {} has no pool `{pool}`", edge.base_url()))
                .hint(format!("an admin makes it: envc pool members {pool} FILE"))
                .hint("or correct `pool=` in environment.kdl")
                .code("envc::cli::no_pool"),
            Some(ProblemType::HolderTaken) => CommandError::failed(what)
                .because(error)
                .hint(format!("see who holds what: envc pool ls {pool}"))
                .code("envc::cli::holder_taken"),
            _ => edge.explain(what, error),
        }
    }
}

/// The error of an empty pool: who holds what, and what to do.
fn empty_pool(what: String, pool: &str, leases: &[LeaseSummary], now_ms: u64) -> CommandError {
    let mut error = CommandError::new(ExitCode::TryAgain, what)
        .because_text(format!("no preview ID of the pool `{pool}` is free"));
    for LeaseSummary { id, holder, renewed_at_ms, .. } in leases.iter().take(HOLDERS_MAX) {
        let ago = age(now_ms.saturating_sub(*renewed_at_ms));
        error = error.because_text(format!("{id} is held by {holder}, last renewed {ago} ago"));
    }
    if leases.len() > HOLDERS_MAX {
        error = error.because_text(format!("and {} more", leases.len() - HOLDERS_MAX));
    }
    error
        .hint("wait for one: --wait")
        .hint(format!("see who holds what: envc pool ls {pool}"))
        .code("envc::cli::pool_empty")
}

fn known(leased: &Leased) -> BTreeMap<String, bool> {
    let public = leased.attributes.keys().map(|name| (name.clone(), false));
    public.chain(leased.secrets.keys().map(|name| (name.clone(), true))).collect()
}

/// Puts all members of a pool.
pub(crate) async fn put_members(
    pools: &EdgePools<'_>,
    pool: &str,
    members: &MembersRequest,
) -> Result<MembersDiff, EdgeError> {
    let call = EdgeCall::put(&["v1", "pools", pool, "members"]);
    pools.client().call(&call.json(members)).await?.read()
}

impl Pools for SessionPools<'_> {
    fn find<'a>(
        &'a self,
        pool: &'a str,
        holder: &'a str,
    ) -> BoxFuture<'a, Result<Option<String>, PoolError>> {
        Box::pin(async move { self.open()?.find(pool, holder).await })
    }

    fn lease<'a>(
        &'a self,
        pool: &'a str,
        holder: &'a str,
    ) -> BoxFuture<'a, Result<Leased, PoolError>> {
        Box::pin(self.lease_now(pool, holder))
    }

    fn renew<'a>(
        &'a self,
        pool: &'a str,
        lease_id: &'a str,
    ) -> BoxFuture<'a, Result<Renewal, PoolError>> {
        Box::pin(self.renew_now(pool, lease_id))
    }

    fn release<'a>(
        &'a self,
        pool: &'a str,
        lease_id: &'a str,
    ) -> BoxFuture<'a, Result<(), PoolError>> {
        Box::pin(async move { self.open()?.release(pool, lease_id).await })
    }
}

/// What is known of one lease when files are rendered.
#[derive(Clone, Debug, Default)]
pub(crate) struct LeaseFacts {
    /// Public values by attribute, `id` included.
    pub(crate) public: BTreeMap<String, String>,
    /// Secret values, where they are known.
    pub(crate) secrets: BTreeMap<String, envc_core::Secret>,
    /// Keyed digests of secret values: they stand for them in fingerprints.
    pub(crate) digests: BTreeMap<String, Digest>,
}

impl LeaseFacts {
    /// The value of an attribute; of a secret that is not known what stands for it.
    pub(crate) fn value(&self, attribute: &str) -> Option<String> {
        let public = || self.public.get(attribute).cloned();
        let secret = || Some(self.secrets.get(attribute)?.expose().to_owned());
        let digest = || Some(format!("digest-{}", self.digests.get(attribute)?.as_str()));
        public().or_else(secret).or_else(digest)
    }

    /// Without secret values: their digests stand for them.
    pub(crate) fn stand_in((name, facts): (&String, &Self)) -> (String, Self) {
        (name.clone(), Self { secrets: BTreeMap::new(), ..facts.clone() })
    }

    /// Of a lease that is not there yet.
    pub(crate) fn later(name: &str, lease: &Lease) -> Self {
        let all = lease.attributes.keys().map(String::as_str).chain(["id"]);
        let value = |attribute: &str| format!("known-after-apply-lease.{name}.{attribute}");
        let public = all.map(|attribute| (attribute.to_owned(), value(attribute))).collect();
        Self { public, ..Self::default() }
    }
}

/// What is known of the leases of an environment: as they were told, else as they are recorded.
pub(crate) fn facts(
    session: &Session<'_>,
    held: &BTreeMap<String, Leased>,
    state: Option<&envc_plan::State>,
) -> BTreeMap<String, LeaseFacts> {
    let digest = session.state_digest();
    let of_pool = |Lease { pool, .. }: &Lease| {
        if let Some(leased) = held.get(pool) {
            let grant = envc_exec::grant_of(leased, &digest);
            let public = envc_plan::lease_values(&leased.id, &leased.attributes);
            let secrets = leased.secrets.clone();
            return Some(LeaseFacts { public, secrets, digests: grant.secrets });
        }
        let grant = state?.leases.get(pool)?.grant.clone()?;
        let public = envc_plan::lease_values(&grant.id, &grant.attributes);
        Some(LeaseFacts { public, secrets: BTreeMap::new(), digests: grant.secrets })
    };
    let leases = session.environment.leases.iter();
    leases.filter_map(|(name, lease)| Some((name.clone(), of_pool(lease)?))).collect()
}

/// The pools of an environment's leases.
pub(crate) fn pools_of(leases: &BTreeMap<String, Lease>) -> BTreeSet<&str> {
    leases.values().map(|lease| lease.pool.as_str()).collect()
}
