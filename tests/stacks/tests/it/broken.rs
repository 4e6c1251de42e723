//! Each convention is broken on purpose in a copy, and the check that watches it turns red. A check
//! that has never been seen red may be looking at nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use stacks::conventions::{self, NOT_NEEDED, POLICIES};
use stacks::copy::Copy;
use stacks::stack::repository;

const APP: &str = "cfn/app.yml";
const NETWORK: &str = "cfn/network.yml";
const BUCKETS: &str = "cfn/buckets.yml";
const PIPELINE: &str = "cfn/pipeline.yml";
const ALARMS: &str = "cfn/alarms.yml";
const BUILD_INSTANCE: &str = "cfn/build-instance.yml";
const ECS: &str = "cfn/app-ecs.yml";

/// For cfn-guard: the rule that must turn red, the file, what stands there, what is put there.
const GUARDED: [(&str, &str, &str, &str); 64] = [
    (
        "port_22_is_closed_to_addresses",
        BUILD_INSTANCE,
        "SourceSecurityGroupId: !GetAtt BuildSecurityGroup.GroupId",
        "CidrIp: 0.0.0.0/0",
    ),
    (
        "port_22_is_closed_to_addresses",
        APP,
        "          FromPort: 8001\n          ToPort: 8001\n          CidrIp",
        "          FromPort: 1\n          ToPort: 9000\n          CidrIp",
    ),
    (
        "port_22_is_closed_to_addresses",
        APP,
        "          IpProtocol: tcp\n          FromPort: 8001\n          ToPort: 8001\n          CidrIp",
        "          IpProtocol: '-1'\n          CidrIp",
    ),
    (
        "single_rules_name_groups",
        APP,
        "      SourceSecurityGroupId: !GetAtt LoadBalancerSecurityGroup.GroupId",
        "      CidrIp: 10.0.0.0/8",
    ),
    (
        "security_group_rules_are_described",
        APP,
        "        - Description: Clients\n          IpProtocol",
        "        - IpProtocol",
    ),
    (
        "security_group_rules_are_described",
        APP,
        "        - Description: Registries, models, Systems Manager, CloudFormation\n          IpProtocol",
        "        - IpProtocol",
    ),
    (
        "single_rules_are_described",
        APP,
        "      Description: The load balancer\n",
        "",
    ),
    (
        "interface_endpoints_have_a_group",
        NETWORK,
        "PrivateDnsEnabled: true",
        "PrivateDnsEnabled: false",
    ),
    (
        "image_is_the_pipelines",
        APP,
        "ImageId: !Ref AMIId",
        "ImageId: ami-0123456789abcdef0",
    ),
    (
        "image_is_the_pipelines",
        APP,
        "Type: AWS::EC2::Image::Id",
        "Type: String",
    ),
    (
        "image_is_the_pipelines",
        APP,
        "    Type: AWS::EC2::Image::Id\n",
        "    Type: AWS::EC2::Image::Id\n    Default: ami-0123456789abcdef0\n",
    ),
    (
        "metadata_needs_a_token",
        APP,
        "HttpTokens: required",
        "HttpTokens: optional",
    ),
    (
        "metadata_needs_a_token",
        ECS,
        "HttpTokens: required",
        "HttpTokens: optional",
    ),
    (
        "metadata_of_the_build_instance_needs_a_token",
        BUILD_INSTANCE,
        "HttpTokens: required",
        "HttpTokens: optional",
    ),
    (
        "disks_are_encrypted_gp3",
        APP,
        "Encrypted: true",
        "Encrypted: false",
    ),
    (
        "disks_are_encrypted_gp3",
        APP,
        "VolumeType: gp3",
        "VolumeType: gp2",
    ),
    (
        "disks_of_the_build_instance_are_encrypted_gp3",
        BUILD_INSTANCE,
        "Encrypted: true",
        "Encrypted: false",
    ),
    (
        "group_follows_the_launch_template",
        APP,
        "Version: !GetAtt LaunchTemplate.LatestVersionNumber",
        "Version: $Latest",
    ),
    (
        "group_follows_the_launch_template",
        APP,
        "      MinSize: '1'\n",
        "      MinSize: '1'\n      AutoScalingGroupName: rag-app\n",
    ),
    (
        "target_group_asks_collection",
        APP,
        "HealthCheckPath: /collection",
        "HealthCheckPath: /",
    ),
    (
        "target_group_asks_collection",
        ECS,
        "      Port: 8001\n      HealthCheckProtocol",
        "      Port: 80\n      HealthCheckProtocol",
    ),
    (
        "listener_is_on_8001",
        APP,
        "      LoadBalancerArn: !Ref LoadBalancer\n      Port: 8001",
        "      LoadBalancerArn: !Ref LoadBalancer\n      Port: 443",
    ),
    (
        "load_balancer_is_strict",
        APP,
        "Scheme: internet-facing",
        "Scheme: internal",
    ),
    (
        "load_balancer_is_strict",
        APP,
        "drop_invalid_header_fields.enabled, Value: 'true'",
        "drop_invalid_header_fields.enabled, Value: 'false'",
    ),
    (
        "buckets_outlive_their_stack",
        BUCKETS,
        "    DeletionPolicy: Retain\n",
        "",
    ),
    (
        "buckets_outlive_their_stack",
        BUCKETS,
        "UpdateReplacePolicy: Retain",
        "UpdateReplacePolicy: Delete",
    ),
    (
        "buckets_are_versioned_and_encrypted",
        BUCKETS,
        "VersioningConfiguration: {Status: Enabled}",
        "VersioningConfiguration: {Status: Suspended}",
    ),
    (
        "buckets_are_private",
        BUCKETS,
        "        RestrictPublicBuckets: true\n",
        "",
    ),
    (
        "buckets_are_private",
        BUCKETS,
        "BlockPublicPolicy: true",
        "BlockPublicPolicy: false",
    ),
    (
        "buckets_forget_old_versions",
        BUCKETS,
        "            NoncurrentVersionExpiration: {NoncurrentDays: !Ref NoncurrentDays}\n",
        "",
    ),
    (
        "source_and_release_never_expire",
        BUCKETS,
        "            NoncurrentVersionExpiration: {NoncurrentDays: !Ref NoncurrentDays}\n",
        "            NoncurrentVersionExpiration: {NoncurrentDays: 7}\n            ExpirationInDays: 7\n",
    ),
    (
        "source_bucket_tells_eventbridge",
        BUCKETS,
        "EventBridgeEnabled: true",
        "EventBridgeEnabled: false",
    ),
    (
        "each_bucket_has_a_policy",
        BUCKETS,
        "      Bucket: !Ref ReleaseBucket\n",
        "      Bucket: !Ref ArtifactBucket\n",
    ),
    (
        "buckets_are_reached_by_tls_from_this_account",
        BUCKETS,
        "Condition: {Bool: {aws:SecureTransport: 'false'}}",
        "Condition: {Bool: {aws:SecureTransport: 'true'}}",
    ),
    (
        "buckets_are_reached_by_tls_from_this_account",
        BUCKETS,
        "StringNotEquals: {aws:PrincipalAccount: !Ref AWS::AccountId}",
        "StringNotEquals: {aws:PrincipalAccount: '*'}",
    ),
    (
        "pipeline_is_v2_and_takes_every_archive",
        PIPELINE,
        "PipelineType: V2",
        "PipelineType: V1",
    ),
    (
        "pipeline_is_v2_and_takes_every_archive",
        PIPELINE,
        "ExecutionMode: QUEUED",
        "ExecutionMode: SUPERSEDED",
    ),
    (
        "polling_is_off",
        PIPELINE,
        "                PollForSourceChanges: 'false'\n",
        "",
    ),
    (
        "polling_is_off",
        PIPELINE,
        "PollForSourceChanges: 'false'",
        "PollForSourceChanges: 'true'",
    ),
    (
        "event_rule_sees_every_write",
        PIPELINE,
        "detail-type: [Object Created]",
        "detail-type: [AWS API Call via CloudTrail]",
    ),
    (
        "builds_take_their_buildspec_from_the_archive",
        PIPELINE,
        "BuildSpec: buildspecs/make-ami.yml",
        "BuildSpec: 'arn:aws:s3:::bucket/buildspec.yml'",
    ),
    ("logs_end", PIPELINE, "      RetentionInDays: 30\n", ""),
    (
        "builds_trust_their_project_only",
        PIPELINE,
        "              StringEquals: {aws:SourceAccount: !Ref AWS::AccountId}\n              ArnLike",
        "              ArnLike",
    ),
    (
        "services_are_trusted_one_at_a_time",
        PIPELINE,
        "Principal: {Service: events.amazonaws.com}",
        "Principal: {Service: [events.amazonaws.com, codebuild.amazonaws.com]}",
    ),
    (
        "services_are_trusted_one_at_a_time",
        PIPELINE,
        "Principal: {Service: cloudformation.amazonaws.com}",
        "Principal: {AWS: !Ref AWS::AccountId}",
    ),
    (
        "topics_are_published_to_by_this_account",
        ALARMS,
        "              StringEquals: {aws:SourceAccount: !Ref AWS::AccountId}\n",
        "",
    ),
    (
        "costs_have_tags",
        NETWORK,
        "        - {Key: Name, Value: !Sub '${AWS::StackName}-nat-1'}\n        - {Key: Project, Value: !Ref Project}\n",
        "        - {Key: Name, Value: !Sub '${AWS::StackName}-nat-1'}\n",
    ),
    (
        "launched_things_have_tags",
        APP,
        "          - ResourceType: volume\n",
        "          - ResourceType: network-interface\n",
    ),
    (
        "parameters_are_grouped",
        ALARMS,
        "AWS::CloudFormation::Interface",
        "AWS::CloudFormation::Other",
    ),
    (
        "resources_have_properties",
        NETWORK,
        "  InternetGateway:\n    Type: AWS::EC2::InternetGateway\n    Properties:\n      Tags:\n        - {Key: Name, Value: !Ref AWS::StackName}\n        - {Key: Project, Value: !Ref Project}\n        - {Key: Environment, Value: !Ref Environment}\n",
        "  InternetGateway:\n    Type: AWS::EC2::InternetGateway\n",
    ),
    (
        "outputs_are_described",
        APP,
        "    Description: Where the instances are registered.\n",
        "",
    ),
    (
        "secrets_are_no_parameters",
        ALARMS,
        "  Email:\n    Type: String\n",
        "  Email:\n    Type: String\n    NoEcho: true\n",
    ),
    (
        "port_22_is_closed_to_addresses",
        BUILD_INSTANCE,
        "SourceSecurityGroupId: !GetAtt BuildSecurityGroup.GroupId",
        "SourcePrefixListId: pl-0123456789abcdef0",
    ),
    (
        "single_rules_name_groups",
        APP,
        "      SourceSecurityGroupId: !GetAtt LoadBalancerSecurityGroup.GroupId",
        "      SourcePrefixListId: pl-0123456789abcdef0",
    ),
    (
        "metadata_is_one_hop_away",
        APP,
        "HttpPutResponseHopLimit: 1",
        "HttpPutResponseHopLimit: 64",
    ),
    (
        "metadata_of_the_build_instance_is_one_hop_away",
        BUILD_INSTANCE,
        "HttpPutResponseHopLimit: 1",
        "HttpPutResponseHopLimit: 2",
    ),
    (
        "instances_are_reached_by_systems_manager",
        APP,
        "      ManagedPolicyArns:\n        - !Sub 'arn:${AWS::Partition}:iam::aws:policy/AmazonSSMManagedInstanceCore'\n",
        "",
    ),
    (
        "instances_are_reached_by_systems_manager",
        ECS,
        "policy/AmazonSSMManagedInstanceCore",
        "policy/CloudWatchAgentServerPolicy",
    ),
    (
        "group_follows_the_launch_template",
        APP,
        "{Key: Project, Value: !Ref Project, PropagateAtLaunch: true}",
        "{Key: Project, Value: !Ref Project, PropagateAtLaunch: false}",
    ),
    (
        "buckets_are_reached_by_tls_from_this_account",
        BUCKETS,
        "[!GetAtt ReleaseBucket.Arn, !Sub '${ReleaseBucket.Arn}/*']",
        "[!GetAtt ReleaseBucket.Arn]",
    ),
    (
        "buckets_are_reached_by_tls_from_this_account",
        BUCKETS,
        "[!GetAtt SourceBucket.Arn, !Sub '${SourceBucket.Arn}/*']",
        "[!Sub '${SourceBucket.Arn}/*']",
    ),
    (
        "buckets_are_reached_by_tls_from_this_account",
        BUCKETS,
        "Bool: {aws:PrincipalIsAWSService: 'false'}",
        "Bool: {aws:PrincipalIsAWSService: 'true'}",
    ),
    (
        "roles_take_a_boundary",
        NETWORK,
        "      PermissionsBoundary: !If [HasPermissionsBoundary, !Ref PermissionsBoundaryArn, !Ref AWS::NoValue]\n",
        "",
    ),
    (
        "parameters_are_described",
        APP,
        "    Description: The network of the subnets below.\n",
        "",
    ),
];

