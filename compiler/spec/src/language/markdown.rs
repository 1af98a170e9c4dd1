//! The generated parts of `specs/LANGUAGE.md`. What a person writes between them is left alone.

use std::fmt::Write as _;

use envc_core::KindId;

use super::{
    Language, NodeDoc, PropertyDoc,
    forms::PLACES,
    kinds_of_values::{TypeDoc, ValueType},
    language,
    nodes::TOP,
};

const BEGIN: &str = "<!-- begin generated: ";
const END: &str = "<!-- end generated -->";

/// A page that cannot be filled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// A marker names no part.
    #[error("there is no part `{0}`: write contents, values, references, names, limits or nodes")]
    Unknown(String),
    /// A part is never closed.
    #[error("the part `{0}` has no `{END}`")]
    Unclosed(String),
}

/// Fills the parts of a page between `<!-- begin generated: PART -->` and
/// `<!-- end generated -->`; everything else stays as it is.
pub fn fill(page: &str) -> Result<String, PageError> {
    let language = language();
    let filled = parts(page, &|part, _| match part {
        "contents" => Some(String::new()),
        "values" => Some(values(&language)),
        "references" => Some(references(&language)),
        "names" => Some(names(&language)),
        "limits" => Some(limits(&language)),
        "nodes" => Some(nodes(&language)),
        _ => None,
    })?;
    // Last, because it lists the headings of the others.
    let contents = contents(&filled);
    parts(&filled, &|part, old| {
        Some(if part == "contents" { contents.clone() } else { old.to_owned() })
    })
}

/// Replaces what stands between markers by what `text` gives for the part and its old text.
fn parts(page: &str, text: &dyn Fn(&str, &str) -> Option<String>) -> Result<String, PageError> {
    let mut out = String::new();
    let mut rest = page;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (part, after) =
            after.split_once(" -->\n").ok_or_else(|| PageError::Unclosed(after.to_owned()))?;
        let (old, after) =
            after.split_once(END).ok_or_else(|| PageError::Unclosed(part.to_owned()))?;
        let new = text(part, old).ok_or_else(|| PageError::Unknown(part.to_owned()))?;
        out.push_str(before);
        put(&mut out, format_args!("{BEGIN}{part} -->\n{new}{END}"));
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// Writing to a text cannot fail.
fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _written = out.write_fmt(text);
}

/// The headings of the second and third level, as links.
fn contents(page: &str) -> String {
    let mut out = String::from("\n");
    let mut code = false;
    for line in page.lines() {
        code ^= line.starts_with("```");
        let (indent, title) = match (line.strip_prefix("## "), line.strip_prefix("### ")) {
            _ if code => continue,
            (Some(title), _) => ("", title),
            (None, Some(title)) => ("  ", title),
            (None, None) => continue,
        };
        put(&mut out, format_args!("{indent}- [{title}](#{})\n", anchor(title)));
    }
    out.push('\n');
    out
}

/// The anchor that GitHub and others give a heading.
fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

fn values(language: &Language) -> String {
    let mut out = String::from("\n| value | such as | what it takes |\n|---|---|---|\n");
    for TypeDoc { word, doc, example, .. } in &language.types {
        put(&mut out, format_args!("| {word} | `{example}` | {doc} |\n"));
    }
    out.push('\n');
    out
}

fn references(language: &Language) -> String {
    let mut out = String::from(
        "\n| reference | gives | in names | in a `service` | in public | in private |\n\
         |---|---|---|---|---|---|\n",
    );
    for one in &language.references {
        put(&mut out, format_args!("| `{}` | {} |", one.form, one.doc));
        for place in PLACES {
            let yes = if one.stands_in.contains(&place) { "yes" } else { "no" };
            put(&mut out, format_args!(" {yes} |"));
        }
        out.push('\n');
    }
    out.push('\n');
    out
}

