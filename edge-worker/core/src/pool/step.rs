//! The pool's one function: an event and the time go in, an outcome and effects come out.
//!
//! What holds after every step: a member has at most one lease and a holder at most one; a
//! `lease_id` is never granted twice; a member is granted only when it is free, is not draining
//! and has rested; whoever waits is served before whoever did not, in the order of arrival.

use envc_edge_api::{Holder, LeaseClass, MembersDiff, Name, PoolSettings, Reclaim};

use super::state::{
    Held, Pool, Reclaimed, SETTINGS, Seat, Spec, Use, Waiting, spec_row, ticket_row, use_row,
};
use crate::call::Alive;
use crate::store::{Dirty, Effects};

/// What happens to a pool.
#[derive(Debug, Clone)]
pub enum Event {
    /// Somebody wants a preview ID.
    Lease {
        /// Who.
        holder: Holder,
        /// Under whose token.
        subject: Name,
        /// For how long; the pool's own setting when absent.
        ttl_ms: Option<u64>,
        /// Whether to queue when nothing is free.
        wait: bool,
        /// An unguessable value that was never used before: the new lease's or ticket's ID.
        fresh_id: String,
    },
    /// A holder shows that it is still there.
    Renew {
        /// Which lease.
        lease_id: String,
        /// Under whose token.
        subject: Name,
        /// For how long from now on; the pool's own setting when absent.
        ttl_ms: Option<u64>,
    },
    /// A holder gives its lease back.
    Release {
        /// Which lease.
        lease_id: String,
        /// Under whose token.
        subject: Name,
    },
    /// Somebody gives a place in the queue up.
    Leave {
        /// Which ticket.
        ticket_id: String,
        /// Under whose token.
        subject: Name,
    },
    /// The members are put, all of them; the `draining` of a new [`Spec`] is not looked at.
    Put {
        /// Every member.
        members: Vec<(Name, Spec)>,
        /// How the pool behaves; as before when absent.
        settings: Option<PoolSettings>,
    },
    /// An admin takes leases away.
    Reclaim(ReclaimEvent),
    /// Time has passed.
    Tick,
}

/// An admin takes leases away.
#[derive(Debug, Clone)]
pub struct ReclaimEvent {
    /// Only leases of this class.
    pub class: LeaseClass,
    /// Only leases of these holders, if given.
    pub holders: Option<Vec<Holder>>,
    /// Why.
    pub reason: String,
    /// Who does it.
    pub by: Name,
    /// Whether only to say what would be taken.
    pub dry_run: bool,
    /// Who is alive, if known.
    pub alive: Option<Alive>,
}

/// What came of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A member was leased, newly.
    Granted(Name),
    /// The holder held this member already.
    Kept(Name),
    /// The holder waits; so many wait before it.
    Queued(Waiting, u32),
    /// Nothing is free; so long until something may be.
    Empty {
        /// In milliseconds.
        retry_after_ms: u64,
    },
    /// Nothing is free and too many wait.
    QueueFull,
    /// Another subject holds or waits under this holder's name.
    HolderTaken,
    /// The lease was renewed.
    Renewed(Name),
    /// The lease is given back, or was over before; a place is given up, or was lost before.
    Done,
    /// The lease is over; with the record if it was taken away.
    Gone(Option<Reclaim>),
    /// The lease or the ticket is another subject's.
    Foreign,
    /// The members were put.
    Put(MembersDiff),
    /// These leases were taken, or with `dry_run` would be.
    Reclaimed(Vec<Reclaim>),
    /// Nothing but what was due.
    Ticked,
}

/// See [`Pool::slack_ms`].
const SLACK_MS_MAX: u64 = 60_000;

/// The longest that a caller is told to wait before it asks again.
const RETRY_MS_MAX: u64 = 30_000;

impl Pool {
    /// Does what is due at `now_ms`, then what the event asks.
    pub fn step(&mut self, event: Event, now_ms: u64) -> (Outcome, Effects) {
        let mut dirty = Dirty::default();
        self.advance(now_ms, &mut dirty);
        let outcome = match event {
            Event::Lease { holder, subject, ttl_ms, wait, fresh_id } => {
                let ttl_ms = ttl_ms.unwrap_or_else(|| self.ttl_ms());
                let ask = Ask { holder, subject, ttl_ms, wait, fresh_id };
                self.lease(ask, now_ms, &mut dirty)
            }
            Event::Renew { lease_id, subject, ttl_ms } => {
                let ttl_ms = ttl_ms.unwrap_or_else(|| self.ttl_ms());
                self.renew(&lease_id, &subject, ttl_ms, now_ms, &mut dirty)
            }
            Event::Release { lease_id, subject } => {
                self.release(&lease_id, &subject, now_ms, &mut dirty)
            }
            Event::Leave { ticket_id, subject } => self.leave(&ticket_id, &subject, &mut dirty),
            Event::Put { members, settings } => self.put(members, settings, now_ms, &mut dirty),
            Event::Reclaim(reclaim) => self.reclaim(&reclaim, now_ms, &mut dirty),
            Event::Tick => Outcome::Ticked,
        };
        let effects = Effects {
            writes: self.writes(dirty),
            alarm_at_ms: self.next_due(),
            ..Effects::default()
        };
        (outcome, effects)
    }

