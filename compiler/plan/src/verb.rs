//! What steps do and to what, as messages, events and documents say it.

use std::fmt;

use envc_core::Address;
use serde::Serialize;

/// What a step does, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// A resource is made.
    Create,
    /// Fields of a resource are changed in place.
    Update,
    /// A resource is made ready for its delete.
    Clear,
    /// A resource is removed.
    Delete,
    /// Several resources are changed in one request.
    Change,
    /// Migrations of a database run.
    Migrate,
    /// A preview ID is taken from a pool.
    Lease,
    /// A preview ID is given back.
    Release,
}

impl Verb {
    /// As in "could not create kv.cache"; events and documents say the same word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Clear => "clear",
            Self::Delete => "delete",
            Self::Change => "change",
            Self::Migrate => "migrate",
            Self::Lease => "lease",
            Self::Release => "release",
        }
    }

    /// As in "created kv.cache".
    pub const fn past(self) -> &'static str {
        match self {
            Self::Create => "created",
            Self::Update => "updated",
            Self::Clear => "cleared",
            Self::Delete => "deleted",
            Self::Change => "changed",
            Self::Migrate => "migrated",
            Self::Lease => "leased",
            Self::Release => "released",
        }
    }

    /// True for what only takes away: all that is wanted is there without it.
    pub const fn takes_away(self) -> bool {
        match self {
            Self::Clear | Self::Delete | Self::Release => true,
            Self::Create | Self::Update | Self::Change | Self::Migrate | Self::Lease => false,
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What a step works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A resource.
    Resource(&'a Address),
    /// A lease, by what the spec calls it; by its pool where the spec does not have it any more.
    Lease(&'a str),
}

impl<'a> Subject<'a> {
    /// The address of a resource.
    pub fn address(self) -> Option<&'a Address> {
        match self {
            Self::Resource(address) => Some(address),
            Self::Lease(_) => None,
        }
    }
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resource(address) => address.fmt(f),
            Self::Lease(name) => write!(f, "lease.{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verb_is_written_as_it_is_said() {
        let all = [
            Verb::Create,
            Verb::Update,
            Verb::Clear,
            Verb::Delete,
            Verb::Change,
            Verb::Migrate,
            Verb::Lease,
            Verb::Release,
        ];
        for verb in all {
            assert_eq!(serde_json::to_value(verb).unwrap(), verb.word());
            assert!(verb.past().starts_with(verb.word().trim_end_matches('e')), "{verb}");
        }
    }
}
