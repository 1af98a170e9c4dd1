//! A cloud served by the test itself: the binary reaches it as it reaches Cloudflare, and the
//! test reads its request log.

use std::thread::JoinHandle;

use envc_cloud::{Cloud, CloudConfig, Faults, RequestLog};
use tokio::sync::oneshot;

use crate::{env::TestEnv, listing::CloudView};

/// A served cloud. Dropping it stops it.
#[derive(Debug)]
pub struct ServedCloud {
    cloud: Cloud,
    base_url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    view: CloudView,
}

impl ServedCloud {
    /// Serves a cloud with these faults, and makes the environment's commands use it as
    /// Cloudflare.
    pub fn start(env: &mut TestEnv, faults: &str, zones: &[&str]) -> Self {
        Self::start_as(env, "served", faults, zones)
    }

    /// The same with a folder of this name: another account.
    pub fn start_as(env: &mut TestEnv, name: &str, faults: &str, zones: &[&str]) -> Self {
        let dir = env.path().join(name);
        let faults = Faults::parse(faults).expect("the test's faults can be read");
        let zones = zones.iter().map(|zone| (*zone).to_owned()).collect();
        let cloud =
            Cloud::open(CloudConfig { dir: dir.clone(), zones, faults, ..CloudConfig::default() })
                .expect("the served cloud opens");
        let listener =
            std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port of this machine is free");
        listener.set_nonblocking(true).expect("a socket can be made not to block");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (stop, stopped) = oneshot::channel::<()>();
        let served = cloud.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime can be made");
            runtime.block_on(async move {
                let listener =
                    tokio::net::TcpListener::from_std(listener).expect("the socket is listening");
                let end = async move {
                    let _ended = stopped.await;
                };
                envc_cloud::serve(served, listener, end).await.expect("the cloud serves");
            });
        });
        let base_url = format!("http://{address}/client/v4");
        let view = CloudView::open(&dir);
        let this = Self { cloud, base_url, stop: Some(stop), thread: Some(thread), view };
        this.use_in(env);
        this
    }

    /// Makes the environment's commands use it as Cloudflare from here on.
    pub fn use_in(&self, env: &mut TestEnv) {
        env.unset("ENVC_CLOUD")
            .set("CLOUDFLARE_API_BASE_URL", &self.base_url)
            .set("CLOUDFLARE_API_TOKEN", self.cloud.token())
            .set("CLOUDFLARE_ACCOUNT_ID", self.cloud.account_id());
    }

    /// The ID of its account.
    pub fn account(&self) -> &str {
        self.cloud.account_id()
    }

    /// With `/client/v4`.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The API requests of the binary, oldest first.
    pub fn requests(&self) -> Vec<RequestLog> {
        self.cloud.requests()
    }

    /// The cloud, asked beside the log and the faults.
    pub fn view(&self) -> &CloudView {
        &self.view
    }
}

impl Drop for ServedCloud {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A server that panicked has failed its clients already.
            let _ended = thread.join();
        }
    }
}
