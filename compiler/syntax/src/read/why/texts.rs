//! Mistakes in texts: quotes, escapes, several lines.

use envc_core::{Diagnostic, Span};

use super::{at, is_short, point, quote, shown};
use crate::codes;

/// Most changes that mend one mistake, and the longest text that is mended.
const EDITS_MAX: usize = 100;
const BYTES_MAX: usize = 10_000;

/// `close` is what its end lacks.
pub(in crate::read) fn unclosed_text(text: &str, span: Span, close: &str) -> Diagnostic {
    let help = if is_short(at(text, span)) {
        format!("write `{}{close}`; several lines stand between \"\"\" and \"\"\"", at(text, span))
    } else {
        format!("add a `{close}` where it ends; several lines stand between \"\"\" and \"\"\"")
    };
    let message = if close.starts_with('"') {
        "this text has no closing quote".to_owned()
    } else {
        format!("this raw text is not closed: `{close}` is missing behind its quote")
    };
    Diagnostic::error(codes::UNCLOSED_TEXT, span, message)
        .at("opened here")
        .help(help)
        .fix(point(span.end), close)
}

/// A text that goes on in the next line.
pub(in crate::read) fn broken_text(span: Span, newline: Span) -> Diagnostic {
    let message = "a text between \" and \" ends with its line, and this one goes on in the next";
    Diagnostic::error(codes::LINES, span, message)
        .help("write `\\n` for the new line, or put the text between lines of \"\"\" and \"\"\"")
        .fix(newline, "\\n")
}

pub(in crate::read) fn bad_escape(
    text: &str,
    inner: &str,
    from: usize,
    wrong: &[Span],
) -> Diagnostic {
    let first = wrong.first().copied().unwrap_or_default();
    let escape = at(text, first);
    let message = if escape.starts_with("\\u") {
        format!("`{}` is no character: one is written as `\\u{{1f600}}`", shown(escape))
    } else {
        format!("a text cannot say `{}`: `\\` begins an escape", shown(escape))
    };
    let mut mistake = Diagnostic::error(codes::BAD_ESCAPE, first, message);
    for other in wrong.iter().skip(1).take(4) {
        mistake = mistake.label(*other, "and here");
    }
    let is_path = {
        let mut chars = inner.chars();
        chars.next().is_some_and(|c| c.is_ascii_alphabetic()) && chars.next() == Some(':')
    };
    if wrong.len() > EDITS_MAX || inner.len() > BYTES_MAX {
        return mistake.help("write `\\\\` for each `\\`");
    }
    if is_path {
        for (index, _) in inner.match_indices('\\') {
            mistake = mistake.fix(Span::new(from + index, from + index + 1), "\\\\");
        }
        let raw = format!("#\"{}\"#", shown(inner));
        return mistake.help(format!(
            "write each `\\` twice, or the text raw: {raw}; paths of a spec have `/` everywhere"
        ));
    }
    for span in wrong {
        let (place, edit) = mended(at(text, *span), *span);
        mistake = mistake.fix(place, edit);
    }
    let escapes = "the escapes are \\n \\r \\t \\s \\b \\f \\\\ \\\" and \\u{…}";
    let (place, edit) = mended(escape, first);
    if place == first {
        return mistake.help(format!("write `{edit}`; {escapes}"));
    }
    let raw = format!("#\"{inner}\"#");
    let raw = if is_short(&raw) && !inner.contains('"') { raw } else { "#\"…\"#".into() };
    mistake.help(format!("write `\\\\` for a `\\`, or the text raw: {raw}; {escapes}"))
}

/// What was meant by an escape of another language; else the backslash itself.
fn mended(escape: &str, span: Span) -> (Span, String) {
    let digits = escape.get(2..).unwrap_or_default();
    match escape.get(..2).unwrap_or_default() {
        "\\/" => (span, "/".into()),
        "\\'" => (span, "'".into()),
        "\\0" => (span, "\\u{0}".into()),
        "\\u"
            if digits.len() == 4
                && u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).is_some() =>
        {
            (span, format!("\\u{{{digits}}}"))
        }
        _ => (point(span.start), "\\".into()),
    }
}

