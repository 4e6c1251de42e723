//! `pipeline.yml`: one template, three environments, optional stages.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use contract::checks;
use contract::pipeline::{Action, Pipeline};
use serde_json::{Value, json};

use super::ENVIRONMENTS;
use crate::faults::Faults;
use crate::stack::{Stack, TOPIC};
use crate::statements;

pub(super) fn look(folder: &Path, faults: &mut Faults) -> Result<(), String> {
    let template = Stack::load(folder, "pipeline.yml")?;
    for environment in ENVIRONMENTS {
        faults.at(format!("pipeline.yml ({environment})"));
        let stack = template.configured(folder, &format!("pipeline-{environment}.json"))?;
        stages(environment, &stack.pipeline()?, faults);
        projects(folder, &stack, faults)?;
    }
    faults.at("pipeline.yml");
    let stack = template.configured(folder, "pipeline-dev.json")?;
    optional_stages(&stack, faults)?;
    source(&stack, faults)?;
    build_network(&stack, faults)?;
    retention(&stack, faults)?;
    scan(&stack, faults)?;
    ami_actions(folder, &stack, faults)?;
    warm_start(folder, &stack, faults)?;
    approval(&stack, faults)?;
    deadlines(&stack, faults)
}

fn names(pipeline: &Pipeline) -> Vec<&str> {
    pipeline
        .stages
        .iter()
        .map(|stage| stage.name.as_str())
        .collect()
}

fn action<'a>(pipeline: &'a Pipeline, stage: &str, name: &str) -> Result<&'a Action, String> {
    let stages = pipeline.stages.iter().filter(|one| one.name == stage);
    let mut actions = stages.flat_map(|one| &one.actions);
    actions
        .find(|one| one.name == name)
        .ok_or_else(|| format!("there is no action {stage}/{name}"))
}

/// What each environment runs, in order.
fn stages(environment: &str, pipeline: &Pipeline, faults: &mut Faults) {
    let expected: &[&str] = match environment {
        "dev" => &["Source", "Build", "AMI", "Deploy"],
        "staging" => &["Source", "Validate", "Build", "AMI", "Deploy"],
        _ => &["Source", "Validate", "Scan", "Build", "AMI", "Deploy"],
    };
    faults.equal("stages", &json!(names(pipeline)), json!(expected));
    for finding in checks::pipeline::check(pipeline, &BTreeMap::new()) {
        faults.unless(false, finding);
    }
    let namespace = |stage: &str| {
        let action = action(pipeline, stage, stage).ok();
        let namespace = action.and_then(|one| one.namespace.as_ref());
        json!(namespace.map(|text| text.text.as_str()))
    };
    faults.equal("namespace of AMI", &namespace("AMI"), "AMIcreation");
    faults.equal("namespace of Deploy", &namespace("Deploy"), "App");
    let modes: Vec<_> = pipeline
        .stages
        .iter()
        .filter(|stage| stage.name == "Deploy")
        .flat_map(|stage| stage.groups().into_iter().flatten())
        .map(|one| {
            one.setting("ActionMode")
                .unwrap_or(&one.provider)
                .to_owned()
        })
        .collect();
    let expected: &[&str] = match environment {
        "prod" => &["CHANGE_SET_REPLACE", "Manual", "CHANGE_SET_EXECUTE"],
        _ => &["CREATE_UPDATE"],
    };
    faults.equal("how it is deployed", &json!(modes), json!(expected));
    for action in pipeline.stages.iter().flat_map(|stage| &stage.actions) {
        let Some(path) = action.setting("TemplatePath") else {
            continue;
        };
        let name = &action.name;
        faults.equal(
            format!("template of {name}"),
            &path.into(),
            "SourceOutput::app.yml",
        );
        let setting = |key: &str| json!(action.setting(key));
        faults.equal(
            format!("configuration of {name}"),
            &setting("TemplateConfiguration"),
            "SourceOutput::config.json",
        );
        // Everything else comes from the environment's configuration file.
        faults.equal(
            format!("overrides of {name}"),
            &setting("ParameterOverrides"),
            r##"{"AMIId":"#{AMIcreation.AMI_ID}"}"##,
        );
    }
}

