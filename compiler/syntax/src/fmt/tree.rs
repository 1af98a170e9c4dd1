//! Tokens to what the printer lays out: items, nodes and blocks, with all comments in their places.
//!
//! Nothing is resolved here: a commented node (`/-`) is a node like any other.

use super::token::{Kind, Token, is_newline};

/// What stands between an item and the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// They share a line.
    Nothing,
    /// It begins a line.
    LineEnd,
    /// Blank lines stand between them.
    Blank,
}

/// A node, or a comment that belongs to none.
#[derive(Debug)]
pub(super) struct Item<'t> {
    pub(super) before: Before,
    pub(super) what: What<'t>,
}

#[derive(Debug)]
pub(super) enum What<'t> {
    Comment(Comment<'t>),
    Node(Node<'t>),
}

/// A comment between nodes, or behind one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comment<'t> {
    pub(super) text: &'t str,
    /// It was put into a column, with several blanks before it: the characters of its line up to
    /// it, indentation left out.
    pub(super) column: Option<usize>,
    /// The blanks before it, where it begins its line.
    pub(super) indent: Option<usize>,
}

#[derive(Debug)]
pub(super) struct Node<'t> {
    pub(super) pieces: Vec<Piece<'t>>,
    /// Comments after the last piece.
    pub(super) tail: Vec<Trivia<'t>>,
    /// It was written on one line.
    pub(super) one_line: bool,
}

/// A token or a block of a node.
#[derive(Debug)]
pub(super) struct Piece<'t> {
    pub(super) gap: Vec<Trivia<'t>>,
    /// It stands close to the piece before it.
    pub(super) glued: bool,
    pub(super) body: Body<'t>,
}

#[derive(Debug)]
pub(super) enum Body<'t> {
    Text(&'t str),
    Block(Block<'t>),
}

#[derive(Debug)]
pub(super) struct Block<'t> {
    pub(super) items: Vec<Item<'t>>,
    /// It was written on one line.
    pub(super) one_line: bool,
}

