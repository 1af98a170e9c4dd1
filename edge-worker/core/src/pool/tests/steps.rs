//! Event by event.

use envc_edge_api::{LeaseClass, MembersDiff};

use super::*;
use crate::call::{Alive, Gone};
use crate::pool::ReclaimEvent;

fn granted(id: &str) -> Outcome {
    Outcome::Granted(name(id))
}

#[track_caller]
fn check_queued(outcome: Outcome, expected: u32) -> String {
    let Outcome::Queued(waiting, position) = outcome else { panic!("{outcome:?}") };
    assert_eq!(position, expected);
    waiting.ticket_id
}

#[test]
fn the_same_holder_gets_the_same_lease() {
    let mut world = World::with(&["a", "b"], settings());
    assert_eq!(world.lease("shop/pr-1", false), granted("a"));
    let lease_id = world.lease_id("shop/pr-1");
    assert_eq!(world.lease("shop/pr-1", false), Outcome::Kept(name("a")));
    world.restart();
    assert_eq!(world.lease("shop/pr-1", true), Outcome::Kept(name("a")));
    assert_eq!(world.lease_id("shop/pr-1"), lease_id);
    assert_eq!(world.lease("shop/pr-2", false), granted("b"));
}

#[test]
fn asking_again_prolongs_and_never_shortens() {
    let mut world = World::with(&["a"], settings());
    let mut ask = |ttl_ms, pass| {
        world.pass(pass);
        let fresh_id = world.fresh();
        let (holder, subject) = (holder("shop/pr-1"), name("shop"));
        let event = Event::Lease { holder, subject, ttl_ms: Some(ttl_ms), wait: false, fresh_id };
        world.step(event);
        world.pool.held().next().unwrap().1.expires_at_ms - 1_000_000
    };
    assert_eq!(ask(60_000, 0), 60_000);
    assert_eq!(ask(1_000, 0), 60_000);
    assert_eq!(ask(60_000, 30), 90_000);
}

#[test]
fn a_renewal_that_gains_next_to_nothing_costs_no_write() {
    let mut world = World::with(&["a"], settings());
    world.lease("shop/pr-1", false);
    let lease_id = world.lease_id("shop/pr-1");
    let renew = |ttl_ms| Event::Renew { lease_id: lease_id.clone(), subject: name("shop"), ttl_ms };
    let ask = || Event::Lease {
        holder: holder("shop/pr-1"),
        subject: name("shop"),
        ttl_ms: None,
        wait: false,
        fresh_id: "x".to_owned(),
    };
    let (begun, writes) = (world.now_ms, |effects: Effects| effects.writes.len());
    // A thousandth of 100 seconds.
    for event in [ask(), renew(None)] {
        assert_eq!(writes(world.pool.step(event, begun + 99).1), 0);
    }
    assert_eq!(writes(world.pool.step(renew(None), begun + 100).1), 1);
    assert_eq!(writes(world.pool.step(ask(), begun + 200).1), 1);
    // Whoever asks for less gets less, however little.
    assert_eq!(writes(world.pool.step(renew(Some(99_999)), begun + 200).1), 1);
    // However long the lease: at least each hundredth of what makes it idle, and each minute.
    let long = Some(86_400_000 * 90);
    assert_eq!(writes(world.pool.step(renew(long), begun + 300).1), 1);
    assert_eq!(writes(world.pool.step(renew(long), begun + 799).1), 0);
    assert_eq!(writes(world.pool.step(renew(long), begun + 800).1), 1);
    let put = Event::Put {
        members: vec![(name("a"), Spec::default())],
        settings: Some(PoolSettings { idle_seconds: 86_400, ..settings() }),
    };
    drop(world.pool.step(put, begun + 800));
    assert_eq!(writes(world.pool.step(renew(long), begun + 60_799).1), 0);
    assert_eq!(writes(world.pool.step(renew(long), begun + 60_800).1), 1);
}

#[test]
fn an_expired_lease_is_over_to_the_millisecond_even_without_an_alarm() {
    let mut world = World::with(&["a"], settings());
    world.lease("shop/pr-1", false);
    let lease_id = world.lease_id("shop/pr-1");
    assert_eq!(world.alarm_at_ms, Some(1_100_000));
    world.now_ms = 1_099_999;
    assert_eq!(world.renew(&lease_id, "shop"), Outcome::Renewed(name("a")));
    world.now_ms = 1_199_999;
    assert_eq!(world.renew(&lease_id, "shop"), Outcome::Gone(None));
}

#[test]
fn a_stale_lease_never_touches_the_next_holder() {
    let mut world = World::with(&["a"], settings());
    world.lease("shop/pr-1", false);
    let stale = world.lease_id("shop/pr-1");
    assert_eq!(world.release(&stale, "shop"), Outcome::Done);
    world.pass(10);
    assert_eq!(world.lease("shop/pr-2", false), granted("a"));
    let fresh = world.lease_id("shop/pr-2");
    assert_eq!(world.renew(&stale, "shop"), Outcome::Gone(None));
    assert_eq!(world.release(&stale, "shop"), Outcome::Done);
    assert_eq!(world.renew(&fresh, "shop"), Outcome::Renewed(name("a")));
}

