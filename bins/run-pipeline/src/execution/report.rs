//! What is told of an execution in its end.

use contract::variables::{EXECUTION_KEY, EXECUTION_NAMESPACE};
use serde_json::Value;

use super::{Done, Execution};

impl Execution<'_> {
    /// The actions with their times and variables.
    pub(super) fn summary(&self) {
        let name = |one: &Done| format!("{}/{}", one.stage, one.action);
        let width = self
            .done
            .iter()
            .map(|one| name(one).len())
            .max()
            .unwrap_or(0);
        for one in &self.done {
            let shown: Vec<String> = one
                .variables
                .iter()
                .map(|(key, value)| format!("{key}={}", shorten(value)))
                .collect();
            tracing::info!(
                "{:width$}  {:>8}  {}",
                name(one),
                format!("{:.1}s", one.took.as_secs_f64()),
                shown.join(" ")
            );
        }
    }

    /// What goes to stdout: the variables of every action that ran, by namespace; an action
    /// without one stands under `Stage/Action`, which no namespace can be.
    pub(crate) fn report(&self) -> Value {
        let map = |pairs: &[(String, String)]| -> Value {
            pairs
                .iter()
                .map(|(key, value)| (key.clone(), Value::from(value.clone())))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let mut all = serde_json::Map::new();
        let id = (EXECUTION_KEY.to_owned(), self.id.clone());
        all.insert(EXECUTION_NAMESPACE.to_owned(), map(&[id]));
        for one in &self.done {
            let name = match &one.namespace {
                Some(namespace) => namespace.clone(),
                None => format!("{}/{}", one.stage, one.action),
            };
            all.insert(name, map(&one.variables));
        }
        all.into()
    }
}

fn shorten(value: &str) -> String {
    let line: String = value
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    match line.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}
