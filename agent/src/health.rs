//! Asking the application for its health, over plain HTTP.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agent_protocol::message::{AgentError, RequestId};
use agent_protocol::plan::HealthCheck;

use crate::command::Commands;
use crate::connect::connect;
use crate::output::Output;

/// The longest answer that is read, in bytes: longer ones are cut, as in deploy-app.
const LONGEST: usize = 1024 * 1024;
/// The longest head of an answer, in bytes.
const LONGEST_HEAD: usize = 64 * 1024;
/// More headers than this are no answer.
const MOST_HEADERS: usize = 128;

/// Asks as often as good answers are needed, on a thread of its own. The first that is not good is the answer.
pub(crate) fn start(
    commands: &Commands,
    id: RequestId,
    check: Box<HealthCheck>,
    answer_ms: u64,
    output: &Arc<Output>,
) {
    let Some(work) = commands.begin(id, output) else {
        return;
    };
    std::thread::spawn(move || {
        let limit = Duration::from_millis(answer_ms);
        let mut questions = (0..check.count).take_while(|_| !work.is_over());
        let is_well = questions.try_for_each(|_| ask(&check, limit));
        let told = is_well.map(|()| Vec::new());
        work.end(told.map_err(AgentError::Unhealthy));
    });
}

/// Asks once; what is wrong with the answer, in words.
pub(crate) fn ask(check: &HealthCheck, limit: Duration) -> Result<(), String> {
    let until = Instant::now() + limit;
    let answer = connect(&check.host, check.port, until)
        .and_then(|stream| exchange(stream, check, until))
        .map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionRefused => "nothing listens there".to_owned(),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                "no complete answer in time".to_owned()
            }
            _ => error.to_string(),
        })?;
    judge(check, &Answer::parse(&answer)?)
}

fn exchange(mut stream: TcpStream, check: &HealthCheck, until: Instant) -> io::Result<Vec<u8>> {
    let mut question = format!("GET {} HTTP/1.1\r\n", check.path);
    for (name, value) in &check.headers {
        question.push_str(&format!("{name}: {value}\r\n"));
    }
    question.push_str("connection: close\r\n\r\n");
    stream.set_write_timeout(Some(left(until)?))?;
    stream.write_all(question.as_bytes())?;
    let (mut answer, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
    while answer.len() < LONGEST + LONGEST_HEAD && !Answer::is_whole(&answer) {
        stream.set_read_timeout(Some(left(until)?))?;
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(answer)
}

fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    match left.is_zero() {
        true => Err(io::ErrorKind::TimedOut.into()),
        false => Ok(left),
    }
}

/// What a server answered.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    release: Option<String>,
    body: Vec<u8>,
}

/// How the length of a body is told.
enum Length {
    Bytes(usize),
    Chunked,
    /// It ends with the connection.
    Open,
}

impl Answer {
    /// Whether nothing more is to come. Some servers keep the connection open although they were asked not to.
    fn is_whole(bytes: &[u8]) -> bool {
        match head(bytes) {
            Ok(Some((_, _, Length::Open, _))) | Ok(None) => false,
            Ok(Some((_, _, Length::Bytes(length), at))) => bytes.len() - at >= length,
            Ok(Some((_, _, Length::Chunked, at))) => matches!(chunks(&bytes[at..]), Ok(Some(_))),
            // It becomes none by more bytes.
            Err(()) => true,
        }
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let early = || "the answer ended too early".to_owned();
        let (status, release, length, at) = match head(bytes) {
            Ok(Some(head)) => head,
            Ok(None) => return Err(early()),
            Err(()) => return Err("the answer is not HTTP".to_owned()),
        };
        let rest = &bytes[at..];
        let is_cut = bytes.len() >= LONGEST;
        let body = match length {
            Length::Bytes(length) if rest.len() >= length => rest[..length].to_vec(),
            Length::Open => rest.to_vec(),
            Length::Chunked => match chunks(rest) {
                Ok(Some(body)) => body,
                Ok(None) if is_cut => rest.to_vec(),
                Ok(None) => return Err(early()),
                Err(()) => return Err("the answer is not HTTP".to_owned()),
            },
            Length::Bytes(_) if is_cut => rest.to_vec(),
            Length::Bytes(_) => return Err(early()),
        };
        Ok(Self {
            status,
            release,
            body,
        })
    }
}

/// Status, release, length, and the place of the body.
type Head = (u16, Option<String>, Length, usize);

/// The head of the answer, behind what only announces one (`103 Early Hints`); none before it is whole.
fn head(bytes: &[u8]) -> Result<Option<Head>, ()> {
    let mut from = 0;
    loop {
        let Some((status, release, length, at)) = one_head(&bytes[from..])? else {
            return Ok(None);
        };
        from += at;
        // After 101 something else than HTTP is spoken.
        if !(100..200).contains(&status) || status == 101 {
            return Ok(Some((status, release, length, from)));
        }
    }
}

fn one_head(bytes: &[u8]) -> Result<Option<Head>, ()> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let at = match response.parse(bytes) {
        Ok(httparse::Status::Complete(at)) => at,
        Ok(httparse::Status::Partial) if bytes.len() < LONGEST_HEAD => return Ok(None),
        _ => return Err(()),
    };
    let status = response.code.ok_or(())?;
    let header = |name: &str| {
        let mut all = response.headers.iter();
        let found = all.find(|header| header.name.eq_ignore_ascii_case(name))?;
        Some(String::from_utf8_lossy(found.value).trim().to_owned())
    };
    let length = match (header("transfer-encoding"), header("content-length")) {
        _ if matches!(status, 204 | 304) => Length::Bytes(0),
        (Some(coding), _) if coding.to_ascii_lowercase().ends_with("chunked") => Length::Chunked,
        (Some(_), _) | (None, None) => Length::Open,
        (None, Some(length)) => Length::Bytes(length.parse().map_err(|_| ())?),
    };
    Ok(Some((status, header("x-release-id"), length, at)))
}

