//! What is behind a code, for people.
//!
//! Each code of the compiler has a page in `specs/codes`, which is part of the program. Tests hold
//! codes and pages together; that their examples show what they say is tested with all documents.

mod markdown;
mod pages;

use std::fmt::Write as _;

use envc_spec::{
    language::{Code, language, near_code},
    lint::slug,
};

use self::pages::PAGES;
use crate::render::Style;

/// What a code means.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The code, in one line.
    pub code: Code,
    /// Its page, as Markdown.
    pub page: &'static str,
}

impl Explanation {
    /// Finds the page of a code, whole or its last word.
    pub fn of(wanted: &str) -> Option<Self> {
        let codes = language().diagnostics;
        let code = codes.into_iter().find(|one| one.code == wanted || slug(one.code) == wanted)?;
        let page = page(code.code)?;
        Some(Self { code, page })
    }

    /// The page as text for people.
    pub fn text(&self, style: Style) -> String {
        markdown::page(self.page, style)
    }
}

/// The last word of the code that is spelled nearly like this one.
pub fn near(wanted: &str) -> Option<&'static str> {
    near_code(wanted).map(slug)
}

/// All codes by their families, a line each.
pub fn list(style: Style) -> String {
    list_of(&language().diagnostics, style)
}

/// What to say at the end of a run that showed mistakes with these codes.
pub fn hint(codes: &[&str]) -> Option<String> {
    let first = codes.iter().copied().find(|code| page(code).is_some())?;
    let several = codes.iter().any(|code| *code != first);
    let (name, such_as) = (slug(first), if several { "CODE, such as " } else { "" });
    Some(format!("for more: envc check --explain {such_as}{name}"))
}

fn page(code: &str) -> Option<&'static str> {
    let known = PAGES.iter().find(|(name, _)| *name == slug(code));
    known.map(|(_, page)| *page)
}

fn list_of(codes: &[Code], style: Style) -> String {
    let width = codes.iter().map(|one| slug(one.code).len()).max().unwrap_or_default();
    let mut out = String::new();
    let mut family = "";
    for one in codes {
        let of = one.code.strip_suffix(slug(one.code)).unwrap_or_default();
        if of != family {
            out.push_str(if family.is_empty() { "" } else { "\n" });
            out.push_str(&markdown::bold(of.trim_end_matches(':'), style));
            out.push('\n');
            family = of;
        }
        let _written = writeln!(out, "  {:width$}  {}", slug(one.code), one.summary);
    }
    out
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
        let help =
            "write specs/codes/CODE.md, and its line in compiler/report/src/explain/pages.rs";
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
            "odd_migrations",
            "risky_migration",
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
