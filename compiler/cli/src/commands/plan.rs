//! `envc plan`: what apply would do, and why; nothing is changed.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::counted;
use envc_exec::LeaseQuestion;
use envc_plan::Goal;

use super::shared::{
    opened_anew, refuse_renamed, say_pending, say_warnings, selection_of, show_plan, stand_ins,
};
use crate::{
    host::{error::CommandError, exit_code::ExitCode, fsio},
    operate::{
        claim,
        engine::{Engine, PlanRequest},
        site::{Needs, Site},
    },
    outputs::{
        bundle,
        generated::{self, Outlook, Writing},
        outside::{self, Missing, Unfit},
        sources::Sources,
    },
    remote::pools::{self, LeaseFacts},
    shell::{
        app::{App, block_on},
        args::PlanArgs,
        events::Event,
    },
    state::Hold,
    workspace::{
        choice::OnNewId,
        migrations::{self, Databases, Migrations, Seeds},
        project::SpecFile,
        session::Session,
    },
};

pub(super) fn run(app: &App, args: &PlanArgs) -> Result<ExitCode, CommandError> {
    let mut selection = selection_of(&args.target);
    selection.adopt = args.adopt.iter().cloned().collect();
    opened_anew(|| {
        let file = SpecFile::find(&app.cwd, app.common.chdir.as_deref())?;
        let session = Session::open(&app.ui, &app.env, file, &selection, OnNewId::Mint)?;
        let Some(mut session) = session else {
            return Err(CommandError::failed("BUG: no ID was minted"));
        };
        session.ui.say(&session.heading());
        say_warnings(&session);
        claim::refuse_nobody(&session)?;
        block_on(async {
            let (inputs, missing) = outside::look_up(&session).await?;
            if !missing.is_empty() {
                session.ui.warn(&format!("apply will refuse: {}", missing.message()));
            }
            let (_vault, unfit) = outside::put_in(&mut session, &inputs);
            for line in unfit.lines() {
                session.ui.warn(&format!("apply will refuse: {line}"));
            }
            let sources = Sources::read(&session, inputs)?;
            bundle::read(&mut session)?;
            plan(app, &session, args, (&sources, &missing, &unfit)).await
        })?
    })
}

async fn plan(
    app: &App,
    session: &Session<'_>,
    args: &PlanArgs,
    (sources, missing, unfit): (&Sources, &Missing, &Unfit),
) -> Result<Option<ExitCode>, CommandError> {
    // Files are not told where something that they hold is not known.
    let sources = missing.is_empty().then_some(sources);
    let (migrations, seeds) = read(session)?;
    if !session.record_environment()? {
        return Ok(None);
    }
    let site = Site::open(session, Needs::POOLS).await?;
    let (mut engine, loaded) = Engine::open(&site, Hold::Read).await?;
    engine.only_looks();
    engine.migrates_as_the_spec_says();
    engine.adopt(&args.adopt, loaded.state.as_ref())?;
    engine.replace(&args.replace.iter().cloned().collect())?;
    let state = loaded.state.as_ref();
    let (observed, ledgers) = futures::join!(
        engine.observe_with_leases(state, LeaseQuestion::Look),
        engine.known_ledgers(state, &migrations)
    );
    let (mut observation, leases) = observed?;
    observation.ledgers = ledgers?;
    let known = pools::facts(session, &leases.renewed, loaded.state.as_ref());
    let request = PlanRequest {
        goal: Goal::Apply,
        observation: &observation,
        keep: &BTreeSet::new(),
        migrations: &migrations,
        seeds: &seeds,
    };
    let plan = engine.plan(&loaded, &request).await?;
    let plan = plan.plan();
    for later in &session.environment.unsupported {
        session.ui.warn(&format!("apply will refuse: {} cannot be done yet", later.what));
    }
    if let Err(refusal) = refuse_renamed(plan) {
        let message = format!("apply will refuse: {}", refusal.message);
        session.ui.caution(&CommandError { message, ..refusal });
    }
    show_plan(session.ui, plan, true)?;
    say_pending(session, plan);
    let claims = says_claim(&engine, session);
    let files = match sources {
        Some(sources) => files_of(session, sources, plan, known)?,
        None => Outlook::default(),
    };
    tell_files(session, &files);
    let budget = engine.client.budget();
    session.ui.event(&Event::Budget { sent: budget.sent, left: budget.left });
    if let Some(left) = budget.left {
        session.ui.detail(&format!(
            "this plan took {}; the rate limit has {left} left in its window",
            counted(budget.sent, "request")
        ));
    }
    if let Some(path) = &args.out {
        unfit.refuse()?;
        refuse_unknown(plan, missing)?;
        let path = app.cwd.join(path);
        let bytes = plan.to_bytes().map_err(|error| {
            CommandError::failed("the plan cannot be written").because_text(error)
        })?;
        fsio::write_atomic(&path, &bytes, fsio::PRIVATE)?;
        session.ui.say(&format!(
            "wrote {}; do exactly this with: envc apply --plan {}",
            path.display(),
            path.display()
        ));
    }
    let changes = !plan.is_empty() || !files.is_empty() || claims;
    let says = changes && args.detailed_exitcode;
    Ok(Some(if says { ExitCode::Changes } else { ExitCode::Done }))
}

/// The migrations and the seeds of the environment's databases.
fn read(session: &Session<'_>) -> Result<(Migrations, Seeds), CommandError> {
    let (root, environment) = (session.workspace.root(), &session.environment);
    let migrations = migrations::read(root, environment, Databases::Managed)?;
    Ok((migrations, migrations::read_seeds(root, environment)?))
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
fn refuse_unknown(plan: &envc_plan::Plan, missing: &Missing) -> Result<(), CommandError> {
    let mut unknown: BTreeSet<&str> = plan.unknown();
    unknown.extend(missing.names());
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

/// What apply would do to files.
fn files_of(
    session: &Session<'_>,
    sources: &Sources,
    plan: &envc_plan::Plan,
    leases: BTreeMap<String, LeaseFacts>,
) -> Result<Outlook, CommandError> {
    if session.bound_elsewhere().is_some() {
        return Ok(Outlook::default());
    }
    let files = sources.render(session, &stand_ins(session, sources, plan, leases))?;
    let is_final = plan.steps.is_empty() && !sources.needs_secrets_of_the_cloud();
    Ok(generated::outlook(session, &files, is_final, &Writing::default()))
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
    if let Some(refusal) = &files.refusal {
        let message = format!("apply will refuse: {}", refusal.message);
        session.ui.caution(&CommandError { message, ..refusal.clone() });
    }
}
