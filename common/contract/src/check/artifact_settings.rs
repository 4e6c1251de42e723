//! Settings of actions that name artifacts and files in them.

use crate::model::actions::{self, Kind, Setting};
use crate::model::evaluate::is_unknown;
use crate::model::pipeline::Action;

use super::around::Around;
use super::run::Run;

/// What CodeDeploy looks for at the top of its input artifact (CodeDeploy user guide, "AppSpec file
/// reference"): YAML for instances, JSON too for Lambda and ECS.
const APPSPEC: [&str; 3] = ["appspec.yml", "appspec.yaml", "appspec.json"];

impl Run<'_> {
    /// Everything that an action names in its artifacts, CloudFormation actions left out.
    pub(super) fn artifact_settings(&mut self, around: &Around, action: &Action) {
        let kind = actions::provider(&action.category, &action.owner, &action.provider);
        for setting in kind.iter().flat_map(|provider| provider.settings) {
            self.artifact_setting(around, action, setting);
        }
        let by_path = action
            .setting("InputType")
            .is_some_and(|text| text == "FilePath");
        if action.provider == "StepFunctions" && by_path {
            self.file_in_input(around, action, "Input");
        }
        if action.provider == "CodeDeploy" {
            self.appspec(around, action);
        }
    }

    fn artifact_setting(&mut self, around: &Around, action: &Action, setting: &Setting) {
        let key = setting.name;
        let value = action.text(key);
        match (setting.kind, value) {
            (Kind::ArtifactPath, Some(text)) => {
                let name = self.artifact_file(around, action, key, text);
                if let Some(name) = name.filter(|_| key == "TemplatePath") {
                    self.template(&name);
                }
            }
            // The shorthand for a list of parameters or accounts has an equals sign.
            (Kind::TextOrArtifactPath, Some(text))
                if text.text.contains("::") && !text.text.contains(['=', '{', '[']) =>
            {
                self.artifact_file(around, action, key, text);
            }
            (Kind::ArtifactName, Some(text)) if !is_unknown(&text.text) => {
                self.is_input(around, action, &text.text, text.place);
            }
            (Kind::FileOf(artifact, default), _) => {
                let of = action.setting(artifact);
                let path = value.map_or(default, |text| text.text.as_str());
                if of.is_some() && of == around.artifact.as_deref() && !is_unknown(path) {
                    let place = action.place_of(if value.is_some() { key } else { artifact });
                    let what = format!("{}: {key} {path}", action.name);
                    self.in_archive(around, path, place, &what);
                }
            }
            (Kind::File, Some(_)) => self.file_in_input(around, action, key),
            _ => {}
        }
    }

    /// A file in the only input artifact.
    fn file_in_input(&mut self, around: &Around, action: &Action, key: &str) {
        let ([input], Some(text)) = (action.inputs.as_slice(), action.text(key)) else {
            return;
        };
        if Some(input.text.as_str()) == around.artifact.as_deref() && !is_unknown(&text.text) {
            let what = format!("{}: {key} {}", action.name, text.text);
            self.in_archive(around, &text.text, text.place, &what);
        }
    }

    fn appspec(&mut self, around: &Around, action: &Action) {
        let [input] = action.inputs.as_slice() else {
            return;
        };
        if Some(input.text.as_str()) != around.artifact.as_deref() {
            return;
        }
        let found = APPSPEC.iter().any(|name| self.has(name) != Some(false));
        if !found {
            let what = format!("{}: the AppSpec file {}", action.name, APPSPEC[0]);
            self.in_archive(around, APPSPEC[0], input.place, &what);
        }
    }
}
