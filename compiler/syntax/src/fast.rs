//! A reader for the plain part of KDL 2 that specs are written in.
//!
//! The KDL crate reads about a megabyte per second, which is too slow for a spec of thousands of
//! resources. This reader takes the common forms only and declines everything else, mistakes
//! included: then the KDL crate reads the whole text. What both read is the same tree; a property
//! test holds them together.

use envc_core::{Span, Spanned, limits};

use crate::{Document, Node, Prop, Scalar, ScalarValue};

/// Reads a text; `None` where it holds anything that is not plain. Says how many nodes there are.
pub(crate) fn document(text: &str) -> Option<(Document, usize)> {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    if text.get(start..)?.chars().any(is_special) {
        return None;
    }
    let mut reader = Reader { text, bytes: text.as_bytes(), at: start, count: 0, depth: 0 };
    let nodes = reader.nodes()?;
    (reader.peek().is_none()).then_some((Document { nodes }, reader.count))
}

/// Characters that KDL forbids, or takes for spaces or new lines besides the ASCII ones.
fn is_special(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{8}'
            | '\u{b}'..='\u{c}'
            | '\u{e}'..='\u{1f}'
            | '\u{7f}'
            | '\u{85}'
            | '\u{a0}'
            | '\u{1680}'
            | '\u{2000}'..='\u{200f}'
            | '\u{2028}'..='\u{202f}'
            | '\u{205f}'
            | '\u{2066}'..='\u{2069}'
            | '\u{3000}'
            | '\u{feff}'
    )
}

/// A piece between blanks: an identifier or a string, and how it was written.
struct Word {
    text: String,
    span: Span,
    raw: bool,
    bare: bool,
}

struct Reader<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    count: usize,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn ahead(&self, by: usize) -> Option<u8> {
        self.bytes.get(self.at + by).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    /// A line's end, `\r\n` included. A lone `\r` is not plain.
    fn line_end(&mut self) -> Option<bool> {
        match (self.peek(), self.ahead(1)) {
            (Some(b'\n'), _) => self.at += 1,
            (Some(b'\r'), Some(b'\n')) => self.at += 2,
            (Some(b'\r'), _) => return None,
            _ => return Some(false),
        }
        Some(true)
    }

    /// A `//` comment, with the end of its line. Other comments are not plain.
    fn comment(&mut self) -> Option<bool> {
        match (self.peek(), self.ahead(1)) {
            (Some(b'/'), Some(b'/')) => {}
            (Some(b'/'), _) => return None,
            _ => return Some(false),
        }
        let rest = self.bytes.get(self.at..)?;
        self.at += rest.iter().position(|&b| matches!(b, b'\n' | b'\r')).unwrap_or(rest.len());
        self.line_end()?;
        Some(true)
    }

    fn line_space(&mut self) -> Option<()> {
        loop {
            self.blanks();
            if !self.line_end()? && !self.comment()? {
                return Some(());
            }
        }
    }

    fn nodes(&mut self) -> Option<Vec<Node>> {
        let mut nodes = Vec::new();
        loop {
            self.line_space()?;
            if matches!(self.peek(), None | Some(b'}')) {
                return Some(nodes);
            }
            nodes.push(self.node()?);
        }
    }

    fn node(&mut self) -> Option<Node> {
        self.count += 1;
        let start = self.at;
        let name = self.word()?;
        let mut node = Node {
            name: Spanned::new(name.text, name.span),
            args: Vec::new(),
            props: Vec::new(),
            children: Vec::new(),
            span: Span::new(start, self.at),
            origin: None,
        };
        loop {
            let before = self.at;
            self.blanks();
            match self.peek() {
                None | Some(b'}') => return Some(node),
                Some(b'\n' | b'\r') => return self.line_end()?.then_some(node),
                Some(b'/') => return self.comment()?.then_some(node),
                Some(b';') => return self.semicolon().then_some(node),
                Some(b'{') => {
                    node.children = self.block()?;
                    node.span = Span::new(start, self.at);
                    return self.terminator().then_some(node);
                }
                Some(_) if self.at > before => self.entry(&mut node)?,
                Some(_) => return None,
            }
            node.span = Span::new(start, self.at);
        }
    }

    fn semicolon(&mut self) -> bool {
        self.at += 1;
        self.blanks();
        self.peek() != Some(b';')
    }

