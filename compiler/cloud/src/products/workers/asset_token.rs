//! The tokens of an upload of assets: signed, for one session, for one hour.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::cloud::Inner;
use crate::envelope::Problem;
use crate::request::text;

const LIFE_S: i64 = 3600;

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Files may be uploaded.
    Upload,
    /// All files are there: a script may name them.
    Done,
}

/// A token's claims.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) session: String,
    pub(super) phase: Phase,
}

impl Token {
    /// HTTP 401: no token, a forged one, or one that is too old.
    pub(super) fn refused() -> Problem {
        Problem::new(401, 10000, "Authentication error")
    }

    /// The JWT.
    pub(super) fn sign(&self, cloud: &Inner, now_us: i64) -> Result<String, Problem> {
        let issued = now_us.div_euclid(1_000_000);
        let claims = json!({
            "session": self.session, "iat": issued, "exp": issued + LIFE_S,
            "phase": match self.phase { Phase::Upload => "upload", Phase::Done => "done" },
        });
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let head = json!({"alg": "HS256", "typ": "JWT"});
        let signed = format!("{}.{}", part(head), part(claims));
        let signature = mac(cloud, &signed)?.finalize().into_bytes();
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// Reads and checks a JWT.
    pub(super) fn read(jwt: &str, cloud: &Inner, now_us: i64) -> Result<Self, Problem> {
        let (signed, signature) = jwt.rsplit_once('.').ok_or_else(Self::refused)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Self::refused())?;
        mac(cloud, signed)?.verify_slice(&signature).map_err(|_| Self::refused())?;
        let claims = signed.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let claims: Value = claims
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .ok_or_else(Self::refused)?;
        let until = claims.get("exp").and_then(Value::as_i64).unwrap_or_default();
        if until <= now_us.div_euclid(1_000_000) {
            return Err(Self::refused());
        }
        let phase = match text(&claims, "phase") {
            Some("upload") => Phase::Upload,
            Some("done") => Phase::Done,
            _ => return Err(Self::refused()),
        };
        let session = text(&claims, "session").ok_or_else(Self::refused)?.to_owned();
        Ok(Self { session, phase })
    }
}

/// The folder's API token is a key that nobody without it has.
fn mac(cloud: &Inner, signed: &str) -> Result<Hmac<Sha256>, Problem> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(cloud.token.as_bytes()).map_err(Problem::internal)?;
    mac.update(signed.as_bytes());
    Ok(mac)
}
