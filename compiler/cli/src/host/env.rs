//! The one place that reads the process environment.
//!
//! Everything that comes from outside is taken once, at the start, into [`ProcessEnv`]; the rest
//! of the command line gets it handed in. So a test states its whole environment, and no code
//! deep inside changes its mind because of a variable.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    ffi::OsString,
    fmt, io,
    path::PathBuf,
};

use envc_core::{OWN_CREDENTIAL, Secret, is_own_credential};

/// The names of the variables that envc reads.
pub(crate) mod names {
    /// The API token that envc works with on Cloudflare.
    pub(crate) const CLOUDFLARE_API_TOKEN: &str = "CLOUDFLARE_API_TOKEN";
    /// The account; needed where the token can see several.
    pub(crate) const CLOUDFLARE_ACCOUNT_ID: &str = "CLOUDFLARE_ACCOUNT_ID";
    /// The API's base with its `/client/v4`, as wrangler reads it.
    pub(crate) const CLOUDFLARE_API_BASE_URL: &str = "CLOUDFLARE_API_BASE_URL";
    /// The same, as the official SDKs name it; read after the other one.
    pub(crate) const CLOUDFLARE_BASE_URL: &str = "CLOUDFLARE_BASE_URL";
    /// The type of environment to work on, when the command line names none.
    pub(crate) const ENVC_ENV: &str = "ENVC_ENV";
    /// `cloudflare` or `local`, when the command line names none.
    pub(crate) const ENVC_CLOUD: &str = "ENVC_CLOUD";
    /// Faults for the embedded local cloud to make, as `envc cloud serve --faults` takes them.
    pub(crate) const ENVC_CLOUD_FAULTS: &str = "ENVC_CLOUD_FAULTS";
    /// The user's state directory, in place of the usual one.
    pub(crate) const ENVC_STATE_DIR: &str = "ENVC_STATE_DIR";
    /// What a checkout may do with what is its user's, where nobody can be asked.
    pub(crate) const ENVC_TRUST: &str = "ENVC_TRUST";
    /// Any text: no colour (<https://no-color.org>).
    pub(crate) const NO_COLOR: &str = "NO_COLOR";
    /// Any text but `false` and `0`: nobody sits at a terminal.
    pub(crate) const CI: &str = "CI";
    /// The branch of a pull request, on GitHub.
    pub(crate) const GITHUB_HEAD_REF: &str = "GITHUB_HEAD_REF";
    /// The branch or tag, on GitHub.
    pub(crate) const GITHUB_REF_NAME: &str = "GITHUB_REF_NAME";
    /// Which of the two it is: `branch` or `tag`.
    pub(crate) const GITHUB_REF_TYPE: &str = "GITHUB_REF_TYPE";
    /// The branch or tag, on GitLab.
    pub(crate) const CI_COMMIT_REF_NAME: &str = "CI_COMMIT_REF_NAME";
    /// The tag, on GitLab, where it is one.
    pub(crate) const CI_COMMIT_TAG: &str = "CI_COMMIT_TAG";
    /// The kind of terminal; `dumb` has neither colour nor a moving cursor.
    pub(crate) const TERM: &str = "TERM";
    /// Where commands are looked for.
    pub(crate) const PATH: &str = "PATH";
    /// The user's home directory.
    pub(crate) const HOME: &str = "HOME";
    /// The user's name, on Unix.
    pub(crate) const USER: &str = "USER";
    /// Who became root by `sudo`.
    pub(crate) const SUDO_UID: &str = "SUDO_UID";
    /// The user's name, on Windows.
    pub(crate) const USERNAME: &str = "USERNAME";
    /// The machine's name, where it is exported.
    pub(crate) const HOSTNAME: &str = "HOSTNAME";
    /// The machine's name, on Windows.
    pub(crate) const COMPUTERNAME: &str = "COMPUTERNAME";
    /// The base of state directories in the XDG scheme.
    pub(crate) const XDG_STATE_HOME: &str = "XDG_STATE_HOME";
    /// The base of configuration in the XDG scheme.
    pub(crate) const XDG_CONFIG_HOME: &str = "XDG_CONFIG_HOME";
    /// For tests: seconds since 1970 that the clock stands at.
    pub(crate) const ENVC_TEST_NOW: &str = "ENVC_TEST_NOW";
    /// For tests: the seed of all randomness.
    pub(crate) const ENVC_TEST_SEED: &str = "ENVC_TEST_SEED";
    /// For tests: seconds that a lock at the edge lives without a heartbeat.
    pub(crate) const ENVC_TEST_LOCK_TTL: &str = "ENVC_TEST_LOCK_TTL";
    /// For tests: seconds that wrangler may take.
    pub(crate) const ENVC_TEST_WRANGLER_BOUND: &str = "ENVC_TEST_WRANGLER_BOUND";
    /// For tests: seconds that git may take.
    pub(crate) const ENVC_TEST_GIT_BOUND: &str = "ENVC_TEST_GIT_BOUND";

