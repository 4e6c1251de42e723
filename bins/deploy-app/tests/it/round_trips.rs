//! How often a deployment waits for the other end of a long line.

use crate::world::World;
use harness::slow_link::SlowLink;
use std::time::Duration;

/// After the TCP connection is open: one for the versions and the offers of the key exchange, one for the exchange itself,
/// one for the service of authentication, two for the key (the SSH library asks first whether it is accepted), one for the
/// channel, one for the start of the agent together with the look at the host, and one for the health of the application.
const MOST: u32 = 8;

/// What is sent meanwhile arrives before the answer of a host that is slower than the line, and its count is one too high
/// then. It is never too low.
const TRIES: u32 = 5;

#[test]
fn an_unchanged_deployment_takes_few_round_trips() {
    let Some(world) = World::start() else { return };
    world.deploy();
    let taken = || {
        let link = SlowLink::start(world.sshd.port(), Duration::from_millis(250));
        let ran = world
            .direct()
            .env("DEPLOY_APP_ADDRESS", format!("127.0.0.1:{}", link.port()))
            .run();
        ran.assert_code(0).assert_stderr("nothing to deploy");
        link.round_trips()
    };
    let taken: Vec<u32> = (0..TRIES)
        .map(|_| taken())
        .take_while(|taken| *taken > MOST)
        .collect();
    assert!(taken.len() < TRIES as usize, "{taken:?} round trips");
}
