//! IAM over all stacks, with every switch on: no more than a job needs, no trust without a condition.

use std::path::Path;

use serde_json::{Value, json};

use crate::faults::Faults;
use crate::stack::{Stack, TOPIC};
use crate::statements::{self, Statement};

/// Statements whose resource is `*`, with the reason; everything else names what it is about.
const ANY_RESOURCE: [(&str, &str, &str); 10] = [
    ("DeployRole", "Look", "EC2 takes no resource for looking"),
    (
        "DeployRole",
        "BeInTheVpc",
        "CodeBuild's documented policy; EC2 takes no resource for most of it",
    ),
    (
        "DeployRole",
        "LookAtEndpoints",
        "EC2 takes no resource for looking",
    ),
    (
        "DeployRole",
        "LookAtAgent",
        "Systems Manager takes no resource for looking at instances' agents",
    ),
    ("AmiRole", "Look", "EC2 takes no resource for looking"),
    ("WarmRole", "Look", "EC2 takes no resource for looking"),
    (
        "AmiRole",
        "LookWhoUsesImages",
        "EC2 takes no resource for looking",
    ),
    (
        "AmiRole",
        "ScanImages",
        "which image is known when it is made; Inspector scans those of the account alone",
    ),
    (
        "AmiRole",
        "LookThroughImageReferences",
        "held to EC2's own look for references by its condition",
    ),
    (
        "CloudFormationRole",
        "Look",
        "these services take no resource for looking",
    ),
    (
        "CloudFormationRole",
        "LaunchFromTemplate",
        "held to launch templates by its condition",
    ),
];

/// Services that no document says to send a source account for their roles: no condition.
const TRUSTED_WITHOUT_CONDITION: [&str; 1] = ["ec2.amazonaws.com"];

/// Services whose condition a parameter takes away, for no document promises that they send it.
const UNPROVEN: [&str; 2] = ["codepipeline.amazonaws.com", "cloudformation.amazonaws.com"];

/// Which roles are passed: by whom, the one role, to which service.
const PASSED: [(&str, &str, &str); 2] = [
    (
        "PipelinePolicy",
        "CloudFormationRole.Arn",
        "cloudformation.amazonaws.com",
    ),
    (
        "CloudFormationRole",
        "arn:aws:iam::123456789012:role/rag-app-prod-eu-central-1-instance",
        "ec2.amazonaws.com",
    ),
];

/// Kinds of things that AWS names by ids of its own: `kind/*` is all of the account.
const KINDS: [&str; 13] = [
    ":image/",
    ":instance/",
    ":instance-connect-endpoint/",
    ":instance-profile/",
    ":launch-template/",
    ":listener/app/",
    ":loadbalancer/app/",
    ":network-interface/",
    ":role/",
    ":security-group/",
    ":snapshot/",
    ":targetgroup/",
    ":vpc/",
];

/// Statements about all of a kind that no condition holds, with the reason.
const ANY_OF_A_KIND: [(&str, &str, &str); 4] = [
    (
        "AmiRole",
        "CreateImage",
        "image and snapshots have no ids before; the instance is exact",
    ),
    (
        "WarmRole",
        "SnapshotInstance",
        "snapshots have no ids before; the instance is exact, and decides which volumes",
    ),
    (
        "AmiRole",
        "CountChangedBlocks",
        "which snapshots is known when they are made; it reads no block",
    ),
    (
        "CloudFormationRole",
        "MakeGroupsAndTemplate",
        "they have no ids before, and may be tagged only later; the groups' network is exact",
    ),
];

/// What CodePipeline's documents list for its role, by statement; an action that fails for the lack of one says
/// little more than that.
/// <https://docs.aws.amazon.com/codepipeline/latest/userguide/how-to-custom-role.html>,
/// <https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-S3.html#edit-role-s3source>
const DOCUMENTED: [(&str, &[&str]); 5] = [
    (
        "WatchSourceBucket",
        &[
            "s3:GetBucketVersioning",
            "s3:GetBucketAcl",
            "s3:GetBucketLocation",
        ],
    ),
    (
        "ReadSource",
        &[
            "s3:GetObject",
            "s3:GetObjectVersion",
            "s3:GetObjectTagging",
            "s3:GetObjectVersionTagging",
        ],
    ),
    (
        "FindArtifactBucket",
        &[
            "s3:GetBucketVersioning",
            "s3:GetBucketAcl",
            "s3:GetBucketLocation",
        ],
    ),
    (
        "KeepArtifacts",
        &[
            "s3:GetObject",
            "s3:GetObjectVersion",
            "s3:PutObject",
            "s3:PutObjectAcl",
        ],
    ),
    (
        "RunBuilds",
        &["codebuild:BatchGetBuilds", "codebuild:StartBuild"],
    ),
];

/// What IAM takes for the inline policies of one role, without white space.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const INLINE_LIMIT: usize = 10_240;

