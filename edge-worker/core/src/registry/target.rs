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

/// Reads a URL as it may be registered: `http` or `https`, no name and no password in it.
pub(super) fn registrable(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    // The library is lenient about what comes before the host; whoever reads the text is not.
    let is_plain = is_plain && (text.starts_with("http://") || text.starts_with("https://"));
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    (is_plain && is_web && url.username().is_empty() && url.password().is_none()).then_some(url)
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
