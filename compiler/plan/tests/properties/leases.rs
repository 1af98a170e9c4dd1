//! What the checker refuses of leases, whoever made the plan.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Digest, KeyedDigest, Sealer, Span};
use envc_plan::{
    Goal, Grant, LeaseSeen, Observation, Ownership, Plan, PlanInputs, RecordedLease, State, Work,
    check, plan_apply, plan_destroy,
};
use envc_spec::Lease;

use crate::account::{REPOSITORY, key};

fn leases() -> BTreeMap<String, Lease> {
    let lease = Lease { pool: "a".into(), attributes: BTreeMap::new(), span: Span::default() };
    [("preview".to_owned(), lease)].into()
}

/// A plan for one namespace and one lease.
fn plan(goal: Goal, state: Option<&State>, observation: &Observation) -> Plan {
    let address: envc_core::Address = "kv.cache".parse().unwrap();
    let wanted = envc_core::Desired {
        address: address.clone(),
        name: "p-cache-e".into(),
        default_name: false,
        mode: envc_core::Mode::Managed,
        protect: false,
        fields: BTreeMap::new(),
        zone: None,
        parent: None,
        span: Span::default(),
    };
    let inputs = PlanInputs {
        key: key(),
        repository: REPOSITORY.into(),
        env_type: "local".into(),
        spec: Digest::of("spec"),
        protect: false,
        leases: &leases(),
        sealer: &Sealer::new(KeyedDigest::new([0; 32]), "p", "e"),
        desired: &[(address, wanted)].into(),
        state,
        observation,
        ownership: &Ownership::default(),
        keep: &BTreeSet::new(),
        migrations: &BTreeMap::new(),
        seeds: &BTreeMap::new(),
        asked: envc_plan::Asked::default(),
    };
    match goal {
        Goal::Apply => plan_apply(&inputs).unwrap(),
        Goal::Destroy => plan_destroy(&inputs).unwrap(),
    }
}

fn state() -> State {
    let mut state = State::new(key(), REPOSITORY, "local", "lineage");
    let grant = Grant {
        id: "preview-1".into(),
        lease_id: "l".into(),
        attributes: BTreeMap::new(),
        secrets: BTreeMap::new(),
    };
    let lease = RecordedLease { holder: "p/e".into(), grant: Some(grant) };
    state.leases.insert("a".into(), lease);
    let recorded = envc_plan::Recorded {
        name: "p-cache-e".into(),
        id: "id1".into(),
        ..envc_plan::Recorded::default()
    };
    state.resources.insert("kv.cache".parse().unwrap(), recorded);
    state
}

#[test]
fn a_plan_that_creates_without_the_preview_id_is_refused() {
    let good = plan(Goal::Apply, None, &Observation::default());
    assert!(matches!(good.steps[0].work, Work::Lease(_)), "{good:#?}");
    let _sound = check(good.clone()).unwrap();
    let mut bad = good.clone();
    bad.steps[1].needs.clear();
    let refused = check(bad).unwrap_err().to_string();
    assert!(refused.contains("step 1 may come before the lease of a"), "{refused}");
    let mut twice = good;
    let again = twice.steps[0].clone();
    twice.steps.push(again);
    assert!(check(twice).unwrap_err().to_string().contains("asked twice"));
}

#[test]
fn a_plan_that_gives_back_too_early_or_leases_for_a_destroy_is_refused() {
    let state = state();
    let good = plan(Goal::Destroy, Some(&state), &Observation::from_state(&state));
    assert!(matches!(good.steps[1].work, Work::Release(_)), "{good:#?}");
    let _sound = check(good.clone()).unwrap();
    let mut early = good.clone();
    early.steps[1].needs.clear();
    let refused = check(early).unwrap_err().to_string();
    assert!(refused.contains("step 0 may come after the release of a"), "{refused}");
    let lease = plan(Goal::Apply, None, &Observation::default()).steps.remove(0);
    let mut leases = good;
    leases.steps = vec![lease];
    assert!(check(leases).unwrap_err().to_string().contains("a destroy would lease from a"));
}

#[test]
fn a_lease_that_is_seen_stays_and_a_lost_one_is_leased_anew() {
    let state = state();
    let seen = |seen: LeaseSeen| {
        let mut observation = Observation::from_state(&state);
        observation.leases.insert("a".into(), seen);
        plan(Goal::Apply, Some(&state), &observation)
    };
    let held = |id: &str| LeaseSeen::Held { id: id.into(), attributes: None };
    assert!(seen(held("preview-1")).is_empty());
    for lost in [LeaseSeen::Absent, held("preview-2")] {
        let plan = seen(lost);
        let Work::Lease(work) = &plan.steps[0].work else { panic!("{plan:#?}") };
        assert_eq!((work.holder.as_str(), work.was.as_deref()), ("p/e", Some("preview-1")));
    }
}

#[test]
fn a_destroy_gives_back_what_the_pool_alone_knows_and_what_cannot_be_asked() {
    let destroy = |seen: Option<LeaseSeen>| {
        let mut observation = Observation::default();
        observation.leases.extend(seen.map(|seen| ("a".to_owned(), seen)));
        plan(Goal::Destroy, None, &observation).counts().release
    };
    let held = LeaseSeen::Held { id: "preview-1".into(), attributes: None };
    assert_eq!([Some(held), Some(LeaseSeen::Unknown)].map(destroy), [1, 1]);
    assert_eq!([Some(LeaseSeen::Absent), None].map(destroy), [0, 0]);
}
