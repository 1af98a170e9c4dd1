//! What the reader reads is what the KDL crate reads, and every mistake is told once.

use envc_core::{apply_edits, limits};
use proptest::prelude::*;

use super::document;
use crate::{Document, Node, codes, witness};

fn codes_of(text: &str) -> Vec<&'static str> {
    document(text).1.into_sorted().iter().map(|one| one.code).collect()
}

/// Comments and commented blocks behind the last value belong to a node or not: nobody minds.
fn without_ends(nodes: &mut [Node]) {
    for node in nodes {
        node.span.end = node.span.start;
        without_ends(&mut node.children);
    }
}

/// Words that the KDL crate takes and that this language refuses: other quotation marks, addresses
/// without quotes, and what KDL's own specification forbids.
fn is_refused_on_purpose(text: &str) -> bool {
    let ours = [codes::QUOTES, codes::FORBIDDEN_CHARACTER, codes::UNQUOTED, codes::BARE_KEYWORD];
    let lax = text.contains("/-") || text.contains("\"\"\"");
    lax || codes_of(text).iter().any(|code| ours.contains(code))
}

/// What KDL's specification allows and the KDL crate (6.7) refuses: a commented node that a `;` ends.
fn is_taken_on_purpose(text: &str) -> bool {
    text.contains("/-") && text.contains(';')
}

/// Both readers agree on a text; says whether they took it.
fn agrees(text: &str) -> bool {
    let (mut read, found) = document(text);
    for one in found.iter() {
        for label in &one.labels {
            assert!(text.get(label.span.start..label.span.end).is_some(), "{text:?}: {one:#?}");
        }
        assert!(one.help.is_some(), "{one:#?}");
        assert!(one.fix.is_empty() || apply_edits(text, &one.fix).is_some(), "{text:?} {one:#?}");
    }
    match kdl::KdlDocument::parse_v2(text) {
        Ok(parsed) if found.is_empty() => {
            let (mut other, _) = witness::document(text, &parsed);
            without_ends(&mut read.nodes);
            without_ends(&mut other.nodes);
            assert_eq!(read, other, "{text:?}");
        }
        Ok(_) => assert!(is_refused_on_purpose(text), "only kdl takes {text:?}: {found:#?}"),
        Err(_) if found.is_empty() && is_taken_on_purpose(text) => {}
        Err(error) => {
            assert!(!found.is_empty(), "only we take {text:?}: {error:#?}");
            assert_eq!(read, Document::default());
        }
    }
    found.is_empty()
}

#[test]
fn a_commented_node_may_end_with_a_semicolon() {
    for text in ["/-a;", "/-,;", "a;/-b;c", "/-a { b; };", "/- \"a\" 1;"] {
        assert!(agrees(text), "{text}");
    }
    let (read, _) = document("a;/-b;c");
    let names: Vec<&str> = read.nodes.iter().map(|node| node.name.value.as_str()).collect();
    assert_eq!(names, ["a", "c"]);
}

#[test]
fn an_open_annotation_before_a_name_has_a_place_within_the_text() {
    for text in ["a q=\"v\"(*/\u{a0}=", "a (x=1", "a (x\u{a0}=\"b\"", "a (é=b-c"] {
        assert!(!agrees(text), "{text}");
    }
}

#[test]
fn each_of_several_mistakes_is_told_once_and_in_order() {
    let text = "d1 = \"a\"\nlet a true\nlet b \"x\nqueue \"q\" retention=14d\nkv \"b\";;\n# c\nd1 'e' [1]\n}";
    let wanted = [
        codes::ASSIGNMENT,
        codes::BARE_KEYWORD,
        codes::UNCLOSED_TEXT,
        codes::UNQUOTED,
        codes::EMPTY_NODE,
        codes::COMMENT,
        codes::QUOTES,
        codes::BRACKETS,
        codes::STRAY_BRACE,
    ];
    assert_eq!(codes_of(text), wanted);
}

/// Makes all changes that the mistakes of a text tell.
fn mended(text: &str) -> String {
    document(text)
        .1
        .into_sorted()
        .iter()
        .fold(text.to_owned(), |_, one| apply_edits(text, &one.fix).unwrap())
}

#[test]
fn a_missing_brace_is_found_by_the_indentation() {
    for (text, wanted) in [
        ("a {\n    b\n\nc\n", "a {\n    b\n\n}\nc\n"),
        ("a {\n    b {\n        c\n    d\n}\n", "a {\n    b {\n        c\n    }\n    d\n}\n"),
        ("a {\n    b {\n        c\n}\nd\n", "a {\n    b {\n        c\n    }\n}\nd\n"),
        ("a {\n    b", "a {\n    b\n}\n"),
    ] {
        assert_eq!(codes_of(text), [codes::UNCLOSED], "{text}");
        assert_eq!(mended(text), wanted);
    }
}

#[test]
fn reading_ends_after_very_many_mistakes() {
    let found = codes_of(&"a ;; ".repeat(100_000));
    assert_eq!(found.len(), limits::SYNTAX_MISTAKES_MAX + 1);
    assert_eq!(found.last(), Some(&codes::TOO_MANY_MISTAKES));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn both_readers_agree(pieces in prop::collection::vec(
        prop::sample::select(vec![
            "a", "b-c", "\"x\"", "\"\"", "\"\\\"\\n\"", "#\"r\"#", "#true", "#null", "12", "-3",
            "(secret)\"S\"", "p=1", "q=\"v\"", "r=(env)E", " ", "  ", "\t", "\n", "\r\n", ";",
            "{", "}", "// c\n", "//", "/-", "/*", "*/", "\\", "=", "é", "true", ".", "_", "-", "#",
            "\"", "(", ")", "\"\"\"", "x{", "; }", " { ", " }\n", "1.5", "@", "inf", "-inf", "0x1f",
            "1e5", "0b1_0", "+7", "[", "]", ",", "\\\n", "\u{a0}", "\u{2028}", "\r", "a b=c {",
        ]), 0..24)) {
        agrees(&pieces.concat());
    }

    #[test]
    fn very_many_mistakes_of_all_sorts_come_to_an_end(pieces in prop::collection::vec(
        prop::sample::select(vec![
            "a", "\"x\"", "#true", "12", "1x", "p=1", " ", "\n", ";", "{", "}", "/-", "*/", "\\", "=", "true",
            "#", "\"", "(", ")", "\"\"\"", "[", "]", ",", "'", "\0", "`b`](#c)", "\u{200b}",
        ]), 1..12)) {
        let (_, found) = document(&pieces.concat().repeat(300));
        prop_assert!(found.len() <= limits::SYNTAX_MISTAKES_MAX + 1);
    }

    #[test]
    fn both_readers_agree_on_texts_of_several_lines(pieces in prop::collection::vec(
        prop::sample::select(vec![
            "\n", "\n  ", "  ", "x", "\\n", "\\\n", "\\  ", "\"", "\\\"", "\t", "\r\n", "{env}", "\\u{41}",
        ]), 0..12), raw in prop::bool::ANY) {
        let mark = if raw { "#" } else { "" };
        let text = format!("a {mark}\"\"\"\n{}\n  \"\"\"{mark}", pieces.concat());
        let (mut read, found) = document(&text);
        if let (Ok(parsed), true) = (kdl::KdlDocument::parse_v2(&text), found.is_empty()) {
            let (mut other, _) = witness::document(&text, &parsed);
            without_ends(&mut read.nodes);
            without_ends(&mut other.nodes);
            prop_assert_eq!(read, other, "{:?}", text);
        }
    }
}
