//! One user, one checkout, one local cloud: all in a folder that goes with the test.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value as Json;
use tempfile::TempDir;

use crate::{
    listing::{CloudView, Listing},
    process::{Running, binary},
};

/// Says what goes wrong in the embedded cloud.
const FAULTS: &str = "ENVC_CLOUD_FAULTS";

/// A world for the real binary: a home, a state directory, and a folder with a spec that is a
/// real git repository on the branch `main`. No variable of the test's own process comes in but
/// `PATH`, and of that not the folders with a wrangler: apply would start it for every database. The
/// binary works on the embedded local cloud unless told otherwise.
#[derive(Debug)]
pub struct TestEnv {
    folder: TempDir,
    vars: BTreeMap<String, String>,
}

/// How a command ended.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Its arguments.
    pub line: String,
    /// Exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// From start to exit.
    pub took: Duration,
}

impl TestEnv {
    /// A copy of one of the folders of `specs/`.
    pub fn new(spec: &str) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../specs").join(spec);
        let this = Self::empty();
        copy_source(&source, &this.root());
        this.commit_all();
        this
    }

    /// A folder with this spec and nothing else.
    pub fn of_text(text: &str) -> Self {
        let this = Self::empty();
        this.write("environment.kdl", text);
        this.write(".gitignore", ".env*\n.dev.vars\n.envc/\nwrangler.jsonc\n");
        this.commit_all();
        this
    }

    fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut this = Self { folder, vars: BTreeMap::new() };
        for part in ["home", "project"] {
            fs::create_dir(this.path().join(part)).expect("a folder can be made");
        }
        let text = |path: PathBuf| path.to_str().expect("test paths are text").to_owned();
        for (name, value) in [
            ("PATH", path_without_wrangler()),
            ("HOME", text(this.path().join("home"))),
            ("ENVC_STATE_DIR", text(this.state_dir())),
            ("ENVC_CLOUD", "local".to_owned()),
            ("ENVC_TRUST", "spec".to_owned()),
            ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
            ("GIT_CONFIG_GLOBAL", "/dev/null".to_owned()),
        ] {
            this.set(name, &value);
        }
        this.git(&["init", "--quiet", "--initial-branch=main"]);
        this
    }

    /// All but a file with secrets: the examples have one for show, and a user's repository ignores it.
    fn commit_all(&self) {
        fs::write(self.root().join(".git/info/exclude"), ".secrets.env\n")
            .expect("a file of git's can be written");
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "start"]);
    }

    /// The folder of everything.
    pub fn path(&self) -> PathBuf {
        self.folder.path().canonicalize().expect("the test's folder is there")
    }

    /// The checkout.
    pub fn root(&self) -> PathBuf {
        self.path().join("project")
    }

    /// The user's state directory.
    pub fn state_dir(&self) -> PathBuf {
        self.path().join("state")
    }

    /// The local cloud's folder.
    pub fn cloud_dir(&self) -> PathBuf {
        self.state_dir().join("cloud")
    }

    /// Lets the binary find the wrangler that is on this test's own `PATH`.
    pub fn with_wrangler(&mut self) -> &mut Self {
        self.set("PATH", &env::var("PATH").unwrap_or_default())
    }

    /// Sets a variable for all commands from here on.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.vars.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Takes a variable away again.
    pub fn unset(&mut self, name: &str) -> &mut Self {
        self.vars.remove(name);
        self
    }

    /// A variable that was set.
    pub fn var(&self, name: &str) -> String {
        self.vars.get(name).cloned().unwrap_or_else(|| panic!("{name} is not set"))
    }

    /// Writes a file of the checkout.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        let folder = path.parent().expect("a file lies in a folder");
        fs::create_dir_all(folder).expect("a folder can be made");
        fs::write(path, text).expect("a file can be written");
    }

    /// Reads a file of the checkout.
    pub fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root().join(path)).ok()
    }

    /// Runs git in the checkout.
    pub fn git(&self, args: &[&str]) -> String {
        let name = "user.name=Test";
        let mail = "user.email=test@example.com";
        let output = self
            .bare("git", &self.root())
            .args(["-c", name, "-c", mail])
            .args(args)
            .output()
            .expect("git can be started");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {args:?}: {stderr}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A new branch in a linked worktree beside the checkout.
    pub fn worktree(&self, branch: &str) -> PathBuf {
        let path = self.path().join(format!("worktree-{}", branch.replace('/', "-")));
        let text = path.to_str().expect("test paths are text");
        self.git(&["worktree", "add", "--quiet", "-b", branch, text]);
        path
    }

    fn bare(&self, program: impl AsRef<std::ffi::OsStr>, cwd: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(cwd).env_clear().envs(&self.vars);
        command
    }

    /// `envc` with these arguments in the checkout, not started yet.
    pub fn command(&self, args: &[&str]) -> Command {
        self.command_in(&self.root(), args)
    }

    /// `envc` with these arguments in any folder, not started yet.
    pub fn command_in(&self, cwd: &Path, args: &[&str]) -> Command {
        let mut command = self.bare(binary(), cwd);
        command.args(args);
        command
    }

    /// Starts `envc` in the checkout.
    pub fn start(&self, args: &[&str]) -> Running {
        Running::start(self.command(args))
    }

    /// Runs `envc` in the checkout to its end.
    pub fn envc(&self, args: &[&str]) -> Ran {
        self.start(args).end()
    }

    /// Runs `envc` with faults in the embedded cloud, as `envc cloud serve --faults` takes them.
    pub fn envc_with_faults(&self, faults: &str, args: &[&str]) -> Ran {
        self.start_with_faults(faults, args).end()
    }

    /// Starts `envc` with faults in the embedded cloud, beside those that the environment has.
    pub fn start_with_faults(&self, faults: &str, args: &[&str]) -> Running {
        let mut command = self.command(args);
        let own = self.vars.get(FAULTS).map(String::as_str).unwrap_or_default();
        command.env(FAULTS, format!("{own},{faults}"));
        Running::start(command)
    }

    /// The local cloud, asked in this process.
    pub fn cloud(&self) -> CloudView {
        CloudView::open(&self.cloud_dir())
    }

    /// Everything that the local cloud holds.
    pub fn cloud_listing(&self) -> Listing {
        self.cloud().listing()
    }

    /// Loses the recorded states (not the registry of working copies, nor the cloud).
    pub fn lose_states(&self) {
        match fs::remove_dir_all(self.state_dir().join("state")) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => panic!("the states cannot be removed: {error}"),
        }
    }

    /// Loses all that the machine knows but the cloud: the next command is that of another one, with a
    /// clone of its own.
    pub fn lose_machine(&self) {
        let cloud = self.cloud_dir();
        let entries = fs::read_dir(self.state_dir()).expect("there is a state directory");
        let known = entries.map(|entry| entry.expect("it can be read").path());
        let here = [".envc", ".git/envc-working-copy"].map(|path| self.root().join(path));
        for path in known.filter(|path| *path != cloud).chain(here) {
            let removed =
                if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            match removed {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    panic!("{} cannot be removed: {error}", path.display())
                }
                _ => {}
            }
        }
    }

    /// The recorded states as they lie in their files: name of the file, and the document.
    pub fn states(&self) -> BTreeMap<String, Json> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.state_dir().join("state")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "json") {
                    let text = fs::read(&path).expect("a state can be read");
                    let json = serde_json::from_slice(&text).expect("a state is JSON");
                    let name = entry.file_name().to_string_lossy().into_owned();
                    found.insert(name, json);
                }
            }
        }
        found
    }

    /// The same where there has to be one, for a test that looks at each.
    #[track_caller]
    pub fn some_states(&self) -> BTreeMap<String, Json> {
        let found = self.states();
        assert!(!found.is_empty(), "no state is recorded");
        found
    }
}

