//! `envc migrate`.

use clap::{Args, Subcommand};
use envc_core::Address;
use envc_plan::LossyFile;

use super::{ChangeArgs, TargetArgs};

const MIGRATE_CHECK: &str = "\
What is applied is what the ledger in the database says. Of an edit only the record tells, where envc
applied the file: a fresh runner without a shared state cannot know one.";

const MIGRATE_RESET: &str = "\
Examples:
  envc migrate reset d1.webapp             this folder's environment
  envc migrate reset d1.webapp ephemeral --pr 42 --yes

The database stays, with its ID and its bindings; tables, views and triggers go with all data, the
ledger with them. Refused under `protect` and for existing databases. A new database in its place:
envc apply --replace d1.webapp";

/// `envc migrate`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum MigrateVerb {
    /// List the migrations of all databases: applied, pending, edited, missing, late.
    Status(MigrateArgs),
    /// Apply what is pending, also on existing databases and where the type says `migrate manual`.
    Apply(MigrateApplyArgs),
    /// Exit with 2 where something is pending, edited after it was applied, or applied and without
    /// a file: the gate before a deployment.
    #[command(after_help = MIGRATE_CHECK)]
    Check(MigrateArgs),
    /// Take everything out of a database, and apply all of its migrations anew.
    #[command(after_help = MIGRATE_RESET)]
    Reset(MigrateResetArgs),
}

/// `envc migrate status` and `envc migrate check`
#[derive(Clone, Debug, Args)]
pub(crate) struct MigrateArgs {
    /// Which environment.
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

/// `envc migrate apply`
#[derive(Clone, Debug, Args)]
pub(crate) struct MigrateApplyArgs {
    /// Let this one migration lose rows, such as `d1.webapp:0002_drop.sql`, which a protected type refuses
    /// and others ask about; it allows nothing else. May be repeated.
    #[arg(long, value_name = "DATABASE:FILE")]
    pub(crate) allow_loss: Vec<LossyFile>,
    /// What commands that change an environment have alike.
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

/// `envc migrate reset`
#[derive(Clone, Debug, Args)]
pub(crate) struct MigrateResetArgs {
    /// The database, such as d1.webapp.
    pub(crate) address: Address,
    /// What commands that change an environment have alike.
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}
