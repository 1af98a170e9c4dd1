//! What the API says is there.

use std::{
    borrow::Cow,
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
};

use envc_core::{Address, Desired, FoundMarker, KindId, Value};
use envc_kinds::{Fields, Held, MarkerOf, Mutability, Observed, kind, same_name};

use crate::{
    ownership::Ownership,
    state::{Recorded, State},
};

/// What has to be asked before a plan can be made: lists, then what is read per parent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Questions {
    /// Kinds to list, with the zone for those that live in one. One list each.
    pub lists: BTreeSet<(KindId, Option<String>)>,
    /// Lists that only show whether something is in the way of a new resource. Where the token may
    /// not read them, the plan is made without.
    pub glances: BTreeSet<(KindId, Option<String>)>,
    /// Kinds without a list: read once per parent, after the parents are found.
    pub children: BTreeSet<KindId>,
}

/// How far a look goes beyond what the spec and the record name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// No further: what an apply needs.
    #[default]
    Named,
    /// To what others make and nobody records, with what serves it: what a destroy needs whose record
    /// tells all else.
    Unrecorded,
    /// To every kind, in the account and in the zones that are known.
    All,
}

impl Reach {
    /// True for a kind that is listed, whatever the spec and the record name.
    fn lists(self, id: KindId) -> bool {
        match self {
            Self::Named => false,
            Self::Unrecorded => kind(id).facts().made_by_others,
            Self::All => true,
        }
    }
}

/// What was asked, and the answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observation {
    /// What was found, by kind.
    pub found: BTreeMap<KindId, Vec<Seen>>,
    /// Names that another product of Cloudflare holds, by kind: they may be in the way.
    pub held: Vec<(KindId, Held)>,
    /// What the environment holds of each pool that was asked.
    pub leases: BTreeMap<String, LeaseSeen>,
    /// The ledger of each database that was asked, by the API's identifier. None: the token may not
    /// read it, which only a look at the plan takes.
    pub ledgers: BTreeMap<(KindId, String), Option<Vec<String>>>,
    /// Code that is live and that somebody else deployed from what envc wrote, by address. Asked where
    /// an apply takes something away that it may be bound to.
    pub live: BTreeMap<Address, Live>,
    /// What was listed, with the zone of what lives in one.
    pub listed: BTreeSet<(KindId, Option<String>)>,
    /// What the API does not have by its identifier. What a list alone does not show is not among
    /// these.
    pub gone: BTreeSet<(KindId, String)>,
    /// Kinds that could not be listed where a look reached for them: nothing is known of these.
    pub unlisted: BTreeSet<KindId>,
}

/// Code that somebody else deployed, as it is live now, beside what the spec wants of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Live {
    /// The API's identifier.
    pub id: String,
    /// What it is bound to, by kind, and by name or identifier.
    pub holds: Vec<(KindId, String)>,
    /// What the next deployment will refer to.
    pub wanted: Fields<Value>,
    /// The spec has it no more: nobody deploys it anew, and somebody has to delete it.
    pub left: bool,
}

/// What a pool says of the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseSeen {
    /// It holds a preview ID.
    Held {
        /// The preview ID.
        id: String,
        /// Its public attributes, where the pool told them.
        attributes: Option<BTreeMap<String, String>>,
    },
    /// It holds none.
    Absent,
    /// The pool could not be asked. Only a destroy goes on then.
    Unknown,
}

/// One resource that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// The resource.
    pub observed: Observed,
    /// The zone it was found in.
    pub zone: Option<String>,
}

