//! That the benchmark works. What it measures is nobody's to judge here: this machine is shared.

use std::process::Command;

#[test]
fn the_benchmark_runs_every_call() {
    let output = Command::new(env!("CARGO_BIN_EXE_bench")).args(["edge", "--smoke"]).output();
    let output = output.expect("the benchmark can be started");
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    for what in ["1 client ", "16 clients ", "lease, new", "release", "renew", "/status"] {
        assert!(text.contains(what), "{what} is missing in {text}");
    }
}
