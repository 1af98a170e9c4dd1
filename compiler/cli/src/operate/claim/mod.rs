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
//! A claim is a proof where it was found, and not where this run makes it: what stands there before
//! it under names of pull requests could be anybody's (`standing`). What comes to stand there after
//! it is this repository's.
//!
//! Invariants: nothing is made or taken over under a name while another repository claims it; of
//! two first applies at the same instant at most one goes on (`office`).

mod office;
mod standing;

use envc_core::{Digest, KindId};
use envc_kinds::Observed;
use envc_plan::Observation;

pub(crate) use office::{Made, Office};
pub(crate) use standing::{Standing, list_standing, not_listed};

use crate::{
    host::error::CommandError,
    workspace::{Project, Workspace, repository, session::Session, whose},
};

/// What every claim's title begins with.
const TITLE: &str = envc_kinds::CLAIM_TITLE;
/// Characters of a title.
const TITLE_CHARS_MAX: usize = 512;
/// What stands for a repository whose name does not fit.
const DIGEST: &str = "sha256:";
/// What stands between a claim's title and the nonce of a bid.
const BID: &str = " +";
/// Unguessable bytes of a bid; each is two characters.
const NONCE_BYTES: usize = 4;

/// A claim of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Its identifier.
    pub(crate) id: String,
    /// Who claims, as it stands in the title: the repository, and the project's name where names
    /// hold a short form.
    pub(crate) by: String,
    /// It is no claim so far: one run of who claims is making it, or was killed at that.
    pub(crate) nonce: Option<String>,
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
    /// Bids of this repository and of what it was before.
    pub(crate) bids: Vec<Claim>,
    /// Other repositories' bids.
    pub(crate) rivals: Vec<Claim>,
    /// Titles that begin as claims of the project do, and name nobody: envc writes no such.
    pub(crate) unread: Vec<String>,
}

/// What is claimed, and for whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claimant<'a> {
    /// What stands for the project in names.
    pub(crate) prefix: &'a str,
    /// The project's name.
    pub(crate) project: &'a str,
    /// The repository.
    pub(crate) repository: &'a str,
}

impl<'a> Claimant<'a> {
    /// The project of a folder.
    pub(crate) fn of(workspace: &'a Workspace<'_>) -> Self {
        let Project { prefix, name: project, repository, .. } = &workspace.project;
        Self { prefix, project, repository }
    }

    /// What stands in the title for who claims.
    fn in_title(self) -> String {
        let Self { prefix, project, repository } = self;
        let of_project = if prefix == project { String::new() } else { format!(" {project}") };
        let chars = TITLE.len() + prefix.len() + 1 + repository.len() + of_project.len();
        if chars + BID.len() + 2 * NONCE_BYTES <= TITLE_CHARS_MAX {
            return format!("{repository}{of_project}");
        }
        format!("{DIGEST}{}{of_project}", Digest::of(repository))
    }

    /// The title of the claim. Nothing in it but what parts it holds a blank, so it reads back.
    fn title(self) -> String {
        format!("{TITLE}{} {}", self.prefix, self.in_title())
    }

    /// The title of a bid.
    fn bid(self, nonce: &str) -> String {
        format!("{}{BID}{nonce}", self.title())
    }

    /// Who claims the same by this title, and the nonce of a bid.
    fn read_title(self, title: &str) -> Option<(&str, Option<&str>)> {
        let by = title.strip_prefix(TITLE)?.strip_prefix(self.prefix)?.strip_prefix(' ')?;
        let is_nonce = |text: &str| {
            text.len() == 2 * NONCE_BYTES && text.bytes().all(|it| it.is_ascii_hexdigit())
        };
        Some(match by.rsplit_once(BID).filter(|(_, nonce)| is_nonce(nonce)) {
            Some((by, nonce)) => (by, Some(nonce)),
            None => (by, None),
        })
    }
}

