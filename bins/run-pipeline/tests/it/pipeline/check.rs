//! The command check.

use harness::Program;
use serde_json::Value;

use super::{APP, BUILDSPEC, CONFIG, PIPELINE};

#[test]
fn check_finds_a_variable_that_the_buildspec_does_not_export() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("buildspecs")).unwrap();
    std::fs::write(
        folder.path().join("buildspecs/bake.yml"),
        BUILDSPEC.replace("[AMI_ID,", "[AMI_IDS,"),
    )
    .unwrap();
    std::fs::write(folder.path().join("pipeline.yml"), PIPELINE).unwrap();
    let check = || {
        Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
            .dir(folder.path())
            .args(["check", "pipeline.yml", "--parameter", "Bucket=source"])
            .run()
    };
    let ran = check();
    ran.assert_code(1).assert_stderr("");
    for part in [
        "error[P203]: Deploy/Deploy: #{AMIcreation.AMI_ID}: AMI/AMI makes no variable AMI_ID",
        "help: did you mean AMI_IDS?",
        "--> pipeline.yml:47:37",
    ] {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
    std::fs::write(folder.path().join("buildspecs/bake.yml"), BUILDSPEC).unwrap();
    let ran = check();
    ran.assert_code(0);
    assert!(ran.stdout.ends_with("no findings\n"), "{}", ran.stdout);
}

