//! What the fake answers, well-formed and broken, in the dialect of the service asked.

use std::time::Duration;

use serde_json::{Value, json};

use super::request::Request;

/// Where a reply's body carries the id of its own request; the fake puts the real one in.
pub const REQUEST_ID: &str = "{{request-id}}";

/// Headers that say how a body is sent, which is for the one who sends it.
const FRAMING: [&str; 4] = [
    "connection",
    "content-length",
    "keep-alive",
    "transfer-encoding",
];

/// One answer to one request.
#[derive(Debug, Clone)]
pub struct Reply {
    /// How long the fake waits before it does anything.
    pub(super) delay: Duration,
    pub(super) deed: Deed,
}

/// What the fake does with the connection.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    Answer(Answer),
    Error {
        status: u16,
        code: String,
        message: String,
        headers: Vec<(String, String)>,
    },
    Close,
    Cut {
        answer: Answer,
        sent: usize,
    },
    Unframed(Answer),
}

/// What of an answer reaches the client.
pub(super) enum Sent {
    Whole(Answer),
    /// The head and so many bytes of the body; then the connection closes.
    Part(Answer, usize),
    /// Without a length; then the connection closes.
    Unframed(Answer),
    Nothing,
}

impl Deed {
    /// What `request` gets, with its id where the service has it.
    pub(super) fn sent(self, request: &Request) -> Sent {
        match self {
            Self::Answer(answer) => Sent::Whole(answer.identified(request)),
            Self::Error {
                status,
                code,
                message,
                headers,
            } => {
                let mut answer = error(request, status, &code, &message);
                answer.headers.extend(headers);
                Sent::Whole(answer.identified(request))
            }
            Self::Cut { answer, sent } => Sent::Part(answer.identified(request), sent),
            Self::Unframed(answer) => Sent::Unframed(answer.identified(request)),
            Self::Close => Sent::Nothing,
        }
    }
}

/// A whole HTTP answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    fn body(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::deed(Deed::Answer(Answer {
            status,
            headers: vec![("content-type".into(), kind.into())],
            body: body.into(),
        }))
    }

    fn deed(deed: Deed) -> Self {
        Self {
            delay: Duration::ZERO,
            deed,
        }
    }

    /// 200 with XML, as EC2, STS, CloudFormation and S3 speak; [`REQUEST_ID`] in it is replaced.
    pub fn xml(body: impl Into<String>) -> Self {
        Self::body(200, "text/xml;charset=UTF-8", body.into())
    }

    /// 200 with JSON 1.1, as CodePipeline, CodeBuild, SSM and Secrets Manager speak.
    pub fn json(body: &Value) -> Self {
        Self::body(200, "application/x-amz-json-1.1", body.to_string())
    }

    /// 200 with any bytes, such as the content of an S3 object.
    pub fn bytes(body: impl Into<Vec<u8>>) -> Self {
        Self::body(200, "application/octet-stream", body)
    }

    /// `status` with nothing in it.
    pub fn empty(status: u16) -> Self {
        Self::deed(Deed::Answer(Answer {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }))
    }

    /// An error in the dialect of the service that was asked, with AWS's code and message.
    pub fn error(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::deed(Deed::Error {
            status,
            code: code.into(),
            message: message.into(),
            headers: Vec::new(),
        })
    }

    /// What EC2 says when it is asked too often.
    pub fn throttled() -> Self {
        Self::error(503, "RequestLimitExceeded", "Request limit exceeded.")
    }

    /// What EC2 says when the caller may not do it.
    pub fn unauthorized() -> Self {
        let message = "You are not authorized to perform this operation.";
        Self::error(403, "UnauthorizedOperation", message)
    }

    /// A web page where an answer of the service is due, as a proxy or a wrong endpoint gives.
    pub fn html(status: u16, body: impl Into<String>) -> Self {
        Self::body(status, "text/html; charset=utf-8", body.into())
    }

    /// What another server answered, its own framing left out.
    pub(crate) fn relayed(
        (status, mut headers, body): (u16, Vec<(String, String)>, Vec<u8>),
    ) -> Self {
        headers.retain(|(name, _)| !FRAMING.contains(&name.as_str()));
        Self::deed(Deed::Answer(Answer {
            status,
            headers,
            body,
        }))
    }

    /// Sends the first `percent` of the body as if they were all of it: the length fits.
    pub(crate) fn shortened(mut self, percent: u8) -> Self {
        if let Deed::Answer(answer) = &mut self.deed {
            let keep = answer.body.len() * usize::from(percent) / 100;
            answer.body.truncate(keep);
        }
        self
    }

    /// Closes the connection without a word.
    pub fn close() -> Self {
        Self::deed(Deed::Close)
    }

    /// Announces the whole of `body` as XML, sends the first `sent` bytes and closes.
    pub fn cut(body: impl Into<String>, sent: usize) -> Self {
        Self::xml(body).broken_off(sent)
    }

    /// Announces the whole of an answer, sends its first `sent` bytes and closes.
    ///
    /// # Panics
    /// When the reply is no answer.
    #[must_use]
    pub fn broken_off(mut self, sent: usize) -> Self {
        let Deed::Answer(answer) = self.deed else {
            panic!("only an answer breaks off")
        };
        self.deed = Deed::Cut { answer, sent };
        self
    }

    /// Sends `body` as XML in the way of HTTP/1.0: its length is not announced, and the end of the
    /// connection is its end.
    pub fn unframed(body: impl Into<String>) -> Self {
        let Deed::Answer(answer) = Self::xml(body).deed else {
            unreachable!("xml is an answer")
        };
        Self::deed(Deed::Unframed(answer))
    }

    /// Says nothing for `duration`, then closes; ends early when the fake stops.
    pub fn hang(duration: Duration) -> Self {
        Self::after(duration, Self::close())
    }

    /// Gives `reply` after `duration`.
    pub fn after(duration: Duration, mut reply: Self) -> Self {
        reply.delay += duration;
        reply
    }

    /// Adds a header, such as `retry-after`, to an answer or an error.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        match &mut self.deed {
            Deed::Answer(Answer { headers, .. })
            | Deed::Unframed(Answer { headers, .. })
            | Deed::Cut {
                answer: Answer { headers, .. },
                ..
            }
            | Deed::Error { headers, .. } => headers.push((name.to_lowercase(), value.into())),
            Deed::Close => {}
        }
        self
    }

    /// Changes the HTTP status of an answer or an error.
    #[must_use]
    pub fn status(mut self, code: u16) -> Self {
        match &mut self.deed {
            Deed::Answer(Answer { status, .. })
            | Deed::Unframed(Answer { status, .. })
            | Deed::Cut {
                answer: Answer { status, .. },
                ..
            }
            | Deed::Error { status, .. } => *status = code,
            Deed::Close => {}
        }
        self
    }
}

