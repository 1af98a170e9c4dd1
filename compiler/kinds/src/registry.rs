//! The one list of kinds: one row each.

use envc_core::KindId;

use crate::{Declared, Kind};

/// Makes the list and the look-ups from it. A row is the kind's ID, its type, and whether a node of
/// a spec declares it (`node`) or only another kind makes it (`part`). The compiler asks for a row of
/// every [`KindId`].
macro_rules! registry {
    ($($id:ident = $role:ident $kind:path,)+) => {
        /// All kinds, in the order in which people read them.
        static KINDS: &[&dyn Kind] = &[$(&$kind),+];

        /// The kind with this ID.
        pub fn kind(id: KindId) -> &'static dyn Kind {
            match id {
                $(KindId::$id => &$kind,)+
            }
        }

        /// The same, where a node of a spec declares it.
        pub fn declared(id: KindId) -> Option<&'static dyn Declared> {
            match id {
                $(KindId::$id => registry!(@$role $kind),)+
            }
        }
    };
    (@node $kind:path) => { Some(&$kind) };
    (@part $kind:path) => { None };
}

registry! {
    D1 = node crate::d1::D1,
    Kv = node crate::kv::Kv,
    R2 = node crate::r2::R2,
    Queue = node crate::queue::Queue,
    Hyperdrive = node crate::hyperdrive::Hyperdrive,
    Vectorize = node crate::vectorize::Vectorize,
    Tunnel = node crate::tunnel::Tunnel,
    TunnelConfig = part crate::tunnel::TunnelConfig,
    Dns = node crate::dns::Dns,
    Worker = node crate::worker::WorkerScript,
    WorkerCrons = part crate::worker::WorkerCrons,
    WorkerRoute = part crate::worker::WorkerRoute,
    WorkerDomain = part crate::worker::WorkerDomain,
    QueueConsumer = part crate::queue::QueueConsumer,
}

/// All kinds, in the order in which people read them.
pub fn registry() -> &'static [&'static dyn Kind] {
    KINDS
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
            assert!(declared(id).is_none_or(|kind| kind.facts().id == id));
        }
    }
}
