//! Mistakes in nodes, blocks and comments.

use envc_core::{Diagnostic, Span, limits};

use super::{at, point, quote, shown};
use crate::{Prop, codes};

pub(in crate::read) fn json(text: &str, whole: Span) -> Diagnostic {
    let brace = Span::new(whole.start, whole.start + 1);
    let what = if at(text, brace) == "{" { "an object" } else { "a list" };
    Diagnostic::error(codes::NOT_KDL, brace, "this file is JSON; a spec is written in KDL 2")
        .at(format!("{what} of JSON begins here"))
        .help(
            "a spec begins with `project \"shop\" { zone \"shop.example\" }`: a node is a name, \
             its values, its properties `name=\"value\"`, and a block, on one line without commas",
        )
}

pub(in crate::read) fn too_deep(span: Span) -> Diagnostic {
    let max = limits::SPEC_DEPTH_MAX;
    let message = format!("blocks are nested more than {max} deep, which is the most that is read");
    Diagnostic::error(codes::TOO_DEEP, span, message)
        .at("one too deep")
        .help("the language needs four levels; look for a `}` that is missing")
}

pub(in crate::read) fn rest_is_not_read(span: Span) -> Diagnostic {
    let max = limits::SYNTAX_MISTAKES_MAX;
    let message = format!("the rest was not read, after {max} mistakes in how the text is written");
    Diagnostic::error(codes::TOO_MANY_MISTAKES, span, message)
        .at("from here on")
        .help("mend those above and check again")
}

pub(in crate::read) fn unclosed(text: &str, brace: usize, place: Span, edit: &str) -> Diagnostic {
    let span = Span::new(brace, brace + 1);
    let mistake =
        Diagnostic::error(codes::UNCLOSED, span, "this block is never closed").at("opened here");
    let rest = text.get(place.start..).unwrap_or_default();
    let blanks = rest.len() - rest.trim_start().len();
    let next = Span::new(place.start + blanks, place.start + blanks + 1);
    let mistake = match rest.chars().nth(blanks) {
        Some(c) if c.is_ascii() => mistake.label(next, "it seems to end before this"),
        _ => mistake,
    };
    mistake.help("add a `}` on a line of its own where the block ends").fix(place, edit)
}

pub(in crate::read) fn stray_brace(span: Span, deeper: Option<usize>) -> Diagnostic {
    let mistake = Diagnostic::error(codes::STRAY_BRACE, span, "this `}` closes nothing");
    match deeper {
        Some(other) => mistake
            .label(
                Span::new(other, other + 1),
                "this one closes a block that begins further left: a `{` may be missing before it",
            )
            .help("add the `{` that is missing, or remove a `}`"),
        None => mistake.help("remove it, or add the `{` that it should close").fix(span, ""),
    }
}

pub(in crate::read) fn empty_node(span: Span) -> Diagnostic {
    Diagnostic::error(codes::EMPTY_NODE, span, "this `;` ends no node")
        .at("nothing stands before it")
        .help("remove it: one `;` stands between two nodes of a line")
        .fix(span, "")
}

pub(in crate::read) fn nameless_block(
    text: &str,
    brace: usize,
    before: Option<usize>,
) -> Diagnostic {
    let span = Span::new(brace, brace + 1);
    let mistake = Diagnostic::error(
        codes::BLOCK_WITHOUT_NODE,
        span,
        "this block belongs to no node: a node ends with its line",
    );
    let gap = before.map(|end| Span::new(end, brace));
    match gap.filter(|gap| at(text, *gap).chars().all(char::is_whitespace)) {
        Some(gap) => mistake
            .label(point(gap.start), "the node ended here")
            .help("put the `{` on the line of its node")
            .fix(gap, " "),
        None => mistake.help("write the name of a node before it, such as `worker \"web\" {`"),
    }
}

pub(in crate::read) fn second_block(first: Span, second: Span) -> Diagnostic {
    let close = Span::new(first.end.saturating_sub(1), second.start + 1);
    Diagnostic::error(
        codes::SECOND_BLOCK,
        Span::new(second.start, second.start + 1),
        "a node has one block, and this is the second one",
    )
    .at("the second block")
    .label(Span::new(first.start, first.start + 1), "the first block")
    .help("put what is in both into one block")
    .fix(close, "\n")
}

pub(in crate::read) fn after_block(text: &str, block: Span, rest: Span, from: usize) -> Diagnostic {
    let what = at(text, rest);
    let message = format!("`{}` stands behind the node's block", shown(what));
    Diagnostic::error(codes::AFTER_BLOCK, rest, message)
        .label(Span::new(block.start, block.start + 1), "the block")
        .help(
            "values and properties stand before the `{`; another node begins on a line of its own",
        )
        .fix(point(from), format!(" {what} "))
        .fix(rest, "")
}