impl Ran {
    /// The events of a run with `--json`.
    pub fn events(&self) -> Vec<Json> {
        let read = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{self}"))
        };
        self.stdout.lines().map(read).collect()
    }

    /// The first event of this name.
    pub fn event(&self, name: &str) -> Option<Json> {
        self.events().into_iter().find(|event| event.get("event").is_some_and(|it| it == name))
    }

    /// Fails unless the command ended with this code.
    #[track_caller]
    #[expect(clippy::return_self_not_must_use, reason = "often nothing else is asked")]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }
}

impl std::fmt::Display for Ran {
    /// The whole transcript.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { line, code, stdout, stderr, took } = self;
        write!(f, "envc {line} ended with {code:?} after {took:?}\n{stdout}\n--\n{stderr}")
    }
}

/// The folders that programs are looked for in, but for those with a wrangler.
fn path_without_wrangler() -> String {
    let path = env::var_os("PATH").unwrap_or_default();
    let others = env::split_paths(&path).filter(|folder| !folder.join("wrangler").exists());
    let joined = env::join_paths(others).expect("they were joined before");
    joined.into_string().expect("test paths are text")
}

/// Copies a folder of the project as a clone has it: who tried an example there has files in it that git
/// ignores, and they are no part of it. Without git, as in an archive of the sources, all of it.
pub fn copy_source(from: &Path, to: &Path) {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(from)
        .output();
    let listed = listed.ok().filter(|it| it.status.success() && !it.stdout.is_empty());
    let Some(listed) = listed else { return copy_folder(from, to) };
    let names = String::from_utf8(listed.stdout).expect("the project's files have plain names");
    for name in names.split_terminator('\0').filter(|name| from.join(name).exists()) {
        let target = to.join(name);
        fs::create_dir_all(target.parent().expect("a file is in a folder"))
            .expect("a folder can be made");
        fs::copy(from.join(name), target).expect("a file can be copied");
    }
}

/// Copies a folder with all that is in it.
pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("the spec's folder is there") {
        let entry = entry.expect("the spec's folder can be read");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_tried_in_an_example_is_not_copied_with_it() {
        let source = TestEnv::of_text("project \"x\"\n");
        source.write("sub/kept.txt", "kept");
        source.commit_all();
        for tried in [".env", "wrangler.jsonc", ".envc/working-copy.json"] {
            source.write(tried, "tried");
        }
        source.write("new.txt", "new");
        let copy = TempDir::new().unwrap();
        copy_source(&source.root(), copy.path());
        for (name, is_there) in [
            ("environment.kdl", true),
            ("sub/kept.txt", true),
            ("new.txt", true),
            (".env", false),
            ("wrangler.jsonc", false),
            (".envc", false),
            (".git", false),
        ] {
            assert_eq!(copy.path().join(name).exists(), is_there, "{name}");
        }
    }
}
