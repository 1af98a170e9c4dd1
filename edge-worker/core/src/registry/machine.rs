//! What was reported, and what was found.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use envc_edge_api::limits::PROJECTS_MAX;
use envc_edge_api::{
    Day, EnvironmentReport, EnvironmentStatus, Holder, Name, ProbeResult, ProbeSettings,
    Reachability, UrlStatus,
};
use serde::{Deserialize, Serialize};

use super::target::{ProbePolicy, target};
use crate::call::Gone;
use crate::store::{Damaged, Dirty, Write, read, value};

/// How many days are kept.
const DAYS_KEPT: u32 = 90;
const DAY_MS: u64 = 86_400_000;
/// How many environments that were taken out are remembered, the newest; and how many that are
/// past their time are told of at once.
const GONE_KEPT: usize = 200;
/// How long after an environment was taken out its lease is left alone: a destroy gives it back
/// last.
const REMOVED_GRACE_MS: u64 = 600_000;
/// How long after an environment's time its lease is left alone.
const TTL_GRACE_MS: u64 = DAY_MS;

/// The registry.
#[derive(Debug, Default)]
pub struct Registry {
    pub(super) entries: BTreeMap<Name, Entry>,
    pub(super) settings: ProbeSettings,
    pub(super) pools: BTreeSet<Name>,
    /// `cloud/account/project` of whatever has a state.
    pub(super) projects: BTreeSet<String>,
    /// Those that were taken out, by ID.
    pub(super) gone: BTreeMap<Name, Gone>,
}

/// One environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) report: EnvironmentReport,
    pub(super) created_at_ms: u64,
    pub(super) reported_at_ms: u64,
    pub(super) reported_by: Name,
    /// By URL.
    pub(super) last: BTreeMap<String, ProbeResult>,
    /// Oldest first.
    pub(super) days: Vec<Day>,
}

/// What the registry knows, for a status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// By ID.
    pub environments: Vec<EnvironmentStatus>,
    /// Pools that exist.
    pub pools: Vec<Name>,
}

/// A URL to ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Whose it is.
    pub id: Name,
    /// What to ask.
    pub url: String,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// What was asked.
    pub probe: Probe,
    /// What was found.
    pub result: ProbeResult,
}

const SETTINGS: &str = "probes";

pub(super) fn entry_row(id: &Name) -> String {
    format!("env/{id}")
}

fn gone_row(id: &Name) -> String {
    format!("gone/{id}")
}

impl Registry {
    /// Reads the registry out of its rows.
    pub fn load(rows: &BTreeMap<String, String>) -> Result<Self, Damaged> {
        let mut registry = Self::default();
        for (row, text) in rows {
            let unknown = || Damaged { row: row.clone(), reason: "unknown name".to_owned() };
            let name = |text| Name::parse(text).map_err(|_| unknown());
            match row.split_once('/') {
                None if row == SETTINGS => registry.settings = read(row, text)?,
                Some(("env", id)) => drop(registry.entries.insert(name(id)?, read(row, text)?)),
                Some(("state", key)) => drop(registry.projects.insert(key.to_owned())),
                Some(("gone", id)) => drop(registry.gone.insert(name(id)?, read(row, text)?)),
                Some(("pool", pool)) => drop(registry.pools.insert(name(pool)?)),
                _ => return Err(unknown()),
            }
        }
        Ok(registry)
    }

    pub(super) fn writes(&self, dirty: Dirty) -> Vec<Write> {
        dirty.writes(|row| match row.split_once('/') {
            None => Some(value(&self.settings)),
            Some(("env", id)) => self.entries.get(&Name::parse(id).ok()?).map(value),
            Some(("gone", id)) => self.gone.get(&Name::parse(id).ok()?).map(value),
            Some(_) => Some(value(&true)),
        })
    }

    pub(super) fn set_settings(&mut self, settings: ProbeSettings, dirty: &mut Dirty) {
        self.settings = settings;
        dirty.mark(SETTINGS);
    }

