//! The action providers of CodePipeline, and the settings that each takes.
//!
//! Source: CodePipeline user guide, "Action structure reference" with its page for each provider, and
//! "Configuration details by provider type". A provider whose page was not read to the end is `open`: nothing
//! is said about a setting of it that is not listed here.

/// A provider.
#[derive(Debug, Clone, Copy)]
pub struct Provider {
    /// The categories under which it stands.
    pub categories: &'static [&'static str],
    /// `AWS`, `ThirdParty` or `Custom`.
    pub owner: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub settings: &'static [Setting],
    /// Whether it may take more than is listed here.
    pub open: bool,
}

/// A setting of a provider's actions.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its key.
    pub name: &'static str,
    /// When it must be there.
    pub need: Need,
    /// What its value is.
    pub kind: Kind,
}

/// When a setting must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Always.
    Always,
    /// Where another setting has one of these values.
    When(&'static str, &'static [&'static str]),
    /// Where the action has several input artifacts.
    SeveralInputs,
    /// Never.
    Optional,
}

/// What the value of a setting is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// `true` or `false`.
    Boolean,
    /// A whole number in this range.
    Number(u32, u32),
    /// One of these.
    OneOf(&'static [&'static str]),
    /// Some of these, with a comma between them.
    SomeOf(&'static [&'static str]),
    /// JSON: a list of a build's variables, each with `name`, `value` and perhaps `type`.
    BuildVariables,
    /// `Artifact::path`.
    ArtifactPath,
    /// `Artifact::path`, or a text that holds the value itself.
    TextOrArtifactPath,
    /// The name of an input artifact.
    ArtifactName,
    /// A file in the input artifact that another setting names, by the default name when it is not given.
    FileOf(&'static str, &'static str),
    /// A file in the first input artifact.
    File,
}

const fn setting(name: &'static str, need: Need, kind: Kind) -> Setting {
    Setting { name, need, kind }
}

const fn must(name: &'static str) -> Setting {
    setting(name, Need::Always, Kind::Text)
}

const fn may(name: &'static str) -> Setting {
    setting(name, Need::Optional, Kind::Text)
}

const fn switch(name: &'static str) -> Setting {
    setting(name, Need::Optional, Kind::Boolean)
}

const fn of_aws(
    categories: &'static [&'static str],
    name: &'static str,
    settings: &'static [Setting],
) -> Provider {
    Provider {
        categories,
        owner: "AWS",
        name,
        settings,
        open: false,
    }
}

const fn open(
    categories: &'static [&'static str],
    owner: &'static str,
    name: &'static str,
    settings: &'static [Setting],
) -> Provider {
    Provider {
        categories,
        owner,
        name,
        settings,
        open: true,
    }
}

use Kind::{
    ArtifactName, ArtifactPath, Boolean, BuildVariables, File, FileOf, Number, OneOf, SomeOf, Text,
    TextOrArtifactPath,
};
use Need::{Always, Optional, SeveralInputs, When};

/// The categories of actions.
pub const CATEGORIES: [&str; 7] = [
    "Source", "Build", "Test", "Deploy", "Approval", "Invoke", "Compute",
];

/// The owners of action kinds.
pub const OWNERS: [&str; 3] = ["AWS", "ThirdParty", "Custom"];

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
const FORMATS: &[&str] = &["CODE_ZIP", "CODEBUILD_CLONE_REF"];
/// Where the value of a build's variable is.
pub const VARIABLE_TYPES: [&str; 3] = ["PLAINTEXT", "PARAMETER_STORE", "SECRETS_MANAGER"];
const PERCENT: Kind = Number(0, 100);

