//! What rewrites a template before CloudFormation reads it: transforms, macros, modules, loops, and rain.

use crate::model::evaluate::function;
use crate::model::functions::has_function;
use crate::model::template::Template;
use crate::model::yaml::{Content, Node};

/// The directives of rain, which writes a template out before it is deployed.
pub(crate) const RAIN: &str = "Fn::Rain::";

/// Whether a macro of its author's, or rain, may write any text into the template; macros of AWS have names that
/// begin with `AWS::`.
#[must_use]
pub(crate) fn has_own_macro(template: &Template) -> bool {
    fn names(node: &Node) -> bool {
        match &node.content {
            Content::Scalar(name, _) => !name.starts_with("AWS::"),
            Content::Sequence(items) => items.iter().any(names),
            Content::Mapping(_) => node.get("Name").is_none_or(names),
        }
    }
    fn calls(node: &Node) -> bool {
        let own = function(node).is_some_and(|(name, argument)| {
            name == "Fn::Transform" && names(&argument.bare()) || name.starts_with(RAIN)
        });
        own || match &node.content {
            Content::Scalar(..) => false,
            Content::Sequence(items) => items.iter().any(calls),
            Content::Mapping(entries) => entries.iter().any(|(key, value)| {
                let key = key.as_str().unwrap_or_default();
                key == "Fn::Transform" && names(value) || key.starts_with("Rain::") || calls(value)
            }),
        }
    }
    let whole = template
        .root
        .get("Transform")
        .filter(|node| !node.is_null());
    whole.is_some_and(names) || calls(&template.root)
}

/// Whether something rewrites the template before it is read: a transform, a macro, a module, a loop.
#[must_use]
pub fn is_transformed(template: &Template) -> bool {
    template
        .root
        .get("Transform")
        .is_some_and(|node| !node.is_null())
        || template
            .resources
            .iter()
            .any(|one| one.kind.ends_with("::MODULE"))
        || has_function(&template.root, &|name| {
            name == "Fn::Transform" || name.starts_with("Fn::ForEach")
        })
        || has_own_macro(template)
}
