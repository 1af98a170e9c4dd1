//! All of an apply up to its first change, which `envc plan` does as well.
//!
//! Invariant: whatever an apply refuses is noted here, where a plan passes, too. An apply stops with
//! what was noted, and a plan tells it; so neither has a refusal that the other lacks. What comes to an
//! end before, because no plan can be made at all (a spec with mistakes, no cloud, an API that does not
//! answer), is the same error of both.

use std::collections::BTreeSet;

use envc_core::{Address, Vault};
use envc_exec::{LeaseAnswers, LeaseQuestion};
use envc_plan::{Goal, LossyFile, Plan};

use super::{
    losses,
    shared::{refuse_later, refuse_renamed, stand_ins},
};
use crate::{
    host::error::CommandError,
    operate::{
        Refusals, claim,
        engine::{Drafted, Engine, Loaded, PlanRequest},
    },
    outputs::{
        bundle::{self, Uploads},
        files::RenderedFile,
        generated::{self, Writing},
        out_dir::OutDir,
        outside, readers,
        sources::Sources,
    },
    remote::pools,
    workspace::{
        migrations::{self, Databases, Migrations, Seeds},
        session::Session,
        tools::{self, Runs},
    },
};

/// What is there before a cloud is asked: values from outside the spec, templates, bundles, migrations.
pub(super) struct Outside {
    /// The texts of what is sealed.
    pub(super) vault: Vault,
    /// What files are made from; none where that is refused.
    pub(super) sources: Option<Sources>,
    /// What is uploaded.
    pub(super) uploads: Uploads,
    /// The migrations that this apply may run.
    pub(super) migrations: Migrations,
    /// The rows that databases begin with.
    pub(super) seeds: Seeds,
    /// The values that are not there, by name.
    pub(super) missing: BTreeSet<String>,
}

impl Outside {
    /// Looks at all of it, for files that go to the spec's folder or to another one, and completes the
    /// session's resources with it. No call is made but for
    /// secrets.
    pub(super) async fn look(
        session: &mut Session<'_>,
        out_dir: Option<&OutDir>,
        refusals: &mut Refusals,
    ) -> Result<Self, CommandError> {
        refusals.note(refuse_later(session))?;
        refusals.note(claim::refuse_nobody(session))?;
        let (inputs, missing) = outside::look_up(session).await?;
        let (vault, unfit) = outside::put_in(session, &inputs);
        refusals.note(outside::refuse(&missing, &unfit))?;
        let sources =
            refusals.note(Sources::read(session, inputs, !missing.is_empty(), out_dir))?;
        let (uploads, refused) = bundle::read(session);
        refusals.extend(refused);
        let reading = session.reading();
        let migrations = migrations::read(&reading, &session.environment, Databases::Managed);
        let seeds = migrations::read_seeds(&reading, &session.environment);
        Ok(Self {
            vault,
            sources,
            uploads,
            migrations: refusals.note(migrations)?.unwrap_or_default(),
            seeds: refusals.note(seeds)?.unwrap_or_default(),
            missing: missing.names().map(str::to_owned).collect(),
        })
    }
}

/// What the user asks of an apply.
pub(super) struct Asked<'r> {
    /// What to take over, though nothing proves it.
    pub(super) adopt: &'r [Address],
    /// What is made anew, whatever differs.
    pub(super) replace: &'r BTreeSet<Address>,
    /// What may be deleted or replaced, though it is protected.
    pub(super) unprotect: &'r BTreeSet<Address>,
    /// The migrations that may lose rows, though it is protected.
    pub(super) allow_loss: &'r BTreeSet<LossyFile>,
    /// Where files go; none where they are not written.
    pub(super) writing: Option<&'r Writing>,
    /// What the pools are asked: an apply renews leases.
    pub(super) leases: LeaseQuestion,
    /// Which programs are run: an apply asks tools for their versions.
    pub(super) runs: Runs,
}

/// What would be done, or will be.
pub(super) struct Draft {
    /// The plan.
    pub(super) plan: Plan,
    /// It can be run, where nothing else is refused; else it is told as far as that can be.
    pub(super) is_whole: bool,
    /// What the pools said.
    pub(super) leases: LeaseAnswers,
    /// The files, with stand-ins for what is known after the apply; none where they are not written, or
    /// not known.
    pub(super) files: Option<Vec<RenderedFile>>,
}

/// Looks at what is there, and drafts the plan.
pub(super) async fn draft(
    engine: &mut Engine<'_, '_>,
    loaded: &Loaded,
    (session, outside): (&Session<'_>, &Outside),
    asked: &Asked<'_>,
    refusals: &mut Refusals,
) -> Result<Draft, CommandError> {
    refusals.note(engine.demand_registry())?;
    let has_pools = refusals.note(engine.demand_pools())?.is_some();
    engine.migrates_as_the_spec_says();
    engine.adopt(asked.adopt, loaded.state.as_ref())?;
    engine.replace(asked.replace)?;
    engine.unprotect(asked.unprotect);
    engine.allow_loss(asked.allow_loss);
    let (requires, cloud) = (&session.environment.requires, session.target.cloud.value);
    // Asking tools for their versions takes as long as a round trip, so both are done at once.
    let state = loaded.state.as_ref();
    let (observed, ledgers, tools) = tokio::join!(
        async {
            if has_pools {
                return engine.observe_with_leases(state, asked.leases).await;
            }
            Ok((engine.observe(state).await?, LeaseAnswers::default()))
        },
        engine.known_ledgers(state, &outside.migrations),
        tools::check(requires, cloud, asked.runs, (session.workspace.root(), session.env))
    );
    for line in refusals.note(tools)?.unwrap_or_default() {
        session.ui.say(&line);
    }
    let (mut observation, leases) = observed?;
    observation.ledgers = ledgers?;
    refusals.note(engine.check_leases(&leases.renewed))?;
    let request = PlanRequest {
        goal: Goal::Apply,
        observation: &observation,
        keep: &BTreeSet::new(),
        migrations: &outside.migrations,
        seeds: &outside.seeds,
    };
    let Drafted { mut plan, is_whole } = engine.draft(loaded, &request, refusals).await?;
    plan.veils = outside.vault.veils().clone();
    refusals.note(refuse_renamed(&plan))?;
    refusals.note(losses::refuse(session, "apply", &plan))?;
    let mut files = None;
    if let (Some(writing), Some(sources)) = (asked.writing, &outside.sources) {
        let known = pools::facts(session, &leases.renewed, loaded.state.as_ref());
        let rendered = sources.render(session, &stand_ins(session, sources, &plan, known));
        // With stand-ins for values from outside a template may fail that will not.
        files = if sources.is_incomplete() { rendered.ok() } else { refusals.note(rendered)? };
        let is_final =
            refusals.is_empty() && plan.steps.is_empty() && !sources.needs_secrets_of_the_cloud();
        let looked = files.iter();
        refusals.extend(looked.flat_map(|it| generated::precheck(session, it, is_final, writing)));
        let looked = files.iter();
        refusals.extend(looked.flat_map(|it| readers::look(session, it, writing)));
        files = files.filter(|_| !sources.is_incomplete());
    }
    Ok(Draft { plan, is_whole, leases, files })
}
