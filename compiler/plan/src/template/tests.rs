use super::*;
use serde_json::json;

fn context() -> Group {
    let mut root = Group::root();
    let mut lets = root.group("let");
    lets.put("web-url", "https://x");
    lets.put_secret("key", "s3cret");
    lets.forbid("token", "is a secret, and this file is not private");
    root.put_group("let", lets);
    root.put_json("worker", &json!({ "vars": { "A": "a\"b" }, "list": [{ "binding": "DB" }] }));
    root.put("none", Value::from(()));
    root
}

fn check(source: &str, expect: &str) {
    let got = match render(source, context()) {
        Ok(rendered) => rendered.text,
        Err(error) => format!("line {}: {} | {}", error.line, error.message, error.help),
    };
    assert_eq!(got, expect, "{source}");
}

#[test]
fn values_are_written_as_they_are() {
    check("{{ let[\"web-url\"] }} {{ let.web_url }}\n", "https://x https://x\n");
    check("{{ worker.vars.A }} {{ worker.vars.A | json }}", "a\"b \"a\\\"b\"");
    check("{{ worker.vars | json }}", "{\"A\":\"a\\\"b\"}");
    check("x {{ worker.vars | json(2) }}", "x {\n    \"A\": \"a\\\"b\"\n  }");
    check("{% for item in worker.list %}\n  {{ item.binding }}\n{% endfor %}\n", "  DB\n");
    check("{% if worker.port is defined %}p{% endif %}.", ".");
}

#[test]
fn what_is_not_there_is_told_by_line_and_near_name() {
    check(
        "\n{{ let.web_ur }}",
        "line 2: `let.web_ur` is not defined | did you mean `let[\"web-url\"]`?",
    );
    check("{{ lett.x }}", "line 1: `lett` is not defined | did you mean `let`?");
    check(
        "{{ let.zzzzz }}",
        "line 1: `let.zzzzz` is not defined | possible here: key, token, web-url",
    );
    check(
        "{{ let.token }}",
        "line 1: `let.token` is a secret, and this file is not private | leave it out: a worker gets it by secret \"NAME\" in the spec, a program by a `dotenv`",
    );
    check(
        "{% for item in worker.list %}{{ item.bindin }}{% endfor %}",
        "line 1: `worker.list.bindin` is not defined | did you mean `worker.list.binding`?",
    );
    check("{% if worker.port %}p{% endif %}.", ".");
    check(
        "{{ worker.nope | json }}",
        "line 1: `worker.nope` is not defined | possible here: list, vars",
    );
}

#[test]
fn mistakes_are_told_by_line() {
    let message = |source: &str| {
        let error = render(source, context()).err().unwrap();
        format!("line {}: {}", error.line, error.message)
    };
    assert_eq!(
        message("{{ worker }}"),
        "line 1: a group of values has no text of its own: write one of its values, or add `| json`"
    );
    assert!(message("\n{% for %}").starts_with("line 2: "));
    assert!(
        message("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}")
            .contains("steps")
    );
    assert!(message("{% include 'x' %}").starts_with("line 1: "));
}

#[test]
fn reading_a_secret_is_noticed() {
    let secret = |source: &str| render(source, context()).map(|done| done.secret).ok().unwrap();
    assert!(!secret("{{ let.web_url }}"));
    assert!(secret("{{ let.key | upper }}"));
    assert!(secret("{{ let | json }}"));
}

#[test]
fn what_was_read_is_noticed_by_the_names_of_the_spec() {
    let reads = |source: &str| render(source, context()).map(|done| done.reads).ok().unwrap();
    assert_eq!(reads("{{ let.web_url }}"), BTreeSet::from(["let".into(), "let.web-url".into()]));
    assert!(reads("{% for name, value in let|items %}{{ name }}{% endfor %}").contains("let.key"));
    assert_eq!(reads("plain"), BTreeSet::new());
}

#[test]
fn a_mistake_has_its_bytes_and_its_secret() {
    let place = |source: &str| {
        let error = render(source, context()).err().unwrap();
        (source.get(error.span.start..error.span.end).unwrap().to_owned(), error.secret)
    };
    assert_eq!(place("é\n  {{ let.token }}"), ("let.token".into(), Some("let.token".into())));
    assert_eq!(place("é\n  {{ let.tokn }} x"), ("let.tokn".into(), None));
    assert_eq!(place("{{ let.nope | json }}"), ("let.nope".into(), None));
    assert_eq!(place("a\n {% for %} \n").1, None);
}
