//! What every command that works on one environment begins with: the spec, the folder, the type,
//! the ID, the cloud, and the environment resolved for all of these.

mod folder;

use std::{
    cell::{Ref, RefCell},
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use envc_core::{Address, Digest, KeyedDigest, RepositoryDigest, Sealer};
use envc_plan::{Ownership, StateKey};
use envc_spec::{Environment, Identity, Instance, Spec, StateStoreKind, TypeHead};

use folder::{Bare, Folder};

use crate::{
    clock::{SystemClock, SystemEntropy},
    cloud_choice::{Choice, CloudInputs, CloudName, TypeInputs, choose_cloud, choose_type},
    dirs::StateDir,
    env::ProcessEnv,
    error::CommandError,
    git::{self, GitView, Repository},
    identity::{self, Id, Source},
    project::SpecFile,
    registry::{
        Applied, Belongs, CopyRecord, Document, Drawn, EnvironmentRecord, Place, Registry, Whose,
        WorkingCopy,
    },
    ui::Ui,
    whose,
};

/// What the command line says of the environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// `TYPE`
    pub(crate) env_type: Option<String>,
    /// `--pr`
    pub(crate) pr: Option<u32>,
    /// `--id`
    pub(crate) id: Option<String>,
    /// `--cloud`
    pub(crate) cloud: Option<String>,
    /// A saved plan chose all of the above.
    pub(crate) by_plan: bool,
    /// `--adopt`
    pub(crate) adopt: BTreeSet<Address>,
}

/// How an ID is come by when none is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnNewId {
    /// Draw one. It is recorded once all is refused that can be: see `record_environment`.
    Mint,
    /// There is nothing to work on then.
    Absent,
}

