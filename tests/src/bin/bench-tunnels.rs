//! How fast a deployment is over each way to an instance, in one run, and how much memory it takes: `scripts/bench tunnels`.
//!
//! The same file of random bytes is deployed to the same sshd on loopback, once directly, once through an Instance Connect
//! Endpoint and once through an agent of Session Manager. Endpoint and agent are those of the tests, and set no limit. What
//! a deployment of nothing takes is taken off, so that the rate is that of the bytes. Each run is a line: the way, seconds, and
//! the peak of memory in KiB.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a tool for this machine, whose output is its purpose"
)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::sshd::Sshd;
use harness::tunnel::{Agent, Behaviour, Endpoint, list_endpoints};
use harness::{FakeAws, Program, Reply};
use tempfile::TempDir;

const TRANSPORTS: [&str; 3] = ["direct", "eic", "ssm"];
const INSTANCE: &str = "i-0123456789abcdef0";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [program, mib, runs] = arguments.as_slice() else {
        panic!("usage: bench-tunnels DEPLOY-APP MIB RUNS");
    };
    let (mib, runs): (usize, usize) = (mib.parse().unwrap(), runs.parse().unwrap());
    let bench = Bench::start(Path::new(program));
    let full = tree(mib << 20);
    let empty = tree(1);
    // They take turns, so that a slow moment of the machine is felt by each of them.
    for _ in 0..runs {
        for transport in TRANSPORTS {
            let (whole, peak) = bench.deploy(transport, full.path());
            let (fixed, _) = bench.deploy(transport, empty.path());
            let seconds = whole.saturating_sub(fixed).as_secs_f64();
            println!("{transport} {seconds:.3} {peak}");
        }
    }
}

/// A folder with one file of so many random bytes.
fn tree(bytes: usize) -> TempDir {
    let folder = TempDir::with_prefix("tree").unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let mut content = vec![0; bytes];
    random.fill(&mut content);
    std::fs::write(folder.path().join("file"), content).unwrap();
    folder
}

struct Bench {
    program: PathBuf,
    sshd: Sshd,
    aws: FakeAws,
    _endpoint: Endpoint,
    _agent: Agent,
}

impl Bench {
    fn start(program: &Path) -> Self {
        let sshd = Sshd::start().expect("needs OpenSSH's sshd");
        let aws = FakeAws::start_tls();
        let endpoint = Endpoint::start(&aws, sshd.port());
        let agent = Agent::start(sshd.port(), &Behaviour::default());
        agent.serve(&aws);
        list_endpoints(
            &aws,
            &endpoint.listed("eice-1", "vpc-1", "subnet-1", "create-complete"),
        );
        aws.on("ec2:DescribeInstances", [Reply::xml(format!(
            "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><reservationSet><item><instancesSet><item>\
             <instanceId>{INSTANCE}</instanceId><instanceState><code>16</code><name>running</name></instanceState>\
             <privateIpAddress>192.0.2.7</privateIpAddress><vpcId>vpc-1</vpcId><subnetId>subnet-1</subnetId>\
             <placement><availabilityZone>eu-west-1a</availabilityZone></placement>\
             </item></instancesSet></item></reservationSet></DescribeInstancesResponse>"
        ))]);
        Self {
            program: program.to_owned(),
            sshd,
            aws,
            _endpoint: endpoint,
            _agent: agent,
        }
    }

    /// How long a first deployment of `source` takes, and its peak of memory in KiB.
    fn deploy(&self, transport: &str, source: &Path) -> (Duration, u64) {
        let target = TempDir::with_prefix("target").unwrap();
        let peak = target.path().join("peak");
        let program = Program::new("/usr/bin/time")
            .args(["-q", "-f", "%M", "-o"])
            .arg(&peak)
            .arg(&self.program)
            .envs(self.aws.env())
            .env("DEPLOY_APP_USER", self.sshd.user())
            .env("DEPLOY_APP_SSH_KEY", self.sshd.user_key_path("ed25519"))
            .env("DEPLOY_APP_HOST_KEY", self.sshd.host_key_line("ed25519"))
            .env("DEPLOY_APP_SOURCE", source)
            .env("DEPLOY_APP_TARGET", target.path().join("app"))
            .env("DEPLOY_APP_RUNTIME", "none")
            .env("INSTANCE_ID", INSTANCE)
            .limit(Duration::from_secs(600));
        let ran = match transport {
            "direct" => program.env(
                "DEPLOY_APP_ADDRESS",
                format!("127.0.0.1:{}", self.sshd.port()),
            ),
            tunnel => program.env("DEPLOY_APP_TRANSPORT", tunnel),
        }
        .run();
        ran.assert_code(0);
        let peak = std::fs::read_to_string(&peak).unwrap();
        (ran.duration, peak.trim().parse().unwrap())
    }
}