/// `"""text"""` on one line.
pub(in crate::read) fn lines_on_one_line(text: &str, whole: Span, inner: Span) -> Diagnostic {
    let hashes = at(text, whole).bytes().take_while(|byte| *byte == b'#').count();
    let marks = "#".repeat(hashes);
    let inner = at(text, inner);
    let is_plain = !inner.contains('"') || hashes > 0;
    let one = if is_plain { format!("{marks}\"{inner}\"{marks}") } else { quote(inner) };
    let message = "\"\"\" begins a text of several lines, and this one has a single line";
    Diagnostic::error(codes::LINES, whole, message)
        .help(format!("write {}", shown(&one)))
        .fix(whole, one)
}

/// `"""` with text behind it.
pub(in crate::read) fn lines_begin(text: &str, open: Span, close: usize) -> Diagnostic {
    let before = text.get(..close).unwrap_or_default();
    let line = before.rfind('\n').map_or(0, |end| end + 1);
    let indent = before.get(line..).filter(|text| text.trim().is_empty()).unwrap_or_default();
    Diagnostic::error(codes::LINES, open, "the first line of the text stands behind its \"\"\"")
        .help("begin a new line behind \"\"\", indented as the line of the closing \"\"\"")
        .fix(point(open.end), format!("\n{indent}"))
}

pub(in crate::read) fn unclosed_lines(span: Span, hashes: usize) -> Diagnostic {
    let close = format!("\"\"\"{}", "#".repeat(hashes));
    Diagnostic::error(codes::UNCLOSED_TEXT, span, "this text of several lines is never closed")
        .at("opened here")
        .help(format!("add a line with nothing but {close} where it ends"))
}

/// The closing quotes have text before them.
pub(in crate::read) fn lines_end(text: &str, close: Span) -> Diagnostic {
    let before = text.get(..close.start).unwrap_or_default();
    let line = before.rfind('\n').map_or(0, |end| end + 1);
    let last = before.get(line..).unwrap_or_default();
    let indent = last.get(..last.len() - last.trim_start().len()).unwrap_or_default();
    Diagnostic::error(codes::LINES, close, "the closing quotes do not stand on a line of their own")
        .help(format!(
            "begin a new line before {}; its indentation is taken off every line of the text",
            at(text, close)
        ))
        .fix(point(close.start), format!("\n{indent}"))
}

/// Lines with less indentation than the closing quotes.
pub(in crate::read) fn lines_indent(
    text: &str,
    wrong: &[usize],
    prefix: &str,
    close: Span,
) -> Diagnostic {
    let blank = |start: usize| {
        let rest = text.get(start..).unwrap_or_default();
        Span::new(start, start + rest.len() - rest.trim_start_matches([' ', '\t']).len())
    };
    let first = wrong.first().copied().unwrap_or_default();
    let rest = text.get(first..).unwrap_or_default();
    let end = first + rest.find(['\n', '\r']).unwrap_or(rest.len());
    let message = "this line is not indented as the closing quotes are";
    let mut mistake = Diagnostic::error(codes::LINES, Span::new(first, end), message)
        .label(close, "every line begins with the blanks before these")
        .help("indent the line as the closing quotes, or move those to the left");
    for start in wrong.iter().filter(|_| wrong.len() <= EDITS_MAX) {
        mistake = mistake.fix(blank(*start), prefix);
    }
    mistake
}

/// `'text'`, `“text”`: with `inner` between the marks.
pub(in crate::read) fn other_marks(text: &str, whole: Span, inner: Span) -> Diagnostic {
    let right = quote(at(text, inner));
    let mark = at(text, Span::new(whole.start, inner.start));
    let message = format!("text stands between \" and \", not behind {mark}");
    Diagnostic::error(codes::QUOTES, whole, message)
        .help(format!("write {}", shown(&right)))
        .fix(whole, right)
}

pub(in crate::read) fn old_raw(text: &str, whole: Span, inner: Span) -> Diagnostic {
    let inner = at(text, inner);
    let marks = at(text, whole).bytes().skip(1).take_while(|byte| *byte == b'#').count().max(1);
    let marks = "#".repeat(marks);
    let right = format!("{marks}\"{inner}\"{marks}");
    Diagnostic::error(codes::OLD_RAW_STRING, whole, "KDL 2 writes a raw text without the `r`")
        .help(format!("write {}", shown(&right)))
        .fix(whole, right)
}
