//! Names and hosts: known before anything exists, holding the ID where it is not fixed.

use std::{collections::BTreeMap, rc::Rc};

use envc_core::{Address, Desired, Diagnostic, KindId, Marker, PhysicalName, Span, Text};
use envc_kinds::{Lower, NameProblem, Worker, host_in_ascii};
use envc_syntax::{Node, Scalar, ScalarValue};

use crate::{
    Unsupported, codes,
    existing::Existing,
    grammar::IDENTITY_WORD,
    meet::{ID, NUMBER},
    refs::{Purpose, late},
    resolver::{HostNode, Resolved, ResolvedHost, Resolver, Slot},
    suggest::Spot,
};

impl Resolver<'_> {
    /// A text of a name with its pattern; `None` after a mistake, which is reported.
    pub(crate) fn name(&mut self, scalar: &Scalar) -> Option<OwnName> {
        let resolved = self.resolve(scalar, Purpose::Name);
        let text = resolved.text.as_literal().filter(|_| !resolved.broken)?.to_owned();
        let pattern = resolved.pattern.unwrap_or_else(|| text.clone());
        Some(OwnName { text, pattern })
    }

    /// The physical name of a node: `name=`, else `{project}--{label}--{env}`.
    pub(crate) fn named(&mut self, node: &Node) -> Option<String> {
        let label = node.label().unwrap_or_default();
        let Some(scalar) = node.prop("name") else {
            return Some(self.default_name(label).to_string());
        };
        let name = self.name(scalar)?;
        let what = format!("the name of {} \"{label}\"", node.name.value);
        let good = self.must_hold_env(&name.pattern, scalar, &what)
            && self.is_nobody_elses(&name.text, label, scalar);
        if good {
            self.patterns.note(&name.text, &name.pattern);
        }
        good.then_some(name.text)
    }

    /// The name of a resource that has no `name=`.
    fn default_name<'n>(&'n self, label: &'n str) -> PhysicalName<'n> {
        PhysicalName { project: self.given.prefix, label, env: &self.given.instance.id }
    }

    /// What is wrong with a name that is too long: the sum, and the ways out.
    pub(crate) fn too_long(&self, node: &Node, length: usize, max: usize) -> NameProblem {
        let given = self.given;
        let label = node.label().unwrap_or_default();
        let (id, project) = (given.instance.id.len(), given.prefix.len());
        let of_id = if given.fixed { "of the ID" } else { "of the longest ID" };
        let sum = match node.prop("name") {
            None => format!(
                "{project} of the project, {} of \"{label}\", {id} {of_id} and 4 dashes",
                label.len()
            ),
            Some(_) => format!("{id} {of_id} and {} around it", length.saturating_sub(id)),
        };
        let mut ways = Vec::new();
        if node.prop("name").is_some() {
            ways.push("shorten `name=`");
        } else {
            ways.push(if given.prefix == given.project {
                "give the project a short form (short=\"…\")"
            } else {
                "shorten `short=`"
            });
            ways.extend(["shorten the label", "set `name=`"]);
        }
        if !given.fixed && !self.is_text_identity() {
            ways.push("lower `max-length=` of the identity");
        }
        let last = ways.pop().unwrap_or_default();
        let ways = match ways.as_slice() {
            [] => last.to_owned(),
            more => format!("{}, or {last}", more.join(", ")),
        };
        NameProblem {
            what: format!("has {length} characters, and at most {max} are allowed: {sum}"),
            help: format!("{} too many: {ways}", length.saturating_sub(max)),
        }
    }

    /// True where the identity is text: nothing cuts the ID.
    fn is_text_identity(&self) -> bool {
        let node = self.given.merged.single("identity");
        let words = node.into_iter().flat_map(|node| &node.args);
        !words.into_iter().any(|arg| {
            matches!(&arg.value, ScalarValue::Text { text, bare: true, .. } if text == IDENTITY_WORD)
        })
    }

    /// Reports a `name=` that reads as the name of something else: that one could be taken for it.
    fn is_nobody_elses(&mut self, name: &str, label: &str, scalar: &Scalar) -> bool {
        let Some(read) = PhysicalName::parse(name).filter(|read| *read != self.default_name(label))
        else {
            return true;
        };
        let message = format!(
            "`{name}` is the name of \"{}\" in the environment `{}` of the project `{}`",
            read.label, read.env, read.project
        );
        self.error(
            Diagnostic::error(codes::NAME_COLLISION, scalar.span, message)
                .at("reads as another one's name")
                .help("leave `name=` out, or write a name without two places of `--`"),
        );
        false
    }

    /// Reports a name that other environments of the type would have, too, and one whose `{env}`
    /// runs into what stands beside it.
    fn must_hold_env(&mut self, pattern: &str, scalar: &Scalar, what: &str) -> bool {
        let given = self.given;
        if given.fixed {
            return true;
        }
        let pattern = self.with_whole_id(pattern);
        if !pattern.contains(ID) {
            let message = format!(
                "{what} must hold {{env}}: environments of type `{}` share the account",
                given.type_name
            );
            let error = Diagnostic::error(codes::NAME_WITHOUT_ENV, scalar.span, message)
                .at("the same in every environment");
            let or = "or set it in an environment with a fixed identity";
            self.error(match with_env(scalar) {
                Some(better) => error
                    .help(format!("write \"{better}\", {or}"))
                    .fix(scalar.span, format!("\"{better}\"")),
                None => error.help(format!("add {{env}}, {or}")),
            });
            return false;
        }
        let apart = stands_apart(&pattern);
        if !apart {
            let message = format!(
                "{{env}} runs into what stands beside it in {what}: another ID could give it, too"
            );
            let error = Diagnostic::error(codes::ENV_NOT_APART, scalar.span, message)
                .at("only `-`, `.` or an end may stand beside {env}");
            self.error(match with_dashes(scalar) {
                Some(better) => error
                    .help(format!("write \"{better}\""))
                    .fix(scalar.span, format!("\"{better}\"")),
                None => error.help("put a dash between, such as \"shop-{env}-1\""),
            });
        }
        apart
    }

    /// A pattern in which an ID that is spelt out around `{env.pr}` stands as one.
    fn with_whole_id(&self, pattern: &str) -> String {
        let instance = self.given.instance;
        let Some(number) = instance.pr.map(|number| number.to_string()) else {
            return pattern.to_owned();
        };
        let spelt = instance.id.replace(&number, "\u{2}");
        if spelt.contains(NUMBER) { pattern.replace(&spelt, "\u{1}") } else { pattern.to_owned() }
    }

    /// A host in the zone; `None` after a mistake, which is reported.
    pub(crate) fn host_name(&mut self, scalar: &Scalar) -> Option<String> {
        let name = self.name(scalar)?;
        let Some(zone) = self.given.zone else {
            self.no_zone(scalar.span);
            return None;
        };
        let (text, pattern) =
            in_ascii(name.text.trim_end_matches('.'), name.pattern.trim_end_matches('.'));
        let (host, pattern) = match &*text {
            "@" => (zone.to_owned(), zone.to_owned()),
            _ if in_zone(&text, zone) => (text, pattern),
            _ => (format!("{text}.{zone}"), format!("{pattern}.{zone}")),
        };
        let good = self.check_host(&host, scalar.span)
            && self.must_hold_env(&pattern, scalar, "this host");
        if good {
            self.patterns.note(&host, &pattern);
        }
        good.then_some(host)
    }

    fn check_host(&mut self, host: &str, span: Span) -> bool {
        let problem = host_problem(host);
        if let Some(problem) = &problem {
            let message = format!("`{host}` is not a host name: {problem}");
            self.error(
                Diagnostic::error(codes::INVALID_HOST, span, message)
                    .help("use a-z, 0-9 and -, at most 63 characters between dots"),
            );
        }
        problem.is_none()
    }

    /// The pattern of a route: a host in the zone, and a path.
    pub(crate) fn pattern(&mut self, scalar: &Scalar) -> Option<String> {
        let OwnName { text, pattern } = self.name(scalar)?;
        let Some(zone) = self.given.zone else {
            self.no_zone(scalar.span);
            return None;
        };
        let (host, path) = text.split_at(text.find('/').unwrap_or(text.len()));
        let (host_pattern, path_pattern) =
            pattern.split_at(pattern.find('/').unwrap_or(pattern.len()));
        let (host, host_pattern) = in_ascii(host, host_pattern);
        let (text, pattern) = (format!("{host}{path}"), format!("{host_pattern}{path_pattern}"));
        if !in_zone(host.trim_start_matches('*'), zone) {
            let message = format!("`{host}` is not in the zone {zone}");
            self.error(
                Diagnostic::error(codes::HOST_OUTSIDE_ZONE, scalar.span, message)
                    .help(format!("write a pattern such as \"{{env}}.{zone}/*\"")),
            );
            return None;
        }
        let good = self.check_host(host.trim_start_matches("*."), scalar.span)
            && self.must_hold_env(
                pattern.split('/').next().unwrap_or_default(),
                scalar,
                "this host",
            );
        if good {
            self.patterns.note(&text, &pattern);
        }
        good.then_some(text)
    }

    /// `{host.X}` or `{url.X}`.
    pub(crate) fn address_of(
        &mut self,
        head: &str,
        name: &str,
        path: &str,
        span: Span,
        purpose: Purpose,
    ) -> Option<Resolved> {
        if !self.hosts.contains_key(name) {
            self.no_host(name, path, span);
            return None;
        }
        if purpose == Purpose::Name {
            // Refused by the caller; resolving it would only risk a cycle.
            return Some(late(String::new(), path, false));
        }
        let address = self.address(name, span)?;
        let text = if head == "host" { address.host.clone() } else { address.url.clone() };
        (!address.broken).then(|| late(text, path, false))
    }

    /// The address of a declared host, resolved once.
    pub(crate) fn address(&mut self, name: &str, span: Span) -> Option<Rc<ResolvedHost>> {
        let (&name, (host, slot)) = self.hosts.get_key_value(name)?;
        let host = *host;
        match slot {
            Slot::Done(address) => return Some(Rc::clone(address)),
            Slot::Busy => {
                self.cycle("host", name, span);
                return None;
            }
            Slot::New => {}
        }
        self.hosts.insert(name, (host, Slot::Busy));
        self.stack.push(("host", name));
        let address = Rc::new(self.make_address(host));
        self.stack.pop();
        self.hosts.insert(name, (host, Slot::Done(Rc::clone(&address))));
        Some(address)
    }

    fn make_address(&mut self, host: HostNode<'_>) -> ResolvedHost {
        let broken = ResolvedHost { broken: true, ..ResolvedHost::default() };
        let Some(scalar) = host.scalar() else { return broken };
        let route = host.node.name.value == "route";
        let found = if route { self.pattern(scalar) } else { self.host_name(scalar) };
        // The local service is resolved on every cloud, so that its mistakes are found by any.
        let local = self.local_service(host);
        let Some(pattern) = found else { return broken };
        let public = pattern.split('/').next().unwrap_or_default().to_owned();
        if let Some(url) = local.filter(|_| self.given.instance.local_cloud) {
            let host = url.split("://").last().unwrap_or_default();
            let host = host.split('/').next().unwrap_or_default().to_owned();
            let url = url.trim_end_matches('/').to_owned();
            return ResolvedHost { host, url, pattern, broken: false };
        }
        let url = format!("https://{public}");
        ResolvedHost { host: public, url, pattern, broken: false }
    }

    /// The address of the service behind a host on this machine.
    fn local_service(&mut self, host: HostNode<'_>) -> Option<String> {
        if let Some(worker) = host.worker {
            let name = worker.label()?;
            let range = self.ports.get(name)?;
            let port = self.given.instance.ports.get(name).copied().unwrap_or(range.first);
            return Some(format!("http://localhost:{port}"));
        }
        let scalar = host.node.prop("service")?;
        let resolved = self.resolve(scalar, Purpose::Local);
        resolved.text.as_literal().filter(|_| !resolved.broken).map(str::to_owned)
    }
}

