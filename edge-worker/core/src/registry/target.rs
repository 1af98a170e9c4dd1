//! Which URLs may be probed: a probe is a request that somebody else chose.

use url::{Host, Url};

/// What an admin allows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProbePolicy {
    /// Domains, in lower case; their hosts may be probed, and they themselves.
    pub zones: Vec<String>,
    /// Whether `127.0.0.1` may be probed, for tests alone.
    pub allows_loopback: bool,
}

/// Reads a URL as it may be registered: of the form that the API's document promises, and one that
/// the library can read. So there is no name and no password in it.
pub(super) fn registrable(text: &str) -> Option<Url> {
    if !has_form(text) {
        return None;
    }
    Url::parse(text).ok().filter(Url::has_host)
}

/// Whether a text matches `envc_edge_api::URL_PATTERN`. The library alone is too lenient: it reads
/// `https:x`, `HTTPS:\\x` and `https://x*`, of which other readers make something else.
fn has_form(text: &str) -> bool {
    let after_scheme = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let Some(rest) = after_scheme else { return false };
    let (authority, path) = match rest.find(['/', '?', '#']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    // In brackets stands an IPv6 address, whose colons begin no port.
    let in_brackets = authority.strip_prefix('[').and_then(|it| it.split_once(']'));
    let (is_host, port) = if let Some((address, port)) = in_brackets {
        let is_digit = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
        (!address.is_empty() && address.bytes().all(is_digit), port)
    } else {
        let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        (!host.is_empty() && host.bytes().all(is_letter), port)
    };
    let is_port = port.is_empty()
        || port.strip_prefix(':').is_some_and(|port| {
            (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit())
        });
    is_host && is_port && path.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether a domain can be a zone: in lower case, of two labels at least, so that nobody lists a
/// whole top level, and not one of those that name something internal.
pub(super) fn is_zone(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    };
    let Some((_, top)) = text.rsplit_once('.') else { return false };
    text.len() <= 253
        && text.split('.').all(is_label)
        && top.starts_with(|first: char| first.is_ascii_lowercase())
        && !["local", "localhost", "internal", "arpa"].contains(&top)
        // What the runtime would read as something else, an address for one, is none.
        && matches!(Host::parse(text), Ok(Host::Domain(host)) if host == text)
}

/// The URL, if it may be probed. Addresses never may: a zone holds names.
pub fn target(text: &str, policy: &ProbePolicy) -> Option<Url> {
    let url = registrable(text)?;
    let may = match url.host()? {
        Host::Domain(host) => {
            let host = host.trim_end_matches('.');
            policy.zones.iter().any(|zone| {
                host.strip_suffix(zone.as_str())
                    .is_some_and(|before| before.is_empty() || before.ends_with('.'))
            })
        }
        Host::Ipv4(address) => policy.allows_loopback && address.is_loopback(),
        Host::Ipv6(_) => false,
    };
    may.then_some(url)
}

#[cfg(test)]
mod tests {
    use envc_edge_api::{URL_PATTERN, ZONE_PATTERN};

    use super::*;

    fn may(text: &str) -> bool {
        let zones = vec!["preview.example.com".to_owned()];
        target(text, &ProbePolicy { zones, allows_loopback: false }).is_some()
    }

    #[test]
    fn only_hosts_in_a_listed_zone_are_probed() {
        for good in [
            "https://preview.example.com",
            "https://pr-1.preview.example.com/health?x=1",
            "http://a.b.PREVIEW.example.com:8080/",
        ] {
            assert!(may(good), "{good}");
        }
        for bad in [
            "https://example.com",
            "https://evilpreview.example.com",
            "https://preview.example.com.evil.net",
            "https://user:pass@pr-1.preview.example.com",
            "https://evil.net@pr-1.preview.example.com",
            "https://pr-1.preview.example.com@evil.net",
            "ftp://pr-1.preview.example.com",
            "https:pr-1.preview.example.com",
            "HTTPS:\\\\pr-1.preview.example.com",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://10.0.0.1/",
            "http://169.254.169.254/latest/meta-data",
            "http://localhost/",
            "https://pr-1.preview.example.com/\r\nx: y",
            "",
        ] {
            assert!(!may(bad), "{bad:?}");
        }
    }

    proptest::proptest! {
        /// What the API's document calls invalid is refused; the texts are near to URLs.
        #[test]
        fn no_url_is_taken_that_the_document_forbids(
            parts in proptest::collection::vec(proptest::sample::select(NEAR.to_vec()), 0..8),
            at in 0_usize..40,
            odd in proptest::char::any(),
        ) {
            let mut text = parts.concat();
            let [url, zone] = [URL_PATTERN, ZONE_PATTERN].map(|it| regex::Regex::new(it).unwrap());
            for inserted in [false, true] {
                let position = text.char_indices().nth(at).map_or(text.len(), |(at, _)| at);
                if inserted {
                    text.insert(position, odd);
                }
                proptest::prop_assert_eq!(has_form(&text), url.is_match(&text), "{}", text);
                proptest::prop_assert!(!is_zone(&text) || zone.is_match(&text), "{}", text);
            }
        }
    }

    const NEAR: &[&str] = &[
        "https://",
        "http://",
        "HTTP://",
        "https:",
        "ftp://",
        "//",
        "a",
        "kw",
        "A.b",
        "xn--a",
        "_x",
        "-",
        ".",
        "*",
        "1.2.3.4",
        "[::1]",
        "[",
        "]",
        ":",
        ":8",
        ":65535",
        ":123456",
        "/",
        "/p\\q",
        "?x=1",
        "#f",
        "@",
        "u:p@",
        "%41",
        " ",
        "\t",
        "\u{e9}",
        "com",
        "example.com",
        "127.0.0.1",
    ];

    #[test]
    fn loopback_needs_the_setting_for_tests() {
        let policy = ProbePolicy { zones: Vec::new(), allows_loopback: true };
        assert!(target("http://127.0.0.1:8080/", &policy).is_some());
        for bad in ["http://10.0.0.1/", "http://[::1]/", "http://localhost/"] {
            assert!(target(bad, &policy).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_zone_is_a_domain_below_a_top_level() {
        for good in ["example.com", "preview.example.co.uk"] {
            assert!(is_zone(good), "{good}");
        }
        for bad in [
            "",
            "com",
            ".com",
            "example.com.",
            "127.0.0.1",
            "[::1]",
            "a b.com",
            "example.com*",
            "*.example.com",
            "-a.example.com",
            "a..com",
            "Example.com",
            "localhost",
            "x.localhost",
            "db.internal",
            "https://example.com",
        ] {
            assert!(!is_zone(bad), "{bad:?}");
        }
    }
}
