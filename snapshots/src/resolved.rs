//! A type as plain KDL: inheritance, overriding and `without` done.

use crate::common::{Stage, examples};

#[test]
fn every_type_of_every_example_resolved() {
    let mut stage = Stage::new("resolved");
    for example in examples() {
        for head in example.spec.types() {
            let text = example.spec.resolved_kdl(&head.name).unwrap();
            stage.snap(&format!("{}.{}", example.name, head.name), &text);
        }
    }
    stage.end();
}
