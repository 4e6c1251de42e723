//! The stream of a pull: a JSON object a line.

use std::collections::BTreeMap;

use serde_json::Value;

/// What a pull has told so far.
#[derive(Debug, Default)]
pub(super) struct Pull {
    partial: Vec<u8>,
    layers: BTreeMap<String, (u64, u64)>,
    status: String,
    pub(super) error: Option<String>,
}

impl Pull {
    /// Takes bytes of the stream, which is a JSON object a line.
    pub(super) fn push(&mut self, data: &[u8]) {
        for byte in data {
            if *byte == b'\n' {
                self.line();
            } else {
                self.partial.push(*byte);
            }
        }
    }

    fn line(&mut self) {
        let line = std::mem::take(&mut self.partial);
        let Ok(line) = serde_json::from_slice::<Value>(&line) else {
            return;
        };
        let text = |key: &str| line.get(key).and_then(Value::as_str);
        if let Some(error) = text("error") {
            self.error = Some(error.to_owned());
        }
        if let Some(status) = text("status") {
            status.clone_into(&mut self.status);
        }
        if let (Some(digest), Some(total)) =
            (text("digest"), line.get("total").and_then(Value::as_u64))
        {
            let completed = line.get("completed").and_then(Value::as_u64).unwrap_or(0);
            self.layers.insert(digest.to_owned(), (completed, total));
        }
    }

    /// Bytes that are still to come, of the layers that have been named.
    pub(super) fn missing(&self) -> u64 {
        let missing = self.layers.values();
        missing
            .map(|(completed, total)| total.saturating_sub(*completed))
            .sum()
    }

    pub(super) fn progress(&self) -> String {
        let (done, all) = self
            .layers
            .values()
            .fold((0, 0), |(done, all), (completed, total)| {
                (done + completed, all + total)
            });
        if all == 0 {
            return self.status.clone();
        }
        format!(
            "{} ({} of {} MB)",
            self.status,
            done / 1_000_000,
            all / 1_000_000
        )
    }

    /// Only a last `success` counts: an answer of 200 may still carry an error.
    pub(super) fn end(mut self) -> Result<(), String> {
        self.line();
        match self.error {
            Some(error) => Err(error),
            None if self.status == "success" => Ok(()),
            None => Err(format!(
                "the stream ended at `{}`, without `success`",
                self.status
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pull;

    fn pull(stream: &str) -> Result<(), String> {
        let mut pull = Pull::default();
        for chunk in stream.as_bytes().chunks(7) {
            pull.push(chunk);
        }
        pull.end()
    }

    #[test]
    fn only_a_final_success_counts() {
        assert_eq!(
            pull("{\"status\":\"pulling manifest\"}\n{\"status\":\"success\"}\n"),
            Ok(())
        );
        assert_eq!(pull("{\"status\":\"success\"}"), Ok(()));
        assert!(
            pull("{\"status\":\"pulling manifest\"}\n")
                .is_err_and(|error| error.contains("pulling manifest"))
        );
        assert_eq!(
            pull("{\"status\":\"pulling manifest\"}\n{\"error\":\"no such model\"}\n"),
            Err("no such model".to_owned())
        );
        assert!(pull("<html>\n").is_err());
        assert!(pull("").is_err());
    }

    #[test]
    fn progress_sums_the_layers() {
        let mut pull = Pull::default();
        pull.push(b"{\"status\":\"pulling a\",\"digest\":\"a\",\"total\":2000000,\"completed\":1000000}\n");
        pull.push(b"{\"status\":\"pulling b\",\"digest\":\"b\",\"total\":3000000}\n");
        assert_eq!(pull.progress(), "pulling b (1 of 5 MB)");
        assert_eq!(pull.missing(), 4_000_000);
    }
}
