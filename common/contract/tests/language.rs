//! The words of the template language beside those of the newest cfn-lint, which follows CloudFormation's releases:
//! what it learns is noticed here.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::process::Command;

use contract::language;
use serde_json::Value;

/// Prints what cfn-lint knows.
const ASK: &str = r#"
import json, pathlib
import cfnlint
from cfnlint import helpers
schemas = pathlib.Path(cfnlint.__file__).parent / "data/schemas/other"
load = lambda name: json.loads((schemas / name).read_text())
resource = load("resources/configuration.json")["definitions"]["ResourceConfiguration"]
policies = load("resources/update_policy.json")["definitions"]
used = {one["then"]["properties"]["UpdatePolicy"]["$ref"].rsplit("/", 1)[1]
        for one in load("resources/update_policy.json")["allOf"] if "then" in one}
def parts(node):
    found = set(node.get("properties", {}))
    for key in ("allOf", "anyOf", "oneOf"):
        for one in node.get(key, []):
            found |= parts(one)
    return found
print(json.dumps({
    "functions": sorted(helpers.FUNCTIONS_ALL | helpers.FUNCTION_RULES),
    "pseudo": sorted(helpers.PSEUDOPARAMS),
    "sections": sorted(load("template/configuration.json")["properties"]),
    "attributes": sorted(resource["properties"]),
    "update_policy": sorted(set().union(*(parts(policies[name]) for name in used))),
}))
"#;

fn ask() -> Option<Value> {
    let python = harness::build_folder().join("venv/bin/python");
    if !python.is_file() {
        harness::missing("cfn-lint");
        return None;
    }
    let output = Command::new(python).args(["-c", ASK]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn every_word_of_cfn_lint_is_known_here() {
    let Some(known) = ask() else { return };
    let theirs = |kind: &str| -> BTreeSet<String> {
        let list = known[kind].as_array().unwrap().iter();
        // `Fn::ForEach::[a-zA-Z0-9]+` stands for all loops.
        list.map(|name| {
            name.as_str()
                .unwrap()
                .split("::[")
                .next()
                .unwrap()
                .to_owned()
        })
        .collect()
    };
    let ours = |names: &[&str]| -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    };
    // What SAM adds is SAM's: a transformed template is not looked at for it.
    let of_sam =
        |name: &String| ["Globals", "Connectors", "IgnoreGlobals"].contains(&name.as_str());
    for (kind, names) in [
        ("functions", &language::FUNCTIONS[..]),
        ("pseudo", &language::PSEUDO_PARAMETERS[..]),
        ("sections", &language::SECTIONS[..]),
        ("attributes", &language::ATTRIBUTES[..]),
        ("update_policy", &language::UPDATE_POLICY[..]),
    ] {
        let missing: Vec<String> = theirs(kind)
            .difference(&ours(names))
            .filter(|name| !of_sam(name))
            .cloned()
            .collect();
        assert_eq!(missing, [] as [&str; 0], "{kind}");
    }
    // What nobody else knows is a mistake of ours, or rests on AWS's own page.
    let only_ours = |kind: &str, names: &[&str]| -> Vec<String> {
        ours(names).difference(&theirs(kind)).cloned().collect()
    };
    assert_eq!(
        only_ours("functions", &language::FUNCTIONS),
        [] as [&str; 0]
    );
    assert_eq!(
        only_ours("pseudo", &language::PSEUDO_PARAMETERS),
        [] as [&str; 0]
    );
    assert_eq!(only_ours("sections", &language::SECTIONS), ["Hooks"]);
    assert_eq!(
        only_ours("attributes", &language::ATTRIBUTES),
        ["Description"]
    );
}