/// A name as the spec gives it.
#[derive(Clone, Debug)]
pub(crate) struct OwnName {
    /// The name.
    pub(crate) text: String,
    /// The same with open places, as [`Resolved::pattern`] has it.
    pub(crate) pattern: String,
}

/// True when each ID of a pattern has nothing but `-`, `.` or an end beside it.
fn stands_apart(pattern: &str) -> bool {
    let chars: Vec<char> = pattern.chars().collect();
    let edge = |c: Option<&char>| matches!(c, None | Some('-' | '.'));
    chars.iter().enumerate().filter(|(_, c)| **c == ID).all(|(at, _)| {
        let before = at.checked_sub(1).and_then(|before| chars.get(before));
        edge(before) && edge(chars.get(at + 1))
    })
}

/// Characters of a host name: the longest that DNS carries.
pub(crate) const HOST_CHARS_MAX: usize = 253;

/// A text without references with `{env}` put into its first label; a route keeps its path.
fn with_env(scalar: &Scalar) -> Option<String> {
    let text = scalar.as_text()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '*');
    let ScalarValue::Text { raw: false, .. } = &scalar.value else { return None };
    if text == "@" {
        return Some("{env}".into());
    }
    if text.is_empty() || !text.chars().all(plain) {
        return None;
    }
    let end = text.find(['.', '/']).unwrap_or(text.len());
    let (label, rest) = text.split_at_checked(end)?;
    (label != "*" && !label.is_empty()).then(|| format!("{label}-{{env}}{rest}"))
}

