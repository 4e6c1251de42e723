//! What Compose is told by settings: variables, files, registries. `real_compose` uses the real one.

use crate::compose::Docker;
use crate::secrets::files_with;
use crate::world::release;
use harness::Program;

const SECRET: &str = "sentinel-npm-$3cret";

/// With a tag and a secret.
fn told(docker: &Docker, tag: &str, secret: &str) -> Program {
    docker
        .program()
        .env("DEPLOY_APP_COMPOSE_VARIABLE", "TAG\nNPM_TOKEN")
        .env("DEPLOY_APP_SECRET", "NPM_TOKEN")
        .env("TAG", tag)
        .env("NPM_TOKEN", secret)
}

/// What the last command of this kind was told.
fn last(docker: &Docker, command: &str) -> String {
    let all = std::fs::read_to_string(docker.tools.path().join("variables")).unwrap();
    let mut lines = all.lines().rev();
    let found = lines.find(|line| line.starts_with(&format!("{command} ")));
    found.unwrap_or_default().to_owned()
}

#[test]
fn variables_reach_every_command_of_compose_and_no_secret_is_written() {
    let Some(docker) = Docker::start() else {
        return;
    };
    let ran = told(&docker, "v7", SECRET).run();
    ran.assert_code(0).refute_stderr(SECRET);
    let first = release(&ran);
    for command in ["config", "build", "up", "ps"] {
        let line = format!("{command} TAG=v7 NPM_TOKEN={SECRET}");
        assert_eq!(last(&docker, command), line);
    }
    let mut found = Vec::new();
    files_with(&docker.world.target(), &[SECRET.to_owned()], &mut found);
    assert!(found.is_empty(), "{found:?}");
    told(&docker, "v7", SECRET)
        .run()
        .assert_code(0)
        .assert_stderr("nothing to deploy");

    // Another value is another deployment, also of a secret that is written down nowhere.
    let dry = told(&docker, "v8", SECRET).env("DEPLOY_APP_DRY_RUN", "1");
    dry.run()
        .assert_code(0)
        .assert_stderr("which was started by Compose with other values of TAG")
        .refute_stderr(SECRET);
    let other = "sentinel-another-$3cret";
    let ran = told(&docker, "v8", other).run();
    ran.assert_code(0)
        .assert_stderr("with other values of NPM_TOKEN, TAG")
        .refute_stderr(other);
    assert_eq!(last(&docker, "up"), format!("up TAG=v8 NPM_TOKEN={other}"));

    // The release before is run with its own tag again. Its secret is not kept.
    docker.world.write("broken", "");
    let ran = told(&docker, "v9", "sentinel-third-$3cret").run();
    ran.assert_code(1)
        .assert_stderr("runs again and is healthy")
        .assert_stderr("the secret NPM_TOKEN of release")
        .assert_stderr("it is started with the value of this deployment");
    assert_eq!(
        last(&docker, "up"),
        "up TAG=v8 NPM_TOKEN=sentinel-third-$3cret"
    );
    std::fs::remove_file(docker.world.source().join("broken")).unwrap();
    let ran = told(&docker, "v9", SECRET).arg("rollback").run();
    ran.assert_code(0)
        .refute_stderr("the value of this deployment");
    assert_eq!(release(&ran), first);
    assert_eq!(last(&docker, "up"), format!("up TAG=v7 NPM_TOKEN={SECRET}"));

    // Without the secret there is nothing to go back with.
    let ran = docker.program().arg("rollback").arg(release(&ran)).run();
    ran.assert_code(0);
    let second = docker.world.releases().pop().unwrap();
    let ran = docker.program().arg("rollback").arg(&second).run();
    ran.assert_code(2)
        .assert_stderr("was run with the secret NPM_TOKEN")
        .assert_stderr("nothing was touched");
}

#[test]
fn a_value_that_holds_a_secret_is_one() {
    let Some(docker) = Docker::start() else {
        return;
    };
    let program = docker
        .program()
        .env("DEPLOY_APP_COMPOSE_VARIABLE", "TAG")
        .env("DEPLOY_APP_SECRET", "PASSWORD")
        .env("PASSWORD", SECRET)
        .env("TAG", format!("postgres://app:{SECRET}@db"));
    program.run().assert_code(0).refute_stderr(SECRET);
    let mut found = Vec::new();
    files_with(&docker.world.target(), &[SECRET.to_owned()], &mut found);
    assert!(found.is_empty(), "{found:?}");
    program.run().assert_stderr("nothing to deploy");
}

