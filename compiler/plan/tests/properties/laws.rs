//! The laws, each over random histories: a spec is applied, perhaps killed on the way; the
//! account and the record are disturbed; then another spec is planned.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Desired, Digest, KeyedDigest, KindId, Mode, RepositoryDigest, Sealer};
use envc_kinds::{Mutability, kind};
use envc_plan::{
    Action, Asked, Goal, MigrationFile, Observation, Operation, Ownership, Plan, PlanInputs,
    Refusal, Verb, check, keep_with_needs, plan_apply, plan_destroy,
};
use envc_spec::Lease;
use proptest::{
    collection::vec,
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{RngSeed, TestRunner},
};
use serde_json::json;

use crate::{
    account::{Account, Object, REPOSITORY, key},
    specs::{Spec, ZONE, graph_respelt, sample, spec},
};

/// One disturbance: what, of which, how.
type Blow = (u8, usize, usize);

static NO_SEEDS: BTreeMap<Address, MigrationFile> = BTreeMap::new();

/// Everything before the plan under test.
#[derive(Clone, Debug)]
struct History {
    first: Spec,
    /// Killed after this many steps, and whether the last outcome was recorded.
    killed: Option<(usize, bool)>,
    blows: Vec<Blow>,
    second: Spec,
    /// The pools leased from before, and now: a bit each.
    leases: (u8, u8),
    proof: (bool, bool, bool),
    protect: bool,
    /// The addresses that protection is taken from, a bit each.
    unprotect: u64,
}

