//! What Cloudflare refuses, and what a live Worker would miss: a run of a plan in any order that its
//! graph allows, and with a step that is refused.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{KindId, SplitMix64};
use envc_plan::{Action, Plan, Target, Work};
use serde_json::Value as Json;

use crate::{
    account::{Account, Object, Run},
    specs::QUEUE,
};

impl Account {
    /// Runs a plan in one of the orders that its graph allows. The step `refused` is refused, and
    /// then all is done that does not need it, as exec does it. After every step each Worker still
    /// has what it is bound to.
    pub(crate) fn apply_in_some_order(&mut self, plan: &Plan, seed: u64, refused: Option<usize>) {
        let mut numbers = SplitMix64(seed);
        let broken = self.broken();
        let mut run = Run::begin(self, plan);
        let mut open: BTreeSet<usize> = (0..plan.steps.len()).collect();
        let mut done = BTreeSet::new();
        loop {
            let ready: Vec<usize> = open
                .iter()
                .copied()
                .filter(|index| plan.steps[*index].needs.iter().all(|need| done.contains(need)))
                .collect();
            let Some(index) = pick(&mut numbers, &ready) else { break };
            open.remove(&index);
            let work = &plan.steps[index].work;
            if Some(index) == refused {
                run.closed(work);
                continue;
            }
            run.step(work);
            done.insert(index);
            for hole in run.account.broken().difference(&broken) {
                assert!(run.makes_room(hole), "{hole:?} after step {index} of {plan:#?}");
            }
        }
        for index in &open {
            run.closed(&plan.steps[*index].work);
        }
        let state = run.state;
        self.state = (!(open.is_empty() && state.is_empty())).then_some(state);
    }

    /// Runs a plan in one of the orders that its graph allows, and is killed after so many steps.
    /// With `lost`, the outcome of the last one is not recorded.
    pub(crate) fn cut_off_in_some_order(
        &mut self,
        plan: &Plan,
        seed: u64,
        steps: usize,
        lost: bool,
    ) {
        let mut numbers = SplitMix64(seed);
        let mut run = Run::begin(self, plan);
        let mut done = BTreeSet::new();
        while done.len() < steps {
            let open = (0..plan.steps.len()).filter(|index| !done.contains(index));
            let is_ready =
                |index: &usize| plan.steps[*index].needs.iter().all(|it| done.contains(it));
            let ready: Vec<usize> = open.filter(is_ready).collect();
            let Some(index) = pick(&mut numbers, &ready) else { break };
            done.insert(index);
            run.recording = !(lost && done.len() == steps);
            run.step(&plan.steps[index].work);
        }
        self.state = Some(run.state);
    }

    /// What is there of ours, and nothing records it.
    pub(crate) fn orphans(&self) -> Vec<&Object> {
        let state = self.state.iter();
        let recorded: BTreeSet<(KindId, &str)> = state
            .flat_map(|state| &state.resources)
            .map(|(address, it)| (address.kind(), it.id.as_str()))
            .collect();
        // What lives with another one goes with it.
        let ours = self.objects.iter().filter(|(_, it)| !it.foreign && it.parent.is_none());
        ours.filter(|((id, api_id), _)| !recorded.contains(&(*id, api_id.as_str())))
            .map(|(_, object)| object)
            .collect()
    }

    /// What Workers are bound to that is not there: script, kind of the target, its identifier.
    fn broken(&self) -> BTreeSet<(String, KindId, String)> {
        let mut found = BTreeSet::new();
        for ((id, script), object) in &self.objects {
            if *id != KindId::Worker {
                continue;
            }
            let bindings = object.fields.get("bindings").and_then(Json::as_array);
            for (target, key) in bindings.into_iter().flatten().filter_map(target_of) {
                if !self.has(target, &key) {
                    found.insert((script.clone(), target, key));
                }
            }
        }
        found
    }

    /// Is there something that a binding can mean by this text? A queue that was renamed since is
    /// still the one that was meant.
    fn has(&self, id: KindId, key: &str) -> bool {
        match id {
            KindId::Queue => {
                let is_it = |(of, it): (&(KindId, String), &Object)| {
                    of.0 == id && (it.name == key || it.former.contains(key))
                };
                self.objects.iter().any(is_it)
            }
            _ => self.objects.contains_key(&(id, key.to_owned())),
        }
    }
}

