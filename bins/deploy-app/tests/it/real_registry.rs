//! A private registry with a real Docker Compose: images are pulled, variables, build arguments and secrets arrive, and
//! going back runs what ran.

use crate::real_compose::{Engine, Project, answer};
use crate::secrets::files_with;
use crate::world::release;
use aws_smithy_types::base64;
use bundle::digest::Digest;
use harness::sshd::{Options, Sshd};
use harness::{Program, free_port};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const PASSWORD: &str = "sentinel-registry-pass$word";
const TOKEN: &str = "sentinel-npm-tok$en";

/// What a registry has, by path.
type Content = BTreeMap<String, (&'static str, Vec<u8>)>;

/// Answers for as long as the test runs. Whoever does not log in gets nothing.
fn serve(content: Content) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let content = Arc::new(content);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let content = Arc::clone(&content);
            std::thread::spawn(move || reply(&stream, &content));
        }
    });
    port
}

fn reply(mut stream: &TcpStream, content: &Content) -> Option<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next()?.ok()?;
    let mut is_known = false;
    let basic = base64::encode(format!("ci:{PASSWORD}"));
    for line in lines {
        let line = line.ok()?;
        if line.is_empty() {
            break;
        }
        is_known |= line.eq_ignore_ascii_case(&format!("authorization: basic {basic}"));
    }
    let mut words = request.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let (status, kind, body) = match (is_known, path, content.get(path)) {
        (false, ..) => ("401 Unauthorized", "application/json", b"{}".to_vec()),
        (true, "/v2/", _) => ("200 OK", "application/json", b"{}".to_vec()),
        (true, _, Some((kind, body))) => ("200 OK", *kind, body.clone()),
        (true, _, None) => (
            "404 Not Found",
            "application/json",
            br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#.to_vec(),
        ),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nWww-Authenticate: Basic realm=\"test\"\r\n\
         Docker-Distribution-Api-Version: registry/2.0\r\nContent-Type: {kind}\r\n\
         Docker-Content-Digest: sha256:{}\r\nContent-Length: {}\r\n\r\n",
        Digest::of(&body),
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    if method != "HEAD" {
        stream.write_all(&body).ok()?;
    }
    Some(())
}

/// A small image whose server answers with this text, under a tag of `web`.
fn add_image(content: &mut Content, tag: &str, text: &str) {
    let folder = TempDir::with_prefix("image").unwrap();
    let root = folder.path().join("root");
    let script = r#"set -e; mkdir -p "$1/bin" "$1/srv" "$1/run"; b=$(command -v busybox); cp "$b" "$1/bin/busybox"; ln -s busybox "$1/bin/sh"
for l in $(ldd "$b" 2>/dev/null | grep -o '/[^ )]*'); do mkdir -p "$1${l%/*}"; cp "$l" "$1$l"; done
printf '%s\n' "$2" >"$1/srv/index.html"; tar -C "$1" -cf "$3" ."#;
    let layer = folder.path().join("layer.tar");
    let made = Command::new("sh")
        .args(["-c", script, "image"])
        .args([&root, Path::new(text), &layer])
        .status();
    assert!(made.unwrap().success());
    let layer = std::fs::read(layer).unwrap();
    let architecture = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "amd64",
    };
    let digest = |bytes: &[u8]| format!("sha256:{}", Digest::of(bytes));
    let config = serde_json::json!({
        "architecture": architecture,
        "os": "linux",
        "config": {"Cmd": ["/bin/busybox", "httpd", "-f", "-p", "80", "-h", "/srv"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
    });
    let config = config.to_string().into_bytes();
    let kind = "application/vnd.docker.distribution.manifest.v2+json";
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": kind,
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": config.len(), "digest": digest(&config)},
        "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar", "size": layer.len(), "digest": digest(&layer)}],
    });
    let manifest = manifest.to_string().into_bytes();
    for blob in [config, layer] {
        let path = format!("/v2/web/blobs/{}", digest(&blob));
        content.insert(path, ("application/octet-stream", blob));
    }
    for name in [tag.to_owned(), digest(&manifest)] {
        let path = format!("/v2/web/manifests/{name}");
        content.insert(path, (kind, manifest.clone()));
    }
}

