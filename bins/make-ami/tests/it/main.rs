//! Runs the built `make-ami` against a scripted EC2, as a build does.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod commands;
mod complaints;
mod cost;
mod iam;
mod inside;
mod preflight;
mod publish;
mod retention;
mod still;
mod stopped;
mod waiting;

use harness::ec2::{Ec2World, Image, Instance, Outcome};
use harness::{FakeAws, Program, Ran, Reply, page};
use std::collections::BTreeSet;
use std::time::Duration;

const INSTANCE: &str = "i-0123456789abcdef0";

/// A fake EC2 with one running instance.
fn account() -> (FakeAws, Ec2World) {
    let fake = FakeAws::start();
    let world = Ec2World::with([Instance::running(INSTANCE)]);
    world.serve(&fake);
    (fake, world)
}

fn program(fake: &FakeAws) -> Program {
    Program::new(env!("CARGO_BIN_EXE_make-ami"))
        .envs(fake.env())
        .env("INSTANCE_ID", INSTANCE)
        .env("AMI_NAME", "web-42")
}

/// Nothing was exported, nothing exists, and an `eval` of the output turns red.
#[track_caller]
fn left_nothing(ran: &Ran, world: &Ec2World, code: i32) {
    ran.assert_code(code);
    assert_eq!(ran.stdout, format!("(exit {code})\n"));
    assert!(
        world.images().is_empty(),
        "{:?}\n{}",
        world.images(),
        ran.stderr
    );
    assert!(
        world.snapshots().is_empty(),
        "{:?}\n{}",
        world.snapshots(),
        ran.stderr
    );
}

fn changed_anything(fake: &FakeAws) -> bool {
    let reading = |operation: &String| operation.starts_with("ec2:Describe");
    !fake.operations().iter().all(reading)
}

#[test]
fn page_is_that_of_the_code() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let table = action::page::settings::<make_ami::settings::Raw>(&make_ami::PROGRAM);
    page::check_block(page, "settings", &table);
    page::check_block(page, "exports", &action::page::exports(&make_ami::PROGRAM));
    page::check_block(
        page,
        "permissions",
        &action::page::permissions(&make_ami::PROGRAM),
    );
}

#[test]
fn makes_an_image_and_exports_it_when_it_is_available() {
    let (fake, world) = account();
    let ran = program(&fake).run();
    let exports = ran.assert_code(0).exports();
    let image = &world.images()[0];
    assert_eq!(exports["AMI_ID"], image.id);
    assert_eq!(exports["AMI_NAME"], "web-42");
    assert_eq!(exports["AMI_SNAPSHOT_IDS"], image.snapshots().join(","));
    let names: Vec<&str> = exports.keys().map(String::as_str).collect();
    let documented: BTreeSet<&str> = make_ami::PROGRAM
        .exports
        .iter()
        .map(|(name, _)| *name)
        .collect();
    assert_eq!(names.into_iter().collect::<BTreeSet<_>>(), documented);

    let create = &fake.requests_for("ec2:CreateImage")[0];
    assert_eq!(create.param("NoReboot"), Some("true"));
    let tags = create.tags_for("image");
    assert!(
        tags.iter().any(|(key, _)| key == "make-ami:run"),
        "{tags:?}"
    );
    assert_eq!(tags, create.tags_for("snapshot"));
    fake.assert_all_scripted();
}

#[test]
fn a_second_run_changes_nothing_and_exports_the_same() {
    let (fake, world) = account();
    let first = program(&fake).run();
    let second = program(&fake).run();
    assert_eq!(
        first.assert_code(0).exports(),
        second.assert_code(0).exports()
    );
    assert_eq!(world.images().len(), 1);
    assert_eq!(fake.requests_for("ec2:CreateImage").len(), 1);
}

#[test]
fn a_second_try_in_a_build_adopts_the_first_image_although_the_clock_went_on() {
    let (fake, world) = account();
    let in_build = || {
        program(&fake)
            .env("CODEBUILD_BUILD_ID", "ami:8f2e9c1a")
            .env("AMI_NAME", "web-{utc}-{build}")
            .run()
    };
    in_build().assert_code(0);
    harness_pause();
    in_build()
        .assert_code(0)
        .assert_stderr("adopting the image");
    assert_eq!(world.images().len(), 1);
}

