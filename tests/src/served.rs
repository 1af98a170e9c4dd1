//! A cloud served by the test itself: the binary reaches it as it reaches Cloudflare, and the
//! test reads its request log.

use envc_cloud::{Cloud, CloudConfig, Delay, Faults, RequestLog};

use crate::{env::TestEnv, listing::CloudView, serving::Serving};

/// A served cloud. Dropping it stops it.
#[derive(Debug)]
pub struct ServedCloud {
    cloud: Cloud,
    base_url: String,
    serving: Serving,
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
        let served = cloud.clone();
        let serving = Serving::start_one(async move |listener, stopped| {
            let end = async move {
                let _ended = stopped.await;
            };
            envc_cloud::serve(served, listener, end).await.expect("the cloud serves");
        });
        let base_url = format!("http://{}/client/v4", serving.address(0));
        let view = CloudView::open(&dir);
        let this = Self { cloud, base_url, serving, view };
        this.use_in(env);
        this
    }

    /// Makes the environment's commands use it as Cloudflare from here on.
    pub fn use_in(&self, env: &mut TestEnv) {
        self.serving.use_as_cloudflare(0, &self.cloud, env);
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

    /// The calls of the binary that a mood refused for a while, oldest first.
    pub fn delays(&self) -> Vec<Delay> {
        self.cloud.delays()
    }

    /// The cloud, asked beside the log and the faults.
    pub fn view(&self) -> &CloudView {
        &self.view
    }
}
