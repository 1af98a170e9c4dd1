//! Shared state and its locks over real HTTP.

use std::thread;

use envc_edge_api::{Lock, LockedProblem, ProblemType, StateList, StateWritten, VersionList};

use crate::common::{admin, call, check_problem, token};
use crate::http::{Answer, Ask, ask};
use crate::workerd::Workerd;

const STATE: &str = "/v1/state/cloudflare/0123456789abcdef0123456789abcdef/shop/pr-1";

/// Somebody who works on a state.
struct User<'a> {
    workerd: &'a Workerd,
    token: String,
}

impl User<'_> {
    fn call(&self, method: &str, below: &str, headers: &str, body: &str) -> Answer {
        let target = format!("{STATE}{below}");
        let (target, token) = (target.as_str(), self.token.as_str());
        ask(self.workerd.address, Ask { method, target, token, headers, body })
    }

    fn try_lock(&self) -> Answer {
        self.call("POST", "/lock", "", r#"{"holder":"alice@laptop","purpose":"apply"}"#)
    }

    #[track_caller]
    fn lock(&self) -> Lock {
        let answer = self.try_lock();
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()
    }

    fn put(&self, fence: u64, condition: &str, body: &str) -> Answer {
        self.call("PUT", "", &format!("Envc-Fence: {fence}\r\n{condition}\r\n"), body)
    }
}

fn user<'a>(workerd: &'a Workerd, subject: &str) -> User<'a> {
    User { workerd, token: token(workerd.address, subject, "state").token }
}

