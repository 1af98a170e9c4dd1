//! Which repository a project is of. A project's name is not its identity: two repositories may
//! name a project alike. Pure.
//!
//! ```text
//! project "shop" id="acme/shop" ........ the id, as it is written
//! git@github.com:acme/shop.git ......... github.com/acme/shop, in any spelling of the address
//! alice@host:shop.git .................. host/~alice/shop: a path of alice's home
//! https://host:8443/acme/shop .......... host+8443/acme/shop: another server than host's own
//! no id, no origin on a host ........... working-copy:HEX, which the registry gave the folder
//! ```
//!
//! Two addresses of one repository must not be two identities, or CI (https) and a developer (ssh)
//! refuse each other; two repositories must not be one, or the second takes what is the first's.
//! Refused can be put right with `id=`, taken cannot: where an address leaves it open, it is two.
//!
//! - **User.** A forge serves one tree of repositories to everybody, mostly to one user (`git`,
//!   `gitea`, …), and names them by owner and name: the user is left out. A plain ssh server starts
//!   in the user's home: `~/…`, and a relative path of one name that is not a forge's user's, are of
//!   that home. Without a user, `~/…` is the home of whoever runs git, and names no repository that
//!   anybody else could mean. A relative path of more names is taken for owner and name.
//! - **Port.** Of http it tells one server from another: each has a tree of its own. Forges serve ssh
//!   on any port beside a web server on the usual one, so it is left out of ssh where owner and name
//!   are given, and kept of what a plain server serves. The large forges are one server each.

use std::borrow::Cow;

use envc_spec::ANY_CASE_FORGES;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// What the identity of a working copy without an origin begins with. No origin and no `id=` does:
/// neither holds a colon before its first slash.
const WORKING_COPY: &str = "working-copy:";
/// Other names that a forge's host goes by, most of them for git over the port of https.
const ALIASES: [(&str, &str); 4] = [
    ("ssh.github.com", "github.com"),
    ("www.github.com", "github.com"),
    ("altssh.gitlab.com", "gitlab.com"),
    ("altssh.bitbucket.org", "bitbucket.org"),
];

/// Users that forges serve all of their repositories to.
const FORGE_USERS: [&str; 10] =
    ["git", "gitea", "forgejo", "gogs", "gitlab", "gitolite", "gitolite3", "hg", "vcs", "aur"];

/// The identity of a working copy that has no other. `random` is unguessable.
pub(crate) fn of_working_copy(random: &str) -> String {
    format!("{WORKING_COPY}{random}")
}

/// True for the identity of a working copy: nobody else has it, whatever happens elsewhere.
pub(crate) fn is_working_copy(repository: &str) -> bool {
    repository.starts_with(WORKING_COPY)
}

/// `host/owner/name` of a git address; `None` for one that names no host, such as a path or a
/// bundle, and for the home of nobody in particular. Password and `.git` are left out, user and
/// port where the same repository is reached with others.
pub(crate) fn of_origin(address: &str) -> Option<String> {
    let address = address.trim();
    let (scheme, authority, path) = if let Some((scheme, rest)) = address.split_once("://") {
        let (authority, path) = rest.split_once('/')?;
        // What follows a `?` or a `#` names no other repository.
        let path = path.split(['?', '#']).next().unwrap_or_default();
        (scheme_of(scheme)?, authority.to_owned(), format!("/{}", decoded(path)))
    } else {
        let (authority, path) = scp_like(address)?;
        (Scheme::Ssh, authority, path)
    };
    let Authority { user, host, port } = authority_of(&authority)?;
    if ANY_CASE_FORGES.contains(&host.as_str()) {
        return Some(format!("{host}/{}", path_of(&path.to_lowercase())?));
    }
    // No host has a plus in its name.
    let port = port.filter(|port| *port != scheme.port());
    let at_port = port.map_or_else(|| host.clone(), |port| format!("{host}+{port}"));
    if scheme != Scheme::Ssh {
        return Some(format!("{at_port}/{}", path_of(&path)?));
    }
    let (names, of_home) = match path.strip_prefix('/').unwrap_or(&path) {
        "~" => return None,
        below if below.starts_with("~/") => (path_of(below.trim_start_matches('~'))?, true),
        below if below.starts_with('~') => return Some(format!("{at_port}/{}", path_of(below)?)),
        _ => (path_of(&path)?, false),
    };
    let is_one = !names.contains('/');
    let server = if is_one || of_home { at_port } else { host };
    let is_forges = user.as_deref().is_some_and(|user| FORGE_USERS.contains(&user));
    match user {
        Some(user) if !is_forges && (of_home || (is_one && !path.starts_with('/'))) => {
            Some(format!("{server}/~{}/{names}", encoded(&user).replace('/', "%2F")))
        }
        None if of_home => None,
        _ => Some(format!("{server}/{names}")),
    }
}

