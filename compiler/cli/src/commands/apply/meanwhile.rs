//! Whether somebody took away what an apply found or made while it was at work.
//!
//! Where the state is not shared, nothing keeps a destroy of the same pull request on another machine
//! apart from an apply: neither sees the other's lock. What an apply has in the end it looks at once more.

use std::collections::BTreeSet;

use envc_core::{Address, KindId};
use envc_exec::Report;
use envc_plan::{Action, Plan};
use envc_spec::StateStoreKind;

use super::Apply;
use crate::{
    host::{error::CommandError, exit_code::ExitCode},
    operate::engine::Engine,
};

impl Apply<'_> {
    /// Fails where something that is recorded is gone by now.
    pub(super) async fn refuse_if_taken(
        &self,
        engine: &Engine<'_, '_>,
        plan: &Plan,
        was_recorded: bool,
        ran: Result<Report, CommandError>,
    ) -> Result<Report, CommandError> {
        let report = ran?;
        if report.interrupted || !self.may_meet_others(plan, was_recorded, &report) {
            return Ok(report);
        }
        let seen = engine.observe(Some(&report.state)).await?;
        let gone: BTreeSet<(KindId, &str)> =
            seen.gone.iter().map(|(kind, id)| (*kind, id.as_str())).collect();
        let recorded = report.state.resources.iter();
        let taken: Vec<String> = recorded
            .filter(|(address, it)| gone.contains(&(address.kind(), it.id.as_str())))
            .map(|(address, _): (&Address, _)| address.to_string())
            .collect();
        if taken.is_empty() {
            return Ok(report);
        }
        let env = &self.session.target.id;
        let message = format!("somebody destroyed `{env}` while this command was at work on it");
        Err(CommandError::new(ExitCode::TryAgain, message)
            .because_text(format!("gone since: {}", taken.join(", ")))
            .hint("run the command again: it makes what is missing")
            .code("envc::cli::taken_meanwhile"))
    }

    /// True where another machine may work on this environment, and something says that one does: there
    /// was an environment that is not recorded here, or a step failed.
    fn may_meet_others(&self, plan: &Plan, was_recorded: bool, report: &Report) -> bool {
        let session = &self.session;
        let is_shared = session.environment.state_store != StateStoreKind::Local;
        let adopts = plan.changes.iter().any(|change| change.action == Action::Adopt);
        let made_anew = !was_recorded && !plan.steps.is_empty();
        session.needs_claim() && !is_shared && (adopts || made_anew || !report.failures.is_empty())
    }
}
