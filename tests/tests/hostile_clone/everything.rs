//! All at once, in a clone whose spec is right: it is looked at and applied as any other, and nothing
//! of it runs, is sent, or gets to where it does not belong.

use std::{fs, process::Command};

use crate::world::{BAIT, May, NOTES, World};

/// A spec that asks for nothing odd.
pub(crate) const SPEC: &str = "project \"shop\" { zone \"shop.example\" }\n\
    environment \"local\" default { identity branch max-length=20 unique }\n\
    secrets { env prefix=\"SHOP_\" ; dotenv \".secrets.env\" }\n\
    require \"shoptool\" version=\">=1\"\n\
    kv \"cache\"\n\
    d1 \"app\" { migrations \"migrations\" }\n\
    worker \"web\" path=\"apps/web\" main=\"src/index.ts\" compatibility-date=\"2026-09-01\" {\n\
        bind \"DB\" d1=\"app\"\n\
        secret \"KEY\"\n\
    }\n\
    worker \"job\" path=\"apps/job\" deploy=\"bundle\" bundle=\"dist\" compatibility-date=\"2026-09-01\" {\n\
        bind \"CACHE\" kv=\"cache\"\n\
    }\n\
    dotenv \".env\" { KEY (secret)\"KEY\" ; ID \"{kv.cache.id}\" }\n\
    file \"start.sh\" template=\"t/start.sh\" mode=\"0755\"\n";

/// What an apply of it writes, and nothing else.
const WRITTEN: [&str; 5] = [
    "project/.env",
    "project/apps/web/.dev.vars",
    "project/apps/web/wrangler.jsonc",
    "project/apps/job/wrangler.jsonc",
    "project/start.sh",
];

/// Links to where wrangler keeps its copies, and the folders of these links.
const LINKED: [&str; 4] = [
    "project/apps/job/.wrangler",
    "project/apps/job/.wrangler/state",
    "project/apps/web/.wrangler",
    "project/apps/web/.wrangler/state",
];

/// A branch's name that a shell would run.
const BRANCH: &str = "x';$(touch${IFS}ran);\"`touch${IFS}ran`\";'y";

/// The clone with all that is in it.
pub(crate) fn clone() -> World {
    // `wrangler dev` works on copies here, which wrangler would migrate.
    let mut world = World::new(&format!("{SPEC}dev \"local\"\n"));
    let env = &world.env;
    for (path, text) in [
        ("migrations/0001_init.sql", "CREATE TABLE notes (body TEXT);\n"),
        ("migrations/0002_\u{1b}]0;owned\u{7}\u{1b}[2J.sql", "CREATE TABLE more (body TEXT);\n"),
        ("apps/web/src/index.ts", "export default {}\n"),
        ("apps/job/dist/index.js", "export default { fetch() { return new Response('x') } }\n"),
        ("t/start.sh", "#!/bin/sh\nprintf '%s\\n' {{ env.branch | sh }}\n"),
        (".gitattributes", "* filter=own diff=own merge=own\n"),
        (
            ".gitmodules",
            "[submodule \"module\"]\n\tpath = module\n\turl = ../module\n\tupdate = !touch ran\n",
        ),
    ] {
        env.write(path, text);
    }
    // A cache that nobody here signed, of somebody else's environment.
    let theirs = "main-t1a2b3beef";
    let cache = format!(
        "{{\"schema\":1,\"project\":\"shop\",\"key\":\"/somewhere/.git\",\"root\":\"/somewhere\",\
         \"record\":{{\"bound\":{{\"env\":\"{theirs}\",\"type\":\"local\"}},\"environments\":{{}},\"files\":{{}}}}}}"
    );
    env.write(".envc/working-copy.json", &cache);
    // Programs where `npm run` puts its folder, and as hooks, in the clone and in a bare repository in it.
    for name in ["git", "wrangler", "node", "shoptool", "sh", "strace"] {
        world.program(&format!("node_modules/.bin/{name}"));
    }
    let spy = world.program("spy");
    for name in ["pre-commit", "post-checkout", "post-index-change", "reference-transaction"] {
        world.program(&format!("bare/hooks/{name}"));
        world.program(&format!("hooks/{name}"));
    }
    let config = format!(
        "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = ../\n\tfsmonitor = {0}\n\
         \thooksPath = hooks\n\tpager = {0}\n\tsshCommand = {0}\n[filter \"own\"]\n\tclean = {0}\n\
         \tsmudge = {0}\n\tprocess = {0}\n[diff \"own\"]\n\ttextconv = {0}\n[alias]\n\trev-parse = !{0}\n\
         [include]\n\tpath = ../more.config\n",
        spy.display()
    );
    for (path, text) in [
        ("bare/HEAD", "ref: refs/heads/main\n"),
        ("bare/config", config.as_str()),
        ("bare/objects/.keep", ""),
        ("bare/refs/.keep", ""),
        ("more.config", &format!("[core]\n\tfsmonitor = {}\n", spy.display())),
    ] {
        world.env.write(path, text);
    }
    world.env.git(&["checkout", "--quiet", "-b", BRANCH]);
    world.commit();
    as_an_archive_brings_it(&world, &config);
    let bin = world.env.root().join("node_modules/.bin");
    let path = format!("{}:{}", bin.display(), world.env.var("PATH"));
    world.env.set("PATH", &path);
    world
}

