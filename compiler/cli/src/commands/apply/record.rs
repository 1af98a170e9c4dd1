//! What an apply records of the folder besides its files: the account, the binding, what it found.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::Address;
use envc_plan::Plan;

use super::Apply;
use crate::{
    host::error::CommandError,
    operate::account::still_there,
    workspace::registry::{AppliedTo, Seen},
};

impl Apply<'_> {
    /// Records the account before anything is made in it: an apply that is killed goes on there, and
    /// so does every later command that names no cloud. Not with files elsewhere: the folder stays
    /// what it is. Gives all that was recorded before.
    pub(super) fn record_account(&self) -> Result<Vec<AppliedTo>, CommandError> {
        let session = &self.session;
        let now_s = session.workspace.clock.unix_s();
        session.workspace.change_record(|copy| copy.leave_traces(now_s))?;
        let all = session.applied();
        let Some(here) = session.here() else { return Ok(all) };
        let binds = self.writing.out_dir.is_none();
        let is_recorded = |it: &AppliedTo| it == here;
        if all.last().is_some_and(is_recorded) || (!binds && all.iter().any(is_recorded)) {
            return Ok(all);
        }
        let of = (session.target.head.name.as_str(), session.target.id.as_str());
        session.workspace.change_record(|copy| copy.record_applied(of, here, binds, now_s))?;
        Ok(all)
    }

    /// Says where else the environment is, when it came here.
    pub(super) fn tell_others(&self, before: &[AppliedTo]) {
        let session = &self.session;
        let Some(here) = session.here() else { return };
        if before.last().is_none_or(|last| last.is(here)) {
            return;
        }
        for there in before.iter().filter(|it| !it.is(here)) {
            session.ui.say(&still_there(session, there));
        }
    }

    /// Records what was found of what is `existing`: `show` and `output` ask nobody.
    pub(super) fn note_existing(&self, plan: &Plan) -> Result<(), CommandError> {
        let session = &self.session;
        let Some(key) = session.here().map(AppliedTo::key) else { return Ok(()) };
        let existing = plan.changes.iter().filter(|change| change.existing);
        let found = existing.filter_map(|change| {
            let seen = Seen { name: change.name.clone(), id: change.id.clone()? };
            Some((change.address.to_string(), seen))
        });
        let found: BTreeMap<String, Seen> = found.collect();
        let (id, now_s) = (&session.target.id, session.workspace.clock.unix_s());
        let known = session.record()?.existing.get(&key).cloned().unwrap_or_default();
        if known == found {
            return Ok(());
        }
        session.workspace.change_record(|copy| copy.note_existing(id, &key, found, now_s))
    }

    /// Records what the user said to be this environment's, where only shared state says so: the next
    /// run asks for it no more.
    pub(super) fn note_adopted(&self, plan: &Plan) -> Result<(), CommandError> {
        let session = &self.session;
        let Some(key) = session.here().map(AppliedTo::key) else { return Ok(()) };
        let named = plan.changes.iter().filter(|it| plan.basis.adopted.contains(&it.address));
        let named = named.filter_map(|it| Some((it.address.clone(), it.id.clone()?)));
        let named: BTreeSet<(Address, String)> = named.collect();
        if named.is_empty() || !session.shares_state() {
            return Ok(());
        }
        let (id, now_s) = (&session.target.id, session.workspace.clock.unix_s());
        session.workspace.change_record(|copy| copy.note_adopted((id, &key), &named, now_s))
    }

    /// Binds the folder where its files are in it.
    pub(super) fn bind(&self) -> Result<(), CommandError> {
        let session = &self.session;
        let (env_type, id) = (&session.target.head.name, &session.target.id);
        let bound = session.workspace.record().bound.clone();
        let is_bound = bound.is_some_and(|bound| bound.id == *id && bound.env_type == *env_type);
        if self.skips_files() || self.writing.out_dir.is_some() || is_bound {
            return Ok(());
        }
        session
            .workspace
            .change_record(|copy| copy.bind(env_type, id, session.workspace.clock.unix_s()))
    }
}
