//! Deciding, without network and clock: the name, the run key, the tags.

pub mod name;

use crate::settings::Checked;
use crate::settings::modes::Consistency;
use action::codebuild::CodeBuild;
use std::collections::BTreeMap;

/// The tag that says which run made an image. `CreateImage` has no client token, so this is how a
/// lost reply is found again.
pub const RUN_TAG: &str = "make-ami:run";
/// The tag that says how still the instance was.
pub const CONSISTENCY_TAG: &str = "make-ami:consistency";
/// The tag that names the instance.
pub const SOURCE_TAG: &str = "make-ami:instance";
/// The tag that names the application: what retention groups by.
pub const APP_TAG: &str = "make-ami:app";
/// The tag that says how many volumes the image must hold.
pub const VOLUMES_TAG: &str = "make-ami:volumes";
/// The tag that names the build.
pub const BUILD_TAG: &str = "make-ami:build";
/// The tag that names the commit or source version.
pub const COMMIT_TAG: &str = "make-ami:commit";
/// The tag that says how long containers and mounts stood still, in milliseconds.
pub const FROZEN_TAG: &str = "make-ami:frozen-ms";
/// The tag of an *instance* that a run has stopped and will start again: its run key.
pub const STOPPED_TAG: &str = "make-ami:stopped-by";

/// What is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The instance.
    pub instance_id: String,
    /// The image's name.
    pub name: String,
    /// Identifies the run; a retry of the same build or pipeline execution has the same.
    pub run: String,
    /// How still the instance is.
    pub consistency: Consistency,
    /// All tags of the image.
    pub tags: BTreeMap<String, String>,
}

impl Plan {
    /// Decides. `volumes` is how many EBS volumes the instance has; `utc` is the time as
    /// `20261123T093300Z`.
    ///
    /// # Errors
    /// A name that EC2 would refuse.
    pub fn new(
        settings: &Checked,
        build: &CodeBuild,
        instance_id: &str,
        volumes: usize,
        utc: &str,
    ) -> Result<Self, String> {
        let name = name::fill(
            &settings.ami_name,
            &name::Parts {
                instance: instance_id,
                app: settings.app.as_deref(),
                build,
                utc,
            },
        );
        name::check(&name)?;
        let run = run_key(settings, build, instance_id, &name);
        let mut tags = settings.tags.0.clone();
        let mut tag = |key: &str, value: String| tags.insert(key.to_owned(), value);
        tag(RUN_TAG, run.clone());
        tag(CONSISTENCY_TAG, settings.consistency.to_string());
        tag(SOURCE_TAG, instance_id.to_owned());
        tag(VOLUMES_TAG, volumes.to_string());
        let told = [
            (APP_TAG, settings.app.as_deref()),
            (BUILD_TAG, build.build_id.as_deref()),
            (COMMIT_TAG, build.resolved_source_version.as_deref()),
        ];
        for (key, value) in told {
            if let Some(value) = value {
                tag(key, value.chars().take(256).collect());
            }
        }
        Ok(Self {
            instance_id: instance_id.to_owned(),
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

/// Within a build, or where the user says what a run is, the key is free of the clock: a second try
/// must find the first one's image. On a laptop it is not: adopting yesterday's image of the same
/// instance would be a lie.
fn run_key(settings: &Checked, build: &CodeBuild, instance_id: &str, name: &str) -> String {
    let mode = settings.consistency;
    let key = match settings.run.as_deref().or(build.build_id.as_deref()) {
        Some(run) => format!("{run}/{instance_id}/{mode}/{}", settings.ami_name),
        None => format!("local/{instance_id}/{mode}/{name}"),
    };
    // A filter's value knows wildcards; a name holds neither, and a key must not either.
    let key = key.replace(['*', '?', '\\', '{', '}'], "_");
    // A tag's value has 256 characters at most.
    key.chars().take(256).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{APP_TAG, Plan, VOLUMES_TAG};
    use crate::settings::Checked;
    use crate::settings::modes::Consistency;
    use action::codebuild::CodeBuild;
    use proptest::prelude::*;

    const INSTANCE: &str = "i-0123456789abcdef0";

    fn settings(name: &str) -> Checked {
        crate::settings::tests::checked(&[("instance_id", INSTANCE), ("ami_name", name)])
    }

    fn build(id: &str) -> CodeBuild {
        CodeBuild {
            build_id: Some(id.to_owned()),
            ..CodeBuild::default()
        }
    }

    fn plan(settings: &Checked, build: &CodeBuild, instance: &str, utc: &str) -> Plan {
        Plan::new(settings, build, instance, 2, utc).unwrap()
    }

    #[test]
    fn a_second_try_in_a_build_has_the_same_run_key_and_a_laptop_has_not() {
        let default = settings("{instance}-{utc}-{build}");
        let run = |build: &CodeBuild, utc: &str| plan(&default, build, INSTANCE, utc).run;
        assert_eq!(run(&build("ami:1"), "early"), run(&build("ami:1"), "later"));
        assert_ne!(run(&build("ami:1"), "early"), run(&build("ami:2"), "early"));
        let laptop = CodeBuild::default();
        assert_ne!(run(&laptop, "early"), run(&laptop, "later"));
    }

    #[test]
    fn a_pipeline_execution_outlives_the_builds_of_its_retries() {
        let mut settings = settings("{instance}-{utc}-{build}");
        settings.run = Some("8f2e9c1a-pipeline-execution".to_owned());
        let run = |id: &str| plan(&settings, &build(id), INSTANCE, "x").run;
        assert_eq!(run("ami:1"), run("ami:2"));
    }

    #[test]
    fn the_mode_and_the_name_are_part_of_the_key() {
        let one = settings("web-{utc}");
        let mut other = one.clone();
        other.consistency = Consistency::Reboot;
        let run = |settings: &Checked| plan(settings, &build("ami:1"), INSTANCE, "x").run;
        assert_ne!(run(&one), run(&other));
        assert_ne!(run(&one), run(&settings("web-{build}")));
    }

    #[test]
    fn tags_say_what_the_image_is() {
        let mut settings = settings("web");
        settings.app = Some("rag".to_owned());
        let plan = plan(&settings, &build("ami:1"), INSTANCE, "x");
        assert_eq!(plan.tags[APP_TAG], "rag");
        assert_eq!(plan.tags[VOLUMES_TAG], "2");
    }

    proptest! {
        #[test]
        fn a_run_key_is_a_valid_tag_and_differs_by_instance(name in "[a-z*?]{3,128}") {
            let settings = settings("web");
            let settings = Checked { ami_name: name.clone(), ..settings };
            let key = super::run_key(&settings, &build("ami:1"), INSTANCE, &name);
            prop_assert!(key.chars().count() <= 256);
            prop_assert!(!key.contains(['*', '?']), "{key}");
            prop_assert_ne!(key, super::run_key(&settings, &build("ami:1"), "i-0000000000000000f", &name));
        }
    }
}
