//! Deciding alone on a release, by the plan that the client left.

use std::time::{Duration, Instant};

use agent_protocol::plan::{Action, Forward, HealthCheck, OnFailure, Plan, Step};
use filesync::{Operation, Outcome};

/// Between two tries.
const PAUSE: Duration = Duration::from_secs(1);
/// One answer may take this long.
const ANSWER: Duration = Duration::from_secs(10);

/// The host, as deciding needs it. What is wrong is told in words.
pub(crate) trait Host {
    fn now(&self) -> Instant;
    fn pause(&mut self, pause: Duration);
    fn run(&mut self, script: &str, limit: Duration) -> Result<(), String>;
    fn ask(&mut self, check: &HealthCheck, limit: Duration) -> Result<(), String>;
    fn files(&mut self, operation: &Operation) -> Result<(), String>;
}

/// When deciding is over at the latest.
pub(crate) fn latest(plan: &Plan, now: Instant) -> Instant {
    let forward = match &plan.forward {
        Forward::Prove(steps) => steps.as_slice(),
        Forward::Cannot(_) => &[],
    };
    let all = forward.iter().chain(&plan.back);
    let limits = all.map(|step| Duration::from_millis(step.limit_ms));
    now + least(plan) + limits.sum()
}

fn least(plan: &Plan) -> Duration {
    Duration::from_millis(plan.least_ms)
}

/// Proves the release, or takes it back; says what became of it, and why. `came` is when the plan came.
pub(crate) fn decide(plan: &Plan, came: Instant, host: &mut impl Host) -> (Outcome, String) {
    let why = match &plan.forward {
        Forward::Prove(steps) => match follow(steps, Some((came, least(plan))), host) {
            Ok(()) => return (Outcome::Kept, "it is healthy".to_owned()),
            Err(why) => why,
        },
        Forward::Cannot(why) => why.clone(),
    };
    match follow(&plan.back, None, host) {
        Ok(()) => (taken_back(plan), why),
        Err(error) => (
            Outcome::Stuck,
            format!("{why}; and taking it back failed: {error}"),
        ),
    }
}

fn taken_back(plan: &Plan) -> Outcome {
    let before = plan.before.clone();
    before.map_or(Outcome::TakenDown, Outcome::WentBack)
}

/// Does the steps; the first that failed, in words.
fn follow(
    steps: &[Step],
    mut under_way: Option<(Instant, Duration)>,
    host: &mut impl Host,
) -> Result<(), String> {
    for step in steps {
        let now = host.now();
        let limit = Duration::from_millis(step.limit_ms);
        let until = match under_way.take() {
            Some((began, least)) => (began + limit).max(now + least),
            None => now + limit,
        };
        let done = do_step(step, until, host);
        if let (Err(seen), true) = (done, step.on_failure != OnFailure::Ignore) {
            return Err(format!("cannot {}: {seen}", step.what));
        }
    }
    Ok(())
}

fn do_step(step: &Step, until: Instant, host: &mut impl Host) -> Result<(), String> {
    loop {
        let left = until.saturating_duration_since(host.now());
        let done = match &step.action {
            Action::Run(script) => host.run(script, left),
            Action::Files(operation) => host.files(operation),
            Action::Ask(check) => return in_a_row(check, until, host),
        };
        match done {
            Err(_) if step.on_failure == OnFailure::Retry && host.now() + PAUSE < until => {
                host.pause(PAUSE);
            }
            done => return done,
        }
    }
}

/// Asks until there were enough good answers in a row.
fn in_a_row(check: &HealthCheck, until: Instant, host: &mut impl Host) -> Result<(), String> {
    let pause = Duration::from_millis(check.pause_ms);
    let mut good = 0;
    loop {
        let (seen, pause) = match host.ask(check, ANSWER) {
            Ok(()) => {
                good += 1;
                if good >= check.count {
                    return Ok(());
                }
                (format!("{good} of {} good answers", check.count), pause / 4)
            }
            Err(seen) => {
                good = 0;
                (seen, pause)
            }
        };
        if host.now() + pause >= until {
            return Err(seen);
        }
        host.pause(pause);
    }
}