/// One of these, which the seed decides.
fn pick(numbers: &mut SplitMix64, from: &[usize]) -> Option<usize> {
    let n = usize::try_from(numbers.next_number() >> 33).unwrap();
    from.get(n % from.len().max(1)).copied()
}

/// What a binding means: kind, and identifier or name.
fn target_of(binding: &Json) -> Option<(KindId, String)> {
    let (id, key) = match binding.get("type")?.as_str()? {
        "d1" => (KindId::D1, "id"),
        "kv_namespace" => (KindId::Kv, "namespace_id"),
        "r2_bucket" => (KindId::R2, "bucket_name"),
        "queue" => (KindId::Queue, "queue_name"),
        "durable_object_namespace" => (KindId::Worker, "script_name"),
        _ => return None,
    };
    Some((id, binding.get(key)?.as_str()?.to_owned()))
}

impl Run<'_> {
    /// Was the target deleted to give its name to the one that replaces it? Of scripts that
    /// nothing records nobody knows which binds which: there Cloudflare refuses (10142), and exec
    /// tries again.
    fn makes_room(&self, (script, id, key): &(String, KindId, String)) -> bool {
        self.plan.changes.iter().any(|change| {
            let is_it = change.id.as_ref() == Some(key) || change.id.as_ref() == Some(script);
            let stray = *id == KindId::Worker && change.deposed && is_it;
            let replaced = change.action == Action::ReplaceDeleteFirst;
            change.address.kind() == *id && (stray || replaced && change.id.as_ref() == Some(key))
        })
    }

    /// What Cloudflare refuses of a resource that is made or changed, by what else is there.
    fn would_refuse(&self, target: &Target, fields: &BTreeMap<String, Json>) -> Option<String> {
        let account = &*self.account;
        let text = |field: &str| fields.get(field).and_then(Json::as_str);
        let script = |name: &str| account.objects.get(&(KindId::Worker, name.to_owned()));
        let takes_batches = |code: Option<&str>| code.is_some_and(|code| code.ends_with(QUEUE));
        match target.address.kind() {
            KindId::Worker => {
                let bindings = fields.get("bindings").and_then(Json::as_array);
                for (id, key) in bindings.into_iter().flatten().filter_map(target_of) {
                    let there = match id {
                        KindId::Queue => {
                            account.objects.iter().any(|((of, _), it)| *of == id && it.name == key)
                        }
                        _ => account.has(id, &key),
                    };
                    if !there {
                        return Some(format!("{id:?} {key} is not there to be bound to"));
                    }
                }
                let consumes = |((id, api_id), it): (&(KindId, String), &Object)| {
                    *id == KindId::QueueConsumer
                        && self.known.contains(&(*id, api_id.clone()))
                        && it.fields.get("script").and_then(Json::as_str) == Some(&target.name)
                };
                let left = account.objects.iter().any(consumes);
                (left && !takes_batches(text("code"))).then(|| "11001".to_owned())
            }
            KindId::QueueConsumer => match script(text("script")?) {
                None => Some("10007".into()),
                Some(it) if !takes_batches(it.fields.get("code").and_then(Json::as_str)) => {
                    Some("11001".into())
                }
                Some(_) => None,
            },
            KindId::WorkerRoute | KindId::WorkerDomain if script(text("script")?).is_none() => {
                Some("10019".into())
            }
            _ => None,
        }
    }

    /// Code is live with the tables that the spec has for what it is bound to.
    fn has_tables(&self, target: &Target) {
        let refs = target.fields.values().flat_map(envc_core::Value::addresses);
        for database in refs.filter(|address| address.kind() == KindId::D1) {
            let id = self.ids.get(database).expect("it is there").clone();
            let tables = &self.account.objects[&(KindId::D1, id)].tables;
            for step in &self.plan.steps {
                let Work::Migrate { address, files, .. } = &step.work else { continue };
                let missing = files.iter().find(|file| !tables.contains(&file.name));
                assert!(
                    address != database || missing.is_none(),
                    "{target:?} is live without {missing:?} of {database}"
                );
            }
        }
    }

    pub(crate) fn check(&self, target: &Target, fields: &BTreeMap<String, Json>) {
        let refused = self.would_refuse(target, fields);
        assert_eq!(refused, None, "{target:#?}\n{:#?}\n{:#?}", self.account, self.plan);
        if target.address.kind() == KindId::Worker {
            self.has_tables(target);
        }
    }
}
