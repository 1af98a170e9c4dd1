//! What a command works on, before anything is asked of a cloud.
//!
//! - [`Workspace`]: the spec's folder on this machine, with what is recorded of it. It chooses
//!   nothing: whatever its environments, it is the same.
//! - [`target::Target`]: the type, the ID and the cloud that were chosen, and why.
//! - [`session::Session`]: both, with the environment that the spec gives for them.

pub(crate) mod choice;
pub(crate) mod dirs;
pub(crate) mod folder;
pub(crate) mod heading;
pub(crate) mod identity;
pub(crate) mod migrations;
pub(crate) mod outranked;
pub(crate) mod project;
pub(crate) mod reading;
pub(crate) mod registry;
pub(crate) mod repository;
pub(crate) mod session;
pub(crate) mod target;
pub(crate) mod tools;
pub(crate) mod trust;
pub(crate) mod who;
pub(crate) mod whose;

use std::{
    cell::{Ref, RefCell},
    path::Path,
    rc::Rc,
};

use envc_core::{Digest, KeyedDigest};
use envc_spec::Spec;

use crate::{
    host::{
        clock::{SystemClock, SystemEntropy},
        env::ProcessEnv,
        error::CommandError,
        file_name::file_name,
        git::{self, GitView},
        programs::Programs,
    },
    secrets::OtherFolders,
    shell::ui::Ui,
    workspace::{
        dirs::StateDir,
        project::SpecFile,
        registry::{
            Belongs, CopyRecord, Document, Location, Opening, Registry, Whose, WorkingCopy,
        },
    },
};

/// Where Cloudflare's API is.
pub(crate) const CLOUDFLARE_API: &str = "https://api.cloudflare.com/client/v4";

/// A project, as the account sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Project {
    /// Its name.
    pub(crate) name: String,
    /// What stands for it in names: its name, or its short form.
    pub(crate) prefix: String,
    /// The repository whose project it is.
    pub(crate) repository: String,
    /// Its zone.
    pub(crate) zone: Option<String>,
}

/// The folder of a spec on this machine.
#[derive(Debug)]
pub(crate) struct Workspace<'a> {
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
    /// Randomness.
    pub(crate) entropy: SystemEntropy,
    /// Git, as far as it is there.
    pub(crate) git: GitView,
    /// The spec's text and name. Its folder is the root: all paths in it are relative to that.
    pub(crate) file: SpecFile,
    /// The spec; none where it has mistakes and only the record is worked on.
    pub(crate) spec: Option<Rc<Spec>>,
    /// The project.
    pub(crate) project: Project,
    /// Where dotenv files with secrets are looked for besides the spec's folder.
    pub(crate) secrets_folders: OtherFolders,
    /// The repository, where the spec or `origin` names one.
    named: Option<String>,
    registry: Registry,
    copy: RefCell<WorkingCopy>,
}

/// The machine around a folder, before its project is known.
struct Machine<'a> {
    ui: &'a Ui,
    env: &'a ProcessEnv,
    state_dir: StateDir,
    digest: KeyedDigest,
    clock: SystemClock,
    entropy: SystemEntropy,
    git: GitView,
    registry: Registry,
    place: Location,
}

impl<'a> Machine<'a> {
    fn look(ui: &'a Ui, env: &'a ProcessEnv, file: &SpecFile) -> Result<Self, CommandError> {
        let state_dir = StateDir::open(env, &file.root)?;
        if let Some(brought) = Programs::around(&file.root, env).brought("git") {
            ui.warn(&format!(
                "{} is on the PATH before any other git and is not run: the checkout brings it",
                brought.display()
            ));
        }
        let git = git::look(&file.root, env);
        if let Some(warning) = &git.warning {
            ui.warn(&format!("git does not tell of this repository: {warning}"));
        }
        Ok(Self {
            ui,
            env,
            digest: state_dir.keyed_digest()?,
            clock: SystemClock::new(env),
            entropy: SystemEntropy::new(env),
            registry: Registry::new(&state_dir),
            place: place(file, &git),
            state_dir,
            git,
        })
    }

    /// The working copy of a project.
    fn copy(&self, project: &str, repository: Option<&str>) -> Result<WorkingCopy, CommandError> {
        let opening = Opening {
            project,
            repository,
            user: &self.digest,
            entropy: &self.entropy,
            now_s: self.clock.unix_s(),
        };
        WorkingCopy::open(&self.registry, self.place.clone(), &opening)
    }

    fn workspace(
        self,
        file: SpecFile,
        spec: Option<Rc<Spec>>,
        project: Project,
        named: Option<String>,
        copy: WorkingCopy,
    ) -> Workspace<'a> {
        let Self { ui, env, state_dir, digest, clock, entropy, git, registry, place } = self;
        let secrets_folders = secrets_folders(&place, env, &project.repository);
        let copy = RefCell::new(copy);
        Workspace {
            ui,
            env,
            state_dir,
            digest,
            clock,
            entropy,
            git,
            file,
            spec,
            project,
            secrets_folders,
            named,
            registry,
            copy,
        }
    }
}

