//! Whether a value fits its parameter's type and constraints.
//!
//! Source: CloudFormation template reference, "Parameters". Lengths are for `String`, numbers for `Number`,
//! patterns for `String` and `CommaDelimitedList`: of other types nothing is said there, and so nothing here.

use super::pattern;
use crate::finding::did_you_mean;
use crate::model::evaluate::is_unknown;
use crate::model::template::Parameter;
use crate::model::yaml::{Content, Node, Style};

/// Types whose values begin with something that everybody knows.
const PREFIXES: [(&str, &str); 7] = [
    ("AWS::EC2::Image::Id", "ami-"),
    ("AWS::EC2::Instance::Id", "i-"),
    ("AWS::EC2::SecurityGroup::Id", "sg-"),
    ("AWS::EC2::Subnet::Id", "subnet-"),
    ("AWS::EC2::VPC::Id", "vpc-"),
    ("AWS::EC2::Volume::Id", "vol-"),
    ("AWS::EC2::VolumeId", "vol-"),
];

/// Why a value does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Misfit {
    /// In words, with the parameter's name and, unless it has NoEcho, the value.
    pub(super) message: String,
    /// What would fit.
    pub(super) hint: Option<String>,
}

/// Why a value cannot be one of the parameter's; nothing when it can, or when that is not known.
pub(super) fn misfit(parameter: &Parameter, value: &str) -> Option<Misfit> {
    if is_unknown(value) || value.contains("#{") {
        return None;
    }
    let parts: Vec<&str> = if parameter.is_list() {
        value.split(',').map(str::trim).collect()
    } else {
        vec![value]
    };
    let wrong = not_allowed(parameter, &parts)
        .or_else(|| wrong_type(parameter, &parts))
        .or_else(|| wrong_length(parameter, value))
        .or_else(|| wrong_number(parameter, value))
        .or_else(|| wrong_pattern(parameter, &parts))?;
    let description = text(parameter, "ConstraintDescription");
    Some(Misfit {
        hint: wrong.hint.or_else(|| description.map(str::to_owned)),
        ..wrong
    })
}

/// Why a parameter's own default does not fit.
pub(super) fn misfit_of_default(parameter: &Parameter) -> Option<Misfit> {
    let node = parameter.node.get("Default")?;
    let is_empty_list = parameter.is_list() && node.as_str() == Some("");
    if node.tag.is_some() || is_ambiguous(node) || is_empty_list {
        return None;
    }
    misfit(parameter, node.as_str()?)
}

fn not_allowed(parameter: &Parameter, parts: &[&str]) -> Option<Misfit> {
    let allowed = &parameter.allowed_values;
    let nodes = parameter.node.get("AllowedValues")?.as_sequence()?;
    if allowed.is_empty() {
        return None;
    }
    // Whether an allowed value with a comma is one element of a list or several is not known: both are taken.
    let is_element = |one: &str, part: &str| {
        parameter.is_list() && one.contains(',') && one.split(',').any(|one| one.trim() == part)
    };
    let fits = |part: &str| {
        nodes.iter().any(|node| match node.as_str() {
            Some(one) if one == part || is_element(one, part) => true,
            Some(_) => is_ambiguous(node) && may_be(node, part),
            None => true,
        })
    };
    let part = parts.iter().find(|part| !fits(part))?;
    let known = allowed.iter().map(String::as_str);
    let hint = did_you_mean(part, known).or_else(|| Some("choose one of these".to_owned()));
    Some(Misfit {
        message: format!(
            "{} is {}; allowed are {}",
            parameter.name,
            shown(parameter, part),
            allowed.join(", ")
        ),
        hint,
    })
}

fn wrong_type(parameter: &Parameter, parts: &[&str]) -> Option<Misfit> {
    let inner = parameter
        .kind
        .strip_prefix("List<")
        .and_then(|kind| kind.strip_suffix('>'))
        .unwrap_or(&parameter.kind);
    let prefix = PREFIXES.iter().find(|(kind, _)| *kind == inner);
    let part = parts.iter().find(|part| match inner {
        "Number" => part.parse::<f64>().is_err(),
        _ => prefix.is_some_and(|(_, prefix)| !part.starts_with(prefix)),
    })?;
    Some(Misfit {
        message: format!(
            "{} is {}, which is no {inner}",
            parameter.name,
            shown(parameter, part)
        ),
        hint: prefix.map(|(_, prefix)| format!("such a value begins with {prefix}")),
    })
}

