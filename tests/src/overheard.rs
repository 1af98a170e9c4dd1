//! A host that nobody trusts: it writes down what is sent to it, and takes no token.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

/// Bytes of a request that are written down.
const HEARD_BYTES_MAX: usize = 64 * 1024;
/// A client that says nothing for so long has said all.
const SILENCE: Duration = Duration::from_millis(500);

/// The host, on a free port of this machine.
#[derive(Debug)]
pub struct Overheard {
    address: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Overheard {
    /// Listens until the test's process ends.
    pub fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of this machine is free");
        let address = listener.local_addr().expect("a bound socket has an address").to_string();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&heard);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { break };
                let mut bytes = vec![0; HEARD_BYTES_MAX];
                let _bounded = stream.set_read_timeout(Some(SILENCE));
                let size = stream.read(&mut bytes).unwrap_or_default();
                bytes.truncate(size);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                written.lock().unwrap_or_else(PoisonError::into_inner).push(text);
                let problem = "{\"type\":\"urn:envc:problem:unauthenticated\",\"title\":\"no\",\
                    \"status\":401}";
                let _sent = write!(
                    stream,
                    "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/problem+json\r\n\
                    content-length: {}\r\nconnection: close\r\n\r\n{problem}",
                    problem.len()
                );
            }
        });
        Self { address, heard }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What was sent since the last look, a text for each connection.
    pub fn heard(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