fn optional_stages(stack: &Stack, faults: &mut Faults) -> Result<(), String> {
    for (values, expected) in [
        (
            &[("Validation", "no"), ("ImageScan", "no")],
            &["Source", "Build", "AMI", "Deploy"][..],
        ),
        (
            &[("Validation", "yes"), ("ImageScan", "no")],
            &["Source", "Validate", "Build", "AMI", "Deploy"],
        ),
        (
            &[("Validation", "no"), ("ImageScan", "yes")],
            &["Source", "Scan", "Build", "AMI", "Deploy"],
        ),
    ] {
        let stack = stack.with(values);
        let pipeline = stack.pipeline()?;
        faults.equal(
            format!("stages with {values:?}"),
            &json!(names(&pipeline)),
            json!(expected),
        );
        for (stage, project) in [("Validate", "ValidateProject"), ("Scan", "ScanProject")] {
            let runs = names(&pipeline).contains(&stage);
            let role = project.replace("Project", "Role");
            for id in [project, role.as_str()] {
                let there = stack.exists(id)?;
                faults.unless(
                    there == runs,
                    format!("{id} exists: {there}, with {values:?}"),
                );
            }
        }
    }
    Ok(())
}

/// Each build has a project, a role and a log of its own, and a buildspec that exists.
fn projects(folder: &Path, stack: &Stack, faults: &mut Faults) -> Result<(), String> {
    let pipeline = stack.pipeline()?;
    let mut seen = Vec::new();
    for action in pipeline.stages.iter().flat_map(|stage| &stage.actions) {
        let Some(id) = action.setting("ProjectName") else {
            continue;
        };
        let project = stack.properties(id)?;
        let spec = project["Source"]["BuildSpec"].as_str().unwrap_or_default();
        faults.unless(
            folder.join(spec).is_file(),
            format!("{id}: there is no {spec}"),
        );
        let log = &project["LogsConfig"]["CloudWatchLogs"]["GroupName"];
        for owned in [&project["ServiceRole"], log, &json!(spec)] {
            faults.unless(!seen.contains(owned), format!("{id} shares {owned}"));
            seen.push(owned.clone());
        }
        let variables = project["Environment"]["EnvironmentVariables"]
            .as_array()
            .cloned();
        let given: Vec<String> = variables
            .unwrap_or_default()
            .iter()
            .map(|one| one["Name"].as_str().unwrap_or_default().to_owned())
            .collect();
        for name in ["ACTIONS_RELEASE", "ACTIONS_DIGESTS"] {
            faults.unless(
                given.iter().any(|one| one == name),
                format!("{id} does not get {name}"),
            );
        }
    }
    Ok(())
}

/// The rule watches what the source action reads, and nothing polls.
fn source(stack: &Stack, faults: &mut Faults) -> Result<(), String> {
    let pipeline = stack.pipeline()?;
    let source = action(&pipeline, "Source", "Source")?;
    let setting = |key: &str| json!(source.setting(key));
    faults.equal("polling", &setting("PollForSourceChanges"), "false");
    let rule = stack.properties("SourceRule")?;
    let detail = &rule["EventPattern"]["detail"];
    faults.equal(
        "watched bucket",
        &detail["bucket"]["name"],
        json!([setting("S3Bucket")]),
    );
    faults.equal(
        "watched key",
        &detail["object"]["key"],
        json!([setting("S3ObjectKey")]),
    );
    faults.equal(
        "what the rule starts",
        &rule["Targets"][0]["Arn"],
        "arn:aws:codepipeline:eu-central-1:123456789012:Pipeline",
    );
    faults.equal(
        "what the rule starts with",
        &rule["Targets"][0]["RoleArn"],
        "SourceRuleRole.Arn",
    );
    Ok(())
}

fn build_network(stack: &Stack, faults: &mut Faults) -> Result<(), String> {
    let (vpc, subnet, group) = ("vpc-00000001", "subnet-00000003", "sg-00000005");
    let inside = stack.with(&[
        ("BuildVpcId", vpc),
        ("BuildSubnetId1", subnet),
        ("BuildSubnetId2", ""),
        ("BuildSecurityGroupId", group),
    ]);
    let expected = json!({"VpcId": vpc, "Subnets": [subnet], "SecurityGroupIds": [group]});
    let project = inside.properties("DeployProject")?;
    faults.equal("network of the build", &project["VpcConfig"], expected);
    let outside = stack.with(&[("BuildVpcId", "")]);
    let project = outside.properties("DeployProject")?;
    faults.equal("network without a VPC", &project["VpcConfig"], Value::Null);
    Ok(())
}

