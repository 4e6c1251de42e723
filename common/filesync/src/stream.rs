//! The one stream that makes a new release: the manifest, and for each entry of it what the host does not have. An item is
//! a length of four bytes, the least first, that many bytes of postcard, and the content that the item says follows.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::pieces::Part;

/// The longest item without its content, in bytes: the parts of a file of some hundred GiB.
const LONGEST: u32 = 16 * 1024 * 1024;

/// The longest text that is kept beside a release, in bytes: of some million files.
pub(crate) const LONGEST_TEXT: u64 = 1024 * 1024 * 1024;

/// An item of the stream. Entries are named by their place in the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Item {
    /// The manifest as it is kept on the host; that many bytes follow. The first item, except where a release is
    /// completed whose manifest came before.
    Manifest { length: u64 },
    /// A file that the current release has: at the same path, or at this one.
    Kept { entry: u32, from: Option<String> },
    /// A file; its content follows, as long as the manifest says.
    Whole { entry: u32 },
    /// A file that is put together from the one at the same path of the current release, and from the new parts, which
    /// follow.
    Parts { entry: u32, parts: Vec<Part> },
    /// What is known of large files, as it is kept on the host; that many bytes follow.
    Pieces { length: u64 },
    /// That was all.
    End,
}

impl Item {
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let bytes = postcard::to_stdvec(self).map_err(io::Error::other)?;
        let length = u32::try_from(bytes.len()).ok();
        let length = length
            .filter(|length| *length <= LONGEST)
            .ok_or_else(|| io::Error::other("a file has too many parts"))?;
        out.write_all(&length.to_le_bytes())?;
        out.write_all(&bytes)
    }

    pub(crate) fn read(stream: &mut impl Read) -> io::Result<Self> {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length);
        if length > LONGEST {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "an item is too long",
            ));
        }
        let mut bytes = Vec::new();
        stream.take(u64::from(length)).read_to_end(&mut bytes)?;
        if bytes.len() != length as usize {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        postcard::from_bytes(&bytes).map_err(|_| io::ErrorKind::InvalidData.into())
    }
}

/// Why a stream cannot be read on.
pub(crate) fn broken(error: &io::Error) -> StoreError {
    StoreError::Stream(match error.kind() {
        io::ErrorKind::UnexpectedEof => "ended early".to_owned(),
        _ => format!("cannot be read: {error}"),
    })
}

/// Reads a text of this length that is kept beside a release.
pub(crate) fn read_text(stream: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    if length > LONGEST_TEXT {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a text is too long",
        ));
    }
    let mut text = Vec::new();
    stream.take(length).read_to_end(&mut text)?;
    match text.len() as u64 == length {
        true => Ok(text),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Writes exactly `length` bytes: a file that grows meanwhile must not shift the stream, and one that shrinks is filled
/// up. Verification finds either.
pub(crate) fn write_exactly(
    out: &mut impl Write,
    content: impl Read,
    length: u64,
    buffer: &mut [u8],
) -> io::Result<()> {
    let mut content = content.chain(io::repeat(0)).take(length);
    loop {
        match content.read(buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => out.write_all(&buffer[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
