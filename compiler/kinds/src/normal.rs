//! How values that mean the same are written.
//!
//! People write one value in many ways, and servers write back what they were sent in their own.
//! Each attribute says in which ways; both sides of every comparison pass its form, so that another
//! spelling is never a difference. What is sent and shown stays as it was written.
//!
//! Source of the servers' spellings: Cloudflare's documentation, and published reports of live
//! answers, checked November 2026.

use std::borrow::Cow;

use core::net::{Ipv4Addr, Ipv6Addr};
use serde_json::{Value as Json, json};

use crate::{Attr, Fields, Kind, Mutability, punycode};

/// Gives the one way to write a value. The other fields of the resource may decide what it means.
pub type Form = fn(&Json, &Fields<Json>) -> Json;

/// How many ways there are to write a value of an attribute.
#[derive(Clone, Copy, Debug)]
pub enum Normal {
    /// Exactly one, and why.
    One(&'static str),
    /// Several, of which the form gives one.
    Form {
        /// Invariant: its own results stay as they are.
        form: Form,
        /// Examples, which the tests of every layer apply.
        spellings: &'static [Spelling],
    },
}

/// Two ways to write one value.
#[derive(Clone, Copy, Debug)]
pub struct Spelling {
    /// Who writes it the odd way.
    pub by: Writer,
    /// Fields that decide what the value means: name and JSON.
    pub beside: &'static [(&'static str, &'static str)],
    /// Written differently: JSON.
    pub written: &'static str,
    /// Means the same as this: JSON.
    pub means: &'static str,
}

/// Who writes a value in an odd way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// A spec may hold it, and the API takes it.
    Anyone,
    /// Only answers of the API hold it.
    Server,
}

/// An odd spelling that a spec may hold.
pub(crate) const fn spelt(written: &'static str, means: &'static str) -> Spelling {
    Spelling { by: Writer::Anyone, beside: &[], written, means }
}

/// An odd spelling of the API.
pub(crate) const fn told(written: &'static str, means: &'static str) -> Spelling {
    Spelling { by: Writer::Server, beside: &[], written, means }
}

impl Attr {
    /// An attribute that is changed where it is.
    pub(crate) const fn in_place(
        name: &'static str,
        samples: &'static [&'static str],
        normal: Normal,
    ) -> Self {
        Self { name, mutability: Mutability::InPlace, samples, normal }
    }

    /// An attribute that is changed where it is and that the API never tells.
    pub(crate) const fn write_only(
        name: &'static str,
        samples: &'static [&'static str],
        normal: Normal,
    ) -> Self {
        Self { name, mutability: Mutability::WriteOnly, samples, normal }
    }

    /// The one way to write this value.
    pub fn form(&self, value: &Json, beside: &Fields<Json>) -> Json {
        match self.normal {
            Normal::One(_) => value.clone(),
            Normal::Form { form, .. } => form(value, beside),
        }
    }
}

/// True when two values of a field mean the same. Each comes with the fields beside it.
pub fn same(
    kind: &dyn Kind,
    field: &str,
    one: (&Json, &Fields<Json>),
    other: (&Json, &Fields<Json>),
) -> bool {
    if one.0 == other.0 {
        return true; // nearly always
    }
    let attr = kind.attrs().iter().find(|attr| attr.name == field);
    attr.is_some_and(|attr| attr.form(one.0, one.1) == attr.form(other.0, other.1))
}

/// The one way to write the value of a field.
pub fn form(kind: &dyn Kind, field: &str, value: &Json, beside: &Fields<Json>) -> Json {
    let attr = kind.attrs().iter().find(|attr| attr.name == field);
    attr.map_or_else(|| value.clone(), |attr| attr.form(value, beside))
}

/// True when two natural keys name the same thing.
pub fn same_name(kind: &dyn Kind, one: &str, other: &str) -> bool {
    one == other || kind.key(one) == kind.key(other)
}

/// The form of a text; other JSON stays as it is.
pub(crate) fn text(value: &Json, form: impl Fn(&str) -> String) -> Json {
    value.as_str().map_or_else(|| value.clone(), |text| json!(form(text)))
}

/// Words without regard to case.
pub(crate) fn any_case(value: &Json, _beside: &Fields<Json>) -> Json {
    text(value, str::to_ascii_lowercase)
}

/// Nothing and an empty text are one.
pub(crate) fn empty_is_none(value: &Json, _beside: &Fields<Json>) -> Json {
    if value.as_str() == Some("") { Json::Null } else { value.clone() }
}

/// A list whose order and repetitions say nothing; none is an empty one.
pub(crate) fn set(value: &Json, _beside: &Fields<Json>) -> Json {
    let Some(items) = value.as_array() else {
        return if value.is_null() { json!([]) } else { value.clone() };
    };
    let mut items = items.clone();
    items.sort_by_cached_key(ToString::to_string);
    items.dedup();
    Json::Array(items)
}

