//! The claim: one KV namespace in the account for each project whose pull requests' names are to
//! be a proof, titled `envc claim PROJECT REPOSITORY`.
//!
//! PROJECT is what stands for the project in names. Where that is a short form, the project's name
//! follows the repository: two projects of one repository could have one short form.
//!
//! Two repositories may name a project alike, and both have a pull request 1. Nothing on a fresh
//! runner tells their environments apart, so the account does. The claim is the project's and not
//! an environment's: it is made before the first of them, and destroy leaves it.
//!
//! Invariants: nothing is made or taken over under a name while another repository claims it; a
//! run that finds another's claim beside the one that it made takes its own away again. The claim
//! is a guard and no lock: of two first applies at the same instant it may be that neither goes on.

use envc_core::{Digest, KindId};
use envc_exec::{CallClass, CallError, Client, Scope, help_for_call};
use envc_kinds::{Kind, Meaning, Observed, Wanted, kind};
use envc_plan::Observation;
use serde_json::json;

use crate::{
    connect::{interrupted, what_failed},
    error::CommandError,
    repository,
    session::Session,
    whose,
};

/// What every claim's title begins with.
const TITLE: &str = envc_kinds::CLAIM_TITLE;
/// Characters of a title.
const TITLE_CHARS_MAX: usize = 512;
/// What stands for a repository whose name does not fit.
const DIGEST: &str = "sha256:";
/// Tries until it is certain that a claim was made.
const TRIES_MAX: u32 = 5;

/// A claim of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Its identifier.
    pub(crate) id: String,
    /// Who claims, as it stands in the title: the repository, and the project's name where names
    /// hold a short form.
    pub(crate) by: String,
}

/// The claims of one project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claims {
    /// This repository's.
    pub(crate) ours: Option<Claim>,
    /// Of what this repository was before.
    pub(crate) former: Vec<Claim>,
    /// Other repositories'.
    pub(crate) others: Vec<Claim>,
    /// Titles that begin as claims of the project do, and name nobody: envc writes no such.
    pub(crate) unread: Vec<String>,
}

/// What is claimed, and for whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// What stands for the project in names.
    pub(crate) prefix: &'a str,
    /// The project's name.
    pub(crate) project: &'a str,
    /// The repository.
    pub(crate) repository: &'a str,
}

impl<'a> Subject<'a> {
    /// The session's.
    pub(crate) fn of(session: &'a Session<'_>) -> Self {
        let Session { prefix, project, repository, .. } = session;
        Self { prefix, project, repository }
    }

    /// What stands in the title for who claims.
    fn claimant(self) -> String {
        let Self { prefix, project, repository } = self;
        let of_project = if prefix == project { String::new() } else { format!(" {project}") };
        let chars = TITLE.len() + prefix.len() + 1 + repository.len() + of_project.len();
        if chars <= TITLE_CHARS_MAX {
            return format!("{repository}{of_project}");
        }
        format!("{DIGEST}{}{of_project}", Digest::of(repository))
    }

    /// The title of the claim. Nothing in it but what parts it holds a blank, so it reads back.
    fn title(self) -> String {
        format!("{TITLE}{} {}", self.prefix, self.claimant())
    }

    /// Who claims the same by this title.
    fn read_title(self, title: &str) -> Option<&str> {
        title.strip_prefix(TITLE)?.strip_prefix(self.prefix)?.strip_prefix(' ')
    }
}

