//! The rules: a stable code for each thing that can be wrong, why it is wrong, and what to do.
//!
//! A code never changes its meaning and is never used again. The first letter says what is looked
//! at: `Y` text, `T` template, `C` configuration file and parameter values, `P` pipeline, `B` buildspec, `I` ignores and the
//! check's own configuration file.
//! `RULES.md` beside this crate is generated from here, with a failing and a passing example of each.

use crate::finding::{Severity, did_you_mean};
use crate::rules;

/// One rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Such as `P201`.
    pub code: &'static str,
    /// The same in words, such as `unknown-namespace`.
    pub name: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in a sentence.
    pub summary: &'static str,
    /// What to do about it, when a finding has nothing more precise.
    pub fix: &'static str,
    /// Where the rule comes from.
    pub source: &'static str,
}

/// A rule broken and kept, as changes of one small world whose files are in `tests/world`: the text `at` in a
/// file becomes `failing` or `passing`. `⟨N × text⟩` in one stands for that much of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Example {
    /// The rule's code.
    pub code: &'static str,
    /// The file that is changed.
    pub file: &'static str,
    /// The text in it, which stands there once.
    pub at: &'static str,
    /// What breaks the rule.
    pub failing: &'static str,
    /// What keeps it.
    pub passing: &'static str,
}

/// How a rule is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// By an example.
    Example(&'static Example),
    /// In words.
    Words {
        /// What breaks it.
        fails: &'static str,
        /// What keeps it.
        passes: &'static str,
    },
}

impl Rule {
    /// What breaks the rule and what keeps it.
    #[must_use]
    pub fn shown(&self) -> Option<Shown> {
        let example = rules::examples().find(|one| one.code == self.code);
        let in_words = || {
            let (_, fails, passes) = rules::IN_WORDS.iter().find(|one| one.0 == self.code)?;
            Some(Shown::Words { fails, passes })
        };
        example.map(Shown::Example).or_else(in_words)
    }

    /// Everything about the rule, for people.
    #[must_use]
    pub fn explained(&self) -> String {
        let Self {
            code,
            name,
            severity,
            summary,
            fix,
            source,
        } = self;
        let mut text = format!(
            "{code} {name} ({})\n\n{summary}\n\nFix: {fix}.\nSource: {source}\n",
            severity.word()
        );
        match self.shown() {
            Some(Shown::Example(example)) => {
                for (word, change) in [("Fails", example.failing), ("Passes", example.passing)] {
                    let (excerpt, without) = example.excerpt(change);
                    let preposition = if without { ", without" } else { ":" };
                    let lines = excerpt.lines().map(|line| format!("    {line}\n"));
                    let lines: String = lines.collect();
                    text.push_str(&format!(
                        "\n{word}, in {}{preposition}\n\n{lines}",
                        example.file
                    ));
                }
            }
            Some(Shown::Words { fails, passes }) => {
                text.push_str(&format!("\nFails: {fails}.\n\nPasses: {passes}.\n"));
            }
            None => {}
        }
        text
    }
}

impl Example {
    /// A change as it is shown, without the indentation that all its lines have; where nothing is left of them,
    /// what was taken away, and `true`.
    #[must_use]
    pub fn excerpt(&self, change: &str) -> (String, bool) {
        let is_nothing = change.trim().is_empty();
        let text = if is_nothing { self.at } else { change };
        let text = text.trim_matches('\n');
        let indent = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| line.len() - line.trim_start().len())
            .min()
            .unwrap_or(0);
        let lines = text
            .lines()
            .map(|line| line.get(indent..).unwrap_or_default().trim_end());
        (lines.collect::<Vec<_>>().join("\n"), is_nothing)
    }
}

