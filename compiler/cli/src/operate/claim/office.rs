//! How a claim is made: bid, looked at, and then named as one.
//!
//! ```text
//! bid ........ a namespace of this run alone, titled as the claim and with nonce behind it
//! look ....... another repository's claim: refused. Ours: another run of this repository made it.
//!              Another repository's bid: who comes first in the order of titles stays and looks
//!              again until the other is gone, or has claimed; the other takes its bid away
//! rename ..... the bid becomes the claim
//! ```
//!
//! Invariant: a run goes on only when a look after its bid showed nobody else, and from its bid on
//! something of its repository stands in the account. So of two, whoever looked later saw the other.
//! A look that does not list the own bid is none: lists lag behind.
//! A claim that others of this repository may have relied on is never taken back: only bids are,
//! which each run has for itself.

use envc_core::KindId;
use envc_exec::{Account, CallClass, CallError, Client, help_for_call, ports::Entropy as _};
use envc_kinds::{Kind, Meaning, Wanted, kind};

use super::{Claim, Claimant, Claims};
use crate::{
    host::error::CommandError,
    host::interrupt::interrupted,
    remote::connection::what_failed,
    shell::events::{Claimed, Event},
    workspace::{Project, Workspace, choice::CloudName},
};

/// Tries until it is certain that a bid was made.
const TRIES_MAX: u32 = 5;
/// Looks until the own bid is listed and the others are gone, or have claimed: half a minute at
/// least, which is longer than lists were ever seen to lag.
const LOOKS_MAX: u32 = 10;

