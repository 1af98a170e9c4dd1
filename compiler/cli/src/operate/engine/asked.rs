//! What the command line asks of a plan beside what the spec says.

use std::collections::BTreeSet;

use envc_core::{Address, Desired};
use envc_kinds::kind;
use envc_plan::{LossyFile, Migrate, State};
use envc_spec::MigrateMode;

use super::Engine;
use crate::host::error::CommandError;

impl Engine<'_, '_> {
    /// Makes plans that nothing comes of.
    pub(crate) fn only_looks(&mut self) {
        self.only_looks = true;
    }

    /// Whose pending migrations an apply runs.
    pub(crate) fn migrates_as_the_spec_says(&mut self) {
        self.asked.migrate = match self.session.environment.migrate {
            MigrateMode::Auto => Migrate::Managed,
            MigrateMode::Manual => Migrate::ByHand,
        };
    }

    /// Runs the pending migrations of every database.
    pub(crate) fn migrates_all(&mut self) {
        self.asked.migrate = Migrate::All;
    }

    /// Lets these be deleted or replaced in this run, though the type is protected: the user said so.
    pub(crate) fn unprotect(&mut self, addresses: &BTreeSet<Address>) {
        self.asked.unprotect.clone_from(addresses);
    }

    /// Lets these migrations lose rows in this run, though the type is protected: the user said so.
    pub(crate) fn allow_loss(&mut self, files: &BTreeSet<LossyFile>) {
        self.asked.allow_loss.clone_from(files);
    }

    /// Makes these anew, whatever differs: the user said so. What cannot be replaced is refused, and
    /// so is a misspelt address, which would replace nothing.
    pub(crate) fn replace(&mut self, addresses: &BTreeSet<Address>) -> Result<(), CommandError> {
        let wanted = &self.session.environment.resources;
        for address in addresses {
            let refused = |why: &str| {
                CommandError::usage(format!(
                    "{address} cannot be replaced: {why}; nothing was changed"
                ))
                .code("envc::cli::not_replaceable")
            };
            let kind = kind(address.kind());
            match wanted.get(address) {
                Some(it) if !it.is_managed() => {
                    return Err(refused("it is `existing`, and envc never deletes it"));
                }
                Some(Desired { parent: Some(parent), .. }) => {
                    let why = format!("it lives with {parent}");
                    return Err(refused(&why).hint(format!("replace that: --replace {parent}")));
                }
                Some(_) if !kind.facts().never_replaced.is_empty() => {
                    return Err(refused(kind.facts().never_replaced).hint(
                        "to have a new one, take it out of the spec, apply, put it in again, and \
                         apply once more",
                    ));
                }
                Some(_) => {}
                None => {
                    let can = |it: &&Desired| {
                        let facts = envc_kinds::kind(it.address.kind()).facts();
                        it.is_managed() && it.parent.is_none() && facts.never_replaced.is_empty()
                    };
                    let all: Vec<String> =
                        wanted.values().filter(can).map(|it| it.address.to_string()).collect();
                    return Err(self.unknown_address(address, "to replace", &all));
                }
            }
        }
        self.asked.replace.clone_from(addresses);
        Ok(())
    }

    /// The error of an address that the environment does not have.
    pub(crate) fn unknown_address(
        &self,
        address: &Address,
        what_for: &str,
        all: &[String],
    ) -> CommandError {
        let hint = match all {
            [] => "there is none".to_owned(),
            all => format!("there are: {}", all.join(", ")),
        };
        CommandError::usage(format!(
            "`{}` has no {address} {what_for}; nothing was changed",
            self.session.target.id
        ))
        .hint(hint)
        .code("envc::cli::unknown_address")
    }

    /// Takes over namesakes of these that nothing proves ours: the user said so. A misspelt address
    /// would take over nothing, and the refusal that follows would not tell why.
    pub(crate) fn adopt(
        &mut self,
        addresses: &[Address],
        state: Option<&State>,
    ) -> Result<(), CommandError> {
        let wanted = &self.session.environment.resources;
        let managed = |address: &Address| wanted.get(address).is_some_and(Desired::is_managed);
        // What others wrote into a shared record has to be named as well, also where the spec has it no
        // more.
        let recorded = state.filter(|_| self.session.shares_state());
        let is_recorded = |address: &Address| recorded.is_some_and(|it| it.names(address));
        let known = |address: &Address| managed(address) || is_recorded(address);
        if let Some(unknown) = addresses.iter().find(|address| !known(address)) {
            let all: Vec<String> = wanted
                .values()
                .filter(|it| it.is_managed() && it.parent.is_none())
                .filter(|it| state.is_none_or(|state| !state.resources.contains_key(&it.address)))
                .map(|it| it.address.to_string())
                .collect();
            let hint = match all.as_slice() {
                [] => "everything that it wants is recorded already".to_owned(),
                all => format!("there are: {}", all.join(", ")),
            };
            return Err(CommandError::usage(format!(
                "`{}` has no {unknown} to take over; nothing was changed",
                self.session.target.id
            ))
            .hint(hint)
            .code("envc::cli::unknown_address"));
        }
        self.ownership.adopt = addresses.iter().cloned().collect();
        Ok(())
    }
}
