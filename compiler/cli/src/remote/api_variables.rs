//! What the variables say of Cloudflare's API: where it is, and which account. Pure.
//!
//! Invariant: it is judged before anything is sent, and nothing of an address that is refused is
//! repeated: a password may stand in it.

use envc_core::{ServerUrl, ServerUrlError};
use envc_kinds::account;

use crate::host::{
    env::{ProcessEnv, names},
    error::CommandError,
};

/// Refuses an address that no token goes to, and an account's ID that is none.
pub(super) fn judge(env: &ProcessEnv) -> Result<(), CommandError> {
    if let Some(url) = &env.api_base_url {
        let first = names::CLOUDFLARE_API_BASE_URL;
        let is_first = env.var(first).is_some_and(|value| !value.is_empty());
        let name = if is_first { first } else { names::CLOUDFLARE_BASE_URL };
        ServerUrl::parse(url).map_err(|why| no_base_url(name, why))?;
    }
    match &env.account_id {
        Some(id) if !account::is_id(id) => Err(no_account_id(id)),
        _ => Ok(()),
    }
}

fn no_base_url(name: &str, why: ServerUrlError) -> CommandError {
    let failed = CommandError::usage(format!("no API token is sent to where {name} says"))
        .because_text(why.to_string())
        .code("envc::cli::base_url");
    match why {
        ServerUrlError::NotEncrypted => failed.hint(format!(
            "write https:// in {name}; http:// is for this machine alone: 127.0.0.1, [::1], localhost"
        )),
        ServerUrlError::Credentials => failed
            .hint(format!("take both out of {name}; the API's token is in CLOUDFLARE_API_TOKEN")),
        _ => failed.hint(format!(
            "{name} is the API's whole base, such as https://api.cloudflare.com/client/v4; without \
             it that one is asked"
        )),
    }
}

fn no_account_id(id: &str) -> CommandError {
    CommandError::usage(format!("CLOUDFLARE_ACCOUNT_ID is no account's ID: {id:?}"))
        .because_text("an account's ID has 32 hexadecimal digits")
        .hint("it stands in the dashboard's address behind dash.cloudflare.com/")
        .hint("or leave the variable out, where the token sees one account alone")
        .code("envc::cli::account_id")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(pairs: &[(&str, &str)]) -> String {
        judge(&ProcessEnv::from_pairs(pairs.iter().copied())).unwrap_err().to_text()
    }

    #[test]
    fn an_account_is_named_by_its_id_alone() {
        for id in ["0123456789abcdef0123456789abcdef", "ABCDEF0123456789abcdef0123456789"] {
            judge(&ProcessEnv::from_pairs([("CLOUDFLARE_ACCOUNT_ID", id)])).unwrap();
        }
        for id in
            ["..", ".", "a/b", "%2e%2e", "0123", "\u{1b}[2J", &"0".repeat(33), &"g".repeat(32)]
        {
            let told = refused(&[("CLOUDFLARE_ACCOUNT_ID", id)]);
            assert!(told.contains("32 hexadecimal digits") && !told.contains('\u{1b}'), "{told}");
        }
    }

    #[test]
    fn the_variable_is_named_and_nothing_of_its_password_is_told() {
        for url in [
            "http://user:passw0rd@127.0.0.1:9909/client/v4",
            "https://passw0rd@api.example/client/v4",
            "user:passw0rd@api.example",
            "https://api.example/client/v4?token=passw0rd",
            "https://api.example/#passw0rd",
            "http://api.example/passw0rd",
        ] {
            for name in ["CLOUDFLARE_API_BASE_URL", "CLOUDFLARE_BASE_URL"] {
                let told = refused(&[(name, url)]);
                assert!(told.contains(&format!("{name} ")) && !told.contains("passw0rd"), "{told}");
            }
        }
        let told = refused(&[
            ("CLOUDFLARE_API_BASE_URL", ""),
            ("CLOUDFLARE_BASE_URL", "http://0.0.0.0:9903/client/v4"),
        ]);
        assert!(told.contains("CLOUDFLARE_BASE_URL") && told.contains("https://"), "{told}");
    }
}
