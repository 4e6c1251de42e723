//! Values for a template's parameters: the files that hold them, and whether they fit.
//!
//! Form of a configuration file: CloudFormation user guide, "CloudFormation artifacts reference" for
//! continuous delivery. Types: "Parameters", "AWS-specific parameter types".

use serde_json::Value;

mod constraints;
pub mod pattern;

use self::constraints::{Misfit, misfit, misfit_of_default};
use crate::finding::{Finding, Place, did_you_mean};
use crate::model::pipeline::Text;
use crate::model::template::{Parameter, Template};
use crate::model::yaml::{self, Content, Node, Style};
use crate::rules::reference_not_resolved;
use crate::rules::{
    configuration_section, no_value, not_json, too_long, undeclared_parameter, unfit_default,
    value_not_text, wrong_value,
};

/// Longest value of a parameter, in bytes. Source: CloudFormation user guide, "Quotas".
pub const MAX_VALUE: usize = 4096;

/// The names and texts of a parameter file's content: a template configuration (`{"Parameters": {…}}`),
/// the list of the AWS CLI (`[{"ParameterKey": …}]`) or a plain object of names and values.
///
/// # Errors
/// What is wrong, in words.
pub fn read_parameters(value: &Value) -> Result<Vec<(String, String)>, String> {
    let pair = |name: &str, value: &Value| match scalar(value) {
        Some(text) => Ok((name.to_owned(), text)),
        None => Err(format!("parameter {name} is not text")),
    };
    match value {
        Value::Object(map) => {
            let inner = map.get("Parameters").unwrap_or(value);
            let Value::Object(map) = inner else {
                return Err("Parameters is not an object".to_owned());
            };
            map.iter().map(|(name, value)| pair(name, value)).collect()
        }
        Value::Array(items) => items
            .iter()
            .map(
                |item| match (item.get("ParameterKey"), item.get("ParameterValue")) {
                    (Some(Value::String(name)), Some(value)) => pair(name, value),
                    _ => Err("an item needs ParameterKey and ParameterValue".to_owned()),
                },
            )
            .collect(),
        _ => Err("it is neither an object nor a list".to_owned()),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// What a template configuration file gives, and what is wrong with it.
#[derive(Debug, Default)]
pub struct Configuration {
    /// The names of the parameters that it gives.
    pub parameters: Vec<String>,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Reads a template configuration file: JSON with `Parameters`, `Tags`, `StackPolicy`, each value a
/// text, each parameter declared by the template.
#[must_use]
pub fn configuration(file: &str, bytes: &[u8], template: &Template) -> Configuration {
    let wrong = |finding| Configuration {
        findings: vec![finding],
        ..Configuration::default()
    };
    // CodePipeline reads JSON only; the YAML reader afterwards knows the places of everything.
    if let Err(error) = serde_json::from_slice::<Value>(bytes) {
        let text = String::from_utf8_lossy(bytes);
        let line_start: usize = text
            .split_inclusive('\n')
            .take(error.line().saturating_sub(1))
            .map(str::len)
            .sum();
        let offset = (line_start + error.column().saturating_sub(1)).min(text.len());
        let place = yaml::place_of_offset(&text, text.floor_char_boundary(offset));
        let message = format!("not JSON: {error}");
        return wrong(Finding::new(&not_json::RULE, file, Some(place), message));
    }
    let (root, twice) = match yaml::read_bytes(file, bytes) {
        Ok(document) => (document.root, document.twice),
        Err(finding) => return wrong(finding),
    };
    let Some(sections) = root.as_mapping() else {
        let message = format!("an object is due, this is {}", root.kind());
        return wrong(Finding::new(
            &not_json::RULE,
            file,
            Some(root.place),
            message,
        ));
    };
    const SECTIONS: [&str; 3] = ["Parameters", "Tags", "StackPolicy"];
    let mut read = Configuration {
        findings: twice,
        ..Configuration::default()
    };
    for (key, value) in sections {
        let name = key.as_str().unwrap_or_default();
        match name {
            "Parameters" => {
                let entries = texts(file, name, value, &mut read.findings);
                for (key, value) in entries {
                    let name = key.as_str().unwrap_or_default();
                    let place = (key.place, value.place);
                    let text = value.as_str().unwrap_or_default();
                    read.findings
                        .extend(given(file, place, name, text, template));
                    read.parameters.push(name.to_owned());
                }
            }
            "Tags" => drop(texts(file, name, value, &mut read.findings)),
            "StackPolicy" => {}
            _ => read.findings.push(
                Finding::new(
                    &configuration_section::RULE,
                    file,
                    Some(key.place),
                    format!("{name} is not a section of a configuration file"),
                )
                .maybe_hint(did_you_mean(name, SECTIONS)),
            ),
        }
    }
    read
}

/// The entries of a section, after a finding for each that is no text.
fn texts<'n>(
    file: &str,
    section: &str,
    value: &'n Node,
    findings: &mut Vec<Finding>,
) -> &'n [(Node, Node)] {
    let mut wrong = |place, message: String| {
        findings.push(Finding::new(
            &value_not_text::RULE,
            file,
            Some(place),
            message,
        ));
    };
    let Some(entries) = value.as_mapping() else {
        let message = format!("{section} is {}, not an object", value.kind());
        wrong(value.place, message);
        return &[];
    };
    for (key, value) in entries {
        let name = key.as_str().unwrap_or_default();
        match &value.content {
            Content::Scalar(_, Style::Quoted) => {}
            Content::Scalar(text, _) => {
                wrong(
                    value.place,
                    format!("the value of {name} is {text}, not a string"),
                );
            }
            _ => {
                let message = format!("the value of {name} is {}, not a string", value.kind());
                wrong(value.place, message);
            }
        }
    }
    for (key, value) in entries {
        let what = format!("the value of {}", key.as_str().unwrap_or_default());
        let text = value.as_str().map(|text| Text {
            text: text.to_owned(),
            place: value.place,
        });
        findings.extend(text.and_then(|text| reference_not_resolved::check(file, &what, &text)));
    }
    entries
}

/// What is wrong with one given value; the places are those of its name and of itself.
#[must_use]
pub fn given(
    file: &str,
    (name_place, value_place): (Place, Place),
    name: &str,
    value: &str,
    template: &Template,
) -> Vec<Finding> {
    let Some(parameter) = template.parameter(name) else {
        let known = template.parameters.iter().map(|one| one.name.as_str());
        return vec![
            Finding::new(
                &undeclared_parameter::RULE,
                file,
                Some(name_place),
                format!("{} declares no parameter {name}", template.file),
            )
            .maybe_hint(did_you_mean(name, known)),
        ];
    };
    if value.len() > MAX_VALUE {
        let message = format!(
            "{name} has {} bytes, CloudFormation's limit is {MAX_VALUE}",
            value.len()
        );
        return vec![Finding::new(
            &too_long::RULE,
            file,
            Some(value_place),
            message,
        )];
    }
    match misfit(parameter, value) {
        Some(Misfit { message, hint }) => vec![
            Finding::new(&wrong_value::RULE, file, Some(value_place), message).maybe_hint(hint),
        ],
        None => Vec::new(),
    }
}

/// A warning for each default that does not fit its own parameter: a stack that is given no other value fails.
/// Source: CloudFormation template reference, "Parameters", `Default`: "If you define constraints for the
/// parameter, you must specify a value that adheres to those constraints".
#[must_use]
pub fn defaults(template: &Template) -> Vec<Finding> {
    let finding = |parameter: &Parameter| {
        let Misfit { message, hint } = misfit_of_default(parameter)?;
        let place = parameter.node.get("Default").map(|node| node.place);
        let message = format!("the default of {message}");
        Some(Finding::new(&unfit_default::RULE, &template.file, place, message).maybe_hint(hint))
    };
    template.parameters.iter().filter_map(finding).collect()
}

/// A finding for each parameter that is given no value and has a default that does not fit. `place` is where a
/// value would be given.
#[must_use]
pub fn unfit_defaults(
    file: &str,
    place: Option<Place>,
    given: &[String],
    template: &Template,
) -> Vec<Finding> {
    let finding = |parameter: &Parameter| {
        let Misfit { message, hint } = misfit_of_default(parameter)?;
        let message = format!(
            "parameter {} of {} is given no value, and the default of {message}",
            parameter.name, template.file
        );
        Some(Finding::new(&wrong_value::RULE, file, place, message).maybe_hint(hint))
    };
    template
        .parameters
        .iter()
        .filter(|one| !given.contains(&one.name))
        .filter_map(finding)
        .collect()
}

/// A finding for each parameter without default that is not among the given names. `place` is where a
/// value would be given.
#[must_use]
pub fn missing(
    file: &str,
    place: Option<Place>,
    given: &[String],
    template: &Template,
) -> Vec<Finding> {
    template
        .parameters
        .iter()
        .filter(|one| one.default.is_none() && !given.contains(&one.name))
        .map(|one| {
            let message = format!(
                "parameter {} of {} has no value and no default",
                one.name, template.file
            );
            Finding::new(&no_value::RULE, file, place, message)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use serde_json::json;

    use super::*;

    const TEMPLATE: &str = "Parameters:\n  AMIId: {Type: AWS::EC2::Image::Id}\n  Size: {Type: String}\n  \
                            N: {Type: List<Number>, Default: '1'}\n  E: {Type: String, AllowedValues: [dev, prod], Default: dev}\n\
                            Resources:\n  A: {Type: AWS::S3::Bucket}\n";

    fn lines(text: &str) -> Vec<String> {
        let template = Template::parse("t.yml", TEMPLATE.as_bytes()).unwrap();
        let read = configuration("c.json", text.as_bytes(), &template);
        read.findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn parameter_files_come_in_three_forms() {
        let expected = vec![
            ("A".to_owned(), "1".to_owned()),
            ("B".to_owned(), "x".to_owned()),
        ];
        for form in [
            json!({"Parameters": {"A": 1, "B": "x"}, "Tags": {}}),
            json!({"A": "1", "B": "x"}),
            json!([{"ParameterKey": "A", "ParameterValue": "1"}, {"ParameterKey": "B", "ParameterValue": "x"}]),
        ] {
            assert_eq!(read_parameters(&form).unwrap(), expected);
        }
        assert!(read_parameters(&json!({"A": []})).is_err());
        assert!(read_parameters(&json!("x")).is_err());
        assert!(read_parameters(&json!([{"Key": "A"}])).is_err());
    }

    #[test]
    fn a_configuration_that_fits_has_no_findings() {
        let text = r#"{"Parameters": {"Size": "1", "AMIId": "ami-1", "N": "1, 2.5", "E": "prod"}, "Tags": {"A": "b"}, "StackPolicy": {"Statement": []}}"#;
        assert_eq!(lines(text), [] as [&str; 0]);
    }

    #[test]
    fn a_configuration_that_does_not_fit_says_where() {
        let text = "{\"Parameters\": {\n  \"AmiId\": \"ami-1\",\n  \"Size\": 3, \"AMIId\": \"i-1\",\n  \"N\": \"1,x\", \"E\": \"prdo\"},\n \"Tag\": {}}";
        assert_eq!(
            lines(text),
            [
                "c.json:3:11: the value of Size is 3, not a string",
                "c.json:2:3: t.yml declares no parameter AmiId\n  hint: did you mean AMIId?",
                "c.json:3:23: AMIId is \"i-1\", which is no AWS::EC2::Image::Id\n  hint: such a value begins with ami-",
                "c.json:4:8: N is \"x\", which is no Number",
                "c.json:4:20: E is \"prdo\"; allowed are dev, prod\n  hint: did you mean prod?",
                "c.json:5:2: Tag is not a section of a configuration file\n  hint: did you mean Tags?",
            ]
        );
        for (text, expected) in [
            ("Parameters: {}", "c.json:1:1: not JSON"),
            ("{\"Tags\": {},\n}", "c.json:2:1: not JSON"),
            ("[]", "an object is due, this is a list"),
            ("{\"Tags\": []}", "Tags is a list, not an object"),
        ] {
            let found = lines(text);
            assert!(found[0].contains(expected), "{found:?}");
        }
        let long = format!("{{\"Parameters\": {{\"Size\": \"{}\"}}}}", "x".repeat(4097));
        assert!(lines(&long)[0].contains("4097 bytes"));
    }

    #[test]
    fn a_parameter_without_value_is_named() {
        let template = Template::parse("t.yml", TEMPLATE.as_bytes()).unwrap();
        let found = missing("p.yml", None, &["Size".to_owned()], &template);
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("AMIId"));
    }

    /// What one value of a parameter with these properties is said to be, without quotes.
    fn said(properties: &str, value: &str) -> String {
        let text = format!(
            "Parameters: {{P: {{{properties}}}}}\nResources: {{A: {{Type: AWS::S3::Bucket}}}}\n"
        );
        let template = Template::parse("t.yml", text.as_bytes()).unwrap();
        let place = (Place::default(), Place::default());
        let found = given("c.json", place, "P", value, &template);
        found
            .iter()
            .map(|one| format!("{}; {}", one.message, one.fix()))
            .collect()
    }

    #[test]
    fn constraints_are_kept() {
        for (properties, fits, does_not, expected) in [
            (
                "Type: String, AllowedPattern: '[a-z]+', ConstraintDescription: lower-case letters",
                "abc",
                "Abc",
                "P is \"Abc\", which its AllowedPattern [a-z]+ does not match; lower-case letters",
            ),
            (
                "Type: CommaDelimitedList, AllowedPattern: '[a-z]+'",
                "a, b",
                "a,1",
                "P is \"1\", which its AllowedPattern [a-z]+ does not match",
            ),
            (
                "Type: String, MinLength: 2, MaxLength: '3'",
                "äöü",
                "a",
                "P has 1 characters, its MinLength is 2",
            ),
            (
                "Type: String, MaxLength: 3",
                "😀😀😀",
                "abcd",
                "P has 4 characters, its MaxLength is 3",
            ),
            (
                "Type: Number, MinValue: 1, MaxValue: 1.5",
                "1.5",
                "2",
                "P is \"2\", its MaxValue is 1.5",
            ),
            (
                "Type: Number, MinValue: '1'",
                "1",
                "0.5",
                "P is \"0.5\", its MinValue is 1",
            ),
            (
                "Type: String, AllowedValues: [true, 'no'], NoEcho: true",
                "True",
                "off",
                "P is a value that is not shown (NoEcho); allowed are true, no",
            ),
        ] {
            assert_eq!(said(properties, fits), "", "{properties}");
            let found = said(properties, does_not);
            assert!(found.starts_with(expected), "{found}");
        }
    }

    #[test]
    fn what_is_not_known_of_a_value_is_no_finding() {
        for (properties, value) in [
            ("Type: String, AllowedPattern: '[a-z]++'", "A"),
            ("Type: String, AllowedPattern: '(?!x).*'", "x"),
            ("Type: String, AllowedPattern: '[a-z]+'", "#{Build.NAME}"),
            (
                "Type: String, AllowedPattern: '[a-z]+'",
                "{{resolve:ssm:/x}}",
            ),
            (
                "Type: AWS::EC2::KeyPair::KeyName, AllowedPattern: '[a-z]+'",
                "A",
            ),
            ("Type: AWS::EC2::KeyPair::KeyName, MinLength: 9", "A"),
            ("Type: String, AllowedValues: [1.0, 2.0]", "1"),
            ("Type: String, AllowedValues: [yes, no]", "true"),
            (
                "Type: CommaDelimitedList, AllowedValues: [one, 'two,three']",
                "two, three",
            ),
        ] {
            assert_eq!(said(properties, value), "", "{properties}");
        }
    }

    #[test]
    fn a_default_that_does_not_fit_is_told_where_it_is_used() {
        let with = |properties: &str| {
            let text = format!(
                "Parameters: {{P: {{{properties}}}}}\nResources: {{A: {{Type: AWS::S3::Bucket}}}}\n"
            );
            let template = Template::parse("t.yml", text.as_bytes()).unwrap();
            let used = unfit_defaults("p.yml", None, &[], &template);
            let given = unfit_defaults("p.yml", None, &["P".to_owned()], &template);
            assert_eq!(given, []);
            (defaults(&template), used)
        };
        let (warned, used) = with("Type: String, Default: '', AllowedPattern: '[a-z]+'");
        assert_eq!(
            warned[0].to_string().lines().next().unwrap(),
            "t.yml:1:41: the default of P is \"\", which its AllowedPattern [a-z]+ does not match"
        );
        assert_eq!(
            used[0].message,
            "parameter P of t.yml is given no value, and the default of P is \"\", which its AllowedPattern [a-z]+ does not match"
        );
        for properties in [
            "Type: String, Default: 10.0.0.0/8, AllowedPattern: '[0-9.]+/16'",
            "Type: String, Default: 10.0.0.1, AllowedPattern: '10[.]1[.].*'",
            "Type: String, Default: 12, MaxLength: 1",
            "Type: String, Default: 1a, MaxLength: 1",
        ] {
            assert_eq!(with(properties).0.len(), 1, "{properties}");
        }
        for properties in [
            "Type: String, Default: yes, AllowedValues: ['true', 'false']",
            "Type: String, Default: True, AllowedValues: ['true', 'false']",
            "Type: String, Default: 012, AllowedValues: [10]",
            "Type: String, Default: 1.0, MaxLength: 1",
            "Type: CommaDelimitedList, Default: '', AllowedPattern: '[a-z]+'",
            "Type: Number, Default: 3, MinValue: 3, MaxValue: 3",
            "Type: Number, Default: !Ref AWS::NoValue",
            "Type: String, Default: 22:30, MaxLength: 4",
            "Type: String, Default: 2012-10-17, MaxLength: 9",
            "Type: String, Default: 0x10, MaxLength: 2",
            "Type: CommaDelimitedList, Default: 'two,three', AllowedValues: [one, 'two,three']",
        ] {
            let (warned, used) = with(properties);
            assert_eq!((warned, used), (vec![], vec![]), "{properties}");
        }
    }
}
