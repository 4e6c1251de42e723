//! Deciding, without network and clock: the name, the run key, the tags, whether an image is ours.

use crate::settings::{Checked, Consistency};
use action::codebuild::CodeBuild;
use std::collections::BTreeMap;

/// The tag that says which run made an image. `CreateImage` has no client token, so this is how a
/// lost reply is found again.
pub const RUN_TAG: &str = "make-ami:run";
/// The tag that says how still the instance was.
pub const CONSISTENCY_TAG: &str = "make-ami:consistency";
/// The tag that names the instance.
pub const SOURCE_TAG: &str = "make-ami:instance";

/// What is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The instance.
    pub instance_id: String,
    /// The image's name.
    pub name: String,
    /// Identifies the run; a retry of the same build has the same.
    pub run: String,
    /// How still the instance is.
    pub consistency: Consistency,
    /// All tags of the image.
    pub tags: BTreeMap<String, String>,
}

impl Plan {
    /// Decides. `utc` is the time as `20261123T093300Z`.
    ///
    /// # Errors
    /// A name that EC2 would refuse.
    pub fn new(settings: &Checked, build: &CodeBuild, utc: &str) -> Result<Self, String> {
        let name = fill(&settings.ami_name, &settings.instance_id, build, utc);
        check_name(&name)?;
        // Within a build the key is free of the clock: a second try must find the first one's image.
        // On a laptop it is not: adopting yesterday's image of the same instance would be a lie.
        let run = match &build.build_id {
            Some(id) => format!(
                "{id}/{}/{}/{}",
                settings.instance_id, settings.ami_name, settings.consistency
            ),
            None => format!(
                "local/{}/{name}/{}",
                settings.instance_id, settings.consistency
            ),
        };
        let run: String = run.chars().take(256).collect();
        let mut tags = settings.tags.0.clone();
        tags.insert(RUN_TAG.to_owned(), run.clone());
        tags.insert(CONSISTENCY_TAG.to_owned(), settings.consistency.to_string());
        tags.insert(SOURCE_TAG.to_owned(), settings.instance_id.clone());
        Ok(Self {
            instance_id: settings.instance_id.clone(),
            name,
            run,
            consistency: settings.consistency,
            tags,
        })
    }

    /// The plan for people.
    #[must_use]
    pub fn text(&self) -> String {
        let tags = self
            .tags
            .iter()
            .map(|(key, value)| format!("\n    {key} = {value}"));
        format!(
            "plan: make image {:?} of {} ({})\n  tags:{}\n",
            self.name,
            self.instance_id,
            self.consistency,
            tags.collect::<String>()
        )
    }

    /// The plan for machines.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "instance_id": self.instance_id,
            "name": self.name,
            "run": self.run,
            "consistency": self.consistency.to_string(),
            "tags": self.tags,
        })
    }
}

const PLACEHOLDERS: [&str; 4] = ["{instance}", "{utc}", "{build}", "{commit}"];

fn fill(template: &str, instance_id: &str, build: &CodeBuild, utc: &str) -> String {
    // A build id is `project:uuid`; a colon is not allowed in an image's name.
    let id = build.build_id.as_deref().unwrap_or("local");
    let id = id.rsplit(':').next().unwrap_or(id);
    let commit = build.resolved_source_version.as_deref().unwrap_or("none");
    let commit: String = commit
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(12)
        .collect();
    template
        .replace("{instance}", instance_id)
        .replace("{utc}", utc)
        .replace("{build}", &id.chars().take(36).collect::<String>())
        .replace("{commit}", &commit)
}

/// Checks a name's template as far as that is possible before it is filled in.
///
/// # Errors
/// An unknown placeholder, or a character that no name may hold.
pub fn check_name_template(template: &str) -> Result<(), String> {
    let bare = PLACEHOLDERS
        .iter()
        .fold(template.to_owned(), |rest, known| {
            rest.replace(known, "xxx")
        });
    if bare.contains(['{', '}']) {
        return Err(format!(
            "{template:?} has an unknown placeholder; known are {}",
            PLACEHOLDERS.join(", ")
        ));
    }
    check_name(&bare)
}

