//! Random histories in virtual time: workers that are killed, stopped and raced, actions that CodePipeline gives up,
//! answers that are lost. Whatever happens, each job is reported once or picked up again, and what was made for an
//! action that failed is gone or listed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use crate::api::Api;
use crate::child::{Programs, Run, Stop};
use crate::clock::Clock;
use crate::journal::{ChildId, Journal, Notes};
use crate::serve;
use crate::settings::{ActionType, Category, Manner};
use crate::worker::{Stopping, Worker};
use action::interrupt::{Interrupt, Signal};
use action::program::{Description, Setting};
use aws::limit::Limit;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use harness::jobs::{Action, Jobs, Status};
use harness::{FakeAws, Fate, Reply};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, timeout};

mod day;

/// Images by the run that made them; shared by every worker, as an account is.
#[derive(Clone)]
struct Account {
    images: Arc<Mutex<BTreeMap<String, String>>>,
    available: Instant,
    takes: Duration,
    cannot_clean: bool,
}

impl Account {
    fn ids(&self) -> BTreeSet<String> {
        self.images.lock().unwrap().values().cloned().collect()
    }

    fn export(run: &Run, id: &str) -> io::Result<Option<u8>> {
        std::fs::write(&run.exports, format!("export AMI_ID='{id}'\n"))?;
        Ok(Some(0))
    }
}

impl Programs for Account {
    async fn run(
        &self,
        run: Run,
        started: impl FnOnce(ChildId),
        mut stop: watch::Receiver<Stop>,
    ) -> io::Result<Option<u8>> {
        started(ChildId { pid: 0, began: 0 });
        std::fs::write(&run.log, "played\n")?;
        let setting = |name: &str| run.environment.get(name).cloned().unwrap_or_default();
        let (key, id) = (setting("MAKE_AMI_RUN"), setting("MAKE_AMI_IMAGE"));
        if run.command == Some("start") {
            // The image is there long before the program can say so.
            let fresh = format!("ami-of-{key}");
            self.images
                .lock()
                .unwrap()
                .entry(key.clone())
                .or_insert_with(|| fresh.clone());
            let asked = stop.wait_for(|stop| *stop != Stop::GoOn);
            if let Ok(Ok(how)) = timeout(self.takes, asked).await {
                if *how == Stop::Term {
                    self.images.lock().unwrap().remove(&key);
                    return Ok(Some(143));
                }
                return Ok(None);
            }
            return Self::export(&run, &fresh);
        }
        if run.command == Some("clean") {
            sleep(self.takes).await;
            if self.cannot_clean {
                return Ok(Some(3));
            }
            // By its id, or by its run.
            let mut images = self.images.lock().unwrap();
            images.retain(|run, image| *image != id && *run != id);
            return Ok(Some(0));
        }
        let asked = stop.wait_for(|stop| *stop != Stop::GoOn);
        if let Ok(Ok(how)) = timeout(self.takes, asked).await {
            // Told before it had found the image: it removes nothing.
            return Ok((*how == Stop::Term).then_some(143));
        }
        match self.ids().contains(&id) {
            false => Ok(Some(2)),
            true if Instant::now() < self.available => Ok(Some(6)),
            true => Self::export(&run, &id),
        }
    }

    async fn end(&self, _: ChildId, _: Stop) {}
}

/// What happens next.
#[derive(Debug, Clone)]
enum Event {
    /// The workers go on for so many seconds.
    Run(u64),
    /// A worker is killed and started again.
    Kill(usize),
    /// A worker is told to stop, and started again.
    Terminate(usize),
    /// CodePipeline gives an action up.
    GiveUp(usize),
    /// The next so many calls meet this.
    Trouble(Trouble, usize),
}

#[derive(Debug, Clone, Copy)]
enum Trouble {
    Throttled,
    Lost,
    Unserved,
    Html,
}

#[derive(Debug, Clone)]
struct History {
    actions: usize,
    workers: usize,
    takes: u64,
    available: u64,
    cannot_clean: bool,
    forgiving: bool,
    events: Vec<Event>,
}

fn histories() -> impl Strategy<Value = History> {
    let trouble = prop_oneof![
        Just(Trouble::Throttled),
        Just(Trouble::Lost),
        Just(Trouble::Unserved),
        Just(Trouble::Html)
    ];
    let event = prop_oneof![
        4 => (0_u64..90).prop_map(Event::Run),
        2 => (0_usize..2).prop_map(Event::Kill),
        1 => (0_usize..2).prop_map(Event::Terminate),
        1 => (0_usize..3).prop_map(Event::GiveUp),
        2 => (trouble, 1_usize..4).prop_map(|(trouble, calls)| Event::Trouble(trouble, calls)),
    ];
    (
        1_usize..4,
        1_usize..3,
        1_u64..20,
        0_u64..300,
        prop::bool::weighted(0.2),
        any::<bool>(),
        prop::collection::vec(event, 0..14),
    )
        .prop_map(
            |(actions, workers, takes, available, cannot_clean, forgiving, events)| History {
                actions,
                workers,
                takes,
                available,
                cannot_clean,
                forgiving,
                events,
            },
        )
}

