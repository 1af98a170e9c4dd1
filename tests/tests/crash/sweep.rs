use envc_tests::TestEnv;

#[test]
fn smoke() {
    let env = TestEnv::new("quickstart");
    env.envc(&["apply"]).exits(0);
    eprintln!("{}", env.cloud_listing());
    let applied = env.envc(&["apply", "--json"]).exits(0);
    eprintln!("{:?}", applied.event("applied"));
    env.envc(&["destroy"]).exits(0);
    assert!(env.cloud_listing().is_empty());
}
