//! What a statement on a D1 database may do.
//!
//! Facts: explicit transactions, savepoints and `ATTACH` are refused; `PRAGMA` has an allow-list;
//! tables named `_cf_…` belong to the platform and cannot be touched. A statement may have 100 KB,
//! 100 parameters, 100 columns; a row or value 2 MB; a `LIKE` pattern 50 bytes; a function 32
//! arguments. `foreign_keys` is always on. A call that runs for 30 seconds is interrupted, and so
//! is one whose client gave up.
//!
//! Source: Cloudflare's D1 documentation (limits, SQL statements) and the text of workerd's
//! refusals.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;

use crate::request::Gone;

/// A call may run this long.
const CALL_MAX: Duration = Duration::from_secs(30);
/// Instructions of SQLite's machine between two looks at the clock.
const CLOCK_STEPS: i32 = 100_000;

/// SQLite's own limits, set to D1's.
const LIMITS: [(Limit, i32); 6] = [
    (Limit::SQLITE_LIMIT_LENGTH, 2_000_000),
    // Of each statement, not of the text that it stands in.
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000),
    (Limit::SQLITE_LIMIT_COLUMN, 100),
    (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 100),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 32),
];

/// Pragmas that D1 answers.
const PRAGMAS: [&str; 18] = [
    "case_sensitive_like",
    "data_version",
    "defer_foreign_keys",
    "foreign_key_check",
    "foreign_key_list",
    "foreign_keys",
    "ignore_check_constraints",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "legacy_alter_table",
    "optimize",
    "quick_check",
    "recursive_triggers",
    "table_info",
    "table_list",
    "table_xinfo",
];

/// A call that is watched.
#[derive(Debug)]
pub(super) struct Watch {
    started: Instant,
    gone: Gone,
    steered: Arc<AtomicBool>,
}

impl Watch {
    /// Says whether a statement tried to steer the transaction.
    pub(super) fn was_transaction(&self) -> bool {
        self.steered.load(Ordering::SeqCst)
    }

    /// Says whether the call took too long, or for nobody.
    pub(super) fn is_over(&self) -> bool {
        is_over(self.started, &self.gone)
    }
}

fn is_over(started: Instant, gone: &Gone) -> bool {
    gone.is_gone() || started.elapsed() >= CALL_MAX
}

/// Sets the limits and watches every statement prepared from now on.
pub(super) fn watch(db: &mut Connection, gone: &Gone) -> rusqlite::Result<Watch> {
    for (limit, value) in LIMITS {
        db.set_limit(limit, value)?;
    }
    let started = Instant::now();
    let client = gone.clone();
    db.progress_handler(CLOCK_STEPS, Some(move || is_over(started, &client)))?;
    let watch = Watch { started, gone: gone.clone(), steered: Arc::default() };
    let seen = Arc::clone(&watch.steered);
    db.authorizer(Some(move |context: AuthContext<'_>| {
        let steers =
            matches!(context.action, AuthAction::Transaction { .. } | AuthAction::Savepoint { .. });
        if steers {
            seen.store(true, Ordering::SeqCst);
        }
        if steers || is_refused(&context.action) {
            Authorization::Deny
        } else {
            Authorization::Allow
        }
    }))?;
    Ok(watch)
}

/// Stops watching, so that the transaction can be ended.
pub(super) fn unwatch(db: &mut Connection) -> rusqlite::Result<()> {
    db.progress_handler(0, None::<fn() -> bool>)?;
    db.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)
}

fn is_refused(action: &AuthAction<'_>) -> bool {
    match action {
        AuthAction::Attach { .. } | AuthAction::Detach { .. } | AuthAction::Unknown { .. } => true,
        AuthAction::Pragma { pragma_name, .. } => {
            !PRAGMAS.iter().any(|known| known.eq_ignore_ascii_case(pragma_name))
        }
        AuthAction::Read { table_name, .. }
        | AuthAction::Insert { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::Delete { table_name }
        | AuthAction::CreateTable { table_name }
        | AuthAction::DropTable { table_name }
        | AuthAction::CreateTrigger { table_name, .. }
        | AuthAction::CreateIndex { table_name, .. }
        | AuthAction::AlterTable { table_name, .. } => is_platform_table(table_name),
        _ => false,
    }
}

fn is_platform_table(name: &str) -> bool {
    name.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("_cf_"))
}
