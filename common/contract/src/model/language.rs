//! The words of CloudFormation's template language. A test compares them with the newest cfn-lint.

/// The sections of a template.
/// Source: CloudFormation user guide, "Template sections".
pub const SECTIONS: [&str; 11] = [
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Rules",
    "Mappings",
    "Conditions",
    "Transform",
    "Resources",
    "Outputs",
    "Hooks",
];

/// The attributes of a resource.
/// Source: CloudFormation template reference, "Resource attribute reference". `Version` is a custom resource's,
/// `Description` is taken and ignored.
pub const ATTRIBUTES: [&str; 11] = [
    "Type",
    "Properties",
    "DependsOn",
    "Condition",
    "Metadata",
    "CreationPolicy",
    "UpdatePolicy",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "Description",
    "Version",
];

/// The parts of an UpdatePolicy.
/// Source: CloudFormation template reference, "UpdatePolicy attribute".
pub const UPDATE_POLICY: [&str; 10] = [
    "AutoScalingInstanceRefresh",
    "AutoScalingReplacingUpdate",
    "AutoScalingRollingUpdate",
    "AutoScalingScheduledAction",
    "CodeDeployLambdaAliasUpdate",
    "EnableVersionUpgrade",
    "IgnoreUnmodifiedGroupSizeProperties",
    "StartAfterUpdate",
    "StopBeforeUpdate",
    "UseOnlineResharding",
];

/// The pseudo parameters.
/// Source: CloudFormation template reference, "Pseudo parameters reference".
pub const PSEUDO_PARAMETERS: [&str; 8] = [
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

/// The functions; `Fn::ForEach` has a name behind it. Those of `Rules` are among them.
/// Source: CloudFormation template reference, "Intrinsic function reference", "Rule-specific intrinsic
/// functions".
pub const FUNCTIONS: [&str; 28] = [
    "Condition",
    "Fn::And",
    "Fn::Base64",
    "Fn::Cidr",
    "Fn::Contains",
    "Fn::EachMemberEquals",
    "Fn::EachMemberIn",
    "Fn::Equals",
    "Fn::FindInMap",
    "Fn::ForEach",
    "Fn::GetAZs",
    "Fn::GetAtt",
    "Fn::GetStackOutput",
    "Fn::If",
    "Fn::ImportValue",
    "Fn::Join",
    "Fn::Length",
    "Fn::Not",
    "Fn::Or",
    "Fn::RefAll",
    "Fn::Select",
    "Fn::Split",
    "Fn::Sub",
    "Fn::ToJsonString",
    "Fn::Transform",
    "Fn::ValueOf",
    "Fn::ValueOfAll",
    "Ref",
];
