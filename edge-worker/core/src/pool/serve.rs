//! A pool over HTTP: requests become events, outcomes become answers.

use std::collections::{BTreeMap, BTreeSet};

use envc_edge_api::limits::{
    ATTRIBUTE_BYTES_MAX, ATTRIBUTE_NAME_BYTES_MAX, ATTRIBUTES_MAX, MEMBERS_MAX, TEXT_CHARS_MAX,
    TTL_SECONDS,
};
use envc_edge_api::{
    Lease, LeaseClass, LeaseList, LeaseRequest, LeaseSummary, Member, MemberList, MemberState,
    MemberSummary, MembersRequest, Name, PoolEmpty, PoolStats, Problem, ProblemType, ReclaimList,
    ReclaimRequest, RenewRequest, Ticket, TicketSummary,
};

use super::state::{Pool, Spec};
use super::step::{Event, Outcome, ReclaimEvent};
use crate::call::{Alive, Call, Served, invalid};
use crate::http::{Method, Response};
use crate::router::PoolResource;
use crate::seal::{SealError, SealKey};
use crate::store::Effects;

/// Answers one request to the pool of this name.
pub fn serve(pool: &mut Pool, name: &Name, resource: &PoolResource<'_>, call: Call<'_>) -> Served {
    let (key, now_ms) = (call.key, call.now_ms);
    let alive = call.caller.alive.clone();
    match event(pool, name, resource, call) {
        Err(problem) => {
            Served { response: Response::problem(&problem), effects: Effects::default() }
        }
        Ok(event) => {
            let (outcome, effects) = pool.step(event, now_ms);
            let view = View { pool, name, key, now_ms, alive };
            let response = match outcome {
                Outcome::Ticked => view.read(resource),
                outcome => view.answer(outcome),
            };
            Served { response, effects }
        }
    }
}

fn event(
    pool: &Pool,
    name: &Name,
    resource: &PoolResource<'_>,
    mut call: Call<'_>,
) -> Result<Event, Problem> {
    let subject = call.caller.subject.clone();
    if !pool.is_there() && !matches!((resource, call.method), (PoolResource::Members, Method::Put))
    {
        return Err(Problem::new(
            ProblemType::NotFound,
            format!("there is no pool `{name}`; an admin makes one by putting its members"),
        ));
    }
    Ok(match (resource, call.method) {
        (PoolResource::Leases, Method::Post) => {
            let LeaseRequest { holder, ttl_seconds, wait } = call.json()?;
            let ttl_ms = ttl_ms(ttl_seconds)?;
            Event::Lease { holder, subject, ttl_ms, wait, fresh_id: call.entropy.id() }
        }
        (PoolResource::Lease(id), Method::Put) => {
            let RenewRequest { ttl_seconds } =
                if call.body.is_empty() { RenewRequest::default() } else { call.json()? };
            Event::Renew { lease_id: (*id).to_owned(), subject, ttl_ms: ttl_ms(ttl_seconds)? }
        }
        (PoolResource::Lease(id), Method::Delete) => {
            Event::Release { lease_id: (*id).to_owned(), subject }
        }
        (PoolResource::Ticket(id), Method::Delete) => {
            Event::Leave { ticket_id: (*id).to_owned(), subject }
        }
        (PoolResource::Members, Method::Put) => members_event(pool, name, &mut call)?,
        (PoolResource::Reclaims, Method::Post) => reclaim_event(&call)?,
        _ => Event::Tick,
    })
}

fn ttl_ms(seconds: Option<u32>) -> Result<Option<u64>, Problem> {
    let (min, max) = TTL_SECONDS;
    match seconds {
        Some(seconds) if !(min..=max).contains(&seconds) => {
            Err(invalid(&format!("`ttl_seconds` is {min} to {max}, not {seconds}")))
        }
        seconds => Ok(seconds.map(|seconds| u64::from(seconds) * 1_000)),
    }
}

