//! The data folder: it survives restarts and serves several at once.

use std::time::{Duration, Instant};

use crate::support::Served;
use envc_cloud::{Cloud, CloudConfig, CloudError, Faults};
use serde_json::json;
use tempfile::TempDir;

fn config(dir: &TempDir) -> CloudConfig {
    CloudConfig { dir: dir.path().join("cloud"), ..CloudConfig::default() }
}

#[tokio::test]
async fn everything_survives_a_restart() {
    let dir = TempDir::new().unwrap();
    let first = Served::on(dir.path(), Faults::default()).await;
    let (account, token) = (first.cloud.account_id().to_owned(), first.cloud.token().to_owned());
    let database = first.post("d1/database", json!({"name": "db"})).await.ok();
    let query = format!("d1/database/{}/query", database["uuid"].as_str().unwrap());
    let sql = json!({"sql": "CREATE TABLE t (x); INSERT INTO t VALUES (1)"});
    first.post(&query, sql).await.ok();
    first.post("r2/buckets", json!({"name": "bkt"})).await.ok();
    first.stop().await;

    let second = Served::on(dir.path(), Faults::default()).await;
    assert_eq!((second.cloud.account_id(), second.cloud.token()), (&*account, &*token));
    let rows = second.post(&query, json!({"sql": "SELECT x FROM t"})).await.ok();
    assert_eq!(rows[0]["results"], json!([{"x": 1}]));
    second.get("r2/buckets/bkt").await.ok();
    second.post("d1/database", json!({"name": "db"})).await.fails(400, 7502);
}

#[tokio::test]
async fn two_clouds_write_one_folder_at_once() {
    let dir = TempDir::new().unwrap();
    let one = Served::on(dir.path(), Faults::default()).await;
    let two = Served::on(dir.path(), Faults::default()).await;
    let database = one.post("d1/database", json!({"name": "shared"})).await.ok();
    let query = format!("d1/database/{}/query", database["uuid"].as_str().unwrap());
    two.post(&query, json!({"sql": "CREATE TABLE t (x)"})).await.ok();
    let write = async |served: &Served, tag: &str| {
        for n in 0..20 {
            served.post("queues", json!({"queue_name": format!("{tag}-{n}")})).await.ok();
            served.post(&query, json!({"sql": "INSERT INTO t VALUES (1)"})).await.ok();
        }
    };
    tokio::join!(write(&one, "one"), write(&two, "two"));
    let list = two.get("queues?per_page=100").await;
    assert_eq!(list.body["result_info"]["total_count"], 40);
    let count = one.post(&query, json!({"sql": "SELECT count(*) AS n FROM t"})).await.ok();
    assert_eq!(count[0]["results"][0]["n"], 40);

    // Both race for one name: exactly one wins.
    let race = json!({"queue_name": "race"});
    let (a, b) = tokio::join!(one.post("queues", race.clone()), two.post("queues", race));
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);

    // What one deletes is gone for the other, open connections or not.
    let path = format!("d1/database/{}", database["uuid"].as_str().unwrap());
    one.delete(&path).await.ok();
    two.post(&query, json!({"sql": "SELECT 1"})).await.fails(404, 7404);
}

