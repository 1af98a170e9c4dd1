//! A home with bait in it, a clone in a folder beside it, and an account; and every command between two
//! pictures of all that is there.

use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    time::Duration,
};

use envc_tests::{Overheard, ServedCloud, TestEnv};

use crate::{
    picture::Picture,
    seen::{self, Seen},
};

/// Stands in all that nobody may have.
pub(crate) const BAIT: &str = "b41t-";
/// Files of the user's that a hostile clone would like to read, or to write.
const FILES: [&str; 9] = [
    ".ssh/id_ed25519",
    ".ssh/authorized_keys",
    ".aws/credentials",
    ".npmrc",
    ".netrc",
    ".bashrc",
    ".gitconfig",
    ".config/gh/hosts.yml",
    ".config/.wrangler/config/default.toml",
];
/// Variables of the user's: those of other programs, envc's own, and two that the specs ask for.
const VARIABLES: [&str; 7] = [
    "AWS_SECRET_ACCESS_KEY",
    "GITHUB_TOKEN",
    "NPM_TOKEN",
    "CF_API_KEY",
    "CLOUDFLARE_API_USER_SERVICE_KEY",
    "SHOP_KEY",
    "EDGE_TOKEN",
];
/// What is no file of the user's or of the clone: envc's own, and the account.
const APART: [&str; 2] = ["state", "served"];
/// No command takes longer, whatever it meets.
const BOUND: Duration = Duration::from_secs(10);
/// Commands that look. Nothing that they look at changes.
pub(crate) const LOOKS: &[&[&str]] = &[
    &["check"],
    &["check", "--json"],
    &["plan"],
    &["plan", "--json"],
    &["show"],
    &["show", "--resolved", "local"],
    &["output"],
    &["fmt", "--check"],
    &["migrate", "status"],
    &["schema"],
    &["destroy", "--plan"],
    &["trust", "--print"],
    &["trust", "ls"],
    &["pool", "ls"],
    &["state", "claim"],
];
/// Those of them that look at what a spec names.
const LOOKS_AT_THIS: &[&[&str]] = &[
    &["check"],
    &["plan"],
    &["show"],
    &["output"],
    &["fmt", "--check"],
    &["migrate", "status"],
    &["destroy", "--plan"],
    &["trust", "--print"],
];
/// Commands that work, as a user who fears nothing runs them.
pub(crate) const WORKS: &[&[&str]] = &[&["apply", "--yes"], &["destroy", "--yes"]];

/// What one command may do besides looking.
#[derive(Clone, Copy, Default)]
pub(crate) struct May<'a> {
    /// What it may write, from the folder of everything; a folder with all in it ends in a slash.
    pub(crate) write: &'a [&'a str],
    /// The programs that it may run.
    pub(crate) run: &'a [PathBuf],
    /// It may speak to the host that nobody trusts by itself.
    pub(crate) speak: bool,
}

/// What envc notes of a working copy in it, once something is applied.
pub(crate) const NOTES: [&str; 3] =
    ["project/.git/envc-working-copy", "project/.envc", "project/.envc/"];

/// The machine.
pub(crate) struct World {
    pub(crate) env: TestEnv,
    pub(crate) cloud: ServedCloud,
    pub(crate) host: Overheard,
}

impl World {
    /// One with this spec; `$HOST` in it is the host that nobody trusts.
    pub(crate) fn new(spec: &str) -> Self {
        let host = Overheard::listen();
        let mut env = TestEnv::of_text(&spec.replace("$HOST", host.address()));
        for path in FILES {
            let file = env.path().join("home").join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, format!("KEY={BAIT}{path}\n")).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let cloud = ServedCloud::start(&mut env, "", &["shop.example"]);
        for name in VARIABLES {
            env.set(name, &format!("{BAIT}{name}"));
        }
        env.unset("ENVC_TRUST");
        Self { env, cloud, host }
    }

    /// A file of the user's.
    pub(crate) fn bait(&self, path: &str) -> PathBuf {
        assert!(FILES.contains(&path), "{path}");
        self.env.path().join("home").join(path)
    }

    /// Puts a link into the clone, in place of whatever is there.
    pub(crate) fn link(&self, target: impl AsRef<Path>, at: &str) {
        let at = self.clear(at);
        symlink(target, at).unwrap();
    }

    /// Puts a second name of a file there.
    pub(crate) fn second_name(&self, of: impl AsRef<Path>, at: &str) {
        let at = self.clear(at);
        fs::hard_link(self.env.root().join(of), at).unwrap();
    }

    /// Puts a pipe there, into which nobody ever writes.
    pub(crate) fn pipe(&self, at: &str) {
        let at = self.clear(at);
        assert!(std::process::Command::new("mkfifo").arg(at).status().unwrap().success());
    }

    /// Puts a program there, which leaves a trace when it runs.
    pub(crate) fn program(&self, at: &str) -> PathBuf {
        let at = self.clear(at);
        let trace = self.env.path().join("ran");
        // Of variables the names alone: what it leaves is a file like any other.
        let text = format!(
            "#!/bin/sh\nexec >>'{}'\necho \"$0 $*\"\nfor name in CLOUDFLARE_API_TOKEN {}; do\n\
             eval \"test -z \\\"\\${{$name+x}}\\\"\" || echo \"has $name\"\ndone\n",
            trace.display(),
            VARIABLES.join(" ")
        );
        fs::write(&at, text).unwrap();
        fs::set_permissions(&at, fs::Permissions::from_mode(0o755)).unwrap();
        at
    }

