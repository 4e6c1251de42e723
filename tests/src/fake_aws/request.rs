//! A request as AWS would read it: which service, which operation, which parameters.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::http::Raw;

/// One request that the fake received.
#[derive(Debug, Clone)]
pub struct Request {
    /// The position among all requests, from 0.
    pub number: usize,
    /// How often the same operation was called before, so 0 for the first call.
    pub turn: usize,
    /// Lower case, as in a credential scope: `ec2`, `s3`, `sts`, `cloudformation`, `codepipeline`;
    /// `http` for a request that no AWS client signed.
    pub service: String,
    /// The operation's name, such as `CreateImage`; `GET /path` for `http`.
    pub operation: String,
    /// The HTTP method.
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// The path, percent-decoded.
    pub path: String,
    /// The query of the address, decoded, in order.
    pub query: Vec<(String, String)>,
    /// The headers with lower-case names, in order; trailers are appended.
    pub headers: Vec<(String, String)>,
    /// The body with chunked transfer and S3's `aws-chunked` coding removed.
    pub body: Vec<u8>,
    /// The parameters of an EC2 or query protocol form, in order.
    pub params: Vec<(String, String)>,
    /// Since the fake started.
    pub when: Duration,
}

impl Request {
    pub(super) fn from(raw: Raw, when: Duration) -> Self {
        let (path, query) = raw.target.split_once('?').unwrap_or((&raw.target, ""));
        let query = form(query);
        let is_form = raw
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        let params = if is_form {
            form(&String::from_utf8_lossy(&raw.body))
        } else {
            Vec::new()
        };
        let mut request = Self {
            number: 0,
            turn: 0,
            service: String::new(),
            operation: String::new(),
            method: raw.method,
            path: decoded(path, false),
            target: raw.target.clone(),
            query,
            headers: raw.headers,
            body: raw.body,
            params,
            when,
        };
        (request.service, request.operation) = request.recognised();
        request
    }

    /// `service:Operation`, the name a script is registered under.
    pub fn name(&self) -> String {
        format!("{}:{}", self.service, self.operation)
    }

    /// The request id that the reply carries, in AWS's shape and different for every request.
    pub fn id(&self) -> String {
        format!("00000000-0000-4000-8000-{:012}", self.number + 1)
    }

