//! The local cloud: an emulator of the Cloudflare API over SQLite.
//!
//! It serves `/client/v4` as Cloudflare does: envelopes, status and error codes, name rules,
//! paging bounds and delete preconditions, so that `envc`, wrangler and the official SDKs cannot
//! tell the difference where it matters. D1 statements run on real SQLite.
//!
//! Invariants:
//! - It shares no request or response type with the client: it is a second witness, and a field
//!   name that both sides get wrong would otherwise agree with itself.
//! - Everything lives in the data folder; nothing is cached in memory. Several processes may open
//!   one folder at once, and a process may be killed at any instant.
//! - A request that is for another server, or from another server's page, is refused before anything
//!   else is looked at (`guard.rs`).
//! - Nothing of a body is read before its sender is let in, and no more of it than its call may have.
//! - What was deleted is overwritten in the files (`store.rs`).
//! - Faults ([`Faults`]) are injected at the edge of the server, never inside a product. So are moods,
//!   which are what is normal on the real API and not on an immediate server (`moods.rs`).
//!
//! Beside `/client/v4` there are the pools of an edge Worker, `/v1/pools/…`: the same paths, answers
//! and decisions, because they come from the Worker's own pure core. The token is the cloud's own,
//! and may do everything. Their requests are counted and hit by faults like all others.
//!
//! Besides there are hooks for tests that Cloudflare has no call for. They exist where
//! [`CloudConfig::test_hooks`] says so, take the token, and are neither counted nor hit by faults:
//!
//! | call | does |
//! |---|---|
//! | `POST /__local/tunnels/{id}/connect` | a connector connects: the tunnel is `healthy` |
//! | `POST /__local/tunnels/{id}/disconnect` | all its connections close: the tunnel is `down` |
//! | `POST /__local/r2/{bucket}/uploads/{n}` | so many multipart uploads are open in the bucket; 0 ends all |
//! | `POST /__local/pools/ahead/{ms}` | the clock of all pools goes so far ahead of what it is now |
//!
//! What is emulated; each file tells its facts, its limits, and what is invented for want of a
//! source:
//!
//! | product | file |
//! |---|---|
//! | accounts, tokens' verification, memberships | `products/accounts.rs` |
//! | zones, DNS records | `products/zones.rs`, `products/dns.rs` |
//! | D1: databases, queries on real SQLite | `products/d1.rs` |
//! | Workers KV | `products/kv.rs` |
//! | R2: buckets, objects over REST | `products/r2.rs` |
//! | queues, consumers, messages | `products/queues.rs` |
//! | tunnels and their configuration | `products/tunnels.rs` |
//! | Workers: scripts, versions, secrets, triggers, assets | `products/workers.rs` |
//!
//! Absent: of Workers, running them, tails and builds (`products/workers.rs` lists what there is);
//! the S3 API of R2; quotas of the account's plan.
//!
//! Entry: [`Cloud::open`], then [`serve`] or [`Cloud::router`].
//!
//! Sources: Cloudflare's public API documentation and OpenAPI schema, the official SDKs, and
//! published reports of live answers. Where they disagree or say nothing, the module says so.

mod auth;
mod clock;
mod cloud;
mod envelope;
mod error;
mod faults;
mod faults_text;
mod folder;
mod guard;
mod memory;
mod moods;
mod paging;
mod pipeline;
mod pools;
mod products;
mod request;
mod schema;
mod serve;
mod stand_in;
mod store;
mod throttle;

pub use cloud::{Cloud, CloudConfig, RequestLog};
pub use error::CloudError;
pub use faults::{CrashWhen, Failure, Faults, Flag, Lag};
pub use memory::Delay;
pub use products::{Listed, listed};
pub use serve::{ConnectionLost, serve};
pub use stand_in::StandIn;
pub use throttle::{Block, LimitHeaders, RefusalBody, RetryAfter};
