//! Connecting to the address that EC2 tells, at SSH's own port.

use std::net::{IpAddr, Ipv4Addr, TcpListener};

use harness::FakeAws;
use harness::sshd::Options;

use crate::aws::{instance_at, with_instance};
use crate::world::World;

/// A world whose SSH server also listens at port 22 of an address of its own. `None` where that needs more
/// rights than there are.
fn world() -> Option<(World, String)> {
    let [.., high, low] = std::process::id().to_be_bytes();
    let address = Ipv4Addr::new(127, 22, high, low.max(1));
    if TcpListener::bind((IpAddr::V4(address), 22)).is_err() {
        harness::missing("the right to listen at port 22");
        return None;
    }
    let options = Options {
        config: vec![format!("ListenAddress {address}:22")],
        ..Options::default()
    };
    Some((World::start_with(&options)?, address.to_string()))
}

#[test]
fn without_an_address_it_is_the_instances_public_or_else_its_private_one() {
    let Some((world, address)) = world() else {
        return;
    };
    for (public, private) in [(address.as_str(), "10.0.0.7"), ("", address.as_str())] {
        let aws = FakeAws::start();
        let (public, private) = (public.to_owned(), private.to_owned());
        aws.on_call("ec2:DescribeInstances", move |_| {
            instance_at(&public, &private)
        });
        let program = with_instance(&world, &aws).env_remove("DEPLOY_APP_ADDRESS");
        let ran = program.run();
        ran.assert_code(0)
            .assert_stderr(&format!("connected to i-0123456789abcdef0 ({address}:22)"));
        assert_eq!(ran.exports()["EC2_PUBLIC_IP"], address);
    }
}
