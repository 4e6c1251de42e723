//! `app.yml`: what moto ignores of it (update policies, signals, Spot, conditions), and what its
//! switches do. `app-ecs.yml` keeps the same contract with the load balancer's clients.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::faults::Faults;
use crate::stack::{CERTIFICATE, STACK, Stack, TOPIC};
use crate::statements;

/// CloudFormation waits this long for a signal.
const SIGNAL_LIMIT: &str = "PT30M";
const SIGNAL_LIMIT_SECONDS: u64 = 30 * 60;

pub(super) fn look(folder: &Path, faults: &mut Faults) -> Result<(), String> {
    let app = Stack::load(folder, "app.yml")?;
    let dev = app.configured(folder, "dev.json")?;
    let prod = app.configured(folder, "prod.json")?;
    faults.at("app.yml");
    image(&app, faults);
    sizes(&dev, faults)?;
    update(&dev, faults)?;
    refresh(&dev, faults)?;
    signal(&dev, faults)?;
    spot(&dev, &prod, faults)?;
    security_groups(&dev, faults)?;
    place(&dev, faults)?;
    scaling(&dev, faults)?;
    alarms("app.yml", &dev, faults)?;
    let protected = |stack: &Stack| attribute(stack, "deletion_protection.enabled");
    faults.equal("deletion protection in dev", &protected(&dev)?, "false");
    faults.equal("deletion protection in prod", &protected(&prod)?, "true");
    tls("app.yml", &app, faults)?;
    let ecs = Stack::load(folder, "app-ecs.yml")?;
    tls("app-ecs.yml", &ecs, faults)?;
    alarms("app-ecs.yml", &ecs, faults)?;
    containers(&ecs, faults)
}

fn image(app: &Stack, faults: &mut Faults) {
    let defaults = |name: &str| {
        app.template()
            .parameter(name)
            .and_then(|one| one.default.clone())
    };
    for (name, expected) in [
        ("InstanceType", Some("g4dn.xlarge")),
        ("PlainHttp", Some("no")),
        ("Spot", Some("no")),
        ("UpdateStrategy", Some("rolling")),
        ("AMIId", None),
    ] {
        let found = defaults(name);
        faults.unless(
            found.as_deref() == expected,
            format!("the default of {name} is {found:?}, not {expected:?}"),
        );
    }
}

fn sizes(dev: &Stack, faults: &mut Faults) -> Result<(), String> {
    let group = dev.properties("AutoScalingGroup")?;
    for (name, expected) in [("MinSize", "1"), ("MaxSize", "2"), ("DesiredCapacity", "1")] {
        faults.equal(name, &group[name], expected);
    }
    faults.equal("health check", &group["HealthCheckType"], "ELB");
    faults.equal("targets", &group["TargetGroupARNs"], json!(["TargetGroup"]));
    faults.equal(
        "grace period (the time a signal may take)",
        &group["HealthCheckGracePeriod"],
        SIGNAL_LIMIT_SECONDS.to_string(),
    );
    let waits_for = dev.template().resource("AutoScalingGroup");
    let waits_for = waits_for.and_then(|one| one.node.get("DependsOn"));
    faults.equal(
        "what the group waits for",
        &waits_for.map_or(Value::Null, contract::yaml::Node::to_json),
        "Listener",
    );
    Ok(())
}

fn update(dev: &Stack, faults: &mut Faults) -> Result<(), String> {
    let creation = dev.attribute("AutoScalingGroup", "CreationPolicy")?;
    let expected = json!({"ResourceSignal": {"Count": "1", "Timeout": SIGNAL_LIMIT}});
    faults.equal("creation policy", &creation, expected);
    let policy = |strategy: &str| {
        dev.with(&[("UpdateStrategy", strategy), ("AlarmTopicArn", TOPIC)])
            .attribute("AutoScalingGroup", "UpdatePolicy")
    };
    let rolling = json!({"AutoScalingRollingUpdate": {
        "MinInstancesInService": "1",
        "MaxBatchSize": "1",
        "WaitOnResourceSignals": true,
        "PauseTime": SIGNAL_LIMIT,
        "SuspendProcesses": ["HealthCheck", "ReplaceUnhealthy", "AZRebalance", "AlarmNotification", "ScheduledActions"],
    }});
    faults.equal("update policy (rolling)", &policy("rolling")?, rolling);
    let replacing = json!({"AutoScalingReplacingUpdate": {"WillReplace": true}});
    faults.equal(
        "update policy (replacing)",
        &policy("replacing")?,
        replacing,
    );
    for (strategy, aws, least, most) in [
        ("refresh", "Rolling", "100", "200"),
        ("in-place", "ReplaceRootVolume", "0", "100"),
    ] {
        let expected = json!({"AutoScalingInstanceRefresh": {
            "Strategy": aws,
            "Preferences": {
                "MinHealthyPercentage": least,
                "MaxHealthyPercentage": most,
                "CheckpointPercentages": ["50", "100"],
                "CheckpointDelay": "600",
                "BakeTime": "300",
                "InstanceWarmup": "60",
                "AlarmSpecification": {"Alarms": ["ApplicationErrors"]},
            },
        }});
        let name = format!("update policy ({strategy})");
        faults.equal(&name, &policy(strategy)?, expected);
    }
    Ok(())
}

