//! How the real D1 cuts a text of `/query` into statements: not with SQLite's parser.
//!
//! Facts, from reports (workers-sdk#10998, #14991 and others): the bodies of triggers are cut, and the
//! answer is 400 with 7500, `incomplete input: SQLITE_ERROR`. Seen with `begin` and `end` in small
//! letters, with CRLF in the body, with `CASE … END` in it, and once in a text of 41 KB with 76
//! statements. What is refused has left nothing behind. `/import` never refused such a text.
//!
//! No complete rule is published. Here: a text is cut at each semicolon outside of quotes and comments,
//! but between `BEGIN` and `END` in capitals that stand at the ends of words; a trigger with CRLF in it
//! is cut; and a text that is long in both ways is not taken.

use serde_json::Value;

use crate::envelope::Problem;
use crate::request::text;

/// A text of more bytes than this, with more statements than the next number, is cut somewhere.
const BYTES_MAX: usize = 40_000;
const STATEMENTS_MAX: usize = 70;

/// Refuses the texts of a request that are cut where they may not be.
pub(super) fn refuse(body: &[u8]) -> Result<(), Problem> {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return Ok(()) };
    let batch = body.get("batch").and_then(Value::as_array);
    let mut texts = batch.into_iter().flatten().chain([&body]).filter_map(|it| text(it, "sql"));
    if texts.all(is_taken) {
        return Ok(());
    }
    Err(Problem::new(400, 7500, "incomplete input: SQLITE_ERROR"))
}

fn is_taken(sql: &str) -> bool {
    let pieces = pieces(sql);
    if sql.len() > BYTES_MAX && pieces.len() > STATEMENTS_MAX {
        return false;
    }
    pieces.iter().all(|piece| !is_cut_trigger(piece))
}

/// Says whether a piece begins a trigger, and does not end it.
fn is_cut_trigger(piece: &str) -> bool {
    let bare = words(piece).filter(|word| !word.text.is_empty());
    let words: Vec<String> = bare.map(|word| word.text.to_ascii_uppercase()).collect();
    let mut head =
        words.iter().map(String::as_str).filter(|word| !matches!(*word, "TEMP" | "TEMPORARY"));
    if (head.next(), head.next()) != (Some("CREATE"), Some("TRIGGER")) {
        return false;
    }
    let depth: i32 = words
        .iter()
        .map(|word| match word.as_str() {
            "BEGIN" | "CASE" => 1,
            "END" => -1,
            _ => 0,
        })
        .sum();
    depth != 0 || words.last().is_none_or(|last| last != "END") || piece.contains("\r\n")
}

/// The statements of a text, as the splitter sees them.
fn pieces(sql: &str) -> Vec<&str> {
    let (mut out, mut from, mut inside) = (Vec::new(), 0, false);
    for word in words(sql) {
        match word.text {
            "BEGIN" => inside = true,
            // The end of a `CASE` is taken for that of the body.
            "END" => inside = false,
            "" if !inside => {
                out.extend(sql.get(from..word.at).filter(|it| !it.trim().is_empty()));
                from = word.at + 1;
            }
            _ => {}
        }
    }
    out.extend(sql.get(from..).filter(|it| words(it).next().is_some()));
    out
}

/// A word, or a semicolon, which is the empty word.
#[derive(Debug)]
struct Word<'t> {
    at: usize,
    text: &'t str,
}

/// The words and semicolons of a text outside of quotes and comments.
fn words(sql: &str) -> impl Iterator<Item = Word<'_>> {
    let mut rest = sql;
    std::iter::from_fn(move || {
        loop {
            let at = sql.len() - rest.len();
            let first = rest.chars().next()?;
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            let length = match first {
                '\'' | '"' | '`' => quoted(rest, first),
                '[' => rest.find(']').map_or(rest.len(), |end| end + 1),
                '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
                '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
                c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
                c => c.len_utf8(),
            };
            let (taken, after) = rest.split_at_checked(length)?;
            rest = after;
            if is_word(first) {
                return Some(Word { at, text: taken });
            }
            if first == ';' {
                return Some(Word { at, text: "" });
            }
        }
    })
}

/// The length of what is quoted at the beginning; a doubled quote is two of them.
fn quoted(text: &str, quote: char) -> usize {
    text.char_indices().skip(1).find(|(_, c)| *c == quote).map_or(text.len(), |(end, _)| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triggers_are_cut_where_reports_say() {
        let trigger = |body: &str| {
            format!("CREATE TABLE a (x);\nCREATE TRIGGER t AFTER INSERT ON a {body};\nSELECT 1;")
        };
        for taken in [
            trigger("BEGIN UPDATE a SET x = 1; DELETE FROM a; END"),
            trigger("BEGIN\n  UPDATE a SET x = ';'; -- end; of it\n  DELETE FROM a;\nEND"),
            "CREATE TABLE \"begin;\" (x); INSERT INTO [a;b] VALUES ('it''s; fine');".to_owned(),
            "-- CREATE TRIGGER t begin x; end\nSELECT 1".to_owned(),
            "SELECT CASE WHEN 1 THEN 2 END; SELECT 3".to_owned(),
        ] {
            assert!(is_taken(&taken), "{taken}");
        }
        for cut in [
            trigger("begin UPDATE a SET x = 1; DELETE FROM a; end"),
            trigger("BEGIN UPDATE a SET x = 1; DELETE FROM a; end"),
            trigger("BEGIN\r\n UPDATE a SET x = 1;\r\nEND"),
            trigger("BEGIN UPDATE a SET x = CASE WHEN 1 THEN 2 END; DELETE FROM a; END"),
            "create temp trigger t after insert on a begin select 1; end;".to_owned(),
            "INSERT INTO a VALUES ('xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx');"
                .repeat(700),
        ] {
            assert!(!is_taken(&cut), "{cut:.200}");
        }
    }

    #[test]
    fn odd_texts_come_to_an_end() {
        for odd in ["", ";", ";;", "'", "/*", "--", "[", "é;ü", "\"a", "BEGIN", "END;"] {
            let _pieces = pieces(odd);
            assert!(refuse(odd.as_bytes()).is_ok(), "{odd}");
        }
    }
}
