//! Field by field: what differs, and what is recorded.

use std::{
    borrow::Cow,
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
};

use envc_core::{Desired, KindId, Output, Part, Sealed, Sealer, Value};
use envc_kinds::{Attr, Fields, Kind, Mutability, form, kind, same, same_name};
use serde_json::Value as Json;

use super::differ::Differ;
use crate::{
    leases::value_of,
    model::{FieldChange, Record},
    observe::Seen,
    state::Recorded,
};

impl Differ<'_> {
    /// The fields that differ, and whether any of them needs another resource.
    pub(super) fn field_changes<'s>(
        &self,
        wanted: &Desired,
        kind: &dyn Kind,
        seen: &'s Seen,
        recorded: Option<&'s Recorded>,
    ) -> (Vec<FieldChange>, bool) {
        let taken_back = self.taken_back(wanted, kind, seen, recorded);
        let mut replace = false;
        // After an interrupted update the record may be out of date: where the API does not tell the
        // value, it is set again.
        let recorded = recorded.filter(|_| !self.updates.contains(&wanted.address));
        let mut changes = witnessed(kind, seen, recorded);
        changes.extend(taken_back);
        let known = OnceCell::new();
        for (field, value) in &wanted.fields {
            let mutability = kind
                .attrs()
                .iter()
                .find(|attr| attr.name == field)
                .map_or(Mutability::InPlace, |attr| attr.mutability);
            if mutability == Mutability::CreateOnly {
                continue;
            }
            let after = value.resolve(&mut |part| self.known(part));
            let model = after.as_ref().filter(|_| value.is_private());
            let before = self.before(kind, field, model, seen, recorded);
            // Invariant: another spelling of what is there is no difference.
            if let (Some(after), Some((now, beside))) = (&after, &before) {
                let known = || known.get_or_init(|| self.known_fields(wanted));
                if after == &**now || agree(kind, field, (after, known()), (now, beside)) {
                    continue;
                }
            }
            let forces_replace = mutability == Mutability::Replace;
            replace |= forces_replace;
            changes.push(FieldChange {
                field: field.clone(),
                // A null from the server means that nothing is set.
                before: before.map(|(value, _)| value.into_owned()).filter(|it| !it.is_null()),
                after,
                forces_replace,
            });
        }
        (changes, replace)
    }

    /// Fields that envc set once and that the spec sets no more, where they refer to another resource.
    fn taken_back(
        &self,
        wanted: &Desired,
        kind: &dyn Kind,
        seen: &Seen,
        recorded: Option<&Recorded>,
    ) -> Vec<FieldChange> {
        let left_out = kind.holds_by_name().iter();
        left_out
            .filter(|(field, _)| !wanted.fields.contains_key(*field))
            .filter_map(|(field, of)| {
                let now = seen.observed.fields.get(*field).filter(|now| !now.is_null())?;
                let was = recorded.and_then(|it| it.fields.get(*field));
                let set = was.is_some_and(|was| !was.is_null());
                (set || self.may_have_set(wanted, *of, now.as_str()?)).then(|| FieldChange {
                    field: (*field).to_owned(),
                    before: Some(now.clone()),
                    after: Some(Json::Null),
                    forces_replace: false,
                })
            })
            .collect()
    }

    /// True for the name of a resource of ours that the spec dropped, or that an interrupted run was
    /// about to refer to.
    fn may_have_set(&self, wanted: &Desired, of: KindId, name: &str) -> bool {
        let Some(held) = self.index.by_name(of, name) else { return false };
        let mut ours = self.state.into_iter().flat_map(|state| &state.resources);
        let address = ours.find(|(it, kept)| it.kind() == of && kept.id == held.observed.id);
        let Some((address, _)) = address else { return false };
        let mut begun = self.state.into_iter().flat_map(|state| &state.intents);
        !self.desired.contains_key(address)
            || begun.any(|it| it.address == wanted.address && it.needs.contains(address))
    }

    /// The fields that the spec sets and whose references are known.
    pub(super) fn known_fields(&self, wanted: &Desired) -> Fields<Json> {
        let resolve = |value: &Value| value.resolve(&mut |part| self.known(part));
        let fields = wanted.fields.iter();
        fields.filter_map(|(field, value)| Some((field.clone(), resolve(value)?))).collect()
    }

    /// The value of a field now, with the fields beside it: as the API tells it, else as recorded. A
    /// private one is sealed as `model` is.
    fn before<'s>(
        &self,
        kind: &dyn Kind,
        field: &str,
        model: Option<&Json>,
        seen: &'s Seen,
        recorded: Option<&'s Recorded>,
    ) -> Option<(Cow<'s, Json>, &'s Fields<Json>)> {
        let told = &seen.observed.fields;
        match (told.get(field), model) {
            (Some(seen), Some(model)) => {
                // A seal hides the spelling, so it is sealed in the one form.
                let seen = form(kind, field, seen, told);
                Some((Cow::Owned(self.sealer.like(model, &seen)), told))
            }
            (Some(seen), None) => Some((Cow::Borrowed(seen), told)),
            (None, _) => {
                let kept = &recorded?.fields;
                Some((Cow::Borrowed(kept.get(field)?), kept))
            }
        }
    }

    /// What to record of a resource that is there: the fields the spec sets, as they are now.
    pub(super) fn record(&self, wanted: &Desired, seen: &Seen, changed: &[FieldChange]) -> Record {
        let kind = kind(wanted.address.kind());
        let mut fields = BTreeMap::new();
        for (field, value) in &wanted.fields {
            let differs = changed.iter().find(|change| &change.field == field);
            let value = match differs {
                Some(change) => change.before.clone(),
                // A value that is not known is not recorded as the one that is there.
                None if !value.unknown().is_empty() => None,
                None => value.resolve(&mut |part| self.known(part)),
            };
            fields.extend(value.map(|value| (field.clone(), value)));
        }
        for attr in witnesses(kind) {
            let told = seen.observed.fields.get(attr.name);
            fields.extend(told.map(|value| (attr.name.to_owned(), value.clone())));
        }
        let mut record = record_of(wanted, &seen.observed.id, fields);
        if wanted.parent.is_none() {
            record.name.clone_from(&seen.observed.name);
            record.zone.clone_from(&seen.zone);
        }
        record
    }

    pub(super) fn known(&self, part: &Part) -> Option<String> {
        match part {
            Part::Lit(text) => Some(text.clone()),
            Part::Out(reference) => match reference.output {
                Output::Id => self.ids.get(&reference.address).map(|id| (*id).to_owned()),
                Output::Name => match self.names.get(&reference.address) {
                    Some(name) => Some((*name).to_owned()),
                    None => Some(self.desired.get(&reference.address)?.name.clone()),
                },
                Output::Token => None,
            },
            Part::In(_) => value_of(self.leases, part),
        }
    }
}

