//! The edge Worker, call by call, beside the least that a call to a Durable Object can be.
//!
//! All are served by one workerd and are measured in turns of a moment each, so that whatever
//! else the machine does slows all of them alike: only ratios mean anything elsewhere. Figures are
//! those that a client sees, whose connection stays open.

mod client;
mod figures;
mod served;

use std::{
    net::SocketAddr,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value as Json, json};

use self::{
    client::{Answer, Client},
    figures::Figures,
    served::{BOOTSTRAP_TOKEN, Served},
};
use crate::Result;

/// How many clients ask at once: one, for what a call takes; many, for what an object can do.
const CLIENTS: [usize; 2] = [1, 16];
/// Members of the pool.
const MEMBERS: usize = 20;
/// Environments in the registry.
const ENVIRONMENTS: usize = 20;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    /// The yardstick in Rust: the object answers from memory.
    Nothing,
    /// The yardstick in Rust: the object writes one row before it answers.
    Write,
    /// As [`Call::Nothing`], in JavaScript.
    PlainNothing,
    /// As [`Call::Write`], in JavaScript.
    PlainWrite,
    /// A new lease, and then its release; each is a figure of its own.
    LeaseAndRelease,
    /// The lease that the holder has.
    LeaseAgain,
    /// A renewal.
    Renew,
    /// Who holds what.
    List,
    /// The status as JSON.
    StatusJson,
    /// The status page.
    StatusPage,
}

const CALLS: [Call; 10] = [
    Call::Nothing,
    Call::Write,
    Call::PlainNothing,
    Call::PlainWrite,
    Call::LeaseAndRelease,
    Call::LeaseAgain,
    Call::Renew,
    Call::List,
    Call::StatusJson,
    Call::StatusPage,
];

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    rounds: u32,
    turn: Duration,
}

impl Effort {
    /// Enough for figures that can be told; turns so short that other work hits all alike.
    pub(crate) const FULL: Self = Self { rounds: 60, turn: Duration::from_millis(60) };
    /// Only to see that it works.
    pub(crate) const SMOKE: Self = Self { rounds: 1, turn: Duration::from_millis(20) };
}

/// Measures, and tells.
pub(crate) fn measure(effort: Effort, json: bool) -> Result<String> {
    let served = Served::start()?;
    let token = prepare(served.address("edge")?)?;
    let mut figures = Figures::default();
    for clients in CLIENTS {
        let mut worlds = worlds(&served, &token, clients)?;
        // The first round is thrown away: it compiles, opens and makes tables.
        for round in 0..=effort.rounds {
            for call in CALLS {
                let (took, samples) = turn(&mut worlds, call, effort.turn)?;
                if round > 0 {
                    figures.add(clients, call, took, samples);
                }
            }
        }
    }
    Ok(if json { figures.to_json() } else { figures.to_text() })
}

fn expect(answer: &Answer, statuses: &[u16]) -> Result<()> {
    if statuses.contains(&answer.status) {
        Ok(())
    } else {
        Err(format!("{} instead of {statuses:?}: {}", answer.status, answer.body))
    }
}

/// Fills the pool and the registry, and makes a token.
fn prepare(edge: SocketAddr) -> Result<String> {
    let mut admin = Client::connect(edge, BOOTSTRAP_TOKEN)?;
    let members: Vec<Json> = (0..MEMBERS)
        .map(|number| {
            json!({
                "id": format!("preview-{number}"),
                "attributes": { "livekit-project": format!("p_{number}") },
                "secrets": { "LIVEKIT_API_SECRET": format!("{number:032}") },
            })
        })
        .collect();
    let body = json!({ "members": members, "settings": { "cool_down_seconds": 0 } });
    let put = admin.ask("PUT", "/v1/pools/previews/members", &body.to_string())?;
    expect(&put, &[200])?;
    for number in 0..ENVIRONMENTS {
        let body = json!({
            "project": "shop", "type": "preview", "owner": "alice", "outcome": "applied",
            "urls": [{ "name": "web", "url": format!("https://pr-{number}.preview.example.com/") }],
            "resources": { "d1": 2 }, "ttl_seconds": 604_800,
        });
        let target = format!("/v1/environments/shop.pr-{number}");
        expect(&admin.ask("PUT", &target, &body.to_string())?, &[201])?;
    }
    let body = json!({
        "subject": "bench", "scopes": ["pool", "read"], "rate_per_minute": 1_000_000,
    });
    let made = admin.ask("POST", "/v1/tokens", &body.to_string())?;
    expect(&made, &[201])?;
    text(&made, "token")
}

fn text(answer: &Answer, field: &str) -> Result<String> {
    let document: Json = serde_json::from_str(&answer.body).unwrap_or_default();
    let value = document.get(field).and_then(Json::as_str).map(str::to_owned);
    value.ok_or_else(|| format!("no {field} in {}", answer.body))
}

