//! Texts that look like secrets, and variables that hold some by their names.
//!
//! Two signs, both meant to be rarely wrong: the form of a token that a known service gives out,
//! and a long random text in a place whose name says key, token, secret or password. The secret
//! itself is never repeated. Identifiers, also those of `existing`, are no secrets.

use envc_core::{Diagnostic, Span};
use envc_syntax::{
    Node, Scalar,
    rule::{NodeRule, Type},
};

use super::{Found, View, Warning, codes, warning};
use crate::{check::words, grammar::ANY};

/// Beginnings of tokens, how many characters follow at the least, and whose they are. Sources: the
/// documentation of each service on its token formats, checked November 2026.
const PREFIXES: &[(&str, usize, &str)] = &[
    ("sk_live_", 16, "a Stripe secret key"),
    ("rk_live_", 16, "a Stripe restricted key"),
    ("sk_test_", 16, "a Stripe secret key"),
    ("whsec_", 24, "a webhook's signing secret"),
    ("ghp_", 36, "a GitHub token"),
    ("gho_", 36, "a GitHub token"),
    ("ghu_", 36, "a GitHub token"),
    ("ghs_", 36, "a GitHub token"),
    ("ghr_", 36, "a GitHub token"),
    ("github_pat_", 40, "a GitHub token"),
    ("glpat-", 20, "a GitLab token"),
    ("npm_", 36, "an npm token"),
    ("xoxb-", 20, "a Slack token"),
    ("xoxp-", 20, "a Slack token"),
    ("xoxa-", 20, "a Slack token"),
    ("xoxr-", 20, "a Slack token"),
    ("AKIA", 16, "an AWS access key"),
    ("ASIA", 16, "an AWS access key"),
    ("AIza", 35, "a Google API key"),
    ("SG.", 40, "a SendGrid key"),
    ("sk-ant-", 24, "an Anthropic key"),
    ("sk-proj-", 24, "an OpenAI key"),
    ("dp.st.", 24, "a Doppler token"),
    ("dp.pt.", 24, "a Doppler token"),
    ("hvs.", 24, "a Vault token"),
];

/// Words of names behind which secrets stand.
const SECRET_WORDS: &[&str] =
    &["key", "token", "secret", "password", "passwd", "credential", "credentials", "apikey"];
/// Words of names that say otherwise.
const PUBLIC_WORDS: &[&str] = &["public", "publishable", "site", "id", "name", "url", "host"];

/// Fewest characters of a random text.
const RANDOM_CHARS_MIN: usize = 24;
/// Fewest different characters of a random text; one of hexadecimal digits has 16 at the most.
const DIFFERENT_CHARS_MIN: usize = 10;

/// Texts that look like secrets.
pub(super) fn found<'v>(view: &'v View<'_>) -> Found<'v> {
    let mut out = Vec::new();
    view.walk(&mut |node, rule, around| {
        let inside_existing = around.iter().any(|other| other.name.value == "existing");
        for prop in node.props.iter().filter(|_| !inside_existing) {
            out.extend(look(&prop.value, &prop.name.value, rule));
        }
        for (position, arg) in words(node, rule).args.into_iter().enumerate() {
            out.extend(look(arg, context(node, rule, position), rule));
        }
    });
    Found::Of(out.into_iter().map(Warning::from).collect())
}

/// Variables that go to where others can see them, though their names say that they hold secrets.
pub(super) fn variables<'v>(view: &'v View<'_>) -> Found<'v> {
    let mut out = Vec::new();
    view.walk(&mut |node, rule, _| {
        let is_public = |ty: Type| matches!(ty, Type::Text | Type::NameText);
        let args = words(node, rule).args.into_iter().enumerate();
        let args = args.filter_map(|(at, arg)| {
            // The last rule stands for all that follow.
            let of = rule.args.get(at).or_else(|| rule.args.last())?;
            is_public(of.ty).then_some(arg)
        });
        let props = node.props.iter().filter_map(|prop| {
            let of = rule.props.iter().find(|it| it.name == prop.name.value)?;
            is_public(of.ty).then_some(&prop.value)
        });
        let all = args.chain(props).filter(|it| it.tag() == Some("env"));
        let named = all.filter_map(|it| Some((it.span, it.as_text()?)));
        let named = named.filter(|(_, name)| says_secret(name));
        out.extend(named.map(|(span, name)| variable(span, name, rule)));
    });
    Found::Of(out.into_iter().map(Warning::from).collect())
}

