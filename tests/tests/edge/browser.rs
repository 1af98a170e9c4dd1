//! The status page in Chromium: `browser/status.mjs` asserts, this serves what it looks at.

use std::path::Path;
use std::process::Command;

use crate::workerd::{BOOTSTRAP_TOKEN, Workerd};

#[test]
#[ignore = "needs Chromium and npm's packages: run it with `cargo xtask browser`"]
fn the_status_page_holds_in_a_browser() {
    let chromium = std::env::var_os("CHROMIUM")
        .expect("CHROMIUM is not set: run this test with `cargo xtask browser`");
    let workerd = Workerd::start_with(&[("ALLOW_LOOPBACK_PROBES", "1")]);
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shots = Path::new(env!("CARGO_TARGET_TMPDIR")).join("status-page");
    std::fs::create_dir_all(&shots).unwrap();
    let output = Command::new("node")
        .arg(tests.join("tests/edge/browser/status.mjs"))
        .args([format!("http://{}", workerd.address), BOOTSTRAP_TOKEN.to_owned()])
        .arg(&shots)
        .env("CHROMIUM", chromium)
        .output()
        .expect("node can be started");
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.ends_with(" checks held\n"), "{text}{error}");
    println!("{text}screenshots are in {}", shots.display());
}
