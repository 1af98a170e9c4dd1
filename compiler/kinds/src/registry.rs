//! The one list of kinds. A new kind is one file and one line here.

use envc_core::KindId;

use crate::{
    D1, Dns, Hyperdrive, Kind, Kv, Queue, QueueConsumer, R2, Tunnel, TunnelConfig, Worker,
    WorkerCrons, WorkerDomain, WorkerRoute,
};

static KINDS: &[&dyn Kind] = &[
    &D1,
    &Kv,
    &R2,
    &Queue,
    &Hyperdrive,
    &Tunnel,
    &TunnelConfig,
    &Dns,
    &Worker,
    &WorkerCrons,
    &WorkerRoute,
    &WorkerDomain,
    &QueueConsumer,
];

/// All kinds, in the order in which people read them.
pub fn registry() -> &'static [&'static dyn Kind] {
    KINDS
}

/// The kind with this ID.
pub fn kind(id: KindId) -> &'static dyn Kind {
    match id {
        KindId::D1 => &D1,
        KindId::Kv => &Kv,
        KindId::R2 => &R2,
        KindId::Queue => &Queue,
        KindId::Hyperdrive => &Hyperdrive,
        KindId::Tunnel => &Tunnel,
        KindId::TunnelConfig => &TunnelConfig,
        KindId::Dns => &Dns,
        KindId::Worker => &Worker,
        KindId::WorkerCrons => &WorkerCrons,
        KindId::WorkerRoute => &WorkerRoute,
        KindId::WorkerDomain => &WorkerDomain,
        KindId::QueueConsumer => &QueueConsumer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_listed_once_and_answers_to_its_id() {
        let listed: Vec<KindId> = registry().iter().map(|kind| kind.id()).collect();
        assert_eq!(listed, KindId::ALL);
        for id in KindId::ALL {
            assert_eq!(kind(id).id(), id);
        }
    }
}
