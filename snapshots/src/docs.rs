//! The Markdown documents: what they say compiles, exists, and is complete.

use std::{fs, path::PathBuf};

use envc_core::{Diagnostic, Severity};
use envc_spec::load;

use crate::{common::root, fragments::completed};

/// Folders whose documents are looked at, not recursively.
const FOLDERS: [&str; 5] = ["", "specs", "specs/adr", "specs/codes", "templates"];

/// Every document, as path from the root, with its text.
fn documents() -> Vec<(String, String)> {
    let mut documents = Vec::new();
    for folder in FOLDERS {
        let before = documents.len();
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                documents.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
        assert!(documents.len() > before, "no document lies in `{folder}`: it has moved");
    }
    documents.sort();
    documents
}

/// A fenced block of KDL.
pub(crate) struct Block {
    /// The line that it begins at.
    pub(crate) line: usize,
    /// The code that it is there to show, without `envc::…::`; none for what is right.
    pub(crate) shows: Option<String>,
    /// That is a warning.
    pub(crate) warns: bool,
    pub(crate) text: String,
}

/// The KDL blocks of a document. One is right, unless `error=CODE` or `warning=CODE` stands behind
/// its language: then it shows that mistake and no other.
pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in text.lines().enumerate() {
        match &mut open {
            Some(_) if line.trim() == "```" => found.extend(open.take()),
            Some(block) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            None => {
                let Some(info) = line.trim().strip_prefix("```kdl") else { continue };
                let shows = info.split_once('=').map(|(_, code)| code.trim().to_owned());
                let warns = info.contains("warning=");
                open = Some(Block { line: index + 1, shows, warns, text: String::new() });
            }
        }
    }
    found
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

#[test]
fn every_kdl_block_compiles_or_shows_the_mistake_that_it_names() {
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for (name, text) in documents() {
        // What a warning looks for is beyond the text: the tests of warnings show it.
        for block in blocks(&text).into_iter().filter(|block| !block.warns) {
            looked_at += 1;
            wrong.extend(
                problems(&block).map(|problem| format!("{name}:{}: {problem}", block.line)),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(looked_at > 100, "only {looked_at} blocks of KDL were found");
}

/// What is wrong with a block, as against what it says of itself.
fn problems(block: &Block) -> impl Iterator<Item = String> {
    // What is missing as a whole would be put in.
    let as_it_stands = ["missing_project", "missing_environment", "not_kdl"];
    let whole = block.shows.as_deref().is_some_and(|code| as_it_stands.contains(&code));
    let text = if whole { block.text.clone() } else { completed(&block.text) };
    let found = load(&text).1.into_sorted();
    let code = |one: &Diagnostic| one.code.rsplit("::").next().unwrap_or_default().to_owned();
    let is_shown = |one: &Diagnostic| Some(code(one)) == block.shows;
    let shown = block.shows.is_none() || found.iter().any(is_shown);
    let missing = (!shown).then(|| format!("does not show {:?}", block.shows));
    // Warnings are beside the point: a fragment declares what nobody uses.
    let others = found.iter().filter(|one| one.severity == Severity::Error && !is_shown(one));
    let others: Vec<String> = others.map(|one| format!("{} ({})", one.message, one.code)).collect();
    others.into_iter().chain(missing)
}

#[test]
fn every_kdl_block_is_formatted() {
    for (name, text) in documents() {
        for Block { line, shows, text, .. } in blocks(&text) {
            let formatted = envc_syntax::format(&text);
            // A block that shows a mistake may be none that can be read.
            let unreadable = shows.is_some() && formatted.is_err();
            assert!(unreadable || formatted.as_ref() == Ok(&text), "{name}:{line}: {formatted:?}");
        }
    }
}

#[test]
fn every_link_inside_the_repository_leads_somewhere() {
    let mut wrong = Vec::new();
    for (name, text) in documents() {
        let folder = root().join(&name).parent().unwrap().to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap_or_default();
            let outside = link.starts_with("http") || path.is_empty();
            if !outside && !folder.join(path).exists() {
                wrong.push(format!("{name}: {link}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// `path/to/file.rs` and `path/to/file.rs::name` in backticks, as paths from the root.
#[test]
fn every_source_file_and_test_that_a_document_names_is_there() {
    let mut wrong = Vec::new();
    let documents = documents();
    let is_replaced = |name: &str| {
        let link = format!("]({})", name.rsplit('/').next().unwrap_or_default());
        let mut lines = documents.iter().flat_map(|(_, text)| text.lines());
        lines.any(|line| line.starts_with("Replaces [") && line.contains(&link))
    };
    // A decision that a later one replaced is about what was there then.
    for (name, text) in documents.iter().filter(|(name, _)| !is_replaced(name)) {
        for code in text.split('`').skip(1).step_by(2) {
            let (path, item) = code.split_once("::").unwrap_or((code, ""));
            let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
            let is_source = path.rsplit_once('.').is_some_and(|(_, ending)| ending == "rs");
            if !is_source || !path.contains('/') || !path.chars().all(plain) {
                continue;
            }
            match fs::read_to_string(root().join(path)) {
                Err(_) => wrong.push(format!("{name}: there is no {path}")),
                Ok(source) if !item.is_empty() && !source.contains(item) => {
                    wrong.push(format!("{name}: {path} has no {item}"));
                }
                Ok(_) => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_readme_names_every_permission() {
    let readme = document("README.md");
    let missing: Vec<&str> = envc_kinds::registry()
        .iter()
        .map(|kind| kind.permission())
        .filter(|permission| !readme.contains(&format!("`{permission}`")))
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
