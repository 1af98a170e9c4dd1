//! The codes of this crate's diagnostics, each with one line for people.

/// The file is larger than a spec may be.
pub const TOO_LARGE: &str = "envc::syntax::too_large";
/// Nodes are nested deeper than a spec may nest them.
pub const TOO_DEEP: &str = "envc::syntax::too_deep";
/// The file holds more nodes than a spec may hold.
pub const TOO_MANY_NODES: &str = "envc::syntax::too_many_nodes";
/// `true`, `false` or `null` stands without its `#`.
pub const BARE_KEYWORD: &str = "envc::syntax::bare_keyword";
/// A `{` is never closed.
pub const UNCLOSED: &str = "envc::syntax::unclosed";
/// A `}` closes nothing.
pub const STRAY_BRACE: &str = "envc::syntax::stray_brace";
/// The text is not KDL for another reason.
pub const INVALID: &str = "envc::syntax::invalid";

/// Every code with what it says, for `--explain`.
pub const ALL: &[(&str, &str)] = &[
    (TOO_LARGE, "The file is larger than a spec may be."),
    (TOO_DEEP, "Blocks are nested deeper than a spec may nest them."),
    (TOO_MANY_NODES, "The file holds more nodes than a spec may hold."),
    (BARE_KEYWORD, "KDL 2 writes #true, #false and #null with a number sign."),
    (UNCLOSED, "A block is opened with `{` and never closed."),
    (STRAY_BRACE, "A `}` closes nothing."),
    (INVALID, "The text is not KDL 2."),
];
