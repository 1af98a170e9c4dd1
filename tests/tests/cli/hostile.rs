//! Specs made to hurt: each ends in a clear error or a clean result, within bounds of time, memory
//! and output. The exact figures are the bench's.

use std::{
    fmt::Write as _,
    process::{Command, Stdio},
};

use envc_tests::{TestEnv, binary};

/// Bytes of address space in KiB; the program itself maps a third of it.
const MEMORY_KIB: u32 = 200_000;
/// Seconds of the processor's time. Not the clock's: other programs do not count. A release build
/// takes a second at the most; this one is not optimised.
const CPU_S: u32 = 30;
/// Bytes that are written at the most.
const OUTPUT_MAX: usize = 200_000;

const HEAD: &str = "project \"shop\" { zone \"shop.example\" }\n";
const TYPE: &str = "environment \"local\" default { identity branch max-length=20 unique }\n";

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut out, number| {
        writeln!(out, "{}", line(number)).unwrap();
        out
    })
}

/// What it is called, the text after the project and a type, and what the output must say.
type Case = (&'static str, String, &'static str);

/// Much of what the reader of the text sees.
fn texts() -> Vec<Case> {
    vec![
        ("ten megabytes", "a ".repeat(5_000_000), "bytes"),
        ("a depth of 100,000", "a { ".repeat(100_000), "too_deep"),
        ("stars in a comment", format!("/*{}*/", "*".repeat(3_900_000)), "ok: 1 type"),
        ("a name of 4 MB", format!("d1 \"{}\"", "a".repeat(4_000_000)), "text_too_long"),
        ("1,000,000 braces", format!("let a \"{}\"", "{ ".repeat(1_000_000)), "text_too_long"),
        ("a number of 4 MB", format!("queue \"q\" retention={}", "9".repeat(4_000_000)), "number"),
        ("100,000 mistakes of syntax", "a = true ;; [ \"x\" \n".repeat(100_000), "and 51 more"),
        (
            "mistakes in one line",
            lines(90_000, |at| format!("kvv \"n{at}\" ;")).replace('\n', " "),
            "unknown_node",
        ),
        ("4,000,000 quotes", format!("let a {}", "\"".repeat(4_000_000)), "lines"),
        ("1,900,000 escapes", format!("let a \"{}\"", "\\q".repeat(1_900_000)), "bad_escape"),
        ("1,000,000 arguments", format!("d1 \"a\"{}", " b".repeat(1_000_000)), "too_many_nodes"),
        (
            "one flag 250,000 times",
            format!("dns \"a\"{}", " proxied".repeat(250_000)),
            "repeated_property",
        ),
    ]
}

/// Much of what the rest of the compiler sees.
fn nodes() -> Vec<Case> {
    vec![
        (
            "lets that double",
            lines(64, |at| format!("let a{at} \"{{let.a{0}}}{{let.a{0}}}\"", at + 1)),
            "mistake",
        ),
        (
            "lets in a chain",
            lines(10_000, |at| format!("let a{at} \"{{let.a{}}}\"", at + 1)),
            "let_cycle",
        ),
        (
            "a circle of lets",
            lines(90_000, |at| format!("let a{at} \"{{let.a{}}}\"", (at + 1) % 90_000)),
            "too_many_types",
        ),
        (
            "a mistake in each of 90,000 nodes",
            lines(90_000, |at| format!("kvv \"n{at}\"")),
            "unknown_node",
        ),
        (
            "unknown references beside known ones",
            lines(9_000, |at| format!("d1 \"known{at}\"\nlet n{at} \"{{d1.knwon{at}.id}}\"")),
            "unknown_reference",
        ),
        (
            "10,000 environments",
            lines(10_000, |at| format!("environment \"e{at}\" {{ identity \"e{at}\" }}")),
            "too_many_types",
        ),
        ("a node of 4 MB", "a".repeat(4_000_000), "unknown_node"),
        ("a node 90,000 times", "d1 \"a\"\n".repeat(90_000), "duplicate"),
        (
            "200 types of 2,000 resources",
            format!(
                "{}{}",
                lines(190, |at| format!("environment \"e{at}\" {{ identity \"e{at}\" }}")),
                lines(2_000, |at| format!("kv \"k{at}\""))
            ),
            "too_many_types",
        ),
        (
            "one long text 50,000 times",
            format!(
                "let a \"{}\"\n{}",
                "x".repeat(16_000),
                lines(19_000, |at| format!("let b{at} \"{{let.a}}\""))
            ),
            "text_too_long",
        ),
        (
            "20,000 ingresses of one host",
            format!(
                "tunnel \"t\" {{\n{}}}",
                lines(19_000, |at| format!(
                    "ingress \"i{at}\" host=\"{{env}}\" service=\"http://localhost:1\""
                ))
            ),
            "host_collision",
        ),
        (
            "nested and commented out",
            format!("{}{}\n", "/-a {".repeat(60), "}".repeat(60)).repeat(2_000),
            "too_many_nodes",
        ),
    ]
}

