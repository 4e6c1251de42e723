//! What follows when a program has ended: pure decisions.

use crate::served::LongWork;
use crate::token::{Next, Token};
use action::exit::{self, Exit};
use std::time::Duration;

/// How many looks in a row may meet a service that is not available.
const FAILED_LOOKS: u32 = 20;

/// What a job has the program do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// The whole program, to its end.
    Whole,
    /// Only the start of long work.
    Start,
    /// A short look at long work.
    Look(Option<String>),
}

impl Step {
    /// What is due, by the token. `resumes` says whether the settings name what is in the making.
    pub(crate) fn of(token: &Token, long: Option<&LongWork>, resumes: bool) -> Self {
        match (&token.next, long) {
            (Next::Look(handle), Some(_)) => Step::Look(handle.clone()),
            (Next::Again, Some(_)) if resumes => Step::Look(None),
            (Next::Again, Some(_)) => Step::Start,
            (_, None) => Step::Whole,
        }
    }

    /// In words, for the log.
    pub(crate) fn words(&self) -> &'static str {
        match self {
            Step::Whole => "runs",
            Step::Start => "starts long work",
            Step::Look(_) => "looks at long work",
        }
    }
}

/// Why the program was told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// The worker stops.
    Worker,
    /// The job's deadline came.
    Deadline,
    /// CodePipeline has given the job up.
    GivenUp,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Its exit code; nothing when a signal killed it.
    pub(crate) code: Option<u8>,
    /// Why it was told to stop, if it was.
    pub(crate) stopped: Option<Stopped>,
    /// What it left in the making, of its exports.
    pub(crate) handle: Option<String>,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The work is done: hand over its outputs.
    Done,
    /// Hand the job back with this token.
    HandBack(Token),
    /// Report a failure of this type; `clean` says whether what is in the making is to be removed.
    Failed { kind: &'static str, clean: bool },
    /// CodePipeline has given the job up: remove what is in the making.
    GivenUp,
}

/// When a job must be done, and how long to leave long work alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) now: i64,
    pub(crate) deadline: i64,
    pub(crate) look_every: Duration,
    /// Whether the user wants unfinished work removed at the deadline.
    pub(crate) clean_at_deadline: bool,
}

/// What follows when the program has ended.
pub(crate) fn after(step: &Step, ended: &Ended, token: &Token, terms: Terms) -> Verdict {
    let exit = ended.code.and_then(exit_of);
    let is_late = terms.now >= terms.deadline;
    match (step, exit, ended.stopped) {
        (_, _, Some(Stopped::GivenUp)) => Verdict::GivenUp,
        (Step::Start, Some(Exit::Done), _) => {
            hand_back(token, Next::Look(ended.handle.clone()), terms, Pace::Later)
        }
        (_, Some(Exit::Done), _) => Verdict::Done,
        (Step::Look(handle), Some(Exit::Deadline), _) if !is_late => {
            hand_back(token, Next::Look(handle.clone()), terms, Pace::Later)
        }
        (Step::Look(handle), Some(Exit::Unavailable), None)
            if !is_late && token.failed + 1 < FAILED_LOOKS =>
        {
            hand_back(token, Next::Look(handle.clone()), terms, Pace::Failed)
        }
        // Cut off in the middle; the next worker goes on with the same image.
        (Step::Look(handle), _, Some(Stopped::Worker)) if is_cut(exit) => {
            hand_back(token, Next::Look(handle.clone()), terms, Pace::AtOnce)
        }
        (_, _, Some(Stopped::Worker)) if is_cut(exit) => {
            hand_back(token, Next::Again, terms, Pace::AtOnce)
        }
        (_, exit, stopped) => {
            let at_deadline = is_late || stopped == Some(Stopped::Deadline);
            Verdict::Failed {
                kind: exit.and_then(Exit::failure_type).unwrap_or("JobFailed"),
                clean: at_deadline && terms.clean_at_deadline && matches!(step, Step::Look(_)),
            }
        }
    }
}

/// Whether a program was stopped before it could say how its work ended.
fn is_cut(exit: Option<Exit>) -> bool {
    matches!(
        exit,
        None | Some(Exit::Interrupted | Exit::Terminated | Exit::Deadline)
    )
}

/// When the next look is due.
enum Pace {
    Later,
    Failed,
    AtOnce,
}

fn hand_back(token: &Token, next: Next, terms: Terms, pace: Pace) -> Verdict {
    let pause = crate::clock::seconds(terms.look_every);
    let was_look = matches!(token.next, Next::Look(_));
    Verdict::HandBack(Token {
        due: match pace {
            Pace::Later | Pace::Failed => terms.now.saturating_add(pause).min(terms.deadline),
            Pace::AtOnce => terms.now,
        },
        looks: token.looks.saturating_add(u32::from(was_look)),
        failed: match pace {
            Pace::Failed => token.failed.saturating_add(1),
            Pace::Later | Pace::AtOnce => 0,
        },
        next,
        ..token.clone()
    })
}

