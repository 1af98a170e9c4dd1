//! `envc check`: is the spec right, for all types? Without a runtime, a network or an account.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::Diagnostics;
use envc_spec::{Identity, Instance, Spec, TypeHead};
use serde_json::json;

use crate::{
    app::App,
    args::{CheckArgs, CheckFormat},
    error::CommandError,
    exit_code::ExitCode,
    explain,
    project::{self, SpecFile},
    render,
    ui::{Ui, UiOptions},
};

pub(super) fn run(app: &App, args: &CheckArgs) -> Result<ExitCode, CommandError> {
    if let Some(code) = &args.explain {
        return explain::run(app, code.as_deref());
    }
    // `--format json` is `--json` under another name.
    let as_json = (args.format == CheckFormat::Json && !app.ui.is_json())
        .then(|| Ui::new(UiOptions { json: true, ..UiOptions::default() }, &app.env));
    let ui = as_json.as_ref().unwrap_or(&app.ui);
    let outcome = check(ui, app, args.format);
    match (&as_json, outcome) {
        (Some(ui), Err(error)) => {
            ui.error(&error);
            Ok(error.exit)
        }
        (_, outcome) => outcome,
    }
}

fn check(ui: &Ui, app: &App, format: CheckFormat) -> Result<ExitCode, CommandError> {
    let file = SpecFile::find(&app.cwd, app.common.chdir.as_deref())?;
    let (spec, mut found) = envc_spec::load(&file.text);
    let counts = spec.as_ref().map(|spec| count(spec, &mut found)).unwrap_or_default();
    let errors = project::error_codes(&found);
    let warnings = found.len() - errors.len();
    if ui.is_json() {
        for object in render::objects(found, file.source()) {
            ui.event("diagnostic", object);
        }
    } else if format == CheckFormat::Github {
        let lines = render::github(found, file.source());
        if !lines.is_empty() {
            ui.result(&lines);
        }
    } else if !found.is_empty() {
        ui.show(&render::pictures(found, file.source(), ui.err_style()));
    }
    if !errors.is_empty() || spec.is_none() {
        return Err(project::wrong(&file.name, &errors));
    }
    let all: BTreeSet<&String> = counts.values().flatten().collect();
    ui.result(&summary(counts.len(), all.len(), warnings));
    let types: Vec<_> = counts
        .iter()
        .map(|(name, resources)| json!({ "name": name, "resources": resources.len() }))
        .collect();
    ui.event(
        "checked",
        json!({ "file": file.name, "types": types, "resources": all.len(), "warnings": warnings }),
    );
    Ok(ExitCode::Done)
}

/// The addresses of each type's resources. What only shows itself in an instance is found, too.
fn count(spec: &Spec, found: &mut Diagnostics) -> BTreeMap<String, Vec<String>> {
    let mut counts = BTreeMap::new();
    for head in spec.types() {
        match spec.environment(&head.name, &sample(head)) {
            Ok(environment) => {
                let addresses = environment.resources.keys().map(ToString::to_string).collect();
                counts.insert(head.name.clone(), addresses);
            }
            Err(more) => found.extend(more),
        }
    }
    counts
}

/// An instance to count by.
fn sample(head: &TypeHead) -> Instance {
    let pr = 1_u32;
    Instance {
        id: match &head.identity {
            Identity::Text { pattern, .. } => pattern.replace("{env.pr}", &pr.to_string()),
            Identity::Branch { .. } => "sample".to_owned(),
        },
        branch: Some("sample".to_owned()),
        pr: Some(pr),
        sha: Some("0".repeat(40)),
        ports: head.ports.iter().map(|(owner, range)| (owner.clone(), range.first)).collect(),
        local_cloud: false,
    }
}

fn summary(types: usize, resources: usize, warnings: usize) -> String {
    let plural = |count: usize, word: &str| match count {
        1 => format!("1 {word}"),
        _ => format!("{count} {word}s"),
    };
    let mut text = format!("ok: {}, {}", plural(types, "type"), plural(resources, "resource"));
    if warnings > 0 {
        text.push_str(", ");
        text.push_str(&plural(warnings, "warning"));
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
