//! One value against the type that is wanted.

use std::fmt;

use envc_core::{Diagnostic, limits, parse_duration_s};
use envc_syntax::{Scalar, ScalarValue, rule::Type};

use crate::{PortRange, codes, suggest::Spot};

/// What a value is to its node.
#[derive(Clone, Copy, Debug)]
pub(super) enum What<'a> {
    /// An argument.
    Argument(&'a str),
    /// A property.
    Property(&'a str),
}

impl fmt::Display for What<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument(name) => write!(f, "the {name}"),
            Self::Property(name) => write!(f, "`{name}=`"),
        }
    }
}

/// What is wrong with a value, or nothing.
pub(super) fn check(scalar: &Scalar, ty: Type, what: What<'_>) -> Option<Diagnostic> {
    if let Some(tag) = scalar.tag() {
        return tagged(scalar, tag, ty, what);
    }
    match ty {
        Type::Text | Type::NameText | Type::Plain => {
            scalar.as_text().map_or_else(|| Some(wrong(scalar, ty, what)), |_| None)
        }
        Type::PrivateText => match scalar.value {
            ScalarValue::Text { .. } | ScalarValue::Int(_) | ScalarValue::Bool(_) => None,
            ScalarValue::Float(_) | ScalarValue::Null => Some(wrong(scalar, ty, what)),
        },
        Type::Bool => scalar.as_bool().map_or_else(|| Some(wrong(scalar, ty, what)), |_| None),
        Type::Int(min, max) => number(scalar, min, max, what),
        Type::Credential => Some(wrong(scalar, ty, what)),
        Type::OneOf(words) => match scalar.as_text() {
            Some(text) if words.contains(&text) => None,
            Some(text) => {
                let message = format!("{what} cannot be `{text}`");
                let error = Diagnostic::error(codes::NOT_A_CHOICE, scalar.span, message);
                Some(Spot::scalar(scalar).suggest(error, text, words.iter().copied(), ""))
            }
            None => Some(wrong(scalar, ty, what)),
        },
        Type::Label
        | Type::Identifier
        | Type::Path
        | Type::Resource(_)
        | Type::Duration
        | Type::Ports
        | Type::Date => match scalar.as_text() {
            Some(text) => form(scalar, text, ty, what),
            None => Some(wrong(scalar, ty, what)),
        },
    }
}

fn tagged(scalar: &Scalar, tag: &str, ty: Type, what: What<'_>) -> Option<Diagnostic> {
    let span = scalar.tag.as_ref().map_or(scalar.span, |tag| tag.span);
    let takes = matches!(ty, Type::Text | Type::PrivateText | Type::Credential);
    if !takes {
        let message = format!("{what} cannot come from outside");
        return Some(
            Diagnostic::error(codes::UNKNOWN_ANNOTATION, span, message)
                .help(format!("write {}", ty.expected())),
        );
    }
    if !matches!(tag, "secret" | "env") {
        let message = format!("there is no annotation `({tag})`");
        let error = Diagnostic::error(codes::UNKNOWN_ANNOTATION, span, message);
        let spot = scalar.tag.as_ref().map(Spot::bare);
        return spot.map(|spot| spot.suggest(error, tag, ["secret", "env"], ""));
    }
    match scalar.as_text() {
        Some(name) if is_identifier(name) => None,
        Some(name) => Some(
            Diagnostic::error(
                codes::INVALID_VALUE,
                scalar.span,
                format!("`{name}` cannot be the name of a secret or a variable"),
            )
            .help("use letters, digits and _, and begin with a letter or _"),
        ),
        None => Some(wrong(scalar, Type::Credential, what)),
    }
}

fn number(scalar: &Scalar, min: i64, max: i64, what: What<'_>) -> Option<Diagnostic> {
    let ty = Type::Int(min, max);
    match scalar.value {
        ScalarValue::Int(number) if number >= i128::from(min) && number <= i128::from(max) => None,
        ScalarValue::Int(number) => Some(
            Diagnostic::error(
                codes::OUT_OF_RANGE,
                scalar.span,
                format!("{what} cannot be {number}"),
            )
            .at("out of range")
            .help(format!("write {}", ty.expected())),
        ),
        ScalarValue::Text { .. }
        | ScalarValue::Float(_)
        | ScalarValue::Bool(_)
        | ScalarValue::Null => Some(wrong(scalar, ty, what)),
    }
}

