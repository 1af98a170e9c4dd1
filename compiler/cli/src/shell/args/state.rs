//! `envc state`

use clap::{Args, Subcommand};
use envc_core::Address;

use super::{ChangeArgs, TargetArgs};

const CLAIM_EXAMPLES: &str = "\
Examples:
  envc state claim                                      who claims the project; claims it if nobody does
  envc state claim --release                            this repository's claim goes
  envc state claim --release github.com/acme/old-shop   that of a repository that is gone

What it is for:
  Two repositories may name a project alike, and both have a pull request 1. On a fresh CI runner,
  where nothing is recorded, the name of pull request 1's database would be all that there is to
  tell. So the first apply of a type with {env.pr} leaves a KV namespace in the account, titled
  `envc claim PROJECT REPOSITORY`, and under such a claim a name is a proof. Another repository's
  apply of a project of this name is refused before anything is made.

  What stands in the account under such names before the claim would count as this repository's, so
  apply makes no claim then. This command tells what there is, asks, and makes it.

  The claim is the project's: `envc destroy` leaves it. Once it is released, names prove nothing
  until somebody claims the project again.

A repository that was renamed or moved:
  Say what it was, in the spec: project \"shop\" id=\"github.com/acme/old-shop\". That holds for every
  machine. Or, in the folder that things were made from, run `envc state claim`: it takes along what
  is recorded of the folder, and the claim of what the repository was.";

const FORGET_EXAMPLES: &str = "\
Examples:
  envc state forget 0123456789abcdef0123456789abcdef             this folder's environment, there
  envc state forget 0123456789abcdef0123456789abcdef production

It asks nobody but you, makes no call and deletes nothing in the account: what stays there is listed
first. The files that were written for it are taken away. Where there is a token of the account,
`envc destroy` with it is the way.";

const RM_EXAMPLES: &str = "\
Examples:
  envc state rm kv.old                this folder's environment
  envc state rm kv.old production

It deletes nothing in the account. What the spec wants is looked for by its name again by the next
apply, which takes it over where something proves it, and refuses where nothing does.

What it is for:
  State that machines share (`state \"edge\"`) is believed where the account says the same. Where it
  does not, apply and destroy refuse, and this takes the record away.";

/// `envc state`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum StateVerb {
    /// Show who claims the project in the account, claim it, or release a claim.
    #[command(after_help = CLAIM_EXAMPLES)]
    Claim(StateClaimArgs),
    /// Forget that the environment is in an account that is gone, or that nobody has a token of.
    #[command(after_help = FORGET_EXAMPLES)]
    Forget(StateForgetArgs),
    /// Take one resource out of the environment's record. It stays in the account.
    #[command(after_help = RM_EXAMPLES)]
    Rm(StateRmArgs),
}

/// `envc state claim`
#[derive(Clone, Debug, Args)]
pub(crate) struct StateClaimArgs {
    /// Release the claim: this repository's, or the named one's.
    #[arg(long, value_name = "REPOSITORY", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "clap tells an option without a value so")]
    pub(crate) release: Option<Option<String>>,
    /// Approve without being asked.
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Where to: `cloudflare` or `local`. Left out: `ENVC_CLOUD`, else Cloudflare if
    /// `CLOUDFLARE_API_TOKEN` is set, else the local cloud.
    #[arg(long, value_name = "CLOUD", value_parser = ["cloudflare", "local"])]
    pub(crate) cloud: Option<String>,
}

/// `envc state forget`
#[derive(Clone, Debug, Args)]
pub(crate) struct StateForgetArgs {
    /// The account's ID, as `envc show` and refusals tell it.
    pub(crate) account: String,
    /// Approve without being asked.
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Which environment.
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

/// `envc state rm`
#[derive(Clone, Debug, Args)]
pub(crate) struct StateRmArgs {
    /// The resource, such as kv.old.
    pub(crate) address: Address,
    /// What commands that change an environment have alike.
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}
