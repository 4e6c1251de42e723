//! A CodeBuild buildspec: what its phases run, what it exports, what it hands on.
//!
//! Source: CodeBuild user guide, "Build specification reference".

use crate::finding::{Finding, Place};

mod read;
pub(crate) mod script;

/// A buildspec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buildspec {
    /// The file as its user named it.
    pub file: String,
    /// `env`.
    pub env: Env,
    /// `run-as` of the whole buildspec.
    pub run_as: Option<String>,
    /// The phases, `install` to `post_build`; one that is not in the file has no commands.
    pub phases: [Phase; 4],
    /// `artifacts`, when there are any.
    pub artifacts: Option<Artifacts>,
    /// Whether `batch` divides the build.
    pub batch: Option<Place>,
    /// What is probably not meant: unknown keys, names that CodeBuild drops.
    pub warnings: Vec<Finding>,
}

/// What could be read of a buildspec, and every fault on the way.
#[derive(Debug)]
pub struct Read {
    /// The buildspec, as far as it is one.
    pub spec: Option<Buildspec>,
    /// Why it is not one, or not wholly.
    pub faults: Vec<Finding>,
}

/// The `env` section.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Env {
    /// `variables`, in the order of the file.
    pub variables: Vec<(String, String)>,
    /// `exported-variables`.
    pub exported: Vec<Exported>,
    /// `parameter-store`: variable and parameter name.
    pub parameter_store: Vec<(String, String)>,
    /// `secrets-manager`: variable and secret reference.
    pub secrets_manager: Vec<(String, String)>,
    /// `shell`.
    pub shell: Option<String>,
}

/// A listed name with its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The variable.
    pub name: String,
    /// The line of the buildspec that lists it.
    pub line: usize,
    /// Where it stands.
    pub place: Place,
}

/// The name of a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhaseName {
    /// `install`.
    Install,
    /// `pre_build`.
    PreBuild,
    /// `build`.
    Build,
    /// `post_build`.
    PostBuild,
}

impl PhaseName {
    /// All phases in the order in which they run.
    pub const ALL: [Self; 4] = [Self::Install, Self::PreBuild, Self::Build, Self::PostBuild];

    /// The name as written in a buildspec.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::PreBuild => "pre_build",
            Self::Build => "build",
            Self::PostBuild => "post_build",
        }
    }
}

/// One phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase {
    /// Which one.
    pub name: PhaseName,
    /// `commands`: one script each.
    pub commands: Vec<Item>,
    /// `finally`: runs after `commands`, whether they failed or not.
    pub finally: Vec<Item>,
    /// `on-failure`.
    pub on_failure: OnFailure,
    /// `run-as` of this phase.
    pub run_as: Option<String>,
    /// Where `steps` stands, the GitHub Actions of this phase.
    pub steps: Option<Place>,
    /// Where `runtime-versions` stands, which only CodeBuild's own images know.
    pub runtime_versions: Option<Place>,
}

/// One item of `commands` or `finally`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The script, as the shell gets it.
    pub script: String,
    /// The line of the buildspec on which the script's first line stands.
    pub line: usize,
    /// Where the item stands.
    pub place: Place,
    /// Whether each line of the script is a line of the buildspec (a `|` block).
    pub is_block: bool,
}

impl Item {
    /// The place of a line of the script, counted from 0: that line of the buildspec, or where the item
    /// begins when its lines are not those of the file. Of a line only line and column are known.
    #[must_use]
    pub fn place_of_line(&self, line: usize) -> Place {
        if !self.is_block {
            return self.place;
        }
        Place {
            line: self.line + line,
            column: self.place.column,
            ..Place::default()
        }
    }
}

/// What happens when a phase fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// Nothing is said: a failed `build` is still followed by `post_build`. Also `RETRY` with its forms:
    /// CodeBuild repeats the phase, and what follows the last try is not documented; to be settled with a
    /// phase that always fails.
    #[default]
    Default,
    /// No later phase runs.
    Abort,
    /// The next phase runs; the build stays failed.
    Continue,
}

/// `artifacts`, or one of its `secondary-artifacts`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Artifacts {
    /// `files`: paths and patterns, relative to the base directory.
    pub files: Vec<String>,
    /// `base-directory`.
    pub base_directory: Option<String>,
    /// `exclude-paths`.
    pub exclude_paths: Vec<String>,
    /// `discard-paths`: keep file names only.
    pub discard_paths: bool,
    /// `name`.
    pub name: Option<String>,
    /// `secondary-artifacts` by identifier.
    pub secondary: Vec<(String, Self)>,
}

impl Buildspec {
    /// All items, in the order of the phases.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        let phases = self.phases.iter();
        phases.flat_map(|phase| phase.commands.iter().chain(&phase.finally))
    }

    /// The phase of that name.
    #[must_use]
    pub fn phase(&self, name: PhaseName) -> &Phase {
        &self.phases[name as usize]
    }
}

#[cfg(test)]
mod tests;
