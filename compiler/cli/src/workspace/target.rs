//! Which environment of a spec a command works on: the type, the ID, the cloud, and why.

use envc_spec::{Identity, Spec, TypeHead};

use crate::{
    host::{error::CommandError, git::Repository},
    workspace::{
        Workspace,
        choice::{
            Choice, CloudInputs, CloudName, OnNewId, Selection, TypeInputs, choose_cloud,
            choose_type,
        },
        identity::{self, Id, Source},
        registry::EnvironmentRecord,
        whose,
    },
};

/// The environment that was chosen.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The type.
    pub(crate) head: TypeHead,
    /// Why this type.
    pub(crate) type_why: String,
    /// The environment's ID.
    pub(crate) id: String,
    /// The ID is this working copy's own: drawn or recorded here, or its branch's.
    pub(crate) minted: bool,
    /// The cloud, and why.
    pub(crate) cloud: Choice<CloudName>,
}

impl Target {
    /// Chooses for a spec. `None`: no ID was ever minted, and `on_new` says not to.
    pub(crate) fn choose(
        workspace: &Workspace<'_>,
        spec: &Spec,
        selection: &Selection,
        on_new: OnNewId,
    ) -> Result<Option<Self>, CommandError> {
        let Workspace { ui, env, git, .. } = workspace;
        let Choice { value: head, why: type_why } = choose_head(workspace, spec, selection)?;
        let document = workspace.registry_document()?;
        let (copy, whose) = (workspace.copy(), workspace.whose());
        let source = Source { spec, head, git, env };
        let known = identity::known(ui, &source, &copy, selection)?;
        if let Some(Id { id, .. }) = &known {
            identity::refuse_other_type(spec, head, id, document.type_of(&whose, id))?;
            whose::refuse_minted_elsewhere(&document, &whose, id)?;
        }
        // What this folder recorded counts before what another one did.
        let own = known.as_ref().and_then(|known| {
            copy.record().environments.get(&known.id).and_then(|record| record.cloud.clone())
        });
        let recorded = own.as_deref().or_else(|| document.cloud_of(&whose, &known.as_ref()?.id));
        let cloud = choose_cloud(&CloudInputs {
            recorded,
            fixed_identity: matches!(head.identity, Identity::Text { per_pr: false, .. }),
            protect: head.protect,
            ..cloud_inputs(workspace, selection.cloud.as_deref(), selection.by_plan)
        })?;
        let Id { id, minted } = match known {
            Some(known) => known,
            None if on_new == OnNewId::Absent => return Ok(None),
            None => {
                let now_s = workspace.clock.unix_s();
                source.draw(ui, &copy, cloud.value, now_s, &workspace.entropy)?
            }
        };
        Ok(Some(Self { head: head.clone(), type_why, id, minted, cloud }))
    }
}

/// Chooses the cloud for what belongs to all environments of a project.
pub(crate) fn cloud_of_project(
    workspace: &Workspace<'_>,
    flag: Option<&str>,
) -> Result<Choice<CloudName>, CommandError> {
    choose_cloud(&cloud_inputs(workspace, flag, false))
}

/// What speaks for a cloud whatever the environment.
pub(super) fn cloud_inputs<'w>(
    workspace: &'w Workspace<'_>,
    flag: Option<&'w str>,
    by_plan: bool,
) -> CloudInputs<'w> {
    let env = workspace.env;
    CloudInputs {
        flag,
        by_plan,
        variable: env.cloud.as_deref(),
        token: env.api_token.is_some(),
        ci: env.ci,
        ..CloudInputs::default()
    }
}

/// What is recorded of exactly the environment that the command line names, where it names one,
/// and of the one that the folder is bound to where it does not.
pub(super) fn recorded(
    workspace: &Workspace<'_>,
    selection: &Selection,
) -> Result<Option<(EnvironmentRecord, String)>, CommandError> {
    let copy = workspace.record();
    // With an ID the variable has no say, as with a spec. Numbers of pull requests are in none of
    // the IDs that are worked on without one.
    let variable = workspace.env.env_type.as_deref().filter(|_| selection.id.is_none());
    let env_type = selection.env_type.as_deref().or(variable);
    let id = match (&selection.id, env_type) {
        _ if selection.pr.is_some() => None,
        (Some(id), _) => Some(identity::checked(id)?),
        (None, Some(env_type)) => copy.minted_id(env_type).map(str::to_owned),
        (None, None) => copy.bound.as_ref().map(|bound| bound.id.clone()),
    };
    let known = id.and_then(|id| Some((copy.environments.get(&id)?.clone(), id)));
    Ok(known.filter(|(record, _)| env_type.is_none_or(|it| record.env_type == it)))
}

/// Chooses the type.
pub(crate) fn choose_head<'s>(
    workspace: &Workspace<'_>,
    spec: &'s Spec,
    selection: &Selection,
) -> Result<Choice<&'s TypeHead>, CommandError> {
    let by_id = match (&selection.env_type, &selection.id) {
        (None, Some(id)) => {
            let document = workspace.registry_document()?;
            let recorded = document.type_of(&workspace.whose(), id).map(str::to_owned);
            spec.could_be_fixed(id, "").map(|head| head.name.clone()).or(recorded)
        }
        _ => None,
    };
    let record = workspace.record();
    let chosen = match by_id.and_then(|name| spec.head(&name)) {
        Some(head) => Choice { value: head, why: "--id names one of its environments".into() },
        None => choose_type(
            spec.types(),
            &TypeInputs {
                argument: selection.env_type.as_deref(),
                by_plan: selection.by_plan,
                variable: workspace.env.env_type.as_deref(),
                bound: record.bound.as_ref().map(|bound| bound.env_type.as_str()),
                pr: selection.pr.is_some(),
                worktree: workspace
                    .git
                    .repository
                    .as_ref()
                    .is_some_and(Repository::is_linked_worktree),
            },
        )?,
    };
    match selection.pr {
        Some(pr) if !chosen.value.is_per_pr() => {
            Err(identity::no_use_of_pr(spec.types(), &chosen, pr))
        }
        _ => Ok(chosen),
    }
}
