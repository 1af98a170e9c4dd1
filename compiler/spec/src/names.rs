//! Names and hosts: known before anything exists, holding the ID where it is not fixed.

use std::rc::Rc;

use envc_core::{Diagnostic, PhysicalName, Span, Text};
use envc_kinds::Lower;
use envc_syntax::{Node, Scalar, ScalarValue};

use crate::{
    codes,
    existing::Existing,
    refs::{Place, late},
    scope::{Address, HostNode, Resolved, Scope, Slot},
};

impl Scope<'_> {
    /// A text of a name; `None` after a mistake, which is reported.
    pub(crate) fn name(&mut self, scalar: &Scalar) -> Option<String> {
        let resolved = self.resolve(scalar, Place::Name);
        resolved.text.as_literal().filter(|_| !resolved.broken).map(str::to_owned)
    }

    /// The physical name of a node: `name=`, else `{project}--{label}--{env}`.
    pub(crate) fn named(&mut self, node: &Node) -> Option<String> {
        let label = node.label().unwrap_or_default();
        let Some(scalar) = node.prop("name") else {
            let (project, env) = (self.given.project, self.given.instance.id.as_str());
            return Some(PhysicalName { project, label, env }.to_string());
        };
        let name = self.name(scalar)?;
        let what = format!("the name of {} \"{label}\"", node.name.value);
        self.must_hold_env(&name, scalar, &what).then_some(name)
    }

    /// Reports a name that other environments of the type would have, too.
    fn must_hold_env(&mut self, name: &str, scalar: &Scalar, what: &str) -> bool {
        let given = self.given;
        let good = given.fixed || name.contains(&given.instance.id);
        if !good {
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
        }
        good
    }

    /// A host in the zone; `None` after a mistake, which is reported.
    pub(crate) fn host_name(&mut self, scalar: &Scalar) -> Option<String> {
        let text = self.name(scalar)?;
        let Some(zone) = self.given.zone else {
            self.no_zone(scalar.span);
            return None;
        };
        let text = text.trim_end_matches('.');
        let host = match text {
            "@" => zone.to_owned(),
            _ if in_zone(text, zone) => text.to_owned(),
            _ => format!("{text}.{zone}"),
        };
        let good =
            self.check_host(&host, scalar.span) && self.must_hold_env(&host, scalar, "this host");
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
        let text = self.name(scalar)?;
        let Some(zone) = self.given.zone else {
            self.no_zone(scalar.span);
            return None;
        };
        let host = text.split('/').next().unwrap_or_default();
        if !in_zone(host.trim_start_matches('*'), zone) {
            let message = format!("`{host}` is not in the zone {zone}");
            self.error(
                Diagnostic::error(codes::HOST_OUTSIDE_ZONE, scalar.span, message)
                    .help(format!("write a pattern such as \"{{env}}.{zone}/*\"")),
            );
            return None;
        }
        let good = self.check_host(host.trim_start_matches("*."), scalar.span)
            && self.must_hold_env(host, scalar, "this host");
        good.then_some(text)
    }

    /// `{host.X}` or `{url.X}`.
    pub(crate) fn address_of(
        &mut self,
        head: &str,
        name: &str,
        path: &str,
        span: Span,
        place: Place,
    ) -> Option<Resolved> {
        if !self.hosts.contains_key(name) {
            self.no_host(name, path, span);
            return None;
        }
        if place == Place::Name {
            // Refused by the caller; resolving it would only risk a circle.
            return Some(late(String::new(), path, false));
        }
        let address = self.address(name, span)?;
        let text = if head == "host" { address.host.clone() } else { address.url.clone() };
        (!address.broken).then(|| late(text, path, false))
    }

    /// The address of a declared host, resolved once.
    pub(crate) fn address(&mut self, name: &str, span: Span) -> Option<Rc<Address>> {
        let (&name, (host, slot)) = self.hosts.get_key_value(name)?;
        let host = *host;
        match slot {
            Slot::Done(address) => return Some(Rc::clone(address)),
            Slot::Busy => {
                self.circle("host", name, span);
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

    fn make_address(&mut self, host: HostNode<'_>) -> Address {
        let broken = Address { broken: true, ..Address::default() };
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
            return Address { host, url, pattern, broken: false };
        }
        let url = format!("https://{public}");
        Address { host: public, url, pattern, broken: false }
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
        let resolved = self.resolve(scalar, Place::Local);
        resolved.text.as_literal().filter(|_| !resolved.broken).map(str::to_owned)
    }
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

/// The view of a scope that a kind gets, with what exists already.
pub(crate) struct Lowering<'s, 'a> {
    /// The scope.
    pub(crate) scope: &'s mut Scope<'a>,
    /// What exists.
    pub(crate) existing: &'s Existing<'a>,
}

impl Lower for Lowering<'_, '_> {
    fn text(&mut self, value: &Scalar) -> Text {
        self.scope.resolve(value, Place::Public("the account")).text
    }

    fn private_text(&mut self, value: &Scalar) -> Text {
        self.scope.resolve(value, Place::Private).text
    }

    fn literal(&mut self, value: &Scalar) -> Option<String> {
        let resolved = self.scope.resolve(value, Place::Public("the account"));
        resolved.text.as_literal().filter(|_| !resolved.broken).map(str::to_owned)
    }

    fn name_text(&mut self, value: &Scalar) -> String {
        self.scope.name(value).unwrap_or_default()
    }

    fn physical_name(&mut self, node: &Node) -> String {
        let label = node.label().unwrap_or_default();
        match self.existing.get(&node.name.value, label) {
            Some(known) => known.key().to_owned(),
            None => self.scope.named(node).unwrap_or_default(),
        }
    }

    fn host(&mut self, value: &Scalar) -> Option<String> {
        self.scope.host_name(value)
    }

    fn zone(&self) -> Option<&str> {
        self.scope.given.zone
    }

    fn marker(&self) -> &str {
        &self.scope.marker
    }

    fn is_existing(&self, node: &Node) -> bool {
        self.existing.get(&node.name.value, node.label().unwrap_or_default()).is_some()
    }

    fn protected(&self) -> bool {
        self.scope.given.protect
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.scope.error(diagnostic);
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