    /// The value of a header, whose name is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        value(&self.headers, name)
    }

    /// The value of a form parameter such as `InstanceId` or `Filter.1.Name`, or of the query.
    pub fn param(&self, name: &str) -> Option<&str> {
        value(&self.params, name).or_else(|| value(&self.query, name))
    }

    /// Whether a parameter such as `DryRun` says `true`.
    pub fn flag(&self, name: &str) -> bool {
        self.param(name) == Some("true")
    }

    /// The same request without a parameter.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        let mut request = self.clone();
        request.params.retain(|(param, _)| param != name);
        request
    }

    /// The region that the request is signed for; `None` when nothing is signed.
    pub fn region(&self) -> Option<String> {
        self.scope(2)
    }

    /// The values of a numbered list: `list("ImageId")` reads `ImageId.1`, `ImageId.2`, …
    pub fn list(&self, name: &str) -> Vec<String> {
        (1..)
            .map_while(|n| self.param(&format!("{name}.{n}")))
            .map(str::to_owned)
            .collect()
    }

    /// EC2's filters: name to the accepted values.
    pub fn filters(&self) -> BTreeMap<String, Vec<String>> {
        (1..)
            .map_while(|n| {
                let name = self.param(&format!("Filter.{n}.Name"))?;
                Some((name.to_owned(), self.list(&format!("Filter.{n}.Value"))))
            })
            .collect()
    }

    /// The tags asked for in `TagSpecification` for resources of `kind`, such as `image`.
    pub fn tags_for(&self, kind: &str) -> Vec<(String, String)> {
        (1..)
            .map_while(|n| {
                let prefix = format!("TagSpecification.{n}");
                let found = self.param(&format!("{prefix}.ResourceType"))?;
                Some((found == kind).then(|| self.tags(&format!("{prefix}.Tag"))))
            })
            .flatten()
            .flatten()
            .collect()
    }

    /// The tags under `prefix`: `prefix.1.Key` and `prefix.1.Value`, …
    pub fn tags(&self, prefix: &str) -> Vec<(String, String)> {
        (1..)
            .map_while(|n| {
                let key = self.param(&format!("{prefix}.{n}.Key"))?;
                let value = self.param(&format!("{prefix}.{n}.Value")).unwrap_or("");
                Some((key.to_owned(), value.to_owned()))
            })
            .collect()
    }

    /// The body as JSON; `Null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body as text, with anything that is not UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The bucket and the key of an S3 request, in path style or as `bucket.localhost`; an empty
    /// key for the bucket itself.
    pub fn bucket_and_key(&self) -> (String, String) {
        let path = self.path.trim_start_matches('/');
        let host = self.header("host").unwrap_or("");
        let host = host.split(':').next().unwrap_or("");
        if let Some(bucket) = host.strip_suffix(".localhost") {
            return (bucket.to_owned(), path.to_owned());
        }
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        (bucket.to_owned(), key.to_owned())
    }

    /// Whether the name occurs in the query at all, with or without a value.
    pub fn asks(&self, name: &str) -> bool {
        self.query.iter().any(|(found, _)| found == name)
    }

    fn recognised(&self) -> (String, String) {
        if let Some(target) = self.header("x-amz-target") {
            let (service, operation) = target.rsplit_once('.').unwrap_or(("", target));
            return (json_service(service), operation.to_owned());
        }
        if let Some(action) = self.param("Action") {
            let service = match self.param("Version") {
                Some("2011-06-15") => "sts".to_owned(),
                Some("2010-05-15") => "cloudformation".to_owned(),
                Some("2016-11-15") => "ec2".to_owned(),
                _ => self.scope(3).unwrap_or_else(|| "query".to_owned()),
            };
            return (service, action.to_owned());
        }
        match self.scope(3).as_deref() {
            Some("ebs") => ("ebs".to_owned(), self.ebs_operation()),
            Some("inspector2") => ("inspector2".to_owned(), self.inspector_operation()),
            Some("s3") => ("s3".to_owned(), self.s3_operation()),
            Some(other) => (other.to_owned(), format!("{} {}", self.method, self.path)),
            None => ("http".to_owned(), format!("{} {}", self.method, self.path)),
        }
    }

    /// One part of the signature's credential scope: `AKID/date/region/service/aws4_request`.
    fn scope(&self, part: usize) -> Option<String> {
        let header = self.header("authorization").unwrap_or("");
        let signed = header
            .split_once("Credential=")
            .map(|(_, rest)| rest)
            .or_else(|| value(&self.query, "X-Amz-Credential"))?;
        let scope = signed.split(',').next()?;
        Some(scope.split('/').nth(part)?.to_owned())
    }

    /// The EBS direct APIs have no operation names on the wire either.
    fn ebs_operation(&self) -> String {
        let path: Vec<&str> = self.path.trim_matches('/').split('/').collect();
        match (self.method.as_str(), path.as_slice()) {
            ("GET", ["snapshots", _, "changedblocks"]) => "ListChangedBlocks".to_owned(),
            ("GET", ["snapshots", _, "blocks"]) => "ListSnapshotBlocks".to_owned(),
            ("GET", ["snapshots", _, "blocks", _]) => "GetSnapshotBlock".to_owned(),
            ("PUT", ["snapshots", _, "blocks", _]) => "PutSnapshotBlock".to_owned(),
            ("POST", ["snapshots"]) => "StartSnapshot".to_owned(),
            ("POST", ["snapshots", "completion", _]) => "CompleteSnapshot".to_owned(),
            _ => format!("{} {}", self.method, self.path),
        }
    }

    /// Neither has Amazon Inspector.
    fn inspector_operation(&self) -> String {
        match (self.method.as_str(), self.path.as_str()) {
            ("POST", "/ondemand/scan") => "StartOnDemandScan".to_owned(),
            ("POST", "/ondemand/scan/status") => "GetOnDemandScanStatus".to_owned(),
            ("POST", "/ondemand/scans") => "ListOnDemandScans".to_owned(),
            _ => format!("{} {}", self.method, self.path),
        }
    }

    /// S3 has no operation names on the wire: method, path and query say which one it is.
    fn s3_operation(&self) -> String {
        let (bucket, key) = self.bucket_and_key();
        let of_bucket = [
            ("versioning", "BucketVersioning"),
            ("encryption", "BucketEncryption"),
            ("policy", "BucketPolicy"),
            ("notification", "BucketNotificationConfiguration"),
            ("tagging", "BucketTagging"),
            ("publicAccessBlock", "PublicAccessBlock"),
        ];
        let method = self.method.as_str();
        let verb = match method {
            "PUT" => "Put",
            "DELETE" => "Delete",
            "POST" => "Post",
            _ => "Get",
        };
        if bucket.is_empty() {
            return "ListBuckets".to_owned();
        }
        if key.is_empty() {
            if let Some((_, name)) = of_bucket.iter().find(|(asked, _)| self.asks(asked)) {
                return format!("{verb}{name}");
            }
            return match method {
                "HEAD" => "HeadBucket",
                "PUT" => "CreateBucket",
                "DELETE" => "DeleteBucket",
                "POST" => "DeleteObjects",
                _ if self.asks("location") => "GetBucketLocation",
                _ if self.asks("versions") => "ListObjectVersions",
                _ if self.asks("uploads") => "ListMultipartUploads",
                _ => "ListObjectsV2",
            }
            .to_owned();
        }
        if self.asks("tagging") {
            return format!("{verb}ObjectTagging");
        }
        match method {
            "HEAD" => "HeadObject",
            "PUT" if self.asks("partNumber") => "UploadPart",
            "PUT" if self.header("x-amz-copy-source").is_some() => "CopyObject",
            "PUT" => "PutObject",
            "POST" if self.asks("uploads") => "CreateMultipartUpload",
            "POST" if self.asks("uploadId") => "CompleteMultipartUpload",
            "DELETE" if self.asks("uploadId") => "AbortMultipartUpload",
            "DELETE" => "DeleteObject",
            _ if self.asks("attributes") => "GetObjectAttributes",
            _ => "GetObject",
        }
        .to_owned()
    }
}