/// How an address is reached, as far as it makes a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Ssh,
    Git,
    Http,
    Https,
    Ftp,
    Ftps,
}

impl Scheme {
    /// The port that goes without saying.
    fn port(self) -> u16 {
        match self {
            Self::Ssh => 22,
            Self::Git => 9418,
            Self::Http => 80,
            Self::Https => 443,
            Self::Ftp => 21,
            Self::Ftps => 990,
        }
    }
}

fn scheme_of(scheme: &str) -> Option<Scheme> {
    Some(match scheme.to_ascii_lowercase().as_str() {
        // The others are old names of ssh.
        "ssh" | "git+ssh" | "ssh+git" => Scheme::Ssh,
        "git" => Scheme::Git,
        "http" => Scheme::Http,
        "https" | "git+https" => Scheme::Https,
        "ftp" => Scheme::Ftp,
        "ftps" => Scheme::Ftps,
        _ => return None,
    })
}

/// `[user@]host:path`, as git reads it: no slash stands before the colon. One letter is a drive.
fn scp_like(address: &str) -> Option<(String, String)> {
    let after_user = address.split_once('@').filter(|(user, _)| !user.contains(['/', ':', '[']));
    let (user, rest) = after_user.map_or((None, address), |(user, rest)| (Some(user), rest));
    // In brackets stand an address with colons of its own, or a host with its port.
    let (host, path) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, path)) => (host, path.strip_prefix(':')?),
        None => rest.split_once(':')?,
    };
    // `helper::address` is for a program that knows what it means.
    let is_host = host.len() > 1 && !host.contains(['/', '\\']) && !path.starts_with(':');
    let authority = user.map_or_else(|| host.to_owned(), |user| format!("{user}@{host}"));
    is_host.then(|| (authority, path.to_owned()))
}

/// What stands before the path.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Authority {
    /// Who logs in.
    user: Option<String>,
    /// The host alone, as everybody writes it.
    host: String,
    /// The port, where it says one.
    port: Option<u16>,
}

fn authority_of(authority: &str) -> Option<Authority> {
    let (user, rest) = match authority.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, authority),
    };
    let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, after)) => match after.strip_prefix(':') {
            Some(port) => (address, port),
            None => with_port(address),
        },
        None => with_port(rest),
    };
    let host = host.trim_end_matches('.').to_lowercase();
    let known = ALIASES.iter().find(|(alias, _)| *alias == host);
    let host = known.map_or(host.as_str(), |(_, name)| name);
    if host.is_empty() || host.contains(char::is_whitespace) {
        return None;
    }
    let user = user.and_then(|user| user.split(':').next()).filter(|user| !user.is_empty());
    Some(Authority { user: user.map(decoded), host: encoded(host), port: port.parse().ok() })
}

/// A host and its port. More colons than one are an address of its own, not a port.
fn with_port(host: &str) -> (&str, &str) {
    host.split_once(':').filter(|(_, port)| !port.contains(':')).unwrap_or((host, ""))
}

/// The path without what differs between spellings.
fn path_of(path: &str) -> Option<String> {
    let parts: Vec<&str> =
        path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let (last, groups) = parts.split_last()?;
    let name = last.strip_suffix(".git").filter(|name| !name.is_empty()).unwrap_or(last);
    let parts: Vec<String> = groups.iter().chain([&name]).map(|part| encoded(part)).collect();
    Some(parts.join("/"))
}

/// Blanks, control characters and the sign itself; what is beyond ASCII goes without saying.
const NOT_PLAIN: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// A text of printable ASCII without blanks: what it says of a repository goes into titles, files
/// and lines of a terminal.
fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NOT_PLAIN).to_string()
}

