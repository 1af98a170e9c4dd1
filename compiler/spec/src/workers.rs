//! Workers: bindings, variables, consumers, Durable Objects.

use envc_core::{Address, Diagnostic, Input, KindId, Part, Text};
use envc_kinds::{SCRIPT_NAME, is_marked};
use envc_syntax::{Node, Prop, Scalar};

use crate::{
    Binding, Consumer, Deploy, DoMigration, DurableObject, Later, Worker, codes,
    grammar::BIND,
    name_parts,
    refs::Place,
    scope::{Scope, is_route},
    suggest::Spot,
};

impl Scope<'_> {
    /// Resolves a worker.
    pub(crate) fn worker(&mut self, node: &Node, later: &mut Vec<Later>) -> Worker {
        let name = node.label().unwrap_or_default().to_owned();
        let script = self.named(node).unwrap_or_default();
        self.check_script(&script, node);
        self.check_worker(node);
        let range = self.ports.get(name.as_str()).copied();
        let assigned = self.given.instance.ports.get(&name).copied();
        let deploy = deploy(node);
        later_of(node, &deploy, later);
        Worker {
            script,
            default_name: node.prop("name").is_none(),
            marker: is_marked(node).then(|| self.marker(&name).to_string()),
            path: text_prop(node, "path").unwrap_or_default(),
            template: node.child("template").and_then(Node::label).map(str::to_owned),
            main: text_prop(node, "main"),
            compatibility_date: text_prop(node, "compatibility-date"),
            compatibility_flags: node
                .child("compatibility-flags")
                .map(|flags| {
                    flags.args.iter().filter_map(Scalar::as_text).map(str::to_owned).collect()
                })
                .unwrap_or_default(),
            port: range.map(|range| assigned.unwrap_or(range.first)),
            bindings: node.children_named("bind").filter_map(|bind| self.binding(bind)).collect(),
            vars: node
                .children_named("var")
                .filter_map(|var| {
                    let word = var.origin.is_none().then_some(var.name.span);
                    let text = self.resolve(var.args.get(1)?, Place::Var(word)).text;
                    Some((var.label()?.to_owned(), text))
                })
                .collect(),
            secrets: node
                .children_named("secret")
                .filter_map(|secret| Some((secret.label()?.to_owned(), self.secret(secret))))
                .collect(),
            consumers: node
                .children_named("consume")
                .filter_map(|one| self.consumer(one))
                .collect(),
            durable_objects: node
                .children_named("durable-object")
                .filter_map(|object| self.durable_object(object))
                .collect(),
            migrations: self.migrations(node),
            crons: node.children_named("cron").filter_map(Node::label).map(str::to_owned).collect(),
            routes: self.patterns(node, "route"),
            domains: self.patterns(node, "domain"),
            deploy,
            span: node.label_span(),
            name,
        }
    }

    /// Script names: at most 63 characters, because they are part of host names.
    fn check_script(&mut self, script: &str, node: &Node) {
        let span = node.prop("name").map_or(node.label_span(), |scalar| scalar.span);
        if is_on_workers_dev(node) && name_parts::is_reserved(script) {
            let message = format!("`{script}` cannot be a host name on workers.dev");
            self.error(
                Diagnostic::error(codes::RESERVED_NAME, span, message)
                    .at("two characters and `--` are reserved there")
                    .help(
                        "give the project a short form of another length, such as short=\"shp\", \
                         or give the Worker a `route` or a `domain`",
                    ),
            );
        }
        let problem = match SCRIPT_NAME.too_many(script) {
            Some(length) => Some(self.too_long(node, length, SCRIPT_NAME.max)),
            None => SCRIPT_NAME.problem(script),
        };
        if let Some(problem) = problem.filter(|_| !script.is_empty()) {
            let message =
                format!("`{script}` cannot be the name of a Worker's script: it {}", problem.what);
            self.error(
                Diagnostic::error(codes::BAD_NAME, span, message)
                    .at("gives that name")
                    .help(problem.help),
            );
        }
    }

    /// The declared resource of a kind; a mistake is reported.
    fn target(&mut self, kind: KindId, scalar: &Scalar) -> Option<Address> {
        let name = scalar.as_text()?;
        if self.given.merged.get(kind.as_str(), name).is_none() {
            self.undeclared(kind.as_str(), name, &Spot::scalar(scalar));
            return None;
        }
        Some(Address::new(kind, name))
    }

    fn binding(&mut self, node: &Node) -> Option<Binding> {
        let [prop] = node.props.as_slice() else {
            let name = node.label().unwrap_or_default();
            let count = if node.props.is_empty() { "no resource" } else { "several resources" };
            let message = format!("binding \"{name}\" names {count}");
            let kinds: Vec<String> =
                BIND.props.iter().map(|kind| format!("{}=", kind.name)).collect();
            self.error(
                Diagnostic::error(codes::BINDING_TARGET, node.span, message)
                    .at("needs exactly one")
                    .help(format!("give one of {}; for example {}", kinds.join(" "), BIND.example)),
            );
            return None;
        };
        let kind = KindId::parse(&prop.name.value)?;
        let wanted = prop.value.as_text()?;
        let merged = self.given.merged;
        let declared = merged.get(kind.as_str(), wanted).is_some();
        let mut others = BIND.props.iter().map(|other| other.name);
        if let Some(other) = others.find(|other| !declared && merged.get(other, wanted).is_some()) {
            self.of_another_kind(prop, other);
            return None;
        }
        let target = self.target(kind, &prop.value)?;
        Some(Binding { name: node.label()?.to_owned(), target, span: node.span })
    }

    /// Reports a binding to a resource that is declared as another kind.
    fn of_another_kind(&mut self, prop: &Prop, other: &str) {
        let kind = &prop.name.value;
        let name = prop.value.as_text().unwrap_or_default();
        let place = self.given.merged.get(other, name).map_or(prop.value.span, Node::label_span);
        let message = format!("there is no {kind} \"{name}\", but a {other} of that name");
        let written = format!("{other}=\"{name}\"");
        self.error(
            Diagnostic::error(codes::UNKNOWN_REFERENCE, prop.value.span, message)
                .at("not declared")
                .label(place, format!("a {other}"))
                .help(format!("write {written}"))
                .fix(prop.span(), written),
        );
    }

    fn secret(&mut self, node: &Node) -> Text {
        if let Some(scalar) = node.args.get(1) {
            return self.resolve(scalar, Place::Private).text;
        }
        let name = node.label().unwrap_or_default().to_owned();
        Text { parts: vec![Part::In(Input::Secret(name))] }
    }

    fn consumer(&mut self, node: &Node) -> Option<Consumer> {
        let queue = self.target(KindId::Queue, node.args.first()?);
        let dead_letter =
            node.prop("dead-letter").and_then(|scalar| self.target(KindId::Queue, scalar));
        let number = |name| node.prop(name).and_then(Scalar::as_int);
        Some(Consumer {
            queue: queue?,
            batch_size: number("batch-size"),
            max_batch_timeout_s: number("max-batch-timeout"),
            max_retries: number("max-retries"),
            max_concurrency: number("max-concurrency"),
            retry_delay_s: number("retry-delay"),
            dead_letter,
            span: node.span,
        })
    }

    fn durable_object(&mut self, node: &Node) -> Option<DurableObject> {
        let script = node.prop("worker").and_then(|scalar| {
            let name = scalar.as_text()?;
            let Some(worker) = self.given.merged.get("worker", name) else {
                self.undeclared("worker", name, &Spot::scalar(scalar));
                return None;
            };
            self.named(worker)
        });
        let class = text_prop(node, "class")?;
        Some(DurableObject { name: node.label()?.to_owned(), class, script })
    }

    fn migrations(&mut self, worker: &Node) -> Vec<DoMigration> {
        let mut tags = std::collections::BTreeMap::new();
        let mut out = Vec::new();
        for node in worker.children_named("migration") {
            let migration = migration(node);
            if let Some(first) = tags.insert(migration.tag.clone(), node.span) {
                let message = format!("two migrations have the tag \"{}\"", migration.tag);
                self.error(
                    Diagnostic::error(codes::DUPLICATE, node.span, message)
                        .at("again")
                        .label(first, "first used here")
                        .help("give each migration a tag of its own"),
                );
            }
            out.push(migration);
        }
        out
    }

    /// The patterns of routes or the hosts of domains.
    fn patterns(&mut self, worker: &Node, kind: &str) -> Vec<String> {
        let mut out = Vec::new();
        for node in worker.children_named(kind) {
            let Some(scalar) = node.args.first() else { continue };
            let pattern =
                if kind == "route" { self.pattern(scalar) } else { self.host_name(scalar) };
            out.extend(pattern);
        }
        out
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

/// What of a worker is not done yet.
fn later_of(node: &Node, deploy: &Deploy, later: &mut Vec<Later>) {
    if *deploy != Deploy::Placeholder {
        return;
    }
    let name = node.label().unwrap_or_default();
    let span = node.prop("deploy").map_or(node.span, |scalar| scalar.span);
    later.push(Later { what: format!("`deploy=\"placeholder\"` of worker \"{name}\""), span });
    let through_api = |child: &&Node| is_route(child) || child.name.value == "cron";
    for child in node.children.iter().filter(through_api) {
        let what = format!("the `{}` of worker \"{name}\"", child.name.value);
        later.push(Later { what, span: child.span });
    }
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
