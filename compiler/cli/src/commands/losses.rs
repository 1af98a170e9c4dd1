//! Migrations that lose rows: what is refused, what is asked for, and what the user named.

use std::collections::BTreeSet;

use envc_core::counted;
use envc_plan::{LossyFile, Plan, lossy_files};

use crate::{host::error::CommandError, workspace::session::Session};

/// Refuses the migrations of a protected environment that lose rows, but for those that the user named.
/// `verb` is the command that would run them.
pub(super) fn refuse(session: &Session<'_>, verb: &str, plan: &Plan) -> Result<(), CommandError> {
    if !plan.basis.protected {
        return Ok(());
    }
    let lossy: Vec<LossyFile> = lossy_files(&plan.migrations)
        .into_iter()
        .filter(|file| !plan.basis.lossy.contains(file))
        .collect();
    if lossy.is_empty() {
        return Ok(());
    }
    let lose = if lossy.len() == 1 { "loses" } else { "lose" };
    let mut error = CommandError::failed(format!(
        "{} {lose} rows of `{}`, which is protected; nothing was changed",
        counted(lossy.len(), "migration"),
        session.target.id
    ));
    let mut helps = BTreeSet::new();
    for (address, standing) in &plan.migrations {
        let of_it = |file: &str| lossy.iter().any(|it| it.database == *address && it.file == file);
        for risk in standing.risks.iter().filter(|risk| risk.loses && of_it(&risk.file)) {
            error = error.because_text(format!("{}:{}: {}", risk.file, risk.line, risk.what));
            helps.insert(risk.help.clone());
        }
    }
    error = helps.into_iter().fold(error, CommandError::hint);
    let allow: Vec<String> = lossy.iter().map(|it| format!(" --allow-loss {it}")).collect();
    let command = format!("{}{}", session.command(verb), allow.concat());
    Err(error
        .hint(format!("to lose exactly this, in one run: {command}"))
        .code("envc::cli::migration_loses_rows"))
}

/// What is to be asked for: the migrations that lose rows, but for those that the user named.
pub(super) fn open(plan: &Plan, allowed: &[LossyFile]) -> Vec<LossyFile> {
    lossy_files(&plan.migrations).into_iter().filter(|file| !allowed.contains(file)).collect()
}

/// A leave that nothing needs is misspelt, or the plan is not the one that the user has in mind.
pub(super) fn refuse_needless(
    session: &Session<'_>,
    allowed: &[LossyFile],
    plan: &Plan,
) -> Result<(), CommandError> {
    let lossy = lossy_files(&plan.migrations);
    let Some(needless) = allowed.iter().find(|file| !lossy.contains(*file)) else { return Ok(()) };
    let all: Vec<String> = lossy.iter().map(ToString::to_string).collect();
    Err(CommandError::usage(format!(
        "no pending migration {needless} of `{}` loses rows, so `--allow-loss` has nothing to allow; \
         nothing was changed",
        session.target.id
    ))
    .hint(if all.is_empty() {
        "no pending migration loses rows".to_owned()
    } else {
        format!("what would lose rows: {}", all.join(", "))
    })
    .code("envc::cli::unknown_address"))
}
