//! `envc show` and `envc output`: what is recorded of the environment. No request is made, but for
//! a state that the edge keeps.
//!
//! Invariant: all that is told is of one account, and nothing is chosen to be told: a port that nobody
//! recorded is left out, and so is what holds it.

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
    outputs::{out_dir, own},
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
        registry::{AppliedTo, EnvironmentRecord},
        session::Session,
        target::choose_head,
    },
};

pub(super) fn show(app: &App, args: &ShowArgs) -> Result<ExitCode, CommandError> {
    if args.resolved {
        return resolved(app, &args.target);
    }
    let shown = Shown::open(app, &args.target, "show")?;
    let Shown { session, state, .. } = &shown;
    if state.is_none() && !session.makes_nothing() && !shown.is_applied() {
        let why = format!("nothing is recorded of `{}` {}", session.target.id, place(session));
        return Err(shown.not_recorded("show", why));
    }
    let mut lines = vec![shown.heading()];
    lines.push(match state {
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
    shown.put_resources(&mut lines);
    section(&mut lines, "ports", session.environment.instance.ports.iter());
    lines.extend(not_told(session));
    let urls: Vec<_> =
        session.environment.endpoints.iter().map(|end| (&end.name, &end.url)).collect();
    section(&mut lines, "urls", urls.into_iter());
    let own = shown.files();
    if !own.is_empty() {
        lines.push("files:".to_owned());
        lines.extend(own.iter().map(|(path, mode)| format!("  {path} ({mode:04o})")));
    }
    if let (Some(last), Some(there)) = (session.applied().last(), &shown.there)
        && !last.is(there)
    {
        lines.push(format!("this folder works on it {}", account::place(last)));
    }
    session.ui.result(&lines.join("\n"));
    shown.tell_programs(own.into_iter().map(|(path, _)| path).collect());
    Ok(ExitCode::Done)
}

/// Says which ports are left out.
fn not_told(session: &Session<'_>) -> Option<String> {
    let unknown: Vec<String> = session.unknown_ports().into_iter().collect();
    let are = if unknown.len() == 1 { "port is" } else { "ports are" };
    (!unknown.is_empty()).then(|| {
        format!(
            "whose {are} not recorded on this machine, an apply chooses: {}",
            unknown.join(", ")
        )
    })
}

/// An environment, with what is recorded of it.
struct Shown<'a> {
    session: Session<'a>,
    state: Option<State>,
    /// What this machine recorded of it.
    record: EnvironmentRecord,
    /// The account whose record is told, as far as anything tells without asking.
    there: Option<AppliedTo>,
}

impl<'a> Shown<'a> {
    /// Without a connection: the state is found by its environment.
    fn open(app: &'a App, target: &TargetArgs, verb: &str) -> Result<Self, CommandError> {
        let session = known(app, target, verb, true)?;
        let record = session.record()?;
        let there = there(&session, &record);
        let state = if session.shares_state() {
            block_on(shared(&session))??
        } else {
            on_this_machine(&session, there.as_ref())?
        };
        let there = match &state {
            // Nothing but the state tells it.
            Some(state) if there.is_none() => Some(AppliedTo {
                cloud: state.key.cloud.clone(),
                account: Some(state.key.account.clone()),
                api: session.workspace.other_api().map(str::to_owned),
            }),
            _ => there,
        };
        Ok(Self { session, state, record, there })
    }

    fn account(&self) -> Option<&str> {
        let of_state = self.state.as_ref().map(|state| state.key.account.as_str());
        of_state.or_else(|| self.there.as_ref()?.account.as_deref())
    }

    fn heading(&self) -> String {
        let api = match &self.there {
            Some(there) => there.api.as_deref(),
            None => self.session.workspace.other_api(),
        };
        self.session.heading(self.account(), api)
    }

    fn put_resources(&self, lines: &mut Vec<String>) {
        let state = self.state.as_ref();
        for (address, recorded) in state.iter().flat_map(|state| &state.resources) {
            let id = if recorded.id == recorded.name { "" } else { &recorded.id };
            lines.push(row(&address.to_string(), &recorded.name, id));
        }
        for (address, (id, name)) in self.existing() {
            let name = format!("{} (existing)", name.unwrap_or_default());
            lines.push(row(&address.to_string(), name.trim_start(), id.unwrap_or_default()));
        }
        for (pool, lease) in state.iter().flat_map(|state| &state.leases) {
            let id = lease.grant.as_ref().map_or("asked for, and not known yet", |grant| &grant.id);
            lines.push(format!("  {:<24} {id}", format!("lease of {pool}")));
        }
        if let Some(state) = state.filter(|state| !state.intents.is_empty()) {
            lines.push(format!(
                "begun and not finished: {}; `envc apply` carries on:",
                counted(state.intents.len(), "action")
            ));
            let open = state.intents.iter();
            lines.extend(open.map(|open| format!("  {} {}", open.address, open.name)));
        }
    }

    /// What is `existing`, each by what the spec says of it, its identifier or its name, and by the
    /// other one as the last apply in this account found it.
    fn existing(&self) -> BTreeMap<&Address, Identified<'_>> {
        let key = self.there.as_ref().map(AppliedTo::key);
        let found = key.and_then(|key| self.record.existing.get(&key));
        let all = self.session.environment.resources.values();
        all.filter_map(|wanted| {
            let (id, name) = match &wanted.mode {
                Mode::Managed => return None,
                Mode::ExistingId(id) => (Some(id.as_str()), None),
                Mode::ExistingName => (None, Some(wanted.name.as_str())),
            };
            // The spec may name another one by now.
            let found = found.and_then(|found| found.get(&wanted.address.to_string()));
            let found = found.filter(|it| id.is_none_or(|id| id == it.id));
            let found = found.filter(|it| name.is_none_or(|name| name == it.name));
            let or_found = (
                id.or_else(|| found.map(|it| it.id.as_str())),
                name.or_else(|| found.map(|it| it.name.as_str())),
            );
            Some((&wanted.address, or_found))
        })
        .collect()
    }

    /// The files that were written for it in this account, each with its mode.
    fn files(&self) -> Vec<(String, u32)> {
        let of = |there| own::files_of(&self.session, there).into_iter();
        let all = self.there.iter().flat_map(of);
        all.map(|(key, file)| (out_dir::shown(&self.session, &key), file.mode)).collect()
    }

    /// The same as an event.
    fn tell_programs(&self, files: Vec<String>) {
        let Self { session, state, .. } = self;
        let recorded = state.iter().flat_map(|state| &state.resources);
        let recorded = recorded.map(|(address, recorded)| {
            (address.to_string(), Recorded { name: &recorded.name, id: &recorded.id })
        });
        let existing = self.existing().into_iter();
        session.ui.event(&Event::Environment(events::Environment {
            project: &session.workspace.project.name,
            env: &session.target.id,
            r#type: &session.target.head.name,
            cloud: session.target.cloud.value.as_str(),
            applied: state.is_some() || session.makes_nothing(),
            account: state.as_ref().map(|state| state.key.account.as_str()),
            resources: recorded.collect(),
            existing: existing
                .map(|(address, (id, name))| (address.to_string(), Existing { name, id }))
                .collect(),
            ports: &session.environment.instance.ports,
            files,
        }));
    }

    /// The error of an environment that nothing is recorded of. The account may have it all the same:
    /// this command does not ask.
    fn not_recorded(&self, verb: &str, why: String) -> CommandError {
        let session = &self.session;
        let cloud = session.target.cloud.value.as_str();
        let asked = self.there.as_ref().and_then(|there| there.account.clone());
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

    /// True where the folder recorded that it was applied to what is asked for: a first apply was
    /// killed, or a destroy kept something.
    fn is_applied(&self) -> bool {
        let applied = self.session.applied();
        applied.iter().any(|it| self.there.as_ref().is_some_and(|there| it.is(there)))
    }

    /// Every output by its name in references. Never a secret: tokens are not recorded.
    fn values(&self) -> BTreeMap<String, String> {
        let Self { session, state, .. } = self;
        let mut values = BTreeMap::new();
        values.insert("env".to_owned(), session.target.id.clone());
        values.insert("env.type".to_owned(), session.target.head.name.clone());
        for (address, (id, name)) in self.existing() {
            values.extend(id.map(|id| (format!("{address}.id"), id.to_owned())));
            values.extend(name.map(|name| (format!("{address}.name"), name.to_owned())));
        }
        for (address, recorded) in state.iter().flat_map(|state| &state.resources) {
            if recorded.parent.is_none() {
                values.insert(format!("{address}.id"), recorded.id.clone());
                values.insert(format!("{address}.name"), recorded.name.clone());
            }
        }
        for (lease, known) in recorded_values(&session.environment.leases, state.as_ref()) {
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
}

fn row(address: &str, name: &str, id: &str) -> String {
    format!("  {address:<24} {name:<48} {id}").trim_end().to_owned()
}

/// The account whose record is told: the one that is named, else the one that the environment is worked
/// on in; at the API at which it was applied.
fn there(session: &Session<'_>, record: &EnvironmentRecord) -> Option<AppliedTo> {
    let cloud = session.target.cloud.value;
    let mut applied = record.all_applied();
    applied.retain(|it| it.cloud == cloud.as_str());
    if cloud == CloudName::Local {
        return applied.pop();
    }
    let named = &session.env.account_id;
    let recorded = applied.into_iter().rev().find(|it| named.is_none() || it.account == *named);
    let api = session.workspace.other_api().map(str::to_owned);
    let of_env = |account: Option<String>| AppliedTo {
        cloud: cloud.as_str().to_owned(),
        account,
        api: api.clone(),
    };
    match recorded {
        // A cloud that this machine serves has another port by now.
        Some(it) if it.is(&of_env(it.account.clone())) => Some(of_env(it.account)),
        Some(it) => Some(it),
        None => {
            let account = named.clone().or_else(|| known_account(&session.workspace))?;
            Some(of_env(Some(account)))
        }
    }
}

/// The state in the files of this user.
fn on_this_machine(
    session: &Session<'_>,
    there: Option<&AppliedTo>,
) -> Result<Option<State>, CommandError> {
    let keys = LocalStore::list(&session.workspace.state_dir, &session.workspace.project.name)?;
    let cloud = session.target.cloud.value.as_str();
    let account = there.and_then(|there| there.account.as_ref());
    let key = keys.into_iter().find(|key| {
        key.env == session.target.id
            && key.cloud == cloud
            && account.is_none_or(|account| *account == key.account)
    });
    let Some(key) = key else { return Ok(None) };
    let store = LocalStore::read_only(&session.workspace.state_dir, key);
    let loaded = block_on(store.load())?.map_err(|error| state_error(&error, store.path()))?;
    let Some((mut state, _)) = loaded else { return Ok(None) };
    let _news = admit::admit(session, &mut state)?;
    Ok(Some(state))
}

/// `envc show --resolved`: from the spec alone.
fn resolved(app: &App, target: &TargetArgs) -> Result<ExitCode, CommandError> {
    let file = SpecFile::find(&app.cwd, app.common.chdir.as_deref(), &app.env)?;
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
    let shown = Shown::open(app, &args.target, "output")?;
    let Shown { session, state, .. } = &shown;
    if state.is_none() && !session.makes_nothing() {
        let id = &session.target.id;
        let why = format!("nothing is recorded of `{id}` {}, so it has no outputs", place(session));
        return Err(shown.not_recorded("output", why));
    }
    let values = shown.values();
    match &args.only {
        None => {
            let lines: Vec<String> =
                values.iter().map(|(name, value)| format!("{name}={value}")).collect();
            session.ui.result(&lines.join("\n"));
            if let Some(line) = not_told(session) {
                session.ui.say(&line);
            }
            let values = values.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            session.ui.event(&Event::Output { values: values.collect() });
        }
        Some(name) => {
            let value = values.get(name).ok_or_else(|| {
                let names: Vec<&str> = values.keys().map(String::as_str).collect();
                CommandError::usage(format!("there is no output `{name}`"))
                    .hint_opt(not_told(session))
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

/// The identifier and the name, as far as they are known.
type Identified<'s> = (Option<&'s str>, Option<&'s str>);

/// Where the state is looked for.
fn place(session: &Session<'_>) -> &'static str {
    if session.shares_state() { "at the edge" } else { "on this machine" }
}

/// The state at the edge: the only request that is made, but for one that finds the account.
async fn shared(session: &Session<'_>) -> Result<Option<State>, CommandError> {
    let site = Site::open(session, Needs::STATE).await?;
    engine::recorded_state(&site).await
}
