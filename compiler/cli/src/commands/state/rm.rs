//! `envc state rm`: one resource is recorded no more.
//!
//! Invariant: nothing in the account changes, and what is let go of is told before it is asked for.

use envc_core::Address;
use envc_plan::{Recorded, State};

use crate::{
    commands::shared::{known, not_approved, say_heading},
    host::{error::CommandError, exit_code::ExitCode},
    operate::{
        engine::Engine,
        site::{Needs, Site},
    },
    shell::{
        app::{App, block_on},
        args::StateRmArgs,
        events::Event,
    },
    state::Hold,
    workspace::session::Session,
};

pub(super) fn run(app: &App, args: &StateRmArgs) -> Result<ExitCode, CommandError> {
    let session = known(app, &args.change.target, "state rm", false)?;
    say_heading(&session);
    block_on(rm(&session, args))?
}

async fn rm(session: &Session<'_>, args: &StateRmArgs) -> Result<ExitCode, CommandError> {
    let site = Site::open(session, Needs::STATE).await?;
    let hold = Hold::Lock { purpose: "envc state rm", wait: !args.change.no_wait };
    let (engine, mut loaded) = Engine::open(&site, hold).await?;
    let id = &session.target.id;
    let released = loaded.state.as_mut().map(|state| state.release(&args.address));
    let released = released.filter(|it| !it.is_empty());
    let Some(released) = released else {
        let all = loaded.state.as_ref().map(addresses).unwrap_or_default();
        return Err(engine.unknown_address(&args.address, "on record", &all));
    };
    for (address, recorded) in &released {
        let what = recorded.as_ref().map_or_else(|| "which was begun".to_owned(), place);
        session.ui.say(&format!("{address}, {what}, stays in the account"));
    }
    let question = format!("Take it out of the record of `{id}`?");
    let does = format!("takes {} out of the record of `{id}`", args.address);
    if !args.change.yes && !session.ui.confirm(&site.stop, &question, &does).await? {
        return Err(not_approved());
    }
    engine.save(loaded).await?;
    for address in released.keys() {
        session.ui.event(&Event::Unrecorded { env: id, address: address.to_string() });
    }
    session.ui.outcome(&format!("{} is recorded no more.", args.address));
    Ok(ExitCode::Done)
}

fn place(recorded: &Recorded) -> String {
    format!("`{}` (ID {})", recorded.name, recorded.id)
}

/// All that can be taken out.
fn addresses(state: &State) -> Vec<String> {
    let begun = state.intents.iter().map(|it| &it.address);
    let all = state.resources.keys().chain(begun);
    all.collect::<std::collections::BTreeSet<&Address>>()
        .into_iter()
        .map(Address::to_string)
        .collect()
}