/// Workers, of which each needs the next before it, and the last one the first.
fn workers() -> Vec<Case> {
    vec![(
        "a circle of Workers",
        lines(4_000, |at| {
            let next = (at + 1) % 4_000;
            format!(
                "worker \"w{at}\" path=\"w{at}\" deploy=\"bundle\" bundle=\"dist\" \
                     compatibility-date=\"2026-09-01\" {{\n\
                     durable-object \"NEXT\" class=\"Room\" worker=\"w{next}\"\n}}"
            )
        }),
        "worker_cycle",
    )]
}

/// What templates could do: the text, and what is said of it.
fn templates() -> Vec<(&'static str, String, &'static str)> {
    let doubled = "{% set ns = namespace(x=\"aaaaaaaa\") %}{% for i in range(40) %}\
                   {% set ns.x = ns.x ~ ns.x %}{% endfor %}";
    let straight = format!("{{% set a = \"aaaa\" %}}{}", "{% set a = a ~ a %}".repeat(40));
    let long = "{% set a %}{% for i in range(300) %}{{ env.id }}{{ env.id }}{{ env.id }}{{ env.id }}{% endfor %}{% endset %}";
    let loops = lines(29, |at| format!("{{% for a{} in [[a{at}, a{at}]] %}}", at + 1));
    vec![
        ("a wide number", "{{ \"%4000000000d\" | format(1) }}".to_owned(), "no filter `format`"),
        ("a text that doubles", doubled.to_owned(), "`ns` was set here"),
        ("one that does so without a loop", straight, "`a` was set here"),
        (
            "a long text many times",
            format!("{long}{{{{ a{} }}}}", " ~ a".repeat(90)),
            "the template ",
        ),
        ("300,000 filters", format!("{{{{ 1{} }}}}", "|abs".repeat(300_000)), "may have 65536"),
        ("15,000 filters", format!("{{{{ 1{} }}}}", "|abs".repeat(15_000)), "more than 200 words"),
        ("6,000 blocks", "{% if 1 %}".repeat(6_000), "more than 32 blocks"),
        ("a list of lists", format!("{{% for a0 in [[1, 1]] %}}{loops}"), "made of `a0`"),
        (
            "much raw text",
            format!("{{% for i in range(100000) %}}{}{{% endfor %}}", "x".repeat(60_000)),
            "the template",
        ),
        ("a wide margin", "{{ \"a\nb\" | indent(4000000000) }}".to_owned(), "bytes"),
    ]
}

#[test]
fn hostile_templates_end_within_bounds() {
    let env = TestEnv::of_text(&format!("{HEAD}{TYPE}file \"x.txt\" template=\"t\"\n"));
    for (name, template, says) in templates() {
        env.write("t", &template);
        let script = format!("ulimit -v {MEMORY_KIB}; ulimit -t {CPU_S}; exec \"$0\" check");
        let ran = Command::new("sh")
            .args(["-c", &script])
            .arg(binary())
            .current_dir(env.root())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&ran.stderr);
        assert!(
            ran.status.code() == Some(65) && text.contains(says),
            "{name}: {} {text:.900}",
            ran.status
        );
        assert!(text.len() < OUTPUT_MAX, "{name}: {}", text.len());
    }
}

#[test]
fn hostile_specs_end_within_bounds() {
    let env = TestEnv::of_text(HEAD);
    let mut wrong = Vec::new();
    for (name, rest, says) in texts().into_iter().chain(nodes()).chain(workers()) {
        env.write("environment.kdl", &format!("{HEAD}{TYPE}{rest}"));
        // What programs read is the same; one case of many mistakes stands for all.
        let formats: &[&str] =
            if says == "host_collision" { &["human", "json", "github"] } else { &["human"] };
        for format in formats {
            let script = format!(
                "ulimit -v {MEMORY_KIB}; ulimit -t {CPU_S}; exec \"$0\" check --format {format}"
            );
            let ran = Command::new("sh")
                .args(["-c", &script])
                .arg(binary())
                .current_dir(env.root())
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let out = [ran.stdout, ran.stderr].concat();
            let text = String::from_utf8_lossy(&out);
            let allowed = if *format == "human" { OUTPUT_MAX } else { 3 * OUTPUT_MAX };
            let ok = matches!(ran.status.code(), Some(0 | 65)) && text.contains(says);
            if !ok || out.len() > allowed {
                let end: String = text.chars().rev().take(300).collect();
                let end: String = end.chars().rev().collect();
                wrong.push(format!("{name}, {format}: {}, {} bytes: {end}", ran.status, out.len()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
