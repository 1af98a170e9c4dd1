//! Whether a job of CI works for a pull request: what is checked out may be a stranger's.

use serde_json::Value as Json;

use crate::host::{
    env::{ProcessEnv, names},
    error::CommandError,
    fsio,
};

/// Bytes of an event.
const EVENT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Variables that are set for pull requests alone, to something else than `false`. Sources: the
/// documentation of GitLab, `CircleCI`, Bitbucket, Buildkite, Travis, Drone, Azure and Jenkins, 2026-11.
const PULL_REQUEST: &[&str] = &[
    "GITHUB_HEAD_REF",
    "CI_MERGE_REQUEST_IID",
    "CI_EXTERNAL_PULL_REQUEST_IID",
    "CIRCLE_PULL_REQUEST",
    "CIRCLE_PR_NUMBER",
    "BITBUCKET_PR_ID",
    "BUILDKITE_PULL_REQUEST",
    "TRAVIS_PULL_REQUEST",
    "DRONE_PULL_REQUEST",
    "SYSTEM_PULLREQUEST_PULLREQUESTID",
    "CHANGE_ID",
];

/// Refuses to trust whatever the spec says where the event says that it is a pull request, or that its
/// head is of another repository.
pub(super) fn refuse_strangers(env: &ProcessEnv) -> Result<(), CommandError> {
    let Some(why) = stranger(env) else { return Ok(()) };
    Err(CommandError::failed(format!(
        "{}=spec is refused: what is checked out may be somebody else's",
        names::ENVC_TRUST
    ))
    .because_text(why)
    .hint(format!(
        "name what is approved, such as {}=edge.example.com; `envc trust --print` lists it",
        names::ENVC_TRUST
    ))
    .code("envc::cli::trust_in_pr"))
}

/// Why it may be somebody else's.
fn stranger(env: &ProcessEnv) -> Option<String> {
    let set = |name: &str| env.var(name).filter(|value| !value.is_empty() && *value != "false");
    if let Some(name) = PULL_REQUEST.iter().find(|name| set(name).is_some()) {
        return Some(format!("{name} is set: the job is for a pull request"));
    }
    if let Some(event) = set("GITHUB_EVENT_NAME").filter(|name| name.starts_with("pull_request")) {
        return Some(format!("the event is {event}"));
    }
    let is_pull =
        |it: &&str| it.starts_with("refs/pull/") || it.starts_with("refs/merge-requests/");
    if let Some(head) = set("GITHUB_REF").filter(is_pull) {
        return Some(format!("what is checked out is {head}"));
    }
    let path = set("GITHUB_EVENT_PATH")?;
    match fsio::read_named_text(path.as_ref(), EVENT_BYTES_MAX) {
        Ok(Some(text)) => serde_json::from_str(&text).ok().and_then(|event| of_event(&event)),
        Ok(None) => None,
        Err(error) => Some(format!("the event cannot be read: {error}")),
    }
}

/// The same of GitHub's own document of the event.
fn of_event(event: &Json) -> Option<String> {
    let is_there = |at: &str| event.pointer(at).is_some_and(|value| !value.is_null());
    if ["/pull_request", "/issue/pull_request"].into_iter().any(is_there) {
        return Some("the event is of a pull request".to_owned());
    }
    let own = event.pointer("/repository/full_name").and_then(Json::as_str);
    let head = event.pointer("/workflow_run/head_repository/full_name").and_then(Json::as_str);
    match (own, head) {
        (own, Some(head)) if own != Some(head) => {
            Some(format!("the head of the run is of another repository: {head}"))
        }
        _ if event
            .pointer("/workflow_run/pull_requests")
            .and_then(Json::as_array)
            .is_some_and(|all| !all.is_empty()) =>
        {
            Some("the run that began this one is of a pull request".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(pairs: &[(&str, &str)]) -> bool {
        refuse_strangers(&ProcessEnv::from_pairs(pairs.iter().copied())).is_err()
    }

    #[test]
    fn pull_requests_are_told_on_every_service() {
        for pairs in [
            [("GITHUB_EVENT_NAME", "pull_request")],
            [("GITHUB_EVENT_NAME", "pull_request_target")],
            [("GITHUB_REF", "refs/pull/4/merge")],
            [("GITHUB_HEAD_REF", "fix")],
            [("CI_MERGE_REQUEST_IID", "4")],
            [("BUILDKITE_PULL_REQUEST", "4")],
            [("TRAVIS_PULL_REQUEST", "4")],
            [("CHANGE_ID", "4")],
        ] {
            assert!(refused(&pairs), "{pairs:?}");
        }
        for pairs in [
            [("GITHUB_EVENT_NAME", "push")],
            [("GITHUB_REF", "refs/heads/main")],
            [("BUILDKITE_PULL_REQUEST", "false")],
            [("TRAVIS_PULL_REQUEST", "false")],
            [("CI_MERGE_REQUEST_IID", "")],
            [("GITHUB_EVENT_PATH", "/nonexistent/event.json")],
        ] {
            assert!(!refused(&pairs), "{pairs:?}");
        }
    }

    #[test]
    fn the_document_of_the_event_tells_more() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("event.json");
        for (event, expect) in [
            (json!({"repository": {"full_name": "a/b"}}), false),
            (json!({"pull_request": {"number": 1}}), true),
            (json!({"issue": {"pull_request": {"url": "x"}}}), true),
            (json!({"issue": {"number": 1}}), false),
            (
                json!({"repository": {"full_name": "a/b"},
                       "workflow_run": {"head_repository": {"full_name": "evil/b"}}}),
                true,
            ),
            (
                json!({"repository": {"full_name": "a/b"},
                       "workflow_run": {"head_repository": {"full_name": "a/b"},
                                        "pull_requests": []}}),
                false,
            ),
        ] {
            std::fs::write(&file, event.to_string()).unwrap();
            let pairs = [("GITHUB_EVENT_PATH", file.to_str().unwrap())];
            assert_eq!(refused(&pairs), expect, "{event}");
        }
    }
}
