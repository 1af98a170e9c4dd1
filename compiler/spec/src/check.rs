//! Every node, argument, flag and property against the tables of the grammar.
//!
//! One mistake gives one error: what is unknown is not looked into any further.

mod form;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Diagnostic, Diagnostics, Span, limits};
use envc_syntax::{
    Document, Node, Prop, Scalar, ScalarValue,
    rule::{ArgRule, NodeRule, PropRule, Repeat, Type},
};

pub(crate) use form::ports;
use value::What;

use crate::{
    codes,
    grammar::{ALLOW, Children, Grammar},
    lint,
    suggest::Spot,
};

/// Checks a whole document.
pub(crate) fn check(document: &Document, grammar: &Grammar) -> Diagnostics {
    let mut checker = Checker { grammar, found: Diagnostics::new() };
    checker.siblings(&document.nodes, Children::Set(&grammar.top), None);
    checker.found
}

/// A node's arguments and flags, told apart by its rule.
pub(crate) struct Words<'a> {
    /// The arguments by position.
    pub(crate) args: Vec<&'a Scalar>,
    /// The flags: bare words that the rule knows.
    pub(crate) flags: Vec<&'a Scalar>,
}

/// Tells arguments and flags apart. A flag is a bare word; it may stand before the arguments.
pub(crate) fn words<'a>(node: &'a Node, rule: &NodeRule) -> Words<'a> {
    let (flags, args) = node.args.iter().partition(|arg| is_flag(arg, rule));
    Words { args, flags }
}

fn is_flag(arg: &Scalar, rule: &NodeRule) -> bool {
    match &arg.value {
        ScalarValue::Text { text, bare: true, .. } => {
            arg.tag.is_none() && rule.flags.iter().any(|flag| flag.name == text)
        }
        ScalarValue::Text { .. }
        | ScalarValue::Int(_)
        | ScalarValue::Float(_)
        | ScalarValue::Bool(_)
        | ScalarValue::Null => false,
    }
}

/// True for the code of a warning, short or whole.
fn is_warning(arg: &Scalar) -> bool {
    arg.tag.is_none() && arg.as_text().is_some_and(|word| lint::code(word).is_some())
}

/// Where a node says what it declares.
fn declared_at(node: &Node, rule: &NodeRule) -> Span {
    if rule.repeat == Repeat::Once { node.name.span } else { node.label_span() }
}

struct Checker<'g> {
    grammar: &'g Grammar,
    found: Diagnostics,
}

