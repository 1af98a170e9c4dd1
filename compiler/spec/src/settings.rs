//! Secrets' providers, required tools, the state store, and what is not done yet.

use std::collections::BTreeMap;

use envc_core::{Diagnostic, Diagnostics, KindId, limits};
use envc_kinds::host_in_ascii;
use envc_syntax::{Node, Prop, Scalar};

use crate::{
    Edge, EdgePool, Lease, LeaseAttribute, Requirement, SecretProvider, StateStoreKind,
    Unsupported, codes, grammar::ALLOW, merge::Merged, refs::Purpose, resolver::Resolver,
    suggest::Spot,
};

/// Where secrets are looked up, in order. Without a `secrets` node: envc's own environment.
pub(crate) fn providers(merged: &Merged<'_>) -> Vec<SecretProvider> {
    let Some(node) = merged.single("secrets") else {
        return vec![SecretProvider::Env { prefix: String::new() }];
    };
    node.children
        .iter()
        .filter(|child| child.name.value != ALLOW.name)
        .map(|child| match child.name.value.as_str() {
            "env" => SecretProvider::Env { prefix: text(child.prop("prefix")).unwrap_or_default() },
            "dotenv" => SecretProvider::Dotenv {
                path: text(child.args.first()).unwrap_or_default(),
                span: child.span,
            },
            name => SecretProvider::Unsupported { name: name.to_owned(), span: child.span },
        })
        .collect()
}

/// The tools that must be there.
pub(crate) fn requires(merged: &Merged<'_>) -> Vec<Requirement> {
    merged
        .nodes()
        .filter(|node| node.name.value == "require")
        .map(|node| Requirement {
            tool: node.label().unwrap_or_default().to_owned(),
            version: text(node.prop("version")),
            cloud: text(node.prop("cloud")),
            optional: node.has_flag("optional"),
            span: node.span,
        })
        .collect()
}

/// The state store that the project names.
pub(crate) fn state_store(project: &Node) -> StateStoreKind {
    let node = project.child("state");
    match node.and_then(Node::label) {
        Some("r2") => StateStoreKind::R2 {
            bucket: text(node.and_then(|node| node.prop("bucket"))).unwrap_or_default(),
        },
        Some("edge") => StateStoreKind::Edge,
        _ => StateStoreKind::Local,
    }
}

/// What is wrong with a project's `id=`. It stands in titles in the account, so it is a name on one
/// line and no address: a colon and what comes before it belong to those.
fn id_mistake(id: &Scalar) -> Option<Diagnostic> {
    let text = name_of(id.as_text()?);
    let Some(problem) = id_problem(text) else {
        return other_spelling(id.as_text()?).map(|one| {
            let message = format!("`{text}` is not how the identity of that repository is written");
            Diagnostic::error(codes::INVALID_VALUE, id.span, message)
                .help(format!("write it as `origin` gives it, or it is another one: \"{one}\""))
                .fix(id.span, format!("\"{one}\""))
        });
    };
    let shown = text.escape_debug();
    let message = format!("`{shown}` cannot be the identity of a repository: {problem}");
    Some(Diagnostic::error(codes::INVALID_VALUE, id.span, message).help(
        "write letters, digits and -._~+@% with single slashes between, such as \"github.com/acme/shop\": no address, and no .git at its end",
    ))
}

/// True for an identity that `project id=` takes as it is written.
pub fn takes_identity(id: &str) -> bool {
    id_problem(name_of(id)).is_none() && other_spelling(id).is_none()
}

/// The identity that a folder without an origin has is written as it is told.
fn name_of(id: &str) -> &str {
    id.strip_prefix("working-copy:").unwrap_or(id)
}