fn wrong(scalar: &Scalar, ty: Type, what: What<'_>) -> Diagnostic {
    let found = match &scalar.value {
        ScalarValue::Text { .. } => "a text",
        ScalarValue::Int(_) | ScalarValue::Float(_) => "a number",
        ScalarValue::Bool(_) => "a truth value",
        ScalarValue::Null => "nothing",
    };
    let error = Diagnostic::error(
        codes::WRONG_TYPE,
        scalar.span,
        format!("{what} is {found}; wanted is {}", ty.expected()),
    )
    .at("wrong type");
    match (&scalar.value, ty) {
        (ScalarValue::Text { text, .. }, Type::Bool)
            if matches!(text.as_str(), "true" | "false") =>
        {
            let help = format!("write #{text} without quotes");
            error.help(help).fix(scalar.span, format!("#{text}"))
        }
        (ScalarValue::Text { text, .. }, Type::Int(..)) if text.parse::<i64>().is_ok() => {
            error.help(format!("write {text} without quotes")).fix(scalar.span, text)
        }
        (ScalarValue::Text { text, .. }, Type::Credential) if is_identifier(text) => {
            let help = format!("write (secret)\"{text}\" or (env)\"{text}\"");
            error.help(help).fix(scalar.span, format!("(secret)\"{text}\""))
        }
        (ScalarValue::Int(number), Type::Text | Type::NameText | Type::Plain | Type::Ports) => {
            let help = format!("write \"{number}\" in quotes");
            error.help(help).fix(scalar.span, format!("\"{number}\""))
        }
        (ScalarValue::Bool(flag), Type::Text | Type::NameText | Type::Plain) => {
            let help = format!("write \"{flag}\" in quotes");
            error.help(help).fix(scalar.span, format!("\"{flag}\""))
        }
        _ => error.help(format!("write {}", ty.expected())),
    }
}

/// Text that must have a form.
fn form(scalar: &Scalar, text: &str, ty: Type, what: What<'_>) -> Option<Diagnostic> {
    let (good, help) = match ty {
        Type::Label => (
            is_label(text),
            "use a-z, 0-9, - and _, begin with a letter or a digit, at most 63 characters".into(),
        ),
        Type::Identifier => {
            (is_identifier(text), "use letters, digits and _, and begin with a letter or _".into())
        }
        Type::Path => (
            is_path(text),
            "write a path below the spec's folder, with / between its parts and without ..".into(),
        ),
        Type::Resource(kind) => (is_label(text), format!("write the declared name of a {kind}")),
        Type::Duration => (parse_duration_s(text).is_ok(), format!("write {}", ty.expected())),
        Type::Ports => (ports(text).is_some(), format!("write {}", ty.expected())),
        Type::Date => (is_date(text), format!("write {}", ty.expected())),
        Type::Text
        | Type::PrivateText
        | Type::NameText
        | Type::Plain
        | Type::Bool
        | Type::Int(..)
        | Type::OneOf(_)
        | Type::Credential => (true, String::new()),
    };
    (!good).then(|| {
        Diagnostic::error(codes::INVALID_VALUE, scalar.span, format!("{what} cannot be `{text}`"))
            .at("not of the form that is wanted")
            .help(help)
    })
}

/// `[a-z0-9][a-z0-9_-]*`, at most 63 characters.
fn is_label(text: &str) -> bool {
    text.len() <= limits::DECLARED_NAME_CHARS_MAX
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

/// A binding or a variable.
pub(super) fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A relative path that stays below its folder.
fn is_path(text: &str) -> bool {
    !text.is_empty()
        && !text.contains(['\\', '\0', '\n', '\r', ':'])
        && (text == "."
            || text.trim_end_matches('/').split('/').all(|part| !matches!(part, "" | "..")))
}

fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut part = |digits: usize, max: u32| {
        parts.next().is_some_and(|part| {
            part.len() == digits
                && part.bytes().all(|b| b.is_ascii_digit())
                && part.parse::<u32>().is_ok_and(|number| number >= 1 && number <= max)
        })
    };
    part(4, 9999) && part(2, 12) && part(2, 31) && parts.next().is_none()
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
        assert_eq!(ports("80"), Some(PortRange { first: 80, last: 80 }));
        assert_eq!(ports("1-65535"), Some(PortRange { first: 1, last: 65_535 }));
        for text in ["0", "2-1", "65536", "a", "1-", "-1", "+1", "1-2-3"] {
            assert_eq!(ports(text), None, "{text}");
        }
    }
}
