//! What proves a namesake ours, each alone, and what does not.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Desired, Digest, KindId, Mode, Output, Span, Text, Value};
use envc_kinds::Observed;
use envc_plan::{
    Action, Goal, Inputs, Observation, Ownership, Plan, Recorded, Refusal, State, lookalikes,
    markers_to_read, plan_apply, plan_destroy,
};
use serde_json::json;

use crate::account::{REPOSITORY, key};

/// Project `p` with the short form `s`, environment `e` of a pull request.
fn ownership() -> Ownership {
    Ownership {
        project: "p".into(),
        prefix: "s".into(),
        env: "e".into(),
        per_pr: true,
        ..Ownership::default()
    }
}

fn wanted(kind: KindId, label: &str, name: &str, default_name: bool) -> Desired {
    Desired {
        address: Address::new(kind, label),
        name: name.into(),
        default_name,
        mode: Mode::Managed,
        protect: false,
        fields: BTreeMap::new(),
        zone: None,
        parent: None,
        span: Span::default(),
    }
}

fn seen(kind: KindId, name: &str, comment: Option<&str>) -> Observation {
    let mut observation = Observation::default();
    let comment = comment.map(str::to_owned);
    let observed =
        Observed { id: format!("id-{name}"), name: name.into(), comment, ..Observed::default() };
    observation.add(kind, None, vec![observed]);
    observation
}

struct World {
    desired: BTreeMap<Address, Desired>,
    state: Option<State>,
    observation: Observation,
    ownership: Ownership,
}

impl World {
    fn of(wanted: Desired, observation: Observation, ownership: Ownership) -> Self {
        let desired = BTreeMap::from([(wanted.address.clone(), wanted)]);
        Self { desired, state: None, observation, ownership }
    }

