//! What `make-ami` is told.

use action::settings::Settings;
use action::settings::faults::Faults;
use action::settings::given::Given;
use action::settings::value::InstanceId;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The settings as declared.
#[derive(Debug, clap::Args, Deserialize, Default)]
#[serde(default)]
pub struct Raw {
    /// The instance to image
    #[arg(long, value_name = "i-…")]
    instance_id: Given<InstanceId>,
    /// The image's name; {instance}, {utc}, {build} and {commit} are filled in
    #[arg(long, value_name = "NAME", default_value = "{instance}-{utc}-{build}")]
    ami_name: Given<String>,
    /// How still the instance is: no-reboot (crash-consistent) or reboot
    #[arg(long, value_name = "MODE", default_value = "no-reboot")]
    consistency: Given<Consistency>,
    /// Tags of image and snapshots: k=v,k=v or a JSON object
    #[arg(long, value_name = "TAGS")]
    tags: Given<Tags>,
    /// When snapshots get their tags: at-create, after (the image is available), or none
    #[arg(long, value_name = "WHEN", default_value = "at-create")]
    snapshot_tags: Given<SnapshotTags>,
    /// What happens to an unfinished image at the deadline: keep (resumable) or clean
    #[arg(long, value_name = "WHAT", default_value = "keep")]
    on_timeout: Given<OnTimeout>,
}

/// The settings after checking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The instance to image.
    pub instance_id: String,
    /// The name's template.
    pub ami_name: String,
    /// How still the instance is.
    pub consistency: Consistency,
    /// The user's tags.
    pub tags: Tags,
    /// When snapshots get their tags.
    pub snapshot_tags: SnapshotTags,
    /// What happens at the deadline.
    pub on_timeout: OnTimeout,
}

impl Settings for Raw {
    type Checked = Checked;

    fn check(self, faults: &mut Faults) -> Option<Checked> {
        let instance_id = faults.required("instance_id", self.instance_id);
        let ami_name = faults.required("ami_name", self.ami_name);
        let consistency = faults.required("consistency", self.consistency);
        let tags = faults.optional("tags", self.tags).unwrap_or_default();
        let snapshot_tags = faults.required("snapshot_tags", self.snapshot_tags);
        let on_timeout = faults.required("on_timeout", self.on_timeout);
        if let Some(name) = &ami_name
            && let Err(fault) = crate::plan::check_name_template(name)
        {
            faults.of("ami_name", fault);
        }
        Some(Checked {
            instance_id: instance_id?.0,
            ami_name: ami_name?,
            consistency: consistency?,
            tags,
            snapshot_tags: snapshot_tags?,
            on_timeout: on_timeout?,
        })
    }
}

/// How still the instance is while its volumes are copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// The instance runs on: the image is as after a power cut.
    NoReboot,
    /// EC2 shuts the instance down and starts it again: file systems are whole.
    Reboot,
}

impl FromStr for Consistency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "no-reboot" => Ok(Consistency::NoReboot),
            "reboot" => Ok(Consistency::Reboot),
            "stop" | "quiesce" => Err(format!(
                "{text:?} is not built yet; use no-reboot or reboot"
            )),
            _ => Err(format!("{text:?} is not a mode; use no-reboot or reboot")),
        }
    }
}

impl fmt::Display for Consistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Consistency::NoReboot => "no-reboot",
            Consistency::Reboot => "reboot",
        })
    }
}

/// When snapshots get their tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotTags {
    /// In the request that makes them: no snapshot is ever without.
    AtCreate,
    /// When the image is available, for accounts whose policies forbid tagging on create.
    After,
    /// Never.
    None,
}

impl FromStr for SnapshotTags {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "at-create" => Ok(SnapshotTags::AtCreate),
            "after" => Ok(SnapshotTags::After),
            "none" => Ok(SnapshotTags::None),
            _ => Err(format!(
                "{text:?} is no time for tags; use at-create, after or none"
            )),
        }
    }
}

/// What happens to an unfinished image at the deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnTimeout {
    /// It goes on being made; a later run adopts it.
    Keep,
    /// It is removed.
    Clean,
}

impl FromStr for OnTimeout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "keep" => Ok(OnTimeout::Keep),
            "clean" => Ok(OnTimeout::Clean),
            _ => Err(format!("{text:?} is not known; use keep or clean")),
        }
    }
}

/// Tags, by key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tags(pub BTreeMap<String, String>);

/// AWS's bounds for a tag: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html>.
const MAX_KEY_CHARS: usize = 128;
const MAX_VALUE_CHARS: usize = 256;

impl FromStr for Tags {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let tags: BTreeMap<String, String> = if text.trim_start().starts_with('{') {
            serde_json::from_str(text)
                .map_err(|error| format!("not a JSON object of texts ({error})"))?
        } else {
            text.split(',')
                .map(str::trim)
                .filter(|pair| !pair.is_empty())
                .map(|pair| match pair.split_once('=') {
                    Some((key, value)) => Ok((key.trim().to_owned(), value.trim().to_owned())),
                    None => Err(format!(
                        "{pair:?} has no `=`; write k=v,k=v or a JSON object"
                    )),
                })
                .collect::<Result<_, _>>()?
        };
        for (key, value) in &tags {
            if key.is_empty() || key.chars().count() > MAX_KEY_CHARS {
                return Err(format!(
                    "tag key {key:?}: 1 to {MAX_KEY_CHARS} characters are allowed"
                ));
            }
            if key.starts_with("aws:") || key.starts_with("make-ami:") {
                return Err(format!("tag key {key:?}: this prefix is reserved"));
            }
            if value.chars().count() > MAX_VALUE_CHARS {
                return Err(format!(
                    "tag {key}: the value has more than {MAX_VALUE_CHARS} characters"
                ));
            }
        }
        Ok(Tags(tags))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{Consistency, Tags};

    #[test]
    fn tags_come_as_pairs_or_json() {
        let pairs: Tags = "app=rag, stage = dev,".parse().unwrap();
        assert_eq!(
            r#"{"app":"rag","stage":"dev"}"#.parse::<Tags>().unwrap(),
            pairs
        );
        assert_eq!("a=b=c".parse::<Tags>().unwrap().0["a"], "b=c");
    }

    #[test]
    fn bad_tags_are_named() {
        for (text, part) in [
            ("app", "has no `=`"),
            ("aws:x=1", "reserved"),
            ("make-ami:run=1", "reserved"),
            ("{\"a\":1}", "not a JSON object of texts"),
            ("=x", "1 to 128 characters"),
        ] {
            let said = text.parse::<Tags>().unwrap_err();
            assert!(said.contains(part), "{text}: {said}");
        }
    }

    #[test]
    fn modes_that_are_not_built_say_so() {
        assert!(
            "quiesce"
                .parse::<Consistency>()
                .unwrap_err()
                .contains("not built yet")
        );
    }
}
