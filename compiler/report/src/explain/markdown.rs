//! The few forms of Markdown that the pages use, as a terminal shows them: a bold heading,
//! paragraphs, lists, tables, and code to the right of the text.

use std::fmt::Write as _;

use crate::render::Style;

/// Columns of a paragraph: more are hard to read.
const COLUMNS: usize = 92;
const INDENT: &str = "    ";

/// A page as text for people.
pub(super) fn page(markdown: &str, style: Style) -> String {
    let mut out = String::new();
    let mut paragraph = String::new();
    let mut table: Vec<Vec<String>> = Vec::new();
    let mut code = false;
    for line in markdown.lines() {
        let text = !code && !line.starts_with("```");
        if !(text && line.starts_with('|')) {
            flush_table(&mut out, &mut table);
        }
        if !text || line.is_empty() || line.starts_with(['#', '|', '-']) {
            flush(&mut out, &mut paragraph);
        }
        if line.starts_with("```") {
            code = !code;
        } else if code {
            let indent = if line.is_empty() { "" } else { INDENT };
            let _written = writeln!(out, "{indent}{line}");
        } else if line.is_empty() {
            out.push('\n');
        } else if line.starts_with('#') {
            let title = line.trim_start_matches('#').trim();
            let _written = writeln!(out, "{}", bold(title, style));
        } else if line.starts_with('|') {
            table.push(cells(line));
        } else {
            paragraph.push_str(if paragraph.is_empty() { "" } else { " " });
            paragraph.push_str(line);
        }
    }
    flush(&mut out, &mut paragraph);
    flush_table(&mut out, &mut table);
    out
}

/// A text in bold, where the output has colours.
pub(super) fn bold(text: &str, style: Style) -> String {
    if style.color {
        let bold = anstyle::Style::new().bold();
        format!("{bold}{text}{bold:#}")
    } else {
        text.to_owned()
    }
}

/// Writes a paragraph in lines of at most [`COLUMNS`]; what stands in backticks is not parted.
fn flush(out: &mut String, paragraph: &mut String) {
    let mut column = 0;
    let mut in_code = false;
    for (position, word) in std::mem::take(paragraph).split(' ').enumerate() {
        let length = word.chars().count();
        if position > 0 {
            let breaks = column + 1 + length > COLUMNS && !in_code;
            out.push(if breaks { '\n' } else { ' ' });
            column = if breaks { 0 } else { column + 1 };
        }
        out.push_str(word);
        column += length;
        in_code ^= !word.matches('`').count().is_multiple_of(2);
    }
    if column > 0 {
        out.push('\n');
    }
}

fn cells(line: &str) -> Vec<String> {
    line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// Writes a table: columns below one another, its heads without the line below them.
fn flush_table(out: &mut String, table: &mut Vec<Vec<String>>) {
    let rows = std::mem::take(table);
    let is_line = |row: &[String]| row.iter().all(|cell| cell.chars().all(|c| c == '-'));
    let width = rows.iter().filter_map(|row| row.first()).map(|cell| cell.chars().count()).max();
    for row in rows.iter().filter(|row| !is_line(row)) {
        let (first, rest) = row.split_first().map_or(("", ""), |(first, rest)| {
            (first.as_str(), rest.first().map_or("", String::as_str))
        });
        let width = width.unwrap_or_default();
        let _written = writeln!(out, "{INDENT}{}", format!("{first:width$}  {rest}").trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_flow_code_stands_to_the_right_and_tables_line_up() {
        let markdown = "# envc::x\n\nOne line\nand the next.\n\n```kdl error=x\nd1 \"a\" {\n\n}\n```\n\n\
                        | a | b |\n|---|---|\n| long | 2 |\n";
        let expect = "envc::x\n\nOne line and the next.\n\n    d1 \"a\" {\n\n    }\n\n    a     b\n    long  2\n";
        assert_eq!(page(markdown, Style::default()), expect);
        let bold = page("# x\n", Style { terminal: true, color: true });
        assert!(bold.starts_with("\u{1b}[1mx"), "{bold:?}");
    }

    #[test]
    fn long_paragraphs_are_broken_but_not_inside_of_code() {
        let text = format!("{} `a b c d e f`", "word ".repeat(17).trim_end());
        let lines = page(&text, Style::default());
        assert!(lines.contains("`a b c d e f`"), "{lines}");
        let text = page(&"word ".repeat(60), Style::default());
        assert!(text.lines().count() > 2 && text.lines().all(|line| line.len() <= COLUMNS));
    }
}
