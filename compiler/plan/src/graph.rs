//! The desired graph: resources and the edges that references make between them.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Desired};

/// An order in which everything comes after what it refers to; resources without an edge between
/// them come in the order of their addresses, so the same graph gives the same order.
///
/// The error is the path of a cycle, first address repeated at the end. Kahn's algorithm: linear
/// in nodes and edges but for the ordered set.
pub fn order(desired: &BTreeMap<Address, Desired>) -> Result<Vec<&Desired>, Vec<Address>> {
    let mut waiting: BTreeMap<&Address, usize> = BTreeMap::new();
    let mut dependants: BTreeMap<&Address, Vec<&Address>> = BTreeMap::new();
    for (address, wanted) in desired {
        let needs: Vec<_> =
            wanted.needs().into_iter().filter(|need| desired.contains_key(*need)).collect();
        waiting.insert(address, needs.len());
        for need in needs {
            dependants.entry(need).or_default().push(address);
        }
    }
    let mut ready: BTreeSet<&Address> =
        waiting.iter().filter(|(_, count)| **count == 0).map(|(address, _)| *address).collect();
    let mut ordered = Vec::with_capacity(desired.len());
    while let Some(address) = ready.pop_first() {
        ordered.extend(desired.get(address));
        waiting.remove(address);
        for dependant in dependants.get(address).into_iter().flatten() {
            if let Some(count) = waiting.get_mut(dependant) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    ready.insert(dependant);
                }
            }
        }
    }
    match waiting.keys().next() {
        None => Ok(ordered),
        Some(first) => Err(cycle_from(first, desired, &waiting)),
    }
}

/// Walks along edges among what is left until an address comes up again.
fn cycle_from(
    start: &Address,
    desired: &BTreeMap<Address, Desired>,
    left: &BTreeMap<&Address, usize>,
) -> Vec<Address> {
    let mut path: Vec<Address> = vec![start.clone()];
    loop {
        let next = path
            .last()
            .and_then(|address| desired.get(address))
            .and_then(|wanted| wanted.needs().into_iter().find(|need| left.contains_key(*need)));
        let Some(next) = next else { return path };
        if let Some(at) = path.iter().position(|address| address == next) {
            let mut cycle = path.split_off(at);
            cycle.push(next.clone());
            return cycle;
        }
        path.push(next.clone());
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use envc_core::{Mode, Output, Span, Text, Value};

    use super::*;

    /// A managed resource that refers to the identifiers of others.
    pub(crate) fn resource(address: &str, needs: &[&str]) -> Desired {
        let mut text = Text::default();
        for need in needs {
            text.append(Text::output(need.parse().unwrap(), Output::Id));
        }
        Desired {
            address: address.parse().unwrap(),
            name: format!("shop-{}", address.replace('.', "-")),
            mode: Mode::Managed,
            protect: false,
            fields: if needs.is_empty() {
                BTreeMap::new()
            } else {
                [("content".to_owned(), Value::Text(text))].into()
            },
            zone: None,
            parent: None,
            span: Span::default(),
        }
    }

    pub(crate) fn all(resources: Vec<Desired>) -> BTreeMap<Address, Desired> {
        resources.into_iter().map(|wanted| (wanted.address.clone(), wanted)).collect()
    }

    #[test]
    fn what_is_referred_to_comes_first() {
        let graph = all(vec![
            resource("d1.a", &["kv.z"]),
            resource("kv.z", &["queue.q"]),
            resource("queue.q", &[]),
            resource("d1.b", &[]),
        ]);
        let order: Vec<String> =
            order(&graph).unwrap().iter().map(|wanted| wanted.address.to_string()).collect();
        assert_eq!(order, ["d1.b", "queue.q", "kv.z", "d1.a"]);
    }

    #[test]
    fn a_cycle_is_told_with_its_path() {
        let graph = all(vec![
            resource("d1.a", &["kv.b"]),
            resource("kv.b", &["queue.c"]),
            resource("queue.c", &["kv.b"]),
        ]);
        let cycle: Vec<String> =
            order(&graph).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(cycle, ["kv.b", "queue.c", "kv.b"]);
    }
}