/// One check, one strictness: a parameter that is given changes no other value.
#[test]
fn what_only_an_account_knows_is_not_known_with_parameters_either() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("buildspecs")).unwrap();
    std::fs::write(folder.path().join("buildspecs/bake.yml"), BUILDSPEC).unwrap();
    let fake = harness::FakeAws::start();
    for value in [
        "!Ref Token",
        "!Select [5, !Split [':', !GetAtt Role.Arn]]",
        "!Select [0, !GetAZs '']",
        "!Base64 x",
        "!ImportValue other",
        "!GetStackOutput {StackName: a, OutputName: b}",
    ] {
        let definition = PIPELINE
            .replace("Value: project}", &format!("Value: {value}}}"))
            .replace(
                "InputArtifacts: [{Name: Src}]\n              OutputArtifacts",
                "InputArtifacts: [{Name: Scr}]\n              OutputArtifacts",
            )
            .replace(
                "Parameters:\n",
                "Parameters:\n  Token: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /x}\n",
            );
        std::fs::write(folder.path().join("pipeline.yml"), definition).unwrap();
        let check = |more: &[&str]| {
            let ran = Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
                .dir(folder.path())
                .envs(fake.env())
                .args(["check", "pipeline.yml", "--format", "json"])
                .args(more)
                .run();
            let found: Value = serde_json::from_str(&ran.assert_code(1).stdout).unwrap();
            let findings = found["findings"].as_array().unwrap().iter();
            findings
                .map(|one| one["code"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            check(&["--parameter", "Bucket=source"]),
            ["P303"],
            "{value}"
        );
        assert_eq!(check(&[]), ["P303"], "{value}");
    }
    assert!(fake.requests().is_empty());
}

#[test]
fn aws_is_asked_for_exports_where_that_was_said() {
    let folder = tempfile::tempdir().unwrap();
    let fake = harness::FakeAws::start();
    let exports = "<ListExportsResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><ListExportsResult><Exports><member>\
                   <ExportingStackId>s</ExportingStackId><Name>base-Bucket</Name><Value>source</Value></member></Exports>\
                   </ListExportsResult></ListExportsResponse>";
    fake.on("cloudformation:ListExports", [harness::Reply::xml(exports)]);
    let check = |name: &str, more: &[&str]| {
        let definition = format!(
            "# ImportValue\n{}",
            PIPELINE.replace(
                "S3Bucket: !Ref Bucket",
                &format!("S3Bucket: !ImportValue {name}")
            )
        );
        std::fs::write(folder.path().join("pipeline.yml"), definition).unwrap();
        let program = Program::new(env!("CARGO_BIN_EXE_run-pipeline"));
        let program = program.dir(folder.path()).envs(fake.env());
        program.args(["check", "pipeline.yml"]).args(more).run()
    };
    check("base-Buket", &[]).assert_code(0);
    assert!(fake.requests().is_empty());
    check("base-Bucket", &["--live"]).assert_code(0);
    let ran = check("base-Buket", &["--live"]);
    ran.assert_code(1);
    assert!(
        ran.stdout.contains("no stack exports base-Buket")
            && ran.stdout.contains("did you mean base-Bucket?"),
        "{ran}"
    );
    assert_eq!(fake.requests().len(), 2);
}

/// The SDK prints pages of its own debug text about it. The program says it in three lines.
#[test]
fn an_odd_metadata_service_is_told_in_a_few_words() {
    use harness::{FakeAws, Fate, Reply};

    const KEYS: &str = "/latest/meta-data/iam/security-credentials/my-role";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pipeline.yml"), PIPELINE).unwrap();
    let page = || Reply::html(200, "<html><body>Welcome</body></html>");
    // No name of a role has a slash.
    let odd = || Reply::bytes("not/a/role");
    let token = |status| {
        Reply::bytes("TOKEN")
            .status(status)
            .header("x-aws-ec2-metadata-token-ttl-seconds", "21600")
    };
    let secret = "{\"Code\":\"Success\",\"SecretAccessKey\":\"s3cr3tk3y";
    for (what, session, role, keys) in [
        ("no session", Reply::empty(403), odd(), page()),
        ("a page for a session", page(), odd(), page()),
        ("no name of a role", token(200), odd(), page()),
        (
            "an error for the role",
            token(200),
            Reply::html(500, "<html>oops</html>"),
            page(),
        ),
        (
            "a page for the keys",
            token(200),
            Reply::bytes("my-role"),
            page(),
        ),
        (
            "half of the keys",
            token(200),
            Reply::bytes("my-role"),
            Reply::bytes(secret),
        ),
        (
            "keys that are none",
            token(200),
            Reply::bytes("my-role"),
            Reply::bytes("[\"s3cr3tk3y\"]"),
        ),
        (
            "a role that cannot be assumed",
            token(200),
            Reply::bytes("my-role"),
            Reply::bytes(
                "{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"Message\":\"EC2 cannot assume it\"}",
            ),
        ),
    ] {
        let fake = FakeAws::start();
        fake.intercept(move |request| {
            Fate::Answered(match (request.method.as_str(), request.path.as_str()) {
                ("PUT", _) => session.clone(),
                (_, KEYS) => keys.clone(),
                _ => role.clone(),
            })
        });
        let ran = Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
            .dir(folder.path())
            .env("AWS_REGION", "eu-west-1")
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .env("AWS_EC2_METADATA_DISABLED", "false")
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", fake.url())
            .args(["check", "pipeline.yml", "--live"])
            .run();
        assert!(matches!(ran.code, Some(2..=4)), "{what}: {ran}");
        let lines: Vec<&str> = ran.stderr.lines().collect();
        let is_short = lines.len() <= 3 && lines.iter().all(|line| line.len() < 300);
        assert!(
            is_short && lines[0].contains("AWS credentials"),
            "{what}: {ran}"
        );
        assert!(!ran.stderr.contains("s3cr3tk3y"), "{what}: {ran}");
    }
}

#[test]
fn check_knows_the_archive_and_reports_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
    };
    write("bake.yml", BUILDSPEC);
    let group = "  Lt: {Type: 'AWS::EC2::LaunchTemplate', Properties: {LaunchTemplateData: {ImageId: !Ref AMIId}}}\nOutputs:";
    write("app.yml", &APP.replace("Outputs:", group));
    write("config.json", CONFIG);
    write("pipeline.yml", PIPELINE);
    let check = |more: &[&str]| {
        Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
            .dir(folder.path())
            .args(["check", "pipeline.yml", "--parameter", "Bucket=source"])
            .args([
                "--archive-entry",
                "bake.yml=buildspecs/bake.yml",
                "--archive-entry",
                "app.yml",
            ])
            .args(more)
            .run()
    };
    check(&["--archive-entry", "config.json"])
        .assert_code(0)
        .assert_stdout("no findings\n");
    let ran = check(&["--format", "json"]);
    let found: Value = serde_json::from_str(&ran.assert_code(1).stdout).unwrap();
    assert_eq!(found["findings"][0]["code"], "P306");
    assert_eq!(found["findings"][0]["file"], "pipeline.yml");
    let report = folder.path().join("report.xml");
    let ran = check(&["--format", "junit", "--report-file", "report.xml"]);
    ran.assert_code(1)
        .assert_stdout("")
        .assert_stderr("TemplateConfiguration config.json does not exist in artifact Src");
    assert!(
        std::fs::read_to_string(report)
            .unwrap()
            .contains("failures=\"1\"")
    );
}

