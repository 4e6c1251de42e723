//! Reading what goes into the archive, checking it, packing it in memory.

use std::collections::BTreeMap;
use std::path::PathBuf;

use action::failure::Failure;
use bundle::digest::Digest;
use bundle::manifest::{Kind, Manifest};
use bundle::pack::pack;
use bundle::tree::{self, Rules, Source};
use contract::check::{
    self, Archive as Names, Definition, LocalPaths, Named, Report, Subject, Written,
};
use contract::checks::template::{Size, sizes};
use contract::evaluate::World;
use contract::local;
use contract::template::Template;

use crate::limits::{MAX_ARCHIVE, hint_for};
use crate::references::{Asset, Packager, Shelf};
use crate::settings::{Contents, Item};

/// What the archive will hold, read and checked.
#[derive(Debug)]
pub(crate) struct Read {
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
pub(crate) struct Packaged {
    /// What is in it, with the edited templates.
    pub manifest: Manifest,
    /// What must be stored before.
    pub assets: Vec<Asset>,
    /// What was found in nested templates, and what could not be packaged.
    pub report: Report,
}

/// A pipeline to check against.
#[derive(Debug, Clone)]
pub(crate) struct Pipeline {
    /// Its definition.
    pub file: check::File,
    /// What a template is evaluated with.
    pub world: World,
}

/// A checked archive, ready to be stored.
#[derive(Debug)]
pub(crate) struct Archive {
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
    pub(crate) fn of(
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
            .map_err(|error| Failure::refused(error.to_string()).hint(hint_for(&error)))?;
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
    pub(crate) fn needs_assets(&self) -> bool {
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
    pub(crate) fn package(&self, shelf: Option<&Shelf>) -> Packaged {
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
    pub(crate) fn accept(&self, pipeline: Option<&str>) -> Result<(), Failure> {
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
    pub(crate) fn pack(self, template: &str) -> Result<Archive, Failure> {
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
            digest: self.manifest.digest(),
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
