//! Warnings: what has one, what has none, and how one is allowed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod hosts;

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Diagnostic, RepositoryDigest, Severity, apply_edits};
use envc_spec::{
    Environment, Identity, Instance, Spec, TypeHead,
    lint::{Day, Facts, FolderFacts, Words, codes, slug},
    load,
};

const HEAD: &str = "project \"shop\" { zone \"shop.example\" }\n\
    environment \"local\" default { identity branch max-length=20 unique }\n";

fn sample(head: &TypeHead) -> Instance {
    Instance {
        id: match &head.identity {
            Identity::Text { pattern, .. } => pattern.replace("{env.pr}", "7"),
            Identity::Branch { .. } => "sample".into(),
        },
        branch: None,
        pr: Some(7),
        sha: None,
        ports: BTreeMap::new(),
        local_cloud: false,
        repository: RepositoryDigest::UNKNOWN,
    }
}

fn environments(spec: &Spec) -> BTreeMap<String, Environment> {
    let resolved = |head: &TypeHead| spec.environment(&head.name, &sample(head)).unwrap();
    spec.types().iter().map(|head| (head.name.clone(), resolved(head))).collect()
}

fn facts() -> Facts {
    Facts { today: Some(Day::new(2026, 11, 22)), ..Facts::default() }
}

/// The warnings of a text behind the usual head.
#[track_caller]
fn warnings_with(text: &str, facts: &Facts) -> Vec<Diagnostic> {
    let text = if text.contains("project ") { text.to_owned() } else { format!("{HEAD}{text}") };
    let (spec, found) = load(&text);
    assert!(found.is_empty(), "{text}\n{found:#?}");
    let spec = spec.unwrap();
    spec.lint(&environments(&spec), facts).into_sorted()
}

#[track_caller]
fn check_with(text: &str, facts: &Facts, expect: &[&str]) {
    let found = warnings_with(text, facts);
    let slugs: Vec<&str> = found.iter().map(|one| slug(one.code)).collect();
    assert_eq!(slugs, expect, "{text}\n{found:#?}");
    for one in &found {
        assert_eq!(one.severity, Severity::Warning);
        assert!(one.help.as_ref().is_some_and(|help| !help.ends_with('.')), "{one:#?}");
        assert!(!one.message.ends_with('.'), "{one:#?}");
    }
}

#[track_caller]
fn check(text: &str, expect: &[&str]) {
    check_with(text, &facts(), expect);
}

#[test]
fn a_resource_that_nothing_uses() {
    for text in [
        "d1 \"a\"",
        "kv \"a\"",
        "r2 \"a\"",
        "queue \"a\"",
        "tunnel \"a\"",
        "let a \"x\"",
        "port \"a\" \"9100\"",
        "environment \"x\" { identity \"x\" ; kv \"a\" }",
        "let a \"{d1.a.id}\"\nd1 \"a\"", // the let alone: the database is used by it
        "dns \"a\" type=\"TXT\" name=\"{env}\" content=#\"{kv.b.id}\"#\nkv \"b\"",
    ] {
        check(text, &["unused_resource"]);
    }
    let edge = "edge \"https://e.example\" token=(secret)\"T\" { pool \"p\" }\n";
    check(&format!("{edge}lease \"l\" pool=\"p\""), &["unused_resource"]);
}