macro_rules! rules {
    ($($severity:ident $ident:ident $code:literal $name:literal $summary:literal $fix:literal $source:expr;)*) => {
        $(
            #[doc = $summary]
            pub static $ident: Rule = Rule {
                code: $code,
                name: $name,
                severity: Severity::$severity,
                summary: $summary,
                fix: $fix,
                source: $source,
            };
        )*
        /// Those that have no file of their own yet.
        static TABLE: &[&Rule] = &[$(&$ident),*];
    };
}

const YAML: &str = "https://yaml.org/spec/1.2.2/";
pub(crate) const YAML_11: &str = "https://yaml.org/type/";
pub(crate) const FORMATS: &str =
    "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html";
pub(crate) const ANATOMY: &str =
    "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html";
const CFN_QUOTAS: &str =
    "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html";
const PARAMETERS: &str = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html";
pub(crate) const REF: &str = "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-ref.html";
const PACKAGE: &str =
    "https://docs.aws.amazon.com/cli/latest/reference/cloudformation/package.html";
const CFN_ARTIFACTS: &str = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/continuous-delivery-codepipeline-cfn-artifacts.html";
pub(crate) const STRUCTURE: &str =
    "https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-pipeline-structure.html";
pub(crate) const VARIABLES: &str =
    "https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-variables.html";
pub(crate) const QUOTAS: &str =
    "https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html";
pub(crate) const CFN_ACTION: &str = "https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CloudFormation.html";
const S3_ACTION: &str =
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
const BUILD_VARIABLES: &str =
    "https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html";
pub(crate) const SHELL: &str =
    "https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html";
/// Where the check itself is described.
pub(crate) const OWN_PAGE: &str = "the section \"Ignores and severities\" of RULES.md";
const WRAPPER: &str = "https://github.com/aws/codecatalyst-runner-cli/tree/e553d02 (command-runner): each item is a script of its own, whose last lines save the environment";

