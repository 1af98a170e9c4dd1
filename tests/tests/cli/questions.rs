//! Questions on a real terminal: what counts as an answer, and how to get away from one.

use envc_tests::{Listing, Terminal, TestEnv};

use crate::common::{ONE_KV, edit};

const CTRL_C: &str = "\x03";
const END_OF_INPUT: &str = "\x04";

/// A namespace with another name than the spec gives it by now, of a kind that is replaced for it.
const ONE_BUCKET: &str = "project \"shop\"\n\
    environment \"local\" default { identity branch max-length=20 unique }\n\
    r2 \"files\"\n\
    allow \"unused_resource\"\n";

/// Every command that asks, with what makes it ask, and the words of its question.
fn questions() -> Vec<(&'static str, TestEnv, Vec<&'static str>, &'static str)> {
    let replaced = applied(ONE_BUCKET);
    edit(&replaced, "r2 \"files\"", "r2 \"files\" name=\"other-{env}\"");
    let migrated = applied(
        "project \"shop\"\n\
        environment \"local\" default { identity branch max-length=20 unique ; migrate manual }\n\
        d1 \"app\" { migrations \"migrations\" }\n\
        allow \"unused_resource\" \"missing_migrations_folder\"\n",
    );
    migrated.write("migrations/0001_notes.sql", "CREATE TABLE notes (id INTEGER);\n");
    vec![
        ("a replace", replaced, vec!["apply"], "Delete data of r2.files? [y/N] "),
        ("a destroy", applied(ONE_KV), vec!["destroy"], "for good? [y/N] "),
        ("migrations", migrated, vec!["migrate", "apply"], "Run these migrations on"),
    ]
}

fn applied(spec: &str) -> TestEnv {
    let env = TestEnv::of_text(spec);
    if spec.contains("migrations") {
        env.write("migrations/.keep", "");
    }
    env.envc(&["apply"]).exits(0);
    env
}

fn start(env: &TestEnv, args: &[&str], typed: &str) -> Terminal {
    Terminal::start(&env.command(args), typed)
}

/// All that a command could change.
fn world(env: &TestEnv) -> (Listing, String) {
    (env.cloud_listing(), format!("{:?}", env.states()))
}

#[test]
fn a_yes_after_the_question_is_one() {
    for (what, env, args, question) in questions() {
        let before = world(&env);
        let mut terminal = start(&env, &args, "");
        terminal.wait_for(question);
        terminal.press("y\n");
        let (code, screen) = terminal.end();
        assert_eq!(code, Some(0), "{what}: {screen}");
        assert_ne!(world(&env), before, "{what}: {screen}");
    }
}

#[test]
fn what_was_typed_before_the_question_is_no_answer_to_it() {
    for (what, env, args, question) in questions() {
        let before = world(&env);
        let mut terminal = start(&env, &args, "y\ny\ny");
        terminal.wait_for(question);
        // What was typed would have been read by now, and is not: the line that ends here is empty.
        terminal.press("\n");
        let (code, screen) = terminal.end();
        assert_eq!(code, Some(1), "{what}: {screen}");
        assert!(screen.contains("not approved; nothing was changed"), "{what}: {screen}");
        assert_eq!(world(&env), before, "{what}: {screen}");
    }
}

#[test]
fn who_asks_to_stop_at_a_question_stops_at_once() {
    for signal in ["ctrl-c", "sigterm"] {
        for (what, env, args, question) in questions() {
            let before = world(&env);
            let mut terminal = start(&env, &args, "");
            terminal.wait_for(question);
            if signal == "ctrl-c" {
                terminal.press(CTRL_C);
            } else {
                terminal.terminate();
            }
            let (code, screen) = terminal.end();
            assert_eq!(code, Some(130), "{what}, {signal}: {screen}");
            assert!(screen.contains("nothing was changed"), "{what}, {signal}: {screen}");
            assert_eq!(world(&env), before, "{what}, {signal}: {screen}");
        }
    }
}

#[test]
fn the_end_of_the_input_and_a_closed_window_are_no_yes() {
    for (what, env, args, question) in questions() {
        let before = world(&env);
        let mut terminal = start(&env, &args, "");
        terminal.wait_for(question);
        terminal.press(END_OF_INPUT);
        let (code, screen) = terminal.end();
        assert_eq!(code, Some(1), "{what}: {screen}");

        let mut terminal = start(&env, &args, "");
        terminal.wait_for(question);
        terminal.close();
        let (code, screen) = terminal.end();
        assert_ne!(code, Some(0), "{what}: {screen}");
        assert_eq!(world(&env), before, "{what}: {screen}");
    }
}
