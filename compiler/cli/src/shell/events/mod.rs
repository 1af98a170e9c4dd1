//! What programs read: with `--json` every line on standard output is one [`Event`].
//!
//! The types here are the wire format, and nothing else can be printed: [`crate::shell::ui::Ui::event`]
//! takes an [`Event`] alone. `specs/events.json` is their JSON Schema; `tests.rs` makes it, and every
//! end-to-end test holds the lines that it sees to it.
//!
//! A field that is told as "absent" is left out of the line; one that can be `null` always stands
//! there.

mod change;
mod diagnostic;
mod lease;
mod plan;
#[cfg(test)]
mod tests;
mod trust;

use std::collections::BTreeMap;

use envc_spec::language::Language;
use serde::Serialize;
use serde_json::{Map, Value as Json};

pub(crate) use self::{
    change::{
        Applied, DestroyRun, Destroyed, Environment, Existing, Forgotten, Recorded, Risk, Url,
        Waiting,
    },
    diagnostic::{Code, Diagnostic, Error, Warning},
    lease::{Claimed, Member, PoolCounts, Released},
    plan::PlanDocument,
    trust::TrustItem,
};

/// The version of the events: raised when a program that reads them would misread them. A new event
/// or a new field does not raise it.
pub(crate) const EVENT_VERSION: u32 = 1;

