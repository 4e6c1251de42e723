//! Reading what goes into the archive, checking it, packing it in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use action::export::quote::posix;
use action::failure::Failure;
use bundle::digest::{Digest, digest};
use bundle::manifest::{Kind, Manifest};
use bundle::pack::pack;
use bundle::tree::{self, Rules, Source, TreeError, Why};
use contract::check::{
    self, Archive as Names, Definition, LocalPaths, Named, Report, Subject, Written,
};
use contract::checks::template::{Size, sizes};
use contract::evaluate::World;
use contract::local;
use contract::template::Template;

use crate::references::{Asset, Packager, Shelf};
use crate::settings::{Contents, Item};

/// The largest input artifact of a CloudFormation action, in bytes; AWS says "256 MB", and this is
/// the smaller reading (CodePipeline user guide, "Quotas").
pub const MAX_ARCHIVE: u64 = 256_000_000;

/// How many names a hint repeats.
const EXCLUDES_SHOWN: usize = 3;

/// What the archive will hold, read and checked.
#[derive(Debug)]
pub struct Read {
    /// What is in it.
    pub manifest: Manifest,
    /// What the check found.
    pub report: Report,
    /// The template's name in it.
    pub template: String,
    rules: Rules,
    expands_aliases: bool,
}

/// What the archive holds once its templates name what was packaged.
#[derive(Debug)]
pub struct Packaged {
    /// What is in it, with the edited templates.
    pub manifest: Manifest,
    /// What must be stored before.
    pub assets: Vec<Asset>,
    /// What was found in nested templates, and what could not be packaged.
    pub report: Report,
}

/// A pipeline to check against.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Its definition.
    pub file: check::File,
    /// What a template is evaluated with.
    pub world: World,
}

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
    pub sizes: Vec<Size>,
    /// What the templates name and must be stored before.
    pub assets: Vec<Asset>,
}

impl Read {
    /// Reads everything and checks it, against the pipeline too when there is one. `texts` stand in place of what
    /// is in files of that name.
    ///
    /// # Errors
    /// A refusal that names each file that may not travel, or cannot be read.
    pub fn of(
        contents: &Contents,
        pipeline: Option<Pipeline>,
        written: Option<Written>,
        local_paths: LocalPaths,
        texts: &BTreeMap<String, String>,
    ) -> Result<Self, Failure> {
        let definition = pipeline.as_ref().map(|one| Definition {
            file: findings::with(texts, one.file.clone()),
            world: &one.world,
            id: contents.pipeline_id.as_deref(),
        });
        let named = definition.map(|one| check::named(&one, written.clone()));
        let sources = place(contents, &named.unwrap_or_default());
        let manifest = tree::read(&sources, &contents.rules)
            .map_err(|error| Failure::refused(error.to_string()).hint(way_forward(&error)))?;
        let template = sources
            .first()
            .map_or_else(String::new, |one| one.name.clone());
        if !matches!(
            manifest.get(&template).map(|entry| &entry.kind),
            Some(Kind::File { .. })
        ) {
            let shown = contents.template.source.path.display();
            return Err(Failure::refused(format!(
                "{shown} is a folder; name the template itself first"
            )));
        }
        let world = pipeline
            .as_ref()
            .map(|one| one.world.clone())
            .unwrap_or_default();
        let read = |name: &str| Some(findings::with(texts, findings::read(&manifest, name)?));
        let report = check::check(&Subject {
            archive: Names {
                names: Some(findings::names(&manifest)),
                read: &read,
            },
            templates: vec![template.clone()],
            configurations: contents.configurations.clone(),
            pipeline: pipeline.map(|one| Definition {
                file: findings::with(texts, one.file),
                world: &world,
                id: contents.pipeline_id.as_deref(),
            }),
            written,
            buildspecs: contents.buildspecs.clone(),
            local_paths,
            local_files: &findings::local_file,
            aliases_written_out: contents.expand_aliases,
        });
        Ok(Self {
            manifest,
            report,
            template,
            rules: contents.rules.clone(),
            expands_aliases: contents.expand_aliases,
        })
    }

    /// Whether a template names local files, which then go to S3 by themselves.
    #[must_use]
    pub fn needs_assets(&self) -> bool {
        self.templates().iter().any(|(_, text)| {
            contract::yaml::read("", text).is_ok_and(|read| !local::find(&read.root).is_empty())
        })
    }

    /// The templates that were read, by name, with their texts.
    fn templates(&self) -> Vec<(String, String)> {
        let read = |name: &String| {
            let bytes = self.manifest.get(name)?.read().ok()?.into_owned();
            Some((name.clone(), String::from_utf8(bytes).ok()?))
        };
        self.report.templates.iter().filter_map(read).collect()
    }

    /// Packages what the templates name, where there is a shelf for it, and replaces its paths; writes aliases
    /// out where that was asked for. What cannot be done becomes a finding.
    #[must_use]
    pub fn package(&self, shelf: Option<&Shelf>) -> Packaged {
        let mut manifest = self.manifest.clone();
        let mut packager = Packager::new(shelf, self.rules.clone(), self.expands_aliases);
        for (name, text) in self.templates() {
            let source = self.manifest.get(&name).map(|entry| entry.source.clone());
            let source: PathBuf = source.unwrap_or_default();
            let Ok(read) = contract::yaml::read("", &text) else {
                continue;
            };
            let edited = packager.template(&source, &text, &read.root);
            if edited != text {
                manifest.edit(&name, edited.into_bytes());
            }
        }
        Packaged {
            report: std::mem::take(&mut packager.report),
            manifest,
            assets: packager.into_assets(),
        }
    }