    /// How long ago the last renewal may be for another one to change nothing: a hundredth of
    /// the time that makes a lease idle, and a minute at most.
    fn slack_ms(&self) -> u64 {
        (u64::from(self.settings().idle_seconds) * 10).min(SLACK_MS_MAX)
    }

    fn ttl_ms(&self) -> u64 {
        u64::from(self.settings().ttl_seconds) * 1_000
    }

    /// Ends what has run out by `now_ms`.
    fn advance(&mut self, now_ms: u64, dirty: &mut Dirty) {
        let cool_down_ms = self.cool_down_ms();
        for (id, seat) in &mut self.seats {
            let expired = seat.used.held.as_ref().filter(|held| held.expires_at_ms <= now_ms);
            if let Some(ended_at_ms) = expired.map(|held| held.expires_at_ms) {
                seat.used = Use::ended(ended_at_ms, cool_down_ms);
                dirty.mark(use_row(id));
            }
        }
        self.queue.retain(|number, waiting| {
            let stays = waiting.expires_at_ms > now_ms;
            if !stays {
                dirty.mark(ticket_row(*number));
            }
            stays
        });
        self.drop_drained(now_ms, dirty);
    }

    /// Drops draining members that are neither leased nor cooling.
    fn drop_drained(&mut self, now_ms: u64, dirty: &mut Dirty) {
        self.seats.retain(|id, seat| {
            let used = &seat.used;
            let stays = !seat.spec.draining || used.held.is_some() || used.ready_at_ms > now_ms;
            if !stays {
                dirty.mark(spec_row(id));
                dirty.mark(use_row(id));
            }
            stays
        });
    }

    fn cool_down_ms(&self) -> u64 {
        u64::from(self.settings().cool_down_seconds) * 1_000
    }

    /// When something ends next by the clock alone. The end of a rest matters only to members
    /// that leave then: others are found to be free when somebody asks.
    fn next_due(&self) -> Option<u64> {
        let leases = self.held().map(|(_, held)| held.expires_at_ms);
        let tickets = self.queue.values().map(|waiting| waiting.expires_at_ms);
        let drained = self.seats.values().filter(|seat| seat.spec.draining);
        let drained = drained.filter(|seat| seat.used.held.is_none());
        leases.chain(tickets).chain(drained.map(|seat| seat.used.ready_at_ms)).min()
    }

    fn lease(&mut self, ask: Ask, now_ms: u64, dirty: &mut Dirty) -> Outcome {
        let slack_ms = self.slack_ms();
        if let Some((id, held)) = self.held_by(&ask.holder) {
            if held.subject != ask.subject {
                return Outcome::HolderTaken;
            }
            let expires_at_ms = held.expires_at_ms.max(now_ms.saturating_add(ask.ttl_ms));
            if !held.is_as_good(expires_at_ms, ask.ttl_ms, slack_ms) {
                held.expires_at_ms = expires_at_ms;
                held.renewed_at_ms = now_ms;
                dirty.mark(use_row(&id));
            }
            return Outcome::Kept(id);
        }
        let ticket = self.place(&ask.holder);
        if let Some((_, _, waiting)) = &ticket
            && waiting.subject != ask.subject
        {
            return Outcome::HolderTaken;
        }
        let free = self.seats.values().filter(|seat| seat.is_free(now_ms)).count();
        let before = ticket.as_ref().map_or(self.queue.len(), |(position, _, _)| *position);
        if before < free {
            if let Some((_, number, _)) = ticket {
                self.queue.remove(&number);
                dirty.mark(ticket_row(number));
            }
            return self.grant(ask, now_ms, dirty);
        }
        if ask.wait {
            return self.enqueue(ask, now_ms, dirty);
        }
        Outcome::Empty { retry_after_ms: self.retry_after_ms(now_ms) }
    }