/// Lets the clock's second change, which is what the test is about.
fn harness_pause() {
    std::thread::sleep(Duration::from_millis(1100));
}

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
    fake.first("ec2:CreateImage", [Reply::throttled(), Reply::throttled()]);
    program(&fake).run().assert_code(0);
    assert_eq!(world.images().len(), 1);
}

#[test]
fn an_image_that_is_not_listed_at_first_is_not_an_error() {
    let (fake, world) = account();
    world.hide_new_images(3);
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
        after_polls: 2,
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
    world.outcomes([Outcome::Available { after_polls: 5 }]);
    program(&fake)
        .args(["--timeout", "3s"])
        .run()
        .assert_code(6)
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
fn tags_after_leave_the_snapshots_tagged() {
    let (fake, world) = account();
    program(&fake)
        .args(["--snapshot-tags", "after", "--tags", "app=rag"])
        .run()
        .assert_code(0);
    assert!(
        fake.requests_for("ec2:CreateImage")[0]
            .tags_for("snapshot")
            .is_empty()
    );
    let tags = &world.snapshots()[0].tags;
    assert!(
        tags.iter()
            .any(|(key, value)| key == "app" && value == "rag"),
        "{tags:?}"
    );
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
fn an_endpoint_that_answers_html_is_named_as_such() {
    let (fake, _) = account();
    fake.on(
        "ec2:DescribeInstances",
        [Reply::html(500, "<html>Bad gateway</html>")],
    );
    program(&fake)
        .env("AWS_MAX_ATTEMPTS", "1")
        .run()
        .assert_code(4)
        .assert_stderr("HTTP 500, body is text/html")
        .assert_stderr("check AWS_ENDPOINT_URL");
}

#[test]
fn an_endpoint_that_closes_the_connection_is_unavailable() {
    let (fake, _) = account();
    fake.on("ec2:DescribeInstances", [Reply::close()]);
    program(&fake)
        .env("AWS_MAX_ATTEMPTS", "1")
        .run()
        .assert_code(4)
        .assert_stderr("cannot look at instance")
        .refute_stderr("service error");
}

#[test]
fn nothing_set_is_a_refusal() {
    Program::new(env!("CARGO_BIN_EXE_make-ami"))
        .run()
        .assert_code(2)
        .assert_stderr("INSTANCE_ID is not set (or --instance-id)");
}

#[test]
fn no_credentials_is_a_refusal() {
    let (fake, _) = account();
    let ran = program(&fake)
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .run();
    ran.assert_code(2)
        .assert_stderr("no AWS credentials were found; nothing was touched");
    assert!(fake.requests().is_empty());
}

#[test]
fn after_a_failed_build_phase_nothing_is_done() {
    let (fake, _) = account();
    let failed = || program(&fake).env("CODEBUILD_BUILD_SUCCEEDING", "0");
    failed()
        .run()
        .assert_code(2)
        .assert_stderr("CODEBUILD_BUILD_SUCCEEDING=0");
    assert!(fake.requests().is_empty());
    failed().arg("--even-if-failed").run().assert_code(0);
}

#[test]
fn a_dry_run_reads_asks_and_plans() {
    let (fake, world) = account();
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("plan.json");
    let ran = program(&fake)
        .arg("--dry-run")
        .arg("--plan-file")
        .arg(&plan)
        .run();
    ran.assert_code(0)
        .assert_stderr("plan: make image \"web-42\" of i-0123456789abcdef0 (no-reboot)");
    assert_eq!(ran.stdout, "");
    let plan: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(plan).unwrap()).unwrap();
    assert_eq!(plan["name"], "web-42");
    assert!(world.images().is_empty());
}

#[test]
fn works_over_https_with_an_authority_of_its_own() {
    let fake = FakeAws::start_tls();
    let world = Ec2World::with([Instance::running(INSTANCE)]);
    world.serve(&fake);
    program(&fake).run().assert_code(0);
    program(&fake)
        .env("AWS_MAX_ATTEMPTS", "1")
        .env_remove("AWS_CA_BUNDLE")
        .run()
        .assert_code(4)
        .assert_stderr("hint: where the endpoint has an authority of its own, AWS_CA_BUNDLE");
}

#[test]
fn an_authority_file_without_certificates_is_refused() {
    let (fake, _) = account();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, "not a certificate").unwrap();
    program(&fake)
        .env("AWS_CA_BUNDLE", &file)
        .run()
        .assert_code(2)
        .assert_stderr("cannot use AWS_CA_BUNDLE");
}

