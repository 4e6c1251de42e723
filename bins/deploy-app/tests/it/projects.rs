//! A Compose project belongs to one target.

use crate::compose::Docker;
use std::fs;

/// The containers of another target that this program deployed.
const OTHERS: &str = "target-app /srv/shop/target app/releases/20261123094308-1a2b3c4\n";

fn project(docker: &Docker) -> String {
    let kept = docker.world.target().join(".deploy/project");
    fs::read_to_string(kept)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

#[test]
fn a_project_belongs_to_the_target_that_had_it_first() {
    let Some(docker) = Docker::start() else {
        return;
    };
    docker.deploy();
    assert_eq!(project(&docker), "target-app");
    let owners = fs::read_to_string(docker.tools.path().join("owners")).unwrap();
    assert_eq!(
        owners,
        format!("target-app {}\n", docker.world.target().display())
    );
    // Nobody else gets it, whatever it is named by.
    let other = docker.world.state().join("target app");
    let program = docker.program().env("DEPLOY_APP_TARGET", &other);
    docker.set("name", "target-app");
    let named = program.clone();
    let set = program.env("DEPLOY_APP_PROJECT", "target-app");
    for program in [named, set] {
        for dry in ["0", "1"] {
            program
                .clone()
                .env("DEPLOY_APP_DRY_RUN", dry)
                .run()
                .assert_code(2)
                .assert_stderr("the Compose project target-app on")
                .assert_stderr(&format!(
                    "belongs to the application in {}",
                    docker.world.target().display()
                ))
                .assert_stderr("DEPLOY_APP_PROJECT=");
            assert!(!other.exists());
        }
    }
    assert!(docker.calls().is_empty());
}

#[test]
fn the_default_is_the_whole_path_where_another_target_has_its_last_part() {
    let Some(docker) = Docker::start() else {
        return;
    };
    // Deployed by an older version, which wrote nothing down.
    docker.set("projects", OTHERS);
    docker.deploy();
    let whole = docker.world.target().display().to_string().to_lowercase();
    assert!(project(&docker).ends_with("-target-app"), "{whole}");
    assert_eq!(project(&docker).len(), whole.len() - 1);
    docker.world.write("content", "two");
    docker.deploy();
}

#[test]
fn what_is_there_by_somebody_else_is_taken_over_only_by_name() {
    let Some(docker) = Docker::start() else {
        return;
    };
    docker.set("projects", "target-app /home/somebody/target-app\n");
    docker
        .program()
        .run()
        .assert_code(2)
        .assert_stderr("was started from /home/somebody/target-app")
        .assert_stderr("DEPLOY_APP_PROJECT=target-app takes it over");
    docker.set("projects", "");
    docker.set("with-volumes", "target-app\n");
    docker
        .program()
        .run()
        .assert_code(2)
        .assert_stderr("has volumes, and it is not known whose");
    assert!(!docker.world.target().exists());
    docker
        .program()
        .env("DEPLOY_APP_PROJECT", "target-app")
        .run()
        .assert_code(0);
    // By now it is ours.
    docker.world.write("content", "two");
    docker.deploy();
}

#[test]
fn the_files_own_name_is_used_where_nothing_else_is_said() {
    let Some(docker) = Docker::start() else {
        return;
    };
    docker.set("name", "shop");
    docker.set("projects", "shop /home/somebody/shop\n");
    docker.set("with-volumes", "shop\n");
    docker
        .program()
        .run()
        .assert_code(0)
        .assert_stderr("the Compose project is shop");
    assert_eq!(project(&docker), "shop");
    docker
        .program()
        .run()
        .assert_code(0)
        .assert_stderr("nothing to deploy");
    docker.world.write("content", "two");
    docker.deploy();
    docker.program().arg("rollback").run().assert_code(0);
    assert_eq!(project(&docker), "shop");
}

#[test]
fn a_target_of_an_older_version_keeps_its_project() {
    let Some(docker) = Docker::start() else {
        return;
    };
    docker.deploy();
    // As an older version left it: the project is written down with the proof alone.
    fs::remove_file(docker.world.target().join(".deploy/project")).unwrap();
    fs::remove_file(docker.tools.path().join("owners")).unwrap();
    docker.set("with-volumes", "target-app\n");
    docker.set("name", "shop");
    docker.world.write("content", "two");
    docker
        .program()
        .run()
        .assert_code(0)
        .assert_stderr("this target has run as target-app so far: it goes on so")
        .assert_stderr("DEPLOY_APP_PROJECT=shop");
    assert_eq!(project(&docker), "target-app");
    // Another name that is set is a change of project.
    docker
        .program()
        .env("DEPLOY_APP_PROJECT", "shop")
        .run()
        .assert_code(0)
        .assert_stderr("Compose as project target-app");
    assert_eq!(project(&docker), "shop");
}

#[test]
fn an_env_file_that_is_not_shipped_has_a_hint_that_works() {
    let Some(docker) = Docker::start() else {
        return;
    };
    docker.world.write("compose.yaml", "# env_file: .env");
    let shared = docker.world.target().join("shared");
    let on_host = format!(
        "DEPLOY_APP_SHARED=.env uses the one that lies on the host, as {}/.env",
        shared.display()
    );
    let refused = || {
        let ran = docker.program().run();
        ran.assert_code(2)
            .assert_stderr("/.env not found")
            .assert_stderr(&on_host)
            .refute_stderr("DEPLOY_APP_PROJECT");
        assert!(!docker.world.target().join("current").exists());
        ran
    };
    refused().assert_stderr("it is not in the application here");
    docker.world.write(".env", "A=1\n");
    refused().assert_stderr("hint: DEPLOY_APP_INCLUDE=.env ships it");
    let ship = docker.program().env("DEPLOY_APP_INCLUDE", ".env");
    ship.run().assert_code(0);
    fs::create_dir_all(&shared).unwrap();
    fs::write(shared.join(".env"), "A=2\n").unwrap();
    let share = docker.program().env("DEPLOY_APP_SHARED", ".env");
    share.run().assert_code(0);
}

#[test]
fn a_target_is_the_same_one_through_a_link() {
    let Some(docker) = Docker::start() else {
        return;
    };
    docker.deploy();
    let link = docker.world.state().join("link");
    std::os::unix::fs::symlink(docker.world.target(), &link).unwrap();
    docker.world.write("content", "two");
    let linked = docker.program().env("DEPLOY_APP_TARGET", &link);
    linked.run().assert_code(0);
    docker.world.write("content", "three");
    docker.deploy();
    assert_eq!(project(&docker), "target-app");
}

#[test]
fn a_target_that_was_moved_is_told_how_to_keep_its_volumes() {
    let Some(docker) = Docker::start() else {
        return;
    };
    docker.deploy();
    let moved = docker.world.state().join("target app");
    fs::rename(docker.world.target(), &moved).unwrap();
    docker.world.write("content", "two");
    let program = docker.program().env("DEPLOY_APP_TARGET", &moved);
    program
        .run()
        .assert_code(2)
        .assert_stderr(&format!(
            "belongs to the application in {}, which is no longer on this host",
            docker.world.target().display()
        ))
        .assert_stderr("hint: where that application was moved or given up, on the host: docker volume rm deploy-app.owner.target-app");
    fs::remove_file(docker.tools.path().join("owners")).unwrap();
    program.run().assert_code(0);
    let kept = fs::read_to_string(moved.join(".deploy/project"));
    assert_eq!(kept.unwrap(), "target-app\n");
}
