//! From the tree to the model, collecting every fault on the way.

use crate::finding::{Finding, Place, did_you_mean};
use crate::model::pipeline::Text;
use crate::model::yaml::{self, Content, Node, Style};
use crate::model::yaml11;
use crate::rule::Rule;
use crate::rule::Severity;
use crate::rules::reference_not_resolved;
use crate::rules::{
    buildspec_shape, buildspec_version, export_name, exported_twice, reserved_variable,
    unknown_buildspec_key,
};

use super::{Artifacts, Buildspec, Env, Exported, Item, OnFailure, Phase, PhaseName, Read};

const TOP: [&str; 9] = [
    "version",
    "run-as",
    "env",
    "proxy",
    "batch",
    "phases",
    "reports",
    "artifacts",
    "cache",
];
const ENV: [&str; 6] = [
    "shell",
    "variables",
    "parameter-store",
    "secrets-manager",
    "exported-variables",
    "git-credential-helper",
];
const PHASE: [&str; 6] = [
    "run-as",
    "on-failure",
    "commands",
    "finally",
    "runtime-versions",
    // GitHub Actions: CodeBuild user guide, "GitHub Action syntax in a buildspec".
    "steps",
];
const ARTIFACTS: [&str; 8] = [
    "files",
    "name",
    "discard-paths",
    "base-directory",
    "exclude-paths",
    "enable-symlinks",
    "s3-prefix",
    "secondary-artifacts",
];

impl Buildspec {
    /// Reads a buildspec.
    ///
    /// # Errors
    /// Every fault at once: not YAML, no `version` or one that cannot carry exports, nothing to
    /// do, a command that is not text, a value of the wrong kind, a name that CodeBuild
    /// refuses.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, Vec<Finding>> {
        let read = Self::read(file, bytes);
        match read.spec {
            Some(spec) if read.faults.is_empty() => Ok(spec),
            _ => Err(read.faults),
        }
    }

    /// Reads what can be read of a buildspec.
    #[must_use]
    pub fn read(file: &str, bytes: &[u8]) -> Read {
        match yaml::read_bytes(file, bytes) {
            Ok(document) => buildspec(file, &document.root, document.twice),
            Err(finding) => Read {
                spec: None,
                faults: vec![finding],
            },
        }
    }
}

fn buildspec(file: &str, root: &Node, twice: Vec<Finding>) -> Read {
    let mut reader = Reader {
        file,
        faults: Vec::new(),
        warnings: twice,
    };
    if root.as_mapping().is_none() {
        reader
            .fault(
                root,
                format!("a buildspec is a mapping, this is {}", root.kind()),
            )
            .hint = Some("a buildspec begins with `version: 0.2`".to_owned());
        return Read {
            spec: None,
            faults: reader.faults,
        };
    }
    reader.known_keys(root, &TOP);
    reader.version(root);
    let env = reader.env(root);
    let phases = reader.phases(root);
    let artifacts = root
        .get("artifacts")
        .filter(|node| !node.is_null())
        .map(|node| reader.artifacts(node));
    let run_as = reader.text(root, "run-as");
    let spec = Buildspec {
        file: file.to_owned(),
        env,
        run_as,
        phases,
        artifacts,
        batch: place_of(root, "batch"),
        warnings: reader.warnings,
    };
    Read {
        spec: Some(spec),
        faults: reader.faults,
    }
}

/// Where the value of a key stands, when there is one.
fn place_of(node: &Node, key: &str) -> Option<Place> {
    let value = node.get(key).filter(|node| !node.is_null())?;
    Some(value.place)
}

struct Reader<'a> {
    file: &'a str,
    faults: Vec<Finding>,
    warnings: Vec<Finding>,
}

