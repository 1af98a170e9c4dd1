//! The way to a cloud: the embedded local one, served in this process, or Cloudflare. From here
//! on only the base URL and the token differ.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

use envc_core::{Address, Desired, Digest, Secret, host_of};
use envc_exec::{
    Account, AccountError, CallClass, CallError, Client, Endpoint, Progress, Unlimited, World,
    edge::EdgeEndpoint, find_account, find_zones, help_for_call,
};
use envc_kinds::{Meaning, account};
use envc_spec::Environment;
use serde::{Deserialize, Serialize};

use crate::{
    host::{env, error::CommandError, fsio, http::HttpTransport, interrupt::interrupted},
    remote::{
        api_variables,
        local_cloud::{LocalCloud, LocalCloudSetup, OpenError, StandIn},
        tally::Shared,
    },
    workspace::{
        CLOUDFLARE_API, Workspace,
        choice::{Choice, CloudName},
    },
};

/// Bytes of the cache of account and zone IDs.
const CACHE_BYTES_MAX: usize = 1024 * 1024;
/// The version of that cache that this build writes and reads.
const CACHE_SCHEMA: u32 = 1;
/// The code of a command that failed with remembered IDs, which are forgotten by then: it is worth
/// a second try.
pub(crate) const STALE_IDS: &str = "envc::cli::stale_ids";

/// A connection to a cloud.
pub(crate) struct Connection {
    endpoint: Endpoint,
    transport: Arc<HttpTransport>,
    /// What the cloud says its account is; Cloudflare is asked.
    account: Option<String>,
    cache: ScopeCache,
    /// Where calls are counted; those of the embedded cloud are not.
    tally: Option<PathBuf>,
    /// The embedded cloud, which ends with the connection.
    local: Option<Embedded>,
}

