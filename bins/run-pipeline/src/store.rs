//! The artifacts of one execution, by name. Only the execution knows it.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

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
        move_file(&artifact.zip, &kept).map_err(|error| {
            Failure::failed(format!("cannot keep the artifact {}", artifact.name)).cause(error)
        })?;
        artifact.zip = kept;
        self.adopt(artifact);
        Ok(())
    }

    /// Takes an artifact whose file stays where it is: one of an earlier run.
    pub(crate) fn adopt(&mut self, artifact: Artifact) {
        self.artifacts.insert(artifact.name.clone(), artifact);
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

/// Moves a file, to another file system too. Under its new name it is whole or not there.
fn move_file(from: &Path, to: &Path) -> std::io::Result<()> {
    match std::fs::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {
            let part = to.with_extension("part");
            std::fs::copy(from, &part)?;
            std::fs::rename(&part, to)?;
            std::fs::remove_file(from)
        }
        done => done,
    }
}
