//! What stands beside the templates, broken: buildspecs, configuration files, requirements, the page.

use super::{Change, Validated};

pub(super) const RESOLVED: &[Change] = &[
    (
        "how it is deployed",
        "cfn/config/pipeline-prod.json",
        "\"change-set\"",
        "\"update\"",
    ),
    (
        "makes no variable AMI_ID",
        "buildspecs/make-ami.yml",
        "    - AMI_ID\n",
        "",
    ),
    ("VpcId", "cfn/config/staging.json", "\"VPCId\"", "\"VpcId\""),
    (
        "eval",
        "buildspecs/make-ami.yml",
        "      - make-ami --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"\n",
        "      - eval \"$(make-ami)\"\n",
    ),
    (
        "refused of cfn/config/prod.json",
        "cfn/config/prod.json",
        "\"Spot\": \"no\"",
        "\"Spot\": \"yes\"",
    ),
    (
        "stages is",
        "cfn/config/pipeline-staging.json",
        "\"Validation\": \"yes\"",
        "\"Validation\": \"no\"",
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
        "AppVpcId is",
        "cfn/config/pipeline-dev.json",
        "\"AppVpcId\": \"vpc-00000000000000000\"",
        "\"AppVpcId\": \"vpc-00000000000000001\"",
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

pub(super) const CHECKED: &[Validated] = &[
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
