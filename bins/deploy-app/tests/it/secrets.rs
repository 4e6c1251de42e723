//! Sentinels: values that appear in no output, file, argument list or environment of any process.

use crate::compose::Docker;
use crate::world::World;
use harness::{FakeAws, Program, Ran, Reply};
use std::path::Path;
use std::time::Duration;

/// What nobody may read. Each test has its own: tests run side by side, and see each other's processes.
struct Sentinel {
    /// With characters that shells, JSON and logs write in other ways.
    token: String,
    /// A part of it that no way of writing it changes, and what else nobody may read.
    texts: Vec<String>,
}

impl Sentinel {
    fn of(test: &str) -> Self {
        let core = format!("-of-the-{test}-token-{}", std::process::id());
        let token = format!("sentinel-'$3cret\"-\\{core}");
        let texts = vec![core];
        Self { token, texts }
    }

    /// The application knows the token by itself, and answers with it.
    fn is_known_to_the_application(&self, world: &World) {
        std::fs::write(world.state().join("token"), format!("{}\n", self.token)).unwrap();
        let app = std::fs::read_to_string(world.source().join("app.py")).unwrap();
        let told = app.replace("open(\"content\")", "open(pid_file[:-3] + \"token\")");
        assert_ne!(app, told);
        world.write("app.py", &told);
    }

    /// The program, which is told the token as its secret.
    fn declared_to(&self, program: Program) -> Program {
        program
            .env("TOKEN", &self.token)
            .env("DEPLOY_APP_SECRET", "TOKEN")
    }

    /// Runs the program, and looks at what it prints and at all processes meanwhile.
    fn watched(&self, program: &Program) -> Ran {
        let running = program.spawn();
        // The program has it in its environment, because it was told there; nobody else has.
        let known = [running.id(), std::process::id()];
        let running = std::thread::spawn(|| running.finish());
        let mut found = Vec::new();
        while !running.is_finished() {
            found.extend(processes_with(&self.texts, &known));
            std::thread::sleep(Duration::from_millis(5));
        }
        let ran = running.join().unwrap();
        assert!(found.is_empty(), "{found:?}");
        for text in &self.texts {
            ran.refute_stderr(text);
            assert!(!holds(&ran.stdout_bytes, text), "{ran}");
        }
        ran
    }

    /// Every file that the program wrote, here or on the host, and that holds what nobody may read.
    fn files(&self, world: &World) -> Vec<String> {
        let mut found = Vec::new();
        files_with(&world.target(), &self.texts, &mut found);
        files_with(&world.state(), &self.texts, &mut found);
        let told = world.state().join("token").display().to_string();
        found.retain(|path| *path != told);
        found
    }
}

/// Every file below a folder whose content or name holds one of the texts.
pub(crate) fn files_with(folder: &Path, texts: &[String], found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let kind = entry.file_type().unwrap();
        let name = entry.file_name();
        let content = if kind.is_file() {
            std::fs::read(&path).unwrap_or_default()
        } else {
            Vec::new()
        };
        if texts
            .iter()
            .any(|text| holds(name.as_encoded_bytes(), text) || holds(&content, text))
        {
            found.push(path.display().to_string());
        }
        if kind.is_dir() {
            files_with(&path, texts, found);
        }
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// Processes, but those in `known`, whose arguments or environment hold one of the texts.
fn processes_with(texts: &[String], known: &[u32]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(id) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        if known.contains(&id) {
            continue;
        }
        for file in ["cmdline", "environ"] {
            let bytes = std::fs::read(entry.path().join(file)).unwrap_or_default();
            if texts.iter().any(|text| holds(&bytes, text)) {
                found.push(format!("{id}: {file}: {}", String::from_utf8_lossy(&bytes)));
            }
        }
    }
    found
}