fn wrong_length(parameter: &Parameter, value: &str) -> Option<Misfit> {
    if parameter.kind != "String" {
        return None;
    }
    let limit = |key| text(parameter, key)?.parse::<usize>().ok();
    // Beyond the first 65,536 characters Java counts two for each: the reading that complains less counts here.
    let (count, units) = (value.chars().count(), value.encode_utf16().count());
    let (is, key, limit) = match (limit("MinLength"), limit("MaxLength")) {
        (Some(least), _) if units < least => (units, "MinLength", least),
        (_, Some(most)) if count > most => (count, "MaxLength", most),
        _ => return None,
    };
    Some(Misfit {
        message: format!(
            "{} has {is} characters, its {key} is {limit}",
            parameter.name
        ),
        hint: None,
    })
}

fn wrong_number(parameter: &Parameter, value: &str) -> Option<Misfit> {
    if parameter.kind != "Number" {
        return None;
    }
    let number: f64 = value.parse().ok()?;
    let limit = |key| text(parameter, key)?.parse::<f64>().ok();
    let (key, limit) = match (limit("MinValue"), limit("MaxValue")) {
        (Some(least), _) if number < least => ("MinValue", least),
        (_, Some(most)) if number > most => ("MaxValue", most),
        _ => return None,
    };
    let value = shown(parameter, value);
    Some(Misfit {
        message: format!("{} is {value}, its {key} is {limit}", parameter.name),
        hint: None,
    })
}

fn wrong_pattern(parameter: &Parameter, parts: &[&str]) -> Option<Misfit> {
    if !matches!(parameter.kind.as_str(), "String" | "CommaDelimitedList") {
        return None;
    }
    let allowed = text(parameter, "AllowedPattern")?;
    let part = parts
        .iter()
        .find(|part| pattern::matches(allowed, part) == Some(false))?;
    Some(Misfit {
        message: format!(
            "{} is {}, which its AllowedPattern {allowed} does not match",
            parameter.name,
            shown(parameter, part)
        ),
        hint: None,
    })
}

/// A constraint as text.
fn text<'p>(parameter: &'p Parameter, key: &str) -> Option<&'p str> {
    let node = parameter.node.get(key)?;
    node.as_str().filter(|_| node.tag.is_none())
}

/// A value as messages show it.
fn shown(parameter: &Parameter, value: &str) -> String {
    let hidden = text(parameter, "NoEcho").is_some_and(|text| text.eq_ignore_ascii_case("true"));
    if hidden {
        "a value that is not shown (NoEcho)".to_owned()
    } else {
        format!("{value:?}")
    }
}

/// Whether a scalar without quotes may arrive as another text than is written: `yes`, `1.0`, `012`, `22:30`,
/// `2012-10-17`.
fn is_ambiguous(node: &Node) -> bool {
    let Content::Scalar(text, Style::Plain) = &node.content else {
        return false;
    };
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain_whole = digits == "0" || is_digits && !digits.starts_with('0');
    let number = text.replace('_', "");
    let is_prefixed = ["0x", "0o", "0b"]
        .iter()
        .any(|prefix| number.trim_start_matches(['+', '-']).starts_with(prefix));
    let is_time = |c: char| c.is_ascii_digit() || matches!(c, ':' | '-' | '.' | 'T' | 'Z' | ' ');
    node.is_null()
        || boolean(text).is_some()
        || !is_plain_whole && (number.parse::<f64>().is_ok() || is_prefixed)
        || text.contains([':', '-']) && !is_plain_whole && text.chars().all(is_time)
}

/// Whether an ambiguous scalar may arrive as that text.
fn may_be(node: &Node, text: &str) -> bool {
    match node.as_str().and_then(boolean) {
        Some(truth) => boolean(text) == Some(truth),
        None => true,
    }
}

/// What a word is to a reader of YAML 1.1.
fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "y" | "yes" | "true" | "on" => Some(true),
        "n" | "no" | "false" | "off" => Some(false),
        _ => None,
    }
}
