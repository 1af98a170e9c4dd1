//! Mistakes that no spec of `specs/invalid` can have: those of size, and of an instance.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

use std::{collections::BTreeMap, fmt::Write as _};

use envc_core::{RepositoryDigest, limits};
use envc_spec::{Instance, codes, load};
use envc_syntax::codes as syntax;

const HEAD: &str = "project \"shop\" { zone \"shop.example\" }\n";
const TYPE: &str = "environment \"local\" default { identity branch max-length=20 unique }\n";

/// The spec that begins as usual has this one mistake, with this in its message and that at its
/// place.
#[track_caller]
fn check(rest: &str, code: &str, message: &str, place: &str) {
    let text = format!("{HEAD}{TYPE}{rest}");
    let (spec, found) = load(&text);
    let items = found.into_sorted();
    assert_eq!(items.iter().map(|one| one.code).collect::<Vec<_>>(), [code]);
    let one = &items.first().unwrap();
    assert!(spec.is_none() && one.message.contains(message), "{one:?}");
    let span = one.span();
    assert!(text.get(span.start..span.end).unwrap().starts_with(place), "{one:?}");
    assert!(one.help.is_some());
}

/// A line for each number.
fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut out, number| {
        writeln!(out, "{}", line(number)).unwrap();
        out
    })
}

#[test]
fn a_file_is_too_large() {
    let text = "// a comment\n".repeat(limits::SPEC_BYTES_MAX / 13);
    check(&text, syntax::TOO_LARGE, "at most 4194304 are read", "");
}

#[test]
fn a_file_has_too_many_nodes_or_values() {
    let ports = lines(limits::SPEC_NODES_MAX, |_| "port".into());
    check(&ports, syntax::TOO_MANY_NODES, "more than 100000 nodes", "p");
    let values = format!("kv{}", " 1".repeat(limits::SPEC_VALUES_MAX));
    check(&values, syntax::TOO_MANY_NODES, "more than 300000 values", "1");
}

#[test]
fn a_text_is_too_long() {
    let long = "x".repeat(limits::TEXT_BYTES_MAX + 1);
    check(&format!("let a \"{long}\""), codes::TEXT_TOO_LONG, "65537 bytes", "\"x");
    let long = "x".repeat(limits::TEXT_CHARS_MAX);
    let kept = format!("{HEAD}{TYPE}let a \"{long}\"");
    assert!(load(&kept).0.is_some());
    check(&format!("let a \"{long}x\""), codes::TEXT_TOO_LONG, "16385 characters", "\"x");
    let grows = lines(20, |at| format!("let a{at} \"{{let.a{0}}}{{let.a{0}}}\"", at + 1));
    check(&format!("{grows}let a20 \"xx\""), codes::TEXT_TOO_LONG, "32768 characters", "\"{let");
    let many = lines(1_000, |at| format!("let b{at} \"{{let.a}}\""));
    let text = format!("let a \"{long}\"\n{many}");
    check(&text, codes::TEXT_TOO_LONG, "more than 8388608 characters", "\"{let.a}");
}

#[test]
fn there_are_too_many_types_or_too_much_in_them() {
    let types =
        |count| lines(count, |at| format!("environment \"e{at}\" {{ identity \"e{at}\" }}"));
    let max = limits::TYPES_MAX;
    check(&types(max), codes::TOO_MANY_TYPES, "201 environments; at most 200", "environment");
    let stores = lines(limits::SHARED_NODES_MAX, |at| format!("kv \"k{at}\""));
    check(&stores, codes::TOO_MANY_TYPES, "20001 nodes stand outside", "kv");
    let stores = lines(1_000, |at| format!("kv \"k{at}\""));
    let text = format!("{}{stores}", types(100));
    check(
        &text,
        codes::TOO_MANY_TYPES,
        "101 environments with 1001 nodes are 101101",
        "environment",
    );
}

#[test]
fn mistakes_without_end_are_cut() {
    let text = format!("{HEAD}{TYPE}{}", lines(90_000, |at| format!("kvv \"k{at}\"")));
    assert_eq!(load(&text).1.len(), limits::MISTAKES_MAX);
    let text = format!("{HEAD}{TYPE}{}", "a = b\n".repeat(100_000));
    let codes: Vec<&str> = load(&text).1.into_sorted().iter().map(|one| one.code).collect();
    assert_eq!(codes.len(), limits::SYNTAX_MISTAKES_MAX + 1);
    assert_eq!(codes.last(), Some(&syntax::TOO_MANY_MISTAKES));
}

#[test]
fn an_environment_without_a_pull_request_has_no_number_of_one() {
    let text = format!(
        "{HEAD}environment \"preview\" {{ when pr ; identity \"pr-{{env.pr}}\" }}\n\
         let title \"Preview {{env.pr}}\"\ndotenv \".env\" {{ TITLE \"{{let.title}}\" }}\n"
    );
    let spec = load(&text).0.unwrap();
    let instance = |pr| Instance {
        id: "pr-42".into(),
        branch: None,
        pr,
        sha: None,
        ports: BTreeMap::new(),
        local_cloud: true,
        repository: RepositoryDigest::UNKNOWN,
    };
    assert!(spec.environment("preview", &instance(Some(42))).is_ok());
    let found = spec.environment("preview", &instance(None)).unwrap_err().into_sorted();
    assert_eq!(found.iter().map(|one| one.code).collect::<Vec<_>>(), [codes::NO_PULL_REQUEST]);
    let span = found.first().unwrap().span();
    assert_eq!(text.get(span.start..span.end), Some("{env.pr}"));
}

#[test]
fn names_that_are_much_alike_are_compared_within_bounds() {
    let spec = |identity: &str, name: &str| {
        let nodes = lines(3_000, |n| {
            format!("kv \"k{n}\" name=\"{}\"", name.replace('N', &format!("{n:05}")))
        });
        format!("project \"p\"\nenvironment \"e\" {{ identity {identity} }}\n{nodes}")
    };
    let started = std::time::Instant::now();
    // The same at one end, and told apart at the other.
    for name in ["{env}-xN", "xN-{env}"] {
        assert!(load(&spec("branch unique", name)).0.is_some(), "{name}");
    }
    // Open at both ends: each pair would have to be walked.
    let found = load(&spec("\"{env.pr}\" ; when pr", "{env}-aN-{env}")).1.into_sorted();
    let messages: Vec<&str> = found.iter().map(|one| one.message.as_str()).collect();
    assert_eq!(messages, ["the names of 3000 KV namespaces are too much alike to be compared"]);
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}
