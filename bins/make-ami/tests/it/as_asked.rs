//! What the image is beside its content: its volumes, its description, its metadata service, its encryption, its name
//! everywhere; and limits that pass.

mod encryption;
mod limits;

use crate::INSTANCE;
use crate::inside::{Cloud, Run};
use harness::ec2::{Image, Instance, Volume};
use harness::{Fate, Reply};

const DATA: &str = "vol-000000000000da7a0";
const AWAY: &str = "us-east-1";

/// An account whose instance has a root volume and another one.
fn account() -> Cloud {
    let data = Volume::new(DATA, "/dev/sdf", 80);
    Cloud::with([Instance::running(INSTANCE).volume(data)])
}

/// The plan of a dry run that is permitted.
async fn plan(run: Run<'_>) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    run.dry_run().plan_file(&path).end().await.assert_code(0);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_volume_is_left_out_and_nobody_waits_for_it() {
    let cloud = account();
    let run = cloud.run().set("volume", "/dev/sdf=leave-out");
    let ended = run.end().await;
    ended.assert_code(0).assert_said("(8 GiB of volumes");
    let image = cloud.image(ended.ami());
    let devices: Vec<&str> = image
        .devices
        .iter()
        .map(|(device, ..)| device.as_str())
        .collect();
    assert_eq!(devices, ["/dev/xvda"]);
    assert!(
        image
            .tags
            .contains(&("make-ami:volumes".to_owned(), "1".to_owned()))
    );
    let asked = &cloud.fake.requests_for("ec2:CreateImage")[0];
    assert_eq!(asked.param("BlockDeviceMapping.1.NoDevice"), Some(""));
    assert_eq!(
        asked.param("BlockDeviceMapping.1.Ebs.DeleteOnTermination"),
        None
    );
}

#[tokio::test(start_paused = true)]
async fn what_goes_with_an_instance_is_changed_in_the_mapping() {
    let cloud = account();
    let run = cloud.run().set(
        "volume",
        "/dev/sdf=keep-on-termination,/dev/xvda=delete-on-termination",
    );
    let ended = run.end().await;
    let image = cloud.image(ended.assert_code(0).ami());
    assert_eq!(image.kept_devices, ["/dev/sdf"]);
    let verify = |changes: &str| {
        let run = cloud.run().go_on("verify", ended.ami());
        run.set("volume", changes).end()
    };
    verify("/dev/sdf=keep-on-termination").await.assert_code(0);
    verify("/dev/sdf=delete-on-termination,/dev/xvda=leave-out")
        .await
        .assert_code(1)
        .assert_said("/dev/sdf is not mapped as delete-on-termination")
        .assert_said("it holds /dev/xvda, which MAKE_AMI_VOLUME leaves out");
}

#[tokio::test(start_paused = true)]
async fn volumes_that_cannot_be_left_out_are_refused_before_anything_is_made() {
    let cloud = account();
    let run = |changes: &str| cloud.run().set("volume", changes).end();
    let root = run("/dev/xvda=leave-out").await;
    root.assert_code(2)
        .assert_said("leaves out /dev/xvda, the root volume of instance");
    let unknown = run("/dev/sdz=leave-out").await;
    unknown
        .assert_code(2)
        .assert_said("has no EBS volume there")
        .assert_said("its devices are /dev/xvda, /dev/sdf");
    assert!(!root.changed_anything() && !unknown.changed_anything());
}

