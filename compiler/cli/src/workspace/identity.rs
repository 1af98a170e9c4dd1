//! How an environment comes by its ID.
//!
//! Named on the command line, fixed by the spec, recorded in this working copy, or drawn anew.
//! What is drawn is not recorded here: that is done once all is refused that can be.

use envc_exec::ports::Entropy;
use envc_spec::{Identity, Spec, TypeHead, branch_id, identity_from_branch};

use crate::{
    host::{
        env::ProcessEnv,
        error::CommandError,
        exit_code::ExitCode,
        git::{self, GitView},
    },
    shell::ui::Ui,
    workspace::{
        choice::Selection,
        choice::{Choice, CloudName},
        registry::{Mint, WorkingCopy},
    },
};

/// An ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Id {
    /// The ID.
    pub(crate) id: String,
    /// It is the working copy's own: from the branch, and recorded with it.
    pub(crate) minted: bool,
}

/// The ID that is known already; `None` where one has to be drawn.
pub(crate) fn known(
    ui: &Ui,
    source: &Source<'_>,
    copy: &WorkingCopy,
    selection: &Selection,
) -> Result<Option<Id>, CommandError> {
    let head = source.head;
    if let Some(id) = &selection.id {
        let id = checked(id)?;
        refuse_other_pr(head, &id, selection.pr)?;
        return Ok(Some(Id { id, minted: false }));
    }
    if let Identity::Branch { max_length, unique } = head.identity {
        if !unique {
            return source.of_branch(ui, copy, max_length).map(Some);
        }
        let recorded = copy.record().minted_id(&head.name);
        return Ok(recorded.map(|id| Id { id: id.to_owned(), minted: true }));
    }
    if let Some(id) = head.identity.fixed(selection.pr) {
        return Ok(Some(Id { id, minted: false }));
    }
    // In CI a job that forgot the number would change what an earlier job left the folder bound to.
    let bound = copy.record().bound.as_ref().filter(|bound| {
        let is_its = bound.env_type == head.name && pr_of(head, &bound.id).is_some();
        is_its && (selection.looks || !source.env.ci)
    });
    if let Some(bound) = bound {
        return Ok(Some(Id { id: bound.id.clone(), minted: false }));
    }
    Err(CommandError::usage(format!(
        "an environment of type `{}` needs the number of its pull request",
        head.name
    ))
    .hint("add it: --pr 42")
    .code("envc::cli::no_pr"))
}

/// Refuses an ID and a number of two pull requests: `{env.pr}` would be the one's in what is the
/// other's.
fn refuse_other_pr(head: &TypeHead, id: &str, pr: Option<u32>) -> Result<(), CommandError> {
    let (Some(pr), true) = (pr, head.identity.is_per_pr()) else {
        return Ok(());
    };
    match head.identity.fixed(Some(pr)) {
        Some(own) if own != id => Err(CommandError::usage(format!(
            "--id {id} and --pr {pr} name two environments: that of pull request {pr} is `{own}`"
        ))
        .hint(format!("leave one of them out: {} --pr {pr}, or --id {id}", head.name))
        .code("envc::cli::other_pr")),
        _ => Ok(()),
    }
}

/// Refuses to work on an environment as another type than its own: it would be held to another
/// block of the spec, without the `protect` of its own. `recorded` is the type that it was last
/// worked on as.
pub(crate) fn refuse_other_type(
    spec: &Spec,
    head: &TypeHead,
    id: &str,
    recorded: Option<&str>,
) -> Result<(), CommandError> {
    let refused = |why: String, hint: String| {
        Err(CommandError::usage(format!("`{id}` is no environment of type `{}`: {why}", head.name))
            .hint(hint)
            .code("envc::cli::other_type"))
    };
    let name_it = |of: &str| format!("name its own type: {of} --id {id}, or leave the type out");
    if let Some(other) = spec.could_be_fixed(id, &head.name) {
        return refused(format!("it is the ID of type `{}`", other.name), name_it(&other.name));
    }
    // What was made as this type before its identity was another one is of this type still.
    if let Identity::Text { pattern, .. } = &head.identity
        && spec.could_be_fixed(id, "").is_none()
        && recorded != Some(head.name.as_str())
    {
        return refused(
            format!("those have the ID `{pattern}`"),
            "leave out --id, or name another type".to_owned(),
        );
    }
    // A type that the spec does not have any more was perhaps renamed.
    match recorded.filter(|recorded| *recorded != head.name && spec.head(recorded).is_some()) {
        Some(other) => refused(format!("it was made as type `{other}`"), name_it(other)),
        None => Ok(()),
    }
}

/// What an ID is drawn from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    /// The spec.
    pub(crate) spec: &'a Spec,
    /// The type.
    pub(crate) head: &'a TypeHead,
    /// What git says.
    pub(crate) git: &'a GitView,
    /// The process's variables.
    pub(crate) env: &'a ProcessEnv,
}

