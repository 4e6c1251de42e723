//! The manual approval action: given beforehand, or asked for on the terminal.

use std::io::BufRead as _;

use action::failure::Failure;

use crate::action_io::{ActionInput, ActionOutput};

/// Waits for the answer.
pub(super) async fn run(input: &ActionInput<'_>, is_given: bool) -> Result<ActionOutput, Failure> {
    let name = input.name();
    for key in ["CustomData", "ExternalEntityLink"] {
        if let Some(text) = input.optional(key) {
            tracing::info!("{name}: {text}");
        }
    }
    if is_given {
        tracing::info!("{name} is approved (--approve)");
        return Ok(ActionOutput::default());
    }
    tracing::warn!("{name} waits for an approval: type yes to approve, anything else to reject");
    let asked = async {
        // The thread may wait for ever; the end of the program ends it.
        let reading = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line).map(|_| line)
        });
        let cannot = |error: String| Failure::failed(format!("cannot ask for {name}")).cause(error);
        reading
            .await
            .map_err(|error| cannot(error.to_string()))?
            .map_err(|error| cannot(error.to_string()))
    };
    let before = format!("{name} was approved");
    let answer = input.limits.in_time(&before, asked).await?;
    if answer.trim().eq_ignore_ascii_case("yes") {
        tracing::info!("{name} is approved");
        Ok(ActionOutput::default())
    } else {
        Err(Failure::failed(format!("{name} was rejected")))
    }
}
