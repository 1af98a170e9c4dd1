//! What a user sees of each warning, with the files of the project looked at.

use std::{collections::BTreeSet, fs};

use envc::{
    lint::{Looked, look},
    project::SpecFile,
    render::{Style, pictures},
};
use envc_core::Severity;
use envc_spec::{
    lint::{Day, codes},
    load,
};

use crate::common::{Stage, root};

/// As off a terminal: plain characters, 100 columns.
const PLAIN: Style = Style { terminal: false, color: false };

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
        let file = SpecFile::find(&root(), Some(&path)).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let (spec, found) = load(&file.text);
        assert!(found.is_empty(), "{name}: {found:#?}");
        let Looked { found, samples: _ } =
            look(&file, &spec.unwrap(), Some(Day::new(2026, 11, 22)));
        let expect = file.text.lines().next().unwrap().trim_start_matches("// ").to_owned();
        let codes: Vec<&str> = found.iter().map(|one| one.code).collect();
        assert_eq!(codes, [expect.as_str()], "{name}");
        assert!(found.iter().all(|one| one.severity == Severity::Warning), "{name}");
        seen.insert(expect);
        stage.snap(&name, &pictures(found, file.source(), PLAIN));
    }
    let missing: Vec<&&str> =
        codes::ALL.iter().map(|(code, _)| code).filter(|code| !seen.contains(**code)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
    stage.end();
}