/// For the conventions over resolved templates: part of the fault, file, old, new.
const RESOLVED: [(&str, &str, &str, &str); 169] = [
    // The application.
    (
        "update policy (rolling)",
        APP,
        "MinInstancesInService: 1",
        "MinInstancesInService: 0",
    ),
    (
        "update policy (rolling)",
        APP,
        "MaxBatchSize: 1",
        "MaxBatchSize: 2",
    ),
    (
        "update policy (rolling)",
        APP,
        "WaitOnResourceSignals: true",
        "WaitOnResourceSignals: false",
    ),
    (
        "update policy (rolling)",
        APP,
        "SuspendProcesses: [HealthCheck, ReplaceUnhealthy",
        "SuspendProcesses: [ReplaceUnhealthy",
    ),
    (
        "update policy (replacing)",
        APP,
        "WillReplace: true",
        "WillReplace: false",
    ),
    (
        "creation policy",
        APP,
        "ResourceSignal: {Count: 1, Timeout: PT30M}",
        "ResourceSignal: {Count: 1, Timeout: PT5M}",
    ),
    ("MaxSize is \"1\"", APP, "MaxSize: '2'", "MaxSize: '1'"),
    (
        "health check is \"EC2\"",
        APP,
        "HealthCheckType: ELB",
        "HealthCheckType: EC2",
    ),
    (
        "grace period",
        APP,
        "HealthCheckGracePeriod: 1800",
        "HealthCheckGracePeriod: 60",
    ),
    (
        "what the group waits for",
        APP,
        "    # A target group without a listener reports its instances as unused.\n    DependsOn: Listener\n",
        "",
    ),
    (
        "signal-health waits 2400s, not less than PT30M",
        APP,
        "--timeout 25m",
        "--timeout 40m",
    ),
    (
        "signal-health gets --url",
        APP,
        "http://127.0.0.1:8001/collection",
        "http://127.0.0.1:8001/",
    ),
    (
        "signal-health gets --resource",
        APP,
        "--resource AutoScalingGroup",
        "--resource LaunchTemplate",
    ),
    (
        "user data does not start signal-health",
        APP,
        "exec /usr/local/bin/signal-health",
        "exec /opt/aws/bin/cfn-signal",
    ),
    (
        "the default of Spot",
        APP,
        "  Spot:\n    Type: String\n    Default: 'no'",
        "  Spot:\n    Type: String\n    Default: 'yes'",
    ),
    (
        "market of prod with Spot",
        APP,
        "UsesSpot: !And [!Equals [!Ref Spot, 'yes'], !Not [{Condition: IsProd}]]",
        "UsesSpot: !Equals [!Ref Spot, 'yes']",
    ),
    (
        "the default of PlainHttp",
        APP,
        "  PlainHttp:\n    Type: String\n    Default: 'no'",
        "  PlainHttp:\n    Type: String\n    Default: 'yes'",
    ),
    (
        "the default of InstanceType",
        APP,
        "Default: g4dn.xlarge",
        "Default: t3.micro",
    ),
    (
        "protocol is \"HTTP\"",
        APP,
        "Protocol: !If [HasTls, HTTPS, HTTP]",
        "Protocol: HTTP",
    ),
    (
        "TLS policy",
        APP,
        "ELBSecurityPolicy-TLS13-1-2-2021-06",
        "ELBSecurityPolicy-2016-08",
    ),
    (
        "protocol is \"HTTP\"",
        ECS,
        "Protocol: !If [HasTls, HTTPS, HTTP]",
        "Protocol: HTTP",
    ),
    (
        "who reaches the instances",
        APP,
        "      SourceSecurityGroupId: !GetAtt LoadBalancerSecurityGroup.GroupId",
        "      SourceSecurityGroupId: !GetAtt InstanceSecurityGroup.GroupId",
    ),
    (
        "where the load balancer may go",
        APP,
        "DestinationSecurityGroupId: !GetAtt InstanceSecurityGroup.GroupId",
        "CidrIp: 0.0.0.0/0",
    ),
    (
        "deletion protection in prod",
        APP,
        "Value: !If [IsProd, 'true', 'false']",
        "Value: 'false'",
    ),
    (
        "subnets of the group",
        APP,
        "[!Ref PrivateSubnetId1, !Ref PrivateSubnetId2]",
        "[!Ref SubnetId1, !Ref SubnetId2]",
    ),
    (
        "scaling is \"StepScaling\"",
        APP,
        "PolicyType: TargetTrackingScaling",
        "PolicyType: StepScaling",
    ),
    (
        "who UnhealthyHosts tells",
        APP,
        "AlarmActions: [!Ref AlarmTopicArn]",
        "AlarmActions: []",
    ),
    (
        "threshold of GroupAtMax",
        APP,
        "      Threshold: 2\n",
        "      Threshold: 3\n",
    ),
    (
        "alarms without a topic",
        APP,
        "  UnhealthyHosts:\n    Type: AWS::CloudWatch::Alarm\n    Condition: HasAlarmTopic\n",
        "  UnhealthyHosts:\n    Type: AWS::CloudWatch::Alarm\n",
    ),
    (
        "GPU of ollama",
        ECS,
        "{Type: GPU, Value: '1'}",
        "{Type: GPU, Value: '0'}",
    ),
    (
        "what is behind the load balancer",
        ECS,
        "{ContainerName: app, ContainerPort: 8001,",
        "{ContainerName: ollama, ContainerPort: 11434,",
    ),
    // The network.
    (
        "2 NAT gateways, not 1",
        NETWORK,
        "!And [{Condition: IsProd}, !Equals [!Ref NatGateways, by-environment]]",
        "!Equals [!Ref NatGateways, by-environment]",
    ),
    (
        "1 NAT gateways, not 2",
        NETWORK,
        "  IsProd: !Equals [!Ref Environment, prod]",
        "  IsProd: !Equals [!Ref Environment, none]",
    ),
    (
        "way out",
        NETWORK,
        "NatGatewayId: !If [HasNatPerZone, !Ref NatGateway2, !Ref NatGateway1]",
        "NatGatewayId: !Ref NatGateway1",
    ),
    (
        "zone of PrivateSubnet2",
        NETWORK,
        "AvailabilityZone: !Select [1, !GetAZs '']",
        "AvailabilityZone: !Select [0, !GetAZs '']",
    ),
    (
        "endpoints is",
        NETWORK,
        "${AWS::Region}.ssmmessages",
        "${AWS::Region}.sqs",
    ),
    (
        "flow logs is",
        NETWORK,
        "    Type: AWS::EC2::FlowLog\n    Condition: HasFlowLogs\n",
        "    Type: AWS::EC2::FlowLog\n",
    ),
    // The pipeline.
    (
        "namespace of AMI",
        PIPELINE,
        "Namespace: AMIcreation",
        "Namespace: Ami",
    ),
    (
        "no such namespace",
        PIPELINE,
        "#{AMIcreation.AMI_ID}",
        "#{AMIcreaton.AMI_ID}",
    ),
    (
        "overrides of Deploy",
        PIPELINE,
        "'{\"AMIId\":\"#{AMIcreation.AMI_ID}\"}'",
        "'{\"AMIId\":\"ami-0123456789abcdef0\"}'",
    ),
    (
        "template of Deploy",
        PIPELINE,
        "TemplatePath: SourceOutput::app.yml",
        "TemplatePath: SourceOutput::cfn/app.yml",
    ),
    (
        "how it is deployed",
        PIPELINE,
        "ActionMode: CREATE_UPDATE",
        "ActionMode: REPLACE_ON_FAILURE",
    ),
    (
        "how it is deployed",
        "cfn/config/pipeline-prod.json",
        "\"change-set\"",
        "\"update\"",
    ),
    ("run orders", PIPELINE, "RunOrder: 2", "RunOrder: 1"),
    (
        "watched key",
        PIPELINE,
        "object: {key: [template.zip]}",
        "object: {key: [archive.zip]}",
    ),
    (
        "there is no buildspecs/make-ami.yaml",
        PIPELINE,
        "BuildSpec: buildspecs/make-ami.yml",
        "BuildSpec: buildspecs/make-ami.yaml",
    ),
    (
        "shares",
        PIPELINE,
        "ServiceRole: !GetAtt AmiRole.Arn\n      Source: {Type: CODEPIPELINE, BuildSpec: buildspecs/make-ami.yml}",
        "ServiceRole: !GetAtt DeployRole.Arn\n      Source: {Type: CODEPIPELINE, BuildSpec: buildspecs/deploy-app.yml}",
    ),
    (
        "does not get ACTIONS_DIGESTS",
        PIPELINE,
        "          - {Name: ACTIONS_DIGESTS, Value: !Ref ProgramDigests}\n",
        "",
    ),
    // The roles.
    (
        "passes a role to any service",
        PIPELINE,
        "            Condition: {StringEquals: {iam:PassedToService: cloudformation.amazonaws.com}}\n",
        "",
    ),
    (
        "what PipelinePolicy, PassStackRole passes",
        PIPELINE,
        "            Action: iam:PassRole\n            Resource: !GetAtt CloudFormationRole.Arn",
        "            Action: iam:PassRole\n            Resource: '*'",
    ),
    (
        "allows s3:*",
        PIPELINE,
        "Action: [s3:GetObject, s3:GetObjectVersion, s3:PutObject]",
        "Action: s3:*",
    ),
    (
        "is about any resource",
        PIPELINE,
        "            Resource: !Sub 'arn:${AWS::Partition}:s3:::${ArtifactBucketName}/*'",
        "            Resource: '*'",
    ),
    (
        "account that PipelineRole is assumed for",
        PIPELINE,
        "Principal: {Service: codepipeline.amazonaws.com}\n            Action: sts:AssumeRole\n            Condition: !If\n              - HasSourceAccountConditions\n              - StringEquals: {aws:SourceAccount: !Ref AWS::AccountId}\n",
        "Principal: {Service: codepipeline.amazonaws.com}\n            Action: sts:AssumeRole\n            Condition: !If\n              - HasSourceAccountConditions\n              - StringEquals: {aws:PrincipalAccount: !Ref AWS::AccountId}\n",
    ),
    (
        "condition of making roles",
        PIPELINE,
        "StringEquals: {iam:PermissionsBoundary: !Ref PermissionsBoundaryArn}",
        "StringEquals: {iam:PermissionsBoundary: none}",
    ),
    (
        "does not grant ec2:CreateImage",
        PIPELINE,
        "Action: ec2:CreateImage",
        "Action: ec2:DescribeImages",
    ),
    (
        "grants ec2:TerminateInstances, which make-ami does not document",
        PIPELINE,
        "Action: ec2:CreateImage",
        "Action: [ec2:CreateImage, ec2:TerminateInstances]",
    ),
    (
        "does not grant cloudformation:SignalResource",
        APP,
        "Action: cloudformation:SignalResource",
        "Action: cloudformation:DescribeStacks",
    ),
    (
        "does not grant s3:ListBucket",
        BUCKETS,
        "Action: [s3:GetBucketVersioning, s3:ListBucket]",
        "Action: s3:GetBucketVersioning",
    ),
    // The contract between the files.
    (
        "makes no variable AMI_ID",
        "buildspecs/make-ami.yml",
        "    - AMI_ID\n",
        "",
    ),
    ("AMIID", PIPELINE, "{\"AMIId\":", "{\"AMIID\":"),
    (
        "application.yml",
        PIPELINE,
        "SourceOutput::app.yml",
        "SourceOutput::application.yml",
    ),
    (
        "archive.zip",
        PIPELINE,
        "S3ObjectKey: template.zip",
        "S3ObjectKey: archive.zip",
    ),
    (
        "CAPABILITY_IAM",
        PIPELINE,
        "Capabilities: CAPABILITY_IAM",
        "Capabilities: CAPABILITY_AUTO_EXPAND",
    ),
    ("VpcId", "cfn/config/staging.json", "\"VPCId\"", "\"VpcId\""),
    (
        "eval",
        "buildspecs/make-ami.yml",
        "      - make-ami --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"\n",
        "      - eval \"$(make-ami)\"\n",
    ),
    (
        "targets is []",
        APP,
        "TargetGroupARNs: [!Ref TargetGroup]",
        "TargetGroupARNs: []",
    ),
    ("MinSize is \"0\"", APP, "MinSize: '1'", "MinSize: '0'"),
    (
        "DesiredCapacity is \"2\"",
        APP,
        "DesiredCapacity: '1'",
        "DesiredCapacity: '2'",
    ),
    (
        "user data is not a script for sh",
        APP,
        "            #!/bin/sh\n            AWS_REGION",
        "            #!/usr/bin/python3\n            AWS_REGION",
    ),
    (
        "market of dev is \"spot\"",
        APP,
        "UsesSpot: !And [!Equals [!Ref Spot, 'yes'], !Not [{Condition: IsProd}]]",
        "UsesSpot: !Equals [!Ref Spot, !Ref Spot]",
    ),
    (
        "market of dev with Spot",
        APP,
        "MarketType: spot",
        "MarketType: capacity-block",
    ),
    (
        "more than one way in",
        APP,
        "          CidrIp: !Ref ClientCidr\n",
        "          CidrIp: !Ref ClientCidr\n        - {Description: More, IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 10.0.0.0/8}\n",
    ),
    (
        "way in is",
        APP,
        "          FromPort: 8001\n          ToPort: 8001\n          CidrIp",
        "          FromPort: 8000\n          ToPort: 8001\n          CidrIp",
    ),
    (
        "way on is",
        APP,
        "          FromPort: 8001\n          ToPort: 8001\n          DestinationSecurityGroupId",
        "          FromPort: 8000\n          ToPort: 8001\n          DestinationSecurityGroupId",
    ),
    (
        "ways in beside the load balancer",
        APP,
        "      GroupDescription: The instances, reached by the load balancer only.\n",
        "      GroupDescription: The instances, reached by the load balancer only.\n      SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 10.0.0.0/8}]\n",
    ),
    (
        "way to the instances",
        APP,
        "      FromPort: 8001\n      ToPort: 8001\n      SourceSecurityGroupId",
        "      FromPort: 8000\n      ToPort: 8001\n      SourceSecurityGroupId",
    ),
    (
        "subnets of the load balancer",
        APP,
        "      Subnets: [!Ref SubnetId1, !Ref SubnetId2]",
        "      Subnets: [!Ref SubnetId1, !Ref SubnetId1]",
    ),
    (
        "subnets without private ones",
        APP,
        "        - [!Ref SubnetId1, !Ref SubnetId2]\n",
        "        - [!Ref SubnetId1]\n",
    ),
    (
        "what scaling looks at",
        APP,
        "ResourceLabel: !Sub '${LoadBalancer.LoadBalancerFullName}/${TargetGroup.TargetGroupFullName}'",
        "ResourceLabel: !Sub '${TargetGroup.TargetGroupFullName}/${LoadBalancer.LoadBalancerFullName}'",
    ),
    ("alarms is", APP, "  GroupAtMax:\n", "  GroupIsFull:\n"),
    (
        "what UnhealthyHosts looks at",
        APP,
        "MetricName: UnHealthyHostCount",
        "MetricName: HealthyHostCount",
    ),
    (
        "what ApplicationErrors looks at",
        ECS,
        "MetricName: HTTPCode_Target_5XX_Count",
        "MetricName: HTTPCode_Target_4XX_Count",
    ),
    (
        "UnhealthyHosts waits 300 s",
        APP,
        "EvaluationPeriods: 35",
        "EvaluationPeriods: 5",
    ),
    (
        "collected for GroupAtMax",
        APP,
        "Metrics: [GroupInServiceInstances]",
        "Metrics: [GroupTotalInstances]",
    ),
    (
        "deletion protection in dev",
        APP,
        "Value: !If [IsProd, 'true', 'false']",
        "Value: 'true'",
    ),
    (
        "certificate is",
        APP,
        "[{CertificateArn: !Ref CertificateArn}]",
        "[{CertificateArn: !Ref AMIId}]",
    ),
    (
        "port is \"443\"",
        ECS,
        "      Port: 8001\n      Protocol: !If",
        "      Port: 443\n      Protocol: !If",
    ),
    (
        "what the listener does",
        APP,
        "DefaultActions: [{Type: forward, TargetGroupArn: !Ref TargetGroup}]",
        "DefaultActions: [{Type: fixed-response, FixedResponseConfig: {StatusCode: '503'}}]",
    ),
    (
        "protocol without TLS",
        APP,
        "Protocol: !If [HasTls, HTTPS, HTTP]",
        "Protocol: HTTPS",
    ),
    (
        "certificate without TLS",
        APP,
        "Certificates: !If [HasTls, [{CertificateArn: !Ref CertificateArn}], !Ref AWS::NoValue]",
        "Certificates: [{CertificateArn: !Ref CertificateArn}]",
    ),
    (
        "scheme is",
        ECS,
        "Scheme: internet-facing",
        "Scheme: internal",
    ),
    (
        "HealthCheckPath of the target group",
        ECS,
        "HealthCheckPath: /collection",
        "HealthCheckPath: /",
    ),
    (
        "ports of app",
        ECS,
        "PortMappings: [{ContainerPort: 8001,",
        "PortMappings: [{ContainerPort: 8000,",
    ),
    (
        "capacity is",
        ECS,
        "CapacityProviderStrategy: [{CapacityProvider: !Ref CapacityProvider, Weight: 1}]",
        "CapacityProviderStrategy: [{CapacityProvider: !Ref CapacityProvider, Weight: 2}]",
    ),
    (
        "roll-back of a bad deployment",
        ECS,
        "{Enable: true, Rollback: true}",
        "{Enable: true, Rollback: false}",
    ),
    (
        "how instances are replaced",
        ECS,
        "        MinInstancesInService: 1\n        MaxBatchSize: 1\n",
        "        MinInstancesInService: 0\n        MaxBatchSize: 2\n",
    ),
    (
        "draining of what is replaced",
        ECS,
        "ManagedDraining: ENABLED",
        "ManagedDraining: DISABLED",
    ),
    (
        "refused of [(\"CertificateArn\", \"\")",
        APP,
        "!Equals [!Ref PlainHttp, 'yes']]\n        AssertDescription: CertificateArn",
        "!Equals [!Ref PlainHttp, maybe]]\n        AssertDescription: CertificateArn",
    ),
    (
        "refused of [(\"Spot\", \"yes\"), (\"Environment\", \"prod\")]",
        APP,
        "      - Assert: !Equals [!Ref Spot, 'no']",
        "      - Assert: !Equals [!Ref Spot, !Ref Spot]",
    ),
    (
        "refused of [(\"CertificateArn\", \"\"), (\"PlainHttp\", \"yes\"), (\"Environment\", \"prod\")]",
        ECS,
        "    RuleCondition: !Equals [!Ref Environment, prod]",
        "    RuleCondition: !Equals [!Ref Environment, production]",
    ),
    (
        "refused of [(\"Environment\", \"prod\"), (\"DeployMode\", \"update\")]",
        PIPELINE,
        "      - Assert: !Equals [!Ref DeployMode, change-set]",
        "      - Assert: !Not [!Equals [!Ref DeployMode, anything]]",
    ),
    (
        "refused of [(\"BuildVpcId\"",
        PIPELINE,
        "      - Assert: !Not [!Equals [!Ref BuildSecurityGroupId, '']]",
        "      - Assert: !Not [!Equals [!Ref BuildVpcId, '']]",
    ),
    (
        "refused of cfn/config/prod.json",
        "cfn/config/prod.json",
        "\"Spot\": \"no\"",
        "\"Spot\": \"yes\"",
    ),
    (
        "what SubnetsBelongToTheVpc asserts",
        APP,
        "- Fn::RefAll: AWS::EC2::VPC::Id",
        "- Fn::RefAll: AWS::EC2::Subnet::Id",
    ),
    (
        "addresses for them",
        NETWORK,
        "    Type: AWS::EC2::EIP\n    Condition: HasNatPerZone\n",
        "    Type: AWS::EC2::EIP\n    Condition: HasNat\n",
    ),
    (
        "public addresses is",
        NETWORK,
        "MapPublicIpOnLaunch: true",
        "MapPublicIpOnLaunch: false",
    ),
    (
        "endpoints without",
        NETWORK,
        "  SsmEndpoint:\n    Type: AWS::EC2::VPCEndpoint\n    Condition: HasEndpoints\n",
        "  SsmEndpoint:\n    Type: AWS::EC2::VPCEndpoint\n",
    ),
    (
        "kind of the S3 endpoint",
        NETWORK,
        "VpcEndpointType: Gateway",
        "VpcEndpointType: Interface",
    ),
    (
        "who reaches it",
        NETWORK,
        "      RouteTableIds:\n        - !Ref PublicRouteTable\n",
        "      RouteTableIds:\n",
    ),
    (
        "flow logs when switched on",
        NETWORK,
        "HasFlowLogs: !Equals [!Ref FlowLogs, 'yes']",
        "HasFlowLogs: !Equals [!Ref FlowLogs, 'on']",
    ),
    (
        "what they log",
        NETWORK,
        "TrafficType: ALL",
        "TrafficType: REJECT",
    ),
    (
        "whose is",
        NETWORK,
        "ResourceId: !Ref Vpc",
        "ResourceId: !Ref PublicSubnet1",
    ),
    (
        "role is",
        NETWORK,
        "DeliverLogsPermissionArn: !GetAtt FlowLogRole.Arn",
        "DeliverLogsPermissionArn: !Ref FlowLogRole",
    ),
    (
        "what the budget counts",
        ALARMS,
        "- Tags: {Key: Environment, Values: [!Ref Environment], MatchOptions: [EQUALS]}",
        "- Tags: {Key: Environment, Values: [prod], MatchOptions: [EQUALS]}",
    ),
    (
        "the budget is",
        ALARMS,
        "TimeUnit: MONTHLY",
        "TimeUnit: DAILY",
    ),
    (
        "who hears of the budget",
        ALARMS,
        "Threshold: 80",
        "Threshold: 180",
    ),
    (
        "billing alarm in us-east-1",
        ALARMS,
        "HasBillingMetrics: !Equals [!Ref AWS::Region, us-east-1]",
        "HasBillingMetrics: !Equals [!Ref AWS::Region, us-west-1]",
    ),
    (
        "billing alarm elsewhere",
        ALARMS,
        "    Condition: HasBillingMetrics\n",
        "",
    ),
    (
        "billing alarm's topic",
        ALARMS,
        "AlarmActions: [!Ref Topic]",
        "AlarmActions: []",
    ),
    (
        "what the billing alarm looks at",
        ALARMS,
        "MetricName: EstimatedCharges",
        "MetricName: EstimatedCosts",
    ),
    (
        "topic of the subscription",
        ALARMS,
        "      TopicArn: !Ref Topic\n",
        "      TopicArn: !Ref Email\n",
    ),
    (
        "stages is",
        "cfn/config/pipeline-staging.json",
        "\"Validation\": \"yes\"",
        "\"Validation\": \"no\"",
    ),
    (
        "namespace of Deploy",
        PIPELINE,
        "Namespace: App\n",
        "Namespace: Application\n",
    ),
    (
        "configuration of Deploy",
        PIPELINE,
        "TemplateConfiguration: SourceOutput::config.json",
        "TemplateConfiguration: SourceOutput::pipeline.json",
    ),
    (
        "stages with [(\"Validation\", \"yes\")",
        PIPELINE,
        "HasValidation: !Equals [!Ref Validation, 'yes']",
        "HasValidation: !Equals [!Ref ImageScan, 'yes']",
    ),
    (
        "ValidateProject exists: true",
        PIPELINE,
        "    Type: AWS::CodeBuild::Project\n    Condition: HasValidation\n",
        "    Type: AWS::CodeBuild::Project\n",
    ),
    (
        "polling is \"true\"",
        PIPELINE,
        "PollForSourceChanges: 'false'",
        "PollForSourceChanges: 'true'",
    ),
    (
        "watched bucket",
        PIPELINE,
        "bucket: {name: [!Ref SourceBucketName]}",
        "bucket: {name: [!Ref ArtifactBucketName]}",
    ),
    (
        "what the rule starts is",
        PIPELINE,
        "codepipeline:${AWS::Region}:${AWS::AccountId}:${Pipeline}'",
        "codepipeline:${AWS::Region}:${AWS::AccountId}:another'",
    ),
    (
        "what the rule starts with",
        PIPELINE,
        "RoleArn: !GetAtt SourceRuleRole.Arn",
        "RoleArn: !GetAtt PipelineRole.Arn",
    ),
    (
        "network of the build",
        PIPELINE,
        "SecurityGroupIds: [!Ref BuildSecurityGroupId]",
        "SecurityGroupIds: [!Ref BuildVpcId]",
    ),
    (
        "network without a VPC",
        PIPELINE,
        "      VpcConfig: !If\n        - HasBuildVpc\n",
        "      VpcConfig: !If\n        - HasSourceAccountConditions\n",
    ),
    (
        "MAKE_AMI_KEEP for 4",
        PIPELINE,
        "HasRetention: !Not [!Equals [!Ref KeepImages, 0]]",
        "HasRetention: !Not [!Equals [!Ref KeepImages, 4]]",
    ),
    (
        "make-ami waits 43200s",
        PIPELINE,
        "{Name: MAKE_AMI_TIMEOUT, Value: 7h}",
        "{Name: MAKE_AMI_TIMEOUT, Value: 12h}",
    ),
    (
        "ChangeSetName that is carried out",
        PIPELINE,
        "ChangeSetName: !Sub '${AWS::StackName}-next'\n                Namespace",
        "ChangeSetName: !Sub '${AWS::StackName}-last'\n                Namespace",
    ),
    (
        "who is asked is",
        PIPELINE,
        "NotificationArn: !If [HasAlarmTopic, !Ref AlarmTopicArn, !Ref AWS::NoValue]",
        "NotificationArn: !Ref AppStackName",
    ),
    (
        "has a statement without a Sid",
        PIPELINE,
        "              - Sid: StartPipeline\n                Effect: Allow",
        "              - Effect: Allow",
    ),
    (
        "StartPipeline says nothing",
        PIPELINE,
        "Action: codepipeline:StartPipelineExecution",
        "Action: []",
    ),
    (
        "is about any bucket",
        PIPELINE,
        "'arn:${AWS::Partition}:s3:::${SourceBucketName}/template.zip'",
        "'arn:${AWS::Partition}:s3:::*'",
    ),
    (
        "what CloudFormationRole, PassInstanceRole passes",
        PIPELINE,
        "                # As exact as it can be: the application stack makes the role and its name ends at random.\n                Resource: !Sub 'arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${AppStackName}-InstanceRole-*'",
        "                Resource: !Sub 'arn:${AWS::Partition}:iam::${AWS::AccountId}:role/r*'",
    ),
    (
        "CloudFormationRole is trusted to no service",
        PIPELINE,
        "Principal: {Service: cloudformation.amazonaws.com}",
        "Principal: {AWS: !Ref AWS::AccountId}",
    ),
    (
        "deed of SourceRuleRole",
        PIPELINE,
        "Principal: {Service: events.amazonaws.com}\n            Action: sts:AssumeRole",
        "Principal: {Service: events.amazonaws.com}\n            Action: sts:TagSession",
    ),
    (
        "condition of InstanceRole",
        APP,
        "Principal: {Service: ec2.amazonaws.com}\n            Action: sts:AssumeRole\n",
        "Principal: {Service: ec2.amazonaws.com}\n            Action: sts:AssumeRole\n            Condition: {StringEquals: {aws:SourceAccount: !Ref AWS::AccountId}}\n",
    ),
    (
        "ExecutionRole is assumed for",
        ECS,
        "ArnLike: {aws:SourceArn: !Sub 'arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:*'}",
        "ArnLike: {aws:SourceArn: '*'}",
    ),
    (
        "has a condition: true, with the switch off",
        PIPELINE,
        "HasSourceAccountConditions: !Equals [!Ref SourceAccountConditions, 'yes']",
        "HasSourceAccountConditions: !Equals [!Ref Environment, prod]",
    ),
    (
        "ScanRole shares",
        PIPELINE,
        "project/${AWS::StackName}-scan'}",
        "project/${AWS::StackName}-validate'}",
    ),
    (
        "what SourceRuleRole is assumed for",
        PIPELINE,
        "rule/${AWS::StackName}-source'",
        "rule/*'",
    ),
    (
        "boundary of InstanceRole",
        BUILD_INSTANCE,
        "      PermissionsBoundary: !If [HasPermissionsBoundary, !Ref PermissionsBoundaryArn, !Ref AWS::NoValue]\n",
        "",
    ),
    (
        "what Put is about",
        BUCKETS,
        "Resource: !Sub '${SourceBucket.Arn}/template.zip'",
        "Resource: !Sub '${SourceBucket.Arn}/*'",
    ),
    (
        "condition of LogIn",
        PIPELINE,
        "                Condition: {StringEquals: {ec2:osuser: !Ref SshUser}}\n",
        "",
    ),
    (
        "is about any instance",
        PIPELINE,
        "Action: ec2-instance-connect:SendSSHPublicKey\n                Resource: !Sub 'arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:instance/${InstanceId}'",
        "Action: ec2-instance-connect:SendSSHPublicKey\n                Resource: !Sub 'arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:instance/*'",
    ),
    (
        "tags anything",
        PIPELINE,
        "ec2:CreateAction: CreateImage",
        "ec2:CreateActions: CreateImage",
    ),
    (
        "TagWhatItCreatedWithProof tags anything",
        PIPELINE,
        "                  ForAllValues:StringEquals: {aws:TagKeys: ['make-ami:frozen-ms']}\n",
        "",
    ),
    (
        "which deploy-app does not need here",
        PIPELINE,
        "Action: [ec2:StartInstances, ec2:GetConsoleOutput]",
        "Action: [ec2:StartInstances, ec2:GetConsoleOutput, ssm:SendCommand]",
    ),
    (
        "what DeployRole fetches",
        PIPELINE,
        "${ReleasePrefix}/blobs/*'\n                  - !Sub 'arn:${AWS::Partition}:s3:::${ReleaseBucketName}/${ReleasePrefix}/deploy-app'",
        "${ReleasePrefix}/deploy-app'",
    ),
    (
        "what AmiRole fetches",
        PIPELINE,
        "${ReleasePrefix}/make-ami'",
        "${ReleasePrefix}/*'",
    ),
    (
        "what it asks for",
        "buildspecs/install.sh",
        "copy \"$ACTIONS_RELEASE/$1\"",
        "copy \"$ACTIONS_RELEASE/bin/$1\"",
    ),
    (
        "ScanProject installs no program",
        "buildspecs/scan.yml",
        "      - sh buildspecs/install.sh trivy\n",
        "      - command -v trivy\n",
    ),
    (
        "eval",
        "buildspecs/package-template.yml",
        "      - . \"$PWD/.exports\"\n",
        "      - eval \"$(package-template)\"\n",
    ),
    (
        "eval",
        "buildspecs/release.yml",
        "      - scripts/reproducible -p signal-health\n",
        "      - eval \"$(scripts/reproducible)\"\n",
    ),
    (
        "Project is",
        "cfn/config/dev.json",
        "\"Tags\": {\n    \"Project\": \"rag-app\"",
        "\"Tags\": {\n    \"Project\": \"another\"",
    ),
    (
        "environment is",
        "cfn/config/dev.json",
        "\"Environment\": \"dev\"",
        "\"Environment\": \"staging\"",
    ),
    (
        "AMIId comes from the pipeline",
        "cfn/config/dev.json",
        "\"PlainHttp\": \"no\"",
        "\"AMIId\": \"ami-0123456789abcdef0\"",
    ),
    (
        "Spott is no parameter",
        "cfn/config/dev.json",
        "\"Spot\"",
        "\"Spott\"",
    ),
    (
        "AppStackName is rag-app",
        "cfn/config/pipeline-dev.json",
        "\"AppStackName\": \"rag-app-dev\"",
        "\"AppStackName\": \"rag-app\"",
    ),
    (
        "alarms.yml is not explained",
        "cfn/README.md",
        "`alarms.yml`",
        "the alarms",
    ),
    (
        "cfn-lint is not pinned",
        "cfn/rules/cfn-lint.txt",
        "cfn-lint==",
        "cfn-linter==",
    ),
    (
        "pyyaml is",
        "cfn/rules/cfn-lint.txt",
        "pyyaml==6.0.3",
        "pyyaml==6.0.2",
    ),
    (
        "has a package without its digests",
        "cfn/rules/checkov.txt",
        "--hash=sha256:",
        "--hush=sha256:",
    ),
];

