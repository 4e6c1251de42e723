//! `#{namespace.KEY}` in a string: finding, resolving, and the limits around it.
//!
//! Source of the rules: CodePipeline user guide, "Variables" and "Quotas".

use std::collections::BTreeMap;
use std::ops::Range;

use crate::finding::did_you_mean;

/// The namespace of the pipeline execution itself; its only key is `PipelineExecutionId`.
pub const EXECUTION_NAMESPACE: &str = "codepipeline";
/// The only key of [`EXECUTION_NAMESPACE`].
pub const EXECUTION_KEY: &str = "PipelineExecutionId";
/// The namespace of pipeline-level variables.
pub const PIPELINE_NAMESPACE: &str = "variables";

/// The most characters a resolved configuration value may have.
pub const MAX_VALUE_CHARS: usize = 1_000;
/// The most bytes `ParameterOverrides` of a CloudFormation action may have.
pub const MAX_OVERRIDES_BYTES: usize = 1_024;
/// The most bytes all output variables of one action may have together.
pub const MAX_OUTPUT_BYTES: usize = 122_880;

/// Known variables: keys and values by namespace.
pub type Variables = BTreeMap<String, BTreeMap<String, String>>;

/// A reference in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The namespace of the action that makes the variable.
    pub namespace: String,
    /// The variable.
    pub key: String,
    /// Where `#{…}` stands in the text, in bytes.
    pub span: Range<usize>,
}

/// Why a text could not be resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VariableError {
    /// `#{` without `}`.
    #[error("`#{{` at offset {offset} is never closed")]
    Unclosed {
        /// Byte offset of the `#`.
        offset: usize,
    },
    /// `#{…}` that is not `namespace.KEY`.
    #[error(
        "#{{{text}}} is not a variable; write #{{namespace.KEY}} with letters, digits and @ - _"
    )]
    Malformed {
        /// What stands between the braces.
        text: String,
    },
    /// No action has that namespace.
    #[error("#{{{namespace}.{key}}}: no such namespace{}", hinted(.nearest))]
    UnknownNamespace {
        /// The namespace.
        namespace: String,
        /// The variable.
        key: String,
        /// The nearest known namespace, as a hint.
        nearest: Option<String>,
    },
    /// The action did not make that variable.
    #[error("#{{{namespace}.{key}}}: {namespace} has no variable {key}{}; it has {}", hinted(.nearest), listed(.known))]
    UnknownKey {
        /// The namespace.
        namespace: String,
        /// The variable.
        key: String,
        /// The nearest known variable, as a hint.
        nearest: Option<String>,
        /// What the namespace has.
        known: Vec<String>,
    },
    /// A value would break the JSON that it is put into.
    #[error(
        "#{{{namespace}.{key}}}: the value holds {character:?} at offset {offset} and would break the JSON of {field}"
    )]
    NotJsonPlain {
        /// The namespace.
        namespace: String,
        /// The variable.
        key: String,
        /// The offending character.
        character: char,
        /// Its byte offset in the value.
        offset: usize,
        /// The configuration field.
        field: String,
    },
    /// A configuration value is too long.
    #[error("{field} has {length} {unit}{after}, the limit is {limit}{}", advice(.field))]
    TooLong {
        /// The configuration field.
        field: String,
        /// Its length.
        length: usize,
        /// `characters` or `bytes`.
        unit: &'static str,
        /// " once resolved", or nothing.
        after: &'static str,
        /// The limit in the same unit.
        limit: usize,
    },
}

fn hinted(nearest: &Option<String>) -> String {
    nearest
        .as_ref()
        .map_or_else(String::new, |hint| format!(" ({hint})"))
}

fn listed(known: &[String]) -> String {
    if known.is_empty() {
        "none".to_owned()
    } else {
        known.join(", ")
    }
}

fn advice(field: &str) -> &'static str {
    if field == "ParameterOverrides" {
        ": move values to the TemplateConfiguration file or use Fn::GetParam"
    } else {
        ""
    }
}

/// The references of a text, in order.
///
/// # Errors
/// `#{` that is never closed or does not hold `namespace.KEY`.
pub fn references(text: &str) -> Result<Vec<Reference>, VariableError> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find("#{") {
        let start = from + at;
        let Some(length) = text[start..].find('}') else {
            return Err(VariableError::Unclosed { offset: start });
        };
        let inner = &text[start + 2..start + length];
        from = start + length + 1;
        let parts = inner.split_once('.');
        match parts {
            Some((namespace, key)) if is_name(namespace) && is_name(key) => {
                found.push(Reference {
                    namespace: namespace.to_owned(),
                    key: key.to_owned(),
                    span: start..from,
                });
            }
            _ => {
                return Err(VariableError::Malformed {
                    text: inner.to_owned(),
                });
            }
        }
    }
    Ok(found)
}