fn history() -> impl Strategy<Value = History> {
    let killed = prop::option::of((0..12_usize, any::<bool>()));
    let blows = vec((0..9_u8, 0..64_usize, 0..64_usize), 0..6);
    let proof = (any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    let protect = prop::bool::weighted(0.2);
    let leases = (0..4_u8, 0..4_u8);
    (spec(), killed, blows, spec(), leases, proof, protect, any::<u64>()).prop_map(
        |(first, killed, blows, second, leases, proof, protect, unprotect)| History {
            first,
            killed,
            blows,
            second,
            leases,
            proof,
            protect,
            unprotect,
        },
    )
}

struct World {
    account: Account,
    desired: BTreeMap<Address, Desired>,
    migrations: BTreeMap<Address, Vec<MigrationFile>>,
    leases: BTreeMap<String, Lease>,
    ownership: Ownership,
    sealer: Sealer,
    protect: bool,
    asked: Asked,
}

static NONE: BTreeSet<Address> = BTreeSet::new();

/// A lease from each pool whose bit is set.
fn leases(bits: u8) -> BTreeMap<String, Lease> {
    let pools = ["a", "b"].into_iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
    let lease = |pool: &str| Lease {
        pool: pool.into(),
        attributes: BTreeMap::new(),
        span: envc_core::Span::default(),
    };
    pools.map(|(_, pool)| (format!("lease-{pool}"), lease(pool))).collect()
}

impl History {
    fn play(&self) -> World {
        let (registered, per_pr, adopt) = self.proof;
        let desired = self.first.graph(false, &[]);
        // What is asked for is taken over, whatever it is.
        let second = self.second.graph(false, &[]);
        let all = desired.keys().chain(second.keys()).filter(|_| adopt).cloned().collect();
        let ownership = Ownership {
            project: "p".into(),
            prefix: "p".into(),
            env: "e".into(),
            repository: RepositoryDigest::of(REPOSITORY),
            registered,
            per_pr,
            claimed: per_pr,
            adopt: all,
            ..Ownership::default()
        };
        let mut world = World {
            account: Account::default(),
            migrations: self.first.migrations(&desired),
            desired,
            leases: leases(self.leases.0),
            ownership,
            sealer: Sealer::new(KeyedDigest::new([0; 32]), "p", "e"),
            protect: false,
            asked: Asked::default(),
        };
        if let Ok(plan) = world.plan_apply() {
            let (steps, lost) = self.killed.unwrap_or((usize::MAX, false));
            world.account.apply(&plan, steps, lost);
        }
        let names: Vec<(KindId, String)> = self
            .second
            .graph(false, &[])
            .values()
            .filter(|wanted| wanted.parent.is_none())
            .map(|wanted| (wanted.address.kind(), wanted.name.clone()))
            .collect();
        self.blows.iter().for_each(|blow| world.suffer(*blow, &names));
        world.protect = self.protect;
        world.leases = leases(self.leases.1);
        world.desired = self.second.graph(self.protect, &world.account.ids());
        world.migrations = self.second.migrations(&world.desired);
        let recorded = world.account.state.iter().flat_map(|state| state.resources.keys());
        let all: BTreeSet<Address> = recorded.chain(world.desired.keys()).cloned().collect();
        let bits = all.into_iter().enumerate();
        let chosen = bits.filter(|(bit, _)| self.unprotect >> (bit % 64) & 1 == 1);
        world.asked.unprotect = chosen.map(|(_, address)| address).collect();
        world
    }
}

impl World {
    fn inputs<'a>(
        &'a self,
        observation: &'a Observation,
        keep: &'a BTreeSet<Address>,
    ) -> PlanInputs<'a> {
        PlanInputs {
            key: key(),
            repository: REPOSITORY.into(),
            env_type: "local".into(),
            spec: Digest::of("spec"),
            protect: self.protect,
            sealer: &self.sealer,
            desired: &self.desired,
            leases: &self.leases,
            state: self.account.state.as_ref(),
            observation,
            ownership: &self.ownership,
            keep,
            migrations: &self.migrations,
            seeds: &NO_SEEDS,
            asked: self.asked.clone(),
        }
    }

    fn observe(&self) -> Observation {
        let leases = self.account.observe_leases(&self.leases);
        Observation { leases, ..self.account.observe(&self.desired) }
    }

    fn plan_apply(&self) -> Result<Plan, Vec<Refusal>> {
        let observation = self.observe();
        plan_apply(&self.inputs(&observation, &NONE)).map_err(|refused| refused.refusals)
    }

    fn plan_destroy(&self, keep: &BTreeSet<Address>) -> Result<Plan, Vec<Refusal>> {
        let observation = self.observe();
        let mut inputs = self.inputs(&observation, keep);
        inputs.asked.unprotect.clear();
        plan_destroy(&inputs).map_err(|refused| refused.refusals)
    }

    fn suffer(&mut self, (what, which, how): Blow, names: &[(KindId, String)]) {
        let account = &mut self.account;
        let ids = account.ids();
        let at = |n: usize| ids.get(n % ids.len().max(1)).cloned();
        match what {
            0 => {
                if let Some((id, api_id)) = at(which) {
                    account.remove(id, &api_id);
                }
            }
            1 => {
                let Some((id, api_id)) = at(which) else { return };
                let attrs: Vec<_> = kind(id)
                    .attrs()
                    .iter()
                    .filter(|attr| attr.mutability == Mutability::InPlace)
                    // The comment holds the proof of ownership.
                    .filter(|attr| !matches!(attr.name, "name" | "comment"))
                    .filter(|attr| !attr.samples.is_empty())
                    .collect();
                let Some(attr) = attrs.get(how % attrs.len().max(1)) else { return };
                let object = account.objects.get_mut(&(id, api_id)).unwrap();
                object.fields.insert(attr.name.into(), sample(id, attr.name, which));
            }
            2 => {
                let Some((id, api_id)) = at(which) else { return };
                let renames =
                    kind(id).renames() && kind(id).declared().is_some() && !kind(id).in_zone();
                let name = format!("other-{how}");
                if renames && !account.is_taken(id, &name, &api_id) {
                    account.objects.get_mut(&(id, api_id)).unwrap().name = name;
                }
            }
            3 => {
                if let Some(state) = &mut account.state {
                    let lost = state.resources.keys().nth(which % 8).cloned();
                    state.resources.retain(|address, recorded| {
                        Some(address) != lost.as_ref() && recorded.parent != lost || lost.is_none()
                    });
                }
            }
            4 if how % 4 == 0 => account.state = None,
            4 if how % 4 == 1 => drop(account.pools.pop_first()),
            5 => {
                if let Some((id, name)) = names.get(which % names.len().max(1)) {
                    self.namesake(*id, name, how);
                }
            }
            6 => {
                let id = crate::specs::SIMPLE[which % crate::specs::SIMPLE.len()];
                self.namesake(id, &format!("theirs-{how}"), how);
            }
            8 => {
                // Restored, or migrated by somebody else.
                let mut databases =
                    account.objects.iter_mut().filter(|((id, _), _)| *id == KindId::D1);
                if let Some((_, database)) = databases.nth(which % 3) {
                    match how % 3 {
                        0 => database.tables.clear(),
                        1 => drop(database.tables.pop_first()),
                        _ => drop(database.tables.insert(format!("{}.sql", how % 5))),
                    }
                }
            }
            7 => self.namesake(KindId::Dns, &format!("CNAME h{}.{ZONE}", which % 3), how),
            _ => {}
        }
    }

    /// Somebody else makes something, where the API lets them.
    fn namesake(&mut self, id: KindId, name: &str, how: usize) {
        if self.account.is_taken(id, name, "") {
            return;
        }
        let mut fields = BTreeMap::new();
        if let Some((record_type, host)) = name.split_once(' ') {
            let comment =
                ["", "envc:p/e", "envc:p/e words", "envc:p/e2/a", "envc:q/e/a words", "envc:p/e/"]
                    [how % 6];
            fields = BTreeMap::from([
                ("type".into(), json!(record_type)),
                ("name".into(), json!(host)),
                ("content".into(), json!("203.0.113.9")),
                ("comment".into(), json!(comment)),
            ]);
        }
        let object = Object { name: name.into(), fields, foreign: true, ..Object::default() };
        self.account.add(id, object);
    }

    /// Is there a proof that something foreign may be touched? Written from the rules, not from
    /// the planner.
    fn may_touch(&self, id: KindId, api_id: &str) -> bool {
        let Some(object) = self.account.objects.get(&(id, api_id.to_owned())) else { return true };
        let ours = &self.ownership;
        let namesake = self.desired.values().any(|wanted| {
            let reads_back = object.name == format!("p--{}--e", wanted.address.name());
            let adopted = ours.adopt.contains(&wanted.address);
            let named = ours.registered || adopted || (ours.per_pr && reads_back);
            wanted.is_managed()
                && wanted.address.kind() == id
                && kind(id).collides(&wanted.name, &object.name)
                && named
        });
        let intended = self.account.state.iter().flat_map(|state| &state.intents).any(|intent| {
            intent.id.as_deref() == Some(api_id)
                || (intent.address.kind() == id && kind(id).collides(&intent.name, &object.name))
        });
        // Where the name is the identifier, nothing tells another one from the one recorded.
        let recorded = matches!(id, KindId::R2 | KindId::Worker)
            && self
                .account
                .state
                .iter()
                .flat_map(|state| state.resources.values())
                .any(|recorded| recorded.id == api_id);
        // A name that reads back tells its label, whether the spec has it or not.
        let label = object.name.strip_prefix("p--").and_then(|rest| rest.strip_suffix("--e"));
        let read_back = label.filter(|_| kind(id).is_named()).is_some_and(|label| {
            let asked = ours.adopt.contains(&Address::new(id, label));
            !label.contains("--") && (ours.registered || ours.per_pr || asked)
        });
        !object.foreign || namesake || read_back || intended || recorded
    }

    /// Identifiers of what is `existing`.
    fn existing(&self) -> BTreeSet<(KindId, String)> {
        let mut found = BTreeSet::new();
        for wanted in self.desired.values() {
            let id = wanted.address.kind();
            match &wanted.mode {
                Mode::Managed => {}
                Mode::ExistingId(api_id) => drop(found.insert((id, api_id.clone()))),
                Mode::ExistingName => {
                    let mut all = self.account.objects.iter();
                    let seen = all.find(|((k, _), it)| *k == id && it.name == wanted.name);
                    found.extend(seen.map(|(key, _)| key.clone()));
                }
            }
        }
        found
    }
}

