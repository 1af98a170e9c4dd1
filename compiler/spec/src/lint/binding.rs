//! What a worker's template leaves out.
//!
//! The template is rendered for every type; what stands in the configuration of any of them is
//! used. Where a template prints a whole section, such as `worker.d1_databases`, all of it is.

use envc_core::KindId;
use envc_syntax::Node;

use super::{Found, View, Warning, codes, warning};

/// Bindings, variables and Durable Objects that stand in no configuration.
pub(super) fn unused<'v>(view: &'v View<'_>) -> Found<'v> {
    let mut out = Vec::new();
    view.walk(&mut |node, rule, around| {
        let what = match rule.name {
            "bind" => "binding",
            "var" => "variable",
            "durable-object" => "Durable Object",
            _ => return,
        };
        let Some(worker) = around.last().filter(|worker| worker.name.value == "worker") else {
            return;
        };
        let (Some(name), Some(worker_name)) = (node.label(), worker.label()) else { return };
        let Some(made) = view.facts.configurations.get(worker_name) else { return };
        if made.contains(name) {
            return;
        }
        let message =
            format!("the template of worker \"{worker_name}\" leaves out the {what} `{name}`");
        let section = match rule.name {
            "var" => "vars",
            "durable-object" => "durable_objects",
            _ => section_of(node).unwrap_or("bindings"),
        };
        let mut found = warning(codes::UNUSED_BINDING, node.label_span(), message)
            .at("the Worker will not see it")
            .help(format!(
                "write {{{{ worker.{section} | json }}}} in the template, or remove the {what}"
            ));
        if let Some(template) = worker.child("template") {
            found = found.label(template.label_span(), "the template");
        }
        out.push(Warning::from(found));
    });
    Found::Of(out)
}

/// The section of `wrangler.jsonc` that holds a binding.
fn section_of(bind: &Node) -> Option<&'static str> {
    let kind = KindId::parse(&bind.props.first()?.name.value)?;
    envc_kinds::declared(kind)?.node().bindable?.section.first().copied()
}
