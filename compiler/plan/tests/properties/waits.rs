//! What live code that others deployed is bound to is not deleted by an apply.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, KindId, Output, SplitMix64, Text, Value};
use envc_kinds::{Observed, bindables, kind};
use envc_plan::{
    Action, Change, IntentAction, Live, Observation, Ownership, Plan, Recorded, State, check,
    plan_apply, plan_destroy,
};
use serde_json::json;

use crate::{
    account::{REPOSITORY, key},
    proofs::{World, ownership, wanted},
};

/// A world in which these are recorded and there, and the spec has none of them.
fn world(there: &[(KindId, &str)]) -> World {
    let mut state = State::new(key(), REPOSITORY, "pr", "lineage");
    let mut observation = Observation::default();
    for (id, label) in there {
        let (name, api_id) = (format!("s--{label}--e"), format!("id-{id}-{label}"));
        let recorded = Recorded { name: name.clone(), id: api_id.clone(), ..Recorded::default() };
        state.resources.insert(Address::new(*id, *label), recorded);
        observation.add(*id, None, vec![Observed { id: api_id, name, ..Observed::default() }]);
    }
    World { desired: BTreeMap::new(), state: Some(state), observation, ownership: ownership() }
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn live(world: &mut World, label: &str, holds: Vec<(KindId, String)>) {
    let live = Live { id: format!("s--{label}--e"), holds, ..Live::default() };
    world.observation.live.insert(Address::new(KindId::Worker, label), live);
}

#[track_caller]
fn plan(world: &World) -> Plan {
    let plan = world.with(plan_apply).unwrap();
    assert!(check(plan.clone()).is_ok(), "{plan:#?}");
    plan
}

/// The one change of an address that is no leftover.
fn of<'p>(plan: &'p Plan, text: &str) -> &'p Change {
    let address = address(text);
    plan.changes.iter().find(|it| it.address == address && !it.deposed).unwrap()
}

/// Invariant: of what left the spec exactly what live code is bound to waits, and for all of that code;
/// everything else is deleted, and a destroy deletes all.
#[test]
fn exactly_what_live_code_is_bound_to_waits() {
    let mut numbers = SplitMix64(11);
    let mut below = |end: u64| numbers.next_number() % end;
    let kinds: Vec<(KindId, Output)> =
        bindables().map(|(kind, row)| (kind.facts().id, row.output)).collect();
    for _ in 0..300 {
        let there: Vec<(KindId, &str)> = kinds
            .iter()
            .flat_map(|(id, _)| ["a", "b"].map(|label| (*id, label)))
            .filter(|_| below(2) == 0)
            .collect();
        let mut world = world(&there);
        let mut bound: BTreeMap<Address, BTreeSet<Address>> = BTreeMap::new();
        for label in ["x", "y"] {
            let mut holds = Vec::new();
            for (id, of) in &there {
                if below(3) > 0 {
                    continue;
                }
                let output = kinds.iter().find(|(it, _)| it == id).unwrap().1;
                let named = output == Output::Name;
                let text = if named { format!("s--{of}--e") } else { format!("id-{id}-{of}") };
                holds.push((*id, text));
                let users = bound.entry(Address::new(*id, *of)).or_default();
                users.insert(Address::new(KindId::Worker, label));
            }
            // What is not ours is in nobody's way.
            holds.push((KindId::Kv, "theirs".into()));
            live(&mut world, label, holds);
        }
        let plan = plan(&world);
        for (id, label) in &there {
            let change = of(&plan, &Address::new(*id, *label).to_string());
            let users = bound.get(&change.address).cloned().unwrap_or_default();
            let action = if users.is_empty() { Action::Delete } else { Action::Wait };
            assert_eq!(change.action, action, "{plan:#?}");
            assert!(change.waits_for.iter().eq(&users), "{plan:#?}");
        }
        assert_eq!(plan.counts().wait, bound.len());
        assert_eq!(plan.steps.len(), there.len() - bound.len(), "{plan:#?}");
        assert_eq!(plan.is_empty(), bound.len() == there.len());
        let destroyed = world.with(plan_destroy).unwrap();
        assert!(destroyed.changes.iter().all(|change| change.action == Action::Delete));
    }
}

