//! Values from outside reach every field of every kind that takes a text: what comes from outside
//! gives the same resource as what stands in the spec. A kind to come is covered by its grammar.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{
    Address, Desired, Digest, Input, Inputs, KeyedDigest, Part, Sealer, Secret, Text, Value, Vault,
};
use envc_kinds::registry;
use envc_plan::{Observation, Ownership, Plan, Work, check, needed_inputs, plan_apply, settle};
use envc_spec::{Instance, load};
use envc_syntax::rule::{NodeRule, Type};
use serde_json::{Value as Json, json};

const AROUND: &str = "project \"shop\" { zone \"shop.example\" }\n\
    environment \"local\" default { identity \"main\" }\n\
    port \"web\" \"3000\"\n";

/// What a text may be, the first that a field takes.
const TEXTS: [&str; 4] =
    ["a.example.com", "192.0.2.1", "postgres://u:p@db.example.com/app", "http://localhost:3000"];

type Graph = BTreeMap<Address, Desired>;

/// The resources of a spec with everything from outside put in; none where it is refused.
fn resources(spec: &str, value: &str) -> Option<(Graph, Vault)> {
    let (spec, found) = load(&format!("{AROUND}{spec}"));
    let spec = spec.filter(|_| !found.has_errors())?;
    let instance = Instance {
        id: "main".into(),
        branch: None,
        pr: None,
        sha: None,
        ports: BTreeMap::new(),
        local_cloud: false,
    };
    let environment = spec.environment("local", &instance).ok()?;
    let (mut variables, mut secrets) = (BTreeMap::new(), BTreeMap::new());
    for input in needed_inputs(&environment).into_keys() {
        match input {
            // What the example itself takes from outside is of a form that does for anything.
            Input::Secret(name) if name != "WHO" => {
                secrets.insert(name, Secret::new("postgres://u:p@db.example.com/app"));
            }
            Input::Secret(name) => {
                secrets.insert(name, Secret::new(value));
            }
            Input::Env(name) => {
                variables.insert(name, value.to_owned());
            }
            Input::Lease { .. } => {}
        }
    }
    let sealer = Sealer::new(KeyedDigest::new([1; 32]), "shop", "main");
    let mut resources = environment.resources;
    let vault = settle(&mut resources, &Inputs::new(variables, secrets, sealer)).ok()?;
    Some((resources, vault))
}

/// A value as a call would have it: with the texts of what is sealed.
fn opened(value: &Value, vault: &Vault) -> Json {
    match value {
        Value::Sealed(sealed) => json!(vault.open(sealed).expect("sealed texts are kept").expose()),
        Value::List(items) => items.iter().map(|item| opened(item, vault)).collect(),
        Value::Map(items) => {
            items.iter().map(|(key, item)| (key.clone(), opened(item, vault))).collect()
        }
        other => json!(format!("{other:?}")),
    }
}

fn meaning((graph, vault): &(Graph, Vault)) -> Json {
    let one = |(at, wanted): (&Address, &Desired)| {
        let fields = wanted.fields.iter().map(|(field, value)| {
            let mut from_outside = false;
            value.each_text(&mut |text| {
                from_outside |= text.parts.iter().any(|part| matches!(part, Part::In(_)));
            });
            assert!(!from_outside && value.unknown().is_empty(), "{at} {field}: {value:?}");
            (field.clone(), opened(value, vault))
        });
        (at.to_string(), json!({ "name": wanted.name, "fields": fields.collect::<Json>() }))
    };
    graph.iter().map(one).collect()
}

/// The line with this property or argument set to this.
fn with(line: &str, prop: Option<&str>, value: &str) -> String {
    let (head, block) = line
        .split_once(" {")
        .map_or((line, String::new()), |(head, block)| (head, format!(" {{{block}")));
    match prop {
        Some(name) => {
            let begin = format!(" {name}=");
            let Some(at) = head.find(&begin) else { return format!("{head}{begin}{value}{block}") };
            let (before, rest) = head.split_at(at);
            let (_, quoted) = rest.split_once('"').expect("texts stand in quotes");
            let (_, after) = quoted.split_once('"').expect("and these end");
            format!("{before}{begin}{value}{after}{block}")
        }
        None => format!("{} {value}{block}", head.split(' ').next().unwrap_or_default()),
    }
}

/// Each line with a text that may come from outside: what makes the whole spec of a value.
fn places(rule: &'static NodeRule, around: &dyn Fn(&str) -> String) -> Vec<(String, bool, Place)> {
    let texts = |ty: Type| matches!(ty, Type::Text | Type::PrivateText);
    let mut out = Vec::new();
    let mut add = |name: Option<&'static str>, ty: Type| {
        if texts(ty) {
            let what = format!("{} {}", rule.name, name.unwrap_or("(argument)"));
            let place = Place { line: rule.example, prop: name, around: around("@") };
            out.push((what, ty == Type::PrivateText, place));
        }
    };
    // The first argument of a kind's own node is its name.
    rule.args.iter().for_each(|arg| add(None, arg.ty));
    rule.props.iter().for_each(|prop| add(Some(prop.name), prop.ty));
    for child in rule.children {
        let head = rule.example.split(" {").next().unwrap_or_default();
        out.extend(places(child, &|inner| around(&format!("{head} {{\n{inner}\n}}"))));
    }
    out
}

