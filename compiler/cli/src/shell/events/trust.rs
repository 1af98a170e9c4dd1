//! What a spec asks for of what is its user's.

use serde::Serialize;

/// One thing that is to be approved.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "asks", rename_all = "snake_case")]
pub(crate) enum TrustItem<'a> {
    /// A credential goes to a host.
    Send {
        /// What holds it, such as `the secret EDGE_TOKEN`.
        credential: &'a str,
        /// Scheme, host and port.
        to: &'a str,
        /// It is approved.
        approved: bool,
    },
    /// The account sends a credential to a host. It is told alone: it goes there as all that a spec says.
    HandOn {
        /// The secrets and variables that it is made of.
        credential: &'a str,
        /// The host, as the spec says it: `$(NAME)` stands for a variable.
        to: &'a str,
    },
    /// A program of the checkout runs.
    Run {
        /// Its name: `run:NAME` approves it in `ENVC_TRUST`.
        name: &'a str,
        /// What is run.
        command: &'a str,
        /// It is approved.
        approved: bool,
    },
}
