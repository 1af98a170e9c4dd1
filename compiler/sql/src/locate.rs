//! Where in a file a statement stands that a database refused.
//!
//! The answer names neither file nor statement: it quotes a word, and at times an offset in the statement.
//! So all statements are looked for that the answer can be about; where several can, all of them are told.
//!
//! Source of the words: SQLite's error messages, as D1 hands them on with `: SQLITE_ERROR` behind.

use crate::cut::{Statement, is_word, lines, statements};

/// What an answer says of the statement.
#[derive(Clone, Copy)]
struct Said<'a> {
    /// The word that it quotes.
    word: &'a str,
    /// Where the word stands in the statement, in bytes.
    offset: Option<usize>,
    /// Words one of which the statement begins with.
    begins: &'static [&'static str],
}

/// Before the name of what is not there.
const MISSING: [&str; 7] = [
    "no such table: ",
    "no such column: ",
    "no such function: ",
    "no such index: ",
    "no such trigger: ",
    "no such view: ",
    "ambiguous column name: ",
];
/// Before the column of a constraint that failed.
const FAILED_OF: [&str; 2] = ["UNIQUE constraint failed: ", "NOT NULL constraint failed: "];
/// Of constraints that name no table.
const FAILED: [&str; 3] =
    ["FOREIGN KEY constraint failed", "CHECK constraint failed", "datatype mismatch"];
/// Statements that put rows into tables, or change them.
const WRITES: &[&str] = &["INSERT", "REPLACE", "UPDATE", "WITH", "DELETE", "DROP"];

/// The lines, from 1, of which one holds what a database refused with this answer; none where nobody can
/// tell.
pub fn locate(text: &str, answer: &str) -> Vec<usize> {
    let all = said(answer);
    // Before the first statement other text may have been run, so that its offsets count from elsewhere.
    let anywhere = all.iter().map(|said| Said { offset: None, ..*said });
    let all = all.iter().copied().chain(anywhere);
    let mut places = all.map(|said| places(text, &said));
    places.find(|lines| !lines.is_empty()).unwrap_or_default()
}

fn places(text: &str, said: &Said<'_>) -> Vec<usize> {
    let mut found = Vec::new();
    let mut ended = 0;
    for statement in statements(text) {
        let place = place(text, &statement, ended, said);
        ended = statement.bytes.end;
        found.extend(place.map(|at| {
            let before = text.get(statement.bytes.start..at).unwrap_or_default();
            statement.line + lines(before.as_bytes())
        }));
    }
    found.dedup();
    found
}

/// The word at its offset; without an offset its only place, or else where the statement begins.
fn place(text: &str, statement: &Statement, ended: usize, said: &Said<'_>) -> Option<usize> {
    let own = text.get(statement.bytes.clone())?;
    let first = own.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    if !said.begins.is_empty() && !said.begins.iter().any(|it| first.eq_ignore_ascii_case(it)) {
        return None;
    }
    let begin = statement.bytes.start;
    if said.word.is_empty() {
        return Some(begin);
    }
    if let Some(offset) = said.offset {
        // Counted from behind the statement before, or from the first word.
        let places = [ended + offset, begin + offset];
        return places.into_iter().find(|at| *at >= begin && stands_at(text, *at, said.word));
    }
    let mut places = own.match_indices(said.word).map(|(at, _)| begin + at);
    let mut whole = places.by_ref().filter(|at| stands_at(text, *at, said.word));
    let first = whole.next()?;
    Some(if whole.next().is_some() { begin } else { first })
}

/// True where the word stands there by itself.
fn stands_at(text: &str, at: usize, word: &str) -> bool {
    let is_name = word.bytes().all(is_word);
    let beside = |byte: Option<&u8>| is_name && byte.is_some_and(|byte| is_word(*byte));
    let bytes = text.as_bytes();
    // A name may stand there in quotes.
    let at = match bytes.get(at) {
        Some(b'"' | b'`' | b'[' | b'\'') if !word.starts_with(['"', '`', '[', '\'']) => at + 1,
        _ => at,
    };
    text.get(at..).is_some_and(|rest| rest.starts_with(word))
        && !beside(at.checked_sub(1).and_then(|before| bytes.get(before)))
        && !beside(bytes.get(at + word.len()))
}

