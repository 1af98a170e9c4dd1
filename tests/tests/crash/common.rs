//! What must be true of an environment, whatever happened to it before.

use std::collections::BTreeMap;

use envc_core::{Address, KindId, RepositoryDigest};
use envc_kinds::{Place, kind, registry};
use envc_spec::Instance;
use envc_tests::{Listing, Ran, TestEnv};
use serde_json::Value as Json;

/// Scenarios at once. Each waits for the disk more than for the processor.
pub(crate) const THREADS: usize = 4;

/// Scenarios at once on an API with moods: most of the time they wait for what is not seen yet.
pub(crate) const MOODY_THREADS: usize = 12;

/// All the moods of the real API, a fiftieth as long; what else goes wrong may follow.
pub(crate) fn moods(seed: u64) -> String {
    format!("reality=1/50,seed={seed}")
}

/// A system of `specs/` and what one environment of it is in the account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct System {
    pub(crate) spec: &'static str,
    /// What is added to its spec.
    pub(crate) more: &'static str,
    /// Preview IDs that it holds.
    pub(crate) leases: usize,
    /// Every kind that its spec does not have is added to it, by the kind's own sample.
    pub(crate) every_kind: bool,
    /// Migrations by database's name in the spec, in order.
    pub(crate) migrations: &'static [(&'static str, &'static [&'static str])],
    /// Files that envc writes.
    pub(crate) files: &'static [&'static str],
}

pub(crate) const QUICKSTART: System = System {
    spec: "quickstart",
    more: "",
    leases: 0,
    every_kind: false,
    migrations: &[("app", &["0001_notes.sql", "0002_history.sql"])],
    files: &[".env", ".dev.vars", "wrangler.jsonc"],
};

/// The same with a preview ID.
pub(crate) const LEASED: System = System {
    more: "edge \"https://edge.example.com\" token=(secret)\"EDGE_TOKEN\" { pool \"previews\" }\n\
           lease \"preview\" pool=\"previews\"\n\
           dotenv \".env.preview\" { ID \"{lease.preview.id}\" ; KEY \"{lease.preview.key}\" }\n",
    leases: 1,
    files: &[".env", ".env.preview", ".dev.vars", "wrangler.jsonc"],
    ..QUICKSTART
};

pub(crate) const EVENTUALL: System = System {
    spec: "eventuall",
    more: "",
    leases: 0,
    every_kind: false,
    migrations: &[
        ("webapp", &["0000_accounts.sql", "0001_events.sql", "0002_audit.sql"]),
        ("workers", &["0001_rooms.sql", "0002_command_queue.sql"]),
        ("statuspage", &["0001_checks.sql", "0002_incidents.sql", "0003_close_incidents.sql"]),
    ],
    files: &[
        ".env",
        ".env.ports",
        "start-dev.sh",
        "apps/webapp/wrangler.jsonc",
        "apps/workers/wrangler.jsonc",
        "apps/statuspage/wrangler.jsonc",
    ],
};

/// A Worker that envc deploys, with everything that can stand before one, and every other kind.
pub(crate) const BUNDLE: System = System {
    spec: "../tests/fixtures/bundle",
    more: "",
    leases: 0,
    every_kind: true,
    migrations: &[("main", &["0001_orders.sql"])],
    files: &[".dev.vars", ".env.local", "wrangler.jsonc"],
};

impl System {
    pub(crate) fn env(&self) -> TestEnv {
        let mut env = TestEnv::new(self.spec);
        env.set("KEY", "a secret");
        env.set("DATABASE_URL", "postgres://web:a-password@db.example.com/app");
        env.set("LOCAL_DATABASE_URL", "postgres://web:web@localhost/app");
        let spec = env.read("environment.kdl").expect("there is a spec");
        if self.every_kind {
            env.write("environment.kdl", &with_every_kind(&spec));
        }
        if !self.more.is_empty() {
            env.write("environment.kdl", &format!("{spec}\n{}", self.more));
            let ignored = env.read(".gitignore").unwrap_or_default();
            env.write(".gitignore", &format!("{ignored}\n.env.preview\n"));
        }
        env
    }

