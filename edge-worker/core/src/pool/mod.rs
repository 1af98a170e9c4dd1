//! Pools of preview IDs: who holds which, exclusively at every instant.
//!
//! [`Pool::step`] decides, [`Pool::load`] reads what was stored, and [`serve`] speaks HTTP. A
//! pool is kept by one object alone, which asks `step` one event after the other.

mod serve;
mod state;
mod step;
#[cfg(test)]
mod tests;

pub use serve::serve;
pub use state::{Held, Pool, Spec, Waiting};
pub use step::{Event, Outcome, ReclaimEvent};
