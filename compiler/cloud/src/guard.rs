//! Who may call at all, judged before anything of a request is looked at besides.
//!
//! Invariant: a page in a browser reaches nothing here, not even a refusal that tells what there is. A
//! page can make a browser call any address of this machine: such a call bears the page's `Origin`, or
//! the name by which the page had this address resolved (DNS rebinding).

use std::net::{IpAddr, SocketAddr};

use http::{HeaderName, Request, header};

use crate::envelope::Problem;

/// Refuses a request that is for another server, or from another server's page. `local` is the address
/// at which its connection arrived, `names` are those by which the server may be called besides.
pub(crate) fn check<B>(
    request: &Request<B>,
    local: SocketAddr,
    names: &[String],
) -> Result<(), Problem> {
    let is_own = |authority: &str| is_own(authority, local, names);
    let target = request.uri().authority().is_none_or(|authority| is_own(authority.as_str()));
    let hosts = all(request, &header::HOST);
    if !target || hosts.len() != 1 || !hosts.iter().all(|host| host.is_some_and(is_own)) {
        return Err(refused(format!(
            "This is the local cloud at {local}, and the request's Host is another one: call it by \
             that address, or start it with --allow-host NAME."
        )));
    }
    let is_own_page = |origin: &str| origin.strip_prefix("http://").is_some_and(is_own);
    if !all(request, &header::ORIGIN).iter().all(|origin| origin.is_some_and(is_own_page)) {
        return Err(refused(
            "The request comes from a page of another origin: no page may call the local cloud."
                .to_owned(),
        ));
    }
    Ok(())
}

/// The values of a header; `None` for one that is no text.
fn all<'r, B>(request: &'r Request<B>, name: &HeaderName) -> Vec<Option<&'r str>> {
    request.headers().get_all(name).iter().map(|value| value.to_str().ok()).collect()
}

fn refused(text: String) -> Problem {
    Problem::new(403, 0, text).without_code()
}

fn is_own(authority: &str, local: SocketAddr, names: &[String]) -> bool {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (authority, "80"),
    };
    let is_named =
        |name: &String| name.eq_ignore_ascii_case(host) || name.eq_ignore_ascii_case(authority);
    if names.iter().any(is_named) {
        return true;
    }
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    if !digits || port.parse() != Ok(local.port()) {
        return false;
    }
    let ip = local.ip().to_canonical();
    let here = ["localhost", "127.0.0.1", "[::1]"].iter().any(|it| it.eq_ignore_ascii_case(host));
    (here && ip.is_loopback()) || address_of(host) == Some(ip)
}

/// An address as a `Host` has it: one of IPv6 in brackets.
fn address_of(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(host) => host.parse().ok().map(IpAddr::V6),
        None => host.parse().ok().map(IpAddr::V4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(local: &str, headers: &[(&str, &str)], names: &[&str]) -> bool {
        let mut request = Request::get("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        check(&request.body(()).unwrap(), local.parse().unwrap(), &names).is_ok()
    }

    #[test]
    fn the_address_listened_on_is_the_host() {
        let here = "127.0.0.1:8799";
        for host in ["127.0.0.1:8799", "localhost:8799", "LocalHost:8799", "[::1]:8799"] {
            assert!(passes(here, &[("host", host)], &[]), "{host}");
        }
        for host in [
            "attacker.example",
            "attacker.example:8799",
            "localhost",
            "localhost:8800",
            "localhost:+8799",
            "localhost.:8799",
            "localhost.attacker.example:8799",
            "127.0.0.1.attacker.example:8799",
            "127.0.0.1@attacker.example:8799",
            "attacker.example@127.0.0.1:8799",
            "0.0.0.0:8799",
            "2130706433:8799",
            "127.0.0.2:8799",
            "[::ffff:127.0.0.1]:8799",
            "::1:8799",
            "",
        ] {
            assert!(!passes(here, &[("host", host)], &[]), "{host}");
        }
        assert!(!passes(here, &[], &[]));
        assert!(!passes(here, &[("host", here), ("host", "attacker.example")], &[]));
        assert!(passes("127.0.0.1:80", &[("host", "localhost")], &[]));
        assert!(passes("[::1]:8799", &[("host", "localhost:8799")], &[]));
        // What other machines may reach is called by its address, or by a name that was allowed.
        let far = "[::ffff:192.0.2.7]:8799";
        assert!(passes(far, &[("host", "192.0.2.7:8799")], &[]));
        assert!(!passes(far, &[("host", "localhost:8799")], &[]));
        assert!(!passes(far, &[("host", "box.example:8799")], &[]));
        assert!(passes(far, &[("host", "Box.example:9000")], &["box.example"]));
        assert!(passes(here, &[("host", "localhost:9000")], &["localhost:9000"]));
    }

    #[test]
    fn no_page_of_another_origin_calls() {
        let here = "127.0.0.1:8799";
        for (origin, ok) in [
            ("http://127.0.0.1:8799", true),
            ("http://localhost:8799", true),
            ("https://127.0.0.1:8799", false),
            ("http://127.0.0.1:5173", false),
            ("https://attacker.example", false),
            ("http://127.0.0.1:8799.attacker.example", false),
            ("null", false),
            ("", false),
        ] {
            assert_eq!(passes(here, &[("host", here), ("origin", origin)], &[]), ok, "{origin}");
        }
        let two = [("host", here), ("origin", "http://127.0.0.1:8799"), ("origin", "null")];
        assert!(!passes(here, &two, &[]));
    }

    #[test]
    fn a_target_with_a_host_of_its_own_is_judged_too() {
        let ask = |target: &str| {
            let request = Request::get(target).header("host", "127.0.0.1:8799").body(()).unwrap();
            check(&request, "127.0.0.1:8799".parse().unwrap(), &[]).is_ok()
        };
        assert!(ask("http://127.0.0.1:8799/x") && ask("/x"));
        assert!(!ask("http://attacker.example/x") && !ask("http://a@127.0.0.1:8799/x"));
    }
}
