//! The worker on an instance: asks for jobs, works on several at once, stops without losing one.

use crate::api::ApiError;
use crate::child::Programs;
use crate::job::Job;
use crate::token::Token;
use crate::worker::{Stopping, Worker};
use action::exit::Exit;
use action::failure::Failure;
use action::interrupt::Interrupt;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

/// How long a refused poll is left alone: somebody has to change a policy.
const REFUSED_AGAIN: Duration = Duration::from_secs(60);

/// A job that was offered and not acknowledged: its next look is not due, or every slot is taken. CodePipeline goes on
/// offering it to every worker, so that nothing is lost with this one.
struct Parked {
    job: Job,
    due: Instant,
}

/// The jobs that wait, and those in hand.
#[derive(Default)]
struct Desk {
    parked: HashMap<String, Parked>,
    in_hand: JoinSet<String>,
    ids: Vec<String>,
}

/// Serves jobs until a signal comes. Must run inside a `LocalSet`.
///
/// # Errors
/// A first poll that is refused, and a stop that left a job unreported.
pub(crate) async fn serve<P: Programs>(
    worker: Rc<Worker<P>>,
    tell: watch::Sender<Stopping>,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let mut desk = Desk::default();
    match worker.api.poll(1).await {
        Ok(jobs) => desk.offered(&worker, jobs),
        Err(ApiError::Refused(error)) => {
            return Err(error
                .failure("cannot ask CodePipeline for jobs", "codepipeline:PollForJobs")
                .hint("the action type must be registered in this account and Region: cfn/custom-actions.yml"));
        }
        Err(error) => tracing::warn!("cannot ask for jobs yet: {error}"),
    }
    for entry in worker.journal.entries() {
        if entry.program == worker.description.name {
            desk.parked.remove(&entry.job);
            let (worker, id) = (Rc::clone(&worker), entry.job.clone());
            desk.begin(id, async move { worker.recover(entry).await });
        } else {
            tracing::warn!(
                "[job {}] belongs to {}: a worker of that program must finish it",
                entry.job,
                entry.program
            );
        }
    }
    let mut poll_at = Instant::now();
    loop {
        desk.begin_due(&worker);
        let due = desk.next_due(&worker);
        tokio::select! {
            biased;
            _ = interrupt.signalled() => break,
            Some(ended) = desk.in_hand.join_next() => desk.ended(ended),
            () = sleep_until(due.unwrap_or(poll_at)), if due.is_some() => {}
            () = sleep_until(poll_at), if desk.has_room(&worker) => {
                poll_at = desk.poll(&worker, interrupt).await;
            }
        }
    }
    stop(&worker, &tell, desk).await
}

impl Desk {
    fn has_room<P>(&self, worker: &Worker<P>) -> bool {
        self.in_hand.len() < worker.manner.jobs
    }

    fn begin(&mut self, id: String, work: impl Future<Output = ()> + 'static) {
        self.ids.push(id.clone());
        self.in_hand.spawn_local(async move {
            work.await;
            id
        });
    }

    fn ended(&mut self, ended: Result<String, tokio::task::JoinError>) {
        match ended {
            Ok(id) => self.ids.retain(|one| *one != id),
            // What ships ends as a whole on a panic.
            Err(error) => tracing::error!("a job ended in an unforeseen way: {error}"),
        }
    }

    /// Asks for jobs; gives when to ask again.
    async fn poll<P: Programs>(
        &mut self,
        worker: &Rc<Worker<P>>,
        interrupt: &Interrupt,
    ) -> Instant {
        // Jobs that wait are offered again and again, and must not hide new ones.
        let most = worker.manner.jobs - self.in_hand.len() + self.parked.len();
        let Ok(polled) = interrupt.race(worker.api.poll(most)).await else {
            return Instant::now();
        };
        let pause = match polled {
            Ok(jobs) => {
                self.offered(worker, jobs);
                worker.manner.poll_every
            }
            Err(ApiError::Refused(error)) => {
                tracing::error!("cannot ask for jobs: {error}");
                REFUSED_AGAIN
            }
            Err(error) => {
                tracing::warn!("cannot ask for jobs: {error}");
                worker.manner.poll_every
            }
        };
        Instant::now() + pause.mul_f64(0.9 + 0.2 * fastrand::f64())
    }

    fn offered<P>(&mut self, worker: &Worker<P>, jobs: Vec<Job>) {
        for job in jobs {
            if self.ids.contains(&job.id) {
                continue;
            }
            let token = job.data.token.as_deref();
            let token = token.and_then(|text| Token::read(text, &worker.description.name).ok());
            let due = token.map_or_else(Instant::now, |token| worker.clock.instant(token.due));
            // The newest nonce counts.
            self.parked.insert(job.id.clone(), Parked { job, due });
        }
    }

    /// Takes what is due, as far as there is room.
    fn begin_due<P: Programs>(&mut self, worker: &Rc<Worker<P>>) {
        while self.has_room(worker) {
            let now = Instant::now();
            let due = self.parked.values().filter(|parked| parked.due <= now);
            let Some(id) = due
                .min_by_key(|parked| parked.due)
                .map(|parked| parked.job.id.clone())
            else {
                return;
            };
            if let Some(Parked { job, .. }) = self.parked.remove(&id) {
                let worker = Rc::clone(worker);
                self.begin(id, async move { worker.take(job).await });
            }
        }
    }

    /// When the next waiting job is due, if there is room for it.
    fn next_due<P>(&self, worker: &Worker<P>) -> Option<Instant> {
        let due = self.parked.values().map(|parked| parked.due).min();
        due.filter(|_| self.has_room(worker))
    }
}

/// Lets short jobs end, then has the others handed back.
async fn stop<P: Programs>(
    worker: &Worker<P>,
    tell: &watch::Sender<Stopping>,
    mut desk: Desk,
) -> Result<(), Failure> {
    let within = worker.manner.stop_within;
    let (soon, end) = (Instant::now() + within / 2, Instant::now() + within);
    tracing::info!("stopping: {} jobs in hand", desk.in_hand.len());
    tell.send_replace(Stopping::Soon);
    while let Ok(Some(ended)) = timeout_at(soon, desk.in_hand.join_next()).await {
        desk.ended(ended);
    }
    tell.send_replace(Stopping::Now);
    while let Ok(Some(ended)) = timeout_at(end, desk.in_hand.join_next()).await {
        desk.ended(ended);
    }
    desk.in_hand.shutdown().await;
    let left = worker.journal.entries();
    if left.is_empty() {
        return Ok(());
    }
    let failure = Failure::new(Exit::Terminated, "stopped before every job was reported")
        .hint("they are in the journal: the next worker with this work folder goes on with them");
    Err(left.into_iter().fold(failure, |failure, entry| {
        failure.detail(format!(
            "{} ({}): {}",
            entry.job,
            entry.pipeline,
            entry.phase.word()
        ))
    }))
}
