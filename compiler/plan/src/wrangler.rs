//! The `wrangler.jsonc` of one Worker: generated whole, or checked after a template made it.
//!
//! Keys and their meaning: wrangler's configuration reference
//! (developers.cloudflare.com/workers/wrangler/configuration) and its `config-schema.json`.
//! No secret and no ID of another environment ever stands in it. Pure.

use std::collections::BTreeMap;

use envc_core::{Address, KindId, relative_path};
use envc_spec::{Consumer, Deploy, DoMigration, MARKER_VARIABLE, Worker};
use serde::Serialize;
use serde_json::Value as Json;

use crate::known::Known;

mod sections;

use sections::{
    D1, Dev, Hyperdrive, Kv, Migration, Object, Objects, Producer, QueueConsumer, Queues, R2,
    Renamed, Route, Triggers,
};

const HEADER: &str =
    "// Written by envc; an edited copy is kept, and replaced only by envc apply --force\n";

/// What a `wrangler.jsonc` says, in the order in which it says it.
#[derive(Debug, Serialize)]
pub(crate) struct Config<'a> {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    main: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compatibility_date: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    compatibility_flags: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) vars: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    d1_databases: Vec<D1<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kv_namespaces: Vec<Kv<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    r2_buckets: Vec<R2<'a>>,
    #[serde(skip_serializing_if = "Queues::is_empty")]
    queues: Queues<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hyperdrive: Vec<Hyperdrive<'a>>,
    #[serde(skip_serializing_if = "Objects::is_empty")]
    durable_objects: Objects<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    migrations: Vec<Migration<'a>>,
    #[serde(skip_serializing_if = "Triggers::is_empty")]
    triggers: Triggers<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    routes: Vec<Route<'a>>,
    /// The code is built already.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    no_bundle: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    dev: Option<Dev>,
    /// All bindings as the spec has them, for templates.
    #[serde(skip)]
    bindings: Vec<Json>,
    /// What a template may not leave out.
    #[serde(skip)]
    pub(crate) marker: Option<&'a str>,
}

/// Why a configuration cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// Something it needs is not known, as a clause.
    Unknown(String),
    /// A variable that is a secret; the compiler should have refused it.
    Secret(String),
    /// It cannot be written as JSON, which is a mistake of envc's.
    Unwritable(String),
}

impl Known<'_> {
    /// The name of a Worker's script: a recorded one keeps its own.
    pub(crate) fn script(&self, worker: &Worker) -> String {
        let deployed = self.name(&Address::new(KindId::Worker, &worker.name));
        deployed.unwrap_or_else(|| worker.script.clone())
    }
}

