//! T203: a function with arguments that it does not take.

use crate::finding::Finding;
use crate::model::evaluate::function;
use crate::model::functions;
use crate::model::template::Template;
use crate::model::transform::has_own_macro;
use crate::model::yaml::Node;
use crate::rule::{Example, Rule, Severity, source};

/// A function with arguments that it does not take.
pub static RULE: Rule = Rule {
    code: "T203",
    name: "function-shape",
    severity: Severity::Error,
    summary: "A function has arguments that it does not take, such as a Fn::Join of one item.",
    fix: "give the function what its reference says",
    source: source::FUNCTIONS,
    example: Example::Change {
        file: "app.yml",
        at: "Version: !GetAtt LaunchTemplate.LatestVersionNumber",
        failing: "Version: !GetAtt LaunchTemplate",
        passing: "Version: !GetAtt LaunchTemplate.LatestVersionNumber",
    },
};

/// The transform with which Ref and Fn::GetAtt take functions.
const EXTENSIONS: &str = "AWS::LanguageExtensions";

pub(super) fn check(template: &Template) -> Vec<Finding> {
    let mut findings = Vec::new();
    if has_own_macro(template) {
        return findings;
    }
    let transform = template.root.get("Transform");
    let names = transform.map(|node| node.as_sequence().unwrap_or(std::slice::from_ref(node)));
    let mut names = names.unwrap_or_default().iter();
    let extended = names.any(|name| name.as_str() == Some(EXTENSIONS));
    functions::each(template, &mut |name, argument, place| {
        if let Some(wanted) = wanted(name, argument, extended) {
            let message = format!("{name} takes {wanted}");
            findings.push(Finding::new(&RULE, &template.file, Some(place), message));
        }
    });
    findings
}

/// What a function takes, when that is not what it got.
fn wanted(name: &str, argument: &Node, extended: bool) -> Option<String> {
    let is_function = |node: &Node| function(node).is_some();
    // An include or a macro may give anything.
    if function(argument).is_some_and(|(inner, _)| inner == "Fn::Transform" || extended) {
        return None;
    }
    let is_text = |node: &Node| node.as_str().is_some() && node.tag.is_none() && !node.is_null();
    let is_value = |node: &Node| is_text(node) || is_function(node);
    let is_list = |node: &Node| node.as_sequence().is_some() || is_function(node);
    let items = argument.as_sequence();
    let (fits, takes) = match name {
        "Ref" => (is_text(argument), "the name of a parameter or a resource"),
        "Condition" => (is_text(argument), "the name of a condition"),
        "Fn::GetAtt" => (
            match (argument.as_str(), items) {
                (Some(text), _) => text
                    .split_once('.')
                    .is_some_and(|(id, attribute)| !id.is_empty() && !attribute.is_empty()),
                (_, Some([id, attribute])) => (is_text(id) || extended) && is_value(attribute),
                _ => false,
            },
            "a resource and an attribute: `Resource.Attribute`, or a list of the two",
        ),
        "Fn::Join" => (
            matches!(items, Some([delimiter, list]) if is_delimiter(delimiter) && is_list(list)),
            "a list of a delimiter and a list of values",
        ),
        "Fn::Split" => (
            matches!(items, Some([delimiter, text]) if is_delimiter(delimiter) && is_value(text)),
            "a list of a delimiter and a text",
        ),
        "Fn::Select" => (
            matches!(items, Some([index, list]) if is_value(index) && is_list(list)),
            "a list of an index and a list of values",
        ),
        "Fn::Sub" => (
            is_text(argument)
                || matches!(items, Some([text, names]) if is_text(text) && names.as_mapping().is_some()),
            "a text, or a list of a text and a mapping",
        ),
        "Fn::FindInMap" => (
            match items {
                Some([_, _, _]) => true,
                Some([_, _, _, last]) => last.get("DefaultValue").is_some(),
                _ => false,
            },
            "a list of a mapping's name and two keys, and perhaps a mapping with DefaultValue",
        ),
        // Nothing stands for the stack's own region, as an empty text does.
        "Fn::GetAZs" => (argument.is_null() || is_value(argument), "a region"),
        "Fn::Base64" | "Fn::ImportValue" => (is_value(argument), "a text"),
        "Fn::Cidr" => (
            matches!(items.map(<[Node]>::len), Some(2 | 3)),
            "a list of a block, a count and perhaps a number of bits",
        ),
        "Fn::If" => (
            matches!(items, Some([condition, _, _]) if is_text(condition)),
            "a list of a condition's name and two values",
        ),
        "Fn::Equals" => (matches!(items, Some([_, _])), "a list of two values"),
        "Fn::And" | "Fn::Or" => (
            matches!(items.map(<[Node]>::len), Some(2..=10)),
            "a list of 2 to 10 conditions",
        ),
        "Fn::Not" => (matches!(items, Some([_])), "a list of one condition"),
        "Fn::GetStackOutput" => (
            ["StackName", "OutputName"]
                .iter()
                .all(|key| argument.get(key).is_some()),
            "a mapping with StackName and OutputName",
        ),
        "Fn::ToJsonString" => (
            argument.as_str().is_none() || is_function(argument),
            "a list or a mapping",
        ),
        "Fn::Length" => (is_list(argument), "a list"),
        _ => return None,
    };
    if !fits {
        return Some(takes.to_owned());
    }
    out_of_range(name, items?)
}

/// A delimiter may be empty, and a plain `,` or `-` is none of YAML's nothings.
fn is_delimiter(node: &Node) -> bool {
    node.as_str().is_some() && node.tag.is_none()
}

/// An index that is not in the list that is written beside it.
fn out_of_range(name: &str, items: &[Node]) -> Option<String> {
    let ("Fn::Select", [index, list]) = (name, items) else {
        return None;
    };
    let index = index.as_str().filter(|_| index.tag.is_none())?;
    let Ok(at) = index.trim().parse::<usize>() else {
        return Some("an index of 0 and more".to_owned());
    };
    let length = list.as_sequence().filter(|_| list.tag.is_none())?.len();
    (at >= length).then(|| format!("an index below {length} here, not {at}"))
}
