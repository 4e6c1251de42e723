//! How a run of the built binary ends: exit codes, what stdout carries, what is left.

use crate::{INSTANCE, account, changed_anything, left_nothing, program};
use harness::Reply;
use harness::codebuild::{Build, CodeBuild};
use harness::ec2::{Image, Outcome};
use std::time::{Duration, SystemTime};

#[test]
fn a_lost_reply_of_create_image_is_found_again() {
    let (fake, world) = account();
    fake.lose_reply("ec2:CreateImage");
    let exports = program(&fake).run().assert_code(0).exports();
    assert_eq!(world.images().len(), 1);
    assert_eq!(exports["AMI_ID"], world.images()[0].id);
}

#[test]
fn a_throttle_storm_is_waited_out() {
    let (fake, world) = account();
    fake.first("ec2:CreateImage", [Reply::throttled()]);
    program(&fake).run().assert_code(0);
    assert_eq!(world.images().len(), 1);
}

#[test]
fn the_deadline_of_create_image_says_what_it_met_last() {
    let (fake, world) = account();
    fake.on("ec2:CreateImage", [Reply::html(500, "<html>oops</html>")]);
    let ran = program(&fake).args(["--timeout", "3s"]).run();
    ran.assert_code(6)
        .assert_stderr(
            "cannot create image \"web-42\" of i-0123456789abcdef0 in eu-west-1: the deadline passed",
        )
        .assert_stderr("cause: the last error of CreateImage: HTTP 500");
    assert!(world.images().is_empty());
}

#[test]
fn an_image_that_is_not_listed_at_first_is_not_an_error() {
    let (fake, world) = account();
    world.hide_new_images(1);
    program(&fake).run().assert_code(0);
}

#[test]
fn old_one_liner_create_fails_stops_the_build_and_exports_nothing() {
    let (fake, world) = account();
    let refusal = Reply::error(400, "InvalidParameterValue", "it cannot be imaged");
    fake.on("ec2:CreateImage", [refusal]);
    let ran = program(&fake).run();
    left_nothing(&ran, &world, 1);
    ran.assert_stderr("cannot create image \"web-42\" of i-0123456789abcdef0")
        .assert_stderr("cause: InvalidParameterValue: it cannot be imaged (request id ");
}

#[test]
fn old_one_liner_wait_fails_stops_the_build_exports_nothing_and_leaves_nothing() {
    let (fake, world) = account();
    world.outcomes([Outcome::Failed {
        after_polls: 1,
        code: "Client.InstanceTerminated".to_owned(),
        message: "the instance was rebooted".to_owned(),
    }]);
    let ran = program(&fake).run();
    left_nothing(&ran, &world, 1);
    ran.assert_stderr("Client.InstanceTerminated: the instance was rebooted");
}

#[test]
fn what_cannot_be_removed_is_listed_with_the_command_that_does() {
    let (fake, world) = account();
    world.outcomes([Outcome::Failed {
        after_polls: 1,
        code: "Server.InternalError".to_owned(),
        message: "internal".to_owned(),
    }]);
    fake.on("ec2:DeregisterImage", [Reply::unauthorized()]);
    let ran = program(&fake).run();
    ran.assert_code(5).assert_stderr(&format!(
        "aws ec2 deregister-image --region eu-west-1 --image-id {}",
        world.images()[0].id
    ));
    assert_eq!(ran.stdout, "(exit 5)\n");
}

#[test]
fn the_deadline_keeps_the_image_and_the_next_run_adopts_it() {
    let (fake, world) = account();
    world.outcomes([Outcome::Available { after_polls: 2 }]);
    program(&fake)
        .args(["--timeout", "2s"])
        .run()
        .assert_code(6)
        .assert_stderr("the deadline passed while waiting for image ami-")
        .assert_stderr("remains: image ami-")
        .assert_stderr("adopts the image");
    let again = program(&fake).run();
    assert_eq!(
        again.assert_code(0).exports()["AMI_ID"],
        world.images()[0].id
    );
    assert_eq!(world.images().len(), 1);
}

#[test]
fn the_deadline_with_clean_leaves_nothing() {
    let (fake, world) = account();
    world.outcomes([Outcome::Never]);
    let ran = program(&fake)
        .args(["--timeout", "3s", "--on-timeout", "clean"])
        .run();
    left_nothing(&ran, &world, 1);
}

/// The built binary asks for its build's limit, and heeds it.
#[test]
fn the_builds_own_limit_ends_the_run_before_it_ends_the_build() {
    let (fake, world) = account();
    world.outcomes([Outcome::Never]);
    // An hour is CodeBuild's default; some seconds of it are left.
    let began = SystemTime::now() - Duration::from_secs(3600 - 12);
    CodeBuild::with([Build::running("web:1", began)]).serve(&fake);
    let ran = program(&fake).env("CODEBUILD_BUILD_ID", "web:1").run();
    ran.assert_code(6)
        .assert_stderr("the build ends at")
        .assert_stderr("make-ami wait --image ami-00000000000000001");
}

