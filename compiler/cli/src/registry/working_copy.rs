//! A working copy, as commands use it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use envc_exec::ports::Entropy;
use envc_spec::PortRange;

use super::{
    Bound, CopyRecord, EnvironmentRecord, FileRecord, Place, Registry, Settled, cache::Cache,
};
use crate::{error::CommandError, ports};

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

impl WorkingCopy {
    /// Finds or makes the record of a working copy, and frees the ports of those that are gone.
    pub fn open(
        registry: &Registry,
        place: Place,
        project: &str,
        now_s: u64,
    ) -> Result<(Self, Settled), CommandError> {
        let cache = Cache::read(&place.root);
        let before = cache.clone();
        let (key, settled, record) = registry.update(now_s, |document| {
            let (key, settled) = document.settle(&place, project, cache, &Path::exists);
            document.heal(&Path::exists);
            let record = document.copy(&key, project).cloned().unwrap_or_default();
            Ok((key, settled, record))
        })?;
        let project = project.to_owned();
        let this = Self { registry: registry.clone(), place, project, key, record };
        if before.as_ref() != Some(&this.cache()) {
            this.write_cache();
        }
        Ok((this, settled))
    }

    /// The project that a folder was last worked on for, as its cache tells.
    pub fn last_project(root: &Path) -> Option<String> {
        Cache::read(root).map(|cache| cache.project)
    }

    /// What is recorded, as of the last call.
    pub fn record(&self) -> &CopyRecord {
        &self.record
    }

    /// Where it lies.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The ID minted here for the type, or a new one, recorded before it is given out.
    pub fn mint(&mut self, mint: &Mint<'_>, entropy: &dyn Entropy) -> Result<String, CommandError> {
        if let Some(id) = self.record.minted_id(mint.env_type) {
            return Ok(id.to_owned());
        }
        let (key, project) = (self.key.clone(), self.project.clone());
        let id = self.registry.update(mint.now_s, |document| {
            // Another process may have minted it here since the record was read: two commands at
            // once in a new folder are for one environment.
            let minted = document.copy(&key, &project).and_then(|it| it.minted_id(mint.env_type));
            if let Some(id) = minted {
                return Ok(id.to_owned());
            }
            let known = document.known_ids(&project);
            let id = new_id(mint, &known, entropy)?;
            if let Some(copy) = document.copy_mut(&key, &project) {
                let record = EnvironmentRecord {
                    env_type: mint.env_type.to_owned(),
                    minted_s: Some(mint.now_s),
                    ..EnvironmentRecord::default()
                };
                copy.environments.insert(id.clone(), record);
            }
            Ok(id)
        })?;
        self.refresh()?;
        Ok(id)
    }

    /// The ports of an environment: what is recorded where it still can be, else new ones.
    pub fn assign_ports(
        &mut self,
        env_type: &str,
        id: &str,
        ranges: &BTreeMap<String, PortRange>,
        now_s: u64,
    ) -> Result<BTreeMap<String, u16>, CommandError> {
        let (key, project) = (self.key.clone(), self.project.clone());
        let chosen = self.registry.update(now_s, |document| {
            let held = document.held_ports(&key, &project, id);
            let Some(copy) = document.copy_mut(&key, &project) else {
                return ports::choose(ranges, &BTreeMap::new(), &held, &ports::is_free);
            };
            let recorded = copy.environments.get(id).map(|record| record.ports.clone());
            let chosen =
                ports::choose(ranges, &recorded.unwrap_or_default(), &held, &ports::is_free)?;
            environment(copy, env_type, id).ports.clone_from(&chosen);
            Ok(chosen)
        })?;
        self.refresh()?;
        Ok(chosen)
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
        Cache::new(&self.project, &self.key, &self.place, self.record.clone())
    }

    /// A cache that cannot be written (a read-only checkout) is no failure: the registry has it.
    fn write_cache(&self) {
        let _written = self.cache().write();
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
    use std::{fs, path::PathBuf};

    use super::*;
    use crate::{clock::SystemEntropy, dirs::StateDir, env::ProcessEnv};

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
            let folder = self.path.join(name);
            fs::create_dir_all(&folder).unwrap();
            let place = Place { root: folder.clone(), folder, git_dir: None };
            WorkingCopy::open(&self.registry, place, "shop", 1).unwrap()
        }

        fn mint(copy: &mut WorkingCopy) -> String {
            let mint = Mint {
                env_type: "local",
                branch_part: "main",
                unique: true,
                now_s: 1_760_000_000,
                forbidden: &|_| false,
            };
            copy.mint(&mint, &SystemEntropy::new(&ProcessEnv::default())).unwrap()
        }
    }

    #[test]
    fn a_unique_id_tells_its_age_in_eleven_characters() {
        let id = unique_id("main", 1_760_000_000, "beef");
        assert!(id.starts_with("main-") && id.ends_with("beef"), "{id}");
        assert_eq!(u64::from_str_radix(id.get(5..11).unwrap(), 36), Ok(1_760_000_000));
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
        let of_a = a.assign_ports("local", "a-1", &ranges, 1).unwrap();
        let of_b = b.assign_ports("local", "b-1", &ranges, 1).unwrap();
        assert_ne!(of_a, of_b);
        assert_eq!(a.assign_ports("local", "a-1", &ranges, 2).unwrap(), of_a);
        fs::remove_dir_all(machine.path.join("a")).unwrap();
        let (mut c, _) = machine.open("c");
        assert_eq!(c.assign_ports("local", "c-1", &ranges, 3).unwrap(), of_a);
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
        assert_eq!(machine.registry.read().unwrap().known_ids("shop").len(), 8);
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
        assert_eq!(document.first_cloud("shop", "a-1"), Some("local"));
        copy.forget("a-1", 2).unwrap();
        assert_eq!(*copy.record(), CopyRecord::default());
    }
}
