//! One connection that stays open: the client costs as little as it can, because it shares the
//! machine with what it measures.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use crate::Result;

/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    token: String,
    line: String,
}

impl Client {
    /// Connects; every request will carry the token, if there is one.
    pub(crate) fn connect(address: SocketAddr, token: &str) -> Result<Self> {
        let connect = || -> io::Result<TcpStream> {
            let stream = TcpStream::connect_timeout(&address, ANSWER_MAX)?;
            stream.set_read_timeout(Some(ANSWER_MAX))?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        let stream = connect().map_err(|error| format!("cannot connect to {address}: {error}"))?;
        let token = match token {
            "" => String::new(),
            token => format!("Authorization: Bearer {token}\r\n"),
        };
        Ok(Self { stream: BufReader::new(stream), token, line: String::new() })
    }

    /// Sends a request and reads the whole answer.
    pub(crate) fn ask(&mut self, method: &str, target: &str, body: &str) -> Result<Answer> {
        let token = &self.token;
        let length = match body.len() {
            0 => String::new(),
            length => format!("Content-Length: {length}\r\n"),
        };
        let request =
            format!("{method} {target} HTTP/1.1\r\nHost: edge\r\n{token}{length}\r\n{body}");
        let written = self.stream.get_mut().write_all(request.as_bytes());
        let answer = written.and_then(|()| self.answer());
        answer.map_err(|error| format!("{method} {target}: {error}"))
    }

    fn answer(&mut self) -> io::Result<Answer> {
        let bad = || io::Error::from(io::ErrorKind::InvalidData);
        let status = self.line()?.split(' ').nth(1).and_then(|it| it.parse().ok());
        let status = status.ok_or_else(bad)?;
        let (mut length, mut is_chunked) = (0, false);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(": ") {
                None => break,
                Some(("content-length", text)) => length = text.parse().map_err(|_| bad())?,
                Some(("transfer-encoding", text)) => is_chunked = text == "chunked",
                Some(_) => {}
            }
        }
        let mut body = Vec::new();
        if is_chunked {
            loop {
                let size = usize::from_str_radix(self.line()?, 16).map_err(|_| bad())?;
                self.read(size, &mut body)?;
                self.line()?;
                if size == 0 {
                    break;
                }
            }
        } else {
            self.read(length, &mut body)?;
        }
        Ok(Answer { status, body: String::from_utf8(body).map_err(|_| bad())? })
    }

    fn read(&mut self, length: usize, body: &mut Vec<u8>) -> io::Result<()> {
        let most = u64::try_from(length).unwrap_or(u64::MAX);
        let read = self.stream.by_ref().take(most).read_to_end(body)?;
        if read == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn line(&mut self) -> io::Result<&str> {
        self.line.clear();
        if self.stream.read_line(&mut self.line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(self.line.trim_end())
    }
}