#[test]
fn a_resource_that_something_uses() {
    for text in [
        "d1 \"a\"\nworker \"w\" path=\".\" { bind \"A\" d1=\"a\" }",
        "queue \"a\"\nqueue \"b\"\nworker \"w\" path=\".\" { consume \"a\" dead-letter=\"b\" }",
        "kv \"a\"\ndotenv \".env\" { A \"{kv.a.id}\" }",
        "r2 \"a\"\nenvironment \"x\" { identity \"x\" ; dotenv \".env\" { A \"{r2.a.name}\" } }",
        "tunnel \"a\" { ingress \"i\" host=\"{env}\" service=\"http://localhost:1\" }",
        "tunnel \"a\"\ndotenv \".env\" { A \"{tunnel.a.token}\" }",
        "dns \"a\" type=\"A\" name=\"{env}\" content=\"192.0.2.1\" proxied",
        "let a \"x\"\nlet b \"{let.a}\"\ndotenv \".env\" { A \"{let.b}\" }",
        "port \"a\" \"9100\"\ndotenv \".env\" { A \"{port.a}\" }",
        "worker \"w\" path=\".\" { port \"9100\" }",
    ] {
        check(text, &[]);
    }
    let edge = "edge \"https://e.example\" token=(secret)\"T\" { pool \"p\" }\n";
    check(&format!("{edge}lease \"l\" pool=\"p\"\ndotenv \".e\" {{ A \"{{lease.l.id}}\" }}"), &[]);
}

#[test]
fn a_template_uses_what_it_mentions_or_reads() {
    let text = "let web-url \"x\"\nd1 \"a\"\nfile \"f\" template=\"t\"";
    let with = |template: &str, reads: &[&str]| Facts {
        templates: BTreeMap::from([("t".to_owned(), template.to_owned())]),
        reads: reads.iter().map(|read| (*read).to_owned()).collect(),
        ..facts()
    };
    check_with(text, &with("{{ let.web_url }} {{ d1.a.id }}", &[]), &[]);
    check_with(text, &with("{% for x in d1 %}", &["d1.a", "let.web-url"]), &[]);
    check_with(text, &with("web-urls", &[]), &["unused_resource", "unused_resource"]);
    // A template that could not be read may use anything.
    check(text, &[]);
}

#[test]
fn braces_of_templates_and_shells() {
    for text in [
        "dns \"a\" type=\"TXT\" name=\"{env}\" content=\"{{env}}\"",
        "dotenv \".env\" { A \"x{{ env.type }}\" }",
        "dotenv \".env\" { A \"${env}\" }",
        "run \"r\" command=\"x ${env}\"",
        "dotenv \".env\" { A \"\\t{{env}}\" }",
    ] {
        check(text, &["doubtful_reference"]);
    }
    for text in [
        "dotenv \".env\" { A #\"{{env}} ${env}\"# }",
        "dotenv \".env\" { A \"{{\\\"a\\\": 1}} $HOME\" }",
        "dotenv \".env\" { A \"${{HOME}} {{title}}\" }",
        "run \"r\" command=\"price $ {env}\"",
    ] {
        check(text, &[]);
    }
}

#[test]
fn a_secret_that_nothing_asks_for() {
    for text in [
        "let a (secret)\"A\"",
        "let a (secret)\"A\"\nlet b \"x {let.a}\"",
        "secrets { env prefix=\"SHOP_\" }",
        "secrets { doppler project=\"p\" config=\"c\" token=(secret)\"T\" }",
    ] {
        check(text, &["unused_secret"]);
    }
    for text in [
        "let a (secret)\"A\"\ndotenv \".env\" { A \"{let.a}\" }",
        "secrets { env }\nworker \"w\" path=\".\" { secret \"A\" }",
        "secrets { env }\ndotenv \".env\" { A (secret)\"A\" }",
        "secrets { env }\nrun \"r\" command=\"x\" { env A (secret)\"A\" }",
        "secrets { env }\nedge \"https://e.example\" token=(secret)\"T\"",
        "dotenv \".env\" { A (secret)\"A\" }",
    ] {
        check(text, &[]);
    }
}

/// The facts of a worker `w` whose template makes these: words, each with the keys that lead to it.
fn made(words: &[(&str, &str)]) -> Facts {
    let mut all = Words::default();
    all.add("name", "shop--w--sample");
    for (keys, word) in words {
        all.add(keys, *word);
    }
    Facts {
        templates: BTreeMap::from([("t".to_owned(), "a".to_owned())]),
        configurations: BTreeMap::from([("w".to_owned(), all)]),
        ..facts()
    }
}