impl Source<'_> {
    /// Draws a random ID, which no other working copy has. In CI one that no other job could find again
    /// is refused; `cloud` is where the environment will be.
    pub(crate) fn draw(
        &self,
        ui: &Ui,
        copy: &WorkingCopy,
        cloud: CloudName,
        now_s: u64,
        entropy: &dyn Entropy,
    ) -> Result<Id, CommandError> {
        let Identity::Branch { max_length, unique: true } = self.head.identity else {
            return Err(CommandError::failed("BUG: a random ID is not drawn"));
        };
        if self.env.ci && cloud == CloudName::Cloudflare {
            return Err(self.unique_in_ci());
        }
        let branch = self.branch()?;
        let (spec, head) = (self.spec, self.head);
        let mint = Mint {
            branch_part: &identity_from_branch(branch.as_deref(), max_length),
            now_s,
            forbidden: &|id| spec.could_be_fixed(id, &head.name).is_some(),
        };
        let id = copy.draw_id(&mint, entropy)?;
        if branch.is_none() {
            self.say_no_branch(ui, &id);
        }
        Ok(Id { id, minted: true })
    }

    /// The ID that the branch of today gives without randomness, whatever is recorded: no two branches
    /// give the same one.
    fn of_branch(
        &self,
        ui: &Ui,
        copy: &WorkingCopy,
        max_length: usize,
    ) -> Result<Id, CommandError> {
        let branch = self.branch()?;
        let id = branch_id(branch.as_deref(), max_length);
        if let Some(other) = self.spec.could_be_fixed(&id, &self.head.name) {
            return Err(CommandError::failed(format!(
                "the branch gives the ID `{id}`, which belongs to another type of the spec: `{}`",
                other.name
            ))
            .hint("add `unique` to the identity, or rename the branch")
            .code("envc::cli::id_taken"));
        }
        // Told once: the folder knows it from then on.
        if branch.is_none() && !copy.record().environments.contains_key(&id) {
            self.say_no_branch(ui, &id);
        }
        Ok(Id { id, minted: true })
    }

    /// The branch. In CI, where nobody would notice, a name that no branch gave is refused.
    fn branch(&self) -> Result<Option<String>, CommandError> {
        let branch = git::branch(self.git, self.env);
        if branch.is_none() && self.env.ci { Err(self.no_branch()) } else { Ok(branch) }
    }

    fn say_no_branch(&self, ui: &Ui, id: &str) {
        ui.warn(&format!("{}, so the ID is made without one: `{id}`", self.why_no_branch()));
    }

    fn why_no_branch(&self) -> &'static str {
        match (&self.git.repository, &self.git.warning) {
            (Some(_), _) => "no branch is checked out (git calls that a detached head)",
            (None, Some(_)) => "git names no branch",
            (None, None) => "this folder is in no git repository, and has no branch",
        }
    }

    fn no_branch(&self) -> CommandError {
        let mut error = CommandError::failed(format!(
            "the ID of an environment of type `{}` comes from a branch, and there is none",
            self.head.name
        ))
        .because_text(self.why_no_branch())
        .hint("check out a branch, or name the environment: --id ID")
        .hint("or give the type an identity that CI knows: identity \"pr-{env.pr}\", with --pr")
        .code("envc::cli::no_branch");
        if let Some(warning) = &self.git.warning {
            error = error.because_text(warning);
        }
        error
    }

    fn unique_in_ci(&self) -> CommandError {
        CommandError::failed(format!(
            "type `{}` gives each working copy an ID of its own, and this is a CI job",
            self.head.name
        ))
        .because_text("no other job would find its environment again, to update or to destroy it")
        .hint("use a type for pull requests: identity \"pr-{env.pr}\", with --pr 42")
        .hint("or one environment for each branch: identity branch, without `unique`")
        .code("envc::cli::unique_in_ci")
    }
}

/// The error of `--pr` with a type that has no use for it.
pub(crate) fn no_use_of_pr(
    types: &[TypeHead],
    chosen: &Choice<&TypeHead>,
    pr: u32,
) -> CommandError {
    let fit: Vec<&str> =
        types.iter().filter(|head| head.is_per_pr()).map(|head| head.name.as_str()).collect();
    let Choice { value, why } = chosen;
    let error = CommandError::usage(format!(
        "--pr {pr} names a pull request, and type `{}` has no environment for each",
        value.name
    ))
    .because_text(format!("the type is `{}` because {why}", value.name))
    .code("envc::cli::no_type_for_pr");
    match fit.as_slice() {
        [] => error.hint(
            "add a type to environment.kdl: environment \"ephemeral\" { when pr ; identity \"pr-{env.pr}\" }",
        ),
        names => error.hint(format!("name one that has: {}", names.join(", "))),
    }
}

/// An ID from the command line goes into names and paths, so it has to look like one.
pub(crate) fn checked(id: &str) -> Result<String, CommandError> {
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
pub(crate) fn pr_of(head: &TypeHead, id: &str) -> Option<u32> {
    let Identity::Text { pattern, per_pr: true } = &head.identity else { return None };
    let (before, after) = pattern.split_once("{env.pr}")?;
    id.strip_prefix(before)?.strip_suffix(after)?.parse().ok()
}
