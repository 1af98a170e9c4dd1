//! The text of a template.
//!
//! It gives a file or says what is wrong at a place in it, twice the same, after a bounded number of steps
//! and with a bounded number of bytes. A secret in a file makes it private, and none comes into the
//! configuration of a Worker.

use std::collections::BTreeMap;

use envc_core::{Input, Part};
use envc_plan::{FileError, FileInputs, GeneratedFile, render_files};

use crate::shop::SHOP;

/// What every secret is.
const SECRET: &str = "Kq7vXw2LhB9mZt4RcY6nPd8s";
/// Bytes of a file that a template gives: what it may write, and a first line.
const FILE_BYTES_MAX: usize = 1024 * 1024 + 4096;
/// The templates of the environment, each with its usual text and with its file.
const TEMPLATES: [(&str, &str, &str); 2] = [
    (
        "templates/wrangler.jsonc",
        include_str!("../shop/templates/wrangler.jsonc"),
        "apps/site/wrangler.jsonc",
    ),
    ("templates/text", include_str!("../shop/templates/text"), "run.sh"),
];

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for (path, _, file) in TEMPLATES {
        let mut templates: BTreeMap<String, String> =
            TEMPLATES.iter().map(|(path, text, _)| ((*path).into(), (*text).into())).collect();
        templates.insert(path.to_owned(), text.to_owned());
        let files = render(&templates);
        assert_eq!(files, render(&templates), "made twice it is another one");
        match files {
            Ok(files) => {
                let made = files.iter().find(|it| it.path == file);
                let Some(made) = made else { panic!("{file} is not among {files:?}") };
                is_bounded_and_kept(made, text);
            }
            Err(errors) => errors.iter().for_each(|error| is_told(error, path, text)),
        }
    }
}

fn render(templates: &BTreeMap<String, String>) -> Result<Vec<GeneratedFile>, Vec<FileError>> {
    let resolve = |part: &Part| match part {
        Part::Lit(text) => Some(text.clone()),
        Part::In(Input::Env(name)) => Some(format!("value-of-{name}")),
        Part::In(Input::Lease { attribute, secret: false, .. }) => Some(attribute.clone()),
        Part::In(_) | Part::Out(_) => Some(SECRET.to_owned()),
    };
    render_files(&FileInputs {
        env: &SHOP.environment,
        ids: &SHOP.ids,
        resolve: &resolve,
        names: &SHOP.names,
        templates,
        dev_remote: false,
        spec_folder: "",
    })
}

fn is_bounded_and_kept(file: &GeneratedFile, template: &str) {
    assert!(file.content.len() <= FILE_BYTES_MAX, "{} bytes", file.content.len());
    // What stands in the template itself is no secret.
    if file.content.contains(SECRET) && !template.contains(SECRET) {
        assert!(file.private && file.mode.trailing_zeros() >= 6, "{file:?} holds a secret");
        assert!(!file.path.to_ascii_lowercase().ends_with(".jsonc"), "a secret in {}", file.path);
    }
}

fn is_told(error: &FileError, path: &str, text: &str) {
    let FileError { place, message, help, code, .. } = error;
    assert!(!message.is_empty() && !help.is_empty() && !code.is_empty(), "{error:?}");
    assert!(message.len() + help.len() <= 4 * text.len() + 4096, "a long message: {error:?}");
    assert!(text.contains(SECRET) || !error.to_string().contains(SECRET), "{error:?}");
    if let Some(place) = place.as_deref().filter(|_| error.path == path) {
        assert!(text.get(place.span.start..place.span.end).is_some(), "outside: {error:?}");
        assert!((1..=text.split('\n').count()).contains(&place.line), "no such line: {error:?}");
    }
}
