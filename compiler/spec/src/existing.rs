//! What exists already: read and bound to, never created, changed or deleted.

use std::collections::BTreeMap;

use envc_core::{Diagnostic, Diagnostics, Mode, Span};
use envc_kinds::registry;
use envc_syntax::{Node, Scalar};

use crate::{codes, grammar::ALLOW, merge::Merged, suggest::Spot};

/// One resource that exists.
#[derive(Clone, Debug)]
pub(crate) struct Row<'a> {
    id: Option<&'a str>,
    name: Option<&'a str>,
    span: Span,
    /// The identifier cannot be one: that is reported, and nothing is to follow from it.
    broken: bool,
}

impl Row<'_> {
    /// What it is found by: its name, else its identifier.
    pub(crate) fn key(&self) -> &str {
        if self.broken { "" } else { self.name.or(self.id).unwrap_or_default() }
    }

    /// How it is found.
    pub(crate) fn mode(&self) -> Mode {
        self.id.map_or(Mode::ExistingName, |id| Mode::ExistingId(id.to_owned()))
    }
}

/// All that a type says to exist.
#[derive(Clone, Debug, Default)]
pub(crate) struct Existing<'a> {
    listed: BTreeMap<&'a str, BTreeMap<&'a str, Row<'a>>>,
}

impl<'a> Existing<'a> {
    /// Reads the `existing` node of a type, if there is one, and checks it against what the type
    /// declares.
    pub(crate) fn read(merged: &'a Merged<'_>, type_name: &str, found: &mut Diagnostics) -> Self {
        let mut out = Self::default();
        let Some(node) = merged.single("existing") else { return out };
        for row in node.children.iter().filter(|row| row.name.value != ALLOW.name) {
            let label = row.label().unwrap_or_default();
            let kind = row.name.value.as_str();
            if merged.get(kind, label).is_none() {
                let fallback = format!("declare it outside: {kind} \"{label}\"");
                let message = format!("there is no {kind} \"{label}\" that could exist");
                let error = Diagnostic::error(codes::UNKNOWN_REFERENCE, row.label_span(), message)
                    .at("not declared");
                let known = merged.names(kind);
                if let Some(dropped) = merged.dropped.get(&(kind, label)) {
                    found.push(
                        error
                            .label(dropped.span, "dropped here")
                            .help("remove one of the two lines: what is dropped is not read"),
                    );
                    continue;
                }
                found.push(match row.args.first() {
                    Some(arg) => Spot::scalar(arg).suggest(error, label, known, &fallback),
                    None => error.help(fallback),
                });
                continue;
            }
            let id = row.prop("id").and_then(Scalar::as_text).filter(|id| !id.is_empty());
            let name = row.prop("name").and_then(Scalar::as_text).filter(|name| !name.is_empty());
            if id.is_some() == name.is_some() {
                let message = format!("{kind} \"{label}\" exists, but which one is it?");
                let at = if id.is_some() { "names two" } else { "names none" };
                let error = Diagnostic::error(codes::EXISTING_BY, row.span, message).at(at);
                found.push(error.help(format!(
                    "write {kind} \"{label}\" id=\"…\", or name=\"…\" instead of `id=`"
                )));
            }
            let mistake = row.prop("id").filter(|_| id.is_some()).and_then(|id| no_id(kind, id));
            let known = Row { id, name, span: row.span, broken: mistake.is_some() };
            found.extend(mistake);
            out.listed.entry(kind).or_default().insert(label, known);
        }
        if node.has_flag("all") {
            out.check_all(merged, node, type_name, found);
        }
        out
    }

    fn check_all(
        &self,
        merged: &Merged<'_>,
        node: &Node,
        type_name: &str,
        found: &mut Diagnostics,
    ) {
        let stores = registry().iter().filter(|kind| kind.holds_data());
        for kind in stores {
            let word = kind.id().as_str();
            for store in merged.all(word) {
                let label = store.label().unwrap_or_default();
                if self.get(word, label).is_some() {
                    continue;
                }
                let has_id = kind.outputs().iter().any(|(word, _)| *word == "id");
                let by = if has_id { "id" } else { "name" };
                let message = format!(
                    "{word} \"{label}\" is not listed, but all stores of `{type_name}` exist"
                );
                found.push(
                    Diagnostic::error(codes::NOT_EXISTING, store.label_span(), message)
                        .at("not listed")
                        .label(node.name.span, "lists all that exists")
                        .help(format!(
                            "add {word} \"{label}\" {by}=\"…\", or drop it: without {word} \"{label}\""
                        )),
                );
            }
        }
    }

    /// The row of a resource.
    pub(crate) fn get(&self, kind: &str, label: &str) -> Option<&Row<'a>> {
        self.listed.get(kind)?.get(label)
    }

    /// Where a resource is said to exist.
    pub(crate) fn place(&self, kind: &str, label: &str) -> Option<Span> {
        self.get(kind, label).map(|known| known.span)
    }
}

/// What cannot be an identifier of the API. They are UUIDs or 32 hexadecimal digits; whether one is
/// there only the API can tell.
fn no_id(kind: &str, scalar: &Scalar) -> Option<Diagnostic> {
    let text = scalar.as_text().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    (text.len() > 64 || !text.chars().all(plain)).then(|| {
        let message = format!("`{text}` cannot be the identifier of a {kind}");
        Diagnostic::error(codes::INVALID_VALUE, scalar.span, message)
            .at("identifiers are made of letters, digits and -")
            .help("copy it whole from the dashboard or from the tool that lists it")
    })
}
