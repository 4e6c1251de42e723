//! Large files that changed little: only the pieces that the host does not have are sent.
//!
//! A file is cut where its content says so (FastCDC), so that an insertion moves the cuts with it. The
//! pieces of each large file are kept on the host beside the release's manifest. The next version is cut
//! the same way here; what both have is copied there, from the release before. Whether the
//! result is right is not taken on trust: the host hashes the whole file, and what is not is sent whole.

use std::collections::BTreeMap;
use std::io::Read;

use bundle::digest::Digest;
use fastcdc::v2020::StreamCDC;

use super::stored::{escape, unescape};

/// Files below this length, in bytes, are sent whole: a piece saves less than it costs.
pub const LARGE: u64 = 4 * 1024 * 1024;

/// The least, usual and greatest length of a piece, in bytes.
const LENGTHS: (usize, usize, usize) = (64 * 1024, 256 * 1024, 1024 * 1024);

/// One piece of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its length in bytes.
    pub length: u64,
    /// SHA-256 of its content.
    pub sha256: Digest,
}

/// The pieces of each large file, in order.
pub type Pieces = BTreeMap<String, Vec<Piece>>;

/// Cuts a file into pieces.
///
/// # Errors
/// When it cannot be read.
pub fn cut(file: impl Read) -> std::io::Result<Vec<Piece>> {
    let (least, usual, greatest) = LENGTHS;
    StreamCDC::new(file, least, usual, greatest)
        .map(|chunk| {
            let chunk = chunk.map_err(std::io::Error::other)?;
            Ok(Piece {
                length: chunk.length as u64,
                sha256: Digest::of(&chunk.data),
            })
        })
        .collect()
}

/// A part of the new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// These bytes of the host's old file.
    Old {
        /// Where they begin.
        offset: u64,
        /// How many.
        length: u64,
    },
    /// These bytes of the new file, which are sent.
    New {
        /// Where they begin.
        offset: u64,
        /// How many.
        length: u64,
    },
}

/// How to make the new file of the old one's pieces; none when more than half would be sent anyway.
#[must_use]
pub fn parts(old: &[Piece], new: &[Piece]) -> Option<Vec<Part>> {
    let mut places: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut offset = 0;
    for piece in old {
        places
            .entry(piece.sha256.to_string())
            .or_insert((offset, piece.length));
        offset += piece.length;
    }
    let mut parts: Vec<Part> = Vec::new();
    let (mut at, mut sent) = (0, 0);
    for piece in new {
        let found = places
            .get(&piece.sha256.to_string())
            .filter(|(_, length)| *length == piece.length);
        match (found, parts.last_mut()) {
            (Some((from, _)), Some(Part::Old { offset, length })) if *offset + *length == *from => {
                *length += piece.length;
            }
            (Some((from, _)), _) => parts.push(Part::Old {
                offset: *from,
                length: piece.length,
            }),
            (None, Some(Part::New { length, .. })) => *length += piece.length,
            (None, _) => parts.push(Part::New {
                offset: at,
                length: piece.length,
            }),
        }
        if found.is_none() {
            sent += piece.length;
        }
        at += piece.length;
    }
    (sent <= at / 2).then_some(parts)
}

/// The pieces as they are kept on the host: a line for each file.
#[must_use]
pub fn to_text(pieces: &Pieces) -> String {
    let mut text = String::new();
    for (path, pieces) in pieces {
        for Piece { length, sha256 } in pieces {
            text.push_str(&format!("{length}:{sha256} "));
        }
        text.push_str(&format!("\t{}\n", escape(path)));
    }
    text
}

/// Reads [`to_text`]; a line that makes no sense is passed over, and its file sent whole.
#[must_use]
pub fn from_text(text: &str) -> Pieces {
    let piece = |word: &str| {
        let (length, sha256) = word.split_once(':')?;
        Some(Piece {
            length: length.parse().ok()?,
            sha256: sha256.parse().ok()?,
        })
    };
    text.lines()
        .filter_map(|line| {
            let (pieces, path) = line.split_once('\t')?;
            let pieces: Option<Vec<Piece>> = pieces.split_whitespace().map(piece).collect();
            Some((unescape(path), pieces?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
    use super::{Part, cut, from_text, parts, to_text};

    /// Bytes that repeat nowhere.
    fn noise(length: usize, mut state: u64) -> Vec<u8> {
        (0..length)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state as u8
            })
            .collect()
    }

    /// Puts the new file together as the host does; gives it and how many bytes were sent.
    fn made(old: &[u8], new: &[u8]) -> Option<(Vec<u8>, u64)> {
        let parts = parts(&cut(old).unwrap(), &cut(new).unwrap())?;
        let (mut file, mut sent) = (Vec::new(), 0);
        for part in parts {
            let (from, offset, length) = match part {
                Part::Old { offset, length } => (old, offset, length),
                Part::New { offset, length } => {
                    sent += length;
                    (new, offset, length)
                }
            };
            file.extend_from_slice(&from[offset as usize..(offset + length) as usize]);
        }
        Some((file, sent))
    }

    #[test]
    fn edits_insertions_and_cuts_send_little_and_give_the_new_file() {
        let old = noise(8 << 20, 7);
        let mut edited = old.clone();
        edited[3 << 20..(3 << 20) + 1000].copy_from_slice(&noise(1000, 9));
        let inserted = [&old[..5 << 20], &noise(777, 11), &old[5 << 20..]].concat();
        let shortened = old[1 << 20..].to_vec();
        let longer = [&old[..], &noise(1 << 20, 13)].concat();
        for (new, at_most) in [
            (old.clone(), 0),
            (edited, 3 << 20),
            (inserted, 3 << 20),
            (shortened, 2 << 20),
            (longer, 3 << 20),
        ] {
            let (file, sent) = made(&old, &new).unwrap();
            assert!(file == new);
            assert!(sent <= at_most, "{sent} of {at_most}");
        }
        assert_eq!(made(&old, &noise(8 << 20, 15)), None, "all new is sent whole");
    }

    #[test]
    fn pieces_are_read_back() {
        let pieces = [("a\tb".to_owned(), cut(&noise(1 << 20, 3)[..]).unwrap())].into();
        assert_eq!(from_text(&to_text(&pieces)), pieces);
        assert!(from_text("1:zz \ta\nnonsense\n").is_empty());
    }
}
