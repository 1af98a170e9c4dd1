//! What holds for every text, branch and instance.

use std::collections::BTreeMap;

use envc_spec::{Instance, branch_id, identity_from_branch, load};
use proptest::prelude::*;

const EVENTUALL: &str = include_str!("../../../specs/eventuall/environment.kdl");
const VIBECHECC: &str = include_str!("../../../specs/vibechecc/environment.kdl");
const QUICKSTART: &str = include_str!("../../../specs/quickstart/environment.kdl");

/// Loads a text, and looks at what is promised of every result.
fn check(text: &str) {
    let (spec, found) = load(text);
    assert_eq!(spec.is_some(), !found.has_errors());
    for item in found.iter() {
        for label in &item.labels {
            assert!(text.get(label.span.start..label.span.end).is_some(), "{item:#?}");
        }
    }
    let Some(spec) = spec else { return };
    for head in spec.types() {
        let instance = Instance {
            id: "a".into(),
            branch: None,
            pr: Some(1),
            sha: None,
            ports: BTreeMap::new(),
            local_cloud: true,
            repository: envc_core::RepositoryDigest::UNKNOWN,
        };
        let environment = spec.environment(&head.name, &instance);
        assert!(environment.is_ok(), "{environment:#?}");
    }
}

#[test]
fn removing_any_one_line_of_a_spec_is_survived() {
    for text in [EVENTUALL, VIBECHECC, QUICKSTART] {
        let lines: Vec<&str> = text.lines().collect();
        for left_out in 0..lines.len() {
            let rest = lines.iter().enumerate().filter(|(line, _)| *line != left_out);
            let rest: Vec<&str> = rest.map(|(_, line)| *line).collect();
            check(&rest.join("\n"));
        }
    }
}

#[test]
fn the_same_text_gives_the_same_mistakes() {
    let text = EVENTUALL.replace("{port.webapp}", "{port.web}").replace("kv \"event-cache\"\n", "");
    assert_eq!(load(&text).1.into_sorted(), load(&text).1.into_sorted());
}

#[test]
fn carriage_returns_change_nothing() {
    assert!(load(&EVENTUALL.replace('\n', "\r\n")).0.is_some());
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        check(&text);
    }

    #[test]
    fn no_mutation_of_a_spec_panics(
        source in prop::sample::select(vec![EVENTUALL, VIBECHECC, QUICKSTART]),
        from in 0_usize..6_000,
        length in 0_usize..40,
        with in prop::sample::select(vec![
            "", "\"", "{", "}", "{env}", "{let.host}", "{url.web}", "{tunnel.dev.token}", " optional",
            "#true", "\n", ";", "{{", "(secret)", "name=\"{env}\"", "without d1 \"webapp\"\n",
            "let webapp-url \"{let.webapp-url}\"\n", "existing all\n", "\u{feff}", "é",
        ]),
    ) {
        let cut = |at: usize| {
            let at = (0..=at.min(source.len())).rev().find(|at| source.is_char_boundary(*at));
            source.split_at(at.unwrap())
        };
        let ((before, _), (_, after)) = (cut(from), cut(from + length));
        check(&format!("{before}{with}{after}"));
    }

    #[test]
    fn an_id_from_a_branch_keeps_the_rules(
        branch in proptest::option::of("\\PC{0,60}"),
        max_length in 0_usize..41,
    ) {
        let id = identity_from_branch(branch.as_deref(), max_length);
        prop_assert!(!id.is_empty() && id.len() <= max_length.max(1));
        prop_assert!(id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
        prop_assert!(!id.starts_with('-') && !id.ends_with('-') && !id.contains("--"));
        prop_assert_eq!(&identity_from_branch(Some(&id), max_length), &id);
    }

    #[test]
    fn two_branches_never_share_an_id(
        one in "[a-c/_A-]{0,9}", other in "[a-c/_A-]{0,9}", max_length in 12_usize..41,
    ) {
        let id = branch_id(Some(&one), max_length);
        prop_assert!(!id.is_empty() && id.len() <= max_length);
        prop_assert_eq!(envc_core::PartProblem::of(&id), None);
        prop_assert_eq!(one == other, id == branch_id(Some(&other), max_length));
    }
}