    /// Every variable with what it does, for the documentation; the ones for tests are left out.
    pub const DOCUMENTED: [(&str, &str); 14] = [
        (CLOUDFLARE_API_TOKEN, "the API token that envc works with on Cloudflare"),
        (CLOUDFLARE_ACCOUNT_ID, "the account, where the token can see several"),
        (CLOUDFLARE_API_BASE_URL, "the API's base with /client/v4, as wrangler reads it"),
        (CLOUDFLARE_BASE_URL, "the same, as the official SDKs name it"),
        (ENVC_ENV, "the type of environment, when the command names none"),
        (ENVC_CLOUD, "`cloudflare` or `local`, when the command names none"),
        (ENVC_CLOUD_FAULTS, "faults for the embedded local cloud to make"),
        (ENVC_STATE_DIR, "the user's state directory, in place of ~/.local/state/envc"),
        (
            ENVC_TRUST,
            "hosts that get credentials and programs that run, as `envc trust --print` lists them",
        ),
        (NO_COLOR, "set to anything: no colour"),
        (CI, "set: nobody sits at a terminal, and no cloud is guessed"),
        (GITHUB_HEAD_REF, "the branch of a pull request, where git's head is detached"),
        (GITHUB_REF_NAME, "the branch, where git's head is detached; not a tag"),
        (CI_COMMIT_REF_NAME, "the same, on GitLab"),
    ];
}

/// What the process was started with.
#[derive(Clone, Default)]
pub struct ProcessEnv {
    vars: BTreeMap<String, String>,
    /// The names of the variables that hold no Unicode.
    odd: BTreeSet<String>,
    path: Option<OsString>,
    /// The API token.
    pub(crate) api_token: Option<Secret>,
    /// The account's ID.
    pub(crate) account_id: Option<String>,
    /// The API's base URL.
    pub(crate) api_base_url: Option<String>,
    /// The type of environment.
    pub(crate) env_type: Option<String>,
    /// The cloud.
    pub(crate) cloud: Option<String>,
    /// Faults for the embedded local cloud.
    pub(crate) cloud_faults: Option<String>,
    /// The user's state directory, when it is overridden.
    pub(crate) state_dir: Option<PathBuf>,
    /// What is approved where nobody can be asked.
    pub(crate) trust: Option<String>,
    /// True when colour is not wanted.
    pub(crate) no_color: bool,
    /// True in a CI job.
    pub(crate) ci: bool,
    /// True on a terminal that can neither colour nor move its cursor.
    pub(crate) term_dumb: bool,
    /// For tests: seconds since 1970.
    pub(crate) test_now_s: Option<u64>,
    /// For tests: the seed of all randomness.
    pub(crate) test_seed: Option<u64>,
    /// For tests: seconds that a lock at the edge lives without a heartbeat.
    pub(crate) test_lock_ttl_s: Option<u32>,
    /// For tests: seconds that wrangler may take.
    pub(crate) test_wrangler_bound_s: Option<u64>,
    /// For tests: seconds that git may take.
    pub(crate) test_git_bound_s: Option<u64>,
}

impl ProcessEnv {
    /// Takes the environment of this process.
    pub fn capture() -> Self {
        Self::from_os(env::vars_os())
    }

