//! Files that an action names by `Artifact::path`.

use crate::finding::{Finding, Place, did_you_mean};
use crate::model::evaluate::is_unknown;
use crate::model::pipeline::{Action, Text};
use crate::rules::{artifact_not_input, file_not_in_artifact};

use super::around::Around;
use super::run::Run;

impl Run<'_> {
    /// The name in the archive behind `Artifact::path`, when it is there.
    pub(super) fn artifact_file(
        &mut self,
        around: &Around,
        action: &Action,
        field: &str,
        text: &Text,
    ) -> Option<String> {
        let file = &around.pipeline.file;
        if is_unknown(&text.text) {
            return None;
        }
        let Some((artifact, path)) = text.text.split_once("::") else {
            let message = format!(
                "{}: {field} {:?} is not `Artifact::path`",
                action.name, text.text
            );
            self.find(Finding::new(
                &artifact_not_input::RULE,
                file,
                Some(text.place),
                message,
            ));
            return None;
        };
        if !self.is_input(around, action, artifact, text.place) {
            return None;
        }
        if Some(artifact) != around.artifact.as_deref() {
            self.report.unread.push(format!(
                "{path} of {}: it is in the artifact {artifact}",
                action.name
            ));
            return None;
        }
        let what = format!("{}: {field} {path}", action.name);
        self.in_archive(around, path, text.place, &what)?;
        Some(path.to_owned())
    }

    pub(super) fn is_input(
        &mut self,
        around: &Around,
        action: &Action,
        artifact: &str,
        place: Place,
    ) -> bool {
        let mut inputs = action.inputs.iter();
        if inputs.any(|input| input.text == artifact || is_unknown(&input.text)) {
            return true;
        }
        // What the action takes may depend on what is not known.
        if around.pipeline.open && action.inputs.is_empty() {
            return false;
        }
        let known = action.inputs.iter().map(|input| input.text.as_str());
        let message = format!("{}: {artifact} is not an input artifact", action.name);
        self.find(
            Finding::new(
                &artifact_not_input::RULE,
                &around.pipeline.file,
                Some(place),
                message,
            )
            .maybe_hint(did_you_mean(artifact, known)),
        );
        false
    }

    /// Whether a path is in the archive; a finding says what is there instead.
    pub(super) fn in_archive(
        &mut self,
        around: &Around,
        path: &str,
        place: Place,
        what: &str,
    ) -> Option<()> {
        match self.has(path) {
            Some(true) if (self.subject.archive.read)(path).is_some() => return Some(()),
            Some(true) => {
                let artifact = around.artifact.as_deref().unwrap_or_default();
                let message = format!("{what} is not a regular file in artifact {artifact}");
                let file = &around.pipeline.file;
                self.find(
                    Finding::new(&file_not_in_artifact::RULE, file, Some(place), message).hint(
                        "a symbolic link stays a link in the archive: name the file that it points to",
                    ),
                );
                return None;
            }
            None if (self.subject.archive.read)(path).is_some() => return Some(()),
            None => {
                self.report.unread.push(format!(
                    "{what}: it is not in the folder, and what the archive holds is not known"
                ));
                return None;
            }
            Some(false) => {}
        }
        let artifact = around.artifact.as_deref().unwrap_or_default();
        let names = self.subject.archive.names.clone().unwrap_or_default();
        let base = path.rsplit('/').next().unwrap_or(path);
        let elsewhere = names
            .iter()
            .find(|name| name.rsplit('/').next() == Some(base));
        let hint = match elsewhere {
            Some(name) => Some(format!(
                "the archive has {name}: write {artifact}::{name}, or package it under the name {path} (FILE={path})"
            )),
            None => did_you_mean(path, names.iter().map(String::as_str)).or_else(|| {
                let some: Vec<_> = names.iter().take(5).map(String::as_str).collect();
                let more = if names.len() > some.len() {
                    ", …"
                } else {
                    ""
                };
                Some(format!("the archive has {}{more}", some.join(", ")))
            }),
        };
        let message = format!("{what} does not exist in artifact {artifact}");
        let file = &around.pipeline.file;
        self.find(
            Finding::new(&file_not_in_artifact::RULE, file, Some(place), message).maybe_hint(hint),
        );
        None
    }
}
