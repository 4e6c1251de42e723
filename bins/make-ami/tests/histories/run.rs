//! One run of the program against a history.

use crate::history::{Fault, History, Mode};
use action::codebuild::CodeBuild;
use action::interrupt::{Interrupt, Signal};
use action::program::{Context, Output};
use aws::limit::Limit;
use aws::session::{Session, retries, timeouts};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use harness::ec2::{Course, Ec2World, Image, ImageFinding, Instance, Snapshot, Volume};
use harness::inspector::Inspector;
use harness::kms::{Key, Kms};
use harness::ssm::Ssm;
use harness::{FakeAws, Fate, Reply};
use make_ami::in_process::{
    self, Ancestor, Checked, Consistency, Imds, Job, Named, OnScanFailure, OnTimeout, Principal,
    Protect, Provenance, Publish, Quiesce, QuiesceBy, Retention, Retire, Scan, ScanMode,
    SnapshotTags, Tags, VolumeChanges, Watermark,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

const INSTANCE: &str = "i-0123456789abcdef0";
const HOME: &str = "eu-west-1";
const AWAY: &str = "us-east-1";
const PARAMETER: &str = "/rag/ami";
const KEY: &str = "alias/images";
/// Made long before, of the same application; retention looks at it.
const EARLIER: &str = "ami-0aaaaaaaaaaaaaaaa";

/// The image that the instance was started from.
const BASE: &str = "ami-0000000000000ba5e";

/// How a run ended, and what is there afterwards.
pub(crate) struct Ended {
    pub(crate) took: Duration,
    pub(crate) exported: Option<String>,
    /// The failure's text; empty after success.
    pub(crate) said: String,
    /// What a run that went well lists as remaining, with the commands that remove it.
    pub(crate) listed: String,
    /// What the run made and left, without what was there before.
    pub(crate) images: Vec<Image>,
    pub(crate) copies: Vec<Image>,
    pub(crate) snapshots: Vec<Snapshot>,
    pub(crate) instance_runs: bool,
    /// Whether the image of long before is still there.
    pub(crate) earlier_is_there: bool,
    /// What the statement says; nothing where none was written.
    pub(crate) statement: Option<String>,
    /// What the parameter holds.
    pub(crate) parameter: Option<String>,
    /// How many scans succeeded: each is billed.
    pub(crate) scanned: usize,
    /// Calls of DescribeImages and DescribeSnapshots.
    pub(crate) looks: usize,
}

pub(crate) fn run(history: &History) -> Ended {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(run_in_virtual_time(history))
}

async fn run_in_virtual_time(history: &History) -> Ended {
    let started = Instant::now();
    let fake = FakeAws::offline();
    let world = world(history, started);
    world.serve(&fake);
    let key = Key::customer("1234abcd-12ab-34cd-56ef-1234567890ab").alias(KEY);
    let kms = Kms::with([key.clone(), key.region(AWAY)]);
    kms.serve(&fake);
    let ssm = Ssm::new();
    let lease_first = history.lease_first;
    ssm.on_command(move |script, _| match script.contains("still.sh freeze") {
        true => (0, "frozen\n".to_owned(), String::new()),
        false if lease_first => (
            203,
            String::new(),
            "still: the lease ended first\n".to_owned(),
        ),
        false => (0, "thawed 1840\n".to_owned(), String::new()),
    });
    ssm.serve(&fake);
    let inspector = inspector(history, &world);
    inspector.serve(&fake);
    break_calls(&fake, &history.faults);
    let (tell, interrupt) = Interrupt::manual();
    if let Some(at) = history.signal_at {
        tokio::spawn(async move {
            tokio::time::sleep(at).await;
            let _ended_before = tell.send(Some(Signal::Terminate));
            tell.closed().await;
        });
    }
    let folder = tempfile::tempdir().unwrap();
    let statement = folder.path().join("statement.json");
    let limit = history.timeout + Duration::from_secs(24 * 3600);
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    let captured = tracing::subscriber::set_default(subscriber);
    let all = async {
        if history.warm {
            let job = job(
                history,
                Some("warm"),
                &fake,
                interrupt.clone(),
                started,
                &statement,
            );
            Box::pin(in_process::act(&job)).await?;
        }
        let job = job(history, None, &fake, interrupt, started, &statement);
        Box::pin(in_process::act(&job)).await
    };
    let ended = tokio::time::timeout(limit, Box::pin(all)).await;
    drop(captured);
    let (exported, said) = match ended {
        Ok(Ok(Output::Exports(exports))) => {
            let id = exports.iter().find(|(name, _)| *name == "AMI_ID");
            (id.map(|(_, value)| value.to_owned()), String::new())
        }
        Ok(Ok(_)) => (None, "ended well without exports".to_owned()),
        Ok(Err(failure)) => (None, failure.to_string()),
        Err(_) => (None, "it never ended".to_owned()),
    };
    let operations = fake.operations();
    let looks = operations
        .iter()
        .filter(|name| ["ec2:DescribeImages", "ec2:DescribeSnapshots"].contains(&name.as_str()));
    let running = world.instances()[0].state == "running";
    let snapshots = world
        .snapshots()
        .into_iter()
        .chain(world.snapshots_in(AWAY));
    Ended {
        took: started.elapsed(),
        exported,
        listed: log.remains(),
        said,
        images: world
            .images()
            .into_iter()
            .filter(|image| image.id != EARLIER && image.id != BASE)
            .collect(),
        earlier_is_there: world.images().iter().any(|image| image.id == EARLIER),
        statement: std::fs::read_to_string(&statement).ok(),
        parameter: ssm.parameter(PARAMETER).map(|parameter| parameter.value),
        scanned: inspector
            .scans()
            .iter()
            .filter(|scan| scan.status == "SUCCESSFUL")
            .count(),
        copies: world.images_in(AWAY),
        snapshots: snapshots
            .filter(|snapshot| {
                !["snap-0aaaaaaaaaaaaaaaa", "snap-0000000000000ba5e"]
                    .contains(&snapshot.id.as_str())
            })
            .collect(),
        instance_runs: running || world.instances()[0].state == "pending",
        looks: looks.count(),
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// What remains, and what a warm start made, as it lists it: a line, and a command in the next.
    fn remains(&self) -> String {
        let text = String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let lists = |line: &str| line.contains("remains: ") || line.contains("is under way");
        let remains = lines.windows(2).filter(|two| lists(two[0]));
        remains
            .map(|two| format!("{}\n{}\n", two[0], two[1]))
            .collect()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn world(history: &History, started: Instant) -> Ec2World {
    let mut instance = Instance::running(INSTANCE);
    instance.volumes.clear();
    for n in 0..history.volumes {
        let device = format!("/dev/sd{}", char::from(b'a' + u8::try_from(n).unwrap()));
        instance = instance.volume(Volume::new(&format!("vol-{n:017x}"), &device, 8));
    }
    let world = Ec2World::with([instance]);
    world.clock(move || started.elapsed());
    world.outcomes([history.course.clone()]);
    if let Some(copy) = &history.copy {
        let own = Course::available(Duration::from_secs(300)).into();
        // The first copy is the encrypted one; a retry within a run makes none.
        match history.encrypts {
            true => world.copy_outcomes([copy.clone(), own]),
            false => world.copy_outcomes([copy.clone()]),
        }
    }
    world.hide_new_images(history.hidden_for);
    world.hide_mapping_while_pending(history.mapping_hidden);
    if history.failed_names_are_free {
        world.failed_images_free_their_names();
    }
    world.snapshots_take(Duration::from_secs(120));
    world.slow_stops(2);
    world.slow_starts(2);
    world.add_image(
        Image::available(EARLIER, "rag-1")
            .created("2020-01-01T00:00:00.000Z")
            .tag("make-ami:app", "rag")
            .shared_with("111122223333")
            .mapping([("/dev/sda", "snap-0aaaaaaaaaaaaaaaa", 8)]),
    );
    world.add_image(Image::available(BASE, "base").watermark("111122223333:base"));
    world.slow_usage_reports(2);
    if history.earlier_is_used {
        world.used_by(EARLIER, "111122223333", "ec2:Instance", 1);
    }
    world
}

fn inspector(history: &History, world: &Ec2World) -> Inspector {
    let inspector = Inspector::of(world);
    if let Some(scan) = &history.scan {
        inspector.takes(scan.takes);
        inspector.shown_after(scan.shown_after);
        inspector.ends(scan.ends.clone());
        // More than a page of them, where the endpoint gives small ones.
        let slight = (0..5).map(|n| ImageFinding::new(&format!("CVE-{n} - tar"), "low"));
        let worst = scan
            .finds
            .then(|| ImageFinding::new("CVE-9 - openssl", "critical"));
        inspector.finds(slight.chain(worst));
    }
    inspector
}

/// Lets the n-th call of an operation go wrong.
fn break_calls(fake: &FakeAws, faults: &[(String, usize, Fault)]) {
    let faults = faults.to_vec();
    let counts: Mutex<BTreeMap<String, usize>> = Mutex::default();
    fake.intercept(move |request| {
        let name = request.name();
        let mut counts = counts.lock().unwrap();
        let mut nth = |name: &str| {
            let count = counts.entry(name.to_owned()).or_default();
            *count += 1;
            *count - 1
        };
        let (own, all) = (nth(&name), nth("*"));
        let hit = faults.iter().find(|(operation, n, _)| {
            (*operation == name && *n == own) || (operation == "*" && *n == all)
        });
        match hit.map(|(_, _, fault)| *fault) {
            None => Fate::Served,
            Some(Fault::Throttled) => Fate::Answered(Reply::throttled()),
            Some(Fault::Internal) => Fate::Answered(Reply::error(
                500,
                "InternalError",
                "An internal error has occurred",
            )),
            Some(Fault::Html) => Fate::Answered(Reply::html(502, "<html>Bad gateway</html>")),
            Some(Fault::Closed) => Fate::Answered(Reply::close()),
            Some(Fault::Hangs) => Fate::Answered(Reply::hang(Duration::from_secs(3600))),
            Some(Fault::Unauthorized) => Fate::Answered(Reply::unauthorized()),
            Some(Fault::Lost) => Fate::Lost,
            Some(Fault::Late) => Fate::Late(Duration::from_secs(300)),
        }
    });
}

fn job(
    history: &History,
    command: Option<&str>,
    fake: &FakeAws,
    interrupt: Interrupt,
    started: Instant,
    statement: &Path,
) -> Job {
    let context = Context {
        command: command.map(str::to_owned),
        dry_run: false,
        plan_file: None,
        even_if_failed: false,
        deadline: started + history.timeout,
        timeout: history.timeout,
        codebuild: CodeBuild::default(),
        interrupt,
        environment: BTreeMap::default(),
    };
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "tests");
    let limit = Limit::until(context.deadline);
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(HOME))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(retries().with_max_attempts(history.attempts))
        .timeout_config(timeouts())
        .http_client(limit.client(fake.http_client()))
        .sleep_impl(limit.sleep())
        .build();
    let session = Session {
        config,
        region: HOME.to_owned(),
        limit,
    };
    Job::new(settings(history, statement), context, session)
}

fn settings(history: &History, statement: &Path) -> Checked {
    let consistency = match history.mode {
        Mode::NoReboot => Consistency::NoReboot,
        Mode::Reboot => Consistency::Reboot,
        Mode::Stop => Consistency::Stop,
        Mode::Quiesce => Consistency::Quiesce,
    };
    Checked {
        instance: Some(Named::Id(INSTANCE.to_owned())),
        ami_name: "rag-{utc}".to_owned(),
        description: None,
        volumes: VolumeChanges::default(),
        app: Some("rag".to_owned()),
        run: history.warm.then(|| "execution".to_owned()),
        consistency,
        quiesce: Quiesce {
            containers: vec!["db".to_owned()],
            by: QuiesceBy::Pause,
            mounts: Vec::new(),
            lease: Duration::from_secs(60),
        },
        tags: Tags::default(),
        boot_mode: None,
        snapshot_location: None,
        provenance: Provenance {
            watermarks: match history.watermarked {
                true => vec![Watermark {
                    account: None,
                    name: "approved".to_owned(),
                }],
                false => Vec::new(),
            },
            ancestors: match history.must_descend {
                true => vec![Ancestor::Image(BASE.to_owned())],
                false => Vec::new(),
            },
            statement: Some(statement.to_owned()),
            ..Provenance::default()
        },
        snapshot_tags: match history.tags_after {
            true => SnapshotTags::After,
            false => SnapshotTags::AtCreate,
        },
        on_timeout: match history.clean_on_timeout {
            true => OnTimeout::Clean,
            false => OnTimeout::Keep,
        },
        target: None,
        scan: history
            .scan
            .as_ref()
            .map_or_else(Scan::default, |scan| Scan {
                mode: match scan.gates {
                    true => ScanMode::Gate,
                    false => ScanMode::Report,
                },
                on_failure: match scan.cleans {
                    true => OnScanFailure::Clean,
                    false => OnScanFailure::Keep,
                },
                age: Duration::from_secs(86_400),
                ..Scan::default()
            }),
        publish: Publish {
            copy_to: history.copy.iter().map(|_| AWAY.to_owned()).collect(),
            copy_wait: true,
            encrypt: history.encrypts,
            kms_key: history.encrypts.then(|| KEY.to_owned()),
            imds: match history.published {
                true => Imds::V2,
                false => Imds::AsIs,
            },
            instance_types: match history.published {
                true => vec!["t3.*".to_owned()],
                false => Vec::new(),
            },
            share_with: match history.published {
                true => vec![Principal::Account("111122223333".to_owned())],
                false => Vec::new(),
            },
            protect: match history.protected {
                true => Protect::Yes,
                false => Protect::No,
            },
            ssm_parameter: history.published.then(|| PARAMETER.to_owned()),
            ..Publish::default()
        },
        retention: history.retention.then(|| Retention {
            app: "rag".to_owned(),
            keep: Some(1),
            max_age: None,
            retire: Retire::Deregister,
            unused_for: Some(Duration::from_secs(30 * 86_400)),
            usage_report_age: Duration::from_secs(86_400),
        }),
        manifest: None,
        price: None,
        price_for: Duration::from_secs(30 * 86_400),
    }
}
