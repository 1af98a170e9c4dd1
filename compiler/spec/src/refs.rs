//! What a reference stands for.

use std::rc::Rc;

use envc_core::{Diagnostic, Input, KindId, Part, Span, Text, limits};
use envc_syntax::{Node, Scalar, ScalarValue};

mod cycle;
mod wrong;

pub(crate) use wrong::reads_as_reference;

use crate::{
    codes,
    interpolate::{self, Segment},
    meet,
    resolver::{Late, Resolved, Resolver, Slot},
    suggest::Spot,
};

/// Deepest chain of `let`s: each is a step of recursion.
pub(crate) const CHAIN_MAX: usize = 64;

/// What a text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A name, a host, an identity: known before anything exists.
    Name,
    /// The address of a local service: a name or a port.
    Local,
    /// A place that others can see, in words.
    Public(&'static str),
    /// A plain variable of a worker; where the word `var` stands, if that is its only place.
    Var(Option<Span>),
    /// A private file, a secret: anything goes.
    Private,
}

impl<'a> Resolver<'a> {
    /// Resolves a value for a place; a mistake is reported, and gives the text without it.
    pub(crate) fn resolve(&mut self, scalar: &Scalar, purpose: Purpose) -> Resolved {
        if self.found.is_full() || self.chars > limits::TEXTS_CHARS_MAX {
            return Resolved { broken: true, ..Resolved::default() };
        }
        let mut out = self.pieces(scalar, purpose);
        let length: usize = out.text.parts.iter().map(part_chars).sum();
        if length > limits::TEXT_CHARS_MAX {
            let max = limits::TEXT_CHARS_MAX;
            self.error(
                Diagnostic::error(
                    codes::TEXT_TOO_LONG,
                    scalar.span,
                    format!("this text has {length} characters; at most {max} are kept"),
                )
                .help("shorten it, or the `let`s that it refers to"),
            );
            out = Resolved { broken: true, ..Resolved::default() };
        }
        self.chars += length;
        if self.chars > limits::TEXTS_CHARS_MAX {
            let max = limits::TEXTS_CHARS_MAX;
            let message = format!("the texts of this environment have more than {max} characters");
            self.error(
                Diagnostic::error(codes::TEXT_TOO_LONG, scalar.span, message)
                    .at("with this one")
                    .help("shorten the `let`s that many nodes refer to"),
            );
            out = Resolved { broken: true, ..Resolved::default() };
        }
        if purpose != Purpose::Private && out.text.is_secret() {
            self.leak(scalar, purpose);
            out.broken = true;
        }
        out
    }

    fn pieces(&mut self, scalar: &Scalar, purpose: Purpose) -> Resolved {
        let text = match (&scalar.value, scalar.tag()) {
            (ScalarValue::Text { text, .. }, Some("secret")) => {
                return input(Input::Secret(text.clone()), "(secret)");
            }
            (ScalarValue::Text { text, .. }, Some("env")) => {
                return input(Input::Env(text.clone()), "(env)");
            }
            (ScalarValue::Text { text, raw, .. }, _) => {
                if *raw || !text.contains(['{', '}']) {
                    return Resolved { text: Text::literal(text), ..Resolved::default() };
                }
                text
            }
            (ScalarValue::Int(number), _) => return literal(number.to_string()),
            (ScalarValue::Bool(flag), _) => return literal(flag.to_string()),
            (ScalarValue::Float(_) | ScalarValue::Null, _) => return Resolved::default(),
        };
        let mut out = Resolved::default();
        for segment in interpolate::segments(text) {
            match segment {
                Segment::Lit(text) => out.push(text),
                Segment::Stray(at) => {
                    self.stray(interpolate::place(scalar, at, at + 1));
                    out.broken = true;
                }
                Segment::Reference(path, start, end) => {
                    let span = interpolate::place(scalar, start, end);
                    match self.reference(path, span, purpose) {
                        Some(piece) => {
                            out.append(piece.text, piece.pattern);
                            out.broken |= piece.broken;
                            out.depth = out.depth.max(piece.depth);
                            merge_late(&mut out.late, piece.late);
                        }
                        None => out.broken = true,
                    }
                }
            }
        }
        out
    }

    fn stray(&mut self, span: Span) {
        self.error(
            Diagnostic::error(codes::BAD_REFERENCE, span, "this brace opens or closes nothing")
                .help("write {{ or }} for a brace, or a raw string #\"…\"# for text without references"),
        );
    }