impl Reader<'_> {
    fn fault(&mut self, node: &Node, message: String) -> &mut Finding {
        self.broken(&buildspec_shape::RULE, node, message)
    }

    fn broken(&mut self, rule: &'static Rule, node: &Node, message: String) -> &mut Finding {
        let at = self.faults.len();
        self.faults
            .push(Finding::new(rule, self.file, Some(node.place), message));
        &mut self.faults[at]
    }

    fn known_keys(&mut self, node: &Node, known: &[&str]) {
        for (key, _) in node.as_mapping().unwrap_or_default() {
            let name = key.as_str().unwrap_or_default();
            if !known.contains(&name) {
                let message = format!("key `{name}` is not known here and is ignored");
                self.warnings.push(
                    Finding::new(
                        &unknown_buildspec_key::RULE,
                        self.file,
                        Some(key.place),
                        message,
                    )
                    .maybe_hint(did_you_mean(name, known.iter().copied())),
                );
            }
        }
    }

    fn version(&mut self, root: &Node) {
        match root.get("version") {
            None => {
                self.broken(
                    &buildspec_version::RULE,
                    root,
                    "the buildspec has no version".to_owned(),
                )
                .hint = Some("begin it with `version: 0.2`".to_owned());
            }
            Some(node) => match node.as_str().unwrap_or_default() {
                "0.2" => {}
                "0.1" => {
                    let exported = root
                        .get("env")
                        .and_then(|env| env.get("exported-variables"))
                        .and_then(Node::as_sequence);
                    let message =
                        "version 0.1 runs each command in its own shell; exports cannot work";
                    let mut finding = Finding::new(
                        &buildspec_version::RULE,
                        self.file,
                        Some(node.place),
                        message,
                    )
                    .hint("write `version: 0.2`");
                    // CodeBuild takes it, and nothing is lost that anybody asked for; it is not run here.
                    if exported.is_none_or(<[_]>::is_empty) {
                        finding = finding.lowered(Severity::Note);
                    }
                    self.faults.push(finding);
                }
                other => {
                    let message = format!("version {other:?} is not a version of a buildspec");
                    self.broken(&buildspec_version::RULE, node, message).hint =
                        Some("write `version: 0.2`".to_owned());
                }
            },
        }
    }

    fn env(&mut self, root: &Node) -> Env {
        let Some(node) = root.get("env").filter(|node| !node.is_null()) else {
            return Env::default();
        };
        if node.as_mapping().is_none() {
            self.fault(node, format!("env is {}, not a mapping", node.kind()));
            return Env::default();
        }
        self.known_keys(node, &ENV);
        let mut exported: Vec<Exported> = Vec::new();
        for item in self.list(node, "exported-variables") {
            let name = item.as_str().unwrap_or_default().to_owned();
            self.exported_name(&item, &name, &exported);
            exported.push(Exported {
                name,
                line: item.place.line,
                place: item.place,
            });
        }
        let variables = self.pairs(node, "variables");
        if let Some(node) = node.get("variables") {
            self.warnings.extend(yaml11::check(self.file, node));
            for (key, value) in node.as_mapping().unwrap_or_default() {
                let what = format!("{} in env", key.as_str().unwrap_or_default());
                let text = value.as_str().map(|text| Text {
                    text: text.to_owned(),
                    place: value.place,
                });
                let finding =
                    text.and_then(|text| reference_not_resolved::check(self.file, &what, &text));
                self.warnings.extend(finding);
            }
        }
        Env {
            variables,
            exported,
            parameter_store: self.pairs(node, "parameter-store"),
            secrets_manager: self.pairs(node, "secrets-manager"),
            shell: self.text(node, "shell"),
        }
    }

    fn exported_name(&mut self, node: &Node, name: &str, before: &[Exported]) {
        let mut letters = name.bytes();
        let shell_name = letters
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && letters.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !shell_name {
            let message = format!(
                "{name:?}: not a shell variable name; CodeBuild would drop it silently (allowed: letters, digits, _)"
            );
            self.broken(&export_name::RULE, node, message);
        } else if name.starts_with("AWS_") {
            let message = format!("{name:?}: CodeBuild does not export names that start with AWS_");
            self.broken(&export_name::RULE, node, message);
        } else if let Some(first) = before.iter().find(|one| one.name == name) {
            let message = format!("{name} is listed twice, first on line {}", first.line);
            self.warnings.push(Finding::new(
                &exported_twice::RULE,
                self.file,
                Some(node.place),
                message,
            ));
        }
    }

    fn phases(&mut self, root: &Node) -> [Phase; 4] {
        let phases = root.get("phases").filter(|node| !node.is_null());
        match phases {
            // A batch names buildspecs of its own, and artifacts may be passed on without a command.
            None if ["batch", "artifacts"]
                .iter()
                .any(|key| root.get(key).is_some()) => {}
            None => {
                self.fault(root, "the buildspec has no phases".to_owned())
                    .hint = Some(
                    "add `phases:` with at least one of install, pre_build, build, post_build"
                        .to_owned(),
                );
            }
            Some(node) if node.as_mapping().is_none() => {
                self.fault(node, format!("phases is {}, not a mapping", node.kind()));
            }
            Some(node) => self.known_keys(node, &PhaseName::ALL.map(PhaseName::key)),
        }
        PhaseName::ALL.map(|name| {
            let node = phases.and_then(|node| node.get(name.key()));
            self.phase(name, node.filter(|node| !node.is_null()))
        })
    }

    fn phase(&mut self, name: PhaseName, node: Option<&Node>) -> Phase {
        let mut phase = Phase {
            name,
            commands: Vec::new(),
            finally: Vec::new(),
            on_failure: OnFailure::Default,
            run_as: None,
            steps: None,
            runtime_versions: None,
        };
        let Some(node) = node else { return phase };
        if node.as_mapping().is_none() {
            self.fault(
                node,
                format!("{} is {}, not a mapping", name.key(), node.kind()),
            );
            return phase;
        }
        self.known_keys(node, &PHASE);
        phase.commands = self.items(node, "commands");
        phase.finally = self.items(node, "finally");
        phase.run_as = self.text(node, "run-as");
        phase.on_failure = self.on_failure(node);
        phase.steps = place_of(node, "steps");
        phase.runtime_versions = place_of(node, "runtime-versions");
        phase
    }

    fn on_failure(&mut self, phase: &Node) -> OnFailure {
        let Some(text) = self.text(phase, "on-failure") else {
            return OnFailure::Default;
        };
        match text.as_str() {
            "ABORT" => OnFailure::Abort,
            "CONTINUE" => OnFailure::Continue,
            // RETRY, RETRY-count, RETRY-regex, RETRY-count-regex.
            other if other == "RETRY" || other.starts_with("RETRY-") => OnFailure::Default,
            other => {
                let node = phase.get("on-failure").unwrap_or(phase);
                let known = ["ABORT", "CONTINUE", "RETRY"];
                let hint = did_you_mean(other, known)
                    .unwrap_or_else(|| "write ABORT, CONTINUE or RETRY".to_owned());
                self.fault(node, format!("on-failure {other:?} is not supported"))
                    .hint = Some(hint);
                OnFailure::Default
            }
        }
    }

    fn items(&mut self, phase: &Node, key: &str) -> Vec<Item> {
        let mut items = Vec::new();
        for node in self.list(phase, key) {
            items.push(Item {
                script: node.as_str().unwrap_or_default().to_owned(),
                line: node.first_text_line(),
                place: node.place,
                is_block: matches!(node.content, Content::Scalar(_, Style::Literal)),
            });
        }
        items
    }

    /// The texts of a list, or one text in place of it; an item of another kind is a fault.
    fn list(&mut self, parent: &Node, key: &str) -> Vec<Node> {
        let Some(node) = parent.get(key).filter(|node| !node.is_null()) else {
            return Vec::new();
        };
        let items = match &node.content {
            // CodeBuild takes one text for a list of one, as AWS's own tutorials write it.
            Content::Scalar(..) => std::slice::from_ref(node),
            Content::Sequence(items) => items,
            Content::Mapping(_) => {
                self.fault(node, format!("{key} is {}, not a list", node.kind()))
                    .hint = Some("begin each item with `- `".to_owned());
                return Vec::new();
            }
        };
        let mut texts = Vec::new();
        // An item that is nothing is one that a comment took out.
        for item in items.iter().filter(|item| !item.is_null()) {
            if item.as_str().is_some() {
                texts.push(item.clone());
                continue;
            }
            let message = format!("an item of {key} is {}, not text", item.kind());
            let fault = self.fault(item, message);
            if item.as_mapping().is_some() {
                // `- echo a: b` is a mapping with the key `echo a`, a classic.
                fault.hint =
                    Some("quote the item, or write it as a block: it holds `: `".to_owned());
            }
        }
        texts
    }

    /// The names and texts of a mapping.
    fn pairs(&mut self, parent: &Node, key: &str) -> Vec<(String, String)> {
        let Some(node) = parent.get(key).filter(|node| !node.is_null()) else {
            return Vec::new();
        };
        let Some(entries) = node.as_mapping() else {
            self.fault(node, format!("{key} is {}, not a mapping", node.kind()));
            return Vec::new();
        };
        let mut pairs = Vec::new();
        for (name, value) in entries {
            let name = name.as_str().unwrap_or_default();
            match value.as_str() {
                Some(text) => pairs.push((name.to_owned(), text.to_owned())),
                None => {
                    self.fault(
                        value,
                        format!("{name} in {key} is {}, not text", value.kind()),
                    );
                }
            }
            if name.starts_with("CODEBUILD_") {
                self.broken(
                    &reserved_variable::RULE,
                    value,
                    format!("{name:?}: reserved by CodeBuild; it may be passed on, not set"),
                );
            }
        }
        pairs
    }

    fn text(&mut self, parent: &Node, key: &str) -> Option<String> {
        let node = parent.get(key).filter(|node| !node.is_null())?;
        match node.as_str() {
            Some(text) => Some(text.to_owned()),
            None => {
                self.fault(node, format!("{key} is {}, not text", node.kind()));
                None
            }
        }
    }

    fn artifacts(&mut self, node: &Node) -> Artifacts {
        if node.as_mapping().is_none() {
            self.fault(node, format!("artifacts is {}, not a mapping", node.kind()));
            return Artifacts::default();
        }
        self.known_keys(node, &ARTIFACTS);
        let texts = |nodes: Vec<Node>| -> Vec<String> {
            nodes
                .iter()
                .filter_map(|node| node.as_str().map(str::to_owned))
                .collect()
        };
        let files = texts(self.list(node, "files"));
        let mut secondary = Vec::new();
        let listed = node.get("secondary-artifacts").and_then(Node::as_mapping);
        for (name, value) in listed.unwrap_or_default() {
            let name = name.as_str().unwrap_or_default().to_owned();
            secondary.push((name, self.artifacts(value)));
        }
        if files.is_empty() {
            let message = "artifacts has no files".to_owned();
            if secondary.is_empty() {
                self.fault(node, message).hint = Some("add `files:`".to_owned());
            } else {
                // AWS's pages disagree: the reference calls it required, the page on secondary artifacts not.
                let finding = Finding::new(
                    &buildspec_shape::RULE,
                    self.file,
                    Some(node.place),
                    message,
                )
                .hint("add `files:` if CodeBuild asks for it; its reference calls it required")
                .lowered(Severity::Note);
                self.warnings.push(finding);
            }
        }
        let discard = node.get("discard-paths");
        let discard_paths = discard
            .is_some_and(|node| node.as_bool() == Some(true) || node.as_str() == Some("yes"));
        Artifacts {
            files,
            base_directory: self.text(node, "base-directory"),
            exclude_paths: texts(self.list(node, "exclude-paths")),
            discard_paths,
            name: self.text(node, "name"),
            secondary,
        }
    }
}
