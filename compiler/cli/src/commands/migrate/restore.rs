//! `envc migrate restore`: a database goes back to what it was, by Cloudflare's Time Travel.
//!
//! Invariant: what it is now is written down before it goes, so that `--undo` leads back here.

use std::collections::BTreeMap;

use envc_core::{Address, counted};
use envc_exec::{CallClass, CallError, bookmark, ports::Clock as _, read_ledger, restore};
use envc_kinds::{Call, kind};
use envc_plan::{Standing, WayBack};
use jiff::Timestamp;

use super::{files_of, id_in, plan};
use crate::{
    commands::shared::not_approved,
    host::{error::CommandError, exit_code::ExitCode, interrupt::interrupted},
    operate::{
        engine::{Engine, Loaded},
        site::{Needs, Site},
    },
    remote::connection::code_of,
    shell::{args::MigrateRestoreArgs, events::Event},
    state::Hold,
    workspace::session::Session,
};

/// Where a database goes back to.
struct Goal {
    bookmark: String,
    /// When that was, where it is known.
    at_ms: Option<u64>,
    /// In words.
    what: String,
}

pub(super) async fn run(
    session: &Session<'_>,
    args: &MigrateRestoreArgs,
) -> Result<ExitCode, CommandError> {
    let (address, env) = (&args.address, &session.target.id);
    let files = files_of(session, address)?;
    let site = Site::open(session, Needs::STATE).await?;
    let hold = Hold::Lock { purpose: "envc migrate restore", wait: !args.change.no_wait };
    let (mut engine, mut loaded) = Engine::open(&site, hold).await?;
    engine.migrates_all();
    let whole = plan(&engine, &loaded, &files, &BTreeMap::new()).await?;
    let all = session.environment.resources.keys();
    let all: Vec<String> =
        all.filter(|it| kind(it.kind()).database().is_some()).map(ToString::to_string).collect();
    if !all.contains(&address.to_string()) {
        return Err(engine.unknown_address(address, "to restore", &all));
    }
    let id = id_in(&whole, address)?.to_owned();
    let state = loaded.state.take().unwrap_or_else(|| engine.new_state());
    let goal = goal(&engine, args, state.way_back(address, &id), &id).await?;
    let now_ms = session.workspace.clock.unix_ms();
    let lost = match goal.at_ms.map(|at_ms| now_ms.saturating_sub(at_ms)) {
        Some(ms) => format!("what was written in the {} since then is lost", span(ms)),
        None => "what was written since then is lost".to_owned(),
    };
    session.ui.say(&format!("{address} goes back to {}: {lost}", goal.what));
    if let Some(at_ms) = goal.at_ms {
        tell_deployed(session, &engine, address, at_ms).await;
    }
    let question = format!("Take {address} of `{env}` back?");
    let does = format!("takes {address} of `{env}` back to {}", goal.what);
    if !args.change.yes && !session.ui.confirm(&site.stop, &question, &does).await? {
        return Err(not_approved());
    }
    let known = state.way_back(address, &id).cloned();
    let now = bookmark(&engine.client, &engine.scope, address, &id, None).await;
    let unknown = format!("{address} is as it was: the way back is not known");
    let now = now.map_err(|error| failed(unknown, &error))?;
    if now == goal.bookmark {
        session.ui.outcome(&format!("Nothing to do: {address} of `{env}` is what it was then."));
        return Ok(ExitCode::Done);
    }
    // Where one was cut off, what was there before that one is what `--undo` leads to.
    let way_back = match &known {
        Some(began) if began.to.is_some() && !args.undo => began.clone(),
        _ => WayBack { bookmark: now, at_ms: now_ms, before: None, to: None },
    };
    loaded.state = Some(state);
    let ways = Ways { back: way_back, before: known };
    let ledger = go(&engine, loaded, (address, &id), &goal.bookmark, ways).await?;
    let files = files.get(address).map(Vec::as_slice).unwrap_or_default();
    let standing = Standing::of(files, &ledger, &[]);
    session.ui.event(&Event::Restored {
        address: address.to_string(),
        bookmark: &goal.bookmark,
        applied: &standing.applied,
        pending: &standing.pending,
    });
    session.ui.outcome(&told(session, args, &standing));
    Ok(ExitCode::Done)
}

/// What is recorded of where a database was.
struct Ways {
    /// Where it is now.
    back: WayBack,
    /// What was recorded before this.
    before: Option<WayBack>,
}

/// Takes it back, and writes down where it was and what its ledger holds then, which is given.
async fn go(
    engine: &Engine<'_, '_>,
    mut loaded: Loaded,
    (address, id): (&Address, &str),
    to: &str,
    ways: Ways,
) -> Result<Vec<String>, CommandError> {
    if let Some(state) = &mut loaded.state {
        let going = WayBack { to: Some(to.to_owned()), ..ways.back.clone() };
        state.set_way_back(address, id, Some(going));
    }
    let mut loaded = engine.save(loaded).await?;
    if let Err(error) = restore(&engine.client, &engine.scope, address, id, to).await {
        if error.is_unknown() || error.class == CallClass::Interrupted {
            let what = "whether it was taken back is not known: the same command carries on";
            return Err(failed(format!("{address}: {what}"), &error));
        }
        if let Some(state) = &mut loaded.state {
            state.set_way_back(address, id, ways.before);
        }
        engine.save(loaded).await?;
        return Err(failed(format!("{address} is as it was"), &error));
    }
    let ledger = engine.ledger_name(address);
    let read = read_ledger(&engine.client, &engine.scope, address, id, ledger).await;
    if let Some(state) = &mut loaded.state {
        state.set_way_back(address, id, Some(WayBack { to: None, ..ways.back }));
        if let Ok(names) = &read {
            state.learn_ledger(address, id, names);
        }
        // What became of its seed the database tells.
        if let Some(recorded) = state.resources.get_mut(address) {
            recorded.seed = None;
        }
    }
    engine.save(loaded).await?;
    let unread = format!("{address} was taken back; its ledger cannot be read");
    read.map_err(|error| failed(unread, &error))
}