/// What may stand between two pieces, besides blanks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trivia<'t> {
    /// `/* … */`
    Block(&'t str),
    /// `\` and the line's end, with a comment before that.
    Continued(Option<&'t str>),
    /// `// …` after a `/-`, where lines may end.
    Line(&'t str),
}

/// Reads all tokens of a text that parses.
pub(super) fn read<'t>(text: &'t str, tokens: &[Token<'t>]) -> Vec<Item<'t>> {
    Reader { text, tokens, at: 0, alone_until: 0 }.items()
}

struct Reader<'t, 'a> {
    text: &'t str,
    tokens: &'a [Token<'t>],
    at: usize,
    /// Comments before this token are known to stand alone: a row of them is looked at once.
    alone_until: usize,
}

impl<'t> Reader<'t, '_> {
    fn peek(&self) -> Option<Token<'t>> {
        self.tokens.get(self.at).copied()
    }

    /// Where the next token begins.
    fn start(&self) -> usize {
        self.peek().map_or(self.text.len(), |token| token.start)
    }

    /// No line ends between `from` and the next token, nor inside of what stands there.
    fn is_one_line(&self, from: usize) -> bool {
        !self.text.get(from..self.start()).unwrap_or_default().contains(is_newline)
    }

    fn take(&mut self, kind: Kind) -> Option<&'t str> {
        let token = self.peek().filter(|token| token.kind == kind)?;
        self.at += 1;
        Some(token.text)
    }

    fn items(&mut self) -> Vec<Item<'t>> {
        let mut items = Vec::new();
        let mut newlines = 0_usize;
        while let Some(token) = self.peek() {
            let what = match token.kind {
                Kind::CloseBlock => break,
                Kind::Newline | Kind::Semicolon | Kind::Continuation => {
                    newlines += usize::from(token.kind == Kind::Newline);
                    self.at += 1;
                    continue;
                }
                Kind::LineComment => self.comment(token, newlines > 0),
                Kind::BlockComment if self.stands_alone() => self.comment(token, newlines > 0),
                _ => What::Node(self.node()),
            };
            let before = match newlines {
                0 => Before::Nothing,
                1 => Before::LineEnd,
                _ => Before::Blank,
            };
            items.push(Item { before, what });
            newlines = 0;
        }
        items
    }

    fn comment(&mut self, token: Token<'t>, begins_line: bool) -> What<'t> {
        self.at += 1;
        // Of other comments a line may hold a million.
        let line = || self.text.get(..token.start)?.rsplit(is_newline).next();
        let indent = begins_line.then(line).flatten().map(|line| line.chars().count());
        let ends_line = token.kind == Kind::LineComment;
        let column = ends_line.then(line).flatten().and_then(column);
        What::Comment(Comment { text: token.text, column, indent })
    }

    /// True for a comment that no node follows on its line.
    fn stands_alone(&mut self) -> bool {
        if self.at < self.alone_until {
            return true;
        }
        let rest = self.tokens.get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|token| token.kind == Kind::BlockComment).count();
        let stands_alone = rest.get(count).is_none_or(|next| match next.kind {
            Kind::Newline
            | Kind::LineComment
            | Kind::CloseBlock
            | Kind::Semicolon
            | Kind::Continuation => true,
            Kind::Word
            | Kind::Open
            | Kind::Close
            | Kind::Equals
            | Kind::OpenBlock
            | Kind::Slashdash
            | Kind::BlockComment => false,
        });
        if stands_alone {
            self.alone_until = self.at + count;
        }
        stands_alone
    }

    fn node(&mut self) -> Node<'t> {
        let start = self.start();
        let mut pieces = Vec::new();
        let mut previous = None;
        loop {
            let gap = self.gap(previous);
            let Some(token) = self.peek().filter(|token| is_of_node(token.kind)) else {
                let one_line = self.is_one_line(start);
                return Node { pieces, tail: gap, one_line };
            };
            self.at += 1;
            let body = match token.kind {
                Kind::OpenBlock => Body::Block(self.block(token)),
                _ => Body::Text(token.text),
            };
            pieces.push(Piece { gap, glued: is_glued(previous, token.kind), body });
            previous = Some(token.kind);
        }
    }

    /// The rest of a block whose `{` was taken.
    fn block(&mut self, open: Token<'t>) -> Block<'t> {
        let items = self.items();
        let one_line = self.is_one_line(open.start);
        let _closed = self.take(Kind::CloseBlock);
        Block { items, one_line }
    }

    /// What stands between two pieces of a node, or after the last one. After `/-` lines may end.
    fn gap(&mut self, previous: Option<Kind>) -> Vec<Trivia<'t>> {
        let mut gap = Vec::new();
        let lines_may_end = previous == Some(Kind::Slashdash);
        while let Some(token) = self.peek() {
            match token.kind {
                Kind::BlockComment => gap.push(Trivia::Block(token.text)),
                Kind::LineComment if lines_may_end => gap.push(Trivia::Line(token.text)),
                Kind::Newline if lines_may_end => {}
                Kind::Continuation => {
                    self.at += 1;
                    while let Some(comment) = self.take(Kind::BlockComment) {
                        gap.push(Trivia::Block(comment));
                    }
                    gap.push(Trivia::Continued(self.take(Kind::LineComment)));
                    let _end = self.take(Kind::Newline);
                    continue;
                }
                _ => break,
            }
            self.at += 1;
        }
        gap
    }
}

/// The column of a comment that several blanks of its line stand before.
fn column(line: &str) -> Option<usize> {
    let blanks = line.chars().rev().take_while(|c| c.is_whitespace()).count();
    (blanks > 1).then(|| line.trim_start().chars().count())
}

fn is_of_node(kind: Kind) -> bool {
    match kind {
        Kind::Word
        | Kind::Open
        | Kind::Close
        | Kind::Equals
        | Kind::OpenBlock
        | Kind::Slashdash => true,
        Kind::CloseBlock
        | Kind::Semicolon
        | Kind::Continuation
        | Kind::Newline
        | Kind::LineComment
        | Kind::BlockComment => false,
    }
}

/// No blank stands inside `(type)name`, `name=value` and `/-name`.
fn is_glued(previous: Option<Kind>, kind: Kind) -> bool {
    let after =
        matches!(previous, None | Some(Kind::Slashdash | Kind::Open | Kind::Close | Kind::Equals));
    after || matches!(kind, Kind::Close | Kind::Equals)
}
