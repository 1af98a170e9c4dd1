//! What a checkout may do with what is its user's: nothing that was not approved.

use std::path::Path;

use envc_tests::{Overheard, Ran, ServedCloud, Terminal, TestEnv};

use crate::{
    common::{edit, says},
    local::{TWO, two},
};

const QUESTION: &str = "Approve this for this clone and its worktrees? [y/N] ";

/// A project whose state is kept at an edge, on a served cloud.
fn with_edge(host: &Overheard, token: &str) -> (TestEnv, ServedCloud) {
    let mut env = TestEnv::of_text(&format!(
        "project \"shop\" {{ state \"edge\" }}\n\
        environment \"local\" default {{ identity branch max-length=20 unique }}\n\
        edge \"http://{}\" token={token}\n\
        kv \"cache\"\n\
        allow \"unused_resource\"\n",
        host.address()
    ));
    let cloud = ServedCloud::start(&mut env, "", &[]);
    env.unset("ENVC_TRUST").set("EDGE_TOKEN", "edge-t0ken");
    (env, cloud)
}

const EDGE_TOKEN: &str = "(secret)\"EDGE_TOKEN\"";

/// Every command that may call the edge.
const COMMANDS: &[&[&str]] = &[
    &["plan"],
    &["show", "--id", "main-t1a2b3beef"],
    &["output", "--id", "main-t1a2b3beef"],
    &["migrate", "status"],
    &["apply", "--yes"],
    &["destroy", "--yes", "--id", "main-t1a2b3beef"],
    &["pool", "ls"],
    &["check"],
    &["fmt", "--check"],
    &["trust", "--print"],
];

#[test]
fn a_credential_goes_to_no_host_that_nobody_approved() {
    let host = Overheard::listen();
    for token in [EDGE_TOKEN, "(env)\"EDGE_TOKEN\""] {
        let (env, _cloud) = with_edge(&host, token);
        for args in COMMANDS {
            let ran = env.envc(args);
            assert_eq!(host.heard(), [""; 0], "{ran}");
            assert!(!ran.stderr.contains("edge-t0ken"), "{ran}");
        }
        let refused = env.envc(&["plan"]).exits(1);
        says(
            &refused,
            &[
                "environment.kdl asks for what nobody approved",
                &format!("to http://{}   new", host.address()),
                "approve it on a terminal: envc trust",
                &format!("ENVC_TRUST={}, or for exactly this set ENVC_TRUST=", host.address()),
            ],
        );
        let event = env.envc(&["plan", "--json"]).exits(1).event("error").unwrap();
        assert_eq!(event["code"], "envc::cli::not_trusted");
    }
}

#[test]
fn the_variable_approves_hosts_a_digest_or_all_of_it() {
    let host = Overheard::listen();
    let (mut env, _cloud) = with_edge(&host, EDGE_TOKEN);
    let event = env.envc(&["trust", "--print", "--json"]).exits(0).event("trust").unwrap();
    let digest = event["digest"].as_str().unwrap().to_owned();
    assert_eq!(event["items"][0]["approved"], false);
    let other = digest.replace(|it: char| it != '0', "0");
    let (port, localhost) = host.address().rsplit_once(':').map(|it| (it.1, "localhost")).unwrap();
    for (given, approved) in [
        (host.address().to_owned(), true),
        (format!("{},run:wrangler-local", host.address()), true),
        (digest.clone(), true),
        ("spec".to_owned(), true),
        (other, false),
        ("127.0.0.1".to_owned(), false),
        (format!("{localhost}:{port}"), false),
        ("run:wrangler-local".to_owned(), false),
    ] {
        env.set("ENVC_TRUST", &given);
        env.envc(&["plan"]).exits(1);
        let heard = host.heard();
        assert_eq!(!heard.is_empty(), approved, "{given}");
        assert!(heard.iter().all(|it| it.contains("Bearer edge-t0ken")), "{heard:?}");
    }
    // A spec that asks for something else has another digest.
    env.set("ENVC_TRUST", &digest).set("OTHER", "o");
    edit(&env, "(secret)\"EDGE_TOKEN\"", "(secret)\"OTHER\"");
    env.envc(&["plan"]).exits(1);
    assert_eq!(host.heard(), [""; 0]);
    env.set("ENVC_TRUST", "everything");
    says(&env.envc(&["plan"]).exits(64), &["neither a host nor `run:NAME`"]);
}

