//! What Docker Compose is told, in which order. The `docker` here is a script that writes down how it
//! was called and starts the application itself; the demo uses the real one.

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
            "SetEnv PATH={}:/usr/local/bin:/usr/bin:/bin",
            tools.path().display()
        );
        let world = World::start_with(&Options { config: vec![path] })?;
        let script = format!(
            "#!/bin/sh\nlog() {{ echo \"$1 $RELEASE_ID $(basename \"$(readlink {target}/current)\")\" >>{log}; }}\n\
             case \"$*\" in\n\
             'compose version --short') [ ! -e {tools}/v1 ] || {{ echo \"docker: 'compose' is not a docker command.\" >&2; exit 1; }}; echo 2.29.1; exit 0;;\n\
             'version --format {{{{.Server.Version}}}}') echo 27.1.1; exit 0;;\n\
             esac\n\
             [ \"$1 $2 $3 $4 $6 $7\" = \"compose -p target-app --project-directory --ansi never\" ] || {{ echo \"what? $*\" >&2; exit 9; }}\n\
             cd \"$5\" && shift 7 && echo \"docker: $*\"\n\
             case $1 in\n\
             build) log build; [ ! -e fail-build ] || {{ echo 'no space left on device' >&2; exit 1; }};;\n\
             up) log \"up$(echo \" $*\" | grep -o ' --build')\"; {variables} ./stop; {variables} ./start >/dev/null 2>&1 </dev/null;;\n\
             down) log down; {variables} ./stop;;\n\
             ps) echo app unhealthy;;\n\
             logs) echo 'app-1 | Traceback: no module named x';;\n\
             *) echo \"what? $*\" >&2; exit 9;;\n\
             esac\n",
            target = quoted(&world.target()),
            log = quoted(&tools.path().join("log")),
            tools = quoted(tools.path()),
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

    /// Lines of what, release told, release that was current.
    fn calls(&self) -> Vec<String> {
        let log = self.tools.path().join("log");
        let calls = std::fs::read_to_string(&log).unwrap_or_default();
        drop(std::fs::remove_file(log));
        calls.lines().map(str::to_owned).collect()
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
        [format!("build {first} "), format!("up {first} {first}")]
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
            format!("up {second} {second}")
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
    let first = release(docker.program().run().assert_code(0));
    docker.calls();
    docker.world.write("fail-build", "");
    docker
        .program()
        .run()
        .assert_code(1)
        .assert_stderr("no space left on device")
        .assert_stderr("cannot build release");
    assert_eq!(docker.calls().len(), 1);
    assert_eq!(docker.world.current(), Some(first.clone()));
    assert_eq!(docker.world.releases(), std::slice::from_ref(&first));
    assert_eq!(docker.world.answer(), Some((200, first, "one".to_owned())));
}

#[test]
fn an_unhealthy_image_is_rolled_back_with_the_containers_words() {
    let Some(docker) = Docker::start() else {
        return;
    };
    let first = release(docker.program().run().assert_code(0));
    docker.calls();
    docker.world.write("broken", "");
    let ran = docker.program().run();
    ran.assert_code(1)
        .assert_stderr("log: app-1 | Traceback")
        .assert_stderr("log: app unhealthy")
        .assert_stderr("runs again and is healthy");
    // The images' names belong to the failed release: the one before is built again, from the cache.
    assert_eq!(
        docker.calls().last().unwrap(),
        &format!("up --build {first} {first}")
    );
    assert_eq!(docker.world.answer(), Some((200, first, "one".to_owned())));
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
fn compose_v1_is_refused_before_anything_is_sent() {
    let Some(docker) = Docker::start() else {
        return;
    };
    std::fs::write(docker.tools.path().join("v1"), "").unwrap();
    docker
        .program()
        .run()
        .assert_code(2)
        .assert_stderr("is not a docker command")
        .assert_stderr("DEPLOY_APP_RUNTIME=command");
    assert!(!docker.world.target().exists());
}