impl Checker<'_> {
    fn siblings(
        &mut self,
        nodes: &[Node],
        rules: Children<'_>,
        parent: Option<(&Node, &'static NodeRule)>,
    ) {
        // By the rule's place in memory: cheaper than its name, and never seen in the output.
        let mut declared: Vec<(usize, &str, &Node, &NodeRule)> = Vec::new();
        for node in nodes {
            if self.found.is_full() {
                return;
            }
            let Some(rule) = rules.get(&node.name.value) else {
                self.unknown_node(node, rules, parent);
                continue;
            };
            self.node(node, rule);
            let label = match rule.repeat {
                Repeat::Once => node.name.value.as_str(),
                // One without a name is a mistake by itself, and no namesake of another.
                Repeat::PerLabel => match node.label() {
                    Some(label) if !label.is_empty() => label,
                    Some(_) | None => continue,
                },
                Repeat::Many => continue,
            };
            declared.push((std::ptr::from_ref(rule).addr(), label, node, rule));
        }
        declared.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        let same = |a: &(usize, &str, &Node, &NodeRule), b: &(usize, &str, &Node, &NodeRule)| {
            (a.0, a.1) == (b.0, b.1)
        };
        for group in declared.chunk_by(same) {
            let Some(((_, _, first, rule), again)) = group.split_first() else { continue };
            for (_, _, node, _) in again {
                self.twice(node, rule, declared_at(node, rule), declared_at(first, rule));
            }
        }
    }

    fn twice(&mut self, node: &Node, rule: &NodeRule, span: Span, first: Span) {
        let kind = &node.name.value;
        let error = if rule.repeat == Repeat::Once {
            Diagnostic::error(codes::REPEATED_NODE, span, format!("`{kind}` stands here twice"))
                .help("keep one of the two")
        } else {
            let label = node.label().unwrap_or_default();
            let message = format!("{kind} \"{label}\" is declared twice");
            Diagnostic::error(codes::DUPLICATE, span, message)
                .help("give one of them another name, or remove it")
        };
        self.found.push(error.at("again").label(first, "first declared here"));
    }

    fn unknown_node(
        &mut self,
        node: &Node,
        rules: Children<'_>,
        parent: Option<(&Node, &'static NodeRule)>,
    ) {
        let name = &node.name.value;
        let names = rules.names();
        let place = match parent {
            Some((parent, _)) => format!(" in `{}`", parent.name.value),
            None => String::new(),
        };
        let message = format!("there is no node `{name}`{place}");
        let error =
            Diagnostic::error(codes::UNKNOWN_NODE, node.name.span, message).at("unknown node");
        let homes = self.grammar.homes(name);
        let is_prop = |(_, rule): &(&Node, &NodeRule)| rule.props.iter().any(|p| p.name == name);
        self.found.push(if let Some((parent, _)) = parent.filter(is_prop) {
            let kind = &parent.name.value;
            error.help(format!("it is a property: write {kind} … {name}=… before the braces"))
        } else if !homes.is_empty() {
            error.help(format!("`{name}` stands {}", homes.join(", or ")))
        } else if let Some(word) = foreign(name).filter(|word| names.contains(word)) {
            let help = format!("envc's word for it is `{word}`");
            Spot::bare(&node.name).replace(error.help(help), word)
        } else {
            let fallback = "nothing may stand inside this node";
            Spot::bare(&node.name).suggest(error, name, names.iter().copied(), fallback)
        });
    }

    fn node(&mut self, node: &Node, rule: &'static NodeRule) {
        if rule.name == "*" && !form::is_identifier(&node.name.value) {
            let message = format!("`{}` cannot be a variable's name", node.name.value);
            self.found.push(
                Diagnostic::error(codes::INVALID_VALUE, node.name.span, message)
                    .help("use letters, digits and _, and begin with a letter or _"),
            );
        }
        self.arguments(node, rule);
        self.properties(node, rule);
        let children = self.grammar.children(rule);
        self.siblings(&node.children, children, Some((node, rule)));
    }

    fn arguments(&mut self, node: &Node, rule: &NodeRule) {
        let words = words(node, rule);
        let mut flags = BTreeSet::new();
        for flag in words.flags {
            if !flags.insert(flag.as_text()) {
                let message = format!("the flag `{}` stands twice", flag.as_text().unwrap_or(""));
                self.found.push(
                    Diagnostic::error(codes::REPEATED_PROPERTY, flag.span, message)
                        .at("again")
                        .help("keep one of the two"),
                );
            }
        }
        for (position, arg) in words.args.iter().enumerate() {
            let last = rule.args.last().filter(|_| rule.variadic);
            match rule.args.get(position).or(last) {
                Some(_) if rule.name == ALLOW.name && is_warning(arg) => {}
                Some(wanted) => self.value(arg, wanted.ty, What::Argument(wanted.name)),
                None => self.extra(node, rule, arg),
            }
        }
        let missing = rule.args.iter().skip(words.args.len()).find(|arg| arg.required);
        if let Some(missing) = missing {
            self.missing_argument(node, rule, missing);
        }
    }

    fn missing_argument(&mut self, node: &Node, rule: &NodeRule, missing: &ArgRule) {
        let message = format!("`{}` stands without its {}", node.name.value, missing.name);
        self.found.push(
            Diagnostic::error(codes::MISSING_ARGUMENT, node.name.span, message)
                .at(format!("needs {}", article(missing)))
                .help(format!("write, for example, {}", rule.example)),
        );
    }

    fn extra(&mut self, node: &Node, rule: &NodeRule, arg: &Scalar) {
        let name = &node.name.value;
        let word = arg.as_text().filter(|_| arg.tag.is_none());
        let flags = rule.flags.iter().map(|flag| flag.name);
        let error = match (&arg.value, word) {
            (ScalarValue::Text { bare: true, .. }, Some(word)) => {
                let message = format!("`{name}` has no flag `{word}`");
                let error = Diagnostic::error(codes::UNKNOWN_FLAG, arg.span, message);
                let error = error.at("unknown flag");
                Spot::scalar(arg).suggest(error, word, flags, "this node has no flags")
            }
            (_, Some(word)) if rule.flags.iter().any(|flag| flag.name == word) => {
                Diagnostic::error(
                    codes::TOO_MANY_ARGUMENTS,
                    arg.span,
                    format!("the flag `{word}` is written in quotes"),
                )
                .help(format!("write {word} without quotes"))
                .fix(arg.span, word)
            }
            _ => {
                let most = rule.args.len();
                let most = match most {
                    0 => "no arguments".to_owned(),
                    1 => "1 argument".to_owned(),
                    more => format!("{more} arguments"),
                };
                let message = format!("`{name}` takes {most}");
                let error = Diagnostic::error(codes::TOO_MANY_ARGUMENTS, arg.span, message)
                    .at("one too many");
                match (lacking(node, rule).as_slice(), &arg.value) {
                    ([], _) if rule.args.is_empty() => {
                        error.help(format!("remove it: `{name}` stands alone")).fix(arg.span, "")
                    }
                    ([], _) => {
                        let help = format!("remove it; for example {}", rule.example);
                        error.help(help).fix(arg.span, "")
                    }
                    ([one], ScalarValue::Text { text, .. }) if !text.contains(['"', '\\']) => {
                        let written = format!("{}=\"{text}\"", one.name);
                        error.help(format!("write {written}")).fix(arg.span, written)
                    }
                    _ => error.help(format!("write, for example, {}", rule.example)),
                }
            }
        };
        self.found.push(error);
    }

    fn properties(&mut self, node: &Node, rule: &'static NodeRule) {
        let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
        for prop in &node.props {
            let name = prop.name.value.as_str();
            if let Some(first) = seen.insert(name, prop.name.span) {
                self.found.push(
                    Diagnostic::error(
                        codes::REPEATED_PROPERTY,
                        prop.name.span,
                        format!("`{name}=` is given twice"),
                    )
                    .at("again")
                    .label(first, "first given here")
                    .help("keep one of the two"),
                );
                continue;
            }
            match rule.props.iter().find(|wanted| wanted.name == name) {
                Some(wanted) => self.value(&prop.value, wanted.ty, What::Property(name)),
                None => self.unknown_property(node, rule, prop),
            }
        }
        if !self.is_patch(node, rule) {
            self.found.extend(missing(node, rule));
        }
    }

    /// A node of an `environment` may leave out what the node that it merges with gives; the
    /// merged node is checked again.
    fn is_patch(&self, node: &Node, rule: &NodeRule) -> bool {
        node.origin.is_some() && !self.grammar.is_existing(rule)
    }

    fn unknown_property(&mut self, node: &Node, rule: &'static NodeRule, prop: &Prop) {
        let name = prop.name.value.as_str();
        let kind = &node.name.value;
        let flag = rule.flags.iter().any(|flag| flag.name == name);
        let child = self.grammar.children(rule).get(name).filter(|child| child.name == name);
        let names = rule.props.iter().map(|prop| prop.name);
        let error = if flag {
            let off = matches!(prop.value.as_bool(), Some(false));
            Diagnostic::error(
                codes::FLAG_AS_PROPERTY,
                prop.name.span,
                format!("`{name}` is a flag of `{kind}`, not a property"),
            )
            .help(format!("write {name} alone, or nothing where it does not hold"))
            .fix(prop.span(), if off { "" } else { name })
        } else {
            let message = format!("`{kind}` has no property `{name}`");
            let error = Diagnostic::error(codes::UNKNOWN_PROPERTY, prop.name.span, message)
                .at("unknown property");
            if let Some(child) = child {
                // A node without arguments says by being there that something holds.
                let bare = child.args.is_empty() && child.props.is_empty();
                let more = if bare { "" } else { " …" };
                let error =
                    error.help(format!("write it inside the braces: {kind} … {{ {name}{more} }}"));
                move_inside(error, node, prop, bare)
            } else {
                // `id=` of a resource is known only to say that it belongs to `existing`.
                let names = names.filter(|name| *name != "id" || self.grammar.is_existing(rule));
                let names: Vec<&str> = names.collect();
                let spot = Spot::bare(&prop.name);
                spot.suggest(error, name, names.iter().copied(), "this node has no properties")
            }
        };
        self.found.push(error);
    }

    fn value(&mut self, scalar: &Scalar, ty: Type, what: What<'_>) {
        let bytes = scalar.as_text().map_or(0, str::len);
        if bytes > limits::TEXT_BYTES_MAX {
            let max = limits::TEXT_BYTES_MAX;
            let message = format!("this text has {bytes} bytes; at most {max} are read");
            let error = Diagnostic::error(codes::TEXT_TOO_LONG, scalar.span, message);
            self.found
                .push(error.help("put long texts into a file, and fill it with a `file` node"));
            return;
        }
        if let Some(mistake) = value::check(scalar, ty, what) {
            self.found.push(mistake);
        }
    }
}

/// The properties that a node lacks.
fn lacking<'r>(node: &Node, rule: &'r NodeRule) -> Vec<&'r PropRule> {
    let lacks = |wanted: &&PropRule| wanted.required && node.prop(wanted.name).is_none();
    rule.props.iter().filter(lacks).collect()
}