    /// What may follow a block.
    fn terminator(&mut self) -> bool {
        self.blanks();
        match self.peek() {
            None | Some(b'}') => true,
            Some(b'\n' | b'\r') => self.line_end() == Some(true),
            Some(b'/') => self.comment() == Some(true),
            Some(b';') => self.semicolon(),
            Some(_) => false,
        }
    }

    fn block(&mut self) -> Option<Vec<Node>> {
        self.depth += 1;
        if self.depth > limits::SPEC_DEPTH_MAX {
            return None;
        }
        self.at += 1;
        let nodes = self.nodes()?;
        if self.peek() != Some(b'}') {
            return None;
        }
        self.at += 1;
        self.depth -= 1;
        Some(nodes)
    }

    fn entry(&mut self, node: &mut Node) -> Option<()> {
        let start = self.at;
        if matches!(self.peek()?, b'(' | b'0'..=b'9' | b'-') || self.is_keyword() {
            let scalar = self.scalar()?;
            node.args.push(scalar);
            return Some(());
        }
        let word = self.word()?;
        if self.peek() == Some(b'=') {
            self.at += 1;
            let value = self.scalar()?;
            node.props.push(Prop { name: Spanned::new(word.text, word.span), value });
            return Some(());
        }
        self.no_equals_sign()?;
        node.args.push(word.scalar(None, start));
        Some(())
    }

    /// `name = value` with blanks is KDL, but not plain.
    fn no_equals_sign(&self) -> Option<()> {
        let rest = self.bytes.get(self.at..)?;
        let next = rest.iter().find(|byte| !matches!(byte, b' ' | b'\t'));
        (next != Some(&b'=')).then_some(())
    }

    fn is_keyword(&self) -> bool {
        self.peek() == Some(b'#') && self.ahead(1).is_some_and(|byte| byte.is_ascii_lowercase())
    }

    fn scalar(&mut self) -> Option<Scalar> {
        let start = self.at;
        let tag = if self.peek() == Some(b'(') {
            self.at += 1;
            let span_start = self.at;
            let name = self.identifier()?.to_owned();
            let tag = Spanned::new(name, Span::new(span_start, self.at));
            if self.peek() != Some(b')') {
                return None;
            }
            self.at += 1;
            Some(tag)
        } else {
            None
        };
        let value = match self.peek()? {
            b'0'..=b'9' | b'-' => self.number()?,
            b'#' if self.is_keyword() => self.keyword()?,
            _ => {
                return Some(self.word()?.scalar(tag, start))
                    .filter(|_| self.no_equals_sign().is_some());
            }
        };
        self.no_equals_sign()?;
        Some(Scalar { tag, value, span: Span::new(start, self.at) })
    }

    /// Whole decimal numbers that surely fit; `-x` is an identifier and not plain.
    fn number(&mut self) -> Option<ScalarValue> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        let text = self.text.get(start..self.at).filter(|text| text.len() <= 18)?;
        let number = text.parse::<i64>().ok()?;
        self.ends_value().then_some(ScalarValue::Int(i128::from(number)))
    }

    fn keyword(&mut self) -> Option<ScalarValue> {
        self.at += 1;
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_lowercase()) {
            self.at += 1;
        }
        let value = match self.text.get(start..self.at)? {
            "true" => ScalarValue::Bool(true),
            "false" => ScalarValue::Bool(false),
            "null" => ScalarValue::Null,
            _ => return None,
        };
        self.ends_value().then_some(value)
    }

    fn ends_value(&self) -> bool {
        matches!(self.peek(), None | Some(b' ' | b'\t' | b'\n' | b'\r' | b';' | b'{' | b'}'))
    }

    /// An identifier or a string of one line.
    fn word(&mut self) -> Option<Word> {
        let start = self.at;
        let (text, raw, bare) = match self.peek()? {
            b'"' => (self.quoted()?, false, false),
            b'#' => (self.raw()?, true, false),
            _ => (self.identifier()?.to_owned(), false, true),
        };
        let ends = self.ends_value() || self.peek() == Some(b'=');
        ends.then(|| Word { text, span: Span::new(start, self.at), raw, bare })
    }

    fn identifier(&mut self) -> Option<&str> {
        let start = self.at;
        let first = self.peek()?;
        if !(first.is_ascii_alphabetic() || first == b'_') {
            return None;
        }
        while self.peek().is_some_and(|byte| {
            byte.is_ascii_graphic()
                && !matches!(byte, b'\\' | b'/' | b'(' | b')' | b'{' | b'}')
                && !matches!(byte, b'[' | b']' | b';' | b'"' | b'#' | b'=')
        }) {
            self.at += 1;
        }
        let word = self.text.get(start..self.at)?;
        (!matches!(word, "true" | "false" | "null" | "inf" | "nan")).then_some(word)
    }

    fn quoted(&mut self) -> Option<String> {
        if self.bytes.get(self.at..)?.starts_with(b"\"\"\"") {
            return None;
        }
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = self.bytes.get(self.at..)?;
            let plain = rest.iter().position(|&b| matches!(b, b'"' | b'\\' | b'\n' | b'\r'))?;
            out.push_str(self.text.get(self.at..self.at + plain)?);
            self.at += plain;
            match (self.peek()?, self.ahead(1)) {
                (b'"', _) => {
                    self.at += 1;
                    return Some(out);
                }
                (b'\\', Some(escape)) => out.push(match escape {
                    b'n' => '\n',
                    b'r' => '\r',
                    b't' => '\t',
                    b's' => ' ',
                    b'\\' => '\\',
                    b'"' => '"',
                    _ => return None,
                }),
                _ => return None,
            }
            self.at += 2;
        }
    }

    fn raw(&mut self) -> Option<String> {
        let rest = self.bytes.get(self.at..)?;
        let hashes = rest.iter().take_while(|&&byte| byte == b'#').count();
        let open = self.at + hashes;
        let from = self.text.get(open..)?.strip_prefix('"')?;
        if from.starts_with("\"\"") {
            return None;
        }
        let close = format!("\"{}", "#".repeat(hashes));
        let text = from.split(['\n', '\r']).next()?;
        let end = text.find(&close)?;
        self.at = open + 1 + end + close.len();
        text.get(..end).map(str::to_owned)
    }
}

