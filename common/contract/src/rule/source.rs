//! Where rules come from: pages that several rules rest on.

pub(crate) const YAML: &str = "https://yaml.org/spec/1.2.2/";
pub(crate) const YAML_11: &str = "https://yaml.org/type/";
pub(crate) const FORMATS: &str =
    "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html";
pub(crate) const ANATOMY: &str =
    "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html";
pub(crate) const CFN_QUOTAS: &str =
    "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html";
pub(crate) const PARAMETERS: &str = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html";
pub(crate) const REF: &str = "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-ref.html";
pub(crate) const PACKAGE: &str =
    "https://docs.aws.amazon.com/cli/latest/reference/cloudformation/package.html";
pub(crate) const CFN_ARTIFACTS: &str = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/continuous-delivery-codepipeline-cfn-artifacts.html";
pub(crate) const STRUCTURE: &str =
    "https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-pipeline-structure.html";
pub(crate) const VARIABLES: &str =
    "https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-variables.html";
pub(crate) const QUOTAS: &str =
    "https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html";
pub(crate) const CFN_ACTION: &str = "https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CloudFormation.html";
pub(crate) const S3_ACTION: &str =
    "https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-S3.html";
pub(crate) const FUNCTIONS: &str = "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html";
pub(crate) const PROVIDERS: &str =
    "https://docs.aws.amazon.com/codepipeline/latest/userguide/actions-valid-providers.html";
pub(crate) const ACTIONS: &str =
    "https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference.html";
pub(crate) const COMMANDS: &str =
    "https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-Commands.html";
pub(crate) const BUILDSPEC: &str =
    "https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html";
pub(crate) const BUILD_VARIABLES: &str =
    "https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html";
pub(crate) const SHELL: &str =
    "https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html";
/// Where the check itself is described.
pub(crate) const OWN_PAGE: &str = "the section \"Ignores and severities\" of RULES.md";
pub(crate) const WRAPPER: &str = "https://github.com/aws/codecatalyst-runner-cli/tree/e553d02 (command-runner): each item is a script of its own, whose last lines save the environment";