/// The embedded cloud.
struct Embedded {
    cloud: LocalCloud,
    /// Dropped with the connection, which ends it.
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Connection {
    /// Opens the cloud that was chosen.
    pub(crate) async fn open(
        workspace: &Workspace<'_>,
        cloud: &Choice<CloudName>,
    ) -> Result<Self, CommandError> {
        match cloud.value {
            CloudName::Local => Self::local(workspace).await,
            CloudName::Cloudflare => Self::cloudflare(workspace, &cloud.why),
        }
    }

    #[cfg_attr(
        not(feature = "cloud"),
        expect(unused_variables, reason = "nothing is open in a build without the cloud")
    )]
    async fn local(workspace: &Workspace<'_>) -> Result<Self, CommandError> {
        let failed = || CommandError::failed("the local cloud cannot be started");
        let unreadable = || {
            CommandError::usage(format!("{} cannot be read", env::names::ENVC_CLOUD_FAULTS))
                .hint("see `envc cloud serve --help` for the faults that there are")
        };
        let faults = workspace.env.cloud_faults.as_deref().unwrap_or_default();
        let zones = workspace.project.zone.iter().cloned().collect();
        let dir = workspace.state_dir.cloud();
        let cloud = LocalCloud::open(LocalCloudSetup { dir, zones, faults, ..Default::default() })
            .map_err(|error| error.into_command_error(unreadable, failed))?;
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .map_err(|error| failed().because(&error))?;
        let address = listener.local_addr().map_err(|error| failed().because(&error))?;
        let endpoint = Endpoint {
            base_url: format!("http://{address}/client/v4"),
            token: Secret::new(cloud.token()),
        };
        let account = cloud.account_id().to_owned();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        tokio::spawn(cloud.clone().serve(listener, async move {
            // Ends when the connection is dropped.
            let _ended = stopped.await;
        }));
        Ok(Self {
            endpoint,
            transport: Arc::new(HttpTransport::new()),
            account: Some(account),
            // Its port changes, its IDs do not: cached under its account.
            cache: ScopeCache::read(workspace, "local"),
            tally: None,
            local: Some(Embedded { cloud, _stop: stop }),
        })
    }

    fn cloudflare(workspace: &Workspace<'_>, why: &str) -> Result<Self, CommandError> {
        let Some(token) = workspace.env.api_token.clone() else {
            return Err(CommandError::failed("no Cloudflare API token is set")
                .because_text(format!("the cloud is `cloudflare` because {why}"))
                .hint("set CLOUDFLARE_API_TOKEN to a token with the permissions of what the spec asks for")
                .hint("or work without an account: --cloud local")
                .code("envc::cli::no_token"));
        };
        api_variables::judge(workspace.env)?;
        let base_url = workspace.other_api().unwrap_or(CLOUDFLARE_API).to_owned();
        Ok(Self {
            cache: ScopeCache::of_token(workspace, &token),
            tally: Some(
                workspace.state_dir.limits().join(Shared::file_name(&token_key(workspace, &token))),
            ),
            endpoint: Endpoint { base_url, token },
            transport: Arc::new(HttpTransport::new()),
            account: workspace.env.account_id.clone(),
            local: None,
        })
    }

    /// The base URL of the API, where it is not Cloudflare's own. The embedded cloud has none that
    /// lasts.
    pub(crate) fn other_api(&self) -> Option<&str> {
        let base_url = Some(self.endpoint.base_url.as_str());
        base_url.filter(|url| self.local.is_none() && *url != CLOUDFLARE_API)
    }

    /// A client whose calls end with `stop` and are told to `progress`.
    pub(crate) fn client<'a>(
        &'a self,
        workspace: &'a Workspace<'_>,
        progress: &'a dyn Progress,
        stop: &'a AtomicBool,
    ) -> Client<'a> {
        let world = World {
            transport: &*self.transport,
            clock: &workspace.clock,
            entropy: &workspace.entropy,
            progress,
            stop,
        };
        let client = Client::new(self.endpoint.clone(), world);
        match &self.tally {
            Some(path) => client.counted_by(Box::new(Shared::new(path.clone()))),
            None => client.counted_by(Box::new(Unlimited::default())),
        }
    }

    /// The way out: what calls other servers goes the same one.
    pub(crate) fn transport(&self) -> Arc<HttpTransport> {
        Arc::clone(&self.transport)
    }

    /// Where the embedded cloud serves what the edge Worker does; none on Cloudflare.
    pub(crate) fn local_edge(&self) -> Option<EdgeEndpoint> {
        self.local.as_ref()?;
        let base_url = self.endpoint.base_url.trim_end_matches("/client/v4").to_owned();
        Some(EdgeEndpoint { base_url, token: Some(self.endpoint.token.clone()) })
    }

    /// How it is on the embedded cloud, which no account stands behind, with what the spec says exists.
    /// Nothing is made. On Cloudflare: nothing.
    pub(crate) fn look_for_stand_ins<'e>(
        &self,
        environment: &'e Environment,
    ) -> Result<Vec<(&'e Address, StandIn)>, CommandError> {
        self.of_existing(environment, LocalCloud::look_for_stand_in)
    }

    /// Makes what is missing of it there, and gives what it made.
    pub(crate) fn stand_in<'e>(
        &self,
        environment: &'e Environment,
    ) -> Result<Vec<&'e Address>, CommandError> {
        let all = self.of_existing(environment, LocalCloud::stand_in)?;
        Ok(all.into_iter().filter_map(|(address, made)| made.then_some(address)).collect())
    }

    fn of_existing<'e, T>(
        &self,
        environment: &'e Environment,
        ask: impl Fn(&LocalCloud, &Desired) -> Result<T, OpenError>,
    ) -> Result<Vec<(&'e Address, T)>, CommandError> {
        let Some(Embedded { cloud, .. }) = &self.local else { return Ok(Vec::new()) };
        let failed = || CommandError::failed("what the spec says exists cannot be stood in for");
        let existing = environment.resources.values().filter(|wanted| !wanted.is_managed());
        existing
            .map(|wanted| match ask(cloud, wanted) {
                Ok(answer) => Ok((&wanted.address, answer)),
                Err(error) => Err(error.into_command_error(failed, failed)),
            })
            .collect()
    }

    /// The account, with the zones that are known already.
    pub(crate) async fn account(&self, client: &Client<'_>) -> Result<Account, CommandError> {
        let account = match self.account.clone().or_else(|| self.cache.account.clone()) {
            Some(account) => account,
            None => find_account(client).await.map_err(|error| self.explain(&error))?,
        };
        let zones = self.cache.zones.get(&account).cloned().unwrap_or_default();
        Ok(Account { id: account, zones })
    }

    /// Finds the zones that are not known yet.
    pub(crate) async fn zones(
        &self,
        client: &Client<'_>,
        scope: &mut Account,
        names: &BTreeSet<String>,
    ) -> Result<(), CommandError> {
        let Err(error) = find_zones(client, scope, names).await else { return Ok(()) };
        let failed = self.explain(&error);
        Err(match &error {
            // Of an account that is another by now, no zone is seen.
            AccountError::NoZone { .. } => self.forget(failed, scope),
            AccountError::Call(call) => self.forget_if_stale(failed, &call.message, scope),
            AccountError::NoAccount | AccountError::ManyAccounts { .. } => failed,
        })
    }

    /// Finds a zone that may not be there. False: it is not, or the token may not read it.
    pub(crate) async fn zone(
        &self,
        client: &Client<'_>,
        scope: &mut Account,
        name: &str,
    ) -> Result<bool, CommandError> {
        match find_zones(client, scope, &BTreeSet::from([name.to_owned()])).await {
            Ok(()) => Ok(true),
            Err(AccountError::NoZone { .. }) => Ok(false),
            Err(AccountError::Call(call)) if call.means(Meaning::Auth) => Ok(false),
            Err(error) => Err(match &error {
                AccountError::Call(call) => {
                    self.forget_if_stale(self.explain(&error), &call.message, scope)
                }
                _ => self.explain(&error),
            }),
        }
    }

    /// Remembers account and zones: the API answered for them. An account that was given is not
    /// remembered: who gives none asks for the token's own.
    pub(crate) fn remember(&self, scope: &Account) {
        let mut cache = self.cache.clone();
        if self.account.is_none() {
            cache.account = Some(scope.id.clone());
        }
        if !scope.zones.is_empty() {
            cache.zones.insert(scope.id.clone(), scope.zones.clone());
        }
        if cache != self.cache {
            cache.write();
        }
    }

    /// The error of a call that was refused with these words, with what is done about the IDs that
    /// it was made with, where they may be why.
    pub(crate) fn forget_if_stale(
        &self,
        failed: CommandError,
        said: &str,
        scope: &Account,
    ) -> CommandError {
        if is_about_ids(said) { self.forget(failed, scope) } else { failed }
    }

    /// The same for an account that is refused.
    pub(crate) fn doubt(&self, failed: CommandError, account: &str) -> CommandError {
        let scope = Account { id: account.to_owned(), zones: BTreeMap::new() };
        if self.remembers(&scope) { self.forget(failed, &scope) } else { failed }
    }

    fn forget(&self, failed: CommandError, scope: &Account) -> CommandError {
        if self.remembers(scope) {
            self.cache.remove();
            let path = self.cache.path.display();
            return failed
                .hint(format!(
                    "the IDs of account and zones were remembered in {path}, which is removed: the \
                     next command looks them up"
                ))
                .code(STALE_IDS);
        }
        match &self.account {
            Some(account) if self.local.is_none() => failed.hint(format!(
                "the account is {account}, as CLOUDFLARE_ACCOUNT_ID says: is it the one you mean?"
            )),
            _ => failed,
        }
    }

    /// Forgets what is remembered; it only costs the next command its look-ups.
    pub(crate) fn forget_all(&self) {
        self.cache.remove();
    }

    /// True when any of these IDs comes from an earlier command.
    fn remembers(&self, scope: &Account) -> bool {
        let account = self.account.is_none() && self.cache.account.as_ref() == Some(&scope.id);
        let zones = self.cache.zones.get(&scope.id);
        let known = |(name, id)| scope.zones.get(name) == Some(id);
        account || zones.is_some_and(|zones| zones.iter().any(known))
    }

    /// A failed look-up of account or zone, for people.
    fn explain(&self, error: &AccountError) -> CommandError {
        let failed = CommandError::failed("the account cannot be worked with").because(error);
        match error {
            AccountError::Call(call) => self.explain_call(call),
            AccountError::NoAccount => failed
                .hint("give the token an account permission, or set CLOUDFLARE_ACCOUNT_ID")
                .code("envc::cli::no_account"),
            AccountError::ManyAccounts { .. } => failed
                .hint("set CLOUDFLARE_ACCOUNT_ID to one of them")
                .code("envc::cli::many_accounts"),
            AccountError::NoZone { zone, .. } => failed
                .hint(format!(
                    "add the zone {zone} to the account, correct `zone` in environment.kdl, or \
                     give the token the permission `Zone Read`"
                ))
                .code("envc::cli::no_zone"),
        }
    }

    fn explain_call(&self, call: &CallError) -> CommandError {
        if call.class == CallClass::Interrupted {
            return interrupted();
        }
        let permission =
            if call.call.contains("/zones") { "Zone Read" } else { "Account Settings Read" };
        let mut failed = CommandError::failed(what_failed(call))
            .because(call)
            .hint_opt(help_for_call(call, permission, false))
            .code(code_of(call));
        if let Some(base_url) = self.other_api().filter(|_| !call.means(Meaning::Auth)) {
            failed = failed.hint(format!(
                "the API is asked at {}, as CLOUDFLARE_API_BASE_URL says: its whole base, with \
                 /client/v4, belongs there",
                host_of(base_url)
            ));
        }
        failed
    }
}

