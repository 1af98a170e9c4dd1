//! Texts that must have a form: what is wrong with one, and what was probably meant.

use envc_core::{ServerUrl, ServerUrlError, limits, parse_duration_s, steers_a_terminal};
use envc_syntax::rule::Type;

use crate::{PortRange, names::host_problem};

/// A text that does not have the form of its type.
#[derive(Debug)]
pub(super) struct Misform {
    /// A clause for the label.
    pub(super) at: String,
    /// What to write.
    pub(super) help: String,
    /// The text that was probably meant; it has the form.
    pub(super) meant: Option<String>,
}

/// The form of a type.
struct Form {
    good: fn(&str) -> bool,
    /// A text that was probably meant; it may not have the form either.
    near: fn(&str) -> Option<String>,
    /// In words; none where the type says it best.
    rule: Option<&'static str>,
}

/// The form that texts of a type have; none for types that take any text, or none.
fn form_of(ty: Type) -> Option<Form> {
    let form = |good, near| Form { good, near, rule: None };
    Some(match ty {
        Type::Label | Type::Resource(_) => {
            Form { rule: Some(LABEL_RULE), ..form(is_label, near_label) }
        }
        Type::Identifier => {
            Form { rule: Some(IDENTIFIER_RULE), ..form(is_identifier, near_identifier) }
        }
        Type::Path => Form { rule: Some(PATH_RULE), ..form(is_path, near_path) },
        Type::Duration => form(is_duration, near_duration),
        Type::Ports => form(|text| ports(text).is_some(), near_ports),
        Type::Date => form(is_date, near_date),
        Type::Url => form(is_url, near_url),
        Type::Version => form(is_version, near_version),
        Type::Text
        | Type::PrivateText
        | Type::NameText
        | Type::Plain
        | Type::Bool
        | Type::Int(..)
        | Type::OneOf(_)
        | Type::Credential => return None,
    })
}

/// True for the types whose texts have a form.
pub(super) fn has_form(ty: Type) -> bool {
    form_of(ty).is_some()
}

/// What is wrong with the form of a text, or nothing. Types without a form are never wrong.
pub(super) fn misform(text: &str, ty: Type) -> Option<Misform> {
    let form = form_of(ty)?;
    if (form.good)(text) {
        return None;
    }
    let rule = form.rule.map_or_else(|| format!("write {}", ty.expected()), str::to_owned);
    if text.contains(['{', '}']) && matches!(ty, Type::Label | Type::Resource(_) | Type::Identifier)
    {
        return Some(no_reference(text, ty, rule));
    }
    let meant = meant(text, &form);
    let help = match &meant {
        Some(meant) => format!("write \"{meant}\"; {}", rule.trim_start_matches("write ")),
        None => rule,
    };
    Some(Misform { at: reason(text, ty), help, meant })
}

/// References stand in texts, not in declared names.
fn no_reference(text: &str, ty: Type, rule: String) -> Misform {
    let at = "a name holds no references".to_owned();
    let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
    let named = match (ty, inner.split('.').collect::<Vec<_>>().as_slice()) {
        (Type::Resource(kind), [head, name, ..]) if *head == kind && is_label(name) => Some(*name),
        _ => None,
    };
    match named {
        Some(name) => Misform {
            at,
            help: format!("write the declared name alone: \"{name}\""),
            meant: Some(name.to_owned()),
        },
        None => Misform { at, help: rule, meant: None },
    }
}

const LABEL_RULE: &str =
    "use a-z, 0-9, - and _, begin with a letter or a digit, at most 63 characters";
const IDENTIFIER_RULE: &str = "use letters, digits and _, and begin with a letter or _";
const PATH_RULE: &str = "a path lies below the spec's folder, with / between its parts, without .. and without references";

