//! Random rules against all requests of a small world: what a rule fits is tried out here, and not
//! read from its expression.

use serde_json::json;

use super::*;

/// An expression, and the paths that it matches.
type Expression = (&'static str, fn(&str) -> bool);

const EXPRESSIONS: [Expression; 15] = [
    ("", |_| true),
    ("^/", |_| true),
    ("^/a", |path| path.starts_with("/a")),
    ("^/a$", |path| path == "/a"),
    ("^/a/", |path| path.starts_with("/a/")),
    ("^/a/b", |path| path.starts_with("/a/b")),
    ("^/a/[a-z]", |path| path.starts_with("/a/a") || path.starts_with("/a/b")),
    ("^/a/\\.", |path| path.starts_with("/a/.")),
    ("/a", |path| path.contains("/a")),
    ("/b", |path| path.contains("/b")),
    ("^/.*b", |path| path.contains('b')),
    ("^/(a|b)", |path| path.starts_with("/a") || path.starts_with("/b")),
    ("^/a|/b", |path| path.starts_with("/a") || path.contains("/b")),
    ("^/aa?", |path| path.starts_with("/a")),
    ("^/ab+", |path| path.starts_with("/ab")),
];

const HOSTS: [&str; 9] = ["x", "a.x", "b.x", "b.a.x", "*.x", "*.a.x", "*.b.a.x", "*.y", "c.b.a.x"];

fn fits_host(rule: &str, host: &str) -> bool {
    rule.strip_prefix('*').map_or(rule == host, |end| host.ends_with(end))
}

/// All requests: hosts and paths.
fn requests() -> Vec<(String, String)> {
    let hosts = ["x", "a.x", "b.x", "b.a.x", "c.b.a.x", "d.c.b.a.x", "e.a.x", "y", "a.y", "z"];
    let mut paths = vec!["/".to_owned()];
    for _ in 0..3 {
        for path in paths.clone() {
            paths.extend(["a", "b", "/", "."].map(|more| format!("{path}{more}")));
        }
    }
    paths.sort();
    paths.dedup();
    let with = |host: &'static str| paths.iter().map(move |path| (host.to_owned(), path.clone()));
    hosts.into_iter().flat_map(with).collect()
}

/// A rule: its host, its expression, and its service.
type Rule = (&'static str, usize, usize);

fn fits((host, path, _): &Rule, request: &(String, String)) -> bool {
    fits_host(host, &request.0) && EXPRESSIONS[*path].1(&request.1)
}

fn first_fit<'r>(rules: &'r [Rule], request: &(String, String)) -> Option<&'r Rule> {
    rules.iter().find(|rule| fits(rule, request))
}

/// A source of numbers that look random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn shuffled(&mut self, rules: &[Rule]) -> Vec<Rule> {
        let mut out = rules.to_vec();
        for at in (1..out.len()).rev() {
            out.swap(at, self.below(at + 1));
        }
        out
    }

    /// Rules of which no two have the same host and path.
    fn rules(&mut self) -> Vec<Rule> {
        let mut taken = BTreeSet::new();
        let count = 1 + self.below(7);
        let mut out = Vec::new();
        while out.len() < count {
            let (host, path) = (self.below(HOSTS.len()), self.below(EXPRESSIONS.len()));
            if taken.insert((host, path)) {
                out.push((HOSTS[host], path, out.len()));
            }
        }
        out
    }
}

fn in_order(rules: &[Rule]) -> Vec<Rule> {
    ordered(rules.to_vec(), |(host, path, _)| (*host, EXPRESSIONS[*path].0))
}

#[test]
fn the_narrowest_rule_that_fits_gets_each_request() {
    let all = requests();
    let mut numbers = Numbers(1);
    for _ in 0..300 {
        let rules = in_order(&numbers.rules());
        let fitted = |rule: &Rule| all.iter().map(|it| fits(rule, it)).collect::<Vec<bool>>();
        let sets: Vec<Vec<bool>> = rules.iter().map(fitted).collect();
        let narrower = |one: usize, other: usize| {
            let pairs = sets[one].iter().zip(&sets[other]);
            pairs.clone().all(|(a, b)| !a || *b) && pairs.clone().any(|(a, b)| a != b)
        };
        let of_host = |at: usize| all.iter().filter(|it| fits_host(rules[at].0, &it.0)).count();
        let hosts: Vec<usize> = (0..rules.len()).map(of_host).collect();
        // The first of two that a request fits is the one that gets it.
        for (second, b) in rules.iter().enumerate() {
            for (first, a) in rules.iter().enumerate().take(second) {
                let meet = sets[first].iter().zip(&sets[second]).any(|(one, two)| *one && *two);
                assert!(!narrower(second, first), "{b:?} is narrower than {a:?}: {rules:?}");
                // A narrower host counts more than any path.
                assert!(!meet || hosts[first] <= hosts[second], "{a:?} {b:?}: {rules:?}");
            }
        }
        for request in &all {
            let chosen = rules.iter().position(|rule| fits(rule, request));
            let Some(chosen) = chosen else { continue };
            let others = (0..rules.len()).filter(|at| fits(&rules[*at], request));
            for other in others {
                assert!(!narrower(other, chosen), "{request:?}: {rules:?}");
            }
        }
    }
}

