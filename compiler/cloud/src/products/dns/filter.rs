//! Filters and order of the list of DNS records.
//!
//! Facts: `name` and `content` take `.exact`, `.contains`, `.startswith`, `.endswith`; `comment`
//! also `.present` and `.absent`; beside them `type` and `proxied`. `match=all` is the default,
//! `any` asks for one. Text is compared without regard to case. `search` looks everywhere.
//! Filters by tag match nothing that has tags, since no record has any.
//!
//! Source: Cloudflare's OpenAPI document (dns-records).

use std::cmp::Ordering;

use super::record::Record;
use crate::request::Query;

/// Filters and sorts.
pub(super) fn apply(query: &Query, records: &mut Vec<Record>) {
    let any = query.get("match") == Some("any");
    records.retain(|record| {
        let mut tests =
            query.pairs().filter_map(|(key, value)| test(record, key, value)).peekable();
        if any && tests.peek().is_some() { tests.any(|hit| hit) } else { tests.all(|hit| hit) }
    });
    if let Some(order) = query.get("order") {
        records.sort_by(|a, b| compare(a, b, order));
    }
    if query.get("direction") == Some("desc") {
        records.reverse();
    }
}

/// One filter; `None` when the key is none.
fn test(record: &Record, key: &str, value: &str) -> Option<bool> {
    let value = value.to_lowercase();
    let comment = record.comment.as_deref().unwrap_or("").to_lowercase();
    let content = record.content.to_lowercase();
    match key.split_once('.').unwrap_or((key, "")) {
        ("name", operator) => compare_text(&record.name, operator, value.trim_end_matches('.')),
        ("content", operator) => compare_text(&content, operator, &value),
        ("comment", "present") => Some(record.comment.is_some()),
        ("comment", "absent") => Some(record.comment.is_none()),
        ("comment", operator) => compare_text(&comment, operator, &value),
        ("type", "") => Some(record.kind.eq_ignore_ascii_case(&value)),
        ("proxied", "") => Some(record.proxied == (value == "true")),
        ("search", "") => Some(
            record.name.contains(&value) || content.contains(&value) || comment.contains(&value),
        ),
        ("tag", "absent") => Some(true),
        ("tag", _) => Some(false),
        _ => None,
    }
}

fn compare_text(text: &str, operator: &str, value: &str) -> Option<bool> {
    match operator {
        "" | "exact" => Some(text == value),
        "contains" => Some(text.contains(value)),
        "startswith" => Some(text.starts_with(value)),
        "endswith" => Some(text.ends_with(value)),
        _ => None,
    }
}

fn compare(a: &Record, b: &Record, order: &str) -> Ordering {
    match order {
        "type" => a.kind.cmp(&b.kind),
        "name" => a.name.cmp(&b.name),
        "content" => a.content.cmp(&b.content),
        "ttl" => a.ttl.cmp(&b.ttl),
        "proxied" => a.proxied.cmp(&b.proxied),
        _ => Ordering::Equal,
    }
}