/// A refresh waits for a lifecycle hook, which the instance completes itself; replacing root volumes wants a mixed
/// instances policy whose every override names the image, and no request for Spot in the launch template.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/replace-root-volume.html>
fn refresh(dev: &Stack, faults: &mut Faults) -> Result<(), String> {
    for strategy in ["rolling", "replacing", "refresh", "in-place"] {
        let refreshed = ["refresh", "in-place"].contains(&strategy);
        let stack = dev.with(&[("UpdateStrategy", strategy), ("Spot", "yes")]);
        let group = stack.properties("AutoScalingGroup")?;
        let hook = json!([{
            "LifecycleHookName": "application-answers",
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
            "HeartbeatTimeout": SIGNAL_LIMIT_SECONDS.to_string(),
            "DefaultResult": "ABANDON",
        }]);
        let expected = if refreshed { hook } else { Value::Null };
        let name = format!("lifecycle hooks ({strategy})");
        faults.equal(&name, &group["LifecycleHookSpecificationList"], expected);
        let launch = stack.properties("LaunchTemplate")?;
        let data = &launch["LaunchTemplateData"];
        let script = data["UserData"].as_str().unwrap_or_default();
        faults.unless(
            script.contains("--lifecycle-hook application-answers") == refreshed,
            format!(
                "the script completes a hook that is not there, or not the one that is ({strategy})"
            ),
        );
        let granted = statements::allowing(&stack)?;
        let may_complete = granted
            .iter()
            .flat_map(|one| &one.actions)
            .any(|action| action == "autoscaling:CompleteLifecycleAction");
        faults.unless(
            may_complete == refreshed,
            format!("the instance may complete a hook exactly where there is one ({strategy})"),
        );
        let in_place = strategy == "in-place";
        let version = |place: &Value| place["Version"].clone();
        let (plain, mixed) = (&group["LaunchTemplate"], &group["MixedInstancesPolicy"]);
        let (used, unused) = if in_place {
            (
                &mixed["LaunchTemplate"]["LaunchTemplateSpecification"],
                plain,
            )
        } else {
            (plain, mixed)
        };
        faults.unless(
            version(used) == "LaunchTemplate.LatestVersionNumber" && unused.is_null(),
            format!(
                "the group follows the launch template in another way ({strategy}): {used} {unused}"
            ),
        );
        faults.unless(
            data["InstanceMarketOptions"].is_null() == in_place,
            format!("the launch template asks for Spot beside a mixed instances policy, or nobody does ({strategy})"),
        );
        if in_place {
            let overrides = json!([{"InstanceType": "g4dn.xlarge", "ImageId": data["ImageId"]}]);
            faults.equal(
                "overrides",
                &mixed["LaunchTemplate"]["Overrides"],
                overrides,
            );
            let distribution = json!({"OnDemandPercentageAboveBaseCapacity": "0", "SpotAllocationStrategy": "price-capacity-optimized"});
            faults.equal(
                "Spot, in place",
                &mixed["InstancesDistribution"],
                distribution,
            );
        }
    }
    Ok(())
}

