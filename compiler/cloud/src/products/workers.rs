//! Workers: scripts, their settings, and what hangs on them.
//!
//! Endpoints below `accounts/{a}/workers`:
//!
//! | path | file |
//! |---|---|
//! | `scripts`, `scripts-search`, `scripts/{n}` (list, upload, content, delete), `scripts/{n}/references`, `tails/by-consumer/{n}` | `scripts.rs`, `publish.rs` |
//! | `services/{n}`, `services/{n}/environments/production` | `service.rs` |
//! | `durable_objects/namespaces` | `classes.rs` |
//! | `scripts/{n}/settings`, `scripts/{n}/bindings`, `scripts/{n}/script-settings` | `settings.rs` |
//! | `scripts/{n}/versions`, `scripts/{n}/deployments` | `versions.rs`, `deployments.rs` |
//! | `workers`, `workers/{id}` | `resource.rs` |
//! | `scripts/{n}/secrets`, `scripts/{n}/secrets-bulk`, `workers/{id}/versions/latest` | `secrets.rs` |
//! | `scripts/{n}/schedules` | `schedules.rs` |
//! | `subdomain`, `subdomains/{n}`, `scripts/{n}/subdomain` | `subdomain.rs` |
//! | `zones/{z}/workers/routes`, `scripts/{n}/routes` | `routes.rs` |
//! | `domains`, `scripts/{n}/domains` | `domains.rs` |
//! | `scripts/{n}/assets-upload-session`, `assets/upload` | `assets.rs` |
//!
//! Code is stored byte for byte and never run. A Worker's name is its identity; `PUT` is an
//! upsert and replaces everything of a version; secrets are bindings that are lost unless kept.
//!
//! Source: Cloudflare's OpenAPI document and documentation (workers), wrangler's source for the
//! calls that only it makes, published live error bodies.

mod asset_token;
mod assets;
mod bindings;
mod classes;
mod code;
mod deployments;
mod domains;
mod publish;
mod resource;
mod routes;
mod rows;
mod schedules;
mod scripts;
mod secrets;
mod service;
mod settings;
mod subdomain;
mod upload;
mod versions;

use self::scripts::Named;
use super::{Ctx, Handle, Listed, Product};
use crate::auth::{self, Realm};
use crate::cloud::Inner;
use crate::envelope::{Answer, Problem};
use crate::request::{BODY_BYTES_MAX, Req};

pub(crate) use self::rows::script_exists;
pub(super) use self::rows::{handles_queues, no_queue_handler, queue_producers};

/// What a script has below it, where only some verbs are known.
/// Bytes of an upload: 64 MiB of modules, or of assets in base64, and some for the form.
const UPLOAD_BYTES_MAX: usize = 96 * 1024 * 1024;

const LEAVES: [&str; 7] =
    ["content", "references", "settings", "script-settings", "secrets-bulk", "schedules", "routes"];

/// Its row.
pub(super) const PRODUCT: Product = Product {
    listed: &[
        Listed { kind: "worker", path: "/scripts", name: "id", id: "id" },
        Listed { kind: "worker-domain", path: "/domains", name: "hostname", id: "id" },
    ],
    body_bytes_max: |_, rest| match rest {
        // Code, and the manifest of a session.
        ["scripts", _] | ["services" | "workers", ..] | ["assets", "upload", ..] => {
            UPLOAD_BYTES_MAX
        }
        ["scripts", _, "content" | "versions" | "assets-upload-session"] => UPLOAD_BYTES_MAX,
        _ => BODY_BYTES_MAX,
    },
    ..Product::of("workers", &["workers"], Handle::Account(handle))
};

/// Its row.
pub(super) const ROUTES: Product = Product {
    listed: &[Listed { kind: "worker-route", path: "", name: "pattern", id: "id" }],
    ..Product::of("routes", &["workers", "routes"], Handle::Zone(routes::handle))
};

/// Lets an upload of assets in, whose token is its session's.
pub(super) fn check_session(cloud: &Inner, req: &Req, now_us: i64) -> Result<(), Problem> {
    assets::session_of(cloud, req, now_us).map(drop)
}

