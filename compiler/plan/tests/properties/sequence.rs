//! What has to come before what: for each rule the smallest plan that needs it. Without the edge
//! the checker refuses the plan.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{
    Address, Desired, Digest, KeyedDigest, KindId, Output, RepositoryDigest, Sealer, Text, Value,
};
use envc_kinds as bindings;
use envc_plan::{
    Action, Goal, MigrationFile, Ownership, Plan, PlanInputs, Refusal, Work, check, plan_apply,
    plan_destroy,
};

use crate::{
    account::{Account, REPOSITORY, key},
    specs::{QUEUE, ZONE, desired, marker},
};

type Graph = BTreeMap<Address, Desired>;

fn at(address: &str) -> Address {
    address.parse().unwrap()
}

fn of(all: impl IntoIterator<Item = Desired>) -> Graph {
    all.into_iter().map(|wanted| (wanted.address.clone(), wanted)).collect()
}

fn named(address: &str, name: &str) -> Desired {
    desired(at(address), name.into())
}

fn name_of(address: &str) -> Value {
    Value::Text(Text::output(at(address), Output::Name))
}

fn worker(label: &str, code: &str, bound: &[&str]) -> Desired {
    let mut wanted = named(&format!("worker.{label}"), label);
    let bind = |(n, address): (usize, &&str)| match at(address).kind() {
        KindId::Worker => {
            let script = Text::output(at(address), Output::Name);
            bindings::durable_object("ROOM", "Room", Some(script))
        }
        _ => bindings::to_resource(&format!("B{n}"), &at(address)).unwrap(),
    };
    let all = bound.iter().enumerate().map(bind).collect();
    wanted.fields.insert("bindings".into(), Value::List(all));
    wanted.fields.insert("code".into(), Value::text(code));
    wanted.fields.insert("marker".into(), Value::text(marker(&wanted.address)));
    wanted
}

fn consumer(label: &str, queue: &str) -> Desired {
    let mut wanted = named(&format!("queue-consumer.{label}.{queue}"), queue);
    let id = Text::output(at(&format!("queue.{queue}")), Output::Id);
    wanted.fields.insert("queue".into(), Value::Text(id));
    wanted.fields.insert("script".into(), name_of(&format!("worker.{label}")));
    wanted
}

fn queue_code(n: u8) -> String {
    format!("{n}{QUEUE}")
}

/// What is there before, what is wanted then, and how many migrations its databases have.
struct Case {
    account: Account,
    wanted: Graph,
    migrations: usize,
}

impl Case {
    fn new(
        before: impl IntoIterator<Item = Desired>,
        then: impl IntoIterator<Item = Desired>,
    ) -> Self {
        let mut case = Self { account: Account::default(), wanted: of(before), migrations: 0 };
        case.apply();
        case.wanted = of(then);
        case
    }

    fn apply(&mut self) {
        let plan = self.plan(Goal::Apply).unwrap();
        self.account.apply(&plan, usize::MAX, false);
    }

    fn with_migrations(mut self, count: usize) -> Self {
        self.migrations = count;
        self
    }

    fn plan(&self, goal: Goal) -> Result<Plan, Vec<Refusal>> {
        let file = |n| MigrationFile {
            name: format!("{n}.sql"),
            path: format!("sql/{n}.sql"),
            text: String::new(),
        };
        let files: Vec<MigrationFile> = (0..self.migrations).map(file).collect();
        let databases = self.wanted.keys().filter(|address| address.kind() == KindId::D1);
        let migrations = databases.map(|address| (address.clone(), files.clone())).collect();
        let observation = self.account.observe(&self.wanted);
        let ownership = Ownership {
            project: "p".into(),
            prefix: "p".into(),
            env: "e".into(),
            repository: RepositoryDigest::of(REPOSITORY),
            ..Ownership::default()
        };
        let inputs = PlanInputs {
            key: key(),
            repository: REPOSITORY.into(),
            env_type: "local".into(),
            spec: Digest::of("spec"),
            protect: false,
            leases: &BTreeMap::new(),
            desired: &self.wanted,
            state: self.account.state.as_ref(),
            observation: &observation,
            ownership: &ownership,
            keep: &BTreeSet::new(),
            migrations: &migrations,
            seeds: &BTreeMap::new(),
            asked: envc_plan::Asked::default(),
            sealer: &Sealer::new(KeyedDigest::new([0; 32]), "p", "e"),
        };
        match goal {
            Goal::Apply => plan_apply(&inputs),
            Goal::Destroy => plan_destroy(&inputs),
        }
        .map_err(|refused| refused.refusals)
    }

