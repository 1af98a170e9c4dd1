use std::collections::BTreeMap;

use envc_core::{Address, Digest, Veils};
use serde_json::json;

use super::*;
use crate::{
    model::{Basis, PLAN_FORMAT},
    work::{DeleteTarget, MigrationRef, Step, Target},
};

fn change(address: &str, action: Action, reason: &str) -> Change {
    let address: Address = address.parse().unwrap();
    Change {
        name: format!("shop-{}-main", address.name()),
        address,
        id: None,
        action,
        reason: reason.into(),
        fields: Vec::new(),
        drift: Vec::new(),
        deposed: false,
        existing: false,
        protect: false,
        unknown: Vec::new(),
        loses: Vec::new(),
        holds: Vec::new(),
        circle: Vec::new(),
        waits_for: Vec::new(),
        record: None,
    }
}

fn field(name: &str, before: Option<Json>, after: Option<Json>) -> FieldChange {
    FieldChange { field: name.into(), before, after, forces_replace: false }
}

fn plan(changes: Vec<Change>, work: Vec<Work>) -> Plan {
    let (cloud, account, project, env) =
        ("local".into(), "0123".into(), "shop".into(), "main".into());
    Plan {
        format: PLAN_FORMAT,
        basis: Basis {
            key: StateKey { cloud, account, project, env },
            repository: "git.example/a/shop".into(),
            env_type: "local".into(),
            goal: Goal::Apply,
            lineage: String::new(),
            serial: 0,
            spec: Digest::of(""),
            protected: false,
            replace: BTreeSet::new(),
            adopted: BTreeSet::new(),
            lossy: BTreeSet::new(),
            unprotected: BTreeSet::new(),
        },
        changes,
        steps: work.into_iter().map(|work| Step { needs: Vec::new(), work }).collect(),
        notes: Vec::new(),
        migrations: BTreeMap::new(),
        veils: Veils::new(),
    }
}

fn check(plan: &Plan, verbose: bool, expect: &str) {
    assert_eq!(render_plan(plan, &Palette::plain(), RenderOptions { verbose }), expect);
}

fn create(address: &str) -> Work {
    Work::Create(Target {
        address: address.parse().unwrap(),
        name: "n".into(),
        fields: BTreeMap::new(),
        before: BTreeMap::new(),
        zone: None,
        parent: None,
    })
}

fn long_rules(port: u16) -> Json {
    json!([{ "hostname": "main.shop.example", "service": format!("http://localhost:{port}") },
           { "service": "http_status:404" }])
}

fn reference(name: &str) -> MigrationRef {
    MigrationRef { name: name.into(), digest: Digest::of(name), imported: false }
}

