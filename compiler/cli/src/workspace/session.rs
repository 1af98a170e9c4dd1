//! What every command that works on one environment begins with: the workspace, the target, and
//! the environment resolved for both.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    rc::Rc,
};

use envc_core::{Address, KeyedDigest, KindId, RepositoryDigest, Sealer};
use envc_exec::ports::Transport;
use envc_kinds::{Worker, kind};
use envc_plan::{Ownership, StateKey};
use envc_spec::{Environment, Identity, Instance, StateStoreKind, TypeHead, When};

use crate::{
    host::{env::ProcessEnv, error::CommandError, git},
    secrets::{Means, OtherFolders, Secrets},
    shell::ui::{self, Ui},
    workspace::{
        Workspace,
        choice::{CloudInputs, CloudName, Moves, OnNewId, Selection, choose_cloud},
        heading::Heading,
        identity,
        project::SpecFile,
        reading::Reading,
        registry::{Applied, AppliedTo, Drawn, EnvironmentRecord, folder_of_key},
        target::{self, Target},
    },
};

/// A command's session.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    /// Output: the workspace's.
    pub(crate) ui: &'a Ui,
    /// The process's variables: the workspace's.
    pub(crate) env: &'a ProcessEnv,
    /// The folder.
    pub(crate) workspace: Workspace<'a>,
    /// What was chosen.
    pub(crate) target: Target,
    /// What the user says is this environment's.
    pub(crate) adopt: BTreeSet<Address>,
    /// Which accounts it takes besides the one that it is worked on in.
    pub(crate) moves: Moves,
    /// The command line names the cloud.
    cloud_is_named: bool,
    /// The account that is worked on, once it is known.
    here: OnceCell<AppliedTo>,
    /// The environment.
    pub(crate) environment: Environment,
}

impl<'a> Session<'a> {
    /// Opens a session. `None`: no ID was ever minted, and `on_new` says not to.
    pub(crate) fn open(
        ui: &'a Ui,
        env: &'a ProcessEnv,
        file: SpecFile,
        selection: &Selection,
        on_new: OnNewId,
    ) -> Result<Option<Self>, CommandError> {
        let spec = Rc::new(file.load(ui)?);
        let workspace = Workspace::open(ui, env, file, Rc::clone(&spec))?;
        workspace.settle()?;
        let Some(target) = Target::choose(&workspace, &spec, selection, on_new)? else {
            return Ok(None);
        };
        let Target { head, id, cloud, .. } = &target;
        let repository = workspace.git.repository.as_ref();
        let instance = Instance {
            id: id.clone(),
            branch: git::branch(&workspace.git, env),
            pr: selection.pr.or_else(|| identity::pr_of(head, id)),
            sha: repository.and_then(|repository| repository.sha.clone()),
            ports: match on_new {
                OnNewId::Mint => workspace.copy().choose_ports(id, &head.ports)?,
                OnNewId::Absent => recorded_ports(&workspace, head, id)?,
            },
            local_cloud: cloud.value == CloudName::Local,
            repository: RepositoryDigest::of(&workspace.project.repository),
        };
        let resolved = |instance: &Instance| {
            let made = spec.environment(&head.name, instance);
            made.map_err(|found| workspace.file.refuse(ui, found))
        };
        let mut environment = resolved(&instance)?;
        let missing = unknown_ports(head, &instance);
        if !missing.is_empty() {
            // What is another one with other ports cannot be told.
            let other = |owner: &String| {
                let first = head.ports.get(owner).map_or(0, |range| range.first);
                if first == u16::MAX { u16::MAX - 1 } else { u16::MAX }
            };
            let others = missing.into_iter().map(|owner| (owner.clone(), other(&owner)));
            let ports = instance.ports.clone().into_iter().chain(others).collect();
            let other = resolved(&Instance { ports, ..instance })?;
            environment.endpoints.retain(|it| other.endpoints.contains(it));
        }
        Ok(Some(Self::of(workspace, target, environment, selection)))
    }

    fn of(
        workspace: Workspace<'a>,
        target: Target,
        environment: Environment,
        selection: &Selection,
    ) -> Self {
        Self {
            ui: workspace.ui,
            env: workspace.env,
            workspace,
            target,
            adopt: selection.adopt.clone(),
            moves: selection.moves,
            cloud_is_named: selection.cloud.is_some() && !selection.by_plan,
            here: OnceCell::new(),
            environment,
        }
    }