/// For scripts/cfn-check: the part, part of what it says, file, old, new.
const CHECKED: [(&str, &str, &str, &str, &str); 10] = [
    (
        "lint",
        "E1020",
        APP,
        "VpcId: !Ref VPCId",
        "VpcId: !Ref VpcId",
    ),
    (
        "lint",
        "E3002",
        APP,
        "HealthCheckType: ELB",
        "HealthCheckKind: ELB",
    ),
    (
        "lint",
        "E3703",
        PIPELINE,
        "TemplatePath: SourceOutput::app.yml",
        "TemplatePath: BuildOutput::app.yml",
    ),
    (
        "lint",
        "W3037",
        PIPELINE,
        "ec2:CreateImage",
        "ec2:MakeImage",
    ),
    (
        "guard",
        "metadata_needs_a_token",
        APP,
        "HttpTokens: required",
        "HttpTokens: optional",
    ),
    (
        "checkov",
        "CKV_AWS_26",
        ALARMS,
        "          - id: CKV_AWS_26\n",
        "          - id: CKV_AWS_27\n",
    ),
    (
        "files",
        "AMIId: comes from the pipeline",
        "cfn/config/dev.json",
        "\"PlainHttp\": \"no\"",
        "\"AMIId\": \"ami-0123456789abcdef0\"",
    ),
    (
        "files",
        "Spott: not a parameter of cfn/app.yml",
        "cfn/config/dev.json",
        "\"Spot\"",
        "\"Spott\"",
    ),
    (
        "files",
        "'perhaps' is not one of ['yes', 'no']",
        "cfn/config/prod.json",
        "\"Spot\": \"no\"",
        "\"Spot\": \"perhaps\"",
    ),
    (
        "files",
        "SC3010",
        "buildspecs/release.yml",
        "test \"$CODEBUILD_BUILD_SUCCEEDING\" = 1",
        "'[[ $CODEBUILD_BUILD_SUCCEEDING = 1 ]]'",
    ),
];

