//! The desired graph: resources and the edges that references make between them.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Desired};

/// An order in which everything comes after what it refers to; resources without an edge between
/// them come in the order of their addresses, so the same graph gives the same order.
///
/// The error is the path of a cycle, first address repeated at the end. Kahn's algorithm: linear
/// in nodes and edges but for the ordered set. It works on positions in the order of addresses, so
/// that only references are looked up by their text.
pub fn order(desired: &BTreeMap<Address, Desired>) -> Result<Vec<&Desired>, Vec<Address>> {
    let nodes: Vec<(&Address, &Desired)> = desired.iter().collect();
    let position =
        |need: &Address| nodes.binary_search_by(|(address, _)| (*address).cmp(need)).ok();
    let mut waiting: Vec<usize> = Vec::with_capacity(nodes.len());
    let mut dependants: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, (_, wanted)) in nodes.iter().enumerate() {
        let needs: Vec<usize> = wanted.needs().into_iter().filter_map(position).collect();
        waiting.push(needs.len());
        for need in needs {
            dependants.entry(need).or_default().push(at);
        }
    }
    let mut ready: BTreeSet<usize> =
        waiting.iter().enumerate().filter(|(_, count)| **count == 0).map(|(at, _)| at).collect();
    let mut ordered = Vec::with_capacity(nodes.len());
    while let Some(at) = ready.pop_first() {
        ordered.extend(nodes.get(at).map(|(_, wanted)| *wanted));
        for dependant in dependants.get(&at).into_iter().flatten() {
            if let Some(count) = waiting.get_mut(*dependant) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    ready.insert(*dependant);
                }
            }
        }
    }
    if ordered.len() == nodes.len() {
        return Ok(ordered);
    }
    let left: BTreeSet<&Address> = nodes
        .iter()
        .zip(&waiting)
        .filter(|(_, count)| **count > 0)
        .map(|((address, _), _)| *address)
        .collect();
    match left.first() {
        None => Ok(ordered),
        Some(first) => Err(cycle_from(first, desired, &left)),
    }
}

/// Walks along edges among what is left until an address comes up again.
fn cycle_from(
    start: &Address,
    desired: &BTreeMap<Address, Desired>,
    left: &BTreeSet<&Address>,
) -> Vec<Address> {
    let mut path: Vec<Address> = vec![start.clone()];
    loop {
        let next = path
            .last()
            .and_then(|address| desired.get(address))
            .and_then(|wanted| wanted.needs().into_iter().find(|need| left.contains(*need)));
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
            default_name: false,
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