/// A path of a URL with its `%20` read; what cannot be read stays.
fn decoded(path: &str) -> String {
    percent_decode_str(path).decode_utf8().map_or_else(|_| path.to_owned(), Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_address_is_one_repository() {
        for address in [
            "https://github.com/acme/shop",
            "https://github.com/acme/shop.git",
            "https://github.com/acme/shop/",
            "https://github.com/acme/shop.git/",
            "https://github.com//acme//shop",
            "https://GitHub.com/Acme/Shop.git",
            "HTTPS://github.com./acme/shop",
            "https://user@github.com/acme/shop.git",
            "https://x-access-token:ghs_secret@github.com/acme/shop.git",
            "https://user:p%40ss@github.com:443/acme/shop",
            "http://github.com:80/acme/shop",
            "https://www.github.com/acme/shop",
            "https://github.com/acme/sh%6Fp?x=1#readme",
            "git@github.com:acme/shop.git",
            "git@github.com:/acme/shop",
            "github.com:acme/shop.git",
            "git@[github.com]:acme/shop.git",
            "[git@github.com:22]:acme/shop.git",
            "ssh://git@github.com/acme/shop.git",
            "ssh://git@github.com:22/acme/shop",
            "ssh://git@ssh.github.com:443/acme/shop.git",
            "git+ssh://git@github.com/acme/shop.git",
            "git://github.com/acme/shop.git",
            " https://github.com/acme/shop.git\n",
        ] {
            assert_eq!(of_origin(address).as_deref(), Some("github.com/acme/shop"), "{address}");
        }
    }

    #[test]
    fn what_differs_stays_apart() {
        let check = |address: &str, wanted: &str| {
            assert_eq!(of_origin(address).as_deref(), Some(wanted), "{address}");
        };
        check("https://gitlab.com/group/sub/deep/shop.git", "gitlab.com/group/sub/deep/shop");
        check("git@gitlab.com:group/sub/shop.git", "gitlab.com/group/sub/shop");
        check("ssh://git@altssh.gitlab.com:443/group/shop.git", "gitlab.com/group/shop");
        // Who serves it decides whether case matters; of an unknown host it does.
        check("ssh://git@git.example:2222/Acme/Shop.git", "git.example/Acme/Shop");
        check("https://git.example/acme/shop", "git.example/acme/shop");
        check("https://git.example/shop.git", "git.example/shop");
        check("https://git.example/.git", "git.example/.git");
        check("https://git.example/a/My%20Shop", "git.example/a/My%20Shop");
        check("git@git.example:a/My Shop", "git.example/a/My%20Shop");
        check("https://git.example/größe/läden", "git.example/gr%C3%B6%C3%9Fe/l%C3%A4den");
        check("https://git.example/a/%zz%+1%", "git.example/a/%25zz%25+1%25");
        check("ssh://[2001:DB8::1]:22/a/b", "2001:db8::1/a/b");
        check("git@[2001:db8::1]:a/b", "2001:db8::1/a/b");
        check("work:acme/shop", "work/acme/shop");
        check("ssh://git@git.example/~user/shop.git", "git.example/~user/shop");
        check("user@corp@git.example:a/b", "git.example/a/b");
    }

    #[test]
    fn a_path_of_a_home_is_its_users() {
        let check = |address: &str, wanted: &str| {
            assert_eq!(of_origin(address).as_deref(), Some(wanted), "{address}");
        };
        for address in [
            "ssh://alice@host.example/~/shop.git",
            "ssh://al%69ce:hunter2@host.example:22/~/shop.git",
            "ssh://host.example/~alice/shop.git",
            "ssh://bob@host.example/~alice/shop",
            "alice@host.example:shop.git",
            "alice@host.example:./shop/",
            "alice@host.example:~/shop.git",
            "alice@host.example:/~/shop.git",
            "host.example:~alice/shop",
        ] {
            check(address, "host.example/~alice/shop");
        }
        check("bob@host.example:shop.git", "host.example/~bob/shop");
        check("ssh://bob@host.example/~/shop", "host.example/~bob/shop");
        check("alice@host.example:~/work/shop", "host.example/~alice/work/shop");
        check("ssh://a%2Fb%20c@host.example/~/shop", "host.example/~a%2Fb%20c/shop");
        // A forge's user has no home of its own, and an absolute path is everybody's.
        for user in ["git", "gitea", "forgejo", "gogs", "gitlab", "hg"] {
            check(&format!("{user}@git.example:a/b"), "git.example/a/b");
            check(&format!("{user}@git.example:shop.git"), "git.example/shop");
            check(&format!("ssh://{user}@git.example/~/shop"), "git.example/shop");
        }
        check("git@git.sr.ht:~alice/shop", "git.sr.ht/~alice/shop");
        check("https://git.sr.ht/~alice/shop", "git.sr.ht/~alice/shop");
        check("alice@host.example:/shop.git", "host.example/shop");
        check("ssh://alice@host.example/srv/shop.git", "host.example/srv/shop");
        check("alice@git.example:acme/shop", "git.example/acme/shop");
        check("work:shop", "work/shop");
        // Large forges serve everybody.
        check("org-1@github.com:Acme/shop", "github.com/acme/shop");
        for nobodys in ["ssh://host.example/~/shop", "host.example:~/shop", "alice@host.example:~"]
        {
            assert_eq!(of_origin(nobodys), None, "{nobodys}");
        }
    }

    #[test]
    fn a_port_tells_servers_apart_where_it_is_no_forges_ssh() {
        let check = |address: &str, wanted: &str| {
            assert_eq!(of_origin(address).as_deref(), Some(wanted), "{address}");
        };
        check("https://git.example:8443/acme/shop.git", "git.example+8443/acme/shop");
        check("http://git.example:3000/acme/shop", "git.example+3000/acme/shop");
        check("git://git.example:9419/acme/shop", "git.example+9419/acme/shop");
        for usual in [
            "https://git.example:443/acme/shop",
            "http://git.example:80/acme/shop",
            "git://git.example:9418/acme/shop",
            "https://git.example:/acme/shop",
            "ssh://git@git.example:2222/acme/shop.git",
            "[git@git.example:2222]:acme/shop",
            "git@[git.example:2222]:acme/shop",
        ] {
            check(usual, "git.example/acme/shop");
        }
        check("https://github.com:8443/acme/shop", "github.com/acme/shop");
        check("https://[2001:db8::1]:8443/a/b", "2001:db8::1+8443/a/b");
        // What a plain ssh server serves is that server's.
        check("ssh://alice@host.example:2222/~/shop", "host.example+2222/~alice/shop");
        check("ssh://host.example:2222/~alice/shop", "host.example+2222/~alice/shop");
        check("ssh://git@host.example:2222/shop.git", "host.example+2222/shop");
        check("[alice@host.example:2222]:shop", "host.example+2222/~alice/shop");
    }

    #[test]
    fn an_address_without_a_host_names_no_repository() {
        for address in [
            "",
            "/srv/git/shop.git",
            "../shop.git",
            "./a:b",
            "shop",
            "file:///srv/git/shop.git",
            "C:\\git\\shop",
            "C:/git/shop",
            "ext::ssh git.example %S shop",
            "codecommit::eu-west-1://shop",
            "https://github.com",
            "https://github.com/",
            "https:///a/b",
            "git.example:",
            "ssh://",
            "://",
            "@:",
        ] {
            assert_eq!(of_origin(address), None, "{address}");
        }
    }

    #[test]
    fn no_credential_is_left_and_no_text_panics() {
        for address in [
            "https://user:hunter2@git.example/a/b",
            "ssh://user:hunter2@git.example:22/a/b",
            "https://git.example/a/b?token=hunter2",
        ] {
            let found = of_origin(address).unwrap_or_default();
            assert!(!found.contains("hunter2") && !found.contains("user"), "{address}: {found}");
        }
        for address in ["[", "[]:", "a@[b", "%", "https://%/%", "https://[::1", "é:ü", "a:%"] {
            let _any = of_origin(address);
        }
    }

    #[test]
    fn a_working_copy_is_no_other_repository() {
        let copy = of_working_copy("00ff");
        assert!(is_working_copy(&copy));
        for address in
            ["https://working-copy/00ff", "working-copy:00ff", "https://a/working-copy:x"]
        {
            let found = of_origin(address).unwrap_or_default();
            assert!(!is_working_copy(&found), "{address}: {found}");
        }
    }

    #[test]
    fn every_character_is_written_in_printable_ascii_and_reads_back() {
        for char in '\0'..'\u{3000}' {
            let name = format!("a{char}b");
            let plain = char.is_ascii_graphic() && char != '%';
            assert_eq!(encoded(&name) == name, plain, "{char:?}");
            assert!(encoded(&name).bytes().all(|byte| byte.is_ascii_graphic()));
            assert_eq!(decoded(&encoded(&name)), name);
        }
        assert_eq!([decoded("%ff"), decoded("%4"), decoded("%zz%41")], ["%ff", "%4", "%zzA"]);
    }
}
