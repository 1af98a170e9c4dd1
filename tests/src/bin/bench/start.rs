//! What it costs to start, and what the file weighs.

use std::{fs, path::Path, process::Command};

use envc_tests::TestEnv;

use crate::{
    Result,
    stats::Sample,
    table::{Row, Table},
    watch,
};

/// How often a start is measured.
const RUNS: usize = 50;
/// The most that a start may take, in milliseconds.
const START_MS_MAX: f64 = 10.0;
/// The most that the binary may weigh, in MB.
const BINARY_MB_MAX: f64 = 15.0;

pub(crate) fn measure(binary: &Path, table: &mut Table) -> Result<()> {
    let env = TestEnv::new("eventuall");
    let floor = repeat(&mut || Command::new("true"))?;
    for argument in ["--version", "check"] {
        let sample = repeat(&mut || env.command(&[argument]))?;
        table.add(
            Row::new(&format!("envc {argument}"), "start to exit", sample.min(), "ms")
                .median(sample.median())
                .limit(START_MS_MAX)
                .note(format!("a process that does nothing: {:.1} ms", floor.min())),
        );
    }
    let bytes = fs::metadata(binary).map_err(|error| error.to_string())?.len();
    let bytes = u32::try_from(bytes).map_err(|error| error.to_string())?;
    table.add(Row::new("binary", "size", f64::from(bytes) / 1e6, "MB").limit(BINARY_MB_MAX));
    Ok(())
}

fn repeat(command: &mut dyn FnMut() -> Command) -> Result<Sample> {
    (0..RUNS)
        .map(|_| Ok(watch::run(&mut command())?.ms))
        .collect::<Result<Vec<f64>>>()
        .map(|times| times.into_iter().collect())
}
