//! Observe and plan: what `plan`, `apply` and `destroy` have in common.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use envc_core::{Address, Desired};
use envc_exec::{CallClass, CallError, Client, Scope, help_for_call, observe};
use envc_kinds::Meaning;
use envc_plan::{
    CheckedPlan, Goal, Inputs, MigrationFile, Observation, Ownership, Plan, Refusal, State, check,
    plan_apply, plan_destroy, sort_migrations,
};
use envc_spec::Environment;

use crate::{connect::interrupted, error::CommandError, fsio, session::Session};

/// Bytes of a migration file that is read: the API takes 100 KB a statement.
const MIGRATION_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a plan is made from, beside the session.
#[derive(Debug)]
pub(crate) struct PlanRequest<'r> {
    /// Apply or destroy.
    pub(crate) goal: Goal,
    /// The account.
    pub(crate) scope: &'r Scope,
    /// What is recorded.
    pub(crate) state: Option<&'r State>,
    /// What is there.
    pub(crate) observation: &'r Observation,
    /// What proves a namesake ours.
    pub(crate) ownership: &'r Ownership,
    /// Addresses to leave in the account.
    pub(crate) keep: &'r BTreeSet<Address>,
    /// The migrations to run.
    pub(crate) migrations: &'r BTreeMap<Address, Vec<MigrationFile>>,
}

/// Makes a plan and has it checked.
pub(crate) fn make_plan(
    session: &Session<'_>,
    request: &PlanRequest<'_>,
) -> Result<CheckedPlan, CommandError> {
    let inputs = Inputs {
        key: session.state_key(&request.scope.account),
        env_type: session.head.name.clone(),
        spec: session.spec_digest(),
        protect: session.environment.protect,
        desired: &session.environment.resources,
        state: request.state,
        observation: request.observation,
        ownership: request.ownership,
        keep: request.keep,
        migrations: request.migrations,
    };
    let plan = match request.goal {
        Goal::Apply => plan_apply(&inputs),
        Goal::Destroy => plan_destroy(&inputs),
    };
    let plan = plan.map_err(|refusals| refused(&refusals))?;
    checked(plan)
}

/// Has a plan checked.
pub(crate) fn checked(plan: Plan) -> Result<CheckedPlan, CommandError> {
    check(plan).map_err(|unsound| {
        CommandError::failed("BUG: the checker refuses this plan, so nothing was done")
            .because(&unsound)
            .hint("please report it with the spec and the output of `envc plan --json`")
            .code("envc::plan::unsound")
    })
}

/// The error of a plan that cannot be made; nothing was changed.
fn refused(refusals: &[Refusal]) -> CommandError {
    let (message, rest) = match refusals {
        [one] => (one.message.clone(), &[][..]),
        many => (format!("{} resources stand in the way", many.len()), many),
    };
    let mut error = CommandError::failed(message);
    for refusal in rest {
        error = error.because_text(format!("{}: {}", refusal.address, refusal.message));
    }
    let hints: BTreeSet<&str> = refusals.iter().map(|refusal| refusal.help.as_str()).collect();
    for hint in hints {
        error = error.hint(hint);
    }
    match refusals.first() {
        Some(first) => error.code(first.code),
        None => error,
    }
}

/// Observes what the environment and the state name.
pub(crate) async fn look(
    client: &Client<'_>,
    scope: &Scope,
    desired: &BTreeMap<Address, Desired>,
    state: Option<&State>,
) -> Result<Observation, CommandError> {
    observe(client, scope, desired, state).await.map_err(|error| call_failed(&error, desired))
}

/// A read that failed, for people.
fn call_failed(error: &CallError, desired: &BTreeMap<Address, Desired>) -> CommandError {
    if error.class == CallClass::Interrupted {
        return interrupted();
    }
    let message = match error.class {
        CallClass::Api(Meaning::Auth) => "the API refused the token",
        CallClass::Unreachable | CallClass::Unknown => "the API cannot be reached",
        CallClass::Api(_) | CallClass::Interrupted => "the API did not answer as it should",
    };
    // Which permission is missing can be told from what was asked for.
    let permissions: BTreeSet<&str> = desired
        .keys()
        .map(|address| envc_kinds::kind(address.kind()))
        .filter(|kind| asks_for(*kind, &error.call))
        .map(envc_kinds::Kind::permission)
        .collect();
    let permission = permissions.into_iter().collect::<Vec<_>>().join("`, `");
    CommandError::failed(message)
        .because(error)
        .hint_opt(help_for_call(error, &permission, false))
        .code("envc::cli::api")
}

fn asks_for(kind: &dyn envc_kinds::Kind, call: &str) -> bool {
    let place = envc_kinds::Place { account: "A".into(), zone: "Z".into() };
    let Some(listing) = kind.listing(&place) else { return false };
    // The same path but for the identifiers.
    let tail = listing.call.path.split('/').skip(3).collect::<Vec<_>>().join("/");
    call.ends_with(&format!("/{tail}"))
}

/// Whose migrations are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Databases {
    /// An apply never changes an existing database without being asked.
    Managed,
    /// `envc migrate` is the asking.
    All,
}

/// Reads the migrations of each database, in wrangler's order.
pub(crate) fn read_migrations(
    root: &Path,
    environment: &Environment,
    which: Databases,
) -> Result<BTreeMap<Address, Vec<MigrationFile>>, CommandError> {
    let mut all = BTreeMap::new();
    for (address, dir) in &environment.migrations {
        let managed = environment.resources.get(address).is_some_and(Desired::is_managed);
        if !managed && which == Databases::Managed {
            continue;
        }
        let folder = fsio::inside(root, &dir.path)?;
        let mut files = Vec::new();
        for name in fsio::names_in(&folder)? {
            let is_sql = Path::new(&name).extension().is_some_and(|extension| extension == "sql");
            if !is_sql {
                continue;
            }
            let text =
                fsio::read_text(&folder.join(&name), MIGRATION_BYTES_MAX)?.unwrap_or_default();
            // Line ends as the API's splitter likes them; the same digest on every system.
            let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
            files.push(MigrationFile { name, text });
        }
        if files.is_empty() {
            return Err(CommandError::failed(format!(
                "{address} has no migrations: {} holds no .sql files",
                dir.path
            ))
            .hint("correct `migrations` in environment.kdl, or remove it")
            .code("envc::cli::no_migrations"));
        }
        sort_migrations(&mut files);
        all.insert(address.clone(), files);
    }
    Ok(all)
}
