//! The classes of Durable Objects that a worker's migrations leave, replayed as Cloudflare does.
//!
//! Source: errors 10061 and 10074 of Cloudflare's API; a class is made once, and only what was made
//! can be renamed or deleted.

use std::collections::BTreeMap;

use envc_core::{Diagnostic, Span};
use envc_syntax::{Node, Scalar};

use crate::Lower;

/// Each class that is there, and where it was made.
type Classes<'a> = BTreeMap<&'a str, Span>;

/// Replays the migrations of a worker; what cannot be is reported. A worker whose template may
/// hold migrations of its own is left alone as long as the spec has none.
pub(super) fn check(worker: &Node, cx: &mut dyn Lower) {
    let mut classes = Classes::new();
    for migration in worker.children_named("migration") {
        for step in &migration.children {
            check_step(step, &mut classes, cx);
        }
    }
    let bundle = worker.prop("deploy").and_then(Scalar::as_text) == Some("bundle");
    if worker.child("migration").is_none() && !bundle {
        return;
    }
    for object in worker.children_named("durable-object") {
        let Some(class) = object.prop("class").filter(|_| object.prop("worker").is_none()) else {
            continue;
        };
        let name = class.as_text().unwrap_or_default();
        if !classes.contains_key(name) {
            let message = format!("no migration of this worker makes the class `{name}`");
            let error = Diagnostic::error("envc::spec::unknown_reference", class.span, message)
                .at("is not there after the last migration");
            let otherwise = format!("add migration tag=\"v1\" {{ new-sqlite-classes \"{name}\" }}");
            let known: Vec<&str> = classes.keys().copied().collect();
            cx.report(cx.suggest(error, class, &known, &otherwise));
        }
    }
}

fn check_step<'n>(step: &'n Node, classes: &mut Classes<'n>, cx: &mut dyn Lower) {
    match step.name.value.as_str() {
        "new-sqlite-classes" | "new-classes" => {
            for scalar in &step.args {
                made(scalar, classes, cx);
            }
        }
        "deleted-classes" => {
            for scalar in &step.args {
                gone(scalar, classes, cx);
            }
        }
        "renamed-class" => {
            if let (Some(from), Some(to)) = (step.prop("from"), step.prop("to")) {
                gone(from, classes, cx);
                made(to, classes, cx);
            }
        }
        _ => {}
    }
}

fn made<'n>(scalar: &'n Scalar, classes: &mut Classes<'n>, cx: &mut dyn Lower) {
    let Some(name) = scalar.as_text() else { return };
    if let Some(first) = classes.insert(name, scalar.span) {
        let message = format!("the class `{name}` is there already");
        cx.report(
            Diagnostic::error("envc::spec::duplicate", scalar.span, message)
                .at("made again")
                .label(first, "made here")
                .help("remove one; a class is made by one migration, once"),
        );
    }
}

fn gone<'n>(scalar: &'n Scalar, classes: &mut Classes<'n>, cx: &mut dyn Lower) {
    let Some(name) = scalar.as_text() else { return };
    if classes.remove(name).is_none() {
        let message = format!("there is no class `{name}` at this point");
        let error = Diagnostic::error("envc::spec::unknown_reference", scalar.span, message)
            .at("no migration before this one makes it");
        let none = "remove it, or make the class in an earlier migration";
        let known: Vec<&str> = classes.keys().copied().collect();
        cx.report(cx.suggest(error, scalar, &known, none));
    }
}
