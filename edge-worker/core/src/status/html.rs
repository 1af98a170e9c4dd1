//! Markup that cannot be broken out of.

use std::fmt::{self, Display, Write as _};

/// A growing piece of markup.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Puts in markup of this crate's own.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Puts in a text, be it between tags or in a quoted attribute.
    pub(super) fn text(&mut self, text: impl Display) -> &mut Self {
        // Writing to a string cannot fail.
        let _written = write!(Escaped(&mut self.0), "{text}");
        self
    }

    pub(super) fn finish(&mut self) -> String {
        std::mem::take(&mut self.0)
    }
}

/// Escapes whatever is written into it.
struct Escaped<'a>(&'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let is_special = |it: char| matches!(it, '&' | '<' | '>' | '"' | '\'') || it.is_control();
        for piece in text.split_inclusive(is_special) {
            let last = piece.chars().next_back().filter(|last| is_special(*last));
            let Some(last) = last else {
                self.0.push_str(piece);
                continue;
            };
            self.0.push_str(piece.strip_suffix(last).unwrap_or_default());
            self.0.push_str(match last {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '"' => "&quot;",
                '\'' => "&#39;",
                // Control characters are no text, and XML refuses them.
                _ => "\u{fffd}",
            });
        }
        Ok(())
    }
}
