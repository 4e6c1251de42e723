//! How a release is run, and where it is asked for its health.
//!
//! It is written down with the proof that the release was healthy: the next deployment may run another application in
//! another way, and when that fails, what comes back is the release that was proven, in the way in which it was.

use std::borrow::Cow;

use action::redact::redacted;
use aws_smithy_types::base64;
use http_probe::{Header, Probe, Statuses, Trust};
use serde_json::{Map, Value};

use super::commands::Commands;
use crate::host::state::State;
use crate::settings::{Checked, ComposeRun, Health, Hooks, Run, Variables};

/// How a release is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manner {
    /// Its commands, or its Compose project.
    pub run: Run,
    /// Commands around its start.
    pub hooks: Hooks,
    /// Where it is asked.
    pub health: Option<Health>,
}

impl Manner {
    /// As this deployment's settings have it.
    pub(crate) fn of(settings: &Checked) -> Self {
        Self {
            run: settings.run.clone(),
            hooks: settings.hooks.clone(),
            health: settings.health.clone(),
        }
    }

    /// Whether an application that was started in the other manner is to be started again to run in this one. Who is
    /// asked for its health, and what ends it, makes no difference to what runs.
    pub(crate) fn starts_like(&self, other: &Self) -> bool {
        match (&self.run, &other.run) {
            // Nothing is started at all.
            (Run::None, _) => true,
            (Run::Compose(compose), Run::Compose(other)) => {
                compose.project == other.project
                    && compose.files == other.files
                    && compose.variables.unlike(&other.variables).is_empty()
            }
            (Run::Command { start, .. }, Run::Command { start: other, .. }) => start == other,
            _ => false,
        }
    }

    /// How an application was started `before`, for people, as far as this differs from it.
    pub(crate) fn difference(&self, before: &Self) -> String {
        let (Run::Compose(compose), Run::Compose(other)) = (&self.run, &before.run) else {
            return before.starter();
        };
        if compose.project != other.project {
            return before.starter();
        }
        let files = match other.files.is_empty() {
            true => "the files that Compose finds by itself".to_owned(),
            false => other.files.join(", "),
        };
        let names = compose.variables.unlike(&other.variables);
        let files = (compose.files != other.files).then(|| format!("from {files}"));
        let values =
            (!names.is_empty()).then(|| format!("with other values of {}", names.join(", ")));
        let both: Vec<String> = files.into_iter().chain(values).collect();
        format!("Compose {}", both.join(", "))
    }

    /// What starts it, for people.
    fn starter(&self) -> String {
        match &self.run {
            Run::Compose(compose) => format!("Compose as project {}", compose.project),
            Run::Command { start, .. } => format!("`{start}`"),
            Run::None => "nothing of ours".to_owned(),
        }
    }

    /// Secrets of a release that are not kept and that this deployment does not have.
    pub(crate) fn missing_secrets(&self) -> Vec<&str> {
        match &self.run {
            Run::Compose(compose) => compose.variables.missing(),
            Run::Command { .. } | Run::None => Vec::new(),
        }
    }

    /// Says which secrets a release is started with that are not those that it was run with.
    pub(crate) fn tell_secrets(&self, release: &str) {
        let Run::Compose(compose) = &self.run else {
            return;
        };
        for name in compose.variables.replaced() {
            tracing::warn!(
                "the secret {name} of release {release} is not kept: it is started with the value of this deployment"
            );
        }
        for name in compose.variables.missing() {
            tracing::warn!(
                "the secret {name} of release {release} is not kept, and this deployment does not have it: it is started without"
            );
        }
    }

    /// The commands of a release that is run so.
    pub(crate) const fn commands<'a>(&'a self, settings: &'a Checked) -> Commands<'a> {
        Commands {
            run: &self.run,
            hooks: &self.hooks,
            paths: &settings.paths,
            wait: settings.health_timeout,
            logins: settings.logins.as_slice(),
        }
    }

    /// One line of JSON; empty when a declared secret stands in it, for those are written nowhere.
    pub(crate) fn to_text(&self) -> String {
        let mut kept = Map::new();
        let mut keep = |key: &str, text: Option<&String>| {
            if let Some(text) = text {
                kept.insert(key.to_owned(), Value::from(text.as_str()));
            }
        };
        match &self.run {
            Run::Compose(compose) => keep("project", Some(&compose.project)),
            Run::Command {
                start,
                stop,
                status,
            } => {
                keep("start", Some(start));
                keep("stop", stop.as_ref());
                keep("status", status.as_ref());
            }
            Run::None => {}
        }
        keep("after", self.hooks.after.as_ref());
        if let Some(health) = &self.health {
            let probe = &health.probe;
            let host = probe.headers.iter().find_map(Header::as_host);
            keep("health", Some(&probe.url.to_string()));
            keep("accepts", Some(&probe.statuses.to_string()));
            keep("host", host.map(str::to_owned).as_ref());
            keep("body", probe.body.as_ref());
            keep("ca", trust_to_text(&probe.trust).as_ref());
        }
        if let Run::Compose(compose) = &self.run {
            let (plain, secrets) = compose.variables.to_json();
            kept.insert("files".to_owned(), Value::from(compose.files.clone()));
            kept.insert("variables".to_owned(), Value::from(plain));
            kept.insert("secrets".to_owned(), Value::from(secrets));
        }
        let text = Value::Object(kept).to_string();
        match redacted(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(_) => String::new(),
        }
    }

