//! A client for one request per connection. Nothing waits longer than [`ANSWER_MAX`].

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde::de::DeserializeOwned;

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

    #[track_caller]
    pub(crate) fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// One request.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ask<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    /// None is sent when it is empty.
    pub(crate) token: &'a str,
    /// Whole lines, each with its end.
    pub(crate) headers: &'a str,
    pub(crate) body: &'a str,
}

/// Sends one request without a token and a body and reads the whole answer.
pub(crate) fn send(address: SocketAddr, method: &str, target: &str) -> Answer {
    ask(address, Ask { method, target, ..Ask::default() })
}

/// Sends one request and reads the whole answer.
#[track_caller]
pub(crate) fn ask(address: SocketAddr, ask: Ask<'_>) -> Answer {
    try_ask(address, ask).unwrap_or_else(|failed| panic!("{ask:?}: {failed:?}"))
}

/// Why there is no answer.
#[derive(Debug)]
#[expect(dead_code, reason = "shown when a test fails")]
pub(crate) enum Unanswered {
    /// Nobody listens: the request was never sent.
    Refused(io::Error),
    /// The connection ended before the answer did: nobody knows what came of the request.
    Broken(io::Error),
}

/// Sends one request to a server that may die any time.
pub(crate) fn try_ask(address: SocketAddr, ask: Ask<'_>) -> Result<Answer, Unanswered> {
    let mut stream =
        TcpStream::connect_timeout(&address, ANSWER_MAX).map_err(Unanswered::Refused)?;
    exchange(&mut stream, ask).map_err(Unanswered::Broken)
}

fn exchange(stream: &mut TcpStream, ask: Ask<'_>) -> io::Result<Answer> {
    let Ask { method, target, token, headers, body } = ask;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.set_write_timeout(Some(ANSWER_MAX))?;
    stream.set_nodelay(true)?;
    let length = if matches!(method, "POST" | "PUT") || !body.is_empty() {
        format!("Content-Length: {}\r\n", body.len())
    } else {
        String::new()
    };
    let token =
        if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: edge\r\n{token}{headers}{length}\
         Connection: close\r\n\r\n{body}"
    );
    // A server that refuses a long body may stop reading it; its answer is there all the same.
    let written = stream.write_all(request.as_bytes());
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    if let Some(answer) = parse(&String::from_utf8_lossy(&bytes), method == "HEAD") {
        return Ok(answer);
    }
    written?;
    read?;
    Err(io::ErrorKind::UnexpectedEof.into())
}

/// Reads a whole answer; `None` if its end is missing.
pub(crate) fn parse(text: &str, is_head: bool) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let chunked = headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked");
    let length = headers.get("content-length").and_then(|text| text.parse::<usize>().ok());
    let body = match length {
        _ if is_head => String::new(),
        _ if chunked => unchunk(body)?,
        Some(length) if body.len() < length => return None,
        _ => body.to_owned(),
    };
    Some(Answer { status, headers, body })
}

/// Joins the chunks of RFC 9112, section 7.1.
fn unchunk(mut coded: &str) -> Option<String> {
    let mut body = String::new();
    loop {
        let (size, rest) = coded.split_once("\r\n")?;
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.push_str(rest.get(..size)?);
        coded = rest.get(size..)?.strip_prefix("\r\n")?;
    }
}
