//! The laws of the formatter, on random specs: it is idempotent, and keeps the nodes and the
//! comments. Looked at from outside, without what the formatter itself knows of either.

use std::{fmt::Write as _, fs};

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::Node;

/// Stands for a number in the text of a comment; each gets its own.
const MARK: char = '§';

/// Numbers all comments.
fn numbered(text: &str) -> String {
    let mut out = String::new();
    for (number, part) in text.split(MARK).enumerate() {
        if number > 0 {
            write!(out, "<{number}>").unwrap();
        }
        out.push_str(part);
    }
    out
}

/// The numbers of all comments, as they stand in the text.
fn numbers(text: &str) -> Vec<usize> {
    let parts = text.split('<').filter_map(|part| part.split_once('>'));
    parts.filter_map(|(number, _)| number.parse().ok()).collect()
}

/// The nodes, one a line, without their places.
fn outline(nodes: &[Node], depth: usize, out: &mut String) {
    for node in nodes {
        write!(out, "{depth} {:?}", node.name.value).unwrap();
        let props = node.props.iter().map(|prop| (Some(&prop.name.value), &prop.value));
        for (name, value) in node.args.iter().map(|arg| (None, arg)).chain(props) {
            write!(out, " {name:?} {:?} {:?}", value.tag(), value.value).unwrap();
        }
        out.push('\n');
        outline(&node.children, depth + 1, out);
    }
}

fn outlined(text: &str) -> Option<String> {
    let (document, found) = parse(text);
    let mut out = String::new();
    outline(&document.nodes, 0, &mut out);
    found.is_empty().then_some(out)
}

/// Holds a text to the laws; false when it does not parse.
fn holds(text: &str) -> bool {
    let text = &numbered(text);
    let Some(nodes) = outlined(text) else {
        assert!(matches!(format(text), Err(FormatError::Wrong(_))), "{text:?}");
        return false;
    };
    let once = format(text).unwrap_or_else(|error| panic!("{text:?}: {error:?}"));
    assert_eq!(outlined(&once), Some(nodes), "{text:?}");
    assert_eq!(numbers(&once), numbers(text), "{text:?}\n{once}");
    assert_eq!(format(&once).as_ref(), Ok(&once), "{text:?}");
    assert!(once.is_empty() || once.ends_with('\n') && !once.ends_with("\n\n"), "{text:?}\n{once}");
    // Strings of several lines hold what they like.
    if !text.contains("\"\"\"") {
        assert!(once.lines().all(|line| line.trim_end() == line), "{text:?}\n{once}");
        assert!(!once.contains('\r') && !once.contains("\n\n\n"), "{text:?}\n{once}");
    }
    true
}

fn gap() -> impl Strategy<Value = String> {
    let common = select(vec![" ", "  ", "\t", "\u{a0} "]);
    let rare = select(vec![
        " /*c §*/ ",
        "/* § */",
        " \\\n",
        " \\ //  §\r\n\t ",
        "\\\n\\\n",
        " \\ /*§*/\n",
    ]);
    prop_oneof![8 => common, 2 => rare].prop_map(str::to_owned)
}

fn tight() -> impl Strategy<Value = String> {
    prop_oneof![8 => Just(String::new()), 1 => gap()]
}

