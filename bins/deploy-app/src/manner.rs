//! How a release is run, and where it is asked for its health.
//!
//! It is written down with the proof that the release was healthy: the next deployment may run another application in
//! another way, and when that fails, what comes back is the release that was proven, in the way in which it was.

use std::borrow::Cow;

use action::redact::redacted;
use serde::{Deserialize, Serialize};

use crate::host::http::HttpUrl;
use crate::runtime::Commands;
use crate::settings::{Checked, Health, Hooks, Run};

/// How a release is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manner {
    /// Its commands, or its Compose project.
    pub run: Run,
    /// Commands around its start.
    pub hooks: Hooks,
    /// Where it is asked.
    pub health: Option<Health>,
}

/// The same as it is kept on the host.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    project: Option<String>,
    start: Option<String>,
    stop: Option<String>,
    status: Option<String>,
    after: Option<String>,
    health: Option<String>,
    body: Option<String>,
}

impl Manner {
    /// As this deployment's settings have it.
    #[must_use]
    pub fn of(settings: &Checked) -> Self {
        Self {
            run: settings.run.clone(),
            hooks: settings.hooks.clone(),
            health: settings.health.clone(),
        }
    }

    /// The commands of a release that is run so.
    #[must_use]
    pub const fn commands<'a>(&'a self, settings: &'a Checked) -> Commands<'a> {
        Commands {
            run: &self.run,
            hooks: &self.hooks,
            paths: &settings.paths,
            wait: settings.health_timeout,
        }
    }

    /// One line of JSON; empty when a declared secret stands in it, for those are written nowhere.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut kept = Kept {
            after: self.hooks.after.clone(),
            ..Kept::default()
        };
        match &self.run {
            Run::Compose { project } => kept.project = Some(project.clone()),
            Run::Command {
                start,
                stop,
                status,
            } => {
                kept.start = Some(start.clone());
                kept.stop.clone_from(stop);
                kept.status.clone_from(status);
            }
            Run::None => {}
        }
        if let Some(health) = &self.health {
            kept.health = Some(health.url.to_string());
            kept.body.clone_from(&health.body);
        }
        let text = serde_json::to_string(&kept).unwrap_or_default();
        match redacted(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(_) => String::new(),
        }
    }

    /// Reads [`Manner::to_text`]. How long and how often it is asked is a matter of this deployment.
    fn from_text(text: &str, settings: &Checked) -> Option<Self> {
        let kept: Kept = serde_json::from_str(text).ok()?;
        let run = match (kept.project, kept.start) {
            (Some(project), _) => Run::Compose { project },
            (None, Some(start)) => Run::Command {
                start,
                stop: kept.stop,
                status: kept.status,
            },
            (None, None) => Run::None,
        };
        let health = match (kept.health, &settings.health) {
            (Some(url), present) => Some(Health {
                url: HttpUrl::parse(&url).ok()?,
                count: present.as_ref().map_or(1, |health| health.count),
                body: kept.body,
                timeout: settings.health_timeout,
            }),
            (None, _) => None,
        };
        Some(Self {
            run,
            hooks: Hooks {
                before: None,
                after: kept.after,
            },
            health,
        })
    }

    /// As a release was run when it was proven; as this deployment has it where that is not known.
    #[must_use]
    pub fn kept(text: Option<&str>, settings: &Checked) -> Self {
        text.and_then(|text| Self::from_text(text, settings))
            .unwrap_or_else(|| Self::of(settings))
    }
}
