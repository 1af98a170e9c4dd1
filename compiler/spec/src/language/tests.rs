//! The language is what the checker accepts, and what it says of itself holds.

use std::collections::{BTreeMap, BTreeSet};

use envc_syntax::rule::NodeRule;

use super::{Language, NodeDoc, Reference, ValueType, forms::PLACES, language};
use crate::{
    Environment, Instance, check,
    grammar::{Children, Grammar},
    load,
};

/// Every rule that the checker can come to, under its id.
fn walk(grammar: &Grammar) -> BTreeMap<String, &'static NodeRule> {
    fn below(
        grammar: &Grammar,
        id: &str,
        rule: &'static NodeRule,
        out: &mut BTreeMap<String, &'static NodeRule>,
    ) {
        out.insert(id.to_owned(), rule);
        let inside: Vec<&'static NodeRule> = match grammar.children(rule) {
            Children::Set(set) => set.values().copied().collect(),
            Children::List(list) => list.to_vec(),
        };
        for child in inside {
            let id = match rule.name {
                "environment" => child.name.to_owned(),
                _ => format!("{id}/{}", child.name),
            };
            below(grammar, &id, child, out);
        }
    }
    let mut out = BTreeMap::new();
    grammar.top.values().for_each(|rule| below(grammar, rule.name, rule, &mut out));
    out
}

#[test]
fn every_node_property_and_flag_of_the_checker_is_listed() {
    let language = language();
    let rules = walk(&Grammar::new());
    let listed: BTreeSet<&str> = language.nodes.iter().map(|node| node.id.as_str()).collect();
    assert_eq!(listed, rules.keys().map(String::as_str).collect(), "the nodes");
    assert_eq!(listed.len(), language.nodes.len(), "an id stands twice");
    for (id, rule) in rules {
        let node = language.node(&id).unwrap();
        let names = |names: &mut dyn Iterator<Item = &'static str>| names.collect::<Vec<_>>();
        assert_eq!(
            names(&mut node.arguments.iter().map(|one| one.name)),
            names(&mut rule.args.iter().map(|one| one.name)),
            "{id}"
        );
        assert_eq!(
            names(&mut node.flags.iter().map(|one| one.name)),
            names(&mut rule.flags.iter().map(|one| one.name)),
            "{id}"
        );
        assert_eq!(
            names(&mut node.properties.iter().map(|one| one.name)),
            names(&mut rule.props.iter().map(|one| one.name)),
            "{id}"
        );
        for child in &node.children {
            let parents = &language.node(child).unwrap().stands_in;
            assert!(parents.contains(&id), "{child} does not say that it stands in {id}");
        }
    }
}

/// A value that a type takes, as KDL.
fn sample(language: &Language, ty: &ValueType) -> String {
    let doc = language.types.iter().find(|doc| doc.word == ty.word).unwrap();
    match (ty.min, ty.choices.first()) {
        (Some(min), _) => min.to_string(),
        (None, Some(word)) => format!("\"{word}\""),
        (None, None) => doc.example.to_owned(),
    }
}

/// A node with all that may stand on its line, one value replaced.
fn line(language: &Language, node: &NodeDoc, replaced: Option<(&str, &str)>) -> String {
    let value = |name: &str, ty: &ValueType| match replaced {
        Some((known, value)) if known == name => value.to_owned(),
        _ => sample(language, ty),
    };
    let mut line = if node.name == "*" { "ANY_NAME".to_owned() } else { node.name.to_owned() };
    for one in &node.arguments {
        line = format!("{line} {}", value(one.name, &one.ty));
    }
    for one in &node.flags {
        line = format!("{line} {}", one.name);
    }
    for one in &node.properties {
        let name = format!("{}=", one.name);
        line = format!("{line} {name}{}", value(&name, &one.ty));
    }
    line
}

