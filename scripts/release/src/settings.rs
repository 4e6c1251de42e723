//! What `release-publish` is asked for, checked.

use std::path::PathBuf;
use std::str::FromStr;

use action::settings::Settings;
use action::settings::faults::Faults;
use action::settings::given::Given;
use action::settings::value::Switch;
use clap::Args;
use serde::Deserialize;

/// The settings as given.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(default)]
pub struct Raw {
    /// The folder that scripts/pack-release made
    #[arg(value_name = "FOLDER")]
    folder: Given<PathBuf>,
    /// Where releases go
    #[arg(long, value_name = "s3://BUCKET/PREFIX")]
    to: Given<Place>,
    /// Whether this version becomes the latest; never when a later one is
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_missing_value = "yes", default_value = "yes")]
    latest: Given<Switch>,
}

/// The settings after checking.
#[derive(Debug)]
pub struct Checked {
    /// The folder with the release.
    pub folder: PathBuf,
    /// Where it goes.
    pub to: Place,
    /// Whether `latest` follows.
    pub latest: bool,
}

/// A bucket and a prefix in it, which ends in no slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The bucket's name.
    pub bucket: String,
    /// The prefix; may be empty.
    pub prefix: String,
}

impl Place {
    /// The key of something in the release layout.
    #[must_use]
    pub fn key(&self, name: &str) -> String {
        match self.prefix.as_str() {
            "" => name.to_owned(),
            prefix => format!("{prefix}/{name}"),
        }
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not s3://BUCKET/PREFIX");
        let rest = text.strip_prefix("s3://").ok_or_else(wrong)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if bucket.len() < 3 || prefix.starts_with('/') || prefix.contains("//") {
            return Err(wrong());
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        })
    }
}

impl Settings for Raw {
    type Checked = Checked;

    fn check(self, faults: &mut Faults) -> Option<Checked> {
        let folder = faults.required("folder", self.folder);
        let to = faults.required("to", self.to);
        let latest = faults.switch("latest", self.latest);
        Some(Checked {
            folder: folder?,
            to: to?,
            latest,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_place_is_a_bucket_with_or_without_a_prefix() {
        let place = |text: &str| {
            text.parse::<Place>()
                .map(|place| (place.key("latest"), place.bucket))
        };
        let wanted = |key: &str| Ok((key.to_owned(), "bucket".to_owned()));
        assert_eq!(place("s3://bucket"), wanted("latest"));
        assert_eq!(place("s3://bucket/"), wanted("latest"));
        assert_eq!(place("s3://bucket/a/b/"), wanted("a/b/latest"));
        for text in ["bucket/a", "s3://", "s3:///a", "s3://bucket//a"] {
            assert!(place(text).is_err(), "{text}");
        }
    }
}
