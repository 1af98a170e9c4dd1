//! Finds and reads `environment.kdl`.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use envc_core::{
    Diagnostics, Severity, kept_by,
    limits::{FILE_BYTES_MAX, MISTAKES_MAX, SPEC_BYTES_MAX},
};
use envc_report::{
    explain,
    look::{OutrankedFiles, Project},
    render::{self, Source},
};
use envc_spec::{Environment, Spec};

use crate::{
    host::{
        env::ProcessEnv,
        error::CommandError,
        exit_code::ExitCode,
        fsio::{self, FsError},
        git,
        owner::User,
    },
    shell::{events::Event, ui::Ui},
    workspace::{outranked::Place, reading::Reading},
};

/// The name that is looked for.
pub(crate) const SPEC_FILE: &str = "environment.kdl";

/// A spec's text and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SpecFile {
    /// The project's root: the folder that the spec was named in, canonical. A spec that is a link
    /// lies where the link does.
    pub(crate) root: PathBuf,
    /// The top of the repository, worktree or submodule around it: the root itself without one. What
    /// is read lies in it.
    pub(crate) top: PathBuf,
    /// The file, canonical; none for a text from standard input.
    pub(crate) path: Option<PathBuf>,
    /// Its name in the folder, where it is not the usual one.
    pub(crate) unusual: Option<String>,
    /// How it is named to the user: relative to where they stand.
    pub(crate) name: String,
    /// The text.
    pub(crate) text: String,
}

impl Project for SpecFile {
    fn text(&self, path: &str, secret: &BTreeSet<String>) -> Result<Option<String>, String> {
        let mut reading = Reading::of(&self.root, &self.top);
        reading.keep_secret(secret.iter().map(|path| (self.root.join(path), path.clone())));
        reading.text(path, FILE_BYTES_MAX).map_err(|error| error.source.to_string())
    }

    fn names(&self, path: &str) -> Result<Option<Vec<String>>, String> {
        Reading::of(&self.root, &self.top).names(path).map_err(|error| error.source.to_string())
    }

    fn outranked(&self, environment: &Environment) -> Option<OutrankedFiles> {
        // What lies there is what the last apply wrote.
        let place = Place { root: &self.root, top: &self.top };
        let reading = Reading::of(&self.root, &self.top);
        let written = |path: &str| reading.text(path, FILE_BYTES_MAX).ok().flatten();
        let mut files = OutrankedFiles::new();
        for one in place.look(environment, &written) {
            let message = match one.because {
                Some(because) => format!("{}: {because}", one.message),
                None => one.message,
            };
            files.entry(one.path).or_default().push((message, one.hint));
        }
        Some(files)
    }
}

