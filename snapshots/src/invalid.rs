//! What a user sees of each mistake.

use std::fs;

use envc_report::render::{Source, Style, pictures};
use envc_spec::load;

use crate::common::{Stage, root};

/// As off a terminal: plain characters, 100 columns.
const PLAIN: Style = Style { terminal: false, color: false };

/// Several mistakes in one file: all are shown, in the order of their places.
const SEVERAL: &str = r#"project "shop" { zone "shop.example" }
environment "local" { identity branch max-length=20 unique }
environment "production" extends="locl" { identity "production" ; protect "yes" }
d1 "orders" locaton="weur"
kv "sessions"
kv "sessions"
worker "web" path="apps/web" { bind "DB" d1="order" }
dotenv ".env" { KEY "{let.key}" }
"#;

#[test]
fn every_mistake_as_a_picture() {
    let mut stage = Stage::new("invalid");
    let folder = root().join("specs/invalid");
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if !name.contains('.') {
            continue; // the folder of the warnings
        }
        let path = format!("specs/invalid/{name}");
        let text = fs::read_to_string(root().join(&path)).unwrap();
        let picture = picture(&path, &text);
        assert!(!picture.is_empty(), "{name} has no mistake");
        stage.snap(name.trim_end_matches(".kdl"), &picture);
    }
    stage.snap("_several", &picture("environment.kdl", SEVERAL));
    stage.end();
}

fn picture(name: &str, text: &str) -> String {
    let (_, found) = load(text);
    pictures(found, Source { name, text }, PLAIN)
}
