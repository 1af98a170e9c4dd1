//! What proves that something in the account is ours.

use std::collections::BTreeSet;

use envc_core::{Address, Desired, FoundMarker, KindId, Marker, PhysicalName, RepositoryDigest};
use envc_kinds::Observed;

/// What proves that an unrecorded namesake is ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Ownership {
    /// The project.
    pub project: String,
    /// What stands for the project in names.
    pub prefix: String,
    /// The environment's ID.
    pub env: String,
    /// The repository whose project it is.
    pub repository: RepositoryDigest,
    /// What the repository was before: what is marked as theirs is ours.
    pub formerly: BTreeSet<RepositoryDigest>,
    /// The environment's ID has random digits, was drawn for this user and is in their registry.
    pub registered: bool,
    /// The identity holds the pull request's number.
    pub per_pr: bool,
    /// The project's names in this account are claimed by this repository: what has a pull
    /// request's name of this project was made from here.
    pub claimed: bool,
    /// What the spec has and somebody else deploys: it bears the marker, and no desired resource
    /// stands for it.
    pub deployed_by_others: BTreeSet<Address>,
    /// `--adopt`: the user named them.
    pub adopt: BTreeSet<Address>,
    /// The record lies where others may write it: it is believed where the account says the same.
    pub shared: bool,
    /// What the user named so before, by kind and the API's identifier.
    pub adopted: BTreeSet<(KindId, String)>,
}

impl Ownership {
    /// True for what begins with the marker of this resource, as this repository writes it or wrote
    /// it under a former name; a user's words may follow.
    pub(crate) fn marks(&self, address: &Address, seen: &Observed) -> bool {
        let Some((text, found)) = marker_of(seen) else { return false };
        let (project, env, label) = (&self.project, &self.env, address.name());
        let repository = found.repository;
        self.is_ours(repository) && Marker { project, env, label, repository }.begins(text)
    }

    /// True when a text begins with a marker of this environment, whatever its label.
    pub(crate) fn is_of_environment(&self, text: &str) -> bool {
        FoundMarker::at_head(text).is_some_and(|found| self.is_own(found))
    }

    /// True for a marker of this environment, whatever its label.
    pub(crate) fn is_own(&self, found: FoundMarker<'_>) -> bool {
        self.is_ours(found.repository) && found.is_of(&self.project, &self.env)
    }

    /// Whose a marker is that is not this environment's, for people.
    pub(crate) fn whose(&self, found: FoundMarker<'_>) -> &'static str {
        if self.is_ours(found.repository) {
            "another environment's marker"
        } else {
            "another repository's marker"
        }
    }

    /// True for what the spec has and somebody else deploys.
    pub(crate) fn is_deployed_by_others(&self, kind: KindId, seen: &Observed) -> bool {
        let of_kind = |address: &&Address| address.kind() == kind;
        self.deployed_by_others.iter().filter(of_kind).any(|address| self.marks(address, seen))
    }

    /// The marker of another repository, or of another environment, that something bears. Invariant:
    /// what does is ours only where the record has that very marker, or the user says so; no name says
    /// more than a marker.
    pub fn anothers<'o>(&self, seen: &'o Observed) -> Option<FoundMarker<'o>> {
        marker_of(seen).map(|(_, found)| found).filter(|found| !self.is_own(*found))
    }

    pub(crate) fn is_ours(&self, repository: RepositoryDigest) -> bool {
        self.repository == repository || self.formerly.contains(&repository)
    }

    /// The resource that a name of this environment reads back into, whichever project's it is where
    /// nobody else has the ID. It proves nothing by itself.
    pub(crate) fn named_by(&self, kind: KindId, name: &str) -> Option<Address> {
        if !envc_kinds::kind(kind).is_named() {
            return None;
        }
        let PhysicalName { project, label, env } = PhysicalName::parse(name)?;
        let ours = self.registered || project == self.prefix || project == self.project;
        (ours && env == self.env).then(|| Address::new(kind, label))
    }

    /// True for a name that somebody gave with this environment's ID in it, so that it does not tell
    /// whose it is.
    pub(crate) fn may_be_named(&self, name: &str) -> bool {
        let is_edge = |beside: Option<char>| beside.is_none_or(|it| matches!(it, '-' | '.'));
        let holds = name.match_indices(&self.env).any(|(at, env)| {
            let (before, behind) = (name.get(..at), name.get(at + env.len()..));
            is_edge(before.and_then(|it| it.chars().next_back()))
                && is_edge(behind.and_then(|it| it.chars().next()))
        });
        holds && PhysicalName::parse(name).is_none()
    }

    /// True when the name alone proves a resource ours. Invariant: the ID in it is nobody else's,
    /// or it reads back into exactly this project, label and pull request, where nobody else may
    /// give such names. A name of a user's own, or of the first version, could be another one's.
    pub fn name_proves(&self, address: &Address, name: &str) -> bool {
        self.registered || self.reads_back(address, name)
    }

    pub(crate) fn reads_back(&self, address: &Address, name: &str) -> bool {
        let own = PhysicalName { project: &self.prefix, label: address.name(), env: &self.env };
        self.per_pr && self.claimed && PhysicalName::parse(name) == Some(own)
    }

    /// The name that the first version gave a resource whose name the spec does not give.
    pub(crate) fn first_name(&self, wanted: &Desired) -> Option<String> {
        let (project, label, env) = (&self.project, wanted.address.name(), &self.env);
        let own = wanted.default_name && wanted.parent.is_none();
        own.then(|| PhysicalName { project, label, env }.of_first_version())
    }

    /// True when something that was seen proves itself ours, by its marker or its name.
    pub(crate) fn proves_alone(&self, address: &Address, seen: &Observed) -> bool {
        self.anothers(seen).is_none()
            && (self.marks(address, seen) || self.reads_back(address, &seen.name))
    }
}

/// The marker that something bears, and the text that begins with it.
fn marker_of(seen: &Observed) -> Option<(&str, FoundMarker<'_>)> {
    let text = seen.comment.as_deref()?;
    Some((text, FoundMarker::at_head(text)?))
}