#[test]
fn every_action_has_a_block() {
    let mut record = change("dns.web", Action::Create, "");
    record.name = "CNAME main.shop.example".into();
    record.fields = vec![field("content", None, None), field("proxied", None, Some(json!(true)))];
    let mut bucket = change("r2.images", Action::ReplaceDeleteFirst, "its location differs");
    let mut location = field("location", Some(json!("weur")), Some(json!("enam")));
    location.forces_replace = true;
    bucket.fields = vec![location];
    let mut rules = change("tunnel-config.dev", Action::Update, "1 field differs");
    rules.fields = vec![field("ingress", Some(long_rules(3000)), Some(long_rules(3001)))];
    let mut kv = change("kv.cache", Action::Update, "1 field differs");
    kv.fields = vec![field("title", Some(json!("a")), Some(json!("b")))];
    let mut gone = change("queue.old", Action::Delete, "it is no longer in the spec");
    gone.deposed = true;
    let adopt = change("d1.web", Action::Adopt, "its name is ours");
    let forget = change("queue.lost", Action::Forget, "it is gone already");
    let keep = change("d1.keep", Action::Keep, "");
    let target = DeleteTarget {
        address: gone.address.clone(),
        name: gone.name.clone(),
        id: "i".into(),
        zone: None,
        deposed: true,
        circle: Vec::new(),
    };
    let files = ["0001_init.sql", "0002_users.sql"];
    let files = files.map(reference);
    let (address, files) = (adopt.address.clone(), files.to_vec());
    let migrate = Work::Migrate { address, files, fresh: false, reset: false, seed: None };
    let mut plan = plan(
        vec![adopt, keep, record, kv, forget, gone, bucket, rules],
        vec![create("dns.web"), Work::Delete(target), migrate],
    );
    plan.notes.push("the tunnel \u{1b}[2Jis new".into());
    check(
        &plan,
        false,
        r#"> adopt d1.web  shop-web-main
      its name is ours
+ create dns.web  CNAME main.shop.example  proxied=true
~ update kv.cache  shop-cache-main
      1 field differs
      title: "a" → "b"
< forget queue.lost  shop-lost-main
      it is gone already
- delete queue.old  shop-old-main
      it is no longer in the spec
± replace (the old one goes first) r2.images  shop-images-main
      its location differs
      location: "weur" → "enam"  # forces replace
~ update tunnel-config.dev  shop-dev-main
      1 field differs
      ingress:
              "hostname": "main.shop.example",
        -     "service": "http://localhost:3000"
        +     "service": "http://localhost:3001"
            },

Migrations to run:
  d1.web
      0001_init.sql
      0002_users.sql

note: the tunnel \u{1b}[2Jis new

Plan: 1 to create, 1 to adopt, 2 to update, 1 to replace, 1 to delete, 1 to forget, 1 unchanged; 2 migrations; 6 requests.
"#,
    );
    let json = plan_json(&plan).unwrap();
    assert_eq!(json["counts"]["update"], 2);
    assert_eq!(json["format"], PLAN_FORMAT);
}

#[test]
fn an_empty_plan_that_is_refused_does_not_say_that_all_is_well() {
    let empty = plan(Vec::new(), Vec::new());
    let text = render_refused(&empty, &Palette::plain(), RenderOptions { verbose: false });
    assert_eq!(text, "No changes can be made.\n");
}

#[test]
fn an_empty_plan_says_so() {
    let mut keep = change("d1.web", Action::Keep, "");
    keep.existing = true;
    check(&plan(vec![keep.clone()], Vec::new()), false, "No changes.\n");
    check(
        &plan(vec![keep], Vec::new()),
        true,
        "= keep d1.web  shop-web-main (existing)\n\nNo changes.\n",
    );
}

#[test]
fn what_others_changed_stands_apart() {
    let mut kept = change("dns.web", Action::Keep, "");
    kept.drift =
        vec![field("ttl", Some(json!(1)), Some(json!(300))), field("x", Some(json!(1)), None)];
    check(
        &plan(vec![kept], Vec::new()),
        false,
        "Changed outside envc since the last apply:\n  dns.web  shop-web-main\n      \
         ttl: 1 → 300\n      x: 1 → (nothing)\n\nNo changes.\n",
    );
}

#[test]
fn colour_adds_nothing_but_colour() {
    let mut made = change("d1.web", Action::Create, "new");
    made.fields = vec![field("rules", None, Some(long_rules(1)))];
    let plan = plan(vec![made], vec![create("d1.web")]);
    let coloured = render_plan(&plan, &Palette::ansi(), RenderOptions { verbose: true });
    let Palette { create, update, delete, dim, bold, reset } = Palette::ansi();
    let bare = [create, update, delete, dim, bold, reset]
        .iter()
        .fold(coloured.clone(), |text, code| text.replace(code, ""));
    assert_ne!(coloured, bare);
    check(&plan, true, &bare);
}