/// The properties that a node lacks, as one mistake; none where an argument too many was meant for
/// it, which is told then.
fn missing(node: &Node, rule: &NodeRule) -> Option<Diagnostic> {
    let missing = lacking(node, rule);
    let extra = !rule.variadic && words(node, rule).args.len() > rule.args.len();
    if extra {
        return None;
    }
    let names: Vec<String> = missing.iter().map(|wanted| format!("`{}=`", wanted.name)).collect();
    let hints: Vec<String> = missing
        .iter()
        .map(|wanted| format!("{}= with {}", wanted.name, wanted.ty.expected()))
        .collect();
    let (last, before) = names.split_last()?;
    let names =
        if before.is_empty() { last.clone() } else { format!("{} and {last}", before.join(", ")) };
    let message = format!("{} needs {names}", describe(node));
    let many = if before.is_empty() { "one more property" } else { "more properties" };
    Some(
        Diagnostic::error(codes::MISSING_PROPERTY, node.name.span, message)
            .at(format!("needs {many}"))
            .help(format!("add {}; for example {}", hints.join(", "), rule.example)),
    )
}

/// Properties that a merged node still lacks.
pub(crate) fn missing_after_merge(node: &Node, rule: &NodeRule, found: &mut Diagnostics) {
    found.extend(missing(node, rule));
    for child in &node.children {
        let inner = rule.children.iter().find(|inner| inner.name == child.name.value);
        if let (Some(_), Some(inner)) = (&child.origin, inner) {
            missing_after_merge(child, inner, found);
        }
    }
}