/// A command's session.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    /// Output.
    pub(crate) ui: &'a Ui,
    /// The process's variables.
    pub(crate) env: &'a ProcessEnv,
    /// The user's state directory.
    pub(crate) state_dir: StateDir,
    /// Digests of secrets, for what stays on this machine.
    pub(crate) digest: KeyedDigest,
    /// Time.
    pub(crate) clock: SystemClock,
    /// Chance.
    pub(crate) entropy: SystemEntropy,
    /// The spec's folder: all its paths are relative to it.
    pub(crate) root: PathBuf,
    /// The spec's text and name.
    pub(crate) file: SpecFile,
    /// The spec; none where it has mistakes and only the record is worked on.
    pub(crate) spec: Option<Spec>,
    /// The project's name.
    pub(crate) project: String,
    /// What stands for the project in names.
    pub(crate) prefix: String,
    /// The repository whose project it is.
    pub(crate) repository: String,
    /// The project's zone.
    pub(crate) zone: Option<String>,
    /// Git, as far as it is there.
    pub(crate) git: GitView,
    copy: RefCell<WorkingCopy>,
    /// The type, and why.
    pub(crate) head: TypeHead,
    /// Why this type.
    pub(crate) type_why: String,
    /// The environment's ID.
    pub(crate) id: String,
    /// The ID is this working copy's own: drawn or recorded here, or its branch's.
    minted: bool,
    /// The cloud, and why.
    pub(crate) cloud: Choice<CloudName>,
    /// What the user says is this environment's.
    pub(crate) adopt: BTreeSet<Address>,
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
        let spec = file.load(ui)?;
        let folder = Folder::open(ui, env, &file, Some(&spec))?;
        let copy = folder.copy(env, spec.project())?;
        whose::settle(ui, &copy, folder.named.as_deref())?;
        let repository = copy.repository().to_owned();
        let Choice { value: head, why: type_why } = choose(&spec, env, &folder, &copy, selection)?;
        let Folder { state_dir, digest, clock, git, registry, .. } = folder;
        let document = registry.read()?;
        let entropy = SystemEntropy::new(env);
        let whose = Whose { project: spec.project(), repository: &repository };
        let head = head.clone();
        let source = Source { spec: &spec, head: &head, git: &git, env };
        let known = identity::known(ui, &source, &copy, selection)?;
        if let Some(Id { id, .. }) = &known {
            identity::refuse_other_type(&spec, &head, id, document.type_of(&whose, id))?;
            whose::refuse_minted_elsewhere(&document, &whose, id)?;
        }
        let recorded = known.as_ref().and_then(|known| document.first_cloud(&whose, &known.id));
        let cloud = choose_cloud(&CloudInputs {
            flag: selection.cloud.as_deref(),
            by_plan: selection.by_plan,
            variable: env.cloud.as_deref(),
            recorded,
            token: env.api_token.is_some(),
            ci: env.ci,
            fixed_identity: matches!(head.identity, Identity::Text { per_pr: false, .. }),
            protect: head.protect,
        })?;
        let Id { id, minted } = match known {
            Some(known) => known,
            None if on_new == OnNewId::Absent => return Ok(None),
            None => source.draw(ui, &copy, cloud.value, clock.unix_s(), &entropy)?,
        };
        let ports = copy.choose_ports(&id, &head.ports)?;
        let instance = Instance {
            id: id.clone(),
            branch: git::branch(&git, env),
            pr: selection.pr.or_else(|| identity::pr_of(&head, &id)),
            sha: git.repository.as_ref().and_then(|repository| repository.sha.clone()),
            ports,
            local_cloud: cloud.value == CloudName::Local,
            repository: RepositoryDigest::of(&repository),
        };
        let environment =
            spec.environment(&head.name, &instance).map_err(|found| file.refuse(ui, found))?;
        Ok(Some(Self {
            ui,
            env,
            state_dir,
            digest,
            clock,
            entropy,
            root: file.root.clone(),
            file,
            project: spec.project().to_owned(),
            prefix: spec.prefix().to_owned(),
            repository,
            zone: spec.zone().map(str::to_owned),
            spec: Some(spec),
            git,
            copy: RefCell::new(copy),
            head,
            type_why,
            id,
            minted,
            cloud,
            adopt: selection.adopt.clone(),
            environment,
        }))
    }

    /// Opens a session on the project alone, whatever its environments: for what belongs to all.
    pub(crate) fn open_project(
        ui: &'a Ui,
        env: &'a ProcessEnv,
        file: SpecFile,
        cloud: Option<&str>,
    ) -> Result<Self, CommandError> {
        let spec = file.load(ui)?;
        let folder = Folder::open(ui, env, &file, Some(&spec))?;
        let copy = folder.copy(env, spec.project())?;
        let cloud = choose_cloud(&CloudInputs {
            flag: cloud,
            variable: env.cloud.as_deref(),
            token: env.api_token.is_some(),
            ci: env.ci,
            ..CloudInputs::default()
        })?;
        let bare = Bare {
            project: spec.project().to_owned(),
            prefix: spec.prefix().to_owned(),
            repository: folder.named.clone().unwrap_or_else(|| copy.repository().to_owned()),
            env_type: String::new(),
            id: "project".to_owned(),
            ports: BTreeMap::new(),
            cloud,
            zone: spec.zone().map(str::to_owned),
            spec: Some(spec),
        };
        Ok(bare.session(ui, env, file, folder, copy))
    }

    /// The type that a command without a session would mean, and why; nothing is minted.
    pub(crate) fn chosen_type(
        ui: &Ui,
        env: &ProcessEnv,
        file: &SpecFile,
        spec: &Spec,
        selection: &Selection,
    ) -> Result<Choice<String>, CommandError> {
        let folder = Folder::open(ui, env, file, Some(spec))?;
        let copy = folder.copy(env, spec.project())?;
        let Choice { value, why } = choose(spec, env, &folder, &copy, selection)?;
        Ok(Choice { value: value.name.clone(), why })
    }

    /// Opens a session on what is recorded of this folder's environment, for a destroy whose spec
    /// has mistakes: a spec that nobody can read must not keep anything alive.
    pub(crate) fn open_recorded(
        ui: &'a Ui,
        env: &'a ProcessEnv,
        file: SpecFile,
        selection: &Selection,
    ) -> Result<Option<Self>, CommandError> {
        let folder = Folder::open(ui, env, &file, None)?;
        let last = WorkingCopy::last_project(&folder.place, &folder.digest);
        let Some(project) = last else { return Ok(None) };
        // Nobody can read in the spec which repository it is of, so the record tells.
        let copy = Folder { named: None, ..folder.clone() }.copy(env, &project)?;
        let named = recorded(env, copy.record(), selection)?;
        // Only the spec could tell whether another ID is this folder's alone.
        let own = named.filter(|(record, id)| record.has_chance(id) && !record.protect);
        let Some((record, id)) = own else { return Ok(None) };
        let cloud = choose_cloud(&CloudInputs {
            flag: selection.cloud.as_deref(),
            variable: env.cloud.as_deref(),
            recorded: record.cloud.as_deref(),
            token: env.api_token.is_some(),
            ci: env.ci,
            ..CloudInputs::default()
        })?;
        let bare = Bare {
            prefix: project.clone(),
            project,
            repository: copy.repository().to_owned(),
            env_type: record.env_type,
            id,
            ports: record.ports,
            cloud,
            zone: None,
            spec: None,
        };
        Ok(Some(bare.session(ui, env, file, folder, copy)))
    }

    /// True where the state is kept by the edge Worker. The local cloud's never leaves the machine.
    pub(crate) fn shares_state(&self) -> bool {
        self.environment.state_store == StateStoreKind::Edge
            && self.cloud.value == CloudName::Cloudflare
    }

    /// Digests of secrets, for the state. One that machines share takes a key that all of them
    /// have, or each would find every secret changed by the others; so only who reads the state
    /// can try what a secret may be.
    pub(crate) fn state_digest(&self) -> KeyedDigest {
        if !self.shares_state() {
            return self.digest.clone();
        }
        KeyedDigest::new(format!("envc state {}/{}", self.project, self.id))
    }

    /// Seals what is private in plans and in the state.
    pub(crate) fn sealer(&self) -> Sealer {
        Sealer::new(self.state_digest(), &self.project, &self.id)
    }

    /// The key of the state in this account.
    pub(crate) fn state_key(&self, account: &str) -> StateKey {
        StateKey {
            cloud: self.cloud.value.as_str().to_owned(),
            account: account.to_owned(),
            project: self.project.clone(),
            env: self.id.clone(),
        }
    }

    /// Digest of the spec's text.
    pub(crate) fn spec_digest(&self) -> Digest {
        Digest::of(&self.file.text)
    }

    /// Whose project it is.
    pub(crate) fn whose(&self) -> Whose<'_> {
        Whose { project: &self.project, repository: &self.repository }
    }

    /// True where the name of a pull request's resource is to be a proof. The project has to be
    /// claimed in the account then, wherever its state is kept: what another repository claims
    /// later would cover what stands there.
    pub(crate) fn needs_claim(&self) -> bool {
        self.head.identity.is_per_pr()
    }

    /// True where an apply makes nothing in the account, so that nothing is recorded of it: all that
    /// the type has is `existing`, or it has files alone.
    pub(crate) fn makes_nothing(&self) -> bool {
        let environment = &self.environment;
        environment.leases.is_empty()
            && !environment.resources.values().any(envc_core::Desired::is_managed)
    }

    /// What is recorded of this machine's working copies.
    pub(crate) fn registry_document(&self) -> Result<Document, CommandError> {
        Registry::new(&self.state_dir).read()
    }

    /// Which repository the folder was found to be of.
    pub(crate) fn belongs(&self) -> Belongs {
        self.copy.borrow().belongs().clone()
    }

    /// Takes along what was made from this folder for another repository.
    pub(crate) fn take_along(&self) -> Result<(), CommandError> {
        self.copy.borrow_mut().take_along(&self.repository, self.clock.unix_s())
    }

    /// Where the working copy lies.
    pub(crate) fn place(&self) -> Place {
        self.copy.borrow().place().clone()
    }

    /// True for a repository that this one was before.
    pub(crate) fn was(&self, repository: &str) -> bool {
        self.copy.borrow().was(repository)
    }

    /// From where an environment of this name was applied.
    pub(crate) fn applied_from(&self) -> Result<Applied, CommandError> {
        self.copy.borrow().applied_from(&self.id)
    }

    /// Records what the session was opened with: the ID, if it is new, and the ports. Done once all
    /// is refused that can be before any call is made. False: another process was quicker, and the
    /// session has to be opened anew.
    pub(crate) fn record_environment(&self) -> Result<bool, CommandError> {
        let drawn = Drawn {
            env_type: &self.head.name,
            id: &self.id,
            minted: self.minted,
            unique: matches!(self.head.identity, Identity::Branch { unique: true, .. }),
            protect: self.head.protect,
            ports: &self.environment.instance.ports,
        };
        self.copy.borrow_mut().record_environment(&drawn, self.clock.unix_s())
    }

    /// What proves a namesake ours.
    pub(crate) fn ownership(&self) -> Result<Ownership, CommandError> {
        let known: BTreeSet<String> =
            Registry::new(&self.state_dir).read()?.known_ids(&self.whose());
        Ok(Ownership {
            project: self.project.clone(),
            prefix: self.environment.prefix.clone(),
            env: self.id.clone(),
            repository: RepositoryDigest::of(&self.repository),
            formerly: self.copy.borrow().former().map(RepositoryDigest::of).collect(),
            // An ID without time and chance in it may be another developer's as well, and what the
            // type says today does not put them in.
            registered: known.contains(&self.id),
            per_pr: self.head.identity.is_per_pr(),
            // The account tells, once its namespaces are listed.
            claimed: false,
            deployed_by_others: self.environment.deployed_by_others(),
            adopt: BTreeSet::new(),
        })
    }

    /// What is recorded of this folder.
    pub(crate) fn record(&self) -> Ref<'_, CopyRecord> {
        Ref::map(self.copy.borrow(), WorkingCopy::record)
    }

    /// Takes over what other processes recorded while this one waited for the lock.
    pub(crate) fn catch_up(&self) -> Result<(), CommandError> {
        self.change_record(WorkingCopy::refresh)
    }

    /// False once another process destroyed the environment: its ID is nobody's now, and nothing
    /// may be made under it.
    pub(crate) fn is_known(&self) -> bool {
        self.record().environments.contains_key(&self.id)
    }

    /// Changes what is recorded of this folder.
    pub(crate) fn change_record(
        &self,
        change: impl FnOnce(&mut WorkingCopy) -> Result<(), CommandError>,
    ) -> Result<(), CommandError> {
        change(&mut self.copy.borrow_mut())
    }

    /// Is the folder bound to another environment? Then its files are not ours to write.
    pub(crate) fn bound_elsewhere(&self) -> Option<String> {
        let record = self.record();
        let bound = record.bound.as_ref()?;
        (bound.id != self.id).then(|| format!("{} ({})", bound.id, bound.env_type))
    }

    /// The command that applies this environment, and takes these over.
    pub(crate) fn apply_command(&self, adopt: &[&Address]) -> String {
        let id = match (&self.head.identity, self.environment.instance.pr) {
            (Identity::Text { per_pr: true, .. }, Some(pr)) => format!(" --pr {pr}"),
            (Identity::Text { .. }, _) => String::new(),
            // The ID of this folder goes without saying.
            (Identity::Branch { .. }, _) => {
                let own = self.minted
                    || self.record().minted_id(&self.head.name) == Some(self.id.as_str());
                if own { String::new() } else { format!(" --id {}", self.id) }
            }
        };
        let adopt: Vec<String> =
            adopt.iter().map(|address| format!(" --adopt {address}")).collect();
        format!("envc apply {}{id}{}", self.head.name, adopt.concat())
    }

    /// One line that says what is worked on, where and why.
    pub(crate) fn heading(&self) -> String {
        let cloud = match self.cloud.value {
            CloudName::Local => {
                format!("on the local cloud, not on Cloudflare, because {}", self.cloud.why)
            }
            CloudName::Cloudflare => format!("on Cloudflare, because {}", self.cloud.why),
        };
        format!(
            "{} environment `{}` {cloud}; type `{}` because {}",
            self.project, self.id, self.head.name, self.type_why
        )
    }
}