    /// Opens a session on what is recorded of this folder's environment, for a destroy whose spec
    /// has mistakes: a spec that nobody can read must not keep anything alive.
    pub(crate) fn open_recorded(
        ui: &'a Ui,
        env: &'a ProcessEnv,
        file: SpecFile,
        selection: &Selection,
    ) -> Result<Option<Self>, CommandError> {
        let Some(workspace) = Workspace::open_recorded(ui, env, file)? else { return Ok(None) };
        let named = target::recorded(&workspace, selection)?;
        // Only the spec could tell whether another ID is this folder's alone.
        let own = named.filter(|(record, id)| record.is_random(id) && !record.protect);
        let Some((record, id)) = own else { return Ok(None) };
        let cloud = choose_cloud(&CloudInputs {
            recorded: record.cloud.as_deref(),
            ..target::cloud_inputs(&workspace, selection.cloud.as_deref(), selection.by_plan)
        })?;
        let identity = Identity::Branch { max_length: id.len(), unique: true };
        let head = TypeHead {
            name: record.env_type,
            default: false,
            when: None,
            identity: identity.clone(),
            protect: false,
            ports: BTreeMap::new(),
            span: envc_core::Span::default(),
        };
        let project = &workspace.project;
        let instance = Instance {
            id: id.clone(),
            branch: None,
            pr: None,
            sha: None,
            ports: record.ports,
            local_cloud: cloud.value == CloudName::Local,
            repository: RepositoryDigest::of(&project.repository),
        };
        let environment = Environment::recorded(&project.name, &head.name, identity, instance);
        let type_why = "this folder is bound to it".to_owned();
        let target = Target { head, type_why, id, minted: false, cloud };
        let selection = Selection { adopt: BTreeSet::new(), ..selection.clone() };
        Ok(Some(Self::of(workspace, target, environment, &selection)))
    }

    /// The type's ports of which none is recorded: a command that only looks chooses none.
    pub(crate) fn unknown_ports(&self) -> BTreeSet<String> {
        unknown_ports(&self.target.head, &self.environment.instance)
    }

    /// True once nobody can be quicker: the ID is not drawn anew, or it is recorded.
    pub(crate) fn is_settled(&self) -> bool {
        let record = self.workspace.record();
        let is_drawn = self.target.minted
            && matches!(self.target.head.identity, Identity::Branch { unique: true, .. });
        !is_drawn || record.environments.contains_key(&self.target.id)
    }

    /// What this machine recorded of the environment: this folder, else another one.
    pub(crate) fn record(&self) -> Result<EnvironmentRecord, CommandError> {
        Ok(recorded(&self.workspace, &self.target.id)?.unwrap_or_default())
    }

    /// True where the state is kept by the edge Worker. The local cloud's never leaves the machine.
    pub(crate) fn shares_state(&self) -> bool {
        self.environment.state_store == StateStoreKind::Edge
            && self.target.cloud.value == CloudName::Cloudflare
    }

    /// The databases of which wrangler keeps local copies here, each with the Workers that are bound to
    /// it: none where nobody starts `wrangler dev`. A job of CI works on Cloudflare itself.
    pub(crate) fn local_databases(&self) -> BTreeMap<Address, Vec<&Worker>> {
        let is_local = self.target.cloud.value == CloudName::Local;
        if !is_local && self.env.ci { BTreeMap::new() } else { self.databases_of_dev() }
    }

    /// The same, wherever this is: none where `wrangler dev` works on the account.
    pub(crate) fn databases_of_dev(&self) -> BTreeMap<Address, Vec<&Worker>> {
        let mut all: BTreeMap<Address, Vec<&Worker>> = BTreeMap::new();
        let workers = self.environment.workers.iter().filter(|_| !self.environment.dev_remote);
        for worker in workers {
            for binding in &worker.bindings {
                if kind(binding.target.kind()).database().is_some() {
                    all.entry(binding.target.clone()).or_default().push(worker);
                }
            }
        }
        all
    }

