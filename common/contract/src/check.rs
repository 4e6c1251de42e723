//! The whole contract: template, configuration files, pipeline and buildspecs, each by itself and
//! against each other.
//!
//! `package-template check` and `run-pipeline check` are this function over different archives: one
//! knows every name in it, the other a folder in which it can look.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::buildspec::Buildspec;
use crate::buildspec_checks;
use crate::evaluate::{Evaluator, World, is_unknown};
use crate::finding::{Finding, Place, Severity, did_you_mean};
use crate::local;
use crate::parameters::{self, Configuration};
use crate::pipeline::{PIPELINE_TYPE, Pipeline};
use crate::pipeline_checks::{EXECUTION_KEY, EXECUTION_NAMESPACE, PIPELINE_NAMESPACE};
use crate::project::{self, Project};
use crate::rule;
use crate::rules::yaml_alias;
use crate::template::Template;
use crate::template_checks;
use crate::yaml::{self, Content, Node};

mod artifact_files;
mod artifact_settings;
mod builds;
mod deployments;
mod sources;

/// What the pipeline's source gives to its actions.
pub struct Archive<'a> {
    /// The names in it, sorted; nothing when they are not all known.
    pub names: Option<Vec<String>>,
    /// Reads the file of that name.
    pub read: &'a dyn Fn(&str) -> Option<File>,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path as its user would write it.
    pub shown: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// A pipeline, from a template or from the JSON of get-pipeline.
pub struct Definition<'a> {
    /// Where it is.
    pub file: File,
    /// What a template is evaluated with.
    pub world: &'a World,
    /// The logical id of the pipeline, when a template has several.
    pub id: Option<&'a str>,
}

/// The object that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its bucket, when that is known.
    pub bucket: Option<String>,
    /// Its key.
    pub key: String,
}

/// Reads the file behind a local path; see [`Subject::local_files`].
pub type LocalFiles<'a> = dyn Fn(&str, &str) -> Option<File> + 'a;

/// What is checked.
pub struct Subject<'a> {
    /// The source archive.
    pub archive: Archive<'a>,
    /// Names in the archive of templates; whatever the pipeline names is checked as well.
    pub templates: Vec<String>,
    /// Names in the archive of configuration files of the first template.
    pub configurations: Vec<String>,
    /// The pipeline.
    pub pipeline: Option<Definition<'a>>,
    /// What the archive becomes; nothing when that is not known.
    pub written: Option<Written>,
    /// Names in the archive of buildspecs, by the project that uses them; for projects that the
    /// definition does not hold.
    pub buildspecs: Vec<(String, String)>,
    /// What becomes of local paths in templates.
    pub local_paths: LocalPaths,
    /// Reads the file behind a local path of a template that is shown by the first name.
    pub local_files: &'a LocalFiles<'a>,
    /// Whether aliases and merge keys in templates of the archive are written out; otherwise each is a finding.
    pub aliases_written_out: bool,
}

/// What becomes of the local paths in the templates of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalPaths {
    /// Their files are uploaded, and they are replaced.
    Packaged,
    /// They would be, once a bucket is named: a note.
    Packable,
    /// They stay, and CloudFormation cannot read them: an error.
    Kept,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The findings, by file and place.
    pub findings: Vec<Finding>,
    /// What an ignore silences: see [`crate::policy`].
    pub ignored: Vec<Ignored>,
    /// The text of each file that was looked at.
    pub texts: BTreeMap<String, String>,
    /// What could not be looked into, in words.
    pub unread: Vec<String>,
    /// The names in the archive of the templates that were read.
    pub templates: Vec<String>,
    /// What `#{namespace.KEY}` may name: the namespaces of the pipeline's actions, and the variables of those that are
    /// known.
    pub variables: BTreeMap<String, Vec<String>>,
}

/// A finding that somebody chose to ignore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// What is ignored.
    pub finding: Finding,
    /// Why.
    pub reason: String,
}