fn witnesses(kind: &dyn Kind) -> impl Iterator<Item = &'static Attr> {
    kind.attrs().iter().filter(|attr| attr.mutability == Mutability::ServerAssigned)
}

/// A server-assigned value that differs from the recorded one: somebody else deployed.
fn witnessed(kind: &dyn Kind, seen: &Seen, recorded: Option<&Recorded>) -> Vec<FieldChange> {
    let Some(recorded) = recorded else { return Vec::new() };
    witnesses(kind)
        .filter_map(|attr| {
            let (told, kept) = (&seen.observed.fields, &recorded.fields);
            let (now, was) = (told.get(attr.name)?, kept.get(attr.name)?);
            (!same(kind, attr.name, (now, told), (was, kept))).then(|| FieldChange {
                field: attr.name.to_owned(),
                before: Some(now.clone()),
                after: Some(was.clone()),
                forces_replace: false,
            })
        })
        .collect()
}

/// A record of a desired resource.
fn record_of(wanted: &Desired, id: &str, fields: BTreeMap<String, Json>) -> Record {
    Record {
        name: wanted.name.clone(),
        id: id.to_owned(),
        fields,
        zone: wanted.zone.clone(),
        parent: wanted.parent.clone(),
        needs: wanted.needs().into_iter().cloned().collect(),
    }
}

/// True when the resource differs from its record only, and not from the wanted values (`known`): it
/// changed outside envc.
pub(super) fn drifted(
    kind: &dyn Kind,
    fields: &[FieldChange],
    known: &Fields<Json>,
    recorded: &Recorded,
) -> bool {
    fields.iter().all(|field| {
        let (name, after) = (field.field.as_str(), field.after.as_ref());
        let of_name = |after: &Json| {
            let after = after.as_str().filter(|_| name == "name");
            after.is_some_and(|after| same_name(kind, after, &recorded.name))
        };
        let as_recorded = |after: &Json| {
            let was = recorded.fields.get(name);
            was.is_some_and(|was| same(kind, name, (after, known), (was, &recorded.fields)))
        };
        after.is_some_and(|after| of_name(after) || as_recorded(after))
    })
}