/// Where claims are looked for and made.
#[derive(Clone, Copy)]
pub(crate) struct Office<'a> {
    /// The project's folder.
    pub(crate) workspace: &'a Workspace<'a>,
    /// The cloud.
    pub(crate) cloud: CloudName,
    /// The client.
    pub(crate) client: &'a Client<'a>,
    /// The account.
    pub(crate) scope: &'a Account,
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

    fn titled(name: String) -> Wanted {
        Wanted { name, ..Wanted::default() }
    }

    /// All claims of the project: a list of its own.
    pub(crate) async fn look(&self) -> Result<Claims, CommandError> {
        let place = self.scope.place(None);
        let Some(listing) = Self::kv().listing(&place) else { return Ok(Claims::default()) };
        let listed = self.client.list(&listing, Self::kv()).await;
        let listed = listed.map_err(|error| failed("the claims cannot be read", &error))?;
        let claims = Claims::of_namespaces(self.workspace, listed.iter());
        for title in &claims.unread {
            self.workspace.ui.warn(&format!(
                "the KV namespace `{}` begins as a claim does and names no repository, so it is ignored",
                title.escape_debug()
            ));
        }
        Ok(claims)
    }

    /// Makes the claim where there is none. `seen` is what was found before.
    pub(crate) async fn make(&self, seen: &Claims) -> Result<Made, CommandError> {
        seen.refuse_others(self.workspace)?;
        if seen.ours.is_some() {
            // Of killed runs; a run that still bids finds the claim instead.
            for bid in &seen.bids {
                self.release(&bid.id).await?;
            }
            return Ok(Made::Known);
        }
        if let Some(former) = seen.former.first() {
            self.rename(former).await?;
            return Ok(Made::Renamed);
        }
        let nonce = self.workspace.entropy.hex(super::NONCE_BYTES);
        let mut made = self.bid(&nonce).await?;
        for attempt in 1..=LOOKS_MAX {
            let claims = self.look().await?;
            let own = claims.bids.iter().find(|bid| bid.nonce.as_ref() == Some(&nonce));
            made = made.or_else(|| own.map(|own| own.id.clone()));
            let refused = claims.refuse_taken(self.workspace, attempt < LOOKS_MAX);
            match (refused, &made) {
                (Err(error), Some(bid)) => {
                    self.release(bid).await?;
                    return Err(error);
                }
                // It is there, and under which ID its list will tell.
                (Err(error), None) if attempt == LOOKS_MAX => return Err(error),
                (Err(_), None) => {}
                (Ok(()), _) => {
                    if let Some(made) = self.settle(&claims, own).await? {
                        return Ok(made);
                    }
                }
            }
            self.client.pause(self.client.backoff_ms(attempt)).await;
        }
        let what = format!("the project `{}` cannot be claimed", self.workspace.project.name);
        Err(CommandError::failed(format!("{what}: what was made for it is not listed"))
            .hint("nothing else was made; run the command again in a minute")
            .code("envc::cli::claim"))
    }

    /// What a look after the bid comes to, where no other repository claims; none: look again.
    /// Once the claim is there, what is left of this repository's bids is nobody's.
    async fn settle(
        &self,
        claims: &Claims,
        own: Option<&Claim>,
    ) -> Result<Option<Made>, CommandError> {
        let made = if claims.ours.is_some() {
            // Another run of this repository was quicker.
            Made::Known
        } else if let Some(former) = claims.former.first() {
            self.rename(former).await?;
            Made::Renamed
        } else if let Some(own) = own.filter(|_| claims.rivals.is_empty())
            && self.becomes_claim(own).await?
        {
            let Workspace { project: Project { name: project, repository, .. }, ui, .. } =
                self.workspace;
            ui.say(&format!("claimed the project `{project}` in this account for {repository}"));
            ui.event(&Event::Claimed(Claimed::Project { project, repository }));
            Made::New
        } else {
            return Ok(None);
        };
        let is_claim = |bid: &Claim| made == Made::New && Some(bid) == own;
        for bid in claims.bids.iter().filter(|bid| !is_claim(bid)) {
            self.release(&bid.id).await?;
        }
        Ok(Some(made))
    }

    /// Makes a bid, and goes on once it is certain that it is there. Its ID, where an answer told.
    async fn bid(&self, nonce: &str) -> Result<Option<String>, CommandError> {
        let title = Claimant::of(self.workspace).bid(nonce);
        let call = Self::kv().create(&self.scope.place(None), &Self::titled(title));
        let mut attempt = 1;
        loop {
            let error = match self.client.call(&call, Some(Self::kv())).await {
                Ok(answer) => return Ok(Self::kv().observe(&answer.result).map(|it| it.id)),
                // Nobody else has this run's nonce: an answer was lost.
                Err(error) if error.means(Meaning::Exists) => return Ok(None),
                Err(error) => error,
            };
            if !error.is_unknown() || attempt >= TRIES_MAX || self.client.stopped() {
                let what =
                    format!("the project `{}` cannot be claimed", self.workspace.project.name);
                return Err(failed(&what, &error).hint("nothing was made"));
            }
            self.client.pause(self.client.backoff_ms(attempt)).await;
            attempt += 1;
        }
    }

    /// False: another run of this repository was quicker, or has taken the bid for a dead one's.
    async fn becomes_claim(&self, bid: &Claim) -> Result<bool, CommandError> {
        match self.retitle(bid).await {
            Ok(()) => Ok(true),
            Err(error) if error.means(Meaning::Exists) || error.means(Meaning::NotFound) => {
                Ok(false)
            }
            Err(error) => {
                let what =
                    format!("the project `{}` cannot be claimed", self.workspace.project.name);
                Err(failed(&what, &error).hint("nothing else was made"))
            }
        }
    }

    async fn retitle(&self, claim: &Claim) -> Result<(), CallError> {
        let name = ["name".to_owned()];
        let wanted = Self::titled(Claimant::of(self.workspace).title());
        let call = Self::kv().update(&self.scope.place(None), &claim.id, &wanted, &name);
        self.client.call_repeatable(&call, Some(Self::kv())).await.map(drop)
    }

    async fn rename(&self, former: &Claim) -> Result<(), CommandError> {
        match self.retitle(former).await {
            // Another run of this repository claimed it meanwhile.
            Err(error) if error.means(Meaning::Exists) => {}
            renamed => {
                renamed.map_err(|error| failed("the claim cannot be renamed", &error))?;
            }
        }
        let Workspace { project: Project { name: project, repository, .. }, ui, .. } =
            self.workspace;
        ui.say(&format!(
            "the claim of the project `{project}` was that of {}, and is that of {repository} now",
            former.by
        ));
        Ok(())
    }

    /// Takes a claim away. Not there is as good as done.
    pub(crate) async fn release(&self, id: &str) -> Result<(), CommandError> {
        let Some(call) = Self::kv().delete(&self.scope.place(None), id) else {
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
