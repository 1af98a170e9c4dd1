//! Attacks that are refused, each by itself: no command does what it wants, and each that refuses says
//! why and what to do.

use std::fs;

use crate::world::{BAIT, May, NOTES, WORKS, World};

const HEAD: &str = "project \"shop\"\n\
    environment \"local\" default { identity branch max-length=20 unique }\n\
    allow \"unused_resource\"\n\
    kv \"cache\"\n";

/// One attack.
struct Attack {
    name: &'static str,
    /// The spec, behind the usual head.
    spec: &'static str,
    /// What else lies in the clone.
    plant: fn(&World),
    /// What an apply that refuses says; nothing where the attack comes to nothing, and it goes well.
    says: &'static [&'static str],
}

/// A Worker whose bundle is uploaded.
const BUNDLE: &str = "worker \"job\" path=\".\" deploy=\"bundle\" bundle=\"dist\" compatibility-date=\"2026-09-01\"\n";
const TEMPLATE: &str = "file \"out.txt\" template=\"t\"\n";
const DATABASE: &str = "d1 \"app\" { migrations \"m\" ; seed \"s.sql\" }\n";
const OUTSIDE: &str = "a link on the way leads out of the repository";
const OF_SECRETS: &str = "it is a file of secrets";

fn database(world: &World) {
    world.env.write("m/0001_a.sql", "CREATE TABLE a (b TEXT);\n");
    world.env.write("s.sql", "INSERT INTO a VALUES ('x');\n");
}

fn bundle(world: &World) {
    world.env.write("dist/index.js", "export default {}\n");
}

/// Links out of the clone in place of all that is read, and files of secrets in it.
const READS: &[Attack] = &[
    Attack {
        name: "the spec is a link to a file of the user's",
        spec: "",
        plant: |world| world.link(world.bait(".aws/credentials"), "environment.kdl"),
        says: &["is a link that leads out of the repository", "put the file itself there"],
    },
    Attack {
        name: "a template is one",
        spec: TEMPLATE,
        plant: |world| world.link(world.bait(".npmrc"), "t"),
        says: &[OUTSIDE, "put the file itself there"],
    },
    Attack {
        name: "a folder of migrations is one",
        spec: DATABASE,
        plant: |world| {
            database(world);
            world.link(world.bait(".ssh/id_ed25519").parent().unwrap(), "m");
        },
        says: &[OUTSIDE],
    },
    Attack {
        name: "a migration is one",
        spec: DATABASE,
        plant: |world| {
            database(world);
            world.link(world.bait(".netrc"), "m/0002_b.sql");
        },
        says: &[OUTSIDE],
    },
    Attack {
        name: "a seed is one",
        spec: DATABASE,
        plant: |world| {
            database(world);
            world.link(world.bait(".config/gh/hosts.yml"), "s.sql");
        },
        says: &[OUTSIDE],
    },
    Attack {
        name: "a bundle is a link to a folder of the user's",
        spec: BUNDLE,
        plant: |world| world.link(world.bait(".aws/credentials").parent().unwrap(), "dist"),
        says: &[OUTSIDE],
    },
    Attack {
        name: "a module is one to a file",
        spec: BUNDLE,
        plant: |world| {
            bundle(world);
            world.link(world.bait(".npmrc"), "dist/a.txt");
        },
        says: &[OUTSIDE],
    },
    Attack {
        name: "a file of secrets is a link",
        spec: "secrets { dotenv \".secrets.env\" }\ndotenv \".env\" { KEY (secret)\"KEY\" }\n",
        plant: |world| world.link(world.bait(".aws/credentials"), ".secrets.env"),
        says: &["is reached through a link", "add a line to"],
    },
    Attack {
        name: "a template is git's configuration",
        spec: TEMPLATE,
        plant: |world| {
            world.env.git(&["config", "http.extraheader", &format!("{BAIT}header")]);
            world.link(".git/config", "t");
        },
        says: &["a folder that git keeps for itself"],
    },
    Attack {
        name: "a template is a dotenv file that the spec does not name",
        spec: TEMPLATE,
        plant: |world| {
            world.env.write("apps/.env.production", &format!("KEY={BAIT}env\n"));
            world.link("apps/.env.production", "t");
        },
        says: &[OF_SECRETS, "name another file"],
    },
    Attack {
        name: "a template names one itself",
        spec: "file \"out.txt\" template=\"apps/.envrc\"\n",
        plant: |world| world.env.write("apps/.envrc", &format!("export KEY={BAIT}envrc\n")),
        says: &[OF_SECRETS],
    },
    Attack {
        name: "a module is one under a link",
        spec: BUNDLE,
        plant: |world| {
            bundle(world);
            world.env.write(".env.local", &format!("KEY={BAIT}local\n"));
            world.link("../.env.local", "dist/a.txt");
        },
        says: &[OF_SECRETS],
    },
    Attack {
        name: "a module is one under a second name",
        spec: BUNDLE,
        plant: |world| {
            bundle(world);
            world.env.write(".dev.vars", &format!("KEY={BAIT}vars\n"));
            world.second_name(".dev.vars", "dist/a.txt");
        },
        says: &[OF_SECRETS],
    },
    Attack {
        name: "a seed is one",
        spec: DATABASE,
        plant: |world| {
            database(world);
            world.env.write(".secrets", &format!("KEY={BAIT}secrets\n"));
            world.link(".secrets", "s.sql");
        },
        says: &[OF_SECRETS],
    },
    Attack {
        name: "a bundle leads into itself",
        spec: BUNDLE,
        plant: |world| {
            bundle(world);
            world.link(".", "dist/a");
            world.link("../dist", "dist/b");
        },
        says: &["are one folder", "take the link away"],
    },
    Attack {
        name: "a module's name holds the terminal's own signs",
        spec: BUNDLE,
        plant: |world| {
            bundle(world);
            world.env.write("dist/\u{1b}[2J\r\nx: y\u{7}.txt", "odd\n");
        },
        says: &["cannot be uploaded", "rename the file"],
    },
    Attack {
        name: "a bundle in a repository that git does not tell of",
        spec: BUNDLE,
        plant: |world| {
            bundle(world);
            fs::remove_file(world.env.root().join(".git/HEAD")).unwrap();
        },
        says: &["git does not tell of the repository", "see what git says: git -C"],
    },
];

