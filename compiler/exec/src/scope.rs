//! Which account and which zones: looked up once, cached for good by the caller.

use std::collections::{BTreeMap, BTreeSet};

use envc_kinds::{Meaning, Place, account};

use crate::client::{CallClass, CallError, Client};

/// The account and the zones that calls go to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The account's ID.
    pub account: String,
    /// Zone IDs by name.
    pub zones: BTreeMap<String, String>,
}

/// Why an account or a zone was not found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// The API did not answer as it should.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The token sees no account.
    #[error("the API token sees no account")]
    NoAccount,
    /// The token sees several accounts.
    #[error("the API token sees {} accounts: {}", accounts.len(), accounts.join(", "))]
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

impl Scope {
    /// Where calls for something in this zone (or in none) go.
    pub fn place(&self, zone: Option<&str>) -> Place {
        Place {
            account: self.account.clone(),
            zone: zone.and_then(|zone| self.zones.get(zone)).cloned().unwrap_or_default(),
        }
    }
}

/// Finds the one account that the token sees.
pub async fn find_account(client: &Client<'_>) -> Result<String, ScopeError> {
    let answer = client.call(&account::accounts(), None).await?;
    let found: Vec<(String, String)> =
        answer.result.as_array().into_iter().flatten().filter_map(account::read_account).collect();
    match found.as_slice() {
        [] => Err(ScopeError::NoAccount),
        [(id, _)] => Ok(id.clone()),
        many => Err(ScopeError::ManyAccounts {
            accounts: many.iter().map(|(id, name)| format!("{id} ({name})")).collect(),
        }),
    }
}

/// Finds the zones by name. Names that are known already cost nothing.
pub async fn find_zones(
    client: &Client<'_>,
    scope: &mut Scope,
    names: &BTreeSet<String>,
) -> Result<(), ScopeError> {
    for name in names {
        if scope.zones.contains_key(name) {
            continue;
        }
        let mut id = find_zone(client, &scope.account, name, name).await?;
        if let (None, Some(other)) = (&id, account::zone_in_unicode(name)) {
            id = find_zone(client, &scope.account, name, &other).await?;
        }
        let missing = || ScopeError::NoZone { zone: name.clone(), account: scope.account.clone() };
        scope.zones.insert(name.clone(), id.ok_or_else(missing)?);
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
    let answer = match client.call(&account::zones(account, spelling), None).await {
        Ok(answer) => answer,
        Err(error) if error.class == CallClass::Api(Meaning::NotFound) => return Ok(None),
        Err(error) => return Err(error),
    };
    let zones = answer.result.as_array().into_iter().flatten().filter_map(account::read_zone);
    let mut zones = zones.filter(|(_, found, _)| account::same_zone(found, name));
    Ok(zones.next().map(|(id, _, _)| id))
}
