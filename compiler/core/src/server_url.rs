//! Addresses of servers that a credential is sent to: the API, the edge Worker. One reader for all.
//!
//! Invariant: what is taken here is read alike by every reader of URLs. Whatever some of them strip,
//! decode or take for another host (white space, backslashes, escapes, shortened and decimal numbers,
//! users before an `@`) is refused.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

/// An address of a server: `https://HOST[:PORT][/PATH]`; `http` only to this machine, where nobody
/// listens on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerUrl<'a> {
    /// The host; an IPv6 address in its brackets.
    pub host: &'a str,
    /// True where that is this machine, whatever a resolver says.
    pub is_here: bool,
}

/// Why a text is no address of a server. Shown as a clause; it repeats nothing of the text, which
/// may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerUrlError {
    /// There is no scheme, or another one.
    Scheme,
    /// A user or a password stands in it.
    Credentials,
    /// A query or a fragment stands behind it.
    Query,
    /// A character that stands in no such address.
    Character,
    /// There is no host, or it has no plain form.
    Host,
    /// The port is no number from 1 to 65535.
    Port,
    /// It would be read by whoever is on the way.
    NotEncrypted,
}

impl fmt::Display for ServerUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "it does not begin with https://",
            Self::Credentials => "a user or a password stands in it",
            Self::Query => "a query or a fragment stands behind it",
            Self::Character => "it has a character that stands in no address",
            Self::Host => "its host has not the plain form of a name or of an address",
            Self::Port => "its port is no number from 1 to 65535",
            Self::NotEncrypted => "http is not encrypted, and its host is not this machine",
        })
    }
}

impl std::error::Error for ServerUrlError {}

impl<'a> ServerUrl<'a> {
    /// Reads an address.
    pub fn parse(text: &'a str) -> Result<Self, ServerUrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(ServerUrlError::Scheme)?;
        let encrypted = scheme.eq_ignore_ascii_case("https");
        if !encrypted && !scheme.eq_ignore_ascii_case("http") {
            return Err(ServerUrlError::Scheme);
        }
        let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(ServerUrlError::Credentials);
        }
        if rest.contains(['?', '#']) {
            return Err(ServerUrlError::Query);
        }
        if !rest.chars().all(|c| c.is_ascii_graphic() && c != '\\') {
            return Err(ServerUrlError::Character);
        }
        let (host, port) = split_port(authority);
        let digits = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
        let in_range = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
        if port.is_some_and(|port| !digits(port) || !in_range(port)) {
            return Err(ServerUrlError::Port);
        }
        if !is_host(host) {
            return Err(ServerUrlError::Host);
        }
        let is_here = is_this_machine(host);
        if !encrypted && !is_here {
            return Err(ServerUrlError::NotEncrypted);
        }
        Ok(Self { host, is_here })
    }
}

/// True for this machine: 127.0.0.0/8, `[::1]`, `localhost`. Names below `localhost` are not among
/// them: some resolvers ask others for these.
pub fn is_this_machine(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match address {
        Some(address) => address.parse::<Ipv6Addr>().is_ok_and(|it| it.is_loopback()),
        None => {
            host.eq_ignore_ascii_case("localhost")
                || host.parse::<Ipv4Addr>().is_ok_and(|it| it.is_loopback())
        }
    }
}

