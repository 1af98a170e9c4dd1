//! What is said of a reference that leads nowhere, or not from here.

use envc_core::{Diagnostic, KindId, Span};
use envc_syntax::Node;

use crate::{
    codes,
    refs::Purpose,
    resolver::{Late, Resolved, Resolver},
    suggest::{Spot, nearest},
    taint::Hop,
};

/// References without a name of the spec in them.
const FIXED: [&str; 7] = ["project", "zone", "env", "env.type", "env.branch", "env.pr", "git.sha"];

impl Resolver<'_> {
    /// Reports text between braces that is no reference.
    pub(super) fn unknown(&mut self, path: &str, span: Span) -> Option<Resolved> {
        let message = format!("`{{{path}}}` is no reference");
        let error = Diagnostic::error(codes::BAD_REFERENCE, span, message).at("not a reference");
        let spot = Spot::whole_reference(span, path);
        let error = match self.meant(path) {
            Meant::Reference(near) => {
                spot.replace(error.help(format!("did you mean `{{{near}}}`?")), &near)
            }
            Meant::Help(help) => error.help(help),
            Meant::Unknown => error.help(every_form()),
        };
        self.error(error);
        None
    }

    /// What was probably meant by a path that is no reference.
    fn meant(&self, path: &str) -> Meant {
        let merged = self.given.merged;
        let bare = path.trim();
        let parts: Vec<&str> = bare.split('.').map(str::trim).collect();
        if path.is_empty() || bare.contains(['"', '\n', ':', ',', ';', '(']) {
            return Meant::Help(
                "write {{ and }} for braces, or a raw string #\"…\"# for a text without references"
                    .into(),
            );
        }
        if bare != path && is_reference(&parts) {
            return Meant::Reference(parts.join("."));
        }
        if let Some(near) = alias(bare) {
            return Meant::Reference(near.to_owned());
        }
        match parts.as_slice() {
            [name, "port"] if self.ports.contains_key(name) => {
                Meant::Reference(format!("port.{name}"))
            }
            ["worker" | "ingress" | "tunnel", name, word @ ("url" | "host")]
                if self.hosts.contains_key(name) =>
            {
                Meant::Reference(format!("{word}.{name}"))
            }
            ["secret", name] => Meant::Help(format!(
                "a secret is a value of its own: write (secret)\"{name}\" without braces around it"
            )),
            [name] | ["env", name] if is_variable(name) => Meant::Help(format!(
                "a variable of envc's own process is a value of its own: write (env)\"{name}\""
            )),
            [name] => self.meant_by_word(name),
            [head, name, rest @ ..] => {
                if let Some(near) = nearest(bare, FIXED) {
                    return Meant::Reference(near.to_owned());
                }
                let word = heads().find(|word| word == head);
                let near = word.or_else(|| nearest(head, heads()));
                let Some(head) = near else { return Meant::Unknown };
                let outputs = outputs(head);
                match (outputs.as_slice(), rest) {
                    ([], []) if word.is_none() => Meant::Reference(format!("{head}.{name}")),
                    ([], [_, ..]) => Meant::Reference(format!("{head}.{name}")),
                    ([one], _) => Meant::Reference(format!("{head}.{name}.{one}")),
                    (_, [output]) if word.is_none() => {
                        Meant::Reference(format!("{head}.{name}.{output}"))
                    }
                    (_, [output, _, ..]) if outputs.contains(output) => {
                        Meant::Reference(format!("{head}.{name}.{output}"))
                    }
                    (_, []) if merged.get(head, name).is_some() || word.is_some() => {
                        let all: Vec<String> = outputs
                            .iter()
                            .map(|output| format!("{{{head}.{name}.{output}}}"))
                            .collect();
                        Meant::Help(format!("say what of it: {}", all.join(" or ")))
                    }
                    _ => Meant::Unknown,
                }
            }
            [] => Meant::Unknown,
        }
    }

    /// What was probably meant by a single word.
    fn meant_by_word(&self, name: &str) -> Meant {
        match (self.declaring(name).as_slice(), nearest(name, FIXED)) {
            ([one], _) => Meant::Reference(one.clone()),
            ([], Some(near)) => Meant::Reference(near.to_owned()),
            ([], None) => Meant::Unknown,
            (many, _) => {
                let many: Vec<String> = many.iter().map(|path| format!("{{{path}}}")).collect();
                Meant::Help(format!("did you mean {}?", many.join(" or ")))
            }
        }
    }

    /// The references to what is declared under a name, whatever it is.
    fn declaring(&self, name: &str) -> Vec<String> {
        let merged = self.given.merged;
        let mut out = Vec::new();
        if merged.get("let", name).is_some() {
            out.push(format!("let.{name}"));
        }
        for head in heads() {
            if merged.get(head, name).is_some() {
                out.extend(
                    outputs(head).into_iter().map(|output| format!("{head}.{name}.{output}")),
                );
            }
        }
        if self.hosts.contains_key(name) {
            out.extend([format!("host.{name}"), format!("url.{name}")]);
        }
        if self.ports.contains_key(name) {
            out.push(format!("port.{name}"));
        }
        out
    }

    /// Reports a reference that is known too late for its place.
    pub(super) fn too_late(
        &mut self,
        late: &Late,
        path: &str,
        span: Span,
        purpose: Purpose,
    ) -> Option<Resolved> {
        let (where_, help) = match purpose {
            Purpose::Local => (
                "the address of a local service",
                "it may refer to {port.X}, {project} {zone} {env} {env.type} {env.pr} and {let.…} over these",
            ),
            _ => (
                "a name, a host or an identity",
                "names may refer to {project} {zone} {env} {env.type} {env.pr} and {let.…} over these",
            ),
        };
        let shown = if late.path.starts_with('(') {
            late.path.clone()
        } else {
            format!("{{{}}}", late.path)
        };
        let at =
            if late.port { "differs from machine to machine" } else { "not known before apply" };
        let message = format!("`{shown}` may not stand in {where_}");
        let mut error = Diagnostic::error(codes::REFERENCE_NOT_ALLOWED, span, message).at(at);
        if late.path != path {
            error = error.at(format!("through {{{path}}}"));
            for (place, text) in self.way_of(path, late) {
                error = error.label(place, text);
            }
        }
        self.error(error.help(help));
        None
    }

    /// How a `let` comes to hold what is known too late.
    fn way_of(&self, path: &str, late: &Late) -> Vec<Hop> {
        let value = path
            .strip_prefix("let.")
            .and_then(|name| self.given.merged.get("let", name)?.args.get(1));
        let mut hops = Vec::new();
        if let Some(value) = value {
            let source =
                |path: &str| (path == late.path).then(|| (String::new(), "not known before apply"));
            let carries = |value: &Resolved| value.late.as_ref() == Some(late);
            self.trace(value, &source, &carries, &mut hops);
        }
        hops
    }

    /// Reports `{env.pr}` where there is no pull request.
    pub(super) fn no_pull_request(&mut self, span: Span) -> Option<Resolved> {
        let given = self.given;
        let error = if given.per_pr {
            Diagnostic::error(codes::NO_PULL_REQUEST, span, "no pull request is named")
                .help("run with --pr NUMBER")
        } else {
            let message = "`{env.pr}` is known only where each environment has a pull request";
            Diagnostic::error(codes::NO_PULL_REQUEST, span, message).help(
                "use {env.pr} in an environment with `when pr`, or whose identity holds {env.pr}",
            )
        };
        self.error(error.at("needs the number of a pull request"));
        None
    }

    /// Reports a reference to something that is not declared.
    pub(crate) fn undeclared(&mut self, kind: &str, name: &str, spot: &Spot) {
        let merged = self.given.merged;
        let message = format!("there is no {kind} \"{name}\"");
        let error =
            Diagnostic::error(codes::UNKNOWN_REFERENCE, spot.span, message).at("not declared");
        let error = if let Some(dropped) = merged.dropped.get(&(kind, name)) {
            self.dropped(error, dropped.span)
        } else if let Some((type_name, place)) = self.declared_elsewhere(kind, name) {
            error.label(place, format!("declared for `{type_name}` only")).help(format!(
                "declare {kind} \"{name}\" outside of environment \"{type_name}\", for all types"
            ))
        } else {
            let fallback = format!("declare it: {}", declaration(kind, name));
            spot.suggest(error, name, merged.names(kind), &fallback)
        };
        self.error(error);
    }

    /// Says that a type drops what is referred to.
    pub(crate) fn dropped(&self, error: Diagnostic, place: Span) -> Diagnostic {
        error.label(place, "dropped here").help(format!(
            "environment `{}` drops it: override what refers to it, or do not drop it",
            self.given.type_name
        ))
    }

    /// Another type that declares something in its own block, and where.
    fn declared_elsewhere(&self, kind: &str, name: &str) -> Option<(String, Span)> {
        let blocks = self.given.merged.document.nodes.iter();
        blocks.filter(|node| node.name.value == "environment").find_map(|block| {
            let node = block.children_named(kind).find(|node| node.label() == Some(name))?;
            Some((block.label()?.to_owned(), node.label_span()))
        })
    }

    /// Reports a port that nothing has.
    pub(super) fn no_port(&mut self, name: &str, path: &str, span: Span) {
        let merged = self.given.merged;
        let message = format!("nothing has a port \"{name}\"");
        let error = Diagnostic::error(codes::UNKNOWN_REFERENCE, span, message).at("no such port");
        let dropped = merged.dropped.get(&("worker", name)).or(merged.dropped.get(&("port", name)));
        let error = if let Some(dropped) = dropped {
            self.dropped(error, dropped.span)
        } else if let Some(worker) = merged.get("worker", name) {
            error
                .label(worker.label_span(), "has no port")
                .help(format!("give it one: worker \"{name}\" … {{ port \"3000-3999\" }}"))
        } else {
            let known: Vec<&str> = self.ports.keys().copied().collect();
            let fallback = format!("declare it: port \"{name}\" \"9100-9199\"");
            let spot = Spot::reference(span, path, 1);
            spot.suggest(error, name, known.iter().copied(), &fallback)
        };
        self.error(error);
    }

    /// Reports a host that nothing declares.
    pub(crate) fn no_host(&mut self, name: &str, path: &str, span: Span) {
        let merged = self.given.merged;
        let message = format!("no ingress, route or domain is called \"{name}\"");
        let error = Diagnostic::error(codes::UNKNOWN_REFERENCE, span, message).at("not declared");
        let has = |node: &Node| {
            node.label() == Some(name)
                || node.children.iter().any(|child| child.label() == Some(name))
        };
        let dropped = merged.dropped.iter().find(|((kind, _), dropped)| {
            matches!(*kind, "tunnel" | "worker") && has(&dropped.node)
        });
        self.error(if let Some((_, dropped)) = dropped {
            self.dropped(error, dropped.span)
        } else {
            let known: Vec<&str> = self.hosts.keys().copied().collect();
            let fallback = "declare an ingress of a tunnel, or a route or domain of a worker";
            Spot::reference(span, path, 1).suggest(error, name, known.iter().copied(), fallback)
        });
    }
}

