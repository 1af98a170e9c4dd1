//! `envc show --resolved`: a type as plain KDL, from the spec alone.

use envc_tests::TestEnv;

use crate::common::says;

const SPEC: &str = "project \"shop\"
environment \"local\" default { identity branch max-length=20 unique }
environment \"production\" {
    identity \"production\"
    protect
    queue \"jobs\" retention=120
    without kv \"cache\"
}
queue \"jobs\" retention=60 delivery-delay=5
kv \"cache\"
";

#[test]
fn a_resolved_type_says_where_each_value_comes_from() {
    let env = TestEnv::of_text(SPEC);
    let shown = env.envc(&["show", "--resolved", "production"]).exits(0);
    let lines = [
        "environment \"production\" { // line 3",
        "    identity \"production\" // line 4, production",
        "queue \"jobs\" retention=120 delivery-delay=5 // line 9; retention= line 6, production",
    ];
    says(&shown, &lines);
    assert!(!shown.stdout.contains("cache"), "{shown}");

    // It is a spec that says the same, laid out as `envc fmt` lays it out.
    env.write("environment.kdl", &shown.stdout);
    let _tidy = env.envc(&["fmt", "--check"]).exits(0);
    let again = env.envc(&["show", "--resolved", "production"]).exits(0);
    let plain = |text: &str| {
        let line = |line: &str| line.split(" //").next().unwrap_or_default().to_owned();
        text.lines().map(line).collect::<Vec<_>>()
    };
    assert_eq!(plain(&again.stdout), plain(&shown.stdout));

    env.write("environment.kdl", SPEC);
    let other = env.envc(&["show", "--resolved"]).exits(0);
    says(&other, &["environment \"local\" default { // line 2", "kv \"cache\" // line 10"]);
}

#[test]
fn an_unknown_type_is_told() {
    let env = TestEnv::of_text(SPEC);
    says(&env.envc(&["show", "--resolved", "prod"]).exits(64), &["no type `prod`", "production"]);
}

#[test]
fn what_exists_is_told_though_nothing_is_recorded_of_it() {
    const ID: &str = "77aa55c0-1b2c-4d3e-8f4a-5b6c7d8e9f01";
    let existing = format!(
        "project \"shop\"\nenvironment \"local\" default {{ identity branch max-length=20 unique\n\
         existing {{ d1 \"orders\" id=\"{ID}\" ; r2 \"images\" name=\"shop-images\" }} }}\n\
         d1 \"orders\"\nr2 \"images\"\nport \"web\" \"3000-3999\"\n\
         dotenv \".env\" {{ DB \"{{d1.orders.id}}\" ; WEB \"{{port.web}}\" ; BUCKET \"{{r2.images.name}}\" }}\n"
    );
    let env = TestEnv::of_text(&existing);
    let _minted = env.envc(&["plan"]);
    let told = env.envc(&["output"]).exits(0);
    let id = format!("d1.orders.id={ID}");
    says(&told, &[&id, "r2.images.name=shop-images", "port.web=", "env.type=local"]);
    assert!(!told.stdout.contains("d1.orders.name"), "the account alone knows: {told}");
    says(&env.envc(&["output", "--only", "r2.images.name"]).exits(0), &["shop-images\n"]);
    let shown = env.envc(&["show"]).exits(0);
    says(&shown, &["d1.orders", ID, "shop-images (existing)"]);
    assert!(!shown.stdout.contains("not applied"), "{shown}");
    let shown = env.envc(&["show", "--json"]).exits(0);
    says(&shown, &["\"applied\":true", "\"existing\":{\"d1.orders\":{"]);

    // Beside what envc makes it is told as well, and that is not there before an apply.
    env.write(
        "environment.kdl",
        &format!(
            "{}kv \"own\"\n",
            existing
                .replace(&format!("d1 \"orders\" id=\"{ID}\" ; "), "")
                .replace("d1 \"orders\"\n", "")
                .replace("DB \"{d1.orders.id}\" ; ", "")
        ),
    );
    says(
        &env.envc(&["output"]).exits(3),
        &["nothing is recorded of `", "on this machine", "envc plan"],
    );
    let bucket = serde_json::json!({"name": "shop-images"});
    let _made = env.cloud().of_account(&http::Method::POST, "/r2/buckets", Some(&bucket));
    let _applied = env.envc(&["apply", "--yes"]).exits(0);
    says(&env.envc(&["output"]).exits(0), &["kv.own.id=", "r2.images.name=shop-images"]);
}

#[test]
fn a_type_of_files_alone_has_outputs() {
    let env = TestEnv::of_text(
        "project \"shop\"\nenvironment \"local\" default { identity branch max-length=20 unique }\n\
         port \"web\" \"3000-3999\"\ndotenv \".env\" { WEB \"{port.web}\" }\n",
    );
    let _applied = env.envc(&["apply"]).exits(0);
    says(&env.envc(&["output"]).exits(0), &["port.web="]);
    assert!(!env.envc(&["show"]).exits(0).stdout.contains("not applied"));
}
