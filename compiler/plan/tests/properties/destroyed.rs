//! What a destroy takes of an account that no record tells of, and in which order.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, KindId, Mode, SplitMix64};
use envc_kinds::{Observed, kind, registry};
use envc_plan::{
    Action, Goal, Observation, Ownership, Plan, Reach, Verb, check, lookalikes, markers_to_read,
    plan_destroy,
};
use serde_json::json;

use crate::proofs::{OTHER, World, of, own, ownership, wanted};

fn observed(id: &str, name: &str) -> Observed {
    Observed { id: id.into(), name: name.into(), ..Observed::default() }
}

fn nothing(ownership: Ownership) -> World {
    let (desired, observation) = (BTreeMap::new(), Observation::default());
    World { desired, state: None, observation, ownership }
}

fn deleted(plan: &Plan) -> BTreeSet<(KindId, String)> {
    let deletes = plan.changes.iter().filter(|change| change.action == Action::Delete);
    deletes.map(|change| (change.address.kind(), change.id.clone().unwrap())).collect()
}

/// Invariant: of what has a name of the environment, whatever its label, a destroy takes exactly what
/// is proved ours; all else is told, and nothing with any other name is either.
#[test]
fn every_namesake_of_a_named_kind_is_taken_with_a_proof_or_told() {
    let names: [(&str, bool); 9] = [
        ("s--a--e", true),
        ("s--gone--e", true),
        ("p--a--e", true),
        ("q--a--e", false),
        ("s--a--e2", false),
        ("s--e", false),
        ("s-a-e", false),
        ("s--a--e--x", false),
        ("x-s--a--e", false),
    ];
    let asked = Ownership { adopt: ["kv.gone".parse().unwrap()].into(), ..ownership() };
    let claimed = Ownership { claimed: true, ..ownership() };
    let registered = Ownership { registered: true, per_pr: false, ..ownership() };
    let fixed = Ownership { claimed: true, per_pr: false, ..ownership() };
    for ours in [asked, claimed, registered, fixed, ownership()] {
        for kind in registry().iter().filter(|kind| kind.is_named()) {
            // Another repository's, and another environment's of this one: no name says more.
            for marker in [None, Some(of(OTHER, "envc:p/e/a")), Some(own("envc:p/e2/a"))] {
                let anothers = marker.is_some();
                let mut world = nothing(ours.clone());
                let seen = names.iter().map(|(name, _)| {
                    let comment = marker.clone();
                    Observed { comment, ..observed(&format!("id-{name}"), name) }
                });
                world.observation.add(kind.id(), None, seen.collect());
                let plan = world.with(plan_destroy).unwrap();
                assert!(check(plan.clone()).is_ok());
                let gone = deleted(&plan);
                let told = world.with(|inputs| lookalikes(inputs, Goal::Destroy));
                let told: BTreeSet<&str> = told.iter().map(|one| one.name.as_str()).collect();
                for (name, reads_back) in names {
                    let label = name.split("--").nth(1).unwrap_or_default();
                    let proved = !anothers
                        && (ours.registered
                            || (ours.per_pr && ours.claimed && name.starts_with("s--")));
                    // An ID that was drawn for this user is nobody else's, whatever the project is called.
                    let reads_back =
                        reads_back || (ours.registered && ["q--a--e", "x-s--a--e"].contains(&name));
                    let asked = ours.adopt.contains(&Address::new(kind.id(), label));
                    let goes = gone.contains(&(kind.id(), format!("id-{name}")));
                    assert_eq!(goes, reads_back && (proved || asked), "{kind:?} {name} {ours:?}");
                    let tells = told.contains(name);
                    assert_eq!(tells, reads_back && !goes, "{kind:?} {name} {ours:?}");
                }
            }
        }
    }
}

#[test]
fn what_is_existing_or_kept_is_neither_taken_nor_told() {
    for (mode, keeps) in [(Mode::ExistingName, false), (Mode::Managed, true)] {
        let mut world = nothing(Ownership { registered: true, ..ownership() });
        let bound = envc_core::Desired { mode, ..wanted(KindId::Kv, "a", "s--a--e", true) };
        world.desired.insert(bound.address.clone(), bound.clone());
        world.observation.add(KindId::Kv, None, vec![observed("1", "s--a--e")]);
        let keep = BTreeSet::from([bound.address]);
        let (plan, told) = world.with(|inputs| {
            let none = BTreeSet::new();
            let mut inputs = envc_plan::PlanInputs {
                key: inputs.key.clone(),
                repository: inputs.repository.clone(),
                env_type: inputs.env_type.clone(),
                spec: inputs.spec.clone(),
                asked: inputs.asked.clone(),
                ..*inputs
            };
            inputs.keep = if keeps { &keep } else { &none };
            (plan_destroy(&inputs).unwrap(), lookalikes(&inputs, Goal::Destroy))
        });
        assert_eq!((deleted(&plan).len(), told.len()), (0, 0), "{plan:#?}");
    }
}