#[test]
fn a_member_rests_between_two_leases() {
    let mut world = World::with(&["a"], settings());
    world.lease("shop/pr-1", false);
    let lease_id = world.lease_id("shop/pr-1");
    world.release(&lease_id, "shop");
    assert_eq!(world.lease("shop/pr-2", false), Outcome::Empty { retry_after_ms: 10_000 });
    world.now_ms += 9_999;
    assert_eq!(world.lease("shop/pr-2", false), Outcome::Empty { retry_after_ms: 1_000 });
    world.now_ms += 1;
    assert_eq!(world.lease("shop/pr-2", false), granted("a"));
}

#[test]
fn the_rest_after_an_expiry_begins_when_it_expired() {
    let mut world = World::with(&["a"], settings());
    world.lease("shop/pr-1", false);
    world.pass(109);
    assert_eq!(world.lease("shop/pr-2", false), Outcome::Empty { retry_after_ms: 1_000 });
    world.pass(1);
    assert_eq!(world.lease("shop/pr-2", false), granted("a"));
}

#[test]
fn the_least_recently_used_member_comes_first() {
    let mut world = World::with(&["a", "b", "c"], settings());
    for pr in ["p/1", "p/2", "p/3"] {
        world.lease(pr, false);
    }
    for pr in ["p/2", "p/3", "p/1"] {
        world.pass(1);
        let lease_id = world.lease_id(pr);
        world.release(&lease_id, "p");
    }
    world.pass(20);
    assert_eq!(world.lease("p/4", false), granted("b"));
    assert_eq!(world.lease("p/5", false), granted("c"));
    assert_eq!(world.lease("p/6", false), granted("a"));
}

#[test]
fn another_subject_neither_gets_nor_ends_a_lease() {
    let mut world = World::with(&["a"], settings());
    world.lease("shop/pr-1", false);
    let lease_id = world.lease_id("shop/pr-1");
    assert_eq!(world.lease_as("shop/pr-1", &name("eve"), false), Outcome::HolderTaken);
    assert_eq!(world.renew(&lease_id, "eve"), Outcome::Foreign);
    assert_eq!(world.release(&lease_id, "eve"), Outcome::Foreign);
    let ticket_id = check_queued(world.lease("shop/pr-2", true), 0);
    assert_eq!(world.lease_as("shop/pr-2", &name("eve"), true), Outcome::HolderTaken);
    let leave = Event::Leave { ticket_id, subject: name("eve") };
    assert_eq!(world.step(leave), Outcome::Foreign);
    assert_eq!(world.renew(&lease_id, "shop"), Outcome::Renewed(name("a")));
}

#[test]
fn whoever_waits_is_served_in_order_and_before_whoever_does_not() {
    let mut world = World::with(&["a"], PoolSettings { cool_down_seconds: 0, ..settings() });
    world.lease("p/1", false);
    check_queued(world.lease("p/2", true), 0);
    check_queued(world.lease("p/3", true), 1);
    assert_eq!(world.lease("p/4", true), Outcome::QueueFull);
    let lease_id = world.lease_id("p/1");
    world.release(&lease_id, "p");
    assert!(matches!(world.lease("p/4", false), Outcome::Empty { .. }));
    check_queued(world.lease("p/3", true), 1);
    world.restart();
    assert_eq!(world.lease("p/2", false), granted("a"));
    check_queued(world.lease("p/3", true), 0);
}

#[test]
fn a_place_is_lost_when_nobody_asks_for_it() {
    let mut world = World::with(&["a"], PoolSettings { cool_down_seconds: 0, ..settings() });
    world.lease("p/1", false);
    check_queued(world.lease("p/2", true), 0);
    let ticket = check_queued(world.lease("p/3", true), 1);
    world.pass(3);
    check_queued(world.lease("p/3", true), 1);
    assert_eq!(world.alarm_at_ms, Some(1_005_000));
    world.pass(2);
    assert_eq!(check_queued(world.lease("p/3", true), 0), ticket);
    let leave = Event::Leave { ticket_id: ticket, subject: name("p") };
    assert_eq!(world.step(leave.clone()), Outcome::Done);
    assert_eq!(world.step(leave), Outcome::Done);
    assert_eq!(world.pool.queue().count(), 0);
}

#[test]
fn a_leased_member_is_drained_and_not_dropped() {
    let mut world = World::with(&["a", "b", "c"], settings());
    world.lease("p/1", false);
    let put = |ids| Event::Put { members: specs(ids), settings: None };
    let Outcome::Put(diff) = world.step(put(&["b", "d"])) else { panic!() };
    let expected = MembersDiff {
        added: vec![name("d")],
        changed: vec![],
        unchanged: vec![name("b")],
        draining: vec![name("a")],
        removed: vec![name("c")],
    };
    assert_eq!(diff, expected);
    world.restart();

    let lease_id = world.lease_id("p/1");
    assert_eq!(world.renew(&lease_id, "p"), Outcome::Renewed(name("a")));
    world.release(&lease_id, "p");
    // It leaves after its rest: put back before, it would else be leased without any.
    let Outcome::Put(diff) = world.step(put(&["a", "b", "d"])) else { panic!() };
    assert_eq!(diff.changed, [name("a")]);
    for expected in ["b", "d"] {
        assert_eq!(world.lease(&format!("p/{expected}"), false), granted(expected));
    }
    assert!(matches!(world.lease("p/9", false), Outcome::Empty { .. }));
    world.step(put(&["b", "d"]));
    world.pass(10);
    world.step(Event::Tick);
    assert_eq!(world.pool.size(), 2);
    assert!(!world.rows.contains_key("use/a") && !world.rows.contains_key("spec/a"));
}