/// True when two values mean the same, as far as it is known what is wanted. Each comes with the
/// fields beside it.
fn agree(
    kind: &dyn Kind,
    field: &str,
    wanted: (&Json, &Fields<Json>),
    there: (&Json, &Fields<Json>),
) -> bool {
    let of = |it: (&Json, &Fields<Json>)| form(kind, field, it.0, it.1);
    agrees(wanted.0, there.0) || agrees(&of(wanted), &of(there))
}

/// True when what is wanted is there, as far as it is known what is wanted.
fn agrees(wanted: &Json, there: &Json) -> bool {
    if wanted == there || Sealed::from_json(wanted).is_some_and(|it| it.digest.is_none()) {
        return true;
    }
    match (wanted, there) {
        (Json::Object(wanted), Json::Object(there)) => {
            let same = |(key, item): (&String, &Json)| {
                there.get(key).is_some_and(|there| agrees(item, there))
            };
            wanted.len() == there.len() && wanted.iter().all(same)
        }
        (Json::Array(wanted), Json::Array(there)) => {
            let mut pairs = wanted.iter().zip(there);
            wanted.len() == there.len() && pairs.all(|(wanted, there)| agrees(wanted, there))
        }
        _ => false,
    }
}

/// The variables and secrets that are not known and that a resource depends on.
pub(super) fn unknown(wanted: &Desired) -> Vec<String> {
    let all: BTreeSet<String> = wanted.fields.values().flat_map(Value::unknown).collect();
    all.into_iter().collect()
}

/// The observed values that an update has to send again, because its call resets what it leaves out.
/// Fields that envc set once and that the spec sets no more are reset, and so are the `changed` ones.
pub(super) fn kept(
    kind: &dyn Kind,
    wanted: &Desired,
    seen: &Seen,
    recorded: Option<&Recorded>,
    changed: &[FieldChange],
) -> Fields<Json> {
    if !kind.writes_whole() {
        return Fields::new();
    }
    let witness = |field: &str| witnesses(kind).any(|attr| attr.name == field);
    let ours = |field: &str| {
        recorded.is_some_and(|recorded| recorded.fields.contains_key(field))
            || changed.iter().any(|change| change.field == field)
    };
    let all = seen.observed.fields.iter();
    all.filter(|(field, _)| !wanted.fields.contains_key(*field) && !witness(field) && !ours(field))
        .map(|(field, value)| (field.clone(), value.clone()))
        .collect()
}

/// What was recorded and is different now, for fields that a list tells of.
pub(super) fn drift(
    kind: &dyn Kind,
    seen: &Seen,
    recorded: &Recorded,
    sealer: &Sealer,
) -> Vec<FieldChange> {
    let create_only = |field: &str| {
        kind.attrs()
            .iter()
            .any(|attr| attr.name == field && attr.mutability == Mutability::CreateOnly)
    };
    // Kinds whose natural key is made of fields have a `name` attribute of their own.
    let own_name = kind.attrs().iter().any(|attr| attr.name == "name");
    let renamed = recorded.parent.is_none()
        && !own_name
        && !same_name(kind, &seen.observed.name, &recorded.name);
    let name = renamed.then(|| FieldChange {
        field: "name".to_owned(),
        before: Some(recorded.name.clone().into()),
        after: Some(seen.observed.name.clone().into()),
        forces_replace: false,
    });
    let fields = recorded.fields.iter().filter(|(field, _)| !create_only(field)).filter_map(
        |(field, before)| {
            let (told, kept) = (&seen.observed.fields, &recorded.fields);
            let now = told.get(field)?;
            let formed = form(kind, field, now, told);
            let hidden = sealer.like(before, &formed);
            let now = if hidden == formed { now.clone() } else { hidden };
            (!same(kind, field, (&now, told), (before, kept))).then(|| FieldChange {
                field: field.clone(),
                // A null means that nothing is set.
                before: Some(before.clone()).filter(|it| !it.is_null()),
                after: Some(now).filter(|it| !it.is_null()),
                forces_replace: false,
            })
        },
    );
    name.into_iter().chain(fields).collect()
}