/// The first line of the error of a read that failed.
pub(crate) fn what_failed(call: &CallError) -> &'static str {
    match call.class {
        CallClass::Api(Meaning::Auth) => "the API refused the token",
        CallClass::Unreachable | CallClass::Unknown => "the API cannot be reached",
        CallClass::Api(Meaning::Refused) if call.cure.is_some() => "the API refused the call",
        CallClass::Api(_) | CallClass::Interrupted | CallClass::Endless => {
            "the API did not answer as it should"
        }
    }
}

/// The code of a read that failed.
pub(crate) fn code_of(call: &CallError) -> &'static str {
    match call.class {
        CallClass::Endless => "envc::cli::endless_list",
        CallClass::Api(_)
        | CallClass::Unreachable
        | CallClass::Unknown
        | CallClass::Interrupted => "envc::cli::api",
    }
}

/// True for the words of a refusal that may mean that there is no such account or zone, or not for
/// this token: the API does not tell these apart.
pub(crate) fn is_about_ids(message: &str) -> bool {
    const SIGNS: [&str; 4] = ["HTTP 403", "HTTP 404", "(code 7003)", "(code 9109)"];
    // There the API is closed for a while, and each further try prolongs it.
    let closed = message.contains("Max auth failures");
    !closed && SIGNS.iter().any(|sign| message.contains(sign))
}