/// Answers a call below `workers`.
pub(super) fn handle(ctx: &Ctx<'_>, req: &Req, rest: &[&str]) -> Result<Answer, Problem> {
    match (req.method.as_str(), rest) {
        ("GET", ["scripts"]) => scripts::list(ctx, req),
        ("GET", ["scripts-search"]) => scripts::search(ctx, req),
        ("DELETE", ["services", name]) => scripts::delete(ctx, req, Named::Service, name),
        ("DELETE", ["scripts", name]) => scripts::delete(ctx, req, Named::Script, name),
        ("DELETE", ["workers", id]) => scripts::delete(ctx, req, Named::Resource, id),
        ("PATCH", ["workers", id, "versions", "latest"]) => secrets::patch_latest(ctx, req, id),
        (_, ["workers", rest @ ..]) => resource::handle(ctx, req, rest),
        ("GET", ["durable_objects", "namespaces"]) => classes::namespaces(ctx, req),
        ("GET", ["tails", "by-consumer", name]) => scripts::producers_of(ctx, name),
        ("POST", ["assets", "upload"]) => assets::upload(ctx, req, None),
        ("POST", ["assets", "upload", hash]) => assets::upload(ctx, req, Some(hash)),
        (_, ["domains", rest @ ..]) => domains::handle(ctx, req, rest),
        (_, ["subdomain"]) => subdomain::account(ctx, req),
        ("GET", ["subdomains", name]) => subdomain::probe(ctx, name),
        (_, ["scripts", name, rest @ ..]) => script(ctx, req, name, rest),
        (_, ["services", rest @ ..]) => service::handle(ctx, req, rest),
        (_, ["scripts" | "scripts-search"] | ["tails", "by-consumer", _]) => Err(req.bad_method()),
        _ => Err(req.no_route()),
    }
}

/// Answers a call below one script.
fn script(ctx: &Ctx<'_>, req: &Req, name: &str, rest: &[&str]) -> Result<Answer, Problem> {
    match (req.method.as_str(), rest) {
        ("PUT", []) => publish::put(ctx, req, name),
        ("PUT", ["content"]) => publish::put_content(ctx, req, name),
        ("GET", [] | ["content"] | ["content", "v2"]) => scripts::content(ctx, name),
        ("GET", ["references"]) => scripts::references(ctx, name),
        ("GET", ["settings"]) => settings::get(ctx, name),
        ("GET", ["bindings"]) => settings::bindings(ctx, name),
        ("PATCH", ["settings"]) => settings::patch(ctx, req, name),
        ("GET", ["script-settings"]) => settings::get_unversioned(ctx, name),
        ("PATCH", ["script-settings"]) => settings::patch_unversioned(ctx, req, name),
        (_, ["versions", rest @ ..]) => versions::handle(ctx, req, name, rest),
        (_, ["deployments", rest @ ..]) => deployments::handle(ctx, req, name, rest),
        (_, ["secrets", rest @ ..]) => secrets::handle(ctx, req, name, rest),
        ("PATCH", ["secrets-bulk"]) => secrets::bulk(ctx, req, name),
        ("GET", ["schedules"]) => schedules::get(ctx, name),
        ("PUT", ["schedules"]) => schedules::put(ctx, req, name),
        (_, ["subdomain"]) => subdomain::script(ctx, req, name),
        ("POST", ["assets-upload-session"]) => assets::open(ctx, req, name),
        ("PUT", ["routes"]) => {
            auth::permit(ctx.cloud, "routes", Realm::Account)?;
            routes::replace(ctx, req, name)
        }
        ("POST", ["domains", "changeset"]) => domains::changeset(ctx, req, name),
        ("PUT", ["domains", "records"]) => domains::replace(ctx, req, name),
        (_, [] | [_]) if rest.iter().all(|last| LEAVES.contains(last)) => Err(req.bad_method()),
        _ => Err(req.no_route()),
    }
}
