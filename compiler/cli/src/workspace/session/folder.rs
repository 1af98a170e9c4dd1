//! What is known of a folder before anything is chosen, and a session that chooses nothing.

use std::{cell::RefCell, collections::BTreeMap};

use envc_core::{KeyedDigest, RepositoryDigest};
use envc_spec::{Environment, Identity, Instance, Spec, TypeHead};

use super::Session;
use crate::{
    host::{
        clock::{SystemClock, SystemEntropy},
        env::ProcessEnv,
        error::CommandError,
        git::{self, GitView},
    },
    shell::ui::Ui,
    workspace::{
        choice::{Choice, CloudName},
        dirs::StateDir,
        project::SpecFile,
        registry::{Opening, Place, Registry, WorkingCopy},
        whose,
    },
};

/// What is known of a folder before anything is chosen.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    pub(super) state_dir: StateDir,
    pub(super) digest: KeyedDigest,
    pub(super) clock: SystemClock,
    pub(super) git: GitView,
    pub(super) registry: Registry,
    pub(super) place: Place,
    /// The repository, where the spec or `origin` names one.
    pub(super) named: Option<String>,
}

impl Folder {
    pub(super) fn open(
        ui: &Ui,
        env: &ProcessEnv,
        file: &SpecFile,
        spec: Option<&Spec>,
    ) -> Result<Self, CommandError> {
        let state_dir = StateDir::open(env, &file.root)?;
        let git = git::look(&file.root, env);
        if let Some(warning) = &git.warning {
            ui.warn(&format!("git does not tell of this repository: {warning}"));
        }
        Ok(Self {
            digest: state_dir.keyed_digest()?,
            clock: SystemClock::new(env),
            registry: Registry::new(&state_dir),
            place: place(file, &git),
            named: whose::named(spec, &file.root, &git, env),
            state_dir,
            git,
        })
    }

    /// The working copy of a project.
    pub(super) fn copy(
        &self,
        env: &ProcessEnv,
        project: &str,
    ) -> Result<WorkingCopy, CommandError> {
        let opening = Opening {
            project,
            repository: self.named.as_deref(),
            user: &self.digest,
            entropy: &SystemEntropy::new(env),
            now_s: self.clock.unix_s(),
        };
        WorkingCopy::open(&self.registry, self.place.clone(), &opening)
    }
}

fn place(file: &SpecFile, git: &GitView) -> Place {
    let repository = git.repository.as_ref();
    Place {
        root: file.root.clone(),
        spec: file.unusual.clone(),
        top: repository.map_or_else(|| file.root.clone(), |it| it.toplevel.clone()),
        git_dir: repository.map(|it| it.git_dir.clone()),
        common_dir: repository.map(|it| it.common_dir.clone()),
    }
}

/// A session that wants nothing of the spec.
pub(super) struct Bare {
    pub(super) project: String,
    pub(super) prefix: String,
    pub(super) repository: String,
    pub(super) env_type: String,
    pub(super) id: String,
    pub(super) ports: BTreeMap<String, u16>,
    pub(super) cloud: Choice<CloudName>,
    pub(super) zone: Option<String>,
    pub(super) spec: Option<Spec>,
}

impl Bare {
    pub(super) fn session<'a>(
        self,
        ui: &'a Ui,
        env: &'a ProcessEnv,
        file: SpecFile,
        folder: Folder,
        copy: WorkingCopy,
    ) -> Session<'a> {
        let identity = Identity::Branch { max_length: self.id.len(), unique: true };
        let head = TypeHead {
            name: self.env_type,
            default: false,
            when: None,
            identity: identity.clone(),
            protect: false,
            ports: BTreeMap::new(),
            span: envc_core::Span::default(),
        };
        let instance = Instance {
            id: self.id.clone(),
            branch: None,
            pr: None,
            sha: None,
            ports: self.ports,
            local_cloud: self.cloud.value == CloudName::Local,
            repository: RepositoryDigest::of(&self.repository),
        };
        let environment = Environment::recorded(&self.project, &head.name, identity, instance);
        Session {
            ui,
            env,
            state_dir: folder.state_dir,
            digest: folder.digest,
            clock: folder.clock,
            entropy: SystemEntropy::new(env),
            root: file.root.clone(),
            file,
            spec: self.spec,
            project: self.project,
            prefix: self.prefix,
            repository: self.repository,
            zone: self.zone,
            git: folder.git,
            copy: RefCell::new(copy),
            head,
            type_why: "this folder is bound to it".into(),
            id: self.id,
            minted: false,
            cloud: self.cloud,
            adopt: std::collections::BTreeSet::new(),
            environment,
        }
    }
}
