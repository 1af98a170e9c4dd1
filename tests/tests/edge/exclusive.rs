//! 64 clients against a pool of 20 whose process is killed again and again: the history that the
//! clients saw must be one that a plain pool could have given, call by call.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use envc_edge_api::Lease;
use serde_json::json;

use crate::common::{put_members, token};
use crate::http::{Answer, Ask, Unanswered, try_ask};
use crate::linear::{Call, Seen, check};
use crate::workerd::Workerd;

const CLIENTS: usize = 64;
const MEMBERS: usize = 20;
/// How many calls are made in all, and after how many of them the process is killed each time.
const CALLS: usize = 6_000;
const KILLS: usize = 5;

/// What one client did, and what it heard.
#[derive(Debug, Clone)]
struct Record {
    begin: u64,
    end: u64,
    asked: Asked,
    /// `None` if the answer never came.
    heard: Option<Heard>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    Lease,
    Renew(String),
    Release(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Heard {
    Granted { member: usize, lease_id: String },
    Kept { member: usize, lease_id: String },
    Empty,
    Renewed { member: usize },
    Gone,
    Released,
}

/// What all clients share.
struct Run {
    token: String,
    started: Instant,
    address: RwLock<SocketAddr>,
    calls: AtomicUsize,
    is_over: AtomicBool,
    records: Mutex<Vec<(usize, Vec<Record>)>>,
}

impl Run {
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap()
    }

    fn ask(&self, holder: &str, asked: &Asked) -> Result<Answer, Unanswered> {
        let leases = "/v1/pools/previews/leases";
        let (method, target, body) = match asked {
            Asked::Lease => ("POST", leases.to_owned(), json!({ "holder": holder }).to_string()),
            Asked::Renew(id) => ("PUT", format!("{leases}/{id}"), String::new()),
            Asked::Release(id) => ("DELETE", format!("{leases}/{id}"), String::new()),
        };
        let address = *self.address.read().unwrap();
        let ask =
            Ask { method, target: &target, token: &self.token, body: &body, ..Ask::default() };
        try_ask(address, ask)
    }
}

fn heard(asked: &Asked, answer: &Answer) -> Heard {
    let lease = || {
        let lease: Lease = answer.json();
        let member = lease.id.as_str().trim_start_matches('m').parse().unwrap();
        (member, lease.lease_id)
    };
    match (asked, answer.status) {
        (Asked::Lease, 201) => {
            let (member, lease_id) = lease();
            Heard::Granted { member, lease_id }
        }
        (Asked::Lease, 200) => {
            let (member, lease_id) = lease();
            Heard::Kept { member, lease_id }
        }
        (Asked::Lease, 503) if answer.body.contains("pool-empty") => Heard::Empty,
        (Asked::Renew(_), 200) => Heard::Renewed { member: lease().0 },
        (Asked::Renew(_), 410) => Heard::Gone,
        (Asked::Release(_), 204) => Heard::Released,
        _ => panic!("{asked:?}: {answer:?}"),
    }
}

/// Calls until the run is over, and then until nothing is unknown.
fn client(run: &Run, number: usize) {
    let holder = format!("shop/pr-{number}");
    let mut records: Vec<Record> = Vec::new();
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(number as u64 + 1);
    let (mut live, mut stale): (Option<String>, Option<String>) = (None, None);
    let mut is_sure = true;
    while !run.is_over.load(Ordering::Relaxed) || !is_sure {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        let asked = match (dice % 10, &live, &stale) {
            _ if !is_sure => Asked::Lease,
            (0..4, Some(id), _) | (0, None, Some(id)) => Asked::Release(id.clone()),
            (4..8, Some(id), _) | (4, None, Some(id)) => Asked::Renew(id.clone()),
            _ => Asked::Lease,
        };
        let begin = run.now();
        let answer = run.ask(&holder, &asked);
        let end = run.now();
        let heard = match &answer {
            Ok(answer) => Some(heard(&asked, answer)),
            // Nothing was sent, so nothing happened.
            Err(Unanswered::Refused(_)) => {
                thread::sleep(Duration::from_millis(20));
                continue;
            }
            Err(Unanswered::Broken(_)) => None,
        };
        run.calls.fetch_add(1, Ordering::Relaxed);
        is_sure = heard.is_some();
        match &heard {
            Some(Heard::Granted { lease_id, .. } | Heard::Kept { lease_id, .. }) => {
                live = Some(lease_id.clone());
            }
            Some(Heard::Released | Heard::Gone | Heard::Empty) | None => {
                stale = live.take().or(stale);
            }
            Some(Heard::Renewed { .. }) => {}
        }
        records.push(Record { begin, end, asked, heard });
    }
    run.records.lock().unwrap().push((number, records));
}

/// One client's calls with what came of those that were never answered. Only the holder itself
/// changes what it holds, so the next answer to it tells: whatever a lost call did was done
/// before the process was killed.
fn resolve(holder: usize, records: &[Record], kills: &[u64], leases: &mut Numbers) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut lost: Vec<(&Record, u64)> = Vec::new();
    for record in records {
        let Some(heard) = &record.heard else {
            let killed = kills.iter().find(|kill| **kill >= record.begin);
            let died = *killed.unwrap_or_else(|| panic!("nobody was killed: {record:?}"));
            lost.push((record, died));
            continue;
        };
        let kept = match heard {
            Heard::Kept { lease_id, .. } => Some(lease_id),
            _ => None,
        };
        let released = lost.iter().find_map(|(record, died)| match &record.asked {
            Asked::Release(id) if Some(id) != kept => Some((record.begin, *died, id)),
            _ => None,
        });
        if let Some((begin, end, id)) = released {
            calls.push(Call { begin, end, seen: Seen::Released { lease: leases.of(id) } });
        }
        let mut asked = lost.iter().filter(|(record, _)| record.asked == Asked::Lease);
        if let (Heard::Kept { member, lease_id }, Some((first, died))) = (heard, asked.next())
            && !calls.iter().any(|call| {
                matches!(call.seen, Seen::Granted { lease, .. } if lease == leases.of(lease_id))
            })
        {
            let end = asked.next_back().map_or(*died, |(_, died)| *died);
            let lease = leases.of(lease_id);
            let seen = Seen::Granted { member: *member, lease, holder };
            calls.push(Call { begin: first.begin, end, seen });
        }
        lost.clear();
        let seen = seen(holder, &record.asked, heard, leases);
        calls.push(Call { begin: record.begin, end: record.end, seen });
    }
    assert!(lost.is_empty(), "the run ends with answers");
    calls
}

