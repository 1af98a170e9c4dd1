//! Probes that the cron makes: Cloudflare's is one of the runtime's events, sent here by a Worker
//! of the tests' own.

use std::sync::atomic::Ordering;

use envc_edge_api::{Reachability, Status};
use serde_json::Value;

use crate::common::{admin, environment, report, token};
use crate::http::send;
use crate::site::Site;
use crate::workerd::Workerd;

#[test]
fn the_cron_finds_what_answers_fails_redirects_hangs_and_recovers() {
    let workerd = Workerd::start_with_cron(&[("ALLOW_LOOPBACK_PROBES", "1")]);
    let (at, cron) = (workerd.address, workerd.cron.unwrap());
    let tick = || assert_eq!(send(cron, "GET", "/").json::<Value>()["outcome"], "ok");
    let ci = token(at, "ci", "report").token;
    let elsewhere = Site::start(200, "");
    let location: &'static str =
        Box::leak(format!("Location: {}\r\n", elsewhere.url()).into_boxed_str());
    let (good, bad) = (Site::start(200, ""), Site::start(500, ""));
    let (moved, hangs) = (Site::start(302, location), Site::start(0, ""));
    for (id, site) in [("a", &good), ("b", &bad), ("c", &moved), ("d", &hangs)] {
        report(at, &ci, id, &site.url());
    }
    tick();
    let health = |id: &str| {
        let it = environment(at, id);
        (it.health, it.urls[0].last.as_ref().and_then(|last| last.status))
    };
    assert_eq!(health("a"), (Reachability::Up, Some(200)));
    assert_eq!(health("b"), (Reachability::Down, Some(500)));
    assert_eq!(health("c"), (Reachability::Up, Some(302)));
    assert_eq!(health("d"), (Reachability::Down, None));
    assert_eq!(elsewhere.hits(), 0, "a redirect is not followed");
    let status: Status = admin(at, "GET", "/v1/status", "").json();
    assert_eq!((status.health, status.counts.up, status.counts.down), (Reachability::Down, 2, 2));

    hangs.status.store(204, Ordering::Relaxed);
    bad.status.store(200, Ordering::Relaxed);
    good.status.store(503, Ordering::Relaxed);
    tick();
    assert_eq!((health("b").0, health("d").0), (Reachability::Up, Reachability::Up));
    assert_eq!(health("a"), (Reachability::Down, Some(503)));
    let day = environment(at, "d").days[0];
    assert_eq!((day.up, day.down), (1, 1));
    tick();
    assert_eq!((good.hits(), moved.hits()), (3, 3));
}
