//! What every command works with, and the runtime of those that wait for something.

use std::path::PathBuf;

use crate::{
    host::{env::ProcessEnv, error::CommandError},
    shell::{args::CommonArgs, ui::Ui},
};

/// What every command works with.
#[derive(Debug)]
pub(crate) struct App {
    /// The process's variables.
    pub(crate) env: ProcessEnv,
    /// What the user sees.
    pub(crate) ui: Ui,
    /// The folder that the user stands in.
    pub(crate) cwd: PathBuf,
    /// Flags of every command.
    pub(crate) common: CommonArgs,
}

/// Starts the runtime for commands that wait for something. Others do without: it costs more than
/// they do.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> Result<T, CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        CommandError::failed("the system gives no threads to work with").because(&error)
    })?;
    Ok(runtime.block_on(future))
}