    fn clear(&self, at: &str) -> PathBuf {
        let at = self.env.root().join(at);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        if at.is_dir() && !at.is_symlink() {
            fs::remove_dir_all(&at).unwrap();
        } else {
            let _none = fs::remove_file(&at);
        }
        at
    }

    /// The clone is what is committed, with whatever its own `.gitignore` says.
    pub(crate) fn commit(&self) {
        self.env.git(&["add", "--all", "--force"]);
        self.env.git(&["commit", "--quiet", "--allow-empty", "--message", "all"]);
    }

    /// The user's git.
    pub(crate) fn git(&self) -> PathBuf {
        let path = self.env.var("PATH");
        let root = self.env.root();
        let mut all = std::env::split_paths(&path).map(|folder| folder.join("git"));
        all.find(|it| it.is_file() && !it.starts_with(&root)).expect("there is a git")
    }

    /// What was run of the clone.
    pub(crate) fn ran(&self) -> Option<String> {
        fs::read_to_string(self.env.path().join("ran")).ok()
    }

    fn picture(&self) -> Picture {
        Picture::of(&self.env.path(), &APART)
    }

    /// Runs a command in the clone, and holds it to what it may do.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str], may: May<'_>) -> Seen {
        self.run_in(&self.env.root(), args, may)
    }

    /// The same in any folder.
    #[track_caller]
    pub(crate) fn run_in(&self, folder: &Path, args: &[&str], may: May<'_>) -> Seen {
        let before = self.picture();
        let seen = seen::run(&self.env.command_in(folder, args));
        let written = before.changed(&self.picture());
        let told = &seen.ran;
        let is_allowed = |path: &&String| {
            may.write.iter().any(|it| path == it || (it.ends_with('/') && path.starts_with(it)))
        };
        let wrong: Vec<&String> = written.iter().filter(|path| !is_allowed(path)).collect();
        assert!(wrong.is_empty(), "{wrong:?} may not change: {told}");
        self.holds_to_programs_and_hosts(&seen, may);
        assert!(told.took < BOUND, "{told}");
        self.tells_no_secret(&seen, &written);
        names_its_way_out(&seen);
        seen
    }

    #[track_caller]
    fn holds_to_programs_and_hosts(&self, seen: &Seen, may: May<'_>) {
        let (told, git) = (&seen.ran, self.git());
        let unknown = |it: &&PathBuf| **it != git && !may.run.contains(it);
        let programs: Vec<&PathBuf> = seen.programs.iter().filter(unknown).collect();
        assert!(programs.is_empty(), "{programs:?} may not run: {told}");
        if may.run.is_empty() {
            assert_eq!(self.ran(), None, "{told}");
        }
        let account = self.cloud.base_url().split('/').nth(2).unwrap();
        let mut hosts: BTreeSet<SocketAddr> = BTreeSet::from([account.parse().unwrap()]);
        hosts.extend(may.speak.then(|| self.host.address().parse::<SocketAddr>().unwrap()));
        let elsewhere: Vec<&SocketAddr> = seen.hosts.difference(&hosts).collect();
        assert!(elsewhere.is_empty(), "{elsewhere:?} may not be connected to: {told}");
        assert!(seen.others.is_empty(), "{:?}: {told}", seen.others);
        if !may.speak {
            assert_eq!(self.host.heard(), [""; 0], "{told}");
        }
    }

    /// Nothing of the user's stands in what is said, in a file that others may read, in the account or in
    /// what envc records.
    #[track_caller]
    fn tells_no_secret(&self, seen: &Seen, written: &BTreeSet<String>) {
        let (told, token) = (&seen.ran, self.env.var("CLOUDFLARE_API_TOKEN"));
        for text in [&told.stdout, &told.stderr] {
            assert!(!text.contains(BAIT) && !text.contains(&token), "{told}");
        }
        for path in written {
            let path = self.env.path().join(path);
            let there = path.symlink_metadata();
            if there.is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o077 != 0) {
                assert!(!holds(&path, BAIT) && !holds(&path, &token), "{}: {told}", path.display());
            }
        }
        for folder in APART {
            for path in files_below(&self.env.path().join(folder)) {
                assert!(!holds(&path, BAIT), "{}: {told}", path.display());
            }
        }
    }

    /// Every command that looks, each of which changes nothing.
    #[track_caller]
    pub(crate) fn look(&self) {
        for args in LOOKS {
            self.run(args, May::default());
        }
    }

    /// The commands that look at what the spec names, each of which changes nothing.
    #[track_caller]
    pub(crate) fn look_at_this(&self) {
        for args in LOOKS_AT_THIS {
            self.run(args, May::default());
        }
    }
}

/// Who is refused is told what to do.
#[track_caller]
fn names_its_way_out(seen: &Seen) {
    let told = &seen.ran;
    if told.code == Some(0) {
        return;
    }
    assert!(told.code.is_some_and(|code| code != 101), "{told}");
    let text = format!("{}{}", told.stdout, told.stderr);
    let is_json = told.stdout.starts_with('{');
    let words: &[&str] =
        if is_json { &["\"hints\":[\"", "\"help\":\""] } else { &["hint: ", "help: "] };
    assert!(words.iter().any(|word| text.contains(word)), "no way out is named: {told}");
}

fn holds(path: &Path, word: &str) -> bool {
    let bytes = fs::read(path).unwrap();
    bytes.windows(word.len()).any(|it| it == word.as_bytes())
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(at).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found
}
