//! Environments that were made from a folder, and that its spec does not lead to any more: the project
//! was renamed, the text of an identity was changed, or a type was taken out.
//!
//! Invariant: a command on this folder that finds nothing, or makes something anew, names them.

use envc_spec::Identity;

use crate::{
    host::error::CommandError,
    operate::account::place,
    workspace::{
        Workspace,
        registry::{AppliedTo, EnvironmentRecord},
        session::Session,
    },
};

/// An environment that the spec does not lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeftBehind {
    /// Its ID, where the project is the spec's.
    pub(crate) id: Option<String>,
    /// A sentence, with the command that destroys it.
    pub(crate) told: String,
}

/// All of them.
pub(crate) fn left_behind(workspace: &Workspace<'_>) -> Result<Vec<LeftBehind>, CommandError> {
    let Some(spec) = workspace.spec.as_deref() else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for (id, record) in &workspace.record().environments {
        let why = match spec.head(&record.env_type).map(|head| &head.identity) {
            Some(Identity::Text { per_pr, .. }) if spec.could_be_fixed(id, "").is_none() => {
                Some((!per_pr, "before its identity was changed"))
            }
            None => Some((false, "of which the spec has nothing any more")),
            Some(Identity::Text { .. } | Identity::Branch { .. }) => None,
        };
        let Some((reaches, why)) = why else { continue };
        let before = if reaches { String::new() } else { with_old_spec(&record.env_type) };
        for there in record.all_applied() {
            let told = sentence(id, record, why, &before, &there);
            found.push(LeftBehind { id: Some(id.clone()), told });
        }
    }
    for (project, environments) in workspace.copy().of_other_projects()? {
        let why = format!("for the project `{project}`");
        let before = format!("with project \"{project}\" in environment.kdl: ");
        for (id, record) in &environments {
            for there in record.all_applied() {
                let told = sentence(id, record, &why, &before, &there);
                found.push(LeftBehind { id: None, told });
            }
        }
    }
    Ok(found)
}

/// Says them, where an environment is worked on beside them.
pub(crate) fn tell_left_behind(session: &Session<'_>) -> Result<(), CommandError> {
    for one in beside(session)? {
        session.ui.say(&one);
    }
    Ok(())
}

/// Those beside the environment that is worked on, each in a sentence.
pub(crate) fn beside(session: &Session<'_>) -> Result<Vec<String>, CommandError> {
    let all = left_behind(&session.workspace)?.into_iter();
    let others = all.filter(|it| it.id.as_ref() != Some(&session.target.id));
    Ok(others.map(|it| it.told).collect())
}

/// A type that is gone, or an ID without the number of its pull request, is read by its own spec alone.
fn with_old_spec(env_type: &str) -> String {
    format!("with the spec of before, as git has it, with its type `{env_type}`: ")
}

fn sentence(
    id: &str,
    record: &EnvironmentRecord,
    why: &str,
    before: &str,
    there: &AppliedTo,
) -> String {
    let EnvironmentRecord { env_type, .. } = record;
    format!(
        "`{id}` (type {env_type}) was made from this folder {why}, and is recorded {}; to destroy it, \
         {before}envc destroy {env_type} --id {id} --cloud {}",
        place(there),
        there.cloud
    )
}