fn seen(holder: usize, asked: &Asked, heard: &Heard, leases: &mut Numbers) -> Seen {
    let mut asked_of = || match asked {
        Asked::Renew(id) | Asked::Release(id) => leases.of(id),
        Asked::Lease => unreachable!("no such answer"),
    };
    match heard {
        Heard::Renewed { member } => Seen::Renewed { member: *member, lease: asked_of() },
        Heard::Gone => Seen::Gone { lease: asked_of() },
        Heard::Released => Seen::Released { lease: asked_of() },
        Heard::Empty => Seen::Empty { holder },
        Heard::Granted { member, lease_id } => {
            Seen::Granted { member: *member, lease: leases.of(lease_id), holder }
        }
        Heard::Kept { member, lease_id } => {
            Seen::Kept { member: *member, lease: leases.of(lease_id), holder }
        }
    }
}

/// Numbers for leases.
#[derive(Default)]
struct Numbers(BTreeMap<String, usize>);

impl Numbers {
    fn of(&mut self, id: &str) -> usize {
        let next = self.0.len();
        *self.0.entry(id.to_owned()).or_insert(next)
    }
}

/// Kills the process every so many calls; returns when, each time, it was dead.
fn kill_and_restart(run: &Run, workerd: &mut Workerd) -> Vec<u64> {
    let mut kills = Vec::new();
    for kill in 1..=KILLS + 1 {
        while run.calls.load(Ordering::Relaxed) < CALLS / (KILLS + 1) * kill {
            thread::sleep(Duration::from_millis(5));
        }
        if kill <= KILLS {
            workerd.kill();
            kills.push(run.now());
            workerd.restart();
            *run.address.write().unwrap() = workerd.address;
        }
    }
    run.is_over.store(true, Ordering::Relaxed);
    kills
}

#[test]
fn a_pool_is_exclusive_under_load_and_kills() {
    let mut workerd = Workerd::start();
    put_members(workerd.address, "previews", MEMBERS, &json!({ "cool_down_seconds": 0 }));
    let run = Run {
        token: token(workerd.address, "ci", "pool").token,
        started: Instant::now(),
        address: RwLock::new(workerd.address),
        calls: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
        records: Mutex::new(Vec::new()),
    };
    let kills = thread::scope(|scope| {
        for number in 0..CLIENTS {
            let run = &run;
            scope.spawn(move || client(run, number));
        }
        kill_and_restart(&run, &mut workerd)
    });

    let records = run.records.into_inner().unwrap();
    let mut leases = Numbers::default();
    let calls: Vec<Call> = records
        .iter()
        .flat_map(|(holder, records)| resolve(*holder, records, &kills, &mut leases))
        .collect();
    let lost = records.iter().flat_map(|(_, records)| records).filter(|it| it.heard.is_none());
    println!(
        "{} calls, {} of them lost in {} kills, {} leases, {:?}",
        calls.len(),
        lost.count(),
        kills.len(),
        leases.0.len(),
        run.started.elapsed()
    );
    let count = |test: fn(&Seen) -> bool| calls.iter().filter(|call| test(&call.seen)).count();
    assert!(count(|seen| matches!(seen, Seen::Granted { .. })) > 200, "many were granted");
    assert!(count(|seen| matches!(seen, Seen::Empty { .. })) > 200, "many were sent away");
    check(calls, MEMBERS).unwrap();
}
