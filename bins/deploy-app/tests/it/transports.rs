//! The same deployment over an Instance Connect Endpoint and over Session Manager, to a host that has no address which
//! this machine could reach.

use crate::aws::{ID, with_instance};
use crate::world::World;
use harness::sshd::{Options, Sshd};
use harness::tunnel::{Agent, Behaviour, Endpoint, Faults, Manner, list_endpoints};
use harness::{FakeAws, Program, Ran, Reply};
use serde_json::json;

/// AWS, with an endpoint and an agent that lead to a host.
struct Ways {
    aws: FakeAws,
    endpoint: Endpoint,
    agent: Agent,
}

impl Ways {
    fn start(aws: FakeAws, sshd: &Sshd, behaviour: &Behaviour) -> Self {
        let endpoint = Endpoint::start(&aws, sshd.port());
        let agent = Agent::start(sshd.port(), behaviour);
        agent.serve(&aws);
        let items = endpoint.listed(
            "eice-0123456789abcdef0",
            "vpc-1",
            "subnet-1",
            "create-complete",
        );
        list_endpoints(&aws, &items);
        aws.on("ec2:DescribeInstances", [instance()]);
        Self {
            aws,
            endpoint,
            agent,
        }
    }
}

/// The way that all tests take to their hosts: `TEST_TRANSPORT=eic` or `ssm` in the environment of the tests puts that
/// tunnel between. `scripts/test-transports` runs those that can be run so.
pub(crate) struct Tunneled {
    ways: Ways,
    transport: String,
}

impl Tunneled {
    pub(crate) fn start(sshd: &Sshd) -> Option<Self> {
        let transport = std::env::var("TEST_TRANSPORT").unwrap_or_default();
        match transport.as_str() {
            "" | "direct" => None,
            "eic" | "ssm" => Some(Self {
                ways: Ways::start(FakeAws::start_tls(), sshd, &Behaviour::default()),
                transport,
            }),
            other => panic!("TEST_TRANSPORT={other} is none of direct, eic, ssm"),
        }
    }

    pub(crate) fn over(&self, program: Program) -> Program {
        program
            .envs(self.ways.aws.env())
            .env("INSTANCE_ID", ID)
            .env_remove("DEPLOY_APP_ADDRESS")
            .env("DEPLOY_APP_TRANSPORT", &self.transport)
    }
}

/// A host that only tunnels lead to.
pub(crate) struct Private {
    pub(crate) world: World,
    pub(crate) aws: FakeAws,
    pub(crate) endpoint: Endpoint,
    pub(crate) agent: Agent,
}

impl Private {
    pub(crate) fn start(behaviour: &Behaviour) -> Option<Self> {
        Self::start_with(&Options::default(), FakeAws::start_tls(), behaviour)
    }

    /// With a differing `sshd`, which may know this AWS.
    pub(crate) fn start_with(
        options: &Options,
        aws: FakeAws,
        behaviour: &Behaviour,
    ) -> Option<Self> {
        let world = World::start_with(options)?;
        let Ways {
            aws,
            endpoint,
            agent,
        } = Ways::start(aws, &world.sshd, behaviour);
        Some(Self {
            world,
            aws,
            endpoint,
            agent,
        })
    }

    pub(crate) fn over(&self, transport: &str) -> Program {
        with_instance(&self.world, &self.aws)
            .env_remove("DEPLOY_APP_ADDRESS")
            .env("DEPLOY_APP_TRANSPORT", transport)
            .env("DEPLOY_APP_SSH_TIMEOUT", "15s")
    }

    /// A run that cannot reach the host.
    fn unreached(&self, transport: &str, code: i32) -> Ran {
        let ran = self
            .over(transport)
            .env("DEPLOY_APP_SSH_TIMEOUT", "3s")
            .run();
        ran.assert_code(code);
        ran
    }
}

/// Where the instance is, and nobody else.
pub(crate) const PRIVATE_ADDRESS: &str = "192.0.2.7";

/// A running instance without a public address, and with a private one that leads nowhere from here.
fn instance() -> Reply {
    Reply::xml(format!(
        "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><reservationSet><item><instancesSet><item>\
         <instanceId>{ID}</instanceId><instanceState><code>16</code><name>running</name></instanceState>\
         <privateIpAddress>{PRIVATE_ADDRESS}</privateIpAddress><vpcId>vpc-1</vpcId><subnetId>subnet-1</subnetId>\
         <placement><availabilityZone>eu-west-1a</availabilityZone></placement>\
         </item></instancesSet></item></reservationSet></DescribeInstancesResponse>"
    ))
}