impl Word {
    fn scalar(self, tag: Option<Spanned<String>>, start: usize) -> Scalar {
        Scalar {
            tag,
            value: ScalarValue::Text { text: self.text, raw: self.raw, bare: self.bare },
            span: Span::new(start, self.span.end),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::convert;

    /// What both readers read is the same; says whether this one read it.
    fn agrees(text: &str) -> bool {
        let Some((fast, count)) = document(text) else { return false };
        let parsed = kdl::KdlDocument::parse_v2(text)
            .unwrap_or_else(|error| panic!("only the plain reader takes {text:?}: {error:?}"));
        let (slow, slow_count) = convert::document(text, &parsed);
        assert_eq!(fast, slow, "{text:?}");
        assert_eq!(count, slow_count, "{text:?}");
        true
    }

    #[test]
    fn plain_forms_are_read_as_the_kdl_crate_reads_them() {
        for text in [
            "",
            "a",
            "\u{feff}a \"b\"",
            "a b c=\"d\" 1 -2 #true #null // e\nf",
            "a \"x\\n\\\"{env}\\\"\" ; b;\r\nc { d ; e {} }\n",
            "a (secret)\"X\" b=(env)Y { \"quoted name\" #\"ra\\w\"# ; }\n\n// end",
            "a é=1\nb \"é\" c",
            "a{b}",
            "a \"x\"{b 1;}",
            "A.b-c:d @x",
        ] {
            let plain = !text.contains("é=") && !text.contains('@');
            assert_eq!(agrees(text), plain, "{text:?}");
        }
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_kdl_crate() {
        for text in [
            "a /* c */ b",
            "/- a",
            "a \\\n b",
            "a \"\"\"\n x\n \"\"\"",
            "a 0x1f 1.5",
            "a b = c",
            "a \"\\u{41}\"",
            "a true",
            "a {",
            "}",
            "a;;b",
            "a \"b\"c",
            "a 1x",
            "a {} b",
            "(t)a",
            "a \u{a0}b",
        ] {
            assert!(document(text).is_none(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn both_readers_agree(pieces in prop::collection::vec(
            prop::sample::select(vec![
                "a", "b-c", "\"x\"", "\"\"", "\"\\\"\\n\"", "#\"r\"#", "#true", "#null", "12", "-3",
                "(secret)\"S\"", "p=1", "q=\"v\"", "r=(env)E", " ", "  ", "\t", "\n", "\r\n", ";",
                "{", "}", "// c\n", "//", "/-", "/*", "*/", "\\", "=", "é", "true", ".", "_", "-", "#",
                "\"", "(", ")", "\"\"\"", "x{", "; }", " { ", " }\n", "1.5", "@", "inf", "-inf",
            ]), 0..24)) {
            agrees(&pieces.concat());
        }
    }
}
