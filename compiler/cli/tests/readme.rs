//! README.md tells all that a script depends on.

use std::{fs, path::Path};

use envc::{ExitCode, VARIABLES};

#[test]
fn the_readme_names_every_variable_and_exit_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = fs::read_to_string(path).unwrap();
    let variables = VARIABLES.iter().map(|(variable, _)| format!("`{variable}`"));
    let codes = ExitCode::ALL.iter().map(|code| format!("| {code} | {} |", code.meaning()));
    let missing: Vec<String> =
        variables.chain(codes).filter(|wanted| !readme.contains(wanted)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