/// The credential-scope name of a JSON service's target prefix.
fn json_service(target: &str) -> String {
    let name = target.split('_').next().unwrap_or(target);
    match name {
        "AmazonSSM" => "ssm".to_owned(),
        "AWSEC2InstanceConnectService" => "ec2-instance-connect".to_owned(),
        "AmazonEC2ContainerRegistry" => "ecr".to_owned(),
        "AWSEvents" => "events".to_owned(),
        "TrentService" => "kms".to_owned(),
        other => other.to_lowercase(),
    }
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(found, _)| found == name)
        .map(|(_, value)| value.as_str())
}

/// The pairs of a query or a form body.
fn form(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name, true), decoded(value, true))
        })
        .collect()
}

/// Percent-decodes; a malformed escape stays as it is.
fn decoded(text: &str, plus_is_space: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (escape, bytes[at]) {
            (Some(byte), _) => {
                out.push(byte);
                at += 2;
            }
            (None, b'+') if plus_is_space => out.push(b' '),
            (None, byte) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(head: &str, body: &str) -> Request {
        let mut lines = head.lines();
        let mut first = lines.next().unwrap().split(' ');
        let raw = Raw {
            method: first.next().unwrap().to_owned(),
            target: first.next().unwrap().to_owned(),
            headers: lines
                .map(|line| line.split_once(": ").unwrap())
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            body: body.as_bytes().to_vec(),
        };
        Request::from(raw, Duration::ZERO)
    }

    fn signed(service: &str) -> String {
        format!(
            "authorization: AWS4-HMAC-SHA256 Credential=AKIA/20300101/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        )
    }

    #[test]
    fn an_ec2_form_is_named_and_its_lists_are_read() {
        let found = request(
            "POST /\ncontent-type: application/x-www-form-urlencoded",
            "Action=DescribeImages&Version=2016-11-15&ImageId.1=ami-1&ImageId.2=ami-2\
             &Filter.1.Name=tag%3Aa+b&Filter.1.Value.1=x%2By",
        );
        assert_eq!(found.name(), "ec2:DescribeImages");
        assert_eq!(found.list("ImageId"), ["ami-1", "ami-2"]);
        assert_eq!(found.filters()["tag:a b"], ["x+y"]);
    }

    #[test]
    fn the_region_is_that_of_the_signature() {
        assert_eq!(
            request(&format!("GET /\n{}", signed("ec2")), "").region(),
            Some("eu-west-1".to_owned())
        );
        assert_eq!(request("GET /", "").region(), None);
    }

    #[test]
    fn other_services_are_named() {
        for (head, body, name) in [
            (
                "POST /\ncontent-type: application/x-www-form-urlencoded".to_owned(),
                "Action=GetCallerIdentity&Version=2011-06-15",
                "sts:GetCallerIdentity",
            ),
            (
                "POST /\nx-amz-target: CodePipeline_20150709.PollForJobs".to_owned(),
                "{}",
                "codepipeline:PollForJobs",
            ),
            (
                "POST /\nx-amz-target: AmazonSSM.GetParameter".to_owned(),
                "{}",
                "ssm:GetParameter",
            ),
            (
                "POST /\nx-amz-target: AWSEC2InstanceConnectService.SendSSHPublicKey".to_owned(),
                "{}",
                "ec2-instance-connect:SendSSHPublicKey",
            ),
            (
                format!("GET /bucket?versioning\n{}", signed("s3")),
                "",
                "s3:GetBucketVersioning",
            ),
            (
                format!("PUT /bucket/a/b.zip?x-id=PutObject\n{}", signed("s3")),
                "zip",
                "s3:PutObject",
            ),
            (
                format!("HEAD /b.zip\nhost: bucket.localhost:81\n{}", signed("s3")),
                "",
                "s3:HeadObject",
            ),
            (
                "POST /\nx-amz-target: TrentService.DescribeKey".to_owned(),
                "{}",
                "kms:DescribeKey",
            ),
            (
                format!(
                    "GET /snapshots/snap-2/changedblocks?firstSnapshotId=snap-1\n{}",
                    signed("ebs")
                ),
                "",
                "ebs:ListChangedBlocks",
            ),
            (
                format!("GET /snapshots/snap-2/blocks\n{}", signed("ebs")),
                "",
                "ebs:ListSnapshotBlocks",
            ),
            ("GET /role?x=1".to_owned(), "", "http:GET /role"),
        ] {
            assert_eq!(request(&head, body).name(), name, "{head}");
        }
    }
}