fn variable(span: Span, name: &str, rule: &NodeRule) -> Diagnostic {
    let instead = match rule.name {
        "var" => format!("write secret \"{name}\" instead of the var"),
        _ => format!(
            "leave it out here: a worker gets it by secret \"{name}\", a program by a `dotenv`"
        ),
    };
    let message = format!("the variable {name} holds a secret, as its name says");
    warning(codes::SECRET_IN_VARIABLE, span, message)
        .at("here others can read it: in the account, in files, in plans and in the record")
        .help(instead)
}

/// What a node calls an argument: a variable its own name, others the label before it.
fn context<'a>(node: &'a Node, rule: &NodeRule, position: usize) -> &'a str {
    match position {
        _ if rule.name == ANY.name => &node.name.value,
        0 => "",
        _ if rule.name == "secret" => "secret",
        _ => node.label().unwrap_or_default(),
    }
}

fn look(scalar: &Scalar, name: &str, rule: &NodeRule) -> Option<Diagnostic> {
    let text = scalar.as_text().filter(|text| scalar.tag.is_none() && text.len() >= 16)?;
    let what = known_form(text).or_else(|| {
        (says_secret(name) && is_random(text)).then_some("a secret: a long random text")
    })?;
    Some(secret(scalar.span, what, name, rule))
}

fn secret(span: Span, what: &str, name: &str, rule: &NodeRule) -> Diagnostic {
    let upper = name.to_uppercase().replace('-', "_");
    let variable = if upper.is_empty() { "NAME" } else { &upper };
    let instead = match rule.name {
        "var" => format!("write secret \"{variable}\" instead of the var"),
        "secret" => "leave the value out".to_owned(),
        name if name == ANY.name || matches!(name, "let" | "env") || takes_secrets(rule) => {
            format!("write (secret)\"{variable}\"")
        }
        _ => format!("write it into a `dotenv` as {variable} (secret)\"{variable}\""),
    };
    warning(codes::SECRET_IN_TEXT, span, format!("this text looks like {what}"))
        .at("whoever reads this file knows it")
        .help(format!(
            "{instead}, put the value where `secrets` finds it, and have it replaced where it comes from: git keeps the old one"
        ))
}

/// True for a node with a private text.
fn takes_secrets(rule: &NodeRule) -> bool {
    let types = rule.args.iter().map(|arg| arg.ty).chain(rule.props.iter().map(|prop| prop.ty));
    types.into_iter().any(|ty| ty == Type::PrivateText)
}

/// The form of a token, a private key or an address with a password.
fn known_form(text: &str) -> Option<&'static str> {
    if text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----") {
        return Some("a private key");
    }
    let token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    for word in text.split(|c: char| !token(c)) {
        if let Some(what) = token_of(word) {
            return Some(what);
        }
    }
    has_password(text).then_some("an address with a password")
}

fn token_of(word: &str) -> Option<&'static str> {
    for (prefix, least, what) in PREFIXES {
        let rest = word.strip_prefix(prefix);
        if rest.is_some_and(|rest| rest.len() >= *least && different(rest) >= 8) {
            return Some(what);
        }
    }
    // A JSON Web Token: two objects in base64, and a signature.
    let mut parts = word.split('.');
    let object = |part: Option<&str>| part.is_some_and(|it| it.starts_with("eyJ") && it.len() > 8);
    let web_token = object(parts.next()) && object(parts.next());
    let signed = parts.next().is_some_and(|signature| signature.len() >= 20);
    (web_token && signed).then_some("a JSON Web Token")
}

/// `scheme://user:password@host`, but for what is everybody's on this machine.
fn has_password(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((login, host)) = authority.rsplit_once('@') else { return false };
    let Some((user, password)) = login.split_once(':') else { return false };
    let local = ["localhost", "127.0.0.1", "[::1]"].iter().any(|own| host.starts_with(own));
    !local && password.len() >= 8 && password != user && !password.contains(['{', '$', '<'])
}

