//! What is written into a working copy.

use std::{collections::BTreeMap, fs};

use envc_core::{Input, Part};
use envc_plan::{FileInputs, GeneratedFile, render_files, template_paths};
use envc_spec::Environment;

use crate::common::{Example, Stage, examples, ids, names};

#[test]
fn every_generated_file_of_every_type() {
    let mut stage = Stage::new("files");
    for example in examples() {
        for head in example.spec.types() {
            snap(&mut stage, &example, &example.environment(head, false), "");
        }
    }
    // The local cloud differs in addresses and in `remote`.
    for example in examples().take(2) {
        let head = example.spec.types().first().unwrap();
        snap(&mut stage, &example, &example.environment(head, true), ".on-local-cloud");
    }
    stage.end();
}

fn snap(stage: &mut Stage, example: &Example, environment: &Environment, cloud: &str) {
    for file in generated(example, environment) {
        let GeneratedFile { path, mode, content, private, specific, expanded: _ } = file;
        let name = path.trim_start_matches("apps/").replace('/', "_");
        let private = if private { ", private" } else { "" };
        let specific = if specific { ", of this environment alone" } else { "" };
        let text = format!("{path} (mode {mode:04o}{private}{specific}):\n\n{content}");
        stage.snap(&format!("{}.{}{cloud}.{name}", example.name, environment.type_name), &text);
    }
}

fn generated(example: &Example, environment: &Environment) -> Vec<GeneratedFile> {
    let templates: BTreeMap<String, String> = template_paths(environment)
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(example.folder.join(&path)).unwrap();
            (path, text)
        })
        .collect();
    let made = render_files(&FileInputs {
        env: environment,
        ids: &ids(environment),
        resolve: &|part| Some(fake(part)),
        names: &names(environment),
        templates: &templates,
        dev_remote: environment.dev_remote,
        spec_folder: "",
    });
    made.unwrap_or_else(|errors| panic!("{} {}: {errors:#?}", example.name, environment.type_name))
}

/// Values that nobody takes for real ones.
fn fake(part: &Part) -> String {
    match part {
        Part::Lit(text) => text.clone(),
        Part::Out(reference) => format!("fake-token-of-{}", reference.address),
        Part::In(Input::Secret(name)) => format!("fake-secret-{name}"),
        Part::In(Input::Env(name)) => format!("fake-variable-{name}"),
        Part::In(Input::Lease { attribute, .. }) => format!("fake-lease-{attribute}"),
    }
}