#[test]
fn a_pull_requests_spec_is_not_trusted_whatever_it_says() {
    let host = Overheard::listen();
    let (mut env, _cloud) = with_edge(&host, EDGE_TOKEN);
    env.set("ENVC_TRUST", "spec").set("GITHUB_EVENT_NAME", "pull_request");
    says(
        &env.envc(&["plan"]).exits(1),
        &["ENVC_TRUST=spec is refused", "the event is pull_request", "envc trust --print"],
    );
    assert_eq!(host.heard(), [""; 0]);
    let address = host.address().to_owned();
    env.set("ENVC_TRUST", &address);
    env.envc(&["plan"]).exits(1);
    assert_ne!(host.heard(), [""; 0]);
}

#[test]
fn no_spec_gets_envcs_own_credentials() {
    let host = Overheard::listen();
    for (token, secrets) in [
        ("(env)\"CLOUDFLARE_API_TOKEN\"", ""),
        ("(secret)\"CLOUDFLARE_API_TOKEN\"", ""),
        ("(secret)\"API_TOKEN\"", "secrets { env prefix=\"CLOUDFLARE_\" }\n"),
    ] {
        let (mut env, _cloud) = with_edge(&host, token);
        let text = env.read("environment.kdl").unwrap();
        env.write(
            "environment.kdl",
            &text.replace("kv \"cache\"", &format!("{secrets}kv \"cache\"")),
        );
        env.set("ENVC_TRUST", "spec");
        // What the text alone shows is a mistake of it.
        let code = if token.starts_with("(env)") { 65 } else { 1 };
        let ran = env.envc(&["plan"]).exits(code);
        assert!(!ran.stderr.contains(&env.var("CLOUDFLARE_API_TOKEN")), "{ran}");
        assert_eq!(host.heard(), [""; 0], "{ran}");
        let env = TestEnv::of_text(&format!(
            "project \"shop\"\n\
            environment \"local\" default {{ identity branch max-length=20 unique }}\n\
            {secrets}dotenv \".env\" {{ V {token} }}\n"
        ));
        let mut command = env.command(&["apply"]);
        command.env("CLOUDFLARE_API_TOKEN", "t0ps3cret");
        let ran = envc_tests::Running::start(command).end().exits(code);
        says(&ran, &["a credential of envc and wrangler", "under another name"]);
        let checked = env.envc(&["check"]);
        assert_eq!(checked.stderr.contains("own_credential"), code == 65, "{checked}");
        assert_eq!(env.read(".env"), None);
    }
    // What a file of the user's own says under such a name is theirs to give.
    let env = TestEnv::of_text(
        "project \"shop\"\n\
        environment \"local\" default { identity branch max-length=20 unique }\n\
        secrets { env ; dotenv \".secrets.env\" }\n\
        dotenv \".env\" { V (secret)\"CLOUDFLARE_API_TOKEN\" }\n",
    );
    env.write(".secrets.env", "CLOUDFLARE_API_TOKEN=of-the-worker\n");
    env.envc(&["apply"]).exits(0);
    assert!(env.read(".env").unwrap().contains("of-the-worker"));
}

fn asked(env: &TestEnv, folder: &Path, args: &[&str], keys: &str) -> (Option<i32>, String) {
    let mut terminal = Terminal::start(&env.command_in(folder, args), "");
    terminal.wait_for(QUESTION);
    terminal.press(keys);
    terminal.end()
}

