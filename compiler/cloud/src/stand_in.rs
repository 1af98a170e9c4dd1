//! Stand-ins: what a spec says exists in an account, where there is no account to have it.
//!
//! They are made beside the API, since no call makes a thing with a given identifier, and are like any
//! other object from then on: empty, and their user's to fill. Nothing removes them.

use rusqlite::OptionalExtension as _;

use crate::Cloud;
use crate::error::CloudError;
use crate::products;

impl Cloud {
    /// Makes something of this kind, such as `d1`, with this identifier or this name, where there is
    /// none. True: what is there stands in, made now or before.
    pub fn stand_in(&self, kind: &str, id: Option<&str>, name: &str) -> Result<bool, CloudError> {
        let store = &self.0.store;
        let key = id.unwrap_or(name);
        let missing = store.write(|db| products::stand_in(db, kind, id, name))?;
        let Some(row) = missing else {
            return Ok(store
                .read(|db| {
                    let sql = "SELECT 1 FROM stand_ins WHERE kind = ? AND key = ?";
                    db.query_row(sql, [kind, key], |_| Ok(true)).optional()
                })?
                .unwrap_or(false));
        };
        if row.is_database {
            // The file first, as always: a file without a row is only litter.
            store.create_d1(&row.id).map_err(|problem| CloudError::StandIn(problem.why()))?;
        }
        store.write(|db| {
            row.insert(db, name)?;
            let sql = "INSERT INTO stand_ins (kind, key) VALUES (?, ?) ON CONFLICT DO NOTHING";
            db.execute(sql, [kind, key]).map(drop)
        })?;
        Ok(true)
    }
}