#[test]
fn what_does_not_meet_stays_as_it_stands() {
    let order = |rules: &[(&'static str, &'static str)]| {
        ordered(rules.to_vec(), |(host, path)| (*host, *path))
    };
    for rules in [
        &[("b.x", ""), ("a.x", ""), ("x", "")][..],
        &[("a.x", "^/b"), ("a.x", "^/a"), ("a.x", "")],
        &[("a.x", "/b"), ("a.x", "/a")],
        &[("b.x", "^/api"), ("b.x", ""), ("a.x", "^/longer"), ("a.x", "")],
    ] {
        assert_eq!(order(rules), rules);
    }
    let told = [("*.x", ""), ("api.x", "")];
    assert_eq!(order(&told), [("api.x", ""), ("*.x", "")]);
    let deeper = [("", ""), ("*.x", "^/a"), ("*.a.x", ""), ("c.a.x", ""), ("c.a.x", "^/v1")];
    let expect = [("c.a.x", "^/v1"), ("c.a.x", ""), ("*.a.x", ""), ("*.x", "^/a"), ("", "")];
    assert_eq!(order(&deeper), expect);
    let paths = [("x", "/api"), ("x", "^/api"), ("x", "^/api/v1"), ("x", "^/api/v[0-9]+")];
    let expect = [("x", "^/api/v1"), ("x", "^/api/v[0-9]+"), ("x", "^/api"), ("x", "/api")];
    assert_eq!(order(&paths), expect);
}

#[test]
fn orders_with_one_canonical_form_send_each_request_to_the_same_service() {
    let all = requests();
    let json = |rules: &[Rule]| {
        let of = |(host, path, service): &Rule| {
            // Some services are the same.
            json!({ "hostname": host, "path": EXPRESSIONS[*path].0, "service": service % 5 })
        };
        rules.iter().map(of).collect::<Vec<_>>()
    };
    let mut numbers = Numbers(2);
    let (mut alike, mut different) = (0, 0);
    for _ in 0..300 {
        let rules = numbers.rules();
        let other = numbers.shuffled(&rules);
        let (one, two) = (canonical(&json(&rules)), canonical(&json(&other)));
        assert_eq!(canonical(&one), one);
        let service = |rules: &[Rule], request| first_fit(rules, request).map(|it| it.2 % 5);
        let same = all.iter().all(|it| service(&rules, it) == service(&other, it));
        assert!(one != two || same, "{rules:?} is not {other:?}");
        alike += usize::from(same && one == two);
        different += usize::from(!same);
        // Neighbours with hosts of which none is both.
        let mut swapped = rules.clone();
        for at in 1..swapped.len() {
            let meet = |it: &(String, String)| {
                fits_host(swapped[at - 1].0, &it.0) && fits_host(swapped[at].0, &it.0)
            };
            if !all.iter().any(meet) {
                swapped.swap(at - 1, at);
            }
        }
        assert_eq!(canonical(&json(&swapped)), one, "{rules:?} and {swapped:?}");
    }
    assert!(alike > 20 && different > 20, "{alike} and {different} were tried");
}

#[test]
fn plain_characters_are_those_that_every_match_begins_with() {
    for (text, plain, rest) in [
        ("", "", Rest::Nothing),
        ("/api", "/api", Rest::Nothing),
        ("/api/?", "/api", Rest::More),
        ("/a{2}", "/", Rest::More),
        ("/a+", "/a", Rest::More),
        ("/v1\\.2", "/v1.2", Rest::Nothing),
        ("/\\d+", "/", Rest::More),
        ("/a$", "/a", Rest::End),
        ("(?i)/a", "", Rest::More),
    ] {
        assert_eq!(beginning(text), (plain.to_owned(), rest), "{text}");
    }
    for (text, expect) in
        [("^/a|b", true), ("^/(a|b)", false), ("[|]", false), ("\\|", false), ("(a)|b", true)]
    {
        assert_eq!(has_branches(text), expect, "{text}");
    }
}
