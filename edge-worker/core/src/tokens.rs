//! The tokens that an admin made: a machine of its own, kept by one object.

use std::collections::BTreeMap;

use envc_edge_api::limits::{RATE_PER_MINUTE, RATE_PER_MINUTE_DEFAULT, TEXT_CHARS_MAX, TOKENS_MAX};
use envc_edge_api::{
    Name, Problem, ProblemType, TokenCreated, TokenList, TokenRequest, TokenSummary,
};
use serde::{Deserialize, Serialize};

use crate::auth::{TokenHash, new_token};
use crate::call::{Call, Caller, Served, invalid};
use crate::http::{Method, Response};
use crate::store::{Damaged, Effects, Write, read, value};

/// How long a revoked or an expired token is remembered.
const REMEMBERED_MS: u64 = 90 * 86_400_000;
/// How exactly the last use is told.
const LAST_USED_STEP_MS: u64 = 60_000;
/// The longest life of a token that does not live for ever: ten years.
const TTL_SECONDS_MAX: u32 = 10 * 366 * 86_400;

/// Every token, without its secret.
#[derive(Debug, Default)]
pub struct Tokens(BTreeMap<String, Token>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    /// SHA-256 of the token, in hexadecimal digits.
    hash: String,
    summary: TokenSummary,
}

/// What a resource of the tokens is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenResource<'a> {
    /// `/v1/tokens`
    Tokens,
    /// `/v1/tokens/{token_id}`
    Token(&'a str),
}

/// A token that was found good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Who calls.
    pub caller: Caller,
    /// How many requests the token has for each minute.
    pub rate_per_minute: u32,
    /// When it stops working.
    pub expires_at_ms: Option<u64>,
}

impl Token {
    fn is_live(&self, now_ms: u64) -> bool {
        self.summary.revoked_at_ms.is_none()
            && self.summary.expires_at_ms.is_none_or(|at_ms| at_ms > now_ms)
    }

    /// When it stopped working.
    fn ended_at_ms(&self) -> Option<u64> {
        let ends = [self.summary.revoked_at_ms, self.summary.expires_at_ms];
        ends.into_iter().flatten().min()
    }
}