/// The property `name="text"` as a child `{ name "text" }`, where the node has no children yet.
fn move_inside(error: Diagnostic, node: &Node, prop: &Prop, bare: bool) -> Diagnostic {
    let name = &prop.name.value;
    let written = match &prop.value.value {
        _ if prop.value.tag.is_some() => return error,
        ScalarValue::Bool(true) if bare => name.clone(),
        ScalarValue::Text { text, raw: false, .. } if !bare && !text.contains(['"', '\\']) => {
            format!("{name} \"{text}\"")
        }
        _ => return error,
    };
    let error = error.fix(prop.span(), "");
    if let Some(first) = node.children.first() {
        let before = Span::new(first.span.start, first.span.start);
        return error.fix(before, format!("{written} ; "));
    }
    let end = Span::new(node.span.end, node.span.end);
    error.fix(end, format!(" {{ {written} }}"))
}

/// What other tools call a thing, and what envc calls it.
fn foreign(word: &str) -> Option<&'static str> {
    let word = word.trim_end_matches('s');
    let mut kinds = envc_kinds::registry().iter().filter_map(|kind| kind.declared());
    if let Some(kind) = kinds.find(|kind| kind.node().aliases.contains(&word)) {
        return Some(kind.grammar().name);
    }
    Some(match word {
        "env" | "stage" | "extend" => "environment",
        "variable" | "local" | "const" => "let",
        "binding" => "bind",
        "vars" | "variables" => "var",
        "hook" | "command" => "run",
        _ => return None,
    })
}

fn describe(node: &Node) -> String {
    match node.label() {
        Some(label) => format!("{} \"{label}\"", node.name.value),
        None => format!("`{}`", node.name.value),
    }
}

fn article(arg: &ArgRule) -> String {
    match arg.ty {
        Type::Text | Type::PrivateText | Type::NameText | Type::Plain => "a text".into(),
        Type::Label
        | Type::Identifier
        | Type::Path
        | Type::Resource(_)
        | Type::Bool
        | Type::Int(..)
        | Type::Duration
        | Type::OneOf(_)
        | Type::Credential
        | Type::Ports
        | Type::Date
        | Type::Url
        | Type::Version => arg.ty.expected(),
    }
}
