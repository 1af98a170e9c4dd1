//! `envc check`, the real binary: an example, specs that grow, and specs made to hurt.

use std::{fmt::Write as _, fs, path::Path, process::Command};

use tempfile::TempDir;

use crate::{
    Result, scale,
    stats::Sample,
    table::{Row, Table},
    watch,
};

/// How often each spec is checked.
const RUNS: usize = 7;
/// What a keystroke's check of the example may take, in milliseconds.
const EXAMPLE_MS_MAX: f64 = 20.0;
/// Ten times the nodes may take so many times as long: the start of the process is in both.
const GROWTH_MAX: f64 = 15.0;
/// What a spec made to hurt may take, in milliseconds and MB.
const HOSTILE_MS_MAX: f64 = 1_000.0;
const HOSTILE_MB_MAX: f64 = 100.0;

pub(crate) fn measure(binary: &Path, table: &mut Table) -> Result<()> {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../specs/eventuall/environment.kdl");
    let text = fs::read_to_string(example).map_err(|error| error.to_string())?;
    let (took, mb) = checked(binary, &text)?;
    let row = Row::new("check of eventuall", "time", took.min(), "ms").median(took.median());
    table.add(row.limit(EXAMPLE_MS_MAX));
    table.add(Row::new("check of eventuall", "peak memory", mb, "MB"));
    let mut last: Option<f64> = None;
    for size in [1_000, 10_000] {
        let what = format!("check of {size} nodes");
        let (took, mb) = checked(binary, &scale::spec("mixed", size))?;
        table.add(Row::new(&what, "time", took.min(), "ms").median(took.median()));
        table.add(Row::new(&what, "peak memory", mb, "MB").limit(HOSTILE_MB_MAX));
        if let Some(before) = last {
            let growth = took.min() / before;
            table.add(Row::new(&what, "times a tenth of it", growth, "").limit(GROWTH_MAX));
        }
        last = Some(took.min());
    }
    for (name, rest) in hostile() {
        let what = format!("check of {name}");
        let (took, mb) = checked(binary, &format!("{HEAD}{rest}"))?;
        let row = Row::new(&what, "time", took.min(), "ms").median(took.median());
        table.add(row.limit(HOSTILE_MS_MAX));
        table.add(Row::new(&what, "peak memory", mb, "MB").limit(HOSTILE_MB_MAX));
    }
    Ok(())
}

const HEAD: &str = "project \"shop\" { zone \"shop.example\" }\n\
                    environment \"local\" default { identity branch max-length=20 unique }\n";

/// The costliest of those that the test of bounds knows.
fn hostile() -> Vec<(&'static str, String)> {
    let lines = |count: u32, line: &dyn Fn(u32) -> String| {
        (0..count).fold(String::new(), |mut out, number| {
            let _written = writeln!(out, "{}", line(number)); // a string takes everything
            out
        })
    };
    let unknown =
        lines(9_000, &|at| format!("d1 \"known{at}\"\nlet n{at} \"{{d1.knwon{at}.id}}\""));
    let texts = lines(19_000, &|at| format!("let b{at} \"{{let.a}}\""));
    let hosts = lines(19_000, &|at| {
        format!("ingress \"i{at}\" host=\"{{env}}\" service=\"http://localhost:1\"")
    });
    let nodes = lines(90_000, &|at| format!("kvv \"n{at}\""));
    vec![
        ("9000 unknown references", unknown),
        ("19000 long texts", format!("let a \"{}\"\n{texts}", "x".repeat(16_000))),
        ("19000 equal hosts", format!("tunnel \"t\" {{\n{hosts}}}\n")),
        ("90000 unknown nodes", nodes),
        ("1900000 wrong escapes", format!("let a \"{}\"\n", "\\q".repeat(1_900_000))),
        ("300000 arguments", format!("d1 \"a\"{}\n", " b".repeat(299_000))),
    ]
}

/// How long checks of a text take, and what memory one takes. Mistakes are what some are there for.
fn checked(binary: &Path, text: &str) -> Result<(Sample, f64)> {
    let folder = TempDir::new().map_err(|error| error.to_string())?;
    let path = folder.path().join("environment.kdl");
    fs::write(path, text).map_err(|error| error.to_string())?;
    let command = || {
        let mut command = Command::new(binary);
        command.arg("check").current_dir(folder.path());
        command
    };
    let mut took = Vec::new();
    for _ in 0..RUNS {
        took.push(watch::run_any(&mut command())?.ms);
    }
    Ok((took.into_iter().collect(), watch::run_for_memory_any(&mut command())?.peak_mb))
}
