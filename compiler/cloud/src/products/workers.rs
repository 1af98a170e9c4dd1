//! Worker scripts. Not modelled yet: this module is their room.
//!
//! Until then an account has no script, and whoever refers to one is told so with the real code.
//! Their routes hang below `/accounts/{a}/workers` in `products/mod.rs`; multipart uploads arrive
//! in [`crate::request::Req::parts`].

use rusqlite::Connection;

/// Says whether the account has a script of this name.
pub(crate) fn script_exists(_db: &Connection, _name: &str) -> bool {
    false
}
