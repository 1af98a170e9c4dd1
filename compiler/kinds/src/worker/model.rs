//! A Worker as its node says it, every reference resolved.

use std::collections::BTreeMap;

use envc_core::{Address, KindId, Span, Text};

use super::Deploy;

/// The plain variable by which envc knows its own Workers, whoever deploys them.
pub const MARKER_VARIABLE: &str = "ENVC";

/// A Worker: what its `wrangler.jsonc`, and of one that envc deploys its upload, is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// The declared name.
    pub name: String,
    /// The script's name in the account.
    pub script: String,
    /// The spec does not give the script's name.
    pub default_name: bool,
    /// The marker that its variable [`MARKER_VARIABLE`] holds; none with `marker #false`.
    pub marker: Option<String>,
    /// Its folder, relative to the spec's folder.
    pub path: String,
    /// The template of its configuration, relative to the spec's folder; whole when left out.
    pub template: Option<String>,
    /// The entry point for a whole configuration (`main=`).
    pub main: Option<String>,
    /// `compatibility-date=`
    pub compatibility_date: Option<String>,
    /// `compatibility-flags` child or property, space separated.
    pub compatibility_flags: Vec<String>,
    /// Its development port.
    pub port: Option<u16>,
    /// Bindings, in the order written.
    pub bindings: Vec<Binding>,
    /// Plain variables, by name. Never secret (checked).
    pub vars: BTreeMap<String, Text>,
    /// Secrets by the name the Worker sees; they go to `.dev.vars`.
    pub secrets: BTreeMap<String, Text>,
    /// Queues it consumes.
    pub consumers: Vec<Consumer>,
    /// Durable Object bindings.
    pub durable_objects: Vec<DurableObject>,
    /// Durable Object migrations, in order.
    pub migrations: Vec<DoMigration>,
    /// Cron expressions.
    pub crons: Vec<String>,
    /// Patterns of addresses that go to it.
    pub routes: Vec<String>,
    /// Hosts of its own.
    pub domains: Vec<String>,
    /// How the script gets deployed.
    pub deploy: Deploy,
    /// Where it is declared.
    pub span: Span,
}

/// A binding of a Worker to a resource of the spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The name the Worker sees.
    pub name: String,
    /// The resource.
    pub target: Address,
    /// Where it is written.
    pub span: Span,
}

/// A queue that a Worker consumes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// The queue.
    pub queue: Address,
    /// Messages per batch.
    pub batch_size: Option<i64>,
    /// Seconds until a smaller batch is delivered.
    pub max_batch_timeout_s: Option<i64>,
    /// Tries before the dead letter queue.
    pub max_retries: Option<i64>,
    /// Invocations at once.
    pub max_concurrency: Option<i64>,
    /// Seconds before a retry.
    pub retry_delay_s: Option<i64>,
    /// Where messages go that failed.
    pub dead_letter: Option<Address>,
    /// Where the queue is named.
    pub queue_span: Span,
    /// Where it is written.
    pub span: Span,
}

/// A Durable Object binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DurableObject {
    /// The name the Worker sees.
    pub name: String,
    /// The class.
    pub class: String,
    /// The worker that defines the class, when it is another one: its script's name.
    pub script: Option<String>,
}

/// A Durable Object migration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DoMigration {
    /// Its tag.
    pub tag: String,
    /// Classes with SQLite storage.
    pub new_sqlite_classes: Vec<String>,
    /// Classes with key-value storage.
    pub new_classes: Vec<String>,
    /// Classes that go, with their data.
    pub deleted_classes: Vec<String>,
    /// Classes that get another name: (from, to).
    pub renamed_classes: Vec<(String, String)>,
}

impl Worker {
    /// What its script is called.
    pub fn address(&self) -> Address {
        Address::new(KindId::Worker, &self.name)
    }

    /// True where the script is a resource of envc's own.
    pub(super) fn is_envcs(&self) -> bool {
        self.deploy.parts().envc.contains(&KindId::Worker)
    }

    /// True where envc uploads it as it lies in its bundle.
    pub fn is_bundle(&self) -> bool {
        matches!(self.deploy, Deploy::Bundle(_))
    }
}
