//! One workerd per test, on a port of its own.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long the runtime may take until it listens.
const START_MAX: Duration = Duration::from_secs(30);

/// A running workerd that serves the Worker. Dropping it ends the process.
pub(crate) struct Workerd {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Workerd {
    pub(crate) fn start() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../edge-worker/worker");
        let program = std::env::var_os("WORKERD_BIN")
            .expect("WORKERD_BIN is not set: run this test with `cargo xtask test`");
        assert!(
            folder.join("build/index_bg.wasm").is_file(),
            "the Worker is not built: run `cargo xtask worker`"
        );
        let mut child = Command::new(program)
            .args(["serve", "workerd.capnp", "--control-fd", "1"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("workerd can be started");
        let events = child.stdout.take().expect("standard output is piped");
        let mut workerd = Self { child, address: (Ipv4Addr::LOCALHOST, 0).into() };
        workerd.address.set_port(wait_for_port(BufReader::new(events)));
        workerd
    }
}

impl Drop for Workerd {
    fn drop(&mut self) {
        // KILL at once: workerd does not end on TERM while a request hangs, and it holds
        // nothing that would have to be written down.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Reads the runtime's control channel until it tells the port: one JSON object a line,
/// `{"event":"listen","socket":"http","port":40123}`.
fn wait_for_port(events: impl BufRead + Send + 'static) -> u16 {
    let (sender, receiver) = mpsc::channel();
    // The thread ends with the process whose output it reads.
    let _reader = thread::spawn(move || {
        for line in events.lines().map_while(Result::ok) {
            let event: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            let port = event.get("port").and_then(serde_json::Value::as_u64);
            if let Some(port) = port.and_then(|port| u16::try_from(port).ok()) {
                let _ = sender.send(port);
            }
        }
    });
    receiver.recv_timeout(START_MAX).expect("workerd listens within half a minute")
}
