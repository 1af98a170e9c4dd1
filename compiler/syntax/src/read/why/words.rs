//! Mistakes in words, numbers and annotations, and between them.

use envc_core::{Diagnostic, Span, Spanned};

use super::{at, is_short, point, quote, shown};
use crate::codes;

/// Longest list in brackets that is written anew.
const MARKS_MAX: usize = 100;

/// Characters that nobody sees.
const INVISIBLE: [char; 7] =
    ['\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{ad}', '\u{180e}', '\u{fe0f}'];

pub(in crate::read) fn bare_keyword(word: &str, span: Span, is_name: bool) -> Diagnostic {
    if is_name {
        return Diagnostic::error(
            codes::BARE_KEYWORD,
            span,
            format!("`{word}` cannot be the name of a property without quotes"),
        )
        .help(format!("write \"{word}\""))
        .fix(span, format!("\"{word}\""));
    }
    Diagnostic::error(codes::BARE_KEYWORD, span, format!("`{word}` needs a number sign in KDL 2"))
        .help(format!("write `#{word}` for the value, or \"{word}\" in quotes for the text"))
        .fix(point(span.start), "#")
}

pub(in crate::read) fn unknown_keyword(text: &str, span: Span) -> Diagnostic {
    let word = at(text, span);
    let lower = word.to_ascii_lowercase();
    let meant = match lower.as_str() {
        "#true" | "#yes" | "#on" => Some("#true"),
        "#false" | "#no" | "#off" => Some("#false"),
        "#null" | "#nil" | "#none" => Some("#null"),
        _ => None,
    };
    let message = format!("`{}` is no keyword", shown(word));
    let mistake = Diagnostic::error(codes::UNKNOWN_KEYWORD, span, message);
    match meant {
        Some(meant) => mistake.help(format!("did you mean `{meant}`?")).fix(span, meant),
        None => mistake.help(
            "the keywords are #true, #false and #null; a comment begins with `//`, and text that \
             begins with `#` stands in quotes",
        ),
    }
}

/// Text without quotes that cannot do without.
pub(in crate::read) fn unquoted(text: &str, span: Span) -> Diagnostic {
    let word = at(text, span);
    let right = if word.contains('"') {
        let inner = word.replace('"', "");
        quote(&inner)
    } else {
        quote(word)
    };
    let why = match word.chars().next() {
        Some(c) if c.is_ascii_digit() || "+-.".contains(c) => "it begins as a number and is none",
        _ => match word.chars().find(|c| "\\/(){}[];#=".contains(*c)) {
            Some('{') => "`{` begins a block without them",
            Some('/') => "`/` may not stand in a word without them",
            Some('\\') => "`\\` may not stand in a word without them",
            _ => "it holds characters that mean something else without them",
        },
    };
    let message = format!("`{}` needs quotes: {why}", shown(word));
    let mistake = Diagnostic::error(codes::UNQUOTED, span, message);
    if is_short(&right) {
        mistake.help(format!("write {right}")).fix(span, right)
    } else {
        mistake.help("write it between \" and \"").fix(span, right)
    }
}

pub(in crate::read) fn too_large(text: &str, span: Span) -> Diagnostic {
    let word = at(text, span);
    let mistake =
        Diagnostic::error(codes::NUMBER, span, "this number has more digits than can be read")
            .help("write a smaller number, or put it in quotes where it is text");
    if is_short(word) { mistake.fix(span, quote(word)) } else { mistake }
}

pub(in crate::read) fn comma(text: &str, place: usize) -> Diagnostic {
    let next = text.as_bytes().get(place + 1);
    let has_gap = next.is_none_or(|byte| byte.is_ascii_whitespace() || *byte == b'}');
    Diagnostic::error(
        codes::COMMA,
        Span::new(place, place + 1),
        "values are separated by blanks, without commas",
    )
    .help("remove the comma")
    .fix(Span::new(place, place + 1), if has_gap { "" } else { " " })
}