impl Report {
    /// How many findings are that bad.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.findings
            .iter()
            .filter(|one| one.severity == severity)
            .count()
    }

    /// What several checks found.
    #[must_use]
    pub fn merged(reports: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::default();
        for report in reports {
            all.extend(report);
        }
        all.sort();
        all
    }

    /// Adds what another check found.
    pub fn merge(&mut self, other: Self) {
        self.extend(other);
        self.sort();
    }

    fn extend(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.ignored.extend(other.ignored);
        self.texts.extend(other.texts);
        self.unread.extend(other.unread);
        self.variables.extend(other.variables);
    }

    /// Sorts the findings by file and place, each once.
    pub fn sort(&mut self) {
        let key = |one: &Finding| {
            let place = one.place.unwrap_or_default();
            (
                one.file.clone(),
                place.line,
                place.column,
                one.rule.code,
                one.message.clone(),
            )
        };
        self.findings.sort_by_key(key);
        self.findings.dedup();
        self.unread.sort();
        self.unread.dedup();
    }
}

/// Checks everything.
#[must_use]
pub fn check(subject: &Subject<'_>) -> Report {
    let mut run = Run::new(subject);
    for name in &subject.templates {
        run.template(name);
    }
    if let Some(first) = subject.templates.first() {
        for name in &subject.configurations {
            run.own_configuration(name, first);
        }
    }
    if let Some(definition) = &subject.pipeline {
        run.pipeline(definition);
    }
    run.report.place_inline(&run.inline);
    let read = run.templates.iter().filter(|(_, read)| read.is_some());
    run.report.templates = read.map(|(name, _)| name.clone()).collect();
    run.report.sort();
    run.report
}

/// What is wrong in a buildspec by itself.
#[must_use]
pub fn buildspec(file: &str, bytes: &[u8]) -> Report {
    let read = Buildspec::read(file, bytes);
    let mut report = Report {
        findings: read.faults,
        ..Report::default()
    };
    if let Some(spec) = read.spec {
        report.findings.extend(spec.warnings.iter().cloned());
        report.findings.extend(buildspec_checks::check(&spec));
    }
    let text = String::from_utf8_lossy(bytes).into_owned();
    report.texts.insert(file.to_owned(), text);
    report.sort();
    report
}

/// The paths in the archive that a pipeline names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// Every `TemplatePath`, each once.
    pub templates: Vec<String>,
    /// Every `TemplateConfiguration`, each once.
    pub configurations: Vec<String>,
}

/// Which paths of the archive the pipeline's CloudFormation actions name; none when the pipeline cannot be
/// read, which the check then says.
#[must_use]
pub fn named(definition: &Definition<'_>, written: Option<Written>) -> Named {
    let subject = Subject {
        archive: Archive {
            names: None,
            read: &|_| None,
        },
        templates: Vec::new(),
        configurations: Vec::new(),
        pipeline: None,
        written,
        buildspecs: Vec::new(),
        local_paths: LocalPaths::Packaged,
        local_files: &|_, _| None,
        aliases_written_out: true,
    };
    let mut run = Run::new(&subject);
    let mut named = Named::default();
    let Some(around) = run.around(definition) else {
        return named;
    };
    let artifact = run.source_artifact(&around).unwrap_or_default();
    for action in around.pipeline.actions() {
        for (field, paths) in [
            ("TemplatePath", &mut named.templates),
            ("TemplateConfiguration", &mut named.configurations),
        ] {
            let path = action
                .setting(field)
                .filter(|text| !crate::evaluate::is_unknown(text))
                .and_then(|text| text.split_once("::"))
                .filter(|(of, _)| *of == artifact)
                .map(|(_, path)| path.to_owned());
            paths.extend(path.filter(|path| !paths.contains(path)));
        }
    }
    named
}

struct Run<'a> {
    subject: &'a Subject<'a>,
    report: Report,
    /// Templates by their name in the archive; nothing for one that cannot be read.
    templates: BTreeMap<String, Option<Rc<Template>>>,
    /// The parameters of configuration files by their names and their template's.
    configurations: BTreeMap<(String, String), Vec<String>>,
    /// Buildspecs that are written inside a template, by the name that their findings have.
    inline: BTreeMap<String, Inline>,
    /// What runs behind a namespace.
    builds: BTreeMap<String, builds::Build>,
}

