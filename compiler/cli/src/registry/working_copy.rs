//! A working copy, as commands use it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use envc_core::KeyedDigest;
use envc_exec::ports::Entropy;
use envc_spec::PortRange;

use super::{
    Bound, CopyRecord, Document, EnvironmentRecord, FileRecord, Place, Registry, Settled,
    cache::Cache,
};
use crate::{error::CommandError, ports, repository};

/// Tries of chance until an ID is found that nothing else has; the second one is never needed.
const MINT_TRIES: usize = 16;

/// One project in one working tree, with its record in the registry.
#[derive(Debug)]
pub struct WorkingCopy {
    registry: Registry,
    place: Place,
    project: String,
    key: String,
    record: CopyRecord,
    /// What its clone was before.
    former: BTreeSet<String>,
    user: KeyedDigest,
    settled: Settled,
    belongs: Belongs,
    unfollowed: Vec<String>,
}

/// What an environment was opened with.
#[derive(Clone, Copy, Debug)]
pub struct Drawn<'a> {
    /// Its type.
    pub env_type: &'a str,
    /// Its ID.
    pub id: &'a str,
    /// The ID is this working copy's: drawn here, and not named by the spec or the command line.
    pub minted: bool,
    /// Time and chance are in it.
    pub unique: bool,
    /// Its ports.
    pub ports: &'a BTreeMap<String, u16>,
}

/// What an ID is minted from.
#[expect(missing_debug_implementations, reason = "it holds a closure")]
pub struct Mint<'a> {
    /// The type.
    pub env_type: &'a str,
    /// What the branch gives, as `envc_spec` makes it.
    pub branch_part: &'a str,
    /// Adds time and chance.
    pub unique: bool,
    /// Seconds since 1970.
    pub now_s: u64,
    /// True for an ID that the spec does not allow: another type's.
    pub forbidden: &'a dyn Fn(&str) -> bool,
}

/// Which repository a working copy was found to be of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Belongs {
    /// As it was.
    Same,
    /// It had none of its own, and has one by now. What was recorded of it goes along.
    Gained {
        /// The identity that it had.
        was: String,
    },
    /// What was made from it was made for another one, and nobody said that it goes along.
    Moved {
        /// The one that it was.
        was: String,
    },
}

/// What is asked for when a working copy is opened.
#[expect(missing_debug_implementations, reason = "chance cannot be shown")]
#[derive(Clone, Copy)]
pub struct Opening<'a> {
    /// The project's name.
    pub project: &'a str,
    /// The repository, where the spec or `origin` names one.
    pub repository: Option<&'a str>,
    /// Signs the cache.
    pub user: &'a KeyedDigest,
    /// Gives an identity to what has none.
    pub entropy: &'a dyn Entropy,
    /// Seconds since 1970.
    pub now_s: u64,
}

impl WorkingCopy {
    /// Finds or makes the record of a working copy, and frees the ports of those that are gone.
    pub fn open(
        registry: &Registry,
        place: Place,
        opening: &Opening<'_>,
    ) -> Result<Self, CommandError> {
        let project = opening.project;
        let cache = Cache::read(&place, opening.user);
        let before = cache.clone();
        let opened = registry.update(opening.now_s, |document| {
            let (key, settled) = document.settle(&place, project, cache, &Path::exists);
            document.heal(&Path::exists);
            let belongs = document.belong(&place, &key, opening);
            let former = document.former(&place, &key);
            let record = document.copy(&key, project).cloned().unwrap_or_default();
            Ok((key, settled, belongs, former, record))
        })?;
        let (key, settled, belongs, former, record) = opened;
        // What a cache of somebody else's names is not followed, and not in silence either.
        let foreign = before.foreign.as_ref().filter(|_| settled == Settled::New);
        let unfollowed = foreign.map(|cache| cache.record.environments.keys().cloned().collect());
        let this = Self {
            registry: registry.clone(),
            place,
            project: project.to_owned(),
            key,
            record,
            former,
            user: opening.user.clone(),
            settled,
            belongs,
            unfollowed: unfollowed.unwrap_or_default(),
        };
        if before.ours.as_ref() != Some(&this.cache()) {
            this.write_cache();
        }
        Ok(this)
    }

