//! Lays out items. One pass; what stays on one line is tried first, and taken when it fits.

use super::{
    token::is_newline,
    tree::{Before, Block, Body, Comment, Item, Node, Trivia, What},
};

/// Columns within which several nodes may share a line.
pub(super) const COLUMNS_MAX: usize = 120;
/// Blanks of one level of indentation.
const INDENT: usize = 4;

/// Lays out a document.
pub(super) fn print(items: &[Item<'_>]) -> String {
    let mut printer = Printer::default();
    printer.items(items, 0, false);
    if !printer.out.is_empty() {
        printer.out.push('\n');
    }
    printer.out
}

#[derive(Default)]
struct Printer {
    out: String,
    /// Characters of the last line.
    width: usize,
    /// The blanks that it begins with.
    indent: usize,
    /// Nothing may follow on the last line.
    is_closed: bool,
    /// The last line was put together anew: columns of the old one mean nothing.
    is_remade: bool,
    /// All goes on one line, until it is too long.
    is_flat: bool,
}

impl Printer {
    fn push(&mut self, text: &str) {
        self.out.push_str(text);
        match text.rsplit_once(is_newline) {
            None => self.width += text.chars().count(),
            Some((_, line)) => {
                self.width = line.chars().count();
                self.indent = self.width - line.trim_start().chars().count();
            }
        }
    }

    /// Begins a line.
    fn line(&mut self, depth: usize) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.width = depth * INDENT;
        self.indent = self.width;
        self.out.extend(std::iter::repeat_n(' ', self.width));
        self.is_closed = false;
        self.is_remade = false;
    }

    /// A blank, unless one is there or the line is empty.
    fn space(&mut self) {
        if self.width > self.indent && !self.out.ends_with(' ') {
            self.push(" ");
        }
    }

    /// With `apart` each node gets a line of its own.
    fn items(&mut self, items: &[Item<'_>], depth: usize, apart: bool) {
        let mut rest = items;
        let mut is_first = true;
        while let Some((item, more)) = rest.split_first() {
            if item.before == Before::Blank && !is_first {
                self.out.push('\n');
            }
            match &item.what {
                What::Comment(comment) => {
                    // Behind the `{` of a block it is not yet in it.
                    is_first &= self.comment(*comment, item.before, depth);
                    rest = more;
                }
                What::Node(_) => {
                    is_first = false;
                    let joined = |item: &&Item<'_>| {
                        !apart
                            && item.before == Before::Nothing
                            && matches!(item.what, What::Node(_))
                    };
                    let count = 1 + more.iter().take_while(joined).count();
                    let (group, after) = rest.split_at_checked(count).unwrap_or((rest, &[]));
                    self.group(group, depth);
                    rest = after;
                }
            }
        }
    }

    /// True when it stands at the end of a line.
    fn comment(&mut self, comment: Comment<'_>, before: Before, depth: usize) -> bool {
        let ends_line = before == Before::Nothing && !self.out.is_empty() && !self.is_closed;
        if ends_line {
            let width = self.width - self.indent;
            let column = comment.column.filter(|_| !self.is_remade).unwrap_or_default();
            let blanks = column.saturating_sub(width).max(1);
            self.push(&" ".repeat(blanks));
            self.comment_text(comment.text);
        } else {
            self.line(depth);
            let from = comment.indent.unwrap_or(self.width);
            self.comment_text(&moved(comment.text, from, self.width));
        }
        ends_line
    }

    fn comment_text(&mut self, text: &str) {
        let text = trimmed(text);
        self.is_closed = text.starts_with("//");
        self.push(&text);
    }

    /// Nodes that share a line.
    fn group(&mut self, group: &[Item<'_>], depth: usize) {
        self.line(depth);
        let nodes = || group.iter().filter_map(|item| as_node(item));
        if group.len() > 1 {
            if nodes().all(|node| node.one_line) && self.flat(|flat| flat.flat_items(group)) {
                return;
            }
            for (index, node) in nodes().enumerate() {
                if index > 0 {
                    self.line(depth);
                }
                self.node(node, depth);
            }
            self.is_remade = true;
            return;
        }
        for node in nodes() {
            self.node(node, depth);
        }
    }

    /// Prints on the last line what fits there; false, and nothing printed, when it does not.
    fn flat(&mut self, print: impl FnOnce(&mut Self)) -> bool {
        let mut flat =
            Self { width: self.width, indent: self.indent, is_flat: true, ..Self::default() };
        print(&mut flat);
        if flat.width > COLUMNS_MAX {
            return false;
        }
        self.push(&flat.out);
        true
    }

    fn flat_items(&mut self, items: &[Item<'_>]) {
        let mut follows_node = false;
        for item in items {
            if self.width > COLUMNS_MAX {
                return;
            }
            match &item.what {
                What::Comment(comment) => {
                    self.space();
                    self.comment_text(comment.text);
                }
                What::Node(node) => {
                    if follows_node {
                        self.push(" ;");
                    }
                    if !self.out.is_empty() {
                        self.space();
                    }
                    self.node(node, 0);
                    follows_node = true;
                }
            }
        }
    }

    fn node(&mut self, node: &Node<'_>, depth: usize) {
        for piece in &node.pieces {
            if self.is_flat && self.width > COLUMNS_MAX {
                return;
            }
            self.gap(&piece.gap, piece.glued, depth);
            match &piece.body {
                Body::Text(text) => self.push(text),
                Body::Block(block) => self.block(block, depth),
            }
        }
        self.tail(&node.tail, depth);
    }

    fn block(&mut self, block: &Block<'_>, depth: usize) {
        let Block { items, one_line } = block;
        let flat_block = |flat: &mut Self| {
            flat.push("{");
            flat.space();
            flat.flat_items(items);
            flat.push(" }");
        };
        if items.is_empty() {
            self.push("{}");
        } else if self.is_flat {
            flat_block(self);
        } else if !(*one_line && self.flat(flat_block)) {
            self.push("{");
            self.is_remade = *one_line;
            self.items(items, depth + 1, *one_line);
            self.line(depth);
            self.push("}");
            self.is_remade = *one_line;
        }
    }

    /// What stands before a piece. Close to a sign a continued line is joined, and elsewhere two
    /// in a row are one.
    fn gap(&mut self, gap: &[Trivia<'_>], glued: bool, depth: usize) {
        let mut is_needed = !glued;
        for (index, trivia) in gap.iter().enumerate() {
            let is_plain = *trivia == Trivia::Continued(None);
            let is_by_another = [index.checked_sub(1), Some(index + 1)]
                .into_iter()
                .flatten()
                .any(|other| matches!(gap.get(other), Some(Trivia::Continued(Some(_)))));
            let is_repeated = index > 0 && gap.get(index - 1) == Some(trivia);
            if is_plain && (glued || is_by_another || is_repeated) {
                continue;
            }
            self.trivia(*trivia, depth);
            is_needed = true;
        }
        if is_needed {
            self.space();
        }
    }

    fn trivia(&mut self, trivia: Trivia<'_>, depth: usize) {
        self.space();
        match trivia {
            Trivia::Block(comment) => self.comment_text(comment),
            Trivia::Line(comment) => {
                self.comment_text(comment);
                self.line(depth + 1);
            }
            Trivia::Continued(comment) => {
                self.push("\\");
                if let Some(comment) = comment {
                    self.space();
                    self.comment_text(comment);
                }
                self.line(depth + 1);
            }
        }
    }

    /// What stands after a node's last piece: nothing is left to continue there, so that comments
    /// stand as after any node.
    fn tail(&mut self, tail: &[Trivia<'_>], depth: usize) {
        for trivia in tail {
            let comment = match trivia {
                Trivia::Continued(None) => continue,
                Trivia::Block(text) | Trivia::Line(text) | Trivia::Continued(Some(text)) => text,
            };
            if self.is_closed {
                self.line(depth);
            } else {
                self.space();
            }
            self.comment_text(comment);
        }
    }
}

fn as_node<'i, 't>(item: &'i Item<'t>) -> Option<&'i Node<'t>> {
    match &item.what {
        What::Node(node) => Some(node),
        What::Comment(_) => None,
    }
}

/// A comment that stood at one indentation, for another: its further lines move with the first, as
/// far as all of them can.
fn moved(comment: &str, from: usize, to: usize) -> String {
    let (first, rest) = comment.split_once('\n').unwrap_or((comment, ""));
    let filled = rest.lines().filter(|line| !line.trim().is_empty());
    let blanks = filled.map(|line| line.len() - line.trim_start_matches([' ', '\t']).len());
    let cut = from.saturating_sub(to).min(blanks.min().unwrap_or_default());
    let put = " ".repeat(to.saturating_sub(from));
    let mut out = first.to_owned();
    for line in comment.split('\n').skip(1) {
        out.push('\n');
        if !line.trim().is_empty() {
            out.push_str(&put);
            out.push_str(line.get(cut..).unwrap_or_default());
        }
    }
    out
}

/// A comment without blanks at the ends of its lines.
fn trimmed(comment: &str) -> String {
    let lines: Vec<&str> = comment.split('\n').map(str::trim_end).collect();
    lines.join("\n")
}