    /// In the plan each step waits for the one before it, and a plan without that is refused, with
    /// these words.
    #[track_caller]
    fn demands(&self, goal: Goal, first: &str, then: &str, words: &str) {
        let plan = self.plan(goal).unwrap();
        let _sound = check(plan.clone()).unwrap();
        let (need, step) = (find(&plan, first), find(&plan, then));
        let mut without = plan.clone();
        let direct = without.steps[step].needs.len();
        without.steps[step].needs.retain(|it| *it != need);
        assert_eq!(without.steps[step].needs.len() + 1, direct, "no such edge: {plan:#?}");
        let refused = check(without).unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
    }
}

/// The step in which this is done: `update worker.web`.
fn find(plan: &Plan, words: &str) -> usize {
    let (verb, address) = words.split_once(' ').unwrap();
    let is_it =
        |work: &Work| work.verb().word() == verb && work.addresses().any(|it| *it == at(address));
    let found = plan.steps.iter().position(|step| is_it(&step.work));
    found.unwrap_or_else(|| panic!("no `{words}` in {plan:#?}"))
}

#[test]
fn a_rename_comes_before_what_names_it() {
    let then = [named("queue.jobs", "work"), worker("web", "1", &["queue.jobs"])];
    let case = Case::new([named("queue.jobs", "jobs"), worker("web", "1", &["queue.jobs"])], then);
    let words = "may come before its new name";
    case.demands(Goal::Apply, "update queue.jobs", "update worker.web", words);
}

/// A consumer with a dead letter queue, the queue among what is there.
fn with_dead_letters() -> Vec<Desired> {
    let mut reads = consumer("web", "jobs");
    reads.fields.insert("dead-letter".into(), name_of("queue.dead"));
    let queues = [named("queue.jobs", "jobs"), named("queue.dead", "dead")];
    queues.into_iter().chain([worker("web", &queue_code(1), &[]), reads]).collect()
}

#[test]
fn a_dead_letter_queue_goes_after_the_consumer_let_go_of_it() {
    let without = || {
        [named("queue.jobs", "jobs"), worker("web", &queue_code(1), &[]), consumer("web", "jobs")]
    };
    let (first, then) = ("update queue-consumer.web.jobs", "delete queue.dead");
    let words = "deletes queue.dead before";
    let mut case = Case::new(with_dead_letters(), without());
    case.demands(Goal::Apply, first, then, words);
    // Nothing records any more who set it.
    for recorded in case.account.state.iter_mut().flat_map(|state| &mut state.resources) {
        recorded.1.fields.remove("dead-letter");
        recorded.1.needs.retain(|need| *need != at("queue.dead"));
    }
    case.demands(Goal::Apply, first, then, words);
    case.apply();
    assert!(case.plan(Goal::Apply).unwrap().is_empty());

    // The queue stays, and gets no dead letters any more.
    let all = without().into_iter().chain([named("queue.dead", "dead")]);
    let mut case = Case::new(with_dead_letters(), all);
    case.apply();
    assert!(case.plan(Goal::Apply).unwrap().is_empty());
    let id = KindId::QueueConsumer;
    let told = case.account.objects.iter().find(|((of, _), _)| *of == id).unwrap().1;
    assert_eq!(told.fields.get("dead-letter"), None);
}

