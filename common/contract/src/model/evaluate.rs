//! Resolving a template's functions over parameter values, without an account.
//!
//! The result of evaluating a node is a node again, without tags and functions, so that
//! what is built from it can still point into the file. What only a deployed stack knows
//! stays symbolic: `Ref` of a resource is its logical id, `Fn::GetAtt` is
//! `LogicalId.Attribute`, and in a lenient world both are marked as unknown. A function that is
//! not known here is an error, never a guess; a condition over what is not known is neither true
//! nor false.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::finding::{Finding, Place, did_you_mean};
use crate::model::template::{Parameter, Template};
use crate::model::yaml::{Content, Node, Style};
use crate::model::{language, yaml11};
use crate::rule::Rule;
use crate::rules::{no_value, undeclared_name, unresolved_function, wrong_value};

mod functions;

/// What the world outside the template gives it.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// Parameter values as text; a list is comma separated.
    pub parameters: BTreeMap<String, String>,
    /// Pseudo parameters by name, such as `AWS::Region`. One that is missing is an error
    /// when it is used.
    pub pseudo: BTreeMap<String, String>,
    /// Exported outputs of other stacks, for `Fn::ImportValue`.
    pub imports: BTreeMap<String, String>,
    /// Whether these are all of the account's, so that another name is exported by no stack.
    pub imports_are_all: bool,
    /// Whether a value that is not known here is no error but stays a text that says so, such as
    /// `${SourceBucketName}`; see [`is_unknown`]. Resources are then such texts too: `${Project}`.
    pub lenient: bool,
}

/// Whether a text was made of something that a lenient evaluation did not know, or is a dynamic reference,
/// which CloudFormation resolves when it deploys.
#[must_use]
pub fn is_unknown(text: &str) -> bool {
    text.contains("${") || text.contains("{{resolve:")
}

/// Whether a text is the reference to a resource: its logical id, marked as unknown or not.
#[must_use]
pub fn is_resource(text: &str, id: &str) -> bool {
    let marked = text
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'));
    marked.unwrap_or(text) == id
}

/// The partitions besides `aws` by the beginning of their regions' names, with the end of their hosts' names.
/// Source: botocore's `partitions.json`.
const PARTITIONS: [(&str, &str, &str); 7] = [
    ("cn-", "aws-cn", "amazonaws.com.cn"),
    ("us-gov-", "aws-us-gov", "amazonaws.com"),
    ("us-iso-", "aws-iso", "c2s.ic.gov"),
    ("us-isob-", "aws-iso-b", "sc2s.sgov.gov"),
    ("eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"),
    ("us-isof-", "aws-iso-f", "csp.hci.ic.gov"),
    ("eusc-", "aws-eusc", "amazonaws.eu"),
];

/// The partition of a region, and `AWS::URLSuffix` there.
#[must_use]
pub fn partition(region: &str) -> (&'static str, &'static str) {
    let found = PARTITIONS
        .iter()
        .find(|(start, ..)| region.starts_with(start));
    found.map_or(("aws", "amazonaws.com"), |(_, name, suffix)| {
        (*name, *suffix)
    })
}

impl World {
    /// The pseudo parameters of an account and a region; the partition follows the region.
    #[must_use]
    pub fn in_region(region: &str, account: &str, stack: &str) -> Self {
        let (partition, suffix) = partition(region);
        let stack_id =
            format!("arn:{partition}:cloudformation:{region}:{account}:stack/{stack}/local");
        let pseudo = [
            ("AWS::AccountId", account),
            ("AWS::Partition", partition),
            ("AWS::Region", region),
            ("AWS::StackId", &stack_id),
            ("AWS::StackName", stack),
            ("AWS::URLSuffix", suffix),
        ];
        Self {
            pseudo: pseudo
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            ..Self::default()
        }
    }
}

/// A template together with a world, ready to resolve its nodes.
#[derive(Debug)]
pub struct Evaluator<'a> {
    template: &'a Template,
    world: &'a World,
    /// Conditions being resolved, to notice one that needs itself.
    open: RefCell<Vec<String>>,
}

