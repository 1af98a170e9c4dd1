//! What means the same is no difference, however a spec writes it and the cloud tells it.

use envc_tests::TestEnv;

const SPEC: &str = r#"
project "spelt" { zone "eventuall.live" }
environment "local" default { identity branch max-length=20 unique }

dns "six" type="AAAA" name="{env}-six" content="2001:DB8:0:0::1"
dns "mapped" type="AAAA" name="{env}-mapped" content="::FFFF:C000:0201"
dns "alias" type="CNAME" name="{env}-alias.eventuall.live." content="Abc.Example."
dns "mail" type="MX" name="{env}-mail" content="Mail.Example.COM." priority=10
dns "no-mail" type="MX" name="{env}-no-mail" content="." priority=0
dns "servers" type="NS" name="{env}-ns" content="NS1.Example.com."
dns "quoted" type="TXT" name="{env}-quoted" content="\"v=spf1 -all\""
dns "split" type="TXT" name="{env}-split" content="\"v=spf1\" \" -all\""
dns "long" type="TXT" name="{env}-long" content="LONG"
tunnel "t" { ingress "w" host="{env}-w" service="http://LocalHost:3000/" path="" }
worker "edge" path="edge" deploy="bundle" bundle="dist" {
    compatibility-flags "nodejs_compat" "global_navigator" "nodejs_compat"
    cron "*/5  * * *  mon-FRI"
    cron "*/5 * * * 2-6"
    cron "0 6 * * *"
}
"#;

fn env() -> TestEnv {
    let env = TestEnv::of_text(&SPEC.replace("LONG", &"key".repeat(120)));
    env.write("edge/dist/index.js", "export default { fetch() {}, scheduled() {} }");
    env
}

#[test]
fn a_plan_is_empty_after_an_apply_however_values_are_written() {
    let env = env();
    env.envc(&["apply", "--yes"]).exits(0);
    env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    // Written as the cloud writes it, it is still the same.
    let other = SPEC
        .replace("LONG", &format!("\\\"{}\\\" \\\"{}\\\"", "key".repeat(85), "key".repeat(35)))
        .replace("2001:DB8:0:0::1", "2001:db8::1")
        .replace("::FFFF:C000:0201", "::ffff:192.0.2.1")
        .replace("Abc.Example.", "abc.example")
        .replace("Mail.Example.COM.", "mail.example.com")
        .replace(r#"\"v=spf1 -all\""#, "v=spf1 -all")
        .replace(" path=\"\"", "")
        .replace("LocalHost:3000/", "localhost:3000")
        .replace(
            r#""nodejs_compat" "global_navigator" "nodejs_compat""#,
            r#""global_navigator" "nodejs_compat""#,
        )
        .replace("cron \"*/5  * * *  mon-FRI\"\n", "");
    assert_ne!(other, SPEC);
    env.write("environment.kdl", &other);
    // What is written into the Worker's configuration is what stands in the spec.
    let plan = env.envc(&["plan"]).exits(0);
    assert!(plan.stdout.starts_with("No changes.\nFiles to write: edge/wrangler.jsonc"), "{plan}");
    env.envc(&["destroy", "--yes"]).exits(0);
    assert!(env.cloud_listing().is_empty(), "{}", env.cloud_listing());
}

#[test]
fn two_records_of_one_host_collide_however_it_is_written() {
    for (one, other) in [
        ("{env}-a", "{env}-a.eventuall.live."),
        ("{env}-a.", "{env}-a"),
        ("{env}-a.eventuall.live", "{env}-a"),
    ] {
        let spec = format!(
            r#"
project "spelt" {{ zone "eventuall.live" }}
environment "local" default {{ identity branch max-length=20 unique }}
dns "one" type="CNAME" name="{one}" content="a.example"
dns "other" type="CNAME" name="{other}" content="b.example"
"#
        );
        let checked = TestEnv::of_text(&spec).envc(&["check"]).exits(65);
        assert!(checked.stderr.contains("name_collision"), "{one} {other}: {checked}");
    }
}
