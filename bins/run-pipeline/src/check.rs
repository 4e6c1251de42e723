//! The command check: the contract over a definition, and over the archive that its source would give.

use std::collections::BTreeMap;
use std::path::PathBuf;

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

use crate::commands::{imports, read_file, region};
use crate::settings::{ACCOUNT, Checked, STACK_NAME};

/// Texts by the name that their files are shown with, in place of what is in the files.
pub(crate) type Texts = BTreeMap<String, String>;

/// Checks the definition and reports.
///
/// # Errors
/// What cannot be read.
pub(crate) async fn run(settings: &Checked, context: &Context) -> Result<Output, Failure> {
    let definition = File {
        shown: settings.definition.display().to_string(),
        bytes: read_file(&settings.definition)?,
    };
    let looking = Looking::open(settings, context).await?;
    let look = |texts: &Texts| {
        let mut report = looking.at(&definition, texts);
        findings::ignore(&mut report, &looking.policy);
        report
    };
    let mut report = look(&Texts::new());
    if settings.fix {
        let mended = mended(&|texts| Ok::<_, Failure>(look(texts)))?;
        findings::mend(&mended, context)?;
        if !context.dry_run {
            report = mended.report;
        }
    }
    let tool = Tool {
        name: crate::PROGRAM.name,
        version: crate::PROGRAM.version,
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
    ///
    /// # Errors
    /// What cannot be read, and what may not travel.
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
                        "--sources takes what package-template takes; --exclude leaves out of folders what it does not",
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
            id: settings.pipeline.clone(),
        })
    }

    /// Reads again what the project ignores.
    ///
    /// # Errors
    /// A file that cannot be read.
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
        self.look(Some(definition), Vec::new(), texts)
    }

    /// What is found in a template by itself, of that name in the source folder.
    pub(crate) fn template(&self, name: &str, texts: &Texts) -> Report {
        self.look(None, vec![name.to_owned()], texts)
    }

    fn look(
        &self,
        pipeline: Option<Definition<'_>>,
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
        contract::check::check(&Subject {
            archive: Archive {
                names: self.manifest.as_ref().map(findings::names),
                read: if self.manifest.is_some() {
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
        world.imports = imports(context).await?;
        world.imports_are_all = true;
    }
    Ok(world)
}
