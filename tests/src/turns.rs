//! A cloud whose clients take turns: their requests go through one at a time, in an order that a seed
//! decides, so that two runs meet at every place where they can.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use envc_cloud::{Cloud, CloudConfig};
use envc_core::SplitMix64;
use tokio::sync::{Notify, oneshot};

use crate::{env::TestEnv, listing::CloudView, serving::Serving};

/// Milliseconds that a client whose turn it is may take until its next request.
const THINKS_MS: u64 = 60;
/// Most requests of one client in a row, while another one waits.
const ROW_MAX: u64 = 8;

/// The served cloud. Dropping it stops it.
#[derive(Debug)]
pub struct Turns {
    cloud: Cloud,
    desk: Arc<Desk>,
    serving: Serving,
    view: CloudView,
}

/// Who waits, and what went through.
#[derive(Debug)]
struct Desk {
    seed: u64,
    waiting: Mutex<BTreeMap<usize, VecDeque<oneshot::Sender<()>>>>,
    came: Notify,
    left: Notify,
    log: Mutex<Vec<(usize, String)>>,
}

impl Turns {
    /// Serves a cloud in the folder of this environment to as many clients.
    pub fn start(host: &TestEnv, clients: usize, seed: u64) -> Self {
        let dir = host.path().join("turns");
        let cloud = Cloud::open(CloudConfig { dir: dir.clone(), ..CloudConfig::default() })
            .expect("the served cloud opens");
        let desk = Arc::new(Desk {
            seed,
            waiting: Mutex::default(),
            came: Notify::new(),
            left: Notify::new(),
            log: Mutex::default(),
        });
        let (served, at_desk) = (cloud.clone(), Arc::clone(&desk));
        let serving = Serving::start(clients, async move |listeners, stopped| {
            for (who, listener) in listeners.into_iter().enumerate() {
                let state = (Arc::clone(&at_desk), who);
                let router = served.router().layer(from_fn_with_state(state, wait));
                tokio::spawn(async move { axum::serve(listener, router).await });
            }
            tokio::select! {
                () = give_turns(&at_desk, clients) => {}
                _ = stopped => {}
            }
        });
        let view = CloudView::open(&dir);
        Self { cloud, desk, serving, view }
    }

    /// Makes the environment's commands use the cloud as this client.
    pub fn use_as(&self, client: usize, env: &mut TestEnv) {
        self.serving.use_as_cloudflare(client, &self.cloud, env);
    }

    /// Where this client reaches the cloud.
    pub fn address(&self, client: usize) -> SocketAddr {
        self.serving.address(client)
    }

    /// What went through, in order: whose it was, method and path.
    pub fn log(&self) -> Vec<(usize, String)> {
        lock(&self.desk.log).clone()
    }

    /// The cloud, asked beside all turns.
    pub fn view(&self) -> &CloudView {
        &self.view
    }
}

/// Lets one request through after the other, for ever.
async fn give_turns(desk: &Desk, clients: usize) {
    let mut numbers = SplitMix64(desk.seed);
    let mut below = |max: u64| numbers.next_number() % max;
    loop {
        let who = usize::try_from(below(clients as u64)).unwrap_or_default();
        for _ in 0..=below(ROW_MAX) {
            let Some(turn) = next_of(desk, who).await else { break };
            // A client that went away takes no turn.
            if turn.send(()).is_ok() {
                desk.left.notified().await;
            }
        }
    }
}

/// The next request of a client, or none where it makes none in time and somebody else waits.
async fn next_of(desk: &Desk, who: usize) -> Option<oneshot::Sender<()>> {
    let mut thinks = true;
    loop {
        let came = desk.came.notified();
        {
            let mut waiting = lock(&desk.waiting);
            if let Some(turn) = waiting.entry(who).or_default().pop_front() {
                return Some(turn);
            }
            if !thinks && waiting.values().any(|them| !them.is_empty()) {
                return None;
            }
        }
        let time = Duration::from_millis(THINKS_MS);
        thinks &= tokio::time::timeout(time, came).await.is_ok();
    }
}

async fn wait(
    State((desk, who)): State<(Arc<Desk>, usize)>,
    request: Request,
    next: Next,
) -> Response {
    let (turn, mine) = oneshot::channel();
    let line = format!("{} {}", request.method(), request.uri().path());
    lock(&desk.waiting).entry(who).or_default().push_back(turn);
    desk.came.notify_one();
    let _turn = mine.await;
    lock(&desk.log).push((who, line));
    let response = next.run(request).await;
    desk.left.notify_one();
    response
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
