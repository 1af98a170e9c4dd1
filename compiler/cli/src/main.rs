//! The `envc` command.
fn main() {}
