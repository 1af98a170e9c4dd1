//! Thousands of resources: compile, diff and plan, in a process of its own for each size.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write as _,
    process::Command,
    time::{Duration, Instant},
};

use envc_core::{
    Address, Desired, Digest, KeyedDigest, KindId, Mode, Output, Part, RepositoryDigest, Sealer,
    Span, Text, Value,
};
use envc_plan::{
    Observation, Ownership, Plan, PlanInputs, Recorded, State, StateKey, check, plan_apply,
};
use envc_spec::{Environment, Instance};
use serde_json::{Value as Json, json};

use crate::{
    Result,
    stats::Sample,
    table::{Row, Table},
    watch::{self, millis},
};

/// The argument that makes this program measure one size, once.
pub(crate) const CHILD: &str = "--scale";
/// How often each size is measured.
const RUNS: usize = 7;
/// The sizes of the mixed spec.
const SIZES: [u32; 3] = [100, 1_000, 10_000];
/// What the largest may take, in milliseconds.
const MS_MAX: f64 = 100.0;
/// What the largest may take, in MB.
const MB_MAX: f64 = 100.0;
/// Ten times as much may take so many times as long and as much again, and still be linear: sorted
/// maps take the logarithm, too.
const GROWTH_MAX: f64 = 15.0;

/// Where the time went.
const PARTS: [&str; 4] = ["load", "environment", "diff", "first"];

pub(crate) fn measure(table: &mut Table) -> Result<()> {
    let mut last: Option<f64> = None;
    for size in SIZES {
        let what = format!("{size} resources");
        let runs = runs("mixed", size)?;
        let total = sample(&runs, &["load", "environment", "diff"])?;
        let largest = size == SIZES[2];
        let parts: Vec<String> = PARTS
            .iter()
            .map(|part| Ok(format!("{part} {:.1}", sample(&runs, &[part])?.min())))
            .collect::<Result<_>>()?;
        let row = Row::new(&what, "compile and diff", total.min(), "ms")
            .median(total.median())
            .note(parts.join(", "));
        table.add(if largest { row.limit(MS_MAX) } else { row });
        let memory = sample(&runs, &["peak_mb"])?;
        let row = Row::new(&what, "peak memory", memory.max(), "MB");
        table.add(if largest { row.limit(MB_MAX) } else { row });
        if let Some(before) = last {
            let growth = total.min() / before;
            table.add(Row::new(&what, "times a tenth of it", growth, "").limit(GROWTH_MAX));
        }
        last = Some(total.min());
    }
    for (shape, size, what) in
        [("star", 10_000, "10000 that need one"), ("chain", 2_000, "a chain of 2000")]
    {
        let runs = runs(shape, size)?;
        let first = sample(&runs, &["first"])?;
        table.add(Row::new(what, "first plan", first.min(), "ms").median(first.median()));
        let diff = sample(&runs, &["diff"])?;
        table.add(Row::new(what, "diff", diff.min(), "ms").median(diff.median()));
    }
    Ok(())
}

fn runs(shape: &str, size: u32) -> Result<Vec<Json>> {
    let this = env::current_exe().map_err(|error| error.to_string())?;
    let one = |_| {
        let watched = watch::run(Command::new(&this).args([CHILD, shape, &size.to_string()]))?;
        serde_json::from_str(&watched.stdout).map_err(|error| error.to_string())
    };
    (0..RUNS).map(one).collect()
}

/// The sum of these fields, over all runs.
fn sample(runs: &[Json], fields: &[&str]) -> Result<Sample> {
    let field = |run: &Json, field: &str| {
        run.get(field).and_then(Json::as_f64).ok_or_else(|| format!("no `{field}` in {run}"))
    };
    runs.iter()
        .map(|run| fields.iter().map(|name| field(run, name)).sum::<Result<f64>>())
        .collect::<Result<Vec<f64>>>()
        .map(|values| values.into_iter().collect())
}

/// Measures one size once, as the command works: nothing is warm.
pub(crate) fn child(shape: &str, size: &str) -> Result<String> {
    let size: u32 = size.parse().map_err(|_| format!("`{size}` is no size"))?;
    let (resources, load, environment) = match shape {
        "chain" => (chain(size), Duration::ZERO, Duration::ZERO),
        _ => compile(&spec(shape, size))?,
    };
    let state = recorded(&resources);
    let observation = Observation::from_state(&state);
    let (plan, diff) = plan(&resources, Some(&state), &observation)?;
    if !plan.is_empty() {
        return Err("a plan that should find nothing to do has steps".to_owned());
    }
    let peak_mb = watch::peak_of("self").unwrap_or_default();
    let (plan, first) = plan_first(&resources)?;
    if plan.changes.len() != resources.len() {
        return Err("a first plan that should create all does not".to_owned());
    }
    Ok(json!({
        "resources": resources.len(), "load": millis(load), "environment": millis(environment),
        "diff": millis(diff), "first": millis(first), "peak_mb": peak_mb,
    })
    .to_string())
}

