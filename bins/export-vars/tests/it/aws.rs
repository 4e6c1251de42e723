//! Values from AWS: against a scripted one, and against moto for the wire format.

mod trouble;

use crate::program;
use harness::codebuild::{Build, CodeBuild};
use harness::moto::Moto;
use harness::{FakeAws, Program, Reply};
use serde_json::json;
use std::time::SystemTime;

fn asking(fake: &FakeAws) -> Program {
    program().envs(fake.env()).env("AWS_MAX_ATTEMPTS", "2")
}

fn stacks(status: &str, outputs: &[(&str, &str)]) -> Reply {
    let members: String = outputs
        .iter()
        .map(|(key, value)| {
            format!(
                "<member><OutputKey>{key}</OutputKey><OutputValue>{value}</OutputValue></member>"
            )
        })
        .collect();
    Reply::xml(format!(
        "<DescribeStacksResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><DescribeStacksResult><Stacks><member>\
         <StackName>app</StackName><CreationTime>2026-01-01T00:00:00Z</CreationTime><StackStatus>{status}</StackStatus>\
         <Outputs>{members}</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
    ))
}

#[test]
fn without_a_source_there_nothing_is_asked_and_no_credentials_are_needed() {
    let fake = FakeAws::start();
    program()
        .bare()
        .envs(fake.env())
        .args(["A=1", "--dry-run"])
        .run()
        .assert_code(0);
    program()
        .bare()
        .envs(fake.env())
        .arg("A=1")
        .run()
        .assert_code(0);
    assert_eq!(fake.operations(), Vec::<String>::new());
    program()
        .bare()
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .args(["--from-ssm", "A=/a"])
        .run()
        .assert_code(2)
        .assert_stderr("no AWS credentials were found");
}

#[test]
fn outputs_of_a_stack_one_by_one_and_all() {
    let fake = FakeAws::start();
    let outputs = [("AmiId", "ami-0123abcd"), ("Url", "http://x")];
    fake.on(
        "cloudformation:DescribeStacks",
        [stacks("UPDATE_COMPLETE", &outputs)],
    );
    let ran = asking(&fake)
        .args([
            "--from-stack",
            "AMI_ID=app.AmiId",
            "--from-stack",
            "app.Url",
        ])
        .run();
    ran.assert_code(0)
        .assert_stdout("export AMI_ID='ami-0123abcd'\nexport Url='http://x'\n");
    assert_eq!(fake.operations().len(), 1, "one stack is asked for once");
    let ran = asking(&fake).args(["--from-stack", "app"]).run();
    ran.assert_code(0)
        .assert_stdout("export AmiId='ami-0123abcd'\nexport Url='http://x'\n");
    asking(&fake)
        .args(["--from-stack", "A=app.AmiIds"])
        .run()
        .assert_code(2)
        .assert_stderr("there is no output AmiIds of stack app in eu-west-1 (did you mean AmiId?)");
    fake.on(
        "cloudformation:DescribeStacks",
        [stacks("UPDATE_ROLLBACK_COMPLETE", &outputs)],
    );
    asking(&fake)
        .args(["--from-stack", "app.Url"])
        .run()
        .assert_code(0)
        .assert_stderr(
            "stack app is UPDATE_ROLLBACK_COMPLETE: its outputs may be those of an earlier state",
        );
}

#[test]
fn a_stack_that_is_not_there() {
    let fake = FakeAws::start();
    let missing = Reply::error(400, "ValidationError", "Stack with id app does not exist");
    fake.on("cloudformation:DescribeStacks", [missing]);
    asking(&fake)
        .args(["--from-stack", "app"])
        .run()
        .assert_code(2)
        .assert_stderr("cannot read the outputs of stack app in eu-west-1")
        .assert_stderr("cause: ValidationError: Stack with id app does not exist (request id ")
        .assert_stderr("hint: a stack of another account or region looks absent");
}

#[test]
fn exports_of_stacks_over_several_pages() {
    let fake = FakeAws::start();
    let page = |name: &str, next: &str| {
        Reply::xml(format!(
            "<ListExportsResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><ListExportsResult><Exports><member>\
             <Name>{name}</Name><Value>v-{name}</Value></member></Exports>{next}</ListExportsResult></ListExportsResponse>"
        ))
    };
    fake.on_call("cloudformation:ListExports", move |request| {
        if request.params.iter().any(|(name, _)| name == "NextToken") {
            page("net:Vpc", "")
        } else {
            page("net:Subnet", "<NextToken>2</NextToken>")
        }
    });
    let ran = asking(&fake)
        .args([
            "--from-export",
            "A=net:Vpc",
            "--from-export",
            "B=net:Subnet",
        ])
        .run();
    ran.assert_code(0)
        .assert_stdout("export A='v-net:Vpc'\nexport B='v-net:Subnet'\n");
    asking(&fake)
        .args(["--from-export", "A=net:Vpcs"])
        .run()
        .assert_code(2)
        .assert_stderr("there is no export net:Vpcs in eu-west-1 (did you mean net:Vpc?)");
}

