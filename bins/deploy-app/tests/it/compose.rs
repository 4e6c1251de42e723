//! What Docker Compose is told, in which order. The `docker` here is a script that writes down how it
//! was called and starts the application itself; `real_compose` uses the real one.

use crate::world::{World, executable, release};
use harness::Program;
use harness::sshd::Options;
use std::path::Path;
use tempfile::TempDir;

/// A host on which `docker` is our script.
struct Docker {
    world: World,
    tools: TempDir,
}

impl Docker {
    fn start() -> Option<Self> {
        let tools = TempDir::with_prefix("docker").unwrap();
        let path = format!(
            "PATH={}:/usr/local/bin:/usr/bin:/bin",
            tools.path().display()
        );
        let world = World::start_with(&Options {
            env: vec![path],
            ..Options::default()
        })?;
        let script = format!(
            "#!/bin/sh\ntools={tools}; target={target}; export {variables}\n{}",
            include_str!("fake-docker.sh"),
            tools = quoted(tools.path()),
            target = quoted(&world.target()),
            variables = world.variables(),
        );
        let docker = tools.path().join("docker");
        std::fs::write(&docker, script).unwrap();
        executable(&docker);
        Some(Self { world, tools })
    }

    fn program(&self) -> Program {
        self.world
            .program()
            .env("DEPLOY_APP_RUNTIME", "compose")
            .env_remove("DEPLOY_APP_START")
            .env_remove("DEPLOY_APP_STOP")
    }

    /// Deploys, and gives the release.
    fn deploy(&self) -> String {
        let release = release(self.program().run().assert_code(0));
        self.calls();
        release
    }

    /// Lines of what, release told, release that was current.
    fn calls(&self) -> Vec<String> {
        let log = self.tools.path().join("log");
        let calls = std::fs::read_to_string(&log).unwrap_or_default();
        drop(std::fs::remove_file(log));
        calls.lines().map(str::to_owned).collect()
    }

    fn set(&self, name: &str, content: &str) {
        std::fs::write(self.tools.path().join(name), content).unwrap();
    }

    fn images(&self) -> Vec<String> {
        let found = std::fs::read_dir(self.tools.path().join("images")).unwrap();
        let mut names: Vec<String> = found
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display())
}

#[test]
fn images_are_built_before_the_switch_and_nothing_is_downed() {
    let Some(docker) = Docker::start() else {
        return;
    };
    let ran = docker.program().run();
    ran.assert_code(0).assert_stderr("build: docker: build");
    let first = release(&ran);
    assert_eq!(
        docker.calls(),
        [
            format!("build {first} "),
            format!("up of {first} {first} {first}")
        ]
    );
    docker.world.write("content", "two");
    let ran = docker.program().run();
    ran.assert_code(0)
        .assert_stderr("up -d --wait --wait-timeout 8 --remove-orphans");
    let second = release(&ran);
    assert_eq!(
        docker.calls(),
        [
            format!("build {second} {first}"),
            format!("up of {second} {second} {second}")
        ]
    );
    docker.program().run().assert_code(0);
    assert_eq!(docker.calls(), Vec::<String>::new(), "nothing changed");
}

#[test]
fn a_build_that_fails_never_reaches_the_switch() {
    let Some(docker) = Docker::start() else {
        return;
    };
    let first = docker.deploy();
    docker.world.write("fail-build", "");
    docker
        .program()
        .run()
        .assert_code(1)
        .assert_stderr("no space left on device")
        .assert_stderr("cannot build release")
        .assert_stderr("nothing was switched");
    assert_eq!(docker.calls().len(), 1);
    assert_eq!(docker.world.current(), Some(first.clone()));
    assert_eq!(docker.world.releases(), std::slice::from_ref(&first));
    assert_eq!(docker.world.answer(), Some((200, first, "one".to_owned())));
}

#[test]
fn an_unhealthy_image_is_rolled_back_to_the_kept_one() {
    let Some(docker) = Docker::start() else {
        return;
    };
    let first = docker.deploy();
    docker.world.write("broken", "");
    let bundle = docker.world.state().join("bundle");
    let ran = docker.program().env("DEPLOY_APP_BUNDLE", &bundle).run();
    ran.assert_code(1)
        .assert_stderr("log: app-1 | Traceback")
        .assert_stderr("log: app unhealthy")
        .assert_stderr("runs again and is healthy");
    // The image's name belonged to the failed release; the kept one got it back, without a build.
    assert_eq!(
        docker.calls().last().unwrap(),
        &format!("up of {first} {first} {first}")
    );
    assert_eq!(docker.world.answer(), Some((200, first, "one".to_owned())));
    let read = |name: &str| std::fs::read_to_string(bundle.join(name)).unwrap();
    assert!(read("containers/app-1.log").contains("Traceback"));
    assert!(read("containers/app-1.state.json").contains("refused"));
    assert!(read("containers.json").contains("app-1"));
    assert!(read("host.txt").contains("$ df -Pk"));
    assert!(read("health.txt").contains(": 500"));
    assert!(read("failure.txt").contains("did not become healthy"));
    let summary: serde_json::Value = serde_json::from_str(&read("failure.json")).unwrap();
    assert_eq!(summary["stage"], "health");
    assert_eq!(summary["exit"], 1);
}

