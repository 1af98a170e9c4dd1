//! Values: words, texts, numbers, keywords; annotations and properties.

use envc_core::{Span, Spanned};

use super::{
    Reader,
    cursor::{char_at, is_forbidden, is_word_byte, newline_len, reference_len, space_len},
    why,
};
use crate::{Prop, Scalar, ScalarValue};

/// Something between two gaps that may be a property's name or a value.
pub(super) struct Piece {
    value: ScalarValue,
    span: Span,
}

/// What stands on a node's line.
pub(super) enum Entry {
    Arg(Scalar),
    Prop(Prop),
    /// It had a mistake.
    Wrong,
}

impl Reader<'_> {
    /// An argument or a property, with the blanks behind it.
    pub(super) fn entry(&mut self) -> Entry {
        let start = self.at;
        if self.peek() == Some(b'(') {
            let scalar = self.value();
            self.blanks();
            if self.peek() == Some(b'=') {
                return self.annotated_name(start);
            }
            return scalar.map_or(Entry::Wrong, Entry::Arg);
        }
        let piece = self.piece();
        let end = self.at;
        self.blanks();
        if self.peek() != Some(b'=') {
            let Some(Piece { value, span }) = piece else { return Entry::Wrong };
            return Entry::Arg(Scalar { tag: None, value, span });
        }
        let equals = self.one();
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b'=') {
            self.report(why::double_equals(self.one()));
            self.at += 1;
            self.blanks();
        }
        let named = Span::new(start, end);
        let value = self.property_value(named, equals);
        if let Some(next) = value.as_ref().filter(|next| next.span.start > equals.end)
            && self.peek() == Some(b'=')
        {
            self.at = next.span.start; // it is the name of the next property
            self.report(why::no_value(self.text, named, equals));
            return Entry::Wrong;
        }
        self.blanks();
        let Some(Piece { value: name, span }) = piece else { return Entry::Wrong };
        let ScalarValue::Text { text: name, .. } = name else {
            self.report(why::name_is_no_text(self.text, span));
            return Entry::Wrong;
        };
        let prop = value.map(|value| Prop { name: Spanned::new(name, span), value });
        prop.map_or(Entry::Wrong, Entry::Prop)
    }

    fn property_value(&mut self, name: Span, equals: Span) -> Option<Scalar> {
        let reference = reference_len(self.text.get(self.at..).unwrap_or_default());
        match self.peek() {
            Some(b'{') if reference.is_some() => {
                self.unquoted(self.at);
                None
            }
            None | Some(b';' | b'{' | b'}' | b')') => {
                self.report(why::no_value(self.text, name, equals));
                None
            }
            _ if self.is_newline() || self.rest().starts_with(b"//") => {
                self.report(why::no_value(self.text, name, equals));
                None
            }
            _ => self.value(),
        }
    }

    /// `(secret)name=…`: the annotation belongs to the value.
    fn annotated_name(&mut self, start: usize) -> Entry {
        let equals = self.at;
        self.at += 1;
        self.blanks();
        let value = self.at;
        let has_tag = self.peek() == Some(b'(');
        if !self.is_newline() && !matches!(self.peek(), None | Some(b';' | b'{' | b'}')) {
            self.value();
        }
        let value = Span::new(value, if has_tag { value } else { self.at });
        self.report(why::annotated_name(self.text, Span::new(start, equals), value));
        self.blanks();
        Entry::Wrong
    }

    /// A value with its annotation; `None` after a mistake.
    pub(super) fn value(&mut self) -> Option<Scalar> {
        let start = self.at;
        let is_tagged = self.peek() == Some(b'(');
        let tag = if is_tagged { self.annotation() } else { None };
        if is_tagged {
            self.blanks();
            if self.is_end_of_value() {
                if let Some(tag) = &tag {
                    self.report(why::annotates_nothing(self.text, tag));
                }
                return None;
            }
        }
        let Piece { value, .. } = self.piece()?;
        (!is_tagged || tag.is_some()).then(|| Scalar {
            tag,
            value,
            span: Span::new(start, self.at),
        })
    }

    /// `(secret)`; `None` after a mistake.
    pub(super) fn annotation(&mut self) -> Option<Spanned<String>> {
        let start = self.at;
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b')') {
            self.at += 1;
            self.report(why::empty_annotation(Span::new(start, self.at)));
            return None;
        }
        if self.is_end_of_value() {
            self.report(why::open_annotation(Span::new(start, start + 1)));
            return None;
        }
        let word = self.rest().iter().take_while(|byte| is_word_byte(**byte)).count();
        if word > 0 && self.ahead(word) == Some(b'"') {
            self.at += word;
            self.report(why::open_annotation(Span::new(start, self.at)));
            return None;
        }
        let Some(Piece { value, span }) = self.piece().filter(|_| !self.stopped) else {
            self.blanks();
            self.at += usize::from(self.peek() == Some(b')'));
            return None;
        };
        let close = self.at;
        self.blanks();
        if self.peek() != Some(b')') {
            self.at = close;
            self.report(why::open_annotation(Span::new(start, close)));
            return None;
        }
        self.at += 1;
        if let ScalarValue::Text { text, .. } = value {
            return Some(Spanned::new(text, span));
        }
        self.report(why::annotation_is_no_text(self.text, span));
        None
    }

    /// Whatever ends a value stands here.
    pub(super) fn is_end_of_value(&self) -> bool {
        match self.peek() {
            None | Some(b' ' | b'\t' | b'\n' | b'\r' | b';' | b'{' | b'}' | b'=' | b')') => true,
            Some(b'/') => matches!(self.ahead(1), Some(b'/' | b'*')),
            Some(b'\\') => self.continued().is_some(),
            Some(_) => space_len(self.text, self.at) > 0 || newline_len(self.text, self.at) > 0,
        }
    }

    /// A word, a text, a number or a keyword with an end behind it; `None` after a mistake, which
    /// is passed over.
    fn piece(&mut self) -> Option<Piece> {
        let start = self.at;
        let digit = |at: usize| self.ahead(at).is_some_and(|byte| byte.is_ascii_digit());
        let value = match self.peek()? {
            b'"' => self.text_value()?,
            b'#' => match self.rest().iter().find(|byte| **byte != b'#') {
                Some(b'"') => self.text_value()?,
                _ => self.keyword()?,
            },
            b'0'..=b'9' => self.number()?,
            b'+' | b'-' if digit(1) => self.number()?,
            b'.' if digit(1) => return self.unquoted(start),
            b'+' | b'-' if self.ahead(1) == Some(b'.') && digit(2) => return self.unquoted(start),
            b'[' | b']' => return self.brackets(),
            b'/' | b'\\' => return self.unquoted(start),
            byte if is_word_byte(byte) => self.word()?,
            _ => return self.stray(),
        };
        if !self.is_end_of_value() {
            return self.no_gap(start, &value);
        }
        Some(Piece { value, span: Span::new(start, self.at) })
    }

    fn text_value(&mut self) -> Option<ScalarValue> {
        let (text, raw) = self.quoted()?;
        Some(ScalarValue::Text { text, raw, bare: false })
    }

    /// A word without quotes.
    fn word(&mut self) -> Option<ScalarValue> {
        if self.other_marks() {
            return None;
        }
        let start = self.at;
        while let Some(byte) = self.peek().filter(|byte| is_word_byte(*byte)) {
            if byte.is_ascii() {
                self.at += 1;
            } else if space_len(self.text, self.at) + newline_len(self.text, self.at) > 0 {
                break;
            } else {
                self.at += char_at(self.text, self.at).map_or(1, char::len_utf8);
            }
        }
        let text = self.slice(start, self.at).to_owned();
        let end_of_word = self.is_end_of_value();
        let is_address = text.ends_with(':') && self.rest().starts_with(b"//");
        if is_address {
            self.unquoted(start);
            return None;
        }
        if end_of_word
            && matches!(text.as_str(), "true" | "false" | "null" | "inf" | "-inf" | "nan")
        {
            let is_name = self.peek() == Some(b'=');
            self.report(why::bare_keyword(&text, Span::new(start, self.at), is_name));
            return None;
        }
        Some(ScalarValue::Text { text, raw: false, bare: true })
    }

    fn keyword(&mut self) -> Option<ScalarValue> {
        let start = self.at;
        let end = self.glued(start + 1);
        let end = self.slice(start, end).find(['=', '/', '\\']).map_or(end, |at| start + at);
        let value = match self.slice(start, end) {
            "#true" => ScalarValue::Bool(true),
            "#false" => ScalarValue::Bool(false),
            "#null" => ScalarValue::Null,
            "#inf" => ScalarValue::Float(f64::INFINITY),
            "#-inf" => ScalarValue::Float(f64::NEG_INFINITY),
            "#nan" => ScalarValue::Float(f64::NAN),
            _ => {
                let end = self.glued(start + 1).max(start + 1);
                let word = self.slice(start + 1, end);
                if word.is_empty() || word.starts_with(['#', '!', '-', '=']) {
                    self.comment_with_number_sign(start);
                    return None;
                }
                self.report(why::unknown_keyword(self.text, Span::new(start, end)));
                self.at = end;
                return None;
            }
        };
        self.at = end;
        Some(value)
    }

    /// `# …`: a comment of another language, to the end of the line.
    pub(super) fn comment_with_number_sign(&mut self, start: usize) {
        let line = Span::new(start, self.line_end(start));
        self.report(why::number_sign_comment(self.text, line));
        self.at = line.end;
    }

    /// Something begins where a gap should be.
    fn no_gap(&mut self, start: usize, value: &ScalarValue) -> Option<Piece> {
        let place = self.at;
        let end = self.glued(place);
        let next = self.peek();
        let is_bare = matches!(value, ScalarValue::Text { bare: true, .. });
        let is_text = matches!(value, ScalarValue::Text { .. });
        if self.rest().starts_with(b"/-") || (is_text && !is_bare && next == Some(b'(')) {
            self.report(why::missing_space(self.text, Span::new(start, end), place));
            return None;
        }
        if is_bare && matches!(next, Some(b'"' | b'#')) && self.slice(start, place) == "r" {
            return self.old_raw(start);
        }
        if next == Some(b',') && (self.at + 1 == end || !is_bare) {
            self.report(why::comma(self.text, place));
            self.at += 1;
            return None;
        }
        if matches!(next, Some(b'[' | b']')) {
            return self.brackets();
        }
        if next == Some(b'(') {
            return self.call(start);
        }
        if is_bare && matches!(next, Some(b'/' | b'\\')) || !is_text {
            return self.unquoted(start);
        }
        self.at = end;
        self.report(why::missing_space(self.text, Span::new(start, end), place));
        None
    }

    /// Text that needs quotes, as far as there is no gap.
    pub(super) fn unquoted(&mut self, start: usize) -> Option<Piece> {
        let end = self.glued(start).max(self.at);
        let end = if end == start { self.one().end.max(start) } else { end };
        let whole = Span::new(start, end);
        self.report(why::unquoted(self.text, whole));
        self.at = end;
        None
    }

    /// `r"…"` and `r#"…"#` of KDL 1.
    fn old_raw(&mut self, start: usize) -> Option<Piece> {
        let hashes = self.rest().iter().take_while(|byte| **byte == b'#').count();
        let open = self.at + hashes;
        let close = format!("\"{}", "#".repeat(hashes));
        let line = self.line_end(open);
        let inner = self.slice(open + 1, line);
        let Some(len) =
            inner.find(&close).filter(|_| self.text.as_bytes().get(open) == Some(&b'"'))
        else {
            return self.unquoted(start);
        };
        self.at = open + 1 + len + close.len();
        self.report(why::old_raw(
            self.text,
            Span::new(start, self.at),
            Span::new(open + 1, open + 1 + len),
        ));
        None
    }

    /// `[a, b]`, to the bracket that closes it.
    fn brackets(&mut self) -> Option<Piece> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut depth = 0_usize;
        let mut at = start;
        let mut marks = Vec::new();
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'[' => depth += 1,
                b']' => depth = depth.saturating_sub(1),
                b'"' => {
                    let line = self.line_end(at);
                    let quote = self.slice(at + 1, line).find('"');
                    at += quote.map_or(0, |len| len + 1);
                }
                b'{' | b'}' | b';' => break,
                _ => {}
            }
            if matches!(byte, b'[' | b']' | b',') {
                marks.push(at);
            }
            at += 1;
            if depth == 0 {
                break;
            }
        }
        let end = if depth == 0 { at } else { start + 1 };
        self.report(why::brackets(self.text, Span::new(start, end), &marks));
        self.at = end;
        None
    }

    /// `name(…)`, or a lone parenthesis.
    fn call(&mut self, start: usize) -> Option<Piece> {
        let open = self.at;
        let line = self.line_end(open);
        let close = self.slice(open, line).find(')').map(|at| open + at + 1);
        self.at = close.map_or(open + 1, |end| self.glued(end));
        self.report(why::call(self.text, Span::new(start, self.at), open));
        None
    }

    /// A character that nothing begins with.
    pub(super) fn stray(&mut self) -> Option<Piece> {
        let one = self.one();
        let c = char_at(self.text, self.at)?;
        if !is_forbidden(c) {
            self.report(why::stray(self.text, one));
        }
        self.at = one.end.max(self.at + 1);
        None
    }

    /// A number: decimal with a fraction and an exponent, or hexadecimal, octal, binary.
    fn number(&mut self) -> Option<ScalarValue> {
        let start = self.at;
        let sign = usize::from(matches!(self.peek(), Some(b'+' | b'-')));
        self.at += sign;
        let radix = match (self.peek(), self.ahead(1)) {
            (Some(b'0'), Some(b'x')) => 16,
            (Some(b'0'), Some(b'o')) => 8,
            (Some(b'0'), Some(b'b')) => 2,
            _ => 10,
        };
        let mut is_float = false;
        let mut is_whole;
        if radix == 10 {
            is_whole = self.digits(10);
            if self.peek() == Some(b'.') {
                self.at += 1;
                is_float = true;
                is_whole &= self.digits(10);
            }
            if is_whole && matches!(self.peek(), Some(b'e' | b'E')) {
                self.at += 1 + usize::from(matches!(self.ahead(1), Some(b'+' | b'-')));
                is_float = true;
                is_whole &= self.digits(10);
            }
        } else {
            self.at += 2;
            is_whole = self.digits(radix);
        }
        if !is_whole || !self.is_end_of_value() {
            if self.peek() == Some(b',') && is_whole {
                return Some(ScalarValue::Int(0)); // the comma is the mistake
            }
            self.unquoted(start);
            return None;
        }
        let digits: String = self.slice(start, self.at).chars().filter(|c| *c != '_').collect();
        if is_float {
            return digits.parse().ok().map(ScalarValue::Float);
        }
        let digits = match (radix, digits.get(..sign)) {
            (10, _) => digits,
            (_, sign_text) => {
                format!(
                    "{}{}",
                    sign_text.unwrap_or_default(),
                    digits.get(sign + 2..).unwrap_or_default()
                )
            }
        };
        let number = i128::from_str_radix(&digits, radix);
        if number.is_err() {
            self.report(why::too_large(self.text, Span::new(start, self.at)));
        }
        number.ok().map(ScalarValue::Int)
    }

    /// Digits, with `_` between them; the first is a digit.
    fn digits(&mut self, radix: u32) -> bool {
        let is_digit = |byte: Option<u8>| byte.is_some_and(|byte| char::from(byte).is_digit(radix));
        if !is_digit(self.peek()) {
            return false;
        }
        while is_digit(self.peek()) || self.peek() == Some(b'_') {
            self.at += 1;
        }
        true
    }
}
