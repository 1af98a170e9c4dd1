//! The products, and the way from a path to one of them. A new product is a module and a row.
//!
//! Each product matches the rest of its path itself. Identifiers are checked on the way: a
//! malformed one is 400 with 7003 and 7000, an account that is not the token's is 403 with 10000,
//! an unknown zone is 403 with 9109.

mod accounts;
mod d1;
mod dns;
mod hyperdrive;
mod kv;
mod product;
mod queues;
mod r2;
mod tunnels;
mod vectorize;
mod workers;
mod zones;

use rusqlite::Connection;

use crate::auth::{self, Realm};
use crate::clock;
use crate::cloud::Inner;
use crate::envelope::{Answer, Problem};
use crate::faults::Flag;
use crate::request::{BODY_BYTES_MAX, Req};

pub(crate) use self::d1::{admit_transfer, carry_transfer};
pub(crate) use self::workers::script_exists;
pub use product::Listed;
use product::{Bound, Handle, IdForm, Product, StandIn, Table};

/// What the paths begin with at which texts are sent to D1 and fetched from it.
pub(crate) const TRANSFERS: &str = "/transfers/";

/// The one list of products: a row each.
const PRODUCTS: &[&Product] = &[
    &d1::PRODUCT,
    &kv::PRODUCT,
    &r2::PRODUCT,
    &queues::PRODUCT,
    &hyperdrive::PRODUCT,
    &vectorize::PRODUCT,
    &tunnels::PRODUCT,
    &dns::PRODUCT,
    &workers::PRODUCT,
    &workers::ROUTES,
];
/// The word of what is on every account: its zones.
const ZONES: &str = "zones";

/// The words by which permissions can be denied.
pub(crate) fn words() -> impl Iterator<Item = &'static str> {
    PRODUCTS.iter().map(|product| product.word).chain([ZONES])
}

/// Makes the tables of a product that are not there yet.
fn add_tables(db: &Connection, product: &Product) -> rusqlite::Result<()> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?";
    for table in product.tables {
        if !db.prepare_cached(sql)?.exists([table.name])? {
            db.execute_batch(table.sql)?;
        }
    }
    Ok(())
}

/// The same, before a call; most products have theirs in the schema.
fn prepare(ctx: &Ctx<'_>, product: &Product) -> Result<(), Problem> {
    if product.tables.is_empty() {
        return Ok(());
    }
    ctx.cloud.store.write(|db| Ok::<_, Problem>(add_tables(db, product)?))
}

/// What a Worker can be bound to, where nothing but its key has to be there.
fn bound(db: &Connection, api_type: &str) -> rusqlite::Result<Option<&'static Bound>> {
    let of_type = |product: &&&Product| {
        product.bound.as_ref().is_some_and(|bound| bound.api_type == api_type)
    };
    let Some(product) = PRODUCTS.iter().find(of_type) else { return Ok(None) };
    add_tables(db, product)?;
    Ok(product.bound.as_ref())
}

/// The lists of all products: of each its path below the account or the zone, and which of the two.
pub fn listed() -> impl Iterator<Item = (bool, String, &'static Listed)> {
    PRODUCTS.iter().flat_map(|product| {
        let in_zone = matches!(product.handle, Handle::Zone(_));
        let path = product.path.join("/");
        product.listed.iter().map(move |it| (in_zone, format!("{path}{}", it.path), it))
    })
}

/// What stands in for something of a kind: its identifier, and whether it is a database with a file.
#[derive(Debug)]
pub(crate) struct StoodIn {
    pub(crate) id: String,
    insert: &'static str,
    pub(crate) is_database: bool,
}

impl StoodIn {
    /// Makes the row.
    pub(crate) fn insert(&self, db: &Connection, name: &str) -> rusqlite::Result<()> {
        let now_us = clock::now_us();
        db.execute(self.insert, rusqlite::params![self.id, name, now_us]).map(drop)
    }
}

/// What would stand in for an object of this account; none where one is there, or where its identifier is
/// none. Invariant: whenever it is asked, it has the same identifier.
pub(crate) fn stand_in(
    db: &Connection,
    account: &str,
    (kind, id, name): (&str, Option<&str>, &str),
) -> rusqlite::Result<Option<StoodIn>> {
    let is_of_kind = |row: &&StandIn| row.kind == kind;
    let found = PRODUCTS
        .iter()
        .find_map(|product| Some((product, product.stand_in.as_ref().filter(is_of_kind)?)));
    let Some((product, row)) = found else { return Ok(None) };
    add_tables(db, product)?;
    let is_form = |id: &str| match row.id {
        IdForm::Hex => clock::is_hex_id(id),
        IdForm::Uuid => clock::is_uuid(id),
        IdForm::Name => true,
    };
    let drawn = || clock::uuid_of(&format!("{account} {kind} {name}"));
    let id = match (id, row.id) {
        (Some(id), _) if is_form(id) => id.to_owned(),
        (Some(_), _) => return Ok(None),
        (None, IdForm::Hex) => drawn().simple().to_string(),
        (None, IdForm::Uuid) => drawn().to_string(),
        (None, IdForm::Name) => name.to_owned(),
    };
    if db.prepare_cached(row.exists)?.exists([id.as_str(), name])? {
        return Ok(None);
    }
    Ok(Some(StoodIn { id, insert: row.insert, is_database: kind == "d1" }))
}

/// What a handler works on.
#[derive(Clone, Copy)]
pub(crate) struct Ctx<'a> {
    pub(crate) cloud: &'a Inner,
    /// The time of the call.
    pub(crate) now_us: i64,
}

