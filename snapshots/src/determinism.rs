//! The same inputs give the same bytes, in whatever order the spec's nodes stand.

use envc_spec::{TypeHead, load};

use crate::common::{Example, examples, instance};
use crate::plan::first_plan;

/// Orders that are tried besides the one that is written.
const SHUFFLES: u64 = 25;

fn plan_bytes(example: &Example, head: &TypeHead) -> Vec<u8> {
    first_plan(example, &example.environment(head, false)).to_bytes().unwrap()
}

#[test]
fn the_same_inputs_give_the_same_plan_bytes() {
    for example in examples() {
        for head in example.spec.types() {
            assert_eq!(plan_bytes(&example, head), plan_bytes(&example, head));
        }
    }
}

#[test]
fn the_order_of_the_nodes_does_not_change_the_plan() {
    for example in examples() {
        let (document, _) = envc_syntax::parse(&example.text);
        let nodes: Vec<&str> = document
            .nodes
            .iter()
            .map(|node| example.text.get(node.span.start..node.span.end).unwrap())
            .collect();
        for seed in 1..=SHUFFLES {
            let text = shuffled(&nodes, seed).join("\n");
            let (spec, found) = load(&text);
            assert!(found.is_empty(), "{}: {found:#?}\n{text}", example.name);
            let spec = spec.unwrap();
            for head in example.spec.types() {
                let environment = spec.environment(&head.name, &instance(head, false)).unwrap();
                let bytes = first_plan(&example, &environment).to_bytes().unwrap();
                assert!(
                    bytes == plan_bytes(&example, head),
                    "{} {}\n{text}",
                    example.name,
                    head.name
                );
            }
        }
    }
}

/// Fisher-Yates with a linear congruential generator (Knuth's MMIX constants).
fn shuffled<'t>(nodes: &[&'t str], seed: u64) -> Vec<&'t str> {
    let mut nodes = nodes.to_vec();
    let mut state = seed;
    for index in (1..nodes.len()).rev() {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let other = usize::try_from(state >> 33).unwrap() % (index + 1);
        nodes.swap(index, other);
    }
    nodes
}
