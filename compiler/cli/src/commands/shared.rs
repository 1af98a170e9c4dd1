//! What several commands do alike.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    rc::Rc,
};

use envc_core::{Address, Diagnostics, Severity, counted};
use envc_plan::{
    Action, Change, LeaseWork, Palette, Plan, RenderOptions, Work, needs_approval, render_draft,
    render_plan, render_refused, render_summary, wrangler_path,
};

use envc_kinds::{Deploy, Worker};

use envc_report::{
    look::{Looked, Migrations, look},
    render,
};

use envc_spec::lint::{Day, codes};

use crate::{
    host::{clock::SystemClock, env::ProcessEnv, error::CommandError, exit_code::ExitCode},
    operate::{
        account,
        left_behind::{left_behind, tell_left_behind},
    },
    outputs::sources::{Resources, Sources},
    remote::{connection::known_account, pools::LeaseFacts},
    shell::{
        app::{App, block_on},
        args::TargetArgs,
        events::{Event, PlanDocument},
        ui::Ui,
    },
    workspace::{
        Workspace,
        choice::{CloudName, OnNewId, Selection},
        project::SpecFile,
        registry::AppliedTo,
        session::Session,
        target::choose_head,
    },
};

/// Times that a session is opened before the command gives up.
pub(super) const OPENINGS_MAX: u32 = 20;

/// The day of the clock, in UTC.
pub(super) fn today(env: &ProcessEnv) -> Option<Day> {
    let seconds = i64::try_from(SystemClock::new(env).unix_s()).ok()?;
    let time = jiff::Timestamp::from_second(seconds).ok()?;
    Day::parse(&time.to_zoned(jiff::tz::TimeZone::UTC).date().to_string())
}

/// Opens a session on the environment that the command line names, or that this folder made. One
/// that was never made is an error. `looks`: nothing will be changed.
pub(super) fn known<'a>(
    app: &'a App,
    target: &TargetArgs,
    verb: &str,
    looks: bool,
) -> Result<Session<'a>, CommandError> {
    let file = SpecFile::find(&app.cwd, app.common.chdir.as_deref(), &app.env)?;
    let selection = Selection { looks, ..selection_of(target) };
    if let Some(session) = Session::open(&app.ui, &app.env, file, &selection, OnNewId::Absent)? {
        return Ok(session);
    }
    let NothingMade { why, others, env_type } = nothing_made(app, target, verb)?;
    let error = CommandError::new(ExitCode::UnknownEnvironment, why);
    let error = others.into_iter().fold(error, CommandError::hint);
    let make = format!("make it: envc apply {env_type}");
    Err(error.hint(make).code("envc::cli::nothing_known"))
}

/// Why there is no environment of the type that is meant.
pub(super) struct NothingMade {
    /// A sentence.
    pub(super) why: String,
    /// What else is recorded, with the command for each.
    pub(super) others: Vec<String>,
    /// The type.
    pub(super) env_type: String,
}

/// Looks for what is recorded where this folder has no environment of the type that is meant.
///
/// Invariant: that the folder has none is said only where nothing is recorded, on no cloud, and for no
/// project.
pub(super) fn nothing_made(
    app: &App,
    target: &TargetArgs,
    verb: &str,
) -> Result<NothingMade, CommandError> {
    let file = SpecFile::find(&app.cwd, app.common.chdir.as_deref(), &app.env)?;
    let spec = Rc::new(file.load(&app.ui)?);
    let workspace = Workspace::open(&app.ui, &app.env, file, Rc::clone(&spec))?;
    let env_type = choose_head(&workspace, &spec, &selection_of(target))?.value.name.clone();
    let mut others = Vec::new();
    let mut tell = |id: &str, env_type: &str, there: &AppliedTo| {
        others.push(format!(
            "`{id}` (type {env_type}) is recorded {}: envc {verb} --id {id} --cloud {}",
            account::place(there),
            there.cloud
        ));
    };
    // What the spec does not lead to is told with the way to it.
    let left = left_behind(&workspace)?;
    for (id, record) in &workspace.record().environments {
        if left.iter().any(|it| it.id.as_ref() == Some(id)) {
            continue;
        }
        record.all_applied().iter().for_each(|there| tell(id, &record.env_type, there));
    }
    for (id, env_type, there) in block_on(account::states_without_folder(&workspace))?? {
        tell(&id, &env_type, &there);
    }
    others.extend(left.into_iter().map(|it| it.told));
    let why = if others.is_empty() {
        "this folder has no environment (none was made from it, or all were destroyed)".to_owned()
    } else {
        format!("no environment of type `{env_type}` was made from this folder")
    };
    Ok(NothingMade { why, others, env_type })
}

