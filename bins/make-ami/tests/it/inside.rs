//! The whole program inside the test: no process, no sockets, virtual time. What takes hours on
//! EC2, or needs a signal at one certain call, is tested here; what the built binary itself must do
//! is tested beside.

use crate::INSTANCE;
use action::codebuild::CodeBuild as Build;
use action::interrupt::{Interrupt, Signal};
use action::program::{Context, Output};
use action::settings::faults::Faults;
use action::settings::{Settings as _, over_defaults};
use aws::limit::Limit;
use aws::session::{Session, retries, timeouts};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use harness::codebuild::CodeBuild;
use harness::ebs::Ebs;
use harness::ec2::{Ec2World, Image, Instance, Snapshot};
use harness::inspector::Inspector;
use harness::kms::Kms;
use harness::ssm::Ssm;
use harness::{FakeAws, Fate};
use make_ami::Raw;
use make_ami::in_process::{self, Job};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// An account with everything that the program talks to; its time is tokio's.
pub(crate) struct Cloud {
    pub(crate) fake: FakeAws,
    pub(crate) world: Ec2World,
    pub(crate) ssm: Ssm,
    pub(crate) kms: Kms,
    pub(crate) ebs: Ebs,
    pub(crate) inspector: Inspector,
    /// Its Region.
    region: String,
}

impl Cloud {
    /// With one running instance.
    pub(crate) fn new() -> Self {
        Self::with([Instance::running(INSTANCE)])
    }

    pub(crate) fn with(instances: impl IntoIterator<Item = Instance>) -> Self {
        let world = Ec2World::with(instances);
        let cloud = Self {
            fake: FakeAws::offline(),
            inspector: Inspector::of(&world),
            world,
            ssm: Ssm::new(),
            kms: Kms::default(),
            ebs: Ebs::new(),
            region: "eu-west-1".to_owned(),
        };
        let started = Instant::now();
        cloud.world.clock(move || started.elapsed());
        cloud.world.serve(&cloud.fake);
        cloud.ssm.serve(&cloud.fake);
        cloud.kms.serve(&cloud.fake);
        cloud.ebs.serve(&cloud.fake);
        cloud.inspector.serve(&cloud.fake);
        CodeBuild::default().serve(&cloud.fake);
        cloud.still_instance();
        cloud
    }

    /// With one running instance in another Region. All clients of a Region in a process share what the SDK may spend
    /// on retries, so that a test which counts on them has a Region of its own.
    pub(crate) fn in_region(region: &str) -> Self {
        let mut cloud = Self::with([]);
        cloud.world.home(region);
        cloud.world.add_instance(Instance::running(INSTANCE));
        region.clone_into(&mut cloud.region);
        cloud
    }

    /// Lets the instance answer as it does when all goes well.
    fn still_instance(&self) {
        self.ssm.on_command(|script, _| {
            if script.contains("still.sh freeze") {
                (0, "frozen\n".to_owned(), String::new())
            } else {
                (0, "thawed 1840\n".to_owned(), String::new())
            }
        });
    }

    /// A run of the program in this account: of [`INSTANCE`], named `web-42`.
    pub(crate) fn run(&self) -> Run<'_> {
        Run {
            cloud: self,
            fields: BTreeMap::from([
                ("instance_id".to_owned(), INSTANCE.to_owned()),
                ("ami_name".to_owned(), "web-42".to_owned()),
            ]),
            command: None,
            dry_run: false,
            plan_file: None,
            timeout: Duration::from_secs(6 * 3600),
            build: Build::default(),
            event: None,
            region: None,
        }
    }

    pub(crate) fn instance(&self) -> Instance {
        self.world.instances()[0].clone()
    }

    pub(crate) fn snapshot(&self, id: &str) -> Snapshot {
        let mut all = self.world.snapshots().into_iter();
        all.find(|snapshot| snapshot.id == id).expect(id)
    }

    pub(crate) fn image(&self, id: &str) -> Image {
        let mut all = self.world.images().into_iter();
        all.find(|image| image.id == id).expect(id)
    }
}

