//! The nodes of one type as plain KDL: what is left once `extends`, overriding and `without` are
//! done. The text loads again, to the same environment. Comments say where each value comes from.

use std::fmt::Write as _;

use envc_core::Span;
use envc_syntax::{Document, Node, Scalar, ScalarValue};

use crate::{grammar::Grammar, merge::Merged};

/// Prints a type. Behind each line stands which line of the spec it comes from, and of which
/// environment's block; what has been overridden is told apart.
pub(crate) fn resolved(
    project: &Node,
    block: &Node,
    merged: &Merged<'_>,
    grammar: &Grammar,
    lines: &[usize],
) -> String {
    let outside = |node: &&Node| grammar.top.contains_key(node.name.value.as_str());
    let mut printer = Printer { places: Places::new(merged.document, lines), out: String::new() };
    printer.node(project, 0);
    printer.out.push_str("\nenvironment ");
    printer.out.push_str(&quoted(block.label().unwrap_or_default()));
    printer.out.push_str(if block.has_flag("default") { " default {" } else { " {" });
    let place = printer.places.of(block.name.span);
    printer.comment(&[place.line()]);
    for node in merged.nodes().filter(|node| !outside(node)) {
        printer.node(node, 1);
    }
    printer.out.push_str("}\n\n");
    for node in merged.nodes().filter(outside) {
        printer.node(node, 0);
    }
    printer.out
}

/// Where something stands in the spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position<'a> {
    /// From 1.
    line: usize,
    /// The type whose block it stands in.
    block: Option<&'a str>,
}

impl Position<'_> {
    fn line(self) -> String {
        format!("line {}", self.line)
    }

    fn words(self) -> String {
        match self.block {
            Some(name) => format!("line {}, {name}", self.line),
            None => self.line(),
        }
    }
}

/// Tells places.
#[derive(Debug)]
struct Places<'a> {
    /// The byte behind each line's end.
    lines: &'a [usize],
    /// The blocks of types, in order.
    blocks: Vec<(Span, &'a str)>,
}

impl<'a> Places<'a> {
    fn new(document: &'a Document, lines: &'a [usize]) -> Self {
        let blocks = document.nodes.iter().filter(|node| node.name.value == "environment");
        let blocks = blocks.filter_map(|node| Some((node.span, node.label()?))).collect();
        Self { lines, blocks }
    }

    fn of(&self, span: Span) -> Position<'a> {
        let line = self.lines.partition_point(|end| *end <= span.start) + 1;
        let next = self.blocks.partition_point(|(block, _)| block.start <= span.start);
        let block = next.checked_sub(1).and_then(|at| self.blocks.get(at));
        let block = block.filter(|(block, _)| span.start < block.end).map(|(_, name)| *name);
        Position { line, block }
    }
}

struct Printer<'a> {
    places: Places<'a>,
    out: String,
}

impl Printer<'_> {
    fn node(&mut self, node: &Node, depth: usize) {
        let indent = "    ".repeat(depth);
        let own = self.places.of(node.name.span);
        let mut comment = vec![own.words()];
        let mut add = |what: String, place: Position<'_>| {
            if place.block != own.block {
                comment.push(format!("{what} {}", place.words()));
            }
        };
        self.out.push_str(&indent);
        self.out.push_str(&word(&node.name.value));
        // Flags stand behind the properties, as they are read aloud.
        let values = node.args.iter().rposition(|arg| !is_bare(arg)).map_or(1, |last| last + 1);
        let (values, flags) = node.args.split_at(values.max(1).min(node.args.len()));
        for (position, arg) in values.iter().enumerate() {
            let text = scalar(arg);
            self.out.push(' ');
            self.out.push_str(&text);
            // What is merged has one declared name, wherever else it is written.
            if position > 0 {
                add(text, self.places.of(arg.span));
            }
        }
        for prop in &node.props {
            let name = word(&prop.name.value);
            self.out.push(' ');
            self.out.push_str(&name);
            self.out.push('=');
            self.out.push_str(&scalar(&prop.value));
            add(format!("{name}="), self.places.of(prop.name.span));
        }
        for flag in flags {
            let text = scalar(flag);
            self.out.push(' ');
            self.out.push_str(&text);
            add(text, self.places.of(flag.span));
        }
        if !node.children.is_empty() {
            self.out.push_str(" {");
        }
        self.comment(&comment);
        for child in &node.children {
            self.node(child, depth + 1);
        }
        if !node.children.is_empty() {
            self.out.push_str(&indent);
            self.out.push_str("}\n");
        }
    }

    fn comment(&mut self, parts: &[String]) {
        self.out.push_str(" // ");
        self.out.push_str(&parts.join("; "));
        self.out.push('\n');
    }
}

fn is_bare(scalar: &Scalar) -> bool {
    scalar.tag.is_none() && matches!(scalar.value, ScalarValue::Text { bare: true, .. })
}

fn scalar(scalar: &Scalar) -> String {
    let tag = scalar.tag().map(|tag| format!("({})", word(tag))).unwrap_or_default();
    let value = match &scalar.value {
        ScalarValue::Text { text, bare: true, .. } => word(text),
        ScalarValue::Text { text, raw: true, .. } => raw(text),
        ScalarValue::Text { text, .. } => quoted(text),
        ScalarValue::Int(number) => number.to_string(),
        ScalarValue::Float(number) => format!("{number:?}"),
        ScalarValue::Bool(flag) => format!("#{flag}"),
        ScalarValue::Null => "#null".into(),
    };
    format!("{tag}{value}")
}

/// A text without quotes where that is surely possible.
fn word(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        && !matches!(text, "true" | "false" | "null" | "inf" | "nan");
    if plain { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A text that does not interpolate: raw, or quoted with its braces doubled where it has lines.
fn raw(text: &str) -> String {
    if text.contains(char::is_control) || text.starts_with('"') {
        return quoted(&text.replace('{', "{{").replace('}', "}}"));
    }
    let mut hashes = String::from("#");
    while text.contains(&format!("\"{hashes}")) {
        hashes.push('#');
    }
    format!("{hashes}\"{text}\"{hashes}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is printed reads back as the same text.
    fn check(text: &str) {
        for printed in [quoted(text), raw(text), word(text)] {
            let (document, found) = envc_syntax::parse(&format!("a {printed}"));
            assert!(found.is_empty(), "{printed}: {found:?}");
            let read = document.nodes[0].args[0].as_text().unwrap().to_owned();
            assert_eq!(read.replace("{{", "{").replace("}}", "}"), text, "{printed}");
        }
    }

    #[test]
    fn any_text_reads_back() {
        for text in [
            "", "a", "-", "true", "a b", "\"", "\\", "\"#", "a\"##b", "\n\t{x}", "é", "\u{1}",
            "\"\"x", "#",
        ] {
            check(text);
        }
    }
}
