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
    /// What the call refers to is not there, and so it made nothing. What was made a moment ago may
    /// only not be seen yet.
    NotYet,
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
    /// What it refers to is not there, or not seen yet.
    pub not_yet: &'static [i64],
    /// The request itself is wrong, whatever the status says.
    pub refused: &'static [i64],
    /// Too many requests.
    pub rate_limited: &'static [i64],
}

impl Errors {
    /// The two that every kind says; the others by `..Errors::of(…)`.
    pub const fn of(exists: Codes, missing: Codes) -> Self {
        Self { exists, missing, in_use: &[], not_yet: &[], refused: &[], rate_limited: &[] }
    }

    /// What the codes of a failure mean; none where they are not among these.
    pub fn meaning(&self, failure: &ApiFailure) -> Option<Meaning> {
        if self.exists.are_in(failure) {
            Some(Meaning::Exists)
        } else if failure.has(self.in_use) {
            Some(Meaning::InUse)
        } else if failure.has(self.not_yet) {
            Some(Meaning::NotYet)
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
    // 10064 says that something is still in use, of Workers with 403 as well; 10042 that the account has
    // no R2, and 10069 that a rule locks an object: no token has a permission for that.
    let refused = matches!(failure.status, 401 | 403) && !failure.has(&[10064, 10042, 10069]);
    let auth = failure.has(&[6003, 9103, 9106]) || refused;
    if auth || (failure.has(&[10000]) && call.mutates() && failure.status == 400) {
        return Some(Meaning::Auth);
    }
    None
}

/// True for a refusal of the token that may be gone a second later: the API has been seen to refuse one of
/// several calls with a token that is right. Codes of tokens that cannot be right are no such refusals,
/// and neither is the lock-out, which each further try prolongs.
///
/// Source: cloudflare/workers-sdk#13854, #10364 and #13828, checked November 2026.
pub fn may_pass(failure: &ApiFailure) -> bool {
    matches!(failure.status, 401 | 403)
        && !failure.has(&[1000, 6003, 9103, 9106])
        && !failure.says("Max auth failures")
}

/// True for a path that the API does not have, or an identifier that none can be: it does not appear.
pub fn is_no_path(failure: &ApiFailure) -> bool {
    failure.has(&[7000, 7001, 7003])
}

/// What a refusal asks for, where its code says more than its meaning: a clause that "then run the
/// command again" can follow.
pub fn cure(kind: Option<&dyn Kind>, failure: &ApiFailure) -> Option<String> {
    if failure.says("Max auth failures") {
        return Some(
            "wait some minutes: the API is closed to a token after too many wrong ones".into(),
        );
    }
    kind?.cure(failure)
}
