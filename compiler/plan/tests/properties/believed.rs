//! What a record that others can write is believed of.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, KindId, SplitMix64};
use envc_kinds::{Observed, kind};
use envc_plan::{
    Action, Change, Intent, IntentAction, Observation, Ownership, Plan, Recorded, Refusal, Refused,
    State, plan_apply, plan_destroy,
};
use serde_json::json;

use crate::{
    account::{REPOSITORY, key},
    proofs::{OTHER, World, of, own, ownership, wanted},
};

const UNPROVEN: &str = "envc::plan::unproven_record";

/// Something in the account, and whether it says of itself that it is this environment's.
struct Thing {
    kind: KindId,
    seen: Observed,
    is_ours: bool,
}

fn shared() -> Ownership {
    Ownership { shared: true, per_pr: false, ..ownership() }
}

fn thing(kind: KindId, id: &str, name: &str, is_ours: bool) -> Thing {
    let seen = Observed { id: id.into(), name: name.into(), ..Observed::default() };
    Thing { kind, seen, is_ours }
}

fn with(mut it: Thing, fields: &[(&str, &str)], comment: Option<String>) -> Thing {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
    it.seen.fields = fields.collect();
    it.seen.comment = comment;
    it
}

/// What stands in the account: of each kind something that is ours, and something that only looks so.
fn account() -> Vec<Thing> {
    let mut all = Vec::new();
    for of in [KindId::Kv, KindId::D1, KindId::Queue, KindId::Tunnel, KindId::Hyperdrive] {
        let names = [
            ("s--a--e", true),
            ("p--gone--e", true),
            ("billing-production", false),
            ("s--a--e2", false),
            ("t--a--e", false),
            ("s-a-e", false),
            ("a-e-b", false),
        ];
        let each = names.iter().map(|(name, ours)| thing(of, &format!("{of}-{name}"), name, *ours));
        all.extend(each);
    }
    for (name, ours) in [("s--w--e", true), ("s--w--e2", false), ("theirs", false)] {
        all.push(thing(KindId::Worker, name, name, ours));
        let script = [("script", name)];
        all.push(with(
            thing(KindId::WorkerRoute, &format!("r-{name}"), &format!("{name}.x/*"), ours),
            &script,
            None,
        ));
        all.push(with(
            thing(KindId::WorkerDomain, &format!("d-{name}"), &format!("{name}.x"), ours),
            &script,
            None,
        ));
    }
    for (queue, ours) in [("s--a--e", true), ("billing-production", false)] {
        let fields = [("queue", &*format!("queue-{queue}")), ("script", "theirs")];
        let id = format!("c-{queue}");
        all.push(with(thing(KindId::QueueConsumer, &id, queue, ours), &fields, None));
        let config = thing(KindId::TunnelConfig, &format!("tunnel-{queue}"), "", ours);
        all.push(config);
    }
    for (id, marker, ours) in [
        ("own", Some(own("envc:p/e/any")), true),
        ("other", Some(of(OTHER, "envc:p/e/any")), false),
        ("another", Some(own("envc:p/e2/any")), false),
        ("none", None, false),
    ] {
        let name = format!("A {id}.example.com");
        all.push(with(thing(KindId::Dns, id, &name, ours), &[], marker));
    }
    all
}

fn observe(account: &[Thing]) -> Observation {
    let mut observation = Observation::default();
    for it in account {
        let zone = kind(it.kind).in_zone().then_some("example.com");
        observation.add(it.kind, zone, vec![it.seen.clone()]);
    }
    observation
}

fn state() -> State {
    State::new(key(), REPOSITORY, "pr", "0123456789abcdef")
}

fn record(name: &str, id: &str) -> Recorded {
    Recorded { name: name.into(), id: id.into(), ..Recorded::default() }
}

/// Writes into a record that this is ours, in one of the ways in which a record can say so.
fn claim(state: &mut State, it: &Thing, how: usize, label: &str) {
    let address = Address::new(it.kind, label);
    let intent = |action, id: Option<&str>| Intent {
        address: address.clone(),
        name: it.seen.name.clone(),
        action,
        id: id.map(str::to_owned),
        zone: kind(it.kind).in_zone().then(|| "example.com".to_owned()),
        needs: Vec::new(),
    };
    let recorded = |name: &str| {
        let zone = kind(it.kind).in_zone().then(|| "example.com".to_owned());
        Recorded { zone, ..record(name, &it.seen.id) }
    };
    match how % 4 {
        0 => drop(state.resources.insert(address, recorded(&it.seen.name))),
        // Under a name that would be ours.
        1 => drop(state.resources.insert(address, recorded(&format!("s--{label}--e")))),
        2 => state.intents.push(intent(IntentAction::Create, None)),
        _ => state.intents.push(intent(IntentAction::Delete, Some(&it.seen.id))),
    }
}

fn acts(change: &Change) -> bool {
    !matches!(change.action, Action::Create | Action::Forget)
}

fn codes(refusals: &[Refusal]) -> BTreeSet<&'static str> {
    refusals.iter().map(|it| it.code).collect()
}