    fn with<T>(&self, look: impl FnOnce(&Inputs<'_>) -> T) -> T {
        look(&Inputs {
            key: key(),
            repository: REPOSITORY.into(),
            env_type: "pr".into(),
            spec: Digest::of("spec"),
            protect: false,
            leases: &BTreeMap::new(),
            desired: &self.desired,
            state: self.state.as_ref(),
            observation: &self.observation,
            ownership: &self.ownership,
            keep: &BTreeSet::new(),
            migrations: &BTreeMap::new(),
        })
    }

    fn apply(&self) -> Result<Plan, Vec<Refusal>> {
        self.with(plan_apply)
    }
}

/// The action of the one change, or the code of the refusal.
fn comes_to(world: &World) -> String {
    let all: Vec<String> = match world.apply() {
        Ok(plan) => plan.changes.iter().map(|it| format!("{:?}", it.action)).collect(),
        Err(refusals) => refusals.iter().map(|it| it.code.to_owned()).collect(),
    };
    all.join(" ")
}

const ADOPT: &str = "Adopt";
const NOT_OURS: &str = "envc::plan::not_ours";

#[test]
fn a_pull_requests_name_proves_only_what_reads_back_under_a_claim() {
    let claimed = || Ownership { claimed: true, ..ownership() };
    let of = |label: &str, name: &str, default_name, ownership: Ownership| {
        let wanted = wanted(KindId::Kv, label, name, default_name);
        comes_to(&World::of(wanted, seen(KindId::Kv, name, None), ownership))
    };
    assert_eq!(of("a", "s--a--e", true, claimed()), ADOPT);
    assert_eq!(of("a", "s--a--e", true, ownership()), NOT_OURS, "nobody claims the names");
    let fixed = Ownership { per_pr: false, ..claimed() };
    assert_eq!(of("a", "s--a--e", true, fixed), NOT_OURS, "anybody may have that ID");
    for other in ["own-e", "s--b--e", "p--a--e", "s--a--e2", "s-a-e", "s--a"] {
        assert_eq!(of("a", other, false, claimed()), NOT_OURS, "{other}");
    }
    let registered = || Ownership { registered: true, per_pr: false, ..ownership() };
    assert_eq!(of("a", "own-e", false, registered()), ADOPT);
    let asked = |address: &str| Ownership {
        adopt: BTreeSet::from([address.parse().unwrap()]),
        ..ownership()
    };
    assert_eq!(of("a", "own-e", false, asked("kv.a")), ADOPT);
    assert_eq!(of("a", "own-e", false, asked("kv.b")), NOT_OURS);
}

#[test]
fn only_the_marker_of_this_project_id_and_label_proves_anything() {
    let of = |comment: Option<&str>| {
        let wanted = wanted(KindId::Dns, "a", "A a.example.com", false);
        comes_to(&World::of(wanted, seen(KindId::Dns, "A a.example.com", comment), ownership()))
    };
    for ours in ["envc:p/e/a", "envc:p/e/a own words"] {
        assert_eq!(of(Some(ours)), ADOPT, "{ours}");
    }
    for other in [
        None,
        Some(""),
        Some("envc:p/e"),
        Some("envc:p/e own words"),
        Some("envc:s/e/a"),
        Some("envc:p/e2/a"),
        Some("envc:p/e/ab"),
        Some("words envc:p/e/a"),
    ] {
        assert_eq!(of(other), NOT_OURS, "{other:?}");
    }
}

#[test]
fn what_serves_a_worker_of_ours_is_ours() {
    let script = wanted(KindId::Worker, "web", "s--web--e", true);
    let mut route = wanted(KindId::WorkerRoute, "web.x", "x.example.com/*", false);
    let name = Text::output(script.address.clone(), Output::Name);
    route.fields.insert("script".into(), Value::Text(name));
    let of = |marker: &str, leads_to: &str| {
        let mut observation = seen(KindId::Worker, "s--web--e", Some(marker));
        let fields = BTreeMap::from([("script".to_owned(), json!(leads_to))]);
        let (id, name) = ("r1".into(), "x.example.com/*".into());
        let observed = Observed { id, name, fields, ..Observed::default() };
        observation.add(KindId::WorkerRoute, None, vec![observed]);
        let mut world = World::of(script.clone(), observation, ownership());
        world.desired.insert(route.address.clone(), route.clone());
        comes_to(&world)
    };
    assert_eq!(of("envc:p/e/web", "s--web--e"), format!("{ADOPT} {ADOPT}"));
    assert_eq!(of("envc:p/e/web", "theirs"), NOT_OURS);
    assert_eq!(of("envc:p/e/other", "s--web--e"), format!("{NOT_OURS} {NOT_OURS}"));
}

#[test]
fn markers_are_read_of_what_could_be_ours_and_is_not_recorded() {
    let script = wanted(KindId::Worker, "web", "s--web--e", true);
    let mut observation = Observation::default();
    let listed = |name: &str, tag: &str| Observed {
        id: name.into(),
        name: name.into(),
        fields: BTreeMap::from([("marker".to_owned(), json!(tag))]),
        ..Observed::default()
    };
    let all = [
        ("s--web--e", ""),
        ("p-web-e", ""),
        ("s--old--e", ""),
        ("renamed", "envc:p/e/gone"),
        ("other", "envc:p/e"),
        ("s--web--e2", ""),
        ("another", "envc:q/e/web"),
    ];
    let all = all.iter().map(|(name, tag)| listed(name, tag)).collect();
    observation.add(KindId::Worker, None, all);
    let mut world = World::of(script.clone(), observation, ownership());
    let read = |world: &World| {
        let (desired, state) = (&world.desired, world.state.as_ref());
        let found = markers_to_read(desired, state, &world.observation, &world.ownership);
        found.into_iter().map(|(_, id)| id).collect::<Vec<_>>()
    };
    assert_eq!(read(&world), ["s--web--e", "p-web-e", "s--old--e", "renamed"]);
    world.state = Some(recorded(&script.address, "s--web--e"));
    assert_eq!(read(&world), ["p-web-e", "s--old--e", "renamed"]);
}

fn recorded(address: &Address, name: &str) -> State {
    let mut state = State::new(key(), REPOSITORY, "pr", "lineage");
    let id = format!("id-{name}");
    let id = if address.kind() == KindId::Worker { name.to_owned() } else { id };
    state
        .resources
        .insert(address.clone(), Recorded { name: name.into(), id, ..Recorded::default() });
    state
}

#[test]
fn a_recorded_resource_keeps_its_name_unless_the_spec_gives_one() {
    let kv = wanted(KindId::Kv, "a", "s--a--e", true);
    let mut world = World::of(kv, seen(KindId::Kv, "p-a-e", None), ownership());
    world.state = Some(recorded(&"kv.a".parse().unwrap(), "p-a-e"));
    let plan = world.apply().unwrap();
    assert!(plan.steps.is_empty(), "{plan:#?}");
    assert_eq!((plan.changes[0].action, plan.changes[0].name.as_str()), (Action::Keep, "p-a-e"));
    assert_eq!(world.with(|inputs| lookalikes(inputs, Goal::Apply)), []);
    let gone = world.with(plan_destroy).unwrap();
    assert_eq!(gone.changes[0].action, Action::Delete);
    // What is gone is made anew, and named as of today.
    let observation = std::mem::take(&mut world.observation);
    let anew = world.apply().unwrap();
    assert_eq!(
        (anew.changes[0].action, anew.changes[0].name.as_str()),
        (Action::Create, "s--a--e")
    );
    world.observation = observation;
    let own = world.desired.values_mut().next().unwrap();
    (own.default_name, own.name) = (false, "own-e".into());
    assert_eq!(world.apply().unwrap().changes[0].action, Action::Update);
}

#[test]
fn a_name_of_the_first_version_is_told_and_proves_nothing() {
    let kv = || wanted(KindId::Kv, "a", "s--a--e", true);
    let every = Ownership { registered: true, claimed: true, ..ownership() };
    let mut world = World::of(kv(), seen(KindId::Kv, "p-a-e", None), every);
    assert_eq!(comes_to(&world), "Create");
    for goal in [Goal::Apply, Goal::Destroy] {
        let told = world.with(|inputs| lookalikes(inputs, goal));
        assert_eq!(told.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["p-a-e"]);
    }
    assert_eq!(world.with(plan_destroy).unwrap().changes, []);
    world.ownership.adopt.insert("kv.a".parse().unwrap());
    let plan = world.apply().unwrap();
    assert_eq!((plan.changes[0].action, plan.changes[0].name.as_str()), (Action::Adopt, "p-a-e"));
    assert!(plan.steps.is_empty(), "{plan:#?}");
}
