//! Instances in every state, against a scripted EC2.

mod instance_lookup;
mod keys;
mod load_balancer;
mod starting;

use crate::world::World;
use harness::{FakeAws, Program, Reply};

pub(crate) const ID: &str = "i-0123456789abcdef0";

/// EC2's answer about one instance.
pub(crate) fn instance(state: &str, address: &str, reason: &str) -> Reply {
    launched(state, (address, "10.0.0.7"), reason, "")
}

/// EC2's answer about a running instance with these addresses; empty is none.
pub(crate) fn instance_at(public: &str, private: &str) -> Reply {
    launched("running", (public, private), "", "")
}

/// EC2's answer about an instance that was started a moment ago.
pub(crate) fn young_instance() -> Reply {
    let now = std::process::Command::new("date")
        .args(["-u", "+%Y-%m-%dT%H:%M:%S.000Z"])
        .output()
        .unwrap();
    let now = String::from_utf8(now.stdout).unwrap();
    let launch = format!("<launchTime>{}</launchTime>", now.trim());
    launched("running", ("203.0.113.7", "10.0.0.7"), "", &launch)
}

fn launched(state: &str, (public, private): (&str, &str), reason: &str, launch: &str) -> Reply {
    let code = harness::ec2::state_code(state);
    let ip = if state == "running" && !public.is_empty() {
        format!("<ipAddress>{public}</ipAddress>")
    } else {
        String::new()
    };
    let reason = if reason.is_empty() {
        String::new()
    } else {
        let code = reason.split(':').next().unwrap_or_default();
        format!("<stateReason><code>{code}</code><message>{reason}</message></stateReason>")
    };
    Reply::xml(format!(
        "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><reservationSet><item><instancesSet><item>\
         <instanceId>{ID}</instanceId><instanceState><code>{code}</code><name>{state}</name></instanceState>{ip}\
         <privateIpAddress>{private}</privateIpAddress><placement><availabilityZone>eu-west-1a</availabilityZone></placement>\
         <groupSet><item><groupId>sg-0123456789abcdef0</groupId><groupName>web</groupName></item></groupSet>{reason}{launch}\
         <tagSet><item><key>Name</key><value>web*</value></item></tagSet>\
         </item></instancesSet></item></reservationSet></DescribeInstancesResponse>"
    ))
}

pub(crate) fn console(text: &str) -> Reply {
    let output = base64(text.as_bytes());
    Reply::xml(format!(
        "<GetConsoleOutputResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><instanceId>{ID}</instanceId>\
         <timestamp>2026-11-23T09:00:00.000Z</timestamp><output>{output}</output></GetConsoleOutputResponse>"
    ))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk
            .iter()
            .fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * at)) as usize & 63];
            out.push(if at <= chunk.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    out
}

pub(crate) fn with_instance(world: &World, aws: &FakeAws) -> Program {
    world.direct().envs(aws.env()).env("INSTANCE_ID", ID)
}