/// Where a buildspec is written inside a template.
struct Inline {
    /// The template.
    file: String,
    /// The value.
    place: Place,
    /// Where its text begins, when its lines are the template's.
    lines: Option<Place>,
}

impl Report {
    /// Moves findings in buildspecs that are no files to the template that they are written in.
    fn place_inline(&mut self, inline: &BTreeMap<String, Inline>) {
        for finding in &mut self.findings {
            let Some(found) = inline.get(&finding.file) else {
                continue;
            };
            finding.file.clone_from(&found.file);
            finding.place = Some(match (found.lines, finding.place) {
                (Some(first), Some(inner)) if inner.line > 0 => Place {
                    line: first.line + inner.line - 1,
                    column: first.column + inner.column.max(1) - 1,
                    ..Place::default()
                },
                _ => found.place,
            });
        }
    }
}

/// A pipeline with what stands around it.
struct Around {
    pipeline: Pipeline,
    template: Option<Template>,
    projects: Vec<Project>,
    /// The artifact that is the archive.
    artifact: Option<String>,
}

impl<'a> Run<'a> {
    fn new(subject: &'a Subject<'a>) -> Self {
        Self {
            subject,
            report: Report::default(),
            templates: BTreeMap::new(),
            configurations: BTreeMap::new(),
            inline: BTreeMap::new(),
            builds: BTreeMap::new(),
        }
    }
}