/// What no identity holds.
fn id_problem(text: &str) -> Option<String> {
    let is_good = |c: char| c.is_ascii_alphanumeric() || "-._~+@%/".contains(c);
    match text.chars().find(|c| !is_good(*c)) {
        Some(bad) => Some(format!("it holds `{}`", bad.escape_debug())),
        None if text.is_empty() => Some("it is empty".to_owned()),
        None if text.split('/').any(str::is_empty) => {
            Some("a slash stands at an end, or beside another".to_owned())
        }
        None if text.len() > limits::REPOSITORY_CHARS_MAX => {
            let (count, max) = (text.len(), limits::REPOSITORY_CHARS_MAX);
            Some(format!("it has {count} characters, and {max} may be"))
        }
        None => None,
    }
}

/// Forges to which owner and name mean the same in upper and in lower case.
pub const ANY_CASE_FORGES: [&str; 4] =
    ["bitbucket.org", "codeberg.org", "github.com", "gitlab.com"];

/// What an identity is on a host, where it is spelled otherwise: two spellings would be two
/// repositories.
fn other_spelling(id: &str) -> Option<String> {
    let (host, path) = id.split_once('/')?;
    let lower = host.to_ascii_lowercase();
    let path = path.strip_suffix(".git").filter(|it| !it.ends_with('/')).unwrap_or(path);
    let one = if ANY_CASE_FORGES.contains(&lower.as_str()) {
        format!("{lower}/{}", path.to_ascii_lowercase())
    } else if host.contains('.') {
        format!("{lower}/{path}")
    } else {
        format!("{host}/{path}")
    };
    (one != id).then_some(one)
}

/// Checks the `project` node beyond its grammar.
pub(crate) fn check_project(project: &Node, found: &mut Diagnostics) {
    if let Some(error) = project.prop("id").and_then(id_mistake) {
        found.push(error);
    }
    if let Some(zone) = project.child("zone").and_then(|zone| zone.args.first()) {
        let text = zone.as_text().unwrap_or_default();
        let problem = crate::names::host_problem(&host_in_ascii(text))
            .or_else(|| (!text.contains('.')).then(|| "it has no dot".to_owned()));
        if let Some(problem) = problem {
            let message = format!("`{text}` is not a zone: {problem}");
            let error = Diagnostic::error(codes::INVALID_HOST, zone.span, message);
            found.push(match near_zone(text) {
                Some(near) => error
                    .help(format!("write the domain alone, in lower case: \"{near}\""))
                    .fix(zone.span, format!("\"{near}\"")),
                None => {
                    error.help("write the domain's name in lower case, such as \"example.com\"")
                }
            });
        }
    }
    if let Some(state) = project.child("state") {
        let bucket = state.prop("bucket");
        match (state.label(), bucket) {
            (Some("r2"), None) => found.push(
                Diagnostic::error(
                    codes::MISSING_PROPERTY,
                    state.span,
                    "the r2 store needs `bucket=`",
                )
                .help("write state \"r2\" bucket=\"my-project-state\""),
            ),
            (Some("r2"), Some(bucket)) => found.extend(bucket_mistake(bucket)),
            (Some("local" | "edge"), Some(bucket)) => found.push(
                Diagnostic::error(
                    codes::UNKNOWN_PROPERTY,
                    bucket.span,
                    "only the r2 store has a bucket",
                )
                .help("remove `bucket=`")
                .fix(state.prop_entry("bucket").map_or(bucket.span, Prop::span), ""),
            ),
            _ => {}
        }
    }
}

/// What stands at the level of the type and is not done yet.
pub(crate) fn unsupported(merged: &Merged<'_>, project: &Node) -> Vec<Unsupported> {
    let mut out: Vec<Unsupported> = merged
        .nodes()
        .filter_map(|node| {
            let kind = node.name.value.as_str();
            let what = match kind {
                "run" => format!("the `run` \"{}\"", node.label().unwrap_or_default()),
                _ => return None,
            };
            Some(Unsupported { what, span: node.span })
        })
        .collect();
    if let Some(state) = project.child("state").filter(|state| state.label() == Some("r2")) {
        out.push(Unsupported { what: "the state store \"r2\"".to_owned(), span: state.span });
    }
    out
}

