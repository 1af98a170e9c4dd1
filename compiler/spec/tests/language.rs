//! What the language means, rule by rule.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a broken fixture fails its test")]

use std::collections::BTreeMap;

use envc_core::{Address, Diagnostic, KindId, Mode, RepositoryDigest};
use envc_spec::{Environment, Instance, codes, load};

const PROJECT: &str = "project \"shop\" { zone \"shop.example\" }\n";
const LOCAL: &str = "environment \"local\" default { identity branch max-length=20 unique }\n";

/// One environment `x1` of a type of a spec without mistakes.
fn resolve(body: &str, type_name: &str) -> Environment {
    let text = format!("{PROJECT}{body}");
    let (spec, found) = load(&text);
    let Some(spec) = spec else { panic!("{found:#?}") };
    spec.environment(type_name, &instance()).unwrap()
}

fn instance() -> Instance {
    Instance {
        id: "x1".into(),
        branch: Some("topic".into()),
        pr: Some(7),
        sha: Some("abc".into()),
        ports: BTreeMap::new(),
        local_cloud: false,
        repository: RepositoryDigest::of("github.com/acme/shop"),
    }
}

/// The mistakes of a spec.
fn mistakes(body: &str) -> Vec<Diagnostic> {
    load(&format!("{PROJECT}{body}")).1.into_sorted()
}

/// The codes of the mistakes of a spec.
fn check(body: &str, wanted: &[&str]) {
    let found = mistakes(body);
    let codes: Vec<&str> = found.iter().map(|one| one.code).collect();
    assert_eq!(codes, wanted, "{body}\n{found:#?}");
}

/// The text of a variable of `.env`, references shown as the type of what they are.
fn variable(environment: &Environment, name: &str) -> String {
    let file = environment.dotenvs.iter().find(|file| file.path == ".env").unwrap();
    let (_, text) = file.vars.iter().find(|(known, _)| known == name).unwrap();
    text.resolve(|part| Some(format!("<{part:?}>"))).unwrap()
}

/// The API tells such a zone in Unicode, and DNS carries Punycode.
#[test]
fn a_zone_beyond_ascii_is_written_in_either_spelling() {
    for (zone, ascii) in [
        ("b\u{fc}cher.example", "xn--bcher-kva.example"),
        ("shop.\u{4f8b}\u{3048}", "shop.xn--r8jz45g"),
    ] {
        for (zone, host) in [
            (zone, "a"),
            (ascii, "a"),
            (zone, &*format!("a.{zone}")),
            (ascii, &*format!("a.{zone}")),
        ] {
            let dns = format!("dns \"a\" type=\"A\" name=\"{host}\" content=\"192.0.2.1\"");
            let text = format!(
                "project \"shop\" {{ zone \"{zone}\" }}\n\
                 environment \"live\" {{ identity \"live\" }}\n{dns}\n"
            );
            let (spec, found) = load(&text);
            let Some(spec) = spec else { panic!("{found:#?}") };
            assert_eq!(spec.zone(), Some(ascii));
            let environment = spec.environment("live", &instance()).unwrap();
            let address = Address::new(KindId::Dns, "a");
            assert_eq!(environment.resources[&address].name, format!("A a.{ascii}"));
        }
    }
    for zone in ["B\u{fc}cher.example", "bu\u{308}cher.example", "b\u{fc} cher.example"] {
        let text = format!("project \"shop\" {{ zone \"{zone}\" }}\n{LOCAL}");
        assert!(load(&text).1.iter().any(|one| one.code == codes::INVALID_HOST), "{zone}");
    }
}

#[test]
fn references_resolve_to_what_is_known() {
    let local = LOCAL.replace("{ identity", "{ when pr ; identity");
    let environment = resolve(
        &format!(
            "{local}
            let a \"{{let.b}}!\"
            let b \"{{project}}/{{zone}}/{{env}}/{{env.type}}/{{env.branch}}/{{env.pr}}/{{git.sha}}\"
            port \"web\" \"3000-3999\"
            worker \"api\" path=\"api\" {{ port \"4000\" }}
            tunnel \"dev\" {{ ingress \"web\" host=\"{{env}}\" service=\"http://localhost:{{port.web}}\" }}
            dotenv \".env\" {{
                A \"{{let.a}}\"
                B \"{{{{literal}}}} {{port.web}} {{port.api}}\"
                C \"{{host.web}} {{url.web}} {{worker.api.name}}\"
                D #\"{{env}}\"#
                E 12
                F #true
            }}"
        ),
        "local",
    );
    assert_eq!(variable(&environment, "A"), "shop/shop.example/x1/local/topic/7/abc!");
    assert_eq!(variable(&environment, "B"), "{literal} 3000 4000");
    assert_eq!(
        variable(&environment, "C"),
        "x1.shop.example https://x1.shop.example shop--api--x1"
    );
    assert_eq!(variable(&environment, "D"), "{env}");
    assert_eq!(
        (variable(&environment, "E"), variable(&environment, "F")),
        ("12".into(), "true".into())
    );
}