/// The providers, by category.
pub static PROVIDERS: &[Provider] = &[
    of_aws(
        &["Source"],
        "S3",
        &[
            must("S3Bucket"),
            must("S3ObjectKey"),
            switch("PollForSourceChanges"),
            switch("AllowOverrideForS3ObjectKey"),
        ],
    ),
    of_aws(
        &["Source"],
        "CodeCommit",
        &[
            must("RepositoryName"),
            must("BranchName"),
            switch("PollForSourceChanges"),
            setting("OutputArtifactFormat", Optional, OneOf(FORMATS)),
        ],
    ),
    of_aws(
        &["Source"],
        "CodeStarSourceConnection",
        &[
            must("ConnectionArn"),
            must("FullRepositoryId"),
            must("BranchName"),
            setting("OutputArtifactFormat", Optional, OneOf(FORMATS)),
            switch("DetectChanges"),
        ],
    ),
    of_aws(
        &["Source"],
        "ECR",
        &[must("RepositoryName"), may("ImageTag")],
    ),
    open(
        &["Source"],
        "ThirdParty",
        "GitHub",
        &[
            must("Owner"),
            must("Repo"),
            must("Branch"),
            must("OAuthToken"),
            switch("PollForSourceChanges"),
        ],
    ),
    of_aws(
        &["Build", "Test"],
        "CodeBuild",
        &[
            must("ProjectName"),
            setting("PrimarySource", SeveralInputs, ArtifactName),
            switch("BatchEnabled"),
            switch("CombineArtifacts"),
            setting("EnvironmentVariables", Optional, BuildVariables),
        ],
    ),
    open(
        &["Build"],
        "AWS",
        "ECRBuildAndPublish",
        &[
            must("ECRRepositoryName"),
            may("DockerFilePath"),
            may("ImageTags"),
            may("RegistryType"),
        ],
    ),
    of_aws(
        &["Test"],
        "DeviceFarm",
        &[
            setting("AppType", Always, OneOf(&["iOS", "Android"])),
            must("ProjectId"),
            must("App"),
            may("AppiumVersion"),
            must("DevicePoolArn"),
            must("TestType"),
            switch("RadioBluetoothEnabled"),
            switch("RecordAppPerformanceData"),
            switch("RecordVideo"),
            switch("RadioWifiEnabled"),
            switch("RadioNfcEnabled"),
            switch("RadioGpsEnabled"),
            may("Test"),
            setting("FuzzEventCount", Optional, Number(1, 10_000)),
            setting("FuzzEventThrottle", Optional, Number(1, 1_000)),
            may("FuzzRandomizerSeed"),
            may("CustomHostMachineArtifacts"),
            may("CustomDeviceArtifacts"),
            switch("UnmeteredDevicesOnly"),
            setting("JobTimeoutMinutes", Optional, Number(1, u32::MAX)),
            may("Latitude"),
            may("Longitude"),
        ],
    ),
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
    ),
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
    ),
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
    ),
    of_aws(
        &["Deploy"],
        "CodeDeploy",
        &[must("ApplicationName"), must("DeploymentGroupName")],
    ),
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
    ),
    of_aws(
        &["Deploy"],
        "ElasticBeanstalk",
        &[must("ApplicationName"), must("EnvironmentName")],
    ),
    open(&["Deploy"], "AWS", "OpsWorks", &[]),
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
    ),
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
    ),
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
    ),
    open(
        &["Deploy"],
        "AWS",
        "EC2",
        &[
            must("InstanceTagKey"),
            may("InstanceTagValue"),
            setting("InstanceType", Always, OneOf(&["EC2", "SSM_MANAGED_NODE"])),
            may("TargetDirectory"),
            may("DeploySpec"),
            may("MaxBatch"),
            may("MaxError"),
            may("TargetGroupNameList"),
            may("PreScript"),
            may("PostScript"),
        ],
    ),
    open(
        &["Deploy"],
        "AWS",
        "EKS",
        &[
            must("ClusterName"),
            may("HelmReleaseName"),
            may("HelmChartLocation"),
            may("HelmValuesFiles"),
            may("ManifestFiles"),
            may("Namespace"),
            may("Subnets"),
            may("SecurityGroupIds"),
        ],
    ),
    open(&["Deploy"], "AWS", "Lambda", &[must("FunctionName")]),
    open(&["Deploy"], "ThirdParty", "AlexaSkillsKit", &[]),
    of_aws(
        &["Approval"],
        "Manual",
        &[
            may("CustomData"),
            may("ExternalEntityLink"),
            may("NotificationArn"),
        ],
    ),
    of_aws(
        &["Invoke"],
        "Lambda",
        &[must("FunctionName"), may("UserParameters")],
    ),
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
    open(
        &["Invoke"],
        "AWS",
        "InspectorScan",
        &[
            setting(
                "InspectorRunMode",
                Always,
                OneOf(&["SourceCodeScan", "ECRImageScan"]),
            ),
            may("ECRRepositoryName"),
            may("ImageTag"),
            may("CriticalThreshold"),
            may("HighThreshold"),
            may("MediumThreshold"),
            may("LowThreshold"),
        ],
    ),
    open(&["Invoke"], "AWS", "CodePipeline", &[must("PipelineName")]),
    open(&["Invoke"], "ThirdParty", "Snyk", &[]),
    open(&["Compute"], "AWS", "Commands", &[]),
];

impl Provider {
    /// The setting of that key.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&'static Setting> {
        self.settings.iter().find(|one| one.name == key)
    }
}

/// The provider of an action; nothing for one that is not known here.
#[must_use]
pub fn provider(category: &str, owner: &str, name: &str) -> Option<&'static Provider> {
    PROVIDERS
        .iter()
        .find(|one| one.name == name && one.owner == owner && one.categories.contains(&category))
}
