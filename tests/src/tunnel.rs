//! The server sides of the tunnels to private instances: an EC2 Instance Connect Endpoint and an SSM agent behind its
//! message gateway. Both lead to a port of this machine.
//!
//! They are written from the descriptions of the protocols and share no code with our clients. Clients of others have
//! been tried with the agent: `tests/it/tunnel_clients.rs`. There is none for the endpoint but the AWS CLI's second
//! version, which no package registry has.

mod agent;
mod endpoint;
mod frame;
mod network;

pub use agent::{Agent, Behaviour};
pub use endpoint::{Endpoint, Manner};
pub use network::Faults;

use crate::FakeAws;
use std::future::Future;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

/// Has EC2 list these Instance Connect Endpoints: elements of [`Endpoint::listed`].
pub fn list_endpoints(aws: &FakeAws, items: &str) {
    endpoint::list(aws, items);
}

/// A thread with a server in it, which ends when this is dropped.
struct Served {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    /// Runs what `serve` gives until the value is dropped, with every task that it spawned.
    fn start<F: Future<Output = ()>>(serve: impl FnOnce() -> F + Send + 'static) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("cannot make a runtime");
            runtime.block_on(async {
                tokio::select! {
                    () = serve() => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the server was printed; the client saw a broken connection.
            drop(thread.join());
        }
    }
}
