//! What the API's refusals mean: the rules that hold for every product, and each kind's codes.

use crate::{ApiFailure, Call, Kind};

/// What a failure means for the action that met it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The object is not there: success for a delete.
    NotFound,
    /// A namesake is there.
    Exists,
    /// Something inside must go first.
    NotEmpty,
    /// Something else still uses it; it may be let go of soon.
    InUse,
    /// It is another than the one that the call was made for: look again.
    Moved,
    /// The token is wrong or lacks a permission.
    Auth,
    /// Too many requests.
    RateLimited,
    /// May work when tried again; a mutating call may have had its effect.
    Transient,
    /// The request itself is wrong: trying again will not help.
    Refused,
}

/// The codes with which the API tells one thing of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codes {
    /// Any of these codes.
    Any(&'static [i64]),
    /// The API never says so, and why.
    Never(&'static str),
}

impl Codes {
    /// True for a failure that has one of the codes.
    fn are_in(self, failure: &ApiFailure) -> bool {
        match self {
            Self::Any(codes) => failure.has(codes),
            Self::Never(_) => false,
        }
    }
}

/// What a kind's own codes mean. The rules of [`general`] come first.
#[derive(Clone, Copy, Debug)]
pub struct Errors {
    /// A namesake is there.
    pub exists: Codes,
    /// The resource is not there.
    pub missing: Codes,
    /// Something else still uses it.
    pub in_use: &'static [i64],
    /// The request itself is wrong, whatever the status says.
    pub refused: &'static [i64],
    /// Too many requests.
    pub rate_limited: &'static [i64],
}

impl Errors {
    /// The two that every kind says; the others by `..Errors::of(…)`.
    pub const fn of(exists: Codes, missing: Codes) -> Self {
        Self { exists, missing, in_use: &[], refused: &[], rate_limited: &[] }
    }

    /// What the codes of a failure mean; none where they are not among these.
    pub fn meaning(&self, failure: &ApiFailure) -> Option<Meaning> {
        if self.exists.are_in(failure) {
            Some(Meaning::Exists)
        } else if failure.has(self.in_use) {
            Some(Meaning::InUse)
        } else if failure.has(self.refused) {
            Some(Meaning::Refused)
        } else if failure.has(self.rate_limited) {
            Some(Meaning::RateLimited)
        } else {
            self.missing.are_in(failure).then_some(Meaning::NotFound)
        }
    }
}

/// What a failure means: the general rules first, then the kind's own codes.
///
/// Source: Cloudflare's published error codes and the retry rules of its official clients, save
/// that a 409 is never worth a retry.
pub fn classify(kind: &dyn Kind, call: &Call, failure: &ApiFailure) -> Meaning {
    general(call, failure).unwrap_or_else(|| {
        kind.meaning(call, failure).unwrap_or(match failure.status {
            404 => Meaning::NotFound,
            409 if call.method == http::Method::POST => Meaning::Exists,
            _ => Meaning::Refused,
        })
    })
}

/// The rules that hold for every product; `None` where the product's codes decide.
pub fn general(call: &Call, failure: &ApiFailure) -> Option<Meaning> {
    const INTERNAL: &[&str] = &["internal error", "Internal error", "Internal Server Error"];
    const LOST: &[&str] = &["Request timeout", "Network connection lost"];
    if failure.status == 429 || failure.has(&[971]) {
        return Some(Meaning::RateLimited);
    }
    if failure.status >= 500 || matches!(failure.status, 408 | 425) {
        return Some(Meaning::Transient);
    }
    if failure.garbled.is_some() {
        // A challenge page or nonsense with a 2xx or 4xx status says nothing of the effect.
        return Some(Meaning::Transient);
    }
    if failure.has(&[1000, 7500, 10001, 10013])
        && INTERNAL.iter().chain(LOST).any(|text| failure.says(text))
    {
        return Some(Meaning::Transient);
    }
    // 10064 says that something is still in use, of Workers with 403 as well.
    let refused = matches!(failure.status, 401 | 403) && !failure.has(&[10064]);
    let auth = failure.has(&[6003, 9103, 9106]) || refused;
    if auth || (failure.has(&[10000]) && call.mutates() && failure.status == 400) {
        return Some(Meaning::Auth);
    }
    None
}
