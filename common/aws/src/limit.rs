//! How far calls to AWS may go: one deadline for every call, its retries and the pauses between
//! them, and a line of log while AWS keeps everybody waiting.
//!
//! The SDK has one seam that every client of every service shares, and that is its HTTP client with
//! its sleep. [`Limit::client`] and [`Limit::sleep`] stand there.

use crate::answer::{self, Call, Fault};
use crate::error::{chain, page, request_id};
use crate::unanswered::{Unanswered, Why};
use action::log;
use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::{
    RuntimeComponents, RuntimeComponentsBuilder,
};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::config_bag::ConfigBag;
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout_at};

/// What an attempt that was begun in time may still take: its answer is on its way.
const GRACE: Duration = Duration::from_secs(5);
/// No pause is cut below this, so that nothing spins when the deadline is over.
const LEAST_PAUSE: Duration = Duration::from_secs(1);
/// The longest silence while AWS keeps us waiting, and how long a call must be open to be told of.
/// Programs promise a line in 30 s.
const SILENCE: Duration = Duration::from_secs(25);
const WORTH_TELLING: Duration = Duration::from_secs(5);
/// A call that comes so long after the last of its name is another one: longer than any pause of a retry.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// Until when AWS may be called. Its clones are one and the same.
#[derive(Debug, Clone)]
pub struct Limit {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    until: Instant,
    /// The calls that have no good answer yet, one of a name.
    open: Vec<Open>,
    /// The HTTP status of the last answer to anything.
    answered: Option<u16>,
    /// When this limit itself broke the silence last.
    spoke: Instant,
}

#[derive(Debug)]
struct Open {
    call: String,
    since: Instant,
    /// When an attempt was begun or ended last.
    last: Instant,
    attempts: u32,
    /// Whether the last attempt is on its way.
    is_asked: bool,
    /// What the last attempt met whose end is known.
    met: Option<Met>,
}

/// What an attempt met.
#[derive(Debug, Clone)]
struct Met {
    attempt: u32,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    /// An answer that is an error, in AWS's words.
    Answer(String),
    /// No answer, or none that can be read.
    Trouble(String),
}

impl Limit {
    /// Calls may be begun, and begun again, until `deadline`.
    #[must_use]
    pub fn until(deadline: Instant) -> Self {
        let state = State {
            until: deadline,
            open: Vec::new(),
            answered: None,
            spoke: Instant::now(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Moves the deadline, back or forth.
    pub fn move_to(&self, deadline: Instant) {
        self.state().until = deadline;
    }

    /// Gives more time, for what must be done whether the deadline has come or not: undoing what
    /// was made, or handing over what is ready.
    pub fn extend(&self, deadline: Instant) {
        let mut state = self.state();
        state.until = state.until.max(deadline);
    }

    /// The HTTP status of the last answer, once: whoever gives credentials tells it only in a text.
    pub(crate) fn take_status(&self) -> Option<u16> {
        self.state().answered.take()
    }

    /// An HTTP client that keeps to this limit, and gives no answer on that is cut.
    #[must_use]
    pub fn client(&self, inner: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Client {
            limit: self.clone(),
            inner,
        })
    }

    /// The SDK's pauses, which end with this limit.
    #[must_use]
    pub fn sleep(&self) -> impl AsyncSleep + 'static {
        Pauses(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an attempt; gives its number and when it must be over.
    fn begin(&self, call: &Call) -> Result<(u32, Instant), ConnectorError> {
        let now = Instant::now();
        let mut state = self.state();
        state
            .open
            .retain(|open| open.is_asked || now - open.last <= FORGOTTEN_AFTER);
        if now >= state.until {
            return Err(state.late(call));
        }
        let over = state.until.max(now + GRACE);
        let attempt = match state.open.iter_mut().find(|open| open.call == call.name) {
            Some(open) => {
                open.attempts += 1;
                open.is_asked = true;
                open.last = now;
                open.attempts
            }
            None => {
                state.open.push(Open {
                    call: call.name.clone(),
                    since: now,
                    last: now,
                    attempts: 1,
                    is_asked: true,
                    met: None,
                });
                1
            }
        };
        Ok((attempt, over))
    }

    /// Notes what an attempt met; nothing when the answer is good.
    fn end(&self, call: &Call, attempt: u32, met: Option<What>) {
        let mut state = self.state();
        let Some(at) = state.open.iter().position(|open| open.call == call.name) else {
            return;
        };
        match met {
            None => drop(state.open.swap_remove(at)),
            Some(what) => {
                let open = &mut state.open[at];
                open.last = Instant::now();
                open.is_asked = false;
                open.met = Some(Met { attempt, what });
            }
        }
    }

    fn pause_ends(&self, pause: Duration) -> Instant {
        let now = Instant::now();
        let left = self.state().until.saturating_duration_since(now);
        now + pause.min(left.max(LEAST_PAUSE))
    }

    /// Waits for `work`, and breaks a silence that lasts too long.
    async fn speaking<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = sleep_until(self.quiet_until()) => self.speak(),
            }
        }
    }

    fn quiet_until(&self) -> Instant {
        let state = self.state();
        let spoke = state.spoke;
        let quiet = log::last_line().map_or(spoke, |line| spoke.max(line.into())) + SILENCE;
        let open = state.newest();
        open.map_or(quiet, |open| quiet.max(open.since + WORTH_TELLING))
    }

    /// Says what is waited for, unless somebody has said something meanwhile.
    fn speak(&self) {
        let now = Instant::now();
        if now < self.quiet_until() {
            return;
        }
        let mut state = self.state();
        state.spoke = now;
        if let Some(open) = state.newest() {
            tracing::info!("{open}");
        }
    }
}

