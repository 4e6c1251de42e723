//! The stacks in moto: network, buckets, build instance, application, then a new image; all of it read
//! back. What moto ignores (versioning of buckets, update policies, signals, alarms, the pipeline) is
//! asserted on the resolved templates instead: `stacks::conventions`.

use std::collections::BTreeMap;
use std::fs;

use harness::moto::Moto;
use harness::xml::{all, one};
use serde_json::json;
use stacks::stack::{TOPIC, configuration, repository};

/// Creates or updates a stack and hands over its outputs.
#[track_caller]
fn deploy(
    moto: &Moto,
    action: &str,
    stack: &str,
    file: &str,
    parameters: &[(&str, &str)],
) -> BTreeMap<String, String> {
    let body = fs::read_to_string(repository().join("cfn").join(file)).unwrap();
    let mut form = vec![
        ("StackName".to_owned(), stack.to_owned()),
        ("TemplateBody".to_owned(), body),
        (
            "Capabilities.member.1".to_owned(),
            "CAPABILITY_NAMED_IAM".to_owned(),
        ),
    ];
    for (number, (name, value)) in parameters.iter().enumerate() {
        let prefix = format!("Parameters.member.{}", number + 1);
        form.push((format!("{prefix}.ParameterKey"), (*name).to_owned()));
        form.push((format!("{prefix}.ParameterValue"), (*value).to_owned()));
    }
    let form: Vec<(&str, &str)> = form
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    moto.query("cloudformation", action, &form);
    let stacks = moto.query("cloudformation", "DescribeStacks", &[("StackName", stack)]);
    let expected = match action {
        "CreateStack" => "CREATE_COMPLETE",
        _ => "UPDATE_COMPLETE",
    };
    assert_eq!(one(&stacks, "StackStatus"), expected, "{stacks}");
    let keys = all(&stacks, "OutputKey").into_iter();
    let values = all(&stacks, "OutputValue").into_iter();
    keys.zip(values)
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// The id of a stack's resource.
#[track_caller]
fn physical(moto: &Moto, stack: &str, logical: &str) -> String {
    let query = [("StackName", stack)];
    let resources = moto.query("cloudformation", "DescribeStackResources", &query);
    // What moto does not implement is listed without ids.
    let name = format!("<LogicalResourceId>{logical}</LogicalResourceId>");
    let mut found = all(&resources, "member").into_iter();
    let found = found.find(|resource| resource.contains(&name));
    let found = found.unwrap_or_else(|| panic!("no {logical} in {resources}"));
    one(found, "PhysicalResourceId").to_owned()
}

/// An image of a new instance, as the AMI stage makes one.
fn new_image(moto: &Moto) -> String {
    let count = [
        ("ImageId", "ami-12c6146b"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
    ];
    let instances = moto.query("ec2", "RunInstances", &count);
    let instance = one(&instances, "instanceId");
    let made = moto.query(
        "ec2",
        "CreateImage",
        &[("InstanceId", instance), ("Name", "next")],
    );
    one(&made, "imageId").to_owned()
}

/// The image that a version of the launch template names.
fn image_of(moto: &Moto, template: &str, version: &str) -> String {
    let query = [
        ("LaunchTemplateId", template),
        ("LaunchTemplateVersion.1", version),
    ];
    let versions = moto.query("ec2", "DescribeLaunchTemplateVersions", &query);
    one(&versions, "imageId").to_owned()
}

#[test]
fn network_buckets_application_and_a_new_image() {
    let Some(moto) = Moto::start() else { return };
    let network = deploy(
        &moto,
        "CreateStack",
        "net",
        "network.yml",
        &[("Environment", "prod")],
    );
    network_is_there(&moto, &network);
    let buckets = deploy(&moto, "CreateStack", "buckets", "buckets.yml", &[]);
    buckets_are_there(&moto, &buckets);

    let certificate = moto.json(
        "acm",
        "CertificateManager.RequestCertificate",
        &json!({"DomainName": "rag-app.example"}),
    );
    let certificate = certificate["CertificateArn"].as_str().unwrap();
    let parameters = |image| {
        [
            ("AMIId", image),
            ("VPCId", network["VPCId"].as_str()),
            ("SubnetId1", network["SubnetId1"].as_str()),
            ("SubnetId2", network["SubnetId2"].as_str()),
            ("PrivateSubnetId1", network["PrivateSubnetId1"].as_str()),
            ("PrivateSubnetId2", network["PrivateSubnetId2"].as_str()),
            ("CertificateArn", certificate),
            ("Environment", "prod"),
        ]
    };
    let app = deploy(
        &moto,
        "CreateStack",
        "app",
        "app.yml",
        &parameters("ami-12c6146b"),
    );
    assert!(
        app["LoadBalancerUrl"].starts_with("https://") && app["LoadBalancerUrl"].ends_with(":8001")
    );
    let template = app["LaunchTemplateId"].clone();
    assert_eq!(image_of(&moto, &template, "1"), "ami-12c6146b");
    application_is_there(&moto, &network, certificate, "1");

    // What the Deploy action does next time.
    let image = new_image(&moto);
    let app = deploy(&moto, "UpdateStack", "app", "app.yml", &parameters(&image));
    assert_eq!(app["LaunchTemplateId"], template);
    assert_eq!(image_of(&moto, &template, "2"), image);
    assert_eq!(image_of(&moto, &template, "1"), "ami-12c6146b");
    application_is_there(&moto, &network, certificate, "2");
    let query = [("LaunchTemplateId.1", template.as_str())];
    let templates = moto.query("ec2", "DescribeLaunchTemplates", &query);
    assert_eq!(one(&templates, "latestVersionNumber"), "2");
}

fn network_is_there(moto: &Moto, network: &BTreeMap<String, String>) {
    let vpc = network["VPCId"].as_str();
    let of_vpc = [("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", vpc)];
    let subnets = moto.query("ec2", "DescribeSubnets", &of_vpc);
    let mut blocks = all(&subnets, "cidrBlock");
    blocks.sort_unstable();
    let expected = [
        "10.20.0.0/24",
        "10.20.1.0/24",
        "10.20.16.0/20",
        "10.20.32.0/20",
    ];
    assert_eq!(blocks, expected);
    let mut zones = all(&subnets, "availabilityZone");
    zones.sort_unstable();
    zones.dedup();
    assert_eq!(zones.len(), 2, "{zones:?}");
    let gateways = moto.query("ec2", "DescribeNatGateways", &of_vpc);
    assert_eq!(
        all(&gateways, "natGatewayId").len(),
        2,
        "prod has one in each zone"
    );
    let endpoints = moto.query("ec2", "DescribeVpcEndpoints", &of_vpc);
    assert_eq!(all(&endpoints, "serviceName").len(), 5, "{endpoints}");
    let tables = moto.query("ec2", "DescribeRouteTables", &of_vpc);
    assert_eq!(all(&tables, "natGatewayId").len(), 2, "{tables}");
}

fn buckets_are_there(moto: &Moto, buckets: &BTreeMap<String, String>) {
    for output in [
        "SourceBucketName",
        "ArtifactBucketName",
        "ReleaseBucketName",
    ] {
        let bucket = &buckets[output];
        let (status, encryption) = moto.s3("GET", &format!("/{bucket}?encryption"), b"");
        assert_eq!(status, 200, "{encryption}");
        assert_eq!(one(&encryption, "SSEAlgorithm"), "AES256");
        let (_, tags) = moto.s3("GET", &format!("/{bucket}?tagging"), b"");
        assert!(
            tags.contains("<Key>Project</Key><Value>rag-app</Value>"),
            "{tags}"
        );
    }
    assert_ne!(buckets["SourceBucketName"], buckets["ArtifactBucketName"]);
}

/// Everything of the application as it is read back, with this version of its launch template. That the
/// group starts the newest is the rule `group_follows_the_launch_template`: moto leaves it at its first.
fn application_is_there(
    moto: &Moto,
    network: &BTreeMap<String, String>,
    certificate: &str,
    version: &str,
) {
    let groups = moto.query("elasticloadbalancing", "DescribeTargetGroups", &[]);
    for (tag, expected) in [
        ("Port", "8001"),
        ("Protocol", "HTTP"),
        ("HealthCheckPath", "/collection"),
        ("HealthCheckPort", "8001"),
        ("HttpCode", "200"),
        ("VpcId", network["VPCId"].as_str()),
    ] {
        assert_eq!(one(&groups, tag), expected, "{tag} of the target group");
    }
    let balancers = moto.query("elasticloadbalancing", "DescribeLoadBalancers", &[]);
    assert_eq!(one(&balancers, "Scheme"), "internet-facing");
    let balancer = one(&balancers, "LoadBalancerArn");
    // Names that stand in ARNs, which the pipeline's role is held to.
    assert!(balancer.contains(":loadbalancer/app/app/"), "{balancer}");
    let targets = one(&groups, "TargetGroupArn");
    assert!(targets.contains(":targetgroup/app/"), "{targets}");
    let query = [("LoadBalancerArn", balancer)];
    let listeners = moto.query("elasticloadbalancing", "DescribeListeners", &query);
    let listener = one(&listeners, "ListenerArn");
    assert!(listener.contains(":listener/app/app/"), "{listener}");
    assert_eq!(one(&listeners, "Port"), "8001");
    assert_eq!(one(&listeners, "Protocol"), "HTTPS");
    assert_eq!(one(&listeners, "CertificateArn"), certificate);

    let groups = moto.query("autoscaling", "DescribeAutoScalingGroups", &[]);
    for (tag, expected) in [
        ("MinSize", "1"),
        ("MaxSize", "2"),
        ("DesiredCapacity", "1"),
        ("HealthCheckType", "ELB"),
        ("HealthCheckGracePeriod", "1800"),
    ] {
        assert_eq!(one(&groups, tag), expected, "{tag} of the group");
    }
    let private = format!(
        "{},{}",
        network["PrivateSubnetId1"], network["PrivateSubnetId2"]
    );
    assert_eq!(one(&groups, "VPCZoneIdentifier"), private);

    let template = physical(moto, "app", "LaunchTemplate");
    let query = [
        ("LaunchTemplateId", template.as_str()),
        ("LaunchTemplateVersion.1", version),
    ];
    let version = moto.query("ec2", "DescribeLaunchTemplateVersions", &query);
    for (tag, expected) in [
        ("httpTokens", "required"),
        ("encrypted", "true"),
        ("volumeType", "gp3"),
    ] {
        assert_eq!(one(&version, tag), expected, "{tag} of the launch template");
    }
    let profile = one(&version, "iamInstanceProfile");
    let profile = one(profile, "arn").rsplit('/').next();
    let region = balancer.split(':').nth(3).unwrap();
    assert_eq!(profile, Some(format!("app-{region}-instance").as_str()));

    let (front, back) = (
        physical(moto, "app", "LoadBalancerSecurityGroup"),
        physical(moto, "app", "InstanceSecurityGroup"),
    );
    let rules = |group: &str| {
        let groups = moto.query("ec2", "DescribeSecurityGroups", &[("GroupId.1", group)]);
        one(&groups, "ipPermissions").to_owned()
    };
    let ways_in = rules(&back);
    assert_eq!(one(&ways_in, "fromPort"), "8001");
    assert_eq!(one(&ways_in, "toPort"), "8001");
    assert_eq!(one(&ways_in, "groupId"), front, "{ways_in}");
    assert!(!ways_in.contains("<cidrIp>"), "{ways_in}");
    let ways_in = rules(&front);
    assert_eq!(one(&ways_in, "fromPort"), "8001");
    assert_eq!(one(&ways_in, "cidrIp"), "0.0.0.0/0");
    // moto leaves every group the way out that a new one has; the template's is checked resolved.
}

#[test]
fn the_build_instance_is_reached_by_the_builds_only() {
    let Some(moto) = Moto::start() else { return };
    let tunnel = [("InstanceConnectEndpoint", "yes")];
    let network = deploy(&moto, "CreateStack", "net", "network.yml", &tunnel);
    let parameters = [
        ("BaseImageId", "ami-12c6146b"),
        ("VPCId", network["VPCId"].as_str()),
        ("PrivateSubnetId1", network["PrivateSubnetId1"].as_str()),
    ];
    let made = deploy(
        &moto,
        "CreateStack",
        "build",
        "build-instance.yml",
        &parameters,
    );
    let query = [("InstanceId.1", made["InstanceId"].as_str())];
    let instances = moto.query("ec2", "DescribeInstances", &query);
    assert_eq!(one(&instances, "subnetId"), network["PrivateSubnetId1"]);
    assert_eq!(one(&instances, "imageId"), "ami-12c6146b");
    let group = physical(&moto, "build", "InstanceSecurityGroup");
    let groups = moto.query("ec2", "DescribeSecurityGroups", &[("GroupId.1", &group)]);
    let ways_in = one(&groups, "ipPermissions");
    assert_eq!(one(ways_in, "fromPort"), "22");
    assert_eq!(all(ways_in, "groupId"), [&made["BuildSecurityGroupId"]]);
    assert!(!ways_in.contains("<cidrIp>"), "{ways_in}");

    // Beside them, where it is wanted, by the network's Instance Connect Endpoint.
    let endpoint = network["InstanceConnectSecurityGroupId"].as_str();
    let with_endpoint = [
        parameters.as_slice(),
        &[("InstanceConnectSecurityGroupId", endpoint)],
    ]
    .concat();
    let template = "build-instance.yml";
    let made = deploy(&moto, "CreateStack", "both", template, &with_endpoint);
    let group = physical(&moto, "both", "InstanceSecurityGroup");
    let groups = moto.query("ec2", "DescribeSecurityGroups", &[("GroupId.1", &group)]);
    let ways_in = one(&groups, "ipPermissions");
    let mut found = all(ways_in, "groupId");
    found.sort_unstable();
    let mut expected = [made["BuildSecurityGroupId"].as_str(), endpoint];
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert!(!ways_in.contains("<cidrIp>"), "{ways_in}");
}

/// The other switches: no TLS on purpose, Spot, a replaced group, and the container variant.
#[test]
fn the_switches_deploy_too() {
    let Some(moto) = Moto::start() else { return };
    let flow = [
        ("FlowLogs", "yes"),
        ("NatGateways", "none"),
        ("Endpoints", "no"),
    ];
    let network = deploy(&moto, "CreateStack", "net", "network.yml", &flow);
    let logs = moto.query("ec2", "DescribeFlowLogs", &[]);
    assert_eq!(one(&logs, "resourceId"), network["VPCId"]);
    let place = [
        ("AMIId", "ami-12c6146b"),
        ("VPCId", network["VPCId"].as_str()),
        ("SubnetId1", network["SubnetId1"].as_str()),
        ("SubnetId2", network["SubnetId2"].as_str()),
    ];
    let trial = [
        place.as_slice(),
        &[
            ("PlainHttp", "yes"),
            ("Spot", "yes"),
            ("UpdateStrategy", "replacing"),
        ],
    ]
    .concat();
    let app = deploy(&moto, "CreateStack", "trial", "app.yml", &trial);
    assert!(app["LoadBalancerUrl"].starts_with("http://"), "{app:?}");
    let template = physical(&moto, "trial", "LaunchTemplate");
    let query = [("LaunchTemplateId", template.as_str())];
    let version = moto.query("ec2", "DescribeLaunchTemplateVersions", &query);
    assert_eq!(one(&version, "marketType"), "spot");
    let groups = moto.query("autoscaling", "DescribeAutoScalingGroups", &[]);
    let public = format!("{},{}", network["SubnetId1"], network["SubnetId2"]);
    assert_eq!(
        one(&groups, "VPCZoneIdentifier"),
        public,
        "beside the load balancer"
    );
}

/// Each update strategy makes its group. An update from one to another is tried elsewhere: moto sees no change that comes
/// through a condition (findings/moto-change-by-a-condition-is-not-seen.sh).
#[test]
fn each_update_strategy_makes_its_group() {
    let Some(moto) = Moto::start() else { return };
    let network = deploy(&moto, "CreateStack", "net", "network.yml", &[]);
    for strategy in ["rolling", "refresh", "in-place"] {
        let parameters = [
            ("AMIId", "ami-12c6146b"),
            ("VPCId", network["VPCId"].as_str()),
            ("SubnetId1", network["SubnetId1"].as_str()),
            ("SubnetId2", network["SubnetId2"].as_str()),
            ("PlainHttp", "yes"),
            ("UpdateStrategy", strategy),
        ];
        deploy(&moto, "CreateStack", strategy, "app.yml", &parameters);
        let group = physical(&moto, strategy, "AutoScalingGroup");
        let query = [("AutoScalingGroupNames.member.1", group.as_str())];
        let groups = moto.query("autoscaling", "DescribeAutoScalingGroups", &query);
        let in_place = strategy == "in-place";
        assert_eq!(groups.contains("<Overrides>"), in_place, "{groups}");
        if in_place {
            assert_eq!(all(&groups, "ImageId"), ["ami-12c6146b"]);
        }
        let role = physical(&moto, strategy, "InstanceRole");
        let listed = moto.query("iam", "ListRolePolicies", &[("RoleName", &role)]);
        let hooked = listed.contains("lifecycle-hook");
        assert_eq!(hooked, strategy != "rolling", "{listed}");
    }
}

/// moto makes no pipeline, but it reads policies by IAM's grammar: each role's are well-formed, with
/// every switch on (it keeps `AWS::NoValue` in lists as a null, which real accounts drop).
#[test]
fn the_roles_of_the_pipeline_are_well_formed() {
    let Some(moto) = Moto::start() else { return };
    let mut parameters = configuration(repository(), "pipeline-prod.json").unwrap();
    parameters.insert("AlarmTopicArn".to_owned(), TOPIC.to_owned());
    let boundary = "arn:aws:iam::123456789012:policy/instances";
    parameters.insert("PermissionsBoundaryArn".to_owned(), boundary.to_owned());
    // Every policy that is left out otherwise: moto takes a role with AWS::NoValue among its policies badly.
    for (name, value) in [
        ("Transport", "auto"),
        ("TransferBucketName", "transfers"),
        ("AmiScan", "gate"),
        ("WarmSnapshot", "yes"),
    ] {
        parameters.insert(name.to_owned(), value.to_owned());
    }
    let parameters: Vec<(&str, &str)> = parameters
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    deploy(&moto, "CreateStack", "pipe", "pipeline.yml", &parameters);
    let roles = moto.query("iam", "ListRoles", &[]);
    let mut names: Vec<&str> = all(&roles, "RoleName")
        .into_iter()
        .filter_map(|name| name.strip_prefix("pipe-")?.split('-').next())
        .collect();
    names.sort_unstable();
    let expected = [
        "AmiRole",
        "CloudFormationRole",
        "DeployRole",
        "PipelineRole",
        "ScanRole",
        "SourceRuleRole",
        "ValidateRole",
        "WarmRole",
    ];
    assert_eq!(names, expected, "one for each principal and job");
}

/// The container variant behind the same contract.
#[test]
fn the_containers_deploy_too() {
    let Some(moto) = Moto::start() else { return };
    let network = deploy(&moto, "CreateStack", "net", "network.yml", &[]);
    let mut parameters = vec![
        ("AppImage", "rag-app:1"),
        ("AMIId", "ami-12c6146b"),
        ("PlainHttp", "yes"),
    ];
    for name in [
        "VPCId",
        "SubnetId1",
        "SubnetId2",
        "PrivateSubnetId1",
        "PrivateSubnetId2",
    ] {
        parameters.push((name, network[name].as_str()));
    }
    deploy(&moto, "CreateStack", "ecs", "app-ecs.yml", &parameters);
    let groups = moto.query("elasticloadbalancing", "DescribeTargetGroups", &[]);
    assert_eq!(one(&groups, "Port"), "8001");
    assert_eq!(one(&groups, "TargetType"), "ip");
    assert_eq!(one(&groups, "HealthCheckPath"), "/collection");
    let task = physical(&moto, "ecs", "TaskDefinition");
    let target = "AmazonEC2ContainerServiceV20141113.DescribeTaskDefinition";
    let task = moto.json("ecs", target, &json!({"taskDefinition": task}));
    let containers = task["taskDefinition"]["containerDefinitions"].as_array();
    let names: Vec<&str> = containers
        .unwrap()
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    assert_eq!(names, ["ollama", "model", "app"]);
}
