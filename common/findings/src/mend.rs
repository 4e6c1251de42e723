//! Writing what mends findings, or showing it.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use action::failure::Failure;
use action::program::Context;
use contract::repair::{Changed, Mended};
use serde_json::json;
use similar::TextDiff;

/// Writes the files that repairs change, each whole or not at all; in a dry run it shows them as a unified diff
/// instead. What cannot be mended is in the report.
///
/// # Errors
/// A file that cannot be written; those before it are.
pub fn mend(mended: &Mended, context: &Context) -> Result<(), Failure> {
    if context.dry_run {
        let diffs: String = mended.files.values().map(diff).collect();
        let text = if diffs.is_empty() {
            "nothing here can be fixed\n".to_owned()
        } else {
            diffs
        };
        let fixes: Vec<_> = deeds(mended)
            .map(|(code, file, deed)| json!({"code": code, "file": file, "what": deed}))
            .collect();
        return context.show_plan(&text, &json!({"fixes": fixes, "diff": text}));
    }
    for changed in mended.files.values() {
        write(changed).map_err(|error| {
            Failure::failed(format!("cannot write {}", changed.file))
                .cause(error)
                .hint("files named above are fixed already; running it again does the rest")
        })?;
        for (code, _, deed) in deeds(mended).filter(|(_, file, _)| *file == changed.file) {
            tracing::info!("fixed {}: {deed} [{code}]", changed.file);
        }
    }
    let left = mended.report.findings.len();
    if left > 0 {
        tracing::warn!("{left} of the findings cannot be fixed automatically; see the report");
    }
    Ok(())
}

/// The code of each finding that is mended, the file that changes, and how.
fn deeds(mended: &Mended) -> impl Iterator<Item = (&'static str, &str, String)> {
    mended.findings.iter().filter_map(|finding| {
        let repair = finding.repair.as_ref()?;
        Some((finding.rule.code, repair.file(finding), repair.deed()))
    })
}

/// A unified diff, as `git apply` and `patch -p1` take it.
fn diff(changed: &Changed) -> String {
    let file = changed.file.strip_prefix("./").unwrap_or(&changed.file);
    TextDiff::from_lines(&changed.before, &changed.after)
        .unified_diff()
        .header(&format!("a/{file}"), &format!("b/{file}"))
        .to_string()
}

/// Writes beside the file and renames, with the file's own mode; a link stays one.
fn write(changed: &Changed) -> io::Result<()> {
    let path = Path::new(&changed.file).canonicalize()?;
    if fs::read(&path)? != changed.before.as_bytes() {
        return Err(io::Error::other("it was changed meanwhile"));
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::Builder::new()
        .permissions(fs::metadata(&path)?.permissions())
        .tempfile_in(folder)?;
    file.write_all(changed.after.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}
