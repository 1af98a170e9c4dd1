//! Names, limits and codes.

use envc_core::limits;
use serde::Serialize;

use crate::{codes, lint, names, refs, suggest::nearest};

/// What the name of one thing may look like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Naming {
    /// Whose name.
    pub of: String,
    /// Which characters, in words.
    pub chars: &'static str,
    /// Fewest characters.
    pub min: usize,
    /// Most characters.
    pub max: usize,
}

/// How large something may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// What is counted.
    pub of: &'static str,
    /// The most of it.
    pub max: usize,
    /// The code of the mistake beyond it.
    pub code: &'static str,
}

/// A mistake or a warning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Code {
    /// Stable.
    pub code: &'static str,
    /// A sentence.
    pub summary: &'static str,
}

/// The names that a spec writes itself, then those that the account sees.
pub(super) fn names() -> Vec<Naming> {
    let mut out = vec![
        Naming {
            of: "declared name".into(),
            chars: "lower-case letters, digits, - and _, beginning with a letter or a digit",
            min: 1,
            max: limits::DECLARED_NAME_CHARS_MAX,
        },
        Naming {
            of: "environment's ID".into(),
            chars: "lower-case letters, digits and -, with a letter or a digit at both ends",
            min: 1,
            max: limits::ID_CHARS_MAX,
        },
        Naming {
            of: "host".into(),
            chars: "lower-case letters, digits, - and _ between dots, 63 at the most; the first part may be *",
            min: 1,
            max: names::HOST_CHARS_MAX,
        },
    ];
    out.extend(envc_kinds::registry().iter().filter_map(|kind| {
        let rule = kind.declared()?.node().name_rule?;
        let of = kind.noun().to_owned();
        Some(Naming { of, chars: rule.chars, min: rule.min, max: rule.max })
    }));
    out
}

pub(super) fn limits() -> Vec<Limit> {
    let limit = |of, max, code| Limit { of, max, code };
    vec![
        limit("bytes of the file", limits::SPEC_BYTES_MAX, envc_syntax::codes::TOO_LARGE),
        limit("nodes of the file", limits::SPEC_NODES_MAX, envc_syntax::codes::TOO_MANY_NODES),
        limit("values of the file", limits::SPEC_VALUES_MAX, envc_syntax::codes::TOO_MANY_NODES),
        limit("blocks inside one another", limits::SPEC_DEPTH_MAX, envc_syntax::codes::TOO_DEEP),
        limit(
            "mistakes in the syntax that are told in one run",
            limits::SYNTAX_MISTAKES_MAX,
            envc_syntax::codes::TOO_MANY_MISTAKES,
        ),
        limit(
            "characters of a text, its references replaced",
            limits::TEXT_CHARS_MAX,
            codes::TEXT_TOO_LONG,
        ),
        limit("bytes of a text", limits::TEXT_BYTES_MAX, codes::TEXT_TOO_LONG),
        limit(
            "characters of all texts of an environment",
            limits::TEXTS_CHARS_MAX,
            codes::TEXT_TOO_LONG,
        ),
        limit("environments", limits::TYPES_MAX, codes::TOO_MANY_TYPES),
        limit("nodes outside of environments", limits::SHARED_NODES_MAX, codes::TOO_MANY_TYPES),
        limit(
            "the same, in all environments together",
            limits::RESOLVED_NODES_MAX,
            codes::TOO_MANY_TYPES,
        ),
        limit("`let`s that refer to one another", refs::CHAIN_MAX, codes::LET_CYCLE),
        limit(
            "characters of a declared name",
            limits::DECLARED_NAME_CHARS_MAX,
            codes::INVALID_VALUE,
        ),
        limit("characters of an environment's ID", limits::ID_CHARS_MAX, codes::INVALID_IDENTITY),
        limit(
            "characters of a DNS record's comment, the marker included",
            envc_kinds::DNS_COMMENT_CHARS_MAX,
            codes::TOO_LONG,
        ),
    ]
}

/// All codes: those of the text, those of its meaning, warnings.
pub(super) fn codes() -> Vec<Code> {
    let all = envc_syntax::codes::ALL.iter().chain(codes::ALL).chain(lint::codes::ALL);
    all.map(|(code, summary)| Code { code, summary }).collect()
}

/// The code that a word comes near to: a whole code, or its last word.
pub fn near_code(word: &str) -> Option<&'static str> {
    let last = |code: &'static str| code.rsplit("::").next().unwrap_or(code);
    let word = word.rsplit("::").next().unwrap_or(word);
    let all = codes();
    let near = nearest(word, all.iter().map(|one| last(one.code)))?;
    all.iter().map(|one| one.code).find(|code| last(code) == near)
}
