//! `envc plan`: what apply would do, and why; nothing is changed.

use std::{collections::BTreeSet, path::Path};

use envc_core::{counted, limits};
use envc_exec::LeaseQuestion;
use envc_plan::Plan;

use super::{
    losses,
    ready::{self, Asked, Draft, Outside},
    shared::{
        Opening, Told, opened_anew, refuse_needless, say_pending, selection_of, show_drafted,
        tell_deployed_by_wrangler, tell_waiting,
    },
};
use crate::{
    host::{error::CommandError, exit_code::ExitCode, fsio},
    operate::{
        Refusals,
        engine::{Engine, checked},
        site::{Edge, Needs, Site},
        unfollowed,
    },
    outputs::generated::{self, Outlook, Writing},
    shell::{
        app::{App, block_on},
        args::PlanArgs,
        events::Event,
    },
    state::Hold,
    workspace::{
        choice::{Moves, OnNewId},
        folder::Folder,
        project::SpecFile,
        session::Session,
        tools::Runs,
    },
};

pub(super) fn run(app: &App, args: &PlanArgs) -> Result<ExitCode, CommandError> {
    let mut selection = selection_of(&args.target);
    selection.adopt = args.adopt.iter().cloned().collect();
    if args.rebind {
        selection.moves = Moves::Anywhere;
    }
    let mut opening = Opening::default();
    opened_anew(|| {
        let file = SpecFile::find(&app.cwd, app.common.chdir.as_deref(), &app.env)?;
        let session = Session::open(&app.ui, &app.env, file, &selection, OnNewId::Mint)?;
        let Some(mut session) = session else {
            return Err(CommandError::failed("BUG: no ID was minted"));
        };
        opening.say_if_settled(&session)?;
        let mut refusals = Refusals::default();
        let telling = (&mut opening, &mut refusals);
        let planned = block_on(plan(app, &mut session, args, telling))?;
        let planned = opening.before(&session, planned);
        // Also where the plan came to an end on the way: an apply would have got no further.
        refusals.tell(session.ui, "apply");
        planned
    })
}

async fn plan(
    app: &App,
    session: &mut Session<'_>,
    args: &PlanArgs,
    (opening, refusals): (&mut Opening, &mut Refusals),
) -> Result<Option<ExitCode>, CommandError> {
    let outside = Outside::look(session, None, refusals).await?;
    let session = &*session;
    // What an apply needs: that it is not there is told. Nobody waits, and nothing is reported.
    let site = Site::open(session, Needs { edge: Edge::Registry, wait: false }).await?;
    if let Some(refusal) = unfollowed::look(&site).await? {
        opening.say(session)?;
        refusals.add(refusal);
        let says = args.detailed_exitcode;
        return Ok(Some(if says { ExitCode::Changes } else { ExitCode::Done }));
    }
    if !session.record_environment()? {
        return Ok(None);
    }
    opening.say(session)?;
    let (mut engine, loaded) = Engine::open(&site, Hold::Read).await?;
    engine.only_looks();
    engine.tell_stand_ins();
    let writing = writing(session, args.rebind, refusals)?;
    let asked = Asked {
        adopt: &args.adopt,
        replace: &args.replace.iter().cloned().collect(),
        unprotect: &args.unprotect.iter().cloned().collect(),
        allow_loss: &args.allow_loss.iter().cloned().collect(),
        writing: writing.as_ref(),
        leases: LeaseQuestion::Look,
        runs: Runs::Nothing,
    };
    let look = (session, &outside);
    let Draft { plan, is_whole, files, .. } =
        ready::draft(&mut engine, &loaded, look, &asked, refusals).await?;
    refuse_needless(session, &args.unprotect, &plan)?;
    losses::refuse_needless(session, &args.allow_loss, &plan)?;
    // Nothing that is refused is checked: it cannot be run.
    let plan = if refusals.is_empty() { checked(plan)?.plan().clone() } else { plan };
    let told = match (is_whole, refusals.is_empty()) {
        (false, _) => Told::Draft,
        (true, false) => Told::Refused,
        (true, true) => Told::Whole,
    };
    show_drafted(session.ui, &plan, told)?;
    say_pending(session, &plan);
    tell_waiting(session, &plan, None);
    // That a value is not known here is told, and is no change.
    let refused = refusals.count() > usize::from(!outside.missing.is_empty());
    let claims = !refused && says_claim(&engine, session);
    let files = files.zip(writing.as_ref());
    let files = files.map(|(files, writing)| generated::outlook(session, &files, writing));
    let files = files.unwrap_or_default();
    tell_files(session, &files);
    refusals.tell(session.ui, "apply");
    if asked.writing.is_some() && !(plan.is_empty() && files.is_empty()) {
        tell_deployed_by_wrangler(session);
    }
    tell_budget(session, &engine);
    if let Some(path) = &args.out {
        refuse_unknown(&plan, &outside.missing)?;
        refuse_to_save(refusals)?;
        save(session, &plan, (&app.cwd.join(path), args.rebind))?;
    }
    let changes = !plan.is_empty() || !files.is_empty() || claims || refused;
    let says = changes && args.detailed_exitcode;
    Ok(Some(if says { ExitCode::Changes } else { ExitCode::Done }))
}