/// What stands for a token on an API in names of files: a digest under the user's key.
fn token_key(workspace: &Workspace<'_>, token: &Secret) -> Digest {
    let base_url = workspace.other_api().unwrap_or(CLOUDFLARE_API);
    workspace.digest.of(format!("{base_url} {}", token.expose()))
}

/// Account and zone IDs of one token. They hold until the API says otherwise: a zone that was
/// removed and added again has another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ScopeCache {
    #[serde(skip)]
    path: PathBuf,
    schema: u32,
    /// The account that was found for the token.
    account: Option<String>,
    zones: BTreeMap<String, BTreeMap<String, String>>,
}

/// The account on Cloudflare, where it is known without asking: the variable names it, or an earlier
/// command found it for this token.
pub(crate) fn known_account(workspace: &Workspace<'_>) -> Option<String> {
    let of_token = |token| ScopeCache::of_token(workspace, token).account;
    workspace.env.account_id.clone().or_else(|| of_token(workspace.env.api_token.as_ref()?))
}

impl ScopeCache {
    /// The same token on the same API always sees the same account and zones.
    fn of_token(workspace: &Workspace<'_>, token: &Secret) -> Self {
        Self::read(workspace, token_key(workspace, token).as_str())
    }

    /// A cache that is not there, not readable or of another version is an empty one, and so is one
    /// whose account has no account's ID: all it saves is requests.
    fn read(workspace: &Workspace<'_>, key: &str) -> Self {
        let name = Digest::of(key).as_str().get(..32).unwrap_or_default().to_owned();
        let path = workspace.state_dir.path().join("scopes").join(format!("{name}.json"));
        let cache: Option<Self> = fsio::read_own(&path, CACHE_BYTES_MAX)
            .ok()
            .flatten()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let is_good = |cache: &Self| {
            cache.schema == CACHE_SCHEMA && cache.account.as_deref().is_none_or(account::is_id)
        };
        match cache.filter(is_good) {
            Some(cache) => Self { path, ..cache },
            None => Self { path, schema: CACHE_SCHEMA, account: None, zones: BTreeMap::new() },
        }
    }

    /// One that cannot be removed is named in the error that asks for it.
    fn remove(&self) {
        let _removed = fsio::remove(&self.path);
    }

    fn write(&self) {
        let Some(folder) = self.path.parent() else { return };
        if fsio::create_private_dirs(folder).is_ok()
            && let Ok(bytes) = serde_json::to_vec_pretty(self)
        {
            let _written = fsio::write_atomic(&self.path, &bytes, fsio::PRIVATE);
        }
    }
}
