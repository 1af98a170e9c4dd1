//! Events about environments: what was made, what was taken away, what is recorded.

use std::collections::BTreeMap;

use envc_plan::Change;
use serde::Serialize;

/// An apply that is done.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Applied<'a> {
    /// The environment's ID.
    pub(crate) env: &'a str,
    /// The environment's type.
    pub(crate) r#type: &'a str,
    /// Where it is.
    #[cfg_attr(test, schemars(extend("enum" = ["cloudflare", "local"])))]
    pub(crate) cloud: &'a str,
    /// How many steps of the plan were done.
    pub(crate) steps: usize,
    /// How many requests were sent.
    pub(crate) requests: u64,
    /// How long calls waited between two tries, in milliseconds, added up: some wait side by side.
    pub(crate) waited_ms: u64,
    /// How long it took, in milliseconds.
    pub(crate) ms: u64,
    /// Paths of the files that were written, as in `file_written`.
    pub(crate) files: &'a [String],
    /// Paths of the files that were as they should be.
    pub(crate) files_unchanged: &'a [String],
    /// Paths of the files that were removed.
    pub(crate) files_removed: &'a [String],
    /// The environment's endpoints, in the order of the spec.
    pub(crate) urls: Vec<Url<'a>>,
    /// The preview IDs that the environment holds, by pool.
    pub(crate) leases: BTreeMap<&'a str, &'a str>,
    /// What left the spec and stays until the code that is bound to it was deployed anew: the next
    /// apply after that deletes it.
    pub(crate) waiting: Vec<Waiting>,
}

/// A resource that is to be deleted once code is deployed anew.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Waiting {
    /// Its address, such as `kv.sessions`.
    pub(crate) address: String,
    /// Its name in the account.
    pub(crate) name: String,
    /// The Workers that are bound to it, by address.
    pub(crate) waits_for: Vec<String>,
}

impl Waiting {
    /// What a change says of it.
    pub(crate) fn of(change: &Change) -> Self {
        Self {
            address: change.address.to_string(),
            name: change.name.clone(),
            waits_for: change.waits_for.iter().map(ToString::to_string).collect(),
        }
    }
}

/// An endpoint of an environment.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Url<'a> {
    /// What the spec calls it.
    pub(crate) name: &'a str,
    /// Its URL.
    pub(crate) url: &'a str,
}

/// A destroy that is done.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Destroyed<'a> {
    /// How many resources were deleted.
    pub(crate) deleted: usize,
    /// What was destroyed. Absent where nothing knows the environment and `--if-exists` is given.
    #[serde(flatten)]
    pub(crate) run: Option<DestroyRun<'a>>,
}

/// A destroy of an environment that was known.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct DestroyRun<'a> {
    /// The environment's ID.
    pub(crate) env: &'a str,
    /// How many preview IDs were given back.
    pub(crate) released: usize,
    /// How many requests were sent.
    pub(crate) requests: u64,
    /// How long calls waited between two tries, in milliseconds, added up: some wait side by side.
    pub(crate) waited_ms: u64,
}

/// An account in which an environment is recorded no longer.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Forgotten<'a> {
    /// The environment's ID.
    pub(crate) env: &'a str,
    /// Where the account is.
    #[cfg_attr(test, schemars(extend("enum" = ["cloudflare", "local"])))]
    pub(crate) cloud: &'a str,
    /// The account's ID.
    pub(crate) account: &'a str,
}

/// What a statement of a pending migration does.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Risk<'a> {
    /// The file.
    file: &'a str,
    /// The line on which the statement begins, from 1.
    line: usize,
    /// What it does, in words.
    what: &'a str,
    /// What to write instead.
    help: &'a str,
    /// True where rows that are there go.
    loses: bool,
}

impl<'a> From<&'a envc_plan::Risk> for Risk<'a> {
    fn from(risk: &'a envc_plan::Risk) -> Self {
        let envc_plan::Risk { file, line, what, help, loses } = risk;
        Self { file, line: *line, what, help, loses: *loses }
    }
}

/// What is recorded of an environment.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Environment<'a> {
    /// The project.
    pub(crate) project: &'a str,
    /// The environment's ID.
    pub(crate) env: &'a str,
    /// The environment's type.
    pub(crate) r#type: &'a str,
    /// Where it is.
    #[cfg_attr(test, schemars(extend("enum" = ["cloudflare", "local"])))]
    pub(crate) cloud: &'a str,
    /// False when it was not applied yet.
    pub(crate) applied: bool,
    /// The account's ID; `null` where no state is recorded.
    pub(crate) account: Option<&'a str>,
    /// The resources that were made, by address, such as `d1.webapp`.
    pub(crate) resources: BTreeMap<String, Recorded<'a>>,
    /// The resources that the spec uses and does not make, by address.
    pub(crate) existing: BTreeMap<String, Existing<'a>>,
    /// The ports on this machine, by what they are for, as far as they are recorded.
    pub(crate) ports: &'a BTreeMap<String, u16>,
    /// Paths of the files that were written for it, as in `file_written`.
    pub(crate) files: Vec<String>,
}

/// A resource that is recorded.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Recorded<'a> {
    /// Its name in the account.
    pub(crate) name: &'a str,
    /// The API's identifier.
    pub(crate) id: &'a str,
}

/// A resource that the spec says exists: it names the one or the other, and the last apply from here
/// found the other one.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Existing<'a> {
    /// Its name in the account; `null` where the spec gives the identifier and no apply is recorded.
    pub(crate) name: Option<&'a str>,
    /// The API's identifier; `null` where the spec gives the name and no apply is recorded.
    pub(crate) id: Option<&'a str>,
}