/// What is said and done without a question.
fn not_asked(env: &TestEnv, folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let (code, screen) = Terminal::start(&env.command_in(folder, args), "").end();
    assert!(!screen.contains(QUESTION), "{screen}");
    (code, screen)
}

#[test]
fn one_answer_holds_for_the_clone_and_its_worktrees_until_the_spec_asks_for_more() {
    let host = Overheard::listen();
    let (env, _cloud) = with_edge(&host, EDGE_TOKEN);
    let root = env.root();
    let (_, screen) = asked(&env, &root, &["plan"], "y\n");
    assert!(screen.contains(&format!(
        "send the secret EDGE_TOKEN (the variable EDGE_TOKEN) to http://{}",
        host.address()
    )));
    assert_ne!(host.heard(), [""; 0]);
    not_asked(&env, &root, &["plan"]);
    let worktree = env.worktree("side");
    not_asked(&env, &worktree, &["plan"]);
    assert_ne!(host.heard(), [""; 0]);
    says(
        &env.envc(&["trust", "ls"]).exits(0),
        &[".git", "send the secret EDGE_TOKEN (the variable EDGE_TOKEN) to"],
    );

    // More is asked for: what is new is marked, and what was approved is not.
    let other = Overheard::listen();
    let text = env.read("environment.kdl").unwrap();
    env.write("environment.kdl", &text.replace(host.address(), other.address()));
    let (code, screen) = asked(&env, &root, &["plan"], "n\n");
    assert_eq!(code, Some(1), "{screen}");
    assert!(screen.contains(&format!("to http://{}   new", other.address())), "{screen}");
    assert_eq!(other.heard(), [""; 0]);
    // Who said no is asked again only by the command that is there for it.
    let (code, _) = not_asked(&env, &root, &["plan"]);
    assert_eq!((code, other.heard()), (Some(1), Vec::new()));
    let (code, screen) = asked(&env, &root, &["trust"], "y\n");
    assert_eq!(code, Some(0), "{screen}");
    not_asked(&env, &root, &["plan"]);
    assert_ne!(other.heard(), [""; 0]);

    says(&env.envc(&["trust", "revoke"]).exits(0), &["nothing is approved for"]);
    assert_eq!(env.envc(&["trust", "ls"]).exits(0).stdout, "");
    env.envc(&["plan"]).exits(1);
    assert_eq!(other.heard(), [""; 0]);
}

#[test]
fn another_clone_at_the_path_of_an_approved_one_is_asked_about_anew() {
    let host = Overheard::listen();
    let (env, _cloud) = with_edge(&host, EDGE_TOKEN);
    let root = env.root();
    asked(&env, &root, &["plan"], "y\n");
    host.heard();
    let moved = env.path().join("moved");
    std::fs::rename(&root, &moved).unwrap();
    let clone = std::process::Command::new("git")
        .args(["clone", "--quiet", moved.to_str().unwrap(), root.to_str().unwrap()])
        .status()
        .unwrap();
    assert!(clone.success());
    let ran = env.envc(&["plan"]).exits(1);
    says(&ran, &["what nobody approved"]);
    assert_eq!(host.heard(), [""; 0], "{ran}");
}

#[test]
fn a_secret_of_the_same_name_from_elsewhere_is_asked_about_anew() {
    let host = Overheard::listen();
    let (mut env, _cloud) = with_edge(&host, EDGE_TOKEN);
    let root = env.root();
    asked(&env, &root, &["plan"], "y\n");
    assert_ne!(host.heard(), [""; 0]);
    env.set("AWS_SECRET_EDGE_TOKEN", "of-another-program");
    for providers in [
        "secrets { env prefix=\"AWS_SECRET_\" }",
        "secrets { dotenv \"other.env\" }",
        "secrets { dotenv \".env\" }",
    ] {
        edit(&env, "kv \"cache\"\n", &format!("{providers}\nkv \"cache\"\n"));
        says(&env.envc(&["plan"]).exits(1), &["what nobody approved", "   new"]);
        assert_eq!(host.heard(), [""; 0], "{providers}");
        edit(&env, &format!("{providers}\n"), "");
    }
    not_asked(&env, &root, &["plan"]);
    assert_ne!(host.heard(), [""; 0]);
}

