//! T304: a TemplateURL that CloudFormation cannot read from.

use crate::finding::Finding;
use crate::model::local::{self, Form};
use crate::model::template::Template;
use crate::rule::{Example, Rule, Severity};

/// A TemplateURL that is no https URL of S3.
pub static RULE: Rule = Rule {
    code: "T304",
    name: "template-url",
    severity: Severity::Error,
    summary: "A TemplateURL is not an https URL of S3: CloudFormation refuses it with \"TemplateURL must be a supported URL\".",
    fix: "write https://BUCKET.s3.REGION.amazonaws.com/KEY, or a local path that package-template uploads",
    source: "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-stack.html",
    example: Example::Change {
        file: "app.yml",
        at: "Outputs:",
        failing: "  Nested: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: 's3://my-bucket/nested.yml'}}\nOutputs:",
        passing: "  Nested: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: 'https://my-bucket.s3.eu-west-1.amazonaws.com/nested.yml'}}\nOutputs:",
    },
};

/// The ends of the hosts' names in all partitions.
const SUFFIXES: [&str; 7] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
    "amazonaws.eu",
];

pub(super) fn check(template: &Template) -> Vec<Finding> {
    let urls = local::urls(&template.root, Form::Template);
    let wrong = urls.into_iter().filter(|(_, _, url)| !is_of_s3(url));
    wrong
        .map(|(id, node, url)| {
            let message =
                format!("the template of {id} is at {url:?}, which is not an https URL of S3");
            let finding = Finding::new(&RULE, &template.file, Some(node.place), message);
            // Old samples of AWS's have such URLs: whether they are still taken is not proven; CreateStack with
            // one settles it.
            let plain = url
                .strip_prefix("http://")
                .map(|rest| format!("https://{rest}"));
            if plain.is_some_and(|url| is_of_s3(&url)) {
                finding.lowered(Severity::Warning)
            } else {
                finding
            }
        })
        .collect()
}

/// Whether a URL may be one of S3; what a function puts in is not known.
fn is_of_s3(url: &str) -> bool {
    let folded = url.to_ascii_lowercase();
    if folded.starts_with("{{resolve:") || folded.starts_with("ssm-doc://") {
        return true;
    }
    let Some(rest) = folded.strip_prefix("https://") else {
        return folded.starts_with("${");
    };
    let host = rest.split(['/', '?', ':']).next().unwrap_or_default();
    if rest.contains("${") && (host.contains("${") || host.is_empty()) {
        return true;
    }
    let is_service = host
        .split('.')
        .any(|label| label == "s3" || label.starts_with("s3-"));
    is_service
        && SUFFIXES.iter().any(|suffix| host.ends_with(suffix))
        && !host.contains("s3-website")
}

#[cfg(test)]
mod tests {
    use super::is_of_s3;

    #[test]
    fn a_url_of_s3_is_known_in_every_form() {
        for url in [
            "https://b.s3.eu-west-1.amazonaws.com/k.yml",
            "https://s3.amazonaws.com/b/k.yml",
            "https://s3-eu-west-1.amazonaws.com/b/k.yml",
            "https://b.s3.amazonaws.com/k.yml?versionId=x",
            "https://b.s3.dualstack.eu-west-1.amazonaws.com/k",
            "https://b.s3.cn-north-1.amazonaws.com.cn/k",
            "https://${Bucket}.s3.amazonaws.com/k",
            "https://s3.${AWS::URLSuffix}/b/k",
            "{{resolve:ssm:/url}}",
        ] {
            assert!(is_of_s3(url), "{url}");
        }
        for url in [
            "s3://b/k.yml",
            "http://b.s3.amazonaws.com/k",
            "https://example.com/k.yml",
            "https://b.s3-website-eu-west-1.amazonaws.com/k",
            "https://github.com/a/b/raw/k.yml",
        ] {
            assert!(!is_of_s3(url), "{url}");
        }
    }
}
