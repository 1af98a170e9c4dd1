//! Time and identifiers, in the forms that Cloudflare's products use.
//!
//! Timestamps are RFC 3339 in UTC, but the number of fractional digits differs by product: DNS,
//! queues and tunnels show microseconds, D1 and R2 milliseconds, zones whole seconds. A client
//! must read them all, so the local cloud keeps the difference.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// The present, in microseconds since the epoch.
pub(crate) fn now_us() -> i64 {
    Timestamp::now().as_microsecond()
}

/// Six fractional digits: `2026-11-01T10:00:00.123456Z`.
pub(crate) fn micros(us: i64) -> String {
    format!("{:.6}", at(us))
}

/// Three fractional digits: `2026-11-01T10:00:00.123Z`.
pub(crate) fn millis(us: i64) -> String {
    format!("{:.3}", at(us))
}

/// No fraction: `2026-11-01T10:00:00Z`.
pub(crate) fn seconds(us: i64) -> String {
    format!("{:.0}", at(us))
}

/// The date form of HTTP headers: `Sun, 01 Nov 2026 10:00:00 GMT`.
pub(crate) fn http_date(us: i64) -> String {
    at(us).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn at(us: i64) -> Timestamp {
    Timestamp::from_microsecond(us).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A new identifier of 32 lower-case hex digits, the form of most Cloudflare objects.
pub(crate) fn new_hex_id() -> String {
    Uuid::new_v4().simple().to_string()
}

/// A new dashed UUID, the form of D1 databases and tunnels.
pub(crate) fn new_uuid() -> String {
    Uuid::new_v4().to_string()
}

/// An identifier that is the same for the same text, in the form of a dashed UUID; without its dashes it has
/// that of [`new_hex_id`].
pub(crate) fn uuid_of(text: &str) -> Uuid {
    let mut bytes = [0; 16];
    for (byte, drawn) in bytes.iter_mut().zip(Sha256::digest(text)) {
        *byte = drawn;
    }
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// Says whether the text has the form of a 32-digit identifier.
pub(crate) fn is_hex_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Says whether the text has the form of a dashed UUID.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36 && Uuid::try_parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_product_has_its_own_number_of_digits() {
        let us = 1_700_000_000_120_000;
        assert_eq!(micros(us), "2023-11-14T22:13:20.120000Z");
        assert_eq!(millis(us), "2023-11-14T22:13:20.120Z");
        assert_eq!(seconds(us), "2023-11-14T22:13:20Z");
        assert_eq!(http_date(us), "Tue, 14 Nov 2023 22:13:20 GMT");
    }

    #[test]
    fn identifiers_have_the_forms_that_they_check_for() {
        assert!(is_hex_id(&new_hex_id()));
        assert!(is_uuid(&new_uuid()));
        assert!(!is_hex_id("x"));
        assert!(!is_hex_id(&new_uuid()));
        assert!(!is_uuid(&new_hex_id()));
    }
}