#[test]
fn a_rename_comes_before_what_has_its_own_name_from_it() {
    let queue = |name| named("queue.jobs", name);
    let of_queue = |name: &str| Desired { name: name.into(), ..consumer("web", "jobs") };
    let case = Case::new(
        [queue("jobs"), worker("web", &queue_code(1), &[])],
        [queue("work"), worker("web", &queue_code(2), &[]), of_queue("work")],
    );
    let words = "may come before its new name";
    case.demands(Goal::Apply, "update queue.jobs", "create queue-consumer.web.jobs", words);
    let both = |n, name| [queue(name), worker("web", &queue_code(n), &[]), of_queue(name)];
    let case = Case::new(both(1, "jobs"), both(1, "work"));
    case.demands(Goal::Apply, "update queue.jobs", "update queue-consumer.web.jobs", words);
}

/// The consumer was made and its answer lost, before its queue was renamed.
#[test]
fn a_consumer_that_a_cut_off_apply_made_is_found_by_its_queue() {
    let queue = |name| named("queue.jobs", name);
    let of_queue = |name: &str| Desired { name: name.into(), ..consumer("web", "jobs") };
    let made = || {
        let before = [queue("jobs"), worker("web", &queue_code(1), &[])];
        let then = [queue("jobs"), worker("web", &queue_code(1), &[]), of_queue("jobs")];
        let mut case = Case::new(before, then);
        let plan = case.plan(Goal::Apply).unwrap();
        case.account.apply(&plan, usize::MAX, true);
        case.account.rename_queues();
        case
    };
    for (name, wanted, action) in [
        ("jobs", false, Action::Delete),
        ("work", false, Action::Delete),
        ("jobs", true, Action::Adopt),
        ("work", true, Action::Adopt),
    ] {
        let mut case = made();
        let all = [queue(name), worker("web", &queue_code(1), &[])].into_iter();
        case.wanted = of(all.chain(wanted.then(|| of_queue(name))));
        let plan = case.plan(Goal::Apply).unwrap();
        let is_it = |address: &Address| address.kind() == KindId::QueueConsumer;
        let found = plan.changes.iter().find(|change| is_it(&change.address));
        assert_eq!(found.map(|it| it.action), Some(action), "{name} {wanted}: {plan:#?}");
        case.apply();
        assert!(case.plan(Goal::Apply).unwrap().is_empty());
        assert!(case.account.orphans().is_empty());
    }
}

#[test]
fn triggers_that_a_cut_off_apply_made_go_when_nobody_wants_them() {
    let crons = || {
        let mut wanted = named("worker-crons.web", "web");
        let all = Value::List(vec![Value::text("0 * * * *")]);
        wanted.fields.insert("crons".into(), all);
        wanted.parent = Some(at("worker.web"));
        wanted
    };
    let script = || worker("web", "1", &[]);
    let mut case = Case::new([script()], [script(), crons()]);
    let plan = case.plan(Goal::Apply).unwrap();
    case.account.apply(&plan, usize::MAX, true);
    case.wanted = of([script()]);
    case.apply();
    let left = case.account.ids().into_iter().find(|(id, _)| *id == KindId::WorkerCrons);
    assert_eq!(left, None);
}

#[test]
fn a_rename_keeps_nothing_waiting_that_goes_by_the_identifier() {
    let bound = |code| worker("web", code, &["kv.cache"]);
    let case = Case::new(
        [named("kv.cache", "cache"), bound("1")],
        [named("kv.cache", "other"), bound("2")],
    );
    let plan = case.plan(Goal::Apply).unwrap();
    assert_eq!(plan.steps[find(&plan, "update worker.web")].needs, [0; 0], "{plan:#?}");
}

#[test]
fn what_is_made_is_there_before_what_names_it() {
    let case = Case::new([], [named("queue.jobs", "jobs"), worker("web", "1", &["queue.jobs"])]);
    case.demands(
        Goal::Apply,
        "create queue.jobs",
        "create worker.web",
        "which is not there before",
    );
}

