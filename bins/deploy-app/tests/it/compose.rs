//! What Docker Compose is told, in which order. The `docker` here is a script that writes down how it
//! was called and starts the application itself; `real_compose` uses the real one.

use crate::world::{Tools, World, release};
use bundle::digest::Digest;
use harness::Program;
use std::path::Path;

/// A host on which `docker` is our script.
pub(crate) struct Docker {
    pub(crate) world: World,
    pub(crate) tools: Tools,
}

impl Docker {
    pub(crate) fn start() -> Option<Self> {
        let tools = Tools::new();
        let world = World::start_with(&tools.options())?;
        let script = format!(
            "#!/bin/sh\ntools={tools}; target={target}; export {variables}\n{}",
            include_str!("fake-docker.sh"),
            tools = quoted(tools.path()),
            target = quoted(&world.target()),
            variables = world.variables(),
        );
        tools.write("docker", &script);
        world.write("compose.yaml", "v0");
        Some(Self { world, tools })
    }

    pub(crate) fn program(&self) -> Program {
        self.world
            .program()
            .env("DEPLOY_APP_RUNTIME", "compose")
            .env_remove("DEPLOY_APP_START")
            .env_remove("DEPLOY_APP_STOP")
    }

    /// Deploys, and gives the release.
    pub(crate) fn deploy(&self) -> String {
        let release = release(self.program().run().assert_code(0));
        self.calls();
        release
    }

    /// Lines of what, release told, release that was current.
    pub(crate) fn calls(&self) -> Vec<String> {
        let log = self.tools.path().join("log");
        let calls = std::fs::read_to_string(&log).unwrap_or_default();
        drop(std::fs::remove_file(log));
        calls.lines().map(str::to_owned).collect()
    }

    pub(crate) fn set(&self, name: &str, content: &str) {
        std::fs::write(self.tools.path().join(name), content).unwrap();
    }

    /// Names an image that has this content.
    pub(crate) fn set_image(&self, name: &str, content: &str) {
        let images = self.tools.path().join("images");
        std::fs::create_dir_all(&images).unwrap();
        std::fs::write(images.join(name.replace('/', "%")), format!("{content}\n")).unwrap();
    }

    /// Removes every image with this content, whatever its name.
    pub(crate) fn remove_image(&self, content: &str) {
        for entry in std::fs::read_dir(self.tools.path().join("images")).unwrap() {
            let path = entry.unwrap().path();
            if std::fs::read_to_string(&path).unwrap().trim() == content {
                std::fs::remove_file(path).unwrap();
            }
        }
    }

    pub(crate) fn images(&self) -> Vec<String> {
        let found = std::fs::read_dir(self.tools.path().join("images")).unwrap();
        let mut names: Vec<String> = found
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .map(|name| name.replace('%', "/"))
            .collect();
        names.sort();
        names
    }
}

