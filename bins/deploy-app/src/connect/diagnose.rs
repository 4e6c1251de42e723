//! Why an instance cannot be reached: what AWS knows about it.

use std::time::Duration;

use action::interrupt::Interrupt;
use aws_sdk_ec2::types::IpPermission;
use tokio::time::{Instant, timeout};

use super::cloud::Cloud;
use super::instance::InstanceInfo;
use crate::diagnostics::collector::Diagnostics;

/// How many of the console's last lines are shown.
const CONSOLE_LINES: usize = 15;

/// How long AWS may take to tell of an instance that was not reached.
const UNREACHED: Duration = Duration::from_secs(5);
/// How many of the console's last lines go into the failure bundle.
const BUNDLED_LINES: usize = 200;

/// An explanation is not worth a longer wait, and has this long when the deadline is over, too.
const WITHIN: Duration = Duration::from_secs(10);

/// What AWS says about an instance that does not answer, a line each. Whatever cannot be asked is left
/// out with its reason: this explains an error, and must not become one.
pub(crate) async fn lines(
    cloud: &Cloud,
    seen: &InstanceInfo,
    port: u16,
    interrupt: &Interrupt,
) -> Vec<String> {
    let mut lines = Vec::new();
    cloud.session.limit.extend(Instant::now() + WITHIN);
    let asking = timeout(WITHIN, ask(cloud, seen, port, &mut lines));
    let asked = interrupt.race(asking).await;
    match asked {
        Ok(Ok(())) => {}
        Ok(Err(_)) => lines.push(format!("AWS did not answer within {WITHIN:?}")),
        Err(signal) => lines.push(format!("stopped asking AWS: {signal} received")),
    }
    lines
}

/// Asks AWS about an instance whose SSH never came; a moment is enough, also after a signal.
pub(crate) async fn gather_unreached(diagnostics: &Diagnostics, cloud: &Cloud, id: &str) {
    cloud.session.limit.extend(Instant::now() + UNREACHED);
    let console = match timeout(UNREACHED, ec2::console(&cloud.ec2.client, id)).await {
        Ok(console) => console.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {UNREACHED:?}")),
    };
    match console {
        Ok(console) => {
            let tail: Vec<String> = tail(&console, BUNDLED_LINES).collect();
            diagnostics.add("console.txt", tail.join("\n"));
        }
        Err(error) => diagnostics.add("console.txt", format!("cannot be read: {error}")),
    }
}

async fn ask(cloud: &Cloud, seen: &InstanceInfo, port: u16, lines: &mut Vec<String>) {
    match cloud.ec2.look(&seen.id).await {
        Ok(now) => {
            let reason = now
                .reason
                .map(|reason| format!(" ({reason})"))
                .unwrap_or_default();
            lines.push(format!("the instance is {}{reason}", now.state));
        }
        Err(failure) => lines.push(failure.deed().to_owned()),
    }
    match ec2::status_checks(&cloud.ec2.client, &seen.id).await {
        Ok(checks) => lines.push(format!("its status checks: {checks}")),
        Err(error) => lines.push(format!("its status checks cannot be read: {error}")),
    }
    if !seen.groups.is_empty() {
        let groups = seen.groups.join(", ");
        match ec2::inbound_rules(&cloud.ec2.client, &seen.groups).await {
            Ok(rules) => match sources(&rules, port) {
                sources if sources.is_empty() => lines.push(format!(
                    "its security groups ({groups}) allow no access to port {port}"
                )),
                sources => lines.push(format!(
                    "its security groups ({groups}) let reach port {port}: {}; does this machine come from there?",
                    sources.join(", ")
                )),
            },
            Err(error) => lines.push(format!("its security groups cannot be read: {error}")),
        }
    }
    match ec2::console(&cloud.ec2.client, &seen.id).await {
        Ok(console) => {
            lines.extend(tail(&console, CONSOLE_LINES).map(|line| format!("console: {line}")))
        }
        Err(error) => lines.push(format!("its console cannot be read: {error}")),
    }
}

/// Who may reach a TCP port, as the rules write it.
fn sources(rules: &[IpPermission], port: u16) -> Vec<String> {
    let port = i32::from(port);
    let covers = |rule: &&IpPermission| match rule.ip_protocol() {
        Some("-1") => true,
        Some("tcp" | "6") => {
            rule.from_port().unwrap_or(0) <= port && port <= rule.to_port().unwrap_or(65_535)
        }
        _ => false,
    };
    rules
        .iter()
        .filter(covers)
        .flat_map(|rule| {
            let v4 = rule.ip_ranges().iter().filter_map(|range| range.cidr_ip());
            let v6 = rule
                .ipv6_ranges()
                .iter()
                .filter_map(|range| range.cidr_ipv6());
            let groups = rule
                .user_id_group_pairs()
                .iter()
                .filter_map(|pair| pair.group_id());
            let lists = rule
                .prefix_list_ids()
                .iter()
                .filter_map(|list| list.prefix_list_id());
            v4.chain(v6)
                .chain(groups)
                .chain(lists)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The last lines that are not blank, without control characters.
pub(crate) fn tail(text: &str, count: usize) -> impl Iterator<Item = String> + '_ {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    let from = lines.len().saturating_sub(count);
    lines
        .into_iter()
        .skip(from)
        .map(|line| line.chars().filter(|c| !c.is_control()).collect())
}

#[cfg(test)]
mod tests {
    use super::{sources, tail};
    use aws_sdk_ec2::types::{IpPermission, IpRange};

    #[test]
    fn only_rules_for_the_port_count() {
        let rule = |protocol: &str, from, to, cidr: &str| {
            IpPermission::builder()
                .ip_protocol(protocol)
                .set_from_port(from)
                .set_to_port(to)
                .ip_ranges(IpRange::builder().cidr_ip(cidr).build())
                .build()
        };
        let rules = [
            rule("tcp", Some(22), Some(22), "10.0.0.0/8"),
            rule("tcp", Some(8001), Some(8001), "0.0.0.0/0"),
            rule("udp", Some(22), Some(22), "192.0.2.0/24"),
            rule("-1", None, None, "198.51.100.0/24"),
        ];
        assert_eq!(sources(&rules, 22), ["10.0.0.0/8", "198.51.100.0/24"]);
    }

    #[test]
    fn the_end_of_a_console_is_plain() {
        let lines: Vec<String> = tail("a\r\n\n\u{1b}b\r\nc\n", 2).collect();
        assert_eq!(lines, ["b", "c"]);
    }
}