fn names(language: &Language) -> String {
    let mut out = String::from("\n| name of | characters | how many |\n|---|---|---|\n");
    for one in &language.names {
        put(
            &mut out,
            format_args!("| {} | {} | {} to {} |\n", one.of, one.chars, one.min, one.max),
        );
    }
    out.push('\n');
    out
}

fn limits(language: &Language) -> String {
    let mut out = String::from("\n| of | at most | beyond it |\n|---|---|---|\n");
    for one in &language.limits {
        let slug = one.code.rsplit("::").next().unwrap_or_default();
        put(
            &mut out,
            format_args!("| {} | {} | [`{slug}`](codes/{slug}.md) |\n", one.of, digits(one.max)),
        );
    }
    out.push('\n');
    out
}

/// A number with commas between its thousands.
fn digits(number: usize) -> String {
    let text = number.to_string();
    let mut out = String::new();
    for (at, digit) in text.chars().enumerate() {
        if at > 0 && (text.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn nodes(language: &Language) -> String {
    let mut out = String::from("\n");
    for chapter in &language.chapters {
        put(&mut out, format_args!("## {}\n\n", chapter.title));
        for id in &chapter.nodes {
            let below = format!("{id}/");
            let of =
                language.nodes.iter().filter(|one| one.id == *id || one.id.starts_with(&below));
            of.for_each(|one| node(language, one, &mut out));
        }
    }
    out
}

/// A node's heading; what other headings link to.
pub(super) fn heading(node: &NodeDoc) -> String {
    let name = if node.name == "*" { "Any name".into() } else { format!("`{}`", node.name) };
    let parents: Vec<String> =
        node.id.rsplit('/').skip(1).map(|parent| format!(" in `{parent}`")).collect();
    format!("{name}{}", parents.concat())
}

fn node(language: &Language, node: &NodeDoc, out: &mut String) {
    let inside = node.id.contains('/');
    put(
        out,
        format_args!("{} {}\n\n{}", if inside { "####" } else { "###" }, heading(node), node.doc),
    );
    if let Some(absent) = node.absent {
        put(out, format_args!(" Without it: {}", lower_first(absent)));
    }
    put(out, format_args!("\n\n*{}.*\n\n", place(node)));
    table(node, out);
    for note in node.notes {
        put(out, format_args!("- {note}\n"));
    }
    if !node.children.is_empty() && node.name != "environment" {
        put(out, format_args!("- Inside: {}.\n", children(node)));
    }
    if !node.outputs.is_empty() {
        let forms = node.outputs.iter().map(|one| format!("`{{{}.NAME.{}}}`", node.name, one.word));
        put(out, format_args!("- Gives {}.\n", forms.collect::<Vec<_>>().join(", ")));
    }
    let bullets = !node.notes.is_empty() || !node.children.is_empty() || !node.outputs.is_empty();
    let gap = if bullets { "\n" } else { "" };
    let example = example(language, node);
    // Laid out as `envc fmt` does it; an example that cannot be read fails its test.
    let example = envc_syntax::format(&example).unwrap_or(example);
    put(out, format_args!("{gap}```kdl\n{}\n```\n\n", example.trim_end()));
}

/// Comes before an example that works on what an earlier migration made.
const EARLIER: &str = "migration tag=\"v0\" {\n    new-sqlite-classes \"Room\"\n}\n";

/// The example of a node, inside the heads of the nodes that it stands in.
fn example(language: &Language, node: &NodeDoc) -> String {
    let Some((parent, _)) = node.id.rsplit_once('/') else { return node.example.to_owned() };
    let mut text = node.example.to_owned();
    // What its node needs besides stands beside it.
    let kind = KindId::parse(parent).and_then(envc_kinds::declared);
    let needed = kind.and_then(|kind| kind.node().sample.split_once(" { "));
    let needed = needed.map(|(_, body)| body.trim_end_matches(" }"));
    if let Some(needed) = needed.filter(|body| !body.starts_with(node.name)) {
        text = format!("{needed}\n{text}");
    }
    let mut above = Some(parent);
    while let Some(parent) = above.and_then(|id| language.node(id)) {
        let head = parent.example.split(" {").next().unwrap_or_default();
        text = format!("{head} {{\n    {}\n}}", text.replace('\n', "\n    "));
        let works_on_others = matches!(node.name, "deleted-classes" | "renamed-class");
        if works_on_others && parent.name == "migration" {
            text.insert_str(0, EARLIER);
        }
        above = parent.id.rsplit_once('/').map(|(parent, _)| parent);
    }
    text
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    let end = if text.ends_with(['.', '!']) { "" } else { "." };
    first.into_iter().chain(chars).chain(end.chars()).collect()
}

/// Where it stands, how often, and how it merges, in one line.
fn place(node: &NodeDoc) -> String {
    let places = node.stands_in.iter().map(|place| {
        if place == TOP {
            "at the top".to_owned()
        } else {
            let parents: Vec<String> =
                place.rsplit('/').map(|parent| format!("`{parent}`")).collect();
            format!("in {}", parents.join(" of "))
        }
    });
    let places = places.collect::<Vec<_>>().join(" and ");
    let often = match node.repeat {
        "once" if node.name == "*" => "once for each name",
        "once" => "once",
        "once_per_name" => "once for each name",
        _ => "any number of times",
    };
    let merges = match node.merges {
        Some(word) => format!("; merges {}", word.replace('_', " ")),
        None => String::new(),
    };
    let mut text = format!("{places}, {often}{merges}");
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

fn children(node: &NodeDoc) -> String {
    let names = node.children.iter().map(|id| {
        let name = id.rsplit('/').next().unwrap_or_default();
        if name == "*" { "any name".to_owned() } else { format!("`{name}`") }
    });
    names.collect::<Vec<_>>().join(", ")
}

fn table(node: &NodeDoc, out: &mut String) {
    if node.arguments.is_empty() && node.flags.is_empty() && node.properties.is_empty() {
        return;
    }
    out.push_str("| | takes | left out | |\n|---|---|---|---|\n");
    let last = node.arguments.len();
    for (position, one) in node.arguments.iter().enumerate() {
        let more = if node.variadic && position + 1 == last { " …" } else { "" };
        let needed = if one.required { "needed" } else { "possible" };
        let takes = takes(&one.ty);
        put(out, format_args!("| {}{more} | {takes} | {needed} | {} |\n", one.name, one.doc));
    }
    for one in &node.flags {
        put(out, format_args!("| `{}` | flag | | {} |\n", one.name, one.doc));
    }
    for one in &node.properties {
        let takes = takes(&one.ty);
        put(
            out,
            format_args!(
                "| `{}=` | {takes} | {} | {}{} |\n",
                one.name,
                left_out(one),
                one.doc,
                change(one)
            ),
        );
    }
    out.push('\n');
}

fn left_out(property: &PropertyDoc) -> String {
    match (property.default, property.otherwise) {
        _ if property.required => "needed".into(),
        (Some(value), _) => format!("`{value}`"),
        (None, words) => words.unwrap_or_default().into(),
    }
}

fn change(property: &PropertyDoc) -> &'static str {
    match property.change {
        Some("in_place") => " Changed in place.",
        Some("replace") => " Another value is another resource.",
        Some("create_only") => " Counts at creation only.",
        _ => "",
    }
}

fn takes(ty: &ValueType) -> String {
    match (ty.of, ty.min.zip(ty.max)) {
        (Some(of), _) => format!("name of a `{of}`"),
        (None, Some((min, max))) => format!("number, {min} to {max}"),
        (None, None) if !ty.choices.is_empty() => {
            let words = ty.choices.iter().map(|word| format!("`{word}`"));
            words.collect::<Vec<_>>().join(" ")
        }
        (None, None) => ty.word.to_owned(),
    }
}