#[test]
fn a_binding_that_the_template_leaves_out() {
    let text = "d1 \"a\"\nworker \"w\" path=\".\" {\n template \"t\"\n bind \"DB\" d1=\"a\"\n \
        var \"URL\" \"x\"\n durable-object \"ROOM\" class=\"Room\"\n secret \"KEY\"\n}";
    let with = |words: &[&str]| made(&words.iter().map(|word| ("x", *word)).collect::<Vec<_>>());
    check_with(text, &with(&["DB", "URL", "ROOM"]), &[]);
    check_with(text, &with(&["DB"]), &["unused_binding", "unused_binding"]);
    check_with(text, &with(&["DBX", "URL", "ROOM"]), &["unused_binding"]);
    check(text, &[]);
    check(&text.replace(" template \"t\"\n", ""), &[]);
}

#[test]
fn whatever_else_of_a_worker_the_template_leaves_out() {
    let spec = |inside: &str| {
        let queues =
            if inside.contains("consume") { "queue \"jobs\"\nqueue \"dead\"\n" } else { "" };
        format!(
            "{queues}worker \"w\" path=\".\" main=\"a.ts\" \
             compatibility-date=\"2026-09-01\" {{\n template \"t\"\n {inside}\n}}"
        )
    };
    let base = [("main", "./a.ts"), ("compatibility_date", "2026-09-01")];
    let with = |more: &[(&str, &str)]| made(&[&base[..], more].concat());
    let one = ["unused_binding"];
    // What the node says, and the words that are enough for it.
    let route = "route \"w-{env}.{zone}/*\"\n allow \"route_without_record\"";
    let flags = "compatibility-flags \"nodejs_compat\"";
    let consume = "consume \"jobs\" batch-size=10 dead-letter=\"dead\"";
    let migration =
        "durable-object \"R\" class=\"Room\"\n migration tag=\"v1\" { new-classes \"Room\" }";
    let consumer = ("queues.consumers.queue", "shop--jobs--sample");
    let dead = ("queues.consumers.dead_letter_queue", "shop--dead--sample");
    let size = ("queues.consumers.max_batch_size", "10");
    for (inside, words) in [
        ("cron \"0 * * * *\"", &[("triggers.crons", "0 * * * *")][..]),
        (route, &[("routes.pattern", "w-sample.shop.example/*")][..]),
        ("domain \"w-{env}\"", &[("routes.pattern", "w-sample.shop.example")][..]),
        ("domain \"w-{env}\"", &[("routes", "w-sample.shop.example")][..]),
        (flags, &[("compatibility_flags", "nodejs_compat")][..]),
        (migration, &[("x", "R"), ("migrations.tag", "v1")][..]),
        (consume, &[size, dead, consumer][..]),
    ] {
        check_with(&spec(inside), &with(words), &[]);
        let (_last, rest) = words.split_last().unwrap();
        check_with(&spec(inside), &with(rest), &one);
    }
    // A setting of a consumer that is there; and a word at another place is not the thing.
    check_with(&spec(consume), &with(&[size, consumer]), &one);
    check_with(&spec("cron \"0 * * * *\""), &with(&[("vars", "0 * * * *")]), &one);
    let elsewhere = [("vars.HOST", "w-sample.shop.example")];
    check_with(&spec("domain \"w-{env}\""), &with(&elsewhere), &one);
    // The name, the entry point and the date.
    check_with(&spec(""), &made(&base[..1]), &one);
    check_with(&spec(""), &made(&base[1..]), &one);
    let mut facts = with(&[]);
    let mut other = Words::default();
    for (keys, word) in &base {
        other.add(keys, *word);
    }
    other.add("name", "shop");
    facts.configurations = BTreeMap::from([("w".to_owned(), other)]);
    let found = warnings_with(&spec(""), &facts);
    assert_eq!(found.len(), 1);
    assert!(found[0].message.contains("the name `shop--w--{env}`"), "{}", found[0].message);
}