#[test]
fn a_consumer_comes_after_the_upload_of_its_handler() {
    let queue = || named("queue.jobs", "jobs");
    let case = Case::new(
        [queue(), worker("web", "1", &[])],
        [queue(), worker("web", &queue_code(2), &[]), consumer("web", "jobs")],
    );
    let then = "create queue-consumer.web.jobs";
    case.demands(Goal::Apply, "update worker.web", then, "may come before its new code");
}

#[test]
fn a_consumer_is_gone_before_the_upload_that_may_take_its_handler_away() {
    let queue = || named("queue.jobs", "jobs");
    let case = Case::new(
        [queue(), worker("web", &queue_code(1), &[]), consumer("web", "jobs")],
        [queue(), worker("web", "2", &[])],
    );
    let first = "delete queue-consumer.web.jobs";
    case.demands(Goal::Apply, first, "update worker.web", "brings other code of worker.web before");
}

fn moved() -> Case {
    let both = |a: &str, b: &str| [worker("a", a, &[]), worker("b", b, &[])];
    let queue = || named("queue.jobs", "jobs");
    let before = both(&queue_code(1), "1").into_iter().chain([queue(), consumer("a", "jobs")]);
    let then = both("2", &queue_code(2)).into_iter().chain([queue(), consumer("b", "jobs")]);
    Case::new(before, then)
}

#[test]
fn a_consumer_moves_between_two_uploads() {
    let moves = "update queue-consumer.b.jobs";
    moved().demands(Goal::Apply, "update worker.b", moves, "may come before its new code");
    moved().demands(Goal::Apply, moves, "update worker.a", "brings other code of worker.a before");
}

/// On a fresh machine nothing is recorded; what a list shows is enough.
#[test]
fn a_consumer_moves_between_two_uploads_of_which_nothing_is_recorded() {
    let mut case = moved();
    let state = case.account.state.take().unwrap();
    let mut ids = envc_plan::State { resources: BTreeMap::new(), ..state.clone() };
    // The proof of ownership, in place of an ID that only one registry gives.
    ids.intents = state
        .resources
        .iter()
        .map(|(address, it)| envc_plan::Intent {
            address: address.clone(),
            name: it.name.clone(),
            action: envc_plan::IntentAction::Create,
            id: None,
            zone: None,
            needs: Vec::new(),
        })
        .collect();
    case.account.state = Some(ids);
    let moves = "update queue-consumer.b.jobs";
    case.demands(Goal::Apply, moves, "update worker.a", "brings other code of worker.a before");
}

#[test]
fn consumers_that_trade_workers_are_refused_and_not_a_bug() {
    let both = |n, a: &str, b: &str| {
        [
            named("queue.q", "q"),
            named("queue.r", "r"),
            worker("a", &queue_code(n), &[]),
            worker("b", &queue_code(n), &[]),
            consumer("a", a),
            consumer("b", b),
        ]
    };
    let refused = Case::new(both(1, "q", "r"), both(2, "r", "q")).plan(Goal::Apply).unwrap_err();
    assert_eq!(refused[0].code, "envc::plan::no_order");
    let said = &refused[0].message;
    assert!(said.contains("→ update worker.a") || said.contains("update worker.a →"), "{said}");
    // Where no code changes, nothing waits.
    let case = Case::new(both(1, "q", "r"), both(1, "r", "q"));
    let _sound = check(case.plan(Goal::Apply).unwrap()).unwrap();
}

#[test]
fn a_worker_lets_go_of_a_class_before_the_upload_that_may_take_it_away() {
    let case = Case::new(
        [worker("rooms", "1", &[]), worker("web", "1", &["worker.rooms"])],
        [worker("rooms", "2", &[]), worker("web", "2", &[])],
    );
    let words = "brings other code of worker.rooms before";
    case.demands(Goal::Apply, "update worker.web", "update worker.rooms", words);
}

