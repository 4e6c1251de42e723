//! Variables of the build that Compose is given, and what is written down of them with a release.

use std::borrow::Cow;
use std::collections::BTreeMap;

use action::export::quote::posix as quote;
use action::redact::redacted;
use action::settings::secret::Secret;
use jiff::Timestamp;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// Names with values that Compose is given in its environment. None of them is shipped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables(BTreeMap<String, Variable>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Variable {
    /// Its value is written down with a release.
    Plain(String),
    /// Its value is a secret, and is written down nowhere.
    Secret {
        /// None where this deployment does not have it.
        value: Option<Secret>,
        /// What tells whether the release was run with another one.
        mark: Option<Mark>,
    },
}

/// Tells whether a value is the one that a release was run with. It has 32 bits, so that nobody finds a value by it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    salt: String,
    sum: String,
}

impl Mark {
    fn of(salt: &str, value: &Secret) -> Self {
        let sum = Sha256::new()
            .chain_update(salt)
            .chain_update([0])
            .chain_update(value.reveal())
            .finalize();
        Self {
            salt: salt.to_owned(),
            sum: sum[..4].iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    fn fits(&self, value: &Secret) -> bool {
        *self == Self::of(&self.salt, value)
    }
}

impl Variables {
    /// Those of this deployment. What is declared a secret, or holds one, is one.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>, secrets: &[String]) -> Self {
        let variable = |(name, value): (String, String)| {
            let is_secret = secrets.contains(&name) || matches!(redacted(&value), Cow::Owned(_));
            let variable = match is_secret {
                true => Variable::Secret {
                    value: Some(value.into()),
                    mark: None,
                },
                false => Variable::Plain(value),
            };
            (name, variable)
        };
        Self(pairs.into_iter().map(variable).collect())
    }

    /// A command for a shell that sets them all; empty when there are none.
    pub fn exports(&self) -> String {
        let words: Vec<String> = self
            .0
            .iter()
            .filter_map(|(name, variable)| Some(format!("{name}={}", quote(variable.value()?))))
            .collect();
        match words.is_empty() {
            true => String::new(),
            false => format!("export {}; ", words.join(" ")),
        }
    }

    /// The names of those with another value than `kept` has, or that only one of the two has.
    pub fn unlike(&self, kept: &Self) -> Vec<String> {
        let mut names: Vec<&String> = self.0.keys().chain(kept.0.keys()).collect();
        names.sort();
        names.dedup();
        let is_like = |name: &str| match (self.0.get(name), kept.0.get(name)) {
            (Some(ours), Some(kept)) => ours.is_like(kept),
            _ => false,
        };
        names.retain(|name| !is_like(name));
        names.into_iter().cloned().collect()
    }

    /// The names of secrets that a release was run with and that this deployment does not have.
    pub fn missing(&self) -> Vec<&str> {
        self.secrets(|value, _| value.is_none())
    }

    /// The names of secrets of which this deployment has another value than the release was run with.
    pub fn replaced(&self) -> Vec<&str> {
        self.secrets(|value, mark| match (value, mark) {
            (Some(value), Some(mark)) => !mark.fits(value),
            _ => false,
        })
    }

    fn secrets(&self, is_meant: impl Fn(Option<&Secret>, Option<&Mark>) -> bool) -> Vec<&str> {
        let all = self.0.iter().filter_map(|(name, variable)| match variable {
            Variable::Secret { value, mark } => {
                is_meant(value.as_ref(), mark.as_ref()).then_some(name.as_str())
            }
            Variable::Plain(_) => None,
        });
        all.collect()
    }

    /// What is written down: the values, and a mark of each secret.
    pub fn to_json(&self) -> (Map<String, Value>, Map<String, Value>) {
        let (mut plain, mut marks) = (Map::new(), Map::new());
        // No two releases have the same one.
        let salt = format!("{:x}", Timestamp::now().as_nanosecond());
        for (name, variable) in &self.0 {
            match variable {
                Variable::Plain(value) => {
                    plain.insert(name.clone(), Value::from(value.as_str()));
                }
                Variable::Secret { value, mark } => {
                    let own = value.as_ref().map(|value| Mark::of(&salt, value));
                    let mark = own.as_ref().or(mark.as_ref());
                    let text = mark.map(|mark| format!("{}:{}", mark.salt, mark.sum));
                    marks.insert(name.clone(), Value::from(text));
                }
            }
        }
        (plain, marks)
    }

    /// Reads [`Variables::to_json`]. Values of secrets are those of this deployment.
    pub fn from_json(plain: Option<&Value>, marks: Option<&Value>, ours: &Self) -> Self {
        let pairs = |value: Option<&Value>| -> Vec<(String, String)> {
            let all = value.and_then(Value::as_object).into_iter().flatten();
            all.map(|(name, text)| (name.clone(), text.as_str().unwrap_or_default().to_owned()))
                .collect()
        };
        let plain = pairs(plain)
            .into_iter()
            .map(|(name, value)| (name, Variable::Plain(value)));
        let secrets = pairs(marks).into_iter().map(|(name, text)| {
            let mark = text.split_once(':').map(|(salt, sum)| Mark {
                salt: salt.to_owned(),
                sum: sum.to_owned(),
            });
            let value = ours.0.get(&name).and_then(Variable::value);
            let value = value.map(|value| Secret::from(value.to_owned()));
            (name, Variable::Secret { value, mark })
        });
        Self(plain.chain(secrets).collect())
    }
}

impl Variable {
    fn value(&self) -> Option<&str> {
        match self {
            Self::Plain(value) => Some(value),
            Self::Secret { value, .. } => value.as_ref().map(Secret::reveal),
        }
    }

