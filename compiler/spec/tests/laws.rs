//! What holds of mistakes, whichever they are: none hides another, none follows from another, the
//! order of independent nodes is no matter, and the blame lies where the mistake is.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a broken fixture fails its test"
)]

use std::collections::BTreeSet;

use envc_core::{Diagnostic, Severity};
use envc_spec::load;
use proptest::{prelude::*, sample::subsequence};

const EXAMPLES: [&str; 3] = [
    include_str!("../../../specs/eventuall/environment.kdl"),
    include_str!("../../../specs/vibechecc/environment.kdl"),
    include_str!("../../../specs/quickstart/environment.kdl"),
];

const RIGHT: [&str; 6] = [
    "project \"shop\" { zone \"shop.example\" }",
    "environment \"local\" default { identity branch max-length=20 unique }",
    "environment \"production\" { identity \"production\" ; protect }",
    "d1 \"main\"",
    "kv \"cache\"",
    "let greeting \"hello {env}\"",
];

/// Lines with one mistake each, and its code. None says anything of another.
const WRONG: [(&str, &str); 28] = [
    ("r2 \"a1\" jurisdicton=\"eu\"", "unknown_property"),
    ("queue \"a2\" retention=1", "out_of_range"),
    ("queue \"a3\" delivery-paused=\"yes\"", "wrong_type"),
    ("let a4 \"{let.gone}\"", "unknown_reference"),
    ("let a5 \"{d2.main.id}\"", "bad_reference"),
    ("let a6 \"a { b\"", "bad_reference"),
    ("worker \"a7\" path=\"a7\" { bind \"DB\" d1=\"mian\" }", "unknown_reference"),
    ("worker \"a8\" path=\"a8\" { bind \"DB\" }", "binding_target"),
    ("worker \"a9\" path=\"a9\" { var \"K\" (secret)\"K\" }", "secret_in_public"),
    ("worker \"a10\" path=\"a10\" { cron \"* * *\" }", "invalid_value"),
    ("dns \"a11\" type=\"A\" name=\"a11-{env}\" content=\"x.example\"", "invalid_value"),
    ("dns \"a12\" type=\"TXT\" name=\"a12-{env}\" content=\"x\" proxied", "conflict"),
    ("dns \"a13\" type=\"A\" name=\"a13\" content=\"192.0.2.1\"", "name_without_env"),
    ("r2 \"a14\" name=\"a14\"", "name_without_env"),
    ("r2 \"a15\" name=\"{env}-A15\"", "bad_name"),
    ("let a16 \"{let.a16}\"", "let_cycle"),
    ("dotenv \"a17\" { X \"1\" ; X \"2\" }", "repeated_node"),
    ("file \"a18\" template=\"t\" mode=\"rwx\"", "invalid_value"),
    ("port \"a19\" \"9-1\"", "invalid_value"),
    ("tunnel \"a20\" { ingress \"a20\" host=\"a20-{env}\" service=\"x:1\" }", "bad_service"),
    (
        "tunnel \"a21\" { ingress \"a21\" host=\"{git.sha}\" service=\"http://x\" }",
        "reference_not_allowed",
    ),
    ("lease \"a22\" pool=\"gone\"", "unknown_pool"),
    ("run \"a23\" command=\"\"", "invalid_value"),
    ("d1 \"a24\" \"b\"", "too_many_arguments"),
    ("dns \"a25\" type=\"A\"", "missing_property"),
    ("require \"a26\" version=\"newest\"", "invalid_value"),
    ("let a27 \"{env.pr}\"", "no_pull_request"),
    ("d1 \"a28\" { migrations \"m\" ; migrations \"n\" }", "repeated_node"),
];

fn errors(text: &str) -> Vec<Diagnostic> {
    let mut found = load(text).1.into_sorted();
    found.retain(|one| one.severity == Severity::Error);
    found
}

/// Code and message of each, in no order.
fn told(text: &str) -> Vec<(&'static str, String)> {
    let mut out: Vec<_> = errors(text).into_iter().map(|one| (one.code, one.message)).collect();
    out.sort();
    out
}