#[test]
fn a_private_host_is_deployed_to_over_each_tunnel() {
    let Some(private) = Private::start(&Behaviour::default()) else {
        return;
    };
    for (transport, content, way) in [
        (
            "eic",
            "one",
            "over the Instance Connect Endpoint eice-0123456789abcdef0",
        ),
        ("ssm", "two", "over Session Manager"),
    ] {
        private.world.write("content", content);
        let ran = private.over(transport).run();
        ran.assert_code(0)
            .assert_stderr(&format!("was reached {way}"));
        let exports = ran.exports();
        assert_eq!(exports["EC2_PUBLIC_IP"], PRIVATE_ADDRESS);
        let release = exports["RELEASE_ID"].clone();
        assert_eq!(
            private.world.answer(),
            Some((200, release, content.to_owned()))
        );
        private.world.assert_unlocked();
        private.over(transport).arg("releases").run().assert_code(0);
    }
    assert_eq!(private.agent.left_open(), Vec::<String>::new());
    assert!(private.endpoint.requests().len() >= 2);
}

#[test]
fn a_tunnel_that_would_end_before_the_proof_is_opened_anew_before_the_switch() {
    let Some(private) = Private::start(&Behaviour::default()) else {
        return;
    };
    // With an hour for health a tunnel ends too early once it is no new one any more.
    let program = private
        .over("eic")
        .env("DEPLOY_APP_BEFORE", "sleep 11")
        .env("DEPLOY_APP_HEALTH_TIMEOUT", "1h")
        .env("DEPLOY_APP_TIMEOUT", "2h");
    let ran = program.run();
    ran.assert_code(0)
        .assert_stderr("again: the tunnel ends after an hour");
    assert_eq!(private.endpoint.requests().len(), 2);
    assert_eq!(private.world.answer().map(|(status, ..)| status), Some(200));
    private.world.assert_unlocked();

    // A failure after it is taken back over the new one.
    let before = private.world.current();
    private.world.write("content", "two");
    program
        .env("DEPLOY_APP_AFTER", "exit 3")
        .run()
        .assert_code(1);
    assert_eq!(private.world.current(), before);
    private.world.assert_unlocked();
}

#[test]
fn a_deployment_over_a_bad_network_is_whole() {
    let behaviour = Behaviour {
        faults: Faults {
            lost: 3,
            twice: 3,
            late: 5,
            spoilt: 1,
            cuts: vec![200, 50],
            seed: 1,
        },
        pauses_every: Some(100),
        kms_key: Some("alias/sessions".to_owned()),
        ..Behaviour::default()
    };
    let Some(private) = Private::start(&behaviour) else {
        return;
    };
    let ran = private
        .over("ssm")
        .env("DEPLOY_APP_HEALTH_TIMEOUT", "30s")
        .run();
    ran.assert_code(0);
    assert_eq!(private.world.answer().map(|(status, ..)| status), Some(200));
    assert_eq!(private.agent.left_open(), Vec::<String>::new());
}

#[test]
fn auto_takes_what_leads_there_and_says_why_the_others_do_not() {
    let Some(private) = Private::start(&Behaviour::default()) else {
        return;
    };
    list_endpoints(
        &private.aws,
        &private
            .endpoint
            .listed("eice-9", "vpc-9", "subnet-9", "create-complete"),
    );
    let ran = private.over("auto").run();
    ran.assert_code(0).assert_stderr(
        "was reached over Session Manager (eic: there is no Instance Connect Endpoint in vpc-1; \
         eice-9 is in vpc-9, and an endpoint reaches its own VPC only; direct: it was not faster)",
    );
    let unregistered = Reply::json(&json!({"InstanceInformationList": []}));
    private
        .aws
        .on("ssm:DescribeInstanceInformation", [unregistered]);
    list_endpoints(
        &private.aws,
        &private
            .endpoint
            .listed("eice-1", "vpc-1", "subnet-1", "create-complete"),
    );
    let plan = private.over("auto").arg("--dry-run").run();
    let way = "over the Instance Connect Endpoint eice-1 (ssm: the SSM agent of the instance is not registered;";
    plan.assert_code(0)
        .assert_stderr(&format!("was reached {way}"))
        .assert_stderr(&format!("\n  reached {way}"));
}

#[test]
fn a_transport_without_its_means_is_refused_before_anything_is_touched() {
    let Some(private) = Private::start(&Behaviour::default()) else {
        return;
    };
    list_endpoints(&private.aws, "");
    private
        .unreached("eic", 2)
        .assert_stderr("eic: there is no Instance Connect Endpoint in vpc-1, nor in another VPC");
    list_endpoints(
        &private.aws,
        &private
            .endpoint
            .listed("eice-9", "vpc-9", "subnet-9", "create-complete"),
    );
    private
        .unreached("eic", 2)
        .assert_stderr("eice-9 is in vpc-9, and an endpoint reaches its own VPC only");
    let denied = Reply::error(403, "UnauthorizedOperation", "You are not authorized");
    private
        .aws
        .on("ec2:DescribeInstanceConnectEndpoints", [denied]);
    private
        .unreached("eic", 2)
        .assert_stderr("eic: the permission ec2:DescribeInstanceConnectEndpoints is missing");
    private
        .over("eic")
        .env("DEPLOY_APP_ADDRESS", "127.0.0.1:1")
        .run()
        .assert_code(2)
        .assert_stderr("but DEPLOY_APP_ADDRESS is set");
}