impl Claims {
    /// The claims among these namespaces. `was` tells what this repository was before.
    pub(crate) fn among<'n>(
        namespaces: impl Iterator<Item = &'n Observed>,
        subject: Subject<'_>,
        was: &dyn Fn(&str) -> bool,
    ) -> Self {
        let mut claims = Self::default();
        let ours = subject.claimant();
        for seen in namespaces {
            let Some(by) = subject.read_title(&seen.name) else { continue };
            if !names_somebody(by) {
                claims.unread.push(seen.name.clone());
                continue;
            }
            let claim = Claim { id: seen.id.clone(), by: by.to_owned() };
            let (repository, project) = by.split_once(' ').unwrap_or((by, subject.prefix));
            if by == ours {
                claims.ours = Some(claim);
            } else if project == subject.project && was(repository) {
                claims.former.push(claim);
            } else {
                claims.others.push(claim);
            }
        }
        claims
    }

    /// The claims of the session's project among what was observed.
    pub(crate) fn of(session: &Session<'_>, observation: &Observation) -> Self {
        let seen = observation.found.get(&KindId::Kv).into_iter().flatten();
        Self::of_namespaces(session, seen.map(|seen| &seen.observed))
    }

    fn of_namespaces<'n>(
        session: &Session<'_>,
        namespaces: impl Iterator<Item = &'n Observed>,
    ) -> Self {
        Self::among(namespaces, Subject::of(session), &|other| session.was(other))
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Claim> {
        self.ours.iter().chain(&self.former).chain(&self.others)
    }

    /// The claim of a repository: by its name, or as it stands in the title.
    pub(crate) fn by(&self, subject: Subject<'_>) -> Option<&Claim> {
        let own = subject.claimant();
        self.all().find(|claim| claim.by == subject.repository || claim.by == own)
    }

    /// The project is this repository's, and nobody else says that it is theirs.
    pub(crate) fn are_ours(&self) -> bool {
        self.others.is_empty() && (self.ours.is_some() || !self.former.is_empty())
    }

    /// Refuses a project that another repository claims.
    pub(crate) fn refuse_others(&self, session: &Session<'_>) -> Result<(), CommandError> {
        let Some(other) = self.others.first() else { return Ok(()) };
        let Session { prefix, repository, .. } = session;
        let error = match other.by.split_once(' ') {
            None => whose::other(
                &format!("the project `{prefix}` in this account"),
                &other.by,
                repository,
            ),
            Some((theirs, project)) => CommandError::failed(format!(
                "`{prefix}` stands for another project in this account; nothing was changed"
            ))
            .because_text(format!("it is the short form of `{project}` of {theirs}"))
            .hint("give this project another name, or another short form")
            .code("envc::cli::another_repository"),
        };
        let error = error.hint(format!(
            "if nobody works with that one any more, release its claim: \
             envc state claim --release \"{}\"",
            other.by
        ));
        Err(match &self.ours {
            Some(_) => error.because_text(
                "both claim it: two first applies at once, or one that was released by hand",
            ),
            None => error,
        })
    }
}

/// A repository, and a project's name behind it where names hold a short form.
fn names_somebody(by: &str) -> bool {
    let mut words = by.split(' ');
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|it| it.is_ascii_graphic());
    words.next().is_some_and(is_word) && words.next().is_none_or(is_word) && words.next().is_none()
}

/// Refuses to claim for what another run would not be. A folder of a CI job is gone with it.
pub(crate) fn refuse_nobody(session: &Session<'_>) -> Result<(), CommandError> {
    let is_lasting = !repository::is_working_copy(&session.repository);
    if is_lasting || !session.env.ci || !session.needs_claim() {
        return Ok(());
    }
    let mut error = CommandError::failed(format!(
        "it is not known which repository the project `{}` is of",
        session.project
    ))
    .because_text("this is a CI job, and git names no `origin` on a host")
    .hint(format!(
        "say so in environment.kdl: project \"{}\" id=\"github.com/acme/shop\"",
        session.project
    ))
    .code("envc::cli::no_repository");
    if let Some(warning) = &session.git.warning {
        error = error.because_text(warning);
    }
    Err(error)
}

/// Where claims are looked for and made.
#[derive(Clone, Copy)]
pub(crate) struct Office<'a> {
    /// The session.
    pub(crate) session: &'a Session<'a>,
    /// The client.
    pub(crate) client: &'a Client<'a>,
    /// The account.
    pub(crate) scope: &'a Scope,
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    /// It was there.
    Known,
    /// It is new.
    New,
    /// It was that of what this repository was before.
    Renamed,
}

