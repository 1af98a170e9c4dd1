//! Random interleavings with a stepping clock, restarts, and a second book of who holds what.
//!
//! The book is kept from outcomes alone, in another way than the pool keeps its own, and knows
//! when each lease ends, how long each member rests and who came when.

use envc_edge_api::LeaseClass;

use super::*;
use crate::pool::ReclaimEvent;

/// How many steps are made unless `ENVC_POOL_STEPS` says otherwise.
const STEPS: u64 = 60_000;
const MEMBERS: usize = 12;
const HOLDERS: u64 = 30;
const COOL_DOWN_MS: u64 = 3_000;

/// A small generator of numbers: the same seed, the same run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// One grant, as the book has it.
#[derive(Debug, Clone)]
struct Grant {
    holder: String,
    lease_id: String,
    expires_at_ms: u64,
}

#[derive(Debug, Default)]
struct Book {
    held: BTreeMap<Name, Grant>,
    ended_at_ms: BTreeMap<Name, u64>,
    /// Every lease that was ever granted, newest last; a bounded tail of it.
    granted: Vec<(String, String)>,
    queue: Vec<(String, u64)>,
    grants: u64,
    queued: u64,
    gone: u64,
}

impl Book {
    fn advance(&mut self, now_ms: u64) {
        let Self { held, ended_at_ms, .. } = self;
        held.retain(|id, grant| {
            let stays = grant.expires_at_ms > now_ms;
            if !stays {
                ended_at_ms.insert(id.clone(), grant.expires_at_ms);
            }
            stays
        });
        self.queue.retain(|(_, expires_at_ms)| *expires_at_ms > now_ms);
    }

    fn rested(&self, id: &Name, now_ms: u64) -> bool {
        self.ended_at_ms.get(id).is_none_or(|ended| ended + COOL_DOWN_MS <= now_ms)
    }

    fn free(&self, now_ms: u64) -> Vec<Name> {
        let ids = (0..MEMBERS).map(|index| name(&format!("m{index:02}")));
        ids.filter(|id| !self.held.contains_key(id) && self.rested(id, now_ms)).collect()
    }

    fn end(&mut self, id: &Name, now_ms: u64) {
        self.held.remove(id).expect("only what is held ends");
        self.ended_at_ms.insert(id.clone(), now_ms);
    }

    fn leased(&mut self, world: &World, by: &str, wait: bool, outcome: &Outcome) {
        let now_ms = world.now_ms;
        let free = self.free(now_ms);
        let place = self.queue.iter().position(|(holder, _)| holder == by);
        let turn = place.unwrap_or(self.queue.len()) < free.len();
        match outcome {
            Outcome::Kept(id) => {
                let grant = self.held.get_mut(id).expect("what is kept was granted");
                assert_eq!(grant.holder, by);
                let (_, held) = world.pool.held().find(|(member, _)| *member == id).unwrap();
                assert_eq!(held.lease_id, grant.lease_id, "same holder, same lease");
                assert!(held.expires_at_ms >= grant.expires_at_ms);
                grant.expires_at_ms = held.expires_at_ms;
            }
            Outcome::Granted(id) => {
                assert!(free.contains(id), "{id} was granted twice or without a rest");
                assert!(turn, "{by} jumped the queue");
                assert!(self.held.values().all(|grant| grant.holder != by), "two for {by}");
                let used = |id: &Name| self.ended_at_ms.get(id).copied().unwrap_or(0);
                assert!(free.iter().all(|other| used(id) <= used(other)), "{id} was used last");
                let (_, held) = world.pool.held().find(|(member, _)| *member == id).unwrap();
                assert!(self.granted.iter().all(|(lease_id, _)| *lease_id != held.lease_id));
                self.queue.retain(|(holder, _)| holder != by);
                let lease_id = held.lease_id.clone();
                self.granted.push((lease_id.clone(), by.to_owned()));
                if self.granted.len() > 200 {
                    self.granted.remove(0);
                }
                let grant =
                    Grant { holder: by.to_owned(), lease_id, expires_at_ms: held.expires_at_ms };
                self.held.insert(id.clone(), grant);
                self.grants += 1;
            }
            Outcome::Queued(waiting, position) => {
                assert!(wait && !turn);
                let place = place.unwrap_or_else(|| {
                    self.queue.push((by.to_owned(), 0));
                    self.queue.len() - 1
                });
                assert_eq!(place, *position as usize);
                self.queue[place].1 = waiting.expires_at_ms;
                self.queued += 1;
            }
            Outcome::Empty { .. } => assert!(!wait && !turn, "{by} was sent away for nothing"),
            Outcome::QueueFull => assert!(wait && !turn && place.is_none()),
            other => panic!("{other:?}"),
        }
        if !matches!(outcome, Outcome::Kept(_)) {
            let had = self.held.values().any(|grant| grant.holder == by);
            assert!(!had || matches!(outcome, Outcome::Granted(_)), "{by} lost its lease");
        }
    }