impl Ctx<'_> {
    /// Lists show what is at least this old.
    pub(crate) fn visible_us(&self) -> i64 {
        let lag_us = self.cloud.injector.faults.list_lag_ms.saturating_mul(1000);
        self.now_us.saturating_sub(i64::try_from(lag_us).unwrap_or(i64::MAX))
    }

    /// A stored host as answers show it.
    pub(crate) fn shown_host(&self, host: &str) -> String {
        if self.cloud.injector.faults.has(Flag::UnicodeZones) {
            idna::domain_to_unicode(host).0
        } else {
            host.to_owned()
        }
    }
}

/// Lets a call in, or not, by its head alone; gives how many bytes its body may have.
pub(crate) fn admit(cloud: &Inner, req: &Req) -> Result<usize, Problem> {
    let path = req.segments();
    match path.as_slice() {
        ["user", "tokens", "verify"] | ["accounts", _, "tokens", "verify"] => {
            auth::check(cloud, req, Realm::Verify)?;
        }
        // Uploads of assets carry a token of their own.
        ["accounts", _, "workers", "assets", "upload", ..] => {
            workers::check_session(cloud, req, clock::now_us())?;
        }
        ["zones", ..] => auth::check(cloud, req, Realm::Zone)?,
        _ => auth::check(cloud, req, Realm::Account)?,
    }
    let found = match path.as_slice() {
        ["accounts", _, rest @ ..] => product(rest, false),
        ["zones", _, rest @ ..] => product(rest, true),
        _ => None,
    };
    Ok(found.map_or(BODY_BYTES_MAX, |(product, rest)| (product.body_bytes_max)(&req.method, rest)))
}

/// Answers one API call, which was let in.
pub(crate) fn handle(cloud: &Inner, req: &Req) -> Result<Answer, Problem> {
    let ctx = Ctx { cloud, now_us: clock::now_us() };
    let path = req.segments();
    match path.as_slice() {
        ["user", "tokens", "verify"] | ["accounts", _, "tokens", "verify"] => {
            accounts::verify(&ctx, req)
        }
        ["accounts", account, rest @ ..] => {
            if !clock::is_hex_id(account) {
                return Err(req.no_route());
            }
            if *account != cloud.account_id {
                return Err(Problem::new(403, 10000, "Authentication error"));
            }
            account_product(&ctx, req, rest)
        }
        ["zones", rest @ ..] => zone_product(&ctx, req, rest),
        other => accounts::handle(&ctx, req, other),
    }
}

/// The product whose path this is, and the rest of it.
fn product<'p>(path: &'p [&'p str], in_zone: bool) -> Option<(&'static Product, &'p [&'p str])> {
    // The old address of queues, which older clients know alone.
    let path = match path {
        ["workers", queues @ ..] if !in_zone && queues.first() == Some(&"queues") => queues,
        path => path,
    };
    PRODUCTS
        .iter()
        .filter(|product| matches!(product.handle, Handle::Zone(_)) == in_zone)
        .find_map(|product| Some((*product, path.strip_prefix(product.path)?)))
}

fn account_product(ctx: &Ctx<'_>, req: &Req, path: &[&str]) -> Result<Answer, Problem> {
    if path.is_empty() {
        return accounts::get(ctx, req);
    }
    match product(path, false) {
        Some((product @ Product { word, handle: Handle::Account(handle), .. }, rest)) => {
            auth::permit(ctx.cloud, word, Realm::Account)?;
            prepare(ctx, product)?;
            handle(ctx, req, rest)
        }
        _ => Err(req.no_route()),
    }
}

fn zone_product(ctx: &Ctx<'_>, req: &Req, path: &[&str]) -> Result<Answer, Problem> {
    let (id, path) = match path {
        [] => {
            auth::permit(ctx.cloud, ZONES, Realm::Zone)?;
            return zones::list(ctx, req);
        }
        [id] => {
            auth::permit(ctx.cloud, ZONES, Realm::Zone)?;
            return zones::one(ctx, req, id);
        }
        [id, path @ ..] => (id, path),
    };
    match product(path, true) {
        Some((product @ Product { word, handle: Handle::Zone(handle), .. }, rest)) => {
            auth::permit(ctx.cloud, word, Realm::Zone)?;
            prepare(ctx, product)?;
            let zone = zones::find(ctx, req, id)?;
            handle(ctx, req, &zone, rest)
        }
        _ => Err(req.no_route()),
    }
}

/// Answers a hook of the local cloud itself; see the table at the crate's root.
pub(crate) fn local_hook(cloud: &Inner, req: &Req) -> Result<Answer, Problem> {
    if !cloud.test_hooks {
        return Err(req.no_route());
    }
    auth::check(cloud, req, Realm::Account)?;
    let ctx = Ctx { cloud, now_us: clock::now_us() };
    let parts: Vec<&str> = req.path.split('/').skip(1).collect();
    match (req.method.as_str(), parts.as_slice()) {
        ("POST", ["__local", "tunnels", id, "connect"]) => tunnels::connect(&ctx, id),
        ("POST", ["__local", "tunnels", id, "disconnect"]) => tunnels::disconnect(&ctx, id),
        ("POST", ["__local", "r2", bucket, "uploads", count]) => {
            r2::open_uploads(&ctx, bucket, count.parse().map_err(|_| req.no_route())?)
        }
        ("POST", ["__local", "pools", "ahead", ms]) => {
            crate::pools::go_ahead(cloud, ms.parse().map_err(|_| req.no_route())?)?;
            Ok(Answer::null())
        }
        _ => Err(req.no_route()),
    }
}

/// Says whether a write failed for a uniqueness rule.
pub(crate) fn is_duplicate(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation)
}
