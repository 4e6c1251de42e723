//! What the action acknowledges, and what its templates need.

use std::collections::BTreeSet;

use crate::check::{Around, Run};
use crate::checks::capabilities::{self, Need};
use crate::finding::Finding;
use crate::model::evaluate::is_unknown;
use crate::model::local::{self, Form};
use crate::model::pipeline::Action;
use crate::model::template::Template;

impl Run<'_> {
    pub(super) fn capabilities(
        &mut self,
        around: &Around,
        action: &Action,
        mode: &str,
        template: &Template,
    ) {
        let text = action.setting("Capabilities").unwrap_or_default();
        if is_unknown(text) {
            return;
        }
        let file = &around.pipeline.file;
        let place = action.place_of("Capabilities");
        let acknowledged: Vec<&str> = text.split(',').map(str::trim).collect();
        if text.contains(' ') {
            let message = format!("{}: Capabilities {text:?} holds a blank", action.name);
            self.find(
                Finding::new(
                    &crate::rules::capabilities::RULE,
                    file,
                    Some(place),
                    message,
                )
                .hint(format!("write {}", acknowledged.join(","))),
            );
        }
        let mut needs: Vec<(String, Need)> = Vec::new();
        self.needs(template, &mut needs, &mut BTreeSet::new());
        for (of, need) in needs {
            // A change set shows what a macro made, so that nothing must be acknowledged before.
            let reviewed = (mode == "CHANGE_SET_REPLACE" || is_unknown(mode))
                && need.capability == "CAPABILITY_AUTO_EXPAND";
            if reviewed || need.is_covered(&acknowledged) {
                continue;
            }
            let message = format!(
                "{}: {} is not acknowledged, and {of}:{}: {}",
                action.name, need.capability, need.place.line, need.why
            );
            let all: Vec<&str> = acknowledged
                .iter()
                .copied()
                .filter(|one| !one.is_empty())
                .chain([need.capability])
                .collect();
            self.find(
                Finding::new(
                    &crate::rules::capabilities::RULE,
                    file,
                    Some(place),
                    message,
                )
                .hint(format!("write `Capabilities: {}`", all.join(","))),
            );
        }
    }

    /// What a template and the nested ones that are packaged with it need, the first reason for each
    /// capability, with the file that has it: the one who creates the stack acknowledges for all of them.
    fn needs(
        &self,
        template: &Template,
        needs: &mut Vec<(String, Need)>,
        seen: &mut BTreeSet<String>,
    ) {
        if !seen.insert(template.file.clone()) {
            return;
        }
        for need in capabilities::needed(template) {
            if needs
                .iter()
                .all(|(_, one)| one.capability != need.capability)
            {
                needs.push((template.file.clone(), need));
            }
        }
        let read = self.subject.local_files;
        for one in local::find(&template.root) {
            let file = (one.form == Form::Template).then(|| read(&template.file, one.path));
            let nested = file.flatten();
            // Who packages it says what is wrong with it.
            let nested = nested.and_then(|file| Template::parse(&file.shown, &file.bytes).ok());
            if let Some(nested) = nested {
                self.needs(&nested, needs, seen);
            }
        }
    }
}
