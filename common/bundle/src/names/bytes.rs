//! Names as text, whatever bytes they have: a Unix name may be any bytes, and manifests hold text.
//!
//! A byte that is no part of UTF-8 becomes one of the last 128 characters of a private plane
//! (U+10FF80 for 0x80 to U+10FFFF for 0xFF). A name that really holds one of those is written byte by
//! byte, so that the way back is always the right one.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// The character that stands for byte 0x00 of an impossible name; only 0x80 and above occur.
const PLANE: u32 = 0x10_FF00;

/// The name as text.
#[must_use]
pub fn to_text(name: &OsStr) -> String {
    if let Some(text) = name.to_str().filter(|text| is_plain(text)) {
        return text.to_owned();
    }
    let mut text = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            if stands_for(c).is_some() {
                let mut buffer = [0; 4];
                text.extend(c.encode_utf8(&mut buffer).bytes().map(stand_in));
            } else {
                text.push(c);
            }
        }
        text.extend(chunk.invalid().iter().copied().map(stand_in));
    }
    text
}

/// The bytes of a name that [`to_text`] made.
#[must_use]
pub fn to_bytes(text: &str) -> Vec<u8> {
    if is_plain(text) {
        return text.as_bytes().to_vec();
    }
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match stands_for(c) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

/// The path with these bytes.
#[must_use]
pub fn to_path(text: &str) -> std::path::PathBuf {
    Path::new(OsStr::from_bytes(&to_bytes(text))).to_owned()
}

/// The name for people: without line breaks and other control characters, unknown bytes as `\xff`.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match stands_for(c) {
            Some(byte) => out.push_str(&format!("\\x{byte:02x}")),
            None if c.is_control() => out.extend(c.escape_default()),
            None => out.push(c),
        }
    }
    out
}

/// Whether a text is its own name: none of its characters stands for a byte. In UTF-8 all of those begin with
/// 0xF4.
fn is_plain(text: &str) -> bool {
    memchr::memchr(0xf4, text.as_bytes()).is_none()
}

fn stand_in(byte: u8) -> char {
    // Every sum is a character: the plane ends at U+10FFFF.
    char::from_u32(PLANE + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn stands_for(c: char) -> Option<u8> {
    u8::try_from(u32::from(c).checked_sub(PLANE)?)
        .ok()
        .filter(|byte| *byte >= 0x80)
}

#[cfg(test)]
mod tests {
    use super::{shown, to_bytes, to_text};
    use proptest::prelude::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    #[test]
    fn unknown_bytes_are_shown_as_bytes() {
        let text = to_text(OsStr::from_bytes(b"a\xff\nb"));
        assert_eq!(shown(&text), "a\\xff\\nb");
    }

    proptest! {
        #[test]
        fn any_name_comes_back(name in proptest::collection::vec(any::<u8>(), 0..20)) {
            prop_assert_eq!(to_bytes(&to_text(OsStr::from_bytes(&name))), name);
        }

        #[test]
        fn characters_that_stand_for_bytes_come_back_too(name in "[a\u{10ff7f}-\u{10ffff}]{0,5}") {
            prop_assert_eq!(to_bytes(&to_text(OsStr::new(&name))), name.as_bytes());
        }

        #[test]
        fn no_two_names_share_a_text(a in proptest::collection::vec(any::<u8>(), 0..6), b in proptest::collection::vec(any::<u8>(), 0..6)) {
            prop_assert_eq!(to_text(OsStr::from_bytes(&a)) == to_text(OsStr::from_bytes(&b)), a == b);
        }
    }
}