fn word() -> impl Strategy<Value = String> {
    let words = select(vec![
        "a",
        "b-c",
        "é",
        "-",
        "\"x y\"",
        "\"\"",
        "\"\\\" { ; // \\\\\"",
        "\"{env}\\u{41}\"",
        "#\"r\\\"#",
        "##\"\"#; }\"##",
        "\"\"\"\n  x\n   {\n\n  \"\"\"",
        "#\"\"\"\n \" \n \"\"\"#",
        "\"a \\\n b\"",
        "\"\"\"\r\n\"\"\"",
        "\"of-fifty-characters-or-so,-so-that-lines-get-too-long\"",
    ]);
    words.prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = String> {
    let other = select(vec!["1", "-0x1F", "1_0.5e-3", "#true", "#null", "#nan", "#-inf"]);
    let plain = prop_oneof![word(), other.prop_map(str::to_owned)];
    let typed = (tight(), word(), tight(), tight(), plain.clone())
        .prop_map(|(a, tag, b, c, value)| format!("({a}{tag}{b}){c}{value}"));
    prop_oneof![4 => plain, 1 => typed]
}

fn entry() -> impl Strategy<Value = String> {
    let prop =
        (word(), tight(), tight(), value()).prop_map(|(k, a, b, v)| format!("{k}{a}={b}{v}"));
    let entry = prop_oneof![2 => value(), 1 => prop];
    (slashdash(), entry).prop_map(|(hidden, entry)| hidden + &entry)
}

fn slashdash() -> impl Strategy<Value = String> {
    let hides = select(vec!["/-", "/- ", "/-\n", "/- /*§*/", "/- // §\n\n "]);
    prop_oneof![9 => Just(String::new()), 1 => hides.prop_map(str::to_owned)]
}

/// What ends a node, and stands before the next one.
fn between() -> impl Strategy<Value = String> {
    let common = select(vec!["\n", "\n\n", "\r\n", ";", " ; ", ";\n", "\n\n\n\t", "   // §\n"]);
    let rare = select(vec![
        "// §  \n",
        " /* § */\n",
        "\n/* §\n  § */\n\n",
        "\n  // §\n// §\n",
        "; // §\n\n",
        ";/*§*/\n",
        " ; /*§*/ ",
        "\n/*§*/ ",
        "\n/*§*//*§*/ // §\n",
        "\r",
        "\u{2028}",
        " \\\n\n",
        " \\ //§\n\n",
        "\n\\\n",
        "  //§\n    //§\n",
    ]);
    prop_oneof![4 => common, 1 => rare].prop_map(str::to_owned)
}

fn nodes() -> impl Strategy<Value = String> {
    let head = || {
        let name = prop_oneof![9 => word(), 1 => word().prop_map(|name| format!("(t){name}"))];
        (slashdash(), name, vec((gap(), entry()), 0..4))
    };
    let leaf = head().prop_map(|(hidden, name, entries)| {
        entries.into_iter().fold(hidden + &name, |out, (gap, entry)| out + &gap + &entry)
    });
    let list = |node: BoxedStrategy<String>| {
        (tight(), vec((node, between()), 0..5), any::<bool>()).prop_map(|(start, nodes, last)| {
            let mut out = start;
            let count = nodes.len();
            for (index, (node, between)) in nodes.into_iter().enumerate() {
                out.push_str(&node);
                if last || index + 1 < count {
                    out.push_str(&between);
                }
            }
            out
        })
    };
    let node = leaf.boxed().prop_recursive(4, 30, 4, move |inner| {
        let block = (slashdash(), list(inner.boxed()))
            .prop_map(|(hidden, list)| format!("{hidden}{{{list}}}"));
        (head(), vec((gap(), block), 0..3), tight()).prop_map(
            |((hidden, name, entries), blocks, end)| {
                let pieces = entries.into_iter().chain(blocks);
                pieces.fold(hidden + &name, |out, (gap, piece)| out + &gap + &piece) + &end
            },
        )
    });
    list(node.boxed())
}

/// A real spec with other blanks, line ends and comments; not always one that still parses.
fn mutated() -> impl Strategy<Value = String> {
    let texts = ["quickstart", "eventuall", "vibechecc"].map(|name| {
        let path = format!("{}/../../specs/{name}/environment.kdl", env!("CARGO_MANIFEST_DIR"));
        fs::read_to_string(path).unwrap()
    });
    let edit = (any::<prop::sample::Index>(), prop_oneof![gap(), between(), slashdash()]);
    (select(texts.to_vec()), vec(edit, 1..8)).prop_map(|(text, edits)| {
        let mut text = text;
        for (index, blank) in edits {
            let places: Vec<usize> = text.match_indices([' ', '\n']).map(|(at, _)| at).collect();
            let at = *index.get(&places);
            // A blank in a string may well become something else.
            text.replace_range(at..=at, &blank);
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn random_specs_hold_to_the_laws(text in nodes()) {
        holds(&text);
    }

    #[test]
    fn random_pieces_hold_to_the_laws(pieces in vec(select(vec![
        "a", "b", "\"x\"", "#\"r\"#", "1", "p=1", "=", "(t)", " ", "  ", "\n", ";", "{", "}", " {", "}\n", "// §\n",
        "/*§*/", "/-", "\\\n", "\\", "\u{feff}", "\"\"\"\n\"\"\"", "\r\n",
    ]), 0..16)) {
        holds(&pieces.concat());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn real_specs_hold_to_the_laws(text in mutated()) {
        holds(&text);
    }
}

/// Otherwise the laws would be held to by nothing.
#[test]
fn most_random_specs_parse() {
    use proptest::{strategy::ValueTree as _, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let mut share = |strategy: BoxedStrategy<String>, count: usize| {
        let texts = (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current());
        texts.filter(|text| holds(text)).count() * 100 / count
    };
    let shares = (share(nodes().boxed(), 60), share(mutated().boxed(), 20));
    assert!(shares.0 > 50 && shares.1 > 30, "{shares:?}");
}
