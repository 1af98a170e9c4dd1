//! `allow`: which warnings are not wanted, and where.

use envc_syntax::rule::{ArgRule, EMPTY, NodeRule, Repeat, Type};

use crate::lint::SLUGS;

/// `allow "unused_resource"`
pub(crate) const ALLOW: NodeRule = NodeRule {
    name: "allow",
    doc: "Silences warnings: at the top in the whole file, else in the block that it stands in, whichever that is.",
    example: "allow \"unused_resource\"",
    args: &[ArgRule {
        name: "code",
        ty: Type::OneOf(SLUGS),
        required: true,
        doc: "A warning's code; envc::lint:: may stand before it.",
    }],
    repeat: Repeat::Many,
    variadic: true,
    ..EMPTY
};
