//! The example application with a real Docker Compose: deployed, changed, broken, gone back.

use crate::secrets::files_with;
use crate::world::{executable, release};
use harness::sshd::{Options, Sshd};
use harness::{Program, free_port};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// A Docker engine, ours where none answered.
pub(crate) struct Engine {
    root: PathBuf,
    pub(crate) variables: String,
    is_ours: bool,
    /// One test after the other, for the first to end would stop the engine of the rest. It is a lock on a file,
    /// because cargo-nextest runs each test in a process of its own. It is dropped last, after the engine has ended.
    _alone: File,
}

impl Drop for Engine {
    fn drop(&mut self) {
        if self.is_ours {
            let stop = self.root.join("scripts/setup");
            drop(Command::new(stop).arg("docker-stop").output());
        }
    }
}

impl Engine {
    /// Starts one with `scripts/setup docker`, or finds the one that runs. `None` where none can be had.
    pub(crate) fn start() -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(2)
            .unwrap()
            .to_owned();
        let build = std::env::var_os("BUILD_DIR")
            .map_or_else(|| root.join("build"), |build| root.join(build));
        std::fs::create_dir_all(&build).unwrap();
        let alone = File::create(build.join("docker-tests.lock")).unwrap();
        alone.lock().unwrap();
        let env = build.join("docker/env");
        let is_ours = !env.exists();
        let setup = Command::new(root.join("scripts/setup"))
            .arg("docker")
            .output()
            .unwrap();
        if setup.status.code() == Some(2) {
            harness::missing("a Docker engine");
            return None;
        }
        assert!(
            setup.status.success(),
            "{}",
            String::from_utf8_lossy(&setup.stderr)
        );
        let text = std::fs::read_to_string(env).unwrap();
        let host = text
            .lines()
            .find_map(|line| line.strip_prefix("export "))
            .unwrap_or("")
            .to_owned();
        let home = std::env::var("HOME").unwrap_or_default();
        let config = std::env::var("DOCKER_CONFIG").unwrap_or(format!("{home}/.docker"));
        Some(Self {
            root,
            variables: format!("{host} DOCKER_CONFIG={config}"),
            is_ours,
            _alone: alone,
        })
    }

    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        let variables = self
            .variables
            .split(' ')
            .filter_map(|pair| pair.split_once('='));
        let output = Command::new("docker")
            .args(arguments)
            .envs(variables)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

/// Takes the containers down when the test ends, whatever way.
pub(crate) struct Project<'a>(pub(crate) &'a Engine, pub(crate) String);

impl Drop for Project<'_> {
    fn drop(&mut self) {
        let Self(engine, project) = self;
        let ids = engine.docker(&[
            "ps",
            "-aq",
            "--filter",
            &format!("label=com.docker.compose.project={project}"),
        ]);
        for id in ids.lines() {
            engine.docker(&["rm", "-f", "-v", id]);
        }
        engine.docker(&["network", "rm", &format!("{project}_default")]);
        for volume in ["models", "named"] {
            engine.docker(&["volume", "rm", &format!("{project}_{volume}")]);
        }
        let filter = format!("label=com.docker.compose.project={project}");
        for image in engine
            .docker(&["image", "ls", "-q", "--filter", &filter])
            .lines()
        {
            engine.docker(&["image", "rm", "-f", image]);
        }
        let kept = format!("reference=deploy-app/{project}");
        let format = "{{.Repository}}:{{.Tag}}";
        for image in engine
            .docker(&["image", "ls", "--format", format, "--filter", &kept])
            .lines()
        {
            engine.docker(&["image", "rm", "-f", image]);
        }
        engine.docker(&["image", "rm", "-f", &format!("{project}:latest")]);
        engine.docker(&["volume", "rm", &format!("deploy-app.owner.{project}")]);
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().unwrap().is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}

/// What a service answers.
pub(crate) fn answer(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .write_all(format!("GET {path} HTTP/1.0\r\nHost: x\r\n\r\n").as_bytes())
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    body.to_owned()
}

/// The release that answers, and the whole answer.
fn served(port: u16) -> (String, String) {
    let body = answer(port, "/collection");
    let json: serde_json::Value = serde_json::from_str(&body).unwrap();
    (json["release"].as_str().unwrap().to_owned(), body)
}

