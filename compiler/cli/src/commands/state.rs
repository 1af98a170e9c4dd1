//! `envc state`: what is kept of a project and its environments: the claim, and accounts that are gone.

mod forget;
mod rm;

use std::{collections::BTreeSet, rc::Rc};

use envc_exec::ports::StateStore as _;
use envc_plan::{State, StateKey};

use super::shared::not_approved;
use crate::{
    host::{
        error::CommandError,
        exit_code::ExitCode,
        file_lock::{Attempt, Holder, Lock},
        interrupt::Interrupt,
    },
    operate::claim::{Claimant, Claims, Made, Office, list_standing, not_listed},
    remote::connection::Connection,
    shell::{
        app::{App, block_on},
        args::{StateClaimArgs, StateVerb},
        events::{Event, Released},
        reporter::Reporter,
    },
    state::{HeldStore as _, local::LocalStore},
    workspace::{
        Project, Workspace, choice::CloudName, project::SpecFile, registry::Belongs,
        target::cloud_of_project,
    },
};

pub(super) fn run(app: &App, verb: &StateVerb) -> Result<ExitCode, CommandError> {
    match verb {
        StateVerb::Claim(args) => run_claim(app, args),
        StateVerb::Forget(args) => forget::run(app, args),
        StateVerb::Rm(args) => rm::run(app, args),
    }
}

fn run_claim(app: &App, args: &StateClaimArgs) -> Result<ExitCode, CommandError> {
    let file = SpecFile::find(&app.cwd, app.common.chdir.as_deref(), &app.env)?;
    let spec = Rc::new(file.load(&app.ui)?);
    let workspace = Workspace::open(&app.ui, &app.env, file, spec)?;
    let cloud = cloud_of_project(&workspace, args.cloud.as_deref())?;
    block_on(async {
        let (stop, reporter) = (Interrupt::listen(), Reporter::new(workspace.ui));
        let connection = Connection::open(&workspace, &cloud).await?;
        let client = connection.client(&workspace, &reporter, stop.flag());
        let scope = connection.account(&client).await?;
        let cloud = cloud.value;
        let office = Office { workspace: &workspace, cloud, client: &client, scope: &scope };
        match &args.release {
            Some(whose) => release(&office, &stop, args, whose.as_deref()).await,
            None => claim(&office, &stop, args).await,
        }
    })?
}

/// Shows the claim, and makes it where there is none.
async fn claim(
    office: &Office<'_>,
    stop: &Interrupt,
    args: &StateClaimArgs,
) -> Result<ExitCode, CommandError> {
    let workspace = office.workspace;
    let claims = match workspace.belongs() {
        Belongs::Moved { was } => take_along(office, stop, args, &was).await?,
        Belongs::Same | Belongs::Gained { .. } => office.look().await?,
    };
    carry_states(workspace).await?;
    if !claims.are_ours() {
        claims.refuse_others(workspace)?;
        approve_standing(office, stop, args).await?;
    }
    let made = office.make(&claims).await?;
    let Workspace { project: Project { name: project, repository, .. }, ui, .. } = workspace;
    let account = &office.scope.id;
    ui.event(&Event::Claim { project, repository, account, made: made != Made::Known });
    ui.result(&format!("{repository} claims the project `{project}` {}.", place(office)));
    Ok(ExitCode::Done)
}

/// Asks about what the claim covers of what stands there already, as far as it can be listed:
/// nothing proves that this repository made it.
async fn approve_standing(
    office: &Office<'_>,
    stop: &Interrupt,
    args: &StateClaimArgs,
) -> Result<(), CommandError> {
    let Workspace { project: Project { name: project, repository, .. }, ui, .. } = office.workspace;
    let (standing, unlisted) = list_standing(office, &BTreeSet::new()).await;
    if !unlisted.is_empty() {
        ui.warn(&not_listed(&unlisted));
    }
    if standing.is_empty() {
        return Ok(());
    }
    ui.say(&format!(
        "under names of pull requests of `{project}` there stands already, and is {repository}'s \
         by the claim:"
    ));
    standing.lines().iter().for_each(|line| ui.say(&format!("  {line}")));
    if office.cloud == CloudName::Cloudflare && !args.yes {
        let question = format!("Did {repository} make all of it?");
        let does = format!("claims it {}, for `envc destroy` to delete", place(office));
        if !ui.confirm(stop, &question, &does).await? {
            return Err(not_approved());
        }
    }
    Ok(())
}

