//! What a DNS record may be, and which records exclude each other.
//!
//! Facts: a CNAME excludes A, AAAA and CNAME of its name: 81053 where the newcomer is the CNAME,
//! 81054 where the CNAME stood first. The same name, type and content is 81058, whatever ttl,
//! comment and proxied say. A proxied record has ttl 1; otherwise 1 or 60–86400. Comments have
//! 100 characters, tags are not to be had on the free plan. Validation is 1004 with the detail in
//! the chain.
//!
//! Contents come back respelt: hosts in small letters without a final dot, but for the null MX `.`;
//! addresses in their shortest form; texts as sent, quoted or not, and split into quoted strings of
//! 255 bytes where they are longer.
//!
//! Codes in the chain are known for A contents (9005), tags (9300) and comments (9313, not in a
//! chain); the others follow the same range without a source. Names beyond ASCII must come as
//! punycode.
//!
//! Source: Cloudflare's OpenAPI document (dns-records), published live error bodies.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::Value;

use crate::envelope::Problem;
use crate::request::text;

const KINDS: [&str; 21] = [
    "A",
    "AAAA",
    "CAA",
    "CERT",
    "CNAME",
    "DNSKEY",
    "DS",
    "HTTPS",
    "LOC",
    "MX",
    "NAPTR",
    "NS",
    "OPENPGPKEY",
    "PTR",
    "SMIMEA",
    "SRV",
    "SSHFP",
    "SVCB",
    "TLSA",
    "TXT",
    "URI",
];
const CONTENT_BYTES_MAX: usize = 4096;
/// Bytes of one string of a TXT record.
const STRING_BYTES_MAX: usize = 255;
const COMMENT_CHARS_MAX: usize = 100;
const TTL_S: std::ops::RangeInclusive<i64> = 60..=86_400;

/// A validation failure with its detail.
pub(super) fn invalid(code: i64, detail: impl Into<String>) -> Problem {
    Problem::new(400, 1004, "DNS Validation Error").chain(code, detail)
}

/// The type in upper case.
pub(super) fn kind(text: &str) -> Result<&'static str, Problem> {
    KINDS
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(text))
        .ok_or_else(|| invalid(9001, format!("DNS record type '{text}' is invalid.")))
}

/// Says whether a type can be proxied.
pub(super) fn is_proxiable(kind: &str) -> bool {
    matches!(kind, "A" | "AAAA" | "CNAME")
}

/// The lower-case FQDN of a name: `@` and relative names end in the zone.
pub(super) fn name(given: &str, zone: &str) -> Result<String, Problem> {
    let name = given.trim_end_matches('.').to_ascii_lowercase();
    let full = if name == "@" || name == zone {
        zone.to_owned()
    } else if name.ends_with(&format!(".{zone}")) {
        name
    } else {
        format!("{name}.{zone}")
    };
    if is_host(&full) { Ok(full) } else { Err(invalid(9000, "DNS name is invalid.")) }
}

fn is_host(name: &str) -> bool {
    let label = |(index, part): (usize, &str)| {
        let wildcard = index == 0 && part == "*";
        let plain = !part.is_empty()
            && part.len() <= 63
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        wildcard || plain
    };
    name.len() <= 253 && name.split('.').enumerate().all(label)
}

/// The content in its stored form.
pub(super) fn content(
    kind: &str,
    given: Option<&str>,
    data: Option<&Value>,
) -> Result<String, Problem> {
    let given = match (given.map(str::trim), data) {
        (Some(content), _) if !content.is_empty() => content.to_owned(),
        (_, Some(data)) => from_data(kind, data),
        _ => return Err(invalid(9002, format!("Content for {kind} record is required."))),
    };
    let host = |code: i64| {
        let host = given.trim_end_matches('.').to_ascii_lowercase();
        let text = format!("Content for {kind} record must be a valid hostname.");
        if is_host(&host) && !host.starts_with('*') { Ok(host) } else { Err(invalid(code, text)) }
    };
    match kind {
        "A" => given
            .parse::<Ipv4Addr>()
            .map(|ip| ip.to_string())
            .map_err(|_| invalid(9005, "Content for A record must be a valid IPv4 address.")),
        "AAAA" => given
            .parse::<Ipv6Addr>()
            .map(|ip| ip.to_string())
            .map_err(|_| invalid(9006, "Content for AAAA record must be a valid IPv6 address.")),
        "CNAME" => host(9007),
        "MX" if given == "." => Ok(given),
        "MX" | "NS" | "PTR" => host(9008),
        _ if given.len() > CONTENT_BYTES_MAX => {
            Err(invalid(9003, format!("Content for {kind} record is too long.")))
        }
        "TXT" => Ok(split(&given)),
        _ => Ok(given),
    }
}

