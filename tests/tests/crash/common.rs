//! What must be true of an environment, whatever happened to it before.

use std::collections::BTreeMap;

use envc_tests::{Listing, Ran, TestEnv};
use serde_json::Value as Json;

/// Scenarios at once. Each waits for the disk more than for the processor.
pub(crate) const THREADS: usize = 4;

/// A system of `specs/` and what one environment of it is in the account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct System {
    pub(crate) spec: &'static str,
    /// What is added to its spec.
    pub(crate) more: &'static str,
    /// Preview IDs that it holds.
    pub(crate) leases: usize,
    /// Objects by kind.
    pub(crate) objects: &'static [(&'static str, usize)],
    /// Migrations by database's name in the spec, in order.
    pub(crate) migrations: &'static [(&'static str, &'static [&'static str])],
    /// Files that envc writes.
    pub(crate) files: &'static [&'static str],
}

pub(crate) const QUICKSTART: System = System {
    spec: "quickstart",
    more: "",
    leases: 0,
    objects: &[("d1", 1), ("kv", 1), ("queue", 2), ("r2", 1)],
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
    objects: &[("d1", 3), ("dns", 6), ("kv", 2), ("queue", 2), ("r2", 2), ("tunnel", 1)],
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

/// A Worker that envc deploys, with everything that can stand before one. Its domain has a DNS
/// record that the cloud makes.
pub(crate) const BUNDLE: System = System {
    spec: "../tests/fixtures/bundle",
    more: "",
    leases: 0,
    objects: &[
        ("d1", 1),
        ("dns", 1),
        ("hyperdrive", 1),
        ("kv", 1),
        ("queue", 2),
        ("queue-consumer", 1),
        ("worker", 1),
        ("worker-crons", 1),
        ("worker-domain", 1),
        ("worker-route", 1),
    ],
    migrations: &[("main", &["0001_orders.sql"])],
    files: &[".dev.vars", ".env.local", "wrangler.jsonc"],
};

impl System {
    pub(crate) fn env(&self) -> TestEnv {
        let mut env = TestEnv::new(self.spec);
        env.set("KEY", "a secret");
        env.set("DATABASE_URL", "postgres://web:a-password@db.example.com/app");
        env.set("LOCAL_DATABASE_URL", "postgres://web:web@localhost/app");
        if !self.more.is_empty() {
            let spec = env.read("environment.kdl").expect("there is a spec");
            env.write("environment.kdl", &format!("{spec}\n{}", self.more));
            let ignored = env.read(".gitignore").unwrap_or_default();
            env.write(".gitignore", &format!("{ignored}\n.env.preview\n"));
        }
        env
    }

    /// Invariant: exactly one of each resource and one preview ID, every migration exactly once and in order.
    pub(crate) fn check_whole(&self, env: &TestEnv) -> Listing {
        let cloud = env.cloud();
        let listing = cloud.listing();
        let leases = cloud.leases("previews");
        assert_eq!(leases.len(), self.leases, "{leases:?}");
        let expected: BTreeMap<&str, usize> = self.objects.iter().copied().collect();
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
        env.envc(&["destroy"]).exits(3);
    }
}

/// Requests of a command, from the event that ends it.
pub(crate) fn requests(ran: &Ran, event: &str) -> u64 {
    let told = ran.event(event).unwrap_or_else(|| panic!("no `{event}` event: {ran}"));
    told.get("requests").and_then(Json::as_u64).expect("a command counts its requests")
}
