//! Makes openapi.json out of the types, and compares.
//!
//! `ENVC_UPDATE_OPENAPI=1 cargo test -p envc-edge-api` writes it anew.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::*;

struct Document {
    generator: SchemaGenerator,
    paths: Map<String, Value>,
}

/// One operation, growing.
struct Operation<'a> {
    document: &'a mut Document,
    path: &'static str,
    method: &'static str,
    value: Value,
}

impl Document {
    fn new() -> Self {
        let settings = SchemaSettings::draft2020_12()
            .with(|settings| settings.definitions_path = "/components/schemas".into());
        Self { generator: settings.into_generator(), paths: Map::new() }
    }

    fn reference<T: JsonSchema>(&mut self) -> Value {
        self.generator.subschema_for::<T>().to_value()
    }

    /// An operation that a token with one of these scopes may use; without any, everybody.
    fn on(
        &mut self,
        method: &'static str,
        path: &'static str,
        summary: &str,
        scopes: &[Scope],
    ) -> Operation<'_> {
        let words: Vec<String> = path
            .split(['/', '{', '}', '.'])
            .filter(|word| !word.is_empty() && *word != "v1")
            .map(str::to_owned)
            .collect();
        let problem = self.reference::<Problem>();
        let value = json!({
            "operationId": format!("{method}_{}", words.join("_")),
            "summary": summary,
            "parameters": parameters(path),
            "responses": { "default": {
                "description": "A problem.",
                "content": { Problem::CONTENT_TYPE: { "schema": problem } },
            } },
        });
        let mut operation = Operation { document: self, path, method, value };
        if !scopes.is_empty() {
            let names: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
            operation.value["security"] = json!([{ "token": [] }]);
            operation.value["description"] =
                json!(format!("Needs a token with the scope {} or admin.", names.join(" or ")));
        }
        operation
    }

    fn finish(mut self) -> String {
        let schemas = self.generator.take_definitions(true);
        let document = json!({
            "openapi": "3.1.0",
            "info": {
                "title": "envc edge",
                "version": "1",
                "description": "Preview IDs, environments, status and shared state. \
                    Failures are problem documents (RFC 9457).",
                "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
            },
            "servers": [{ "url": "/" }],
            "paths": self.paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            },
        });
        let mut text = serde_json::to_string_pretty(&document).unwrap();
        text.push('\n');
        text
    }
}

fn parameters(path: &str) -> Value {
    let names = path.split(['{', '}']).skip(1).step_by(2);
    let all = names.map(|name| {
        let schema = match name {
            "version" => json!({ "type": "integer", "minimum": 1 }),
            _ => json!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" }),
        };
        json!({ "name": name, "in": "path", "required": true, "schema": schema })
    });
    all.collect()
}

impl Operation<'_> {
    fn takes<T: JsonSchema>(self) -> Self {
        self.body::<T>(true)
    }

    fn may_take<T: JsonSchema>(self) -> Self {
        self.body::<T>(false)
    }

    fn body<T: JsonSchema>(mut self, required: bool) -> Self {
        let schema = self.document.reference::<T>();
        self.value["requestBody"] = json!({ "required": required, "content": { "application/json": { "schema": schema } } });
        self
    }

    fn header(self, name: &str, schema: &Value) -> Self {
        self.parameter("header", name, schema)
    }

    fn query(self, name: &str, schema: &Value) -> Self {
        self.parameter("query", name, schema)
    }

    fn parameter(mut self, place: &str, name: &str, schema: &Value) -> Self {
        let parameter = json!({ "name": name, "in": place, "schema": schema });
        self.value["parameters"].as_array_mut().unwrap().push(parameter);
        self
    }

    fn answers<T: JsonSchema>(self, status: u16, what: &str) -> Self {
        self.content::<T>(status, what, "application/json")
    }

    fn content<T: JsonSchema>(mut self, status: u16, what: &str, content_type: &str) -> Self {
        let schema = self.document.reference::<T>();
        self.value["responses"][status.to_string()] =
            json!({ "description": what, "content": { content_type: { "schema": schema } } });
        self
    }

    fn text(mut self, what: &str, content_type: &str) -> Self {
        self.value["responses"]["200"] = json!({
            "description": what, "content": { content_type: { "schema": { "type": "string" } } },
        });
        self
    }

    fn any_json(mut self, what: &str) -> Self {
        self.value["responses"]["200"] =
            json!({ "description": what, "content": { "application/json": { "schema": true } } });
        self
    }

    fn nothing(mut self, status: u16, what: &str) -> Self {
        self.value["responses"][status.to_string()] = json!({ "description": what });
        self
    }

    fn end(self) {
        let Self { document, path, method, value } = self;
        document.paths.entry(path).or_insert_with(|| json!({}))[method] = value;
    }
}

