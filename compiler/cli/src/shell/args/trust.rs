//! `envc trust`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::TargetArgs;

const TRUST_EXAMPLES: &str = "\
Examples:
  envc trust                      what the spec asks for; asks whether you approve it
  envc trust --print              the same without a question, with its digest
  envc trust ls                   everything that you approved on this machine
  envc trust revoke               takes back what you approved for this clone

What it is for:
  A checkout is data. Two things in it act as you: the address of `edge` gets a credential of yours,
  and wrangler's migrations of its local copies run programs of the checkout. Neither happens before
  you approved it. One question lists all that a spec asks for; the answer is kept for the clone, its
  worktrees share it, and a spec that asks for more is asked about again.

Where nobody can be asked, ENVC_TRUST approves:
  ENVC_TRUST=edge.example.com,run:wrangler-local   these hosts and programs
  ENVC_TRUST=DIGEST                                exactly the set that `envc trust --print` shows
  ENVC_TRUST=spec                                  whatever the spec says; refused in a job of CI
                                                   that is for a pull request

A host that is not approved is an error. A program that is not approved is left out, and told: the
environment is whole without it.";

/// `envc trust`
#[derive(Clone, Debug, Args)]
#[command(after_help = TRUST_EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct TrustArgs {
    /// What else to do.
    #[command(subcommand)]
    pub(crate) verb: Option<TrustVerb>,
    /// Show what the spec asks for and the digest of exactly that; ask nothing.
    #[arg(long)]
    pub(crate) print: bool,
    /// Which environment.
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

/// The verbs of `envc trust`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum TrustVerb {
    /// List what is approved on this machine, by clone.
    Ls,
    /// Take back what is approved for a clone.
    Revoke {
        /// The clone, as `envc trust ls` shows it. Left out: the one of the current folder.
        #[arg(value_name = "CLONE")]
        clone: Option<PathBuf>,
    },
}
