//! How long a developer waits for a build after a change of one line.
//!
//! A line of code is put into a function, cargo is run, and the line is taken out again. Touching
//! the file alone would flatter: the compiler sees by its content that nothing is to be done.
//!
//! Invariant: every file ends as it was, byte for byte. The shell that runs cargo puts it back on
//! whatever ends it short of a kill, and what a kill left is put back at the next start; a file
//! that somebody else changed meanwhile is left alone. Each case runs once to warm up, then
//! [`ROUNDS`] times, and the median counts. A slow machine is told of and fails nothing.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::run::{Done, Failure, command, output, root, say};

/// Measured runs of each case.
const ROUNDS: usize = 3;

/// A test that stands for any: it drives the binary, so that it waits for its build as well.
const TEST: &str = "exit_codes::help_is_found_the_way_people_look_for_it";

/// Runs a command while a file is another: FILE ORIGINAL CHANGED COMMAND…
const WHILE_CHANGED: &str = r#"
set -u
file=$1 original=$2 changed=$3
shift 3
restore() { if cmp -s "$file" "$changed"; then cp "$original" "$file"; fi; }
trap restore EXIT
trap 'exit 130' HUP INT TERM
cp "$changed" "$file" && "$@"
"#;

/// One way to work.
struct Case {
    name: &'static str,
    /// The file in which a line is changed, and the line behind which it stands.
    file: &'static str,
    behind: &'static str,
    cargo: &'static [&'static str],
    target: Duration,
}

/// The start of a command, in the crate on top of all others.
const COMMAND: (&str, &str) =
    ("compiler/cli/src/commands/plan.rs", "-> Result<ExitCode, CommandError> {\n");
/// A method of a kind, in a crate that most others are built on.
const KIND: (&str, &str) = ("compiler/kinds/src/kv.rs", "fn noun(&self) -> &'static str {\n");

const PROGRAM: &[&str] = &["build", "--quiet", "-p", "envc"];
const ONE_TEST: &[&str] =
    &["test", "--quiet", "-p", "envc-tests", "--test", "cli", "--", "--exact", TEST];

const CASES: [Case; 3] = [
    Case {
        name: "a command changed: the program",
        file: COMMAND.0,
        behind: COMMAND.1,
        cargo: PROGRAM,
        target: Duration::from_secs(8),
    },
    Case {
        name: "a kind changed: the program",
        file: KIND.0,
        behind: KIND.1,
        cargo: PROGRAM,
        target: Duration::from_secs(15),
    },
    Case {
        name: "a command changed: one test of the program",
        file: COMMAND.0,
        behind: COMMAND.1,
        cargo: ONE_TEST,
        target: Duration::from_secs(25),
    },
];

/// Measures every case and prints a table.
pub(crate) fn bench_build() -> Done {
    let mut rows = Vec::new();
    for case in &CASES {
        case.restore()?;
        case.measure()?;
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            times.push(case.measure()?);
        }
        times.sort_unstable();
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        let verdict = if median <= case.target { "" } else { "  slower than the target" };
        rows.push(format!(
            "{:<44} {:>6.1} s  ≤ {:>2} s{verdict}",
            case.name,
            median.as_secs_f64(),
            case.target.as_secs()
        ));
    }
    say(&format!("warm, after a change of one line; medians of {ROUNDS}"))?;
    rows.iter().try_for_each(|row| say(row))
}

impl Case {
    /// How long cargo takes with another line in the file.
    fn measure(&self) -> Result<Duration, Failure> {
        let file = root()?.join(self.file);
        let [original, changed] = self.copies()?;
        let text = fs::read_to_string(&file).map_err(|error| wrong(&file, &error))?;
        let Some((before, after)) = text.split_once(self.behind) else {
            return Err(Failure::task(format!(
                "{} has no line that ends with `{}`: name another one in the benchmark",
                self.file,
                self.behind.trim_end()
            )));
        };
        // Another one each time, or the result of an earlier run would do.
        let number = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let line = format!("let _changed = std::hint::black_box({number}_u128);\n");
        write(&original, &text)?;
        write(&changed, &format!("{before}{}{line}{after}", self.behind))?;
        let mut shell = command("bash", &["-c", WHILE_CHANGED, "bash"])?;
        shell.arg(&file).arg(&original).arg(&changed).arg("cargo").args(self.cargo);
        let begun = Instant::now();
        let said = output(&mut shell)?;
        let took = begun.elapsed();
        if self.cargo == ONE_TEST && !String::from_utf8_lossy(&said).contains("1 passed") {
            return Err(Failure::task(format!("no test is called {TEST}: name another one")));
        }
        Ok(took)
    }

    /// Puts back what a run that was killed left changed.
    fn restore(&self) -> Done {
        let file = root()?.join(self.file);
        let [original, changed] = self.copies()?;
        let left =
            fs::read(&changed).ok().filter(|left| fs::read(&file).ok().as_ref() == Some(left));
        match (left, fs::read(&original)) {
            (Some(_), Ok(text)) => fs::write(&file, text).map_err(|error| wrong(&file, &error)),
            _ => Ok(()),
        }
    }

    /// Where the file lies as it was, and as it is while cargo runs.
    fn copies(&self) -> Result<[PathBuf; 2], Failure> {
        let name = self.file.replace('/', "+");
        let folder = root()?.join("target/bench-build");
        Ok(["original", "changed"].map(|which| folder.join(format!("{name}.{which}"))))
    }
}

fn write(path: &Path, text: &str) -> Done {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(|error| wrong(folder, &error))?;
    fs::write(path, text).map_err(|error| wrong(path, &error))
}

fn wrong(path: &Path, error: &std::io::Error) -> Failure {
    Failure::task(format!("{}: {error}", path.display()))
}