impl Run<'_> {
    fn find(&mut self, finding: Finding) {
        self.report.findings.push(finding);
    }

    fn find_all(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.report.findings.extend(findings);
    }

    /// Reads a file of the archive and keeps its text for the report.
    fn read(&mut self, name: &str) -> Option<File> {
        let file = (self.subject.archive.read)(name)?;
        self.keep(&file);
        Some(file)
    }

    fn keep(&mut self, file: &File) {
        let text = String::from_utf8_lossy(&file.bytes).into_owned();
        self.report.texts.insert(file.shown.clone(), text);
    }

    /// Whether a name is in the archive; nothing when that is not known.
    fn has(&self, name: &str) -> Option<bool> {
        let names = self.subject.archive.names.as_ref()?;
        Some(names.iter().any(|one| one == name))
    }

    /// The template of that name, checked by itself when it is first met.
    fn template(&mut self, name: &str) -> Option<Rc<Template>> {
        if let Some(known) = self.templates.get(name) {
            return known.clone();
        }
        let template = self.read(name).and_then(|file| {
            let read = Template::read(&file.shown, &file.bytes);
            self.find_all(read.faults);
            let template = read.template?;
            self.find_all(template_checks::check(&template, file.bytes.len()));
            if !self.subject.aliases_written_out {
                self.find_all(yaml_alias::check(&template));
            }
            self.find_all(local_paths(&template, self.subject.local_paths));
            Some(Rc::new(template))
        });
        self.templates.insert(name.to_owned(), template.clone());
        template
    }

    /// The parameters that a configuration file gives to a template, or nothing when it cannot be read.
    fn configuration(&mut self, name: &str, template: &Template) -> Option<Vec<String>> {
        let key = (name.to_owned(), template.file.clone());
        if let Some(known) = self.configurations.get(&key) {
            return Some(known.clone());
        }
        let file = self.read(name)?;
        let Configuration {
            parameters,
            findings,
        } = parameters::configuration(&file.shown, &file.bytes, template);
        self.find_all(findings);
        self.configurations.insert(key, parameters.clone());
        Some(parameters)
    }

    /// A configuration file that the user named.
    fn own_configuration(&mut self, name: &str, template: &str) {
        let Some(template) = self.template(template) else {
            return;
        };
        if self.has(name) == Some(false) {
            let names = self.subject.archive.names.iter().flatten();
            let hint = did_you_mean(name, names.map(String::as_str));
            self.find(
                Finding::new(
                    &rule::FILE_NOT_IN_ARTIFACT,
                    name,
                    None,
                    "no such file in the archive",
                )
                .hint("--config takes the name inside the archive")
                .maybe_hint(hint),
            );
        } else {
            self.configuration(name, &template);
        }
    }

    fn pipeline(&mut self, definition: &Definition<'_>) {
        self.keep(&definition.file);
        let Some(mut around) = self.around(definition) else {
            return;
        };
        around.artifact = self.source_artifact(&around);
        let mut keys = self.source_keys(&around);
        let mut never_set = Vec::new();
        for action in around.pipeline.actions() {
            match action.provider.as_str() {
                "CodeBuild" => {
                    self.artifact_settings(&around, action);
                    self.build(&around, action, &mut keys, &mut never_set);
                }
                "CloudFormation" => self.deployment(&around, action, &mut keys),
                // Only the variables that it lists leave it (CodePipeline user guide, "Commands action
                // reference").
                "Commands" if !around.pipeline.open => {
                    let namespace = action.namespace.iter().map(|text| text.text.clone());
                    keys.extend(namespace.map(|name| (name, action.variables.clone())));
                }
                _ => self.artifact_settings(&around, action),
            }
        }
        let builds = std::mem::take(&mut self.builds);
        let setter = |namespace: &str, name: &str| builds.get(namespace)?.sets(name);
        let found = crate::pipeline_checks::check_with(&around.pipeline, &keys, &setter);
        self.find_all(found);
        self.report.variables = variables(&around.pipeline, keys);
        self.never_set(&around, never_set);
    }

    /// Reads what can be read of the definition, in either of its two forms.
    fn around(&mut self, definition: &Definition<'_>) -> Option<Around> {
        let File { shown, bytes } = &definition.file;
        let root = match yaml::read_bytes(shown, bytes) {
            Ok(document) => document.root,
            Err(finding) => {
                self.find(finding);
                return None;
            }
        };
        let around = |pipeline, template, projects| Around {
            pipeline,
            template,
            projects,
            artifact: None,
        };
        if is_definition(&root) {
            let read = Pipeline::read_definition(shown, &root);
            self.find_all(read.faults);
            return Some(around(read.pipeline?, None, Vec::new()));
        }
        let read = Template::read(shown, bytes);
        self.find_all(read.faults);
        let template = read.template?;
        self.find_all(template_checks::check(&template, bytes.len()));
        // Whoever deploys it may write them out, as `aws cloudformation package` does.
        let aliases = yaml_alias::check(&template).into_iter();
        self.find_all(aliases.map(|one| one.lowered(Severity::Warning)));
        // What only an account knows is not known here.
        let world = World {
            lenient: true,
            ..definition.world.clone()
        };
        let (evaluator, faults) = Evaluator::read(&template, &world);
        self.find_all(faults);
        if world.imports_are_all {
            self.find_all(missing_exports(&template, &evaluator, &world));
        }
        if looped_pipeline(&template) {
            let unread = format!("the pipeline in {shown}: Fn::ForEach makes it");
            self.report.unread.push(unread);
            return None;
        }
        let read = Pipeline::read_template(&template, &evaluator, definition.id);
        self.find_all(read.faults);
        let mut projects = Vec::new();
        for project in project::each(&template, &evaluator) {
            match project {
                Ok(project) => projects.push(project),
                Err(finding) => self.find(finding),
            }
        }
        let pipeline = read.pipeline?;
        Some(around(pipeline, Some(template), projects))
    }
}

/// What the references of a pipeline may name.
fn variables(
    pipeline: &Pipeline,
    mut known: BTreeMap<String, Vec<String>>,
) -> BTreeMap<String, Vec<String>> {
    for action in pipeline.actions() {
        let namespace = action.namespace.iter().map(|text| text.text.clone());
        for name in namespace.filter(|name| !is_unknown(name)) {
            known.entry(name).or_default();
        }
    }
    let execution = vec![EXECUTION_KEY.to_owned()];
    known.insert(EXECUTION_NAMESPACE.to_owned(), execution);
    let declared = pipeline.variables.iter().map(|(name, _)| name.clone());
    let declared: Vec<String> = declared.collect();
    if !declared.is_empty() {
        known.insert(PIPELINE_NAMESPACE.to_owned(), declared);
    }
    known
}

