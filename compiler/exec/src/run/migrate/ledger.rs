//! The ledger of a database: what it is called, what it holds, and what is written into it without being
//! run.

use std::collections::BTreeMap;

use envc_core::Address;
use envc_kinds::{Call, Database, kind};
use serde_json::Value as Json;

use super::database;
use crate::{
    account::Account,
    client::{CallClass, CallError, Client},
    list::odd,
};

/// The name of a database's ledger.
pub(super) fn ledger_of<'a>(
    named: &'a BTreeMap<Address, String>,
    address: &Address,
    database: &'static Database,
) -> &'a str {
    named.get(address).map_or(database.ledger.name, String::as_str)
}

/// The names in a database's ledger, in order; none where there is no ledger. Changes nothing.
pub async fn read_ledger(
    client: &Client<'_>,
    account: &Account,
    address: &Address,
    id: &str,
    ledger: &str,
) -> Result<Vec<String>, CallError> {
    let Some(database) = database(address) else { return Ok(Vec::new()) };
    let call = (database.query)(&account.place(None), id, &(database.ledger.read)(ledger));
    match client.call_repeatable(&call, Some(kind(address.kind()))).await {
        Ok(answer) => Ok(names_in(&call, &answer.result)?.collect()),
        Err(error) if error.message.contains("no such table") => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The `name` column of the last statement's rows. An answer without rows tells nothing of the ledger: it
/// would look empty, and every file pending.
pub(super) fn names_in<'a>(
    call: &Call,
    result: &'a Json,
) -> Result<impl Iterator<Item = String> + use<'a>, CallError> {
    let rows = result
        .as_array()
        .and_then(|results| results.last())
        .and_then(|last| last.get("results"))
        .and_then(Json::as_array)
        .ok_or_else(|| odd(call, "the API's answer does not tell the rows of the ledger"))?;
    Ok(rows.iter().filter_map(|row| row.get("name").and_then(Json::as_str).map(str::to_owned)))
}

/// Writes files into a database's ledger that are not run: all, or none.
pub async fn mark(
    client: &Client<'_>,
    account: &Account,
    address: &Address,
    (id, ledger): (&str, &str),
    files: &[String],
) -> Result<(), CallError> {
    let Some(database) = database(address) else { return Ok(()) };
    let table = database.ledger;
    let rows = files.iter().map(|file| (table.row)(ledger, file));
    let text: Vec<String> = std::iter::once((table.make)(ledger)).chain(rows).collect();
    let call: Call = (database.query)(&account.place(None), id, &text.join("\n"));
    match client.call_repeatable(&call, Some(kind(address.kind()))).await {
        Ok(_) => Ok(()),
        Err(error) if error.class == CallClass::Interrupted => Err(error),
        // An earlier try may have had its effect.
        Err(error) => match read_ledger(client, account, address, id, ledger).await {
            Ok(names) if files.iter().all(|file| names.contains(file)) => Ok(()),
            _ => Err(error),
        },
    }
}
