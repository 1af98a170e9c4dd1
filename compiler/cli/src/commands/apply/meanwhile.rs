//! Whether somebody took away what an apply found or made while it was at work.
//!
//! Where the state is not shared, nothing keeps a destroy of the same pull request on another machine
//! apart from an apply: neither sees the other's lock. What an apply has in the end it looks at once more.

use std::collections::BTreeSet;

use envc_core::{Address, KindId};
use envc_exec::{LeaseQuestion, Report};
use envc_plan::{Action, LeaseSeen, Plan};
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
        let leases = engine.ask_leases(Some(&report.state), LeaseQuestion::Look);
        let (seen, leases) = futures::join!(engine.observe(Some(&report.state)), leases);
        let (seen, leases) = (seen?, leases?.seen);
        let gone: BTreeSet<(KindId, &str)> =
            seen.gone.iter().map(|(kind, id)| (*kind, id.as_str())).collect();
        let recorded = report.state.resources.iter();
        let taken = recorded
            .filter(|(address, it)| gone.contains(&(address.kind(), it.id.as_str())))
            .map(|(address, _): (&Address, _)| address.to_string());
        let given_back = report.state.leases.iter().filter_map(|(pool, it)| {
            let is_lost = match leases.get(pool)? {
                LeaseSeen::Absent => true,
                LeaseSeen::Held { id, .. } => it.grant.as_ref().is_some_and(|had| had.id != *id),
                LeaseSeen::Unknown => false,
            };
            is_lost.then(|| format!("the preview ID of the pool {pool}"))
        });
        let taken: Vec<String> = taken.chain(given_back).collect();
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
