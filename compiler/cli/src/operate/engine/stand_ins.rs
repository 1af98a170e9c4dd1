//! What stands in, on the embedded cloud, for what the spec says exists: an account is not there to have it.
//!
//! Invariant: whoever only looks makes none of it, and sees it as it will be: under the identifier that it
//! will have, and empty. It is made right before a run, after all that may be refused.

use envc_core::{Address, KindId};
use envc_kinds::Observed;
use envc_plan::Observation;

use super::Engine;
use crate::{
    host::error::CommandError,
    remote::{connection::Connection, local_cloud::StandIn},
    workspace::session::Session,
};

/// What is to be made, as lists will show it.
pub(super) type StandIns = Vec<(Address, Observed)>;

/// Looks for what is missing, and says what stands in already.
pub(super) fn look(
    session: &Session<'_>,
    connection: &Connection,
) -> Result<StandIns, CommandError> {
    let (mut there, mut missing) = (Vec::new(), Vec::new());
    for (address, found) in connection.look_for_stand_ins(&session.environment)? {
        match found {
            StandIn::Needless => {}
            StandIn::There => there.push(address),
            StandIn::Missing { id, name } => {
                missing.push((address.clone(), Observed { id, name, ..Observed::default() }));
            }
        }
    }
    session.say_stand_ins("stood in for", &there);
    Ok(missing)
}

impl Engine<'_, '_> {
    /// Says what an apply will make of it.
    pub(crate) fn tell_stand_ins(&self) {
        let missing: Vec<&Address> = self.missing.iter().map(|(address, _)| address).collect();
        self.session.say_stand_ins("an apply will stand in for", &missing);
    }

    /// Makes what is missing.
    pub(crate) fn stand_in(&self) -> Result<(), CommandError> {
        if self.missing.is_empty() {
            return Ok(());
        }
        let made = self.site.connection.stand_in(&self.session.environment)?;
        self.session.say_stand_ins("stood in for", &made);
        Ok(())
    }

    /// Adds what is missing, as if it were there.
    pub(super) fn add_missing(&self, observation: &mut Observation) {
        for (address, stand_in) in &self.missing {
            let id = address.kind();
            let mut found = observation.found.get(&id).into_iter().flatten();
            if found.all(|seen| seen.observed.id != stand_in.id) {
                observation.gone.remove(&(id, stand_in.id.clone()));
                observation.add(id, None, vec![stand_in.clone()]);
            }
        }
    }

    /// True for the identifier of what is missing.
    pub(super) fn is_missing(&self, kind: KindId, id: &str) -> bool {
        self.missing.iter().any(|(of, stand_in)| of.kind() == kind && stand_in.id == id)
    }
}
