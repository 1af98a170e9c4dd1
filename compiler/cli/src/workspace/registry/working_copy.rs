//! A working copy, as commands use it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use envc_core::{Address, KeyedDigest, PartProblem, base36, limits::ID_CHARS_MAX};
use envc_exec::ports::Entropy;
use envc_spec::PortRange;

#[cfg(test)]
use super::Settled;
use super::{
    Applied, AppliedTo, Belongs, Bound, CopyRecord, EnvironmentRecord, FileRecord, LocalRecord,
    Location, Registry, Seen, cache::Cache, file_key, mark,
};
use crate::host::{error::CommandError, ports};

/// Random tries until an ID is found that nothing else has; the second one is never needed.
const MINT_TRIES: usize = 16;

/// One project in one working tree, with its record in the registry.
#[derive(Debug)]
pub(crate) struct WorkingCopy {
    registry: Registry,
    place: Location,
    project: String,
    key: String,
    record: CopyRecord,
    /// What its clone was before.
    former: BTreeSet<String>,
    user: KeyedDigest,
    #[cfg(test)]
    settled: Settled,
    belongs: Belongs,
    unfollowed: BTreeMap<String, String>,
    /// The mark that it gets where it has none of its own.
    fresh: String,
}

/// What an environment was opened with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drawn<'a> {
    /// Its type.
    pub(crate) env_type: &'a str,
    /// Its ID.
    pub(crate) id: &'a str,
    /// The ID is this working copy's: drawn here, and not named by the spec or the command line.
    pub(crate) minted: bool,
    /// It holds time and randomness.
    pub(crate) unique: bool,
    /// The spec protects it.
    pub(crate) protect: bool,
    /// Its ports.
    pub(crate) ports: &'a BTreeMap<String, u16>,
}

/// What an ID is minted from.
pub(crate) struct Mint<'a> {
    /// What the branch gives, as `envc_spec` makes it.
    pub(crate) branch_part: &'a str,
    /// Seconds since 1970.
    pub(crate) now_s: u64,
    /// True for an ID that the spec does not allow: another type's.
    pub(crate) forbidden: &'a dyn Fn(&str) -> bool,
}

/// What is asked for when a working copy is opened.
#[derive(Clone, Copy)]
pub(crate) struct Opening<'a> {
    /// The project's name.
    pub(crate) project: &'a str,
    /// The repository, where the spec or `origin` names one.
    pub(crate) repository: Option<&'a str>,
    /// Signs the cache.
    pub(crate) user: &'a KeyedDigest,
    /// Gives an identity to what has none.
    pub(crate) entropy: &'a dyn Entropy,
    /// Seconds since 1970.
    pub(crate) now_s: u64,
}

