//! ministack, an emulator by other people than moto's: where the two agree, it is more likely AWS.

use std::ops::Deref;
use std::process::Command;

use crate::server::{Server, Start, installed};

/// A running `ministack`; dropping it stops it.
pub struct Ministack(Server);

impl Ministack {
    /// Starts `ministack` on a free port. `None`, after [`crate::missing()`], when it is not
    /// installed.
    ///
    /// The program is the one named by `MINISTACK`, or `venv-faults/bin/ministack` in the build
    /// folder (`BUILD_DIR`, or `build` in the workspace).
    ///
    /// # Panics
    /// When it is installed but does not start.
    pub fn start() -> Option<Self> {
        let program = installed("MINISTACK", "venv-faults/bin/ministack")?;
        Some(Self(Server::start(&Start {
            name: "ministack",
            command: &|port, folder| {
                let mut command = Command::new(&program);
                // It listens on every interface unless told, and keeps its process id in TMPDIR.
                command
                    .env("BIND_HOST", "127.0.0.1")
                    .env("GATEWAY_PORT", port.to_string())
                    .env("TMPDIR", folder)
                    .env("LOG_LEVEL", "WARNING")
                    .env("IOT_MTLS_ENABLED", "0");
                command
            },
            ready: "/_ministack/health",
        })))
    }
}

impl Deref for Ministack {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}