    /// Resolves one reference, and checks that it may stand in its place.
    fn reference(&mut self, path: &str, span: Span, purpose: Purpose) -> Option<Resolved> {
        let piece = self.known(path, span, purpose)?;
        let refused = match (purpose, &piece.late) {
            (Purpose::Public(_) | Purpose::Var(_) | Purpose::Private, _) | (_, None) => None,
            // Said of the whole text, with the way that the secret took.
            _ if piece.text.is_secret() => None,
            (Purpose::Local, Some(late)) => (!late.port).then_some(late),
            (Purpose::Name, Some(late)) => Some(late),
        };
        match refused.cloned() {
            None => Some(piece),
            Some(late) => self.too_late(&late, path, span, purpose),
        }
    }

    fn known(&mut self, path: &str, span: Span, purpose: Purpose) -> Option<Resolved> {
        let instance = self.given.instance;
        let late =
            |text: &Option<String>| Some(late(text.clone().unwrap_or_default(), path, false));
        let mut parts = path.split('.');
        let (head, name, last) = (parts.next()?, parts.next(), parts.next());
        if parts.next().is_some() {
            return self.unknown(path, span);
        }
        match (head, name, last) {
            ("project", None, _) => Some(literal(self.given.project)),
            ("zone", None, _) => self.zone(span),
            ("env", None, _) => Some(open(&instance.id, meet::ID)),
            ("env", Some("type"), None) => Some(literal(self.given.type_name)),
            ("env", Some("pr"), None) => self.pull_request(span),
            ("env", Some("branch"), None) => late(&instance.branch),
            ("git", Some("sha"), None) => late(&instance.sha),
            ("let", Some(name), None) => self.let_value(name, span),
            ("port", Some(name), None) => self.port(name, path, span),
            ("lease", Some(name), Some(attribute)) => self.lease(name, attribute, path, span),
            ("host" | "url", Some(name), None) => self.address_of(head, name, path, span, purpose),
            ("worker", Some(name), Some("name")) => self.script(name, path, span),
            (_, Some(name), Some(output)) => match KindId::parse(head) {
                Some(kind) => self.output(kind, name, output, path, span),
                None => self.unknown(path, span),
            },
            _ => self.unknown(path, span),
        }
    }

    fn zone(&mut self, span: Span) -> Option<Resolved> {
        let zone = self.given.zone.map(literal);
        if zone.is_none() {
            self.no_zone(span);
        }
        zone
    }

    /// Reports that the project has no zone.
    pub(crate) fn no_zone(&mut self, span: Span) {
        self.error(
            Diagnostic::error(codes::NO_ZONE, span, "the project has no zone")
                .at("needs the zone")
                .help(format!(
                    "write project \"{}\" {{ zone \"example.com\" }}",
                    self.given.project
                )),
        );
    }

    fn pull_request(&mut self, span: Span) -> Option<Resolved> {
        match self.given.instance.pr {
            Some(number) => Some(open(number.to_string(), meet::NUMBER)),
            None => self.no_pull_request(span),
        }
    }

    fn port(&mut self, name: &str, path: &str, span: Span) -> Option<Resolved> {
        let assigned = self.given.instance.ports.get(name).copied();
        let port = assigned.or_else(|| self.ports.get(name).map(|range| range.first));
        if let Some(port) = port.filter(|_| self.ports.contains_key(name)) {
            return Some(late(port.to_string(), path, true));
        }
        self.no_port(name, path, span);
        None
    }

    fn lease(&mut self, name: &str, attribute: &str, path: &str, span: Span) -> Option<Resolved> {
        let Some(lease) = self.given.merged.get("lease", name) else {
            self.undeclared("lease", name, &Spot::reference(span, path, 1));
            return None;
        };
        let secret = attribute != "id" && !self.is_public(lease, attribute);
        if let Some(label) = lease.label().filter(|_| attribute != "id") {
            self.lease_uses.insert((label, attribute.to_owned()));
        }
        let input =
            Input::Lease { lease: name.to_owned(), attribute: attribute.to_owned(), secret };
        let late = Some(Late { path: path.to_owned(), port: false });
        let text = Text { parts: vec![Part::In(input)] };
        Some(Resolved { text, late, ..Resolved::default() })
    }

    /// True for an attribute of a lease that the pool does not declare public.
    pub(crate) fn is_secret_attribute(&self, lease: &str, attribute: &str) -> bool {
        let lease = self.given.merged.get("lease", lease);
        attribute != "id" && lease.is_some_and(|lease| !self.is_public(lease, attribute))
    }

