//! The `envc` command; see the library for what it does.

use envc::{command_line, env::ProcessEnv};

fn main() -> std::process::ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    command_line::run(&arguments, ProcessEnv::capture()).into()
}
