//! What CloudFormation's role in `pipeline.yml` may touch is what `app.yml` calls its own, and what it is called
//! fits.

use std::path::Path;

use serde_json::{Value, json};

use crate::faults::Faults;
use crate::stack::{STACK, Stack};
use crate::statements::{self, Statement};

/// The application's network.
const VPC: &str = "vpc-0123456789abcdef0";

pub(super) fn look(folder: &Path, faults: &mut Faults) -> Result<(), String> {
    let pipeline = Stack::load(folder, "pipeline.yml")?
        .configured(folder, "pipeline-prod.json")?
        .with(&[("AppStackName", STACK), ("AppVpcId", VPC)]);
    let app = Stack::load(folder, "app.yml")?;
    faults.at("pipeline.yml, CloudFormationRole");
    let statements = statements::allowing(&pipeline)?;
    named(&statements, &app, faults)?;
    tagged(&statements, &app, faults)?;
    in_its_network(&statements, faults);
    fitting(&pipeline, &app, faults)
}

fn of<'a>(statements: &'a [Statement], sid: &str) -> Option<&'a Statement> {
    statements.iter().find(|one| one.sid == sid)
}

/// By names that the stack gives.
fn named(statements: &[Statement], app: &Stack, faults: &mut Faults) -> Result<(), String> {
    let name = |resource: &str, property: &str| -> Result<String, String> {
        let properties = app.properties(resource)?;
        Ok(properties[property].as_str().unwrap_or_default().to_owned())
    };
    let role = format!(
        "arn:aws:iam::123456789012:role/{}",
        name("InstanceRole", "RoleName")?
    );
    let profile = format!(
        "arn:aws:iam::123456789012:instance-profile/{}",
        name("InstanceProfile", "InstanceProfileName")?
    );
    let balancing = "arn:aws:elasticloadbalancing:eu-central-1:123456789012";
    let balancer = name("LoadBalancer", "Name")?;
    let targets = name("TargetGroup", "Name")?;
    for (sid, expected) in [
        ("InstanceRole", json!([role, profile])),
        ("InstanceRoleWithinBoundary", json!([role])),
        ("InstanceRolePolicy", json!([role])),
        ("PassInstanceRole", json!([role])),
        (
            "LoadBalancer",
            json!([
                format!("{balancing}:loadbalancer/app/{balancer}/*"),
                format!("{balancing}:listener/app/{balancer}/*"),
                format!("{balancing}:targetgroup/{targets}/*"),
            ]),
        ),
    ] {
        let found = of(statements, sid);
        faults.equal(
            format!("what {sid} names"),
            &json!(found.map(|one| &one.resources)),
            expected,
        );
    }
    Ok(())
}

/// By the tag `Name` that the stack gives.
fn tagged(statements: &[Statement], app: &Stack, faults: &mut Faults) -> Result<(), String> {
    let instances = app.properties("InstanceSecurityGroup")?;
    let clients = app.properties("LoadBalancerSecurityGroup")?;
    let template = app.properties("LaunchTemplate")?;
    let (instances, clients) = (name_tag(&instances["Tags"]), name_tag(&clients["Tags"]));
    let template = name_tag(&template["TagSpecifications"][0]["Tags"]);
    let all_of_them = json!([instances, clients, template]);
    let (groups, template) = (json!([instances, clients]), json!(template));
    for (sid, key, expected) in [
        ("TagWhatItMakes", "aws:RequestTag/Name", &all_of_them),
        ("TagSecurityGroups", "aws:ResourceTag/Name", &groups),
        ("ChangeLaunchTemplate", "aws:ResourceTag/Name", &template),
    ] {
        let found = of(statements, sid);
        let condition = found.map_or(Value::Null, |one| one.condition.clone());
        let expected = json!({"StringEquals": {key: expected}});
        faults.equal(format!("what {sid} is held to"), &condition, expected);
    }
    Ok(())
}

/// Security groups are made and changed in the application's network only.
fn in_its_network(statements: &[Statement], faults: &mut Faults) {
    let vpc = format!("arn:aws:ec2:eu-central-1:123456789012:vpc/{VPC}");
    let any = "arn:aws:ec2:eu-central-1:123456789012:security-group/*";
    let templates = "arn:aws:ec2:eu-central-1:123456789012:launch-template/*";
    for (sid, resources, condition) in [
        (
            "MakeGroupsAndTemplate",
            json!([vpc, any, templates]),
            Value::Null,
        ),
        (
            "ChangeSecurityGroups",
            json!([any]),
            json!({"ArnEquals": {"ec2:Vpc": vpc}}),
        ),
    ] {
        let found = of(statements, sid);
        faults.equal(
            format!("where {sid} may"),
            &json!(found.map(|one| (&one.resources, &one.condition))),
            json!((resources, condition)),
        );
    }
}

/// The value of the tag `Name`.
fn name_tag(tags: &Value) -> &str {
    let mut tags = tags.as_array().into_iter().flatten();
    let tag = tags.find(|tag| tag["Key"] == "Name");
    tag.and_then(|tag| tag["Value"].as_str())
        .unwrap_or_default()
}

/// The longest name of an application's stack that the pipeline takes makes no name too long, in the region
/// with the longest name.
fn fitting(pipeline: &Stack, app: &Stack, faults: &mut Faults) -> Result<(), String> {
    const LONGEST: usize = 30;
    let parameters = pipeline.template().root.get("Parameters");
    let name = parameters.and_then(|all| all.get("AppStackName"));
    let pattern = name.and_then(|name| name.get("AllowedPattern"));
    faults.equal(
        format!("the pattern of AppStackName, for at most {LONGEST} characters"),
        &pattern.map_or(Value::Null, contract::yaml::Node::to_json),
        "^[A-Za-z]([A-Za-z0-9-]{0,28}[A-Za-z0-9])?$",
    );
    let far = app.in_region("us-isof-south-1");
    for (resource, property, limit) in [
        ("InstanceRole", "RoleName", 64),
        ("InstanceProfile", "InstanceProfileName", 128),
        ("LoadBalancer", "Name", 32),
        ("TargetGroup", "Name", 32),
    ] {
        let found = &far.properties(resource)?[property];
        let length = found.as_str().map_or(0, str::len) + LONGEST - STACK.len();
        faults.unless(
            length <= limit,
            format!("{property} of {resource} may have {length} characters, and AWS takes {limit}"),
        );
    }
    Ok(())
}
