//! Large files that changed little: only the pieces that the host does not have are sent.
//!
//! Two measures, both kept on the host beside the release's manifest. Segments of a fixed length, whose
//! digests are known from reading the application, tell which stretches of a file are as they were.
//! The rest is cut where its content says so (FastCDC), so that an insertion moves the cuts with it, and
//! what the release before has anywhere in the file is copied there. Whether the result is right is not taken
//! on trust: the host hashes the whole file, and what is not is sent whole.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read, Seek, SeekFrom};

use bundle::digest::Digest;
use fastcdc::v2020::StreamCDC;
use serde::{Deserialize, Serialize};

use crate::stored::{escape, unescape};

/// Files below this length, in bytes, are sent whole: a piece saves less than it costs.
pub const LARGE: u64 = 4 * 1024 * 1024;

/// The least, usual and greatest length of a piece, in bytes.
const LENGTHS: (usize, usize, usize) = (64 * 1024, 256 * 1024, 1024 * 1024);

/// One piece of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Where it begins, in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
    /// SHA-256 of its content.
    pub sha256: Digest,
}

/// What is known of a large file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The digests of its segments, which have the same length in every release.
    pub segments: Vec<Digest>,
    /// Its pieces, in order; there may be gaps.
    pub pieces: Vec<Piece>,
}

/// Each large file of a release.
pub type Pieces = BTreeMap<String, Known>;

/// A part of the new file; they follow each other without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

impl Part {
    /// Its length in bytes.
    #[must_use]
    pub const fn length(&self) -> u64 {
        match self {
            Self::Old { length, .. } | Self::New { length, .. } => *length,
        }
    }
}

/// How to make the new file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// Out of what.
    pub parts: Vec<Part>,
    /// What will be known of it.
    pub known: Known,
}

impl Recipe {
    /// How many bytes are sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        let new = |part: &Part| matches!(part, Part::New { .. }).then(|| part.length());
        self.parts.iter().filter_map(new).sum()
    }

    /// How many bytes lie where they lay in the old file.
    #[must_use]
    pub fn in_place(&self) -> u64 {
        let (mut at, mut sum) = (0, 0);
        for part in &self.parts {
            if matches!(part, Part::Old { offset, .. } if *offset == at) {
                sum += part.length();
            }
            at += part.length();
        }
        sum
    }
}

/// The segments of a file, by which it was hashed.
#[derive(Debug, Clone, Copy)]
pub struct Segments<'a> {
    /// Their length in bytes; the last one may be shorter.
    pub length: u64,
    /// Their digests.
    pub digests: &'a [Digest],
}

/// Finds out how to make a file of `size` bytes with these segments out of the old one. Reads only what
/// no segment of the old one stands for.
///
/// # Errors
/// When it cannot be read.
pub fn recipe(
    mut file: impl Read + Seek,
    size: u64,
    segments: Segments<'_>,
    old: &Known,
) -> io::Result<Recipe> {
    let by_content: HashMap<(Digest, u64), u64> = old
        .pieces
        .iter()
        .map(|piece| ((piece.sha256, piece.length), piece.offset))
        .collect();
    let mut recipe = Recipe {
        parts: Vec::new(),
        known: Known {
            segments: segments.digests.to_vec(),
            pieces: Vec::new(),
        },
    };
    let Segments { length, digests } = segments;
    let is_same = |n: usize| old.segments.get(n) == digests.get(n);
    let mut n = 0;
    while n < digests.len() {
        let same = is_same(n);
        let run = (n..digests.len()).take_while(|n| is_same(*n) == same);
        let next = n + run.count();
        let (from, end) = (n as u64 * length, (next as u64 * length).min(size));
        if same {
            let own = |piece: &&Piece| piece.offset >= from && piece.offset + piece.length <= end;
            recipe
                .known
                .pieces
                .extend(old.pieces.iter().filter(own).cloned());
            recipe.add(Part::Old {
                offset: from,
                length: end - from,
            });
        } else {
            file.seek(SeekFrom::Start(from))?;
            for piece in cut(file.by_ref().take(end - from), from)? {
                let length = piece.length;
                recipe.add(match by_content.get(&(piece.sha256, length)) {
                    Some(offset) => Part::Old {
                        offset: *offset,
                        length,
                    },
                    None => Part::New {
                        offset: piece.offset,
                        length,
                    },
                });
                recipe.known.pieces.push(piece);
            }
        }
        n = next;
    }
    Ok(recipe)
}

impl Recipe {
    /// Adds a part, to the last one where it continues that.
    fn add(&mut self, part: Part) {
        match (self.parts.last_mut(), part) {
            (
                Some(Part::Old { offset, length }),
                Part::Old {
                    offset: from,
                    length: more,
                },
            )
            | (
                Some(Part::New { offset, length }),
                Part::New {
                    offset: from,
                    length: more,
                },
            ) if *offset + *length == from => {
                *length += more;
            }
            _ => self.parts.push(part),
        }
    }
}

/// Cuts content that begins at `from` in its file.
fn cut(content: impl Read, from: u64) -> io::Result<Vec<Piece>> {
    let (least, usual, greatest) = LENGTHS;
    StreamCDC::new(content, least, usual, greatest)
        .map(|chunk| {
            let chunk = chunk.map_err(io::Error::other)?;
            Ok(Piece {
                offset: from + chunk.offset,
                length: chunk.length as u64,
                sha256: Digest::of(&chunk.data),
            })
        })
        .collect()
}

