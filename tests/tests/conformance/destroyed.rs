//! envc takes away what wrangler deployed: two Workers, and all that a deployment brings.

use envc_tests::TestEnv;

use crate::served::Served;

const SPEC: &str = "project \"shop\" { zone \"eventuall.live\" }\n\
    environment \"pr\" { identity \"pr-{env.pr}\" ; when pr ; ttl \"7d\" }\n\
    d1 \"orders\"\n\
    kv \"flags\"\n\
    r2 \"images\"\n\
    queue \"jobs\"\n\
    queue \"dead\"\n\
    worker \"api\" path=\"api\" main=\"index.js\" compatibility-date=\"2026-01-01\" {\n\
        bind \"DB\" d1=\"orders\" ; bind \"FLAGS\" kv=\"flags\" ; bind \"IMAGES\" r2=\"images\"\n\
        bind \"JOBS\" queue=\"jobs\" ; consume \"jobs\" dead-letter=\"dead\" ; cron \"0 * * * *\"\n\
        durable-object \"CART\" class=\"Cart\" ; migration tag=\"v1\" { new-sqlite-classes \"Cart\" }\n\
    }\n\
    worker \"web\" path=\"web\" {\n\
        template \"web/wrangler.template.jsonc\"\n\
        domain \"{env}\" ; route \"{env}-r.{zone}/*\"\n\
    }\n";

/// Assets and a service, which the language has no nodes for.
const TEMPLATE: &str = r#"{
  "name": {{ worker.name | json }}, "main": "index.js", "compatibility_date": "2026-01-01",
  "vars": {{ worker.vars | json }}, "routes": {{ worker.routes | json }},
  "assets": { "directory": "public", "binding": "ASSETS" },
  "services": [{ "binding": "API", "service": "shop--api--{{ env.id }}" }],
  "durable_objects": { "bindings": [
    { "name": "CART", "class_name": "Cart", "script_name": "shop--api--{{ env.id }}" }
  ] },
}
"#;

const CODE: &str = "export class Cart {}\n\
    export default { async fetch() { return new Response('a'); }, async queue() {}, async scheduled() {} };\n";

fn checkout() -> TestEnv {
    let env = TestEnv::of_text(SPEC);
    env.git(&["remote", "add", "origin", "git@github.com:acme/shop.git"]);
    env.write("web/wrangler.template.jsonc", TEMPLATE);
    env.write("web/public/index.html", "<p>shop</p>");
    env.write("web/index.js", CODE);
    env.write("api/index.js", CODE);
    env
}

#[test]
fn a_closed_pull_request_leaves_nothing_of_what_wrangler_deployed() {
    let served = Served::start(checkout());
    served.env.envc(&["apply", "--pr", "42", "--yes"]).exits(0);
    let whole = served.env.cloud_listing().objects.len();
    served.wrangler_in("api", &["deploy"]).exits(0);
    served.wrangler_in("web", &["deploy"]).exits(0);
    let names: Vec<String> =
        served.env.cloud_listing().names("worker").iter().map(ToString::to_string).collect();
    assert_eq!(names, ["shop--api--pr-42", "shop--web--pr-42"]);
    // wrangler itself cannot: the queue, then the other Worker are in the way.
    served.wrangler_in("api", &["delete", "--force"]).exits(1);
    assert!(served.env.cloud_listing().objects.len() > whole + 2);

    // The job that closes it has a home and a clone of its own.
    let mut job = checkout();
    job.unset("ENVC_CLOUD");
    for name in ["CLOUDFLARE_API_BASE_URL", "CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN"] {
        job.set(name, &served.env.var(name));
    }
    job.set("CI", "true");
    let ran = job.envc(&["destroy", "pr", "--pr", "42", "--yes", "--if-exists"]).exits(0);
    assert!(ran.stdout.contains("none left"), "{ran}");
    let left = served.env.cloud_listing().without_claims();
    assert!(left.is_empty(), "{left}");
    job.envc(&["destroy", "pr", "--pr", "42", "--yes", "--if-exists"]).exits(0);
}