    /// Reads [`Manner::to_text`]. How long and how often it is asked is a matter of this deployment, and so are
    /// headers other than `Host`: they may be secrets.
    fn from_text(text: &str, settings: &Checked) -> Option<Self> {
        let all: Value = serde_json::from_str(text).ok()?;
        let kept = |key: &str| all.get(key).and_then(Value::as_str).map(str::to_owned);
        let run = match (kept("project"), kept("start")) {
            (Some(project), _) => Run::Compose(ComposeRun {
                project,
                files: files(&all),
                variables: variables(&all, settings),
            }),
            (None, Some(start)) => Run::Command {
                start,
                stop: kept("stop"),
                status: kept("status"),
            },
            (None, None) => Run::None,
        };
        let health = match kept("health") {
            Some(url) => Some(Health {
                probe: Probe {
                    url: url.parse().ok()?,
                    headers: headers(kept("host").as_deref(), settings),
                    statuses: match kept("accepts") {
                        Some(statuses) => statuses.parse().ok()?,
                        None => Statuses::default(),
                    },
                    body: kept("body"),
                    trust: trust_from_text(kept("ca").as_deref())?,
                },
                count: settings.health.as_ref().map_or(1, |health| health.count),
                timeout: settings.health_timeout,
            }),
            None => None,
        };
        let hooks = Hooks {
            before: None,
            after: kept("after"),
        };
        Some(Self { run, hooks, health })
    }

    /// As a release was run when it was proven; as this deployment has it where that is not known.
    pub(crate) fn kept(text: Option<&str>, settings: &Checked) -> Self {
        text.and_then(|text| Self::from_text(text, settings))
            .unwrap_or_else(|| Self::of(settings))
    }
}

impl State {
    /// How a release was run when it was proven; as this deployment has it where that is not known.
    pub(crate) fn manner(&self, release: &str, settings: &Checked) -> Manner {
        Manner::kept(self.manners.get(release).map(String::as_str), settings)
    }

    /// The Compose project that this target has had so far. Before it was written down, that was what the current release
    /// was proven with, or else the last part of the target.
    pub(crate) fn had_project(&self, settings: &Checked) -> Option<String> {
        let of_release = |name: &str| match self.manner(name, settings).run {
            Run::Compose(compose) => Some(compose.project),
            Run::Command { .. } | Run::None => None,
        };
        self.project
            .clone()
            .or_else(|| self.current_name().and_then(of_release))
    }
}

fn files(kept: &Value) -> Vec<String> {
    let files = kept.get("files").and_then(Value::as_array);
    let files = files.into_iter().flatten().filter_map(Value::as_str);
    files.map(str::to_owned).collect()
}

fn variables(kept: &Value, settings: &Checked) -> Variables {
    let none = Variables::default();
    let ours = match &settings.run {
        Run::Compose(compose) => &compose.variables,
        Run::Command { .. } | Run::None => &none,
    };
    Variables::from_json(kept.get("variables"), kept.get("secrets"), ours)
}

/// This deployment's headers, with the `Host` that was written down.
fn headers(host: Option<&str>, settings: &Checked) -> Vec<Header> {
    let ours = settings
        .health
        .iter()
        .flat_map(|health| &health.probe.headers);
    let others = ours.filter(|header| header.as_host().is_none()).cloned();
    host.and_then(Header::host)
        .into_iter()
        .chain(others)
        .collect()
}

/// `none`, or certificates in base64 with blanks between them; nothing for the system's authorities.
fn trust_to_text(trust: &Trust) -> Option<String> {
    match trust {
        Trust::System => None,
        Trust::Anything => Some("none".to_owned()),
        Trust::Given(certificates) => {
            let certificates = certificates.iter().map(base64::encode);
            Some(certificates.collect::<Vec<_>>().join(" "))
        }
    }
}

fn trust_from_text(text: Option<&str>) -> Option<Trust> {
    match text {
        None => Some(Trust::System),
        Some("none") => Some(Trust::Anything),
        Some(text) => {
            let certificates = text.split(' ').map(|one| base64::decode(one).ok());
            certificates.collect::<Option<_>>().map(Trust::Given)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::{Trust, trust_from_text, trust_to_text};

    #[test]
    fn trust_is_read_as_it_was_written() {
        let given = Trust::Given(vec![b"one".to_vec(), b"two".to_vec()]);
        for trust in [Trust::System, Trust::Anything, given] {
            let text = trust_to_text(&trust);
            assert_eq!(trust_from_text(text.as_deref()), Some(trust));
        }
        assert_eq!(trust_from_text(Some("?")), None);
    }
}
