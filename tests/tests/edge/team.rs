//! envc at work with an edge Worker: the real binary, a served cloud for Cloudflare, workerd.

use std::net::SocketAddr;

use envc_tests::{Ran, ServedCloud, TestEnv};

use crate::common::token;

/// A secret of the spec that must be seen nowhere.
pub(crate) const PLANTED: &str = "planted-secret-of-the-spec";

/// The zone of the spec.
pub(crate) const ZONE: &str = "shop.example";

/// One developer: a machine with a checkout, and a token of the edge.
#[derive(Debug)]
pub(crate) struct Developer {
    pub(crate) env: TestEnv,
    pub(crate) cloud: ServedCloud,
}

/// What the spec says beside its resources.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spec<'a> {
    /// Below `project`.
    pub(crate) project: &'a str,
    /// At the end.
    pub(crate) more: &'a str,
}

/// A spec of two namespaces, a queue and a tunnel, with this edge.
pub(crate) fn spec(edge: &str, Spec { project, more }: Spec<'_>) -> String {
    format!(
        r#"project "shop" {{ zone "{ZONE}"; {project} }}
edge "{edge}" token=(secret)"EDGE_TOKEN"
environment "staging" default {{
    identity "staging"
    ttl "14d"
}}
kv "flags"
kv "sessions"
queue "jobs"
tunnel "dev" {{
    ingress "web" host="{{env}}" service="http://localhost:3000"
}}
dotenv ".env" {{ FLAGS "{{kv.flags.id}}"; KEY (secret)"APP_KEY" }}
{more}
"#
    )
}

impl Developer {
    /// On a machine of their own, with the account of these faults.
    pub(crate) fn new(text: &str, faults: &str) -> Self {
        let mut env = TestEnv::of_text(text);
        let cloud = ServedCloud::start(&mut env, faults, &[ZONE]);
        env.set("ENVC_CLOUD", "cloudflare").set("USER", "alice").set("APP_KEY", PLANTED);
        Self { env, cloud }
    }

    /// With a token of this edge.
    pub(crate) fn of(edge: SocketAddr, spec_: Spec<'_>, faults: &str) -> Self {
        let mut developer = Self::new(&spec(&format!("http://{edge}"), spec_), faults);
        developer.env.set("EDGE_TOKEN", &token(edge, "ci", "report,state").token);
        developer
    }

    pub(crate) fn envc(&self, args: &[&str]) -> Ran {
        self.env.envc(args)
    }
}
