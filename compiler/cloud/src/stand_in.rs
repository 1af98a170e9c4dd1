//! Stand-ins: what a spec says exists in an account, where there is no account to have it.
//!
//! They are made beside the API, since no call makes a thing with a given identifier, and are like any
//! other object from then on: empty, and their user's to fill. Nothing removes them.

use rusqlite::OptionalExtension as _;

use crate::Cloud;
use crate::error::CloudError;
use crate::products;

/// How it is with something that a spec says exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StandIn {
    /// The account has it, or nothing can stand in for it.
    Needless,
    /// It is stood in for.
    There,
    /// What would stand in for it has this identifier, and is not made.
    Missing(String),
}

impl Cloud {
    /// Looks how it is with something of this kind, such as `d1`, with this identifier or this name.
    pub fn look_for_stand_in(
        &self,
        kind: &str,
        id: Option<&str>,
        name: &str,
    ) -> Result<StandIn, CloudError> {
        let store = &self.0.store;
        if let Some(row) = self.missing(kind, id, name)? {
            return Ok(StandIn::Missing(row.id));
        }
        let stands = store.read(|db| {
            let sql = "SELECT 1 FROM stand_ins WHERE kind = ? AND key = ?";
            db.query_row(sql, [kind, id.unwrap_or(name)], |_| Ok(())).optional()
        })?;
        Ok(stands.map_or(StandIn::Needless, |()| StandIn::There))
    }

    /// Makes what stands in for it, where that is missing. True: it is made now.
    pub fn stand_in(&self, kind: &str, id: Option<&str>, name: &str) -> Result<bool, CloudError> {
        let store = &self.0.store;
        let Some(row) = self.missing(kind, id, name)? else { return Ok(false) };
        if row.is_database {
            // The file first, as always: a file without a row is only litter.
            store.create_d1(&row.id).map_err(|problem| CloudError::StandIn(problem.why()))?;
        }
        store.write(|db| {
            row.insert(db, name)?;
            let sql = "INSERT INTO stand_ins (kind, key) VALUES (?, ?) ON CONFLICT DO NOTHING";
            db.execute(sql, [kind, id.unwrap_or(name)]).map(drop)
        })?;
        Ok(true)
    }

    /// What would be made.
    fn missing(
        &self,
        kind: &str,
        id: Option<&str>,
        name: &str,
    ) -> Result<Option<products::StoodIn>, CloudError> {
        let account = self.account_id();
        self.0.store.write(|db| Ok(products::stand_in(db, account, (kind, id, name))?))
    }
}
