//! The edge Worker in front of tools that others wrote: schemathesis, and a browser.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Done, Failure, command, command_with_tools, output, root, run, say};
use crate::tasks::{cargo_test, tools_folder, worker};

/// The version of schemathesis that is installed where there is none.
const SCHEMATHESIS: &str = "4.32.5";

/// Where a browser is looked for, by name on the PATH or by path; CHROMIUM comes first.
const BROWSERS: [&str; 4] =
    ["chromium", "chromium-browser", "google-chrome-stable", "/usr/bin/chromium"];

/// Builds the Worker and lets schemathesis at it.
pub(crate) fn api() -> Done {
    worker()?;
    let home = tools_folder()?.join(format!("schemathesis-{SCHEMATHESIS}"));
    let program = home.join("bin/schemathesis");
    if !program.is_file() {
        run(command("python3", &["-m", "venv"])?.arg(&home))?;
        let wanted = format!("schemathesis=={SCHEMATHESIS}");
        let pip = home.join("bin/pip").display().to_string();
        run(&mut command(&pip, &["install", "--quiet", &wanted])?)?;
    }
    run(ignored("schemathesis::")?.env("SCHEMATHESIS_BIN", program))
}

/// The tests of the Worker that `cargo test` leaves out, because of what they need.
fn ignored(module: &str) -> Result<Command, Failure> {
    let mut cargo = cargo_test()?;
    cargo.args(["--test", "edge", module, "--", "--ignored", "--nocapture"]);
    Ok(cargo)
}

/// Builds the Worker and looks at its status page in a browser.
pub(crate) fn browser() -> Done {
    let chromium = chromium()?;
    worker()?;
    let folder = root()?.join("tests/tests/edge/browser");
    let mut install = command_with_tools("--node", &["npm", "ci", "--no-audit", "--no-fund"])?;
    run(install.arg("--prefix").arg(&folder))?;
    run(ignored("browser::")?.env("CHROMIUM", chromium))
}

/// Finds Chromium, else installs Debian's.
fn chromium() -> Result<PathBuf, Failure> {
    if let Some(found) = find_chromium() {
        return Ok(found);
    }
    say("there is no Chromium: installing it with apt-get")?;
    let is_root = output(&mut command("id", &["-u"])?)?.trim_ascii() == b"0";
    let apt = |arguments: &[&str]| -> Result<Command, Failure> {
        let words: &[&str] = if is_root { &["apt-get"] } else { &["sudo", "-n", "apt-get"] };
        let mut command = command("env", &["DEBIAN_FRONTEND=noninteractive"])?;
        command.args(words).args(arguments);
        Ok(command)
    };
    let install = || -> Done {
        run(&mut apt(&["update", "-qq"])?)?;
        run(&mut apt(&["install", "-y", "-qq", "--no-install-recommends", "chromium"])?)
    };
    install().map_err(|_| {
        Failure::task(
            "there is no Chromium, and apt-get could not install it: install it by hand, or set \
             CHROMIUM to the path of a browser",
        )
    })?;
    find_chromium().ok_or_else(|| Failure::task("Debian's chromium gave no command `chromium`"))
}

fn find_chromium() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM").filter(|path| !path.is_empty()).map(PathBuf::from);
    named.or_else(|| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        let candidates = BROWSERS.iter().flat_map(|name| {
            // An absolute name replaces the folder.
            folders.iter().map(move |folder| folder.join(Path::new(name)))
        });
        candidates.into_iter().find(|path| path.is_file())
    })
}
