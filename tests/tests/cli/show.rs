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