impl Claims {
    /// The claims among these namespaces. `was` tells what this repository was before.
    pub(crate) fn among<'n>(
        namespaces: impl Iterator<Item = &'n Observed>,
        claimant: Claimant<'_>,
        was: &dyn Fn(&str) -> bool,
    ) -> Self {
        let mut claims = Self::default();
        let ours = claimant.in_title();
        for seen in namespaces {
            let Some((by, nonce)) = claimant.read_title(&seen.name) else { continue };
            if !names_somebody(by) {
                claims.unread.push(seen.name.clone());
                continue;
            }
            let (id, by) = (seen.id.clone(), by.to_owned());
            let claim = Claim { id, by, nonce: nonce.map(str::to_owned) };
            let (repository, project) =
                claim.by.split_once(' ').unwrap_or((&claim.by, claimant.prefix));
            let is_ours = claim.by == ours;
            let was_ours = project == claimant.project && was(repository);
            match (claim.nonce.is_some(), is_ours || was_ours) {
                (true, true) => claims.bids.push(claim),
                (true, false) => claims.rivals.push(claim),
                (false, _) if is_ours => claims.ours = Some(claim),
                (false, true) => claims.former.push(claim),
                (false, false) => claims.others.push(claim),
            }
        }
        claims
    }

    /// The claims of a folder's project among what was observed.
    pub(crate) fn of(workspace: &Workspace<'_>, observation: &Observation) -> Self {
        let seen = observation.found.get(&KindId::Kv).into_iter().flatten();
        Self::of_namespaces(workspace, seen.map(|seen| &seen.observed))
    }

    fn of_namespaces<'n>(
        workspace: &Workspace<'_>,
        namespaces: impl Iterator<Item = &'n Observed>,
    ) -> Self {
        Self::among(namespaces, Claimant::of(workspace), &|other| workspace.was(other))
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Claim> {
        let claims = self.ours.iter().chain(&self.former).chain(&self.others);
        claims.chain(&self.bids).chain(&self.rivals)
    }

    /// The claim of a repository with its bids: by its name, or as it stands in the title.
    pub(crate) fn by(&self, claimant: Claimant<'_>) -> Vec<&Claim> {
        let own = claimant.in_title();
        self.all().filter(|claim| claim.by == claimant.repository || claim.by == own).collect()
    }

    /// The project is this repository's, and nobody else says that it is theirs.
    pub(crate) fn are_ours(&self) -> bool {
        self.others.is_empty() && (self.ours.is_some() || !self.former.is_empty())
    }

    /// Refuses a project that another repository claims, or is about to claim while nobody does.
    pub(crate) fn refuse_others(&self, workspace: &Workspace<'_>) -> Result<(), CommandError> {
        self.refuse_taken(workspace, false)
    }

    /// The same; who is `patient` waits for those that will give way.
    fn refuse_taken(&self, workspace: &Workspace<'_>, patient: bool) -> Result<(), CommandError> {
        let own = Claimant::of(workspace).in_title();
        let is_claimed = self.ours.is_some() || !self.former.is_empty();
        let rival = self.rivals.iter().find(|rival| !patient || rival.by < own);
        let rival = rival.filter(|_| !is_claimed);
        let Some(other) = self.others.first().or(rival) else { return Ok(()) };
        let Project { prefix, repository, .. } = &workspace.project;
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
        Err(if other.nonce.is_some() {
            error.because_text("its first apply is claiming it, or was interrupted while it did")
        } else if self.ours.is_some() {
            error.because_text("both claim it: one was made by hand, or of two first applies neither was listed to the other")
        } else {
            error
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
    let is_lasting = !repository::is_working_copy(&session.workspace.project.repository);
    if is_lasting || !session.env.ci || !session.needs_claim() {
        return Ok(());
    }
    let mut error = CommandError::failed(format!(
        "it is not known which repository the project `{}` is of",
        session.workspace.project.name
    ))
    .because_text("this is a CI job, and git names no `origin` on a host")
    .hint(format!(
        "say so in environment.kdl: project \"{}\" id=\"github.com/acme/shop\"",
        session.workspace.project.name
    ))
    .code("envc::cli::no_repository");
    if let Some(warning) = &session.workspace.git.warning {
        error = error.because_text(warning);
    }
    Err(error)
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

    fn shop(repository: &str) -> Claimant<'_> {
        Claimant { prefix: "shop", project: "shop", repository }
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
    fn a_bid_is_no_claim_and_is_read_back_with_who_bids() {
        let (a, b) = ("git.example/a/shop", "git.example/b/shop");
        let own = shop(a).bid("00ff00ff");
        let bids =
            claims(&[&own, &shop(b).bid("00ff00fe"), &shop("working-copy:1").bid("00ff00fd")]);
        assert!(!bids.are_ours() && bids.ours.is_none() && bids.others.is_empty());
        let of = |bids: &[Claim]| bids.iter().map(|bid| bid.by.clone()).collect::<Vec<_>>();
        assert_eq!(
            (of(&bids.bids), of(&bids.rivals)),
            (vec![a.into(), "working-copy:1".into()], vec![b.into()])
        );
        assert_eq!(bids.by(shop(a)).len(), 1);
        // Beside a claim of ours a bid takes nothing away.
        assert!(claims(&[&shop(a).title(), &shop(b).bid("00ff00fe")]).are_ours());
        // What is not nonce is a project's name.
        for end in ["+00ff", "00ff00ff", "+00ff00fg", "+00ff00ff0"] {
            let found = claims(&[&format!("envc claim shop {b} {end}")]);
            assert_eq!((found.others.len(), found.rivals.len()), (1, 0), "{end}");
        }
        let short = Claimant { prefix: "shp", project: "shop", repository: a };
        assert_eq!(
            short.read_title(&short.bid("00ff00ff")),
            Some(("git.example/a/shop shop", Some("00ff00ff")))
        );
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
            .map(|(prefix, project)| Claimant { prefix, project, repository }.title());
        for (index, title) in titles.iter().enumerate() {
            let seen = Observed { name: title.clone(), ..Observed::default() };
            for (other, project) in ["shop", "shopping", "store"].into_iter().enumerate() {
                let claimant = Claimant { prefix: "shop", project, repository };
                let claims = Claims::among([&seen].into_iter(), claimant, &|_| true);
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
        assert_eq!(shop("").read_title(&one), Some((shop(&a).in_title().as_str(), None)));
        let longest = "r".repeat(TITLE_CHARS_MAX - TITLE.len() - "shop  +00ff00ff".len());
        assert_eq!(shop(&longest).bid("00ff00ff").len(), TITLE_CHARS_MAX);
        assert!(shop(&longest).title().ends_with(&longest));
    }
}
