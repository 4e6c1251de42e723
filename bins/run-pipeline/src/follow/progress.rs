//! What is told of actions while they go on: each begins once and ends once.

use std::collections::BTreeSet;

use crate::account::ActionSeen;

#[derive(Debug, Default)]
pub(super) struct Progress {
    begun: BTreeSet<String>,
    ended: BTreeSet<String>,
}

impl Progress {
    /// Tells the actions that began since.
    pub(super) fn begun(&mut self, actions: &[ActionSeen]) {
        for one in actions {
            if self.begun.insert(one.id.clone()) {
                tracing::info!("---- {} ({}) ----", one.name(), one.provider);
                if one.provider == "Manual" && !one.is_over() {
                    tracing::warn!("{} waits for an approval", one.name());
                }
            }
        }
    }

    /// Tells the actions that ended since.
    pub(super) fn ended(&mut self, actions: &[ActionSeen]) {
        for one in actions.iter().filter(|one| one.is_over()) {
            if !self.ended.insert(one.id.clone()) {
                continue;
            }
            let took = match (&one.started, &one.updated) {
                (Some(from), Some(to)) => to.as_secs_f64() - from.as_secs_f64(),
                _ => 0.0,
            };
            let variables: Vec<String> = one
                .variables
                .iter()
                .map(|(key, value)| format!(" {key}={value}"))
                .collect();
            let line = format!(
                "{}: {} after {took:.1}s",
                one.action,
                one.status.to_lowercase()
            );
            if one.status == "Succeeded" {
                tracing::info!("{line}{}", variables.concat());
                continue;
            }
            let why = one.error.as_deref().or(one.summary.as_deref());
            tracing::warn!("{line}: {}", why.unwrap_or("no reason given"));
            if let Some(url) = &one.url {
                tracing::info!("{}: {url}", one.action);
            }
        }
    }

    /// What goes on, in words that change when it does.
    pub(super) fn state(&self, actions: &[ActionSeen], status: &str) -> String {
        let going: Vec<String> = actions
            .iter()
            .filter(|one| !one.is_over())
            .map(ActionSeen::name)
            .collect();
        match going.is_empty() {
            true => status.to_owned(),
            false => format!("{status}: {}", going.join(", ")),
        }
    }
}