/// What git itself never carries: its own configuration, a submodule's, a second working tree.
fn as_an_archive_brings_it(world: &World, config: &str) {
    let root = world.env.root();
    let worktree = world.env.worktree("side");
    let module = root.join(".git/modules/module");
    world.env.git(&["init", "--quiet", root.join("module").to_str().unwrap()]);
    fs::create_dir_all(module.parent().unwrap()).unwrap();
    fs::rename(root.join("module/.git"), &module).unwrap();
    fs::write(root.join("module/.git"), "gitdir: ../.git/modules/module\n").unwrap();
    let of_module = config.replace("worktree = ../\n", "worktree = ../../../module\n");
    fs::write(module.join("config"), of_module).unwrap();
    for name in ["pre-commit", "post-checkout", "post-index-change"] {
        world.program(&format!(".git/hooks/{name}"));
    }
    let own = root.join(".git/config");
    let text = config.replace("\tworktree = ../\n", "");
    fs::write(&own, format!("{}{text}", fs::read_to_string(&own).unwrap())).unwrap();
    assert!(worktree.join("environment.kdl").is_file());
    fs::copy(root.join("environment.kdl"), root.join("module/environment.kdl")).unwrap();
}

#[test]
fn a_clone_with_everything_in_it_is_looked_at_and_nothing_of_it_runs() {
    let world = clone();
    world.look();
    let bare = world.env.root().join("bare");
    fs::copy(world.env.root().join("environment.kdl"), bare.join("environment.kdl")).unwrap();
    let worktree = world.env.path().join("worktree-side");
    for folder in [bare, worktree, world.env.root().join("module")] {
        for args in
            [&["check"][..], &["plan"], &["show"], &["fmt", "--check"], &["trust", "--print"]]
        {
            world.run_in(&folder, args, May::default());
        }
    }
    let said = world.run(&["plan"], May::default());
    assert!(said.ran.stderr.contains("the checkout brings it"), "{}", said.ran);
    assert!(!said.ran.stdout.contains("t1a2b3beef"), "{}", said.ran);
}

#[test]
fn it_is_applied_and_destroyed_and_writes_what_its_spec_says() {
    let world = clone();
    let write = [&WRITTEN[..], &LINKED, &NOTES].concat();
    let may = May { write: &write, ..May::default() };
    let applied = world.run(&["apply", "--yes"], may);
    assert_eq!(applied.ran.code, Some(0), "{}", applied.ran);
    for word in ["shoptool", "which the checkout brings", "nobody approved"] {
        assert!(applied.ran.stderr.contains(word), "{word}: {}", applied.ran);
    }
    assert!(!applied.ran.stderr.contains('\u{1b}'), "{}", applied.ran);
    for path in &WRITTEN {
        assert!(world.env.path().join(path).is_file(), "{path}");
    }
    assert!(world.env.read(".env").unwrap().contains(BAIT), "a private file has the secret");
    // The script that names the branch prints it, and runs none of it.
    let script = world.env.root().join("start.sh");
    let printed = Command::new(script).current_dir(world.env.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&printed.stdout), format!("{BRANCH}\n"));
    assert!(!world.env.path().join("ran").exists());
    world.look();
    let again = world.run(&["apply", "--yes"], may);
    assert!(again.ran.stdout.contains("Nothing to do"), "{}", again.ran);
    let gone = world.run(&["destroy", "--yes"], may);
    assert_eq!(gone.ran.code, Some(0), "{}", gone.ran);
    for path in &WRITTEN {
        assert!(!world.env.path().join(path).exists(), "{path}");
    }
    world.look();
}