impl WorkingCopy {
    /// Finds or makes the record of a working copy, and frees the ports of those that are gone. The
    /// folder is left as it is: see [`Self::leave_traces`].
    pub(crate) fn open(
        registry: &Registry,
        place: Location,
        opening: &Opening<'_>,
    ) -> Result<Self, CommandError> {
        place.refuse_no_text()?;
        let project = opening.project;
        let cache = Cache::read(&place, opening.user);
        let foreign = cache.foreign.clone();
        let fresh = opening.entropy.hex(mark::MARK_BYTES);
        let opened = registry.update(opening.now_s, |document| {
            let (key, settled) =
                document.settle(&place, project, cache, &Path::exists, &mark::read);
            document.heal(&Path::exists);
            if let Some(copy) = document.copy_mut(&key, project) {
                copy.rewrite_keys(&place);
            }
            let belongs = document.belong(&place, &key, opening);
            let former = document.former(&place, &key);
            let record = document.copy(&key, project).cloned().unwrap_or_default();
            Ok((key, settled, belongs, former, record))
        })?;
        #[cfg_attr(
            not(test),
            expect(unused_variables, reason = "only tests look at how it was found")
        )]
        let (key, settled, belongs, former, record) = opened;
        // What a cache of somebody else's names is not followed, and not in silence either, until the folder
        // has an environment of its own.
        let foreign = foreign.filter(|_| record.environments.is_empty());
        // Whoever wrote it: what is told and goes into hints has the form of an ID.
        let named = foreign.map(|cache| cache.record.environments).unwrap_or_default();
        let named = named.into_iter().filter(|(id, _)| is_id(id));
        let unfollowed = named.map(|(id, record)| (id, record.env_type)).collect();
        Ok(Self {
            registry: registry.clone(),
            place,
            project: project.to_owned(),
            key,
            record,
            former,
            user: opening.user.clone(),
            #[cfg(test)]
            settled,
            belongs,
            unfollowed,
            fresh,
        })
    }

    /// The project that a folder was last worked on for, as its cache tells.
    pub(crate) fn last_project(place: &Location, user: &KeyedDigest) -> Option<String> {
        Cache::read(place, user).ours.map(|cache| cache.project)
    }

    /// What is recorded, as of the last call.
    pub(crate) fn record(&self) -> &CopyRecord {
        &self.record
    }

    /// Where it lies.
    pub(crate) fn place(&self) -> &Location {
        &self.place
    }

    /// What the registry made of the folder.
    #[cfg(test)]
    pub(crate) fn settled(&self) -> Settled {
        self.settled
    }

    /// Which repository it was found to be of.
    pub(crate) fn belongs(&self) -> &Belongs {
        &self.belongs
    }

    /// Where its cache lies, relative to the spec's folder.
    pub(crate) fn cache_path(&self) -> String {
        Cache::path(&self.place)
    }

    /// The environments that a cache names which this user's envc did not write, with their types.
    pub(crate) fn unfollowed(&self) -> &BTreeMap<String, String> {
        &self.unfollowed
    }

    /// The repository that it is recorded as.
    pub(crate) fn repository(&self) -> &str {
        self.record.repository.as_deref().unwrap_or_default()
    }

    /// What its clone was before: recorded and claimed under that name, it is its own.
    pub(crate) fn was(&self, repository: &str) -> bool {
        self.former.contains(repository)
    }

    /// All that its clone was before.
    pub(crate) fn former(&self) -> impl Iterator<Item = &str> {
        self.former.iter().map(String::as_str)
    }

    /// From where an environment of this name was applied.
    pub(crate) fn applied_from(&self, id: &str) -> Result<Applied, CommandError> {
        let document = self.registry.read()?;
        Ok(document.applied_from(&self.place, &self.key, &self.project, id, &Path::exists))
    }

    /// Takes along what was made from here for another repository.
    pub(crate) fn take_along(&mut self, repository: &str, now_s: u64) -> Result<(), CommandError> {
        self.change(now_s, |copy| copy.become_of(repository))?;
        let document = self.registry.read()?;
        self.former = document.former(&self.place, &self.key);
        self.belongs = Belongs::Same;
        Ok(())
    }

    /// An ID that nothing on this machine has; nothing is recorded yet.
    pub(crate) fn draw_id(
        &self,
        mint: &Mint<'_>,
        entropy: &dyn Entropy,
    ) -> Result<String, CommandError> {
        new_id(mint, &self.registry.read()?.taken_ids(&self.project), entropy)
    }

    /// The ports of an environment: what is recorded where it still can be, else new ones. Nothing
    /// is recorded yet.
    pub(crate) fn choose_ports(
        &self,
        id: &str,
        ranges: &BTreeMap<String, PortRange>,
    ) -> Result<BTreeMap<String, u16>, CommandError> {
        if ranges.is_empty() {
            return Ok(BTreeMap::new());
        }
        let held = self.registry.read()?.held_ports(&self.key, &self.project, id);
        let recorded = self.record.environments.get(id).map(|record| record.ports.clone());
        ports::choose(ranges, &recorded.unwrap_or_default(), &held, &ports::is_free)
    }

    /// Records what an environment was opened with. False: another process was quicker, and has
    /// minted another ID here or taken one of the ports. Two commands at once in a new folder are
    /// for one environment. The folder is left as it is: a plan records an ID, too.
    pub(crate) fn record_environment(
        &mut self,
        drawn: &Drawn<'_>,
        now_s: u64,
    ) -> Result<bool, CommandError> {
        let (key, project) = (self.key.clone(), self.project.clone());
        let recorded = self.registry.update(now_s, |document| {
            let held = document.held_ports(&key, &project, drawn.id);
            let taken = document.taken_ids(&project).contains(drawn.id);
            let Some(copy) = document.copy_mut(&key, &project) else { return Ok(false) };
            let other = copy.minted_id(drawn.env_type).is_some_and(|id| id != drawn.id);
            // Without randomness each branch has its own.
            if drawn.minted
                && drawn.unique
                && (other || (taken && copy.minted_id(drawn.env_type).is_none()))
            {
                return Ok(false);
            }
            if drawn.ports.values().any(|port| held.contains(port)) {
                return Ok(false);
            }
            let record = environment(copy, drawn.env_type, drawn.id);
            record.ports.clone_from(drawn.ports);
            record.protect = drawn.protect;
            if drawn.minted && record.minted_s.is_none() {
                record.minted_s = Some(now_s);
                record.random = Some(drawn.unique);
            }
            Ok(true)
        })?;
        self.refresh()?;
        Ok(recorded)
    }

    /// Binds the folder to an environment: its files are for that one from now on.
    pub(crate) fn bind(
        &mut self,
        env_type: &str,
        id: &str,
        now_s: u64,
    ) -> Result<(), CommandError> {
        self.change(now_s, |copy| {
            let (env_type, id) = (env_type.to_owned(), id.to_owned());
            environment(copy, &env_type, &id);
            copy.bound = Some(Bound { env_type, id });
        })
    }

    /// Records what an environment is applied to. `binds`: a command without `--cloud` works there
    /// from now on.
    pub(crate) fn record_applied(
        &mut self,
        (env_type, id): (&str, &str),
        there: &AppliedTo,
        binds: bool,
        now_s: u64,
    ) -> Result<(), CommandError> {
        self.change(now_s, |copy| environment(copy, env_type, id).note_applied(there, binds))
    }

    /// Records what an apply found of what is `existing`, in the account with this key.
    pub(crate) fn note_existing(
        &mut self,
        id: &str,
        key: &str,
        found: BTreeMap<String, Seen>,
        now_s: u64,
    ) -> Result<(), CommandError> {
        self.change(now_s, |copy| {
            let Some(record) = copy.environments.get_mut(id) else { return };
            if found.is_empty() {
                record.existing.remove(key);
            } else {
                record.existing.insert(key.to_owned(), found);
            }
        })
    }

    /// Records what the user said to be the environment's, though shared state alone says so.
    pub(crate) fn note_adopted(
        &mut self,
        (id, key): (&str, &str),
        adopted: &BTreeSet<(Address, String)>,
        now_s: u64,
    ) -> Result<(), CommandError> {
        self.change(now_s, |copy| {
            let Some(record) = copy.environments.get_mut(id) else { return };
            let known = record.adopted.entry(key.to_owned()).or_default();
            for (address, id) in adopted {
                known.entry(address.to_string()).or_default().insert(id.clone());
            }
        })
    }

    /// What was recorded of this folder for other projects, by name.
    pub(crate) fn of_other_projects(
        &self,
    ) -> Result<BTreeMap<String, BTreeMap<String, EnvironmentRecord>>, CommandError> {
        let document = self.registry.read()?;
        let all = document.of_other_projects(&self.key, &self.project);
        Ok(all.map(|(name, copy)| (name.to_owned(), copy.environments.clone())).collect())
    }

    /// Records files that were written (`Some`) or removed (`None`).
    pub(crate) fn note_files(
        &mut self,
        files: BTreeMap<String, Option<FileRecord>>,
        now_s: u64,
    ) -> Result<(), CommandError> {
        self.change(now_s, |copy| {
            for (path, record) in files {
                match record {
                    Some(record) => copy.files.insert(path, record),
                    None => copy.files.remove(&path),
                };
            }
        })
    }

    /// Records what lies here for `wrangler dev`.
    pub(crate) fn note_local(
        &mut self,
        now_s: u64,
        change: impl FnOnce(&mut LocalRecord),
    ) -> Result<(), CommandError> {
        self.change(now_s, |copy| change(&mut copy.local))
    }

    /// Leaves an environment of which something was kept there: these files go, and the ID stays
    /// known. The binding goes, too, where it is recorded nowhere else.
    pub(crate) fn leave(
        &mut self,
        id: &str,
        there: &AppliedTo,
        files: &BTreeSet<String>,
        now_s: u64,
    ) -> Result<(), CommandError> {
        self.change(now_s, |copy| {
            let elsewhere = copy.environments.get(id).is_some_and(|it| it.is_elsewhere(there));
            copy.let_go(id, files, !elsewhere);
        })
    }

    /// Forgets an environment that is destroyed there, and these files. Where it is recorded nowhere
    /// else, its ID, its ports and the binding to it go, too.
    pub(crate) fn forget(
        &mut self,
        id: &str,
        there: &AppliedTo,
        files: &BTreeSet<String>,
        now_s: u64,
    ) -> Result<(), CommandError> {
        self.change(now_s, |copy| {
            let record = copy.environments.get_mut(id);
            if record.is_none_or(|record| record.leave_applied(there)) {
                copy.environments.remove(id);
                copy.let_go(id, files, true);
            } else {
                copy.let_go(id, files, false);
            }
        })
    }

    /// Leaves in the folder what tells it from others: the mark, and the cache. What only looks at an
    /// environment leaves nothing.
    pub(crate) fn leave_traces(&mut self, now_s: u64) -> Result<(), CommandError> {
        self.change(now_s, |_| ())
    }

    /// Invariant: this alone writes into the checkout, the cache and the mark, and what only looks never
    /// comes here.
    fn change(
        &mut self,
        now_s: u64,
        change: impl FnOnce(&mut CopyRecord),
    ) -> Result<(), CommandError> {
        let (key, project) = (self.key.clone(), self.project.clone());
        let (place, fresh) = (self.place.clone(), self.fresh.clone());
        self.registry.update(now_s, |document| {
            let Some(copy) = document.copy_mut(&key, &project) else { return Ok(()) };
            change(copy);
            if !copy.environments.is_empty() {
                document.mark(&place, &key, &fresh);
            }
            Ok(())
        })?;
        self.refresh()?;
        let cached = Cache::read(&self.place, &self.user);
        let is_new = cached.is_none() && self.record.is_blank();
        if !is_new && cached.ours.as_ref() != Some(&self.cache()) {
            // One that cannot be written (a read-only checkout) is no failure: the registry has it.
            let _written = self.cache().write(&self.place);
        }
        Ok(())
    }

    /// Takes over what is recorded now.
    pub(crate) fn refresh(&mut self) -> Result<(), CommandError> {
        let document = self.registry.read()?;
        self.record = document.copy(&self.key, &self.project).cloned().unwrap_or_default();
        Ok(())
    }

    fn cache(&self) -> Cache {
        Cache::new(&self.project, &self.key, &self.place, self.record.clone(), &self.user)
    }
}