fn reclaim_event(call: &Call<'_>) -> Result<Event, Problem> {
    let ReclaimRequest { class, holders, reason, dry_run } = call.json()?;
    if reason.trim().is_empty() || reason.chars().count() > TEXT_CHARS_MAX {
        return Err(invalid(&format!("`reason` has 1 to {TEXT_CHARS_MAX} characters")));
    }
    if class == LeaseClass::Active && holders.is_none() {
        return Err(invalid("active leases are taken by name: list their `holders`"));
    }
    let by = call.caller.subject.clone();
    let alive = call.caller.alive.clone();
    Ok(Event::Reclaim(ReclaimEvent { class, holders, reason, by, dry_run, alive }))
}

fn members_event(pool: &Pool, name: &Name, call: &mut Call<'_>) -> Result<Event, Problem> {
    let MembersRequest { members, settings } = call.json()?;
    if let Some(settings) = &settings {
        settings.check().map_err(|detail| invalid(&detail))?;
    }
    if members.len() > MEMBERS_MAX {
        return Err(invalid(&format!("a pool has at most {MEMBERS_MAX} members")));
    }
    let mut specs = BTreeMap::new();
    for member in members {
        check_attributes(&member)?;
        let id = member.id.clone();
        let spec = spec(pool, name, member, call)?;
        if specs.insert(id.clone(), spec).is_some() {
            return Err(invalid(&format!("the member `{id}` is there twice")));
        }
    }
    Ok(Event::Put { members: specs.into_iter().collect(), settings })
}

fn check_attributes(member: &Member) -> Result<(), Problem> {
    let Member { id, attributes, secrets } = member;
    if attributes.len() + secrets.len() > ATTRIBUTES_MAX {
        return Err(invalid(&format!("`{id}` has more than {ATTRIBUTES_MAX} attributes")));
    }
    for (key, text) in attributes.iter().chain(secrets) {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if key.is_empty() || key.len() > ATTRIBUTE_NAME_BYTES_MAX || !key.bytes().all(plain) {
            return Err(invalid(&format!(
                "an attribute of `{id}` has no proper name: 1 to {ATTRIBUTE_NAME_BYTES_MAX} \
                 letters, digits, `_` and `-`"
            )));
        }
        if text.len() > ATTRIBUTE_BYTES_MAX {
            return Err(invalid(&format!(
                "`{key}` of `{id}` is longer than {ATTRIBUTE_BYTES_MAX} bytes"
            )));
        }
    }
    if let Some(key) = attributes.keys().find(|key| secrets.contains_key(*key)) {
        return Err(invalid(&format!("`{key}` of `{id}` is both secret and not")));
    }
    Ok(())
}

/// Seals a member's secrets. What is the same as before keeps its sealed form, so that putting
/// the same members again changes nothing.
fn spec(pool: &Pool, name: &Name, member: Member, call: &mut Call<'_>) -> Result<Spec, Problem> {
    let Member { id, attributes, secrets } = member;
    let before = pool.seats.get(&id).map(|seat| &seat.spec.sealed);
    let mut sealed = BTreeMap::new();
    for (attribute, text) in secrets {
        let key = call.key.ok_or_else(no_key)?;
        let place = place(name, &id, &attribute);
        let same = before
            .and_then(|before| before.get(&attribute))
            .filter(|old| key.open(&place, old).is_ok_and(|old| old == text));
        let value = match same {
            Some(old) => old.clone(),
            None => key.seal(&place, &text, &mut call.entropy).map_err(|_| {
                Problem::new(ProblemType::Internal, "a secret attribute could not be sealed")
            })?,
        };
        sealed.insert(attribute, value);
    }
    Ok(Spec { attributes, sealed, draining: false })
}

/// What a sealed attribute is bound to.
fn place(pool: &Name, member: &Name, attribute: &str) -> String {
    format!("pool/{pool}/{member}/{attribute}")
}

fn no_key() -> Problem {
    Problem::new(
        ProblemType::Misconfigured,
        "secret attributes need the Worker's secret SEAL_KEY: 32 random bytes in base64",
    )
}

