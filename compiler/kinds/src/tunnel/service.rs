//! What stands behind an ingress: the services that cloudflared can reach.
//!
//! Source: Cloudflare's documentation of tunnel configuration ("Protocols for published
//! applications" and "Supported protocols"), checked November 2026.

use envc_core::{Diagnostic, Span};
use envc_syntax::{Scalar, ScalarValue};

use crate::Lower;

/// Schemes with a host behind them.
const WITH_HOST: [&str; 6] = ["http", "https", "tcp", "ssh", "rdp", "smb"];
/// Services without an address.
const WORDS: [&str; 3] = ["hello_world", "bastion", "socks-proxy"];

/// What cloudflared reaches for a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behind {
    /// A server over HTTP.
    Http,
    /// A server over HTTP and TLS.
    Https,
    /// A socket with HTTP.
    Socket,
    /// A socket with HTTP and TLS.
    TlsSocket,
    /// An address, for whatever is spoken.
    Stream,
    /// Nothing: cloudflared answers itself, or the client says where to.
    Nothing,
}

/// What stands behind an ingress; none of a service that no tunnel reaches.
pub(super) fn behind(service: &str) -> Option<Behind> {
    if problem(service).is_some() {
        return None;
    }
    let (scheme, _) = service.split_once(':').unwrap_or((service, ""));
    Some(match scheme {
        "http" => Behind::Http,
        "https" | "hello_world" => Behind::Https, // its own server has a certificate
        "unix" => Behind::Socket,
        "unix+tls" => Behind::TlsSocket,
        "http_status" | "socks-proxy" => Behind::Nothing,
        _ => Behind::Stream,
    })
}

/// Reports a service that no tunnel reaches.
pub(crate) fn check(scalar: &Scalar, cx: &mut dyn Lower) {
    let Some(service) = cx.literal(scalar) else { return };
    let Some((at, help)) = problem(&service) else { return };
    let message = if service.is_empty() {
        "`service=` is empty".to_owned()
    } else {
        format!("`{service}` is not a service that a tunnel can reach")
    };
    let error = Diagnostic::error("envc::spec::bad_service", scalar.span, message).at(at);
    let own = scalar.as_text().unwrap_or_default();
    let plain = matches!(scalar.value, ScalarValue::Text { raw: false, .. });
    // What was written, with its references: not what they come to.
    cx.report(match better(own, &service).filter(|_| plain && !own.contains(['"', '\\'])) {
        Some(better) => {
            let place = Span::new(scalar.span.start, scalar.span.end);
            error.help(format!("write \"{better}\"")).fix(place, format!("\"{better}\""))
        }
        None => error.help(help),
    });
}

/// Why no tunnel reaches a service, as a clause after "it"; nothing of the service.
pub(crate) fn unreachable(host: &str, service: &str) -> Option<String> {
    let (what, help) = problem(service)?;
    Some(format!("has a service of {host} that no tunnel reaches: {what}; {help}"))
}

const ADDRESS: &str = "write an address such as \"http://localhost:3000\", or http_status:404";

/// What is wrong with a service, and what is possible.
fn problem(service: &str) -> Option<(&'static str, &'static str)> {
    if WORDS.contains(&service) {
        return None;
    }
    if let Some(status) = service.strip_prefix("http_status:") {
        let good = status.parse::<u16>().is_ok_and(|code| (100..=599).contains(&code));
        return (!good).then_some(("no status of HTTP", "write a status such as http_status:404"));
    }
    if let Some(path) = service.strip_prefix("unix+tls:").or(service.strip_prefix("unix:")) {
        return path.is_empty().then_some(("names no socket", "write unix:/path/to/socket"));
    }
    let Some((scheme, rest)) = service.split_once("://") else {
        return Some(("needs a scheme", ADDRESS));
    };
    if !WITH_HOST.contains(&scheme) {
        let help = "begin with http://, https://, tcp://, ssh://, rdp://, smb:// or unix:, or write http_status:404";
        return Some(("no scheme that a tunnel knows", help));
    }
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if host.is_empty() {
        return Some(("names no host", ADDRESS));
    }
    if service.contains(char::is_whitespace) {
        return Some(("holds a blank", ADDRESS));
    }
    let good = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    (!good).then_some(("the port is no number from 1 to 65535", ADDRESS))
}

/// The same with what is missing before it, where that is clear.
fn better(own: &str, service: &str) -> Option<String> {
    let word = own.replace('-', "_");
    if word != own && WORDS.contains(&word.as_str()) {
        return Some(word);
    }
    if own.is_empty() || service.contains("://") || service.starts_with("http_status") {
        return None;
    }
    let only_port = service.parse::<u16>().is_ok_and(|port| port > 0);
    let host = if only_port { "localhost:" } else { "" };
    let whole = format!("http://{host}{service}");
    problem(&whole).is_none().then(|| format!("http://{host}{own}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_addresses_sockets_statuses_or_words() {
        for good in [
            "http://localhost:3000",
            "https://127.0.0.1",
            "tcp://db:5432",
            "unix:/run/x.sock",
            "http_status:404",
            "hello_world",
            "http://[::1]:80/x",
        ] {
            assert_eq!(problem(good), None, "{good}");
        }
        for bad in [
            "",
            "localhost:3000",
            "http://",
            "http://:3000",
            "http://localhost:99999",
            "http://localhost:abc",
            "http://local host:1",
            "unix:",
            "http_status:9999",
            "htps://x",
        ] {
            assert!(problem(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn a_service_says_what_is_reached() {
        for (service, expect) in [
            ("http://localhost:1", Some(Behind::Http)),
            ("https://[::1]:1", Some(Behind::Https)),
            ("hello_world", Some(Behind::Https)),
            ("unix:/a:b", Some(Behind::Socket)),
            ("unix+tls:/a", Some(Behind::TlsSocket)),
            ("ssh://localhost:22", Some(Behind::Stream)),
            ("bastion", Some(Behind::Stream)),
            ("http_status:404", Some(Behind::Nothing)),
            ("socks-proxy", Some(Behind::Nothing)),
            ("localhost:1", None),
        ] {
            assert_eq!(behind(service), expect, "{service}");
        }
    }

    #[test]
    fn what_is_missing_is_put_before_what_was_written() {
        assert_eq!(
            better("localhost:{port.a}", "localhost:1").as_deref(),
            Some("http://localhost:{port.a}")
        );
        assert_eq!(better("{port.a}", "3000").as_deref(), Some("http://localhost:{port.a}"));
        assert_eq!(better("hello-world", "hello-world").as_deref(), Some("hello_world"));
        assert_eq!(better("", ""), None);
        assert_eq!(better("htps://x", "htps://x"), None);
    }
}
