//! Nodes and their blocks.

use envc_core::{Span, Spanned, limits};

use super::{
    Open, Reader, Suspect,
    cursor::{char_at, is_forbidden, newline_len, space_len},
    value::Entry,
    why,
};
use crate::Node;

/// A block that was read already on the node's line, commented out or not.
struct Block {
    span: Span,
    is_commented: bool,
}

/// How a node's line goes on.
enum Next {
    /// Something else of the node.
    More,
    /// The node is complete.
    Done,
}

impl Reader<'_> {
    /// All nodes of the text. A `}` that closes nothing is passed over.
    pub(super) fn document(&mut self) -> Vec<Node> {
        let mut nodes = Vec::new();
        self.line_space();
        if self.begins_as_json() {
            let whole = Span::new(self.at, self.text.trim_end().len());
            self.report(why::json(self.text, whole));
            self.stop();
        }
        loop {
            nodes.append(&mut self.nodes());
            if self.peek().is_none() {
                return nodes;
            }
            let deeper = self.deeper.take();
            self.report(why::stray_brace(self.one(), deeper));
            if !self.stopped {
                self.at += 1;
            }
        }
    }

    /// The first thing is an object or a list of JSON.
    fn begins_as_json(&self) -> bool {
        let Some(rest) = self.text.get(self.at + 1..) else { return false };
        let first = rest.trim_start().bytes().next();
        match self.peek() {
            Some(b'{') => {
                let key = rest.trim_start().trim_start_matches('"');
                let after = key.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
                first == Some(b'}') || after.trim_start_matches('"').trim_start().starts_with(':')
            }
            Some(b'[') => matches!(first, Some(b'{' | b'"')),
            _ => false,
        }
    }

    /// Nodes up to a `}` or the end.
    fn nodes(&mut self) -> Vec<Node> {
        let mut nodes = Vec::new();
        // The node before, when it ended with its line and without a block.
        let mut plain: Option<usize> = None;
        loop {
            self.line_space();
            match self.peek() {
                None | Some(b'}') => return nodes,
                Some(b';') => {
                    self.report(why::empty_node(self.one()));
                    self.at += 1;
                }
                Some(b'{') => {
                    if self.open.last().is_none_or(|outer| outer.has_node) {
                        self.report(why::nameless_block(self.text, self.at, plain));
                    }
                    let mut ignored = Vec::new();
                    self.block(None, &mut ignored);
                    self.terminate();
                    plain = None;
                }
                Some(b'/') if self.rest().starts_with(b"/-") => self.commented_node(),
                Some(b'*') if self.is_comment_end() => {
                    let span = Span::new(self.at, self.at + 2);
                    self.report(why::stray_comment_end(span));
                    self.at = (self.at + 2).min(self.text.len());
                }
                Some(_) => {
                    let mistakes = self.mistakes.len();
                    let (node, is_plain) = self.node();
                    let end = node.as_ref().map(|node| node.span.end);
                    plain = end.filter(|_| is_plain && mistakes == self.mistakes.len());
                    nodes.extend(node);
                }
            }
        }
    }

    /// `/-` and the node that it takes away.
    fn commented_node(&mut self) {
        let span = Span::new(self.at, self.at + 2);
        self.at += 2;
        self.line_space();
        if matches!(self.peek(), None | Some(b'}' | b';')) {
            self.report(why::comments_nothing(span));
            return;
        }
        self.node();
    }

    /// A `*/`; in `*//` the word `*` stands before a comment.
    fn is_comment_end(&self) -> bool {
        self.rest().starts_with(b"*/") && !matches!(self.ahead(2), Some(b'/' | b'*'))
    }

    /// The rest of a line after a block that belonged to no node.
    fn terminate(&mut self) {
        self.blanks();
        if self.peek() == Some(b';') {
            self.at += 1;
        }
    }

    /// The columns before a place, where only blanks stand between it and its line's beginning.
    fn is_line_start(&self, at: usize) -> Option<usize> {
        let before = self.text.as_bytes().get(..at)?;
        let blanks = before.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let line = before.get(..at - blanks)?;
        line.last().is_none_or(|byte| matches!(byte, b'\n' | b'\r')).then_some(blanks)
    }

    /// A node with its line, and whether it ended with the line and had no block. `None` after a
    /// mistake in its name.
    fn node(&mut self) -> (Option<Node>, bool) {
        self.count += 1;
        let start = self.at;
        if self.count > limits::SPEC_NODES_MAX {
            self.too_many("nodes", limits::SPEC_NODES_MAX, self.one());
            return (None, false);
        }
        self.note_outdent(start);
        if self.peek() == Some(b'(') {
            let tag = self.annotation();
            self.blanks();
            if self.is_end_of_value() {
                if let Some(tag) = &tag {
                    self.report(why::annotates_nothing(self.text, tag));
                }
                return (None, false);
            }
        }
        let name = self.name(start);
        let has_name = name.is_some();
        let mut node = Node {
            span: Span::new(start, name.as_ref().map_or(self.at, |name| name.span.end)),
            name: name.unwrap_or_else(|| Spanned::new(String::new(), Span::new(start, start))),
            args: Vec::new(),
            props: Vec::new(),
            children: Vec::new(),
            origin: None,
        };
        let is_plain = self.line(&mut node);
        node.args.shrink_to_fit(); // most have one, and room for four
        node.props.shrink_to_fit();
        node.children.shrink_to_fit();
        (has_name.then_some(node), is_plain)
    }

    /// Remembers that a node stands no further right than the one whose block it is in.
    fn note_outdent(&mut self, at: usize) {
        let Some(open) = self.open.last() else { return };
        let (None, Some(outer)) = (open.outdented, open.indent) else { return };
        if let Some(indent) = self.is_line_start(at).filter(|indent| *indent <= outer)
            && let Some(open) = self.open.last_mut()
        {
            open.outdented = Some(at - indent);
        }
    }

    fn name(&mut self, start: usize) -> Option<Spanned<String>> {
        let first = self.peek();
        let is_comment = first == Some(b'#')
            && !matches!(self.rest().iter().find(|byte| **byte != b'#'), Some(b'"'))
            && !["#true", "#false", "#null"].contains(&self.slice(self.at, self.glued(self.at)));
        if is_comment {
            self.comment_with_number_sign(start);
            return None;
        }
        if first == Some(b'=') || first == Some(b')') {
            self.stray();
            return None;
        }
        let entry = self.entry();
        match entry {
            Entry::Arg(scalar) => match scalar.value {
                crate::ScalarValue::Text { text, .. } if scalar.tag.is_none() => {
                    Some(Spanned::new(text, scalar.span))
                }
                _ => {
                    self.report(why::no_name(self.text, scalar.span));
                    None
                }
            },
            Entry::Prop(prop) => {
                let parent = self.open.last().map(|open| open.brace);
                self.report(why::assignment(self.text, &prop, parent));
                None
            }
            Entry::Wrong => None,
        }
    }

    /// What stands behind a node's name, up to the end of the node. Says whether it ended with its
    /// line and had no block.
    fn line(&mut self, node: &mut Node) -> bool {
        let mut block: Option<Block> = None;
        loop {
            self.blanks();
            match self.peek() {
                None | Some(b'}') => return false,
                Some(b';') => {
                    self.at += 1;
                    return false;
                }
                Some(b'/') if self.ahead(1) == Some(b'/') => {
                    self.at = self.line_end(self.at);
                    return block.is_none();
                }
                Some(b'/') if self.ahead(1) == Some(b'-') => self.commented(node, &mut block),
                Some(b'{') => self.children(node, &mut block),
                Some(_) => {
                    let newline = newline_len(self.text, self.at);
                    if newline > 0 {
                        self.at += newline;
                        return block.is_none();
                    }
                    if let Next::Done = self.one_entry(node, block.as_ref()) {
                        return false;
                    }
                }
            }
        }
    }

    fn one_entry(&mut self, node: &mut Node, block: Option<&Block>) -> Next {
        let start = self.at;
        self.values += 1;
        if self.values > limits::SPEC_VALUES_MAX {
            self.too_many("values", limits::SPEC_VALUES_MAX, self.one());
            return Next::Done;
        }
        if matches!(self.peek(), Some(b'=' | b')')) {
            self.stray();
            return Next::More;
        }
        if let Some(block) = block {
            return self.after_block(node, block);
        }
        if self.is_comment_end() {
            self.at += 2;
            self.report(why::stray_comment_end(Span::new(start, start + 2)));
            return Next::More;
        }
        match self.entry() {
            Entry::Arg(arg) => {
                node.span.end = arg.span.end;
                node.args.push(arg);
            }
            Entry::Prop(prop) => {
                node.span.end = prop.value.span.end;
                node.props.push(prop);
            }
            Entry::Wrong => node.span.end = node.span.end.max(self.at.min(self.text.len())),
        }
        if self.at == start && !self.stopped {
            self.stray(); // whatever it is, it is passed over
        }
        Next::More
    }

    /// Something stands behind a block: the next node, or what belongs before the block.
    fn after_block(&mut self, node: &Node, block: &Block) -> Next {
        let start = self.at;
        if char_at(self.text, start).is_some_and(is_forbidden) {
            self.stray();
            return Next::More;
        }
        let mistakes = self.mistakes.len();
        let is_word = self.peek().is_some_and(|byte| byte.is_ascii_alphabetic());
        if self.peek() == Some(b',') {
            self.at += 1;
            self.report(why::comma(self.text, start));
            return Next::More;
        }
        let mut end = start;
        let mut first = true;
        while !self.is_newline() && !matches!(self.peek(), None | Some(b';' | b'{' | b'}')) {
            if self.rest().starts_with(b"//") || self.rest().starts_with(b"/-") {
                break;
            }
            let before = self.at;
            let entry = self.entry();
            if first && is_word && matches!(entry, Entry::Arg(_)) {
                self.at = start;
                self.report(why::next_node(block.span, start));
                return Next::Done;
            }
            first = false;
            if self.at == before {
                break;
            }
            end = self.slice(start, self.at).trim_end().len() + start;
        }
        if self.mistakes.len() == mistakes && end > start {
            let from = node.span.end.min(block.span.start);
            let from = if block.is_commented { block.span.start } else { from };
            self.report(why::after_block(self.text, block.span, Span::new(start, end), from));
        }
        if self.at == start && !self.stopped {
            self.stray();
        }
        Next::More
    }

    /// `/-` on a node's line: an entry or a block that does not count.
    fn commented(&mut self, node: &mut Node, block: &mut Option<Block>) {
        let start = self.at;
        self.at += 2;
        self.line_space();
        match self.peek() {
            None | Some(b'}' | b';') => {
                self.report(why::comments_nothing(Span::new(start, start + 2)));
            }
            Some(b'{') => {
                let mut ignored = Vec::new();
                self.block(Some(node.span.start), &mut ignored);
                let span = Span::new(start, self.at);
                let is_first = block.as_ref().is_none_or(|block| block.is_commented);
                if is_first {
                    *block = Some(Block { span, is_commented: true });
                }
            }
            Some(_) if block.is_some() => {
                self.at = start + 2;
                self.line_space();
                let from = self.at;
                self.entry();
                let end = self.slice(from, self.at).trim_end().len() + from;
                self.report(why::comment_after_block(Span::new(start, end)));
            }
            Some(_) => {
                let from = self.at;
                self.entry();
                if self.at == from && !self.stopped {
                    self.stray();
                }
            }
        }
    }

    /// A node's block, or a second one.
    fn children(&mut self, node: &mut Node, block: &mut Option<Block>) {
        let start = self.at;
        let mut children = Vec::new();
        let mistakes = self.mistakes.len();
        self.block(Some(node.span.start), &mut children);
        let span = Span::new(start, self.at);
        if self.mistakes.len() == mistakes && self.is_glued_reference(start) {
            let before = self.word_start(start);
            let from = if self.glued(before) > self.at { before } else { start };
            self.at = from;
            self.unquoted(from);
            return;
        }
        match block {
            Some(first) if !first.is_commented => {
                self.report(why::second_block(first.span, span));
            }
            _ => {
                node.children = children;
                node.span.end = self.at;
                *block = Some(Block { span, is_commented: false });
            }
        }
    }

    /// The block that begins here is `{env}` in the midst of a word.
    fn is_glued_reference(&self, start: usize) -> bool {
        let is_reference = self.slice(start, self.at).len() == self.at - start
            && super::cursor::reference_len(self.slice(start, self.at)) == Some(self.at - start);
        let goes_on = !matches!(
            self.peek(),
            None | Some(
                b' ' | b'\t' | b'\n' | b'\r' | b';' | b'{' | b'}' | b')' | b'/' | b'\\' | b','
            )
        );
        is_reference
            && goes_on
            && space_len(self.text, self.at) + newline_len(self.text, self.at) == 0
    }

    /// Where what is written without a gap before a place begins.
    fn word_start(&self, at: usize) -> usize {
        let before = self.text.get(..at).unwrap_or_default();
        before.rfind([' ', '\t', '\n', '\r', '=', '"', ';', '{', '}']).map_or(0, |found| found + 1)
    }

    /// `{ … }`; `node` is where the node begins that it belongs to.
    fn block(&mut self, node: Option<usize>, children: &mut Vec<Node>) {
        let brace = self.at;
        let indent = self.is_line_start(node.unwrap_or(brace));
        if self.open.len() >= limits::SPEC_DEPTH_MAX {
            self.report(why::too_deep(self.one()));
            self.stop();
            return;
        }
        self.open.push(Open { brace, has_node: node.is_some(), indent, outdented: None });
        self.at += 1;
        *children = self.nodes();
        if self.peek() != Some(b'}') {
            return; // reported at the end
        }
        if let Some(open) = self.open.pop()
            && let (Some(inner), Some(own)) = (open.indent, self.is_line_start(self.at))
        {
            if own < inner {
                let line = open.outdented.unwrap_or(self.at - own);
                self.suspects.push(Suspect { open: open.brace, line, indent: inner });
            } else if own > inner {
                self.deeper.get_or_insert(self.at);
            }
        }
        self.at += 1;
    }
}
