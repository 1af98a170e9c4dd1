//! A served local cloud, and a client that talks real HTTP to it.

use std::path::Path;

use envc_cloud::{Cloud, CloudConfig, Faults, serve};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The zone that every served cloud has.
pub(crate) const ZONE: &str = "example.com";

/// A cloud on a port of its own.
pub(crate) struct Served {
    pub(crate) cloud: Cloud,
    pub(crate) base: String,
    pub(crate) http: Client,
    dir: Option<TempDir>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<std::io::Result<()>>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Reply {
    /// The result of a call that must have succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert_eq!((self.status, &self.body["success"]), (200, &Value::Bool(true)), "{self:?}");
        for key in ["errors", "messages", "result"] {
            assert!(self.body.get(key).is_some(), "{key} is missing: {self:?}");
        }
        self.body["result"].clone()
    }

    /// Asserts the status of a call that must have failed without a code.
    #[track_caller]
    pub(crate) fn fails_bare(&self, status: u16) {
        assert_eq!((self.status, &self.body["success"]), (status, &false.into()), "{self:?}");
        assert!(self.body["errors"][0].get("code").is_none(), "{self:?}");
    }

    /// The text of the first error.
    #[track_caller]
    pub(crate) fn error(&self) -> &str {
        self.body["errors"][0]["message"].as_str().unwrap()
    }

    /// Asserts the status and the first code of a call that must have failed.
    #[track_caller]
    pub(crate) fn fails(&self, status: u16, code: i64) {
        assert_eq!(
            (self.status, &self.body["errors"][0]["code"]),
            (status, &code.into()),
            "{self:?}"
        );
        assert_eq!(self.body["success"], false);
        assert!(self.body["result"].is_null());
    }
}

impl Served {
    /// Serves an empty cloud.
    pub(crate) async fn new() -> Self {
        Self::with(Faults::default()).await
    }

    /// Serves an empty cloud with these faults.
    pub(crate) async fn with(faults: Faults) -> Self {
        let dir = TempDir::new().unwrap();
        let mut served = Self::on(dir.path(), faults).await;
        served.dir = Some(dir);
        served
    }

    /// Serves a folder.
    pub(crate) async fn on(dir: &Path, faults: Faults) -> Self {
        // Whoever else builds the HTTP client may have asked it for TLS.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let zones = vec![ZONE.to_owned()];
        let config = CloudConfig {
            dir: dir.to_owned(),
            zones,
            faults,
            test_hooks: true,
            ..CloudConfig::default()
        };
        let cloud = Cloud::open(config).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(serve(cloud.clone(), listener, async move {
            let _ended = stopped.await;
        }));
        let http = Client::builder().no_proxy().build().unwrap();
        Self { cloud, base, http, dir: None, stop: Some(stop), task }
    }

    /// Stops serving, in order.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        drop(self.http);
        self.task.await.unwrap().unwrap();
    }

    /// A request below `/client/v4`, with the token.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}/client/v4/{path}", self.base))
            .bearer_auth(self.cloud.token())
    }

    /// The path of something in the account.
    pub(crate) fn in_account(&self, path: &str) -> String {
        format!("accounts/{}/{path}", self.cloud.account_id())
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            // Deliberately without a content type: the API reads JSON whatever it says.
            request = request.body(body.to_string());
        }
        reply(request).await
    }

    /// `GET` in the account.
    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, &self.in_account(path), None).await
    }

    /// `POST` in the account.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(Method::POST, &self.in_account(path), Some(body)).await
    }

    /// `PUT` in the account.
    pub(crate) async fn put(&self, path: &str, body: Value) -> Reply {
        self.send(Method::PUT, &self.in_account(path), Some(body)).await
    }

    /// `PATCH` in the account.
    pub(crate) async fn patch(&self, path: &str, body: Value) -> Reply {
        self.send(Method::PATCH, &self.in_account(path), Some(body)).await
    }

    /// `DELETE` in the account.
    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, &self.in_account(path), None).await
    }

    /// Any call below `/client/v4`.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        self.send(method, path, body).await
    }

    /// A hook of the local cloud itself.
    pub(crate) async fn hook(&self, path: &str) -> Reply {
        let request = self.http.post(format!("{}/__local/{path}", self.base));
        reply(request.bearer_auth(self.cloud.token())).await
    }
}

/// Sends and reads the envelope.
pub(crate) async fn reply(request: RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    let hook = response.url().path().starts_with("/__local");
    assert!(hook || response.headers().contains_key("cf-ray"), "cf-ray is missing");
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"));
    Reply { status, body }
}
