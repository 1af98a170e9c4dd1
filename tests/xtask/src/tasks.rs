//! One function per task.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::nightly::cases;
use crate::run::{Done, Failure, command, command_with_tools, output, root, run, say};
use crate::suite;

/// The crates that do no I/O, in the order of the import law.
const PURE: [&str; 8] = [
    "envc-core",
    "envc-syntax",
    "envc-kinds",
    "envc-spec",
    "envc-plan",
    "envc-sql",
    "envc-edge-api",
    "envc-edge-core",
];

/// The crates that run as Workers alone.
const WASM_ONLY: [&str; 2] = ["envc-edge", "envc-yardstick"];

/// What the Worker may weigh, gzipped. Cloudflare refuses more than 3 MB on the free plan; this
/// is our own, so that the Worker starts fast.
const WORKER_GZIP_BYTES_MAX: usize = 1_000_000;

/// What the Worker is made of.
const WORKER_MODULES: [&str; 2] = ["index.js", "index_bg.wasm"];

/// The version of cargo-deny that is installed where there is none.
const CARGO_DENY: &str = "0.20.2";

/// What the benchmark measures the Worker by.
const YARDSTICK: &str = "tests/yardstick";

const TARGET: &str = "wasm32-unknown-unknown";

/// How the Worker is compiled: small before fast, as every byte is loaded at each cold start.
/// Not stripped, because wasm-bindgen reads a section that stripping removes; the names that stay
/// keep stack traces readable.
const WORKER_PROFILE: [&str; 4] = [
    "CARGO_PROFILE_RELEASE_OPT_LEVEL=s",
    "CARGO_PROFILE_RELEASE_LTO=fat",
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1",
    "CARGO_PROFILE_RELEASE_STRIP=none",
];

/// Builds the Worker and runs every test.
pub(crate) fn test(arguments: &[String]) -> Done {
    let [(_, share), _] = cases()?;
    test_cases(&share, arguments)
}

/// The same, with this share of the sweeps' cases.
pub(crate) fn test_cases(share: &str, arguments: &[String]) -> Done {
    worker()?;
    worker_build(YARDSTICK)?;
    let [_, (_, seed)] = cases()?;
    say(&format!("sweeps: ENVC_CASES={share} ENVC_SEED={seed}"))?;
    if arguments.is_empty() {
        // The binaries need the tools as cargo's own run of them would.
        let this = std::env::current_exe().map_err(|error| {
            Failure::task(format!("this program does not know itself: {error}"))
        })?;
        let this = this.display().to_string();
        let mut inside = command_with_tools("--node", &[&this, "suite"])?;
        return run(inside.env("ENVC_CASES", share).env("ENVC_SEED", seed));
    }
    let mut cargo = cargo_test()?;
    run(cargo.args(arguments).env("ENVC_CASES", share).env("ENVC_SEED", seed))
}

/// Every test binary, inside the environment that `test` makes.
pub(crate) fn suite() -> Done {
    suite::run_all(|| {
        let mut cargo = command("cargo", &["test"])?;
        cargo.args(test_arguments());
        Ok(cargo)
    })
}

/// The newcomer's whole day, one test after the other: each keeps the processors busy.
pub(crate) fn newcomer() -> Done {
    let mut cargo = command_with_tools("--node", &["cargo", "test", "--package", "envc-tests"])?;
    cargo.args(["--features", "envc-tests/conformance", "--test", "newcomer", "--"]);
    run(cargo.args(["--include-ignored", "--test-threads", "1"]))
}

/// `cargo test` of everything, inside the environment that serves the Worker. Whoever wants only
/// some of it filters: with other packages or features most of it would be compiled anew.
pub(crate) fn cargo_test() -> Result<Command, Failure> {
    let mut cargo = command_with_tools("--node", &["cargo", "test"])?;
    cargo.args(test_arguments());
    Ok(cargo)
}

/// The packages and features of all tests.
fn test_arguments() -> Vec<&'static str> {
    let mut arguments = vec!["--workspace"];
    for name in WASM_ONLY {
        arguments.extend(["--exclude", name]);
    }
    arguments.extend(["--features", "envc-tests/edge,envc-tests/conformance"]);
    arguments
}

/// Builds the Worker and weighs it.
pub(crate) fn worker() -> Done {
    let folder = root()?.join("edge-worker/worker");
    worker_build("edge-worker/worker")?;
    let mut gzip_sum = 0;
    for name in WORKER_MODULES {
        let file = folder.join("build").join(name);
        let raw = std::fs::metadata(&file)
            .map_err(|error| Failure::task(format!("failed to read {}: {error}", file.display())))?
            .len();
        let gzip = gzip_len(&file)?;
        gzip_sum += gzip;
        say(&format!("{name:14} {raw:>9} bytes, {gzip:>9} gzipped"))?;
    }
    say(&format!("{:14} {:>9}        {gzip_sum:>9} gzipped", "together", ""))?;
    bundle(&folder)?;
    if gzip_sum > WORKER_GZIP_BYTES_MAX {
        return Err(Failure::task(format!(
            "the Worker weighs {gzip_sum} bytes gzipped, more than {WORKER_GZIP_BYTES_MAX}: look \
             for a heavy new dependency with `cargo tree -p envc-edge`"
        )));
    }
    Ok(())
}

