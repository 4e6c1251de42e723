//! How many commands run on a connection, and whether it has ended.

use std::sync::Arc;

use tokio::sync::watch;

use crate::error::ExecError;

/// One command that runs, counted for as long as this lives.
pub(crate) struct Running(Arc<watch::Sender<usize>>);

impl Running {
    pub(crate) fn new(count: &Arc<watch::Sender<usize>>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(Arc::clone(count))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// Whether the connection has ended.
#[derive(Clone)]
pub(crate) struct Ended(watch::Receiver<()>);

impl Ended {
    /// It has once the other side of this is dropped.
    pub(crate) fn new(end: watch::Receiver<()>) -> Self {
        Self(end)
    }

    /// Does something that may wait for the other side, for as long as the connection lasts. The library waits for room in
    /// a channel's window on a connection that has ended, too.
    pub(crate) async fn unless<T>(
        &self,
        work: impl Future<Output = Result<T, ExecError>>,
    ) -> Result<T, ExecError> {
        let mut end = self.0.clone();
        tokio::select! {
            biased;
            done = work => done,
            _ = end.changed() => Err(ExecError::Lost("the connection ended".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Ended;
    use crate::error::ExecError;
    use tokio::sync::watch;

    #[tokio::test]
    async fn what_waits_for_the_other_side_ends_with_the_connection() {
        let (end, ended) = watch::channel(());
        let ended = Ended::new(ended);
        assert_eq!(ended.unless(async { Ok(7) }).await, Ok(7));
        let waiting = ended.unless(std::future::pending::<Result<(), ExecError>>());
        let (waited, ()) = tokio::join!(waiting, async { drop(end) });
        assert!(matches!(waited, Err(ExecError::Lost(_))), "{waited:?}");
    }
}
