//! The plan of a dry run: what the archive holds, how near it is to the limits, what would happen.

use std::fmt::Write as _;
use std::path::Path;

use action::failure::Failure;
use action::program::Context;
use bundle::manifest::{Entry, Kind};
use serde_json::json;

use contract::diff::Changes;

use crate::archive::Archive;
use crate::limits::MAX_ARCHIVE;
use crate::references::Asset;
use crate::settings::Bucket;
use crate::upload::current::{Current, Difference, difference};
use crate::upload::decision::Decision;

/// What would happen with the archive.
#[derive(Debug)]
pub(crate) enum Ending<'a> {
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
        /// What is there.
        current: &'a Current,
        /// The bucket of packaged files, and whether each of them is there already.
        assets: (&'a str, Vec<bool>),
    },
}

/// Prints the plan and writes it as JSON where that was asked for.
pub(crate) fn show(
    archive: &Archive,
    ending: &Ending<'_>,
    context: &Context,
) -> Result<(), Failure> {
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
    if let Ending::Bucket {
        assets: (bucket, there),
        current,
        ..
    } = ending
    {
        for (asset, there) in archive.assets.iter().zip(there) {
            let deed = if *there { "there is" } else { "would store" };
            let source = findings::shown(&asset.source);
            let _ = writeln!(text, "{deed} s3://{bucket}/{} ({source})", asset.key);
        }
        text.push_str(&changes(current, archive));
    }
    let _ = writeln!(text, "{}", sentence(ending));
    text
}

/// What an upload would change, one line for each section.
fn changes(current: &Current, archive: &Archive) -> String {
    let files = match current {
        Current::Nothing => return String::new(),
        Current::Unreadable(why) => {
            return format!("cannot compare with the present object: {why}\n");
        }
        Current::Files(files) => files,
    };
    let Difference { entries, template } = difference(files, archive);
    let mut text = String::new();
    let mut section = |name: &str, changes: &Changes| {
        for (sign, names) in [
            ("+", &changes.added),
            ("-", &changes.removed),
            ("~", &changes.changed),
        ] {
            for one in names {
                let _ = writeln!(text, "  {sign} {name} {one}");
            }
        }
    };
    section("file", &entries);
    for (name, changes) in template.iter().flatten() {
        section(name, changes);
    }
    match (&template, text.is_empty()) {
        (_, true) => "changes: none but formatting\n".to_owned(),
        (None, _) => format!("changes:\n{text}  the template there cannot be read\n"),
        (Some(_), _) => format!("changes:\n{text}"),
    }
}

fn asset_json(asset: &Asset, there: bool) -> serde_json::Value {
    json!({"key": asset.key, "bytes": asset.bytes.len(), "source": findings::shown(&asset.source), "there": there})
}

fn changes_json(current: &Current, archive: &Archive) -> serde_json::Value {
    let one = |changes: &Changes| json!({"added": changes.added, "removed": changes.removed, "changed": changes.changed});
    let Current::Files(files) = current else {
        return serde_json::Value::Null;
    };
    let Difference { entries, template } = difference(files, archive);
    let sections = template.map(|sections| {
        let sections = sections
            .iter()
            .map(|(name, changes)| ((*name).to_owned(), one(changes)));
        serde_json::Value::Object(sections.collect())
    });
    json!({"entries": one(&entries), "template": sections})
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
        Ending::Bucket {
            target, decision, ..
        } => {
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
        Ending::Bucket {
            target, decision, ..
        } => {
            let deed = if matches!(decision, Decision::Unchanged { .. }) {
                "nothing"
            } else {
                "upload"
            };
            (deed, format!("s3://{}/{}", target.name, target.key))
        }
    };
    let (assets, changes) = match ending {
        Ending::File { .. } => (Vec::new(), serde_json::Value::Null),
        Ending::Bucket {
            assets: (_, there),
            current,
            ..
        } => (
            archive
                .assets
                .iter()
                .zip(there)
                .map(|(asset, there)| asset_json(asset, *there))
                .collect(),
            changes_json(current, archive),
        ),
    };
    json!({
        "assets": assets,
        "changes": changes,
        "digest": archive.digest.to_string(),
        "template": archive.template,
        "archiveBytes": archive.bytes.len(),
        "entries": entries,
        "sizes": sizes,
        "action": deed,
        "target": place,
    })
}
