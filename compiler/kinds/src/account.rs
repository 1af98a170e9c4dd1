//! The calls that are no resource's: which account, which zone, is the token good.

use serde_json::Value as Json;

use crate::{Call, api, normal};

/// The accounts that the token can see.
pub fn accounts() -> Call {
    Call::get(&["accounts"]).query("per_page", "50")
}

/// True for what has the form of an account's ID: 32 hexadecimal digits.
pub fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Reads an account: (ID, name). What has no account's ID is none.
pub fn read_account(item: &Json) -> Option<(String, String)> {
    let id = api::text(item, "id").filter(|id| is_id(id))?;
    Some((id, api::text(item, "name").unwrap_or_default()))
}

/// The zone of a name in an account.
pub fn zones(account: &str, name: &str) -> Call {
    Call::get(&["zones"]).query("name", name).query("account.id", account)
}

/// Reads a zone: (ID, name, status).
pub fn read_zone(item: &Json) -> Option<(String, String, String)> {
    Some((
        api::text(item, "id")?,
        api::text(item, "name")?,
        api::text(item, "status").unwrap_or_default(),
    ))
}

/// True when two names are those of one zone, however they are written.
pub fn same_zone(one: &str, other: &str) -> bool {
    normal::host(one) == normal::host(other)
}

/// The other spelling of a zone with letters beyond ASCII: nothing says by which one it is found.
pub fn zone_in_unicode(name: &str) -> Option<String> {
    let other = normal::host(name);
    (!other.is_ascii()).then_some(other)
}

/// Is the token good? For user tokens; an account's token answers code 1000 here.
pub fn verify_token() -> Call {
    Call::get(&["user", "tokens", "verify"])
}