#[test]
fn a_sentinel_secret_appears_nowhere() {
    let Some(world) = World::start() else { return };
    let mut sentinel = Sentinel::of("command");
    world.deploy();
    // The key comes from Secrets Manager; a line of it is the second sentinel.
    let pem = std::fs::read_to_string(world.sshd.user_key_path("ecdsa")).unwrap();
    sentinel.texts.extend(pem.lines().nth(2).map(str::to_owned));
    let aws = FakeAws::start();
    let secret = serde_json::json!({"ARN": "arn:x", "Name": "key", "SecretString": pem});
    aws.on("secretsmanager:GetSecretValue", [Reply::json(&secret)]);
    // The application says it everywhere it can.
    sentinel.is_known_to_the_application(&world);
    world.write(
        "start",
        "#!/bin/sh\ncat \"$STATE/token\"; cat \"$STATE/token\" >&2; sleep 1\n\
         setsid \"$PYTHON\" app.py \"$PORT\" \"$STATE/pid\" &\n",
    );
    world.write("broken", "");
    let (bundle, exports) = (world.state().join("bundle"), world.state().join("exports"));
    let plan = world.state().join("plan.json");
    let program = sentinel
        .declared_to(world.direct())
        .envs(aws.env())
        .env("DEPLOY_APP_SSH_KEY", "secretsmanager:key")
        .env("DEPLOY_APP_DIAGNOSTICS_DIR", &bundle)
        .env("DEPLOY_APP_EXPORT_FILE", &exports)
        .env("DEPLOY_APP_LOG", "trace");
    sentinel
        .watched(&program)
        .assert_code(1)
        .assert_stderr("start: [secret]")
        .assert_stderr("rolled back");
    std::fs::remove_file(world.source().join("broken")).unwrap();
    sentinel
        .watched(&program.clone().env("DEPLOY_APP_LOG_FORMAT", "json"))
        .assert_code(0);
    world.write("content", "two");
    let planned = program
        .env_remove("DEPLOY_APP_EXPORT_FILE")
        .env("DEPLOY_APP_DRY_RUN", "1")
        .env("DEPLOY_APP_PLAN_FILE", &plan)
        // Not wise, and still not printed.
        .env(
            "DEPLOY_APP_BEFORE",
            format!("curl -H 'Authorization: {}' x", sentinel.token),
        );
    sentinel
        .watched(&planned)
        .assert_code(0)
        .assert_stderr("[secret]");
    assert!(bundle.join("failure.json").exists() && exports.exists() && plan.exists());
    let mut found = sentinel.files(&world);
    // What the application itself prints is its own, and its log on the host is for its user only.
    found.retain(|path| !path.contains("/.deploy/logs/"));
    assert!(found.is_empty(), "{found:?}");
    for entry in std::fs::read_dir(world.target().join(".deploy/logs")).unwrap() {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }
}

#[test]
fn a_sentinel_secret_that_docker_hands_on_appears_nowhere() {
    let Some(docker) = Docker::start() else {
        return;
    };
    let (world, sentinel) = (&docker.world, Sentinel::of("compose"));
    docker.deploy();
    sentinel.is_known_to_the_application(world);
    // Compose says that the start failed, and has its last words told.
    docker.set("ignored-by-wait", "");
    world.write("unhealthy", "");
    let (ill, unbuilt) = (world.state().join("ill"), world.state().join("unbuilt"));
    let (exports, plan) = (world.state().join("exports"), world.state().join("plan"));
    let program = sentinel
        .declared_to(docker.program())
        .env("DEPLOY_APP_EXPORT_FILE", &exports);
    let failing = program
        .clone()
        .env("DEPLOY_APP_DIAGNOSTICS_DIR", &ill)
        .env("DEPLOY_APP_LOG", "trace");
    sentinel
        .watched(&failing)
        .assert_code(1)
        .assert_stderr("build: [secret]")
        .assert_stderr("start: [secret]")
        .assert_stderr("log: app-1 | [secret]")
        .assert_stderr("app is unhealthy")
        .assert_stderr("rolled back");
    for name in [
        "containers/app-1.log",
        "containers/app-1.state.json",
        "health.txt",
        "failure.txt",
    ] {
        let text = std::fs::read_to_string(ill.join(name)).unwrap();
        assert!(text.contains("[secret]"), "{name}: {text}");
    }
    // Compose cuts commands, and a cut secret is known for one no more: none are shown.
    let listed = std::fs::read_to_string(ill.join("containers.json")).unwrap();
    assert!(
        listed.contains("unhealthy") && !listed.contains("Command"),
        "{listed}"
    );
    std::fs::remove_file(world.source().join("unhealthy")).unwrap();
    world.write("fail-build", "");
    sentinel
        .watched(&program.clone().env("DEPLOY_APP_DIAGNOSTICS_DIR", &unbuilt))
        .assert_code(1)
        .assert_stderr("cannot build release");
    let text = std::fs::read_to_string(unbuilt.join("failure.txt")).unwrap();
    assert!(text.contains("[secret]"), "{text}");
    std::fs::remove_file(world.source().join("fail-build")).unwrap();
    sentinel
        .watched(&program.clone().env("DEPLOY_APP_LOG_FORMAT", "json"))
        .assert_code(0)
        .assert_stderr("build: [secret]");
    // A project that is only planned is told to Compose, and to nobody who looks at its arguments.
    for file in ["compose.yaml", "compose.override.yaml"] {
        world.write(file, &sentinel.texts[0]);
    }
    let planned = program
        .env_remove("DEPLOY_APP_EXPORT_FILE")
        .env("DEPLOY_APP_DRY_RUN", "1")
        .env("DEPLOY_APP_PLAN_FILE", &plan);
    sentinel
        .watched(&planned)
        .assert_code(0)
        .assert_stderr("service app: rebuilt and restarted");
    assert!(exports.exists() && plan.exists());
    let results: Vec<_> = world.audit();
    let results: Vec<_> = results.iter().map(|line| &line["result"]).collect();
    assert_eq!(results, ["done", "failed", "failed", "done"]);
    let found = sentinel.files(world);
    assert!(found.is_empty(), "{found:?}");
}