/// A text with dashes where `{env}` runs into its neighbours.
fn with_dashes(scalar: &Scalar) -> Option<String> {
    let text = scalar.as_text()?;
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '*' | '{' | '}');
    let ScalarValue::Text { raw: false, .. } = &scalar.value else { return None };
    if !text.chars().all(plain) || !text.contains("{env}") {
        return None;
    }
    let mut out = String::new();
    for (position, part) in text.split("{env}").enumerate() {
        if position > 0 {
            if !matches!(out.chars().next_back(), None | Some('-' | '.')) {
                out.push('-');
            }
            out.push_str("{env}");
            if !matches!(part.chars().next(), None | Some('-' | '.' | '/')) {
                out.push('-');
            }
        }
        out.push_str(part);
    }
    Some(out)
}

/// A host and its pattern with labels beyond ASCII as DNS carries them. A label of which a part depends on
/// the ID stays as it is: it would be another one altogether for each ID.
fn in_ascii(host: &str, pattern: &str) -> (String, String) {
    let (labels, patterns) = (host.split('.'), pattern.split('.'));
    if labels.clone().count() != patterns.clone().count() {
        return (host.to_owned(), pattern.to_owned());
    }
    let of_both = labels.zip(patterns).map(|(label, pattern)| {
        if label == pattern {
            (host_in_ascii(label), host_in_ascii(pattern))
        } else {
            (label.to_owned(), pattern.to_owned())
        }
    });
    let (hosts, patterns): (Vec<String>, Vec<String>) = of_both.unzip();
    (hosts.join("."), patterns.join("."))
}

