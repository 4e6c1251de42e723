use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::request::{Answer, Content, Header, Request, RequestError, request};
use crate::statuses::Statuses;
use crate::trust::Trust;
use crate::url::{HttpUrl, Scheme};

/// What is asked, and which answers are good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Where.
    pub url: HttpUrl,
    /// Headers beyond our own.
    pub headers: Vec<Header>,
    /// The statuses of a good answer.
    pub statuses: Statuses,
    /// Text that a good answer contains.
    pub body: Option<String>,
    /// By what an `https://` server is judged.
    pub trust: Trust,
}

/// Why an answer is not a good one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unhealthy {
    /// Another status than one of those that are accepted.
    #[error("it answers {0}")]
    Status(u16),
    /// An accepted status, without the text that a good answer contains.
    #[error("it answers {status}, but without `{text}` in it")]
    Body {
        /// The status.
        status: u16,
        /// The text.
        text: String,
    },
    /// An accepted status, from another release.
    #[error("it answers {status}, but as release `{release}`")]
    Release {
        /// The status.
        status: u16,
        /// The release that it names.
        release: String,
    },
}

impl Probe {
    /// A question that any answer with status 200 satisfies.
    #[must_use]
    pub fn new(url: HttpUrl) -> Self {
        Self {
            url,
            headers: Vec::new(),
            statuses: Statuses::default(),
            body: None,
            trust: Trust::default(),
        }
    }

    /// Asks once over a stream to the host and port of the address, with TLS where the address says so. The name
    /// that a certificate must have is the one of the `Host` header, and without it the address's host.
    ///
    /// # Errors
    /// [`RequestError`], when there is no complete answer before the deadline.
    pub async fn ask<S>(
        &self,
        stream: S,
        agent: &str,
        deadline: Instant,
    ) -> Result<Answer, RequestError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let asked = Request {
            url: &self.url,
            agent,
            headers: &self.headers,
            content: Content::None,
        };
        match self.url.scheme {
            Scheme::Http => request(stream, &asked, deadline, &mut |_| true).await,
            #[cfg(feature = "tls")]
            Scheme::Https => {
                let host = self.headers.iter().find_map(Header::as_host);
                let name = host.unwrap_or(&self.url.host);
                let stream = crate::tls::connect(stream, name, &self.trust, deadline).await?;
                request(stream, &asked, deadline, &mut |_| true).await
            }
            #[cfg(not(feature = "tls"))]
            Scheme::Https => Err(RequestError::Tls("this program has none".to_owned())),
        }
    }

    /// Whether an answer is that of a healthy application, and where a release is named, of that one. An application
    /// that names no release in `X-Release-Id` cannot be told from another.
    ///
    /// # Errors
    /// [`Unhealthy`].
    pub fn judge(&self, answer: &Answer, release: Option<&str>) -> Result<(), Unhealthy> {
        let status = answer.status;
        if !self.statuses.contain(status) {
            return Err(Unhealthy::Status(status));
        }
        if let Some(text) = &self.body
            && !String::from_utf8_lossy(&answer.body).contains(text)
        {
            let text = text.clone();
            return Err(Unhealthy::Body { status, text });
        }
        match (&answer.release_id, release) {
            (Some(id), Some(release)) if id != release => {
                let release = id.clone();
                Err(Unhealthy::Release { status, release })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::{Answer, Probe, Unhealthy};

    fn answer(status: u16, release: Option<&str>) -> Answer {
        Answer {
            status,
            release_id: release.map(str::to_owned),
            body: b"{\"count\": 7}".to_vec(),
        }
    }

    #[test]
    fn only_an_accepted_status_of_this_release_is_healthy() {
        let mut probe = Probe::new("http://h/".parse().unwrap());
        let r1 = Some("r1");
        assert_eq!(probe.judge(&answer(200, None), r1), Ok(()));
        assert_eq!(probe.judge(&answer(200, r1), None), Ok(()));
        assert_eq!(
            probe
                .judge(&answer(200, Some("r0")), r1)
                .unwrap_err()
                .to_string(),
            "it answers 200, but as release `r0`"
        );
        for status in [204, 301, 404, 500] {
            assert_eq!(
                probe.judge(&answer(status, r1), r1),
                Err(Unhealthy::Status(status))
            );
        }
        probe.statuses = "204,301-399".parse().unwrap();
        assert_eq!(probe.judge(&answer(302, r1), r1), Ok(()));
        assert_eq!(
            probe.judge(&answer(200, r1), r1),
            Err(Unhealthy::Status(200))
        );
    }

    #[test]
    fn a_text_is_looked_for_in_a_good_answer() {
        let mut probe = Probe::new("http://h/".parse().unwrap());
        probe.body = Some("count".to_owned());
        assert_eq!(probe.judge(&answer(200, None), None), Ok(()));
        probe.body = Some("ready".to_owned());
        assert_eq!(
            probe
                .judge(&answer(200, None), None)
                .unwrap_err()
                .to_string(),
            "it answers 200, but without `ready` in it"
        );
    }
}
