//! The files that envc wrote for an environment, as they are recorded: which they are, and taking them
//! away.

use std::collections::BTreeSet;

use crate::{
    host::error::CommandError,
    outputs::{files::Removal, out_dir},
    workspace::{
        registry::{AppliedTo, FileRecord},
        session::Session,
    },
};

/// The files that envc wrote from this folder for the environment in this account, by key. Those of
/// which that is not recorded are of the account that the folder works on.
pub(crate) fn files_of(session: &Session<'_>, there: &AppliedTo) -> Vec<(String, FileRecord)> {
    let all = session.applied();
    let works_there = all.last().is_none_or(|last| last.is(there));
    let key = there.key();
    let record = session.workspace.record();
    let own = record.files.iter().filter(|(_, file)| {
        file.is_for(&session.target.id, Some(&key)) && (file.of.is_some() || works_there)
    });
    own.map(|(key, file)| (key.clone(), file.clone())).collect()
}

/// Takes them away, but for those that somebody edited, and says so; gives the keys of all.
pub(crate) fn take_away(
    session: &Session<'_>,
    there: &AppliedTo,
) -> Result<BTreeSet<String>, CommandError> {
    let mut keys = BTreeSet::new();
    for (key, record) in files_of(session, there) {
        let path = out_dir::shown(session, &key);
        match out_dir::remove_recorded(session, &key, &record)? {
            Removal::Removed => session.ui.say(&format!("removed {path}")),
            Removal::Absent => {}
            stays @ (Removal::Kept | Removal::Unreached) => {
                let why = stays.why_it_stays().unwrap_or_default();
                session.ui.warn(&format!("{path} {why}, so it stays"));
            }
        }
        keys.insert(key);
    }
    Ok(keys)
}
