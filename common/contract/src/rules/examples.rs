//! A failing and a passing example of every rule that has no file of its own.

use crate::rule::Example;

const APP: &str = "app.yml";
const CONFIG: &str = "config.json";
const PIPELINE: &str = "pipeline.yml";
const SPEC: &str = "buildspecs/ami.yml";
const IMAGE: &str = "        ImageId: !Ref AMIId";
const DESCRIPTION: &str = "Description: An application.";
const OVERRIDES: &str =
    r##"                ParameterOverrides: '{"AMIId":"#{AMIcreation.AMI_ID}"}'"##;
const RUN: &str = "      - make-ami --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"";

macro_rules! examples {
    ($($code:literal $file:ident $at:expr => $failing:expr, $passing:expr;)*) => {
        &[$(Example { code: $code, file: $file, at: $at, failing: $failing, passing: $passing }),*]
    };
}

pub(super) static EXAMPLES: &[Example] = examples! {
    "Y001" APP DESCRIPTION => "Description: \"An application.", DESCRIPTION;
    "Y002" APP DESCRIPTION => "Description: One.\n---\nDescription: Two.", DESCRIPTION;
    "Y003" APP DESCRIPTION => "Description: One.\nDescription: Two.", DESCRIPTION;
    "Y004" APP DESCRIPTION => "[Description]: An application.", DESCRIPTION;
    "Y005" APP DESCRIPTION => "Metadata:\n  a: &a [⟨999 × x, ⟩x]\n  b: &b [⟨999 × *a, ⟩*a]", "Metadata:\n  a: [x, x]\n  b: [x, x]";
    "Y101" APP DESCRIPTION => "Metadata: {Public: yes}", "Metadata: {Public: 'yes'}";
    "Y102" APP DESCRIPTION => "Metadata: {Mode: 0644}", "Metadata: {Mode: '0644'}";
    "Y103" APP DESCRIPTION => "Metadata: {Account: 111122223333}", "Metadata: {Account: '111122223333'}";
    "Y104" APP DESCRIPTION => "Metadata: {At: 22:30}", "Metadata: {At: '22:30'}";
    "Y105" APP DESCRIPTION => "Metadata:\n  a: &a {x: '1'}\n  b: {<<: *a}", "Metadata:\n  a: {x: '1'}\n  b: {x: '1'}";
    "T001" APP "Conditions:\n  IsProd: !Equals [!Ref Environment, prod]" => "Conditions:\n  - !Equals [!Ref Environment, prod]", "Conditions:\n  IsProd: !Equals [!Ref Environment, prod]";
    "T002" APP "Resources:" => "Mappings:", "Resources:";
    "T003" APP "  Size: {Type: Number, Default: '1'}" => "  Size: {Default: '1'}", "  Size: {Type: Number, Default: '1'}";
    "T004" APP "Outputs:" => "Output:", "Outputs:";
    "T005" APP "  Size: {Type: Number, Default: '1'}" => "  Size: {Type: CommaDelimitedList, Default: ['1', '2']}", "  Size: {Type: CommaDelimitedList, Default: '1,2'}";
    "T006" APP "    DependsOn: Role" => "    DependsON: Role", "    DependsOn: Role";
    "T007" APP "  GroupName: {Value: !Ref Group}" => "  group_name: {Value: !Ref Group}", "  GroupName: {Value: !Ref Group}";
    "T008" APP "  Size: {Type: Number, Default: '1'}" => "  Size: {Type: String, Default: one, AllowedPattern: '[0-9]+'}", "  Size: {Type: String, Default: '1', AllowedPattern: '[0-9]+'}";
    "T101" APP DESCRIPTION => "# ⟨1000000 × x⟩", "# ⟨1000 × x⟩";
    "T102" APP DESCRIPTION => "# ⟨51200 × x⟩", "# ⟨1000 × x⟩";
    "T103" APP "Outputs:" => "Outputs:\n⟨200 ×   Output№: {Value: x}\n⟩", "Outputs:\n⟨199 ×   Output№: {Value: x}\n⟩";
    "T104" APP DESCRIPTION => "Description: ⟨1025 × x⟩", "Description: ⟨1024 × x⟩";
    "T201" APP "Version: !GetAtt LaunchTemplate.LatestVersionNumber" => "Version: !GetAtt LaunchTemplat.LatestVersionNumber", "Version: !GetAtt LaunchTemplate.LatestVersionNumber";
    "T301" APP IMAGE => "        ImageId: ami-0123456789abcdef0", IMAGE;
    "T302" APP "Outputs:" => "  Nested: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: nested.yml}}\nOutputs:", "  Nested: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: 'https://my-bucket.s3.eu-west-1.amazonaws.com/nested.yml'}}\nOutputs:";
    "C001" CONFIG "\"Environment\": \"dev\"" => "\"Environment\": 'dev'", "\"Environment\": \"dev\"";
    "C002" CONFIG "\"Tags\"" => "\"Tag\"", "\"Tags\"";
    "C003" CONFIG "\"Environment\": \"dev\"" => "\"Environment\": \"dev\", \"Size\": 2", "\"Environment\": \"dev\", \"Size\": \"2\"";
    "C004" PIPELINE OVERRIDES => r##"                ParameterOverrides: '{"AMIId":"#{AMIcreation.AMI_ID}","Siz":"2"}'"##, r##"                ParameterOverrides: '{"AMIId":"#{AMIcreation.AMI_ID}","Size":"2"}'"##;
    "C005" CONFIG "\n    \"Environment\": \"dev\"\n  " => "", "\n    \"Environment\": \"dev\"\n  ";
    "C006" CONFIG "\"Environment\": \"dev\"" => "\"Environment\": \"prdo\"", "\"Environment\": \"prod\"";
    "P001" PIPELINE "            - Name: Bake\n" => "            - Nam: Bake\n", "            - Name: Bake\n";
    "P002" PIPELINE "        - Name: Deploy\n" => "⟨50 ×         - {Name: S№, Actions: [{Name: A, ActionTypeId: {Category: Approval, Owner: AWS, Provider: Manual, Version: '1'}}]}\n⟩        - Name: Deploy\n", "⟨47 ×         - {Name: S№, Actions: [{Name: A, ActionTypeId: {Category: Approval, Owner: AWS, Provider: Manual, Version: '1'}}]}\n⟩        - Name: Deploy\n";
    "P003" PIPELINE "        - Name: AMI\n" => "        - Name: Deploy\n", "        - Name: AMI\n";
    "P004" PIPELINE "ActionTypeId: {Category: Build, Owner: AWS, Provider: CodeBuild, Version: '1'}" => "ActionTypeId: {Category: Source, Owner: AWS, Provider: CodeCommit, Version: '1'}", "ActionTypeId: {Category: Build, Owner: AWS, Provider: CodeBuild, Version: '1'}";
    "P101" PIPELINE "Namespace: App" => "Namespace: the app", "Namespace: the-app";
    "P102" PIPELINE "Namespace: App" => "Namespace: variables", "Namespace: App";
    "P103" PIPELINE "Namespace: App" => "Namespace: SourceOutput", "Namespace: App";
    "P104" PIPELINE "Namespace: App" => "Namespace: AMIcreation", "Namespace: App";
    "P201" PIPELINE OVERRIDES => r##"                ParameterOverrides: '{"AMIId":"#{AMIcreaton.AMI_ID}"}'"##, OVERRIDES;
    "P202" PIPELINE "StackName: app" => "StackName: 'app-#{App.GroupName}'", "StackName: 'app-#{SourceVariables.VersionId}'";
    "P203" PIPELINE OVERRIDES => r##"                ParameterOverrides: '{"AMIId":"#{AMIcreation.AMI}"}'"##, OVERRIDES;
    "P204" PIPELINE OVERRIDES => r##"                ParameterOverrides: '{"AMIId":"#{AMI_ID}"}'"##, OVERRIDES;
    "P205" SPEC RUN => "      - deploy-app --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"", RUN;
    "P301" PIPELINE "OutputArtifacts: [{Name: AmiOutput}]" => "OutputArtifacts: [{Name: ami.output}]", "OutputArtifacts: [{Name: ami-output}]";
    "P302" PIPELINE "OutputArtifacts: [{Name: AmiOutput}]" => "OutputArtifacts: [{Name: SourceOutput}]", "OutputArtifacts: [{Name: AmiOutput}]";
    "P303" PIPELINE "InputArtifacts: [{Name: SourceOutput}]\n              OutputArtifacts" => "InputArtifacts: [{Name: SourceOuput}]\n              OutputArtifacts", "InputArtifacts: [{Name: SourceOutput}]\n              OutputArtifacts";
    "P304" PIPELINE "InputArtifacts: [{Name: SourceOutput}]\n              OutputArtifacts" => "InputArtifacts: [{Name: SourceOutput}, {Name: AmiOutput}]\n              OutputArtifacts", "InputArtifacts: [{Name: SourceOutput}]\n              OutputArtifacts";
    "P305" PIPELINE "TemplatePath: SourceOutput::app.yml" => "TemplatePath: AmiOutput::app.yml", "TemplatePath: SourceOutput::app.yml";
    "P306" PIPELINE "TemplatePath: SourceOutput::app.yml" => "TemplatePath: SourceOutput::cfn/app.yml", "TemplatePath: SourceOutput::app.yml";
    "P307" PIPELINE "S3ObjectKey: template.zip" => "S3ObjectKey: source.zip", "S3ObjectKey: template.zip";
    "P308" PIPELINE "S3ObjectKey: template.zip" => "S3ObjectKey: app.yml", "S3ObjectKey: template.zip";
    "P401" PIPELINE "StackName: app" => "StackName: app-⟨1000 × x⟩", "StackName: app-⟨99 × x⟩";
    "P402" PIPELINE OVERRIDES => r##"                ParameterOverrides: 'AMIId=#{AMIcreation.AMI_ID}'"##, OVERRIDES;
    "P403" PIPELINE "                PollForSourceChanges: 'false'\n" => "", "                PollForSourceChanges: 'false'\n";
    "P404" PIPELINE "ActionMode: CREATE_UPDATE" => "ActionMode: REPLACE_ON_FAILURE", "ActionMode: CREATE_UPDATE";
    "P405" PIPELINE "                RoleArn: !GetAtt Role.Arn\n" => "", "                RoleArn: !GetAtt Role.Arn\n";
    "P406" PIPELINE "                Capabilities: CAPABILITY_IAM\n" => "", "                Capabilities: CAPABILITY_IAM\n";
    "P407" PIPELINE "object: {key: [template.zip]}" => "object: {key: [templates.zip]}", "object: {key: [template.zip]}";
    "P501" APP IMAGE => "        ImageId: '{{resolve:ssm:/images/base}}'", IMAGE;
    "P502" APP "  AMIId: {Type: AWS::EC2::Image::Id}" => "  AMIId: {Type: 'AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>'}", "  AMIId: {Type: AWS::EC2::Image::Id}";
    "B001" SPEC RUN => "      - echo made: yes", "      - 'echo made: yes'\n      - make-ami --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"";
    "B002" SPEC "version: 0.2" => "version: 0.1", "version: 0.2";
    "B003" SPEC "  exported-variables:" => "  secret-manager: {}\n  exported-variables:", "  secrets-manager: {}\n  exported-variables:";
    "B004" SPEC "    - INSTANCE_ID" => "    - INSTANCE-ID", "    - INSTANCE_ID";
    "B005" SPEC "    - INSTANCE_ID" => "    - AMI_ID", "    - INSTANCE_ID";
    "B006" SPEC "    MAKE_AMI_TIMEOUT: 6h" => "    CODEBUILD_BUILD_ID: x", "    MAKE_AMI_TIMEOUT: 6h";
    "B101" SPEC "    - INSTANCE_ID" => "    - AMI_STATE", "    - AMI_NAME";
    "B201" SPEC RUN => "      - eval \"$(make-ami)\"", RUN;
    "B202" SPEC RUN => "      - export AMI_ID=$(aws ec2 create-image --query ImageId)", "      - AMI_ID=$(aws ec2 create-image --query ImageId)\n      - export AMI_ID";
    "B203" SPEC RUN => "      - |\n        make test\n        make-ami --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"", "      - |\n        set -e\n        make test\n        make-ami --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"";
    "B204" SPEC RUN => "      - make-ami --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"; exit 0", RUN;
    "B205" SPEC RUN => "      - (export AMI_ID=ami-0123456789abcdef0)", "      - export AMI_ID=ami-0123456789abcdef0";
    "B206" SPEC RUN => "      - make-ami --export-file \"$PWD/.exports\" | tee log\n      - . \"$PWD/.exports\"", RUN;
    "B207" SPEC RUN => "      - make-ami --export-file .exports\n      - . .exports", "      - make-ami --export-file ./.exports\n      - . ./.exports";
};