/// A pool as it is after a step, for answers.
struct View<'a> {
    pool: &'a Pool,
    name: &'a Name,
    key: Option<&'a SealKey>,
    now_ms: u64,
    alive: Option<Alive>,
}

impl View<'_> {
    fn answer(&self, outcome: Outcome) -> Response {
        let result = match outcome {
            Outcome::Granted(id) => self.lease(&id).map(|lease| Response::created(&lease)),
            Outcome::Kept(id) | Outcome::Renewed(id) => {
                self.lease(&id).map(|lease| Response::json(&lease))
            }
            Outcome::Queued(waiting, position) => {
                // Often enough that the place is never lost by being slow.
                let life = u64::from(self.pool.settings().ticket_seconds);
                let retry_after_seconds = u32::try_from((life / 4).clamp(1, 5)).unwrap_or(5);
                let ticket = Ticket {
                    ticket_id: waiting.ticket_id,
                    holder: waiting.holder,
                    position,
                    expires_at_ms: waiting.expires_at_ms,
                    retry_after_seconds,
                };
                Ok(Response::accepted(&ticket).retry_after(retry_after_seconds))
            }
            Outcome::Empty { retry_after_ms } => Ok(self.empty(retry_after_ms)),
            Outcome::QueueFull => Err(Problem::new(
                ProblemType::QueueFull,
                format!("{} wait already", self.pool.queue().count()),
            )),
            Outcome::HolderTaken => Err(Problem::new(
                ProblemType::HolderTaken,
                "this holder leased or waits under another token's subject; use a token of that \
                 subject, or have an admin reclaim the lease",
            )),
            Outcome::Foreign => {
                Err(Problem::new(ProblemType::Forbidden, "this belongs to another token's subject"))
            }
            Outcome::Gone(record) => Err(Problem::new(
                ProblemType::LeaseGone,
                record.map_or_else(
                    || "it expired or was released; ask for a new one".to_owned(),
                    |taken| format!("`{}` took it away: {}", taken.by, taken.reason),
                ),
            )),
            Outcome::Done => Ok(Response::no_content()),
            Outcome::Put(diff) => Ok(Response::json(&diff)),
            Outcome::Reclaimed(reclaims) => Ok(Response::json(&ReclaimList { reclaims })),
            Outcome::Ticked => Err(Problem::new(ProblemType::Internal, "nothing was asked")),
        };
        result.unwrap_or_else(|problem| {
            let response = Response::problem(&problem);
            let waits = problem.problem_type == ProblemType::QueueFull;
            if waits { response.retry_after(self.retry_after_seconds()) } else { response }
        })
    }

    fn retry_after_seconds(&self) -> u32 {
        let seconds = self.pool.retry_after_ms(self.now_ms).div_ceil(1_000);
        u32::try_from(seconds).unwrap_or(u32::MAX)
    }

    fn read(&self, resource: &PoolResource<'_>) -> Response {
        match resource {
            PoolResource::Pool => Response::json(&self.stats()),
            PoolResource::Leases => Response::json(&self.leases()),
            PoolResource::Members => Response::json(&self.members()),
            PoolResource::Reclaims => {
                let records = self.pool.reclaims.values().map(|taken| taken.record.clone());
                Response::json(&ReclaimList { reclaims: records.collect() })
            }
            PoolResource::Lease(_) | PoolResource::Ticket(_) => Response::problem(&Problem::new(
                ProblemType::Internal,
                "this path has nothing to read",
            )),
        }
    }

    fn lease(&self, id: &Name) -> Result<Lease, Problem> {
        let missing = || Problem::new(ProblemType::Internal, "the lease is not there");
        let seat = self.pool.seats.get(id).ok_or_else(missing)?;
        let held = seat.used.held.as_ref().ok_or_else(missing)?;
        let mut secrets = BTreeMap::new();
        for (attribute, sealed) in &seat.spec.sealed {
            let key = self.key.ok_or_else(no_key)?;
            let text = key.open(&place(self.name, id, attribute), sealed).map_err(|error| {
                Problem::new(
                    ProblemType::Misconfigured,
                    match error {
                        SealError::OtherKey => {
                            "the members' secrets were sealed under another SEAL_KEY: restore \
                             it, or put the members again"
                        }
                        SealError::Damaged => "a member's secret is damaged: put the members again",
                    },
                )
            })?;
            secrets.insert(attribute.clone(), text);
        }
        Ok(Lease {
            lease_id: held.lease_id.clone(),
            id: id.clone(),
            holder: held.holder.clone(),
            granted_at_ms: held.granted_at_ms,
            expires_at_ms: held.expires_at_ms,
            draining: seat.spec.draining,
            attributes: seat.spec.attributes.clone(),
            secrets,
        })
    }

    fn empty(&self, retry_after_ms: u64) -> Response {
        let seconds = u32::try_from(retry_after_ms.div_ceil(1_000)).unwrap_or(u32::MAX);
        let detail = format!(
            "no member of `{}` is free ({} in all): each is leased, cooling or promised to the {} in \
             the queue; ask again, or with `wait` to queue",
            self.name,
            self.pool.size(),
            self.pool.queue().count()
        );
        let problem = Problem::new(ProblemType::PoolEmpty, detail);
        let LeaseList { leases, .. } = self.leases();
        let document = PoolEmpty { problem, retry_after_seconds: seconds, leases };
        Response::problem_with(document.problem.status, &document).retry_after(seconds)
    }

    fn stats(&self) -> PoolStats {
        let count = |test: &dyn Fn(&super::state::Seat) -> bool| {
            let seats = self.pool.seats.values().filter(|seat| test(seat));
            u32::try_from(seats.count()).unwrap_or(u32::MAX)
        };
        let in_state = |state| count(&move |seat| seat.state(self.now_ms) == state);
        PoolStats {
            pool: self.name.clone(),
            size: count(&|_| true),
            free: in_state(MemberState::Free),
            leased: count(&|seat| seat.used.held.is_some()),
            cooling: in_state(MemberState::Cooling),
            draining: in_state(MemberState::Draining),
            queue: u32::try_from(self.pool.queue().count()).unwrap_or(u32::MAX),
            settings: self.pool.settings(),
        }
    }

    fn leases(&self) -> LeaseList {
        let idle_seconds = self.pool.settings().idle_seconds;
        let alive = self.alive.as_ref();
        let draining: BTreeSet<&Name> = self
            .pool
            .seats
            .iter()
            .filter(|(_, seat)| seat.spec.draining)
            .map(|(id, _)| id)
            .collect();
        let summary = |(id, held): (&Name, &super::state::Held)| LeaseSummary {
            id: id.clone(),
            holder: held.holder.clone(),
            subject: held.subject.clone(),
            granted_at_ms: held.granted_at_ms,
            renewed_at_ms: held.renewed_at_ms,
            expires_at_ms: held.expires_at_ms,
            draining: draining.contains(id),
            class: held.class(self.now_ms, idle_seconds, alive),
        };
        let waiting = |waiting: &super::state::Waiting| TicketSummary {
            holder: waiting.holder.clone(),
            queued_at_ms: waiting.queued_at_ms,
            expires_at_ms: waiting.expires_at_ms,
        };
        LeaseList {
            leases: self.pool.held().map(summary).collect(),
            queue: self.pool.queue().map(waiting).collect(),
        }
    }

    fn members(&self) -> MemberList {
        let summary = |(id, seat): (&Name, &super::state::Seat)| MemberSummary {
            id: id.clone(),
            attributes: seat.spec.attributes.clone(),
            secret_names: seat.spec.sealed.keys().cloned().collect(),
            state: seat.state(self.now_ms),
            last_used_at_ms: Some(seat.used.last_used_at_ms).filter(|at_ms| *at_ms > 0),
        };
        MemberList { members: self.pool.seats.iter().map(summary).collect() }
    }
}
