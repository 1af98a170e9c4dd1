//! What variables of the process say, as a plan shows it: by their names.
//!
//! The account gets such a text, as it gets all that the spec says; the log of a job, to which a plan
//! goes, and whoever reads it, need not. The plan itself has the text: it is what is done.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use envc_core::Sealed;
use serde_json::{Value as Json, json};

use crate::model::{FieldChange, Plan};

/// Stands for a text that was where what a variable says will be.
const AS_IT_WAS: &str = "(as it was)";

/// The plan document with `counts`, for programs; or why it cannot be written as JSON.
pub fn plan_json(plan: &Plan) -> Result<Json, String> {
    let written = |error: serde_json::Error| error.to_string();
    let counts = serde_json::to_value(plan.counts()).map_err(written)?;
    let mut json = serde_json::to_value(veiled(plan).as_ref()).map_err(written)?;
    let map = json.as_object_mut().ok_or("it is no object")?;
    // How it is shown is what is shown.
    map.remove("veils");
    if let Some(steps) = map.get_mut("steps") {
        for (address, veils) in &plan.veils {
            veil_targets(steps, &address.to_string(), veils);
        }
    }
    map.insert("counts".to_owned(), counts);
    Ok(json)
}

/// The same plan with seals in place of what variables say.
pub(super) fn veiled(plan: &Plan) -> Cow<'_, Plan> {
    if plan.veils.is_empty() {
        return Cow::Borrowed(plan);
    }
    let mut shown = plan.clone();
    for change in &mut shown.changes {
        let Some(veils) = plan.veils.get(&change.address) else { continue };
        let of = |field: &FieldChange| veils.get(&field.field);
        for field in &mut change.fields {
            if let Some(veil) = of(field) {
                *field = will_be(veil, field);
            }
        }
        for field in &mut change.drift {
            if of(field).is_some() {
                let cover = |side: &Option<Json>| side.as_ref().map(|it| covered(it, &none()));
                (field.before, field.after) = (cover(&field.before), cover(&field.after));
            }
        }
        for (name, value) in change.record.iter_mut().flat_map(|record| &mut record.fields) {
            if let Some(veil) = veils.get(name) {
                *value = seal_of(veil);
            }
        }
    }
    Cow::Owned(shown)
}

fn none() -> BTreeSet<String> {
    BTreeSet::new()
}

/// A change to a value under its veil. Of what is there only what is there to stay may be read: it may be
/// what the variable said before.
fn will_be(veil: &Json, field: &FieldChange) -> FieldChange {
    let after = field.after.as_ref().map(|after| laid_over(veil, after));
    let mut seen = BTreeSet::new();
    if let Some(after) = &after {
        texts(after, &mut seen);
    }
    let before = field.before.as_ref().map(|before| match &field.after {
        Some(after) => was(veil, before, after, &seen),
        None => covered(before, &seen),
    });
    FieldChange { before, after, ..field.clone() }
}

/// A value with the seals of its veil.
fn laid_over(veil: &Json, value: &Json) -> Json {
    match (veil, value) {
        (Json::Null, _) => value.clone(),
        _ if Sealed::from_json(veil).is_some() => veil.clone(),
        (Json::Object(veils), Json::Object(items)) => {
            let under = |(name, item): (&String, &Json)| {
                (name.clone(), laid_over(veils.get(name).unwrap_or(&Json::Null), item))
            };
            items.iter().map(under).collect()
        }
        (Json::Array(veils), Json::Array(items)) => {
            let of = |at: usize| veils.get(at).unwrap_or(&Json::Null);
            items.iter().enumerate().map(|(at, item)| laid_over(of(at), item)).collect()
        }
        // The value has another shape than the spec's: nothing of it is known.
        _ => covered(value, &none()),
    }
}

/// What was there: the same seals where it is what will be there, and covered where it is not.
fn was(veil: &Json, before: &Json, after: &Json, seen: &BTreeSet<String>) -> Json {
    if before == after {
        return laid_over(veil, after);
    }
    match (before, after) {
        (Json::Object(before), Json::Object(after)) => {
            let was = |(name, item): (&String, &Json)| {
                let was = match (veil.get(name), after.get(name)) {
                    (veil, Some(after)) => was(veil.unwrap_or(&Json::Null), item, after, seen),
                    (_, None) => covered(item, seen),
                };
                (name.clone(), was)
            };
            before.iter().map(was).collect()
        }
        (Json::Array(before), Json::Array(after)) if before.len() == after.len() => {
            let pairs = before.iter().zip(after).enumerate();
            let of = |at: usize| veil.get(at).unwrap_or(&Json::Null);
            pairs.map(|(at, (before, after))| was(of(at), before, after, seen)).collect()
        }
        _ => covered(before, seen),
    }
}

/// A value without its texts, but for those that are `seen` elsewhere.
fn covered(value: &Json, seen: &BTreeSet<String>) -> Json {
    match value {
        Json::String(text) if !seen.contains(text) => AS_IT_WAS.into(),
        Json::Object(items) if Sealed::from_json(value).is_none() => {
            items.iter().map(|(name, item)| (name.clone(), covered(item, seen))).collect()
        }
        Json::Array(items) => items.iter().map(|item| covered(item, seen)).collect(),
        Json::Object(_) | Json::String(_) | Json::Null | Json::Bool(_) | Json::Number(_) => {
            value.clone()
        }
    }
}

