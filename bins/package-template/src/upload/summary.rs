//! The revision summary: what a person sees in the pipeline for this upload.

use action::codebuild::CodeBuild;
use bundle::digest::Digest;

/// Headers of a request hold ASCII; what a user writes is cut to this many characters.
const MAX_SUMMARY: usize = 256;

/// The user's words, else the commit that CodeBuild built, else nothing.
pub(super) fn revision(given: Option<&str>, codebuild: &CodeBuild) -> String {
    let commit = codebuild.resolved_source_version.as_deref();
    let text = match (given, commit) {
        (Some(text), _) => text.to_owned(),
        (None, Some(commit)) => format!("commit {commit}"),
        (None, None) => String::new(),
    };
    // S3 gives metadata back only as it can stand in a header.
    let plain = |c: char| {
        if c == ' ' || c.is_ascii_graphic() {
            c
        } else {
            '?'
        }
    };
    text.trim().chars().map(plain).take(MAX_SUMMARY).collect()
}

/// The summary of this content.
pub(super) fn with_digest(revision: &str, digest: Digest) -> String {
    let short: String = digest.to_string().chars().take(12).collect();
    if revision.is_empty() {
        format!("content {short}")
    } else {
        format!("{revision} (content {short})")
    }
}

#[cfg(test)]
mod tests {
    use super::{revision, with_digest};
    use action::codebuild::CodeBuild;
    use bundle::digest::Digest;

    #[test]
    fn the_users_words_come_first_and_fit_a_header() {
        let build = CodeBuild {
            resolved_source_version: Some("0a1b2c".to_owned()),
            ..CodeBuild::default()
        };
        assert_eq!(revision(None, &CodeBuild::default()), "");
        assert_eq!(revision(None, &build), "commit 0a1b2c");
        assert_eq!(revision(Some("größer\nnow "), &build), "gr??er?now");
        assert_eq!(revision(Some(&"x".repeat(300)), &build).len(), 256);
        let digest = Digest::of(b"");
        assert_eq!(with_digest("", digest), "content e3b0c44298fc");
        assert_eq!(
            with_digest("release 3", digest),
            "release 3 (content e3b0c44298fc)"
        );
    }
}
