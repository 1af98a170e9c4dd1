//! What proves a namesake ours, each alone, and what does not.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{
    Address, Desired, Digest, KeyedDigest, KindId, Mode, Output, RepositoryDigest, Sealer, Span,
    Text, Value,
};
use envc_kinds::Observed;
use envc_plan::{
    Action, Goal, Intent, IntentAction, Observation, Ownership, Plan, PlanInputs, Reach, Recorded,
    Refusal, State, lookalikes, markers_to_read, plan_apply, plan_destroy, taken_over,
};
use serde_json::json;

use crate::account::{REPOSITORY, key};

/// What the repository was before.
const FORMER: &str = "working-copy:1";
/// Another repository whose project is named alike.
pub(crate) const OTHER: &str = "git.example/b/p";

/// The beginning of a marker with its repository behind it.
pub(crate) fn of(repository: &str, beginning: &str) -> String {
    format!("{beginning}@{}", RepositoryDigest::of(repository))
}

/// The same of this repository.
pub(crate) fn own(beginning: &str) -> String {
    of(REPOSITORY, beginning)
}

/// Project `p` with the short form `s`, environment `e` of a pull request.
pub(crate) fn ownership() -> Ownership {
    Ownership {
        project: "p".into(),
        prefix: "s".into(),
        env: "e".into(),
        repository: RepositoryDigest::of(REPOSITORY),
        formerly: BTreeSet::from([RepositoryDigest::of(FORMER)]),
        per_pr: true,
        ..Ownership::default()
    }
}