fn description() -> Description {
    let setting = |variable: &str| Setting {
        variable: variable.to_owned(),
        meaning: String::new(),
        default: None,
        secret: false,
    };
    Description {
        name: "make-ami".to_owned(),
        version: "0".to_owned(),
        about: String::new(),
        prefix: "MAKE_AMI_".to_owned(),
        commands: Vec::new(),
        settings: vec![setting("INSTANCE_ID"), setting("MAKE_AMI_RUN")],
        exports: vec!["AMI_ID".to_owned()],
    }
}

fn config(fake: &FakeAws) -> SdkConfig {
    let limit = Limit::until(Instant::now() + Duration::from_secs(10 * 86_400));
    let credentials = Credentials::new("AKIA", "secret", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-west-1"))
        .endpoint_url(fake.url())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(limit.client(fake.http_client()))
        .sleep_impl(limit.sleep())
        .build()
}

/// A worker that runs, with its own work folder.
struct Running {
    tasks: LocalSet,
    serving: tokio::task::JoinHandle<()>,
    interrupt: watch::Sender<Option<Signal>>,
}

struct Scene {
    fake: FakeAws,
    jobs: Jobs,
    account: Account,
    /// One for all workers, since a worker that starts later starts at a later time of day.
    clock: Clock,
    timeout: Duration,
    folders: Vec<PathBuf>,
}

impl Scene {
    /// A job API, an account, and the work folders of so many workers below `root`. Images are available `available`
    /// seconds from now, and each call of the program takes `takes` seconds.
    fn new(root: &Path, workers: usize, available: u64, takes: u64) -> Self {
        let (fake, jobs) = (FakeAws::offline(), Jobs::new());
        jobs.install(&fake);
        Self {
            fake,
            jobs,
            account: Account {
                images: Arc::default(),
                available: Instant::now() + Duration::from_secs(available),
                takes: Duration::from_secs(takes),
                cannot_clean: false,
            },
            clock: Clock::start(),
            timeout: Duration::from_secs(86_400),
            folders: (0..workers).map(|n| root.join(n.to_string())).collect(),
        }
    }

    fn start(&self, folder: &Path) -> Running {
        let (tell, stopping) = watch::channel(Stopping::No);
        let action_type = ActionType {
            category: Category::Build,
            provider: "MakeAmi".to_owned(),
            version: "1".to_owned(),
        };
        let config = config(&self.fake);
        let worker = Worker {
            api: Api::new(&config, Some(&action_type)),
            config,
            path_style: true,
            journal: Journal::open(folder).unwrap(),
            programs: self.account.clone(),
            program: PathBuf::from("make-ami"),
            description: description(),
            inherited: BTreeMap::new(),
            manner: Manner {
                jobs: 2,
                poll_every: Duration::from_secs(10),
                look_every: Duration::from_secs(30),
                look_for: Duration::from_secs(10),
                check_every: Duration::from_secs(20),
                stop_within: Duration::from_secs(60),
                artifacts: bundle::unpack::Limits::default(),
            },
            timeout: self.timeout,
            clock: self.clock,
            stopping,
            polls: true,
        };
        let (interrupt, listening) = Interrupt::manual();
        let tasks = LocalSet::new();
        let serving = tasks.spawn_local(async move {
            // What a stop leaves in the journal is looked at below.
            let _ = serve::serve(Rc::new(worker), tell, &listening).await;
        });
        Running {
            tasks,
            serving,
            interrupt,
        }
    }

    fn listed(&self) -> BTreeSet<String> {
        let mut listed = BTreeSet::new();
        for folder in &self.folders {
            let journal = Journal::at(folder);
            for kind in [Notes::Left, Notes::Waiting] {
                listed.extend(journal.notes(kind).into_iter().map(|note| note.what));
            }
        }
        listed
    }
}

/// Lets every worker go on for so long.
async fn go_on(workers: &[Running], seconds: u64) {
    let until = Instant::now() + Duration::from_secs(seconds);
    let all = workers
        .iter()
        .map(|worker| worker.tasks.run_until(tokio::time::sleep_until(until)));
    let mut all: Vec<_> = all.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        all.retain_mut(|one| one.as_mut().poll(context).is_pending());
        match all.is_empty() {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
}

fn trouble(fake: &FakeAws, trouble: Trouble, calls: usize) {
    let left = Mutex::new(calls);
    fake.intercept(move |_| {
        let mut left = left.lock().unwrap();
        if *left == 0 {
            return Fate::Served;
        }
        *left -= 1;
        match trouble {
            Trouble::Throttled => {
                Fate::Answered(Reply::error(400, "ThrottlingException", "Rate exceeded"))
            }
            Trouble::Lost => Fate::Lost,
            Trouble::Unserved => Fate::Answered(Reply::close()),
            Trouble::Html => Fate::Answered(Reply::html(502, "<html></html>")),
        }
    });
}

/// A folder of its own, in memory where that can be: a history writes the journal some hundred times, each time to the disk.
fn root() -> tempfile::TempDir {
    let in_memory = tempfile::tempdir_in("/dev/shm");
    in_memory.or_else(|_| tempfile::tempdir()).unwrap()
}

async fn play(history: &History) {
    let root = root();
    let mut scene = Scene::new(
        root.path(),
        history.workers,
        history.available,
        history.takes,
    );
    scene.account.cannot_clean = history.cannot_clean;
    if history.forgiving {
        scene.jobs.forgive_second_acknowledgement();
    }
    let name = |action: usize| format!("Bake{action}");
    for action in 0..history.actions {
        let configuration = [("INSTANCE_ID", "i-0123456789abcdef0")];
        scene.jobs.start(Action::new(&name(action), &configuration));
    }
    let folders = scene.folders.iter();
    let mut workers: Vec<Running> = folders.map(|folder| scene.start(folder)).collect();
    for event in &history.events {
        match event {
            Event::Run(seconds) => go_on(&workers, *seconds).await,
            Event::Kill(worker) if *worker < workers.len() => {
                workers[*worker] = scene.start(&scene.folders[*worker]);
            }
            Event::Terminate(worker) if *worker < workers.len() => {
                let told = &workers[*worker];
                told.interrupt.send(Some(Signal::Terminate)).unwrap();
                go_on(&workers, 90).await;
                assert!(
                    workers[*worker].serving.is_finished(),
                    "it did not stop in time"
                );
                workers[*worker] = scene.start(&scene.folders[*worker]);
            }
            Event::GiveUp(action) if *action < history.actions => scene.jobs.time_out(*action),
            Event::Trouble(what, calls) => trouble(&scene.fake, *what, *calls),
            Event::Kill(_) | Event::Terminate(_) | Event::GiveUp(_) => {}
        }
    }
    for _ in 0..200 {
        let entries = scene
            .folders
            .iter()
            .map(|folder| Journal::at(folder).entries().len());
        let is_over = (0..history.actions).all(|action| scene.jobs.is_over(action));
        if is_over && entries.sum::<usize>() == 0 {
            break;
        }
        go_on(&workers, 30).await;
    }
    let all = scene.jobs.all();
    for job in &all {
        let reported = matches!(job.status, Status::Succeeded | Status::Failed);
        assert_ne!(job.status, Status::InProgress, "nobody reported {job:?}");
        assert_ne!(job.status, Status::Queued, "nobody picked up {job:?}");
        assert_eq!(job.reports, u32::from(reported), "{job:?}");
    }
    // An acknowledgement without an answer may not have arrived: its job is then worked on and offered again.
    let is_doubtful = history.events.iter().any(|event| {
        matches!(
            event,
            Event::Trouble(Trouble::Lost | Trouble::Unserved | Trouble::Html, _) | Event::Kill(_)
        )
    });
    let mut offences = scene.jobs.offences();
    offences.retain(|what| !(is_doubtful && what == "reported a job that was not acknowledged"));
    assert_eq!(offences, Vec::<String>::new());
    let (images, listed) = (scene.account.ids(), scene.listed());
    for action in 0..history.actions {
        let image = format!("ami-of-e-{0}.{0}", name(action));
        match scene.jobs.last(action).status {
            Status::Succeeded => assert!(
                images.contains(&image),
                "{image} was handed over and is gone"
            ),
            _ => assert!(
                !images.contains(&image) || listed.iter().any(|what| covers(what, &image)),
                "{image} remains and is not listed: {listed:?}"
            ),
        }
    }
    for folder in &scene.folders {
        let left = Journal::at(folder).entries();
        assert!(left.is_empty(), "still in the journal: {left:?}");
    }
}

/// Whether a note is about an image: by its id, or as whatever a job made.
fn covers(what: &str, image: &str) -> bool {
    what == image || what.starts_with("whatever")
}

/// Some, or as many as a hunt with `PROPTEST_CASES` asks for.
fn cases() -> ProptestConfig {
    let mut config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 64;
    }
    config.max_shrink_iters = 200;
    config.failure_persistence = None;
    config
}

fn in_virtual_time<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(future)
}

proptest! {
    #![proptest_config(cases())]
    #[test]
    fn every_job_is_reported_once_and_nothing_remains_unlisted(history in histories()) {
        in_virtual_time(play(&history));
    }
}
