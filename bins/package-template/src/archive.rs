//! Reading what goes into the archive, checking it, packing it in memory.

use std::fs;

use action::failure::Failure;
use bundle::digest::{Digest, digest};
use bundle::manifest::{Kind, Manifest};
use bundle::pack::pack;
use bundle::tree::{self, Rules};
use contract::finding::{Finding, Severity};
use contract::template::Template;

use crate::check;
use crate::references;
use crate::settings::Contents;

/// The largest input artifact of a CloudFormation action, in bytes; AWS says "256 MB", and this is
/// the smaller reading (CodePipeline user guide, "Quotas").
pub const MAX_ARCHIVE: u64 = 256_000_000;

/// A checked archive, ready to be stored.
#[derive(Debug)]
pub struct Archive {
    /// What is in it.
    pub manifest: Manifest,
    /// The digest of what is in it.
    pub digest: Digest,
    /// The zip.
    pub bytes: Vec<u8>,
    /// The zip's own SHA-256.
    pub sha256: Digest,
    /// The template's name in it.
    pub template: String,
    /// How large the template is against CloudFormation's limits.
    pub sizes: Vec<check::Size>,
}

impl Archive {
    /// Reads, checks and packs.
    ///
    /// # Errors
    /// A refusal that names each file and what is wrong with it.
    pub fn make(contents: &Contents) -> Result<Self, Failure> {
        let sources: Vec<_> = std::iter::once(&contents.template)
            .chain(&contents.sources)
            .map(crate::settings::Item::source)
            .collect();
        let rules = Rules {
            ignore_file: contents.ignore_file.clone(),
            ..Rules::default()
        };
        let manifest = tree::read(&sources, &rules)
            .map_err(|error| Failure::refused(error.to_string()).hint(hint(&error)))?;
        let sizes = check_template(contents, &manifest)?;
        let bytes = pack(&manifest, MAX_ARCHIVE).map_err(|error| {
            Failure::refused(error.to_string())
                .hint("CodePipeline gives a CloudFormation action at most 256 MB; leave files out with --ignore-file")
        })?;
        Ok(Self {
            digest: digest(&manifest),
            sha256: Digest::of(&bytes),
            template: contents.template.name.clone(),
            manifest,
            bytes,
            sizes,
        })
    }
}

fn hint(error: &tree::TreeError) -> &'static str {
    use tree::Why;
    match error {
        tree::TreeError::Refused(refusals) => {
            let secret = |why: &Why| matches!(why, Why::PrivateKey { .. } | Why::EnvFile);
            if refusals.all().iter().any(|refusal| secret(&refusal.why)) {
                "whoever can read the artifact can read a secret in it: take it out, or leave it out with --ignore-file"
            } else {
                "rename the files, or leave them out with --ignore-file"
            }
        }
        tree::TreeError::Read { .. } => "paths are relative to the folder the program runs in",
        tree::TreeError::Walk { .. } => "look at the folder, and at the ignore file in it",
        tree::TreeError::Empty { .. } => "name the template, and files that exist",
    }
}

/// Checks the template and its configuration files as they will be packed.
fn check_template(contents: &Contents, manifest: &Manifest) -> Result<Vec<check::Size>, Failure> {
    let item = &contents.template;
    let file = item.path.display().to_string();
    let bytes = content(manifest, &item.name).ok_or_else(|| {
        Failure::refused(format!(
            "{file} is a folder; name the template itself first"
        ))
    })??;
    let mut findings = Vec::new();
    let mut sizes = Vec::new();
    match Template::parse(&file, &bytes) {
        Err(faults) => findings.extend(faults),
        Ok(template) => {
            findings.extend(template.warnings.iter().cloned());
            sizes = check::sizes(&template, bytes.len());
            findings.extend(check::limits(&template, &sizes));
            findings.extend(references::local(&template));
            for name in &contents.configurations {
                match content(manifest, name) {
                    Some(bytes) => findings.extend(check::configuration(name, &bytes?, &template)),
                    None => findings.push(missing_configuration(name, manifest)),
                }
            }
        }
    }
    let (errors, warnings): (Vec<_>, Vec<_>) = findings
        .into_iter()
        .partition(|finding| finding.severity == Severity::Error);
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    if errors.is_empty() {
        return Ok(sizes);
    }
    let deed = format!("{file} cannot be used as the pipeline's template; nothing was touched");
    Err(errors
        .iter()
        .fold(Failure::refused(deed), |failure, finding| {
            failure.detail(finding.to_string().replace('\n', "\n  "))
        }))
}

fn missing_configuration(name: &str, manifest: &Manifest) -> Finding {
    let known = manifest.entries().iter().map(|entry| entry.path.as_str());
    Finding::error(name, None, "no such file in the archive")
        .hint("--config takes the name inside the archive")
        .maybe_hint(contract::finding::did_you_mean(name, known))
}

/// The bytes of a file in the manifest, which must still be those that were hashed.
fn content(manifest: &Manifest, name: &str) -> Option<Result<Vec<u8>, Failure>> {
    let entry = manifest.get(name)?;
    let Kind::File { sha256, .. } = &entry.kind else {
        return None;
    };
    let shown = entry.source.display();
    Some(match fs::read(&entry.source) {
        Ok(bytes) if Digest::of(&bytes) == *sha256 => Ok(bytes),
        Ok(_) => Err(Failure::refused(format!(
            "{shown} changed while it was being packed"
        ))),
        Err(error) => Err(Failure::refused(format!("cannot read {shown}")).cause(error)),
    })
}
