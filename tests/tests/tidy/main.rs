//! The rules of the house, as tests: who may import whom, and what sources look like.
//!
//! Each failure lists every breach with what to do about it. A rule that has become wrong is
//! changed here, in the commit that needs it, and not worked around.

#[cfg(test)]
mod alone;
#[cfg(test)]
mod imports;
#[cfg(test)]
mod layout;
#[cfg(test)]
mod rooms;
#[cfg(test)]
mod sources;

#[cfg(test)]
mod common {
    use std::path::{Path, PathBuf};
    use std::sync::LazyLock;

    use cargo_metadata::{Metadata, MetadataCommand};

    /// What cargo knows about the workspace and its dependencies, on every platform.
    pub(crate) static METADATA: LazyLock<Metadata> = LazyLock::new(|| {
        let mut command = MetadataCommand::new();
        command.manifest_path(root().join("Cargo.toml")).other_options(["--locked".to_owned()]);
        command.exec().expect("`cargo metadata --locked` must work in the repository's root")
    });

    /// The repository's root folder.
    pub(crate) fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent").to_path_buf()
    }

    /// Every Rust source file below a folder of the repository, as path from the root.
    pub(crate) fn rust_files(folder: &str) -> Vec<String> {
        let mut files = Vec::new();
        let mut folders = vec![root().join(folder)];
        while let Some(folder) = folders.pop() {
            for entry in folder.read_dir().expect("a folder of the repository can be read") {
                let path = entry.expect("a folder of the repository can be read").path();
                if path.is_dir() {
                    let name = path.file_name().unwrap_or_default();
                    if name != "target" && name != "node_modules" {
                        folders.push(path);
                    }
                } else if path.extension().is_some_and(|ending| ending == "rs") {
                    let path = path.strip_prefix(root()).expect("it was found below the root");
                    files.push(path.to_string_lossy().replace('\\', "/"));
                }
            }
        }
        files.sort();
        files
    }

    /// The text of a file of the repository.
    pub(crate) fn read(path: &str) -> String {
        std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Fails with all breaches of a rule, and does nothing when there are none.
    #[track_caller]
    pub(crate) fn check(rule: &str, breaches: &[String]) {
        assert!(breaches.is_empty(), "{rule}:\n  {}\n", breaches.join("\n  "));
    }
}
