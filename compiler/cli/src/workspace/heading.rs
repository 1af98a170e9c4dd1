//! The one line that says what a command works on: project, ID, type, cloud and account. Pure.

use envc_core::host_of;

use super::choice::CloudName;

/// Characters of the line, whatever the names are.
const CHARS_MAX: usize = 100;
/// Characters that are shown of an account that does not fit.
const ACCOUNT_CHARS: usize = 8;

/// What a command works on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heading<'a> {
    /// The project.
    pub(crate) project: &'a str,
    /// The environment's ID: it is never cut. None: there is none yet.
    pub(crate) id: Option<&'a str>,
    /// Its type.
    pub(crate) env_type: &'a str,
    /// The cloud.
    pub(crate) cloud: CloudName,
    /// The account, where it is known.
    pub(crate) account: Option<&'a str>,
    /// The base URL of the API, where it is not Cloudflare's own.
    pub(crate) api: Option<&'a str>,
}

impl Heading<'_> {
    /// The line. Of what does not fit the account is cut first, then whatever is longest, but for
    /// the ID.
    pub(crate) fn line(&self) -> String {
        let is_far = self.cloud == CloudName::Cloudflare;
        let (api, account) = (self.api.filter(|_| is_far), self.account.filter(|_| is_far));
        let host = api.map(host_of).unwrap_or_default();
        let account = account.unwrap_or_default();
        let mut sizes = [self.project, self.env_type, host, account].map(|it| it.chars().count());
        let line = |[project, env_type, host_chars, account_chars]: [usize; 4]| {
            let place = match self.cloud {
                CloudName::Local => "on the local cloud".to_owned(),
                CloudName::Cloudflare if api.is_none() => "on Cloudflare".to_owned(),
                CloudName::Cloudflare => format!("at {}", without_middle(host, host_chars)),
            };
            let account = match account {
                "" => String::new(),
                account => format!(", account {}", without_end(account, account_chars)),
            };
            let id = self.id.map_or_else(|| "(new)".to_owned(), |id| format!("`{id}`"));
            format!(
                "{} {id} (type {}) {place}{account}",
                without_end(self.project, project),
                without_end(self.env_type, env_type)
            )
        };
        let mut shown = line(sizes);
        while shown.chars().count() > CHARS_MAX {
            let [others @ .., account] = &mut sizes;
            let longest = others.iter_mut().max();
            match longest {
                _ if *account > ACCOUNT_CHARS + 1 => *account = ACCOUNT_CHARS + 1,
                Some(longest) if *longest > 1 => *longest -= 1,
                _ => break,
            }
            shown = line(sizes);
        }
        shown
    }
}

fn without_end(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    text.chars().take(chars.saturating_sub(1)).chain(['…']).collect()
}

/// A host tells most by its beginning and its end.
fn without_middle(text: &str, chars: usize) -> String {
    let count = text.chars().count();
    if count <= chars {
        return text.to_owned();
    }
    let kept = chars.saturating_sub(1);
    let (before, after) = (kept.div_ceil(2), kept / 2);
    text.chars().take(before).chain(['…']).chain(text.chars().skip(count - after)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";

    fn heading<'a>(project: &'a str, id: &'a str, env_type: &'a str) -> Heading<'a> {
        Heading {
            project,
            id: Some(id),
            env_type,
            cloud: CloudName::Cloudflare,
            account: Some(ACCOUNT),
            api: None,
        }
    }

    #[test]
    fn it_names_project_id_type_cloud_account_and_another_api() {
        let it = heading("shop", "pr-42", "pr");
        assert_eq!(it.line(), format!("shop `pr-42` (type pr) on Cloudflare, account {ACCOUNT}"));
        let it = Heading { api: Some("http://127.0.0.1:8787/client/v4"), ..it };
        assert_eq!(
            it.line(),
            format!("shop `pr-42` (type pr) at 127.0.0.1:8787, account {ACCOUNT}")
        );
        let it = Heading { account: None, api: None, ..it };
        assert_eq!(it.line(), "shop `pr-42` (type pr) on Cloudflare");
        let it = Heading { id: None, ..it };
        assert_eq!(it.line(), "shop (new) (type pr) on Cloudflare");
        // What is set for Cloudflare says nothing of the local cloud.
        let it = Heading { cloud: CloudName::Local, account: Some("x"), api: Some("y"), ..it };
        assert_eq!(it.line(), "shop (new) (type pr) on the local cloud");
    }

    #[test]
    fn it_is_never_longer_than_the_bound_and_the_id_is_whole() {
        let long = "a-very-long-name-".repeat(4);
        let id = "i".repeat(envc_core::limits::ID_CHARS_MAX);
        let hosts = [
            None,
            Some("https://ü.example"),
            Some("https://a.very.long.host.name.of.somebody.example:65535/client/v4"),
        ];
        for project in ["s", "quickstart", &long] {
            for id in ["x", "fix-login-towch3c9f3", &id] {
                for env_type in ["pr", &long] {
                    for api in hosts {
                        for account in ["", ACCOUNT, &long] {
                            let account = Some(account).filter(|it| !it.is_empty());
                            let it = Heading { account, api, ..heading(project, id, env_type) };
                            let line = it.line();
                            assert!(line.chars().count() <= CHARS_MAX, "{line}");
                            assert!(line.contains(&format!("`{id}`")), "{line}");
                            assert!(!line.contains('\n'), "{line}");
                        }
                    }
                }
            }
        }
        let it = heading("quickstart", "fix-login-towch3c9f3", "ephemeral");
        let line = it.line();
        assert_eq!(
            line,
            "quickstart `fix-login-towch3c9f3` (type ephemeral) on Cloudflare, account 01234567…"
        );
    }
}