/// The validator of `scripts/cfn-check` that is not on this machine, if one is not.
fn missing_validator() -> Option<String> {
    let build = harness::moto::build_folder();
    [
        "venv/bin/cfn-lint",
        "cargo/bin/cfn-guard",
        "venv-checkov/bin/checkov",
    ]
    .into_iter()
    .find(|tool| !build.join(tool).is_file())
    .map(str::to_owned)
}

fn guard() -> PathBuf {
    harness::moto::build_folder().join("cargo/bin/cfn-guard")
}

fn rules() -> PathBuf {
    repository().join("cfn/rules/conventions.guard")
}

/// The rules of ours that a template breaks.
fn broken_rules(template: &Path) -> BTreeSet<String> {
    let output = Command::new(guard())
        .args(["validate", "--show-summary", "fail", "--rules"])
        .arg(rules())
        .arg("--data")
        .arg(template)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        matches!(output.status.code(), Some(0 | 19)),
        "cfn-guard ends with {}: {text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    text.lines()
        .filter_map(|line| line.strip_prefix("conventions.guard/"))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

fn check(folder: &Path, part: &str) -> Output {
    Command::new(repository().join("scripts/cfn-check"))
        .arg(folder)
        .arg(part)
        .env("BUILD_DIR", harness::moto::build_folder())
        .output()
        .unwrap()
}

#[test]
fn every_rule_for_cfn_guard_turns_red() {
    if !guard().is_file() {
        return harness::missing("cfn-guard");
    }
    for (rule, file, old, new) in GUARDED {
        let copy = Copy::new();
        let before = broken_rules(&copy.path().join(file));
        assert!(before.is_empty(), "{file}: {before:?}");
        copy.replace(file, old, new);
        let broken = broken_rules(&copy.path().join(file));
        assert!(
            broken.contains(rule),
            "{rule} stays green for {new:?} in {file}: {broken:?}"
        );
    }
}

#[test]
fn no_rule_for_cfn_guard_has_never_been_red() {
    let text = std::fs::read_to_string(rules()).unwrap();
    let written: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("rule "))
        .filter_map(|line| line.split([' ', '{']).next())
        .collect();
    let seen: BTreeSet<&str> = GUARDED.iter().map(|(rule, ..)| *rule).collect();
    assert_eq!(written, seen);
}