/// Says what is worked on, where the account is known without asking; else it is said once it is
/// found.
pub(super) fn say_heading(session: &Session<'_>) {
    let account = known_account(&session.workspace);
    if account.is_some() || session.target.cloud.value == CloudName::Local {
        session.say_heading(account.as_deref());
    }
}

/// What an apply and its plan say first: the heading, what else was made from the folder, the spec's
/// warnings.
///
/// Invariant: once in a run, and with no ID that is then given up: one that was drawn is said when it is
/// recorded.
#[derive(Debug, Default)]
pub(super) struct Opening(bool);

impl Opening {
    /// Says it where the ID is settled.
    pub(super) fn say_if_settled(&mut self, session: &Session<'_>) -> Result<(), CommandError> {
        if session.is_settled() { self.say(session) } else { Ok(()) }
    }

    /// Says it where that was not done yet: the environment is recorded, or the command ends before it
    /// is and the heading has no ID.
    pub(super) fn say(&mut self, session: &Session<'_>) -> Result<(), CommandError> {
        if !std::mem::replace(&mut self.0, true) {
            say_heading(session);
            tell_left_behind(session)?;
            say_warnings(session);
        }
        Ok(())
    }

    /// Says it before an error that ends the command.
    pub(super) fn before<T>(
        &mut self,
        session: &Session<'_>,
        ended: Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        if ended.is_err() {
            self.say(session)?;
        }
        ended
    }
}

/// The selection of the command line.
pub(super) fn selection_of(target: &TargetArgs) -> Selection {
    Selection {
        env_type: target.env_type.clone(),
        pr: target.pr,
        id: target.id.clone(),
        cloud: target.cloud.clone(),
        ..Selection::default()
    }
}

/// Runs a command until it found its environment: `None` asks for one more time, because another
/// process was quicker to give the folder an ID or to take a port.
pub(super) fn opened_anew(
    mut once: impl FnMut() -> Result<Option<ExitCode>, CommandError>,
) -> Result<ExitCode, CommandError> {
    for _ in 0..OPENINGS_MAX {
        if let Some(exit) = once()? {
            return Ok(exit);
        }
    }
    Err(busy())
}

/// The error of a session that other processes kept from being opened.
pub(super) fn busy() -> CommandError {
    CommandError::new(
        ExitCode::TryAgain,
        "other commands keep giving environments of this machine IDs and ports",
    )
    .hint("run the command again")
    .code("envc::cli::busy")
}

/// Says the spec's warnings, each in a line and once for all types; `envc check` shows them whole.
/// What is wrong with the files of other types is no business of this one's.
fn say_warnings(session: &Session<'_>) {
    let Some(spec) = &session.workspace.spec else { return };
    let (file, today) = (&session.workspace.file, today(session.env));
    let Looked { found, samples: _ } = look(file, spec, today, Migrations::Listed);
    let mut warnings = Diagnostics::new();
    for one in found.into_sorted() {
        // Of files whoever writes them tells it.
        let elsewhere = [codes::OUTRANKED_FILE, codes::EXPANDED_DOLLAR];
        if one.severity == Severity::Warning && !elsewhere.contains(&one.code) {
            warnings.push(one);
        }
    }
    if session.ui.is_json() {
        for one in render::located(warnings, session.workspace.file.source()) {
            session.ui.event(&Event::Diagnostic((&one).into()));
        }
        return;
    }
    for line in render::lines(warnings, session.workspace.file.source()) {
        session.ui.warn(&line);
    }
}

