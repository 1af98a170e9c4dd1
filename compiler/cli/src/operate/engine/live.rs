//! What is live and others deployed: asked where an apply takes something away that it may be bound to.

use std::collections::BTreeSet;

use envc_core::{KindId, PhysicalName};
use envc_exec::{ByOthers, CallClass, CallError, help_for_call, observe_live};
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
        let wanted = &self.session.environment.by_others;
        let goes = plan.changes.iter().filter(|change| change.action.loses_resource());
        let going: BTreeSet<KindId> = goes.map(|change| change.address.kind()).collect();
        let is_bound = going.iter().any(|id| kind(*id).can_be_bound());
        let deletes = plan.basis.goal == Goal::Apply && self.asked.migrate != Migrate::All;
        if !deletes || !is_bound {
            return Ok(None);
        }
        let left = |name: &str| self.has_left(name, plan);
        let by_others = ByOthers { wanted, left: &left };
        let mut seen = observation.clone();
        match observe_live(&self.client, &self.scope, by_others, &going, &mut seen).await {
            Ok(()) => Ok(Some(seen)),
            // Nobody ever gave this environment a Worker, as far as the spec tells.
            Err(error) if error.means(Meaning::Auth) && wanted.is_empty() => Ok(None),
            Err(error) => Err(unreadable(&error)),
        }
    }

    /// True for a script with a name that envc gave to a Worker of this environment, and that the spec has
    /// no more.
    fn has_left(&self, name: &str, plan: &Plan) -> bool {
        let environment = &self.session.environment;
        let is_ours = PhysicalName::parse(name).is_some_and(|read| {
            read.project == environment.prefix && read.env == self.session.target.id
        });
        let wanted = environment.by_others.values().chain(environment.resources.values());
        let mut known =
            wanted.map(|it| it.name.as_str()).chain(plan.changes.iter().map(|it| it.name.as_str()));
        is_ours && !known.any(|known| known == name)
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