/// A host name: small letters, no final dot, and no Punycode, which the API writes out in zones with
/// letters beyond ASCII. `.` alone is nothing: the null MX.
pub(crate) fn host(text: &str) -> String {
    let text = text.trim();
    let bare = text.strip_suffix('.').filter(|bare| !bare.is_empty()).unwrap_or(text);
    let bare = bare.to_lowercase();
    if !bare.contains("xn--") {
        return bare;
    }
    let labels: Vec<Cow<'_, str>> = bare
        .split('.')
        .map(|label| match label.strip_prefix("xn--").and_then(punycode::decoded) {
            Some(label) => Cow::Owned(label.to_lowercase()),
            None => Cow::Borrowed(label),
        })
        .collect();
    labels.join(".")
}

/// The content of a DNS record of this type. Blanks around it are not of it: servers may cut them
/// off, and only inside quotes they are safe.
pub(crate) fn content(record_type: &str, text: &str) -> String {
    let text = text.trim();
    match record_type {
        "A" => text.parse::<Ipv4Addr>().map_or_else(|_| text.into(), |address| address.to_string()),
        "AAAA" => address_v6(text).unwrap_or_else(|| text.into()),
        "CNAME" | "MX" | "NS" | "PTR" => host(text),
        "TXT" => quoted(text),
        "SRV" => {
            let words: Vec<String> = text.split_whitespace().map(host).collect();
            words.join(" ")
        }
        "CAA" => authority(text).unwrap_or_else(|| text.into()),
        _ => text.into(),
    }
}

/// The shortest form of an address; one of version 4 stands for the one mapped to it.
fn address_v6(text: &str) -> Option<String> {
    let mapped = |address: Ipv4Addr| address.to_ipv6_mapped();
    let address = text.parse::<Ipv6Addr>().or_else(|_| text.parse().map(mapped)).ok()?;
    Some(address.to_string())
}

/// `0 issue "ca.example"`: flags, tag, value.
fn authority(text: &str) -> Option<String> {
    let (flags, rest) = text.trim().split_once(char::is_whitespace)?;
    let (tag, value) = rest.trim_start().split_once(char::is_whitespace)?;
    let flags: u8 = flags.parse().ok()?;
    Some(format!("{flags} {} {}", tag.to_ascii_lowercase(), quoted(value.trim_start())))
}