/// What a path that is no reference was meant to be.
enum Meant {
    /// This reference.
    Reference(String),
    /// Something else.
    Help(String),
    /// Nobody knows.
    Unknown,
}

/// The first words of references with a declared name in them that are no kind's.
const HEADS: [&str; 6] = ["let", "port", "lease", "host", "url", "worker"];

/// All first words of references with a declared name in them.
fn heads() -> impl Iterator<Item = &'static str> + Clone {
    let kinds = envc_kinds::registry().iter().filter(|kind| !kind.outputs().is_empty());
    HEADS.into_iter().chain(kinds.map(|kind| kind.id().as_str()))
}

/// The last words that may follow a declared name.
fn outputs(head: &str) -> Vec<&'static str> {
    match head {
        "worker" => vec!["name"],
        "lease" => vec!["id"],
        _ => KindId::parse(head)
            .map(|kind| envc_kinds::kind(kind).outputs().iter().map(|(word, _)| *word).collect())
            .unwrap_or_default(),
    }
}

/// What references there are.
fn every_form() -> String {
    let mut forms: Vec<String> = FIXED.map(str::to_owned).into();
    for head in heads() {
        match outputs(head).as_slice() {
            [] => forms.push(format!("{head}.X")),
            words => forms.extend(words.iter().map(|word| format!("{head}.X.{word}"))),
        }
    }
    let forms: Vec<String> = forms.into_iter().map(|form| format!("{{{form}}}")).collect();
    format!("references are {}; write {{{{ and }}}} for braces", forms.join(" "))
}