/// Whether a namespace or key is `[A-Za-z0-9@\-_]{1,}`.
#[must_use]
pub fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"@-_".contains(&byte))
}

/// The text with every reference replaced by its value. Values are not checked: a
/// value that itself holds `#{…}` stays as it is.
///
/// # Errors
/// A malformed reference, an unknown namespace or key.
pub fn resolve(text: &str, variables: &Variables) -> Result<String, VariableError> {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for reference in references(text)? {
        out.push_str(&text[from..reference.span.start]);
        out.push_str(lookup(&reference, variables)?);
        from = reference.span.end;
    }
    out.push_str(&text[from..]);
    Ok(out)
}

/// The value of a reference.
///
/// # Errors
/// An unknown namespace or key, with the nearest known one.
pub fn lookup<'a>(
    reference: &Reference,
    variables: &'a Variables,
) -> Result<&'a str, VariableError> {
    let Reference { namespace, key, .. } = reference;
    let Some(keys) = variables.get(namespace) else {
        return Err(VariableError::UnknownNamespace {
            namespace: namespace.clone(),
            key: key.clone(),
            nearest: did_you_mean(namespace, variables.keys().map(String::as_str)),
        });
    };
    keys.get(key)
        .map(String::as_str)
        .ok_or_else(|| VariableError::UnknownKey {
            namespace: namespace.clone(),
            key: key.clone(),
            nearest: did_you_mean(key, keys.keys().map(String::as_str)),
            known: keys.keys().cloned().collect(),
        })
}

/// Resolves one value of an action's configuration, with the limits of its field.
///
/// `ParameterOverrides` and `EnvironmentVariables` are JSON into which CodePipeline puts
/// values as they are; a value with a quote, a backslash or a control character would
/// break it or add to it, and is refused.
///
/// # Errors
/// Whatever [`resolve`] refuses, a value that is not JSON-plain, and a field beyond its
/// limit before or after resolution (which of the two AWS measures is not documented).
pub fn resolve_field(
    field: &str,
    text: &str,
    variables: &Variables,
) -> Result<String, VariableError> {
    check_length(field, text, "")?;
    if is_json_field(field) {
        for reference in references(text)? {
            let value = lookup(&reference, variables)?;
            if let Some((offset, character)) = first_not_json_plain(value) {
                return Err(VariableError::NotJsonPlain {
                    namespace: reference.namespace,
                    key: reference.key,
                    character,
                    offset,
                    field: field.to_owned(),
                });
            }
        }
    }
    let resolved = resolve(text, variables)?;
    check_length(field, &resolved, " once resolved")?;
    Ok(resolved)
}

/// Whether a configuration field holds JSON.
#[must_use]
pub fn is_json_field(field: &str) -> bool {
    matches!(field, "ParameterOverrides" | "EnvironmentVariables")
}

/// The first character that cannot stand unescaped in a JSON string, with its byte offset.
#[must_use]
pub fn first_not_json_plain(value: &str) -> Option<(usize, char)> {
    value
        .char_indices()
        .find(|(_, c)| matches!(c, '"' | '\\') || (*c as u32) < 0x20)
}

