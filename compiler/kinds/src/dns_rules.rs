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

fn wrong_content(
    node: &Node,
    record_type: &str,
    host: &str,
    text: &str,
    scalar: &Scalar,
) -> Option<Diagnostic> {
    let v4 = text.parse::<Ipv4Addr>().is_ok();
    let v6 = text.parse::<Ipv6Addr>().is_ok();
    let error = |at: &str| {
        let message = format!("`{text}` cannot be the content of this {record_type} record");
        Diagnostic::error(INVALID_VALUE, scalar.span, message).at(at)
    };
    let other_type = |error: Diagnostic, right: &str| {
        let error = error.help(format!("write type=\"{right}\""));
        match node.prop("type") {
            Some(place) => error.fix(place.span, format!("\"{right}\"")),
            None => error,
        }
    };
    match record_type {
        "A" | "AAAA" => {
            let (good, wanted) = if record_type == "A" { (v4, "an IPv4") } else { (v6, "an IPv6") };
            if good {
                return None;
            }
            let error = error(&format!("not {wanted} address"));
            Some(if v4 {
                other_type(error, "A")
            } else if v6 {
                other_type(error, "AAAA")
            } else if is_host(text) {
                other_type(error, "CNAME")
            } else {
                error.help("write an address, such as \"192.0.2.1\" or \"2001:db8::1\"")
            })
        }
        "CNAME" | "MX" | "NS" => {
            let name = text.strip_suffix('.').unwrap_or(text);
            if record_type == "MX" && text == "." {
                return None; // no mail is taken: RFC 7505
            }
            if record_type == "CNAME" && (v4 || v6) {
                return Some(other_type(error("an address"), if v4 { "A" } else { "AAAA" }));
            }
            if record_type == "CNAME" && name.eq_ignore_ascii_case(host) {
                return Some(error("its own name").help("write the host that it stands for"));
            }
            if is_host(name) {
                return None;
            }
            let bare = name.split("://").last().and_then(|rest| rest.split(['/', ':']).next());
            let error = error("not a host name");
            // Where the text holds references, what it resolves to must not take their place.
            let literal =
                matches!(&scalar.value, ScalarValue::Text { text: own, .. } if own == text);
            Some(match bare.filter(|bare| is_host(bare) && literal) {
                Some(bare) => error
                    .help(format!("write the host alone: \"{bare}\""))
                    .fix(scalar.span, format!("\"{bare}\"")),
                None => error.help("write a host name, such as \"mail.example.com\""),
            })
        }
        "TXT" if normal::content("TXT", text) == normal::content("TXT", "") => {
            Some(error("empty").help("write the text, such as \"v=spf1 -all\""))
        }
        _ => None,
    }
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