impl Answer {
    /// Puts the id of `request` where the service has it, in headers and body.
    fn identified(mut self, request: &Request) -> Self {
        let id = request.id();
        if request.service == "s3" {
            self.headers.push(("x-amz-request-id".into(), id.clone()));
            self.headers
                .push(("x-amz-id-2".into(), format!("host/{id}")));
        } else if request.service != "http" {
            self.headers.push(("x-amzn-requestid".into(), id.clone()));
        }
        if let Ok(text) = std::str::from_utf8(&self.body)
            && text.contains(REQUEST_ID)
        {
            self.body = text.replace(REQUEST_ID, &id).into_bytes();
        }
        self
    }
}

/// An error as the service of `request` writes it.
fn error(request: &Request, status: u16, code: &str, message: &str) -> Answer {
    let (code_xml, message_xml) = (escaped(code), escaped(message));
    let xml = |body: String| ("text/xml;charset=UTF-8", body);
    let (kind, body) = match request.service.as_str() {
        "ec2" => xml(format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{code_xml}</Code>\
             <Message>{message_xml}</Message></Error></Errors><RequestID>{REQUEST_ID}</RequestID></Response>"
        )),
        "s3" => xml(format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code_xml}</Code>\
             <Message>{message_xml}</Message><RequestId>{REQUEST_ID}</RequestId><HostId>host/{REQUEST_ID}</HostId></Error>"
        )),
        "sts" | "cloudformation" | "query" => {
            let side = if status >= 500 { "Receiver" } else { "Sender" };
            xml(format!(
                "<ErrorResponse><Error><Type>{side}</Type><Code>{code_xml}</Code>\
                 <Message>{message_xml}</Message></Error><RequestId>{REQUEST_ID}</RequestId></ErrorResponse>"
            ))
        }
        _ => (
            "application/x-amz-json-1.1",
            json!({"__type": code, "message": message}).to_string(),
        ),
    };
    let body = if request.method == "HEAD" {
        String::new()
    } else {
        body
    };
    Answer {
        status,
        headers: vec![("content-type".into(), kind.into())],
        body: body.into_bytes(),
    }
}

/// Text made safe for an XML element.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
