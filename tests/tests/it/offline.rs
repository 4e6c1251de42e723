//! The fake without a socket, asked by the AWS SDK under virtual time.

use std::time::Duration;

use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::config::timeout::TimeoutConfig;
use aws_sdk_ec2::error::SdkError;
use aws_types::SdkConfig;
use harness::ec2::{Ec2World, Instance};
use harness::{FakeAws, Fate, Reply};

use crate::sdk;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn the_sdk_asks_the_fake_directly_and_hours_take_no_time() {
    let fake = FakeAws::offline();
    Ec2World::with([Instance::running("i-0123456789abcdef0")]).serve(&fake);
    let client = sdk::ec2(&fake);
    let found = client.describe_instances().send().await.unwrap();
    let instance = &found.reservations()[0].instances()[0];
    assert_eq!(instance.instance_id(), Some("i-0123456789abcdef0"));
    let late = Reply::after(3 * HOUR, Reply::xml("<DescribeInstancesResponse/>"));
    fake.first("ec2:DescribeInstances", [late]);
    client.describe_instances().send().await.unwrap();
    client.describe_instances().send().await.unwrap();
    let when: Vec<u64> = fake
        .requests()
        .iter()
        .map(|request| request.when.as_secs())
        .collect();
    assert_eq!(when, [0, 0, 3 * 3600]);
    let request = &fake.requests()[0];
    assert_eq!(request.region(), Some("eu-west-1".to_owned()));
    assert_eq!(request.header("host"), Some("ec2.eu-west-1.amazonaws.com"));
    fake.assert_all_scripted();
}

#[tokio::test(start_paused = true)]
async fn the_sdk_retries_what_breaks_and_is_throttled() {
    let fake = FakeAws::offline();
    Ec2World::new().serve(&fake);
    let retrying = sdk::config(&fake, "eu-west-1")
        .to_builder()
        .retry_config(RetryConfig::standard().with_max_attempts(5))
        .build();
    let broken = [
        Reply::close(),
        Reply::cut("<DescribeImagesResponse>", 5),
        Reply::throttled(),
    ];
    fake.first("ec2:DescribeImages", broken);
    let client = aws_sdk_ec2::Client::new(&retrying);
    client.describe_images().send().await.unwrap();
    assert_eq!(fake.requests().len(), 4);
}

/// Every kind of broken reply is the same error as over a socket with the SDK's own HTTP client.
#[tokio::test]
async fn broken_replies_are_the_errors_of_the_real_client() {
    let (served, offline) = (FakeAws::start(), FakeAws::offline());
    let broken = [
        Reply::close(),
        Reply::cut("<DescribeImagesResponse/>", 5),
        Reply::html(502, "<html>proxy</html>"),
        Reply::hang(HOUR),
    ];
    let over_socket = sdk::config(&served, "eu-west-1")
        .to_builder()
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(served.url())
        .build();
    let in_process = sdk::config(&offline, "eu-west-1");
    for reply in broken {
        served.on("ec2:DescribeImages", [reply.clone()]);
        offline.on("ec2:DescribeImages", [reply.clone()]);
        let (real, ours) = (failure(&over_socket).await, failure(&in_process).await);
        assert_eq!(real, ours, "{reply:?}");
    }
}

/// The kind of failure and the chain of its causes.
async fn failure(config: &SdkConfig) -> (String, Vec<String>) {
    let impatient = TimeoutConfig::builder().read_timeout(Duration::from_millis(300));
    let config = config
        .to_builder()
        .timeout_config(impatient.build())
        .build();
    let client = aws_sdk_ec2::Client::new(&config);
    let error = client.describe_images().send().await.unwrap_err();
    let kind = match &error {
        SdkError::DispatchFailure(failure) => format!(
            "dispatch: io {} timeout {} user {} other {:?}",
            failure.is_io(),
            failure.is_timeout(),
            failure.is_user(),
            failure.as_other()
        ),
        SdkError::ResponseError(_) => "response".to_owned(),
        SdkError::ServiceError(_) => "service".to_owned(),
        other => format!("{other:?}"),
    };
    let mut causes = Vec::new();
    let mut next: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = next {
        causes.push(error.to_string());
        next = error.source();
    }
    (kind, causes)
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_leaves_the_deed_done() {
    let fake = FakeAws::offline();
    let world = Ec2World::with([Instance::running("i-0123456789abcdef0")]);
    world.serve(&fake);
    fake.lose_reply("ec2:CreateImage");
    let create = sdk::ec2(&fake)
        .create_image()
        .instance_id("i-0123456789abcdef0")
        .name("web-42");
    let error = create.send().await.unwrap_err();
    assert!(matches!(error, SdkError::DispatchFailure(_)), "{error:?}");
    assert_eq!(world.images().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_interceptor_sees_every_call_and_decides_its_fate() {
    let fake = FakeAws::offline();
    let world = Ec2World::with([Instance::running("i-0123456789abcdef0")]);
    world.serve(&fake);
    fake.intercept(|request| match request.number {
        0 => Fate::Answered(Reply::throttled()),
        2 => Fate::Lost,
        3 => Fate::Late(HOUR),
        _ => Fate::Served,
    });
    let client = sdk::ec2(&fake);
    let look = || client.describe_images().send();
    assert_eq!(sdk::code(look().await), "RequestLimitExceeded");
    look().await.unwrap();
    let create = client.create_image().instance_id("i-0123456789abcdef0");
    create.name("web-42").send().await.unwrap_err();
    assert_eq!(world.images().len(), 1);
    let before = tokio::time::Instant::now();
    assert_eq!(look().await.unwrap().images().len(), 1);
    assert_eq!(before.elapsed().as_secs(), 3600);
    fake.assert_all_scripted();
}

#[test]
fn an_offline_fake_has_no_address() {
    assert_eq!(FakeAws::offline().url(), "http://offline.invalid");
}
