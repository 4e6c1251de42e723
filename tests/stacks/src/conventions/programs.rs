//! The policies of the builds are exactly what the programs document, and what they document is what
//! their recorded requests need: the programs' own tests compare the two.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use action::program::Program;
use serde_json::{Value, json};

use crate::faults::Faults;
use crate::stack::{STACK, Stack, configuration};
use crate::statements::{self, Statement};

/// Which program's policy stands where: stack, role or managed policy, the policy's name (empty for
/// a managed policy), program.
pub const POLICIES: [(&str, &str, &str, Program); 4] = [
    (
        "pipeline.yml",
        "DeployRole",
        "deploy-app",
        deploy_app::PROGRAM,
    ),
    ("pipeline.yml", "AmiRole", "make-ami", make_ami::PROGRAM),
    (
        "buckets.yml",
        "PackagePolicy",
        "",
        package_template::PROGRAM,
    ),
    (
        "app.yml",
        "InstanceRole",
        "signal-health",
        signal_health::PROGRAM,
    ),
];

/// What a program documents and these stacks do not grant: the program needs it only with a setting
/// that they do not use. Program, actions, reason.
pub const NOT_NEEDED: [(&str, &[&str], &str); 16] = [
    (
        "deploy-app",
        &["secretsmanager:GetSecretValue"],
        "DEPLOY_APP_SSH_KEY is not set: a key made for the run is pushed by Instance Connect",
    ),
    (
        "deploy-app",
        &[
            "ssm:GetParameter",
            "ssm:PutParameter",
            "ssm:SendCommand",
            "ssm:GetCommandInvocation",
        ],
        "DEPLOY_APP_HOST_KEY is set, so that no host key needs to be found out",
    ),
    (
        "deploy-app",
        &["elasticloadbalancing:DescribeTargetHealth"],
        "DEPLOY_APP_TARGET_GROUP_ARN is not set: the build instance is behind no load balancer",
    ),
    (
        "deploy-app",
        &["kms:GenerateDataKey"],
        "the account's preferences for sessions name no KMS key, or whoever names one grants its use to the role: the template does not know it",
    ),
    (
        "make-ami",
        &["ec2:StopInstances", "ec2:StartInstances", "ec2:DeleteTags"],
        "MAKE_AMI_CONSISTENCY=stop is not set",
    ),
    (
        "make-ami",
        &["ssm:SendCommand", "ssm:GetCommandInvocation"],
        "MAKE_AMI_CONSISTENCY=quiesce is not set",
    ),
    (
        "make-ami",
        &["ec2:CopyImage"],
        "MAKE_AMI_COPY_TO and MAKE_AMI_ENCRYPT are not set",
    ),
    (
        "make-ami",
        &[
            "kms:DescribeKey",
            "ec2:ModifySnapshotAttribute",
            "ec2:ModifyImageAttribute",
        ],
        "MAKE_AMI_SHARE_WITH and MAKE_AMI_KMS_KEY are not set",
    ),
    (
        "make-ami",
        &[
            "ec2:CreateImageUsageReport",
            "ec2:DescribeImageUsageReports",
            "ec2:DescribeImageUsageReportEntries",
        ],
        "MAKE_AMI_UNUSED_FOR is not set: nothing is shared",
    ),
    (
        "make-ami",
        &[
            "ec2:EnableImageDeregistrationProtection",
            "ec2:ReplaceImageInstanceTypeSpecification",
        ],
        "MAKE_AMI_PROTECT and MAKE_AMI_INSTANCE_TYPE are not set",
    ),
    (
        "make-ami",
        &[
            "ec2:AttachImageWatermark",
            "ec2:GetImageAncestry",
            "ec2:DescribeAvailabilityZones",
        ],
        "MAKE_AMI_WATERMARK, MAKE_AMI_MUST_DESCEND_FROM, MAKE_AMI_STATEMENT and MAKE_AMI_SNAPSHOT_LOCATION are not set",
    ),
    (
        "make-ami",
        &["ec2:CreateSnapshots"],
        "`warm` makes them, in a build with a role of its own",
    ),
    (
        "make-ami",
        &["ssm:PutParameter", "ssm:GetParameter"],
        "MAKE_AMI_SSM_PARAMETER is not set",
    ),
    (
        "package-template",
        &["codepipeline:GetPipeline"],
        "the pipeline that it checks against is the template, not live:NAME",
    ),
    (
        "signal-health",
        &[
            "autoscaling:DescribeAutoScalingInstances",
            "autoscaling:CompleteLifecycleAction",
        ],
        "UpdateStrategy is rolling or replacing, and so there is no lifecycle hook",
    ),
    (
        "package-template",
        &["kms:GenerateDataKey", "kms:Decrypt"],
        "cfn/buckets.yml encrypts with S3's own keys, and PACKAGE_TEMPLATE_KMS_KEY is not set",
    ),
];