/// The signal means that what the load balancer asks for answers on the instance, and it gives up
/// before CloudFormation does.
fn signal(dev: &Stack, faults: &mut Faults) -> Result<(), String> {
    let launch = dev.properties("LaunchTemplate")?;
    let script = launch["LaunchTemplateData"]["UserData"].as_str();
    let script = script.unwrap_or_default();
    let words: Vec<String> = script
        .split_whitespace()
        .map(|word| word.trim_matches('\'').to_owned())
        .collect();
    let after = |flag: &str| {
        let at = words.iter().position(|word| word == flag);
        at.and_then(|at| words.get(at + 1))
            .cloned()
            .unwrap_or_default()
    };
    faults.unless(
        script.starts_with("#!/bin/sh\n"),
        "user data is not a script for sh",
    );
    faults.unless(
        words
            .iter()
            .any(|word| word == "/usr/local/bin/signal-health"),
        "user data does not start signal-health",
    );
    let target = dev.properties("TargetGroup")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let url = format!(
        "http://127.0.0.1:{}{}",
        text(&target["Port"]),
        text(&target["HealthCheckPath"])
    );
    for (flag, expected) in [
        ("--url", url.as_str()),
        ("--stack", STACK),
        ("--resource", "AutoScalingGroup"),
    ] {
        let found = after(flag);
        faults.unless(
            found == expected,
            format!("signal-health gets {flag} {found:?}, not {expected:?}"),
        );
    }
    let patience = humantime::parse_duration(&after("--timeout")).unwrap_or(Duration::MAX);
    faults.unless(
        patience < Duration::from_secs(SIGNAL_LIMIT_SECONDS),
        format!("signal-health waits {patience:?}, not less than {SIGNAL_LIMIT}"),
    );
    Ok(())
}

fn spot(dev: &Stack, prod: &Stack, faults: &mut Faults) -> Result<(), String> {
    let market = |stack: &Stack| {
        let launch = stack.properties("LaunchTemplate")?;
        Ok::<_, String>(launch["LaunchTemplateData"]["InstanceMarketOptions"]["MarketType"].clone())
    };
    let on = [("Spot", "yes")];
    faults.equal("market of dev", &market(dev)?, Value::Null);
    faults.equal("market of dev with Spot", &market(&dev.with(&on))?, "spot");
    faults.equal(
        "market of prod with Spot",
        &market(&prod.with(&on))?,
        Value::Null,
    );
    Ok(())
}

fn security_groups(dev: &Stack, faults: &mut Faults) -> Result<(), String> {
    let balancer = dev.properties("LoadBalancerSecurityGroup")?;
    let ingress = &balancer["SecurityGroupIngress"];
    faults.unless(
        ingress.as_array().is_some_and(|rules| rules.len() == 1),
        "the load balancer has more than one way in",
    );
    let ports = |rule: &Value| json!([rule["IpProtocol"], rule["FromPort"], rule["ToPort"]]);
    faults.equal(
        "way in",
        &ports(&ingress[0]),
        json!(["tcp", "8001", "8001"]),
    );
    let egress = &balancer["SecurityGroupEgress"];
    faults.equal("way on", &ports(&egress[0]), json!(["tcp", "8001", "8001"]));
    faults.equal(
        "where the load balancer may go",
        &egress[0]["DestinationSecurityGroupId"],
        "InstanceSecurityGroup.GroupId",
    );
    let instance = dev.properties("InstanceSecurityGroup")?;
    faults.equal(
        "ways in beside the load balancer",
        &instance["SecurityGroupIngress"],
        Value::Null,
    );
    let only = dev.properties("InstanceIngress")?;
    faults.equal(
        "way to the instances",
        &ports(&only),
        json!(["tcp", "8001", "8001"]),
    );
    faults.equal(
        "who reaches the instances",
        &only["SourceSecurityGroupId"],
        "LoadBalancerSecurityGroup.GroupId",
    );
    Ok(())
}

fn place(dev: &Stack, faults: &mut Faults) -> Result<(), String> {
    let given = [
        ("SubnetId1", "subnet-00000001"),
        ("SubnetId2", "subnet-00000002"),
        ("PrivateSubnetId1", "subnet-00000003"),
        ("PrivateSubnetId2", "subnet-00000004"),
    ];
    let stack = dev.with(&given);
    let public = json!(["subnet-00000001", "subnet-00000002"]);
    let balancer = stack.properties("LoadBalancer")?;
    faults.equal(
        "subnets of the load balancer",
        &balancer["Subnets"],
        public.clone(),
    );
    let group = stack.properties("AutoScalingGroup")?;
    let private = json!(["subnet-00000003", "subnet-00000004"]);
    faults.equal("subnets of the group", &group["VPCZoneIdentifier"], private);
    let beside = stack.with(&[("PrivateSubnetId1", ""), ("PrivateSubnetId2", "")]);
    let group = beside.properties("AutoScalingGroup")?;
    faults.equal(
        "subnets without private ones",
        &group["VPCZoneIdentifier"],
        public,
    );
    Ok(())
}

