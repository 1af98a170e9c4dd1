//! What is known of each type before it is resolved.

use std::collections::BTreeMap;

use envc_core::{Diagnostic, Diagnostics, RepositoryDigest, SEPARATOR, Span, limits};
use envc_syntax::{Document, Node, Scalar, ScalarValue};

use crate::{
    Identity, Instance, TypeHead, When, codes,
    grammar::IDENTITY_WORD,
    identity_from_branch,
    merge::Merged,
    name_parts,
    refs::Purpose,
    resolver::{Given, Resolver, port_ranges},
    suggest::{Spot, nearest},
};

/// Characters of a branch when `max-length=` is left out.
const BRANCH_CHARS: usize = 20;
/// Stands for the ID and the pull request while an identity's pattern is read; no spec holds it.
const ID_SENTINEL: &str = "\u{1}";

/// The blocks of each type, from the one that nothing is inherited from to the type's own.
pub(crate) fn chains<'a>(
    document: &'a Document,
    found: &mut Diagnostics,
) -> Vec<(&'a Node, Vec<&'a Node>)> {
    let blocks: BTreeMap<&str, &Node> = document
        .nodes
        .iter()
        .filter(|node| node.name.value == "environment")
        .filter_map(|node| Some((node.label()?, node)))
        .collect();
    let mut out = Vec::new();
    for node in document.nodes.iter().filter(|node| node.name.value == "environment") {
        if let Some(chain) = chain(node, &blocks, found) {
            out.push((node, chain));
        }
    }
    out
}

fn chain<'a>(
    node: &'a Node,
    blocks: &BTreeMap<&str, &'a Node>,
    found: &mut Diagnostics,
) -> Option<Vec<&'a Node>> {
    let mut chain = vec![node];
    let mut current = node;
    while let Some(scalar) = current.prop("extends") {
        let base = scalar.as_text()?;
        let Some(next) = blocks.get(base) else {
            let message = format!("there is no environment \"{base}\"");
            let error =
                Diagnostic::error(codes::UNKNOWN_TYPE, scalar.span, message).at("not declared");
            let known = blocks.keys().copied();
            found.push(Spot::scalar(scalar).suggest(error, base, known, ""));
            return None;
        };
        if let Some(from) = chain.iter().position(|known| std::ptr::eq(*known, *next)) {
            // Each cycle is reported once: at the type that is declared first.
            let cycle: Vec<&str> =
                chain.iter().skip(from).filter_map(|node| node.label()).chain([base]).collect();
            let first = chain.iter().skip(from).all(|other| node.span.start <= other.span.start);
            if from == 0 && first {
                let message = format!("types extend one another: {}", cycle.join(" → "));
                found.push(
                    Diagnostic::error(codes::EXTENDS_CYCLE, scalar.span, message)
                        .at("closes the cycle")
                        .help("remove one `extends=`"),
                );
            }
            return None;
        }
        chain.push(next);
        current = next;
    }
    chain.reverse();
    Some(chain)
}

/// Reads the head of a type.
pub(crate) fn head(
    block: &Node,
    merged: &Merged<'_>,
    project: &str,
    zone: Option<&str>,
    found: &mut Diagnostics,
) -> Option<TypeHead> {
    let name = block.label()?.to_owned();
    let when = merged.single("when").and_then(Node::label).map(|word| match word {
        "pr" => When::Pr,
        _ => When::Worktree,
    });
    let identity = identity(block, merged, project, zone, found)?;
    // Collisions of ports are reported when the type is resolved.
    let ports = port_ranges(merged, &mut Diagnostics::new());
    Some(TypeHead {
        default: block.has_flag("default"),
        when,
        identity,
        protect: merged.single("protect").is_some(),
        ports: ports.into_iter().map(|(name, range)| (name.to_owned(), range)).collect(),
        span: block.label_span(),
        name,
    })
}

fn identity(
    block: &Node,
    merged: &Merged<'_>,
    project: &str,
    zone: Option<&str>,
    found: &mut Diagnostics,
) -> Option<Identity> {
    let type_name = block.label()?;
    let Some(node) = merged.single("identity") else {
        if block.prop("extends").is_some() {
            return None; // said of the type that it continues, which has none either
        }
        let message = format!("environment \"{type_name}\" has no identity");
        found.push(
            Diagnostic::error(codes::MISSING_IDENTITY, block.label_span(), message).help(format!(
                "add identity \"{type_name}\" for one shared environment, or identity branch max-length=20 unique for one per working copy"
            )),
        );
        return None;
    };
    let scalar = node.args.iter().find(|arg| !is_word(arg, "unique"))?;
    if is_word(scalar, IDENTITY_WORD) {
        return branch(node, found);
    }
    if let ScalarValue::Text { text, bare: true, .. } = &scalar.value {
        found.push(misspelt(scalar, text));
        return None;
    }
    if let Some(place) = mixed(node) {
        let message = "`max-length=` and `unique` belong to `identity branch`";
        found.push(
            Diagnostic::error(codes::INVALID_IDENTITY, place, message)
                .help("write identity branch max-length=20 unique, or the text alone"),
        );
        return None;
    }
    text(scalar, type_name, merged, project, zone, found)
}