impl<'a> Evaluator<'a> {
    /// Checks the parameter values against the template.
    ///
    /// # Errors
    /// All at once: a value for a parameter that is not declared, a parameter without value
    /// and default, a value that is not among the allowed ones.
    pub fn new(template: &'a Template, world: &'a World) -> Result<Self, Vec<Finding>> {
        match Self::read(template, world) {
            (evaluator, faults) if faults.is_empty() => Ok(evaluator),
            (_, faults) => Err(faults),
        }
    }

    /// The same with whatever is wrong with the values.
    #[must_use]
    pub fn read(template: &'a Template, world: &'a World) -> (Self, Vec<Finding>) {
        let mut faults = template.undeclared(world.parameters.keys().map(String::as_str));
        for parameter in &template.parameters {
            let given = world.parameters.get(&parameter.name);
            let Some(value) = given.or(parameter.default.as_ref()) else {
                if world.lenient {
                    continue;
                }
                faults.push(
                    Finding::new(
                        &no_value::RULE,
                        &template.file,
                        Some(parameter.node.place),
                        format!("parameter {} has no value and no default", parameter.name),
                    )
                    .hint("give it in a parameter file"),
                );
                continue;
            };
            let allowed = &parameter.allowed_values;
            let fits = |value: &str| allowed.iter().any(|one| one == value);
            let fine = if parameter.is_list() {
                value.split(',').all(|one| fits(one.trim()))
            } else {
                fits(value)
            };
            if !allowed.is_empty() && !fine {
                faults.push(Finding::new(
                    &wrong_value::RULE,
                    &template.file,
                    Some(parameter.node.place),
                    format!(
                        "parameter {} is {value:?}; allowed are {}",
                        parameter.name,
                        allowed.join(", ")
                    ),
                ));
            }
        }
        let evaluator = Self {
            template,
            world,
            open: RefCell::default(),
        };
        (evaluator, faults)
    }