/// What a plan's steps change or delete: kind, identifier, is it a delete.
fn touched(plan: &Plan) -> Vec<(Address, String, bool)> {
    let operations = plan.steps.iter().flat_map(|step| step.work.operations());
    let one = |it: Operation<'_>| {
        let deletes = it.verb != Verb::Update;
        Some((it.subject.address()?.clone(), it.id?.to_owned(), deletes))
    };
    operations.filter_map(one).collect()
}

fn lawful(world: &World, plan: &Plan) {
    // Invariant: the checker accepts every plan that the planner makes.
    let checked = check(plan.clone());
    assert!(checked.is_ok(), "{checked:#?}\n{plan:#?}");
    let existing = world.existing();
    let mut seen = BTreeSet::new();
    for (address, api_id, deletes) in touched(plan) {
        let id = address.kind();
        // Invariant: nothing unowned is ever changed or deleted.
        assert!(world.may_touch(id, &api_id), "{id:?} {api_id} is not ours\n{plan:#?}");
        // Invariant: what is `existing` is never changed or deleted.
        assert!(!existing.contains(&(id, api_id.clone())), "{api_id} is existing\n{plan:#?}");
        // Invariant: `protect` refuses every delete, but of what it was taken from.
        let spared = !world.protect || world.asked.unprotect.contains(&address);
        assert!(!deletes || spared, "{address} {api_id} is protected\n{plan:#?}");
        seen.insert((id, api_id));
    }
    if plan.basis.goal == Goal::Apply {
        lawful_migrations(world, plan);
    }
}