rules! {
    Error SYNTAX "Y001" "syntax"
        "The text is not UTF-8, or neither YAML nor JSON."
        "correct the text at this place" YAML;
    Error SECOND_DOCUMENT "Y002" "second-document"
        "A second YAML document begins in the file."
        "keep one document a file; remove the `---` line" FORMATS;
    Warning DUPLICATE_KEY "Y003" "duplicate-key"
        "A key stands twice in one mapping: CloudFormation takes the last, other readers refuse."
        "remove or rename one of them" YAML;
    Error KEY_NOT_TEXT "Y004" "key-not-text"
        "A key of a mapping is a list or a mapping."
        "quote it if it begins with `[`, `{` or `*`" FORMATS;
    Error TOO_MANY_VALUES "Y005" "too-many-values"
        "Aliases of aliases grow the document without bound."
        "write the values out" FORMATS;
    Warning BOOLEAN_WORD "Y101" "boolean-word"
        "An unquoted yes, no, on or off is a boolean to a reader of YAML 1.1, as CloudFormation is, and a text to others."
        "quote it" YAML_11;
    Warning LEADING_ZERO "Y102" "leading-zero"
        "An unquoted number that begins with 0 is octal to a reader of YAML 1.1 and loses its zero: 012 becomes 10."
        "quote it" YAML_11;
    Warning ACCOUNT_ID "Y103" "account-id"
        "An unquoted account id, by the key it stands under, is a number: tools that write it again drop its zeros or turn it into 1.1e+11."
        "quote it" "https://github.com/aws/serverless-application-model/issues/91";
    Warning BASE_SIXTY "Y104" "base-sixty"
        "Unquoted digits with colons are a number in base 60 to a reader of YAML 1.1: 22:30 becomes 1350."
        "quote it" YAML_11;
    Error MERGE_KEY "Y105" "merge-key"
        "CloudFormation takes no merge key (`<<`)."
        "write the entries out, or let package-template do it with --expand-aliases" FORMATS;

    Error NOT_A_TEMPLATE "T001" "not-a-template"
        "The document, or a section of it, is not a mapping."
        "a template is a mapping of sections such as Resources" ANATOMY;
    Error NO_RESOURCES "T002" "no-resources"
        "The template declares no resource."
        "a template declares at least one resource under `Resources:`" ANATOMY;
    Error NO_TYPE "T003" "no-type"
        "A resource or a parameter has no Type."
        "write its type, such as `Type: AWS::S3::Bucket`" ANATOMY;
    Error UNKNOWN_SECTION "T004" "unknown-section"
        "A key at the top is not a section of a template: CloudFormation refuses it with \"Invalid template property or properties\" (seen by others; to be settled with ValidateTemplate)."
        "rename or remove it"
        "https://github.com/Versent/cfn-check/issues/3";
    Error DEFAULT_NOT_TEXT "T005" "default-not-text"
        "The default of a parameter is a list or a mapping."
        "write one text; a list is comma separated" PARAMETERS;
    Error UNKNOWN_ATTRIBUTE "T006" "unknown-attribute"
        "A key beside a resource's Type is not an attribute of resources, or one in its UpdatePolicy is not a part of it; CloudFormation refuses it."
        "move it under Properties, or correct it"
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-product-attribute-reference.html";
    Error LOGICAL_ID "T007" "logical-id"
        "The name of a parameter, a resource or an output has other characters than letters and digits, or more than 255."
        "rename it"
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resources-section-structure.html";
    Warning UNFIT_DEFAULT "T008" "unfit-default"
        "A parameter's default does not fit the parameter's own type or constraints: a stack that is given no other value fails."
        "give a default that the declaration allows, or none" PARAMETERS;
    Error TOO_LARGE "T101" "too-large"
        "The template is larger than 1,000,000 bytes."
        "divide the template into stacks of their own, or nest them" CFN_QUOTAS;
    Note LARGE_BODY "T102" "large-body"
        "The template is larger than 51,200 bytes, which fit into a request; a pipeline and S3 take it."
        "deploy it by way of S3 where no pipeline does" CFN_QUOTAS;
    Error TOO_MANY "T103" "too-many"
        "There are more resources, parameters, outputs or mappings than CloudFormation takes."
        "divide the template into stacks of their own, or nest them" CFN_QUOTAS;
    Error TOO_LONG "T104" "too-long"
        "A description has more than 1,024 bytes, or a parameter's value more than 4,096."
        "shorten it" CFN_QUOTAS;
    Error UNDECLARED "T201" "undeclared-name"
        "A Ref, Fn::GetAtt, Fn::Sub, Fn::FindInMap, DependsOn or condition names what the template does not declare, or a pseudo parameter that does not exist."
        "declare it, or correct the name" REF;
    Error UNRESOLVED "T202" "unresolved-function"
        "A function has the wrong shape, or its result depends on what only an account knows."
        "correct the arguments, or give the value through a parameter"
        FUNCTIONS;
    Warning HARD_CODED_IMAGE "T301" "hard-coded-image"
        "ImageId is a literal AMI id: it exists in one region only, and no pipeline can replace it."
        "declare a parameter of type AWS::EC2::Image::Id and write `ImageId: !Ref` with its name"
        "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/AMIs.html";
    Error LOCAL_PATH "T302" "local-path"
        "A property is a path on this machine, which CloudFormation cannot read (a note where package-template would upload the file and replace the path)."
        "package-template does it where a bucket is named (--bucket, --asset-bucket); any other way to deploy needs a path that CloudFormation can read" PACKAGE;
    Error LOCAL_FILE "T303" "local-file"
        "A local path in the template cannot be packaged: there is no such file, it includes itself, or its folder holds what must not travel."
        "paths are relative to the template's folder" PACKAGE;

    Error NOT_JSON "C001" "not-json"
        "A template configuration file is not a JSON object."
        "a template configuration file is JSON with Parameters, Tags and StackPolicy" CFN_ARTIFACTS;
    Error CONFIGURATION_SECTION "C002" "configuration-section"
        "A key of a template configuration file is none of its sections."
        "the sections are Parameters, Tags and StackPolicy" CFN_ARTIFACTS;
    Error VALUE_NOT_TEXT "C003" "value-not-text"
        "A parameter or tag in a configuration file is not a text."
        "put it in quotes; a list is comma separated" CFN_ARTIFACTS;
    Error UNDECLARED_PARAMETER "C004" "undeclared-parameter"
        "A value is given for a parameter that the template does not declare."
        "CloudFormation refuses a parameter that is not declared" CFN_ACTION;
    Error NO_VALUE "C005" "no-value"
        "A parameter without default is given no value."
        "give it in the configuration file or in ParameterOverrides" PARAMETERS;
    Error WRONG_VALUE "C006" "wrong-value"
        "A value, given or the default, does not fit its parameter's type or constraints (AllowedValues, AllowedPattern, MinLength, MaxLength, MinValue, MaxValue)."
        "give a value that the declaration allows" PARAMETERS;

    Error PIPELINE_SHAPE "P001" "pipeline-shape"
        "Something in the pipeline is missing or of the wrong kind."
        "see the structure of a pipeline" STRUCTURE;
    Error STAGE_COUNT "P002" "stage-count"
        "A pipeline has 2 to 50 stages."
        "divide or complete the pipeline" QUOTAS;
    Error NAME_TWICE "P003" "name-twice"
        "Two stages, or two actions of a stage, have one name."
        "rename one" STRUCTURE;
    Error SOURCE_STAGE "P004" "source-stage"
        "Source actions, and only they, stand in the first stage."
        "move the action" STRUCTURE;
    Error NAMESPACE_NAME "P101" "namespace-name"
        "A namespace is 1 to 100 letters, digits and @ - _."
        "rename it" VARIABLES;
    Error NAMESPACE_RESERVED "P102" "namespace-reserved"
        "The namespaces codepipeline and variables belong to CodePipeline."
        "rename it" VARIABLES;
    Error NAMESPACE_ARTIFACT "P103" "namespace-artifact"
        "A namespace is also the name of an artifact."
        "rename one of the two" VARIABLES;
    Error NAMESPACE_TWICE "P104" "namespace-twice"
        "Two actions have one namespace."
        "namespaces must be unique across the pipeline definition" "https://github.com/aws/aws-cdk/issues/6111";
    Error UNKNOWN_NAMESPACE "P201" "unknown-namespace"
        "A #{namespace.KEY} names a namespace that no action has."
        "give the action that makes the variable this Namespace, or correct the reference" VARIABLES;
    Error NOT_EARLIER "P202" "not-earlier"
        "A #{namespace.KEY} is made by an action that does not run before the one that uses it."
        "use it in a later stage, or in the same stage with a higher RunOrder" VARIABLES;
    Error UNKNOWN_KEY "P203" "unknown-key"
        "A #{namespace.KEY} names a variable that the action does not make, such as one that its buildspec does not export."
        "list it under exported-variables in the buildspec, or correct the reference" VARIABLES;
    Error MALFORMED_REFERENCE "P204" "malformed-reference"
        "A #{…} is not a namespace and a key."
        "write #{namespace.KEY}" VARIABLES;
    Error KEY_NEVER_SET "P205" "key-never-set"
        "A #{namespace.KEY} names a variable that the buildspec exports and nothing in it sets."
        "run the program that makes it, and source its export file in the next item" VARIABLES;
    Error ARTIFACT_NAME "P301" "artifact-name"
        "An artifact's name is 1 to 100 letters, digits, _ and -."
        "rename it" QUOTAS;
    Error ARTIFACT_TWICE "P302" "artifact-twice"
        "Two actions make one artifact."
        "rename one" STRUCTURE;
    Error ARTIFACT_NOT_MADE "P303" "artifact-not-made"
        "No action makes an artifact that another one reads."
        "correct the name, or let an action make it" STRUCTURE;
    Error ARTIFACT_LATER "P304" "artifact-later"
        "An artifact is made by an action that does not run before the one that reads it."
        "move the action, or raise its RunOrder" STRUCTURE;
    Error ARTIFACT_NOT_INPUT "P305" "artifact-not-input"
        "A path names an artifact that the action does not take as input, or is not `Artifact::path`."
        "write `Artifact::path`, and add the artifact to InputArtifacts" CFN_ACTION;
    Error FILE_NOT_IN_ARTIFACT "P306" "file-not-in-artifact"
        "A path of the pipeline is not in the archive: the action would fail with \"File does not exist in artifact\"."
        "package the file under that name, or correct the path" CFN_ACTION;
    Error WRONG_KEY "P307" "wrong-key"
        "No S3 source of the pipeline reads the bucket and the key that package-template writes; `run-pipeline check` writes nothing and does not look for it."
        "let package-template write what the source reads (--bucket, --key), or correct S3Bucket and S3ObjectKey" S3_ACTION;
    Error NOT_ZIPPED "P308" "not-zipped"
        "An S3 source reads a bare template: CodePipeline needs a zip, and actions fail with \"not a valid zip\"."
        "let S3ObjectKey name the zip that package-template writes" S3_ACTION;
    Error SETTING_TOO_LONG "P401" "setting-too-long"
        "A value of an action's configuration has more than 1,000 characters, or ParameterOverrides more than 1 KB."
        "move values to the TemplateConfiguration file or use Fn::GetParam" QUOTAS;
    Error OVERRIDES_NOT_JSON "P402" "overrides-not-json"
        "ParameterOverrides is not a JSON object of texts, Fn::GetParam and Fn::GetArtifactAtt."
        "write a JSON object such as {\"AMIId\":\"#{AMIcreation.AMI_ID}\"}" CFN_ACTION;
    Error POLLING_AND_RULE "P403" "polling-and-rule"
        "An event rule of S3's events starts the pipeline while its source also polls: each change runs twice."
        "write `PollForSourceChanges: 'false'`; left out it means true"
        "https://github.com/awsdocs/aws-codepipeline-user-guide/issues/8";
    Warning REPLACE_ON_FAILURE "P404" "replace-on-failure"
        "REPLACE_ON_FAILURE deletes a stack that failed, with its data; AWS means it for tests."
        "use CREATE_UPDATE" CFN_ACTION;
    Error NO_ROLE "P405" "no-role"
        "A CloudFormation action has no RoleArn, which every mode but CHANGE_SET_EXECUTE needs."
        "add RoleArn with the role that CloudFormation assumes" CFN_ACTION;
    Error CAPABILITIES "P406" "capabilities"
        "The action's Capabilities do not cover what the template holds."
        "add the capability; several are comma separated, without blanks" CFN_ACTION;
    Warning RULE_KEY "P407" "rule-key"
        "The event rule that starts the pipeline watches another object than its source reads."
        "let the rule's detail.object.key and the source's S3ObjectKey be one"
        "https://docs.aws.amazon.com/codepipeline/latest/userguide/create-cloudtrail-S3-source.html";
    Error IMAGE_NOT_USED "P501" "image-not-used"
        "The pipeline passes an image to a parameter that no ImageId of the template refers to: the new image would never run."
        "write `ImageId: !Ref` with the parameter's name" CFN_ACTION;
    Error IMAGE_TYPE "P502" "image-type"
        "The parameter that gets the image has a type that no AMI id fits."
        "declare it as AWS::EC2::Image::Id" PARAMETERS;

    Error BUILDSPEC_SHAPE "B001" "buildspec-shape"
        "Something in the buildspec is missing or of the wrong kind."
        "see the reference of buildspecs" BUILDSPEC;
    Error BUILDSPEC_VERSION "B002" "buildspec-version"
        "The buildspec's version is not 0.2: with 0.1 each command has a shell of its own and exports cannot work (a note where nothing is exported)."
        "write `version: 0.2`" BUILDSPEC;
    Warning UNKNOWN_BUILDSPEC_KEY "B003" "unknown-buildspec-key"
        "A key of the buildspec is not known there and is ignored."
        "correct or remove it" BUILDSPEC;
    Error EXPORT_NAME "B004" "export-name"
        "An exported variable is no shell variable, or begins with AWS_: CodeBuild drops it silently."
        "use letters, digits and _" BUILDSPEC;
    Warning EXPORTED_TWICE "B005" "exported-twice"
        "An exported variable is listed twice."
        "remove one" BUILDSPEC;
    Error RESERVED_VARIABLE "B006" "reserved-variable"
        "A buildspec sets a CODEBUILD_ variable."
        "it may be passed on, not set" BUILD_VARIABLES;
    Warning NEVER_SET "B101" "never-set"
        "A variable is exported and nothing in the buildspec sets it."
        "run the program that makes it, and source its export file in the next item" BUILDSPEC;
    Warning EVAL_SUBSTITUTION "B201" "eval-substitution"
        "eval \"$(…)\" succeeds although the command in it fails."
        "write to a file and source it in the next item: `make-ami --export-file \"$PWD/.exports\"`, then `. \"$PWD/.exports\"`" SHELL;
    Warning EXPORT_SUBSTITUTION "B202" "export-substitution"
        "export X=$(…) succeeds although the command in it fails, and X is empty."
        "assign first, export afterwards: `X=$(…)`, then `export X`" SHELL;
    Warning HIDDEN_FAILURE "B203" "hidden-failure"
        "Of an item with several commands only the last one's status counts; an earlier failure stays unseen."
        "make it several items, join the commands with &&, or begin with `set -e`"
        "https://github.com/aws/aws-sdk-java-v2/pull/6524";
    Error EXIT_LOSES_EXPORTS "B204" "exit-loses-exports"
        "exit, or exec, ends the item's shell before its environment is saved: what the item set is lost while the build stays green."
        "let the item run to its end" WRAPPER;
    Warning SET_IN_CHILD "B205" "set-in-child"
        "An exported variable is set in a subshell or behind a pipe, where it ends with the child process."
        "set it in the item's own shell" SHELL;
    Warning PIPE_HIDES_FAILURE "B206" "pipe-hides-failure"
        "Of a pipe only the last command's status counts: the command before it may fail unseen."
        "write to a file, or use `set -o pipefail` with `shell: bash`" SHELL;
    Warning SOURCE_BY_PATH "B207" "source-by-path"
        "`. name` without a slash is looked up in PATH, not in the folder."
        "write `. ./name` or `. \"$PWD/name\"`" SHELL;
}