    /// Objects by kind: what the spec asks for, and what the cloud makes besides.
    pub(crate) fn objects(env: &TestEnv) -> BTreeMap<&'static str, usize> {
        let text = env.read("environment.kdl").expect("there is a spec");
        let spec = envc_spec::load(&text).0.expect("the spec can be read");
        let head = spec.types().iter().find(|head| head.default).expect("a type is the default");
        let instance = Instance {
            id: "x1".into(),
            branch: None,
            pr: None,
            sha: None,
            ports: BTreeMap::new(),
            local_cloud: true,
            repository: RepositoryDigest::UNKNOWN,
        };
        let environment = spec.environment(&head.name, &instance).expect("the spec is right");
        let mut counts = BTreeMap::new();
        for address in environment.resources.keys().map(Address::kind) {
            // What goes with its parent alone is no object of the account.
            if kind(address).delete(&Place::default(), "x").is_some() {
                *counts.entry(address.as_str()).or_default() += 1;
            }
            // A Worker's domain has a record, which the cloud makes.
            if kind(address).shares_hosts_with().contains(&KindId::Dns) {
                *counts.entry(KindId::Dns.as_str()).or_default() += 1;
            }
        }
        counts
    }

    /// Invariant: exactly one of each resource and one preview ID, every migration exactly once and in order.
    pub(crate) fn check_whole(&self, env: &TestEnv) -> Listing {
        let cloud = env.cloud();
        let listing = cloud.listing();
        let leases = cloud.leases("previews");
        assert_eq!(leases.len(), self.leases, "{leases:?}");
        let expected = Self::objects(env);
        assert_eq!(listing.counts(), expected, "{listing}");
        for kind in expected.keys() {
            let mut names = listing.names(kind);
            names.dedup();
            assert_eq!(names, listing.names(kind), "one name twice: {listing}");
        }
        for (database, files) in self.migrations {
            let part = format!("-{database}-");
            let found =
                listing.objects.iter().find(|it| it.kind == "d1" && it.name.contains(&part));
            let id = &found.unwrap_or_else(|| panic!("no {database}: {listing}")).id;
            assert_eq!(cloud.ledger(id), *files, "{database}");
        }
        let text = self.files.iter().filter_map(|path| env.read(path)).collect::<String>();
        for object in listing.objects.iter().filter(|object| object.kind == "kv") {
            assert!(text.contains(&object.id), "no file names {object:?}:\n{text}");
        }
        listing
    }

    /// Invariant: after a successful apply a plan is empty, and one more apply changes nothing.
    pub(crate) fn check_settled(&self, env: &TestEnv) {
        let before = self.check_whole(env);
        env.envc(&["plan", "--detailed-exitcode"]).exits(0);
        let again = env.envc(&["apply", "--json"]).exits(0);
        let applied = again.event("applied").expect("an apply tells what it did");
        assert_eq!(applied.get("steps"), Some(&Json::from(0)), "{again}");
        assert_eq!(applied.get("files"), Some(&Json::Array(Vec::new())), "{again}");
        assert_eq!(env.cloud_listing(), before);
        for (name, state) in env.some_states() {
            assert_eq!(state.get("intents"), Some(&Json::Array(Vec::new())), "{name}: {state}");
        }
    }

    /// Invariant: a destroyed environment leaves nothing in the account, no state, no file of
    /// ours, and no ID.
    pub(crate) fn check_gone(&self, env: &TestEnv) {
        let listing = env.cloud_listing();
        assert!(listing.is_empty(), "left: {listing}");
        let leases = env.cloud().leases("previews");
        assert!(leases.is_empty(), "still held: {leases:?}");
        assert_eq!(env.states(), BTreeMap::new());
        for path in self.files {
            assert_eq!(env.read(path), None, "{path} was left");
        }
        env.envc(&["destroy", "--yes"]).exits(3);
    }
}

/// A spec with a node of every kind that it does not have; its Worker is bound to them.
fn with_every_kind(spec: &str) -> String {
    let (mut nodes, mut bindings) = (Vec::new(), Vec::new());
    for kind in registry().iter().filter_map(|kind| kind.declared()) {
        let word = kind.grammar().name;
        if spec.lines().any(|line| line.starts_with(&format!("{word} "))) {
            continue;
        }
        nodes.push(kind.node().sample);
        if kind.node().bindable.is_some() {
            let name = word.to_uppercase().replace('-', "_");
            bindings.push(format!("    bind \"X_{name}\" {word}=\"x\"\n"));
        }
    }
    let (before, behind) = spec.split_once("    consume ").expect("the Worker consumes a queue");
    format!("{before}{}    consume {behind}\n{}\n", bindings.concat(), nodes.join("\n"))
}

/// Requests of a command, from the event that ends it.
pub(crate) fn requests(ran: &Ran, event: &str) -> u64 {
    let told = ran.event(event).unwrap_or_else(|| panic!("no `{event}` event: {ran}"));
    told.get("requests").and_then(Json::as_u64).expect("a command counts its requests")
}
