//! The variables by which envc and wrangler get into an account.

/// Their names: no program that envc starts has them, and no spec gets one that lets somebody in.
/// Source: wrangler 4.164, its factories of variables.
pub const CREDENTIALS: &[&str] = &[
    "CLOUDFLARE_API_TOKEN",
    "CLOUDFLARE_ACCOUNT_ID",
    "CLOUDFLARE_ACCESS_CLIENT_ID",
    "CLOUDFLARE_ACCESS_CLIENT_SECRET",
    "CLOUDFLARE_API_KEY",
    "CLOUDFLARE_API_USER_SERVICE_KEY",
    "CLOUDFLARE_AUTH_PROFILE",
    "CLOUDFLARE_EMAIL",
    "CF_ACCOUNT_ID",
    "CF_API_KEY",
    "CF_API_TOKEN",
    "CF_EMAIL",
    "WRANGLER_BASIN_SQL_AUTH_TOKEN",
    "WRANGLER_CF_AUTHORIZATION_TOKEN",
    "WRANGLER_R2_SQL_AUTH_TOKEN",
];

/// What such a variable is, as a clause after "is".
pub const OWN_CREDENTIAL: &str = "a credential of envc and wrangler, which no spec may have read";

/// Those that tell which account it is, and let nobody into it.
const NO_SECRETS: &[&str] = &[
    "CLOUDFLARE_ACCOUNT_ID",
    "CLOUDFLARE_AUTH_PROFILE",
    "CLOUDFLARE_EMAIL",
    "CF_ACCOUNT_ID",
    "CF_EMAIL",
];

/// True for a variable by which envc or wrangler gets into an account: no spec may have it read. Names
/// differ in case alone on no system that tells them apart.
pub fn is_own_credential(name: &str) -> bool {
    let among = |all: &[&str]| all.iter().any(|other| other.eq_ignore_ascii_case(name));
    among(CREDENTIALS) && !among(NO_SECRETS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lets_nobody_in_is_no_credential_and_case_makes_no_other_one() {
        for own in ["CLOUDFLARE_API_TOKEN", "cloudflare_api_token", "CF_API_KEY"] {
            assert!(is_own_credential(own), "{own}");
        }
        for other in ["CLOUDFLARE_ACCOUNT_ID", "CF_EMAIL", "MY_API_TOKEN", ""] {
            assert!(!is_own_credential(other), "{other}");
        }
        assert!(NO_SECRETS.iter().all(|name| CREDENTIALS.contains(name)));
    }
}
