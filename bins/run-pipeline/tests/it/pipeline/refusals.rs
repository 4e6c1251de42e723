//! What cannot run or be deployed is named before anything is touched.

use harness::{FakeAws, Reply};

use super::{BUILDSPEC, PIPELINE, fake, program, source};
use crate::world::serve_source;

/// As in an environment that asks a person first: found out before an image is made, not after.
#[test]
fn what_does_not_run_here_is_refused_before_anything_ran() {
    let approval = "        - Name: Ask
          Actions:
            - Name: Ask
              ActionTypeId: {Category: Approval, Owner: AWS, Provider: Manual, Version: '1'}
              Configuration: {CustomData: look}
        - Name: Deploy
";
    let asking = PIPELINE.replace(
        "        - Name: Deploy\n          Actions:",
        &format!("{approval}          Actions:"),
    );
    let elsewhere = PIPELINE.replace(
        "Provider: CloudFormation, Version: '1'}\n              Configuration:\n",
        "Provider: ElasticBeanstalk, Version: '1'}\n              Configuration:\n                ApplicationName: a\n                EnvironmentName: e\n",
    );
    let elsewhere = elsewhere.replace("[{Name: Src}, {Name: Made}]", "[{Name: Src}]");
    for (definition, said) in [
        (&asking, "Ask/Ask waits for an approval"),
        (
            &elsewhere,
            "Deploy/Deploy: ElasticBeanstalk actions of the category Deploy do not run here",
        ),
    ] {
        let fake = fake(BUILDSPEC);
        let folder = tempfile::tempdir().unwrap();
        let program = program(folder.path(), definition).envs(fake.env());
        let ran = program.run();
        ran.assert_code(2)
            .assert_stderr(said)
            .assert_stderr("nothing was run")
            .refute_stderr("done so far");
        assert_eq!(fake.operations(), Vec::<String>::new());
        // The stages before it run.
        program.args(["--only", "AMI"]).run().assert_code(0);
    }
}

#[test]
fn what_cannot_be_deployed_is_named_before_anything_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let check = |old: &str, new: &str, expected: &str| {
        let fake = fake(BUILDSPEC);
        assert!(PIPELINE.contains(old));
        program(folder.path(), &PIPELINE.replace(old, new))
            .envs(fake.env())
            .run()
            .assert_stderr(expected);
        assert!(
            !fake
                .operations()
                .iter()
                .any(|one| one.starts_with("cloudformation"))
        );
    };
    check(
        "\"AMIId\":",
        "\"AMIID\":",
        "AMIID: not a parameter of this template",
    );
    check(
        "Src::app.yml",
        "Src::apps.yml",
        "file apps.yml does not exist in artifact Src",
    );
    check(
        "Src::app.yml",
        "Scr::app.yml",
        "TemplatePath names Scr, which is not one of its input artifacts",
    );
    check(
        "ActionMode: CREATE_UPDATE",
        "ActionMode: create_update",
        "ActionMode has no value \"create_update\" [P411]",
    );
    check(
        "                StackName: app\n",
        "",
        "Deploy has no StackName, which CloudFormation needs [P410]",
    );
    check(
        "TemplateConfiguration: Src::config.json",
        "OutputFileName: x",
        "parameter Size has no value and no default",
    );
    check(
        "#{AMIcreation.AMI_ID}",
        "#{AMIcreaton.AMI_ID}",
        "did you mean AMIcreation?",
    );
}

#[test]
fn sources_that_codepipeline_would_not_take_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeAws::start();
    serve_source(&fake, b"just text".to_vec());
    let program = program(folder.path(), PIPELINE).envs(fake.env());
    program
        .run()
        .assert_code(1)
        .assert_stderr("s3://source/template.zip in eu-west-1 is not a zip file");
    fake.on(
        "s3:GetObject",
        [Reply::error(
            404,
            "NoSuchKey",
            "The specified key does not exist.",
        )],
    );
    program
        .run()
        .assert_code(1)
        .assert_stderr("put it there with package-template first");
    fake.on("s3:GetObject", [Reply::bytes(source(BUILDSPEC))]);
    program
        .run()
        .assert_code(2)
        .assert_stderr("the bucket source is not versioned");
}