#[test]
fn something_new_takes_one_line_unless_more_is_asked_for() {
    let mut record = change("dns.web", Action::Create, "");
    record.name = "CNAME main.shop.example".into();
    record.fields = vec![
        field("comment", None, Some(json!("envc:shop/main/web@d0b33518"))),
        field("content", None, None),
        field("name", None, Some(json!("main.shop.example"))),
        field("rules", None, Some(long_rules(1))),
        field("ttl", None, Some(json!(60))),
    ];
    let plan = plan(vec![record], vec![create("dns.web")]);
    check(
        &plan,
        false,
        "+ create dns.web  CNAME main.shop.example  ttl=60\n\nPlan: 1 to create; 1 request.\n",
    );
    let verbose = render_plan(&plan, &Palette::plain(), RenderOptions { verbose: true });
    assert!(verbose.contains("      content: (known after apply)\n"), "{verbose}");
}

/// Invariant: of secrets a plan shows names, and what is lost stands in it.
#[test]
fn secrets_are_told_by_name_and_losses_in_words() {
    let digests = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().map(|(name, digest)| ((*name).to_owned(), json!(digest)));
        Some(Json::Object(pairs.collect()))
    };
    let mut made = change("worker.new", Action::Create, "");
    made.fields = vec![
        field("code", None, Some(json!("3f9a"))),
        field("compatibility-flags", None, Some(json!([]))),
        field("secrets", None, digests(&[("KEY", "d1"), ("TOKEN", "d2")])),
    ];
    let mut changed = change("worker.web", Action::Update, "the spec changed");
    changed.loses = vec!["all Durable Objects of the class Room".to_owned()];
    changed.fields = vec![field(
        "secrets",
        digests(&[("GONE", "d0"), ("KEY", "d1"), ("SAME", "d3")]),
        digests(&[("KEY", "d2"), ("NEW", "d4"), ("SAME", "d3")]),
    )];
    let plan = plan(vec![made, changed], vec![create("worker.new")]);
    check(
        &plan,
        false,
        "+ create worker.new  shop-new-main  code=\"3f9a\"  secrets=KEY,TOKEN\n\
         ~ update worker.web  shop-web-main\n\
         \x20     the spec changed\n\
         \x20     loses all Durable Objects of the class Room\n\
         \x20     secrets: GONE removed, KEY changed, NEW set\n\n\
         Plan: 1 to create, 1 to update; 1 request.\n",
    );
}

/// A saved plan is a file, and a state may be another machine's: no part of either is trusted.
#[test]
fn nothing_that_a_plan_names_steers_a_terminal() {
    const ODD: &str = "\u{1b}[2Jx\n\u{202e}";
    let odd = || ODD.to_owned();
    let address = || Address::new(envc_core::KindId::Kv, ODD);
    let one = |action| Change { address: address(), name: odd(), ..change("kv.x", action, ODD) };
    let value = || Some(json!({ ODD: [ODD] }));
    let all = || vec![field(ODD, None, Some(json!(ODD))), field(ODD, value(), value())];
    let mut made = one(Action::Create);
    made.fields = all();
    let mut changed = one(Action::Update);
    (changed.fields, changed.drift, changed.unknown) = (all(), all(), vec![odd()]);
    let (pool, names, holder) = (odd(), vec![odd()], odd());
    let lease = crate::work::LeaseWork {
        pool: pool.clone(),
        names: names.clone(),
        holder: holder.clone(),
        attributes: BTreeMap::new(),
        was: Some(odd()),
    };
    let release = crate::work::ReleaseWork { pool, names, holder, id: Some(odd()) };
    let files = vec![reference(&odd())];
    let migrate =
        Work::Migrate { address: address(), files, fresh: false, reset: false, seed: None };
    let plan = plan(vec![made, changed], vec![Work::Lease(lease), Work::Release(release), migrate]);
    for verbose in [false, true] {
        for render in [render_plan, render_draft, render_refused] {
            let text = render(&plan, &Palette::plain(), RenderOptions { verbose });
            assert!(!text.contains(envc_core::steers_a_terminal), "{text:?}");
            assert!(text.contains("kv.\\u{1b}[2Jx\\n\\u{202e}"), "{text:?}");
        }
    }
}