#[cfg(test)]
mod tests {
    use super::{ANSWER, Host, decide, latest};
    use agent_protocol::plan::{Action, Forward, HealthCheck, OnFailure, Plan, Step};
    use filesync::{Layout, Operation, Outcome, Paths};
    use std::time::{Duration, Instant};

    /// A host with a clock of its own. What it does is written down.
    struct Fake {
        now: Instant,
        did: Vec<String>,
        /// Which scripts fail, and how often.
        fails: Vec<(&'static str, usize)>,
        /// When the application answers well.
        healthy: Box<dyn Fn(Duration) -> bool>,
        began: Instant,
    }

    impl Fake {
        fn new(healthy: impl Fn(u64) -> bool + 'static) -> Self {
            let began = Instant::now();
            Self {
                now: began,
                began,
                did: Vec::new(),
                fails: Vec::new(),
                healthy: Box::new(move |since| healthy(since.as_secs())),
            }
        }
    }

    impl Host for Fake {
        fn now(&self) -> Instant {
            self.now
        }
        fn pause(&mut self, pause: Duration) {
            self.now += pause;
        }
        fn run(&mut self, script: &str, limit: Duration) -> Result<(), String> {
            assert!(!limit.is_zero(), "{script}");
            self.did.push(script.to_owned());
            match self
                .fails
                .iter_mut()
                .find(|(it, left)| *it == script && *left > 0)
            {
                Some((_, left)) => {
                    *left -= 1;
                    Err("status 1".to_owned())
                }
                None => Ok(()),
            }
        }
        fn ask(&mut self, _: &HealthCheck, limit: Duration) -> Result<(), String> {
            assert_eq!(limit, ANSWER);
            match (self.healthy)(self.now - self.began) {
                true => Ok(()),
                false => Err("it answers 500".to_owned()),
            }
        }
        fn files(&mut self, operation: &Operation) -> Result<(), String> {
            self.did.push(match operation {
                Operation::Switch { .. } => "switch back".to_owned(),
                Operation::Prove { .. } => "prove".to_owned(),
                other => format!("{other:?}"),
            });
            Ok(())
        }
    }

    const NEW: &str = "20261123094308-0123456";
    const OLD: &str = "20261123094307-0123456";

    fn step(what: &str, action: Action, on_failure: OnFailure) -> Step {
        Step {
            what: what.to_owned(),
            action,
            on_failure,
            limit_ms: 60_000,
        }
    }

    fn run(script: &str, on_failure: OnFailure) -> Step {
        step(
            &format!("run {script}"),
            Action::Run(script.to_owned()),
            on_failure,
        )
    }

    fn ask() -> Step {
        let check = HealthCheck {
            host: "localhost".to_owned(),
            port: 1,
            path: "/".to_owned(),
            headers: Vec::new(),
            statuses: Vec::new(),
            body: None,
            release: NEW.to_owned(),
            count: 3,
            pause_ms: 1000,
        };
        step("find it healthy", Action::Ask(check), OnFailure::End)
    }

    fn plan(forward: Vec<Step>) -> Plan {
        let files = |what, operation| step(what, Action::Files(operation), OnFailure::End);
        let (release, how) = (NEW.to_owned(), String::new());
        let mut forward = forward;
        forward.push(files("prove", Operation::Prove { release, how }));
        let release = OLD.to_owned();
        let back = Operation::Switch {
            release,
            starts: true,
        };
        Plan {
            release: NEW.to_owned(),
            paths: Paths {
                target: "/srv".to_owned(),
                layout: Layout::Releases,
            },
            forward: Forward::Prove(forward),
            least_ms: 10_000,
            back: vec![
                files("switch back", back),
                run("stop", OnFailure::Ignore),
                run("start old", OnFailure::End),
            ],
            before: Some(OLD.to_owned()),
            audit: "{}".to_owned(),
        }
    }

