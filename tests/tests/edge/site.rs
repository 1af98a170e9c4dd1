//! What probes find.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::thread;

/// A server that answers every request with one status; 0 never answers.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) status: Arc<AtomicU16>,
    hits: Arc<AtomicUsize>,
}

impl Site {
    /// `extra` is put into the head of each answer.
    pub(crate) fn start(status: u16, extra: &'static str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (status, hits) = (Arc::new(AtomicU16::new(status)), Arc::new(AtomicUsize::new(0)));
        let site = Self { address, status: Arc::clone(&status), hits: Arc::clone(&hits) };
        // It ends with the test's process.
        thread::spawn(move || {
            let mut hung = Vec::new();
            for stream in listener.incoming().map_while(Result::ok) {
                hits.fetch_add(1, Ordering::Relaxed);
                match status.load(Ordering::Relaxed) {
                    0 => hung.push(stream),
                    status => answer(stream, status, extra),
                }
            }
        });
        site
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(crate) fn hits(&self) -> usize {
        self.hits.load(Ordering::Relaxed)
    }
}

fn answer(mut stream: TcpStream, status: u16, extra: &str) {
    let mut line = String::new();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        line.clear();
    }
    let head =
        format!("HTTP/1.1 {status} X\r\n{extra}Content-Length: 2\r\nConnection: close\r\n\r\nok");
    drop(stream.write_all(head.as_bytes()));
}
