//! What a statement on a D1 database may do.
//!
//! Facts: explicit transactions, savepoints and `ATTACH` are refused; `PRAGMA` has an allow-list;
//! tables named `_cf_…` belong to the platform and cannot be touched. A statement may have 100 KB,
//! 100 parameters, 100 columns; a row or value 2 MB; a `LIKE` pattern 50 bytes; a function 32
//! arguments. `foreign_keys` is always on. A call that runs for 30 seconds is interrupted.
//!
//! Source: Cloudflare's D1 documentation (limits, SQL statements) and the text of workerd's
//! refusals.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;

/// A statement may have this many bytes.
pub(super) const STATEMENT_BYTES_MAX: usize = 100_000;

/// A call may run this long.
const CALL_MAX: Duration = Duration::from_secs(30);
/// Instructions of SQLite's machine between two looks at the clock.
const CLOCK_STEPS: i32 = 100_000;

/// SQLite's own limits, set to D1's.
const LIMITS: [(Limit, i32); 5] = [
    (Limit::SQLITE_LIMIT_LENGTH, 2_000_000),
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

/// What the watched statements were refused for.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusal(Arc<AtomicBool>);

impl Refusal {
    /// Says whether a statement tried to steer the transaction.
    pub(super) fn was_transaction(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Sets the limits and watches every statement prepared from now on.
pub(super) fn watch(db: &mut Connection) -> rusqlite::Result<Refusal> {
    for (limit, value) in LIMITS {
        db.set_limit(limit, value)?;
    }
    let started = Instant::now();
    db.progress_handler(CLOCK_STEPS, Some(move || started.elapsed() >= CALL_MAX))?;
    let refusal = Refusal::default();
    let seen = Arc::clone(&refusal.0);
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
    Ok(refusal)
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
