//! Having the agent work on the store of releases.

use action::exit::Exit;
use action::failure::Failure;
use action::wait::Limits;
use agent_protocol::message::AgentError;
use filesync::{Operation, StoreError, operation};
use serde::de::DeserializeOwned;
use ssh::{ExecError, OutputMode, Stdin};

use super::Remote;

impl Remote<'_> {
    /// Has the agent do something with the store of releases, and reads what it tells.
    pub(crate) async fn files<T: DeserializeOwned>(
        &self,
        deed: &str,
        operation: Operation,
        limits: &Limits,
    ) -> Result<T, Failure> {
        self.store(deed, operation, Stdin::Empty, OutputMode::Nothing, limits)
            .await
    }

    /// The same with input.
    pub(crate) async fn files_of<T: DeserializeOwned>(
        &self,
        deed: &str,
        operation: Operation,
        input: Stdin,
        limits: &Limits,
    ) -> Result<T, Failure> {
        self.store(deed, operation, input, OutputMode::Nothing, limits)
            .await
    }

    /// The same with signs of life.
    pub(super) async fn store<T: DeserializeOwned>(
        &self,
        deed: &str,
        operation: Operation,
        input: Stdin,
        show: OutputMode,
        limits: &Limits,
    ) -> Result<T, Failure> {
        let request = (&self.settings.paths, operation);
        let told = self.session.files(request, input, show, limits).await;
        self.told(deed, told)
    }

    /// Reads what the agent told of something that it did with the store.
    pub(super) fn told<T: DeserializeOwned>(
        &self,
        deed: &str,
        told: Result<Result<Vec<u8>, AgentError>, ExecError>,
    ) -> Result<T, Failure> {
        match told.map_err(|error| self.no_result(deed, &error))? {
            Ok(told) => {
                operation::result(&told).ok_or_else(|| self.no_result(deed, &ExecError::NoStatus))
            }
            Err(AgentError::Store(error)) => Err(self.not_done(deed, &error)),
            Err(error) => Err(self.not_done_at_all(deed, &error)),
        }
    }

    fn not_done_at_all(&self, deed: &str, error: &dyn std::fmt::Display) -> Failure {
        Failure::failed(format!("cannot {deed} on {}", self.shown))
            .cause(error)
            .of_command(deed, error)
    }

    fn not_done(&self, deed: &str, error: &StoreError) -> Failure {
        let failure = self.not_done_at_all(deed, error);
        if let StoreError::InTheWay { paths, .. } = error {
            let shown: Vec<String> = paths
                .iter()
                .map(|path| format!("`{}`", path.escape_debug()))
                .collect();
            return failure.hint(format!(
                "{} has files that no earlier deployment put there: {}; move them away, or leave these paths out of the application",
                self.settings.paths.target,
                shown.join(", ")
            ));
        }
        if error.is_denied() {
            return failure
                .with_exit(Exit::NotPermitted)
                .hint(self.make_by_hand_hint());
        }
        failure
    }
}