#[test]
fn check_refuses_what_package_template_refuses() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("pipeline.yml", PIPELINE),
        ("src/buildspecs/bake.yml", BUILDSPEC),
        ("src/app.yml", APP),
        ("src/config.json", CONFIG),
        ("src/.git/HEAD", "ref: refs/heads/main\n"),
    ] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let program = Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
        .dir(folder.path())
        .args(["check", "pipeline.yml", "--parameter", "Bucket=source"])
        .args(["--archive-entry", "src=.", "--format", "json"]);
    let ran = program.run();
    ran.assert_code(2)
        .assert_stderr("`src/.git`: it belongs to version control")
        .assert_stderr("--exclude leaves out of folders");
    let ran = program.arg("--exclude=.git").run();
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    let findings = found["findings"].as_array().unwrap().iter();
    assert!(findings.clone().all(|one| one["code"] != "P306"), "{ran}");
}

#[test]
fn our_own_pipeline_and_buildspecs_have_no_faults() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let ran = Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
        .dir(root)
        .args([
            "check",
            "cfn/pipeline.yml",
            "--parameter-file",
            "cfn/config/pipeline-dev.json",
            "--archive-entry",
            "cfn/app.yml",
            "--archive-entry",
            "cfn/config/dev.json=config.json",
            "--archive-entry",
            "buildspecs",
            "--archive-entry",
            "examples/rag-app=app",
        ])
        .run();
    ran.assert_code(0);
    // It is deployed by way of S3, as cfn/README.md says.
    assert!(
        ran.stdout.starts_with("note[T102]: cfn/pipeline.yml: "),
        "{ran}"
    );
    assert!(ran.stdout.ends_with("\n1 note\n"), "{ran}");
}

/// A folder with the small pipeline, whose buildspec does not export what is used.
fn without_export() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("buildspecs")).unwrap();
    let spec = BUILDSPEC.replace("[AMI_ID, ", "[");
    std::fs::write(folder.path().join("buildspecs/bake.yml"), spec).unwrap();
    std::fs::write(folder.path().join("pipeline.yml"), PIPELINE).unwrap();
    folder
}

fn check(folder: &tempfile::TempDir, more: &[&str]) -> harness::Ran {
    Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
        .dir(folder.path())
        .args(["check", "pipeline.yml", "--parameter", "Bucket=source"])
        .args(more)
        .run()
}

#[test]
fn a_comment_silences_a_finding_for_a_reason() {
    let folder = without_export();
    let at = "ParameterOverrides:";
    let ignore = "# pipeline-actions: ignore[P203] the next build exports it\n                ";
    let text = PIPELINE.replace(at, &format!("{ignore}{at}"));
    std::fs::write(folder.path().join("pipeline.yml"), &text).unwrap();
    let ran = check(&folder, &[]);
    assert!(
        ran.assert_code(0)
            .stdout
            .ends_with("no findings, 1 ignored\n"),
        "{ran}"
    );
    let text = text.replace("the next build exports it", "");
    std::fs::write(folder.path().join("pipeline.yml"), text).unwrap();
    let ran = check(&folder, &[]);
    ran.assert_code(1);
    assert!(
        ran.stdout.contains("error[P203]") && ran.stdout.contains("error[I001]"),
        "{ran}"
    );
}

#[test]
fn a_configuration_file_silences_findings_and_sets_severities() {
    let folder = without_export();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        ".pipeline-actions.yml",
        "ignore:\n- {code: P203, file: '*.yml', reason: the next build exports it}\n",
    );
    let ran = check(&folder, &[]);
    assert!(
        ran.assert_code(0)
            .stdout
            .ends_with("no findings, 1 ignored\n"),
        "{ran}"
    );
    write("other.yml", "severity: {P203: warning}\n");
    let ran = check(&folder, &["--check-config", "other.yml"]);
    assert!(ran.assert_code(0).stdout.contains("warning[P203]"), "{ran}");
    write("other.yml", "severities: {P203: warning}\n");
    let ran = check(&folder, &["--check-config", "other.yml"]);
    assert!(
        ran.assert_code(1).stdout.contains("did you mean severity?"),
        "{ran}"
    );
    check(&folder, &["--check-config", "missing.yml"])
        .assert_code(2)
        .assert_stderr("cannot read the check's configuration missing.yml");
}

#[test]
fn github_gets_annotations() {
    let ran = check(&without_export(), &["--format", "github"]);
    let wanted = "::error file=pipeline.yml,line=47,endLine=47,col=37,endColumn=";
    assert!(ran.assert_code(1).stdout.starts_with(wanted), "{ran}");
}

#[test]
fn explain_tells_of_a_rule_without_a_pipeline() {
    let explain = |code: &str| {
        let program = Program::new(env!("CARGO_BIN_EXE_run-pipeline"));
        program.args(["check", "--explain", code]).run()
    };
    let ran = explain("P203");
    ran.assert_code(0).assert_stderr("");
    assert!(
        ran.stdout
            .starts_with("P203 unknown-key (error)\n\nA #{namespace.KEY} names"),
        "{ran}"
    );
    explain("P2033")
        .assert_code(2)
        .assert_stderr("did you mean P203?");
}