impl Questions {
    /// What a plan for these resources and this state needs to know.
    pub fn of<'a>(desired: impl Iterator<Item = &'a Desired>, state: Option<&State>) -> Self {
        let mut questions = Self::default();
        for wanted in desired {
            questions.add(wanted.address.kind(), wanted.zone.as_ref());
            let recorded = state.is_some_and(|it| it.resources.contains_key(&wanted.address));
            if wanted.is_managed() && !recorded {
                let others = kind(wanted.address.kind()).shares_hosts_with().iter();
                questions.glances.extend(others.map(|id| (*id, wanted.zone.clone())));
            }
        }
        if let Some(state) = state {
            for (address, recorded) in &state.resources {
                questions.add(address.kind(), recorded.zone.as_ref());
            }
            for intent in &state.intents {
                questions.add(intent.address.kind(), intent.zone.as_ref());
            }
        }
        let lists = &questions.lists;
        questions.glances.retain(|glance| !lists.contains(glance));
        questions
    }

    /// True for what is listed already.
    pub fn asks(&self, asker: &(KindId, Option<String>)) -> bool {
        self.lists.contains(asker) || self.glances.contains(asker)
    }

    /// Adds the lists of a look that reaches further. These may be refused.
    pub fn reach(&mut self, reach: Reach, zones: &[String]) {
        for id in KindId::ALL.into_iter().filter(|id| reach.lists(*id)) {
            self.glance(id, zones);
        }
    }

    /// The lists of what serves resources of these kinds. Only a far look asks for them.
    pub fn serving(reach: Reach, is_there: impl Fn(KindId) -> bool, zones: &[String]) -> Self {
        let mut questions = Self::default();
        let serves = |id: &KindId| kind(*id).serves().is_some_and(|(_, it)| is_there(it));
        for id in KindId::ALL.into_iter().filter(|id| reach != Reach::Named && serves(id)) {
            questions.glance(id, zones);
        }
        questions
    }

    /// The lists of what serves code and may hold on to something of these kinds, that nobody has asked
    /// for yet.
    pub fn holding(going: &BTreeSet<KindId>, seen: &Observation) -> Self {
        let mut questions = Self::default();
        let holds = |id: &KindId| {
            let by_name = kind(*id).holds_by_name().iter().map(|(_, held)| held);
            let owner = kind(*id).named_by().map(|(_, owner)| owner);
            let serves_code = kind(*id).serves().is_some_and(|(_, it)| kind(it).runs_code());
            serves_code && by_name.chain(&owner).any(|held| going.contains(held))
        };
        let all = KindId::ALL.into_iter().filter(holds).map(|id| (id, None));
        questions.lists.extend(all.filter(|asker| !seen.listed.contains(asker)));
        questions
    }

    fn glance(&mut self, id: KindId, zones: &[String]) {
        if kind(id).listing(&envc_kinds::Place::default()).is_none() {
            return;
        }
        let everywhere = if kind(id).in_zone() {
            zones.iter().map(|zone| (id, Some(zone.clone()))).collect()
        } else {
            vec![(id, None)]
        };
        let new = everywhere.into_iter().filter(|it| !self.lists.contains(it));
        self.glances.extend(new.collect::<Vec<_>>());
    }

    fn add(&mut self, id: KindId, zone: Option<&String>) {
        let place = envc_kinds::Place::default();
        if kind(id).listing(&place).is_some() {
            self.lists.insert((id, zone.cloned()));
        } else {
            self.children.insert(id);
        }
    }
}

impl Observation {
    /// Adds what a list or a read told.
    pub fn add(&mut self, id: KindId, zone: Option<&str>, items: Vec<Observed>) {
        let seen = self.found.entry(id).or_default();
        seen.extend(
            items.into_iter().map(|observed| Seen { observed, zone: zone.map(str::to_owned) }),
        );
    }

    /// Adds the marker that a read found on a resource.
    pub fn mark(&mut self, id: KindId, api_id: &str, marker: Option<&String>) {
        let all = self.found.get_mut(&id).into_iter().flatten();
        for seen in all.filter(|seen| seen.observed.id == api_id) {
            seen.observed.comment = marker.cloned();
        }
    }

    /// Adds what a read found that a resource holds on to.
    pub fn hold(&mut self, id: KindId, api_id: &str, held: &[(KindId, String)]) {
        let all = self.found.get_mut(&id).into_iter().flatten();
        for seen in all.filter(|seen| seen.observed.id == api_id) {
            seen.observed.holds.extend(held.iter().cloned());
        }
    }

    /// Leaves a resource out, as if it was not in the account.
    pub fn hide(&mut self, id: KindId, api_id: &str) {
        if let Some(seen) = self.found.get_mut(&id) {
            seen.retain(|seen| seen.observed.id != api_id);
        }
    }

    /// True when something with this identifier was found.
    pub fn holds(&self, id: KindId, api_id: &str) -> bool {
        self.found.get(&id).is_some_and(|seen| seen.iter().any(|seen| seen.observed.id == api_id))
    }

    /// Assumes that the recorded resources are there: a destroy with a whole state needs no lists.
    pub fn from_state(state: &State) -> Self {
        let mut observation = Self::default();
        for (address, recorded) in &state.resources {
            let observed = Observed {
                id: recorded.id.clone(),
                name: recorded.name.clone(),
                fields: recorded.fields.clone(),
                ..Observed::default()
            };
            observation.add(address.kind(), recorded.zone.as_deref(), vec![observed]);
        }
        observation
    }
}