#[test]
fn an_inner_node_merges_with_the_outer_one_of_its_name() {
    let body = "
        environment \"base\" {
            identity branch max-length=10 unique
            worker \"web\" { var \"A\" \"base\" ; port \"5000\" }
        }
        environment \"top\" extends=\"base\" default {
            identity \"top\"
            worker \"web\" main=\"top.ts\" { bind \"S\" kv=\"two\" ; cron \"1 * * * *\" }
            without queue \"jobs\"
            let word \"top\"
        }
        let word \"outer\"
        kv \"one\"
        kv \"two\"
        queue \"jobs\"
        worker \"web\" path=\"web\" main=\"main.ts\" {
            port \"4000\"
            var \"A\" \"outer\"
            var \"B\" \"{let.word}\"
            bind \"S\" kv=\"one\"
            cron \"0 * * * *\"
            cron \"2 * * * *\"
        }";
    let base = resolve(body, "base");
    let top = resolve(body, "top");
    let var = |environment: &Environment, name: &str| {
        environment.workers[0].vars[name].as_literal().unwrap().to_owned()
    };
    assert_eq!((var(&base, "A"), var(&base, "B")), ("base".into(), "outer".into()));
    assert_eq!((var(&top, "A"), var(&top, "B")), ("base".into(), "top".into()));
    assert_eq!(top.workers[0].port, Some(5000));
    assert_eq!(top.workers[0].main.as_deref(), Some("top.ts"));
    assert_eq!(top.workers[0].path, "web");
    assert_eq!(top.workers[0].bindings[0].target, Address::new(KindId::Kv, "two"));
    assert_eq!(top.workers[0].crons, ["1 * * * *"]);
    assert_eq!(base.workers[0].crons.len(), 2);
    assert!(base.resources.contains_key(&Address::new(KindId::Queue, "jobs")));
    assert!(!top.resources.contains_key(&Address::new(KindId::Queue, "jobs")));
}

#[test]
fn protect_and_when_are_not_inherited() {
    let body = "
        environment \"a\" default { identity \"a\" ; protect ; when pr ; ttl \"2d\" }
        environment \"b\" extends=\"a\" { identity \"b\" }";
    let (spec, _) = load(&format!("{PROJECT}{body}"));
    let spec = spec.unwrap();
    let (a, b) = (spec.head("a").unwrap(), spec.head("b").unwrap());
    assert!(a.protect && a.default && a.when.is_some());
    assert!(!b.protect && !b.default && b.when.is_none());
    assert_eq!(resolve(body, "b").ttl_s, Some(172_800));
}

#[test]
fn a_reference_to_what_a_type_drops_says_so() {
    let found = mistakes(&format!(
        "{LOCAL}
        environment \"preview\" {{ identity \"preview\" ; without d1 \"app\" }}
        d1 \"app\"
        dotenv \".env\" {{ ID \"{{d1.app.id}}\" }}"
    ));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].code, codes::UNKNOWN_REFERENCE);
    assert!(found[0].message.ends_with("(in environment `preview`)"), "{}", found[0].message);
    assert_eq!(found[0].labels[1].text, "dropped here");
}

#[test]
fn a_secret_in_a_public_place_shows_each_hop() {
    let found = mistakes(&format!(
        "{LOCAL}
        tunnel \"dev\"
        let token \"{{tunnel.dev.token}}\"
        let command \"run --token {{let.token}}\"
        worker \"web\" path=\"web\" {{ var \"COMMAND\" \"{{let.command}}\" }}"
    ));
    assert_eq!(found.len(), 1, "{found:#?}");
    let texts: Vec<&str> = found[0].labels.iter().map(|label| label.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "a secret ends here",
            "through {let.command}",
            "through {let.token}",
            "the secret comes from here"
        ]
    );
    assert!(found[0].message.contains("{tunnel.dev.token}"));
}

