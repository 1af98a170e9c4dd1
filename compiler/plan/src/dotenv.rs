//! Text of a dotenv file, for whoever reads it.
//!
//! Where the spec does not say who that is, four readers have to agree: the npm package `dotenv`, node's
//! `--env-file`, a POSIX shell's `. ./file`, and envc's own, for which it may be a file of secrets.
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
//! What is read by one alone has these forms first, where they are right for it, and then its own:
//!
//! | reader | besides |
//! |---|---|
//! | `node`, `dotenv` | `` `…` ``; without quotes, where no line break and no `#` is in it; `"…"`, in which both take `\n`, and `dotenv` `\r` |
//! | `dotenv-expand`, `vite`, `wrangler` | the same, with `\$` for each `$`: no quotes keep them from expanding |
//! | a shell | `'…'`, and `'\''` for each `'` |
//! | `docker` | the rest of the line, as it stands |
//!
//! A value in quotes that ends in `\` is followed by a comment with that quote in it:
//! `dotenv` takes `\'` for no end, looks for a later one, and must not find one that fits.
//!
//! Sources: `dotenv` 16.3 to 17, `lib/main.js`; `dotenv-expand` 12 and 13, `lib/main.js`; node 20 to 24,
//! `src/node_dotenv.cc`; Vite 5 to 8, `env.ts`, which parses with `dotenv` or with node and expands then;
//! Docker's `kvfile`. `tests/tests/conformance/dotenv.rs` reads them back with the real ones.
//!
//! Pure. Way in: [`dotenv_text`]; [`expanded`] tells what readers that expand would not take alike.

use std::fmt::Write as _;

use envc_core::folder_and_name;
use envc_spec::DotenvReader;

/// The first line of every dotenv file. No reader takes it for a variable.
const HEADER: &str =
    "# Written by envc; an edited copy is kept, and replaced only by envc apply --force\n";

/// Follow a value that ends in a backslash, by the quote around it; see the top of this file.
const GUARDS: [(&str, &str); 2] = [
    ("\\'", "# ' ends the search of a reader that skips the quote before this line\n"),
    ("\\`", "# ` ends the search of a reader that skips the quote before this line\n"),
];
/// Bytes of a line that Docker reads.
const DOCKER_LINE_MAX: usize = 64 * 1024;

/// A variable that the readers would not read alike.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` cannot be written to a dotenv file: {reason}")]
pub struct Unquotable {
    /// The variable. Its value is not told: it may be a secret.
    pub name: String,
    /// Why not.
    pub reason: &'static str,
    /// Readers that could be given it, by their words, where the file is said to be for none.
    pub readable_by: Vec<&'static str>,
}

/// The text of a dotenv file with these variables, in this order; or every variable that cannot
/// be written. Without a reader it is for all that are named above.
pub fn dotenv_text(
    vars: &[(String, String)],
    reader: Option<DotenvReader>,
) -> Result<String, Vec<Unquotable>> {
    let mut text = HEADER.to_owned();
    let mut problems = Vec::new();
    for (name, value) in vars {
        let line = if is_name(name) {
            written(value, reader)
        } else {
            Err("its name is not letters, digits and _, beginning with a letter or _")
        };
        match line {
            Ok(line) => {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{name}={line}");
                let guard = GUARDS.iter().find(|(end, _)| line.ends_with(end));
                text.push_str(guard.map_or("", |(_, guard)| guard));
            }
            Err(reason) => {
                let able = |it: &&DotenvReader| written(value, Some(**it)).is_ok();
                let others = reader.is_none() && is_name(name);
                let able = DotenvReader::ALL.iter().filter(|_| others).filter(able);
                let readable_by = able.map(|it| it.word()).collect();
                problems.push(Unquotable { name: name.clone(), reason, readable_by });
            }
        }
    }
    if problems.is_empty() { Ok(text) } else { Err(problems) }
}

/// Who reads a file of this path: wrangler expands nothing in its own.
pub(crate) fn read_by(path: &str, reader: DotenvReader) -> DotenvReader {
    let (_, name) = folder_and_name(path);
    match reader {
        DotenvReader::Wrangler if name.starts_with(".dev.vars") => DotenvReader::Dotenv,
        other => other,
    }
}

