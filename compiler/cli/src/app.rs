//! What every command works with, and the runtime of those that wait for something.

use std::path::PathBuf;

use crate::{args::CommonArgs, env::ProcessEnv, error::CommandError, ui::Ui};

/// What every command works with.
#[derive(Debug)]
pub struct App {
    /// The process's variables.
    pub env: ProcessEnv,
    /// What the user sees.
    pub ui: Ui,
    /// The folder that the user stands in.
    pub cwd: PathBuf,
    /// Flags of every command.
    pub common: CommonArgs,
}

/// Starts the runtime for commands that wait for something. Others do without: it costs more than
/// they do.
pub fn block_on<T>(future: impl Future<Output = T>) -> Result<T, CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        CommandError::failed("the system gives no threads to work with").because(&error)
    })?;
    Ok(runtime.block_on(future))
}
