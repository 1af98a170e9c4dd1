//! What a worker's template leaves out.
//!
//! The template is rendered for every type; what stands in the configuration of any of them is
//! used. Where a template prints a whole section, such as `worker.d1_databases`, all of it is.

use std::collections::BTreeMap;

use envc_core::{KindId, Mode, Span};
use envc_kinds::{Consumer, Worker};
use envc_syntax::{Node, Scalar};

use super::{Found, View, Warning, codes, facts::Words, view::TypeView, warning};
use crate::Environment;

/// Something that the node of a worker says.
struct Said {
    /// Where it says so.
    span: Span,
    /// What it is: "cron".
    noun: &'static str,
    /// How the spec writes it.
    name: String,
    /// What becomes of it.
    so: &'static str,
    /// With what a template writes it.
    with: String,
    /// It stands in a configuration.
    is_there: bool,
}

/// All that a node of a worker says, beside what its template makes.
struct List<'l> {
    made: &'l Words,
    said: Vec<Said>,
}

/// What stands in no configuration, though the spec says it.
pub(super) fn out<'v>(view: &'v View<'_>) -> Found<'v> {
    // Of what several types say at one place, one is enough.
    let mut said: BTreeMap<(Span, &str, String), Said> = BTreeMap::new();
    let mut places: BTreeMap<Span, (&str, Option<Span>)> = BTreeMap::new();
    for of in &view.types {
        for (node, worker, made) in templated(view, of) {
            let template = node.child("template").map(Node::label_span);
            for one in all(node, worker, of.environment, made) {
                places.entry(one.span).or_insert((worker.name.as_str(), template));
                let key = (one.span, one.noun, one.name.clone());
                let is_there = one.is_there;
                said.entry(key).or_insert(one).is_there |= is_there;
            }
        }
    }
    let missing = said.into_values().filter(|one| !one.is_there);
    Found::Of(missing.filter_map(|one| Some(told(&one, *places.get(&one.span)?))).collect())
}

/// The workers of a type whose template was rendered.
fn templated<'v>(
    view: &'v View<'_>,
    of: &'v TypeView<'_>,
) -> impl Iterator<Item = (&'v Node, &'v Worker, &'v Words)> {
    of.merged.all("worker").filter(|node| node.child("template").is_some()).filter_map(
        move |node| {
            let label = node.label()?;
            let worker = of.environment.workers.iter().find(|worker| worker.name == label)?;
            Some((node, worker, view.facts.configurations.get(label)?))
        },
    )
}

fn told<'v>(one: &Said, (worker, template): (&str, Option<Span>)) -> Warning<'v> {
    let Said { span, noun, name, so, with, is_there: _ } = one;
    let message = format!("the template of worker \"{worker}\" leaves out the {noun} `{name}`");
    let mut found = warning(codes::UNUSED_BINDING, *span, message)
        .at(*so)
        .help(format!("write {with} in the template, or remove the {noun}"));
    if let Some(template) = template {
        found = found.label(template, "the template");
    }
    Warning::from(found)
}

fn all(node: &Node, worker: &Worker, env: &Environment, made: &Words) -> Vec<Said> {
    let mut list = List { made, said: Vec::new() };
    list.names(node);
    list.settings(node, worker, env);
    list.hosts(node, worker);
    for cron in node.children_named("cron") {
        let text = cron.label().unwrap_or_default();
        let is_there = made.holds_at("triggers.crons", text);
        let with = "\"triggers\": {{ worker.triggers | json }}";
        list.add(cron.label_span(), ("cron", text), "it will not run", with, is_there);
    }
    list.migrations(node);
    for (node, consumer) in node.children_named("consume").zip(&worker.consumers) {
        list.consumer(node, consumer, env);
    }
    list.said
}