    /// Remembers that a pool exists.
    pub fn know_pool(&mut self, pool: Name) -> Vec<Write> {
        let mut dirty = Dirty::default();
        let row = format!("pool/{pool}");
        if self.pools.insert(pool) {
            dirty.mark(row);
        }
        self.writes(dirty)
    }

    /// Remembers that a project has states; beyond the bound it is only not listed.
    pub fn know_project(&mut self, key: &str) -> Vec<Write> {
        let mut dirty = Dirty::default();
        if self.projects.len() < PROJECTS_MAX && self.projects.insert(key.to_owned()) {
            dirty.mark(format!("state/{key}"));
        }
        self.writes(dirty)
    }

    /// The projects that come after this one, so many at most.
    pub fn projects(&self, after: &str, most: usize) -> Vec<String> {
        let after = (Bound::Excluded(after.to_owned()), Bound::Unbounded);
        self.projects.range(after).take(most).cloned().collect()
    }

    /// Takes an environment out.
    pub(super) fn remove(&mut self, id: &Name, now_ms: u64, dirty: &mut Dirty) {
        let Some(entry) = self.entries.remove(id) else { return };
        dirty.mark(entry_row(id));
        if let Some(holder) = holder(id, &entry.report) {
            self.gone.insert(id.clone(), Gone { holder, since_ms: now_ms });
            dirty.mark(gone_row(id));
        }
        while self.gone.len() > GONE_KEPT {
            let oldest = self.gone.iter().min_by_key(|(_, gone)| gone.since_ms);
            let Some(id) = oldest.map(|(id, _)| id.clone()) else { return };
            self.gone.remove(&id);
            dirty.mark(gone_row(&id));
        }
    }

    /// The environments whose lease nobody needs any more: taken out, or past their time, for
    /// long enough that whoever is at it still has had time to renew.
    pub fn gone(&self, now_ms: u64) -> Vec<Gone> {
        let is_over = |since_ms: u64, grace_ms| since_ms.saturating_add(grace_ms) <= now_ms;
        let removed = self.gone.values().filter(|it| is_over(it.since_ms, REMOVED_GRACE_MS));
        let expired = self.entries.iter().filter_map(|(id, entry)| {
            let since_ms = entry.expires_at_ms().filter(|at_ms| is_over(*at_ms, TTL_GRACE_MS))?;
            Some(Gone { holder: holder(id, &entry.report)?, since_ms })
        });
        removed.cloned().chain(expired.take(GONE_KEPT)).collect()
    }

    pub(super) fn report(
        &mut self,
        id: Name,
        report: EnvironmentReport,
        reported_by: Name,
        now_ms: u64,
        dirty: &mut Dirty,
    ) -> bool {
        let before = self.entries.remove(&id);
        let is_new = before.is_none();
        let (created_at_ms, mut last, days) = before
            .map_or((now_ms, BTreeMap::new(), Vec::new()), |it| {
                (it.created_at_ms, it.last, it.days)
            });
        if self.gone.remove(&id).is_some() {
            dirty.mark(gone_row(&id));
        }
        last.retain(|url, _| report.urls.iter().any(|named| named.url == *url));
        dirty.mark(entry_row(&id));
        let entry =
            Entry { report, created_at_ms, reported_at_ms: now_ms, reported_by, last, days };
        self.entries.insert(id, entry);
        is_new
    }

    fn policy(&self, allows_loopback: bool) -> ProbePolicy {
        ProbePolicy { zones: self.settings.zones.clone(), allows_loopback }
    }

    /// What to ask now: so many URLs at most, those first that were asked longest ago.
    pub fn probes(&self, allows_loopback: bool, most: usize) -> Vec<Probe> {
        let policy = self.policy(allows_loopback);
        let urls = self.entries.iter().flat_map(|(id, entry)| {
            entry.report.urls.iter().map(move |named| (id, entry, &named.url))
        });
        let mut probes: Vec<(u64, Probe)> = urls
            .filter(|(_, _, url)| target(url, &policy).is_some())
            .map(|(id, entry, url)| {
                let at_ms = entry.last.get(url).map_or(0, |last| last.at_ms);
                (at_ms, Probe { id: id.clone(), url: url.clone() })
            })
            .collect();
        probes.sort_by_key(|(at_ms, _)| *at_ms);
        probes.into_iter().take(most).map(|(_, probe)| probe).collect()
    }

