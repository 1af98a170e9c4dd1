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
    /// Others may write to the data folder.
    #[error("others than you may write to {}", path.display())]
    Shared {
        /// The folder.
        path: PathBuf,
    },
    /// The data folder is another user's.
    #[error("{} is another user's", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
    },
    /// A link stands where the local cloud keeps something.
    #[error("{} is a link, and none is followed there", path.display())]
    Link {
        /// The link.
        path: PathBuf,
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
    /// Something that is said to exist cannot be stood in for.
    #[error("make a stand-in: {0}")]
    StandIn(String),
    /// The system gave no randomness.
    #[error("make a token: the system gave no randomness")]
    Randomness,
}

impl CloudError {
    /// What can be done about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Shared { path } => Some(format!(
                "take that away: chmod go-w {}; or name another folder",
                path.display()
            )),
            Self::Foreign { .. } => Some(
                "name a folder of your own, or one that is not there yet: it is made for you alone"
                    .to_owned(),
            ),
            Self::Link { path } => {
                Some(format!("look where it leads, then remove it: rm {}", path.display()))
            }
            Self::Folder { .. }
            | Self::Database(_)
            | Self::TooNew { .. }
            | Self::ZoneName(_)
            | Self::StandIn(_)
            | Self::Randomness => None,
        }
    }
}
