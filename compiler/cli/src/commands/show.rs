//! `envc show` and `envc output`: what is recorded of the environment. No request is made, but for
//! a state that the edge keeps.

use std::{collections::BTreeMap, rc::Rc};

use envc_core::{Address, Mode, counted};
use envc_exec::ports::StateStore as _;
use envc_plan::{State, recorded_values};

use super::shared::{known, selection_of};
use crate::{
    host::{error::CommandError, exit_code::ExitCode},
    operate::{
        account, admit, engine,
        site::{Needs, Site},
    },
    outputs::out_dir,
    remote::connection::known_account,
    shell::{
        app::{App, block_on},
        args::{OutputArgs, ShowArgs, TargetArgs},
        events::{self, Event, Existing, Recorded},
    },
    state::{local::LocalStore, state_error},
    workspace::{
        Workspace,
        choice::{Choice, CloudName},
        project::SpecFile,
        session::Session,
        target::choose_head,
    },
};

pub(super) fn show(app: &App, args: &ShowArgs) -> Result<ExitCode, CommandError> {
    if args.resolved {
        return resolved(app, &args.target);
    }
    let (session, state) = open(app, &args.target, "show")?;
    if state.is_none() && !session.makes_nothing() && !is_applied(&session) {
        let why = format!("nothing is recorded of `{}` {}", session.target.id, place(&session));
        return Err(not_recorded(&session, "show", why));
    }
    let account = state.as_ref().map(|state| state.key.account.clone());
    let account = account.or_else(|| account_of(&session));
    let mut lines = vec![session.heading(account.as_deref())];
    lines.push(match &state {
        Some(state) => {
            format!(
                "account {}, {}:",
                state.key.account,
                counted(state.resources.len(), "resource")
            )
        }
        None if session.makes_nothing() => "nothing in the account is of its own making".to_owned(),
        None => format!(
            "none of its resources is recorded; `{}` looks what is there",
            session.command("plan")
        ),
    });
    let resources = state.iter().flat_map(|state| &state.resources);
    for (address, recorded) in resources {
        let id = if recorded.id == recorded.name { "" } else { &recorded.id };
        lines.push(
            format!("  {:<24} {:<48} {id}", address.to_string(), recorded.name)
                .trim_end()
                .to_owned(),
        );
    }
    let existing = existing(&session);
    lines.extend(existing.iter().map(|(address, known)| row_of_existing(address, *known)));
    for (pool, lease) in state.iter().flat_map(|state| &state.leases) {
        let id = lease.grant.as_ref().map_or("asked for, and not known yet", |grant| &grant.id);
        lines.push(format!("  {:<24} {id}", format!("lease of {pool}")));
    }
    if let Some(state) = state.as_ref().filter(|state| !state.intents.is_empty()) {
        lines.push(format!(
            "begun and not finished: {}; `envc apply` carries on:",
            counted(state.intents.len(), "action")
        ));
        lines.extend(state.intents.iter().map(|open| format!("  {} {}", open.address, open.name)));
    }
    section(&mut lines, "ports", session.environment.instance.ports.iter());
    let urls: Vec<_> =
        session.environment.endpoints.iter().map(|end| (&end.name, &end.url)).collect();
    section(&mut lines, "urls", urls.into_iter());
    let files = session.workspace.record().files.clone();
    let own: Vec<_> = files.iter().filter(|(_, file)| file.env == session.target.id).collect();
    if !own.is_empty() {
        lines.push("files:".to_owned());
        lines.extend(
            own.iter().map(|(key, file)| {
                format!("  {} ({:04o})", out_dir::shown(&session, key), file.mode)
            }),
        );
    }
    session.ui.result(&lines.join("\n"));
    let files = own.iter().map(|(key, _)| out_dir::shown(&session, key)).collect();
    tell_programs(&session, state.as_ref(), files);
    Ok(ExitCode::Done)
}

/// The same as an event.
fn tell_programs(session: &Session<'_>, state: Option<&State>, files: Vec<String>) {
    let recorded = state.into_iter().flat_map(|state| &state.resources);
    let recorded = recorded.map(|(address, recorded)| {
        (address.to_string(), Recorded { name: &recorded.name, id: &recorded.id })
    });
    let existing = existing(session).into_iter();
    session.ui.event(&Event::Environment(events::Environment {
        project: &session.workspace.project.name,
        env: &session.target.id,
        r#type: &session.target.head.name,
        cloud: session.target.cloud.value.as_str(),
        applied: state.is_some() || session.makes_nothing(),
        account: state.map(|state| state.key.account.as_str()),
        resources: recorded.collect(),
        existing: existing
            .map(|(address, (id, name))| (address.to_string(), Existing { name, id }))
            .collect(),
        ports: &session.environment.instance.ports,
        files,
    }));
}

