//! What every command that works on one environment begins with: the spec, the folder, the type,
//! the ID, the cloud, and the environment resolved for all of these.

use std::{
    cell::{Ref, RefCell},
    collections::BTreeSet,
    path::PathBuf,
};

use envc_core::{Digest, KeyedDigest};
use envc_plan::{Ownership, StateKey};
use envc_spec::{
    Environment, Identity, Instance, Spec, StateStoreKind, TypeHead, branch_id,
    identity_from_branch,
};

use crate::{
    clock::{SystemClock, SystemEntropy},
    cloud_choice::{Choice, CloudInputs, CloudName, TypeInputs, choose_cloud, choose_type},
    dirs::StateDir,
    env::ProcessEnv,
    error::CommandError,
    exit_code::ExitCode,
    git::{self, GitView},
    project::SpecFile,
    registry::{CopyRecord, Mint, Place, Registry, WorkingCopy},
    ui::Ui,
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
}

/// How an ID is come by when none is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnNewId {
    /// Mint and record one.
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
    /// The cloud, and why.
    pub(crate) cloud: Choice<CloudName>,
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
        let root = file.root.clone();
        let state_dir = StateDir::open(env, &root)?;
        let clock = SystemClock::new(env);
        let entropy = SystemEntropy::new(env);
        let git = git::look(&root, env);
        if let Some(warning) = &git.warning {
            ui.detail(warning);
        }
        let registry = Registry::new(&state_dir);
        let (mut copy, _settled) =
            WorkingCopy::open(&registry, place(&root, &git), spec.project(), clock.unix_s())?;
        let Choice { value: head, why: type_why } =
            choose(&spec, env, &git, &registry, &copy, selection)?;
        let head = head.clone();
        let branch = branch_of(&git, env);
        let Some(id) =
            identity(&spec, &head, branch, &mut copy, selection, on_new, &clock, &entropy)?
        else {
            return Ok(None);
        };
        let document = registry.read()?;
        let cloud = choose_cloud(&CloudInputs {
            flag: selection.cloud.as_deref(),
            variable: env.cloud.as_deref(),
            recorded: document.first_cloud(spec.project(), &id),
            token: env.api_token.is_some(),
            ci: env.ci,
            fixed_identity: matches!(head.identity, Identity::Text { per_pr: false, .. }),
            protect: head.protect,
        })?;
        let ports = copy.assign_ports(&head.name, &id, &head.ports, clock.unix_s())?;
        let repository = git.repository.as_ref();
        let instance = Instance {
            id: id.clone(),
            branch: branch.map(str::to_owned),
            pr: selection.pr.or_else(|| pr_of(&head, &id)),
            sha: repository.and_then(|repository| repository.sha.clone()),
            ports,
            local_cloud: cloud.value == CloudName::Local,
        };
        let environment =
            spec.environment(&head.name, &instance).map_err(|found| file.refuse(ui, found))?;
        let digest = state_dir.keyed_digest()?;
        Ok(Some(Self {
            ui,
            env,
            state_dir,
            digest,
            clock,
            entropy,
            root,
            file,
            project: spec.project().to_owned(),
            zone: spec.zone().map(str::to_owned),
            spec: Some(spec),
            git,
            copy: RefCell::new(copy),
            head,
            type_why,
            id,
            cloud,
            environment,
        }))
    }

    /// The type that a command without a session would mean, and why; nothing is minted.
    pub(crate) fn chosen_type(
        ui: &Ui,
        env: &ProcessEnv,
        file: &SpecFile,
        spec: &Spec,
        selection: &Selection,
    ) -> Result<Choice<String>, CommandError> {
        let state_dir = StateDir::open(env, &file.root)?;
        let git = git::look(&file.root, env);
        if let Some(warning) = &git.warning {
            ui.detail(warning);
        }
        let registry = Registry::new(&state_dir);
        let now_s = SystemClock::new(env).unix_s();
        let (copy, _settled) =
            WorkingCopy::open(&registry, place(&file.root, &git), spec.project(), now_s)?;
        let Choice { value, why } = choose(spec, env, &git, &registry, &copy, selection)?;
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
        let root = file.root.clone();
        let Some(project) = WorkingCopy::last_project(&root) else { return Ok(None) };
        let state_dir = StateDir::open(env, &root)?;
        let clock = SystemClock::new(env);
        let git = git::look(&root, env);
        let registry = Registry::new(&state_dir);
        let (copy, _settled) =
            WorkingCopy::open(&registry, place(&root, &git), &project, clock.unix_s())?;
        let id = match &selection.id {
            Some(id) => Some(checked_id(id)?),
            None => copy.record().bound.as_ref().map(|bound| bound.id.clone()),
        };
        let known = id.and_then(|id| Some((copy.record().environments.get(&id)?.clone(), id)));
        // A fixed identity may be protected, and only the spec could tell.
        let minted = known.filter(|(record, _)| record.minted_s.is_some());
        let Some((record, id)) = minted else { return Ok(None) };
        let cloud = choose_cloud(&CloudInputs {
            flag: selection.cloud.as_deref(),
            variable: env.cloud.as_deref(),
            recorded: record.cloud.as_deref(),
            token: env.api_token.is_some(),
            ci: env.ci,
            ..CloudInputs::default()
        })?;
        let identity = Identity::Branch { max_length: id.len(), unique: true };
        let head = TypeHead {
            name: record.env_type.clone(),
            default: false,
            when: None,
            identity: identity.clone(),
            protect: false,
            ports: std::collections::BTreeMap::new(),
            span: envc_core::Span::default(),
        };
        let instance = Instance {
            id: id.clone(),
            branch: None,
            pr: None,
            sha: None,
            ports: record.ports.clone(),
            local_cloud: cloud.value == CloudName::Local,
        };
        let environment = Environment::recorded(&project, &head.name, identity, instance);
        let digest = state_dir.keyed_digest()?;
        Ok(Some(Self {
            ui,
            env,
            state_dir,
            digest,
            clock,
            entropy: SystemEntropy::new(env),
            root,
            file,
            spec: None,
            project,
            zone: None,
            git,
            copy: RefCell::new(copy),
            head,
            type_why: "this folder is bound to it".into(),
            id,
            cloud,
            environment,
        }))
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

    /// What proves a namesake ours.
    pub(crate) fn ownership(&self) -> Result<Ownership, CommandError> {
        let known: BTreeSet<String> =
            Registry::new(&self.state_dir).read()?.known_ids(&self.project);
        let per_pr = matches!(self.head.identity, Identity::Text { per_pr: true, .. });
        Ok(Ownership {
            project: self.project.clone(),
            prefix: self.environment.prefix.clone(),
            env: self.id.clone(),
            // An ID without time and chance in it may be another developer's as well.
            registered: known.contains(&self.id)
                && matches!(self.head.identity, Identity::Branch { unique: true, .. }),
            per_pr,
            // No account holds a claim yet: a pull request's name counts as claimed.
            claimed: per_pr,
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
    pub(crate) fn apply_command(&self, adopt: &[&envc_core::Address]) -> String {
        let id = match (&self.head.identity, self.environment.instance.pr) {
            (Identity::Text { per_pr: true, .. }, Some(pr)) => format!(" --pr {pr}"),
            (Identity::Text { .. }, _) => String::new(),
            // The ID of this folder goes without saying.
            (Identity::Branch { .. }, _) => {
                let own = self.record().minted_id(&self.head.name) == Some(self.id.as_str());
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
                format!("on the local cloud, not on Cloudflare ({})", self.cloud.why)
            }
            CloudName::Cloudflare => format!("on Cloudflare ({})", self.cloud.why),
        };
        format!(
            "{} environment `{}` {cloud}; type `{}` because {}",
            self.project, self.id, self.head.name, self.type_why
        )
    }
}

fn place(root: &std::path::Path, git: &GitView) -> Place {
    match &git.repository {
        Some(repository) => Place {
            root: root.to_owned(),
            folder: repository.toplevel.clone(),
            git_dir: Some(repository.git_dir.clone()),
        },
        None => Place { root: root.to_owned(), folder: root.to_owned(), git_dir: None },
    }
}

fn choose<'s>(
    spec: &'s Spec,
    env: &ProcessEnv,
    git: &GitView,
    registry: &Registry,
    copy: &WorkingCopy,
    selection: &Selection,
) -> Result<Choice<&'s TypeHead>, CommandError> {
    let by_id = match (&selection.env_type, &selection.id) {
        (None, Some(id)) => registry
            .read()?
            .type_of(spec.project(), id)
            .map(str::to_owned)
            .or_else(|| spec.could_be_fixed(id, "").map(|head| head.name.clone())),
        _ => None,
    };
    if let Some(name) = by_id
        && let Some(head) = spec.head(&name)
    {
        return Ok(Choice { value: head, why: "--id names one of its environments".into() });
    }
    choose_type(
        spec.types(),
        &TypeInputs {
            argument: selection.env_type.as_deref(),
            variable: env.env_type.as_deref(),
            bound: copy.record().bound.as_ref().map(|bound| bound.env_type.as_str()),
            pr: selection.pr.is_some(),
            worktree: git.repository.as_ref().is_some_and(git::Repository::is_linked_worktree),
        },
    )
}

/// The branch: git's, else, where its head is detached, the one that the forge names.
fn branch_of<'b>(git: &'b GitView, env: &'b ProcessEnv) -> Option<&'b str> {
    let own = git.repository.as_ref().and_then(|git| git.branch.as_deref());
    own.or(env.forge_branch.as_deref())
}

#[expect(clippy::too_many_arguments, reason = "each is a source of the ID; a struct would hide it")]
fn identity(
    spec: &Spec,
    head: &TypeHead,
    branch: Option<&str>,
    copy: &mut WorkingCopy,
    selection: &Selection,
    on_new: OnNewId,
    clock: &SystemClock,
    entropy: &SystemEntropy,
) -> Result<Option<String>, CommandError> {
    if let Some(id) = &selection.id {
        return checked_id(id).map(Some);
    }
    match &head.identity {
        Identity::Text { pattern, per_pr: false } => Ok(Some(pattern.clone())),
        Identity::Text { pattern, per_pr: true } => match selection.pr {
            Some(pr) => Ok(Some(pattern.replace("{env.pr}", &pr.to_string()))),
            None => Err(CommandError::usage(format!(
                "an environment of type `{}` needs the number of its pull request",
                head.name
            ))
            .hint("add it: --pr 42")
            .code("envc::cli::no_pr")),
        },
        Identity::Branch { max_length, unique } => {
            if let Some(id) = copy.record().minted_id(&head.name) {
                return Ok(Some(id.to_owned()));
            }
            if on_new == OnNewId::Absent {
                return Ok(None);
            }
            let part = if *unique { identity_from_branch } else { branch_id };
            let mint = Mint {
                env_type: &head.name,
                branch_part: &part(branch, *max_length),
                unique: *unique,
                now_s: clock.unix_s(),
                forbidden: &|id| spec.could_be_fixed(id, &head.name).is_some(),
            };
            copy.mint(&mint, entropy).map(Some)
        }
    }
}

/// An ID from the command line goes into names and paths, so it has to look like one.
fn checked_id(id: &str) -> Result<String, CommandError> {
    let good = !id.is_empty()
        && id.len() <= envc_core::limits::ID_CHARS_MAX
        && !id.starts_with('-')
        && !id.ends_with('-')
        && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if good {
        return Ok(id.to_owned());
    }
    Err(CommandError::new(ExitCode::Usage, format!("`{id}` is not an environment ID"))
        .hint("an ID holds lower-case letters, digits and dashes, such as fix-login-t1a2b3beef")
        .code("envc::cli::bad_id"))
}

/// The number of the pull request, when only the ID was named.
fn pr_of(head: &TypeHead, id: &str) -> Option<u32> {
    let Identity::Text { pattern, per_pr: true } = &head.identity else { return None };
    let (before, after) = pattern.split_once("{env.pr}")?;
    id.strip_prefix(before)?.strip_suffix(after)?.parse().ok()
}
