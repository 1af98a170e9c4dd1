//! Values as a plan shows them: sealed ones by their names, texts on one line.

use envc_core::{Address, Sealed, printable};
use envc_kinds::Mutability;
use serde_json::Value as Json;

use crate::model::{Change, FieldChange};

/// Widest JSON that stays on its line.
const INLINE_CHARS_MAX: usize = 72;

/// True for a field that the API never tells.
pub(super) fn is_write_only(change: &Change, field: &str) -> bool {
    let attrs = envc_kinds::kind(change.address.kind()).attrs();
    attrs.iter().any(|attr| attr.name == field && attr.mutability == Mutability::WriteOnly)
}

/// The change of a sealed value, by its name: digests say nothing to a reader.
pub(super) fn sealed_change(change: &Change, field: &FieldChange) -> Option<String> {
    let sealed = |side: &Option<Json>| side.as_ref().and_then(Sealed::from_json);
    let (before, after) = (sealed(&field.before), sealed(&field.after));
    if before.is_none() && after.is_none() {
        return is_write_only(change, &field.field).then(|| sealed_map_change(field));
    }
    let word = word_of(field.before.as_ref(), field.after.as_ref());
    let name = after.or(before).map(|it| it.name).unwrap_or_default();
    Some(format!("{} {word}", shown_text(&name)).trim_start().to_owned())
}

fn sealed_map_change(change: &FieldChange) -> String {
    let value = |side: &Option<Json>, name: &str| side.as_ref()?.get(name).cloned();
    let sides = change.before.iter().chain(&change.after);
    let mut names: Vec<&str> = sides.flat_map(names_of).collect();
    names.sort_unstable();
    names.dedup();
    let told = names.into_iter().filter_map(|name| {
        let (before, after) = (value(&change.before, name), value(&change.after, name));
        // A value that is not known here may be the one that is there.
        let maybe = before.is_some() && after.as_ref().is_some_and(is_unknown);
        let differs = before != after && !maybe;
        let word = word_of(before.as_ref(), after.as_ref());
        differs.then(|| format!("{} {word}", shown_text(name)))
    });
    told.collect::<Vec<_>>().join(", ")
}

fn word_of(before: Option<&Json>, after: Option<&Json>) -> &'static str {
    match (before, after) {
        (_, Some(after)) if is_unknown(after) => "set, and not known here",
        (None, _) => "set",
        (_, None) => "removed",
        _ => "changed",
    }
}

fn is_unknown(value: &Json) -> bool {
    Sealed::from_json(value).is_some_and(|sealed| sealed.digest.is_none())
}

pub(super) fn names_of(map: &Json) -> Vec<&str> {
    map.as_object().into_iter().flat_map(|map| map.keys().map(String::as_str)).collect()
}

/// True for a list or a map that is too long for a line.
pub(super) fn is_wide(value: &Json) -> bool {
    (value.is_array() || value.is_object()) && value.to_string().chars().count() > INLINE_CHARS_MAX
}

/// The value, with the name of each sealed part in its place.
fn unsealed(value: &Json) -> Json {
    match value {
        Json::Object(items) => match Sealed::from_json(value) {
            Some(sealed) if sealed.digest.is_none() => {
                format!("({}: not known)", sealed.name).into()
            }
            Some(sealed) => format!("({})", sealed.name).into(),
            None => items.iter().map(|(key, item)| (key.clone(), unsealed(item))).collect(),
        },
        Json::Array(items) => items.iter().map(unsealed).collect(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => value.clone(),
    }
}

pub(super) fn shown_json(value: &Json, pretty: bool) -> String {
    let value = &unsealed(value);
    // Values of JSON always print.
    let text = if pretty { format!("{value:#}") } else { value.to_string() };
    text.split('\n').map(shown_text).collect::<Vec<_>>().join("\n")
}

/// An address: that of a state or of a saved plan may hold anything behind its dot.
pub(super) fn shown_address(address: &Address) -> String {
    shown_text(&address.to_string())
}

/// The text on one line, with its control characters spelled out: a name in the account must not move
/// the cursor of who reads the plan.
pub(super) fn shown_text(text: &str) -> String {
    printable(text).replace('\n', "\\n").replace('\t', "\\t")
}
