//! The desired graph: every resource with its name, its fields and what it needs.

use std::fmt::Write as _;

use envc_core::{Desired, Input, Mode, Output, Part, Text, Value};

use crate::common::{Stage, examples};

#[test]
fn every_type_of_every_example_as_a_graph() {
    let mut stage = Stage::new("graph");
    for example in examples() {
        for head in example.spec.types() {
            let environment = example.environment(head, false);
            let name = format!("{}.{}", example.name, head.name);
            let resources = || environment.resources.values();
            let (stores, network): (Vec<_>, Vec<_>) =
                resources().partition(|one| envc_kinds::kind(one.address.kind()).holds_data());
            for (part, resources) in [("stores", stores), ("network", network)] {
                if !resources.is_empty() {
                    let text: String = resources.into_iter().map(shown).collect();
                    stage.snap(&format!("{name}.{part}"), &text);
                }
            }
        }
    }
    stage.end();
}

fn shown(wanted: &Desired) -> String {
    let by_id = matches!(wanted.mode, Mode::ExistingId(_));
    let name = if by_id { "(its name is in the account)" } else { &wanted.name };
    let mut out = format!("{}  {name}\n", wanted.address);
    let mut line = |text: String| writeln!(out, "    {text}").unwrap();
    match &wanted.mode {
        Mode::Managed => {}
        Mode::ExistingId(id) => line(format!("exists, found by its ID {id}")),
        Mode::ExistingName => line("exists, found by its name".into()),
    }
    if wanted.protect {
        line("protected".into());
    }
    if let Some(zone) = &wanted.zone {
        line(format!("in the zone {zone}"));
    }
    if let Some(parent) = &wanted.parent {
        line(format!("lives and dies with {parent}"));
    }
    for (field, value) in &wanted.fields {
        match value {
            Value::List(items) if items.len() > 1 => {
                line(format!("{field}:"));
                for item in items {
                    line(format!("  - {}", value_shown(item)));
                }
            }
            _ => line(format!("{field}: {}", value_shown(value))),
        }
    }
    let needs: Vec<String> = wanted.needs().into_iter().map(ToString::to_string).collect();
    if !needs.is_empty() {
        line(format!("needs {}", needs.join(", ")));
    }
    out
}

fn value_shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Text(text) => text_shown(text),
        Value::Private(text) => format!("(private) {}", text_shown(text)),
        Value::Sealed(sealed) => format!("(sealed) {}", sealed.name),
        Value::List(items) => items.iter().map(value_shown).collect::<Vec<_>>().join(", "),
        Value::Map(items) => {
            let pairs = items.iter().map(|(name, item)| format!("{name} {}", value_shown(item)));
            pairs.collect::<Vec<_>>().join(", ")
        }
    }
}

/// References as the spec writes them.
pub(crate) fn text_shown(text: &Text) -> String {
    let part = |part: &Part| match part {
        Part::Lit(text) => text.clone(),
        Part::Out(reference) => {
            let output = match reference.output {
                Output::Id => "id",
                Output::Name => "name",
                Output::Token => "token",
            };
            format!("{{{}.{output}}}", reference.address)
        }
        Part::In(Input::Secret(name)) => format!("(secret){name}"),
        Part::In(Input::Env(name)) => format!("(env){name}"),
        Part::In(Input::Lease { lease, attribute, .. }) => format!("{{lease.{lease}.{attribute}}}"),
    };
    text.parts.iter().map(part).collect()
}
