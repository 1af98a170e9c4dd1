//! Working copies on a machine of their own.

use std::{fs, path::PathBuf};

use super::*;
use crate::{
    host::{clock::SystemEntropy, env::ProcessEnv},
    workspace::{dirs::StateDir, registry::Whose, repository},
};

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
        let place = Location { root, spec: None, top, git_dir, common_dir: None };
        self.open_at(place, repository)
    }

    fn open_at(&self, place: Location, repository: Option<&str>) -> WorkingCopy {
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
        let mint = Mint { branch_part: "main", now_s: 1_760_000_000, forbidden: &|_| false };
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
    let drawn = Drawn { env_type: "local", id, minted: true, unique: true, protect: false, ports };
    copy.record_environment(&drawn, 1_760_000_000).unwrap()
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
        branch_part: "production",
        now_s: 1,
        forbidden: &|id| id.starts_with("production-"),
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
    copy.leave_traces(1).unwrap();
    fs::remove_dir_all(machine.path.join("a/.envc")).unwrap();
    let (mut cleaned, _) = machine.open("a");
    assert_eq!(cleaned.record().minted_id("local"), Some(&*id));
    assert!(!machine.path.join("a/.envc").exists(), "a look leaves nothing");
    cleaned.leave_traces(1).unwrap();

    // mv a b
    fs::rename(machine.path.join("a"), machine.path.join("b")).unwrap();
    let (mut moved, settled) = machine.open("b");
    assert_eq!((moved.record().minted_id("local"), settled), (Some(&*id), Settled::Moved));
    moved.leave_traces(1).unwrap();

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
    assert_eq!((restored.record().minted_id("local"), settled), (Some(&*id), Settled::Restored));
}

#[test]
fn ports_are_stable_apart_and_freed_with_their_folder() {
    let machine = Machine::new();
    // A range that nothing else on the machine is likely to use.
    let ranges = BTreeMap::from([("web".to_owned(), PortRange { first: 21_311, last: 21_339 })]);
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
    let at = |cloud: &str, account: &str| AppliedTo {
        cloud: cloud.into(),
        account: Some(account.into()),
        api: None,
    };
    let (near, far) = (at("local", "l"), at("cloudflare", "a"));
    copy.record_applied(("local", "a-1"), &near, true, 1).unwrap();
    copy.record_applied(("local", "a-1"), &far, true, 1).unwrap();
    let file = FileRecord {
        env: "a-1".into(),
        of: Some(far.key()),
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
    assert_eq!(document.cloud_of(&whose, "a-1"), Some("cloudflare"));
    // What is destroyed in one account stays known of the other.
    let none = BTreeSet::new();
    copy.forget("a-1", &near, &none, 2).unwrap();
    assert_eq!(copy.record().environments["a-1"].all_applied(), std::slice::from_ref(&far));
    assert!(copy.record().bound.is_some() && copy.record().files.len() == 1);
    copy.forget("a-1", &far, &BTreeSet::from([".env".to_owned()]), 2).unwrap();
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
        Location { top: root.clone(), root, spec: None, git_dir, common_dir }
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