#[test]
fn a_state_is_locked_written_read_and_survives_a_kill() {
    let mut workerd = Workerd::start();
    let ci = user(&workerd, "ci");
    check_problem(&ci.call("GET", "", "", ""), ProblemType::NotFound);
    let lock = ci.lock();
    let written = ci.put(lock.fence, "If-None-Match: *", r#"{"serial":1}"#);
    assert_eq!(written.status, 201, "{written:?}");
    let one = written.header("etag").to_owned();
    assert_eq!(written.json::<StateWritten>().etag, one);
    let read = ci.call("GET", "", "", "");
    assert_eq!((read.body.as_str(), read.header("etag")), (r#"{"serial":1}"#, one.as_str()));
    let unchanged = ci.call("GET", "", &format!("If-None-Match: {one}\r\n"), "");
    assert_eq!((unchanged.status, unchanged.body.as_str()), (304, ""));

    let ci_token = ci.token;
    workerd.restart();
    let ci = User { workerd: &workerd, token: ci_token };
    assert_eq!(ci.call("GET", "", "", "").body, r#"{"serial":1}"#);
    check_problem(&user(&workerd, "other").try_lock(), ProblemType::Locked);
    let two = ci.put(lock.fence, &format!("If-Match: {one}"), r#"{"serial":2}"#);
    assert_eq!(two.status, 200, "{two:?}");
    let stale = ci.put(lock.fence, &format!("If-Match: {one}"), r#"{"serial":3}"#);
    check_problem(&stale, ProblemType::PreconditionFailed);
    assert_eq!(stale.header("etag"), two.header("etag"));
    let list: VersionList = ci.call("GET", "/versions", "", "").json();
    assert_eq!(list.versions.len(), 2);
    assert_eq!(ci.call("GET", "/versions/1", "", "").body, r#"{"serial":1}"#);

    let path = format!("/lock/{}", lock.lock_id);
    assert_eq!(ci.call("PUT", &path, "", "").status, 200);
    assert_eq!(ci.call("DELETE", &path, "", "").status, 204);
    let late = ci.put(lock.fence, &format!("If-Match: {}", two.header("etag")), "{}");
    check_problem(&late, ProblemType::FenceStale);
}

#[test]
fn a_large_state_comes_back_as_it_was_and_one_too_large_is_refused() {
    let workerd = Workerd::start();
    let ci = user(&workerd, "ci");
    let fence = ci.lock().fence;
    let large = format!("[\"{}\"]", "äbc".repeat(1_700_000));
    let written = ci.put(fence, "If-None-Match: *", &large);
    assert_eq!(written.status, 201, "{written:?}");
    let read = ci.call("GET", "", "", "");
    assert!(read.status == 200 && read.body == large, "{} bytes", read.body.len());
    let condition = format!("If-Match: {}", written.header("etag"));
    let too_large = format!("[\"{}\"]", "x".repeat(8 * 1024 * 1024));
    check_problem(&ci.put(fence, &condition, &too_large), ProblemType::BodyTooLarge);
    check_problem(&ci.put(fence, &condition, "no json"), ProblemType::InvalidRequest);
}

#[test]
fn of_many_at_once_one_gets_the_lock_and_the_others_learn_who() {
    let workerd = Workerd::start();
    let ci = user(&workerd, "ci");
    let answers: Vec<Answer> = thread::scope(|scope| {
        let asked: Vec<_> = (0..16).map(|_| scope.spawn(|| ci.try_lock())).collect();
        asked.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    for refused in answers.iter().filter(|answer| answer.status != 201) {
        check_problem(refused, ProblemType::Locked);
        assert_ne!(refused.header("retry-after"), "");
        assert_eq!(refused.json::<LockedProblem>().lock.holder, "alice@laptop");
    }
}

#[test]
fn parallel_writers_lose_no_update() {
    let workerd = Workerd::start();
    let ci = user(&workerd, "ci");
    let fence = ci.lock().fence;
    assert_eq!(ci.put(fence, "If-None-Match: *", "0").status, 201);
    // They share a lock, as threads of one program would: compare-and-set alone must do.
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut done = 0;
                while done < 5 {
                    let read = ci.call("GET", "", "", "");
                    let next = (read.json::<u64>() + 1).to_string();
                    let condition = format!("If-Match: {}", read.header("etag"));
                    match ci.put(fence, &condition, &next).status {
                        200 => done += 1,
                        412 => {}
                        other => panic!("{other}"),
                    }
                }
            });
        }
    });
    assert_eq!(ci.call("GET", "", "", "").body, "40");
}

#[test]
fn locks_are_listed_and_an_admin_breaks_them() {
    let workerd = Workerd::start();
    let ci = user(&workerd, "ci");
    let lock = ci.lock();
    let project = STATE.trim_end_matches("/pr-1");
    let list: StateList = call(workerd.address, &ci.token, "GET", project, "").json();
    assert_eq!(list.environments[0].lock.as_ref().unwrap().holder, "alice@laptop");
    check_problem(&ci.call("DELETE", "/lock", "", ""), ProblemType::Forbidden);
    let path = format!("{STATE}/lock");
    assert_eq!(admin(workerd.address, "DELETE", &path, "").status, 204);
    let beat = ci.call("PUT", &format!("/lock/{}", lock.lock_id), "", "");
    check_problem(&beat, ProblemType::LockGone);
    let refused = ci.put(lock.fence, "If-None-Match: *", "{}");
    check_problem(&refused, ProblemType::FenceStale);
}

#[test]
fn a_state_needs_its_scope_and_its_conditions() {
    let workerd = Workerd::start();
    let at = workerd.address;
    let reader = token(at, "board", "read,pool").token;
    check_problem(&call(at, &reader, "GET", STATE, ""), ProblemType::Forbidden);
    let ci = user(&workerd, "ci");
    check_problem(&ci.call("PUT", "", "", "{}"), ProblemType::PreconditionRequired);
    let unfenced = ci.call("PUT", "", "If-None-Match: *\r\n", "{}");
    check_problem(&unfenced, ProblemType::PreconditionRequired);
    let odd = ci.call("PUT", "", "If-None-Match: *\r\nEnvc-Fence: -1\r\n", "{}");
    check_problem(&odd, ProblemType::InvalidRequest);
    check_problem(&ci.put(7, "If-None-Match: *", "{}"), ProblemType::FenceStale);
}
