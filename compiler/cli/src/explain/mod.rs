//! `envc check --explain`: what is behind a code, for people.
//!
//! Each code of the compiler has a page in `specs/codes`, which is part of the program. Tests hold
//! codes and pages together; that their examples show what they say is tested with all documents.

mod pages;
mod render;

use std::fmt::Write as _;

use envc_spec::{
    language::{Code, language, near_code},
    lint::slug,
};
use serde_json::json;

use self::pages::PAGES;
use crate::{app::App, error::CommandError, exit_code::ExitCode, render::Style};

/// Shows the page of a code, whole or its last word; without one, all codes.
pub(crate) fn run(app: &App, code: Option<&str>) -> Result<ExitCode, CommandError> {
    let codes = language().diagnostics;
    let Some(wanted) = code else {
        app.ui.result(&list(&codes, app.ui.out_style()));
        app.ui.event("codes", json!({ "codes": codes }));
        return Ok(ExitCode::Done);
    };
    let known = codes.iter().find(|one| one.code == wanted || slug(one.code) == wanted);
    let found = known.and_then(|known| Some((known, page(known.code)?)));
    let Some((known, page)) = found else { return Err(unknown(wanted)) };
    app.ui.result(&render::page(page, app.ui.out_style()));
    app.ui.event(
        "explanation",
        json!({ "code": known.code, "summary": known.summary, "text": page }),
    );
    Ok(ExitCode::Done)
}

/// What to say at the end of a run that showed mistakes with these codes.
pub(crate) fn hint(codes: &[&str]) -> Option<String> {
    let first = codes.iter().copied().find(|code| page(code).is_some())?;
    let several = codes.iter().any(|code| *code != first);
    let (name, such_as) = (slug(first), if several { "CODE, such as " } else { "" });
    Some(format!("for more: envc check --explain {such_as}{name}"))
}

fn page(code: &str) -> Option<&'static str> {
    let known = PAGES.iter().find(|(name, _)| *name == slug(code));
    known.map(|(_, page)| *page)
}

fn list(codes: &[Code], style: Style) -> String {
    let width = codes.iter().map(|one| slug(one.code).len()).max().unwrap_or_default();
    let mut out = String::new();
    let mut family = "";
    for one in codes {
        let of = one.code.strip_suffix(slug(one.code)).unwrap_or_default();
        if of != family {
            out.push_str(if family.is_empty() { "" } else { "\n" });
            out.push_str(&render::bold(of.trim_end_matches(':'), style));
            out.push('\n');
            family = of;
        }
        let _written = writeln!(out, "  {:width$}  {}", slug(one.code), one.summary);
    }
    out
}

fn unknown(wanted: &str) -> CommandError {
    let error = CommandError::usage(format!("there is no code `{wanted}`"));
    let error = match near_code(wanted) {
        Some(near) => error.hint(format!("did you mean `{}`?", slug(near))),
        None => error,
    };
    error.hint("all codes: envc check --explain").code("envc::cli::unknown_code")
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        fs,
        path::Path,
    };

    use super::*;

    #[test]
    fn every_code_has_a_page_and_every_page_a_code() {
        let codes = language().diagnostics;
        let mut wanted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for one in &codes {
            wanted.entry(slug(one.code)).or_default().push(one.code);
        }
        let listed: BTreeSet<&str> = PAGES.iter().map(|(name, _)| *name).collect();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../specs/codes");
        let files: BTreeSet<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().replace(".md", ""))
            .collect();
        let help = "write specs/codes/CODE.md, and its line in compiler/cli/src/explain/pages.rs";
        assert_eq!(files.iter().map(String::as_str).collect::<BTreeSet<_>>(), listed, "{help}");
        let missing: Vec<&&str> = wanted.keys().filter(|name| !listed.contains(*name)).collect();
        assert!(missing.is_empty(), "{missing:?}: {help}");
        for (name, page) in PAGES {
            let heading = page.lines().next().unwrap_or_default();
            match wanted.get(name) {
                // An error and a warning may share a word, and then a page.
                Some(codes) => {
                    let named: Vec<&str> = heading.trim_start_matches("# ").split(", ").collect();
                    let all = codes.iter().all(|code| named.contains(code));
                    assert!(all, "{name} begins with {heading}, and not with {codes:?}");
                }
                None => panic!("{name} is no code"),
            }
            let lines = page.lines().count();
            assert!((8..=45).contains(&lines), "{name} has {lines} lines");
        }
    }

    #[test]
    fn a_page_shows_its_mistake_and_what_is_right() {
        // No spec alone brings these about, or only one that nobody would read.
        let without = [
            "no_pull_request",
            "too_large",
            "too_many_mistakes",
            "too_many_nodes",
            "too_many_types",
        ];
        for (name, page) in PAGES.iter().filter(|(name, _)| !without.contains(name)) {
            let [error, warning] =
                ["error", "warning"].map(|word| page.contains(&format!("```kdl {word}={name}\n")));
            assert!(error || warning, "{name} shows nothing wrong");
            assert!(page.contains("```kdl\n"), "{name} shows nothing right");
        }
    }

    #[test]
    fn the_hint_names_a_code_that_can_be_explained() {
        assert_eq!(hint(&[]), None);
        assert_eq!(hint(&["envc::other::x"]), None);
        let one = "envc::spec::unknown_node";
        assert_eq!(
            hint(&[one, one]).as_deref(),
            Some("for more: envc check --explain unknown_node")
        );
        assert_eq!(
            hint(&[one, "envc::spec::wrong_type"]).as_deref(),
            Some("for more: envc check --explain CODE, such as unknown_node")
        );
    }
}