/// What the spec asks for and this envc cannot do is an error, never skipped in silence.
pub(super) fn refuse_later(session: &Session<'_>) -> Result<(), CommandError> {
    let later = &session.environment.unsupported;
    if later.is_empty() {
        return Ok(());
    }
    let what: Vec<&str> = later.iter().map(|later| later.what.as_str()).collect();
    Err(CommandError::failed(format!(
        "this envc cannot do all that type `{}` asks for: {}",
        session.target.head.name,
        what.join(", ")
    ))
    .hint("nothing was changed; remove it from environment.kdl, or move it into another type")
    .code("envc::cli::not_there_yet"))
}

/// Shows a plan: on standard error while applying, so that standard output holds the result.
pub(super) fn show_plan(ui: &Ui, plan: &Plan, as_result: bool) -> Result<(), CommandError> {
    show(ui, plan, as_result, render_plan)
}

/// What a plan that will not be run by this command can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// All of it.
    Whole,
    /// All of it, and it cannot be run: something besides it is refused.
    Refused,
    /// The beginning: it cannot be made.
    Draft,
}

/// Shows a plan that will not be run, as a result.
pub(super) fn show_drafted(ui: &Ui, plan: &Plan, told: Told) -> Result<(), CommandError> {
    let render = match told {
        Told::Whole => render_plan,
        Told::Refused => render_refused,
        Told::Draft => render_draft,
    };
    show(ui, plan, true, render)
}

fn show(
    ui: &Ui,
    plan: &Plan,
    as_result: bool,
    render: fn(&Plan, &Palette, RenderOptions) -> String,
) -> Result<(), CommandError> {
    let color = if as_result { ui.out_style().color } else { ui.err_style().color };
    let palette = if color { Palette::ansi() } else { Palette::plain() };
    let text = render(plan, &palette, RenderOptions { verbose: ui.is_verbose() });
    tell_programs(ui, plan)?;
    if as_result {
        ui.result_painted(text.trim_end());
    } else {
        ui.say_painted(text.trim_end());
    }
    Ok(())
}

/// The plan as an event.
fn tell_programs(ui: &Ui, plan: &Plan) -> Result<(), CommandError> {
    let document = PlanDocument::of(plan).map_err(|error| {
        CommandError::failed("BUG: the plan cannot be written as JSON; nothing was changed")
            .because_text(error)
    })?;
    ui.event(&Event::Plan(document));
    Ok(())
}

/// Says how much a plan will do. Each step is told as it is done, so that a plan which nobody has
/// to approve needs no more, unless it changes what is there.
pub(super) fn show_summary(ui: &Ui, plan: &Plan) -> Result<(), CommandError> {
    let is_short = plan.notes.is_empty()
        && plan.migrations.values().all(|standing| standing.risks.is_empty())
        && plan.changes.iter().all(|change| match change.action {
            Action::Create => change.reason.is_empty(),
            Action::Keep => change.drift.is_empty(),
            Action::Adopt
            | Action::Update
            | Action::ReplaceCreateFirst
            | Action::ReplaceDeleteFirst
            | Action::Delete
            | Action::Forget
            | Action::Wait => false,
        });
    if !is_short || ui.is_verbose() {
        return show_plan(ui, plan, false);
    }
    say_summary(ui, plan)
}

/// Says how much a plan will do, and not what.
pub(super) fn say_summary(ui: &Ui, plan: &Plan) -> Result<(), CommandError> {
    let palette = if ui.err_style().color { Palette::ansi() } else { Palette::plain() };
    tell_programs(ui, plan)?;
    ui.say_painted(&render_summary(plan, &palette));
    Ok(())
}

/// The physical names that a plan found or will make.
pub(super) fn names_of(plan: &Plan) -> BTreeMap<Address, String> {
    plan.changes
        .iter()
        .filter(|change| !change.deposed)
        .map(|change| (change.address.clone(), change.name.clone()))
        .collect()
}

