//! A release that goes through a bucket, because Session Manager carries a MiB or two a second.
//!
//! Its stream is stored by its digest, the host fetches it by an address that is signed for some minutes, and it is deleted,
//! whatever came of it. The agent takes it only when it has that digest. Where the host cannot fetch it, the stream goes over
//! the session.

use std::io::{self, BufWriter, Write};

use action::export::quote::posix as quote;
use action::failure::Failure;
use action::wait::Limits;
use bundle::digest::{Digest, Hasher};
use filesync::{Operation, Received, Upload};
use ssh::{OutputMode, Stdin};
use tempfile::NamedTempFile;

use super::Remote;
use crate::connect::bucket::Stored;

/// From so many bytes on: less takes a few seconds over the session.
const LEAST: u64 = 4 << 20;

/// The address comes on standard input, for whoever has it may fetch the release: it is in nobody's list of processes.
const FETCH: &str = r#"
umask 077
IFS= read -r address || exit 1
rm -f -- "$file" || exit 1
if command -v curl >/dev/null 2>&1; then
    printf 'url = "%s"\n' "$address" |
        curl -fsS --connect-timeout 10 --speed-limit 1024 --speed-time 30 -o "$file" -K -
elif command -v wget >/dev/null 2>&1; then
    printf '%s\n' "$address" | wget -nv --tries=1 --timeout=30 -O "$file" -i -
else
    echo 'neither curl nor wget is there' >&2
    false
fi || { rm -f -- "$file"; exit 1; }
"#;

impl Remote<'_> {
    /// Has the host receive a release by way of the bucket; none where it goes over the connection.
    pub(super) async fn receive_by_bucket(
        &self,
        deed: &str,
        upload: &Upload,
        limits: &Limits,
    ) -> Result<Option<Received>, Failure> {
        let routes = &self.ssh_target.routes;
        let (Some(bucket), Some((cloud, _)), Some(dialer)) = (
            &self.settings.transfer_bucket,
            self.ssh_target.instance,
            routes.dialer(),
        ) else {
            return Ok(None);
        };
        if !routes.is_session() || upload.content_bytes() < LEAST {
            return Ok(None);
        }
        // The way is slow: it is worth it.
        let upload = Upload {
            compressed: true,
            ..upload.clone()
        };
        let incoming = upload.incoming();
        let spooling = tokio::task::spawn_blocking(move || spool(&upload));
        let spooled = spooling.await.map_err(io::Error::other).flatten();
        let spooled = spooled.map_err(|error| {
            Failure::failed("cannot write the release to a temporary file").cause(error)
        })?;
        if spooled.length < LEAST {
            return Ok(None);
        }
        let stored = Stored::new(&cloud.session, dialer, bucket, spooled.digest);
        let fetching = self.fetch(&stored, &spooled, &incoming.release, limits);
        let fetched = limits.interrupt.race(fetching).await;
        if let Err(error) = stored.delete().await {
            let shown = stored.shown();
            tracing::warn!(
                "left behind: {shown}, which could not be deleted ({error}): aws s3 rm {shown}"
            );
        }
        match fetched {
            Err(signal) => Err(Failure::interrupted(signal, format!("stopped: {deed}"))),
            Ok(Err(why)) => {
                tracing::warn!("{why}; the release is sent through the session instead");
                Ok(None)
            }
            Ok(Ok(())) => {
                let digest = spooled.digest;
                let operation = Operation::ReceiveFetched { incoming, digest };
                let show = OutputMode::Progress("receive");
                let received = self.store(deed, operation, Stdin::Empty, show, limits);
                received.await.map(Some)
            }
        }
    }

    /// Stores it, and has the host fetch it. The error says why there is nothing on the host.
    async fn fetch(
        &self,
        stored: &Stored<'_>,
        spooled: &Spooled,
        release: &str,
        limits: &Limits,
    ) -> Result<(), String> {
        let shown = stored.shown();
        let length = spooled.length;
        let put = stored.put(spooled.file.path(), limits.deadline).await;
        put.map_err(|error| format!("cannot store {shown}: {error}"))?;
        tracing::info!(
            "stored {length} B as {shown} for the host to fetch, for Session Manager is slow"
        );
        let address = stored.address().await;
        let address =
            address.map_err(|error| format!("cannot sign the address of {shown}: {error}"))?;
        let paths = &self.settings.paths;
        let file = quote(&format!("{}/{}", paths.target, paths.fetched(release)));
        let script = format!("file={file}\n{FETCH}");
        let input = Stdin::Bytes(format!("{address}\n").into_bytes());
        let output = self
            .session
            .exec(&script, input, OutputMode::Tail, limits)
            .await;
        let output = output.map_err(|error| format!("the host did not fetch {shown}: {error}"))?;
        if output.status != 0 {
            // Whatever the tools say of it, the address is nobody's business.
            let said = output.tail.join("; ").replace(&address, &shown);
            return Err(format!("the host cannot fetch {shown}: {said}"));
        }
        tracing::info!("the host fetched it from S3");
        Ok(())
    }
}

/// The stream of a release in a file of this machine.
struct Spooled {
    /// It goes with this value.
    file: NamedTempFile,
    length: u64,
    digest: Digest,
}

fn spool(upload: &Upload) -> io::Result<Spooled> {
    let file = NamedTempFile::with_prefix("deploy-app")?;
    let counted = Counted {
        to: BufWriter::with_capacity(128 << 10, file),
        hasher: Hasher::default(),
        length: 0,
    };
    let Counted { to, hasher, length } = upload.send(counted)?;
    Ok(Spooled {
        file: to.into_inner().map_err(io::IntoInnerError::into_error)?,
        length,
        digest: hasher.finish(),
    })
}

/// Hashes and counts what is written through it.
struct Counted<W> {
    to: W,
    hasher: Hasher,
    length: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.length += u64::try_from(written).unwrap_or(u64::MAX);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