/// Checks the length of a field.
///
/// # Errors
/// More than [`MAX_VALUE_CHARS`] characters, or for `ParameterOverrides` more than
/// [`MAX_OVERRIDES_BYTES`] bytes.
pub fn check_length(field: &str, text: &str, after: &'static str) -> Result<(), VariableError> {
    let too_long = |length, unit, limit| {
        Err(VariableError::TooLong {
            field: field.to_owned(),
            length,
            unit,
            after,
            limit,
        })
    };
    if field == "ParameterOverrides" && text.len() > MAX_OVERRIDES_BYTES {
        return too_long(text.len(), "bytes", MAX_OVERRIDES_BYTES);
    }
    let characters = text.chars().count();
    if characters > MAX_VALUE_CHARS {
        return too_long(characters, "characters", MAX_VALUE_CHARS);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use proptest::prelude::*;

    use super::*;

    fn known() -> Variables {
        let keys = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect()
        };
        Variables::from([
            (
                "AMIcreation".to_owned(),
                keys(&[("AMI_ID", "ami-1"), ("NOTE", "say \"hi\"")]),
            ),
            ("Src".to_owned(), keys(&[("VersionId", "v#{x.y}")])),
        ])
    }

    fn fails(text: &str) -> String {
        resolve(text, &known()).unwrap_err().to_string()
    }

    #[test]
    fn references_are_replaced_once() {
        let text = r##"{"AMIId":"#{AMIcreation.AMI_ID}"} # {x} #{Src.VersionId}"##;
        assert_eq!(
            resolve(text, &known()).unwrap(),
            r##"{"AMIId":"ami-1"} # {x} v#{x.y}"##
        );
    }

    #[test]
    fn faults_are_precise() {
        assert_eq!(
            fails("#{AMIcreaton.AMI_ID}"),
            "#{AMIcreaton.AMI_ID}: no such namespace (did you mean AMIcreation?)"
        );
        assert_eq!(
            fails("#{AMIcreation.AMIID}"),
            "#{AMIcreation.AMIID}: AMIcreation has no variable AMIID (did you mean AMI_ID?); it has AMI_ID, NOTE"
        );
        assert_eq!(fails("a #{b"), "`#{` at offset 2 is never closed");
        for bad in ["#{}", "#{a}", "#{a.b.c}", "#{a. b}", "#{.b}"] {
            assert!(fails(bad).contains("is not a variable"), "{bad}");
        }
    }

    #[test]
    fn values_in_json_must_be_plain() {
        let field = |name: &str| resolve_field(name, "{\"A\":\"#{AMIcreation.NOTE}\"}", &known());
        assert_eq!(
            field("ParameterOverrides").unwrap_err().to_string(),
            "#{AMIcreation.NOTE}: the value holds '\"' at offset 4 and would break the JSON of ParameterOverrides"
        );
        assert!(field("EnvironmentVariables").is_err());
        assert!(field("StackName").is_ok());
    }

    #[test]
    fn limits_hold_before_and_after() {
        let mut variables = known();
        let long = "x".repeat(990);
        variables
            .entry("L".to_owned())
            .or_default()
            .insert("V".to_owned(), long);
        let value = resolve_field("StackName", "0123456789#{L.V}", &variables).unwrap();
        assert_eq!(value.len(), 1_000);
        assert_eq!(
            resolve_field("StackName", "0123456789-#{L.V}", &variables)
                .unwrap_err()
                .to_string(),
            "StackName has 1001 characters once resolved, the limit is 1000"
        );
        // 600 characters, but 1 200 bytes.
        assert_eq!(
            resolve_field("ParameterOverrides", &"é".repeat(600), &variables)
                .unwrap_err()
                .to_string(),
            "ParameterOverrides has 1200 bytes, the limit is 1024: move values to the TemplateConfiguration file or use Fn::GetParam"
        );
    }

    proptest! {
        #[test]
        fn what_is_put_in_comes_out(
            parts in proptest::collection::vec(("[^#]{0,8}", "[A-Za-z0-9@_-]{1,8}", "[A-Za-z0-9@_-]{1,8}", "\\PC{0,8}"), 0..6),
            tail in "[^#]{0,8}",
        ) {
            let mut variables = Variables::new();
            for (_, namespace, key, value) in &parts {
                variables.entry(namespace.clone()).or_default().entry(key.clone()).or_insert_with(|| value.clone());
            }
            let mut text = String::new();
            let mut expected = String::new();
            for (before, namespace, key, _) in &parts {
                text.push_str(&format!("{before}#{{{namespace}.{key}}}"));
                expected.push_str(&format!("{before}{}", variables[namespace][key]));
            }
            text.push_str(&tail);
            expected.push_str(&tail);
            prop_assert_eq!(references(&text).unwrap().len(), parts.len());
            prop_assert_eq!(resolve(&text, &variables).unwrap(), expected);
        }

        #[test]
        fn a_text_without_references_is_itself(text in "\\PC{0,40}") {
            let plain = !text.contains("#{");
            prop_assume!(plain);
            prop_assert_eq!(resolve(&text, &known()).unwrap(), text);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[#{}.aé]{0,20}") {
            if let Ok(found) = references(&text) {
                for one in found {
                    let begins = text[one.span].starts_with("#{");
                    prop_assert!(begins);
                }
            }
        }
    }
}
