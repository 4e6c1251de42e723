//! Sentinels: values that appear in no output, file, argument list or environment of any process.

use crate::world::World;
use harness::{FakeAws, Reply};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What nobody may read; with characters that shells, JSON and logs write in other ways.
const TOKEN: &str = "sentinel-'$3cret\"-\\-of-the-token";

/// A part that no way of writing it changes.
const CORE: &str = "-of-the-token";

/// Every file below a folder whose content or name holds the text.
fn files_with(folder: &Path, text: &[u8], found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            files_with(&path, text, found);
        } else if kind.is_file() && holds(&std::fs::read(&path).unwrap_or_default(), text) {
            found.push(path.display().to_string());
        }
    }
}

fn holds(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// Processes, but those in `known`, whose arguments or environment hold one of the texts.
fn processes_with(texts: &[&[u8]], known: &[u32]) -> Vec<String> {
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
    world.deploy();
    // The key comes from Secrets Manager; a line of it is the second sentinel.
    let pem = std::fs::read_to_string(world.sshd.user_key_path("ecdsa")).unwrap();
    let line = pem.lines().nth(2).unwrap().to_owned();
    let aws = FakeAws::start();
    let secret = serde_json::json!({"ARN": "arn:x", "Name": "key", "SecretString": pem});
    aws.on("secretsmanager:GetSecretValue", [Reply::json(&secret)]);
    // The application knows the token by itself, and says it everywhere it can.
    let told = world.state().join("token");
    std::fs::write(&told, TOKEN).unwrap();
    world.write(
        "start",
        "#!/bin/sh\ncat \"$STATE/token\"; cat \"$STATE/token\" >&2; sleep 1\n\
         setsid \"$PYTHON\" app.py \"$PORT\" \"$STATE/pid\" &\n",
    );
    world.write("broken", "");
    let (bundle, exports) = (world.state().join("bundle"), world.state().join("exports"));
    let plan = world.state().join("plan.json");
    let program = world
        .program()
        .envs(aws.env())
        .env("DEPLOY_APP_SSH_KEY", "secretsmanager:key")
        .env("TOKEN", TOKEN)
        .env("DEPLOY_APP_SECRETS", "TOKEN")
        .env("DEPLOY_APP_BUNDLE", &bundle)
        .env("DEPLOY_APP_EXPORT_FILE", &exports)
        .env("DEPLOY_APP_LOG", "trace");
    let ended = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&ended);
    let running = program.spawn();
    // The program has it in its environment, because it was told there; nobody else has.
    let known = [running.id(), std::process::id()];
    let watched_line = line.clone();
    let watch = std::thread::spawn(move || {
        let mut found = Vec::new();
        while !over.load(Ordering::SeqCst) {
            let texts = [CORE.as_bytes(), watched_line.as_bytes()];
            found.extend(processes_with(&texts, &known));
            std::thread::sleep(Duration::from_millis(5));
        }
        found
    });
    let failed = running.finish();
    ended.store(true, Ordering::SeqCst);
    let found = watch.join().unwrap();
    assert!(found.is_empty(), "{found:?}");
    failed
        .assert_code(1)
        .assert_stderr("start: [secret]")
        .assert_stderr("rolled back");
    std::fs::remove_file(world.source().join("broken")).unwrap();
    let done = program.clone().env("DEPLOY_APP_LOG_FORMAT", "json").run();
    done.assert_code(0);
    world.write("content", "two");
    let planned = program
        .env_remove("DEPLOY_APP_EXPORT_FILE")
        .env("DEPLOY_APP_DRY_RUN", "1")
        .env("DEPLOY_APP_PLAN_FILE", &plan)
        // Not wise, and still not printed.
        .env(
            "DEPLOY_APP_BEFORE",
            format!("curl -H 'Authorization: {TOKEN}' x"),
        )
        .run();
    planned.assert_code(0).assert_stderr("[secret]");
    for ran in [&failed, &done, &planned] {
        ran.refute_stderr(CORE).refute_stderr(&line);
        assert!(!ran.stdout.contains(CORE) && !ran.stdout.contains(&line));
    }
    assert!(bundle.join("failure.json").exists() && exports.exists() && plan.exists());
    let mut found = Vec::new();
    for text in [CORE, &line] {
        files_with(&world.target(), text.as_bytes(), &mut found);
        files_with(&world.state(), text.as_bytes(), &mut found);
    }
    // What the application itself prints is its own, and its log on the host is for its user only.
    found.retain(|path| !path.contains("/.deploy/logs/") && *path != told.display().to_string());
    assert!(found.is_empty(), "{found:?}");
    for entry in std::fs::read_dir(world.target().join(".deploy/logs")).unwrap() {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }
}