#[test]
fn a_dollar_that_some_readers_expand() {
    let text = "dotenv \".env\" { A \"a$b\" ; B \"5 $\" }\nsecrets { dotenv \".env.x\" }";
    let with = |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Facts { expanded: Some(BTreeMap::from([(".env".to_owned(), names)])), ..facts() }
    };
    let allowed = format!("allow \"unused_secret\"\n{text}");
    check_with(&allowed, &with(&["A"]), &["expanded_dollar"]);
    check_with(&allowed, &with(&[]), &[]);
    check(&allowed, &[]);
    // A value that only another machine has may need it.
    let meant = format!("allow \"expanded_dollar\"\n{allowed}");
    check_with(&meant, &with(&["A"]), &[]);
    check_with(&meant, &with(&[]), &[]);
    let (spec, _) = load(&format!("{HEAD}{meant}"));
    assert!(spec.unwrap().allows("local", codes::EXPANDED_DOLLAR));
}

#[test]
fn a_file_that_another_one_outranks() {
    let text = "worker \"w\" path=\"apps/w\"\ndotenv \".env\" { A \"b\" }";
    let with = |path: &str| {
        let found = vec![("another one is read".to_owned(), "take it away".to_owned())];
        Facts { outranked: Some(BTreeMap::from([(path.to_owned(), found)])), ..facts() }
    };
    for path in ["apps/w/wrangler.jsonc", "apps/w/.dev.vars", ".env"] {
        check_with(text, &with(path), &["outranked_file"]);
    }
    // All that one node writes is one warning, which tells all of it.
    let mut two = with("apps/w/.dev.vars");
    let more = with("apps/w/wrangler.jsonc").outranked.unwrap_or_default();
    two.outranked.get_or_insert_default().extend(more);
    check_with(text, &two, &["outranked_file"]);
    check_with(&format!("allow \"outranked_file\"\n{text}"), &with(".env"), &[]);
}

#[test]
fn a_production_without_protect() {
    for text in [
        "environment \"production\" { identity \"production\" }",
        "environment \"live\" { identity \"x\" }",
        "environment \"x\" { identity \"prod-eu\" }",
        "environment \"x\" { identity \"x\" ; dns \"a\" type=\"A\" name=\"@\" content=\"192.0.2.1\" }",
        "environment \"x\" { identity \"x\" ; worker \"w\" path=\".\" { route \"{zone}/*\" ; allow \"route_without_record\" } }",
    ] {
        check(text, &["unprotected_production"]);
    }
    for text in [
        "environment \"production\" { identity \"production\" ; protect }",
        "environment \"preview\" { identity \"preview\" }",
        "environment \"preproduction\" { identity \"pre-production\" }",
        "environment \"main\" { identity branch }",
        "environment \"x\" { identity \"x\" ; dns \"a\" type=\"TXT\" name=\"@\" content=\"v=spf1 -all\" }",
    ] {
        check(text, &[]);
    }
}

#[test]
fn pull_requests_without_an_end() {
    for text in [
        "environment \"pr\" { when pr ; identity \"pr-{env.pr}\" }",
        "environment \"pr\" { identity \"pr-{env.pr}\" }",
    ] {
        check(text, &["pr_without_ttl"]);
    }
    for text in [
        "environment \"pr\" { when pr ; identity \"pr-{env.pr}\" ; ttl \"14d\" }",
        "environment \"base\" { identity \"base\" ; ttl \"14d\" }\n\
         environment \"pr\" extends=\"base\" { when pr ; identity \"pr-{env.pr}\" }",
        "environment \"tree\" { when worktree ; identity branch }",
    ] {
        check(text, &[]);
    }
}