/// The codes that the checker finds in a node, put into the nodes that it stands in.
fn checked(language: &Language, node: &NodeDoc, replaced: Option<(&str, &str)>) -> Vec<String> {
    let mut text = line(language, node, replaced);
    let mut place = node.stands_in.first();
    while let Some(parent) = place.and_then(|id| language.node(id)) {
        text = format!("{} {{ {text} }}", line(language, parent, None));
        place = parent.stands_in.first();
    }
    let (document, found) = envc_syntax::parse(&text);
    assert!(found.is_empty(), "{text}\n{found:#?}");
    let found = check::check(&document, &Grammar::new()).into_sorted();
    found.iter().map(|one| format!("{} in {text}", one.code)).collect()
}

#[test]
fn the_checker_takes_all_that_is_listed() {
    let language = language();
    for node in &language.nodes {
        assert_eq!(checked(&language, node, None), Vec::<String>::new());
    }
}

#[test]
fn choices_and_bounds_are_those_of_the_checker() {
    let language = language();
    let (mut choices, mut bounds) = (0, 0);
    let fails = |node: &NodeDoc, name: &str, value: String, wanted: &str| {
        let found = checked(&language, node, Some((name, &value)));
        let good = match found.as_slice() {
            [] => wanted.is_empty(),
            [one] => !wanted.is_empty() && one.starts_with(wanted),
            _ => false,
        };
        assert!(good, "{}: {name} {value}: {wanted:?} is not {found:?}", node.id);
    };
    for node in &language.nodes {
        let arguments = node.arguments.iter().map(|one| (one.name.to_owned(), &one.ty));
        let properties = node.properties.iter().map(|one| (format!("{}=", one.name), &one.ty));
        for (name, ty) in arguments.chain(properties) {
            for choice in ty.choices {
                fails(node, &name, format!("\"{choice}\""), "");
            }
            if !ty.choices.is_empty() {
                choices += 1;
                fails(node, &name, "\"nothing\"".into(), "envc::spec::not_a_choice");
            }
            if let Some((min, max)) = ty.min.zip(ty.max) {
                bounds += 1;
                fails(node, &name, max.to_string(), "");
                fails(node, &name, (min - 1).to_string(), "envc::spec::out_of_range");
                fails(node, &name, (max + 1).to_string(), "envc::spec::out_of_range");
            }
        }
    }
    assert!(choices > 0 && bounds > 0, "{choices} with choices, {bounds} with bounds");
}

#[test]
fn what_may_be_left_out_says_what_holds_then() {
    let language = language();
    for node in &language.nodes {
        for one in &node.properties {
            let said = one.default.is_some() || one.otherwise.is_some();
            assert_eq!(said, !one.required, "{} {}=", node.id, one.name);
        }
        let sentences = node.notes.iter().chain([&node.doc]);
        let sentences = sentences.chain(node.properties.iter().map(|one| &one.doc));
        for text in sentences.chain(node.flags.iter().map(|one| &one.doc)) {
            assert!(text.ends_with('.'), "{}: no sentence: {text}", node.id);
        }
        assert!(!node.example.is_empty(), "{} has no example", node.id);
    }
}

const PROJECT: &str = "project \"shop\" { zone \"shop.example\" }\n";
const LOCAL: &str = "environment \"local\" { identity branch unique }\n";