#[test]
fn public_attributes_of_a_lease_are_no_secrets() {
    let with = |attribute: &str| {
        format!(
            "{LOCAL}
            edge \"https://edge.shop.example\" token=(secret)\"T\" {{ pool \"p\" public=\"region\" }}
            lease \"l\" pool=\"p\"
            worker \"web\" path=\"web\" {{ var \"X\" \"{{lease.l.{attribute}}}\" }}"
        )
    };
    check(&with("region"), &[]);
    check(&with("id"), &[]);
    check(&with("key"), &[codes::SECRET_IN_PUBLIC]);
}

#[test]
fn names_must_be_known_and_hold_the_id() {
    let name = |text: &str| {
        format!(
            "{LOCAL}d1 \"x\"\nport \"p\" \"80\"\nlet l \"{{port.p}}\"\nkv \"n\" name=\"{text}\""
        )
    };
    check(&name("a-{env}"), &[]);
    check(&name("a"), &[codes::NAME_WITHOUT_ENV]);
    for late in ["{d1.x.id}", "{port.p}", "{let.l}", "{env.branch}", "{git.sha}"] {
        check(&name(&format!("{{env}}{late}")), &[codes::REFERENCE_NOT_ALLOWED]);
    }
    check(&name("{env}-{let.m}"), &[codes::UNKNOWN_REFERENCE]);
    check(&name("{env"), &[codes::BAD_REFERENCE]);
}

#[test]
fn identities_stay_within_their_limits() {
    let identity = |text: &str| format!("environment \"a\" {{ identity {text} }}");
    check(&identity("branch max-length=29 unique"), &[]);
    check(&identity("branch max-length=30 unique"), &[codes::INVALID_IDENTITY]);
    check(&identity("branch max-length=40"), &[]);
    check(&identity("branch max-length=41"), &[codes::OUT_OF_RANGE]);
    check(&identity("\"branch\""), &[]);
    check(&identity("\"a\" unique"), &[codes::INVALID_IDENTITY]);
    check(&identity("\"{env}\""), &[codes::INVALID_IDENTITY]);
    check(&identity("\"{env.type}-{env.pr}\""), &[]);
    check(&identity(&format!("\"{}\"", "a".repeat(40))), &[]);
    check(&identity(&format!("\"{}\"", "a".repeat(41))), &[codes::INVALID_IDENTITY]);
}

#[test]
fn a_chain_of_lets_ends() {
    let chain = |length: usize| {
        let lets = (1..length).map(|n| format!("let l{n} \"{{let.l{}}}\"\n", n - 1));
        format!("{LOCAL}let l0 \"x\"\n{}", lets.collect::<Vec<String>>().concat())
    };
    check(&chain(64), &[]);
    assert!(mistakes(&chain(65)).iter().all(|one| one.code == codes::LET_CYCLE));
    assert!(!mistakes(&chain(65)).is_empty() && !mistakes(&chain(500)).is_empty());
    let deep = (0..200).map(|n| format!("let l{n:03} \"{{let.l{:03}}}\"\n", n + 1));
    let deep = format!("{LOCAL}{}let l200 \"x\"\n", deep.collect::<Vec<String>>().concat());
    assert!(mistakes(&deep).iter().all(|one| one.code == codes::LET_CYCLE));
    let bomb =
        (0..40).map(|n| format!("let l{n:02} \"{{let.l{:02}}}{{let.l{:02}}}\"\n", n + 1, n + 1));
    let bomb = format!("{LOCAL}{}let l40 \"0123456789\"\n", bomb.collect::<Vec<String>>().concat());
    assert!(mistakes(&bomb).iter().any(|one| one.code == codes::TEXT_TOO_LONG));
}

#[test]
fn all_mistakes_of_a_file_come_in_one_run_by_position() {
    check(
        &format!("{LOCAL}d1 \"A\"\nkv \"b\" nam=\"x\"\nqueue \"c\" retention=1\nfoo\n"),
        &[codes::INVALID_VALUE, codes::UNKNOWN_PROPERTY, codes::OUT_OF_RANGE, codes::UNKNOWN_NODE],
    );
}

#[test]
fn two_types_with_fixed_ids_cannot_own_one_name() {
    let dns = "dns \"www\" type=\"A\" name=\"www\" content=\"192.0.2.1\"";
    let body = format!(
        "environment \"a\" {{ identity \"a\" ; {dns} }}\nenvironment \"b\" {{ identity \"b\" ; {dns} }}"
    );
    check(&body, &[codes::NAME_COLLISION]);
}