/// The folder was another repository's, and its owner says that this one goes on with all of it.
async fn take_along(
    office: &Office<'_>,
    stop: &Interrupt,
    args: &StateClaimArgs,
    was: &str,
) -> Result<Claims, CommandError> {
    let workspace = office.workspace;
    let now = &workspace.project.repository;
    let does = format!(
        "takes along for {now} what was made from this folder for {was}, and its claim {}",
        place(office)
    );
    if !args.yes {
        let question = format!("Is {now} what {was} was?");
        if !workspace.ui.confirm(stop, &question, &does).await? {
            return Err(not_approved());
        }
    }
    workspace.take_along()?;
    workspace.ui.say(&format!("what was made from this folder for {was} goes along"));
    office.look().await
}

/// Writes into the states on this machine of what was made from this folder whose they are by now:
/// another clone of the repository goes on with them, and one of what it was does not. What cannot
/// be written now is told, and is written by the next apply from here, or by this command.
async fn carry_states(workspace: &Workspace<'_>) -> Result<(), CommandError> {
    let made_here: BTreeSet<String> = workspace.record().environments.keys().cloned().collect();
    for key in LocalStore::list(&workspace.state_dir, &workspace.project.name)? {
        if made_here.contains(&key.env)
            && let Err(error) = carry_state(workspace, key).await
        {
            workspace.ui.caution(&error);
        }
    }
    Ok(())
}

async fn carry_state(workspace: &Workspace<'_>, key: StateKey) -> Result<(), CommandError> {
    let names_former =
        |state: &State| state.repository.as_ref().is_some_and(|it| workspace.was(it));
    let load = async |store: &LocalStore| {
        let loaded = store.load().await.map_err(|error| store.explain(&error))?;
        Ok::<_, CommandError>(loaded.filter(|(state, _)| names_former(state)))
    };
    // Most need nothing, and then nobody has to be waited for.
    if load(&LocalStore::read_only(&workspace.state_dir, key.clone())).await?.is_none() {
        return Ok(());
    }
    let path = LocalStore::lock_path(&workspace.state_dir, &key)?;
    let me = Holder::me("envc state claim", workspace.clock.unix_s());
    let id = key.env.clone();
    let lock = match Lock::try_acquire(&path, &me)? {
        Attempt::Held(lock) => lock,
        Attempt::Busy(holder) => {
            return Err(CommandError::failed(format!(
                "the record of `{id}` still names what this repository was: {holder} works on it"
            ))
            .hint("run the command again once that is done; an apply from here does it, too"));
        }
    };
    let store = LocalStore::locked(&workspace.state_dir, key, lock);
    let Some((mut state, version)) = load(&store).await? else { return Ok(()) };
    state.repository = Some(workspace.project.repository.clone());
    state.serial += 1;
    store.save(&state, Some(&version)).await.map_err(|error| store.explain(&error))?;
    Ok(())
}

/// Releases this repository's claim, or the one that is named.
async fn release(
    office: &Office<'_>,
    stop: &Interrupt,
    args: &StateClaimArgs,
    whose: Option<&str>,
) -> Result<ExitCode, CommandError> {
    let workspace = office.workspace;
    let Workspace { project: Project { name: project, .. }, ui, .. } = workspace;
    let claims = office.look().await?;
    let named = whose.unwrap_or(&workspace.project.repository);
    let claimant = Claimant { repository: named, ..Claimant::of(workspace) };
    let own = claims.by(claimant);
    let Some(by) = own.first().map(|claim| claim.by.clone()) else {
        let all: Vec<&str> = claims.all().map(|claim| claim.by.as_str()).collect();
        if all.is_empty() {
            let released = Released::Project { project, repository: None, released: false };
            ui.event(&Event::Released(released));
            ui.outcome(&format!("Nobody claims the project `{project}` {}.", place(office)));
            return Ok(ExitCode::Done);
        }
        return Err(CommandError::failed(format!(
            "{named} does not claim the project `{project}`"
        ))
        .because_text(format!("it is claimed by {}", all.join(" and ")))
        .hint(format!("release that: envc state claim --release \"{}\"", all.join("\" or \"")))
        .code("envc::cli::another_repository"));
    };
    if office.cloud == CloudName::Cloudflare && !args.yes {
        let question = format!("Release the project `{project}`, which {by} claims?");
        let does = format!("releases the claim of {by} {}", place(office));
        if !ui.confirm(stop, &question, &does).await? {
            return Err(not_approved());
        }
    }
    for claim in own {
        office.release(&claim.id).await?;
    }
    let released = Released::Project { project, repository: Some(&by), released: true };
    ui.event(&Event::Released(released));
    ui.outcome(&format!(
        "Released the project `{project}` {}: {by} claimed it. Names of pull requests' \
         environments prove nothing there until it is claimed again.",
        place(office)
    ));
    Ok(ExitCode::Done)
}

fn place(office: &Office<'_>) -> String {
    match office.cloud {
        CloudName::Local => "on the local cloud".to_owned(),
        CloudName::Cloudflare => format!("in the account {}", office.scope.id),
    }
}