/// Files that are written where a hostile clone wants them.
const WRITES: &[Attack] = &[
    Attack {
        name: "a generated file's folder is a link to git's hooks",
        spec: "file \"h/pre-commit\" template=\"t\" mode=\"0755\"\n",
        plant: |world| {
            world.env.write("t", "#!/bin/sh\ntouch ran\n");
            world.link(".git/hooks", "h");
        },
        says: &["a link stands on the way", "give the real path"],
    },
    Attack {
        name: "a generated file is a link to a file of the user's",
        spec: "file \"rc\" template=\"t\"\n",
        plant: |world| {
            world.env.write("t", "touch ran\n");
            world.link(world.bait(".bashrc"), "rc");
        },
        says: &["a link stands on the way"],
    },
    Attack {
        name: "a generated file in a bare repository",
        spec: "file \"store/hooks/post-checkout\" template=\"t\" mode=\"0755\"\n",
        plant: |world| {
            world.env.write("t", "#!/bin/sh\ntouch ran\n");
            world.env.git(&["init", "--quiet", "--bare", "store"]);
        },
        says: &["git keeps for itself", "give the file another path"],
    },
    Attack {
        name: "a generated file in place of the spec, under a second name",
        spec: "file \"other.kdl\" template=\"t\"\n",
        plant: |world| {
            world.env.write("t", "project \"other\"\n");
            world.second_name("environment.kdl", "other.kdl");
        },
        says: &["would be written over what is read", "give the generated file another path"],
    },
    Attack {
        name: "a private file is a second name of a file of the user's",
        spec: "worker \"web\" path=\".\" { secret \"SHOP_KEY\" }\n",
        plant: |world| world.second_name(world.bait(".netrc"), ".dev.vars"),
        says: &["would be overwritten", "no diff", "--force"],
    },
    Attack {
        name: "the cache is a link to git's configuration",
        spec: "",
        plant: |world| {
            world.link("../.git/config", ".envc/working-copy.json");
            world.link("../.git/config", ".envc/.gitignore");
        },
        says: &[],
    },
    Attack {
        name: "the cache's folder is a link to the user's keys",
        spec: "",
        plant: |world| world.link(world.bait(".ssh/id_ed25519").parent().unwrap(), ".envc"),
        says: &[],
    },
];