/// The variables whose `$` begins another one's name to a reader that expands: it would give another
/// value than all that do not.
pub(crate) fn expanded(vars: &[(String, String)]) -> Vec<String> {
    let begins = |next: char| next.is_ascii_alphanumeric() || matches!(next, '_' | '{');
    let is_one = |value: &str| {
        value.match_indices('$').any(|(at, _)| {
            let (before, behind) = (value.get(..at), value.get(at + 1..));
            before.is_some_and(|it| it.ends_with('\\'))
                || behind.is_some_and(|it| it.starts_with(begins))
        })
    };
    vars.iter().filter(|(_, value)| is_one(value)).map(|(name, _)| name.clone()).collect()
}

/// True for what a shell takes as a variable's name.
fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}

/// The value in a form that its readers give back unchanged.
fn written(value: &str, reader: Option<DotenvReader>) -> Result<String, &'static str> {
    if value.contains('\0') {
        return Err("its value holds a NUL byte, which no environment can hold");
    }
    match reader {
        None => quoted(value),
        Some(DotenvReader::Shell) => {
            Ok(quoted(value).unwrap_or_else(|_| format!("'{}'", value.replace('\'', "'\\''"))))
        }
        Some(DotenvReader::Docker) => docker(value),
        Some(DotenvReader::Node) => quoted(value).or_else(|_| of_npm(value, true)),
        Some(DotenvReader::Dotenv) => quoted(value).or_else(|_| of_npm(value, false)),
        Some(DotenvReader::DotenvExpand | DotenvReader::Wrangler) => {
            let value = value.replace('$', "\\$");
            quoted(&value).or_else(|_| of_npm(&value, false))
        }
        Some(DotenvReader::Vite) => {
            let value = value.replace('$', "\\$");
            quoted(&value).or_else(|_| of_npm(&value, true))
        }
    }
}

/// The value in a form that `dotenv` gives back unchanged, and node as well where it may be the reader.
fn of_npm(value: &str, by_node: bool) -> Result<String, &'static str> {
    let has_return = value.contains('\r');
    if has_return && by_node {
        return Err("its value holds a carriage return, which node drops");
    }
    if !has_return {
        if let Some(quote) = ['\'', '`'].into_iter().find(|quote| !value.contains(*quote)) {
            return Ok(format!("{quote}{value}{quote}"));
        }
        if stands_alone(value) {
            return Ok(value.to_owned());
        }
    }
    if value.contains('"') {
        return Err(if has_return {
            "its value holds a carriage return together with \", and there is no way to quote both"
        } else {
            "its value holds ', \" and ` together with a # or a line break, or with a blank or a quote at \
             an end, and there is no way to quote all of it"
        });
    }
    if ["\\n", "\\r"].iter().any(|taken| value.contains(taken)) || value.ends_with('\\') {
        return Err(if has_return {
            "its value holds a carriage return together with a \\ that would be taken for an escape"
        } else {
            "its value holds ' and ` together with a \\ that would be taken for an escape"
        });
    }
    Ok(format!("\"{}\"", value.replace('\r', "\\r")))
}

/// True for a value that node and `dotenv` read without quotes.
fn stands_alone(value: &str) -> bool {
    let is_plain = |char: char| (char.is_ascii_graphic() || char == ' ') && char != '#';
    !value.is_empty()
        && value.chars().all(is_plain)
        && !value.starts_with([' ', '"', '\'', '`'])
        && !value.ends_with(' ')
}

/// The value as the rest of a line, which Docker takes as it stands.
fn docker(value: &str) -> Result<String, &'static str> {
    if value.contains(['\n', '\r']) {
        return Err("its value holds a line break, and Docker reads a line for each variable");
    }
    // With room for the name.
    if value.len() > DOCKER_LINE_MAX / 2 {
        return Err("its value is longer than what Docker reads of a line");
    }
    Ok(value.to_owned())
}

