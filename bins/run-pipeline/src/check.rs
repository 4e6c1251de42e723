//! The command check: the contract over a definition, and over the archive that its source would give.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use action::failure::Failure;
use action::program::{Context, Output};
use bundle::manifest::Manifest;
use bundle::names::{self, Names};
use bundle::tree::{self, Rules};
use contract::check::{Archive, Definition, File, LocalPaths, Report, Subject};
use contract::evaluate::World;
use contract::policy::Policy;
use contract::repair::mended;
use contract::report::Tool;

use crate::aws_access::{region, stack_exports};

use crate::files::{self, Kind, Texts, read_file};
use crate::settings::{ACCOUNT, Checked, STACK_NAME};

/// Checks the definition and reports.
pub(crate) async fn run(settings: &Checked, context: &Context) -> Result<Output, Failure> {
    let path = &settings.definition;
    let definition = match path.is_dir() {
        true => None,
        false => Some(File {
            shown: path.display().to_string(),
            bytes: read_file(path)?,
        }),
    };
    let looking = Looking::open(settings, context).await?;
    let look = |texts: &Texts| {
        let mut report = match &definition {
            Some(file) => looking.at(file, texts),
            None => looking.below(path, texts),
        };
        findings::ignore(&mut report, &looking.policy);
        report
    };
    let mut report = look(&Texts::new());
    if definition.is_none() && report.texts.is_empty() {
        let deed = format!("there is nothing to check in {}", path.display());
        return Err(Failure::refused(deed)
            .hint("it looks for templates, pipelines and buildspecs in YAML and JSON that git does not ignore"));
    }
    if settings.fix {
        let mended = mended(&|texts| Ok::<_, Failure>(look(texts)))?;
        findings::mend(&mended, context)?;
        if !context.dry_run {
            report = mended.report;
        }
    }
    let tool = Tool {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
    };
    findings::output(
        &report,
        settings.format,
        settings.report_file.as_deref(),
        tool,
    )
}

/// What a check looks with: values, an archive, and what the project ignores.
pub(crate) struct Looking {
    world: World,
    manifest: Option<Manifest>,
    pub(crate) policy: Policy,
    /// The file that says so, where one is named.
    configuration: Option<PathBuf>,
    /// The source folder, absolute.
    pub(crate) source: PathBuf,
    id: Option<String>,
}

impl Looking {
    /// Reads what the settings name.
    pub(crate) async fn open(settings: &Checked, context: &Context) -> Result<Self, Failure> {
        let world = unknown_world(settings, context).await?;
        let manifest = match settings.sources.as_slice() {
            [] => None,
            sources => {
                let rules = Rules {
                    exclude: settings.exclude.clone(),
                    ..Rules::default()
                };
                let read = tree::read(sources, &rules).map_err(|error| {
                    Failure::refused(error.to_string()).hint(
                        "--archive-entry takes what package-template takes; --exclude leaves out of folders what it does not",
                    )
                })?;
                Some(read)
            }
        };
        Ok(Self {
            world,
            manifest,
            policy: findings::policy(settings.check_config.as_deref())?,
            configuration: settings
                .check_config
                .as_ref()
                .and_then(|path| path.canonicalize().ok()),
            source: settings.source.clone(),
            id: settings.pipeline_id.clone(),
        })
    }

    /// Reads again what the project ignores.
    pub(crate) fn read_policy(&mut self) -> Result<(), Failure> {
        self.policy = findings::policy(self.configuration.as_deref())?;
        Ok(())
    }

    /// What is found with a definition, before anything is ignored.
    pub(crate) fn at(&self, definition: &File, texts: &Texts) -> Report {
        let definition = Definition {
            file: findings::with(texts, definition.clone()),
            world: &self.world,
            id: self.id.as_deref(),
        };
        self.look(Some(definition), None, Vec::new(), texts)
    }

    /// What is found in every file of ours below a folder.
    fn below(&self, folder: &Path, texts: &Texts) -> Report {
        // A file that a pipeline names has one name only.
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let all: Vec<PathBuf> = files::below(&folder).collect();
        let definitions = files::definitions(&folder);
        self.over(&definitions, &all, texts)
    }

    /// What is found with these definitions, and in these files by themselves where no definition names them.
    pub(crate) fn over<'a>(
        &self,
        definitions: &BTreeSet<PathBuf>,
        files: impl IntoIterator<Item = &'a PathBuf>,
        texts: &Texts,
    ) -> Report {
        let read = |path: &Path| files::read(path, &findings::shown(path), texts);
        let around = definitions.iter().filter_map(|path| read(path));
        let mut report = Report::merged(around.map(|file| self.at(&file, texts)));
        let rest = files.into_iter().filter_map(|path| {
            let is_new = !report.texts.contains_key(&findings::shown(path));
            read(path).filter(|_| is_new)
        });
        let alone = Report::merged(rest.map(|file| self.alone(file, texts)));
        report.merge(alone);
        report
    }

    /// What is found in a file by itself, as what its keys say that it is.
    fn alone(&self, file: File, texts: &Texts) -> Report {
        match files::kind(&String::from_utf8_lossy(&file.bytes)) {
            Some(Kind::Template) => {
                let name = file.shown.clone();
                self.look(None, Some(file), vec![name], texts)
            }
            Some(Kind::Buildspec) => contract::check::buildspec(&file.shown, &file.bytes),
            None => Report::default(),
        }
    }

    fn look(
        &self,
        pipeline: Option<Definition<'_>>,
        alone: Option<File>,
        templates: Vec<String>,
        texts: &Texts,
    ) -> Report {
        let from_folder = |name: &str| {
            let path = self.source.join(name);
            let inside = names::check(name, Names::Unix).is_ok();
            let shown = findings::shown(&path);
            // What an editor has open may not be on the disk yet.
            let bytes = match texts.get(&shown) {
                Some(text) => text.clone().into_bytes(),
                None => std::fs::read(&path).ok().filter(|_| inside)?,
            };
            Some(File { shown, bytes })
        };
        let from_manifest = |name: &str| {
            let file = findings::read(self.manifest.as_ref()?, name)?;
            Some(findings::with(texts, file))
        };
        let itself = |_: &str| alone.clone();
        contract::check::check(&Subject {
            archive: Archive {
                names: self.manifest.as_ref().map(findings::names),
                read: if alone.is_some() {
                    &itself
                } else if self.manifest.is_some() {
                    &from_manifest
                } else {
                    &from_folder
                },
            },
            templates,
            configurations: Vec::new(),
            pipeline,
            written: None,
            buildspecs: Vec::new(),
            local_paths: LocalPaths::Packable,
            local_files: &findings::local_file,
            aliases_written_out: false,
        })
    }
}

/// What the template is evaluated with when it is checked: what nobody said is not known.
async fn unknown_world(settings: &Checked, context: &Context) -> Result<World, Failure> {
    let said = |value: &str, default: &str, name: &str| {
        if value == default {
            format!("${{{name}}}")
        } else {
            value.to_owned()
        }
    };
    let account = said(&settings.account, ACCOUNT, "AWS::AccountId");
    let stack = said(&settings.stack_name, STACK_NAME, "AWS::StackName");
    let mut world = match region(context) {
        Some(region) => World::in_region(&region, &account, &stack),
        None => World::default(),
    };
    world.lenient = true;
    world.parameters = findings::parameters(&settings.parameter_files, &settings.parameters)?;
    if settings.live {
        world.imports = stack_exports(context, true).await?;
        world.imports_are_all = true;
    }
    Ok(world)
}
