//! `envc check`: is the spec right, for all types? Without a runtime, a network or an account.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Diagnostics, Severity, counted};
use envc_report::{
    look::{Looked, Migrations, look},
    render::{self, Source},
};
use envc_spec::{Environment, lint::slug};

use crate::{
    commands::{explain, shared::today},
    host::{error::CommandError, exit_code::ExitCode},
    shell::{
        app::App,
        args::{ALL_WARNINGS, CheckArgs, CheckFormat},
        events::{CheckedType, Event},
        ui::{Ui, UiOptions},
    },
    workspace::project::{self, SpecFile},
};

pub(super) fn run(app: &App, args: &CheckArgs) -> Result<ExitCode, CommandError> {
    if let Some(code) = &args.explain {
        return explain::run(app, code.as_deref());
    }
    // `--format json` is `--json` under another name.
    let as_json = (args.format == CheckFormat::Json && !app.ui.is_json())
        .then(|| Ui::new(UiOptions { json: true, ..UiOptions::default() }, &app.env));
    let ui = as_json.as_ref().unwrap_or(&app.ui);
    let outcome = check(ui, app, args);
    match (&as_json, outcome) {
        (Some(ui), Err(error)) => {
            ui.error(&error);
            Ok(error.exit)
        }
        (_, outcome) => outcome,
    }
}

fn check(ui: &Ui, app: &App, args: &CheckArgs) -> Result<ExitCode, CommandError> {
    let file = SpecFile::find(&app.cwd, app.common.chdir.as_deref(), &app.env)?;
    let (spec, mut found) = envc_spec::load(&file.text);
    let looked = spec.as_ref().map(|spec| look(&file, spec, today(&app.env), Migrations::Read));
    let Looked { samples, found: more } = looked.unwrap_or_default();
    found.extend(more);
    let errors = project::error_codes(&found);
    let denied = deny(&mut found, &args.deny);
    let warnings = found.iter().filter(|one| one.severity == Severity::Warning).count();
    show(ui, found, &file, args.format);
    if !errors.is_empty() || spec.is_none() {
        return Err(project::wrong(&file.name, &errors));
    }
    if !denied.is_empty() {
        return Err(refused(&file.name, &denied));
    }
    let resources = |environment: &Environment| environment.resources.len();
    let all: BTreeSet<_> = samples.values().flat_map(|one| one.resources.keys()).collect();
    ui.outcome(&summary(samples.len(), all.len(), warnings));
    let types: Vec<_> =
        samples.iter().map(|(name, one)| CheckedType { name, resources: resources(one) }).collect();
    ui.event(&Event::Checked { file: &file.name, types, resources: all.len(), warnings });
    Ok(ExitCode::Done)
}

/// Makes mistakes of the warnings that `--deny` names; how many there are of each.
fn deny(found: &mut Diagnostics, words: &[String]) -> BTreeMap<&'static str, usize> {
    let all = words.iter().any(|word| word == ALL_WARNINGS);
    let mut denied = BTreeMap::new();
    let mut left = Diagnostics::new();
    for mut one in std::mem::take(found).into_sorted() {
        let named = all || words.iter().any(|word| word == one.code || word == slug(one.code));
        if named && one.severity == Severity::Warning {
            one.severity = Severity::Error;
            *denied.entry(slug(one.code)).or_default() += 1;
        }
        left.push(one);
    }
    *found = left;
    denied
}

/// The error of warnings that are denied.
fn refused(name: &str, denied: &BTreeMap<&'static str, usize>) -> CommandError {
    let list: Vec<String> = denied
        .iter()
        .map(
            |(slug, count)| {
                if *count == 1 { (*slug).to_owned() } else { format!("{slug} ({count})") }
            },
        )
        .collect();
    let all: usize = denied.values().sum();
    let message = format!("{name} has {}", counted(all, "denied warning"));
    CommandError::new(ExitCode::Spec, format!("{message}: {}", list.join(", ")))
        .hint("do what each says, or write allow \"CODE\" where it is meant so")
        .code("envc::cli::denied_warnings")
}

fn show(ui: &Ui, found: Diagnostics, file: &SpecFile, format: CheckFormat) {
    if ui.is_json() {
        for one in render::located(found, file.source()) {
            ui.event(&Event::Diagnostic((&one).into()));
        }
    } else if format == CheckFormat::Github {
        let name = file.name_in_checkout();
        let lines = render::github(found, Source { name: &name, ..file.source() });
        if !lines.is_empty() {
            ui.result(&lines);
        }
    } else if !found.is_empty() {
        ui.show_painted(&render::pictures(found, file.source(), ui.err_style()));
    }
}

fn summary(types: usize, resources: usize, warnings: usize) -> String {
    let mut text = format!("ok: {}, {}", counted(types, "type"), counted(resources, "resource"));
    if warnings > 0 {
        text.push_str(", ");
        text.push_str(&counted(warnings, "warning"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts_in_words() {
        assert_eq!(summary(3, 17, 0), "ok: 3 types, 17 resources");
        assert_eq!(summary(1, 1, 1), "ok: 1 type, 1 resource, 1 warning");
    }
}