/// `envc show --resolved`: from the spec alone.
fn resolved(app: &App, target: &TargetArgs) -> Result<ExitCode, CommandError> {
    let file = SpecFile::find(&app.cwd, app.common.chdir.as_deref())?;
    let spec = Rc::new(file.load(&app.ui)?);
    let workspace = Workspace::open(&app.ui, &app.env, file, Rc::clone(&spec))?;
    let Choice { value: head, why } = choose_head(&workspace, &spec, &selection_of(target))?;
    app.ui.detail(&format!("type {}: {why}", head.name));
    let text = spec.resolved_kdl(&head.name).ok_or_else(|| {
        CommandError::failed(format!("BUG: the type `{}` is not there", head.name))
    })?;
    app.ui.result(text.trim_end());
    app.ui.event(&Event::Resolved { r#type: &head.name, kdl: &text });
    Ok(ExitCode::Done)
}

fn section<K: std::fmt::Display, V: std::fmt::Display>(
    lines: &mut Vec<String>,
    title: &str,
    pairs: impl Iterator<Item = (K, V)>,
) {
    let rows: Vec<String> =
        pairs.map(|(name, value)| format!("  {:<24} {value}", name.to_string())).collect();
    if !rows.is_empty() {
        lines.push(format!("{title}:"));
        lines.extend(rows);
    }
}

pub(super) fn output(app: &App, args: &OutputArgs) -> Result<ExitCode, CommandError> {
    let (session, state) = open(app, &args.target, "output")?;
    if state.is_none() && !session.makes_nothing() {
        let id = &session.target.id;
        let why =
            format!("nothing is recorded of `{id}` {}, so it has no outputs", place(&session));
        return Err(not_recorded(&session, "output", why));
    }
    let values = values(&session, state.as_ref());
    match &args.only {
        None => {
            let lines: Vec<String> =
                values.iter().map(|(name, value)| format!("{name}={value}")).collect();
            session.ui.result(&lines.join("\n"));
            let values = values.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            session.ui.event(&Event::Output { values: values.collect() });
        }
        Some(name) => {
            let value = values.get(name).ok_or_else(|| {
                let names: Vec<&str> = values.keys().map(String::as_str).collect();
                CommandError::usage(format!("there is no output `{name}`"))
                    .hint(format!("there are: {}", names.join(", ")))
                    .code("envc::cli::unknown_output")
            })?;
            session.ui.result(value);
            session.ui.event(&Event::Output {
                values: BTreeMap::from([(name.as_str(), value.as_str())]),
            });
        }
    }
    Ok(ExitCode::Done)
}

/// Every output by its name in references. Never a secret: tokens are not recorded.
fn values(session: &Session<'_>, state: Option<&State>) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    values.insert("env".to_owned(), session.target.id.clone());
    values.insert("env.type".to_owned(), session.target.head.name.clone());
    for (address, (id, name)) in existing(session) {
        values.extend(id.map(|id| (format!("{address}.id"), id.to_owned())));
        values.extend(name.map(|name| (format!("{address}.name"), name.to_owned())));
    }
    for (address, recorded) in state.iter().flat_map(|state| &state.resources) {
        if recorded.parent.is_none() {
            values.insert(format!("{address}.id"), recorded.id.clone());
            values.insert(format!("{address}.name"), recorded.name.clone());
        }
    }
    for (lease, known) in recorded_values(&session.environment.leases, state) {
        for (attribute, value) in known {
            values.insert(format!("lease.{lease}.{attribute}"), value);
        }
    }
    for endpoint in &session.environment.endpoints {
        values.insert(format!("host.{}", endpoint.name), endpoint.host.clone());
        values.insert(format!("url.{}", endpoint.name), endpoint.url.clone());
    }
    for (owner, port) in &session.environment.instance.ports {
        values.insert(format!("port.{owner}"), port.to_string());
    }
    values
}

/// The identifier and the name, as far as the spec says them.
type Identified<'s> = (Option<&'s str>, Option<&'s str>);

fn row_of_existing(address: &Address, (id, name): Identified<'_>) -> String {
    let name = format!("{} (existing)", name.unwrap_or_default());
    let (address, id) = (address.to_string(), id.unwrap_or_default());
    format!("  {address:<24} {:<48} {id}", name.trim_start()).trim_end().to_owned()
}

/// What is `existing`, each by what the spec says of it: its identifier or its name. The other one is
/// told by the account alone, and nothing of it is recorded.
fn existing<'s>(session: &'s Session<'_>) -> BTreeMap<&'s Address, Identified<'s>> {
    let all = session.environment.resources.values();
    all.filter_map(|wanted| match &wanted.mode {
        Mode::Managed => None,
        Mode::ExistingId(id) => Some((&wanted.address, (Some(id.as_str()), None))),
        Mode::ExistingName => Some((&wanted.address, (None, Some(wanted.name.as_str())))),
    })
    .collect()
}

/// The error of an environment that nothing is recorded of. The account may have it all the same: this
/// command does not ask.
fn not_recorded(session: &Session<'_>, verb: &str, why: String) -> CommandError {
    let (cloud, asked) = (session.target.cloud.value.as_str(), account_of(session));
    let error = CommandError::new(ExitCode::UnknownEnvironment, why);
    let error = session.applied().into_iter().fold(error, |error, there| {
        let place = account::place(&there);
        if there.cloud != cloud {
            let command = session.command_of_cloud(verb);
            error.hint(format!("it is recorded {place}: {command} --cloud {}", there.cloud))
        } else if asked.is_some() && there.account.is_some() && there.account != asked {
            error.hint(format!("it is recorded {place}, which CLOUDFLARE_ACCOUNT_ID is not"))
        } else {
            error
        }
    });
    let looks = match session.target.cloud.value {
        CloudName::Local => "on the local cloud",
        CloudName::Cloudflare => "in the account",
    };
    error
        .hint(format!("`{}` looks {looks}", session.command("plan")))
        .hint(format!("apply it first: {}", session.apply_command(&[])))
        .code("envc::cli::not_applied")
}

/// True where the folder recorded that it was applied to what is asked for: a first apply was killed,
/// or a destroy kept something.
fn is_applied(session: &Session<'_>) -> bool {
    let (cloud, asked) = (session.target.cloud.value.as_str(), account_of(session));
    let is_asked = |account: &Option<String>| asked.is_none() || *account == asked;
    session.applied().iter().any(|it| it.cloud == cloud && is_asked(&it.account))
}

/// Where the state is looked for.
fn place(session: &Session<'_>) -> &'static str {
    if session.shares_state() { "at the edge" } else { "on this machine" }
}

/// The account on Cloudflare whose state is meant, as far as anything tells without asking.
fn account_of(session: &Session<'_>) -> Option<String> {
    let cloud = session.target.cloud.value;
    if cloud == CloudName::Local {
        return None;
    }
    let recorded = || {
        let all = session.applied();
        all.into_iter().rev().find(|it| it.cloud == cloud.as_str())?.account
    };
    let named = session.env.account_id.clone();
    named.or_else(recorded).or_else(|| known_account(&session.workspace))
}

/// The session and the state, without a connection: the state is found by its environment.
fn open<'a>(
    app: &'a App,
    target: &TargetArgs,
    verb: &str,
) -> Result<(Session<'a>, Option<State>), CommandError> {
    let session = known(app, target, verb)?;
    if session.shares_state() {
        let state = block_on(shared(&session))??;
        return Ok((session, state));
    }
    let keys = LocalStore::list(&session.workspace.state_dir, &session.workspace.project.name)?;
    let cloud = session.target.cloud.value.as_str();
    let account = account_of(&session);
    let key = keys.into_iter().find(|key| {
        key.env == session.target.id
            && key.cloud == cloud
            && account.as_ref().is_none_or(|account| *account == key.account)
    });
    let Some(key) = key else { return Ok((session, None)) };
    let store = LocalStore::read_only(&session.workspace.state_dir, key);
    let loaded = block_on(store.load())?.map_err(|error| state_error(&error, store.path()))?;
    let Some((mut state, _)) = loaded else { return Ok((session, None)) };
    let _news = admit::admit(&session, &mut state)?;
    Ok((session, Some(state)))
}

/// The state at the edge: the only request that is made, but for one that finds the account.
async fn shared(session: &Session<'_>) -> Result<Option<State>, CommandError> {
    let site = Site::open(session, Needs::STATE).await?;
    engine::recorded_state(&site).await
}