/// True for a path that could be a reference.
pub(crate) fn reads_as_reference(path: &str) -> bool {
    is_reference(&path.split('.').collect::<Vec<_>>())
}

/// True for the parts of a path that could be resolved.
fn is_reference(parts: &[&str]) -> bool {
    let joined = parts.join(".");
    FIXED.contains(&joined.as_str())
        || matches!(parts, ["let" | "port" | "host" | "url", _] | ["lease", _, _])
        || matches!(parts, [head, _, output] if outputs(head).contains(output))
}

/// A line that declares a node, with all that it needs.
fn declaration(word: &str, name: &str) -> String {
    match word {
        "let" => format!("let {name} \"…\""),
        "lease" => format!("lease \"{name}\" pool=\"…\""),
        _ => {
            let kind = KindId::parse(word).and_then(envc_kinds::declared);
            let props = kind.map_or(&[][..], |kind| kind.grammar().props);
            let needed = props.iter().filter(|prop| prop.required);
            needed.fold(format!("{word} \"{name}\""), |line, prop| {
                format!("{line} {}=\"…\"", prop.name)
            })
        }
    }
}

/// What people write for references without a name of the spec in them.
fn alias(path: &str) -> Option<&'static str> {
    Some(match path {
        "env.id" | "env.name" | "id" | "environment" | "environment.id" => "env",
        "type" | "environment.type" => "env.type",
        "branch" | "git.branch" => "env.branch",
        "pr" | "env.pr.number" | "pull_request" | "git.pr" => "env.pr",
        "sha" | "commit" | "env.sha" | "git.commit" => "git.sha",
        "project.name" | "project.id" => "project",
        "zone.name" | "project.zone" | "domain" => "zone",
        _ => return None,
    })
}

/// Looks like a variable of a process: `API_TOKEN`.
fn is_variable(word: &str) -> bool {
    word.len() > 1
        && word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}