#[test]
fn a_text_that_looks_like_a_secret_is_named_and_not_repeated() {
    let token = ["gh", "p_", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"].concat();
    let random = "f3A9c1Bd77e0Q2xZ5mN8vT4k";
    for text in [
        format!("dotenv \".env\" {{ ANYTHING \"{token}\" }}"),
        format!("dotenv \".env\" {{ API_KEY \"{random}\" }}"),
        format!("dotenv \".env\" {{ API_KEY #\"{random}\"# }}"),
        format!("worker \"w\" path=\".\" {{ var \"AUTH_TOKEN\" \"{random}\" }}"),
        format!("worker \"w\" path=\".\" {{ secret \"AUTH\" \"{random}\" }}"),
        format!("run \"r\" command=\"curl -H 'Authorization: Bearer {token}'\""),
        format!("let db-password \"{random}\"\ndotenv \".env\" {{ A \"{{let.db-password}}\" }}"),
    ] {
        let found = warnings_with(&text, &facts());
        let slugs: Vec<&str> = found.iter().map(|one| slug(one.code)).collect();
        assert_eq!(slugs, ["secret_in_text"], "{text}");
        let said = format!("{found:?}");
        assert!(!said.contains(&token) && !said.contains(random), "{said}");
    }
    for text in [
        "environment \"x\" { identity \"x\" ; existing { kv \"token\" id=\"9c2e4a6b8d0f41a3b5c7d9e1f3a5b7c9\" } }\n\
         kv \"token\"\ndotenv \".env\" { T \"{kv.token.id}\" }",
        "dotenv \".env\" { BUILD \"f3A9c1Bd77e0Q2xZ5mN8vT4k\" }",
        "dotenv \".env\" { NEXT_PUBLIC_KEY \"f3A9c1Bd77e0Q2xZ5mN8vT4k\" }",
        "dotenv \".env\" { API_KEY (secret)\"F3A9C1BD77E0Q2XZ5MN8VT4K\" }",
        "dotenv \".env\" { API_KEY \"change-me-before-production\" }",
        "worker \"w\" path=\".\" { secret \"F3A9C1BD77E0Q2XZ5MN8VT4K\" }",
        "secrets { aws-secrets-manager id=\"arn:aws:secretsmanager:us-east-1:123456789012:secret:a-B3dE5f\" region=\"us-east-1\" }\n\
         dotenv \".env\" { A (secret)\"A\" }",
    ] {
        check(text, &[]);
    }
}

#[test]
fn a_variable_that_says_that_it_holds_a_secret_is_told_where_others_can_read_it() {
    for text in [
        "worker \"w\" path=\".\" { var \"A\" (env)\"API_TOKEN\" }",
        "worker \"w\" path=\".\" { var \"A\" (env)\"db_Password\" }",
        "tunnel \"t\"\ndns \"a\" type=\"TXT\" name=\"a-{env}\" content=(env)\"AWS_SECRET_ACCESS_KEY\"",
    ] {
        let found = warnings_with(text, &facts());
        let slugs: Vec<&str> = found.iter().map(|one| slug(one.code)).collect();
        assert!(slugs.contains(&"secret_in_variable"), "{text}: {slugs:?}");
    }
    for text in [
        "worker \"w\" path=\".\" { var \"A\" (env)\"STRIPE_PUBLISHABLE_KEY\" }",
        "worker \"w\" path=\".\" { var \"A\" (env)\"KEYBOARD\" }",
        "worker \"w\" path=\".\" { secret \"API_TOKEN\" }",
        "dotenv \".env\" { A (env)\"API_TOKEN\" }",
        "worker \"w\" path=\".\" { var \"A\" (env)\"API_TOKEN\" ; allow \"secret_in_variable\" }",
    ] {
        let found = warnings_with(text, &facts());
        let slugs: Vec<&str> = found.iter().map(|one| slug(one.code)).collect();
        assert!(!slugs.contains(&"secret_in_variable"), "{text}: {slugs:?}");
    }
}

#[test]
fn a_record_that_leads_to_a_tunnel_past_the_proxy() {
    let record = "tunnel \"t\"\ndns \"a\" type=\"CNAME\" name=\"{env}\" content=\"{tunnel.t.id}.cfargotunnel.com\"";
    check(record, &["unproxied_tunnel_dns"]);
    let through = "tunnel \"t\"\nlet to \"{tunnel.t.id}.cfargotunnel.com\"\n\
        dns \"a\" type=\"CNAME\" name=\"{env}\" content=\"{let.to}\"";
    check(through, &["unproxied_tunnel_dns"]);
    check(&format!("{record} proxied"), &[]);
    check("dns \"a\" type=\"CNAME\" name=\"{env}\" content=\"{zone}\"", &[]);
}

#[test]
fn migrations_without_files() {
    let text = "d1 \"a\" { migrations \"m\" }\nworker \"w\" path=\".\" { bind \"A\" d1=\"a\" }";
    let with = |it: FolderFacts| Facts {
        migrations: BTreeMap::from([(("m".to_owned(), None), it)]),
        ..facts()
    };
    let there = FolderFacts { is_there: true, ..FolderFacts::default() };
    check_with(text, &with(FolderFacts::default()), &["missing_migrations_folder"]);
    check_with(text, &with(there.clone()), &["missing_migrations_folder"]);
    let oddities = vec![("`x/migration.sql` is no migration".to_owned(), "write".to_owned())];
    let odd = FolderFacts { count: 1, oddities, ..there.clone() };
    check_with(text, &with(odd.clone()), &["odd_migrations"]);
    // Where there is none that is told, with the same help.
    check_with(text, &with(FolderFacts { count: 0, ..odd }), &["missing_migrations_folder"]);
    check_with(text, &with(FolderFacts { count: 2, ..there }), &[]);
    check(text, &[]);
}

#[test]
fn compatibility_dates_of_another_time() {
    let with = |date| format!("worker \"w\" path=\".\" compatibility-date=\"{date}\"");
    check(&with("2025-11-21"), &["outdated_compatibility_date"]);
    check(&with("2026-11-23"), &["outdated_compatibility_date"]);
    check(&with("2025-11-22"), &[]);
    check(&with("2026-11-22"), &[]);
    check_with(&with("2020-01-01"), &Facts::default(), &[]);
}

#[test]
fn allow_holds_where_it_stands() {
    check("allow \"unused_resource\"\nkv \"a\"\nkv \"b\"", &[]);
    check("allow \"envc::lint::unused_resource\"\nkv \"a\"", &[]);
    check("kv \"a\" { allow \"unused_resource\" }\nkv \"b\"", &["unused_resource"]);
    check("environment \"x\" { identity \"x\" ; allow \"unused_resource\" ; kv \"a\" }", &[]);
    check(
        "environment \"production\" { identity \"production\" ; allow \"unprotected_production\" }",
        &[],
    );
    check(
        "allow \"unused_resource\" \"outdated_compatibility_date\"\nkv \"a\"\n\
         worker \"w\" path=\".\" compatibility-date=\"2020-01-01\"",
        &[],
    );
    check("secrets { allow \"unused_secret\" ; env }", &[]);
    let existing = "kv \"a\" { allow \"unused_resource\" }\n\
        environment \"x\" { identity \"x\" ; existing all { allow \"secret_in_text\" ; kv \"a\" id=\"1\" } }";
    check(existing, &["useless_allow"]);
}

#[test]
fn allow_in_a_type_holds_for_what_is_so_in_that_type_alone() {
    let of = |types: &str| {
        format!(
            "project \"shop\" {{ zone \"shop.example\" }}\n{types}\ntunnel \"t\"\n\
             dns \"a\" type=\"CNAME\" name=\"{{env}}\" content=\"{{let.to}}\"\n\
             let to \"{{tunnel.t.id}}.cfargotunnel.com\"\n"
        )
    };
    let [a, b] = ["environment \"a\" { identity \"a\"", "environment \"b\" { identity \"b\""];
    let allow = "; allow \"unproxied_tunnel_dns\"";
    let other = "; let to \"{zone}\"";
    check(&of(&format!("{a} }}\n{b} }}")), &["unproxied_tunnel_dns"]);
    check(&of(&format!("{a} {allow} }}\n{b} {allow} }}")), &[]);
    check(&of(&format!("{a} {allow} }}\n{b} {other} }}")), &[]);
    let found = warnings_with(&of(&format!("{a} {allow} }}\n{b} }}")), &facts());
    assert!(found[0].message.ends_with("(in environment `b`)"), "{found:#?}");
    // It is inherited.
    let base = format!("{a} {allow} }}\nenvironment \"b\" extends=\"a\" {{ identity \"b\" }}");
    check(&of(&base), &[]);
}

#[test]
fn an_allow_that_silences_nothing_is_told() {
    check("allow \"unused_resource\"", &["useless_allow"]);
    check("allow \"unused_resource\" \"unused_secret\"\nkv \"a\"", &["useless_allow"]);
    check("allow \"unused_resource\" \"useless_allow\"", &[]);
    // Nobody looked: it may be right.
    let text = "allow \"outdated_compatibility_date\" \"missing_migrations_folder\"\n\
        d1 \"a\" { migrations \"m\" }\nworker \"w\" path=\".\" { bind \"A\" d1=\"a\" }";
    check_with(text, &Facts::default(), &[]);
    check(text, &["useless_allow"]);
}

#[test]
fn the_variables_of_a_dotenv_may_be_called_allow() {
    check("dotenv \".env\" { allow \"unused_resource\" }", &[]);
}

#[test]
fn a_resolved_type_keeps_what_it_allows() {
    let text = format!(
        "{HEAD}allow \"unused_resource\"\nkv \"a\"\nkv \"b\" {{ allow \"unused_resource\" }}\n\
         environment \"pr\" {{ when pr ; identity \"pr-{{env.pr}}\" ; allow \"pr_without_ttl\" }}"
    );
    let (spec, _) = load(&text);
    let resolved = spec.unwrap().resolved_kdl("pr").unwrap();
    check(&resolved, &[]);
    assert_eq!(resolved.matches("allow").count(), 3, "{resolved}");
}

#[test]
fn a_fix_takes_its_warning_away() {
    let mut fixed = BTreeSet::new();
    for text in [
        "environment \"production\" {\n    identity \"production\"\n}",
        "environment \"production\" { identity \"production\" }",
        "environment \"pr\" { when pr ; identity \"pr-{env.pr}\" }",
        "tunnel \"t\"\ndns \"a\" type=\"CNAME\" name=\"{env}\" content=\"{tunnel.t.id}.cfargotunnel.com\"",
        "worker \"w\" path=\".\" compatibility-date=\"2020-01-01\"",
        "worker \"w\" path=\".\" compatibility-date=\"2030-01-01\"",
    ] {
        let text = format!("{HEAD}{text}\n");
        for one in warnings_with(&text, &facts()) {
            assert!(!one.fix.is_empty(), "{one:#?}");
            fixed.insert(one.code);
            check(&apply_edits(&text, &one.fix).unwrap(), &[]);
        }
    }
    assert_eq!(fixed.len(), 4);
}

#[test]
fn codes_are_short_words_with_a_sentence_each() {
    let all: BTreeSet<&str> = codes::ALL.iter().map(|(code, _)| slug(code)).collect();
    assert_eq!(all.len(), codes::ALL.len());
    assert!(
        codes::ALL
            .iter()
            .all(|(code, summary)| { code.starts_with("envc::lint::") && summary.ends_with('.') })
    );
}

#[test]
fn a_script_in_which_a_text_from_outside_stands_as_it_came() {
    let spec = "file \"a.sh\" template=\"t\" mode=\"0755\"";
    let with = |what: &[&'static str]| {
        let scripts = BTreeMap::from([("a.sh".to_owned(), what.iter().copied().collect())]);
        Facts { scripts: Some(scripts), ..facts() }
    };
    check_with(spec, &with(&["the branch's name", "a variable's value"]), &["unquoted_in_script"]);
    check_with(spec, &with(&[]), &[]);
    // What nobody rendered is not told of, and an `allow` for it is no mistake then.
    check(spec, &[]);
    let allowed = format!("allow \"unquoted_in_script\"\n{spec}");
    check(&allowed, &[]);
    check_with(&allowed, &with(&["the branch's name"]), &[]);
    check_with(&allowed, &with(&[]), &["useless_allow"]);
}
