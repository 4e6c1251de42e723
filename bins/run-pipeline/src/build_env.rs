//! The environment of a build: clean, with what CodeBuild sets, in CodeBuild's precedence.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use contract::buildspec::Env;
use contract::project::Project;

/// What passes from the runner's own environment into a build, beside `AWS_…` and `LC_…`. All
/// else stays outside, so that a build does not work here by accident and fails in CodeBuild.
const PASSED: [&str; 20] = [
    "PATH",
    "HOME",
    "LANG",
    "TERM",
    "TMPDIR",
    "TZ",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "DOCKER_HOST",
];

/// What CodeBuild tells a build about itself. Source: CodeBuild user guide, "Environment
/// variables in build environments".
#[derive(Debug, Clone, Default)]
pub(crate) struct About {
    /// The project's name.
    pub(crate) project: String,
    /// A unique part for the build's id.
    pub(crate) id: String,
    /// Such as `codepipeline/rag`; empty for a buildspec alone.
    pub(crate) initiator: String,
    /// The image that CodeBuild would use.
    pub(crate) image: String,
    /// The region; empty when none is configured.
    pub(crate) region: String,
    /// The account.
    pub(crate) account: String,
    /// The version of the primary source, when it has one.
    pub(crate) source_version: Option<String>,
    /// When the build starts, in milliseconds since 1970.
    pub(crate) start_millis: u128,
    /// Where the primary source is.
    pub(crate) source: PathBuf,
    /// Where the secondary sources are, by artifact name.
    pub(crate) secondary: Vec<(String, PathBuf)>,
    /// Which build of a batch it is.
    pub(crate) batch: Option<String>,
}

/// What a variable holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Plain(String),
    /// The parameter of Parameter Store with its value.
    Parameter(String),
    /// The secret of Secrets Manager with its value.
    Secret(String),
}

impl Value {
    /// Whether a store holds the value.
    pub(crate) fn is_stored(&self) -> bool {
        !matches!(self, Self::Plain(_))
    }
}

/// Where a variable comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Machine,
    Buildspec,
    Project,
    Action,
    Batch,
    EnvFile,
    CodeBuild,
}

impl Origin {
    /// In words.
    pub(crate) fn shown(self) -> &'static str {
        match self {
            Self::Machine => "this machine",
            Self::Buildspec => "env of the buildspec",
            Self::Project => "the project",
            Self::Action => "EnvironmentVariables of the action",
            Self::Batch => "batch of the buildspec",
            Self::EnvFile => "--build-env-file",
            Self::CodeBuild => "CodeBuild",
        }
    }
}

/// A variable of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}

/// The layers of a build's environment, the later over the earlier.
pub(crate) struct Layers<'a> {
    pub(crate) outside: &'a BTreeMap<String, String>,
    pub(crate) buildspec: &'a Env,
    pub(crate) project: &'a Project,
    pub(crate) action: &'a [(String, Value)],
    pub(crate) batch: &'a [(String, String)],
    pub(crate) env_files: &'a [(String, String)],
}