/// One client: its connections, and the lease that it has.
struct World {
    edge: Client,
    rust: Client,
    plain: Client,
    /// The body of its `POST …/leases`.
    wish: String,
    lease: Option<String>,
}

fn worlds(served: &Served, token: &str, clients: usize) -> Result<Vec<World>> {
    let world = |number| {
        Ok(World {
            edge: Client::connect(served.address("edge")?, token)?,
            rust: Client::connect(served.address("rust")?, "")?,
            plain: Client::connect(served.address("plain")?, "")?,
            wish: json!({ "holder": format!("shop/pr-{number}") }).to_string(),
            lease: None,
        })
    };
    (0..clients).map(world).collect()
}

/// What one call took, in milliseconds; a release is the second figure.
type Samples = (Vec<f64>, Vec<f64>);

/// Lets all clients ask the same for a moment. Gives how long they asked, in seconds, and what
/// each call took.
fn turn(worlds: &mut [World], call: Call, length: Duration) -> Result<(f64, Samples)> {
    let barrier = Barrier::new(worlds.len());
    let results: Vec<Result<(f64, Samples)>> = thread::scope(|scope| {
        let clients: Vec<_> = worlds
            .iter_mut()
            .map(|world| {
                let barrier = &barrier;
                scope.spawn(move || {
                    let ready = world.get_ready(call);
                    barrier.wait();
                    ready?;
                    let begun = Instant::now();
                    let mut samples = Samples::default();
                    while begun.elapsed() < length {
                        world.ask(call, &mut samples)?;
                    }
                    Ok((begun.elapsed().as_secs_f64(), samples))
                })
            })
            .collect();
        let died = || Err("a client died".to_owned());
        clients.into_iter().map(|client| client.join().unwrap_or_else(|_| died())).collect()
    });
    let (mut took, mut all) = (0.0_f64, Samples::default());
    for result in results {
        let (client_took, (first, second)) = result?;
        took = took.max(client_took);
        all.0.extend(first);
        all.1.extend(second);
    }
    Ok((took, all))
}

const LEASES: &str = "/v1/pools/previews/leases";

impl World {
    /// Has a lease where the call is about one, and none where it asks for a new one.
    fn get_ready(&mut self, call: Call) -> Result<()> {
        match (call, self.lease.take()) {
            (Call::LeaseAndRelease, Some(id)) => {
                expect(&self.edge.ask("DELETE", &format!("{LEASES}/{id}"), "")?, &[204])
            }
            (Call::LeaseAndRelease, None) => Ok(()),
            (_, None) => {
                let answer = self.edge.ask("POST", LEASES, &self.wish)?;
                expect(&answer, &[200, 201])?;
                self.lease = Some(text(&answer, "lease_id")?);
                Ok(())
            }
            (_, lease) => {
                self.lease = lease;
                Ok(())
            }
        }
    }

    fn ask(&mut self, call: Call, samples: &mut Samples) -> Result<()> {
        let Self { edge, rust, plain, wish, lease } = self;
        let (client, method, target, body, statuses): (_, _, &str, &str, &[u16]) = match call {
            Call::Nothing => (rust, "GET", "/", "", &[200]),
            Call::Write => (rust, "POST", "/write", wish.as_str(), &[200]),
            Call::PlainNothing => (plain, "GET", "/", "", &[200]),
            Call::PlainWrite => (plain, "POST", "/write", wish.as_str(), &[200]),
            Call::LeaseAndRelease => (edge, "POST", LEASES, wish.as_str(), &[201]),
            Call::LeaseAgain => (edge, "POST", LEASES, wish.as_str(), &[200]),
            Call::Renew => {
                let id = lease.as_deref().ok_or("there is no lease to renew")?;
                (edge, "PUT", &*format!("{LEASES}/{id}"), "", &[200])
            }
            Call::List => (edge, "GET", LEASES, "", &[200]),
            Call::StatusJson => (edge, "GET", "/v1/status", "", &[200]),
            Call::StatusPage => (edge, "GET", "/status", "", &[200]),
        };
        let begun = Instant::now();
        let answer = client.ask(method, target, body)?;
        samples.0.push(begun.elapsed().as_secs_f64() * 1e3);
        expect(&answer, statuses)?;
        if call == Call::LeaseAndRelease {
            let target = format!("{LEASES}/{}", text(&answer, "lease_id")?);
            let begun = Instant::now();
            let answer = self.edge.ask("DELETE", &target, "")?;
            samples.1.push(begun.elapsed().as_secs_f64() * 1e3);
            expect(&answer, &[204])?;
        }
        Ok(())
    }
}
