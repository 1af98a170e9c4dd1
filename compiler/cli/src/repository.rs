//! Which repository a project is of. A project's name is not its identity: two repositories may
//! name a project alike. Pure.
//!
//! ```text
//! project "shop" id="acme/shop" ........ the id, as it is written
//! git@github.com:acme/shop.git ......... github.com/acme/shop, in any spelling of the address
//! no id, no origin on a host ........... working-copy:HEX, which the registry gave the folder
//! ```

use std::fmt::Write as _;

use envc_spec::ANY_CASE_FORGES;

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

/// The identity of a working copy that has no other. `chance` is unguessable.
pub(crate) fn of_working_copy(chance: &str) -> String {
    format!("{WORKING_COPY}{chance}")
}

/// True for the identity of a working copy: nobody else has it, whatever happens elsewhere.
pub(crate) fn is_working_copy(repository: &str) -> bool {
    repository.starts_with(WORKING_COPY)
}

/// `host/owner/name` of a git address; `None` for one that names no host: a path, a bundle.
/// User, password, port and `.git` are left out: the same repository is reached with others.
pub(crate) fn of_origin(address: &str) -> Option<String> {
    let address = address.trim();
    let (host, path) = match address.split_once("://") {
        Some((scheme, rest)) => {
            if !is_of_hosts(scheme) {
                return None;
            }
            let (authority, path) = rest.split_once('/')?;
            // What follows a `?` or a `#` names no other repository.
            let path = path.split(['?', '#']).next().unwrap_or_default();
            (authority, decoded(path))
        }
        None => scp_like(address)?,
    };
    let host = host_of(host)?;
    let any_case = ANY_CASE_FORGES.contains(&host.as_str());
    let path = path_of(&if any_case { path.to_lowercase() } else { path })?;
    Some(format!("{host}/{path}"))
}

fn is_of_hosts(scheme: &str) -> bool {
    // `git+ssh` and `ssh+git` are old names of ssh.
    let known = ["ssh", "git", "http", "https", "ftp", "ftps", "git+ssh", "ssh+git", "git+https"];
    known.iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

/// `[user@]host:path`, as git reads it: no slash stands before the colon. One letter is a drive.
fn scp_like(address: &str) -> Option<(&str, String)> {
    let after_user = address.split_once('@').filter(|(user, _)| !user.contains(['/', ':', '[']));
    let rest = after_user.map_or(address, |(_, rest)| rest);
    // In brackets stand an address with colons of its own, or a host with its port.
    let (host, path) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, path)) => (host, path.strip_prefix(':')?),
        None => rest.split_once(':')?,
    };
    // `helper::address` is for a program that knows what it means.
    let is_host = host.len() > 1 && !host.contains(['/', '\\']) && !path.starts_with(':');
    is_host.then(|| (host, path.to_owned()))
}

/// The host alone, as everybody writes it.
fn host_of(authority: &str) -> Option<String> {
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _port)) => address,
        // More colons than one are an address of its own, not a port.
        None if host.matches(':').count() == 1 => host.split(':').next().unwrap_or_default(),
        None => host,
    };
    let host = host.trim_end_matches('.').to_lowercase();
    let known = ALIASES.iter().find(|(alias, _)| *alias == host);
    let host = known.map_or(host.as_str(), |(_, name)| name);
    (!host.is_empty() && !host.contains(char::is_whitespace)).then(|| encoded(host))
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

/// A text of printable ASCII without blanks: what it says of a repository goes into titles, files
/// and lines of a terminal.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A path of a URL with its `%20` read; what cannot be read stays.
fn decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((plain, encoded)) = rest.split_once('%') {
        bytes.extend_from_slice(plain.as_bytes());
        let hex = encoded.get(..2).filter(|hex| hex.bytes().all(|it| it.is_ascii_hexdigit()));
        if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            bytes.push(byte);
            rest = encoded.get(2..).unwrap_or_default();
        } else {
            bytes.push(b'%');
            rest = encoded;
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).unwrap_or_else(|_| path.to_owned())
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
}
