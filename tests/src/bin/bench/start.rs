//! What it costs to start, and what the file weighs.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
    process::Command,
    time::Instant,
};

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
const BINARY_MB_MAX: f64 = 25.0;

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
    let synced = (0..RUNS).map(|_| sync_ms(&env.path())).collect::<io::Result<Sample>>();
    let synced = synced.map_err(|error| error.to_string())?;
    table.add(
        Row::new("this disk", "one sync", synced.min(), "ms")
            .median(synced.median())
            .note("an apply that changes something waits for some thirty"),
    );
    let bytes = fs::metadata(binary).map_err(|error| error.to_string())?.len();
    let bytes = u32::try_from(bytes).map_err(|error| error.to_string())?;
    table.add(Row::new("binary", "size", f64::from(bytes) / 1e6, "MB").limit(BINARY_MB_MAX));
    Ok(())
}

fn repeat(command: &mut dyn FnMut() -> Command) -> Result<Sample> {
    (0..RUNS).map(|_| Ok(watch::run(&mut command())?.ms)).collect()
}

/// Writes a small file and waits until it is on the disk.
fn sync_ms(folder: &Path) -> io::Result<f64> {
    let begun = Instant::now();
    let mut file = fs::File::create(folder.join("sync"))?;
    file.write_all(&[b'x'; 2_000])?;
    file.sync_all()?;
    Ok(watch::millis(begun.elapsed()))
}