    /// Of a variable that is not Unicode no more than that is known, except for `PATH`.
    fn from_os(pairs: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let (mut texts, mut odd, mut path) = (Vec::new(), BTreeSet::new(), None);
        for (name, value) in pairs {
            let Ok(name) = name.into_string() else { continue };
            if name == names::PATH {
                path = Some(value.clone());
            }
            match value.into_string() {
                Ok(value) => texts.push((name, value)),
                Err(_) => {
                    odd.insert(name);
                }
            }
        }
        Self { odd, path, ..Self::from_pairs(texts) }
    }

    /// Takes an environment that a test states in full.
    pub(crate) fn from_pairs<N: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let vars: BTreeMap<String, String> =
            pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        // A variable that is set to nothing counts as not set.
        let get = |name: &str| vars.get(name).filter(|value| !value.is_empty()).cloned();
        Self {
            path: get(names::PATH).map(OsString::from),
            api_token: get(names::CLOUDFLARE_API_TOKEN).map(Secret::new),
            account_id: get(names::CLOUDFLARE_ACCOUNT_ID),
            api_base_url: get(names::CLOUDFLARE_API_BASE_URL)
                .or_else(|| get(names::CLOUDFLARE_BASE_URL))
                .map(|url| url.trim_end_matches('/').to_owned()),
            env_type: get(names::ENVC_ENV),
            cloud: get(names::ENVC_CLOUD),
            cloud_faults: get(names::ENVC_CLOUD_FAULTS),
            state_dir: get(names::ENVC_STATE_DIR).map(PathBuf::from),
            trust: get(names::ENVC_TRUST),
            no_color: get(names::NO_COLOR).is_some(),
            ci: get(names::CI).is_some_and(|value| value != "false" && value != "0"),
            term_dumb: get(names::TERM).is_some_and(|value| value == "dumb"),
            test_now_s: get(names::ENVC_TEST_NOW).and_then(|value| value.parse().ok()),
            test_seed: get(names::ENVC_TEST_SEED).and_then(|value| value.parse().ok()),
            test_lock_ttl_s: get(names::ENVC_TEST_LOCK_TTL).and_then(|value| value.parse().ok()),
            test_wrangler_bound_s: get(names::ENVC_TEST_WRANGLER_BOUND)
                .and_then(|value| value.parse().ok()),
            test_git_bound_s: get(names::ENVC_TEST_GIT_BOUND).and_then(|value| value.parse().ok()),
            odd: BTreeSet::new(),
            vars,
        }
    }

    /// Any variable, for what envc itself wants to know. One that is set to nothing counts as set here:
    /// the user may mean it.
    pub(crate) fn var(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str)
    }

    /// A variable that a spec names and that holds something; or why it cannot be used, as a clause after
    /// "is". Invariant: of envc's own credentials a spec gets none, whatever prefix leads to it.
    pub(crate) fn filled(&self, name: &str) -> Result<&str, &'static str> {
        match self.var(name) {
            _ if is_own_credential(name) => Err(OWN_CREDENTIAL),
            Some("") => Err("empty"),
            Some(value) => Ok(value),
            None if self.odd.contains(name) => Err("not UTF-8"),
            None => Err("not set"),
        }
    }

    /// Where commands are looked for.
    pub(crate) fn path(&self) -> Option<&OsString> {
        self.path.as_ref()
    }

    /// The names of the variables that begin so.
    pub(crate) fn named(&self, prefix: &str) -> BTreeSet<String> {
        let odd = self.odd.iter().filter(|name| name.starts_with(prefix));
        let all = self.vars.keys().filter(|name| name.starts_with(prefix));
        all.chain(odd).cloned().collect()
    }

    /// The user's home directory, when a variable names it.
    pub(crate) fn home(&self) -> Option<PathBuf> {
        self.var(names::HOME).filter(|home| !home.is_empty()).map(PathBuf::from)
    }

    /// The base of configuration: `$XDG_CONFIG_HOME`, else `~/.config`. The XDG scheme takes absolute
    /// paths alone.
    pub(crate) fn config_home(&self) -> Option<PathBuf> {
        let xdg = self.var(names::XDG_CONFIG_HOME).map(PathBuf::from);
        xdg.filter(|path| path.is_absolute()).or_else(|| Some(self.home()?.join(".config")))
    }

    /// The base of state directories. The XDG scheme takes absolute paths alone.
    pub(crate) fn xdg_state_home(&self) -> Option<PathBuf> {
        self.var(names::XDG_STATE_HOME).map(PathBuf::from).filter(|path| path.is_absolute())
    }
}

