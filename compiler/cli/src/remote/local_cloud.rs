//! The local cloud inside of this program.
//!
//! It is there with the feature `cloud`, which is on unless a build leaves it out
//! (`--no-default-features`): SQLite and an HTTP server take most of the time in which envc is
//! compiled. Without it the commands and their help stay, and opening the local cloud is refused.

use std::{io, path::PathBuf};

use envc_core::Desired;
#[cfg(feature = "cloud")]
use envc_core::Mode;
use tokio::net::TcpListener;

use crate::host::error::CommandError;

/// Why the local cloud is not open.
#[derive(Debug)]
#[expect(dead_code, reason = "each build, with the cloud or without, has failures of its own")]
pub(crate) enum OpenError {
    /// The text of the faults cannot be read, because of this.
    Faults(String),
    /// Its folder cannot be used, and what can be done about that, where it is known.
    Folder(Box<dyn std::error::Error>, Option<String>),
    /// This envc was built without it.
    Absent,
}

impl OpenError {
    /// The error of a command; the first two failures are worded by what the command was about.
    pub(crate) fn into_command_error(
        self,
        faults: impl FnOnce() -> CommandError,
        folder: impl FnOnce() -> CommandError,
    ) -> CommandError {
        match self {
            Self::Faults(error) => faults().because_text(error),
            Self::Folder(error, hint) => folder().because(error.as_ref()).hint_opt(hint),
            Self::Absent => CommandError::failed("this envc has no local cloud")
                .because_text("it was built without the feature `cloud`")
                .hint("build one with it: cargo build -p envc --features cloud")
                .hint(
                    "or work on Cloudflare: set CLOUDFLARE_API_TOKEN, and pass --cloud cloudflare",
                )
                .code("envc::cli::no_local_cloud"),
        }
    }
}

/// How it is opened.
#[derive(Debug, Default)]
#[cfg_attr(not(feature = "cloud"), expect(dead_code, reason = "there is nothing to open with it"))]
pub(crate) struct LocalCloudSetup<'a> {
    /// Its folder.
    pub(crate) dir: PathBuf,
    /// The zones that exist.
    pub(crate) zones: Vec<String>,
    /// What goes wrong, such as `latency=50`.
    pub(crate) faults: &'a str,
    /// The hooks that tests call exist.
    pub(crate) test_hooks: bool,
    /// Names by which it may be called beside the address that it listens on.
    pub(crate) names: Vec<String>,
}

/// How it is with something that a spec says exists.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "cloud"), expect(dead_code, reason = "nothing stands in for anything"))]
pub(crate) enum StandIn {
    /// The account has it, or nothing can stand in for it.
    Needless,
    /// It is stood in for.
    There,
    /// This would stand in for it, and is not made.
    Missing {
        /// Its identifier.
        id: String,
        /// Its name.
        name: String,
    },
}

/// An open local cloud. Clones are the same one.
#[cfg(feature = "cloud")]
#[derive(Clone, Debug)]
pub(crate) struct LocalCloud(envc_cloud::Cloud);

#[cfg(feature = "cloud")]
impl LocalCloud {
    /// Opens it.
    pub(crate) fn open(setup: LocalCloudSetup<'_>) -> Result<Self, OpenError> {
        let LocalCloudSetup { dir, zones, faults, test_hooks, names } = setup;
        let faults = envc_cloud::Faults::parse(faults).map_err(OpenError::Faults)?;
        let config = envc_cloud::CloudConfig { dir, zones, faults, test_hooks, names };
        envc_cloud::Cloud::open(config).map(Self).map_err(|error| {
            let hint = error.hint();
            OpenError::Folder(Box::new(error), hint)
        })
    }

    /// The ID of its one account.
    pub(crate) fn account_id(&self) -> &str {
        self.0.account_id()
    }

    /// The token that it takes.
    pub(crate) fn token(&self) -> &str {
        self.0.token()
    }

    /// Looks how it is with what a spec says exists; nothing is made.
    pub(crate) fn look_for_stand_in(&self, wanted: &Desired) -> Result<StandIn, OpenError> {
        let Some((kind, id, name)) = stood_in(wanted) else { return Ok(StandIn::Needless) };
        let found = self.0.look_for_stand_in(kind, id, &name).map_err(unusable)?;
        Ok(match found {
            envc_cloud::StandIn::Needless => StandIn::Needless,
            envc_cloud::StandIn::There => StandIn::There,
            envc_cloud::StandIn::Missing(id) => StandIn::Missing { id, name },
        })
    }

    /// Makes what a spec says exists, where it does not. True: it is made now.
    pub(crate) fn stand_in(&self, wanted: &Desired) -> Result<bool, OpenError> {
        let Some((kind, id, name)) = stood_in(wanted) else { return Ok(false) };
        self.0.stand_in(kind, id, &name).map_err(unusable)
    }

    /// Answers until `stop` ends.
    pub(crate) async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        envc_cloud::serve(self.0, listener, stop).await
    }
}

#[cfg(feature = "cloud")]
fn unusable(error: envc_cloud::CloudError) -> OpenError {
    OpenError::Folder(Box::new(error), None)
}

/// Kind, identifier and name of what stands in for a resource, where the spec says that it exists.
#[cfg(feature = "cloud")]
fn stood_in(wanted: &Desired) -> Option<(&'static str, Option<&str>, String)> {
    let (id, name) = match &wanted.mode {
        Mode::Managed => return None,
        Mode::ExistingId(id) => (Some(id.as_str()), format!("stand-in-{id}")),
        Mode::ExistingName => (None, wanted.name.clone()),
    };
    Some((wanted.address.kind().as_str(), id, name))
}

/// An open local cloud, of which there is none in this build.
#[cfg(not(feature = "cloud"))]
#[derive(Clone, Debug)]
pub(crate) enum LocalCloud {}

#[cfg(not(feature = "cloud"))]
impl LocalCloud {
    /// There is nothing to open.
    pub(crate) fn open(_: LocalCloudSetup<'_>) -> Result<Self, OpenError> {
        Err(OpenError::Absent)
    }

    pub(crate) fn account_id(&self) -> &str {
        match *self {}
    }

    pub(crate) fn token(&self) -> &str {
        match *self {}
    }

    pub(crate) fn look_for_stand_in(&self, _: &Desired) -> Result<StandIn, OpenError> {
        match *self {}
    }

    pub(crate) fn stand_in(&self, _: &Desired) -> Result<bool, OpenError> {
        match *self {}
    }

    pub(crate) fn serve(
        self,
        _: TcpListener,
        _: impl Future<Output = ()> + Send + 'static,
    ) -> std::future::Ready<io::Result<()>> {
        match self {}
    }
}
