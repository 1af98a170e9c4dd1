//! The test harness: [`TestEnv`] runs the real binary in a world of its own, [`Listing`] is what
//! a cloud holds.
//!
//! It is test code: a helper that cannot do its work panics, and the test fails there.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test fails by panicking"
)]

mod cases;
mod cloud_server;
mod deploy;
mod env;
pub mod events;
mod listing;
mod overheard;
mod parallel;
mod process;
mod served;
mod serving;
#[cfg(target_os = "linux")]
mod terminal;
mod turns;

pub use cases::{all_or_none, some_of};
pub use cloud_server::CloudServer;
pub use env::{Ran, TestEnv, copy_folder, copy_source};
pub use listing::{CloudView, Listing, Object};
pub use overheard::Overheard;
pub use parallel::run_all;
pub use process::{Running, binary};
pub use served::ServedCloud;
pub use serving::{Serving, Stopped};
#[cfg(target_os = "linux")]
pub use terminal::Terminal;
pub use turns::Turns;
