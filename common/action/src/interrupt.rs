//! SIGTERM and SIGINT, as a value that work can look at and wait for.

use crate::exit::Exit;
use std::fmt;
use std::future::Future;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// A signal that asks the program to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: a person pressed Ctrl-C.
    Interrupt,
    /// SIGTERM: CodeBuild stops the build, or an operator ends the process.
    Terminate,
}

impl Signal {
    /// The exit that answers it.
    #[must_use]
    pub fn exit(self) -> Exit {
        match self {
            Signal::Interrupt => Exit::Interrupted,
            Signal::Terminate => Exit::Terminated,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Signal::Interrupt => "SIGINT",
            Signal::Terminate => "SIGTERM",
        })
    }
}

/// Tells whether the program was asked to stop. Cheap to clone.
///
/// Work stops at its next safe point: it races its waits against [`Interrupt::signalled`], cleans
/// up, and returns [`crate::failure::Failure::interrupted`].
#[derive(Debug, Clone)]
pub struct Interrupt {
    seen: watch::Receiver<Option<Signal>>,
}

impl Interrupt {
    /// Starts to listen. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub fn listen() -> std::io::Result<Self> {
        let (tell, seen) = watch::channel(None);
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::spawn(async move {
            loop {
                let signal = tokio::select! {
                    _ = interrupt.recv() => Signal::Interrupt,
                    _ = terminate.recv() => Signal::Terminate,
                };
                if tell.borrow().is_some() {
                    tracing::warn!("{signal} again: still stopping, cleanup is not skipped");
                    continue;
                }
                tracing::warn!("{signal} received, stopping at the next safe point");
                if tell.send(Some(signal)).is_err() {
                    return;
                }
            }
        });
        Ok(Self { seen })
    }

    /// One that never fires, for tests and for work that must finish.
    #[must_use]
    pub fn never() -> Self {
        Self {
            seen: watch::channel(None).1,
        }
    }

    /// One that a test fires by sending.
    #[must_use]
    pub fn manual() -> (watch::Sender<Option<Signal>>, Self) {
        let (tell, seen) = watch::channel(None);
        (tell, Self { seen })
    }

    /// The signal that has arrived, if one has.
    #[must_use]
    pub fn pending(&self) -> Option<Signal> {
        *self.seen.borrow()
    }

    /// Waits for the signal.
    pub async fn signalled(&self) -> Signal {
        let mut seen = self.seen.clone();
        // Copied out of the channel, whose guard must not live across the next wait.
        let signal = seen.wait_for(Option::is_some).await.map(|signal| *signal);
        match signal {
            Ok(signal) => signal.unwrap_or(Signal::Terminate),
            // The sender is gone: no signal can come any more.
            Err(_) => std::future::pending().await,
        }
    }

    /// Runs `work` unless a signal comes first; the work is dropped at its current await point, so
    /// use this only where that is a safe point.
    ///
    /// # Errors
    /// The signal.
    pub async fn race<T>(&self, work: impl Future<Output = T>) -> Result<T, Signal> {
        tokio::select! {
            biased;
            signal = self.signalled() => Err(signal),
            done = work => Ok(done),
        }
    }
}
