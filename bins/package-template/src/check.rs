//! What CloudFormation would refuse later: its limits, and a configuration file that does not fit.
//!
//! Limits: CloudFormation user guide, "Understand CloudFormation quotas". Form of the configuration
//! file: CloudFormation user guide, "CloudFormation artifacts reference" for continuous delivery.

use contract::finding::{Finding, did_you_mean};
use contract::template::Template;
use contract::yaml::{self, Content, Node};

/// Something that CloudFormation counts, and how much of it there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// What is counted, in words.
    pub what: &'static str,
    /// How much there is.
    pub is: usize,
    /// How much there may be.
    pub limit: usize,
}

/// Longest value of a parameter, in bytes.
const MAX_VALUE: usize = 4096;

/// A template against CloudFormation's limits; `bytes` is its length.
#[must_use]
pub fn sizes(template: &Template, bytes: usize) -> Vec<Size> {
    let size = |what, is, limit| Size { what, is, limit };
    let mappings = template
        .mappings
        .as_ref()
        .and_then(Node::as_mapping)
        .map_or(0, <[_]>::len);
    let description = template
        .root
        .get("Description")
        .and_then(Node::as_str)
        .map_or(0, str::len);
    vec![
        // "1 MB": the smaller reading is the safe one.
        size("bytes of template", bytes, 1_000_000),
        size("resources", template.resources.len(), 500),
        size("parameters", template.parameters.len(), 200),
        size("outputs", template.outputs.len(), 200),
        size("mappings", mappings, 200),
        size("bytes of description", description, 1024),
    ]
}

/// An error for each limit that is exceeded.
#[must_use]
pub fn limits(template: &Template, sizes: &[Size]) -> Vec<Finding> {
    sizes
        .iter()
        .filter(|size| size.is > size.limit)
        .map(|size| {
            let message = format!(
                "{} {}, CloudFormation's limit is {}",
                size.is, size.what, size.limit
            );
            Finding::error(&template.file, None, message)
                .hint("divide the template into stacks of their own, or nest them")
        })
        .collect()
}

/// What is wrong with a template configuration file: JSON with `Parameters`, `Tags`, `StackPolicy`,
/// each value a text, each parameter declared by the template.
#[must_use]
pub fn configuration(file: &str, bytes: &[u8], template: &Template) -> Vec<Finding> {
    // CodePipeline reads JSON only; the YAML reader afterwards knows the places of everything.
    if let Err(error) = serde_json::from_slice::<serde_json::Value>(bytes) {
        return vec![
            Finding::error(file, None, format!("not JSON: {error}")).hint(
                "a template configuration file is JSON with Parameters, Tags and StackPolicy",
            ),
        ];
    }
    let root = match yaml::parse_bytes(file, bytes) {
        Ok(root) => root,
        Err(finding) => return vec![finding],
    };
    let Some(sections) = root.as_mapping() else {
        return vec![Finding::error(
            file,
            Some(root.place),
            format!("an object is due, this is {}", root.kind()),
        )];
    };
    const SECTIONS: [&str; 3] = ["Parameters", "Tags", "StackPolicy"];
    let mut findings = Vec::new();
    for (key, value) in sections {
        let name = key.as_str().unwrap_or_default();
        match name {
            "Parameters" | "Tags" => findings.extend(texts(file, name, value, template)),
            "StackPolicy" => {}
            _ => findings.push(
                Finding::error(
                    file,
                    Some(key.place),
                    format!("{name} is not a section of a configuration file"),
                )
                .hint("the sections are Parameters, Tags and StackPolicy")
                .maybe_hint(did_you_mean(name, SECTIONS)),
            ),
        }
    }
    findings
}