struct Place {
    line: &'static str,
    prop: Option<&'static str>,
    around: String,
}

impl Place {
    fn spec(&self, value: &str) -> String {
        self.around.replace('@', &with(self.line, self.prop, value))
    }
}

#[test]
fn what_comes_from_outside_is_as_good_as_what_stands_in_the_spec() {
    let mut tried = Vec::new();
    for rule in registry().iter().filter_map(|kind| kind.grammar()) {
        for (what, private, place) in places(rule, &str::to_owned) {
            let literal = TEXTS.into_iter().find_map(|text| {
                let spec = place.spec(&format!("\"{text}\""));
                Some((text, meaning(&resources(&spec, text)?)))
            });
            let Some((text, expect)) = literal else {
                panic!("no text of TEXTS does for {what}: add one that does");
            };
            let mut forms = vec![
                place.spec("(env)\"WHO\""),
                format!("let who (env)\"WHO\"\n{}", place.spec("\"{let.who}\"")),
            ];
            if private {
                forms.push(place.spec("(secret)\"WHO\""));
                forms.push(format!("let who (secret)\"WHO\"\n{}", place.spec("\"{let.who}\"")));
            }
            let (first, rest) = text.split_at(1);
            let inside =
                format!("let who (env)\"WHO\"\n{}", place.spec(&format!("\"{first}{{let.who}}\"")));
            let forms = forms.into_iter().map(|form| (form, text)).chain([(inside, rest)]);
            for (form, value) in forms {
                // What has to be known before anything exists is refused by the compiler.
                let Some(found) = resources(&form, value) else {
                    assert!(what.starts_with("ingress service"), "{what} is refused:\n{form}");
                    continue;
                };
                assert_eq!(meaning(&found), expect, "{what}:\n{form}");
            }
            tried.push(what);
        }
    }
    for known in ["dns content", "dns comment", "origin (argument)", "origin password"] {
        assert!(tried.iter().any(|what| what == known), "{known} is not among {tried:?}");
    }
}

#[test]
fn variables_and_secrets_of_a_worker_that_envc_deploys_are_put_in() {
    let spec = "worker \"w\" path=\".\" deploy=\"bundle\" bundle=\"dist\" compatibility-date=\"2026-09-01\" {\n\
                    var \"A\" \"x-{let.who}\"\n    secret \"K\" \"y-{let.who}\"\n}\nlet who (env)\"WHO\"\n";
    let (graph, vault) = resources(spec, "me").expect("it compiles");
    let script = graph.values().next().expect("there is a script");
    assert_eq!(opened(&script.fields["secrets"], &vault), json!({ "K": "y-me" }));
    assert!(format!("{:?}", script.fields["bindings"]).contains("x-me"));
    assert!(!format!("{script:?}").contains("y-me"));
}

/// The plan that makes a database of this spec in an empty account.
fn first_plan(spec: &str) -> Plan {
    let (graph, _vault) = resources(spec, "postgres://u:p@h.example.com/d").expect("it compiles");
    let inputs = envc_plan::Inputs {
        key: crate::account::key(),
        repository: crate::account::REPOSITORY.into(),
        env_type: "local".into(),
        spec: Digest::of("spec"),
        protect: false,
        leases: &BTreeMap::new(),
        sealer: &Sealer::new(KeyedDigest::new([1; 32]), "shop", "main"),
        desired: &graph,
        state: None,
        observation: &Observation::default(),
        ownership: &Ownership::default(),
        keep: &BTreeSet::new(),
        migrations: &BTreeMap::new(),
    };
    plan_apply(&inputs).expect("it can be planned")
}

#[test]
fn a_plan_with_a_secret_in_a_field_is_refused() {
    let plan = first_plan("hyperdrive \"pg\" { origin (secret)\"WHO\" }\n");
    assert!(check(plan.clone()).is_ok());
    assert!(!String::from_utf8_lossy(&plan.to_bytes().unwrap()).contains("h.example.com"));
    let secret = Part::In(Input::Secret("WHO".into()));
    for wrong in [
        Value::text("plain"),
        Value::Private(Text::literal("plain")),
        Value::Text(Text { parts: vec![secret] }),
        Value::Map([("inside".to_owned(), Value::text("plain"))].into()),
    ] {
        let mut plan = plan.clone();
        for step in &mut plan.steps {
            let Work::Create(target) = &mut step.work else { panic!("{:?}", step.work) };
            target.fields.insert("password".into(), wrong.clone());
        }
        let unsound = check(plan).expect_err("a password in a plan");
        assert!(unsound.to_string().contains("has a secret in a field"), "{unsound}");
    }
    let mut told = plan;
    told.changes[0].fields.iter_mut().for_each(|field| {
        if field.field == "password" {
            field.after = Some(json!("plain"));
        }
    });
    assert!(check(told).expect_err("it is told").to_string().contains("tells a secret"));
}