/// What is known, as it is kept on the host: a line for each file, its segments, its pieces, its path.
#[must_use]
pub fn to_text(pieces: &Pieces) -> String {
    let mut text = String::new();
    for (path, known) in pieces {
        for segment in &known.segments {
            text.push_str(&format!("{segment} "));
        }
        text.push('\t');
        for Piece {
            offset,
            length,
            sha256,
        } in &known.pieces
        {
            text.push_str(&format!("{offset}:{length}:{sha256} "));
        }
        text.push_str(&format!("\t{}\n", escape(path)));
    }
    text
}

/// Reads [`to_text`]; a line that makes no sense is passed over, and its file sent whole.
#[must_use]
pub fn from_text(text: &str) -> Pieces {
    let piece = |word: &str| {
        let mut fields = word.splitn(3, ':');
        Some(Piece {
            offset: fields.next()?.parse().ok()?,
            length: fields.next()?.parse().ok()?,
            sha256: fields.next()?.parse().ok()?,
        })
    };
    let file = |line: &str| {
        let mut fields = line.splitn(3, '\t');
        let segments = fields.next()?.split_whitespace();
        let segments = segments
            .map(|word| word.parse().ok())
            .collect::<Option<_>>()?;
        let pieces = fields.next()?.split_whitespace();
        let pieces = pieces.map(piece).collect::<Option<_>>()?;
        Some((unescape(fields.next()?), Known { segments, pieces }))
    };
    text.lines().filter_map(file).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
    use std::io::Cursor;

    use bundle::digest::Digest;

    use super::{Known, Part, Recipe, Segments, from_text, recipe, to_text};
    use crate::tests::noise;

    const SEGMENT: usize = 2 << 20;

    fn known(old: &Known, content: &[u8]) -> Recipe {
        let digests: Vec<_> = content.chunks(SEGMENT).map(Digest::of).collect();
        let segments = Segments {
            length: SEGMENT as u64,
            digests: &digests,
        };
        recipe(Cursor::new(content), content.len() as u64, segments, old).unwrap()
    }

    fn first(content: &[u8]) -> Known {
        known(&Known::default(), content).known
    }

    /// Puts the new file together as the host does; gives it and its recipe.
    fn made(old: &[u8], new: &[u8], before: &Known) -> (Vec<u8>, Recipe) {
        let recipe = known(before, new);
        let mut file = Vec::new();
        for part in &recipe.parts {
            let (from, offset, length) = match *part {
                Part::Old { offset, length } => (old, offset, length),
                Part::New { offset, length } => (new, offset, length),
            };
            file.extend_from_slice(&from[offset as usize..(offset + length) as usize]);
        }
        (file, recipe)
    }

    #[test]
    fn edits_insertions_and_cuts_send_little_and_give_the_new_file() {
        let old = noise(3 * SEGMENT + (1 << 20), 7);
        let before = first(&old);
        let at = 2 * SEGMENT + 300_000;
        let mut edited = old.clone();
        edited[at..at + 1000].copy_from_slice(&noise(1000, 9));
        let inserted = [&old[..at], &noise(777, 11), &old[at..]].concat();
        let shortened = old[1 << 20..].to_vec();
        let longer = [&old[..], &noise(1 << 20, 13)].concat();
        let shorter = old[..at].to_vec();
        for (new, at_most) in [
            (old.clone(), 0),
            (edited, 3 << 20),
            (inserted, 3 << 20),
            (shortened, 2 << 20),
            (longer, 3 << 20),
            (shorter, 2 << 20),
        ] {
            let (file, recipe) = made(&old, &new, &before);
            assert!(file == new);
            assert!(recipe.sent() <= at_most, "{} of {at_most}", recipe.sent());
            // What is known of the new one serves as well.
            let (again, back) = made(&new, &old, &recipe.known);
            assert!(again == old);
            let lost = old.len().saturating_sub(new.len()) as u64;
            assert!(back.sent() <= lost + (4 << 20), "{} back", back.sent());
        }
        let (_, other) = made(&old, &noise(2 << 20, 15), &before);
        assert_eq!(other.sent(), 2 << 20, "all of it is new");
    }

    #[test]
    fn only_what_changed_is_read() {
        let old = noise(2 * SEGMENT + 5, 7);
        let mut new = old.clone();
        new[SEGMENT + 9] ^= 1;
        let (_, recipe) = made(&old, &new, &first(&old));
        let Part::Old { offset: 0, length } = recipe.parts[0] else {
            panic!("{:?}", recipe.parts);
        };
        assert!(length >= SEGMENT as u64);
        assert_eq!(recipe.in_place(), old.len() as u64 - recipe.sent());
    }

    #[test]
    fn what_is_known_is_read_back() {
        let pieces = [("a\tb".to_owned(), first(&noise(1 << 20, 3)))].into();
        assert_eq!(from_text(&to_text(&pieces)), pieces);
        assert!(from_text("zz \t1:zz \ta\nnonsense\n").is_empty());
    }
}
