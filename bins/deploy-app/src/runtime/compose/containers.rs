//! The containers of a project: which there are, and what they amount to.

use serde_json::Value;

/// A container of a project, as `docker compose ps -a --format json` gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Container {
    pub service: String,
    pub name: String,
    /// Such as `running` or `exited`.
    pub state: String,
    /// `healthy`, `unhealthy`, `starting`, or empty without a health check.
    pub health: String,
    /// The status that it ended with.
    pub exit_code: i64,
}

/// Before the name of a one-off container, as [`crate::runtime::commands::Commands::containers`] has Docker print it.
pub(crate) const ONE_OFF: &str = "== one-off ";

/// Reads the containers of services: a JSON object a line, or all in one array as older versions print them. What
/// somebody ran once (`docker compose run`) is left out: it is no part of what a release starts.
pub(crate) fn containers(ps: &[u8]) -> Result<Vec<Container>, String> {
    let values = listed(ps)?;
    let text = |value: &Value, key: &str| {
        let found = value.get(key).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    let text_of = String::from_utf8_lossy(ps);
    let one_offs: Vec<&str> = text_of
        .lines()
        .filter_map(|line| line.strip_prefix(ONE_OFF))
        .collect();
    Ok(values
        .iter()
        .filter(|value| !one_offs.contains(&text(value, "Name").as_str()))
        .map(|value| Container {
            service: text(value, "Service"),
            name: text(value, "Name"),
            state: text(value, "State").to_ascii_lowercase(),
            health: text(value, "Health").to_ascii_lowercase(),
            exit_code: value.get("ExitCode").and_then(Value::as_i64).unwrap_or(0),
        })
        .collect())
}

/// The same list without the commands of the containers. Compose cuts those after 20 characters, and a secret that was
/// cut is known for one no more.
pub(crate) fn without_commands(ps: &[u8]) -> Result<String, String> {
    let mut text = String::new();
    for mut container in listed(ps)? {
        if let Some(container) = container.as_object_mut() {
            container.remove("Command");
        }
        text.push_str(&format!("{container}\n"));
    }
    Ok(text)
}

/// The objects in what `docker compose ps --format json` prints.
fn listed(ps: &[u8]) -> Result<Vec<Value>, String> {
    let text = String::from_utf8_lossy(ps);
    let lines = text.lines().filter(|line| !line.starts_with(ONE_OFF));
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    match serde_json::from_str(&text) {
        Ok(Value::Array(all)) => Ok(all),
        Ok(one) => Ok(vec![one]),
        Err(_) => text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()
            .map_err(|error| {
                format!("cannot read the list of containers that Compose printed: {error}")
            }),
    }
}

/// What the containers amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Every one runs, is healthy where it can say so, or has done its job and ended well.
    Good,
    /// One is still on its way.
    Coming(String),
    /// One was made and not started.
    Waiting(String),
    /// One has ended, and the engine brings it back.
    Restarting(String),
    /// One has failed.
    Bad(String),
}

/// Judges containers by what they are, not by what `up --wait` makes of them: it takes a job that ended
/// well for a failure (docker/compose#9273).
pub(crate) fn judge(containers: &[Container]) -> Verdict {
    if containers.is_empty() {
        return Verdict::Bad("there are no containers".to_owned());
    }
    let (mut coming, mut waiting, mut restarting) = (None, None, None);
    for container in containers {
        let Container {
            service,
            state,
            health,
            exit_code,
            ..
        } = container;
        match (state.as_str(), health.as_str()) {
            ("running", "" | "healthy") => {}
            ("running", "starting") => {
                coming = Some(format!("{service} is {state}, health {health}"));
            }
            ("created", _) => waiting = Some(format!("{service} is {state}")),
            ("running", health) => return Verdict::Bad(format!("{service} is {health}")),
            ("exited", _) if *exit_code == 0 => {}
            ("exited" | "dead", _) => {
                return Verdict::Bad(format!("{service} has ended with status {exit_code}"));
            }
            ("restarting", _) => {
                restarting = Some(format!(
                    "{service} ends and is restarted again and again, last with status {exit_code}"
                ));
            }
            (state, _) => return Verdict::Bad(format!("{service} is {state}")),
        }
    }
    let restarting = restarting.map(Verdict::Restarting);
    restarting
        .or(waiting.map(Verdict::Waiting))
        .or(coming.map(Verdict::Coming))
        .unwrap_or(Verdict::Good)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn containers_are_judged_by_what_they_are() {
        let line = |state: &str, health: &str, code: i64| {
            format!(
                "{{\"Service\":\"s\",\"Name\":\"app-s-1\",\"State\":\"{state}\",\"Health\":\"{health}\",\"ExitCode\":{code}}}"
            )
        };
        let judged = |lines: &[String]| judge(&containers(lines.join("\n").as_bytes()).unwrap());
        let good = line("running", "healthy", 0);
        assert_eq!(
            judged(&[good.clone(), line("running", "", 0), line("exited", "", 0)]),
            Verdict::Good
        );
        assert!(matches!(
            judged(&[good.clone(), line("running", "starting", 0)]),
            Verdict::Coming(_)
        ));
        for bad in [
            line("running", "unhealthy", 0),
            line("exited", "", 1),
            line("paused", "", 0),
        ] {
            assert!(matches!(judged(&[good.clone(), bad]), Verdict::Bad(_)));
        }
        assert!(matches!(
            judged(&[line("restarting", "", 1), line("running", "starting", 0)]),
            Verdict::Restarting(_)
        ));
        assert!(matches!(
            judged(&[good.clone(), line("created", "", 0)]),
            Verdict::Waiting(_)
        ));
        // Somebody's one-off container says nothing of the release, whatever became of it.
        let once = line("exited", "", 3).replace("app-s-1", "app-s-run-0123456789ab");
        assert!(matches!(
            judged(&[good.clone(), once.clone()]),
            Verdict::Bad(_)
        ));
        let named = format!("{ONE_OFF}app-s-run-0123456789ab");
        for listed in [
            vec![good.clone(), once, named],
            vec![good.clone(), format!("{ONE_OFF}gone")],
        ] {
            assert_eq!(judged(&listed), Verdict::Good);
        }
        let array = format!("[{good}]");
        assert_eq!(judge(&containers(array.as_bytes()).unwrap()), Verdict::Good);
        assert!(matches!(judge(&containers(b"").unwrap()), Verdict::Bad(_)));
        assert!(containers(b"no such service").is_err());
        // A secret that Compose cut is known for one no more.
        let started = good.replace(
            "\"Service\"",
            "\"Command\":\"\\\"run --token s3…\",\"Service\"",
        );
        let told = without_commands(format!("{started}\n{started}\n").as_bytes()).unwrap();
        assert_eq!(containers(told.as_bytes()).unwrap().len(), 2);
        assert!(!told.contains("s3"), "{told}");
    }
}