#[test]
fn what_is_deployed_without_it_and_what_is_not_there_lets_go() {
    let mut world = world(&[(KindId::Kv, "old")]);
    assert_eq!(of(&plan(&world), "kv.old").action, Action::Delete);
    live(&mut world, "api", vec![(KindId::Kv, "id-kv-new".into())]);
    assert_eq!(of(&plan(&world), "kv.old").action, Action::Delete);
    live(&mut world, "api", vec![(KindId::Kv, "id-kv-old".into())]);
    let waits = plan(&world);
    assert_eq!(of(&waits, "kv.old").action, Action::Wait);
    assert!(of(&waits, "kv.old").reason.contains("worker.api"));
    // Code that goes in the same plan is no reason.
    let script = Recorded {
        name: "s--api--e".into(),
        id: "s--api--e".into(),
        needs: vec![address("kv.old")],
        ..Recorded::default()
    };
    let seen = Observed { id: script.id.clone(), name: script.name.clone(), ..Observed::default() };
    world.observation.add(KindId::Worker, None, vec![seen]);
    world.state.as_mut().unwrap().resources.insert(address("worker.api"), script);
    assert_eq!(of(&plan(&world), "kv.old").action, Action::Delete);
}

#[test]
fn what_waits_keeps_what_it_needs_and_what_lives_with_it() {
    let mut world = world(&[(KindId::Worker, "web"), (KindId::Kv, "old"), (KindId::D1, "free")]);
    let state = world.state.as_mut().unwrap();
    let web = state.resources.get_mut(&address("worker.web")).unwrap();
    web.needs = vec![address("kv.old")];
    let crons = Recorded { parent: Some(address("worker.web")), ..web.clone() };
    state.resources.insert(address("worker-crons.web"), crons);
    live(&mut world, "api", vec![(KindId::Worker, "s--web--e".into())]);
    let plan = plan(&world);
    for (text, action) in [
        ("worker.web", Action::Wait),
        ("worker-crons.web", Action::Wait),
        ("kv.old", Action::Wait),
        ("d1.free", Action::Delete),
    ] {
        assert_eq!(of(&plan, text).action, action, "{plan:#?}");
    }
}

/// A consumer of live code on the queue `jobs`, with `dead` behind it.
fn reads(world: &mut World, is_wanted: bool) {
    let fields = [
        ("queue", json!("id-queue-jobs")),
        ("script", json!("s--api--e")),
        ("dead-letter", json!("s--dead--e")),
    ];
    let consumer = Observed {
        id: "id-queue-jobs/c".into(),
        name: "s--jobs--e".into(),
        fields: fields.map(|(field, value)| (field.to_owned(), value)).into(),
        ..Observed::default()
    };
    world.observation.add(KindId::QueueConsumer, None, vec![consumer]);
    let reference = Value::Text(Text::output(address("queue.jobs"), Output::Id));
    let consumer = Value::Map(BTreeMap::from([("queue".to_owned(), reference)]));
    let wanted = BTreeMap::from([("consumers".to_owned(), Value::List(vec![consumer]))]);
    let live = world.observation.live.get_mut(&address("worker.api")).unwrap();
    live.wanted = if is_wanted { wanted } else { BTreeMap::new() };
}