/// The value in the first form that all readers give back unchanged.
fn quoted(value: &str) -> Result<String, &'static str> {
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
            assert!(written(value, None).is_err(), "{value:?}");
        }
        let vars = [("A-B".to_owned(), String::new()), ("X".to_owned(), "sec\rret".to_owned())];
        let problems = dotenv_text(&vars, None).unwrap_err();
        assert_eq!(problems.iter().map(|problem| &problem.name).collect::<Vec<_>>(), ["A-B", "X"]);
        assert!(!problems[1].to_string().contains("sec"), "values are not told");
    }

    /// Without the comment npm dotenv reads `DIR` as `C:\'`, a line break and `B=`, and no `B`.
    #[test]
    fn a_backslash_at_the_end_is_guarded() {
        let vars = [("DIR".to_owned(), "C:\\".to_owned()), ("B".to_owned(), "#y".to_owned())];
        let text = dotenv_text(&vars, None).unwrap();
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(lines, ["DIR='C:\\'", GUARDS[0].1.trim_end(), "B='#y'"]);
    }

    /// Each of these is read back by the real readers in `tests/tests/conformance/dotenv.rs`.
    #[test]
    fn a_value_that_readers_share_no_form_for_takes_the_one_of_its_reader() {
        use DotenvReader::{Docker, Dotenv, DotenvExpand, Node, Shell, Vite, Wrangler};
        let form = |value: &str, reader| written(value, Some(reader));
        for (value, reader, wanted) in [
            ("it's \"$5\"", Node, "`it's \"$5\"`"),
            ("it's \"$5\"", Vite, "`it's \"\\$5\"`"),
            ("a$b", Dotenv, "'a$b'"),
            ("a$b", DotenvExpand, "'a\\$b'"),
            ("a\\$b", Wrangler, "'a\\\\$b'"),
            ("a'\"`b", Dotenv, "a'\"`b"),
            ("a\r\nb", Dotenv, "\"a\\r\nb\""),
            ("a'`\nb", Node, "\"a'`\nb\""),
            ("a'\"`\n$#", Shell, "'a'\\''\"`\n$#'"),
            (" a'\"`$# ", Docker, " a'\"`$# "),
            ("plain", Docker, "plain"),
            ("plain", Vite, "plain"),
        ] {
            assert_eq!(form(value, reader).as_deref(), Ok(wanted), "{value:?} {reader:?}");
        }
        for (value, reader) in [
            ("a\rb", Node),
            ("a\rb", Vite),
            ("a\rb\"", Dotenv),
            ("a\r\\n", Dotenv),
            ("'\"`", Node),
            ("a'\"`#", Dotenv),
            ("a'\"`\n", Vite),
            ("a'`\n\\n", Dotenv),
            ("a\nb", Docker),
            ("a\0", Shell),
        ] {
            assert!(form(value, reader).is_err(), "{value:?} {reader:?}");
        }
        // A backslash before the end is guarded, whatever the quotes.
        let vars = [("DIR".to_owned(), "it's \"C:\\".to_owned())];
        let text = dotenv_text(&vars, Some(Node)).unwrap();
        assert!(text.ends_with(&format!("\nDIR=`it's \"C:\\`\n{}", GUARDS[1].1)), "{text}");
    }

    #[test]
    fn a_refusal_names_the_readers_that_could_be_given_the_value() {
        let able = |value: &str| {
            let vars = [("P".to_owned(), value.to_owned())];
            let problems = dotenv_text(&vars, None).unwrap_err();
            problems[0].readable_by.clone()
        };
        assert_eq!(able("a'$b\""), DotenvReader::WORDS);
        assert_eq!(able("a'\"`\n"), ["shell"]);
        assert_eq!(able("a\rb"), ["dotenv", "dotenv-expand", "wrangler", "shell"]);
        assert!(able("a\0").is_empty());
        assert_eq!(read_by("apps/web/.dev.vars.x", DotenvReader::Wrangler), DotenvReader::Dotenv);
        assert_eq!(read_by("apps/web/.env", DotenvReader::Wrangler), DotenvReader::Wrangler);
    }

    #[test]
    fn what_readers_that_expand_would_not_take_alike_is_known() {
        let is_one = |value: &str| !expanded(&[("P".to_owned(), value.to_owned())]).is_empty();
        for value in ["a$b", "$HOME", "${A}", "a$1", "$_", "a\\$ b", "$5 and $A"] {
            assert!(is_one(value), "{value}");
        }
        for value in ["", "a", "5 $", "a$ b", "$(id)", "$$", "a$-b"] {
            assert!(!is_one(value), "{value}");
        }
    }
}