impl<'a> Config<'a> {
    /// What stands in the spec of this Worker, with names and IDs; or all that is wrong.
    pub(crate) fn of(
        worker: &'a Worker,
        known: &Known<'a>,
        remote: bool,
    ) -> Result<Self, Vec<Problem>> {
        let mut config = Self {
            name: known.script(worker),
            main: worker.main.as_deref(),
            compatibility_date: worker.compatibility_date.as_deref(),
            compatibility_flags: &worker.compatibility_flags,
            vars: BTreeMap::new(),
            d1_databases: Vec::new(),
            kv_namespaces: Vec::new(),
            r2_buckets: Vec::new(),
            queues: Queues::default(),
            hyperdrive: Vec::new(),
            durable_objects: Objects { bindings: objects(worker, known) },
            migrations: worker.migrations.iter().map(migration).collect(),
            triggers: Triggers { crons: &worker.crons },
            routes: routes(worker, known.env.zone.as_deref()),
            no_bundle: matches!(worker.deploy, Deploy::Bundle(_)),
            dev: worker.port.map(|port| Dev { port }),
            bindings: Vec::new(),
            marker: worker.marker.as_deref(),
        };
        if let Some(marker) = config.marker {
            config.vars.insert(MARKER_VARIABLE, marker.to_owned());
        }
        let mut problems = Vec::new();
        for (name, text) in &worker.vars {
            if text.is_secret() {
                problems.push(Problem::Secret(name.clone()));
                continue;
            }
            match known.text(text) {
                Ok(value) => {
                    config.vars.insert(name, value);
                }
                Err(unknown) => problems.push(Problem::Unknown(unknown)),
            }
        }
        for binding in &worker.bindings {
            let added = config.bind(&binding.name, &binding.target, &worker.path, known, remote);
            problems.extend(added.err().map(Problem::Unknown));
        }
        for consumer in &worker.consumers {
            match consume(consumer, known) {
                Ok(consumer) => config.queues.consumers.push(consumer),
                Err(unknown) => problems.push(Problem::Unknown(unknown)),
            }
        }
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    fn bind(
        &mut self,
        binding: &'a str,
        target: &Address,
        folder: &str,
        known: &Known<'_>,
        remote: bool,
    ) -> Result<(), String> {
        self.bindings.push(serde_json::json!({
            "binding": binding,
            "kind": target.kind().as_str(),
            "resource": target.name(),
            "id": known.id(target),
            "name": known.name(target),
        }));
        match target.kind() {
            KindId::D1 => self.d1_databases.push(D1 {
                binding,
                database_name: name_of(target, known)?,
                database_id: id_of(target, known)?,
                migrations_dir: known
                    .env
                    .migrations
                    .get(target)
                    .map(|folder_of| relative_path(folder, &folder_of.path)),
                remote,
            }),
            KindId::Kv => {
                let id = id_of(target, known)?;
                self.kv_namespaces.push(Kv { binding, id, remote });
            }
            KindId::R2 => {
                let bucket_name = name_of(target, known)?;
                self.r2_buckets.push(R2 { binding, bucket_name, remote });
            }
            KindId::Queue => {
                let queue = name_of(target, known)?;
                self.queues.producers.push(Producer { binding, queue });
            }
            KindId::Hyperdrive => {
                let id = id_of(target, known)?;
                // One that has a local connection is local: wrangler does not read it of a remote one.
                let remote = remote && !known.env.local_connections.contains_key(target);
                self.hyperdrive.push(Hyperdrive { binding, id, remote });
            }
            // The grammar of `bind` names the kinds above; nothing else gets here.
            _ => {
                return Err(format!("{target} cannot be bound to a Worker"));
            }
        }
        Ok(())
    }

    /// The file's text.
    pub(crate) fn to_text(&self) -> Result<String, Problem> {
        let json = serde_json::to_string_pretty(self)
            .map_err(|error| Problem::Unwritable(error.to_string()))?;
        Ok(format!("{HEADER}{json}\n"))
    }

    /// The parts that a template may place, each there even when it is empty.
    pub(crate) fn to_json(&self) -> Json {
        serde_json::json!({
            "name": self.name,
            "main": self.main,
            "compatibility_date": self.compatibility_date,
            "compatibility_flags": self.compatibility_flags,
            "vars": self.vars,
            "bindings": self.bindings,
            "d1_databases": self.d1_databases,
            "kv_namespaces": self.kv_namespaces,
            "r2_buckets": self.r2_buckets,
            "queues": {
                "producers": self.queues.producers,
                "consumers": self.queues.consumers,
            },
            // wrangler calls it as envc does.
            (KindId::Hyperdrive.as_str()): self.hyperdrive,
            "durable_objects": self.durable_objects,
            "migrations": self.migrations,
            "triggers": self.triggers,
            "routes": self.routes,
            "no_bundle": self.no_bundle,
            "port": self.dev.as_ref().map(|dev| dev.port),
        })
    }
}

fn id_of(address: &Address, known: &Known<'_>) -> Result<String, String> {
    known.id(address).ok_or_else(|| format!("the ID of {address} is not known"))
}

fn name_of(address: &Address, known: &Known<'_>) -> Result<String, String> {
    known.name(address).ok_or_else(|| format!("the name of {address} is not known"))
}

fn consume(consumer: &Consumer, known: &Known<'_>) -> Result<QueueConsumer, String> {
    let Consumer {
        queue,
        batch_size,
        max_batch_timeout_s,
        max_retries,
        max_concurrency,
        retry_delay_s,
        dead_letter,
        span: _,
    } = consumer;
    Ok(QueueConsumer {
        queue: name_of(queue, known)?,
        max_batch_size: *batch_size,
        max_batch_timeout: *max_batch_timeout_s,
        max_retries: *max_retries,
        max_concurrency: *max_concurrency,
        retry_delay: *retry_delay_s,
        dead_letter_queue: dead_letter
            .as_ref()
            .map(|address| name_of(address, known))
            .transpose()?,
    })
}

/// Routes and custom domains of a worker that wrangler deploys; those of the others go through the
/// API.
fn routes<'a>(worker: &'a Worker, zone: Option<&'a str>) -> Vec<Route<'a>> {
    if worker.deploy != Deploy::External {
        return Vec::new();
    }
    let routes = worker.routes.iter();
    let routes = routes.map(|pattern| Route { pattern, zone_name: zone, custom_domain: false });
    let domains = worker.domains.iter();
    let domains = domains.map(|pattern| Route { pattern, zone_name: None, custom_domain: true });
    routes.chain(domains).collect()
}

fn objects<'a>(worker: &'a Worker, known: &Known<'_>) -> Vec<Object<'a>> {
    let script = |name: &String| {
        let other = known.env.workers.iter().find(|other| other.script == *name);
        other.map_or_else(|| name.clone(), |other| known.script(other))
    };
    let objects = worker.durable_objects.iter();
    objects
        .map(|object| Object {
            name: &object.name,
            class_name: &object.class,
            script_name: object.script.as_ref().map(script),
        })
        .collect()
}

fn migration(migration: &DoMigration) -> Migration<'_> {
    let renamed = migration.renamed_classes.iter();
    Migration {
        tag: &migration.tag,
        new_sqlite_classes: &migration.new_sqlite_classes,
        new_classes: &migration.new_classes,
        renamed_classes: renamed.map(|(from, to)| Renamed { from, to }).collect(),
        deleted_classes: &migration.deleted_classes,
    }
}
