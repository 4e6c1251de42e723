//! The agent's program, for each architecture of hosts.
//!
//! What ships has the programs inside: see `build.rs`. A development build takes the one that was built beside it.

use std::io::Read as _;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// A program that was put inside.
struct Embedded {
    machine: &'static str,
    digest: &'static str,
    gzip: &'static [u8],
}

/// The agent for hosts of one architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    /// The architecture, as Rust names it.
    pub(crate) machine: &'static str,
    /// The SHA-256 of the program in hexadecimal.
    pub(crate) digest: String,
}

/// Why there is no agent to put onto the host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProgramError {
    /// A development build without one beside it.
    #[error(
        "this is a development build, and there is no agent at {0}; build it with: cargo build -p deploy-agent"
    )]
    Missing(String),
    /// It cannot be read.
    #[error("cannot read the agent: {0}")]
    Unreadable(String),
}

/// All programs that this build can put onto a host.
pub(crate) fn all() -> Result<Vec<Program>, ProgramError> {
    if EMBEDDED.is_empty() {
        let content = beside()?;
        return Ok(vec![Program {
            machine: std::env::consts::ARCH,
            digest: hex(&Sha256::digest(content)),
        }]);
    }
    let all = EMBEDDED.iter().map(|embedded| Program {
        machine: embedded.machine,
        digest: embedded.digest.to_owned(),
    });
    Ok(all.collect())
}

impl Program {
    /// Its bytes.
    pub(crate) fn content(&self) -> Result<Vec<u8>, ProgramError> {
        let own = EMBEDDED.iter().find(|it| it.machine == self.machine);
        let Some(embedded) = own else {
            return beside();
        };
        let mut content = Vec::new();
        flate2::read::GzDecoder::new(embedded.gzip)
            .read_to_end(&mut content)
            .map_err(|error| ProgramError::Unreadable(error.to_string()))?;
        Ok(content)
    }

    pub(crate) fn digest_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            let digits = self.digest.get(2 * at..2 * at + 2).unwrap_or_default();
            *byte = u8::from_str_radix(digits, 16).unwrap_or_default();
        }
        bytes
    }
}

/// The development build's agent.
fn beside() -> Result<Vec<u8>, ProgramError> {
    let own = std::env::current_exe().unwrap_or_default();
    let folder = own.parent().map(PathBuf::from).unwrap_or_default();
    let path = folder.join("deploy-agent");
    std::fs::read(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => ProgramError::Missing(path.display().to_string()),
        _ => ProgramError::Unreadable(format!("{}: {error}", path.display())),
    })
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