#[test]
fn what_is_unbound_is_deleted_after_the_upload() {
    for store in ["kv.old", "d1.old", "r2.old", "queue.old"] {
        let bound = [named(store, "old"), worker("web", "1", &[store])];
        let case = Case::new(bound, [worker("web", "1", &[])]);
        let (gone, words) = (format!("delete {store}"), format!("deletes {store} before"));
        case.demands(Goal::Apply, "update worker.web", &gone, &words);
        case.demands(Goal::Destroy, "delete worker.web", &gone, &words);
    }
}

#[test]
fn what_an_update_may_have_bound_is_deleted_after_the_next_one() {
    // Bound by an upload whose answer was lost in a crash; then it leaves the spec.
    let mut case = Case::new(
        [worker("web", "1", &[])],
        [named("kv.new", "new"), worker("web", "2", &["kv.new"])],
    );
    let plan = case.plan(Goal::Apply).unwrap();
    case.account.apply(&plan, usize::MAX, true);
    case.wanted = of([worker("web", "3", &[])]);
    let words = "deletes kv.new before";
    case.demands(Goal::Apply, "update worker.web", "delete kv.new", words);
    case.demands(Goal::Destroy, "delete worker.web", "delete kv.new", words);
    // The run that mends it is cut off, too, before that upload.
    let plan = case.plan(Goal::Apply).unwrap();
    case.account.apply(&plan, 0, false);
    case.demands(Goal::Apply, "update worker.web", "delete kv.new", words);
}

#[test]
fn what_a_script_that_nothing_records_may_be_bound_to_is_deleted_after_it() {
    let bound = [named("kv.old", "old"), worker("web", "1", &["kv.old"])];
    let mut case = Case::new(bound, [worker("web", "2", &[])]);
    let state = case.account.state.as_mut().unwrap();
    state.resources.remove(&at("worker.web"));
    case.demands(Goal::Apply, "update worker.web", "delete kv.old", "deletes kv.old before");
    case.wanted.clear();
    case.demands(Goal::Apply, "delete worker.web", "delete kv.old", "deletes kv.old before");
}

#[test]
fn under_another_label_it_is_the_same_thing() {
    // The Worker is called otherwise in the spec, under the same physical name.
    let site = |code: &str| Desired { name: "web".into(), ..worker("site", code, &[]) };
    let queue = || named("queue.jobs", "jobs");
    let case = Case::new(
        [queue(), worker("web", &queue_code(1), &[]), consumer("web", "jobs")],
        [queue(), site("2")],
    );
    let first = "delete queue-consumer.web.jobs";
    case.demands(Goal::Apply, first, "update worker.site", "brings other code of worker.site");
}

#[test]
fn migrations_come_before_the_code_that_is_bound_to_their_database() {
    let all = |code| [named("d1.main", "main"), worker("web", code, &["d1.main"])];
    let words = "live before step 1 migrates d1.main";
    let fresh = Case::new([], all("1")).with_migrations(2);
    fresh.demands(Goal::Apply, "migrate d1.main", "create worker.web", words);
    fresh.demands(Goal::Apply, "create d1.main", "migrate d1.main", "before it is there");
    let later = Case::new(all("1"), all("2")).with_migrations(2);
    let words = "live before step 0 migrates d1.main";
    later.demands(Goal::Apply, "migrate d1.main", "update worker.web", words);
}

#[test]
fn a_replaced_database_goes_last() {
    let all = |name| [named("d1.main", name), worker("web", "1", &["d1.main"])];
    let case = Case::new(all("one"), all("two")).with_migrations(1);
    case.demands(Goal::Apply, "update worker.web", "delete d1.main", "deletes d1.main before");
    // Without a Worker it is the migrations that it waits for, else the new one.
    let alone = |name| [named("d1.main", name)];
    let case = Case::new(alone("one"), alone("two")).with_migrations(1);
    let words = "deletes the old d1.main before";
    case.demands(Goal::Apply, "migrate d1.main", "delete d1.main", words);
    let case = Case::new(alone("one"), alone("two"));
    case.demands(Goal::Apply, "create d1.main", "delete d1.main", "d1.main is replaced");
}

