//! `envc pool`: who holds which preview ID, and doing by hand what apply and destroy do.

use std::path::Path;

use envc_core::counted;
use envc_edge_api::{
    LeaseClass, LeaseList, LeaseSummary, MemberList, MemberState, MemberSummary, MembersDiff,
    MembersRequest, Name, PoolStats, ProblemType,
};
use envc_exec::{
    edge::{EdgeCall, EdgeError},
    ports::{Clock as _, Leased, PoolError, Pools as _},
};
use serde::de::DeserializeOwned;

use super::shared::{OPENINGS_MAX, busy};
use crate::{
    host::{clock::age, error::CommandError, exit_code::ExitCode, fsio, interrupt::interrupted},
    operate::site::{Needs, Site},
    remote::pools::{SessionPools, put_members},
    shell::{
        app::{App, block_on},
        args::{
            PoolClaimArgs, PoolLsArgs, PoolMembersArgs, PoolReleaseArgs, PoolTargetArgs, PoolVerb,
        },
        events::{Claimed, Event, Member, PoolCounts, Released},
    },
    workspace::{
        choice::{OnNewId, Selection},
        project::SpecFile,
        session::Session,
    },
};

/// Bytes of a file with members: what the API takes.
const MEMBERS_BYTES_MAX: usize = envc_edge_api::limits::MEMBERS_BODY_BYTES_MAX;

pub(super) fn run(app: &App, verb: &PoolVerb) -> Result<ExitCode, CommandError> {
    let (target, wait) = match verb {
        PoolVerb::Ls(args) => (&args.target, false),
        PoolVerb::Claim(args) => (&args.target, args.wait),
        PoolVerb::Release(args) => (&args.target, false),
        PoolVerb::Members(args) => (&args.target, false),
    };
    let session = open(app, target)?;
    // Read before anybody is asked for anything.
    let members = match verb {
        PoolVerb::Members(PoolMembersArgs { file: Some(file), .. }) => {
            Some(read_members(app, file)?)
        }
        _ => None,
    };
    block_on(async {
        let site = Site::open(&session, Needs { wait, ..Needs::POOLS }).await?;
        let pools = site.pools();
        pools.demand()?;
        let commands = PoolCommands { session: &session, pools: &pools };
        match verb {
            PoolVerb::Ls(args) => commands.ls(args).await,
            PoolVerb::Claim(args) => commands.claim(args).await,
            PoolVerb::Release(args) => commands.release(args).await,
            PoolVerb::Members(args) => commands.members(args, members).await,
        }
    })?
}

fn open<'a>(app: &'a App, target: &PoolTargetArgs) -> Result<Session<'a>, CommandError> {
    let PoolTargetArgs { env_type, pr, id, cloud } = target.clone();
    let file = SpecFile::find(&app.cwd, app.common.chdir.as_deref(), &app.env)?;
    let selection = Selection { env_type, pr, id, cloud, ..Selection::default() };
    for _ in 0..OPENINGS_MAX {
        let file = file.clone();
        let session = Session::open(&app.ui, &app.env, file, &selection, OnNewId::Mint)?
            .ok_or_else(|| CommandError::failed("BUG: no ID was minted"))?;
        if session.record_environment()? {
            return Ok(session);
        }
    }
    Err(busy())
}

fn read_members(app: &App, file: &Path) -> Result<MembersRequest, CommandError> {
    let text = if file.as_os_str() == "-" {
        fsio::read_input(MEMBERS_BYTES_MAX)?
    } else {
        let path = app.cwd.join(file);
        fsio::read_named_text(&path, MEMBERS_BYTES_MAX)?
            .ok_or_else(|| CommandError::usage(format!("there is no file {}", path.display())))?
    };
    serde_json::from_str(&text).map_err(|error| {
        CommandError::usage(format!("{} does not list members", file.display()))
            // Where, and not what: the file holds secrets.
            .because_text(format!("line {}, column {}", error.line(), error.column()))
            .hint("see `envc pool members --help` for its form")
            .code("envc::cli::members_unreadable")
    })
}

