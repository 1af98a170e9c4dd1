//! A saved plan: it is done exactly, or refused.

use std::path::Path;

use envc_core::counted;
use envc_plan::{Action, Plan};

use crate::{
    host::{error::CommandError, fsio},
    workspace::{session::Session, whose},
};

/// Bytes of a saved plan.
const PLAN_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A plan of another repository is not this one's to do.
pub(super) fn refuse_others(session: &Session<'_>, plan: &Plan) -> Result<(), CommandError> {
    let (theirs, key) = (&plan.basis.repository, &plan.basis.key);
    if *theirs != session.workspace.project.repository {
        return Err(whose::other("the saved plan", theirs, &session.workspace.project.repository));
    }
    if key.project == session.workspace.project.name {
        return Ok(());
    }
    Err(CommandError::failed("the saved plan is of another project; nothing was changed")
        .because_text(format!(
            "it is of `{}`, and this is `{}`",
            key.project, session.workspace.project.name
        ))
        .hint("plan again: envc plan --out FILE")
        .code("envc::cli::stale_plan"))
}

/// Reads the file of a saved plan.
pub(super) fn read(path: &Path) -> Result<Plan, CommandError> {
    let bytes = fsio::read_named(path, PLAN_BYTES_MAX)?.ok_or_else(|| {
        CommandError::usage(format!("there is no plan {}", path.display()))
            .hint("write one: envc plan --out FILE")
    })?;
    Plan::parse(&bytes).map_err(|error| {
        CommandError::usage(format!("{} cannot be used", path.display()))
            .because_text(error)
            .hint("write it again: envc plan --out FILE")
            .code("envc::cli::plan_unreadable")
    })
}

/// What a plan says of the account: what is there, and what of it is not as it was recorded.
fn seen(plan: &Plan) -> Vec<impl PartialEq + '_> {
    plan.changes
        .iter()
        .map(|it| {
            let forgotten = it.action == Action::Forget;
            (&it.address, it.deposed, &it.id, &it.drift, &it.waits_for, forgotten)
        })
        .collect()
}

/// Says what moved since a plan was saved.
pub(super) fn stale(saved: &Plan, now: &Plan) -> CommandError {
    let moved = if saved.basis.spec != now.basis.spec {
        "the spec was changed"
    } else if (&saved.basis.lineage, saved.basis.serial) != (&now.basis.lineage, now.basis.serial) {
        "the environment was applied or destroyed"
    } else if seen(saved) == seen(now) {
        "what comes from outside the spec (a variable, a secret, a migration or code) was changed"
    } else {
        "what is in the account was changed"
    };
    let count =
        |plan: &Plan| plan.changes.iter().filter(|change| change.action != Action::Keep).count();
    CommandError::failed("the saved plan is stale; nothing was changed")
        .because_text(format!("{moved} since it was made"))
        .because_text(format!(
            "it has {}, and now there would be {}",
            counted(count(saved), "change"),
            count(now)
        ))
        .hint("plan again: envc plan --out FILE")
        .code("envc::cli::stale_plan")
}