pub(in crate::read) fn missing_space(text: &str, run: Span, place: usize) -> Diagnostic {
    let rest = at(text, Span::new(place, run.end));
    let first = rest.chars().next().unwrap_or(' ');
    let one = Span::new(place, place + first.len_utf8());
    if INVISIBLE.contains(&first) {
        let message =
            format!("an invisible character, U+{:04X}, stands behind a value", u32::from(first));
        return Diagnostic::error(codes::FORBIDDEN_CHARACTER, one, message)
            .help("remove it")
            .fix(one, "");
    }
    let before = at(text, Span::new(run.start, place));
    let mistake = |message: &str| Diagnostic::error(codes::MISSING_SPACE, run, message);
    if before.ends_with('"') && rest.ends_with('"') && !rest.starts_with('"') && rest.len() > 1 {
        return mistake("quotes inside of a text are written `\\\"`")
            .at("the text ends in the midst of this")
            .help("write `\\\"` for a quote, or put a blank between two values");
    }
    if rest == "\"" {
        return mistake("this quote closes nothing")
            .help(format!("write {}", shown(&quote(before))))
            .fix(run, quote(before));
    }
    mistake("a blank is missing between two values")
        .label(one, "the second one begins here")
        .help(format!("write `{} {}`", shown(before), shown(rest)))
        .fix(point(place), " ")
}

/// `["a", "b"]`
pub(in crate::read) fn brackets(text: &str, span: Span, marks: &[usize]) -> Diagnostic {
    let whole = at(text, span);
    let mut mistake = Diagnostic::error(
        codes::BRACKETS,
        span,
        "a list has no brackets in KDL: its values follow one another",
    );
    if !whole.ends_with(']') || whole.contains(['\n', '\r']) || marks.len() > MARKS_MAX {
        return mistake.help(
            "write the values one after another, on the line of their node: `node \"a\" \"b\"`",
        );
    }
    let line = text.get(..span.start).and_then(|before| before.rsplit(['\n', '\r']).next());
    if line.is_some_and(|line| line.trim().is_empty()) {
        return Diagnostic::error(codes::BRACKETS, span, "a node's name has no brackets").help(
            "a spec has no tables: what belongs to a node stands in its block, `name { … }`",
        );
    }
    let mut right = String::new();
    for (index, c) in whole.char_indices() {
        if marks.contains(&(span.start + index)) {
            right.push(' ');
        } else {
            right.push(c);
        }
    }
    let words: Vec<&str> = right.split_whitespace().collect();
    let glued = span
        .start
        .checked_sub(1)
        .and_then(|before| text.as_bytes().get(before))
        .is_some_and(|byte| !byte.is_ascii_whitespace());
    let right = words.join(" ");
    if glued || words.is_empty() {
        return mistake.help("write the values one after another: `node \"a\" \"b\"`");
    }
    mistake = mistake.help(format!("write {}", shown(&right)));
    mistake.fix(span, right)
}

/// `name(…)`
pub(in crate::read) fn call(text: &str, span: Span, open: usize) -> Diagnostic {
    let inner = at(text, Span::new(open + 1, span.end));
    let message = "parentheses stand around an annotation only: `(secret)\"NAME\"`";
    let mistake = Diagnostic::error(codes::PARENTHESES, span, message);
    let name = at(text, Span::new(span.start, open));
    let (word, after) = inner.split_once(')').unwrap_or((inner, ""));
    if after.is_empty() && matches!(name, "secret" | "env") {
        let word = word.trim_matches(['"', '\'', ' ']);
        let right = format!("({name}){}", quote(word));
        return mistake.help(format!("write {}", shown(&right))).fix(span, right);
    }
    if !after.is_empty() {
        return mistake.help("put a blank before the annotation").fix(point(open), " ");
    }
    mistake.help("write the values one after another, without parentheses")
}