#[test]
fn images_that_are_gone_are_built_again_to_go_back() {
    let Some(docker) = Docker::start() else {
        return;
    };
    let first = docker.deploy();
    docker.world.write("content", "two");
    docker.deploy();
    let kept = docker
        .tools
        .path()
        .join(format!("images/target-app-app_deploy-{first}"));
    std::fs::remove_file(kept).unwrap();
    docker.program().arg("rollback").run().assert_code(0);
    assert!(docker.calls()[0].starts_with("up --build of "));
    assert_eq!(docker.world.answer(), Some((200, first, "one".to_owned())));
}

#[test]
fn images_of_removed_releases_go_with_them() {
    let Some(docker) = Docker::start() else {
        return;
    };
    let program = docker.program().env("DEPLOY_APP_KEEP_RELEASES", "2");
    let mut made = Vec::new();
    for content in ["1", "2", "3", "4"] {
        docker.world.write("content", content);
        made.push(release(program.run().assert_code(0)));
    }
    assert_eq!(
        docker.images(),
        [
            "target-app-app".to_owned(),
            format!("target-app-app_deploy-{}", made[2]),
            format!("target-app-app_deploy-{}", made[3]),
        ]
    );
}

#[test]
fn containers_are_judged_by_what_they_are_and_not_by_what_wait_says() {
    let Some(docker) = Docker::start() else {
        return;
    };
    // A job that ended well is a failure to `up --wait`, and none to us.
    docker.set("job", "0");
    docker.set("ignored-by-wait", "");
    docker
        .program()
        .run()
        .assert_code(0)
        .assert_stderr("all containers are well; going on");
    docker.set("job", "3");
    docker.world.write("content", "two");
    docker
        .program()
        .run()
        .assert_code(5)
        .assert_stderr("job has ended with status 3");
}

#[test]
fn a_container_that_is_unhealthy_fails_although_the_url_answers() {
    let Some(docker) = Docker::start() else {
        return;
    };
    let first = docker.deploy();
    docker.world.write("unhealthy", "");
    docker
        .program()
        .run()
        .assert_code(1)
        .assert_stderr("app is unhealthy")
        .assert_stderr("rolled back");
    assert_eq!(docker.world.current(), Some(first));
}

#[test]
fn a_first_release_that_is_unhealthy_is_downed() {
    let Some(docker) = Docker::start() else {
        return;
    };
    docker.world.write("broken", "");
    docker.program().run().assert_code(1);
    assert!(docker.calls().last().unwrap().starts_with("down "));
    assert_eq!(
        (docker.world.answer(), docker.world.current()),
        (None, None)
    );
}

#[test]
fn a_dry_run_tells_what_becomes_of_each_service() {
    let Some(docker) = Docker::start() else {
        return;
    };
    let dry = docker.program().env("DEPLOY_APP_DRY_RUN", "1");
    docker.world.write("compose.yaml", "v1");
    dry.run()
        .assert_code(0)
        .assert_stderr("every service is built and started");
    docker.deploy();
    docker.world.write("content", "two");
    dry.run()
        .assert_code(0)
        .assert_stderr("service app: rebuilt and restarted")
        .assert_stderr("service ollama: left alone")
        .assert_stderr("~ content (3 B)");
    assert_eq!(docker.calls(), Vec::<String>::new());
    docker.world.write("content", "one");
    docker.world.write("compose.yaml", "v2");
    dry.run()
        .assert_code(0)
        .assert_stderr("service app: rebuilt and restarted");
}

#[test]
fn models_that_would_be_lost_with_their_container_are_refused() {
    let Some(docker) = Docker::start() else {
        return;
    };
    docker.set("volumes", "[]");
    docker
        .program()
        .env("DEPLOY_APP_OLLAMA_MODEL", "llama3.2:3b")
        .run()
        .assert_code(2)
        .assert_stderr("the service ollama keeps its models inside its container")
        .assert_stderr("models:/root/.ollama");
    assert_eq!(docker.world.current(), None);
    assert_eq!(docker.world.releases(), Vec::<String>::new());
}

#[test]
fn compose_v1_is_refused_before_anything_is_sent() {
    let Some(docker) = Docker::start() else {
        return;
    };
    docker.set("v1", "");
    docker
        .program()
        .run()
        .assert_code(2)
        .assert_stderr("is not a docker command")
        .assert_stderr("DEPLOY_APP_RUNTIME=command");
    assert!(!docker.world.target().exists());
}