/// What the statements of these policies are about, and on which condition; `Look` is about anything,
/// because these services take no resource for looking.
fn about() -> [(&'static str, &'static str, Value, Value); 9] {
    let instance = json!(["arn:aws:ec2:eu-central-1:123456789012:instance/i-00000000000000000"]);
    [
        ("DeployRole", "BringUp", instance.clone(), Value::Null),
        (
            "DeployRole",
            "LogIn",
            instance,
            json!({"StringEquals": {"ec2:osuser": "ubuntu"}}),
        ),
        (
            "DeployRole",
            "OpenTunnel",
            json!(["arn:aws:ec2:eu-central-1:123456789012:instance-connect-endpoint/*"]),
            json!({"NumericEquals": {"ec2-instance-connect:remotePort": "22"}}),
        ),
        (
            "DeployRole",
            "StartSession",
            json!([
                "arn:aws:ec2:eu-central-1:123456789012:instance/i-00000000000000000",
                "arn:aws:ssm:eu-central-1::document/AWS-StartSSHSession"
            ]),
            json!({"BoolIfExists": {"ssm:SessionDocumentAccessCheck": true}}),
        ),
        (
            "DeployRole",
            "OwnSessions",
            json!(["arn:aws:ssm:eu-central-1:123456789012:session/AWSCodeBuild-*"]),
            Value::Null,
        ),
        (
            "DeployRole",
            "TransferRelease",
            json!(["arn:aws:s3:::transfers/deploy-app/*"]),
            Value::Null,
        ),
        (
            "DeployRole",
            "OtherBuilds",
            json!([format!(
                "arn:aws:codebuild:eu-central-1:123456789012:project/{STACK}-deploy"
            )]),
            Value::Null,
        ),
        (
            "PackagePolicy",
            "Put",
            json!(["SourceBucket.Arn/template.zip"]),
            Value::Null,
        ),
        (
            "PackagePolicy",
            "Look",
            json!(["SourceBucket.Arn"]),
            Value::Null,
        ),
    ]
}

/// The statements of a policy are about what they are for, and about nothing beside.
fn narrow(statements: &[Statement], faults: &mut Faults) {
    for (owner, sid, resources, condition) in about() {
        let mut found = statements.iter();
        let Some(one) = found.find(|one| one.owner == owner && one.sid == sid) else {
            continue;
        };
        faults.equal(
            format!("what {sid} is about"),
            &json!(one.resources),
            resources,
        );
        faults.equal(format!("condition of {sid}"), &one.condition, condition);
    }
    for one in statements {
        let Statement { owner, sid, .. } = one;
        for resource in &one.resources {
            faults.unless(
                !resource.ends_with(":instance/*"),
                format!("{owner}, {sid} is about any instance"),
            );
        }
        // Tags are given to what is created, in the call that creates it; later only the named ones, and only
        // to what is the application's.
        let tags = one.actions.iter().any(|action| action == "ec2:CreateTags");
        let at_creation = one.condition["StringEquals"]["ec2:CreateAction"].is_string();
        let proof = one.condition["ForAllValues:StringEquals"]["aws:TagKeys"].is_array()
            && !one.condition["StringEquals"]["aws:ResourceTag/make-ami:app"].is_null();
        faults.unless(
            !tags || at_creation || proof,
            format!("{owner}, {sid} tags anything"),
        );
    }
}

/// The build may open the tunnels of its transport, and no other; a bucket helps a session alone.
fn transports(folder: &Path, faults: &mut Faults) -> Result<(), String> {
    faults.at("pipeline.yml, DeployRole");
    let pipeline = Stack::load(folder, "pipeline.yml")?.configured(folder, "pipeline-prod.json")?;
    let all: [(&str, &str, &[&str]); 6] = [
        ("direct", "", &[]),
        ("direct", "transfers", &[]),
        ("eic", "transfers", &["deploy-app-eic"]),
        ("ssm", "", &["deploy-app-ssm"]),
        (
            "ssm",
            "transfers",
            &["deploy-app-ssm", "deploy-app-transfer"],
        ),
        ("auto", "", &["deploy-app-eic", "deploy-app-ssm"]),
    ];
    for (transport, bucket, expected) in all {
        let stack = pipeline.with(&[("Transport", transport), ("TransferBucketName", bucket)]);
        let statements = statements::allowing(&stack)?;
        let granted: BTreeSet<&str> = statements
            .iter()
            .filter(|one| one.owner == "DeployRole" && one.policy.starts_with("deploy-app-"))
            .map(|one| one.policy.as_str())
            .collect();
        faults.equal(
            format!("policies for transport {transport}, bucket `{bucket}`"),
            &json!(granted),
            json!(expected),
        );
    }
    Ok(())
}

