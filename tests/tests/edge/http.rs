//! A client for one request per connection. Nothing waits longer than [`ANSWER_MAX`].

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take. A Worker that hangs is a failure, not a slow test.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// By lower-case name.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// Sends one request without a body and reads the whole answer.
pub(crate) fn send(address: SocketAddr, method: &str, target: &str) -> Answer {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_MAX).expect("workerd accepts");
    stream.set_read_timeout(Some(ANSWER_MAX)).unwrap();
    stream.set_write_timeout(Some(ANSWER_MAX)).unwrap();
    let length = if matches!(method, "POST" | "PUT") { "Content-Length: 0\r\n" } else { "" };
    write!(stream, "{method} {target} HTTP/1.1\r\nHost: edge\r\n{length}Connection: close\r\n\r\n")
        .expect("workerd reads the request");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("workerd answers in time");
    parse(&String::from_utf8(bytes).expect("the answer is text"))
}

fn parse(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer has a head");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status line");
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let chunked = headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked");
    Answer {
        status: status.parse().expect("a status is a number"),
        body: if chunked { unchunk(body) } else { body.to_owned() },
        headers,
    }
}

/// Joins the chunks of RFC 9112, section 7.1.
fn unchunk(mut coded: &str) -> String {
    let mut body = String::new();
    while let Some((size, rest)) = coded.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a chunk starts with its size");
        body.push_str(&rest[..size]);
        coded = rest[size..].trim_start_matches("\r\n");
    }
    body
}
