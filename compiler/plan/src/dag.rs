//! Directed graphs over positions, as Kahn's algorithm walks them: what is ready, what comes next,
//! and the cycle where nothing can.
//!
//! What is ready is taken lowest position first, so the same graph gives the same order. Linear in
//! nodes and edges, but for the ordered set.

use std::collections::BTreeSet;

/// A graph of which some nodes are done.
#[derive(Clone, Debug)]
pub struct Dag {
    /// What each node needs.
    needs: Vec<BTreeSet<usize>>,
    /// What needs each node.
    dependants: Vec<Vec<usize>>,
    /// How many needs of each node are not done.
    waiting: Vec<usize>,
    ready: BTreeSet<usize>,
}

impl Dag {
    /// A graph by what each node needs. A need that is no node is left out.
    pub fn new<N: IntoIterator<Item = usize>>(needs: impl IntoIterator<Item = N>) -> Self {
        let mut needs: Vec<BTreeSet<usize>> =
            needs.into_iter().map(|needs| needs.into_iter().collect()).collect();
        let mut dependants = vec![Vec::new(); needs.len()];
        for (node, needs) in needs.iter_mut().enumerate() {
            needs.retain(|need| dependants.get_mut(*need).map(|all| all.push(node)).is_some());
        }
        let waiting: Vec<usize> = needs.iter().map(BTreeSet::len).collect();
        let ready = (0..).zip(&waiting).filter(|(_, count)| **count == 0).map(|(node, _)| node);
        let ready = ready.collect();
        Self { needs, dependants, waiting, ready }
    }

    /// Takes the lowest node whose needs are all done.
    pub fn take(&mut self) -> Option<usize> {
        self.ready.pop_first()
    }

    /// A node that was taken is done: what waited for it alone is ready.
    pub fn done(&mut self, node: usize) {
        for dependant in self.dependants.get(node).into_iter().flatten() {
            if let Some(count) = self.waiting.get_mut(*dependant) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.ready.insert(*dependant);
                }
            }
        }
    }

    /// The nodes that were never taken.
    pub fn left(&self) -> BTreeSet<usize> {
        let waiting = (0..).zip(&self.waiting).filter(|(_, count)| **count > 0);
        waiting.map(|(node, _)| node).chain(self.ready.iter().copied()).collect()
    }

    /// All nodes that need this one, directly or not.
    pub fn after(&self, node: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut look = vec![node];
        while let Some(at) = look.pop() {
            let dependants = self.dependants.get(at).into_iter().flatten();
            look.extend(dependants.copied().filter(|dependant| found.insert(*dependant)));
        }
        found
    }

    /// All nodes, each after what it needs. The error is a cycle: each node needs the next, and the
    /// first stands at the end again.
    pub fn order(mut self) -> Result<Vec<usize>, Vec<usize>> {
        let mut order = Vec::with_capacity(self.needs.len());
        while let Some(node) = self.take() {
            order.push(node);
            self.done(node);
        }
        if order.len() == self.needs.len() { Ok(order) } else { Err(self.cycle()) }
    }

    /// Whatever is left needs something that is left, so that walking along needs comes round.
    fn cycle(&self) -> Vec<usize> {
        let left = self.left();
        let mut path: Vec<usize> = left.first().copied().into_iter().collect();
        let next = |at: &usize| self.needs.get(*at)?.intersection(&left).next().copied();
        while let Some(node) = path.last().and_then(next) {
            let seen = path.iter().position(|at| *at == node);
            path.push(node);
            if let Some(begin) = seen {
                return path.split_off(begin);
            }
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn graph() -> impl Strategy<Value = Vec<BTreeSet<usize>>> {
        (1_usize..12).prop_flat_map(|nodes| {
            // Sparse, so that both ends of the test are met; a need may be no node.
            let needs = prop::collection::btree_set(0..nodes + 2, 0..3);
            prop::collection::vec(needs, nodes)
        })
    }

    proptest! {
        #[test]
        fn an_order_has_every_node_after_its_needs_and_a_cycle_comes_round(needs in graph()) {
            let is_node = |need: &usize| *need < needs.len();
            match Dag::new(needs.clone()).order() {
                Ok(order) => {
                    let place = |node: usize| order.iter().position(|at| *at == node).unwrap();
                    prop_assert_eq!(order.len(), needs.len());
                    for (node, needs) in needs.iter().enumerate() {
                        prop_assert!(needs.iter().copied().filter(is_node).all(|it| place(it) < place(node)));
                    }
                }
                Err(cycle) => {
                    prop_assert!(cycle.len() > 1);
                    prop_assert_eq!(cycle.first(), cycle.last());
                    for pair in cycle.windows(2) {
                        prop_assert!(needs[pair[0]].contains(&pair[1]));
                    }
                }
            }
        }

        #[test]
        fn what_comes_after_a_node_is_left_when_it_is_never_done(needs in graph(), node in 0_usize..12) {
            let mut dag = Dag::new(needs);
            let after = dag.after(node);
            let mut taken = BTreeSet::new();
            while let Some(at) = dag.take() {
                taken.insert(at);
                if at != node {
                    dag.done(at);
                }
            }
            prop_assert!(taken.is_disjoint(&after) || after.contains(&node));
            prop_assert!(after.is_subset(&dag.left()));
            prop_assert!(taken.is_disjoint(&dag.left()));
        }
    }
}
