//! Paths and the `file:` URIs that the editor names them by.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use lsp_types::{InitializeParams, Uri};

/// The folder that the editor works in.
pub(super) fn root(params: &InitializeParams) -> Option<PathBuf> {
    let folders = params.workspace_folders.as_ref();
    let first = folders.and_then(|all| all.first()).map(|one| &one.uri);
    #[allow(deprecated, reason = "older editors know nothing else")]
    let root = first.or(params.root_uri.as_ref())?;
    path(root)?.canonicalize().ok()
}

/// The path of a `file:` URI.
pub(super) fn path(uri: &Uri) -> Option<PathBuf> {
    let rest = uri.as_str().strip_prefix("file://")?;
    let encoded = &rest[rest.find('/')?..];
    let bytes = encoded.as_bytes();
    let mut path = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = encoded.get(at + 1..at + 3);
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                path.push(byte);
                at += 3;
            }
            _ => {
                path.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(path).ok().map(PathBuf::from)
}

/// The `file:` URI of an absolute path (RFC 8089, RFC 3986).
pub(super) fn uri(path: &Path) -> Option<Uri> {
    let mut uri = String::from("file://");
    for byte in path.to_str()?.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    Uri::from_str(&uri).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_comes_back_from_its_uri() {
        for text in ["/a/b.yml", "/a b/größe [1]%20#?.yml"] {
            let path = PathBuf::from(text);
            assert_eq!(uri(&path).and_then(|uri| super::path(&uri)), Some(path));
        }
        let other = Uri::from_str("untitled:Untitled-1").ok();
        assert_eq!(other.and_then(|uri| path(&uri)), None);
    }
}
