//! README: the commands of its first screen, and its transcripts.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock},
};

use regex::Regex;

/// What stands before the first heading that a newcomer has to scroll to.
const SCREEN_ENDS: &str = "\n## The spec\n";

/// The commands that README's first screen shows.
#[derive(Debug)]
pub(crate) struct FirstScreen {
    commands: Vec<Vec<String>>,
}

impl FirstScreen {
    /// Reads README.
    pub(crate) fn get() -> &'static Self {
        static SCREEN: OnceLock<FirstScreen> = OnceLock::new();
        SCREEN.get_or_init(|| {
            let text = text();
            let (screen, _) = text.split_once(SCREEN_ENDS).expect("README has a first screen");
            Self { commands: screen.lines().flat_map(commands).collect() }
        })
    }

    /// Fails for a command of envc or wrangler that is not shown.
    #[track_caller]
    pub(crate) fn shows(&self, line: &str) {
        for asked in commands(line) {
            assert!(
                self.commands.contains(&asked),
                "README's first screen does not show `{}`: {:#?}",
                asked.join(" "),
                self.commands
            );
        }
    }
}

/// The commands of envc and wrangler in a line of a shell, as words: without comments, numbers, what
/// the shell does with their output, and the consent that whoever sits at no terminal gives.
fn commands(line: &str) -> Vec<Vec<String>> {
    let line = line.strip_prefix("$ ").unwrap_or(line);
    let line = line.split('#').next().unwrap_or_default();
    line.split(['&', '(', ')', ';', '|', '\n'])
        .map(|command| {
            let words = command.split_whitespace().take_while(|word| !word.starts_with('>'));
            let words = words.filter(|word| *word != "--yes");
            let number = |word: &str| word.parse::<u32>().is_ok();
            words.map(|word| if number(word) { "N" } else { word }.to_owned()).collect()
        })
        .filter(|words: &Vec<String>| {
            words.len() > 1 && words.first().is_some_and(|it| it == "envc" || it == "wrangler")
        })
        .collect()
}

/// A command of a transcript, and what it printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) command: String,
    pub(crate) output: Vec<String>,
}

/// One transcript: all blocks between its marks.
#[derive(Debug)]
pub(crate) struct Transcript {
    name: &'static str,
    pub(crate) entries: Vec<Entry>,
}

impl Transcript {
    /// Reads the transcript of this name.
    pub(crate) fn read(name: &'static str) -> Self {
        let text = text();
        let mut entries = Vec::new();
        let mut inside = false;
        for line in between(&text, name).lines() {
            match line.strip_prefix("$ ") {
                _ if line.starts_with("```") => inside = line == "```console",
                Some(command) if inside => {
                    entries.push(Entry { command: command.to_owned(), output: Vec::new() });
                }
                _ if inside => {
                    let last: &mut Entry = entries.last_mut().expect("output follows a command");
                    last.output.push(line.to_owned());
                }
                _ => {}
            }
        }
        for entry in &mut entries {
            while entry.output.last().is_some_and(String::is_empty) {
                entry.output.pop();
            }
        }
        Self { name, entries }
    }

    /// Compares what was printed with what README says, but for what differs from run to run; with
    /// `ENVC_WRITE_README` set writes it there instead.
    #[track_caller]
    pub(crate) fn is(&self, printed: &[Entry]) {
        if env::var_os("ENVC_WRITE_README").is_some_and(|value| value == "1") {
            return self.write(printed);
        }
        for (wanted, printed) in self.entries.iter().zip(printed) {
            assert_eq!(
                plain(&wanted.output),
                plain(&printed.output),
                "README says otherwise of `{}`. It printed:\n{}\n\
                 ENVC_WRITE_README=1 writes the transcripts anew.",
                wanted.command,
                printed.output.join("\n")
            );
        }
        assert_eq!(self.entries.len(), printed.len());
    }

    fn write(&self, printed: &[Entry]) {
        static WRITES: Mutex<()> = Mutex::new(());
        let _one_at_a_time = WRITES.lock().expect("no other test failed while it wrote");
        let text = text();
        let old = between(&text, self.name);
        let mut new: Vec<&str> = Vec::new();
        let mut printed = printed.iter();
        let mut inside = false;
        for line in old.lines() {
            if line.starts_with("```") {
                inside = line == "```console";
                while !inside && new.last() == Some(&"") {
                    new.pop();
                }
            } else if inside {
                if line.starts_with("$ ") {
                    let entry = printed.next().expect("every command was run");
                    new.push(line);
                    new.extend(entry.output.iter().map(String::as_str));
                    new.push("");
                }
                continue;
            }
            new.push(line);
        }
        let new = new.join("\n") + "\n";
        fs::write(path(), text.replacen(old, &new, 1)).expect("README can be written");
    }
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")
}

fn text() -> String {
    fs::read_to_string(path()).expect("README can be read")
}

fn between<'t>(text: &'t str, name: &str) -> &'t str {
    let (_, rest) = text
        .split_once(&format!("<!-- transcript of {name} -->\n"))
        .unwrap_or_else(|| panic!("README has no transcript of {name}"));
    rest.split_once("<!-- end of transcript -->").expect("a transcript ends").0
}

/// The same text without what differs from run to run: identifiers, ports, times, and the order of
/// steps that run side by side.
fn plain(lines: &[String]) -> Vec<String> {
    let patterns = [
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID"),
        (r"\b[0-9a-f]{32}\b", "HEX"),
        (r"\bfix-login-[0-9a-z]{10}\b", "fix-login-CHANCE"),
        (r"\b\d+\.\d s\b", "TIME"),
        (r"\b(localhost|127\.0\.0\.1):\d+", "$1:PORT"),
    ];
    let patterns = patterns.map(|(pattern, by)| (Regex::new(pattern).expect("a pattern"), by));
    let mut plain: Vec<String> = lines
        .iter()
        .map(|line| {
            patterns.iter().fold(line.clone(), |line, (pattern, by)| {
                pattern.replace_all(&line, *by).into_owned()
            })
        })
        .collect();
    let steps = ["created ", "migrated ", "seeded ", "deleted "];
    let is_step = |line: &String| steps.iter().any(|verb| line.starts_with(verb));
    for run in plain.chunk_by_mut(|a, b| is_step(a) && is_step(b)) {
        run.sort();
    }
    plain
}

#[test]
fn a_transcript_is_compared_without_what_differs_from_run_to_run() {
    let one = ["created kv.a  x--a--fix-login-towch3c9f3", "migrated d1.b", "Applied, 0.5 s."];
    let two = ["migrated d1.b", "created kv.a  x--a--fix-login-0000000000", "Applied, 1.2 s."];
    let lines = |text: [&str; 3]| text.map(str::to_owned);
    assert_eq!(plain(&lines(one)), plain(&lines(two)));
    let three = ["migrated d1.c", "created kv.a  x--a--fix-login-0000000000", "Applied, 1.2 s."];
    assert_ne!(plain(&lines(one)), plain(&lines(three)));
}

#[test]
fn only_commands_of_the_first_screen_are_known() {
    let screen = FirstScreen::get();
    for line in ["envc apply", "envc apply --pr 7 --yes", "wrangler dev &", "git status"] {
        screen.shows(line);
    }
    let unknown = std::panic::catch_unwind(|| screen.shows("envc forget"));
    assert!(unknown.is_err());
}