#[test]
fn every_store_that_is_not_listed_is_named() {
    check(
        "environment \"a\" { identity \"a\" ; existing all {} }\nd1 \"x\"\nkv \"y\"\ntunnel \"t\"",
        &[codes::NOT_EXISTING, codes::NOT_EXISTING],
    );
}

#[test]
fn a_fixed_identity_may_hold_the_pull_request() {
    let text =
        format!("{PROJECT}environment \"e\" {{ when pr ; identity \"{{project}}-{{env.pr}}\" }}");
    let spec = load(&text).0.unwrap();
    let identity = &spec.head("e").unwrap().identity;
    assert_eq!(identity.fixed(Some(42)).as_deref(), Some("shop-42"));
    assert_eq!(identity.fixed(None), None);
}

#[test]
fn rows_of_existing_merge_by_name() {
    let body = "
        environment \"base\" { identity \"base\" ; existing all { d1 \"a\" id=\"1\" ; d1 \"b\" id=\"2\" } }
        environment \"next\" extends=\"base\" { identity \"next\" ; existing { d1 \"a\" id=\"3\" } }
        d1 \"a\"
        d1 \"b\"";
    let resources = resolve(body, "next").resources;
    let mode = |name: &str| resources[&Address::new(KindId::D1, name)].mode.clone();
    assert_eq!(mode("a"), Mode::ExistingId("3".into()));
    assert_eq!(mode("b"), Mode::ExistingId("2".into()));
}

/// The codes of what is wrong with names of two environments.
fn of_names(identity: &str, nodes: &str) -> Vec<&'static str> {
    let text = format!("{PROJECT}environment \"local\" default {{ identity {identity} }}\n{nodes}");
    load(&text).1.into_sorted().into_iter().map(|one| one.code).collect()
}

#[test]
fn names_are_compared_over_all_ids() {
    let (branch, unique) = ("branch max-length=20", "branch max-length=20 unique");
    let pr = "\"pr-{env.pr}\" ; when pr";
    let two = |a: &str, b: &str| format!("kv \"a\" name=\"{a}\"\nkv \"b\" name=\"{b}\"");
    for (identity, a, b, meet) in [
        (branch, "shop-{env}", "shop-{env}-b", true),
        (branch, "shop-{env}", "b-shop-{env}", false),
        (branch, "{env}", "b-{env}", true),
        (branch, "{env}", "b--{env}", false),
        (branch, "{env}", "{env}.b", false),
        (unique, "{env}", "b-{env}", false),
        (unique, "{env}", "{env}-worker", false),
        (unique, "{env}", "{env}-0123456abc", true),
        (pr, "shop-{env}", "shop-{env}-1", false),
        (pr, "shop-{env}", "shop-pr-1-{env}", false),
        (pr, "shop-{env}", "shop-pr-{env.pr}-{env}", false),
        (pr, "{env.pr}-{env}", "1-{env}", true),
    ] {
        let want: &[&str] = if meet { &[codes::NAME_COLLISION] } else { &[] };
        assert_eq!(of_names(identity, &two(a, b)), want, "{identity}: {a} {b}");
        assert_eq!(of_names(identity, &two(b, a)), want, "{identity}: {b} {a}");
    }
    // Against a name that is nobody's choice, and one of another type.
    assert_eq!(of_names(unique, "kv \"a\"\nkv \"b\" name=\"shop-{env}\""), [""; 0]);
    let fixed = "environment \"p\" { identity \"p\" ; kv \"a\" name=\"shop-NAME\" }\nkv \"a\" name=\"shop-{env}\"";
    for (identity, name, meet) in [
        (branch, "p", false),
        (branch, "blue", true),
        (branch, "Blue", false),
        (branch, "a--b", false),
        (unique, "blue", false),
        (unique, "blue-123456abcd", true),
        (pr, "pr-7", true),
        (pr, "pr-07", false),
        (pr, "blue", false),
    ] {
        let want: &[&str] = if meet { &[codes::NAME_COLLISION] } else { &[] };
        assert_eq!(of_names(identity, &fixed.replace("NAME", name)), want, "{identity}: {name}");
    }
}

