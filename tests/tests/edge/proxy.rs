//! A proxy in front of the edge that loses chosen answers: the request has its effect, and nobody
//! hears of it.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::http::{Ask, try_ask};

/// A proxy that lives as long as the process of the test.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    seen: Arc<AtomicU64>,
}

impl Proxy {
    /// Loses the answer to the n-th request, from 1; 0 loses none.
    pub(crate) fn losing(edge: SocketAddr, nth: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let seen = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&seen);
        let _server = thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let counter = Arc::clone(&counter);
                let _connection =
                    thread::spawn(
                        move || {
                            while let Some(()) = pass(&stream, edge, nth, &counter) {}
                        },
                    );
            }
        });
        Self { address, seen }
    }

    /// Requests so far.
    pub(crate) fn seen(&self) -> u64 {
        self.seen.load(Ordering::SeqCst)
    }
}

/// Passes one request on; `None` ends the connection.
fn pass(stream: &TcpStream, edge: SocketAddr, nth: u64, seen: &AtomicU64) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|length| *length > 0)?;
    let (mut headers, mut token, mut length) = (String::new(), String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "authorization" => value.trim().trim_start_matches("Bearer ").clone_into(&mut token),
            "host" | "connection" => {}
            _ => headers.push_str(&line),
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let answer =
        try_ask(edge, Ask { method, target, token: &token, headers: &headers, body: &body })
            .ok()?;
    if seen.fetch_add(1, Ordering::SeqCst) + 1 == nth {
        drop(stream.shutdown(std::net::Shutdown::Both));
        return None;
    }
    let mut text = format!("HTTP/1.1 {} X\r\n", answer.status);
    for name in ["content-type", "etag", "retry-after"] {
        if !answer.header(name).is_empty() {
            write!(text, "{name}: {}\r\n", answer.header(name)).ok()?;
        }
    }
    write!(text, "content-length: {}\r\n\r\n{}", answer.body.len(), answer.body).ok()?;
    let mut stream = stream;
    stream.write_all(text.as_bytes()).ok()
}
