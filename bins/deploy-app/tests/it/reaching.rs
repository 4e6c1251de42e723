//! What is told of a host that cannot be reached.

use crate::world::World;
use harness::{FakeAws, Ran};
use std::io::Read as _;
use std::net::TcpListener;

#[test]
fn a_host_that_does_not_answer_is_named_with_the_step_that_failed() {
    let Some(world) = World::start() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = listener.local_addr().unwrap();
    let program = world.program().env("DEPLOY_APP_SSH_TIMEOUT", "2s");
    program
        .clone()
        .env("DEPLOY_APP_ADDRESS", silent.to_string())
        .run()
        .assert_code(4)
        .assert_stderr("cause: connected, but no SSH server answered: it sent nothing in time");
    drop(listener);
    program
        .clone()
        .env("DEPLOY_APP_ADDRESS", silent.to_string())
        .run()
        .assert_code(4)
        .assert_stderr("cause: no TCP connection: Connection refused");
    let web = FakeAws::start();
    program
        .env("DEPLOY_APP_ADDRESS", format!("127.0.0.1:{}", web.port()))
        .run()
        .assert_code(4)
        .assert_stderr("cannot reach");
}

#[test]
fn a_host_that_breaks_off_after_its_banner_is_told_apart() {
    let Some(world) = World::start() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            use std::io::Write as _;
            let Ok(mut stream) = stream else { return };
            drop(stream.write_all(b"SSH-2.0-OpenSSH_9.9\r\n"));
            drop(stream.read(&mut [0; 64]));
        }
    });
    let program = world
        .program()
        .env("DEPLOY_APP_SSH_TIMEOUT", "2s")
        .env("DEPLOY_APP_ADDRESS", address.to_string());
    program
        .run()
        .assert_code(4)
        .assert_stderr("cause: the SSH key exchange broke off");
}

/// The error's own lines, without what was logged while the host was waited for.
fn causes(ran: &Ran) -> Vec<&str> {
    let lines = ran.stderr.lines();
    lines
        .filter_map(|line| line.strip_prefix("  cause: "))
        .collect()
}

#[test]
fn a_port_that_refuses_to_the_end_is_told_as_refused_and_not_as_too_slow() {
    let Some(world) = World::start() else { return };
    for limit in ["1s", "2s", "3s"] {
        let ran = world
            .program()
            .env("DEPLOY_APP_ADDRESS", "127.0.0.1:1")
            .env("DEPLOY_APP_SSH_TIMEOUT", limit)
            .run();
        ran.assert_code(4).refute_stderr("in time");
        let causes = causes(&ran);
        assert_eq!(causes.len(), 1, "{limit}: {ran}");
        assert!(
            causes[0].starts_with("no TCP connection: Connection refused"),
            "{limit}: {ran}"
        );
    }
}

#[test]
fn a_name_that_nobody_knows_is_told_as_such_and_not_as_a_firewall() {
    let Some(world) = World::start() else { return };
    let ran = world
        .program()
        .env("DEPLOY_APP_ADDRESS", "nosuch.invalid")
        .env("DEPLOY_APP_SSH_TIMEOUT", "2s")
        .run();
    ran.assert_code(4).refute_stderr("firewall");
    let causes = causes(&ran);
    assert_eq!(causes.len(), 1, "{ran}");
    assert!(
        causes[0].starts_with("no TCP connection: cannot resolve `nosuch.invalid`"),
        "{ran}"
    );
}

#[test]
fn a_port_that_closes_at_once_is_told_as_no_ssh_server() {
    let Some(world) = World::start() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let ran = world
        .program()
        .env("DEPLOY_APP_ADDRESS", address.to_string())
        .env("DEPLOY_APP_SSH_TIMEOUT", "3s")
        .run();
    ran.assert_code(4).refute_stderr("in time");
    let causes = causes(&ran);
    assert_eq!(causes.len(), 1, "{ran}");
    assert!(
        causes[0].starts_with("connected, but no SSH server answered: "),
        "{ran}"
    );
}

#[test]
fn the_deadline_that_ends_the_waiting_for_ssh_is_the_one_that_is_named() {
    let Some(world) = World::start() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addresses = [
        listener.local_addr().unwrap().to_string(),
        "127.0.0.1:1".to_owned(),
    ];
    for address in addresses {
        let program = world.program().env("DEPLOY_APP_ADDRESS", address);
        program
            .clone()
            .args(["--timeout", "2s"])
            .run()
            .assert_code(6)
            .assert_stderr("hint: --timeout (DEPLOY_APP_TIMEOUT) was over")
            .assert_stderr("run it again")
            .refute_stderr("DEPLOY_APP_SSH_TIMEOUT");
        program
            .args(["--ssh-timeout", "2s"])
            .run()
            .assert_code(4)
            .assert_stderr("DEPLOY_APP_SSH_TIMEOUT gives it more time");
    }
}