/// What is recorded of exactly the environment that the command line names, where it names one,
/// and of the one that the folder is bound to where it does not.
fn recorded(
    env: &ProcessEnv,
    copy: &CopyRecord,
    selection: &Selection,
) -> Result<Option<(EnvironmentRecord, String)>, CommandError> {
    // With an ID the variable has no say, as with a spec. Numbers of pull requests are in none of
    // the IDs that are worked on without one.
    let variable = env.env_type.as_deref().filter(|_| selection.id.is_none());
    let env_type = selection.env_type.as_deref().or(variable);
    let id = match (&selection.id, env_type) {
        _ if selection.pr.is_some() => None,
        (Some(id), _) => Some(identity::checked(id)?),
        (None, Some(env_type)) => copy.minted_id(env_type).map(str::to_owned),
        (None, None) => copy.bound.as_ref().map(|bound| bound.id.clone()),
    };
    let known = id.and_then(|id| Some((copy.environments.get(&id)?.clone(), id)));
    Ok(known.filter(|(record, _)| env_type.is_none_or(|it| record.env_type == it)))
}

fn choose<'s>(
    spec: &'s Spec,
    env: &ProcessEnv,
    folder: &Folder,
    copy: &WorkingCopy,
    selection: &Selection,
) -> Result<Choice<&'s TypeHead>, CommandError> {
    let by_id = match (&selection.env_type, &selection.id) {
        (None, Some(id)) => {
            let whose = Whose { project: spec.project(), repository: copy.repository() };
            let recorded = folder.registry.read()?.type_of(&whose, id).map(str::to_owned);
            spec.could_be_fixed(id, "").map(|head| head.name.clone()).or(recorded)
        }
        _ => None,
    };
    let chosen = match by_id.and_then(|name| spec.head(&name)) {
        Some(head) => Choice { value: head, why: "--id names one of its environments".into() },
        None => choose_type(
            spec.types(),
            &TypeInputs {
                argument: selection.env_type.as_deref(),
                by_plan: selection.by_plan,
                variable: env.env_type.as_deref(),
                bound: copy.record().bound.as_ref().map(|bound| bound.env_type.as_str()),
                pr: selection.pr.is_some(),
                worktree: folder
                    .git
                    .repository
                    .as_ref()
                    .is_some_and(Repository::is_linked_worktree),
            },
        )?,
    };
    match selection.pr {
        Some(pr) if !identity::is_per_pr(chosen.value) => {
            Err(identity::no_use_of_pr(spec.types(), &chosen, pr))
        }
        _ => Ok(chosen),
    }
}