#[test]
fn names_that_are_not_set_or_not_ours_to_give_are_refused() {
    let Some(docker) = Docker::start() else {
        return;
    };
    for (names, told) in [
        ("TAG", "names TAG, and no such variable is set"),
        (
            "COMPOSE_FILE",
            "the files are named by DEPLOY_APP_COMPOSE_FILE",
        ),
        ("RELEASE_ID", "RELEASE_ID cannot be given"),
        ("TAG=v7", "not the name of a variable"),
    ] {
        docker
            .program()
            .env("DEPLOY_APP_COMPOSE_VARIABLE", names)
            .run()
            .assert_code(2)
            .assert_stderr(told);
    }
    docker
        .program()
        .env("DEPLOY_APP_COMPOSE_FILE", "../compose.yaml")
        .env("DEPLOY_APP_REGISTRY_LOGIN", "registry.example.org hunter22")
        .env("DEPLOY_APP_SUDO", "-u root")
        .env("DEPLOY_APP_HOST_PATH", "snap/bin")
        .run()
        .assert_code(2)
        .assert_stderr("`../compose.yaml` has a `.` or `..` component")
        .assert_stderr("not REGISTRY USER VARIABLE")
        .assert_stderr("\"-u root\" is not the name of a user")
        .assert_stderr("not a list of absolute paths")
        .refute_stderr("hunter22");
    assert!(!docker.world.target().exists());
}

#[test]
fn compose_reads_the_files_that_are_named_in_their_order() {
    let Some(docker) = Docker::start() else {
        return;
    };
    docker.world.write("deploy/base.yaml", "base");
    docker.world.write("deploy/prod.yaml", "prod");
    docker.deploy();
    let files = |files: &str| docker.program().env("DEPLOY_APP_COMPOSE_FILE", files);
    let both = files("deploy/base.yaml\n./deploy/prod.yaml");
    let dry = both.clone().env("DEPLOY_APP_DRY_RUN", "1").run();
    dry.assert_code(0)
        .assert_stderr("-f 'deploy/base.yaml' -f 'deploy/prod.yaml' --project-directory")
        .assert_stderr("/deploy' --ansi never build");
    both.run()
        .assert_code(0)
        .assert_stderr("started by Compose from the files that Compose finds by itself");
    let container = std::fs::read_to_string(docker.tools.path().join("container")).unwrap();
    assert!(container.ends_with(" baseprod"), "{container}");
    // Their order counts, and the hooks find the same project.
    let hook = "echo \"$COMPOSE_FILE of $COMPOSE_PROJECT_NAME\"";
    files("deploy/prod.yaml\ndeploy/base.yaml")
        .env("DEPLOY_APP_BEFORE", hook)
        .run()
        .assert_code(0)
        .assert_stderr("from deploy/base.yaml, deploy/prod.yaml")
        .assert_stderr("before: deploy/prod.yaml:deploy/base.yaml of target-app");
    docker.program().arg("rollback").run().assert_code(0);
    let container = std::fs::read_to_string(docker.tools.path().join("container")).unwrap();
    assert!(container.ends_with(" baseprod"), "{container}");
}

#[test]
fn an_application_without_a_compose_file_is_refused_before_anything_is_touched() {
    let Some(docker) = Docker::start() else {
        return;
    };
    let remove = |name| std::fs::remove_file(docker.world.source().join(name)).unwrap();
    remove("compose.yaml");
    docker.world.write("docker-compose.prod.yml", "prod");
    for dry in ["0", "1"] {
        docker
            .program()
            .env("DEPLOY_APP_PROJECT", "named")
            .env("DEPLOY_APP_DRY_RUN", dry)
            .run()
            .assert_code(2)
            .assert_stderr(
                "has none of compose.yaml, compose.yml, docker-compose.yaml, docker-compose.yml",
            )
            .assert_stderr("hint: DEPLOY_APP_COMPOSE_FILE=docker-compose.prod.yml names it");
    }
    docker
        .program()
        .env("DEPLOY_APP_COMPOSE_FILE", "deploy/compose.yaml")
        .run()
        .assert_code(2)
        .assert_stderr("no file `deploy/compose.yaml`, which DEPLOY_APP_COMPOSE_FILE names");
    // A file of that name may say which it is.
    docker
        .world
        .write(".env", "COMPOSE_FILE=docker-compose.prod.yml");
    docker
        .program()
        .env("DEPLOY_APP_INCLUDE", ".env")
        .env("DEPLOY_APP_PROJECT", "named")
        .run()
        .assert_code(2)
        .assert_stderr("no configuration file provided");
    assert!(!docker.world.target().exists());
}