fn reason(text: &str, ty: Type) -> String {
    if text.is_empty() {
        return "empty".into();
    }
    let max = limits::DECLARED_NAME_CHARS_MAX;
    match ty {
        Type::Label | Type::Resource(_) if text.chars().count() > max => {
            format!("{} characters; at most {max} are possible", text.chars().count())
        }
        Type::Label | Type::Resource(_) => match text.chars().find(|c| !is_label_char(*c)) {
            Some(bad) => format!("{} is not possible in a name", shown(bad)),
            None => "a name begins with a letter or a digit".into(),
        },
        Type::Identifier => match text.chars().find(|c| !is_identifier_char(*c)) {
            Some(bad) => format!("{} is not possible here", shown(bad)),
            None => "begins with a digit".into(),
        },
        Type::Path if text.starts_with('/') => "begins at the root of the disk".into(),
        Type::Path if text.split('/').any(|part| part == "..") => "leads out of the folder".into(),
        Type::Path => match text.chars().find(|c| PATH_BAD.contains(c)) {
            Some(bad) => format!("{} is not possible in a path", shown(bad)),
            None => "has an empty part".into(),
        },
        Type::Ports if ports_reversed(text).is_some() => "ends before it begins".into(),
        Type::Ports => "ports are whole numbers from 1 to 65535".into(),
        Type::Date if date_parts(text).is_some() => "there is no such day".into(),
        Type::Duration if parse_duration_s(text).is_ok() => "no time at all".into(),
        Type::Url if !text.contains("://") => "has no scheme".into(),
        Type::Url => match ServerUrl::parse(text) {
            Err(ServerUrlError::NotEncrypted) => "not encrypted".into(),
            Err(why) => why.to_string(),
            Ok(_) => "not of the form that is wanted".into(),
        },
        _ => "not of the form that is wanted".into(),
    }
}

fn shown(c: char) -> String {
    match c {
        ' ' => "a space".into(),
        c if c.is_control() => format!("the character U+{:04X}", u32::from(c)),
        c => format!("`{c}`"),
    }
}

/// What was probably meant: a text of the right form that says the same.
fn meant(text: &str, form: &Form) -> Option<String> {
    // 'single quotes' are part of the text in KDL.
    let bare = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap_or(text);
    (form.near)(bare).filter(|near| near != text && (form.good)(near))
}

fn near_path(text: &str) -> Option<String> {
    let near = text.replace('\\', "/").replace("//", "/");
    (!near.is_empty()).then_some(near)
}

fn near_label(text: &str) -> Option<String> {
    let lower = text.trim().to_lowercase();
    let dashed: String = lower.chars().map(|c| if is_label_char(c) { c } else { '-' }).collect();
    let near = dashed.trim_matches(['-', '_']);
    (!near.is_empty()).then(|| near.to_owned())
}

fn near_identifier(text: &str) -> Option<String> {
    let plain = |c| if is_identifier_char(c) { c } else { '_' };
    let near: String = text.trim().chars().map(plain).collect();
    if near.chars().all(|c| c == '_') {
        return None; // nothing of what was written is left
    }
    let digit = near.starts_with(|c: char| c.is_ascii_digit());
    Some(if digit { format!("_{near}") } else { near })
}

/// `2 weeks`, `14 days`, `1h30`: one number and a unit in words.
fn near_duration(text: &str) -> Option<String> {
    let text = text.trim().to_lowercase();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: u64 = text.get(..digits)?.parse().ok()?;
    let (factor, unit) = match text.get(digits..)?.trim() {
        "s" | "sec" | "secs" | "second" | "seconds" => (1, 's'),
        "m" | "min" | "mins" | "minute" | "minutes" => (1, 'm'),
        "h" | "hr" | "hrs" | "hour" | "hours" => (1, 'h'),
        "d" | "day" | "days" => (1, 'd'),
        "w" | "week" | "weeks" => (7, 'd'),
        _ => return None,
    };
    Some(format!("{}{unit}", number.checked_mul(factor)?))
}

