//! How the node of a Worker becomes a [`Worker`].

use envc_core::{Diagnostic, Input, KindId, Part, SEPARATOR, Text};
use envc_syntax::{Node, Prop, Scalar};

use super::{
    Binding, Consumer, Deploy, DoMigration, DurableObject, Worker, check, classes, grammar,
};
use crate::{Lower, NameRule, bindables, is_marked, parts};

/// The script of a Worker: part of host names, so that it has at most 63 characters.
pub(super) static NAME: NameRule = NameRule {
    chars: "lower-case letters, digits, - and _, without a - at either end",
    first: |c| c != '-',
    rest: |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_',
    last: |c| c != '-',
    min: 1,
    max: 63,
};

impl Worker {
    /// Reads a node; mistakes are reported.
    pub fn read(node: &Node, cx: &mut dyn Lower) -> Self {
        let name = node.label().unwrap_or_default().to_owned();
        let script = cx.physical_name(node);
        check_script(&script, node, cx);
        check::check(node, cx);
        classes::check(node, cx);
        let deploy = deploy(node);
        let all = |word| node.children_named(word);
        let texts =
            |list: &Node| list.args.iter().filter_map(Scalar::as_text).map(str::to_owned).collect();
        Self {
            script,
            default_name: node.prop("name").is_none(),
            marker: is_marked(node).then(|| cx.marker(&name).to_string()),
            path: text_prop(node, "path").unwrap_or_default(),
            template: node.child("template").and_then(Node::label).map(str::to_owned),
            main: text_prop(node, "main"),
            compatibility_date: text_prop(node, "compatibility-date"),
            compatibility_flags: node.child("compatibility-flags").map(texts).unwrap_or_default(),
            port: cx.port(&name),
            bindings: all("bind").filter_map(|bind| binding(bind, cx)).collect(),
            vars: all("var").filter_map(|var| variable(var, cx)).collect(),
            secrets: all("secret")
                .filter_map(|it| Some((it.label()?.to_owned(), secret(it, cx))))
                .collect(),
            consumers: all("consume").filter_map(|one| consumer(one, cx)).collect(),
            durable_objects: all("durable-object")
                .filter_map(|object| durable_object(object, cx))
                .collect(),
            migrations: migrations(node, cx),
            crons: all("cron").filter_map(Node::label).map(str::to_owned).collect(),
            routes: all("route").filter_map(|it| cx.pattern(it.args.first()?)).collect(),
            domains: all("domain").filter_map(|it| cx.host(it.args.first()?)).collect(),
            deploy,
            span: node.label_span(),
            name,
        }
    }
}

fn check_script(script: &str, node: &Node, cx: &mut dyn Lower) {
    let span = node.prop("name").map_or(node.label_span(), |scalar| scalar.span);
    // Internationalised host names begin with two characters and two dashes.
    if is_on_workers_dev(node) && script.find(SEPARATOR) == Some(2) {
        let message = format!("`{script}` cannot be a host name on workers.dev");
        cx.report(
            Diagnostic::error("envc::spec::reserved_name", span, message)
                .at("two characters and `--` are reserved there")
                .help(
                    "give the project a short form of another length, such as short=\"shp\", \
                     or give the Worker a `route` or a `domain`",
                ),
        );
    }
    parts::check_name(script, node, cx, &NAME, "a Worker's script");
}

fn binding(node: &Node, cx: &mut dyn Lower) -> Option<Binding> {
    let words = || bindables().map(|(kind, _)| kind.grammar().name);
    let [prop] = node.props.as_slice() else {
        let name = node.label().unwrap_or_default();
        let count = if node.props.is_empty() { "no resource" } else { "several resources" };
        let message = format!("binding \"{name}\" names {count}");
        let kinds: Vec<String> = words().map(|word| format!("{word}=")).collect();
        cx.report(
            Diagnostic::error("envc::spec::binding_target", node.span, message)
                .at("needs exactly one")
                .help(format!(
                    "give one of {}; for example {}",
                    kinds.join(" "),
                    grammar::BIND_EXAMPLE
                )),
        );
        return None;
    };
    let kind = KindId::parse(&prop.name.value)?;
    let wanted = prop.value.as_text()?;
    if cx.place_of(kind.as_str(), wanted).is_none()
        && let Some(other) = words().find(|word| cx.place_of(word, wanted).is_some())
    {
        of_another_kind(prop, other, cx);
        return None;
    }
    let target = cx.target(kind, &prop.value)?;
    Some(Binding { name: node.label()?.to_owned(), target, span: node.span })
}