#[test]
fn each_line_has_the_one_mistake_that_stands_behind_it() {
    for (line, code) in WRONG {
        let text = format!("{}\n{line}\n", RIGHT.join("\n"));
        let codes: Vec<&str> = errors(&text).into_iter().map(|one| one.code).collect();
        assert_eq!(codes, [format!("envc::spec::{code}")], "{line}");
    }
}

proptest! {
    #[test]
    fn no_mistake_hides_another_or_brings_one_about(
        wrong in subsequence(WRONG.to_vec(), 1..=12).prop_shuffle(),
    ) {
        let lines: Vec<&str> =
            RIGHT.into_iter().chain(wrong.iter().map(|(line, _)| *line)).collect();
        let text = lines.join("\n");
        let found = errors(&text);
        let codes: Vec<&str> = found.iter().map(|one| one.code).collect();
        let wanted: Vec<String> =
            wrong.iter().map(|(_, code)| format!("envc::spec::{code}")).collect();
        // Ordered by place, each on its own line.
        prop_assert_eq!(&codes, &wanted, "{}\n{:#?}", text, found);
    }

    #[test]
    fn the_order_of_independent_nodes_is_no_matter(
        lines in Just(RIGHT.into_iter().chain(WRONG.map(|(line, _)| line)).collect::<Vec<_>>())
            .prop_shuffle(),
    ) {
        let ordered: Vec<&str> =
            RIGHT.into_iter().chain(WRONG.map(|(line, _)| line)).collect();
        prop_assert_eq!(told(&lines.join("\n")), told(&ordered.join("\n")));
    }
}

/// Names and other words in a line that mean something of their own.
fn words(line: &str) -> BTreeSet<&str> {
    let parts = line.split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_')));
    parts.filter(|word| word.len() > 1).collect()
}

/// The line of the brace that closes what a line opens, or opens what it closes.
fn partner(lines: &[&str], at: usize) -> Option<usize> {
    let balance = |line: &str| {
        let text = line.split(" //").next().unwrap_or_default();
        let count = |brace: char| i64::try_from(text.matches(brace).count()).unwrap();
        count('{') - count('}')
    };
    let own = balance(lines[at]);
    let mut depth = own;
    let mut step = at;
    while depth != 0 {
        step = if own > 0 { step + 1 } else { step.checked_sub(1)? };
        depth += balance(lines.get(step)?);
    }
    (own != 0).then_some(step)
}

/// The line that opens the block around a line.
fn around(lines: &[&str], at: usize) -> Option<usize> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let own = indent(lines[at]);
    (0..at).rev().find(|line| !lines[*line].trim().is_empty() && indent(lines[*line]) < own)
}

#[test]
fn removing_a_line_blames_its_neighbours_or_its_users() {
    let mut wrong = Vec::new();
    for text in EXAMPLES {
        let lines: Vec<&str> = text.lines().collect();
        for removed in 0..lines.len() {
            let rest = lines.iter().enumerate().filter(|(line, _)| *line != removed);
            let rest: Vec<&str> = rest.map(|(_, line)| *line).collect();
            let shorter = rest.join("\n");
            let partner =
                partner(&lines, removed).map(|line| if line > removed { line - 1 } else { line });
            for one in errors(&shorter) {
                let line_of =
                    |byte: usize| shorter.bytes().take(byte).filter(|byte| *byte == b'\n').count();
                let near = |line: usize| {
                    line == removed || line + 1 == removed || Some(line) == around(&lines, removed)
                };
                let uses = |line: usize| {
                    !words(lines[removed]).is_disjoint(&words(rest.get(line).unwrap_or(&"")))
                };
                let places = one.labels.iter().map(|label| line_of(label.span.start));
                let right = places.clone().any(|line| near(line) || Some(line) == partner)
                    || uses(line_of(one.span().start))
                    // Every host needs the zone, and no line of theirs names it.
                    || (one.code.ends_with("::no_zone") && lines[removed].contains("zone"))
                    // Nothing stands where a spec begins any more: what stands there now.
                    || one.code.ends_with("::missing_project");
                if !right {
                    let at = rest.get(line_of(one.span().start)).unwrap_or(&"");
                    let (code, message) = (one.code, &one.message);
                    wrong.push(format!("without {:?}: {code} {message} at {at:?}", lines[removed]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