#[test]
fn every_refusal_of_a_session_is_told_with_what_to_do() {
    let Some(private) = Private::start(&Behaviour::default()) else {
        return;
    };
    let refused = |code: &str, said: &str| {
        private
            .aws
            .on("ssm:StartSession", [Reply::error(400, code, said)]);
    };
    refused(
        "TargetNotConnected",
        "i-0123456789abcdef0 is not connected.",
    );
    private
        .unreached("ssm", 4)
        .assert_stderr("the SSM agent of i-0123456789abcdef0 is not connected to Systems Manager: TargetNotConnected")
        .assert_stderr("hint: the instance needs the SSM agent, a role with AmazonSSMManagedInstanceCore");
    refused(
        "AccessDeniedException",
        "not authorized to perform: ssm:StartSession on resource: arn:aws:ssm:eu-west-1::document/AWS-StartSSHSession",
    );
    private
        .unreached("ssm", 4)
        .assert_stderr(
            "a session with the document AWS-StartSSHSession is refused: AccessDeniedException",
        )
        .assert_stderr("ssm:SessionDocumentAccessCheck may ask for more");
}

#[test]
fn a_kms_key_that_is_not_permitted_is_told_with_both_permissions() {
    let behaviour = Behaviour {
        kms_key: Some("alias/sessions".to_owned()),
        ..Behaviour::default()
    };
    let Some(private) = Private::start(&behaviour) else {
        return;
    };
    let denied = Reply::error(
        400,
        "AccessDeniedException",
        "not authorized to perform: kms:GenerateDataKey",
    );
    private.aws.on("kms:GenerateDataKey", [denied]);
    private
        .unreached("ssm", 4)
        .assert_stderr("the session must be encrypted with the KMS key alias/sessions, and that cannot be used")
        .assert_stderr("this role needs kms:GenerateDataKey on that key, and the instance's role kms:Decrypt");
    assert_eq!(private.agent.left_open(), Vec::<String>::new());
}

#[test]
fn a_clock_that_is_off_and_a_missing_permission_are_told_apart() {
    let Some(private) = Private::start(&Behaviour::default()) else {
        return;
    };
    let refuses = |date: Option<&str>| {
        private.endpoint.behaves(Manner {
            refuses: Some((
                403,
                "User is not authorized".to_owned(),
                date.map(str::to_owned),
            )),
            ..Manner::default()
        });
    };
    refuses(Some("Mon, 23 Nov 2020 09:00:00 GMT"));
    private
        .unreached("eic", 4)
        .assert_stderr(
            "the server refused the signature (HTTP 403), and the clock of this machine is",
        )
        .assert_stderr("hint: set the clock of this machine");
    refuses(None);
    private
        .unreached("eic", 4)
        .assert_stderr("the server refused the websocket: HTTP 403: User is not authorized")
        .assert_stderr("ec2-instance-connect:OpenTunnel");
}

#[test]
fn what_the_preferences_of_the_account_refuse_is_told_in_the_agents_words() {
    // The agent's own words (amazon-ssm-agent 3.3, `agent/session/config/config.go`).
    let said = "We couldn't start the session because encryption is not set up on the selected Amazon S3 bucket.";
    let behaviour = Behaviour {
        closes: Some((1, said.to_owned())),
        ..Behaviour::default()
    };
    let Some(private) = Private::start(&behaviour) else {
        return;
    };
    private
        .unreached("ssm", 4)
        .assert_stderr(&format!("Session Manager ended the session: {said}"))
        .assert_stderr("hint: Session Manager's preferences and the agent's log");
    assert_eq!(private.agent.left_open(), Vec::<String>::new());
}

#[test]
fn a_session_that_the_service_ends_in_the_middle_is_told_and_nothing_is_left() {
    let behaviour = Behaviour {
        closes: Some((
            6_000,
            "Your session timed out due to inactivity.".to_owned(),
        )),
        ..Behaviour::default()
    };
    let Some(private) = Private::start(&behaviour) else {
        return;
    };
    private.world.write("large", &"x".repeat(200_000));
    let ran = private.over("ssm").run();
    assert_ne!(ran.code, Some(0), "{ran}");
    ran.assert_stderr(
        "Session Manager ended the session: Your session timed out due to inactivity.",
    );
    assert_eq!(private.agent.left_open(), Vec::<String>::new());
}