/// A bare word that is not `branch`: text stands in quotes.
fn misspelt(scalar: &Scalar, text: &str) -> Diagnostic {
    let message = format!("`{text}` is no way to come by an ID");
    let error = Diagnostic::error(codes::INVALID_IDENTITY, scalar.span, message).at("a bare word");
    if nearest(text, [IDENTITY_WORD]).is_some() {
        let error = error.help(format!("did you mean `{IDENTITY_WORD}`?"));
        Spot::scalar(scalar).replace(error, IDENTITY_WORD)
    } else {
        error
            .help(format!("write \"{text}\" in quotes for a fixed ID, or the word {IDENTITY_WORD}"))
            .fix(scalar.span, format!("\"{text}\""))
    }
}

fn mixed(node: &Node) -> Option<Span> {
    let prop = node.props.first().map(|prop| prop.name.span);
    prop.or_else(|| node.args.iter().find(|arg| is_word(arg, "unique")).map(|arg| arg.span))
}

fn is_word(scalar: &Scalar, word: &str) -> bool {
    matches!(&scalar.value, ScalarValue::Text { text, bare: true, .. } if text == word)
}

fn branch(node: &Node, found: &mut Diagnostics) -> Option<Identity> {
    let unique = node.has_flag("unique");
    let given = node.prop("max-length");
    let max_length = given
        .and_then(Scalar::as_int)
        .and_then(|length| usize::try_from(length).ok())
        .unwrap_or(BRANCH_CHARS);
    let extra = if unique { limits::ID_UNIQUE_CHARS } else { 0 };
    let most = limits::ID_CHARS_MAX - extra;
    if max_length > most {
        let message = format!(
            "an ID has at most {} characters, and `unique` adds {extra}",
            limits::ID_CHARS_MAX
        );
        let span = given.map_or(node.span, |scalar| scalar.span);
        found.push(
            Diagnostic::error(codes::INVALID_IDENTITY, span, message)
                .at("too long")
                .help(format!("write max-length={most} or less")),
        );
        return None;
    }
    let least = limits::BRANCH_ID_CHARS_MIN;
    if !unique && max_length < least {
        let message = format!(
            "without `unique` an ID needs {least} characters: a digest keeps long branches apart"
        );
        let span = given.map_or(node.span, |scalar| scalar.span);
        found.push(
            Diagnostic::error(codes::INVALID_IDENTITY, span, message)
                .at("too short")
                .help(format!("write max-length={least} or more, or add `unique`")),
        );
        return None;
    }
    Some(Identity::Branch { max_length, unique })
}

/// Resolves a fixed identity as far as it goes: only the pull request stays open.
fn text(
    scalar: &Scalar,
    type_name: &str,
    merged: &Merged<'_>,
    project: &str,
    zone: Option<&str>,
    found: &mut Diagnostics,
) -> Option<Identity> {
    let read = |pr: u32, found: &mut Diagnostics| {
        let instance = Instance {
            id: ID_SENTINEL.into(),
            branch: None,
            pr: Some(pr),
            sha: None,
            ports: BTreeMap::new(),
            local_cloud: false,
            repository: RepositoryDigest::UNKNOWN,
        };
        let given = Given {
            project,
            prefix: project,
            zone,
            type_name,
            instance: &instance,
            fixed: true,
            protect: false,
            per_pr: true,
            merged,
        };
        let mut resolver = Resolver::new(given);
        resolver.found = Diagnostics::new();
        let read = resolver.resolve(scalar, Purpose::Name);
        let text = read.text.as_literal().filter(|_| !read.broken).map(str::to_owned);
        found.extend(resolver.found);
        text
    };
    // Two readings tell whether the pull request is part of it, and where.
    let low = read(1_111_111_111, found)?;
    let high = read(4_222_222_222, found)?;
    let mistake = |message: String| {
        Diagnostic::error(codes::INVALID_IDENTITY, scalar.span, message).help(
            "use a-z, 0-9 and -, at most 40 characters, with a letter or a digit at both ends",
        )
    };
    if high.contains(ID_SENTINEL) {
        found.push(mistake("an identity cannot refer to itself".into()).help(
            "an identity may hold {project} {zone} {env.type} {env.pr}; for one ID per working copy write identity branch max-length=20 unique",
        ));
        return None;
    }
    let per_pr = low != high;
    if high.contains(SEPARATOR) {
        found.push(two_dashes(scalar, &high.replace("4222222222", "{env.pr}")));
        return None;
    }
    let good = high.len() <= limits::ID_CHARS_MAX
        && !high.is_empty()
        && !high.starts_with('-')
        && !high.ends_with('-')
        && high.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if !good {
        let shown = high.replace("4222222222", "{env.pr}");
        let error = mistake(format!("`{shown}` cannot be the ID of an environment"));
        found.push(match near_id(scalar) {
            Some(near) => error
                .help(format!("write \"{near}\": use a-z, 0-9 and -, at most 40 characters"))
                .fix(scalar.span, format!("\"{near}\"")),
            None => error,
        });
        return None;
    }
    let pattern = if per_pr { high.replace("4222222222", "{env.pr}") } else { high };
    Some(Identity::Text { pattern, per_pr })
}

/// An ID that holds what separates the parts of a name.
fn two_dashes(scalar: &Scalar, shown: &str) -> Diagnostic {
    let error = name_parts::mistake(scalar.span, format!("the ID `{shown}` holds `--`"));
    name_parts::with_fix(error, scalar)
}

/// The ID that a text without references was meant to be, where it is one.
fn near_id(scalar: &Scalar) -> Option<String> {
    let text = scalar.as_text().filter(|text| !text.contains(['{', '}']))?;
    let id = identity_from_branch(Some(text), limits::ID_CHARS_MAX);
    (id != text && text.chars().any(char::is_alphanumeric)).then_some(id)
}
