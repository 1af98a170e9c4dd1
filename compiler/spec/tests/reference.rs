//! `specs/LANGUAGE.md` says what the compiler's tables say.

use std::{collections::BTreeSet, env, fs, path::PathBuf};

use envc_spec::language::{fill, language};

/// Set, the page is written instead of compared: `cargo xtask reference`.
const WRITE: &str = "ENVC_WRITE_REFERENCE";

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../specs/LANGUAGE.md")
}

#[test]
fn the_page_is_what_the_tables_say() {
    let committed = fs::read_to_string(page()).unwrap();
    let filled = fill(&committed).unwrap();
    if env::var_os(WRITE).is_some() {
        fs::write(page(), filled).unwrap();
        return;
    }
    let differs = committed.lines().zip(filled.lines()).position(|(old, new)| old != new);
    assert!(
        committed == filled,
        "specs/LANGUAGE.md is not what the tables say, from line {}: run `cargo xtask reference`",
        differs.map_or(committed.lines().count(), |line| line + 1)
    );
}

#[test]
fn every_node_has_its_heading_and_every_link_its_anchor() {
    let page = fs::read_to_string(page()).unwrap();
    let headings: Vec<&str> = page.lines().filter(|line| line.starts_with('#')).collect();
    for node in language().nodes {
        let name = if node.name == "*" { "Any name".into() } else { format!("`{}`", node.name) };
        let parents: Vec<String> =
            node.id.rsplit('/').skip(1).map(|parent| format!(" in `{parent}`")).collect();
        let heading = format!("### {name}{}", parents.concat());
        assert!(headings.iter().any(|line| line.ends_with(&heading)), "no heading: {heading}");
    }
    let listed: BTreeSet<&str> =
        page.lines().filter_map(|line| line.split_once("](#")?.1.split(')').next()).collect();
    for anchor in page.split("](#").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(listed.contains(anchor), "#{anchor} is no heading");
    }
    let second = headings.iter().filter(|line| line.starts_with("## ") || line.starts_with("### "));
    assert_eq!(listed.len(), second.count(), "two headings have one anchor");
}

#[test]
fn the_json_and_the_page_describe_the_same() {
    let page = fs::read_to_string(page()).unwrap();
    let json = serde_json::to_value(language()).unwrap();
    let list = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    let mut sections = page.split("\n###").skip(1);
    for node in list(&json["nodes"]) {
        // The page has the nodes in the same order.
        let name = node["name"].as_str().unwrap_or_default();
        let title = if name == "*" { " Any name".to_owned() } else { format!(" `{name}`") };
        let section =
            sections.by_ref().find(|text| text.trim_start_matches('#').starts_with(&title));
        let section = section.unwrap_or_else(|| panic!("no section for {}", node["id"]));
        let has = |text: String| assert!(section.contains(&text), "{}: {text}", node["id"]);
        for (part, after) in [("properties", "=` |"), ("flags", "` | flag |")] {
            for one in list(&node[part]) {
                has(format!("| `{}{after}", text(&one)));
            }
        }
        for one in list(&node["arguments"]) {
            has(format!("| {}", text(&one)));
        }
    }
    for one in list(&json["references"]) {
        let form = one["form"].as_str().unwrap_or_default().to_owned();
        assert!(page.contains(&format!("| `{form}` |")), "{form}");
    }
}

fn text(value: &serde_json::Value) -> &str {
    value["name"].as_str().unwrap_or_default()
}
