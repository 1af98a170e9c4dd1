//! What a checkout may do with what is its user's: which host gets which credential, and which of its
//! programs run.
//!
//! - `wants`: what a spec asks for.
//! - `record`: what was approved, in the user's state directory.
//! - `variable`: what `ENVC_TRUST` approves where nobody can be asked.
//! - `event`: whether a job of CI is somebody else's pull request.
//!
//! Invariants: a credential goes to a host, and a program of the checkout runs, only after its user
//! approved exactly that for exactly this clone; a spec that asks for more is asked about anew. What is
//! not approved is refused, but for programs whose absence leaves the environment whole: they are left
//! out, and told.

mod event;
mod record;
mod variable;
mod wants;

use std::collections::BTreeSet;

pub(crate) use self::{
    record::{TrustRecord, key_of},
    wants::{Item, LOCAL_MIGRATIONS, Told, Wants},
};
use crate::{
    host::{env::names, error::CommandError, interrupt::Interrupt},
    shell::ui::Ui,
    workspace::session::Session,
};

/// The code of what is not approved.
pub(crate) const NOT_TRUSTED: &str = "envc::cli::not_trusted";

/// What a run asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Credentials are about to be sent: who says no is refused.
    Sends,
    /// Programs may run, and are left out where they may not.
    Runs,
    /// All of it is to be recorded.
    All,
}

/// Sees to it that what is needed is approved: asks once, for all that the spec asks for, where somebody
/// can be asked. Who said no is asked again when the spec asks for more, or by `envc trust`.
pub(crate) async fn settle(
    session: &Session<'_>,
    need: Need,
    stop: &Interrupt,
) -> Result<(), CommandError> {
    let wants = Wants::of(session);
    let open = match open(session, &wants) {
        // Without programs the environment is whole.
        Err(error) if need == Need::Runs => {
            session.ui.caution(&error);
            return Ok(());
        }
        open => open?,
    };
    let is_needed = |item: &&Item| match need {
        Need::Sends => item.is_send(),
        Need::Runs => item.is_run(),
        Need::All => true,
    };
    let needed: BTreeSet<Item> = open.iter().filter(is_needed).cloned().collect();
    if needed.is_empty() {
        return Ok(());
    }
    let workspace = &session.workspace;
    let record = TrustRecord::new(&workspace.state_dir);
    let declined = record.of(&workspace.place())?.declined;
    let is_new = need == Need::All || !needed.is_subset(&declined);
    if session.ui.can_ask() && is_new {
        let answer = ask(session.ui, &wants, &open, stop).await?;
        record.note(workspace, &wants, answer)?;
        if answer {
            return Ok(());
        }
    }
    if need == Need::Runs { Ok(()) } else { Err(refused(session, &wants, &needed)) }
}

/// May this program of the checkout run? Where it may not, the error says what its user does about it.
pub(crate) fn may_run(session: &Session<'_>, name: &str) -> Result<(), String> {
    let wants = Wants::of(session);
    let open = open(session, &wants).map_err(|error| error.to_words())?;
    if open.iter().any(|item| item.is_run_of(name)) {
        return Err(format!(
            "that runs programs of this checkout, which nobody approved; approve them with: {}",
            session.command("trust")
        ));
    }
    Ok(())
}

/// Records what is approved without a question: the variable said so.
pub(crate) fn approve(session: &Session<'_>, wants: &Wants) -> Result<(), CommandError> {
    TrustRecord::new(&session.workspace.state_dir).note(&session.workspace, wants, true)
}

/// What is asked for and not approved, neither in the record nor by the variable.
pub(crate) fn open(session: &Session<'_>, wants: &Wants) -> Result<BTreeSet<Item>, CommandError> {
    let workspace = &session.workspace;
    let mut open = wants.items.clone();
    if open.is_empty() {
        return Ok(open);
    }
    let approved = TrustRecord::new(&workspace.state_dir).of(&workspace.place())?.items;
    open.retain(|item| !approved.contains(item));
    if open.is_empty() {
        return Ok(open);
    }
    if let Some(text) = session.env.trust.as_deref() {
        let given = variable::Given::read(text)?;
        if given == variable::Given::Spec {
            event::refuse_strangers(session.env)?;
        }
        open.retain(|item| !given.approves(item, wants));
    }
    Ok(open)
}

/// Lists what is asked for, and asks.
async fn ask(
    ui: &Ui,
    wants: &Wants,
    open: &BTreeSet<Item>,
    stop: &Interrupt,
) -> Result<bool, CommandError> {
    ui.show("environment.kdl asks for what is yours:");
    for line in wants.lines(open) {
        ui.show(&format!("  {line}"));
    }
    if open.iter().any(Item::is_run) {
        ui.show(
            "A program of the checkout can do all that you can: approve it as you would its code.",
        );
    }
    ui.confirm(stop, "Approve this for this clone and its worktrees?", "uses what is yours").await
}

/// The error of what nobody approved.
fn refused(session: &Session<'_>, wants: &Wants, open: &BTreeSet<Item>) -> CommandError {
    let list: BTreeSet<String> = open.iter().map(Item::in_variable).collect();
    let list = list.into_iter().collect::<Vec<_>>().join(",");
    let mut error = CommandError::failed("environment.kdl asks for what nobody approved")
        .hint(format!(
            "read it; if that is what you want, approve it on a terminal: {}",
            session.command("trust")
        ))
        .hint(format!(
            "where nobody can be asked: {name}={list}, or for exactly this set {name}={digest}",
            name = names::ENVC_TRUST,
            digest = wants.digest()
        ))
        .code(NOT_TRUSTED);
    for line in wants.lines(open) {
        error = error.because_text(line);
    }
    error
}