pub(in crate::read) fn next_node(block: Span, start: usize) -> Diagnostic {
    Diagnostic::error(
        codes::AFTER_BLOCK,
        Span::new(start, start + 1),
        "this node stands on the line where another one's block ends",
    )
    .label(Span::new(block.end.saturating_sub(1), block.end), "the block ends here")
    .help("put a `;` between them, or begin a new line")
    .fix(point(start), "; ")
}

pub(in crate::read) fn comment_after_block(span: Span) -> Diagnostic {
    Diagnostic::error(
        codes::AFTER_BLOCK,
        span,
        "this is commented out behind the node's block, where nothing may stand",
    )
    .help("remove it, or move it before the `{`")
    .fix(span, "")
}

pub(in crate::read) fn comments_nothing(span: Span) -> Diagnostic {
    let message = "`/-` takes away the node, value or block behind it, and there is none";
    Diagnostic::error(codes::NOTHING_COMMENTED, span, message)
        .help("remove it, or write `//` before a comment")
        .fix(span, "")
}

pub(in crate::read) fn unclosed_comment(start: usize) -> Diagnostic {
    let span = Span::new(start, start + 2);
    Diagnostic::error(codes::UNCLOSED_COMMENT, span, "this comment is never closed")
        .at("opened here")
        .help(
            "add `*/` where it ends; each `/*` inside of it needs one of its own. A comment of one \
             line is written `// …`",
        )
}

pub(in crate::read) fn stray_comment_end(span: Span) -> Diagnostic {
    Diagnostic::error(codes::UNCLOSED_COMMENT, span, "this `*/` closes no comment")
        .help("remove it, or add the `/*` that it should close")
        .fix(span, "")
}

pub(in crate::read) fn number_sign_comment(text: &str, line: Span) -> Diagnostic {
    let marks = at(text, line).bytes().take_while(|byte| *byte == b'#').count();
    let sign = Span::new(line.start, line.start + marks);
    let message = "a comment begins with `//`; `#` begins a keyword or a raw text";
    Diagnostic::error(codes::COMMENT, sign, message)
        .help(format!("write `//{}`", shown(at(text, Span::new(sign.end, line.end)))))
        .fix(sign, "//")
}

pub(in crate::read) fn no_name(text: &str, span: Span) -> Diagnostic {
    let message = format!("a node begins with its name, and `{}` is none", shown(at(text, span)));
    Diagnostic::error(codes::NODE_NAME, span, message)
        .help("write the node's name first, such as `let name \"value\"`; a line that ends with `\\` goes on in the next one")
}

/// `d1 = "main"`: a node, or a property that stands on a line of its own.
pub(in crate::read) fn assignment(text: &str, prop: &Prop, parent: Option<usize>) -> Diagnostic {
    let name = at(text, prop.name.span);
    let value = at(text, prop.value.span);
    let (name, value) = (shown(name), shown(value));
    let gap = Span::new(prop.name.span.end, prop.value.span.start);
    let span = Span::new(prop.name.span.start, prop.value.span.end);
    let message = "a node is written without `=`: its name, a blank, its values";
    let mistake = Diagnostic::error(codes::ASSIGNMENT, span, message);
    let is_variable = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let line_of_parent = parent.and_then(|brace| text.get(..brace)).map(str::trim_end);
    let parent_line = line_of_parent.and_then(|before| before.rsplit(['\n', ';', '{']).next());
    match parent_line.map(str::trim).filter(|_| !prop.name.value.chars().all(is_variable)) {
        Some(line) => mistake.help(format!(
            "a property stands on the line of its node, before the `{{`: `{} {name}={value}`; a \
             node of its own is `{name} {value}`",
            shown(line),
        )),
        None => mistake.help(format!("write `{name} {value}`")).fix(gap, " "),
    }
}

/// Something before an `=` that names no property.
pub(in crate::read) fn name_is_no_text(text: &str, span: Span) -> Diagnostic {
    let word = at(text, span);
    let message = format!("`{}` cannot be the name of a property", shown(word));
    Diagnostic::error(codes::PROPERTY_NAME, span, message)
        .help(format!("write a name that begins with a letter, or {} as text", shown(&quote(word))))
}

pub(in crate::read) fn no_value(text: &str, name: Span, equals: Span) -> Diagnostic {
    let word = shown(at(text, name));
    let span = Span::new(name.start, equals.end);
    let rest = text.get(equals.end..).unwrap_or_default();
    if rest.trim_start_matches([' ', '\t']).starts_with('{') {
        let message = "a block follows its node without `=`";
        return Diagnostic::error(codes::MISSING_VALUE, span, message)
            .help(format!("write `{word} {{`"))
            .fix(Span::new(name.end, equals.end), if rest.starts_with('{') { " " } else { "" });
    }
    Diagnostic::error(codes::MISSING_VALUE, span, format!("`{word}=` has no value"))
        .help(format!("write the value behind the `=`, or remove `{word}=`"))
}