#[test]
fn every_convention_over_resolved_templates_turns_red() {
    for (fault, file, old, new) in RESOLVED {
        let copy = Copy::new();
        copy.replace(file, old, new);
        let faults = conventions::faults_around(copy.path(), file).into_vec();
        assert!(
            faults.iter().any(|one| one.contains(fault)),
            "no fault says {fault:?} for {new:?} in {file}: {faults:#?}"
        );
    }
}

/// The twin of `no_rule_for_cfn_guard_has_never_been_red`, by the place of each check.
#[test]
fn no_convention_over_resolved_templates_has_never_been_red() {
    let whole = conventions::faults(repository());
    let mut red = BTreeSet::new();
    for (_, file, old, new) in RESOLVED {
        let copy = Copy::new();
        copy.replace(file, old, new);
        let faults = conventions::faults_around(copy.path(), file);
        red.extend(faults.red().iter().cloned());
    }
    let never: Vec<&String> = whole.looked().difference(&red).collect();
    assert!(never.is_empty(), "never seen red: {never:#?}");
}

#[test]
fn what_is_not_needed_is_documented() {
    for (name, actions, _) in NOT_NEEDED {
        let mut programs = POLICIES.iter().map(|(.., program)| program);
        let program = programs.find(|program| program.name == name).unwrap();
        for action in actions {
            let documented = program.permissions.iter().any(|one| one.action == *action);
            assert!(documented, "{name} does not document {action} any more");
        }
    }
}

#[test]
fn the_validators_turn_red() {
    if let Some(missing) = missing_validator() {
        return harness::missing(&missing);
    }
    for (part, said, file, old, new) in CHECKED {
        let copy = Copy::new();
        copy.replace(file, old, new);
        if part != "files" {
            copy.keep_template(file);
        }
        let output = check(copy.path(), part);
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(
            !output.status.success(),
            "{new:?} in {file} is fine: {text}"
        );
        assert!(
            text.contains(said),
            "nothing says {said:?} for {new:?} in {file}: {text}"
        );
    }
}

#[test]
fn a_template_that_outgrows_a_request_turns_red() {
    if let Some(missing) = missing_validator() {
        return harness::missing(&missing);
    }
    let copy = Copy::new();
    let padding = format!("# {}\n", "x".repeat(78)).repeat(700);
    copy.replace(
        ALARMS,
        "AWSTemplateFormatVersion",
        &format!("{padding}AWSTemplateFormatVersion"),
    );
    let output = check(copy.path(), "files");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("51200 fit into a request"), "{text}");
}