impl Office<'_> {
    fn kv() -> &'static dyn Kind {
        kind(KindId::Kv)
    }

    fn wanted(&self) -> Wanted {
        Wanted { name: Subject::of(self.session).title(), ..Wanted::default() }
    }

    /// All claims of the project: a list of its own.
    pub(crate) async fn look(&self) -> Result<Claims, CommandError> {
        let place = self.scope.place(None);
        let Some(listing) = Self::kv().listing(&place) else { return Ok(Claims::default()) };
        let listed = self.client.list(&listing, Self::kv()).await;
        let listed = listed.map_err(|error| failed("the claims cannot be read", &error))?;
        let claims = Claims::of_namespaces(self.session, listed.iter());
        for title in &claims.unread {
            self.session.ui.warn(&format!(
                "the KV namespace `{}` begins as a claim does and names no repository, so it is ignored",
                title.escape_debug()
            ));
        }
        Ok(claims)
    }

    /// Makes the claim where there is none. `seen` is what was found before.
    pub(crate) async fn make(&self, seen: &Claims) -> Result<Made, CommandError> {
        seen.refuse_others(self.session)?;
        if seen.ours.is_some() {
            return Ok(Made::Known);
        }
        if let Some(former) = seen.former.first() {
            self.rename(former).await?;
            return Ok(Made::Renamed);
        }
        let own = self.create().await?;
        // Who made theirs at the same instant stands beside it now.
        let claims = self.look().await?;
        if !claims.others.is_empty()
            && let (true, Some(ours)) = (own, &claims.ours)
        {
            self.release(ours).await?;
        }
        claims.refuse_others(self.session)?;
        let Session { project, repository, ui, .. } = self.session;
        ui.say(&format!("claimed the project `{project}` in this account for {repository}"));
        ui.event("claimed", json!({ "project": project, "repository": repository }));
        Ok(Made::New)
    }

    /// False: the claim was there already, made by another run of this repository.
    async fn create(&self) -> Result<bool, CommandError> {
        let call = Self::kv().create(&self.scope.place(None), &self.wanted());
        let mut unknown = false;
        for attempt in 1.. {
            let error = match self.client.call(&call, Some(Self::kv())).await {
                Ok(_) => return Ok(true),
                Err(error) if error.means(Meaning::Exists) => return Ok(unknown),
                Err(error) => error,
            };
            unknown |= error.is_unknown();
            if !error.is_unknown() || attempt >= TRIES_MAX || self.client.stopped() {
                let what = format!("the project `{}` cannot be claimed", self.session.project);
                return Err(failed(&what, &error).hint("nothing was made"));
            }
            self.client.pause(self.client.backoff_ms(attempt)).await;
        }
        Ok(unknown)
    }

    async fn rename(&self, former: &Claim) -> Result<(), CommandError> {
        let name = ["name".to_owned()];
        let call = Self::kv().update(&self.scope.place(None), &former.id, &self.wanted(), &name);
        let renamed = self.client.call_repeatable(&call, Some(Self::kv())).await;
        match renamed {
            // Another run of this repository claimed it meanwhile.
            Err(error) if error.means(Meaning::Exists) => {}
            renamed => {
                renamed.map_err(|error| failed("the claim cannot be renamed", &error))?;
            }
        }
        let Session { project, repository, ui, .. } = self.session;
        ui.say(&format!(
            "the claim of the project `{project}` was that of {}, and is that of {repository} now",
            former.by
        ));
        Ok(())
    }

    /// Takes a claim away. Not there is as good as done.
    pub(crate) async fn release(&self, claim: &Claim) -> Result<(), CommandError> {
        let Some(call) = Self::kv().delete(&self.scope.place(None), &claim.id) else {
            return Ok(());
        };
        match self.client.call_repeatable(&call, Some(Self::kv())).await {
            Err(error) if !error.means(Meaning::NotFound) => {
                Err(failed("the claim cannot be released", &error))
            }
            _ => Ok(()),
        }
    }
}