/// Credentials that are asked for, and texts that would take time, memory or the terminal.
const ASKS: &[Attack] = &[
    Attack {
        name: "an edge gets the API token",
        spec: "edge \"http://$HOST\" token=(env)\"CLOUDFLARE_API_TOKEN\"\n",
        plant: |_| {},
        says: &["own_credential", "a credential of envc and wrangler", "under another name"],
    },
    Attack {
        name: "a file gets a credential of envc's",
        spec: "dotenv \".env\" { KEY (env)\"CF_API_KEY\" }\n",
        plant: |_| {},
        says: &["own_credential", "a credential of envc and wrangler"],
    },
    Attack {
        name: "a prefix leads to one",
        spec: "secrets { env prefix=\"CF_API_\" }\ndotenv \".env\" { A (secret)\"KEY\" }\n",
        plant: |_| {},
        says: &["which no spec may have read", "under another name than CF_API_KEY"],
    },
    Attack {
        name: "an edge gets another variable",
        spec: "edge \"http://$HOST\" token=(env)\"AWS_SECRET_ACCESS_KEY\" { pool \"p\" }\n\
            lease \"l\" pool=\"p\"\n",
        plant: |_| {},
        says: &["what nobody approved", "the variable AWS_SECRET_ACCESS_KEY", "envc trust"],
    },
    Attack {
        name: "an edge gets a secret",
        spec: "edge \"http://$HOST\" token=(secret)\"GITHUB_TOKEN\" { pool \"p\" }\n\
            lease \"l\" pool=\"p\"\n",
        plant: |_| {},
        says: &["what nobody approved", "the secret GITHUB_TOKEN (the variable GITHUB_TOKEN)"],
    },
    Attack {
        name: "a template takes all memory",
        spec: TEMPLATE,
        plant: |world| world.env.write("t", "{{ \"%4000000000d\" | format(1) }}\n"),
        says: &["no filter `format`"],
    },
    Attack {
        name: "a template takes all time",
        spec: TEMPLATE,
        plant: |world| {
            let loops = "{% for i in range(9999) %}".repeat(9);
            world.env.write("t", &format!("{loops}x{}", "{% endfor %}".repeat(9)));
        },
        says: &["the template "],
    },
    Attack {
        name: "names with the terminal's own signs",
        spec: "file \"o\\u{1b}]0;owned\\u{7}.txt\" template=\"t\"\n",
        plant: |world| world.env.write("t", "x\n"),
        says: &["\\u{1b}"],
    },
];

#[track_caller]
fn comes_to_nothing(attack: &Attack) {
    let Attack { name, spec, plant, says } = attack;
    let world = World::new(&format!("{HEAD}{spec}"));
    world.env.write(".gitignore", "*.txt\n.env*\n.dev.vars\n.envc/\nwrangler.jsonc\n");
    world.commit();
    plant(&world);
    world.look_at_this();
    // What is refused writes nothing; what goes well leaves envc's own notes.
    let write = if says.is_empty() { &NOTES[..] } else { &NOTES[..1] };
    for args in WORKS {
        let ran = world.run(args, May { write, ..May::default() }).ran;
        if args.contains(&"apply") {
            assert_eq!(ran.code == Some(0), says.is_empty(), "{name}: {ran}");
            for word in *says {
                assert!(ran.stdout.contains(word) || ran.stderr.contains(word), "{word}: {ran}");
            }
        }
    }
    if !says.is_empty() {
        let sent = world.cloud.requests();
        assert!(sent.iter().all(|it| it.method == "GET"), "{name}: {sent:?}");
    }
}

#[track_caller]
fn each_comes_to_nothing(attacks: &[Attack]) {
    for attack in attacks {
        comes_to_nothing(attack);
    }
}

/// Two at once: each waits for processes most of the time.
#[test]
fn what_is_read_is_the_clones_own_and_no_secret() {
    let (first, second) = READS.split_at(READS.len() / 2);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| each_comes_to_nothing(second));
        each_comes_to_nothing(first);
        other.join().unwrap();
    });
}

#[test]
fn what_is_written_is_written_where_its_path_says() {
    each_comes_to_nothing(WRITES);
}

#[test]
fn no_credential_goes_out_and_no_text_takes_the_machine() {
    each_comes_to_nothing(ASKS);
}

#[test]
fn a_private_file_that_is_a_second_name_of_another_is_not_written_through() {
    let world = World::new(&format!("{HEAD}worker \"web\" path=\".\" {{ secret \"SHOP_KEY\" }}\n"));
    let outside = world.bait(".netrc");
    let before = fs::read(&outside).unwrap();
    world.second_name(&outside, ".dev.vars");
    let write = [&NOTES[..], &["project/.dev.vars", "project/wrangler.jsonc"]].concat();
    let may = May { write: &write, ..May::default() };
    assert_eq!(world.run(&["apply", "--yes", "--force"], may).ran.code, Some(0));
    assert_eq!(fs::read(&outside).unwrap(), before);
    assert_eq!(world.run(&["destroy", "--yes"], may).ran.code, Some(0));
    assert_eq!(fs::read(&outside).unwrap(), before);
}
