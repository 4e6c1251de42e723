//! The artifacts of one execution, by name. Only the execution knows it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use action::failure::Failure;
use contract::pipeline::Action;

use crate::artifact::Artifact;

/// The artifacts that were made so far, in a folder of the execution.
#[derive(Debug)]
pub(crate) struct Store {
    folder: PathBuf,
    artifacts: BTreeMap<String, Artifact>,
}

impl Store {
    /// An empty store in an existing folder.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            artifacts: BTreeMap::new(),
        }
    }

    /// Takes over an artifact's file. Names are checked by the contract.
    pub(crate) fn put(&mut self, mut artifact: Artifact) -> Result<(), Failure> {
        let kept = self.folder.join(format!("{}.zip", artifact.name));
        std::fs::rename(&artifact.zip, &kept).map_err(|error| {
            Failure::failed(format!("cannot keep the artifact {}", artifact.name)).cause(error)
        })?;
        artifact.zip = kept;
        self.artifacts.insert(artifact.name.clone(), artifact);
        Ok(())
    }

    /// An artifact that was made.
    pub(crate) fn get(&self, name: &str) -> Option<&Artifact> {
        self.artifacts.get(name)
    }

    /// The input artifacts of an action, as far as they were made.
    pub(crate) fn inputs(&self, action: &Action) -> Vec<Artifact> {
        let names = action.inputs.iter();
        names
            .filter_map(|name| self.artifacts.get(&name.text).cloned())
            .collect()
    }
}
