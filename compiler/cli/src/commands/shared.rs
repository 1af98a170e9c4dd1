//! What several commands do alike.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::Address;
use envc_exec::{Failure, Report, RunError, Scope, ports::StoreError};
use envc_plan::{Action, Palette, Plan, RenderOptions, plan_json, render_plan};

use crate::{
    connect::interrupted,
    error::CommandError,
    generated::{Resources, Sources},
    interrupt::Interrupt,
    lock::{Holder, Lock},
    session::{Selection, Session},
    state_local::LocalStore,
};

/// The selection of the command line.
pub(super) fn selection_of(target: &crate::args::TargetArgs) -> Selection {
    Selection {
        env_type: target.env_type.clone(),
        pr: target.pr,
        id: target.id.clone(),
        cloud: target.cloud.clone(),
    }
}

/// What the spec asks for and this envc cannot do is an error, never skipped in silence.
pub(super) fn refuse_later(session: &Session<'_>) -> Result<(), CommandError> {
    let later = &session.environment.later;
    if later.is_empty() {
        return Ok(());
    }
    let what: Vec<&str> = later.iter().map(|later| later.what.as_str()).collect();
    Err(CommandError::failed(format!(
        "this envc cannot do all that type `{}` asks for: {}",
        session.head.name,
        what.join(", ")
    ))
    .hint("nothing was changed; remove it from environment.kdl, or move it into another type")
    .code("envc::cli::not_there_yet"))
}

/// The zones that desired resources live in.
pub(super) fn zones_of(session: &Session<'_>) -> BTreeSet<String> {
    session.environment.resources.values().filter_map(|wanted| wanted.zone.clone()).collect()
}

/// Takes the lock of an environment; waits, and says for whom.
pub(super) async fn lock(
    session: &Session<'_>,
    scope: &Scope,
    stop: &Interrupt,
    purpose: &str,
) -> Result<LocalStore, CommandError> {
    let key = session.state_key(&scope.account);
    let path = LocalStore::lock_path(&session.state_dir, &key)?;
    let me = Holder::me(purpose, session.clock.unix_s());
    let (ui, id) = (session.ui, &session.id);
    let mut tell = |other: &Holder| {
        ui.say(&format!("waiting for {other}, which works on `{id}`"));
    };
    let lock = tokio::select! {
        lock = Lock::acquire(&path, &me, true, &session.clock, &mut tell) => lock?,
        () = stop.asked() => return Err(interrupted()),
    };
    Ok(LocalStore::locked(&session.state_dir, key, lock))
}

/// The error of a state that cannot be loaded.
pub(super) fn state_error(error: &StoreError) -> CommandError {
    let failed = CommandError::failed("the recorded state cannot be used; nothing was changed")
        .because(error)
        .code("envc::cli::state");
    match error {
        StoreError::State(envc_plan::StateError::Newer { .. }) => {
            failed.hint("use the envc that wrote it, or a newer one")
        }
        StoreError::State(envc_plan::StateError::Damaged { .. }) => failed
            .hint("the version before it lies beside it as `.bak`: put it back")
            .hint("or move the state away: envc finds what it made by name"),
        StoreError::State(envc_plan::StateError::Foreign { .. }) => {
            failed.hint("move it to its own place, or away")
        }
        StoreError::Conflict { .. } => failed.hint("run the command again"),
        StoreError::Io { .. } => failed.hint("check the disk and the permissions of that place"),
    }
}

/// Shows a plan: on standard error while applying, so that standard output holds the result.
pub(super) fn show_plan(ui: &crate::ui::Ui, plan: &Plan, as_result: bool) {
    let color = if as_result { ui.out_style().color } else { ui.err_style().color };
    let palette = if color { Palette::ansi() } else { Palette::plain() };
    let text = render_plan(plan, &palette, RenderOptions { verbose: false });
    ui.event("plan", plan_json(plan));
    if as_result {
        ui.result(text.trim_end());
    } else {
        ui.say(text.trim_end());
    }
}

/// What came of a run, with everything that failed as one error.
pub(super) fn finished(outcome: Result<Report, RunError>) -> Result<Report, CommandError> {
    let report = outcome.map_err(|error| {
        CommandError::failed(error.to_string())
            .because_text(std::error::Error::source(&error).map_or_else(
                || "the lock's file was removed or replaced".to_owned(),
                ToString::to_string,
            ))
            .hint("run the command again: it looks at what is there and carries on")
            .code("envc::cli::record")
    })?;
    if !report.failures.is_empty() {
        return Err(failed(&report));
    }
    if report.interrupted {
        return Err(interrupted().because_text(format!(
            "{} steps were done, {} were not begun",
            report.done, report.skipped
        )));
    }
    Ok(report)
}

fn failed(report: &Report) -> CommandError {
    let Report { failures, done, skipped, .. } = report;
    let name = |failure: &Failure| {
        let names: Vec<String> = failure.addresses.iter().map(ToString::to_string).collect();
        names.join(", ")
    };
    let mut error = CommandError::failed(match failures.as_slice() {
        [one] => format!("could not {} {}", one.verb, name(one)),
        many => format!("{} steps failed", many.len()),
    });
    for failure in failures {
        error = error.because_text(match failures.len() {
            1 => format!("{}: {}", failure.call, failure.message),
            _ => format!("{}: {}: {}", name(failure), failure.call, failure.message),
        });
    }
    let hints: BTreeSet<&str> =
        failures.iter().filter_map(|failure| failure.help.as_deref()).collect();
    for hint in hints {
        error = error.hint(hint);
    }
    error
        .hint(format!(
            "{done} steps are done and recorded, {skipped} were not begun; the same command \
             carries on"
        ))
        .code("envc::cli::step_failed")
}

/// The physical names that a plan found or will make.
pub(super) fn names_of(plan: &Plan) -> BTreeMap<Address, String> {
    plan.changes
        .iter()
        .filter(|change| !change.deposed)
        .map(|change| (change.address.clone(), change.name.clone()))
        .collect()
}

/// What is known of resources before a plan is applied, with stand-ins for what is not.
pub(super) fn stand_ins(session: &Session<'_>, sources: &Sources, plan: &Plan) -> Resources {
    let mut ids = BTreeMap::new();
    for address in session.environment.resources.keys() {
        ids.insert(address.clone(), format!("known-after-apply-{address}"));
    }
    for change in plan.changes.iter().filter(|change| !change.deposed) {
        let stays = change.existing
            || matches!(change.action, Action::Keep | Action::Update | Action::Adopt);
        if let (true, Some(id)) = (stays, &change.id) {
            ids.insert(change.address.clone(), id.clone());
        }
    }
    let known = Resources { ids, names: names_of(plan), tokens: BTreeMap::new() };
    sources.with_stand_ins(&known)
}

/// The error of a change that the user did not want.
pub(super) fn not_approved() -> CommandError {
    CommandError::failed("not approved; nothing was changed").code("envc::cli::not_approved")
}