/// An EC2 that does not keep to what it was asked.
#[tokio::test(start_paused = true)]
async fn an_image_that_is_not_mapped_as_asked_is_removed_and_not_exported() {
    let cloud = account();
    cloud
        .fake
        .intercept(|request| match request.name().as_str() {
            "ec2:ModifyImageAttribute" => Fate::Answered(Reply::unauthorized()),
            _ => Fate::Served,
        });
    let world = cloud.world.clone();
    cloud.fake.on_call("ec2:CreateImage", move |request| {
        let asked = request.without("BlockDeviceMapping.1.NoDevice");
        let asked = asked.without("BlockDeviceMapping.1.DeviceName");
        world.create_image(&asked)
    });
    let run = cloud.run().set("volume", "/dev/sdf=leave-out");
    let ended = run.end().await;
    ended
        .assert_code(1)
        .assert_said("it holds /dev/sdf, which MAKE_AMI_VOLUME leaves out");
    assert!(ended.exports.is_empty());
    assert!(cloud.world.images().is_empty() && cloud.world.snapshots().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_description_is_filled_in_and_its_copies_have_it_too() {
    let cloud = Cloud::new();
    let settings = [
        ("description", "{app} of {instance}"),
        ("app", "web"),
        ("copy_to", AWAY),
    ];
    let ended = cloud.run().all(settings).end().await;
    let text = format!("web of {INSTANCE}");
    assert_eq!(cloud.image(ended.assert_code(0).ami()).description, text);
    assert_eq!(cloud.world.images_in(AWAY)[0].description, text);
    let asked = &cloud.fake.requests_for("ec2:CopyImage")[0];
    assert_eq!(asked.param("Description"), Some(text.as_str()));
    let verify = |text: &str| {
        let run = cloud.run().go_on("verify", ended.ami());
        run.set("description", text).end()
    };
    verify(&text).await.assert_code(0);
    verify("{app}, whatever {utc}").await.assert_code(0);
    let other = verify("another").await;
    other
        .assert_code(1)
        .assert_said("its description is not \"another\"");
    let run = cloud.run().set("ami_name", "web-43");
    let settings = [
        ("description", "of {instance}"),
        ("imds", "v2"),
        ("volume", "/dev/xvda=keep-on-termination"),
    ];
    let plan = plan(run.all(settings)).await;
    assert_eq!(plan["description"], format!("of {INSTANCE}"));
    assert_eq!(plan["imds"], "v2");
    assert_eq!(plan["volumes"]["/dev/xvda"], "keep-on-termination");
}

#[tokio::test(start_paused = true)]
async fn the_image_and_its_copies_require_imdsv2_before_they_are_shared() {
    let cloud = Cloud::new();
    let settings = [
        ("imds", "v2"),
        ("copy_to", AWAY),
        ("share_with", "111122223333"),
    ];
    let ended = cloud.run().all(settings).end().await;
    ended.assert_code(0).assert_said("requires IMDSv2");
    let mut images = cloud.world.images();
    images.extend(cloud.world.images_in(AWAY));
    assert_eq!(images.len(), 2);
    assert!(
        images
            .iter()
            .all(|image| image.imds.as_deref() == Some("v2.0"))
    );
    let asked = cloud.fake.requests_for("ec2:ModifyImageAttribute");
    assert!(
        asked[0].param("ImdsSupport.Value").is_some(),
        "before it is shared"
    );
    let verify = cloud.run().go_on("verify", ended.ami()).set("imds", "v2");
    verify.end().await.assert_code(0);
    // What has it already is not asked again.
    let again = cloud
        .run()
        .set("image", ended.ami())
        .set("imds", "v2")
        .end()
        .await;
    again.assert_code(0);
    assert_eq!(again.count("ec2:ModifyImageAttribute"), 0);
}

#[tokio::test(start_paused = true)]
async fn an_image_without_imdsv2_is_neither_shared_nor_exported_and_stays() {
    let cloud = Cloud::new();
    let refused = [Reply::unauthorized()];
    cloud.fake.on("ec2:ModifyImageAttribute", refused);
    let ended = cloud.run().set("imds", "v2").end().await;
    ended
        .assert_code(5)
        .assert_said("cannot require IMDSv2")
        .assert_said("allow ec2:ModifyImageAttribute")
        .assert_said("make-ami wait --image ami-");
    assert!(ended.exports.is_empty());
    // EC2 says yes, and the image does not show it.
    let cloud = Cloud::new();
    let done = Reply::xml(harness::ec2::done("ModifyImageAttribute"));
    cloud.fake.on("ec2:ModifyImageAttribute", [done]);
    let ended = cloud.run().set("imds", "v2").end().await;
    ended.assert_code(6).assert_said("to require IMDSv2");
    assert!(ended.exports.is_empty());
    let verify = cloud.run().go_on("verify", &cloud.world.images()[0].id);
    let verified = verify.set("imds", "v2").end().await;
    verified
        .assert_code(1)
        .assert_said("it does not require IMDSv2");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_where_a_copy_goes_is_refused_before_anything_is_made() {
    let cloud = Cloud::new();
    let other = Image::available("ami-0bbbbbbbbbbbbbbbb", "web-42");
    cloud.world.add_image_in(AWAY, other);
    let run = || cloud.run().set("copy_to", AWAY);
    let taken = format!("the name \"web-42\" is taken in {AWAY} by ami-0bbbbbbbbbbbbbbbb");
    let ended = run().end().await;
    ended.assert_code(2).assert_said(&taken);
    assert!(!ended.changed_anything(), "{ended}");
    run()
        .dry_run()
        .end()
        .await
        .assert_code(2)
        .assert_said(&taken);
    // An image that exists already would have the same name there.
    let made = cloud.run().end().await;
    let go_on = cloud
        .run()
        .go_on("wait", made.ami())
        .set("copy_to", AWAY)
        .end()
        .await;
    go_on.assert_code(2).assert_said(&taken);
    assert!(!go_on.changed_anything(), "{go_on}");
}
