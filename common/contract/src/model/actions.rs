//! The providers of CodePipeline's actions and stage rules, the settings that each takes, and how many artifacts.
//!
//! Source: CodePipeline user guide, "Action structure reference" with its page for each provider, "Rule structure
//! reference", and "Valid input and output artifacts for each action type". A provider whose page does not list all is
//! `open`: nothing is said about a setting of it that is not listed here.

mod build;
mod deploy;
mod invoke;
mod provider;
mod rule;
mod source;

pub use deploy::ACTION_MODES;
pub use provider::{Kind, Need, Provider, Setting};

/// The categories of actions.
pub const CATEGORIES: [&str; 7] = [
    "Source", "Build", "Test", "Deploy", "Approval", "Invoke", "Compute",
];

/// The category of the rules of stage conditions.
pub const RULE: &str = "Rule";

/// The owners of action kinds.
pub const OWNERS: [&str; 3] = ["AWS", "ThirdParty", "Custom"];

/// Where the value of a build's variable is.
pub const VARIABLE_TYPES: [&str; 3] = ["PLAINTEXT", "PARAMETER_STORE", "SECRETS_MANAGER"];

/// Every provider; those of stage rules are in the category [`RULE`].
pub fn providers() -> impl Iterator<Item = &'static Provider> {
    let all = [source::ALL, build::ALL, deploy::ALL, invoke::ALL, rule::ALL];
    all.into_iter().flatten()
}

/// The provider of an action or a stage rule; nothing for one that is not known here.
#[must_use]
pub fn provider(category: &str, owner: &str, name: &str) -> Option<&'static Provider> {
    providers().find(|one| one.name == name && one.owner == owner && one.is_in(category))
}
