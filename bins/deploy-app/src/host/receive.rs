//! Having the host receive a release, and say by its own hashes what arrived.

use action::failure::Failure;
use action::wait::Limits;

use filesync::{Fault, Operation, Paths, Put, Received, Stamp, Upload, What};

use super::{Remote, TAIL, upload};
use ssh::{OutputMode, Stdin};

impl Remote<'_> {
    /// Sends a release and has it verified by the host's own hashes; what did not arrive as it should
    /// is sent once more, whole. Gives the stamp of what was verified.
    pub(crate) async fn receive(
        &self,
        upload: Upload,
        limits: &Limits,
    ) -> Result<Option<Stamp>, Failure> {
        let deed = format!("unpack release {}", upload.release);
        let (paths, wanted) = (&self.settings.paths, upload.wanted.clone());
        let Received {
            mut stamp,
            mut faults,
        } = self.send(&deed, upload.clone(), limits).await?;
        let is_curable = |faults: &[Fault]| faults.iter().all(|fault| fault.what != What::Foreign);
        if !faults.is_empty() && is_curable(&faults) {
            let linked = faults.iter().filter(|fault| upload.is_linked(&fault.path));
            let linked = linked.count();
            tracing::info!("{}", sent_again(linked, faults.len() - linked));
            let only = faults.into_iter().map(|fault| fault.path).collect();
            let rest = Upload {
                only: Some(only),
                ..upload
            };
            Received { stamp, faults } = self.send(&deed, rest, limits).await?;
        }
        if faults.is_empty() {
            return Ok(stamp);
        }
        Err(self.unlike(&deed, paths, Some(wanted.len()), &faults))
    }

    fn unlike(
        &self,
        deed: &str,
        paths: &Paths,
        entries: Option<usize>,
        faults: &[Fault],
    ) -> Failure {
        let told = counted(faults.len(), "fault", "faults");
        let told = match entries {
            Some(entries) => format!("{told} in {}", counted(entries, "entry", "entries")),
            None => told,
        };
        let failure = Failure::failed(format!(
            "cannot {deed} in {} on {}",
            paths.target, self.shown
        ))
        .cause(format!("the host has other content than was sent ({told})"));
        faults
            .iter()
            .take(TAIL)
            .fold(failure, |failure, fault| failure.detail(fault.to_string()))
            .hint("did the application's folder change meanwhile, or is the host's disk full?")
    }

    async fn send(&self, deed: &str, upload: Upload, limits: &Limits) -> Result<Received, Failure> {
        if let Some(received) = self.receive_by_bucket(deed, &upload, limits).await? {
            return Ok(received);
        }
        let operation = Operation::Receive(upload.incoming());
        let (tell, chunks) = tokio::sync::mpsc::channel(16);
        let sender = tokio::task::spawn_blocking(move || upload::send(&upload, tell));
        let (input, show) = (Stdin::Chunks(chunks), OutputMode::Progress("send"));
        let received = self.store(deed, operation, input, show, limits).await;
        // It ends by itself: nobody listens any more.
        drop(sender.await);
        received
    }

    /// In-place: moves the target folder to a release's files, or away from them, and has them verified. `entries` is
    /// how many the release has. Gives the stamp of what was verified.
    pub(crate) async fn put(&self, put: Put, limits: &Limits) -> Result<Option<Stamp>, Failure> {
        let deed = format!("put release {} into place", put.release);
        let (operation, show) = (Operation::Put(put), OutputMode::Progress("verify"));
        let (stamp, faults): (_, Vec<Fault>) = self
            .store(&deed, operation, Stdin::Empty, show, limits)
            .await?;
        match faults.as_slice() {
            [] => Ok(stamp),
            faults => Err(self.unlike(&deed, &self.settings.paths, None, faults)),
        }
    }
}

/// Why files are sent once more: so many of them were linked to the release before, and so many were sent.
fn sent_again(linked: usize, sent: usize) -> String {
    let mut reasons = Vec::new();
    if linked > 0 {
        let files = counted(linked, "file", "files");
        reasons.push(format!("{files} of the release before changed on the host"));
    }
    if sent > 0 {
        let files = counted(sent, "file", "files");
        reasons.push(format!("{files} did not arrive as read here"));
    }
    format!("{}: sending again, whole", reasons.join(", "))
}

/// A number with the word for what is counted.
fn counted(number: usize, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}

#[cfg(test)]
mod tests {
    use super::sent_again;

    #[test]
    fn what_is_sent_once_more_is_told_as_it_is() {
        for (linked, sent, told) in [
            (
                1,
                0,
                "1 file of the release before changed on the host: sending again, whole",
            ),
            (
                0,
                2,
                "2 files did not arrive as read here: sending again, whole",
            ),
            (
                2,
                1,
                "2 files of the release before changed on the host, 1 file did not arrive as read here: sending again, whole",
            ),
        ] {
            assert_eq!(sent_again(linked, sent), told);
        }
    }
}