fn scaling(dev: &Stack, faults: &mut Faults) -> Result<(), String> {
    let policy = dev.properties("ScalingPolicy")?;
    faults.equal("scaling", &policy["PolicyType"], "TargetTrackingScaling");
    let target = &policy["TargetTrackingConfiguration"]["PredefinedMetricSpecification"];
    let expected = json!({
        "PredefinedMetricType": "ALBRequestCountPerTarget",
        "ResourceLabel": "LoadBalancer.LoadBalancerFullName/TargetGroup.TargetGroupFullName",
    });
    faults.equal("what scaling looks at", target, expected);
    Ok(())
}

/// What each alarm looks at: metric, dimensions, statistic, comparison, threshold.
fn watched() -> Value {
    let balancer = json!({"Name": "LoadBalancer", "Value": "LoadBalancer.LoadBalancerFullName"});
    let target = json!({"Name": "TargetGroup", "Value": "TargetGroup.TargetGroupFullName"});
    let group = json!({"Name": "AutoScalingGroupName", "Value": "AutoScalingGroup"});
    let above = "GreaterThanThreshold";
    json!({
        "ApplicationErrors":
            ["AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", [balancer, target], "Sum", above, "5"],
        "LoadBalancerErrors":
            ["AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", [balancer], "Sum", above, "5"],
        "UnhealthyHosts":
            ["AWS/ApplicationELB", "UnHealthyHostCount", [balancer, target], "Maximum", above, "0"],
        "GroupAtMax":
            ["AWS/AutoScaling", "GroupInServiceInstances", [group], "Minimum", "GreaterThanOrEqualToThreshold", "2"],
    })
}

fn alarms(file: &str, dev: &Stack, faults: &mut Faults) -> Result<(), String> {
    faults.at(file);
    let kind = "AWS::CloudWatch::Alarm";
    let none = json!(dev.ids(kind)?);
    faults.equal("alarms without a topic", &none, json!([]));
    let told = dev.with(&[("AlarmTopicArn", TOPIC)]);
    let expected = [
        "ApplicationErrors",
        "LoadBalancerErrors",
        "UnhealthyHosts",
        "GroupAtMax",
    ];
    faults.equal("alarms", &json!(told.ids(kind)?), json!(expected));
    for id in told.ids(kind)? {
        let alarm = told.properties(&id)?;
        faults.equal(
            format!("who {id} tells"),
            &alarm["AlarmActions"],
            json!([TOPIC]),
        );
        let looks_at = [
            "Namespace",
            "MetricName",
            "Dimensions",
            "Statistic",
            "ComparisonOperator",
            "Threshold",
        ]
        .map(|key| alarm[key].clone());
        faults.equal(
            format!("what {id} looks at"),
            &json!(looks_at),
            watched()[&id].clone(),
        );
    }
    // A new instance is unhealthy until it has booted, which is no alarm.
    let unhealthy = told.properties("UnhealthyHosts")?;
    let number = |value: &Value| value.as_str().and_then(|text| text.parse::<u64>().ok());
    let patience = number(&unhealthy["Period"]).zip(number(&unhealthy["EvaluationPeriods"]));
    let patience = patience.map_or(0, |(seconds, times)| seconds * times);
    faults.unless(
        patience > SIGNAL_LIMIT_SECONDS,
        format!("UnhealthyHosts waits {patience} s, no longer than an instance may boot"),
    );
    let most = told.properties("AutoScalingGroup")?["MaxSize"].clone();
    let at_max = told.properties("GroupAtMax")?;
    faults.equal("threshold of GroupAtMax", &at_max["Threshold"], most);
    let collected = &dev.properties("AutoScalingGroup")?["MetricsCollection"][0]["Metrics"];
    faults.equal(
        "collected for GroupAtMax",
        collected,
        json!([at_max["MetricName"]]),
    );
    Ok(())
}

