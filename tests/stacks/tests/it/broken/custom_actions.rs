//! The action types and the worker's policy, broken.

use super::Change;

const ACTIONS: &str = "cfn/custom-actions.yml";

pub(super) const RESOLVED: &[Change] = &[
    (
        "registered type of the worker's action",
        ACTIONS,
        "      Provider: MakeAmi\n      Version: '1'",
        "      Provider: MakeAmi\n      Version: '2'",
    ),
    (
        "the action type MakeAmi declares no MAKE_AMI_KEEP",
        ACTIONS,
        "- Name: MAKE_AMI_KEEP",
        "- Name: MAKE_AMI_KEPT",
    ),
    (
        "RetireImages, as AmiRole has it",
        ACTIONS,
        "[ec2:EnableImageDeprecation, ec2:DisableImage]",
        "ec2:EnableImageDeprecation",
    ),
    (
        "and IAM takes 6144",
        ACTIONS,
        "${AWS::Partition}",
        "${AWS::Partition}${AWS::StackId}${AWS::StackId}${AWS::StackId}${AWS::StackId}${AWS::StackId}${AWS::StackId}${AWS::StackId}${AWS::StackId}${AWS::StackId}${AWS::StackId}${AWS::StackId}${AWS::StackId}",
    ),
];
