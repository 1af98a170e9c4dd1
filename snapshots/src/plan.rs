//! What a first apply would do: the plan as people read it, its execution graph, its document.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
};

use envc_core::{Address, Digest, Input, Inputs as Outside, KeyedDigest, Sealer, Secret};
use envc_kinds::Observed;
use envc_plan::{
    BatchWork, MigrationFile, Observation, Ownership, Palette, Plan, PlanInputs, RenderOptions,
    StateKey, Work, check, needed_inputs, plan_apply, plan_json, render_plan, settle,
    sort_migrations,
};
use envc_spec::{Environment, MigrateMode};

use crate::common::{Example, REPOSITORY, Stage, examples, ids, names};

#[test]
fn every_type_of_every_example_as_a_first_plan() {
    let mut stage = Stage::new("plan");
    for example in examples() {
        for head in example.spec.types() {
            let environment = example.environment(head, false);
            let plan = first_plan(&example, &environment);
            let name = format!("{}.{}", example.name, head.name);
            let text = render_plan(&plan, &Palette::plain(), RenderOptions { verbose: true });
            for (part, text) in parts(&text) {
                stage.snap(&format!("{name}{part}"), &text);
            }
            stage.snap(&format!("{name}.steps"), &steps(&plan));
            assert!(check(plan).is_ok(), "{name}");
        }
    }
    let quickstart = examples().next().unwrap();
    let head = quickstart.spec.types().first().unwrap();
    let plan = first_plan(&quickstart, &quickstart.environment(head, false));
    for (part, json) in document(&plan) {
        stage.snap(&format!("{}.{}.json.{part}", quickstart.name, head.name), &json);
    }
    stage.end();
}

/// The plan of an environment of which nothing is there but what `existing` names.
pub(crate) fn first_plan(example: &Example, environment: &Environment) -> Plan {
    let outside = outside(environment);
    let mut resources = environment.resources.clone();
    let (_vault, unusable) = settle(&mut resources, &outside);
    assert!(unusable.is_empty(), "{unusable:?}");
    let inputs = PlanInputs {
        key: StateKey {
            cloud: "cloudflare".into(),
            account: "fake-account".into(),
            project: environment.project.clone(),
            env: environment.instance.id.clone(),
        },
        repository: REPOSITORY.into(),
        env_type: environment.type_name.clone(),
        spec: Digest::of(&example.text),
        protect: environment.protect,
        leases: &environment.leases,
        sealer: &outside.sealer,
        desired: &resources,
        state: None,
        observation: &existing_only(environment),
        ownership: &Ownership::default(),
        keep: &BTreeSet::new(),
        migrations: &migrations(example, environment),
        seeds: &BTreeMap::new(),
        asked: envc_plan::Asked::default(),
    };
    plan_apply(&inputs).unwrap_or_else(|refusals| panic!("{refusals:#?}"))
}

/// Values that nobody takes for real ones; a secret is a connection string, which does for any.
fn outside(environment: &Environment) -> Outside {
    let (mut variables, mut secrets) = (BTreeMap::new(), BTreeMap::new());
    for input in needed_inputs(environment).into_keys() {
        match input {
            Input::Env(name) => {
                variables.insert(name.clone(), format!("fake-variable-{name}"));
            }
            Input::Secret(name) => {
                let text = format!("postgres://user:fake-secret-{name}@db.example.com:5432/app");
                secrets.insert(name, Secret::new(text));
            }
            Input::Lease { .. } => {}
        }
    }
    let key = KeyedDigest::new("fake-key");
    let sealer = Sealer::new(key, &environment.project, &environment.instance.id);
    Outside::new(variables, secrets, sealer)
}

fn existing_only(environment: &Environment) -> Observation {
    let (ids, names) = (ids(environment), names(environment));
    let mut observation = Observation::default();
    for wanted in environment.resources.values().filter(|wanted| !wanted.is_managed()) {
        let address = &wanted.address;
        let (id, name) = (ids[address].clone(), names[address].clone());
        let observed = Observed { id, name, ..Observed::default() };
        observation.add(address.kind(), None, vec![observed]);
    }
    observation
}

fn migrations(
    example: &Example,
    environment: &Environment,
) -> BTreeMap<Address, Vec<MigrationFile>> {
    if environment.migrate == MigrateMode::Manual {
        return BTreeMap::new();
    }
    let read = |folder: &str| {
        let mut files: Vec<MigrationFile> = fs::read_dir(example.folder.join(folder))
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| MigrationFile {
                name: entry.file_name().to_string_lossy().into_owned(),
                path: format!("{folder}/{}", entry.file_name().to_string_lossy()),
                text: fs::read_to_string(entry.path()).unwrap(),
            })
            .collect();
        sort_migrations(&mut files);
        files
    };
    let folders = environment.migrations.iter();
    folders.map(|(address, folder)| (address.clone(), read(&folder.path))).collect()
}

/// A long plan in two: what holds data, and from the first tunnel on.
fn parts(text: &str) -> Vec<(&'static str, String)> {
    let Some(at) = text.find("\n+ create tunnel") else { return vec![("", text.to_owned())] };
    let (stores, network) = text.split_at(at + 1);
    vec![(".stores", stores.to_owned()), (".network", network.to_owned())]
}

/// The plan document in three, each as JSON.
fn document(plan: &Plan) -> Vec<(&'static str, String)> {
    let mut json = plan_json(plan).unwrap();
    let mut take = |name: &str| json.as_object_mut().unwrap().remove(name).unwrap();
    let (changes, steps) = (take("changes"), take("steps"));
    let shown = |json: &serde_json::Value| format!("{json:#}\n");
    vec![("head", shown(&json)), ("changes", shown(&changes)), ("steps", shown(&steps))]
}

/// One line a step, with the steps that it waits for.
fn steps(plan: &Plan) -> String {
    let mut out = String::new();
    for (index, step) in plan.steps.iter().enumerate() {
        let needs: Vec<String> = step.needs.iter().map(ToString::to_string).collect();
        let after =
            if needs.is_empty() { String::new() } else { format!("  after {}", needs.join(", ")) };
        match &step.work {
            Work::Create(target) => writeln!(out, "{index}  create {}{after}", target.address),
            Work::Update { target, .. } => {
                writeln!(out, "{index}  update {}{after}", target.address)
            }
            Work::Clear(doomed) => writeln!(out, "{index}  clear {}{after}", doomed.address),
            Work::Delete(doomed) => writeln!(out, "{index}  delete {}{after}", doomed.address),
            Work::Migrate { address, files, .. } => {
                let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
                writeln!(out, "{index}  migrate {address}: {}{after}", names.join(", "))
            }
            Work::Lease(work) => writeln!(out, "{index}  lease from {}{after}", work.pool),
            Work::Release(work) => writeln!(out, "{index}  release to {}{after}", work.pool),
            Work::Batch { zone, items } => {
                let zone = zone.as_deref().unwrap_or("the account");
                writeln!(out, "{index}  one request for {zone}{after}").unwrap();
                items.iter().try_for_each(|item| match item {
                    BatchWork::Create(target) => writeln!(out, "     create {}", target.address),
                    BatchWork::Update { target, .. } => {
                        writeln!(out, "     update {}", target.address)
                    }
                    BatchWork::Delete(doomed) => writeln!(out, "     delete {}", doomed.address),
                })
            }
        }
        .unwrap();
    }
    if out.is_empty() { "nothing to do\n".into() } else { out }
}