impl SpecFile {
    /// The text with its name, for pictures.
    pub(crate) fn source(&self) -> Source<'_> {
        Source { name: &self.name, text: &self.text }
    }

    /// Its path from the top of the checkout, as a forge names files; without git as `name`.
    pub(crate) fn name_in_checkout(&self) -> String {
        let top = |path: &PathBuf| {
            let inside = path.strip_prefix(git::top(path.parent()?)?).ok()?;
            Some(inside.to_string_lossy().replace('\\', "/"))
        };
        self.path.as_ref().and_then(top).unwrap_or_else(|| self.name.clone())
    }

    /// Looks for the spec from the current folder upwards. `chdir` is another folder to start from,
    /// or the spec itself.
    ///
    /// The last folder that is looked into is the top of the repository; without one it is the last of
    /// the user's own. A spec beyond it is somebody else's, or of another project.
    pub(crate) fn find(
        cwd: &Path,
        chdir: Option<&Path>,
        env: &ProcessEnv,
    ) -> Result<Self, CommandError> {
        let start = chdir.map_or_else(|| cwd.to_owned(), |chdir| cwd.join(chdir));
        if start.is_file() {
            return Self::read(&start, cwd, env);
        }
        if !start.is_dir() {
            return Err(CommandError::usage(format!("there is no folder {}", start.display()))
                .hint("--chdir takes a folder, or a spec's file"));
        }
        let start = fsio::canonical(&start)?;
        let bound = Bound::around(&start, User::of_process(env));
        let found = bound
            .folders(&start)
            .map(|folder| folder.join(SPEC_FILE))
            .find(|it| fsio::is_there(it));
        match found {
            Some(path) => Self::read(&path, cwd, env),
            None => Err(not_there(&start, &bound)),
        }
    }

    /// A file that the user named, from the folder that they stand in.
    pub(crate) fn named(path: &Path, cwd: &Path, env: &ProcessEnv) -> Result<Self, CommandError> {
        let path = cwd.join(path);
        if path.symlink_metadata().is_err() {
            return Err(CommandError::usage(format!("there is no file {}", path.display())));
        }
        Self::read(&path, cwd, env)
    }

    /// A text from standard input.
    pub(crate) fn from_input(cwd: &Path) -> Result<Self, CommandError> {
        let text = fsio::read_input(SPEC_BYTES_MAX).map_err(unreadable)?;
        let name = "<stdin>".to_owned();
        Ok(Self {
            root: cwd.to_owned(),
            top: cwd.to_owned(),
            path: None,
            unusual: None,
            name,
            text,
        })
    }

    /// Invariant: what is read lies in the repository, also where the spec is a link, and is of nobody
    /// whose repository git would not take; what is written lies where the spec was named.
    fn read(path: &Path, cwd: &Path, env: &ProcessEnv) -> Result<Self, CommandError> {
        let file = fsio::canonical(path)?;
        let root = fsio::canonical(path.parent().unwrap_or(path))?;
        let named = path.file_name().unwrap_or_default();
        let link = root.join(named);
        // Without a repository the folder is all there is.
        let top = git::top(&root).unwrap_or(&root).to_owned();
        let of_git = || {
            let below = file.strip_prefix(&top).unwrap_or(&file);
            let mut parts = below.components();
            parts.any(|part| kept_by(&part.as_os_str().to_string_lossy()).is_some())
                || git::git_directory_around(&file).is_some()
        };
        if file != link && (!file.starts_with(&top) || of_git()) {
            return Err(leads_outside(&relative(&link, cwd), &file));
        }
        let user = User::of_process(env);
        let is_anothers = |path: &&&Path| !user.takes(path);
        let of_another = [root.as_path(), &link, &file];
        if let Some(path) = of_another.iter().find(is_anothers)
            && !git::safe_folders(&root, env).list(&top)
        {
            return Err(another_users(&relative(&link, cwd), path, &top));
        }
        let text = fsio::read_text(&file, SPEC_BYTES_MAX).map_err(unreadable)?;
        let unusual = Some(named.to_string_lossy()).filter(|name| *name != SPEC_FILE);
        Ok(Self {
            unusual: unusual.map(std::borrow::Cow::into_owned),
            root,
            top,
            path: Some(file),
            name: relative(&link, cwd),
            text: text.unwrap_or_default(),
        })
    }

    /// Compiles it. Warnings and mistakes are shown; with mistakes it is an error of exit 65.
    pub(crate) fn load(&self, ui: &Ui) -> Result<Spec, CommandError> {
        let (spec, found) = envc_spec::load(&self.text);
        let errors = self.show(ui, found);
        spec.ok_or_else(|| wrong(&self.name, &errors))
    }

    /// Shows mistakes that only one instance has; the error of exit 65.
    pub(crate) fn refuse(&self, ui: &Ui, found: Diagnostics) -> CommandError {
        wrong(&self.name, &self.show(ui, found))
    }

    /// Shows what was found, and gives the codes of the errors.
    fn show(&self, ui: &Ui, found: Diagnostics) -> Vec<&'static str> {
        let errors = error_codes(&found);
        if !found.is_empty() {
            if ui.is_json() {
                for one in render::located(found, self.source()) {
                    ui.event(&Event::Diagnostic((&one).into()));
                }
            } else {
                ui.show_painted(&render::pictures(found, self.source(), ui.err_style()));
            }
        }
        errors
    }
}

/// How far up a spec is looked for.
struct Bound {
    /// The last folder that is looked into.
    last: PathBuf,
    /// Why no further, as a clause.
    why: &'static str,
}