/// A text as one string, or as several quoted ones where it is too long for one.
fn split(given: &str) -> String {
    let inner = given.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let text = inner.unwrap_or(given);
    if text.len() <= STRING_BYTES_MAX || inner.is_some_and(|text| text.contains('"')) {
        return given.to_owned();
    }
    let mut strings = vec![String::new()];
    for char in text.chars() {
        match strings.last_mut() {
            Some(last) if last.len() + char.len_utf8() <= STRING_BYTES_MAX => last.push(char),
            _ => strings.push(char.to_string()),
        }
    }
    let quoted: Vec<String> = strings.iter().map(|text| format!("\"{text}\"")).collect();
    quoted.join(" ")
}

/// The content of a structured type, as a zone file would write it.
fn from_data(kind: &str, data: &Value) -> String {
    let part = |key: &str| match data.get(key) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let all = |keys: &[&str]| keys.iter().map(|key| part(key)).collect::<Vec<_>>().join(" ");
    match kind {
        "LOC" => location(data),
        "NAPTR" => format!(
            "{} {} \"{}\" \"{}\" \"{}\" {}",
            part("order"),
            part("preference"),
            part("flags"),
            part("service"),
            part("regex"),
            part("replacement")
        ),
        "SSHFP" => all(&["algorithm", "type", "fingerprint"]),
        "CERT" => all(&["type", "key_tag", "algorithm", "certificate"]),
        "DS" => all(&["key_tag", "algorithm", "digest_type", "digest"]),
        "DNSKEY" => all(&["flags", "protocol", "algorithm", "public_key"]),
        "OPENPGPKEY" => part("public_key"),
        "SRV" => format!("{} {} {}", part("weight"), part("port"), part("target")),
        "CAA" => format!("{} {} \"{}\"", part("flags"), part("tag"), part("value")),
        "HTTPS" | "SVCB" => {
            format!("{} {} {}", part("priority"), part("target"), part("value")).trim().to_owned()
        }
        "URI" => format!("{} \"{}\"", part("weight"), part("target")),
        "TLSA" | "SMIMEA" => format!(
            "{} {} {} {}",
            part("usage"),
            part("selector"),
            part("matching_type"),
            part("certificate")
        ),
        _ => data
            .as_object()
            .map(|map| map.keys().map(|key| part(key)).collect::<Vec<_>>().join(" "))
            .unwrap_or_default(),
    }
}

/// The zone-file form of a place: degrees, minutes, seconds with three places, direction, for latitude
/// and longitude; then altitude, size and precisions with two.
fn location(data: &Value) -> String {
    let number = |key: &str| data.get(key).and_then(Value::as_f64).unwrap_or_default();
    let side = |name: &str| {
        format!(
            "{} {} {:.3} {}",
            number(&format!("{name}_degrees")),
            number(&format!("{name}_minutes")),
            number(&format!("{name}_seconds")),
            text(data, &format!("{name}_direction")).unwrap_or_default()
        )
    };
    let metres = ["altitude", "size", "precision_horz", "precision_vert"]
        .map(|key| format!("{:.2}", number(key)));
    format!("{} {} {}", side("lat"), side("long"), metres.join(" "))
}

/// The priority, which MX and URI must have.
pub(super) fn priority(kind: &str, body: &Value) -> Result<Option<i64>, Problem> {
    let given = body.get("priority").and_then(Value::as_i64);
    let nested = body.get("data").and_then(|data| data.get("priority")).and_then(Value::as_i64);
    match (kind, given.or(nested)) {
        ("MX" | "URI", None) => {
            Err(invalid(9100, format!("Priority is required for {kind} records.")))
        }
        ("MX" | "URI" | "SRV", Some(n)) if !(0..=65_535).contains(&n) => {
            Err(invalid(9101, "Priority must be between 0 and 65535."))
        }
        ("MX" | "URI" | "SRV", priority) => Ok(priority),
        _ => Ok(None),
    }
}

/// The ttl: 1 where the record is proxied.
pub(super) fn ttl(body: &Value, proxied: bool) -> Result<i64, Problem> {
    let ttl = match body.get("ttl") {
        None | Some(Value::Null) => 1,
        Some(value) => value.as_i64().unwrap_or(-1),
    };
    if ttl != 1 && !TTL_S.contains(&ttl) {
        let text = "TTL must be between 60 and 86400 seconds, or 1 for Automatic.";
        return Err(invalid(9021, text));
    }
    Ok(if proxied { 1 } else { ttl })
}

