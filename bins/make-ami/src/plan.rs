//! Deciding, without network and clock: the name, the run key, the tags.

pub(crate) mod name;
mod run_key;
mod tag_value;

use crate::plan::run_key::Run;
use crate::plan::tag_value::{MAX_TAG_BYTES, hex};
use crate::settings::Checked;
use crate::settings::modes::Consistency;
use action::codebuild::CodeBuild;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// The tag that says which run made an image. `CreateImage` has no client token, so this is how a
/// lost reply is found again.
pub(crate) const RUN_TAG: &str = "make-ami:run";
/// The tag that says how still the instance was.
pub(crate) const CONSISTENCY_TAG: &str = "make-ami:consistency";
/// The tag that names the instance.
pub(crate) const SOURCE_TAG: &str = "make-ami:instance";
/// The tag that names the application: what retention groups by.
pub(crate) const APP_TAG: &str = "make-ami:app";
/// The tag that says how many volumes the image must hold.
pub(crate) const VOLUMES_TAG: &str = "make-ami:volumes";
/// The tag that names the build.
pub(crate) const BUILD_TAG: &str = "make-ami:build";
/// The tag that names the commit or source version.
pub(crate) const COMMIT_TAG: &str = "make-ami:commit";
/// The tag that says how long containers and mounts stood still, in milliseconds.
pub(crate) const FROZEN_TAG: &str = "make-ami:frozen-ms";
/// The tag of the unencrypted first image of a run with `MAKE_AMI_ENCRYPT`: the name of its encrypted copy.
pub(crate) const FIRST_TAG: &str = "make-ami:first-of";
/// The tag of snapshots that `warm` made: the most seconds that they were foretold to save, or `unknown`.
pub(crate) const WARM_TAG: &str = "make-ami:warm";
/// The tag of an *instance* that a run has stopped and will start again: its run key.
pub(crate) const STOPPED_TAG: &str = "make-ami:stopped-by";

/// What is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) instance_id: String,
    /// The image's name.
    pub(crate) name: String,
    /// The name under which the first image is made where the image itself is an encrypted copy of it.
    pub(crate) first_name: Option<String>,
    pub(crate) description: Option<String>,
    /// Identifies the run; a retry of the same build or pipeline execution has the same.
    pub(crate) run: String,
    /// The key that an earlier version gave this very run, under which an image may still be on its way.
    pub(crate) former_run: Option<String>,
    /// How still the instance is.
    pub(crate) consistency: Consistency,
    /// All tags of the image.
    pub(crate) tags: BTreeMap<String, String>,
}

impl Plan {
    /// Decides. `volumes` is how many EBS volumes the instance has; `utc` is the time as
    /// `20261123T093300Z`.
    pub(crate) fn new(
        settings: &Checked,
        build: &CodeBuild,
        instance_id: &str,
        volumes: usize,
        utc: &str,
    ) -> Result<Self, String> {
        let parts = name::Parts {
            instance: instance_id,
            app: settings.app.as_deref(),
            build,
            utc,
        };
        let name = name::fill(&settings.ami_name, &parts);
        name::check(&name)?;
        let description = settings.description.as_deref();
        let key = run(settings, build, instance_id, &name);
        let run = key.key();
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
                tag(key, tag_value(value));
            }
        }
        Ok(Self {
            instance_id: instance_id.to_owned(),
            name,
            first_name: None,
            description: description.map(|text| name::fill_description(text, &parts)),
            run,
            former_run: key.former_key(),
            consistency: settings.consistency,
            tags,
        })
    }

    /// The same under another key.
    pub(crate) fn under(mut self, run: String) -> Self {
        self.tags.insert(RUN_TAG.to_owned(), run.clone());
        self.former_run = None;
        self.run = run;
        self
    }

    /// The same with an image before it, of which the image is an encrypted copy.
    pub(crate) fn encrypted_by_a_copy(mut self) -> Self {
        let digest = hex(&Sha256::digest(&self.run));
        self.first_name = Some(format!("make-ami-first-{}", &digest[..32]));
        self.tags.insert(FIRST_TAG.to_owned(), self.name.clone());
        self
    }

    /// The name of the image that CreateImage makes.
    pub(crate) fn created_name(&self) -> &str {
        self.first_name.as_deref().unwrap_or(&self.name)
    }

    /// The plan for people.
    pub(crate) fn text(&self) -> String {
        let tags = self
            .tags
            .iter()
            .map(|(key, value)| format!("\n    {key} = {value}"));
        let description = self.description.as_deref();
        let description = description.map(|text| format!("  description: {text}\n"));
        let first = self.first_name.as_deref().map(|first| {
            format!("  first {first:?}, then its encrypted copy within the Region; the first is removed\n")
        });
        format!(
            "plan: make image {:?} of {} ({})\n{}{}  tags:{}\n",
            self.name,
            self.instance_id,
            self.consistency,
            description.unwrap_or_default(),
            first.unwrap_or_default(),
            tags.collect::<String>()
        )
    }

    /// The plan for machines.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "instance_id": self.instance_id,
            "name": self.name,
            "first_name": self.first_name,
            "description": self.description,
            "run": self.run,
            "consistency": self.consistency.to_string(),
            "tags": self.tags,
        })
    }
}

/// Within a build, or where the user says what a run is, the key is free of the clock: a second try
/// must find the first one's image. On a laptop it is not: adopting yesterday's image of the same
/// instance would be a lie.
fn run(settings: &Checked, build: &CodeBuild, instance_id: &str, name: &str) -> Run {
    let build = settings.run.as_ref().or(build.build_id.as_ref());
    Run {
        build: build.cloned(),
        instance: instance_id.to_owned(),
        mode: settings.consistency,
        name: match build {
            Some(_) => settings.ami_name.clone(),
            None => name.to_owned(),
        },
        app: settings.app.clone(),
    }
}

/// A text as the value of a tag. One that is too long is cut, and the digest of the whole follows, so that two
/// different texts never look the same.
fn tag_value(text: &str) -> String {
    if text.len() <= MAX_TAG_BYTES {
        return text.to_owned();
    }
    let digest = hex(&Sha256::digest(text));
    let start = text.floor_char_boundary(MAX_TAG_BYTES - " sha256:".len() - digest.len());
    format!("{} sha256:{digest}", &text[..start])
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{APP_TAG, BUILD_TAG, Plan, VOLUMES_TAG};
    use crate::settings::Checked;
    use crate::settings::modes::Consistency;
    use action::codebuild::CodeBuild;

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

    #[test]
    fn the_application_is_part_of_the_key() {
        let one = settings("{instance}-{utc}");
        let run = |app: &str| {
            let app = Some(app.to_owned());
            let settings = Checked { app, ..one.clone() };
            plan(&settings, &build("ami:1"), INSTANCE, "x").run
        };
        assert_ne!(run("web"), run("api"));
    }

    /// A CodeBuild project's name has up to 255 characters: the build's own id behind it was cut off.
    #[test]
    fn builds_of_a_project_with_a_long_name_have_keys_and_tags_of_their_own() {
        let project = "p".repeat(255);
        let plan = |id: &str| {
            let build = build(&format!("{project}:{id}"));
            plan(&settings("{instance}-{utc}-{build}"), &build, INSTANCE, "x")
        };
        let (one, other) = (plan("8f2e9c1a"), plan("0b7d4e55"));
        assert_ne!(one.run, other.run);
        assert_ne!(one.tags[BUILD_TAG], other.tags[BUILD_TAG]);
        for (key, value) in &one.tags {
            assert!(value.len() <= 256, "{key}={value}");
        }
    }
}