impl Bound {
    fn around(start: &Path, user: User) -> Self {
        if let Some(top) = git::top(start) {
            return Self { last: top.to_owned(), why: "it is the top of the repository" };
        }
        let own = start.ancestors().take_while(|folder| user.owns(folder));
        let last = own.last().unwrap_or(start).to_owned();
        Self { last, why: "what is above it is not this user's" }
    }

    fn folders<'p>(&'p self, start: &'p Path) -> impl Iterator<Item = &'p Path> {
        start.ancestors().take_while(|folder| folder.starts_with(&self.last))
    }
}

fn not_there(start: &Path, bound: &Bound) -> CommandError {
    let last = &bound.last;
    let place = start.display();
    let message = if last == start {
        format!("there is no {SPEC_FILE} in {place}")
    } else {
        format!("there is no {SPEC_FILE} in {place} or above it, up to {}", last.display())
    };
    let beyond = last.ancestors().skip(1).find(|folder| fsio::is_there(&folder.join(SPEC_FILE)));
    let beyond = beyond.map(|folder| {
        let (found, named) = (folder.join(SPEC_FILE), fsio::for_shell(folder));
        let (found, last) = (found.display(), last.display());
        format!("{found} is beyond {last}, and {}; to use it: envc -C {named} …", bound.why)
    });
    CommandError::new(ExitCode::Spec, message)
        .hint_opt(beyond)
        .hint("go to the project's folder, or name it: envc -C path/to/project …")
        .hint(format!("or write one, such as: project \"shop\" in {SPEC_FILE}"))
        .code("envc::cli::no_spec")
}

/// The error of a spec that git would not take either. Nothing of it was read.
fn another_users(name: &str, path: &Path, top: &Path) -> CommandError {
    CommandError::new(
        ExitCode::Spec,
        format!("{name} is another user's, and nothing of it was read"),
    )
    .because_text(format!("{} belongs neither to you nor to root", path.display()))
    .hint(format!(
        "if you trust it, say so to git and envc: git config --global --add safe.directory {}",
        fsio::for_shell(top)
    ))
    .code("envc::cli::spec_of_another_user")
}

/// The error of a spec that is a link out of its working tree. What it leads to is not shown.
fn leads_outside(name: &str, file: &Path) -> CommandError {
    CommandError::new(ExitCode::Spec, format!("{name} is a link that leads out of the repository"))
        .because_text(format!("it leads to {}", file.display()))
        .hint("put the file itself there, or name it: envc -C path/to/the/file …")
        .code("envc::cli::spec_outside")
}

/// What is too large or no text is a wrong spec; anything else is a failure.
fn unreadable(error: FsError) -> CommandError {
    let kind = error.source.kind();
    let error = CommandError::from(error).code("envc::cli::spec_unreadable");
    match kind {
        std::io::ErrorKind::FileTooLarge | std::io::ErrorKind::InvalidData => {
            CommandError { exit: ExitCode::Spec, ..error }
        }
        _ => error,
    }
}

/// The codes of the errors among what was found, in the order of their places.
pub(crate) fn error_codes(found: &Diagnostics) -> Vec<&'static str> {
    let errors = found.iter().filter(|one| one.severity == Severity::Error);
    let mut errors: Vec<_> = errors.map(|one| (one.span(), one.code)).collect();
    errors.sort_unstable();
    errors.into_iter().map(|(_, code)| code).collect()
}

/// The error of a spec with mistakes of these codes, which were shown.
pub(crate) fn wrong(name: &str, errors: &[&str]) -> CommandError {
    let count = match errors {
        [_] => "1 mistake".to_owned(),
        // No more are kept.
        many if many.len() >= MISTAKES_MAX => format!("{MISTAKES_MAX} mistakes or more"),
        _ => format!("{} mistakes", errors.len()),
    };
    CommandError::new(ExitCode::Spec, format!("{name} has {count}"))
        .hint_opt(explain::hint(errors))
        .code("envc::cli::spec_wrong")
}

