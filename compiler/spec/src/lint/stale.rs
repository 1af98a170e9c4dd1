//! What was right once: folders that went, dates that passed.

use envc_core::{Diagnostic, KindId, Span};
use envc_syntax::{Node, Scalar};

use super::{Day, FolderFacts, Found, View, Warning, codes, warning};

/// Doubts of one folder that are told.
const DOUBTS_MAX: usize = 8;

/// Migrations whose folder is not there, or holds none.
pub(super) fn migrations<'v>(view: &'v View<'_>) -> Found<'v> {
    in_folders(view, |node, facts| {
        let path = node.label().unwrap_or_default();
        let message = match (facts.is_there, node.prop("pattern").and_then(Scalar::as_text)) {
            (true, _) if facts.count > 0 => return Some(Vec::new()),
            (true, Some(pattern)) => {
                format!("the folder `{path}` holds no file that `{pattern}` takes")
            }
            (true, None) => format!("the folder `{path}` holds no .sql file"),
            (false, _) => format!("there is no folder `{path}`"),
        };
        let help = "correct the path, which is relative to this file, or write the first one: 0001_init.sql";
        let help = facts.oddities.first().map_or(help, |(_, help)| help.as_str());
        let found = warning(codes::MISSING_MIGRATIONS_FOLDER, node.label_span(), message);
        Some(vec![found.at("no migrations to run").help(help)])
    })
}

/// What lies in a folder of migrations and is none, or is none that a tool's own list has.
pub(super) fn odd<'v>(view: &'v View<'_>) -> Found<'v> {
    in_folders(view, |node, facts| {
        if facts.count == 0 {
            // That it holds none is told.
            return Some(Vec::new());
        }
        let path = node.label().unwrap_or_default();
        let told = facts.oddities.iter().map(|(what, help)| {
            let message = format!("in `{path}`: {what}");
            let found = warning(codes::ODD_MIGRATIONS, node.label_span(), message);
            found.at("in this folder").help(help.clone())
        });
        Some(told.collect())
    })
}

/// Migrations that take rows unawares, or that D1 refuses.
pub(super) fn risky<'v>(view: &'v View<'_>) -> Found<'v> {
    in_folders(view, |node, facts| {
        let path = node.label().unwrap_or_default();
        let told = facts.doubts.as_ref()?.iter().take(DOUBTS_MAX).map(|(what, help)| {
            let message = format!("{path}/{what}");
            let found = warning(codes::RISKY_MIGRATION, node.label_span(), message);
            found.at("in this folder").help(help.clone())
        });
        Some(told.collect())
    })
}

/// What is told of the folders of migrations that were looked at; none of one says that its facts lack
/// what is asked.
fn in_folders<'v>(
    view: &'v View<'_>,
    tell: impl Fn(&Node, &FolderFacts) -> Option<Vec<Diagnostic>>,
) -> Found<'v> {
    let mut out = Vec::new();
    let mut unknown = false;
    view.walk(&mut |node, rule, around| {
        let of_kind = around.last().is_some_and(|it| KindId::parse(&it.name.value).is_some());
        let Some(path) = node.label().filter(|_| rule.name == "migrations" && of_kind) else {
            return;
        };
        let pattern = node.prop("pattern").and_then(Scalar::as_text);
        let key = (path.to_owned(), pattern.map(str::to_owned));
        match view.facts.migrations.get(&key).and_then(|facts| tell(node, facts)) {
            Some(told) => out.extend(told.into_iter().map(Warning::from)),
            None => unknown = true,
        }
    });
    if unknown && out.is_empty() { Found::Unknown } else { Found::Of(out) }
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

fn date(day: Day, today: Day, span: Span) -> Option<Diagnostic> {
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
