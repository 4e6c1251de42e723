//! What the user asks for, checked.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use action::settings::faults::Faults;
use action::settings::given::Given;
use action::settings::value::{Lines, Switch};
use bundle::names::{self, Names};
use bundle::tree::Source;
use clap::Args;
use serde::Deserialize;

/// The settings as given.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(default)]
pub struct Raw {
    /// The CloudFormation template, at the archive's root under its own name or as NAME
    #[arg(value_name = "TEMPLATE[=NAME]")]
    file: Given<Item>,
    /// More files and folders, at the root under their own names or as NAME (`.` for a folder's content at the root); one a line in the variable
    #[arg(value_name = "SOURCE[=NAME]", num_args = 0..)]
    sources: Given<Lines>,
    /// The versioned S3 source bucket
    #[arg(long, value_name = "BUCKET")]
    bucket: Given<BucketName>,
    /// The object's key, the S3ObjectKey of the pipeline's source action
    #[arg(long, value_name = "KEY", default_value = "template.zip")]
    key: Given<Key>,
    /// The bucket's region, when it is not that of the environment
    #[arg(long, value_name = "REGION")]
    region: Given<String>,
    /// The account that must own the bucket; S3 refuses otherwise
    #[arg(long, value_name = "ACCOUNT")]
    bucket_owner: Given<Account>,
    /// Encrypt with this KMS key instead of the bucket's default
    #[arg(long, value_name = "KEY")]
    kms_key: Given<String>,
    /// What the pipeline shows as the summary of this revision; otherwise the commit, when CodeBuild knows it, and the digest
    #[arg(long, value_name = "TEXT")]
    summary: Given<String>,
    /// Write although the bucket holds this content already: a deliberate new run of the pipeline
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    force: Given<Switch>,
    /// Name in the archive of a template configuration file to check against the template; repeatable, one a line in the variable
    #[arg(long, value_name = "NAME", action = clap::ArgAction::Append)]
    config: Given<Lines>,
    /// Name of files in gitignore syntax that say what to leave out of folders, such as .packageignore
    #[arg(long, value_name = "NAME")]
    ignore_file: Given<String>,
    /// Write the archive to this file; no bucket and no AWS
    #[arg(long, value_name = "FILE")]
    output: Given<PathBuf>,
    /// Print the digest to stdout and write nothing; no bucket and no AWS
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    print_digest: Given<Switch>,
}

/// The settings after checking.
#[derive(Debug)]
pub struct Settings {
    /// What goes into the archive.
    pub contents: Contents,
    /// Where it goes.
    pub target: Target,
}

/// What goes into the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The template.
    pub template: Item,
    /// Everything else.
    pub sources: Vec<Item>,
    /// Names in the archive of template configuration files.
    pub configurations: Vec<String>,
    /// The name of ignore files in folders.
    pub ignore_file: Option<String>,
}

/// Where the archive goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Nowhere: its digest is printed.
    Digest,
    /// A local file.
    File(PathBuf),
    /// An object.
    Bucket(Box<Bucket>),
}

/// The object, and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// The bucket's name.
    pub name: String,
    /// The object's key.
    pub key: String,
    /// The bucket's region, when it is not that of the environment.
    pub region: Option<String>,
    /// The account that must own the bucket.
    pub owner: Option<String>,
    /// The KMS key to encrypt with.
    pub kms_key: Option<String>,
    /// The revision's summary as the user wants it.
    pub summary: Option<String>,
    /// Write even what is there already.
    pub force: bool,
}

/// `PATH` or `PATH=NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The file or folder.
    pub path: PathBuf,
    /// Its name in the archive; empty when a folder's content goes to the root.
    pub name: String,
}

impl Item {
    /// As a source of the bundle.
    #[must_use]
    pub fn source(&self) -> Source {
        Source::named(&self.path, &self.name)
    }
}

