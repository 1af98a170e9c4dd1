//! The project's tasks, run as `cargo xtask TASK`.
//!
//! Invariants: a task says each command before it runs it, and fails when one fails. The tools it
//! drives are processes, so that it is built in seconds.
#![forbid(unsafe_code)]

mod bench_build;
mod edge;
mod fuzz;
mod nightly;
mod run;
mod suite;
mod tasks;

use std::process::ExitCode;

const HELP: &str = "\
The project's tasks.

    cargo xtask TASK [ARGUMENT]...

TASK
    test    Install what is missing, build the edge Worker, run every test: the workspace's
            natively, the Worker's in the real runtime (workerd), the local cloud's with
            wrangler and the official SDK. Test binaries run side by side. Arguments go to
            `cargo test`: `cargo xtask test -- lease` runs the tests whose name contains `lease`.
            Of sweeps, such as a kill at every request, a share is tried: ENVC_CASES=N/M says
            how large it is (else 1/8), ENVC_SEED which cases (else the commit).
    nightly Everything that is too long for each change: every case of every sweep, ten minutes
            of fuzzing, the benchmarks, the browser, schemathesis, the newcomer's whole day. Takes about
            an hour.
    worker  Build the edge Worker into edge-worker/worker/build and print its size;
            more than 1 MB gzipped is an error.
    api     Build the edge Worker and let schemathesis send it whatever openapi.json allows, and
            what it does not; installs schemathesis from PyPI, needs python3 with venv.
    browser Build the edge Worker and look at its status page in headless Chromium, which is
            installed with apt-get where there is none; screenshots go to target/tmp/status-page.
    newcomer
            Play a newcomer's day with the real wrangler, whole: worktrees, pull requests, two
            clouds, production. `test` plays the quickstart and one pull request.
            With ENVC_WRITE_README=1 it writes README's transcripts anew.
    pure    Build the pure crates for wasm32-unknown-unknown, which is how they prove that
            they touch no file, socket, clock or environment variable.
    deny    Check licences, sources and who may depend on what, as deny.toml says.
    reference
            Write the generated parts of specs/LANGUAGE.md from the compiler's tables.
    bench   Run the benchmarks in release mode; arguments go to the benchmark program. `bench edge`
            builds the edge Worker and measures its calls beside trivial ones, with a client
            that is not in release mode. `bench build` measures how long a build takes after a
            change of one line, beside its targets; the line is taken out again.
    fuzz    Look for texts that break what must hold of them: `fuzz [TARGET|all] [SECONDS]`. A
            target is one sort of text that comes from elsewhere, such as `spec`, `state`, or
            `api` for answers of Cloudflare's API; each has a folder in tests/fuzz/corpus, and
            its file in tests/fuzz/src says what must hold. `all` (where no target is named)
            shares the seconds (60 where nobody says) among all of them: `fuzz all 600` takes
            ten minutes. `fuzz keep [TARGET|all]` takes what was found interesting into the corpus.
    ci      Run everything that continuous integration runs, in the same order.

Plain `cargo test` works too, for everything but the Worker in its runtime and those clients.

The first `test`, `worker` or `pure` on a machine takes some minutes: wasm-bindgen and
worker-build are compiled, workerd, wrangler and the official SDK come from npm, and where rustup
cannot add the wasm target its standard library is compiled as well. All of it goes to the user's
data folder, once; `.ci/wasm-toolchain.sh --help` tells more.
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let task = arguments.next();
    let rest: Vec<String> = arguments.collect();
    let done = match (task.as_deref(), rest.as_slice()) {
        (None | Some("help" | "-h" | "--help"), _) => run::say(HELP.trim_end()),
        (Some(_), [flag]) if flag == "-h" || flag == "--help" => run::say(HELP.trim_end()),
        (Some("test"), arguments) => tasks::test(arguments),
        (Some("suite"), []) => tasks::suite(),
        (Some("nightly"), []) => nightly::nightly(),
        (Some("bench"), [what]) if what == "build" => bench_build::bench_build(),
        (Some("bench"), arguments) => tasks::bench(arguments),
        (Some("fuzz"), words) => fuzz::fuzz(words),
        (Some("worker"), []) => tasks::worker(),
        (Some("api"), []) => edge::api(),
        (Some("browser"), []) => edge::browser(),
        (Some("newcomer"), []) => tasks::newcomer(),
        (Some("pure"), []) => tasks::pure_crates(),
        (Some("deny"), []) => tasks::deny(),
        (Some("reference"), []) => tasks::reference(),
        (Some("ci"), []) => tasks::ci(),
        (
            Some(
                task @ ("worker" | "api" | "browser" | "newcomer" | "pure" | "deny" | "reference"
                | "ci" | "nightly"),
            ),
            [argument, ..],
        ) => Err(run::Failure::usage(format!("`{task}` takes no arguments, not `{argument}`"))),
        (Some(unknown), _) => Err(run::Failure::usage(format!("there is no task `{unknown}`"))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