#[test]
fn the_old_half_of_a_replace_is_taken_back_where_it_is_wanted_again() {
    let all = |name| [named("d1.main", name), worker("web", "1", &["d1.main"])];
    let mut case = Case::new(all("one"), all("two"));
    let old = case.account.state.as_ref().unwrap().resources[&at("d1.main")].id.clone();
    let plan = case.plan(Goal::Apply).unwrap();
    let upload = find(&plan, "update worker.web");
    case.account.apply_in_some_order(&plan, 1, Some(upload));
    case.wanted = of(all("one"));
    let plan = case.plan(Goal::Apply).unwrap();
    let taken = plan.changes.iter().find(|change| change.action == Action::Adopt);
    assert_eq!(taken.and_then(|change| change.id.as_ref()), Some(&old), "{plan:#?}");
    case.apply();
    assert!(case.plan(Goal::Apply).unwrap().is_empty());
    assert_eq!(case.account.ids().iter().filter(|(id, _)| *id == KindId::D1).count(), 1);
}

#[test]
fn a_dropped_database_is_never_taken_for_another_one() {
    // Its delete was begun and cut off; then another one is to have its name.
    let both = [named("d1.x", "one"), named("d1.y", "two")];
    let mut case = Case::new(both, [named("d1.y", "two")]);
    let plan = case.plan(Goal::Apply).unwrap();
    case.account.apply(&plan, 0, false);
    case.wanted = of([named("d1.y", "one")]);
    let refused = case.plan(Goal::Apply).unwrap_err();
    assert_eq!(refused[0].code, "envc::plan::name_taken");
}

#[test]
fn a_database_that_keeps_its_name_is_made_after_the_delete() {
    let all = |jurisdiction: &str| {
        let mut main = named("d1.main", "main");
        main.fields.insert("jurisdiction".into(), Value::text(jurisdiction));
        [main, worker("web", "1", &["d1.main"])]
    };
    let case = Case::new(all("eu"), all("fedramp")).with_migrations(1);
    case.demands(Goal::Apply, "delete d1.main", "create d1.main", "d1.main is replaced");
    case.demands(Goal::Apply, "migrate d1.main", "update worker.web", "migrates d1.main");
    // Whoever lets go of it for good does so while it is there.
    let mut dropped = Case::new(all("eu"), all("fedramp"));
    dropped.wanted.insert(at("worker.web"), worker("web", "1", &[]));
    let words = "deletes d1.main before";
    dropped.demands(Goal::Apply, "update worker.web", "delete d1.main", words);
}

#[test]
fn a_script_and_its_queue_go_after_the_consumer() {
    let all =
        [named("queue.jobs", "jobs"), worker("web", &queue_code(1), &[]), consumer("web", "jobs")];
    let case = Case::new(all, []);
    let first = "delete queue-consumer.web.jobs";
    for (gone, words) in [
        ("delete worker.web", "deletes worker.web before"),
        ("delete queue.jobs", "deletes queue.jobs before"),
    ] {
        case.demands(Goal::Apply, first, gone, words);
        case.demands(Goal::Destroy, first, gone, words);
    }
}

#[test]
fn routes_follow_the_upload_and_go_before_the_script() {
    let route = || {
        let mut wanted = named("worker-route.web.r", &format!("r.{ZONE}/*"));
        wanted.fields.insert("script".into(), name_of("worker.web"));
        wanted.zone = Some(ZONE.into());
        wanted
    };
    let case = Case::new([worker("web", "1", &[])], [worker("web", "2", &[]), route()]);
    let words = "may come before its new code";
    case.demands(Goal::Apply, "update worker.web", "create worker-route.web.r", words);
    let case = Case::new([worker("web", "1", &[]), route()], []);
    let words = "deletes worker.web before";
    case.demands(Goal::Destroy, "delete worker-route.web.r", "delete worker.web", words);
}

