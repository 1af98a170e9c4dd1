//! The sections of a `wrangler.jsonc`, under wrangler's own names. What is not set is left out.

use serde::Serialize;

/// One of `d1_databases`.
#[derive(Debug, Serialize)]
pub(super) struct D1<'a> {
    pub(super) binding: &'a str,
    pub(super) database_name: String,
    pub(super) database_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) migrations_dir: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) remote: bool,
}

/// One of `kv_namespaces`.
#[derive(Debug, Serialize)]
pub(super) struct Kv<'a> {
    pub(super) binding: &'a str,
    pub(super) id: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) remote: bool,
}

/// One of `r2_buckets`.
#[derive(Debug, Serialize)]
pub(super) struct R2<'a> {
    pub(super) binding: &'a str,
    pub(super) bucket_name: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) remote: bool,
}

/// `queues`
#[derive(Debug, Default, Serialize)]
pub(super) struct Queues<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) producers: Vec<Producer<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) consumers: Vec<QueueConsumer>,
}

impl Queues<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.producers.is_empty() && self.consumers.is_empty()
    }
}

/// A queue that the Worker sends to.
#[derive(Debug, Serialize)]
pub(super) struct Producer<'a> {
    pub(super) binding: &'a str,
    pub(super) queue: String,
}

/// A queue that it consumes.
#[derive(Debug, Serialize)]
pub(super) struct QueueConsumer {
    pub(super) queue: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_batch_size: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_batch_timeout: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_retries: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_concurrency: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retry_delay: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dead_letter_queue: Option<String>,
}

/// `durable_objects`
#[derive(Debug, Serialize)]
pub(super) struct Objects<'a> {
    pub(super) bindings: Vec<Object<'a>>,
}

impl Objects<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }
}

/// A Durable Object binding.
#[derive(Debug, Serialize)]
pub(super) struct Object<'a> {
    pub(super) name: &'a str,
    pub(super) class_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) script_name: Option<String>,
}

/// A Durable Object migration.
#[derive(Debug, Serialize)]
pub(super) struct Migration<'a> {
    pub(super) tag: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) new_sqlite_classes: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) new_classes: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) renamed_classes: Vec<Renamed<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) deleted_classes: &'a [String],
}

/// A class with another name.
#[derive(Debug, Serialize)]
pub(super) struct Renamed<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
}

/// `triggers`
#[derive(Debug, Serialize)]
pub(super) struct Triggers<'a> {
    pub(super) crons: &'a [String],
}

impl Triggers<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.crons.is_empty()
    }
}

/// A route or a custom domain.
#[derive(Debug, Serialize)]
pub(super) struct Route<'a> {
    pub(super) pattern: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) zone_name: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) custom_domain: bool,
}

/// `dev`: what `wrangler dev` listens on.
#[derive(Debug, Serialize)]
pub(super) struct Dev {
    pub(super) port: u16,
}
