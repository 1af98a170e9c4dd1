//! Another spelling is no difference, whoever writes it: of every attribute of every kind.

use std::collections::BTreeSet;

use envc_core::KindId;
use envc_kinds::{Fields, Mutability, Normal, Writer, registry};
use serde_json::Value as Json;

use crate::engine::{Engine, Ground, json};

/// Applies one, then plans it and the others, with the record of it and without.
fn no_difference(engine: &Engine, applied: &Ground, others: &[Ground], what: &str) {
    engine.apply(&applied.graph, &applied.uploads);
    for ground in others.iter().chain([applied]) {
        let plan = engine.plan(&ground.graph);
        assert!(plan.is_empty(), "{what}\n{plan:#?}");
        let drift = plan.changes.iter().find(|change| !change.drift.is_empty());
        assert!(drift.is_none(), "{what}\n{drift:#?}");
    }
    engine.lose_state();
    for ground in others.iter().chain([applied]) {
        let plan = engine.plan(&ground.graph);
        let change = plan.changes.iter().find(|change| change.address == applied.subject).unwrap();
        assert!(change.id.is_some(), "{what}: it is found by its name\n{plan:#?}");
        let told = engine.observe(&ground.graph);
        let mut told = told.found[&applied.subject.kind()].iter();
        let told = told.find(|seen| Some(&seen.observed.id) == change.id.as_ref()).unwrap();
        // What no list tells is set again; all else is as it should be.
        let differs =
            change.fields.iter().find(|field| told.observed.fields.contains_key(&field.field));
        assert!(differs.is_none(), "{what}\n{differs:#?}");
    }
}

#[test]
fn every_other_spelling_of_every_attribute_is_no_difference() {
    let mut tried = 0;
    for kind in registry() {
        for attr in kind.attrs().iter().filter(|attr| attr.mutability != Mutability::CreateOnly) {
            let Normal::Form { spellings, .. } = attr.normal else { continue };
            for spelling in spellings.iter().filter(|it| it.by == Writer::Anyone) {
                let what = format!("{}: {spelling:?}", attr.name);
                let mut ground = Ground::of(kind.id());
                for (field, text) in spelling.beside {
                    ground = ground.with(field, &json(text));
                }
                // All ways to write it, in examples of their own, too.
                let beside: Fields<Json> = spelling
                    .beside
                    .iter()
                    .map(|(field, text)| ((*field).to_owned(), json(text)))
                    .collect();
                let alike = |text: &str| attr.form(&json(text), &beside);
                let ways: BTreeSet<&str> = spellings
                    .iter()
                    .filter(|it| it.by == Writer::Anyone && it.beside == spelling.beside)
                    .flat_map(|it| [it.written, it.means])
                    .filter(|text| alike(text) == alike(spelling.means))
                    .collect();
                let others: Vec<Ground> =
                    ways.iter().map(|text| ground.with(attr.name, &json(text))).collect();
                let applied = ground.with(attr.name, &json(spelling.written));
                no_difference(&Engine::start(), &applied, &others, &what);
                let applied = ground.with(attr.name, &json(spelling.means));
                no_difference(&Engine::start(), &applied, &others, &what);
                tried += 1;
            }
        }
    }
    assert!(tried > 20, "only {tried} spellings");
}

#[test]
fn a_natural_key_is_found_however_it_is_written() {
    for (id, name) in
        [(KindId::WorkerDomain, "X.Example.Com."), (KindId::WorkerRoute, "X.EXAMPLE.com/*")]
    {
        let ground = Ground::of(id);
        let odd = ground.named(name);
        no_difference(&Engine::start(), &ground, std::slice::from_ref(&odd), name);
        no_difference(&Engine::start(), &odd, &[ground], name);
    }
}

#[test]
fn a_zone_beyond_ascii_may_be_told_in_unicode() {
    let zone = "xn--bcher-kva.example";
    let engine = Engine::with(zone, "unicode-zones=true");
    let mut ground = Ground::of(KindId::Dns).with("name", &json(&format!("\"x.{zone}\"")));
    ground.graph.get_mut(&ground.subject).unwrap().zone = Some(zone.to_owned());
    no_difference(&engine, &ground, &[], zone);
    let told = engine.observe(&ground.graph);
    assert_eq!(told.found[&KindId::Dns][0].observed.name, "A x.bücher.example");
}

#[test]
fn an_answer_that_got_lost_is_found_in_the_clouds_own_spelling() {
    let zone = "xn--bcher-kva.example";
    // Of each call: the list of zones and of records, then the batch, then what looks for it.
    for lost in 1..8 {
        let engine = Engine::with(zone, &format!("unicode-zones=true,lose-response-on={lost}"));
        let mut ground = Ground::of(KindId::Dns)
            .with("name", &json(&format!("\"X.{zone}.\"")))
            .with("type", &json("\"TXT\""))
            .with("content", &json("\"\\\"v=spf1\\\" \\\" -all\\\"\""));
        ground.graph.get_mut(&ground.subject).unwrap().zone = Some(zone.to_owned());
        engine.apply(&ground.graph, &ground.uploads);
        assert!(engine.plan(&ground.graph).is_empty());
        let seen = engine.observe(&ground.graph);
        assert_eq!(seen.found[&KindId::Dns].len(), 1, "one record, with answer {lost} lost");
    }
}

#[test]
fn schedules_that_envc_takes_the_cloud_takes_too() {
    let fields: [&[&str]; 5] = [
        &["*", "0", "*/5", "7-59/9", "1-5", "10-50/20", "0,30", "05", "*/59"],
        &["*", "23", "*/2", "5-23/3", "0-23", "22,23"],
        &["*", "1", "31", "L", "LW", "15W", "*/3", "1,15", "1-10/3", "L,15"],
        &["*", "1", "jan", "JAN-MAR", "*/3", "feb,NOV", "2-12/5"],
        &["*", "1", "7", "sun", "MON-fri", "2-6/2", "fri#2", "6L", "friL", "L", "mon,wed", "2#5"],
    ];
    let engine = Engine::start();
    let ground = Ground::of(KindId::WorkerCrons);
    engine.apply(&ground.graph, &ground.uploads);
    let mut taken = 0;
    for (at, words) in fields.iter().enumerate() {
        for word in *words {
            let mut cron = ["1", "2", "*", "*", "*"];
            cron[at] = word;
            let cron = cron.join(" ");
            envc_kinds::cron::form(&cron).unwrap_or_else(|error| panic!("{cron}: {error}"));
            // The cloud reads it with code of its own, and refuses what it does not take.
            let other = ground.with("crons", &serde_json::json!([cron]));
            engine.apply(&other.graph, &other.uploads);
            assert!(engine.plan(&other.graph).is_empty(), "{cron}");
            taken += 1;
        }
    }
    assert!(taken > 40, "{taken}");
}