    /// Leases the free member whose last lease ended longest ago.
    fn grant(&mut self, ask: Ask, now_ms: u64, dirty: &mut Dirty) -> Outcome {
        let retry_after_ms = self.retry_after_ms(now_ms);
        let free = self.seats.iter_mut().filter(|(_, seat)| seat.is_free(now_ms));
        let Some((id, seat)) = free.min_by_key(|(_, seat)| seat.used.last_used_at_ms) else {
            return Outcome::Empty { retry_after_ms };
        };
        seat.used.held = Some(Held {
            lease_id: ask.fresh_id,
            holder: ask.holder,
            subject: ask.subject,
            granted_at_ms: now_ms,
            renewed_at_ms: now_ms,
            expires_at_ms: now_ms.saturating_add(ask.ttl_ms),
        });
        dirty.mark(use_row(id));
        Outcome::Granted(id.clone())
    }

    fn enqueue(&mut self, ask: Ask, now_ms: u64, dirty: &mut Dirty) -> Outcome {
        let settings = self.settings();
        let expires_at_ms = now_ms.saturating_add(u64::from(settings.ticket_seconds) * 1_000);
        let (position, number) = match self.place(&ask.holder) {
            Some((position, number, _)) => (position, number),
            None if self.queue.len() >= settings.queue_max as usize => return Outcome::QueueFull,
            None => {
                let last = self.queue.last_key_value();
                let number = last.map_or(0, |(last, _)| last.saturating_add(1));
                (self.queue.len(), number)
            }
        };
        let waiting = self.queue.entry(number).or_insert_with(|| Waiting {
            ticket_id: ask.fresh_id,
            holder: ask.holder,
            subject: ask.subject,
            queued_at_ms: now_ms,
            expires_at_ms,
        });
        waiting.expires_at_ms = expires_at_ms;
        dirty.mark(ticket_row(number));
        Outcome::Queued(waiting.clone(), u32::try_from(position).unwrap_or(u32::MAX))
    }

    /// A holder's place: position, number and ticket.
    fn place(&self, holder: &Holder) -> Option<(usize, u64, Waiting)> {
        let mut places = self.queue.iter().enumerate();
        let (position, (number, waiting)) =
            places.find(|(_, (_, waiting))| waiting.holder == *holder)?;
        Some((position, *number, waiting.clone()))
    }

    fn held_by(&mut self, holder: &Holder) -> Option<(Name, &mut Held)> {
        self.seats.iter_mut().find_map(|(id, seat)| {
            let held = seat.used.held.as_mut().filter(|held| held.holder == *holder)?;
            Some((id.clone(), held))
        })
    }

    fn seat_of(&mut self, lease_id: &str) -> Option<(Name, &mut Seat)> {
        let of_lease =
            |seat: &Seat| seat.used.held.as_ref().is_some_and(|held| held.lease_id == lease_id);
        let (id, seat) = self.seats.iter_mut().find(|(_, seat)| of_lease(seat))?;
        Some((id.clone(), seat))
    }

    /// How long until something may be free.
    pub(super) fn retry_after_ms(&self, now_ms: u64) -> u64 {
        let rests = self.seats.values().filter(|seat| seat.used.held.is_none());
        let rests = rests.map(|seat| seat.used.ready_at_ms).filter(|ready| *ready > now_ms);
        let leases = self.held().map(|(_, held)| held.expires_at_ms);
        let next = rests.chain(leases).min().unwrap_or(u64::MAX);
        next.saturating_sub(now_ms).clamp(1_000, RETRY_MS_MAX)
    }

    fn renew(
        &mut self,
        lease_id: &str,
        subject: &Name,
        ttl_ms: u64,
        now_ms: u64,
        dirty: &mut Dirty,
    ) -> Outcome {
        let slack_ms = self.slack_ms();
        let taken = self.reclaims.values().rev().find(|taken| taken.lease_id == lease_id);
        let record = taken.map(|taken| taken.record.clone());
        let Some((id, seat)) = self.seat_of(lease_id) else { return Outcome::Gone(record) };
        let Some(held) = seat.used.held.as_mut() else { return Outcome::Gone(record) };
        if held.subject != *subject {
            return Outcome::Foreign;
        }
        let expires_at_ms = now_ms.saturating_add(ttl_ms);
        if !held.is_as_good(expires_at_ms, ttl_ms, slack_ms) {
            held.expires_at_ms = expires_at_ms;
            held.renewed_at_ms = now_ms;
            dirty.mark(use_row(&id));
        }
        Outcome::Renewed(id)
    }