    fn is_like(&self, kept: &Self) -> bool {
        match (self, kept) {
            (
                Self::Secret {
                    value: Some(value), ..
                },
                Self::Secret {
                    mark: Some(mark), ..
                },
            ) => mark.fits(value),
            _ => self.value() == kept.value(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Variables::new(pairs, &["TOKEN".to_owned()])
    }

    /// What is known of a release's variables by a deployment that has `ours`.
    fn kept(of: &Variables, ours: &Variables) -> Variables {
        let (plain, marks) = of.to_json();
        Variables::from_json(Some(&plain.into()), Some(&marks.into()), ours)
    }

    #[test]
    fn they_are_set_in_a_shell() {
        let all = variables(&[("TAG", "v7"), ("TOKEN", "it's secret")]);
        assert_eq!(all.exports(), r"export TAG='v7' TOKEN='it'\''s secret'; ");
        assert_eq!(Variables::default().exports(), "");
    }

    #[test]
    fn a_secret_is_not_written_down_and_a_new_one_is_noticed() {
        let before = variables(&[("TAG", "v7"), ("TOKEN", "first-secret")]);
        let (plain, marks) = before.to_json();
        let text = format!("{plain:?}{marks:?}");
        assert!(
            text.contains("v7") && !text.contains("first-secret"),
            "{text}"
        );
        assert!(!format!("{before:?}").contains("first-secret"));

        let same = kept(&before, &before);
        assert_eq!(before.unlike(&same), Vec::<String>::new());
        assert_eq!((same.missing(), same.replaced()), (vec![], vec![]));

        let ours = variables(&[("TAG", "v8"), ("TOKEN", "second-secret")]);
        let known = kept(&before, &ours);
        assert_eq!(ours.unlike(&known), ["TAG", "TOKEN"]);
        assert_eq!(known.replaced(), ["TOKEN"]);
        // The release before gets its own tag back.
        assert_eq!(known.exports(), "export TAG='v7' TOKEN='second-secret'; ");

        let without = variables(&[]);
        let known = kept(&before, &without);
        assert_eq!((known.missing(), known.replaced()), (vec!["TOKEN"], vec![]));
        assert_eq!(without.unlike(&known), ["TAG", "TOKEN"]);
        // Going back twice keeps the mark of the first time.
        assert_eq!(before.unlike(&kept(&known, &before)), Vec::<String>::new());
    }
}