    /// A node with every function resolved; nothing when it is `AWS::NoValue`.
    ///
    /// # Errors
    /// A function that is not known here or has the wrong shape, a name that is not in the
    /// template; with the place of the function.
    pub fn node(&self, node: &Node) -> Result<Option<Node>, Finding> {
        if let Some((function, argument)) = function(node) {
            return match self.call(&function, argument, node.place) {
                Err(_) if self.world.lenient => {
                    Ok(Some(Node::text(format!("${{{function}}}"), node.place)))
                }
                result => result,
            };
        }
        if let Some(tag) = &node.tag {
            return Err(self.unknown_function(tag, node.place));
        }
        let content = match &node.content {
            Content::Scalar(text, Style::Plain) => {
                let value = yaml11::value(text).unwrap_or_else(|| text.clone());
                Content::Scalar(value, Style::Plain)
            }
            Content::Scalar(text, style) => Content::Scalar(text.clone(), *style),
            Content::Sequence(items) => {
                let mut kept = Vec::with_capacity(items.len());
                for item in items {
                    kept.extend(self.node(item)?);
                }
                Content::Sequence(kept)
            }
            Content::Mapping(entries) => {
                let mut kept = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    kept.extend(self.node(value)?.map(|value| (key.clone(), value)));
                }
                Content::Mapping(kept)
            }
        };
        Ok(Some(Node {
            content,
            tag: None,
            place: node.place,
        }))
    }

    /// Whether a named condition holds.
    ///
    /// # Errors
    /// A condition that is not declared, needs itself, or cannot be resolved, as one over a value that is
    /// not known here.
    pub fn condition(&self, name: &str, place: Place) -> Result<bool, Finding> {
        let Some((_, node)) = self.template.conditions.iter().find(|(one, _)| one == name) else {
            let names = self.template.conditions.iter().map(|(one, _)| one.as_str());
            return Err(self
                .broken(
                    &undeclared_name::RULE,
                    place,
                    format!("condition {name} is not declared"),
                )
                .maybe_hint(did_you_mean(name, names)));
        };
        if self.open.borrow().iter().any(|one| one == name) {
            return Err(self.fault(place, format!("condition {name} needs itself")));
        }
        self.open.borrow_mut().push(name.to_owned());
        let result = self.truth(node);
        self.open.borrow_mut().pop();
        result
    }

    fn reference(&self, name: &str, place: Place) -> Result<Option<Node>, Finding> {
        if name == "AWS::NoValue" {
            return Ok(None);
        }
        if let Some(value) = self.world.pseudo.get(name) {
            return Ok(Some(Node::text(value, place)));
        }
        if self.world.lenient && language::PSEUDO_PARAMETERS.contains(&name) {
            return Ok(Some(Node::text(format!("${{{name}}}"), place)));
        }
        if let Some(parameter) = self.template.parameter(name) {
            return self.parameter(parameter, place).map(Some);
        }
        if self.template.resource(name).is_some() {
            return Ok(Some(Node::text(self.deployed(name), place)));
        }
        if name.starts_with("AWS::") {
            return Err(self
                .fault(place, format!("{name} has no value here"))
                .maybe_hint(did_you_mean(
                    name,
                    self.world.pseudo.keys().map(String::as_str),
                )));
        }
        let parameters = self.template.parameters.iter().map(|one| one.name.as_str());
        let resources = self.template.resources.iter().map(|one| one.id.as_str());
        Err(self
            .broken(
                &undeclared_name::RULE,
                place,
                format!("{name} is neither a parameter nor a resource"),
            )
            .maybe_hint(did_you_mean(name, parameters.chain(resources))))
    }

    /// A text for what only a deployed stack knows.
    fn deployed(&self, text: &str) -> String {
        if self.world.lenient {
            format!("${{{text}}}")
        } else {
            text.to_owned()
        }
    }

    fn parameter(&self, parameter: &Parameter, place: Place) -> Result<Node, Finding> {
        let given = self.world.parameters.get(&parameter.name);
        let read_elsewhere = parameter.kind.starts_with("AWS::SSM::Parameter::Value<");
        let unknown = given.is_none() && (parameter.default.is_none() || read_elsewhere);
        if self.world.lenient && unknown {
            return Ok(Node::text(format!("${{{}}}", parameter.name), place));
        }
        if read_elsewhere {
            return Err(self
                .fault(
                    place,
                    format!(
                        "parameter {} is read from Parameter Store, which is not asked here",
                        parameter.name
                    ),
                )
                .hint("give the value itself through a parameter of a plain type"));
        }
        let value = given
            .or(parameter.default.as_ref())
            .map_or("", String::as_str);
        if !parameter.is_list() {
            return Ok(Node::text(value, place));
        }
        let items = value.split(',').map(|one| Node::text(one.trim(), place));
        Ok(Node {
            content: Content::Sequence(if value.is_empty() {
                Vec::new()
            } else {
                items.collect()
            }),
            tag: None,
            place,
        })
    }

    fn fault(&self, place: Place, message: impl Into<String>) -> Finding {
        self.broken(&unresolved_function::RULE, place, message)
    }

    fn broken(&self, rule: &'static Rule, place: Place, message: impl Into<String>) -> Finding {
        Finding::new(rule, &self.template.file, Some(place), message)
    }
}

/// The function of a node and its argument: `!Sub x` and `{"Fn::Sub": x}` alike, by the
/// long name.
pub(crate) fn function(node: &Node) -> Option<(String, Argument<'_>)> {
    if let Some(tag) = &node.tag {
        let name = tag.strip_prefix('!')?;
        let long = match name {
            "Ref" | "Condition" => name.to_owned(),
            _ => format!("Fn::{}", name.strip_prefix("Fn::").unwrap_or(name)),
        };
        return Some((long, Argument { node, tagged: true }));
    }
    let [(key, value)] = node.as_mapping()? else {
        return None;
    };
    let name = key.as_str()?;
    // A mapping with the single key `Condition` is a function only among conditions; there
    // `Evaluator::truth` looks for it.
    let known = name == "Ref" || name.starts_with("Fn::");
    known.then(|| {
        (
            name.to_owned(),
            Argument {
                node: value,
                tagged: false,
            },
        )
    })
}

/// What stands behind a function: with a tag, the tagged node itself is the argument.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Argument<'a> {
    node: &'a Node,
    tagged: bool,
}

impl Argument<'_> {
    /// The argument without the tag that named the function.
    pub(crate) fn bare(self) -> Node {
        let mut node = self.node.clone();
        if self.tagged {
            node.tag = None;
        }
        node
    }
}

#[cfg(test)]
mod tests;
