//! One deadline for a call, its retries and their pauses; and nobody waits in silence.

use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use action::exit::Exit;
use action::interrupt::Interrupt;
use action::wait::{self, Look, Pace};
use aws::error::{AwsError, Kind};
use aws::limit::Limit;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use harness::{FakeAws, Reply};
use tokio::time::Instant;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::calls;

const SECOND: Duration = Duration::from_secs(1);

async fn describe(fake: &FakeAws, limit: &Limit) -> AwsError {
    let client = aws_sdk_cloudformation::Client::new(&calls::config(fake, limit));
    let met = client.describe_stacks().send().await.unwrap_err();
    AwsError::of(&met)
}

#[tokio::test(start_paused = true)]
async fn throttling_until_the_deadline_ends_with_it_and_says_what_aws_said() {
    let fake = FakeAws::offline();
    fake.on(
        "cloudformation:DescribeStacks",
        [Reply::error(400, "Throttling", "Rate exceeded")],
    );
    // However the pauses fall: they are random, and together hardly ever shorter than this.
    for seconds in [1, 3, 5, 8] {
        let started = Instant::now();
        let limit = Limit::until(started + SECOND * seconds);
        let met = describe(&fake, &limit).await;
        assert!(started.elapsed() <= SECOND * (seconds + 1), "{seconds}");
        assert_eq!((met.kind, met.exit()), (Kind::Late, Exit::Deadline));
        let text = met.to_string();
        assert!(text.contains("cloudformation DescribeStacks"), "{text}");
        assert!(text.contains("Throttling: Rate exceeded"), "{text}");
    }
    // With more time than the retries take it is what it is.
    let limit = Limit::until(Instant::now() + SECOND * 600);
    let met = describe(&fake, &limit).await;
    assert_eq!(
        (met.kind, met.exit()),
        (Kind::Unavailable, Exit::Unavailable)
    );
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_answers_is_left_at_the_deadline() {
    let fake = FakeAws::offline();
    fake.on(
        "cloudformation:DescribeStacks",
        [Reply::hang(SECOND * 3600)],
    );
    let started = Instant::now();
    let limit = Limit::until(started + SECOND * 30);
    let met = describe(&fake, &limit).await;
    assert_eq!(met.kind, Kind::Late);
    let silent = "cloudformation DescribeStacks did not answer before the deadline";
    assert_eq!(met.to_string(), silent);
    assert_eq!(started.elapsed().as_secs(), 30);
    // Nothing is begun any more, until there is more time: cleaning up has its own.
    let asked = fake.requests().len();
    assert_eq!(describe(&fake, &limit).await.to_string(), silent);
    assert_eq!(fake.requests().len(), asked);
    limit.extend(Instant::now() + SECOND * 5);
    assert_eq!(describe(&fake, &limit).await.kind, Kind::Late);
    assert_eq!(fake.requests().len(), asked + 1);
}

/// The call, its deadline, and what is said of it then.
async fn late(reply: Option<Reply>, changes: impl Fn(SdkConfig) -> SdkConfig) -> String {
    let fake = FakeAws::offline();
    if let Some(reply) = &reply {
        fake.on("cloudformation:DescribeStacks", [reply.clone()]);
    }
    let stacks = Reply::xml("<ListStacksResponse><ListStacksResult/></ListStacksResponse>");
    fake.on("cloudformation:ListStacks", [stacks]);
    let limit = Limit::until(Instant::now() + SECOND * 20);
    let config = changes(calls::config(&fake, &limit));
    let client = aws_sdk_cloudformation::Client::new(&config);
    // A loop of the program's own, with another call in between.
    loop {
        if reply.is_some() {
            let _met = client.describe_stacks().send().await.unwrap_err();
            let _good = client.list_stacks().send().await;
        }
        tokio::time::sleep(SECOND * 3).await;
        if fake.requests().is_empty() || client.list_stacks().send().await.is_err() {
            tokio::time::sleep(SECOND * 20).await;
            let met = client.describe_stacks().send().await.unwrap_err();
            return AwsError::of(&met).to_string();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_earlier_attempts_met_is_said_also_of_a_new_call() {
    let once = |config: SdkConfig| {
        let config = config.to_builder();
        config.retry_config(RetryConfig::disabled()).build()
    };
    let throttled = late(Some(Reply::error(400, "Throttling", "Rate exceeded")), once).await;
    let begin = "the deadline passed before cloudformation DescribeStacks succeeded; ";
    let said = throttled.strip_prefix(begin).unwrap();
    assert_eq!(said, "AWS said last (attempt 7): Throttling: Rate exceeded");
    let closed = late(Some(Reply::close()), once).await;
    assert!(closed.contains("; the last attempt (7) met: "), "{closed}");
    // The SDK itself leaves an attempt after a second.
    let short = |config: SdkConfig| {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(SECOND);
        let config = once(config).to_builder();
        config.timeout_config(timeouts.build()).build()
    };
    let hanging = late(Some(Reply::hang(SECOND * 3600)), short).await;
    assert!(
        hanging.ends_with("the last attempt (5) met: no answer within 1.0 s"),
        "{hanging}"
    );
    let never = late(None, once).await;
    assert_eq!(
        never,
        "the deadline passed: cloudformation DescribeStacks was not asked"
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_on_its_way_is_awaited_for_a_moment() {
    let fake = FakeAws::offline();
    let stacks =
        Reply::xml("<DescribeStacksResponse><DescribeStacksResult/></DescribeStacksResponse>");
    fake.on(
        "cloudformation:DescribeStacks",
        [Reply::after(SECOND * 4, stacks)],
    );
    let limit = Limit::until(Instant::now() + SECOND);
    let client = aws_sdk_cloudformation::Client::new(&calls::config(&fake, &limit));
    client.describe_stacks().send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_ends_by_its_deadline_says_what_aws_said() {
    let fake = FakeAws::offline();
    let stacks =
        Reply::xml("<DescribeStacksResponse><DescribeStacksResult/></DescribeStacksResponse>");
    let slow = Reply::error(503, "SlowDown", "Please reduce your request rate.");
    fake.on("cloudformation:DescribeStacks", [stacks, slow]);
    let started = Instant::now();
    let deadline = started + SECOND * 8;
    let limit = Limit::until(deadline);
    let client = aws_sdk_cloudformation::Client::new(&calls::config(&fake, &limit));
    let look = async || match client.describe_stacks().send().await {
        Ok(_) => Ok(Look::<()>::NotYet("it is pending".to_owned())),
        Err(error) => Err(AwsError::of(&error).failure("cannot look", "x:Y")),
    };
    let ended = wait::until("it", deadline, &Interrupt::never(), Pace::default(), look).await;
    let failure = ended.unwrap_err().into_failure("it");
    assert_eq!(failure.exit(), Exit::Deadline);
    assert!(started.elapsed() <= SECOND * 9);
    let text = failure.to_string();
    assert!(text.contains("last seen: it is pending"), "{text}");
    assert!(text.contains("SlowDown: Please reduce"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_a_call_ends_with_the_deadline_too() {
    let started = Instant::now();
    let deadline = started + SECOND * 10;
    let never = std::future::pending::<Result<(), _>>();
    let late = wait::in_time(deadline, &Interrupt::never(), "x was read", never).await;
    let late = late.unwrap_err();
    assert_eq!(late.exit(), Exit::Deadline);
    assert_eq!(late.deed(), "the deadline passed before x was read");
    assert!(started.elapsed() <= SECOND * 20);
}

#[test]
fn credentials_and_clocks_that_are_old_are_not_permitted_and_busy_services_unavailable() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        for (status, code, exit) in [
            (400, "RequestExpired", Exit::NotPermitted),
            (400, "ExpiredToken", Exit::NotPermitted),
            (403, "RequestTimeTooSkewed", Exit::NotPermitted),
            (403, "InvalidSignatureException", Exit::NotPermitted),
            (400, "TokenRefreshRequired", Exit::NotPermitted),
            (400, "RequestThrottled", Exit::Unavailable),
            (429, "TooMany", Exit::Unavailable),
            (400, "RequestTimeout", Exit::Unavailable),
            (400, "ValidationError", Exit::Failed),
        ] {
            let fake = FakeAws::offline();
            let reply = Reply::error(status, code, "as AWS says it");
            fake.on("cloudformation:DescribeStacks", [reply]);
            let limit = Limit::until(Instant::now() + SECOND * 3600);
            let met = describe(&fake, &limit).await;
            assert_eq!(met.exit(), exit, "{code}");
            let expired = met.failure("cannot look", "x:Y").to_string();
            let hinted = expired.contains("too old");
            let old = ["Expired", "Skewed", "TokenRefresh"];
            assert_eq!(
                hinted,
                old.iter().any(|part| code.contains(part)),
                "{expired}"
            );
        }
    });
}

/// The lines that one thread logged, with when they were said.
#[derive(Clone)]
struct Lines {
    said: Arc<Mutex<Vec<(Instant, String)>>>,
    thread: ThreadId,
}

impl<S: tracing::Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        struct Message(String);
        impl Visit for Message {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}");
                }
            }
        }
        let is_ours = event.metadata().target().starts_with("aws::");
        if !is_ours || thread::current().id() != self.thread {
            return;
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        let mut lines = self.said.lock().unwrap();
        lines.push((Instant::now(), message.0));
    }
}

#[tokio::test(start_paused = true)]
async fn no_silence_lasts_30_seconds_while_aws_is_slow() {
    let fake = FakeAws::offline();
    let slow = Reply::error(503, "SlowDown", "Please reduce your request rate.");
    // A call that fails at once and is tried again, and one that hangs.
    fake.first(
        "cloudformation:DescribeStacks",
        [slow.clone(), slow.clone(), slow],
    );
    fake.on(
        "cloudformation:DescribeStacks",
        [Reply::hang(SECOND * 3600)],
    );
    let lines = Lines {
        said: Arc::default(),
        thread: thread::current().id(),
    };
    // One of a thread alone may miss an event that another thread logs first.
    let subscriber = tracing_subscriber::registry().with(lines.clone());
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let started = Instant::now();
    let limit = Limit::until(started + SECOND * 300);
    let met = describe(&fake, &limit).await;
    assert_eq!(met.kind, Kind::Late);
    let lines = lines.said.lock().unwrap();
    let mut last = started;
    for (when, line) in lines.iter() {
        assert!(*when - last <= SECOND * 30, "{line}");
        assert!(line.contains("cloudformation DescribeStacks"), "{line}");
        last = *when;
    }
    assert!(
        Instant::now() - last <= SECOND * 30,
        "{:?} {lines:?}",
        started.elapsed()
    );
    assert!(lines[0].1.contains("SlowDown"), "{lines:?}");
    assert!(lines.len() < 20, "{lines:?}");
}
