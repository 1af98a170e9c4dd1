//! The layout of a spec: the same nodes and comments, as everybody writes them.
//!
//! What the formatter decides:
//! - Four blanks for each level, one blank between words, none inside `name=value`, `(type)value` and
//!   `/-name`; `{` ends its line and `}` begins one.
//! - Lines stay as the author made them. What stood on one line stays on one, with ` ; ` between
//!   nodes, as long as it fits into 120 columns (a comment at its end not counted); what does not
//!   fit gets a line for each node. Nothing is ever put together.
//! - A single node that is too long is left alone. A line that `\` continues stays continued and is
//!   indented by one level more; inside `name=value` and the like it is joined.
//! - At most one blank line in a row, and none at the beginning or the end of a block.
//! - A comment at a line's end stays there, after one blank. Where the author put several blanks,
//!   its column is kept: comments that stood in one column still do, unless the line grew past it.
//! - A comment on a line of its own is indented as the nodes around it; the further lines of a
//!   `/* */` move along. Of its text only blanks at the ends of lines go.
//! - Strings and numbers stay as they were written. Lines end with `\n`, the file with exactly one;
//!   a byte order mark goes.
//!
//! It works on tokens of its own and not on the KDL crate's document, whose own formatter rewrites
//! strings. That it changes nothing else is not a matter of trust: every result is parsed again and
//! compared, `verify.rs`.

mod print;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
mod token;
mod tree;
mod verify;

use envc_core::{Diagnostic, Diagnostics, Span, limits::SPEC_BYTES_MAX};

use crate::{codes, parse};

/// Why a text is not formatted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormatError {
    /// It does not parse, or it is too large: what is wrong with it.
    Wrong(Diagnostics),
    /// The result would say something else. A mistake of this crate; what differs, for a report.
    Bug(String),
}

/// Formats a text that parses. Formatting the result once more changes nothing.
pub fn format(text: &str) -> Result<String, FormatError> {
    let (before, found) = parse(text);
    if found.has_errors() {
        return Err(FormatError::Wrong(found));
    }
    // KDL reads all these line ends alike, in strings of several lines, too.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let text = text.replace('\r', "\n");
    let tokens = token::tokens(&text);
    let formatted = print::print(&tree::read(&text, &tokens));
    if formatted.len() > SPEC_BYTES_MAX {
        return Err(FormatError::Wrong(too_large(formatted.len())));
    }
    let (after, found) = parse(&formatted);
    if let Some(one) = found.into_sorted().first() {
        return Err(FormatError::Bug(format!("the result does not parse: {}", one.message)));
    }
    let formatted_tokens = token::tokens(&formatted);
    match verify::difference((&before, &tokens), (&after, &formatted_tokens)) {
        Some(difference) => Err(FormatError::Bug(difference)),
        None if !verify::witnessed(&text, &formatted) => {
            Err(FormatError::Bug("another reader of KDL reads something else".to_owned()))
        }
        None => Ok(formatted),
    }
}

fn too_large(bytes: usize) -> Diagnostics {
    let message =
        format!("formatted, the spec would have {bytes} bytes; at most {SPEC_BYTES_MAX} are read");
    let mut found = Diagnostics::new();
    found.push(
        Diagnostic::error(codes::TOO_LARGE, Span::default(), message)
            .help("split the project into several specs"),
    );
    found
}
