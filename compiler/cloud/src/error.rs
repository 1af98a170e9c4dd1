//! Why a local cloud cannot be had.

use std::path::PathBuf;

/// Why a local cloud cannot be opened or changed by its owner.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloudError {
    /// The data folder cannot be made or written.
    #[error("use the data folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("read or write the local cloud's database")]
    Database(#[from] rusqlite::Error),
    /// The folder was written by a newer program.
    #[error("open a data folder of version {found}: this program knows versions up to {supported}")]
    TooNew {
        /// Version of the folder.
        found: u32,
        /// Newest version that this program reads.
        supported: u32,
    },
    /// A zone's name is no domain name.
    #[error("add the zone {0:?}: it is not a domain name")]
    ZoneName(String),
    /// The system gave no randomness.
    #[error("make a token: the system gave no randomness")]
    Randomness,
}
