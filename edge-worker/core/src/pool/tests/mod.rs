//! What a pool promises, event by event, over HTTP and under random interleavings.

mod http;
mod simulation;
mod steps;

use std::collections::BTreeMap;

use envc_edge_api::{Holder, Name, PoolSettings};

use super::{Event, Outcome, Pool, Spec};
use crate::store::{Effects, apply};

/// A pool, its stored rows and the time: what an object has.
pub(super) struct World {
    pub(super) pool: Pool,
    pub(super) rows: BTreeMap<String, String>,
    pub(super) now_ms: u64,
    fresh: u64,
    pub(super) alarm_at_ms: Option<u64>,
}

pub(super) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub(super) fn holder(text: &str) -> Holder {
    Holder::parse(text).unwrap()
}

pub(super) fn specs(ids: &[&str]) -> Vec<(Name, Spec)> {
    ids.iter().map(|id| (name(id), Spec::default())).collect()
}

/// Short times: leases of 100 s, rests of 10 s, tickets of 5 s, two places to wait.
pub(super) fn settings() -> PoolSettings {
    PoolSettings {
        ttl_seconds: 100,
        cool_down_seconds: 10,
        ticket_seconds: 5,
        queue_max: 2,
        idle_seconds: 50,
    }
}

impl World {
    /// A pool of these members at a time that is not zero.
    pub(super) fn with(ids: &[&str], settings: PoolSettings) -> Self {
        let mut world = Self {
            pool: Pool::default(),
            rows: BTreeMap::new(),
            now_ms: 1_000_000,
            fresh: 0,
            alarm_at_ms: None,
        };
        world.step(Event::Put { members: specs(ids), settings: Some(settings) });
        world
    }

    pub(super) fn step(&mut self, event: Event) -> Outcome {
        let (outcome, effects) = self.pool.step(event, self.now_ms);
        let Effects { writes, alarm_at_ms, blobs } = effects;
        assert!(blobs.is_empty());
        apply(&mut self.rows, &writes);
        self.alarm_at_ms = alarm_at_ms;
        outcome
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        self.now_ms += seconds * 1_000;
    }

    pub(super) fn fresh(&mut self) -> String {
        self.fresh += 1;
        format!("fresh-{}", self.fresh)
    }

    /// Asks as the subject that is the first part of the holder's name.
    pub(super) fn lease(&mut self, by: &str, wait: bool) -> Outcome {
        let subject = name(by.split('/').next().unwrap());
        self.lease_as(by, &subject, wait)
    }

    pub(super) fn lease_as(&mut self, by: &str, subject: &Name, wait: bool) -> Outcome {
        let fresh_id = self.fresh();
        self.step(Event::Lease {
            holder: holder(by),
            subject: subject.clone(),
            ttl_ms: None,
            wait,
            fresh_id,
        })
    }

    /// The lease that this holder has.
    pub(super) fn lease_id(&self, by: &str) -> String {
        let mut held = self.pool.held();
        held.find(|(_, held)| held.holder.as_str() == by).unwrap().1.lease_id.clone()
    }

    pub(super) fn renew(&mut self, lease_id: &str, subject: &str) -> Outcome {
        let lease_id = lease_id.to_owned();
        self.step(Event::Renew { lease_id, subject: name(subject), ttl_ms: None })
    }

    pub(super) fn release(&mut self, lease_id: &str, subject: &str) -> Outcome {
        self.step(Event::Release { lease_id: lease_id.to_owned(), subject: name(subject) })
    }

    /// Loses the memory and reads the rows.
    pub(super) fn restart(&mut self) {
        let loaded = Pool::load(&self.rows).unwrap();
        assert_eq!(format!("{loaded:?}"), format!("{:?}", self.pool));
        self.pool = loaded;
    }
}
