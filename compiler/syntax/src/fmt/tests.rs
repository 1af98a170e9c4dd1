//! What the layout is, by examples; then its laws, on random specs.

use std::fs;

use envc_core::limits::SPEC_DEPTH_MAX;

use super::*;

/// Formats to what is expected, and that stays as it is.
#[track_caller]
fn check(input: &str, expected: &str) {
    for text in [input, expected] {
        match format(text) {
            Ok(formatted) => assert_eq!(formatted, expected, "of {text:?}"),
            Err(error) => panic!("{text:?}: {error:?}"),
        }
    }
}

#[track_caller]
fn refused(input: &str, code: &str) {
    match format(input) {
        Err(FormatError::Wrong(found)) => {
            let codes: Vec<&str> = found.iter().map(|one| one.code).collect();
            assert_eq!(codes, [code]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn blanks_indentation_and_ends() {
    check("a   1\t\"b\"  c = 2   ", "a 1 \"b\" c=2\n");
    check("a{\nb{\n c 1}\n  d\n}", "a {\n    b {\n        c 1\n    }\n    d\n}\n");
    check("\u{feff}a\r\nb\rc\r\n\r\n\r\n", "a\nb\nc\n");
    check("\n\n\na\n\n\n\nb {\n\n\n c\n\n\n}\n\n", "a\n\nb {\n    c\n}\n");
    check("a {\n}\nb { }\nc {}", "a {}\nb {}\nc {}\n");
    check("", "");
    check(" \n\n\t", "");
    check("a\u{a0}\u{3000}b\u{2028}c", "a b\nc\n");
}

#[test]
fn types_and_names_stand_close() {
    check("( t ) a ( u ) 1 k = ( v ) \"x\"", "(t)a (u)1 k=(v)\"x\"\n");
    check("dotenv \".env\"{A (secret)  \"B\"}", "dotenv \".env\" { A (secret)\"B\" }\n");
}

#[test]
fn what_is_written_on_one_line_stays_there_when_it_fits() {
    check(
        "bind \"DB\" d1=\"webapp\";bind \"EVENTS\" kv=\"event-cache\";",
        "bind \"DB\" d1=\"webapp\" ; bind \"EVENTS\" kv=\"event-cache\"\n",
    );
    check("a{b;c{d;};}", "a { b ; c { d } }\n");
    check("a {\n b ; c\n}", "a {\n    b ; c\n}\n");
    check("a { b } ; c { d }", "a { b } ; c { d }\n");
}

#[test]
fn lines_are_never_put_together() {
    check("a {\n b }", "a {\n    b\n}\n");
    check("a { b\n}", "a {\n    b\n}\n");
    check("a ; b {\n c\n} ; d", "a\nb {\n    c\n}\nd\n");
}

#[test]
fn what_does_not_fit_gets_a_line_for_each_node() {
    let long = "x".repeat(COLUMNS);
    for (over, input, expected) in [
        (0, "a ; {long}\n", "a ; {long}\n"),
        (1, "a ; {long}\n", "a\n{long}\n"),
        (4, "a { {long} } ; b\n", "a { {long} }\nb\n"),
        (5, "a { {long} } ; b\n", "a {\n    {long}\n}\nb\n"),
    ] {
        let rest = input.trim_end().len() - "{long}".len();
        let long = long.get(..COLUMNS - rest + over).unwrap_or_default();
        check(&input.replace("{long}", long), &expected.replace("{long}", long));
    }
    check(
        &format!("a {{ b ; c {{ {long} }} }}"),
        &format!("a {{\n    b\n    c {{\n        {long}\n    }}\n}}\n"),
    );
    check(
        &format!("a {{ b ; c /-{{ {long} }} }}\n"),
        &format!("a {{\n    b\n    c /-{{\n        {long}\n    }}\n}}\n"),
    );
}

#[test]
fn a_single_node_is_never_broken() {
    let long = format!("a \"{}\" b=1\n", "x y ".repeat(80));
    check(&long, &long);
    check(&long.replace('\n', " {}"), &long.replace('\n', " {}\n"));
}

/// The widest line with several nodes.
const COLUMNS: usize = print::COLUMNS_MAX;

#[test]
fn comments_on_lines_of_their_own_are_indented() {
    check(
        "// a\n   //b  \n/* c */\nd {\n// e\n\n/* f\n  g  \n*/ // h\n}\n// i",
        "// a\n//b\n/* c */\nd {\n    // e\n\n    /* f\n      g\n    */ // h\n}\n// i\n",
    );
    check("a {// b\n}\nc { // d\n e }", "a { // b\n}\nc { // d\n    e\n}\n");
    check("a { // b\n\n c\n}", "a { // b\n    c\n}\n");
    check("// a\n\nb // c\n\n// d", "// a\n\nb // c\n\n// d\n");
    check("a { /* b */ }", "a { /* b */ }\n");
    check("// a", "// a\n");
}

#[test]
fn the_lines_of_a_comment_move_together() {
    check(
        "a {\n  /* b\n   * c\n\n     d\n   */\n}\n",
        "a {\n    /* b\n     * c\n\n       d\n     */\n}\n",
    );
    check("    /* a\n      b\n  c */", "/* a\n      b\n  c */\n");
    check("b\n    /* a\n      b\n  c */", "b\n/* a\n    b\nc */\n");
    check("b // c\n\n\n    /*\n\ta */ c", "b // c\n\n/*\n\ta */ c\n");
}

#[test]
fn comments_at_the_end_of_a_line_stay_there() {
    check("a// b\nc ; // d\ne;/* f */\n", "a // b\nc // d\ne /* f */\n");
    check("a {\n b // c\n} // d\n", "a {\n    b // c\n} // d\n");
    let long = "x".repeat(COLUMNS - 4);
    check(&format!("a ; {long}    // b c d"), &format!("a ; {long}    // b c d\n"));
    check(&format!("a ; b{long}    // b c d"), &format!("a\nb{long} // b c d\n"));
}

#[test]
fn columns_of_comments_are_kept() {
    let text = "a {             // one\n    bcd \"e\"     // two\n    f           // three\n}\n";
    check(text, text);
    check(
        "a   1     // one\nlonger 1  // two\n  b       // three\nc k = 1   // four\nd // five",
        "a 1       // one\nlonger 1  // two\nb       // three\nc k=1     // four\nd // five\n",
    );
    check("a{b;c}    // grows past it\n", "a { b ; c } // grows past it\n");
}

#[test]
fn comments_inside_of_nodes() {
    check(
        "/* a */b/* c */1/* d */{/* e */f/* g */}/* h */",
        "/* a */ b /* c */ 1 /* d */ { /* e */ f /* g */ } /* h */\n",
    );
    check("a b/* c */=/* d */1", "a b /* c */ = /* d */ 1\n");
}

#[test]
fn slashdash_keeps_what_it_hides() {
    check(
        "/-a   1 {\n b }\nc /- 1 /-  d = 2 3 /- { e } { f }",
        "/-a 1 {\n    b\n}\nc /-1 /-d=2 3 /-{ e } { f }\n",
    );
    check("/-\n\na\nb", "/-a\nb\n");
    check("/- /* b */ a", "/- /* b */ a\n");
    check("a {\n/- // why\n\n  b\n}", "a {\n    /- // why\n        b\n}\n");
    check("a {\n /-b\n}", "a {\n    /-b\n}\n");
}

#[test]
fn continued_lines_stay_continued() {
    check(
        "a\\\n1 \\   // c\n  2 \\\n {\n b\n}",
        "a \\\n    1 \\ // c\n    2 \\\n    {\n    b\n}\n",
    );
    check("a b \\\n = \\\n 1", "a b=1\n");
    check("a \\\n\\\n\\\n b", "a \\\n    b\n");
    check("a \\\n\\ // c\n\\\n b", "a \\ // c\n    b\n");
    check("a \\\n\n b", "a\nb\n");
    check("a \\ // c\n// d\n", "a // c\n// d\n");
    check("\\\na ; \\\n b", "a\nb\n");
    check("a \\", "a\n");
    check("a \\ // b\n \\ // c\n /* d */\n\ne", "a // b\n// c\n/* d */\n\ne\n");
}

#[test]
fn strings_and_numbers_stay_as_written() {
    let text =
        "a \"\\u{41}\\t{env}\" #\"\\t{env}\"# ##\"\"#\"## 0xF_f 1_000 1.50e-3 #nan #-inf -x +.y\n";
    check(text, text);
    let many =
        "a {\n    b \"\"\"\n  x  \n\n      {env} \\\n   y\n  \"\"\" c=#\"\"\"\n\tz\n\t\"\"\"#\n}\n";
    check(many, many);
    check("a \"\"\"\r\n  b\r\n  \"\"\"    // c", "a \"\"\"\n  b\n  \"\"\"    // c\n");
    check("a \"b \\\n   c\" ; d", "a \"b \\\n   c\"\nd\n");
}

#[test]
fn what_does_not_parse_has_its_usual_mistakes() {
    refused("a {", codes::UNCLOSED);
    refused("a }", codes::STRAY_BRACE);
    refused("a true", codes::BARE_KEYWORD);
    refused("a \"b", codes::UNCLOSED_TEXT);
}

#[test]
fn hostile_texts_end_in_the_limits() {
    refused(&"a\n".repeat(5_000_000), codes::TOO_LARGE);
    refused(&"a{".repeat(100_000), codes::TOO_DEEP);
    refused(&"a /-{".repeat(100_000), codes::TOO_DEEP);
    refused(&"/*".repeat(100_000), codes::UNCLOSED_COMMENT);
    assert!(matches!(format(&"}".repeat(100_000)), Err(FormatError::Wrong(_))));
    refused(&"a{b};".repeat(100_001), codes::TOO_MANY_NODES);
    let deep = format!("{}{}", "a{b;".repeat(SPEC_DEPTH_MAX), "}".repeat(SPEC_DEPTH_MAX));
    assert!(format(&deep).is_ok());
    // Small enough, and not once it is indented.
    let grows = format!("a{{\n{}}}", "//\n".repeat(SPEC_BYTES_MAX / 7));
    refused(&grows, codes::TOO_LARGE);
}

#[test]
fn the_examples_are_formatted() {
    for name in ["quickstart", "eventuall", "vibechecc"] {
        let path = format!("{}/../../specs/{name}/environment.kdl", env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(path).unwrap();
        check(&text, &text);
    }
}
