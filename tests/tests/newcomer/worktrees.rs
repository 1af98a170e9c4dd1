//! Two worktrees with secrets, each with rows of its own.

use std::path::Path;

use crate::world::{Machine, World, config, dev_port};

/// Asks a Worker, as the newcomer does with curl.
#[track_caller]
pub(crate) fn curl(machine: &Machine, folder: &Path, arguments: &str) -> String {
    let line = format!("curl --silent --show-error --fail-with-body --max-time 30 {arguments}");
    machine.run(folder, &line).exits(0).stdout.trim().to_owned()
}

/// Orders something through the API, which keeps it in the database.
#[track_caller]
pub(crate) fn order(machine: &Machine, folder: &Path, port: u16, path: &str, item: &str) -> String {
    let arguments =
        format!("localhost:{port}{path} --header 'authorization: Bearer one' --data '{item}'");
    curl(machine, folder, &arguments)
}

#[test]
#[ignore = "takes minutes: run it with `cargo xtask newcomer`"]
fn two_worktrees_have_secrets_and_rows_of_their_own() {
    let world = World::new();
    let machine = world.machine("developer");
    let bare = world.repository(&machine, "tests/fixtures/newcomer", "shop");
    let clone = world.clone(&machine, &bare, "shop", "main");
    machine.run(&clone, "echo AUTH_KEY=one >.secrets.env").exits(0);
    machine.run(&clone, "envc apply").exits(0);
    let trees = ["a", "b"].map(|name| {
        let line = format!("git worktree add --quiet ../tree-{name} -b feat/{name}");
        machine.run(&clone, &line).exits(0);
        let tree = world.path(&format!("tree-{name}"));
        // The secrets' file is ignored by git, so it is in the main working tree alone.
        machine.run(&tree, "envc apply").exits(0);
        tree
    });
    let mut names = Vec::new();
    for (tree, item) in trees.iter().zip(["milk", "tea"]) {
        let (api, web) = (tree.join("apps/api"), tree.join("apps/web"));
        names.push(config(&api)["name"].clone());
        let mut running = machine.start(&api, "wrangler dev");
        running.serves(dev_port(&api));
        let made = order(&machine, tree, dev_port(&api), "/", item);
        assert_eq!(made, "{\"id\":1,\"inCart\":1}");
        // Both Workers see one database, and the service binding leads to the neighbour.
        let mut beside = machine.start(&web, "wrangler dev");
        beside.serves(dev_port(&web));
        let orders = format!("localhost:{}/orders", dev_port(&web));
        let one = format!("{{\"id\":1,\"item\":\"{item}\"}}");
        assert_eq!(curl(&machine, tree, &orders), format!("[{one}]"));
        let made = order(&machine, tree, dev_port(&web), "/order", "cake");
        assert_eq!(made, "{\"id\":2,\"inCart\":2}");
        let home = curl(&machine, tree, &format!("localhost:{}/", dev_port(&web)));
        assert!(home.contains("<h1>Shop</h1>"), "{home}");
        drop((running, beside));
        let again = machine.run(tree, "envc apply").exits(0);
        assert!(again.stdout.contains("Nothing to do"), "{again}");
    }
    assert_ne!(names[0], names[1]);

    // One goes, whole; the others stay.
    machine.run(&trees[0], "envc destroy --yes").exits(0);
    let left = machine.run(&trees[0], "git status --porcelain --ignored").exits(0).stdout;
    let kept: Vec<&str> = left.lines().filter(|line| line.contains("wrangler.jsonc")).collect();
    assert_eq!(kept, Vec::<&str>::new(), "{left}");
    assert_eq!(databases(&trees[0]), Vec::<String>::new());
    assert!(!databases(&trees[1]).is_empty());
    for folder in [&trees[1], &clone] {
        let ran = machine.run(folder, "envc plan").exits(0);
        assert!(ran.stdout.contains("No changes"), "{ran}");
    }
    // With the worktree's folder gone, git and envc are at rest.
    machine.run(&clone, "git worktree remove --force ../tree-a").exits(0);
    machine.run(&clone, "envc apply").exits(0);
}

/// The local databases that wrangler would open, but for its own bookkeeping.
#[track_caller]
fn databases(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder can be read") {
            let path = entry.expect("an entry can be read").path();
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else if path.to_string_lossy().contains("D1DatabaseObject")
                && path.extension().is_some_and(|it| it == "sqlite")
                && !path.ends_with("metadata.sqlite")
            {
                found.push(path.display().to_string());
            }
        }
    }
    found
}
