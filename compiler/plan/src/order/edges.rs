//! The edges of the execution graph: what has to wait for what, and why.
//!
//! They hold for updates as for creates and deletes, by what a step refers to from now on (`needs`)
//! and by what it let go of (`holds`). A step that fails stops what comes after it, so that an edge
//! also says: not without. Source: Cloudflare's refusals (11001, 11005, 10061, 10064) and, where the
//! API asks nothing, what a live Worker would miss; checked November 2026.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, KindId};
use envc_kinds::kind;

use super::Builder;
use crate::{hosts, model::Change, verb::Verb};

impl Builder {
    /// Adds all edges between steps of different resources.
    pub(super) fn link(&mut self, migrated: &BTreeMap<Address, usize>, changes: &[Change]) {
        let mut edges = self.needs_first();
        edges.extend(self.hosts_freed_first(changes));
        edges.extend(self.migrations_first(migrated));
        edges.extend(self.code_last());
        edges.extend(self.successor_first(migrated));
        for (step, before) in edges {
            self.after(step, before);
        }
        for (step, before) in self.deleted_last() {
            self.after(step, before);
        }
    }

    /// What is referred to is there first: it is made, it has its new name where it is named, and
    /// its code is the new one, with the handler or the class that is asked for.
    fn needs_first(&self) -> Vec<(usize, usize)> {
        let mut edges = Vec::new();
        for user in &self.uses {
            for need in &user.needs {
                edges.extend(self.made_by.get(&need.address).map(|made| (user.step, *made)));
                if let Some(update) = self.updated_by.get(&need.address)
                    && (kind(need.address.kind()).runs_code() || (need.by_name && update.renames))
                {
                    edges.push((user.step, update.step));
                }
            }
        }
        edges
    }

    /// A host has the addresses of one kind of resource, so that one lets go of it before another
    /// takes it (81062, 100117). Within a kind, names that are in the way are refused.
    fn hosts_freed_first(&self, changes: &[Change]) -> Vec<(usize, usize)> {
        let mut given_up: BTreeMap<String, Vec<(KindId, usize)>> = BTreeMap::new();
        let mut users = Vec::new();
        let mut steps = None;
        for change in changes {
            let (frees, takes) = (hosts::frees(change), hosts::takes(change));
            if frees.is_none() && takes.is_none() {
                continue;
            }
            let steps = steps.get_or_insert_with(|| self.steps_of());
            let (address, id) = (&change.address, change.id.as_deref());
            // What is changed in place is known by its identifier; what is made has none yet.
            let lets_go = steps.get(&(address, id)).copied();
            let makes = steps.get(&(address, None)).copied().or(lets_go);
            if let (Some(host), Some(step)) = (frees, lets_go) {
                given_up.entry(host).or_default().push((address.kind(), step));
            }
            users.extend(takes.zip(makes).map(|(host, step)| (host, address.kind(), step)));
        }
        let edges = users.iter().flat_map(|(host, by, step)| {
            let others = given_up.get(host).into_iter().flatten().filter(move |(of, _)| of != by);
            others.map(|(_, before)| (*step, *before))
        });
        edges.collect()
    }

    /// The step that makes, changes or deletes, by address and the API's identifier.
    fn steps_of(&self) -> BTreeMap<(&Address, Option<&str>), usize> {
        let mut steps = BTreeMap::new();
        for (step, draft) in self.drafts.iter().enumerate() {
            let all = draft.work.operations();
            let own = all
                .iter()
                .filter(|it| matches!(it.verb, Verb::Create | Verb::Update | Verb::Delete));
            steps.extend(own.filter_map(|it| Some(((it.subject.address()?, it.id), step))));
        }
        steps
    }

    /// Code is live only with the tables that it was written for.
    fn migrations_first(&self, migrated: &BTreeMap<Address, usize>) -> Vec<(usize, usize)> {
        let code = self.uses.iter().filter(|user| kind(user.kind).runs_code());
        code.flat_map(|user| user.needs.iter().map(move |need| (user.step, &need.address)))
            .filter_map(|(step, address)| Some((step, *migrated.get(address)?)))
            .collect()
    }

    /// Code may lose what somebody needed of it, so whoever lets go of it does that before.
    fn code_last(&self) -> Vec<(usize, usize)> {
        let mut edges = Vec::new();
        for user in self.uses.iter().filter(|user| kind(user.kind).needs_code()) {
            for held in &user.lets_go {
                let update = self.updated_by.get(held).filter(|_| kind(held.kind()).runs_code());
                edges.extend(update.map(|update| (update.step, user.step)));
            }
        }
        edges
    }

    /// The old database goes when the new one has its tables.
    fn successor_first(&self, migrated: &BTreeMap<Address, usize>) -> Vec<(usize, usize)> {
        let deposed = self.removals.iter().filter(|removal| removal.deposed);
        deposed
            .filter(|removal| !self.is_before_its_successor(&removal.address, removal.step))
            .filter_map(|removal| Some((removal.step, *migrated.get(&removal.address)?)))
            .collect()
    }

    /// What goes is deleted after everything that held it was changed or deleted itself. Where the
    /// new one takes the old one's name it has to wait for the delete, and whoever refers to it
    /// waits with it: there the old one is gone before it is let go of.
    fn deleted_last(&self) -> Vec<(usize, usize)> {
        let mut users: BTreeMap<&Address, BTreeSet<usize>> = BTreeMap::new();
        for user in &self.uses {
            let needs = user.needs.iter().map(|need| &need.address);
            for address in needs.chain(&user.holds) {
                users.entry(address).or_default().insert(user.step);
            }
        }
        let mut edges = Vec::new();
        for removal in &self.removals {
            let waits = self.is_before_its_successor(&removal.address, removal.step);
            for user in users.get(&removal.address).into_iter().flatten() {
                if !(waits && self.is_after(*user, removal.step)) {
                    edges.push((removal.step, *user));
                }
            }
        }
        edges
    }

    /// True when what replaces it waits for this delete.
    fn is_before_its_successor(&self, address: &Address, removal: usize) -> bool {
        let made = self.made_by.get(address).and_then(|made| self.drafts.get(*made));
        made.is_some_and(|draft| draft.after.contains(&removal))
    }

    /// Does a step wait for another one, directly or not?
    fn is_after(&self, step: usize, before: usize) -> bool {
        let mut seen = BTreeSet::new();
        let mut look = vec![step];
        while let Some(at) = look.pop() {
            for next in self.drafts.get(at).into_iter().flat_map(|draft| &draft.after) {
                if *next == before {
                    return true;
                }
                if seen.insert(*next) {
                    look.push(*next);
                }
            }
        }
        false
    }
}