fn reclaim(class: LeaseClass, alive: Option<Alive>) -> ReclaimEvent {
    ReclaimEvent {
        class,
        holders: None,
        reason: "needed".to_owned(),
        by: name("root"),
        dry_run: false,
        alive,
    }
}

fn taken(outcome: Outcome) -> Vec<String> {
    let Outcome::Reclaimed(records) = outcome else { panic!("{outcome:?}") };
    records.into_iter().map(|record| record.holder.to_string()).collect()
}

#[test]
fn leases_are_reclaimed_by_class_with_a_record() {
    let mut world = World::with(&["a", "b", "c"], settings());
    world.lease("dead/1", false);
    world.lease("slow/1", false);
    world.pass(49);
    world.lease("live/1", false);
    world.pass(1);
    let subjects = vec![name("live"), name("slow")];
    let alive = || Some(Alive { subjects: subjects.clone(), gone: Vec::new() });
    let dry = ReclaimEvent { dry_run: true, ..reclaim(LeaseClass::Idle, alive()) };
    assert_eq!(taken(world.step(Event::Reclaim(dry))), ["slow/1"]);
    assert_eq!(world.pool.held().count(), 3);

    let stale = world.lease_id("slow/1");
    for (class, expected) in [
        (LeaseClass::Orphaned, "dead/1"),
        (LeaseClass::Idle, "slow/1"),
        (LeaseClass::Active, "live/1"),
    ] {
        assert_eq!(taken(world.step(Event::Reclaim(reclaim(class, alive())))), [expected]);
    }
    world.restart();
    let Outcome::Gone(Some(record)) = world.renew(&stale, "slow") else { panic!() };
    assert_eq!((record.by, record.reason.as_str()), (name("root"), "needed"));
    assert!(matches!(world.lease("p/1", false), Outcome::Empty { .. }), "they rest");
}

#[test]
fn the_lease_of_an_environment_that_is_gone_is_orphaned_until_it_is_renewed() {
    let mut world = World::with(&["a", "b"], settings());
    world.lease("shop/1", false);
    world.lease("shop/2", false);
    let gone = |env: &str, since_ms| Gone { holder: holder(env), since_ms };
    let orphans = |world: &mut World, since_ms| {
        let gone = vec![gone("shop/1", since_ms), gone("shop/9", since_ms)];
        let alive = Some(Alive { subjects: vec![name("shop")], gone });
        let dry = ReclaimEvent { dry_run: true, ..reclaim(LeaseClass::Orphaned, alive) };
        taken(world.step(Event::Reclaim(dry)))
    };
    let granted_at_ms = world.now_ms;
    assert_eq!(orphans(&mut world, granted_at_ms - 1), Vec::<String>::new(), "an earlier life");
    assert_eq!(orphans(&mut world, granted_at_ms), ["shop/1"]);
    world.pass(10);
    let lease_id = world.lease_id("shop/1");
    world.renew(&lease_id, "shop");
    assert_eq!(orphans(&mut world, granted_at_ms), Vec::<String>::new());
}

#[test]
fn a_named_holder_of_another_class_is_left_alone() {
    let mut world = World::with(&["a", "b"], settings());
    world.lease("p/1", false);
    world.lease("p/2", false);
    let named = |class| ReclaimEvent { holders: Some(vec![holder("p/2")]), ..reclaim(class, None) };
    assert!(taken(world.step(Event::Reclaim(named(LeaseClass::Idle)))).is_empty());
    assert_eq!(taken(world.step(Event::Reclaim(named(LeaseClass::Active)))), ["p/2"]);
}

#[test]
fn only_so_many_reclaims_are_kept() {
    let mut world = World::with(&["a"], PoolSettings { cool_down_seconds: 0, ..settings() });
    for number in 0..205 {
        world.lease(&format!("p/{number}"), false);
        world.step(Event::Reclaim(reclaim(LeaseClass::Active, None)));
    }
    assert_eq!(world.rows.keys().filter(|row| row.starts_with("reclaim/")).count(), 200);
    world.restart();
}

#[test]
fn a_damaged_row_is_refused_by_name() {
    let mut world = World::with(&["a"], settings());
    for (row, text) in [("use/a", "{"), ("spec/..", "{}"), ("ticket/x", "{}"), ("what", "1")] {
        let mut rows = world.rows.clone();
        rows.insert(row.to_owned(), text.to_owned());
        assert_eq!(Pool::load(&rows).unwrap_err().row, row);
    }
    world.restart();
}
