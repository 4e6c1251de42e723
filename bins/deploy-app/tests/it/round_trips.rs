//! How often a deployment waits for the other end of a long line.

use crate::world::World;
use harness::slow_link::SlowLink;
use std::time::Duration;

/// After the TCP connection is open: one for the versions and the offers of the key exchange, one for the exchange itself,
/// one for the service of authentication, two for the key (the SSH library asks first whether it is accepted), one for the
/// channel, one for the start of the agent together with the look at the host, and one for the health of the application.
const MOST: u32 = 8;

/// How long the lines are that are tried, in milliseconds. What is sent meanwhile arrives before the answer of a host that is slower
/// than the line, and the count is one too high then. It is never too low.
const LINES: [u64; 4] = [250, 500, 1000, 3000];

#[test]
fn an_unchanged_deployment_takes_few_round_trips() {
    let Some(world) = World::start() else { return };
    world.deploy();
    let taken = |millis: &u64| {
        let link = SlowLink::start(world.sshd.port(), Duration::from_millis(*millis));
        let ran = world
            .direct()
            .env("DEPLOY_APP_ADDRESS", format!("127.0.0.1:{}", link.port()))
            .run();
        ran.assert_code(0).assert_stderr("nothing to deploy");
        link.round_trips()
    };
    let too_many: Vec<u32> = LINES
        .iter()
        .map(taken)
        .take_while(|taken| *taken > MOST)
        .collect();
    assert!(too_many.len() < LINES.len(), "{too_many:?} round trips");
}
