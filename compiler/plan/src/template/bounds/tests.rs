use std::time::{Duration, Instant};

use super::super::{Group, render};

fn said(source: &str) -> String {
    let mut root = Group::root();
    let mut lets = root.group("let");
    lets.put("a", "it's $(x)");
    lets.put("big", "x".repeat(64 * 1024));
    root.put_group("let", lets);
    match render(source, root) {
        Ok(rendered) => rendered.text,
        Err(error) => format!("line {}: {} | {}", error.line, error.message, error.help),
    }
}

/// What ends in an error within the bound of time; the memory is looked at by the test of the program.
#[track_caller]
fn refused(source: &str, words: &str) {
    let begun = Instant::now();
    let said = said(source);
    assert!(said.starts_with("line ") && said.contains(words), "{said:.300}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{source:.80}");
}

#[test]
fn what_could_grow_without_end_is_not_there() {
    refused("{{ \"%4000000000d\" | format(1) }}", "no filter `format`");
    refused("\n{{ let.a * 100000000 }}", "line 2: `*` is not there");
    refused("{{ 2 ** 100 }}", "`**` is not there");
    refused("{% set ns = namespace(x=1) %}", "namespace");
    refused("{% set a = [1, 1] %}{% set a = [a, a] %}", "`a` was set here");
    refused("{% set a = let.a %}{% set a = a ~ a %}", "`a` was set here");
    refused(
        "{% set a = [1] %}{% for b in a %}{% set c = [b, b] %}{% endfor %}",
        "`b` was set here",
    );
    refused(
        "{% for a in [[1, 1]] %}{% for b in [[a, a]] %}{{ b == b }}{% endfor %}{% endfor %}",
        "a loop over a list that is made of `a`",
    );
    refused("{% for a in [1] recursive %}{{ loop([[a, a]]) }}{% endfor %}", "`recursive`");
    refused("{% with a = 1 %}{{ a }}{% endwith %}", "`with` is not there");
    refused("{{ [1] | batch(1000000000, 0) }}", "no filter `batch`");
    refused("{{ [let.a] | map('format') }}", "");
    refused(&format!("{{{{ {} }}}}", "[".repeat(150)), "");
}

#[test]
fn what_grows_is_counted() {
    refused("{% for i in range(100000) %}{{ let.big }}{% endfor %}", "");
    refused("{% set a %}{% for i in range(9999) %}{{ let.big }}{% endfor %}{% endset %}", "bytes");
    refused(&format!("{{% for i in range(100000) %}}{}{{% endfor %}}", "x".repeat(60_000)), "");
    refused("{{ let.big | replace(\"x\", let.big) }}", "bytes");
    refused("{{ let.a | indent(1000000000) }}{{ \"a\nb\" | indent(1000000000) }}", "bytes");
    let many = vec!["let.big"; 40].join(", ");
    refused(&format!("{{{{ [{many}] | join(let.big) }}}}"), "bytes");
    refused(&format!("{{{{ [{many}] | json }}}}"), "bytes");
    refused(
        "{% for i in range(100000) %}{% if let.big|upper|lower == 1 %}{% endif %}{% endfor %}",
        "steps",
    );
}

#[test]
fn what_is_deep_or_long_is_refused_before_it_is_compiled() {
    refused(&"x".repeat(64 * 1024 + 1), "65537 bytes");
    refused(&format!("{{{{ 1{} }}}}", "|abs".repeat(15_000)), "more than 200 words");
    refused(&format!("{{{{ let{} }}}}", ".a".repeat(30_000)), "more than 200 words");
    refused(&format!("{{{{ {}1 }}}}", "not ".repeat(15_000)), "more than 200 words");
    refused(&"{% if 1 %}".repeat(40), "32 blocks");
    refused(&"{% set x %}".repeat(40), "32 blocks");
}

#[test]
fn what_files_need_is_there() {
    for (source, expect) in [
        ("{{ let.a | sh }}", "'it'\\''s $(x)'"),
        ("{{ 1 | sh }}", "'1'"),
        ("{{ [1, \"a\"] | join(\", \") }}", "1, a"),
        ("{{ \"aba\" | replace(\"a\", \"cc\") }}", "ccbcc"),
        ("{{ \"a\nb\" | indent(2) }}", "a\n  b"),
        ("{% set x %}{{ let.a }}!{% endset %}{{ x }}", "it's $(x)!"),
        ("{% set x = let.a | upper %}{{ x | lower }}", "it's $(x)"),
        ("{% for a in [1, 2] %}{{ a }}{% if not loop.last %},{% endif %}{% endfor %}", "1,2"),
        ("{% for a in range(3) %}{{ a + 1 }}{% endfor %}", "123"),
        ("{{ (\"x-\" ~ let.a) | json }}", "\"x-it's $(x)\""),
        ("{% raw %}{{ a * b }}{% endraw %}", "{{ a * b }}"),
        ("{# a * b #}{{ \"~ * }}\" }}", "~ * }}"),
        ("{{ let[\"a\"] | length }}", "9"),
    ] {
        assert_eq!(said(source), expect, "{source}");
    }
    assert!(said("{{ let.a | jion }}").contains("did you mean `join`?"));
}
