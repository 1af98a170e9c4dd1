//! What a local cloud holds, asked through its own API in this process.

use std::{collections::BTreeMap, fmt, path::Path};

use axum::body::{Body, to_bytes};
use envc_cloud::{Cloud, CloudConfig};
use http::{Method, Request};
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Items of a page; every list of the API takes it.
const PER_PAGE: usize = 50;

/// An opened cloud, for questions and for changes behind the binary's back.
pub struct CloudView {
    cloud: Cloud,
    runtime: Runtime,
}

/// One object of a cloud.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    /// `d1`, `kv`, `r2`, `queue`, `tunnel`, `dns`, `worker` and what hangs on it.
    pub kind: &'static str,
    /// Its name: of a DNS record `CNAME host`.
    pub name: String,
    /// The API's identifier.
    pub id: String,
}

/// All objects of a cloud, by kind, name and identifier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The objects, sorted.
    pub objects: Vec<Object>,
}

impl fmt::Debug for CloudView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cloud.fmt(f)
    }
}

impl CloudView {
    /// Opens a cloud's folder. Processes may work on it at the same time.
    pub fn open(dir: &Path) -> Self {
        let config =
            CloudConfig { dir: dir.to_owned(), test_hooks: true, ..CloudConfig::default() };
        let cloud = Cloud::open(config).expect("the local cloud opens");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime can be made");
        Self { cloud, runtime }
    }

    /// The account's ID.
    pub fn account(&self) -> &str {
        self.cloud.account_id()
    }

    /// Sends a call; `path` begins after `/client/v4`. Gives the status and the whole envelope.
    pub fn call(&self, method: &Method, path: &str, body: Option<&Json>) -> (u16, Json) {
        self.send(method, &format!("/client/v4{path}"), body)
    }

