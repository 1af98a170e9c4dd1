//! Who consumes a queue: one Worker, and no queue is its own dead letter queue.
//!
//! Source: error 11004 of Cloudflare's API, one consumer for each queue.

use std::collections::BTreeMap;

use envc_core::{Diagnostic, Span};
use envc_syntax::{Node, Prop};

use crate::{codes, scope::Scope};

impl Scope<'_> {
    /// Checks the `consume` nodes of all workers of the type.
    pub(crate) fn check_consumers(&mut self) {
        let merged = self.given.merged;
        let mut first: BTreeMap<&str, Span> = BTreeMap::new();
        for worker in merged.all("worker") {
            let mut own: BTreeMap<&str, Span> = BTreeMap::new();
            for node in worker.children_named("consume") {
                self.check_dead_letter(node);
                let Some(queue) = node.label() else { continue };
                own.entry(queue).or_insert(node.label_span());
            }
            for (queue, span) in own {
                match first.get(queue) {
                    None => {
                        first.insert(queue, span);
                    }
                    Some(place) => {
                        let message = format!("two workers consume the queue \"{queue}\"");
                        self.error(
                            Diagnostic::error(codes::CONFLICT, span, message)
                                .at("a second consumer")
                                .label(*place, "consumed here")
                                .help("a queue has one consumer: remove one, or declare a queue for each worker"),
                        );
                    }
                }
            }
        }
    }

    fn check_dead_letter(&mut self, node: &Node) {
        let dead_letter = node.prop("dead-letter");
        let Some(scalar) = dead_letter.filter(|scalar| scalar.as_text() == node.label()) else {
            return;
        };
        let queue = scalar.as_text().unwrap_or_default();
        let message = format!("the queue \"{queue}\" is its own dead letter queue");
        let entry = node.prop_entry("dead-letter").map_or(scalar.span, Prop::span);
        self.error(
            Diagnostic::error(codes::CONFLICT, scalar.span, message)
                .at("failed messages would come back for ever")
                .help("name another queue; without `dead-letter=` messages that failed are deleted")
                .fix(entry, ""),
        );
    }
}
