//! The Markdown documents: what they say compiles, exists, and is complete.

use std::{fs, path::PathBuf};

use envc_spec::load;

use crate::common::root;

/// Folders whose documents are looked at, not recursively.
const FOLDERS: [&str; 4] = ["", "specs", "specs/adr", "templates"];

/// What a block without a `project` of its own is put behind.
const PROJECT: &str = "project \"shop\" { zone \"shop.example\" }\n";
/// What a block without an `environment` of its own is put behind.
const ENVIRONMENT: &str =
    "environment \"local\" default { identity branch max-length=20 unique }\n";

/// Every document, as path from the root, with its text.
fn documents() -> Vec<(String, String)> {
    let mut documents = Vec::new();
    for folder in FOLDERS {
        let Ok(entries) = fs::read_dir(root().join(folder)) else { continue };
        for entry in entries {
            let path: PathBuf = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                documents.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    documents.sort();
    documents
}

/// The fenced blocks of a language, each with the line it begins at.
fn blocks(text: &str, language: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        match &mut open {
            Some(_) if line.trim() == "```" => found.extend(open.take()),
            Some((_, block)) => {
                block.push_str(line);
                block.push('\n');
            }
            None if line.trim() == format!("```{language}") => {
                open = Some((index + 1, String::new()));
            }
            None => {}
        }
    }
    found
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

#[test]
fn every_kdl_block_compiles() {
    let mut wrong = Vec::new();
    for (name, text) in documents() {
        for (line, block) in blocks(&text, "kdl") {
            let has = |word: &str| block.lines().any(|line| line.starts_with(word));
            let project = if has("project ") { "" } else { PROJECT };
            let environment = if has("environment ") { "" } else { ENVIRONMENT };
            let (_, found) = load(&format!("{project}{environment}{block}"));
            for one in found.into_sorted() {
                wrong.push(format!("{name}:{line}: {} ({})", one.message, one.code));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_kdl_block_is_formatted() {
    for (name, text) in documents() {
        for (line, block) in blocks(&text, "kdl") {
            assert_eq!(envc_syntax::format(&block).as_ref(), Ok(&block), "{name}:{line}");
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
    for (name, text) in documents() {
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
fn the_readme_names_every_variable_exit_code_and_permission() {
    let readme = document("README.md");
    let mut missing = Vec::new();
    for (variable, _) in envc::env::names::DOCUMENTED {
        if !readme.contains(&format!("`{variable}`")) {
            missing.push(variable.to_owned());
        }
    }
    for code in envc::exit_code::ExitCode::ALL {
        if !readme.contains(&format!("| {code} | {} |", code.meaning())) {
            missing.push(format!("| {code} | {} |", code.meaning()));
        }
    }
    for kind in envc_kinds::registry() {
        if !readme.contains(&format!("`{}`", kind.permission())) {
            missing.push(kind.permission().to_owned());
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