#[test]
fn a_short_form_takes_the_projects_place() {
    let text = "project \"my-company-platform\" short=\"mcp\"\n\
        environment \"local\" default { identity branch max-length=20 unique }\n\
        kv \"a\"\nkv \"b\" name=\"{project}-{env}\"";
    let spec = load(text).0.unwrap();
    assert_eq!((spec.project(), spec.prefix()), ("my-company-platform", "mcp"));
    let environment = spec.environment("local", &instance()).unwrap();
    let name = |label: &str| environment.resources[&Address::new(KindId::Kv, label)].name.clone();
    assert_eq!((name("a").as_str(), name("b").as_str()), ("mcp--a--x1", "my-company-platform-x1"));
}

#[test]
fn a_name_at_its_kinds_limit_passes_and_one_more_is_refused_with_the_sum() {
    for kind in envc_kinds::registry() {
        let Some(kind) = kind.declared() else { continue };
        let Some(rule) = kind.node().name_rule else { continue };
        let named = |label: &str| kind.node().sample.replacen("\"x\"", label, 1);
        // The longest ID: 20 of the branch and 11 of `unique`.
        let label_max = rule.max - "p--".len() - "--".len() - 31;
        for (more, codes) in [(0, &[][..]), (1, &[codes::BAD_NAME][..])] {
            // The project takes the rest.
            let label = "a".repeat(label_max.min(20));
            let project = "p".repeat(1 + label_max - label.len() + more);
            if project.len() > 63 {
                let name = format!("{}-{{env}}", "n".repeat(rule.max - 32 + more));
                check_whole(&named(&format!("\"x\" name=\"{name}\"")), "p", codes);
                continue;
            }
            check_whole(&named(&format!("\"{label}\"")), &project, codes);
        }
    }
}

/// A Worker that envc deploys, with a class of its own and bound to those of others.
fn worker(name: &str, deploy: &str, others: &[&str]) -> String {
    let bound = others.iter().fold(String::new(), |all, other| {
        format!(
            "{all}  durable-object \"{}\" class=\"Room\" worker=\"{other}\"\n",
            other.to_uppercase()
        )
    });
    format!(
        "worker \"{name}\" path=\"{name}\" {deploy} compatibility-date=\"2026-09-01\" {{\n\
         {bound}  durable-object \"OWN\" class=\"Room\"\n\
         migration tag=\"v1\" {{ new-sqlite-classes \"Room\" }}\n}}\n"
    )
}

#[test]
fn workers_that_need_one_another_first_are_a_mistake_only_where_envc_deploys_all_of_them() {
    const BUNDLE: &str = "deploy=\"bundle\" bundle=\"dist\"";
    let of = |workers: &[String]| format!("{LOCAL}{}", workers.concat());
    let b = || worker("b", BUNDLE, &["a"]);
    check(&of(&[worker("a", BUNDLE, &["b"]), b()]), &[codes::WORKER_CYCLE]);
    // Two cycles are two mistakes, wherever one comes in.
    let c = || worker("c", BUNDLE, &["a"]);
    let both = of(&[worker("d", BUNDLE, &["a"]), worker("a", BUNDLE, &["b", "c"]), b(), c()]);
    check(&both, &[codes::WORKER_CYCLE, codes::WORKER_CYCLE]);
    // Its own class, twice the same Worker, and a way that ends are no cycle.
    check(&of(&[worker("a", BUNDLE, &["a"]), b()]), &[]);
    check(&of(&[worker("a", BUNDLE, &[]), b(), worker("c", BUNDLE, &["a", "b"])]), &[]);
    // What wrangler deploys is there, as far as envc knows.
    check(&of(&[worker("a", "", &["b"]), b()]), &[]);
    // Where one type alone has it, it is told once, and of that type.
    let drops = "environment \"free\" { identity \"free-{env.pr}\" ; when pr ; without worker \"b\"\n\
                 worker \"a\" { durable-object \"B\" class=\"Room\" } }\n";
    check(
        &format!("{drops}{}", of(&[worker("a", BUNDLE, &["b"]), b()])),
        &[codes::UNKNOWN_REFERENCE, codes::WORKER_CYCLE],
    );
}

fn check_whole(node: &str, project: &str, codes: &[&str]) {
    let text = format!(
        "project \"{project}\" {{ zone \"x.example\" }}\nenvironment \"local\" default {{ identity branch max-length=20 unique }}\n{node}"
    );
    let found = load(&text).1.into_sorted();
    assert_eq!(found.iter().map(|one| one.code).collect::<Vec<_>>(), codes, "{text}");
    for one in found {
        let help = one.help.unwrap_or_default();
        assert!(one.message.contains("31 of the longest ID"), "{}", one.message);
        assert!(help.contains("1 too many") && help.contains("max-length"), "{help}");
    }
}
