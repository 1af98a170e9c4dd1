//! The claim: one KV namespace in the account for each project whose pull requests' names are to
//! be a proof, titled `envc claim PROJECT REPOSITORY`.
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
const TITLE: &str = "envc claim ";
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
    /// The repository that claims, as it stands in the title.
    pub(crate) repository: String,
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
}

/// What stands in a title for a repository.
fn claimant(project: &str, repository: &str) -> String {
    let chars = TITLE.len() + project.len() + 1 + repository.len();
    if chars <= TITLE_CHARS_MAX {
        return repository.to_owned();
    }
    format!("{DIGEST}{}", Digest::of(repository))
}

/// The title of a project's claim. A project's name holds no blank, so it reads back.
pub(crate) fn title(project: &str, repository: &str) -> String {
    format!("{TITLE}{project} {}", claimant(project, repository))
}

/// Who claims the project by this title.
fn read_title<'t>(project: &str, title: &'t str) -> Option<&'t str> {
    title.strip_prefix(TITLE)?.strip_prefix(project)?.strip_prefix(' ')
}

impl Claims {
    /// The claims among these namespaces. `was` tells what this repository was before.
    pub(crate) fn among<'n>(
        namespaces: impl Iterator<Item = &'n Observed>,
        project: &str,
        repository: &str,
        was: &dyn Fn(&str) -> bool,
    ) -> Self {
        let mut claims = Self::default();
        let ours = claimant(project, repository);
        for seen in namespaces {
            let Some(by) = read_title(project, &seen.name) else { continue };
            let claim = Claim { id: seen.id.clone(), repository: by.to_owned() };
            if by == ours {
                claims.ours = Some(claim);
            } else if was(by) {
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
        let Session { project, repository, .. } = session;
        Self::among(namespaces, project, repository, &|other| session.was(other))
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Claim> {
        self.ours.iter().chain(&self.former).chain(&self.others)
    }

    /// The claim of a repository: by its name, or as it stands in the title.
    pub(crate) fn by(&self, project: &str, repository: &str) -> Option<&Claim> {
        let short = claimant(project, repository);
        self.all().find(|claim| claim.repository == repository || claim.repository == short)
    }

    /// The project is this repository's, and nobody else says that it is theirs.
    pub(crate) fn are_ours(&self) -> bool {
        self.others.is_empty() && (self.ours.is_some() || !self.former.is_empty())
    }

    /// Refuses a project that another repository claims.
    pub(crate) fn refuse_others(&self, session: &Session<'_>) -> Result<(), CommandError> {
        let Some(other) = self.others.first() else { return Ok(()) };
        let Session { project, repository, .. } = session;
        let what = format!("the project `{project}` in this account");
        let error = whose::other(&what, &other.repository, repository).hint(format!(
            "if nobody works with that one any more, release its claim: \
             envc state claim --release {}",
            other.repository
        ));
        Err(match &self.ours {
            Some(_) => error.because_text(
                "both claim it: two first applies at once, or one that was released by hand",
            ),
            None => error,
        })
    }
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
    .hint(format!("say so in environment.kdl: project \"{}\" id=\"acme/shop\"", session.project))
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
        let name = title(&self.session.project, &self.session.repository);
        Wanted { name, ..Wanted::default() }
    }

    /// All claims of the project: a list of its own.
    pub(crate) async fn look(&self) -> Result<Claims, CommandError> {
        let place = self.scope.place(None);
        let Some(listing) = Self::kv().listing(&place) else { return Ok(Claims::default()) };
        let listed = self.client.list(&listing, Self::kv()).await;
        let listed = listed.map_err(|error| failed("the claims cannot be read", &error))?;
        Ok(Claims::of_namespaces(self.session, listed.iter()))
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
            former.repository
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
        Claims::among(seen.iter(), "shop", "git.example/a/shop", &|other| other == "working-copy:1")
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
        assert_eq!(
            both.others.first().map(|it| it.repository.as_str()),
            Some("git.example/b/shop")
        );
    }

    #[test]
    fn a_title_fits_and_two_repositories_have_two() {
        let long = |end: &str| format!("git.example/{}/{end}", "group/".repeat(200));
        let (one, two) = (title("shop", &long("a")), title("shop", &long("b")));
        assert!(one != two && one.len() <= TITLE_CHARS_MAX, "{one} {two}");
        assert_eq!(read_title("shop", &one), Some(claimant("shop", &long("a")).as_str()));
        let longest = "r".repeat(TITLE_CHARS_MAX - TITLE.len() - "shop ".len());
        assert_eq!(title("shop", &longest).len(), TITLE_CHARS_MAX);
        assert!(title("shop", &longest).ends_with(&longest));
    }
}
