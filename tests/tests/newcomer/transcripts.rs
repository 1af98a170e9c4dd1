//! The transcripts of README, run line by line.

use std::path::Path;

use crate::{
    readme::{Entry, Transcript},
    world::{Background, Machine, World, dev_port},
};

/// The port that README's transcript names.
const SHOWN_PORT: &str = "8787";

/// Runs all commands of a transcript in a folder.
#[track_caller]
fn play(machine: &Machine, folder: &Path, entries: &[Entry]) -> Vec<Entry> {
    let mut running: Vec<Background> = Vec::new();
    let mut printed = Vec::new();
    for entry in entries {
        let command = &entry.command;
        let mut output = Vec::new();
        if let Some((line, _)) = command.split_once(" >").filter(|_| command.ends_with('&')) {
            let mut background = machine.start(folder, line);
            background.serves(dev_port(folder));
            running.push(background);
        } else if command.starts_with("kill ") {
            running.clear();
        } else {
            let line = if running.is_empty() {
                command.clone()
            } else {
                command.replace(SHOWN_PORT, &dev_port(folder).to_string())
            };
            let ran = machine.run(folder, &line).exits(0);
            output.extend(ran.stdout.lines().map(str::to_owned));
        }
        printed.push(Entry { command: command.clone(), output });
    }
    printed
}

#[test]
fn the_quickstart_is_as_readme_shows() {
    let world = World::new();
    let machine = world.machine("new");
    let folder = world.copy(&machine, "specs/quickstart", "quickstart");
    machine.run(&folder, "git switch --quiet --create fix-login").exits(0);
    let transcript = Transcript::read("the quickstart");
    transcript.is(&play(&machine, &folder, &transcript.entries));
}

#[test]
fn one_pull_request_is_as_readme_shows() {
    let world = World::new();
    let cloudflare = world.cloudflare("of shop");
    let first = world.machine("new");
    let bare = world.repository(&first, "tests/fixtures/newcomer", "shop");
    let runner = first.on(&cloudflare).with("CI", "true").with("SHOP_AUTH_KEY", "not-a-real-key");
    let folder = world.clone(&runner, &bare, "job", "main");
    let transcript = Transcript::read("a pull request");
    let (last, before) = transcript.entries.split_last().expect("README shows a pull request");
    let mut printed = play(&runner, &folder, before);
    // Another job knows nothing of the first one.
    let runner = world.machine("closing").on(&cloudflare).with("CI", "true");
    let folder = world.clone(&runner, &bare, "closing", "main");
    printed.extend(play(&runner, &folder, std::slice::from_ref(last)));
    transcript.is(&printed);
    assert_eq!(cloudflare.names(), Vec::<String>::new());
}