/// Every stack that has roles, with every switch on.
fn stacks(folder: &Path) -> Result<Vec<(&'static str, Stack)>, String> {
    let all: [(&str, &[(&str, &str)]); 6] = [
        ("network.yml", &[("FlowLogs", "yes")]),
        ("buckets.yml", &[]),
        ("build-instance.yml", &[]),
        ("app.yml", &[("AlarmTopicArn", TOPIC)]),
        ("app-ecs.yml", &[]),
        (
            "pipeline.yml",
            &[
                ("BuildVpcId", "vpc-00000001"),
                ("BuildSubnetId1", "subnet-00000003"),
                ("BuildSubnetId2", "subnet-00000004"),
                ("BuildSecurityGroupId", "sg-00000005"),
                ("Transport", "auto"),
                ("Validation", "yes"),
                ("ImageScan", "yes"),
                ("AmiScan", "gate"),
                ("WarmSnapshot", "yes"),
                ("DeployMode", "change-set"),
                ("AlarmTopicArn", TOPIC),
            ],
        ),
    ];
    all.into_iter()
        .map(|(name, values)| {
            let mut stack = Stack::load(folder, name)?;
            if name == "pipeline.yml" {
                stack = stack.configured(folder, "pipeline-prod.json")?;
            }
            Ok((name, stack.with(values)))
        })
        .collect()
}

pub(super) fn look(folder: &Path, faults: &mut Faults) -> Result<(), String> {
    for (name, stack) in stacks(folder)? {
        faults.at(name);
        for statement in statements::allowing(&stack)? {
            permission(&statement, faults);
        }
        for (role, trust) in statements::trusts(&stack)? {
            for statement in trust {
                trusted(&role, &statement, faults);
            }
            let size = inline_size(&stack.properties(&role)?);
            faults.unless(
                size <= INLINE_LIMIT,
                format!(
                    "the policies in {role} have {size} characters, and IAM takes {INLINE_LIMIT}"
                ),
            );
        }
        if stack
            .template()
            .resources_of("AWS::IAM::Role")
            .next()
            .is_some()
        {
            bounded(name, &stack, faults)?;
        }
    }
    let pipeline = Stack::load(folder, "pipeline.yml")?.configured(folder, "pipeline-prod.json")?;
    faults.at("pipeline.yml");
    switched(&pipeline, faults)?;
    by_the_rule(&pipeline, faults)?;
    documented(&pipeline, faults)?;
    boundary(&pipeline, faults)
}

fn permission(statement: &Statement, faults: &mut Faults) {
    let Statement {
        owner,
        sid,
        actions,
        resources,
        condition,
        ..
    } = statement;
    let place = format!("{owner}, {sid}");
    faults.unless(
        !sid.is_empty(),
        format!("{owner} has a statement without a Sid"),
    );
    faults.unless(
        !actions.is_empty() && !resources.is_empty(),
        format!("{place} says nothing"),
    );
    for action in actions {
        let (service, name) = action.split_once(':').unwrap_or((action, ""));
        let looks = name.starts_with("Describe");
        faults.unless(
            service != "*" && !name.is_empty() && (looks || !name.contains('*')),
            format!("{place} allows {action}"),
        );
        if name != "PassRole" {
            continue;
        }
        let passed: Vec<_> = PASSED.iter().filter(|(by, ..)| by == owner).collect();
        let roles: Vec<&str> = passed.iter().map(|(_, role, _)| *role).collect();
        faults.equal(
            format!("what {place} passes"),
            &json!(resources),
            json!(roles),
        );
        let service = passed.first().map_or("no service", |(.., to)| to);
        faults.equal(
            format!("whom {place} passes it to"),
            condition,
            json!({"StringEquals": {"iam:PassedToService": service}}),
        );
    }
    let any = resources.iter().any(|one| one == "*");
    let excused = ANY_RESOURCE
        .iter()
        .any(|(role, excused, _)| owner == role && sid == excused);
    faults.unless(!any || excused, format!("{place} is about any resource"));
    let all_of_a_kind = resources.iter().find(|one| {
        let kind = one.strip_suffix('*').unwrap_or_default();
        KINDS.iter().any(|bare| kind.ends_with(bare))
    });
    let excused = ANY_OF_A_KIND
        .iter()
        .any(|(role, excused, _)| owner == role && sid == excused);
    faults.unless(
        all_of_a_kind.is_none() || !condition.is_null() || excused,
        format!("{place} is about all of {all_of_a_kind:?}"),
    );
    // A bucket's objects, never all buckets.
    for resource in resources {
        faults.unless(
            !resource.contains(":s3:::*"),
            format!("{place} is about any bucket"),
        );
    }
}

/// The characters of a role's inline policies as IAM counts them.
fn inline_size(role: &Value) -> usize {
    let policies = role["Policies"].as_array().map_or(&[][..], Vec::as_slice);
    policies
        .iter()
        .map(|one| one["PolicyDocument"].to_string().len())
        .sum()
}

