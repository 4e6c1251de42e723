//! Work on the store of releases, by the library that knows it.

use std::sync::Arc;

use agent_protocol::message::{AgentError, RequestId};
use filesync::{Operation, Paths, operation};

use crate::command::Commands;
use crate::others;
use crate::output::Output;

/// Does it on a thread of its own. Its answer is sent once it is done. Old agents go with old releases.
pub(crate) fn start(
    commands: &Commands,
    id: RequestId,
    paths: Paths,
    operation: Operation,
    output: &Arc<Output>,
) {
    let Some(mut work) = commands.begin(id, output) else {
        return;
    };
    std::thread::spawn(move || {
        if matches!(operation, Operation::Remove { .. }) {
            others::remove_old();
        }
        let told = operation::run(&paths, operation, &mut work);
        work.end(told.map_err(AgentError::Store));
    });
}