/// What the answer may be about, the likeliest first.
fn said(answer: &str) -> Vec<Said<'_>> {
    let offset = answer.rsplit_once(" at offset ").and_then(|(_, rest)| {
        rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok())
    });
    let word_behind = |lead: &str| {
        let (_, rest) = answer.split_once(lead)?;
        rest.split([':', ' ', ',', '(', ')']).find(|word| !word.is_empty())
    };
    if let Some((_, rest)) = answer.split_once("near \"") {
        // What SQLite quotes may be a quote itself.
        let word = rest.split_once("\": ").map(|(word, _)| word);
        return word.map(|word| Said { word, offset, begins: &[] }).into_iter().collect();
    }
    if let Some(name) = MISSING.iter().find_map(|lead| word_behind(lead)) {
        return vec![Said { word: last_part(name), offset, begins: &[] }];
    }
    if let Some((before, _)) = answer.split_once(" already exists") {
        let word = unquoted(before.rsplit(' ').next().unwrap_or_default());
        return vec![Said { word, offset, begins: &["CREATE", "ALTER"] }];
    }
    if let Some(name) = word_behind("duplicate column name: ") {
        let of = |begins| Said { word: unquoted(name), offset: None, begins };
        return vec![of(&["ALTER"]), of(&["CREATE"])];
    }
    if answer.contains("Cannot add a NOT NULL column with default value NULL") {
        return vec![Said { word: "", offset: None, begins: &["ALTER"] }];
    }
    if let Some(name) = FAILED_OF.iter().find_map(|lead| word_behind(lead)) {
        let table = name.split('.').next().unwrap_or(name);
        return vec![Said { word: unquoted(table), offset: None, begins: WRITES }];
    }
    if FAILED.iter().any(|it| answer.contains(it)) {
        return vec![Said { word: "", offset: None, begins: WRITES }];
    }
    Vec::new()
}

/// A column of a table, or an object of a schema: what is behind the last dot.
fn last_part(name: &str) -> &str {
    unquoted(name.rsplit('.').next().unwrap_or(name))
}

fn unquoted(word: &str) -> &str {
    word.trim_matches(['"', '\'', '`', '[', ']'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_told_that_an_answer_can_be_about() {
        let text = "CREATE TABLE a (id INT);\nSELEC 1;\nSELECT * FROM user;\nSELECT * FROM users;\n\
                    INSERT INTO a\n  SELECT id FROM users\n  WHERE users.id = 1;\n";
        for (answer, at) in [
            ("near \"SELEC\": syntax error at offset 0: SQLITE_ERROR", &[2][..]),
            ("near \"SELEC\": syntax error at offset 1", &[2]),
            ("near \"SELECT\": syntax error", &[3, 4, 6]),
            ("table a already exists at offset 99", &[1]),
            // From the first word, and from behind the statement before.
            ("no such table: users at offset 14: SQLITE_ERROR", &[4]),
            ("no such table: users at offset 15", &[4]),
            ("no such table: users at offset 31", &[6]),
            ("no such table: users: SQLITE_ERROR", &[4, 5]),
            ("no such table: main.users: SQLITE_ERROR", &[4, 5]),
            ("table a already exists at offset 13", &[1]),
            ("table `a` already exists", &[1]),
            ("UNIQUE constraint failed: a.id: SQLITE_CONSTRAINT", &[5]),
            ("FOREIGN KEY constraint failed: SQLITE_CONSTRAINT", &[5]),
            ("duplicate column name: id: SQLITE_ERROR", &[1]),
            ("no such column: u.nobody", &[]),
            ("internal error", &[]),
            ("near \"", &[]),
        ] {
            assert_eq!(locate(text, answer), at, "{answer}");
        }
    }

    #[test]
    fn a_name_is_found_in_its_quotes_and_not_inside_of_another_name() {
        let text = "SELECT 1 FROM \"my users\";\nSELECT 1 FROM `users2`;\nSELECT 1 FROM [users];";
        assert_eq!(locate(text, "no such table: users"), [1, 3]);
        assert_eq!(locate(text, "no such table: users at offset 14"), [3]);
        assert_eq!(locate(text, "no such table: my users at offset 14"), [1]);
        let quote = "SELECT 1;\nSELECT ''';";
        assert_eq!(locate(quote, "near \"''';\": syntax error"), [2]);
    }
}