/// EC2's rule: 3 to 128 characters of letters, digits, `( ) [ ] . / - ' @ _` and space
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateImage.html>).
///
/// # Errors
/// What is wrong, in words.
pub fn check_name(name: &str) -> Result<(), String> {
    if let Some(bad) = name
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && !"()[] ./-'@_".contains(*c))
    {
        return Err(format!(
            "{name:?} holds {bad:?}; an image's name has letters, digits, space and ()[]./-'@_"
        ));
    }
    match name.chars().count() {
        3..=128 => Ok(()),
        length => Err(format!(
            "{name:?} has {length} characters; an image's name has 3 to 128"
        )),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{Plan, check_name, check_name_template};
    use crate::settings::{Checked, Consistency, OnTimeout, SnapshotTags, Tags};
    use action::codebuild::CodeBuild;
    use proptest::prelude::*;

    fn settings(name: &str) -> Checked {
        Checked {
            instance_id: "i-0123456789abcdef0".to_owned(),
            ami_name: name.to_owned(),
            consistency: Consistency::NoReboot,
            tags: Tags::default(),
            snapshot_tags: SnapshotTags::AtCreate,
            on_timeout: OnTimeout::Keep,
        }
    }

    fn build(id: &str) -> CodeBuild {
        CodeBuild {
            build_id: Some(id.to_owned()),
            ..CodeBuild::default()
        }
    }

    #[test]
    fn the_default_name_is_valid_in_a_build_and_on_a_laptop() {
        let default = "{instance}-{utc}-{build}";
        let id = "ami:8f2e9c1a-0000-1111-2222-333344445555";
        let plan = Plan::new(&settings(default), &build(id), "20261123T093300Z").unwrap();
        assert_eq!(
            plan.name,
            "i-0123456789abcdef0-20261123T093300Z-8f2e9c1a-0000-1111-2222-333344445555"
        );
        let plan = Plan::new(
            &settings(default),
            &CodeBuild::default(),
            "20261123T093300Z",
        )
        .unwrap();
        assert_eq!(plan.name, "i-0123456789abcdef0-20261123T093300Z-local");
    }

    #[test]
    fn names_follow_ec2s_rule() {
        for good in ["abc", "a b (1) [2] ./-'@_"] {
            assert_eq!(check_name(good), Ok(()));
        }
        for bad in ["ab", "a:b", "ümlaut", "a*b", &"x".repeat(129)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert!(
            check_name_template("web-{tuc}")
                .unwrap_err()
                .contains("unknown placeholder")
        );
    }

    #[test]
    fn a_second_try_in_a_build_has_the_same_run_key_and_a_laptop_has_not() {
        let default = settings("{instance}-{utc}-{build}");
        let run = |build: &CodeBuild, utc: &str| Plan::new(&default, build, utc).unwrap().run;
        assert_eq!(run(&build("ami:1"), "early"), run(&build("ami:1"), "later"));
        assert_ne!(run(&build("ami:1"), "early"), run(&build("ami:2"), "early"));
        let laptop = CodeBuild::default();
        assert_ne!(run(&laptop, "early"), run(&laptop, "later"));
    }

    proptest! {
        #[test]
        fn a_run_key_is_a_valid_tag_and_differs_by_instance(name in "[a-z]{3,128}") {
            let plan = Plan::new(&settings(&name), &build("ami:1"), "x").unwrap();
            prop_assert!(plan.run.chars().count() <= 256);
            let mut other = settings(&name);
            other.instance_id = "i-0000000000000000f".to_owned();
            prop_assert_ne!(plan.run, Plan::new(&other, &build("ami:1"), "x").unwrap().run);
        }
    }
}