#[test]
fn fix_mends_the_files_once_and_a_dry_run_shows_a_diff() {
    let folder = without_export();
    let path = |name: &str| folder.path().join(name);
    let read = |name: &str| std::fs::read_to_string(path(name)).unwrap();
    let write = |name: &str, text: &str| std::fs::write(path(name), text).unwrap();
    let unexported = read("buildspecs/bake.yml");
    let ran = check(&folder, &["--fix"]);
    ran.assert_code(0)
        .assert_stderr("fixed buildspecs/bake.yml: AMI_ID is exported [P203]");
    assert!(ran.stdout.ends_with("no findings\n"), "{ran}");
    let exported = unexported.replace("CODEBUILD_INITIATOR]", "CODEBUILD_INITIATOR, AMI_ID]");
    assert_eq!(read("buildspecs/bake.yml"), exported);

    let spoilt = PIPELINE.replace("#{AMIcreation.", "#{AMIcreaton.");
    write("pipeline.yml", &spoilt);
    let ran = check(&folder, &["--fix", "--dry-run"]);
    ran.assert_code(1)
        .assert_stderr("--- a/pipeline.yml\n+++ b/pipeline.yml\n@@ ");
    assert!(ran.stdout.contains("error[P201]"), "{ran}");
    assert_eq!(read("pipeline.yml"), spoilt);
    // The diff is one that others take.
    write("fix.diff", &ran.stderr);
    let mut git = std::process::Command::new("git");
    let git = git.args(["apply", "fix.diff"]).current_dir(folder.path());
    assert!(git.status().unwrap().success(), "{ran}");
    assert_eq!(read("pipeline.yml"), PIPELINE);
    write("pipeline.yml", &spoilt);
    check(&folder, &["--fix"]).assert_code(0);
    assert_eq!(read("pipeline.yml"), PIPELINE);
    assert_eq!(check(&folder, &["--fix"]).assert_code(0).stderr, "");
    assert_eq!(read("pipeline.yml"), PIPELINE);
}

#[test]
fn fix_says_what_it_cannot_mend_and_leaves_it() {
    let folder = without_export();
    // Neither the namespace nor the variable is right: which one was meant is not certain.
    let spoilt = PIPELINE.replace("#{AMIcreation.", "#{AMIcreaton.");
    std::fs::write(folder.path().join("pipeline.yml"), &spoilt).unwrap();
    check(&folder, &["--fix"])
        .assert_code(1)
        .assert_stderr("1 of the findings cannot be fixed automatically");
    let now = std::fs::read_to_string(folder.path().join("pipeline.yml")).unwrap();
    assert_eq!(now, spoilt);
    let program = Program::new(env!("CARGO_BIN_EXE_run-pipeline"));
    program
        .args(["pipeline.yml", "--fix"])
        .run()
        .assert_code(2)
        .assert_stderr("only the command check fixes files");
}

#[test]
fn a_folder_is_checked_with_everything_below_it() {
    let folder = without_export();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "cfn/nested.yml",
        "Resources: {A: {Type: 'AWS::S3::Bucket', DependsOn: B}}\n",
    );
    write(
        "ci/build.yml",
        "version: 0.2\nphases: {build: {commands: ['eval \"$(make-ami)\"']}}\n",
    );
    write("compose.yml", "services: {a: {image: b, tty: yes}}\n");
    write("ignored/t.yml", "Resources: {A: {}}\n");
    write(".ignore", "ignored\n");
    let check = |what: &str| {
        let program = Program::new(env!("CARGO_BIN_EXE_run-pipeline")).dir(folder.path());
        program.args(["check", what, "--format", "json"]).run()
    };
    let ran = check(".");
    let found: Value = serde_json::from_str(&ran.assert_code(1).stdout).unwrap();
    let findings = found["findings"].as_array().unwrap().iter();
    let found: Vec<_> = findings
        .map(|one| (one["file"].as_str().unwrap(), one["code"].as_str().unwrap()))
        .collect();
    let wanted = [
        ("cfn/nested.yml", "T201"),
        ("ci/build.yml", "B201"),
        ("pipeline.yml", "P203"),
    ];
    assert_eq!(found, wanted);
    write("empty/notes.yml", "a: 1\n");
    check("empty")
        .assert_code(2)
        .assert_stderr("there is nothing to check in empty");
}