    /// Takes in what was found.
    pub fn record(&mut self, found: Vec<Probed>) -> Vec<Write> {
        let mut dirty = Dirty::default();
        for Probed { probe: Probe { id, url }, result } in found {
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            // It may have been reported without that URL meanwhile.
            if !entry.report.urls.iter().any(|named| named.url == url) {
                continue;
            }
            let day = u32::try_from(result.at_ms / DAY_MS).unwrap_or(u32::MAX);
            entry.days.retain(|kept| kept.day.saturating_add(DAYS_KEPT) > day);
            if entry.days.last().is_none_or(|last| last.day < day) {
                entry.days.push(Day { day, up: 0, down: 0, latency_ms_sum: 0 });
            }
            if let Some(today) = entry.days.last_mut() {
                if result.reachability() == Reachability::Up {
                    today.up = today.up.saturating_add(1);
                    let latency_ms = u64::from(result.latency_ms);
                    today.latency_ms_sum = today.latency_ms_sum.saturating_add(latency_ms);
                } else {
                    today.down = today.down.saturating_add(1);
                }
            }
            entry.last.insert(url, result);
            dirty.mark(entry_row(&id));
        }
        self.writes(dirty)
    }

    /// Everything, for a status.
    pub fn snapshot(&self, allows_loopback: bool, now_ms: u64) -> Snapshot {
        let policy = self.policy(allows_loopback);
        Snapshot {
            environments: self
                .entries
                .iter()
                .map(|(id, entry)| entry.status(id, &policy, now_ms))
                .collect(),
            pools: self.pools.iter().cloned().collect(),
        }
    }

    pub(super) fn status(
        &self,
        id: &Name,
        allows_loopback: bool,
        now_ms: u64,
    ) -> Option<EnvironmentStatus> {
        let entry = self.entries.get(id)?;
        Some(entry.status(id, &self.policy(allows_loopback), now_ms))
    }
}

/// The name that an environment leases under, if its ID is as it is by convention.
fn holder(id: &Name, report: &EnvironmentReport) -> Option<Holder> {
    let project = report.project.as_str();
    let env = id.as_str().strip_prefix(project)?.strip_prefix('.')?;
    Holder::parse(&format!("{project}/{env}")).ok()
}

impl Entry {
    fn expires_at_ms(&self) -> Option<u64> {
        let seconds = self.report.ttl_seconds?;
        Some(self.reported_at_ms.saturating_add(u64::from(seconds) * 1_000))
    }

    fn status(&self, id: &Name, policy: &ProbePolicy, now_ms: u64) -> EnvironmentStatus {
        let report = self.report.clone();
        let urls: Vec<UrlStatus> = report
            .urls
            .into_iter()
            .map(|named| {
                let last = self.last.get(&named.url).cloned();
                UrlStatus {
                    is_probed: target(&named.url, policy).is_some(),
                    health: last.as_ref().map_or(Reachability::Unknown, ProbeResult::reachability),
                    name: named.name,
                    url: named.url,
                    last,
                }
            })
            .collect();
        let expires_at_ms = self.expires_at_ms();
        let today = u32::try_from(now_ms / DAY_MS).unwrap_or(u32::MAX);
        let days = self.days.iter().filter(|day| day.day.saturating_add(DAYS_KEPT) > today);
        EnvironmentStatus {
            id: id.clone(),
            project: report.project,
            environment_type: report.environment_type,
            owner: report.owner,
            branch: report.branch,
            health: Reachability::of(urls.iter().map(|url| url.health)),
            urls,
            resources: report.resources,
            outcome: report.outcome,
            created_at_ms: self.created_at_ms,
            reported_at_ms: self.reported_at_ms,
            reported_by: self.reported_by.clone(),
            expires_at_ms,
            is_past_ttl: expires_at_ms.is_some_and(|at_ms| at_ms <= now_ms),
            days: days.copied().collect(),
        }
    }
}