const POOL: &str = "/v1/pools/{pool}";

fn pools(it: &mut Document) {
    use Scope::{Admin, Pool, Read};
    it.on("get", "/v1/pools", "Counts and settings of every pool", &[Read, Pool])
        .answers::<PoolList>(200, "The pools, by name.")
        .end();
    it.on("get", POOL, "Counts and settings of a pool", &[Read, Pool])
        .answers::<PoolStats>(200, "The pool.")
        .end();
    it.on("post", "/v1/pools/{pool}/leases", "Leases a preview ID", &[Pool])
        .takes::<LeaseRequest>()
        .answers::<Lease>(201, "A new lease.")
        .answers::<Lease>(200, "The lease that the holder has, prolonged.")
        .answers::<Ticket>(202, "A place in the queue.")
        .content::<PoolEmpty>(503, "Nothing is free.", Problem::CONTENT_TYPE)
        .end();
    it.on("get", "/v1/pools/{pool}/leases", "Who holds what, and who waits", &[Read, Pool])
        .answers::<LeaseList>(200, "Leases and queue.")
        .end();
    it.on("put", "/v1/pools/{pool}/leases/{lease_id}", "Renews a lease", &[Pool])
        .may_take::<RenewRequest>()
        .answers::<Lease>(200, "The lease.")
        .end();
    it.on("delete", "/v1/pools/{pool}/leases/{lease_id}", "Gives a lease back", &[Pool])
        .nothing(204, "It is over, or was.")
        .end();
    it.on("delete", "/v1/pools/{pool}/tickets/{ticket_id}", "Gives a place up", &[Pool])
        .nothing(204, "It is given up, or was lost.")
        .end();
    it.on("get", "/v1/pools/{pool}/members", "The members of a pool", &[Read])
        .answers::<MemberList>(200, "The members, with the names of their secrets.")
        .end();
    it.on("put", "/v1/pools/{pool}/members", "Puts all members of a pool", &[Admin])
        .takes::<MembersRequest>()
        .answers::<MembersDiff>(200, "What it did.")
        .end();
    it.on("get", "/v1/pools/{pool}/reclaims", "Leases that were taken away", &[Read])
        .answers::<ReclaimList>(200, "The last 200, newest last.")
        .end();
    it.on("post", "/v1/pools/{pool}/reclaims", "Takes leases away, on record", &[Admin])
        .takes::<ReclaimRequest>()
        .answers::<ReclaimList>(200, "What was taken.")
        .end();
}

const STATES: &str = "/v1/state/{cloud}/{account}/{project}";
const STATE: &str = "/v1/state/{cloud}/{account}/{project}/{env}";
const LOCK: &str = "/v1/state/{cloud}/{account}/{project}/{env}/lock";
const HELD_LOCK: &str = "/v1/state/{cloud}/{account}/{project}/{env}/lock/{lock_id}";
const VERSIONS: &str = "/v1/state/{cloud}/{account}/{project}/{env}/versions";
const VERSION: &str = "/v1/state/{cloud}/{account}/{project}/{env}/versions/{version}";

