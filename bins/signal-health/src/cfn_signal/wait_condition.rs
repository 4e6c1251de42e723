//! Signalling a wait condition: a PUT to the presigned address of its handle.
//!
//! The address is signed without a content type, so none is sent.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-waitcondition.html>

use std::time::Duration;

use action::exit::Exit;
use action::failure::Failure;
use action::program::Context;
use action::wait::{self, Look, Pace};
use aws::dial::Dialer;
use aws_smithy_xml::decode::{Document, try_data};
use http_probe::{Answer, Content, HttpUrl, Request};
use serde_json::{Value, json};
use tokio::time::Instant;

/// One try may take this long.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

const PACE: Pace = Pace {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(10),
};

/// What a wait condition is told.
pub(super) struct News<'a> {
    pub(super) succeeded: bool,
    pub(super) reason: Option<&'a str>,
    pub(super) data: Option<&'a str>,
    pub(super) id: &'a str,
}

impl News<'_> {
    pub(super) const fn status(&self) -> &'static str {
        match self.succeeded {
            true => "SUCCESS",
            false => "FAILURE",
        }
    }

    /// As CloudFormation reads it. A failure must say why.
    pub(super) fn json(&self) -> Value {
        let reason = match (self.reason, self.succeeded) {
            (Some(reason), _) => reason,
            (None, true) => "",
            (None, false) => "Configuration failed.",
        };
        json!({
            "Status": self.status(), "Reason": reason,
            "Data": self.data.unwrap_or_default(), "UniqueId": self.id,
        })
    }
}

/// Sends it, again and again until the deadline where nobody answers well.
pub(super) async fn send(url: &HttpUrl, news: &News<'_>, context: &Context) -> Result<(), Failure> {
    let dialer = Dialer::of(context).await?;
    let body = news.json().to_string().into_bytes();
    let status = news.status();
    let what = format!(
        "the wait condition's handle at {} to take {status}",
        url.host
    );
    let until = context.deadline;
    let sent = wait::until(&what, until, &context.interrupt, PACE, async || match put(
        &dialer, url, &body,
    )
    .await
    {
        Err(seen) => Ok(Look::NotYet(seen)),
        Ok(answer) => judge(&answer),
    })
    .await;
    sent.map_err(|ended| {
        ended
            .into_failure(&what)
            .hint("the handle may have received it; sending it again with the same id is harmless")
    })?;
    tracing::info!(
        "signalled {status} for {} to the wait condition at {}",
        news.id,
        url.host
    );
    Ok(())
}

async fn put(dialer: &Dialer, url: &HttpUrl, body: &[u8]) -> Result<Answer, String> {
    let deadline = Instant::now() + ANSWER_WITHIN;
    let address = url
        .to_string()
        .parse()
        .map_err(|_| "the address cannot be used".to_owned())?;
    let stream = dialer.open(&address, deadline).await;
    let stream = stream.map_err(|error| error.to_string())?;
    let request = Request {
        url,
        agent: concat!("cfn-signal/", env!("CARGO_PKG_VERSION")),
        headers: &[],
        content: Content::Put(body.to_vec()),
    };
    let answer = http_probe::request(stream, &request, deadline, &mut |_| true).await;
    answer.map_err(|error| error.to_string())
}

/// A server's own trouble passes; a refusal does not.
fn judge(answer: &Answer) -> Result<Look<()>, Failure> {
    let said = match error_of(&answer.body) {
        Some(error) => format!("it answers {}: {error}", answer.status),
        None => format!("it answers {}", answer.status),
    };
    match answer.status {
        200..=299 => Ok(Look::There(())),
        408 | 429 | 500.. => Ok(Look::NotYet(said)),
        status => {
            let exit = match status {
                401 | 403 => Exit::NotPermitted,
                _ => Exit::Failed,
            };
            Err(Failure::new(exit, "the wait condition's handle refuses the signal")
                .cause(said)
                .hint("a handle is valid for a day or less, and its address must arrive whole: quote it, for it holds &"))
        }
    }
}

/// Code and message of an error of S3. The rest of it repeats the signature.
fn error_of(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let mut document = Document::new(text);
    let mut root = document.root_element().ok()?;
    let (mut code, mut message) = (None, None);
    while let Some(mut child) = root.next_tag() {
        let name = child.start_el().local().to_owned();
        let value = try_data(&mut child).ok()?.into_owned();
        match name.as_str() {
            "Code" => code = Some(value),
            "Message" => message = Some(value),
            _ => {}
        }
    }
    Some(format!("{}: {}", code?, message.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::{News, error_of};
    use serde_json::json;

    #[test]
    fn a_failure_says_why_as_in_the_original() {
        let mut news = News {
            succeeded: false,
            reason: None,
            data: Some("d"),
            id: "i-1",
        };
        let told = |status: &str, reason: &str| json!({ "Status": status, "Reason": reason, "Data": "d", "UniqueId": "i-1" });
        assert_eq!(news.json(), told("FAILURE", "Configuration failed."));
        news.reason = Some("no disk");
        assert_eq!(news.json(), told("FAILURE", "no disk"));
        news.succeeded = true;
        news.reason = None;
        assert_eq!(news.json(), told("SUCCESS", ""));
    }

    #[test]
    fn only_code_and_message_of_a_refusal_are_repeated() {
        let body = b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>Request has expired</Message>\
                     <SignatureProvided>s3cret</SignatureProvided></Error>";
        assert_eq!(
            error_of(body).as_deref(),
            Some("AccessDenied: Request has expired")
        );
        assert_eq!(error_of(b"<html>log in</html>"), None);
        assert_eq!(error_of(b""), None);
    }
}
