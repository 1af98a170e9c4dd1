//! The plan as an event: the document that `plan --out` writes, with counts.

use envc_plan::{Plan, plan_json};
use serde::Serialize;
use serde_json::Value as Json;

/// A plan as JSON. Its types belong to `envc-plan`; [`shape`] tells programs about them.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct PlanDocument(Json);

impl PlanDocument {
    /// The document of a plan; the error says why it has none.
    pub(crate) fn of(plan: &Plan) -> Result<Self, String> {
        plan_json(plan).map(Self)
    }
}

#[cfg(test)]
impl schemars::JsonSchema for PlanDocument {
    fn inline_schema() -> bool {
        shape::Plan::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        shape::Plan::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        shape::Plan::json_schema(generator)
    }
}

/// The same fields as the types of `envc_plan`, for the schema alone: the compiler's core does not
/// know of schemas. The end-to-end tests hold every printed plan to it, unknown fields included.
#[cfg(test)]
#[expect(dead_code, reason = "only the schema is made of them")]
mod shape {
    use std::collections::BTreeMap;

    use schemars::JsonSchema;
    use serde::Serialize;
    use serde_json::Value as Json;

    /// What will be done, why, and in which order.
    #[derive(Serialize, JsonSchema)]
    pub(super) struct Plan {
        /// The version of the plan document: what `apply --plan` reads.
        format: u32,
        /// What the plan was made from.
        basis: Basis,
        /// One entry for each resource, by address, also for what stays as it is.
        changes: Vec<Change>,
        /// The order of execution: apply runs these.
        steps: Vec<Step>,
        /// What is to be said besides.
        notes: Vec<String>,
        /// How the migrations of each database stand, by address. Absent when empty.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        migrations: BTreeMap<String, Standing>,
        /// How many of what.
        counts: Counts,
    }

    /// What a plan was made from: where any of it has moved, the plan is stale.
    #[derive(Serialize, JsonSchema)]
    struct Basis {
        /// The environment.
        key: StateKey,
        /// The repository whose project it is.
        repository: String,
        /// The environment's type.
        env_type: String,
        /// What the plan is for.
        goal: Goal,
        /// The state's lineage; empty when there was no state.
        lineage: String,
        /// The state's serial; 0 when there was no state.
        serial: u64,
        /// Digest of the spec's text: SHA-256 in hex.
        spec: String,
        /// True when changes have to be approved: the type is protected.
        protected: bool,
        /// Addresses that `--replace` names. Absent when empty.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        replace: Vec<String>,
        /// Addresses that `--adopt` names. Absent when empty.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        adopted: Vec<String>,
        /// The migrations that lose rows all the same (`--allow-loss`), such as
        /// `d1.webapp:0002_drop.sql`; absent where there are none.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        lossy: Vec<String>,
        /// The addresses that the plan deletes or replaces all the same (`--unprotect`); absent where
        /// there are none.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        unprotected: Vec<String>,
    }

    /// How the files of a database, its ledger and the record stand to each other.
    #[derive(Serialize, JsonSchema)]
    struct Standing {
        /// Names that the ledger has. Absent when empty.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        applied: Vec<String>,
        /// Names of files that the ledger lacks, in the order in which they run. Absent when empty.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pending: Vec<String>,
        /// Pending files that sort before an applied one, each with the last such. Absent when empty.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        late: BTreeMap<String, String>,
        /// Pending files with the content of a missing one, each with that one: apply refuses them.
        /// Absent when empty.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        renamed: BTreeMap<String, String>,
        /// Applied files that were edited since. Absent when empty.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        edited: Vec<String>,
        /// Names that the ledger has and of which there is no file. Absent when empty.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        missing: Vec<String>,
        /// Names that were recorded as applied, and that the ledger lacks. Absent when empty.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        lacking: Vec<String>,
        /// What is to be known of pending files before they run. Absent when empty.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        risks: Vec<Risk>,
        /// True when the plan runs what is pending. Absent when false.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        runs: bool,
    }

    /// What a statement of a pending migration does.
    #[derive(Serialize, JsonSchema)]
    struct Risk {
        /// The file.
        file: String,
        /// The line on which the statement begins, from 1.
        line: usize,
        /// What it does, in words.
        what: String,
        /// What to write instead.
        help: String,
        /// True where rows that are there go. Absent when false.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        loses: bool,
    }

    /// Names an environment.
    #[derive(Serialize, JsonSchema)]
    struct StateKey {
        /// Where it is.
        #[schemars(extend("enum" = ["cloudflare", "local"]))]
        cloud: String,
        /// The account's ID.
        account: String,
        /// The project.
        project: String,
        /// The environment's ID.
        env: String,
    }

    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Goal {
        /// The environment becomes what the spec says.
        Apply,
        /// The environment goes.
        Destroy,
    }

