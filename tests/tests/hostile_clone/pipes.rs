//! Pipes in place of files, which an archive can bring: whoever opens one for reading waits for somebody
//! who writes into it. No command waits.

use crate::{
    everything::SPEC,
    world::{May, NOTES, WORKS, World},
};

/// Seconds that git may take here.
const GIT_BOUND_S: &str = "2";

/// Where a pipe lies, and what an apply says of it.
const PIPES: &[(&str, &[&str])] = &[
    ("environment.kdl", &["a pipe", "put a file there"]),
    ("t/start.sh", &["a pipe", "put a file there"]),
    ("migrations/0001_init.sql", &["a pipe", "put a file there"]),
    ("apps/job/dist/index.js", &["a pipe", "put a file there"]),
    (".secrets.env", &["a pipe", "put a file there"]),
    (".env", &["a pipe", "put a file there"]),
    ("apps/web/.dev.vars", &["a pipe", "put a file there"]),
    ("start.sh", &["a pipe", "put a file there"]),
    (".git/HEAD", &["gave no answer within", "-type p"]),
    (".git/config", &["gave no answer within", "-type p"]),
    (".git/index", &["gave no answer within", "-type p"]),
    (".git/info/exclude", &["gave no answer within", "-type p"]),
    (".git/more", &["gave no answer within", "-type p"]),
    (".gitignore", &["gave no answer within", "-type p"]),
    // Nothing is read of these, or nothing follows from it.
    (".git/envc-working-copy", &[]),
    (".envc/working-copy.json", &[]),
];

fn with_pipe(path: &str) -> World {
    // The secret comes from the file, so that it is looked into.
    let mut world =
        World::new(&SPEC.replace("env prefix=\"SHOP_\" ; ", "").replace("require", "//"));
    world.env.set("ENVC_TEST_GIT_BOUND", GIT_BOUND_S);
    for (path, text) in [
        ("migrations/0001_init.sql", "CREATE TABLE notes (body TEXT);\n"),
        ("apps/job/dist/index.js", "export default {}\n"),
        ("t/start.sh", "#!/bin/sh\n"),
        ("apps/web/src/index.ts", ""),
        (".secrets.env", "KEY=b41t-key\n"),
        (".gitignore", ".env*\n.dev.vars\n.envc/\nwrangler.jsonc\n.secrets.env\nstart.sh\n"),
    ] {
        world.env.write(path, text);
    }
    world.env.git(&["add", "--all"]);
    world.env.git(&["commit", "--quiet", "--message", "all"]);
    if path == ".git/more" {
        world.env.git(&["config", "include.path", "more"]);
    }
    world.pipe(path);
    world
}

fn ends(path: &str, says: &[&str]) {
    let world = with_pipe(path);
    world.look_at_this();
    let write = [
        &NOTES[..],
        &["project/.env", "project/apps/web/.dev.vars", "project/start.sh"],
        &["project/apps/web/wrangler.jsonc", "project/apps/job/wrangler.jsonc"],
    ]
    .concat();
    let write = if says.is_empty() { write.as_slice() } else { &NOTES[..1] };
    for args in WORKS {
        let ran = world.run(args, May { write, ..May::default() }).ran;
        if args.contains(&"apply") {
            assert_eq!(ran.code == Some(0), says.is_empty(), "{path}: {ran}");
            for word in says {
                assert!(ran.stderr.contains(word), "{path}: {word}: {ran}");
            }
        }
    }
}

#[test]
fn no_command_waits_for_who_writes_into_a_pipe() {
    let (first, second) = PIPES.split_at(PIPES.len() / 2);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| second.iter().for_each(|(path, says)| ends(path, says)));
        for (path, says) in first {
            ends(path, says);
        }
        other.join().unwrap();
    });
}