/// Invariant: whatever a shared record says, nothing is done to what does not say itself that it is this
/// environment's; and what says so needs no other word.
#[test]
fn whatever_a_shared_record_says_only_what_proves_itself_is_touched() {
    let account = account();
    let ours: BTreeSet<(KindId, &str)> =
        account.iter().filter(|it| it.is_ours).map(|it| (it.kind, &*it.seen.id)).collect();
    let mut numbers = SplitMix64(7);
    let mut below = |end: usize| usize::try_from(numbers.next_number() % end as u64).unwrap();
    let (mut whole, mut refused) = (0, 0);
    for _ in 0..3_000 {
        let mut state = state();
        let honest = below(2) == 0;
        for _ in 0..=below(3) {
            let it = &account[below(account.len())];
            if it.is_ours || !honest {
                let label = ["a", "gone", "b", "a.b"][below(4)];
                // What lives with its parent has no name to be found by.
                let how = if kind(it.kind).lives_with().is_some() { 0 } else { below(4) };
                claim(&mut state, it, how, label);
            }
        }
        let mut desired = BTreeMap::new();
        if below(2) == 0 {
            let want = wanted(KindId::Kv, "a", "s--a--e", true);
            desired.insert(want.address.clone(), want);
        }
        let world = World {
            desired,
            state: Some(state),
            observation: observe(&account),
            ownership: shared(),
        };
        for made in [world.with(plan_apply), world.with(plan_destroy)] {
            match made {
                Ok(plan) => {
                    let strange = strange(&plan, &ours);
                    assert_eq!(strange, None, "{:#?}", world.state);
                    whole += usize::from(plan.changes.iter().any(acts));
                }
                Err(Refused { refusals, .. }) => {
                    let unproven = codes(&refusals).contains(UNPROVEN);
                    assert!(!honest || !unproven, "{refusals:#?}\n{:#?}", world.state);
                    refused += usize::from(unproven);
                }
            }
        }
    }
    assert!(whole > 500 && refused > 500, "{whole} {refused}");
}

/// A change of what is not ours.
fn strange<'p>(plan: &'p Plan, ours: &BTreeSet<(KindId, &str)>) -> Option<&'p Change> {
    plan.changes.iter().find(|change| {
        let id = change.id.as_deref();
        acts(change) && id.is_some_and(|id| !ours.contains(&(change.address.kind(), id)))
    })
}

#[test]
fn a_name_that_the_spec_gives_today_is_believed_and_one_that_it_gave_once_is_not() {
    let of = |name: &str, ours: Ownership| {
        let mut state = state();
        state.resources.insert("kv.a".parse().unwrap(), record("old-name", "1"));
        let want = wanted(KindId::Kv, "a", "today", false);
        let observation = observe(&[thing(KindId::Kv, "1", name, false)]);
        let desired = BTreeMap::from([(want.address.clone(), want)]);
        let world = World { desired, state: Some(state), observation, ownership: ours };
        world.with(plan_apply).map_err(|it| it.refusals)
    };
    assert_eq!(of("today", shared()).unwrap().changes[0].action, Action::Keep);
    assert_eq!(codes(&of("old-name", shared()).unwrap_err()), [UNPROVEN].into());
    // Its own user's record needs no other word, and neither does what they said before.
    assert!(of("old-name", Ownership { shared: false, ..shared() }).is_ok());
    assert!(
        of("old-name", Ownership { adopt: ["kv.a".parse().unwrap()].into(), ..shared() }).is_ok()
    );
    assert!(
        of("old-name", Ownership { adopted: [(KindId::Kv, "1".into())].into(), ..shared() })
            .is_ok()
    );
    // Random digits that were drawn for this user are in nobody else's names.
    let drawn = Ownership { registered: true, ..shared() };
    assert!(of("own-e", drawn.clone()).is_ok());
    assert_eq!(codes(&of("owne", drawn).unwrap_err()), [UNPROVEN].into());
    assert_eq!(codes(&of("own-e", shared()).unwrap_err()), [UNPROVEN].into());
}

/// What the user names takes along what lives with it, and nothing else.
#[test]
fn what_is_named_is_believed_with_what_lives_with_it() {
    let tunnel = thing(KindId::Tunnel, "1", "theirs", false);
    let config = thing(KindId::TunnelConfig, "1", "", false);
    let mut state = state();
    state.resources.insert("tunnel.a".parse().unwrap(), record("theirs", "1"));
    let parent = Some("tunnel.a".parse().unwrap());
    let child = Recorded { parent, ..record("theirs", "1") };
    state.resources.insert("tunnel-config.a".parse().unwrap(), child);
    state.resources.insert("kv.a".parse().unwrap(), record("theirs", "2"));
    let observation = observe(&[tunnel, config, thing(KindId::Kv, "2", "theirs", false)]);
    let mut world =
        World { desired: BTreeMap::new(), state: Some(state), observation, ownership: shared() };
    for (adopt, left) in [
        (&[][..], &["kv.a", "tunnel.a"][..]),
        (&["tunnel.a"], &["kv.a"]),
        (&["kv.a"], &["tunnel.a"]),
        (&["kv.a", "tunnel.a"], &[]),
    ] {
        world.ownership.adopt = adopt.iter().map(|it| it.parse().unwrap()).collect();
        let refusals = world.with(plan_destroy).err().map(|it| it.refusals).unwrap_or_default();
        let refused: Vec<String> = refusals.iter().map(|it| it.address.to_string()).collect();
        assert_eq!(refused, left, "{adopt:?}");
    }
}

/// What nobody has seen is not deleted by an identifier that somebody else wrote.
#[test]
fn an_identifier_alone_is_not_believed() {
    let mut state = state();
    state.resources.insert("kv.a".parse().unwrap(), record("s--a--e", "1"));
    let observation = Observation::default();
    let world =
        World { desired: BTreeMap::new(), state: Some(state), observation, ownership: shared() };
    let refused = world.with(plan_destroy).unwrap_err().refusals;
    assert_eq!(codes(&refused), [UNPROVEN].into());
    assert!(refused[0].message.contains("no list shows"), "{}", refused[0].message);
}