    /// What happens to one resource.
    #[derive(Serialize, JsonSchema)]
    struct Change {
        /// The resource, such as `d1.webapp`.
        address: String,
        /// Its name in the account.
        name: String,
        /// The API's identifier of what is there now. Absent where nothing is.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "String")]
        id: Option<String>,
        /// What is done.
        action: Action,
        /// Why, for people; may be empty.
        reason: String,
        /// Field by field, for `create`, `adopt`, `update` and both of `replace`. Absent when empty.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        fields: Vec<FieldChange>,
        /// What was changed outside of envc: recorded against observed. Absent when empty.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        drift: Vec<FieldChange>,
        /// True for what an interrupted replace left. Absent when false.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        deposed: bool,
        /// True for what the spec uses and does not make. Absent when false.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        existing: bool,
        /// True for what refuses delete and replace. Absent when false.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        protect: bool,
        /// The variables and secrets whose values are not known, where it depends on them whether
        /// something changes. Absent when empty.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        unknown: Vec<String>,
        /// The data that is lost by it, in words, where the kind alone does not say so. Absent when
        /// empty.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        loses: Vec<String>,
        /// The addresses that the resource refers to as it is now. Absent when empty.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        holds: Vec<String>,
        /// The identifiers of others that go in the same plan, and that it goes before though they refer
        /// to it, because they refer to each other. Absent when empty.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        circle: Vec<String>,
        /// The addresses of the code that has to be deployed anew before the resource is deleted, for
        /// `wait`. Absent when empty.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        waits_for: Vec<String>,
        /// What is recorded at once, before any call, for `adopt` and `keep`. Absent otherwise.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Record")]
        record: Option<Record>,
    }

    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Action {
        /// It is made.
        Create,
        /// It is recorded as ours, and changed where it differs.
        Adopt,
        /// It is changed in place.
        Update,
        /// It is made anew, and the old one is deleted after that.
        ReplaceCreateFirst,
        /// It is deleted and made anew: both have one name.
        ReplaceDeleteFirst,
        /// It is deleted.
        Delete,
        /// It is not recorded any more; it stays in the account, or is gone already.
        Forget,
        /// It stays for now, and is recorded: it left the spec, and live code is bound to it.
        Wait,
        /// It stays as it is.
        Keep,
    }

    /// One field, before and after.
    #[derive(Serialize, JsonSchema)]
    struct FieldChange {
        /// The field.
        field: String,
        /// What is there. Absent for a new resource, and where the API does not say.
        #[serde(skip_serializing_if = "Option::is_none")]
        before: Option<Json>,
        /// What will be there. Absent where it is known only after apply.
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<Json>,
        /// True when this field is why the resource is made anew. Absent when false.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        forces_replace: bool,
    }

    /// A resource as it is to be recorded.
    #[derive(Serialize, JsonSchema)]
    struct Record {
        /// Its name in the account.
        name: String,
        /// The API's identifier.
        id: String,
        /// Its fields as they are in the account.
        fields: BTreeMap<String, Json>,
        /// Its zone. Absent where it has none.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "String")]
        zone: Option<String>,
        /// The address of the resource that it is deleted with. Absent where there is none.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "String")]
        parent: Option<String>,
        /// The addresses that it refers to. Absent when empty.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        needs: Vec<String>,
    }

    /// One step of the execution.
    #[derive(Serialize, JsonSchema)]
    struct Step {
        /// The steps that must have succeeded before, by their index in `steps`.
        needs: Vec<usize>,
        /// What it does.
        work: Work,
    }

    /// What a step does, by its only key. The object below it is for `apply --plan`; its form
    /// belongs to `format`.
    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Work {
        /// Makes a resource.
        Create(BTreeMap<String, Json>),
        /// Changes fields of a resource in place.
        Update(BTreeMap<String, Json>),
        /// Empties what is deleted next.
        Clear(BTreeMap<String, Json>),
        /// Deletes a resource.
        Delete(BTreeMap<String, Json>),
        /// Makes several changes of a zone with one request.
        Batch(BTreeMap<String, Json>),
        /// Runs migrations of a database.
        Migrate(BTreeMap<String, Json>),
        /// Leases a preview ID of a pool.
        Lease(BTreeMap<String, Json>),
        /// Gives a preview ID back.
        Release(BTreeMap<String, Json>),
    }

    /// How many of what.
    #[derive(Serialize, JsonSchema)]
    struct Counts {
        /// Resources that are made.
        create: usize,
        /// Resources that are taken over.
        adopt: usize,
        /// Resources that are changed in place.
        update: usize,
        /// Resources that are made anew.
        replace: usize,
        /// Resources that are deleted.
        delete: usize,
        /// Resources that are not recorded any more.
        forget: usize,
        /// Resources that are deleted once code is deployed anew.
        wait: usize,
        /// Resources that stay as they are.
        keep: usize,
        /// Migration files to run.
        migrate: usize,
        /// Migration files that are pending and that the plan does not run.
        pending: usize,
        /// Preview IDs to lease.
        lease: usize,
        /// Preview IDs to give back.
        release: usize,
        /// Requests that apply sends at the least.
        requests: usize,
    }
}