    #[test]
    fn a_release_that_becomes_healthy_in_time_is_kept() {
        let mut host = Fake::new(|second| second >= 30);
        let came = host.now;
        let (outcome, _) = decide(
            &plan(vec![run("start", OnFailure::Retry), ask()]),
            came,
            &mut host,
        );
        assert_eq!(outcome, Outcome::Kept);
        assert_eq!(host.did, ["start", "prove"]);
    }

    #[test]
    fn a_row_of_good_answers_begins_anew_with_a_bad_one() {
        // Two good ones, a bad one, and so on: never three in a row.
        let mut host = Fake::new(|second| second % 2 == 0);
        host.healthy = Box::new(|since| since.as_millis() % 1000 < 500);
        let came = host.now;
        let (outcome, why) = decide(&plan(vec![ask()]), came, &mut host);
        assert_eq!(outcome, Outcome::WentBack(OLD.to_owned()));
        assert!(why.starts_with("cannot find it healthy: "), "{why}");
    }

    #[test]
    fn one_that_does_not_is_gone_back_from_at_the_end_of_the_health_limit() {
        let mut host = Fake::new(|_| false);
        let came = host.now;
        let (outcome, why) = decide(&plan(vec![ask()]), came, &mut host);
        assert_eq!(outcome, Outcome::WentBack(OLD.to_owned()));
        assert_eq!(why, "cannot find it healthy: it answers 500");
        assert_eq!(host.did, ["switch back", "stop", "start old"]);
        let took = host.now - came;
        assert!((59..=60).contains(&took.as_secs()), "{took:?}");
    }

    #[test]
    fn the_rest_of_the_limit_counts_since_the_plan_came_and_is_never_nothing() {
        let mut host = Fake::new(|_| false);
        let came = host.now;
        host.now += Duration::from_secs(40);
        let _ = decide(&plan(vec![ask()]), came, &mut host);
        assert!((host.now - came) <= Duration::from_secs(60));
        let mut late = Fake::new(|second| second >= 305);
        let came = late.now;
        late.now += Duration::from_secs(300);
        let (outcome, _) = decide(&plan(vec![ask()]), came, &mut late);
        assert_eq!(outcome, Outcome::Kept);
    }

    #[test]
    fn a_start_is_tried_again_and_a_hook_is_not() {
        let mut host = Fake::new(|_| true);
        host.fails = vec![("start", 2)];
        let came = host.now;
        let forward = vec![
            run("start", OnFailure::Retry),
            ask(),
            run("hook", OnFailure::End),
        ];
        let (outcome, _) = decide(&plan(forward.clone()), came, &mut host);
        assert_eq!(outcome, Outcome::Kept);
        assert_eq!(host.did, ["start", "start", "start", "hook", "prove"]);
        let mut host = Fake::new(|_| true);
        host.fails = vec![("hook", 1), ("stop", 1)];
        let (outcome, why) = decide(&plan(forward), came, &mut host);
        assert_eq!(outcome, Outcome::WentBack(OLD.to_owned()));
        assert_eq!(why, "cannot run hook: status 1");
        assert_eq!(
            host.did,
            ["start", "hook", "switch back", "stop", "start old"]
        );
    }

    #[test]
    fn what_cannot_be_proven_here_is_gone_back_from_at_once() {
        let mut host = Fake::new(|_| true);
        let came = host.now;
        let mut plan = plan(Vec::new());
        plan.forward = Forward::Cannot("it is asked over HTTPS".to_owned());
        plan.before = None;
        let (outcome, why) = decide(&plan, came, &mut host);
        assert_eq!(
            (outcome, why.as_str()),
            (Outcome::TakenDown, "it is asked over HTTPS")
        );
        assert_eq!(host.now, came);
    }

    #[test]
    fn a_release_that_cannot_be_taken_back_is_told_as_that() {
        let mut host = Fake::new(|_| false);
        host.fails = vec![("start old", 9)];
        let came = host.now;
        let plan = plan(vec![ask()]);
        let (outcome, why) = decide(&plan, came, &mut host);
        assert_eq!(outcome, Outcome::Stuck);
        assert_eq!(
            why,
            "cannot find it healthy: it answers 500; and taking it back failed: cannot run start old: status 1"
        );
        assert!(host.now < latest(&plan, came));
    }
}