/// The variables of a build in CodeBuild's precedence: StartBuild overrides (the action's
/// `EnvironmentVariables`, then the runner's env files) over the project over the buildspec.
/// What CodeBuild itself sets cannot be overridden.
pub(crate) fn merge(layers: &Layers<'_>, about: &About) -> BTreeMap<String, Variable> {
    let mut all = BTreeMap::new();
    let mut add = |origin: Origin, pairs: &mut dyn Iterator<Item = (String, Value)>| {
        all.extend(pairs.map(|(name, value)| (name, Variable { value, origin })));
    };
    let pairs = |pairs: &[(String, String)], make: fn(String) -> Value| -> Vec<(String, Value)> {
        let pairs = pairs.iter().cloned();
        pairs.map(|(name, value)| (name, make(value))).collect()
    };
    let outside = layers.outside.clone().into_iter();
    add(
        Origin::Machine,
        &mut outside.map(|(name, value)| (name, Value::Plain(value))),
    );
    let spec = layers.buildspec;
    let project = layers.project;
    for (origin, plain, parameters, secrets) in [
        (
            Origin::Buildspec,
            &spec.variables,
            &spec.parameter_store,
            &spec.secrets_manager,
        ),
        (
            Origin::Project,
            &project.variables,
            &project.parameter_store,
            &project.secrets_manager,
        ),
    ] {
        add(origin, &mut pairs(plain, Value::Plain).into_iter());
        add(origin, &mut pairs(parameters, Value::Parameter).into_iter());
        add(origin, &mut pairs(secrets, Value::Secret).into_iter());
    }
    add(Origin::Action, &mut layers.action.iter().cloned());
    add(
        Origin::Batch,
        &mut pairs(layers.batch, Value::Plain).into_iter(),
    );
    add(
        Origin::EnvFile,
        &mut pairs(layers.env_files, Value::Plain).into_iter(),
    );
    add(
        Origin::CodeBuild,
        &mut pairs(&codebuild(about), Value::Plain).into_iter(),
    );
    all
}

/// Whether a variable of the outside means the same in a container: not what names places of this machine.
pub(crate) fn enters_containers(name: &str) -> bool {
    let is_aws = name.starts_with("AWS_") && !name.ends_with("_FILE") && name != "AWS_CA_BUNDLE";
    is_aws || name.to_ascii_lowercase().ends_with("_proxy")
}

/// The part of the runner's own environment that passes, with `bin_dir` in front of `PATH`.
pub(crate) fn outside(
    process: impl IntoIterator<Item = (OsString, OsString)>,
    bin_dir: Option<&Path>,
) -> BTreeMap<String, String> {
    let mut passed: BTreeMap<String, String> = process
        .into_iter()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| {
            PASSED.contains(&name.as_str()) || name.starts_with("AWS_") || name.starts_with("LC_")
        })
        .collect();
    let path = passed
        .entry("PATH".to_owned())
        .or_insert_with(|| "/usr/local/bin:/usr/bin:/bin".to_owned());
    if let Some(folder) = bin_dir {
        *path = format!("{}:{path}", folder.display());
    }
    passed
}

