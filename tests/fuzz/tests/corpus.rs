//! The texts that the fuzzer kept, and all specs of the repository, once more.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use envc_fuzz::{TARGETS, target};

/// As long as the fuzzer waits; far more than any of them takes.
const HANGS_AFTER: Duration = Duration::from_secs(10);

fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, out);
        } else {
            out.push(path);
        }
    }
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Tries the corpus of a target, and these files besides.
#[expect(clippy::print_stdout, reason = "which file fails is seen where one does")]
fn replay(name: &str, besides: Vec<PathBuf>) {
    let target = target(name).unwrap();
    let mut all = besides;
    files(&here().join("corpus").join(name), &mut all);
    assert!(all.len() >= 4, "the corpus of {name} is not there");
    let mut bytes = 0;
    for path in all {
        let data = fs::read(&path).unwrap();
        bytes += data.len();
        println!("{}", path.display());
        let start = Instant::now();
        (target.check)(&data);
        assert!(start.elapsed() < HANGS_AFTER, "it took {:?}", start.elapsed());
    }
    assert!(bytes < 1_500_000, "the corpus of {name} has {bytes} bytes: minimise it");
}

/// A test for each target, so that they run side by side.
macro_rules! replay {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                replay(stringify!($name), besides(stringify!($name)));
            }
        )*

        #[test]
        fn every_target_is_replayed_and_has_a_corpus() {
            let replayed = BTreeSet::from([$(stringify!($name)),*].map(str::to_owned));
            let targets: BTreeSet<String> = TARGETS.iter().map(|it| it.name.to_owned()).collect();
            assert_eq!(replayed, targets);
            let folders = fs::read_dir(here().join("corpus")).unwrap();
            let folders: BTreeSet<String> =
                folders.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
            assert_eq!(folders, targets);
        }
    };
}

replay! { api cache dotenv edge plan registry spec state template trust }

/// All specs of the repository are texts of the language.
fn besides(name: &str) -> Vec<PathBuf> {
    let mut all = Vec::new();
    if name == "spec" {
        files(&here().join("../../specs"), &mut all);
        all.retain(|path| path.extension().is_some_and(|ending| ending == "kdl"));
        assert!(all.len() > 100, "the specs are not there");
    }
    all
}
