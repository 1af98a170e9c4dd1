//! What was right once: folders that went, dates that passed.

use envc_core::{KindId, Span};
use envc_syntax::Node;

use super::{Day, Found, View, Warning, codes, warning};

/// Doubts of one folder that are told.
const DOUBTS_MAX: usize = 8;

/// Migrations whose folder is not there, or holds none.
pub(super) fn migrations<'v>(view: &'v View<'_>) -> Found<'v> {
    let mut out = Vec::new();
    let mut unknown = false;
    folders(view, &mut |node, path| {
        let message = match view.facts.migrations.get(path) {
            None => {
                unknown = true;
                return;
            }
            Some(Some(1..)) => return,
            Some(Some(0)) => format!("the folder `{path}` holds no .sql file"),
            Some(None) => format!("there is no folder `{path}`"),
        };
        out.push(Warning::from(
            warning(codes::MISSING_MIGRATIONS_FOLDER, node.label_span(), message)
                .at("no migrations to run")
                .help("correct the path, which is relative to this file, or write the first one: 0001_init.sql"),
        ));
    });
    if unknown && out.is_empty() { Found::Unknown } else { Found::Of(out) }
}

/// Migrations that take rows unawares, or that D1 refuses.
pub(super) fn risky<'v>(view: &'v View<'_>) -> Found<'v> {
    let mut out = Vec::new();
    let mut unknown = false;
    folders(view, &mut |node, path| {
        let Some(doubts) = view.facts.doubts.get(path) else {
            unknown = true;
            return;
        };
        for (what, help) in doubts.iter().take(DOUBTS_MAX) {
            out.push(Warning::from(
                warning(codes::RISKY_MIGRATION, node.label_span(), format!("{path}/{what}"))
                    .at("in this folder")
                    .help(help.clone()),
            ));
        }
    });
    if unknown && out.is_empty() { Found::Unknown } else { Found::Of(out) }
}

/// Visits each folder of migrations.
fn folders<'v>(view: &'v View<'_>, visit: &mut dyn FnMut(&'v Node, &'v str)) {
    view.walk(&mut |node, rule, around| {
        let of_kind = around.last().is_some_and(|it| KindId::parse(&it.name.value).is_some());
        if rule.name == "migrations"
            && of_kind
            && let Some(path) = node.label()
        {
            visit(node, path);
        }
    });
}

/// Compatibility dates that are more than a year old, or still to come.
pub(super) fn dates<'v>(view: &'v View<'_>) -> Found<'v> {
    let Some(today) = view.facts.today else { return Found::Unknown };
    let mut out = Vec::new();
    view.walk(&mut |node, rule, _| {
        let given = node.prop("compatibility-date").filter(|_| rule.name == "worker");
        let Some((text, span)) = given.and_then(|date| Some((date.as_text()?, date.span))) else {
            return;
        };
        if let Some(day) = Day::parse(text) {
            out.extend(date(day, today, span).map(Warning::from));
        }
    });
    Found::Of(out)
}

fn date(day: Day, today: Day, span: Span) -> Option<envc_core::Diagnostic> {
    let (message, label, help) = if day > today {
        (
            format!("the compatibility date {day} is still to come"),
            "after today",
            format!("write \"{today}\" at the latest"),
        )
    } else if day < today.a_year_before() {
        (
            format!("the compatibility date {day} is more than a year old"),
            "keeps the Worker on the behaviour of that day",
            format!("read what changed since, test, and write \"{today}\""),
        )
    } else {
        return None;
    };
    let found = warning(codes::OUTDATED_COMPATIBILITY_DATE, span, message).at(label).help(help);
    Some(found.fix(span, format!("\"{today}\"")))
}