impl State {
    /// The call that is waited for.
    fn newest(&self) -> Option<&Open> {
        let newest = |open: &&Open| (open.is_asked, open.last);
        self.open.iter().max_by_key(newest)
    }

    fn late(&self, call: &Call) -> ConnectorError {
        let name = &call.name;
        let text = match self.open.iter().find(|open| open.call == *name) {
            Some(Open { met: Some(met), .. }) => {
                format!("the deadline passed before {name} succeeded; {met}")
            }
            Some(_) => format!("{name} did not answer before the deadline"),
            None => format!("the deadline passed: {name} was not asked"),
        };
        // A kind that the SDK does not retry.
        ConnectorError::other(Unanswered::new(Why::Late, None, text).into(), None)
    }
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waited = action::wait::humane(self.since.elapsed());
        write!(
            f,
            "waiting for AWS to answer {} ({waited} so far)",
            self.call
        )?;
        match &self.met {
            Some(met) => write!(f, "; {met}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attempt = self.attempt;
        match &self.what {
            What::Answer(said) => write!(f, "AWS said last (attempt {attempt}): {said}"),
            What::Trouble(met) => write!(f, "the last attempt ({attempt}) met: {met}"),
        }
    }
}

/// An attempt that is on its way. The SDK drops it where it has a shorter limit of its own.
struct Attempt<'a> {
    limit: &'a Limit,
    call: &'a Call,
    number: u32,
    since: Instant,
    is_over: bool,
}

impl Attempt<'_> {
    fn ended(mut self, met: Option<What>) {
        self.is_over = true;
        self.limit.end(self.call, self.number, met);
    }

    fn late(mut self) -> ConnectorError {
        self.is_over = true;
        let mut state = self.limit.state();
        for open in &mut state.open {
            open.is_asked &= open.call != self.call.name;
        }
        state.late(self.call)
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            let waited = self.since.elapsed().as_secs_f64();
            let met = format!("no answer within {waited:.1} s");
            self.limit
                .end(self.call, self.number, Some(What::Trouble(met)));
        }
    }
}

#[derive(Debug)]
struct Client {
    limit: Limit,
    inner: SharedHttpClient,
}

impl HttpClient for Client {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            limit: self.limit.clone(),
            inner: self.inner.http_connector(settings, components),
        })
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.inner.validate_base_client_config(components, config)
    }

    fn validate_final_config(
        &self,
        components: &RuntimeComponents,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.inner.validate_final_config(components, config)
    }
}

#[derive(Debug)]
struct Connector {
    limit: Limit,
    inner: SharedHttpConnector,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (limit, inner) = (self.limit.clone(), self.inner.clone());
        HttpConnectorFuture::new(async move {
            let call = Call::of(&request);
            let (number, over) = limit.begin(&call)?;
            let attempt = Attempt {
                limit: &limit,
                call: &call,
                number,
                since: Instant::now(),
                is_over: false,
            };
            let answering = answered(&call, inner.call(request));
            match timeout_at(over, limit.speaking(answering)).await {
                Ok(Ok((response, said))) => {
                    limit.state().answered = Some(response.status().as_u16());
                    attempt.ended(said.map(What::Answer));
                    Ok(response)
                }
                Ok(Err(error)) => {
                    attempt.ended(Some(What::Trouble(chain(&error))));
                    Err(error)
                }
                Err(_) => Err(attempt.late()),
            }
        })
    }
}

/// The answer, its body whole, with what it says where it is an error.
async fn answered(
    call: &Call,
    asked: HttpConnectorFuture,
) -> Result<(HttpResponse, Option<String>), ConnectorError> {
    let mut response = asked.await?;
    let status = response.status().as_u16();
    let plain = |status: u16| (status >= 400).then(|| format!("HTTP {status}"));
    if !call.is_judged(status) {
        return Ok((response, plain(status)));
    }
    let id = request_id(&response).map_or_else(String::new, |id| format!(" (request id {id})"));
    // What came of the body is not shown: it may be half a secret.
    let cut = |why: String| {
        let name = &call.name;
        let text = format!("the answer to {name} was incomplete (HTTP {status}): {why}{id}");
        // A kind that the SDK retries, as it does when the connection ends inside a body.
        ConnectorError::io(Unanswered::new(Why::Cut, Some(status), text).into())
    };
    let body = ByteStream::new(response.take_body()).collect().await;
    let body = body.map_err(|error| cut(chain(&error)))?.into_bytes();
    match call.judge(status, &body) {
        Ok(()) => {}
        Err(Fault::Cut) => {
            let came = body.len();
            return Err(cut(format!("it ended after {came} bytes")));
        }
        Err(Fault::Foreign) => {
            let shown: &[u8] = if call.answers_secrets() { b"" } else { &body };
            let text = page(status, response.headers(), shown);
            let error = Unanswered::new(Why::Foreign, Some(status), text);
            return Err(ConnectorError::other(error.into(), None));
        }
    }
    let said = (status >= 400).then(|| answer::said(status, response.headers(), &body));
    *response.body_mut() = SdkBody::from(body);
    Ok((response, said))
}

#[derive(Debug)]
struct Pauses(Limit);

impl AsyncSleep for Pauses {
    fn sleep(&self, pause: Duration) -> Sleep {
        let limit = self.0.clone();
        Sleep::new(async move {
            let ends = limit.pause_ends(pause);
            limit.speaking(sleep_until(ends)).await;
        })
    }
}
