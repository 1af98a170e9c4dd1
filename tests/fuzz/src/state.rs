//! The document of a state, as a file and as the edge Worker keeps it.
//!
//! What is read is written, and read again as the same; what a newer envc wrote, and another environment's,
//! is refused. Whatever a state says, both an apply and a destroy of it give a plan that the checker takes,
//! or say why there is none.

use envc_kinds::{Observed, kind};
use envc_plan::{Observation, State, StateKey};
use serde_json::Value as Json;

use crate::{
    law::{self, Form},
    shop,
};

pub(crate) fn check(data: &[u8]) {
    let key = key_of(data).unwrap_or_else(shop::key);
    let state = match State::parse(data, &key) {
        Ok(state) => state,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert_eq!(state.verify(), Ok(()));
    let read = |bytes: &[u8]| State::parse(bytes, &key);
    let write = |state: &State| match state.to_bytes() {
        Ok(bytes) => bytes,
        Err(error) => panic!("{error}: {state:#?}"),
    };
    let form = Form { version: "schema", read: &read, write: &write, told: &ToString::to_string };
    law::document(&state, &form);
    let other = StateKey { env: format!("{}x", key.env), ..key.clone() };
    assert!(State::parse(&write(&state), &other).is_err(), "taken for another environment's");
    shop::lawful(Some(&state), &Observation::default());
    shop::lawful(Some(&state), &as_recorded(&state));
}

/// The key that the document says it has.
fn key_of(data: &[u8]) -> Option<StateKey> {
    let json: Json = serde_json::from_slice(data).ok()?;
    serde_json::from_value(json.get("key")?.clone()).ok()
}

/// An account in which all is as it was recorded.
fn as_recorded(state: &State) -> Observation {
    let mut observation = Observation::default();
    for (address, recorded) in &state.resources {
        let seen = Observed {
            id: recorded.id.clone(),
            name: recorded.name.clone(),
            fields: recorded.fields.clone(),
            ..Observed::default()
        };
        observation.add(address.kind(), recorded.zone.as_deref(), vec![seen]);
        let zone = recorded.zone.clone().filter(|_| kind(address.kind()).in_zone());
        observation.listed.insert((address.kind(), zone));
    }
    observation
}