impl FromStr for Item {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (path, name) = match text.rsplit_once('=') {
            Some((path, name)) => (path, name),
            None => {
                let own = Path::new(text).file_name().and_then(|name| name.to_str());
                let own = own.ok_or_else(|| {
                    format!("{text:?} has no name of its own; give one: {text}=NAME, or {text}=. for its content")
                })?;
                (text, own)
            }
        };
        if path.is_empty() {
            return Err(format!("{text:?} names no file; write PATH or PATH=NAME"));
        }
        let name = if name == "." {
            ""
        } else {
            name.trim_end_matches('/')
        };
        if name.is_empty() && !text.ends_with("=.") {
            return Err(format!(
                "{text:?} gives an empty name; write PATH or PATH=NAME"
            ));
        }
        if !name.is_empty() {
            names::check(name, Names::Portable)
                .map_err(|fault| format!("the name {name:?} in the archive {fault}"))?;
        }
        Ok(Self {
            path: path.into(),
            name: name.to_owned(),
        })
    }
}

/// A bucket's name, as far as a request can be made with it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct BucketName(String);

impl FromStr for BucketName {
    type Err = String;

    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(rest) = text.strip_prefix("s3://") {
            let name = rest.split('/').next().unwrap_or(rest);
            return Err(format!("{text:?} is a URL; give the bucket's name, {name}"));
        }
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
        if (3..=63).contains(&text.len()) && text.chars().all(fine) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "{text:?} is not a bucket name (3 to 63 lower-case letters, digits, - and .)"
            ))
        }
    }
}

/// An object's key: 1 to 1,024 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key(String);

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > 1024 {
            return Err(format!(
                "the key has {} bytes, the limit is 1024",
                text.len()
            ));
        }
        if text.starts_with('/') {
            return Err(format!(
                "{text:?} begins with /, which S3 keeps as part of the key; leave it out"
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// An AWS account id.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Account(String);

impl FromStr for Account {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("{text:?} is not an account id (12 digits)"))
        }
    }
}

impl action::settings::Settings for Raw {
    type Checked = Settings;

    fn check(self, faults: &mut Faults) -> Option<Settings> {
        let template = faults.required("file", self.file);
        if template.as_ref().is_some_and(|item| item.name.is_empty()) {
            faults.of("file", "the template needs a name in the archive, not `.`");
        }
        let sources = items(
            faults.optional("sources", self.sources).unwrap_or_default(),
            faults,
        );
        let configurations = faults.optional("config", self.config).unwrap_or_default().0;
        let ignore_file = faults.optional("ignore_file", self.ignore_file);
        if ignore_file.as_ref().is_some_and(|name| name.contains('/')) {
            faults.of(
                "ignore_file",
                "give a file name, not a path; such files count in every folder",
            );
        }
        let bucket_is_unset = matches!(self.bucket, Given::Unset);
        let bucket = faults.optional("bucket", self.bucket);
        let key = faults.required("key", self.key);
        let region = faults.optional("region", self.region);
        let owner = faults.optional("bucket_owner", self.bucket_owner);
        let kms_key = faults.optional("kms_key", self.kms_key);
        let summary = faults.optional("summary", self.summary);
        let force = faults.switch("force", self.force);
        let output = faults.optional("output", self.output);
        let print_digest = faults.switch("print_digest", self.print_digest);
        let target = match (bucket, output, print_digest) {
            (_, None, true) => Some(Target::Digest),
            (None, Some(path), false) => Some(Target::File(path)),
            (Some(BucketName(name)), None, false) => key.map(|Key(key)| {
                let owner = owner.map(|Account(owner)| owner);
                Target::Bucket(Box::new(Bucket {
                    name,
                    key,
                    region,
                    owner,
                    kms_key,
                    summary,
                    force,
                }))
            }),
            (None, None, false) => {
                // A bucket that was given but cannot be one has its own fault already.
                if bucket_is_unset {
                    faults.add("PACKAGE_TEMPLATE_BUCKET is not set (or --bucket); --output and --print-digest do without");
                }
                None
            }
            (Some(_), Some(_), _) => {
                faults.of("output", "a local archive and --bucket exclude each other");
                None
            }
            (None, Some(_), true) => {
                faults.of(
                    "output",
                    "a local archive and --print-digest exclude each other",
                );
                None
            }
        };
        let contents = Contents {
            template: template?,
            sources,
            configurations,
            ignore_file,
        };
        Some(Settings {
            contents,
            target: target?,
        })
    }
}