fn in_zone(host: &str, zone: &str) -> bool {
    host == zone || host.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.'))
}

/// What is wrong with a host name, or nothing. `_` is allowed (service records), `*` as a whole
/// first label.
pub(crate) fn host_problem(host: &str) -> Option<String> {
    if host.is_empty() || host.len() > HOST_CHARS_MAX {
        return Some(format!(
            "it has {} characters, and 1 to {HOST_CHARS_MAX} are allowed",
            host.len()
        ));
    }
    for (position, label) in host.split('.').enumerate() {
        if position == 0 && label == "*" {
            continue;
        }
        let good = (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
        if !good {
            return Some(label_problem(label));
        }
    }
    None
}

fn label_problem(label: &str) -> String {
    let bad = label.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-' | '_'));
    match bad {
        _ if label.is_empty() => "two dots follow one another, or one stands at its end".into(),
        Some(bad) if bad.is_ascii_uppercase() => format!("`{label}` has capitals"),
        Some(bad) => format!("`{label}` holds `{}`", bad.escape_debug()),
        None if label.len() > 63 => {
            format!("`{label}` has {} characters, and 63 may stand between dots", label.len())
        }
        None => format!("`{label}` begins or ends with -"),
    }
}

/// The view of a resolver that a kind gets, with what exists already.
pub(crate) struct Lowering<'s, 'a> {
    /// The resolver.
    pub(crate) resolver: &'s mut Resolver<'a>,
    /// What exists.
    pub(crate) existing: &'s Existing<'a>,
    /// All Workers, once they are read.
    pub(crate) workers: &'s [Worker],
    /// The resources of kinds that are not made of others, once they are lowered.
    pub(crate) resources: &'s BTreeMap<Address, Desired>,
    /// What envc does not do yet.
    pub(crate) unsupported: &'s mut Vec<Unsupported>,
}

impl Lower for Lowering<'_, '_> {
    fn text(&mut self, value: &Scalar) -> Text {
        self.resolver.resolve(value, Purpose::Public("the account")).text
    }

    fn private_text(&mut self, value: &Scalar) -> Text {
        self.resolver.resolve(value, Purpose::Private).text
    }

    fn literal(&mut self, value: &Scalar) -> Option<String> {
        let resolved = self.resolver.resolve(value, Purpose::Public("the account"));
        resolved.text.as_literal().filter(|_| !resolved.broken).map(str::to_owned)
    }

    fn name_text(&mut self, value: &Scalar) -> String {
        self.resolver.name(value).map(|name| name.text).unwrap_or_default()
    }

    fn physical_name(&mut self, node: &Node) -> String {
        let label = node.label().unwrap_or_default();
        match self.existing.get(&node.name.value, label) {
            Some(known) => known.key().to_owned(),
            None => self.resolver.named(node).unwrap_or_default(),
        }
    }

    fn too_long(&self, node: &Node, length: usize, max: usize) -> NameProblem {
        self.resolver.too_long(node, length, max)
    }

    fn host(&mut self, value: &Scalar) -> Option<String> {
        self.resolver.host_name(value)
    }

    fn pattern(&mut self, value: &Scalar) -> Option<String> {
        self.resolver.pattern(value)
    }

    fn variable(&mut self, value: &Scalar, word: Option<Span>) -> Text {
        self.resolver.resolve(value, Purpose::Var(word)).text
    }

    fn port(&self, name: &str) -> Option<u16> {
        let range = self.resolver.ports.get(name)?;
        Some(self.resolver.given.instance.ports.get(name).copied().unwrap_or(range.first))
    }

    fn target(&mut self, kind: KindId, value: &Scalar) -> Option<Address> {
        let name = value.as_text()?;
        if self.resolver.given.merged.get(kind.as_str(), name).is_none() {
            self.resolver.undeclared(kind.as_str(), name, &Spot::scalar(value));
            return None;
        }
        Some(Address::new(kind, name))
    }

    fn place_of(&self, word: &str, name: &str) -> Option<Span> {
        self.resolver.given.merged.get(word, name).map(Node::label_span)
    }

    fn name_of(&mut self, address: &Address) -> Option<String> {
        let merged = self.resolver.given.merged;
        self.resolver.named(merged.get(address.kind().as_str(), address.name())?)
    }

    fn workers(&self) -> &[Worker] {
        self.workers
    }

    fn resource(&self, address: &Address) -> Option<&Desired> {
        self.resources.get(address)
    }

    fn zone(&self) -> Option<&str> {
        self.resolver.given.zone
    }

    fn marker<'m>(&'m self, label: &'m str) -> Marker<'m> {
        self.resolver.marker(label)
    }

    fn is_existing(&self, node: &Node) -> bool {
        self.existing.get(&node.name.value, node.label().unwrap_or_default()).is_some()
    }

    fn protected(&self) -> bool {
        self.resolver.given.protect
    }

    fn suggest(&self, error: Diagnostic, value: &Scalar, known: &[&str], none: &str) -> Diagnostic {
        let word = value.as_text().unwrap_or_default();
        Spot::scalar(value).suggest(error, word, known.iter().copied(), none)
    }

    fn unsupported(&mut self, what: String, span: Span) {
        self.unsupported.push(Unsupported { what, span });
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.resolver.error(diagnostic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_checked_label_by_label() {
        for good in ["a.b", "x-1.example.com", "_dmarc.example.com", "*.example.com"] {
            assert_eq!(host_problem(good), None, "{good}");
        }
        for bad in ["", "a..b", "-a.b", "a-.b", "A.b", "a b.c", "a.*.c"] {
            assert!(host_problem(bad).is_some(), "{bad}");
        }
        assert!(in_zone("a.b.c", "b.c") && in_zone("b.c", "b.c") && !in_zone("ab.c", "b.c"));
        assert!(host_problem(&format!("{}.c", "a".repeat(64))).is_some());
    }
}
