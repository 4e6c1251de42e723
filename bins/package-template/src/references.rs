//! Local paths of a template: what they name is packaged, and the paths are replaced by where it will be.
//!
//! Keys are made of content (`assets/<sha256>.zip`), so that equal content is stored once and a template
//! names exactly what it was packaged with. Nested templates and included pieces are packaged first,
//! since their own content changes with what they name. Nothing but the values is edited.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bundle::digest::Digest;
use bundle::pack::pack;
use bundle::tree::{self, Rules, Source, TreeError};
use contract::check::Report;
use contract::checks;
use contract::edit::{self, Edit, Value};
use contract::evaluate::partition;
use contract::expand::expanded;
use contract::finding::{Finding, Place};
use contract::local::{self, Form, Local};
use contract::rules::{local_file, local_path, yaml_alias};
use contract::template::Template;
use contract::yaml::{self, Node};

use crate::limits::{MAX_ARCHIVE, hint_for};

/// Where packaged files go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shelf {
    /// The bucket.
    pub bucket: String,
    /// In front of every key; empty, or it ends with `/`.
    pub prefix: String,
    /// The bucket's region; the URLs of nested templates hold it.
    pub region: String,
}

impl Shelf {
    fn s3(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    /// The object's https URL. A bucket with dots in its name fits no certificate of S3's, so that it
    /// is named in the path. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>
    fn https(&self, key: &str) -> String {
        let (_, suffix) = partition(&self.region);
        let Self { bucket, region, .. } = self;
        if bucket.contains('.') {
            format!("https://s3.{region}.{suffix}/{bucket}/{key}")
        } else {
            format!("https://{bucket}.s3.{region}.{suffix}/{key}")
        }
    }
}

/// A packaged file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asset {
    /// Its key.
    pub key: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Their SHA-256.
    pub sha256: Digest,
    /// What it was made from.
    pub source: PathBuf,
    /// Its media type.
    pub content_type: &'static str,
}

/// Packages what templates name.
#[derive(Debug)]
pub(crate) struct Packager<'a> {
    /// Where files go; nothing when local paths stay as they are.
    shelf: Option<&'a Shelf>,
    rules: Rules,
    expands_aliases: bool,
    /// By key.
    assets: BTreeMap<String, Asset>,
    /// The templates that are being packaged, to notice one that includes itself.
    open: Vec<PathBuf>,
    /// What was found in nested templates, and what could not be packaged.
    pub report: Report,
}

impl<'a> Packager<'a> {
    /// For one shelf, or none; the rules are those of folders that templates name, and the same as the archive's: whoever
    /// can read the archive can read what it names.
    pub(crate) fn new(shelf: Option<&'a Shelf>, rules: Rules, expands_aliases: bool) -> Self {
        Self {
            shelf,
            rules,
            expands_aliases,
            assets: BTreeMap::new(),
            open: Vec::new(),
            report: Report::default(),
        }
    }

    /// What was packaged, by key.
    pub(crate) fn into_assets(self) -> Vec<Asset> {
        self.assets.into_values().collect()
    }

    /// The text of a template, or of an included piece, with every local path replaced and, where that was asked
    /// for, every alias written out. What cannot be done becomes a finding and stays as it is.
    pub(crate) fn template(&mut self, path: &Path, text: &str, root: &Node) -> String {
        let shown = findings::shown(path);
        let edited = match self.shelf {
            Some(shelf) => self.paths(shelf, path, text, root),
            None => text.to_owned(),
        };
        if !self.expands_aliases {
            return edited;
        }
        expanded(&edited).unwrap_or_else(|error| {
            let message = format!("cannot write the aliases out: {error}");
            let finding = Finding::new(&yaml_alias::RULE, &shown, Some(root.place), message);
            self.report
                .findings
                .push(finding.hint("write them out by hand"));
            edited
        })
    }

    fn paths(&mut self, shelf: &Shelf, path: &Path, text: &str, root: &Node) -> String {
        let shown = findings::shown(path);
        self.open.push(canonical(path));
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut edits = Vec::new();
        let found = local::find(root);
        let places: Vec<_> = found.iter().map(|one| one.node.place).collect();
        for one in found {
            let fits = match edit::elsewhere(text, root, one.node, &places) {
                None => self.one(shelf, &shown, folder, &one),
                Some(other) => Err(shared(&shown, &one, other)),
            };
            match fits {
                Ok(edit) => edits.push(edit),
                Err(finding) => self.report.findings.push(finding),
            }
        }
        self.open.pop();
        edit::apply(text, &edits).unwrap_or_else(|error| {
            let message = format!("cannot replace the local paths: {error}");
            self.report
                .findings
                .push(Finding::new(&local_path::RULE, &shown, None, message));
            text.to_owned()
        })
    }

    fn one(
        &mut self,
        shelf: &Shelf,
        file: &str,
        folder: &Path,
        one: &Local<'_>,
    ) -> Result<Edit, Finding> {
        let fault = |rule, message: String| Finding::new(rule, file, Some(one.node.place), message);
        if one.path.contains("${") {
            return Err(fault(
                &local_path::RULE,
                format!(
                    "{} is the local path {:?}, which depends on a loop",
                    one.what(),
                    one.path
                ),
            )
            .hint("write one path that all rounds of the loop share"));
        }
        let path = folder.join(one.path);
        let key = self
            .package(shelf, &path, one.form)
            .map_err(|Unfit { why, hint }| {
                let message = format!("{} is the local path {:?}: {why}", one.what(), one.path);
                fault(&local_file::RULE, message).maybe_hint(hint)
            })?;
        let value = match one.form {
            Form::Template => Value::Text(shelf.https(&key)),
            Form::Url | Form::ZipUrl | Form::Include => Value::Text(shelf.s3(&key)),
            Form::Place(bucket, name) | Form::ZipPlace(bucket, name) => {
                Value::Mapping(vec![(bucket, shelf.bucket.clone()), (name, key)])
            }
        };
        Edit::of(one.node, value).map_err(|error| {
            fault(&local_path::RULE, format!("{}: {error}", one.what()))
                .hint("write the path on one line, with quotes or without")
        })
    }