    /// Digests of secrets, for the state. One that machines share takes a key that all of them
    /// have, or each would find every secret changed by the others; so only who reads the state
    /// can try what a secret may be.
    pub(crate) fn state_digest(&self) -> KeyedDigest {
        if !self.shares_state() {
            return self.workspace.digest.clone();
        }
        KeyedDigest::new(format!("envc state {}/{}", self.workspace.project.name, self.target.id))
    }

    /// The providers of secrets that the spec declares.
    pub(crate) fn secrets<'s>(&'s self, transport: &'s dyn Transport) -> Secrets<'s> {
        let Self { env, workspace, environment, .. } = self;
        let means = Means {
            root: workspace.root(),
            others: &workspace.secrets_folders,
            git: &workspace.git,
            refuse_tracked: self.target.cloud.value == CloudName::Cloudflare,
            env,
            transport,
            clock: &workspace.clock,
        };
        Secrets::new(&environment.secrets, means)
    }

    /// What is read of the checkout: nothing that secrets come from, and nothing private that envc wrote
    /// there for any environment, from this folder or from another one of the checkout.
    pub(crate) fn reading(&self) -> Reading {
        let (workspace, root) = (&self.workspace, self.workspace.root());
        let mut reading = Reading::of(root, &workspace.file.top);
        let OtherFolders { main, user } = &workspace.secrets_folders;
        let main = main.as_ref().map(|(top, below)| top.join(below));
        let folders: Vec<PathBuf> =
            main.into_iter().chain(user.as_ref().map(|(folder, _)| folder.clone())).collect();
        for path in self.environment.secret_files() {
            let others = folders.iter().map(|folder| (folder.join(&path), path.clone()));
            reading.keep_secret(others.chain([(root.join(&path), path.clone())]));
        }
        let place = workspace.place();
        let record = workspace.record();
        let private = record.files.iter().filter(|(_, file)| file.is_private());
        reading.keep_secret(private.map(|(key, _)| match folder_of_key(&place, key) {
            Some((folder, path)) => (folder.join(path), key.clone()),
            None => (root.join(key), key.clone()),
        }));
        let elsewhere = workspace.registry_document().unwrap_or_default();
        reading.keep_secret(elsewhere.private_files_below(&workspace.file.top));
        let workers = self.environment.workers.iter();
        reading.look_into(workers.map(|worker| root.join(&worker.path)));
        reading
    }

    /// Seals what is private in plans and in the state.
    pub(crate) fn sealer(&self) -> Sealer {
        Sealer::new(self.state_digest(), &self.workspace.project.name, &self.target.id)
    }

    /// The key of the state in this account.
    pub(crate) fn state_key(&self, account: &str) -> StateKey {
        StateKey {
            cloud: self.target.cloud.value.as_str().to_owned(),
            account: account.to_owned(),
            project: self.workspace.project.name.clone(),
            env: self.target.id.clone(),
        }
    }

    /// True where the name of a pull request's resource is to be a proof. The project has to be
    /// claimed in the account then, wherever its state is kept: what another repository claims
    /// later would cover what stands there.
    pub(crate) fn needs_claim(&self) -> bool {
        self.target.head.identity.is_per_pr()
    }

    /// True where an apply makes nothing in the account, so that nothing is recorded of it: all that
    /// the type has is `existing`, or it has files alone.
    pub(crate) fn makes_nothing(&self) -> bool {
        let environment = &self.environment;
        environment.leases.is_empty()
            && !environment.resources.values().any(envc_core::Desired::is_managed)
    }

    /// From where an environment of this name was applied.
    pub(crate) fn applied_from(&self) -> Result<Applied, CommandError> {
        self.workspace.copy().applied_from(&self.target.id)
    }

    /// Records what the session was opened with: the ID, if it is new, and the ports. Done once all
    /// is refused that can be before any call is made. False: another process was quicker, and the
    /// session has to be opened anew.
    pub(crate) fn record_environment(&self) -> Result<bool, CommandError> {
        let drawn = Drawn {
            env_type: &self.target.head.name,
            id: &self.target.id,
            minted: self.target.minted,
            unique: matches!(self.target.head.identity, Identity::Branch { unique: true, .. }),
            protect: self.target.head.protect,
            ports: &self.environment.instance.ports,
        };
        self.workspace
            .change_record(|copy| copy.record_environment(&drawn, self.workspace.clock.unix_s()))
    }

