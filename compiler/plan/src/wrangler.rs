//! The `wrangler.jsonc` of one Worker: generated whole, or checked after a template made it.
//!
//! Keys and their meaning: wrangler's configuration reference
//! (developers.cloudflare.com/workers/wrangler/configuration) and its `config-schema.json`.
//! No secret and no ID of another environment ever stands in it. Pure.

use std::collections::BTreeMap;

use envc_core::{Address, relative_path};
use envc_kinds::{Consumer, Deploy, DoMigration, Entry, MARKER_VARIABLE, Worker, declared};
use serde::Serialize;
use serde_json::Value as Json;

use crate::{jsonc, known::Known};

mod built;
mod sections;
mod text;

pub use built::{Built, built_of, redirect_of};
pub(crate) use text::{rebased, with_crons};

use sections::{CONSUMERS, Dev, Item, Lists, Migration, Object, Objects, Renamed, Route, Triggers};

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
    /// What it is bound to, and what it consumes.
    #[serde(flatten)]
    lists: Lists,
    #[serde(skip_serializing_if = "Objects::is_empty")]
    durable_objects: Objects<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    migrations: Vec<Migration<'a>>,
    /// Written empty, too: wrangler leaves the schedules of before alone where there is no list.
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

/// A database in a `wrangler.jsonc`, as wrangler reads it for work on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalEntry {
    /// The word that wrangler finds it by, where none before it answers to that.
    pub word: Option<String>,
    /// The identifier of what was provisioned.
    pub id: Option<String>,
    /// What its local copy goes by.
    pub local_id: String,
}

/// The databases in this section of a configuration, in order; nothing of what is none.
/// Source: wrangler 4.164, `getDatabaseInfoFromConfig` and `executeLocally`.
pub fn local_entries(text: &str, section: &[&str]) -> Vec<LocalEntry> {
    let json = jsonc::parse(text).unwrap_or_default();
    let entries = section.iter().try_fold(&json, |json, part| json.get(part));
    let entries = entries.and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = |entry: &Json, name: &str| {
        entry.get(name).and_then(Json::as_str).filter(|it| !it.is_empty()).map(str::to_owned)
    };
    let words = |entry: &Json| [text(entry, "binding"), text(entry, "database_name")];
    let mut out = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let before: Vec<String> = entries.iter().take(at).flat_map(words).flatten().collect();
        let word = words(entry).into_iter().flatten().find(|word| !before.contains(word));
        let id = text(entry, "database_id");
        let local_id = text(entry, "preview_database_id").or(id.clone());
        let Some(local_id) = local_id.or(text(entry, "binding")) else { continue };
        out.push(LocalEntry { word, id, local_id });
    }
    out
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
        let deployed = self.name(&worker.address());
        deployed.unwrap_or_else(|| worker.script.clone())
    }
}

impl<'a> Config<'a> {
    /// What stands in the spec of this Worker, with names and IDs; or all that is wrong. Paths are
    /// relative to its folder.
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
            lists: Lists::new(),
            durable_objects: Objects { bindings: objects(worker, known) },
            migrations: worker.migrations.iter().map(migration).collect(),
            triggers: Triggers { crons: &worker.crons },
            routes: routes(worker, known.env.zone.as_deref()),
            no_bundle: worker.is_bundle(),
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
                Ok(consumer) => config.lists.push(CONSUMERS, consumer),
                Err(unknown) => problems.push(Problem::Unknown(unknown)),
            }
        }
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    fn bind(
        &mut self,
        binding: &str,
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
        // The grammar of `bind` names no other kinds.
        let Some(row) = declared(target.kind()).and_then(|kind| kind.node().bindable) else {
            return Err(format!("{target} cannot be bound to a Worker"));
        };
        let mut item: Item = vec![("binding", binding.into())];
        for (field, what) in row.entry {
            let value = match what {
                Entry::Id => id_of(target, known)?,
                Entry::Name => name_of(target, known)?,
                Entry::Migrations => match known.env.migrations.get(target) {
                    Some(from) => relative_path(folder, &from.path),
                    None => continue,
                },
                Entry::MigrationsPattern => {
                    let from = known.env.migrations.get(target);
                    let Some((from, pattern)) =
                        from.and_then(|it| Some((it, it.pattern.as_ref()?)))
                    else {
                        continue;
                    };
                    format!("{}/{pattern}", relative_path(folder, &from.path))
                }
                Entry::Ledger => {
                    let named = known.env.migrations.get(target).and_then(|it| it.ledger.clone());
                    let Some(named) = named else { continue };
                    named
                }
            };
            item.push((field, value.into()));
        }
        // One that has a local connection is local: wrangler does not read it of a remote one.
        if remote && row.remote && !known.env.local_connections.contains_key(target) {
            item.push(("remote", true.into()));
        }
        self.lists.push(row.section, item);
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
        let mut parts = serde_json::json!({
            "name": self.name,
            "main": self.main,
            "compatibility_date": self.compatibility_date,
            "compatibility_flags": self.compatibility_flags,
            "vars": self.vars,
            "bindings": self.bindings,
            "durable_objects": self.durable_objects,
            "migrations": self.migrations,
            "triggers": self.triggers,
            "routes": self.routes,
            "no_bundle": self.no_bundle,
            "port": self.dev.as_ref().map(|dev| dev.port),
        });
        if let Some(parts) = parts.as_object_mut() {
            parts.extend(self.lists.to_json());
        }
        parts
    }
}

fn id_of(address: &Address, known: &Known<'_>) -> Result<String, String> {
    known.id(address).ok_or_else(|| format!("the ID of {address} is not known"))
}

fn name_of(address: &Address, known: &Known<'_>) -> Result<String, String> {
    known.name(address).ok_or_else(|| format!("the name of {address} is not known"))
}

fn consume(consumer: &Consumer, known: &Known<'_>) -> Result<Item, String> {
    let Consumer {
        queue,
        batch_size,
        max_batch_timeout_s,
        max_retries,
        max_concurrency,
        retry_delay_s,
        dead_letter,
        queue_span: _,
        span: _,
    } = consumer;
    let mut item: Item = vec![("queue", name_of(queue, known)?.into())];
    for (field, number) in [
        ("max_batch_size", batch_size),
        ("max_batch_timeout", max_batch_timeout_s),
        ("max_retries", max_retries),
        ("max_concurrency", max_concurrency),
        ("retry_delay", retry_delay_s),
    ] {
        item.extend(number.map(|number| (field, number.into())));
    }
    if let Some(address) = dead_letter {
        item.push(("dead_letter_queue", name_of(address, known)?.into()));
    }
    Ok(item)
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