fn exit_of(code: u8) -> Option<Exit> {
    exit::ALL.into_iter().find(|exit| exit.code() == code)
}

#[cfg(test)]
mod tests {
    use super::{Ended, Step, Stopped, Terms, Verdict, after};
    use crate::served;
    use crate::token::{Next, Token};
    use std::time::Duration;

    const TERMS: Terms = Terms {
        now: 1000,
        deadline: 5000,
        look_every: Duration::from_secs(30),
        clean_at_deadline: true,
    };

    fn ended(code: u8, stopped: Option<Stopped>) -> Ended {
        Ended {
            code: Some(code),
            stopped,
            handle: Some("ami-1".to_owned()),
        }
    }

    fn token() -> Token {
        Token {
            next: Next::Look(Some("ami-1".to_owned())),
            ..Token::first("make-ami", "j", 900)
        }
    }

    fn look() -> Step {
        Step::Look(Some("ami-1".to_owned()))
    }

    fn kind(verdict: &Verdict) -> Option<&'static str> {
        match verdict {
            Verdict::Failed { kind, .. } => Some(kind),
            _ => None,
        }
    }

    #[test]
    fn what_a_token_says_is_done() {
        let long = served::long_work("make-ami");
        let first = Token::first("make-ami", "j", 0);
        assert_eq!(Step::of(&first, long, false), Step::Start);
        assert_eq!(Step::of(&first, long, true), Step::Look(None));
        assert_eq!(Step::of(&token(), long, false), look());
        assert_eq!(Step::of(&first, None, false), Step::Whole);
    }

    #[test]
    fn a_started_image_is_looked_at_later_and_the_same_image_each_time() {
        let first = Token::first("make-ami", "j", 900);
        let Verdict::HandBack(token) = after(&Step::Start, &ended(0, None), &first, TERMS) else {
            panic!("it is handed back")
        };
        assert_eq!((token.due, token.looks), (1030, 0));
        assert_eq!(token.handle(), Some("ami-1"));
        let Verdict::HandBack(token) = after(&look(), &ended(6, None), &token, TERMS) else {
            panic!("it is handed back")
        };
        assert_eq!((token.handle(), token.looks), (Some("ami-1"), 1));
        assert_eq!(
            after(&look(), &ended(0, None), &token, TERMS),
            Verdict::Done
        );
    }

    #[test]
    fn the_exit_decides_the_type_of_the_failure() {
        for (code, want) in [
            (1, "JobFailed"),
            (2, "ConfigurationError"),
            (3, "PermissionError"),
            (4, "SystemUnavailable"),
            (5, "JobFailed"),
            (6, "JobFailed"),
            (7, "RevisionOutOfSync"),
            (99, "JobFailed"),
        ] {
            let verdict = after(&Step::Whole, &ended(code, None), &token(), TERMS);
            assert_eq!(kind(&verdict), Some(want), "{code}");
        }
    }

    #[test]
    fn at_the_deadline_unfinished_work_goes_where_the_user_wants_it() {
        let late = Terms { now: 5000, ..TERMS };
        let verdict = after(&look(), &ended(6, None), &token(), late);
        let clean = |clean| Verdict::Failed {
            kind: "JobFailed",
            clean,
        };
        assert_eq!(verdict, clean(true));
        let kept = Terms {
            clean_at_deadline: false,
            ..late
        };
        assert_eq!(
            after(&look(), &ended(6, None), &token(), kept),
            clean(false)
        );
    }

    #[test]
    fn a_worker_that_stops_hands_back_what_is_not_done() {
        let cut = Some(Stopped::Worker);
        let next = |step: &Step, code| match after(step, &ended(code, cut), &token(), TERMS) {
            Verdict::HandBack(token) => Some(token.next),
            _ => None,
        };
        assert_eq!(next(&Step::Whole, 143), Some(Next::Again));
        assert_eq!(next(&Step::Start, 143), Some(Next::Again));
        let same = Next::Look(Some("ami-1".to_owned()));
        assert_eq!(next(&look(), 143), Some(same));
        // What ended in time is reported as it ended.
        assert_eq!(
            after(&Step::Whole, &ended(0, cut), &token(), TERMS),
            Verdict::Done
        );
        let failed = after(&Step::Whole, &ended(5, cut), &token(), TERMS);
        assert_eq!(kind(&failed), Some("JobFailed"));
    }

    #[test]
    fn a_look_that_meets_an_outage_comes_again_but_not_for_ever() {
        let mut token = token();
        let mut looks = 0;
        while let Verdict::HandBack(next) = after(&look(), &ended(4, None), &token, TERMS) {
            token = next;
            looks += 1;
            assert!(looks < 100);
        }
        assert_eq!(looks, 19);
    }

    #[test]
    fn a_job_that_was_given_up_is_cleaned_however_the_program_ended() {
        for code in [0, 1, 6, 143] {
            let ended = ended(code, Some(Stopped::GivenUp));
            assert_eq!(after(&look(), &ended, &token(), TERMS), Verdict::GivenUp);
        }
    }
}
