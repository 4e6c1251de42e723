//! Having the host receive a release, and say by its own hashes what arrived.

use action::failure::Failure;
use action::wait::Limits;

use super::{Remote, TAIL};
use crate::layout::Paths;
use crate::release::scripts;
use crate::sync::listing::{Fault, Listing, What};
use crate::sync::upload::Upload;
use crate::sync::{self, Tree};
use ssh::{OutputMode as Show, Stdin as Input};

impl Remote<'_> {
    /// Sends a release and has it verified by the host's own hashes; what did not arrive as it should
    /// is sent once more, whole. Gives the stamp of what was verified.
    ///
    /// # Errors
    /// When it does not arrive exactly.
    pub async fn receive(&self, upload: Upload, limits: &Limits) -> Result<String, Failure> {
        let deed = format!("unpack release {}", upload.release);
        let (paths, wanted) = (&self.settings.paths, upload.wanted.clone());
        let (mut stamp, mut faults) = self.send(&deed, upload.clone(), limits).await?;
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
            (stamp, faults) = self.send(&deed, rest, limits).await?;
        }
        if faults.is_empty() {
            return Ok(stamp);
        }
        Err(self.unlike(&deed, paths, &wanted, &faults))
    }

    fn unlike(&self, deed: &str, paths: &Paths, wanted: &Tree, faults: &[Fault]) -> Failure {
        let failure = Failure::failed(format!(
            "cannot {deed} in {} on {}",
            paths.target, self.shown
        ))
        .cause(format!(
            "what the host holds is not what was sent ({} in {})",
            counted(faults.len(), "fault", "faults"),
            counted(wanted.len(), "entry", "entries")
        ));
        faults
            .iter()
            .take(TAIL)
            .fold(failure, |failure, fault| failure.detail(fault.to_string()))
            .hint("did the application's folder change meanwhile, or is the host's disk full?")
    }

    async fn send(
        &self,
        deed: &str,
        upload: Upload,
        limits: &Limits,
    ) -> Result<(String, Vec<Fault>), Failure> {
        let again = upload.only.is_some();
        let paths = &self.settings.paths;
        let has_long = sync::has_long(&upload.wanted);
        let script = scripts::unpack(paths, &upload.release, upload.gzip, again, has_long);
        let wanted = upload.wanted.clone();
        let (tell, chunks) = tokio::sync::mpsc::channel(16);
        let sender = tokio::task::spawn_blocking(move || upload.send(tell));
        let output = self
            .shown_script(
                deed,
                &script,
                Input::Chunks(chunks),
                Show::Progress("send"),
                limits,
            )
            .await;
        // It ends by itself: nobody listens any more.
        drop(sender.await);
        Ok(stamped(&output?.stdout, &wanted))
    }

    /// In-place: has the target folder verified; gives the stamp of what was verified.
    ///
    /// # Errors
    /// When it does not hold the tree.
    pub async fn verify_live(
        &self,
        release: &str,
        wanted: &Tree,
        limits: &Limits,
    ) -> Result<String, Failure> {
        let deed = format!("put release {release} into place");
        let paths = &self.settings.paths;
        let script = scripts::list_live(paths, release, sync::has_long(wanted));
        let show = Show::Progress("verify");
        let output = self
            .shown_script(&deed, &script, Input::Empty, show, limits)
            .await?;
        let (stamp, mut faults) = stamped(&output.stdout, wanted);
        // Whatever else is there was there before, or is the application's.
        faults.retain(|fault| !fault.what.is_theirs());
        if faults.is_empty() {
            return Ok(stamp);
        }
        Err(self.unlike(&deed, paths, wanted, &faults))
    }
}

/// Reads a stamp and the listing after it.
fn stamped(output: &[u8], wanted: &Tree) -> (String, Vec<Fault>) {
    let end = output.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let stamp = String::from_utf8_lossy(&output[..end]).into_owned();
    let listing = Listing::parse(output.get(end + 1..).unwrap_or_default());
    (stamp, listing.faults(wanted))
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
