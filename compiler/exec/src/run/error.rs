//! What went wrong with a step, and what to do about it.

use std::fmt;

use envc_core::Address;
use envc_kinds::{Meaning, kind};
use envc_plan::{Verb, Work};

use crate::{
    client::{CallClass, CallError},
    ports::PoolError,
};

/// Why a step did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StepError {
    /// A call to Cloudflare's API failed.
    Call {
        /// The call.
        error: CallError,
        /// True when it may have had its effect: the intent stays.
        open: bool,
    },
    /// The API did not take the statements of a migration.
    Migration(Box<MigrationError>),
    /// A file of SQL behind which nothing can be put: it was not sent.
    Unclosed {
        /// The file and the line.
        place: String,
        /// The database.
        database: Address,
        /// What is open.
        why: String,
    },
    /// A pool did not do what it was asked.
    Pool(Box<PoolError>),
    /// The user stopped the run before the next request of the step.
    Interrupted,
    /// A promise of the planner or of a kind is broken.
    Bug(String),
}

/// A migration that was not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MigrationError {
    /// The file and, where it is known, the line: `migrations/0003_tags.sql:3`.
    pub(crate) place: String,
    /// The database.
    pub(crate) database: Address,
    /// The call.
    pub(crate) error: CallError,
    /// What the database's kind knows of the mistake.
    pub(crate) explanation: Option<String>,
    /// The line of the file, where it is known.
    pub(crate) statement: Option<String>,
    /// What to do, where more is known than that the file is wrong.
    pub(crate) help: Option<String>,
}

/// One step that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What it worked on: addresses, or a lease.
    pub subjects: Vec<String>,
    /// What the step was about to do.
    pub verb: Verb,
    /// What happened, with the call that failed. Of a migration the file and the line come first.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// True when its effect is open; the next command looks.
    pub open: bool,
    /// True where something else still uses it.
    pub in_use: bool,
    /// What the pool said, of a lease or a release.
    pub pool: Option<(String, Box<PoolError>)>,
}

impl From<PoolError> for StepError {
    fn from(error: PoolError) -> Self {
        Self::Pool(Box::new(error))
    }
}

impl From<CallError> for StepError {
    fn from(error: CallError) -> Self {
        let open = error.is_unknown();
        Self::Call { error, open }
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call { error, .. } => error.fmt(f),
            Self::Migration(failed) => {
                let MigrationError { place, database, error, explanation, statement, .. } =
                    &**failed;
                write!(f, "{place}: {database}: {error}")?;
                match (explanation, statement) {
                    (Some(explanation), _) => write!(f, "; {explanation}"),
                    (None, Some(statement)) => write!(f, "; in `{statement}`"),
                    (None, None) => Ok(()),
                }
            }
            Self::Unclosed { place, database, why } => write!(f, "{place}: {database}: {why}"),
            Self::Pool(error) => error.fmt(f),
            Self::Interrupted => f.write_str("interrupted before the next request"),
            Self::Bug(what) => write!(f, "BUG: {what}; please report it"),
        }
    }
}

impl StepError {
    /// A call that certainly had no effect.
    pub(crate) fn closed(error: CallError) -> Self {
        Self::Call { error, open: false }
    }

    /// A call that may have had its effect, or that was to tell whether another one had.
    pub(crate) fn open(error: CallError) -> Self {
        Self::Call { error, open: true }
    }

    /// The same error of a call that was to tell whether another one had its effect.
    pub(crate) fn opened(self) -> Self {
        match self {
            Self::Call { error, .. } => Self::open(error),
            other => other,
        }
    }