fn retention(stack: &Stack, faults: &mut Faults) -> Result<(), String> {
    for (keep, expected) in [("0", None), ("4", Some("4"))] {
        let project = stack
            .with(&[("KeepImages", keep)])
            .properties("AmiProject")?;
        let variables = project["Environment"]["EnvironmentVariables"]
            .as_array()
            .cloned();
        let variables = variables.unwrap_or_default();
        let found = variables.iter().find(|one| one["Name"] == "MAKE_AMI_KEEP");
        let found = found.map_or(Value::Null, |one| one["Value"].clone());
        faults.equal(format!("MAKE_AMI_KEEP for {keep}"), &found, expected);
        let role = stack.with(&[("KeepImages", keep)]).properties("AmiRole")?;
        let policies = role["Policies"].as_array().cloned().unwrap_or_default();
        let retires = policies
            .iter()
            .any(|one| one["PolicyName"] == "make-ami-retention");
        faults.unless(
            retires == expected.is_some(),
            format!("the role retires images: {retires}, for {keep}"),
        );
    }
    Ok(())
}

/// The image is scanned where the parameter says so, and the role may have that done then alone.
fn scan(stack: &Stack, faults: &mut Faults) -> Result<(), String> {
    for (mode, expected) in [
        ("off", None),
        ("report", Some("report")),
        ("gate", Some("gate")),
    ] {
        let stack = stack.with(&[("AmiScan", mode)]);
        let settings = settings_of_the_build(&stack)?;
        let found = settings.get("MAKE_AMI_SCAN").map(String::as_str);
        faults.equal(
            format!("MAKE_AMI_SCAN for {mode}"),
            &json!(found),
            json!(expected),
        );
        let role = stack.properties("AmiRole")?;
        let policies = role["Policies"].as_array().cloned().unwrap_or_default();
        let scans = policies
            .iter()
            .any(|one| one["PolicyName"] == "make-ami-scan");
        faults.unless(
            scans == expected.is_some(),
            format!("the role has images scanned: {scans}, for {mode}"),
        );
    }
    Ok(())
}

/// The build and the worker make the same image: with the same settings, under the same namespace. What only the build
/// needs exists with the build alone.
fn ami_actions(folder: &Path, stack: &Stack, faults: &mut Faults) -> Result<(), String> {
    for (keep, scan) in [("0", "off"), ("4", "gate")] {
        let with = |value| {
            let values = [
                ("KeepImages", keep),
                ("AmiScan", scan),
                ("AmiAction", value),
            ];
            stack.with(&values)
        };
        let (build, worker) = (with("codebuild"), with("worker"));
        let mut expected = settings_of_the_build(&build)?;
        // A worker runs in no build.
        if let Some(name) = expected.get_mut("AMI_NAME") {
            *name = name.replace("-{build}", "");
        }
        let found = settings_of_the_worker(&worker)?;
        faults.equal(
            format!("settings of the worker that keeps {keep}"),
            &json!(found),
            json!(expected),
        );
    }
    for (value, owner, provider) in [
        ("codebuild", "AWS", "CodeBuild"),
        ("worker", "Custom", "MakeAmi"),
    ] {
        let stack = stack.with(&[("AmiAction", value)]);
        let pipeline = stack.pipeline()?;
        let ami = action(&pipeline, "AMI", "AMI")?;
        let namespace = ami.namespace.as_ref().map(|one| one.text.as_str());
        faults.equal(
            format!("action with {value}"),
            &json!([
                ami.category,
                ami.owner,
                ami.provider,
                ami.version,
                namespace
            ]),
            json!(["Build", owner, provider, "1", "AMIcreation"]),
        );
        let builds = value == "codebuild";
        for id in ["AmiProject", "AmiRole", "AmiLogs"] {
            let there = stack.exists(id)?;
            faults.unless(
                there == builds,
                format!("{id} exists: {there}, with {value}"),
            );
        }
        let statements = statements::allowing(&stack)?;
        let runs = statements
            .iter()
            .filter(|one| one.sid == "RunBuilds")
            .flat_map(|one| &one.resources)
            .any(|resource| resource.ends_with("-ami"));
        faults.unless(
            runs == builds,
            format!("CodePipeline may run the build: {runs}, with {value}"),
        );
    }
    registered(folder, stack, faults)
}