/// HTTPS unless the switch says otherwise, on 8001 before and behind.
fn tls(file: &str, app: &Stack, faults: &mut Faults) -> Result<(), String> {
    faults.at(file);
    let with = app.with(&[("CertificateArn", CERTIFICATE)]);
    let listener = with.properties("Listener")?;
    faults.equal("protocol", &listener["Protocol"], "HTTPS");
    faults.equal(
        "TLS policy",
        &listener["SslPolicy"],
        "ELBSecurityPolicy-TLS13-1-2-2021-06",
    );
    faults.equal(
        "certificate",
        &listener["Certificates"],
        json!([{"CertificateArn": CERTIFICATE}]),
    );
    faults.equal("port", &listener["Port"], "8001");
    faults.equal(
        "what the listener does",
        &listener["DefaultActions"],
        json!([{"Type": "forward", "TargetGroupArn": "TargetGroup"}]),
    );
    faults.equal("default of PlainHttp", &default_of(app, "PlainHttp"), "no");
    let plain = app.with(&[("CertificateArn", ""), ("PlainHttp", "yes")]);
    let listener = plain.properties("Listener")?;
    faults.equal("protocol without TLS", &listener["Protocol"], "HTTP");
    faults.equal(
        "certificate without TLS",
        &listener["Certificates"],
        Value::Null,
    );
    let balancer = app.properties("LoadBalancer")?;
    faults.equal("scheme", &balancer["Scheme"], "internet-facing");
    let target = app.properties("TargetGroup")?;
    for (name, expected) in [
        ("Port", json!("8001")),
        ("HealthCheckPort", json!("8001")),
        ("HealthCheckPath", json!("/collection")),
        ("Matcher", json!({"HttpCode": "200"})),
    ] {
        faults.equal(
            format!("{name} of the target group"),
            &target[name],
            expected,
        );
    }
    Ok(())
}

fn default_of(stack: &Stack, parameter: &str) -> Value {
    let parameter = stack.template().parameter(parameter);
    parameter.and_then(|one| one.default.clone()).into()
}

fn attribute(stack: &Stack, key: &str) -> Result<Value, String> {
    let balancer = stack.properties("LoadBalancer")?;
    let attributes = balancer["LoadBalancerAttributes"].as_array().cloned();
    let mut found = attributes.unwrap_or_default().into_iter();
    let found = found.find(|one| one["Key"] == key);
    Ok(found.map_or(Value::Null, |one| one["Value"].clone()))
}

/// The container variant: a GPU for the model server, the port and the path of the contract.
fn containers(ecs: &Stack, faults: &mut Faults) -> Result<(), String> {
    let task = ecs.properties("TaskDefinition")?;
    let named = |name: &str| {
        let all = task["ContainerDefinitions"].as_array().cloned();
        let mut all = all.unwrap_or_default().into_iter();
        all.find(|one| one["Name"] == name).unwrap_or_default()
    };
    let gpu = json!([{"Type": "GPU", "Value": "1"}]);
    faults.equal(
        "GPU of ollama",
        &named("ollama")["ResourceRequirements"],
        gpu,
    );
    let ports = json!([{"ContainerPort": "8001", "Protocol": "tcp"}]);
    faults.equal("ports of app", &named("app")["PortMappings"], ports);
    let service = ecs.properties("Service")?;
    let behind =
        json!([{"ContainerName": "app", "ContainerPort": "8001", "TargetGroupArn": "TargetGroup"}]);
    faults.equal(
        "what is behind the load balancer",
        &service["LoadBalancers"],
        behind,
    );
    let provider = json!([{"CapacityProvider": "CapacityProvider", "Weight": "1"}]);
    faults.equal("capacity", &service["CapacityProviderStrategy"], provider);
    // A new image reaches the instances that run.
    let policy = ecs.attribute("AutoScalingGroup", "UpdatePolicy")?;
    let rolling = &policy["AutoScalingRollingUpdate"];
    faults.equal(
        "how instances are replaced",
        &json!([rolling["MinInstancesInService"], rolling["MaxBatchSize"]]),
        json!(["1", "1"]),
    );
    let provider = ecs.properties("CapacityProvider")?;
    faults.equal(
        "draining of what is replaced",
        &provider["AutoScalingGroupProvider"]["ManagedDraining"],
        "ENABLED",
    );
    let rollback = &service["DeploymentConfiguration"]["DeploymentCircuitBreaker"]["Rollback"];
    faults.equal("roll-back of a bad deployment", rollback, true);
    Ok(())
}