/// What is known of resources before a plan is applied, with stand-ins for what is not.
pub(super) fn stand_ins(
    session: &Session<'_>,
    sources: &Sources,
    plan: &Plan,
    leases: BTreeMap<String, LeaseFacts>,
) -> Resources {
    let mut ids = BTreeMap::new();
    for address in session.environment.resources.keys() {
        ids.insert(address.clone(), format!("known-after-apply-{address}"));
    }
    for change in &plan.changes {
        if let Some(id) = change.staying_id() {
            ids.insert(change.address.clone(), id.to_owned());
        }
    }
    let mut known = Resources { ids, names: names_of(plan), tokens: BTreeMap::new(), leases };
    for step in &plan.steps {
        let Work::Lease(LeaseWork { names, .. }) = &step.work else { continue };
        for name in names {
            if let Some(lease) = session.environment.leases.get(name) {
                known.leases.insert(name.clone(), LeaseFacts::later(name, lease));
            }
        }
    }
    sources.with_stand_ins(&known)
}

/// Says which migrations are pending that an apply does not run: they are by hand, or of an existing
/// database.
pub(super) fn say_pending(session: &Session<'_>, plan: &Plan) {
    for (address, files) in plan.left_pending() {
        session.ui.warn(&format!(
            "{} of {address} {} pending: {}",
            counted(files.len(), "migration"),
            if files.len() == 1 { "is" } else { "are" },
            session.command("migrate apply")
        ));
    }
}

/// Says the notes of a plan that is not shown.
pub(super) fn warn_notes(ui: &Ui, plan: &Plan) {
    for note in &plan.notes {
        ui.warn(note);
    }
}

/// Refuses to run a migration that was renamed after it was applied: it would meet its own tables.
pub(super) fn refuse_renamed(plan: &Plan) -> Result<(), CommandError> {
    let run = plan.migrations.iter().filter(|(_, standing)| standing.runs);
    let renamed: Vec<String> = run
        .flat_map(|(address, it)| it.renames().map(move |it| format!("{address}: {it}")))
        .collect();
    let error = match renamed.as_slice() {
        [] => return Ok(()),
        [one] => CommandError::failed(format!("{one}; nothing was changed")),
        many => many.iter().fold(
            CommandError::failed(format!(
                "{} migrations were renamed after they were applied; nothing was changed",
                many.len()
            )),
            CommandError::because_text,
        ),
    };
    Err(error
        .hint("where such a file is to run nevertheless, change it: a comment is enough")
        .code("envc::cli::migration_renamed"))
}

/// An address that is named to be deleted or replaced and is not would give leave for nothing: it is
/// misspelt, or the plan is not the one that the user has in mind.
pub(super) fn refuse_needless(
    session: &Session<'_>,
    unprotect: &[Address],
    plan: &Plan,
) -> Result<(), CommandError> {
    let needed = &plan.basis.unprotected;
    let Some(needless) = unprotect.iter().find(|address| !needed.contains(*address)) else {
        return Ok(());
    };
    let id = &session.target.id;
    let error = if plan.basis.protected {
        let lost = plan.changes.iter().filter(|change| change.needs_leave());
        let lost: BTreeSet<String> = lost.map(|change| change.address.to_string()).collect();
        CommandError::usage(format!(
            "{needless} of `{id}` would be neither deleted nor replaced, so `--unprotect` has nothing \
             to allow; nothing was changed"
        ))
        .hint(one_of("what would be", &lost, "nothing would be deleted or replaced"))
    } else {
        CommandError::usage(format!(
            "`{id}` is not protected, so `--unprotect {needless}` has nothing to allow; nothing was \
             changed"
        ))
        .hint("leave `--unprotect` out")
    };
    Err(error.code("envc::cli::unknown_address"))
}

