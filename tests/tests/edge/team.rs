//! envc at work with an edge Worker: the real binary, a served cloud for Cloudflare, workerd.

use std::net::SocketAddr;

use envc_tests::{Ran, ServedCloud, TestEnv};

use crate::common::token;

/// A secret of the spec that must be seen nowhere.
pub(crate) const PLANTED: &str = "planted-secret-of-the-spec";
/// The zone of the spec.
pub(crate) const ZONE: &str = "shop.example";

/// One developer: a machine with a checkout, a token of the edge, and an account.
#[derive(Debug)]
pub(crate) struct Developer {
    pub(crate) env: TestEnv,
    pub(crate) cloud: ServedCloud,
}

/// A spec of two namespaces, a queue and a tunnel, with this edge; `project` stands below
/// `project`, `env` is the ID.
pub(crate) fn spec(edge: &str, project: &str, env: &str) -> String {
    format!(
        r#"project "shop" {{ zone "{ZONE}"; {project} }}
edge "{edge}" token=(secret)"EDGE_TOKEN"
environment "{env}" default {{
    identity "{env}"
    ttl "14d"
}}
kv "flags"
kv "sessions"
queue "jobs"
tunnel "dev" {{
    ingress "web" host="{{env}}" service="http://localhost:3000"
}}
dotenv ".env" {{ FLAGS "{{kv.flags.id}}"; KEY (secret)"APP_KEY" }}
"#
    )
}

/// The repository that all of them have a clone of.
const ORIGIN: &str = "https://git.example/acme/shop.git";

impl Developer {
    /// On a machine of their own, with an account with these faults.
    pub(crate) fn new(text: &str, faults: &str) -> Self {
        let mut env = TestEnv::of_text(text);
        env.git(&["remote", "add", "origin", ORIGIN]);
        let cloud = ServedCloud::start(&mut env, faults, &[ZONE]);
        env.set("ENVC_CLOUD", "cloudflare").set("USER", "alice").set("APP_KEY", PLANTED);
        env.set("HOSTNAME", "laptop");
        Self { env, cloud }
    }

    /// With a token of this edge.
    pub(crate) fn of(edge: SocketAddr, text: &str, faults: &str) -> Self {
        let mut developer = Self::new(text, faults);
        developer.env.set("EDGE_TOKEN", &token(edge, "ci", "report,state").token);
        developer
    }

    /// Another machine with the same checkout, account and token.
    pub(crate) fn other_machine(&self) -> TestEnv {
        let mut other = TestEnv::of_text(&self.env.read("environment.kdl").unwrap());
        other.git(&["remote", "add", "origin", ORIGIN]);
        for name in [
            "CLOUDFLARE_API_BASE_URL",
            "CLOUDFLARE_API_TOKEN",
            "CLOUDFLARE_ACCOUNT_ID",
            "ENVC_CLOUD",
            "EDGE_TOKEN",
            "APP_KEY",
        ] {
            other.set(name, &self.env.var(name));
        }
        other.set("USER", "bob").set("HOSTNAME", "desktop");
        other
    }

    pub(crate) fn envc(&self, args: &[&str]) -> Ran {
        self.env.envc(args)
    }
}