/// What happens at a certain call of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// SIGTERM comes while the call is under way.
    Sigterm,
    /// The process is killed while the call is under way; EC2 carries it out all the same.
    Sigkill,
}

/// At which call of a run.
#[derive(Debug, Clone)]
enum When {
    /// The n-th, from 0.
    Call(usize),
    /// The first of an operation.
    First(String),
}

/// A run that is about to start.
pub(crate) struct Run<'a> {
    cloud: &'a Cloud,
    fields: BTreeMap<String, String>,
    command: Option<String>,
    dry_run: bool,
    plan_file: Option<PathBuf>,
    timeout: Duration,
    build: Build,
    event: Option<(When, Event)>,
    region: Option<String>,
}

impl Run<'_> {
    /// Runs in another Region than the cloud's own.
    pub(crate) fn at(mut self, region: &str) -> Self {
        self.region = Some(region.to_owned());
        self
    }

    /// Sets a setting by its field's name.
    pub(crate) fn set(mut self, field: &str, value: impl Into<String>) -> Self {
        self.fields.insert(field.to_owned(), value.into());
        self
    }

    /// Sets several.
    pub(crate) fn all<'a>(self, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        fields
            .into_iter()
            .fold(self, |run, (field, value)| run.set(field, value))
    }

    /// Leaves a setting out.
    pub(crate) fn unset(mut self, field: &str) -> Self {
        self.fields.remove(field);
        self
    }

    /// Runs a subcommand.
    pub(crate) fn command(mut self, name: &str) -> Self {
        self.command = Some(name.to_owned());
        self
    }

    /// Goes on with an image, without an instance.
    pub(crate) fn go_on(self, command: &str, image_id: &str) -> Self {
        let run = self.unset("instance_id").command(command);
        run.set("image", image_id)
    }

    pub(crate) fn dry_run(mut self) -> Self {
        self.dry_run = true;
        self
    }

    pub(crate) fn plan_file(mut self, path: &Path) -> Self {
        self.plan_file = Some(path.to_owned());
        self
    }

    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs inside a build.
    pub(crate) fn in_build(mut self, id: &str) -> Self {
        self.build.build_id = Some(id.to_owned());
        self
    }

    pub(crate) fn build(mut self, build: Build) -> Self {
        self.build = build;
        self
    }

    /// Lets something happen at the n-th call of this run, from 0.
    pub(crate) fn at_call(mut self, n: usize, event: Event) -> Self {
        self.event = Some((When::Call(n), event));
        self
    }

    /// Lets something happen at the first call of an operation, such as `ec2:CreateImage`.
    pub(crate) fn at_first(mut self, operation: &str, event: Event) -> Self {
        self.event = Some((When::First(operation.to_owned()), event));
        self
    }

    fn settings(&self) -> in_process::Checked {
        let raw: Raw = over_defaults(self.fields.clone()).unwrap();
        let mut faults = Faults::for_tests().under(self.command.as_deref());
        let checked = raw.check(&mut faults);
        assert_eq!(faults.messages(), Vec::<String>::new());
        checked.unwrap()
    }

    /// Runs to the end.
    pub(crate) async fn end(self) -> Ended {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .with_target(false)
            .without_time()
            .finish();
        let _captured = tracing::subscriber::set_default(subscriber);
        let (tell, interrupt) = Interrupt::manual();
        let killed = Arc::new(Notify::new());
        let first = self.cloud.fake.requests().len();
        if let Some((when, event)) = self.event.clone() {
            let killed = Arc::clone(&killed);
            self.cloud.fake.intercept(move |request| {
                let is_now = match &when {
                    When::Call(n) => request.number == first + n,
                    When::First(operation) => request.name() == *operation,
                };
                if is_now {
                    match event {
                        // Nobody listens once the run is over; a second signal is ignored.
                        Event::Sigterm => drop(tell.send(Some(Signal::Terminate))),
                        Event::Sigkill => {
                            killed.notify_one();
                            return Fate::Late(Duration::from_secs(3600));
                        }
                    }
                }
                Fate::Served
            });
        }
        let started = Instant::now();
        let mut job = self.job(interrupt);
        // Boxed, for a test's thread has a small stack and futures of debug builds are large.
        let work = Box::pin(async {
            Box::pin(in_process::apply_build_timeout(&mut job)).await;
            Box::pin(in_process::act(&job)).await
        });
        let result = tokio::select! {
            biased;
            () = killed.notified() => None,
            result = work => Some(result),
        };
        if self.event.is_some() {
            self.cloud.fake.intercept(|_| Fate::Served);
        }
        let mut said = log.text();
        let mut exports = BTreeMap::new();
        let code = match &result {
            None => None,
            Some(Ok(Output::Exports(found))) => {
                for (name, value) in found.iter() {
                    exports.insert(name.to_owned(), value.to_owned());
                }
                Some(0)
            }
            Some(Ok(_)) => Some(0),
            Some(Err(failure)) => {
                said.push_str(&format!("error: {failure}\n"));
                Some(failure.exit().code())
            }
        };
        let calls = self.cloud.fake.operations().split_off(first);
        Ended {
            code,
            exports,
            said,
            took: started.elapsed(),
            calls,
        }
    }

    fn job(&self, interrupt: Interrupt) -> Job {
        let context = Context {
            command: self.command.clone(),
            dry_run: self.dry_run,
            plan_file: self.plan_file.clone(),
            deadline: Instant::now() + self.timeout,
            timeout: self.timeout,
            codebuild: self.build.clone(),
            interrupt,
            environment: BTreeMap::default(),
            even_if_failed: false,
        };
        let region = self.region.as_ref().unwrap_or(&self.cloud.region);
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "tests");
        let limit = Limit::until(context.deadline);
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(retries())
            .timeout_config(timeouts())
            .http_client(limit.client(self.cloud.fake.http_client()))
            .sleep_impl(limit.sleep())
            .build();
        let session = Session {
            config,
            region: region.clone(),
            limit,
        };
        Job::new(self.settings(), context, session)
    }
}