/// Reports a binding to a resource that is declared as another kind.
fn of_another_kind(prop: &Prop, other: &str, cx: &mut dyn Lower) {
    let kind = &prop.name.value;
    let name = prop.value.as_text().unwrap_or_default();
    let place = cx.place_of(other, name).unwrap_or(prop.value.span);
    let message = format!("there is no {kind} \"{name}\", but a {other} of that name");
    let written = format!("{other}=\"{name}\"");
    cx.report(
        Diagnostic::error("envc::spec::unknown_reference", prop.value.span, message)
            .at("not declared")
            .label(place, format!("a {other}"))
            .help(format!("write {written}"))
            .fix(prop.span(), written),
    );
}

fn variable(node: &Node, cx: &mut dyn Lower) -> Option<(String, Text)> {
    // Where the word `var` stands, if that is its only place.
    let word = node.origin.is_none().then_some(node.name.span);
    let text = cx.variable(node.args.get(1)?, word);
    Some((node.label()?.to_owned(), text))
}

fn secret(node: &Node, cx: &mut dyn Lower) -> Text {
    if let Some(scalar) = node.args.get(1) {
        return cx.private_text(scalar);
    }
    let name = node.label().unwrap_or_default().to_owned();
    Text { parts: vec![Part::In(Input::Secret(name))] }
}

fn consumer(node: &Node, cx: &mut dyn Lower) -> Option<Consumer> {
    let queue = cx.target(KindId::Queue, node.args.first()?);
    let dead_letter = node.prop("dead-letter").and_then(|scalar| cx.target(KindId::Queue, scalar));
    let number = |name| node.prop(name).and_then(Scalar::as_int);
    Some(Consumer {
        queue: queue?,
        batch_size: number("batch-size"),
        max_batch_timeout_s: number("max-batch-timeout"),
        max_retries: number("max-retries"),
        max_concurrency: number("max-concurrency"),
        retry_delay_s: number("retry-delay"),
        dead_letter,
        queue_span: node.label_span(),
        span: node.span,
    })
}

fn durable_object(node: &Node, cx: &mut dyn Lower) -> Option<DurableObject> {
    let other = node.prop("worker").and_then(|scalar| cx.target(KindId::Worker, scalar));
    let script = other.and_then(|other| cx.name_of(&other));
    let class = text_prop(node, "class")?;
    Some(DurableObject { name: node.label()?.to_owned(), class, script })
}

fn migrations(worker: &Node, cx: &mut dyn Lower) -> Vec<DoMigration> {
    let mut tags = std::collections::BTreeMap::new();
    let mut out = Vec::new();
    for node in worker.children_named("migration") {
        let migration = migration(node);
        if let Some(first) = tags.insert(migration.tag.clone(), node.span) {
            let message = format!("two migrations have the tag \"{}\"", migration.tag);
            cx.report(
                Diagnostic::error("envc::spec::duplicate", node.span, message)
                    .at("again")
                    .label(first, "first used here")
                    .help("give each migration a tag of its own"),
            );
        }
        out.push(migration);
    }
    out
}

fn migration(node: &Node) -> DoMigration {
    let classes = |name| {
        let args = node.child(name).map(|list| list.args.as_slice()).unwrap_or_default();
        args.iter().filter_map(Scalar::as_text).map(str::to_owned).collect()
    };
    DoMigration {
        tag: text_prop(node, "tag").unwrap_or_default(),
        new_sqlite_classes: classes("new-sqlite-classes"),
        new_classes: classes("new-classes"),
        deleted_classes: classes("deleted-classes"),
        renamed_classes: node
            .children_named("renamed-class")
            .filter_map(|child| Some((text_prop(child, "from")?, text_prop(child, "to")?)))
            .collect(),
    }
}

/// True for a Worker that gets a host on workers.dev: wrangler gives it one where the
/// configuration names no route. What a template writes is not known here, and an upload through
/// the API has none.
fn is_on_workers_dev(node: &Node) -> bool {
    deploy(node) == Deploy::External
        && node.child("template").is_none()
        && !node.children.iter().any(is_route)
}

/// True for the nodes of a Worker that give it a public address.
pub(super) fn is_route(node: &Node) -> bool {
    matches!(node.name.value.as_str(), "route" | "domain")
}

fn text_prop(node: &Node, name: &str) -> Option<String> {
    node.prop(name).and_then(Scalar::as_text).map(str::to_owned)
}

fn deploy(node: &Node) -> Deploy {
    match node.prop("deploy").and_then(Scalar::as_text) {
        Some("placeholder") => Deploy::Placeholder,
        Some("bundle") => Deploy::Bundle(text_prop(node, "bundle").unwrap_or_default()),
        _ => Deploy::External,
    }
}
