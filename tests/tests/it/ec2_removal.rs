//! Deregistering, and who still refers to an image.

use aws_sdk_ec2::types::{Filter, ImageReferenceResourceType, ResourceTypeRequest};
use harness::FakeAws;
use harness::ec2::{Ec2World, Image, LaunchTemplate};

use crate::sdk;

fn world() -> (FakeAws, Ec2World, aws_sdk_ec2::Client) {
    let (fake, world) = (FakeAws::offline(), Ec2World::new());
    world.serve(&fake);
    let client = sdk::ec2(&fake);
    (fake, world, client)
}

#[tokio::test]
async fn deregistering_tells_of_every_snapshot_what_became_of_it() {
    let (_fake, world, client) = world();
    let mapping = [
        ("/dev/xvda", "snap-own", 8),
        ("/dev/sdf", "snap-shared", 8),
        ("/dev/sdg", "snap-kept", 8),
        ("/dev/sdh", "snap-busy", 8),
    ];
    world.add_image(Image::available("ami-1", "old-1").mapping(mapping));
    world.add_image(Image::available("ami-2", "old-2").mapping([mapping[1]]));
    assert_eq!(world.snapshots().len(), 4);
    world.fail_snapshot_deletion("snap-kept", "missing-permissions");
    world.fail_associated_deletion("snap-busy", "internal-error");
    let deregister = client.deregister_image().image_id("ami-1");
    let done = deregister.delete_associated_snapshots(true).send().await;
    let done = done.unwrap();
    assert_eq!(done.r#return(), Some(true));
    let results: Vec<_> = done
        .delete_snapshot_results()
        .iter()
        .map(|result| {
            (
                result.snapshot_id().unwrap(),
                result.return_code().unwrap().as_str(),
            )
        })
        .collect();
    assert_eq!(
        results,
        [
            ("snap-own", "success"),
            ("snap-shared", "skipped"),
            ("snap-kept", "missing-permissions"),
            ("snap-busy", "internal-error"),
        ]
    );
    let left: Vec<_> = world.snapshots().into_iter().map(|left| left.id).collect();
    assert_eq!(left, ["snap-shared", "snap-kept", "snap-busy"]);
    let delete = |id: &str| client.delete_snapshot().snapshot_id(id).send();
    assert_eq!(
        sdk::code(delete("snap-kept").await),
        "UnauthorizedOperation"
    );
    assert_eq!(
        sdk::code(delete("snap-shared").await),
        "InvalidSnapshot.InUse"
    );
    delete("snap-busy").await.unwrap();
}

#[tokio::test]
async fn a_protected_image_stays() {
    let (_fake, world, client) = world();
    world.add_image(Image::available("ami-1", "old-1"));
    world.protect_image("ami-1");
    let images = client.describe_images().send().await.unwrap();
    assert_eq!(
        images.images()[0].deregistration_protection(),
        Some("enabled-without-cooldown")
    );
    let deregister = client.deregister_image().image_id("ami-1").send().await;
    assert_eq!(sdk::code(deregister), "OperationNotPermitted");
    assert_eq!(world.images().len(), 1);
}

#[tokio::test]
async fn references_are_told_by_image_and_type() {
    let (_fake, world, client) = world();
    world.add_image(Image::available("ami-1", "old-1"));
    world.add_image(Image::available("ami-2", "old-2"));
    world.reference("ami-1", "ec2:Instance", "arn:1");
    world.reference("ami-1", "ssm:Parameter", "arn:2");
    world.reference("ami-2", "ec2:Instance", "arn:3");
    let ask = client.describe_image_references().image_ids("ami-1");
    let all = ask.clone().include_all_resource_types(true).send().await;
    let arns: Vec<_> = all
        .unwrap()
        .image_references()
        .iter()
        .map(|found| found.arn().unwrap().to_owned())
        .collect();
    assert_eq!(arns, ["arn:1", "arn:2"]);
    let parameters = ResourceTypeRequest::builder()
        .resource_type(ImageReferenceResourceType::SsmParameter)
        .build();
    let some = ask.clone().resource_types(parameters).send().await.unwrap();
    assert_eq!(some.image_references()[0].arn(), Some("arn:2"));
    assert_eq!(sdk::code(ask.send().await), "MissingParameter");
    let many = client.describe_image_references();
    let many = many.set_image_ids(Some(vec!["ami-1".to_owned(); 11]));
    assert_eq!(sdk::code(many.send().await), "InvalidParameterValue");
}

#[tokio::test]
async fn the_used_versions_of_all_launch_templates_are_found_by_image() {
    let (_fake, world, client) = world();
    world.add_launch_template(
        LaunchTemplate::new("lt-1", "web", ["ami-1", "ami-2", "ami-3"]).default(1),
    );
    world.add_launch_template(LaunchTemplate::new("lt-2", "api", ["ami-2"]));
    let find = |image: &str| {
        let filter = Filter::builder().name("image-id").values(image).build();
        let ask = client.describe_launch_template_versions();
        let ask = ask.versions("$Latest").versions("$Default").filters(filter);
        async {
            let found = ask.send().await.unwrap();
            let found = found.launch_template_versions().iter();
            let found = found.map(|version| {
                let id = version.launch_template_id().unwrap().to_owned();
                (id, version.version_number().unwrap())
            });
            found.collect::<Vec<_>>()
        }
    };
    assert_eq!(find("ami-1").await, [("lt-1".to_owned(), 1)]);
    // Version 2 of the first template is neither its default nor its latest.
    assert_eq!(find("ami-2").await, [("lt-2".to_owned(), 1)]);
    assert_eq!(find("ami-3").await, [("lt-1".to_owned(), 3)]);
    let of_all = client.describe_launch_template_versions().versions("2");
    assert_eq!(sdk::code(of_all.send().await), "MissingParameter");
    let of_one = client.describe_launch_template_versions();
    let of_one = of_one.launch_template_id("lt-1").send().await.unwrap();
    let data = of_one.launch_template_versions()[1].launch_template_data();
    assert_eq!(data.unwrap().image_id(), Some("ami-2"));
    let templates = client.describe_launch_templates().send().await.unwrap();
    assert_eq!(
        templates.launch_templates()[0].latest_version_number(),
        Some(3)
    );
}
