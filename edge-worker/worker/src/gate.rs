//! Who is let in: every request but those that need no token passes here.

use std::cell::RefCell;

use envc_edge_api::{Name, Scope};
use envc_edge_core::auth::{TokenHash, bearer, is_bootstrap, password, token_id};
use envc_edge_core::{Alive, BOOTSTRAP, Caller, Checked, Gate, Gone, Response, Route};
use futures::future::join;
use worker::{Env, Stub, console_error};

use crate::http::ask;
use crate::objects::{ALIVE, CHECK, Check};
use crate::probe::{GONE, registry};
use crate::settings::{is_on, setting};
use crate::store::now_ms;

/// The bootstrap token's requests for each minute.
const BOOTSTRAP_RATE: u32 = 100_000;

thread_local! {
    /// What this copy of the Worker remembers. One thread, so one gate for each copy.
    static GATE: RefCell<Gate> = RefCell::new(Gate::default());
}

/// Works on the gate; `None` if it is worked on already, which cannot happen between awaits.
fn with_gate<T>(work: impl FnOnce(&mut Gate) -> T) -> Option<T> {
    GATE.with(|gate| gate.try_borrow_mut().ok().map(|mut gate| work(&mut gate)))
}

/// Forgets a token that is being revoked.
pub(crate) fn forget(token_id: &str) {
    with_gate(|gate| gate.forget(token_id));
}

/// The one object that knows all tokens.
pub(crate) fn tokens(env: &Env) -> worker::Result<Stub> {
    env.durable_object("TOKENS")?.get_by_name("tokens")
}

/// Finds out who calls and whether the token may do that.
pub(crate) async fn pass(
    request: &worker::Request,
    env: &Env,
    route: &Route<'_>,
) -> Result<Caller, Response> {
    let header = request.headers().get("authorization").ok().flatten().unwrap_or_default();
    if route.is_page {
        return pass_page(&header, env, route).await;
    }
    let token = bearer(&header).ok_or_else(Response::unauthenticated)?;
    let checked = admit(token, env, route).await?;
    let alive = if route.needs_alive { Some(alive(env).await?) } else { None };
    Ok(Caller { alive, ..checked.caller })
}

/// As [`pass`], for what a browser shows: a password is as good as a token, and no token is
/// needed where the status is public.
async fn pass_page(header: &str, env: &Env, route: &Route<'_>) -> Result<Caller, Response> {
    let is_public = is_on(env, "STATUS_PUBLIC");
    if is_public && let Ok(subject) = Name::parse("public") {
        return Ok(Caller { subject, scopes: vec![Scope::Read], alive: None });
    }
    let token = bearer(header).map(str::to_owned).or_else(|| password(header));
    let token = token.ok_or_else(Response::page_unauthenticated)?;
    let admitted = admit(&token, env, route).await;
    Ok(admitted
        .map_err(
            |refused| {
                if refused.status == 401 { Response::page_unauthenticated() } else { refused }
            },
        )?
        .caller)
}

/// Checks a token and takes one of its requests.
async fn admit(token: &str, env: &Env, route: &Route<'_>) -> Result<Checked, Response> {
    let (id, checked) = known(token, env).await?;
    let left = with_gate(|gate| gate.take(&id, checked.rate_per_minute, now_ms()));
    if let Some(Err(wait_ms)) = left {
        return Err(Response::rate_limited(wait_ms));
    }
    if !checked.caller.may(route.scopes) {
        return Err(Response::forbidden(route.scopes));
    }
    Ok(checked)
}

/// Whose the token is, and by which ID it is counted.
async fn known(token: &str, env: &Env) -> Result<(String, Checked), Response> {
    // Most are remembered, and so are asked for first.
    let named = token_id(token).map(|id| (id, TokenHash::of(token)));
    if let Some((id, hash)) = named
        && let Some(checked) = with_gate(|gate| gate.recall(id, hash, now_ms())).flatten()
    {
        return Ok((id.to_owned(), checked));
    }
    let bootstrap = setting(env, "BOOTSTRAP_TOKEN").unwrap_or_default();
    if is_bootstrap(token, &bootstrap) {
        let subject = Name::parse(BOOTSTRAP).map_err(|_| Response::unauthenticated())?;
        let caller = Caller { subject, scopes: vec![Scope::Admin], alive: None };
        let checked = Checked { caller, rate_per_minute: BOOTSTRAP_RATE, expires_at_ms: None };
        return Ok((BOOTSTRAP.to_owned(), checked));
    }
    let (id, hash) = named.ok_or_else(Response::unauthenticated)?;
    let checked = look_up(id, hash, env).await.map_err(|error| failed(&error))?;
    let checked = checked.ok_or_else(Response::unauthenticated)?;
    with_gate(|gate| gate.believe(id, hash, checked.clone(), now_ms()));
    Ok((id.to_owned(), checked))
}

async fn look_up(id: &str, hash: TokenHash, env: &Env) -> worker::Result<Option<Checked>> {
    let check = Check { token_id: id.to_owned(), hash: hash.to_hex() };
    let body = serde_json::to_vec(&check)?;
    ask(&tokens(env)?, worker::Method::Post, CHECK, None, &body).await?.json().await
}

/// Who can and will still renew what they leased.
async fn alive(env: &Env) -> Result<Alive, Response> {
    let subjects = async {
        let mut answer = ask(&tokens(env)?, worker::Method::Get, ALIVE, None, &[]).await?;
        answer.json::<Vec<Name>>().await
    };
    let gone = async {
        let mut answer = ask(&registry(env)?, worker::Method::Get, GONE, None, &[]).await?;
        answer.json::<Vec<Gone>>().await
    };
    let (subjects, gone) = join(subjects, gone).await;
    let mut subjects = subjects.map_err(|error| failed(&error))?;
    subjects.extend(Name::parse(BOOTSTRAP));
    let gone = gone.map_err(|error| {
        console_error!("envc-edge: registry: {error}");
        Response::unavailable("the environments could not be looked up")
    })?;
    Ok(Alive { subjects, gone })
}

fn failed(error: &worker::Error) -> Response {
    console_error!("envc-edge: tokens: {error}");
    Response::unavailable("the tokens could not be looked up")
}
