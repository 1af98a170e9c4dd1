//! Only what the spec sets is managed: what somebody else set survives every update.

use std::collections::BTreeSet;

use envc_core::{Address, KindId};
use envc_kinds::{Attr, Mutability, kind, registry, same};
use serde_json::json;

use crate::engine::{Engine, Ground, json};

/// Two values of an attribute that can be changed in place.
fn values(attr: &Attr) -> Option<(serde_json::Value, serde_json::Value)> {
    let in_place = attr.mutability == Mutability::InPlace;
    let (one, other) = (attr.samples.first()?, attr.samples.get(1)?);
    in_place.then(|| (json(one), json(other)))
}

/// What the API itself drops when the other changes: the times of a cache that is switched off.
const DROPPED: [(KindId, &str, &str); 2] = [
    (KindId::Hyperdrive, "max-age", "caching-disabled"),
    (KindId::Hyperdrive, "stale-while-revalidate", "caching-disabled"),
];

#[test]
fn what_the_spec_leaves_out_is_kept_by_an_update_of_anything_else() {
    let mut tried = BTreeSet::new();
    for kind in registry() {
        let ground = Ground::of(kind.id());
        for left_out in kind.attrs().iter().filter(|attr| !ground.sets(attr.name)) {
            let Some((one, other)) = values(left_out) else { continue };
            for changed in kind.attrs().iter().filter(|attr| attr.name != left_out.name) {
                let Some((before, after)) = values(changed) else { continue };
                if ground.refers(changed.name) {
                    continue; // no sample names anything that is there
                }
                if DROPPED.contains(&(kind.id(), left_out.name, changed.name)) {
                    continue;
                }
                let what = format!("{}: {} of {}", changed.name, left_out.name, kind.noun());
                let engine = Engine::start();
                let first = ground.with(changed.name, &before);
                engine.apply(&first.graph, &first.uploads);
                let subject = &ground.subject;
                let told =
                    |fields: &std::collections::BTreeMap<_, _>| fields.get(left_out.name).cloned();
                let default = told(&engine.seen(&first.graph, subject).fields);
                let set = if default.as_ref() == Some(&other) { &one } else { &other };
                engine.set_outside(&first.graph, subject, (left_out.name, set), &first.uploads);
                let there = engine.seen(&first.graph, subject);
                let beside = &there.fields;
                let is_set = |seen: &envc_kinds::Observed| {
                    told(&seen.fields).is_some_and(|now| {
                        same(*kind, left_out.name, (&now, &seen.fields), (set, beside))
                    })
                };
                if !is_set(&there) {
                    continue; // such as the TTL of a proxied record, which is always automatic
                }
                let next = ground.with(changed.name, &after);
                let plan = engine.apply(&next.graph, &next.uploads);
                let change = plan.changes.iter().find(|change| change.address == *subject);
                let fields: Vec<&str> =
                    change.unwrap().fields.iter().map(|field| field.field.as_str()).collect();
                assert!(fields.contains(&changed.name), "{what}: {fields:?}");
                assert!(!fields.contains(&left_out.name), "{what}: {fields:?}");
                let seen = engine.seen(&next.graph, subject);
                assert!(is_set(&seen), "{what}: {:?}", seen.fields);
                tried.insert((kind.id(), left_out.name, changed.name));
            }
        }
    }
    for of in [
        (KindId::Dns, "ttl", "content"),
        (KindId::Queue, "retention", "delivery-paused"),
        (KindId::QueueConsumer, "max-retries", "batch-size"),
        (KindId::QueueConsumer, "dead-letter", "batch-size"),
        (KindId::Worker, "compatibility-date", "compatibility-flags"),
    ] {
        assert!(tried.contains(&of), "{of:?} was not tried: {tried:?}");
    }
}

#[test]
fn what_no_spec_can_set_of_a_tunnel_is_kept_by_an_update_of_its_rules() {
    let engine = Engine::start();
    let ground = Ground::of(KindId::TunnelConfig);
    engine.apply(&ground.graph, &ground.uploads);
    let (tunnel, _) = engine.recorded(&Address::new(KindId::Tunnel, "x"));
    let config = json!({
        "ingress": [
            { "hostname": "x.example.com", "service": "http://localhost:9", "originRequest": { "noHappyEyeballs": true } },
            { "service": "http_status:503" },
        ],
        "originRequest": { "noHappyEyeballs": true },
        "warp-routing": { "enabled": true },
    });
    let path = |account: &str| {
        let path = ["accounts", account, "cfd_tunnel", &tunnel, "configurations"];
        envc_kinds::Call::put(&path, json!({ "config": config }))
    };
    engine.call(kind(KindId::TunnelConfig), |place| path(&place.account));
    assert!(engine.plan(&ground.graph).is_empty(), "none of it is managed");
    let rules = json!([
        { "hostname": "x.example.com", "service": "http://localhost:10" },
        { "hostname": "y.example.com", "service": "http://localhost:11" },
    ]);
    let next = ground.with("ingress", &rules);
    engine.apply(&next.graph, &next.uploads);
    assert!(engine.plan(&next.graph).is_empty());
    let seen = engine.seen(&next.graph, &ground.subject).fields;
    assert_eq!(
        seen["whole"],
        json!({
            "ingress": [
                { "hostname": "x.example.com", "service": "http://localhost:10", "originRequest": { "noHappyEyeballs": true } },
                { "hostname": "y.example.com", "service": "http://localhost:11" },
                { "service": "http_status:503" },
            ],
            "originRequest": { "noHappyEyeballs": true },
            "warp-routing": { "enabled": true },
        })
    );
}
