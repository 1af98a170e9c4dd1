//! The text of a spec.
//!
//! Every place of a mistake lies in the text, every mistake has its help, and every fix can be made. The
//! formatter keeps what a text says, and formats its own result to the same. A spec without mistakes
//! gives an environment of each type, and its resolved text gives the same ones.

use envc_core::{Diagnostics, apply_edits};
use envc_spec::{Spec, TypeHead, load};

use crate::shop::instance;

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (document, found) = envc_syntax::parse(text);
    places(text, &found);
    assert!(document.nodes.is_empty() || !found.has_errors(), "nodes of a text with mistakes");
    if found.has_errors() {
        let (spec, all) = load(text);
        assert!(spec.is_none() && all.len() == found.len(), "more than the mistakes of syntax");
        return;
    }
    formats(text);
    let (spec, found) = load(text);
    places(text, &found);
    assert_eq!(spec.is_some(), !found.has_errors(), "{found:#?}");
    if let Some(spec) = spec {
        for head in spec.types() {
            resolves(&spec, head);
        }
    }
}

/// Every place lies in the text, every mistake has its help, every change can be made.
fn places(text: &str, found: &Diagnostics) {
    for one in found.iter() {
        let labels = one.labels.iter().map(|label| label.span);
        for span in labels.chain(one.fix.iter().map(|edit| edit.span)) {
            assert!(text.get(span.start..span.end).is_some(), "outside of the text: {one:#?}");
        }
        assert!(one.help.as_ref().is_some_and(|help| !help.is_empty()), "no help: {one:#?}");
        assert!(one.fix.is_empty() || apply_edits(text, &one.fix).is_some(), "{one:#?}");
    }
}

/// The formatter keeps what a text says (it compares by itself), and formats its own result to the
/// same.
fn formats(text: &str) {
    match envc_syntax::format(text) {
        Ok(formatted) => match envc_syntax::format(&formatted) {
            Ok(again) => assert_eq!(again, formatted, "formatted twice it is another text"),
            Err(error) => panic!("what was formatted is refused: {error:?}\n{formatted}"),
        },
        Err(envc_syntax::FormatError::Wrong(_)) => {} // it grew beyond the limit
        Err(error) => panic!("{error:?}"),
    }
}

/// A spec without mistakes gives an environment of each type, and its resolved text the same one.
fn resolves(spec: &Spec, head: &TypeHead) {
    let instance = instance(head);
    let environment = spec.environment(&head.name, &instance);
    let environment = environment.unwrap_or_else(|found| panic!("{}: {found:#?}", head.name));
    let Some(text) = spec.resolved_kdl(&head.name) else { panic!("{} has no text", head.name) };
    let (again, found) = load(&text);
    let Some(again) = again else { panic!("{}: {found:#?}\n{text}", head.name) };
    let other = again.environment(&head.name, &instance);
    let other = other.unwrap_or_else(|found| panic!("{}: {found:#?}\n{text}", head.name));
    assert_eq!(meaning(&other), meaning(&environment), "{text}");
}

/// An environment as text, without the places in the spec.
fn meaning(environment: &impl std::fmt::Debug) -> String {
    let text = format!("{environment:#?}");
    let mut lines = text.lines();
    let mut out = String::new();
    while let Some(line) = lines.next() {
        if line.trim_start().ends_with("Span {") {
            let _place: Vec<&str> = lines.by_ref().take(3).collect();
            continue;
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}
