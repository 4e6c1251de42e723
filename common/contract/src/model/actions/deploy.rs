//! Deployments.

use super::provider::Kind::{
    ArtifactName, ArtifactPath, Boolean, File, FileOf, Number, OneOf, SomeOf, Text,
    TextOrArtifactPath,
};
use super::provider::Need::{Always, NoInput, Optional, When, With, Without};
use super::provider::{Kind, Provider, may, must, of_aws, open, setting};

/// What a CloudFormation action does with a stack.
pub const ACTION_MODES: [&str; 5] = [
    "CHANGE_SET_EXECUTE",
    "CHANGE_SET_REPLACE",
    "CREATE_UPDATE",
    "DELETE_ONLY",
    "REPLACE_ON_FAILURE",
];

const CAPABILITIES: &[&str] = &[
    "CAPABILITY_IAM",
    "CAPABILITY_NAMED_IAM",
    "CAPABILITY_AUTO_EXPAND",
];
const PERCENT: Kind = Kind::Number(0, 100);

pub(super) static ALL: &[Provider] = &[
    of_aws(
        &["Deploy"],
        "CloudFormation",
        &[
            setting("ActionMode", Always, OneOf(&ACTION_MODES)),
            must("StackName"),
            setting("Capabilities", Optional, SomeOf(CAPABILITIES)),
            setting(
                "ChangeSetName",
                When("ActionMode", &["CHANGE_SET_REPLACE", "CHANGE_SET_EXECUTE"]),
                Text,
            ),
            // P405 says when it must be there.
            may("RoleArn"),
            setting(
                "TemplatePath",
                When(
                    "ActionMode",
                    &["CREATE_UPDATE", "REPLACE_ON_FAILURE", "CHANGE_SET_REPLACE"],
                ),
                ArtifactPath,
            ),
            setting("TemplateConfiguration", Optional, ArtifactPath),
            may("OutputFileName"),
            // P402 looks into it.
            may("ParameterOverrides"),
        ],
    )
    .takes((0, 10), (0, 1)),
    of_aws(
        &["Deploy"],
        "CloudFormationStackSet",
        &[
            must("StackSetName"),
            may("Description"),
            setting("TemplatePath", Always, ArtifactPath),
            setting("Parameters", Optional, TextOrArtifactPath),
            setting("Capabilities", Optional, SomeOf(CAPABILITIES)),
            setting(
                "PermissionModel",
                Optional,
                OneOf(&["SELF_MANAGED", "SERVICE_MANAGED"]),
            ),
            may("AdministrationRoleArn"),
            may("ExecutionRoleName"),
            setting(
                "OrganizationsAutoDeployment",
                Optional,
                OneOf(&["Enabled", "Disabled", "EnabledWithStackRetention"]),
            ),
            setting("DeploymentTargets", Optional, TextOrArtifactPath),
            may("Regions"),
            setting("FailureTolerancePercentage", Optional, PERCENT),
            setting("MaxConcurrentPercentage", Optional, PERCENT),
            setting("CallAs", Optional, OneOf(&["SELF", "DELEGATED_ADMIN"])),
        ],
    )
    .takes((1, 3), (0, 0)),
    of_aws(
        &["Deploy"],
        "CloudFormationStackInstances",
        &[
            must("StackSetName"),
            setting("DeploymentTargets", Optional, TextOrArtifactPath),
            must("Regions"),
            setting("ParameterOverrides", Optional, TextOrArtifactPath),
            setting("FailureTolerancePercentage", Optional, PERCENT),
            setting("MaxConcurrentPercentage", Optional, PERCENT),
            setting("CallAs", Optional, OneOf(&["SELF", "DELEGATED_ADMIN"])),
        ],
    )
    .takes((0, 2), (0, 0)),
    of_aws(
        &["Deploy"],
        "CodeDeploy",
        &[must("ApplicationName"), must("DeploymentGroupName")],
    )
    .takes((1, 1), (0, 0)),
    of_aws(
        &["Deploy"],
        "CodeDeployToECS",
        &[
            must("ApplicationName"),
            must("DeploymentGroupName"),
            setting("TaskDefinitionTemplateArtifact", Always, ArtifactName),
            setting("AppSpecTemplateArtifact", Always, ArtifactName),
            setting(
                "AppSpecTemplatePath",
                Optional,
                FileOf("AppSpecTemplateArtifact", "appspec.yaml"),
            ),
            setting(
                "TaskDefinitionTemplatePath",
                Optional,
                FileOf("TaskDefinitionTemplateArtifact", "taskdef.json"),
            ),
            setting("Image1ArtifactName", Optional, ArtifactName),
            may("Image1ContainerName"),
            setting("Image2ArtifactName", Optional, ArtifactName),
            may("Image2ContainerName"),
            setting("Image3ArtifactName", Optional, ArtifactName),
            may("Image3ContainerName"),
            setting("Image4ArtifactName", Optional, ArtifactName),
            may("Image4ContainerName"),
        ],
    ),
    of_aws(
        &["Deploy"],
        "ECS",
        &[
            must("ClusterName"),
            must("ServiceName"),
            setting("FileName", Optional, File),
            setting("DeploymentTimeout", Optional, Number(1, 60)),
        ],
    )
    .takes((1, 1), (0, 0)),
    of_aws(
        &["Deploy"],
        "ElasticBeanstalk",
        &[must("ApplicationName"), must("EnvironmentName")],
    )
    .takes((1, 1), (0, 0)),
    of_aws(
        &["Deploy"],
        "OpsWorks",
        &[must("Stack"), must("App"), may("Layer")],
    )
    .takes((1, 1), (0, 0)),
    of_aws(
        &["Deploy"],
        "S3",
        &[
            must("BucketName"),
            setting("Extract", Always, Boolean),
            setting("ObjectKey", When("Extract", &["false"]), Text),
            may("KMSEncryptionKeyARN"),
            setting(
                "CannedACL",
                Optional,
                OneOf(&[
                    "private",
                    "public-read",
                    "public-read-write",
                    "authenticated-read",
                    "aws-exec-read",
                    "bucket-owner-read",
                    "bucket-owner-full-control",
                ]),
            ),
            may("CacheControl"),
        ],
    )
    .takes((1, 1), (0, 0)),
    of_aws(
        &["Deploy"],
        "ServiceCatalog",
        &[
            setting("TemplateFilePath", Optional, File),
            may("ProductVersionName"),
            may("ProductType"),
            may("ProductVersionDescription"),
            must("ProductId"),
            setting("ConfigurationFilePath", Optional, File),
        ],
    )
    .takes((1, 1), (0, 0)),
    of_aws(
        &["Deploy"],
        "AppConfig",
        &[
            must("Application"),
            must("Environment"),
            must("ConfigurationProfile"),
            setting("InputArtifactConfigurationPath", Always, File),
            may("DeploymentStrategy"),
        ],
    )
    .takes((1, 1), (0, 0)),
    of_aws(
        &["Deploy"],
        "EC2",
        &[
            must("InstanceTagKey"),
            may("InstanceTagValue"),
            setting("InstanceType", Always, OneOf(&["EC2", "SSM_MANAGED_NODE"])),
            setting("DeploySpec", Optional, File),
            setting("TargetDirectory", Without("DeploySpec"), Text),
            may("PreScript"),
            setting("PostScript", Without("DeploySpec"), Text),
            may("MaxBatch"),
            may("MaxError"),
            may("TargetGroupNameList"),
        ],
    )
    .takes((1, 1), (0, 0)),
    of_aws(
        &["Deploy"],
        "EKS",
        &[
            must("ClusterName"),
            setting("HelmReleaseName", With("HelmChartLocation"), Text),
            setting("HelmChartLocation", With("HelmReleaseName"), Text),
            may("HelmValuesFiles"),
            setting("ManifestFiles", Without("HelmChartLocation"), Text),
            may("Namespace"),
            may("Subnets"),
            may("SecurityGroupIds"),
        ],
    )
    .takes((1, 1), (0, 0)),
    of_aws(
        &["Deploy"],
        "Lambda",
        &[
            must("FunctionName"),
            may("FunctionAlias"),
            setting("PublishedTargetVersion", NoInput, Text),
            // AllAtOnce, Canary10Percent5Minutes or Linear10PercentEvery1Minute, with any numbers.
            setting("DeployStrategy", Optional, Text),
            may("Alarms"),
        ],
    )
    .takes((0, 1), (0, 0)),
    open(&["Deploy"], "ThirdParty", "AlexaSkillsKit", &[]).takes((1, 2), (0, 0)),
];