/// 143 promises that all is cleaned up.
#[test]
fn sigterm_with_something_that_cannot_be_removed_is_exit_5() {
    let (fake, world) = account();
    world.outcomes([Outcome::Never]);
    fake.on("ec2:DeregisterImage", [Reply::unauthorized()]);
    let running = program(&fake).spawn();
    running.wait_for_stderr("waiting for image", Duration::from_secs(20));
    running.signal(15);
    let ran = running.finish();
    ran.assert_code(5)
        .assert_stderr("SIGTERM received")
        .assert_stderr("remains: image ami-00000000000000001 in eu-west-1")
        .assert_stderr(
            "aws ec2 deregister-image --region eu-west-1 --image-id ami-00000000000000001",
        );
    assert_eq!(world.images().len(), 1);
}

#[test]
fn sigterm_while_waiting_cleans_up() {
    let (fake, world) = account();
    world.outcomes([Outcome::Never]);
    let running = program(&fake).spawn();
    running.wait_for_stderr("waiting for image", Duration::from_secs(20));
    running.signal(15);
    let ran = running.finish();
    left_nothing(&ran, &world, 143);
}

#[test]
fn a_name_that_a_disabled_image_holds_is_refused_before_anything_is_made() {
    let (fake, world) = account();
    world.add_image(Image::available("ami-0aaaaaaaaaaaaaaaa", "web-42").state("disabled"));
    program(&fake).run().assert_code(2).assert_stderr(
        "the name \"web-42\" is taken in eu-west-1 by ami-0aaaaaaaaaaaaaaaa (disabled)",
    );
    assert!(!changed_anything(&fake), "{:?}", fake.operations());
}

#[test]
fn an_absent_instance_is_refused_with_a_hint() {
    let (fake, _) = account();
    program(&fake)
        .env("INSTANCE_ID", "i-0000000000000dead")
        .run()
        .assert_code(2)
        .assert_stderr("no instance i-0000000000000dead in eu-west-1; nothing was touched")
        .assert_stderr("an instance of another account looks absent");
    assert!(!changed_anything(&fake));
}

#[test]
fn a_terminated_instance_is_refused() {
    let (fake, world) = account();
    world.change_instance(INSTANCE, |instance| {
        instance.state = "terminated".to_owned()
    });
    program(&fake)
        .run()
        .assert_code(2)
        .assert_stderr("is terminated");
    assert!(!changed_anything(&fake));
}

#[test]
fn not_permitted_is_an_exit_of_its_own() {
    let (fake, _) = account();
    fake.on("ec2:CreateImage", [Reply::unauthorized()]);
    program(&fake)
        .run()
        .assert_code(3)
        .assert_stderr("cause: UnauthorizedOperation")
        .assert_stderr("hint: allow ec2:CreateImage");
}

#[test]
fn an_endpoint_that_never_answers_is_left_at_the_deadline_and_on_sigterm() {
    let (fake, _) = account();
    fake.on(
        "ec2:DescribeInstances",
        [Reply::hang(Duration::from_secs(60))],
    );
    program(&fake)
        .args(["--timeout", "1s"])
        .run()
        .assert_code(6)
        .assert_stderr("the deadline passed before anything was made");
    let running = program(&fake).spawn();
    let asked = || fake.requests_for("ec2:DescribeInstances").len() >= 2;
    while !asked() {
        std::thread::yield_now();
    }
    running.signal(15);
    running.finish().assert_code(143);
}

#[test]
fn a_name_taken_after_a_lost_reply_is_our_own_image_even_if_listed_late() {
    let (fake, world) = account();
    world.hide_new_images(1);
    fake.lose_reply("ec2:CreateImage");
    let exports = program(&fake).run().assert_code(0).exports();
    assert_eq!(world.images().len(), 1);
    assert_eq!(exports["AMI_ID"], world.images()[0].id);
}

#[test]
fn a_name_taken_by_somebody_else_in_the_meantime_is_lost() {
    let (fake, world) = account();
    fake.on_call("ec2:CreateImage", move |_| {
        world.add_image(Image::available("ami-0bbbbbbbbbbbbbbbb", "web-42"));
        Reply::error(
            400,
            "InvalidAMIName.Duplicate",
            "AMI name web-42 is already in use by AMI ami-0bbbbbbbbbbbbbbbb",
        )
    });
    program(&fake)
        .run()
        .assert_code(7)
        .assert_stderr("InvalidAMIName.Duplicate")
        .assert_stderr("taken by ami-0bbbbbbbbbbbbbbbb (available)");
}

/// The whole way of a killed run with the real signals: SIGKILL while the instance is stopped.
#[test]
fn a_killed_run_leaves_the_instance_stopped_and_the_next_one_starts_it() {
    let (fake, world) = account();
    let run = || {
        program(&fake)
            .env("CODEBUILD_BUILD_ID", "web:1")
            .env("MAKE_AMI_CONSISTENCY", "stop")
    };
    fake.first("ec2:CreateImage", [Reply::hang(Duration::from_secs(60))]);
    let running = run().spawn();
    while fake.requests_for("ec2:CreateImage").is_empty() {
        std::thread::yield_now();
    }
    running.signal(9);
    assert_eq!(running.finish().code, None);
    assert_eq!(world.instances()[0].state, "stopped");
    run()
        .run()
        .assert_code(0)
        .assert_stderr("starting i-0123456789abcdef0 again");
    assert_eq!(world.instances()[0].state, "running");
    assert_eq!(world.images().len(), 1);
}
