//! Whether a bucket is versioned, from an answer that may name its root wrongly.

use aws_smithy_xml::decode::{Document, try_data};

/// What every element of S3's answers belongs to.
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// Reads an answer to GetBucketVersioning: whether versioning is enabled; `None` when S3 did not
/// write it.
///
/// The SDK insists on the root's name, `VersioningConfiguration`. Other SDKs never look at it, so
/// that servers which speak S3 got away with other names. What tells S3's language from a web page
/// is the namespace.
pub(super) fn enabled(body: &[u8]) -> Option<bool> {
    let text = std::str::from_utf8(body).ok()?;
    let mut document = Document::new(text);
    let mut root = document.root_element().ok()?;
    if root.start_el().attr("xmlns") != Some(NAMESPACE) {
        return None;
    }
    while let Some(mut element) = root.next_tag() {
        if element.start_el().matches("Status") {
            return Some(try_data(&mut element).ok()?.trim() == "Enabled");
        }
    }
    // A bucket whose versioning was never touched has no status.
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::enabled;

    #[test]
    fn the_namespace_counts_and_the_roots_name_does_not() {
        let answer = |root: &str, inner: &str| {
            format!(
                r#"<?xml version="1.0" encoding="UTF-8"?><{root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{inner}</{root}>"#
            )
        };
        for root in ["VersioningConfiguration", "GetBucketVersioningResponse"] {
            for (inner, expected) in [
                (
                    "<MfaDelete>Enabled</MfaDelete><Status>Enabled</Status>",
                    Some(true),
                ),
                ("<Status> Enabled\n</Status>", Some(true)),
                ("<Status>Suspended</Status>", Some(false)),
                ("<MfaDelete>Enabled</MfaDelete>", Some(false)),
                ("", Some(false)),
            ] {
                assert_eq!(enabled(answer(root, inner).as_bytes()), expected, "{inner}");
            }
        }
        for other in [
            "",
            "<html><body><Status>Enabled</Status></body></html>",
            "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
            "{\"Status\": \"Enabled\"}",
        ] {
            assert_eq!(enabled(other.as_bytes()), None, "{other}");
        }
        assert_eq!(enabled(b"\xff"), None);
    }
}
