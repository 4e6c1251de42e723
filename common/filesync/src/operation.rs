//! What one side asks the other to do with the store of releases, as a value that travels.

use std::io::Read;
use std::path::Path;

use bundle::digest::Digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::fault::Fault;
use crate::layout::Paths;
use crate::place::{self, Put};
use crate::receive::{self, Incoming};
use crate::stamp::Stamp;
use crate::{decision, fetched, look, release, shared, temporary};

/// An operation on the store. [`run`] says what the result of each is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the functions that they call say what they do")]
pub enum Operation {
    /// [`look()`]: [`crate::Seen`].
    Look { wanted: Option<Digest>, reads: bool },
    /// [`release::make_store`], and a look at it that reads no file: [`crate::Seen`].
    MakeStore { wanted: Option<Digest> },
    /// [`release::manifest`]: a [`crate::Tree`], or none where it cannot be read.
    Manifest { release: String },
    /// [`release::pieces()`]: [`crate::pieces::Pieces`].
    Pieces { release: String },
    /// [`release::faults`]: [`Fault`]s, or none where the manifest cannot be read.
    Faults {
        release: String,
        only: Option<Vec<String>>,
    },
    /// [`release::remember_stamp`]: nothing.
    RememberStamp { release: String, stamp: Stamp },
    /// [`crate::look_at_shared`]: a [`crate::SharedPath`] for each.
    LookAtShared {
        shared: Vec<String>,
        current: Option<String>,
    },
    /// [`crate::receive()`], with the stream as input: [`crate::Received`].
    Receive(Incoming),
    /// [`crate::receive_fetched`]: [`crate::Received`].
    ReceiveFetched { incoming: Incoming, digest: Digest },
    /// [`crate::commit`]: [`crate::Committed`].
    Commit {
        release: String,
        shared: Vec<String>,
        current: Option<String>,
    },
    /// [`crate::put`]: a [`Stamp`], or none, and [`Fault`]s.
    Put(Put),
    /// [`crate::restore_replaced`]: nothing.
    RestoreReplaced { release: String },
    /// [`release::switch`]: nothing.
    Switch { release: String, starts: bool },
    /// [`release::unswitch`]: nothing.
    Unswitch,
    /// [`release::prove`]: nothing.
    Prove { release: String, how: String },
    /// [`release::audit`]: nothing.
    Audit { line: String },
    /// [`crate::decision::forget`]: nothing.
    ForgetDecision,
    /// [`crate::keep_written`]: where it lies now.
    KeepWritten {
        releases: Vec<String>,
        shared: Vec<String>,
        unknown: Vec<String>,
    },
    /// [`release::remove`]: where what could not be removed lies now.
    Remove { releases: Vec<String> },
    /// [`release::write_to_disk`]: nothing.
    WriteToDisk,
    /// Free space in KiB there: a number, or none.
    Free { folder: String },
    /// [`temporary::make`], with the tree as input: the folder's path.
    MakeTemporary { name: String },
    /// [`temporary::remove_all`]: nothing.
    RemoveTemporary,
}

/// Does it, and gives its result for [`result`]. Only [`Operation::Receive`] and
/// [`Operation::MakeTemporary`] read `input`.
///
/// # Errors
/// As the function that it calls.
pub fn run(paths: &Paths, operation: Operation, input: impl Read) -> Result<Vec<u8>, StoreError> {
    match operation {
        Operation::Look { wanted, reads } => told(&look::look(paths, wanted, reads)),
        Operation::MakeStore { wanted } => {
            release::make_store(paths)?;
            told(&look::look(paths, wanted, false))
        }
        Operation::Manifest { release } => told(&release::manifest(paths, &release).ok()),
        Operation::Pieces { release } => told(&release::pieces(paths, &release)),
        Operation::Faults { release, only } => {
            match release::faults(paths, &release, only.as_deref()) {
                Err(StoreError::NoManifest(_)) => told(&None::<Vec<Fault>>),
                faults => told(&Some(faults?)),
            }
        }
        Operation::RememberStamp { release, stamp } => {
            told(&release::remember_stamp(paths, &release, &stamp)?)
        }
        Operation::LookAtShared { shared, current } => {
            told(&shared::look_at_shared(paths, &shared, current.as_deref()))
        }
        Operation::Receive(incoming) => told(&receive::receive(paths, &incoming, input)?),
        Operation::ReceiveFetched { incoming, digest } => {
            told(&fetched::receive_fetched(paths, &incoming, digest)?)
        }
        Operation::Commit {
            release,
            shared,
            current,
        } => told(&shared::commit(
            paths,
            &release,
            &shared,
            current.as_deref(),
        )?),
        Operation::Put(put) => told(&place::put(paths, &put)?),
        Operation::RestoreReplaced { release } => told(&place::restore_replaced(paths, &release)?),
        Operation::Switch { release, starts } => told(&release::switch(paths, &release, starts)?),
        Operation::Unswitch => told(&release::unswitch(paths)?),
        Operation::Prove { release, how } => told(&release::prove(paths, &release, &how)?),
        Operation::Audit { line } => told(&release::audit(paths, &line)?),
        Operation::ForgetDecision => told(&decision::forget(paths)?),
        Operation::KeepWritten {
            releases,
            shared,
            unknown,
        } => told(&shared::keep_written(paths, &releases, &shared, &unknown)?),
        Operation::Remove { releases } => told(&release::remove(paths, &releases)?),
        Operation::WriteToDisk => {
            release::write_to_disk();
            told(&())
        }
        Operation::Free { folder } => told(&look::free_kib(Path::new(&folder))),
        Operation::MakeTemporary { name } => told(&temporary::make(&name, input)?),
        Operation::RemoveTemporary => {
            temporary::remove_all();
            told(&())
        }
    }
}

fn told(result: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    postcard::to_stdvec(result).map_err(|_| StoreError::Stream("has no written form".to_owned()))
}

/// Reads what [`run`] gave; none where it is not the result of that operation.
#[must_use]
pub fn result<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    match postcard::take_from_bytes(bytes) {
        Ok((result, [])) => Some(result),
        _ => None,
    }
}