impl Tokens {
    /// Reads the tokens out of their rows.
    pub fn load(rows: &BTreeMap<String, String>) -> Result<Self, Damaged> {
        rows.iter()
            .map(|(id, text)| Ok((id.clone(), read(id, text)?)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Looks a token up; `None` says that it is unknown, expired, revoked or wrong.
    pub fn check(&mut self, id: &str, hash_hex: &str, now_ms: u64) -> (Option<Checked>, Effects) {
        let mut effects = Effects::default();
        let Some(token) = self.0.get_mut(id) else { return (None, effects) };
        let is_right = constant_time_equal(&token.hash, hash_hex);
        if !is_right || !token.is_live(now_ms) {
            return (None, effects);
        }
        let last_used_at_ms = token.summary.last_used_at_ms.unwrap_or(0);
        if now_ms.abs_diff(last_used_at_ms) >= LAST_USED_STEP_MS {
            token.summary.last_used_at_ms = Some(now_ms);
            effects.writes.push(Write::Put { name: id.to_owned(), value: value(token) });
        }
        let TokenSummary { subject, scopes, rate_per_minute, expires_at_ms, .. } = &token.summary;
        let caller = Caller { subject: subject.clone(), scopes: scopes.clone(), alive: None };
        let checked =
            Checked { caller, rate_per_minute: *rate_per_minute, expires_at_ms: *expires_at_ms };
        (Some(checked), effects)
    }

    /// The subjects that have a live token, each once.
    pub fn alive(&self, now_ms: u64) -> Vec<Name> {
        let live = self.0.values().filter(|token| token.is_live(now_ms));
        let mut subjects: Vec<Name> = live.map(|token| token.summary.subject.clone()).collect();
        subjects.sort();
        subjects.dedup();
        subjects
    }

    /// Answers one request of an admin.
    pub fn serve(&mut self, resource: TokenResource<'_>, mut call: Call<'_>) -> Served {
        let mut effects = Effects::default();
        let response = match (resource, call.method) {
            (TokenResource::Tokens, Method::Post) => self.create(&mut call, &mut effects),
            (TokenResource::Tokens, _) => {
                let mut tokens: Vec<_> = self.0.values().map(|it| it.summary.clone()).collect();
                tokens.sort_by_key(|token| token.created_at_ms);
                Ok(Response::json(&TokenList { tokens }))
            }
            (TokenResource::Token(id), _) => self.revoke(id, call.now_ms, &mut effects),
        };
        Served { response: response.unwrap_or_else(|problem| Response::problem(&problem)), effects }
    }

    fn create(&mut self, call: &mut Call<'_>, effects: &mut Effects) -> Result<Response, Problem> {
        let TokenRequest { subject, mut scopes, ttl_seconds, rate_per_minute, note } =
            call.json()?;
        scopes.sort();
        scopes.dedup();
        if scopes.is_empty() {
            return Err(invalid("`scopes` names at least one of pool, report, state, read, admin"));
        }
        if subject.as_str() == BOOTSTRAP {
            return Err(invalid("the subject `bootstrap` is the bootstrap token's own"));
        }
        if ttl_seconds.is_some_and(|seconds| !(1..=TTL_SECONDS_MAX).contains(&seconds)) {
            return Err(invalid(&format!("`ttl_seconds` is 1 to {TTL_SECONDS_MAX}")));
        }
        let rate_per_minute = rate_per_minute.unwrap_or(RATE_PER_MINUTE_DEFAULT);
        let (min, max) = RATE_PER_MINUTE;
        if !(min..=max).contains(&rate_per_minute) {
            return Err(invalid(&format!("`rate_per_minute` is {min} to {max}")));
        }
        if note.as_ref().is_some_and(|note| note.chars().count() > TEXT_CHARS_MAX) {
            return Err(invalid(&format!("`note` has at most {TEXT_CHARS_MAX} characters")));
        }
        self.forget(call.now_ms, effects);
        if self.0.values().filter(|token| token.is_live(call.now_ms)).count() >= TOKENS_MAX {
            return Err(invalid(&format!("there are {TOKENS_MAX} tokens; revoke some first")));
        }
        let (token_id, secret) = new_token(&mut call.entropy);
        let expires_at_ms =
            ttl_seconds.map(|seconds| call.now_ms.saturating_add(u64::from(seconds) * 1_000));
        let summary = TokenSummary {
            token_id: token_id.clone(),
            subject,
            scopes,
            rate_per_minute,
            note,
            created_at_ms: call.now_ms,
            created_by: call.caller.subject.clone(),
            last_used_at_ms: None,
            expires_at_ms,
            revoked_at_ms: None,
        };
        let token = Token { hash: TokenHash::of(&secret).to_hex(), summary: summary.clone() };
        effects.writes.push(Write::Put { name: token_id.clone(), value: value(&token) });
        self.0.insert(token_id, token);
        Ok(Response::created(&TokenCreated { token: secret, summary }))
    }

    fn revoke(
        &mut self,
        id: &str,
        now_ms: u64,
        effects: &mut Effects,
    ) -> Result<Response, Problem> {
        let unknown = || Problem::new(ProblemType::NotFound, "there is no token with this ID");
        let token = self.0.get_mut(id).ok_or_else(unknown)?;
        if token.summary.revoked_at_ms.is_none() {
            token.summary.revoked_at_ms = Some(now_ms);
            effects.writes.push(Write::Put { name: id.to_owned(), value: value(token) });
        }
        Ok(Response::no_content())
    }

    /// Lets go of tokens that stopped working long ago.
    fn forget(&mut self, now_ms: u64, effects: &mut Effects) {
        self.0.retain(|id, token| {
            let stays = token
                .ended_at_ms()
                .is_none_or(|at_ms| at_ms > now_ms.saturating_sub(REMEMBERED_MS));
            if !stays {
                effects.writes.push(Write::Delete { name: id.clone() });
            }
            stays
        });
    }
}

/// The bootstrap token's subject.
pub const BOOTSTRAP: &str = "bootstrap";

fn constant_time_equal(one: &str, two: &str) -> bool {
    use subtle::ConstantTimeEq as _;
    one.as_bytes().ct_eq(two.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use envc_edge_api::Scope;

    use super::*;
    use crate::entropy::Entropy;
    use crate::store::apply;

    const NOW: u64 = 1_000_000;

    fn call(tokens: &mut Tokens, method: Method, at: TokenResource<'_>, body: &str) -> Served {
        let subject = Name::parse("root").unwrap();
        let caller = Caller { subject, scopes: vec![Scope::Admin], alive: None };
        tokens.serve(
            at,
            Call {
                method,
                body: body.as_bytes(),
                caller: &caller,
                now_ms: NOW,
                entropy: Entropy::new([u8::try_from(tokens.0.len()).unwrap(); 32]),
                key: None,
                preconditions: &crate::call::Preconditions::default(),
            },
        )
    }

    fn create(tokens: &mut Tokens, body: &str) -> (TokenCreated, Effects) {
        let served = call(tokens, Method::Post, TokenResource::Tokens, body);
        assert_eq!(served.response.status, 201, "{:?}", served.response);
        (serde_json::from_slice(&served.response.body).unwrap(), served.effects)
    }

    fn check(tokens: &mut Tokens, token: &str, now_ms: u64) -> Option<Checked> {
        let id = crate::auth::token_id(token).unwrap();
        tokens.check(id, &TokenHash::of(token).to_hex(), now_ms).0
    }

    #[test]
    fn a_token_works_until_it_is_revoked_and_only_its_hash_is_kept() {
        let (mut tokens, mut rows) = (Tokens::default(), BTreeMap::new());
        let (made, effects) = create(&mut tokens, r#"{"subject":"ci","scopes":["pool","read"]}"#);
        apply(&mut rows, &effects.writes);
        let secret = made.token.rsplit('_').next().unwrap();
        assert!(rows.values().all(|row| !row.contains(secret)));

        let mut tokens = Tokens::load(&rows).unwrap();
        let checked = check(&mut tokens, &made.token, NOW).unwrap();
        assert_eq!(checked.caller.subject.as_str(), "ci");
        assert!(checked.caller.may(&[Scope::Read]) && !checked.caller.may(&[Scope::State]));
        assert_eq!(tokens.alive(NOW), [Name::parse("ci").unwrap()]);

        let id = made.summary.token_id;
        let served = call(&mut tokens, Method::Delete, TokenResource::Token(&id), "");
        assert_eq!(served.response.status, 204);
        assert_eq!(check(&mut tokens, &made.token, NOW), None);
        assert!(tokens.alive(NOW).is_empty());
        let again = call(&mut tokens, Method::Delete, TokenResource::Token(&id), "");
        assert_eq!((again.response.status, again.effects), (204, Effects::default()));
    }

    #[test]
    fn a_token_with_another_secret_is_unknown() {
        let mut tokens = Tokens::default();
        let (made, _) = create(&mut tokens, r#"{"subject":"ci","scopes":["pool"]}"#);
        let forged = format!("envc_{}_{}", made.summary.token_id, "0".repeat(64));
        assert_eq!(check(&mut tokens, &forged, NOW), None);
    }

    #[test]
    fn a_token_expires_to_the_millisecond_and_its_last_use_is_told_to_the_minute() {
        let mut tokens = Tokens::default();
        let (made, _) =
            create(&mut tokens, r#"{"subject":"ci","scopes":["pool"],"ttl_seconds":100}"#);
        assert!(check(&mut tokens, &made.token, NOW + 99_999).is_some());
        assert!(check(&mut tokens, &made.token, NOW + 100_000).is_none());
        let id = made.summary.token_id;
        let hash = TokenHash::of(&made.token).to_hex();
        let (_, effects) = tokens.check(&id, &hash, NOW + 90_000);
        assert_eq!(effects, Effects::default());
    }

    #[test]
    fn what_is_out_of_bounds_is_refused() {
        let mut tokens = Tokens::default();
        let long = "n".repeat(TEXT_CHARS_MAX + 1);
        for bad in [
            r#"{"subject":"ci","scopes":[]}"#,
            r#"{"subject":"bootstrap","scopes":["pool"]}"#,
            r#"{"subject":"c i","scopes":["pool"]}"#,
            r#"{"subject":"ci","scopes":["root"]}"#,
            r#"{"subject":"ci","scopes":["pool"],"ttl_seconds":0}"#,
            r#"{"subject":"ci","scopes":["pool"],"ttl_seconds":-1}"#,
            r#"{"subject":"ci","scopes":["pool"],"rate_per_minute":0}"#,
            r#"{"subject":"ci","scopes":["pool"],"colour":"red"}"#,
            &format!(r#"{{"subject":"ci","scopes":["pool"],"note":"{long}"}}"#),
        ] {
            let served = call(&mut tokens, Method::Post, TokenResource::Tokens, bad);
            assert_eq!(served.response.status, 400, "{bad}");
            assert_eq!(served.effects, Effects::default());
        }
        let served = call(&mut tokens, Method::Delete, TokenResource::Token("nobody"), "");
        assert_eq!(served.response.status, 404);
    }
}