/// The content of chunks; none before the last has come.
fn chunks(bytes: &[u8]) -> Result<Option<Vec<u8>>, ()> {
    let (mut rest, mut content) = (bytes, Vec::new());
    loop {
        let (at, length) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(()),
        };
        if length == 0 {
            return Ok(Some(content));
        }
        let length = usize::try_from(length).map_err(|_| ())?;
        let end = at.checked_add(length).ok_or(())?;
        let Some(chunk) = rest.get(at..end) else {
            return Ok(None);
        };
        content.extend_from_slice(chunk);
        let Some(after) = rest.get(end + 2..) else {
            return Ok(None);
        };
        rest = after;
    }
}

fn judge(check: &HealthCheck, answer: &Answer) -> Result<(), String> {
    let status = answer.status;
    if !check.statuses.iter().any(|range| range.contains(&status)) {
        return Err(format!("it answers {status}"));
    }
    if let Some(text) = &check.body
        && !String::from_utf8_lossy(&answer.body).contains(text)
    {
        return Err(format!("it answers {status}, but without `{text}` in it"));
    }
    match &answer.release {
        Some(release) if *release != check.release => {
            Err(format!("it answers {status}, but as release `{release}`"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::{Answer, ask};
    use agent_protocol::plan::HealthCheck;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::time::{Duration, Instant};

    fn check(port: u16) -> HealthCheck {
        HealthCheck {
            host: "127.0.0.1".to_owned(),
            port,
            path: "/health?a=b".to_owned(),
            headers: vec![("host".to_owned(), "app.example.com".to_owned())],
            statuses: vec![200..=200, 204..=204],
            body: None,
            release: "r1".to_owned(),
            count: 1,
            pause_ms: 0,
        }
    }

    /// Asks a server that says this and, unless `stays`, closes the connection.
    fn answered(
        reply: &'static [u8],
        stays: bool,
        change: impl Fn(&mut HealthCheck),
    ) -> Result<(), String> {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut check = check(server.local_addr().unwrap().port());
        change(&mut check);
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                asked.push(byte[0]);
            }
            stream.write_all(reply).unwrap();
            if stays {
                drop(stream.read(&mut [0]));
            }
            String::from_utf8(asked).unwrap()
        });
        let seen = ask(&check, Duration::from_secs(5));
        let asked = serving.join().unwrap();
        assert_eq!(
            asked,
            "GET /health?a=b HTTP/1.1\r\nhost: app.example.com\r\nconnection: close\r\n\r\n"
        );
        seen
    }

    const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\nX-Release-Id: r1\r\nContent-Length: 5\r\n\r\nready";
    const CHUNKED: &[u8] =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nre\r\n3;x\r\nady\r\n0\r\n\r\n";

    #[test]
    fn an_answer_is_judged_as_deploy_app_does() {
        let body =
            |text: &'static str| move |check: &mut HealthCheck| check.body = Some(text.to_owned());
        for stays in [false, true] {
            assert_eq!(answered(GOOD, stays, body("ready")), Ok(()));
            assert_eq!(answered(CHUNKED, stays, body("ready")), Ok(()));
            let hints = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nready";
            assert_eq!(answered(hints, stays, body("ready")), Ok(()));
            let empty = b"HTTP/1.1 204 No Content\r\n\r\n";
            assert_eq!(answered(empty, stays, |_| {}), Ok(()));
        }
        assert_eq!(
            answered(b"HTTP/1.0 200 OK\r\n\r\nready", false, body("ready")),
            Ok(())
        );
        for (seen, told) in [
            (
                answered(GOOD, false, body("other")),
                "it answers 200, but without `other` in it",
            ),
            (
                answered(GOOD, false, |it| it.release = "r2".to_owned()),
                "it answers 200, but as release `r1`",
            ),
            (
                answered(b"HTTP/1.1 500 No\r\n\r\n", false, |_| {}),
                "it answers 500",
            ),
            (
                answered(b"HTTP/1.1 100 Continue\r\n\r\n", false, |_| {}),
                "the answer ended too early",
            ),
            (answered(b"", false, |_| {}), "the answer ended too early"),
            (
                answered(&GOOD[..GOOD.len() - 1], false, |_| {}),
                "the answer ended too early",
            ),
            (
                answered(&CHUNKED[..CHUNKED.len() - 6], false, |_| {}),
                "the answer ended too early",
            ),
            (
                answered(b"SSH-2.0-OpenSSH_9\r\n", true, |_| {}),
                "the answer is not HTTP",
            ),
        ] {
            assert_eq!(seen, Err(told.to_owned()));
        }
    }

    #[test]
    fn a_server_that_says_nothing_is_not_waited_for_for_ever() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let began = Instant::now();
        let seen = ask(&check(port), Duration::from_millis(50));
        assert_eq!(seen, Err("no complete answer in time".to_owned()));
        drop(server);
        let seen = ask(&check(port), Duration::from_secs(5));
        assert_eq!(seen, Err("nothing listens there".to_owned()));
        assert!(began.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn no_bytes_of_a_server_are_too_odd() {
        let mut bytes = CHUNKED.to_vec();
        for at in 0..bytes.len() {
            for byte in [0, b'\r', b'\n', b'0', b'f', 0xff] {
                let kept = std::mem::replace(&mut bytes[at], byte);
                drop(Answer::parse(&bytes));
                let _ = Answer::is_whole(&bytes);
                bytes[at] = kept;
            }
        }
    }
}