/// A finding for each known name that no stack exports.
fn missing_exports(template: &Template, evaluator: &Evaluator<'_>, world: &World) -> Vec<Finding> {
    let mut findings = Vec::new();
    template_checks::functions::each(template, &mut |function, argument, place| {
        if function != "Fn::ImportValue" {
            return;
        }
        let name = evaluator.node(argument).ok().flatten();
        let name = name.as_ref().and_then(Node::as_str);
        let known = world.imports.keys().map(String::as_str);
        if let Some(name) = name.filter(|name| !is_unknown(name))
            && !world.imports.contains_key(name)
        {
            let message = format!("no stack exports {name}");
            findings.push(
                Finding::new(&rule::UNRESOLVED, &template.file, Some(place), message)
                    .hint("deploy the stack that exports it first")
                    .maybe_hint(did_you_mean(name, known)),
            );
        }
    });
    findings
}

/// Whether a document is the JSON of get-pipeline, not a template.
fn is_definition(root: &Node) -> bool {
    root.get("pipeline").is_some() || root.get("stages").is_some()
}

/// Whether the only pipeline of a template is made by a loop.
fn looped_pipeline(template: &Template) -> bool {
    fn holds(node: &Node) -> bool {
        let kind = node.get("Type").and_then(Node::as_str);
        match &node.content {
            Content::Scalar(..) => false,
            Content::Sequence(items) => items.iter().any(holds),
            Content::Mapping(entries) => {
                kind == Some(PIPELINE_TYPE) || entries.iter().any(|(_, value)| holds(value))
            }
        }
    }
    let entries = template.root.get("Resources").and_then(Node::as_mapping);
    let mut loops = entries.unwrap_or_default().iter().filter(|(key, _)| {
        key.as_str()
            .is_some_and(|name| name.starts_with("Fn::ForEach"))
    });
    template.resources_of(PIPELINE_TYPE).next().is_none() && loops.any(|(_, body)| holds(body))
}

/// A finding for each local path of a template that is not uploaded.
fn local_paths(template: &Template, become_of: LocalPaths) -> Vec<Finding> {
    let finding = |one: &local::Local<'_>| {
        let (what, path) = (one.what(), one.path);
        let place = Some(one.node.place);
        let find = |message| Finding::new(&rule::LOCAL_PATH, &template.file, place, message);
        match become_of {
            LocalPaths::Packaged => None,
            LocalPaths::Packable => {
                let message = format!(
                    "{what} is the local path {path:?}, which package-template replaces once it has a bucket"
                );
                Some(find(message).lowered(Severity::Note))
            }
            LocalPaths::Kept => Some(find(format!(
                "{what} is the local path {path:?}, which CloudFormation cannot read"
            ))),
        }
    };
    local::find(&template.root)
        .iter()
        .filter_map(finding)
        .collect()
}

/// A pipeline, the template that it was read from and that template's build projects.
pub type Read = (Pipeline, Option<Template>, Vec<Project>);

/// Reads a template with a pipeline, or a pipeline's JSON.
///
/// # Errors
/// Every fault of the file.
pub fn read_definition(
    shown: &str,
    bytes: &[u8],
    world: &World,
    id: Option<&str>,
) -> Result<Read, Vec<Finding>> {
    let root = yaml::read_bytes(shown, bytes)
        .map_err(|finding| vec![finding])?
        .root;
    if is_definition(&root) {
        let pipeline = Pipeline::read_definition(shown, &root).whole()?;
        return Ok((pipeline, None, Vec::new()));
    }
    let template = Template::parse(shown, bytes)?;
    let evaluator = Evaluator::new(&template, world)?;
    let pipeline = Pipeline::from_template(&template, &evaluator, id)?;
    let projects = project::projects(&template, &evaluator).map_err(|finding| vec![finding])?;
    Ok((pipeline, Some(template), projects))
}
