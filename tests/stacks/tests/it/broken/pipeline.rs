//! The pipeline, broken.

pub(super) mod roles;

use super::{Change, Validated};

const PIPELINE: &str = "cfn/pipeline.yml";

pub(super) const GUARDED: &[Change] = &[
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
        "            StringEquals: {aws:SourceAccount: !Ref AWS::AccountId}\n            ArnLike",
        "            ArnLike",
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
        "roles_pass_exact_roles",
        PIPELINE,
        "Action: iam:PassRole\n              Resource: !Sub 'arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${AppStackName}-${AWS::Region}-instance'",
        "Action: iam:PassRole\n              Resource: !Sub 'arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${AppStackName}-InstanceRole-*'",
    ),
    (
        "roles_pass_exact_roles",
        PIPELINE,
        "              Condition: {StringEquals: {iam:PassedToService: ec2.amazonaws.com}}\n",
        "",
    ),
    (
        "roles_pass_exact_roles",
        PIPELINE,
        "Action: [iam:AttachRolePolicy, iam:DetachRolePolicy]",
        "Action: [iam:AttachRolePolicy, iam:DetachRolePolicy, iam:PassRole]",
    ),
    (
        "policies_pass_exact_roles",
        PIPELINE,
        "          Action: iam:PassRole\n          Resource: !GetAtt CloudFormationRole.Arn",
        "          Action: iam:PassRole\n          Resource: '*'",
    ),
    (
        "policies_pass_exact_roles",
        PIPELINE,
        "          Condition: {StringEquals: {iam:PassedToService: cloudformation.amazonaws.com}}\n",
        "",
    ),
];

pub(super) const RESOLVED: &[Change] = &[
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
        "CAPABILITY_NAMED_IAM",
        PIPELINE,
        "Capabilities: CAPABILITY_NAMED_IAM",
        "Capabilities: CAPABILITY_AUTO_EXPAND",
    ),
    (
        "CAPABILITY_NAMED_IAM is not acknowledged",
        PIPELINE,
        "Capabilities: CAPABILITY_NAMED_IAM",
        "Capabilities: CAPABILITY_IAM",
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
        "MAKE_AMI_SCAN for report",
        PIPELINE,
        "HasAmiScan: !Not [!Equals [!Ref AmiScan, 'off']]",
        "HasAmiScan: !Equals [!Ref AmiScan, gate]",
    ),
    (
        "the role has images scanned: true, for off",
        PIPELINE,
        "        - !If\n          - HasAmiScan\n          - PolicyName: make-ami-scan",
        "        - !If\n          - HasAmiBuild\n          - PolicyName: make-ami-scan",
    ),
    (
        "settings of the worker that keeps 4",
        PIPELINE,
        "\"MAKE_AMI_SCAN\":\"${AmiScan}\"",
        "\"MAKE_AMI_SCAN\":\"report\"",
    ),
    (
        "settings of the worker that keeps 0",
        PIPELINE,
        "                  MAKE_AMI_TIMEOUT: !FindInMap [ImageDeadlines, !Ref ImageHours, Program]",
        "                  MAKE_AMI_TIMEOUT: 6h",
    ),
    (
        "action with worker",
        PIPELINE,
        "Owner: Custom, Provider: MakeAmi",
        "Owner: Custom, Provider: MakeImage",
    ),
    (
        "AmiRole exists: true, with worker",
        PIPELINE,
        "  AmiRole:\n    Type: AWS::IAM::Role\n    Condition: HasAmiBuild\n",
        "  AmiRole:\n    Type: AWS::IAM::Role\n",
    ),
    (
        "WarmRole exists without a warm start",
        PIPELINE,
        "  WarmRole:\n    Type: AWS::IAM::Role\n    Condition: HasWarmSnapshot\n",
        "  WarmRole:\n    Type: AWS::IAM::Role\n",
    ),
    (
        "when the warm start runs",
        PIPELINE,
        "              - Name: Warm\n",
        "              - Name: Warm\n                RunOrder: 2\n",
    ),
    (
        "AMI_NAME of the warm start, with worker",
        PIPELINE,
        "Value: !If [HasAmiBuild, !Sub '${AppStackName}-{utc}-{build}', !Sub '${AppStackName}-{utc}']",
        "Value: !Sub '${AppStackName}-{utc}-{build}'",
    ),
    (
        "MAKE_AMI_RUN of the warm start, with codebuild",
        PIPELINE,
        "                  ProjectName: !Ref WarmProject\n                  EnvironmentVariables: '[{\"name\":\"MAKE_AMI_RUN\",\"value\":\"#{codepipeline.PipelineExecutionId}\"}]'\n",
        "                  ProjectName: !Ref WarmProject\n",
    ),
    (
        "what the warm start may do",
        PIPELINE,
        "Action: ec2:CreateSnapshots",
        "Action: [ec2:CreateSnapshots, ec2:CreateImage]",
    ),
    (
        "whose volumes the warm start may snapshot",
        PIPELINE,
        "              Action: ec2:CreateSnapshots\n              Resource:\n                - !Sub 'arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:instance/${InstanceId}'\n",
        "              Action: ec2:CreateSnapshots\n              Resource:\n                - !Sub 'arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:instance/*'\n",
    ),
    (
        "CodePipeline may run the build: true, with worker",
        PIPELINE,
        "!If [HasAmiBuild, !Sub",
        "!If [HasSourceAccountConditions, !Sub",
    ),
    (
        "make-ami waits 43200s",
        PIPELINE,
        "'8': {Build: '480', Program: 7h}",
        "'8': {Build: '480', Program: 12h}",
    ),
    (
        "make-ami waits 126000s",
        PIPELINE,
        "TimeoutInMinutes: !FindInMap [ImageDeadlines, !Ref ImageHours, Build]",
        "TimeoutInMinutes: 480",
    ),
    (
        "make-ami gives up after 25200s",
        PIPELINE,
        "{Name: MAKE_AMI_TIMEOUT, Value: !FindInMap [ImageDeadlines, !Ref ImageHours, Program]}",
        "{Name: MAKE_AMI_TIMEOUT, Value: 7h}",
    ),
    (
        "a build of 2280 minutes is refused",
        PIPELINE,
        "'36': {Build: '2160', Program: 35h}",
        "'36': {Build: '2280', Program: 35h}",
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
];

pub(super) const CHECKED: &[Validated] = &[
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
        "Action: [ec2:StartInstances, ec2:GetConsoleOutput]",
        "Action: [ec2:BeginInstances, ec2:GetConsoleOutput]",
    ),
];