fn codebuild(about: &About) -> Vec<(String, String)> {
    let About {
        project,
        id,
        region,
        account,
        ..
    } = about;
    let shown = if region.is_empty() { "local" } else { region };
    let source = about.source.display().to_string();
    let mut all = vec![
        ("CODEBUILD_BUILD_ID", format!("{project}:{id}")),
        (
            "CODEBUILD_BUILD_ARN",
            format!("arn:aws:codebuild:{shown}:{account}:build/{project}:{id}"),
        ),
        ("CODEBUILD_BUILD_IMAGE", about.image.clone()),
        ("CODEBUILD_BUILD_NUMBER", "1".to_owned()),
        ("CODEBUILD_BUILD_SUCCEEDING", "1".to_owned()),
        ("CODEBUILD_INITIATOR", about.initiator.clone()),
        ("CODEBUILD_LOG_PATH", id.clone()),
        (
            "CODEBUILD_PROJECT_ARN",
            format!("arn:aws:codebuild:{shown}:{account}:project/{project}"),
        ),
        ("CODEBUILD_SOURCE_REPO_URL", String::new()),
        ("CODEBUILD_SRC_DIR", source),
        ("CODEBUILD_START_TIME", about.start_millis.to_string()),
        // As AWS's own local agent marks its builds.
        ("CODEBUILD_LOCAL_BUILD", "true".to_owned()),
        ("CODEBUILD_CI", "false".to_owned()),
    ];
    if let Some(version) = &about.source_version {
        all.push(("CODEBUILD_RESOLVED_SOURCE_VERSION", version.clone()));
        all.push(("CODEBUILD_SOURCE_VERSION", version.clone()));
    }
    if let Some(identifier) = &about.batch {
        all.push(("CODEBUILD_BATCH_BUILD_IDENTIFIER", identifier.clone()));
    }
    if !region.is_empty() {
        all.push(("AWS_REGION", region.clone()));
        all.push(("AWS_DEFAULT_REGION", region.clone()));
    }
    let mut all: Vec<(String, String)> = all
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    for (name, folder) in &about.secondary {
        all.push((
            format!("CODEBUILD_SRC_DIR_{name}"),
            folder.display().to_string(),
        ));
    }
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use contract::buildspec::Buildspec;

    use super::*;
    use crate::projects::unknown;

    fn about() -> About {
        About {
            project: "ami".into(),
            id: "0a".into(),
            initiator: "codepipeline/rag".into(),
            image: "aws/codebuild/standard:7.0".into(),
            region: "eu-west-1".into(),
            account: "000000000000".into(),
            source_version: Some("v1".into()),
            start_millis: 5,
            source: "/src".into(),
            secondary: vec![("Two".into(), "/two".into())],
            batch: None,
        }
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn the_precedence_is_codebuilds() {
        let text =
            "version: 0.2\nenv: {variables: {A: spec, B: spec, C: spec, CODE: x}}\nphases: {}\n";
        let spec = Buildspec::parse("b.yml", text.as_bytes()).unwrap();
        let outside = BTreeMap::from([pair("A", "outside"), pair("D", "outside")]);
        let mut project = unknown("p");
        project.variables = vec![pair("B", "project"), pair("C", "project")];
        project.parameter_store = vec![pair("E", "/e")];
        let all = merge(
            &Layers {
                outside: &outside,
                buildspec: &spec.env,
                project: &project,
                action: &[
                    ("C".to_owned(), Value::Plain("action".to_owned())),
                    ("CODEBUILD_SRC_DIR".to_owned(), Value::Plain("/etc".into())),
                    ("F".to_owned(), Value::Secret("f".to_owned())),
                ],
                batch: &[],
                env_files: &[pair("F", "file")],
            },
            &about(),
        );
        assert_eq!(all["E"].value, Value::Parameter("/e".to_owned()));
        assert_eq!(all["F"].origin, Origin::EnvFile);
        assert_eq!(all["C"].origin, Origin::Action);
        let get = |name: &str| match &all.get(name)?.value {
            Value::Plain(value) => Some(value.as_str()),
            _ => None,
        };
        assert_eq!(get("A"), Some("spec"));
        assert_eq!(get("B"), Some("project"));
        assert_eq!(get("C"), Some("action"));
        assert_eq!(get("D"), Some("outside"));
        assert_eq!(get("CODEBUILD_SRC_DIR"), Some("/src"));
        assert_eq!(get("CODEBUILD_SRC_DIR_Two"), Some("/two"));
        assert_eq!(get("CODEBUILD_BUILD_ID"), Some("ami:0a"));
        assert_eq!(get("CODEBUILD_RESOLVED_SOURCE_VERSION"), Some("v1"));
        assert_eq!(get("AWS_DEFAULT_REGION"), Some("eu-west-1"));
    }

    #[test]
    fn only_the_named_variables_pass() {
        let process = [
            ("PATH", "/bin"),
            ("AWS_ENDPOINT_URL", "http://x"),
            ("https_proxy", "p"),
            ("MAKE_AMI_TAG", "leak"),
            ("RUN_PIPELINE_BIN_DIR", "leak"),
            ("LD_PRELOAD", "leak"),
        ];
        let process = process.map(|(name, value)| (name.into(), value.into()));
        let passed = outside(process, Some(Path::new("/ours")));
        let names: Vec<_> = passed.keys().map(String::as_str).collect();
        assert_eq!(names, ["AWS_ENDPOINT_URL", "PATH", "https_proxy"]);
        assert_eq!(passed["PATH"], "/ours:/bin");
    }
}
