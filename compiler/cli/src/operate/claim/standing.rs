//! What stands in the account under names of the project's pull requests. A claim makes such a name
//! a proof, so it covers what was there before it, whoever made that: another repository whose
//! first apply was by an envc that claimed nothing, or by hand.
//!
//! Invariant: apply makes a claim only where nothing stands that no record tells of. Who knows that
//! it is this repository's says so: `envc state claim`.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{KindId, PhysicalName, counted};
use envc_exec::ports::StateStore as _;
use envc_kinds::kind;
use envc_plan::{Observation, Plan, StateKey};
use envc_spec::Spec;
use futures::future::join_all;

use super::Office;
use crate::{
    host::error::CommandError,
    state::local::LocalStore,
    workspace::{Project, Workspace, identity, session::Session},
};

/// Names that are told of each environment.
const NAMES_SHOWN_MAX: usize = 4;
/// Environments that are told.
const ENVIRONMENTS_SHOWN_MAX: usize = 8;

/// What stands under names of pull requests, by the ID in its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing(BTreeMap<String, Vec<Named>>);

/// Something with a name that reads back.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    kind: KindId,
    id: String,
    name: String,
}

impl Standing {
    /// Among what was observed.
    pub(crate) fn among(workspace: &Workspace<'_>, observation: &Observation) -> Self {
        let mut standing = Self::default();
        for (of, all) in &observation.found {
            for seen in all {
                standing.add(workspace, *of, &seen.observed.id, &seen.observed.name);
            }
        }
        standing
    }

    fn add(&mut self, workspace: &Workspace<'_>, kind: KindId, id: &str, name: &str) {
        let Some(spec) = &workspace.spec else { return };
        let Some(env) = env_of(spec, &workspace.project.prefix, name) else { return };
        let named = Named { kind, id: id.to_owned(), name: name.to_owned() };
        self.0.entry(env.to_owned()).or_default().push(named);
    }

    /// Adds what stands elsewhere.
    pub(crate) fn join(&mut self, more: Self) {
        for (env, all) in more.0 {
            self.0.entry(env).or_default().extend(all);
        }
    }

    /// True where nothing stands.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What no record tells of: this plan knows its own, and the states of this machine know theirs.
    pub(crate) async fn unknown(self, session: &Session<'_>, account: &str, plan: &Plan) -> Self {
        let mut unknown = BTreeMap::new();
        for (env, mut all) in self.0 {
            let known = if env == session.target.id {
                plan.changes.iter().filter_map(|change| change.id.clone()).collect()
            } else {
                recorded(session, StateKey { env: env.clone(), ..session.state_key(account) }).await
            };
            all.retain(|named| !known.contains(&named.id));
            if !all.is_empty() {
                unknown.insert(env, all);
            }
        }
        Self(unknown)
    }

    /// Refuses to make a claim that would cover it.
    pub(crate) fn refuse(&self, workspace: &Workspace<'_>) -> Result<(), CommandError> {
        if self.is_empty() {
            return Ok(());
        }
        let Project { name: project, repository, .. } = &workspace.project;
        let mut error = CommandError::failed(format!(
            "nobody claims the project `{project}` in this account, and names of its pull requests \
             stand there that nothing here knows; nothing was changed"
        ));
        for line in self.lines() {
            error = error.because_text(line);
        }
        Err(error
            .because_text(format!(
                "a claim makes such names a proof: all of it would count as {repository}'s"
            ))
            .hint("if it is: envc state claim; then run the command again")
            .hint("if another repository made it, give this project another name")
            .code("envc::cli::unclaimed"))
    }

    /// What stands there, for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .0
            .iter()
            .take(ENVIRONMENTS_SHOWN_MAX)
            .map(|(env, all)| {
                let shown = all.iter().take(NAMES_SHOWN_MAX);
                let mut names: Vec<String> = shown
                    .map(|named| format!("{} `{}`", kind(named.kind).noun(), named.name))
                    .collect();
                if all.len() > NAMES_SHOWN_MAX {
                    names.push(format!("{} more", all.len() - NAMES_SHOWN_MAX));
                }
                format!("`{env}`: {}", names.join(", "))
            })
            .collect();
        if self.0.len() > ENVIRONMENTS_SHOWN_MAX {
            let more = self.0.len() - ENVIRONMENTS_SHOWN_MAX;
            lines.push(format!("and of {}", counted(more, "environment more")));
        }
        lines
    }
}

/// What this machine recorded of another environment of this repository. What cannot be read tells
/// of nothing.
async fn recorded(session: &Session<'_>, key: StateKey) -> BTreeSet<String> {
    let loaded = LocalStore::read_only(&session.workspace.state_dir, key).load().await;
    let ours = loaded.ok().flatten().map(|(state, _)| state).filter(|state| {
        state.repository.as_ref().is_some_and(|it| {
            *it == session.workspace.project.repository || session.workspace.was(it)
        })
    });
    let resources = ours.into_iter().flat_map(|state| state.resources.into_values());
    resources.map(|recorded| recorded.id).collect()
}

/// The ID in a name of the project that a type for pull requests gives.
fn env_of<'n>(spec: &Spec, prefix: &str, name: &'n str) -> Option<&'n str> {
    let PhysicalName { project, env, .. } = PhysicalName::parse(name)?;
    let gives = || spec.types().iter().any(|head| identity::pr_of(head, env).is_some());
    (project == prefix && gives()).then_some(env)
}

/// Looks for what stands in the account: all kinds of it that have names and were not `listed`, side
/// by side, also those that the spec lacks today. With it come the kinds that could not be listed.
pub(crate) async fn list_standing(
    office: &Office<'_>,
    listed: &BTreeSet<KindId>,
) -> (Standing, Vec<&'static str>) {
    let workspace = office.workspace;
    let (mut standing, mut unlisted) = (Standing::default(), Vec::new());
    let place = office.scope.place(None);
    let lists = KindId::ALL.iter().filter(|of| kind(**of).is_named() && !listed.contains(of));
    let lists = lists.filter_map(|of| Some((*of, kind(*of).listing(&place)?)));
    let told =
        join_all(lists.map(|(of, listing)| async move {
            (of, office.client.list(&listing, kind(of)).await)
        }))
        .await;
    for (of, all) in told {
        match all {
            Ok(all) => {
                for seen in &all {
                    standing.add(workspace, of, &seen.id, &seen.name);
                }
            }
            Err(_) => unlisted.push(kind(of).noun()),
        }
    }
    (standing, unlisted)
}

/// What is said of kinds that could not be listed.
pub(crate) fn not_listed(kinds: &[&str]) -> String {
    format!(
        "the claim covers what stands there under names of pull requests; not looked for, because \
         it cannot be listed: {}",
        kinds.join(", ")
    )
}