/// Invariants: nothing runs that the ledger has, and what it lacks runs, in the order of the files;
/// no migration of what is `existing` runs.
fn lawful_migrations(world: &World, plan: &Plan) {
    for change in plan.changes.iter().filter(|change| !change.deposed) {
        let Some(files) = world.migrations.get(&change.address) else { continue };
        let goes = matches!(change.action, Action::Delete | Action::Forget) && !change.existing;
        let ledger: BTreeSet<String> = match change.staying_id() {
            Some(id) => world.account.objects[&(KindId::D1, id.to_owned())].tables.clone(),
            None => BTreeSet::new(),
        };
        let lacks = files.iter().map(|file| &file.name).filter(|name| !ledger.contains(*name));
        let lacks: Vec<&String> = lacks.filter(|_| !goes).collect();
        let steps =
            plan.steps.iter().filter(|step| step.work.addresses().any(|it| *it == change.address));
        let runs = steps.flat_map(|step| step.work.migrations()).map(|file| &file.name);
        let runs: Vec<&String> = runs.collect();
        let wanted = if change.existing { &[][..] } else { &lacks };
        assert_eq!(runs, wanted, "{}: {plan:#?}", change.address);
        if !goes {
            let told: Vec<&String> = plan.migrations[&change.address].pending.iter().collect();
            assert_eq!(told, lacks, "{}: {plan:#?}", change.address);
        }
    }
}

fn no_bug(refusals: &[Refusal]) {
    let bug = refusals.iter().find(|refusal| refusal.code == "envc::plan::bug");
    assert_eq!(bug, None);
}

fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        // The same cases in every run; for a long run raise `cases` and change the seed.
        rng_seed: RngSeed::Fixed(7),
        ..ProptestConfig::with_cases(1_000)
    }
}