pub(super) fn look(folder: &Path, faults: &mut Faults) -> Result<(), String> {
    for (file, owner, policy, program) in POLICIES {
        faults.at(format!("{file}, {owner}"));
        let mut stack = Stack::load(folder, file)?;
        if file == "pipeline.yml" {
            stack = stack.configured(folder, "pipeline-prod.json")?.with(&[
                ("Transport", "auto"),
                ("TransferBucketName", "transfers"),
                ("AmiScan", "gate"),
            ]);
        }
        let statements: Vec<Statement> = statements::allowing(&stack)?
            .into_iter()
            .filter(|one| one.owner == owner && is_of(&one.policy, policy))
            .collect();
        narrow(&statements, faults);
        let granted: BTreeSet<String> =
            statements.into_iter().flat_map(|one| one.actions).collect();
        let documented: BTreeSet<&str> = program.permissions.iter().map(|one| one.action).collect();
        let name = program.name;
        let spared: BTreeSet<&str> = NOT_NEEDED
            .iter()
            .filter(|(of, _, _)| *of == name)
            .flat_map(|(_, actions, _)| actions.iter().copied())
            .collect();
        for action in &granted {
            let action = action.as_str();
            faults.unless(
                documented.contains(action),
                format!("grants {action}, which {name} does not document"),
            );
            faults.unless(
                !spared.contains(action),
                format!("grants {action}, which {name} does not need here"),
            );
        }
        for action in &documented {
            faults.unless(
                granted.contains(*action) || spared.contains(action),
                format!("does not grant {action}, which {name} needs: grant it, or add it to NOT_NEEDED with the reason"),
            );
        }
    }
    transports(folder, faults)?;
    worker(folder, faults)
}

/// What IAM takes for a managed policy, without white space.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const MANAGED_LIMIT: usize = 6_144;

/// A worker that makes the pipeline's images may do what the build may that makes them, and no more.
fn worker(folder: &Path, faults: &mut Faults) -> Result<(), String> {
    faults.at("custom-actions.yml, WorkerPolicy");
    let pipeline = Stack::load(folder, "pipeline.yml")?
        .configured(folder, "pipeline-prod.json")?
        .with(&[("AmiScan", "gate")]);
    let given = configuration(folder, "pipeline-prod.json")?;
    let value = |name: &str| given.get(name).map_or("", String::as_str);
    let actions = Stack::load(folder, "custom-actions.yml")?.with(&[
        ("InstanceId", value("InstanceId")),
        ("Application", value("AppStackName")),
        ("AmiScan", "gate"),
    ]);
    let of =
        |all: Vec<Statement>, wanted: &dyn Fn(&Statement) -> bool| -> BTreeMap<String, Value> {
            all.into_iter()
                .filter(|one| wanted(one))
                .map(|one| (one.sid, json!([one.actions, one.resources, one.condition])))
                .collect()
        };
    // A worker has no build whose time limit it could ask for.
    let build = of(statements::allowing(&pipeline)?, &|one| {
        one.owner == "AmiRole" && is_of(&one.policy, "make-ami") && one.sid != "OwnTimeLimit"
    });
    let jobs = ["PollForJobs", "WorkOnJobs"];
    let worker = of(statements::allowing(&actions)?, &|one| {
        one.owner == "WorkerPolicy" && !jobs.contains(&one.sid.as_str())
    });
    let sids: BTreeSet<&String> = build.keys().chain(worker.keys()).collect();
    for sid in sids {
        let there = |all: &BTreeMap<String, Value>| all.get(sid).cloned().unwrap_or_default();
        faults.equal(
            format!("{sid}, as AmiRole has it"),
            &there(&worker),
            there(&build),
        );
    }
    let policy = actions.properties("WorkerPolicy")?;
    let size = policy["PolicyDocument"].to_string().len();
    faults.unless(
        size <= MANAGED_LIMIT,
        format!("it has {size} characters, and IAM takes {MANAGED_LIMIT}"),
    );
    Ok(())
}

/// Whether a policy is the program's, or one that a switch adds: `make-ami`, `make-ami-retention`.
fn is_of(policy: &str, program: &str) -> bool {
    let rest = policy.strip_prefix(program);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}
