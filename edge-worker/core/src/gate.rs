//! What one running copy of the Worker remembers of tokens: who was let in lately, and how many
//! requests each has left.

use std::collections::BTreeMap;

use crate::auth::{BELIEVED_MS, Rates, TokenHash};
use crate::tokens::Checked;

/// How many tokens are remembered at most.
const BELIEVED_MAX: usize = 10_000;

/// The memory. Losing it costs one more look-up for each token.
#[derive(Debug, Default)]
pub struct Gate {
    believed: BTreeMap<String, Believed>,
    rates: Rates,
}

#[derive(Debug)]
struct Believed {
    hash: TokenHash,
    checked: Checked,
    at_ms: u64,
}

impl Gate {
    /// What was found of a token within the last [`BELIEVED_MS`] milliseconds.
    pub fn recall(&self, token_id: &str, hash: TokenHash, now_ms: u64) -> Option<Checked> {
        let believed = self.believed.get(token_id)?;
        let is_fresh = now_ms.abs_diff(believed.at_ms) < BELIEVED_MS;
        let is_live = believed.checked.expires_at_ms.is_none_or(|at_ms| at_ms > now_ms);
        (is_fresh && is_live && believed.hash == hash).then(|| believed.checked.clone())
    }

    /// Remembers what was found.
    pub fn believe(&mut self, token_id: &str, hash: TokenHash, checked: Checked, now_ms: u64) {
        if self.believed.len() >= BELIEVED_MAX {
            self.believed.retain(|_, old| now_ms.abs_diff(old.at_ms) < BELIEVED_MS);
        }
        if self.believed.len() < BELIEVED_MAX {
            let believed = Believed { hash, checked, at_ms: now_ms };
            self.believed.insert(token_id.to_owned(), believed);
        }
    }

    /// Forgets a token that was revoked here.
    pub fn forget(&mut self, token_id: &str) {
        self.believed.remove(token_id);
    }

    /// Takes one request of a token, or says how many milliseconds until it has one.
    pub fn take(&mut self, token_id: &str, rate_per_minute: u32, now_ms: u64) -> Result<(), u64> {
        self.rates.take(token_id, rate_per_minute, now_ms)
    }
}

#[cfg(test)]
mod tests {
    use envc_edge_api::{Name, Scope};

    use super::*;
    use crate::call::Caller;

    fn checked(expires_at_ms: Option<u64>) -> Checked {
        let subject = Name::parse("ci").unwrap();
        let caller = Caller { subject, scopes: vec![Scope::Pool], alive: None };
        Checked { caller, rate_per_minute: 60, expires_at_ms }
    }

    #[test]
    fn a_token_is_believed_for_a_while_and_only_with_the_same_secret() {
        let mut gate = Gate::default();
        let hash = TokenHash::of("right");
        gate.believe("id", hash, checked(None), 1_000_000);
        assert!(gate.recall("id", hash, 1_004_999).is_some());
        assert!(gate.recall("id", TokenHash::of("wrong"), 1_000_000).is_none());
        assert!(gate.recall("other", hash, 1_000_000).is_none());
        assert!(gate.recall("id", hash, 1_005_000).is_none());
        gate.believe("id", hash, checked(None), 1_000_000);
        gate.forget("id");
        assert!(gate.recall("id", hash, 1_000_000).is_none());
    }

    #[test]
    fn a_token_that_expires_meanwhile_is_not_believed() {
        let mut gate = Gate::default();
        let hash = TokenHash::of("right");
        gate.believe("id", hash, checked(Some(1_001_000)), 1_000_000);
        assert!(gate.recall("id", hash, 1_000_999).is_some());
        assert!(gate.recall("id", hash, 1_001_000).is_none());
    }
}
