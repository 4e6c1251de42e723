//! Quiescing through SSM Run Command: containers and data mounts stand still under a lease that the
//! instance itself ends, whatever becomes of the build.

use crate::cleanup::undo;
use crate::instance::Source;
use crate::job::Job;
use crate::settings::Quiesce;
use crate::settings::modes::QuiesceBy;
use action::export::quote::posix;
use action::failure::{Failure, ResourceKind};
use action::interrupt::Interrupt;
use action::wait::Limits;
use aws_sdk_ssm::Client;
use ec2::{CommandError, Finished, ShellCommand};
use std::time::Duration;
use tokio::time::Instant;

/// What runs on the instance.
const STILL: &str = include_str!("still.sh");
/// The folder of all tries on the instance; it is gone after a restart, as what it holds is.
const FOLDER: &str = "/run/make-ami";

/// The line that the script writes when everything stands still.
const FROZEN: &str = "frozen";

/// How long a command may take to be delivered: SSM's least.
const DELIVER_WITHIN: Duration = Duration::from_secs(30);
/// How long the instance's answer may take beyond that.
const ANSWER_WITHIN: Duration = Duration::from_secs(180);

/// An instance that stands still.
#[derive(Debug)]
pub(crate) struct Lease {
    instance_id: String,
    folder: String,
}

/// Makes the instance stand still.
pub(crate) async fn acquire(job: &Job, source: &Source) -> Result<Lease, Failure> {
    // Each try has a folder of its own: the claim of an earlier one says nothing about this one.
    let folder = format!("{FOLDER}/{:016x}", fastrand::u64(..));
    let quiesce = &job.settings.quiesce;
    let operation = format!("cannot quiesce instance {}", source.id);
    tracing::info!("quiescing {}: {}", source.id, words(quiesce));
    let command = freeze_command(&folder, quiesce);
    let lease = Lease {
        instance_id: source.id.clone(),
        folder,
    };
    let ended = run(job, &lease, &command, &operation, &job.context.interrupt).await;
    let failure = match ended {
        Ok(ended) if ended.exit == 0 && ended.output.lines().any(|line| line == FROZEN) => {
            return Ok(lease);
        }
        // The script has undone what it had done.
        Ok(ended) => return Err(told(Failure::failed(operation), &ended)),
        Err(failure) => failure,
    };
    // It is not known how far it came.
    Err(match release(job, lease).await {
        Ok(_) => failure,
        Err(worse) => undo::with_remains_exit(failure.and(worse)),
    })
}

/// Lets the instance go, and gives how long it stood still.
pub(crate) async fn release(job: &Job, lease: Lease) -> Result<Duration, Failure> {
    let operation = format!("cannot thaw instance {}", lease.instance_id);
    let command = format!("exec sh {}/still.sh thaw", lease.folder);
    job.give_time(ANSWER_WITHIN);
    let ended = run(job, &lease, &command, &operation, &Interrupt::never()).await;
    let seconds = job.settings.quiesce.lease.as_secs();
    let ended = ended.map_err(|failure| {
        failure.hint(format!(
            "the instance thaws by itself {seconds} s after it was frozen; the image is not used, since what it holds is not known"
        ))
    })?;
    let milliseconds = ended
        .output
        .lines()
        .find_map(|line| line.strip_prefix("thawed ")?.trim().parse().ok());
    match (ended.exit, milliseconds) {
        (0, Some(milliseconds)) => {
            let frozen = Duration::from_millis(milliseconds);
            tracing::info!("{} stood still for {frozen:?}", lease.instance_id);
            Ok(frozen)
        }
        (203, _) => Err(Failure::failed(format!(
            "instance {} thawed by itself before the snapshots had begun, so the image is not consistent",
            lease.instance_id
        ))
        .hint(format!("--quiesce-lease is {seconds} s; give it more"))),
        (202, _) => Err(told(Failure::failed(operation), &ended).remains(
            job.home.resource(ResourceKind::Instance, &lease.instance_id),
            format!("containers or mounts of {} that still stand still", lease.instance_id),
            "on the instance: fsfreeze -u for each mount, docker unpause or docker start for each container",
        )),
        _ => Err(told(Failure::failed(operation), &ended)),
    }
}

fn told(failure: Failure, ended: &Finished) -> Failure {
    let said = ended.errors.trim();
    let said = if said.is_empty() {
        "it said nothing"
    } else {
        said
    };
    failure.cause(format!("exit status {}: {said}", ended.exit))
}

fn words(quiesce: &Quiesce) -> String {
    let how = quiesce.by;
    let containers = quiesce
        .containers
        .iter()
        .map(|name| format!("{how} {name}"));
    let mounts = quiesce.mounts.iter().map(|mount| format!("freeze {mount}"));
    containers.chain(mounts).collect::<Vec<_>>().join(", ")
}

