//! The stacks as they are keep every convention. The validators over them run in `scripts/cfn-check`,
//! which CI calls by itself.

use stacks::conventions;
use stacks::stack::repository;

#[test]
fn every_convention_holds() {
    let faults = conventions::faults(repository()).into_vec();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