#[test]
fn what_is_private_is_pulled_built_and_gone_back_to() {
    let Some(engine) = Engine::start() else {
        return;
    };
    let mut content = Content::new();
    add_image(&mut content, "7", "seven");
    add_image(&mut content, "9", "nine");
    let registry = format!("127.0.0.1:{}", serve(content));
    let (web, built) = (free_port(), free_port());
    let project = format!("registry{web}");
    let _project = Project(&engine, project.clone());
    let options = Options {
        env: vec![engine.variables.clone()],
        ..Options::default()
    };
    let Some(sshd) = Sshd::start_with(&options) else {
        return;
    };
    let folder = TempDir::with_prefix("compose").unwrap();
    let source = folder.path().join("source");
    std::fs::create_dir_all(source.join("deploy")).unwrap();
    let write = |name: &str, text: String| std::fs::write(source.join(name), text).unwrap();
    write(
        "deploy/compose.yaml",
        format!(
            "services:\n  web:\n    image: {registry}/web:${{TAG:?no tag}}\n    ports: [\"127.0.0.1:{web}:80\"]\n    \
             stop_grace_period: 1s\n  built:\n    build:\n      context: ..\n      args: {{VERSION: \"${{TAG}}\"}}\n      secrets: [npm]\n    \
             ports: [\"127.0.0.1:{built}:80\"]\n    stop_grace_period: 1s\nsecrets: {{npm: {{environment: NPM_TOKEN}}}}\n"
        ),
    );
    write(
        "deploy/prod.yaml",
        "services:\n  web:\n    labels: {stage: prod}\n".to_owned(),
    );
    write(
        "Dockerfile",
        format!(
            "FROM {registry}/web:7\nARG VERSION\nRUN --mount=type=secret,id=npm echo \"v$VERSION $(busybox wc -c </run/secrets/npm)\" >/srv/index.html\n"
        ),
    );
    let program = |tag: &str, password: &str| {
        Program::new(env!("CARGO_BIN_EXE_deploy-app"))
            .env("DEPLOY_APP_ADDRESS", format!("127.0.0.1:{}", sshd.port()))
            .env("DEPLOY_APP_HOST_KEY", sshd.host_key_line("ed25519"))
            .env("DEPLOY_APP_USER", sshd.user())
            .env("DEPLOY_APP_SSH_KEY", sshd.user_key_path("ed25519"))
            .env("DEPLOY_APP_SOURCE", &source)
            .env("DEPLOY_APP_TARGET", folder.path().join(&project))
            .env("DEPLOY_APP_HEALTH_URL", format!("http://127.0.0.1:{web}/"))
            .env("DEPLOY_APP_HEALTH_TIMEOUT", "60s")
            .env(
                "DEPLOY_APP_COMPOSE_FILE",
                "deploy/compose.yaml\ndeploy/prod.yaml",
            )
            .env("DEPLOY_APP_COMPOSE_VARIABLE", "TAG\nNPM_TOKEN")
            .env("DEPLOY_APP_SECRET", "NPM_TOKEN")
            .env(
                "DEPLOY_APP_REGISTRY_LOGIN",
                format!("{registry} ci PASSWORD"),
            )
            .env("TAG", tag)
            .env("NPM_TOKEN", TOKEN)
            .env("PASSWORD", password)
            .limit(Duration::from_secs(300))
    };
    program("7", "wrong-password")
        .run()
        .assert_code(1)
        .assert_stderr(&format!("cannot log in to {registry} as ci"))
        .assert_stderr("nothing was switched");
    let ran = program("7", PASSWORD).run();
    let first = release(ran.assert_code(0));
    ran.refute_stderr(TOKEN).refute_stderr(PASSWORD);
    let length = TOKEN.len();
    assert_eq!(answer(web, "/").trim(), "seven");
    assert_eq!(answer(built, "/").trim(), format!("v7 {length}"));

    // What cannot be pulled leaves what runs alone.
    program("8", PASSWORD)
        .run()
        .assert_code(1)
        .assert_stderr("cannot pull the images of release")
        .assert_stderr("nothing was switched");
    assert_eq!(answer(web, "/").trim(), "seven");

    program("9", PASSWORD).run().assert_code(0);
    assert_eq!(answer(web, "/").trim(), "nine");
    assert_eq!(answer(built, "/").trim(), format!("v9 {length}"));
    let ran = program("9", PASSWORD).arg("rollback").run();
    assert_eq!(release(ran.assert_code(0)), first);
    assert_eq!(answer(web, "/").trim(), "seven");
    assert_eq!(answer(built, "/").trim(), format!("v7 {length}"));

    let mut found = Vec::new();
    for written in [folder.path(), sshd.folder()] {
        files_with(written, &[TOKEN, PASSWORD].map(str::to_owned), &mut found);
    }
    assert!(found.is_empty(), "{found:?}");
}