/// One line of `--json`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event<'a> {
    /// The command failed; the process ends with `exit`. `fmt` prints one for each file that it
    /// cannot format, `apply` and `destroy` one for each thing that they refuse.
    Error(Error<'a>),
    /// Something that the user should know; the command goes on. Where nothing failed, `code`,
    /// `causes` and `hints` are absent. `plan` prints one for each thing that `apply` will refuse, with
    /// the code and the hints of that `error`; so does `destroy --plan`.
    Warning(Warning<'a>),
    /// A mistake or a warning in the spec, or in a template that it names.
    Diagnostic(Diagnostic<'a>),

    /// `check`: the spec has no mistakes.
    Checked {
        /// The spec's file, as seen from the current folder.
        file: &'a str,
        /// Every type of environment, by name.
        types: Vec<CheckedType<'a>>,
        /// How many resources the types have together; one that several types share counts once.
        resources: usize,
        /// How many warnings were printed as `diagnostic`.
        warnings: usize,
    },
    /// `check --explain` without a code: every code.
    Codes {
        /// By code.
        codes: Vec<Code<'a>>,
    },
    /// `check --explain CODE`: the page of a code.
    Explanation {
        /// The whole code, such as `envc::spec::unknown_reference`.
        code: &'a str,
        /// One sentence.
        summary: &'a str,
        /// The page, as Markdown.
        text: &'a str,
    },
    /// `fmt`: one file is dealt with.
    Formatted {
        /// The file, as seen from the current folder.
        file: &'a str,
        /// True when its layout is not that of `fmt`.
        changed: bool,
        /// True when the file was written anew.
        written: bool,
        /// What `fmt` would change, as a unified diff; empty when nothing. Absent without `--check`.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, schemars(with = "String"))]
        diff: Option<&'a str>,
        /// The formatted text. Absent unless the spec comes from standard input.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, schemars(with = "String"))]
        text: Option<&'a str>,
    },
    /// `schema`: the language of `environment.kdl`.
    Schema {
        /// The document that `envc schema` prints without `--json`; it has a `version` of its own.
        #[cfg_attr(test, schemars(with = "Map<String, Json>"))]
        schema: &'a Language,
    },
    /// `completions`: the script for a shell.
    Completions {
        /// The script.
        script: &'a str,
    },

    /// What a command will do, or would do: from `plan`, `apply`, `destroy` with `--plan` and without,
    /// `migrate apply`. Where it is refused, it has no steps, and the changes that can be told.
    Plan(PlanDocument),
    /// `plan`: what apply would do to files; `destroy --plan`: what destroy would. Not printed where that is nothing.
    Files {
        /// Paths of files to write, as in `file_written`.
        write: &'a [String],
        /// Paths of files to remove.
        remove: &'a [String],
    },
    /// `plan`: what the plan took of the API's rate limit.
    Budget {
        /// Requests that this process sent.
        sent: u64,
        /// Requests that envc still allows itself now: of 960 in 5 minutes, over all runs of this user on
        /// the machine. `null` on the local cloud, where none are counted.
        left: Option<u32>,
    },
    /// `plan`: apply will claim the project in this account first.
    ClaimMissing {
        /// The repository that it claims the project for.
        repository: &'a str,
    },

    /// A step of the plan began.
    StepBegun {
        /// Its index in the `steps` of the plan.
        step: usize,
        /// What it does: `create`, `update`, `delete`, `clear`, `migrate`, `lease`, `release` ….
        verb: &'a str,
        /// The resource, such as `d1.webapp`; of a lease `lease.NAME`.
        address: String,
        /// The resource's name in the account; of a lease the pool.
        name: &'a str,
    },
    /// A step of the plan is done.
    StepDone {
        /// Its index in the `steps` of the plan.
        step: usize,
        /// As in `step_begun`.
        verb: &'a str,
        /// As in `step_begun`.
        address: String,
        /// As in `step_begun`.
        name: &'a str,
        /// The API's identifier; of a lease the preview ID. Absent where there is none.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, schemars(with = "String"))]
        id: Option<&'a str>,
        /// How long it took, in milliseconds.
        ms: u64,
    },
    /// A step of the plan failed.
    StepFailed {
        /// Its index in the `steps` of the plan.
        step: usize,
        /// As in `step_begun`.
        verb: &'a str,
        /// As in `step_begun`.
        address: String,
        /// What happened.
        message: &'a str,
    },
    /// A migration file is in the database's ledger.
    Migrated {
        /// The database, such as `d1.webapp`.
        address: String,
        /// The file's name.
        file: &'a str,
        /// True when another tool or an earlier run had applied it.
        already: bool,
    },
    /// It is known what becomes of the rows that a database begins with, of its `seed`.
    Seeded {
        /// The database, such as `d1.webapp`.
        address: String,
        /// The file.
        file: &'a str,
        /// True when they are in it now; false when it had tables before it had this seed, so that it
        /// gets none.
        done: bool,
    },
    /// The bookmark of a database that is about to be changed cannot be told: `migrate restore` has nothing
    /// recorded to go back to.
    NoWayBack {
        /// The database, such as `d1.webapp`.
        address: String,
        /// Why.
        reason: &'a str,
    },
    /// Objects were removed from a container that has to be empty before it is deleted.
    Emptied {
        /// The container, such as `r2.assets`.
        address: String,
        /// How many objects were removed so far.
        objects: usize,
    },
    /// No preview ID of a pool is free; the command waits.
    Queued {
        /// The pool.
        pool: &'a str,
        /// How many wait before this one; with 0 it is next.
        before: u32,
    },
    /// A call failed and is tried again.
    Retry {
        /// Method and path.
        call: &'a str,
        /// What went wrong.
        reason: &'a str,
        /// Milliseconds until the next try.
        wait_ms: u64,
        /// How many tries there were.
        attempt: u32,
    },
    /// The API's rate limit holds calls back.
    Waiting {
        /// For how many milliseconds.
        wait_ms: u64,
    },
    /// The API does not see yet what the run did a moment ago. The call is repeated until it does.
    Unseen {
        /// Method and path.
        call: &'a str,
        /// What the API says.
        reason: &'a str,
        /// Milliseconds after which it is believed.
        wait_ms: u64,
    },
    /// A file was written.
    FileWritten {
        /// Its path: relative to the spec's folder, or whole where it lies in another folder, with
        /// `--out-dir`.
        path: &'a str,
        /// True when it holds secrets, and its user alone may read it.
        private: bool,
    },
    /// A file that the spec does not ask for any more was removed.
    FileRemoved {
        /// Its path, as in `file_written`.
        path: &'a str,
    },

    /// `trust`: what the spec asks for of what is its user's.
    Trust {
        /// The digest of exactly this set, for the variable `ENVC_TRUST`.
        digest: &'a str,
        /// Each thing.
        items: Vec<TrustItem<'a>>,
    },
    /// `trust ls`: what is approved for one clone.
    Trusted {
        /// The real path of its git directory, which its worktrees share; of the spec's folder where
        /// there is no git.
        clone: &'a str,
        /// When it was approved last, in seconds since 1970.
        since_s: u64,
        /// Each thing.
        items: Vec<TrustItem<'a>>,
    },
    /// `trust revoke`: nothing is approved for a clone any more.
    Revoked {
        /// As in `trusted`.
        clone: &'a str,
        /// False where nothing was.
        was_approved: bool,
    },

    /// `apply`: wrangler's local copy of a database was migrated, for `wrangler dev`.
    LocalMigrated {
        /// The database, such as `d1.webapp`.
        address: String,
        /// The folder of local copies, relative to the spec's folder.
        folder: &'a str,
        /// True when its seed ran.
        seeded: bool,
    },
    /// `apply`: a link was made, by which wrangler finds the folder of local copies.
    LocalLinked {
        /// The link, relative to the spec's folder.
        path: &'a str,
        /// The folder, relative to the spec's folder.
        to: &'a str,
    },
    /// `apply`: `wrangler dev` does not see something as it should; the apply is done all the same.
    LocalOpen {
        /// The database, such as `d1.webapp`; `null` where it is a Worker's folder.
        address: Option<&'a str>,
        /// What is so, and why.
        what: &'a str,
        /// The command that helps, to be run in the spec's folder; `null` where there is none.
        command: Option<&'a str>,
    },

    /// `apply`: done.
    Applied(Applied<'a>),
    /// `destroy`: done. Where nothing was known and `--if-exists` is given, all but `deleted` is
    /// absent.
    Destroyed(Destroyed<'a>),
    /// `state forget`: an account is recorded no longer.
    Forgotten(Forgotten<'a>),
    /// `state rm`: a resource is recorded no longer; it stays in the account.
    Unrecorded {
        /// The environment's ID.
        env: &'a str,
        /// The resource, such as `kv.old`.
        address: String,
    },
    /// `migrate apply`: done.
    MigratedAll {
        /// How many databases were migrated.
        steps: usize,
    },
    /// `migrate status` and `migrate check`: one for each database that has migrations.
    Migrations {
        /// The database, such as `d1.webapp`.
        address: String,
        /// Names of files that the database's ledger has.
        applied: &'a [String],
        /// Names of files that are still to be applied.
        pending: &'a [String],
        /// Names that the ledger has and of which there is no file.
        missing: &'a [String],
        /// Names of applied files that were edited since, as far as it is recorded.
        edited: &'a [String],
        /// Pending files that sort before an applied one, each with the last such.
        late: &'a BTreeMap<String, String>,
        /// Pending files with the content of a missing one, each with that one.
        renamed: &'a BTreeMap<String, String>,
        /// Names that were recorded as applied, and that the ledger lacks.
        lacking: &'a [String],
        /// What is to be known of pending files before they run. Absent when empty.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        risks: Vec<Risk<'a>>,
    },
    /// `migrate reset`: the database was emptied, and has all of its migrations.
    DatabaseReset {
        /// The database, such as `d1.webapp`.
        address: String,
        /// How many files were applied.
        migrations: usize,
    },
    /// `migrate new`: the file was written.
    MigrationMade {
        /// The database, such as `d1.webapp`.
        address: String,
        /// The file, relative to the spec's folder.
        path: &'a str,
    },
    /// `migrate mark`: files are in the ledger that did not run.
    Marked {
        /// The database, such as `d1.webapp`.
        address: String,
        /// Their names; empty where the ledger had all of them.
        files: &'a [String],
    },
    /// `migrate restore`: the database was taken back.
    Restored {
        /// The database, such as `d1.webapp`.
        address: String,
        /// What it was taken back to.
        bookmark: &'a str,
        /// Names that its ledger has now, in its order.
        applied: &'a [String],
        /// Names of files that it lacks, in the order in which they would run.
        pending: &'a [String],
    },

    /// `show`: what is recorded of the environment.
    Environment(Environment<'a>),
    /// `show --resolved`: the spec of one type, with everything merged.
    Resolved {
        /// The type.
        r#type: &'a str,
        /// The merged spec, as KDL.
        kdl: &'a str,
    },
    /// `output`: all outputs, or the one that `--only` names.
    Output {
        /// The values, by their names in references, such as `url.web`. None is secret.
        values: BTreeMap<&'a str, &'a str>,
    },

    /// `state claim`: this repository claims the project.
    Claim {
        /// The project.
        project: &'a str,
        /// The repository.
        repository: &'a str,
        /// The account's ID.
        account: &'a str,
        /// True when this command made the claim, false when it was there.
        made: bool,
    },
    /// A project was claimed for the first time, or `pool claim` leased a preview ID.
    Claimed(Claimed<'a>),
    /// `state claim --release` released a project, or `pool release` gave a preview ID back.
    Released(Released<'a>),

    /// `pool ls`: one for each pool.
    Pool {
        /// The pool.
        pool: &'a str,
        /// False when it has no members yet; then all that follows is absent.
        exists: bool,
        #[serde(flatten)]
        counts: Option<PoolCounts<'a>>,
    },
    /// `pool members POOL`: what the pool has.
    Members {
        /// The pool.
        pool: &'a str,
        /// By preview ID.
        members: Vec<Member<'a>>,
    },
    /// `pool members POOL FILE`: the members are put. Each list holds preview IDs, in order.
    MembersPut {
        /// The pool.
        pool: &'a str,
        /// New members.
        added: Vec<&'a str>,
        /// Members whose attributes changed.
        changed: Vec<&'a str>,
        /// Members that stay as they were.
        unchanged: Vec<&'a str>,
        /// Members that are leased or at rest, and leave the pool when that ends.
        draining: Vec<&'a str>,
        /// Members that left.
        removed: Vec<&'a str>,
    },

    /// `cloud serve`: the local cloud can be called.
    Listening {
        /// The API's base, with `/client/v4`.
        base_url: &'a str,
        /// The account's ID.
        account_id: &'a str,
        /// The token to call it with. It is good on this machine's local cloud alone.
        token: &'a str,
    },
    /// `cloud serve`: the local cloud has stopped.
    Stopped {},
}

/// A type of environment that was checked.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct CheckedType<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// How many resources it has.
    pub(crate) resources: usize,
}

impl Event<'_> {
    /// The line: `{"v":1,"event":"…",…}`. The version and the name come first, so that a reader can
    /// sort lines at a glance; the fields follow by name.
    pub(crate) fn to_line(&self) -> Result<String, serde_json::Error> {
        let mut fields = match serde_json::to_value(self)? {
            Json::Object(fields) => fields,
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => {
                Map::new()
            }
        };
        let name = fields.remove("event").unwrap_or_default();
        let fields = Json::Object(fields).to_string();
        let rest = fields.strip_prefix('{').unwrap_or("}");
        let comma = if rest == "}" { "" } else { "," };
        Ok(format!("{{\"v\":{EVENT_VERSION},\"event\":{name}{comma}{rest}"))
    }
}