#[test]
fn the_example_is_deployed_changed_broken_and_gone_back_to() {
    let Some(engine) = Engine::start() else {
        return;
    };
    let (app, ollama) = (free_port(), free_port());
    let project = format!("deploy-app-test-{app}");
    let _project = Project(&engine, project.clone());
    let options = Options {
        env: vec![format!(
            "{} APP_PORT={app} OLLAMA_PORT={ollama}",
            engine.variables
        )],
        ..Options::default()
    };
    let Some(sshd) = Sshd::start_with(&options) else {
        return;
    };
    let folder = TempDir::with_prefix("compose").unwrap();
    let source = folder.path().join("source");
    copy(&engine.root.join("examples/rag-app"), &source);
    for name in ["start", "stop"] {
        executable(&source.join(name));
    }
    let program = Program::new(env!("CARGO_BIN_EXE_deploy-app"))
        .env("DEPLOY_APP_ADDRESS", format!("127.0.0.1:{}", sshd.port()))
        .env("DEPLOY_APP_HOST_KEY", sshd.host_key_line("ed25519"))
        .env("DEPLOY_APP_USER", sshd.user())
        .env("DEPLOY_APP_SSH_KEY", sshd.user_key_path("ed25519"))
        .env("DEPLOY_APP_SOURCE", &source)
        .env("DEPLOY_APP_TARGET", folder.path().join("target"))
        .env("DEPLOY_APP_PROJECT", &project)
        .env(
            "DEPLOY_APP_HEALTH_URL",
            format!("http://127.0.0.1:{app}/collection"),
        )
        .env("DEPLOY_APP_OLLAMA_MODEL", "llama3.2:3b")
        .env(
            "DEPLOY_APP_OLLAMA_URL",
            format!("http://127.0.0.1:{ollama}"),
        )
        .limit(Duration::from_secs(500));
    let container = |service: &str| {
        let service = format!("label=com.docker.compose.service={service}");
        let project = format!("label=com.docker.compose.project={project}");
        engine.docker(&[
            "ps",
            "-q",
            "--no-trunc",
            "--filter",
            &service,
            "--filter",
            &project,
        ])
    };

    let first = release(program.run().assert_code(0));
    assert_eq!(served(app).0, first);
    let ollama_before = container("ollama");
    assert!(!ollama_before.is_empty());

    // The same again: nothing is touched.
    let app_before = container("app");
    let ran = program.run();
    ran.assert_code(0).assert_stderr("nothing to deploy");
    assert_eq!(container("app"), app_before);

    // A change: the application is replaced, Ollama is not.
    std::fs::write(
        source.join("documents/new.md"),
        "# A new document\n\nIt was not there before.\n",
    )
    .unwrap();
    let dry = program.clone().env("DEPLOY_APP_DRY_RUN", "1").run();
    dry.assert_code(0)
        .assert_stderr("service app: rebuilt and restarted")
        .assert_stderr("service ollama: left alone");
    // What overrides the project is read as well, before it is there.
    let overrides = source.join("compose.override.yaml");
    std::fs::write(
        &overrides,
        "services:\n  ollama:\n    environment:\n      OLLAMA_DEBUG: \"1\"\n",
    )
    .unwrap();
    let dry = program.clone().env("DEPLOY_APP_DRY_RUN", "1").run();
    dry.assert_code(0)
        .assert_stderr("service ollama: restarted, because its configuration changes");
    std::fs::remove_file(&overrides).unwrap();
    let second = release(program.run().assert_code(0));
    let (answering, body) = served(app);
    assert_eq!(answering, second);
    assert!(body.contains("\"new\""), "{body}");
    assert_eq!(container("ollama"), ollama_before);
    assert_ne!(container("app"), app_before);

    // A broken image, whose last words hold a secret: the one before serves again.
    let secret = "sentinel-$3cret-of-the-image".to_owned();
    let good = std::fs::read_to_string(source.join("rag_app/main.py")).unwrap();
    std::fs::write(
        source.join("rag_app/main.py"),
        format!("raise SystemExit('broken: {secret}')\n"),
    )
    .unwrap();
    let bundle = folder.path().join("bundle");
    program
        .clone()
        .env("DEPLOY_APP_DIAGNOSTICS_DIR", &bundle)
        .env("DEPLOY_APP_HEALTH_TIMEOUT", "40s")
        .env("TOKEN", &secret)
        .env("DEPLOY_APP_SECRET", "TOKEN")
        .run()
        .assert_code(1)
        .refute_stderr(&secret)
        .assert_stderr(&format!(
            "rolled back: release {second} runs again and is healthy"
        ));
    assert_eq!(served(app).0, second);
    let log = std::fs::read_dir(bundle.join("containers"))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect::<String>();
    assert!(log.contains("broken: [secret]"), "{log}");
    let mut found = Vec::new();
    for written in [bundle, folder.path().join("target/.deploy")] {
        files_with(&written, std::slice::from_ref(&secret), &mut found);
    }
    assert!(found.is_empty(), "{found:?}");
    std::fs::write(source.join("rag_app/main.py"), good).unwrap();

    // An image that cannot be built: what runs is not touched.
    let dockerfile = std::fs::read_to_string(source.join("Dockerfile")).unwrap();
    std::fs::write(
        source.join("Dockerfile"),
        format!("{dockerfile}\nRUN false\n"),
    )
    .unwrap();
    let app_before = container("app");
    program
        .run()
        .assert_code(1)
        .assert_stderr("cannot build release")
        .assert_stderr("nothing was switched");
    assert_eq!(container("app"), app_before);

    // Back to the first, from its kept image.
    let ran = program.clone().arg("rollback").run();
    ran.assert_code(0).refute_stderr("built again");
    assert_eq!(release(&ran), first);
    let (answering, body) = served(app);
    assert_eq!(answering, first);
    assert!(!body.contains("\"new\""), "{body}");
}

