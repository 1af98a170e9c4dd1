//! The files that the command line alone reads, as functions of their bytes: what others may have
//! written, an older or a newer envc, a user, a checkout, a disk that lost power. The fuzzer's way in,
//! to the readers and writers that every command uses; none of them touches a disk.

use std::{collections::BTreeMap, path::Path};

use envc_core::{KeyedDigest, Secret};

use crate::{
    host::error::CommandError,
    secrets,
    workspace::{
        registry::{Cache, Registry},
        trust::TrustRecord,
    },
};

/// Why a file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// The code of the error.
    pub code: Option<&'static str>,
    /// What people read of it.
    pub text: String,
}

impl From<CommandError> for Unusable {
    fn from(error: CommandError) -> Self {
        Self { code: error.code, text: error.printable().to_text() }
    }
}

/// Reads `registry.json`, and gives its bytes as they would be written.
pub fn registry(bytes: &[u8]) -> Result<Vec<u8>, Unusable> {
    Ok(Registry::parse(Path::new("registry.json"), bytes)?.to_bytes()?)
}

/// Reads `trust.json`, and gives its bytes as they would be written.
pub fn trust(bytes: &[u8]) -> Result<Vec<u8>, Unusable> {
    Ok(TrustRecord::parse(Path::new("trust.json"), bytes)?.to_bytes()?)
}

/// Reads `.envc/working-copy.json` as the user with this key, and gives its bytes as they would be
/// written, and whether that user's envc wrote them; none of what is damaged or newer.
pub fn working_copy(bytes: &[u8], key: &[u8]) -> Option<(Vec<u8>, bool)> {
    let found = Cache::parse(bytes, &KeyedDigest::new(key));
    let is_ours = found.ours.is_some();
    let cache = found.ours.or(found.foreign)?;
    Some((cache.to_bytes().ok()?, is_ours))
}

/// Reads a file of secrets: the values by their names.
pub fn dotenv(text: &str) -> Result<BTreeMap<String, Secret>, Unusable> {
    Ok(secrets::read_dotenv(".secrets.env", text)?)
}