/// The parents whose children have to be read: each with its API identifier, by kind of child.
///
/// A parent counts when it is recorded under an identifier that was found, or when its physical
/// name was found.
pub fn parents_to_read(
    desired: &BTreeMap<Address, Desired>,
    state: Option<&State>,
    observation: &Observation,
) -> Vec<(KindId, String)> {
    let index = Index::new(observation);
    let mut wanted: BTreeSet<(KindId, &Address)> = BTreeSet::new();
    for (address, child) in desired {
        if kind(address.kind()).listing(&envc_kinds::Place::default()).is_none()
            && let Some(parent) = &child.parent
        {
            wanted.insert((address.kind(), parent));
        }
    }
    // Also children that the spec dropped and that have to be deleted while their parent stays.
    for (address, child) in state.iter().flat_map(|state| &state.resources) {
        let kind = kind(address.kind());
        let place = envc_kinds::Place::default();
        let alone = kind.listing(&place).is_none() && kind.delete(&place, "x").is_some();
        if let (true, Some(parent)) = (alone, &child.parent) {
            wanted.insert((address.kind(), parent));
        }
    }
    // And children that an interrupted run was about to make, which nothing else may name any more.
    for intent in state.iter().flat_map(|state| &state.intents) {
        let kind = kind(intent.address.kind());
        let alone = kind.delete(&envc_kinds::Place::default(), "x").is_some();
        if let (true, true, Some(parent)) = (kind.lives_with().is_some(), alone, intent.owner()) {
            wanted.insert((intent.address.kind(), parent));
        }
    }
    let mut found = Vec::new();
    for (child, parent) in wanted {
        let recorded = state.and_then(|state| state.resources.get(parent));
        let seen = recorded
            .and_then(|recorded| index.by_id(parent.kind(), &recorded.id))
            .or_else(|| index.by_name(parent.kind(), &desired.get(parent)?.name));
        if let Some(seen) = seen {
            found.push((child, seen.observed.id.clone()));
        }
    }
    found
}

/// The resources whose marker has to be read, each with its API identifier:
/// - unrecorded ones with a name that the environment wants or began to make, or that look as if
///   they were its own; for a far look a name with the ID in it is enough;
/// - recorded ones that somebody else may have changed since;
/// - where there is one that nobody recorded and that may go, all recorded ones: which refer to which
///   is told with the marker.
pub fn markers_to_read(
    desired: &BTreeMap<Address, Desired>,
    state: Option<&State>,
    observation: &Observation,
    ownership: &Ownership,
    reach: Reach,
) -> Vec<(KindId, String)> {
    let resources = state.into_iter().flat_map(|state| &state.resources);
    let records: BTreeMap<(KindId, &str), &Recorded> =
        resources.map(|(address, it)| ((address.kind(), it.id.as_str()), it)).collect();
    let mut found = Vec::new();
    for (id, seen) in &observation.found {
        let kind = kind(*id);
        let Some(MarkerOf::Call { hint, .. }) = kind.facts().marker else { continue };
        let wanted = desired.values().filter(|it| it.address.kind() == *id && it.is_managed());
        let begun = state.into_iter().flat_map(|state| &state.intents);
        let begun = begun.filter(|intent| intent.address.kind() == *id);
        let names: BTreeSet<String> = wanted
            .flat_map(|wanted| {
                ownership.first_name(wanted).into_iter().chain([wanted.name.clone()])
            })
            .chain(begun.map(|intent| intent.name.clone()))
            .map(|name| kind.key(&name).into_owned())
            .collect();
        let looks_ours = |observed: &Observed| {
            let hint = hint(observed);
            hint.is_some_and(|hint| ownership.is_of_environment(hint))
                || ownership.named_by(*id, &observed.name).is_some()
                // The spec may have given it a name of its own, and have lost it since.
                || (reach != Reach::Named && ownership.may_be_named(&observed.name))
        };
        let looks_taken = |observed: &Observed, recorded: &Recorded| {
            let hint = hint(observed).and_then(FoundMarker::at_head);
            hint.is_some_and(|hint| !ownership.is_own(hint))
                || kind
                    .attrs()
                    .iter()
                    .filter(|it| it.mutability == Mutability::ServerAssigned)
                    .any(|it| recorded.fields.get(it.name) != observed.fields.get(it.name))
        };
        let recorded = |it: &Observed| records.get(&(*id, it.id.as_str())).copied();
        let is_new = |observed: &Observed| {
            recorded(observed).is_none()
                && (names.contains(&*kind.key(&observed.name)) || looks_ours(observed))
        };
        let all = || seen.iter().map(|seen| &seen.observed);
        let mixed = reach != Reach::Named && all().any(is_new);
        let unknown = all().filter(|observed| match recorded(observed) {
            Some(recorded) => mixed || looks_taken(observed, recorded),
            None => is_new(observed),
        });
        found.extend(unknown.map(|observed| (*id, observed.id.clone())));
    }
    found
}

