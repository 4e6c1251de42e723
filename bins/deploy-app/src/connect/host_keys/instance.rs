//! The host keys of an instance, from its console and from the instance itself.

use std::time::Duration;

use action::failure::Failure;
use action::interrupt::Signal;
use action::wait::{self, Ended, Limits, Look, Pace};
use ec2::CommandError;
use ssh::HostKey;

use super::no_keys::NoKeys;
use crate::connect::ssh_target::SshTarget;
use crate::connect::ssm::Ssm;
use crate::settings::Checked;

/// What RunCommand runs.
const READ_KEYS: &str = "cat /etc/ssh/ssh_host_*_key.pub";

/// Between two questions for the keys of an instance that is starting.
const PACE: Pace = Pace {
    first: Duration::from_secs(3),
    longest: Duration::from_secs(3),
};

/// The keys and where they were learnt, or what each place missing instead.
type Found = Result<(String, Vec<HostKey>), NoKeys>;

/// Asks the console and then the instance itself; one that was just started is asked until it may have come
/// up, since its console is still empty and its agent not known to SSM.
pub(super) async fn keys(
    settings: &Checked,
    ssh_target: &SshTarget<'_>,
    looks_only: bool,
    limits: &Limits,
) -> Result<Found, Failure> {
    let mut last = NoKeys::default();
    last.nothing("neither its console nor its SSM agent answered in time");
    let look = async || {
        let missing = match ask_once(ssh_target, looks_only, limits).await? {
            Ok(found) => return Ok(Look::There(Ok(found))),
            Err(missing) => missing,
        };
        let may_come = looks_only || missing.is_unregistered;
        // Who believes a first use does not wait for anything better.
        if !may_come || !ssh_target.is_young() || settings.trust_on_first_use {
            return Ok(Look::There(Err(missing)));
        }
        let seen = missing.lines.join("; ");
        last = missing;
        Ok(Look::NotYet(seen))
    };
    let what = format!(
        "the host keys of {}, which was just started",
        ssh_target.shown()
    );
    let limit = limits.within(settings.ssh_timeout).deadline;
    match wait::until(&what, limit, &limits.interrupt, PACE, look).await {
        Ok(found) => Ok(found),
        Err(Ended::Deadline(_)) => Ok(Err(last)),
        Err(Ended::Signal(signal)) => Err(stopped(ssh_target, signal)),
        Err(Ended::Failed(failure)) => Err(failure),
    }
}

fn stopped(ssh_target: &SshTarget<'_>, signal: Signal) -> Failure {
    let deed = format!(
        "stopped waiting for the host keys of {}",
        ssh_target.shown()
    );
    Failure::interrupted(signal, deed)
}

async fn ask_once(
    ssh_target: &SshTarget<'_>,
    looks_only: bool,
    limits: &Limits,
) -> Result<Found, Failure> {
    let mut missing = NoKeys::default();
    let Some((cloud, seen)) = ssh_target.instance else {
        return Ok(Err(missing));
    };
    match ec2::console(&cloud.ec2.client, &seen.id).await {
        Ok(console) => {
            let keys = console_keys(&console);
            if !keys.is_empty() {
                return Ok(Ok((format!("the console of {}", seen.id), keys)));
            }
            missing.nothing(format!("the console of {} shows no host keys (they are printed at first boot, and kept for about an hour)", seen.id));
        }
        Err(error) => missing.met(
            &error,
            format!("the console of {} cannot be read: {error}", seen.id),
        ),
    }
    if looks_only {
        missing.nothing(
            "SSM RunCommand, which runs a command on the instance, is not used by a dry run",
        );
        return Ok(Err(missing));
    }
    let output = Ssm::new(&cloud.session)
        .run(&seen.id, READ_KEYS, limits)
        .await;
    match output {
        Ok(finished) if finished.exit != 0 => {
            let (exit, errors) = (finished.exit, finished.errors.trim());
            missing.nothing(format!(
                "SSM RunCommand cannot read them: exit status {exit}: {errors}"
            ));
        }
        Ok(finished) => {
            let keys: Vec<HostKey> = finished.output.lines().filter_map(HostKey::parse).collect();
            if !keys.is_empty() {
                return Ok(Ok((format!("SSM RunCommand on {}", seen.id), keys)));
            }
            missing.nothing("SSM RunCommand found no /etc/ssh/ssh_host_*_key.pub");
        }
        Err(CommandError::Ended {
            ended: Ended::Signal(signal),
            ..
        }) => return Err(stopped(ssh_target, signal)),
        Err(error) => {
            const DEED: &str = "SSM RunCommand cannot read them";
            missing.is_unregistered = matches!(error, CommandError::Unregistered(_));
            match error {
                CommandError::Unregistered(error)
                | CommandError::Send(error)
                | CommandError::Look(error) => missing.met(&error, format!("{DEED}: {error}")),
                CommandError::NoId => missing.nothing(format!("{DEED}: the command got no id")),
                CommandError::NotRun(state) => missing.nothing(format!("{DEED}: {state}")),
                CommandError::Ended { what, ended } => {
                    let failure = ended.into_failure(&what);
                    missing.nothing(format!("{DEED}: {}", failure.deed()));
                }
            }
        }
    }
    Ok(Err(missing))
}

/// The public keys in an instance's console output, as cloud-init prints them on first boot:
/// the first `BEGIN SSH HOST KEY KEYS` block. Later blocks could have been written by anything
/// that can reach the serial console.
fn console_keys(console: &str) -> Vec<HostKey> {
    let mut lines = console.lines();
    if !lines.any(|line| line.contains("-----BEGIN SSH HOST KEY KEYS-----")) {
        return Vec::new();
    }
    lines
        .take_while(|line| !line.contains("-----END SSH HOST KEY KEYS-----"))
        .filter_map(|line| {
            // Some images prefix each line with a time or `ec2:`.
            let at = ["ssh-", "ecdsa-sha2-"]
                .iter()
                .filter_map(|kind| line.find(kind))
                .min()?;
            HostKey::parse(&line[at..])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{HostKey, console_keys};

    const ONE: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const TWO: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILIG2T/B0l0gaqj3puu510tu9N1OkQ4znY3LYuEm5zCF";

    #[test]
    fn the_first_block_of_the_console_counts() {
        let console = format!(
            "[   12.0] cloud-init\r\n-----BEGIN SSH HOST KEY KEYS-----\r\nec2: {ONE} root@ip\r\n\
             -----END SSH HOST KEY KEYS-----\r\nlogin:\r\n-----BEGIN SSH HOST KEY KEYS-----\r\n{TWO}\r\n"
        );
        let found: Vec<String> = console_keys(&console).iter().map(HostKey::line).collect();
        assert_eq!(found, [ONE]);
        assert!(console_keys(&format!("{ONE}\n")).is_empty());
        assert!(console_keys("").is_empty());
    }
}
