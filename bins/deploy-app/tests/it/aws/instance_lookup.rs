//! Which instance it is, and why it does not answer.

use super::{ID, console, instance, with_instance};
use crate::world::World;
use harness::{FakeAws, Reply};

#[test]
fn with_an_address_alone_aws_is_not_called() {
    let Some(world) = World::start() else { return };
    let aws = FakeAws::start();
    world.program().envs(aws.env()).run().assert_code(0);
    assert_eq!(aws.operations(), Vec::<String>::new());
    // Nor are credentials needed.
    let bare = world
        .program()
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env_remove("AWS_REGION");
    bare.run().assert_code(0);
}

#[test]
fn an_instance_that_does_not_exist_is_refused_with_a_hint() {
    let Some(world) = World::start() else { return };
    let aws = FakeAws::start();
    let message = format!("The instance ID '{ID}' does not exist");
    aws.on(
        "ec2:DescribeInstances",
        [Reply::error(400, "InvalidInstanceID.NotFound", message)],
    );
    let ran = with_instance(&world, &aws).run();
    ran.assert_code(2)
        .assert_stderr("there is no instance")
        .assert_stderr("AWS_REGION")
        .assert_stderr("request id");
}

#[test]
fn an_instance_is_found_by_its_tag() {
    let Some(world) = World::start() else { return };
    let aws = FakeAws::start();
    aws.on(
        "ec2:DescribeInstances",
        [instance("running", "203.0.113.7", "")],
    );
    let program = world
        .program()
        .envs(aws.env())
        .env("DEPLOY_APP_INSTANCE_TAG", "Name=web*");
    let ran = program.run();
    ran.assert_code(0);
    assert_eq!(ran.exports()["INSTANCE_ID"], ID);
    let asked = aws.requests_for("ec2:DescribeInstances")[0].filters();
    // A star of the value is a star, not a pattern.
    assert_eq!(asked["tag:Name"], ["web\\*"]);
    assert!(!asked["instance-state-name"].contains(&"terminated".to_owned()));
    let none = "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><reservationSet/></DescribeInstancesResponse>";
    aws.on("ec2:DescribeInstances", [Reply::xml(none)]);
    program
        .run()
        .assert_code(2)
        .assert_stderr("no instance has the tag Name=web*");
    let one = "<item><instancesSet><item><instanceId>i-0123456789abcdef0</instanceId><instanceState><code>16</code><name>running</name></instanceState>\
               <tagSet><item><key>Name</key><value>web*</value></item></tagSet></item>\
               </instancesSet></item>";
    let two = format!(
        "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><reservationSet>{one}{one}</reservationSet></DescribeInstancesResponse>"
    );
    aws.on("ec2:DescribeInstances", [Reply::xml(two)]);
    program
        .run()
        .assert_code(2)
        .assert_stderr("2 instances have the tag")
        .assert_stderr("is running");
    aws.on("ec2:DescribeInstances", [Reply::xml(none)]);
    let both = ["--instance-tag", "Name=web", "--instance-tag", "stage=dev"];
    let asked = aws.requests_for("ec2:DescribeInstances").len();
    program
        .clone()
        .args(both)
        .run()
        .assert_code(2)
        .assert_stderr("no instance has the tags Name=web, stage=dev");
    let asked = aws.requests_for("ec2:DescribeInstances")[asked].filters();
    assert_eq!(
        (&asked["tag:Name"][..], &asked["tag:stage"][..]),
        (&["web".to_owned()][..], &["dev".to_owned()][..])
    );
    program
        .env("INSTANCE_ID", ID)
        .run()
        .assert_code(2)
        .assert_stderr("keep one of the two");
}

#[test]
fn an_instance_that_does_not_answer_is_explained() {
    let Some(world) = World::start() else { return };
    let aws = FakeAws::start();
    aws.on(
        "ec2:DescribeInstances",
        [instance("running", "203.0.113.7", "")],
    );
    aws.on("ec2:DescribeInstanceStatus", [Reply::xml(
        "<DescribeInstanceStatusResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><instanceStatusSet><item>\
         <systemStatus><status>ok</status></systemStatus><instanceStatus><status>impaired</status></instanceStatus>\
         </item></instanceStatusSet></DescribeInstanceStatusResponse>",
    )]);
    aws.on("ec2:DescribeSecurityGroups", [Reply::xml(
        "<DescribeSecurityGroupsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><securityGroupInfo><item>\
         <groupId>sg-0123456789abcdef0</groupId><ipPermissions><item><ipProtocol>-1</ipProtocol>\
         <ipRanges><item><cidrIp>192.0.2.0/24</cidrIp></item></ipRanges></item></ipPermissions></item></securityGroupInfo></DescribeSecurityGroupsResponse>",
    )]);
    aws.on(
        "ec2:GetConsoleOutput",
        [console("booting\r\nKernel panic - not syncing\r\n")],
    );
    let bundle = world.state().join("bundle");
    let ran = with_instance(&world, &aws)
        .env("DEPLOY_APP_ADDRESS", "127.0.0.1:1")
        .env("DEPLOY_APP_SSH_TIMEOUT", "1s")
        .env("DEPLOY_APP_DIAGNOSTICS_DIR", &bundle)
        .run();
    ran.assert_code(4)
        .assert_stderr("cause: no TCP connection: Connection refused")
        .assert_stderr("the instance is running")
        .assert_stderr("its status checks: system ok, instance impaired")
        .assert_stderr("let reach port 1: 192.0.2.0/24")
        .assert_stderr("console: Kernel panic");
    let console = std::fs::read_to_string(bundle.join("console.txt")).unwrap();
    assert!(console.contains("Kernel panic"));
    let summary = std::fs::read_to_string(bundle.join("failure.json")).unwrap();
    assert!(summary.contains("\"stage\": \"connect\""), "{summary}");
    aws.assert_all_scripted();
}