    fn send(&self, method: &Method, path: &str, body: Option<&Json>) -> (u16, Json) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", self.cloud.token()))
            .header("content-type", "application/json")
            .body(body.map_or_else(Body::empty, |json| Body::from(json.to_string())))
            .expect("the request can be built");
        let (status, _, bytes) = self.ask(request);
        (status, serde_json::from_slice(&bytes).unwrap_or(Json::Null))
    }

    /// Sends a form below the account; gives the status and the whole envelope.
    pub fn form_of_account(
        &self,
        method: &Method,
        path: &str,
        boundary: &str,
        body: Vec<u8>,
    ) -> (u16, Json) {
        let request = Request::builder()
            .method(method)
            .uri(format!("/client/v4/accounts/{}{path}", self.account()))
            .header("authorization", format!("Bearer {}", self.cloud.token()))
            .header("content-type", format!("multipart/form-data; boundary={boundary}"))
            .body(Body::from(body))
            .expect("the request can be built");
        let (status, _, bytes) = self.ask(request);
        (status, serde_json::from_slice(&bytes).unwrap_or(Json::Null))
    }

    /// Reads something below the account that is no envelope: its content type, and its bytes.
    pub fn bytes_of_account(&self, path: &str) -> (String, Vec<u8>) {
        let request = Request::builder()
            .uri(format!("/client/v4/accounts/{}{path}", self.account()))
            .header("authorization", format!("Bearer {}", self.cloud.token()))
            .body(Body::empty())
            .expect("the request can be built");
        let (status, content_type, bytes) = self.ask(request);
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&bytes));
        (content_type, bytes)
    }

    fn ask(&self, request: Request<Body>) -> (u16, String, Vec<u8>) {
        self.runtime.block_on(async {
            let Ok(response) = self.cloud.router().oneshot(request).await;
            let status = response.status().as_u16();
            let content_type = response.headers().get("content-type");
            let content_type = content_type.and_then(|value| value.to_str().ok());
            let content_type = content_type.unwrap_or_default().to_owned();
            let bytes = to_bytes(response.into_body(), ANSWER_BYTES_MAX).await;
            (status, content_type, bytes.expect("the answer can be read").to_vec())
        })
    }

    /// Sends a call to the pools; `path` begins after `/v1/pools`. Gives the status and the answer.
    pub fn pool(&self, method: &Method, path: &str, body: Option<&Json>) -> (u16, Json) {
        self.send(method, &format!("/v1/pools{path}"), body)
    }

    /// Who holds what of a pool: holder and preview ID. Empty where there is no such pool.
    pub fn leases(&self, pool: &str) -> BTreeMap<String, String> {
        let (_, answer) = self.pool(&Method::GET, &format!("/{pool}/leases"), None);
        let leases = answer.get("leases").and_then(Json::as_array).cloned().unwrap_or_default();
        let text = |lease: &Json, name: &str| lease[name].as_str().unwrap_or_default().to_owned();
        leases.iter().map(|lease| (text(lease, "holder"), text(lease, "id"))).collect()
    }

    /// Sets the clock of all pools ahead.
    pub fn pools_ahead(&self, ms: u64) {
        let (status, answer) =
            self.send(&Method::POST, &format!("/__local/pools/ahead/{ms}"), None);
        assert_eq!(status, 200, "{answer}");
    }

    /// Sends a call below the account that must succeed; gives its result.
    pub fn of_account(&self, method: &Method, path: &str, body: Option<&Json>) -> Json {
        let path = format!("/accounts/{}{path}", self.account());
        let (status, mut answer) = self.call(method, &path, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer.get_mut("result").map(Json::take).unwrap_or_default()
    }

    fn list(&self, path: &str) -> Vec<Json> {
        let mut all = Vec::new();
        let separator = if path.contains('?') { '&' } else { '?' };
        for page in 1.. {
            let path = format!("{path}{separator}page={page}&per_page={PER_PAGE}");
            let (status, answer) = self.call(&Method::GET, &path, None);
            assert_eq!(status, 200, "{path}: {answer}");
            let items = answer.get("result").and_then(Json::as_array).cloned().unwrap_or_default();
            if items.is_empty() {
                break;
            }
            // A list that is one page is the same whichever page is asked for.
            if all.ends_with(&items) {
                break;
            }
            all.extend(items);
        }
        all
    }

    /// The scripts that have cron triggers.
    fn scheduled(&self, scripts: &[Json]) -> Vec<Json> {
        let has_crons = |script: &&Json| {
            let id = script.get("id").and_then(Json::as_str).unwrap_or_default();
            let path = format!("/workers/scripts/{id}/schedules");
            let found = self.of_account(&Method::GET, &path, None);
            found.get("schedules").and_then(Json::as_array).is_some_and(|all| !all.is_empty())
        };
        scripts.iter().filter(has_crons).cloned().collect()
    }

    fn buckets(&self) -> Vec<Json> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/accounts/{}/r2/buckets?per_page=1000{cursor}", self.account());
            let (status, answer) = self.call(&Method::GET, &path, None);
            assert_eq!(status, 200, "{path}: {answer}");
            let items = answer.pointer("/result/buckets").and_then(Json::as_array).cloned();
            all.extend(items.unwrap_or_default());
            match answer.pointer("/result_info/cursor").and_then(Json::as_str) {
                Some(next) if !next.is_empty() => cursor = format!("&cursor={next}"),
                _ => return all,
            }
        }
    }

    /// Everything that the cloud holds: databases, namespaces, buckets, queues and their consumers,
    /// tunnels that are not deleted, scripts with their crons and domains, and the records and
    /// routes of all zones.
    pub fn listing(&self) -> Listing {
        let account = format!("/accounts/{}", self.account());
        let mut objects = Vec::new();
        let mut add = |kind: &'static str, items: Vec<Json>, name: &str, id: &str| {
            let text = |item: &Json, field: &str| {
                item.get(field).and_then(Json::as_str).unwrap_or_default().to_owned()
            };
            objects.extend(items.iter().map(|item| {
                let name = match kind {
                    "dns" => format!("{} {}", text(item, "type"), text(item, name)),
                    _ => text(item, name),
                };
                Object { kind, name, id: text(item, id) }
            }));
        };
        let zones = self.list("/zones");
        let id_of = |zone: &Json| format!("/zones/{}", zone["id"].as_str().unwrap_or_default());
        for (in_zone, path, listed) in envc_cloud::listed() {
            let above =
                if in_zone { zones.iter().map(id_of).collect() } else { vec![account.clone()] };
            for above in above {
                let items = self.list(&format!("{above}/{path}"));
                // What stands inside of others has no list of its own.
                match listed.kind {
                    "queue" => {
                        let consumers =
                            items.iter().filter_map(|it| it.get("consumers")?.as_array());
                        let consumers = consumers.flatten().cloned().collect();
                        add("queue-consumer", consumers, "queue_name", "consumer_id");
                    }
                    "worker" => add("worker-crons", self.scheduled(&items), "id", "id"),
                    _ => {}
                }
                add(listed.kind, items, listed.name, listed.id);
            }
        }
        add("r2", self.buckets(), "name", "name");
        objects.sort();
        Listing { objects }
    }

    /// The migrations that a database has recorded, in the order they ran; none where it has no
    /// ledger.
    pub fn ledger(&self, database: &str) -> Vec<String> {
        let sql = "SELECT name FROM d1_migrations ORDER BY id";
        let path = format!("/accounts/{}/d1/database/{database}/query", self.account());
        let (status, answer) = self.call(&Method::POST, &path, Some(&json!({ "sql": sql })));
        if status != 200 {
            return Vec::new();
        }
        let rows = answer.pointer("/result/0/results").and_then(Json::as_array);
        let name = |row: &Json| row.get("name").and_then(Json::as_str).map(str::to_owned);
        rows.into_iter().flatten().filter_map(name).collect()
    }
}

impl Listing {
    /// The same without the claims of projects, which outlive their environments.
    #[must_use]
    pub fn without_claims(mut self) -> Self {
        self.objects.retain(|object| !object.name.starts_with("envc claim "));
        self
    }

    /// The names of one kind, sorted; an object that is there twice stands here twice.
    pub fn names(&self, kind: &str) -> Vec<&str> {
        let of_kind = self.objects.iter().filter(|object| object.kind == kind);
        of_kind.map(|object| object.name.as_str()).collect()
    }

    /// The identifier of an object.
    pub fn id(&self, kind: &str, name: &str) -> Option<&str> {
        let found = self.objects.iter().find(|it| it.kind == kind && it.name == name);
        found.map(|object| object.id.as_str())
    }

    /// How many objects of each kind.
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for object in &self.objects {
            *counts.entry(object.kind).or_default() += 1;
        }
        counts
    }

    /// True when the cloud holds nothing.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }
}

impl fmt::Display for Listing {
    /// One object a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Object { kind, name, id } in &self.objects {
            writeln!(f, "{kind} {name} ({id})")?;
        }
        Ok(())
    }
}