pub(crate) fn wanted(kind: KindId, label: &str, name: &str, default_name: bool) -> Desired {
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

pub(crate) struct World {
    pub(crate) desired: BTreeMap<Address, Desired>,
    pub(crate) state: Option<State>,
    pub(crate) observation: Observation,
    pub(crate) ownership: Ownership,
}

impl World {
    fn of(wanted: Desired, observation: Observation, ownership: Ownership) -> Self {
        let desired = BTreeMap::from([(wanted.address.clone(), wanted)]);
        Self { desired, state: None, observation, ownership }
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&PlanInputs<'_>) -> T) -> T {
        look(&PlanInputs {
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
            seeds: &BTreeMap::new(),
            asked: envc_plan::Asked::default(),
            sealer: &Sealer::new(KeyedDigest::new([0; 32]), "p", "e"),
        })
    }

    fn apply(&self) -> Result<Plan, Vec<Refusal>> {
        self.with(plan_apply).map_err(|refused| refused.refusals)
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
fn only_the_marker_of_this_project_id_label_and_repository_proves_anything() {
    let comes = |comment: Option<&str>| {
        let wanted = wanted(KindId::Dns, "a", "A a.example.com", false);
        comes_to(&World::of(wanted, seen(KindId::Dns, "A a.example.com", comment), ownership()))
    };
    let (ours, former) = (own("envc:p/e/a"), of(FORMER, "envc:p/e/a"));
    for ours in [ours.clone(), format!("{ours} own words"), former.clone(), format!("{former} x")] {
        assert_eq!(comes(Some(&ours)), ADOPT, "{ours}");
    }
    assert_eq!(comes(None), NOT_OURS);
    for other in [
        String::new(),
        "envc:p/e/a".into(),
        "envc:p/e/a own words".into(),
        own("envc:p/e"),
        own("envc:s/e/a"),
        own("envc:p/e2/a"),
        own("envc:p/e/ab"),
        own("words envc:p/e/a"),
        of(OTHER, "envc:p/e/a"),
        format!("{} {}", of(OTHER, "envc:p/e/a"), own("envc:p/e/a")),
    ] {
        assert_eq!(comes(Some(&other)), NOT_OURS, "{other:?}");
    }
}

/// Every proof that a name can give.
fn every() -> Ownership {
    Ownership { registered: true, claimed: true, ..ownership() }
}

fn script() -> Desired {
    wanted(KindId::Worker, "web", "s--web--e", true)
}

/// The script with this marker.
fn script_seen(marker: &str) -> Observation {
    let mut observation = seen(KindId::Worker, "s--web--e", Some(marker));
    for seen in observation.found.values_mut().flatten() {
        seen.observed.id = "s--web--e".into();
    }
    observation
}

#[test]
fn another_repositorys_marker_takes_every_proof_away_but_the_users_word() {
    let theirs = of(OTHER, "envc:p/e/web");
    // Without a marker the name would do, in two ways, and so would an intent.
    let begun = || {
        let mut state = State::new(key(), REPOSITORY, "pr", "lineage");
        let name = "s--web--e".to_owned();
        state.intents.push(intent(&script().address, name));
        state
    };
    let mut world = World::of(script(), script_seen("a user's own words"), every());
    assert_eq!(comes_to(&world), ADOPT);
    world.observation = script_seen(&theirs);
    for state in [None, Some(begun())] {
        world.state = state;
        let refused = world.apply().unwrap_err();
        assert_eq!(refused.iter().map(|it| it.code).collect::<Vec<_>>(), [NOT_OURS]);
        assert!(refused[0].message.contains(&theirs), "{}", refused[0].message);
        assert!(refused[0].help.contains("id=") && refused[0].help.contains("another name"));
        assert_eq!(world.with(plan_destroy).unwrap().changes, []);
        let told = world.with(|inputs| lookalikes(inputs, Goal::Destroy));
        let marker = format!("another repository's marker, `{theirs}`");
        assert_eq!(told.iter().filter_map(|it| it.anothers.clone()).collect::<Vec<_>>(), [marker]);
    }
    // Nor is it left over, where the spec does not have it any more.
    world.desired.clear();
    assert_eq!(comes_to(&world), "");
    assert_eq!(world.with(plan_destroy).unwrap().changes, []);
    world.desired.insert(script().address, script());
    world.ownership.adopt.insert(script().address);
    assert_eq!(comes_to(&world), ADOPT);
}

/// Invariant: no name says more than a marker: what bears that of another environment of this repository
/// is that one's, recorded or not, until the user says otherwise.
#[test]
fn another_environments_marker_takes_every_proof_away_but_the_users_word() {
    for theirs in [own("envc:p/e2/web"), own("envc:p/e2/web--e"), own("envc:q/e/web")] {
        let mut world = World::of(script(), script_seen(&theirs), every());
        for state in [None, Some(recorded(&script().address, "s--web--e"))] {
            let is_recorded = state.is_some();
            world.state = state;
            let refused = world.apply().unwrap_err();
            assert_eq!(refused.iter().map(|it| it.code).collect::<Vec<_>>(), [NOT_OURS]);
            assert!(refused[0].message.contains(&theirs), "{}", refused[0].message);
            let let_go = is_recorded.then(|| (Action::Forget, "worker.web".to_owned()));
            assert_eq!(goes(&world), Vec::from_iter(let_go));
            let told = world.with(|inputs| lookalikes(inputs, Goal::Destroy));
            let marker = format!("another environment's marker, `{theirs}`");
            let told: Vec<String> = told.iter().filter_map(|it| it.anothers.clone()).collect();
            assert_eq!(told, [marker]);
        }
        world.state = None;
        world.ownership.adopt.insert(script().address);
        assert_eq!(comes_to(&world), ADOPT);
    }
}

#[test]
fn what_is_recorded_and_was_taken_over_is_neither_changed_nor_deleted() {
    let theirs = of(OTHER, "envc:p/e/web");
    let mut world = World::of(script(), script_seen(&theirs), every());
    // An apply refuses it, and a destroy lets go of it.
    let state = recorded(&script().address, "s--web--e");
    world.state = Some(state.clone());
    let refused = world.apply().unwrap_err();
    assert_eq!(refused.iter().map(|it| it.code).collect::<Vec<_>>(), [NOT_OURS]);
    for word in ["recorded here as worker.web", "taken over", theirs.as_str()] {
        assert!(refused[0].message.contains(word), "{}", refused[0].message);
    }
    assert!(refused[0].help.contains("id="), "{}", refused[0].help);
    assert_eq!(goes(&world), [(Action::Forget, "worker.web".to_owned())]);
    let told = world.with(|inputs| lookalikes(inputs, Goal::Destroy));
    let marker = format!("another repository's marker, `{theirs}`");
    assert_eq!(told.iter().filter_map(|it| it.anothers.clone()).collect::<Vec<_>>(), [marker]);
    // Neither another address nor a replace that was cut off makes it ours.
    let mut moved = script();
    moved.address = Address::new(KindId::Worker, "new");
    world.desired = BTreeMap::from([(moved.address.clone(), moved)]);
    assert_eq!(comes_to(&world), NOT_OURS);
    let mut replaced = State::new(key(), REPOSITORY, "pr", "lineage");
    let was = Intent {
        action: IntentAction::Delete,
        id: Some("s--web--e".into()),
        ..intent(&script().address, "s--web--e".into())
    };
    replaced.intents.push(was);
    world.state = Some(replaced);
    world.desired = BTreeMap::from([(script().address, script())]);
    assert_eq!(comes_to(&world), NOT_OURS);
    assert_eq!(goes(&world), []);
    world.state = Some(state);
    // What the spec has no more is let go.
    world.desired.clear();
    assert_eq!(comes_to(&world), "Forget");
    world.desired.insert(script().address, script());
    world.ownership.adopt.insert(script().address);
    assert_eq!(comes_to(&world), "Keep");
    assert_eq!(goes(&world), [(Action::Delete, "worker.web".to_owned())]);
}

/// What a destroy does.
fn goes(world: &World) -> Vec<(Action, String)> {
    let changes = world.with(plan_destroy).unwrap().changes;
    changes.iter().map(|it| (it.action, it.address.to_string())).collect()
}

#[test]
fn a_record_proves_where_no_other_repository_left_its_marker_since() {
    let name = "A a.example.com";
    let address = Address::new(KindId::Dns, "a");
    let of_record = |marker: Option<&str>, comment: Option<&str>| {
        let mut state = recorded(&address, name);
        let fields = &mut state.resources.get_mut(&address).unwrap().fields;
        fields.extend(marker.map(|marker| ("comment".to_owned(), json!(marker))));
        let wanted = wanted(KindId::Dns, "a", name, false);
        let mut world = World::of(wanted, seen(KindId::Dns, name, comment), ownership());
        world.state = Some(state);
        let deletes = goes(&world) == [(Action::Delete, "dns.a".to_owned())];
        assert_eq!(deletes, comes_to(&world) == "Keep", "{marker:?} {comment:?}");
        deletes
    };
    let (ours, theirs) = (own("envc:p/e/a"), of(OTHER, "envc:p/e/a"));
    let words = format!("{theirs} other words");
    for recorded in [None, Some(&*ours), Some("words"), Some("envc:p/e/a")] {
        for now in [None, Some(""), Some("words"), Some("envc:p/e/a"), Some("envc:p/e@a b")] {
            assert!(of_record(recorded, now), "{recorded:?} {now:?}");
        }
        assert!(of_record(recorded, Some(&of(FORMER, "envc:p/e/a"))));
        for now in [&*theirs, &*words, &*of(OTHER, "envc:q/f/b")] {
            assert!(!of_record(recorded, Some(now)), "{recorded:?} {now:?}");
        }
    }
    // This record wrote that marker, under a name that the repository had for another clone.
    assert!(of_record(Some(&theirs), Some(&words)));
    assert!(!of_record(Some(&theirs), Some(&of("git.example/c/p", "envc:p/e/a"))));
}

#[test]
fn what_serves_a_worker_that_was_taken_over_stays_with_it() {
    let script = Address::new(KindId::Worker, "web");
    let route = Address::new(KindId::WorkerRoute, "web.x");
    let mut state = recorded(&script, "s--web--e");
    let mut of_route = recorded(&route, "x.example.com/*").resources.remove(&route).unwrap();
    of_route.needs = vec![script.clone()];
    state.resources.insert(route.clone(), of_route);
    let mut observation = Observation::from_state(&state);
    let mut world = World::of(
        wanted(KindId::Worker, "web", "s--web--e", true),
        observation.clone(),
        ownership(),
    );
    world.state = Some(state);
    assert_eq!(goes(&world).iter().filter(|it| it.0 == Action::Delete).count(), 2);
    observation.mark(KindId::Worker, "s--web--e", Some(&of(OTHER, "envc:p/e/web")));
    world.observation = observation;
    assert_eq!(goes(&world).iter().filter(|it| it.0 == Action::Forget).count(), 2);
    let taken = taken_over(world.state.as_ref().unwrap(), &world.observation, &world.ownership);
    assert_eq!(taken, BTreeSet::from([script, route]));
}

#[test]
fn what_is_left_over_bears_our_marker_and_no_other_repositorys() {
    let left = |marker: &str| {
        let world = World {
            desired: BTreeMap::new(),
            state: None,
            observation: seen(KindId::Dns, "A a.example.com", Some(marker)),
            ownership: ownership(),
        };
        let plans = [world.apply().unwrap(), world.with(plan_destroy).unwrap()];
        plans.map(|plan| plan.changes.iter().filter(|it| it.action == Action::Delete).count())
    };
    for ours in [own("envc:p/e/gone"), of(FORMER, "envc:p/e/gone")] {
        assert_eq!(left(&ours), [1, 1], "{ours}");
    }
    for theirs in ["envc:p/e/gone".to_owned(), of(OTHER, "envc:p/e/gone"), own("envc:p/e2/gone")] {
        assert_eq!(left(&theirs), [0, 0], "{theirs}");
    }
}

#[test]
fn what_others_deploy_for_the_spec_stays_with_an_apply_and_goes_with_a_destroy() {
    let deletes = |label: &str, marker: &str| {
        let deployed_by_others = BTreeSet::from([Address::new(KindId::Worker, label)]);
        let world = World {
            desired: BTreeMap::new(),
            state: None,
            observation: seen(KindId::Worker, "s--api--e", Some(marker)),
            ownership: Ownership { deployed_by_others, ..ownership() },
        };
        let plans = [world.apply().unwrap(), world.with(plan_destroy).unwrap()];
        plans.map(|plan| plan.changes.iter().filter(|it| it.action == Action::Delete).count())
    };
    assert_eq!(deletes("api", &own("envc:p/e/api")), [0, 1]);
    assert_eq!(deletes("api", &of(FORMER, "envc:p/e/api")), [0, 1]);
    assert_eq!(deletes("other", &own("envc:p/e/api")), [1, 1], "the spec dropped it");
    assert_eq!(deletes("api", &of(OTHER, "envc:p/e/api")), [0, 0]);
}

#[test]
fn a_marker_of_what_the_repository_was_is_written_anew_in_place() {
    let mut record = wanted(KindId::Dns, "a", "A a.example.com", false);
    let (now, before) = (own("envc:p/e/a"), of(FORMER, "envc:p/e/a"));
    record.fields.insert("comment".into(), Value::text(&now));
    let address = record.address.clone();
    let mut observation = seen(KindId::Dns, "A a.example.com", Some(&before));
    for seen in observation.found.values_mut().flatten() {
        seen.observed.fields.insert("comment".into(), json!(before));
    }
    let mut world = World::of(record, observation, ownership());
    for (state, action) in
        [(None, Action::Adopt), (Some(recorded(&address, "A a.example.com")), Action::Update)]
    {
        world.state = state;
        let plan = world.apply().unwrap();
        let [change] = &plan.changes[..] else { panic!("{plan:#?}") };
        assert_eq!(change.action, action);
        let told: Vec<_> = change.fields.iter().map(|it| (&it.before, &it.after)).collect();
        assert_eq!(told, [(&Some(json!(before)), &Some(json!(now)))]);
        assert_eq!(plan.steps.len(), 1);
    }
}

#[test]
fn what_serves_a_worker_of_ours_is_ours() {
    let script = wanted(KindId::Worker, "web", "s--web--e", true);
    let mut route = wanted(KindId::WorkerRoute, "web.x", "x.example.com/*", false);
    let name = Text::output(script.address.clone(), Output::Name);
    route.fields.insert("script".into(), Value::Text(name));
    let of = |marker: &str, leads_to: &str| {
        let mut observation = seen(KindId::Worker, "s--web--e", Some(&own(marker)));
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
        ("renamed", &own("envc:p/e/gone")),
        ("before", &of(FORMER, "envc:p/e/gone")),
        ("theirs", &of(OTHER, "envc:p/e/web")),
        ("other", "envc:p/e/web"),
        ("s--web--e2", ""),
        ("another", &own("envc:q/e/web")),
    ];
    let all = all.iter().map(|(name, tag): &(&str, &str)| listed(name, tag)).collect();
    observation.add(KindId::Worker, None, all);
    let mut world = World::of(script.clone(), observation, ownership());
    let read = |world: &World| {
        let (desired, state) = (&world.desired, world.state.as_ref());
        let found =
            markers_to_read(desired, state, &world.observation, &world.ownership, Reach::Named);
        found.into_iter().map(|(_, id)| id).collect::<Vec<_>>()
    };
    assert_eq!(read(&world), ["s--web--e", "p-web-e", "s--old--e", "renamed", "before"]);
    world.state = Some(recorded(&script.address, "s--web--e"));
    assert_eq!(read(&world), ["p-web-e", "s--old--e", "renamed", "before"]);
    // Of what is recorded it is read where somebody else may have put another one.
    let seen = |world: &mut World, field: &str, value: &str| {
        let all = world.observation.found.values_mut().flatten();
        for seen in all.filter(|seen| seen.observed.name == "s--web--e") {
            seen.observed.fields.insert(field.to_owned(), json!(value));
        }
    };
    let with_it = ["s--web--e", "p-web-e", "s--old--e", "renamed", "before"];
    seen(&mut world, "marker", &of(OTHER, "envc:p/e/web"));
    assert_eq!(read(&world), with_it);
    seen(&mut world, "marker", &own("envc:p/e/web"));
    assert_eq!(read(&world), with_it[1..]);
    seen(&mut world, "etag", "another");
    assert_eq!(read(&world), with_it);
    seen(&mut world, "marker", "");
    for seen in world.observation.found.values_mut().flatten() {
        seen.observed.fields.remove("etag");
    }
    // What was begun to be made counts, whatever the spec wants by now.
    let mut state = State::new(key(), REPOSITORY, "pr", "lineage");
    state.intents.push(intent(&script.address, "theirs".into()));
    world.state = Some(state);
    world.desired.clear();
    assert_eq!(read(&world), ["s--web--e", "s--old--e", "renamed", "before", "theirs"]);
}

fn intent(address: &Address, name: String) -> Intent {
    Intent {
        address: address.clone(),
        name,
        action: IntentAction::Create,
        id: None,
        zone: None,
        needs: Vec::new(),
    }
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