impl CopyRecord {
    /// Forgets files of an environment, and where it `unbinds` the binding to it.
    fn let_go(&mut self, id: &str, files: &BTreeSet<String>, unbinds: bool) {
        // Another process may have written the same files for another environment since.
        self.files.retain(|key, file| !(files.contains(key) && file.env == id));
        if !unbinds {
            return;
        }
        self.bound = self.bound.take().filter(|bound| bound.id != id);
    }

    /// Brings the keys of files to the form that moves with the working copy.
    fn rewrite_keys(&mut self, place: &Location) {
        let files = std::mem::take(&mut self.files);
        // One that is there already is newer.
        let (old, new): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|(key, _)| file_key::rewritten(place, key).is_some());
        let old = old
            .into_iter()
            .filter_map(|(key, file)| Some((file_key::rewritten(place, &key)?, file)));
        self.files = old.chain(new).collect();
    }
}

fn is_id(text: &str) -> bool {
    text.len() <= ID_CHARS_MAX
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && PartProblem::of(text).is_none()
}

fn environment<'a>(
    copy: &'a mut CopyRecord,
    env_type: &str,
    id: &str,
) -> &'a mut EnvironmentRecord {
    let record = copy.environments.entry(id.to_owned()).or_default();
    env_type.clone_into(&mut record.env_type);
    record
}

fn new_id(
    mint: &Mint<'_>,
    known: &BTreeSet<String>,
    entropy: &dyn Entropy,
) -> Result<String, CommandError> {
    for _ in 0..MINT_TRIES {
        let id = unique_id(mint.branch_part, mint.now_s, &entropy.hex(2));
        if !known.contains(&id) && !(mint.forbidden)(&id) {
            return Ok(id);
        }
    }
    Err(CommandError::failed("no ID is free: each one tried belongs to another environment"))
}

/// `PART-` and ten characters: base-36 seconds, which tell the age, and four hex digits.
fn unique_id(part: &str, now_s: u64, random: &str) -> String {
    let seconds = base36(now_s, 6);
    // A branch that gives nothing leaves no dash in front.
    let dash = if part.is_empty() { "" } else { "-" };
    format!("{part}{dash}{seconds}{random}")
}

#[cfg(test)]
mod tests;
