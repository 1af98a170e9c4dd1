//! A server of the test's own, in a thread beside it: the binary reaches it as it reaches Cloudflare.

use std::{net::SocketAddr, thread::JoinHandle};

use envc_cloud::Cloud;
use tokio::{net::TcpListener, sync::oneshot};

use crate::env::TestEnv;

/// What ends when it is to stop.
pub type Stopped = oneshot::Receiver<()>;

/// A running server. Dropping it stops it, and waits until it has.
#[derive(Debug)]
pub struct Serving {
    addresses: Vec<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    /// Listens on as many free ports of this machine, and runs what serves them.
    pub fn start<S, F>(ports: usize, serve: S) -> Self
    where
        S: FnOnce(Vec<TcpListener>, Stopped) -> F + Send + 'static,
        F: Future<Output = ()>,
    {
        let listeners: Vec<std::net::TcpListener> = (0..ports).map(|_| listen()).collect();
        let address = |it: &std::net::TcpListener| it.local_addr().expect("it has an address");
        let addresses = listeners.iter().map(address).collect();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime can be made");
            runtime.block_on(async move {
                let listeners = listeners.into_iter().map(TcpListener::from_std);
                let listeners = listeners.map(|it| it.expect("the socket is listening")).collect();
                serve(listeners, stopped).await;
            });
        });
        Self { addresses, stop: Some(stop), thread: Some(thread) }
    }

    /// The same on one port.
    pub fn start_one<S, F>(serve: S) -> Self
    where
        S: FnOnce(TcpListener, Stopped) -> F + Send + 'static,
        F: Future<Output = ()>,
    {
        Self::start(1, move |mut listeners, stopped| {
            serve(listeners.pop().expect("there is one"), stopped)
        })
    }

    /// Serves these routes on one port.
    pub fn of_router(router: axum::Router) -> Self {
        Self::start_one(async move |listener, stopped| {
            tokio::select! {
                ended = axum::serve(listener, router) => ended.expect("it serves"),
                _ = stopped => {}
            }
        })
    }

    /// Where its n-th port is, from 0.
    pub fn address(&self, port: usize) -> SocketAddr {
        *self.addresses.get(port).expect("there are as many ports")
    }

    /// Makes the environment's commands use this cloud, behind the n-th port, as Cloudflare.
    pub fn use_as_cloudflare(&self, port: usize, cloud: &Cloud, env: &mut TestEnv) {
        env.unset("ENVC_CLOUD")
            .set("CLOUDFLARE_API_BASE_URL", &format!("http://{}/client/v4", self.address(port)))
            .set("CLOUDFLARE_API_TOKEN", cloud.token())
            .set("CLOUDFLARE_ACCOUNT_ID", cloud.account_id());
    }
}

fn listen() -> std::net::TcpListener {
    let listener =
        std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port of this machine is free");
    listener.set_nonblocking(true).expect("a socket can be made not to block");
    listener
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A server that panicked has failed its clients already.
            let _ended = thread.join();
        }
    }
}