#[test]
fn parameters_in_batches_of_ten_and_never_a_secret() {
    let fake = FakeAws::start();
    fake.on_call("ssm:GetParameters", |request| {
        let asked: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(asked["WithDecryption"], false);
        let names = asked["Names"].as_array().unwrap();
        assert!(names.len() <= 10);
        let known = names.iter().filter_map(|name| {
            let name = name.as_str().unwrap();
            let (bare, selector) = name.split_once(':').map_or((name, String::new()), |(bare, version)| (bare, format!(":{version}")));
            let kind = if bare.contains("secret") { "SecureString" } else { "String" };
            (bare != "/none").then(|| json!({"Name": bare, "Selector": selector, "Type": kind, "Value": format!("value-of-{bare}")}))
        });
        let known: Vec<_> = known.collect();
        Reply::json(&json!({"Parameters": known, "InvalidParameters": []}))
    });
    let sources: Vec<String> = (0..12)
        .flat_map(|index| ["--from-ssm".to_owned(), format!("V{index}=/p/{index}")])
        .collect();
    let ran = asking(&fake)
        .args(&sources)
        .args(["--from-ssm", "W=/p/0:3"])
        .run();
    let exports = ran.assert_code(0).exports();
    assert_eq!(exports.len(), 13);
    assert_eq!(exports["V11"], "value-of-/p/11");
    assert_eq!(exports["W"], "value-of-/p/0");
    assert_eq!(fake.operations().len(), 2);
    let ran = asking(&fake)
        .args(["--from-ssm", "A=/none", "--from-ssm", "B=/secret"])
        .run();
    ran.assert_code(2)
        .assert_stderr("there is no parameter /none in eu-west-1, or no such version of it")
        .assert_stderr("parameter /secret in eu-west-1 is a SecureString; a secret is not exported: let its consumer read it")
        .refute_stderr("value-of");
    asking(&fake)
        .args(["--from-ssm", "A=/first", "--from-ssm", "A=/second"])
        .run()
        .assert_code(0)
        .assert_stdout("export A='value-of-/second'\n")
        .assert_stderr("parameter /second in eu-west-1: A already set by parameter /first in eu-west-1 to another value; the later one counts");
}

/// What a stand-in answers to GetParameters: it knows the versions 1 to 5 of each parameter, and the label `live`
/// for the second; `shape` is how it tells a version.
fn versions(fake: &FakeAws, shape: fn(&str, &str, i64) -> serde_json::Value) {
    fake.on_call("ssm:GetParameters", move |request| {
        let asked: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        let found = asked["Names"].as_array().unwrap().iter().map(|asked| {
            let asked = asked.as_str().unwrap();
            let (name, selector) = asked.split_once(':').unwrap_or((asked, ""));
            let version = match selector {
                "" => 5,
                "live" => 2,
                number => number.parse().unwrap(),
            };
            let mut told = shape(name, selector, version);
            told["Type"] = "String".into();
            told["Value"] = format!("v{version}").into();
            told
        });
        let found: Vec<_> = found.collect();
        Reply::json(&json!({"Parameters": found, "InvalidParameters": []}))
    });
}