/// A misspelt `--allow` would approve nothing.
pub(super) fn refuse_unknown_approval(
    session: &Session<'_>,
    allow: &[Address],
    plan: &Plan,
) -> Result<(), CommandError> {
    let is_known = |address: &Address| plan.changes.iter().any(|it| it.address == *address);
    let Some(unknown) = allow.iter().find(|address| !is_known(address)) else { return Ok(()) };
    let asked = needs_approval(plan).into_iter().map(|change| change.address.to_string()).collect();
    Err(CommandError::usage(format!(
        "`{}` has no {unknown} to approve a change of; nothing was changed",
        session.target.id
    ))
    .hint(one_of("what needs approval", &asked, "nothing needs approval"))
    .code("envc::cli::unknown_address"))
}

fn one_of(what: &str, all: &BTreeSet<String>, nothing: &str) -> String {
    if all.is_empty() {
        return nothing.to_owned();
    }
    format!("{what}: {}", all.iter().cloned().collect::<Vec<_>>().join(", "))
}

/// Says which Workers wait for somebody to deploy them, where an apply only writes their
/// configurations. On the local cloud nobody has to.
pub(super) fn tell_deployed_by_wrangler(session: &Session<'_>) {
    let external = session.environment.workers.iter().filter(|it| it.deploy == Deploy::External);
    let mut has_secrets = false;
    let line = |worker: &Worker| format!("{} in {}", worker.address(), worker.path);
    let all: Vec<String> =
        external.inspect(|it| has_secrets |= !it.secrets.is_empty()).map(line).collect();
    if session.target.cloud.value == CloudName::Cloudflare && !all.is_empty() {
        session.ui.say(&format!("deployed by `wrangler deploy`, not by envc: {}", all.join(", ")));
        if has_secrets {
            session.ui.say(
                "its secrets are in .dev.vars, which a deployment takes along only when it is told: \
                 wrangler deploy --secrets-file .dev.vars",
            );
        }
    }
}

/// Says what is to be deleted and waits for a deployment, with the commands: a line for all that waits
/// for the same Workers. `folder` is where the files are, where that is not the spec's own.
pub(super) fn tell_waiting(session: &Session<'_>, plan: &Plan, folder: Option<&Path>) {
    let mut all: BTreeMap<&[Address], Vec<&Change>> = BTreeMap::new();
    for change in plan.waiting() {
        all.entry(&change.waits_for).or_default().push(change);
    }
    for (workers, waiting) in all {
        let protected = waiting.iter().filter(|_| plan.basis.protected);
        let apply = session.apply_command_with("unprotect", protected.map(|it| &it.address));
        let name =
            |it: &&Change| format!("{}{}", if it.deposed { "the old " } else { "" }, it.address);
        let waiting: Vec<String> = waiting.iter().map(name).collect();
        let (waits, them) = if waiting.len() == 1 { ("waits", "it") } else { ("wait", "them") };
        let is_one = |worker: &&Worker| workers.contains(&worker.address());
        let deploys = session.environment.workers.iter().filter(is_one).map(|worker| {
            let path = wrangler_path(worker);
            let path = folder.map_or_else(|| PathBuf::from(&path), |folder| folder.join(&path));
            format!("`wrangler deploy --config {}`", path.display())
        });
        let known: Vec<Address> = session.environment.workers.iter().map(Worker::address).collect();
        // What left the spec goes by its script's name.
        let left = workers.iter().filter(|worker| !known.contains(worker));
        let deletes = left.map(|worker| format!("`wrangler delete --name {}`", worker.name()));
        let deploys: Vec<String> = deploys.chain(deletes).collect();
        let are = if workers.len() == 1 { "is" } else { "are" };
        let workers: Vec<String> = workers.iter().map(ToString::to_string).collect();
        session.ui.say(&format!(
            "{} {waits} for {}, which {are} live and bound to {them}: {}, then `{apply}` deletes {them}",
            waiting.join(", "),
            workers.join(" and "),
            deploys.join(" and "),
        ));
    }
}

/// The error of a change that the user did not want.
pub(super) fn not_approved() -> CommandError {
    CommandError::failed("not approved; nothing was changed").code("envc::cli::not_approved")
}