/// Finds what was seen by identifier and by name, without scanning.
pub(crate) struct Index<'a> {
    /// By kind and identifier, sorted.
    ids: Vec<(KindId, &'a str, &'a Seen)>,
    /// By kind and host, sorted; made when a name is looked for, which is seldom.
    names: OnceCell<Vec<(KindId, Cow<'a, str>, &'a Seen)>>,
    /// By kind and by the identifier of the resource that they take their name from.
    owned: OnceCell<BTreeMap<(KindId, &'a str), &'a Seen>>,
}

impl<'a> Index<'a> {
    pub(crate) fn new(observation: &'a Observation) -> Self {
        let mut ids = Vec::new();
        for (id, seen) in &observation.found {
            ids.extend(seen.iter().map(|seen| (*id, seen.observed.id.as_str(), seen)));
        }
        sort(&mut ids);
        // Where an identifier comes twice, the last one counts.
        ids.dedup_by(|next, kept| {
            let same = (next.0, next.1) == (kept.0, kept.1);
            if same {
                *kept = *next;
            }
            same
        });
        Self { ids, names: OnceCell::new(), owned: OnceCell::new() }
    }

    /// The resource that lives with a parent, or takes its name from it, by the parent's identifier.
    pub(crate) fn by_owner(&self, id: KindId, owner: &str) -> Option<&'a Seen> {
        if kind(id).named_by().is_none() {
            return self.by_id(id, owner);
        }
        let all = self.owned.get_or_init(|| {
            let owner = |id: KindId, seen: &'a Seen| {
                seen.observed.fields.get(kind(id).named_by()?.0)?.as_str()
            };
            let seen = self.ids.iter();
            seen.filter_map(|(id, _, seen)| Some(((*id, owner(*id, seen)?), *seen))).collect()
        });
        all.get(&(id, owner)).copied()
    }

    pub(crate) fn by_id(&self, id: KindId, api_id: &str) -> Option<&'a Seen> {
        let at = self.ids.binary_search_by(|(kind, known, _)| (*kind, *known).cmp(&(id, api_id)));
        self.ids.get(at.ok()?).map(|(_, _, seen)| *seen)
    }

    /// The resources of a kind by the host that they hold.
    pub(crate) fn by_host(&self, id: KindId) -> BTreeMap<String, Vec<&'a Seen>> {
        let mut hosts: BTreeMap<String, Vec<&Seen>> = BTreeMap::new();
        for (_, _, seen) in self.ids.iter().filter(|(of, ..)| *of == id) {
            if let Some(host) = kind(id).holds_host(&seen.observed.name) {
                hosts.entry(host).or_default().push(seen);
            }
        }
        hosts
    }

    /// Everything that was seen, in a stable order.
    pub(crate) fn all(&self) -> Vec<(KindId, &'a Seen)> {
        self.ids.iter().map(|(kind, _, seen)| (*kind, *seen)).collect()
    }

    /// The resources whose natural key collides with this one; the exact namesake comes first.
    pub(crate) fn namesakes(&self, id: KindId, name: &str) -> Vec<&'a Seen> {
        let names = self.names.get_or_init(|| {
            let all = self.ids.iter();
            let mut names: Vec<_> = all
                .map(|(kind, _, seen)| (*kind, host_of(*kind, &seen.observed.name), *seen))
                .collect();
            sort(&mut names);
            names
        });
        let host = host_of(id, name);
        let from = names.partition_point(|(kind, near, _)| (*kind, near) < (id, &host));
        let near =
            names.iter().skip(from).take_while(|(kind, near, _)| (*kind, near) == (id, &host));
        let mut found: Vec<&Seen> = near
            .map(|(_, _, seen)| *seen)
            .filter(|seen| kind(id).collides(name, &seen.observed.name))
            .collect();
        found.sort_by_key(|seen| {
            (!same_name(kind(id), &seen.observed.name, name), &seen.observed.id)
        });
        found
    }

    pub(crate) fn by_name(&self, id: KindId, name: &str) -> Option<&'a Seen> {
        let mut namesakes = self.namesakes(id, name).into_iter();
        namesakes.find(|seen| same_name(kind(id), &seen.observed.name, name))
    }
}

fn sort<T: Ord>(all: &mut [(KindId, T, &Seen)]) {
    all.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
}

/// The part of a natural key that colliding keys share: what follows a record's type, else all.
fn host_of(id: KindId, name: &str) -> Cow<'_, str> {
    let last = |key: &str| key.rsplit(' ').next().map(str::len).unwrap_or_default();
    match kind(id).key(name) {
        Cow::Borrowed(key) => key.get(key.len() - last(key)..).unwrap_or(key).into(),
        Cow::Owned(key) => key.get(key.len() - last(&key)..).unwrap_or(&key).to_owned().into(),
    }
}