    fn renewed(&mut self, lease_id: &str, world: &World, outcome: &Outcome) {
        let live = self.held.iter_mut().find(|(_, grant)| grant.lease_id == lease_id);
        match (outcome, live) {
            (Outcome::Renewed(id), Some((member, grant))) => {
                assert_eq!(id, member);
                let (_, held) = world.pool.held().find(|(other, _)| *other == id).unwrap();
                grant.expires_at_ms = held.expires_at_ms;
            }
            (Outcome::Gone(_), None) => self.gone += 1,
            (outcome, live) => panic!("{outcome:?} for {live:?}"),
        }
    }
}

fn steps() -> u64 {
    std::env::var("ENVC_POOL_STEPS").ok().and_then(|text| text.parse().ok()).unwrap_or(STEPS)
}

/// Some lease that was granted lately, live or not.
fn some_lease(book: &Book, dice: &mut Dice) -> Option<(String, String)> {
    let count = u64::try_from(book.granted.len()).unwrap().min(40);
    let back = (count > 0).then(|| usize::try_from(dice.below(count)).unwrap())?;
    book.granted.iter().rev().nth(back).cloned()
}

/// Time passes, or the memory is lost: nothing that the pool is told.
fn world_moves(world: &mut World, dice: &mut Dice) -> bool {
    match dice.below(100) {
        0..2 => world.restart(),
        // The alarm: time goes to when it is due, or a second before.
        2..3 => world.now_ms = world.alarm_at_ms.unwrap_or(world.now_ms) - 1_000 * dice.below(2),
        // A clock may be set back.
        3..4 => world.now_ms -= dice.below(3_000),
        4..7 => world.now_ms += dice.below(2_000),
        _ => return false,
    }
    true
}

fn one_step(world: &mut World, book: &mut Book, dice: &mut Dice) {
    if world_moves(world, dice) {
        return;
    }
    book.advance(world.now_ms);
    match dice.below(100) {
        0..55 => {
            let by = format!("p/{}", dice.below(HOLDERS));
            let wait = dice.below(2) == 0;
            let outcome = world.lease(&by, wait);
            book.leased(world, &by, wait, &outcome);
        }
        55..70 => {
            let Some((lease_id, _)) = some_lease(book, dice) else { return };
            let outcome = world.renew(&lease_id, "p");
            book.renewed(&lease_id, world, &outcome);
        }
        70..97 => {
            let Some((lease_id, _)) = some_lease(book, dice) else { return };
            let member = book.held.iter().find(|(_, grant)| grant.lease_id == lease_id);
            let member = member.map(|(id, _)| id.clone());
            assert_eq!(world.release(&lease_id, "p"), Outcome::Done);
            if let Some(id) = member {
                book.end(&id, world.now_ms);
            }
        }
        97..98 => reclaim_idle(world, book),
        _ => drop(world.step(Event::Tick)),
    }
    let held = world.pool.held().map(|(id, held)| (id, held.lease_id.as_str()));
    let booked = book.held.iter().map(|(id, grant)| (id, grant.lease_id.as_str()));
    assert!(held.eq(booked), "the pool and the book differ");
}

fn reclaim_idle(world: &mut World, book: &mut Book) {
    let ask = ReclaimEvent {
        class: LeaseClass::Idle,
        holders: None,
        reason: "r".to_owned(),
        by: name("root"),
        dry_run: false,
        alive: None,
    };
    let Outcome::Reclaimed(records) = world.step(Event::Reclaim(ask)) else { panic!() };
    for record in records {
        assert_eq!(book.held[&record.id].holder, record.holder.as_str());
        book.end(&record.id, world.now_ms);
    }
}

fn run(seed: u64, steps: u64) -> Book {
    let settings = PoolSettings {
        ttl_seconds: 60,
        cool_down_seconds: u32::try_from(COOL_DOWN_MS / 1_000).unwrap(),
        ticket_seconds: 5,
        queue_max: 8,
        idle_seconds: 20,
    };
    let ids: Vec<String> = (0..MEMBERS).map(|index| format!("m{index:02}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut world = World::with(&ids, settings);
    let (mut book, mut dice) = (Book::default(), Dice(seed));
    for _ in 0..steps {
        one_step(&mut world, &mut book, &mut dice);
    }
    // None is lost: when everything has ended and rested, every member can be leased again.
    world.now_ms += 10_000_000;
    book.advance(world.now_ms);
    for index in 0..MEMBERS {
        let by = format!("last/{index}");
        let outcome = world.lease(&by, false);
        assert!(matches!(outcome, Outcome::Granted(_)), "{outcome:?}");
        book.leased(&world, &by, false, &outcome);
    }
    assert!(matches!(world.lease("last/more", false), Outcome::Empty { .. }));
    book
}

#[test]
fn nothing_is_held_twice_or_lost_under_random_interleavings() {
    let seeds = 6;
    let (mut grants, mut queued, mut gone) = (0, 0, 0);
    for seed in 1..=seeds {
        let book = run(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed), steps() / seeds);
        grants += book.grants;
        queued += book.queued;
        gone += book.gone;
    }
    // The run is worth something only if it went through all of it, often.
    let least = steps() / 100;
    assert!(grants > least && queued > least && gone > least, "{grants} {queued} {gone}");
}
