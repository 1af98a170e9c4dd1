//! Each spec of `specs/invalid` has exactly the mistake that its first line names.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

use std::{collections::BTreeSet, fs, path::PathBuf};

use envc_core::apply_edits;
use envc_spec::{codes, load};

/// Codes that no spec alone can bring about, or only one too large to keep.
const WITHOUT_CASE: &[&str] = &[
    codes::NO_PULL_REQUEST,
    codes::TEXT_TOO_LONG,
    codes::TOO_MANY_TYPES,
    envc_syntax::codes::TOO_LARGE,
    envc_syntax::codes::TOO_MANY_NODES,
    envc_syntax::codes::TOO_MANY_MISTAKES,
];

fn cases() -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../specs/invalid");
    let mut out: Vec<(String, String)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "kdl"))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path.file_name().unwrap().to_string_lossy().into_owned(), text)
        })
        .collect();
    out.sort();
    out
}

fn expected(text: &str) -> &str {
    text.lines().next().and_then(|line| line.strip_prefix("// ")).unwrap_or_default().trim()
}

#[test]
fn each_invalid_spec_has_the_one_mistake_that_it_names() {
    let mut wrong = Vec::new();
    for (name, text) in cases() {
        let (spec, found) = load(&text);
        let items = found.into_sorted();
        let codes: Vec<&str> = items.iter().map(|item| item.code).collect();
        if spec.is_some() || codes != [expected(&text)] {
            wrong.push(format!("{name}: {codes:?}\n{items:#?}"));
        }
        for item in &items {
            if item.help.as_ref().is_none_or(String::is_empty) || item.message.ends_with('.') {
                wrong.push(format!("{name}: no help, or a full stop: {}", item.message));
            }
            if item.labels.iter().any(|label| text.get(label.span.start..label.span.end).is_none())
            {
                wrong.push(format!("{name}: a label lies outside the text"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_has_a_case() {
    let named: BTreeSet<String> = cases().iter().map(|(_, text)| expected(text).into()).collect();
    let all = codes::ALL.iter().chain(envc_syntax::codes::ALL).map(|(code, _)| *code);
    let missing: Vec<&str> =
        all.filter(|code| !named.contains(*code) && !WITHOUT_CASE.contains(code)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_fix_mends_its_mistake() {
    let mut wrong = Vec::new();
    let mut fixes = 0;
    for (name, text) in cases() {
        for item in load(&text).1.into_sorted() {
            let help = item.help.clone().unwrap_or_default();
            if item.fix.is_empty() {
                if help.starts_with("did you mean") {
                    wrong.push(format!("{name}: \"{help}\" says what to write, without a fix"));
                }
                continue;
            }
            fixes += 1;
            let mended = apply_edits(&text, &item.fix).unwrap();
            if let Some(left) = load(&mended).1.iter().next() {
                wrong.push(format!("{name}: {help}: still {left:?}\n{mended}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(fixes > 10, "only {fixes} cases have a fix");
}