fn told(session: &Session<'_>, args: &MigrateRestoreArgs, standing: &Standing) -> String {
    let Standing { applied, pending, .. } = standing;
    let mut told = format!(
        "{} of `{}` is back: {} applied, {} pending.",
        args.address,
        session.target.id,
        counted(applied.len(), "migration"),
        pending.len()
    );
    if !pending.is_empty() {
        told += " The next apply runs what is pending: correct it first.";
    }
    told + &format!(
        " Back to what it was before this: {} --undo",
        session.command(&format!("migrate restore {}", args.address))
    )
}

/// Where it goes: as the user says, or to what is written down.
async fn goal(
    engine: &Engine<'_, '_>,
    args: &MigrateRestoreArgs,
    known: Option<&WayBack>,
    id: &str,
) -> Result<Goal, CommandError> {
    let address = &args.address;
    if let Some(bookmark) = &args.bookmark {
        let what = format!("the bookmark {bookmark}");
        return Ok(Goal { bookmark: bookmark.clone(), at_ms: None, what });
    }
    if let Some(at) = args.at {
        let time = at.to_string();
        let found = bookmark(&engine.client, &engine.scope, address, id, Some(&time));
        let bookmark = found.await.map_err(|error| {
            failed(format!("what {address} was at {at} cannot be found"), &error)
                .hint("Time Travel goes back 30 days, and 7 on the free plan, and not before the database was made")
        })?;
        let at_ms = u64::try_from(at.as_millisecond()).ok();
        return Ok(Goal { bookmark, at_ms, what: time });
    }
    let undoes = known.filter(|it| !args.undo || it.before.is_none());
    if let Some(to) = undoes.filter(|_| !args.undo).and_then(|it| it.to.clone()) {
        let what = "where a restore was going that was cut off".to_owned();
        return Ok(Goal { bookmark: to, at_ms: None, what });
    }
    let Some(WayBack { bookmark, at_ms, before, .. }) = undoes else {
        let what = if args.undo {
            format!(
                "nothing to undo: {address} was not taken back or emptied last, as far as is recorded"
            )
        } else {
            format!("no way back of {address} is recorded: envc has changed nothing that it held")
        };
        return Err(CommandError::failed(what)
            .hint("name an instant: --at 2026-11-30T09:00:00Z; or a bookmark: --bookmark")
            .code("envc::cli::no_way_back"));
    };
    let when = i64::try_from(*at_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let when = when.map(|it| it.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default();
    let what = match before {
        Some(file) => format!("{when}, before {file} ran"),
        None => format!("{when}, before it was emptied or taken back last"),
    };
    Ok(Goal { bookmark: bookmark.clone(), at_ms: Some(*at_ms), what })
}

/// Names the Workers bound to the database that were deployed since: they may want tables that go.
async fn tell_deployed(
    session: &Session<'_>,
    engine: &Engine<'_, '_>,
    address: &Address,
    since_ms: u64,
) {
    let bound = session
        .environment
        .workers
        .iter()
        .filter(|worker| worker.bindings.iter().any(|binding| binding.target == *address));
    let bound: Vec<&str> = bound.map(|worker| worker.script.as_str()).collect();
    if bound.is_empty() {
        return;
    }
    let call = Call::get(&["accounts", &engine.scope.id, "workers", "scripts"]);
    let answer = match engine.client.call_repeatable(&call, None).await {
        Ok(answer) => answer.result,
        Err(error) => {
            return session.ui.warn(&format!(
                "which Workers were deployed since is not known ({error}): {}",
                bound.join(", ")
            ));
        }
    };
    let text = |script: &serde_json::Value, field: &str| {
        script.get(field).and_then(serde_json::Value::as_str).map(str::to_owned)
    };
    for script in answer.as_array().map(Vec::as_slice).unwrap_or_default() {
        let Some(name) = text(script, "id").filter(|it| bound.contains(&it.as_str())) else {
            continue;
        };
        let modified: Option<Timestamp> =
            text(script, "modified_on").and_then(|time| time.parse().ok());
        let ms = modified.and_then(|it| u64::try_from(it.as_millisecond()).ok());
        if let (Some(ms), Some(at)) = (ms, modified)
            && ms > since_ms
        {
            session.ui.warn(&format!(
                "the Worker {name}, which is bound to it, was deployed since ({}): it may need what goes",
                at.strftime("%Y-%m-%d %H:%M:%S UTC")
            ));
        }
    }
}

fn failed(what: String, error: &CallError) -> CommandError {
    if error.class == CallClass::Interrupted {
        return interrupted();
    }
    CommandError::failed(what).because(error).code(code_of(error))
}

/// A span of time in one unit, or two.
fn span(ms: u64) -> String {
    let (seconds, minutes, hours) = (ms / 1_000, ms / 60_000, ms / 3_600_000);
    match (hours, minutes) {
        (48.., _) => format!("{} days and {} hours", hours / 24, hours % 24),
        (1.., _) => format!("{hours} h {} min", minutes % 60),
        (_, 1..) => format!("{minutes} min {} s", seconds % 60),
        _ => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_as_people_count() {
        for (ms, told) in [
            (900, "0 s"),
            (61_000, "1 min 1 s"),
            (3_660_000, "1 h 1 min"),
            (180_000_000, "2 days and 2 hours"),
        ] {
            assert_eq!(span(ms), told);
        }
    }
}