impl List<'_> {
    fn add(
        &mut self,
        span: Span,
        (noun, name): (&'static str, &str),
        so: &'static str,
        with: &str,
        is_there: bool,
    ) {
        let (name, with) = (name.to_owned(), with.to_owned());
        self.said.push(Said { span, noun, name, so, with, is_there });
    }

    /// Bindings, variables and Durable Objects: each has a name that stands nowhere else.
    fn names(&mut self, worker: &Node) {
        for node in &worker.children {
            let (noun, section) = match node.name.value.as_str() {
                "bind" => ("binding", section_of(node).unwrap_or("bindings")),
                "var" => ("variable", "vars"),
                "durable-object" => ("Durable Object", "durable_objects"),
                _ => continue,
            };
            let Some(name) = node.label() else { continue };
            let with = format!("{{{{ worker.{section} | json }}}}");
            let is_there = self.made.holds(name);
            self.add(
                node.label_span(),
                (noun, name),
                "the Worker will not see it",
                &with,
                is_there,
            );
        }
    }

    /// The script's name, its entry point, the date and the flags, the port.
    fn settings(&mut self, node: &Node, worker: &Worker, env: &Environment) {
        let made = self.made;
        let name = worker.script.replace(&env.instance.id, "{env}");
        let span = node.prop("name").map_or(node.label_span(), |name| name.span);
        let so = "wrangler would deploy another script, and envc would not know it";
        let with = "\"name\": {{ worker.name | json }}";
        self.add(span, ("name", &name), so, with, made.holds_at("name", &worker.script));
        if let (Some(prop), Some(main)) = (node.prop("main"), &worker.main) {
            let forms = [main.clone(), format!("./{main}")];
            let is_there = forms.iter().any(|main| made.holds_at("main", main));
            let with = "\"main\": {{ worker.main | json }}";
            self.add(prop.span, ("entry point", main), "another one is taken", with, is_there);
        }
        if let (Some(prop), Some(date)) =
            (node.prop("compatibility-date"), &worker.compatibility_date)
        {
            let is_there = made.holds_at("compatibility_date", date);
            let with = "\"compatibility_date\": {{ worker.compatibility_date | json }}";
            self.add(prop.span, ("compatibility date", date), "another one holds", with, is_there);
        }
        let flags = node.child("compatibility-flags").map(|flags| flags.args.as_slice());
        for flag in flags.unwrap_or_default() {
            let Some(text) = flag.as_text() else { continue };
            let is_there = made.holds_at("compatibility_flags", text);
            let with = "\"compatibility_flags\": {{ worker.compatibility_flags | json }}";
            self.add(flag.span, ("compatibility flag", text), "it will not hold", with, is_there);
        }
        if let (Some(port), Some(number)) = (node.child("port"), worker.port) {
            let range = port.label().unwrap_or_default();
            let is_there = made.holds_at("dev.port", &number.to_string());
            let with = "\"dev\": { \"port\": {{ worker.port }} }";
            let so = "`wrangler dev` listens elsewhere";
            self.add(port.label_span(), ("port", range), so, with, is_there);
        }
    }

    fn hosts(&mut self, node: &Node, worker: &Worker) {
        let routes = node.children_named("route").zip(&worker.routes);
        let domains = node.children_named("domain").zip(&worker.domains);
        let routes = routes.map(|it| ("route", it));
        for (noun, (node, host)) in routes.chain(domains.map(|it| ("domain", it))) {
            let keys = ["routes", "routes.pattern", "route", "route.pattern"];
            let is_there = keys.iter().any(|keys| self.made.holds_at(keys, host));
            let written = node.args.first().and_then(Scalar::as_text).unwrap_or_default();
            let with = "\"routes\": {{ worker.routes | json }}";
            let so = "the Worker will not answer there";
            self.add(node.label_span(), (noun, written), so, with, is_there);
        }
    }

    fn migrations(&mut self, worker: &Node) {
        for node in worker.children_named("migration") {
            let Some(tag) = node.prop("tag") else { continue };
            let text = tag.as_text().unwrap_or_default();
            let is_there = self.made.holds_at("migrations.tag", text);
            let with = "\"migrations\": {{ worker.migrations | json }}";
            self.add(tag.span, ("migration", text), "its classes are not made", with, is_there);
        }
    }

    /// A consumer, and each of its settings where it is there.
    fn consumer(&mut self, node: &Node, consumer: &Consumer, env: &Environment) {
        let queue = env.resources.get(&consumer.queue);
        // Of one that is known by its identifier the name is not known here.
        let Some(queue) = queue.filter(|it| !matches!(it.mode, Mode::ExistingId(_))) else {
            return;
        };
        let with = "\"queues\": {{ worker.queues | json }}";
        let is_there = self.made.holds_at("queues.consumers.queue", &queue.name);
        let label = node.label().unwrap_or_default();
        self.add(node.label_span(), ("consumer", label), "it gets no messages", with, is_there);
        for (property, key) in [
            ("batch-size", "queues.consumers.max_batch_size"),
            ("max-batch-timeout", "queues.consumers.max_batch_timeout"),
            ("max-retries", "queues.consumers.max_retries"),
            ("max-concurrency", "queues.consumers.max_concurrency"),
            ("retry-delay", "queues.consumers.retry_delay"),
        ] {
            let Some(scalar) = node.prop(property) else { continue };
            let number = scalar.as_int().unwrap_or_default().to_string();
            let is_set = !is_there || self.made.holds_at(key, &number);
            self.add(scalar.span, ("setting", property), "it will not hold", with, is_set);
        }
        let dead = consumer.dead_letter.as_ref().and_then(|queue| env.resources.get(queue));
        if let (Some(scalar), Some(dead)) = (node.prop("dead-letter"), dead)
            && !matches!(dead.mode, Mode::ExistingId(_))
        {
            let key = "queues.consumers.dead_letter_queue";
            let is_set = !is_there || self.made.holds_at(key, &dead.name);
            self.add(scalar.span, ("setting", "dead-letter"), "it will not hold", with, is_set);
        }
    }
}

/// The section of `wrangler.jsonc` that holds a binding.
fn section_of(bind: &Node) -> Option<&'static str> {
    let kind = KindId::parse(&bind.props.first()?.name.value)?;
    envc_kinds::declared(kind)?.node().bindable?.section.first().copied()
}
