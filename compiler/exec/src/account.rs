//! Which account and which zones calls go to: looked up once, and kept by the caller.

use std::collections::{BTreeMap, BTreeSet};

use envc_kinds::{Meaning, Place, account as api};

use crate::{
    client::{CallClass, CallError, Client},
    list::items_of,
};

/// Accounts that an error names.
const ACCOUNTS_SHOWN: usize = 50;

/// The account and the zones that calls go to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Its ID.
    pub id: String,
    /// The IDs of its zones, by name.
    pub zones: BTreeMap<String, String>,
}

/// Why an account or a zone was not found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// The API did not answer as it should.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The token sees no account.
    #[error("the API token sees no account")]
    NoAccount,
    /// The token sees several accounts.
    #[error("the API token sees {} accounts: {}", accounts.len(), some_of(accounts))]
    ManyAccounts {
        /// `ID (name)` of each.
        accounts: Vec<String>,
    },
    /// The zone is not in the account.
    #[error("the zone {zone} is not in the account {account}, or the token may not read it")]
    NoZone {
        /// The zone's name.
        zone: String,
        /// The account's ID.
        account: String,
    },
}

/// As many as anybody reads.
fn some_of(accounts: &[String]) -> String {
    let shown: Vec<&str> = accounts.iter().take(ACCOUNTS_SHOWN).map(String::as_str).collect();
    let more = if accounts.len() > ACCOUNTS_SHOWN { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

impl Account {
    /// Where calls for something in this zone (or in none) go.
    pub fn place(&self, zone: Option<&str>) -> Place {
        Place {
            account: self.id.clone(),
            zone: zone.and_then(|zone| self.zones.get(zone)).cloned().unwrap_or_default(),
        }
    }
}

/// Finds the one account that the token sees.
pub async fn find_account(client: &Client<'_>) -> Result<String, AccountError> {
    let call = api::accounts();
    let answer = client.call(&call, None).await?;
    let items = items_of(&call, answer.result, answer.page.total_count)?;
    let found: Vec<(String, String)> = items.iter().filter_map(api::read_account).collect();
    match found.as_slice() {
        [] => Err(AccountError::NoAccount),
        [(id, _)] => Ok(id.clone()),
        many => Err(AccountError::ManyAccounts {
            accounts: many.iter().map(|(id, name)| format!("{id} ({name})")).collect(),
        }),
    }
}

/// Finds the zones by name. Names that are known already cost nothing.
pub async fn find_zones(
    client: &Client<'_>,
    account: &mut Account,
    names: &BTreeSet<String>,
) -> Result<(), AccountError> {
    for name in names {
        if account.zones.contains_key(name) {
            continue;
        }
        let mut id = find_zone(client, &account.id, name, name).await?;
        if let (None, Some(other)) = (&id, api::zone_in_unicode(name)) {
            id = find_zone(client, &account.id, name, &other).await?;
        }
        let missing = || AccountError::NoZone { zone: name.clone(), account: account.id.clone() };
        account.zones.insert(name.clone(), id.ok_or_else(missing)?);
    }
    Ok(())
}

/// The ID of a zone, which is asked for by one of its spellings.
async fn find_zone(
    client: &Client<'_>,
    account: &str,
    name: &str,
    spelling: &str,
) -> Result<Option<String>, CallError> {
    let call = api::zones(account, spelling);
    let answer = match client.call(&call, None).await {
        Ok(answer) => answer,
        Err(error) if error.class == CallClass::Api(Meaning::NotFound) => return Ok(None),
        Err(error) => return Err(error),
    };
    let items = items_of(&call, answer.result, answer.page.total_count)?;
    let zones = items.iter().filter_map(api::read_zone);
    let mut zones = zones.filter(|(_, found, _)| api::same_zone(found, name));
    Ok(zones.next().map(|(id, _, _)| id))
}