/// True for a name such as `API_KEY`, not for `PUBLIC_KEY` or `key-id`.
fn says_secret(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let has = |known: &[&str]| lower.split(['_', '-', '.']).any(|word| known.contains(&word));
    has(SECRET_WORDS) && !has(PUBLIC_WORDS)
}

/// True for one word of letters and digits mixed, as generators make it; not for a UUID, a path or
/// words with dashes.
fn is_random(text: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'_' | b'-');
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let letters = text.bytes().filter(u8::is_ascii_alphabetic).count();
    let marks = text.bytes().filter(|b| matches!(b, b'-' | b'_' | b'/')).count();
    text.len() >= RANDOM_CHARS_MIN
        && text.bytes().all(good)
        && digits >= 3
        && letters >= 3
        && marks * 8 <= text.len()
        && different(text) >= DIFFERENT_CHARS_MIN
        && !is_uuid(text)
}

fn is_uuid(text: &str) -> bool {
    let dash = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    text.len() == 36
        && text
            .bytes()
            .enumerate()
            .all(|(at, b)| if dash(at) { b == b'-' } else { b.is_ascii_hexdigit() })
}

fn different(text: &str) -> usize {
    let mut seen = [false; 128];
    for byte in text.bytes() {
        if let Some(seen) = seen.get_mut(usize::from(byte)) {
            *seen = true;
        }
    }
    seen.into_iter().filter(|seen| *seen).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Put together here, so that no scanner takes the tests for a leak.
    fn joined(parts: &[&str]) -> String {
        parts.concat()
    }

    #[test]
    fn tokens_of_known_services_are_known_wherever_they_stand() {
        let random = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0";
        for text in [
            joined(&["sk_", "live_", random]),
            joined(&["gh", "p_", random]),
            joined(&["Bearer github", "_pat_", random]),
            joined(&["AK", "IA", "IOSFODNN7EXAMPLE"]),
            joined(&["xo", "xb-", random]),
            joined(&["-----BEGIN ", "EC PRIVATE KEY-----\nabc"]),
            joined(&["ey", "JhbGciOiJIUzI1NiJ9.", "ey", "JzdWIiOiIxMjM0In0.", random]),
            "postgres://app:c0rrect-horse@db.example.com/app".to_owned(),
        ] {
            assert!(known_form(&text).is_some(), "{text}");
        }
    }

    #[test]
    fn what_only_resembles_a_token_is_none() {
        for text in [
            "sk_live_",
            "sk_live_xxxxxxxxxxxxxxxxxxxxxxxx",
            "-----BEGIN CERTIFICATE-----",
            "-----BEGIN PUBLIC KEY-----",
            "postgres://postgres:postgres@localhost:5432/app",
            "postgres://app:password1@127.0.0.1/app",
            "postgres://app:{let.password}@db.example.com/app",
            "https://user@example.com/some:thing@else",
            "npm_config_registry",
            "eyJ.eyJ.x",
            "AKIA",
        ] {
            assert_eq!(known_form(text), None, "{text}");
        }
    }

    #[test]
    fn a_random_text_counts_where_the_name_says_secret() {
        for name in ["API_KEY", "auth-token", "DB_PASSWORD", "secret", "client_secret"] {
            assert!(says_secret(name), "{name}");
        }
        for name in ["", "PUBLIC_KEY", "NEXT_PUBLIC_MAPS_KEY", "key-id", "TOKEN_URL", "keyboard"] {
            assert!(!says_secret(name), "{name}");
        }
        assert!(is_random("f3A9c1Bd77e0Q2xZ5mN8vT4k") && is_random(&"0f1e2d3c4b5a6978".repeat(4)));
        for text in [
            "short1A",
            "my-production-session-secrets-2",
            "0b0f1d2e-5c7a-4f0e-9d2b-3a1f6c8e7d10",
            "vibechecc/production/session",
            "aaaaaaaaaaaaaaaaaaaaaaaa111",
            "only-words-and-no-digits-here",
        ] {
            assert!(!is_random(text), "{text}");
        }
    }
}