    /// Refuses when anything was found that cannot work; logs what may.
    ///
    /// # Errors
    /// A refusal that lists every error.
    pub fn accept(&self, pipeline: Option<&str>) -> Result<(), Failure> {
        findings::log_lesser(&self.report);
        let errors = findings::errors(&self.report);
        if errors.is_empty() {
            return Ok(());
        }
        let source = self.manifest.get(&self.template);
        let shown = source.map_or_else(
            || self.template.clone(),
            |entry| findings::shown(&entry.source),
        );
        let deed = match pipeline {
            Some(pipeline) => format!("{shown} and {pipeline} do not fit; nothing was touched"),
            None => {
                format!("{shown} cannot be used as the pipeline's template; nothing was touched")
            }
        };
        Err(findings::refusal(&deed, &errors))
    }
}

impl Packaged {
    /// Packs; `template` is the template's name.
    ///
    /// # Errors
    /// An archive beyond the limit, or a file that changed meanwhile.
    pub fn pack(self, template: &str) -> Result<Archive, Failure> {
        let bytes = pack(&self.manifest, MAX_ARCHIVE).map_err(|error| {
            Failure::refused(error.to_string())
                .hint("CodePipeline gives a CloudFormation action at most 256 MB; leave files out with --exclude")
        })?;
        let content = self
            .manifest
            .get(template)
            .and_then(|entry| entry.read().ok());
        let sizes = content
            .and_then(|bytes| {
                let template = Template::parse(template, &bytes).ok()?;
                Some(sizes(&template, bytes.len()))
            })
            .unwrap_or_default();
        Ok(Archive {
            digest: digest(&self.manifest),
            sha256: Digest::of(&bytes),
            template: template.to_owned(),
            manifest: self.manifest,
            bytes,
            sizes,
            assets: self.assets,
        })
    }
}

/// The template first, then everything else: as they were named, or where the pipeline names them.
fn place(contents: &Contents, named: &Named) -> Vec<Source> {
    let mut sources = vec![contents.template.source.clone()];
    sources.extend(contents.sources.iter().map(|item| item.source.clone()));
    let mut rename = |at: usize, name: &str, field: &str| {
        if let Some(source) = sources.get_mut(at) {
            tracing::info!(
                "{} is {name} in the archive, as {field} names it",
                source.path.display()
            );
            name.clone_into(&mut source.name);
        }
    };
    if let [path] = named.templates.as_slice()
        && !contents.template.is_named
        && contents.template.source.name != *path
        && !contents
            .sources
            .iter()
            .any(|item| item.source.name == *path)
    {
        rename(0, path, "TemplatePath");
    }
    if let [path] = named.configurations.as_slice() {
        // One JSON file without a name of its own can only be that one.
        let is_free = |item: &Item| {
            let json = item
                .source
                .path
                .extension()
                .is_some_and(|end| end == "json");
            !item.is_named && json && !item.source.path.is_dir()
        };
        let mut free = contents
            .sources
            .iter()
            .enumerate()
            .filter(|(_, item)| is_free(item));
        if let (Some((at, _)), None) = (free.next(), free.next())
            && !contents
                .sources
                .iter()
                .any(|item| item.source.name == *path)
        {
            rename(at + 1, path, "TemplateConfiguration");
        }
    }
    sources
}

/// What to do when a source, or a folder that a template names, cannot be read into an archive.
pub(crate) fn way_forward(error: &TreeError) -> String {
    let refusals = match error {
        TreeError::Refused(refusals) => refusals.all(),
        TreeError::Read { .. } => {
            return "paths are relative to the folder the program runs in".to_owned();
        }
        TreeError::Walk { .. } => {
            return "look at the folder, and at the ignore file in it".to_owned();
        }
        TreeError::Empty { .. } => return "name the template, and files that exist".to_owned(),
    };
    let is_secret = |why: &Why| matches!(why, Why::PrivateKey { .. } | Why::EnvFile);
    let unwanted = refusals
        .iter()
        .filter(|refusal| is_secret(&refusal.why) || refusal.why == Why::Litter);
    let names: BTreeSet<&str> = unwanted
        .filter_map(|refusal| refusal.path.file_name()?.to_str())
        .collect();
    let mut flags: Vec<String> = names
        .iter()
        .take(EXCLUDES_SHOWN)
        .map(|name| format!("--exclude {}", word(name)))
        .collect();
    if flags.is_empty() {
        return "rename the files, or leave them out with --exclude".to_owned();
    }
    if names.len() > EXCLUDES_SHOWN {
        flags.push("…".to_owned());
    }
    let secret = if refusals.iter().any(|refusal| is_secret(&refusal.why)) {
        "whoever can read the artifact can read a secret in it; "
    } else {
        ""
    };
    format!(
        "{secret}leave out of folders what does not belong there: {} (PACKAGE_TEMPLATE_EXCLUDE, one a line), or an ignore file (--ignore-file)",
        flags.join(" ")
    )
}

/// A name as a shell takes it.
fn word(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.chars().all(is_plain) {
        name.to_owned()
    } else {
        posix(name)
    }
}