/// Builds the Worker in a folder.
fn worker_build(folder: &str) -> Done {
    // The settings are for worker-build alone, not for the tools that the script may compile.
    let mut build = command_with_tools("--rust", &["env", &wasm_target_dir()?])?;
    build.args(WORKER_PROFILE);
    run(build.args(["worker-build", "--release", folder, "--locked"]))
}

/// Puts the modules where `specs/edge` deploys them from: those that workerd.capnp loads, byte for
/// byte, and nothing else.
fn bundle(folder: &Path) -> Done {
    let dist = root()?.join("specs/edge/dist");
    let wrong = |what: &str, error: std::io::Error| {
        Failure::task(format!("failed to {what} {}: {error}", dist.display()))
    };
    if dist.is_dir() {
        std::fs::remove_dir_all(&dist).map_err(|error| wrong("empty", error))?;
    }
    std::fs::create_dir_all(&dist).map_err(|error| wrong("make", error))?;
    for name in WORKER_MODULES {
        let from = folder.join("build").join(name);
        std::fs::copy(from, dist.join(name)).map_err(|error| wrong("fill", error))?;
    }
    say("copied to specs/edge/dist: deploy it with `envc apply` in specs/edge")
}

/// Builds the pure crates for wasm.
pub(crate) fn pure_crates() -> Done {
    let mut build = command_with_tools("--rust", &["env", &wasm_target_dir()?])?;
    build.args(["cargo", "build", "--locked", "--target", TARGET]);
    for name in PURE {
        build.args(["--package", name]);
    }
    run(&mut build)
}

/// Checks the dependencies against deny.toml, installing cargo-deny first where it is missing.
pub(crate) fn deny() -> Done {
    let program = cargo_deny()?;
    // No `advisories`: that needs the advisory database, which is no package registry.
    // A wrapper may stand in deny.toml before its crate comes to need what it wraps.
    let mut check = command(&program, &["--locked", "check", "--hide-inclusion-graph"])?;
    run(check.args(["--allow", "unused-wrapper", "bans", "licenses", "sources"]))
}

/// Runs the benchmarks.
pub(crate) fn bench(arguments: &[String]) -> Done {
    let program = ["--package", "envc-tests", "--bin", "bench", "--"];
    let mut cargo = if arguments.first().is_some_and(|part| part == "edge") {
        worker()?;
        worker_build(YARDSTICK)?;
        // What is measured runs in workerd: the client need not be compiled in release mode.
        command_with_tools("--node", &["cargo", "run", "--quiet"])?
    } else {
        command("cargo", &["run", "--release"])?
    };
    cargo.args(program);
    run(cargo.args(arguments))
}

/// Writes the generated parts of specs/LANGUAGE.md anew. The test that compares them writes them,
/// so that this program needs none of the compiler's crates.
pub(crate) fn reference() -> Done {
    let test = "the_page_is_what_the_tables_say";
    let mut cargo = command(
        "cargo",
        &["test", "--quiet", "--package", "envc-spec", "--test", "reference", test],
    )?;
    run(cargo.env("ENVC_WRITE_REFERENCE", "1"))
}

/// Runs what continuous integration runs.
pub(crate) fn ci() -> Done {
    run(&mut command("bash", &[".ci/run"])?)
}

/// Where wasm output goes, as a setting: apart from the host's, because it may come from another
/// compiler, and two cargos need not wait for each other.
fn wasm_target_dir() -> Result<String, Failure> {
    Ok(format!("CARGO_TARGET_DIR={}", root()?.join("target/wasm").display()))
}

fn gzip_len(file: &Path) -> Result<usize, Failure> {
    let mut gzip = command("gzip", &["-9", "-c"])?;
    Ok(output(gzip.arg(file))?.len())
}

/// Finds cargo-deny on the PATH or among our own tools, else compiles it there.
fn cargo_deny() -> Result<String, Failure> {
    let answers = |program: &str| {
        command(program, &["--version"]).is_ok_and(|mut ask| output(&mut ask).is_ok())
    };
    if answers("cargo-deny") {
        return Ok("cargo-deny".to_owned());
    }
    let home = tools_folder()?.join(format!("cargo-deny-{CARGO_DENY}"));
    let program = home.join("bin/cargo-deny").display().to_string();
    if !answers(&program) {
        let version = format!("={CARGO_DENY}");
        let mut install =
            command("cargo", &["install", "--quiet", "--locked", "cargo-deny", "--version"])?;
        // It runs for a second, so it need not take minutes to be optimised.
        install.env("CARGO_PROFILE_RELEASE_LTO", "off");
        install.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1");
        install.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
        run(install.arg(version).arg("--root").arg(&home))?;
    }
    Ok(program)
}

/// Where tools are kept that are compiled once for all checkouts.
pub(crate) fn tools_folder() -> Result<PathBuf, Failure> {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    from("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| from("HOME").map(|home| PathBuf::from(home).join(".local/share")))
        .map(|data| data.join("envc-tools"))
        .ok_or_else(|| Failure::task("neither XDG_DATA_HOME nor HOME is set"))
}
