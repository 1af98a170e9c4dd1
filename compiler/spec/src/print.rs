//! The nodes of one type as plain KDL: what is left once `extends`, overriding and `without` are
//! done. The text loads again, to the same environment.

use std::fmt::Write as _;

use envc_syntax::{Node, Scalar, ScalarValue};

use crate::{grammar::Grammar, merge::Merged};

/// Prints a type. Behind each node that an `environment` contributed stands which one.
pub(crate) fn resolved(
    project: &Node,
    block: &Node,
    merged: &Merged<'_>,
    grammar: &Grammar,
) -> String {
    let outside = |node: &&Node| grammar.top.contains_key(node.name.value.as_str());
    let mut out = String::new();
    print(project, 0, None, &mut out);
    out.push_str("\nenvironment ");
    out.push_str(&quoted(block.label().unwrap_or_default()));
    out.push_str(if block.has_flag("default") { " default {\n" } else { " {\n" });
    for node in merged.nodes().filter(|node| !outside(node)) {
        print(node, 1, None, &mut out);
    }
    out.push_str("}\n\n");
    for node in merged.nodes().filter(outside) {
        print(node, 0, None, &mut out);
    }
    out
}

fn print(node: &Node, depth: usize, outer: Option<&str>, out: &mut String) {
    let indent = "    ".repeat(depth);
    out.push_str(&indent);
    out.push_str(&word(&node.name.value));
    for arg in &node.args {
        out.push(' ');
        out.push_str(&scalar(arg));
    }
    for prop in &node.props {
        out.push(' ');
        out.push_str(&word(&prop.name.value));
        out.push('=');
        out.push_str(&scalar(&prop.value));
    }
    let origin = node.origin.as_deref();
    if !node.children.is_empty() {
        out.push_str(" {");
    }
    if let Some(origin) = origin.filter(|origin| Some(*origin) != outer) {
        out.push_str(" // from ");
        out.push_str(origin);
    }
    out.push('\n');
    for child in &node.children {
        print(child, depth + 1, origin, out);
    }
    if !node.children.is_empty() {
        out.push_str(&indent);
        out.push_str("}\n");
    }
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
