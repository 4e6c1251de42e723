//! What is checked.

use crate::model::evaluate::World;

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