#[test]
fn a_version_is_believed_when_name_and_number_are_right() {
    let fake = FakeAws::start();
    let asked = [
        "--from-ssm",
        "A=/p:3",
        "--from-ssm",
        "B=/p",
        "--from-ssm",
        "C=/p:4",
    ];
    let want = "export A='v3'\nexport B='v5'\nexport C='v4'\n";
    // As SSM tells it, and without the selector, and with the name as it was asked for.
    let as_ssm = |name: &str, selector: &str, version: i64| match selector {
        "" => json!({"Name": name, "Version": version}),
        _ => json!({"Name": name, "Version": version, "Selector": format!(":{selector}")}),
    };
    versions(&fake, as_ssm);
    asking(&fake)
        .args(asked)
        .run()
        .assert_code(0)
        .assert_stdout(want);
    versions(
        &fake,
        |name, _, version| json!({"Name": name, "Version": version}),
    );
    asking(&fake)
        .args(asked)
        .run()
        .assert_code(0)
        .assert_stdout(want);
    versions(
        &fake,
        |name, selector, version| json!({"Name": format!("{name}:{selector}").trim_end_matches(':'), "Version": version}),
    );
    asking(&fake)
        .args(asked)
        .run()
        .assert_code(0)
        .assert_stdout(want);
    // No call asks for two versions of one parameter: their answers could be taken for each other.
    for request in fake.requests() {
        let asked: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(asked["Names"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn an_answer_of_another_version_is_not_believed() {
    let fake = FakeAws::start();
    versions(&fake, |name, _, _| json!({"Name": name, "Version": 5}));
    asking(&fake)
        .args(["--from-ssm", "A=/p:3"])
        .run()
        .assert_code(2)
        .assert_stderr(
            "there is no parameter /p:3 in eu-west-1 that says it is 3: the answer is of version 5",
        );
    // The number alone does not tell what a label means.
    asking(&fake)
        .args(["--from-ssm", "A=/p:live"])
        .run()
        .assert_code(2)
        .assert_stderr("that says it is live: the answer is of version 5");
    // One that contradicts itself is not believed either, nor one of another parameter.
    versions(
        &fake,
        |name, _, version| json!({"Name": name, "Version": version, "Selector": ":4"}),
    );
    for place in ["A=/p:3", "A=/p"] {
        asking(&fake)
            .args(["--from-ssm", place])
            .run()
            .assert_code(2);
    }
    versions(
        &fake,
        |_, _, version| json!({"Name": "/other", "Version": version}),
    );
    asking(&fake)
        .args(["--from-ssm", "A=/p:3"])
        .run()
        .assert_code(2)
        .assert_stderr("there is no parameter /p:3 in eu-west-1, or no such version of it");
}

#[test]
fn the_outputs_of_another_stack_are_not_believed() {
    let fake = FakeAws::start();
    fake.on(
        "cloudformation:DescribeStacks",
        [Reply::xml(
            "<DescribeStacksResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><DescribeStacksResult><Stacks><member>\
             <StackName>other</StackName><CreationTime>2026-01-01T00:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus>\
             <Outputs><member><OutputKey>VpcId</OutputKey><OutputValue>vpc-1</OutputValue></member></Outputs>\
             </member></Stacks></DescribeStacksResult></DescribeStacksResponse>",
        )],
    );
    asking(&fake)
        .args(["--from-stack", "V=net.VpcId"])
        .run()
        .assert_code(2)
        .assert_stderr("CloudFormation answered without a stack net");
}

#[test]
fn tags_of_resources() {
    let fake = FakeAws::start();
    fake.on_call("ec2:DescribeTags", |request| {
        assert_eq!(request.filters()["resource-id"], ["i-0123abcd"]);
        Reply::xml(
            "<DescribeTagsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><tagSet><item><resourceId>i-0123abcd</resourceId>\
             <resourceType>instance</resourceType><key>make-ami:run</key><value>r 1</value></item></tagSet></DescribeTagsResponse>",
        )
    });
    let ran = asking(&fake)
        .args(["--from-tag", "RUN=i-0123abcd:make-ami:run"])
        .run();
    ran.assert_code(0).assert_stdout("export RUN='r 1'\n");
    asking(&fake)
        .args(["--from-tag", "RUN=i-0123abcd:release"])
        .run()
        .assert_code(2)
        .assert_stderr("there is no tag release of i-0123abcd in eu-west-1, or no such resource");
}

#[test]
fn a_denied_call_names_the_permission_that_it_needs() {
    for (flag, place, operation, permission) in [
        (
            "--from-ssm",
            "A=/a",
            "ssm:GetParameters",
            "ssm:GetParameters",
        ),
        (
            "--from-stack",
            "app",
            "cloudformation:DescribeStacks",
            "cloudformation:DescribeStacks",
        ),
        (
            "--from-export",
            "A=x",
            "cloudformation:ListExports",
            "cloudformation:ListExports",
        ),
        (
            "--from-tag",
            "A=i-0123abcd:x",
            "ec2:DescribeTags",
            "ec2:DescribeTags",
        ),
    ] {
        let fake = FakeAws::start();
        fake.on(operation, [Reply::error(403, "AccessDenied", "no")]);
        asking(&fake)
            .args([flag, place])
            .run()
            .assert_code(3)
            .assert_stderr(&format!("allow {permission} for the role"));
        fake.on(operation, [Reply::html(502, "<html>Bad Gateway</html>")]);
        asking(&fake)
            .args([flag, place])
            .run()
            .assert_code(4)
            .assert_stderr("HTTP 502, body is text/html; charset=utf-8 (first 80 bytes: \"<html>Bad Gateway</html>\")");
        fake.on(operation, [Reply::cut("<Response></Response>", 5)]);
        asking(&fake)
            .args([flag, place])
            .run()
            .assert_code(4)
            .assert_stderr("was incomplete (HTTP 200): ")
            .assert_stderr("hint: the answer was lost");
    }
}

#[test]
fn moto_answers_every_source() {
    let Some(moto) = Moto::start() else { return };
    let template = r#"{"Resources":{"Vpc":{"Type":"AWS::EC2::VPC","Properties":{"CidrBlock":"10.0.0.0/16"}},
        "Tag":{"Type":"AWS::SSM::Parameter","Properties":{"Name":"/app/tag","Type":"String","Value":"v1"}}},
        "Outputs":{"VpcId":{"Value":{"Ref":"Vpc"},"Export":{"Name":"net:Vpc"}}}}"#;
    moto.query(
        "cloudformation",
        "CreateStack",
        &[("StackName", "net"), ("TemplateBody", template)],
    );
    let run = |arguments: &[&str]| program().envs(moto.env()).args(arguments).run();
    let first = run(&["--from-stack", "VPC_ID=net.VpcId"]);
    let vpc = first.assert_code(0).exports()["VPC_ID"].clone();
    assert!(vpc.starts_with("vpc-"));
    moto.query(
        "ec2",
        "CreateTags",
        &[
            ("ResourceId.1", &vpc),
            ("Tag.1.Key", "a:b"),
            ("Tag.1.Value", "it's"),
        ],
    );
    let tag = format!("NOTE={vpc}:a:b");
    let ran = run(&[
        "--from-export",
        "VPC_ID=net:Vpc",
        "--from-ssm",
        "TAG=/app/tag",
        "--from-tag",
        &tag,
    ]);
    let exports = ran.assert_code(0).exports();
    assert_eq!(exports["VPC_ID"], vpc);
    assert_eq!(exports["TAG"], "v1");
    assert_eq!(exports["NOTE"], "it's");
    run(&["--from-ssm", "A=/none"])
        .assert_code(2)
        .assert_stderr("there is no parameter /none");
    run(&["--from-stack", "none"])
        .assert_code(2)
        .assert_stderr("cannot read the outputs of stack none");
}

/// In a build of the project `app`, whose variables are a plain one and two that are secrets.
fn in_a_build(fake: &FakeAws) -> Program {
    let build = "app:0a1b2c3d";
    let codebuild = CodeBuild::with([Build::running(build, SystemTime::now())
        .variable("STAGE", "PLAINTEXT")
        .variable("DB", "PARAMETER_STORE")
        .variable("TOKEN", "SECRETS_MANAGER")]);
    codebuild.serve(fake);
    asking(fake)
        .env("CODEBUILD_BUILD_ID", build)
        .env("STAGE", "production")
        .env("DB", "pw of the database")
        .env("TOKEN", "token of the app")
}

#[test]
fn what_the_build_project_takes_from_a_store_of_secrets_is_not_exported() {
    let fake = FakeAws::start();
    in_a_build(&fake)
        .args(["NOTE=it is pw of the database", "T=token of the app"])
        .run()
        .assert_code(2)
        .assert_stderr(
            "NOTE: holds the value of DB, which the build project takes from Parameter Store;",
        )
        .assert_stderr(
            "T: is the value of TOKEN, which the build project takes from Secrets Manager;",
        )
        .refute_stderr("pw of the database")
        .refute_stderr("token of the app");
    assert_eq!(fake.operations(), ["codebuild:BatchGetBuilds"]);
    in_a_build(&fake)
        .args(["STAGE", "--print"])
        .run()
        .assert_code(0)
        .assert_stdout("export STAGE='production'\n");
}

#[test]
fn a_build_that_may_not_ask_which_variables_are_secrets_is_warned() {
    let fake = FakeAws::start();
    let build = in_a_build(&fake);
    fake.on(
        "codebuild:BatchGetBuilds",
        [Reply::error(
            400,
            "AccessDeniedException",
            "User is not authorized to perform: codebuild:BatchGetBuilds",
        )],
    );
    build
        .arg("STAGE")
        .run()
        .assert_code(0)
        .assert_stdout("export STAGE='production'\n")
        .assert_stderr("is not known (codebuild:BatchGetBuilds: ")
        .assert_stderr("name them with --secret");
    // Nobody to ask as, nobody asked.
    program()
        .bare()
        .env("CODEBUILD_BUILD_ID", "app:0a1b2c3d")
        .arg("A=1")
        .run()
        .assert_code(0)
        .refute_stderr("is not known");
}