    /// The project that a folder was last worked on for, as its cache tells.
    pub fn last_project(place: &Place, user: &KeyedDigest) -> Option<String> {
        Cache::read(place, user).ours.map(|cache| cache.project)
    }

    /// What is recorded, as of the last call.
    pub fn record(&self) -> &CopyRecord {
        &self.record
    }

    /// Where it lies.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What the registry made of the folder.
    pub fn settled(&self) -> Settled {
        self.settled
    }

    /// Which repository it was found to be of.
    pub fn belongs(&self) -> &Belongs {
        &self.belongs
    }

    /// The environments that a cache names which this user's envc did not write.
    pub fn unfollowed(&self) -> &[String] {
        &self.unfollowed
    }

    /// The repository that it is recorded as.
    pub fn repository(&self) -> &str {
        self.record.repository.as_deref().unwrap_or_default()
    }

    /// What its clone was before: recorded and claimed under that name, it is its own.
    pub fn was(&self, repository: &str) -> bool {
        self.former.contains(repository)
    }

    /// A folder from which an environment of this name was applied, when this one is none, and
    /// another one is there.
    pub fn made_elsewhere(&self, id: &str) -> Result<Option<PathBuf>, CommandError> {
        if self.record.environments.get(id).is_some_and(|record| record.cloud.is_some()) {
            return Ok(None);
        }
        let document = self.registry.read()?;
        let found = document.applied_elsewhere(&self.key, &self.project, id, &Path::exists);
        Ok(found.map(Path::to_owned))
    }

    /// Takes along what was made from here for another repository.
    pub fn take_along(&mut self, repository: &str, now_s: u64) -> Result<(), CommandError> {
        self.change(now_s, |copy| copy.become_of(repository))?;
        let document = self.registry.read()?;
        self.former = document.former(&self.place, &self.key);
        self.belongs = Belongs::Same;
        Ok(())
    }

    /// An ID that nothing on this machine has; nothing is recorded yet.
    pub fn draw_id(&self, mint: &Mint<'_>, entropy: &dyn Entropy) -> Result<String, CommandError> {
        new_id(mint, &self.registry.read()?.taken_ids(&self.project), entropy)
    }