impl Resolver<'_> {
    /// The edge Worker, when there is one.
    pub(crate) fn edge(&mut self, project: &Node) -> Option<Edge> {
        let merged = self.given.merged;
        let Some(node) = merged.single("edge") else {
            self.no_state_at_edge(project);
            return None;
        };
        let pool = |pool: &Node| {
            let public = text(pool.prop("public")).unwrap_or_default();
            let public = public.split_whitespace().map(str::to_owned).collect();
            (pool.label().unwrap_or_default().to_owned(), EdgePool { public, span: pool.span })
        };
        Some(Edge {
            url: text(node.args.first())?.trim_end_matches('/').to_owned(),
            token: self.resolve(node.prop("token")?, Purpose::Private).text,
            pools: node.children_named("pool").map(pool).collect(),
            span: node.span,
        })
    }

    fn no_state_at_edge(&mut self, project: &Node) {
        let state = project.child("state").filter(|state| state.label() == Some("edge"));
        let Some(scalar) = state.and_then(|state| state.args.first()) else { return };
        let message = "the state is to be kept at the edge, and there is no `edge`";
        self.error(
            Diagnostic::error(codes::NO_EDGE, scalar.span, message)
                .at("needs an `edge` node")
                .help("declare it: edge \"https://…\" token=(secret)\"EDGE_TOKEN\""),
        );
    }

    /// Checks the settings that hold references or refer to one another.
    pub(crate) fn check_settings(&mut self) {
        let merged = self.given.merged;
        self.check_leases();
        let providers = merged.single("secrets").map(|node| node.children.as_slice());
        for child in providers.unwrap_or_default() {
            let texts: &[&str] = match child.name.value.as_str() {
                "doppler" => &["project", "config"],
                "aws-secrets-manager" => &["id"],
                _ => &[],
            };
            for scalar in texts.iter().filter_map(|name| child.prop(name)) {
                self.resolve(scalar, Purpose::Name);
            }
        }
        for run in merged.all("run") {
            self.check_run(run);
            if let Some(command) = run.prop("command") {
                self.resolve(command, Purpose::Public("a command line"));
            }
            for value in run.children_named("env").filter_map(|env| env.args.get(1)) {
                self.resolve(value, Purpose::Private);
            }
        }
    }

    /// A command says something, and waits for something that is there.
    fn check_run(&mut self, run: &Node) {
        if let Some(command) = run.prop("command")
            && command.as_text().is_some_and(|text| text.trim().is_empty())
        {
            self.error(
                Diagnostic::error(codes::INVALID_VALUE, command.span, "`command=` is empty")
                    .at("says nothing")
                    .help("write a command line, such as command=\"pnpm generate:types\""),
            );
        }
        let Some(scalar) = run.prop("when-changed") else { return };
        let text = scalar.as_text().unwrap_or_default();
        let merged = self.given.merged;
        let files = [("wrangler", "worker"), ("dotenv", "dotenv"), ("file", "file")];
        let is_file = text.split_once('.').is_some_and(|(head, name)| {
            let kind = files.iter().find(|(word, _)| *word == head);
            kind.is_some_and(|(_, kind)| merged.get(kind, name).is_some())
        });
        if !is_file {
            let names = files.into_iter().flat_map(|(head, kind)| {
                merged.names(kind).map(move |name| format!("{head}.{name}"))
            });
            let known: Vec<String> = names.collect();
            let message = format!("envc writes no file `{text}`");
            let error = Diagnostic::error(codes::UNKNOWN_REFERENCE, scalar.span, message)
                .at("not among the files");
            let known = known.iter().map(String::as_str);
            let none =
                "it names a file that envc writes: wrangler.WORKER, dotenv.PATH or file.PATH";
            self.error(Spot::scalar(scalar).suggest(error, text, known, none));
        }
    }

    /// The leases with the attributes that are known to be of interest; all texts are resolved.
    pub(crate) fn leases(&self) -> BTreeMap<String, Lease> {
        let mut out = BTreeMap::new();
        for node in self.given.merged.all("lease") {
            let (Some(name), Some(pool)) = (node.label(), text(node.prop("pool"))) else {
                continue;
            };
            let used = self.lease_uses.iter().filter(|(lease, _)| *lease == name);
            let mut attributes: BTreeMap<String, LeaseAttribute> = used
                .map(|(_, attribute)| {
                    (attribute.clone(), LeaseAttribute { secret: true, needed: true })
                })
                .collect();
            for public in self.public_attributes(node).filter(|public| *public != "id") {
                let unused = LeaseAttribute { secret: false, needed: false };
                attributes.entry(public.to_owned()).or_insert(unused).secret = false;
            }
            out.insert(name.to_owned(), Lease { pool, attributes, span: node.label_span() });
        }
        out
    }

    fn check_leases(&mut self) {
        let merged = self.given.merged;
        let edge = merged.single("edge");
        let pools: Vec<&str> = edge
            .map(|edge| edge.children_named("pool").filter_map(Node::label).collect())
            .unwrap_or_default();
        for scalar in merged.all("lease").filter_map(|lease| lease.prop("pool")) {
            let name = scalar.as_text().unwrap_or_default();
            if !pools.contains(&name) {
                let message = format!("the edge has no pool \"{name}\"");
                let none = format!(
                    "declare it: edge \"https://…\" token=(secret)\"EDGE_TOKEN\" {{ pool \"{name}\" }}"
                );
                let error =
                    Diagnostic::error(codes::UNKNOWN_POOL, scalar.span, message).at("not declared");
                let known = pools.iter().copied();
                self.error(Spot::scalar(scalar).suggest(error, name, known, &none));
            }
        }
    }
}