    fn release(
        &mut self,
        lease_id: &str,
        subject: &Name,
        now_ms: u64,
        dirty: &mut Dirty,
    ) -> Outcome {
        let cool_down_ms = self.cool_down_ms();
        let Some((id, seat)) = self.seat_of(lease_id) else { return Outcome::Done };
        if seat.used.held.as_ref().is_some_and(|held| held.subject != *subject) {
            return Outcome::Foreign;
        }
        seat.used = Use::ended(now_ms, cool_down_ms);
        dirty.mark(use_row(&id));
        self.drop_drained(now_ms, dirty);
        Outcome::Done
    }

    fn leave(&mut self, ticket_id: &str, subject: &Name, dirty: &mut Dirty) -> Outcome {
        let found = self.queue.iter().find(|(_, waiting)| waiting.ticket_id == ticket_id);
        let Some((&number, waiting)) = found else { return Outcome::Done };
        if waiting.subject != *subject {
            return Outcome::Foreign;
        }
        self.queue.remove(&number);
        dirty.mark(ticket_row(number));
        Outcome::Done
    }

    fn put(
        &mut self,
        members: Vec<(Name, Spec)>,
        settings: Option<PoolSettings>,
        now_ms: u64,
        dirty: &mut Dirty,
    ) -> Outcome {
        let mut diff = MembersDiff::default();
        let settings = settings.unwrap_or_else(|| self.settings());
        if self.settings.as_ref() != Some(&settings) {
            self.settings = Some(settings);
            dirty.mark(SETTINGS);
        }
        let before: Vec<Name> = self.seats.keys().cloned().collect();
        for id in before {
            if !members.iter().any(|(member, _)| *member == id)
                && let Some(seat) = self.seats.get_mut(&id)
                && !seat.spec.draining
            {
                seat.spec.draining = true;
                dirty.mark(spec_row(&id));
            }
        }
        for (id, spec) in members {
            let spec = Spec { draining: false, ..spec };
            let list = match self.seats.get_mut(&id) {
                Some(seat) if seat.spec == spec => &mut diff.unchanged,
                Some(seat) => {
                    seat.spec = spec;
                    dirty.mark(spec_row(&id));
                    &mut diff.changed
                }
                None => {
                    self.seats.insert(id.clone(), Seat { spec, used: Use::default() });
                    dirty.mark(spec_row(&id));
                    &mut diff.added
                }
            };
            list.push(id);
        }
        let draining = |pool: &Self| -> Vec<Name> {
            let seats = pool.seats.iter().filter(|(_, seat)| seat.spec.draining);
            seats.map(|(id, _)| id.clone()).collect()
        };
        diff.removed = draining(self);
        self.drop_drained(now_ms, dirty);
        diff.draining = draining(self);
        diff.removed.retain(|id| !diff.draining.contains(id));
        for list in [&mut diff.added, &mut diff.changed, &mut diff.unchanged] {
            list.sort();
        }
        Outcome::Put(diff)
    }

    fn reclaim(&mut self, ask: &ReclaimEvent, now_ms: u64, dirty: &mut Dirty) -> Outcome {
        let (idle_seconds, cool_down_ms) = (self.settings().idle_seconds, self.cool_down_ms());
        let mut taken = Vec::new();
        for (id, seat) in &mut self.seats {
            let Some(held) = &seat.used.held else { continue };
            let named = ask.holders.as_ref().is_none_or(|names| names.contains(&held.holder));
            if !named || held.class(now_ms, idle_seconds, ask.alive.as_ref()) != ask.class {
                continue;
            }
            let record = Reclaim {
                id: id.clone(),
                holder: held.holder.clone(),
                class: ask.class,
                reason: ask.reason.clone(),
                by: ask.by.clone(),
                at_ms: now_ms,
            };
            taken.push(Reclaimed { lease_id: held.lease_id.clone(), record });
            if !ask.dry_run {
                seat.used = Use::ended(now_ms, cool_down_ms);
                dirty.mark(use_row(id));
            }
        }
        let records = taken.iter().map(|taken| taken.record.clone()).collect();
        if !ask.dry_run {
            for reclaimed in taken {
                self.record(reclaimed, dirty);
            }
            self.drop_drained(now_ms, dirty);
        }
        Outcome::Reclaimed(records)
    }
}

/// Somebody's wish for a preview ID.
struct Ask {
    holder: Holder,
    subject: Name,
    ttl_ms: u64,
    wait: bool,
    fresh_id: String,
}

impl Use {
    /// A member whose lease ended.
    fn ended(at_ms: u64, cool_down_ms: u64) -> Self {
        Self { last_used_at_ms: at_ms, ready_at_ms: at_ms.saturating_add(cool_down_ms), held: None }
    }
}
