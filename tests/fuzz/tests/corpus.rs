//! The texts that the fuzzer kept, and all specs of the repository, once more.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

use std::{
    fs,
    path::{Path, PathBuf},
};

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

#[test]
fn what_must_hold_of_every_text_holds_of_the_corpus() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    files(&here.join("corpus"), &mut all);
    files(&here.join("../../specs"), &mut all);
    all.retain(|path| path.extension().is_none_or(|ending| ending == "kdl"));
    assert!(all.len() > 100, "the corpus is not there");
    let (mut bytes, mut texts) = (0, 0);
    for path in all {
        let data = fs::read(&path).unwrap();
        bytes += data.len();
        if let Ok(text) = std::str::from_utf8(&data) {
            println!("{}", path.display()); // shown when it fails
            envc_fuzz::check(text);
            texts += 1;
        }
    }
    assert!(texts > 100, "only {texts} files of the corpus are texts");
    assert!(bytes < 1_500_000, "the corpus has {bytes} bytes: minimise it");
}