#[test]
fn hosts_that_the_account_hands_secrets_on_to_are_told() {
    let told = |origin: &str, host: Option<&str>| {
        let env = TestEnv::of_text(&format!(
            "project \"shop\"\n\
             environment \"local\" default {{ identity branch max-length=20 unique }}\n\
             let password (secret)\"PASSWORD\"\n\
             hyperdrive \"pg\" {{ origin {origin} }}\n"
        ));
        let ran = env.envc(&["trust", "--print"]).exits(0);
        let expect = host.map(|host| format!("the account sends the secret {host}"));
        match &expect {
            Some(line) => says(&ran, &[line]),
            None => assert!(!ran.stdout.contains("the account sends"), "{origin}: {ran}"),
        }
        says(&ran, &["nothing that is to be approved"]);
        let event = env.envc(&["trust", "--print", "--json"]).exits(0).event("trust").unwrap();
        assert_eq!(
            event["items"].as_array().unwrap().len(),
            usize::from(host.is_some()),
            "{event}"
        );
    };
    let parts = "database=\"a\" user=\"b\" password=(secret)\"KEY\"";
    told(&format!("host=\"evil.example\" {parts}"), Some("KEY to evil.example"));
    told(&format!("host=(env)\"DB_HOST\" {parts}"), Some("KEY to $(DB_HOST)"));
    told("\"postgres://u:{let.password}@evil.example/db\"", Some("PASSWORD to evil.example"));
    // A host that is part of the secret is its giver's.
    told("(secret)\"DATABASE_URL\"", None);
    told("\"postgres://u:p@{let.password}/db\"", None);
}

#[test]
fn an_interrupted_question_leaves_nothing_approved_and_nothing_declined() {
    let host = Overheard::listen();
    let (env, _cloud) = with_edge(&host, EDGE_TOKEN);
    let (code, screen) = asked(&env, &env.root(), &["plan"], "\x03");
    assert_eq!(code, Some(130), "{screen}");
    assert!(!env.state_dir().join("trust.json").exists());
    let (code, _) = asked(&env, &env.root(), &["plan"], "\x04");
    assert_eq!((code, host.heard()), (Some(1), Vec::new()));
}

#[test]
fn a_record_that_cannot_be_written_approves_nothing() {
    let host = Overheard::listen();
    let (env, _cloud) = with_edge(&host, EDGE_TOKEN);
    std::fs::create_dir_all(env.state_dir().join("trust.json")).unwrap();
    let ran = env.envc(&["plan"]).exits(1);
    assert_eq!(host.heard(), [""; 0], "{ran}");
    std::fs::remove_dir(env.state_dir().join("trust.json")).unwrap();
    std::fs::write(env.state_dir().join("trust.json"), "{").unwrap();
    says(&env.envc(&["plan"]).exits(1), &["trust.json", "move it away: mv "]);
    assert_eq!(host.heard(), [""; 0]);
}

/// The words behind the last line of what is told.
fn last_line(ran: &Ran) -> &str {
    ran.stderr.lines().last().unwrap_or_default()
}

#[test]
fn an_unapproved_local_migration_is_left_out_and_told_last() {
    let mut env = two(TWO);
    env.unset("ENVC_TRUST");
    let ran = env.envc(&["apply"]).exits(0);
    let told = last_line(&ran);
    for part in ["nobody approved", "envc trust", "npx wrangler d1 migrations apply DB --local"] {
        assert!(told.contains(part), "{part}: {ran}");
    }
    assert!(!env.path().join("wrangler.log").exists(), "{ran}");
    assert!(env.read("apps/api/wrangler.jsonc").is_some());

    let (code, screen) = asked(&env, &env.root(), &["trust"], "y\n");
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("run:wrangler-local") && screen.contains("as you would its code"));
    let ran = env.envc(&["apply"]).exits(0);
    says(&ran, &["migrated and seeded wrangler's local copy of d1.app"]);
    assert!(env.path().join("wrangler.log").exists());
}

