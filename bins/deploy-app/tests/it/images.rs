//! Going back starts the images that a release ran, whatever their names lead to by then.

use crate::compose::Docker;
use crate::world::release;

/// An application whose image is built elsewhere and named by a tag that moves.
fn moving() -> Option<Docker> {
    let docker = Docker::start()?;
    docker.set("service", "\"image\":\"me/app:latest\"");
    docker.set_image("me/app:latest", "good");
    Some(docker)
}

#[test]
fn going_back_starts_the_image_that_ran_then() {
    let Some(docker) = moving() else { return };
    docker.deploy();
    docker.set_image("me/app:latest", "better");
    docker.world.write("content", "two");
    docker.deploy();
    docker.program().arg("rollback").run().assert_code(0);
    let calls = docker.calls();
    assert!(calls[0].starts_with("up of good "), "{calls:?}");
    assert_eq!(docker.world.answer().unwrap().2, "one");
}

#[test]
fn going_back_pulls_nothing_in_the_place_of_an_image_that_is_there() {
    let Some(docker) = moving() else { return };
    docker.set(
        "service",
        "\"image\":\"me/app:latest\",\"pull_policy\":\"always\"",
    );
    docker.set("registry", "good\n");
    docker.deploy();
    docker.set("registry", "better\n");
    docker.world.write("content", "two");
    docker.deploy();
    docker.program().arg("rollback").run().assert_code(0);
    let calls = docker.calls();
    assert!(
        calls[0].starts_with("up --pull missing of good "),
        "{calls:?}"
    );
}

#[test]
fn a_roll_back_does_not_start_the_broken_image_again() {
    let Some(docker) = moving() else { return };
    let first = docker.deploy();
    docker.set_image("me/app:latest", "broken");
    docker.world.write("broken", "");
    docker
        .program()
        .run()
        .assert_code(1)
        .assert_stderr(&format!("release {first} runs again and is healthy"));
    let calls = docker.calls();
    assert!(
        calls.last().unwrap().starts_with("up of good "),
        "{calls:?}"
    );
}

#[test]
fn images_of_kept_releases_stay_and_those_of_removed_ones_go() {
    let Some(docker) = moving() else { return };
    let program = docker.program().env("DEPLOY_APP_KEEP_RELEASES", "2");
    for content in ["1", "2", "3"] {
        docker.set_image("me/app:latest", content);
        docker.world.write("content", content);
        program.run().assert_code(0);
    }
    let (kept, other): (Vec<String>, Vec<String>) = docker
        .images()
        .into_iter()
        .partition(|name| name.starts_with("deploy-app/target-app:"));
    assert_eq!(other, ["me/app:latest"]);
    let releases = docker.world.releases();
    assert_eq!(kept.len(), 2, "{kept:?}");
    for (kept, release) in kept.iter().zip(releases) {
        assert!(kept.contains(&release), "{kept} {release}");
    }
}

#[test]
fn an_image_that_is_gone_is_pulled_by_its_digest() {
    let Some(docker) = moving() else { return };
    docker.set("digests", "me/app@sha256:0123");
    docker.deploy();
    docker.set_image("me/app:latest", "better");
    docker.world.write("content", "two");
    docker.deploy();
    docker.remove_image("good");
    docker.set("registry", "good\n");
    docker
        .program()
        .arg("rollback")
        .run()
        .assert_code(0)
        .assert_stderr("the image me/app:latest")
        .assert_stderr("it was pulled again, by its digest");
    let calls = docker.calls();
    assert!(
        calls[0].starts_with("pull me/app@sha256:0123 "),
        "{calls:?}"
    );
    assert!(calls[1].starts_with("up of good "), "{calls:?}");
}

#[test]
fn a_release_whose_image_is_gone_for_good_is_not_gone_back_to() {
    let Some(docker) = moving() else { return };
    docker.deploy();
    docker.set_image("me/app:latest", "better");
    docker.world.write("content", "two");
    let ran = docker.program().run();
    ran.assert_code(0);
    docker.calls();
    docker.remove_image("good");
    for dry in ["0", "1"] {
        docker
            .program()
            .arg("rollback")
            .env("DEPLOY_APP_DRY_RUN", dry)
            .run()
            .assert_code(2)
            .assert_stderr("the image me/app:latest that it ran is gone from the host");
    }
    assert_eq!(docker.calls(), Vec::<String>::new());
    assert_eq!(docker.world.current(), Some(release(&ran)));
}

#[test]
fn the_images_of_releases_of_older_versions_come_back_by_their_names() {
    let Some(docker) = Docker::start() else {
        return;
    };
    let first = docker.deploy();
    // As it was kept before images were written down.
    docker.set_image(&format!("target-app-app:deploy-{first}"), &first);
    std::fs::remove_dir_all(docker.world.target().join(".deploy/images")).unwrap();
    docker.world.write("content", "two");
    docker.deploy();
    docker
        .program()
        .arg("rollback")
        .run()
        .assert_code(0)
        .assert_stderr("was not written down by the version that deployed it")
        .refute_stderr("built again");
    let calls = docker.calls();
    assert!(
        calls[0].starts_with(&format!("up of {first} ")),
        "{calls:?}"
    );
}