/// Every rule, in the order of the catalogue.
#[must_use]
pub fn all() -> Vec<&'static Rule> {
    const LETTERS: &str = "YTCPBI";
    let mut all: Vec<&Rule> = TABLE.iter().chain(rules::ALL).copied().collect();
    all.sort_by_key(|rule| (LETTERS.find(&rule.code[..1]), rule.code));
    all
}

/// The rule of that code.
#[must_use]
pub fn by_code(code: &str) -> Option<&'static Rule> {
    TABLE
        .iter()
        .chain(rules::ALL)
        .copied()
        .find(|rule| rule.code == code)
}

/// The rule that somebody asks for, by its code in any letter case or by its name.
///
/// # Errors
/// What is asked for, and what may have been meant.
pub fn by_word(word: &str) -> Result<&'static Rule, String> {
    let all = all();
    let is = |rule: &&&Rule| rule.code.eq_ignore_ascii_case(word) || rule.name == word;
    if let Some(rule) = all.iter().find(is) {
        return Ok(rule);
    }
    let words = all.iter().flat_map(|rule| [rule.code, rule.name]);
    let hint = did_you_mean(word, words);
    let hint = hint.unwrap_or_else(|| "RULES.md lists them".to_owned());
    Err(format!("no rule has the code {word:?}; {hint}"))
}