fn items(lines: Lines, faults: &mut Faults) -> Vec<Item> {
    let mut items = Vec::new();
    for line in lines.0 {
        match line.parse() {
            Ok(item) => items.push(item),
            Err(message) => faults.of("sources", message),
        }
    }
    items
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use action::settings::Settings as _;

    /// The target, or the faults.
    fn target(pairs: &[(&str, &str)]) -> Result<Target, Vec<String>> {
        let given = [("file", "t.yml"), ("key", "template.zip")];
        let map = given
            .iter()
            .chain(pairs)
            .map(|(name, value)| ((*name).to_owned(), (*value).into()));
        let raw: Raw = serde_json::from_value(serde_json::Value::Object(map.collect())).unwrap();
        let mut faults = Faults::for_tests();
        match raw.check(&mut faults) {
            Some(settings) if faults.is_empty() => Ok(settings.target),
            _ => Err(faults.messages().to_vec()),
        }
    }

    #[test]
    fn there_is_one_target() {
        assert!(
            matches!(target(&[("bucket", "abc")]), Ok(Target::Bucket(bucket)) if bucket.key == "template.zip")
        );
        assert_eq!(
            target(&[("output", "x.zip")]),
            Ok(Target::File("x.zip".into()))
        );
        assert_eq!(
            target(&[("print_digest", "1"), ("bucket", "abc")]),
            Ok(Target::Digest)
        );
        for pairs in [
            &[][..],
            &[("bucket", "abc"), ("output", "x.zip")],
            &[("print_digest", "1"), ("output", "x.zip")],
        ] {
            assert_eq!(target(pairs).unwrap_err().len(), 1, "{pairs:?}");
        }
    }

    #[test]
    fn every_fault_is_reported() {
        let faults = target(&[
            ("file", "x="),
            ("sources", "a\n=b\n../c=/d"),
            ("bucket", "s3://my-bucket/x"),
            ("key", "/template.zip"),
            ("bucket_owner", "1234"),
            ("ignore_file", "a/b"),
            ("force", "maybe"),
        ])
        .unwrap_err();
        assert_eq!(faults.len(), 8, "{faults:#?}");
        assert!(
            faults
                .iter()
                .any(|fault| fault.contains("give the bucket's name, my-bucket"))
        );
    }

    #[test]
    fn an_item_has_a_path_and_a_name() {
        let item = |text: &str| {
            text.parse::<Item>()
                .map(|item| (item.path.display().to_string(), item.name))
        };
        let is = |path: &str, name: &str| Ok((path.to_owned(), name.to_owned()));
        assert_eq!(item("cfn/app.yml"), is("cfn/app.yml", "app.yml"));
        assert_eq!(
            item("cfn/app.yml=template.yml"),
            is("cfn/app.yml", "template.yml")
        );
        assert_eq!(item("buildspecs/"), is("buildspecs/", "buildspecs"));
        assert_eq!(item("app=src/app/"), is("app", "src/app"));
        assert_eq!(item("app=."), is("app", ""));
        assert_eq!(item("a=b=c"), is("a=b", "c"));
        for wrong in [
            ".", "..", "/", "=x", "x=", "x=/", "x=../y", "x=/y", "x=a\\b",
        ] {
            assert!(item(wrong).is_err(), "{wrong}");
        }
    }
}
