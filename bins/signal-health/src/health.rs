//! Asking the application on this instance.

use std::time::Duration;

use action::failure::Failure;
use action::interrupt::Interrupt;
use action::wait::{self, Ended, Look, Pace};
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::settings::{Checked, HttpUrl};

/// A booting image is asked often: whoever waits for the signal pays for two groups.
const PACE: Pace = Pace {
    first: Duration::from_millis(500),
    longest: Duration::from_secs(3),
};

/// One answer may take this long.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What became of the wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It answered 200 as often in a row as was asked for.
    Healthy,
    /// The deadline came; what was seen last.
    Unhealthy(String),
}

/// Asks until the application answered 200 `count` times in a row, or the deadline comes.
pub(crate) async fn prove(
    settings: &Checked,
    deadline: Instant,
    interrupt: &Interrupt,
) -> Result<Verdict, Failure> {
    let Checked { url, count, .. } = settings;
    let mut in_a_row = 0;
    let what = format!("{url} to answer 200");
    let ended = wait::until(&what, deadline, interrupt, PACE, async || {
        match ask(url).await {
            Ok(200) => in_a_row += 1,
            Ok(status) => {
                in_a_row = 0;
                return Ok(Look::NotYet(format!("it answers {status}")));
            }
            Err(error) => {
                in_a_row = 0;
                return Ok(Look::NotYet(error));
            }
        }
        Ok(if in_a_row >= *count {
            Look::There(())
        } else {
            Look::NotYet(format!("it answered 200, {in_a_row} of {count} times"))
        })
    })
    .await;
    match ended {
        Ok(()) => {
            tracing::info!("{url} answered 200 {count} times in a row");
            Ok(Verdict::Healthy)
        }
        Err(Ended::Deadline(seen)) => Ok(Verdict::Unhealthy(seen)),
        Err(ended) => Err(ended
            .into_failure(&what)
            .hint("nothing was signalled; CloudFormation waits until its own timeout")),
    }
}

/// Asks once; the status of the answer.
pub(crate) async fn ask(url: &HttpUrl) -> Result<u16, String> {
    match timeout(ANSWER_WITHIN, exchange(url)).await {
        Ok(Ok(status)) => Ok(status),
        Ok(Err(error)) => Err(aws::error::chain(error.as_ref())),
        Err(_) => Err(format!("no answer within {ANSWER_WITHIN:?}")),
    }
}

async fn exchange(url: &HttpUrl) -> Result<u16, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect((url.host(), url.port())).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the exchange: the sender is dropped, and with it the connection.
    tokio::spawn(connection);
    let request = Request::get(url.path())
        .header("host", url.authority())
        .header(
            "user-agent",
            concat!("signal-health/", env!("CARGO_PKG_VERSION")),
        )
        .header("connection", "close")
        .body(Empty::<Bytes>::new())?;
    let mut response = sender.send_request(request).await?;
    let status = response.status().as_u16();
    // An answer that breaks off is none.
    while let Some(frame) = response.frame().await {
        frame?;
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::{Verdict, ask, prove};
    use crate::settings::Checked;
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
            stack: "s".to_owned(),
            resource: "Group".to_owned(),
            url: format!("http://127.0.0.1:{port}/collection")
                .parse()
                .unwrap(),
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
        for (answer, seen) in [(&[MOVED], Ok(302)), (&[BUSY], Ok(503)), (&[OK], Ok(200))] {
            assert_eq!(ask(&server(answer).await.url).await, seen);
        }
        assert!(ask(&server(&[CUT]).await.url).await.is_err());
        assert!(ask(&server(&["SSH-2.0-x\r\n"]).await.url).await.is_err());
    }

    #[tokio::test]
    async fn the_deadline_says_what_was_seen_last() {
        let mut settings = server(&[OK]).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = listener.local_addr().unwrap().port();
        drop(listener);
        settings.url = format!("http://127.0.0.1:{closed}/").parse().unwrap();
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
