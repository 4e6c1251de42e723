//! The rules of stage conditions: CodePipeline user guide, "Rule structure reference".

use super::provider::Kind::{ArtifactName, BuildVariables, Number, OneOf, SomeOf};
use super::provider::Need::{Always, Optional, SeveralInputs};
use super::provider::{Provider, may, must, of_aws, open, setting, switch};

pub(super) static ALL: &[Provider] = &[
    of_aws(
        &["Rule"],
        "CloudWatchAlarm",
        &[
            must("AlarmName"),
            setting(
                "AlarmStates",
                Optional,
                SomeOf(&["ALARM", "OK", "INSUFFICIENT_DATA"]),
            ),
            setting("WaitTime", Optional, Number(0, u32::MAX)),
        ],
    ),
    of_aws(
        &["Rule"],
        "CodeBuild",
        &[
            must("ProjectName"),
            setting("PrimarySource", SeveralInputs, ArtifactName),
            switch("BatchEnabled"),
            switch("CombineArtifacts"),
            setting("EnvironmentVariables", Optional, BuildVariables),
        ],
    ),
    open(&["Rule"], "AWS", "Commands", &[]),
    of_aws(
        &["Rule"],
        "DeploymentWindow",
        &[must("Cron"), may("TimeZone")],
    ),
    of_aws(
        &["Rule"],
        "LambdaInvoke",
        &[must("FunctionName"), may("UserParameters")],
    ),
    of_aws(
        &["Rule"],
        "VariableCheck",
        &[
            must("Variable"),
            setting(
                "Operator",
                Always,
                OneOf(&["EQ", "NE", "CONTAINS", "MATCHES"]),
            ),
            must("Value"),
        ],
    ),
];
