//! What people and programs see of a run: the arguments' grammar, results and talk, the progress
//! bar, events.

pub(crate) mod app;
pub(crate) mod args;
mod progress;
pub(crate) mod reporter;
pub(crate) mod ui;
