//! Laws that several targets hold.

use std::fmt::Debug;

use envc::documents::Unusable;
use envc_core::steers_a_terminal;
use serde_json::Value as Json;

/// A member that no version knows.
const OF_TOMORROW: &str = "of_tomorrow";
/// Objects of a document that get it, one after the other: which of them, the document decides.
const OBJECTS_TRIED: usize = 3;

/// Nothing of it steers a terminal.
pub(crate) fn plain(text: &str) {
    assert!(!text.contains(steers_a_terminal), "it steers a terminal: {text:?}");
}

/// An error is one with a code, in a text that steers no terminal.
pub(crate) fn told(error: &Unusable) {
    assert!(error.code.is_some() && !error.text.is_empty(), "{error:?}");
    plain(&error.text);
}

/// How a document is read and written.
pub(crate) struct Form<'f, D, E> {
    /// The member that holds the version.
    pub(crate) version: &'static str,
    pub(crate) read: &'f dyn Fn(&[u8]) -> Result<D, E>,
    pub(crate) write: &'f dyn Fn(&D) -> Vec<u8>,
    /// What people read of an error.
    pub(crate) told: &'f dyn Fn(&E) -> String,
}

/// What was read is written, and read again as the same. A newer version of it is refused with the version
/// in its words; a member that nobody knows is refused or stays, wherever it stands: nothing is dropped by
/// reading it and writing it back.
pub(crate) fn document<D: Debug + PartialEq, E: Debug>(document: &D, form: &Form<'_, D, E>) {
    let bytes = (form.write)(document);
    match (form.read)(&bytes) {
        Ok(again) => assert_eq!(again, *document, "read again it is another one"),
        Err(error) => panic!("what was written is refused: {error:?}"),
    }
    let Ok(written) = serde_json::from_slice::<Json>(&bytes) else {
        panic!("what was written is no JSON")
    };
    let mut newer = written.clone();
    if let Some(version) = newer.get_mut(form.version) {
        *version = 4_000_000.into();
    }
    match (form.read)(newer.to_string().as_bytes()) {
        Ok(newer) => panic!("a newer one is taken: {newer:?}"),
        Err(error) => assert!((form.told)(&error).contains("4000000"), "{error:?}"),
    }
    let count = objects(&written);
    let first = bytes.iter().fold(0_usize, |sum, byte| sum.wrapping_mul(31) ^ usize::from(*byte));
    for at in 0..count.min(OBJECTS_TRIED) {
        let mut other = written.clone();
        add(&mut other, &mut (first.wrapping_add(at) % count));
        if let Ok(read) = (form.read)(other.to_string().as_bytes()) {
            let text = (form.write)(&read);
            let is_there = text.windows(OF_TOMORROW.len()).any(|it| it == OF_TOMORROW.as_bytes());
            assert!(is_there, "a member is dropped of {other:#}");
        }
    }
}

/// How many objects there are.
fn objects(json: &Json) -> usize {
    match json {
        Json::Object(members) => 1 + members.values().map(objects).sum::<usize>(),
        Json::Array(items) => items.iter().map(objects).sum(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => 0,
    }
}

/// Adds the member to the object before which there are as many others as `before` says.
fn add(json: &mut Json, before: &mut usize) -> bool {
    match json {
        Json::Object(members) if *before == 0 => {
            members.insert(OF_TOMORROW.to_owned(), Json::Null);
            true
        }
        Json::Object(members) => {
            *before -= 1;
            members.values_mut().any(|member| add(member, before))
        }
        Json::Array(items) => items.iter_mut().any(|item| add(item, before)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
    }
}