/// What the build of a warm start may do.
const WARM_ACTIONS: [&str; 8] = [
    "codebuild:BatchGetBuilds",
    "ec2:CreateSnapshots",
    "ec2:CreateTags",
    "ec2:DeleteSnapshot",
    "ec2:DescribeImages",
    "ec2:DescribeInstances",
    "ec2:DescribeSnapshots",
    "ec2:DescribeVolumes",
];

/// The warm start runs beside the deployment and is one run with the image: with the same key, whoever makes the image.
fn warm_start(folder: &Path, stack: &Stack, faults: &mut Faults) -> Result<(), String> {
    let without = stack.with(&[("WarmSnapshot", "no")]);
    for id in ["WarmProject", "WarmRole", "WarmLogs"] {
        faults.unless(
            !without.exists(id)?,
            format!("{id} exists without a warm start"),
        );
    }
    for value in ["codebuild", "worker"] {
        let stack = stack.with(&[("WarmSnapshot", "yes"), ("AmiAction", value)]);
        projects(folder, &stack, faults)?;
        let pipeline = stack.pipeline()?;
        let (build, warm) = (
            action(&pipeline, "Build", "Build")?,
            action(&pipeline, "Build", "Warm")?,
        );
        faults.equal(
            "when the warm start runs",
            &json!(warm.run_order),
            json!(build.run_order),
        );
        let image = match value {
            "worker" => settings_of_the_worker(&stack)?,
            _ => settings_of_the_build(&stack)?,
        };
        let found = settings_of(&stack, "Build", "Warm", "WarmProject")?;
        for name in [
            "INSTANCE_ID",
            "AMI_NAME",
            "MAKE_AMI_APP",
            "MAKE_AMI_TAG",
            "MAKE_AMI_RUN",
        ] {
            faults.equal(
                format!("{name} of the warm start, with {value}"),
                &json!(found.get(name)),
                json!(image.get(name)),
            );
        }
        let statements = statements::allowing(&stack)?;
        let own = statements
            .iter()
            .filter(|one| one.owner == "WarmRole" && one.policy == "warm");
        let granted: BTreeSet<&String> = own.clone().flat_map(|one| &one.actions).collect();
        faults.equal(
            "what the warm start may do",
            &json!(granted),
            json!(WARM_ACTIONS),
        );
        let instances = own
            .filter(|one| one.sid == "SnapshotInstance")
            .flat_map(|one| &one.resources);
        let instances: Vec<&String> = instances.filter(|one| one.contains(":instance/")).collect();
        faults.equal(
            "whose volumes the warm start may snapshot",
            &json!(instances),
            json!(["arn:aws:ec2:eu-central-1:123456789012:instance/i-00000000000000000"]),
        );
    }
    Ok(())
}

/// CodePipeline refuses what the action type does not declare.
fn registered(folder: &Path, stack: &Stack, faults: &mut Faults) -> Result<(), String> {
    let actions = Stack::load(folder, "custom-actions.yml")?.with(&[
        ("InstanceId", "i-0123456789abcdef0"),
        ("Application", "app"),
    ]);
    let kind = actions.properties("MakeAmiAction")?;
    let pipeline = stack.with(&[("AmiAction", "worker")]).pipeline()?;
    let ami = action(&pipeline, "AMI", "AMI")?;
    faults.equal(
        "registered type of the worker's action",
        &json!([kind["Category"], kind["Provider"], kind["Version"]]),
        json!([ami.category, ami.provider, ami.version]),
    );
    let declared = kind["ConfigurationProperties"].as_array().cloned();
    let declared = declared.unwrap_or_default();
    for (name, _) in &ami.configuration {
        faults.unless(
            declared.iter().any(|one| one["Name"] == name.as_str()),
            format!("the action type MakeAmi declares no {name}"),
        );
    }
    Ok(())
}

/// What make-ami gets in the build: the project's variables and those of the action.
fn settings_of_the_build(stack: &Stack) -> Result<BTreeMap<String, String>, String> {
    settings_of(stack, "AMI", "AMI", "AmiProject")
}