/// What names the script goes with it, and before it; what names another one stays.
#[test]
fn what_serves_a_script_that_goes_goes_first() {
    let mut world = nothing(ownership());
    let script = Observed { comment: Some(own("envc:p/e/a")), ..observed("s--a--e", "s--a--e") };
    let theirs = observed("theirs", "theirs");
    world.observation.add(KindId::Worker, None, vec![script, theirs]);
    for (id, name) in [
        (KindId::WorkerRoute, "x.example.com/*"),
        (KindId::WorkerDomain, "x.example.com"),
        (KindId::QueueConsumer, "jobs"),
    ] {
        let serving = |script: &str| Observed {
            fields: BTreeMap::from([("script".to_owned(), json!(script))]),
            ..observed(&format!("{id}-{script}"), &format!("{script}.{name}"))
        };
        let zone = kind(id).in_zone().then_some("example.com");
        world.observation.add(id, zone, vec![serving("s--a--e"), serving("theirs")]);
    }
    let plan = world.with(plan_destroy).unwrap();
    assert!(check(plan.clone()).is_ok());
    assert_eq!(deleted(&plan).len(), 4, "{plan:#?}");
    let last = plan.steps.last().unwrap();
    assert_eq!(last.needs, [0, 1, 2]);
    assert_eq!(last.work.addresses().next().unwrap().kind(), KindId::Worker);
}

/// Invariant: a Worker goes before those that it is bound to, and none has to wait for itself, however
/// they refer to each other; what goes before one that refers to it says so.
#[test]
fn workers_go_in_the_order_of_their_bindings_and_circles_are_cut() {
    let mut numbers = SplitMix64(5);
    let mut below = |end: u64| numbers.next_number() % end;
    for _ in 0..300 {
        let count = 2 + below(5);
        let name = |at: u64| format!("s--w{at}--e");
        let mut bound: BTreeSet<(u64, u64)> = BTreeSet::new();
        for _ in 0..below(10) {
            bound.insert((below(count), below(count)));
        }
        let mut world = nothing(Ownership { registered: true, ..ownership() });
        let seen = (0..count).map(|at| {
            let to = bound.iter().filter(|(from, _)| *from == at);
            let holds = to.map(|(_, to)| (KindId::Worker, name(*to))).collect();
            Observed { holds, ..observed(&name(at), &name(at)) }
        });
        world.observation.add(KindId::Worker, None, seen.collect());
        let plan = world.with(plan_destroy).unwrap();
        assert!(check(plan.clone()).is_ok(), "{bound:?}\n{plan:#?}");
        let step = |at: u64| {
            let goes = |it: &envc_plan::Operation<'_>| {
                it.verb == Verb::Delete && it.id == Some(name(at).as_str())
            };
            plan.steps.iter().position(|step| step.work.operations().iter().any(goes)).unwrap()
        };
        let reaches = |from: u64, to: u64| {
            let (mut seen, mut look) = (BTreeSet::new(), vec![from]);
            while let Some(at) = look.pop() {
                let next = bound.iter().filter(|(it, _)| *it == at).map(|(_, to)| *to);
                look.extend(next.filter(|next| seen.insert(*next)));
            }
            seen.contains(&to)
        };
        for (from, to) in bound.iter().filter(|(from, to)| from != to) {
            let circle = |at: u64| {
                let mut changes = plan.changes.iter();
                let own = changes.find(|change| change.id == Some(name(at))).unwrap();
                own.circle.clone()
            };
            if reaches(*to, *from) {
                assert!(circle(*to).contains(&name(*from)), "{bound:?}\n{plan:#?}");
            } else {
                assert!(step(*from) < step(*to), "{bound:?}\n{plan:#?}");
                assert!(!circle(*to).contains(&name(*from)), "{bound:?}\n{plan:#?}");
            }
        }
    }
}

#[test]
fn who_refers_to_whom_is_asked_of_recorded_scripts_only_where_others_go_with_them() {
    let mut world = nothing(ownership());
    let script = wanted(KindId::Worker, "web", "s--web--e", true);
    let mut state = envc_plan::State::new(crate::account::key(), "r", "pr", "lineage");
    let recorded = envc_plan::Recorded {
        name: script.name.clone(),
        id: script.name.clone(),
        ..envc_plan::Recorded::default()
    };
    state.resources.insert(script.address.clone(), recorded);
    world.state = Some(state);
    let ask = |world: &World, reach: Reach| {
        let (state, seen) = (world.state.as_ref(), &world.observation);
        markers_to_read(&world.desired, state, seen, &world.ownership, reach).len()
    };
    world.observation.add(KindId::Worker, None, vec![observed("s--web--e", "s--web--e")]);
    assert_eq!(ask(&world, Reach::Unrecorded), 0);
    world.observation.add(KindId::Worker, None, vec![observed("s--api--e", "s--api--e")]);
    assert_eq!(ask(&world, Reach::Unrecorded), 2);
    assert_eq!(ask(&world, Reach::Named), 1);
}