/// An application that adds a row to its data when it starts, whose image is named by a tag that moves; and another one
/// in a folder with the same name.
#[test]
fn data_images_and_projects_stay_what_they_are() {
    let Some(engine) = Engine::start() else {
        return;
    };
    let (shop, blog) = (free_port(), free_port());
    let (last, file) = (format!("app{shop}"), format!("file{shop}"));
    let _projects = [
        Project(&engine, last.clone()),
        Project(&engine, file.clone()),
    ];
    let options = Options {
        env: vec![engine.variables.clone()],
        ..Options::default()
    };
    let Some(sshd) = Sshd::start_with(&options) else {
        return;
    };
    let folder = TempDir::with_prefix("compose").unwrap();
    let source = folder.path().join("source");
    std::fs::create_dir_all(source.join("data")).unwrap();
    std::fs::write(source.join("data/.gitkeep"), "").unwrap();
    let compose = |port: u16, name: &str, mount: &str| {
        format!(
            "{name}services:\n  web:\n    image: {last}:latest\n    ports: [\"127.0.0.1:{port}:80\"]\n    volumes: [\"{mount}:/srv/data\"]\nvolumes: {{named: {{}}}}\n"
        )
    };
    let write = |text: String| std::fs::write(source.join("compose.yaml"), text).unwrap();
    let image = |content: &str| {
        let build = folder.path().join("build");
        std::fs::create_dir_all(&build).unwrap();
        let text = format!(
            "FROM python:3.12-slim\nWORKDIR /srv\nRUN echo {content} >image\nCMD [\"sh\", \"-c\", \"echo row >>data/rows; exec python3 -m http.server 80\"]\n"
        );
        std::fs::write(build.join("Dockerfile"), text).unwrap();
        let project = format!("com.docker.compose.project={last}");
        let tag = format!("{last}:latest");
        engine.docker(&[
            "build",
            "-q",
            "--label",
            &project,
            "-t",
            &tag,
            build.to_str().unwrap(),
        ]);
    };
    let program = |target: &str, port: u16| {
        Program::new(env!("CARGO_BIN_EXE_deploy-app"))
            .env("DEPLOY_APP_ADDRESS", format!("127.0.0.1:{}", sshd.port()))
            .env("DEPLOY_APP_HOST_KEY", sshd.host_key_line("ed25519"))
            .env("DEPLOY_APP_USER", sshd.user())
            .env("DEPLOY_APP_SSH_KEY", sshd.user_key_path("ed25519"))
            .env("DEPLOY_APP_SOURCE", &source)
            .env("DEPLOY_APP_TARGET", folder.path().join(target))
            .env("DEPLOY_APP_HEALTH_URL", format!("http://127.0.0.1:{port}/"))
            .env("DEPLOY_APP_HEALTH_TIMEOUT", "60s")
            .limit(Duration::from_secs(300))
    };
    let rows = |port: u16| answer(port, "/data/rows").lines().count();

    // What the container writes would go with its release.
    write(compose(shop, "", "./data"));
    image("one");
    let target = format!("shop/{last}");
    let shops = program(&target, shop);
    shops
        .run()
        .assert_code(2)
        .assert_stderr("DEPLOY_APP_SHARED=data\n");
    assert!(!folder.path().join(&target).exists());
    let shops = shops
        .env("DEPLOY_APP_SHARED", "data")
        .env("DEPLOY_APP_KEEP_RELEASES", "2");
    let first = release(shops.run().assert_code(0));
    assert_eq!((rows(shop), answer(shop, "/image").trim()), (1, "one"));

    // The tag moves; the data stays.
    image("two");
    std::fs::write(source.join("version"), "2").unwrap();
    shops.run().assert_code(0);
    assert_eq!((rows(shop), answer(shop, "/image").trim()), (2, "two"));
    // Whoever clears the disk of images without a name finds none of a release.
    engine.docker(&["image", "prune", "-f"]);
    let ran = shops.clone().arg("rollback").run();
    ran.assert_code(0);
    assert_eq!(release(&ran), first);
    assert_eq!((rows(shop), answer(shop, "/image").trim()), (3, "one"));

    // Another application in a folder of that name takes nothing away; the file's own name is what it runs as.
    write(compose(blog, &format!("name: {file}\n"), "named"));
    let blogs = program(&format!("blog/{last}"), blog);
    blogs
        .clone()
        .env("DEPLOY_APP_PROJECT", &last)
        .run()
        .assert_code(2)
        .assert_stderr(&format!(
            "belongs to the application in {}",
            folder.path().join(&target).display()
        ));
    blogs
        .run()
        .assert_code(0)
        .assert_stderr(&format!("the Compose project is {file}"));
    assert_eq!((rows(shop), rows(blog)), (3, 1));
}