/// The zone that an address or a name in capitals was meant to be.
fn near_zone(text: &str) -> Option<String> {
    let lower = text.trim().to_lowercase();
    let host = lower.split("://").last()?.split(['/', ':']).next()?;
    let near = host.trim_matches('.');
    let problem = crate::names::host_problem(&host_in_ascii(near));
    let good = problem.is_none() && near.contains('.') && near != text;
    good.then(|| near.to_owned())
}

fn bucket_mistake(scalar: &Scalar) -> Option<Diagnostic> {
    let text = scalar.as_text().unwrap_or_default();
    let problem = envc_kinds::declared(KindId::R2)?.node().name_rule?.problem(text)?;
    let message = format!("`{text}` cannot be the name of a bucket: it {}", problem.what);
    Some(
        Diagnostic::error(codes::BAD_NAME, scalar.span, message)
            .help("write another name, such as \"my-project-state\""),
    )
}

fn text(scalar: Option<&Scalar>) -> Option<String> {
    scalar.and_then(Scalar::as_text).map(str::to_owned)
}

#[cfg(test)]
mod identity_tests {
    use super::other_spelling;

    #[test]
    fn one_repository_is_written_in_one_way() {
        for (id, one) in [
            ("GitHub.com/Acme/Shop", Some("github.com/acme/shop")),
            ("github.com/acme/shop.git", Some("github.com/acme/shop")),
            ("Git.example/Acme/Shop.git", Some("git.example/Acme/Shop")),
            ("acme/shop.git", Some("acme/shop")),
            ("github.com/acme/shop", None),
            ("git.example/Acme/.git", None),
            ("Acme/Shop", None),
            ("working-copy:00ff", None),
        ] {
            assert_eq!(other_spelling(id).as_deref(), one, "{id}");
            let (spec, _) = crate::load(&format!(
                "project \"shop\" id=\"{id}\"\nenvironment \"local\" {{ identity \"local\" }}\n"
            ));
            assert_eq!(spec.is_none(), one.is_some(), "{id}");
        }
    }
}
