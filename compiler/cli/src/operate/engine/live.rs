//! What is live and others deployed: asked where an apply takes something away that it may be bound to.

use std::collections::BTreeSet;

use envc_core::KindId;
use envc_exec::{CallClass, CallError, help_for_call, observe_live};
use envc_kinds::{Meaning, kind};
use envc_plan::{Goal, Migrate, Observation, Plan};

use super::Engine;
use crate::{
    host::{error::CommandError, interrupt::interrupted},
    remote::connection::code_of,
};

/// What a token needs to read what a Worker is bound to.
const PERMISSION: &str = "Workers Scripts Read";

impl Engine<'_, '_> {
    /// What was seen, and with it the live code of others; none where the plan takes nothing away that
    /// code is bound to. A destroy takes the code itself, in its order, and `envc migrate` nothing.
    pub(super) async fn live(
        &self,
        plan: &Plan,
        observation: &Observation,
    ) -> Result<Option<Observation>, CommandError> {
        let by_others = &self.session.environment.by_others;
        let goes = plan.changes.iter().filter(|change| change.action.loses_resource());
        let going: BTreeSet<KindId> = goes.map(|change| change.address.kind()).collect();
        let is_bound = going.iter().any(|id| kind(*id).can_be_bound());
        let deletes = plan.basis.goal == Goal::Apply && self.asked.migrate != Migrate::All;
        if !deletes || by_others.is_empty() || !is_bound {
            return Ok(None);
        }
        let mut seen = observation.clone();
        match observe_live(&self.client, &self.scope, by_others, &going, &mut seen).await {
            Ok(()) => Ok(Some(seen)),
            Err(error) if error.means(Meaning::Auth) && self.only_looks => {
                self.session.ui.warn(&format!(
                    "what live Workers are bound to is not known: the API token may not read that, \
                     as apply needs it (`{PERMISSION}`)"
                ));
                Ok(None)
            }
            Err(error) => Err(unreadable(&error)),
        }
    }
}

/// Invariant: where it is not known what is live, nothing is taken from under it.
fn unreadable(error: &CallError) -> CommandError {
    if error.class == CallClass::Interrupted {
        return interrupted();
    }
    let what = "what live Workers are bound to cannot be read, and this apply would delete something \
                that they may use; nothing was changed";
    CommandError::failed(what)
        .because(error)
        .hint_opt(help_for_call(error, PERMISSION, false))
        .code(code_of(error))
}
