//! Checking what is said about Docker Compose.

use action::settings::faults::Faults;
use action::settings::given::Given;
use action::settings::value::{Lines, Names};

use super::checked::Run;
use super::compose_run::{ComposeRun, Registry};
use super::values::Runtime;
use super::variables::Variables;

/// What is said about Compose.
pub(super) struct ComposeSettings {
    pub(super) files: Given<Lines>,
    pub(super) variables: Given<Names>,
    pub(super) registries: Given<Lines>,
}

/// The same after checking: files, names of variables, registries.
pub(super) type Checked = (Vec<String>, Vec<String>, Vec<Registry>);

/// What this program sets itself, or what would change where a command is found.
const RESERVED: [&str; 8] = [
    "COMPOSE_FILE",
    "COMPOSE_PATH_SEPARATOR",
    "COMPOSE_PROJECT_NAME",
    "DOCKER_CONFIG",
    "PATH",
    "RELEASE_DIR",
    "RELEASE_ID",
    "SHARED_DIR",
];

impl ComposeSettings {
    pub(super) fn check(self, faults: &mut Faults, runtime: Option<Runtime>) -> Checked {
        let given = [
            ("compose_file", matches!(self.files, Given::Value(_))),
            (
                "compose_variable",
                matches!(self.variables, Given::Value(_)),
            ),
            ("registry_login", matches!(self.registries, Given::Value(_))),
        ];
        for (field, is_given) in given {
            if let Some(runtime) = runtime
                && is_given
                && runtime != Runtime::Compose
            {
                faults.of(
                    field,
                    format!("is used with runtime compose only, and the runtime is {runtime}"),
                );
            }
        }
        (
            files(faults, self.files),
            variables(faults, self.variables),
            registries(faults, self.registries),
        )
    }
}

/// Their order is kept: a later one overrides an earlier one.
fn files(faults: &mut Faults, given: Given<Lines>) -> Vec<String> {
    let lines = faults.optional("compose_file", given).unwrap_or_default();
    let mut files: Vec<String> = Vec::new();
    for line in lines.0 {
        let path = line.trim_start_matches("./").to_owned();
        match bundle::names::check(&path, bundle::names::Names::Unix) {
            Ok(()) if files.contains(&path) => {
                faults.of("compose_file", format!("names `{path}` twice"));
            }
            Ok(()) => files.push(path),
            Err(fault) => faults.of(
                "compose_file",
                format!("`{line}` {fault}; write paths relative to the application"),
            ),
        }
    }
    files
}

fn variables(faults: &mut Faults, given: Given<Names>) -> Vec<String> {
    let names = faults.optional("compose_variable", given);
    let names = names.unwrap_or_default().0;
    for name in &names {
        if RESERVED.contains(&name.as_str()) {
            let hint = match name.as_str() {
                "COMPOSE_FILE" => "; the files are named by DEPLOY_APP_COMPOSE_FILE",
                "COMPOSE_PROJECT_NAME" => "; the project is named by DEPLOY_APP_PROJECT",
                _ => "",
            };
            faults.of(
                "compose_variable",
                format!("{name} cannot be given: this program sets it{hint}"),
            );
        } else if !is_name(name) {
            // What is no name may be a secret itself.
            faults.of(
                "compose_variable",
                "one of them is not the name of a variable; write names, not values",
            );
        }
    }
    names
}

/// Whether this can be the name of a variable.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn registries(faults: &mut Faults, given: Given<Lines>) -> Vec<Registry> {
    let lines = faults.optional("registry_login", given).unwrap_or_default();
    let mut registries: Vec<Registry> = Vec::new();
    for line in lines.0 {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [host, user, variable] = words.as_slice() else {
            // A password may stand in the wrong place, so the line is not repeated.
            faults.of(
                "registry_login",
                "has a line that is not REGISTRY USER VARIABLE, such as `registry.example.org ci REGISTRY_PASSWORD`, where VARIABLE names the variable with the password",
            );
            continue;
        };
        let is_host = host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte));
        if !is_host || host.starts_with('-') {
            faults.of(
                "registry_login",
                "has a line whose first word is not the host of a registry, such as registry.example.org:5000",
            );
        } else if !is_name(variable) {
            faults.of(
                "registry_login",
                "has a line whose third word is not the name of a variable; write the name of the variable with the password, not the password",
            );
        } else {
            registries.push(Registry {
                host: (*host).to_owned(),
                user: (*user).to_owned(),
                variable: (*variable).to_owned(),
            });
        }
    }
    registries
}

/// How Compose runs the application, where its project's name is one.
pub(super) fn run(faults: &mut Faults, project: String, files: Vec<String>) -> Option<Run> {
    let is_good = project.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && project.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
        });
    if !is_good {
        faults.of(
            "project",
            format!(
                "{project:?} is not a Compose project name (lower-case letters, digits, `-`, `_`)"
            ),
        );
        return None;
    }
    Some(Run::Compose(ComposeRun {
        project,
        files,
        variables: Variables::default(),
    }))
}