#[test]
fn many_open_a_new_folder_at_once() {
    let dir = TempDir::new().unwrap();
    let tokens: Vec<String> = std::thread::scope(|scope| {
        let open = || Cloud::open(config(&dir)).unwrap().token().to_owned();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(tokens.iter().all(|token| *token == tokens[0]));
}

#[cfg(unix)]
#[test]
fn the_folder_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = TempDir::new().unwrap();
    let cloud = Cloud::open(config(&dir)).unwrap();
    let mode = |name: &str| {
        let path = dir.path().join("cloud").join(name);
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    assert_eq!((mode(""), mode("cloud.sqlite"), mode("cloud.sqlite-wal")), (0o700, 0o600, 0o600));
    drop(cloud);
}

#[cfg(unix)]
fn set_mode(path: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(unix)]
#[test]
fn a_folder_that_was_there_stays_as_it_is() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = TempDir::new().unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o7777;
    let parent = dir.path().join("parent");
    std::fs::create_dir(&parent).unwrap();
    for bits in [0o755, 0o700, 0o711, 0o1755, 0o2750] {
        let there = parent.join(format!("{bits:o}"));
        std::fs::create_dir(&there).unwrap();
        set_mode(&there, bits);
        set_mode(&parent, bits);
        for dir in [there.clone(), parent.join(format!("new-{bits:o}/below"))] {
            drop(Cloud::open(CloudConfig { dir, ..CloudConfig::default() }).unwrap());
        }
        assert_eq!((mode(&there), mode(&parent)), (bits, bits), "{bits:o}");
        assert_eq!(mode(&there.join("d1")) & 0o777, 0o700);
        for new in ["", "/below", "/below/d1"] {
            let new = parent.join(format!("new-{bits:o}{new}"));
            assert_eq!(mode(&new) & 0o777, 0o700, "{}", new.display());
        }
    }
}

#[cfg(unix)]
#[test]
fn a_folder_that_others_may_write_to_is_refused_with_the_way_out() {
    for (bits, below) in
        [(0o777, false), (0o775, false), (0o1777, false), (0o702, false), (0o777, true)]
    {
        let dir = TempDir::new().unwrap();
        let there = dir.path().join("cloud");
        let shared = if below { there.join("d1") } else { there.clone() };
        std::fs::create_dir_all(&shared).unwrap();
        set_mode(&there, 0o700);
        set_mode(&shared, bits);
        let refused = Cloud::open(config(&dir)).unwrap_err();
        assert!(matches!(refused, CloudError::Shared { .. }), "{bits:o}: {refused}");
        assert!(refused.hint().unwrap().contains("chmod go-w"));
        assert!(!there.join("cloud.sqlite").exists());
        set_mode(&shared, bits & 0o755);
        drop(Cloud::open(config(&dir)).unwrap());
    }
}

/// Only root can give a folder away.
#[cfg(unix)]
#[test]
fn a_folder_of_another_owner_is_refused() {
    let dir = TempDir::new().unwrap();
    let there = dir.path().join("cloud");
    std::fs::create_dir(&there).unwrap();
    let given = std::os::unix::fs::chown(&there, Some(65_534), None).is_ok();
    let opened = Cloud::open(config(&dir));
    match opened {
        Err(refused) => {
            assert!(given && matches!(refused, CloudError::Foreign { .. }), "{refused}");
        }
        Ok(_) => assert!(!given),
    }
}

#[cfg(unix)]
#[test]
fn no_link_in_the_folder_is_followed() {
    use std::os::unix::fs::symlink;
    for name in ["cloud.sqlite", "cloud.sqlite-wal", "cloud.sqlite-shm", "open.lock", "d1"] {
        for there in [true, false] {
            let dir = TempDir::new().unwrap();
            let (cloud, victim) = (dir.path().join("cloud"), dir.path().join("victim"));
            std::fs::create_dir(&cloud).unwrap();
            set_mode(&cloud, 0o700);
            match (there, name) {
                (false, _) => {}
                (true, "d1") => std::fs::create_dir(&victim).unwrap(),
                (true, _) => std::fs::write(&victim, "").unwrap(),
            }
            symlink(&victim, cloud.join(name)).unwrap();
            let refused = Cloud::open(config(&dir)).unwrap_err();
            assert!(matches!(refused, CloudError::Link { .. }), "{name}: {refused}");
            assert!(refused.hint().unwrap().contains(name));
            assert_eq!(victim.exists(), there, "{name}");
            if victim.is_file() {
                assert_eq!(std::fs::read(&victim).unwrap(), b"", "{name}");
            }
        }
    }
    // The folder itself may be one: whoever names it means where it leads.
    let dir = TempDir::new().unwrap();
    std::fs::create_dir(dir.path().join("real")).unwrap();
    set_mode(&dir.path().join("real"), 0o700);
    symlink(dir.path().join("real"), dir.path().join("cloud")).unwrap();
    drop(Cloud::open(config(&dir)).unwrap());
}

#[test]
fn a_newer_folder_is_refused() {
    let dir = TempDir::new().unwrap();
    drop(Cloud::open(config(&dir)).unwrap());
    let file = rusqlite::Connection::open(dir.path().join("cloud/cloud.sqlite")).unwrap();
    file.pragma_update(None, "user_version", 99).unwrap();
    let refused = Cloud::open(config(&dir)).unwrap_err();
    assert!(matches!(refused, CloudError::TooNew { found: 99, .. }), "{refused}");
}

#[test]
fn a_bad_zone_is_refused() {
    let dir = TempDir::new().unwrap();
    let zones = vec!["not a zone".to_owned()];
    let refused = Cloud::open(CloudConfig { zones, ..config(&dir) }).unwrap_err();
    assert!(matches!(refused, CloudError::ZoneName(_)));
}

/// The median of a call's duration over 51 rounds.
async fn median(name: &str, mut call: impl AsyncFnMut(u32)) -> Duration {
    let mut took = Vec::new();
    for n in 0..51 {
        let start = Instant::now();
        call(n).await;
        took.push(start.elapsed());
    }
    took.sort_unstable();
    println!("p50 of {name}: {:?}", took[25]);
    took[25]
}

#[tokio::test]
async fn calls_are_fast() {
    let served = Served::new().await;
    let s = &served;
    let database = s.post("d1/database", json!({"name": "db"})).await.ok();
    let query = format!("d1/database/{}/query", database["uuid"].as_str().unwrap());
    s.post(&query, json!({"sql": "CREATE TABLE t (x)"})).await.ok();
    let sql = json!({"sql": "INSERT INTO t VALUES (1)"});
    let create =
        async |n| drop(s.post("queues", json!({"queue_name": format!("q{n}")})).await.ok());
    let database =
        async |n| drop(s.post("d1/database", json!({"name": format!("d{n}")})).await.ok());
    let medians = [
        median("creating a queue", create).await,
        median("listing queues", async |_| drop(s.get("queues").await.ok())).await,
        median("creating a database", database).await,
        median("listing databases", async |_| drop(s.get("d1/database").await.ok())).await,
        median("inserting a row", async |_| drop(s.post(&query, sql.clone()).await.ok())).await,
    ];
    // Far above what a quiet machine needs, far below what a sync to disk per call may cost.
    assert!(medians.iter().all(|median| median.as_millis() < 50), "{medians:?}");
}