fn failed(what: &str, error: &CallError) -> CommandError {
    if error.class == CallClass::Interrupted {
        return interrupted();
    }
    CommandError::failed(format!("{what}: {}", what_failed(error)))
        .because(error)
        .hint_opt(help_for_call(error, Office::kv().permission(), error.is_unknown()))
        .code("envc::cli::claim")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(titles: &[&str]) -> Claims {
        let seen: Vec<Observed> = titles
            .iter()
            .map(|name| Observed { id: "i".into(), name: (*name).into(), ..Observed::default() })
            .collect();
        Claims::among(seen.iter(), shop("git.example/a/shop"), &|other| other == "working-copy:1")
    }

    fn shop(repository: &str) -> Subject<'_> {
        Subject { prefix: "shop", project: "shop", repository }
    }

    #[test]
    fn claims_are_read_back_from_titles() {
        assert!(claims(&["envc claim shop git.example/a/shop"]).are_ours());
        assert!(claims(&["envc claim shop working-copy:1"]).are_ours());
        for nothing in [
            "envc claim shop-api git.example/a/shop",
            "envc claim sho p git.example/a/shop",
            "envc claim shop",
            "shop",
            "x envc claim shop git.example/a/shop",
        ] {
            assert_eq!(claims(&[nothing]), Claims::default(), "{nothing}");
        }
        let both =
            claims(&["envc claim shop git.example/a/shop", "envc claim shop git.example/b/shop"]);
        assert!(!both.are_ours());
        assert_eq!(both.others.first().map(|it| it.by.as_str()), Some("git.example/b/shop"));
    }

    #[test]
    fn a_title_that_names_nobody_claims_nothing_and_is_told() {
        for by in ["", " ", "a  shop", "a b c", " a", "a ", "a\tb", "größe"] {
            let title = format!("envc claim shop {by}");
            let found = claims(&[&title, "envc claim shop git.example/a/shop"]);
            assert!(found.are_ours() && found.unread == [title], "{by:?}");
        }
        assert!(claims(&["envc claim shop a shopping"]).unread.is_empty());
    }

    #[test]
    fn a_short_form_is_one_projects() {
        let repository = "git.example/a/shop";
        let titles = [("shop", "shop"), ("shop", "shopping"), ("shop", "store")]
            .map(|(prefix, project)| Subject { prefix, project, repository }.title());
        for (index, title) in titles.iter().enumerate() {
            let seen = Observed { name: title.clone(), ..Observed::default() };
            for (other, project) in ["shop", "shopping", "store"].into_iter().enumerate() {
                let subject = Subject { prefix: "shop", project, repository };
                let claims = Claims::among([&seen].into_iter(), subject, &|_| true);
                assert_eq!(claims.are_ours(), index == other, "{title} for {project}");
                assert_eq!(claims.others.len(), usize::from(index != other));
            }
        }
    }

    #[test]
    fn a_title_fits_and_two_repositories_have_two() {
        let long = |end: &str| format!("git.example/{}/{end}", "group/".repeat(200));
        let (a, b) = (long("a"), long("b"));
        let (one, two) = (shop(&a).title(), shop(&b).title());
        assert!(one != two && one.len() <= TITLE_CHARS_MAX, "{one} {two}");
        assert_eq!(shop("").read_title(&one), Some(shop(&a).claimant().as_str()));
        let longest = "r".repeat(TITLE_CHARS_MAX - TITLE.len() - "shop ".len());
        assert_eq!(shop(&longest).title().len(), TITLE_CHARS_MAX);
        assert!(shop(&longest).title().ends_with(&longest));
    }
}
