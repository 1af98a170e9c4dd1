//! What travels between the edge Worker and whoever calls it: request and response types.
//!
//! Invariants: plain data with public fields; no I/O, no clock, no HTTP library, nothing of
//! `envc` itself. Types that the Worker *reads* refuse unknown fields, so that a misspelt
//! field is an error and not a silence. Types that the Worker only *writes* are read with
//! tolerance: a caller must understand the answer of a newer Worker well enough to say so.
//! What is secret is not shown by `Debug`.
//!
//! Entry types: [`Health`], [`Problem`], [`Lease`], [`TokenRequest`]. May be imported by
//! `envc-edge-core`, the Worker's shell, the local cloud and the command line.
#![forbid(unsafe_code)]

mod health;
pub mod limits;
mod name;
mod openapi;
mod pool;
mod problem;
mod registry;
mod state;
mod token;

pub use health::{Health, HealthStatus};
pub use name::{Holder, Name, NameError};
pub use openapi::OPENAPI;
pub use pool::{
    Lease, LeaseClass, LeaseList, LeaseRequest, LeaseSummary, Member, MemberList, MemberState,
    MemberSummary, MembersDiff, MembersRequest, PoolEmpty, PoolList, PoolSettings, PoolStats,
    Reclaim, ReclaimList, ReclaimRequest, RenewRequest, Ticket, TicketSummary,
};
pub use problem::{Problem, ProblemType};
pub use registry::{
    Day, EnvironmentList, EnvironmentReport, EnvironmentStatus, NamedUrl, Outcome, ProbeResult,
    ProbeRun, ProbeSettings, Reachability, Status, StatusCounts, URL_PATTERN, UrlStatus,
    ZONE_PATTERN,
};
pub use state::{
    AllStates, FENCE_HEADER, HeartbeatRequest, Lock, LockRequest, LockSummary, LockedProblem,
    ProjectStates, StateList, StateSummary, StateWritten, VersionList, VersionSummary,
};
pub use token::{Scope, TokenCreated, TokenList, TokenRequest, TokenSummary};
