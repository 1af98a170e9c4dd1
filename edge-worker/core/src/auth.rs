//! Bearer tokens: reading them, hashing them, and how many requests each has.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::entropy::{Entropy, hex};

/// The shortest bootstrap token that is taken.
const BOOTSTRAP_BYTES_MIN: usize = 32;

/// How long a checked token is believed without asking again, in milliseconds: a revoked token
/// stops working everywhere within this time.
pub const BELIEVED_MS: u64 = 5_000;

/// A token's hash. Equality takes the same time wherever the difference is.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Hashes a token.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// The hash in hexadecimal digits, as it is stored.
    pub fn to_hex(self) -> String {
        hex(&self.0)
    }

    /// Whether the stored hash is this one.
    pub fn is(self, stored: &str) -> bool {
        self.to_hex().as_bytes().ct_eq(stored.as_bytes()).into()
    }
}

impl std::fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenHash {}

/// Takes the token out of an `Authorization` header (RFC 6750, section 2.1).
pub fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim()).filter(|token| !token.is_empty())
}

/// Takes the token out of an `Authorization` header of a browser, where it is the password of
/// any name (RFC 7617). Only for what is read: a browser sends it to whatever page asks.
pub fn password(header: &str) -> Option<String> {
    let (scheme, credentials) = header.trim().split_once(' ')?;
    let bytes = BASE64.decode(credentials.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (_, password) = text.split_once(':')?;
    let is_basic = scheme.eq_ignore_ascii_case("basic") && !password.is_empty();
    is_basic.then(|| password.to_owned())
}

/// Whether the token is the bootstrap token. One that is too short to be unguessable is not
/// taken, as if none were set.
pub fn is_bootstrap(token: &str, bootstrap: &str) -> bool {
    bootstrap.len() >= BOOTSTRAP_BYTES_MIN && TokenHash::of(token) == TokenHash::of(bootstrap)
}

/// The public part of a token `envc_ID_SECRET`, by which its record is found.
pub fn token_id(token: &str) -> Option<&str> {
    let (id, secret) = token.strip_prefix("envc_")?.split_once('_')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (id.len() == 16 && secret.len() == 64 && digits(id) && digits(secret)).then_some(id)
}

/// Makes a token: its ID and all of it.
pub(crate) fn new_token(entropy: &mut Entropy) -> (String, String) {
    let id: String = entropy.id().chars().take(16).collect();
    let token = format!("envc_{id}_{}", hex(&entropy.bytes()));
    (id, token)
}

/// How many tokens a [`Rates`] follows at most.
const RATES_MAX: usize = 10_000;

/// Requests that tokens have left: a bucket each, filled evenly.
#[derive(Debug, Default)]
pub struct Rates(BTreeMap<String, Bucket>);

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// In 60,000ths of a request, so that one millisecond adds `rate_per_minute`.
    level: u64,
    at_ms: u64,
}

/// One request, in the unit of [`Bucket::level`].
const REQUEST: u64 = 60_000;

impl Rates {
    /// Takes one request of a token, or says how many milliseconds until it has one. A token may
    /// use a minute's worth at once.
    pub fn take(&mut self, token_id: &str, rate_per_minute: u32, now_ms: u64) -> Result<(), u64> {
        let rate = u64::from(rate_per_minute.max(1));
        let full = rate * REQUEST;
        if self.0.len() >= RATES_MAX && !self.0.contains_key(token_id) {
            // Whatever has not been used for a minute is full again and need not be followed.
            self.0.retain(|_, bucket| now_ms.saturating_sub(bucket.at_ms) < 60_000);
        }
        let fresh = Bucket { level: full, at_ms: now_ms };
        let bucket = self.0.entry(token_id.to_owned()).or_insert(fresh);
        let passed_ms = now_ms.saturating_sub(bucket.at_ms);
        bucket.level = bucket.level.saturating_add(passed_ms.saturating_mul(rate)).min(full);
        bucket.at_ms = now_ms;
        match bucket.level.checked_sub(REQUEST) {
            Some(level) => {
                bucket.level = level;
                Ok(())
            }
            None => Err((REQUEST - bucket.level).div_ceil(rate)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_read_from_its_header() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer  abc "), Some("abc"));
        for bad in ["", "Bearer", "Bearer ", "Basic abc", "abc"] {
            assert_eq!(bearer(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_browser_sends_the_token_as_a_password() {
        let header = format!("Basic {}", BASE64.encode("anybody:envc_x:y"));
        assert_eq!(password(&header).as_deref(), Some("envc_x:y"));
        for bad in ["", "Basic", "Basic !", "Bearer abc", "Basic YTo=", "Basic YQ=="] {
            assert_eq!(password(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_new_token_has_the_form_that_is_looked_up() {
        let (id, token) = new_token(&mut Entropy::new([5; 32]));
        assert_eq!(token_id(&token), Some(id.as_str()));
        let short = token.get(..token.len() - 1).unwrap();
        for bad in ["", "envc_", "envc_a_b", short, &format!("{token}0")] {
            assert_eq!(token_id(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_short_bootstrap_token_opens_nothing() {
        let long = "0123456789abcdef0123456789abcdef";
        assert!(is_bootstrap(long, long));
        assert!(!is_bootstrap("", ""));
        assert!(!is_bootstrap("admin", "admin"));
        assert!(!is_bootstrap(long.trim_start_matches('0'), long));
    }

    #[test]
    fn a_hash_is_compared_with_its_stored_form() {
        let hash = TokenHash::of("a");
        assert!(hash.is(&hash.to_hex()));
        assert!(!hash.is(&TokenHash::of("b").to_hex()));
        assert!(!hash.is(""));
    }

    #[test]
    fn a_rate_is_a_minutes_worth_and_then_even() {
        let mut rates = Rates::default();
        for _ in 0..60 {
            rates.take("a", 60, 5_000).unwrap();
        }
        assert_eq!(rates.take("a", 60, 5_000), Err(1_000));
        assert_eq!(rates.take("a", 60, 5_400), Err(600));
        rates.take("b", 60, 5_400).unwrap();
        rates.take("a", 60, 6_000).unwrap();
        assert_eq!(rates.take("a", 60, 6_000), Err(1_000));
        // A clock that goes back gives nothing and takes nothing.
        assert_eq!(rates.take("a", 60, 1_000), Err(1_000));
    }
}