pub(in crate::read) fn stray(text: &str, span: Span) -> Diagnostic {
    let c = at(text, span);
    match c {
        "=" => Diagnostic::error(codes::EQUALS_SIGN, span, "no name stands before this `=`")
            .help("a property is written `name=\"value\"`; a node needs no `=`"),
        "(" | ")" => {
            Diagnostic::error(codes::PARENTHESES, span, "this parenthesis belongs to no annotation")
                .help("remove it; an annotation is written `(secret)\"NAME\"`")
                .fix(span, "")
        }
        _ => Diagnostic::error(codes::UNQUOTED, span, format!("no word begins with `{c}`"))
            .help("quote text that has blanks or any of \\ / ( ) { } [ ] ; \" # ="),
    }
}

pub(in crate::read) fn double_equals(span: Span) -> Diagnostic {
    Diagnostic::error(codes::EQUALS_SIGN, span, "one `=` stands between a name and its value")
        .at("the second one")
        .help("remove it")
        .fix(span, "")
}

pub(in crate::read) fn forbidden(text: &str, span: Span) -> Diagnostic {
    let first = at(text, span).chars().next().unwrap_or_default();
    let code = u32::from(first);
    let what = match first {
        '\u{feff}' => "a byte order mark, U+FEFF, stands in the midst of the file".into(),
        '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            format!("a hidden character, U+{code:04X}, changes the direction of the text")
        }
        _ => format!("a control character, U+{code:04X}, stands in the file"),
    };
    let help = match first {
        '\u{1b}' | '\u{7}' | '\0' => {
            format!("remove it; in a text it is written `\\u{{{code:x}}}`")
        }
        _ => "remove it".into(),
    };
    Diagnostic::error(codes::FORBIDDEN_CHARACTER, span, what).help(help).fix(span, "")
}

pub(in crate::read) fn annotates_nothing(text: &str, tag: &Spanned<String>) -> Diagnostic {
    let word = shown(at(text, tag.span));
    let message = format!("no value follows the annotation `({word})`");
    Diagnostic::error(codes::MISSING_VALUE, tag.span, message)
        .help(format!("write the value behind it: `({word})\"NAME\"`"))
}

pub(in crate::read) fn empty_annotation(span: Span) -> Diagnostic {
    Diagnostic::error(codes::ANNOTATION, span, "this annotation is empty")
        .help("remove it, or write `(secret)` or `(env)`")
        .fix(span, "")
}

pub(in crate::read) fn open_annotation(span: Span) -> Diagnostic {
    Diagnostic::error(codes::ANNOTATION, span, "this annotation is never closed")
        .help("write `(secret)` or `(env)`, and the value behind it")
        .fix(point(span.end), ")")
}

pub(in crate::read) fn annotation_is_no_text(text: &str, span: Span) -> Diagnostic {
    let message = format!("an annotation is a word, and `{}` is none", shown(at(text, span)));
    Diagnostic::error(codes::ANNOTATION, span, message).help("write `(secret)` or `(env)`")
}

/// `(secret)name="X"`
pub(in crate::read) fn annotated_name(text: &str, name: Span, value: Span) -> Diagnostic {
    const MESSAGE: &str = "an annotation stands before the value, not before the name";
    let whole = at(text, name).trim_end();
    // One that is not closed ends where the name does.
    let Some((tag, word)) = whole.split_once(')') else {
        return Diagnostic::error(codes::ANNOTATION, name, MESSAGE)
            .help("write `name=(secret)\"NAME\"`");
    };
    let tag = format!("{tag})");
    let span = Span::new(name.start, name.start + tag.len());
    let mistake = Diagnostic::error(codes::ANNOTATION, span, MESSAGE);
    let written = at(text, value);
    if written.is_empty() {
        return mistake.help(format!("write `{}={tag}\"NAME\"`", shown(word)));
    }
    mistake
        .help(format!("write `{}={tag}{}`", shown(word), shown(written)))
        .fix(Span::new(name.start, name.start + tag.len()), "")
        .fix(point(value.start), tag)
}
