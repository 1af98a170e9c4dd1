//! What a user sees of each warning, with the files of the project looked at.

use std::{collections::BTreeSet, ffi::OsString, fs, io::ErrorKind, path::Path};

use envc_core::Severity;
use envc_report::{
    look::{Looked, Migrations, OutrankedFiles, Project, look},
    render::{Source, Style, pictures},
};
use envc_spec::{
    Environment,
    lint::{Day, codes},
    load,
};

use crate::common::{Stage, root};

/// As off a terminal: plain characters, 100 columns.
const PLAIN: Style = Style { terminal: false, color: false };

/// The files beside the cases.
struct Files<'a>(&'a Path);

impl Project for Files<'_> {
    fn text(&self, path: &str, _secret: &BTreeSet<String>) -> Result<Option<String>, String> {
        match fs::read_to_string(self.0.join(path)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            text => text.map(Some).map_err(|error| error.to_string()),
        }
    }

    fn names(&self, path: &str) -> Result<Option<Vec<String>>, String> {
        match fs::read_dir(self.0.join(path)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            entries => entries
                .and_then(|all| all.map(|one| one.map(|one| one.file_name())).collect())
                .map(|all: Vec<OsString>| {
                    Some(all.iter().map(|name| name.to_string_lossy().into_owned()).collect())
                })
                .map_err(|error| error.to_string()),
        }
    }

    /// As with a `wrangler.json` in the folder `outranked`.
    fn outranked(&self, environment: &Environment) -> Option<OutrankedFiles> {
        let is_there = environment.workers.iter().any(|worker| worker.path == "outranked");
        let message = "wrangler reads outranked/wrangler.json in place of outranked/wrangler.jsonc, which \
                       envc writes";
        let told = (message.to_owned(), "take outranked/wrangler.json away".to_owned());
        let path = "outranked/wrangler.jsonc".to_owned();
        Some(is_there.then(|| (path, vec![told])).into_iter().collect())
    }
}

#[test]
fn every_warning_as_a_picture() {
    let mut stage = Stage::new("warnings");
    let folder = root().join("specs/invalid/lint");
    let mut seen = BTreeSet::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "kdl") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let (spec, found) = load(&text);
        assert!(found.is_empty(), "{name}: {found:#?}");
        let Looked { found, samples: _ } =
            look(&Files(&folder), &spec.unwrap(), Some(Day::new(2026, 11, 22)), Migrations::Read);
        let expect = text.lines().next().unwrap().trim_start_matches("// ").to_owned();
        let codes: Vec<&str> = found.iter().map(|one| one.code).collect();
        assert_eq!(codes, [expect.as_str()], "{name}");
        assert!(found.iter().all(|one| one.severity == Severity::Warning), "{name}");
        seen.insert(expect);
        let shown = format!("specs/invalid/lint/{name}.kdl");
        let source = Source { name: &shown, text: &text };
        stage.snap(&name, &pictures(found, source, PLAIN));
    }
    let missing: Vec<&&str> =
        codes::ALL.iter().map(|(code, _)| code).filter(|code| !seen.contains(**code)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
    stage.end();
}