/// Where pools are asked.
struct PoolCommands<'a> {
    session: &'a Session<'a>,
    pools: &'a SessionPools<'a>,
}

impl PoolCommands<'_> {
    fn failed(
        &self,
        what: impl Into<String>,
        pool: &str,
        error: impl Into<PoolError>,
    ) -> CommandError {
        let error = error.into();
        if error.is_interrupted() {
            return interrupted();
        }
        self.pools.explain(what, pool, &error, self.session.workspace.clock.unix_ms())
    }

    /// Reads something of a pool; none: there is no such pool.
    async fn get<T: DeserializeOwned>(
        &self,
        pool: &str,
        rest: &[&str],
    ) -> Result<Option<T>, CommandError> {
        let what = || format!("the pool `{pool}` cannot be read");
        if let Err(error) = Name::parse(pool) {
            return Err(self.failed(what(), pool, PoolError::Name(error.to_string())));
        }
        let path: Vec<&str> = ["v1", "pools", pool].iter().chain(rest).copied().collect();
        let open = self.pools.open().map_err(|error| self.failed(what(), pool, error))?;
        let answer = open.client().call(&EdgeCall::get(&path)).await;
        match answer.and_then(|answer| answer.read()) {
            Ok(read) => Ok(Some(read)),
            Err(error) if error.is(ProblemType::NotFound) => Ok(None),
            Err(error) => Err(self.failed(what(), pool, error)),
        }
    }

    async fn ls(&self, args: &PoolLsArgs) -> Result<ExitCode, CommandError> {
        let declared = || {
            let edge = self.session.environment.edge.as_ref();
            edge.map(|edge| edge.pools.keys().cloned().collect()).unwrap_or_default()
        };
        let names: Vec<String> = args.pool.clone().map_or_else(declared, |pool| vec![pool]);
        if names.is_empty() {
            return Err(CommandError::usage("the spec's `edge` declares no pool")
                .hint("name one: envc pool ls POOL")
                .hint("or declare it: edge \"https://…\" token=(secret)\"EDGE_TOKEN\" { pool \"previews\" }")
                .code("envc::cli::no_pool"));
        }
        let mut pages = Vec::new();
        for pool in &names {
            let (stats, list) = futures::join!(
                self.get::<PoolStats>(pool, &[]),
                self.get::<LeaseList>(pool, &["leases"])
            );
            let (Some(stats), Some(list)) = (stats?, list?) else {
                pages.push(self.missing(pool, args.pool.is_some())?);
                continue;
            };
            pages.push(self.page(pool, &stats, &list));
        }
        self.session.ui.result(&pages.join("\n"));
        Ok(ExitCode::Done)
    }

    /// A pool that is not there: an error where it was asked for by name.
    fn missing(&self, pool: &str, named: bool) -> Result<String, CommandError> {
        if named && !self.pools.is_local() {
            let what = format!("there is no pool `{pool}`");
            return Err(CommandError::failed(what)
                .hint(format!("an admin makes it: envc pool members {pool} FILE"))
                .code("envc::cli::no_pool"));
        }
        self.session.ui.event(&Event::Pool { pool, exists: false, counts: None });
        let note = if self.pools.is_local() { "; its first lease gives it stand-ins" } else { "" };
        Ok(format!("{pool}: no members yet{note}"))
    }

    fn page(&self, pool: &str, stats: &PoolStats, list: &LeaseList) -> String {
        let counts = Some(PoolCounts::of(stats, list));
        self.session.ui.event(&Event::Pool { pool, exists: true, counts });
        let LeaseList { leases, queue } = list;
        let mut counts = vec![
            counted(stats.size, "preview ID"),
            format!("{} free", stats.free),
            format!("{} leased", stats.leased),
        ];
        for (count, what) in [(stats.cooling, "cooling"), (stats.draining, "draining")] {
            counts.extend((count > 0).then(|| format!("{count} {what}")));
        }
        let now_ms = self.session.workspace.clock.unix_ms();
        let ago = |at_ms: u64| format!("{} ago", age(now_ms.saturating_sub(at_ms)));
        let rows: Vec<[String; 4]> = leases
            .iter()
            .map(|lease: &LeaseSummary| {
                let class = match lease.class {
                    LeaseClass::Orphaned => ", orphaned",
                    LeaseClass::Idle => ", idle",
                    LeaseClass::Active => "",
                };
                [
                    lease.id.as_str().to_owned(),
                    lease.holder.as_str().to_owned(),
                    format!("renewed {}{class}", ago(lease.renewed_at_ms)),
                    format!("ends in {}", age(lease.expires_at_ms.saturating_sub(now_ms))),
                ]
            })
            .collect();
        let mut lines = vec![format!("{pool}: {}", counts.join(", "))];
        lines.extend(table(&rows));
        for (place, waiting) in queue.iter().enumerate() {
            let since = ago(waiting.queued_at_ms);
            lines.push(format!(
                "  waits, {}. in the queue  {}  since {since}",
                place + 1,
                waiting.holder
            ));
        }
        lines.join("\n")
    }

    async fn claim(&self, args: &PoolClaimArgs) -> Result<ExitCode, CommandError> {
        let PoolClaimArgs { pool, holder, show_secrets, .. } = args;
        let own = || format!("{}/{}", self.session.workspace.project.name, self.session.target.id);
        let holder = holder.clone().unwrap_or_else(own);
        let what = || format!("could not claim a preview ID for {holder}");
        let leased = self.pools.lease(pool, &holder).await;
        let leased = leased.map_err(|error| self.failed(what(), pool, error))?;
        let Leased { id, lease_id, attributes, secrets } = &leased;
        let shown = secrets.iter().filter(|_| *show_secrets);
        let shown: Vec<(&String, &str)> =
            shown.map(|(name, secret)| (name, secret.expose())).collect();
        let names: Vec<&String> = secrets.keys().collect();
        let mut lines = vec![format!("id={id}"), format!("lease_id={lease_id}")];
        lines.extend(attributes.iter().map(|(name, value)| format!("{name}={value}")));
        lines.extend(shown.iter().map(|(name, value)| format!("{name}={value}")));
        if !names.is_empty() && !show_secrets {
            let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
            let names = names.join(", ");
            self.session.ui.say(&format!("not shown without --show-secrets: {names}"));
        }
        self.session.ui.event(&Event::Claimed(Claimed::PreviewId {
            pool,
            holder: &holder,
            id,
            lease_id,
            attributes,
            secret_names: names.iter().map(|name| name.as_str()).collect(),
            secrets: shown.iter().map(|(name, value)| (name.as_str(), *value)).collect(),
        }));
        self.session.ui.result(&lines.join("\n"));
        Ok(ExitCode::Done)
    }

    async fn release(&self, args: &PoolReleaseArgs) -> Result<ExitCode, CommandError> {
        let PoolReleaseArgs { pool, holder, lease, .. } = args;
        let whose = holder.as_deref().or(lease.as_deref()).unwrap_or_default();
        let failed =
            |error: PoolError| self.failed(format!("could not release {whose}"), pool, error);
        let mut id = None;
        match (holder, lease) {
            (Some(holder), _) => {
                id = self.pools.find(pool, holder).await.map_err(failed)?;
                if id.is_some() {
                    let leased = self.pools.lease(pool, holder).await.map_err(failed)?;
                    self.pools.release(pool, &leased.lease_id).await.map_err(failed)?;
                }
            }
            (None, Some(lease)) => self.pools.release(pool, lease).await.map_err(failed)?,
            (None, None) => {}
        }
        let (holder, id) = (holder.as_deref(), id.as_deref());
        self.session.ui.event(&Event::Released(Released::PreviewId { pool, holder, id }));
        self.session.ui.outcome(&match (id, holder) {
            (Some(id), Some(holder)) => {
                format!("Released {id} of pool {pool}, which {holder} held.")
            }
            (None, Some(holder)) => {
                format!("Nothing to release: {holder} holds nothing of {pool}.")
            }
            (_, None) => format!("Released the lease of pool {pool}, or it was over already."),
        });
        Ok(ExitCode::Done)
    }

    async fn members(
        &self,
        args: &PoolMembersArgs,
        members: Option<MembersRequest>,
    ) -> Result<ExitCode, CommandError> {
        let pool = &args.pool;
        let Some(members) = members else { return self.show_members(pool).await };
        let what = || format!("could not put the members of `{pool}`");
        if let Err(error) = Name::parse(pool) {
            return Err(self.failed(what(), pool, PoolError::Name(error.to_string())));
        }
        let open = self.pools.open().map_err(|error| self.failed(what(), pool, error))?;
        let put = put_members(open, pool, &members).await;
        let diff = put.map_err(|error: EdgeError| self.failed(what(), pool, error))?;
        let MembersDiff { added, changed, unchanged, draining, removed } = &diff;
        self.session.ui.event(&Event::MembersPut {
            pool,
            added: words(added),
            changed: words(changed),
            unchanged: words(unchanged),
            draining: words(draining),
            removed: words(removed),
        });
        let mut lines = Vec::new();
        for (word, ids) in [("added", added), ("changed", changed), ("removed", removed)] {
            lines.extend((!ids.is_empty()).then(|| format!("{word}: {}", names(ids))));
        }
        if !draining.is_empty() {
            lines.push(format!("draining, gone once no lease holds them: {}", names(draining)));
        }
        let stays = added.len() + changed.len() + unchanged.len();
        lines.push(format!("{pool} has {}.", counted(stays, "preview ID")));
        self.session.ui.outcome(&lines.join("\n"));
        Ok(ExitCode::Done)
    }

    async fn show_members(&self, pool: &str) -> Result<ExitCode, CommandError> {
        let Some(list) = self.get::<MemberList>(pool, &["members"]).await? else {
            let page = self.missing(pool, true)?;
            self.session.ui.result(&page);
            return Ok(ExitCode::Done);
        };
        let members = list.members.iter().map(Member::from).collect();
        self.session.ui.event(&Event::Members { pool, members });
        let rows: Vec<[String; 4]> = list
            .members
            .iter()
            .map(|member: &MemberSummary| {
                let state = match member.state {
                    MemberState::Free => "free",
                    MemberState::Leased => "leased",
                    MemberState::Cooling => "cooling",
                    MemberState::Draining => "draining",
                };
                let public =
                    member.attributes.iter().map(|(name, value)| format!("{name}={value}"));
                let secret = match member.secret_names.as_slice() {
                    [] => String::new(),
                    some => format!("secret: {}", some.join(", ")),
                };
                let public = public.collect::<Vec<_>>().join(" ");
                [member.id.as_str().to_owned(), state.to_owned(), public, secret]
            })
            .collect();
        let count = counted(rows.len(), "preview ID");
        let lines: Vec<String> =
            std::iter::once(format!("{pool}: {count}")).chain(table(&rows)).collect();
        self.session.ui.result(&lines.join("\n"));
        Ok(ExitCode::Done)
    }
}

fn words(ids: &[Name]) -> Vec<&str> {
    ids.iter().map(Name::as_str).collect()
}

fn names(ids: &[Name]) -> String {
    words(ids).join(", ")
}

/// Rows with their columns under one another.
fn table(rows: &[[String; 4]]) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths = [0, 1, 2, 3].map(width);
    let line = |row: &[String; 4]| {
        let cells = row.iter().zip(widths).filter(|(_, width)| *width > 0);
        let cells: Vec<String> = cells.map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("  {}", cells.join("  ")).trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}