fn tell_budget(session: &Session<'_>, engine: &Engine<'_, '_>) {
    let budget = engine.client.budget();
    session.ui.event(&Event::Budget { sent: budget.sent, left: budget.left });
    let left = budget.left.map(|left| {
        format!(
            "; {left} are left of the {} that envc allows itself in {} minutes",
            limits::RATE_OWN_CALLS_MAX,
            limits::RATE_WINDOW_MS / 60_000
        )
    });
    let sent = counted(budget.sent, "request");
    session.ui.detail(&format!("this plan took {sent}{}", left.unwrap_or_default()));
}

fn save(
    session: &Session<'_>,
    plan: &Plan,
    (path, rebind): (&Path, bool),
) -> Result<(), CommandError> {
    let bytes = plan
        .to_bytes()
        .map_err(|error| CommandError::failed("the plan cannot be written").because_text(error))?;
    fsio::write_atomic(path, &bytes, fsio::PRIVATE)?;
    session.ui.say(&format!(
        "wrote {path}; do exactly this with: envc apply{} --plan {path}",
        if rebind { " --rebind" } else { "" },
        path = path.display()
    ));
    Ok(())
}

/// A plan that an apply would refuse is no plan to hand on.
fn refuse_to_save(refusals: &Refusals) -> Result<(), CommandError> {
    if refusals.is_empty() {
        return Ok(());
    }
    let error = CommandError::failed("this plan cannot be saved: apply would refuse it");
    let error = refusals.lines().fold(error, CommandError::because_text);
    Err(error
        .hint("put right what apply will refuse, and plan again")
        .code("envc::cli::refused_plan"))
}

/// Says that apply will claim the project. False: it has nothing to claim.
fn says_claim(engine: &Engine<'_, '_>, session: &Session<'_>) -> bool {
    let claims = session.needs_claim() && !engine.holds_claim();
    if claims {
        let repository = &session.workspace.project.repository;
        session.ui.event(&Event::ClaimMissing { repository });
        session.ui.result(&format!(
            "Apply will claim the project `{}` in this account for {}.",
            session.workspace.project.name, session.workspace.project.repository
        ));
    }
    claims
}

/// A saved plan is done exactly, so it cannot leave open what it does. What files alone need counts,
/// too: apply would refuse to begin without it.
fn refuse_unknown(plan: &Plan, missing: &BTreeSet<String>) -> Result<(), CommandError> {
    let mut unknown: BTreeSet<&str> = plan.unknown();
    unknown.extend(missing.iter().map(String::as_str));
    if unknown.is_empty() {
        return Ok(());
    }
    let unknown: Vec<&str> = unknown.into_iter().collect();
    let message = format!("this plan cannot be saved: {} is not known here", unknown.join(", "));
    Err(CommandError::failed(message)
        .because_text("apply does exactly what a saved plan says, and it cannot say all of it")
        .hint("plan where the values are known, as apply needs them")
        .code("envc::cli::unknown_in_plan"))
}

/// Where an apply would write files; none where it writes none, which is told, or refuses to.
fn writing(
    session: &Session<'_>,
    rebind: bool,
    refusals: &mut Refusals,
) -> Result<Option<Writing>, CommandError> {
    let folder = session.folder(rebind);
    refusals.note(folder.admit(session))?;
    Ok(match folder {
        Folder::Bound { replaces } => {
            Some(Writing { replaces: replaces.map(|other| other.id), ..Writing::default() })
        }
        Folder::Left { .. } => {
            if let Some(why) = folder.why_left(session) {
                session.ui.say(&format!("apply writes no files: {why}"));
            }
            None
        }
        Folder::Refused { .. } => None,
    })
}

fn tell_files(session: &Session<'_>, files: &Outlook) {
    if files.is_empty() {
        return;
    }
    session.ui.event(&Event::Files { write: &files.write, remove: &files.remove });
    for (what, paths) in [("write", &files.write), ("remove", &files.remove)] {
        if !paths.is_empty() {
            session.ui.result(&format!("Files to {what}: {}", paths.join(", ")));
        }
    }
}
