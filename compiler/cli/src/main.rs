//! The `envc` command; see the library for what it does.

use envc::ProcessEnv;

fn main() -> std::process::ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    envc::run(&arguments, ProcessEnv::capture()).into()
}