/// Host and port of an address, for people: neither user nor password, path, query or fragment.
pub fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// Host and port apart.
pub fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let labels = host.strip_suffix('.').unwrap_or(host);
    let is_plain = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    // A number at the end makes the whole an IPv4 address, in spellings that not all readers know.
    let last = labels.rsplit('.').next().unwrap_or_default();
    let is_number = last.starts_with(|c: char| c.is_ascii_digit())
        && (last.bytes().all(|b| b.is_ascii_digit())
            || last.get(..2).is_some_and(|head| head.eq_ignore_ascii_case("0x")));
    labels.split('.').all(is_plain) && (!is_number || host.parse::<Ipv4Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_reached_with_https_and_this_machine_without() {
        for url in [
            "https://api.cloudflare.com/client/v4",
            "https://api.example:8443/x",
            "HTTPS://API.example.",
            "https://proxy/client/v4",
            "https://10.0.0.5:1/x",
            "https://[2001:db8::1]/x",
        ] {
            assert!(!ServerUrl::parse(url).unwrap().is_here, "{url}");
        }
        for url in [
            "http://localhost:8787",
            "HTTP://LocalHost/client/v4",
            "http://127.0.0.1:1/x",
            "http://127.255.0.3/x",
            "http://[::1]:8787/x",
            "http://[0:0:0:0:0:0:0:1]/x",
            "https://127.0.0.1:8787/@x",
        ] {
            assert!(ServerUrl::parse(url).unwrap().is_here, "{url}");
        }
    }

    #[test]
    fn what_only_looks_like_this_machine_gets_nothing_in_plain_text() {
        use ServerUrlError::{Character, Credentials, Host, NotEncrypted, Port, Query, Scheme};
        for (url, why) in [
            ("http://0.0.0.0:9903/client/v4", NotEncrypted),
            ("http://10.0.0.1", NotEncrypted),
            ("http://[::]/x", NotEncrypted),
            ("http://[::ffff:127.0.0.1]/x", NotEncrypted),
            ("http://[::ffff:1.2.3.4]/x", NotEncrypted),
            ("http://localhost.evil.example", NotEncrypted),
            ("http://a.localhost", NotEncrypted),
            ("http://localhost.", NotEncrypted),
            ("http://127.0.0.1.evil.example", NotEncrypted),
            ("HTTP://evil.example", NotEncrypted),
            ("hTTp://0.0.0.0", NotEncrypted),
            ("http://127.0.0.1.", Host),
            ("http://2130706433", Host),
            ("http://0x7f000001", Host),
            ("http://0x7f.1", Host),
            ("http://127.1", Host),
            ("http://0177.0.0.1", Host),
            ("http://127.0.0.01", Host),
            ("https://1.2.3", Host),
            ("http://127.0.0.1%2eevil.example", Host),
            ("http://[::1%25eth0]", Host),
            ("http://[::1", Host),
            ("http://", Host),
            ("https:///x", Host),
            ("https://a..b", Host),
            ("http://127.0.0.1@evil.example/x", Credentials),
            ("http://127.0.0.1:80@evil.example/x", Credentials),
            ("https://user:p ss@api.example/x", Credentials),
            ("https://user@api.example", Credentials),
            ("http://127.0.0.1\\@evil.example", Character),
            ("http://127.0.0.1\t.evil.example", Character),
            ("http://127.0.0.1\n", Character),
            (" http://127.0.0.1", Scheme),
            ("http://127.0.0.1 ", Character),
            ("https://ü.example", Character),
            ("http://127.0.0.1:0", Port),
            ("http://127.0.0.1:", Port),
            ("http://127.0.0.1:+80", Port),
            ("http://127.0.0.1:65536", Port),
            ("https://api.example?token=x", Query),
            ("https://api.example/x#y", Query),
            ("api.example", Scheme),
            ("user:p4ss@api.example", Scheme),
            ("ftp://127.0.0.1", Scheme),
            ("", Scheme),
        ] {
            assert_eq!(ServerUrl::parse(url), Err(why), "{url}");
        }
    }

    #[test]
    fn people_are_told_host_and_port_alone() {
        for (url, told) in [
            ("https://me:secret@api.example:8443/client/v4?token=x#y", "api.example:8443"),
            ("https://a@b@api.example", "api.example"),
            ("api.example?x=@y", "api.example"),
            ("http://[::1]:80/x", "[::1]:80"),
            ("me:secret@api.example", "api.example"),
        ] {
            assert_eq!(host_of(url), told, "{url}");
        }
    }
}
