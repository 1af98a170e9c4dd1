//! Where an environment was applied to: accounts, of one cloud or of several. Pure.
//!
//! Invariant: an account stays recorded until a destroy has proved that nothing is left in it, and no
//! command on another one takes it away.

use envc_core::{host_of, is_this_machine, split_port};
use serde::{Deserialize, Serialize};

use super::EnvironmentRecord;

/// An account that an environment was applied to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AppliedTo {
    /// The cloud, as people write it.
    pub(crate) cloud: String,
    /// The account's ID. None: an older envc recorded it, which did not write it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<String>,
    /// The base URL of its API, where that is not Cloudflare's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) api: Option<String>,
}

impl AppliedTo {
    /// What an older envc recorded.
    fn unsaid(cloud: &str) -> Self {
        Self { cloud: cloud.to_owned(), account: None, api: None }
    }

    /// True for the same account. One that nobody wrote down may be any of its cloud.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let same_account = match (&self.account, &other.account) {
            (Some(one), Some(other)) => one == other,
            (None, _) | (_, None) => return self.cloud == other.cloud,
        };
        self.cloud == other.cloud
            && same_account
            && is_same_api(self.api.as_deref(), other.api.as_deref())
    }

    /// What stands for it in the record of a file.
    pub(crate) fn key(&self) -> String {
        format!("{}/{}", self.cloud, self.account.as_deref().unwrap_or_default())
    }
}

/// A cloud that this machine serves has another port each time; its account tells which it is.
fn is_same_api(one: Option<&str>, other: Option<&str>) -> bool {
    let is_here =
        |api: Option<&str>| api.is_some_and(|api| is_this_machine(split_port(host_of(api)).0));
    one == other || (is_here(one) && is_here(other))
}

impl EnvironmentRecord {
    /// All that it was applied to, and may still be; the last one is what a command without
    /// `--cloud` works on.
    pub(crate) fn all_applied(&self) -> Vec<AppliedTo> {
        match (self.applied_to.as_slice(), &self.cloud) {
            ([], Some(cloud)) => vec![AppliedTo::unsaid(cloud)],
            (all, _) => all.to_vec(),
        }
    }

    /// True where it is recorded besides.
    pub(crate) fn is_elsewhere(&self, there: &AppliedTo) -> bool {
        self.all_applied().iter().any(|it| !it.is(there))
    }

    /// Records that it is applied there. `binds`: a command without `--cloud` works there from now
    /// on.
    pub(super) fn note_applied(&mut self, there: &AppliedTo, binds: bool) {
        let mut all = self.all_applied();
        let known = all.iter().position(|it| it.is(there));
        let last = all.len().saturating_sub(1);
        match known {
            Some(at) if binds || at == last => {
                all.remove(at);
                all.push(there.clone());
            }
            Some(at) => {
                if let Some(known) = all.get_mut(at) {
                    known.clone_from(there);
                }
            }
            None if binds || all.is_empty() => all.push(there.clone()),
            None => all.insert(last, there.clone()),
        }
        self.set_applied(all);
    }

    /// Forgets what was applied there; true when it is recorded nowhere else.
    pub(super) fn leave_applied(&mut self, there: &AppliedTo) -> bool {
        let mut all = self.all_applied();
        all.retain(|it| !it.is(there));
        self.existing.remove(&there.key());
        let none_left = all.is_empty();
        self.set_applied(all);
        none_left
    }

    fn set_applied(&mut self, all: Vec<AppliedTo>) {
        self.cloud = all.last().map(|last| last.cloud.clone());
        self.applied_to = all;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(cloud: &str, account: &str) -> AppliedTo {
        AppliedTo { account: Some(account.to_owned()), ..AppliedTo::unsaid(cloud) }
    }

    fn keys(record: &EnvironmentRecord) -> Vec<String> {
        record.all_applied().iter().map(AppliedTo::key).collect()
    }

    #[test]
    fn the_last_one_that_binds_is_worked_on_and_the_others_stay() {
        let mut record = EnvironmentRecord::default();
        record.note_applied(&at("local", "l"), false);
        record.note_applied(&at("cloudflare", "a"), true);
        record.note_applied(&at("cloudflare", "b"), false);
        assert_eq!(keys(&record), ["local/l", "cloudflare/b", "cloudflare/a"]);
        assert_eq!(record.cloud.as_deref(), Some("cloudflare"));
        record.note_applied(&at("local", "l"), true);
        assert_eq!(keys(&record), ["cloudflare/b", "cloudflare/a", "local/l"]);
        assert!(!record.leave_applied(&at("local", "l")));
        assert_eq!(record.cloud.as_deref(), Some("cloudflare"));
        assert!(!record.leave_applied(&at("cloudflare", "c")));
        assert!(!record.leave_applied(&at("cloudflare", "a")));
        assert!(record.leave_applied(&at("cloudflare", "b")));
        assert_eq!((record.cloud.as_deref(), keys(&record).len()), (None, 0));
    }

    #[test]
    fn what_an_older_envc_recorded_gets_its_account() {
        let mut record =
            EnvironmentRecord { cloud: Some("local".into()), ..EnvironmentRecord::default() };
        assert_eq!(keys(&record), ["local/"]);
        record.note_applied(&at("cloudflare", "a"), true);
        record.note_applied(&at("local", "l"), false);
        assert_eq!(keys(&record), ["local/l", "cloudflare/a"]);
    }

    #[test]
    fn an_api_is_the_same_with_another_port_of_this_machine_alone() {
        let with = |api: &str| AppliedTo { api: Some(api.to_owned()), ..at("cloudflare", "a") };
        let here = with("http://127.0.0.1:8787/client/v4");
        assert!(here.is(&with("http://localhost:9999/client/v4")));
        assert!(!here.is(&with("https://api.example/client/v4")));
        assert!(!here.is(&at("cloudflare", "a")));
        assert!(!with("https://a.example:1/x").is(&with("https://a.example:2/x")));
    }
}