proptest! {
    #![proptest_config(config())]

    /// Invariant: after any successful apply a plan is empty, with every server default filled in.
    #[test]
    fn an_applied_plan_leaves_nothing_to_do(history in history()) {
        let mut world = history.play();
        match world.plan_apply() {
            Err(refusals) => no_bug(&refusals),
            Ok(plan) => {
                lawful(&world, &plan);
                world.account.apply(&plan, usize::MAX, false);
                let again = world.plan_apply();
                let again = again.unwrap_or_else(|error| panic!("{error:#?}\n{plan:#?}"));
                prop_assert!(again.is_empty(), "first {plan:#?}\nthen {again:#?}");
            }
        }
    }

    /// Invariant: another spelling of what was applied is no difference.
    #[test]
    fn a_spec_written_differently_asks_for_the_same(history in history()) {
        let mut world = history.play();
        if let Ok(plan) = world.plan_apply() {
            world.account.apply(&plan, usize::MAX, false);
            world.desired = graph_respelt(&world.desired);
            let again = world.plan_apply();
            let again = again.unwrap_or_else(|error| panic!("{error:#?}\n{plan:#?}"));
            prop_assert!(again.is_empty(), "first {plan:#?}\nthen {again:#?}");
        }
    }

    /// Invariant: killed after any step, what is planned next completes it.
    #[test]
    fn a_killed_apply_is_completed_by_the_next(
        history in history(), steps in 0..14_usize, lost in any::<bool>(),
    ) {
        let mut world = history.play();
        if let Ok(plan) = world.plan_apply() {
            world.account.apply(&plan, steps, lost);
            let next = match world.plan_apply() {
                Ok(next) => next,
                Err(refusals) => {
                    // A protected replace that was begun may be refused; nothing else.
                    prop_assert!(world.protect, "{refusals:#?}\nafter {plan:#?}");
                    return Ok(());
                }
            };
            lawful(&world, &next);
            world.account.apply(&next, usize::MAX, false);
            let again = world.plan_apply().unwrap();
            prop_assert!(again.is_empty(), "then {again:#?}");
        }
    }

    /// Invariant: the same inputs give the same bytes, whatever order they came in.
    #[test]
    fn a_plan_does_not_depend_on_order(history in history()) {
        let world = history.play();
        let mut observation = world.observe();
        let keep = BTreeSet::new();
        let one = plan_apply(&world.inputs(&observation, &keep)).map(|it| it.to_bytes().unwrap());
        for seen in observation.found.values_mut() {
            seen.reverse();
        }
        let other = plan_apply(&world.inputs(&observation, &keep)).map(|it| it.to_bytes().unwrap());
        prop_assert_eq!(one, other);
    }

    /// Invariant: under `protect` a plan names exactly what goes: the checker takes none that names one
    /// too few or one too many.
    #[test]
    fn what_goes_under_protect_is_named_exactly(history in history()) {
        let world = History { protect: true, ..history }.play();
        let Ok(plan) = world.plan_apply() else { return Ok(()) };
        for change in &plan.changes {
            let mut other = plan.clone();
            if !other.basis.unprotected.remove(&change.address) {
                other.basis.unprotected.insert(change.address.clone());
            }
            prop_assert!(check(other).is_err(), "{}\n{plan:#?}", change.address);
        }
    }

    /// Invariant: a plan document reads back as it was, and stays sound.
    #[test]
    fn a_plan_survives_its_document(history in history()) {
        let world = history.play();
        if let Ok(plan) = world.plan_apply() {
            prop_assert_eq!(Plan::parse(&plan.to_bytes().unwrap()), Ok(plan));
        }
    }

    /// Invariant: a destroy leaves only what is foreign, `existing` or kept, and a destroy that
    /// is killed is completed by the next.
    #[test]
    fn a_destroy_leaves_only_what_is_not_ours(
        history in history(), steps in 0..14_usize, keeps in any::<bool>(),
    ) {
        let mut world = history.play();
        let recorded: BTreeSet<Address> =
            world.account.state.iter().flat_map(|state| state.resources.keys().cloned()).collect();
        let keep: BTreeSet<Address> =
            recorded.iter().filter(|_| keeps).take(1).cloned().collect();
        let keep = keep_with_needs(&keep, &world.desired, world.account.state.as_ref());
        let kept: BTreeSet<String> = world
            .account
            .state
            .iter()
            .flat_map(|state| &state.resources)
            .filter(|(address, _)| keep.contains(*address))
            .map(|(_, recorded)| recorded.id.clone())
            .collect();
        let all: BTreeSet<(KindId, String)> = world
            .account
            .state
            .iter()
            .flat_map(|state| &state.resources)
            .map(|(address, recorded)| (address.kind(), recorded.id.clone()))
            .collect();
        let kept_before: BTreeSet<(KindId, String)> = {
            let there = world.account.objects.keys().cloned();
            there.filter(|it| all.contains(it) && kept.contains(&it.1)).collect()
        };
        // What neither the spec nor the state names ends by itself.
        let named: BTreeSet<String> = world
            .leases
            .values()
            .map(|lease| lease.pool.clone())
            .chain(world.account.state.iter().flat_map(|state| state.leases.keys().cloned()))
            .collect();
        for (round, steps) in [steps, usize::MAX].into_iter().enumerate() {
            match world.plan_destroy(&keep) {
                Err(refusals) => {
                    no_bug(&refusals);
                    prop_assert!(world.protect, "{refusals:#?}");
                    return Ok(());
                }
                Ok(plan) => {
                    lawful(&world, &plan);
                    let wrong = plan.changes.iter().find(|change| {
                        !matches!(change.action, Action::Delete | Action::Forget)
                    });
                    prop_assert_eq!(wrong, None);
                    world.account.apply(&plan, steps, false);
                    // From then on it is recorded no more: the command keeps it out of sight.
                    let is_there = |it: &&(KindId, String)| world.account.objects.contains_key(*it);
                    let lost = kept_before.iter().find(|it| round == 0 && !is_there(it));
                    prop_assert_eq!(lost, None, "it was to be kept");
                }
            }
        }
        let existing = world.existing();
        for ((id, api_id), object) in &world.account.objects {
            let bound = existing.contains(&(*id, api_id.clone()));
            let ours = all.contains(&(*id, api_id.clone())) && !kept.contains(api_id);
            let child_of_kept = object.parent.as_ref().is_some_and(|it| kept.contains(it));
            prop_assert!(!ours || bound || child_of_kept, "{id:?} {api_id} {object:?} was left");
        }
        let held = world.account.pools.keys().find(|pool| named.contains(*pool));
        prop_assert_eq!(held, None, "a preview ID is still held");
        let again = world.plan_destroy(&keep).unwrap();
        prop_assert_eq!(again.counts().release, 0, "{:#?}", again);
        let deletes = again.counts().delete;
        prop_assert_eq!(deletes, 0, "{:#?}", again);
    }

    /// Invariant: lists that do not show yet what is recorded make no other plan, neither for an apply
    /// nor for a destroy: it is asked for by its identifier.
    #[test]
    fn lists_that_lag_make_no_other_plan(history in history()) {
        let mut world = history.play();
        let plans = |world: &World| (world.plan_apply(), world.plan_destroy(&NONE));
        let shown = plans(&world);
        let recorded = world.account.state.iter().flat_map(|state| &state.resources);
        let recorded = recorded.map(|(address, it)| (address.kind(), it.id.clone()));
        world.account.lagging = recorded.collect();
        prop_assert_eq!(plans(&world), shown);
    }

    /// Invariant: in whatever order the graph lets steps be done, nothing is refused by what else
    /// is there, and no live Worker misses what it is bound to or its tables.
    #[test]
    fn no_order_that_the_graph_allows_is_refused(history in history(), seed in any::<u64>()) {
        let mut world = history.play();
        if let Ok(plan) = world.plan_apply() {
            world.account.apply_in_some_order(&plan, seed, None);
            let again = world.plan_apply().unwrap();
            prop_assert!(again.is_empty(), "first {plan:#?}\nthen {again:#?}");
        }
        world.protect = false;
        let plan = world.plan_destroy(&BTreeSet::new());
        if let Ok(plan) = plan {
            lawful(&world, &plan);
            world.account.apply_in_some_order(&plan, seed, None);
        }
    }

    /// Invariant: whichever step is refused, no live Worker is bound to something that is gone;
    /// neither after that nor after the next apply or destroy.
    #[test]
    fn a_refused_step_leaves_every_worker_whole(
        history in history(), seed in any::<u64>(), refused in 0..20_usize,
        destroys in any::<bool>(),
    ) {
        let mut world = history.play();
        let Ok(plan) = world.plan_apply() else { return Ok(()) };
        let refused = refused % plan.steps.len().max(1);
        world.account.apply_in_some_order(&plan, seed, Some(refused));
        let next = if destroys && !world.protect {
            world.plan_destroy(&BTreeSet::new())
        } else {
            world.plan_apply()
        };
        match next {
            Err(refusals) => {
                no_bug(&refusals);
                prop_assert!(world.protect, "{refusals:#?}\nafter {plan:#?}");
            }
            Ok(next) => {
                lawful(&world, &next);
                world.account.apply_in_some_order(&next, seed, None);
                // Where nobody else had a hand in it, nothing is left behind; what is `existing`
                // is let go of.
                let alone = history.blows.is_empty()
                    && world.desired.values().all(Desired::is_managed);
                let orphans = world.account.orphans();
                let none = !alone || orphans.is_empty();
                prop_assert!(none, "{orphans:#?}\nfirst {plan:#?}\nthen {next:#?}");
            }
        }
    }

    /// Invariant: whatever is wanted after an apply that was cut off, and whatever was renamed
    /// meanwhile, what that apply made is known or gone.
    #[test]
    fn what_a_killed_apply_made_is_found_whatever_is_wanted_next(
        history in history(), next in spec(), seed in any::<u64>(), steps in 1..20_usize,
        renamed in any::<bool>(),
    ) {
        let history = History { blows: Vec::new(), killed: None, protect: false, ..history };
        let mut world = history.play();
        let Ok(plan) = world.plan_apply() else { return Ok(()) };
        world.account.cut_off_in_some_order(&plan, seed, steps, true);
        let begun = [&history.first, &history.second];
        let begun = begun.map(|spec| spec.graph(false, &[]));
        if renamed {
            world.account.rename_queues();
        }
        world.desired = next.graph(false, &[]);
        world.migrations = next.migrations(&world.desired);
        let next = match world.plan_apply() {
            Ok(next) => next,
            Err(refusals) => {
                no_bug(&refusals);
                return Ok(());
            }
        };
        lawful(&world, &next);
        world.account.apply_in_some_order(&next, seed, None);
        let orphans: Vec<&Object> = world.account.orphans();
        // What is `existing` is let go of.
        let all = begun.iter().chain([&world.desired]).flat_map(BTreeMap::values);
        let alone = all.into_iter().all(Desired::is_managed);
        prop_assert!(!alone || orphans.is_empty(), "{orphans:#?}\nfirst {plan:#?}\nthen {next:#?}");
        let again = world.plan_apply().unwrap();
        prop_assert!(again.is_empty(), "first {plan:#?}\nthen {next:#?}\nthen {again:#?}");
    }

    /// Invariant: what the user asks to have replaced is replaced, once, as soundly as anything, and
    /// not where that is refused.
    #[test]
    fn what_is_to_be_replaced_is_replaced(
        history in history(), which in any::<prop::sample::Index>(), seed in any::<u64>(),
    ) {
        let mut world = history.play();
        let can = world.desired.values().filter(|it| it.is_managed() && it.parent.is_none());
        let can = can.filter(|it| kind(it.address.kind()).facts().never_replaced.is_empty());
        let can: Vec<Address> = can.map(|it| it.address.clone()).collect();
        if can.is_empty() || world.plan_apply().is_err() {
            return Ok(());
        }
        let asked = which.get(&can).clone();
        world.asked.replace.insert(asked.clone());
        let plan = match world.plan_apply() {
            Ok(plan) => plan,
            Err(refusals) => {
                no_bug(&refusals);
                return Ok(());
            }
        };
        let own = plan.changes.iter().find(|it| it.address == asked && !it.deposed).unwrap();
        let made = [Action::Create, Action::ReplaceCreateFirst, Action::ReplaceDeleteFirst];
        prop_assert!(made.contains(&own.action), "{plan:#?}");
        lawful(&world, &plan);
        world.account.apply_in_some_order(&plan, seed, None);
        world.asked = Asked::default();
        let again = world.plan_apply().unwrap();
        prop_assert!(again.is_empty(), "first {plan:#?}\nthen {again:#?}");
    }

    /// Invariant: the checker demands every edge of every plan. An edge that others imply is none.
    #[test]
    fn the_checker_demands_every_edge(history in history(), which in any::<prop::sample::Index>()) {
        let world = history.play();
        for plan in [world.plan_apply(), world.plan_destroy(&BTreeSet::new())] {
            let Ok(plan) = plan else { continue };
            let steps = plan.steps.iter().enumerate();
            let edges: Vec<(usize, usize)> =
                steps.flat_map(|(step, it)| it.needs.iter().map(move |need| (step, *need))).collect();
            if edges.is_empty() {
                continue;
            }
            let (step, need) = *which.get(&edges);
            let mut without = plan.clone();
            without.steps[step].needs.retain(|it| *it != need);
            if !waits(&without, step, need) {
                let checked = check(without);
                prop_assert!(checked.is_err(), "step {step} does not wait for {need}: {plan:#?}");
            }
        }
    }
}

/// Does a step wait for another one, directly or not?
fn waits(plan: &Plan, step: usize, need: usize) -> bool {
    plan.steps[step].needs.iter().any(|it| *it == need || waits(plan, *it, need))
}

/// Otherwise the laws, which pass by what is refused, would hold of nothing.
#[test]
fn a_third_of_all_histories_can_be_planned() {
    const ALL: usize = 200;
    let mut runner = TestRunner::deterministic();
    let strategy = history();
    let (mut applies, mut something, mut destroys) = (0, 0, 0);
    for _ in 0..ALL {
        let world = strategy.new_tree(&mut runner).unwrap().current().play();
        let plan = world.plan_apply();
        applies += usize::from(plan.is_ok());
        something += usize::from(plan.is_ok_and(|plan| plan.steps.len() > 2));
        destroys += usize::from(world.plan_destroy(&BTreeSet::new()).is_ok());
    }
    let least = [applies, something, destroys].into_iter().min();
    let told = format!("of {ALL}: {applies} applies, {something} with steps, {destroys} destroys");
    assert!(least > Some(ALL / 3), "{told}");
}