fn texts(value: &Json, found: &mut BTreeSet<String>) {
    match value {
        Json::String(text) => drop(found.insert(text.clone())),
        Json::Object(items) => items.values().for_each(|item| texts(item, found)),
        Json::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// One seal for a whole veil: by the names of its variables.
fn seal_of(veil: &Json) -> Json {
    let mut names = BTreeSet::new();
    names_in(veil, &mut names);
    let name = names.into_iter().collect::<Vec<_>>().join("+");
    Sealed { name, part: String::new(), digest: None }.to_json()
}

fn names_in(veil: &Json, names: &mut BTreeSet<String>) {
    if let Some(sealed) = Sealed::from_json(veil) {
        names.extend(sealed.name.split('+').map(str::to_owned));
        return;
    }
    match veil {
        Json::Object(items) => items.values().for_each(|item| names_in(item, names)),
        Json::Array(items) => items.iter().for_each(|item| names_in(item, names)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// Veils the fields of a resource wherever a step has it.
fn veil_targets(steps: &mut Json, address: &str, veils: &BTreeMap<String, Json>) {
    match steps {
        Json::Array(items) => items.iter_mut().for_each(|it| veil_targets(it, address, veils)),
        Json::Object(items) => {
            if items.get("address").and_then(Json::as_str) == Some(address) {
                for (name, veil) in veils {
                    for (side, shown) in [
                        ("fields", json!({ "sealed": seal_of(veil) })),
                        ("before", AS_IT_WAS.into()),
                    ] {
                        let there = items.get_mut(side).and_then(|side| side.get_mut(name));
                        if let Some(there) = there {
                            *there = shown;
                        }
                    }
                }
            }
            items.values_mut().for_each(|it| veil_targets(it, address, veils));
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(name: &str) -> Json {
        json!({ "sealed": name, "digest": "d" })
    }

    fn change(veil: &Json, before: Json, after: Json) -> (Json, Json) {
        let field = FieldChange {
            field: "x".into(),
            before: Some(before),
            after: Some(after),
            forces_replace: false,
        };
        let shown = will_be(veil, &field);
        (shown.before.unwrap(), shown.after.unwrap())
    }

    #[test]
    fn a_text_that_a_variable_is_part_of_is_shown_by_its_name() {
        assert_eq!(
            change(&sealed("WHO"), json!("hello old"), json!("hello new")),
            (json!("(as it was)"), sealed("WHO"))
        );
    }

    #[test]
    fn in_a_list_what_stays_and_what_the_spec_says_can_be_read() {
        let veil = json!([null, { "text": sealed("WHO") }]);
        let after = json!([{ "name": "A", "text": "plain" }, { "name": "B", "text": "new" }]);
        let shown =
            json!([{ "name": "A", "text": "plain" }, { "name": "B", "text": sealed("WHO") }]);
        // Another literal, the variable itself, and both in another order, or with one less.
        for (before, expect) in [
            (
                json!([{ "name": "A", "text": "was" }, { "name": "B", "text": "new" }]),
                json!([{ "name": "A", "text": "(as it was)" }, { "name": "B", "text": sealed("WHO") }]),
            ),
            (
                json!([{ "name": "A", "text": "plain" }, { "name": "B", "text": "old" }]),
                json!([{ "name": "A", "text": "plain" }, { "name": "B", "text": "(as it was)" }]),
            ),
            (
                json!([{ "name": "B", "text": "old" }, { "name": "A", "text": "plain" }]),
                json!([{ "name": "B", "text": "(as it was)" }, { "name": "A", "text": "plain" }]),
            ),
            (
                json!([{ "name": "B", "text": "old" }]),
                json!([{ "name": "B", "text": "(as it was)" }]),
            ),
        ] {
            assert_eq!(change(&veil, before, after.clone()), (expect, shown.clone()));
        }
    }

    #[test]
    fn a_value_of_another_shape_is_covered_whole() {
        let veil = json!({ "a": sealed("WHO") });
        assert_eq!(laid_over(&veil, &json!(["told"])), json!(["(as it was)"]));
        assert_eq!(
            covered(&json!({ "n": 1, "s": sealed("K") }), &none()),
            json!({ "n": 1, "s": sealed("K") })
        );
        assert_eq!(seal_of(&json!([{ "x": sealed("B+A") }, sealed("C")]))["sealed"], "A+B+C");
    }

    #[test]
    fn the_targets_of_steps_are_veiled_by_address() {
        let mut steps = json!([
            { "work": { "create": { "address": "kv.a", "fields": { "x": { "text": 1 }, "y": 2 } } } },
            { "work": { "update": { "target": { "address": "kv.b", "fields": { "x": 1 } } } } },
        ]);
        let veils = BTreeMap::from([("x".to_owned(), sealed("WHO"))]);
        veil_targets(&mut steps, "kv.a", &veils);
        let made = &steps[0]["work"]["create"]["fields"];
        assert_eq!((&made["x"]["sealed"]["sealed"], &made["y"]), (&json!("WHO"), &json!(2)));
        assert_eq!(steps[1]["work"]["update"]["target"]["fields"]["x"], 1);
    }
}
