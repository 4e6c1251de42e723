//! The plan of a dry run: what the archive holds, how near it is to the limits, what would happen.

use std::fmt::Write as _;
use std::path::Path;

use action::failure::Failure;
use action::program::Context;
use bundle::manifest::{Entry, Kind};
use serde_json::json;

use crate::archive::{Archive, MAX_ARCHIVE};
use crate::settings::Bucket;
use crate::upload::Decision;

/// What would happen with the archive.
#[derive(Debug)]
pub enum Ending<'a> {
    /// A local file would be written, or holds the archive already.
    File {
        /// The file.
        path: &'a Path,
        /// Whether it would be written.
        changed: bool,
    },
    /// An object would be written, or is there already.
    Bucket {
        /// The object.
        target: &'a Bucket,
        /// Whether it would be written.
        decision: &'a Decision,
    },
}

/// Prints the plan and writes it as JSON where that was asked for.
///
/// # Errors
/// When the plan file cannot be written.
pub fn show(archive: &Archive, ending: &Ending<'_>, context: &Context) -> Result<(), Failure> {
    context.show_plan(&text(archive, ending), &json(archive, ending))
}

fn text(archive: &Archive, ending: &Ending<'_>) -> String {
    let mut text = format!("plan: {} entries\n", archive.manifest.entries().len());
    for entry in archive.manifest.entries() {
        let mark = if entry.path == archive.template {
            "  <- template"
        } else {
            ""
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "  {:>10}  {}  {}{mark}",
            size(entry),
            entry.kind.git_mode(),
            entry.path
        );
    }
    let _ = writeln!(text, "sizes:");
    let _ = writeln!(
        text,
        "  {:>10} of {MAX_ARCHIVE} bytes of archive",
        archive.bytes.len()
    );
    for size in &archive.sizes {
        let _ = writeln!(text, "  {:>10} of {} {}", size.is, size.limit, size.what);
    }
    let _ = writeln!(text, "digest: {}", archive.digest);
    let _ = writeln!(text, "{}", sentence(ending));
    text
}

fn size(entry: &Entry) -> u64 {
    match &entry.kind {
        Kind::File { size, .. } => *size,
        Kind::Symlink { target } => target.len() as u64,
        Kind::EmptyDir => 0,
    }
}

fn sentence(ending: &Ending<'_>) -> String {
    match ending {
        Ending::File {
            path,
            changed: true,
        } => format!("would write {}", path.display()),
        Ending::File {
            path,
            changed: false,
        } => format!("would write nothing: {} holds this content", path.display()),
        Ending::Bucket { target, decision } => {
            let object = format!("s3://{}/{}", target.name, target.key);
            match decision {
                Decision::Unchanged { version } => {
                    format!(
                        "would upload nothing: {object} holds this content in version {version}"
                    )
                }
                Decision::Create => format!("would upload {object}, which does not exist yet"),
                Decision::Replace {
                    version: Some(version),
                    ..
                } => {
                    format!("would upload {object} over version {version}")
                }
                Decision::Replace { version: None, .. } => {
                    format!("would upload {object} over what is there")
                }
            }
        }
    }
}

fn json(archive: &Archive, ending: &Ending<'_>) -> serde_json::Value {
    let entries: Vec<_> = archive
        .manifest
        .entries()
        .iter()
        .map(|entry| json!({"path": entry.path, "mode": entry.kind.git_mode(), "bytes": size(entry)}))
        .collect();
    let sizes: Vec<_> = archive
        .sizes
        .iter()
        .map(|size| json!({"what": size.what, "is": size.is, "limit": size.limit}))
        .collect();
    let (deed, place) = match ending {
        Ending::File { path, changed } => (
            if *changed { "write" } else { "nothing" },
            path.display().to_string(),
        ),
        Ending::Bucket { target, decision } => {
            let deed = if matches!(decision, Decision::Unchanged { .. }) {
                "nothing"
            } else {
                "upload"
            };
            (deed, format!("s3://{}/{}", target.name, target.key))
        }
    };
    json!({
        "digest": archive.digest.to_string(),
        "template": archive.template,
        "archiveBytes": archive.bytes.len(),
        "entries": entries,
        "sizes": sizes,
        "action": deed,
        "target": place,
    })
}
