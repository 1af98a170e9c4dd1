//! What in the command line is done in one file alone.
//!
//! The rules look at text: a way that is taken under another name is not seen. They are there for
//! the slip, and for an exception that nobody needs any more.

use crate::{
    common::{check, rust_files},
    sources::product_lines,
};

/// The sources of the rules.
const FOLDER: &str = "compiler/cli/src";

/// A rule of what one file does for all others.
struct Rule {
    what: &'static str,
    /// What stands in a line that does it.
    ways: &'static [&'static str],
    /// Where it is done.
    home: &'static str,
    /// Other files that do it all the same, and why.
    exceptions: &'static [(&'static str, &'static str)],
}

const RULES: [Rule; 5] = [
    Rule {
        what: "reads the environment",
        ways: &["env::var", "home_dir()", "temp_dir()", "env::current_dir", "env::args"],
        home: "host/env.rs",
        exceptions: &[
            ("main.rs", "takes the arguments from the system"),
            ("command_line.rs", "asks host/env.rs for the current folder"),
        ],
    },
    Rule {
        what: "writes files",
        ways: &[
            "File::create",
            "File::options",
            "OpenOptions",
            "DirBuilder",
            "fs::copy",
            "fs::create_dir",
            "fs::hard_link",
            "fs::remove_",
            "fs::rename",
            "fs::set_permissions",
            "fs::write",
            "::symlink(",
            "mkdirat(",
            "openat(",
            "renameat(",
            "set_len(",
            "tempfile",
            "unlinkat(",
        ],
        home: "host/fsio.rs",
        exceptions: &[
            ("host/file_lock.rs", "writes into the lock's file who holds it"),
            ("host/fsio/own.rs", "opens what envc keeps for itself, a lock among it"),
            ("host/spot.rs", "writes where no link leads, in a folder that is open"),
        ],
    },
    Rule {
        what: "starts programs",
        ways: &["Command::new("],
        home: "host/child.rs",
        exceptions: &[("host/git/run.rs", "asks git, whose answer everything waits for")],
    },
    Rule {
        what: "locks files",
        ways: &["try_lock()", "try_lock_shared()", "lock_shared()", ".unlock()", "File::lock"],
        home: "host/file_lock.rs",
        exceptions: &[],
    },
    Rule {
        what: "writes to the terminal",
        ways: &["print!(", "println!(", "stdout()", "stderr()", "AutoStream", ".print()"],
        home: "shell/ui.rs",
        exceptions: &[
            ("shell/progress.rs", "draws the progress bar"),
            ("command_line.rs", "lets clap say what is wrong with the arguments"),
        ],
    },
];

#[test]
fn what_one_file_does_for_all_is_done_there_alone() {
    let mut breaches = Vec::new();
    for rule in &RULES {
        let mut needed: Vec<&str> = Vec::new();
        for path in rust_files(FOLDER) {
            let file = path.strip_prefix(FOLDER).unwrap().trim_start_matches('/').to_owned();
            let excepted = rule.exceptions.iter().find(|(name, _)| *name == file);
            let lines = product_lines(&path);
            let taken =
                lines.iter().filter(|(_, line)| rule.ways.iter().any(|way| line.contains(way)));
            for (number, line) in taken {
                if file == rule.home {
                    needed.push(rule.home);
                } else if let Some((name, _)) = excepted {
                    needed.push(name);
                } else {
                    breaches.push(format!(
                        "{path}:{number} {}: `{}`: let {} do it",
                        rule.what,
                        line.trim(),
                        rule.home
                    ));
                }
            }
        }
        for name in rule.exceptions.iter().map(|(name, _)| *name).chain([rule.home]) {
            if !needed.contains(&name) {
                breaches.push(format!(
                    "{FOLDER}/{name} {} no more: mend the rule in tests/tests/tidy/alone.rs",
                    rule.what
                ));
            }
        }
    }
    check("the command line does in several files what one does for all", &breaches);
}
