//! Asking the application on this instance.

use std::time::Duration;

use action::failure::Failure;
use action::interrupt::Interrupt;
use action::wait::{Ended, Limits, Pace};
use http_probe::Probe;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::settings::Checked;
use crate::verdict::Verdict;

/// A booting image is asked often: whoever waits for the signal pays for two groups.
const PACE: Pace = Pace {
    first: Duration::from_millis(500),
    longest: Duration::from_secs(3),
};

/// One answer may take this long.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Asks until the application answered well `count` times in a row, or the deadline comes.
pub(crate) async fn prove(
    settings: &Checked,
    deadline: Instant,
    interrupt: &Interrupt,
) -> Result<Verdict, Failure> {
    let Checked { probe, count, .. } = settings;
    let (url, statuses) = (&probe.url, &probe.statuses);
    let what = format!("{url} to answer {statuses}");
    let limits = Limits {
        deadline,
        interrupt: interrupt.clone(),
    };
    let asked = async || Ok(ask(probe).await.map(drop));
    match http_probe::in_a_row(&what, *count, &limits, PACE, asked).await {
        Ok(()) => {
            tracing::info!("{url} answered {statuses} {count} times in a row");
            Ok(Verdict::Healthy)
        }
        Err(Ended::Deadline(seen)) => Ok(Verdict::Unhealthy(seen)),
        Err(ended) => Err(ended.into_failure(&what).hint(
            "nothing was signalled; what waits for this instance waits until its own timeout",
        )),
    }
}

/// Asks once; the status of a good answer.
pub(crate) async fn ask(probe: &Probe) -> Result<u16, String> {
    let deadline = Instant::now() + ANSWER_WITHIN;
    let address = (probe.url.host.as_str(), probe.url.port);
    let stream = timeout_at(deadline, TcpStream::connect(address))
        .await
        .map_err(|_| format!("no connection within {ANSWER_WITHIN:?}"))?
        .map_err(|error| error.to_string())?;
    let agent = concat!("signal-health/", env!("CARGO_PKG_VERSION"));
    let answer = probe
        .ask(stream, agent, deadline)
        .await
        .map_err(|error| error.to_string())?;
    probe
        .judge(&answer, None)
        .map_err(|unhealthy| unhealthy.to_string())?;
    Ok(answer.status)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::{Probe, ask, prove};
    use crate::settings::Checked;
    use crate::verdict::Verdict;
    use action::interrupt::{Interrupt, Signal};
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    /// A server that gives these answers, the last one for ever; its settings.
    async fn server(answers: &'static [&'static str]) -> Checked {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let mut turn = 0;
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let answer = answers[turn.min(answers.len() - 1)];
                stream.write_all(answer.as_bytes()).await.unwrap();
                turn += 1;
            }
        });
        Checked {
            resource: None,
            hook: Some("hook".to_owned()),
            probe: Probe::new(
                format!("http://127.0.0.1:{port}/collection")
                    .parse()
                    .unwrap(),
            ),
            count: 3,
            instance: None,
        }
    }

    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    const BUSY: &str = "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n";
    const CUT: &str = "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nok";
    const MOVED: &str = "HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n";

    #[tokio::test]
    async fn answers_in_a_row_count_and_a_bad_one_starts_again() {
        let settings = server(&[BUSY, OK, OK, BUSY, OK, OK, OK]).await;
        let deadline = Instant::now() + Duration::from_secs(60);
        let verdict = prove(&settings, deadline, &Interrupt::never()).await;
        assert_eq!(verdict, Ok(Verdict::Healthy));
    }

    #[tokio::test]
    async fn only_a_whole_200_is_an_answer() {
        let bad = |status| Err(format!("it answers {status}"));
        for (answer, seen) in [(&[MOVED], bad(302)), (&[BUSY], bad(503)), (&[OK], Ok(200))] {
            assert_eq!(ask(&server(answer).await.probe).await, seen);
        }
        assert!(ask(&server(&[CUT]).await.probe).await.is_err());
        assert!(ask(&server(&["SSH-2.0-x\r\n"]).await.probe).await.is_err());
    }

    #[tokio::test]
    async fn the_deadline_says_what_was_seen_last() {
        let mut settings = server(&[OK]).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = listener.local_addr().unwrap().port();
        drop(listener);
        settings.probe.url = format!("http://127.0.0.1:{closed}/").parse().unwrap();
        let deadline = Instant::now() + Duration::from_millis(300);
        let verdict = prove(&settings, deadline, &Interrupt::never())
            .await
            .unwrap();
        let Verdict::Unhealthy(seen) = verdict else {
            unreachable!("nothing answers")
        };
        assert!(seen.contains("refused"), "{seen}");
    }

    #[tokio::test]
    async fn a_signal_ends_the_wait_and_says_that_nothing_was_told() {
        let settings = server(&[BUSY]).await;
        let (tell, interrupt) = Interrupt::manual();
        tell.send(Some(Signal::Terminate)).unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        let failure = prove(&settings, deadline, &interrupt).await.unwrap_err();
        assert_eq!(failure.exit().code(), 143);
        assert!(failure.to_string().contains("nothing was signalled"));
    }
}
