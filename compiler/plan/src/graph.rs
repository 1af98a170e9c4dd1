//! The desired graph: resources and the edges that references make between them.

use std::collections::BTreeMap;

use envc_core::{Address, Desired};

use crate::dag::Dag;

/// An order in which everything comes after what it refers to; resources without an edge between
/// them come in the order of their addresses, so the same graph gives the same order.
///
/// The error is the path of a cycle, first address repeated at the end. Only references are looked
/// up by their text: what is ordered are positions in the order of addresses.
pub(crate) fn order(desired: &BTreeMap<Address, Desired>) -> Result<Vec<&Desired>, Vec<Address>> {
    let nodes: Vec<(&Address, &Desired)> = desired.iter().collect();
    let position =
        |need: &Address| nodes.binary_search_by(|(address, _)| (*address).cmp(need)).ok();
    let needs = |wanted: &Desired| -> Vec<usize> {
        wanted.needs().into_iter().filter_map(position).collect()
    };
    match Dag::new(nodes.iter().map(|(_, wanted)| needs(wanted))).order() {
        Ok(order) => Ok(order.iter().filter_map(|at| nodes.get(*at)).map(|it| it.1).collect()),
        Err(cycle) => {
            Err(cycle.iter().filter_map(|at| nodes.get(*at)).map(|it| it.0.clone()).collect())
        }
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