fn freeze_command(folder: &str, quiesce: &Quiesce) -> String {
    let how = match quiesce.by {
        QuiesceBy::Pause => "pause",
        QuiesceBy::Stop => "stop",
    };
    let settings = format!(
        "CONTAINERS={}\nMOUNTS={}\nHOW={how}\nLEASE={}",
        posix(&quiesce.containers.join("\n")),
        posix(&quiesce.mounts.join("\n")),
        quiesce.lease.as_secs()
    );
    format!(
        "set -eu\numask 077\nmkdir -p {FOLDER}\nmkdir {folder}\n\
         cat >{folder}/settings <<'END_OF_SETTINGS'\n{settings}\nEND_OF_SETTINGS\n\
         cat >{folder}/still.sh <<'END_OF_SCRIPT'\n{STILL}END_OF_SCRIPT\n\
         exec sh {folder}/still.sh freeze"
    )
}

/// Runs a command on the instance and waits for its end.
async fn run(
    job: &Job,
    lease: &Lease,
    script: &str,
    operation: &str,
    interrupt: &Interrupt,
) -> Result<Finished, Failure> {
    let ssm = Client::new(&job.session.config);
    let command = ShellCommand {
        instance: &lease.instance_id,
        script,
        comment: "make-ami: quiesce",
        deliver_within: DELIVER_WITHIN,
        run_within: None,
    };
    let limits = Limits {
        deadline: Instant::now() + ANSWER_WITHIN,
        interrupt: interrupt.clone(),
    };
    let finished = ec2::run_command(&ssm, &command, &limits).await;
    finished.map_err(|error| match error {
        CommandError::Unregistered(error) => error
            .failure(operation, "ssm:SendCommand")
            .hint("SSM does not know the instance: is the agent running, and may its role talk to SSM (AmazonSSMManagedInstanceCore)?"),
        CommandError::Send(error) => error.failure(operation, "ssm:SendCommand"),
        CommandError::NoId => Failure::failed(operation).cause("SSM's reply holds no command id"),
        CommandError::Look(error) => error.failure(operation, "ssm:GetCommandInvocation"),
        CommandError::NotRun(state) => Failure::failed(operation)
            .cause(format!("the command on {}: {state}", lease.instance_id)),
        CommandError::Ended { what, ended } => ended.into_failure(&what),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::freeze_command;
    use crate::settings::Quiesce;
    use crate::settings::modes::QuiesceBy;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::process::{Command, Output};
    use std::time::Duration;

    /// A host with stand-ins for the three programs that need a kernel or an engine; what they are
    /// asked for is noted.
    struct Host(tempfile::TempDir);

    impl Host {
        fn new() -> Self {
            let host = Self(tempfile::tempdir().unwrap());
            std::fs::create_dir(host.path("bin")).unwrap();
            let note = host.path("log").display().to_string();
            for (name, rest) in [
                (
                    "docker",
                    "case $1 in inspect) [ \"$4\" = gone ] && { echo no such container; exit 1; }; echo true;; esac",
                ),
                ("fsfreeze", "[ \"$1 $2\" != '-f /bad' ]"),
                ("mountpoint", "[ \"$2\" != /none ]"),
                (
                    "stat",
                    "case $4 in /|/bind) echo 1;; /boot|/bind-of-boot) echo 2;; /sub) echo 8;; *) echo 9;; esac",
                ),
                (
                    "findmnt",
                    "case $6 in /|/sub) echo /dev/xvda1;; *) echo \"/dev/$6\";; esac",
                ),
                ("sync", ""),
            ] {
                let path = host.path("bin").join(name);
                let script = format!("#!/bin/sh\necho {name} \"$@\" >>{note}\n{rest}\n");
                std::fs::write(&path, script).unwrap();
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            }
            host
        }

        fn path(&self, name: &str) -> std::path::PathBuf {
            self.0.path().join(name)
        }

        fn sh(&self, command: &str) -> Output {
            let path = format!(
                "{}:{}",
                self.path("bin").display(),
                std::env::var("PATH").unwrap()
            );
            Command::new("sh")
                .arg("-c")
                .arg(command)
                .env("PATH", path)
                .output()
                .unwrap()
        }

        /// What was asked for, without the questions.
        fn log(&self) -> Vec<String> {
            let text = std::fs::read_to_string(self.path("log")).unwrap_or_default();
            text.lines()
                .filter(|line| {
                    let questions = ["docker inspect", "mountpoint", "stat", "findmnt"];
                    !questions.iter().any(|question| line.starts_with(question))
                })
                .map(str::to_owned)
                .collect()
        }

        fn freeze(&self, quiesce: &Quiesce) -> Output {
            // The real folder is root's; the script does not care which it is.
            let folder = self.path("run").display().to_string();
            let command = freeze_command(&folder, quiesce);
            self.sh(&command.replace("mkdir -p /run/make-ami\n", ""))
        }

        fn thaw(&self) -> Output {
            self.sh(&format!(
                "exec sh {}/still.sh thaw",
                self.path("run").display()
            ))
        }
    }

    fn quiesce(containers: &[&str], mounts: &[&str], lease: u64) -> Quiesce {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Quiesce {
            containers: owned(containers),
            by: QuiesceBy::Pause,
            mounts: owned(mounts),
            lease: Duration::from_secs(lease),
        }
    }

    fn gone(path: &Path, seconds: u64) -> bool {
        let until = std::time::Instant::now() + Duration::from_secs(seconds);
        while path.exists() && std::time::Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
        !path.exists()
    }

    #[test]
    fn everything_stands_still_and_is_let_go_in_reverse() {
        let host = Host::new();
        let frozen = host.freeze(&quiesce(&["db", "web"], &["/data one", "/srv/it's"], 30));
        assert_eq!(
            String::from_utf8_lossy(&frozen.stdout),
            "frozen\n",
            "{frozen:?}"
        );
        let thawed = host.thaw();
        assert!(
            String::from_utf8_lossy(&thawed.stdout).starts_with("thawed "),
            "{thawed:?}"
        );
        assert_eq!(
            host.log(),
            [
                "docker pause db",
                "docker pause web",
                "sync",
                "fsfreeze -f /data one",
                "fsfreeze -f /srv/it's",
                "fsfreeze -u /srv/it's",
                "fsfreeze -u /data one",
                "docker unpause db",
                "docker unpause web",
            ]
        );
        assert_eq!(host.thaw().status.code(), Some(203), "only one undoes");
    }

    #[test]
    fn the_lease_undoes_it_when_nobody_comes_back() {
        let host = Host::new();
        assert!(
            host.freeze(&quiesce(&["db"], &["/data"], 1))
                .status
                .success()
        );
        let until = std::time::Instant::now() + Duration::from_secs(20);
        while host.log().len() < 5 && std::time::Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(host.log()[3..], ["fsfreeze -u /data", "docker unpause db"]);
        let late = host.thaw();
        assert_eq!(late.status.code(), Some(203), "{late:?}");
    }

    #[test]
    fn after_a_thaw_the_lease_only_tidies_up() {
        let host = Host::new();
        assert!(host.freeze(&quiesce(&["db"], &[], 1)).status.success());
        assert!(host.thaw().status.success());
        assert!(gone(&host.path("run"), 20));
        assert_eq!(host.log(), ["docker pause db", "sync", "docker unpause db"]);
    }

    #[test]
    fn what_cannot_be_frozen_is_undone_and_named() {
        let host = Host::new();
        let failed = host.freeze(&quiesce(&["db"], &["/data", "/bad"], 30));
        assert_eq!(failed.status.code(), Some(201), "{failed:?}");
        assert!(String::from_utf8_lossy(&failed.stderr).contains("cannot freeze /bad"));
        assert_eq!(host.log()[4..], ["fsfreeze -u /data", "docker unpause db"]);
    }

    #[test]
    fn no_other_way_to_the_root_file_system_is_frozen() {
        for mount in ["/bind", "/bind-of-boot", "/sub"] {
            let host = Host::new();
            let failed = host.freeze(&quiesce(&["db"], &["/data", mount], 30));
            assert_eq!(failed.status.code(), Some(201), "{failed:?}");
            let said = String::from_utf8_lossy(&failed.stderr).into_owned();
            let expected = format!("{mount} is of the file system of / or /boot");
            assert!(said.contains(&expected), "{said}");
            assert_eq!(host.log(), Vec::<String>::new());
        }
    }

    #[test]
    fn absent_containers_and_mounts_are_found_before_anything_stands_still() {
        for (wanted, part) in [
            (
                quiesce(&["db", "gone"], &[], 30),
                "container gone does not run",
            ),
            (
                quiesce(&["db"], &["/none"], 30),
                "/none is not a mount point",
            ),
        ] {
            let host = Host::new();
            let failed = host.freeze(&wanted);
            assert_eq!(failed.status.code(), Some(201));
            assert!(
                String::from_utf8_lossy(&failed.stderr).contains(part),
                "{failed:?}"
            );
            assert_eq!(host.log(), Vec::<String>::new());
        }
    }
}