    /// Packages a file or folder and gives its key.
    fn package(&mut self, shelf: &Shelf, path: &Path, form: Form) -> Result<String, Unfit> {
        let metadata = fs::metadata(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                format!("there is no {}", findings::shown(&findings::neat(path)))
            }
            _ => error.to_string(),
        })?;
        if matches!(form, Form::Template | Form::Include) {
            if metadata.is_dir() {
                return Err("it is a folder, not a template".to_owned().into());
            }
            return self.nested(shelf, path, form);
        }
        if metadata.is_dir() {
            // As the user would write it, for what is refused in it, unless its name cannot be written.
            let shown = findings::shown(&findings::neat(path));
            let folder = match shown.as_str() {
                "" => Path::new("."),
                shown if Path::new(shown).is_dir() => Path::new(shown),
                _ => path,
            };
            return self.zip(shelf, path, &Source::root(folder));
        }
        let bytes = fs::read(path).map_err(|error| error.to_string())?;
        if form.is_zip() && !bytes.starts_with(b"PK\x03\x04") {
            let name = path.file_name().and_then(|name| name.to_str());
            return self.zip(shelf, path, &Source::named(path, name.unwrap_or("file")));
        }
        let content_type = if bytes.starts_with(b"PK\x03\x04") {
            "application/zip"
        } else {
            "application/octet-stream"
        };
        let extension = path.extension().and_then(|extension| extension.to_str());
        let sha256 = Digest::of(&bytes);
        Ok(self.keep(shelf, path, bytes, sha256, extension, content_type))
    }

    fn zip(&mut self, shelf: &Shelf, path: &Path, source: &Source) -> Result<String, Unfit> {
        let manifest =
            tree::read(std::slice::from_ref(source), &self.rules).map_err(|error| Unfit {
                why: error.to_string(),
                hint: matches!(error, TreeError::Refused(_)).then(|| hint_for(&error)),
            })?;
        let bytes = pack(&manifest, MAX_ARCHIVE).map_err(|error| error.to_string())?;
        // Named by what is in it: the compressed bytes may change with the compressor.
        Ok(self.keep(
            shelf,
            path,
            bytes,
            manifest.digest(),
            Some("zip"),
            "application/zip",
        ))
    }

    fn nested(&mut self, shelf: &Shelf, path: &Path, form: Form) -> Result<String, Unfit> {
        if self.open.contains(&canonical(path)) {
            return Err("it includes itself".to_owned().into());
        }
        let shown = findings::shown(&findings::neat(path));
        let bytes = fs::read(path).map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        self.report.texts.insert(shown.clone(), text.clone());
        let root = if form == Form::Template {
            let read = Template::read(&shown, &bytes);
            let faults = !read.faults.is_empty();
            self.report.findings.extend(read.faults);
            if let Some(template) = &read.template {
                let found = checks::template::check(template, bytes.len());
                self.report.findings.extend(found);
                if !self.expands_aliases {
                    self.report.findings.extend(yaml_alias::check(template));
                }
            }
            match read.template.filter(|_| !faults) {
                Some(template) => template.root,
                None => {
                    let why = "it is not a template that CloudFormation can read";
                    return Err(why.to_owned().into());
                }
            }
        } else {
            let read = yaml::read_bytes(&shown, &bytes).map_err(|fault| {
                self.report.findings.push(fault);
                "it is not a piece of a template".to_owned()
            })?;
            self.report.findings.extend(read.twice.iter().cloned());
            if !self.expands_aliases {
                let found = yaml_alias::in_document(&shown, &read.aliases, &read.merges);
                self.report.findings.extend(found);
            }
            read.root
        };
        let edited = self.template(path, &text, &root).into_bytes();
        let extension = path.extension().and_then(|extension| extension.to_str());
        let sha256 = Digest::of(&edited);
        Ok(self.keep(
            shelf,
            path,
            edited,
            sha256,
            extension.or(Some("template")),
            "text/plain",
        ))
    }

    fn keep(
        &mut self,
        shelf: &Shelf,
        source: &Path,
        bytes: Vec<u8>,
        name: Digest,
        extension: Option<&str>,
        content_type: &'static str,
    ) -> String {
        let extension = extension.filter(|text| text.bytes().all(|b| b.is_ascii_alphanumeric()));
        let end = extension.map_or_else(String::new, |extension| format!(".{extension}"));
        let key = format!("{}{name}{end}", shelf.prefix);
        self.assets.entry(key.clone()).or_insert_with(|| Asset {
            key: key.clone(),
            sha256: Digest::of(&bytes),
            bytes,
            source: findings::neat(source),
            content_type,
        });
        key
    }
}

/// Why a local path cannot be packaged, with what to do when the rule does not say it.
struct Unfit {
    why: String,
    hint: Option<String>,
}

impl From<String> for Unfit {
    fn from(why: String) -> Self {
        Self { why, hint: None }
    }
}

/// A path that an edit would change for others too, behind an alias.
fn shared(file: &str, one: &Local<'_>, other: Place) -> Finding {
    let message = format!(
        "{} is the local path {:?}, which line {} uses by an anchor and an alias for something else",
        one.what(),
        one.path,
        other.line
    );
    Finding::new(&local_path::RULE, file, Some(one.node.place), message)
        .hint("write the path out in both places, without the anchor")
}

fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