    /// What proves a namesake ours.
    pub(crate) fn ownership(&self) -> Result<Ownership, CommandError> {
        let workspace = &self.workspace;
        let known: BTreeSet<String> = workspace.registry_document()?.known_ids(&workspace.whose());
        Ok(Ownership {
            project: self.workspace.project.name.clone(),
            prefix: self.environment.prefix.clone(),
            env: self.target.id.clone(),
            repository: RepositoryDigest::of(&workspace.project.repository),
            formerly: workspace.copy().former().map(RepositoryDigest::of).collect(),
            // An ID without time and randomness in it may be another developer's as well, and what the
            // type says today does not put them in.
            registered: known.contains(&self.target.id),
            per_pr: self.target.head.identity.is_per_pr(),
            // The account tells, once its namespaces are listed.
            claimed: false,
            deployed_by_others: self.environment.by_others.keys().cloned().collect(),
            adopt: BTreeSet::new(),
            shared: self.shares_state(),
            adopted: self.adopted()?,
        })
    }

    /// What the user said to be the environment's in this account, though shared state alone says so.
    fn adopted(&self) -> Result<BTreeSet<(KindId, String)>, CommandError> {
        let Some(key) = self.here().map(AppliedTo::key) else { return Ok(BTreeSet::new()) };
        let record = self.record()?;
        let all = record.adopted.get(&key).into_iter().flatten();
        let all = all.filter_map(|(address, ids)| Some((address.parse::<Address>().ok()?, ids)));
        Ok(all.flat_map(|(it, ids)| ids.iter().map(move |id| (it.kind(), id.clone()))).collect())
    }

    /// The environments of this type that a cache names which this user's envc did not write; none where git has that
    /// cache: it is the clone's, and counts as absent.
    pub(crate) fn unfollowed(&self) -> BTreeSet<String> {
        if self.workspace.cache_is_tracked() {
            return BTreeSet::new();
        }
        let copy = self.workspace.copy();
        let of_type = copy.unfollowed().iter().filter(|(_, it)| **it == self.target.head.name);
        of_type.map(|(id, _)| id.clone()).collect()
    }

    /// False once another process destroyed the environment: its ID is nobody's now, and nothing
    /// may be made under it.
    pub(crate) fn is_known(&self) -> bool {
        self.workspace.record().environments.contains_key(&self.target.id)
    }

    /// True for an environment that is nobody's working copy: it is protected, or it uses what exists
    /// and is not what a folder gets by itself. A developer does not get its files by accident.
    pub(crate) fn is_guarded(&self) -> bool {
        let head = &self.target.head;
        let by_itself = head.default
            || head.when == Some(When::Worktree)
            || matches!(head.identity, Identity::Branch { .. });
        let uses_existing = || self.environment.resources.values().any(|it| !it.is_managed());
        self.environment.protect || (!by_itself && uses_existing())
    }

    /// The account that is worked on is known from here on.
    pub(crate) fn settle_here(&self, here: AppliedTo) {
        // A session works on one account: whoever looks a second time finds the same.
        let _known = self.here.set(here);
    }

    /// The account that is worked on, once it is known.
    pub(crate) fn here(&self) -> Option<&AppliedTo> {
        self.here.get()
    }

    /// All that the environment was applied to from this folder, and may still be; the one that it is
    /// worked on in last.
    pub(crate) fn applied(&self) -> Vec<AppliedTo> {
        let record = self.workspace.record();
        let known = record.environments.get(&self.target.id);
        known.map(EnvironmentRecord::all_applied).unwrap_or_default()
    }

    /// The command that applies this environment, and takes these over.
    pub(crate) fn apply_command(&self, adopt: &[&Address]) -> String {
        self.command_with("apply", "adopt", adopt.iter().copied())
    }

