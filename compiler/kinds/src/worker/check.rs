//! What of a worker its grammar cannot say: names that meet, settings that need each other,
//! schedules.

use std::collections::BTreeMap;

use envc_core::{Diagnostic, Span};
use envc_syntax::{Node, Scalar};

use super::{MARKER_VARIABLE, cron};
use crate::Lower;

/// What puts a name into the object that a Worker's code gets as `env`, and what it is called.
const IN_ENV: [(&str, &str); 4] = [
    ("bind", "a binding"),
    ("var", "a variable"),
    ("secret", "a secret"),
    ("durable-object", "a Durable Object"),
];

/// Checks a worker beyond its grammar.
pub(super) fn check(node: &Node, cx: &mut dyn Lower) {
    check_env(node, cx);
    check_bundle(node, cx);
    check_template(node, cx);
    for scalar in node.children_named("cron").filter_map(|cron| cron.args.first()) {
        check_cron(scalar, cx);
    }
    let flags = node.child("compatibility-flags").map(|flags| flags.args.as_slice());
    for scalar in flags.unwrap_or_default() {
        check_flag(scalar, cx);
    }
}

/// Bindings, variables, secrets and Durable Objects share one namespace.
fn check_env(node: &Node, cx: &mut dyn Lower) {
    let mut seen: BTreeMap<&str, (&str, Span)> = BTreeMap::new();
    for child in &node.children {
        let word = IN_ENV.iter().find(|(kind, _)| *kind == child.name.value);
        let (Some((_, word)), Some(name)) = (word, child.label()) else { continue };
        if name == MARKER_VARIABLE {
            let message = format!("`{name}` is the variable by which envc knows its Workers");
            cx.report(
                Diagnostic::error("envc::spec::reserved_name", child.label_span(), message)
                    .at(format!("cannot be {word}"))
                    .help("give it another name"),
            );
        }
        match seen.get(name) {
            // Two of one kind are reported, or merged, by the checker.
            Some((first, _)) if first == word => {}
            Some((first, place)) => {
                let message = format!("`{name}` is {first} and {word} of one worker");
                let error = Diagnostic::error("envc::spec::duplicate", child.label_span(), message)
                    .at(format!("{word} of the same name"))
                    .label(*place, format!("{first} already"));
                cx.report(error.help("the code sees both as env.NAME: rename one of them"));
            }
            None => {
                seen.insert(name, (word, child.label_span()));
            }
        }
    }
}

fn check_bundle(node: &Node, cx: &mut dyn Lower) {
    let deploy = node.prop("deploy");
    let is_bundle = deploy.and_then(Scalar::as_text) == Some("bundle");
    match (is_bundle, deploy, node.prop_entry("bundle")) {
        (true, Some(deploy), None) => cx.report(
            Diagnostic::error(
                "envc::spec::missing_property",
                deploy.span,
                "a worker that envc deploys needs `bundle=`",
            )
            .at("needs the folder of the built script")
            .help("add bundle=\"dist\""),
        ),
        (false, _, Some(bundle)) => {
            let error = Diagnostic::error(
                "envc::spec::conflict",
                bundle.span(),
                "`bundle=` has an effect only with `deploy=\"bundle\"`",
            )
            .at("has no effect")
            .help("add deploy=\"bundle\", or remove `bundle=`");
            let end = Span::new(bundle.span().end, bundle.span().end);
            cx.report(match deploy {
                None => error.fix(end, " deploy=\"bundle\""),
                Some(_) => error.fix(bundle.span(), ""),
            });
        }
        _ => {}
    }
}

/// An upload is made of the spec alone: what only a template says would be in `wrangler.jsonc` and not in
/// the account.
fn check_template(node: &Node, cx: &mut dyn Lower) {
    let deploy = node.prop("deploy").filter(|it| it.as_text() == Some("bundle"));
    let (Some(deploy), Some(template)) = (deploy, node.child("template")) else { return };
    let message = "a worker that envc deploys has no `template`";
    cx.report(
        Diagnostic::error("envc::spec::conflict", template.label_span(), message)
            .at("what it says would not be deployed")
            .label(deploy.span, "envc uploads what the spec says")
            .help(
                "remove `template`, and say in the spec what it says; or let wrangler deploy: remove \
                 `deploy=` and `bundle=`",
            ),
    );
}

/// Five fields in UTC, with Quartz's `L`, `W` and `#`; the week begins with Sunday as 1.
/// Source: <https://developers.cloudflare.com/workers/configuration/cron-triggers/>
fn check_cron(scalar: &Scalar, cx: &mut dyn Lower) {
    let text = scalar.as_text().unwrap_or_default();
    let Err(at) = cron::form(text) else { return };
    let message = format!("`{text}` is not a schedule");
    cx.report(Diagnostic::error("envc::spec::invalid_value", scalar.span, message).at(at).help(
        "write minute, hour, day, month and weekday in UTC, such as \"*/5 * * * *\" or \"0 6 * * mon-fri\"; weekdays are 1 (Sunday) to 7, or sun to sat",
    ));
}

fn check_flag(scalar: &Scalar, cx: &mut dyn Lower) {
    let text = scalar.as_text().unwrap_or_default();
    let plain = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '_');
    if text.chars().all(plain) && !text.is_empty() {
        return;
    }
    let error = Diagnostic::error(
        "envc::spec::invalid_value",
        scalar.span,
        format!("`{text}` is not a compatibility flag"),
    )
    .at("flags are made of a-z, 0-9 and _");
    let words: Vec<&str> = text.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    cx.report(if words.len() > 1 {
        let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        error.help("write each flag as an argument of its own").fix(scalar.span, quoted.join(" "))
    } else {
        let near = text.to_lowercase().replace('-', "_");
        let good = near.chars().all(plain) && !near.is_empty();
        let error = error.help("write it as Cloudflare does, such as \"nodejs_compat\"");
        if good { error.fix(scalar.span, format!("\"{near}\"")) } else { error }
    });
}
