//! `envc migrate`.

use clap::{Args, Subcommand};
use envc_core::Address;
use envc_plan::LossyFile;
use jiff::Timestamp;

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

const MIGRATE_NEW: &str = "\
Examples:
  envc migrate new d1.webapp add tags      migrations/0003_add_tags.sql

Refused where drizzle or Prisma makes the files, each of which keeps a list of them.";

const MIGRATE_MARK: &str = "\
Examples:
  envc migrate mark d1.webapp --file 0001_init.sql
  envc migrate mark d1.webapp production   all that is pending

For a database that was made otherwise, or whose ledger was another table. Nothing is run, and nothing
tells whether the file's tables are there.";

const MIGRATE_RESTORE: &str = "\
Examples:
  envc migrate restore d1.webapp           to before it was migrated, emptied or taken back last
  envc migrate restore d1.webapp --at 2026-11-30T09:00:00Z
  envc migrate restore d1.webapp --undo    back to what it was before the last restore or reset

Cloudflare's Time Travel: 30 days, 7 on the free plan. All of the database goes back, whoever wrote to
it; it is asked for. Workers are not taken back: those that were deployed since are named.";

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
    /// Write the next file: numbered, or in a folder of its own, as the database's folder has it.
    #[command(after_help = MIGRATE_NEW)]
    New(MigrateNewArgs),
    /// Write files into the ledger without running them: what they do is there already.
    #[command(after_help = MIGRATE_MARK)]
    Mark(MigrateMarkArgs),
    /// Take a database back to what it was before it was migrated last, or to an instant.
    #[command(after_help = MIGRATE_RESTORE)]
    Restore(MigrateRestoreArgs),
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

/// `envc migrate new`
#[derive(Clone, Debug, Args)]
pub(crate) struct MigrateNewArgs {
    /// The database, such as d1.webapp.
    pub(crate) address: Address,
    /// What it does, for its name.
    #[arg(required = true)]
    pub(crate) words: Vec<String>,
}

/// `envc migrate mark`
#[derive(Clone, Debug, Args)]
pub(crate) struct MigrateMarkArgs {
    /// The database, such as d1.webapp.
    pub(crate) address: Address,
    /// The file, as `migrate status` names it; may be repeated. Without one all that are pending.
    #[arg(long = "file", value_name = "FILE")]
    pub(crate) files: Vec<String>,
    /// What commands that change an environment have alike.
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

/// `envc migrate restore`
#[derive(Clone, Debug, Args)]
pub(crate) struct MigrateRestoreArgs {
    /// The database, such as d1.webapp.
    pub(crate) address: Address,
    /// The instant, such as 2026-11-30T09:00:00Z.
    #[arg(long, value_name = "TIME", conflicts_with_all = ["bookmark", "undo"])]
    pub(crate) at: Option<Timestamp>,
    /// A bookmark of Time Travel.
    #[arg(long, conflicts_with = "undo")]
    pub(crate) bookmark: Option<String>,
    /// Back to what it was before the last restore or reset.
    #[arg(long)]
    pub(crate) undo: bool,
    /// What commands that change an environment have alike.
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}