impl fmt::Debug for ProcessEnv {
    /// Names only: a value may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessEnv")
            .field("names", &self.vars.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// The user's home directory as the system knows it, where no variable names it.
pub(crate) fn users_home() -> Option<PathBuf> {
    env::home_dir().filter(|home| !home.as_os_str().is_empty())
}

/// The folder that the process was started in.
pub(crate) fn current_dir() -> io::Result<PathBuf> {
    env::current_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_variables_count_as_not_set_and_values_stay_out_of_debug() {
        let env = ProcessEnv::from_pairs([
            ("CLOUDFLARE_API_TOKEN", "t0ps3cret"),
            ("ENVC_ENV", ""),
            ("NO_COLOR", ""),
            ("CI", "true"),
            ("EMPTY", ""),
        ]);
        assert_eq!(env.api_token.as_ref().map(Secret::expose), Some("t0ps3cret"));
        assert_eq!(env.env_type, None);
        assert!(!env.no_color);
        assert!(env.ci);
        assert_eq!(env.var("EMPTY"), Some(""));
        assert!(!format!("{env:?}").contains("t0ps3cret"));
    }

    #[test]
    fn the_base_url_is_read_under_both_names_and_loses_its_slash() {
        let both = ProcessEnv::from_pairs([
            ("CLOUDFLARE_BASE_URL", "http://sdk/client/v4"),
            ("CLOUDFLARE_API_BASE_URL", "http://wrangler/client/v4/"),
        ]);
        assert_eq!(both.api_base_url.as_deref(), Some("http://wrangler/client/v4"));
        let sdk = ProcessEnv::from_pairs([("CLOUDFLARE_BASE_URL", "http://sdk/client/v4")]);
        assert_eq!(sdk.api_base_url.as_deref(), Some("http://sdk/client/v4"));
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_no_text_is_told_as_what_it_is() {
        use std::os::unix::ffi::OsStringExt as _;

        let odd = || OsString::from_vec(vec![b'p', 0xff]);
        let pairs = [("A", "a".into()), ("B", "".into()), ("C", odd()), ("PATH", odd())];
        let env = ProcessEnv::from_os(pairs.map(|(name, value)| (name.into(), value)));
        let told = ["A", "B", "C", "D"].map(|name| env.filled(name));
        assert_eq!(told, [Ok("a"), Err("empty"), Err("not UTF-8"), Err("not set")]);
        assert_eq!(env.path(), Some(&odd()));
    }

    #[test]
    fn a_spec_gets_none_of_envcs_own_credentials() {
        let names = ["CLOUDFLARE_API_TOKEN", "cloudflare_api_token", "CF_API_KEY"];
        let env = ProcessEnv::from_pairs(names.map(|name| (name, "t0ps3cret")));
        assert_eq!(names.map(|name| env.filled(name)), [Err(OWN_CREDENTIAL); 3]);
        let env = ProcessEnv::from_pairs([("CLOUDFLARE_ACCOUNT_ID", "a"), ("MY_API_TOKEN", "b")]);
        assert_eq!(env.filled("CLOUDFLARE_ACCOUNT_ID"), Ok("a"));
        assert_eq!(env.filled("MY_API_TOKEN"), Ok("b"));
    }

    #[test]
    fn ci_can_be_switched_off() {
        for (value, expect) in [("false", false), ("0", false), ("1", true), ("", false)] {
            assert_eq!(ProcessEnv::from_pairs([("CI", value)]).ci, expect, "{value}");
        }
    }
}
