//! The edge Worker and both yardsticks, served by one workerd.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::Result;

/// The edge Worker's secrets.
pub(crate) const BOOTSTRAP_TOKEN: &str = "bootstrap-token-of-the-edge-bench";
const SEAL_KEY: &str = "c2VhbC1rZXktb2YtdGhlLWVkZ2UtdGVzdHMtMzJieXQ=";

/// A running workerd; dropping it ends the process and removes what it kept.
#[derive(Debug)]
pub(crate) struct Served {
    child: Child,
    addresses: BTreeMap<String, SocketAddr>,
    _disk: TempDir,
}

impl Served {
    pub(crate) fn start() -> Result<Self> {
        let program = std::env::var_os("WORKERD_BIN")
            .ok_or("WORKERD_BIN is not set: run this with `cargo xtask bench edge`")?;
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("yardstick");
        let failed = |error: std::io::Error| format!("workerd cannot be started: {error}");
        let disk = TempDir::new().map_err(failed)?;
        let child = Command::new(program)
            .args(["serve", "bench.capnp", "--control-fd", "1"])
            .arg(format!("--directory-path=disk={}", disk.path().display()))
            .current_dir(folder)
            .env("BOOTSTRAP_TOKEN", BOOTSTRAP_TOKEN)
            .env("SEAL_KEY", SEAL_KEY)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let mut served = Self { child, addresses: BTreeMap::new(), _disk: disk };
        let events = served.child.stdout.take().ok_or("workerd has no output")?;
        // One JSON object a line: `{"event":"listen","socket":"edge","port":40123}`.
        for line in BufReader::new(events).lines().map_while(std::result::Result::ok) {
            let event: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            let text = |name: &str| event.get(name).and_then(serde_json::Value::as_str);
            let port = event.get("port").and_then(serde_json::Value::as_u64);
            if let (Some(socket), Some(port)) = (text("socket"), port) {
                let port = u16::try_from(port).map_err(|error| error.to_string())?;
                served.addresses.insert(socket.to_owned(), (Ipv4Addr::LOCALHOST, port).into());
            }
            if served.addresses.len() == 3 {
                return Ok(served);
            }
        }
        Err("workerd ended before it listened".to_owned())
    }

    /// Where `edge`, `rust` or `plain` listens.
    pub(crate) fn address(&self, socket: &str) -> Result<SocketAddr> {
        self.addresses.get(socket).copied().ok_or_else(|| format!("{socket} does not listen"))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