fn texts(file: &str, section: &str, value: &Node, template: &Template) -> Vec<Finding> {
    let Some(entries) = value.as_mapping() else {
        return vec![Finding::error(
            file,
            Some(value.place),
            format!("{section} is {}, not an object", value.kind()),
        )];
    };
    let mut findings = Vec::new();
    for (key, value) in entries {
        let name = key.as_str().unwrap_or_default();
        let error = |place, message: String| Finding::error(file, Some(place), message);
        if section == "Parameters" && template.parameter(name).is_none() {
            let known = template
                .parameters
                .iter()
                .map(|parameter| parameter.name.as_str());
            findings.push(
                error(
                    key.place,
                    format!("{} declares no parameter {name}", template.file),
                )
                .hint("CloudFormation refuses a parameter that is not declared")
                .maybe_hint(did_you_mean(name, known)),
            );
        }
        match &value.content {
            Content::Scalar(text, yaml::Style::Quoted) if text.len() > MAX_VALUE => {
                findings.push(error(
                    value.place,
                    format!(
                        "{name} has {} bytes, CloudFormation's limit is {MAX_VALUE}",
                        text.len()
                    ),
                ))
            }
            Content::Scalar(_, yaml::Style::Quoted) => {}
            content => findings.push(
                error(
                    value.place,
                    format!(
                        "the value of {name} is {}, not a text",
                        shown(content, value)
                    ),
                )
                .hint("put it in quotes; a list is comma separated"),
            ),
        }
    }
    findings
}

fn shown(content: &Content, value: &Node) -> String {
    match content {
        Content::Scalar(text, _) => text.clone(),
        _ => value.kind().to_owned(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const TEMPLATE: &str = "Parameters:\n  AMIId: {Type: AWS::EC2::Image::Id}\n  Size: {Type: String}\nResources:\n  A: {Type: AWS::S3::Bucket}\n";

    fn template(text: &str) -> Template {
        Template::parse("t.yml", text.as_bytes()).unwrap()
    }

    fn lines(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn limits_are_counted() {
        let many: String = (0..501)
            .map(|n| format!("  R{n}: {{Type: AWS::S3::Bucket}}\n"))
            .collect();
        let text = format!("Resources:\n{many}");
        let template = template(&text);
        let found = limits(&template, &sizes(&template, text.len()));
        assert_eq!(
            lines(&found),
            [
                "t.yml: 501 resources, CloudFormation's limit is 500\n  hint: divide the template into stacks of their own, or nest them"
            ]
        );
        assert_eq!(limits(&template, &sizes(&template, 1_000_001)).len(), 2);
    }

    #[test]
    fn a_configuration_that_fits_has_no_findings() {
        let text = br#"{"Parameters": {"Size": "1", "AMIId": "ami-1"}, "Tags": {"A": "b"}, "StackPolicy": {"Statement": []}}"#;
        assert_eq!(configuration("c.json", text, &template(TEMPLATE)), []);
    }

    #[test]
    fn a_configuration_that_does_not_fit_says_where() {
        let text = b"{\"Parameters\": {\n  \"AmiId\": \"ami-1\",\n  \"Size\": 3},\n \"Tag\": {}}";
        assert_eq!(
            lines(&configuration("c.json", text, &template(TEMPLATE))),
            [
                "c.json:2:3: t.yml declares no parameter AmiId\n  hint: did you mean AMIId?",
                "c.json:3:11: the value of Size is 3, not a text\n  hint: put it in quotes; a list is comma separated",
                "c.json:4:2: Tag is not a section of a configuration file\n  hint: did you mean Tags?",
            ]
        );
        for (text, expected) in [
            ("Parameters: {}", "not JSON"),
            ("[]", "an object is due, this is a list"),
            ("{\"Tags\": []}", "Tags is a list, not an object"),
        ] {
            let found = lines(&configuration(
                "c.json",
                text.as_bytes(),
                &template(TEMPLATE),
            ));
            assert!(found[0].contains(expected), "{found:?}");
        }
        let long = format!("{{\"Parameters\": {{\"Size\": \"{}\"}}}}", "x".repeat(4097));
        assert!(
            lines(&configuration(
                "c.json",
                long.as_bytes(),
                &template(TEMPLATE)
            ))[0]
                .contains("4097 bytes")
        );
    }
}
