//! Finds ports for development servers: from the spec's ranges, stable per environment, never one
//! that another environment of this machine holds or that somebody listens on.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener},
};

use envc_spec::PortRange;

use crate::host::error::CommandError;

/// Chooses a port for each owner.
///
/// A port that is `recorded` for its owner stays while it is in the range and nobody else holds
/// it, even when somebody listens on it: that is our own development server. Others come from the
/// range's start upwards, past those in `held` and those for which `free` says no.
pub(crate) fn choose(
    ranges: &BTreeMap<String, PortRange>,
    recorded: &BTreeMap<String, u16>,
    held: &BTreeSet<u16>,
    free: &dyn Fn(u16) -> bool,
) -> Result<BTreeMap<String, u16>, CommandError> {
    let mut chosen = BTreeMap::new();
    let mut taken = held.clone();
    // What is recorded comes first: a new owner does not push an old one out of its port.
    for (owner, range) in ranges {
        let Some(port) = recorded.get(owner) else { continue };
        if (range.first..=range.last).contains(port) && taken.insert(*port) {
            chosen.insert(owner.clone(), *port);
        }
    }
    for (owner, range) in ranges {
        if chosen.contains_key(owner) {
            continue;
        }
        let port = (range.first..=range.last)
            .find(|port| *port != 0 && !taken.contains(port) && free(*port))
            .ok_or_else(|| exhausted(owner, *range, &taken))?;
        taken.insert(port);
        chosen.insert(owner.clone(), port);
    }
    Ok(chosen)
}

fn exhausted(owner: &str, range: PortRange, taken: &BTreeSet<u16>) -> CommandError {
    let held = taken.range(range.first..=range.last.max(range.first)).count();
    CommandError::failed(format!(
        "no port is free for `{owner}` between {} and {}",
        range.first, range.last
    ))
    .because_text(format!("{held} are held by environments of this machine, the rest are in use"))
    .hint("widen the range in environment.kdl")
    .hint("destroy environments that nobody needs: `envc destroy` in their folders")
    .code("envc::cli::no_free_port")
}

/// True when nobody listens on the port now, on this machine's own addresses or on all of them.
pub(crate) fn is_free(port: u16) -> bool {
    let addresses: [IpAddr; 3] =
        [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into(), Ipv4Addr::UNSPECIFIED.into()];
    addresses.into_iter().all(|address| match TcpListener::bind((address, port)) {
        Ok(_) => true,
        // A machine without IPv6 has nobody listening there.
        Err(error) => {
            !matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(list: &[(&str, u16, u16)]) -> BTreeMap<String, PortRange> {
        list.iter()
            .map(|(owner, first, last)| {
                ((*owner).to_owned(), PortRange { first: *first, last: *last })
            })
            .collect()
    }

    fn ports(list: &[(&str, u16)]) -> BTreeMap<String, u16> {
        list.iter().map(|(owner, port)| ((*owner).to_owned(), *port)).collect()
    }

    #[test]
    fn new_ports_pass_by_those_held_and_those_in_use() {
        let chosen = choose(
            &ranges(&[("a", 3000, 3009), ("b", 3000, 3009)]),
            &ports(&[]),
            &BTreeSet::from([3000]),
            &|port| port != 3001,
        );
        assert_eq!(chosen, Ok(ports(&[("a", 3002), ("b", 3003)])));
    }

    #[test]
    fn recorded_ports_stay_even_when_bound_and_go_when_they_cannot() {
        let ranges = ranges(&[("a", 3000, 3009), ("b", 3000, 3009), ("c", 4000, 4001)]);
        let chosen = choose(
            &ranges,
            // b's is its own server's, c's is out of its range.
            &ports(&[("b", 3000), ("c", 5000)]),
            &BTreeSet::new(),
            &|port| port != 3000,
        );
        assert_eq!(chosen, Ok(ports(&[("a", 3001), ("b", 3000), ("c", 4000)])));
        // Another environment holds the recorded one.
        let chosen =
            choose(&ranges, &ports(&[("b", 3000)]), &BTreeSet::from([3000]), &|_| true).unwrap();
        assert_eq!(chosen["b"], 3002);
    }

    #[test]
    fn a_full_range_is_an_error_that_says_which() {
        let one = ranges(&[("web", 3000, 3000)]);
        let error = choose(&one, &ports(&[]), &BTreeSet::from([3000]), &|_| true).unwrap_err();
        assert!(error.message.contains("`web` between 3000 and 3000"), "{error:?}");
        assert!(error.chain[0].starts_with("1 are held"), "{error:?}");
    }

    #[test]
    fn a_listener_makes_its_port_not_free() {
        for address in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0"] {
            let listener = match TcpListener::bind(address) {
                Ok(listener) => listener,
                // Not every machine has IPv6.
                Err(_) if address.starts_with('[') => continue,
                Err(error) => panic!("{address}: {error}"),
            };
            let port = listener.local_addr().unwrap().port();
            assert!(!is_free(port), "{address}");
            drop(listener);
            assert!(is_free(port), "{address}");
        }
    }
}