/// `9200-9100` the other way round; `3000..3999`, `3000 - 3999`.
fn near_ports(text: &str) -> Option<String> {
    if let Some((first, last)) = ports_reversed(text) {
        return Some(format!("{last}-{first}"));
    }
    let plain = text.replace("..", "-").replace([':', '\u{2013}'], "-").replace(' ', "");
    (plain != text).then_some(plain)
}

fn ports_reversed(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-')?;
    let (first, last) = (ports(first)?.first, ports(last)?.first);
    (first > last).then_some((first, last))
}

/// `2026/1/5`, `2026.01.05`
fn near_date(text: &str) -> Option<String> {
    let (year, month, day) = date_parts(&text.replace(['/', '.'], "-"))?;
    Some(format!("{year:04}-{month:02}-{day:02}"))
}

fn is_label_char(c: char) -> bool {
    matches!(c, 'a'..='z' | '0'..='9' | '-' | '_')
}

/// `[a-z0-9][a-z0-9_-]*`, at most 63 characters.
fn is_label(text: &str) -> bool {
    text.len() <= limits::DECLARED_NAME_CHARS_MAX
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.chars().all(is_label_char)
}

fn is_identifier_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// A binding or a variable.
pub(super) fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(is_identifier_char)
}

const PATH_BAD: [char; 7] = ['\\', '\0', '\n', '\r', ':', '{', '}'];

/// A relative path that stays below its folder. Without braces: paths hold no references, and one
/// that looks as if it did would make a folder of that name.
fn is_path(text: &str) -> bool {
    !text.is_empty()
        && !text.contains(PATH_BAD)
        && !text.contains(|c: char| c.is_control() || steers_a_terminal(c))
        && (text == "."
            || text.trim_end_matches('/').split('/').all(|part| !matches!(part, "" | "..")))
}

fn is_duration(text: &str) -> bool {
    parse_duration_s(text).is_ok_and(|seconds| seconds > 0)
}

/// Year, month and day, whether or not there is such a day.
fn date_parts(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.split('-').map(|part| {
        let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        part.parse::<u32>().ok().filter(|_| digits && part.len() <= 4)
    });
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    (parts.next().is_none() && year >= 1_000).then_some((year, month, day))
}

/// `YYYY-MM-DD`, a day that exists (Gregorian calendar).
fn is_date(text: &str) -> bool {
    let Some((year, month, day)) = date_parts(text) else { return false };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => 0,
    };
    text.len() == 10 && (1..=days).contains(&day)
}

/// An address of a server, whose host, but for this machine, is one that a spec may name.
fn is_url(text: &str) -> bool {
    let Ok(server) = ServerUrl::parse(text) else { return false };
    (server.is_here || host_problem(server.host).is_none()) && !text.contains(['{', '}', '"'])
}

fn near_url(text: &str) -> Option<String> {
    let bare = text.strip_prefix("http://").unwrap_or(text);
    (!bare.contains("://")).then(|| format!("https://{bare}"))
}

/// `>=22`, `^3.1`, `>=1.2, <2`, `22`
fn is_version(text: &str) -> bool {
    text.split(',').all(|one| {
        let one = one.trim();
        let operator =
            one.find(|c: char| c.is_ascii_digit()).and_then(|at| one.split_at_checked(at));
        operator.is_some_and(|(operator, number)| {
            matches!(operator.trim(), ">=" | ">" | "<=" | "<" | "" | "=" | "v" | "^" | "~")
                && number.split('.').all(|part| part.parse::<u64>().is_ok())
        })
    })
}

/// `22.x`, `22+`, `>= 22 or so`: the number, and nothing below it.
fn near_version(text: &str) -> Option<String> {
    let from = text.find(|c: char| c.is_ascii_digit())?;
    let rest = text.get(from..)?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    Some(format!(">={}", rest.get(..end)?.trim_matches('.')))
}