/// The path as the user would type it from where they stand.
fn relative(path: &Path, cwd: &Path) -> String {
    let cwd = cwd.canonicalize().unwrap_or_else(|_| cwd.to_owned());
    for (up, folder) in cwd.ancestors().enumerate() {
        // Climbing to the root of the file system is no shorter than the whole path.
        if folder.parent().is_none() {
            break;
        }
        if let Ok(rest) = path.strip_prefix(folder) {
            let path: PathBuf = std::iter::repeat_n(Path::new(".."), up).chain([rest]).collect();
            return path.display().to_string();
        }
    }
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn project() -> (tempfile::TempDir, PathBuf) {
        let keep = tempfile::tempdir().unwrap();
        let root = keep.path().canonicalize().unwrap().join("shop");
        fs::create_dir_all(root.join("apps/web")).unwrap();
        fs::write(root.join(SPEC_FILE), "project \"shop\"\n").unwrap();
        (keep, root)
    }

    #[test]
    fn the_spec_is_found_upwards_and_named_from_where_the_user_stands() {
        let (_keep, root) = project();
        let check = |cwd: &Path, chdir: Option<&str>, name: &str| {
            let found = SpecFile::find(cwd, chdir.map(Path::new), &ProcessEnv::capture()).unwrap();
            assert_eq!((found.root.as_path(), found.name.as_str()), (root.as_path(), name));
        };
        check(&root, None, "environment.kdl");
        check(&root.join("apps/web"), None, "../../environment.kdl");
        check(&root, Some("apps/web"), "environment.kdl");
        check(root.parent().unwrap(), Some("shop"), "shop/environment.kdl");
        check(root.parent().unwrap(), Some("shop/environment.kdl"), "shop/environment.kdl");
    }

    #[cfg(unix)]
    #[test]
    fn a_spec_that_is_a_link_lies_where_it_was_named_and_leads_nowhere_outside() {
        use std::os::unix::fs::symlink;
        let (keep, root) = project();
        let link = root.join("link");
        fs::create_dir(&link).unwrap();
        symlink("../environment.kdl", link.join(SPEC_FILE)).unwrap();
        // Without a repository around both, the folder is the bound.
        let error = SpecFile::find(&link, None, &ProcessEnv::capture()).unwrap_err();
        assert_eq!((error.exit, error.code), (ExitCode::Spec, Some("envc::cli::spec_outside")));
        fs::create_dir(root.join(".git")).unwrap();
        let found = SpecFile::find(&link, None, &ProcessEnv::capture()).unwrap();
        assert_eq!((found.root.as_path(), found.name.as_str()), (link.as_path(), SPEC_FILE));
        assert_eq!(found.path, Some(root.join(SPEC_FILE)));
        assert_eq!(found.text, "project \"shop\"\n");
        // What lies outside is not even read.
        fs::write(keep.path().join("secret"), "password").unwrap();
        fs::remove_file(link.join(SPEC_FILE)).unwrap();
        symlink(keep.path().join("secret"), link.join(SPEC_FILE)).unwrap();
        let error = SpecFile::find(&link, None, &ProcessEnv::capture()).unwrap_err().to_text();
        assert!(error.contains("leads out") && !error.contains("password"), "{error}");
        // A folder that is a link is the folder that it leads to.
        symlink("apps", root.join("other")).unwrap();
        symlink("../environment.kdl", root.join("apps").join(SPEC_FILE)).unwrap();
        assert_eq!(
            SpecFile::find(&root.join("other"), None, &ProcessEnv::capture()).unwrap().root,
            root.join("apps")
        );
    }

    #[test]
    fn what_cannot_be_used_is_said_with_the_right_exit() {
        let (keep, root) = project();
        let exit = |cwd: &Path, chdir: Option<&str>| {
            SpecFile::find(cwd, chdir.map(Path::new), &ProcessEnv::capture()).unwrap_err().exit
        };
        assert_eq!(exit(keep.path(), None), ExitCode::Spec);
        assert_eq!(exit(&root, Some("nowhere")), ExitCode::Usage);
        fs::write(root.join(SPEC_FILE), b"\xff\xfe").unwrap();
        assert_eq!(exit(&root, None), ExitCode::Spec);
        fs::write(root.join(SPEC_FILE), vec![b' '; SPEC_BYTES_MAX + 1]).unwrap();
        assert_eq!(exit(&root, None), ExitCode::Spec);
        fs::write(root.join(SPEC_FILE), vec![b' '; SPEC_BYTES_MAX]).unwrap();
        assert!(SpecFile::find(&root, None, &ProcessEnv::capture()).is_ok());
    }
}