/// What a spec means, without where it says so.
fn meaning(text: &str) -> String {
    let (spec, found) = load(text);
    let Some(spec) = spec else { panic!("{text}\n{found:#?}") };
    let head = spec.types().first().unwrap();
    let instance = Instance {
        id: "x1".into(),
        branch: Some("topic".into()),
        pr: Some(7),
        sha: Some("abc".into()),
        ports: BTreeMap::new(),
        local_cloud: false,
        repository: envc_core::RepositoryDigest::UNKNOWN,
    };
    let environment: Environment = spec.environment(&head.name, &instance).unwrap();
    let text = format!("{head:#?}{environment:#?}");
    let spans = ["start: ", "end: "];
    let lines = text.lines().filter(|line| !spans.iter().any(|span| line.trim().starts_with(span)));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_default_means_the_same_as_to_leave_it_out() {
    // `PROP` stands for the property.
    let mut specs = BTreeMap::from([
        (
            "identity max-length".to_owned(),
            "environment \"local\" { identity branch unique PROP }".to_owned(),
        ),
        ("file mode".to_owned(), format!("{LOCAL}file \"x\" template=\"t\" PROP")),
        (
            "hyperdrive/origin scheme".to_owned(),
            format!(
                "{LOCAL}hyperdrive \"x\" {{ origin host=\"h\" database=\"d\" user=\"u\" password=(secret)\"P\" PROP }}"
            ),
        ),
        ("secrets/env prefix".to_owned(), format!("{LOCAL}secrets {{ env PROP }}")),
        ("worker deploy".to_owned(), format!("{LOCAL}worker \"w\" path=\"w\" PROP")),
        ("run after".to_owned(), format!("{LOCAL}run \"r\" command=\"c\" PROP")),
        ("run cwd".to_owned(), format!("{LOCAL}run \"r\" command=\"c\" PROP")),
    ]);
    for option in [
        "connect-timeout",
        "tls-timeout",
        "tcp-keep-alive",
        "keep-alive-timeout",
        "keep-alive-connections",
    ] {
        let ingress = "ingress \"x\" host=\"{env}\" service=\"https://localhost\" PROP";
        let spec = format!("{LOCAL}tunnel \"x\" {{ {ingress} }}");
        specs.insert(format!("tunnel/ingress {option}"), spec);
    }
    for node in language().nodes {
        for one in &node.properties {
            let Some(default) = one.default else { continue };
            let name = format!("{} {}", node.id, one.name);
            let spec = specs.remove(&name);
            let spec = spec.unwrap_or_else(|| panic!("say here where {name} may stand"));
            let with = |text: &str| meaning(&format!("{PROJECT}{}", spec.replace("PROP", text)));
            assert_eq!(with(""), with(&format!("{}={default}", one.name)), "{name}");
        }
    }
    assert!(specs.is_empty(), "these have no default: {specs:?}");
}

#[test]
fn a_node_left_out_means_what_the_reference_says() {
    for (without, with) in [
        (LOCAL.to_owned(), LOCAL.replace(" }", "\nmigrate auto }")),
        (LOCAL.to_owned(), format!("{LOCAL}dev \"remote\"")),
        (LOCAL.to_owned(), format!("{LOCAL}secrets {{ env }}")),
    ] {
        assert_eq!(meaning(&format!("{PROJECT}{without}")), meaning(&format!("{PROJECT}{with}")));
    }
    let local = PROJECT.replace("zone", "state \"local\"\nzone");
    assert_eq!(meaning(&format!("{PROJECT}{LOCAL}")), meaning(&format!("{local}{LOCAL}")));
}

#[test]
fn references_may_stand_where_the_table_says() {
    // Each of its environments belongs to a pull request, so that every form has a value.
    let local = LOCAL.replace("{ identity", "{ when pr ; identity");
    let kinds = envc_kinds::registry().iter().filter_map(|kind| kind.declared());
    let kinds: Vec<&str> = kinds.map(|kind| kind.node().sample).collect();
    let around = format!(
        "{PROJECT}{local}
        edge \"https://edge.shop.example\" token=(secret)\"T\" {{ pool \"previews\" }}
        let x \"a\"
        port \"x\" \"3000\"
        lease \"x\" pool=\"previews\"
        {}\n",
        kinds.join("\n")
    );
    for Reference { form, stands_in, .. } in language().references {
        let form = form.replace("NAME", "x").replace("ATTRIBUTE", "key");
        let good = |line: String| !load(&format!("{around}{line}")).1.has_errors();
        let held = [
            good(format!("dns \"n\" type=\"A\" name=\"a-{form}.{{env}}\" content=\"192.0.2.1\"")),
            good(format!(
                "tunnel \"s\" {{ ingress \"s\" host=\"s-{{env}}\" service=\"http://{form}\" }}"
            )),
            good(format!("worker \"w\" path=\"w\" {{ var \"V\" \"{form}\" }}")),
            good(format!("dotenv \".env\" {{ V \"{form}\" }}")),
        ];
        assert_eq!(held, PLACES.map(|place| stands_in.contains(&place)), "{form}");
    }
}