    /// True when the step may have had its effect: the intent stays.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Self::Call { open, .. } => *open,
            Self::Pool(error) => error.is_unknown(),
            Self::Migration(_) | Self::Unclosed { .. } | Self::Interrupted | Self::Bug(_) => false,
        }
    }

    /// True when the user stopped it.
    pub(crate) fn is_interrupted(&self) -> bool {
        match self {
            Self::Call { error, .. } => error.class == CallClass::Interrupted,
            Self::Pool(error) => error.is_interrupted(),
            Self::Interrupted => true,
            Self::Migration(_) | Self::Unclosed { .. } | Self::Bug(_) => false,
        }
    }

    /// As it is told when the run is over.
    pub(crate) fn into_failure(self, work: &Work) -> Failure {
        let operations = work.operations();
        let help = |error: &CallError| {
            let permission = kind(work.addresses().next()?.kind()).permission();
            help_for_call(error, permission, self.is_open())
        };
        let help = match &self {
            Self::Migration(failed) if failed.help.is_some() => failed.help.clone(),
            Self::Migration(failed) if failed.error.means(Meaning::Refused) => {
                Some("correct the migration, then run the command again".to_owned())
            }
            Self::Unclosed { .. } => Some(
                "close it, then run the command again: the file and its row in the ledger are one text"
                    .to_owned(),
            ),
            Self::Call { error, .. }
                if matches!(work, Work::Migrate { reset: true, .. })
                    && error.means(Meaning::Refused) =>
            {
                let database = work.addresses().next();
                database.map(|it| format!("make it anew instead: envc apply --replace {it}"))
            }
            Self::Migration(failed) => help(&failed.error),
            Self::Call { error, .. } => help(error),
            Self::Pool(_) | Self::Interrupted | Self::Bug(_) => None,
        };
        Failure {
            subjects: operations.iter().map(|operation| operation.subject.to_string()).collect(),
            verb: operations.first().map_or(work.verb(), |operation| operation.verb),
            message: self.to_string(),
            help,
            open: self.is_open(),
            in_use: matches!(&self, Self::Call { error, .. } if error.means(Meaning::InUse)),
            pool: match self {
                Self::Pool(said) => work.pool().map(|pool| (pool.to_owned(), said)),
                _ => None,
            },
        }
    }
}

/// What to do about a failed call.
pub fn help_for_call(error: &CallError, permission: &str, open: bool) -> Option<String> {
    if let Some(cure) = &error.cure {
        return Some(format!("{cure}; then run the command again"));
    }
    Some(match &error.class {
        CallClass::Api(Meaning::Auth) => format!(
            "check that the API token is right and has the permission `{permission}` for this \
             account, then run the command again"
        ),
        CallClass::Api(Meaning::RateLimited) => {
            "the account's limit of 1,200 requests in 5 minutes is spent; run the command again in \
             5 minutes"
                .to_owned()
        }
        CallClass::Api(Meaning::Exists) => {
            "something that the plan did not see has this name: it was made meanwhile, or the API \
             token may not list it; run the command again to see whose it is"
                .to_owned()
        }
        CallClass::Api(Meaning::InUse) => {
            "something outside this environment still uses it; remove that use, then run the \
             command again"
                .to_owned()
        }
        CallClass::Api(Meaning::NotYet | Meaning::NotFound) => {
            "what it refers to is not there, or the API does not see it yet; run the command again: it \
             carries on"
                .to_owned()
        }
        CallClass::Api(Meaning::Moved) => {
            "it was changed meanwhile, and this call had no effect; run the command again: it looks \
             at what is there first"
                .to_owned()
        }
        CallClass::Unknown | CallClass::Api(Meaning::Transient) if open => {
            "it is not known whether the call had its effect; run the command again: it looks \
             before it does anything"
                .to_owned()
        }
        CallClass::Unreachable | CallClass::Unknown | CallClass::Api(Meaning::Transient) => {
            "the API is not reachable or not well; run the command again later".to_owned()
        }
        CallClass::Interrupted => "run the command again: it carries on".to_owned(),
        CallClass::Endless => "check that CLOUDFLARE_API_BASE_URL, where it is set, names a server \
                               that pages its lists as Cloudflare does"
            .to_owned(),
        CallClass::Api(Meaning::NotEmpty | Meaning::Refused) => return None,
    })
}
