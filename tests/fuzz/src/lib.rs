//! What must hold of every text, whatever is in it. A fuzzer looks for texts of which it does not
//! hold (`cargo xtask fuzz`); those that it found interesting are replayed by a test.
#![expect(clippy::panic, reason = "a breach is told by panicking: the fuzzer knows no other way")]

use envc_core::{Diagnostics, RepositoryDigest, apply_edits};
use envc_spec::{Instance, Spec, TypeHead, load};

/// Looks at what must hold of every text.
///
/// # Panics
///
/// Where something does not hold.
pub fn check(text: &str) {
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

fn instance(head: &TypeHead) -> Instance {
    Instance {
        id: head.identity.fixed(Some(42)).unwrap_or_else(|| "fix-login-towch3c9f3".into()),
        branch: Some("fix/login".into()),
        pr: Some(42),
        sha: Some("5ca1ab1e00000000000000000000000000000000".into()),
        ports: head.ports.iter().map(|(name, range)| (name.clone(), range.first)).collect(),
        local_cloud: false,
        repository: RepositoryDigest::UNKNOWN,
    }
}
