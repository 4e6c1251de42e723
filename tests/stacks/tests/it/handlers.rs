//! CloudFormation's role against what CloudFormation calls. Its registry declares, for each type of
//! resource, which permissions making, reading, changing and deleting one take; cfn-lint brings those
//! declarations. Conditions and ARNs are not in them: `stacks::conventions` looks at those.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use stacks::copy::Copy;
use stacks::stack::{Stack, repository};
use stacks::statements;

/// What types declare and `app.yml` has no use for, with the reason.
const NOT_USED: [(&str, &[&str]); 10] = [
    (
        "there is no Classic Load Balancer",
        &[
            "autoscaling:AttachLoadBalancers",
            "autoscaling:DetachLoadBalancers",
        ],
    ),
    (
        "the group notifies nobody",
        &[
            "autoscaling:PutNotificationConfiguration",
            "autoscaling:DeleteNotificationConfiguration",
        ],
    ),
    (
        "the group is no managed fleet",
        &[
            "managed-fleets:CreateAutoScalingGroup",
            "managed-fleets:DeleteAutoScalingGroup",
            "managed-fleets:DeregisterAutoScalingGroup",
            "managed-fleets:Get*",
            "managed-fleets:RegisterAutoScalingGroup",
            "managed-fleets:UpdateAutoScalingGroup",
        ],
    ),
    (
        "the group's targets are the load balancer's, not VPC Lattice's",
        &[
            "vpc-lattice:DeregisterTargets",
            "vpc-lattice:GetTargetGroup",
            "vpc-lattice:ListTargets",
            "vpc-lattice:RegisterTargets",
        ],
    ),
    (
        "the image is an id, no parameter of Systems Manager, and the type is one",
        &["ssm:Get*", "ec2:Get*"],
    ),
    (
        "the group registers its instances by itself",
        &[
            "elasticloadbalancing:RegisterTargets",
            "elasticloadbalancing:DeregisterTargets",
        ],
    ),
    (
        "the load balancer reserves no capacity and has no pool of addresses",
        &[
            "elasticloadbalancing:ModifyCapacityReservation",
            "elasticloadbalancing:ModifyIpPools",
        ],
    ),
    (
        "the policy beside a role's own is the role's, no user's and no group's",
        &[
            "iam:DeleteGroupPolicy",
            "iam:DeleteUserPolicy",
            "iam:GetGroupPolicy",
            "iam:GetUserPolicy",
            "iam:PutGroupPolicy",
            "iam:PutUserPolicy",
        ],
    ),
    (
        "the listener authenticates nobody",
        &["cognito-idp:DescribeUserPoolClient"],
    ),
    (
        "the role has no description, and keeps its boundary",
        &[
            "iam:UpdateRoleDescription",
            "iam:DeleteRolePermissionsBoundary",
        ],
    ),
];

/// Where cfn-lint keeps the declarations, if it is on this machine.
fn schemas() -> Option<PathBuf> {
    let libraries = harness::build_folder().join("venv/lib");
    let mut found = fs::read_dir(libraries).ok()?.filter_map(Result::ok);
    found.find_map(|python| {
        let schemas = "site-packages/cfnlint/data/schemas";
        let schemas = python.path().join(schemas);
        schemas.is_dir().then_some(schemas)
    })
}

fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// The permissions that a type of resource declares for all but listing.
fn declared(schemas: &Path, kind: &str) -> BTreeSet<String> {
    let region = json(&schemas.join("providers/us-east-1.json"));
    let file = region[kind].as_str();
    let file = file.unwrap_or_else(|| panic!("cfn-lint has no schema of {kind}"));
    let schema = json(&schemas.join(format!("resources/{file}.json")));
    let handlers = ["create", "read", "update", "delete"].map(|name| &schema["handlers"][name]);
    let permissions = handlers
        .iter()
        .filter_map(|handler| handler["permissions"].as_array());
    let permissions: BTreeSet<String> = permissions
        .flatten()
        .filter_map(|one| one.as_str().map(str::to_owned))
        .collect();
    assert!(!permissions.is_empty(), "{kind} declares nothing");
    permissions
}

/// What the types of the application's resources declare.
fn needed(schemas: &Path, folder: &Path) -> BTreeSet<String> {
    let app = Stack::load(folder, "app.yml").unwrap();
    let kinds: BTreeSet<&str> = app
        .template()
        .resources
        .iter()
        .map(|one| one.kind.as_str())
        .collect();
    kinds
        .into_iter()
        .flat_map(|kind| declared(schemas, kind))
        .collect()
}

/// What CloudFormation's role may do.
fn granted(folder: &Path) -> Vec<String> {
    let pipeline = Stack::load(folder, "pipeline.yml").unwrap();
    let pipeline = pipeline.configured(folder, "pipeline-prod.json").unwrap();
    let statements = statements::allowing(&pipeline).unwrap().into_iter();
    statements
        .filter(|one| one.owner == "CloudFormationRole")
        .flat_map(|one| one.actions)
        .collect()
}

/// Whether one of the actions granted is this one, or all that begin like it.
fn covers(granted: &[String], action: &str) -> bool {
    granted.iter().any(|one| match one.strip_suffix('*') {
        Some(beginning) => action.starts_with(beginning),
        None => one == action,
    })
}

/// What is needed, not granted and not excused.
fn lacking(schemas: &Path, folder: &Path) -> Vec<String> {
    let granted = granted(folder);
    let excused = |action: &String| {
        NOT_USED
            .iter()
            .any(|(_, actions)| actions.contains(&action.as_str()))
    };
    needed(schemas, folder)
        .into_iter()
        .filter(|action| !covers(&granted, action) && !excused(action))
        .collect()
}

#[test]
fn the_role_may_do_what_the_types_of_its_resources_declare() {
    let Some(schemas) = schemas() else {
        return harness::missing("cfn-lint");
    };
    assert_eq!(lacking(&schemas, repository()), [""; 0]);
    let (needed, granted) = (needed(&schemas, repository()), granted(repository()));
    for (reason, actions) in NOT_USED {
        for action in actions {
            assert!(
                needed.contains(*action),
                "{action} is not declared any more"
            );
            assert!(
                !covers(&granted, action),
                "{action} is granted, but {reason}"
            );
        }
    }
}

#[test]
fn a_permission_that_is_taken_away_is_missed() {
    let Some(schemas) = schemas() else {
        return harness::missing("cfn-lint");
    };
    for (old, new, action) in [
        (
            "elasticloadbalancing:SetSubnets, ",
            "",
            "elasticloadbalancing:SetSubnets",
        ),
        ("ec2:Describe*, ", "ec2:DescribeVpcs, ", "ec2:Describe*"),
    ] {
        let copy = Copy::new();
        copy.replace("cfn/pipeline.yml", old, new);
        let lacking = lacking(&schemas, copy.path());
        assert!(lacking.iter().any(|one| one == action), "{lacking:?}");
    }
}
