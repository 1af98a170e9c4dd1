//! The day's commands on `specs/eventuall`, type `local`: requests, round trips, time.

use envc_tests::TestEnv;

use crate::{
    Result,
    stats::Sample,
    table::{Row, Table},
    watch::{self, Watched},
};

/// How often each is measured.
const RUNS: usize = 5;
/// The latency that stands for a round trip, in milliseconds.
const RTT_MS: f64 = 100.0;
/// Faults of the embedded cloud that make it so.
const FAULTS: &str = "latency=100";
/// What `plan` and `apply` may take beside waiting for the cloud, in milliseconds.
const OWN_MS_MAX: f64 = 50.0;

/// One command, as it is measured.
struct Case {
    what: &'static str,
    arguments: &'static [&'static str],
    /// The event that tells the requests, and the field of it.
    requests: (&'static str, &'static str),
    /// Requests that there may be, beside migrations.
    requests_max: f64,
    /// Round trips on the shortest way.
    floor: f64,
    /// What it may take with a latency of one round trip.
    limit_ms: f64,
}

const APPLIED: (&str, &str) = ("applied", "requests");

const FIRST: Case = Case {
    what: "apply, first on a machine",
    arguments: &["apply", "--json"],
    requests: APPLIED,
    requests_max: 20.0,
    floor: 4.0,
    limit_ms: 1.5 * 4.0 * RTT_MS,
};
const FRESH: Case =
    Case { what: "apply, new environment", floor: 3.0, limit_ms: 1.5 * 3.0 * RTT_MS, ..FIRST };
const PLAN: Case = Case {
    what: "plan, nothing to do",
    arguments: &["plan", "--json"],
    requests: ("budget", "sent"),
    requests_max: 8.0,
    floor: 2.0,
    limit_ms: 2.0 * RTT_MS + OWN_MS_MAX,
};
const NOTHING: Case = Case {
    what: "apply, nothing to do",
    arguments: &["apply", "--json"],
    requests: APPLIED,
    ..PLAN
};
const DESTROY: Case = Case {
    what: "destroy, with its proof",
    arguments: &["destroy", "--yes", "--json"],
    requests: ("destroyed", "requests"),
    requests_max: 14.0 + 6.0,
    // Records, what they lead to, and one more look.
    floor: 3.0,
    limit_ms: 4.0 * RTT_MS + OWN_MS_MAX,
};

/// What came of all runs of one case.
#[derive(Default)]
struct Found {
    requests: Sample,
    migrations: Sample,
    /// Without latency, and with it.
    direct_ms: Sample,
    latent_ms: Sample,
}

pub(crate) fn measure(table: &mut Table) -> Result<()> {
    let whole = measure_spec(false)?;
    let bare = measure_spec(true)?;
    let [first, fresh, plan, nothing, destroy] = bare;
    let [_, migrating, whole_plan, whole_nothing, _] = whole;
    report(&FIRST, &first, table);
    report(&FRESH, &fresh, table);
    let trips = round_trips(&migrating) - round_trips(&fresh);
    table.add(
        Row::new("its migrations", "requests", migrating.migrations.max(), "").note(format!(
            "{trips:.1} round trips more than without: a database's own are in turn"
        )),
    );
    report(&PLAN, &whole_plan.beside(plan), table);
    report(&NOTHING, &whole_nothing.beside(nothing), table);
    report(&DESTROY, &destroy, table);
    let env = world(false);
    let apply = watch::run_for_memory(&mut env.command(&["apply"]))?;
    table.add(Row::new("apply, new environment", "peak memory", apply.peak_mb, "MB"));
    Ok(())
}

impl Found {
    /// Both have nothing to migrate: all runs count.
    fn beside(mut self, other: Self) -> Self {
        let Self { requests, migrations: _, direct_ms, latent_ms } = other;
        self.requests.extend(requests);
        self.direct_ms.extend(direct_ms);
        self.latent_ms.extend(latent_ms);
        self
    }
}

fn world(without_migrations: bool) -> TestEnv {
    let env = TestEnv::new("eventuall");
    if without_migrations {
        let text = env.read("environment.kdl").unwrap_or_default();
        let cut = |line: &str| match line.split_once("{ migrations ") {
            Some((before, _)) => before.to_owned(),
            None => line.to_owned(),
        };
        let text: Vec<String> = text.lines().map(cut).collect();
        env.write("environment.kdl", &text.join("\n"));
        env.git(&["commit", "--quiet", "--all", "--message", "no migrations"]);
    }
    env
}

fn measure_spec(without_migrations: bool) -> Result<[Found; 5]> {
    let mut all: [Found; 5] = Default::default();
    for _ in 0..RUNS {
        for latent in [false, true] {
            let mut env = world(without_migrations);
            if latent {
                env.set("ENVC_CLOUD_FAULTS", FAULTS);
            }
            let run = |case: &Case, found: &mut Found| found.add(case, &env, latent);
            let [first, fresh, plan, nothing, destroy] = &mut all;
            run(&FIRST, first)?;
            run(&DESTROY, destroy)?;
            run(&FRESH, fresh)?;
            run(&PLAN, plan)?;
            run(&NOTHING, nothing)?;
            run(&DESTROY, destroy)?;
        }
    }
    Ok(all)
}

impl Found {
    fn add(&mut self, case: &Case, env: &TestEnv, latent: bool) -> Result<()> {
        let watched: Watched = watch::run(&mut env.command(case.arguments))?;
        let (event, field) = case.requests;
        let requests = watched.number(event, field)?;
        let migrations = u32::try_from(watched.events("migrated").len()).unwrap_or(u32::MAX);
        self.requests.add(requests - f64::from(migrations));
        self.migrations.add(f64::from(migrations));
        let times = if latent { &mut self.latent_ms } else { &mut self.direct_ms };
        times.add(watched.ms);
        Ok(())
    }
}

/// What waiting for the cloud adds, in round trips.
fn round_trips(found: &Found) -> f64 {
    (found.latent_ms.min() - found.direct_ms.min()) / RTT_MS
}

fn report(case: &Case, found: &Found, table: &mut Table) {
    let Case { what, floor, .. } = *case;
    table.add(Row::new(what, "requests", found.requests.max(), "").limit(case.requests_max));
    table.add(
        Row::new(what, "round trips", round_trips(found), "")
            .note(format!("{:.2} × the floor of {floor}", round_trips(found) / floor)),
    );
    table.add(
        Row::new(what, "time at 0 ms", found.direct_ms.min(), "ms")
            .median(found.direct_ms.median()),
    );
    let own = found.latent_ms.min() - floor * RTT_MS;
    table.add(
        Row::new(what, "time at 100 ms", found.latent_ms.min(), "ms")
            .median(found.latent_ms.median())
            .limit(case.limit_ms)
            .note(format!("{floor} round trips and {own:.0} ms of its own")),
    );
}
