//! `envc pool`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

const LS_EXAMPLES: &str = "\
Examples:
  envc pool ls                     every pool that the spec's edge declares
  envc pool ls previews            one pool
  envc pool ls --json | jq 'select(.event == \"pool\") | .free'";

const CLAIM_EXAMPLES: &str = "\
Examples:
  envc pool claim previews                          for this folder's environment
  envc pool claim previews --holder shop/demo       for something that envc does not make
  envc pool claim previews --wait --show-secrets >demo.env

The same holder gets the same preview ID until its lease is over: seven days, unless it is claimed
again before. The result is a line NAME=VALUE each for id, lease_id and the attributes;
of secret attributes only the names are told, unless --show-secrets is given.";

const RELEASE_EXAMPLES: &str = "\
Examples:
  envc pool release previews --holder shop/demo
  envc pool release previews --lease 9262891fec90b4bb68edfccb076f73c7

A lease that is over is given back already. `envc destroy` gives those of its environment back.";

const MEMBERS_EXAMPLES: &str = "\
Examples:
  envc pool members previews                 which preview IDs there are, and what they do
  envc pool members previews members.json    these are all of them from now on; - is standard input

members.json:
  {\"members\": [{\"id\": \"preview-1\", \"attributes\": {\"livekit-project\": \"p_1\"},
                \"secrets\": {\"livekit-api-secret\": \"…\"}}],
   \"settings\": {\"ttl_seconds\": 604800, \"cool_down_seconds\": 30}}

A member that is missing in the file leaves the pool, once its lease is over. Needs a token with the
scope `admin`.";

/// `envc pool`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum PoolVerb {
    /// Show who holds which preview ID, and who waits.
    #[command(after_help = LS_EXAMPLES)]
    Ls(PoolLsArgs),
    /// Lease a preview ID by hand, or renew the lease.
    #[command(after_help = CLAIM_EXAMPLES)]
    Claim(PoolClaimArgs),
    /// Give a preview ID back by hand.
    #[command(after_help = RELEASE_EXAMPLES)]
    Release(PoolReleaseArgs),
    /// Show the preview IDs of a pool, or put them.
    #[command(after_help = MEMBERS_EXAMPLES)]
    Members(PoolMembersArgs),
}

/// Whose spec and whose cloud.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Which environment")]
pub(crate) struct PoolTargetArgs {
    /// The type whose `edge` is meant, such as `worktree`; chosen as for other commands.
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) env_type: Option<String>,
    /// The pull request's number, for types with `{env.pr}`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) pr: Option<u32>,
    /// The environment's ID, where it is not this folder's.
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    /// Where to: `cloudflare` is the edge of the spec, `local` the local cloud.
    #[arg(long, value_name = "CLOUD", value_parser = ["cloudflare", "local"])]
    pub(crate) cloud: Option<String>,
}

/// `envc pool ls`
#[derive(Clone, Debug, Args)]
pub(crate) struct PoolLsArgs {
    /// The pool. Left out: all that the spec's `edge` declares.
    #[arg(value_name = "POOL")]
    pub(crate) pool: Option<String>,
    /// Which environment.
    #[command(flatten)]
    pub(crate) target: PoolTargetArgs,
}

/// `envc pool claim`
#[derive(Clone, Debug, Args)]
pub(crate) struct PoolClaimArgs {
    /// The pool.
    #[arg(value_name = "POOL")]
    pub(crate) pool: String,
    /// Who holds it, `project/env`. Left out: this folder's environment.
    #[arg(long, value_name = "HOLDER")]
    pub(crate) holder: Option<String>,
    /// While every preview ID is taken, wait in the queue instead of exiting with 75.
    #[arg(long)]
    pub(crate) wait: bool,
    /// Print secret attributes, too.
    #[arg(long)]
    pub(crate) show_secrets: bool,
    /// Which environment.
    #[command(flatten)]
    pub(crate) target: PoolTargetArgs,
}

/// `envc pool release`
#[derive(Clone, Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub(crate) struct PoolReleaseArgs {
    /// The pool.
    #[arg(value_name = "POOL")]
    pub(crate) pool: String,
    /// Who holds it, `project/env`.
    #[arg(long, value_name = "HOLDER", group = "which")]
    pub(crate) holder: Option<String>,
    /// The lease's ID, as `claim` told it.
    #[arg(long, value_name = "ID", group = "which")]
    pub(crate) lease: Option<String>,
    /// Which environment.
    #[command(flatten)]
    pub(crate) target: PoolTargetArgs,
}

/// `envc pool members`
#[derive(Clone, Debug, Args)]
pub(crate) struct PoolMembersArgs {
    /// The pool.
    #[arg(value_name = "POOL")]
    pub(crate) pool: String,
    /// Put the members of this file; without one they are shown.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
    /// Which environment.
    #[command(flatten)]
    pub(crate) target: PoolTargetArgs,
}
