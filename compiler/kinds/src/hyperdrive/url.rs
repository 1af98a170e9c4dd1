//! Connection strings of databases: `postgres://user:password@host:port/database`.
//!
//! No error repeats anything of the text: it is a secret.

use std::collections::BTreeMap;

use envc_core::Secret;
use percent_encoding::percent_decode_str;

/// A scheme as it is compared: `PostgreSQL` has two names for one.
pub(crate) fn scheme(text: &str) -> String {
    match text.to_ascii_lowercase().as_str() {
        "postgresql" => "postgres".to_owned(),
        other => other.to_owned(),
    }
}

/// The port that a database of this scheme listens on.
pub(crate) fn default_port(scheme: &str) -> u16 {
    if scheme == "mysql" { 3306 } else { 5432 }
}

/// The parts of a connection string; or what is wrong with it, as a clause after "it".
pub(crate) fn split(text: &str, name_bytes_max: usize) -> Result<BTreeMap<String, Secret>, String> {
    const FORM: &str = "postgres://USER:PASSWORD@HOST:PORT/DATABASE or mysql://…";
    let wrong = |what: &str| format!("{what}; write {FORM}");
    let (given, rest) =
        text.trim().split_once("://").ok_or_else(|| wrong("is no connection string"))?;
    let scheme = scheme(given);
    if !matches!(scheme.as_str(), "postgres" | "mysql") {
        return Err(wrong("is the address of no PostgreSQL and no MySQL database"));
    }
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, place) = authority.rsplit_once('@').ok_or_else(|| {
        wrong(
            "names no user, or has a character in the password that is written as %2F, %3F or %23",
        )
    })?;
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let (host, port) = host_and_port(place).ok_or_else(|| wrong("has no port from 1 to 65535"))?;
    let port = port.unwrap_or_else(|| default_port(&scheme));
    if host.is_empty() {
        return Err(wrong("names no host"));
    }
    if host.contains(',') {
        return Err(wrong("names several hosts"));
    }
    let mut parts = BTreeMap::from([
        ("scheme".to_owned(), Secret::new(scheme)),
        ("host".to_owned(), Secret::new(host.to_ascii_lowercase())),
        ("port".to_owned(), Secret::new(port.to_string())),
    ]);
    for (name, part, max) in [
        ("user", user, name_bytes_max),
        ("password", password, usize::MAX),
        ("database", database, name_bytes_max),
    ] {
        let decoded =
            decoded(part).ok_or_else(|| wrong(&format!("has a {name} with a wrong % escape")))?;
        if decoded.is_empty() {
            return Err(wrong(&format!("names no {name}")));
        }
        if decoded.len() > max {
            return Err(format!("has a {name} of {} bytes, and {max} are allowed", decoded.len()));
        }
        parts.insert(name.to_owned(), Secret::new(decoded));
    }
    Ok(parts)
}

/// The host, and the port where there is one. `None` for a port that is none.
fn host_and_port(place: &str) -> Option<(&str, Option<u16>)> {
    // An IPv6 address stands in brackets.
    let after = place.rfind(']').map_or(0, |at| at + 1);
    let Some(colon) = place.get(after..)?.find(':').map(|at| after + at) else {
        return Some((place, None));
    };
    let (host, port) = place.split_at_checked(colon)?;
    match port.get(1..)? {
        "" => Some((host, None)),
        port => Some((host, Some(port.parse().ok().filter(|port| *port > 0)?))),
    }
}

fn decoded(text: &str) -> Option<String> {
    let mut escapes = text.split('%').skip(1);
    let whole = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    if !escapes.all(whole) {
        return None;
    }
    Some(percent_decode_str(text).decode_utf8().ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<String> {
        let parts = split(text, 63).unwrap_or_else(|error| panic!("{text}: {error}"));
        ["scheme", "user", "password", "host", "port", "database"]
            .map(|name| parts[name].expose().to_owned())
            .to_vec()
    }

    #[test]
    fn a_connection_string_is_read_as_databases_and_wrangler_read_it() {
        for (text, expect) in [
            ("postgres://u:p@h:1/d", ["postgres", "u", "p", "h", "1", "d"]),
            ("postgresql://u:p@h/d", ["postgres", "u", "p", "h", "5432", "d"]),
            (
                "POSTGRES://u:p@DB.Example.com:/d\n",
                ["postgres", "u", "p", "db.example.com", "5432", "d"],
            ),
            ("mysql://u:p@h/d?ssl=1#x", ["mysql", "u", "p", "h", "3306", "d"]),
            (
                "postgres://u%40x:p%2F%25:q@h/d%20e",
                ["postgres", "u@x", "p/%:q", "h", "5432", "d e"],
            ),
            ("postgres://u:p@ss@h/d", ["postgres", "u", "p@ss", "h", "5432", "d"]),
            ("postgres://u:p@[2001:db8::1]:7/d", ["postgres", "u", "p", "[2001:db8::1]", "7", "d"]),
            ("postgres://u:pä%C3%A4@h/d/e", ["postgres", "u", "pää", "h", "5432", "d/e"]),
        ] {
            assert_eq!(parts(text), expect, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_and_nothing_of_the_text() {
        for (text, what) in [
            ("", "is no connection string"),
            ("wombat", "is no connection string"),
            ("https://u:wombat@h/d", "no PostgreSQL and no MySQL"),
            ("postgres://h/wombat", "names no user"),
            ("postgres://u:wom/bat@h/d", "written as %2F"),
            ("postgres://u@h/d", "names no password"),
            ("postgres://:wombat@h/d", "names no user"),
            ("postgres://u:wombat@:5432/d", "names no host"),
            ("postgres://u:wombat@h,i/d", "several hosts"),
            ("postgres://u:wombat@h:0/d", "no port from 1 to 65535"),
            ("postgres://u:wombat@h:65536/d", "no port from 1 to 65535"),
            ("postgres://u:wombat@h:wombat/d", "no port from 1 to 65535"),
            ("postgres://u:wombat@h", "names no database"),
            ("postgres://u:wombat@h/", "names no database"),
            ("postgres://u:wombat%@h/d", "a password with a wrong % escape"),
            ("postgres://u:wombat%zz@h/d", "a password with a wrong % escape"),
            ("postgres://u:%FF@h/d", "a password with a wrong % escape"),
        ] {
            let error = split(text, 63).unwrap_err();
            assert!(error.contains(what) && !error.contains("wombat"), "{text}: {error}");
        }
        let long = format!("postgres://{}:p@h/d", "u".repeat(64));
        assert_eq!(split(&long, 63), Err("has a user of 64 bytes, and 63 are allowed".into()));
    }
}
