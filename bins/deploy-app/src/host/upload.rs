//! Sending an application: the stream of an upload, in large pieces, to whoever takes it to the host.

use std::io::{self, Write};

use filesync::Upload;
use tokio::sync::mpsc;

/// How much is handed over at once, in bytes: about as much as OpenSSH takes in one packet (32 KiB), and, with what
/// an allocator keeps beside it, little enough that none asks the kernel for new memory each time.
const CHUNK: usize = 32 * 1024 - 64;

/// Writes the stream of an upload into `tell` until it is whole, fails, or nobody listens any more.
/// Blocks; run it on a thread for blocking work.
pub(super) fn send(upload: &Upload, tell: mpsc::Sender<Result<Vec<u8>, String>>) {
    let chunks = Chunks {
        tell: tell.clone(),
        buffer: Vec::with_capacity(CHUNK),
    };
    if let Err(error) = upload.send(chunks).and_then(|mut chunks| chunks.flush()) {
        // Nobody listens when the host has ended it already; its own error is the better one.
        drop(tell.blocking_send(Err(error.to_string())));
    }
}

/// Hands bytes to the connection in large pieces.
struct Chunks {
    tell: mpsc::Sender<Result<Vec<u8>, String>>,
    buffer: Vec<u8>,
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let fits = bytes.len().min(CHUNK - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..fits]);
        if self.buffer.len() == CHUNK {
            self.flush()?;
        }
        Ok(fits)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK));
        self.tell
            .blocking_send(Ok(chunk))
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the host takes no more"))
    }
}
