//! What the API would refuse of a DNS record, found in the spec: each type's content, and the
//! fields that exclude each other.
//!
//! Source: Cloudflare's OpenAPI document and DNS documentation, checked November 2026: A, AAAA and
//! CNAME alone can be proxied; a proxied record's TTL is automatic; MX needs a priority.

use core::net::{Ipv4Addr, Ipv6Addr};

use envc_core::{Diagnostic, Span};
use envc_syntax::{Node, Scalar, ScalarValue};

use crate::{Lower, normal};

const CONFLICT: &str = "envc::spec::conflict";
const INVALID_VALUE: &str = "envc::spec::invalid_value";
const ITS_OWN_NAME: &str = "its own name";
/// Bytes of a TXT record's content. Source: Cloudflare's DNS documentation.
const TXT_BYTES_MAX: usize = 4_096;

/// True for the types whose traffic can go through Cloudflare.
pub(crate) fn can_be_proxied(record_type: &str) -> bool {
    matches!(record_type, "A" | "AAAA" | "CNAME")
}

/// Reports what of a record excludes each other, and a content that is not of its type.
pub(crate) fn check(node: &Node, record_type: &str, host: &str, cx: &mut dyn Lower) {
    check_fields(node, record_type, cx);
    let Some(scalar) = node.prop("content") else { return };
    let Some(text) = cx.literal(scalar) else { return };
    if let Some(mistake) = wrong_content(node, record_type, host, &text, scalar) {
        cx.report(mistake);
    }
}

fn check_fields(node: &Node, record_type: &str, cx: &mut dyn Lower) {
    let proxied = node.flag("proxied");
    if let Some(flag) = proxied.filter(|_| !can_be_proxied(record_type)) {
        let message = format!("a {record_type} record cannot be proxied");
        cx.report(
            Diagnostic::error(CONFLICT, flag.span, message)
                .at("only A, AAAA and CNAME can")
                .help("remove proxied")
                .fix(flag.span, ""),
        );
    } else if let (Some(flag), Some(ttl)) = (proxied, node.prop_entry("ttl")) {
        cx.report(
            Diagnostic::error(CONFLICT, ttl.span(), "the TTL of a proxied record is automatic")
                .at("has no effect")
                .label(flag.span, "proxied")
                .help("remove `ttl=`, or remove proxied")
                .fix(ttl.span(), ""),
        );
    }
    match (record_type, node.prop_entry("priority")) {
        ("MX", None) => {
            let end = node.props.last().map_or(node.span.end, |prop| prop.span().end);
            cx.report(
                Diagnostic::error(
                    "envc::spec::missing_property",
                    node.name.span,
                    "an MX record needs `priority=`",
                )
                .at("needs one more property")
                .help("add priority=10; mail goes to the lowest number first")
                .fix(Span::new(end, end), " priority=10"),
            );
        }
        ("MX", Some(_)) | (_, None) => {}
        (_, Some(priority)) => {
            let message = format!("a {record_type} record has no priority");
            cx.report(
                Diagnostic::error(CONFLICT, priority.span(), message)
                    .at("only MX records have one")
                    .help("remove `priority=`")
                    .fix(priority.span(), ""),
            );
        }
    }
}

/// What makes a text no content of a record of this type, as a word after "is".
pub(crate) fn wrong(record_type: &str, host: &str, text: &str) -> Option<&'static str> {
    let text = text.trim();
    let (v4, v6) = (is_v4(text), is_v6(text));
    match record_type {
        "A" => (!v4).then_some("not an IPv4 address"),
        "AAAA" => (!v6).then_some("not an IPv6 address"),
        "MX" if text == "." => None, // no mail is taken: RFC 7505
        "CNAME" | "MX" | "NS" => {
            let name = text.strip_suffix('.').unwrap_or(text);
            if record_type == "CNAME" && (v4 || v6) {
                Some("an address")
            } else if record_type == "CNAME" && name.eq_ignore_ascii_case(host) {
                Some(ITS_OWN_NAME)
            } else {
                (!is_host(name)).then_some("not a host name")
            }
        }
        "TXT" if normal::content("TXT", text) == normal::content("TXT", "") => Some("empty"),
        "TXT" if text.len() > TXT_BYTES_MAX => Some("longer than 4,096 bytes"),
        _ => None,
    }
}

fn is_v4(text: &str) -> bool {
    text.parse::<Ipv4Addr>().is_ok()
}

fn is_v6(text: &str) -> bool {
    text.parse::<Ipv6Addr>().is_ok()
}

fn wrong_content(
    node: &Node,
    record_type: &str,
    host: &str,
    text: &str,
    scalar: &Scalar,
) -> Option<Diagnostic> {
    let at = wrong(record_type, host, text)?;
    let message = if text.len() > TXT_BYTES_MAX {
        format!("this text cannot be the content of this {record_type} record")
    } else {
        format!("`{text}` cannot be the content of this {record_type} record")
    };
    let error = Diagnostic::error(INVALID_VALUE, scalar.span, message).at(at);
    let text = text.trim();
    let other_type = |error: Diagnostic, right: &str| {
        let error = error.help(format!("write type=\"{right}\""));
        match node.prop("type") {
            Some(place) => error.fix(place.span, format!("\"{right}\"")),
            None => error,
        }
    };
    Some(match record_type {
        "A" | "AAAA" | "CNAME" if is_v4(text) => other_type(error, "A"),
        "A" | "AAAA" | "CNAME" if is_v6(text) => other_type(error, "AAAA"),
        "A" | "AAAA" if is_host(text) => other_type(error, "CNAME"),
        "A" | "AAAA" => error.help("write an address, such as \"192.0.2.1\" or \"2001:db8::1\""),
        "TXT" if text.len() > TXT_BYTES_MAX => error.help("write a shorter text"),
        "TXT" => error.help("write the text, such as \"v=spf1 -all\""),
        _ if at == ITS_OWN_NAME => error.help("write the host that it stands for"),
        _ => {
            let name = text.strip_suffix('.').unwrap_or(text);
            let bare = name.split("://").last().and_then(|rest| rest.split(['/', ':']).next());
            // Where the text holds references, what it resolves to must not take their place.
            let literal = matches!(
                &scalar.value, ScalarValue::Text { text: own, .. } if own.trim() == text
            );
            match bare.filter(|bare| is_host(bare) && literal) {
                Some(bare) => error
                    .help(format!("write the host alone: \"{bare}\""))
                    .fix(scalar.span, format!("\"{bare}\"")),
                None => error.help("write a host name, such as \"mail.example.com\""),
            }
        }
    })
}

/// A host name with at least one dot; labels of letters, digits, - and _.
fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253
        && text.contains('.')
        && text.split('.').all(label)
        && !last.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_from_addresses_and_urls() {
        for good in ["a.example", "_dmarc.a.example", "A.Example"] {
            assert!(is_host(good), "{good}");
        }
        for bad in
            ["example", "192.0.2.1", "https://a.example", "a.example/x", "-a.example", "a..b"]
        {
            assert!(!is_host(bad), "{bad}");
        }
    }
}