    /// A command on this environment, with an option for each of these.
    pub(crate) fn command_with<'s>(
        &self,
        verb: &str,
        option: &str,
        addresses: impl IntoIterator<Item = &'s Address>,
    ) -> String {
        let options: Vec<String> =
            addresses.into_iter().map(|address| format!(" --{option} {address}")).collect();
        format!("{}{}", self.command(verb), options.concat())
    }

    /// The command that applies this environment, with an option for each of these.
    pub(crate) fn apply_command_with<'s>(
        &self,
        option: &str,
        addresses: impl IntoIterator<Item = &'s Address>,
    ) -> String {
        self.command_with("apply", option, addresses)
    }

    /// A command on this environment, in the cloud that is worked on.
    pub(crate) fn command(&self, verb: &str) -> String {
        let last = self.applied().pop();
        let cloud = self.target.cloud.value.as_str();
        if self.cloud_is_named && last.is_none_or(|last| last.cloud != cloud) {
            return format!("{} --cloud {cloud}", self.command_of_cloud(verb));
        }
        self.command_of_cloud(verb)
    }

    /// A command on this environment, to which `--cloud` may be added.
    pub(crate) fn command_of_cloud(&self, verb: &str) -> String {
        let id = match (&self.target.head.identity, self.environment.instance.pr) {
            (Identity::Text { per_pr: true, .. }, Some(pr)) => format!(" --pr {pr}"),
            (Identity::Text { .. }, _) => String::new(),
            // The ID of this folder goes without saying.
            (Identity::Branch { .. }, _) => {
                let own = self.target.minted
                    || self.workspace.record().minted_id(&self.target.head.name)
                        == Some(self.target.id.as_str());
                if own { String::new() } else { format!(" --id {}", self.target.id) }
            }
        };
        format!("envc {verb} {}{id}", self.target.head.name)
    }

    /// The line that says what is worked on, in an account that is known or not, at an API that is
    /// Cloudflare's own or not.
    pub(crate) fn heading(&self, account: Option<&str>, api: Option<&str>) -> String {
        let heading = Heading {
            project: &self.workspace.project.name,
            id: self.is_settled().then_some(self.target.id.as_str()),
            env_type: &self.target.head.name,
            cloud: self.target.cloud.value,
            account,
            api,
        };
        heading.line()
    }

    /// Says of which of what the spec says exists something else stands in for it, or will, since no account
    /// is worked on.
    pub(crate) fn say_stand_ins(&self, how: &str, all: &[&Address]) {
        if !all.is_empty() {
            let all: Vec<String> = all.iter().map(ToString::to_string).collect();
            self.ui.say(&format!("{how}: {}", all.join(", ")));
        }
    }

    /// Says what is worked on, once in a run, and to those who ask for it why.
    pub(crate) fn say_heading(&self, account: Option<&str>) {
        let heading = self.heading(account, self.workspace.other_api());
        match self.ui.say_heading(&self.target.id, &heading) {
            ui::Heading::New => {}
            ui::Heading::Known => return,
            // The remembered account did not hold.
            ui::Heading::Other => {
                return self.ui.say(&format!("the account is {}", account.unwrap_or_default()));
            }
        }
        let Target { cloud, type_why, .. } = &self.target;
        self.ui.detail(&format!("the cloud is `{}` because {}", cloud.value, cloud.why));
        self.ui.detail(&format!("the type is `{}` because {type_why}", self.target.head.name));
        let account = account.filter(|_| cloud.value == CloudName::Cloudflare);
        if let Some(account) = account {
            self.ui.detail(&format!("the account is {account}"));
        }
    }
}

/// What this machine recorded of an environment: this folder, else another one of the repository.
fn recorded(
    workspace: &Workspace<'_>,
    id: &str,
) -> Result<Option<EnvironmentRecord>, CommandError> {
    if let Some(own) = workspace.record().environments.get(id) {
        return Ok(Some(own.clone()));
    }
    let document = workspace.registry_document()?;
    Ok(document.record_of(&workspace.whose(), id).cloned())
}

/// The ports that an environment has on this machine, of those that its type asks for.
fn recorded_ports(
    workspace: &Workspace<'_>,
    head: &TypeHead,
    id: &str,
) -> Result<BTreeMap<String, u16>, CommandError> {
    let mut ports = recorded(workspace, id)?.unwrap_or_default().ports;
    ports.retain(|owner, _| head.ports.contains_key(owner));
    Ok(ports)
}

fn unknown_ports(head: &TypeHead, instance: &Instance) -> BTreeSet<String> {
    head.ports.keys().filter(|owner| !instance.ports.contains_key(*owner)).cloned().collect()
}
