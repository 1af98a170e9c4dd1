//! Values from outside reach every field of every kind that takes a text: what comes from outside
//! gives the same resource as what stands in the spec. A kind to come is covered by its grammar.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{
    Address, Desired, Digest, Input, Inputs, KeyedDigest, Mode, Part, RepositoryDigest, Sealer,
    Secret, Span, Text, Value, Vault,
};
use envc_kinds::{Kind, Normal, Spelling, form, registry};
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
        repository: RepositoryDigest::of(crate::account::REPOSITORY),
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
    let (vault, unusable) = settle(&mut resources, &Inputs::new(variables, secrets, sealer));
    unusable.is_empty().then_some((resources, vault))
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

/// The nodes that become a resource by themselves. Those of a Worker have a test of their own.
fn rules_of_kinds() -> impl Iterator<Item = &'static NodeRule> {
    let declared = registry().iter().filter_map(|kind| kind.declared());
    declared.filter(|kind| !kind.node().after_others).map(envc_kinds::Declared::grammar)
}

#[test]
fn what_comes_from_outside_is_as_good_as_what_stands_in_the_spec() {
    let mut tried = Vec::new();
    for rule in rules_of_kinds() {
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
fn what_is_refused_in_the_spec_is_refused_from_outside() {
    let (long, comment) = ("x".repeat(64), "x".repeat(101));
    let huge = "x.".repeat(2_100);
    let mut tried = BTreeSet::new();
    for rule in rules_of_kinds() {
        for (what, private, place) in places(rule, &str::to_owned) {
            for text in
                [" ", "not an address", &long, &comment, &huge, "shop.example", "a b.example"]
            {
                if resources(&place.spec(&format!("\"{text}\"")), text).is_some() {
                    continue;
                }
                let origin = if private { "secret" } else { "env" };
                let form = place.spec(&format!("({origin})\"WHO\""));
                assert!(resources(&form, text).is_none(), "{what} takes {text:?}:\n{form}");
                tried.insert(what.clone());
            }
        }
    }
    for known in ["dns content", "dns comment", "origin host", "origin database", "origin password"]
    {
        assert!(tried.contains(known), "{known} is not among {tried:?}");
    }
    // The content of each type.
    for (kind, text) in [
        ("A", "::1"),
        ("AAAA", "192.0.2.1"),
        ("CNAME", "192.0.2.1"),
        ("CNAME", "a.shop.example"),
        ("MX", "mail"),
        ("NS", "a b"),
        ("TXT", " "),
        ("TXT", "\"\""),
        ("TXT", &huge),
    ] {
        let more = if kind == "MX" { " priority=1" } else { "" };
        let spec = |content: &str| {
            format!("dns \"a\" type=\"{kind}\" name=\"a\" content={content}{more}\n")
        };
        let literal = format!("\"{}\"", text.replace('"', "\\\""));
        assert!(resources(&spec(&literal), "").is_none(), "{kind} {text}");
        assert!(resources(&spec("(env)\"WHO\""), text).is_none(), "{kind} {text}");
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

fn parsed(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The field of a resource whose texts are secret `WHO`, as a plan holds it.
fn sealed(kind: &dyn Kind, field: &str, secret: &str, given: (&str, &Spelling)) -> Json {
    let plain = given.1.beside.iter().map(|(name, value)| match parsed(value) {
        Json::String(text) => ((*name).to_owned(), Value::text(text)),
        other => ((*name).to_owned(), Value::Int(other.as_i64().expect("texts and numbers"))),
    });
    let private = Value::Private(Text { parts: vec![Part::In(Input::Secret("WHO".into()))] });
    let fields = plain.chain([(given.0.to_owned(), private)]).collect();
    let address = Address::new(kind.id(), "x");
    let desired = Desired {
        address: address.clone(),
        name: "x".into(),
        default_name: false,
        mode: Mode::Managed,
        protect: false,
        fields,
        zone: None,
        parent: None,
        span: Span::new(0, 0),
    };
    let secrets = BTreeMap::from([("WHO".to_owned(), Secret::new(secret))]);
    let inputs = Inputs::new(BTreeMap::new(), secrets, sealer());
    let mut resources = BTreeMap::from([(address.clone(), desired)]);
    let (_vault, unusable) = settle(&mut resources, &inputs);
    assert!(unusable.iter().all(|it| it.what == "is not a host name"), "{unusable:?}");
    resources[&address].fields[field].resolve(&mut |_| None).expect("it is sealed")
}

fn sealer() -> Sealer {
    Sealer::new(KeyedDigest::new([1; 32]), "shop", "main")
}

/// A whole text of which the field is a part.
fn whole(field: &str, text: &str) -> Option<(&'static str, String)> {
    match field {
        "scheme" => Some(("origin", format!("{text}://u:p@h.example.com/d"))),
        "host" => Some(("origin", format!("postgres://u:p@{text}/d"))),
        _ => None,
    }
}

#[test]
fn another_spelling_that_a_secret_holds_is_no_difference() {
    let (mut whole_ones, mut parts) = (0, 0);
    for kind in registry() {
        for attr in kind.attrs() {
            let Normal::Form { spellings, .. } = attr.normal else { continue };
            for spelling in spellings {
                let (Some(one), Some(other)) = (
                    parsed(spelling.written).as_str().map(str::to_owned),
                    parsed(spelling.means).as_str().map(str::to_owned),
                ) else {
                    continue;
                };
                let beside = spelling.beside.iter();
                let beside = beside.map(|(name, value)| ((*name).to_owned(), parsed(value)));
                let beside: BTreeMap<_, _> = beside.collect();
                for (secret, seen) in [(&one, &other), (&other, &one), (&one, &one)] {
                    let what = format!("{} {} {secret:?}", kind.noun(), attr.name);
                    let seen = form(*kind, attr.name, &json!(seen), &beside);
                    let model = sealed(*kind, attr.name, secret, (attr.name, spelling));
                    assert_eq!(sealer().like(&model, &seen), model, "{what}");
                    whole_ones += 1;
                    let parts_of = |field: &str| kind.parts(field).contains(&attr.name);
                    let Some((field, text)) = whole(attr.name, secret) else {
                        let none = kind.attrs().iter().all(|attr| !parts_of(attr.name));
                        assert!(none, "a whole text for {what}: add it to `whole`");
                        continue;
                    };
                    if parts_of(field) {
                        let model = sealed(*kind, attr.name, &text, (field, spelling));
                        assert_eq!(sealer().like(&model, &seen), model, "{what} in {text}");
                        parts += 1;
                    }
                }
            }
        }
    }
    assert!(whole_ones > 30 && parts > 5, "{whole_ones} {parts}");
}

/// The plan that makes a database of this spec in an empty account.
fn first_plan(spec: &str) -> Plan {
    let (graph, _vault) = resources(spec, "postgres://u:p@h.example.com/d").expect("it compiles");
    let inputs = envc_plan::PlanInputs {
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
        seeds: &BTreeMap::new(),
        asked: envc_plan::Asked::default(),
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