fn trusted(role: &str, statement: &Value, faults: &mut Faults) {
    let service = statement["Principal"]["Service"]
        .as_str()
        .unwrap_or_default();
    faults.unless(
        !service.is_empty(),
        format!("{role} is trusted to no service"),
    );
    faults.equal(
        format!("deed of {role}"),
        &statement["Action"],
        "sts:AssumeRole",
    );
    let account = &statement["Condition"]["StringEquals"]["aws:SourceAccount"];
    if TRUSTED_WITHOUT_CONDITION.contains(&service) {
        faults.equal(
            format!("condition of {role}"),
            &statement["Condition"],
            Value::Null,
        );
        return;
    }
    faults.equal(
        format!("account that {role} is assumed for"),
        account,
        "123456789012",
    );
    if !UNPROVEN.contains(&service) {
        let arn = &statement["Condition"]["ArnLike"]["aws:SourceArn"];
        let arn = arn.as_str().unwrap_or_default();
        faults.unless(
            arn.contains(":123456789012:") && !arn.ends_with(":*:*"),
            format!("{role} is assumed for {arn:?}"),
        );
    }
}

/// The switch takes the unproven conditions away and no other.
fn switched(pipeline: &Stack, faults: &mut Faults) -> Result<(), String> {
    let off = pipeline.with(&[("SourceAccountConditions", "no")]);
    for (role, trust) in statements::trusts(&off)? {
        for statement in trust {
            let service = statement["Principal"]["Service"]
                .as_str()
                .unwrap_or_default();
            let there = !statement["Condition"].is_null();
            faults.unless(
                there != UNPROVEN.contains(&service),
                format!("{role} has a condition: {there}, with the switch off"),
            );
        }
    }
    // One role for each principal and job.
    let mut arns = Vec::new();
    for (role, trust) in statements::trusts(pipeline)? {
        let arn = &trust[0]["Condition"]["ArnLike"]["aws:SourceArn"];
        let Some(arn) = arn.as_str() else { continue };
        faults.unless(
            !arns.contains(&arn.to_owned()),
            format!("{role} shares {arn}"),
        );
        arns.push(arn.to_owned());
    }
    Ok(())
}

/// The rule's role is assumed for that rule only.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/cross-service-confused-deputy-prevention.html>
fn by_the_rule(pipeline: &Stack, faults: &mut Faults) -> Result<(), String> {
    let rule = pipeline.properties("SourceRule")?;
    let name = rule["Name"].as_str().unwrap_or_default();
    let expected = format!("arn:aws:events:eu-central-1:123456789012:rule/{name}");
    let role = pipeline.properties("SourceRuleRole")?;
    let trust = &role["AssumeRolePolicyDocument"]["Statement"][0]["Condition"];
    faults.equal(
        "what SourceRuleRole is assumed for",
        &trust["ArnLike"]["aws:SourceArn"],
        expected,
    );
    Ok(())
}

/// CodePipeline's role has at least what its documents list.
fn documented(pipeline: &Stack, faults: &mut Faults) -> Result<(), String> {
    let all = statements::allowing(pipeline)?;
    for (sid, actions) in DOCUMENTED {
        let found = all.iter().find(|one| one.sid == sid);
        let allowed = found.map_or(&[][..], |one| &one.actions);
        for action in actions {
            faults.unless(
                allowed.iter().any(|one| one == action),
                format!("{sid} does not allow {action}, which CodePipeline needs"),
            );
        }
    }
    Ok(())
}

/// Every role has the boundary that its stack was given, and none without.
fn bounded(name: &str, stack: &Stack, faults: &mut Faults) -> Result<(), String> {
    let parameter = match name {
        "pipeline.yml" => "RolesBoundaryArn",
        _ => "PermissionsBoundaryArn",
    };
    let arn = "arn:aws:iam::123456789012:policy/everyone";
    let bound = stack.with(&[(parameter, arn)]);
    for role in stack.ids("AWS::IAM::Role")? {
        for (stack, expected) in [(stack, Value::Null), (&bound, arn.into())] {
            let boundary = &stack.properties(&role)?["PermissionsBoundary"];
            faults.equal(format!("boundary of {role}"), boundary, expected);
        }
    }
    Ok(())
}

/// With a boundary the application stack makes no role without it.
fn boundary(pipeline: &Stack, faults: &mut Faults) -> Result<(), String> {
    let arn = "arn:aws:iam::123456789012:policy/instances";
    let bound = pipeline.with(&[("PermissionsBoundaryArn", arn)]);
    for statement in statements::allowing(&bound)? {
        let makes = [
            "iam:CreateRole",
            "iam:PutRolePolicy",
            "iam:PutRolePermissionsBoundary",
        ];
        if statement
            .actions
            .iter()
            .any(|one| makes.contains(&one.as_str()))
        {
            let expected = json!({"StringEquals": {"iam:PermissionsBoundary": arn}});
            faults.equal("condition of making roles", &statement.condition, expected);
        }
    }
    Ok(())
}
