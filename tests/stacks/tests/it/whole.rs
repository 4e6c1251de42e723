//! The stacks as they are keep every convention.

use std::process::Command;

use stacks::conventions;
use stacks::stack::repository;

#[test]
fn every_convention_holds() {
    let faults = conventions::faults(repository());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// cfn-lint without a warning, cfn-guard, checkov, configuration files, the shell in buildspecs.
#[test]
fn the_validators_find_nothing() {
    if let Some(missing) = crate::broken::missing_validator() {
        return harness::missing(&missing);
    }
    let output = Command::new(repository().join("scripts/cfn-check"))
        .env("BUILD_DIR", harness::moto::build_folder())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