#[test]
fn images_are_pulled_while_the_old_release_serves() {
    let Some(docker) = Docker::start() else {
        return;
    };
    docker.set("service", r#""image":"registry.example.org/web:7""#);
    docker.set("registry", "seven\n");
    let dry = docker.program().env("DEPLOY_APP_DRY_RUN", "1").run();
    dry.assert_code(0)
        .assert_stderr("  pull the image registry.example.org/web:7 of service app\n");
    let first = release(docker.program().run().assert_code(0));
    let calls = docker.calls();
    assert_eq!(calls[0], format!("pull app {first} "), "{calls:?}");
    // It is there now.
    docker.world.write("compose.yaml", "v1");
    let second = release(docker.program().run().assert_code(0));
    let calls = docker.calls();
    assert!(!calls.iter().any(|it| it.starts_with("pull")), "{calls:?}");
    // What cannot be pulled leaves the old release where it is.
    docker.set("service", r#""image":"registry.example.org/web:8""#);
    docker.set("no-pull", "");
    docker
        .program()
        .env("DEPLOY_APP_PROJECT", "target-app")
        .env("DEPLOY_APP_AFTER", "true")
        .env("DEPLOY_APP_COMPOSE_FILE", "compose.yaml")
        .run()
        .assert_code(1)
        .assert_stderr("cannot pull the images of release")
        .assert_stderr("exit status 18: an image cannot be pulled")
        .assert_stderr("nothing was switched");
    let calls = docker.calls();
    assert_eq!(calls[0].rsplit(' ').next(), Some(second.as_str()));
    assert_eq!(docker.world.current(), Some(second));
}

#[test]
fn a_registry_is_logged_in_to_for_as_long_as_a_command_lasts() {
    let Some(docker) = Docker::start() else {
        return;
    };
    docker.set("service", r#""image":"registry.example.org/web:7""#);
    docker.set("registry", "seven\n");
    docker.set("password", "sentinel-'pass-$word");
    let program = |password: &str| {
        docker
            .program()
            .env(
                "DEPLOY_APP_REGISTRY_LOGIN",
                "registry.example.org ci PASSWORD",
            )
            .env("PASSWORD", password)
    };
    program("")
        .env_remove("PASSWORD")
        .run()
        .assert_code(2)
        .assert_stderr("names PASSWORD, and no such variable is set");
    program("wrong-password")
        .run()
        .assert_code(1)
        .assert_stderr("unauthorized")
        .assert_stderr("cannot log in to registry.example.org as ci")
        .assert_stderr("nothing was switched")
        .refute_stderr("wrong-password");
    let ran = program("sentinel-'pass-$word").run();
    ran.assert_code(0).refute_stderr("pass-$word");
    let calls = docker.calls();
    let pulled = format!("pull app as ci at registry.example.org {}", release(&ran));
    assert!(
        calls.iter().any(|call| call.starts_with(&pulled)),
        "{calls:?}"
    );
    let mut found = Vec::new();
    for folder in [docker.world.target(), docker.world.sshd.folder().to_owned()] {
        files_with(&folder, &["pass-$word".to_owned()], &mut found);
    }
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn who_has_a_port_is_told_before_the_switch() {
    let Some(docker) = Docker::start() else {
        return;
    };
    let service = r#""build":{"context":"x"},"ports":[{"published":"8001"}]"#;
    docker.set("service", service);
    docker.set("ports", "shop|shop-web-1|0.0.0.0:8001->80/tcp\n");
    let told = "port 8001 is taken by the container shop-web-1 of the project shop";
    docker
        .program()
        .env("DEPLOY_APP_DRY_RUN", "1")
        .run()
        .assert_code(0)
        .assert_stderr(&format!(
            "  {told}: the start fails unless it is given up before"
        ));
    docker.program().run().assert_code(0).assert_stderr(told);
}
