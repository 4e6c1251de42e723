//! The application's stack from one update strategy to the next, in ministack.
//!
//! moto sees no change that comes through a condition (findings/moto-change-by-a-condition-is-not-seen.sh). ministack
//! does. It has no `AWS::EC2::SecurityGroupIngress`, which is left out, and starts no instance refresh: what a refresh does on
//! an account is marked in cfn/README.md.

use std::fs;
use std::time::{Duration, Instant};

use harness::ministack::Ministack;
use harness::xml::{all, one};
use stacks::stack::repository;

/// `app.yml` without the one resource that ministack does not have.
fn template() -> String {
    let path = repository().join("cfn/app.yml");
    let text = fs::read_to_string(path).unwrap();
    let (before, rest) = text.split_once("  InstanceIngress:\n").unwrap();
    let (_, after) = rest.split_once("\n\n").unwrap();
    format!("{before}\n{after}")
}

/// The state that a stack comes to rest in.
fn settled(server: &Ministack, stack: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let query = [("StackName", stack)];
        let stacks = server.query("cloudformation", "DescribeStacks", &query);
        let status = one(&stacks, "StackStatus").to_owned();
        if !status.ends_with("_IN_PROGRESS") || Instant::now() > deadline {
            return status;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The id of a resource of the stack, if it has that.
fn resource(server: &Ministack, stack: &str, logical: &str) -> Option<String> {
    let query = [("StackName", stack)];
    let resources = server.query("cloudformation", "DescribeStackResources", &query);
    let name = format!("<LogicalResourceId>{logical}</LogicalResourceId>");
    let mut found = all(&resources, "member").into_iter();
    let found = found.find(|one| one.contains(&name))?;
    Some(one(found, "PhysicalResourceId").to_owned())
}

#[test]
fn a_stack_goes_from_each_strategy_to_each_other() {
    let Some(server) = Ministack::start() else {
        return;
    };
    let vpc = server.query("ec2", "CreateVpc", &[("CidrBlock", "10.0.0.0/16")]);
    let vpc = one(&vpc, "vpcId").to_owned();
    let subnets = [("10.0.0.0/24", "eu-west-1a"), ("10.0.1.0/24", "eu-west-1b")];
    let subnets = subnets.map(|(range, zone)| {
        let place = [
            ("VpcId", vpc.as_str()),
            ("CidrBlock", range),
            ("AvailabilityZone", zone),
        ];
        one(&server.query("ec2", "CreateSubnet", &place), "subnetId").to_owned()
    });
    let template = template();
    let deploy = |action: &str, strategy: &str| {
        let parameters = [
            ("AMIId", "ami-12c6146b"),
            ("VPCId", &vpc),
            ("SubnetId1", &subnets[0]),
            ("SubnetId2", &subnets[1]),
            ("PlainHttp", "yes"),
            ("UpdateStrategy", strategy),
        ];
        let mut form = vec![
            ("StackName".to_owned(), "app"),
            ("TemplateBody".to_owned(), template.as_str()),
            ("Capabilities.member.1".to_owned(), "CAPABILITY_NAMED_IAM"),
        ];
        for (number, (name, value)) in (1..).zip(&parameters) {
            form.push((format!("Parameters.member.{number}.ParameterKey"), name));
            form.push((format!("Parameters.member.{number}.ParameterValue"), value));
        }
        let form: Vec<(&str, &str)> = form
            .iter()
            .map(|(name, value)| (name.as_str(), *value))
            .collect();
        server.query("cloudformation", action, &form);
        settled(&server, "app")
    };
    assert_eq!(deploy("CreateStack", "rolling"), "CREATE_COMPLETE");
    let group = resource(&server, "app", "AutoScalingGroup").unwrap();
    // Each to each other: a way through all twelve changes.
    for strategy in [
        "refresh",
        "in-place",
        "replacing",
        "rolling",
        "in-place",
        "refresh",
        "replacing",
        "in-place",
        "rolling",
        "replacing",
        "refresh",
        "rolling",
    ] {
        assert_eq!(
            deploy("UpdateStack", strategy),
            "UPDATE_COMPLETE",
            "{strategy}"
        );
        // Only an instance refresh waits for a hook, which the instances may then complete.
        let waits_for_a_hook = ["refresh", "in-place"].contains(&strategy);
        let policy = resource(&server, "app", "LifecyclePolicy");
        assert_eq!(policy.is_some(), waits_for_a_hook, "{strategy}: {policy:?}");
        assert_eq!(
            resource(&server, "app", "AutoScalingGroup").as_ref(),
            Some(&group),
            "{strategy}"
        );
    }
}
