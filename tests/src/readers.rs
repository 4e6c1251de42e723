//! The real readers of env files: docker's client, Docker Compose, python-dotenv and dash.
//!
//! docker's client hands an env file to an engine; ours is a scripted one that keeps what it gets,
//! so that no engine has to run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fake_aws::{FakeAws, Reply};
use crate::{build_folder, children};

/// The variables that a reader found, `None` for a name without a value; or what it said instead.
pub type Read = Result<BTreeMap<String, Option<String>>, String>;

/// The environment in which every reader runs, besides `PATH`: `HOME` and one variable to inherit.
pub const ENVIRONMENT: [(&str, &str); 2] = [("HOME", "/home/reader"), ("HOSTED", "from host")];

/// Calls the operations of docker's API that creating a container takes.
const PING: &str = "http:HEAD /_ping";
const CREATE: &str = "http:POST /v1.41/containers/create";

/// Lets `docker create --env-file` read a file; `None`, after [`crate::missing()`], without docker.
///
/// # Panics
/// When the client talks to its engine in a way that is not known here.
pub fn docker(file: &[u8]) -> Option<Read> {
    let program = program("docker")?;
    let engine = FakeAws::start();
    engine.on(PING, [Reply::empty(200).header("api-version", "1.41")]);
    engine.on(
        CREATE,
        [Reply::json(&json!({"Id": "c", "Warnings": []})).status(201)],
    );
    let folder = folder_with(&[("f.env", file)]);
    let output = command(&program, folder.path())
        .env("DOCKER_HOST", format!("tcp://127.0.0.1:{}", engine.port()))
        .env("DOCKER_CONFIG", folder.path())
        .args(["create", "--env-file", "f.env", "image"])
        .output()
        .expect("cannot run docker");
    let Some(request) = engine.requests_for(CREATE).pop() else {
        assert!(
            !output.status.success(),
            "docker asked for {:?}",
            engine.operations()
        );
        return Some(Err(said(&output)));
    };
    let body: Value = serde_json::from_slice(&request.body).expect("docker sends JSON");
    let variables = body["Env"].as_array().cloned().unwrap_or_default();
    let pairs = variables.iter().filter_map(|one| {
        let (name, value) = one.as_str()?.split_once('=')?;
        Some((name.to_owned(), Some(value.to_owned())))
    });
    Some(Ok(pairs.collect()))
}

/// Lets Compose read a file as a service's `env_file`; `None`, after [`crate::missing()`], without
/// Compose v2.
pub fn compose(file: &[u8]) -> Option<Read> {
    let program = program("docker")?;
    let project = "services:\n  a:\n    image: image\n    env_file: [f.env]\n";
    let folder = folder_with(&[("f.env", file), ("compose.yml", project.as_bytes())]);
    // Plugins are found below the client's own configuration.
    let own = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let configuration =
        own.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".docker")));
    let run = |arguments: &[&str]| {
        command(&program, folder.path())
            .envs(configuration.iter().map(|path| ("DOCKER_CONFIG", path)))
            .arg("compose")
            .args(arguments)
            .output()
            .expect("cannot run docker")
    };
    let output = run(&["--project-name", "p", "config", "--format", "json"]);
    if !output.status.success() {
        if !run(&["version"]).status.success() {
            crate::missing("Docker Compose v2");
            return None;
        }
        return Some(Err(said(&output)));
    }
    let model: Value = serde_json::from_slice(&output.stdout).expect("Compose prints JSON");
    let Some(variables) = model["services"]["a"]["environment"].as_object() else {
        return Some(Ok(BTreeMap::new()));
    };
    // What it prints can be read by Compose again, with `$` written `$$`.
    let plain = |value: &Value| value.as_str().map(|text| text.replace("$$", "$"));
    let pairs = variables.iter();
    Some(Ok(pairs
        .map(|(name, value)| (name.clone(), plain(value)))
        .collect()))
}

/// Lets python-dotenv read many files in one go; `None`, after [`crate::missing()`], without it.
pub fn python_dotenv(files: &[&[u8]]) -> Option<Vec<Read>> {
    const SCRIPT: &str = "import json, logging, sys, dotenv\n\
        logging.disable(logging.CRITICAL)\n\
        for path in sys.argv[1:]: print(json.dumps(dotenv.dotenv_values(path)))\n";
    let python = build_folder().join("venv/bin/python");
    if !python.is_file() {
        crate::missing("python-dotenv");
        return None;
    }
    let names: Vec<String> = (0..files.len())
        .map(|index| format!("{index}.env"))
        .collect();
    let contents: Vec<(&str, &[u8])> = names
        .iter()
        .map(String::as_str)
        .zip(files.iter().copied())
        .collect();
    let folder = folder_with(&contents);
    let output = command(&python, folder.path())
        .args(["-c", SCRIPT])
        .args(&names)
        .output()
        .expect("cannot run python");
    assert!(
        output.status.success(),
        "python-dotenv failed: {}",
        said(&output)
    );
    let lines = String::from_utf8(output.stdout).expect("python prints UTF-8");
    let read = lines
        .lines()
        .map(|line| Ok(serde_json::from_str(line).expect("python prints an object")));
    Some(read.collect())
}

/// Lets dash read a file with `set -a; . file` and no `PATH`, so that no command is found; `None`,
/// after [`crate::missing()`], without dash. The error is what it printed, also when it went on.
pub fn dash(file: &[u8]) -> Option<Read> {
    let program = program("dash")?;
    let folder = folder_with(&[("f.env", file)]);
    let output = command(&program, folder.path())
        .env("PATH", "/nowhere")
        .args(["-c", "set -a; . ./f.env && exec /usr/bin/env -0"])
        .output()
        .expect("cannot run dash");
    if !output.status.success() || !output.stderr.is_empty() {
        return Some(Err(said(&output)));
    }
    let entries = output.stdout.split(|byte| *byte == 0);
    let pairs = entries.filter_map(|entry| {
        let entry = String::from_utf8_lossy(entry).into_owned();
        let (name, value) = entry.split_once('=')?;
        let given = (name, value) == ("PATH", "/nowhere") || ["PWD", "OLDPWD"].contains(&name);
        (!given && !ENVIRONMENT.contains(&(name, value)))
            .then(|| (name.to_owned(), Some(value.to_owned())))
    });
    Some(Ok(pairs.collect()))
}

fn program(name: &str) -> Option<PathBuf> {
    let found = children::find(name);
    if found.is_none() {
        crate::missing(name);
    }
    found
}

fn folder_with(files: &[(&str, &[u8])]) -> TempDir {
    let folder = TempDir::new().expect("cannot make a temporary folder");
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).expect("cannot write an env file");
    }
    folder
}

fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(ENVIRONMENT);
    command
}

fn said(output: &Output) -> String {
    format!(
        "{}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    )
}