fn states(it: &mut Document) {
    use Scope::{Admin, State};
    let text = json!({ "type": "string" });
    let fence = json!({ "type": "integer", "minimum": 1 });
    it.on("get", "/v1/state", "Every state and lock of every project", &[Admin])
        .query("after", &text)
        .answers::<AllStates>(200, "A page of them, by cloud, account and project.")
        .end();
    it.on("get", STATES, "Every state and lock of a project", &[State])
        .answers::<StateList>(200, "By environment.")
        .end();
    it.on("get", STATE, "Reads a state", &[State])
        .header("If-None-Match", &text)
        .any_json("The document, with its entity tag in `ETag`.")
        .nothing(304, "It is what `If-None-Match` names.")
        .end();
    for (method, summary) in [("put", "Writes a state"), ("delete", "Removes a state")] {
        let operation = it.on(method, STATE, summary, &[State]);
        let operation = if method == "put" { operation.takes::<Value>() } else { operation };
        operation
            .header("If-Match", &text)
            .header("If-None-Match", &json!({ "const": "*" }))
            .header("Envc-Fence", &fence)
            .answers::<StateWritten>(200, "The new version.")
            .answers::<StateWritten>(201, "The first version.")
            .end();
    }
    it.on("get", LOCK, "Who has the lock", &[State]).answers::<LockSummary>(200, "Who.").end();
    it.on("post", LOCK, "Takes the lock", &[State])
        .takes::<LockRequest>()
        .answers::<Lock>(201, "The lock.")
        .answers::<Lock>(200, "The lock of the same `request_id`.")
        .content::<LockedProblem>(423, "Somebody else has it.", Problem::CONTENT_TYPE)
        .end();
    it.on("delete", LOCK, "Breaks the lock", &[Admin]).nothing(204, "Nobody has it.").end();
    it.on("put", HELD_LOCK, "Keeps the lock alive", &[State])
        .may_take::<HeartbeatRequest>()
        .answers::<Lock>(200, "The lock.")
        .end();
    it.on("delete", HELD_LOCK, "Gives the lock back", &[State])
        .nothing(204, "It is over, or was.")
        .end();
    it.on("get", VERSIONS, "The last 50 versions", &[State])
        .answers::<VersionList>(200, "Newest first.")
        .end();
    it.on("get", VERSION, "Reads an old version", &[State]).any_json("The document.").end();
}

fn registry(it: &mut Document) {
    use Scope::{Admin, Read, Report};
    const ENVIRONMENT: &str = "/v1/environments/{id}";
    it.on("get", "/v1/environments", "Every environment", &[Read, Report])
        .answers::<EnvironmentList>(200, "By ID.")
        .end();
    it.on("get", ENVIRONMENT, "One environment", &[Read, Report])
        .answers::<EnvironmentStatus>(200, "The environment.")
        .end();
    it.on("put", ENVIRONMENT, "Reports an environment", &[Report])
        .takes::<EnvironmentReport>()
        .answers::<EnvironmentStatus>(200, "It was known.")
        .answers::<EnvironmentStatus>(201, "It is new.")
        .end();
    it.on("delete", ENVIRONMENT, "Forgets an environment", &[Report])
        .nothing(204, "It is not there, or was not.")
        .end();
    it.on("get", "/v1/probes", "What may be probed", &[Read])
        .answers::<ProbeSettings>(200, "The settings.")
        .end();
    it.on("put", "/v1/probes", "Says what may be probed", &[Admin])
        .takes::<ProbeSettings>()
        .answers::<ProbeSettings>(200, "The settings.")
        .end();
    it.on("post", "/v1/probes", "Probes at once", &[Admin])
        .answers::<ProbeRun>(200, "How many were asked.")
        .end();
    it.on("get", "/v1/status", "The status of everything", &[Read])
        .answers::<Status>(200, "The status.")
        .end();
    it.on("get", "/status", "The status as a page", &[Read]).text("The page.", "text/html").end();
    it.on("get", "/metrics", "The status as metrics", &[Read])
        .text("Prometheus' text format.", "text/plain")
        .end();
    it.on("get", "/badge/{id}.svg", "An environment's badge", &[Read])
        .text("The picture.", "image/svg+xml")
        .end();
    it.on("get", "/v1/events", "Tells when the status changes", &[Read])
        .text("Server-sent events.", "text/event-stream")
        .end();
}

fn document() -> String {
    let mut it = Document::new();
    it.on("get", "/healthz", "Whether the Worker is there", &[])
        .answers::<Health>(200, "It is.")
        .end();
    it.on("get", "/openapi.json", "This document", &[]).any_json("The document.").end();
    pools(&mut it);
    states(&mut it);
    registry(&mut it);
    it.on("get", "/v1/tokens", "Every token, without its secret", &[Scope::Admin])
        .answers::<TokenList>(200, "Oldest first.")
        .end();
    it.on("post", "/v1/tokens", "Makes a token", &[Scope::Admin])
        .takes::<TokenRequest>()
        .answers::<TokenCreated>(201, "The token, shown this once.")
        .end();
    it.on("delete", "/v1/tokens/{token_id}", "Revokes a token", &[Scope::Admin])
        .nothing(204, "It is revoked.")
        .end();
    it.finish()
}

#[test]
fn the_document_is_what_the_types_say() {
    let document = document();
    if std::env::var_os("ENVC_UPDATE_OPENAPI").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        std::fs::write(path, &document).unwrap();
        return;
    }
    assert!(
        document == OPENAPI,
        "openapi.json is not what the types say: run `ENVC_UPDATE_OPENAPI=1 cargo test -p \
         envc-edge-api`, and read what changed"
    );
}
