//! Who brings a Worker to the account, and what follows from it: a row for each way.

use envc_core::KindId;

/// How a script gets to the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deploy {
    /// By somebody else: envc writes the configuration only.
    External,
    /// Created empty once; not there yet.
    Placeholder,
    /// Uploaded whole by envc, with what stands before it: the folder of the built script, relative
    /// to the worker's.
    Bundle(String),
}

/// What becomes of a Worker's parts. What is in no row comes and goes with its script, or with what
/// it serves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    /// Resources of envc's own.
    pub(super) envc: &'static [KindId],
    /// What somebody else makes from the configuration that envc writes, and a destroy looks for.
    pub(super) others: &'static [KindId],
}

impl Deploy {
    /// The row.
    pub(super) fn parts(&self) -> Parts {
        use KindId::{QueueConsumer, Worker, WorkerCrons, WorkerDomain, WorkerRoute};
        match self {
            Self::External | Self::Placeholder => Parts { envc: &[], others: &[Worker] },
            Self::Bundle(_) => Parts {
                envc: &[Worker, WorkerCrons, WorkerRoute, WorkerDomain, QueueConsumer],
                others: &[],
            },
        }
    }
}
