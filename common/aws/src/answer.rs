//! Whether an answer came whole, and what it says.
//!
//! The SDK's XML reader takes the end of the text for the end of every open element, and its JSON
//! reader takes an empty body for an empty object. Where a proxy cuts a body and counts its length
//! anew, or speaks HTTP/1.0, a cut answer would be believed: half an id, or no outputs at all.

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::http::Headers;
use aws_smithy_xml::decode::{Document, try_data};
use xmlparser::{ElementEnd, Token, Tokenizer};

/// What a service speaks, as the request tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    /// AWS Query and EC2 Query (CloudFormation, EC2, ELB, STS): every answer is an XML document.
    Query,
    /// REST XML: S3. Many answers have no body.
    S3,
    /// S3's GetObject: what comes is the object, and only an error is XML.
    Object,
    /// AWS JSON, and EBS: every answer is a JSON object.
    Json,
    /// AWS JSON, a call whose answer has no body.
    JsonWithoutAnswer,
    /// The metadata of an instance that names its role. The SDK puts the name into the next address, and panics where
    /// that makes none: a web page in place of the name ends the program.
    Role,
    /// The metadata of an instance that holds the keys of its role: JSON.
    Keys,
    /// Something else.
    Other,
}

/// Calls of AWS JSON whose API reference promises "an HTTP 200 response with an empty HTTP body".
/// <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutJobSuccessResult.html>
const WITHOUT_ANSWER: [&str; 2] = ["PutJobSuccessResult", "PutJobFailureResult"];

/// A call, as far as its answer is judged by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// Service and operation, such as `cloudformation DescribeStacks`.
    pub(crate) name: String,
    language: Language,
    is_head: bool,
}

/// What is wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It began as an answer of AWS does, and its end is missing.
    Cut,
    /// It is nothing that AWS answers, such as a web page.
    Foreign,
}

impl Call {
    /// Reads a request.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let header = |name: &str| request.headers().get(name).unwrap_or_default();
        // Credential=KEY/20261130/eu-west-1/cloudformation/aws4_request
        let scope = header("authorization").split("/aws4_request").next();
        let service = scope
            .and_then(|scope| scope.rsplit_once('/'))
            .map_or("AWS", |(_, service)| service);
        let is_form = header("content-type").starts_with("application/x-www-form-urlencoded");
        let target = header("x-amz-target").rsplit('.').next();
        let target = target.filter(|target| !target.is_empty());
        let (language, operation) = if is_form {
            (Language::Query, action(request.body().bytes()))
        } else if let Some(target) = target {
            let language = match WITHOUT_ANSWER.contains(&target) {
                true => Language::JsonWithoutAnswer,
                false => Language::Json,
            };
            (language, Some(target.to_owned()))
        } else {
            let role = path(request.uri()).split_once("/iam/security-credentials");
            let role = role.map(|(_, rest)| rest.split_once('/').map_or("", |(_, role)| role));
            let language = match service {
                _ if role == Some("") => Language::Role,
                _ if role.is_some() => Language::Keys,
                "ebs" => Language::Json,
                // The names of S3's own kind: s3express, s3-outposts.
                _ if service.starts_with("s3") && is_get_object(request) => Language::Object,
                _ if service.starts_with("s3") => Language::S3,
                _ => Language::Other,
            };
            (language, None)
        };
        let method = request.method();
        let operation = operation.unwrap_or_else(|| format!("{method} {}", path(request.uri())));
        Self {
            name: format!("{service} {operation}"),
            language,
            is_head: method == "HEAD",
        }
    }

    /// Whether the body is to be looked at before anybody believes it. Data streams by.
    pub(crate) fn is_judged(&self, status: u16) -> bool {
        match self.language {
            _ if self.is_head => false,
            Language::Other => false,
            Language::Object => status >= 300,
            // What it is instead of a role or its keys, its status says.
            Language::Role | Language::Keys => status < 300,
            _ => true,
        }
    }

    /// Whether its answer is a secret, so that nothing of it is shown.
    pub(crate) fn answers_secrets(&self) -> bool {
        self.language == Language::Keys
    }

    /// Judges a whole body.
    pub(crate) fn judge(&self, status: u16, body: &[u8]) -> Result<(), Fault> {
        let is_error = status >= 300;
        let body = body.trim_ascii_start();
        // 204 has no body by HTTP's own rules.
        let may_be_empty = is_error
            || status == 204
            || matches!(
                self.language,
                Language::S3 | Language::JsonWithoutAnswer | Language::Role
            );
        if body.is_empty() {
            return if may_be_empty {
                Ok(())
            } else {
                Err(Fault::Cut)
            };
        }
        if self.language == Language::Role {
            return match is_role_name(body.trim_ascii_end()) {
                true => Ok(()),
                false => Err(Fault::Foreign),
            };
        }
        let is_json = matches!(
            self.language,
            Language::Json | Language::JsonWithoutAnswer | Language::Keys
        );
        let (is_ours, is_whole) = match is_json {
            true => (body[0] == b'{', is_whole_json as fn(&[u8]) -> bool),
            false => (body[0] == b'<' && !is_page(body), is_whole_xml as _),
        };
        match is_ours {
            true if is_whole(body) => Ok(()),
            true => Err(Fault::Cut),
            // S3's answers without a body are known by their headers.
            false if is_error || self.language == Language::S3 => Ok(()),
            false => Err(Fault::Foreign),
        }
    }
}

