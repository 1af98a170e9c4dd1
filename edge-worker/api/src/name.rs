//! Names that appear in paths, headers and pages: checked once, when they are read.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::NAME_BYTES_MAX;

/// Why a text is no name; says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameError {
    what: &'static str,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl std::error::Error for NameError {}

/// Whether a text is 1 to 64 letters, digits, dots, hyphens and underscores, with a letter or a
/// digit first. Such a text is safe in a path, a header, a page and a file name.
fn is_plain(text: &str) -> bool {
    text.len() <= NAME_BYTES_MAX
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Whether a text is `project/env`, two plain names.
fn is_holder(text: &str) -> bool {
    text.split_once('/').is_some_and(|(project, env)| is_plain(project) && is_plain(env))
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $test:path, $pattern:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Reads it, or says what to write instead.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                if $test(text) { Ok(Self(text.to_owned())) } else { Err(NameError { what: $what }) }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                if $test(&text) { Ok(Self(text)) } else { Err(NameError { what: $what }) }
            }
        }

        #[cfg(test)]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string", "pattern": $pattern, "description": $what
                })
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type!(
    /// A pool's name, a member's ID, a project, an environment's ID, a cloud or an account:
    /// 1 to 64 letters, digits, dots, hyphens and underscores, beginning with a letter or digit.
    Name,
    is_plain,
    "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
    "a name is 1 to 64 letters, digits, `.`, `-` and `_`, and begins with a letter or a digit"
);

name_type!(
    /// Who holds a lease: `project/env`, each part a [`Name`].
    Holder,
    is_holder,
    "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}/[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
    "a holder is `project/env`, each part 1 to 64 letters, digits, `.`, `-` and `_` that begin \
     with a letter or a digit"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_safe_wherever_it_lands() {
        let longest = "a".repeat(NAME_BYTES_MAX);
        for good in ["a", "0", "pr-12", "wt_3.x", "A.B", longest.as_str()] {
            assert_eq!(Name::parse(good).unwrap().as_str(), good);
        }
        let too_long = "a".repeat(NAME_BYTES_MAX + 1);
        for bad in [
            "",
            ".",
            "..",
            "-a",
            "_a",
            "a/b",
            "a b",
            "a\r\nb",
            "<b>",
            "ä",
            "a%2f",
            too_long.as_str(),
        ] {
            assert!(Name::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_holder_has_two_parts() {
        assert_eq!(Holder::parse("shop/pr-12").unwrap().to_string(), "shop/pr-12");
        for bad in ["shop", "shop/", "/pr-1", "a/b/c", "shop/../x", "shop/pr\r\nx: y"] {
            assert!(Holder::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_bad_name_in_json_says_what_to_write() {
        let error = serde_json::from_str::<Holder>(r#""nobody""#).unwrap_err().to_string();
        assert!(error.starts_with("a holder is `project/env`"), "{error}");
    }
}