/// A text as one quoted string, however it is written: bare, quoted, or split into several.
fn quoted(text: &str) -> String {
    let text = joined(text).unwrap_or_else(|| text.to_owned());
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The text that quoted strings are, as a zone file has them: without quotes, escapes replaced,
/// strings joined. None for anything else: a bare text is itself.
fn joined(text: &str) -> Option<String> {
    let mut out: Vec<u8> = Vec::new();
    let mut bytes = text.trim().bytes().peekable();
    bytes.peek()?;
    while bytes.peek().is_some() {
        if bytes.next()? != b'"' {
            return None;
        }
        loop {
            match bytes.next()? {
                b'"' => break,
                b'\\' => {
                    let escaped = bytes.next()?;
                    if !escaped.is_ascii_digit() {
                        out.push(escaped);
                        continue;
                    }
                    let mut code = u16::from(escaped - b'0');
                    for _ in 0..2 {
                        let digit = bytes.next().filter(u8::is_ascii_digit)?;
                        code = code * 10 + u16::from(digit - b'0');
                    }
                    out.push(u8::try_from(code).ok()?);
                }
                byte => out.push(byte),
            }
        }
        while bytes.next_if(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).is_some() {}
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry;

    #[test]
    fn hosts_are_small_without_a_final_dot_and_written_out() {
        for (written, means) in [
            ("API.Example.COM.", "api.example.com"),
            ("xn--bcher-kva.example", "bücher.example"),
            ("BÜCHER.example", "bücher.example"),
            ("XN--BCHER-KVA.example.", "bücher.example"),
            ("a.xn--fiqs8s", "a.中国"),
            ("xn--mnchen-3ya.de", "münchen.de"),
            (".", "."),
            ("", ""),
        ] {
            assert_eq!(host(written), means, "{written}");
            assert_eq!(host(means), means, "{means}");
        }
        // What is no Punycode stays as it is.
        for odd in ["xn--", "xn--99999999999", "xn--a-\u{fc}", "xn--0-"] {
            assert_eq!(host(odd), host(&host(odd)), "{odd}");
        }
    }

    #[test]
    fn texts_are_joined_out_of_their_quotes() {
        let long = "a".repeat(255);
        let split = format!("\"{long}\" \"bc\"");
        let whole = format!("{long}bc");
        for (written, means) in [
            ("\"v=spf1 -all\"", "v=spf1 -all"),
            ("\"v=spf1\" \" -all\"", "v=spf1 -all"),
            ("\"v=spf1\"\t\" -all\"", "v=spf1 -all"),
            ("\"a\"\"b\"", "ab"),
            (r#""say \"hi\" \\ \195\188""#, "say \"hi\" \\ ü"),
            ("hello\n", "hello"),
            ("  two words\t", "two words"),
            (" \"a b\"\n", "a b"),
            (&split, &whole),
        ] {
            assert_eq!(content("TXT", written), content("TXT", means), "{written}");
        }
        // What is no list of quoted strings is a text as it stands.
        for bare in ["plain", "two words", "\"open", "\"a\" b", "say \"hi\"", "\"\\300\"", "\\"] {
            let form = content("TXT", bare);
            assert_eq!(joined(&form).as_deref(), Some(bare));
            assert_eq!(content("TXT", &form), form);
        }
        assert_ne!(content("TXT", "\" a \""), content("TXT", "a"), "these blanks are of the text");
        let (quotes, none) = (r#""\"a\"""#, r#""a""#);
        assert_ne!(content("TXT", quotes), content("TXT", none), "these quotes are of the text");
    }

    #[test]
    fn each_type_has_its_own_form() {
        for (record_type, written, means) in [
            ("A", " 192.0.2.1", "192.0.2.1"),
            ("AAAA", "2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
            ("AAAA", "::FFFF:C000:0201", "::ffff:192.0.2.1"),
            ("AAAA", "192.0.2.1", "::ffff:192.0.2.1"),
            ("MX", "Mail.Example.", "mail.example"),
            ("MX", ".", "."),
            ("SRV", "5  8080\tA.Example.", "5 8080 a.example"),
            ("CAA", "0 Issue ca.example", "0 issue \"ca.example\""),
            ("LOC", "As It Is", "As It Is"),
        ] {
            assert_eq!(content(record_type, written), means, "{record_type} {written}");
        }
        assert_ne!(content("A", "192.0.2.1"), content("A", "192.0.2.2"));
        assert_ne!(content("TXT", "A"), content("TXT", "a"), "of texts capitals count");
    }

    fn parsed(text: &str) -> Json {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn fields(beside: &[(&str, &str)]) -> Fields<Json> {
        beside.iter().map(|(name, value)| ((*name).to_owned(), parsed(value))).collect()
    }

    /// Invariant: of every attribute of every kind it is said how its values are written.
    #[test]
    fn every_attribute_shows_another_spelling_or_says_why_there_is_none() {
        for kind in registry() {
            for attr in kind.attrs() {
                let what = format!("{}'s `{}`", kind.noun(), attr.name);
                match attr.normal {
                    Normal::One(why) => assert!(why.len() > 10, "{what} does not say why"),
                    Normal::Form { spellings, .. } => {
                        assert!(!spellings.is_empty(), "{what} shows no other spelling");
                    }
                }
            }
        }
    }

    #[test]
    fn a_key_stays_as_it_is_and_collides_with_itself() {
        for kind in registry() {
            for name in
                ["p--x--e", "My Title", "A Host.Example.", "HTTPS://A.example/P*", "xn--", "."]
            {
                let key = kind.key(name).into_owned();
                assert_eq!(kind.key(&key), key, "{} {name}", kind.noun());
                assert!(kind.collides(name, &key) && same_name(*kind, &key, name));
                assert!(!kind.collides(name, "p--other--e") && !same_name(*kind, name, "q"));
            }
        }
    }

    #[test]
    fn forms_join_what_means_the_same_and_nothing_else() {
        for kind in registry() {
            for attr in kind.attrs() {
                let what = format!("{}'s `{}`", kind.noun(), attr.name);
                let Normal::Form { spellings, .. } = attr.normal else { continue };
                for spelling in spellings {
                    let beside = fields(spelling.beside);
                    let (written, means) = (parsed(spelling.written), parsed(spelling.means));
                    assert_ne!(written, means, "{what}: {spelling:?} is one spelling");
                    let form = attr.form(&written, &beside);
                    assert_eq!(form, attr.form(&means, &beside), "{what}: {spelling:?}");
                    assert_eq!(form, attr.form(&form, &beside), "{what}: {spelling:?}");
                    assert!(same(*kind, attr.name, (&written, &beside), (&means, &beside)));
                }
                let beside = Fields::new();
                let samples = attr.samples.iter().map(|sample| attr.form(&parsed(sample), &beside));
                let samples: Vec<Json> = samples.collect();
                for (at, sample) in samples.iter().enumerate() {
                    assert_eq!(*sample, attr.form(sample, &beside), "{what}");
                    assert!(!samples[..at].contains(sample), "{what}: two samples are {sample}");
                }
            }
        }
    }
}