fn compile(text: &str) -> Result<(BTreeMap<Address, Desired>, Duration, Duration)> {
    let begun = Instant::now();
    let (spec, found) = envc_spec::load(text);
    let load = begun.elapsed();
    let spec = spec.ok_or_else(|| format!("the spec is wrong: {:?}", found.iter().next()))?;
    let instance = Instance {
        id: "main-abcdef1234".into(),
        branch: Some("main".into()),
        pr: None,
        sha: None,
        ports: BTreeMap::new(),
        local_cloud: true,
        repository: RepositoryDigest::of(REPOSITORY),
    };
    let begun = Instant::now();
    let environment: Environment = spec
        .environment("local", &instance)
        .map_err(|found| format!("the environment is wrong: {:?}", found.iter().next()))?;
    Ok((environment.resources, load, begun.elapsed()))
}

/// A spec with so many resources: of all kinds, or all but one referring to that one.
pub(crate) fn spec(shape: &str, size: u32) -> String {
    let mut text = "project \"big\" { zone \"big.example\" }\n\
                    environment \"local\" default { identity branch max-length=20 unique }\n"
        .to_owned();
    for number in 0..size {
        let kind = match (shape, number % 5) {
            ("star", _) if number == 0 => "d1",
            ("star", _) => "dns",
            (_, 0) => "d1",
            (_, 1) => "kv",
            (_, 2) => "r2",
            (_, 3) => "queue",
            _ => "dns",
        };
        let needed = if shape == "star" { 0 } else { number - number % 5 };
        let line = match kind {
            "dns" => format!(
                "dns \"n{number}\" type=\"TXT\" name=\"n{number}-{{env}}\" content=\"{{d1.n{needed}.id}}\""
            ),
            kind => format!("{kind} \"n{number}\""),
        };
        // Writing to a string cannot fail.
        let _written = writeln!(text, "{line}");
    }
    text
}

/// Resources of which each refers to the one before.
fn chain(size: u32) -> BTreeMap<Address, Desired> {
    let address = |number: u32| Address::new(KindId::Kv, format!("n{number:05}"));
    (0..size)
        .map(|number| {
            let content = match number.checked_sub(1) {
                Some(before) => Text::output(address(before), Output::Id),
                None => Text::literal("first"),
            };
            let wanted = Desired {
                address: address(number),
                name: format!("chain-n{number}"),
                default_name: false,
                mode: Mode::Managed,
                protect: false,
                fields: [("content".to_owned(), Value::Text(content))].into(),
                zone: None,
                parent: None,
                span: Span::default(),
            };
            (wanted.address.clone(), wanted)
        })
        .collect()
}

/// A state in which all of these exist as they are wanted.
fn recorded(resources: &BTreeMap<Address, Desired>) -> State {
    let known = |part: &Part| match part {
        Part::Lit(text) => Some(text.clone()),
        Part::Out(reference) => Some(format!("id-{}", reference.address)),
        Part::In(_) => None,
    };
    let mut state = State::new(key(), REPOSITORY, "local", "0".repeat(16));
    for (address, wanted) in resources {
        let field = |(name, value): (&String, &Value)| {
            value.resolve(&mut |part| known(part)).map(|value| (name.clone(), value))
        };
        let recorded = Recorded {
            name: wanted.name.clone(),
            id: format!("id-{address}"),
            fields: wanted.fields.iter().filter_map(field).collect(),
            zone: wanted.zone.clone(),
            needs: wanted.needs().into_iter().cloned().collect(),
            ..Recorded::default()
        };
        state.resources.insert(address.clone(), recorded);
    }
    state
}

/// Whose project it is.
const REPOSITORY: &str = "git.example/a/big";

fn key() -> StateKey {
    StateKey {
        cloud: "local".into(),
        account: "a".repeat(32),
        project: "big".into(),
        env: "main-abcdef1234".into(),
    }
}

fn plan_first(resources: &BTreeMap<Address, Desired>) -> Result<(Plan, Duration)> {
    plan(resources, None, &Observation::default())
}

fn plan(
    resources: &BTreeMap<Address, Desired>,
    state: Option<&State>,
    observation: &Observation,
) -> Result<(Plan, Duration)> {
    let begun = Instant::now();
    let inputs = PlanInputs {
        key: key(),
        repository: REPOSITORY.into(),
        env_type: "local".into(),
        spec: Digest::of("spec"),
        protect: false,
        leases: &BTreeMap::new(),
        sealer: &Sealer::new(KeyedDigest::new([0; 32]), "p", "e"),
        desired: resources,
        state,
        observation,
        ownership: &Ownership {
            project: "big".into(),
            prefix: "big".into(),
            env: "main-abcdef1234".into(),
            ..Ownership::default()
        },
        keep: &BTreeSet::new(),
        migrations: &BTreeMap::new(),
        seeds: &BTreeMap::new(),
        asked: envc_plan::Asked::default(),
    };
    let plan = plan_apply(&inputs)
        .map_err(|refused| format!("refused: {:?}", refused.refusals.first()))?;
    let plan = check(plan).map_err(|unsound| unsound.to_string())?;
    let took = begun.elapsed();
    Ok((plan.plan().clone(), took))
}
