//! What a command did, by its system calls: the programs that it and its children executed, and where
//! they connected to.
//!
//! Seen with strace, from outside of the process: nothing that is said of a command decides here.

use std::{
    collections::BTreeSet,
    fs,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
};

use envc_tests::{Ran, Running};

/// What is done where there is no strace, or where it may not look.
const WAY_OUT: &str = "this test sees a command's system calls with strace, as `.ci/run` does. Install it \
    (Debian: apt-get install strace), and let processes be traced (in a container: \
    --cap-add=SYS_PTRACE). It is not skipped: without it nothing is seen.";

/// A command that ended, and what it did.
#[derive(Debug)]
pub(crate) struct Seen {
    /// How it ended.
    pub(crate) ran: Ran,
    /// The programs that were executed besides the command itself, whether or not they are there.
    pub(crate) programs: BTreeSet<PathBuf>,
    /// The hosts that were connected to, or sent to.
    pub(crate) hosts: BTreeSet<SocketAddr>,
    /// What else was connected to, as strace writes it.
    pub(crate) others: BTreeSet<String>,
}

/// Runs a command to its end, and looks at its calls.
pub(crate) fn run(command: &Command) -> Seen {
    let folder = tempfile::tempdir().unwrap();
    let written = folder.path().join("trace");
    let program = Path::new(command.get_program()).to_owned();
    // The command's own PATH says nothing of where strace is.
    let mut traced = Command::new(find("strace").unwrap_or_else(|| panic!("{WAY_OUT}")));
    traced.args(["-ff", "-qq", "-s", "4096", "-e", "signal=none"]);
    traced.args(["-e", "trace=execve,execveat,connect,sendto,sendmsg,sendmmsg", "-o"]);
    traced.arg(&written).arg("--").arg(&program).args(command.get_args());
    traced.current_dir(command.get_current_dir().unwrap()).env_clear();
    for (name, value) in command.get_envs() {
        traced.env(name, value.unwrap());
    }
    let ran = Running::start(traced).end();
    let mut seen =
        Seen { ran, programs: BTreeSet::new(), hosts: BTreeSet::new(), others: BTreeSet::new() };
    let mut began = false;
    for entry in fs::read_dir(folder.path()).unwrap() {
        for line in fs::read_to_string(entry.unwrap().path()).unwrap().lines() {
            began |= seen.note(line, &program);
        }
    }
    assert!(began, "{}\n{WAY_OUT}", seen.ran);
    seen
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|it| it.is_file())
}

impl Seen {
    /// Notes a line of strace; true for the command's own beginning.
    fn note(&mut self, line: &str, program: &Path) -> bool {
        let Some((call, rest)) = line.split_once('(') else { return false };
        match call {
            "execve" | "execveat" => {
                let name = rest.split('"').nth(1).unwrap_or_default();
                if Path::new(name) == program {
                    return true;
                }
                self.programs.insert(PathBuf::from(name));
            }
            "connect" | "sendto" | "sendmsg" | "sendmmsg" => {
                if let Some(host) = host_of(rest) {
                    self.hosts.insert(host);
                } else if rest.contains("sa_family=") {
                    self.others.insert(line.to_owned());
                }
            }
            _ => {}
        }
        false
    }
}

/// The address in a call.
fn host_of(call: &str) -> Option<SocketAddr> {
    let after = |mark: &str| call.split_once(mark).map(|(_, rest)| rest);
    let until = |text: &'static str, end: char| after(text)?.split(end).next();
    let (address, port) = if call.contains("sa_family=AF_INET6") {
        (until("inet_pton(AF_INET6, \"", '"')?, until("sin6_port=htons(", ')')?)
    } else if call.contains("sa_family=AF_INET,") {
        (until("inet_addr(\"", '"')?, until("sin_port=htons(", ')')?)
    } else {
        return None;
    };
    Some(SocketAddr::new(address.parse::<IpAddr>().ok()?, port.parse().ok()?))
}

#[test]
fn programs_and_connections_are_seen_whoever_makes_them() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let script = format!("(ls >/dev/null); bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}'; exit 3");
    let mut command = Command::new(find("sh").unwrap());
    command.args(["-c", &script]).current_dir(folder.path());
    command.env("PATH", std::env::var_os("PATH").unwrap());
    let seen = run(&command);
    assert_eq!(seen.ran.code, Some(3), "{seen:?}");
    assert_eq!(seen.hosts, [([127, 0, 0, 1], port).into()].into(), "{seen:?}");
    for name in ["ls", "bash"] {
        assert!(seen.programs.iter().any(|it| it.ends_with(name)), "{name}: {seen:?}");
    }
}

#[test]
fn addresses_are_read_as_strace_writes_them() {
    for (call, host) in [
        (
            "5, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr(\"10.0.0.1\")}, 16) = 0",
            Some("10.0.0.1:80"),
        ),
        (
            "5, {sa_family=AF_INET6, sin6_port=htons(443), sin6_flowinfo=htonl(0), \
             inet_pton(AF_INET6, \"2001:db8::1\", &sin6_addr), sin6_scope_id=0}, 28) = -1",
            Some("[2001:db8::1]:443"),
        ),
        ("5, {sa_family=AF_UNIX, sun_path=\"/x\"}, 110) = 0", None),
        ("5, \"text\", 4, 0, NULL, 0) = 4", None),
    ] {
        assert_eq!(host_of(call), host.map(|it| it.parse().unwrap()), "{call}");
    }
}
