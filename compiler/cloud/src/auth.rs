//! Who is calling: the bearer token.
//!
//! Facts: no credentials is 400 with 9106; a malformed header 400 with 6003 and 6111 in its
//! chain; an unknown token 403 with 10000 on account routes, 403 with 9109 on zone routes, 401
//! with 1000 at `verify`. A missing permission has the same codes as an unknown token.
//!
//! There is one token per folder, with every permission that is not denied by a fault. Legacy
//! global keys are unknown here.
//!
//! Source: Cloudflare's API documentation and published reports of live answers.

use crate::cloud::Inner;
use crate::envelope::Problem;
use crate::request::Req;

/// Which family of routes is called: it decides how a refusal looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Realm {
    /// `/accounts`, `/user`, `/memberships`.
    Account,
    /// `/zones`.
    Zone,
    /// A token's own check of itself.
    Verify,
}

/// Checks the credentials.
pub(crate) fn check(cloud: &Inner, req: &Req, realm: Realm) -> Result<(), Problem> {
    let Some(value) = req.header("authorization") else {
        if req.header("x-auth-key").is_some() || req.header("x-auth-email").is_some() {
            return Err(Problem::new(403, 9103, "Unknown X-Auth-Key or X-Auth-Email"));
        }
        let text = "Missing X-Auth-Key, X-Auth-Email or Authorization headers";
        return Err(Problem::new(400, 9106, text));
    };
    let token = value.strip_prefix("Bearer ").filter(|token| is_well_formed(token));
    let Some(token) = token else {
        return Err(Problem::new(400, 6003, "Invalid request headers")
            .chain(6111, "Invalid format for Authorization header"));
    };
    if is_own(cloud, token) {
        return Ok(());
    }
    Err(match realm {
        Realm::Account => Problem::new(403, 10000, "Authentication error"),
        Realm::Zone => Problem::new(403, 9109, "Invalid access token"),
        Realm::Verify => Problem::new(401, 1000, "Invalid API Token"),
    })
}

/// Checks the token's permission for a product.
pub(crate) fn permit(cloud: &Inner, product: &str, realm: Realm) -> Result<(), Problem> {
    if !cloud.injector.denies(product) {
        return Ok(());
    }
    Err(if realm == Realm::Zone {
        Problem::new(403, 9109, "Unauthorized to access requested resource")
    } else {
        Problem::new(403, 10000, "Authentication error")
    })
}

fn is_well_formed(token: &str) -> bool {
    (40..=128).contains(&token.len())
        && token.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// Says whether the token is the folder's.
pub(crate) fn is_own(cloud: &Inner, token: &str) -> bool {
    same(token.as_bytes(), cloud.token.as_bytes())
}

/// Equality whose time does not tell where the difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |acc, (x, y)| acc | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forty_characters_are_the_least() {
        assert!(is_well_formed(&"a".repeat(40)));
        assert!(!is_well_formed(&"a".repeat(39)));
        assert!(!is_well_formed(&format!("{} b", "a".repeat(40))));
    }
}