#[test]
fn an_apply_asks_before_its_first_change_and_goes_on_without_what_was_declined() {
    let mut env = two(TWO);
    env.unset("ENVC_TRUST");
    let mut terminal = Terminal::start(&env.command(&["apply"]), "");
    terminal.wait_for(QUESTION);
    assert!(env.cloud_listing().is_empty(), "{}", env.cloud_listing());
    terminal.press("n\n");
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("nobody approved") && !screen.contains("migrated and seeded"));
    let (code, screen) = not_asked(&env, &env.root(), &["apply"]);
    assert_eq!(code, Some(0), "{screen}");
}

/// A folder that names an approved clone as its own: git believes it, and nobody approved it.
#[test]
fn a_folder_that_says_it_is_a_worktree_of_an_approved_clone_is_not_one() {
    let mut env = two(TWO);
    env.unset("ENVC_TRUST");
    env.git(&["add", "--all"]);
    env.git(&["commit", "--quiet", "--allow-empty", "--message", "all"]);
    let worktree = env.worktree("side");
    let (code, _) = asked(&env, &env.root(), &["trust"], "y\n");
    assert_eq!(code, Some(0));
    let says_approved = |folder: &Path| {
        let ran = crate::common::in_folder(&env, folder, &["trust", "--print", "--json"]).exits(0);
        let event = ran.event("trust").unwrap();
        event["items"][0]["approved"].as_bool().unwrap()
    };
    assert!(says_approved(&env.root()) && says_approved(&worktree));
    let unpacked = env.path().join("unpacked");
    envc_tests::copy_folder(&env.root().join("migrations"), &unpacked.join("migrations"));
    std::fs::copy(env.root().join("environment.kdl"), unpacked.join("environment.kdl")).unwrap();
    // The file of a worktree, and a git directory that shares an approved one.
    std::fs::copy(worktree.join(".git"), unpacked.join(".git")).unwrap();
    assert!(!says_approved(&unpacked));
    std::fs::remove_file(unpacked.join(".git")).unwrap();
    let git_dir = unpacked.join(".git");
    std::fs::create_dir(&git_dir).unwrap();
    let common = env.root().join(".git").display().to_string();
    for (file, text) in [
        ("HEAD", "ref: refs/heads/main\n"),
        ("commondir", common.as_str()),
        ("gitdir", git_dir.to_str().unwrap()),
    ] {
        std::fs::write(git_dir.join(file), text).unwrap();
    }
    assert!(!says_approved(&unpacked));
    std::fs::remove_dir_all(&git_dir).unwrap();
    std::os::unix::fs::symlink(env.root().join(".git"), &git_dir).unwrap();
    assert!(!says_approved(&unpacked));
}

#[test]
fn a_required_tool_is_not_one_that_the_checkout_brings_by_a_relative_path() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut env = TestEnv::of_text(
        "project \"shop\"\nrequire \"sometool\" version=\">=1\"\n\
        environment \"local\" default { identity branch max-length=20 unique }\n",
    );
    env.write("sometool", "#!/bin/sh\ntouch ran\necho 1.0.0\n");
    let tool = env.root().join("sometool");
    std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = env.var("PATH");
    for path in [format!(".:{path}"), format!(":{path}"), format!("{path}:./")] {
        env.set("PATH", &path);
        says(&env.envc(&["apply"]).exits(1), &["`sometool` is not on the PATH"]);
        assert_eq!(env.read("ran"), None);
    }
}
