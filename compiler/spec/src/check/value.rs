//! One value against the type that is wanted.

use std::fmt;

use envc_core::{Diagnostic, OWN_CREDENTIAL, is_own_credential, parse_duration_s};
use envc_syntax::{Scalar, ScalarValue, rule::Type};

use super::form::{has_form, is_identifier, misform};
use crate::{codes, suggest::Spot};

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
        | Type::Date
        | Type::Url
        | Type::Version => match scalar.as_text() {
            Some(text) => form(scalar, text, ty, what),
            None => Some(wrong(scalar, ty, what)),
        },
    }
}

fn tagged(scalar: &Scalar, tag: &str, ty: Type, what: What<'_>) -> Option<Diagnostic> {
    let span = scalar.tag.as_ref().map_or(scalar.span, |tag| tag.span);
    let takes = matches!(ty, Type::Text | Type::PrivateText | Type::Credential);
    if !takes && tag == "secret" && ty == Type::NameText {
        let message = format!("a secret would be seen by others in {what}");
        return Some(
            Diagnostic::error(codes::SECRET_IN_PUBLIC, scalar.span, message)
                .at("names are public")
                .help("write text without secrets"),
        );
    }
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
        // Which variable a secret is read from, its provider says.
        Some(name) if tag == "env" && is_own_credential(name) => Some(
            Diagnostic::error(
                codes::OWN_CREDENTIAL,
                scalar.span,
                format!("the variable {name} is {OWN_CREDENTIAL}"),
            )
            .at("nobody gets it")
            .help("give the value under another name, and write that one: (env)\"NAME\""),
        ),
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
        ScalarValue::Text { .. } => "text",
        ScalarValue::Int(_) => "a number",
        ScalarValue::Float(_) => "a number with a fraction",
        ScalarValue::Bool(_) => "a truth value",
        ScalarValue::Null => "nothing",
    };
    let message = format!("{what} wants {}, not {found}", ty.expected());
    let error = Diagnostic::error(codes::WRONG_TYPE, scalar.span, message).at(found);
    let quoted = |text: &dyn fmt::Display| {
        let help = format!("write \"{text}\" in quotes");
        error.clone().help(help).fix(scalar.span, format!("\"{text}\""))
    };
    match (&scalar.value, ty) {
        (ScalarValue::Text { text, .. }, Type::Bool) => match truth(text) {
            Some(truth) => {
                error.help(format!("write {truth} without quotes")).fix(scalar.span, truth)
            }
            None => error.help("write #true or #false"),
        },
        (ScalarValue::Text { text, .. }, Type::Int(min, max)) => number_in(error, text, min, max, scalar),
        (ScalarValue::Text { text, .. }, Type::Credential) if is_identifier(text) => {
            let help = format!("write (secret)\"{text}\" or (env)\"{text}\"");
            error.help(help).fix(scalar.span, format!("(secret)\"{text}\""))
        }
        (ScalarValue::Text { .. }, Type::Credential) => error.help(
            "a credential does not stand in the spec: write (secret)\"NAME\" or (env)\"NAME\", and give it its value outside",
        ),
        (ScalarValue::Int(number), _) if misform(&number.to_string(), ty).is_none() && is_text(ty) => {
            quoted(number)
        }
        (ScalarValue::Bool(flag), Type::Text | Type::NameText | Type::Plain) => quoted(flag),
        _ => error.help(format!("write {}", ty.expected())),
    }
}

/// What a word says that people write for a truth value.
fn truth(text: &str) -> Option<&'static str> {
    match text.to_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some("#true"),
        "false" | "no" | "off" | "0" => Some("#false"),
        _ => None,
    }
}

/// A number in quotes, or a duration where seconds are wanted.
fn number_in(error: Diagnostic, text: &str, min: i64, max: i64, scalar: &Scalar) -> Diagnostic {
    let good = |number: &i64| (min..=max).contains(number);
    if let Some(number) = text.parse::<i64>().ok().filter(good) {
        return error
            .help(format!("write {number} without quotes"))
            .fix(scalar.span, number.to_string());
    }
    let seconds = parse_duration_s(text).ok().and_then(|seconds| i64::try_from(seconds).ok());
    match seconds.filter(good) {
        Some(seconds) => error
            .help(format!("write {seconds}: \"{text}\" in seconds"))
            .fix(scalar.span, seconds.to_string()),
        None => error.help(format!("write {}", Type::Int(min, max).expected())),
    }
}

/// True for the types that are written as text.
fn is_text(ty: Type) -> bool {
    has_form(ty) || matches!(ty, Type::Text | Type::PrivateText | Type::NameText | Type::Plain)
}

/// Text that must have a form.
fn form(scalar: &Scalar, text: &str, ty: Type, what: What<'_>) -> Option<Diagnostic> {
    let wrong = misform(text, ty)?;
    let message = if text.is_empty() {
        format!("{what} is empty")
    } else {
        format!("{what} cannot be `{text}`")
    };
    let error =
        Diagnostic::error(codes::INVALID_VALUE, scalar.span, message).at(wrong.at).help(wrong.help);
    Some(match wrong.meant {
        Some(meant) => error.fix(scalar.span, format!("\"{meant}\"")),
        None => error,
    })
}
