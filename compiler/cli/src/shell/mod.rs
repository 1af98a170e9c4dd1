//! What people and programs see of a run: the arguments' grammar, results and talk, the progress
//! bar, and the events of `--json`.

pub(crate) mod app;
pub(crate) mod args;
pub(crate) mod events;
mod progress;
pub(crate) mod reporter;
pub(crate) mod ui;
