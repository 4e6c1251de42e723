//! Approvals, invocations and commands.

use super::provider::Kind::{JsonList, Number, OneOf, Text};
use super::provider::Need::{Always, Optional, When};
use super::provider::{Provider, may, must, of_aws, open, setting};

pub(super) static ALL: &[Provider] = &[
    of_aws(
        &["Approval"],
        "Manual",
        &[
            may("CustomData"),
            may("ExternalEntityLink"),
            may("NotificationArn"),
        ],
    )
    .takes((0, 0), (0, 0)),
    of_aws(
        &["Invoke"],
        "Lambda",
        &[must("FunctionName"), may("UserParameters")],
    )
    .takes((0, 5), (0, 5)),
    of_aws(
        &["Invoke"],
        "StepFunctions",
        &[
            must("StateMachineArn"),
            may("ExecutionNamePrefix"),
            setting("InputType", Optional, OneOf(&["Literal", "FilePath"])),
            setting("Input", When("InputType", &["FilePath"]), Text),
        ],
    ),
    of_aws(
        &["Invoke"],
        "InspectorScan",
        &[
            setting(
                "InspectorRunMode",
                Always,
                OneOf(&["SourceCodeScan", "ECRImageScan"]),
            ),
            may("ECRRepositoryName"),
            may("ImageTag"),
            setting("CriticalThreshold", Optional, Number(0, u32::MAX)),
            setting("HighThreshold", Optional, Number(0, u32::MAX)),
            setting("MediumThreshold", Optional, Number(0, u32::MAX)),
            setting("LowThreshold", Optional, Number(0, u32::MAX)),
        ],
    )
    .takes((0, 1), (1, 1)),
    of_aws(
        &["Invoke"],
        "CodePipeline",
        &[
            must("PipelineName"),
            setting("SourceRevisions", Optional, JsonList),
            setting("Variables", Optional, JsonList),
        ],
    )
    .takes((0, 0), (0, 0)),
    open(&["Invoke"], "ThirdParty", "Snyk", &[]),
    open(
        &["Compute"],
        "AWS",
        "Commands",
        &[
            may("EnvironmentType"),
            may("ComputeType"),
            may("VpcId"),
            may("Subnets"),
            may("SecurityGroupIds"),
        ],
    )
    .takes((1, 10), (0, 1)),
];