/// Where dotenv files with secrets are looked for besides the spec's folder: at the same place below
/// the top of the main working tree, and in the user's configuration folder under the repository's
/// identity. One that is a clone's alone has none there: nobody can know it beforehand.
fn secrets_folders(place: &Location, env: &ProcessEnv, repository: &str) -> OtherFolders {
    let below = place.root.strip_prefix(&place.top).unwrap_or(Path::new(""));
    let is_linked = place.git_dir != place.common_dir;
    let main = place.common_dir.as_deref().filter(|it| is_linked && it.ends_with(".git"));
    let main = main.and_then(Path::parent).map(|top| (top.to_owned(), below.to_owned()));
    let config = env.config_home().filter(|_| !repository::is_working_copy(repository));
    let user = config.map(|config| {
        let of_repository = repository.split('/').map(file_name);
        let here = below.components().map(|it| it.as_os_str().to_string_lossy().into_owned());
        let way: Vec<String> =
            std::iter::once("envc".to_owned()).chain(of_repository).chain(here).collect();
        let folder = way.iter().fold(config, |path, part| path.join(part));
        let at_home = env.home().and_then(|home| Some(folder.strip_prefix(home).ok()?.to_owned()));
        let shown = at_home
            .map_or_else(|| folder.display().to_string(), |below| format!("~/{}", below.display()));
        (folder, shown)
    });
    OtherFolders { main, user }
}

fn place(file: &SpecFile, git: &GitView) -> Location {
    let repository = git.repository.as_ref();
    Location {
        root: file.root.clone(),
        spec: file.unusual.clone(),
        top: repository.map_or_else(|| file.root.clone(), |it| it.toplevel.clone()),
        git_dir: repository.map(|it| it.git_dir.clone()),
        common_dir: repository.map(|it| it.common_dir.clone()),
    }
}

impl<'a> Workspace<'a> {
    /// Opens the folder of a spec, and finds or makes its record.
    pub(crate) fn open(
        ui: &'a Ui,
        env: &'a ProcessEnv,
        file: SpecFile,
        spec: Rc<Spec>,
    ) -> Result<Self, CommandError> {
        let machine = Machine::look(ui, env, &file)?;
        let named = whose::named(&spec, &file.root, &machine.git, env);
        let copy = machine.copy(spec.project(), named.as_deref())?;
        let project = Project {
            name: spec.project().to_owned(),
            prefix: spec.prefix().to_owned(),
            repository: named.clone().unwrap_or_else(|| copy.repository().to_owned()),
            zone: spec.zone().map(str::to_owned),
        };
        Ok(machine.workspace(file, Some(spec), project, named, copy))
    }

    /// Opens a folder whose spec nobody can read, by what is recorded of it; none where nothing is.
    pub(crate) fn open_recorded(
        ui: &'a Ui,
        env: &'a ProcessEnv,
        file: SpecFile,
    ) -> Result<Option<Self>, CommandError> {
        let machine = Machine::look(ui, env, &file)?;
        let last = WorkingCopy::last_project(&machine.place, &machine.digest);
        let Some(name) = last else { return Ok(None) };
        // The spec cannot tell which repository it is of, so the record does.
        let copy = machine.copy(&name, None)?;
        let repository = copy.repository().to_owned();
        let project = Project { prefix: name.clone(), name, repository, zone: None };
        Ok(Some(machine.workspace(file, None, project, None, copy)))
    }

    /// Tells what became of the folder, and refuses one that was another repository's when things
    /// were made from it.
    pub(crate) fn settle(&self) -> Result<(), CommandError> {
        let copy = self.copy.borrow();
        let tracked = !copy.unfollowed().is_empty() && self.cache_is_tracked();
        whose::settle(self.ui, &copy, self.named.as_deref(), tracked)
    }

    /// True where git has the cache of this folder, so that a clone brings it.
    pub(crate) fn cache_is_tracked(&self) -> bool {
        let path = self.copy.borrow().cache_path();
        git::tracked(self.root(), self.env, &[&path]).is_ok_and(|all| !all.is_empty())
    }

    /// The spec's folder.
    pub(crate) fn root(&self) -> &Path {
        &self.file.root
    }

    /// The base URL that Cloudflare's API is looked for at, where it is not Cloudflare's own.
    pub(crate) fn other_api(&self) -> Option<&str> {
        self.env.api_base_url.as_deref().filter(|url| *url != CLOUDFLARE_API)
    }

    /// Digest of the spec's text.
    pub(crate) fn spec_digest(&self) -> Digest {
        Digest::of(&self.file.text)
    }

    /// Whose project it is.
    pub(crate) fn whose(&self) -> Whose<'_> {
        Whose { project: &self.project.name, repository: &self.project.repository }
    }

    /// What is recorded of this machine's working copies.
    pub(crate) fn registry_document(&self) -> Result<Document, CommandError> {
        self.registry.read()
    }

    /// The working copy, as of the last call.
    pub(crate) fn copy(&self) -> Ref<'_, WorkingCopy> {
        self.copy.borrow()
    }

    /// What is recorded of this folder.
    pub(crate) fn record(&self) -> Ref<'_, CopyRecord> {
        Ref::map(self.copy.borrow(), WorkingCopy::record)
    }

    /// Changes what is recorded of this folder.
    pub(crate) fn change_record<T>(
        &self,
        change: impl FnOnce(&mut WorkingCopy) -> Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        change(&mut self.copy.borrow_mut())
    }

    /// Takes over what other processes recorded while this one waited for the lock.
    pub(crate) fn catch_up(&self) -> Result<(), CommandError> {
        self.change_record(WorkingCopy::refresh)
    }

    /// Which repository the folder was found to be of.
    pub(crate) fn belongs(&self) -> Belongs {
        self.copy.borrow().belongs().clone()
    }

    /// Takes along what was made from this folder for another repository.
    pub(crate) fn take_along(&self) -> Result<(), CommandError> {
        let now_s = self.clock.unix_s();
        self.change_record(|copy| copy.take_along(&self.project.repository, now_s))
    }

    /// Where the working copy lies.
    pub(crate) fn place(&self) -> Location {
        self.copy.borrow().place().clone()
    }

    /// True for a repository that this one was before.
    pub(crate) fn was(&self, repository: &str) -> bool {
        self.copy.borrow().was(repository)
    }
}