/// For each way in which a queue and its consumer left the spec, what becomes of both queues and of the
/// consumer.
#[test]
fn a_consumer_of_live_code_goes_with_its_queue_or_with_what_only_it_holds() {
    use Action::{Delete, Keep, Wait};
    let sends = || vec![(KindId::Queue, "s--jobs--e".to_owned())];
    for (jobs_stays, is_wanted, holds, expected) in [
        // Both queues left: the consumer goes first.
        (false, false, Vec::new(), (Delete, Delete, true)),
        // The code still sends to it: all three stay.
        (false, false, sends(), (Wait, Wait, false)),
        // It is to be deployed with another dead letter queue.
        (true, true, Vec::new(), (Keep, Wait, false)),
        // No deployment would take the consumer away.
        (true, false, Vec::new(), (Keep, Delete, true)),
    ] {
        let mut world = world(&[(KindId::Queue, "jobs"), (KindId::Queue, "dead")]);
        live(&mut world, "api", holds);
        reads(&mut world, is_wanted);
        if jobs_stays {
            let jobs = wanted(KindId::Queue, "jobs", "s--jobs--e", true);
            world.desired.insert(jobs.address.clone(), jobs);
        }
        let plan = plan(&world);
        let mut consumers =
            plan.changes.iter().filter(|it| it.address.kind() == KindId::QueueConsumer);
        let goes = consumers.any(|it| it.action == Delete);
        let (jobs, dead) = (of(&plan, "queue.jobs").action, of(&plan, "queue.dead").action);
        assert_eq!((jobs, dead, goes), expected, "{plan:#?}");
        if goes {
            let first = plan.steps.first().unwrap().work.addresses().next().unwrap().kind();
            assert_eq!(first, KindId::QueueConsumer, "{plan:#?}");
            assert!(plan.steps.iter().skip(1).all(|step| step.needs.contains(&0)), "{plan:#?}");
        }
    }
}

#[test]
fn the_old_half_of_a_replace_waits_on_record_and_one_that_keeps_its_name_says_what_is_lost() {
    let mut world = world(&[(KindId::R2, "files")]);
    let files = wanted(KindId::R2, "files", "other", false);
    world.desired.insert(files.address.clone(), files);
    live(&mut world, "api", vec![(KindId::R2, "s--files--e".into())]);
    let plan = plan(&world);
    assert_eq!(of(&plan, "r2.files").action, Action::Create);
    let [old] = plan.waiting().collect::<Vec<_>>()[..] else { panic!("{plan:#?}") };
    let intent = old.intent().unwrap();
    assert_eq!((intent.action, intent.id.as_deref()), (IntentAction::Delete, Some("id-r2-files")));
    assert_eq!((old.deposed, &*intent.name), (true, "s--files--e"));
    assert_eq!(plan.steps.len(), 1);

    // The next plan finds it by that intent: it waits, and then it goes.
    let state = world.state.as_mut().unwrap();
    state.intents.push(intent);
    let recorded = state.resources.get_mut(&address("r2.files")).unwrap();
    (recorded.name, recorded.id) = ("other".into(), "other".into());
    let new = Observed { id: "other".into(), name: "other".into(), ..Observed::default() };
    world.observation.add(KindId::R2, None, vec![new]);
    let again = self::plan(&world);
    assert!(again.is_empty() && again.counts().wait == 1, "{again:#?}");
    world.observation.live.clear();
    let last = self::plan(&world);
    assert_eq!((last.counts().delete, last.counts().keep), (1, 1), "{last:#?}");

    let mut world = self::world(&[(KindId::D1, "data")]);
    let mut data = wanted(KindId::D1, "data", "s--data--e", true);
    data.fields.insert("jurisdiction".into(), Value::text("eu"));
    world.desired.insert(data.address.clone(), data);
    live(&mut world, "api", vec![(KindId::D1, "id-d1-data".into())]);
    let kept = self::plan(&world);
    let change = of(&kept, "d1.data");
    assert_eq!(change.action, Action::ReplaceDeleteFirst);
    assert!(change.reason.contains("worker.api is bound to the old one"), "{}", change.reason);
}

/// What an interrupted run left is deleted like all else, and waits like it.
#[test]
fn a_leftover_that_waits_stays_on_record() {
    let mut world = world(&[(KindId::Kv, "old")]);
    let state = world.state.as_mut().unwrap();
    let recorded = state.resources.remove(&address("kv.old")).unwrap();
    state.intents.push(envc_plan::Intent {
        address: address("kv.old"),
        name: recorded.name,
        action: IntentAction::Create,
        id: None,
        zone: None,
        needs: Vec::new(),
    });
    live(&mut world, "api", vec![(KindId::Kv, recorded.id.clone())]);
    world.ownership = Ownership { registered: true, ..ownership() };
    let plan = plan(&world);
    let intents: Vec<_> = plan.changes.iter().filter_map(Change::intent).collect();
    assert_eq!(intents.len(), 1, "{plan:#?}");
    assert_eq!(intents[0].id, Some(recorded.id));
    assert!(kind(KindId::Kv).can_be_bound());
}
