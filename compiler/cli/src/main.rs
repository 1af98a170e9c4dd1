//! The `envc` command; see the library for what it does.

use envc::{app, env::ProcessEnv};

fn main() -> std::process::ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    app::run(&arguments, ProcessEnv::capture()).into()
}