/// How a run ended.
pub(crate) struct Ended {
    /// The exit code; nothing when it was killed.
    pub(crate) code: Option<u8>,
    pub(crate) exports: BTreeMap<String, String>,
    /// The log and the error.
    pub(crate) said: String,
    /// In virtual time.
    pub(crate) took: Duration,
    /// The operations that it called, in order.
    pub(crate) calls: Vec<String>,
}

impl Ended {
    #[track_caller]
    pub(crate) fn assert_code(&self, code: u8) -> &Self {
        assert_eq!(self.code, Some(code), "{self}");
        assert_eq!(
            code == 0,
            !self.said.lines().any(|line| line.starts_with("error: ")),
            "an error is said exactly when there is one\n{self}"
        );
        self
    }

    #[track_caller]
    pub(crate) fn assert_said(&self, text: &str) -> &Self {
        assert!(self.said.contains(text), "not said: {text:?}\n{self}");
        self
    }

    #[track_caller]
    pub(crate) fn refute_said(&self, text: &str) -> &Self {
        assert!(!self.said.contains(text), "said: {text:?}\n{self}");
        self
    }

    pub(crate) fn ami(&self) -> &str {
        self.exports.get("AMI_ID").expect("AMI_ID is exported")
    }

    /// How often it called an operation, such as `ec2:CreateImage`.
    pub(crate) fn count(&self, operation: &str) -> usize {
        self.calls.iter().filter(|call| *call == operation).count()
    }

    /// Whether it changed anything.
    pub(crate) fn changed_anything(&self) -> bool {
        let reads = ["Describe", "Get", "List", "BatchGet"];
        self.calls.iter().any(|call| {
            let name = call.split(':').nth(1).unwrap_or(call);
            !reads.iter().any(|read| name.starts_with(read))
        })
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "exit {:?} after {:?}, exports {:?}\ncalls {:?}\n{}",
            self.code, self.took, self.exports, self.calls, self.said
        )
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
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