/// The operation in a request of AWS Query.
fn action(form: Option<&[u8]>) -> Option<String> {
    let form = std::str::from_utf8(form?).ok()?;
    let action = form
        .split('&')
        .find_map(|pair| pair.strip_prefix("Action="))?;
    Some(action.to_owned())
}

/// Smithy's model of S3 gives GetObject this literal query; no other call has it.
fn is_get_object(request: &HttpRequest) -> bool {
    let query = request.uri().split_once('?');
    query.is_some_and(|(_, query)| query.split('&').any(|pair| pair == "x-id=GetObject"))
}

fn path(uri: &str) -> &str {
    let after_scheme = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let path = after_scheme.find('/').map_or("/", |at| &after_scheme[at..]);
    path.split('?').next().unwrap_or(path)
}

/// Whether it is a role's name (IAM API reference, "CreateRole": `[\w+=,.@-]+`).
fn is_role_name(body: &[u8]) -> bool {
    body.iter()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(byte))
}

/// Whether XML is a web page: AWS's answers have neither a document type nor this root.
fn is_page(body: &[u8]) -> bool {
    let begins = |with: &str| {
        body.get(..with.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(with.as_bytes()))
    };
    begins("<!doctype") || begins("<html")
}

/// Whether an XML document has its root's end tag.
fn is_whole_xml(body: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(body) else {
        return false;
    };
    let (mut depth, mut is_closed) = (0_usize, false);
    for token in Tokenizer::from(text) {
        match token {
            Err(_) => return false,
            Ok(Token::ElementStart { .. }) => depth += 1,
            Ok(Token::ElementEnd {
                end: ElementEnd::Close(..) | ElementEnd::Empty,
                ..
            }) => {
                depth = depth.saturating_sub(1);
                is_closed = depth == 0;
            }
            Ok(_) => {}
        }
    }
    is_closed && depth == 0
}

fn is_whole_json(body: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
}

/// What an error says: AWS's code and message, or the status where there is no code.
pub(crate) fn said(status: u16, headers: &Headers, body: &[u8]) -> String {
    let (code, message) = match body.trim_ascii_start().first() {
        Some(b'<') => xml_error(body),
        _ => json_error(headers, body),
    };
    match (code, message) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code,
        (None, _) => format!("HTTP {status}"),
    }
}