#[test]
fn proxies_are_used_and_no_proxy_goes_around_them() {
    let fake = FakeAws::start_tls();
    let world = Ec2World::with([Instance::running(INSTANCE)]);
    world.serve(&fake);
    // Nothing listens on port 1, so a call that takes the proxy fails.
    let proxied = || {
        program(&fake)
            .env("AWS_MAX_ATTEMPTS", "1")
            .env("HTTPS_PROXY", "http://127.0.0.1:1")
    };
    proxied().run().assert_code(4);
    assert!(fake.requests().is_empty());
    proxied().env("NO_PROXY", "127.0.0.1").run().assert_code(0);
}

#[test]
fn an_endpoint_of_one_service_beats_the_general_one() {
    let (fake, world) = account();
    program(&fake)
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .env("AWS_ENDPOINT_URL_EC2", fake.url())
        .run()
        .assert_code(0);
    assert_eq!(world.images().len(), 1);
}

#[test]
fn json_logs_are_json_to_the_last_line() {
    let (fake, _) = account();
    fake.on("ec2:CreateImage", [Reply::unauthorized()]);
    let ran = program(&fake).args(["--log-format", "json"]).run();
    ran.assert_code(3);
    let lines: Vec<serde_json::Value> = ran
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    let last = lines.last().unwrap();
    assert_eq!(last["exit"], 3);
    assert!(
        last["causes"]
            .as_str()
            .unwrap()
            .starts_with("UnauthorizedOperation")
    );
}

#[test]
fn settings_of_an_env_file_and_aws_variables_in_it_are_both_taken() {
    let (fake, world) = account();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dev.env");
    let text = format!(
        "INSTANCE_ID={INSTANCE}\nAMI_NAME=from-file\nAWS_ENDPOINT_URL={}\n",
        fake.url()
    );
    std::fs::write(&file, text).unwrap();
    Program::new(env!("CARGO_BIN_EXE_make-ami"))
        .arg("--env-file")
        .arg(&file)
        .run()
        .assert_code(0);
    assert_eq!(world.images()[0].name, "from-file");
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
        .assert_stderr("the deadline came before anything was made");
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
    world.hide_new_images(2);
    fake.lose_reply("ec2:CreateImage");
    let exports = program(&fake).run().assert_code(0).exports();
    assert_eq!(world.images().len(), 1);
    assert_eq!(exports["AMI_ID"], world.images()[0].id);
}

#[test]
fn a_name_taken_by_somebody_else_in_the_meantime_is_lost() {
    let (fake, _) = account();
    let taken = Reply::error(
        400,
        "InvalidAMIName.Duplicate",
        "AMI name web-42 is already in use",
    );
    fake.on("ec2:CreateImage", [taken]);
    program(&fake)
        .run()
        .assert_code(7)
        .assert_stderr("InvalidAMIName.Duplicate");
}

/// CodeBuild gives a build its role's credentials through the container provider.
#[test]
fn credentials_come_from_the_container_provider_as_in_a_build() {
    use std::io::{Read as _, Write as _};
    let (fake, _) = account();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("http://{}/role", listener.local_addr().unwrap());
    // Asked more than once: before anything else, and again by the client.
    std::thread::spawn(move || {
        for peer in listener.incoming() {
            let mut peer = peer.unwrap();
            let mut request = [0; 4096];
            let _read = peer.read(&mut request).unwrap();
            let body = r#"{"AccessKeyId":"FROMTHEROLE","SecretAccessKey":"s","Token":"t","Expiration":"2099-01-01T00:00:00Z"}"#;
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            peer.write_all(format!("{head}{body}").as_bytes()).unwrap();
        }
    });
    program(&fake)
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", place)
        .run()
        .assert_code(0);
    let signed = fake.requests()[0]
        .header("authorization")
        .unwrap()
        .to_owned();
    assert!(signed.contains("Credential=FROMTHEROLE/"), "{signed}");
}

#[test]
fn a_misspelt_flag_is_answered_with_the_right_one() {
    Program::new(env!("CARGO_BIN_EXE_make-ami"))
        .args(["--snapshot-tgs", "after"])
        .run()
        .assert_code(2)
        .assert_stderr("--snapshot-tags");
}