fn record(label: &str, record_type: &str, host: &str) -> Desired {
    let mut wanted = named(&format!("dns.{label}"), &format!("{record_type} {host}.{ZONE}"));
    for (field, text) in
        [("type", record_type), ("name", &*format!("{host}.{ZONE}")), ("content", "192.0.2.1")]
    {
        wanted.fields.insert(field.into(), Value::text(text));
    }
    wanted.zone = Some(ZONE.into());
    wanted
}

fn domain(label: &str, host: &str) -> Desired {
    let mut wanted = named(&format!("worker-domain.{label}"), &format!("{host}.{ZONE}"));
    wanted.fields.insert("script".into(), name_of("worker.web"));
    wanted.zone = Some(ZONE.into());
    wanted
}

#[test]
fn a_host_goes_from_a_domain_to_a_record_and_back_one_after_the_other() {
    let web = || worker("web", "1", &[]);
    let words = "before step";
    for record_type in ["A", "AAAA", "CNAME"] {
        let case = Case::new([web(), domain("d", "x")], [web(), record("r", record_type, "x")]);
        case.demands(Goal::Apply, "delete worker-domain.d", "change dns.r", words);
        let case = Case::new([web(), record("r", record_type, "x")], [web(), domain("d", "X")]);
        case.demands(Goal::Apply, "change dns.r", "create worker-domain.d", words);
    }
    // Renamed in place, and made anew under another name.
    let case =
        Case::new([web(), domain("d", "x"), record("r", "A", "y")], [web(), record("r", "A", "x")]);
    case.demands(Goal::Apply, "delete worker-domain.d", "change dns.r", words);
    let case =
        Case::new([web(), record("r", "A", "x")], [web(), record("r", "A", "y"), domain("d", "x")]);
    case.demands(Goal::Apply, "change dns.r", "create worker-domain.d", words);
    let case =
        Case::new([web(), domain("d", "x")], [web(), domain("d", "y"), record("r", "A", "x")]);
    case.demands(Goal::Apply, "delete worker-domain.d", "change dns.r", words);
    // Each takes the other one's host, where that makes no cycle.
    let mut case = Case::new(
        [web(), domain("d", "x"), record("r", "A", "y")],
        [web(), domain("e", "y"), record("s", "A", "x")],
    );
    case.demands(Goal::Apply, "delete worker-domain.d", "change dns.s", words);
    case.demands(Goal::Apply, "change dns.r", "create worker-domain.e", words);
    case.apply();
}

#[test]
fn a_text_of_a_host_waits_for_no_domain() {
    let web = || worker("web", "1", &[]);
    let case = Case::new([web(), domain("d", "x")], [web(), record("r", "TXT", "x")]);
    let plan = case.plan(Goal::Apply).unwrap();
    assert_eq!(plan.steps[find(&plan, "change dns.r")].needs, [0; 0], "{plan:#?}");
}

#[test]
fn a_record_never_takes_a_host_that_a_domain_keeps() {
    let web = || worker("web", "1", &[]);
    for record_type in ["A", "AAAA", "CNAME"] {
        let then = [web(), domain("d", "x"), record("r", record_type, "x")];
        let case = Case::new([web(), domain("d", "x")], then);
        let refused = case.plan(Goal::Apply).unwrap_err();
        assert_eq!(refused[0].code, "envc::plan::name_taken");
        assert_eq!(refused[0].address, at("dns.r"));
        assert!(refused[0].message.contains("a domain has the DNS record"), "{refused:?}");
    }
}

#[test]
fn connections_are_cleared_before_their_tunnel_goes() {
    let case = Case::new([named("tunnel.dev", "dev")], []);
    case.demands(Goal::Destroy, "clear tunnel.dev", "delete tunnel.dev", "has to clear");
}