fn xml_error(body: &[u8]) -> (Option<String>, Option<String>) {
    let (mut code, mut message) = (None, None);
    if let Ok(mut document) = Document::try_from(body) {
        while let Some(element) = document.next_start_element() {
            let place = match element.local() {
                "Code" => &mut code,
                "Message" => &mut message,
                _ => continue,
            };
            *place = try_data(&mut document).ok().map(|text| text.into_owned());
        }
    }
    (code, message)
}

fn json_error(headers: &Headers, body: &[u8]) -> (Option<String>, Option<String>) {
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| json.get(name).and_then(serde_json::Value::as_str);
    let code = headers.get("x-amzn-errortype").or(text("__type"));
    // com.amazonaws.ssm#ThrottlingException, ThrottlingException:http://…
    let code = code.or(text("code")).map(|code| {
        let code = code.split(':').next().unwrap_or(code);
        code.rsplit('#').next().unwrap_or(code).to_owned()
    });
    let message = text("message").or(text("Message")).map(str::to_owned);
    (code, message)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{Call, Fault, Language, said};
    use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
    use aws_smithy_runtime_api::http::Headers;
    use aws_smithy_types::body::SdkBody;

    fn request(
        method: &str,
        uri: &str,
        headers: &[(&'static str, &'static str)],
        body: &'static str,
    ) -> Call {
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method(method).unwrap();
        request.set_uri(uri).unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, *value);
        }
        Call::of(&request)
    }

    const S3: (&str, &str) = (
        "authorization",
        "AWS4-HMAC-SHA256 Credential=AK/20261130/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=0",
    );

    #[test]
    fn a_request_tells_its_operation_and_what_its_service_speaks() {
        let query = request(
            "POST",
            "https://cloudformation.eu-west-1.amazonaws.com/",
            &[
                ("content-type", "application/x-www-form-urlencoded"),
                (
                    "authorization",
                    "AWS4-HMAC-SHA256 Credential=AK/20261130/eu-west-1/cloudformation/aws4_request, x",
                ),
            ],
            "Action=DescribeStacks&Version=2010-05-15",
        );
        assert_eq!(query.name, "cloudformation DescribeStacks");
        assert_eq!(query.language, Language::Query);
        let json = |target| request("POST", "https://x/", &[("x-amz-target", target)], "{}");
        assert_eq!(json("AmazonSSM.GetParameter").name, "AWS GetParameter");
        assert_eq!(json("AmazonSSM.GetParameter").language, Language::Json);
        let put = json("CodePipeline_20150709.PutJobSuccessResult");
        assert_eq!(put.language, Language::JsonWithoutAnswer);
        let object = request("GET", "https://b.s3/k?x-id=GetObject", &[S3], "");
        assert_eq!(object.name, "s3 GET /k");
        assert_eq!(object.language, Language::Object);
        assert!(!object.is_judged(200) && object.is_judged(404));
        let named = request("GET", "https://b.s3/x-id=GetObject?versioning", &[S3], "");
        assert_eq!(named.language, Language::S3);
        assert!(!request("HEAD", "https://b.s3/k", &[S3], "").is_judged(404));
        let metadata = |path: &str| {
            let uri = format!("http://169.254.169.254/latest/{path}");
            request("GET", &uri, &[], "")
        };
        assert!(!metadata("x").is_judged(200));
        for folder in ["security-credentials", "security-credentials-extended"] {
            let role = metadata(&format!("meta-data/iam/{folder}/"));
            assert_eq!(role.language, Language::Role);
            assert!(role.is_judged(200) && !role.is_judged(404));
            let keys = metadata(&format!("meta-data/iam/{folder}/my-role"));
            assert_eq!(keys.language, Language::Keys);
        }
    }

    #[test]
    fn a_role_is_a_name_and_its_keys_are_json() {
        let call = |language| Call {
            name: String::new(),
            language,
            is_head: false,
        };
        let (role, keys) = (call(Language::Role), call(Language::Keys));
        for name in ["my-role", "My_Role+1=a,b.c@d\n", ""] {
            assert_eq!(role.judge(200, name.as_bytes()), Ok(()), "{name}");
        }
        for other in [
            "<html><body>portal</body></html>",
            "two roles",
            "a\nb",
            "{\"a\": 1}",
        ] {
            assert_eq!(
                role.judge(200, other.as_bytes()),
                Err(Fault::Foreign),
                "{other}"
            );
        }
        assert_eq!(keys.judge(200, b"{\"Code\": \"Success\"}"), Ok(()));
        assert_eq!(keys.judge(200, b"{\"Code\": \"Succ"), Err(Fault::Cut));
        assert_eq!(keys.judge(200, b"not json"), Err(Fault::Foreign));
        assert_eq!(keys.judge(200, b""), Err(Fault::Cut));
    }

    #[test]
    fn an_answer_is_whole_cut_or_not_of_aws() {
        let call = |language| Call {
            name: String::new(),
            language,
            is_head: false,
        };
        let (query, s3, json) = (
            call(Language::Query),
            call(Language::S3),
            call(Language::Json),
        );
        let whole = br#"<?xml version="1.0"?> <A x="A>"><A/><!-- > --><b><![CDATA[</A>]]></b></A>
 "#;
        assert_eq!(query.judge(200, whole), Ok(()));
        assert_eq!(query.judge(200, b"<A/>"), Ok(()));
        // S3 sends blanks while it works.
        assert_eq!(
            s3.judge(200, b" \n <?xml version=\"1.0\"?>\n\n<A></A>"),
            Ok(())
        );
        let end = whole.trim_ascii_end().len();
        for cut in 0..end {
            let begun = cut > 0;
            let expected = Err(Fault::Cut);
            assert_eq!(query.judge(200, &whole[..cut]), expected, "{cut}");
            if begun {
                assert_eq!(s3.judge(200, &whole[..cut]), expected, "{cut}");
                assert_eq!(query.judge(400, &whole[..cut]), expected, "{cut}");
            }
        }
        // A letter of two bytes that lost its second one.
        assert_eq!(query.judge(200, b"<A>\xc3"), Err(Fault::Cut));
        let page = b"<!DOCTYPE html><html><meta charset=utf-8></html>";
        assert_eq!(query.judge(200, page), Err(Fault::Foreign));
        assert_eq!(query.judge(200, b"<HTML></HTML>"), Err(Fault::Foreign));
        assert_eq!(query.judge(200, b"OK"), Err(Fault::Foreign));
        assert_eq!(query.judge(502, page), Ok(()));
        assert_eq!(query.judge(503, b""), Ok(()));
        assert_eq!(s3.judge(200, b""), Ok(()));
        let object = br#"{"a": [1, "}"]}"#;
        assert_eq!(json.judge(200, object), Ok(()));
        for cut in 0..object.len() {
            assert_eq!(json.judge(200, &object[..cut]), Err(Fault::Cut), "{cut}");
        }
        assert_eq!(json.judge(200, page), Err(Fault::Foreign));
        assert_eq!(call(Language::JsonWithoutAnswer).judge(200, b""), Ok(()));
        assert_eq!(
            call(Language::JsonWithoutAnswer).judge(200, page),
            Err(Fault::Foreign)
        );
    }

    #[test]
    fn an_error_is_told_by_its_code_and_message() {
        let none = Headers::new();
        let ec2 = b"<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>a &lt; b</Message></Error></Errors></Response>";
        assert_eq!(said(503, &none, ec2), "RequestLimitExceeded: a < b");
        let ssm =
            br#"{"__type":"com.amazonaws.ssm#ThrottlingException","message":"Rate exceeded"}"#;
        assert_eq!(said(400, &none, ssm), "ThrottlingException: Rate exceeded");
        let mut headers = Headers::new();
        headers.insert("x-amzn-errortype", "ThrottlingException:http://x/");
        assert_eq!(said(400, &headers, b""), "ThrottlingException");
        assert_eq!(said(502, &none, b"<html>bad gateway</html>"), "HTTP 502");
        assert_eq!(said(500, &none, b""), "HTTP 500");
    }
}