    /// The ports of an environment: what is recorded where it still can be, else new ones. Nothing
    /// is recorded yet.
    pub fn choose_ports(
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
    /// for one environment.
    pub fn record_environment(
        &mut self,
        drawn: &Drawn<'_>,
        now_s: u64,
    ) -> Result<bool, CommandError> {
        let (key, project) = (self.key.clone(), self.project.clone());
        let recorded = self.registry.update(now_s, |document| {
            let held = document.held_ports(&key, &project, drawn.id);
            let taken = drawn.unique && document.taken_ids(&project).contains(drawn.id);
            let Some(copy) = document.copy_mut(&key, &project) else { return Ok(false) };
            let other = copy.minted_id(drawn.env_type).is_some_and(|id| id != drawn.id);
            if drawn.minted && (other || (taken && copy.minted_id(drawn.env_type).is_none())) {
                return Ok(false);
            }
            if drawn.ports.values().any(|port| held.contains(port)) {
                return Ok(false);
            }
            let record = environment(copy, drawn.env_type, drawn.id);
            record.ports.clone_from(drawn.ports);
            if drawn.minted {
                record.minted_s.get_or_insert(now_s);
            }
            Ok(true)
        })?;
        self.refresh()?;
        Ok(recorded)
    }

    /// Binds the folder to an environment: its files are for that one from now on.
    pub fn bind(&mut self, env_type: &str, id: &str, now_s: u64) -> Result<(), CommandError> {
        self.change(now_s, |copy| {
            let (env_type, id) = (env_type.to_owned(), id.to_owned());
            environment(copy, &env_type, &id);
            copy.bound = Some(Bound { env_type, id });
        })
    }

    /// Records the cloud that an environment is applied to, when it is the first one.
    pub fn note_cloud(
        &mut self,
        env_type: &str,
        id: &str,
        cloud: &str,
        now_s: u64,
    ) -> Result<(), CommandError> {
        self.change(now_s, |copy| {
            let record = environment(copy, env_type, id);
            record.cloud.get_or_insert_with(|| cloud.to_owned());
        })
    }

    /// Records files that were written (`Some`) or removed (`None`).
    pub fn note_files(
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

    /// Forgets an environment that is destroyed: its ID, its ports, the binding to it.
    pub fn forget(&mut self, id: &str, now_s: u64) -> Result<(), CommandError> {
        self.change(now_s, |copy| {
            copy.environments.remove(id);
            copy.files.retain(|_, file| file.env != id);
            copy.bound = copy.bound.take().filter(|bound| bound.id != id);
        })
    }

    fn change(
        &mut self,
        now_s: u64,
        change: impl FnOnce(&mut CopyRecord),
    ) -> Result<(), CommandError> {
        let (key, project) = (self.key.clone(), self.project.clone());
        self.registry.update(now_s, |document| {
            if let Some(copy) = document.copy_mut(&key, &project) {
                change(copy);
            }
            Ok(())
        })?;
        self.refresh()
    }

    /// Takes over what is recorded now, and writes the cache when it changed.
    pub fn refresh(&mut self) -> Result<(), CommandError> {
        let document = self.registry.read()?;
        let record = document.copy(&self.key, &self.project).cloned().unwrap_or_default();
        if record != self.record {
            self.record = record;
            self.write_cache();
        }
        Ok(())
    }

    fn cache(&self) -> Cache {
        Cache::new(&self.project, &self.key, &self.place, self.record.clone(), &self.user)
    }

    /// A cache that cannot be written (a read-only checkout) is no failure: the registry has it.
    fn write_cache(&self) {
        let _written = self.cache().write(&self.place);
    }
}

impl Document {
    /// Records which repository a working copy is of. What was made for another one is not taken
    /// along in silence.
    fn belong(&mut self, place: &Place, key: &str, opening: &Opening<'_>) -> Belongs {
        let of_clone = self.identity_of_clone(place, key);
        let Some(copy) = self.copy_mut(key, opening.project) else { return Belongs::Same };
        let was = copy.repository.clone();
        // Without an origin it stays what it was, so that taking one away changes nothing.
        let now = opening
            .repository
            .map(str::to_owned)
            .or_else(|| was.clone())
            .or(of_clone)
            .unwrap_or_else(|| repository::of_working_copy(&opening.entropy.hex(8)));
        match was {
            Some(was) if was != now => {
                let gained = repository::is_working_copy(&was);
                if !gained && copy.made_something() {
                    return Belongs::Moved { was };
                }
                let tells = copy.made_something();
                if gained {
                    copy.become_of(&now);
                } else {
                    copy.repository = Some(now);
                }
                if tells { Belongs::Gained { was } } else { Belongs::Same }
            }
            _ => {
                copy.repository = Some(now);
                Belongs::Same
            }
        }
    }
}

impl CopyRecord {
    /// From now on it is of this repository, and what it was is its own, too.
    fn become_of(&mut self, repository: &str) {
        if let Some(was) = self.repository.replace(repository.to_owned())
            && was != repository
        {
            self.formerly.insert(was);
        }
        self.formerly.remove(repository);
    }
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
    if !mint.unique {
        let id = mint.branch_part.to_owned();
        if (mint.forbidden)(&id) {
            return Err(CommandError::failed(format!(
                "the branch gives the ID `{id}`, which belongs to another type of the spec"
            ))
            .hint("add `unique` to the identity, or rename the branch")
            .code("envc::cli::id_taken"));
        }
        return Ok(id);
    }
    for _ in 0..MINT_TRIES {
        let id = unique_id(mint.branch_part, mint.now_s, &entropy.hex(2));
        if !known.contains(&id) && !(mint.forbidden)(&id) {
            return Ok(id);
        }
    }
    Err(CommandError::failed("no ID is free: each one tried belongs to another environment"))
}

/// `PART-` and ten characters: base-36 seconds, which tell the age, and four hex digits.
fn unique_id(part: &str, now_s: u64, chance: &str) -> String {
    let mut digits = [b'0'; 6];
    let mut rest = now_s;
    for digit in digits.iter_mut().rev() {
        // Less than 36, so it fits.
        let value = u8::try_from(rest % 36).unwrap_or_default();
        *digit = if value < 10 { b'0' + value } else { b'a' + value - 10 };
        rest /= 36;
    }
    let seconds: String = digits.into_iter().map(char::from).collect();
    // A branch that gives nothing leaves no dash in front.
    let dash = if part.is_empty() { "" } else { "-" };
    format!("{part}{dash}{seconds}{chance}")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{clock::SystemEntropy, dirs::StateDir, env::ProcessEnv, registry::Whose};

    struct Machine {
        _keep: tempfile::TempDir,
        path: PathBuf,
        registry: Registry,
    }

    impl Machine {
        fn new() -> Self {
            let keep = tempfile::tempdir().unwrap();
            let path = keep.path().canonicalize().unwrap();
            let state = path.join("state");
            let env = ProcessEnv::from_pairs([("ENVC_STATE_DIR", state.to_str().unwrap())]);
            let registry = Registry::new(&StateDir::open(&env, &path).unwrap());
            Self { _keep: keep, path, registry }
        }

        fn open(&self, name: &str) -> (WorkingCopy, Settled) {
            let copy = self.open_as(name, None);
            let settled = copy.settled();
            (copy, settled)
        }

        fn open_as(&self, name: &str, repository: Option<&str>) -> WorkingCopy {
            let root = self.path.join(name);
            fs::create_dir_all(&root).unwrap();
            let (top, git_dir) = (root.clone(), None);
            let place = Place { root, spec: None, top, git_dir, common_dir: None };
            self.open_at(place, repository)
        }

        fn open_at(&self, place: Place, repository: Option<&str>) -> WorkingCopy {
            let opening = Opening {
                project: "shop",
                repository,
                user: &KeyedDigest::new("k"),
                entropy: &SystemEntropy::new(&ProcessEnv::default()),
                now_s: 1,
            };
            WorkingCopy::open(&self.registry, place, &opening).unwrap()
        }

        fn mint(copy: &mut WorkingCopy) -> String {
            let mint = Mint {
                env_type: "local",
                branch_part: "main",
                unique: true,
                now_s: 1_760_000_000,
                forbidden: &|_| false,
            };
            loop {
                let known = copy.record().minted_id("local").map(str::to_owned);
                let drawn = copy.draw_id(&mint, &SystemEntropy::new(&ProcessEnv::default()));
                let id = known.unwrap_or(drawn.unwrap());
                if record(copy, &id, &BTreeMap::new()) {
                    return id;
                }
            }
        }
    }

    fn record(copy: &mut WorkingCopy, id: &str, ports: &BTreeMap<String, u16>) -> bool {
        let drawn = Drawn { env_type: "local", id, minted: true, unique: true, ports };
        copy.record_environment(&drawn, 1_760_000_000).unwrap()
    }

    #[test]
    fn a_unique_id_tells_its_age_in_eleven_characters() {
        let id = unique_id("main", 1_760_000_000, "beef");
        assert!(id.starts_with("main-") && id.ends_with("beef"), "{id}");
        assert_eq!(u64::from_str_radix(&id[5..11], 36), Ok(1_760_000_000));
        assert_eq!(id.len(), "main".len() + envc_core::limits::ID_UNIQUE_CHARS);
        assert_eq!(unique_id("", 0, "0000"), "0000000000");
    }

    #[test]
    fn an_id_is_minted_once_and_a_fixed_one_of_another_type_is_refused() {
        let machine = Machine::new();
        let (mut copy, settled) = machine.open("a");
        assert_eq!(settled, Settled::New);
        let id = Machine::mint(&mut copy);
        assert_eq!(Machine::mint(&mut copy), id);
        let (mut one, mut other) = (machine.open("b").0, machine.open("b").0);
        assert_eq!(Machine::mint(&mut one), Machine::mint(&mut other));
        let (copy, settled) = machine.open("a");
        assert_eq!((copy.record().minted_id("local"), settled), (Some(&*id), Settled::Known));
        let mint = Mint {
            env_type: "x",
            branch_part: "production",
            unique: false,
            now_s: 1,
            forbidden: &|id| id == "production",
        };
        let entropy = SystemEntropy::new(&ProcessEnv::default());
        assert!(new_id(&mint, &BTreeSet::new(), &entropy).is_err());
    }

    #[test]
    fn real_folders_moved_copied_cleaned_and_a_lost_registry() {
        let machine = Machine::new();
        let (mut copy, _) = machine.open("a");
        let id = Machine::mint(&mut copy);

        // git clean -fdx
        fs::remove_dir_all(machine.path.join("a/.envc")).unwrap();
        assert_eq!(machine.open("a").0.record().minted_id("local"), Some(&*id));

        // mv a b
        fs::rename(machine.path.join("a"), machine.path.join("b")).unwrap();
        let (moved, settled) = machine.open("b");
        assert_eq!((moved.record().minted_id("local"), settled), (Some(&*id), Settled::Moved));

        // cp -r b c
        fs::create_dir_all(machine.path.join("c/.envc")).unwrap();
        let cache = ".envc/working-copy.json";
        fs::copy(machine.path.join("b").join(cache), machine.path.join("c").join(cache)).unwrap();
        let (mut copied, settled) = machine.open("c");
        assert_eq!(settled, Settled::Copied);
        assert_ne!(Machine::mint(&mut copied), id);

        // the registry is lost
        fs::remove_file(machine.path.join("state/registry.json")).unwrap();
        let (restored, settled) = machine.open("b");
        assert_eq!(
            (restored.record().minted_id("local"), settled),
            (Some(&*id), Settled::Restored)
        );
    }

    #[test]
    fn ports_are_stable_apart_and_freed_with_their_folder() {
        let machine = Machine::new();
        // A range that nothing else on the machine is likely to use.
        let ranges =
            BTreeMap::from([("web".to_owned(), PortRange { first: 21_311, last: 21_339 })]);
        let (mut a, _) = machine.open("a");
        let (mut b, _) = machine.open("b");
        // Chosen at once, they are the same; who records them second chooses again.
        let of_a = a.choose_ports("a-1", &ranges).unwrap();
        assert_eq!(b.choose_ports("b-1", &ranges).unwrap(), of_a);
        assert!(record(&mut a, "a-1", &of_a));
        assert!(!record(&mut b, "b-1", &of_a));
        let of_b = b.choose_ports("b-1", &ranges).unwrap();
        assert_ne!(of_a, of_b);
        assert!(record(&mut b, "b-1", &of_b));
        assert_eq!(a.choose_ports("a-1", &ranges).unwrap(), of_a);
        fs::remove_dir_all(machine.path.join("a")).unwrap();
        let (c, _) = machine.open("c");
        assert_eq!(c.choose_ports("c-1", &ranges).unwrap(), of_a);
    }

    #[test]
    fn two_processes_that_open_at_once_lose_nothing() {
        let machine = Machine::new();
        std::thread::scope(|scope| {
            for number in 0..8 {
                let machine = &machine;
                scope.spawn(move || {
                    let (mut copy, _) = machine.open(&format!("wt{number}"));
                    Machine::mint(&mut copy);
                });
            }
        });
        assert_eq!(machine.registry.read().unwrap().taken_ids("shop").len(), 8);
    }

    #[test]
    fn binding_clouds_and_files_are_recorded_and_forgotten_together() {
        let machine = Machine::new();
        let (mut copy, _) = machine.open("a");
        copy.bind("local", "a-1", 1).unwrap();
        copy.note_cloud("local", "a-1", "local", 1).unwrap();
        copy.note_cloud("local", "a-1", "cloudflare", 1).unwrap();
        let file = FileRecord {
            env: "a-1".into(),
            digest: envc_core::Digest::of("x"),
            fingerprint: envc_core::Digest::of("y"),
            mode: 0o600,
            pending: None,
        };
        copy.note_files(BTreeMap::from([(".env".to_owned(), Some(file))]), 1).unwrap();
        let (mut copy, _) = machine.open("a");
        assert_eq!(copy.record().bound.as_ref().map(|bound| bound.id.as_str()), Some("a-1"));
        let document = machine.registry.read().unwrap();
        let repository = copy.repository().to_owned();
        let whose = Whose { project: "shop", repository: &repository };
        assert_eq!(document.first_cloud(&whose, "a-1"), Some("local"));
        copy.forget("a-1", 2).unwrap();
        let repository = Some(repository);
        assert_eq!(*copy.record(), CopyRecord { repository, ..CopyRecord::default() });
    }

    #[test]
    fn an_id_that_another_process_minted_here_meanwhile_is_the_one() {
        let machine = Machine::new();
        let (mut one, mut other) = (machine.open("a").0, machine.open("a").0);
        let id = Machine::mint(&mut one);
        assert!(!record(&mut other, "main-another", &BTreeMap::new()));
        assert_eq!(other.record().minted_id("local"), Some(&*id));
        assert!(record(&mut other, &id, &BTreeMap::new()));
        // One that a namesake of another folder has is drawn again.
        let mut third = machine.open("b").0;
        assert!(!record(&mut third, &id, &BTreeMap::new()));
    }

    const A: &str = "git.example/a/shop";
    const B: &str = "git.example/b/shop";

    #[test]
    fn a_working_copy_without_an_origin_has_an_identity_that_its_worktrees_share() {
        let machine = Machine::new();
        let worktree = |name: &str| {
            let root = machine.path.join(name);
            fs::create_dir_all(&root).unwrap();
            let common_dir = Some(machine.path.join("main/.git"));
            let git_dir = Some(machine.path.join(format!("main/.git/worktrees/{name}")));
            Place { top: root.clone(), root, spec: None, git_dir, common_dir }
        };
        let first = machine.open_at(worktree("one"), None);
        assert!(repository::is_working_copy(first.repository()), "{first:?}");
        assert_eq!(machine.open_at(worktree("one"), None).repository(), first.repository());
        assert_eq!(machine.open_at(worktree("two"), None).repository(), first.repository());
        assert_ne!(machine.open("elsewhere").0.repository(), first.repository());
        // It gains an origin: what was recorded goes along, from every worktree.
        let mut one = machine.open_at(worktree("one"), None);
        Machine::mint(&mut one);
        let was = first.repository().to_owned();
        let one = machine.open_at(worktree("one"), Some(A));
        assert_eq!((one.repository(), one.belongs()), (A, &Belongs::Gained { was: was.clone() }));
        let new = machine.open_at(worktree("new"), Some(A));
        assert_eq!((new.belongs(), new.was(&was)), (&Belongs::Same, true));
        // Without an origin again it stays what it was.
        assert_eq!(machine.open_at(worktree("one"), None).repository(), A);
        assert!(!machine.open_as("elsewhere", Some(A)).was(&was));
    }

    #[test]
    fn another_origin_takes_nothing_along_until_somebody_says_so() {
        let machine = Machine::new();
        // Nothing was made: there is nothing to lose.
        machine.open_as("a", Some(A));
        let copy = machine.open_as("a", Some(B));
        assert_eq!((copy.repository(), copy.belongs(), copy.was(A)), (B, &Belongs::Same, false));
        let mut copy = machine.open_as("a", Some(A));
        Machine::mint(&mut copy);
        let mut copy = machine.open_as("a", Some(B));
        let moved = Belongs::Moved { was: A.to_owned() };
        assert_eq!((copy.repository(), copy.belongs()), (A, &moved));
        copy.take_along(B, 2).unwrap();
        assert_eq!((copy.repository(), copy.belongs(), copy.was(A)), (B, &Belongs::Same, true));
        assert_eq!(machine.open_as("a", Some(B)).belongs(), &Belongs::Same);
    }
}