/// The comment; an empty one is none.
pub(super) fn comment(body: &Value) -> Result<Option<String>, Problem> {
    let comment = text(body, "comment").filter(|comment| !comment.is_empty());
    if comment.is_some_and(|comment| comment.chars().count() > COMMENT_CHARS_MAX) {
        let text = "DNS record comment exceeds the maximum length of 100 characters.";
        return Err(Problem::new(400, 9313, text));
    }
    Ok(comment.map(str::to_owned))
}

/// Refuses tags, which the free plan does not have.
pub(super) fn no_tags(body: &Value) -> Result<(), Problem> {
    match body.get("tags").and_then(Value::as_array).map_or(0, Vec::len) {
        0 => Ok(()),
        n => Err(invalid(9300, format!("DNS record has {n} tags, exceeding the quota of 0."))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_become_lower_case_fqdn() {
        for (given, expected) in [
            ("@", "example.com"),
            ("Example.com.", "example.com"),
            ("app", "app.example.com"),
            ("APP.example.com", "app.example.com"),
            ("*.dev", "*.dev.example.com"),
            ("_dmarc", "_dmarc.example.com"),
        ] {
            assert_eq!(name(given, "example.com").unwrap(), expected);
        }
        for bad in ["", "a b", "a..b", "a.*", "ä"] {
            assert!(name(bad, "example.com").is_err(), "{bad}");
        }
    }

    #[test]
    fn structured_contents_have_their_zone_file_form() {
        let place = json!({
            "lat_degrees": 37, "lat_minutes": 46, "lat_seconds": 46, "lat_direction": "N",
            "long_degrees": 122, "long_minutes": 23, "long_seconds": 35, "long_direction": "W",
            "altitude": 0, "size": 100, "precision_horz": 0, "precision_vert": 0,
        });
        let naptr = json!({
            "order": 100, "preference": 10, "flags": "S", "service": "SIP+D2U", "regex": "",
            "replacement": "_sip._udp.example.com",
        });
        for (kind, data, expected) in [
            ("LOC", place, "37 46 46.000 N 122 23 35.000 W 0.00 100.00 0.00 0.00"),
            ("NAPTR", naptr, "100 10 \"S\" \"SIP+D2U\" \"\" _sip._udp.example.com"),
            ("SSHFP", json!({"algorithm": 2, "type": 1, "fingerprint": "ab"}), "2 1 ab"),
            (
                "DS",
                json!({"algorithm": 13, "digest": "ab", "digest_type": 2, "key_tag": 7}),
                "7 13 2 ab",
            ),
            (
                "CERT",
                json!({"algorithm": 5, "certificate": "ab", "key_tag": 7, "type": 1}),
                "1 7 5 ab",
            ),
            ("CAA", json!({"flags": 0, "tag": "issue", "value": "ca"}), "0 issue \"ca\""),
        ] {
            assert_eq!(content(kind, None, Some(&data)).unwrap(), expected, "{kind}");
        }
    }

    #[test]
    fn contents_are_checked_and_normalised() {
        assert_eq!(content("AAAA", Some("2001:DB8:0:0::1"), None).unwrap(), "2001:db8::1");
        assert_eq!(
            content("CNAME", Some("Target.Example.com."), None).unwrap(),
            "target.example.com"
        );
        assert_eq!(content("MX", Some("."), None).unwrap(), ".");
        for kept in ["v=spf1 -all", "\"v=spf1\" \" -all\"", "\"quoted\""] {
            assert_eq!(content("TXT", Some(kept), None).unwrap(), kept);
        }
        let (long, most) = ("a".repeat(300), "a".repeat(255));
        let parts = format!("\"{most}\" \"{}\"", "a".repeat(45));
        assert_eq!(content("TXT", Some(&long), None).unwrap(), parts);
        assert_eq!(content("TXT", Some(&format!("\"{long}\"")), None).unwrap(), parts);
        let caa = json!({"flags": 0, "tag": "issue", "value": "letsencrypt.org"});
        assert_eq!(content("CAA", None, Some(&caa)).unwrap(), "0 issue \"letsencrypt.org\"");
        assert!(content("A", Some("256.1.1.1"), None).is_err());
        assert!(content("TXT", None, None).is_err());
    }

    #[test]
    fn ttl_bounds() {
        for good in [1, 60, 86_400] {
            assert_eq!(ttl(&json!({"ttl": good}), false).unwrap(), good);
        }
        for bad in [0, 2, 59, 86_401] {
            assert!(ttl(&json!({"ttl": bad}), false).is_err(), "{bad}");
        }
        assert_eq!(ttl(&json!({"ttl": 300}), true).unwrap(), 1);
    }

    #[test]
    fn comment_bounds() {
        assert!(comment(&json!({"comment": "x".repeat(100)})).is_ok());
        assert!(comment(&json!({"comment": "x".repeat(101)})).is_err());
    }
}
