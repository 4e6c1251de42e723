//! Before anything is made: which instance, what a dry run asks and says.

use crate::INSTANCE;
use crate::inside::{Cloud, Run};
use harness::Reply;
use harness::ec2::{Image, Instance};
use std::collections::BTreeMap;

const OTHER: &str = "i-0fedcba9876543210";

#[tokio::test(start_paused = true)]
async fn an_instance_is_found_by_its_tags_when_exactly_one_matches() {
    let web = |id| Instance::running(id).tag("role", "build").tag("app", "web");
    let cloud = Cloud::with([web(INSTANCE), Instance::running(OTHER).tag("role", "build")]);
    let run = |tags: &str| {
        let run = cloud.run().unset("instance_id");
        run.set("instance_tag", tags).end()
    };
    let ended = run("app=web,role=build").await;
    ended.assert_code(0);
    let image = cloud.image(ended.ami());
    assert_eq!(image.source_instance.as_deref(), Some(INSTANCE));

    let none = run("app=db").await;
    none.assert_code(2)
        .assert_said("no instance with the tag app=db in eu-west-1; nothing was touched");
    let two = run("role=build").await;
    two.assert_code(2)
        .assert_said(
            "2 instances with the tag role=build in eu-west-1, and exactly one can be meant",
        )
        .assert_said(INSTANCE)
        .assert_said(OTHER);
    assert!(!none.changed_anything() && !two.changed_anything());
    // What is terminated keeps its tags for an hour, and a wildcard is meant as it stands.
    cloud.world.change_instance(OTHER, |one| {
        "terminated".clone_into(&mut one.state);
    });
    run(r#"{"role":"build"}"#).await.assert_code(0);
    run("app=w*")
        .await
        .assert_code(2)
        .assert_said("no instance");
}

#[tokio::test(start_paused = true)]
async fn an_instance_is_found_by_its_place_in_a_stack() {
    let cloud = Cloud::with([
        Instance::running(OTHER).of_stack("web", "Other"),
        Instance::running(INSTANCE).of_stack("web", "Server"),
    ]);
    let run = |place: &str| {
        let run = cloud.run().unset("instance_id");
        run.set("instance_stack", place).end()
    };
    let ended = run("web/Server").await;
    let image = cloud.image(ended.assert_code(0).ami());
    assert_eq!(image.source_instance.as_deref(), Some(INSTANCE));
    run("web/Gone")
        .await
        .assert_code(2)
        .assert_said("no instance Gone of stack web in eu-west-1");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_imaged_is_refused_before_anything_is_made() {
    type Change = fn(&mut Instance);
    let cases: [(Change, &str); 4] = [
        (
            |one| "terminated".clone_into(&mut one.state),
            "is terminated",
        ),
        (
            |one| "shutting-down".clone_into(&mut one.state),
            "is shutting-down",
        ),
        (
            |one| "instance-store".clone_into(&mut one.root_device_type),
            "has no EBS root volume",
        ),
        (
            |one| {
                "stopped".clone_into(&mut one.state);
                let code = "Client.UserInitiatedHibernate".to_owned();
                one.state_reason = Some((code, "hibernated".to_owned()));
            },
            "is hibernated",
        ),
    ];
    for (change, part) in cases {
        let cloud = Cloud::new();
        cloud.world.change_instance(INSTANCE, change);
        let ended = cloud.run().end().await;
        ended.assert_code(2).assert_said(part);
        assert!(!ended.changed_anything(), "{ended}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stopped_instance_cannot_be_quiesced() {
    let cloud = Cloud::with([Instance::stopped(INSTANCE)]);
    let run = cloud.run().set("consistency", "quiesce");
    let ended = run.set("quiesce_container", "db").end().await;
    ended
        .assert_code(2)
        .assert_said("there is nothing to quiesce");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_turns_out_bad_when_it_is_filled_in_is_refused() {
    let cloud = Cloud::new();
    let build = action::codebuild::CodeBuild {
        initiator: Some(format!("codepipeline/{}", "p".repeat(120))),
        ..Default::default()
    };
    let run = cloud.run().build(build).set("ami_name", "{pipeline}-{utc}");
    let ended = run.end().await;
    ended
        .assert_code(2)
        .assert_said("AMI_NAME does not give a name that EC2 takes")
        .assert_said("characters; an image's name has 3 to 128");
}

// --- Dry run ------------------------------------------------------------------------------------

/// Every setting that adds a call.
const EVERYTHING: [(&str, &str); 9] = [
    ("consistency", "stop"),
    ("snapshot_tags", "after"),
    ("app", "web"),
    ("keep", "2"),
    ("copy_to", "us-east-1"),
    ("share_with", "111122223333"),
    ("deprecate_after", "90d"),
    ("ssm_parameter", "/web/ami"),
    ("on_timeout", "clean"),
];

fn with_an_earlier_image() -> Cloud {
    let cloud = Cloud::new();
    let earlier = Image::available("ami-0aaaaaaaaaaaaaaaa", "web-41");
    cloud.world.add_image(earlier.tag("make-ami:app", "web"));
    cloud
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_asks_for_every_change_and_changes_nothing() {
    let cloud = with_an_earlier_image();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.json");
    let run = cloud.run().dry_run().plan_file(&file).all(EVERYTHING);
    let ended = run.end().await;
    ended.assert_code(0);
    let asked: Vec<String> = cloud
        .fake
        .requests()
        .iter()
        .filter(|request| request.flag("DryRun"))
        .map(harness::Request::name)
        .collect();
    for operation in [
        "ec2:CreateImage",
        "ec2:CreateTags",
        "ec2:StopInstances",
        "ec2:StartInstances",
        "ec2:DeregisterImage",
        "ec2:DeleteSnapshot",
        "ec2:EnableImageDeprecation",
        "ec2:DisableImage",
        "ec2:CopyImage",
        "ec2:ModifySnapshotAttribute",
        "ec2:ModifyImageAttribute",
        "ec2:DeleteTags",
    ] {
        assert!(
            asked.iter().any(|one| one == operation),
            "{operation}: {asked:?}"
        );
    }
    // Whatever is no reading call says that it is only asked.
    for request in cloud.fake.requests() {
        let reads = ["Describe", "BatchGet", "Get", "List"];
        let is_reading = reads.iter().any(|read| request.operation.starts_with(read));
        assert!(is_reading || request.flag("DryRun"), "{}", request.name());
    }
    assert_eq!(cloud.world.images().len(), 1);
    assert_eq!(cloud.instance().state, "running");
    let plan: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(plan["name"], "web-42");
    assert_eq!(plan["consistency"], "stop");
    assert!(
        plan["cost"]
            .as_str()
            .unwrap()
            .starts_with("cost: at most $0.40 a month")
    );
}

#[tokio::test(start_paused = true)]
async fn everything_that_is_denied_is_listed_together() {
    let cloud = with_an_earlier_image();
    for operation in [
        "ec2:CreateImage",
        "ec2:DeregisterImage",
        "ec2:CopyImage",
        "ec2:ModifyImageAttribute",
    ] {
        cloud.fake.on(operation, [Reply::unauthorized()]);
    }
    let ended = cloud.run().dry_run().all(EVERYTHING).end().await;
    ended
        .assert_code(3)
        .assert_said("cause: ec2:CreateImage, with ec2:CreateTags: UnauthorizedOperation")
        .assert_said("cause: ec2:DeregisterImage: UnauthorizedOperation")
        .assert_said(
            "cause: ec2:CopyImage, with ec2:CreateTags in us-east-1: UnauthorizedOperation",
        )
        .assert_said("cause: ec2:ModifyImageAttribute: UnauthorizedOperation")
        .assert_said("nothing was touched");
    assert_eq!(cloud.world.images().len(), 1);
}

/// What a look of our own was denied stands beside what EC2 would deny.
#[tokio::test(start_paused = true)]
async fn denied_looks_are_findings_among_the_others() {
    let cloud = with_an_earlier_image();
    let newer = Image::available("ami-0bbbbbbbbbbbbbbbb", "web-40");
    cloud.world.add_image(newer.tag("make-ami:app", "web"));
    for operation in [
        "kms:DescribeKey",
        "ec2:DescribeImageReferences",
        "ec2:CreateImage",
    ] {
        cloud.fake.on(operation, [Reply::unauthorized()]);
    }
    let run = cloud.run().dry_run().all(EVERYTHING).set("keep", "1");
    let ended = run.set("kms_key", "alias/images").end().await;
    ended
        .assert_code(3)
        .assert_said("cause: ec2:CreateImage, with ec2:CreateTags: UnauthorizedOperation")
        .assert_said("cause: retention: cannot find out what refers to images in eu-west-1")
        .assert_said(
            "cause: what follows the image: cannot look up the key alias/images in us-east-1",
        );
    assert!(!ended.said.contains("remains:"), "{ended}");
}

/// What EC2 says to a dry run that goes well: each action with the answer.
async fn answers(run: Run<'_>) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.json");
    run.plan_file(&file).end().await.assert_code(0);
    let plan: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let findings = plan["permissions"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    findings
        .map(|finding| (text(&finding["action"]), text(&finding["answer"])))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_asks_in_every_region_and_for_the_proof_of_quiescing() {
    let cloud = with_an_earlier_image();
    for region in ["us-east-1", "eu-central-1"] {
        let copy = Image::available("ami-0cccccccccccccccc", "web-41");
        let copy = copy.tag("make-ami:app", "web");
        cloud.world.add_image_in(region, copy);
    }
    let run = cloud.run().dry_run().all(EVERYTHING);
    let run = run.set("consistency", "quiesce");
    let run = run.set("quiesce_container", "db");
    let run = run.set("copy_to", "us-east-1,eu-central-1");
    let answers = answers(run).await;
    assert_eq!(answers["ec2:CreateTags on the image, later"], "permitted");
    assert!(answers["ssm:GetCommandInvocation"].starts_with("not asked"));
    for region in ["us-east-1", "eu-central-1"] {
        for action in [
            "ModifyImageAttribute",
            "EnableImageDeprecation",
            "DeregisterImage",
        ] {
            let requests = cloud.fake.requests_for(&format!("ec2:{action}"));
            let is_asked = requests
                .iter()
                .any(|one| one.region().as_deref() == Some(region));
            assert!(is_asked, "{action} in {region}");
            assert_eq!(answers[&format!("ec2:{action} in {region}")], "permitted");
        }
    }
    // The subcommands ask too.
    let id = "ami-0aaaaaaaaaaaaaaaa";
    cloud.world.change_image(id, |image| {
        let tags = [("run", "r"), ("volumes", "1"), ("instance", INSTANCE)];
        let tags = tags.map(|(key, value)| (format!("make-ami:{key}"), value.to_owned()));
        image.tags.extend(tags);
    });
    for command in ["wait", "clean"] {
        let answers = self::answers(cloud.run().go_on(command, id).dry_run()).await;
        assert_eq!(answers["ec2:DeregisterImage"], "permitted", "{command}");
    }
    cloud
        .fake
        .on("ec2:DeregisterImage", [Reply::unauthorized()]);
    let ended = cloud.run().go_on("clean", id).dry_run().end().await;
    ended.assert_code(3).assert_said(&format!(
        "image {id} could not be removed; nothing was touched"
    ));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_checks_the_name_and_the_instance_too() {
    let cloud = Cloud::new();
    let taken = Image::available("ami-0aaaaaaaaaaaaaaaa", "web-42").state("disabled");
    cloud.world.add_image(taken);
    let ended = cloud.run().dry_run().end().await;
    ended.assert_code(2).assert_said("(disabled)");
    let cloud = Cloud::with([Instance::running(INSTANCE).in_group("web")]);
    let run = cloud.run().dry_run().set("consistency", "reboot");
    run.end()
        .await
        .assert_code(2)
        .assert_said("Auto Scaling group");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_of_a_retry_says_what_would_be_adopted() {
    let cloud = Cloud::new();
    cloud.run().in_build("web:1").end().await.assert_code(0);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.json");
    let run = cloud.run().in_build("web:1").dry_run().plan_file(&file);
    run.end().await.assert_code(0);
    let plan: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(plan["adopt"], "ami-00000000000000001");
}