/// The name under which the image of a release is kept, which has the release for its content.
fn kept(release: &str) -> String {
    let digest = Digest::of(format!("{release}\n").as_bytes()).to_string();
    format!("deploy-app/target-app:{release}-{}", &digest[..12])
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
    let ran = docker
        .program()
        .env("DEPLOY_APP_DIAGNOSTICS_DIR", &bundle)
        .run();
    ran.assert_code(1)
        .assert_stderr("log: app-1 | Traceback")
        .assert_stderr("log: app-1   Up 2 seconds (unhealthy)")
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
    assert!(read("host.txt").contains("$ out of memory"));
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
    docker.remove_image(&first);
    docker
        .program()
        .arg("rollback")
        .run()
        .assert_code(0)
        .assert_stderr("is gone from the host: it is built again");
    let calls = docker.calls();
    assert!(calls[0].starts_with("build again "), "{calls:?}");
    assert!(
        calls[1].starts_with(&format!("up of {first} ")),
        "{calls:?}"
    );
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
        [kept(&made[2]), kept(&made[3]), "target-app-app".to_owned(),]
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
        .assert_stderr("all containers are healthy; going on");
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
fn a_release_that_does_not_fit_where_docker_keeps_its_images_is_refused() {
    let Some(docker) = Docker::start() else {
        return;
    };
    // A file system without room.
    docker.set("root", "/proc");
    docker
        .program()
        .run()
        .assert_code(2)
        .assert_stderr("has 0 KiB free where Docker keeps its images")
        .assert_stderr("docker system df");
    assert_eq!(docker.world.current(), None);
}

#[test]
fn models_in_a_container_are_refused_also_when_nothing_else_changed() {
    let Some(docker) = Docker::start() else {
        return;
    };
    docker.deploy();
    docker.set("volumes", "[]");
    let ollama = crate::ollama::ollama("{\"status\":\"success\"}");
    docker
        .program()
        .envs(ollama.settings("llama3.2:3b"))
        .run()
        .assert_code(2)
        .assert_stderr("the service ollama keeps its models inside its container");
    assert_eq!(ollama.pulls.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[test]
fn a_container_that_hangs_is_made_anew() {
    let Some(docker) = Docker::start() else {
        return;
    };
    // Whoever starts it cures it; as long as it runs it is ill.
    let start = std::fs::read_to_string(docker.world.source().join("start")).unwrap();
    docker.world.write(
        "start",
        &start.replace("#!/bin/sh\n", "#!/bin/sh\nrm -f broken\n"),
    );
    let first = docker.deploy();
    std::fs::write(docker.world.target().join("current/broken"), "").unwrap();
    let ran = docker.program().run();
    ran.assert_code(0).assert_stderr("starting it again");
    assert_eq!(
        docker.calls(),
        [format!("up --force-recreate of {first} {first} {first}")]
    );
    assert_eq!(docker.world.answer(), Some((200, first, "one".to_owned())));
}

#[test]
fn an_unchanged_deployment_reads_the_containers() {
    let Some(docker) = Docker::start() else {
        return;
    };
    docker.deploy();
    // The health URL answers; the second service is dead.
    docker.set("job", "3");
    docker
        .program()
        .run()
        .assert_code(5)
        .assert_stderr("starting it again")
        .assert_stderr("job has ended with status 3")
        .refute_stderr("nothing to deploy");
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
    // A model that would be lost, and a file that overrides the project: the real Compose has a test of it.
    docker.set("volumes", "[]");
    dry.clone()
        .env("DEPLOY_APP_OLLAMA_MODEL", "llama3.2:3b")
        .run()
        .assert_code(0)
        .assert_stderr("service ollama keeps its models inside its container: it is refused");
    docker.world.write("compose.override.yaml", "ours");
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

#[test]
fn what_somebody_ran_once_is_no_part_of_a_deployment() {
    let Some(docker) = Docker::start() else {
        return;
    };
    docker.deploy();
    docker.set("one-off", "");
    docker.world.write("content", "two");
    docker.deploy();
    docker
        .program()
        .run()
        .assert_code(0)
        .assert_stderr("nothing to deploy");
}

#[test]
fn a_container_that_ends_until_its_database_answers_is_waited_for() {
    let Some(docker) = Docker::start() else {
        return;
    };
    docker.set("crashes", "2");
    docker
        .program()
        .run()
        .assert_code(0)
        .assert_stderr("app ends and is restarted again and again, last with status 1")
        .assert_stderr("Compose reports a failure");
    // For no longer than the application may take.
    docker.world.write("content", "two");
    docker.set("crashes", "1000");
    let ran = docker
        .program()
        .env("DEPLOY_APP_HEALTH_TIMEOUT", "2s")
        .run();
    assert_ne!(ran.code, Some(0), "{ran}");
    ran.assert_stderr("cause: app ends and is restarted again and again");
}

#[test]
fn who_has_the_port_is_said() {
    let Some(docker) = Docker::start() else {
        return;
    };
    let service = r#""build":{"context":"x"},"ports":[{"published":"8001"}]"#;
    docker.set("service", service);
    docker.set("ports", "shop|shop-web-1|0.0.0.0:8001->80/tcp\n");
    docker.set("crashes", "1000");
    docker
        .program()
        .env("DEPLOY_APP_HEALTH_TIMEOUT", "1s")
        .run()
        .assert_stderr("port 8001 is taken by the container shop-web-1 of the project shop");
}
