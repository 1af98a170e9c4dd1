//! How a text of SQL is run: as a query, or as a file where a query may be cut in wrong places.
//!
//! A file is announced, put where the answer says, run, and asked for until it ran. Nothing has happened
//! before it runs. Every file begins with a comment of chance, so that none is known from before and
//! answered without running; whoever runs one looks at the database afterwards.

use std::fmt::Write as _;

use bytes::Bytes;
use envc_core::limits;
use envc_kinds::{ApiFailure, ApiMessage, Call, Imported, Kind, Meaning, classify, kind};
use md5::{Digest as _, Md5};

use super::On;
use crate::{
    client::{CallClass, CallError},
    retry::poll_ms,
    run::context::Context,
};

/// How a text is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// In one call.
    Query,
    /// As a file.
    Import,
}

impl Way {
    /// The way of a text.
    pub(super) fn of(on: &On<'_>, text: &str) -> Self {
        if (on.database.import.is_needed)(text) { Self::Import } else { Self::Query }
    }
}

impl Context<'_> {
    /// Runs a text. What it came to is unknown where the error says so; what ran as a file is certain only
    /// by a look at the database.
    pub(super) async fn run_text(
        &self,
        on: &On<'_>,
        text: &str,
        way: Way,
    ) -> Result<(), CallError> {
        if way == Way::Import {
            return self.import(on, text).await;
        }
        let kind = kind(on.address.kind());
        self.client().call(&(on.query)(text), Some(kind)).await.map(|_| ())
    }

    async fn import(&self, on: &On<'_>, text: &str) -> Result<(), CallError> {
        let (import, kind, client) = (on.database.import, kind(on.address.kind()), self.client());
        let text = format!("{}\n{text}", (import.comment)(&client.chance()));
        let etag = digest_of(&text);
        let mut call = (import.begin)(on.place, on.id, &etag).following(on.fresh);
        let mut state = (import.read)(&client.call_repeatable(&call, Some(kind)).await?.result);
        if let Imported::Put { url, name } = state {
            client.put_file(&url, Bytes::from(text), &etag, &call).await?;
            call = (import.run)(on.place, on.id, &etag, &name);
            state = (import.read)(&client.call(&call, Some(kind)).await?.result);
        }
        let begun_ms = client.clock().monotonic_ms();
        let mut looks = 0;
        loop {
            let unknown = |message: &str| CallError::new(&call, CallClass::Unknown, message);
            let bookmark = match state {
                Imported::Done => return Ok(()),
                Imported::Failed(told) => return Err(failed(kind, &call, told)),
                Imported::Running { bookmark } => bookmark,
                Imported::Put { .. } | Imported::Untold => {
                    return Err(unknown("the API does not tell how far the import is"));
                }
            };
            let waited_ms = client.clock().monotonic_ms().saturating_sub(begun_ms);
            if waited_ms > limits::IMPORT_MS_MAX {
                return Err(unknown("the import does not come to an end"));
            }
            looks += 1;
            client.pause(poll_ms(looks)).await;
            call = (import.poll)(on.place, on.id, &bookmark);
            // It runs on, whatever becomes of a look.
            let look = client.call_repeatable(&call, Some(kind)).await;
            let look = look.map_err(|error| CallError { class: CallClass::Unknown, ..error })?;
            state = (import.read)(&look.result);
        }
    }
}

/// The error of a file of which the API says that it ran, and nothing of it is there.
pub(super) fn not_run(on: &On<'_>, text: &str) -> CallError {
    let call = (on.database.import.begin)(on.place, on.id, &digest_of(text));
    let message = "the API says that the file ran, and nothing of it is in the database";
    CallError::new(&call, CallClass::Unknown, message)
}

/// The error of an import, whose words mean what they mean of a query.
fn failed(kind: &dyn Kind, call: &Call, told: ApiMessage) -> CallError {
    let message = format!("the import failed: {}", told.message);
    let failure = ApiFailure { status: 400, errors: vec![told], ..ApiFailure::default() };
    let class = match classify(kind, call, &failure) {
        Meaning::Transient | Meaning::RateLimited => CallClass::Unknown,
        meaning => CallClass::Api(meaning),
    };
    CallError::new(call, class, message)
}

/// The MD5 digest by which the API knows a file, as hex digits.
fn digest_of(text: &str) -> String {
    let mut hex = String::new();
    for byte in Md5::digest(text) {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