fn settings_of(
    stack: &Stack,
    stage: &str,
    name: &str,
    project: &str,
) -> Result<BTreeMap<String, String>, String> {
    let pipeline = stack.pipeline()?;
    let of_the_action = action(&pipeline, stage, name)?.setting("EnvironmentVariables");
    let of_the_action: Value = serde_json::from_str(of_the_action.unwrap_or("[]"))
        .map_err(|error| format!("EnvironmentVariables: {error}"))?;
    let project = stack.properties(project)?;
    let of_the_project = &project["Environment"]["EnvironmentVariables"];
    let all = [
        (of_the_project, "Name", "Value"),
        (&of_the_action, "name", "value"),
    ];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(all
        .into_iter()
        .flat_map(|(list, name, value)| {
            let variables = list.as_array().into_iter().flatten();
            variables.map(move |one| (text(&one[name]), text(&one[value])))
        })
        // Where the build fetches the program.
        .filter(|(name, _)| !name.starts_with("ACTIONS_"))
        .collect())
}

/// What make-ami gets from the worker: the properties of the action, and those inside `Settings`.
fn settings_of_the_worker(stack: &Stack) -> Result<BTreeMap<String, String>, String> {
    let pipeline = stack.pipeline()?;
    let action = action(&pipeline, "AMI", "AMI")?;
    let mut all: BTreeMap<String, String> = action
        .configuration
        .iter()
        .map(|(name, value)| (name.clone(), value.text.clone()))
        .collect();
    let further = all.remove("Settings").unwrap_or_else(|| "{}".to_owned());
    let further: BTreeMap<String, String> =
        serde_json::from_str(&further).map_err(|error| format!("Settings: {error}"))?;
    all.extend(further);
    Ok(all)
}

/// make-ami gives up before CodeBuild ends the build, and says how to go on.
fn deadlines(stack: &Stack, faults: &mut Faults) -> Result<(), String> {
    for hours in ["8", "24", "36"] {
        let project = stack
            .with(&[("ImageHours", hours)])
            .properties("AmiProject")?;
        let minutes = project["TimeoutInMinutes"].as_str().unwrap_or_default();
        let minutes = minutes.parse::<u64>().unwrap_or_default();
        faults.equal(
            format!("minutes of a build of {hours} hours"),
            &json!(minutes / 60),
            json!(hours.parse::<u64>().unwrap_or_default()),
        );
        // <https://docs.aws.amazon.com/codebuild/latest/userguide/limits.html>
        faults.unless(
            (5..=2160).contains(&minutes),
            format!("a build of {minutes} minutes is refused"),
        );
        let limit = Duration::from_secs(60 * minutes);
        let variables = project["Environment"]["EnvironmentVariables"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let own = variables
            .iter()
            .find(|one| one["Name"] == "MAKE_AMI_TIMEOUT");
        let own = own
            .and_then(|one| one["Value"].as_str())
            .unwrap_or_default();
        let own = humantime::parse_duration(own).unwrap_or(Duration::MAX);
        faults.unless(
            own < limit,
            format!("make-ami waits {own:?}, not less than its build's {limit:?}"),
        );
        faults.unless(
            own.saturating_add(Duration::from_secs(3600)) >= limit,
            format!("make-ami gives up after {own:?}, long before its build's {limit:?}"),
        );
    }
    Ok(())
}

/// What waits for approval is what is then carried out.
fn approval(stack: &Stack, faults: &mut Faults) -> Result<(), String> {
    let asking = stack.with(&[("DeployMode", "change-set"), ("AlarmTopicArn", TOPIC)]);
    let pipeline = asking.pipeline()?;
    let change = action(&pipeline, "Deploy", "ChangeSet")?;
    let approve = action(&pipeline, "Deploy", "Approve")?;
    let carry_out = action(&pipeline, "Deploy", "Deploy")?;
    for key in ["StackName", "ChangeSetName"] {
        let prepared = json!(change.setting(key));
        faults.equal(
            format!("{key} that is carried out"),
            &json!(carry_out.setting(key)),
            prepared,
        );
    }
    let orders = [change.run_order, approve.run_order, carry_out.run_order];
    faults.unless(
        orders.is_sorted_by(|a, b| a < b),
        format!("run orders {orders:?}"),
    );
    faults.equal(
        "who is asked",
        &json!(approve.setting("NotificationArn")),
        TOPIC,
    );
    let silent = asking.with(&[("AlarmTopicArn", "")]).pipeline()?;
    let approve = action(&silent, "Deploy", "Approve")?;
    faults.equal(
        "who is asked without a topic",
        &json!(approve.setting("NotificationArn")),
        Value::Null,
    );
    Ok(())
}