/// `3000-3999` or `3000`.
pub(crate) fn ports(text: &str) -> Option<PortRange> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let port = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u16>().ok().filter(|port| digits && *port > 0)
    };
    let (first, last) = (port(first)?, port(last)?);
    (first <= last).then_some(PortRange { first, last })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_checked_at_their_edges() {
        assert!(is_label("a-b_9") && !is_label("-a") && !is_label("") && !is_label("A"));
        assert!(is_label(&"a".repeat(63)) && !is_label(&"a".repeat(64)));
        assert!(is_path("a/b.c") && is_path(".") && is_path("./a") && is_path("dist/"));
        assert!(!is_path("/a") && !is_path("a/../b") && !is_path("") && !is_path("a//b"));
        assert!(is_date("2026-11-01") && !is_date("2026-13-01") && !is_date("2026-1-01"));
        assert!(is_date("2024-02-29") && !is_date("2026-02-29") && !is_date("2100-02-29"));
        assert!(is_duration("1s") && !is_duration("0d"));
        assert_eq!(ports("80"), Some(PortRange { first: 80, last: 80 }));
        assert_eq!(ports("1-65535"), Some(PortRange { first: 1, last: 65_535 }));
        for text in ["0", "2-1", "65536", "a", "1-", "-1", "+1", "1-2-3"] {
            assert_eq!(ports(text), None, "{text}");
        }
    }

    #[test]
    fn what_was_meant_has_the_form() {
        let check = |text: &str, ty, wanted: Option<&str>| {
            assert_eq!(misform(text, ty).unwrap().meant.as_deref(), wanted, "{text}");
        };
        check("My DB", Type::Label, Some("my-db"));
        check("'main'", Type::Label, Some("main"));
        check("", Type::Label, None);
        check("é", Type::Label, None);
        check("MY-VAR", Type::Identifier, Some("MY_VAR"));
        check("1st", Type::Identifier, Some("_1st"));
        check("--", Type::Identifier, None);
        check("apps\\web", Type::Path, Some("apps/web"));
        check("../web", Type::Path, None);
        check("{env}/.env", Type::Path, None);
        check("2 weeks", Type::Duration, Some("14d"));
        check("0d", Type::Duration, None);
        check("9200-9100", Type::Ports, Some("9100-9200"));
        check("3000 .. 3999", Type::Ports, Some("3000-3999"));
        check("2026/1/5", Type::Date, Some("2026-01-05"));
        check("2026-02-30", Type::Date, None);
        check("edge.shop.example", Type::Url, Some("https://edge.shop.example"));
        check("http://edge.shop.example/x", Type::Url, Some("https://edge.shop.example/x"));
        check("ftp://edge.shop.example", Type::Url, None);
        check("22.x", Type::Version, Some(">=22"));
        check("newest", Type::Version, None);
        assert!(is_url("http://localhost:8787") && is_url("https://a.example:8443/x"));
        assert!(is_version(">=22") && is_version(">=1.2, <2") && is_version("^3.1"));
    }
    #[test]
    fn an_edge_is_named_so_that_no_reader_takes_it_for_another_server() {
        for good in
            ["http://127.0.0.1:8787", "http://127.9.9.9", "http://[::1]:1/x", "HTTPS://a.example"]
        {
            assert!(is_url(good), "{good}");
        }
        for bad in [
            "http://edge.shop.example",
            "http://0.0.0.0:8787",
            "http://[::ffff:127.0.0.1]",
            "http://2130706433",
            "http://localhost.evil.example",
            "http://localhost.",
            "http://127.0.0.1@evil.example",
            "http://127.0.0.1:80\\@evil.example",
            "https://user:pw@edge.shop.example",
            "https://edge.shop.example?to=x",
            "https://edge.shop.example#x",
            "https://edge.shop.example:+443",
            "https://{env}.shop.example",
        ] {
            assert!(!is_url(bad), "{bad}");
        }
        let at = |text| misform(text, Type::Url).unwrap().at;
        assert_eq!(at("HTTP://edge.shop.example"), "not encrypted");
        assert!(at("https://me:pw@edge.shop.example").contains("a password stands in it"));
    }
}
