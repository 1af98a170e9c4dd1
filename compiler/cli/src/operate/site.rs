//! A session at its clouds: one call opens all that a networked command needs.
//!
//! ```ignore
//! let site = Site::open(&session, Needs::STATE).await?;
//! let (engine, loaded) = Engine::open(&site, Hold::Read).await?;
//! ```

use crate::{
    host::{error::CommandError, interrupt::Interrupt},
    remote::{
        connection::Connection,
        edge::{self, EdgeConnection},
        pools::{Access, SessionPools},
        registry_report,
    },
    shell::reporter::Reporter,
    workspace::session::Session,
};

/// What a command needs of the edge Worker that the spec names. Its token may have to be asked for,
/// so nobody looks for more than is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    /// What the edge is asked for.
    pub(crate) edge: Edge,
    /// Who finds a pool empty waits in its queue.
    pub(crate) wait: bool,
}

/// What the edge is asked for besides the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    /// Nothing.
    State,
    /// Pools. That they cannot be asked is an error of the first call that asks them.
    Pools,
    /// Pools, and its registry is told how the command ended. That it cannot be is an error of
    /// [`Site::demand_registry`].
    Registry,
    /// The same; that it cannot be is a warning.
    RegistryIfThere,
}

impl Needs {
    /// The state alone.
    pub(crate) const STATE: Self = Self { edge: Edge::State, wait: false };
    /// The state and pools, in whose queues nobody waits.
    pub(crate) const POOLS: Self = Self { edge: Edge::Pools, wait: false };
}

/// A session with the connections that its command works over, Ctrl-C and the reporter.
pub(crate) struct Site<'s, 'u> {
    /// The session.
    pub(crate) session: &'s Session<'u>,
    /// Ctrl-C.
    pub(crate) stop: Interrupt,
    /// Tells what exec does.
    pub(crate) reporter: Reporter<'u>,
    /// The cloud.
    pub(crate) connection: Connection,
    /// The edge Worker that the spec names.
    edge: Option<EdgeConnection>,
    /// Why it cannot be told how the command ended.
    no_registry: Option<CommandError>,
    access: Access,
    needs: Needs,
}

impl<'s, 'u> Site<'s, 'u> {
    /// Connects to the cloud and finds the edge Worker; listens for Ctrl-C from now on.
    pub(crate) async fn open(session: &'s Session<'u>, needs: Needs) -> Result<Self, CommandError> {
        let stop = Interrupt::listen();
        let connection = Connection::open(&session.workspace, &session.target.cloud).await?;
        let is_asked = needs.edge != Edge::State || session.shares_state();
        let opened =
            if is_asked { edge::open(session, &connection, &stop).await } else { Ok(None) };
        let access = Access::new(&connection, opened.clone());
        let (edge, no_registry) = match opened {
            Err(error) if session.shares_state() => return Err(error),
            Err(error) if needs.edge == Edge::Registry => (None, Some(error)),
            Err(error) => {
                if needs.edge == Edge::RegistryIfThere {
                    session.ui.caution(&error);
                }
                (None, None)
            }
            Ok(edge) => (edge, None),
        };
        let reporter = Reporter::new(session.ui);
        Ok(Self { session, stop, reporter, connection, edge, no_registry, access, needs })
    }

    /// The edge that keeps the state, where it does.
    pub(crate) fn edge_of_state(&self) -> Option<&EdgeConnection> {
        self.edge.as_ref().filter(|_| self.session.shares_state())
    }

    /// The edge whose registry is told of the environment, where it is.
    pub(crate) fn registry(&self) -> Option<&EdgeConnection> {
        registry_report::listener(self.session, self.edge.as_ref())
    }

    /// Fails when the registry has to be told of the environment and cannot be.
    pub(crate) fn demand_registry(&self) -> Result<(), CommandError> {
        self.no_registry.clone().map_or(Ok(()), Err)
    }

    /// The pools of the session's leases.
    pub(crate) fn pools(&self) -> SessionPools<'_> {
        self.access.pools(self.session, &self.reporter, &self.stop, self.needs.wait)
    }
}