    /// True when the pool of a lease declares an attribute public.
    fn is_public(&self, lease: &Node, attribute: &str) -> bool {
        self.public_attributes(lease).any(|word| word == attribute)
    }

    /// The attributes that the pool of a lease declares public.
    pub(crate) fn public_attributes(&self, lease: &Node) -> impl Iterator<Item = &'a str> {
        let pool = lease.prop("pool").and_then(Scalar::as_text).map(str::to_owned);
        let edge = self.given.merged.single("edge");
        let pools = edge.map(|edge| edge.children_named("pool")).into_iter().flatten();
        pools
            .filter(move |node| node.label() == pool.as_deref())
            .filter_map(|node| node.prop("public")?.as_text())
            .flat_map(str::split_whitespace)
    }

    fn script(&mut self, name: &str, path: &str, span: Span) -> Option<Resolved> {
        let Some(worker) = self.given.merged.get("worker", name) else {
            self.undeclared("worker", name, &Spot::reference(span, path, 1));
            return None;
        };
        let script = self.named(worker)?;
        Some(late(script, path, false))
    }

    fn output(
        &mut self,
        kind: KindId,
        name: &str,
        output: &str,
        path: &str,
        span: Span,
    ) -> Option<Resolved> {
        let possible = envc_kinds::kind(kind).outputs();
        if possible.is_empty() {
            return self.unknown(path, span);
        }
        if self.given.merged.get(kind.as_str(), name).is_none() {
            self.undeclared(kind.as_str(), name, &Spot::reference(span, path, 1));
            return None;
        }
        let Some((_, known)) = possible.iter().find(|(word, _)| *word == output) else {
            let message = format!("a {kind} has no `{output}`");
            let error = Diagnostic::error(codes::BAD_REFERENCE, span, message);
            let known = possible.iter().map(|(word, _)| *word);
            self.error(Spot::reference(span, path, 2).suggest(error, output, known, ""));
            return None;
        };
        let text = Text::output(envc_core::Address::new(kind, name), *known);
        let late = Some(Late { path: path.to_owned(), port: false });
        Some(Resolved { text, late, ..Resolved::default() })
    }

    /// Resolves a `let`, once.
    pub(crate) fn let_value(&mut self, name: &str, span: Span) -> Option<Resolved> {
        let merged = self.given.merged;
        let Some((&name, slot)) = self.lets.get_key_value(name) else {
            let path = format!("let.{name}");
            self.undeclared("let", name, &Spot::reference(span, &path, 1));
            return None;
        };
        match slot {
            Slot::Done(value) => return Some(value.as_ref().clone()),
            Slot::Busy => return self.cycle("let", name, span),
            Slot::New => {}
        }
        if self.stack.len() >= CHAIN_MAX {
            return self.chain(span);
        }
        let scalar = merged.get("let", name)?.args.get(1)?;
        self.lets.insert(name, Slot::Busy);
        self.stack.push(("let", name));
        let mut value = self.resolve(scalar, Purpose::Private);
        value.depth += 1;
        if value.depth > CHAIN_MAX {
            self.chain(span);
            value = Resolved { broken: true, ..Resolved::default() };
        }
        self.stack.pop();
        self.lets.insert(name, Slot::Done(Rc::new(value.clone())));
        Some(value)
    }
}

/// Text without references.
pub(crate) fn literal(text: impl Into<String>) -> Resolved {
    Resolved { text: Text::literal(text), ..Resolved::default() }
}

/// Text that is another one in each environment.
fn open(text: impl Into<String>, place: char) -> Resolved {
    Resolved { pattern: Some(place.to_string()), ..literal(text) }
}

/// Text that is known, but may not stand in a name.
pub(crate) fn late(text: String, path: &str, port: bool) -> Resolved {
    let late = Some(Late { path: path.to_owned(), port });
    Resolved { text: Text::literal(text), late, ..Resolved::default() }
}

fn input(input: Input, path: &str) -> Resolved {
    let late = Some(Late { path: path.to_owned(), port: false });
    Resolved { text: Text { parts: vec![Part::In(input)] }, late, ..Resolved::default() }
}

fn part_chars(part: &Part) -> usize {
    match part {
        Part::Lit(text) => text.len(),
        Part::Out(_) | Part::In(_) => 1,
    }
}

/// Keeps what weighs more: a reference that no name may hold before one that is a port.
fn merge_late(kept: &mut Option<Late>, next: Option<Late>) {
    let stronger = match (&kept, &next) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(kept), Some(next)) => kept.port && !next.port,
    };
    if stronger {
        *kept = next;
    }
}
